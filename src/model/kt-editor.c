/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One record being edited.
 *
 *   base                what the store shows now
 *   edit of a field     { before: what the person saw when they began; value: what they want, or raw: what they typed that is no value }
 *
 * Shown is the edit where there is one, else the base. When the base moves under an
 * edit, "theirs" is the new base: it differs from before. An edit that equals the base
 * is no edit. The patch that is saved goes from before to value, so that a merge
 * sees what the person saw (P6), however often the base moved meanwhile.            */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "base/kt-error.h"
#include "kt-editor-private.h"

enum
{
  PROP_0,
  PROP_RECORD,
  PROP_DIRTY,
  PROP_IS_NEW,
  PROP_GONE,
  PROP_IN_BIN,
  PROP_TITLE,
  PROP_SUBTITLE,
  PROP_SAVING,
  PROP_ROW_STATE,
  PROP_ERROR,
  N_PROPS
};
enum
{
  FIELD_CHANGED,
  RELATIONS_CHANGED,
  SAVED,
  N_SIGNALS
};

static GParamSpec *props[N_PROPS];
static guint signals[N_SIGNALS];
static const KtValue null_value = KT_VALUE_INIT;

static void load (KtEditor *self);

G_DEFINE_FINAL_TYPE (KtEditor, kt_editor, G_TYPE_OBJECT)

/* ---- edits ---- */

static void
edit_free (Edit *edit)
{
  kt_value_clear (&edit->value);
  kt_value_clear (&edit->before);
  g_free (edit->raw);
  g_free (edit->problem);
  g_free (edit);
}

const char *
_kt_editor_name (const KtField *field)
{
  return field != NULL ? g_intern_string (field->name) : g_intern_static_string ("");
}

static Edit *
edit_of (KtEditor *self, const KtField *field)
{
  return g_hash_table_lookup (self->edits, _kt_editor_name (field));
}

/* The caller's field in our schema; NULL: there is no such field any more. */
static const KtField *
own_field (KtEditor *self, const KtField *field)
{
  return field != NULL ? _kt_field_of (self->object, field) : NULL;
}

static const KtValue *
base_value (KtEditor *self, const KtField *field)
{
  return _kt_value_of (self->base, field);
}

static const KtValue *
shown_value (KtEditor *self, const KtField *field)
{
  Edit *edit = edit_of (self, field);

  return edit != NULL ? &edit->value : base_value (self, field);
}

static gboolean
has_theirs (KtEditor *self, const Edit *edit)
{
  const KtValue *base = base_value (self, edit->field);

  return !self->is_new && self->base != NULL && !kt_value_equal (base, &edit->before)
         && !(edit->raw == NULL && kt_value_equal (base, &edit->value));
}

KtRecord *
_kt_editor_shown (KtEditor *self)
{
  GHashTableIter iter;
  gpointer value;

  if (self->shown != NULL || self->base == NULL)
    return self->shown;
  if (g_hash_table_size (self->edits) == 0)
    {
      self->shown = kt_record_ref (self->base);
      return self->shown;
    }
  self->shown = kt_record_copy (self->base);
  g_hash_table_iter_init (&iter, self->edits);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Edit *edit = value;
      const KtField *field = _kt_field_of (self->shown->object, edit->field);

      if (field == NULL)
        continue;
      kt_value_clear (&self->shown->values[field->index]);
      kt_value_copy (&edit->value, &self->shown->values[field->index]);
    }
  return self->shown;
}

/* ---- properties that follow ---- */

