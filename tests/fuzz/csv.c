/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A file that somebody wants to import. The first byte says in which pieces it is fed. */

#include "config.h"

#include "base/kt-csv.h"
#include "base/kt-error.h"
#include "fuzz.h"

typedef struct
{
  GPtrArray *rows; /* GStrv */
  GString *text;   /* the same with numbers and quotes, to compare; ends with what went wrong */
  char separator;
} File;

static void
file_clear (File *file)
{
  g_clear_pointer (&file->rows, g_ptr_array_unref);
  if (file->text != NULL)
    g_string_free (g_steal_pointer (&file->text), TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (File, file_clear)

static void
add_row (File *file, const KtCsvCell *cells, guint n, guint64 row)
{
  char **texts = g_new0 (char *, n + 1);

  g_assert_cmpuint (n, >, 0);
  g_string_append_printf (file->text, "%" G_GUINT64_FORMAT ":", row);
  for (guint i = 0; i < n; i++)
    {
      g_assert_true (g_utf8_validate (cells[i].text, -1, NULL));
      g_string_append_printf (file->text, "%c%s\n", cells[i].quoted ? '"' : '|', cells[i].text);
      texts[i] = g_strdup (cells[i].text);
    }
  g_ptr_array_add (file->rows, texts);
}

/* Fed in pieces of @piece bytes. */
static void
read_all (const uint8_t *data, size_t size, size_t piece, File *file)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtCsv) csv = kt_csv_new (data, MIN (size, 65536), NULL, 0, &error);
  size_t fed = 0;

  file->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  file->text = g_string_new (NULL);
  g_assert_true ((csv != NULL) == (error == NULL));
  while (csv != NULL && error == NULL)
    {
      guint64 row;
      guint n;
      const KtCsvCell *cells = kt_csv_next (csv, &n, &row, &error);

      if (cells != NULL)
        add_row (file, cells, n, row);
      else if (error == NULL && !kt_csv_finished (csv))
        {
          size_t len = MIN (piece, size - fed);

          g_assert_true (fed < size || fed == 0);
          kt_csv_feed (csv, data + fed, len, fed + len == size, &error);
          fed += len;
        }
      else
        break;
    }
  if (error != NULL)
    {
      fuzz_check_message (error->message);
      g_string_append (file->text, error->message);
    }
  file->separator = csv != NULL ? kt_csv_separator (csv) : 0;
}

/* A lone blank cell is a blank line. */
static gboolean
is_blank (char **row)
{
  return row[1] == NULL && row[0][0] == '\0';
}

/* What was read is written as CSV and comes back. */
static void
write_and_read (const File *file)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (KtCsv) csv = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < file->rows->len; i++)
    if (!is_blank (file->rows->pdata[i]))
      kt_csv_write_row (out, file->rows->pdata[i], g_strv_length (file->rows->pdata[i]), FALSE);
  if (out->len == 0)
    return;
  csv = kt_csv_new ((const guint8 *) "a,b", 3, "UTF-8", ',', &error);
  g_assert_no_error (error);
  kt_csv_feed (csv, (const guint8 *) out->str, out->len, TRUE, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < file->rows->len; i++)
    {
      char **row = file->rows->pdata[i];
      const KtCsvCell *back;
      guint64 number;
      guint n;

      if (is_blank (row))
        continue;
      back = kt_csv_next (csv, &n, &number, &error);
      g_assert_no_error (error);
      g_assert_nonnull (back);
      g_assert_cmpuint (n, ==, g_strv_length (row));
      for (guint c = 0; c < n; c++)
        g_assert_cmpstr (back[c].text, ==, row[c]);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_auto (File) whole = { 0 };
  g_auto (File) pieces = { 0 };
  g_auto (File) halves = { 0 };
  size_t piece;

  if (size < 1 || size > FUZZ_MAX)
    return 0;
  piece = 1 + data[0] % 67;
  data++;
  size--;
  read_all (data, size, size + 1, &whole);
  read_all (data, size, MAX (piece, size / 256), &pieces);
  g_assert_cmpint (whole.separator, ==, pieces.separator);
  g_assert_cmpstr (whole.text->str, ==, pieces.text->str);
  read_all (data, size, size / 2 + 1, &halves);
  g_assert_cmpstr (whole.text->str, ==, halves.text->str);
  write_and_read (&whole);
  return 0;
}
