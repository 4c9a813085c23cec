/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-engine.h"

#include <string.h>

#include "base/kt-error.h"
#include "sync/kt-backoff.h"
#include "sync/kt-sync-private.h"

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
  EVENT_OWN,      /* refused for a reason of this step alone */
  EVENT_FAILED,   /* the line, the server as a whole, or this machine failed */
  EVENT_TIME,     /* waited long enough */
  EVENT_AUTH,     /* the token is no longer good */
  EVENT_TOKEN,    /* there is another one */
  N_EVENTS
} Event;

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

  { KT_ENGINE_PUSH, EVENT_ANSWERED, KT_ENGINE_PULL }, /* take turns */
  { KT_ENGINE_PUSH, EVENT_MORE, KT_ENGINE_PUSH },     /* the same, in smaller batches */
  { KT_ENGINE_PUSH, EVENT_EMPTY, KT_ENGINE_PULL },
  { KT_ENGINE_PUSH, EVENT_SETTLED, KT_ENGINE_BLOB_STAT },
  { KT_ENGINE_PUSH, EVENT_OWN, KT_ENGINE_PULL },
  { KT_ENGINE_PUSH, EVENT_SCHEMA, KT_ENGINE_SCHEMA },
  { KT_ENGINE_PUSH, EVENT_EPOCH, KT_ENGINE_PULL },
  { KT_ENGINE_PUSH, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_PUSH, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_PULL, EVENT_ANSWERED, KT_ENGINE_PUSH },
  { KT_ENGINE_PULL, EVENT_MORE, KT_ENGINE_PUSH },
  { KT_ENGINE_PULL, EVENT_EMPTY, KT_ENGINE_PUSH },
  { KT_ENGINE_PULL, EVENT_OWN, KT_ENGINE_PUSH },
  { KT_ENGINE_PULL, EVENT_SCHEMA, KT_ENGINE_SCHEMA },
  { KT_ENGINE_PULL, EVENT_EPOCH, KT_ENGINE_PULL },
  { KT_ENGINE_PULL, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_PULL, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_BLOB_STAT, EVENT_ANSWERED, KT_ENGINE_BLOB_PUT },
  { KT_ENGINE_BLOB_STAT, EVENT_MORE, KT_ENGINE_BLOB_STAT }, /* the server has this one */
  { KT_ENGINE_BLOB_STAT, EVENT_EMPTY, KT_ENGINE_IDLE },
  { KT_ENGINE_BLOB_STAT, EVENT_POKED, KT_ENGINE_PUSH }, /* records go first */
  { KT_ENGINE_BLOB_STAT, EVENT_OWN, KT_ENGINE_BLOB_STAT },
  { KT_ENGINE_BLOB_STAT, EVENT_EPOCH, KT_ENGINE_PULL },
  { KT_ENGINE_BLOB_STAT, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_BLOB_STAT, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

  { KT_ENGINE_BLOB_PUT, EVENT_MORE, KT_ENGINE_BLOB_PUT },
  { KT_ENGINE_BLOB_PUT, EVENT_ANSWERED, KT_ENGINE_BLOB_STAT },
  { KT_ENGINE_BLOB_PUT, EVENT_POKED, KT_ENGINE_PUSH },
  { KT_ENGINE_BLOB_PUT, EVENT_OWN, KT_ENGINE_BLOB_STAT },
  { KT_ENGINE_BLOB_PUT, EVENT_EPOCH, KT_ENGINE_PULL },
  { KT_ENGINE_BLOB_PUT, EVENT_FAILED, KT_ENGINE_WAIT },
  { KT_ENGINE_BLOB_PUT, EVENT_AUTH, KT_ENGINE_SIGNED_OUT },

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
#define PULL_MOST 64000
#define PIECE_LEAST (32 * 1024)
#define SLOW_US (8 * G_USEC_PER_SEC)
#define FAST_US (2 * G_USEC_PER_SEC)
#define MAX_SCHEMAS 3 /* in one round */
#define MAX_LINGER 6
#define META_EPOCH "sync.epoch"

struct _KtEngine
{
  KtEngineStatus status;
  KtEngineState state;
  KtBackoff backoff;

  /* the request that is out */
  gboolean out;
  gint64 sent_at_us;
  guint asked; /* mutations in it */
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

static void
fire (KtEngine *engine, Event event)
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
  g_free (engine->blob);
  g_free (engine->token);
  g_free (engine->rejected);
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
  engine->cursor_dropped = FALSE;
  engine->skip_push = FALSE;
  engine->skip_pull = FALSE;
  engine->schemas = 0;
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
}

static void
set_problem (KtEngine *engine, const GError *problem)
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

  set_problem (engine, problem);
  engine->status.failures++;
  engine->asked_to_wait = least_us > 0;
  engine->hurry = FALSE;
  engine->wake_us = now_us + MAX (wait_us, least_us);
}

