/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-env.h"

G_BEGIN_DECLS

/* How long to leave a server alone that did not answer: 0.5 s, doubled each time up
 * to 60 s, and of that a random half, so that a thousand devices that lost one
 * server do not come back in one instant. A zeroed struct is a fresh one. */
#define KT_BACKOFF_FIRST_US (G_USEC_PER_SEC / 2)
#define KT_BACKOFF_LAST_US  (60 * G_USEC_PER_SEC)

typedef struct { guint failures; } KtBackoff;

gint64 kt_backoff_next  (KtBackoff *backoff, const KtEnv *env);   /* µs */
void   kt_backoff_reset (KtBackoff *backoff);

G_END_DECLS
