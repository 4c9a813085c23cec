/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "kt-model-private.h"
#include "model/kt-editor.h"

G_BEGIN_DECLS

/* kt-related.c: what hangs on an editor without touching its fields. */
typedef struct _KtRelated KtRelated;
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
gboolean   _kt_field_parse     (KtWorkspace *workspace, const KtField *field, const char *text, KtValue *out, char **problem);

G_END_DECLS
