/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The context object of one profile.
 *
 *   KtStore "changed" (one per transaction) ─► folded ─► one idle ─► titles, glance, told
 *                                                             └────► "changed" ─► every model
 *
 * A schema that was replaced stays in `schemas` until the end: pointers into it
 * are in the hands of pages and of the models' callers.                         */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "base/kt-error.h"
#include "kt-model-private.h"

/* Set while the person has signed out here by intention; a session that expired leaves no trace of this kind. */
#define META_SIGNED_OUT "model:signed_out"
#define MAX_BINNED 1000

struct _KtWorkspace
{
  GObject parent_instance;

  /* owned */
  KtStore *store; /* NULL: there is no profile yet, or closed */
  KtSyncer *syncer;
  KtSyncStatus *status;
  KtTitles *titles;
  KtGlance *glance;
  GPtrArray *schemas; /* KtSchema*, newest last */
  KtChanges *pending;
  GHashTable *binned;   /* KtId*: moved to the bin here, in this session */
  GHashTable *returned; /* KtId* → object name: somebody else's edit brought them back */
  GCancellable *cancellable;
  GError *failure;
  char *dir;
  char *locale;
  char *title;
  char *user_name;
  char *server;
  char *currency;
  KtAccess access;

  /* borrowed */
  const KtEnv *env;

  /* state */
  KtWorkspaceState state;
  guint idle;
  guint has_access : 1;
  guint signed_out : 1;
  guint closed : 1;
};

enum
{
  CHANGED,
  TITLES_CHANGED,
  COUNTS_CHANGED,
  STATES_CHANGED,
  TOLD,
  NEWS,
  N_SIGNALS
};
enum
{
  PROP_0,
  PROP_STATE,
  PROP_SCHEMA,
  PROP_LOCALE,
  PROP_USER_NAME,
  PROP_TITLE,
  PROP_SERVER,
  N_PROPS
};

static guint signals[N_SIGNALS];
static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (KtWorkspace, kt_workspace, G_TYPE_OBJECT)
G_DEFINE_BOXED_TYPE (KtRecord, kt_record, kt_record_ref, kt_record_unref)
G_DEFINE_ENUM_TYPE (KtWorkspaceState,
                    kt_workspace_state,
                    G_DEFINE_ENUM_VALUE (KT_WORKSPACE_SIGNED_OUT, "signed-out"),
                    G_DEFINE_ENUM_VALUE (KT_WORKSPACE_LOADING, "loading"),
                    G_DEFINE_ENUM_VALUE (KT_WORKSPACE_READY, "ready"))
G_DEFINE_ENUM_TYPE (KtRowState,
                    kt_row_state,
                    G_DEFINE_ENUM_VALUE (KT_ROW_SETTLED, "settled"),
                    G_DEFINE_ENUM_VALUE (KT_ROW_WAITING, "waiting"),
                    G_DEFINE_ENUM_VALUE (KT_ROW_PARKED, "parked"),
                    G_DEFINE_ENUM_VALUE (KT_ROW_REVIEW, "review"))

/* ---- what the store says about the profile ---- */

static void
set_text (KtWorkspace *self, char **place, const char *text, guint prop)
{
  if (g_strcmp0 (*place, text != NULL ? text : "") == 0)
    return;
  g_free (*place);
  *place = g_strdup (text != NULL ? text : "");
  if (prop != PROP_0)
    g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static KtSchema *
newest_schema (KtWorkspace *self)
{
  return self->schemas->len > 0 ? self->schemas->pdata[self->schemas->len - 1] : NULL;
}

static gboolean
follow_schema (KtWorkspace *self)
{
  const KtSchema *schema = self->store != NULL ? kt_store_schema (self->store) : NULL;
  KtSchema *last = newest_schema (self);

  if (schema == NULL || schema == last)
    return FALSE;
  /* Another instance of the same one changes nothing for anybody. */
  if (last != NULL && g_str_equal (kt_schema_digest (schema), kt_schema_digest (last)))
    return FALSE;
  g_ptr_array_add (self->schemas, kt_schema_ref ((KtSchema *) schema));
  return TRUE;
}

static void
follow_identity (KtWorkspace *self)
{
  const KtIdentity *identity = self->store != NULL ? kt_store_identity (self->store) : NULL;

  self->has_access = identity != NULL;
  if (identity == NULL)
    return;
  self->access.user = identity->access.user;
  self->access.admin = identity->access.admin;
  g_free (self->access.name);
  self->access.name = g_strdup (identity->access.name);
  set_text (self, &self->currency, identity->currency, PROP_0);
  set_text (self, &self->user_name, identity->user_name, PROP_USER_NAME);
  set_text (self, &self->title, identity->workspace, PROP_TITLE);
  set_text (self, &self->server, identity->server, PROP_SERVER);
}

static void
follow_state (KtWorkspace *self)
{
  KtWorkspaceState state;

  if (self->store == NULL || !self->has_access || self->signed_out)
    state = KT_WORKSPACE_SIGNED_OUT;
  else if (newest_schema (self) == NULL || !kt_store_ready (self->store))
    state = KT_WORKSPACE_LOADING;
  else
    state = KT_WORKSPACE_READY;
  if (state == self->state)
    return;
  self->state = state;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_STATE]);
  _kt_sync_status_update (self->status);
}

