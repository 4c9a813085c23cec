/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The ledger of a record turned round: not what happened, but what every field has
 * held or should have held (kt-versions.h).                                       */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "base/kt-error.h"
#include "kt-model-private.h"
#include "model/kt-versions.h"

#define MAX_VERSIONS 2000

enum
{
  TEXT_FIELD_LABEL,
  TEXT_VALUE,
  TEXT_WHO,
  TEXT_WHEN,
  TEXT_FATE,
  N_TEXTS
};

struct _KtVersion
{
  GObject parent_instance;

  /* owned */
  KtValue value;
  char *texts[N_TEXTS];
  char *user_name;
  char *outcome;

  /* borrowed */
  const KtField *field;

  /* state */
  gint64 at_us;
  KtId user;
  gboolean current;
};

struct _KtVersions
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  GPtrArray *all;   /* KtVersion, newest first */
  GPtrArray *items; /* of them, those of the field */
  GCancellable *cancellable;

  /* borrowed */
  const KtObject *object;
  const KtField *field;

  /* state */
  KtId id;
  guint asking : 1;
  guint again : 1;
  guint fetching : 1;
  guint loading : 1;
  guint complete : 1;
};

enum
{
  VERSION_0,
  VERSION_FIELD_LABEL,
  VERSION_VALUE,
  VERSION_WHO,
  VERSION_WHEN,
  VERSION_FATE,
  VERSION_CURRENT,
  N_VERSION_PROPS
};
enum
{
  PROP_0,
  PROP_N_ITEMS,
  PROP_LOADING,
  PROP_COMPLETE,
  N_PROPS
};

static GParamSpec *version_props[N_VERSION_PROPS];
static GParamSpec *props[N_PROPS];

static void kt_versions_iface_init (GListModelInterface *iface);
static void ask (KtVersions *self);

G_DEFINE_FINAL_TYPE (KtVersion, kt_version, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE_WITH_CODE (KtVersions,
                               kt_versions,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, kt_versions_iface_init))

/* ---- a version ---- */

static void
kt_version_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtVersion *self = KT_VERSION (object);

  if (id >= VERSION_FIELD_LABEL && id <= VERSION_FATE)
    g_value_set_string (value, self->texts[id - VERSION_FIELD_LABEL]);
  else if (id == VERSION_CURRENT)
    g_value_set_boolean (value, self->current);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
kt_version_finalize (GObject *object)
{
  KtVersion *self = KT_VERSION (object);

  kt_value_clear (&self->value);
  for (guint i = 0; i < N_TEXTS; i++)
    g_free (self->texts[i]);
  g_free (self->user_name);
  g_free (self->outcome);
  G_OBJECT_CLASS (kt_version_parent_class)->finalize (object);
}

static void
kt_version_class_init (KtVersionClass *klass)
{
  static const char *const names[N_TEXTS] = { "field-label", "value", "who", "when", "fate" };
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_version_get_property;
  object_class->finalize = kt_version_finalize;
  for (guint i = 0; i < N_TEXTS; i++)
    version_props[VERSION_FIELD_LABEL + i] = g_param_spec_string (names[i], NULL, NULL, NULL, flags);
  version_props[VERSION_CURRENT] = g_param_spec_boolean ("current", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_VERSION_PROPS, version_props);
}

static void
kt_version_init (KtVersion *self)
{
}

static char *
fate_of (const char *outcome, gboolean lost)
{
  if (g_strcmp0 (outcome, "superseded") == 0)
    return g_strdup (_ ("Another value stood by the rule of the field"));
  if (g_strcmp0 (outcome, "review") == 0)
    return g_strdup (_ ("Came at the same time as another; put to a person"));
  if (g_strcmp0 (outcome, "refused") == 0)
    return g_strdup (_ ("Was not accepted"));
  if (g_strcmp0 (outcome, "discarded") == 0)
    return g_strdup (_ ("Was given up on this computer"));
  if (g_strcmp0 (outcome, "waiting") == 0)
    return g_strdup (_ ("Is not sent yet"));
  if (g_strcmp0 (outcome, "merged") == 0 && lost)
    return g_strdup (_ ("Was put together with another change"));
  return g_strdup ("");
}

