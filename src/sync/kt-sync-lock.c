/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-sync-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/kt-error.h"

/* DIR/sync.lock holds one line: "PID LAST\n", the process that syncs or synced last, and when a
 * round last ended well (µs since 1970, 0 never). flock goes with the process, so a crash leaves
 * no lock behind (scenario 5); the text is only for people. */

struct _KtSyncLock
{
  int fd;
  gint64 last_us;
};

#define LOCK_TURN_US (20 * 1000)

gboolean
_kt_sync_sleep (gint64 us, GCancellable *cancellable)
{
  GPollFD poll = { 0 };
  gint64 end = g_get_monotonic_time () + us;

  if (cancellable == NULL || !g_cancellable_make_pollfd (cancellable, &poll))
    {
      if (us > 0)
        g_usleep ((gulong) us);
      return !g_cancellable_is_cancelled (cancellable);
    }
  while (!g_cancellable_is_cancelled (cancellable))
    {
      gint64 left = end - g_get_monotonic_time ();

      if (left <= 0)
        break;
      g_poll (&poll, 1, (int) MIN ((left + 999) / 1000, G_MAXINT));
    }
  g_cancellable_release_fd (cancellable);
  return !g_cancellable_is_cancelled (cancellable);
}

static void
read_line (int fd, gint64 *pid, gint64 *last_us)
{
  char text[64];
  ssize_t len = pread (fd, text, sizeof text - 1, 0);
  char *rest;

  *pid = 0;
  *last_us = 0;
  if (len <= 0)
    return;
  text[len] = '\0';
  *pid = g_ascii_strtoll (text, &rest, 10);
  *last_us = MAX (0, g_ascii_strtoll (rest, NULL, 10));
}

static void
write_line (KtSyncLock *lock)
{
  char text[64];
  int len =
    g_snprintf (text, sizeof text, "%ld %" G_GINT64_FORMAT "\n", (long) getpid (), lock->last_us);

  /* Only a hint: a disk without room for it stops nobody. */
  if (pwrite (lock->fd, text, (gsize) len, 0) == len && ftruncate (lock->fd, len) != 0)
    return;
}

KtSyncLock *
kt_sync_lock_take (const char *dir, guint wait_ms, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_build_filename (dir, "sync.lock", NULL);
  g_autoptr (KtSyncLock) lock = g_new0 (KtSyncLock, 1);
  gint64 end = g_get_monotonic_time () + (gint64) wait_ms * 1000;
  gint64 pid;

  lock->fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock->fd < 0)
    {
      int code = errno;

      g_set_error (error, KT_ERROR, code == ENOSPC ? KT_ERROR_FULL : KT_ERROR_IO,
                   "The profile cannot be locked for syncing (%s): %s", path, g_strerror (code));
      return NULL;
    }

  while (flock (lock->fd, LOCK_EX | LOCK_NB) != 0)
    {
      int code = errno;

      if (code == EINTR)
        continue;
      if (code != EWOULDBLOCK)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_IO,
                       "The profile cannot be locked for syncing (%s): %s", path,
                       g_strerror (code));
          return NULL;
        }
      if (g_get_monotonic_time () >= end)
        {
          read_line (lock->fd, &pid, &lock->last_us);
          g_set_error (error, KT_ERROR, KT_ERROR_BUSY,
                       "Process %" G_GINT64_FORMAT " is syncing this profile. "
                       "Try again when it is done, or end it",
                       pid);
          return NULL;
        }
      if (!_kt_sync_sleep (LOCK_TURN_US, cancellable))
        {
          g_cancellable_set_error_if_cancelled (cancellable, error);
          return NULL;
        }
    }

  read_line (lock->fd, &pid, &lock->last_us);
  write_line (lock);
  return g_steal_pointer (&lock);
}

void
kt_sync_lock_free (KtSyncLock *lock)
{
  if (lock == NULL)
    return;
  if (lock->fd >= 0)
    close (lock->fd);
  g_free (lock);
}

void
kt_sync_lock_done (KtSyncLock *lock, gint64 now_us)
{
  g_return_if_fail (lock != NULL);

  lock->last_us = now_us;
  write_line (lock);
}

void
kt_sync_lock_peek (const char *dir, gint64 *last_us, gboolean *busy)
{
  g_autofree char *path = g_build_filename (dir, "sync.lock", NULL);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gint64 pid, last = 0;
  gboolean held = FALSE;

  if (fd >= 0)
    {
      read_line (fd, &pid, &last);
      held = flock (fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
      close (fd);
    }
  if (last_us != NULL)
    *last_us = last;
  if (busy != NULL)
    *busy = held;
}
