/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-record.h"

G_BEGIN_DECLS

/* Changes to one record, each with the value it was made against (the base of
 * the three-way merge). At most one entry per field. */
typedef struct
{
  const KtField *field;
  KtValue        before;
  KtValue        after;
} KtChange;

struct _KtPatch
{
  const KtObject *object;
  GArray         *changes;   /* KtChange, in field order */
};

KtPatch  *kt_patch_new   (const KtObject *object);
KtPatch  *kt_patch_copy  (const KtPatch *patch);
void      kt_patch_free  (KtPatch *patch);
/* Adds or widens: an existing entry keeps its before. after == before removes the entry. Values are copied. */
void      kt_patch_set   (KtPatch *patch, const KtField *field, const KtValue *before, const KtValue *after);
const KtChange *kt_patch_find (const KtPatch *patch, const KtField *field);
guint     kt_patch_length (const KtPatch *patch);
/* Difference between two states of a record; @from NULL: everything non-null is new. Computed fields are left out. */
KtPatch  *kt_patch_diff  (const KtRecord *from, const KtRecord *to);
/* Writes all `after` values into @record (writable). */
void      kt_patch_apply (const KtPatch *patch, KtRecord *record);
/* {"field":[before,after],…} */
void      kt_patch_to_json   (const KtPatch *patch, KtJsonWriter *writer);
KtPatch  *kt_patch_from_json (const KtObject *object, const KtJson *json, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtPatch, kt_patch_free)

G_END_DECLS
