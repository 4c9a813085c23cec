/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "import-kit.h"

#include <string.h>

const char *
kit_bytes (Fix *fix, const char *name, const void *bytes, gsize len)
{
  static char *path;
  g_autoptr (GError) error = NULL;

  g_free (path);
  path = g_build_filename (fix->dir, name, NULL);
  g_file_set_contents (path, bytes, (gssize) len, &error);
  g_assert_no_error (error);
  return path;
}

const char *
kit_file (Fix *fix, const char *text)
{
  return kit_bytes (fix, "input.csv", text, strlen (text));
}

static void
apply (KtImportPlan *plan, const char *word)
{
  g_autoptr (GError) error = NULL;
  const char *equals = strrchr (word, '=');
  g_autofree char *left = NULL;

  if (strcmp (word, "create") == 0)
    {
      plan->create_missing = TRUE;
      return;
    }
  if (g_str_has_prefix (word, "match:"))
    {
      plan->match = g_strdup (word + 6);
      return;
    }
  if (g_str_has_prefix (word, "locale:"))
    {
      g_free (plan->locale);
      plan->locale = g_strdup (word + 7);
      return;
    }
  g_assert_nonnull (equals);
  if (g_str_has_prefix (word, "set:"))
    {
      left = g_strndup (word + 4, (gsize) (equals - word - 4));
      kt_import_plan_set (plan, left, equals + 1, &error);
    }
  else
    {
      left = g_strndup (word, (gsize) (equals - word));
      kt_import_plan_map (plan, left, equals + 1, &error);
    }
  g_assert_no_error (error);
}

static KtImportPlan *
make_plan (Fix *fix, const char *object, const char *path, va_list args)
{
  g_autoptr (GError) error = NULL;
  KtImportPlan *plan = kt_import_plan_new (fix->local, fix_object (fix, object), path, &error);
  const char *word;

  g_assert_no_error (error);
  while ((word = va_arg (args, const char *)) != NULL)
    apply (plan, word);
  return plan;
}

KtImportPlan *
kit_plan (Fix *fix, const char *object, const char *path, ...)
{
  KtImportPlan *plan;
  va_list args;

  va_start (args, path);
  plan = make_plan (fix, object, path, args);
  va_end (args);
  return plan;
}

KtImportResult *
kit_run (Fix *fix, KtImportPlan *plan)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtImportResult) trial = NULL;
  KtImportResult *result;
  g_autofree char *foretold = NULL;
  g_autofree char *says = NULL;
  guint waiting = fix_waiting (fix);

  trial = kt_import_run (fix->local, plan, TRUE, NULL, NULL, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (fix_waiting (fix), ==, waiting);
  g_assert_null (trial->batch);
  result = kt_import_run (fix->local, plan, FALSE, NULL, NULL, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  foretold = kit_says (trial);
  says = kit_says (result);
  g_assert_cmpstr (foretold, ==, says);
  return result;
}

KtImportResult *
kit_import (Fix *fix, const char *object, const char *text, ...)
{
  g_autoptr (KtImportPlan) plan = NULL;
  va_list args;

  va_start (args, text);
  plan = make_plan (fix, object, kit_file (fix, text), args);
  va_end (args);
  return kit_run (fix, plan);
}

char *
kit_says (const KtImportResult *result)
{
  GString *out = g_string_new (NULL);

  g_assert_cmpuint (result->read, >=, result->created + result->updated + result->unchanged);
  g_string_append_printf (
    out, "c%" G_GUINT64_FORMAT " u%" G_GUINT64_FORMAT " =%" G_GUINT64_FORMAT " f%" G_GUINT64_FORMAT,
    result->created, result->updated, result->unchanged, result->failed);
  for (guint i = 0; i < result->errors->len; i++)
    {
      const KtImportError *problem = g_ptr_array_index (result->errors, i);

      g_string_append_printf (out, "\n%" G_GUINT64_FORMAT " %s: %s", problem->row,
                              problem->column != NULL ? problem->column : "-", problem->message);
    }
  return g_string_free (out, FALSE);
}

char *
kit_get (Fix *fix, const char *object, const char *name, const char *field)
{
  g_autoptr (GError) error = NULL;
  KtId id;
  char *text;

  kt_local_find (fix->local, fix_object (fix, object), name, &id, &error);
  g_assert_no_error (error);
  text = fix_text (fix, object, &id, field);
  if (text != NULL && kt_object_field (fix_object (fix, object), field)->type == KT_FIELD_REF)
    {
      const KtField *ref = kt_object_field (fix_object (fix, object), field);
      KtRefKey key = { kt_schema_object (kt_local_schema (fix->local), ref->to[0]), KT_ID_NIL };
      g_autofree char *plain = g_strndup (text + 1, strlen (text) - 2);
      g_autoptr (GPtrArray) titles = NULL;

      g_assert_true (kt_id_parse (plain, -1, &key.id));
      titles = kt_local_titles (fix->local, &key, 1, NULL);
      g_free (text);
      text = g_strdup (g_ptr_array_index (titles, 0));
    }
  return text != NULL ? text : g_strdup ("-");
}
