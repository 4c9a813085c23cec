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
 *            poke                      ┌──── more to push ────┐
 *   IDLE ─────────► SCHEMA ─────────► PUSH ◄───────────────► PULL ──────► BLOB_STAT ⇄ BLOB_PUT ─────► BLOB_GET ─────► IDLE
 *                     ▲  have one already: no request      │ a page names another schema      nothing left
 *                     └────────────────────────────────────┘
 *   any network failure ──► WAIT (exponential back-off with jitter; poke ends it)  ──► SCHEMA
 *   any 401 ──► SIGNED_OUT (outbox kept) until it is given another token
 *   409 copied ──► DEVICE: a device of its own, everything unsettled under new numbers ──► PUSH
 *   410 epoch ──► what the server lost laid back into the outbox, cursor forgotten (kt_local_new_epoch) ──► PUSH, before any PULL
 *   a step that fails for a reason of its own is left out for this round, the others go on; the round ends in WAIT
 *
 * The table of states and edges stands in kt-engine.c as data. Pushes and pulls take turns, one request each, and
 * a slow line makes batches, pages and pieces smaller, so that a large upload never stops downloads nor the reverse.
 *
 * Invariants: nothing is sent before it is numbered durably; a verdict is stored before the next request;
 * pushes never wait for pulls nor the other way round when one of them fails for its own reason; a refused
 * mutation parks and the rest goes on; the engine keeps nothing that is not also in the KtLocal, so one made
 * anew goes on where the last one died; IDLE is only reached when nothing that could be sent is left. */
typedef struct _KtEngine KtEngine;

typedef enum { KT_ENGINE_IDLE, KT_ENGINE_SCHEMA, KT_ENGINE_ACCESS, KT_ENGINE_PUSH, KT_ENGINE_DEVICE, KT_ENGINE_PULL, KT_ENGINE_BLOB_STAT, KT_ENGINE_BLOB_PUT, KT_ENGINE_BLOB_GET, KT_ENGINE_VERIFY, KT_ENGINE_WIPE, KT_ENGINE_WAIT, KT_ENGINE_SIGNED_OUT, KT_ENGINE_N_STATES } KtEngineState;

/* The store's writer gives the engine its KtLocal for the length of one call: @local is passed each time. */
KtEngine     *kt_engine_new     (void);
void          kt_engine_free    (KtEngine *engine);
/* Wakes it: a round of push and pull is wanted (timer, local commit, live hint, "sync now"). During a round: another
 * one follows it. During WAIT: at once, and the back-off starts from its beginning. */
void          kt_engine_poke    (KtEngine *engine);
/* What to send now; the caller frees it. NULL without error: nothing; *wait_us: how long until it wants to be asked again (-1: until
 * poked). Asked again without a reply in between, it takes the last request for lost. @token NULL: SIGNED_OUT.
 * Error: a local failure; the state is as before, ask again later. */
KtRequest    *kt_engine_next    (KtEngine *engine, KtLocal *local, const char *token, gint64 monotonic_us, gint64 *wait_us, GError **error);
/* Hands in what came back for the last request: @reply (stays the caller's, but its body may be taken), or NULL with the
 * transport's @failure. FALSE: a local failure (disk full, …): the step will be repeated. Change sets are appended. */
gboolean      kt_engine_reply   (KtEngine *engine, KtLocal *local, KtReply *reply, const GError *failure, gint64 monotonic_us, GPtrArray *change_sets, GError **error);

typedef struct
{
  KtEngineState state;
  gboolean      online;           /* the last exchange reached the server */
  GError       *problem;          /* why not, in words; NULL */
  gint64        pulled, pushed, refused, reviewed;   /* since kt_engine_poke began a round */
  gint64        rows_done, rows_total;               /* of a long pull; total 0: unknown */
  gint64        seq;              /* of what is visible */
  gboolean      renewed;          /* the last reply gave this profile another device: kt_session_token has another token */
  guint         notices;          /* kept by this round: the newest ones of kt_local_notices */
  guint         failures;         /* in a row; 0 after a round in which everything worked */
} KtEngineStatus;
const KtEngineStatus *kt_engine_status (KtEngine *engine);

/* ---- proving (P4, kt-engine-repair.c) ----
 * Every so often a round ends with a comparison of digests, and what differs is fetched: after 256 rounds or a day of the
 * monotonic clock, or 20,000 commits after the last one. Cheap: the sums that both sides keep. */
