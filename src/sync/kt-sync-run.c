/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-sync-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"

#define HISTORY_PAGE 200
#define HISTORY_MAX_PAGES 25

static gboolean
set_signed_out (GError **error)
{
  g_set_error_literal (error, KT_ERROR, KT_ERROR_AUTH,
                       "This profile is not signed in. Sign in, and everything that waits here "
                       "will be sent");
  return FALSE;
}

/* The token, or AUTH. */
static char *
get_token (KtLocal *local, GError **error)
{
  g_autoptr (GError) failure = NULL;
  char *token = kt_session_token (local, &failure);

  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else if (token == NULL)
    set_signed_out (error);
  return token;
}

/* ---- one round ---- */

typedef struct
{
  KtLocal *local;
  KtTransport *transport;
  KtEngine *engine;
  char *token;
  KtSyncProgress progress;
  gpointer data;
  GCancellable *cancellable;
  gint64
    ahead_us; /* time waited that the clock does not know of (a clock that is handed in may stand still) */
} Run;

static gint64
run_now (const Run *run)
{
  const KtEnv *env = kt_local_env (run->local);

  return env->monotonic_us (env->data) + run->ahead_us;
}

static gboolean
run_step (Run *run, KtRequest *request, GError **error)
{
  g_autoptr (GPtrArray) changes =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_change_set_unref);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) failure = NULL;

  reply = kt_transport_send (run->transport, request, run->cancellable, &failure);
  if (reply == NULL && g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (!kt_engine_reply (run->engine, run->local, reply, failure, run_now (run), changes, error))
    return FALSE;
  if (kt_engine_status (run->engine)->renewed)
    {
      g_free (run->token);
      run->token = kt_session_token (run->local, NULL);
    }
  if (run->progress != NULL)
    run->progress (kt_engine_status (run->engine), run->data);
  return TRUE;
}

