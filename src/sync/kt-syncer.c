/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-syncer-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "sync/kt-sync-private.h"

/* One thread drives the engine:
 *
 *   main thread                          sync thread                              writer thread (KtStore)
 *   poke, pause, stop ──► mutex, cond ──► engine: next ────── kt_store_write_sync ──► KtLocal
 *   properties ◄── one idle source ◄──── status             ◄────────────────────────  change sets
 *                                        transport: send, wait (no lock of any kind held)
 *
 * Nothing waits for the network while it holds the writer. Signing in and out, history and
 * attachments run as tasks of their own, each over a transport of its own, so that no person waits
 * behind a long pull. DIR/sync.lock is held for a round at a time.                             */

#define POLL_US (60 * G_USEC_PER_SEC)      /* without a hint */
#define POLL_BARE_US (20 * G_USEC_PER_SEC) /* without a channel that could bring one */
#define LOCK_TURN_MS 100
#define LOCK_RETRY_US G_USEC_PER_SEC

struct _KtSyncer
{
  GObject parent_instance;

  /* owned */
  KtStore *store;
  GThread *thread;
  KtSyncerConnect connect;
  gpointer connect_data;

  /* between the threads, under the lock */
  GMutex lock;
  GCond cond;
  GCancellable *sending; /* of the exchange under way: stop, pause, sign out */
  GCancellable *waiting; /* of the wait under way: poke */
  GSource *publish;      /* the idle that brings the status over */
  struct
  {
    KtSyncState state;
    gboolean online;
    char *problem;
    gint64 rows_done, rows_total, last_us;
  } news;
  GCancellable *quitting; /* of all tasks */
  guint tasks;            /* running; stop waits for them */
  guint holds;            /* sign-ins that need the profile for themselves */
  guint sessions;         /* counts sign-ins and sign-outs */
  guint poked : 1, stopping : 1, paused : 1;

  /* state, main thread */
  GMainContext *context;
  KtSyncState state;
  char *problem;
  gint64 last_sync, rows_done, rows_total;
  guint waiting_count, parked, review;
  guint count_generation;
  guint online : 1, counting : 1, count_again : 1;
};

enum
{
  PROP_0,
  PROP_STATE,
  PROP_ONLINE,
  PROP_WAITING,
  PROP_PARKED,
  PROP_REVIEW,
  PROP_LAST_SYNC,
  PROP_PROBLEM,
  PROP_ROWS_DONE,
  PROP_ROWS_TOTAL,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

GType
kt_sync_state_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { KT_SYNC_STATE_SIGNED_OUT, "KT_SYNC_STATE_SIGNED_OUT", "signed-out" },
    { KT_SYNC_STATE_OFFLINE, "KT_SYNC_STATE_OFFLINE", "offline" },
    { KT_SYNC_STATE_BUSY, "KT_SYNC_STATE_BUSY", "busy" },
    { KT_SYNC_STATE_IDLE, "KT_SYNC_STATE_IDLE", "idle" },
    { KT_SYNC_STATE_PAUSED, "KT_SYNC_STATE_PAUSED", "paused" },
    { KT_SYNC_STATE_PROBLEM, "KT_SYNC_STATE_PROBLEM", "problem" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("KtSyncState", values));
  return type;
}

G_DEFINE_FINAL_TYPE (KtSyncer, kt_syncer, G_TYPE_OBJECT)

/* ---- the sync thread: jobs on the writer ---- */

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
  char *token, *base, *dir;
} Session;

static void
session_free (Session *session)
{
  g_free (session->token);
  g_free (session->base);
  g_free (session->dir);
  g_free (session);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Session, session_free)

static gpointer
read_session_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  g_autoptr (Session) session = g_new0 (Session, 1);
  g_autoptr (GError) failure = NULL;

  session->dir = g_strdup (kt_local_dir (local));
  session->token = kt_session_token (local, &failure);
  if (failure == NULL)
    session->base = kt_session_base (local, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  return g_steal_pointer (&session);
}

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
  for (guint i = 0; i < changes->len; i++)
    kt_store_emit (step->round->syncer->store, g_ptr_array_index (changes, i));
  return GINT_TO_POINTER (well);
}

