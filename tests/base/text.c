/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "base/kt-text.h"

static void
assert_fold (const char *text, const char *expected)
{
  g_autofree char *folded = kt_text_fold (text);
  g_autofree char *twice = kt_text_fold (folded);

  g_assert_cmpstr (folded, ==, expected);
  g_assert_cmpstr (twice, ==, expected);
}

static void
test_fold (void)
{
  assert_fold ("", "");
  assert_fold ("   \t\n ", "");
  assert_fold ("  Hello\t\n  World ", "hello world");
  assert_fold ("Müller", "muller");
  assert_fold ("Mu\314\210ller", "muller");
  assert_fold ("M\303\274\314\201ller", "muller"); /* ü with another mark on it */
  assert_fold ("STRASSE straße STRAẞE", "strasse strasse strasse");
  assert_fold ("Łódź Øresund Æ", "lodz oresund ae");
  assert_fold ("İstanbul", "istanbul");
  assert_fold ("ＡＢＣ１２３　ｘ", "abc123 x");
  assert_fold ("ｶﾞｷﾞ", "ガギ");
  assert_fold ("ﬁn №5", "fin no5");
  assert_fold ("张三\302\240李四", "张三 李四");
  assert_fold ("한국어", "한국어");
  assert_fold ("\341\204\222\341\205\241\341\206\253", "한"); /* jamo */
  assert_fold ("が", "が");
  assert_fold ("か\343\202\231", "が");
  assert_fold ("Ελλάδα Σίσυφος", "ελλαδα σισυφοσ");
  assert_fold ("Ёлка", "елка");
  assert_fold ("co\302\255operate", "cooperate"); /* soft hyphen */
  assert_fold ("😀 A", "😀 a");
  assert_fold ("\314\201", "");
  assert_fold ("नमस्ते", "नमस्ते");
}

static void
test_squash (void)
{
  static const char *const same[] = { "GTX Pro", "GTXPro", "gtx-pro", " G.T.X. (pro)",
                                      "ＧＴＸ　ＰＲＯ" };

  for (guint i = 0; i < G_N_ELEMENTS (same); i++)
    {
      g_autofree char *squashed = kt_text_squash (same[i]);

      g_assert_cmpstr (squashed, ==, "gtxpro");
    }
  {
    g_autofree char *none = kt_text_squash (" -- ! ");

    g_assert_cmpstr (none, ==, "");
  }
}

static void
test_normalize (void)
{
  static const struct
  {
    const char *from, *to;
  } cases[] = {
    { "", "" },
    { "a\r\nb\rc\nd\r\r\n", "a\nb\nc\nd\n\n" },
    { "Mu\314\210ller", "Müller" },
    { "Müller", "Müller" },
    { "\341\204\222\341\205\241\341\206\253", "한" },
    { "张三", "张三" },
    { "か\343\202\231", "が" },
    { "\344\270\200\314\201", "\344\270\200\314\201" },
    { "e\314\201\314\247", "\310\251\314\201" }, /* order of marks */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *once = kt_text_normalize (cases[i].from, -1);
      g_autofree char *twice = kt_text_normalize (once, -1);

      g_assert_cmpstr (once, ==, cases[i].to);
      g_assert_cmpstr (twice, ==, cases[i].to);
    }
  g_assert_null (kt_text_normalize ("a\377b", -1));
  g_assert_null (kt_text_normalize ("a\0b", 3));
  g_assert_null (kt_text_normalize ("\355\240\200", -1)); /* a surrogate */
  g_assert_null (kt_text_normalize ("\303", 1));
}

static void
assert_terms (const char *text, const char *expected)
{
  g_autoptr (GString) out = g_string_new (NULL);

  kt_text_index_terms (text, out);
  g_assert_cmpstr (out->str, ==, expected);
}

