/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One thread, three queues, urgent first.
 *
 *   caller                         worker                          caller's main context
 *   push_async ── job ──► queue ── run, free data ── job ──► idle source: return the task, free the job
 *   run        ── job ──► queue ── run ── wake the caller
 *
 * A task (and with it the caller's objects) is never touched on the worker: only
 * its last holder in the caller's context lets go of it there. The lock is
 * pthread's because the thread sanitizer can see through that one. */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-worker.h"

#include <pthread.h>

typedef struct
{
  GList link;
  KtWorkerJob run;
  gpointer data;
  GDestroyNotify free_data;
  GDestroyNotify free_result;
  GCancellable *cancellable; /* owned */
  GTask *task;               /* owned; NULL: somebody waits */

  /* result */
  gpointer result;
  GError *error;
  int done; /* atomic */
} Job;

struct _KtWorker
{
  GThread *thread;

  /* borrowed */
  KtWorkerOpen open;
  GDestroyNotify close;
  gpointer data;

  pthread_mutex_t lock;
  pthread_cond_t wake;     /* something in a queue, or the end */
  pthread_cond_t finished; /* a job that somebody waits for is done */
  GQueue queues[KT_WORKER_N_CLASSES];
  gboolean ending;

  /* worker thread only */
  gpointer state;
  gboolean is_open;
};

static void
job_free (Job *job)
{
  if (job->result != NULL && job->free_result != NULL)
    job->free_result (job->result);
  g_clear_error (&job->error);
  g_clear_object (&job->cancellable);
  g_clear_object (&job->task);
  g_free (job);
}

/* In the task's context. */
static gboolean
return_cb (gpointer data)
{
  Job *job = data;

  g_assert (g_atomic_int_get (&job->done));
  if (job->error != NULL)
    g_task_return_error (job->task, g_steal_pointer (&job->error));
  else
    g_task_return_pointer (job->task, g_steal_pointer (&job->result), job->free_result);
  return G_SOURCE_REMOVE;
}

static void
hand_back (Job *job)
{
  g_autoptr (GSource) source = g_idle_source_new ();
  g_autoptr (GMainContext) context = g_main_context_ref (g_task_get_context (job->task));

  g_source_set_priority (source, g_task_get_priority (job->task));
  g_source_set_callback (source, return_cb, job, (GDestroyNotify) job_free);
  g_source_set_static_name (source, "kt-worker");
  g_atomic_int_set (&job->done, TRUE);
  g_source_attach (source, context);
}

static void
run_job (KtWorker *worker, Job *job)
{
  if (!g_cancellable_set_error_if_cancelled (job->cancellable, &job->error))
    {
      if (!worker->is_open)
        {
          worker->state =
            worker->open != NULL ? worker->open (worker->data, &job->error) : worker->data;
          worker->is_open = job->error == NULL;
        }
      if (worker->is_open)
        job->result = job->run (worker->state, job->data, job->cancellable, &job->error);
      if (job->error != NULL && job->result != NULL)
        {
          if (job->free_result != NULL)
            job->free_result (job->result);
          job->result = NULL;
        }
    }
  if (job->free_data != NULL)
    job->free_data (job->data);
  job->data = NULL;

  if (job->task != NULL)
    {
      hand_back (job);
      return;
    }
  pthread_mutex_lock (&worker->lock);
  job->done = TRUE;
  pthread_cond_broadcast (&worker->finished);
  pthread_mutex_unlock (&worker->lock);
}

/* Locked. NULL: nothing there. */
static Job *
next_job (KtWorker *worker)
{
  for (guint i = 0; i < KT_WORKER_N_CLASSES; i++)
    {
      GList *link = g_queue_pop_head_link (&worker->queues[i]);

      if (link != NULL)
        return link->data;
    }
  return NULL;
}

static gpointer
worker_thread (gpointer data)
{
  KtWorker *worker = data;

  pthread_mutex_lock (&worker->lock);
  for (;;)
    {
      Job *job = next_job (worker);

      if (job != NULL)
        {
          pthread_mutex_unlock (&worker->lock);
          run_job (worker, job);
          pthread_mutex_lock (&worker->lock);
        }
      else if (worker->ending)
        break;
      else
        pthread_cond_wait (&worker->wake, &worker->lock);
    }
  pthread_mutex_unlock (&worker->lock);

  if (worker->is_open && worker->close != NULL)
    worker->close (worker->state);
  return NULL;
}

static void
push (KtWorker *worker, KtWorkerClass class_, Job *job)
{
  job->link.data = job;
  pthread_mutex_lock (&worker->lock);
  g_assert (!worker->ending);
  g_queue_push_tail_link (&worker->queues[class_], &job->link);
  pthread_cond_signal (&worker->wake);
  pthread_mutex_unlock (&worker->lock);
}

KtWorker *
kt_worker_new (const char *name, KtWorkerOpen open, GDestroyNotify close, gpointer data)
{
  KtWorker *worker = g_new0 (KtWorker, 1);

  worker->open = open;
  worker->close = close;
  worker->data = data;
  pthread_mutex_init (&worker->lock, NULL);
  pthread_cond_init (&worker->wake, NULL);
  pthread_cond_init (&worker->finished, NULL);
  for (guint i = 0; i < KT_WORKER_N_CLASSES; i++)
    g_queue_init (&worker->queues[i]);
  worker->thread = g_thread_new (name, worker_thread, worker);
  return worker;
}

void
kt_worker_free (KtWorker *worker)
{
  if (worker == NULL)
    return;
  g_return_if_fail (g_thread_self () != worker->thread);

  pthread_mutex_lock (&worker->lock);
  worker->ending = TRUE;
  pthread_cond_signal (&worker->wake);
  pthread_mutex_unlock (&worker->lock);
  g_thread_join (worker->thread);
  pthread_cond_destroy (&worker->finished);
  pthread_cond_destroy (&worker->wake);
  pthread_mutex_destroy (&worker->lock);
  g_free (worker);
}

void
kt_worker_push_async (KtWorker *worker,
                      KtWorkerClass class_,
                      KtWorkerJob run,
                      gpointer data,
                      GDestroyNotify free_data,
                      GDestroyNotify free_result,
                      GCancellable *cancellable,
                      gpointer source_tag,
                      gpointer source_object,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  Job *job;

  g_return_if_fail (worker != NULL && run != NULL && class_ < KT_WORKER_N_CLASSES);

  job = g_new0 (Job, 1);
  job->run = run;
  job->data = data;
  job->free_data = free_data;
  job->free_result = free_result;
  job->cancellable = cancellable != NULL ? g_object_ref (cancellable) : NULL;
  job->task = g_task_new (source_object, cancellable, callback, user_data);
  g_task_set_source_tag (job->task, source_tag);
  /* What was committed is not called cancelled afterwards: the job itself says whether it was. */
  g_task_set_check_cancellable (job->task, FALSE);
  push (worker, class_, job);
}

gpointer
kt_worker_push_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (G_IS_TASK (result), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

gpointer
kt_worker_run (KtWorker *worker,
               KtWorkerClass class_,
               KtWorkerJob run,
               gpointer data,
               GError **error)
{
  Job *job;
  gpointer result;

  g_return_val_if_fail (worker != NULL && run != NULL && class_ < KT_WORKER_N_CLASSES, NULL);
  g_return_val_if_fail (g_thread_self () != worker->thread, NULL);

  job = g_new0 (Job, 1);
  job->run = run;
  job->data = data;
  push (worker, class_, job);
  pthread_mutex_lock (&worker->lock);
  while (!job->done)
    pthread_cond_wait (&worker->finished, &worker->lock);
  pthread_mutex_unlock (&worker->lock);

  result = g_steal_pointer (&job->result);
  if (job->error != NULL)
    g_propagate_error (error, g_steal_pointer (&job->error));
  job_free (job);
  return result;
}
