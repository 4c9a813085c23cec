/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The outbox in sentences. What does not fit (a large import makes hundreds of
 * entries) is a number; parked entries come first, since they need a person.   */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-model-private.h"

#define MAX_SHOWN 200

/* What the reader makes of an entry. */
typedef struct
{
  gint64 no;
  KtOutboxItemState state;
  char *text;
  char *reason;
  gint64 made_us;
  const char *object; /* interned, or NULL */
  KtId id;
} Line;

struct _KtOutboxItem
{
  GObject parent_instance;

  /* owned */
  char *text;
  char *reason;
  char *when;

  /* borrowed */
  const KtObject *object;

  /* state */
  gint64 no;
  gint64 made_us;
  KtId id;
  KtOutboxItemState state;
};

struct _KtOutboxModel
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  GPtrArray *items;
  GCancellable *cancellable;

  /* state */
  guint more;
  guint timer;
  guint asking : 1;
  guint again : 1;
};

enum
{
  ITEM_0,
  ITEM_TEXT,
  ITEM_REASON,
  ITEM_WHEN,
  ITEM_STATE,
  N_ITEM_PROPS
};
enum
{
  PROP_0,
  PROP_N_ITEMS,
  PROP_N_MORE,
  N_PROPS
};

static GParamSpec *item_props[N_ITEM_PROPS];
static GParamSpec *props[N_PROPS];

static void kt_outbox_model_iface_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE (KtOutboxItem, kt_outbox_item, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE_WITH_CODE (KtOutboxModel,
                               kt_outbox_model,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL,
                                                      kt_outbox_model_iface_init))
G_DEFINE_ENUM_TYPE (KtOutboxItemState,
                    kt_outbox_item_state,
                    G_DEFINE_ENUM_VALUE (KT_OUTBOX_ITEM_QUEUED, "queued"),
                    G_DEFINE_ENUM_VALUE (KT_OUTBOX_ITEM_SENT, "sent"),
                    G_DEFINE_ENUM_VALUE (KT_OUTBOX_ITEM_PARKED, "parked"))

/* ---- an item ---- */