static void
test_index_terms (void)
{
  assert_terms ("", "");
  assert_terms (" ,;! ", "");
  assert_terms ("Anna Müller, Köln", "anna muller koln");
  assert_terms ("张三 Zhang", "张 三 zhang");
  assert_terms ("ABC公司123号", "abc 公 司 123 号");
  assert_terms ("O'Brien O’Neil", "o brien o neil obrien oneil");
  assert_terms ("gtx-pro", "gtx pro gtxpro");
  assert_terms ("12.50", "12 50");
  assert_terms ("+49 (30) 123-456", "49 30 123 456 4930123456 930123456 30123456 0123456");
  assert_terms ("+49 (0)30 123456", "49 0 30 123456 4930123456 930123456 30123456 0123456");
  assert_terms ("030/123456", "030 123456 030123456 30123456");
  assert_terms ("abc 2026-01-31", "abc 2026 01 31 20260131");
  assert_terms ("x1-23456", "x1 23456 x123456");
  /* Two numbers on two lines are two. */
  assert_terms ("030 123456\n040 654321",
                "030 123456 040 654321 030123456 30123456 040654321 40654321");
}

static void
test_terms_append (void)
{
  g_autoptr (GString) out = g_string_new ("first");

  kt_text_index_terms ("second", out);
  kt_text_pinyin_terms ("李雷", out);
  g_assert_cmpstr (out->str, ==, "first second lilei ll lei");
}

static void
assert_pinyin (const char *text, const char *expected)
{
  g_autoptr (GString) out = g_string_new (NULL);

  kt_text_pinyin_terms (text, out);
  g_assert_cmpstr (out->str, ==, expected);
}

static void
test_pinyin (void)
{
  assert_pinyin ("", "");
  assert_pinyin ("Anna", "");
  assert_pinyin ("張三", "zhangsan zs san");
  assert_pinyin ("张三", "zhangsan zs san");
  assert_pinyin ("张三 (北京)", "zhangsan zs san beijing bj jing");
  assert_pinyin ("吕布", "lvbu lb lubu bu");
  assert_pinyin ("阿", "a");
  assert_pinyin ("客户A公司", "kehu kh hu gongsi gs si");
  assert_pinyin ("日本語の", "ribenyu rby benyu by yu");
  /* As a surname, and a surname of two characters. */
  assert_pinyin ("曾国藩", "cengguofan cgf guofan gf fan zengguofan zgf");
  assert_pinyin ("尉迟恭", "weichigong wcg chigong cg gong yuchigong ycg");
  assert_pinyin ("单", "dan");
}

static void
assert_match (const char *typed, const char *expected)
{
  g_autofree char *match = kt_text_match (typed);

  g_assert_cmpstr (match, ==, expected);
}

static void
test_match (void)
{
  assert_match ("", NULL);
  assert_match (" \"*() - ", NULL);
  assert_match ("Mül", "\"mul\"*");
  assert_match ("anna mül", "(\"anna\" AND \"mul\"*) OR \"annamul\"*");
  assert_match ("a b c d e", "\"a\" AND \"b\" AND \"c\" AND \"d\" AND \"e\"*");
  assert_match ("张三", "\"张 三\"");
  assert_match ("张三 an", "\"张 三\" AND \"an\"*");
  assert_match ("foo\" OR bar*", "(\"foo\" AND \"or\" AND \"bar\"*) OR \"fooorbar\"*");
  assert_match ("+49 (30) 123-456",
                "(\"4930123456\"* OR (\"49\" AND \"30\" AND \"123\" AND \"456\"*))");
  assert_match ("+4930123456", "(\"4930123456\"*)");
  assert_match ("0049 30 123", "(\"4930123\"* OR (\"0049\" AND \"30\" AND \"123\"*))");
  assert_match ("030123456", "(\"030123456\"* OR \"30123456\"*)");
  assert_match ("anna 030 123456",
                "\"anna\" AND (\"030123456\"* OR \"30123456\"* OR (\"030\" AND \"123456\"*))");
}

