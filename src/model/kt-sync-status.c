/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the sync row says. The sentences are a pure function of the facts, so that a
 * table in the tests can hold all of them; the object only gathers facts, once for
 * all that moved in a turn of the main loop, and again when "2 minutes ago" is over. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "kt-model-private.h"
#include "kt-sync-pace.h"

#define META_TRAFFIC "model:traffic"
#define KEEP_S 60

struct _KtSyncStatus
{
  GObject parent_instance;

  /* owned */
  KtSyncer *syncer;
  KtSyncWords words;

  /* borrowed */
  KtWorkspace *workspace; /* NULL: closing */

  /* state */
  guint idle;
  guint timer;
  guint waiting, parked, review, news;
  gint64 last_sync;
  KtPace pace;
  KtTraffic traffic;
  char *speed;        /* owned */
  char *traffic_text; /* owned */
  char *notice;       /* owned */
  guint keep;
  guint traffic_known : 1;
  guint traffic_moved : 1;
  guint online : 1;
  guint paused : 1;
};

enum
{
  PROP_0,
  PROP_MOOD,
  PROP_HEADLINE,
  PROP_DETAIL,
  PROP_WAITING,
  PROP_PARKED,
  PROP_REVIEW,
  PROP_ONLINE,
  PROP_PAUSED,
  PROP_FRACTION,
  PROP_NEWS,
  PROP_SPEED,
  PROP_TRAFFIC,
  PROP_NOTICE,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (KtSyncStatus, kt_sync_status, G_TYPE_OBJECT)
G_DEFINE_ENUM_TYPE (KtSyncMood,
                    kt_sync_mood,
                    G_DEFINE_ENUM_VALUE (KT_MOOD_OK, "ok"),
                    G_DEFINE_ENUM_VALUE (KT_MOOD_WORKING, "working"),
                    G_DEFINE_ENUM_VALUE (KT_MOOD_OFFLINE, "offline"),
                    G_DEFINE_ENUM_VALUE (KT_MOOD_PAUSED, "paused"),
                    G_DEFINE_ENUM_VALUE (KT_MOOD_ATTENTION, "attention"),
                    G_DEFINE_ENUM_VALUE (KT_MOOD_PROBLEM, "problem"),
                    G_DEFINE_ENUM_VALUE (KT_MOOD_SIGNED_OUT, "signed-out"))

/* ---- the sentences ---- */

static guint
clamp (gint64 n)
{
  return (guint) CLAMP (n, 0, G_MAXINT);
}

static char *
rows_sentence (const KtSyncFacts *facts)
{
  guint done = clamp (facts->rows_done);
  guint total = clamp (facts->rows_total);

  if (total > 0)
    /* Translators: progress of the first download, e.g. "12000 of 100000 records". */
    return g_strdup_printf (ngettext ("%u of %u record", "%u of %u records", total),
                            MIN (done, total), total);
  return g_strdup_printf (ngettext ("%u record", "%u records", done), done);
}

static void
say_loading (const KtSyncFacts *facts, KtSyncWords *words)
{
  words->mood = KT_MOOD_WORKING;
  words->headline = g_strdup (_ ("Loading your data…"));
  words->detail = rows_sentence (facts);
}

static void
say_signed_out (const KtSyncFacts *facts, KtSyncWords *words, guint waiting)
{
  words->mood = KT_MOOD_SIGNED_OUT;
  words->headline = g_strdup (_ ("Signed out"));
  if (waiting > 0)
    words->detail =
      g_strdup_printf (ngettext ("%u change will be sent when you have signed in again",
                                 "%u changes will be sent when you have signed in again", waiting),
                       waiting);
  else
    words->detail = g_strdup (_ ("Sign in again to go on syncing"));
}

static void
say_attention (const KtSyncFacts *facts, KtSyncWords *words, guint waiting)
{
  guint n = clamp (facts->outbox.parked + facts->outbox.review);

  words->mood = KT_MOOD_ATTENTION;
  words->headline = g_strdup_printf (ngettext ("%u change needs you", "%u changes need you", n), n);
  if (facts->state == KT_SYNC_STATE_OFFLINE && waiting > 0)
    words->detail = g_strdup_printf (
      ngettext ("Offline, %u more change waiting", "Offline, %u more changes waiting", waiting),
      waiting);
  else if (facts->state == KT_SYNC_STATE_OFFLINE)
    words->detail = _kt_words_synced (facts->last_sync_us, facts->now_us, TRUE);
  else if (waiting > 0)
    words->detail = g_strdup_printf (
      ngettext ("%u more change waiting", "%u more changes waiting", waiting), waiting);
  else
    words->detail = _kt_words_synced (facts->last_sync_us, facts->now_us, facts->paused);
}

static void
say_waiting (const KtSyncFacts *facts, KtSyncWords *words, guint waiting)
{
  gboolean still =
    facts->paused || facts->state == KT_SYNC_STATE_PAUSED || facts->state == KT_SYNC_STATE_OFFLINE;

  words->headline =
    g_strdup_printf (ngettext ("%u change waiting", "%u changes waiting", waiting), waiting);
  words->detail = _kt_words_synced (facts->last_sync_us, facts->now_us, still);
}

static double
fraction_of (const KtSyncFacts *facts)
{
  if (facts->rows_total <= 0 || facts->rows_done < 0 || facts->state != KT_SYNC_STATE_BUSY)
    return -1;
  return MIN (1.0, (double) facts->rows_done / (double) facts->rows_total);
}

void
_kt_sync_words_make (const KtSyncFacts *facts, KtSyncWords *words)
{
  guint waiting = clamp (facts->outbox.queued + facts->outbox.sent);

  *words = (KtSyncWords){ .fraction = fraction_of (facts) };
  if (!facts->signed_in || facts->state == KT_SYNC_STATE_SIGNED_OUT)
    {
      say_signed_out (facts, words, waiting);
      return;
    }
  if (facts->failure != NULL)
    {
      words->mood = KT_MOOD_PROBLEM;
      words->headline = g_strdup (_ ("Something is wrong on this computer"));
      words->detail = g_strdup (facts->failure);
      return;
    }
  if (facts->state == KT_SYNC_STATE_PROBLEM)
    {
      words->mood = KT_MOOD_PROBLEM;
      words->headline = g_strdup (_ ("Syncing does not work"));
      words->detail = facts->problem != NULL && *facts->problem != '\0'
                        ? g_strdup (facts->problem)
                        : _kt_words_synced (facts->last_sync_us, facts->now_us, TRUE);
      return;
    }
  if (facts->outbox.parked + facts->outbox.review > 0)
    {
      say_attention (facts, words, waiting);
      return;
    }
  if (facts->paused || facts->state == KT_SYNC_STATE_PAUSED)
    {
      words->mood = KT_MOOD_PAUSED;
      if (waiting > 0)
        words->headline = g_strdup_printf (
          ngettext ("Paused, %u change waiting", "Paused, %u changes waiting", waiting), waiting);
      else
        words->headline = g_strdup (_ ("Paused"));
      words->detail = _kt_words_synced (facts->last_sync_us, facts->now_us, TRUE);
      return;
    }
  if (facts->state == KT_SYNC_STATE_OFFLINE)
    {
      words->mood = KT_MOOD_OFFLINE;
      if (waiting > 0)
        words->headline = g_strdup_printf (
          ngettext ("Offline, %u change waiting", "Offline, %u changes waiting", waiting), waiting);
      else
        words->headline = g_strdup (_ ("Offline"));
      words->detail = _kt_words_synced (facts->last_sync_us, facts->now_us, TRUE);
      return;
    }
  if (facts->loading)
    {
      say_loading (facts, words);
      return;
    }
  if (facts->state == KT_SYNC_STATE_BUSY && (waiting == 0 || words->fraction >= 0))
    {
      words->mood = KT_MOOD_WORKING;
      words->headline = g_strdup (_ ("Working…"));
      words->detail = words->fraction >= 0
                        ? rows_sentence (facts)
                        : _kt_words_synced (facts->last_sync_us, facts->now_us, FALSE);
      return;
    }
  if (waiting > 0)
    {
      words->mood = KT_MOOD_WORKING;
      say_waiting (facts, words, waiting);
      return;
    }
  words->mood = KT_MOOD_OK;
  words->headline = g_strdup (_ ("Up to date"));
  words->detail = facts->notice != NULL
                    ? g_strdup (facts->notice)
                    : _kt_words_synced (facts->last_sync_us, facts->now_us, FALSE);
}

void
_kt_sync_words_clear (KtSyncWords *words)
{
  g_clear_pointer (&words->headline, g_free);
  g_clear_pointer (&words->detail, g_free);
}

/* ---- gathering ---- */

static gint64
int_of (gpointer object, const char *name)
{
  GValue value = G_VALUE_INIT;
  gint64 result;

  g_value_init (&value, G_TYPE_INT64);
  g_object_get_property (object, name, &value);
  result = g_value_get_int64 (&value);
  g_value_unset (&value);
  return result;
}

static void
gather (KtSyncStatus *self, KtSyncFacts *facts, char **problem, char **notice)
{
  const GError *failure = _kt_workspace_get_failure (self->workspace);
  g_autofree char *said = NULL;
  gboolean paused = FALSE;

  *facts = (KtSyncFacts){
    .signed_in = _kt_workspace_access (self->workspace) != NULL
                 && kt_workspace_get_state (self->workspace) != KT_WORKSPACE_SIGNED_OUT,
    .loading = kt_workspace_get_state (self->workspace) == KT_WORKSPACE_LOADING,
    .paused = self->paused,
    .state = KT_SYNC_STATE_IDLE,
    .now_us = _kt_workspace_now_us (self->workspace),
    .failure = failure != NULL ? failure->message : NULL,
    .outbox = *_kt_workspace_outbox (self->workspace),
  };
  if (self->syncer == NULL)
    return;
  facts->state = (KtSyncState) int_of (self->syncer, "state");
  facts->last_sync_us = int_of (self->syncer, "last-sync");
  facts->rows_done = int_of (self->syncer, "rows-done");
  facts->rows_total = int_of (self->syncer, "rows-total");
  g_object_get (self->syncer, "online", &facts->online, "problem", &said, "paused", &paused,
                "notice", notice, NULL);
  facts->notice = *notice;
  facts->paused = paused;
  if (said != NULL)
    *problem = _kt_error_words ((int) int_of (self->syncer, "problem-code"), said);
  facts->problem = *problem;
}

/* ---- speed, data used ---- */

static gpointer
keep_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return GINT_TO_POINTER (kt_local_set_meta (local, META_TRAFFIC, data, error));
}

