/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-local.h"

G_BEGIN_DECLS

/* Which records have local changes the server has not settled: what a list marks.
 * Cheap whatever the size of the outbox: no patch is read. At most @limit records, parked
 * ones first; *more: there are others. NULL on error; GArray of KtPending. */
typedef struct { KtId id; gboolean parked; } KtPending;
GArray *kt_local_pending (KtLocal *local, guint limit, gboolean *more, GError **error);

G_END_DECLS
