/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Values with parts, for editors that know nothing of their form: lists, addresses,
 * references. Each goes through kt_editor_set_value. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-editor-private.h"
#include "kt-layout.h"

/* The field as the editor's object has it; the caller's may be of an older schema. */
static const KtField *
own_field (KtEditor *self, const KtField *field)
{
  return _kt_field_of (kt_editor_get_object (self), field);
}

/* ---- lists ---- */

char **
kt_editor_get_items (KtEditor *self, const KtField *field)
{
  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL, g_new0 (char *, 1));

  return _kt_value_items (kt_editor_get_value (self, field));
}

char **
kt_editor_get_item_labels (KtEditor *self, const KtField *field)
{
  KtWorkspace *workspace;
  const KtField *own;
  const KtObject *target = NULL;
  char **items;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL, g_new0 (char *, 1));

  items = kt_editor_get_items (self, field);
  workspace = kt_editor_get_workspace (self);
  own = own_field (self, field);
  if (own == NULL)
    return items;
  if (own->type == KT_FIELD_MANY && own->to != NULL && own->to[0] != NULL)
    target = kt_workspace_get_object (workspace, own->to[0]);
  for (guint i = 0; items[i] != NULL; i++)
    {
      const KtOption *option = kt_field_option (own, items[i]);
      const char *label = NULL;
      KtId id;

      if (own->type == KT_FIELD_MANY && kt_id_parse (items[i], -1, &id))
        {
          label = kt_workspace_peek_title (workspace, target, &id);
          label = label != NULL ? label : "";
        }
      else if (option != NULL)
        label = kt_option_label (option, kt_workspace_get_locale (workspace));
      if (label != NULL)
        {
          g_free (items[i]);
          items[i] = g_strdup (label);
        }
    }
  return items;
}

void
kt_editor_set_items (KtEditor *self, const KtField *field, const char *const *items)
{
  const KtField *own;
  g_auto (KtValue) value = KT_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  g_return_if_fail (KT_IS_EDITOR (self) && field != NULL);

  own = own_field (self, field);
  if (own == NULL)
    return;
  if (_kt_value_set_items (own, items, &value, &error))
    {
      kt_editor_set_value (self, own, &value);
      return;
    }
  /* What does not fit is kept as text, with its problem. */
  {
    g_autofree char *text = items != NULL ? g_strjoinv ("; ", (char **) items) : g_strdup ("");

    kt_editor_set_text (self, own, text);
  }
}

/* ---- addresses ---- */

char *
kt_editor_get_part (KtEditor *self, const KtField *field, const char *part)
{
  const KtValue *value;
  g_autoptr (KtJson) json = NULL;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL && part != NULL, g_strdup (""));

  value = kt_editor_get_value (self, field);
  if (value->type != KT_VALUE_JSON)
    return g_strdup ("");
  json = kt_json_parse (value->v.text, -1, NULL);
  return g_strdup (kt_json_get_string (json, part, ""));
}

void
kt_editor_set_part (KtEditor *self, const KtField *field, const char *part, const char *text)
{
  const KtField *own;
  const char *const *parts;
  g_autoptr (GString) out = NULL;
  KtJsonWriter writer;
  g_autoptr (KtJson) json = NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  g_return_if_fail (KT_IS_EDITOR (self) && field != NULL && part != NULL && text != NULL);

  own = own_field (self, field);
  if (own == NULL || own->type != KT_FIELD_ADDRESS)
    return;
  out = g_string_new (NULL);
  writer = (KtJsonWriter) KT_JSON_WRITER (out);
  parts = kt_layout_address_parts (NULL);
  kt_json_begin_object (&writer);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      g_autofree char *old =
        g_str_equal (parts[i], part) ? NULL : kt_editor_get_part (self, own, parts[i]);
      const char *now = old != NULL ? old : text;

      if (*now == '\0')
        continue;
      kt_json_key (&writer, parts[i]);
      kt_json_add_string (&writer, now);
    }
  kt_json_end_object (&writer);
  json = kt_json_parse (out->str, (gssize) out->len, &error);
  if (json != NULL && kt_value_from_json (own, json, &value, &error))
    kt_editor_set_value (self, own, &value);
  else
    g_debug ("part %s: %s", part, error->message);
}

/* ---- references ---- */

gboolean
kt_editor_get_link (KtEditor *self, const KtField *field, const KtObject **object, KtId *id)
{
  const KtSchema *schema;
  const KtObject *target;
  const KtField *own;
  KtId found;

  g_return_val_if_fail (KT_IS_EDITOR (self) && field != NULL, FALSE);

  own = own_field (self, field);
  schema = kt_workspace_get_schema (kt_editor_get_workspace (self));
  if (own == NULL || schema == NULL)
    return FALSE;
  target = _kt_value_target (schema, own, kt_editor_get_value (self, own), &found);
  if (target == NULL)
    return FALSE;
  if (object != NULL)
    *object = target;
  if (id != NULL)
    *id = found;
  return TRUE;
}

void
kt_editor_set_link (KtEditor *self, const KtField *field, const KtObject *object, const KtId *id)
{
  const KtField *own;
  g_auto (KtValue) value = KT_VALUE_INIT;

  g_return_if_fail (KT_IS_EDITOR (self) && field != NULL);

  own = own_field (self, field);
  if (own == NULL)
    return;
  if (id != NULL)
    {
      char text[KT_ID_TEXT_SIZE];

      switch (own->type)
        {
        case KT_FIELD_REF:
          kt_value_set_id (&value, id);
          break;
        case KT_FIELD_REF_ANY:
          g_return_if_fail (object != NULL);
          kt_value_set_any (&value, g_intern_string (object->name), id);
          break;
        case KT_FIELD_FILE:
        case KT_FIELD_IMAGE:
          kt_id_format (id, text);
          kt_value_set_text (&value, text);
          break;
        default:
          g_return_if_reached ();
        }
    }
  kt_editor_set_value (self, own, &value);
}