void
_kt_sync_status_keep (KtSyncStatus *self)
{
  KtStore *store = self->workspace != NULL ? _kt_workspace_store (self->workspace) : NULL;

  g_clear_handle_id (&self->keep, g_source_remove);
  if (store == NULL || !self->traffic_known || !self->traffic_moved)
    return;
  self->traffic_moved = FALSE;
  kt_store_write_async (store, keep_job, _kt_traffic_kept (&self->traffic), g_free, NULL, NULL, NULL,
                        NULL);
}

static gboolean
keep_cb (gpointer data)
{
  KtSyncStatus *self = data;

  self->keep = 0;
  _kt_sync_status_keep (self);
  return G_SOURCE_REMOVE;
}

static gpointer
kept_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  char *text = kt_local_get_meta (local, META_TRAFFIC, NULL);

  return text != NULL ? text : g_strdup ("");
}

static void
kept_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (KtSyncStatus) self = data;
  g_autofree char *text = kt_store_job_finish (result, NULL);

  _kt_traffic_load (&self->traffic, text);
  self->traffic_known = TRUE;
  _kt_sync_status_update (self);
}

static void
set_text (KtSyncStatus *self, char **place, char *text, guint prop)
{
  g_autofree char *old = *place;

  *place = text;
  if (g_strcmp0 (old, text) != 0)
    g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static void
measure (KtSyncStatus *self, const KtSyncFacts *facts, gint64 bytes)
{
  gboolean pulling = facts->state == KT_SYNC_STATE_BUSY && facts->rows_total > 0;

  _kt_pace_feed (&self->pace, g_get_monotonic_time (), facts->rows_done,
                 pulling ? facts->rows_total : 0, bytes);
  set_text (self, &self->speed, _kt_pace_words (&self->pace), PROP_SPEED);
  if (bytes > self->traffic.session)
    self->traffic_moved = TRUE;
  _kt_traffic_feed (&self->traffic, facts->now_us, bytes);
  set_text (self, &self->traffic_text, _kt_traffic_words (&self->traffic), PROP_TRAFFIC);
  if (self->traffic_moved && self->keep == 0)
    self->keep = g_timeout_add_seconds (KEEP_S, keep_cb, self);
}

static gboolean
timer_cb (gpointer data)
{
  KtSyncStatus *self = data;

  self->timer = 0;
  _kt_sync_status_update (self);
  return G_SOURCE_REMOVE;
}

static void
set_number (KtSyncStatus *self, guint *place, gint64 value, guint prop)
{
  if (*place == clamp (value))
    return;
  *place = clamp (value);
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static gboolean
update_cb (gpointer data)
{
  KtSyncStatus *self = data;
  g_autofree char *problem = NULL;
  g_autofree char *notice = NULL;
  KtSyncFacts facts;
  KtSyncWords old = self->words;

  self->idle = 0;
  if (self->workspace == NULL)
    return G_SOURCE_REMOVE;
  gather (self, &facts, &problem, &notice);
  _kt_sync_words_make (&facts, &self->words);

  g_object_freeze_notify (G_OBJECT (self));
  if (old.mood != self->words.mood)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_MOOD]);
  if (g_strcmp0 (old.headline, self->words.headline) != 0)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_HEADLINE]);
  if (g_strcmp0 (old.detail, self->words.detail) != 0)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_DETAIL]);
  if (old.fraction != self->words.fraction)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_FRACTION]);
  if (self->online != facts.online)
    {
      self->online = facts.online;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_ONLINE]);
    }
  set_number (self, &self->waiting, facts.outbox.queued + facts.outbox.sent, PROP_WAITING);
  set_number (self, &self->parked, facts.outbox.parked, PROP_PARKED);
  set_number (self, &self->review, facts.outbox.review, PROP_REVIEW);
  set_number (self, &self->news, _kt_workspace_news (self->workspace), PROP_NEWS);
  set_text (self, &self->notice, g_strdup (_kt_workspace_notice (self->workspace)), PROP_NOTICE);
  if (self->paused != facts.paused)
    {
      self->paused = facts.paused;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_PAUSED]);
    }
  self->last_sync = facts.last_sync_us;
  measure (self, &facts, self->syncer != NULL ? int_of (self->syncer, "bytes") : 0);
  g_object_thaw_notify (G_OBJECT (self));
  _kt_sync_words_clear (&old);

  if (self->timer == 0 && self->workspace != NULL && facts.last_sync_us > 0)
    self->timer = g_timeout_add_seconds (_kt_words_stale_after (facts.last_sync_us, facts.now_us),
                                         timer_cb, self);
  return G_SOURCE_REMOVE;
}

