/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The timeline of a record: its activities (through the references the schema names)
 * and the commits of its ledger, newest first.
 *
 * Both are asked for anew when the record or an activity changed; the ledger first
 * from here, then from the server. Items keep their identity by key.               */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "base/kt-error.h"
#include "kt-timeline-private.h"

#define PAGE 100

struct _KtTimeline
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  GPtrArray *items;
  GCancellable *cancellable;
  char *ledger; /* JSON, newest known */

  /* borrowed */
  const KtObject *object;

  /* state */
  KtId id;
  guint limit;
  guint asking : 1;
  guint again : 1;
  guint fetching : 1; /* the server is asked for the ledger */
  guint fetch_again : 1;
  guint loading : 1;
  guint complete : 1;
  guint has_more : 1;
};

enum
{
  PROP_0,
  PROP_N_ITEMS,
  PROP_LOADING,
  PROP_COMPLETE,
  PROP_HAS_MORE,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

static void kt_timeline_iface_init (GListModelInterface *iface);
static void ask (KtTimeline *self);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtTimeline,
                               kt_timeline,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, kt_timeline_iface_init))

/* ---- on a reader ---- */

typedef struct
{
  KtSchema *schema;
  const KtObject *object;
  KtId id;
  guint limit;
} Wanted;

typedef struct
{
  GPtrArray *records;
  char *ledger;
  gboolean more;
} Answer;

static void
wanted_free (Wanted *wanted)
{
  kt_schema_unref (wanted->schema);
  g_free (wanted);
}

static void
answer_free (Answer *answer)
{
  g_ptr_array_unref (answer->records);
  g_free (answer->ledger);
  g_free (answer);
}

/* How activities refer to a record: the schema's related lists, and `parent` in any case. */
static GPtrArray *
activity_fields (const KtSchema *schema, const KtObject *object)
{
  static const char *const activities[] = { "task", "call", "meeting", "email", "note" };
  GPtrArray *fields = g_ptr_array_new ();
  const KtJson *related = kt_json_get (object->json, "related");

  for (guint i = 0; i < G_N_ELEMENTS (activities); i++)
    {
      const KtObject *activity = kt_schema_object (schema, activities[i]);
      const KtField *parent = activity != NULL ? kt_object_field (activity, "parent") : NULL;

      if (parent != NULL && kt_field_accepts (parent, object->name))
        g_ptr_array_add (fields, (gpointer) parent);
      for (guint j = 0; activity != NULL && j < kt_json_length (related); j++)
        {
          const KtJson *one = kt_json_at (related, j);
          const KtField *field =
            g_str_equal (kt_json_get_string (one, "object", ""), activities[i])
              ? kt_object_field (activity, kt_json_get_string (one, "field", ""))
              : NULL;

          if (field != NULL && field != parent)
            g_ptr_array_add (fields, (gpointer) field);
        }
    }
  return fields;
}

static KtFilter *
points_here (const KtField *field, const KtObject *object, const KtId *id)
{
  g_auto (KtValue) value = KT_VALUE_INIT;
  char text[KT_ID_TEXT_SIZE];

  if (field->type == KT_FIELD_REF_ANY)
    kt_value_set_any (&value, g_intern_string (object->name), id);
  else if (field->type == KT_FIELD_REF)
    kt_value_set_id (&value, id);
  else
    {
      kt_id_format (id, text);
      kt_value_set_text (&value, text);
      return kt_filter_compare (field, KT_OP_HAS, &value);
    }
  return kt_filter_compare (field, KT_OP_EQ, &value);
}

static gboolean
read_activities (KtLocal *local,
                 const Wanted *wanted,
                 const KtField *field,
                 Answer *answer,
                 GHashTable *seen,
                 GError **error)
{
  const KtObject *object = field->object;
  const KtField *order = kt_object_field (object, "created_at");
  g_autoptr (KtQuery) query = kt_query_new (object);
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) rows = NULL;

  query->filter = points_here (field, wanted->object, &wanted->id);
  query->limit = wanted->limit + 1;
  if (order != NULL)
    kt_query_add_sort (query, order, TRUE);
  rids = kt_local_query (local, query, NULL, error);
  if (rids == NULL)
    return FALSE;
  if (rids->len > wanted->limit)
    {
      answer->more = TRUE;
      g_array_set_size (rids, wanted->limit);
    }
  rows = kt_local_rows (local, object, (const gint64 *) rids->data, rids->len, error);
  if (rows == NULL)
    return FALSE;
  for (guint i = 0; i < rows->len; i++)
    {
      KtRecord *row = rows->pdata[i];

      if (row == NULL || !g_hash_table_add (seen, kt_id_copy (&row->id)))
        continue;
      g_ptr_array_add (answer->records, kt_record_ref (row));
    }
  return TRUE;
}

