/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-store.h"
#include "sync/kt-engine.h"

G_BEGIN_DECLS

/* Drives a KtEngine for a program with a main loop: one thread, a transport, the live
 * channel, GNetworkMonitor, back-off with jitter. The main thread only pokes and listens.
 *
 * properties, notify in the main context: "state" (KtSyncState), "online", "waiting" (queued+sent), "parked",
 * "review", "last-sync" (gint64 µs, 0 never), "problem" (string or NULL; it changes after its code), "notice" (string or NULL: what
 * happened to this profile in the last three days, in the profile's language),
 * "problem-code" (int: KtError, -1 none or of another domain), "rows-done", "rows-total",
 * "bytes" (gint64: both directions, since it was made), "paused". */
typedef enum { KT_SYNC_STATE_SIGNED_OUT, KT_SYNC_STATE_OFFLINE, KT_SYNC_STATE_BUSY, KT_SYNC_STATE_IDLE, KT_SYNC_STATE_PAUSED, KT_SYNC_STATE_PROBLEM } KtSyncState;

#define KT_TYPE_SYNCER (kt_syncer_get_type ())
G_DECLARE_FINAL_TYPE (KtSyncer, kt_syncer, KT, SYNCER, GObject)

KtSyncer *kt_syncer_new   (KtStore *store);        /* starts when there is a session */
void      kt_syncer_stop  (KtSyncer *syncer);      /* ends the thread; call before kt_store_close */
void      kt_syncer_poke  (KtSyncer *syncer);      /* "sync now"; local commits poke by themselves */
/* Nothing is exchanged until it is taken back; local work goes on. Kept in the profile: the next start is paused too. */
void      kt_syncer_set_paused (KtSyncer *syncer, gboolean paused);
/* A trial: from now on this syncer finds no network, attachments and history included. Not kept anywhere. */
void      kt_syncer_set_cut (KtSyncer *syncer, gboolean cut);
/* Bytes sent and received by this syncer since it was made, headers included; either may be NULL. */
void      kt_syncer_get_traffic (KtSyncer *syncer, guint64 *bytes_out, guint64 *bytes_in);
void      kt_syncer_login_async  (KtSyncer *syncer, const char *address, const char *user, const char *password, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_syncer_login_finish (KtSyncer *syncer, GAsyncResult *result, GError **error);
void      kt_syncer_logout_async  (KtSyncer *syncer, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_syncer_logout_finish (KtSyncer *syncer, GAsyncResult *result, gint64 *unsettled, GError **error);
/* JSON array text of the record's ledger; *fresh FALSE when offline. */
void      kt_syncer_history_async  (KtSyncer *syncer, const KtObject *object, const KtId *id, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
char     *kt_syncer_history_finish (KtSyncer *syncer, GAsyncResult *result, gboolean *fresh, GError **error);
/* An attachment to open: fetched (resumed, verified) unless it is here already. Finish gives its path, g_free. */
void      kt_syncer_fetch_blob_async  (KtSyncer *syncer, const char *sha256, gint64 size, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
char     *kt_syncer_fetch_blob_finish (KtSyncer *syncer, GAsyncResult *result, GError **error);

G_END_DECLS