static gboolean
run_round (Run *run, guint retries, GError **error)
{
  const KtEngineStatus *status = kt_engine_status (run->engine);

  kt_engine_poke (run->engine);
  for (;;)
    {
      g_autoptr (KtRequest) request = NULL;
      g_autoptr (GError) failure = NULL;
      gint64 wait_us, now_us;

      if (g_cancellable_set_error_if_cancelled (run->cancellable, error))
        return FALSE;

      request =
        kt_engine_next (run->engine, run->local, run->token, run_now (run), &wait_us, &failure);
      if (failure != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      if (request != NULL)
        {
          if (!run_step (run, request, error))
            return FALSE;
          continue;
        }
      if (status->state == KT_ENGINE_IDLE)
        return TRUE;
      if (status->state == KT_ENGINE_SIGNED_OUT)
        {
          if (!kt_session_expire (run->local, run->token, error))
            return FALSE;
          if (status->problem == NULL)
            return set_signed_out (error);
          g_propagate_error (error, g_error_copy (status->problem));
          return FALSE;
        }
      if (status->problem != NULL
          && (status->failures > retries || !kt_error_is_transient (status->problem)))
        {
          g_propagate_error (error, g_error_copy (status->problem));
          return FALSE;
        }

      now_us = run_now (run);
      if (!_kt_sync_sleep (wait_us, run->cancellable))
        continue;
      run->ahead_us += MAX (0, now_us + wait_us - run_now (run));
    }
}

gboolean
kt_sync_run (KtLocal *local,
             KtTransport *transport,
             guint retries,
             KtSyncProgress progress,
             gpointer data,
             GCancellable *cancellable,
             KtEngineStatus *result,
             GError **error)
{
  g_autoptr (KtSyncLock) lock = NULL;
  g_autoptr (KtEngine) engine = NULL;
  char *token = NULL;
  const KtEnv *env;
  Run run = { local, transport, NULL, NULL, progress, data, cancellable, 0 };
  gboolean done;

  g_return_val_if_fail (local != NULL, FALSE);
  g_return_val_if_fail (transport != NULL, FALSE);

  if (result != NULL)
    memset (result, 0, sizeof *result);
  token = get_token (local, error);
  if (token == NULL)
    return FALSE;
  lock = kt_sync_lock_take (kt_local_dir (local), KT_SYNC_LOCK_WAIT_MS, cancellable, error);
  if (lock == NULL)
    {
      g_free (token);
      return FALSE;
    }

  engine = kt_engine_new ();
  run.engine = engine;
  run.token = token;
  done = run_round (&run, retries, error);
  g_free (run.token);
  if (result != NULL)
    {
      *result = *kt_engine_status (engine);
      result->problem = NULL;
    }
  env = kt_local_env (local);
  if (done)
    kt_sync_lock_done (lock, env->now_us (env->data));
  return done;
}

/* ---- the ledger of a record ---- */

/* Newest first, page by page; the answer is one array. */
char *
_kt_history_ask (KtTransport *transport,
                 const char *token,
                 const char *object,
                 const KtId *id,
                 GCancellable *cancellable,
                 GError **error)
{
  g_autoptr (GString) text = g_string_new ("[");
  char id_text[KT_ID_TEXT_SIZE];
  gint64 before = 0;

  kt_id_format (id, id_text);
  for (guint turn = 0; turn < HISTORY_MAX_PAGES; turn++)
    {
      g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_HISTORY);
      g_autoptr (KtJson) json = NULL;
      const KtJson *list;
      guint n;

      request->token = g_strdup (token);
      kt_request_set_query (request, "object", object);
      kt_request_set_query (request, "id", id_text);
      kt_request_set_query (request, "limit", G_STRINGIFY (HISTORY_PAGE));
      if (before > 0)
        {
          g_autofree char *number = g_strdup_printf ("%" G_GINT64_FORMAT, before);

          kt_request_set_query (request, "before", number);
        }
      json = _kt_sync_ask (transport, request, cancellable, error);
      if (json == NULL)
        return NULL;
      list = kt_json_type (json) == KT_JSON_ARRAY ? json : kt_json_get (json, "history");
      n = kt_json_length (list);
      for (guint i = 0; i < n; i++)
        {
          if (text->len > 1)
            g_string_append_c (text, ',');
          kt_json_append (kt_json_at (list, i), text, FALSE);
        }
      if (n == 0 || !kt_json_get_bool (json, "more", FALSE))
        break;
      before =
        kt_json_get_int (json, "before", kt_json_get_int (kt_json_at (list, n - 1), "seq", 0));
      if (before <= 0)
        break;
    }
  g_string_append_c (text, ']');
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
kt_sync_history (KtLocal *local,
                 KtTransport *transport,
                 const KtObject *object,
                 const KtId *id,
                 gboolean *fresh,
                 GCancellable *cancellable,
                 GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *token = kt_session_token (local, NULL);
  g_autofree char *text = NULL;
  g_autofree char *kept = NULL;

  *fresh = FALSE;
  if (token != NULL && transport != NULL)
    text = _kt_history_ask (transport, token, object->name, id, cancellable, &failure);
  if (text == NULL
      && (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED)
          || g_error_matches (failure, KT_ERROR, KT_ERROR_FORBIDDEN)))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (text != NULL && !kt_local_keep_history (local, id, text, error))
    return NULL;
  *fresh = text != NULL;

  g_clear_error (&failure);
  kept = kt_local_get_history (local, id, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  return kept != NULL ? g_steal_pointer (&kept) : g_strdup ("[]");
}

/* ---- whether both sides hold the same (P4) ---- */

static char *
verify_report (const KtEngineReport *report, gint64 waiting)
{
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_put_bool (&writer, "equal", report->repaired->len == 0);
  kt_json_put_int (&writer, "records", report->records);
  kt_json_put_string (&writer, "digest", report->digest);
  kt_json_key (&writer, "repaired");
  kt_json_begin_array (&writer);
  for (guint i = 0; i < report->repaired->len; i++)
    kt_json_add_string (&writer, g_ptr_array_index (report->repaired, i));
  kt_json_end_array (&writer);
  kt_json_put_int (&writer, "rows", report->rows);
  kt_json_put_int (&writer, "waiting", waiting);
  kt_json_end_object (&writer);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
kt_sync_verify (KtLocal *local,
                KtTransport *transport,
                GCancellable *cancellable,
                gboolean *equal,
                GError **error)
{
  g_autoptr (KtSyncLock) lock = NULL;
  g_autoptr (KtEngine) engine = NULL;
  g_autofree char *token = get_token (local, error);
  Run run = { local, transport, NULL, token, NULL, NULL, cancellable, 0 };
  const KtEngineReport *report;
  KtOutboxCounts counts = { 0 };

  if (token == NULL)
    return NULL;
  lock = kt_sync_lock_take (kt_local_dir (local), KT_SYNC_LOCK_WAIT_MS, cancellable, error);
  if (lock == NULL)
    return NULL;

  engine = kt_engine_new ();
  run.engine = engine;
  kt_engine_verify (engine);
  report = kt_engine_report (engine);
  if (!run_round (&run, 3, error))
    return NULL;
  if (report->problem != NULL)
    {
      g_propagate_error (error, g_error_copy (report->problem));
      return NULL;
    }
  if (!report->compared)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_UNSETTLED,
                           "This copy is not complete yet, so there is nothing to compare");
      return NULL;
    }
  if (!kt_local_outbox_counts (local, &counts, error))
    return NULL;
  *equal = report->repaired->len == 0;
  return verify_report (report, counts.queued + counts.sent + counts.settled + counts.parked);
}

/* ---- attachments ---- */

static gboolean
set_file_error (GError **error, const char *path)
{
  int code = errno;

  g_set_error (error, KT_ERROR, code == ENOSPC || code == EDQUOT ? KT_ERROR_FULL : KT_ERROR_IO,
               "%s cannot be written: %s", path, g_strerror (code));
  return FALSE;
}

