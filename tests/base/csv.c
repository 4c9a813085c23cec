/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "base/kt-csv.h"
#include "base/kt-error.h"

/* The whole of @bytes as rows "line:a|b|c\n"; an error ends it with "!message". */
static char *
read_all (const char *bytes, gsize len, gsize chunk, const char *encoding, char separator)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtCsv) csv = kt_csv_new ((const guint8 *) bytes, len, encoding, separator, &error);
  GString *out = g_string_new (NULL);
  gsize at = 0;

  if (csv == NULL)
    {
      g_string_append_printf (out, "!%s", error->message);
      return g_string_free (out, FALSE);
    }
  while (!kt_csv_finished (csv))
    {
      const KtCsvCell *cells;
      guint n;
      guint64 row;
      gsize take = MIN (chunk, len - at);

      g_assert_true (
        kt_csv_feed (csv, (const guint8 *) bytes + at, take, at + take == len, &error));
      at += take;
      while ((cells = kt_csv_next (csv, &n, &row, &error)) != NULL)
        {
          g_string_append_printf (out, "%" G_GUINT64_FORMAT ":", row);
          for (guint i = 0; i < n; i++)
            g_string_append_printf (out, "%s%s", i > 0 ? "|" : "", cells[i].text);
          g_string_append_c (out, '\n');
        }
      if (error != NULL)
        {
          g_string_append_printf (out, "!%s", error->message);
          g_assert_true (kt_csv_finished (csv));
          break;
        }
    }
  return g_string_free (out, FALSE);
}

/* However the bytes arrive, the rows are the same. */
static void
assert_rows_len (const char *bytes,
                 gsize len,
                 const char *encoding,
                 char separator,
                 const char *expected)
{
  static const gsize chunks[] = { 1, 2, 3, 7, 1000000 };

  for (guint i = 0; i < G_N_ELEMENTS (chunks); i++)
    {
      g_autofree char *rows = read_all (bytes, len, chunks[i], encoding, separator);

      g_assert_cmpstr (rows, ==, expected);
    }
}

static void
assert_rows (const char *bytes, const char *expected)
{
  assert_rows_len (bytes, strlen (bytes), NULL, 0, expected);
}

static void
test_rows (void)
{
  assert_rows ("", "");
  assert_rows ("\n\n\r\n", "");
  assert_rows ("a,b\r\n1,2\r\n", "1:a|b\n2:1|2\n");
  assert_rows ("a,b\n1,2", "1:a|b\n2:1|2\n");
  assert_rows ("a,b\r1,2\r", "1:a|b\n2:1|2\n");
  assert_rows ("a,b\n\n\n1,\n,\n", "1:a|b\n4:1|\n5:|\n");
  assert_rows ("a,b\n1,2,", "1:a|b\n2:1|2|\n");
  assert_rows ("a\nb\n", "1:a\n2:b\n");
  assert_rows ("a,b\n\"\"\n", "1:a|b\n2:\n");
}

static void
test_quotes (void)
{
  assert_rows ("a,\"b,c\"\n", "1:a|b,c\n");
  assert_rows ("a,\"b \"\"c\"\"\"\n", "1:a|b \"c\"\n");
  assert_rows ("a,\"b\nc\r\nd\"\ne,f\n", "1:a|b\nc\r\nd\n4:e|f\n");
  assert_rows ("a,5\" pipe\nb,\"x\"\n", "1:a|5\" pipe\n2:b|x\n");
  assert_rows ("a,\"b\"c\"d\nx,y\n", "1:a|bc\"d\n2:x|y\n");
  assert_rows ("a,\"\"\n", "1:a|\n");
  assert_rows ("a,\"b\"", "1:a|b\n");
  assert_rows ("a,b\nc,\"d\n\ne",
               "1:a|b\n!Line 2, column 2: the quote opened there is never closed");
}

