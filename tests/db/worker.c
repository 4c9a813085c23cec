/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <gio/gio.h>
#include <pthread.h>

#include "base/kt-error.h"
#include "db/kt-worker.h"

typedef struct
{
  GThread *opened_on;
  GThread *closed_on;
  int fail;     /* atomic: how often opening fails */
  GString *log; /* worker's */
} State;

static gpointer
open_cb (gpointer data, GError **error)
{
  State *state = data;

  if (g_atomic_int_get (&state->fail) > 0)
    {
      g_atomic_int_add (&state->fail, -1);
      g_set_error_literal (error, KT_ERROR, KT_ERROR_BUSY, "not yet");
      return NULL;
    }
  state->opened_on = g_thread_self ();
  return state;
}

static void
close_cb (gpointer data)
{
  State *state = data;

  state->closed_on = g_thread_self ();
}

static gpointer
thread_cb (gpointer state, gpointer data, GCancellable *cancellable, GError **error)
{
  return g_thread_self ();
}

static gpointer
note_cb (gpointer data, gpointer word, GCancellable *cancellable, GError **error)
{
  State *state = data;

  g_string_append_printf (state->log, "%s ", (const char *) word);
  return g_strdup (word);
}

static gpointer
failing_cb (gpointer state, gpointer data, GCancellable *cancellable, GError **error)
{
  g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID, "no");
  return NULL;
}

/* Holds the worker until the gate is opened. With pthread's lock, that the thread sanitizer sees. */
typedef struct
{
  pthread_mutex_t lock;
  pthread_cond_t cond;
  gboolean open;
  gboolean entered;
} Gate;

static gpointer
gate_cb (gpointer state, gpointer data, GCancellable *cancellable, GError **error)
{
  Gate *gate = data;

  pthread_mutex_lock (&gate->lock);
  gate->entered = TRUE;
  pthread_cond_broadcast (&gate->cond);
  while (!gate->open)
    pthread_cond_wait (&gate->cond, &gate->lock);
  pthread_mutex_unlock (&gate->lock);
  return NULL;
}

static void
gate_wait_entered (Gate *gate)
{
  pthread_mutex_lock (&gate->lock);
  while (!gate->entered)
    pthread_cond_wait (&gate->cond, &gate->lock);
  pthread_mutex_unlock (&gate->lock);
}

static void
gate_open (Gate *gate)
{
  pthread_mutex_lock (&gate->lock);
  gate->open = TRUE;
  pthread_cond_broadcast (&gate->cond);
  pthread_mutex_unlock (&gate->lock);
}

typedef struct
{
  guint pending;
  GError *error;
  gpointer result;
  GThread *thread;
} Answer;

static void
answer_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Answer *answer = data;

  g_clear_error (&answer->error);
  g_clear_pointer (&answer->result, g_free);
  answer->result = kt_worker_push_finish (result, &answer->error);
  answer->thread = g_thread_self ();
  answer->pending--;
}