static gpointer
expire_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return GINT_TO_POINTER (kt_session_expire (local, data, error));
}

/* ---- status, carried over to the main thread ---- */

static void take_news (KtSyncer *self);

static gboolean
publish_cb (gpointer data)
{
  KtSyncer *self = data;

  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->publish, g_source_unref);
  g_mutex_unlock (&self->lock);
  take_news (self);
  return G_SOURCE_REMOVE;
}

/* With the lock held. However many come, the main thread hears of the last one only. */
static void
publish (KtSyncer *self)
{
  if (self->publish != NULL || self->stopping)
    return;
  self->publish = g_idle_source_new ();
  g_source_set_priority (self->publish, G_PRIORITY_DEFAULT_IDLE);
  g_source_set_callback (self->publish, publish_cb, g_object_ref (self), g_object_unref);
  g_source_attach (self->publish, self->context);
}

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
  publish (self);
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

/* ---- the sync thread ---- */

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
  publish (self);
  g_mutex_unlock (&self->lock);
}

static gboolean
find_session (Round *round)
{
  KtSyncer *self = round->syncer;
  g_autoptr (GError) error = NULL;
  g_autoptr (Session) session = NULL;

  if (round->token != NULL && round->transport != NULL)
    return TRUE;

  session = kt_store_write_sync (self->store, read_session_job, NULL, &error);
  if (session != NULL)
    look_up_last (self, session->dir);
  if (session != NULL && session->token != NULL && session->base != NULL)
    {
      g_clear_pointer (&round->transport, kt_transport_free);
      round->transport = self->connect (session->base, self->connect_data, &error);
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
      publish (self);
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

  tell_status (round);
  reply = kt_transport_send (round->transport, request, round->sending, &failure);
  if (reply == NULL && g_cancellable_is_cancelled (round->sending))
    return;
  step.reply = reply;
  step.failure = failure;
  if (kt_store_write_sync (self->store, reply_job, &step, &error) == NULL && error != NULL)
    tell (round, KT_SYNC_STATE_PROBLEM, error);
}

static gpointer
thread_func (gpointer data)
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

/* ---- counts of what waits: read by the main thread's own way ---- */

static gpointer
count_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  g_autofree KtOutboxCounts *counts = g_new0 (KtOutboxCounts, 1);

  return kt_local_outbox_counts (local, counts, error) ? g_steal_pointer (&counts) : NULL;
}

static void
set_uint (KtSyncer *self, guint *place, gint64 value, int prop)
{
  if (*place == (guint) value)
    return;
  *place = (guint) value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[prop]);
}

static void count (KtSyncer *self);

static void
counted_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (KtSyncer) self = data;
  g_autofree KtOutboxCounts *counts = kt_store_job_finish (result, NULL);

  self->counting = FALSE;
  if (self->thread == NULL)
    return;
  if (counts != NULL)
    {
      g_object_freeze_notify (G_OBJECT (self));
      set_uint (self, &self->waiting_count, counts->queued + counts->sent, PROP_WAITING);
      set_uint (self, &self->parked, counts->parked, PROP_PARKED);
      set_uint (self, &self->review, counts->review, PROP_REVIEW);
      g_object_thaw_notify (G_OBJECT (self));
      if (counts->queued > 0)
        kt_syncer_poke (self);
    }
  if (self->count_again)
    count (self);
}

static void
count (KtSyncer *self)
{
  self->count_again = self->counting;
  if (self->counting)
    return;
  self->counting = TRUE;
  kt_store_read_async (self->store, count_job, NULL, NULL, g_free, NULL, counted_cb,
                       g_object_ref (self));
}

static void
changed_cb (KtStore *store, KtChangeSet *changes, KtSyncer *self)
{
  /* Review items come as records, so every change may be one. */
  count (self);
}

/* ---- main thread ---- */