static gboolean
write_whole (int fd, GBytes *bytes, const char *path, GError **error)
{
  gsize len;
  const guint8 *at = g_bytes_get_data (bytes, &len);

  while (len > 0)
    {
      ssize_t n = write (fd, at, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return set_file_error (error, path);
      at += n;
      len -= (gsize) n;
    }
  return TRUE;
}

static gboolean
hash_file (int fd, char **hash, GError **error)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *buffer = g_malloc (KT_SYNC_BLOB_PIECE);
  off_t at = 0;

  for (;;)
    {
      ssize_t n = pread (fd, buffer, KT_SYNC_BLOB_PIECE, at);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return set_file_error (error, "an attachment");
      if (n == 0)
        break;
      g_checksum_update (checksum, buffer, n);
      at += n;
    }
  *hash = g_strdup (g_checksum_get_string (checksum));
  return TRUE;
}

/* One piece. */
static gboolean
fetch_piece (KtTransport *transport,
             const char *token,
             const char *sha256,
             int fd,
             const char *path,
             gint64 size,
             gint64 *have,
             GCancellable *cancellable,
             GError **error)
{
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_BLOB_GET);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) failure = NULL;
  gsize len;

  request->token = g_strdup (token);
  request->rest = g_strdup (sha256);
  request->range_start = *have;
  reply = kt_transport_send (transport, request, cancellable, error);
  if (reply == NULL)
    return FALSE;
  failure = kt_reply_to_error (reply);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  len = reply->body != NULL ? g_bytes_get_size (reply->body) : 0;
  /* A server that ignores ranges begins at the beginning. */
  if (reply->status == 200 && *have > 0)
    {
      if (ftruncate (fd, 0) != 0 || lseek (fd, 0, SEEK_SET) < 0)
        return set_file_error (error, path);
      *have = 0;
    }
  if ((reply->status == 206 && reply->range_start != *have) || len == 0
      || (size >= 0 && *have + (gint64) len > size))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SERVER,
                   "The server sent another part of the attachment than was asked for");
      return FALSE;
    }
  if (!write_whole (fd, reply->body, path, error))
    return FALSE;
  *have += (gint64) len;
  return TRUE;
}

/* Grows PATH.part, also one that an earlier try left behind, and gives it its name when it is
 * whole and what it should be: no half file ever counts as whole (scenario 69). */
gboolean
_kt_blob_fetch (KtTransport *transport,
                const char *token,
                const char *path,
                const char *sha256,
                gint64 size,
                GCancellable *cancellable,
                GError **error)
{
  g_autofree char *part = g_strconcat (path, ".part", NULL);
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *hash = NULL;
  gint64 have;
  gboolean fetched = TRUE;
  int fd;

  if (g_mkdir_with_parents (dir, 0700) != 0)
    return set_file_error (error, dir);
  fd = g_open (part, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return set_file_error (error, part);
  if (flock (fd, LOCK_EX | LOCK_NB) != 0)
    {
      g_close (fd, NULL);
      g_set_error_literal (error, KT_ERROR, KT_ERROR_BUSY,
                           "This attachment is being fetched already. Try again in a moment");
      return FALSE;
    }

  have = lseek (fd, 0, SEEK_END);
  if (have < 0 || (size >= 0 && have > size))
    have = ftruncate (fd, 0) == 0 ? lseek (fd, 0, SEEK_SET) : -1;
  if (have < 0)
    fetched = set_file_error (error, part);
  while (fetched && have < size)
    fetched = fetch_piece (transport, token, sha256, fd, part, size, &have, cancellable, error);

  if (fetched && (fsync (fd) != 0))
    fetched = set_file_error (error, part);
  if (fetched && hash_file (fd, &hash, error) && !g_str_equal (hash, sha256))
    {
      /* Not worth keeping: the next try starts afresh. */
      g_unlink (part);
      g_set_error_literal (error, KT_ERROR, KT_ERROR_SERVER,
                           "The attachment came damaged and was thrown away. Try again");
      fetched = FALSE;
    }
  if (fetched && hash != NULL && g_rename (part, path) != 0)
    fetched = set_file_error (error, path);
  g_close (fd, NULL);
  return fetched && hash != NULL;
}

gboolean
kt_sync_fetch_blob (KtLocal *local,
                    KtTransport *transport,
                    const char *sha256,
                    gint64 size,
                    GCancellable *cancellable,
                    GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *token = NULL;

  if (kt_local_blob_have (local, sha256, NULL))
    return TRUE;
  token = get_token (local, error);
  if (token == NULL)
    return FALSE;
  path = kt_local_blob_path (local, sha256);
  return _kt_blob_fetch (transport, token, path, sha256, size, cancellable, error)
         && kt_local_blob_arrived (local, sha256, error);
}
