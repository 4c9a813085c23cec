/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is here if the network goes away now (kt-travel.h). */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "kt-travel-private.h"
#include "model/kt-travel.h"

#define PAUSE_MS 1000
#define MINUTE_S 60

enum
{
  TEXT_VERDICT,
  TEXT_FRESHNESS,
  TEXT_TOTAL,
  TEXT_ATTACHMENTS,
  TEXT_MISSING,
  TEXT_SPACE,
  TEXT_RESULT,
  N_TEXTS
};

struct _KtTravelLine
{
  GObject parent_instance;

  /* owned */
  char *text;

  /* borrowed */
  const KtObject *object;
  const char *label;
};

struct _KtTravel
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  GPtrArray *items;
  GCancellable *cancellable;
  char *texts[N_TEXTS];

  /* state */
  KtTravelRule rule;
  gint64 fetch_since; /* last sync when it began */
  double fraction;
  guint timer, clock;
  guint left, minute; /* seconds */
  guint asking : 1;
  guint again : 1;
  guint ready : 1;
  guint fetching : 1;
  guint rehearsing : 1;
  guint passed : 1;
};

enum
{
  PROP_0,
  PROP_TEXTS, /* N_TEXTS of them */
  PROP_READY = PROP_TEXTS + N_TEXTS,
  PROP_FRACTION,
  PROP_FETCHING,
  PROP_REHEARSING,
  PROP_SECONDS_LEFT,
  PROP_PASSED,
  PROP_RULE,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

static void kt_travel_iface_init (GListModelInterface *iface);
static void ask (KtTravel *self);

G_DEFINE_FINAL_TYPE (KtTravelLine, kt_travel_line, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE_WITH_CODE (KtTravel,
                               kt_travel,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, kt_travel_iface_init))
G_DEFINE_ENUM_TYPE (KtTravelRule,
                    kt_travel_rule,
                    G_DEFINE_ENUM_VALUE (KT_TRAVEL_NO_FILES, "none"),
                    G_DEFINE_ENUM_VALUE (KT_TRAVEL_MY_FILES, "mine"),
                    G_DEFINE_ENUM_VALUE (KT_TRAVEL_ALL_FILES, "all"))

static void
kt_travel_line_finalize (GObject *object)
{
  g_free (KT_TRAVEL_LINE (object)->text);
  G_OBJECT_CLASS (kt_travel_line_parent_class)->finalize (object);
}

static void
kt_travel_line_class_init (KtTravelLineClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = kt_travel_line_finalize;
}

static void
kt_travel_line_init (KtTravelLine *self)
{
}

/* ---- words ---- */

static void
take (KtTravel *self, guint text, char *value)
{
  gboolean same = g_strcmp0 (self->texts[text], value) == 0;

  g_free (self->texts[text]);
  self->texts[text] = value;
  if (!same)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_TEXTS + text]);
}

static char *
amount (gint64 records, gint64 bytes)
{
  g_autofree char *size = g_format_size ((guint64) MAX (0, bytes));
  guint n = (guint) CLAMP (records, 0, G_MAXINT);

  /* Translators: a number of records, and how much room they take. */
  return g_strdup_printf (ngettext ("%u record, %s", "%u records, %s", n), n, size);
}

static char *
files (const KtTravelFiles *some)
{
  g_autofree char *size = g_format_size ((guint64) MAX (0, some->bytes));
  guint n = (guint) CLAMP (some->n, 0, G_MAXINT);

  /* Translators: a number of attachments, and how much room they take. */
  return g_strdup_printf (ngettext ("%u attachment, %s", "%u attachments, %s", n), n, size);
}

static char *
say_attachments (const KtTravelReport *report)
{
  g_autofree char *here = files (&report->here);
  g_autofree char *out = files (&report->left_out);

  if (report->left_out.n == 0)
    return g_steal_pointer (&here);
  /* Translators: two numbers of attachments: those that are here, those that the rule leaves out. */
  return g_strdup_printf (_ ("%s; left out by the rule: %s"), here, out);
}

