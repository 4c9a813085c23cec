/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One server a workspace. Hints for live devices and what is half uploaded are in the
 * memory of one process, so a second one beside it would serve half the truth.
 * flock goes with the process, so kill -9 leaves no lock behind; commands such as
 * "user add" and "backup" take none and work while the server runs. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-server-main.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/kt-error.h"

#define LOCK_FILE "server.lock"
#define WAIT_US   (5 * G_USEC_PER_SEC)
#define TURN_US   (50 * 1000)

int
kt_server_lock_take (const char *dir, GError **error)
{
  g_autofree char *path = g_build_filename (dir, LOCK_FILE, NULL);
  gint64 end = g_get_monotonic_time () + WAIT_US;
  int fd;

  if (!g_file_test (dir, G_FILE_TEST_IS_DIR))
    return 0;    /* opening it says what is wrong */
  fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    {
      int code = errno;

      g_set_error (error, KT_ERROR, code == ENOSPC ? KT_ERROR_FULL : KT_ERROR_IO, "%s cannot be locked: %s", path,
                   g_strerror (code));
      return -1;
    }
  /* One that was told to stop may still be finishing. */
  while (flock (fd, LOCK_EX | LOCK_NB) != 0)
    {
      if (errno != EINTR && (errno != EWOULDBLOCK || g_get_monotonic_time () >= end))
        {
          g_set_error (error, KT_ERROR, KT_ERROR_BUSY,
                       "Another kontor-server is running on %s: stop it first, or use it", dir);
          close (fd);
          return -1;
        }
      g_usleep (TURN_US);
    }
  return fd;
}
