/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-engine-private.h"

#include <string.h>

#include "base/kt-error.h"

/* A pair that does not stand here cannot happen: fire asserts it. */
static const struct
{
  guint8 from, event, to;
} edges[] = {
  { KT_ENGINE_IDLE, EVENT_POKED, KT_ENGINE_SCHEMA },
  { KT_ENGINE_IDLE, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },
  { KT_ENGINE_IDLE, EVENT_FAILED, KT_ENGINE_WAIT },

  { KT_ENGINE_SCHEMA, EVENT_READY, KT_ENGINE_PUSH },
  { KT_ENGINE_SCHEMA, EVENT_ANSWERED, KT_ENGINE_PUSH },
  { KT_ENGINE_SCHEMA, EVENT_OWN, KT_ENGINE_PUSH }, /* the old schema still serves */
  { KT_ENGINE_SCHEMA, EVENT_EPOCH, KT_ENGINE_SCHEMA },
  { KT_ENGINE_SCHEMA, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_SCHEMA, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_ACCESS, EVENT_ANSWERED, KT_ENGINE_PUSH },
  { KT_ENGINE_ACCESS, EVENT_OWN, KT_ENGINE_PUSH }, /* nothing is concluded, and nothing taken in */
  { KT_ENGINE_ACCESS, EVENT_EPOCH, KT_ENGINE_PUSH },
  { KT_ENGINE_ACCESS, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_ACCESS, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_PUSH, EVENT_ANSWERED, KT_ENGINE_PULL }, /* take turns */
  { KT_ENGINE_PUSH, EVENT_MORE, KT_ENGINE_PUSH },     /* the same, in smaller batches */
  { KT_ENGINE_PUSH, EVENT_EMPTY, KT_ENGINE_PULL },
  { KT_ENGINE_PUSH, EVENT_SETTLED, KT_ENGINE_BLOB_STAT },
  { KT_ENGINE_PUSH, EVENT_OWN, KT_ENGINE_PULL },
  { KT_ENGINE_PUSH, EVENT_SCHEMA, KT_ENGINE_SCHEMA },
  { KT_ENGINE_PUSH, EVENT_EPOCH, KT_ENGINE_PUSH }, /* what was lost goes out before anything comes in */
  { KT_ENGINE_PUSH, EVENT_COPIED, KT_ENGINE_DEVICE },
  { KT_ENGINE_PUSH, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_PUSH, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_DEVICE, EVENT_ANSWERED, KT_ENGINE_PUSH },
  { KT_ENGINE_DEVICE, EVENT_OWN, KT_ENGINE_PULL },
  { KT_ENGINE_DEVICE, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_DEVICE, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_PULL, EVENT_ANSWERED, KT_ENGINE_PUSH },
  { KT_ENGINE_PULL, EVENT_MORE, KT_ENGINE_PUSH },
  { KT_ENGINE_PULL, EVENT_EMPTY, KT_ENGINE_PUSH },
  { KT_ENGINE_PULL, EVENT_OWN, KT_ENGINE_PUSH },
  { KT_ENGINE_PULL, EVENT_SCHEMA, KT_ENGINE_SCHEMA },
  { KT_ENGINE_PULL, EVENT_ACCESS, KT_ENGINE_ACCESS },
  { KT_ENGINE_PULL, EVENT_EPOCH, KT_ENGINE_PUSH },
  { KT_ENGINE_PULL, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_PULL, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_BLOB_STAT, EVENT_ANSWERED, KT_ENGINE_BLOB_PUT },
  { KT_ENGINE_BLOB_STAT, EVENT_MORE, KT_ENGINE_BLOB_STAT }, /* the server has this one */
  { KT_ENGINE_BLOB_STAT, EVENT_EMPTY, KT_ENGINE_BLOB_GET },
  { KT_ENGINE_BLOB_STAT, EVENT_POKED, KT_ENGINE_PUSH }, /* records go first */
  { KT_ENGINE_BLOB_STAT, EVENT_OWN, KT_ENGINE_BLOB_STAT },
  { KT_ENGINE_BLOB_STAT, EVENT_EPOCH, KT_ENGINE_PUSH },
  { KT_ENGINE_BLOB_STAT, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_BLOB_STAT, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_BLOB_PUT, EVENT_MORE, KT_ENGINE_BLOB_PUT },
  { KT_ENGINE_BLOB_PUT, EVENT_ANSWERED, KT_ENGINE_BLOB_STAT },
  { KT_ENGINE_BLOB_PUT, EVENT_POKED, KT_ENGINE_PUSH },
  { KT_ENGINE_BLOB_PUT, EVENT_OWN, KT_ENGINE_BLOB_STAT },
  { KT_ENGINE_BLOB_PUT, EVENT_EPOCH, KT_ENGINE_PUSH },
  { KT_ENGINE_BLOB_PUT, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_BLOB_PUT, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_BLOB_GET, EVENT_MORE, KT_ENGINE_BLOB_GET },
  { KT_ENGINE_BLOB_GET, EVENT_EMPTY, KT_ENGINE_IDLE },
  { KT_ENGINE_BLOB_GET, EVENT_POKED, KT_ENGINE_PUSH },
  { KT_ENGINE_BLOB_GET, EVENT_OWN, KT_ENGINE_BLOB_GET },
  { KT_ENGINE_BLOB_GET, EVENT_EPOCH, KT_ENGINE_PUSH },
  { KT_ENGINE_BLOB_GET, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_BLOB_GET, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_BLOB_STAT, EVENT_VERIFY, KT_ENGINE_VERIFY },
  { KT_ENGINE_BLOB_GET, EVENT_VERIFY, KT_ENGINE_VERIFY },
  { KT_ENGINE_VERIFY, EVENT_MORE, KT_ENGINE_VERIFY },
  { KT_ENGINE_VERIFY, EVENT_ANSWERED, KT_ENGINE_IDLE },
  { KT_ENGINE_VERIFY, EVENT_EMPTY, KT_ENGINE_PUSH }, /* the server has gone on */
  { KT_ENGINE_VERIFY, EVENT_POKED, KT_ENGINE_PUSH },
  { KT_ENGINE_VERIFY, EVENT_OWN, KT_ENGINE_IDLE },
  { KT_ENGINE_VERIFY, EVENT_EPOCH, KT_ENGINE_PUSH },
  { KT_ENGINE_VERIFY, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_VERIFY, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_BLOB_GET, EVENT_WIPE, KT_ENGINE_WIPE },
  { KT_ENGINE_WIPE, EVENT_AUTH, KT_ENGINE_SIGNED_OUT }, /* done */
  { KT_ENGINE_WIPE, EVENT_OWN, KT_ENGINE_WAIT },
  { KT_ENGINE_WIPE, EVENT_EPOCH, KT_ENGINE_PUSH },
  { KT_ENGINE_WIPE, EVENT_FAILED, KT_ENGINE_WAIT },

  { KT_ENGINE_WAIT, EVENT_TIME, KT_ENGINE_SCHEMA },
  { KT_ENGINE_WAIT, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_WAIT, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_SIGNED_OUT, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },
  { KT_ENGINE_SIGNED_OUT, EVENT_TOKEN, KT_ENGINE_IDLE },
};