/* The line, the server as a whole or this machine: nothing else will work now either. */
static void
fail (KtEngine *engine, KtLocal *local, const GError *problem, gint64 least_us, gint64 now_us)
{
  start_waiting (engine, local, problem, least_us, now_us);
  fire (engine, EVENT_FAILED);
}

/* This step has a reason of its own: the others go on. */
static void
leave_out (KtEngine *engine, const GError *problem)
{
  if (engine->problem == NULL)
    engine->problem = g_error_copy (problem);
  set_problem (engine, engine->problem);

  switch (engine->state)
    {
    case KT_ENGINE_PUSH:
      engine->skip_push = TRUE;
      break;
    case KT_ENGINE_PULL:
      engine->skip_pull = TRUE;
      break;
    case KT_ENGINE_BLOB_STAT:
    case KT_ENGINE_BLOB_PUT:
      g_hash_table_add (engine->blobs_left_out, g_steal_pointer (&engine->blob));
      break;
    default:
      break;
    }
  fire (engine, EVENT_OWN);
}

/* Everything that could be sent is sent, everything pulled. */
static gboolean
end_round (KtEngine *engine, KtLocal *local, gint64 now_us, GError **error)
{
  KtOutboxCounts counts = { 0 };

  if (engine->problem != NULL)
    {
      g_autoptr (GError) problem = g_error_copy (engine->problem);

      fail (engine, local, problem, 0, now_us);
      return TRUE;
    }
  if (!kt_local_outbox_counts (local, &counts, error))
    return FALSE;

  set_problem (engine, NULL);
  kt_backoff_reset (&engine->backoff);
  engine->status.failures = 0;
  engine->status.rows_done = 0;
  engine->status.rows_total = 0;
  fire (engine, EVENT_EMPTY);

  /* A verdict has come whose commit the pull did not hold yet: a server that shows commits
   * a moment later than it made them. Asked again soon, but not for ever. */
  if (counts.settled > 0 && engine->lingered < MAX_LINGER)
    {
      fire (engine, EVENT_FAILED);
      engine->wake_us = now_us + ((gint64) 50000 << engine->lingered++);
      engine->hurry = FALSE;
      engine->asked_to_wait = FALSE;
    }
  return TRUE;
}

/* ---- pace ---- */

static void
speed_up (KtEngine *engine)
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
      engine->piece = MIN (engine->piece * 2, KT_SYNC_BLOB_PIECE);
      break;
    default:
      break;
    }
}

static void
slow_down (KtEngine *engine)
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
      engine->piece = MAX (engine->piece / 2, PIECE_LEAST);
      break;
    default:
      break;
    }
}

/* ---- asking ---- */

static KtRequest *
ask (KtEngine *engine, KtEndpoint endpoint, const char *token, gint64 now_us)
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
      fire (engine, EVENT_READY);
      return NULL;
    }
  request = ask (engine, KT_ENDPOINT_SCHEMA, token, now_us);
  if (schema != NULL)
    request->etag = g_strdup (kt_schema_digest (schema));
  return request;
}

