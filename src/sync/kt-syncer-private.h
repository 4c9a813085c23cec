/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/kt-backoff.h"
#include "sync/kt-sync-private.h"
#include "sync/kt-syncer.h"

G_BEGIN_DECLS

/* One thread drives the engine:
 *
 *   main thread                          sync thread                              writer thread (KtStore)
 *   poke, pause, stop ──► mutex, cond ──► engine: next ────── kt_store_write_sync ──► KtLocal
 *   properties ◄── one idle source ◄──── status             ◄────────────────────────  change sets
 *                                        transport: send, wait (no lock of any kind held)
 *
 * Nothing waits for the network while it holds the writer. Signing in and out, history and
 * attachments run as tasks of their own, each over a transport of its own, so that no person waits
 * behind a long pull. DIR/sync.lock is held for a round at a time.                             */

/* In the profile: "1" while the person has paused. */
#define KT_SYNCER_META_PAUSED "sync:paused"

/* How the syncer gets to a server; called on any thread. Tests hand in something else than HTTP. */
typedef KtTransport *(*KtSyncerConnect) (const char *base, gpointer data, GError **error);

KtSyncer *_kt_syncer_new_with (KtStore *store, KtSyncerConnect connect, gpointer data);

GType     kt_sync_state_get_type (void);
#define KT_TYPE_SYNC_STATE (kt_sync_state_get_type ())

struct _KtSyncer
{
  GObject parent_instance;

  /* owned */
  KtStore *store;
  GThread *thread;
  KtSyncerConnect connect;
  gpointer connect_data;
  KtMeter *meter; /* of every transport made here */

  /* between the threads, under the lock */
  GMutex lock;
  GCond cond;
  GCancellable *sending; /* of the exchange under way: stop, pause, sign out */
  GCancellable *waiting; /* of the wait under way: poke */
  GSource *publish;      /* the idle that brings the status over */
  struct
  {
    KtSyncState state;
    gboolean online;
    char *problem;
    char *notice;
    int problem_code;
    gint64 rows_done, rows_total, last_us;
    gboolean paused;
  } news;
  GCancellable *quitting; /* of all tasks */
  guint tasks;            /* running; stop waits for them */
  guint holds;            /* sign-ins that need the profile for themselves */
  guint sessions;         /* counts sign-ins and sign-outs */
  guint poked : 1, stopping : 1, paused : 1;
  guint pause_known : 1; /* said by somebody, or read from the profile */

  /* state, main thread */
  GMainContext *context;
  KtSyncState state;
  char *problem;
  char *notice;
  int problem_code;
  gint64 last_sync, rows_done, rows_total;
  guint waiting_count, parked, review;
  guint count_generation;
  gint64 bytes;
  guint online : 1, counting : 1, count_again : 1, paused_shown : 1;
};

/* ---- kt-syncer.c ---- */
/* With the lock held. However many come, the main thread hears of the last one only. */
void     _kt_syncer_publish (KtSyncer *self);
/* By the way of this syncer, with its meter. NULL: error. Any thread. */
KtTransport *_kt_syncer_connect (KtSyncer *self, const char *base, GError **error);
/* With the lock held: lets the thread look up from whatever it does. */
void     _kt_syncer_wake    (KtSyncer *self, gboolean from_sending);

/* ---- kt-syncer-thread.c ---- */
gpointer _kt_syncer_thread  (gpointer self);

/* Who is signed in, as the disk has it. */
typedef struct { char *token, *base, *dir, *notice; gboolean paused; } KtSyncerSession;
void     _kt_syncer_session_free (KtSyncerSession *session);
/* A KtStoreJob. */
gpointer _kt_syncer_read_session (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtSyncerSession, _kt_syncer_session_free)

G_END_DECLS
