/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-engine-private.h"

#include <string.h>

#include "base/kt-error.h"

#define SLOW_US (8 * G_USEC_PER_SEC)
#define FAST_US (2 * G_USEC_PER_SEC)
#define MAX_SCHEMAS 3 /* in one round */

/* ---- replies ---- */

KtJson *
_kt_engine_reply_json (KtReply *reply)
{
  gsize len = 0;
  gconstpointer data = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;

  return len > 0 ? kt_json_parse (data, (gssize) len, NULL) : NULL;
}

gboolean
_kt_engine_set_nonsense (GError **error, const char *what)
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

static gboolean
access_is (KtLocal *local, const char *digest)
{
  g_autofree char *mine = digest != NULL ? kt_local_access_digest (local) : NULL;

  return g_strcmp0 (mine, digest) == 0;
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
          _kt_sync_schema_error (data, len, error);
          return FALSE;
        }
      if (!kt_local_set_schema (local, schema, local_failure))
        return FALSE;
    }
  _kt_engine_fire (engine, EVENT_ANSWERED);
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
  g_auto (KtPushAnswer) answer = { 0 };
  g_autoptr (GError) failure = NULL;
  KtChangeSet *changes = NULL;

  if (!kt_push_answer_read (reply, &answer, error))
    return FALSE;
  if (!kt_local_settle (local, (const KtVerdict *) answer.verdicts->data, answer.verdicts->len,
                        &changes, &failure))
    {
      g_propagate_error (local_failure, g_steal_pointer (&failure));
      return FALSE;
    }
  if (changes != NULL)
    g_ptr_array_add (change_sets, changes);
  for (guint i = 0; i < answer.verdicts->len; i++)
    {
      const KtVerdict *verdict = &g_array_index (answer.verdicts, KtVerdict, i);

      engine->status.refused += verdict->outcome == KT_OUTCOME_REFUSED;
      engine->status.reviewed += verdict->outcome == KT_OUTCOME_REVIEW;
    }
  engine->status.pushed += answer.verdicts->len;
  engine->at_head = FALSE;
  if (!schema_is (local, answer.schema) && engine->schemas < MAX_SCHEMAS)
    {
      engine->schemas++;
      engine->schema_moved = TRUE;
      _kt_engine_fire (engine, EVENT_SCHEMA);
    }
  else
    {
      _kt_engine_fire (engine, EVENT_ANSWERED);
    }
  return TRUE;
}