/* ---- told ---- */

typedef struct
{
  GPtrArray *names;
  GArray *ids;
} Returned;

static void
returned_free (Returned *returned)
{
  g_ptr_array_unref (returned->names);
  g_array_unref (returned->ids);
  g_free (returned);
}

static gpointer
returned_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Returned *returned = data;
  g_autoptr (GArray) keys = g_array_new (FALSE, FALSE, sizeof (KtRefKey));

  for (guint i = 0; i < returned->ids->len; i++)
    {
      KtRefKey key = { kt_schema_object (kt_local_schema (local), returned->names->pdata[i]),
                       g_array_index (returned->ids, KtId, i) };

      g_array_append_val (keys, key);
    }
  return kt_local_titles (local, (const KtRefKey *) keys->data, keys->len, error);
}

static void
returned_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtWorkspace) self = user_data;
  g_autoptr (GPtrArray) titles = kt_store_job_finish (result, NULL);

  for (guint i = 0; titles != NULL && i < titles->len; i++)
    {
      const char *title = titles->pdata[i];
      g_autofree char *text = g_strdup_printf (
        /* Translators: %s is the title of a record that this person had deleted. */
        _ ("“%s” is back: somebody changed it while you deleted it"), title != NULL ? title : "");

      if (title != NULL)
        _kt_workspace_told (self, text);
    }
}

static void
tell_returned (KtWorkspace *self)
{
  GHashTableIter iter;
  gpointer id, name;
  Returned *returned;

  if (g_hash_table_size (self->returned) == 0 || _kt_workspace_store (self) == NULL)
    return;
  returned = g_new0 (Returned, 1);
  returned->names = g_ptr_array_new ();
  returned->ids = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_hash_table_iter_init (&iter, self->returned);
  while (g_hash_table_iter_next (&iter, &id, &name))
    {
      g_ptr_array_add (returned->names, name);
      g_array_append_vals (returned->ids, id, 1);
    }
  g_hash_table_remove_all (self->returned);
  kt_store_read_async (self->store, returned_job, returned, (GDestroyNotify) returned_free,
                       (GDestroyNotify) g_ptr_array_unref, self->cancellable, returned_cb,
                       g_object_ref (self));
}

static void
watch_bin (KtWorkspace *self, const KtChangeSet *set)
{
  for (guint i = 0; set->records != NULL && i < set->records->len; i++)
    {
      const KtRecordChange *change = &g_array_index (set->records, KtRecordChange, i);

      if (change->by_me && change->kind == KT_CHANGE_BINNED
          && g_hash_table_size (self->binned) < MAX_BINNED)
        g_hash_table_add (self->binned, kt_id_copy (&change->id));
      else if (change->kind == KT_CHANGE_RESTORED && g_hash_table_remove (self->binned, &change->id)
               && !change->by_me)
        g_hash_table_insert (self->returned, kt_id_copy (&change->id),
                             (gpointer) g_intern_string (change->object->name));
    }
}

/* ---- change sets ---- */

