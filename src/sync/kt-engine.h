/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-local.h"
#include "sync/kt-transport.h"

G_BEGIN_DECLS

/* The sync engine: a state machine that is told the time and handed replies.
 * It never waits, opens no connection and has no thread: whoever drives it asks
 * for the next request, carries it, and hands back what came. One step is one request
 * and the local transaction of its reply, so a simulation may interleave many
 * devices, lose, double and delay anything, and kill between any two lines.
 *
 *            ┌──────── need session ──► HELLO? ──► (LOGIN is asked for by a person, not by the engine)
 *   IDLE ──► SCHEMA ──► PUSH* ──► PULL* ──► BLOBS* ──► IDLE        back-off on transient failure: WAIT
 *               ▲ page or push names another schema digest
 *   any 401 ──► SIGNED_OUT (outbox kept)      410 epoch ──► RESET: cursor forgotten, outbox kept, PULL from the beginning
 *
 * The table of states and edges stands in kt-engine.c as data.
 *
 * Invariants: nothing is sent before it is numbered durably; a verdict is stored before the next request;
 * pushes never wait for pulls nor the other way round when one of them fails for its own reason; a refused
 * mutation parks and the rest goes on; an engine made anew on the same KtLocal goes on where the last one died. */
typedef struct _KtEngine KtEngine;

typedef enum { KT_ENGINE_IDLE, KT_ENGINE_SCHEMA, KT_ENGINE_PUSH, KT_ENGINE_PULL, KT_ENGINE_BLOB_STAT, KT_ENGINE_BLOB_PUT, KT_ENGINE_WAIT, KT_ENGINE_SIGNED_OUT, KT_ENGINE_N_STATES } KtEngineState;

/* The store's writer gives the engine its KtLocal for the length of one call: @local is passed each time. */
KtEngine     *kt_engine_new     (void);
void          kt_engine_free    (KtEngine *engine);
/* Wakes it: a round of push and pull is wanted (timer, local commit, live hint, "sync now"). */
void          kt_engine_poke    (KtEngine *engine);
/* What to send now. NULL without error: nothing; *wait_us: how long until it wants to be asked again (-1: until poked). */
KtRequest    *kt_engine_next    (KtEngine *engine, KtLocal *local, const char *token, gint64 monotonic_us, gint64 *wait_us, GError **error);
/* Hands in what came back for the last request: @reply, or NULL with the transport's @failure. FALSE: a local failure
 * (disk full, …) — the step will be repeated. Change sets are appended. */
gboolean      kt_engine_reply   (KtEngine *engine, KtLocal *local, KtReply *reply, const GError *failure, gint64 monotonic_us, GPtrArray *change_sets, GError **error);

typedef struct
{
  KtEngineState state;
  gboolean      online;           /* the last exchange reached the server */
  GError       *problem;          /* why not, in words; NULL */
  gint64        pulled, pushed, refused, reviewed;   /* since kt_engine_poke began a round */
  gint64        rows_done, rows_total;               /* of a long pull; total 0: unknown */
  gint64        seq;
} KtEngineStatus;
const KtEngineStatus *kt_engine_status (KtEngine *engine);

/* ---- session: sign in and out (blocking; over any transport) ---- */
/* HELLO, LOGIN, SCHEMA; stores identity, schema and the session file (0600). @password is wiped by the caller.
 * Errors: NETWORK, NOT_KONTOR, SERVER, AUTH, NEWER (protocol), UNSETTLED (another user's work waits here). */
gboolean kt_session_login  (KtLocal *local, KtTransport *transport, const char *base, const char *user, const char *password, GCancellable *cancellable, GError **error);
/* The token goes, cache and outbox stay. *unsettled: how many mutations wait. Works without network (the server is told if it can be). */
gboolean kt_session_logout (KtLocal *local, KtTransport *transport, gint64 *unsettled, GError **error);
char    *kt_session_token  (KtLocal *local, GError **error);        /* NULL: signed out */
char    *kt_session_base   (KtLocal *local, GError **error);

/* ---- blocking runner for the command line and tests ---- */
typedef void (*KtSyncProgress) (const KtEngineStatus *status, gpointer data);
/* One round until settled: everything queued has a verdict and is visible, pulled to the head. BUSY if another process syncs this profile (after 10 s).
 * Errors NETWORK, …; transient ones are retried @retries times with back-off. */
gboolean kt_sync_run (KtLocal *local, KtTransport *transport, guint retries, KtSyncProgress progress, gpointer data, GCancellable *cancellable, KtEngineStatus *result, GError **error);
/* The ledger of a record from the server, kept locally; falls back to what is kept when offline (*fresh FALSE). JSON array. */
char    *kt_sync_history (KtLocal *local, KtTransport *transport, const KtObject *object, const KtId *id, gboolean *fresh, GCancellable *cancellable, GError **error);
/* P4: compares digests, repairs by pulling anew what differs. UNSETTLED when the outbox is not empty. JSON: {"equal","records","digest","repaired":[…]} */
char    *kt_sync_verify  (KtLocal *local, KtTransport *transport, GCancellable *cancellable, gboolean *equal, GError **error);
gboolean kt_sync_fetch_blob (KtLocal *local, KtTransport *transport, const char *sha256, gint64 size, GCancellable *cancellable, GError **error);   /* resumes inside the file, verifies */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtEngine, kt_engine_free)

G_END_DECLS