/* ---- which life of the server the data here belongs to ----
 * Kept as "DEVICE EPOCH", so that a profile that changed hands does not inherit it; "DEVICE" alone: not
 * known, since the server turned out to live another life and no page of that has come. Before
 * anything was kept: that of the sign-in. */

static gboolean
get_epoch (KtLocal *local, char **epoch, GError **error)
{
  const KtIdentity *identity = kt_local_identity (local);
  g_autoptr (GError) failure = NULL;
  g_autofree char *kept = kt_local_get_meta (local, META_EPOCH, &failure);
  char device[KT_ID_TEXT_SIZE];

  *epoch = NULL;
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (identity == NULL)
    return TRUE;
  kt_id_format (&identity->device, device);
  if (kept == NULL || !g_str_has_prefix (kept, device))
    *epoch = kt_id_to_string (&identity->epoch);
  else if (strlen (kept) > sizeof device)
    *epoch = g_strdup (kept + sizeof device);
  return TRUE;
}

/* @epoch NULL: not known. */
static gboolean
keep_epoch (KtLocal *local, const KtId *epoch, GError **error)
{
  const KtIdentity *identity = kt_local_identity (local);
  g_autofree char *kept = kt_local_get_meta (local, META_EPOCH, NULL);
  g_autofree char *text = NULL;
  char device[KT_ID_TEXT_SIZE], id[KT_ID_TEXT_SIZE] = "";

  if (identity == NULL)
    return TRUE;
  kt_id_format (&identity->device, device);
  if (epoch != NULL)
    kt_id_format (epoch, id);
  text = g_strconcat (device, epoch != NULL ? " " : NULL, id, NULL);
  return g_strcmp0 (kept, text) == 0 || kt_local_set_meta (local, META_EPOCH, text, error);
}

/* {"device":"…","epoch":"…","mutations":[…]} */
static GBytes *
make_push (KtLocal *local, const char *epoch, GBytes *mutations)
{
  const KtIdentity *identity = kt_local_identity (local);
  GString *text = g_string_sized_new (g_bytes_get_size (mutations) + 256);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char device[KT_ID_TEXT_SIZE];

  kt_id_format (&identity->device, device);
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "device", device);
  kt_json_put_string (&writer, "epoch", epoch);
  kt_json_key (&writer, "mutations");
  g_string_append_len (text, g_bytes_get_data (mutations, NULL),
                       (gssize) g_bytes_get_size (mutations));
  kt_json_end_object (&writer);
  return g_string_free_to_bytes (text);
}

static KtRequest *
ask_push (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us, GError **error)
{
  g_autoptr (GBytes) mutations = NULL;
  g_autoptr (GError) failure = NULL;
  g_autofree char *epoch = NULL;
  KtRequest *request;

  if (!engine->skip_push && get_epoch (local, &epoch, &failure) && epoch != NULL)
    mutations = kt_local_outbox_take (local, engine->push_max, engine->push_bytes, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (mutations == NULL)
    {
      fire (engine, engine->at_head || engine->skip_pull ? EVENT_SETTLED : EVENT_EMPTY);
      return NULL;
    }
  request = ask (engine, KT_ENDPOINT_PUSH, token, now_us);
  request->body = make_push (local, epoch, mutations);
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
      fire (engine, EVENT_EMPTY);
      return NULL;
    }
  cursor = kt_local_cursor (local, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  request = ask (engine, KT_ENDPOINT_PULL, token, now_us);
  if (cursor != NULL)
    kt_request_set_query (request, "cursor", cursor);
  if (engine->pull_rows != 0)
    {
      char limit[16];

      g_snprintf (limit, sizeof limit, "%u", engine->pull_rows);
      kt_request_set_query (request, "limit", limit);
    }
  return request;
}

static KtRequest *
ask_blob_stat (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us, GError **error)
{
  g_autoptr (GPtrArray) hashes = NULL;
  KtRequest *request;

  g_clear_pointer (&engine->blob, g_free);
  if (engine->wanted)
    {
      engine->wanted = FALSE;
      engine->at_head = FALSE;
      fire (engine, EVENT_POKED);
      return NULL;
    }
  hashes = kt_local_blobs_to_send (local, error);
  if (hashes == NULL)
    return NULL;
  for (guint i = 0; i < hashes->len && engine->blob == NULL; i++)
    {
      const char *hash = g_ptr_array_index (hashes, i);

      if (!g_hash_table_contains (engine->blobs_left_out, hash)
          && kt_local_blob_have (local, hash, &engine->blob_size))
        engine->blob = g_strdup (hash);
    }
  if (engine->blob == NULL)
    {
      end_round (engine, local, now_us, error);
      return NULL;
    }
  request = ask (engine, KT_ENDPOINT_BLOB_STAT, token, now_us);
  request->rest = g_strdup (engine->blob);
  return request;
}

static GBytes *
read_piece (const char *path, gint64 offset, gsize max, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GFileInputStream) stream = g_file_read (file, NULL, error);
  g_autofree guint8 *piece = NULL;
  gsize len;

  if (stream == NULL || !g_seekable_seek (G_SEEKABLE (stream), offset, G_SEEK_SET, NULL, error))
    return NULL;
  piece = g_malloc (max);
  if (!g_input_stream_read_all (G_INPUT_STREAM (stream), piece, max, &len, NULL, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&piece), len);
}