static char *
say_missing (const KtTravelReport *report)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  gint64 waiting = report->outbox.queued + report->outbox.sent;

  if (!report->ready || report->pulling)
    g_ptr_array_add (lines, g_strdup (_ ("Records are still being fetched.")));
  if (report->missing.n > 0)
    {
      g_autofree char *text = files (&report->missing);

      /* Translators: %s is a number of attachments and their size. */
      g_ptr_array_add (lines, g_strdup_printf (_ ("To be fetched: %s."), text));
    }
  if (report->elsewhere.n > 0)
    {
      g_autofree char *text = files (&report->elsewhere);

      /* Translators: %s is a number of attachments and their size. */
      g_ptr_array_add (lines, g_strdup_printf (_ ("Not sent by their owners yet: %s."), text));
    }
  if (waiting > 0)
    g_ptr_array_add (lines, g_strdup_printf (ngettext ("%u change of yours is not sent yet.",
                                                       "%u changes of yours are not sent yet.", (guint) waiting),
                                             (guint) waiting));
  if (report->outbox.parked + report->outbox.review > 0)
    {
      guint n = (guint) (report->outbox.parked + report->outbox.review);

      g_ptr_array_add (lines, g_strdup_printf (ngettext ("%u question waits for your decision.",
                                                         "%u questions wait for your decision.", n),
                                               n));
    }
  g_ptr_array_add (lines, NULL);
  return g_strjoinv ("\n", (char **) lines->pdata);
}

static gboolean
is_fresh (KtTravel *self, gint64 last_us)
{
  return last_us > 0 && _kt_workspace_now_us (self->workspace) - last_us < 24 * 3600 * (gint64) G_USEC_PER_SEC;
}

static char *
say_verdict (KtTravel *self, const KtTravelReport *report, gint64 last_us)
{
  if (!report->ready || report->pulling || report->missing.n > 0)
    return g_strdup (_ ("Not everything is here yet"));
  if (!is_fresh (self, last_us))
    return g_strdup (_ ("Everything is here, but not fresh: get everything before you leave"));
  return g_strdup (_ ("You can leave: everything is here"));
}

/* ---- asking ---- */

static void
set_flag (KtTravel *self, guint prop, gboolean on)
{
  gboolean before = prop == PROP_READY        ? self->ready
                    : prop == PROP_FETCHING   ? self->fetching
                    : prop == PROP_REHEARSING ? self->rehearsing
                                              : self->passed;

  if (before == !!on)
    return;
  if (prop == PROP_READY)
    self->ready = !!on;
  else if (prop == PROP_FETCHING)
    self->fetching = !!on;
  else if (prop == PROP_REHEARSING)
    self->rehearsing = !!on;
  else
    self->passed = !!on;
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static void
publish_lines (KtTravel *self, const KtTravelReport *report)
{
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_object_unref);
  const char *locale = kt_workspace_get_locale (self->workspace);

  for (guint i = 0; i < report->objects->len; i++)
    {
      const KtTravelObject *one = &g_array_index (report->objects, KtTravelObject, i);
      const KtObject *object = kt_workspace_get_object (self->workspace, one->object->name);
      g_autofree char *text = amount (one->records, one->bytes);
      KtTravelLine *line = NULL;

      if (object == NULL || one->records == 0)
        continue;
      /* Lines are made anew where they say something else. */
      for (guint k = 0; k < self->items->len && line == NULL; k++)
        if (((KtTravelLine *) self->items->pdata[k])->object == object
            && g_str_equal (((KtTravelLine *) self->items->pdata[k])->text, text))
          line = g_object_ref (self->items->pdata[k]);
      if (line == NULL)
        {
          line = g_object_new (KT_TYPE_TRAVEL_LINE, NULL);
          line->object = object;
          line->label = kt_object_plural (object, locale);
          line->text = g_steal_pointer (&text);
        }
      g_ptr_array_add (fresh, line);
    }
  _kt_splice (G_LIST_MODEL (self), self->items, fresh);
}

