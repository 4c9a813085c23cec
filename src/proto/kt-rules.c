/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rules of records and rights of people: what the client knows beforehand and
 * the server decides. Sentences come in the two languages of the product,
 * because the server speaks to people too and has no gettext.              */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-rules.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-id.h"
#include "base/kt-json.h"

typedef struct
{
  const char *locale;
  gboolean chinese;
  GPtrArray *problems; /* owned; NULL until there is one */
} Check;

static gboolean
is_chinese (const char *locale)
{
  return locale != NULL && g_str_has_prefix (locale, "zh");
}

/* Takes @message. */
static void
add_problem (Check *check, const KtField *field, char *message)
{
  KtProblem *problem = g_new0 (KtProblem, 1);

  problem->field = field;
  problem->message = message;
  if (check->problems == NULL)
    check->problems = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_problem_free);
  g_ptr_array_add (check->problems, problem);
}

/* ---- one value ---- */

static void
check_option (Check *check, const KtField *field, const char *value)
{
  const char *label = kt_field_label (field, check->locale);

  if (field->open || field->n_options == 0 || kt_field_option (field, value) != NULL)
    return;
  add_problem (check, field,
               check->chinese ? g_strdup_printf ("%s没有“%s”这个选项", label, value)
                              : g_strdup_printf ("%s has no option “%s”", label, value));
}

static void
check_list (Check *check, const KtField *field, const KtValue *value)
{
  g_autoptr (KtJson) json = kt_json_parse (value->v.text, -1, NULL);
  const char *label = kt_field_label (field, check->locale);
  guint n = kt_json_length (json);

  if (field->max > 0 && n > field->max)
    add_problem (check, field,
                 check->chinese
                   ? g_strdup_printf ("%s最多 %u 项", label, field->max)
                   : g_strdup_printf ("%s may have %u entries at most", label, field->max));
  if (field->type != KT_FIELD_CHOICES)
    return;
  for (guint i = 0; i < n; i++)
    check_option (check, field, kt_json_string (kt_json_at (json, i), ""));
}

static void
check_text (Check *check, const KtField *field, const KtValue *value)
{
  const char *label = kt_field_label (field, check->locale);

  if (field->max > 0 && g_utf8_strlen (value->v.text, -1) > (glong) field->max)
    add_problem (check, field,
                 check->chinese
                   ? g_strdup_printf ("%s最多 %u 个字符", label, field->max)
                   : g_strdup_printf ("%s may have %u characters at most", label, field->max));
  if (field->type == KT_FIELD_CHOICE)
    check_option (check, field, value->v.text);
}

static void
check_value (Check *check, const KtField *field, const KtValue *value)
{
  const char *label = kt_field_label (field, check->locale);

  if (value->type != field->storage)
    {
      add_problem (check, field,
                   check->chinese ? g_strdup_printf ("%s的值类型不对", label)
                                  : g_strdup_printf ("%s holds a value of the wrong type", label));
      return;
    }
  if (value->type == KT_VALUE_TEXT)
    check_text (check, field, value);
  else if (value->type == KT_VALUE_LIST)
    check_list (check, field, value);
  else if (value->type == KT_VALUE_ANY && !kt_field_accepts (field, value->v.ref.object))
    {
      const KtObject *target = kt_schema_object (field->object->schema, value->v.ref.object);
      const char *name =
        target != NULL ? kt_object_label (target, check->locale) : value->v.ref.object;

      add_problem (check, field,
                   check->chinese
                     ? g_strdup_printf ("%s不能指向%s", label, name)
                     : g_strdup_printf ("%s cannot point to a record of %s", label, name));
    }
}

