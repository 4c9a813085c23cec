/* SPDX-License-Identifier: GPL-3.0-or-later */

/* KtLocal behind threads:
 *
 *   main context              writer thread            reader threads
 *   commit, write ──────────► KtLocal (urgent)
 *   sync thread: write_sync ► KtLocal (normal)
 *   read, query, rows ──────────────────────────────► KtLocal, read only, whichever has less to do
 *   "changed" ◄── emission ── kt_store_emit
 *   callback  ◄── result ──── after it
 *
 * Emissions and results reach the main context through sources of one priority,
 * in the order in which they were made: whoever hears of a change hears of it
 * before the callback of the commit that made it. What kt_store_schema, _identity
 * and _ready answer travels with the emissions, so that it is as of the last one. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-store.h"

#include "kt-local-private.h"

#include "db/kt-system-env.h"
#include "db/kt-worker.h"

#define N_READERS 2
#define POLL_SECONDS 1
#define TAG(func) ((gpointer) (guintptr) (func)) /* names the call in a debugger */

typedef struct
{
  KtSchema *schema;
  KtIdentity *identity;
  gboolean ready;
} State;

typedef struct
{
  KtWorker *worker;
  int waiting; /* atomic */
} Reader;

struct _KtStore
{
  GObject parent_instance;

  /* owned */
  char *dir;
  char *locale;
  GMainContext *context;
  KtWorker *writer;
  Reader readers[N_READERS];
  State *shown; /* as of the last emission; main context only */
  GSource *poll;

  /* borrowed */
  const KtEnv *env;

  /* state */
  KtLocalFlags flags;
  int polling; /* atomic: a poll is on its way */
  guint closed : 1;

  /* writer thread only */
  KtLocal *local;
  guint64 stamp;
  char *digest; /* of the schema that was last told */
  gint64 version;
};

G_DEFINE_FINAL_TYPE (KtStore, kt_store, G_TYPE_OBJECT)

enum
{
  CHANGED,
  FAILED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

/* ---- state that travels ---- */

static KtIdentity *
identity_copy (const KtIdentity *identity)
{
  KtIdentity *copy;

  if (identity == NULL)
    return NULL;
  copy = g_memdup2 (identity, sizeof *identity);
  kt_access_copy (&identity->access, &copy->access);
  copy->server = g_strdup (identity->server);
  copy->user_name = g_strdup (identity->user_name);
  copy->currency = g_strdup (identity->currency);
  copy->workspace = g_strdup (identity->workspace);
  return copy;
}

static State *
state_take (KtLocal *local)
{
  State *state = g_new0 (State, 1);

  state->schema =
    kt_local_schema (local) != NULL ? kt_schema_ref ((KtSchema *) kt_local_schema (local)) : NULL;
  state->identity = identity_copy (kt_local_identity (local));
  state->ready = kt_local_ready (local);
  return state;
}

static void
state_free (State *state)
{
  if (state == NULL)
    return;
  g_clear_pointer (&state->schema, kt_schema_unref);
  if (state->identity != NULL)
    kt_identity_clear (state->identity);
  g_free (state->identity);
  g_free (state);
}

typedef struct
{
  KtStore *store;
  KtChangeSet *changes;
  State *state;
  GError *error;
  int made; /* atomic: hands the above over to the other thread */
} Emission;

static void
emission_free (gpointer data)
{
  Emission *emission = data;

  g_clear_pointer (&emission->changes, kt_change_set_unref);
  g_clear_pointer (&emission->state, state_free);
  g_clear_error (&emission->error);
  g_object_unref (emission->store);
  g_free (emission);
}

static gboolean
emit_cb (gpointer data)
{
  Emission *emission = data;
  gboolean made = g_atomic_int_get (&emission->made); /* before anything else of it is read */
  KtStore *self = emission->store;

  g_assert (made);
  if (self->closed)
    return G_SOURCE_REMOVE;
  if (emission->error != NULL)
    {
      g_signal_emit (self, signals[FAILED], 0, emission->error);
      return G_SOURCE_REMOVE;
    }
  if (emission->state != NULL)
    {
      /* Whoever got a pointer from kt_store_schema may still hold it while this is emitted. */
      State *old = self->shown;

      self->shown = g_steal_pointer (&emission->state);
      emission->state = old;
    }
  g_signal_emit (self, signals[CHANGED], 0, emission->changes);
  return G_SOURCE_REMOVE;
}

static void
post (KtStore *self, KtChangeSet *changes, State *state, GError *error)
{
  g_autoptr (GSource) source = g_idle_source_new ();
  Emission *emission = g_new0 (Emission, 1);

  emission->store = g_object_ref (self);
  emission->changes = changes;
  emission->state = state;
  emission->error = error;
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, emit_cb, emission, emission_free);
  g_source_set_static_name (source, "kt-store");
  g_atomic_int_set (&emission->made, TRUE);
  g_source_attach (source, self->context);
}