static void
publish (KtTravel *self, const KtTravelReport *report)
{
  KtSyncStatus *status = kt_workspace_get_sync_status (self->workspace);
  gint64 last_us = kt_sync_status_get_last_sync (status);
  double pulled = kt_sync_status_get_fraction (status);
  gint64 wanted = report->here.bytes + report->missing.bytes;
  double fraction = wanted > 0 ? (double) (report->here.bytes + report->partly) / (double) wanted : 1;
  gboolean ready = report->ready && !report->pulling && report->missing.n == 0 && is_fresh (self, last_us);
  KtTravelRule rule = report->policy.rule == KT_BLOB_NONE  ? KT_TRAVEL_NO_FILES
                      : report->policy.rule == KT_BLOB_ALL ? KT_TRAVEL_ALL_FILES
                                                           : KT_TRAVEL_MY_FILES;

  g_object_freeze_notify (G_OBJECT (self));
  publish_lines (self, report);
  take (self, TEXT_VERDICT, say_verdict (self, report, last_us));
  take (self, TEXT_FRESHNESS, _kt_words_synced (last_us, _kt_workspace_now_us (self->workspace), TRUE));
  take (self, TEXT_TOTAL, amount (report->records, report->bytes));
  take (self, TEXT_ATTACHMENTS, say_attachments (report));
  take (self, TEXT_MISSING, say_missing (report));
  if (report->free >= 0)
    {
      g_autofree char *size = g_format_size ((guint64) report->free);

      /* Translators: %s is an amount of data. */
      take (self, TEXT_SPACE, g_strdup_printf (_ ("%s free on this disk"), size));
    }
  set_flag (self, PROP_READY, ready);
  if (pulled >= 0)
    fraction = pulled;
  if (self->fraction != fraction)
    {
      self->fraction = CLAMP (fraction, 0, 1);
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_FRACTION]);
    }
  if (self->rule != rule)
    {
      self->rule = rule;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_RULE]);
    }
  if (self->fetching
      && ((ready && last_us > self->fetch_since)
          || kt_sync_status_get_mood (status) == KT_MOOD_OFFLINE
          || kt_sync_status_get_mood (status) == KT_MOOD_PAUSED
          || kt_sync_status_get_mood (status) == KT_MOOD_PROBLEM))
    set_flag (self, PROP_FETCHING, FALSE);
  g_object_thaw_notify (G_OBJECT (self));
}

static gpointer
report_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return kt_local_travel_report (local, error);
}

static gboolean
timer_cb (gpointer data)
{
  KtTravel *self = data;

  self->timer = 0;
  if (self->again || self->fetching)
    ask (self);
  return G_SOURCE_REMOVE;
}

static void
asked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtTravel) self = user_data;
  g_autoptr (GError) error = NULL;
  KtTravelReport *report = kt_store_job_finish (result, &error);

  self->asking = FALSE;
  if (report != NULL && !g_cancellable_is_cancelled (self->cancellable))
    publish (self, report);
  else if (error != NULL && !g_cancellable_is_cancelled (self->cancellable))
    take (self, TEXT_VERDICT, g_strdup (error->message));
  g_clear_pointer (&report, kt_travel_report_free);
  if (!g_cancellable_is_cancelled (self->cancellable) && self->timer == 0)
    self->timer = g_timeout_add (PAUSE_MS, timer_cb, self);
}

static void
ask (KtTravel *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);

  self->again = FALSE;
  if (store == NULL || kt_workspace_get_schema (self->workspace) == NULL)
    return;
  self->asking = TRUE;
  kt_store_read_async (store, report_job, NULL, NULL, (GDestroyNotify) kt_travel_report_free,
                       self->cancellable, asked_cb, g_object_ref (self));
}

static void
ask_soon (KtTravel *self)
{
  self->again = TRUE;
  if (!self->asking && self->timer == 0)
    ask (self);
}

/* ---- GListModel, GObject ---- */

static GType
get_item_type (GListModel *model)
{
  return KT_TYPE_TRAVEL_LINE;
}

static guint
get_n_items (GListModel *model)
{
  return KT_TRAVEL (model)->items->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  KtTravel *self = KT_TRAVEL (model);

  return position < self->items->len ? g_object_ref (self->items->pdata[position]) : NULL;
}