static KtRequest *
ask_blob_put (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us)
{
  g_autofree char *path = NULL;
  g_autoptr (GBytes) piece = NULL;
  g_autoptr (GError) failure = NULL;
  KtRequest *request;
  char offset[32];

  if (engine->wanted)
    {
      engine->wanted = FALSE;
      engine->at_head = FALSE;
      fire (engine, EVENT_POKED);
      return NULL;
    }
  path = kt_local_blob_path (local, engine->blob);
  piece = read_piece (path, engine->blob_offset,
                      MIN (engine->piece, (gsize) MAX (engine->blob_size - engine->blob_offset, 0)),
                      &failure);
  if (piece == NULL || (g_bytes_get_size (piece) == 0 && engine->blob_offset < engine->blob_size))
    {
      g_autoptr (GError) problem = NULL;

      problem = g_error_new (KT_ERROR, KT_ERROR_IO, "The attachment %.8s… cannot be read: %s",
                             engine->blob, failure != NULL ? failure->message : "it was cut short");
      leave_out (engine, problem);
      return NULL;
    }
  g_snprintf (offset, sizeof offset, "%" G_GINT64_FORMAT, engine->blob_offset);
  request = ask (engine, KT_ENDPOINT_BLOB_PUT, token, now_us);
  request->rest = g_strdup (engine->blob);
  kt_request_set_query (request, "offset", offset);
  request->body = g_steal_pointer (&piece);
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
          fire (engine, EVENT_AUTH);
          set_problem (engine, NULL);
        }
      return FALSE;
    }
  if (engine->state != KT_ENGINE_SIGNED_OUT)
    return TRUE;
  if (g_strcmp0 (engine->rejected, token) == 0)
    return FALSE;
  g_clear_pointer (&engine->rejected, g_free);
  set_problem (engine, NULL);
  kt_backoff_reset (&engine->backoff);
  engine->status.failures = 0;
  engine->wanted = TRUE;
  fire (engine, EVENT_TOKEN);
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
          fire (engine, EVENT_POKED);
          break;

        case KT_ENGINE_WAIT:
          if (monotonic_us < engine->wake_us && (!engine->hurry || engine->asked_to_wait))
            {
              *wait_us = engine->wake_us - monotonic_us;
              return NULL;
            }
          begin_round (engine);
          fire (engine, EVENT_TIME);
          break;

        case KT_ENGINE_SCHEMA:
          request = ask_schema (engine, local, token, monotonic_us);
          break;
        case KT_ENGINE_PUSH:
          request = ask_push (engine, local, token, monotonic_us, &failure);
          break;
        case KT_ENGINE_PULL:
          request = ask_pull (engine, local, token, monotonic_us, &failure);
          break;
        case KT_ENGINE_BLOB_STAT:
          request = ask_blob_stat (engine, local, token, monotonic_us, &failure);
          break;
        case KT_ENGINE_BLOB_PUT:
          request = ask_blob_put (engine, local, token, monotonic_us);
          break;

        case KT_ENGINE_SIGNED_OUT:
        case KT_ENGINE_N_STATES:
        default:
          g_assert_not_reached ();
        }
      if (request != NULL)
        return request;
    }

  fail (engine, local, failure, 0, monotonic_us);
  *wait_us = engine->wake_us - monotonic_us;
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

