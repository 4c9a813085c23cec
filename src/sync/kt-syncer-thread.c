/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-syncer-private.h"

#include "base/kt-error.h"

/* The thread that drives the engine. See kt-syncer-private.h for who talks to whom. */

#define POLL_US (60 * G_USEC_PER_SEC)      /* without a hint */
#define POLL_BARE_US (20 * G_USEC_PER_SEC) /* without a channel that could bring one */
#define NOTICE_US (G_GINT64_CONSTANT (3) * 24 * 3600 * G_USEC_PER_SEC) /* worth telling for so long */
#define LOCK_TURN_MS 100
#define LOCK_RETRY_US G_USEC_PER_SEC

void
_kt_syncer_session_free (KtSyncerSession *session)
{
  if (session == NULL)
    return;
  g_free (session->token);
  g_free (session->base);
  g_free (session->dir);
  g_free (session->notice);
  g_free (session);
}

/* What happened to this profile lately, in words; NULL: nothing. */
static char *
latest_notice (KtLocal *local)
{
  const KtEnv *env = kt_local_env (local);
  g_autoptr (GPtrArray) notices = kt_local_notices (local, NULL);
  const KtNotice *last =
    notices != NULL && notices->len > 0 ? g_ptr_array_index (notices, notices->len - 1) : NULL;

  if (last == NULL || ABS (env->now_us (env->data) - last->at_us) > NOTICE_US)
    return NULL;
  return kt_notice_words (last, kt_local_locale (local));
}

static void
tell_notice (KtSyncer *self, const char *notice)
{
  g_mutex_lock (&self->lock);
  g_free (self->news.notice);
  self->news.notice = g_strdup (notice);
  _kt_syncer_publish (self);
  g_mutex_unlock (&self->lock);
}

gpointer
_kt_syncer_read_session (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  g_autoptr (KtSyncerSession) session = g_new0 (KtSyncerSession, 1);
  g_autoptr (GError) failure = NULL;

  session->dir = g_strdup (kt_local_dir (local));
  session->notice = latest_notice (local);
  session->token = kt_session_token (local, &failure);
  if (failure == NULL)
    session->base = kt_session_base (local, &failure);
  if (failure == NULL)
    {
      g_autofree char *paused = kt_local_get_meta (local, KT_SYNCER_META_PAUSED, &failure);

      session->paused = paused != NULL;
    }
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  return g_steal_pointer (&session);
}

/* ---- jobs on the writer ---- */

typedef struct
{
  KtSyncer *syncer;
  KtEngine *engine;
  KtTransport *transport;
  char *dir;
  char *token;
  KtSyncLock *lock;
  GCancellable *sending, *waiting;
  guint sessions;
  guint poked : 1;
} Round;

typedef struct
{
  Round *round;
  KtReply *reply;
  const GError *failure;
  KtRequest *request;
  gint64 wait_us;
} Step;

static gint64
now_us (KtLocal *local)
{
  const KtEnv *env = kt_local_env (local);

  return env->monotonic_us (env->data);
}

/* Signing in and out go through the writer as well, so what is true here stays true for the job: a page
 * that was asked for one person never gets into another's profile (scenarios 55, 56). */
static gboolean
session_stands (KtLocal *local, const Round *round)
{
  g_autofree char *token = kt_session_token (local, NULL);

  return g_strcmp0 (token, round->token) == 0;
}

static gpointer
next_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Step *step = data;
  const char *token = session_stands (local, step->round) ? step->round->token : NULL;
  g_autoptr (GError) failure = NULL;

  step->request =
    kt_engine_next (step->round->engine, local, token, now_us (local), &step->wait_us, &failure);
  if (failure == NULL)
    return GINT_TO_POINTER (TRUE);
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

static gpointer
reply_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Step *step = data;
  g_autoptr (GPtrArray) changes = g_ptr_array_new ();
  gboolean well;

  if (!session_stands (local, step->round))
    return GINT_TO_POINTER (TRUE);
  well = kt_engine_reply (step->round->engine, local, step->reply, step->failure, now_us (local),
                          changes, error);
  if (kt_engine_status (step->round->engine)->renewed)
    {
      /* The sync thread waits for this job: its token may be touched. */
      g_free (step->round->token);
      step->round->token = kt_session_token (local, NULL);
    }
  if (kt_engine_status (step->round->engine)->notices > 0)
    {
      g_autofree char *notice = latest_notice (local);

      tell_notice (step->round->syncer, notice);
    }
  for (guint i = 0; i < changes->len; i++)
    kt_store_emit (step->round->syncer->store, g_ptr_array_index (changes, i));
  return GINT_TO_POINTER (well);
}

static gpointer
expire_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return GINT_TO_POINTER (kt_session_expire (local, data, error));
}
/* ---- status ---- */