/* Writer thread: whether the schema is another one than was last told. */
static gboolean
schema_moved (KtStore *self)
{
  const KtSchema *schema = kt_local_schema (self->local);
  const char *digest = schema != NULL ? kt_schema_digest (schema) : NULL;

  if (g_strcmp0 (digest, self->digest) == 0)
    return FALSE;
  g_free (self->digest);
  self->digest = g_strdup (digest);
  return TRUE;
}

void
kt_store_emit (KtStore *store, KtChangeSet *changes)
{
  g_return_if_fail (KT_IS_STORE (store) && store->local != NULL);

  if (changes == NULL)
    return;
  if (_kt_local_stamp (store->local) == store->stamp)
    {
      post (store, changes, NULL, NULL);
      return;
    }
  store->stamp = _kt_local_stamp (store->local);
  if (schema_moved (store))
    changes->schema = TRUE;
  post (store, changes, state_take (store->local), NULL);
}

/* What a job did without telling: signed in, another schema, first pull complete. */
static void
tell_rest (KtStore *self)
{
  KtChangeSet *changes;

  if (_kt_local_stamp (self->local) == self->stamp)
    return;
  changes = kt_change_set_new (kt_local_schema (self->local));
  changes->everything = TRUE;
  changes->outbox = TRUE;
  kt_store_emit (self, changes);
}

/* ---- threads ---- */

static gpointer
writer_open (gpointer data, GError **error)
{
  KtStore *self = data;
  KtLocal *local = kt_local_open (self->dir, self->flags, self->env, error);

  if (local == NULL)
    return NULL;
  if (self->locale != NULL && (self->flags & KT_LOCAL_READ_ONLY) == 0
      && !kt_local_set_locale (local, self->locale, error))
    {
      kt_local_close (local);
      return NULL;
    }
  _kt_local_checkpoint_beside (local);
  self->local = local;
  self->stamp = _kt_local_stamp (local);
  self->version = kt_db_data_version (kt_local_db (local));
  schema_moved (self);
  return local;
}

static gpointer
reader_open (gpointer data, GError **error)
{
  KtStore *self = data;

  return kt_local_open (self->dir, KT_LOCAL_READ_ONLY, self->env, error);
}

static void
local_close (gpointer local)
{
  kt_local_close (local);
}

/* ---- jobs ---- */

typedef struct
{
  KtStore *store; /* borrowed: the task holds it, or the caller waits */
  Reader *reader; /* NULL: the writer */
  KtStoreJob run;
  gpointer data;
  GDestroyNotify free_data;
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;

  if (job->free_data != NULL)
    job->free_data (job->data);
  if (job->reader != NULL)
    g_atomic_int_add (&job->reader->waiting, -1);
  g_free (job);
}

static gpointer
run_cb (gpointer state, gpointer data, GCancellable *cancellable, GError **error)
{
  Job *job = data;
  gpointer result;

  /* A reader that has read nothing since the first sign-in would know no schema. */
  if (job->reader != NULL && !kt_local_refresh (state, error))
    return NULL;
  result = job->run (state, job->data, cancellable, error);
  if (job->reader == NULL)
    tell_rest (job->store);
  return result;
}

static Job *
job_new (KtStore *store, Reader *reader, KtStoreJob run, gpointer data, GDestroyNotify free_data)
{
  Job *job = g_new0 (Job, 1);

  job->store = store;
  job->reader = reader;
  job->run = run;
  job->data = data;
  job->free_data = free_data;
  if (reader != NULL)
    g_atomic_int_inc (&reader->waiting);
  return job;
}

