/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Attachments, up and down. They come last in a round, a piece each request, and whoever pokes the engine between two
 * pieces has records go first (P14). Where an upload stands the server knows, where a download stands its .part;
 * the engine keeps nothing but a running sum. */

#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-engine-private.h"

#include <string.h>

#include "base/kt-error.h"

#define SUM_SLICE (16 * 1024 * 1024)        /* read at once when a part is checked: the writer is held for that long */
#define CHECKED_AT_LEAST (32 * 1024 * 1024) /* by the server, with every question */
#define LIST_MOST 500

static gboolean
give_way (KtEngine *engine)
{
  if (!engine->wanted)
    return FALSE;
  engine->wanted = FALSE;
  engine->at_head = FALSE;
  _kt_engine_fire (engine, EVENT_POKED);
  return TRUE;
}

/* ---- up ---- */

KtRequest *
_kt_engine_ask_blob_stat (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us, GError **error)
{
  g_autoptr (GPtrArray) hashes = NULL;
  g_autofree char *before = g_steal_pointer (&engine->blob);
  KtRequest *request;

  if (give_way (engine))
    return NULL;
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
  if (engine->blob == NULL || g_strcmp0 (before, engine->blob) != 0)
    {
      engine->asked_again = FALSE;
      engine->waits = 0;
    }
  if (engine->blob == NULL)
    {
      _kt_engine_fire (engine, EVENT_EMPTY);
      return NULL;
    }
  request = _kt_engine_ask (engine, KT_ENDPOINT_BLOB_STAT, token, now_us);
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
  if (max == 0)
    return g_bytes_new (NULL, 0); /* an empty file: no buffer to read into */
  piece = g_malloc (max);
  if (!g_input_stream_read_all (G_INPUT_STREAM (stream), piece, max, &len, NULL, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&piece), len);
}

KtRequest *
_kt_engine_ask_blob_put (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us)
{
  g_autofree char *path = NULL;
  g_autoptr (GBytes) piece = NULL;
  g_autoptr (GError) failure = NULL;
  KtRequest *request;
  char number[32];

  if (give_way (engine))
    return NULL;
  path = kt_local_blob_path (local, engine->blob);
  piece = read_piece (path, engine->blob_offset,
                      (gsize) CLAMP (engine->blob_size - engine->blob_offset, 0, (gint64) engine->piece),
                      &failure);
  if (piece == NULL || (g_bytes_get_size (piece) == 0 && engine->blob_offset < engine->blob_size))
    {
      g_autoptr (GError) problem = NULL;

      problem = g_error_new (KT_ERROR, KT_ERROR_IO, "The attachment %.8s… cannot be read: %s",
                             engine->blob, failure != NULL ? failure->message : "it was cut short");
      _kt_engine_leave_out (engine, problem);
      return NULL;
    }
  request = _kt_engine_ask (engine, KT_ENDPOINT_BLOB_PUT, token, now_us);
  request->rest = g_strdup (engine->blob);
  g_snprintf (number, sizeof number, "%" G_GINT64_FORMAT, engine->blob_offset);
  kt_request_set_query (request, "offset", number);
  g_snprintf (number, sizeof number, "%" G_GINT64_FORMAT, engine->blob_size);
  kt_request_set_query (request, "size", number);
  request->body = g_steal_pointer (&piece);
  return request;
}

gboolean
_kt_engine_take_blob_state (KtEngine *engine,
                 KtLocal *local,
                 KtReply *reply,
                 GError **local_failure,
                 GError **error)
{
  g_autoptr (KtJson) json = _kt_engine_reply_json (reply);
  gint64 have = kt_json_get_int (json, "have", -1);

  if (have < 0)
    return _kt_engine_set_nonsense (error, "an attachment");
  if (kt_json_get_bool (json, "whole", FALSE))
    {
      if (!kt_local_blob_sent (local, engine->blob, local_failure))
        return FALSE;
      /* The server now says of the record that it is stored: worth a look before the round ends. */
      engine->wanted |= engine->state == KT_ENGINE_BLOB_PUT;
      _kt_engine_fire (engine, engine->state == KT_ENGINE_BLOB_STAT ? EVENT_MORE : EVENT_ANSWERED);
      return TRUE;
    }
  /* All of it arrived: the server still checks it, a part with every question. But not for ever. */
  if (have == engine->blob_size && engine->blob_size > 0
      && engine->waits++ < engine->blob_size / CHECKED_AT_LEAST + 16)
    {
      engine->blob_offset = have;
      _kt_engine_fire (engine,
                       engine->state == KT_ENGINE_BLOB_STAT ? EVENT_ANSWERED : EVENT_MORE);
      return TRUE;
    }
  if (have > engine->blob_size
      || (engine->state == KT_ENGINE_BLOB_PUT && have <= engine->blob_offset
          && engine->blob_size > 0))
    return _kt_engine_set_nonsense (error, "an attachment");
  engine->blob_offset = have;
  _kt_engine_fire (engine, engine->state == KT_ENGINE_BLOB_STAT ? EVENT_ANSWERED : EVENT_MORE);
  return TRUE;
}