/* ---- replies ---- */

static KtJson *
reply_json (KtReply *reply)
{
  gsize len = 0;
  gconstpointer data = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;

  return len > 0 ? kt_json_parse (data, (gssize) len, NULL) : NULL;
}

static gboolean
set_nonsense (GError **error, const char *what)
{
  g_set_error (error, KT_ERROR, KT_ERROR_SERVER,
               "The server's answer to %s cannot be understood; it is asked again later", what);
  return FALSE;
}

static gboolean
schema_is (KtLocal *local, const char *digest)
{
  const KtSchema *schema = kt_local_schema (local);

  return digest == NULL || (schema != NULL && g_str_equal (digest, kt_schema_digest (schema)));
}

/* The handlers below return FALSE with an error of the server's making: the step is left out of
 * this round; or with *local_failure, of this machine's: everything waits. */

static gboolean
take_schema (KtEngine *engine,
             KtLocal *local,
             KtReply *reply,
             GPtrArray *change_sets,
             GError **local_failure,
             GError **error)
{
  gsize len = 0;
  gconstpointer data = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;
  g_autoptr (KtSchema) schema = NULL;

  engine->schema_moved = FALSE;
  if (reply->status != 304)
    {
      schema = kt_schema_from_json (data != NULL ? data : "", (gssize) len, error);
      if (schema == NULL)
        {
          g_prefix_error (error, "This program cannot use the server's new schema; upgrade it. ");
          return FALSE;
        }
      if (!kt_local_set_schema (local, schema, local_failure))
        return FALSE;
    }
  fire (engine, EVENT_ANSWERED);
  return TRUE;
}

static gboolean
take_verdicts (KtEngine *engine,
               KtLocal *local,
               KtReply *reply,
               GPtrArray *change_sets,
               GError **local_failure,
               GError **error)
{
  g_autoptr (KtJson) json = reply_json (reply);
  const KtJson *list = kt_json_get (json, "verdicts");
  guint n = kt_json_length (list);
  g_autofree KtVerdict *verdicts = NULL;
  KtChangeSet *changes = NULL;
  gint64 refused = 0, reviewed = 0;
  guint read = 0;
  gboolean stored = FALSE;

  if (kt_json_type (list) != KT_JSON_ARRAY || n == 0 || n > KT_WIRE_MAX_MUTATIONS)
    return set_nonsense (error, "a push");

  verdicts = g_new0 (KtVerdict, n);
  for (; read < n; read++)
    {
      if (!kt_verdict_from_json (kt_json_at (list, read), &verdicts[read], error))
        break;
      refused += verdicts[read].outcome == KT_OUTCOME_REFUSED;
      reviewed += verdicts[read].outcome == KT_OUTCOME_REVIEW;
    }
  if (read == n)
    {
      g_autoptr (GError) failure = NULL;

      stored = kt_local_settle (local, verdicts, n, &changes, &failure);
      if (failure != NULL)
        g_propagate_error (local_failure, g_steal_pointer (&failure));
    }
  for (guint i = 0; i < read; i++)
    kt_verdict_clear (&verdicts[i]);
  if (!stored)
    return FALSE;

  if (changes != NULL)
    g_ptr_array_add (change_sets, changes);
  engine->status.pushed += n;
  engine->status.refused += refused;
  engine->status.reviewed += reviewed;
  engine->at_head = FALSE;
  if (!schema_is (local, kt_json_get_string (json, "schema", NULL))
      && engine->schemas < MAX_SCHEMAS)
    {
      engine->schemas++;
      engine->schema_moved = TRUE;
      fire (engine, EVENT_SCHEMA);
    }
  else
    {
      fire (engine, EVENT_ANSWERED);
    }
  return TRUE;
}