static gboolean
changed_idle_cb (gpointer data)
{
  g_autoptr (KtWorkspace) self = g_object_ref (data);
  g_autoptr (KtChanges) changes = g_steal_pointer (&self->pending);
  gboolean moved;

  self->idle = 0;
  moved = follow_schema (self);
  follow_identity (self);
  if (moved)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SCHEMA]);
  follow_state (self);
  /* Whoever listens may close the workspace. */
  if (!self->closed)
    _kt_glance_changed (self->glance, changes);
  tell_returned (self);
  if (!self->closed)
    _kt_titles_changed (self->titles, changes);
  if (!self->closed)
    g_signal_emit (self, signals[CHANGED], 0, changes);
  return G_SOURCE_REMOVE;
}

static void
store_changed_cb (KtStore *store, KtChangeSet *set, gpointer user_data)
{
  KtWorkspace *self = user_data;

  if (self->pending == NULL)
    self->pending = _kt_model_changes_new ();
  _kt_model_changes_fold (self->pending, set);
  watch_bin (self, set);
  if (self->idle == 0)
    self->idle = g_idle_add_full (G_PRIORITY_DEFAULT, changed_idle_cb, self, NULL);
}

static void
store_failed_cb (KtStore *store, GError *error, gpointer user_data)
{
  _kt_workspace_set_failure (user_data, error);
}

/* ---- opening ---- */

void
_kt_workspace_take_store (KtWorkspace *self, KtStore *store, KtSyncer *syncer)
{
  self->store = store;
  self->syncer = syncer;
  self->env = kt_store_env (store);
  g_signal_connect_object (store, "changed", G_CALLBACK (store_changed_cb), self, 0);
  g_signal_connect_object (store, "failed", G_CALLBACK (store_failed_cb), self, 0);
  if (follow_schema (self))
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SCHEMA]);
  follow_identity (self);
  follow_state (self);
  _kt_sync_status_attach (self->status);
  _kt_glance_changed (self->glance, NULL);
}

static KtWorkspace *
workspace_new (const char *dir, const char *locale)
{
  KtWorkspace *self = g_object_new (KT_TYPE_WORKSPACE, NULL);

  self->dir =
    dir != NULL ? g_strdup (dir) : g_build_filename (g_get_user_data_dir (), "kontor", NULL);
  self->locale = g_strdup (locale != NULL && *locale != '\0' ? locale : "en");
  /* "zh_CN.UTF-8" → "zh_CN"; no language is English. */
  self->locale[strcspn (self->locale, ".@")] = '\0';
  if (g_str_equal (self->locale, "C") || g_str_equal (self->locale, "POSIX"))
    {
      g_free (self->locale);
      self->locale = g_strdup ("en");
    }
  return self;
}

KtWorkspace *
_kt_workspace_new (KtStore *store, KtSyncer *syncer, const char *dir, const char *locale)
{
  KtWorkspace *self = workspace_new (dir, locale);

  _kt_workspace_take_store (self, store, syncer);
  return self;
}

static KtMakeSyncer make_syncer;
static gpointer make_syncer_data;

void
_kt_workspace_use_syncer (KtMakeSyncer make, gpointer data)
{
  make_syncer = make;
  make_syncer_data = data;
}

KtSyncer *
_kt_workspace_make_syncer (KtStore *store)
{
  return make_syncer != NULL ? make_syncer (store, make_syncer_data) : kt_syncer_new (store);
}

static gpointer
signed_out_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failure = NULL;
  char *text = kt_local_get_meta (local, META_SIGNED_OUT, &failure);

  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  /* The result of a job cannot be NULL without being a failure to its caller. */
  return failure == NULL && text == NULL ? g_strdup ("") : text;
}

static void
opened_meta_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtWorkspace *self = g_task_get_task_data (task);
  g_autofree char *text = kt_store_job_finish (result, &error);
  KtStore *store = g_steal_pointer (&self->store);

  if (text == NULL)
    {
      kt_store_close (store);
      g_object_unref (store);
      g_task_return_error (task, _kt_error_localise (g_steal_pointer (&error)));
      return;
    }
  self->signed_out = *text != '\0';
  _kt_workspace_take_store (self, store, _kt_workspace_make_syncer (store));
  g_task_return_pointer (task, g_object_ref (self), g_object_unref);
}

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtWorkspace *self = g_task_get_task_data (task);
  KtStore *store = kt_store_open_finish (result, &error);

  if (store == NULL && g_error_matches (error, KT_ERROR, KT_ERROR_NOT_FOUND))
    {
      g_task_return_pointer (task, g_object_ref (self), g_object_unref);
      return;
    }
  if (store == NULL)
    {
      g_task_return_error (task, _kt_error_localise (g_steal_pointer (&error)));
      return;
    }
  self->store = store;
  kt_store_read_async (store, signed_out_job, NULL, NULL, g_free, NULL, opened_meta_cb,
                       g_steal_pointer (&task));
}

