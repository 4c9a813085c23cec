/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A formula or condition (a line), over a record (JSON, the rest). */

#include "config.h"

#include "fuzz.h"
#include "proto/kt-expression.h"
#include "tests/proto/fixture.h"

static KtRecord *
record_of (const uint8_t *data, size_t size)
{
  const KtObject *deal = fixture_object ("deal");
  g_autofree char *text = fuzz_text (data, size);
  g_autoptr (KtJson) json = kt_json_parse (text, (gssize) size, NULL);
  KtId id = fixture_id (1);
  KtRecord *record = kt_record_new (deal, &id);

  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *name = kt_json_type (json) == KT_JSON_OBJECT ? kt_json_key_at (json, i) : NULL;
      const KtField *field = name != NULL ? kt_object_field (deal, name) : NULL;

      if (field != NULL)
        kt_value_load_json (field, kt_json_at (json, i), &record->values[field->index], NULL);
    }
  return record;
}

static void
evaluate (const KtExpression *expression, const KtRecord *record, const KtField *target)
{
  g_autoptr (GError) error = NULL;
  g_auto (KtValue) first = KT_VALUE_INIT;
  g_auto (KtValue) second = KT_VALUE_INIT;

  if (!kt_expression_check_target (expression, target, NULL))
    return;
  if (!kt_expression_evaluate (expression, record, "2026-01-31", target, &first, &error))
    {
      g_assert_nonnull (error);
      fuzz_check_message (error->message);
      return;
    }
  g_assert_no_error (error);
  g_assert_true (kt_expression_evaluate (expression, record, "2026-01-31", target, &second, NULL));
  g_assert_true (kt_value_equal (&first, &second));
  if (!kt_value_is_null (&first))
    {
      /* What is computed is what could have been written. */
      g_autofree char *text = kt_value_to_string (&first);
      g_autoptr (KtJson) json = kt_json_parse (text, -1, &error);
      g_auto (KtValue) back = KT_VALUE_INIT;

      g_assert_no_error (error);
      kt_value_load_json (target, json, &back, &error);
      g_assert_no_error (error);
      g_assert_true (kt_value_equal (&first, &back));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const KtObject *deal = fixture_object ("deal");
  const uint8_t *line;
  size_t len;
  g_autofree char *text = NULL;
  g_autoptr (KtExpression) expression = NULL;
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (GError) error = NULL;
  gboolean holds;

  if (size > FUZZ_MAX)
    return 0;
  len = fuzz_cut (&data, &size, '\n', &line);
  text = fuzz_utf8 (line, len);
  if (text == NULL)
    return 0;
  expression = kt_expression_compile (deal, text, &error);
  g_assert_true ((expression != NULL) == (error == NULL));
  if (expression == NULL)
    {
      fuzz_check_message (error->message);
      return 0;
    }
  record = record_of (data, size);
  for (guint i = 0; i < deal->n_fields; i++)
    evaluate (expression, record, deal->fields[i]);
  if (!kt_expression_test (expression, record, "2026-01-31", &holds, &error))
    g_assert_nonnull (error);
  return 0;
}