/* The profile is a copy, and here is the device that it is from now on. */
static gboolean
take_device (KtEngine *engine,
             KtLocal *local,
             KtReply *reply,
             GPtrArray *change_sets,
             GError **local_failure,
             GError **error)
{
  g_auto (KtNewDevice) device = { 0 };
  KtChangeSet *changes = NULL;

  if (!kt_new_device_read (reply, &device, error))
    return FALSE;
  if (!_kt_session_renew (local, &device, &changes, local_failure))
    return FALSE;
  if (changes != NULL)
    g_ptr_array_add (change_sets, changes);
  engine->device_moved = TRUE;
  engine->status.renewed = TRUE;
  engine->status.notices++;
  _kt_engine_fire (engine, EVENT_ANSWERED);
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
gboolean
_kt_engine_is_pages_fault (const GError *error)
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

/* What the server lost goes back into the outbox, and out before anything comes in. @common 0: nothing is sure. */
static gboolean
begin_life (KtEngine *engine,
            KtLocal *local,
            const KtStanding *standing,
            GPtrArray *change_sets,
            GError **local_failure,
            GError **error)
{
  KtChangeSet *changes = NULL;

  if (engine->epoch_moved || kt_id_is_nil (&standing->epoch) || standing->last_number < 0)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_SERVER,
                           "The server cannot agree with itself which database it runs on; "
                           "nothing is lost here. Tell its administrator");
      return FALSE;
    }
  if (!kt_local_new_epoch (local, &standing->epoch, standing->last_number,
                           MAX (standing->common, 0), standing->backup_at, &changes, local_failure))
    return FALSE;
  if (changes != NULL)
    g_ptr_array_add (change_sets, changes);
  engine->epoch_moved = TRUE;
  engine->at_head = FALSE;
  engine->status.notices++;
  engine->status.rows_done = 0;
  engine->status.rows_total = 0;
  _kt_engine_fire (engine, EVENT_EPOCH);
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

  if (reply->status == 204 && kt_local_at_rest (local))
    {
      engine->at_head = TRUE;
      engine->status.rows_done = engine->status.rows_total = 0;
      _kt_engine_fire (engine, EVENT_ANSWERED);
      return TRUE;
    }
  if (reply->body == NULL || schema == NULL)
    return _kt_engine_set_nonsense (error, "a pull");

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
      _kt_engine_fire (engine, EVENT_SCHEMA);
      return TRUE;
    }
  if (!access_is (local, page->access_digest))
    {
      /* Nothing of it either: whoever lost a right must not keep what it showed, nor miss what a new one shows. */
      if (engine->accesses >= MAX_SCHEMAS)
        {
          g_set_error_literal (error, KT_ERROR, KT_ERROR_SERVER,
                               "The server cannot agree with itself what you may see. What is here stays as it is");
          return FALSE;
        }
      engine->accesses++;
      _kt_engine_fire (engine, EVENT_ACCESS);
      return TRUE;
    }
  if (page->rows_total > 0 && page->snapshot)
    engine->status.rows_total = page->rows_total;

  if (!kt_local_apply_page (local, page, &done, &changes, &failure))
    {
      /* It ends before what is here: either this page lies or one before did, and named a seq that there was
       * not yet. Only all of it anew tells, and nothing is shown or dropped before that is complete. */
      if (g_error_matches (failure, KT_ERROR, KT_ERROR_CONFLICT) && !engine->cursor_dropped)
        {
          if (!kt_local_pull_anew (local, local_failure))
            return FALSE;
          engine->cursor_dropped = TRUE;
          _kt_engine_fire (engine, EVENT_MORE);
          return TRUE;
        }
      g_propagate_error (_kt_engine_is_pages_fault (failure) ? error : local_failure,
                         g_steal_pointer (&failure));
      return FALSE;
    }

  if (changes != NULL)
    g_ptr_array_add (change_sets, changes);
  engine->status.pulled += rows;
  engine->status.rows_done += rows;
  engine->status.seq = kt_local_seq (local);
  engine->at_head = done;
  if (done)
    engine->status.rows_done = engine->status.rows_total = 0;
  _kt_engine_fire (engine, done ? EVENT_ANSWERED : EVENT_MORE);
  return TRUE;
}

/* A document that cannot be read says nothing: neither that all is allowed nor that nothing is (53). */
static gboolean
take_access (KtEngine *engine,
             KtLocal *local,
             KtReply *reply,
             GPtrArray *change_sets,
             GError **local_failure,
             GError **error)
{
  gsize len = 0;
  gconstpointer data = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;
  g_autoptr (KtRights) rights = kt_rights_from_json (data != NULL ? data : "", (gssize) len, error);
  g_autoptr (GError) failure = NULL;
  KtChangeSet *changes = NULL;

  if (rights == NULL)
    {
      g_prefix_error (error, "What you may see could not be learned: ");
      return FALSE;
    }
  if (!kt_local_set_access (local, rights, &changes, &failure))
    {
      g_propagate_error (_kt_engine_is_pages_fault (failure) ? error : local_failure, g_steal_pointer (&failure));
      return FALSE;
    }
  if (changes != NULL)
    g_ptr_array_add (change_sets, changes);
  _kt_engine_fire (engine, EVENT_ANSWERED);
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
    case KT_ENGINE_ACCESS:
      return take_access (engine, local, reply, change_sets, local_failure, error);
    case KT_ENGINE_PUSH:
      return take_verdicts (engine, local, reply, change_sets, local_failure, error);
    case KT_ENGINE_DEVICE:
      return take_device (engine, local, reply, change_sets, local_failure, error);
    case KT_ENGINE_PULL:
      return take_page (engine, local, reply, change_sets, local_failure, error);
    case KT_ENGINE_BLOB_STAT:
    case KT_ENGINE_BLOB_PUT:
      return _kt_engine_take_blob_state (engine, local, reply, local_failure, error);
    case KT_ENGINE_WIPE:
      engine->wiping = FALSE;
      g_free (engine->rejected);
      engine->rejected = g_strdup (engine->token);
      _kt_engine_fire (engine, EVENT_AUTH);
      return TRUE;
    case KT_ENGINE_BLOB_GET:
      return _kt_engine_take_blob_piece (engine, local, reply, local_failure, error);
    case KT_ENGINE_VERIFY:
      return _kt_engine_take_repair (engine, local, reply, change_sets, local_failure, error);
    case KT_ENGINE_IDLE:
    case KT_ENGINE_WAIT:
    case KT_ENGINE_SIGNED_OUT:
    case KT_ENGINE_N_STATES:
    default:
      g_assert_not_reached ();
    }
}