static void
tell (Round *round, KtSyncState state, const GError *problem)
{
  KtSyncer *self = round->syncer;
  const KtEngineStatus *status = kt_engine_status (round->engine);

  g_mutex_lock (&self->lock);
  self->news.state = state;
  self->news.online = status->online;
  self->news.rows_done = status->rows_done;
  self->news.rows_total = status->rows_total;
  g_free (self->news.problem);
  self->news.problem = problem != NULL ? g_strdup (problem->message) : NULL;
  self->news.problem_code = problem != NULL && problem->domain == KT_ERROR ? problem->code : -1;
  _kt_syncer_publish (self);
  g_mutex_unlock (&self->lock);
}

static gboolean
is_offline (const GError *problem)
{
  return g_error_matches (problem, KT_ERROR, KT_ERROR_NETWORK);
}

static void
tell_status (Round *round)
{
  const KtEngineStatus *status = kt_engine_status (round->engine);
  KtSyncState state = KT_SYNC_STATE_BUSY;

  if (status->state == KT_ENGINE_SIGNED_OUT)
    state = KT_SYNC_STATE_SIGNED_OUT;
  else if (status->problem != NULL)
    state = is_offline (status->problem) ? KT_SYNC_STATE_OFFLINE : KT_SYNC_STATE_PROBLEM;
  else if (status->state == KT_ENGINE_IDLE || status->state == KT_ENGINE_WAIT)
    state = KT_SYNC_STATE_IDLE;
  tell (round, state, status->problem);
}
/* ---- rounds ---- */

static gboolean
is_stopping (KtSyncer *self)
{
  gboolean stopping;

  g_mutex_lock (&self->lock);
  stopping = self->stopping;
  g_mutex_unlock (&self->lock);
  return stopping;
}

/* Until poked, or for @us (-1: for ever). */
static void
rest (KtSyncer *self, gint64 us)
{
  gint64 end = g_get_monotonic_time () + us;

  g_mutex_lock (&self->lock);
  while (!self->poked && !self->stopping)
    {
      if (us < 0)
        g_cond_wait (&self->cond, &self->lock);
      else if (!g_cond_wait_until (&self->cond, &self->lock, end))
        break;
    }
  g_mutex_unlock (&self->lock);
}

/* What the main thread wants; cancellables for the round to come. FALSE: nothing to do now. */
static gboolean
begin_round (Round *round)
{
  KtSyncer *self = round->syncer;
  gboolean paused, held;

  g_clear_object (&round->sending);
  g_clear_object (&round->waiting);
  round->sending = g_cancellable_new ();
  round->waiting = g_cancellable_new ();

  g_mutex_lock (&self->lock);
  held = self->holds > 0 && !self->stopping;
  paused = self->paused && !self->stopping;
  round->poked = self->poked;
  self->poked = FALSE;
  if (round->sessions != self->sessions)
    {
      round->sessions = self->sessions;
      g_clear_pointer (&round->token, g_free);
    }
  g_set_object (&self->sending, round->sending);
  g_set_object (&self->waiting, round->waiting);
  g_mutex_unlock (&self->lock);

  if (!paused && !held)
    return TRUE;
  g_clear_pointer (&round->lock, kt_sync_lock_free);
  if (!held)
    tell (round, KT_SYNC_STATE_PAUSED, NULL);
  rest (self, -1);
  return FALSE;
}

/* When another run of a program synced last. */
static void
look_up_last (KtSyncer *self, const char *dir)
{
  gint64 last_us;

  kt_sync_lock_peek (dir, &last_us, NULL);
  g_mutex_lock (&self->lock);
  self->news.last_us = MAX (self->news.last_us, last_us);
  _kt_syncer_publish (self);
  g_mutex_unlock (&self->lock);
}

/* Paused by the last run of the program, and nobody has said otherwise meanwhile. */
static gboolean
was_paused (KtSyncer *self, gboolean paused)
{
  gboolean now;

  g_mutex_lock (&self->lock);
  if (!self->pause_known)
    self->paused = self->news.paused = paused;
  self->pause_known = TRUE;
  now = self->paused;
  g_mutex_unlock (&self->lock);
  return now;
}

static gboolean
find_session (Round *round)
{
  KtSyncer *self = round->syncer;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtSyncerSession) session = NULL;

  if (round->token != NULL && round->transport != NULL)
    return TRUE;

  session = kt_store_write_sync (self->store, _kt_syncer_read_session, NULL, &error);
  if (session != NULL)
    look_up_last (self, session->dir);
  if (session != NULL)
    tell_notice (self, session->notice);
  if (session != NULL && was_paused (self, session->paused))
    return FALSE;
  if (session != NULL && session->token != NULL && session->base != NULL)
    {
      g_clear_pointer (&round->transport, kt_transport_free);
      round->transport = _kt_syncer_connect (self, session->base, &error);
      if (round->transport != NULL)
        {
          round->token = g_steal_pointer (&session->token);
          g_free (round->dir);
          round->dir = g_steal_pointer (&session->dir);
          kt_engine_poke (round->engine);
          return TRUE;
        }
    }
  g_clear_pointer (&round->lock, kt_sync_lock_free);
  tell (round, error != NULL ? KT_SYNC_STATE_PROBLEM : KT_SYNC_STATE_SIGNED_OUT, error);
  rest (self, -1);
  return FALSE;
}

