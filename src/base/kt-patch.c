/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-patch.h"

#include "base/kt-error.h"

static void
clear_change (gpointer data)
{
  KtChange *change = data;

  kt_value_clear (&change->before);
  kt_value_clear (&change->after);
}

/* Where @field stands or belongs; *found tells which. */
static guint
position (const KtPatch *patch, const KtField *field, gboolean *found)
{
  guint low = 0, high = patch->changes->len;

  while (low < high)
    {
      guint middle = low + (high - low) / 2;
      const KtChange *change = &g_array_index (patch->changes, KtChange, middle);

      if (change->field->index < field->index)
        low = middle + 1;
      else
        high = middle;
    }
  *found = low < patch->changes->len
           && g_array_index (patch->changes, KtChange, low).field->index == field->index;
  return low;
}

KtPatch *
kt_patch_new (const KtObject *object)
{
  KtPatch *patch;

  g_return_val_if_fail (object != NULL, NULL);

  patch = g_new0 (KtPatch, 1);
  patch->object = object;
  patch->changes = g_array_new (FALSE, TRUE, sizeof (KtChange));
  g_array_set_clear_func (patch->changes, clear_change);
  kt_schema_ref (object->schema);
  return patch;
}

KtPatch *
kt_patch_copy (const KtPatch *patch)
{
  KtPatch *copy;

  g_return_val_if_fail (patch != NULL, NULL);

  copy = kt_patch_new (patch->object);
  g_array_set_size (copy->changes, patch->changes->len);
  for (guint i = 0; i < patch->changes->len; i++)
    {
      const KtChange *from = &g_array_index (patch->changes, KtChange, i);
      KtChange *to = &g_array_index (copy->changes, KtChange, i);

      to->field = from->field;
      kt_value_copy (&from->before, &to->before);
      kt_value_copy (&from->after, &to->after);
    }
  return copy;
}

void
kt_patch_free (KtPatch *patch)
{
  if (patch == NULL)
    return;
  kt_schema_unref ((KtSchema *) patch->object->schema);
  g_array_unref (patch->changes);
  g_free (patch);
}

void
kt_patch_set (KtPatch *patch, const KtField *field, const KtValue *before, const KtValue *after)
{
  KtChange change;
  gboolean found;
  guint at;

  g_return_if_fail (patch != NULL);
  g_return_if_fail (field != NULL && field->object == patch->object);
  g_return_if_fail (before != NULL && after != NULL);

  at = position (patch, field, &found);
  if (found)
    {
      KtChange *existing = &g_array_index (patch->changes, KtChange, at);
      KtValue copy;

      if (kt_value_equal (&existing->before, after))
        {
          g_array_remove_index (patch->changes, at);
          return;
        }
      /* @after may be the very value that is replaced. */
      kt_value_copy (after, &copy);
      kt_value_clear (&existing->after);
      existing->after = copy;
      return;
    }

  if (kt_value_equal (before, after))
    return;
  change.field = field;
  kt_value_copy (before, &change.before);
  kt_value_copy (after, &change.after);
  g_array_insert_val (patch->changes, at, change);
}

const KtChange *
kt_patch_find (const KtPatch *patch, const KtField *field)
{
  gboolean found;
  guint at;

  g_return_val_if_fail (patch != NULL, NULL);
  g_return_val_if_fail (field != NULL && field->object == patch->object, NULL);

  at = position (patch, field, &found);
  return found ? &g_array_index (patch->changes, KtChange, at) : NULL;
}

guint
kt_patch_length (const KtPatch *patch)
{
  g_return_val_if_fail (patch != NULL, 0);

  return patch->changes->len;
}

KtPatch *
kt_patch_diff (const KtRecord *from, const KtRecord *to)
{
  static const KtValue null_value = { 0 };
  KtPatch *patch;

  g_return_val_if_fail (to != NULL, NULL);
  g_return_val_if_fail (from == NULL || from->object == to->object, NULL);

  patch = kt_patch_new (to->object);
  for (guint i = 0; i < to->object->n_fields; i++)
    {
      const KtField *field = to->object->fields[i];

      if (!field->computed)
        kt_patch_set (patch, field, from != NULL ? &from->values[i] : &null_value, &to->values[i]);
    }
  return patch;
}

void
kt_patch_apply (const KtPatch *patch, KtRecord *record)
{
  g_return_if_fail (patch != NULL && record != NULL);
  g_return_if_fail (patch->object == record->object);

  for (guint i = 0; i < patch->changes->len; i++)
    {
      const KtChange *change = &g_array_index (patch->changes, KtChange, i);
      KtValue *slot = &record->values[change->field->index];

      kt_value_clear (slot);
      kt_value_copy (&change->after, slot);
    }
}

void
kt_patch_to_json (const KtPatch *patch, KtJsonWriter *writer)
{
  g_return_if_fail (patch != NULL && writer != NULL);

  kt_json_begin_object (writer);
  for (guint i = 0; i < patch->changes->len; i++)
    {
      const KtChange *change = &g_array_index (patch->changes, KtChange, i);

      kt_json_key (writer, change->field->name);
      kt_json_begin_array (writer);
      kt_value_to_json (&change->before, writer);
      kt_value_to_json (&change->after, writer);
      kt_json_end_array (writer);
    }
  kt_json_end_object (writer);
}

KtPatch *
kt_patch_from_json (const KtObject *object, const KtJson *json, GError **error)
{
  g_autoptr (KtPatch) patch = NULL;

  g_return_val_if_fail (object != NULL, NULL);

  if (kt_json_type (json) != KT_JSON_OBJECT)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: changes { } were expected",
                   object->name);
      return NULL;
    }

  patch = kt_patch_new (object);
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *key = kt_json_key_at (json, i);
      const KtJson *pair = kt_json_at (json, i);
      const KtField *field = kt_object_field (object, key);
      g_auto (KtValue) before = KT_VALUE_INIT;
      g_auto (KtValue) after = KT_VALUE_INIT;

      if (field == NULL)
        {
          g_autofree char *shown = kt_error_excerpt (key, KT_ERROR_NAME);

          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s has no field \"%s\"", object->name,
                       shown);
          return NULL;
        }
      if (kt_json_type (pair) != KT_JSON_ARRAY || kt_json_length (pair) != 2)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: [before, after] was expected",
                       kt_field_label (field, "en"));
          return NULL;
        }
      /* Both may have been written for an earlier form of the field. A base that fits no more matches nothing:
       * then whatever stands was not seen. */
      if (!kt_value_carry_json (field, kt_json_at (pair, 0), TRUE, &before, NULL))
        before = KT_VALUE_INIT;
      if (!kt_value_carry_json (field, kt_json_at (pair, 1), FALSE, &after, error))
        return NULL;
      kt_patch_set (patch, field, &before, &after);
    }
  return g_steal_pointer (&patch);
}