static Reader *
choose_reader (KtStore *self)
{
  Reader *best = &self->readers[0];

  for (guint i = 1; i < N_READERS; i++)
    if (g_atomic_int_get (&self->readers[i].waiting) < g_atomic_int_get (&best->waiting))
      best = &self->readers[i];
  return best;
}

/* TRUE: the store is closed, and the caller has been told. */
static gboolean
is_closed (KtStore *self,
           gpointer data,
           GDestroyNotify free_data,
           GCancellable *cancellable,
           GAsyncReadyCallback callback,
           gpointer user_data)
{
  if (!self->closed)
    return FALSE;
  if (free_data != NULL)
    free_data (data);
  g_task_report_new_error (self, callback, user_data, TAG (is_closed), G_IO_ERROR,
                           G_IO_ERROR_CLOSED, "The profile has been closed");
  return TRUE;
}

void
kt_store_read_async (KtStore *store,
                     KtStoreJob job,
                     gpointer data,
                     GDestroyNotify free_data,
                     GDestroyNotify free_result,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  Reader *reader;

  g_return_if_fail (KT_IS_STORE (store) && job != NULL);

  if (is_closed (store, data, free_data, cancellable, callback, user_data))
    return;
  reader = choose_reader (store);
  kt_worker_push_async (reader->worker, KT_WORKER_NORMAL, run_cb,
                        job_new (store, reader, job, data, free_data), job_free, free_result,
                        cancellable, TAG (kt_store_job_finish), store, callback, user_data);
}

void
kt_store_write_async (KtStore *store,
                      KtStoreJob job,
                      gpointer data,
                      GDestroyNotify free_data,
                      GDestroyNotify free_result,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  g_return_if_fail (KT_IS_STORE (store) && job != NULL);

  if (is_closed (store, data, free_data, cancellable, callback, user_data))
    return;
  kt_worker_push_async (store->writer, KT_WORKER_URGENT, run_cb,
                        job_new (store, NULL, job, data, free_data), job_free, free_result,
                        cancellable, TAG (kt_store_job_finish), store, callback, user_data);
}

gpointer
kt_store_job_finish (GAsyncResult *result, GError **error)
{
  return kt_worker_push_finish (result, error);
}

gpointer
kt_store_write_sync (KtStore *store, KtStoreJob job, gpointer data, GError **error)
{
  Job *own;
  gpointer result;

  g_return_val_if_fail (KT_IS_STORE (store) && job != NULL, NULL);

  own = job_new (store, NULL, job, data, NULL);
  result = kt_worker_run (store->writer, KT_WORKER_NORMAL, run_cb, own, error);
  job_free (own);
  return result;
}

/* ---- another process ---- */

static gpointer
poll_job (gpointer state, gpointer data, GCancellable *cancellable, GError **error)
{
  KtStore *self = data;
  KtLocal *local = state;
  gint64 version = kt_db_data_version (kt_local_db (local));
  g_autoptr (GError) failure = NULL;

  g_atomic_int_set (&self->polling, FALSE);
  if (version == self->version)
    return NULL;
  self->version = version;
  if (!_kt_local_begin (local, KT_TX_READ, &failure))
    {
      post (self, NULL, NULL, g_steal_pointer (&failure));
      return NULL;
    }
  kt_db_rollback (kt_local_db (local));
  {
    KtChangeSet *changes = kt_change_set_new (kt_local_schema (local));

    changes->everything = TRUE;
    changes->outbox = TRUE;
    kt_store_emit (self, changes);
  }
  return NULL;
}

static gboolean
poll_cb (gpointer data)
{
  KtStore *self = data;

  if (!self->closed && g_atomic_int_compare_and_exchange (&self->polling, FALSE, TRUE))
    kt_worker_push_async (self->writer, KT_WORKER_IDLE, poll_job, self, NULL, NULL, NULL,
                          TAG (poll_cb), self, NULL, NULL);
  return G_SOURCE_CONTINUE;
}

static void
start_poll (KtStore *self)
{
  self->poll = g_timeout_source_new_seconds (POLL_SECONDS);
  g_source_set_callback (self->poll, poll_cb, self, NULL);
  g_source_set_static_name (self->poll, "kt-store-poll");
  g_source_attach (self->poll, self->context);
}