static void
notify (KtEditor *self, guint prop)
{
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

#define SET_FLAG(self, flag, on, prop) \
  G_STMT_START                         \
  {                                    \
    gboolean on_ = (on) != 0;          \
    if ((self)->flag != on_)           \
      {                                \
        (self)->flag = on_;            \
        notify (self, prop);           \
      }                                \
  }                                    \
  G_STMT_END

static void
set_text (KtEditor *self, char **place, char *text, guint prop)
{
  if (g_strcmp0 (*place, text) == 0)
    {
      g_free (text);
      return;
    }
  g_free (*place);
  *place = text;
  notify (self, prop);
}

static char *
make_title (KtEditor *self)
{
  KtRecord *record = _kt_editor_shown (self);
  const KtField *title = self->object->title;
  const char *label = kt_object_label (self->object, kt_workspace_get_locale (self->workspace));

  if (record == NULL)
    return g_strdup (self->gone ? label : "");
  if (self->is_new && kt_value_is_null (_kt_value_of (record, title)))
    /* Translators: title of a record that is being made; %s is its kind, such as “Contact”. */
    return g_strdup_printf (_ ("New %s"), label);
  return kt_workspace_record_title (self->workspace, record);
}

static void
follow (KtEditor *self)
{
  KtRecord *record = _kt_editor_shown (self);

  SET_FLAG (self, dirty, g_hash_table_size (self->edits) > 0, PROP_DIRTY);
  SET_FLAG (self, in_bin, self->base != NULL && kt_record_deleted (self->base), PROP_IN_BIN);
  set_text (self, &self->title, make_title (self), PROP_TITLE);
  set_text (self, &self->subtitle,
            record != NULL ? kt_workspace_record_subtitle (self->workspace, record) : g_strdup (""),
            PROP_SUBTITLE);
}

void
_kt_editor_field_changed (KtEditor *self, const KtField *field)
{
  g_signal_emit (self, signals[FIELD_CHANGED], 0, field);
}

/* A field, or (NULL) everything, is shown differently now. */
static void
shown_changed (KtEditor *self, const KtField *field)
{
  g_clear_pointer (&self->shown, kt_record_unref);
  notify (self, PROP_RECORD);
  follow (self);
  _kt_editor_field_changed (self, field);
}

/* ---- the base moves ---- */

static void
drop_settled (KtEditor *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->edits);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Edit *edit = value;

      if (edit->raw == NULL && edit->problem == NULL
          && kt_value_equal (&edit->value, base_value (self, edit->field)))
        g_hash_table_iter_remove (&iter);
    }
}

static void
set_base (KtEditor *self, KtRecord *record)
{
  g_autoptr (KtRecord) old = g_steal_pointer (&self->base);
  g_autoptr (GPtrArray) changed = g_ptr_array_new ();

  self->base = kt_record_ref (record);
  if (old != NULL)
    for (guint i = 0; i < self->object->n_fields; i++)
      if (!kt_value_equal (_kt_value_of (old, self->object->fields[i]),
                           base_value (self, self->object->fields[i])))
        g_ptr_array_add (changed, (gpointer) self->object->fields[i]);
  drop_settled (self);
  g_clear_pointer (&self->shown, kt_record_unref);
  if (old == NULL || changed->len > 0 || old->rev != record->rev)
    notify (self, PROP_RECORD);
  SET_FLAG (self, gone, FALSE, PROP_GONE);
  follow (self);
  if (old == NULL)
    _kt_editor_field_changed (self, NULL);
  for (guint i = 0; i < changed->len; i++)
    _kt_editor_field_changed (self, changed->pdata[i]);
}

typedef struct
{
  KtEditor *self;
  guint load;
} Loading;

static void
loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Loading *loading = user_data;
  g_autoptr (KtEditor) self = loading->self;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtRecord) record = _kt_record_load_finish (result, &error);

  if (loading->load != self->load)
    return;
  if (error != NULL)
    {
      if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
      g_clear_error (&self->error);
      self->error = g_steal_pointer (&error);
      notify (self, PROP_ERROR);
      return;
    }
  if (self->error != NULL)
    {
      g_clear_error (&self->error);
      notify (self, PROP_ERROR);
    }
  if (record != NULL)
    {
      set_base (self, record);
      return;
    }
  /* What was typed stays readable; there is nothing to save it to. */
  SET_FLAG (self, gone, TRUE, PROP_GONE);
  follow (self);
  _kt_editor_field_changed (self, NULL);
}