static gpointer
timeline_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Wanted *wanted = data;
  Answer *answer = g_new0 (Answer, 1);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  g_autoptr (GPtrArray) fields = activity_fields (wanted->object->schema, wanted->object);
  g_autoptr (GError) failure = NULL;

  answer->records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  for (guint i = 0; i < fields->len && failure == NULL; i++)
    read_activities (local, wanted, fields->pdata[i], answer, seen, &failure);
  if (failure == NULL)
    answer->ledger = kt_local_get_history (local, &wanted->id, &failure);
  if (failure == NULL)
    return answer;
  answer_free (answer);
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

/* ---- on the main thread ---- */

static void
set_flag (KtTimeline *self, guint prop, gboolean on)
{
  gboolean before = prop == PROP_LOADING    ? self->loading
                    : prop == PROP_COMPLETE ? self->complete
                                            : self->has_more;

  if (before == on)
    return;
  if (prop == PROP_LOADING)
    self->loading = on;
  else if (prop == PROP_COMPLETE)
    self->complete = on;
  else
    self->has_more = on;
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static int
compare_items (gconstpointer a, gconstpointer b)
{
  KtTimelineItem *x = *(KtTimelineItem *const *) a;
  KtTimelineItem *y = *(KtTimelineItem *const *) b;
  gint64 tx = _kt_timeline_item_time (x);
  gint64 ty = _kt_timeline_item_time (y);

  if (tx != ty)
    return tx > ty ? -1 : 1;
  return g_strcmp0 (_kt_timeline_item_key (y), _kt_timeline_item_key (x));
}

static void
publish (KtTimeline *self, const Answer *answer)
{
  g_autoptr (GHashTable) old = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) commits = NULL;
  guint before = self->items->len;

  for (guint i = 0; i < self->items->len; i++)
    g_hash_table_insert (old, (gpointer) _kt_timeline_item_key (self->items->pdata[i]),
                         self->items->pdata[i]);
  for (guint i = 0; i < answer->records->len; i++)
    {
      KtRecord *record = answer->records->pdata[i];
      g_autofree char *key = kt_id_to_string (&record->id);
      KtTimelineItem *item = g_hash_table_lookup (old, key);

      if (item != NULL)
        {
          _kt_timeline_item_update (item, self->workspace, record);
          g_object_ref (item);
        }
      else
        item = _kt_timeline_item_new_activity (self->workspace, record);
      g_ptr_array_add (fresh, item);
    }
  commits = _kt_timeline_items_of_ledger (self->workspace, self->object, answer->ledger);
  for (guint i = 0; i < commits->len; i++)
    {
      KtTimelineItem *item = g_hash_table_lookup (old, _kt_timeline_item_key (commits->pdata[i]));

      if (item == NULL || !_kt_timeline_item_same (item, commits->pdata[i]))
        item = commits->pdata[i];
      g_ptr_array_add (fresh, g_object_ref (item));
    }
  g_ptr_array_sort (fresh, compare_items);
  _kt_splice (G_LIST_MODEL (self), self->items, fresh);
  if (self->items->len != before)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_N_ITEMS]);
  set_flag (self, PROP_HAS_MORE, answer->more);
}

static void
asked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtTimeline) self = user_data;
  g_autoptr (GError) error = NULL;
  Answer *answer = kt_store_job_finish (result, &error);

  self->asking = FALSE;
  if (g_cancellable_is_cancelled (self->cancellable))
    {
      g_clear_pointer (&answer, answer_free);
      return;
    }
  if (answer != NULL)
    {
      publish (self, answer);
      answer_free (answer);
    }
  else
    g_debug ("timeline: %s", error->message);
  if (!self->fetching || self->items->len > 0)
    set_flag (self, PROP_LOADING, FALSE);
  if (self->again)
    ask (self);
}

static void
ask (KtTimeline *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);
  const KtObject *object = _kt_workspace_adopt (self->workspace, self->object);
  Wanted *wanted;

  self->again = FALSE;
  if (store == NULL || object == NULL)
    return;
  self->object = object;
  wanted = g_new0 (Wanted, 1);
  wanted->schema = kt_schema_ref ((KtSchema *) object->schema);
  wanted->object = object;
  wanted->id = self->id;
  wanted->limit = self->limit;
  self->asking = TRUE;
  kt_store_read_async (store, timeline_job, wanted, (GDestroyNotify) wanted_free,
                       (GDestroyNotify) answer_free, self->cancellable, asked_cb,
                       g_object_ref (self));
}