void
kt_workspace_open_async (const char *dir,
                         const char *locale,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  KtWorkspace *self = workspace_new (dir, locale);

  g_task_set_source_tag (task, kt_workspace_open_async);
  g_task_set_task_data (task, self, g_object_unref);
  kt_store_open_async (self->dir, 0, NULL, self->locale, cancellable, opened_cb,
                       g_steal_pointer (&task));
}

KtWorkspace *
kt_workspace_open_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

void
kt_workspace_close (KtWorkspace *self)
{
  g_return_if_fail (KT_IS_WORKSPACE (self));

  if (self->closed)
    return;
  if (self->status != NULL)
    _kt_sync_status_keep (self->status);
  self->closed = TRUE;
  g_cancellable_cancel (self->cancellable);
  g_clear_handle_id (&self->idle, g_source_remove);
  g_clear_pointer (&self->pending, kt_changes_unref);
  g_clear_pointer (&self->titles, _kt_titles_free);
  g_clear_pointer (&self->glance, _kt_glance_free);
  _kt_sync_status_detach (self->status);
  if (self->store != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->store, self);
      if (self->syncer != NULL)
        kt_syncer_stop (self->syncer);
      g_clear_object (&self->syncer);
      kt_store_close (self->store);
      g_clear_object (&self->store);
    }
}

static gpointer
set_signed_out_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return kt_local_set_meta (local, META_SIGNED_OUT, data, error) ? g_strdup ("") : NULL;
}

void
_kt_workspace_set_signed_out (KtWorkspace *self, gboolean signed_out)
{
  if (self->signed_out != signed_out && self->store != NULL)
    kt_store_write_async (self->store, set_signed_out_job, signed_out ? g_strdup ("1") : NULL,
                          g_free, g_free, NULL, NULL, NULL);
  self->signed_out = signed_out;
  if (follow_schema (self))
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SCHEMA]);
  follow_identity (self);
  follow_state (self);
  if (self->glance != NULL)
    _kt_glance_changed (self->glance, NULL);
  _kt_sync_status_update (self->status);
}

gboolean
_kt_workspace_is_closed (KtWorkspace *self)
{
  return self->closed;
}

/* ---- GObject ---- */

