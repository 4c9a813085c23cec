/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "sample.h"

static void
assert_round_trip (const char *text, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtJson) json = kt_json_parse (text, -1, &error);
  g_autofree char *back = NULL;

  g_assert_no_error (error);
  back = kt_json_to_string (json, FALSE);
  g_assert_cmpstr (back, ==, expected != NULL ? expected : text);
}

static void
test_round_trips (void)
{
  assert_round_trip ("null", NULL);
  assert_round_trip (" true ", "true");
  assert_round_trip ("false", NULL);
  assert_round_trip ("0", NULL);
  assert_round_trip ("-0", NULL);
  assert_round_trip ("-0.0", NULL);
  assert_round_trip ("1E400", NULL);
  assert_round_trip ("123456789012345678901234567890", NULL);
  assert_round_trip ("\"\"", NULL);
  assert_round_trip ("[]", NULL);
  assert_round_trip ("{ }", "{}");
  assert_round_trip ("[[],{},[{}]]", NULL);
  assert_round_trip ("{\"b\":1,\"a\":[1,2.50,\"x\"]}", NULL);
  assert_round_trip ("\"\\u0041\\u00e9\\u4e2d\\ud83d\\ude00\\/\\\"\\\\\\b\\f\\n\\r\\t\\u001f\"",
                     "\"Aé中😀/\\\"\\\\\\b\\f\\n\\r\\t\\u001f\"");
  assert_round_trip ("\"中文 and plain text that is longer than eight bytes\"", NULL);
}

