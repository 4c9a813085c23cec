/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The outbox in sentences. What does not fit (a large import makes hundreds of
 * entries) is a number. Entries of one record stand together, at the place of the
 * first of them, newest last; records with something parked come first, since that
 * needs a person.                                                              */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "base/kt-error.h"
#include "kt-editor-private.h"
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
  char *record_title;
  KtMutation *mutation; /* parked ones: to be put right */
  KtSchema *schema;
  KtId id;
  gboolean waits;
  gint64 group; /* no of the first entry of its record */
  gboolean group_parked;
} Line;

struct _KtOutboxItem
{
  GObject parent_instance;

  /* owned */
  char *text;
  char *reason;
  char *when;
  char *record_title;
  GPtrArray *values; /* KtOutboxValue: what a parked one wants, to be put right */

  /* borrowed */
  const KtObject *object;

  /* state */
  gint64 no;
  gint64 made_us;
  KtId id;
  KtOutboxItemState state;
  gboolean waits;
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
  guint parked : 1; /* only those */
};

enum
{
  ITEM_0,
  ITEM_TEXT,
  ITEM_REASON,
  ITEM_WHEN,
  ITEM_STATE,
  ITEM_RECORD_TITLE,
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
    case ITEM_RECORD_TITLE:
      g_value_set_string (value, self->record_title);
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
  g_free (self->record_title);
  g_ptr_array_unref (self->values);
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
  item_props[ITEM_RECORD_TITLE] = g_param_spec_string ("record-title", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_ITEM_PROPS, item_props);
}

typedef struct
{
  KtOutboxValue shown; /* first: the array is of these */
  KtValue wanted;
} Value;

static void
value_free (gpointer data)
{
  Value *value = data;

  g_free (value->shown.text);
  kt_value_clear (&value->wanted);
  g_free (value);
}

static void
kt_outbox_item_init (KtOutboxItem *self)
{
  self->values = g_ptr_array_new_with_free_func (value_free);
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

/* The values of the first record that the change is about. */
static void
take_values (KtOutboxItem *self, KtWorkspace *workspace, const Line *line)
{
  g_ptr_array_set_size (self->values, 0);
  for (guint i = 0; line->mutation != NULL && self->object != NULL && i < line->mutation->ops->len; i++)
    {
      const KtOp *op = line->mutation->ops->pdata[i];

      if (!kt_id_equal (&op->id, &line->id) || op->patch == NULL)
        continue;
      for (guint k = 0; k < op->patch->changes->len; k++)
        {
          const KtChange *change = &g_array_index (op->patch->changes, KtChange, k);
          const KtField *field = kt_object_field (self->object, change->field->name);
          Value *value;

          if (field == NULL || field->to != NULL || field->system || field->computed)
            continue;
          value = g_new0 (Value, 1);
          value->shown.field = field;
          value->shown.text = _kt_field_edit_text (workspace, field, &change->after);
          kt_value_copy (&change->after, &value->wanted);
          g_ptr_array_add (self->values, value);
        }
      return;
    }
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
  take_text (self, &self->record_title, line->record_title, ITEM_RECORD_TITLE);
  self->waits = line->waits;
  take_values (self, workspace, line);
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
  g_free (line->record_title);
  kt_mutation_free (line->mutation);
  kt_schema_unref (line->schema);
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
line_new (KtLocal *local, KtOutboxEntry *entry, const char *locale)
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
      line->record_title = title_func (op->object, &op->id, local);
    }
  line->waits = g_strcmp0 (entry->reason_code, "waiting") == 0;
  if (line->state == KT_OUTBOX_ITEM_PARKED)
    {
      line->schema = kt_schema_ref ((KtSchema *) kt_local_schema (local));
      line->mutation = g_steal_pointer (&entry->mutation);
    }
  return line;
}