static void
take (KtVersion *self, guint text, char *value)
{
  gboolean same = g_strcmp0 (self->texts[text], value) == 0;

  g_free (self->texts[text]);
  self->texts[text] = value;
  if (!same)
    g_object_notify_by_pspec (G_OBJECT (self), version_props[VERSION_FIELD_LABEL + text]);
}

static char *
who_text (KtVersion *self, KtWorkspace *workspace)
{
  const KtObject *users = kt_workspace_get_object (workspace, "user");
  const char *title;

  if (!kt_id_is_nil (&self->user) && kt_id_equal (&self->user, kt_workspace_get_user (workspace)))
    return g_strdup (_ ("You"));
  title = !kt_id_is_nil (&self->user) && users != NULL
            ? kt_workspace_peek_title (workspace, users, &self->user)
            : NULL;
  if (title == NULL)
    title = self->user_name;
  return g_strdup (title != NULL ? title : _ ("Somebody"));
}

static void
refresh (KtVersion *self, KtWorkspace *workspace)
{
  char *shown = kt_workspace_display (workspace, self->field, &self->value);

  if (*shown == '\0')
    {
      g_free (shown);
      shown = g_strdup ("—");
    }
  take (self, TEXT_VALUE, shown);
  take (self, TEXT_FIELD_LABEL,
        g_strdup (kt_field_label (self->field, kt_workspace_get_locale (workspace))));
  take (self, TEXT_WHO, who_text (self, workspace));
  take (self, TEXT_WHEN, _kt_words_when (self->at_us, _kt_workspace_now_us (workspace)));
  take (self, TEXT_FATE, fate_of (self->outcome, TRUE));
}

/* ---- the ledger ---- */

static KtVersion *
version_new (KtVersions *self, const KtJson *row, const KtField *field, const KtJson *json)
{
  KtVersion *version;
  KtValue value = KT_VALUE_INIT;
  const char *user = kt_json_get_string (row, "user", "");

  if (!kt_value_load_json (field, json, &value, NULL))
    {
      kt_value_clear (&value);
      return NULL;
    }
  version = g_object_new (KT_TYPE_VERSION, NULL);
  version->value = value;
  version->field = field;
  version->at_us = _kt_words_parse_time (
    kt_json_get_string (row, "device_at", kt_json_get_string (row, "at", NULL)));
  version->outcome = g_strdup (kt_json_get_string (row, "outcome", NULL));
  version->user_name = g_strdup (kt_json_get_string (row, "user_name", NULL));
  if (!kt_id_parse (user, -1, &version->user))
    {
      version->user = KT_ID_NIL;
      if (version->user_name == NULL && *user != '\0')
        version->user_name = g_strdup (user);
    }
  return version;
}

/* The ledger is newest first, what this device adds to it (kept, waiting) comes behind in the order it was done. */
static void
add_row (KtVersions *self, GPtrArray *fresh, const KtJson *row)
{
  const char *name = kt_json_get_string (row, "field", NULL);
  const KtField *field = name != NULL ? kt_object_field (self->object, name) : NULL;
  const KtJson *mine = kt_json_get (row, "mine");
  const KtJson *new_ = kt_json_get (row, "new");
  gboolean sent = kt_json_get_int (row, "seq", 0) > 0;
  KtVersion *version;

  if (field == NULL || field->system || field->computed
      || g_strcmp0 (kt_json_get_string (row, "kind", NULL), "derive") == 0)
    return;
  /* What the author wrote, whatever became of it; a merge made something else of it, which was a value as well. */
  if (mine != NULL && g_strcmp0 (kt_json_get_string (row, "outcome", NULL), "merged") == 0)
    {
      version = version_new (self, row, field, new_);
      if (version != NULL)
        {
          g_clear_pointer (&version->outcome, g_free);
          g_ptr_array_add (fresh, version);
        }
    }
  version = version_new (self, row, field, mine != NULL ? mine : new_);
  if (version == NULL)
    return;
  if (!sent)
    g_ptr_array_insert (fresh, 0, version);
  else
    g_ptr_array_add (fresh, version);
}