static void
test_refuses_what_is_no_json (void)
{
  static const struct
  {
    const char *text;
    const char *message;
  } cases[] = {
    { "", "line 1, column 1: the text ends too early" },
    { "   ", "line 1, column 4: the text ends too early" },
    { "nul", "line 1, column 1: a value was expected" },
    { "nulll", "line 1, column 5: something follows the end of the document" },
    { "{} {}", "line 1, column 4: something follows the end of the document" },
    { "01", "line 1, column 1: a number must not start with 0" },
    { "-", "line 1, column 1: a number needs a digit" },
    { "1.", "line 1, column 1: a number needs a digit behind its point" },
    { ".5", "line 1, column 1: a value was expected" },
    { "1e", "line 1, column 1: a number needs a digit in its exponent" },
    { "+1", "line 1, column 1: a value was expected" },
    { "NaN", "line 1, column 1: a value was expected" },
    { "[1,]", "line 1, column 4: a value was expected" },
    { "[1 2]", "line 1, column 4: a comma was expected" },
    { "[1", "line 1, column 3: the text ends too early" },
    { "[1}", "line 1, column 3: ] was expected, not }" },
    { "{\"a\":1]", "line 1, column 7: } was expected, not ]" },
    { "{\"a\":1,}", "line 1, column 8: a key in quotes was expected" },
    { "{a:1}", "line 1, column 2: a key in quotes was expected" },
    { "{\"a\" 1}", "line 1, column 6: a colon was expected" },
    { "{\"a\":}", "line 1, column 6: a value was expected" },
    { "'a'", "line 1, column 1: a value was expected" },
    { "\"abc", "line 1, column 1: the string is not closed" },
    { "\"abc\\", "line 1, column 5: the string is not closed" },
    { "\"a\nb\"", "line 1, column 3: a control character in a string must be escaped" },
    { "\"\\x41\"", "line 1, column 2: unknown escape in a string" },
    { "\"\\u12\"", "line 1, column 2: \\u needs four hexadecimal digits" },
    { "\"\\u0000\"", "line 1, column 2: the character U+0000 is not allowed" },
    { "\"\\ud83d\"", "line 1, column 2: half of a surrogate pair" },
    { "\"\\ude00\"", "line 1, column 2: half of a surrogate pair" },
    { "\"\\ud83d\\u0041\"", "line 1, column 2: half of a surrogate pair" },
    { "\"\\ud83dxxxxxx\"", "line 1, column 2: half of a surrogate pair" },
    { "\"a\xff\"", "line 1, column 2: the text is not valid UTF-8" },
    { "\"\xed\xa0\x80\"", "line 1, column 2: the text is not valid UTF-8" },
    { "\"\xc0\x80\"", "line 1, column 2: the text is not valid UTF-8" },
    { "\xff", "line 1, column 1: a value was expected" },
    { "{\"a\":1,\"b\":2,\"a\":3}", "line 1, column 19: the key \"a\" occurs twice in one object" },
    { "{\"a\":1,\"\\u0061\":3}", "line 1, column 18: the key \"a\" occurs twice in one object" },
    { "{\n  \"中文\": [\n    1,\n    \"日本\", x]}", "line 4, column 11: a value was expected" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (kt_json_parse (cases[i].text, -1, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      g_assert_cmpstr (error->message, ==, cases[i].message);
    }
  g_assert_null (kt_json_parse ("\"a\0b\"", 5, NULL));
}

static void
test_depth_is_bounded (void)
{
  for (guint depth = KT_JSON_MAX_DEPTH; depth <= KT_JSON_MAX_DEPTH + 1; depth++)
    {
      g_autoptr (GString) text = g_string_new (NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (KtJson) json = NULL;

      for (guint i = 0; i < depth; i++)
        g_string_append (text, i % 2 != 0 ? "[" : "{\"a\":");
      g_string_append_c (text, '1');
      for (guint i = depth; i > 0; i--)
        g_string_append_c (text, (i - 1) % 2 != 0 ? ']' : '}');
      json = kt_json_parse (text->str, -1, &error);
      if (depth <= KT_JSON_MAX_DEPTH)
        g_assert_no_error (error);
      else
        g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
    }
}

static void
test_keys_of_large_objects (void)
{
  g_autoptr (GString) text = g_string_new ("{");
  g_autoptr (KtJson) json = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *canonical = NULL;

  for (int i = 0; i < 1000; i++)
    g_string_append_printf (text, "%s\"k%d\":%d", i > 0 ? "," : "", (i * 7919) % 1000, i);
  g_string_append_c (text, '}');
  json = kt_json_parse (text->str, -1, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (kt_json_length (json), ==, 1000);
  for (int i = 0; i < 1000; i++)
    {
      g_autofree char *key = g_strdup_printf ("k%d", (i * 7919) % 1000);

      g_assert_cmpint (kt_json_get_int (json, key, -1), ==, i);
      g_assert_cmpstr (kt_json_key_at (json, (guint) i), ==, key);
    }
  g_assert_null (kt_json_get (json, "k1000"));
  g_assert_null (kt_json_get (json, ""));
  canonical = kt_json_to_string (json, TRUE);
  g_assert_true (g_str_has_prefix (canonical, "{\"k0\":0,\"k1\":"));

  g_string_truncate (text, text->len - 1);
  g_string_append (text, ",\"k500\":0}");
  g_assert_null (kt_json_parse (text->str, -1, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "\"k500\" occurs twice"));
}

static void
test_canonical_form (void)
{
  g_autofree char *a = kt_json_canonical (
    "{ \"b\" : [ 1.0, 2 ], \"a\" : { \"z\":null, \"Z\":\"\\u00e9\" } }", -1, NULL);
  g_autofree char *b = kt_json_canonical (a, -1, NULL);

  g_assert_cmpstr (a, ==, "{\"a\":{\"Z\":\"é\",\"z\":null},\"b\":[1.0,2]}");
  g_assert_cmpstr (a, ==, b);
  g_assert_null (kt_json_canonical ("{", -1, NULL));
}

static void
test_accessors_take_anything (void)
{
  g_autoptr (KtJson) json =
    kt_json_parse ("{\"s\":\"x\",\"i\":-9223372036854775808,\"big\":9223372036854775808,"
                   "\"f\":1.5,\"t\":true,\"n\":null,\"a\":[1,\"2\"]}",
                   -1, NULL);

  g_assert_cmpstr (kt_json_get_string (json, "s", "-"), ==, "x");
  g_assert_cmpstr (kt_json_get_string (json, "i", "-"), ==, "-");
  g_assert_cmpstr (kt_json_get_string (json, "missing", NULL), ==, NULL);
  g_assert_cmpint (kt_json_get_int (json, "i", 1), ==, G_MININT64);
  g_assert_cmpint (kt_json_get_int (json, "big", 1), ==, 1);
  g_assert_cmpint (kt_json_get_int (json, "f", 1), ==, 1);
  g_assert_cmpstr (kt_json_number (kt_json_get (json, "big")), ==, "9223372036854775808");
  g_assert_true (kt_json_get_bool (json, "t", FALSE));
  g_assert_true (kt_json_get_bool (json, "s", TRUE));
  g_assert_cmpint (kt_json_type (kt_json_get (json, "n")), ==, KT_JSON_NULL);
  g_assert_nonnull (kt_json_get (json, "n"));
  g_assert_cmpstr (kt_json_string (kt_json_at (kt_json_get (json, "a"), 1), NULL), ==, "2");
  g_assert_null (kt_json_at (kt_json_get (json, "a"), 2));
  g_assert_null (kt_json_key_at (kt_json_get (json, "a"), 0));

  g_assert_cmpint (kt_json_type (NULL), ==, KT_JSON_NULL);
  g_assert_cmpuint (kt_json_length (NULL), ==, 0);
  g_assert_null (kt_json_get (NULL, "x"));
  g_assert_null (kt_json_number (NULL));
  g_assert_cmpint (kt_json_int (NULL, 3), ==, 3);
  kt_json_unref (NULL);
}

static void
test_a_child_keeps_the_document (void)
{
  KtJson *json = kt_json_parse ("{\"a\":{\"b\":\"kept\"}}", -1, NULL);
  KtJson *child = kt_json_ref (kt_json_get (kt_json_get (json, "a"), "b"));

  kt_json_unref (json);
  g_assert_cmpstr (kt_json_string (child, NULL), ==, "kept");
  kt_json_unref (child);
}

static void
test_localized (void)
{
  g_autoptr (KtJson) json =
    kt_json_parse ("{\"de\":\"Kunde\",\"en\":\"Account\",\"zh_CN\":\"客户\"}", -1, NULL);
  g_autoptr (KtJson) plain = kt_json_parse ("\"Account\"", -1, NULL);
  g_autoptr (KtJson) odd = kt_json_parse ("{\"fr\":\"Compte\"}", -1, NULL);

  g_assert_cmpstr (kt_json_localized (json, "zh_CN", NULL), ==, "客户");
  g_assert_cmpstr (kt_json_localized (json, "zh_CN.UTF-8", NULL), ==, "客户");
  g_assert_cmpstr (kt_json_localized (json, "zh-CN", NULL), ==, "客户");
  g_assert_cmpstr (kt_json_localized (json, "zh", NULL), ==, "客户");
  g_assert_cmpstr (kt_json_localized (json, "de_AT", NULL), ==, "Kunde");
  g_assert_cmpstr (kt_json_localized (json, "fr_FR", NULL), ==, "Account");
  g_assert_cmpstr (kt_json_localized (json, "C", NULL), ==, "Account");
  g_assert_cmpstr (kt_json_localized (json, NULL, NULL), ==, "Account");
  g_assert_cmpstr (kt_json_localized (plain, "zh_CN", NULL), ==, "Account");
  g_assert_cmpstr (kt_json_localized (odd, "zh_CN", NULL), ==, "Compte");
  g_assert_cmpstr (kt_json_localized (NULL, "en", "name"), ==, "name");
}

static void
test_reader_walks (void)
{
  char text[] =
    "{\"a\":12,\"b\":[\"x\\ny\",-3.5,true],\"skip\":{\"c\":[1,{\"d\":\"\\\"\"}]},\"z\":null}";
  KtJsonReader reader;

  kt_json_reader_init (&reader, text, strlen (text));
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_OBJECT);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_KEY);
  g_assert_cmpstr (reader.text, ==, "a");
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_NUMBER);
  g_assert_cmpstr (reader.text, ==, "12");
  g_assert_cmpint (reader.integer, ==, 12);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_KEY);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_ARRAY);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_STRING);
  g_assert_cmpstr (reader.text, ==, "x\ny");
  g_assert_cmpuint (reader.len, ==, 3);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_NUMBER);
  g_assert_cmpstr (reader.text, ==, "-3.5");
  g_assert_false (reader.is_integer);
  g_assert_cmpuint (reader.raw_end - reader.raw_start, ==, 4);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_TRUE);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_ARRAY_END);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_KEY);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_OBJECT);
  g_assert_true (kt_json_reader_skip (&reader));
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_KEY);
  g_assert_cmpstr (reader.text, ==, "z");
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_NULL);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_OBJECT_END);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_END);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_END);
}