static int
compare_lines (gconstpointer a, gconstpointer b)
{
  const Line *x = *(const Line *const *) a;
  const Line *y = *(const Line *const *) b;

  if (x->group_parked != y->group_parked)
    return x->group_parked ? -1 : 1;
  if (x->group != y->group)
    return x->group < y->group ? -1 : 1;
  return x->no < y->no ? -1 : x->no > y->no;
}

static void
group_lines (GPtrArray *lines)
{
  g_autoptr (GHashTable) groups = g_hash_table_new (kt_id_hash, kt_id_equal);

  for (guint i = 0; i < lines->len; i++)
    {
      Line *line = lines->pdata[i];
      Line *first = g_hash_table_lookup (groups, &line->id);

      if (first == NULL)
        g_hash_table_insert (groups, &line->id, line);
      first = first != NULL ? first : line;
      line->group = first->no;
      first->group_parked |= line->state == KT_OUTBOX_ITEM_PARKED;
    }
  for (guint i = 0; i < lines->len; i++)
    {
      Line *line = lines->pdata[i];

      line->group_parked = ((Line *) g_hash_table_lookup (groups, &line->id))->group_parked;
    }
}

typedef struct
{
  char *locale;
  gboolean parked;
} Ask;

static void
ask_free (Ask *ask)
{
  g_free (ask->locale);
  g_free (ask);
}

static gpointer
outbox_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Ask *wanted = data;
  g_autoptr (GPtrArray) entries = kt_local_outbox (local, MAX_SHOWN, error);
  KtOutboxCounts counts;
  Answer *answer;
  gint64 all;

  if (entries == NULL || !kt_local_outbox_counts (local, &counts, error))
    return NULL;
  answer = g_new0 (Answer, 1);
  answer->lines = g_ptr_array_new_with_free_func ((GDestroyNotify) line_free);
  for (guint i = 0; i < entries->len; i++)
    if (!wanted->parked || ((KtOutboxEntry *) entries->pdata[i])->state == KT_OUTBOX_PARKED)
      g_ptr_array_add (answer->lines, line_new (local, entries->pdata[i], wanted->locale));
  group_lines (answer->lines);
  g_ptr_array_sort (answer->lines, compare_lines);
  all = wanted->parked ? counts.parked : counts.queued + counts.sent + counts.parked;
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
  Ask *wanted;

  self->again = FALSE;
  if (store == NULL || g_cancellable_is_cancelled (self->cancellable))
    return;
  self->asking = TRUE;
  wanted = g_new0 (Ask, 1);
  wanted->locale = g_strdup (kt_workspace_get_locale (self->workspace));
  wanted->parked = self->parked;
  kt_store_read_async (store, outbox_job, wanted, (GDestroyNotify) ask_free, (GDestroyNotify) answer_free, self->cancellable, asked_cb,
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
  COMMAND_DISCARD,
  COMMAND_AMEND,
  COMMAND_EXPORT
} CommandKind;
typedef struct
{
  KtStore *store;
  CommandKind kind;
  gint64 no;
  KtId id;
  KtPatch *values;
  KtSchema *schema; /* of values */
  char *path;
} Command;

static void
command_free (Command *command)
{
  kt_patch_free (command->values);
  kt_schema_unref (command->schema);
  g_free (command->path);
  g_free (command);
}

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
    case COMMAND_AMEND:
      ok = kt_local_amend (local, command->no, &command->id, command->values, &changes, error);
      break;
    case COMMAND_EXPORT:
      ok = kt_local_export_outbox (local, command->path, NULL, error);
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
run_command (KtOutboxModel *self, Command *command, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);

  g_task_set_source_tag (task, run_command);
  if (!_kt_workspace_check_open (self->workspace, task))
    {
      command_free (command);
      g_object_unref (task);
      return;
    }
  command->store = _kt_workspace_store (self->workspace);
  kt_store_write_async (command->store, command_job, command, (GDestroyNotify) command_free, NULL,
                        NULL, command_cb, task);
}

