/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "sample.h"

typedef struct
{
  KtSchema *schema;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->schema = sample_schema_new ();
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  kt_schema_unref (fixture->schema);
}

/* Reads @json for the field by both ways; asserts that they agree, gives the wire form or the error. */
static char *
through_wire (KtSchema *schema, const char *name, const char *json, GError **error)
{
  const KtField *field = sample_field (schema, name);
  g_autoptr (KtJson) tree = kt_json_parse (json, -1, NULL);
  g_autofree char *buffer = g_strdup (json);
  g_autoptr (GError) local = NULL;
  g_auto (KtValue) from_tree = KT_VALUE_INIT;
  g_auto (KtValue) from_reader = KT_VALUE_INIT;
  g_auto (KtValue) copy = KT_VALUE_INIT;
  KtJsonReader reader;
  gboolean by_tree, by_reader;

  g_assert_nonnull (tree);
  by_tree = kt_value_from_json (field, tree, &from_tree, &local);
  kt_json_reader_init (&reader, buffer, strlen (buffer));
  by_reader =
    kt_value_from_reader (field, &reader, kt_json_reader_next (&reader), &from_reader, error);
  g_assert_cmpint (by_tree, ==, by_reader);
  if (!by_tree)
    {
      if (error != NULL)
        g_assert_cmpstr (local->message, ==, (*error)->message);
      return NULL;
    }
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_END);
  g_assert_true (kt_value_equal (&from_tree, &from_reader));
  kt_value_copy (&from_reader, &copy);
  kt_value_clear (&from_reader);
  g_assert_true (kt_value_equal (&from_tree, &copy));
  if (!kt_value_is_null (&copy))
    {
      g_assert_cmpint (copy.type, ==, field->storage);
      g_assert_false (copy.borrowed);
    }
  return kt_value_to_string (&copy);
}

