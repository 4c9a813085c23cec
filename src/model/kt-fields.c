/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Fields and values across schemas. Records, queries and change sets may come from
 * another instance of the same schema (each connection has its own), or from an
 * older one: pointers are compared within one schema only, names across.       */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-model-private.h"

static const KtValue null_value = KT_VALUE_INIT;

const KtField *
_kt_field_of (const KtObject *object, const KtField *field)
{
  if (field == NULL || field->object == object)
    return field;
  /* The same schema loaded twice. */
  if (field->index < object->n_fields
      && g_str_equal (object->fields[field->index]->name, field->name))
    return object->fields[field->index];
  return kt_object_field (object, field->name);
}

const KtValue *
_kt_value_of (const KtRecord *record, const KtField *field)
{
  const KtField *own =
    record != NULL && field != NULL ? _kt_field_of (record->object, field) : NULL;

  return own != NULL ? &record->values[own->index] : &null_value;
}

KtQuery *
_kt_query_adopt (const KtQuery *query, const KtObject *object)
{
  KtQuery *copy;

  if (query->object == object)
    return kt_query_copy (query);

  copy = kt_query_new (object);
  copy->search = g_strdup (query->search);
  copy->bin = query->bin;
  copy->limit = query->limit;
  for (guint i = 0; query->sort != NULL && i < query->sort->len; i++)
    {
      const KtSort *sort = &g_array_index (query->sort, KtSort, i);
      const KtField *field =
        sort->field != NULL ? kt_object_field (object, sort->field->name) : NULL;

      if (field != NULL || sort->field == NULL)
        kt_query_add_sort (copy, field, sort->descending);
    }
  if (query->filter != NULL)
    {
      g_autofree char *text = kt_filter_to_text (query->filter);
      g_autoptr (GError) error = NULL;

      copy->filter = kt_filter_parse (object, text, &error);
      if (copy->filter == NULL)
        {
          g_debug ("a filter does not fit the new schema: %s", error->message);
          g_clear_pointer (&copy, kt_query_free);
        }
    }
  return copy;
}

const KtObject *
_kt_value_target (const KtSchema *schema, const KtField *field, const KtValue *value, KtId *id)
{
  if (kt_value_is_null (value))
    return NULL;
  switch (field->type)
    {
    case KT_FIELD_REF:
      *id = value->v.ref.id;
      return field->to != NULL && field->to[0] != NULL ? kt_schema_object (schema, field->to[0])
                                                       : NULL;
    case KT_FIELD_REF_ANY:
      *id = value->v.ref.id;
      return kt_schema_object (schema, value->v.ref.object);
    case KT_FIELD_FILE:
    case KT_FIELD_IMAGE:
      return kt_id_parse (value->v.text, -1, id) ? kt_schema_object (schema, "file") : NULL;
    default:
      return NULL;
    }
}

char **
_kt_value_items (const KtValue *value)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new ();

  if (value->type == KT_VALUE_LIST)
    {
      g_autoptr (KtJson) json = kt_json_parse (value->v.text, -1, NULL);

      for (guint i = 0; i < kt_json_length (json); i++)
        {
          const char *item = kt_json_string (kt_json_at (json, i), NULL);

          if (item != NULL)
            g_ptr_array_add (items, g_strdup (item));
        }
    }
  g_ptr_array_add (items, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&items), FALSE);
}

gboolean
_kt_value_set_items (const KtField *field, const char *const *items, KtValue *out, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (KtJson) json = NULL;
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_array (&writer);
  for (guint i = 0; items != NULL && items[i] != NULL; i++)
    kt_json_add_string (&writer, items[i]);
  kt_json_end_array (&writer);
  json = kt_json_parse (text->str, (gssize) text->len, error);
  return json != NULL && kt_value_from_json (field, json, out, error);
}
