/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* One record being looked at and edited. Holds the *base* the person saw and the
 * edits on top; saving commits a patch base → edited. When somebody else's change
 * arrives meanwhile, untouched fields follow at once, touched ones keep the
 * person's text and are marked ("theirs" is available); nothing typed is lost.
 *
 * properties: "record" (KtRecord boxed: as shown, edits included; NULL while loading), "dirty", "is-new", "gone" (erased, or never there),
 *             "in-bin", "title", "subtitle", "saving", "row-state" (KtRowState), "error" (GError boxed: it could not be loaded)
 * signals: "field-changed" (KtField*, pointer) when the shown value, problem or mark of a field changed; NULL: any of them
 *          "relations-changed"  counts of related lists moved
 *          "saved" (KtDone*) */
#define KT_TYPE_EDITOR (kt_editor_get_type ())
G_DECLARE_FINAL_TYPE (KtEditor, kt_editor, KT, EDITOR, GObject)

KtEditor      *kt_editor_new       (KtWorkspace *workspace, const KtObject *object);                      /* a new record, defaults filled */
KtEditor      *kt_editor_open      (KtWorkspace *workspace, const KtObject *object, const KtId *id);      /* loads by itself; "record" is NULL until then */
KtWorkspace   *kt_editor_get_workspace (KtEditor *self);
const KtObject *kt_editor_get_object (KtEditor *self);
const KtId    *kt_editor_get_id    (KtEditor *self);                              /* also of a new one: it is known from the start */
KtRecord      *kt_editor_get_record (KtEditor *self);                             /* borrowed, NULL while loading */
gboolean       kt_editor_get_dirty (KtEditor *self);                              /* something typed is not saved */
gboolean       kt_editor_get_is_new (KtEditor *self);
gboolean       kt_editor_get_gone  (KtEditor *self);
const GError  *kt_editor_get_error (KtEditor *self);
const KtValue *kt_editor_get_value (KtEditor *self, const KtField *field);        /* as edited; never NULL */
char          *kt_editor_get_text  (KtEditor *self, const KtField *field);        /* as edited: for an entry */
char          *kt_editor_get_display (KtEditor *self, const KtField *field);      /* for reading */
/* Typed text; kept even when it does not parse (problem is set). FALSE when there is a problem.
 * Text equal to what kt_editor_get_text would give for the base is no edit. */
gboolean       kt_editor_set_text  (KtEditor *self, const KtField *field, const char *text);
void           kt_editor_set_value (KtEditor *self, const KtField *field, const KtValue *value);
/* Lists (choices, tags, many): codes, words or ids as text, NULL-terminated. g_strfreev. */
char         **kt_editor_get_items (KtEditor *self, const KtField *field);
char         **kt_editor_get_item_labels (KtEditor *self, const KtField *field);  /* the same, for reading */
void           kt_editor_set_items (KtEditor *self, const KtField *field, const char *const *items);
/* Parts of an address: "street", "city", … (kt_layout_address_parts). "" when blank, g_free. */
char          *kt_editor_get_part  (KtEditor *self, const KtField *field, const char *part);
void           kt_editor_set_part  (KtEditor *self, const KtField *field, const char *part, const char *text);
/* References (ref, ref_any; file and image: the file record). FALSE: empty. */
gboolean       kt_editor_get_link  (KtEditor *self, const KtField *field, const KtObject **object, KtId *id);
void           kt_editor_set_link  (KtEditor *self, const KtField *field, const KtObject *object, const KtId *id);    /* both NULL: empty */
/* Whether this option may be chosen now (transitions of state fields go from the base). */
gboolean       kt_editor_may_choose (KtEditor *self, const KtField *field, const char *option);
/* Sentence or NULL; field NULL: of the record as a whole. That a required field is empty is said after it was touched or a save was tried. */
const char    *kt_editor_get_problem (KtEditor *self, const KtField *field);
gboolean       kt_editor_is_touched  (KtEditor *self, const KtField *field);
/* Somebody changed a touched field meanwhile, to this; NULL: no. kt_editor_revert takes theirs, saving keeps mine (the field's policy decides). */
const KtValue *kt_editor_get_theirs  (KtEditor *self, const KtField *field);
char          *kt_editor_get_theirs_display (KtEditor *self, const KtField *field);   /* g_free, NULL: no */
gboolean       kt_editor_may_edit  (KtEditor *self, const KtField *field, char **reason);
void           kt_editor_revert    (KtEditor *self, const KtField *field);        /* NULL: all */
/* What is typed while it is being saved stays. Nothing to save: a KtDone that cannot be undone. */
void           kt_editor_save_async  (KtEditor *self, GAsyncReadyCallback callback, gpointer user_data);
KtDone        *kt_editor_save_finish (KtEditor *self, GAsyncResult *result, GError **error);    /* INVALID: problems are set on the fields */

/* Candidates for a reference field (ref, ref_any, many, file) as the person types; @typed "": the latest ones. */
typedef struct { const KtObject *object; KtId id; char *title; char *subtitle; } KtCandidate;
void       kt_candidate_free (KtCandidate *candidate);
void       kt_editor_candidates_async  (KtEditor *self, const KtField *field, const char *typed, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *kt_editor_candidates_finish (KtEditor *self, GAsyncResult *result, GError **error);   /* KtCandidate*, at most 20; g_ptr_array_unref */

/* Related lists of the record (from the schema): label, target query; each becomes a KtListModel. */
typedef struct { char *label; const KtObject *object; const KtField *field; } KtRelation;
GPtrArray *kt_editor_relations (KtEditor *self);              /* KtRelation*, owned by the editor */
KtQuery   *kt_editor_relation_query (KtEditor *self, const KtRelation *relation);
/* How many there are: -1 unknown yet; "relations-changed". Counted from the first call on. */
gint64     kt_editor_relation_count (KtEditor *self, const KtRelation *relation);
/* A new editor for a child whose reference to this record is filled. */
KtEditor  *kt_editor_new_related (KtEditor *self, const KtRelation *relation);

G_END_DECLS