static void
test_reader_gives_trees (void)
{
  char text[] = "[1,{\"a\":[1,2,\"x\\ty\"]},\"next\"]";
  KtJsonReader reader;
  g_autoptr (KtJson) tree = NULL;
  g_autofree char *back = NULL;

  kt_json_reader_init (&reader, text, strlen (text));
  kt_json_reader_next (&reader);
  kt_json_reader_next (&reader);
  tree = kt_json_from_reader (&reader, kt_json_reader_next (&reader), NULL);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_STRING);
  g_assert_cmpstr (reader.text, ==, "next");
  back = kt_json_to_string (tree, FALSE);
  g_assert_cmpstr (back, ==, "{\"a\":[1,2,\"x\\ty\"]}");
}

static void
test_reader_errors_stay (void)
{
  char text[] = "[1,\n  oops]";
  KtJsonReader reader;
  guint line, column;

  kt_json_reader_init (&reader, text, strlen (text));
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_ARRAY);
  g_assert_false (kt_json_reader_skip (&reader));
  g_assert_cmpstr (reader.problem, ==, "a value was expected");
  kt_json_reader_place (&reader, &line, &column);
  g_assert_cmpuint (line, ==, 2);
  g_assert_cmpuint (column, ==, 3);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_ERROR);
  g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_ERROR);
}

