/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* One record being looked at and edited. Holds the *base* the person saw and the
 * edits on top; saving commits a patch base → edited. When somebody else's change
 * arrives meanwhile, untouched fields follow at once, touched ones keep the
 * person's text and are marked ("theirs" is available); nothing typed is lost.
 *
 * properties: "record" (KtRecord boxed: as shown, edits included), "dirty", "is-new", "gone", "title", "saving"
 * signals: "field-changed" (KtField*, boxed pointer) when the shown value, problem or mark of a field changed; "saved" (KtDone*) */
#define KT_TYPE_EDITOR (kt_editor_get_type ())
G_DECLARE_FINAL_TYPE (KtEditor, kt_editor, KT, EDITOR, GObject)

KtEditor      *kt_editor_new       (KtWorkspace *workspace, const KtObject *object);                      /* a new record, defaults filled */
KtEditor      *kt_editor_open      (KtWorkspace *workspace, const KtObject *object, const KtId *id);      /* loads by itself; "record" is NULL until then */
const KtObject *kt_editor_get_object (KtEditor *self);
const KtId    *kt_editor_get_id    (KtEditor *self);
KtRecord      *kt_editor_get_record (KtEditor *self);                             /* borrowed, NULL while loading */
const KtValue *kt_editor_get_value (KtEditor *self, const KtField *field);
char          *kt_editor_get_text  (KtEditor *self, const KtField *field);        /* as edited: for an entry */
char          *kt_editor_get_display (KtEditor *self, const KtField *field);      /* for reading */
/* Typed text; kept even when it does not parse (problem is set). FALSE when there is a problem. */
gboolean       kt_editor_set_text  (KtEditor *self, const KtField *field, const char *text);
void           kt_editor_set_value (KtEditor *self, const KtField *field, const KtValue *value);
const char    *kt_editor_get_problem (KtEditor *self, const KtField *field);      /* sentence or NULL; field NULL: of the record */
gboolean       kt_editor_is_touched  (KtEditor *self, const KtField *field);
const KtValue *kt_editor_get_theirs  (KtEditor *self, const KtField *field);      /* somebody changed it meanwhile; NULL: no */
gboolean       kt_editor_may_edit  (KtEditor *self, const KtField *field, char **reason);
void           kt_editor_revert    (KtEditor *self, const KtField *field);        /* NULL: all */
void           kt_editor_save_async  (KtEditor *self, GAsyncReadyCallback callback, gpointer user_data);
KtDone        *kt_editor_save_finish (KtEditor *self, GAsyncResult *result, GError **error);    /* INVALID: problems are set on the fields */

/* Candidates for a reference field as the person types. */
typedef struct { const KtObject *object; KtId id; char *title; char *subtitle; } KtCandidate;
void       kt_candidate_free (KtCandidate *candidate);
void       kt_editor_candidates_async  (KtEditor *self, const KtField *field, const char *typed, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *kt_editor_candidates_finish (KtEditor *self, GAsyncResult *result, GError **error);

/* Related lists of the record (from the schema): label, target query; each becomes a KtListModel. */
typedef struct { char *label; const KtObject *object; const KtField *field; } KtRelation;
GPtrArray *kt_editor_relations (KtEditor *self);              /* KtRelation*, owned by the editor */
KtQuery   *kt_editor_relation_query (KtEditor *self, const KtRelation *relation);
/* A new editor for a child whose reference to this record is filled. */
KtEditor  *kt_editor_new_related (KtEditor *self, const KtRelation *relation);

G_END_DECLS