#define PUSH_FIRST (512 * 1024)
#define PUSH_LEAST (16 * 1024)
#define PUSH_MOST (4 * 1024 * 1024)
#define PULL_FIRST 4000 /* rows, once a line turned out to be slow; 0: as the server likes */
#define PULL_LEAST 50
#define PULL_MOST 16000 /* the protocol allows 20,000 */
#define PIECE_LEAST (32 * 1024)
#define MAX_LINGER 6

void
_kt_engine_fire (KtEngine *engine, KtEngineEvent event)
{
  for (guint i = 0; i < G_N_ELEMENTS (edges); i++)
    {
      if (edges[i].from != engine->state || edges[i].event != event)
        continue;
      engine->state = edges[i].to;
      engine->status.state = edges[i].to;
      return;
    }
  g_error ("no edge from state %d for event %d", engine->state, event);
}

KtEngine *
kt_engine_new (void)
{
  KtEngine *engine = g_new0 (KtEngine, 1);

  engine->push_max = KT_WIRE_MAX_MUTATIONS;
  engine->push_bytes = PUSH_FIRST;
  engine->piece = KT_SYNC_BLOB_PIECE;
  engine->blobs_left_out = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  engine->blobs_missing = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return engine;
}

void
kt_engine_free (KtEngine *engine)
{
  if (engine == NULL)
    return;
  g_clear_error (&engine->status.problem);
  g_clear_error (&engine->problem);
  g_clear_pointer (&engine->blobs_left_out, g_hash_table_unref);
  g_clear_pointer (&engine->blobs_missing, g_hash_table_unref);
  _kt_engine_drop_getting (engine);
  g_clear_pointer (&engine->wanted_blobs, g_ptr_array_unref);
  g_free (engine->blob);
  g_free (engine->token);
  g_free (engine->rejected);
  _kt_engine_repair_clear (&engine->repair);
  g_free (engine);
}