static void
syncer_notify_cb (KtSyncer *syncer, GParamSpec *pspec, gpointer user_data)
{
  KtSyncStatus *self = user_data;

  /* "Just now" starts anew. */
  if (g_str_equal (pspec->name, "last-sync"))
    g_clear_handle_id (&self->timer, g_source_remove);
  _kt_sync_status_update (self);
}

KtSyncStatus *
_kt_sync_status_new (KtWorkspace *workspace)
{
  KtSyncStatus *self = g_object_new (KT_TYPE_SYNC_STATUS, NULL);
  KtSyncFacts facts = { .state = KT_SYNC_STATE_SIGNED_OUT };

  self->workspace = workspace;
  _kt_sync_words_make (&facts, &self->words);
  return self;
}

void
_kt_sync_status_attach (KtSyncStatus *self)
{
  KtSyncer *syncer = _kt_workspace_syncer (self->workspace);

  if (syncer != NULL && self->syncer == NULL)
    {
      self->syncer = g_object_ref (syncer);
      kt_store_read_async (_kt_workspace_store (self->workspace), kept_job, NULL, NULL, g_free, NULL,
                           kept_cb, g_object_ref (self));
      g_signal_connect_object (syncer, "notify", G_CALLBACK (syncer_notify_cb), self, 0);
    }
  _kt_sync_status_update (self);
}

