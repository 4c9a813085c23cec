/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/kt-backoff.h"
#include "sync/kt-sync-private.h"

G_BEGIN_DECLS

/* The engine in two files: kt-engine.c knows the states, rounds and what to ask next,
 * kt-engine-reply.c what to make of the answers. */

/* What may happen to the engine, and where it leads. A pair that does not stand here cannot
 * happen: fire() asserts it. */
typedef enum
{
  EVENT_POKED,    /* somebody wants a round */
  EVENT_READY,    /* nothing to ask: the schema is known */
  EVENT_ANSWERED, /* the server did what was asked */
  EVENT_MORE,     /* it did, and there is more of it */
  EVENT_EMPTY,    /* nothing of this kind to send */
  EVENT_SETTLED,  /* nothing to send, and everything pulled since the last push */
  EVENT_SCHEMA,   /* what came speaks another schema */
  EVENT_WIPE,     /* nothing is left to send: this device may be emptied */
  EVENT_ACCESS,   /* it was made by another access document */
  EVENT_EPOCH,    /* the server lives another life */
  EVENT_COPIED,   /* another copy of this profile has used our numbers */
  EVENT_OWN,      /* refused for a reason of this step alone */
  EVENT_FAILED,   /* the line, the server as a whole, or this machine failed */
  EVENT_TIME,     /* waited long enough */
  EVENT_AUTH,     /* the token is no longer good */
  EVENT_TOKEN,    /* there is another one */
  EVENT_VERIFY,   /* a comparison is due */
  N_EVENTS
} KtEngineEvent;

/* A comparison, and the repair that follows it (kt-engine-repair.c). */
typedef struct
{
  KtEngineReport report;

  /* when */
  gboolean pending; /* asked for or due; until it is done */
  gboolean asked;
  gboolean due;
  guint rounds;     /* since the last one */
  gint64 since_us;  /* the last one, or the first round; 0: none */

  /* what is under way */
  int phase;
  gboolean fresh;     /* compare sums made anew */
  guint turns;
  GPtrArray *objects; /* names (interned) that differ and are still to be looked at */
  const char *object; /* the one being looked at */
  GQueue branches;    /* KtDigestBranch of it that differ */
  GHashTable *left;   /* KtId of it to be fetched */
} KtEngineRepair;

struct _KtEngine
{
  KtEngineStatus status;
  KtEngineState state;
  KtBackoff backoff;

  /* the request that is out */
  gboolean out;
  gint64 sent_at_us;
  char *token;

  /* when to be asked again, in WAIT */
  gint64 wake_us;
  gboolean hurry; /* poked: do not wait, unless the server asked for it */
  gboolean asked_to_wait;

  /* this round */
  gboolean wanted;  /* another one shall follow */
  gboolean at_head; /* everything pulled since the last push */
  gboolean schema_moved;
  gboolean epoch_moved;
  gboolean device_moved;
  gboolean cursor_dropped;
  gboolean skip_push, skip_pull;
  guint schemas;
  guint accesses;
  guint lingered;
  GError *problem; /* the first of this round */

  /* pace: what the line and the server have shown to bear */
  guint push_max;
  gsize push_bytes;
  guint pull_rows;
  gsize piece;

  /* attachments */
  char *blob;
  gint64 blob_offset, blob_size;
  GHashTable *blobs_left_out; /* in this round */
  gboolean asked_again;       /* where the server stands with this upload, after it did not fit */
  guint waits;                /* for the server to check what has all arrived */

  /* the attachment that is being fetched */
  GPtrArray *wanted_blobs;    /* KtBlobPlace*: what is left of the list; NULL: to be asked for */
  KtBlobPlace *getting;       /* NULL: none; `part` follows what is here */
  GChecksum *sum;             /* of its first `summed` bytes */
  gint64 summed;
  gboolean skip_get;
  gboolean wiping;            /* the server wants this device empty */
  guint wipes;                /* how often parked changes went into escrow for that, in this round */
  gboolean swept;             /* tried in this round, and it failed */
  GHashTable *blobs_missing;  /* the server has not got them, since this engine was made */

  KtEngineRepair repair;

  char *rejected; /* the token that was no longer good */
};

/* ---- kt-engine-repair.c ---- */
/* At the end of a round. TRUE: a comparison begins. */
gboolean _kt_engine_begin_repair (KtEngine *engine, KtLocal *local, gint64 now_us);
KtRequest *_kt_engine_ask_repair (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us);
gboolean _kt_engine_take_repair (KtEngine *engine, KtLocal *local, KtReply *reply, GPtrArray *change_sets,
                                 GError **local_failure, GError **error);
/* It was refused, for @problem. */
void     _kt_engine_leave_repair (KtEngine *engine, const GError *problem);
void     _kt_engine_repair_clear (KtEngineRepair *repair);

/* ---- kt-engine-reply.c ---- */
/* What the store found wrong with a page, against what is wrong with this machine. */
gboolean _kt_engine_is_pages_fault (const GError *error);

/* ---- kt-engine.c ---- */
void     _kt_engine_fire       (KtEngine *engine, KtEngineEvent event);
void     _kt_engine_set_problem (KtEngine *engine, const GError *problem);
/* The line, the server as a whole or this machine: nothing else will work now either. */
void     _kt_engine_fail       (KtEngine *engine, KtLocal *local, const GError *problem, gint64 least_us, gint64 now_us);
/* This step has a reason of its own: the others go on. */
void     _kt_engine_leave_out  (KtEngine *engine, const GError *problem);
void     _kt_engine_speed_up   (KtEngine *engine);
void     _kt_engine_slow_down  (KtEngine *engine);
KtRequest *_kt_engine_ask      (KtEngine *engine, KtEndpoint endpoint, const char *token, gint64 now_us);
/* Everything that could be sent is sent, everything pulled. */
gboolean _kt_engine_end_round  (KtEngine *engine, KtLocal *local, gint64 now_us, GError **error);

/* ---- kt-engine-reply.c ---- */
KtJson  *_kt_engine_reply_json  (KtReply *reply);
gboolean _kt_engine_set_nonsense (GError **error, const char *what);    /* SERVER; FALSE */

/* ---- kt-engine-blob.c ---- */
KtRequest *_kt_engine_ask_blob_stat (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us, GError **error);
KtRequest *_kt_engine_ask_blob_put  (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us);
/* *wait_us 1: nothing to send, ask again at once: a piece of long work was done. */
KtRequest *_kt_engine_ask_blob_get  (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us, gint64 *wait_us, GError **error);
gboolean _kt_engine_take_blob_state (KtEngine *engine, KtLocal *local, KtReply *reply, GError **local_failure, GError **error);
gboolean _kt_engine_take_blob_piece (KtEngine *engine, KtLocal *local, KtReply *reply, GError **local_failure, GError **error);
void     _kt_engine_drop_getting    (KtEngine *engine);
KtRequest *_kt_engine_ask_wipe       (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us, GError **error);

G_END_DECLS