static void
mark_current (KtVersions *self, const KtRecord *record)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < self->all->len; i++)
    {
      KtVersion *version = self->all->pdata[i];
      gboolean lost = version->outcome != NULL && !g_str_equal (version->outcome, "applied")
                      && !g_str_equal (version->outcome, "waiting");
      gboolean current = !lost && record != NULL
                         && kt_value_equal (_kt_value_of (record, version->field), &version->value)
                         && g_hash_table_add (seen, (gpointer) version->field);

      if (version->current == current)
        continue;
      version->current = current;
      g_object_notify_by_pspec (G_OBJECT (version), version_props[VERSION_CURRENT]);
    }
}

static void
filter (KtVersions *self)
{
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_object_unref);
  guint before = self->items->len;

  for (guint i = 0; i < self->all->len; i++)
    {
      KtVersion *version = self->all->pdata[i];

      if (self->field == NULL || g_str_equal (version->field->name, self->field->name))
        g_ptr_array_add (fresh, g_object_ref (version));
    }
  _kt_splice (G_LIST_MODEL (self), self->items, fresh);
  if (self->items->len != before)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_N_ITEMS]);
}

/* ---- asking ---- */

typedef struct
{
  char *ledger;
  KtRecord *record;
} Answer;

typedef struct
{
  KtSchema *schema;
  const KtObject *object;
  KtId id;
} Wanted;

static void
answer_free (Answer *answer)
{
  g_free (answer->ledger);
  kt_record_unref (answer->record);
  g_free (answer);
}

static void
wanted_free (Wanted *wanted)
{
  kt_schema_unref (wanted->schema);
  g_free (wanted);
}

static gpointer
versions_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Wanted *wanted = data;
  Answer *answer = g_new0 (Answer, 1);
  g_autoptr (GError) failure = NULL;

  answer->ledger = kt_local_get_history (local, &wanted->id, &failure);
  if (failure == NULL)
    answer->record = kt_local_load (local, wanted->object, &wanted->id, &failure);
  if (failure == NULL)
    return answer;
  answer_free (answer);
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

static void
set_flag (KtVersions *self, guint prop, gboolean on)
{
  if (prop == PROP_LOADING ? self->loading == on : self->complete == on)
    return;
  if (prop == PROP_LOADING)
    self->loading = on;
  else
    self->complete = on;
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static void
publish (KtVersions *self, const Answer *answer)
{
  g_autoptr (KtJson) rows = answer->ledger != NULL ? kt_json_parse (answer->ledger, -1, NULL) : NULL;
  GPtrArray *fresh = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < kt_json_length (rows) && fresh->len < MAX_VERSIONS; i++)
    add_row (self, fresh, kt_json_at (rows, i));
  for (guint i = 0; i < fresh->len; i++)
    refresh (fresh->pdata[i], self->workspace);
  g_ptr_array_unref (self->all);
  self->all = fresh;
  mark_current (self, answer->record);
  filter (self);
}

static void
asked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtVersions) self = user_data;
  g_autoptr (GError) error = NULL;
  Answer *answer = kt_store_job_finish (result, &error);

  self->asking = FALSE;
  if (answer != NULL && !g_cancellable_is_cancelled (self->cancellable))
    publish (self, answer);
  else if (error != NULL)
    g_debug ("versions: %s", error->message);
  g_clear_pointer (&answer, answer_free);
  if (!self->fetching)
    set_flag (self, PROP_LOADING, FALSE);
  if (self->again)
    ask (self);
}

static void
ask (KtVersions *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);
  const KtObject *object = _kt_workspace_adopt (self->workspace, self->object);
  Wanted *wanted;

  self->again = FALSE;
  if (store == NULL || object == NULL || g_cancellable_is_cancelled (self->cancellable))
    return;
  self->object = object;
  wanted = g_new0 (Wanted, 1);
  wanted->schema = kt_schema_ref ((KtSchema *) object->schema);
  wanted->object = object;
  wanted->id = self->id;
  self->asking = TRUE;
  kt_store_read_async (store, versions_job, wanted, (GDestroyNotify) wanted_free,
                       (GDestroyNotify) answer_free, self->cancellable, asked_cb,
                       g_object_ref (self));
}

static void
ask_soon (KtVersions *self)
{
  if (self->asking)
    self->again = TRUE;
  else
    ask (self);
}