static void
load (KtEditor *self)
{
  Loading *loading = g_new0 (Loading, 1);

  loading->self = g_object_ref (self);
  loading->load = ++self->load;
  _kt_record_load_async (self->workspace, self->object, &self->id, self->cancellable, loaded_cb,
                         loading);
}

static void
changed_cb (KtWorkspace *workspace, KtChanges *changes, gpointer user_data)
{
  KtEditor *self = user_data;

  if (!self->is_new && kt_changes_record (changes, &self->id))
    load (self);
  _kt_related_changed (self->related, changes);
}

/* The same values in a record of another schema. */
static KtRecord *
translated (const KtRecord *record, const KtObject *object)
{
  KtRecord *copy = kt_record_new (object, &record->id);

  copy->rev = record->rev;
  copy->rid = record->rid;
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *old = kt_object_field (record->object, object->fields[i]->name);

      if (old != NULL && old->storage == object->fields[i]->storage)
        kt_value_copy (&record->values[old->index], &copy->values[i]);
    }
  return copy;
}

static void
schema_cb (KtWorkspace *workspace, GParamSpec *pspec, gpointer user_data)
{
  KtEditor *self = user_data;
  const KtObject *object = _kt_workspace_adopt (workspace, self->object);
  GHashTableIter iter;
  gpointer value;

  if (object == NULL || object == self->object)
    return;
  self->object = object;
  g_hash_table_iter_init (&iter, self->edits);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Edit *edit = value;
      const KtField *field = kt_object_field (object, edit->field->name);

      /* A retired field keeps its edit, under the old pointer, for the person to copy. */
      if (field != NULL)
        edit->field = field;
    }
  if (self->base != NULL)
    {
      KtRecord *base = translated (self->base, object);

      kt_record_unref (self->base);
      self->base = base;
    }
  shown_changed (self, NULL);
  if (!self->is_new)
    load (self);
}

static void
titles_changed_cb (KtWorkspace *workspace, gpointer user_data)
{
  KtEditor *self = user_data;
  g_autoptr (GPtrArray) changed = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer name, text;

  follow (self);
  g_hash_table_iter_init (&iter, self->displays);
  while (g_hash_table_iter_next (&iter, &name, &text))
    {
      const KtField *field = kt_object_field (self->object, name);
      g_autofree char *fresh =
        field != NULL ? kt_workspace_display (workspace, field, shown_value (self, field)) : NULL;

      if (fresh != NULL && !g_str_equal (fresh, text))
        g_ptr_array_add (changed, (gpointer) field);
    }
  for (guint i = 0; i < changed->len; i++)
    _kt_editor_field_changed (self, changed->pdata[i]);
}

static void
states_changed_cb (KtWorkspace *workspace, gpointer user_data)
{
  KtEditor *self = user_data;
  KtRowState state = kt_workspace_get_row_state (workspace, &self->id);

  if (state == self->row_state)
    return;
  self->row_state = state;
  notify (self, PROP_ROW_STATE);
}

/* ---- editing ---- */

static char *
required_problem (const KtField *field, const KtValue *value)
{
  if (!field->required || field->computed || !kt_value_is_null (value))
    return NULL;
  return g_strdup (_ ("This is needed"));
}

static Edit *
begin_edit (KtEditor *self, const KtField *field)
{
  Edit *edit = edit_of (self, field);

  if (edit != NULL)
    return edit;
  edit = g_new0 (Edit, 1);
  edit->field = field;
  kt_value_copy (base_value (self, field), &edit->before);
  kt_value_copy (base_value (self, field), &edit->value);
  edit->before_rev = self->base->rev;
  g_hash_table_insert (self->edits, (gpointer) _kt_editor_name (field), edit);
  return edit;
}