/* ---- opening and closing ---- */

static gpointer
first_job (gpointer state, gpointer data, GCancellable *cancellable, GError **error)
{
  return state_take (state);
}

static gpointer
warm_job (gpointer state, gpointer data, GCancellable *cancellable, GError **error)
{
  return NULL;
}

static void
opened_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  KtStore *self = KT_STORE (object);
  GError *error = NULL;
  State *state = kt_worker_push_finish (result, &error);

  if (state == NULL)
    {
      kt_store_close (self);
      g_task_return_error (task, error);
      return;
    }
  self->shown = state;
  for (guint i = 0; i < N_READERS; i++)
    {
      self->readers[i].worker = kt_worker_new ("kt-reader", reader_open, local_close, self);
      kt_worker_push_async (self->readers[i].worker, KT_WORKER_NORMAL, warm_job, NULL, NULL, NULL,
                            NULL, TAG (opened_cb), self, NULL, NULL);
    }
  start_poll (self);
  g_task_return_pointer (task, g_object_ref (self), g_object_unref);
}

void
kt_store_open_async (const char *dir,
                     KtLocalFlags flags,
                     const KtEnv *env,
                     const char *locale,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  g_autoptr (KtStore) self = NULL;
  GTask *task;

  g_return_if_fail (dir != NULL);

  self = g_object_new (KT_TYPE_STORE, NULL);
  self->dir = g_strdup (dir);
  self->locale = g_strdup (locale);
  self->flags = flags;
  self->env = env != NULL ? env : kt_system_env ();
  self->context = g_main_context_ref_thread_default ();
  self->writer = kt_worker_new ("kt-writer", writer_open, local_close, self);
  task = g_task_new (NULL, cancellable, callback, user_data);
  g_task_set_source_tag (task, TAG (kt_store_open_async));
  kt_worker_push_async (self->writer, KT_WORKER_URGENT, first_job, NULL, NULL,
                        (GDestroyNotify) state_free, NULL, TAG (kt_store_open_async), self,
                        opened_cb, task);
}

KtStore *
kt_store_open_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

void
kt_store_close (KtStore *store)
{
  g_return_if_fail (KT_IS_STORE (store));

  if (store->closed)
    return;
  store->closed = TRUE;
  if (store->poll != NULL)
    g_source_destroy (store->poll);
  g_clear_pointer (&store->poll, g_source_unref);
  for (guint i = 0; i < N_READERS; i++)
    g_clear_pointer (&store->readers[i].worker, kt_worker_free);
  g_clear_pointer (&store->writer, kt_worker_free);
}

/* ---- the common calls ---- */

const KtEnv *
kt_store_env (KtStore *self)
{
  g_return_val_if_fail (KT_IS_STORE (self), NULL);

  return self->env;
}

const KtSchema *
kt_store_schema (KtStore *store)
{
  g_return_val_if_fail (KT_IS_STORE (store), NULL);

  return store->shown != NULL ? store->shown->schema : NULL;
}

const KtIdentity *
kt_store_identity (KtStore *store)
{
  g_return_val_if_fail (KT_IS_STORE (store), NULL);

  return store->shown != NULL ? store->shown->identity : NULL;
}

gboolean
kt_store_ready (KtStore *store)
{
  g_return_val_if_fail (KT_IS_STORE (store), FALSE);

  return store->shown != NULL && store->shown->ready;
}

typedef struct
{
  KtStore *store; /* borrowed: the task holds it */
  KtMutation *mutation;
  KtSchema *schema; /* what the pointers below and in the mutation belong to */
  const KtObject *object;
  KtId id;
  KtQuery *query;
  gint64 *rids;
  guint n;
} Call;

static Call *
call_new (KtStore *store, const KtObject *object)
{
  Call *call = g_new0 (Call, 1);

  call->store = store;
  call->object = object;
  call->schema = object != NULL ? kt_schema_ref ((KtSchema *) object->schema) : NULL;
  return call;
}

static void
call_free (gpointer data)
{
  Call *call = data;

  g_clear_pointer (&call->mutation, kt_mutation_free);
  g_clear_pointer (&call->query, kt_query_free);
  g_free (call->rids);
  g_clear_pointer (&call->schema, kt_schema_unref);
  g_free (call);
}

