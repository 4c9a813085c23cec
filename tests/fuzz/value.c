/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What people and spreadsheets write into a cell. First byte: the field; second: the locale. */

#include "config.h"

#include "base/kt-decimal.h"
#include "fuzz.h"
#include "tests/base/sample.h"

static const char *const locales[] = { "en_US", "en_GB", "de_DE", "zh_CN", "fr_FR", "xx", NULL };

/* Whatever way it came in, it is canonical: it goes over the wire and comes back the same. */
static void
round_trip (const KtField *field, const KtValue *value)
{
  g_autofree char *text = kt_value_to_string (value);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtJson) json = kt_json_parse (text, -1, &error);
  g_auto (KtValue) back = KT_VALUE_INIT;
  g_auto (KtValue) loaded = KT_VALUE_INIT;
  g_auto (KtValue) copy = KT_VALUE_INIT;

  g_assert_no_error (error);
  kt_value_from_json (field, json, &back, &error);
  g_assert_no_error (error);
  g_assert_true (kt_value_equal (value, &back));
  g_assert_cmpint (kt_value_compare (value, &back), ==, 0);
  kt_value_load_json (field, json, &loaded, &error);
  g_assert_no_error (error);
  g_assert_true (kt_value_equal (value, &loaded));
  kt_value_copy (value, &copy);
  g_assert_true (kt_value_equal (value, &copy));
  for (guint i = 0; i < G_N_ELEMENTS (locales); i++)
    {
      g_autofree char *shown = kt_value_display (field, value, locales[i]);

      g_assert_nonnull (shown);
      g_assert_true (g_utf8_validate (shown, -1, NULL));
    }
}

static void
try_decimal (const char *text, guint scale)
{
  gint64 mantissa, again;
  char currency[4];
  char out[32];

  if (kt_decimal_parse (text, -1, scale, &mantissa, NULL))
    {
      kt_decimal_format (mantissa, scale, out, sizeof out);
      g_assert_true (kt_decimal_parse (out, -1, scale, &again, NULL));
      g_assert_cmpint (mantissa, ==, again);
      /* What the strict parser takes the loose one reads alike, unless it could be grouping. */
      if (kt_decimal_parse_loose (text, scale, '.', &again, currency, NULL))
        g_assert_cmpint (mantissa, ==, again);
    }
  for (guint i = 0; i < 3; i++)
    if (kt_decimal_parse_loose (text, scale, "\0.,"[i], &mantissa, currency, NULL))
      {
        g_assert_cmpuint (strnlen (currency, 4), <, 4);
        g_assert_cmpint (ABS (mantissa), <=, KT_DECIMAL_MAX);
      }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static KtSchema *schema;
  const KtObject *thing;
  const KtField *field;
  const char *locale;
  g_autofree char *text = NULL;
  g_autofree char *raw = NULL;
  g_autoptr (KtJson) json = NULL;
  g_autoptr (GError) error = NULL;
  KtValue value = KT_VALUE_INIT;

  if (schema == NULL)
    schema = sample_schema_new ();
  if (size < 2 || size > FUZZ_MAX)
    return 0;
  thing = kt_schema_object (schema, "thing");
  field = thing->fields[data[0] % thing->n_fields];
  locale = locales[data[1] % G_N_ELEMENTS (locales)];
  text = fuzz_utf8 (data + 2, size - 2);
  if (text != NULL)
    {
      if (kt_value_parse (field, text, locale, data[1] & 0x80 ? "EUR" : NULL, &value, &error))
        {
          g_assert_no_error (error);
          round_trip (field, &value);
          kt_value_clear (&value);
        }
      else
        {
          g_assert_nonnull (error);
          fuzz_check_message (error->message);
          g_clear_error (&error);
        }
      try_decimal (text, data[0] % 10);
    }
  raw = fuzz_text (data + 2, size - 2);
  json = kt_json_parse (raw, (gssize) size - 2, NULL);
  if (json != NULL)
    {
      if (kt_value_from_json (field, json, &value, &error))
        {
          round_trip (field, &value);
          kt_value_clear (&value);
        }
      else
        fuzz_check_message (error->message);
      g_clear_error (&error);
      if (kt_value_load_json (field, json, &value, &error))
        kt_value_clear (&value);
    }
  return 0;
}
