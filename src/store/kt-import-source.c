/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kt-error.h"

#define SAMPLE_BYTES (64 * 1024)
#define BLOCK_BYTES (256 * 1024)
#define MAX_BYTES (G_GUINT64_CONSTANT (4) * 1024 * 1024 * 1024)

static gboolean
fail_errno (const char *path, int saved, GError **error)
{
  g_set_error (error, KT_ERROR, saved == ENOENT ? KT_ERROR_NOT_FOUND : KT_ERROR_IO,
               "%s cannot be read: %s.", path, g_strerror (saved));
  return FALSE;
}

static gssize
read_fully (int fd, guint8 *buffer, gsize size)
{
  gsize got = 0;

  while (got < size)
    {
      gssize n = read (fd, buffer + got, size - got);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return -1;
      if (n == 0)
        break;
      got += (gsize) n;
    }
  return (gssize) got;
}

KtImportSource *
_kt_import_source_open (const char *path, const char *encoding, char separator, GError **error)
{
  g_autoptr (KtImportSource) source = g_new0 (KtImportSource, 1);
  g_autofree guint8 *sample = g_malloc (SAMPLE_BYTES);
  struct stat info;
  gssize got;

  source->path = g_strdup (path);
  source->fd =
    open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer would block */
  if (source->fd < 0 || fstat (source->fd, &info) < 0)
    {
      fail_errno (path, errno, error);
      return NULL;
    }
  if (!S_ISREG (info.st_mode))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s is %s, not a file.", path,
                   S_ISDIR (info.st_mode) ? "a folder" : "a device or pipe");
      return NULL;
    }
  source->total = (guint64) info.st_size;
  if (source->total > MAX_BYTES)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "%s is larger than 4 GB: split it.", path);
      return NULL;
    }
  got = read_fully (source->fd, sample, SAMPLE_BYTES);
  if (got < 0 || lseek (source->fd, 0, SEEK_SET) < 0)
    {
      fail_errno (path, errno, error);
      return NULL;
    }
  if (got == 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "%s is empty: the first line has to name the columns.", path);
      return NULL;
    }
  source->csv = kt_csv_new (sample, (gsize) got, encoding, separator, error);
  if (source->csv == NULL)
    {
      g_prefix_error (error, "%s: ", path);
      return NULL;
    }
  return g_steal_pointer (&source);
}

/* A writer that knows no quotes leaves commas in texts as they are:
 *
 *     HANAR,Hanari Carnes,Rua do Paço, 67,Rio de Janeiro
 *
 * In a text a comma is followed by a blank, between cells it is not. Where exactly as many cells begin with a
 * blank as there are too many, each belongs to the one before it. Anything less certain is left to the reader. */
static const KtCsvCell *
mend_row (KtImportSource *source, const KtCsvCell *cells, guint *n)
{
  g_autoptr (GArray) starts = NULL;
  char separator = kt_csv_separator (source->csv);
  guint blanks = 0;

  for (guint i = 0; i < *n; i++)
    if (cells[i].text[0] == ' ' && !cells[i].quoted && i > 0 && !cells[i - 1].quoted)
      blanks++;
  if (blanks != *n - source->width || separator != ',')
    return cells;

  starts = g_array_new (FALSE, FALSE, sizeof (gsize));
  if (source->joined == NULL)
    {
      source->joined = g_string_new (NULL);
      source->cells = g_array_new (FALSE, TRUE, sizeof (KtCsvCell));
    }
  g_string_truncate (source->joined, 0);
  g_array_set_size (source->cells, 0);
  for (guint i = 0; i < *n; i++)
    {
      gboolean joins = i > 0 && cells[i].text[0] == ' ' && !cells[i].quoted && !cells[i - 1].quoted;

      if (joins)
        source->joined->str[source->joined->len - 1] = separator;
      else
        {
          gsize start = source->joined->len;

          g_array_append_val (starts, start);
          g_array_append_val (source->cells, cells[i]);
        }
      g_string_append_len (source->joined, cells[i].text, (gssize) strlen (cells[i].text) + 1);
    }
  for (guint i = 0; i < source->cells->len; i++)
    g_array_index (source->cells, KtCsvCell, i).text =
      source->joined->str + g_array_index (starts, gsize, i);
  if (source->mended++ == 0)
    for (guint i = 0; i < source->cells->len && source->mended_sample == NULL; i++)
      {
        const KtCsvCell *cell = &g_array_index (source->cells, KtCsvCell, i);

        if (!cell->quoted && strchr (cell->text, separator) != NULL)
          source->mended_sample = g_strdup (cell->text);
      }
  *n = source->cells->len;
  return (const KtCsvCell *) source->cells->data;
}

static const KtCsvCell *
fit_row (KtImportSource *source, const KtCsvCell *cells, guint *n)
{
  if (source->width == 0)
    source->width = *n;
  /* Spreadsheets end rows in empty cells. */
  while (*n > source->width && cells[*n - 1].text[0] == '\0')
    (*n)--;
  return *n > source->width ? mend_row (source, cells, n) : cells;
}

/* NULL without error: the end. A row keeps more cells than the first one has only when it cannot be told where
 * they belong. */
const KtCsvCell *
_kt_import_source_next (KtImportSource *source, guint *n, guint64 *row, GError **error)
{
  for (;;)
    {
      g_autoptr (GError) local_error = NULL;
      const KtCsvCell *cells = kt_csv_next (source->csv, n, row, &local_error);
      g_autofree guint8 *block = NULL;
      gssize got;

      if (cells != NULL)
        return fit_row (source, cells, n);
      if (local_error != NULL)
        {
          g_propagate_prefixed_error (error, g_steal_pointer (&local_error), "%s: ", source->path);
          return NULL;
        }
      if (source->ended)
        return NULL;
      block = g_malloc (BLOCK_BYTES);
      got = read_fully (source->fd, block, BLOCK_BYTES);
      if (got < 0)
        {
          fail_errno (source->path, errno, error);
          return NULL;
        }
      source->fed += (guint64) got;
      source->ended = got < BLOCK_BYTES;
      if (!kt_csv_feed (source->csv, block, (gsize) got, source->ended, error))
        {
          g_prefix_error (error, "%s: ", source->path);
          return NULL;
        }
    }
}

void
_kt_import_source_free (KtImportSource *source)
{
  if (source == NULL)
    return;
  g_clear_pointer (&source->csv, kt_csv_free);
  g_clear_pointer (&source->cells, g_array_unref);
  if (source->joined != NULL)
    g_string_free (source->joined, TRUE);
  g_free (source->mended_sample);
  if (source->fd >= 0)
    close (source->fd);
  g_free (source->path);
  g_free (source);
}