/* Rows are the lines that begin with a bracket; strings cannot hold a line end. */
static gint64
count_rows (GBytes *body)
{
  gsize len;
  const char *at = g_bytes_get_data (body, &len);
  const char *end = at + len;
  gint64 rows = 0;

  while (at != NULL && at < end)
    {
      rows += *at == '[';
      at = memchr (at, '\n', (gsize) (end - at));
      if (at != NULL)
        at++;
    }
  return rows;
}

/* What the store found wrong with a page, against what is wrong with this machine. */
static gboolean
is_pages_fault (const GError *error)
{
  static const KtError faults[] = { KT_ERROR_INVALID,    KT_ERROR_LIMIT, KT_ERROR_NOT_FOUND,
                                    KT_ERROR_SCHEMA,     KT_ERROR_NEWER, KT_ERROR_SERVER,
                                    KT_ERROR_NOT_KONTOR, KT_ERROR_EPOCH, KT_ERROR_CONFLICT };

  for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      if (g_error_matches (error, KT_ERROR, (int) faults[i]))
        return TRUE;
    }
  return FALSE;
}

static gboolean
take_epoch (KtEngine *engine, KtLocal *local, GError **local_failure, GError **error)
{
  if (engine->epoch_moved)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_SERVER,
                           "The server cannot agree with itself which database it runs on; "
                           "nothing is lost here. Tell its administrator");
      return FALSE;
    }
  /* In this order: a crash between the two only asks again. */
  if (!keep_epoch (local, NULL, local_failure) || !kt_local_reset_cursor (local, local_failure))
    return FALSE;
  engine->epoch_moved = TRUE;
  engine->at_head = FALSE;
  engine->status.rows_done = 0;
  engine->status.rows_total = 0;
  fire (engine, EVENT_EPOCH);
  return TRUE;
}

static gboolean
take_page (KtEngine *engine,
           KtLocal *local,
           KtReply *reply,
           GPtrArray *change_sets,
           GError **local_failure,
           GError **error)
{
  const KtSchema *schema = kt_local_schema (local);
  g_autoptr (KtPage) page = NULL;
  g_autoptr (GError) failure = NULL;
  KtChangeSet *changes = NULL;
  gboolean done = FALSE;
  gint64 rows;

  if (reply->body == NULL || schema == NULL)
    return set_nonsense (error, "a pull");

  rows = count_rows (reply->body);
  page = kt_page_open (schema, g_steal_pointer (&reply->body), error);
  if (page == NULL)
    return FALSE;
  if (!schema_is (local, page->schema_digest))
    {
      /* Nothing of it is applied: what this schema has no place for would be lost for good. */
      if (engine->schemas >= MAX_SCHEMAS)
        {
          g_set_error_literal (error, KT_ERROR, KT_ERROR_SERVER,
                               "The server sends records of a schema that this device could not "
                               "get. What is here stays as it is");
          return FALSE;
        }
      engine->schemas++;
      engine->schema_moved = TRUE;
      fire (engine, EVENT_SCHEMA);
      return TRUE;
    }
  if (page->rows_total > 0 && page->snapshot)
    engine->status.rows_total = page->rows_total;

  if (!kt_local_apply_page (local, page, &done, &changes, &failure))
    {
      if (g_error_matches (failure, KT_ERROR, KT_ERROR_EPOCH))
        return take_epoch (engine, local, local_failure, error);
      g_propagate_error (is_pages_fault (failure) ? error : local_failure,
                         g_steal_pointer (&failure));
      return FALSE;
    }

  if (changes != NULL)
    g_ptr_array_add (change_sets, changes);
  if (!keep_epoch (local, &page->epoch, local_failure))
    return FALSE;
  engine->status.pulled += rows;
  engine->status.rows_done += rows;
  engine->status.seq = kt_local_seq (local);
  engine->at_head = done;
  if (done)
    engine->status.rows_done = engine->status.rows_total = 0;
  fire (engine, done ? EVENT_ANSWERED : EVENT_MORE);
  return TRUE;
}

