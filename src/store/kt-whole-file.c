/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-whole-file.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include <gio/gunixoutputstream.h>

#include "base/kt-error.h"

struct _KtWholeFile
{
  char *path;
  char *beside; /* NULL: kept */
  int fd;
  GOutputStream *stream;
};

/* A path that cannot be is the caller's; what happens to a good one is the machine's. */
static KtError
code_of (int saved)
{
  switch (saved)
    {
    case ENOSPC:
    case EDQUOT:
      return KT_ERROR_FULL;
    case ENOENT:
    case ENOTDIR:
      return KT_ERROR_NOT_FOUND;
    case EISDIR:
    case EACCES:
    case EPERM:
    case EROFS:
    case ENAMETOOLONG:
      return KT_ERROR_INVALID;
    default:
      return KT_ERROR_IO;
    }
}

static gboolean
fail (const KtWholeFile *file, int saved, GError **error)
{
  g_set_error (error, KT_ERROR, code_of (saved), "%s cannot be written: %s", file->path,
               g_strerror (saved));
  return FALSE;
}

KtWholeFile *
_kt_whole_file_open (const char *path, GError **error)
{
  g_autoptr (KtWholeFile) file = g_new0 (KtWholeFile, 1);
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *hidden = g_strdup_printf (".%s.XXXXXX", name);

  file->path = g_strdup (path);
  file->beside = g_build_filename (folder, hidden, NULL);
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      g_clear_pointer (&file->beside, g_free);
      fail (file, EISDIR, error);
      return NULL;
    }
  file->fd = g_mkstemp (file->beside);
  if (file->fd < 0)
    {
      int saved = errno;

      g_clear_pointer (&file->beside, g_free);
      fail (file, saved, error);
      return NULL;
    }
  file->stream = g_unix_output_stream_new (file->fd, TRUE);
  return g_steal_pointer (&file);
}

gboolean
_kt_whole_file_write (KtWholeFile *file, GString *text, GCancellable *cancellable, GError **error)
{
  GError *failure = NULL;

  if (!g_output_stream_write_all (file->stream, text->str, text->len, NULL, cancellable, &failure))
    {
      if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, failure);
          return FALSE;
        }
      fail (file, g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_NO_SPACE) ? ENOSPC : EIO, error);
      g_error_free (failure);
      return FALSE;
    }
  g_string_truncate (text, 0);
  return TRUE;
}

gboolean
_kt_whole_file_keep (KtWholeFile *file, GError **error)
{
  if (fsync (file->fd) != 0 || !g_output_stream_close (file->stream, NULL, NULL)
      || g_rename (file->beside, file->path) != 0)
    return fail (file, errno, error);
  g_clear_pointer (&file->beside, g_free);
  return TRUE;
}

void
_kt_whole_file_free (KtWholeFile *file)
{
  if (file == NULL)
    return;
  g_clear_object (&file->stream);
  if (file->beside != NULL)
    g_unlink (file->beside);
  g_free (file->beside);
  g_free (file->path);
  g_free (file);
}
