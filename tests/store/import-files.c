/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Files as people have them: every encoding with every separator, and what is no table at all. */

#include "config.h"

#include "import-kit.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kt-error.h"

/* ---- forms ---- */

static const char *const encodings[] = { "UTF-8", "UTF-16LE", "UTF-16BE", "GB18030" };

/* @mark: with a byte order mark. */
static GBytes *
encode (const char *text, const char *encoding, gboolean mark)
{
  g_autofree char *marked = mark ? g_strconcat ("\xef\xbb\xbf", text, NULL) : g_strdup (text);
  g_autoptr (GError) error = NULL;
  gsize len;
  char *bytes = g_convert (marked, -1, encoding, "UTF-8", NULL, &len, &error);

  g_assert_no_error (error);
  return g_bytes_new_take (bytes, len);
}

static void
check_form (Fix *fix,
            const char *encoding,
            gboolean mark,
            char separator,
            const char *end,
            gboolean sep_line)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (KtImportPlan) plan = NULL;
  g_autoptr (KtImportResult) result = NULL;
  g_autofree char *notes = NULL;
  const char *path;

  g_test_message ("%s %s '%c' %s", encoding, mark ? "marked" : "plain", separator,
                  sep_line ? "sep=" : "");
  if (sep_line)
    g_string_append_printf (text, "sep=%c%s", separator, end);
  g_string_append_printf (text, "客户名称%c电话%c备注%s", separator, separator, end);
  g_string_append_printf (
    text, "北京长城科技有限公司%c010-1234%c\"第一行\n第二行，有\"\"引号\"\"和%c\"%s", separator,
    separator, separator, end);
  g_string_append_printf (text, "上海贸易公司%c021-5678%c%s", separator, separator, end);
  g_string_append_printf (text, "广州电子商务集团%c%c无%s", separator, separator, end);
  bytes = encode (text->str, encoding, mark);
  path = kit_bytes (fix, "input.csv", g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  plan = kit_plan (fix, "account", path, "match:name", NULL);
  g_assert_cmpint (plan->separator, ==, separator);
  result = kit_run (fix, plan);
  g_assert_cmpuint (result->read, ==, 3);
  g_assert_cmpuint (result->failed, ==, 0);
  assert_get (fix, "account", "北京长城科技有限公司", "phone", "010-1234");
  notes = g_strdup_printf ("第一行\n第二行，有\"引号\"和%c", separator);
  assert_get (fix, "account", "北京长城科技有限公司", "description", notes);
}

static void
test_forms (Fix *fix, gconstpointer data)
{
  static const char separators[] = { ',', ';', '\t' };

  for (guint e = 0; e < G_N_ELEMENTS (encodings); e++)
    for (guint s = 0; s < G_N_ELEMENTS (separators); s++)
      {
        gboolean wide = g_str_has_prefix (encodings[e], "UTF-16");

        /* Without a mark UTF-16 in Chinese cannot be told from other bytes. */
        if (!wide)
          check_form (fix, encodings[e], FALSE, separators[s], "\r\n", FALSE);
        if (strcmp (encodings[e], "GB18030") != 0)
          check_form (fix, encodings[e], TRUE, separators[s], "\n", FALSE);
        check_form (fix, encodings[e], wide, separators[s], "\r\n", TRUE);
      }
}

static void
test_western (Fix *fix, gconstpointer data)
{
  g_autoptr (GBytes) bytes = encode ("Name|Ort\nMüller|Köln\n", "ISO-8859-1", FALSE);
  const char *path =
    kit_bytes (fix, "input.csv", g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  g_autoptr (KtImportPlan) plan = kit_plan (fix, "account", path, "Ort=billing_address.city", NULL);
  g_autoptr (KtImportResult) result = kit_run (fix, plan);

  assert_says (result, "c1 u0 =0 f0");
  assert_get (fix, "account", "Müller", "billing_address", "{\"city\":\"Köln\"}");
}

static void
test_header_only (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportResult) result = kit_import (fix, "account", "Name,Phone\r\n", NULL);

  assert_says (result, "c0 u0 =0 f0");
  g_assert_cmpuint (result->read, ==, 0);
}

static void
test_unnamed_columns (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportPlan) plan =
    kit_plan (fix, "account", kit_file (fix, "Name,,\nAcme,1,2\n"), "Column 3=phone", NULL);
  g_autoptr (KtImportResult) result = kit_run (fix, plan);

  assert_get (fix, "account", "Acme", "phone", "2");
}

/* ---- what is no table ---- */

static void
refuse (Fix *fix, const char *path, int code, const char *pattern)
{
  g_autoptr (GError) error = NULL;
  KtImportPlan *plan = kt_import_plan_new (fix->local, fix_object (fix, "account"), path, &error);

  g_assert_null (plan);
  g_assert_error (error, KT_ERROR, code);
  if (!g_pattern_match_simple (pattern, error->message))
    g_error ("“%s” does not match “%s”", error->message, pattern);
}

static void
refuse_bytes (Fix *fix, const void *bytes, gsize len, int code, const char *pattern)
{
  refuse (fix, kit_bytes (fix, "input.csv", bytes, len), code, pattern);
}