static gboolean
take_blob_state (KtEngine *engine,
                 KtLocal *local,
                 KtReply *reply,
                 GError **local_failure,
                 GError **error)
{
  g_autoptr (KtJson) json = reply_json (reply);
  gint64 have = kt_json_get_int (json, "have", -1);

  if (have < 0)
    return set_nonsense (error, "an attachment");
  if (kt_json_get_bool (json, "whole", FALSE))
    {
      if (!kt_local_blob_sent (local, engine->blob, local_failure))
        return FALSE;
      fire (engine, engine->state == KT_ENGINE_BLOB_STAT ? EVENT_MORE : EVENT_ANSWERED);
      return TRUE;
    }
  /* All of it arrived and it is still not whole: what the server holds is not what was meant. */
  if (have > engine->blob_size
      || (engine->state == KT_ENGINE_BLOB_PUT && have <= engine->blob_offset
          && engine->blob_size > 0))
    return set_nonsense (error, "an attachment");
  engine->blob_offset = have;
  fire (engine, engine->state == KT_ENGINE_BLOB_STAT ? EVENT_ANSWERED : EVENT_MORE);
  return TRUE;
}

static gboolean
take_reply (KtEngine *engine,
            KtLocal *local,
            KtReply *reply,
            GPtrArray *change_sets,
            GError **local_failure,
            GError **error)
{
  switch (engine->state)
    {
    case KT_ENGINE_SCHEMA:
      return take_schema (engine, local, reply, change_sets, local_failure, error);
    case KT_ENGINE_PUSH:
      return take_verdicts (engine, local, reply, change_sets, local_failure, error);
    case KT_ENGINE_PULL:
      return take_page (engine, local, reply, change_sets, local_failure, error);
    case KT_ENGINE_BLOB_STAT:
    case KT_ENGINE_BLOB_PUT:
      return take_blob_state (engine, local, reply, local_failure, error);
    case KT_ENGINE_IDLE:
    case KT_ENGINE_WAIT:
    case KT_ENGINE_SIGNED_OUT:
    case KT_ENGINE_N_STATES:
    default:
      g_assert_not_reached ();
    }
}

/* A push that came before its predecessors (409): only a server that forgot some of them says so. */
static GError *
gap_error (KtLocal *local, KtReply *reply, const GError *refusal)
{
  g_autoptr (KtJson) json = reply_json (reply);
  const KtJson *inner = kt_json_get (json, "error");
  gint64 last = kt_json_get_int (json, "last_number", kt_json_get_int (inner, "last_number", -1));
  KtOutboxCounts counts = { 0 };

  if (last < 0)
    return g_error_copy (refusal);
  kt_local_outbox_counts (local, &counts, NULL);
  return g_error_new (KT_ERROR, KT_ERROR_CONFLICT,
                      "The server knows the changes of this device only up to number "
                      "%" G_GINT64_FORMAT ", but had confirmed later ones: it was probably "
                      "restored from a backup. Nothing is lost: %" G_GINT64_FORMAT
                      " waiting here are kept. Tell the administrator",
                      last, counts.queued + counts.sent);
}