static void
kt_outbox_item_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtOutboxItem *self = KT_OUTBOX_ITEM (object);

  switch (id)
    {
    case ITEM_TEXT:
      g_value_set_string (value, self->text);
      break;
    case ITEM_REASON:
      g_value_set_string (value, self->reason);
      break;
    case ITEM_WHEN:
      g_value_set_string (value, self->when);
      break;
    case ITEM_STATE:
      g_value_set_enum (value, self->state);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_outbox_item_finalize (GObject *object)
{
  KtOutboxItem *self = KT_OUTBOX_ITEM (object);

  g_free (self->text);
  g_free (self->reason);
  g_free (self->when);
  G_OBJECT_CLASS (kt_outbox_item_parent_class)->finalize (object);
}

static void
kt_outbox_item_class_init (KtOutboxItemClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_outbox_item_get_property;
  object_class->finalize = kt_outbox_item_finalize;
  item_props[ITEM_TEXT] = g_param_spec_string ("text", NULL, NULL, NULL, flags);
  item_props[ITEM_REASON] = g_param_spec_string ("reason", NULL, NULL, NULL, flags);
  item_props[ITEM_WHEN] = g_param_spec_string ("when", NULL, NULL, NULL, flags);
  item_props[ITEM_STATE] = g_param_spec_enum ("state", NULL, NULL, KT_TYPE_OUTBOX_ITEM_STATE,
                                              KT_OUTBOX_ITEM_QUEUED, flags);
  g_object_class_install_properties (object_class, N_ITEM_PROPS, item_props);
}

static void
kt_outbox_item_init (KtOutboxItem *self)
{
}

static void
take_text (KtOutboxItem *self, char **place, const char *text, guint prop)
{
  if (g_strcmp0 (*place, text) == 0)
    return;
  g_free (*place);
  *place = g_strdup (text);
  g_object_notify_by_pspec (G_OBJECT (self), item_props[prop]);
}

static void
item_update (KtOutboxItem *self, KtWorkspace *workspace, const Line *line)
{
  g_autofree char *when = _kt_words_when (line->made_us, _kt_workspace_now_us (workspace));

  self->no = line->no;
  self->made_us = line->made_us;
  self->id = line->id;
  self->object = line->object != NULL ? kt_workspace_get_object (workspace, line->object) : NULL;
  take_text (self, &self->text, line->text, ITEM_TEXT);
  take_text (self, &self->reason, line->reason, ITEM_REASON);
  take_text (self, &self->when, when, ITEM_WHEN);
  if (self->state != line->state)
    {
      self->state = line->state;
      g_object_notify_by_pspec (G_OBJECT (self), item_props[ITEM_STATE]);
    }
}

/* ---- on a reader ---- */

typedef struct
{
  GPtrArray *lines;
  guint more;
} Answer;

static void
line_free (Line *line)
{
  g_free (line->text);
  g_free (line->reason);
  g_free (line);
}

static void
answer_free (Answer *answer)
{
  g_ptr_array_unref (answer->lines);
  g_free (answer);
}

static char *
title_func (const KtObject *object, const KtId *id, gpointer data)
{
  KtRefKey key = { object, *id };
  g_autoptr (GPtrArray) titles = kt_local_titles (data, &key, 1, NULL);

  return titles != NULL && titles->len == 1 ? g_strdup (titles->pdata[0]) : NULL;
}

static Line *
line_new (KtLocal *local, const KtOutboxEntry *entry, const char *locale)
{
  Line *line = g_new0 (Line, 1);

  line->no = entry->no;
  line->made_us = entry->made_at_us;
  line->state = entry->state == KT_OUTBOX_PARKED ? KT_OUTBOX_ITEM_PARKED
                : entry->state == KT_OUTBOX_SENT ? KT_OUTBOX_ITEM_SENT
                                                 : KT_OUTBOX_ITEM_QUEUED;
  line->text = kt_mutation_describe (entry->mutation, locale, title_func, local);
  line->reason = g_strdup (entry->reason);
  if (entry->mutation->ops->len > 0)
    {
      const KtOp *op = entry->mutation->ops->pdata[0];

      line->object = g_intern_string (op->object->name);
      line->id = op->id;
    }
  return line;
}

static int
compare_lines (gconstpointer a, gconstpointer b)
{
  const Line *x = *(const Line *const *) a;
  const Line *y = *(const Line *const *) b;
  gboolean px = x->state == KT_OUTBOX_ITEM_PARKED;
  gboolean py = y->state == KT_OUTBOX_ITEM_PARKED;

  if (px != py)
    return px ? -1 : 1;
  return x->no < y->no ? -1 : x->no > y->no;
}

static gpointer
outbox_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const char *locale = data;
  g_autoptr (GPtrArray) entries = kt_local_outbox (local, MAX_SHOWN, error);
  KtOutboxCounts counts;
  Answer *answer;
  gint64 all;

  if (entries == NULL || !kt_local_outbox_counts (local, &counts, error))
    return NULL;
  answer = g_new0 (Answer, 1);
  answer->lines = g_ptr_array_new_with_free_func ((GDestroyNotify) line_free);
  for (guint i = 0; i < entries->len; i++)
    g_ptr_array_add (answer->lines, line_new (local, entries->pdata[i], locale));
  g_ptr_array_sort (answer->lines, compare_lines);
  all = counts.queued + counts.sent + counts.parked;
  answer->more = (guint) CLAMP (all - answer->lines->len, 0, G_MAXINT);
  return answer;
}

/* ---- on the main thread ---- */

static void ask (KtOutboxModel *self);

static KtOutboxItem *
item_for (KtOutboxModel *self, const Line *line)
{
  for (guint i = 0; i < self->items->len; i++)
    if (((KtOutboxItem *) self->items->pdata[i])->no == line->no)
      return g_object_ref (self->items->pdata[i]);
  return g_object_new (KT_TYPE_OUTBOX_ITEM, NULL);
}