static void
take_news (KtSyncer *self)
{
  KtSyncState state;
  gboolean online;
  g_autofree char *problem = NULL;
  gint64 rows_done, rows_total, last_us;

  g_mutex_lock (&self->lock);
  state = self->news.state;
  online = self->news.online;
  problem = g_strdup (self->news.problem);
  rows_done = self->news.rows_done;
  rows_total = self->news.rows_total;
  last_us = self->news.last_us;
  g_mutex_unlock (&self->lock);

  g_object_freeze_notify (G_OBJECT (self));
  if (self->state != state)
    {
      self->state = state;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
    }
  if (self->online != !!online)
    {
      self->online = !!online;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ONLINE]);
    }
  if (g_strcmp0 (self->problem, problem) != 0)
    {
      g_free (self->problem);
      self->problem = g_steal_pointer (&problem);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PROBLEM]);
    }
  if (self->rows_done != rows_done)
    {
      self->rows_done = rows_done;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ROWS_DONE]);
    }
  if (self->rows_total != rows_total)
    {
      self->rows_total = rows_total;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ROWS_TOTAL]);
    }
  if (self->last_sync != last_us)
    {
      self->last_sync = last_us;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LAST_SYNC]);
    }
  g_object_thaw_notify (G_OBJECT (self));
}

static void
network_changed_cb (GNetworkMonitor *monitor, gboolean available, KtSyncer *self)
{
  if (available)
    kt_syncer_poke (self);
}