static void
kt_travel_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
kt_travel_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtTravel *self = KT_TRAVEL (object);

  if (id >= PROP_TEXTS && id < PROP_READY)
    {
      const char *text = self->texts[id - PROP_TEXTS];

      g_value_set_string (value, text != NULL ? text : "");
      return;
    }
  switch (id)
    {
    case PROP_READY:
      g_value_set_boolean (value, self->ready);
      break;
    case PROP_FRACTION:
      g_value_set_double (value, self->fraction);
      break;
    case PROP_FETCHING:
      g_value_set_boolean (value, self->fetching);
      break;
    case PROP_REHEARSING:
      g_value_set_boolean (value, self->rehearsing);
      break;
    case PROP_SECONDS_LEFT:
      g_value_set_uint (value, self->left);
      break;
    case PROP_PASSED:
      g_value_set_boolean (value, self->passed);
      break;
    case PROP_RULE:
      g_value_set_enum (value, self->rule);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_travel_dispose (GObject *object)
{
  KtTravel *self = KT_TRAVEL (object);

  /* Nobody is left without a network by closing a page. */
  if (self->workspace != NULL)
    kt_travel_stop (self);
  g_clear_handle_id (&self->timer, g_source_remove);
  g_cancellable_cancel (self->cancellable);
  G_OBJECT_CLASS (kt_travel_parent_class)->dispose (object);
}

static void
kt_travel_finalize (GObject *object)
{
  KtTravel *self = KT_TRAVEL (object);

  for (guint i = 0; i < N_TEXTS; i++)
    g_free (self->texts[i]);
  g_ptr_array_unref (self->items);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_travel_parent_class)->finalize (object);
}

static void
kt_travel_class_init (KtTravelClass *klass)
{
  static const char *const names[N_TEXTS] = { "verdict", "freshness", "total", "attachments",
                                              "missing", "space",     "result" };
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_travel_get_property;
  object_class->dispose = kt_travel_dispose;
  object_class->finalize = kt_travel_finalize;
  for (guint i = 0; i < N_TEXTS; i++)
    props[PROP_TEXTS + i] = g_param_spec_string (names[i], NULL, NULL, "", flags);
  props[PROP_READY] = g_param_spec_boolean ("ready", NULL, NULL, FALSE, flags);
  props[PROP_FRACTION] = g_param_spec_double ("fraction", NULL, NULL, 0, 1, 0, flags);
  props[PROP_FETCHING] = g_param_spec_boolean ("fetching", NULL, NULL, FALSE, flags);
  props[PROP_REHEARSING] = g_param_spec_boolean ("rehearsing", NULL, NULL, FALSE, flags);
  props[PROP_SECONDS_LEFT] = g_param_spec_uint ("seconds-left", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_PASSED] = g_param_spec_boolean ("passed", NULL, NULL, FALSE, flags);
  props[PROP_RULE] =
    g_param_spec_enum ("rule", NULL, NULL, KT_TYPE_TRAVEL_RULE, KT_TRAVEL_MY_FILES, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
kt_travel_init (KtTravel *self)
{
  self->items = g_ptr_array_new_with_free_func (g_object_unref);
  self->cancellable = g_cancellable_new ();
  self->rule = KT_TRAVEL_MY_FILES;
  self->minute = MINUTE_S;
}

/* ---- the rule ---- */

static gpointer
rule_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  KtBlobPolicy policy;

  if (!kt_local_blob_policy (local, &policy, error))
    return NULL;
  policy.rule = (KtBlobRule) GPOINTER_TO_INT (data);
  return GINT_TO_POINTER (kt_local_set_blob_policy (local, &policy, error));
}

static void
ruled_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtTravel) self = user_data;
  g_autoptr (GError) error = NULL;

  kt_store_job_finish (result, &error);
  if (error != NULL)
    _kt_workspace_set_failure (self->workspace, error);
  kt_sync_status_sync_now (kt_workspace_get_sync_status (self->workspace));
  ask_soon (self);
}

/* ---- public API ---- */

const KtObject *
kt_travel_line_get_object (KtTravelLine *line)
{
  g_return_val_if_fail (KT_IS_TRAVEL_LINE (line), NULL);

  return line->object;
}

const char *
kt_travel_line_get_label (KtTravelLine *line)
{
  g_return_val_if_fail (KT_IS_TRAVEL_LINE (line), "");

  return line->label;
}

const char *
kt_travel_line_get_text (KtTravelLine *line)
{
  g_return_val_if_fail (KT_IS_TRAVEL_LINE (line), "");

  return line->text;
}