/* Whatever is typed, the expression has balanced quotes and parentheses. */
static void
test_match_is_balanced (void)
{
  static const char alphabet[] = "ab1 0+-().\"*'^:é张/";

  for (guint i = 0; i < 20000; i++)
    {
      g_autoptr (GString) typed = g_string_new (NULL);
      g_autofree char *match = NULL;
      guint n = (guint) g_test_rand_int_range (0, 24);
      int depth = 0;
      gboolean quoted = FALSE;

      for (guint j = 0; j < n; j++)
        g_string_append_unichar (
          typed, g_utf8_get_char (g_utf8_offset_to_pointer (
                   alphabet, g_test_rand_int_range (0, (int) g_utf8_strlen (alphabet, -1)))));
      match = kt_text_match (typed->str);
      for (const char *p = match; p != NULL && *p != '\0'; p++)
        {
          if (*p == '"')
            quoted = !quoted;
          else if (!quoted && *p == '(')
            depth++;
          else if (!quoted && *p == ')')
            {
              depth--;
              g_assert_cmpint (p[-1], !=, '(');
            }
          g_assert_cmpint (depth, >=, 0);
        }
      g_assert_false (quoted);
      g_assert_cmpint (depth, ==, 0);
    }
}

static void
test_sort_key (void)
{
  static const char *const pinyin[] = { "阿里", "北京", "李雷", "上海", "张三" };
  static const char *const german[] = { "", "Ada", "Äpfel", "apfelsine", "Zebra" };

  for (guint i = 0; i + 1 < G_N_ELEMENTS (pinyin); i++)
    {
      g_autoptr (GBytes) a = kt_text_sort_key (pinyin[i], "zh_CN");
      g_autoptr (GBytes) b = kt_text_sort_key (pinyin[i + 1], "zh_CN");
      g_autoptr (GBytes) c = kt_text_sort_key (german[i], "de_DE.UTF-8");
      g_autoptr (GBytes) d = kt_text_sort_key (german[i + 1], "de_DE.UTF-8");
      gsize n;
      const guint8 *key = g_bytes_get_data (a, &n);

      g_assert_cmpint (g_bytes_compare (a, b), <, 0);
      g_assert_cmpint (g_bytes_compare (c, d), <, 0);
      g_assert_null (memchr (key, 0, n));
    }
  {
    g_autoptr (GBytes) nonsense = kt_text_sort_key ("abc", "no such locale");
    g_autofree char *text = g_strnfill (10000, 'x');
    g_autoptr (GBytes) large = kt_text_sort_key (text, NULL);
    g_autoptr (GBytes) c = kt_text_sort_key ("abc", "C");

    g_assert_cmpuint (g_bytes_get_size (nonsense), >, 0);
    g_assert_cmpuint (g_bytes_get_size (large), >, 512);
    g_assert_cmpuint (g_bytes_get_size (c), >, 0);
  }
}

static void
test_contains (void)
{
  g_assert_true (kt_text_contains ("Herr Müller", "mull"));
  g_assert_true (kt_text_contains ("x", ""));
  g_assert_false (kt_text_contains ("", "x"));
  g_assert_false (kt_text_contains ("Muster", "mull"));
}

static void
test_distance (void)
{
  g_assert_cmpuint (kt_text_distance ("stage", "stage", 2), ==, 0);
  g_assert_cmpuint (kt_text_distance ("stagee", "stage", 2), ==, 1);
  g_assert_cmpuint (kt_text_distance ("satge", "stage", 2), ==, 1);
  g_assert_cmpuint (kt_text_distance ("kitten", "sitting", 5), ==, 3);
  g_assert_cmpuint (kt_text_distance ("kitten", "sitting", 2), ==, 3);
  g_assert_cmpuint (kt_text_distance ("", "abc", 3), ==, 3);
  g_assert_cmpuint (kt_text_distance ("", "", 0), ==, 0);
  g_assert_cmpuint (kt_text_distance ("abcdefgh", "hgfedcba", 3), ==, 4);
  g_assert_cmpuint (kt_text_distance ("张三", "张四", 2), ==, 1);
}