static void
drop_edit (KtEditor *self, const KtField *field)
{
  gboolean any = g_hash_table_remove (self->edits, _kt_editor_name (field));

  any |= g_hash_table_remove (self->problems, _kt_editor_name (field));
  if (any)
    shown_changed (self, field);
}

/* Whether @field can be typed into; a bug of the caller otherwise is not worth a crash. */
static const KtField *
editable (KtEditor *self, const KtField *field)
{
  const KtField *own = own_field (self, field);

  return self->base != NULL && own != NULL && !own->computed ? own : NULL;
}

static void
put_value (KtEditor *self, const KtField *field, const KtValue *value)
{
  Edit *edit;

  if (kt_value_equal (value, base_value (self, field)))
    {
      drop_edit (self, field);
      return;
    }
  edit = edit_of (self, field);
  if (edit != NULL && edit->raw == NULL && edit->problem == NULL
      && kt_value_equal (value, &edit->value))
    return;
  edit = begin_edit (self, field);
  kt_value_clear (&edit->value);
  kt_value_copy (value, &edit->value);
  g_clear_pointer (&edit->raw, g_free);
  g_free (edit->problem);
  edit->problem = required_problem (field, value);
  g_hash_table_remove (self->problems, _kt_editor_name (field));
  shown_changed (self, field);
}

/* ---- GObject ---- */

static void
kt_editor_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtEditor *self = KT_EDITOR (object);

  switch (id)
    {
    case PROP_RECORD:
      g_value_set_boxed (value, _kt_editor_shown (self));
      break;
    case PROP_DIRTY:
      g_value_set_boolean (value, self->dirty);
      break;
    case PROP_IS_NEW:
      g_value_set_boolean (value, self->is_new);
      break;
    case PROP_GONE:
      g_value_set_boolean (value, self->gone);
      break;
    case PROP_IN_BIN:
      g_value_set_boolean (value, self->in_bin);
      break;
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;
    case PROP_SUBTITLE:
      g_value_set_string (value, self->subtitle);
      break;
    case PROP_SAVING:
      g_value_set_boolean (value, self->saving);
      break;
    case PROP_ROW_STATE:
      g_value_set_enum (value, self->row_state);
      break;
    case PROP_ERROR:
      g_value_set_boxed (value, self->error);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_editor_dispose (GObject *object)
{
  KtEditor *self = KT_EDITOR (object);

  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->related, _kt_related_free);
  G_OBJECT_CLASS (kt_editor_parent_class)->dispose (object);
}

static void
kt_editor_finalize (GObject *object)
{
  KtEditor *self = KT_EDITOR (object);

  kt_record_unref (self->base);
  kt_record_unref (self->shown);
  g_hash_table_unref (self->edits);
  g_hash_table_unref (self->problems);
  g_hash_table_unref (self->displays);
  g_clear_error (&self->error);
  g_free (self->title);
  g_free (self->subtitle);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_editor_parent_class)->finalize (object);
}