KtTravel *
kt_travel_new (KtWorkspace *workspace)
{
  KtTravel *self;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  self = g_object_new (KT_TYPE_TRAVEL, NULL);
  self->workspace = g_object_ref (workspace);
  g_signal_connect_object (workspace, "changed", G_CALLBACK (ask_soon), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (kt_workspace_get_sync_status (workspace), "notify", G_CALLBACK (ask_soon),
                           self, G_CONNECT_SWAPPED);
  ask (self);
  return self;
}

void
kt_travel_set_rule (KtTravel *self, KtTravelRule rule)
{
  static const KtBlobRule rules[] = { KT_BLOB_NONE, KT_BLOB_MINE, KT_BLOB_ALL };
  KtStore *store;

  g_return_if_fail (KT_IS_TRAVEL (self) && rule < G_N_ELEMENTS (rules));

  store = _kt_workspace_store (self->workspace);
  if (self->rule == rule || store == NULL)
    return;
  self->rule = rule;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_RULE]);
  kt_store_write_async (store, rule_job, GINT_TO_POINTER (rules[rule]), NULL, NULL, NULL, ruled_cb,
                        g_object_ref (self));
}

void
kt_travel_fetch (KtTravel *self)
{
  KtSyncStatus *status;

  g_return_if_fail (KT_IS_TRAVEL (self));

  status = kt_workspace_get_sync_status (self->workspace);
  kt_travel_stop (self);
  self->fetch_since = kt_sync_status_get_last_sync (status);
  set_flag (self, PROP_FETCHING, TRUE);
  kt_sync_status_sync_now (status);
  ask_soon (self);
}

static void
tried_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtTravel) self = user_data;
  g_autoptr (GError) error = NULL;
  KtTrial *trial = kt_store_job_finish (result, &error);

  if (trial != NULL && !g_cancellable_is_cancelled (self->cancellable))
    {
      set_flag (self, PROP_PASSED, trial->problems->len == 0);
      take (self, TEXT_RESULT, _kt_trial_words (trial));
    }
  else if (error != NULL)
    take (self, TEXT_RESULT, g_strdup (error->message));
  g_clear_pointer (&trial, _kt_trial_free);
}

static gboolean
clock_cb (gpointer data)
{
  KtTravel *self = data;

  self->left = self->left > 0 ? self->left - 1 : 0;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SECONDS_LEFT]);
  if (self->left > 0)
    return G_SOURCE_CONTINUE;
  self->clock = 0;
  kt_travel_stop (self);
  return G_SOURCE_REMOVE;
}

void
kt_travel_rehearse (KtTravel *self)
{
  KtStore *store;

  g_return_if_fail (KT_IS_TRAVEL (self));

  store = _kt_workspace_store (self->workspace);
  if (self->rehearsing || store == NULL)
    return;
  set_flag (self, PROP_FETCHING, FALSE);
  set_flag (self, PROP_PASSED, FALSE);
  take (self, TEXT_RESULT, g_strdup (""));
  kt_sync_status_set_cut (kt_workspace_get_sync_status (self->workspace), TRUE);
  self->left = self->minute;
  set_flag (self, PROP_REHEARSING, TRUE);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SECONDS_LEFT]);
  self->clock = g_timeout_add_seconds (1, clock_cb, self);
  kt_store_read_async (store, _kt_trial_job, g_strdup (kt_workspace_get_locale (self->workspace)), g_free,
                       (GDestroyNotify) _kt_trial_free, self->cancellable, tried_cb,
                       g_object_ref (self));
}

void
kt_travel_stop (KtTravel *self)
{
  g_return_if_fail (KT_IS_TRAVEL (self));

  if (!self->rehearsing)
    return;
  g_clear_handle_id (&self->clock, g_source_remove);
  self->left = 0;
  kt_sync_status_set_cut (kt_workspace_get_sync_status (self->workspace), FALSE);
  kt_sync_status_sync_now (kt_workspace_get_sync_status (self->workspace));
  set_flag (self, PROP_REHEARSING, FALSE);
}

void
kt_travel_set_minute (KtTravel *self, guint seconds)
{
  g_return_if_fail (KT_IS_TRAVEL (self));

  self->minute = seconds;
}
