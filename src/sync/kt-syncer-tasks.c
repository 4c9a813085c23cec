/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-syncer-private.h"

#include <string.h>

#include "base/kt-error.h"

/* What a person asks for beside the endless round: each on a thread and a transport of its own. */

/* The session on the disk is another one, or none. */
static void
session_moved (KtSyncer *self)
{
  g_mutex_lock (&self->lock);
  self->sessions++;
  _kt_syncer_wake (self, TRUE);
  g_mutex_unlock (&self->lock);
}

/* Keeps the sync thread away from the profile, or lets it go on. */
static void
hold (KtSyncer *self, int more)
{
  g_mutex_lock (&self->lock);
  self->holds += more;
  _kt_syncer_wake (self, more > 0);
  g_mutex_unlock (&self->lock);
}

/* ---- tasks of their own: they end when their caller or the syncer says so ---- */

typedef struct
{
  KtSyncer *syncer;
  GCancellable *cancellable;
  GCancellable *callers;
  gulong by_caller, by_syncer;
} Errand;

static void
cancel_cb (GCancellable *cancellable, gpointer data)
{
  g_cancellable_cancel (data);
}

static void
errand_begin (Errand *errand, KtSyncer *self, GCancellable *callers)
{
  errand->syncer = self;
  errand->cancellable = g_cancellable_new ();
  errand->callers = callers;
  errand->by_syncer = g_cancellable_connect (self->quitting, G_CALLBACK (cancel_cb),
                                             g_object_ref (errand->cancellable), g_object_unref);
  if (callers != NULL)
    errand->by_caller = g_cancellable_connect (callers, G_CALLBACK (cancel_cb),
                                               g_object_ref (errand->cancellable), g_object_unref);
}

/* The task was counted when it was made, so that stop cannot miss one that has not begun. */
static void
errand_end (Errand *errand)
{
  KtSyncer *self = errand->syncer;

  if (errand->by_caller != 0)
    g_cancellable_disconnect (errand->callers, errand->by_caller);
  if (errand->by_syncer != 0)
    g_cancellable_disconnect (self->quitting, errand->by_syncer);
  g_clear_object (&errand->cancellable);
  g_mutex_lock (&self->lock);
  self->tasks--;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Errand, errand_end)

static void
run_errand (KtSyncer *self, GTask *task, GTaskThreadFunc func)
{
  gboolean stopped;

  g_mutex_lock (&self->lock);
  stopped = self->stopping;
  self->tasks += !stopped;
  g_mutex_unlock (&self->lock);
  if (stopped)
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The program is closing");
  else
    g_task_run_in_thread (task, func);
}

/* ---- signing in ---- */

typedef struct
{
  char *address, *user, *password;
} Login;

static void
login_free (Login *login)
{
  g_free (login->address);
  g_free (login->user);
  if (login->password != NULL)
    explicit_bzero (login->password, strlen (login->password));
  g_free (login->password);
  g_free (login);
}

typedef struct
{
  KtIdentity *identity;
  char *digest;
  char *dir;
} Known;

static gpointer
known_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const KtIdentity *identity = kt_local_identity (local);
  const KtSchema *schema = kt_local_schema (local);
  Known *known = data;

  if (identity != NULL)
    {
      known->identity = g_new0 (KtIdentity, 1);
      known->identity->device = identity->device;
      known->identity->epoch = identity->epoch;
      known->identity->server = g_strdup (identity->server);
    }
  known->digest = schema != NULL ? g_strdup (kt_schema_digest (schema)) : NULL;
  known->dir = g_strdup (kt_local_dir (local));
  return known;
}

static void
known_clear (Known *known)
{
  if (known->identity != NULL)
    kt_identity_clear (known->identity);
  g_clear_pointer (&known->identity, g_free);
  g_clear_pointer (&known->digest, g_free);
  g_clear_pointer (&known->dir, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Known, known_clear)

static gpointer
store_session_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return GINT_TO_POINTER (_kt_session_store (local, data, error));
}

/* While nobody syncs here, this process or another. */
static gboolean
store_session (KtSyncer *self,
               const char *dir,
               KtSession *session,
               GCancellable *cancellable,
               GError **error)
{
  g_autoptr (KtSyncLock) lock = NULL;
  gboolean stored;

  hold (self, 1);
  lock = kt_sync_lock_take (dir, KT_SYNC_LOCK_WAIT_MS, cancellable, error);
  stored =
    lock != NULL && kt_store_write_sync (self->store, store_session_job, session, error) != NULL;
  if (stored)
    session_moved (self);
  g_clear_pointer (&lock, kt_sync_lock_free);
  hold (self, -1);
  return stored;
}