void
kt_engine_poke (KtEngine *engine)
{
  g_return_if_fail (engine != NULL);

  engine->wanted = TRUE;
  if (engine->state == KT_ENGINE_WAIT)
    {
      engine->hurry = TRUE;
      kt_backoff_reset (&engine->backoff);
    }
}

const KtEngineStatus *
kt_engine_status (KtEngine *engine)
{
  g_return_val_if_fail (engine != NULL, NULL);

  return &engine->status;
}

/* ---- rounds ---- */

static void
begin_round (KtEngine *engine)
{
  engine->wanted = FALSE;
  engine->hurry = FALSE;
  engine->at_head = FALSE;
  engine->schema_moved = FALSE;
  engine->epoch_moved = FALSE;
  engine->device_moved = FALSE;
  engine->cursor_dropped = FALSE;
  engine->skip_push = FALSE;
  engine->skip_pull = FALSE;
  engine->schemas = 0;
  engine->accesses = 0;
  engine->skip_get = FALSE;
  engine->swept = FALSE;
  engine->wipes = 0;
  g_clear_pointer (&engine->wanted_blobs, g_ptr_array_unref);
  g_clear_error (&engine->problem);
  g_hash_table_remove_all (engine->blobs_left_out);
}

static void
begin_count (KtEngine *engine)
{
  engine->lingered = 0;
  engine->status.pulled = 0;
  engine->status.pushed = 0;
  engine->status.refused = 0;
  engine->status.reviewed = 0;
  engine->status.notices = 0;
}

void
_kt_engine_set_problem (KtEngine *engine, const GError *problem)
{
  g_autoptr (GError) copy = problem != NULL ? g_error_copy (problem) : NULL;

  g_clear_error (&engine->status.problem);
  engine->status.problem = g_steal_pointer (&copy);
}

static void
start_waiting (KtEngine *engine,
               KtLocal *local,
               const GError *problem,
               gint64 least_us,
               gint64 now_us)
{
  gint64 wait_us = kt_backoff_next (&engine->backoff, kt_local_env (local));

  _kt_engine_set_problem (engine, problem);
  engine->status.failures++;
  engine->asked_to_wait = least_us > 0;
  engine->hurry = FALSE;
  engine->wake_us = now_us + MAX (wait_us, least_us);
}

/* The line, the server as a whole or this machine: nothing else will work now either. */
void
_kt_engine_fail (KtEngine *engine,
                 KtLocal *local,
                 const GError *problem,
                 gint64 least_us,
                 gint64 now_us)
{
  start_waiting (engine, local, problem, least_us, now_us);
  _kt_engine_fire (engine, EVENT_FAILED);
}