/* The server answered, and said no. */
static gboolean
take_refusal (KtEngine *engine,
              KtLocal *local,
              KtReply *reply,
              const GError *refusal,
              gint64 now_us,
              GError **local_failure)
{
  g_autoptr (GError) problem = NULL;
  gboolean bad_request = g_error_matches (refusal, KT_ERROR, KT_ERROR_INVALID)
                         || g_error_matches (refusal, KT_ERROR, KT_ERROR_LIMIT);

  if (g_error_matches (refusal, KT_ERROR, KT_ERROR_AUTH))
    {
      g_free (engine->rejected);
      engine->rejected = g_strdup (engine->token);
      set_problem (engine, refusal);
      fire (engine, EVENT_AUTH);
      return TRUE;
    }
  if (g_error_matches (refusal, KT_ERROR, KT_ERROR_EPOCH))
    {
      if (take_epoch (engine, local, local_failure, &problem))
        return TRUE;
      if (problem == NULL)
        return FALSE;
      leave_out (engine, problem);
      return TRUE;
    }
  if (g_error_matches (refusal, KT_ERROR, KT_ERROR_BUSY) || reply->retry_after_ms > 0)
    {
      fail (engine, local, refusal, MIN (reply->retry_after_ms * 1000, KT_BACKOFF_LAST_US), now_us);
      return TRUE;
    }
  if (engine->state == KT_ENGINE_SCHEMA && kt_local_schema (local) == NULL)
    {
      fail (engine, local, refusal, 0, now_us);
      return TRUE;
    }

  /* Something in this batch is poison as a message: find out with smaller ones which, so that
   * what stands before it goes through. */
  if (engine->state == KT_ENGINE_PUSH && bad_request && engine->push_max > 1)
    {
      engine->push_max /= 2;
      fire (engine, EVENT_MORE);
      return TRUE;
    }
  /* A cursor that the server cannot read: nothing it stands for is lost by starting again. */
  if (engine->state == KT_ENGINE_PULL && bad_request && !engine->cursor_dropped)
    {
      if (!kt_local_reset_cursor (local, local_failure))
        return FALSE;
      engine->cursor_dropped = TRUE;
      fire (engine, EVENT_MORE);
      return TRUE;
    }

  if (engine->state == KT_ENGINE_PUSH && reply->status == 409)
    problem = gap_error (local, reply, refusal);
  else
    problem = g_error_copy (refusal);
  leave_out (engine, problem);
  return TRUE;
}

gboolean
kt_engine_reply (KtEngine *engine,
                 KtLocal *local,
                 KtReply *reply,
                 const GError *failure,
                 gint64 monotonic_us,
                 GPtrArray *change_sets,
                 GError **error)
{
  g_autoptr (GError) refusal = NULL;
  g_autoptr (GError) problem = NULL;
  g_autoptr (GError) local_failure = NULL;
  gint64 took_us = monotonic_us - engine->sent_at_us;

  g_return_val_if_fail (engine != NULL, FALSE);
  g_return_val_if_fail (local != NULL, FALSE);
  g_return_val_if_fail (reply != NULL || failure != NULL, FALSE);
  g_return_val_if_fail (change_sets != NULL, FALSE);

  /* An answer that nobody waits for any more: a doubled one, or one that was taken for lost. */
  if (!engine->out)
    return TRUE;
  engine->out = FALSE;

  if (reply == NULL)
    {
      engine->status.online = FALSE;
      slow_down (engine);
      fail (engine, local, failure, 0, monotonic_us);
      return TRUE;
    }

  refusal =
    reply->status == 304 && engine->state == KT_ENGINE_SCHEMA ? NULL : kt_reply_to_error (reply);
  engine->status.online = !g_error_matches (refusal, KT_ERROR, KT_ERROR_NOT_KONTOR);
  if (refusal == NULL)
    {
      if (took_us > SLOW_US)
        slow_down (engine);
      else if (took_us < FAST_US)
        speed_up (engine);
      if (take_reply (engine, local, reply, change_sets, &local_failure, &problem))
        return TRUE;
      if (problem != NULL)
        {
          if (engine->state == KT_ENGINE_SCHEMA && kt_local_schema (local) == NULL)
            fail (engine, local, problem, 0, monotonic_us);
          else
            leave_out (engine, problem);
          return TRUE;
        }
    }
  else if (take_refusal (engine, local, reply, refusal, monotonic_us, &local_failure))
    {
      return TRUE;
    }

  g_assert (local_failure != NULL);
  fail (engine, local, local_failure, 0, monotonic_us);
  g_propagate_error (error, g_steal_pointer (&local_failure));
  return FALSE;
}
