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
#define BLOCK_BYTES  (256 * 1024)
#define MAX_BYTES    (G_GUINT64_CONSTANT (8) * 1024 * 1024 * 1024)

static gboolean
fail_errno (const char *path,
            int         saved,
            GError    **error)
{
  g_set_error (error, KT_ERROR, saved == ENOENT ? KT_ERROR_NOT_FOUND : KT_ERROR_IO, "%s cannot be read: %s.", path,
               g_strerror (saved));
  return FALSE;
}

static gssize
read_fully (int     fd,
            guint8 *buffer,
            gsize   size)
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
_kt_import_source_open (const char *path,
                        const char *encoding,
                        char        separator,
                        GError    **error)
{
  g_autoptr (KtImportSource) source = g_new0 (KtImportSource, 1);
  g_autofree guint8 *sample = g_malloc (SAMPLE_BYTES);
  struct stat info;
  gssize got;

  source->path = g_strdup (path);
  source->fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "%s is larger than 8 GB: split it.", path);
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
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s is empty: the first line has to name the columns.", path);
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

/* NULL without error: the end. */
const KtCsvCell *
_kt_import_source_next (KtImportSource *source,
                        guint          *n,
                        guint64        *row,
                        GError        **error)
{
  for (;;)
    {
      g_autoptr (GError) local_error = NULL;
      const KtCsvCell *cells = kt_csv_next (source->csv, n, row, &local_error);
      g_autofree guint8 *block = NULL;
      gssize got;

      if (cells != NULL)
        return cells;
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
  if (source->fd >= 0)
    close (source->fd);
  g_free (source->path);
  g_free (source);
}