static void
kt_editor_class_init (KtEditorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_editor_get_property;
  object_class->dispose = kt_editor_dispose;
  object_class->finalize = kt_editor_finalize;

  props[PROP_RECORD] = g_param_spec_boxed ("record", NULL, NULL, KT_TYPE_RECORD, flags);
  props[PROP_DIRTY] = g_param_spec_boolean ("dirty", NULL, NULL, FALSE, flags);
  props[PROP_IS_NEW] = g_param_spec_boolean ("is-new", NULL, NULL, FALSE, flags);
  props[PROP_GONE] = g_param_spec_boolean ("gone", NULL, NULL, FALSE, flags);
  props[PROP_IN_BIN] = g_param_spec_boolean ("in-bin", NULL, NULL, FALSE, flags);
  props[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  props[PROP_SUBTITLE] = g_param_spec_string ("subtitle", NULL, NULL, NULL, flags);
  props[PROP_SAVING] = g_param_spec_boolean ("saving", NULL, NULL, FALSE, flags);
  props[PROP_ROW_STATE] =
    g_param_spec_enum ("row-state", NULL, NULL, KT_TYPE_ROW_STATE, KT_ROW_SETTLED, flags);
  props[PROP_ERROR] = g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);

  signals[FIELD_CHANGED] = g_signal_new ("field-changed", KT_TYPE_EDITOR, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
  signals[RELATIONS_CHANGED] = g_signal_new ("relations-changed", KT_TYPE_EDITOR, G_SIGNAL_RUN_LAST,
                                             0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[SAVED] = g_signal_new ("saved", KT_TYPE_EDITOR, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                 G_TYPE_NONE, 1, KT_TYPE_DONE);
}

static void
kt_editor_init (KtEditor *self)
{
  self->edits = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) edit_free);
  self->problems = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->displays = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->cancellable = g_cancellable_new ();
  self->title = g_strdup ("");
  self->subtitle = g_strdup ("");
}

/* ---- making ---- */

static KtEditor *
editor_new (KtWorkspace *workspace, const KtObject *object)
{
  KtEditor *self = g_object_new (KT_TYPE_EDITOR, NULL);
  const KtObject *now = _kt_workspace_adopt (workspace, object);

  self->workspace = g_object_ref (workspace);
  self->object = now != NULL ? now : object;
  self->related = _kt_related_new (self);
  g_signal_connect_object (workspace, "changed", G_CALLBACK (changed_cb), self, 0);
  g_signal_connect_object (workspace, "notify::schema", G_CALLBACK (schema_cb), self, 0);
  g_signal_connect_object (workspace, "titles-changed", G_CALLBACK (titles_changed_cb), self, 0);
  g_signal_connect_object (workspace, "states-changed", G_CALLBACK (states_changed_cb), self, 0);
  return self;
}

KtEditor *
kt_editor_new (KtWorkspace *workspace, const KtObject *object)
{
  KtEditor *self;
  const KtField *owner;
  const KtEnv *env;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace) && object != NULL, NULL);

  self = editor_new (workspace, object);
  env = _kt_workspace_env (workspace);
  self->is_new = TRUE;
  self->id = kt_id_new (env);
  self->base = kt_record_new (self->object, &self->id);
  kt_record_apply_defaults (self->base);
  /* As the store will do: shown from the start. */
  owner = kt_object_field (self->object, "owner");
  if (owner != NULL && owner->type == KT_FIELD_REF
      && kt_value_is_null (&self->base->values[owner->index])
      && !kt_id_is_nil (kt_workspace_get_user (workspace)))
    kt_value_set_id (&self->base->values[owner->index], kt_workspace_get_user (workspace));
  follow (self);
  return self;
}

KtEditor *
kt_editor_open (KtWorkspace *workspace, const KtObject *object, const KtId *id)
{
  KtEditor *self;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace) && object != NULL && id != NULL, NULL);

  self = editor_new (workspace, object);
  self->id = *id;
  self->row_state = kt_workspace_get_row_state (workspace, id);
  load (self);
  return self;
}

void
_kt_editor_preset (KtEditor *self, const KtField *field, const KtValue *value)
{
  KtRecord *base;

  g_assert (self->is_new && field->object == self->object);
  base = kt_record_copy (self->base);
  kt_value_clear (&base->values[field->index]);
  kt_value_copy (value, &base->values[field->index]);
  set_base (self, base);
  kt_record_unref (base);
}

void
_kt_editor_set_saving (KtEditor *self, gboolean saving)
{
  SET_FLAG (self, saving, saving, PROP_SAVING);
}

void
_kt_editor_saved (KtEditor *self, KtRecord *record, KtDone *done)
{
  SET_FLAG (self, is_new, FALSE, PROP_IS_NEW);
  /* A load that began before the commit would show the old values for a moment. */
  load (self);
  set_base (self, record);
  g_signal_emit (self, signals[SAVED], 0, done);
}