/* ---- down ---- */

void
_kt_engine_drop_getting (KtEngine *engine)
{
  g_clear_pointer (&engine->getting, kt_blob_place_free);
  g_clear_pointer (&engine->sum, g_checksum_free);
  engine->summed = 0;
}

/* The next of the list that is not out of the question. */
static gboolean
choose (KtEngine *engine, KtLocal *local, GError **error)
{
  if (engine->wanted_blobs == NULL)
    {
      engine->wanted_blobs = kt_local_blobs_wanted (local, LIST_MOST, error);
      if (engine->wanted_blobs == NULL)
        return FALSE;
    }
  while (engine->getting == NULL && engine->wanted_blobs->len > 0)
    {
      KtBlobPlace *place = g_ptr_array_steal_index (engine->wanted_blobs, 0);

      if (g_hash_table_contains (engine->blobs_left_out, place->sha256)
          || g_hash_table_contains (engine->blobs_missing, place->sha256)
          || kt_local_blob_have (local, place->sha256, NULL))
        {
          kt_blob_place_free (place);
          continue;
        }
      place->part = kt_local_blob_part (local, place->sha256);
      if (place->size >= 0 && place->part > place->size)
        place->part = 0;
      engine->getting = place;
      engine->sum = g_checksum_new (G_CHECKSUM_SHA256);
      engine->summed = 0;
    }
  return TRUE;
}

/* What left this user's scope leaves the file, in steps. TRUE: there is more. That a step fails (somebody reads, the disk is full) is
 * no reason to hold up anything: it is tried again with the next round. */
static gboolean
sweep (KtEngine *engine, KtLocal *local, gint64 *wait_us)
{
  g_autoptr (GError) failure = NULL;
  gboolean more = FALSE;

  if (engine->swept || !kt_local_sweep_due (local))
    return FALSE;
  if (!kt_local_sweep (local, &more, &failure))
    {
      g_debug ("sweeping: %s", failure->message);
      engine->swept = TRUE;
      return FALSE;
    }
  if (more)
    *wait_us = 1;
  return more;
}

/* Nothing is left of the list: that is remembered, so that the next round need not look. */
static gboolean
end_of_list (KtEngine *engine, KtLocal *local, gint64 now_us, gint64 *wait_us, GError **error)
{
  if (sweep (engine, local, wait_us))
    return TRUE;
  if (!engine->skip_get && engine->wanted_blobs != NULL
      && g_hash_table_size (engine->blobs_left_out) == 0 && !kt_local_blobs_settled (local, error))
    return FALSE;
  g_clear_pointer (&engine->wanted_blobs, g_ptr_array_unref);
  return _kt_engine_end_round (engine, local, now_us, error);
}

/* All of it is here. *again: more of it is to be read. */
static gboolean
check_part (KtEngine *engine, KtLocal *local, gboolean *again, GError **error)
{
  KtBlobPlace *place = engine->getting;

  *again = FALSE;
  if (engine->summed < place->part
      && !kt_local_blob_part_hash (local, place->sha256, engine->sum, &engine->summed, SUM_SLICE,
                                   error))
    return FALSE;
  if (engine->summed < place->part)
    {
      *again = TRUE;
      return TRUE;
    }
  if (!kt_local_blob_part_finish (local, place->sha256, g_checksum_get_string (engine->sum), error))
    return FALSE;
  _kt_engine_drop_getting (engine);
  _kt_engine_fire (engine, EVENT_MORE);
  return TRUE;
}

/* FULL: this machine's, but records may still find room. */
static void
leave_out_local (KtEngine *engine, const GError *problem)
{
  engine->skip_get = g_error_matches (problem, KT_ERROR, KT_ERROR_FULL)
                     || g_error_matches (problem, KT_ERROR, KT_ERROR_IO);
  _kt_engine_leave_out (engine, problem);
}