static void
ask_soon (KtTimeline *self)
{
  if (self->asking)
    self->again = TRUE;
  else
    ask (self);
}

/* ---- the server's ledger ---- */

static void fetch (KtTimeline *self);

static void
fetched_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtTimeline) self = user_data;
  g_autoptr (GError) error = NULL;
  gboolean fresh = FALSE;
  g_autofree char *ledger = kt_syncer_history_finish (KT_SYNCER (source), result, &fresh, &error);

  self->fetching = FALSE;
  if (g_cancellable_is_cancelled (self->cancellable))
    return;
  set_flag (self, PROP_COMPLETE, ledger != NULL && fresh);
  set_flag (self, PROP_LOADING, FALSE);
  /* It is kept in the profile now: one way to read it. */
  if (g_strcmp0 (ledger, self->ledger) != 0)
    {
      g_free (self->ledger);
      self->ledger = g_steal_pointer (&ledger);
      ask_soon (self);
    }
  if (self->fetch_again)
    fetch (self);
}

static void
fetch (KtTimeline *self)
{
  KtSyncer *syncer = _kt_workspace_syncer (self->workspace);

  self->fetch_again = FALSE;
  if (syncer == NULL || _kt_workspace_store (self->workspace) == NULL)
    return;
  self->fetching = TRUE;
  kt_syncer_history_async (syncer, self->object, &self->id, self->cancellable, fetched_cb,
                           g_object_ref (self));
}

static void
changed_cb (KtWorkspace *workspace, KtChanges *changes, gpointer user_data)
{
  KtTimeline *self = user_data;
  g_autoptr (GPtrArray) fields = NULL;
  const KtObject *object = _kt_workspace_adopt (workspace, self->object);
  gboolean mine = kt_changes_record (changes, &self->id);
  gboolean touched = mine;

  if (object == NULL)
    return;
  fields = activity_fields (object->schema, object);
  for (guint i = 0; i < fields->len && !touched; i++)
    touched = kt_changes_touch (changes, ((const KtField *) fields->pdata[i])->object);
  if (touched)
    ask_soon (self);
  if (!mine)
    return;
  if (self->fetching)
    self->fetch_again = TRUE;
  else
    fetch (self);
}

static void
refresh_items (KtTimeline *self)
{
  for (guint i = 0; i < self->items->len; i++)
    _kt_timeline_item_refresh (self->items->pdata[i], self->workspace);
}

static void
titles_changed_cb (KtWorkspace *workspace, gpointer user_data)
{
  refresh_items (user_data);
}

/* ---- GListModel, GObject ---- */

static GType
get_item_type (GListModel *model)
{
  return KT_TYPE_TIMELINE_ITEM;
}

static guint
get_n_items (GListModel *model)
{
  return KT_TIMELINE (model)->items->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  KtTimeline *self = KT_TIMELINE (model);

  return position < self->items->len ? g_object_ref (self->items->pdata[position]) : NULL;
}

static void
kt_timeline_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
kt_timeline_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtTimeline *self = KT_TIMELINE (object);

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
    case PROP_HAS_MORE:
      g_value_set_boolean (value, self->has_more);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_timeline_dispose (GObject *object)
{
  g_cancellable_cancel (KT_TIMELINE (object)->cancellable);
  G_OBJECT_CLASS (kt_timeline_parent_class)->dispose (object);
}

static void
kt_timeline_finalize (GObject *object)
{
  KtTimeline *self = KT_TIMELINE (object);

  g_clear_object (&self->cancellable);
  g_ptr_array_unref (self->items);
  g_free (self->ledger);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_timeline_parent_class)->finalize (object);
}