/* ---- reading ---- */

KtRelated *
_kt_editor_related (KtEditor *self)
{
  return self->related;
}

KtWorkspace *
kt_editor_get_workspace (KtEditor *self)
{
  g_return_val_if_fail (KT_IS_EDITOR (self), NULL);

  return self->workspace;
}

const KtObject *
kt_editor_get_object (KtEditor *self)
{
  g_return_val_if_fail (KT_IS_EDITOR (self), NULL);

  return self->object;
}

const KtId *
kt_editor_get_id (KtEditor *self)
{
  g_return_val_if_fail (KT_IS_EDITOR (self), NULL);

  return &self->id;
}

KtRecord *
kt_editor_get_record (KtEditor *self)
{
  g_return_val_if_fail (KT_IS_EDITOR (self), NULL);

  return _kt_editor_shown (self);
}

gboolean
kt_editor_get_dirty (KtEditor *self)
{
  g_return_val_if_fail (KT_IS_EDITOR (self), FALSE);

  return self->dirty;
}

gboolean
kt_editor_get_is_new (KtEditor *self)
{
  g_return_val_if_fail (KT_IS_EDITOR (self), FALSE);

  return self->is_new;
}

gboolean
kt_editor_get_gone (KtEditor *self)
{
  g_return_val_if_fail (KT_IS_EDITOR (self), FALSE);

  return self->gone;
}

const GError *
kt_editor_get_error (KtEditor *self)
{
  g_return_val_if_fail (KT_IS_EDITOR (self), NULL);

  return self->error;
}

const KtValue *
kt_editor_get_value (KtEditor *self, const KtField *field)
{
  const KtField *own;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL, &null_value);

  own = own_field (self, field);
  return own != NULL ? shown_value (self, own) : &null_value;
}

char *
kt_editor_get_text (KtEditor *self, const KtField *field)
{
  const KtField *own;
  const Edit *edit;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL, g_strdup (""));

  own = own_field (self, field);
  if (own == NULL)
    return g_strdup ("");
  edit = edit_of (self, own);
  if (edit != NULL && edit->raw != NULL)
    return g_strdup (edit->raw);
  return _kt_field_edit_text (self->workspace, own, shown_value (self, own));
}

char *
kt_editor_get_display (KtEditor *self, const KtField *field)
{
  const KtField *own;
  const Edit *edit;
  char *text;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL, g_strdup (""));

  own = own_field (self, field);
  if (own == NULL)
    return g_strdup ("");
  edit = edit_of (self, own);
  if (edit != NULL && edit->raw != NULL)
    return g_strdup (edit->raw);
  text = kt_workspace_display (self->workspace, own, shown_value (self, own));
  if (own->to != NULL || own->type == KT_FIELD_FILE || own->type == KT_FIELD_IMAGE)
    g_hash_table_insert (self->displays, (gpointer) _kt_editor_name (own), g_strdup (text));
  return text;
}

const char *
kt_editor_get_problem (KtEditor *self, const KtField *field)
{
  const KtField *own;
  const Edit *edit;

  g_return_val_if_fail (KT_IS_EDITOR (self), NULL);

  own = own_field (self, field);
  edit = own != NULL ? edit_of (self, own) : NULL;
  if (edit != NULL && edit->problem != NULL)
    return edit->problem;
  return g_hash_table_lookup (self->problems, _kt_editor_name (own));
}

gboolean
kt_editor_is_touched (KtEditor *self, const KtField *field)
{
  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL, FALSE);

  return edit_of (self, field) != NULL;
}

const KtValue *
kt_editor_get_theirs (KtEditor *self, const KtField *field)
{
  const Edit *edit;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL, NULL);

  edit = edit_of (self, field);
  return edit != NULL && has_theirs (self, edit) ? base_value (self, edit->field) : NULL;
}

