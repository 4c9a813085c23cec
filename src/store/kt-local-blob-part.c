/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Attachments that are on their way here:
 *
 *   blobs/ab/abcd….part   what has come; grows at its end, also after a restart (69)
 *   blobs/ab/abcd…        by rename, once its SHA-256 was found to be its name
 *
 * The lock on a part goes with the process, so none stays behind. All offsets are 64 bits wide. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

G_STATIC_ASSERT (sizeof (off_t) == 8);

static gboolean
part_error (GError **error, int code)
{
  g_set_error (error, KT_ERROR, code == ENOSPC || code == EDQUOT ? KT_ERROR_FULL : KT_ERROR_IO,
               "An attachment cannot be stored here: %s", g_strerror (code));
  return FALSE;
}

static char *
part_path (KtLocal *local, const char *sha256)
{
  g_autofree char *path = kt_local_blob_path (local, sha256);

  return g_strconcat (path, ".part", NULL);
}

gint64
kt_local_blob_part (KtLocal *local, const char *sha256)
{
  g_autofree char *path = NULL;
  GStatBuf st;

  g_return_val_if_fail (sha256 != NULL && _kt_local_is_sha256 (sha256), 0);

  path = part_path (local, sha256);
  return g_stat (path, &st) == 0 && S_ISREG (st.st_mode) ? (gint64) st.st_size : 0;
}

gboolean
_kt_local_is_stale (const char *path, gint64 age_us)
{
  GStatBuf st;

  /* The file system's clock against the machine's: both of this machine, and a wrong one only keeps or refetches. */
  return g_stat (path, &st) == 0
         && g_get_real_time () - (gint64) st.st_mtime * G_USEC_PER_SEC > age_us;
}

static int
open_part (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  int fd;

  if (g_mkdir_with_parents (folder, 0700) != 0
      || (fd = g_open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
    {
      part_error (error, errno);
      return -1;
    }
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    return fd;
  close (fd);
  g_set_error_literal (error, KT_ERROR, KT_ERROR_BUSY,
                       "This attachment is being fetched already. Try again in a moment");
  return -1;
}

gboolean
kt_local_blob_part_write (KtLocal *local,
                          const char *sha256,
                          gint64 offset,
                          GBytes *piece,
                          GError **error)
{
  g_autofree char *path = NULL;
  gsize len;
  const guint8 *at = g_bytes_get_data (piece, &len);
  off_t place = (off_t) offset;
  struct stat st;
  int fd;

  g_return_val_if_fail (sha256 != NULL && _kt_local_is_sha256 (sha256) && offset >= 0, FALSE);

  path = part_path (local, sha256);
  fd = open_part (path, error);
  if (fd < 0)
    return FALSE;
  if (fstat (fd, &st) != 0 || (st.st_size > place && ftruncate (fd, place) != 0))
    {
      part_error (error, errno);
      close (fd);
      return FALSE;
    }
  if (st.st_size < place)
    {
      close (fd);
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                   "Only %" G_GINT64_FORMAT " bytes of the attachment are here", (gint64) st.st_size);
      return FALSE;
    }
  while (len > 0)
    {
      ssize_t n = pwrite (fd, at, len, place);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          part_error (error, errno);
          close (fd);
          return FALSE;
        }
      at += n;
      place += n;
      len -= (gsize) n;
    }
  return close (fd) == 0 || part_error (error, errno);
}

gboolean
kt_local_blob_part_hash (KtLocal *local,
                         const char *sha256,
                         GChecksum *sum,
                         gint64 *at,
                         gsize max,
                         GError **error)
{
  g_autofree char *path = part_path (local, sha256);
  g_autofree guint8 *buffer = g_malloc (256 * 1024);
  int fd = g_open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  gsize left = max;

  if (fd < 0)
    return part_error (error, errno);
  while (left > 0)
    {
      ssize_t n = pread (fd, buffer, MIN (left, 256 * 1024), (off_t) *at);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          part_error (error, errno);
          close (fd);
          return FALSE;
        }
      if (n == 0)
        break;
      g_checksum_update (sum, buffer, n);
      *at += n;
      left -= (gsize) n;
    }
  close (fd);
  return TRUE;
}

gboolean
kt_local_blob_arrived (KtLocal *local, const char *sha256, GError **error)
{
  gint64 size = 0;

  if (!kt_local_blob_have (local, sha256, &size))
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_NOT_FOUND, "The attachment is not on this device");
      return FALSE;
    }
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (kt_db_run (local->db, error,
                 "INSERT INTO kt_blob (sha256, size, sent) VALUES (?1, ?2, 1) ON CONFLICT DO NOTHING",
                 KT_BIND_TEXT, sha256, KT_BIND_INT, size, KT_BIND_END)
      >= 0)
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

gboolean
kt_local_blob_part_finish (KtLocal *local, const char *sha256, const char *found, GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *part = NULL;
  int fd;

  g_return_val_if_fail (sha256 != NULL && _kt_local_is_sha256 (sha256) && found != NULL, FALSE);

  path = kt_local_blob_path (local, sha256);
  part = part_path (local, sha256);
  if (strcmp (sha256, found) != 0)
    {
      /* Not worth keeping: the next try starts afresh. */
      g_unlink (part);
      g_set_error_literal (error, KT_ERROR, KT_ERROR_SERVER,
                           "An attachment came damaged and was thrown away; it is fetched again");
      return FALSE;
    }
  fd = open_part (part, error);
  if (fd < 0)
    return FALSE;
  if (fsync (fd) != 0 || g_rename (part, path) != 0)
    {
      part_error (error, errno);
      close (fd);
      return FALSE;
    }
  close (fd);
  return kt_local_blob_arrived (local, sha256, error);
}