static void
kt_syncer_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  KtSyncer *self = KT_SYNCER (object);

  switch (prop_id)
    {
    case PROP_STATE:
      g_value_set_enum (value, self->state);
      break;
    case PROP_ONLINE:
      g_value_set_boolean (value, self->online);
      break;
    case PROP_WAITING:
      g_value_set_uint (value, self->waiting_count);
      break;
    case PROP_PARKED:
      g_value_set_uint (value, self->parked);
      break;
    case PROP_REVIEW:
      g_value_set_uint (value, self->review);
      break;
    case PROP_LAST_SYNC:
      g_value_set_int64 (value, self->last_sync);
      break;
    case PROP_PROBLEM:
      g_value_set_string (value, self->problem);
      break;
    case PROP_ROWS_DONE:
      g_value_set_int64 (value, self->rows_done);
      break;
    case PROP_ROWS_TOTAL:
      g_value_set_int64 (value, self->rows_total);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
kt_syncer_dispose (GObject *object)
{
  KtSyncer *self = KT_SYNCER (object);

  kt_syncer_stop (self);
  G_OBJECT_CLASS (kt_syncer_parent_class)->dispose (object);
}

static void
kt_syncer_finalize (GObject *object)
{
  KtSyncer *self = KT_SYNCER (object);

  g_clear_object (&self->store);
  g_clear_object (&self->sending);
  g_clear_object (&self->waiting);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_object (&self->quitting);
  g_free (self->problem);
  g_free (self->news.problem);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  G_OBJECT_CLASS (kt_syncer_parent_class)->finalize (object);
}

static void
kt_syncer_class_init (KtSyncerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_syncer_get_property;
  object_class->dispose = kt_syncer_dispose;
  object_class->finalize = kt_syncer_finalize;

  properties[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, kt_sync_state_get_type (),
                                              KT_SYNC_STATE_SIGNED_OUT, flags);
  properties[PROP_ONLINE] = g_param_spec_boolean ("online", NULL, NULL, FALSE, flags);
  properties[PROP_WAITING] = g_param_spec_uint ("waiting", NULL, NULL, 0, G_MAXUINT, 0, flags);
  properties[PROP_PARKED] = g_param_spec_uint ("parked", NULL, NULL, 0, G_MAXUINT, 0, flags);
  properties[PROP_REVIEW] = g_param_spec_uint ("review", NULL, NULL, 0, G_MAXUINT, 0, flags);
  properties[PROP_LAST_SYNC] =
    g_param_spec_int64 ("last-sync", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_PROBLEM] = g_param_spec_string ("problem", NULL, NULL, NULL, flags);
  properties[PROP_ROWS_DONE] =
    g_param_spec_int64 ("rows-done", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_ROWS_TOTAL] =
    g_param_spec_int64 ("rows-total", NULL, NULL, 0, G_MAXINT64, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
kt_syncer_init (KtSyncer *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->context = g_main_context_ref_thread_default ();
  self->quitting = g_cancellable_new ();
}

static KtTransport *
connect_http (const char *base, gpointer data, GError **error)
{
  return kt_http_transport_new (base, error);
}

KtSyncer *
_kt_syncer_new_with (KtStore *store, KtSyncerConnect connect, gpointer data)
{
  KtSyncer *self;

  g_return_val_if_fail (KT_IS_STORE (store), NULL);

  self = g_object_new (KT_TYPE_SYNCER, NULL);
  self->store = g_object_ref (store);
  self->connect = connect;
  self->connect_data = data;

  g_signal_connect_object (store, "changed", G_CALLBACK (changed_cb), self, 0);
  g_signal_connect_object (g_network_monitor_get_default (), "network-changed",
                           G_CALLBACK (network_changed_cb), self, 0);
  self->thread = g_thread_new ("kt-sync", thread_func, self);
  count (self);
  return self;
}

KtSyncer *
kt_syncer_new (KtStore *store)
{
  return _kt_syncer_new_with (store, connect_http, NULL);
}

/* With the lock held: lets the thread look up from whatever it does. */
static void
wake (KtSyncer *self, gboolean from_sending)
{
  self->poked = TRUE;
  if (self->waiting != NULL)
    g_cancellable_cancel (self->waiting);
  if (from_sending && self->sending != NULL)
    g_cancellable_cancel (self->sending);
  g_cond_broadcast (&self->cond);
}

void
kt_syncer_stop (KtSyncer *self)
{
  g_return_if_fail (KT_IS_SYNCER (self));

  if (self->thread == NULL)
    return;
  g_cancellable_cancel (self->quitting);
  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  wake (self, TRUE);
  while (self->tasks > 0)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&self->thread, g_thread_join);
  /* It holds a reference on us. */
  if (self->publish != NULL)
    {
      g_autoptr (GSource) source = g_steal_pointer (&self->publish);

      g_source_destroy (source);
    }
}

void
kt_syncer_poke (KtSyncer *self)
{
  g_return_if_fail (KT_IS_SYNCER (self));

  g_mutex_lock (&self->lock);
  wake (self, FALSE);
  g_mutex_unlock (&self->lock);
}

void
kt_syncer_set_paused (KtSyncer *self, gboolean paused)
{
  g_return_if_fail (KT_IS_SYNCER (self));

  g_mutex_lock (&self->lock);
  if (self->paused != !!paused)
    {
      self->paused = !!paused;
      wake (self, paused);
    }
  g_mutex_unlock (&self->lock);
}

/* The session on the disk is another one, or none. */
static void
session_moved (KtSyncer *self)
{
  g_mutex_lock (&self->lock);
  self->sessions++;
  wake (self, TRUE);
  g_mutex_unlock (&self->lock);
}

/* Keeps the sync thread away from the profile, or lets it go on. */
static void
hold (KtSyncer *self, int more)
{
  g_mutex_lock (&self->lock);
  self->holds += more;
  wake (self, more > 0);
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
    transport = self->connect (base, self->connect_data, &error);
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
      g_autoptr (KtTransport) transport = self->connect (base, self->connect_data, NULL);

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
  g_autoptr (Session) session = kt_store_write_sync (self->store, read_session_job, NULL, error);

  if (session == NULL)
    return NULL;
  if (session->token == NULL || session->base == NULL)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_AUTH, "Sign in first");
      return NULL;
    }
  *token = g_steal_pointer (&session->token);
  return self->connect (session->base, self->connect_data, error);
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
  question->fresh = question->text != NULL;
  if (question->fresh)
    {
      kt_store_write_sync (self->store, keep_history_job, question, NULL);
      g_task_return_pointer (task, g_strdup (question->text), g_free);
      return;
    }
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED)
      || g_error_matches (failure, KT_ERROR, KT_ERROR_FORBIDDEN))
    {
      g_task_return_error (task, g_steal_pointer (&failure));
      return;
    }
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