static void
kt_workspace_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtWorkspace *self = KT_WORKSPACE (object);

  switch (id)
    {
    case PROP_STATE:
      g_value_set_enum (value, self->state);
      break;
    case PROP_SCHEMA:
      g_value_set_pointer (value, newest_schema (self));
      break;
    case PROP_LOCALE:
      g_value_set_string (value, self->locale);
      break;
    case PROP_USER_NAME:
      g_value_set_string (value, self->user_name);
      break;
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;
    case PROP_SERVER:
      g_value_set_string (value, self->server);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_workspace_dispose (GObject *object)
{
  KtWorkspace *self = KT_WORKSPACE (object);

  kt_workspace_close (self);
  g_clear_object (&self->status);
  G_OBJECT_CLASS (kt_workspace_parent_class)->dispose (object);
}

static void
kt_workspace_finalize (GObject *object)
{
  KtWorkspace *self = KT_WORKSPACE (object);

  g_clear_object (&self->cancellable);
  g_clear_error (&self->failure);
  g_ptr_array_unref (self->schemas);
  g_hash_table_unref (self->binned);
  g_hash_table_unref (self->returned);
  g_free (self->access.name);
  g_free (self->dir);
  g_free (self->locale);
  g_free (self->title);
  g_free (self->user_name);
  g_free (self->server);
  g_free (self->currency);
  G_OBJECT_CLASS (kt_workspace_parent_class)->finalize (object);
}

static void
kt_workspace_class_init (KtWorkspaceClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_workspace_get_property;
  object_class->dispose = kt_workspace_dispose;
  object_class->finalize = kt_workspace_finalize;

  props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, KT_TYPE_WORKSPACE_STATE,
                                         KT_WORKSPACE_SIGNED_OUT, flags);
  props[PROP_SCHEMA] = g_param_spec_pointer ("schema", NULL, NULL, flags);
  props[PROP_LOCALE] = g_param_spec_string ("locale", NULL, NULL, NULL, flags);
  props[PROP_USER_NAME] = g_param_spec_string ("user-name", NULL, NULL, NULL, flags);
  props[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  props[PROP_SERVER] = g_param_spec_string ("server", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);

  signals[CHANGED] = g_signal_new ("changed", KT_TYPE_WORKSPACE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 1, KT_TYPE_CHANGES);
  signals[TITLES_CHANGED] = g_signal_new ("titles-changed", KT_TYPE_WORKSPACE, G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[COUNTS_CHANGED] = g_signal_new ("counts-changed", KT_TYPE_WORKSPACE, G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[STATES_CHANGED] = g_signal_new ("states-changed", KT_TYPE_WORKSPACE, G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[TOLD] = g_signal_new ("told", KT_TYPE_WORKSPACE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[NEWS] = g_signal_new ("news", KT_TYPE_WORKSPACE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 1, G_TYPE_UINT);
}

static void
kt_workspace_init (KtWorkspace *self)
{
  self->schemas = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_schema_unref);
  self->binned = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  self->returned = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  self->cancellable = g_cancellable_new ();
  self->title = g_strdup ("");
  self->user_name = g_strdup ("");
  self->server = g_strdup ("");
  self->currency = g_strdup ("");
  self->titles = _kt_titles_new (self);
  self->glance = _kt_glance_new (self);
  self->status = _kt_sync_status_new (self);
}

/* ---- for this layer ---- */

KtStore *
_kt_workspace_store (KtWorkspace *self)
{
  return self->closed ? NULL : self->store;
}

KtSyncer *
_kt_workspace_syncer (KtWorkspace *self)
{
  return self->syncer;
}

KtTitles *
_kt_workspace_titles (KtWorkspace *self)
{
  return self->titles;
}

const KtEnv *
_kt_workspace_env (KtWorkspace *self)
{
  return self->env;
}

gint64
_kt_workspace_now_us (KtWorkspace *self)
{
  return self->env != NULL ? self->env->now_us (self->env->data) : g_get_real_time ();
}

const KtAccess *
_kt_workspace_access (KtWorkspace *self)
{
  return self->has_access ? &self->access : NULL;
}

const KtOutboxCounts *
_kt_workspace_outbox (KtWorkspace *self)
{
  static const KtOutboxCounts none;

  return self->glance != NULL ? _kt_glance_outbox (self->glance) : &none;
}

const KtObject *
_kt_workspace_adopt (KtWorkspace *self, const KtObject *object)
{
  KtSchema *schema = newest_schema (self);

  if (object == NULL || schema == NULL || object->schema == schema)
    return object;
  return kt_schema_object (schema, object->name);
}

void
_kt_workspace_told (KtWorkspace *self, const char *text)
{
  g_signal_emit (self, signals[TOLD], 0, text);
}

const char *
_kt_workspace_notice (KtWorkspace *self)
{
  return self->glance != NULL ? _kt_glance_notice (self->glance) : NULL;
}

guint
_kt_workspace_news (KtWorkspace *self)
{
  return self->glance != NULL ? _kt_glance_news (self->glance) : 0;
}

void
_kt_workspace_look_again (KtWorkspace *self)
{
  if (self->glance != NULL)
    _kt_glance_changed (self->glance, NULL);
}

gboolean
_kt_workspace_check_open (KtWorkspace *self, GTask *task)
{
  if (!self->closed && self->store != NULL)
    return TRUE;
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CLOSED, "%s",
                           _ ("The workspace is closed"));
  return FALSE;
}

void
_kt_workspace_set_failure (KtWorkspace *self, const GError *error)
{
  if (self->closed || (error == NULL && self->failure == NULL)
      || (error != NULL && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)))
    return;
  g_clear_error (&self->failure);
  self->failure = error != NULL ? _kt_error_localise (g_error_copy (error)) : NULL;
  _kt_sync_status_update (self->status);
}

const GError *
_kt_workspace_get_failure (KtWorkspace *self)
{
  return self->failure;
}

/* ---- public API ---- */

KtWorkspaceState
kt_workspace_get_state (KtWorkspace *self)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self), KT_WORKSPACE_SIGNED_OUT);

  return self->state;
}

