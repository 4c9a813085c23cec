/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Attachments by content: blobs/ab/abcdef… is written beside, made durable and
 * renamed, so that under its name a blob is always whole.                        */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BLOB_BYTES (G_GINT64_CONSTANT (64) * 1024 * 1024 * 1024) /* the server's limit, too */
#define CHUNK (256 * 1024)

gboolean
_kt_local_is_sha256 (const char *text)
{
  return text != NULL && strlen (text) == 64 && strspn (text, "0123456789abcdef") == 64;
}

static gboolean
file_error (GError **error, int saved, const char *doing, const char *path)
{
  KtError code = KT_ERROR_IO;

  if (saved == ENOSPC || saved == EDQUOT)
    code = KT_ERROR_FULL;
  else if (saved == ENOENT)
    code = KT_ERROR_NOT_FOUND;
  else if (saved == EISDIR)
    code = KT_ERROR_INVALID;
  g_set_error (error, KT_ERROR, code, "%s could not be %s: %s", path, doing, g_strerror (saved));
  return FALSE;
}

char *
kt_local_blob_path (KtLocal *local, const char *sha256)
{
  char folder[3] = { 0 };

  g_return_val_if_fail (sha256 != NULL && _kt_local_is_sha256 (sha256), NULL);

  memcpy (folder, sha256, 2);
  return g_build_filename (local->dir, "blobs", folder, sha256, NULL);
}

gboolean
kt_local_blob_have (KtLocal *local, const char *sha256, gint64 *size)
{
  g_autofree char *path = NULL;
  GStatBuf st;

  if (sha256 == NULL || !_kt_local_is_sha256 (sha256))
    return FALSE;
  path = kt_local_blob_path (local, sha256);
  if (g_stat (path, &st) != 0 || !S_ISREG (st.st_mode))
    return FALSE;
  if (size != NULL)
    *size = st.st_size;
  return TRUE;
}

static gboolean
write_all (int fd, const guint8 *data, gsize len, const char *path, GError **error)
{
  while (len > 0)
    {
      ssize_t n = write (fd, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return file_error (error, errno, "written", path);
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

static gboolean
copy (int from,
      int to,
      const char *path,
      const char *target,
      GChecksum *sum,
      gint64 *size,
      GCancellable *cancellable,
      GError **error)
{
  g_autofree guint8 *buffer = g_malloc (CHUNK);

  *size = 0;
  for (;;)
    {
      ssize_t n = read (from, buffer, CHUNK);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return file_error (error, errno, "read", path);
      if (n == 0)
        break;
      *size += n;
      if (*size > MAX_BLOB_BYTES)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "%s is larger than 64 GiB", path);
          return FALSE;
        }
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      g_checksum_update (sum, buffer, n);
      if (!write_all (to, buffer, (gsize) n, target, error))
        return FALSE;
    }
  return fsync (to) == 0 || file_error (error, errno, "written", target);
}

static gboolean
copy_in (KtLocal *local,
         const char *path,
         const char *part,
         char **sha256,
         gint64 *size,
         GCancellable *cancellable,
         GError **error)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  int from = g_open (path, O_RDONLY | O_CLOEXEC, 0);
  int to;
  gboolean done;

  if (from < 0)
    return file_error (error, errno, "opened", path);
  to = g_open (part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (to < 0)
    {
      done = file_error (error, errno, "made", part);
      close (from);
      return done;
    }
  done = copy (from, to, path, part, sum, size, cancellable, error);
  close (from);
  if (close (to) != 0 && done)
    done = file_error (error, errno, "written", part);
  if (done)
    *sha256 = g_strdup (g_checksum_get_string (sum));
  return done;
}

static gboolean
place (KtLocal *local, const char *part, const char *sha256, GError **error)
{
  g_autofree char *target = kt_local_blob_path (local, sha256);
  g_autofree char *folder = g_path_get_dirname (target);

  if (kt_local_blob_have (local, sha256, NULL))
    {
      g_unlink (part);
      return TRUE;
    }
  if (g_mkdir_with_parents (folder, 0700) != 0)
    return file_error (error, errno, "made", folder);
  return g_rename (part, target) == 0 || file_error (error, errno, "made", target);
}

gboolean
kt_local_blob_add (KtLocal *local,
                   const char *path,
                   char **sha256,
                   gint64 *size,
                   GCancellable *cancellable,
                   GError **error)
{
  g_autofree char *folder = g_build_filename (local->dir, "blobs", NULL);
  g_autofree char *name = NULL;
  g_autofree char *part = NULL;
  g_autofree char *sum = NULL;
  gint64 n = 0;
  KtId id;

  g_return_val_if_fail (path != NULL, FALSE);

  id = kt_id_new (local->env);
  name = kt_id_to_string (&id);
  part = g_strdup_printf ("%s/%s.part", folder, name);
  if (g_mkdir_with_parents (folder, 0700) != 0)
    return file_error (error, errno, "made", folder);
  if (!copy_in (local, path, part, &sum, &n, cancellable, error)
      || !place (local, part, sum, error))
    {
      g_unlink (part);
      return FALSE;
    }
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (kt_db_run (
        local->db, error,
        "INSERT INTO kt_blob (sha256, size, sent) VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING",
        KT_BIND_TEXT, sum, KT_BIND_INT, n, KT_BIND_END)
      < 0)
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  if (!_kt_local_commit (local, error))
    return FALSE;
  if (sha256 != NULL)
    *sha256 = g_steal_pointer (&sum);
  if (size != NULL)
    *size = n;
  return TRUE;
}

GPtrArray *
kt_local_blobs_to_send (KtLocal *local, GError **error)
{
  g_autoptr (GPtrArray) out = g_ptr_array_new_with_free_func (g_free);
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db, "SELECT sha256 FROM kt_blob WHERE sent=0 ORDER BY size", error);
  KtStep step;

  if (stmt == NULL)
    return NULL;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    g_ptr_array_add (out, g_strdup (kt_stmt_text (stmt, 0)));
  return step == KT_STEP_DONE ? g_steal_pointer (&out) : NULL;
}

gboolean
kt_local_blob_sent (KtLocal *local, const char *sha256, GError **error)
{
  g_return_val_if_fail (sha256 != NULL, FALSE);

  return _kt_local_begin (local, KT_TX_WRITE, error)
         && (kt_db_run (local->db, error, "UPDATE kt_blob SET sent=1 WHERE sha256=?1", KT_BIND_TEXT,
                        sha256, KT_BIND_END)
                 >= 0
               ? _kt_local_commit (local, error)
               : (_kt_local_rollback (local), FALSE));
}