/* Records and attachments are sent, as far as they can be. */
static KtRequest *
ask_to_wipe (KtEngine *engine, KtLocal *local, gint64 now_us, GError **error)
{
  g_autoptr (GPtrArray) left = kt_local_blobs_to_send (local, error);
  KtOutboxCounts counts = { 0 };

  if (left == NULL || !kt_local_outbox_counts (local, &counts, error))
    return NULL;
  for (guint i = 0; i < left->len; i++)
    if (kt_local_blob_have (local, left->pdata[i], NULL))
      counts.queued++;
  if (counts.queued + counts.sent + counts.parked == 0 && engine->problem == NULL)
    _kt_engine_fire (engine, EVENT_WIPE);
  else
    _kt_engine_end_round (engine, local, now_us, error);
  return NULL;
}

/* The data first, then the word that they are gone: a crash or a lost reply between the two leaves an empty device, of
 * which the server does not know that it is. */
KtRequest *
_kt_engine_ask_wipe (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us, GError **error)
{
  KtRequest *request;

  if (!_kt_session_forget (local, NULL, error) || !kt_local_wipe (local, error))
    return NULL;
  request = _kt_engine_ask (engine, KT_ENDPOINT_LOGOUT, token, now_us);
  request->body = g_bytes_new_static ("{\"wiped\":true}", 14);
  return request;
}

KtRequest *
_kt_engine_ask_blob_get (KtEngine *engine,
                         KtLocal *local,
                         const char *token,
                         gint64 now_us,
                         gint64 *wait_us,
                         GError **error)
{
  KtRequest *request;
  KtBlobPlace *place;

  if (give_way (engine))
    return NULL;
  if (engine->wiping)
    return ask_to_wipe (engine, local, now_us, error);
  if (engine->skip_get || (engine->getting == NULL && !kt_local_blobs_due (local)))
    {
      end_of_list (engine, local, now_us, wait_us, error);
      return NULL;
    }
  if (engine->getting == NULL && !choose (engine, local, error))
    return NULL;
  place = engine->getting;
  if (place == NULL)
    {
      end_of_list (engine, local, now_us, wait_us, error);
      return NULL;
    }
  if (place->size >= 0 && place->part >= place->size)
    {
      g_autoptr (GError) problem = NULL;
      g_autoptr (GBytes) nothing = g_bytes_new (NULL, 0);
      gboolean again = FALSE;

      if ((place->size > 0 || kt_local_blob_part_write (local, place->sha256, 0, nothing, &problem))
          && check_part (engine, local, &again, &problem))
        {
          if (again)
            *wait_us = 1;
        }
      else
        leave_out_local (engine, problem);
      return NULL;
    }
  request = _kt_engine_ask (engine, KT_ENDPOINT_BLOB_GET, token, now_us);
  request->rest = g_strdup (place->sha256);
  request->range_start = place->part;
  request->range_length = (gint64) engine->piece;
  return request;
}

gboolean
_kt_engine_take_blob_piece (KtEngine *engine,
                            KtLocal *local,
                            KtReply *reply,
                            GError **local_failure,
                            GError **error)
{
  KtBlobPlace *place = engine->getting;
  g_autoptr (GError) problem = NULL;
  gsize len = 0;
  const guint8 *data = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;

  /* A server that ignores ranges begins at the beginning. */
  if (reply->status == 200)
    place->part = engine->summed = 0;
  if (reply->status == 206 && place->size < 0)
    place->size = reply->range_total;
  else if (reply->status == 200 && place->size < 0)
    place->size = (gint64) len;
  if ((reply->status == 206 && reply->range_start != place->part) || len == 0
      || place->size < 0 || place->part + (gint64) len > place->size)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_SERVER,
                           "The server sent another part of an attachment than was asked for");
      return FALSE;
    }
  if (reply->status == 200)
    g_checksum_reset (engine->sum);
  if (!kt_local_blob_part_write (local, place->sha256, place->part, reply->body, &problem))
    {
      leave_out_local (engine, problem);
      return TRUE;
    }
  if (engine->summed == place->part)
    {
      g_checksum_update (engine->sum, data, (gssize) len);
      engine->summed += (gint64) len;
    }
  place->part += (gint64) len;
  _kt_engine_fire (engine, EVENT_MORE);
  return TRUE;
}
