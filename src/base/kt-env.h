/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-types.h"

G_BEGIN_DECLS

/* What code must not fetch for itself: time and chance. The programs give the
 * system's, the simulation gives seeded ones. Never NULL members.
 * Both functions may be called from any thread. */
struct _KtEnv
{
  gint64 (*now_us) (gpointer data);                          /* wall time, µs since 1970 UTC; for show, never for order */
  gint64 (*monotonic_us) (gpointer data);
  void   (*random) (gpointer data, guint8 *out, gsize len);  /* cryptographic in the real one */
  gpointer data;
};

G_END_DECLS
