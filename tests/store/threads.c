/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include "base/kt-error.h"
#include "store/kt-store.h"

/* KtStore: threads, signals, their order, another process. */

typedef struct
{
  Fix fix;
  KtStore *store;
  GString *log;
  guint n_changed;
  guint n_everything;
  gboolean done;
} Threads;

static void
changed_cb (KtStore *store, KtChangeSet *changes, Threads *t)
{
  t->n_changed++;
  t->n_everything += changes->everything;
  g_string_append_c (t->log, changes->everything ? 'E' : 'c');
}

static void
opened_cb (GObject *object, GAsyncResult *result, gpointer data)
{
  Threads *t = data;
  g_autoptr (GError) error = NULL;

  t->store = kt_store_open_finish (result, &error);
  g_assert_no_error (error);
  t->done = TRUE;
}

static void
wait_until (const gboolean *flag)
{
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  while (!*flag)
    {
      g_main_context_iteration (NULL, FALSE);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      g_thread_yield ();
    }
}

static void
set_up (Threads *t, gconstpointer data)
{
  fix_set_up_ready (&t->fix, data);
  t->log = g_string_new (NULL);
  kt_store_open_async (t->fix.dir, 0, &t->fix.env, "en", NULL, opened_cb, t);
  wait_until (&t->done);
  t->done = FALSE;
  g_signal_connect (t->store, "changed", G_CALLBACK (changed_cb), t);
}

static void
tear_down (Threads *t, gconstpointer data)
{
  kt_store_close (t->store);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_finalize_object (t->store);
  g_string_free (t->log, TRUE);
  fix_tear_down (&t->fix, data);
}

static KtMutation *
creation (Threads *t, const char *name, KtId *id)
{
  KtMutation *mutation = kt_mutation_new ("2026-02-03T04:05:06.000Z", "client");
  const KtObject *object = kt_schema_object (kt_store_schema (t->store), "account");
  g_autoptr (KtRecord) record = NULL;
  KtId fresh = kt_id_new (&t->fix.env);

  record = kt_record_new (object, &fresh);
  kt_value_set_text (&record->values[object->title->index], name);
  if (id != NULL)
    *id = fresh;
  kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &fresh, 0, kt_patch_diff (NULL, record));
  return mutation;
}

static void
committed_cb (GObject *object, GAsyncResult *result, gpointer data)
{
  Threads *t = data;
  g_autoptr (GError) error = NULL;
  gint64 no = 0;

  kt_store_commit_finish (KT_STORE (object), result, &no, &error);
  g_assert_no_error (error);
  g_assert_cmpint (no, >, 0);
  g_string_append_c (t->log, 'r');
  t->done = TRUE;
}

/* The change is heard before the callback of the commit that made it. */
static void
test_order (Threads *t, gconstpointer data)
{
  g_assert_true (kt_store_ready (t->store));
  g_assert_cmpstr (kt_store_identity (t->store)->user_name, ==, "ada");
  for (guint i = 0; i < 3; i++)
    {
      t->done = FALSE;
      kt_store_commit_async (t->store, creation (t, "Acme", NULL), NULL, committed_cb, t);
      wait_until (&t->done);
    }
  g_assert_cmpstr (t->log->str, ==, "crcrcr");
}

static void
queried_cb (GObject *object, GAsyncResult *result, gpointer data)
{
  Threads *t = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) rids = kt_store_query_finish (KT_STORE (object), result, &error);

  g_assert_no_error (error);
  g_string_append_printf (t->log, "q%u", rids->len);
  t->done = TRUE;
}

/* What was committed is there for a read that is asked for after it. */
static void
test_read_own_write (Threads *t, gconstpointer data)
{
  g_autoptr (KtQuery) query =
    kt_query_new (kt_schema_object (kt_store_schema (t->store), "account"));

  for (guint i = 0; i < 4; i++)
    {
      t->done = FALSE;
      kt_store_commit_async (t->store, creation (t, "Acme", NULL), NULL, committed_cb, t);
      wait_until (&t->done);
      t->done = FALSE;
      kt_store_query_async (t->store, query, NULL, queried_cb, t);
      wait_until (&t->done);
    }
  g_assert_cmpstr (t->log->str, ==, "crq1crq2crq3crq4");
}

/* kontorctl beside the window. */
static void
test_another_process (Threads *t, gconstpointer data)
{
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  fix_create (&t->fix, "account", NULL, "name", "From elsewhere", NULL);
  while (t->n_everything == 0)
    {
      g_main_context_iteration (NULL, TRUE);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    }
}

static gpointer
fail_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID, "no");
  return NULL;
}

static gpointer
sync_thread (gpointer data)
{
  Threads *t = data;
  GError *error = NULL;

  for (guint i = 0; i < 50; i++)
    {
      g_assert_null (kt_store_write_sync (t->store, fail_job, NULL, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      g_clear_error (&error);
    }
  return NULL;
}

/* A sync thread and the window at once. */
static void
test_write_sync (Threads *t, gconstpointer data)
{
  GThread *thread = g_thread_new ("sync", sync_thread, t);

  for (guint i = 0; i < 20; i++)
    {
      t->done = FALSE;
      kt_store_commit_async (t->store, creation (t, "Acme", NULL), NULL, committed_cb, t);
      wait_until (&t->done);
    }
  g_thread_join (thread);
}

static void
closed_cb (GObject *object, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (kt_store_query_finish (KT_STORE (object), result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  *(gboolean *) data = TRUE;
}

/* Closing finishes what was asked for; asking afterwards is answered. */
static void
test_close (Threads *t, gconstpointer data)
{
  g_autoptr (KtQuery) query =
    kt_query_new (kt_schema_object (kt_store_schema (t->store), "account"));
  gboolean told = FALSE;

  for (guint i = 0; i < 10; i++)
    kt_store_commit_async (t->store, creation (t, "Acme", NULL), NULL, committed_cb, t);
  kt_store_close (t->store);
  kt_store_query_async (t->store, query, NULL, closed_cb, &told);
  wait_until (&told);
  g_assert_cmpint (fix_count (&t->fix, "SELECT count(*) FROM kt_outbox"), ==, 10);
}

static void
failed_cb (GObject *object, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (kt_store_open_finish (result, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  *(gboolean *) data = TRUE;
}

static void
test_open_fails (Threads *t, gconstpointer data)
{
  gboolean done = FALSE;

  kt_store_open_async ("/nonexistent/kontor", 0, &t->fix.env, "en", NULL, failed_cb, &done);
  wait_until (&done);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Threads, NULL, set_up, func, tear_down)
  ADD ("/threads/order", test_order);
  ADD ("/threads/read-own-write", test_read_own_write);
  ADD ("/threads/another-process", test_another_process);
  ADD ("/threads/write-sync", test_write_sync);
  ADD ("/threads/close", test_close);
  ADD ("/threads/open-fails", test_open_fails);
  return g_test_run ();
}