const KtSchema *
kt_workspace_get_schema (KtWorkspace *self)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self), NULL);

  return newest_schema (self);
}

const KtObject *
kt_workspace_get_object (KtWorkspace *self, const char *name)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self) && name != NULL, NULL);

  return newest_schema (self) != NULL ? kt_schema_object (newest_schema (self), name) : NULL;
}

const char *
kt_workspace_get_locale (KtWorkspace *self)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self), "en");

  return self->locale;
}

const char *
kt_workspace_get_title (KtWorkspace *self)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self), "");

  return self->title;
}

const char *
kt_workspace_get_user_name (KtWorkspace *self)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self), "");

  return self->user_name;
}

const char *
kt_workspace_get_server (KtWorkspace *self)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self), "");

  return self->server;
}

const char *
kt_workspace_get_currency (KtWorkspace *self)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self), "");

  return self->currency;
}

const char *
kt_workspace_get_dir (KtWorkspace *self)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self), "");

  return self->dir;
}

const KtId *
kt_workspace_get_user (KtWorkspace *self)
{
  static const KtId nobody = { { 0 } };

  g_return_val_if_fail (KT_IS_WORKSPACE (self), &nobody);

  return self->has_access ? &self->access.user : &nobody;
}

gboolean
kt_workspace_is_admin (KtWorkspace *self)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self), FALSE);

  return self->has_access && self->access.admin;
}

static gboolean
may (KtWorkspace *self, KtMay action, const KtObject *object, const KtRecord *record, char **reason)
{
  g_autofree char *why = NULL;
  gboolean ok = FALSE;

  if (self->has_access)
    ok = kt_access_may (&self->access, action, object, record, self->locale, &why);
  else
    why = g_strdup (_ ("Nobody is signed in"));
  if (reason != NULL)
    *reason = ok ? NULL : g_steal_pointer (&why);
  return ok;
}

gboolean
kt_workspace_may_create (KtWorkspace *self, const KtObject *object, char **reason)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self) && object != NULL, FALSE);

  return may (self, KT_MAY_CREATE, object, NULL, reason);
}

gboolean
kt_workspace_may_edit (KtWorkspace *self, const KtRecord *record, char **reason)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self) && record != NULL, FALSE);

  return may (self, KT_MAY_EDIT, record->object, record, reason);
}

gboolean
kt_workspace_may_delete (KtWorkspace *self, const KtRecord *record, char **reason)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self) && record != NULL, FALSE);

  return may (self, KT_MAY_DELETE, record->object, record, reason);
}

gint64
kt_workspace_get_count (KtWorkspace *self, const KtObject *object)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self) && object != NULL, -1);

  return self->glance != NULL ? _kt_glance_count (self->glance, object) : -1;
}

KtRowState
kt_workspace_get_row_state (KtWorkspace *self, const KtId *id)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (self) && id != NULL, KT_ROW_SETTLED);

  return self->glance != NULL ? _kt_glance_state (self->glance, id) : KT_ROW_SETTLED;
}

KtSyncStatus *
kt_workspace_get_sync_status (KtWorkspace *workspace)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  return workspace->status;
}

/* ---- records ---- */

static void
load_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtRecord *record = _kt_record_load_finish (result, &error);

  if (error != NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_pointer (task, record, (GDestroyNotify) kt_record_unref);
}

void
kt_workspace_load_async (KtWorkspace *self,
                         const KtObject *object,
                         const KtId *id,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  const KtObject *now;

  g_return_if_fail (KT_IS_WORKSPACE (self) && object != NULL && id != NULL);

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, kt_workspace_load_async);
  now = _kt_workspace_adopt (self, object);
  if (now == NULL)
    g_task_return_pointer (task, NULL, NULL);
  else
    _kt_record_load_async (self, now, id, cancellable, load_cb, g_steal_pointer (&task));
}

KtRecord *
kt_workspace_load_finish (KtWorkspace *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