void
_kt_sync_status_detach (KtSyncStatus *self)
{
  _kt_sync_status_keep (self);
  self->workspace = NULL;
  g_clear_handle_id (&self->idle, g_source_remove);
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->syncer != NULL)
    g_signal_handlers_disconnect_by_data (self->syncer, self);
  g_clear_object (&self->syncer);
}

void
_kt_sync_status_update (KtSyncStatus *self)
{
  if (self->workspace != NULL && self->idle == 0)
    self->idle = g_idle_add_full (G_PRIORITY_DEFAULT, update_cb, self, NULL);
}

/* ---- GObject ---- */

static void
kt_sync_status_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtSyncStatus *self = KT_SYNC_STATUS (object);

  switch (id)
    {
    case PROP_MOOD:
      g_value_set_enum (value, self->words.mood);
      break;
    case PROP_HEADLINE:
      g_value_set_string (value, self->words.headline);
      break;
    case PROP_DETAIL:
      g_value_set_string (value, self->words.detail);
      break;
    case PROP_WAITING:
      g_value_set_uint (value, self->waiting);
      break;
    case PROP_PARKED:
      g_value_set_uint (value, self->parked);
      break;
    case PROP_REVIEW:
      g_value_set_uint (value, self->review);
      break;
    case PROP_ONLINE:
      g_value_set_boolean (value, self->online);
      break;
    case PROP_PAUSED:
      g_value_set_boolean (value, self->paused);
      break;
    case PROP_FRACTION:
      g_value_set_double (value, self->words.fraction);
      break;
    case PROP_NEWS:
      g_value_set_uint (value, self->news);
      break;
    case PROP_SPEED:
      g_value_set_string (value, self->speed);
      break;
    case PROP_NOTICE:
      g_value_set_string (value, self->notice);
      break;
    case PROP_TRAFFIC:
      g_value_set_string (value, self->traffic_text);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_sync_status_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  KtSyncStatus *self = KT_SYNC_STATUS (object);

  switch (id)
    {
    case PROP_PAUSED:
      kt_sync_status_set_paused (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_sync_status_dispose (GObject *object)
{
  _kt_sync_status_detach (KT_SYNC_STATUS (object));
  G_OBJECT_CLASS (kt_sync_status_parent_class)->dispose (object);
}

static void
kt_sync_status_finalize (GObject *object)
{
  _kt_sync_words_clear (&KT_SYNC_STATUS (object)->words);
  g_free (KT_SYNC_STATUS (object)->speed);
  g_free (KT_SYNC_STATUS (object)->traffic_text);
  g_free (KT_SYNC_STATUS (object)->notice);
  G_OBJECT_CLASS (kt_sync_status_parent_class)->finalize (object);
}

static void
kt_sync_status_class_init (KtSyncStatusClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_sync_status_get_property;
  object_class->set_property = kt_sync_status_set_property;
  object_class->dispose = kt_sync_status_dispose;
  object_class->finalize = kt_sync_status_finalize;

  props[PROP_MOOD] = g_param_spec_enum ("mood", NULL, NULL, KT_TYPE_SYNC_MOOD, KT_MOOD_OK, flags);
  props[PROP_HEADLINE] = g_param_spec_string ("headline", NULL, NULL, NULL, flags);
  props[PROP_DETAIL] = g_param_spec_string ("detail", NULL, NULL, NULL, flags);
  props[PROP_WAITING] = g_param_spec_uint ("waiting", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_PARKED] = g_param_spec_uint ("parked", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_REVIEW] = g_param_spec_uint ("review", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_ONLINE] = g_param_spec_boolean ("online", NULL, NULL, FALSE, flags);
  props[PROP_PAUSED] = g_param_spec_boolean ("paused", NULL, NULL, FALSE, flags | G_PARAM_WRITABLE);
  props[PROP_FRACTION] = g_param_spec_double ("fraction", NULL, NULL, -1, 1, -1, flags);
  props[PROP_NEWS] = g_param_spec_uint ("news", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_SPEED] = g_param_spec_string ("speed", NULL, NULL, NULL, flags);
  props[PROP_NOTICE] = g_param_spec_string ("notice", NULL, NULL, NULL, flags);
  props[PROP_TRAFFIC] = g_param_spec_string ("traffic", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
kt_sync_status_init (KtSyncStatus *self)
{
}

/* ---- public API ---- */

KtSyncMood
kt_sync_status_get_mood (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), KT_MOOD_PROBLEM);

  return self->words.mood;
}

const char *
kt_sync_status_get_headline (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), "");

  return self->words.headline;
}

const char *
kt_sync_status_get_detail (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), "");

  return self->words.detail;
}