/* "Just now" does not stay true. */
static gboolean
timer_cb (gpointer data)
{
  KtOutboxModel *self = data;

  if (self->items->len == 0)
    {
      self->timer = 0;
      return G_SOURCE_REMOVE;
    }
  for (guint i = 0; i < self->items->len; i++)
    {
      KtOutboxItem *item = self->items->pdata[i];
      g_autofree char *when =
        _kt_words_when (item->made_us, _kt_workspace_now_us (self->workspace));

      take_text (item, &item->when, when, ITEM_WHEN);
    }
  return G_SOURCE_CONTINUE;
}

static void
publish (KtOutboxModel *self, const Answer *answer)
{
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_object_unref);
  guint before = self->items->len;

  for (guint i = 0; i < answer->lines->len; i++)
    {
      KtOutboxItem *item = item_for (self, answer->lines->pdata[i]);

      item_update (item, self->workspace, answer->lines->pdata[i]);
      g_ptr_array_add (fresh, item);
    }
  _kt_splice (G_LIST_MODEL (self), self->items, fresh);
  if (self->timer == 0 && self->items->len > 0)
    self->timer = g_timeout_add_seconds (60, timer_cb, self);
  if (self->items->len != before)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_N_ITEMS]);
  if (self->more != answer->more)
    {
      self->more = answer->more;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_N_MORE]);
    }
}

static void
asked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtOutboxModel) self = user_data;
  g_autoptr (GError) error = NULL;
  Answer *answer = kt_store_job_finish (result, &error);

  self->asking = FALSE;
  if (answer != NULL && !g_cancellable_is_cancelled (self->cancellable))
    {
      publish (self, answer);
      g_clear_pointer (&answer, answer_free);
    }
  else if (error != NULL)
    g_debug ("outbox: %s", error->message);
  g_clear_pointer (&answer, answer_free);
  if (self->again)
    ask (self);
}

static void
ask (KtOutboxModel *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);

  self->again = FALSE;
  if (store == NULL || g_cancellable_is_cancelled (self->cancellable))
    return;
  self->asking = TRUE;
  kt_store_read_async (store, outbox_job, g_strdup (kt_workspace_get_locale (self->workspace)),
                       g_free, (GDestroyNotify) answer_free, self->cancellable, asked_cb,
                       g_object_ref (self));
}

static void
changed_cb (KtWorkspace *workspace, KtChanges *changes, gpointer user_data)
{
  KtOutboxModel *self = user_data;

  if (!_kt_model_changes_outbox (changes) && !_kt_model_changes_schema (changes))
    return;
  if (self->asking)
    self->again = TRUE;
  else
    ask (self);
}

static GType
get_item_type (GListModel *model)
{
  return KT_TYPE_OUTBOX_ITEM;
}

static guint
get_n_items (GListModel *model)
{
  return KT_OUTBOX_MODEL (model)->items->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  KtOutboxModel *self = KT_OUTBOX_MODEL (model);

  return position < self->items->len ? g_object_ref (self->items->pdata[position]) : NULL;
}

static void
kt_outbox_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
kt_outbox_model_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtOutboxModel *self = KT_OUTBOX_MODEL (object);

  switch (id)
    {
    case PROP_N_ITEMS:
      g_value_set_uint (value, self->items->len);
      break;
    case PROP_N_MORE:
      g_value_set_uint (value, self->more);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_outbox_model_dispose (GObject *object)
{
  KtOutboxModel *self = KT_OUTBOX_MODEL (object);

  g_clear_handle_id (&self->timer, g_source_remove);
  g_cancellable_cancel (self->cancellable);
  G_OBJECT_CLASS (kt_outbox_model_parent_class)->dispose (object);
}

static void
kt_outbox_model_finalize (GObject *object)
{
  KtOutboxModel *self = KT_OUTBOX_MODEL (object);

  g_clear_object (&self->cancellable);
  g_ptr_array_unref (self->items);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_outbox_model_parent_class)->finalize (object);
}