static void
test_separators (void)
{
  assert_rows ("a;b;c\n1,5;2,5;3\n", "1:a|b|c\n2:1,5|2,5|3\n");
  assert_rows ("a\tb\n1,2\t3\n", "1:a|b\n2:1,2|3\n");
  assert_rows ("a|b\n1|2\n", "1:a|b\n2:1|2\n");
  assert_rows ("sep=;\r\na;b\r\n", "2:a|b\n");
  assert_rows ("\357\273\277sep=;\na,b;c\n", "2:a,b|c\n");
  assert_rows ("Report of today\n\na;b;c\n1;2;3\n4;5;6\n",
               "1:Report of today\n3:a|b|c\n4:1|2|3\n5:4|5|6\n");
  assert_rows ("a;\"b;,,,,\"\n1;\"2,3,4\"\n", "1:a|b;,,,,\n2:1|2,3,4\n");
  assert_rows_len ("a;b,c\n", 6, NULL, ',', "1:a;b|c\n");
  assert_rows_len ("sep=;\na;b,c\n", 12, NULL, ',', "2:a;b|c\n");
  assert_rows_len ("sep=;\na;b,c\n", 12, NULL, ';', "2:a|b,c\n");
}

static void
test_marks (void)
{
  assert_rows ("\357\273\277a,b\n1,2\n", "1:a|b\n2:1|2\n");
  assert_rows ("\357\273\277\"a\",b\n1,2\n", "1:a|b\n2:1|2\n");
  /* Two files put together. */
  assert_rows ("a,b\n\357\273\277\"a\",b\n", "1:a|b\n2:a|b\n");
  assert_rows ("a,\357\273\277b\n", "1:a|\357\273\277b\n");
}

static char *
convert (const char *text, const char *encoding, gsize *len)
{
  g_autoptr (GError) error = NULL;
  char *bytes = g_convert (text, -1, encoding, "UTF-8", NULL, len, &error);

  g_assert_no_error (error);
  return bytes;
}