guint
kt_sync_status_get_waiting (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), 0);

  return self->waiting;
}

guint
kt_sync_status_get_parked (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), 0);

  return self->parked;
}

guint
kt_sync_status_get_review (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), 0);

  return self->review;
}

double
kt_sync_status_get_fraction (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), -1);

  return self->words.fraction;
}

guint
kt_sync_status_get_news (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), 0);

  return self->news;
}

const char *
kt_sync_status_get_speed (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), NULL);

  return self->speed;
}

const char *
kt_sync_status_get_traffic (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), "");

  return self->traffic_text != NULL ? self->traffic_text : "";
}

gint64
kt_sync_status_get_last_sync (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), 0);

  return self->last_sync;
}

const char *
kt_sync_status_get_notice (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), NULL);

  return self->notice;
}

static gpointer
dismiss_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) notices = kt_local_notices (local, error);
  g_autofree char *at = NULL;

  if (notices == NULL || notices->len == 0)
    return NULL;
  at = g_strdup_printf ("%" G_GINT64_FORMAT,
                        ((KtNotice *) g_ptr_array_index (notices, notices->len - 1))->at_us);
  return GINT_TO_POINTER (kt_local_set_meta (local, KT_META_NOTICE_SEEN, at, error));
}

static void
dismissed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (KtSyncStatus) self = data;

  kt_store_job_finish (result, NULL);
  if (self->workspace != NULL)
    _kt_workspace_look_again (self->workspace);
}