static void
test_wire_forms (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *field;
    const char *json;
    const char *canonical; /* NULL: the same */
  } cases[] = {
    { "text", "\"plain\"", NULL },
    { "text", "\"  two  words \"", "\"two  words\"" },
    { "text", "\"\\u00a0\\u3000x\\u3000\"", "\"x\"" },
    { "text", "\"e\\u0301\"", "\"é\"" },
    { "text", "\"中文 ü é か\\u3099\"", "\"中文 ü é が\"" },
    { "text", "\"\\u212b\"", "\"Å\"" },
    { "text", "\"😀 emoji\"", NULL },
    { "text", "\"\"", "null" },
    { "text", "\"   \"", "null" },
    { "text", "null", NULL },
    { "long_text", "\"a\\r\\nb\\rc\\n\"", "\"a\\nb\\nc\\n\"" },
    { "long_text", "\"  kept \"", NULL },
    { "long_text", "\" \\n\\t \"", "null" },
    { "rich_text", "\"<b>x</b>\"", NULL },
    { "email", "\" a@b \"", "\"a@b\"" },
    { "phone", "\"+49 (0)40 123\"", NULL },
    { "url", "\"example.com\"", NULL },
    { "url", "\"https://example.com:8080/a?b=c\"", NULL },
    { "url", "\"localhost:8080\"", NULL },
    { "url", "\"mailto:a@example.com\"", NULL },
    { "url", "\"http://例え.jp/客户\"", NULL },
    { "integer", "12", NULL },
    { "integer", "-999999999999999999", NULL },
    { "integer", "\"\"", "null" },
    { "decimal", "\"12.50\"", "\"12.5\"" },
    { "decimal", "12.50", "\"12.5\"" },
    { "decimal", "1.25e1", "\"12.5\"" },
    { "decimal", "-0.0", "\"0\"" },
    { "percent", "\"12.5\"", NULL },
    { "money", "{\"amount\":\"12.50\",\"currency\":\"EUR\"}",
      "{\"amount\":\"12.5\",\"currency\":\"EUR\"}" },
    { "money", "{\"currency\":\"CNY\",\"amount\":-3}", "{\"amount\":\"-3\",\"currency\":\"CNY\"}" },
    { "money", "{\"amount\":\"\",\"currency\":\"EUR\"}", "null" },
    { "money", "{}", "null" },
    { "boolean", "true", NULL },
    { "boolean", "false", NULL },
    { "date", "\"2024-02-29\"", NULL },
    { "date", "\"0001-01-01\"", NULL },
    { "date", "\"9999-12-31\"", NULL },
    { "date_time", "\"2026-01-31T08:00:00.000Z\"", NULL },
    { "date_time", "\"2026-01-31T08:00:00Z\"", "\"2026-01-31T08:00:00.000Z\"" },
    { "date_time", "\"2026-01-31T08:00+08:00\"", "\"2026-01-31T00:00:00.000Z\"" },
    { "date_time", "\"2026-01-31 08:00:00.123456 -0330\"", "\"2026-01-31T11:30:00.123Z\"" },
    { "date_time", "\"1969-12-31T23:59:59.999Z\"", NULL },
    { "date_time", "\"0001-01-01T00:00:00.000Z\"", NULL },
    { "date_time", "\"2000-02-29T23:00:00-05\"", "\"2000-03-01T04:00:00.000Z\"" },
    { "duration", "5400", NULL },
    { "choice", "\"best_case\"", NULL },
    { "open_choice", "\" other \"", "\"other\"" },
    { "choices", "[\"red\",\"green\",\"red\"]", "[\"green\",\"red\"]" },
    { "choices", "[]", "null" },
    { "tags", "[\"b\",\" a \",\"\",\"b\"]", "[\"a\",\"b\"]" },
    { "ref", "\"01900000-0000-7000-8000-0000000000AA\"", "\"" SAMPLE_ID "\"" },
    { "ref_any", "{\"id\":\"" SAMPLE_ID "\",\"object\":\"user\"}",
      "{\"object\":\"user\",\"id\":\"" SAMPLE_ID "\"}" },
    { "ref_any", "{}", "null" },
    { "many", "[\"" SAMPLE_ID_2 "\",\"" SAMPLE_ID "\"]",
      "[\"" SAMPLE_ID "\",\"" SAMPLE_ID_2 "\"]" },
    { "number", "\"T-0001\"", NULL },
    { "address",
      "{\"street\":\"Weg 1\\r\\nHaus 2\",\"city\":\" Bonn \",\"region\":null,\"country\":\"\"}",
      "{\"city\":\"Bonn\",\"street\":\"Weg 1\\nHaus 2\"}" },
    { "address", "{\"city\":\" \"}", "null" },
    { "address", "{}", "null" },
    { "file", "\"01900000-0000-7000-8000-0000000000AA\"", "\"" SAMPLE_ID "\"" },
    { "image", "\"" SAMPLE_ID "\"", NULL },
    { "json", "{\"b\":[1.0,{}],\"a\":null}", "{\"a\":null,\"b\":[1.0,{}]}" },
    { "json", "\"text\"", NULL },
    { "json", "0", NULL },
    { "json", "false", NULL },
    { "json", "{}", NULL },
    { "json", "null", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *once = through_wire (fixture->schema, cases[i].field, cases[i].json, &error);
      g_autofree char *twice = NULL;

      g_assert_no_error (error);
      g_assert_cmpstr (once, ==, cases[i].canonical != NULL ? cases[i].canonical : cases[i].json);
      twice = through_wire (fixture->schema, cases[i].field, once, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (twice, ==, once);
    }
}

static void
test_refusals_name_field_and_reason (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *field;
    const char *json;
    int code;
    const char *message;
  } cases[] = {
    { "text", "12", KT_ERROR_INVALID, "Text: expected a text" },
    { "text", "\"a\\nb\"", KT_ERROR_INVALID, "Text: must be a single line" },
    { "text", "\"a\\u0007b\"", KT_ERROR_INVALID, "Text: holds a control character" },
    { "text", "\"a\\u0085b\"", KT_ERROR_INVALID, "Text: holds a control character" },
    { "text", "\"123456789012345678901\"", KT_ERROR_LIMIT, "Text: longer than 20 characters" },
    { "url", "\"not a url\"", KT_ERROR_INVALID,
      "url: \"not a url\" is not an address; write it as https://example.com" },
    { "url", "\"javascript:alert(1)\"", KT_ERROR_INVALID,
      "url: \"javascript:alert(1)\" is not an address; write it as https://example.com" },
    { "url", "\"JavaScript:alert(1)\"", KT_ERROR_INVALID,
      "url: \"JavaScript:alert(1)\" is not an address; write it as https://example.com" },
    { "url", "\"data:text/html,x\"", KT_ERROR_INVALID,
      "url: \"data:text/html,x\" is not an address; write it as https://example.com" },
    { "url", "\"https:\"", KT_ERROR_INVALID,
      "url: \"https:\" is not an address; write it as https://example.com" },
    { "url", "\"http:///x\"", KT_ERROR_INVALID,
      "url: \"http:///x\" is not an address; write it as https://example.com" },
    { "url", "\"<b>\"", KT_ERROR_INVALID,
      "url: \"<b>\" is not an address; write it as https://example.com" },
    { "url", "\"...\"", KT_ERROR_INVALID,
      "url: \"...\" is not an address; write it as https://example.com" },
    { "email", "\"nobody\"", KT_ERROR_INVALID, "E-mail: \"nobody\" is not an e-mail address" },
    { "email", "\"@b\"", KT_ERROR_INVALID, "E-mail: \"@b\" is not an e-mail address" },
    { "email", "\"a@b@c\"", KT_ERROR_INVALID, "E-mail: \"a@b@c\" is not an e-mail address" },
    { "email", "\"a b@c\"", KT_ERROR_INVALID, "E-mail: \"a b@c\" is not an e-mail address" },
    { "integer", "1.5", KT_ERROR_INVALID, "integer: must be a whole number" },
    { "integer", "\"12\"", KT_ERROR_INVALID, "integer: expected a whole number" },
    { "integer", "1000000000000000000", KT_ERROR_LIMIT,
      "integer: the number is too large: at most 18 digits are kept" },
    { "integer", "99999999999999999999", KT_ERROR_LIMIT,
      "integer: the number is too large: at most 18 digits are kept" },
    { "decimal", "\"1.005\"", KT_ERROR_INVALID, "decimal: has more than 2 digits after the point" },
    { "decimal", "\"1,5\"", KT_ERROR_INVALID, "decimal: “1,5” is not a number" },
    { "decimal", "true", KT_ERROR_INVALID, "decimal: expected a number" },
    { "money", "{\"amount\":\"1\"}", KT_ERROR_INVALID,
      "Amount: lacks its currency, a code like EUR or CNY" },
    { "money", "{\"amount\":\"1\",\"currency\":\"eur\"}", KT_ERROR_INVALID,
      "Amount: lacks its currency, a code like EUR or CNY" },
    { "money", "{\"amount\":\"1\",\"currency\":\"EUR\",\"tax\":1}", KT_ERROR_INVALID,
      "Amount: \"tax\" is not a part of it" },
    { "money", "12", KT_ERROR_INVALID,
      "Amount: expected an amount with its currency: {\"amount\":\"12.50\",\"currency\":\"EUR\"}" },
    { "boolean", "1", KT_ERROR_INVALID, "boolean: expected true or false" },
    { "date", "\"2026-02-29\"", KT_ERROR_INVALID,
      "date: \"2026-02-29\" is not a date; write it as 2026-01-31" },
    { "date", "\"0000-01-01\"", KT_ERROR_INVALID,
      "date: \"0000-01-01\" is not a date; write it as 2026-01-31" },
    { "date", "\"2026-1-31\"", KT_ERROR_INVALID,
      "date: \"2026-1-31\" is not a date; write it as 2026-01-31" },
    { "date_time", "\"2026-01-31T08:00:00\"", KT_ERROR_INVALID,
      "date_time: \"2026-01-31T08:00:00\" lacks its time zone: Z or an offset like +08:00" },
    { "date_time", "\"2026-01-31\"", KT_ERROR_INVALID,
      "date_time: \"2026-01-31\" is not a moment; write it as 2026-01-31T08:00:00Z" },
    { "date_time", "\"0001-01-01T00:00:00+01:00\"", KT_ERROR_INVALID,
      "date_time: \"0001-01-01T00:00:00+01:00\" is not a moment; write it as 2026-01-31T08:00:00Z" },
    { "choice", "\"Foo\"", KT_ERROR_INVALID, "Stage: \"Foo\" is not one of its options" },
    { "choice", "\"New\"", KT_ERROR_INVALID, "Stage: \"New\" is not one of its options" },
    { "choices", "[\"blue\"]", KT_ERROR_INVALID, "choices: \"blue\" is not one of its options" },
    { "choices", "\"red\"", KT_ERROR_INVALID, "choices: expected a list: [\"…\",\"…\"]" },
    { "choices", "[1]", KT_ERROR_INVALID, "choices: a list of texts was expected" },
    { "tags", "[\"a\",\"b\",\"c\",\"d\"]", KT_ERROR_LIMIT, "tags: more than 3 elements" },
    { "ref", "\"Acme\"", KT_ERROR_INVALID, "ref: \"Acme\" is not an id" },
    { "ref", "\"00000000-0000-0000-0000-000000000000\"", KT_ERROR_INVALID,
      "ref: \"00000000-0000-0000-0000-000000000000\" is not an id" },
    { "ref_any", "{\"object\":\"nothing\",\"id\":\"" SAMPLE_ID "\"}", KT_ERROR_INVALID,
      "ref_any: \"nothing\" is not an object it may point to" },
    { "ref_some", "{\"object\":\"thing\",\"id\":\"" SAMPLE_ID "\"}", KT_ERROR_INVALID,
      "ref_some: \"thing\" is not an object it may point to" },
    { "many", "[\"x\"]", KT_ERROR_INVALID, "many: \"x\" is not an id" },
    { "address", "{\"planet\":\"Mars\"}", KT_ERROR_INVALID,
      "address: \"planet\" is not a part of it" },
    { "address", "{\"city\":1}", KT_ERROR_INVALID, "address: city must be a text" },
    { "address", "\"Bonn\"", KT_ERROR_INVALID,
      "address: expected an address with the parts street, city, region, postcode, country" },
    { "json", "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", KT_ERROR_LIMIT,
      "json: nested deeper than 16 levels" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (through_wire (fixture->schema, cases[i].field, cases[i].json, &error));
      g_assert_error (error, KT_ERROR, cases[i].code);
      g_assert_cmpstr (error->message, ==, cases[i].message);
    }
}

static void
test_values_of_an_earlier_schema_load (Fixture *fixture, gconstpointer data)
{
  static const char *const cases[][2] = {
    { "choice", "\"retired\"" },
    { "choices", "[\"blue\"]" },
    { "text", "\"123456789012345678901\"" },
    { "tags", "[\"a\",\"b\",\"c\",\"d\"]" },
    { "ref_some", "{\"object\":\"gone\",\"id\":\"" SAMPLE_ID "\"}" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const KtField *field = sample_field (fixture->schema, cases[i][0]);
      g_autoptr (KtJson) json = kt_json_parse (cases[i][1], -1, NULL);
      g_autoptr (GError) error = NULL;
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_autofree char *back = NULL;
      g_autofree char *shown = NULL;

      g_assert_false (kt_value_from_json (field, json, &value, NULL));
      g_assert_true (kt_value_load_json (field, json, &value, &error));
      g_assert_no_error (error);
      back = kt_value_to_string (&value);
      g_assert_cmpstr (back, ==, cases[i][1]);
      shown = kt_value_display (field, &value, "en");
      g_assert_cmpstr (shown, !=, "");
    }

  {
    g_autoptr (KtJson) json = kt_json_parse ("12", -1, NULL);
    g_auto (KtValue) value = KT_VALUE_INIT;

    g_assert_false (
      kt_value_load_json (sample_field (fixture->schema, "choice"), json, &value, NULL));
  }
}

static void
test_reader_borrows_only_canonical_text (Fixture *fixture, gconstpointer data)
{
  char text[] = "[\"plain\",\" trimmed \"]";
  const KtField *field = sample_field (fixture->schema, "text");
  g_auto (KtValue) value = KT_VALUE_INIT;
  KtJsonReader reader;

  kt_json_reader_init (&reader, text, strlen (text));
  kt_json_reader_next (&reader);
  g_assert_true (
    kt_value_from_reader (field, &reader, kt_json_reader_next (&reader), &value, NULL));
  g_assert_true (value.borrowed);
  kt_value_clear (&value);
  g_assert_true (
    kt_value_from_reader (field, &reader, kt_json_reader_next (&reader), &value, NULL));
  g_assert_false (value.borrowed);
  g_assert_cmpstr (value.v.text, ==, "trimmed");
}

static void
test_order_and_equality (Fixture *fixture, gconstpointer data)
{
  g_auto (KtValue) null_value = KT_VALUE_INIT;
  g_auto (KtValue) a = KT_VALUE_INIT;
  g_auto (KtValue) b = KT_VALUE_INIT;
  KtId id = { { 9 } };

  kt_value_set_text (&a, "a");
  kt_value_set_text (&b, "b");
  g_assert_cmpint (kt_value_compare (&a, &b), <, 0);
  g_assert_cmpint (kt_value_compare (&null_value, &a), <, 0);
  g_assert_false (kt_value_equal (&a, &b));
  kt_value_set_text (&b, "a");
  g_assert_true (kt_value_equal (&a, &b));
  kt_value_set_text (&b, "");
  g_assert_true (kt_value_is_null (&b));
  kt_value_set_text (&a, a.v.text);
  g_assert_cmpstr (a.v.text, ==, "a");

  kt_value_set_int (&a, 5);
  kt_value_set_bool (&b, TRUE);
  g_assert_false (kt_value_equal (&a, &b));

  kt_value_clear (&a);
  kt_value_clear (&b);
  a.type = b.type = KT_VALUE_DECIMAL;
  a.scale = 2;
  a.v.integer = 150;
  b.scale = 4;
  b.v.integer = 15000;
  g_assert_true (kt_value_equal (&a, &b));
  b.v.integer = 15001;
  g_assert_cmpint (kt_value_compare (&a, &b), <, 0);

  kt_value_set_any (&a, "user", &id);
  kt_value_set_any (&b, "user", &id);
  g_assert_true (kt_value_equal (&a, &b));
  kt_value_set_any (&b, "thing", &id);
  g_assert_false (kt_value_equal (&a, &b));
  kt_value_set_id (&b, &a.v.ref.id);
  g_assert_false (kt_value_equal (&a, &b));
  kt_value_set_id (&b, NULL);
  g_assert_true (kt_value_is_null (&b));
}

typedef struct
{
  const char *field;
  const char *locale;
  const char *text;
  const char *json; /* NULL: refused */
} Typed;

static const Typed typed[] = {
  { "text", "en", "  a\nb ", "\"a b\"" },
  { "text", "en", "", "null" },
  { "long_text", "en", "a\r\nb", "\"a\\nb\"" },
  { "email", "en", " a@b.c ", "\"a@b.c\"" },
  { "integer", "en", "1,234", "1234" },
  { "integer", "de", "1.234", "1234" },
  { "integer", "en", "1.5", NULL },
  { "integer", "en", "5 EUR", NULL },
  { "decimal", "de", "1.234,50", "\"1234.5\"" },
  { "percent", "en", "12.5 %", "\"12.5\"" },
  { "url", "en", "Mayumi's (on the Web)#http://www.example.com/a.htm#", "\"http://www.example.com/a.htm\"" },
  { "url", "en", "#https://example.com#", "\"https://example.com\"" },
  { "url", "en", "https://example.com/a#b", "\"https://example.com/a#b\"" },
  { "money", "en", "12.50 EUR", "{\"amount\":\"12.5\",\"currency\":\"EUR\"}" },
  { "money", "en", "€1,234.50", "{\"amount\":\"1234.5\",\"currency\":\"EUR\"}" },
  { "money", "en", "12.50", NULL },
  { "money", "en", "{\"amount\":\"1\",\"currency\":\"CNY\"}",
    "{\"amount\":\"1\",\"currency\":\"CNY\"}" },
  { "boolean", "en", "Yes", "true" },
  { "boolean", "zh_CN", "否", "false" },
  { "boolean", "zh_CN", "是", "true" },
  { "boolean", "en", "0", "false" },
  { "boolean", "en", "maybe", NULL },
  { "date", "en", "2026-01-31", "\"2026-01-31\"" },
  { "date", "en", "2026/1/31", "\"2026-01-31\"" },
  { "date", "en", "2026.1.31", "\"2026-01-31\"" },
  { "date", "de", "31.1.2026", "\"2026-01-31\"" },
  { "date", "en", "31. 1. 2026", "\"2026-01-31\"" },
  { "date", "zh_CN", "2026年1月31日", "\"2026-01-31\"" },
  { "date", "zh_CN", "2026 年 1 月 31 号", "\"2026-01-31\"" },
  { "date", "zh_CN", "２０２６／０１／３１", "\"2026-01-31\"" },
  { "date", "en", "31 Jan 2026", "\"2026-01-31\"" },
  { "date", "en", "31-Jan-26", "\"2026-01-31\"" },
  { "date", "en", "31st January, 2026", "\"2026-01-31\"" },
  { "date", "en", "Jan 31, 2026", "\"2026-01-31\"" },
  { "date", "en", "Sat, 31 Jan 2026", "\"2026-01-31\"" },
  { "date", "en", "September 3rd 2026", "\"2026-09-03\"" },
  { "date", "en", "20260131", "\"2026-01-31\"" },
  { "date", "en", "31/1/2026", "\"2026-01-31\"" },
  { "date", "en", "1/31/2026", "\"2026-01-31\"" },
  { "date", "en_US", "3/4/2026", "\"2026-03-04\"" },
  { "date", "en_GB", "3/4/2026", "\"2026-04-03\"" },
  { "date", "fr_FR", "3/4/26", "\"2026-04-03\"" },
  { "date", "de", "3.4.99", "\"1999-04-03\"" },
  { "date", "en", "3/4/2026", NULL },
  { "date", "zh_CN", "3/4/2026", NULL },
  { "date", NULL, "3/3/2026", "\"2026-03-03\"" },
  { "date", "en", "1996-07-04 00:00:00.000", "\"1996-07-04\"" },
  { "date", "en", "1996-07-04T23:30:00Z", "\"1996-07-04\"" },
  { "date", "en", "2026-02-30", NULL },
  { "date", "en", "2026-01", NULL },
  { "date", "en", "2026-01/31", NULL },
  { "date", "en", "31 Foo 2026", NULL },
  { "date", "en", "tomorrow", NULL },
  { "date", "en", "2026-01-31 nonsense", NULL },
  { "date", "en", "45321", NULL },
  /* TZ=Europe/Berlin */
  { "date_time", "en", "2026-01-31 08:00", "\"2026-01-31T07:00:00.000Z\"" },
  { "date_time", "en", "2026-07-31 08:00:30", "\"2026-07-31T06:00:30.000Z\"" },
  { "date_time", "en", "2026-01-31", "\"2026-01-30T23:00:00.000Z\"" },
  { "date_time", "en", "2026-01-31T08:00:00Z", "\"2026-01-31T08:00:00.000Z\"" },
  { "date_time", "en", "2026-01-31T08:00:00.5+08:00", "\"2026-01-31T00:00:00.500Z\"" },
  { "date_time", "en", "1996-07-04 00:00:00.000", "\"1996-07-03T22:00:00.000Z\"" },
  { "date_time", "en_US", "1/31/2026 8:05 PM", "\"2026-01-31T19:05:00.000Z\"" },
  { "date_time", "en", "31 Jan 2026, 12 am", "\"2026-01-30T23:00:00.000Z\"" },
  { "date_time", "zh_CN", "2026年1月31日 下午3点30分", "\"2026-01-31T14:30:00.000Z\"" },
  { "date_time", "zh_CN", "2026年1月31日 15:30", "\"2026-01-31T14:30:00.000Z\"" },
  { "date_time", "en", "2026-01-31 25:00", NULL },
  { "date_time", "en", "2026-01-31 8", NULL },
  { "duration", "en", "90", "90" },
  { "duration", "en", "1 h 30 min", "5400" },
  { "duration", "en", "1h30m", "5400" },
  { "duration", "en", "1.5 hours", "5400" },
  { "duration", "en", "1:30", "5400" },
  { "duration", "en", "1:30:15", "5415" },
  /* What one spelling gives, its plain number gives too; and nothing runs over. */
  { "duration", "en", "22222222:22", "80000000520" },
  { "duration", "en", "80000000520", "80000000520" },
  { "duration", "en", "999999999999999999", "999999999999999999" },
  { "duration", "en", "1000000000000000000", NULL },
  { "duration", "en", "99999999999999 w", NULL },
  { "duration", "en", "9999999.5 w", "6047999697600" },
  { "duration", "en", "99999999999999.5 w", NULL },
  { "duration", "en", "999999999999999999 s 1 s", NULL },
  { "duration", "en", "99999999999999:00:00", "359999999999996400" },
  { "duration", "en", "999999999999999:00", NULL },
  { "duration", "zh_CN", "1小时30分钟", "5400" },
  { "duration", "zh_CN", "2天", "172800" },
  { "duration", "en", "-2 d", "-172800" },
  { "duration", "en", "1:75", NULL },
  { "duration", "en", "1 parsec", NULL },
  { "duration", "en", "1 h 30", NULL },
  { "duration", "en", "0.5", NULL },
  { "choice", "en", "new", "\"new\"" },
  { "choice", "en", "NEW", "\"new\"" },
  { "choice", "en", "新建", "\"new\"" },
  { "choice", "zh_CN", "Best Case, Really", "\"best_case\"" },
  { "choice", "en", "Old", NULL },
  { "open_choice", "en", "Whatever", "\"Whatever\"" },
  { "choices", "en", "Red; Green, or so", "[\"green\",\"red\"]" },
  { "choices", "en", "Green, or so", "[\"green\"]" },
  { "choices", "zh_CN", "红、绿", "[\"green\",\"red\"]" },
  { "choices", "en", "[\"red\"]", "[\"red\"]" },
  { "choices", "en", "red, blue", NULL },
  { "tags", "en", "vip, new ,", "[\"new\",\"vip\"]" },
  { "tags", "zh_CN", "重要，新客户", "[\"新客户\",\"重要\"]" },
  { "ref", "en", SAMPLE_ID, "\"" SAMPLE_ID "\"" },
  { "ref", "en", "user:" SAMPLE_ID, "\"" SAMPLE_ID "\"" },
  { "ref", "en", "thing:" SAMPLE_ID, NULL },
  { "ref", "en", "Acme", NULL },
  { "ref_any", "en", "user:" SAMPLE_ID, "{\"object\":\"user\",\"id\":\"" SAMPLE_ID "\"}" },
  { "ref_any", "en", SAMPLE_ID, NULL },
  { "ref_some", "en", SAMPLE_ID, "{\"object\":\"user\",\"id\":\"" SAMPLE_ID "\"}" },
  { "many", "en", SAMPLE_ID_2 "," SAMPLE_ID, "[\"" SAMPLE_ID "\",\"" SAMPLE_ID_2 "\"]" },
  { "number", "en", "T-12", "\"T-12\"" },
  { "address", "en", "Weg 1, Bonn", "{\"street\":\"Weg 1, Bonn\"}" },
  { "address", "en", "{\"city\":\"Bonn\"}", "{\"city\":\"Bonn\"}" },
  { "file", "en", SAMPLE_ID, "\"" SAMPLE_ID "\"" },
  { "json", "en", "{\"a\": 1}", "{\"a\":1}" },
  { "json", "en", "{a}", NULL },
};

static void
test_what_people_type (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (typed); i++)
    {
      const KtField *field = sample_field (fixture->schema, typed[i].field);
      g_autoptr (GError) error = NULL;
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_autofree char *json = NULL;

      if (kt_value_parse (field, typed[i].text, typed[i].locale, NULL, &value, &error))
        json = kt_value_to_string (&value);
      else
        g_assert_cmpint (error->domain, ==, KT_ERROR);
      if (g_strcmp0 (json, typed[i].json) != 0)
        g_error ("%s \"%s\": %s, not %s (%s)", typed[i].field, typed[i].text, json, typed[i].json,
                 error != NULL ? error->message : "");
    }
}

static void
test_money_takes_the_given_currency (Fixture *fixture, gconstpointer data)
{
  const KtField *field = sample_field (fixture->schema, "money");
  g_auto (KtValue) value = KT_VALUE_INIT;

  g_assert_true (kt_value_parse (field, "12.5", "en", "CNY", &value, NULL));
  g_assert_cmpstr (value.currency, ==, "CNY");
  g_assert_true (kt_value_parse (field, "12.5 USD", "en", "CNY", &value, NULL));
  g_assert_cmpstr (value.currency, ==, "USD");
  g_assert_true (kt_value_parse (field, "$12.5", "en", "CAD", &value, NULL));
  g_assert_cmpstr (value.currency, ==, "CAD");
  g_assert_true (kt_value_parse (field, "US$12.5", "en", "CAD", &value, NULL));
  g_assert_cmpstr (value.currency, ==, "USD");
  g_assert_true (kt_value_parse (field, "¥1000", "en", "JPY", &value, NULL));
  g_assert_cmpstr (value.currency, ==, "JPY");
  g_assert_true (kt_value_parse (field, "￥1000", "ja", NULL, &value, NULL));
  g_assert_cmpstr (value.currency, ==, "JPY");
  g_assert_true (kt_value_parse (field, "￥1000", "zh_CN", "EUR", &value, NULL));
  g_assert_cmpstr (value.currency, ==, "CNY");
}

static void
test_display (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *field;
    const char *json;
    const char *locale;
    const char *shown;
  } cases[] = {
    { "text", "null", "en", "" },
    { "text", "\"x\"", "en", "x" },
    { "integer", "1234567", "en", "1,234,567" },
    { "integer", "-1234", "de_DE.UTF-8", "-1.234" },
    { "integer", "123", "en", "123" },
    { "decimal", "\"1234.5\"", "de", "1.234,5" },
    { "percent", "\"12.5\"", "en", "12.5%" },
    { "percent", "\"12.5\"", "de", "12,5\xc2\xa0%" },
    { "percent", "\"10\"", "zh_CN", "10%" },
    { "money", "{\"amount\":\"1234.5\",\"currency\":\"EUR\"}", "en", "€1,234.50" },
    { "money", "{\"amount\":\"-1234.5\",\"currency\":\"EUR\"}", "en", "-€1,234.50" },
    { "money", "{\"amount\":\"1234.5\",\"currency\":\"EUR\"}", "de", "1.234,50\xc2\xa0€" },
    { "money", "{\"amount\":\"1234\",\"currency\":\"CNY\"}", "zh_CN", "¥1,234.00" },
    { "money", "{\"amount\":\"1234\",\"currency\":\"CNY\"}", "en", "CN¥1,234.00" },
    { "money", "{\"amount\":\"1234\",\"currency\":\"JPY\"}", "en", "JP¥1,234" },
    { "money", "{\"amount\":\"0.125\",\"currency\":\"JPY\"}", "en", "JP¥0.125" },
    { "money", "{\"amount\":\"0.0001\",\"currency\":\"EUR\"}", "en", "€0.0001" },
    { "money", "{\"amount\":\"5\",\"currency\":\"CHF\"}", "en",
      "CHF\xc2\xa0"
      "5.00" },
    { "boolean", "true", "en", "Yes" },
    { "boolean", "false", "zh_CN", "否" },
    { "date", "\"2026-01-31\"", "en", "31 Jan 2026" },
    { "date", "\"2026-01-31\"", "en_US", "Jan 31, 2026" },
    { "date", "\"2026-01-31\"", "zh_CN", "2026年1月31日" },
    { "date", "\"2026-01-31\"", "de", "31.01.2026" },
    { "date", "\"2026-01-31\"", "C", "31 Jan 2026" },
    { "date", "\"2026-01-31\"", NULL, "31 Jan 2026" },
    { "date_time", "\"2026-01-31T08:00:00.000Z\"", "en", "31 Jan 2026, 09:00" },
    { "date_time", "\"2026-07-31T22:30:00.000Z\"", "zh_CN", "2026年8月1日 00:30" },
    { "date_time", "\"1960-01-01T00:00:00.500Z\"", "en", "1 Jan 1960, 01:00" },
    { "duration", "5400", "en", "1 h 30 min" },
    { "duration", "0", "en", "0 s" },
    { "duration", "-90061", "en", "-1 d 1 h 1 min 1 s" },
    { "duration", "5400", "zh_CN", "1小时30分钟" },
    { "choice", "\"new\"", "zh_CN", "新建" },
    { "choice", "\"best_case\"", "en", "Best case, really" },
    { "open_choice", "\"elsewhere\"", "en", "elsewhere" },
    { "choices", "[\"green\",\"red\"]", "en", "Green, or so, Red" },
    { "choices", "[\"green\",\"red\"]", "zh_CN", "绿、红" },
    { "tags", "[\"a\",\"b\"]", "en", "a, b" },
    { "ref", "\"" SAMPLE_ID "\"", "en", SAMPLE_ID },
    { "address",
      "{\"street\":\"1 Main St\\nFlat 2\",\"city\":\"Springfield\",\"region\":\"IL\",\"postcode\":\"62701\",\"country\":\"USA\"}",
      "en", "1 Main St, Flat 2, Springfield, IL 62701, USA" },
    { "address", "{\"street\":\"Weg 1\",\"city\":\"Bonn\",\"postcode\":\"53111\"}", "de",
      "Weg 1, 53111 Bonn" },
    { "address",
      "{\"street\":\"世纪大道1号\",\"city\":\"浦东新区\",\"region\":\"上海\",\"country\":\"中国\"}",
      "zh_CN", "中国 上海 浦东新区 世纪大道1号" },
    { "json", "{\"a\":1}", "en", "{\"a\":1}" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const KtField *field = sample_field (fixture->schema, cases[i].field);
      g_autoptr (KtJson) json = kt_json_parse (cases[i].json, -1, NULL);
      g_autoptr (GError) error = NULL;
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_autofree char *shown = NULL;

      g_assert_true (kt_value_from_json (field, json, &value, &error));
      shown = kt_value_display (field, &value, cases[i].locale);
      g_assert_cmpstr (shown, ==, cases[i].shown);
    }
}

/* What is shown can be typed, in every locale: forms show a value and read it back. */
static void
test_what_is_shown_can_be_typed (Fixture *fixture, gconstpointer data)
{
  static const char *const locales[] = { "en",    "en_US", "en_GB", "zh_CN", "ja",    "ko", "de",
                                         "de_CH", "fr",    "es",    "it",    "pt_BR", "pt", "nl",
                                         "pl",    "cs",    "ru",    "uk",    "sv",    "da", "nb",
                                         "fi",    "tr",    "id",    "vi" };
  static const char *const currencies[] = { "EUR", "CNY", "USD", "JPY", "CHF",
                                            "KRW", "GBP", "BHD", "INR", "BRL" };
  g_autoptr (GRand) rand = sample_rand_new ();

  for (guint i = 0; i < 20000; i++)
    {
      const char *locale = locales[g_rand_int_range (rand, 0, G_N_ELEMENTS (locales))];
      gint64 number = (gint64) (((guint64) g_rand_int (rand) << 32 | g_rand_int (rand))
                                % G_GINT64_CONSTANT (999999999999999999))
                      >> g_rand_int_range (rand, 0, 60);
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_auto (KtValue) back = KT_VALUE_INIT;
      g_autoptr (GError) error = NULL;
      g_autofree char *shown = NULL;
      const KtField *field;
      int kind = g_rand_int_range (rand, 0, 5);

      if (g_rand_boolean (rand))
        number = -number;
      switch (kind)
        {
        case 0:
          field = sample_field (fixture->schema, "integer");
          kt_value_set_int (&value, number);
          break;
        case 1:
        case 2:
          field = sample_field (fixture->schema, kind == 1 ? "percent" : "money");
          value.type = field->storage;
          value.scale = 4;
          value.v.integer = number;
          if (kind == 2)
            memcpy (value.currency,
                    currencies[g_rand_int_range (rand, 0, G_N_ELEMENTS (currencies))], 4);
          break;
        case 3:
          field = sample_field (fixture->schema, "date");
          {
            g_autofree char *text =
              g_strdup_printf ("%04d-%02d-%02d", g_rand_int_range (rand, 1900, 2100),
                               g_rand_int_range (rand, 1, 13), g_rand_int_range (rand, 1, 29));

            kt_value_set_text (&value, text);
          }
          break;
        default:
          field = sample_field (fixture->schema, "duration");
          kt_value_set_int (&value, number % 10000000);
        }

      shown = kt_value_display (field, &value, locale);
      if (!kt_value_parse (field, shown, locale, NULL, &back, &error)
          || !kt_value_equal (&value, &back))
        {
          g_autofree char *wanted = kt_value_to_string (&value);
          g_autofree char *read = kt_value_to_string (&back);

          g_error ("%s: %s shown as \"%s\", read back as %s (%s)", locale, wanted, shown, read,
                   error != NULL ? error->message : "");
        }
    }
}

static void
test_survives_noise (Fixture *fixture, gconstpointer data)
{
  static const char *const pieces[] = {
    "2026",         "-",    "/",  ".", "1",        "31", " ",    ":",       "年",    "月", "日",
    "Jan",          "pm",   "T",  "Z", "+08",      "€",  "EUR",  "%",       ",",     ";",  "[",
    "\"",           "{",    "}",  "é", "\xcc\x81", "\t", "下午", SAMPLE_ID, "user:", "h",  "min",
    "\xe3\x80\x80", "null", "e9", "(", ")",        "万"
  };
  g_autoptr (GRand) rand = sample_rand_new ();
  const KtObject *object = kt_schema_object (fixture->schema, "thing");

  for (guint i = 0; i < 60000; i++)
    {
      const KtField *field = object->fields[g_rand_int_range (rand, 0, (gint32) object->n_fields)];
      g_autoptr (GString) text = g_string_new (NULL);
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_auto (KtValue) again = KT_VALUE_INIT;
      g_autofree char *wire = NULL;
      g_autoptr (KtJson) json = NULL;
      g_autoptr (GError) error = NULL;

      for (int n = g_rand_int_range (rand, 0, 8); n > 0; n--)
        g_string_append (text, pieces[g_rand_int_range (rand, 0, G_N_ELEMENTS (pieces))]);
      if (!kt_value_parse (field, text->str, "en_US", "EUR", &value, &error))
        {
          g_assert_nonnull (error);
          continue;
        }
      /* What was taken is canonical: it comes back over the wire the same. */
      wire = kt_value_to_string (&value);
      json = kt_json_parse (wire, -1, &error);
      g_assert_no_error (error);
      if (!kt_value_from_json (field, json, &again, &error))
        g_error ("%s \"%s\" became %s: %s", field->name, text->str, wire, error->message);
      g_assert_true (kt_value_equal (&value, &again));
    }
}

/* The short way must agree with the long one for every character there is. */
static void
test_canonical_text_is_nfc (Fixture *fixture, gconstpointer data)
{
  const KtField *field = sample_field (fixture->schema, "rich_text");

  for (gunichar c = 0x20; c < 0x30000; c++)
    {
      g_autoptr (GString) text = g_string_new ("\"");
      g_autoptr (KtJson) json = NULL;
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_autofree char *nfc = NULL;
      char raw[20] = "か";
      int n = 3;

      if ((c >= 0xd800 && c <= 0xdfff) || c == '"' || c == '\\')
        continue;
      n += g_unichar_to_utf8 (c, raw + n);
      memcpy (raw + n, "x", 2);
      g_string_append_printf (text, "%s\"", raw);
      json = kt_json_parse (text->str, -1, NULL);
      g_assert_nonnull (json);
      g_assert_true (kt_value_from_json (field, json, &value, NULL));
      nfc = g_utf8_normalize (raw, -1, G_NORMALIZE_NFC);
      g_assert_cmpstr (value.v.text, ==, nfc);
    }
}

#define ADD(name, func) g_test_add ("/value/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_setenv ("TZ", "Europe/Berlin", TRUE);
  ADD ("wire-forms", test_wire_forms);
  ADD ("refusals-name-field-and-reason", test_refusals_name_field_and_reason);
  ADD ("values-of-an-earlier-schema-load", test_values_of_an_earlier_schema_load);
  ADD ("reader-borrows-only-canonical-text", test_reader_borrows_only_canonical_text);
  ADD ("order-and-equality", test_order_and_equality);
  ADD ("what-people-type", test_what_people_type);
  ADD ("money-takes-the-given-currency", test_money_takes_the_given_currency);
  ADD ("display", test_display);
  ADD ("what-is-shown-can-be-typed", test_what_is_shown_can_be_typed);
  ADD ("survives-noise", test_survives_noise);
  ADD ("canonical-text-is-nfc", test_canonical_text_is_nfc);
  return g_test_run ();
}