/* Any text: folding is stable, and what is folded is valid and without double blanks. */
static void
test_fold_any (void)
{
  for (guint i = 0; i < 20000; i++)
    {
      g_autoptr (GString) text = g_string_new (NULL);
      g_autoptr (GString) terms = g_string_new (NULL);
      g_autofree char *once = NULL;
      g_autofree char *twice = NULL;
      g_autofree char *normal = NULL;
      g_autofree char *again = NULL;
      guint n = (guint) g_test_rand_int_range (0, 12);

      for (guint j = 0; j < n; j++)
        {
          static const gunichar limits[] = { 0x7f, 0x250, 0x370, 0x1200, 0x3100, 0x10000, 0x30000 };
          gunichar c = (gunichar) g_test_rand_int_range (
            1, (gint32) limits[g_test_rand_int_range (0, G_N_ELEMENTS (limits))]);

          if (g_unichar_validate (c))
            g_string_append_unichar (text, c);
        }
      once = kt_text_fold (text->str);
      twice = kt_text_fold (once);
      if (strcmp (once, twice) != 0)
        g_test_message ("text: %s", g_strescape (text->str, NULL));
      g_assert_cmpstr (once, ==, twice);
      g_assert_true (g_utf8_validate (once, -1, NULL));
      g_assert_null (strstr (once, "  "));
      normal = kt_text_normalize (text->str, -1);
      again = kt_text_normalize (normal, -1);
      g_assert_cmpstr (normal, ==, again);
      kt_text_index_terms (text->str, terms);
      kt_text_pinyin_terms (text->str, terms);
      g_assert_true (g_utf8_validate (terms->str, -1, NULL));
      g_assert_null (strstr (terms->str, "  "));
    }
}

static gpointer
thread_cb (gpointer data)
{
  g_autoptr (GString) out = g_string_new (NULL);

  for (gunichar c = 0x4e00; c < 0x5200; c++)
    {
      char text[8] = { 0 };

      g_unichar_to_utf8 (c, text);
      g_string_truncate (out, 0);
      kt_text_pinyin_terms (text, out);
    }
  for (gunichar c = 0xa0; c < 0x2000; c++)
    {
      char text[8] = { 0 };

      g_unichar_to_utf8 (c, text);
      g_free (kt_text_fold (text));
      g_bytes_unref (kt_text_sort_key (text, "zh_CN"));
    }
  return NULL;
}

static void
test_threads (void)
{
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("text", thread_cb, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
test_speed (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  double seconds;

  if (!g_test_perf ())
    {
      g_test_skip ("only with -m perf");
      return;
    }
  g_test_timer_start ();
  for (guint i = 0; i < 100000; i++)
    {
      g_string_truncate (out, 0);
      kt_text_index_terms ("Anna Müller", out);
      kt_text_index_terms ("anna.mueller@example-company.de", out);
      kt_text_index_terms ("+49 (30) 123-456", out);
      kt_text_index_terms ("Managing Director, Northern Region", out);
      kt_text_index_terms ("北京字节跳动科技有限公司", out);
      kt_text_pinyin_terms ("北京字节跳动科技有限公司", out);
      kt_text_pinyin_terms ("张三", out);
    }
  seconds = g_test_timer_elapsed ();
  g_test_minimized_result (seconds, "index terms of 100,000 contacts: %.3f s", seconds);
  g_assert_cmpfloat (seconds, <, 1.0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/text/fold", test_fold);
  g_test_add_func ("/text/fold-any", test_fold_any);
  g_test_add_func ("/text/squash", test_squash);
  g_test_add_func ("/text/normalize", test_normalize);
  g_test_add_func ("/text/index-terms", test_index_terms);
  g_test_add_func ("/text/terms-append", test_terms_append);
  g_test_add_func ("/text/pinyin", test_pinyin);
  g_test_add_func ("/text/match", test_match);
  g_test_add_func ("/text/match-is-balanced", test_match_is_balanced);
  g_test_add_func ("/text/sort-key", test_sort_key);
  g_test_add_func ("/text/contains", test_contains);
  g_test_add_func ("/text/distance", test_distance);
  g_test_add_func ("/text/threads", test_threads);
  g_test_add_func ("/text/speed", test_speed);
  return g_test_run ();
}