static void
kt_timeline_class_init (KtTimelineClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_timeline_get_property;
  object_class->dispose = kt_timeline_dispose;
  object_class->finalize = kt_timeline_finalize;
  props[PROP_N_ITEMS] = g_param_spec_uint ("n-items", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_LOADING] = g_param_spec_boolean ("loading", NULL, NULL, TRUE, flags);
  props[PROP_COMPLETE] = g_param_spec_boolean ("complete", NULL, NULL, FALSE, flags);
  props[PROP_HAS_MORE] = g_param_spec_boolean ("has-more", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
kt_timeline_init (KtTimeline *self)
{
  self->items = g_ptr_array_new_with_free_func (g_object_unref);
  self->cancellable = g_cancellable_new ();
  self->limit = PAGE;
  self->loading = TRUE;
}

/* ---- public API ---- */

KtTimeline *
kt_timeline_new (KtWorkspace *workspace, const KtObject *object, const KtId *id)
{
  KtTimeline *self;
  const KtObject *now;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace) && object != NULL && id != NULL, NULL);

  self = g_object_new (KT_TYPE_TIMELINE, NULL);
  now = _kt_workspace_adopt (workspace, object);
  self->workspace = g_object_ref (workspace);
  self->object = now != NULL ? now : object;
  self->id = *id;
  g_signal_connect_object (workspace, "changed", G_CALLBACK (changed_cb), self, 0);
  g_signal_connect_object (workspace, "titles-changed", G_CALLBACK (titles_changed_cb), self, 0);
  g_signal_connect_object (workspace, "states-changed", G_CALLBACK (titles_changed_cb), self, 0);
  ask (self);
  fetch (self);
  return self;
}

gboolean
kt_timeline_get_complete (KtTimeline *self)
{
  g_return_val_if_fail (KT_IS_TIMELINE (self), FALSE);

  return self->complete;
}

gboolean
kt_timeline_get_has_more (KtTimeline *self)
{
  g_return_val_if_fail (KT_IS_TIMELINE (self), FALSE);

  return self->has_more;
}

void
kt_timeline_load_more (KtTimeline *self)
{
  g_return_if_fail (KT_IS_TIMELINE (self));

  self->limit += PAGE;
  ask_soon (self);
}

/* ---- notes ---- */

/* Plain words as rich text: as they are, unless they would be read as markup. */
static char *
rich_text (const KtField *field, const char *text)
{
  g_autofree char *read = _kt_words_plain (field, text);
  g_autoptr (GString) out = NULL;

  if (field->type != KT_FIELD_RICH_TEXT || g_str_equal (read, text))
    return g_strdup (text);
  out = g_string_new (NULL);
  for (const char *p = text; *p != '\0'; p++)
    switch (*p)
      {
      case '&':
        g_string_append (out, "&amp;");
        break;
      case '<':
        g_string_append (out, "&lt;");
        break;
      default:
        g_string_append_c (out, *p);
      }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

void
kt_timeline_add_note_async (KtTimeline *self,
                            const char *text,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_autofree char *trimmed = NULL;
  g_autofree char *rich = NULL;
  g_autofree char *problem = NULL;
  g_autoptr (KtRecord) note = NULL;
  const KtObject *object;
  const KtField *body;
  const KtField *parent;
  GPtrArray *mutations;
  KtMutation *mutation;
  KtId id;

  g_return_if_fail (KT_IS_TIMELINE (self) && text != NULL);

  object = kt_workspace_get_object (self->workspace, "note");
  body = object != NULL ? kt_object_field (object, "body") : NULL;
  parent = object != NULL ? kt_object_field (object, "parent") : NULL;
  trimmed = g_strstrip (g_strdup (text));
  if (body == NULL || parent == NULL || *trimmed == '\0')
    {
      g_task_report_new_error (self, callback, user_data, kt_timeline_add_note_async, KT_ERROR,
                               KT_ERROR_INVALID, "%s", _ ("There is nothing to add"));
      return;
    }
  id = kt_id_new (_kt_workspace_env (self->workspace));
  note = kt_record_new (object, &id);
  kt_record_apply_defaults (note);
  rich = rich_text (body, trimmed);
  {
    g_autoptr (GError) error = NULL;

    if (!kt_value_parse (body, rich, kt_workspace_get_locale (self->workspace), NULL,
                         &note->values[body->index], &error))
      {
        g_task_report_new_error (self, callback, user_data, kt_timeline_add_note_async, KT_ERROR,
                                 KT_ERROR_INVALID, "%s",
                                 _ ("This note is longer than can be kept"));
        return;
      }
  }
  kt_value_set_any (&note->values[parent->index], g_intern_string (self->object->name), &self->id);
  mutation = _kt_workspace_mutation (self->workspace);
  kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &id, 0, kt_patch_diff (NULL, note));
  mutations = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_mutation_free);
  g_ptr_array_add (mutations, mutation);
  _kt_workspace_commit_async (self->workspace, mutations, object, &id, self, callback, user_data);
}

KtDone *
kt_timeline_add_note_finish (KtTimeline *self, GAsyncResult *result, GError **error)
{
  return _kt_command_finish (self, result, error);
}