static gpointer
commit_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Call *call = data;
  KtChangeSet *changes = NULL;
  gint64 no = 0;

  if (!kt_local_commit (local, call->mutation, &no, &changes, error))
    return NULL;
  kt_store_emit (call->store, changes);
  return g_memdup2 (&no, sizeof no);
}

void
kt_store_commit_async (KtStore *store,
                       KtMutation *mutation,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  const KtOp *first;
  Call *call;

  g_return_if_fail (KT_IS_STORE (store) && mutation != NULL);

  first = mutation->ops->len > 0 ? g_ptr_array_index (mutation->ops, 0) : NULL;
  call = call_new (store, first != NULL ? first->object : NULL);
  call->mutation = mutation;
  kt_store_write_async (store, commit_job, call, call_free, g_free, cancellable, callback,
                        user_data);
}

gboolean
kt_store_commit_finish (KtStore *store, GAsyncResult *result, gint64 *outbox_no, GError **error)
{
  g_autofree gint64 *no = kt_store_job_finish (result, error);

  if (no == NULL)
    return FALSE;
  if (outbox_no != NULL)
    *outbox_no = *no;
  return TRUE;
}

static gpointer
load_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Call *call = data;

  return kt_local_load (local, call->object, &call->id, error);
}

void
kt_store_load_async (KtStore *store,
                     const KtObject *object,
                     const KtId *id,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  Call *call;

  g_return_if_fail (KT_IS_STORE (store) && object != NULL && id != NULL);

  call = call_new (store, object);
  call->id = *id;
  kt_store_read_async (store, load_job, call, call_free, (GDestroyNotify) kt_record_unref,
                       cancellable, callback, user_data);
}

KtRecord *
kt_store_load_finish (KtStore *store, GAsyncResult *result, GError **error)
{
  return kt_store_job_finish (result, error);
}

static gpointer
query_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return kt_local_query (local, ((Call *) data)->query, cancellable, error);
}

void
kt_store_query_async (KtStore *store,
                      const KtQuery *query,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  Call *call;

  g_return_if_fail (KT_IS_STORE (store) && query != NULL);

  call = call_new (store, query->object);
  call->query = kt_query_copy (query);
  kt_store_read_async (store, query_job, call, call_free, (GDestroyNotify) g_array_unref,
                       cancellable, callback, user_data);
}

GArray *
kt_store_query_finish (KtStore *store, GAsyncResult *result, GError **error)
{
  return kt_store_job_finish (result, error);
}

static gpointer
rows_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Call *call = data;

  return kt_local_rows (local, call->object, call->rids, call->n, error);
}

void
kt_store_rows_async (KtStore *store,
                     const KtObject *object,
                     const gint64 *rids,
                     guint n,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  Call *call;

  g_return_if_fail (KT_IS_STORE (store) && object != NULL && (rids != NULL || n == 0));

  call = call_new (store, object);
  call->rids = n > 0 ? g_memdup2 (rids, n * sizeof *rids) : NULL;
  call->n = n;
  kt_store_read_async (store, rows_job, call, call_free, (GDestroyNotify) g_ptr_array_unref,
                       cancellable, callback, user_data);
}

GPtrArray *
kt_store_rows_finish (KtStore *store, GAsyncResult *result, GError **error)
{
  return kt_store_job_finish (result, error);
}

/* ---- object ---- */

static void
kt_store_dispose (GObject *object)
{
  kt_store_close (KT_STORE (object));
  G_OBJECT_CLASS (kt_store_parent_class)->dispose (object);
}

static void
kt_store_finalize (GObject *object)
{
  KtStore *self = KT_STORE (object);

  g_clear_pointer (&self->shown, state_free);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_free (self->digest);
  g_free (self->locale);
  g_free (self->dir);
  G_OBJECT_CLASS (kt_store_parent_class)->finalize (object);
}

static void
kt_store_class_init (KtStoreClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = kt_store_dispose;
  object_class->finalize = kt_store_finalize;

  signals[CHANGED] = g_signal_new ("changed", KT_TYPE_STORE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, G_TYPE_POINTER);
  signals[FAILED] = g_signal_new ("failed", KT_TYPE_STORE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                  G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
kt_store_init (KtStore *self)
{
}