static void
test_writer (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  KtJsonWriter w = KT_JSON_WRITER (out);

  kt_json_begin_object (&w);
  kt_json_put_string (&w, "a\"", "x\ny\x01");
  kt_json_put_string (&w, "b", NULL);
  kt_json_put_int (&w, "c", G_MININT64);
  kt_json_put_bool (&w, "d", TRUE);
  kt_json_put_raw (&w, "e", "[1,2]");
  kt_json_key (&w, "f");
  kt_json_begin_array (&w);
  kt_json_add_int (&w, 0);
  kt_json_add_string_len (&w, "abc", 2);
  kt_json_add_null (&w);
  kt_json_begin_object (&w);
  kt_json_end_object (&w);
  kt_json_begin_array (&w);
  kt_json_end_array (&w);
  kt_json_end_array (&w);
  kt_json_end_object (&w);
  g_assert_cmpstr (
    out->str, ==,
    "{\"a\\\"\":\"x\\ny\\u0001\",\"b\":null,\"c\":-9223372036854775808,\"d\":true,\"e\":[1,2],"
    "\"f\":[0,\"ab\",null,{},[]]}");
}

static void
append_random (GRand *rand, GString *out, guint depth)
{
  static const char *const scalars[] = { "null",
                                         "true",
                                         "-12",
                                         "1.50e-7",
                                         "\"\"",
                                         "\"a\\u0062\\ud83d\\ude00\"",
                                         "\"中文 text \\n\"",
                                         "18446744073709551616" };
  int kind = g_rand_int_range (rand, 0, depth > 6 ? 2 : 4);
  int n = g_rand_int_range (rand, 0, 20);

  if (kind < 2)
    {
      g_string_append (out, scalars[g_rand_int_range (rand, 0, G_N_ELEMENTS (scalars))]);
      return;
    }
  g_string_append_c (out, kind == 2 ? '[' : '{');
  for (int i = 0; i < n; i++)
    {
      g_string_append (out, i > 0 ? " ,\n" : "");
      if (kind == 3)
        g_string_append_printf (out, "\"k%d\": ", i * 31 % 97);
      append_random (rand, out, depth + 1 + (guint) (n > 10));
    }
  g_string_append_c (out, kind == 2 ? ']' : '}');
}