void
kt_sync_status_dismiss_notice (KtSyncStatus *self)
{
  KtStore *store;

  g_return_if_fail (KT_IS_SYNC_STATUS (self));

  store = self->workspace != NULL ? _kt_workspace_store (self->workspace) : NULL;
  if (store != NULL)
    kt_store_write_async (store, dismiss_job, NULL, NULL, NULL, NULL, dismissed_cb, g_object_ref (self));
}

void
kt_sync_status_set_cut (KtSyncStatus *self, gboolean cut)
{
  g_return_if_fail (KT_IS_SYNC_STATUS (self));

  if (self->syncer != NULL)
    kt_syncer_set_cut (self->syncer, cut);
}

void
kt_sync_status_sync_now (KtSyncStatus *self)
{
  g_return_if_fail (KT_IS_SYNC_STATUS (self));

  if (self->syncer != NULL)
    kt_syncer_poke (self->syncer);
}

void
kt_sync_status_set_paused (KtSyncStatus *self, gboolean paused)
{
  g_return_if_fail (KT_IS_SYNC_STATUS (self));

  if (self->paused == !!paused)
    return;
  self->paused = !!paused;
  if (self->syncer != NULL)
    kt_syncer_set_paused (self->syncer, self->paused);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_PAUSED]);
  _kt_sync_status_update (self);
}

gboolean
kt_sync_status_get_paused (KtSyncStatus *self)
{
  g_return_val_if_fail (KT_IS_SYNC_STATUS (self), FALSE);

  return self->paused;
}