/* Asks for one at the end of the next round, with sums made anew on both sides; wakes the engine. */
void          kt_engine_verify  (KtEngine *engine);
typedef struct
{
  gboolean   compared;      /* the last comparison ended with both sides equal, perhaps after a repair */
  GPtrArray *repaired;      /* names of objects in which something differed; NULL: none yet */
  gint64     rows;          /* records that became others */
  gint64     records;       /* of all, at the end */
  char      *digest;        /* of all, at the end; NULL */
  GError    *problem;       /* why it could not be done, or did not help; NULL */
} KtEngineReport;
const KtEngineReport *kt_engine_report (KtEngine *engine);

/* ---- session: sign in and out (blocking; over any transport) ---- */
/* HELLO, LOGIN, SCHEMA; stores identity, schema and the session file (0600). @password is wiped by the caller.
 * Errors: NETWORK, NOT_KONTOR, SERVER, AUTH, NEWER (protocol), UNSETTLED (another user's work waits here). */
gboolean kt_session_login  (KtLocal *local, KtTransport *transport, const char *base, const char *user, const char *password, GCancellable *cancellable, GError **error);
/* The token goes, cache and outbox stay. *unsettled: how many mutations wait. Works without network (@transport may be NULL;
 * the server is told if it can be). The token is gone from the disk before the network is touched (scenario 56). */
gboolean kt_session_logout (KtLocal *local, KtTransport *transport, gint64 *unsettled, GError **error);
/* NULL without error: signed out. A session file that belongs to another user or device than the profile is none (scenario 55). */
char    *kt_session_token  (KtLocal *local, GError **error);
/* Where the profile was last signed in, also after a logout. NULL without error: never. */
char    *kt_session_base   (KtLocal *local, GError **error);
/* The server did not know @token any more: it is forgotten, unless another one was stored meanwhile. */
gboolean kt_session_expire (KtLocal *local, const char *token, GError **error);

/* ---- blocking runner for the command line and tests ---- */
typedef void (*KtSyncProgress) (const KtEngineStatus *status, gpointer data);
/* One round until settled: everything queued has a verdict and is visible, pulled to the head. BUSY if another process syncs this profile (after 10 s).
 * Errors NETWORK, …; transient ones are retried @retries times with back-off. AUTH: signed out. @result may be NULL and is
 * filled in on failure, too; its problem is always NULL. */
gboolean kt_sync_run (KtLocal *local, KtTransport *transport, guint retries, KtSyncProgress progress, gpointer data, GCancellable *cancellable, KtEngineStatus *result, GError **error);
/* The ledger of a record from the server, kept locally; falls back to what is kept when offline (*fresh FALSE). JSON array, with
 * what this device has not settled at its end (kt_local_get_history). */
char    *kt_sync_history (KtLocal *local, KtTransport *transport, const KtObject *object, const KtId *id, gboolean *fresh, GCancellable *cancellable, GError **error);
/* P4: a round, then digests made anew on both sides are compared, and what differs is fetched. What waits in the outbox is compared as
 * the server last had it. *equal: nothing differed. JSON: {"equal","records","digest","repaired":[objects],"rows":mended,"waiting":n}.
 * UNSETTLED: the server changed all the time, or fetching did not help. */
char    *kt_sync_verify  (KtLocal *local, KtTransport *transport, GCancellable *cancellable, gboolean *equal, GError **error);
gboolean kt_sync_fetch_blob (KtLocal *local, KtTransport *transport, const char *sha256, gint64 size, GCancellable *cancellable, GError **error);   /* resumes inside the file, verifies */

/* ---- DIR/sync.lock: one syncer per profile at a time (scenario 9), and when it last ended well ---- */
typedef struct _KtSyncLock KtSyncLock;
/* Waits up to @wait_ms. BUSY names the process that holds it. */
KtSyncLock *kt_sync_lock_take (const char *dir, guint wait_ms, GCancellable *cancellable, GError **error);
void        kt_sync_lock_free (KtSyncLock *lock);
/* Writes down that a round ended well at @now_us (for show only: not durable, and no commit for a round without news). */
void        kt_sync_lock_done (KtSyncLock *lock, gint64 now_us);
/* *last_us: 0 never. *busy: whether somebody syncs right now. Either may be NULL. */
void        kt_sync_lock_peek (const char *dir, gint64 *last_us, gboolean *busy);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtEngine, kt_engine_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtSyncLock, kt_sync_lock_free)

G_END_DECLS