/* A push that came before its predecessors (409): the server confirmed them, and knows nothing of them now. Somebody
 * put old files in its place without saying so: another life in all but name. */
static gboolean
is_gap (KtLocal *local, const KtStanding *standing)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (local, 0, NULL);

  if (standing->copied || standing->last_number < 0)
    return FALSE;
  for (guint i = 0; entries != NULL && i < entries->len; i++)
    {
      const KtOutboxEntry *entry = g_ptr_array_index (entries, i);

      if (entry->state == KT_OUTBOX_SENT)
        return standing->last_number + 1 < entry->mutation->number;
    }
  return FALSE;
}

/* 409 of a push. *done: it led on. */
static gboolean
take_conflict (KtEngine *engine,
               KtLocal *local,
               const KtStanding *standing,
               GPtrArray *change_sets,
               gboolean *done,
               GError **local_failure,
               GError **error)
{
  *done = TRUE;
  if (standing->copied && !engine->device_moved)
    {
      _kt_engine_fire (engine, EVENT_COPIED);
      return TRUE;
    }
  if (!engine->epoch_moved && is_gap (local, standing))
    return begin_life (engine, local, standing, change_sets, local_failure, error);
  *done = FALSE;
  return TRUE;
}

static gboolean
wants_wipe (KtReply *reply)
{
  g_autoptr (KtJson) json = _kt_engine_reply_json (reply);

  return g_strcmp0 (kt_json_get_string (kt_json_get (json, "error"), "reason", NULL), "wipe") == 0;
}