static void
command_async (KtOutboxModel *self,
               CommandKind kind,
               KtOutboxItem *item,
               GAsyncReadyCallback callback,
               gpointer user_data)
{
  Command *command = g_new0 (Command, 1);

  command->kind = kind;
  command->no = item->no;
  run_command (self, command, callback, user_data);
}

/* One typed text for each of the item's values. */
static KtPatch *
typed_values (KtOutboxModel *self, KtOutboxItem *item, const char *const *texts, GError **error)
{
  g_autoptr (KtPatch) patch = kt_patch_new (item->object);

  for (guint i = 0; i < item->values->len; i++)
    {
      const Value *one = item->values->pdata[i];
      const KtField *field = one->shown.field;
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_autofree char *problem = NULL;

      if (texts[i] == NULL || g_str_equal (texts[i], one->shown.text))
        continue;
      if (!_kt_field_parse (self->workspace, field, texts[i], &one->wanted, &value, &problem))
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: %s",
                       kt_field_label (field, kt_workspace_get_locale (self->workspace)),
                       problem);
          return NULL;
        }
      kt_patch_set (patch, field, &one->wanted, &value);
    }
  return g_steal_pointer (&patch);
}

void
kt_outbox_model_amend_async (KtOutboxModel *self,
                             KtOutboxItem *item,
                             const char *const *texts,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_autoptr (KtPatch) values = NULL;
  GError *error = NULL;
  Command *command;

  g_return_if_fail (KT_IS_OUTBOX_MODEL (self) && KT_IS_OUTBOX_ITEM (item) && texts != NULL);

  values = item->object != NULL ? typed_values (self, item, texts, &error) : NULL;
  if (values == NULL)
    {
      if (error == NULL)
        error = g_error_new_literal (KT_ERROR, KT_ERROR_INVALID, _ ("There is nothing to put right"));
      g_task_report_error (self, callback, user_data, kt_outbox_model_amend_async, error);
      return;
    }
  command = g_new0 (Command, 1);
  /* As it was: then it is just tried again. */
  command->kind = kt_patch_length (values) > 0 ? COMMAND_AMEND : COMMAND_RETRY;
  command->no = item->no;
  command->id = item->id;
  command->schema = kt_schema_ref ((KtSchema *) item->object->schema);
  command->values = g_steal_pointer (&values);
  run_command (self, command, callback, user_data);
}

void
kt_outbox_model_export_async (KtOutboxModel *self,
                              const char *path,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  Command *command;

  g_return_if_fail (KT_IS_OUTBOX_MODEL (self) && path != NULL);

  command = g_new0 (Command, 1);
  command->kind = COMMAND_EXPORT;
  command->path = g_strdup (path);
  run_command (self, command, callback, user_data);
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

const char *
kt_outbox_item_get_record_title (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), "");

  return item->record_title != NULL ? item->record_title : "";
}

gboolean
kt_outbox_item_get_waits (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), FALSE);

  return item->waits;
}

GPtrArray *
kt_outbox_item_get_values (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), NULL);

  return item->values;
}

const KtId *
kt_outbox_item_get_id (KtOutboxItem *item)
{
  g_return_val_if_fail (KT_IS_OUTBOX_ITEM (item), NULL);

  return &item->id;
}

static KtOutboxModel *
model_new (KtWorkspace *workspace, gboolean parked)
{
  KtOutboxModel *self = g_object_new (KT_TYPE_OUTBOX_MODEL, NULL);

  self->parked = parked;
  self->workspace = g_object_ref (workspace);
  g_signal_connect_object (workspace, "changed", G_CALLBACK (changed_cb), self, 0);
  ask (self);
  return self;
}

KtOutboxModel *
kt_outbox_model_new (KtWorkspace *workspace)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  return model_new (workspace, FALSE);
}

KtOutboxModel *
kt_outbox_model_new_parked (KtWorkspace *workspace)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  return model_new (workspace, TRUE);
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