static void
fetched_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtVersions) self = user_data;
  gboolean fresh = FALSE;
  g_autofree char *ledger = kt_syncer_history_finish (KT_SYNCER (source), result, &fresh, NULL);

  self->fetching = FALSE;
  if (g_cancellable_is_cancelled (self->cancellable))
    return;
  set_flag (self, PROP_COMPLETE, ledger != NULL && fresh);
  ask_soon (self);
}

static void
fetch (KtVersions *self)
{
  KtSyncer *syncer = _kt_workspace_syncer (self->workspace);

  if (syncer == NULL || self->fetching || _kt_workspace_store (self->workspace) == NULL)
    return;
  self->fetching = TRUE;
  kt_syncer_history_async (syncer, self->object, &self->id, self->cancellable, fetched_cb,
                           g_object_ref (self));
}

static void
changed_cb (KtWorkspace *workspace, KtChanges *changes, gpointer user_data)
{
  KtVersions *self = user_data;

  if (!kt_changes_record (changes, &self->id) && !_kt_model_changes_outbox (changes))
    return;
  ask_soon (self);
  if (kt_changes_record (changes, &self->id))
    fetch (self);
}

static void
titles_changed_cb (KtWorkspace *workspace, gpointer user_data)
{
  KtVersions *self = user_data;

  for (guint i = 0; i < self->all->len; i++)
    refresh (self->all->pdata[i], workspace);
}

/* ---- GListModel, GObject ---- */

static GType
get_item_type (GListModel *model)
{
  return KT_TYPE_VERSION;
}

static guint
get_n_items (GListModel *model)
{
  return KT_VERSIONS (model)->items->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  KtVersions *self = KT_VERSIONS (model);

  return position < self->items->len ? g_object_ref (self->items->pdata[position]) : NULL;
}

static void
kt_versions_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
kt_versions_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtVersions *self = KT_VERSIONS (object);

  switch (id)
    {
    case PROP_N_ITEMS:
      g_value_set_uint (value, self->items->len);
      break;
    case PROP_LOADING:
      g_value_set_boolean (value, self->loading);
      break;
    case PROP_COMPLETE:
      g_value_set_boolean (value, self->complete);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_versions_dispose (GObject *object)
{
  g_cancellable_cancel (KT_VERSIONS (object)->cancellable);
  G_OBJECT_CLASS (kt_versions_parent_class)->dispose (object);
}

static void
kt_versions_finalize (GObject *object)
{
  KtVersions *self = KT_VERSIONS (object);

  g_ptr_array_unref (self->all);
  g_ptr_array_unref (self->items);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_versions_parent_class)->finalize (object);
}

static void
kt_versions_class_init (KtVersionsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_versions_get_property;
  object_class->dispose = kt_versions_dispose;
  object_class->finalize = kt_versions_finalize;
  props[PROP_N_ITEMS] = g_param_spec_uint ("n-items", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_LOADING] = g_param_spec_boolean ("loading", NULL, NULL, TRUE, flags);
  props[PROP_COMPLETE] = g_param_spec_boolean ("complete", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
kt_versions_init (KtVersions *self)
{
  self->all = g_ptr_array_new_with_free_func (g_object_unref);
  self->items = g_ptr_array_new_with_free_func (g_object_unref);
  self->cancellable = g_cancellable_new ();
  self->loading = TRUE;
}

/* ---- public API ---- */

#define VERSION_TEXT(name, text)                         \
  const char *kt_version_get_##name (KtVersion *version) \
  {                                                      \
    g_return_val_if_fail (KT_IS_VERSION (version), "");  \
    return version->texts[text];                         \
  }

VERSION_TEXT (field_label, TEXT_FIELD_LABEL)
VERSION_TEXT (value, TEXT_VALUE)
VERSION_TEXT (who, TEXT_WHO)
VERSION_TEXT (when, TEXT_WHEN)
VERSION_TEXT (fate, TEXT_FATE)

const KtField *
kt_version_get_field (KtVersion *version)
{
  g_return_val_if_fail (KT_IS_VERSION (version), NULL);

  return version->field;
}

gboolean
kt_version_get_current (KtVersion *version)
{
  g_return_val_if_fail (KT_IS_VERSION (version), FALSE);

  return version->current;
}

KtVersions *
kt_versions_new (KtWorkspace *workspace, const KtObject *object, const KtId *id, const KtField *field)
{
  KtVersions *self;
  const KtObject *now;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace) && object != NULL && id != NULL, NULL);

  self = g_object_new (KT_TYPE_VERSIONS, NULL);
  now = _kt_workspace_adopt (workspace, object);
  self->workspace = g_object_ref (workspace);
  self->object = now != NULL ? now : object;
  self->field = field;
  self->id = *id;
  g_signal_connect_object (workspace, "changed", G_CALLBACK (changed_cb), self, 0);
  g_signal_connect_object (workspace, "titles-changed", G_CALLBACK (titles_changed_cb), self, 0);
  ask (self);
  fetch (self);
  return self;
}