/* This step has a reason of its own: the others go on. */
void
_kt_engine_leave_out (KtEngine *engine, const GError *problem)
{
  if (engine->problem == NULL)
    engine->problem = g_error_copy (problem);
  _kt_engine_set_problem (engine, engine->problem);

  switch (engine->state)
    {
    case KT_ENGINE_PUSH:
    case KT_ENGINE_DEVICE:
      engine->skip_push = TRUE;
      break;
    case KT_ENGINE_PULL:
    case KT_ENGINE_ACCESS:
      engine->skip_pull = TRUE;
      break;
    case KT_ENGINE_BLOB_STAT:
    case KT_ENGINE_BLOB_PUT:
      g_hash_table_add (engine->blobs_left_out, g_steal_pointer (&engine->blob));
      break;
    case KT_ENGINE_BLOB_GET:
      if (engine->getting != NULL)
        g_hash_table_add (engine->blobs_left_out, g_strdup (engine->getting->sha256));
      _kt_engine_drop_getting (engine);
      break;
    case KT_ENGINE_VERIFY:
      _kt_engine_leave_repair (engine, problem);
      break;
    default:
      break;
    }
  _kt_engine_fire (engine, EVENT_OWN);
}

/* Everything that could be sent is sent, everything pulled. */
gboolean
_kt_engine_end_round (KtEngine *engine, KtLocal *local, gint64 now_us, GError **error)
{
  KtOutboxCounts counts = { 0 };

  if (engine->problem != NULL)
    {
      g_autoptr (GError) problem = g_error_copy (engine->problem);

      _kt_engine_fail (engine, local, problem, 0, now_us);
      return TRUE;
    }
  if (!kt_local_outbox_counts (local, &counts, error))
    return FALSE;

  _kt_engine_set_problem (engine, NULL);
  kt_backoff_reset (&engine->backoff);
  engine->status.failures = 0;
  engine->status.rows_done = 0;
  engine->status.rows_total = 0;
  if (counts.settled == 0 && _kt_engine_begin_repair (engine, local, now_us))
    return TRUE;
  _kt_engine_fire (engine, EVENT_EMPTY);

  /* A verdict has come whose commit the pull did not hold yet: a server that shows commits
   * a moment later than it made them. Asked again soon, but not for ever. */
  if (counts.settled > 0 && engine->lingered < MAX_LINGER)
    {
      _kt_engine_fire (engine, EVENT_FAILED);
      engine->wake_us = now_us + ((gint64) 50000 << engine->lingered++);
      engine->hurry = FALSE;
      engine->asked_to_wait = FALSE;
    }
  return TRUE;
}

/* ---- pace ---- */

void
_kt_engine_speed_up (KtEngine *engine)
{
  switch (engine->state)
    {
    case KT_ENGINE_PUSH:
      engine->push_bytes = MIN (engine->push_bytes * 2, PUSH_MOST);
      engine->push_max = MIN (engine->push_max * 2, KT_WIRE_MAX_MUTATIONS);
      break;
    case KT_ENGINE_PULL:
      if (engine->pull_rows != 0)
        engine->pull_rows = engine->pull_rows >= PULL_MOST ? 0 : engine->pull_rows * 2;
      break;
    case KT_ENGINE_BLOB_PUT:
    case KT_ENGINE_BLOB_GET:
      engine->piece = MIN (engine->piece * 2, KT_SYNC_BLOB_PIECE);
      break;
    default:
      break;
    }
}

void
_kt_engine_slow_down (KtEngine *engine)
{
  switch (engine->state)
    {
    case KT_ENGINE_PUSH:
      engine->push_bytes = MAX (engine->push_bytes / 2, PUSH_LEAST);
      break;
    case KT_ENGINE_PULL:
      engine->pull_rows =
        engine->pull_rows == 0 ? PULL_FIRST : MAX (engine->pull_rows / 2, PULL_LEAST);
      break;
    case KT_ENGINE_BLOB_PUT:
    case KT_ENGINE_BLOB_GET:
      engine->piece = MAX (engine->piece / 2, PIECE_LEAST);
      break;
    default:
      break;
    }
}

