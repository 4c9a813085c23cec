/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-backoff.h"

gint64
kt_backoff_next (KtBackoff *backoff, const KtEnv *env)
{
  gint64 full = KT_BACKOFF_FIRST_US;
  guint32 chance;

  for (guint i = 0; i < backoff->failures && full < KT_BACKOFF_LAST_US; i++)
    full *= 2;
  full = MIN (full, KT_BACKOFF_LAST_US);
  backoff->failures++;

  env->random (env->data, (guint8 *) &chance, sizeof chance);
  return full / 2 + (gint64) ((guint64) (full / 2) * chance / G_MAXUINT32);
}

void
kt_backoff_reset (KtBackoff *backoff)
{
  backoff->failures = 0;
}
