/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where the cells of a column go, as text: the words of --map and of the guesses. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-text.h"

/* A full name stands in one column more often than not, and is computed here: it is split. */
gboolean
_kt_import_splits_name (const KtField *field)
{
  return field->computed && field == field->object->title
         && kt_object_field (field->object, "first_name") != NULL
         && kt_object_field (field->object, "last_name") != NULL;
}

gboolean
_kt_import_takes (const KtField *field)
{
  return !field->computed || _kt_import_splits_name (field);
}

static gboolean
fail_unknown (const KtObject *object, const char *name, GError **error)
{
  const char *nearest = NULL;
  guint best = 4;

  for (guint i = 0; i < object->n_fields; i++)
    {
      guint distance = kt_text_distance (object->fields[i]->name, name, 3);

      if (distance < best && _kt_import_takes (object->fields[i]))
        {
          best = distance;
          nearest = object->fields[i]->name;
        }
    }
  if (nearest != NULL)
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                 "There is no field “%s” in %s. Did you mean “%s”?", name, object->name, nearest);
  else
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                 "There is no field “%s” in %s. “kontorctl schema %s” lists them.", name,
                 object->name, object->name);
  return FALSE;
}

static gboolean
take_part (const KtField *field, const char *part, KtImportPath *out, GError **error)
{
  static const char *const parts[] = { "street", "city", "region", "postcode", "country" };

  if (field->type == KT_FIELD_ADDRESS)
    for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
      if (strcmp (part, parts[i]) == 0)
        {
          out->part = parts[i];
          return TRUE;
        }
  /* One name in two columns. */
  if (field == field->object->title && field->type == KT_FIELD_TEXT
      && kt_object_field (field->object, "user_name") != NULL
      && (strcmp (part, "first") == 0 || strcmp (part, "last") == 0))
    {
      out->part = strcmp (part, "first") == 0 ? "first" : "last";
      return TRUE;
    }
  if (field->type == KT_FIELD_MONEY && strcmp (part, "currency") == 0)
    {
      out->part = "currency";
      return TRUE;
    }
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s has no part “%s”%s",
               kt_field_label (field, "en"), part,
               field->type == KT_FIELD_ADDRESS ? ": street, city, region, postcode, country" : "");
  return FALSE;
}

gboolean
_kt_import_path_parse (const KtObject *object, const char *path, KtImportPath *out, GError **error)
{
  g_autofree char *name = g_strndup (path, strcspn (path, ".:@"));
  const char *rest = path + strlen (name);
  g_autofree char *word = NULL;
  const KtField *field;

  *out = (KtImportPath){ 0 };
  if (strcmp (path, "id") == 0)
    {
      out->is_id = TRUE;
      return TRUE;
    }
  field = kt_object_field (object, name);
  if (field == NULL)
    return fail_unknown (object, name, error);
  if (!_kt_import_takes (field))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s is computed and cannot be imported",
                   kt_field_label (field, "en"));
      return FALSE;
    }
  out->field = field;

  if (*rest == '.')
    {
      word = g_strndup (rest + 1, strcspn (rest + 1, ":@"));
      rest += 1 + strlen (word);
      if (!take_part (field, word, out, error))
        return FALSE;
    }
  if (*rest == ':')
    {
      g_free (word);
      word = g_strndup (rest + 1, strcspn (rest + 1, "@"));
      rest += 1 + strlen (word);
      out->target = kt_schema_object (object->schema, word);
      if (out->target == NULL || field->to == NULL || !kt_field_accepts (field, word))
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s cannot refer to “%s”",
                       kt_field_label (field, "en"), word);
          return FALSE;
        }
    }
  if (*rest == '@')
    {
      out->source = rest + 1;
      if (*out->source == '\0' || strpbrk (out->source, ".:@") != NULL
          || (field->to == NULL
              && (field->storage != KT_VALUE_TEXT || field->type == KT_FIELD_CHOICE)))
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                       "“%s”: @SOURCE stands behind a reference or an external ID", path);
          return FALSE;
        }
    }
  return TRUE;
}

gboolean
_kt_import_path_same (const char *a, const char *b)
{
  gsize n = a != NULL ? strcspn (a, ":@") : 0;

  return a != NULL && b != NULL && n == strcspn (b, ":@") && strncmp (a, b, n) == 0;
}

gboolean
_kt_import_plan_maps (KtImportPlan *plan, const char *field)
{
  gsize len = strlen (field);

  for (guint i = 0; i < plan->columns->len; i++)
    {
      const KtImportColumn *column = g_ptr_array_index (plan->columns, i);

      if (column->field != NULL && strncmp (column->field, field, len) == 0
          && (column->field[len] == '\0' || strchr (".:@", column->field[len]) != NULL))
        return TRUE;
    }
  for (guint i = 0; plan->constants != NULL && i < plan->constants->len; i += 2)
    if (_kt_import_path_same (g_ptr_array_index (plan->constants, i), field))
      return TRUE;
  return FALSE;
}