/* ---- asking ---- */

KtRequest *
_kt_engine_ask (KtEngine *engine, KtEndpoint endpoint, const char *token, gint64 now_us)
{
  KtRequest *request = kt_request_new (endpoint);

  request->token = g_strdup (token);
  g_free (engine->token);
  engine->token = g_strdup (token);
  engine->out = TRUE;
  engine->sent_at_us = now_us;
  return request;
}

static KtRequest *
ask_schema (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us)
{
  const KtSchema *schema = kt_local_schema (local);
  KtRequest *request;

  if (schema != NULL && !engine->schema_moved)
    {
      _kt_engine_fire (engine, EVENT_READY);
      return NULL;
    }
  request = _kt_engine_ask (engine, KT_ENDPOINT_SCHEMA, token, now_us);
  if (schema != NULL)
    request->etag = g_strdup (kt_schema_digest (schema));
  return request;
}

static KtRequest *
ask_push (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us, GError **error)
{
  const KtIdentity *identity = kt_local_identity (local);
  g_autoptr (GBytes) mutations = NULL;
  g_autoptr (GError) failure = NULL;
  KtRequest *request;

  if (!engine->skip_push && identity != NULL)
    mutations = kt_local_outbox_take (local, engine->push_max, engine->push_bytes, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (mutations == NULL && engine->wiping && !engine->skip_push)
    {
      gboolean ready = FALSE;

      if (!kt_local_wipe_prepare (local, &ready, error))
        return NULL;
      /* What was parked is in the queue again. */
      if (!ready && engine->wipes++ < MAX_LINGER)
        {
          _kt_engine_fire (engine, EVENT_MORE);
          return NULL;
        }
    }
  if (mutations == NULL)
    {
      _kt_engine_fire (engine, engine->at_head || engine->skip_pull ? EVENT_SETTLED : EVENT_EMPTY);
      return NULL;
    }
  request = _kt_engine_ask (engine, KT_ENDPOINT_PUSH, token, now_us);
  request->body = kt_push_wrap (&identity->device, &identity->epoch, mutations);
  return request;
}

static KtRequest *
ask_device (KtEngine *engine, const char *token, gint64 now_us)
{
  KtRequest *request = _kt_engine_ask (engine, KT_ENDPOINT_DEVICE, token, now_us);

  request->body = kt_new_device_ask (g_get_host_name ());
  return request;
}

static KtRequest *
ask_pull (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us, GError **error)
{
  g_autofree char *cursor = NULL;
  g_autoptr (GError) failure = NULL;
  KtRequest *request;

  if (engine->skip_pull)
    {
      _kt_engine_fire (engine, EVENT_EMPTY);
      return NULL;
    }
  cursor = kt_local_cursor (local, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  request = _kt_engine_ask (engine, KT_ENDPOINT_PULL, token, now_us);
  /* A cursor says by itself which life it is of. */
  if (cursor != NULL)
    {
      kt_request_set_query (request, "cursor", cursor);
      /* An empty page need not be sent, unless it would end something. */
      if (kt_local_at_rest (local))
        {
          char schema[KT_WIRE_SCHEMA_DIGITS + 1];

          g_strlcpy (schema, kt_schema_digest (kt_local_schema (local)), sizeof schema);
          kt_request_set_query (request, "schema", schema);
        }
    }
  else if (kt_local_identity (local) != NULL)
    {
      char epoch[KT_ID_TEXT_SIZE];

      kt_id_format (&kt_local_identity (local)->epoch, epoch);
      kt_request_set_query (request, "epoch", epoch);
    }
  if (engine->pull_rows != 0)
    {
      char limit[16];

      g_snprintf (limit, sizeof limit, "%u", engine->pull_rows);
      kt_request_set_query (request, "limit", limit);
    }
  return request;
}

/* Whether the token leaves anything to do. */
static gboolean
check_token (KtEngine *engine, const char *token)
{
  if (token == NULL)
    {
      if (engine->state != KT_ENGINE_SIGNED_OUT)
        {
          _kt_engine_fire (engine, EVENT_AUTH);
          _kt_engine_set_problem (engine, NULL);
        }
      return FALSE;
    }
  if (engine->state != KT_ENGINE_SIGNED_OUT)
    return TRUE;
  if (g_strcmp0 (engine->rejected, token) == 0)
    return FALSE;
  g_clear_pointer (&engine->rejected, g_free);
  _kt_engine_set_problem (engine, NULL);
  kt_backoff_reset (&engine->backoff);
  engine->status.failures = 0;
  engine->wanted = TRUE;
  _kt_engine_fire (engine, EVENT_TOKEN);
  return TRUE;
}

KtRequest *
kt_engine_next (KtEngine *engine,
                KtLocal *local,
                const char *token,
                gint64 monotonic_us,
                gint64 *wait_us,
                GError **error)
{
  g_autoptr (GError) failure = NULL;

  g_return_val_if_fail (engine != NULL, NULL);
  g_return_val_if_fail (local != NULL, NULL);
  g_return_val_if_fail (wait_us != NULL, NULL);

  *wait_us = -1;
  engine->out = FALSE;
  engine->status.renewed = FALSE;
  engine->status.seq = kt_local_seq (local);
  if (!check_token (engine, token))
    return NULL;

  while (failure == NULL)
    {
      KtRequest *request = NULL;

      switch (engine->state)
        {
        case KT_ENGINE_IDLE:
          if (!engine->wanted)
            return NULL;
          begin_round (engine);
          begin_count (engine);
          _kt_engine_fire (engine, EVENT_POKED);
          break;

        case KT_ENGINE_WAIT:
          if (monotonic_us < engine->wake_us && (!engine->hurry || engine->asked_to_wait))
            {
              *wait_us = engine->wake_us - monotonic_us;
              return NULL;
            }
          begin_round (engine);
          _kt_engine_fire (engine, EVENT_TIME);
          break;

        case KT_ENGINE_SCHEMA:
          request = ask_schema (engine, local, token, monotonic_us);
          break;
        case KT_ENGINE_ACCESS:
          request = _kt_engine_ask (engine, KT_ENDPOINT_ACCESS, token, monotonic_us);
          break;
        case KT_ENGINE_PUSH:
          request = ask_push (engine, local, token, monotonic_us, &failure);
          break;
        case KT_ENGINE_DEVICE:
          request = ask_device (engine, token, monotonic_us);
          break;
        case KT_ENGINE_PULL:
          request = ask_pull (engine, local, token, monotonic_us, &failure);
          break;
        case KT_ENGINE_BLOB_STAT:
          request = _kt_engine_ask_blob_stat (engine, local, token, monotonic_us, &failure);
          break;
        case KT_ENGINE_BLOB_PUT:
          request = _kt_engine_ask_blob_put (engine, local, token, monotonic_us);
          break;
        case KT_ENGINE_BLOB_GET:
          request = _kt_engine_ask_blob_get (engine, local, token, monotonic_us, wait_us, &failure);
          if (request == NULL && failure == NULL && *wait_us > 0)
            return NULL;
          break;

        case KT_ENGINE_VERIFY:
          request = _kt_engine_ask_repair (engine, local, token, monotonic_us);
          break;

        case KT_ENGINE_WIPE:
          request = _kt_engine_ask_wipe (engine, local, token, monotonic_us, &failure);
          break;

        case KT_ENGINE_SIGNED_OUT:
        case KT_ENGINE_N_STATES:
        default:
          g_assert_not_reached ();
        }
      if (request != NULL)
        return request;
    }

  _kt_engine_fail (engine, local, failure, 0, monotonic_us);
  *wait_us = engine->wake_us - monotonic_us;
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}