static void
login_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  KtSyncer *self = source;
  Login *login = data;
  g_autofree char *base = NULL;
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (KtSession) session = NULL;
  g_auto (Known) known = { 0 };
  g_auto (Errand) errand = { 0 };
  GError *error = NULL;

  errand_begin (&errand, self, cancellable);
  base = kt_http_base_address (login->address, &error);
  if (base != NULL)
    transport = _kt_syncer_connect (self, base, &error);
  if (transport != NULL && kt_store_write_sync (self->store, known_job, &known, &error) != NULL)
    session = _kt_session_ask (transport, base, login->user, login->password, known.identity,
                               known.digest, errand.cancellable, &error);
  if (session != NULL && store_session (self, known.dir, session, errand.cancellable, &error))
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  /* Nobody will use this token. */
  if (session != NULL)
    _kt_session_end (transport, session->token, errand.cancellable);
  g_task_return_error (task, error);
}

void
kt_syncer_login_async (KtSyncer *self,
                       const char *address,
                       const char *user,
                       const char *password,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  Login *login;

  g_return_if_fail (KT_IS_SYNCER (self));
  g_return_if_fail (address != NULL && user != NULL && password != NULL);

  login = g_new0 (Login, 1);
  login->address = g_strdup (address);
  login->user = g_strdup (user);
  login->password = g_strdup (password);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, kt_syncer_login_async);
  g_task_set_task_data (task, login, (GDestroyNotify) login_free);
  run_errand (self, task, login_thread);
}

gboolean
kt_syncer_login_finish (KtSyncer *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/* ---- signing out ---- */

typedef struct
{
  char *token, *base;
  gint64 unsettled;
} Logout;

static gpointer
logout_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Logout *logout = data;
  KtOutboxCounts counts = { 0 };

  logout->base = kt_session_base (local, NULL);
  if (!kt_local_outbox_counts (local, &counts, error)
      || !_kt_session_forget (local, &logout->token, error))
    return NULL;
  logout->unsettled = counts.queued + counts.sent + counts.parked;
  return logout;
}

static void
logout_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  KtSyncer *self = source;
  g_autofree char *token = NULL;
  g_autofree char *base = NULL;
  g_auto (Errand) errand = { 0 };
  Logout logout = { 0 };
  GError *error = NULL;

  errand_begin (&errand, self, cancellable);
  if (kt_store_write_sync (self->store, logout_job, &logout, &error) == NULL)
    {
      g_free (logout.token);
      g_free (logout.base);
      g_task_return_error (task, error);
      return;
    }
  token = logout.token;
  base = logout.base;
  session_moved (self);
  g_task_return_pointer (task, g_memdup2 (&logout.unsettled, sizeof logout.unsettled), g_free);

  /* The person is signed out; what the server makes of it is its own affair. */
  if (token != NULL && base != NULL)
    {
      g_autoptr (KtTransport) transport = _kt_syncer_connect (self, base, NULL);

      if (transport != NULL)
        _kt_session_end (transport, token, errand.cancellable);
    }
}

void
kt_syncer_logout_async (KtSyncer *self, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = NULL;

  g_return_if_fail (KT_IS_SYNCER (self));

  task = g_task_new (self, NULL, callback, user_data);
  g_task_set_source_tag (task, kt_syncer_logout_async);
  run_errand (self, task, logout_thread);
}

gboolean
kt_syncer_logout_finish (KtSyncer *self, GAsyncResult *result, gint64 *unsettled, GError **error)
{
  g_autofree gint64 *answer = NULL;

  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  answer = g_task_propagate_pointer (G_TASK (result), error);
  if (answer == NULL)
    return FALSE;
  if (unsettled != NULL)
    *unsettled = *answer;
  return TRUE;
}

/* ---- history and attachments ---- */

typedef struct
{
  char *object;
  KtId id;
  char *sha256;
  gint64 size;
  char *text;
  gboolean fresh;
} Question;

static void
question_free (Question *question)
{
  g_free (question->object);
  g_free (question->sha256);
  g_free (question->text);
  g_free (question);
}