static void
check_transition (Check *check, const KtField *field, const KtValue *from, const KtValue *to)
{
  const char *label = kt_field_label (field, check->locale);
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  KtJson *targets;

  if (field->transitions == NULL || kt_value_is_null (from) || from->type != KT_VALUE_TEXT
      || to->type != KT_VALUE_TEXT)
    return;
  /* A state the map does not know any more leads anywhere: otherwise it would be a trap. */
  targets = kt_json_get (field->transitions, from->v.text);
  if (targets == NULL)
    return;
  for (guint i = 0; i < kt_json_length (targets); i++)
    if (g_strcmp0 (kt_json_string (kt_json_at (targets, i), NULL), to->v.text) == 0)
      return;

  before = kt_value_display (field, from, check->locale);
  after = kt_value_display (field, to, check->locale);
  add_problem (check, field,
               check->chinese
                 ? g_strdup_printf ("%s不能由“%s”改为“%s”", label, before, after)
                 : g_strdup_printf ("%s cannot go from “%s” to “%s”", label, before, after));
}

static void
check_field (Check *check, const KtField *field, const KtValue *before, const KtValue *after)
{
  const char *label = kt_field_label (field, check->locale);

  if (before != NULL && kt_value_equal (before, after))
    return;
  if (kt_value_is_null (after))
    {
      if (field->required && !field->computed && field->type != KT_FIELD_AUTO_NUMBER)
        add_problem (check, field,
                     check->chinese ? g_strdup_printf ("请填写%s", label)
                                    : g_strdup_printf ("%s is required", label));
      return;
    }
  check_value (check, field, after);
  if (before != NULL)
    check_transition (check, field, before, after);
}

/* ---- the whole record ---- */

static gsize
text_bytes (const KtRecord *record)
{
  gsize sum = 0;

  for (guint i = 0; i < record->object->n_fields; i++)
    {
      const KtValue *value = &record->values[i];

      if (value->type == KT_VALUE_TEXT || value->type == KT_VALUE_LIST
          || value->type == KT_VALUE_JSON)
        sum += strlen (value->v.text);
    }
  return sum;
}

/* Escapes make a byte six at worst: below a sixth nobody needs to look closer. */
static void
check_size (Check *check, const KtRecord *record)
{
  g_autoptr (GString) json = NULL;
  KtJsonWriter writer;

  if (text_bytes (record) <= KT_RECORD_MAX_BYTES / 8)
    return;
  json = g_string_new (NULL);
  writer = (KtJsonWriter) KT_JSON_WRITER (json);
  kt_record_to_json (record, FALSE, &writer);
  if (json->len > KT_RECORD_MAX_BYTES)
    add_problem (check, NULL,
                 check->chinese
                   ? g_strdup_printf ("记录过大：最多 %d MiB，请把长文本存为附件",
                                      KT_RECORD_MAX_BYTES / (1024 * 1024))
                   : g_strdup_printf ("The record is larger than %d MiB; keep long texts in files",
                                      KT_RECORD_MAX_BYTES / (1024 * 1024)));
}

GPtrArray *
kt_rules_check (const KtRecord *before, const KtRecord *after, const char *locale)
{
  Check check = { locale != NULL ? locale : "en", is_chinese (locale), NULL };

  g_return_val_if_fail (after != NULL, NULL);
  g_return_val_if_fail (before == NULL || before->object == after->object, NULL);

  for (guint i = 0; i < after->object->n_fields; i++)
    check_field (&check, after->object->fields[i], before != NULL ? &before->values[i] : NULL,
                 &after->values[i]);
  check_size (&check, after);
  return check.problems;
}

void
kt_problem_free (KtProblem *problem)
{
  if (problem == NULL)
    return;
  g_free (problem->message);
  g_free (problem);
}

gboolean
kt_rules_check_error (const KtRecord *before,
                      const KtRecord *after,
                      const char *locale,
                      GError **error)
{
  g_autoptr (GPtrArray) problems = kt_rules_check (before, after, locale);
  const KtProblem *first;
  guint more;

  if (problems == NULL)
    return TRUE;
  first = g_ptr_array_index (problems, 0);
  more = problems->len - 1;
  if (more == 0)
    g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID, first->message);
  else if (is_chinese (locale))
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s（另有 %u 个问题）", first->message, more);
  else
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                 more == 1 ? "%s (and %u more problem)" : "%s (and %u more problems)",
                 first->message, more);
  return FALSE;
}