static void
kt_outbox_model_class_init (KtOutboxModelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_outbox_model_get_property;
  object_class->dispose = kt_outbox_model_dispose;
  object_class->finalize = kt_outbox_model_finalize;
  props[PROP_N_ITEMS] = g_param_spec_uint ("n-items", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_N_MORE] = g_param_spec_uint ("n-more", NULL, NULL, 0, G_MAXUINT, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
kt_outbox_model_init (KtOutboxModel *self)
{
  self->items = g_ptr_array_new_with_free_func (g_object_unref);
  self->cancellable = g_cancellable_new ();
}

/* ---- commands ---- */

typedef enum
{
  COMMAND_UNDO,
  COMMAND_RETRY,
  COMMAND_DISCARD
} CommandKind;
typedef struct
{
  KtStore *store;
  CommandKind kind;
  gint64 no;
} Command;

static gpointer
command_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Command *command = data;
  KtChangeSet *changes = NULL;
  gboolean ok;

  switch (command->kind)
    {
    case COMMAND_UNDO:
      ok = kt_local_undo (local, command->no, &changes, error);
      break;
    case COMMAND_RETRY:
      ok = kt_local_retry (local, command->no, &changes, error);
      break;
    case COMMAND_DISCARD:
    default:
      ok = kt_local_discard (local, command->no, &changes, error);
      break;
    }
  if (changes != NULL)
    kt_store_emit (command->store, changes);
  return ok ? GINT_TO_POINTER (1) : NULL;
}

static void
command_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtOutboxModel *self = g_task_get_source_object (task);
  KtSyncer *syncer;

  if (kt_store_job_finish (result, &error) == NULL)
    {
      g_task_return_error (task, _kt_error_localise (g_steal_pointer (&error)));
      return;
    }
  syncer = _kt_workspace_syncer (self->workspace);
  if (syncer != NULL)
    kt_syncer_poke (syncer);
  g_task_return_boolean (task, TRUE);
}

static void
command_async (KtOutboxModel *self,
               CommandKind kind,
               KtOutboxItem *item,
               GAsyncReadyCallback callback,
               gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);
  Command *command;

  g_task_set_source_tag (task, command_async);
  if (!_kt_workspace_check_open (self->workspace, task))
    {
      g_object_unref (task);
      return;
    }
  command = g_new0 (Command, 1);
  command->store = _kt_workspace_store (self->workspace);
  command->kind = kind;
  command->no = item->no;
  kt_store_write_async (command->store, command_job, command, g_free, NULL, NULL, command_cb, task);
}

/* ---- public API ---- */

const char *
kt_outbox_item_get_text (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), "");

  return item->text;
}

const char *
kt_outbox_item_get_reason (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), NULL);

  return item->reason;
}

const char *
kt_outbox_item_get_when (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), "");

  return item->when;
}

KtOutboxItemState
kt_outbox_item_get_state (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), KT_OUTBOX_ITEM_QUEUED);

  return item->state;
}

const KtObject *
kt_outbox_item_get_object (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), NULL);

  return item->object;
}

const KtId *
kt_outbox_item_get_id (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), NULL);

  return &item->id;
}

KtOutboxModel *
kt_outbox_model_new (KtWorkspace *workspace)
{
  KtOutboxModel *self;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  self = g_object_new (KT_TYPE_OUTBOX_MODEL, NULL);
  self->workspace = g_object_ref (workspace);
  g_signal_connect_object (workspace, "changed", G_CALLBACK (changed_cb), self, 0);
  ask (self);
  return self;
}

void
kt_outbox_model_undo_async (KtOutboxModel *self,
                            KtOutboxItem *item,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_return_if_fail (KT_IS_OUTBOX_MODEL (self) && KT_IS_OUTBOX_ITEM (item));

  command_async (self, COMMAND_UNDO, item, callback, user_data);
}

void
kt_outbox_model_retry_async (KtOutboxModel *self,
                             KtOutboxItem *item,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_return_if_fail (KT_IS_OUTBOX_MODEL (self) && KT_IS_OUTBOX_ITEM (item));

  command_async (self, COMMAND_RETRY, item, callback, user_data);
}

void
kt_outbox_model_discard_async (KtOutboxModel *self,
                               KtOutboxItem *item,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  g_return_if_fail (KT_IS_OUTBOX_MODEL (self) && KT_IS_OUTBOX_ITEM (item));

  command_async (self, COMMAND_DISCARD, item, callback, user_data);
}

gboolean
kt_outbox_model_finish (KtOutboxModel *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