static void
test_no_table (Fix *fix, gconstpointer data)
{
  static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01";
  static const char jpeg[] = "\xff\xd8\xff\xe0\0\x10JFIF\0";
  static const char pdf[] = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n";
  static const char xlsx[] = "PK\x03\x04\x14\0\x06\0\x08\0[Content_Types].xml";
  static const char xls[] = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0";
  static const char binary[] = "a,b\n\0\0\0\0\1\2\3";

  refuse_bytes (fix, png, sizeof png, KT_ERROR_INVALID, "*input.csv*image*");
  refuse_bytes (fix, jpeg, sizeof jpeg, KT_ERROR_INVALID, "*image*");
  refuse_bytes (fix, pdf, sizeof pdf, KT_ERROR_INVALID, "*PDF*");
  refuse_bytes (fix, xlsx, sizeof xlsx, KT_ERROR_INVALID, "*CSV*");
  refuse_bytes (fix, xls, sizeof xls, KT_ERROR_INVALID, "*CSV*");
  refuse_bytes (fix, binary, sizeof binary, KT_ERROR_INVALID, "*");
  refuse_bytes (fix, "", 0, KT_ERROR_INVALID, "*is empty*");
  refuse_bytes (fix, "\n\n  \n", 2, KT_ERROR_INVALID, "*is empty*");
  refuse_bytes (fix, "\xef\xbb\xbf", 3, KT_ERROR_INVALID, "*is empty*");
}

static void
test_no_file (Fix *fix, gconstpointer data)
{
  g_autofree char *missing = g_build_filename (fix->dir, "none.csv", NULL);
  g_autofree char *pipe = g_build_filename (fix->dir, "pipe", NULL);

  refuse (fix, missing, KT_ERROR_NOT_FOUND, "*none.csv*cannot be read*");
  refuse (fix, fix->dir, KT_ERROR_INVALID, "*is a folder, not a file*");
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  refuse (fix, pipe, KT_ERROR_INVALID, "*a device or pipe, not a file*");
}

static void
test_no_permission (Fix *fix, gconstpointer data)
{
  const char *path = kit_file (fix, "Name\nAcme\n");

  if (geteuid () == 0)
    {
      g_test_skip ("root may read everything");
      return;
    }
  g_chmod (path, 0);
  refuse (fix, path, KT_ERROR_IO, "*cannot be read*ermission*");
}

static void
test_too_large (Fix *fix, gconstpointer data)
{
  const char *path = kit_file (fix, "Name\nAcme\n");

  if (truncate (path, (off_t) 5 * 1024 * 1024 * 1024) != 0)
    {
      g_test_skip ("no sparse files here");
      return;
    }
  refuse (fix, path, KT_ERROR_LIMIT, "*larger than 4 GB: split it*");
}

static void
test_too_many_columns (Fix *fix, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("a");

  for (guint i = 0; i < 2500; i++)
    g_string_append_printf (text, ",c%u", i);
  refuse (fix, kit_file (fix, text->str), KT_ERROR_LIMIT, "*more than 2000 columns*");
}

/* ---- broken further down ---- */

static void
test_breaks_off (Fix *fix, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("Name,Notes\n");
  g_autoptr (KtImportResult) result = NULL;
  const KtImportError *problem;

  for (guint i = 0; i < 700; i++)
    g_string_append_printf (text, "firm %u,x\n", i);
  g_string_append (text, "last,\"never closed\nfirm x,y\n");
  result = kit_import (fix, "account", text->str, NULL);
  g_assert_cmpuint (result->created, ==, 700); /* what is good goes in */
  g_assert_cmpuint (result->failed, ==, 1);
  problem = g_ptr_array_index (result->errors, 0);
  g_assert_nonnull (strstr (problem->message, "Line 702, column 2"));
}

static void
test_bad_bytes (Fix *fix, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("Name\n");
  g_autoptr (KtImportResult) result = NULL;

  while (text->len < 100 * 1024)
    g_string_append_printf (text, "Müller %u\n", (guint) text->len);
  g_string_append (text, "bad \xff\xfe bytes\nAcme\n");
  result = kit_import (fix, "account", text->str, NULL);
  g_assert_cmpuint (result->created, >, 1000);
  g_assert_cmpuint (result->failed, ==, 1);
}

static void
test_report_cannot_be_written (Fix *fix, gconstpointer data)
{
  g_autoptr (KtImportPlan) plan = kit_plan (fix, "account", kit_file (fix, "Name\nAcme\n"), NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (kt_import_run (fix->local, plan, FALSE, "/proc/none/report.csv", NULL, NULL, NULL,
                                NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_assert_cmpuint (fix_waiting (fix), ==, 0); /* said before the first row */
}

#define add(path, function) \
  g_test_add ("/store/import-files/" path, Fix, NULL, fix_set_up_ready, function, fix_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("forms", test_forms);
  add ("western", test_western);
  add ("header-only", test_header_only);
  add ("unnamed-columns", test_unnamed_columns);
  add ("no-table", test_no_table);
  add ("no-file", test_no_file);
  add ("no-permission", test_no_permission);
  add ("too-large", test_too_large);
  add ("too-many-columns", test_too_many_columns);
  add ("breaks-off", test_breaks_off);
  add ("bad-bytes", test_bad_bytes);
  add ("report", test_report_cannot_be_written);
  return g_test_run ();
}