static void
test_random_documents_survive (void)
{
  g_autoptr (GRand) rand = sample_rand_new ();

  for (int i = 0; i < 300; i++)
    {
      g_autoptr (GString) text = g_string_new (NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (KtJson) json = NULL, again = NULL;
      g_autofree char *once = NULL;
      g_autofree char *twice = NULL;

      append_random (rand, text, 3);
      json = kt_json_parse (text->str, (gssize) text->len, &error);
      g_assert_no_error (error);
      once = kt_json_to_string (json, TRUE);
      again = kt_json_parse (once, -1, &error);
      g_assert_no_error (error);
      twice = kt_json_to_string (again, TRUE);
      g_assert_cmpstr (once, ==, twice);

      /* Damage it: an answer, whatever it is, and no crash. */
      for (int j = 0; j < 30 && text->len > 0; j++)
        {
          g_autofree char *broken = g_memdup2 (text->str, text->len);
          gsize len = (gsize) g_rand_int_range (rand, 0, (gint32) text->len) + 1;
          KtJson *result;

          broken[g_rand_int_range (rand, 0, (gint32) len)] = (char) g_rand_int_range (rand, 0, 256);
          result = kt_json_parse (broken, (gssize) len, NULL);
          kt_json_unref (result);
        }
    }
}

static void
test_reads_in_place_fast (void)
{
  g_autoptr (GString) text = g_string_new ("[");
  gint64 started, spent;
  KtJsonReader reader;
  KtJsonType token;
  guint strings = 0;

  for (int i = 0; i < 200000; i++)
    g_string_append_printf (
      text,
      "%s{\"name\":\"Contact number %d of a longer company name\",\"city\":\"Hamburg\",\"age\":%d}",
      i > 0 ? "," : "", i, i % 90);
  g_string_append_c (text, ']');
  kt_json_reader_init (&reader, text->str, text->len);
  started = g_get_monotonic_time ();
  while ((token = kt_json_reader_next (&reader)) != KT_JSON_END)
    {
      g_assert_cmpint (token, !=, KT_JSON_ERROR);
      strings += token == KT_JSON_STRING;
    }
  spent = MAX (g_get_monotonic_time () - started, 1);
  g_assert_cmpuint (strings, ==, 400000);
  g_test_message ("%.0f MB/s", (double) text->len / (double) spent);
  g_test_maximized_result ((double) text->len / (double) spent, "reader: %.0f MB/s",
                           (double) text->len / (double) spent);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/round-trips", test_round_trips);
  g_test_add_func ("/json/refuses-what-is-no-json", test_refuses_what_is_no_json);
  g_test_add_func ("/json/depth-is-bounded", test_depth_is_bounded);
  g_test_add_func ("/json/keys-of-large-objects", test_keys_of_large_objects);
  g_test_add_func ("/json/canonical-form", test_canonical_form);
  g_test_add_func ("/json/accessors-take-anything", test_accessors_take_anything);
  g_test_add_func ("/json/a-child-keeps-the-document", test_a_child_keeps_the_document);
  g_test_add_func ("/json/localized", test_localized);
  g_test_add_func ("/json/reader-walks", test_reader_walks);
  g_test_add_func ("/json/reader-gives-trees", test_reader_gives_trees);
  g_test_add_func ("/json/reader-errors-stay", test_reader_errors_stay);
  g_test_add_func ("/json/writer", test_writer);
  g_test_add_func ("/json/random-documents-survive", test_random_documents_survive);
  g_test_add_func ("/json/reads-in-place-fast", test_reads_in_place_fast);
  return g_test_run ();
}
