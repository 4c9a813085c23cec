/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The threads that do the work: each has a connection to the workspace and takes the next job. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-front-private.h"
#include "server/kt-core-private.h"

#include "base/kt-error.h"

#define PACK_FROM 1024

/* ---- jobs, on the workers ---- */

void
_kt_job_free (KtJob *job)
{
  g_clear_object (&job->message);
  g_clear_pointer (&job->request, kt_request_free);
  g_clear_pointer (&job->reply, kt_reply_free);
  g_clear_pointer (&job->tokens, g_ptr_array_unref);
  g_free (job);
}

static gboolean
job_done_cb (gpointer data)
{
  _kt_front_finish_job (data);
  return G_SOURCE_REMOVE;
}

static GBytes *
pack (GBytes *bytes)
{
  g_autoptr (GZlibCompressor) compressor = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, 4);
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();
  g_autoptr (GOutputStream) stream =
    g_converter_output_stream_new (memory, G_CONVERTER (compressor));
  gsize len;
  const void *data = g_bytes_get_data (bytes, &len);

  if (!g_output_stream_write_all (stream, data, len, NULL, NULL, NULL)
      || !g_output_stream_close (stream, NULL, NULL))
    return NULL;
  return g_memory_output_stream_steal_as_bytes (G_MEMORY_OUTPUT_STREAM (memory));
}

static void
do_request (KtCore *core, KtJob *job)
{
  GBytes *packed;

  job->reply = kt_core_handle (core, job->request);
  /* Others may have committed meanwhile: whatever is the newest is what is to be told. */
  if (job->reply->status == 200
      && (job->request->endpoint == KT_ENDPOINT_PUSH
          || job->request->endpoint == KT_ENDPOINT_BLOB_PUT))
    job->seq = kt_core_seq (core);
  if (!job->may_pack || job->reply->body == NULL || g_bytes_get_size (job->reply->body) < PACK_FROM
      || job->request->endpoint == KT_ENDPOINT_BLOB_GET)
    return;
  packed = pack (job->reply->body);
  if (packed == NULL)
    return;
  g_bytes_unref (job->reply->body);
  job->reply->body = packed;
  job->packed = TRUE;
}

static void
do_live (KtCore *core, KtJob *job)
{
  g_autoptr (GError) error = NULL;

  if (!kt_core_authenticate (core, job->request->token, NULL, NULL, &error))
    job->reply = _kt_reply_error (error);
  job->seq = kt_core_seq (core);
}

static void
do_seq (KtCore *core, KtJob *job)
{
  job->seq = kt_core_seq (core);
  for (guint i = job->tokens != NULL ? job->tokens->len : 0; i > 0; i--)
    {
      g_autoptr (GError) error = NULL;

      /* Only a clear no ends a channel; a busy database does not. */
      if (kt_core_authenticate (core, job->tokens->pdata[i - 1], NULL, NULL, &error)
          || !g_error_matches (error, KT_ERROR, KT_ERROR_AUTH))
        g_ptr_array_remove_index_fast (job->tokens, i - 1);
    }
}

typedef struct
{
  KtFront *front;
  KtCore *core;
  GAsyncQueue *jobs; /* borrowed */
} Worker;

static gpointer
work (gpointer data)
{
  g_autofree Worker *worker = data;

  for (;;)
    {
      KtJob *job = g_async_queue_pop (worker->jobs);
      g_autoptr (GSource) done = NULL;

      job->seq = -1;
      switch (job->kind)
        {
        case KT_JOB_REQUEST:
          do_request (worker->core, job);
          break;
        case KT_JOB_LIVE:
          do_live (worker->core, job);
          break;
        case KT_JOB_SEQ:
          do_seq (worker->core, job);
          break;
        case KT_JOB_QUIT:
          _kt_job_free (job);
          kt_core_close (worker->core);
          return NULL;
        }
      done = g_idle_source_new ();
      g_source_set_priority (done, G_PRIORITY_DEFAULT);
      g_source_set_callback (done, job_done_cb, job, NULL);
      g_source_attach (done, worker->front->context);
    }
}

void
_kt_front_push_job (KtJob *job)
{
  KtFront *front = job->front;

  front->queued++;
  if (job->request != NULL && job->request->endpoint == KT_ENDPOINT_LOGIN)
    {
      front->logins++;
      g_async_queue_push (front->login_jobs, job);
    }
  else
    g_async_queue_push (front->jobs, job);
}

static gboolean
start_worker (KtFront *front, GAsyncQueue *jobs, GError **error)
{
  KtCore *core = kt_core_open (front->dir, front->env, error);
  Worker *worker;

  if (core == NULL)
    return FALSE;
  kt_db_checkpoint_beside (kt_core_db (core), TRUE);
  front->seq = MAX (front->seq, kt_core_seq (core));
  worker = g_new0 (Worker, 1);
  worker->front = front;
  worker->core = core;
  worker->jobs = jobs;
  g_ptr_array_add (front->threads, g_thread_new ("kontor-work", work, worker));
  return TRUE;
}

/* Passwords are slow on purpose; they have a thread of their own, so that a storm of sign-ins holds nobody else up. */
gboolean
_kt_front_start_workers (KtFront *front, guint n, GError **error)
{
  if (!start_worker (front, front->login_jobs, error))
    return FALSE;
  if (n == 0)
    n = CLAMP (g_get_num_processors (), 2, 8);
  for (guint i = 0; i < MIN (n, 64); i++)
    if (!start_worker (front, front->jobs, error))
      return FALSE;
  return TRUE;
}

void
_kt_front_join_workers (KtFront *front)
{
  for (guint i = 0; i < front->threads->len; i++)
    {
      KtJob *job = g_new0 (KtJob, 1);

      job->front = front;
      job->kind = KT_JOB_QUIT;
      g_async_queue_push (i == 0 ? front->login_jobs : front->jobs, job);
    }
  for (guint i = 0; i < front->threads->len; i++)
    g_thread_join (front->threads->pdata[i]);
}
