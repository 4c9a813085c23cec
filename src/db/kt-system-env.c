/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-system-env.h"

#include <errno.h>
#include <sys/random.h>

static gint64
now_us (gpointer data)
{
  return g_get_real_time ();
}

static gint64
monotonic_us (gpointer data)
{
  return g_get_monotonic_time ();
}

static void
random_bytes (gpointer data, guint8 *out, gsize len)
{
  while (len > 0)
    {
      ssize_t got = getrandom (out, len, 0);

      if (got < 0)
        {
          /* Nothing can be promised without chance: ids would collide, tokens be guessed. */
          if (errno != EINTR)
            g_error ("getrandom: %s", g_strerror (errno));
          continue;
        }
      out += got;
      len -= got;
    }
}

const KtEnv *
kt_system_env (void)
{
  static const KtEnv env = { now_us, monotonic_us, random_bytes, NULL };

  return &env;
}