static void
test_encodings (void)
{
  static const struct
  {
    const char *text, *encoding, *detected;
  } cases[] = {
    { "name,city\nMüller,Köln\n", "UTF-8", "UTF-8" },
    { "name,city\nabc,def\n", "UTF-8", "UTF-8" },
    { "name;city\nMüller;Köln\nGröße;Äpfel\nGRÖßE;x\n", "WINDOWS-1252", "WINDOWS-1252" },
    { "nom;ville\nAndré;Orléans\nÉloïse;Saint-Étienne\n", "WINDOWS-1252", "WINDOWS-1252" },
    { "price\n5 €\n", "WINDOWS-1252", "WINDOWS-1252" },
    { "客户,城市\n张三,北京\n", "GB18030", "GB18030" },
    { "姓名,性别\n张三,男\n朱镕基,女\n", "GB18030", "GB18030" },
    { "name,city\nMüller,Köln\n", "UTF-16LE", "UTF-16LE" },
    { "name,city\nMüller,Köln\n", "UTF-16BE", "UTF-16BE" },
    { "客户名称,城市名称\n张三李四王五,北京上海广州\n", "UTF-16LE", "UTF-16LE" },
    { "客户名称,城市名称\n张三李四王五,北京上海广州\n", "UTF-16BE", "UTF-16BE" },
    { "\357\273\277客户\t😀\n张三\t北京\n", "UTF-16LE", "UTF-16LE" },
    { "\357\273\277客户\t😀\n张三\t北京\n", "UTF-16BE", "UTF-16BE" },
    { "\357\273\277客户\t😀\n张三\t北京\n", "UTF-32LE", "UTF-32LE" },
    { "𠮷野家,x\n张三,y\n", "GB18030", "GB18030" },
    { "name,city\nMéxico,Köln\n", "GB18030", "GB18030" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      gsize len;
      g_autofree char *bytes = convert (cases[i].text, cases[i].encoding, &len);
      g_autofree char *expected =
        read_all (cases[i].text, strlen (cases[i].text), 4096, "UTF-8", 0);
      g_autoptr (GError) error = NULL;
      g_autoptr (KtCsv) csv = kt_csv_new ((const guint8 *) bytes, len, NULL, 0, &error);

      g_test_message ("case %u", i);
      g_assert_no_error (error);
      g_assert_cmpstr (kt_csv_encoding (csv), ==, cases[i].detected);
      assert_rows_len (bytes, len, NULL, 0, expected);
    }
}

static void
test_override (void)
{
  gsize len;
  g_autofree char *bytes = convert ("東京,大阪\n", "SHIFT_JIS", &len);
  g_autoptr (GError) error = NULL;

  assert_rows_len (bytes, len, "Shift_JIS", 0, "1:東京|大阪\n");
  g_assert_null (kt_csv_new ((const guint8 *) "a", 1, "no-such-encoding", 0, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
}

static void
test_bad_bytes (void)
{
  assert_rows_len (
    "a,b\nc,d\nx,y\377z\n", 14, "UTF-8", ',',
    "1:a|b\n2:c|d\n!Line 3, column 2: byte 0xFF is not valid UTF-8; choose the file's encoding");
  assert_rows_len (
    "a,b\nx,\303", 7, "UTF-8", ',',
    "1:a|b\n!Line 2, column 2: the file ends in the middle of a character; it seems to be cut off");
  assert_rows_len ("a,b\nx,\0y\n", 9, "UTF-8", ',',
                   "1:a|b\n!Line 2, column 2: there is a NUL byte, so this is not text");
  assert_rows_len (
    "a,b\nx,\201\n", 8, "GB18030", ',',
    "1:a|b\n!Line 2, column 2: byte 0x81 is not valid GB18030; choose the file's encoding");
  assert_rows_len (
    "a\0,\0b\0\n\0x\0", 11, "UTF-16LE", ',',
    "1:a|b\n!Line 2, column 1: the file ends in the middle of a character; it seems to be cut off");
}

static void
test_not_csv (void)
{
  static const struct
  {
    const char *bytes;
    gsize len;
    const char *word;
  } cases[] = {
    { "\211PNG\r\n\032\n\0\0\0\rIHDR", 16, "PNG image" },
    { "\377\330\377\340\0\020JFIF", 10, "JPEG image" },
    { "GIF89a\1\0\1\0", 10, "GIF image" },
    { "%PDF-1.4\n", 9, "PDF document" },
    { "PK\003\004\024\0\6\0\b\0\0\0!\0[Content_Types].xml", 33, ".xlsx" },
    { "PK\003\004\024\0\0\0\0\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet", 64,
      ".ods" },
    { "PK\003\004\024\0\0\0\0\0readme.txt", 20, "ZIP archive" },
    { "\037\213\b\0\0\0\0\0", 8, "gzip archive" },
    { "\177ELF\2\1\1\0", 8, "program" },
    { "\320\317\021\340\241\261\032\341\0\0", 10, ".xls" },
    { "  <!DOCTYPE html><html>", 23, "web page" },
    { "\0\1\2\3\4\0\0\5\6", 9, "binary" },
    { "a,b\0c\n", 6, "binary" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (kt_csv_new ((const guint8 *) cases[i].bytes, cases[i].len, NULL, 0, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, cases[i].word));
    }
}

static void
test_limits (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *rows = NULL;

  for (guint i = 0; i < 2100; i++)
    g_string_append_c (text, ',');
  rows = read_all (text->str, text->len, 4096, NULL, 0);
  g_assert_true (g_str_has_prefix (rows, "!Line 1: more than 2000 columns"));
  g_clear_pointer (&rows, g_free);

  g_string_assign (text, "a,b\n\"x");
  for (guint i = 0; i < 5 * 1024 * 1024 / 8; i++)
    g_string_append (text, "1234,67\n");
  rows = read_all (text->str, text->len, 65536, NULL, 0);
  g_assert_cmpstr (rows, ==,
                   "1:a|b\n!Line 2, column 1: the quote opened there is not closed within 4 MiB");
  g_clear_pointer (&rows, g_free);

  g_string_assign (text, "a,b\n");
  for (guint i = 0; i < 5 * 1024 * 1024 / 8; i++)
    g_string_append (text, "12345678");
  rows = read_all (text->str, text->len, 65536, NULL, 0);
  g_assert_cmpstr (rows, ==, "1:a|b\n!Line 2, column 1: a cell larger than 4 MiB");
  g_clear_pointer (&rows, g_free);

  g_string_assign (text, "a,b\n");
  for (guint i = 0; i < 20 * 1024 * 1024 / 16 / 1024; i++)
    for (guint j = 0; j < 1024; j++)
      g_string_append (text, j == 0 ? ",234567812345678" : "1234567812345678");
  rows = read_all (text->str, text->len, 65536, NULL, 0);
  g_assert_cmpstr (rows, ==, "1:a|b\n!Line 2: a row larger than 16 MiB");
}

static void
test_write (void)
{
  static const char *const plain[] = { "a", "b,c", "d\"e", "f\ng", "", " h ", NULL };
  static const char *const danger[] = { "=1+1", "+49 30", "-5",  "-12.5", "+3e5", "@x",
                                        "\tx",  "-cmd",   "a=b", "-",     "=a,b" };
  g_autoptr (GString) out = g_string_new (NULL);

  kt_csv_write_row (out, plain, 7, FALSE);
  g_assert_cmpstr (out->str, ==, "a,\"b,c\",\"d\"\"e\",\"f\ng\",, h ,\r\n");
  g_string_truncate (out, 0);
  kt_csv_write_row (out, danger, G_N_ELEMENTS (danger), TRUE);
  g_assert_cmpstr (out->str, ==, "'=1+1,'+49 30,-5,-12.5,+3e5,'@x,'\tx,'-cmd,a=b,'-,\"'=a,b\"\r\n");
  g_string_truncate (out, 0);
  kt_csv_write_row (out, danger, 1, FALSE);
  g_assert_cmpstr (out->str, ==, "=1+1\r\n");
}

/* Random tables, written and read back in every encoding and in random pieces. */
static void
test_round_trip (void)
{
  static const char *const encodings[] = { "UTF-8", "UTF-16LE", "UTF-16BE", "GB18030", "UTF-32LE" };
  static const char *const pieces[] = { "a", "bc", "\"", ",", "\n", "\r", "\r\n", ";",
                                        " ", "é",  "张", "😀", "\t", "=",  "sep=", "\357\273\277",
                                        "1" };

  for (guint round = 0; round < 600; round++)
    {
      g_autoptr (GString) text = g_string_new (NULL);
      g_autoptr (GPtrArray) expected = g_ptr_array_new_with_free_func (g_free);
      g_autoptr (GArray) widths = g_array_new (FALSE, FALSE, sizeof (guint));
      const char *encoding = encodings[g_test_rand_int_range (0, G_N_ELEMENTS (encodings))];
      guint n_rows = (guint) g_test_rand_int_range (1, 12);
      g_autofree char *bytes = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (KtCsv) csv = NULL;
      gsize len, at = 0;
      guint row = 0, cell = 0;

      for (guint i = 0; i < n_rows; i++)
        {
          guint width = (guint) g_test_rand_int_range (1, 6);
          const char *cells[6];

          g_array_append_val (widths, width);
          for (guint j = 0; j < width; j++)
            {
              GString *one = g_string_new (NULL);
              guint n = (guint) g_test_rand_int_range (0, 6);

              for (guint k = 0; k < n; k++)
                g_string_append (one, pieces[g_test_rand_int_range (0, G_N_ELEMENTS (pieces))]);
              cells[j] = g_string_free (one, FALSE);
              g_ptr_array_add (expected, (char *) cells[j]);
            }
          kt_csv_write_row (text, cells, width, FALSE);
        }
      bytes = g_convert (text->str, (gssize) text->len, encoding, "UTF-8", NULL, &len, &error);
      g_assert_no_error (error);
      csv = kt_csv_new ((const guint8 *) bytes, len, encoding, ',', &error);
      g_assert_no_error (error);
      while (!kt_csv_finished (csv))
        {
          gsize random = (gsize) g_test_rand_int_range (0, 40);
          gsize take = MIN (random, len - at);
          const KtCsvCell *cells;
          guint n;

          kt_csv_feed (csv, (const guint8 *) bytes + at, take, at + take == len, &error);
          at += take;
          while ((cells = kt_csv_next (csv, &n, NULL, &error)) != NULL)
            {
              g_assert_cmpuint (row, <, widths->len);
              g_assert_cmpuint (n, ==, g_array_index (widths, guint, row));
              for (guint i = 0; i < n; i++)
                g_assert_cmpstr (cells[i].text, ==, g_ptr_array_index (expected, cell++));
              row++;
            }
          if (error != NULL)
            g_test_message ("round %u, %s, %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes", round,
                            encoding, at, len);
          g_assert_no_error (error);
        }
      g_assert_cmpuint (row, ==, widths->len);
    }
}

/* Bytes that mean nothing: an error or rows, never more. */
static void
test_garbage (void)
{
  static const char *const encodings[] = { NULL,      "UTF-8",        "UTF-16LE",
                                           "GB18030", "WINDOWS-1252", "SHIFT_JIS" };

  for (guint round = 0; round < 20000; round++)
    {
      char bytes[64];
      gsize len = (gsize) g_test_rand_int_range (0, sizeof bytes);
      const char *encoding = encodings[g_test_rand_int_range (0, G_N_ELEMENTS (encodings))];
      g_autofree char *at_once = NULL;
      g_autofree char *in_pieces = NULL;

      for (gsize i = 0; i < len; i++)
        {
          static const char usual[] = "a,\"\n\r;\t \357\273\277";

          bytes[i] = g_test_rand_int_range (0, 3) == 0
                       ? (char) g_test_rand_int_range (0, 256)
                       : usual[g_test_rand_int_range (0, sizeof usual - 1)];
        }
      at_once = read_all (bytes, len, len + 1, encoding, 0);
      in_pieces = read_all (bytes, len, 1 + (gsize) g_test_rand_int_range (0, 5), encoding, 0);
      g_assert_cmpstr (at_once, ==, in_pieces);
      g_assert_true (g_utf8_validate (at_once, -1, NULL));
    }
}

static void
test_speed (void)
{
  static const char *const encodings[] = { "UTF-8", "WINDOWS-1252", "GB18030", "UTF-16LE" };
  g_autoptr (GString) text = g_string_new (NULL);

  if (!g_test_perf ())
    {
      g_test_skip ("only with -m perf");
      return;
    }
  for (guint i = 0; i < 200000; i++)
    g_string_append_printf (
      text,
      "%u,Anna Müller,\"Example GmbH, Köln\",anna.mueller@example.com,+49 30 123456,2026-01-31,12345.67\r\n",
      i);
  for (guint e = 0; e < G_N_ELEMENTS (encodings); e++)
    {
      gsize len;
      g_autofree char *bytes = convert (text->str, encodings[e], &len);
      g_autoptr (KtCsv) csv = NULL;
      guint64 n_cells = 0, n_fed = 0;
      double seconds;

      g_test_timer_start ();
      csv = kt_csv_new ((const guint8 *) bytes, MIN (len, 65536), encodings[e], 0, NULL);
      for (guint round = 0; round < 4; round++)
        for (gsize at = 0; at < len; at += 65536)
          {
            guint n;

            kt_csv_feed (csv, (const guint8 *) bytes + at, MIN (65536, len - at),
                         round == 3 && at + 65536 >= len, NULL);
            n_fed += MIN (65536, len - at);
            while (kt_csv_next (csv, &n, NULL, NULL) != NULL)
              n_cells += n;
          }
      seconds = g_test_timer_elapsed ();
      g_assert_cmpuint (n_cells, ==, 4 * 200000 * 7);
      g_test_maximized_result ((double) n_fed / 1e6 / seconds, "%s: %.0f MB/s", encodings[e],
                               (double) n_fed / 1e6 / seconds);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/csv/rows", test_rows);
  g_test_add_func ("/csv/quotes", test_quotes);
  g_test_add_func ("/csv/separators", test_separators);
  g_test_add_func ("/csv/marks", test_marks);
  g_test_add_func ("/csv/encodings", test_encodings);
  g_test_add_func ("/csv/override", test_override);
  g_test_add_func ("/csv/bad-bytes", test_bad_bytes);
  g_test_add_func ("/csv/not-csv", test_not_csv);
  g_test_add_func ("/csv/limits", test_limits);
  g_test_add_func ("/csv/write", test_write);
  g_test_add_func ("/csv/round-trip", test_round_trip);
  g_test_add_func ("/csv/garbage", test_garbage);
  g_test_add_func ("/csv/speed", test_speed);
  return g_test_run ();
}
