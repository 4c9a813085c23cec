/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/kt-backoff.h"
#include "sync/kt-syncer.h"

G_BEGIN_DECLS

/* How the syncer gets to a server; called on any thread. Tests hand in something else than HTTP. */
typedef KtTransport *(*KtSyncerConnect) (const char *base, gpointer data, GError **error);

KtSyncer *_kt_syncer_new_with (KtStore *store, KtSyncerConnect connect, gpointer data);

GType     kt_sync_state_get_type (void);
#define KT_TYPE_SYNC_STATE (kt_sync_state_get_type ())

G_END_DECLS
