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
  EVENT_EPOCH,    /* the server lives another life */
  EVENT_COPIED,   /* another copy of this profile has used our numbers */
  EVENT_OWN,      /* refused for a reason of this step alone */
  EVENT_FAILED,   /* the line, the server as a whole, or this machine failed */
  EVENT_TIME,     /* waited long enough */
  EVENT_AUTH,     /* the token is no longer good */
  EVENT_TOKEN,    /* there is another one */
  N_EVENTS
} KtEngineEvent;

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

  char *rejected; /* the token that was no longer good */
};

/* ---- kt-engine.c ---- */
void     _kt_engine_fire       (KtEngine *engine, KtEngineEvent event);
void     _kt_engine_set_problem (KtEngine *engine, const GError *problem);
/* The line, the server as a whole or this machine: nothing else will work now either. */
void     _kt_engine_fail       (KtEngine *engine, KtLocal *local, const GError *problem, gint64 least_us, gint64 now_us);
/* This step has a reason of its own: the others go on. */
void     _kt_engine_leave_out  (KtEngine *engine, const GError *problem);
void     _kt_engine_speed_up   (KtEngine *engine);
void     _kt_engine_slow_down  (KtEngine *engine);

G_END_DECLS