static gboolean
take_lock (Round *round)
{
  g_autoptr (GError) error = NULL;

  if (round->lock != NULL)
    return TRUE;
  round->lock = kt_sync_lock_take (round->dir, LOCK_TURN_MS, round->sending, &error);
  if (round->lock != NULL)
    return TRUE;
  /* Another process does our work: no problem, unless it stays one. */
  if (!g_error_matches (error, KT_ERROR, KT_ERROR_BUSY)
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    tell (round, KT_SYNC_STATE_PROBLEM, error);
  rest (round->syncer, LOCK_RETRY_US);
  return FALSE;
}

static void
give_lock_back (Round *round)
{
  KtSyncer *self = round->syncer;
  const KtEngineStatus *status = kt_engine_status (round->engine);

  if (round->lock == NULL)
    return;
  if (status->state == KT_ENGINE_IDLE && status->problem == NULL)
    {
      const KtEnv *env = kt_store_env (self->store);
      gint64 wall_us = env->now_us (env->data);

      kt_sync_lock_done (round->lock, wall_us);
      g_mutex_lock (&self->lock);
      self->news.last_us = wall_us;
      _kt_syncer_publish (self);
      g_mutex_unlock (&self->lock);
    }
  g_clear_pointer (&round->lock, kt_sync_lock_free);
}

/* Nothing to send for now. */
static void
wait_for_more (Round *round, gint64 wait_us)
{
  g_autoptr (GError) error = NULL;
  const KtEngineStatus *status = kt_engine_status (round->engine);

  give_lock_back (round);
  tell_status (round);
  if (status->state == KT_ENGINE_SIGNED_OUT)
    {
      kt_store_write_sync (round->syncer->store, expire_job, round->token, NULL);
      rest (round->syncer, -1);
      return;
    }
  if (wait_us >= 0)
    {
      rest (round->syncer, wait_us);
      return;
    }
  if (kt_transport_wait (round->transport, round->token, status->seq, POLL_US / 1000,
                         round->waiting, &error)
      || error == NULL || g_error_matches (error, KT_ERROR, KT_ERROR_AUTH))
    kt_engine_poke (round->engine);
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    rest (round->syncer, POLL_BARE_US);
}

/* A look whether there is anything new: over before anybody could read that we are busy. */
static gboolean
is_glance (Round *round, const KtRequest *request)
{
  const KtEngineStatus *status = kt_engine_status (round->engine);
  gboolean idle;

  g_mutex_lock (&round->syncer->lock);
  idle = round->syncer->news.state == KT_SYNC_STATE_IDLE;
  g_mutex_unlock (&round->syncer->lock);
  return idle && request->endpoint == KT_ENDPOINT_PULL && status->rows_done == 0
         && status->pushed == 0;
}

static void
turn (Round *round)
{
  KtSyncer *self = round->syncer;
  Step step = { round, .wait_us = -1 };
  g_autoptr (KtRequest) request = NULL;
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) failure = NULL;

  if (!begin_round (round) || !find_session (round) || !take_lock (round))
    return;
  if (round->poked)
    kt_engine_poke (round->engine);

  if (kt_store_write_sync (self->store, next_job, &step, &error) == NULL)
    {
      give_lock_back (round);
      tell (round, KT_SYNC_STATE_PROBLEM, error);
      rest (self, MAX (step.wait_us, KT_BACKOFF_FIRST_US));
      return;
    }
  request = step.request;
  if (request == NULL)
    {
      wait_for_more (round, step.wait_us);
      return;
    }

  if (!is_glance (round, request))
    tell_status (round);
  reply = kt_transport_send (round->transport, request, round->sending, &failure);
  if (reply == NULL && g_cancellable_is_cancelled (round->sending))
    return;
  step.reply = reply;
  step.failure = failure;
  if (kt_store_write_sync (self->store, reply_job, &step, &error) == NULL && error != NULL)
    tell (round, KT_SYNC_STATE_PROBLEM, error);
}

gpointer
_kt_syncer_thread (gpointer data)
{
  KtSyncer *self = data;
  Round round = { .syncer = self, .sessions = G_MAXUINT };

  round.engine = kt_engine_new ();
  kt_engine_poke (round.engine);
  while (!is_stopping (self))
    turn (&round);

  g_clear_pointer (&round.lock, kt_sync_lock_free);
  g_clear_pointer (&round.transport, kt_transport_free);
  g_clear_pointer (&round.engine, kt_engine_free);
  g_clear_object (&round.sending);
  g_clear_object (&round.waiting);
  g_free (round.token);
  g_free (round.dir);
  return NULL;
}