/* The transport and token of whoever is signed in; NULL with AUTH or what went wrong. */
static KtTransport *
connect_session (KtSyncer *self, char **token, GError **error)
{
  g_autoptr (KtSyncerSession) session =
    kt_store_write_sync (self->store, _kt_syncer_read_session, NULL, error);

  if (session == NULL)
    return NULL;
  if (session->token == NULL || session->base == NULL)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_AUTH, "Sign in first");
      return NULL;
    }
  *token = g_steal_pointer (&session->token);
  return _kt_syncer_connect (self, session->base, error);
}

static gpointer
keep_history_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Question *question = data;

  return GINT_TO_POINTER (kt_local_keep_history (local, &question->id, question->text, error));
}

static gpointer
get_history_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Question *question = data;
  g_autoptr (GError) failure = NULL;
  char *text = kt_local_get_history (local, &question->id, &failure);

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  return text != NULL ? text : g_strdup ("[]");
}

static void
history_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  KtSyncer *self = source;
  Question *question = data;
  g_autofree char *token = NULL;
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (GError) failure = NULL;
  g_auto (Errand) errand = { 0 };
  GError *error = NULL;
  char *text;

  errand_begin (&errand, self, cancellable);
  transport = connect_session (self, &token, &failure);
  if (transport != NULL)
    question->text = _kt_history_ask (transport, token, question->object, &question->id,
                                      errand.cancellable, &failure);
  if (question->text == NULL
      && (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED)
          || g_error_matches (failure, KT_ERROR, KT_ERROR_FORBIDDEN)))
    {
      g_task_return_error (task, g_steal_pointer (&failure));
      return;
    }
  question->fresh = question->text != NULL;
  if (question->fresh)
    kt_store_write_sync (self->store, keep_history_job, question, NULL);
  text = kt_store_write_sync (self->store, get_history_job, question, &error);
  if (text != NULL)
    g_task_return_pointer (task, text, g_free);
  else
    g_task_return_error (task, error);
}

void
kt_syncer_history_async (KtSyncer *self,
                         const KtObject *object,
                         const KtId *id,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  Question *question;

  g_return_if_fail (KT_IS_SYNCER (self));

  question = g_new0 (Question, 1);
  question->object = g_strdup (object->name);
  question->id = *id;
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, kt_syncer_history_async);
  g_task_set_task_data (task, question, (GDestroyNotify) question_free);
  run_errand (self, task, history_thread);
}

char *
kt_syncer_history_finish (KtSyncer *self, GAsyncResult *result, gboolean *fresh, GError **error)
{
  char *text;

  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  text = g_task_propagate_pointer (G_TASK (result), error);
  if (text != NULL && fresh != NULL)
    *fresh = ((Question *) g_task_get_task_data (G_TASK (result)))->fresh;
  return text;
}

static gpointer
blob_path_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Question *question = data;

  question->fresh = kt_local_blob_have (local, question->sha256, NULL);
  return kt_local_blob_path (local, question->sha256);
}

static void
fetch_blob_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  KtSyncer *self = source;
  Question *question = data;
  g_autofree char *path = NULL;
  g_autofree char *token = NULL;
  g_autoptr (KtTransport) transport = NULL;
  g_auto (Errand) errand = { 0 };
  GError *error = NULL;

  errand_begin (&errand, self, cancellable);
  path = kt_store_write_sync (self->store, blob_path_job, question, &error);
  if (path != NULL && !question->fresh)
    {
      transport = connect_session (self, &token, &error);
      if (transport != NULL)
        question->fresh = _kt_blob_fetch (transport, token, path, question->sha256, question->size,
                                          errand.cancellable, &error);
    }
  if (question->fresh)
    g_task_return_pointer (task, g_steal_pointer (&path), g_free);
  else
    g_task_return_error (task, error);
}

void
kt_syncer_fetch_blob_async (KtSyncer *self,
                            const char *sha256,
                            gint64 size,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  Question *question;

  g_return_if_fail (KT_IS_SYNCER (self));

  question = g_new0 (Question, 1);
  question->sha256 = g_strdup (sha256);
  question->size = size;
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, kt_syncer_fetch_blob_async);
  g_task_set_task_data (task, question, (GDestroyNotify) question_free);
  run_errand (self, task, fetch_blob_thread);
}

char *
kt_syncer_fetch_blob_finish (KtSyncer *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
