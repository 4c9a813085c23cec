/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A slot of a list: a position whose record changes. What it shows stays until the
 * next record is there, so a refresh never blinks; but when another record stands
 * here and is not loaded yet, the slot is empty: an old name beside a new position
 * would be a lie that a click could act on. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-row-private.h"

typedef struct
{
  const KtField *field; /* NULL: the title */
  char *text;
} Text;

struct _KtRow
{
  GObject parent_instance;

  /* owned */
  KtRecord *record;
  GArray *texts; /* Text */

  /* borrowed */
  KtListModel *model;     /* NULL: gone */
  KtWorkspace *workspace; /* as long as model */

  /* state */
  gint64 key;
  guint position;
  KtRowState state;
};

enum
{
  PROP_0,
  PROP_RECORD,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (KtRow, kt_row, G_TYPE_OBJECT)

static void
text_clear (gpointer data)
{
  g_free (((Text *) data)->text);
}

static char *
make_text (KtRow *self, const KtField *field)
{
  if (self->record == NULL || self->workspace == NULL)
    return g_strdup ("");
  if (field == NULL)
    return kt_workspace_record_title (self->workspace, self->record);
  return kt_workspace_display (self->workspace, field, _kt_value_of (self->record, field));
}

static const char *
text_of (KtRow *self, const KtField *field)
{
  Text text = { field, NULL };

  for (guint i = 0; i < self->texts->len; i++)
    if (g_array_index (self->texts, Text, i).field == field)
      return g_array_index (self->texts, Text, i).text;
  if (self->record == NULL)
    return "";
  text.text = make_text (self, field);
  g_array_append_val (self->texts, text);
  return text.text;
}

/* ---- for the list model ---- */

KtRow *
_kt_row_new (KtListModel *model, KtWorkspace *workspace, guint position, gint64 key)
{
  KtRow *self = g_object_new (KT_TYPE_ROW, NULL);

  self->model = model;
  self->workspace = workspace;
  self->position = position;
  self->key = key;
  return self;
}

void
_kt_row_detach (KtRow *row)
{
  row->model = NULL;
  row->workspace = NULL;
}

gint64
_kt_row_key (KtRow *row)
{
  return row->key;
}

/* Read again and found the same: nobody needs to be told. */
static gboolean
same_record (const KtRecord *a, const KtRecord *b)
{
  if (a == NULL || a->rev != b->rev || !kt_id_equal (&a->id, &b->id))
    return FALSE;
  /* Each connection has its own instance of the schema. */
  if (a->object != b->object
      && !g_str_equal (kt_schema_digest (a->object->schema), kt_schema_digest (b->object->schema)))
    return FALSE;
  for (guint i = 0; i < a->object->n_fields; i++)
    if (!kt_value_equal (&a->values[i], &b->values[i]))
      return FALSE;
  return TRUE;
}

gboolean
_kt_row_set (KtRow *row, gint64 key, KtRecord *record)
{
  gboolean same = row->key == key;

  row->key = key;
  if (row->record == record || (same && record == NULL)
      || (record != NULL && same_record (row->record, record)))
    return FALSE;
  g_array_set_size (row->texts, 0);
  g_clear_pointer (&row->record, kt_record_unref);
  row->record = record != NULL ? kt_record_ref (record) : NULL;
  row->state = record != NULL && row->workspace != NULL
                 ? kt_workspace_get_row_state (row->workspace, &record->id)
                 : KT_ROW_SETTLED;
  return TRUE;
}

gboolean
_kt_row_refresh_texts (KtRow *row)
{
  gboolean changed = FALSE;

  for (guint i = 0; i < row->texts->len; i++)
    {
      Text *text = &g_array_index (row->texts, Text, i);
      char *fresh;

      if (text->field != NULL && text->field->to == NULL && text->field->type != KT_FIELD_FILE
          && text->field->type != KT_FIELD_IMAGE)
        continue;
      fresh = make_text (row, text->field);
      if (g_str_equal (fresh, text->text))
        {
          g_free (fresh);
          continue;
        }
      g_free (text->text);
      text->text = fresh;
      changed = TRUE;
    }
  return changed;
}

gboolean
_kt_row_refresh_state (KtRow *row)
{
  KtRowState before = row->state;

  if (row->record != NULL && row->workspace != NULL)
    row->state = kt_workspace_get_row_state (row->workspace, &row->record->id);
  return row->state != before;
}

void
_kt_row_notify (KtRow *row)
{
  g_object_notify_by_pspec (G_OBJECT (row), props[PROP_RECORD]);
}

/* ---- GObject ---- */

static void
kt_row_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_RECORD:
      g_value_set_boxed (value, KT_ROW (object)->record);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_row_dispose (GObject *object)
{
  KtRow *self = KT_ROW (object);

  if (self->model != NULL)
    _kt_list_model_forget (self->model, self->position);
  _kt_row_detach (self);
  G_OBJECT_CLASS (kt_row_parent_class)->dispose (object);
}

static void
kt_row_finalize (GObject *object)
{
  KtRow *self = KT_ROW (object);

  g_array_unref (self->texts);
  kt_record_unref (self->record);
  G_OBJECT_CLASS (kt_row_parent_class)->finalize (object);
}

static void
kt_row_class_init (KtRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = kt_row_get_property;
  object_class->dispose = kt_row_dispose;
  object_class->finalize = kt_row_finalize;

  props[PROP_RECORD] =
    g_param_spec_boxed ("record", NULL, NULL, KT_TYPE_RECORD,
                        G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
kt_row_init (KtRow *self)
{
  self->texts = g_array_new (FALSE, FALSE, sizeof (Text));
  g_array_set_clear_func (self->texts, text_clear);
}

/* ---- public API ---- */

KtRecord *
kt_row_get_record (KtRow *row)
{
  g_return_val_if_fail (KT_IS_ROW (row), NULL);

  return row->record;
}

guint
kt_row_get_position (KtRow *row)
{
  g_return_val_if_fail (KT_IS_ROW (row), G_MAXUINT);

  return row->position;
}

const char *
kt_row_get_text (KtRow *row, const KtField *field)
{
  g_return_val_if_fail (KT_IS_ROW (row) && field != NULL, "");

  return text_of (row, field);
}

const char *
kt_row_get_title (KtRow *row)
{
  g_return_val_if_fail (KT_IS_ROW (row), "");

  return text_of (row, NULL);
}

KtRowState
kt_row_get_state (KtRow *row)
{
  g_return_val_if_fail (KT_IS_ROW (row), KT_ROW_SETTLED);

  return row->state;
}