char *
kt_editor_get_theirs_display (KtEditor *self, const KtField *field)
{
  const KtValue *theirs = kt_editor_get_theirs (self, field);

  return theirs != NULL ? kt_workspace_display (self->workspace, own_field (self, field), theirs)
                        : NULL;
}

gboolean
kt_editor_may_choose (KtEditor *self, const KtField *field, const char *option)
{
  const KtField *own;
  const KtValue *from;
  const KtJson *targets;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL && option != NULL, FALSE);

  own = own_field (self, field);
  if (own == NULL || own->transitions == NULL || self->is_new || self->base == NULL)
    return own != NULL;
  from = base_value (self, own);
  if (from->type != KT_VALUE_TEXT || g_str_equal (from->v.text, option))
    return TRUE;
  /* As kt_rules_check: a state the map does not know leads anywhere. */
  targets = kt_json_get (own->transitions, from->v.text);
  if (targets == NULL)
    return TRUE;
  for (guint i = 0; i < kt_json_length (targets); i++)
    if (g_strcmp0 (kt_json_string (kt_json_at (targets, i), NULL), option) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
refuse (char **reason, const char *text)
{
  if (reason != NULL)
    *reason = g_strdup (text);
  return FALSE;
}

gboolean
kt_editor_may_edit (KtEditor *self, const KtField *field, char **reason)
{
  const KtField *own;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL, FALSE);

  if (reason != NULL)
    *reason = NULL;
  own = own_field (self, field);
  if (self->gone || own == NULL)
    return refuse (reason, _ ("This record is no longer there"));
  if (self->base == NULL)
    return FALSE;
  if (self->in_bin)
    return refuse (reason, _ ("This record is in the bin; restore it to change it"));
  if (own->computed || own->type == KT_FIELD_AUTO_NUMBER)
    return refuse (reason, _ ("This is filled in automatically"));
  return self->is_new ? kt_workspace_may_create (self->workspace, self->object, reason)
                      : kt_workspace_may_edit (self->workspace, self->base, reason);
}

/* ---- writing ---- */

gboolean
kt_editor_set_text (KtEditor *self, const KtField *field, const char *text)
{
  const KtField *own;
  g_autofree char *untouched = NULL;
  g_autofree char *problem = NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;
  Edit *edit;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL && text != NULL, FALSE);

  own = editable (self, field);
  if (own == NULL)
    return FALSE;
  untouched = _kt_field_edit_text (self->workspace, own, base_value (self, own));
  if (g_str_equal (untouched, text))
    {
      drop_edit (self, own);
      return TRUE;
    }
  if (_kt_field_parse (self->workspace, own, text, shown_value (self, own), &value, &problem))
    {
      put_value (self, own, &value);
      return kt_editor_get_problem (self, own) == NULL;
    }
  edit = begin_edit (self, own);
  g_free (edit->raw);
  edit->raw = g_strdup (text);
  g_free (edit->problem);
  edit->problem = g_steal_pointer (&problem);
  g_hash_table_remove (self->problems, _kt_editor_name (own));
  shown_changed (self, own);
  return FALSE;
}

void
kt_editor_set_value (KtEditor *self, const KtField *field, const KtValue *value)
{
  const KtField *own;

  g_return_if_fail (KT_IS_EDITOR (self) && field != NULL && value != NULL);

  own = editable (self, field);
  if (own != NULL)
    put_value (self, own, value);
}

void
kt_editor_revert (KtEditor *self, const KtField *field)
{
  g_return_if_fail (KT_IS_EDITOR (self));

  if (field != NULL)
    {
      if (own_field (self, field) != NULL)
        drop_edit (self, own_field (self, field));
      return;
    }
  if (g_hash_table_size (self->edits) == 0 && g_hash_table_size (self->problems) == 0)
    return;
  g_hash_table_remove_all (self->edits);
  g_hash_table_remove_all (self->problems);
  shown_changed (self, NULL);
}
