/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "base/kt-env.h"
#include "base/kt-error.h"
#include "base/kt-id.h"

static gint64 fake_now;

static gint64
fake_now_us (gpointer data)
{
  return fake_now;
}

static void
fake_random (gpointer data, guint8 *out, gsize len)
{
  for (gsize i = 0; i < len; i++)
    out[i] = (guint8) g_rand_int (data);
}

static void
test_text_round_trip (void)
{
  static const char text[] = "01900000-0a7f-7bcd-8001-00ff00fe12a9";
  char out[KT_ID_TEXT_SIZE];
  KtId id, upper;
  g_autofree char *shouted = g_ascii_strup (text, -1);
  g_autofree char *string = NULL;

  g_assert_true (kt_id_parse (text, -1, &id));
  kt_id_format (&id, out);
  g_assert_cmpstr (out, ==, text);
  g_assert_true (kt_id_parse (shouted, 36, &upper));
  g_assert_true (kt_id_equal (&id, &upper));
  g_assert_cmpuint (kt_id_hash (&id), ==, kt_id_hash (&upper));
  string = kt_id_to_string (&upper);
  g_assert_cmpstr (string, ==, text);
}

static void
test_refuses_what_is_no_id (void)
{
  static const char *const bad[] = {
    "",
    "0190",
    "01900000-0a7f-7bcd-8001-00ff00fe12a",
    "01900000-0a7f-7bcd-8001-00ff00fe12a99",
    "01900000_0a7f-7bcd-8001-00ff00fe12a9",
    "0190000-00a7f-7bcd-8001-00ff00fe12a9",
    "g1900000-0a7f-7bcd-8001-00ff00fe12a9",
    "{1900000-0a7f-7bcd-8001-00ff00fe12a}",
  };
  KtId id = { { 1, 2, 3 } };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (kt_id_parse (bad[i], -1, &id));
  g_assert_false (kt_id_parse (NULL, -1, &id));
  g_assert_cmpuint (id.b[0], ==, 1);
}

static void
test_version_7_sorts_by_time (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  KtEnv env = { fake_now_us, fake_now_us, fake_random, rand };
  KtId previous = KT_ID_NIL;

  fake_now = G_GINT64_CONSTANT (1769846400000000);
  for (int i = 0; i < 5000; i++, fake_now += 1 + i % 700)
    {
      KtId id = kt_id_new (&env);

      g_assert_cmpuint (id.b[6] >> 4, ==, 7);
      g_assert_cmpuint (id.b[8] >> 6, ==, 2);
      /* One microsecond is more than one part in 4096 of a millisecond only sometimes. */
      if (i > 0 && memcmp (previous.b, id.b, 8) != 0)
        g_assert_cmpint (kt_id_compare (&previous, &id), <, 0);
      previous = id;
    }
  fake_now = -5;
  previous = kt_id_new (&env);
  g_assert_false (kt_id_is_nil (&previous));
  g_assert_cmpuint (previous.b[0], ==, 0);
}

static void
test_nil_and_copies (void)
{
  KtId id = { { 0, 0, 1 } };
  g_autofree KtId *copy = kt_id_copy (&id);

  g_assert_true (kt_id_equal (&id, copy));
  g_assert_false (kt_id_is_nil (&id));
  g_assert_true (kt_id_is_nil (&KT_ID_NIL));
  g_assert_cmpint (kt_id_compare (&KT_ID_NIL, &id), <, 0);
}

static void
test_error_words_and_exit_codes (void)
{
  g_autoptr (GError) error = NULL;

  for (int code = KT_ERROR_INTERNAL; code <= KT_ERROR_EPOCH; code++)
    {
      g_assert_nonnull (kt_error_word ((KtError) code));
      g_assert_cmpint (kt_error_from_word (kt_error_word ((KtError) code)), ==, code);
    }
  g_assert_cmpint (kt_error_from_word ("no such word"), ==, KT_ERROR_INTERNAL);
  g_assert_cmpint (kt_error_from_word (NULL), ==, KT_ERROR_INTERNAL);
  g_assert_cmpint (kt_error_exit_code (NULL), ==, 0);
  g_assert_false (kt_error_is_transient (NULL));

  error = g_error_new_literal (KT_ERROR, KT_ERROR_FORBIDDEN, "no");
  g_assert_cmpint (kt_error_exit_code (error), ==, 5);
  g_assert_false (kt_error_is_transient (error));
  error->code = KT_ERROR_NETWORK;
  g_assert_cmpint (kt_error_exit_code (error), ==, 4);
  g_assert_true (kt_error_is_transient (error));
  error->code = 12345;
  g_assert_cmpint (kt_error_exit_code (error), ==, 1);

  error->domain = g_quark_from_static_string ("g-io-error-quark");
  error->code = 39; /* connection refused */
  g_assert_cmpint (kt_error_exit_code (error), ==, 4);
  g_assert_true (kt_error_is_transient (error));
  error->code = 1; /* not found */
  g_assert_cmpint (kt_error_exit_code (error), ==, 2);
  error->code = 12; /* no space */
  g_assert_cmpint (kt_error_exit_code (error), ==, 1);
}

/* A message names what was wrong in what came; it is never the whole of it, and always text. */
static void
test_excerpts (void)
{
  g_autofree char *letters = g_strnfill (200, 'x');
  g_autofree char *wide =
    g_strjoinv (NULL, (char *[]){ "1", "客客客客客客客客客客", "客客客客客客客客客客",
                                  "客客客客客客客客客客", "客客客客客客客客客客",
                                  "客客客客客客客客客客", "客客客客客客客客客客", NULL });
  g_autofree char *huge = g_strnfill (1 << 20, 'x');
  static const char *const same[] = { "", "amout", "客户", "x y" };
  char *text;

  for (guint i = 0; i < G_N_ELEMENTS (same); i++)
    {
      text = kt_error_excerpt (same[i], 60);
      g_assert_cmpstr (text, ==, same[i]);
      g_free (text);
    }
  text = kt_error_excerpt (NULL, 60);
  g_assert_cmpstr (text, ==, "");
  g_free (text);
  text = kt_error_excerpt ("a\nb\tc\x7f", 60);
  g_assert_cmpstr (text, ==, "a b c ");
  g_free (text);
  text = kt_error_excerpt ("a\xff"
                           "b",
                           60);
  g_assert_true (g_utf8_validate (text, -1, NULL));
  g_assert_cmpint (g_utf8_strlen (text, -1), ==, 3);
  g_free (text);
  text = kt_error_excerpt (letters, 60);
  g_assert_cmpint (strlen (text), ==, 60 + strlen ("…"));
  g_free (text);
  text = kt_error_excerpt (wide, 60);
  g_assert_true (g_utf8_validate (text, -1, NULL));
  g_assert_cmpint (g_utf8_strlen (text, -1), ==, 61);
  g_free (text);
  text = kt_error_excerpt (huge, 60);
  g_assert_cmpint (strlen (text), <, 100);
  g_free (text);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/excerpts", test_excerpts);
  g_test_add_func ("/id/text-round-trip", test_text_round_trip);
  g_test_add_func ("/id/refuses-what-is-no-id", test_refuses_what_is_no_id);
  g_test_add_func ("/id/version-7-sorts-by-time", test_version_7_sorts_by_time);
  g_test_add_func ("/id/nil-and-copies", test_nil_and_copies);
  g_test_add_func ("/error/words-and-exit-codes", test_error_words_and_exit_codes);
  return g_test_run ();
}
