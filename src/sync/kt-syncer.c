/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-syncer-private.h"

#include "base/kt-error.h"

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
  PROP_PROBLEM_CODE,
  PROP_NOTICE,
  PROP_ROWS_DONE,
  PROP_ROWS_TOTAL,
  PROP_BYTES,
  PROP_PAUSED,
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

/* ---- status, carried over from the sync thread ---- */

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

void
_kt_syncer_publish (KtSyncer *self)
{
  if (self->publish != NULL || self->stopping)
    return;
  self->publish = g_idle_source_new ();
  g_source_set_priority (self->publish, G_PRIORITY_DEFAULT_IDLE);
  g_source_set_callback (self->publish, publish_cb, g_object_ref (self), g_object_unref);
  g_source_attach (self->publish, self->context);
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
  g_autofree char *notice = NULL;
  gint64 rows_done, rows_total, last_us;
  gboolean paused;
  guint64 in, out;
  int problem_code;

  kt_meter_read (self->meter, &out, &in);
  g_mutex_lock (&self->lock);
  state = self->news.state;
  online = self->news.online;
  problem = g_strdup (self->news.problem);
  problem_code = self->news.problem_code;
  notice = g_strdup (self->news.notice);
  rows_done = self->news.rows_done;
  rows_total = self->news.rows_total;
  last_us = self->news.last_us;
  paused = self->news.paused;
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
  if (self->problem_code != problem_code)
    {
      self->problem_code = problem_code;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PROBLEM_CODE]);
    }
  if (g_strcmp0 (self->problem, problem) != 0)
    {
      g_free (self->problem);
      self->problem = g_steal_pointer (&problem);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PROBLEM]);
    }
  if (g_strcmp0 (self->notice, notice) != 0)
    {
      g_free (self->notice);
      self->notice = g_steal_pointer (&notice);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_NOTICE]);
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
  if (self->bytes != (gint64) (in + out))
    {
      self->bytes = (gint64) (in + out);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_BYTES]);
    }
  if (self->paused_shown != !!paused)
    {
      self->paused_shown = !!paused;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PAUSED]);
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
    case PROP_NOTICE:
      g_value_set_string (value, self->notice);
      break;
    case PROP_PROBLEM_CODE:
      g_value_set_int (value, self->problem_code);
      break;
    case PROP_ROWS_DONE:
      g_value_set_int64 (value, self->rows_done);
      break;
    case PROP_ROWS_TOTAL:
      g_value_set_int64 (value, self->rows_total);
      break;
    case PROP_BYTES:
      g_value_set_int64 (value, self->bytes);
      break;
    case PROP_PAUSED:
      g_value_set_boolean (value, self->paused_shown);
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
  g_clear_pointer (&self->meter, kt_meter_unref);
  g_free (self->problem);
  g_free (self->news.problem);
  g_free (self->notice);
  g_free (self->news.notice);
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
  properties[PROP_NOTICE] = g_param_spec_string ("notice", NULL, NULL, NULL, flags);
  properties[PROP_PROBLEM_CODE] =
    g_param_spec_int ("problem-code", NULL, NULL, -1, G_MAXINT, -1, flags);
  properties[PROP_ROWS_DONE] =
    g_param_spec_int64 ("rows-done", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_ROWS_TOTAL] =
    g_param_spec_int64 ("rows-total", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_BYTES] = g_param_spec_int64 ("bytes", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_PAUSED] = g_param_spec_boolean ("paused", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
kt_syncer_init (KtSyncer *self)
{
  self->problem_code = self->news.problem_code = -1;
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->context = g_main_context_ref_thread_default ();
  self->quitting = g_cancellable_new ();
  self->meter = kt_meter_new ();
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
  self->thread = g_thread_new ("kt-sync", _kt_syncer_thread, self);
  count (self);
  return self;
}

KtTransport *
_kt_syncer_connect (KtSyncer *self, const char *base, GError **error)
{
  KtTransport *transport = self->connect (base, self->connect_data, error);

  if (transport != NULL && transport->meter == NULL)
    transport->meter = kt_meter_ref (self->meter);
  return transport;
}

KtSyncer *
kt_syncer_new (KtStore *store)
{
  return _kt_syncer_new_with (store, connect_http, NULL);
}

void
_kt_syncer_wake (KtSyncer *self, gboolean from_sending)
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
  _kt_syncer_wake (self, TRUE);
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
  _kt_syncer_wake (self, FALSE);
  g_mutex_unlock (&self->lock);
}

static gpointer
keep_paused_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return GINT_TO_POINTER (kt_local_set_meta (local, KT_SYNCER_META_PAUSED, data, error));
}

void
kt_syncer_set_paused (KtSyncer *self, gboolean paused)
{
  gboolean moved;

  g_return_if_fail (KT_IS_SYNCER (self));

  g_mutex_lock (&self->lock);
  moved = self->paused != !!paused || !self->pause_known;
  self->pause_known = TRUE;
  if (self->paused != !!paused)
    {
      self->paused = !!paused;
      _kt_syncer_wake (self, paused);
    }
  self->news.paused = self->paused;
  g_mutex_unlock (&self->lock);
  if (self->paused_shown != !!paused)
    {
      self->paused_shown = !!paused;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PAUSED]);
    }
  if (moved && self->thread != NULL)
    kt_store_write_async (self->store, keep_paused_job, paused ? g_strdup ("1") : NULL, g_free,
                          NULL, NULL, NULL, NULL);
}

void
kt_syncer_set_cut (KtSyncer *self, gboolean cut)
{
  g_return_if_fail (KT_IS_SYNCER (self));

  kt_meter_set_cut (self->meter, cut);
  g_mutex_lock (&self->lock);
  _kt_syncer_wake (self, cut);
  g_mutex_unlock (&self->lock);
}

void
kt_syncer_get_traffic (KtSyncer *self, guint64 *bytes_out, guint64 *bytes_in)
{
  g_return_if_fail (KT_IS_SYNCER (self));

  kt_meter_read (self->meter, bytes_out, bytes_in);
}