/* The server answered, and said no. */
static gboolean
take_refusal (KtEngine *engine,
              KtLocal *local,
              KtReply *reply,
              const GError *refusal,
              gint64 now_us,
              GPtrArray *change_sets,
              GError **local_failure)
{
  g_autoptr (GError) problem = NULL;
  g_auto (KtStanding) standing = { 0 };
  gboolean bad_request = g_error_matches (refusal, KT_ERROR, KT_ERROR_INVALID)
                         || g_error_matches (refusal, KT_ERROR, KT_ERROR_LIMIT);

  if (g_error_matches (refusal, KT_ERROR, KT_ERROR_AUTH))
    {
      g_free (engine->rejected);
      engine->rejected = g_strdup (engine->token);
      _kt_engine_set_problem (engine, refusal);
      _kt_engine_fire (engine, EVENT_AUTH);
      return TRUE;
    }
  if (engine->state == KT_ENGINE_PULL && reply->status == 403 && wants_wipe (reply))
    {
      engine->wiping = TRUE;
      engine->skip_pull = TRUE;
      _kt_engine_set_problem (engine, refusal);
      _kt_engine_fire (engine, EVENT_EMPTY);
      return TRUE;
    }
  if (g_error_matches (refusal, KT_ERROR, KT_ERROR_EPOCH))
    {
      kt_standing_read (reply, &standing);
      if (begin_life (engine, local, &standing, change_sets, local_failure, &problem))
        return TRUE;
      if (problem == NULL)
        return FALSE;
      _kt_engine_leave_out (engine, problem);
      return TRUE;
    }
  if (g_error_matches (refusal, KT_ERROR, KT_ERROR_BUSY) || reply->retry_after_ms > 0)
    {
      _kt_engine_fail (engine, local, refusal,
                       MIN (reply->retry_after_ms * 1000, KT_BACKOFF_LAST_US), now_us);
      return TRUE;
    }
  if (engine->state == KT_ENGINE_SCHEMA && kt_local_schema (local) == NULL)
    {
      _kt_engine_fail (engine, local, refusal, 0, now_us);
      return TRUE;
    }

  /* Something in this batch is poison as a message: find out with smaller ones which, so that
   * what stands before it goes through. */
  if (engine->state == KT_ENGINE_PUSH && bad_request && engine->push_max > 1)
    {
      engine->push_max /= 2;
      _kt_engine_fire (engine, EVENT_MORE);
      return TRUE;
    }
  /* A cursor that the server cannot read: nothing it stands for is lost by starting again. */
  if (engine->state == KT_ENGINE_PULL && bad_request && !engine->cursor_dropped)
    {
      if (!kt_local_reset_cursor (local, local_failure))
        return FALSE;
      engine->cursor_dropped = TRUE;
      _kt_engine_fire (engine, EVENT_MORE);
      return TRUE;
    }

  /* The server stands elsewhere with this upload than it said, or what came together there is something else, damaged on
   * its way, and was thrown away: it is asked, once. */
  if (engine->state == KT_ENGINE_BLOB_PUT && (reply->status == 409 || bad_request)
      && !engine->asked_again)
    {
      engine->asked_again = TRUE;
      _kt_engine_fire (engine, EVENT_OWN);
      return TRUE;
    }

  /* What a record says is stored and is not: nothing to wait for until the record changes. */
  if (engine->state == KT_ENGINE_BLOB_GET && reply->status == 404)
    {
      g_hash_table_add (engine->blobs_missing, g_strdup (engine->getting->sha256));
      _kt_engine_drop_getting (engine);
      _kt_engine_fire (engine, EVENT_OWN);
      return TRUE;
    }
  /* The part is longer than the server's: it cannot be of the same. */
  if (engine->state == KT_ENGINE_BLOB_GET && reply->status == 416)
    {
      g_autoptr (GBytes) nothing = g_bytes_new (NULL, 0);

      kt_local_blob_part_write (local, engine->getting->sha256, 0, nothing, NULL);
    }

  if (engine->state == KT_ENGINE_PUSH && reply->status == 409)
    {
      gboolean done;

      kt_standing_read (reply, &standing);
      if (!take_conflict (engine, local, &standing, change_sets, &done, local_failure, &problem))
        {
          if (problem == NULL)
            return FALSE;
        }
      else if (done)
        return TRUE;
    }
  if (problem == NULL)
    problem = g_error_copy (refusal);
  _kt_engine_leave_out (engine, problem);
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
      _kt_engine_slow_down (engine);
      _kt_engine_fail (engine, local, failure, 0, monotonic_us);
      return TRUE;
    }

  refusal =
    reply->status == 304 && engine->state == KT_ENGINE_SCHEMA ? NULL : kt_reply_to_error (reply);
  engine->status.online = !g_error_matches (refusal, KT_ERROR, KT_ERROR_NOT_KONTOR);
  if (refusal == NULL)
    {
      if (took_us > SLOW_US)
        _kt_engine_slow_down (engine);
      else if (took_us < FAST_US)
        _kt_engine_speed_up (engine);
      if (take_reply (engine, local, reply, change_sets, &local_failure, &problem))
        return TRUE;
      if (problem != NULL)
        {
          if (engine->state == KT_ENGINE_SCHEMA && kt_local_schema (local) == NULL)
            _kt_engine_fail (engine, local, problem, 0, monotonic_us);
          else
            _kt_engine_leave_out (engine, problem);
          return TRUE;
        }
    }
  else if (take_refusal (engine, local, reply, refusal, monotonic_us, change_sets, &local_failure))
    {
      return TRUE;
    }

  g_assert (local_failure != NULL);
  _kt_engine_fail (engine, local, local_failure, 0, monotonic_us);
  g_propagate_error (error, g_steal_pointer (&local_failure));
  return FALSE;
}
