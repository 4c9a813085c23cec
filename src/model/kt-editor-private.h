/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "kt-model-private.h"
#include "model/kt-editor.h"

G_BEGIN_DECLS

typedef struct _KtRelated KtRelated;

/* One field being edited. */
typedef struct
{
  const KtField *field; /* of self->object */
  KtValue value;
  KtValue before;
  gint64 before_rev;
  char *raw; /* typed text that is no value; NULL */
  char *problem;
} Edit;

struct _KtEditor
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  KtRelated *related;
  KtRecord *base;       /* NULL: loading, or gone */
  KtRecord *shown;      /* base with the edits; NULL: to be made */
  GHashTable *edits;    /* interned name → Edit */
  GHashTable *problems; /* interned name → sentence: what the last save found; "" for the record */
  GHashTable *displays; /* interned name → text of a reference as it was given out */
  GCancellable *cancellable;
  GError *error;
  char *title;
  char *subtitle;

  /* borrowed */
  const KtObject *object;

  /* state */
  KtId id;
  guint load; /* generation */
  KtRowState row_state;
  guint is_new : 1;
  guint gone : 1;
  guint in_bin : 1;
  guint dirty : 1;
  guint saving : 1;
};

/* ---- kt-editor.c, for kt-editor-save.c ---- */
const char *_kt_editor_name          (const KtField *field);       /* interned; "" for NULL, the record as a whole */
KtRecord   *_kt_editor_shown         (KtEditor *self);             /* base with the edits; NULL while loading */
void        _kt_editor_field_changed (KtEditor *self, const KtField *field);
void        _kt_editor_set_saving    (KtEditor *self, gboolean saving);
/* It is in the store: @record is what stands there now as far as we know. */
void        _kt_editor_saved         (KtEditor *self, KtRecord *record, KtDone *done);

/* kt-related.c: what hangs on an editor without touching its fields. */
KtRelated *_kt_related_new     (KtEditor *editor /* borrowed */);
void       _kt_related_free    (KtRelated *related);
void       _kt_related_changed (KtRelated *related, const KtChanges *changes);
GPtrArray *_kt_related_list    (KtRelated *related);
gint64     _kt_related_count   (KtRelated *related, const KtRelation *relation);
KtQuery   *_kt_related_query   (KtEditor *editor, const KtRelation *relation);
KtRelated *_kt_editor_related  (KtEditor *self);
/* A new record's value that is no edit: leaving without it loses nothing. */
void       _kt_editor_preset   (KtEditor *self, const KtField *field, const KtValue *value);

/* kt-field-text.c: text of an entry and back, with problems in the language of the interface. */
char      *_kt_field_edit_text (KtWorkspace *workspace, const KtField *field, const KtValue *value);
/* @current: what stands there now (its currency is kept); NULL: nothing. */
gboolean   _kt_field_parse     (KtWorkspace *workspace, const KtField *field, const char *text, const KtValue *current, KtValue *out, char **problem);

G_END_DECLS