static void
await (Answer *answer)
{
  while (answer->pending > 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_jobs_run_on_one_thread (void)
{
  State state = { 0 };
  KtWorker *worker = kt_worker_new ("test", open_cb, close_cb, &state);
  GThread *one = kt_worker_run (worker, KT_WORKER_NORMAL, thread_cb, NULL, NULL);
  GThread *two = kt_worker_run (worker, KT_WORKER_IDLE, thread_cb, NULL, NULL);

  g_assert_true (one != g_thread_self ());
  g_assert_true (one == two);
  kt_worker_free (worker);
  g_assert_true (state.opened_on == one);
  g_assert_true (state.closed_on == one);
  kt_worker_free (NULL);
}

static void
test_urgent_jobs_come_first (void)
{
  static char *const words[] = { "i1", "n1", "u1", "i2", "n2", "u2" };
  static const KtWorkerClass classes[] = { KT_WORKER_IDLE, KT_WORKER_NORMAL, KT_WORKER_URGENT };
  State state = { .log = g_string_new (NULL) };
  KtWorker *worker = kt_worker_new ("test", open_cb, close_cb, &state);
  Gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, FALSE, FALSE };
  Answer answer = { .pending = G_N_ELEMENTS (words) + 1 };

  kt_worker_push_async (worker, KT_WORKER_NORMAL, gate_cb, &gate, NULL, NULL, NULL, NULL, NULL,
                        answer_cb, &answer);
  gate_wait_entered (&gate);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    kt_worker_push_async (worker, classes[i % 3], note_cb, g_strdup (words[i]), g_free, g_free,
                          NULL, NULL, NULL, answer_cb, &answer);
  gate_open (&gate);
  kt_worker_free (worker);
  g_assert_cmpstr (state.log->str, ==, "u1 u2 n1 n2 i1 i2 ");
  await (&answer);
  g_free (answer.result);
  g_string_free (state.log, TRUE);
}

static void
test_answers_come_to_the_caller (void)
{
  State state = { .log = g_string_new (NULL) };
  KtWorker *worker = kt_worker_new ("test", open_cb, close_cb, &state);
  Answer answer = { .pending = 1 };

  kt_worker_push_async (worker, KT_WORKER_NORMAL, note_cb, "word", NULL, g_free, NULL, NULL, NULL,
                        answer_cb, &answer);
  await (&answer);
  g_assert_no_error (answer.error);
  g_assert_cmpstr (answer.result, ==, "word");
  g_assert_true (answer.thread == g_thread_self ());

  answer.pending = 1;
  kt_worker_push_async (worker, KT_WORKER_NORMAL, failing_cb, NULL, NULL, g_free, NULL, NULL, NULL,
                        answer_cb, &answer);
  await (&answer);
  g_assert_error (answer.error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&answer.error);
  g_assert_null (kt_worker_run (worker, KT_WORKER_NORMAL, failing_cb, NULL, &answer.error));
  g_assert_error (answer.error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&answer.error);
  kt_worker_free (worker);
  g_string_free (state.log, TRUE);
}

static void
test_cancelled_jobs_do_not_start (void)
{
  State state = { .log = g_string_new (NULL) };
  KtWorker *worker = kt_worker_new ("test", open_cb, close_cb, &state);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, FALSE, FALSE };
  Answer held = { .pending = 1 };
  Answer answer = { .pending = 1 };

  kt_worker_push_async (worker, KT_WORKER_NORMAL, gate_cb, &gate, NULL, NULL, cancellable, NULL,
                        NULL, answer_cb, &held);
  gate_wait_entered (&gate);
  kt_worker_push_async (worker, KT_WORKER_URGENT, note_cb, g_strdup ("never"), g_free, g_free,
                        cancellable, NULL, NULL, answer_cb, &answer);
  g_cancellable_cancel (cancellable);
  gate_open (&gate);
  await (&answer);
  await (&held);
  g_assert_error (answer.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  /* What ran to its end says so, whatever was wished meanwhile. */
  g_assert_no_error (held.error);
  g_assert_cmpstr (state.log->str, ==, "");
  g_clear_error (&answer.error);
  kt_worker_free (worker);
  g_string_free (state.log, TRUE);
}

static void
test_opening_is_tried_again (void)
{
  State state = { .fail = 2 };
  KtWorker *worker = kt_worker_new ("test", open_cb, close_cb, &state);

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (kt_worker_run (worker, KT_WORKER_NORMAL, thread_cb, NULL, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_BUSY);
    }
  g_assert_nonnull (kt_worker_run (worker, KT_WORKER_NORMAL, thread_cb, NULL, NULL));
  kt_worker_free (worker);
  g_assert_nonnull (state.closed_on);
}

static void
finalized_cb (gpointer data, GObject *object)
{
  *(GThread **) data = g_thread_self ();
}

static void
test_the_callers_objects_die_at_home (void)
{
  for (guint i = 0; i < 200; i++)
    {
      State state = { 0 };
      KtWorker *worker = kt_worker_new ("test", open_cb, close_cb, &state);
      GObject *object = g_object_new (G_TYPE_OBJECT, NULL);
      GThread *died_on = NULL;
      Answer answer = { .pending = 1 };

      g_object_weak_ref (object, finalized_cb, &died_on);
      kt_worker_push_async (worker, KT_WORKER_NORMAL, failing_cb, NULL, NULL, NULL, NULL, NULL,
                            object, answer_cb, &answer);
      g_object_unref (object);
      await (&answer);
      kt_worker_free (worker);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_assert_true (died_on == g_thread_self ());
      g_clear_error (&answer.error);
    }
}

static gpointer
count_cb (gpointer state, gpointer data, GCancellable *cancellable, GError **error)
{
  ++*(guint *) data;
  return NULL;
}

static gpointer
pusher_thread (gpointer data)
{
  gpointer *args = data;

  for (guint i = 0; i < 500; i++)
    kt_worker_run (args[0], i % KT_WORKER_N_CLASSES, count_cb, args[1], NULL);
  return NULL;
}

static void
test_many_callers (void)
{
  KtWorker *worker = kt_worker_new ("test", NULL, NULL, NULL);
  guint count = 0;
  gpointer args[] = { worker, &count };
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("pusher", pusher_thread, args);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  kt_worker_free (worker);
  g_assert_cmpuint (count, ==, 2000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/worker/jobs-run-on-one-thread", test_jobs_run_on_one_thread);
  g_test_add_func ("/worker/urgent-jobs-come-first", test_urgent_jobs_come_first);
  g_test_add_func ("/worker/answers-come-to-the-caller", test_answers_come_to_the_caller);
  g_test_add_func ("/worker/cancelled-jobs-do-not-start", test_cancelled_jobs_do_not_start);
  g_test_add_func ("/worker/opening-is-tried-again", test_opening_is_tried_again);
  g_test_add_func ("/worker/the-callers-objects-die-at-home", test_the_callers_objects_die_at_home);
  g_test_add_func ("/worker/many-callers", test_many_callers);

  return g_test_run ();
}