void
kt_versions_set_field (KtVersions *self, const KtField *field)
{
  g_return_if_fail (KT_IS_VERSIONS (self));

  self->field = field;
  filter (self);
}

const KtField *
kt_versions_get_field (KtVersions *self)
{
  g_return_val_if_fail (KT_IS_VERSIONS (self), NULL);

  return self->field;
}

GPtrArray *
kt_versions_get_fields (KtVersions *self)
{
  GPtrArray *fields = g_ptr_array_new ();

  g_return_val_if_fail (KT_IS_VERSIONS (self), fields);

  for (guint f = 0; f < self->object->n_fields; f++)
    {
      guint n = 0;

      for (guint i = 0; i < self->all->len; i++)
        n += g_str_equal (((KtVersion *) self->all->pdata[i])->field->name,
                          self->object->fields[f]->name);
      if (n > 1)
        g_ptr_array_add (fields, (gpointer) self->object->fields[f]);
    }
  return fields;
}

gboolean
kt_versions_get_complete (KtVersions *self)
{
  g_return_val_if_fail (KT_IS_VERSIONS (self), FALSE);

  return self->complete;
}

/* ---- putting back ---- */

typedef struct
{
  KtMutation *mutation;
  const KtObject *object;
  const KtField *field;
  KtId id;
  KtValue value;
} Restore;

static void
restore_free (Restore *restore)
{
  kt_mutation_free (restore->mutation);
  kt_value_clear (&restore->value);
  g_free (restore);
}

static KtMutation *
restore_make (KtLocal *local, gpointer data, GError **error)
{
  Restore *restore = data;
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtRecord) record = kt_local_load (local, restore->object, &restore->id, &failure);
  g_autoptr (KtPatch) patch = NULL;

  if (record == NULL)
    {
      if (failure != NULL)
        g_propagate_error (error, g_steal_pointer (&failure));
      else
        g_set_error_literal (error, KT_ERROR, KT_ERROR_NOT_FOUND,
                             _ ("This record is no longer there"));
      return NULL;
    }
  patch = kt_patch_new (restore->object);
  kt_patch_set (patch, restore->field, _kt_value_of (record, restore->field), &restore->value);
  if (kt_patch_length (patch) > 0)
    kt_mutation_add (restore->mutation, KT_MUTATE_UPDATE, restore->object, &restore->id, record->rev,
                     g_steal_pointer (&patch));
  return g_steal_pointer (&restore->mutation);
}

void
kt_versions_restore_async (KtVersions *self,
                           KtVersion *version,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  const KtObject *object;
  const KtField *field;
  Restore *restore;

  g_return_if_fail (KT_IS_VERSIONS (self) && KT_IS_VERSION (version));

  object = _kt_workspace_adopt (self->workspace, self->object);
  field = object != NULL ? kt_object_field (object, version->field->name) : NULL;
  if (field == NULL)
    {
      g_task_report_new_error (self, callback, user_data, kt_versions_restore_async, KT_ERROR,
                               KT_ERROR_NOT_FOUND, "%s", _ ("This field is no longer there"));
      return;
    }
  restore = g_new0 (Restore, 1);
  restore->mutation = _kt_workspace_mutation (self->workspace);
  restore->object = object;
  restore->field = field;
  restore->id = self->id;
  kt_value_copy (&version->value, &restore->value);
  _kt_workspace_make_async (self->workspace, restore_make, restore, (GDestroyNotify) restore_free,
                            object, &self->id, self, callback, user_data);
}

KtDone *
kt_versions_restore_finish (KtVersions *self, GAsyncResult *result, GError **error)
{
  return _kt_command_finish (self, result, error);
}
