/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-schema.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-schema-private.h"

#define MAX_LIST_FIELDS 8
#define DEFAULT_LIST_FIELDS 6

static const char *const type_words[KT_N_FIELD_TYPES] = {
  [KT_FIELD_TEXT] = "text",
  [KT_FIELD_LONG_TEXT] = "long_text",
  [KT_FIELD_RICH_TEXT] = "rich_text",
  [KT_FIELD_EMAIL] = "email",
  [KT_FIELD_PHONE] = "phone",
  [KT_FIELD_URL] = "url",
  [KT_FIELD_INTEGER] = "integer",
  [KT_FIELD_DECIMAL] = "decimal",
  [KT_FIELD_MONEY] = "money",
  [KT_FIELD_PERCENT] = "percent",
  [KT_FIELD_BOOLEAN] = "boolean",
  [KT_FIELD_DATE] = "date",
  [KT_FIELD_DATE_TIME] = "date_time",
  [KT_FIELD_DURATION] = "duration",
  [KT_FIELD_CHOICE] = "choice",
  [KT_FIELD_CHOICES] = "choices",
  [KT_FIELD_TAGS] = "tags",
  [KT_FIELD_REF] = "ref",
  [KT_FIELD_REF_ANY] = "ref_any",
  [KT_FIELD_MANY] = "many",
  [KT_FIELD_AUTO_NUMBER] = "auto_number",
  [KT_FIELD_ADDRESS] = "address",
  [KT_FIELD_FILE] = "file",
  [KT_FIELD_IMAGE] = "image",
  [KT_FIELD_JSON] = "json",
};

KtSchema *
kt_schema_ref (const KtSchema *schema)
{
  KtSchema *self = (KtSchema *) schema;

  g_return_val_if_fail (schema != NULL, NULL);

  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
kt_schema_unref (KtSchema *schema)
{
  if (schema == NULL || !g_atomic_ref_count_dec (&schema->refs))
    return;

  g_clear_pointer (&schema->by_name, g_hash_table_unref);
  g_clear_pointer (&schema->by_number, g_hash_table_unref);
  g_clear_pointer (&schema->objects, g_ptr_array_unref);
  g_clear_pointer (&schema->documents, g_ptr_array_unref);
  g_free (schema->json);
  g_free (schema->digest);
  g_free (schema);
}

const char *
kt_schema_to_json (const KtSchema *schema)
{
  g_return_val_if_fail (schema != NULL, NULL);

  return schema->json;
}

const char *
kt_schema_digest (const KtSchema *schema)
{
  g_return_val_if_fail (schema != NULL, NULL);

  return schema->digest;
}

guint
kt_schema_version (const KtSchema *schema)
{
  g_return_val_if_fail (schema != NULL, 0);

  return schema->version;
}

const KtObject *const *
kt_schema_objects (const KtSchema *schema, guint *n)
{
  g_return_val_if_fail (schema != NULL, NULL);

  if (n != NULL)
    *n = schema->objects->len;
  return (const KtObject *const *) schema->objects->pdata;
}

const KtObject *
kt_schema_object (const KtSchema *schema, const char *name)
{
  /* A profile that has no schema yet has no objects either. */
  return schema != NULL && name != NULL ? g_hash_table_lookup (schema->by_name, name) : NULL;
}

const KtObject *
kt_schema_object_by_number (const KtSchema *schema, guint number)
{
  g_return_val_if_fail (schema != NULL, NULL);

  return g_hash_table_lookup (schema->by_number, GUINT_TO_POINTER (number));
}

const KtField *
kt_object_field (const KtObject *object, const char *name)
{
  g_return_val_if_fail (object != NULL, NULL);

  return name != NULL ? g_hash_table_lookup (((const KtObjectReal *) object)->by_name, name) : NULL;
}

const KtField **
kt_object_list_fields (const KtObject *object, guint *n)
{
  const KtField **list;
  const KtJson *columns;
  guint count = 0;

  g_return_val_if_fail (object != NULL, NULL);

  list = g_new0 (const KtField *, MAX_LIST_FIELDS + 1);
  columns = kt_json_get (kt_json_get (object->json, "list"), "columns");
  for (guint i = 0; i < kt_json_length (columns) && count < MAX_LIST_FIELDS; i++)
    {
      const KtField *field =
        kt_object_field (object, kt_json_string (kt_json_at (columns, i), NULL));

      if (field != NULL)
        list[count++] = field;
    }

  if (count == 0)
    {
      list[count++] = object->title;
      for (guint i = 0; i < object->n_fields && count < DEFAULT_LIST_FIELDS; i++)
        {
          const KtField *field = object->fields[i];

          if (field != object->title && !field->system && (field->required || field->indexed))
            list[count++] = field;
        }
    }

  if (n != NULL)
    *n = count;
  return list;
}

const char *
kt_object_label (const KtObject *object, const char *locale)
{
  g_return_val_if_fail (object != NULL, NULL);

  return kt_json_localized (object->label, locale, object->name);
}

const char *
kt_object_plural (const KtObject *object, const char *locale)
{
  g_return_val_if_fail (object != NULL, NULL);

  return kt_json_localized (object->plural, locale, kt_object_label (object, locale));
}

const char *
kt_field_label (const KtField *field, const char *locale)
{
  g_return_val_if_fail (field != NULL, NULL);

  return kt_json_localized (field->label, locale, field->name);
}

const KtOption *
kt_field_option (const KtField *field, const char *value)
{
  g_return_val_if_fail (field != NULL, NULL);

  for (guint i = 0; value != NULL && i < field->n_options; i++)
    if (strcmp (field->options[i].value, value) == 0)
      return &field->options[i];
  return NULL;
}

const char *
kt_option_label (const KtOption *option, const char *locale)
{
  g_return_val_if_fail (option != NULL, NULL);

  return kt_json_localized (option->label, locale, option->value);
}

const char *
kt_field_type_word (KtFieldType type)
{
  g_return_val_if_fail ((guint) type < KT_N_FIELD_TYPES, NULL);

  return type_words[type];
}

gboolean
kt_field_accepts (const KtField *field, const char *object)
{
  g_return_val_if_fail (field != NULL, FALSE);

  if (field->to == NULL || object == NULL)
    return FALSE;
  for (guint i = 0; field->to[i] != NULL; i++)
    if (strcmp (field->to[i], object) == 0)
      return TRUE;
  return strcmp (field->to[0], "*") == 0
         && kt_schema_object (field->object->schema, object) != NULL;
}

/* ---- one schema after another ---- */

KtSchema *
kt_schema_with_numbers (const KtSchema *schema, const KtSchema *older, GError **error)
{
  g_autoptr (KtJson) mine = NULL;
  g_autoptr (KtJson) theirs = NULL;
  g_autoptr (GString) text = NULL;
  KtJsonWriter writer;
  gboolean started = FALSE;

  g_return_val_if_fail (schema != NULL && older != NULL, NULL);

  mine = kt_json_parse (schema->json, -1, error);
  theirs = mine != NULL ? kt_json_parse (older->json, -1, error) : NULL;
  if (theirs == NULL)
    return NULL;

  text = g_string_new (NULL);
  writer = (KtJsonWriter) KT_JSON_WRITER (text);
  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (mine); i++)
    {
      const char *key = kt_json_key_at (mine, i);
      const KtJson *member = kt_json_at (mine, i);

      if (strcmp (key, "numbers") == 0)
        {
          member = kt_json_get (theirs, "numbers");
          started = TRUE;
        }
      kt_json_key (&writer, key);
      kt_json_append (member, text, TRUE);
      writer.comma = TRUE;
    }
  g_assert (started);
  kt_json_end_object (&writer);
  return kt_schema_from_json (text->str, (gssize) text->len, error);
}

KtSchemaDiff *
kt_schema_diff (const KtSchema *from, const KtSchema *to)
{
  KtSchemaDiff *diff;

  g_return_val_if_fail (from != NULL && to != NULL, NULL);

  diff = g_new0 (KtSchemaDiff, 1);
  diff->new_objects = g_ptr_array_new ();
  diff->new_fields = g_ptr_array_new ();
  diff->new_indices = g_ptr_array_new ();
  diff->retired_fields = g_ptr_array_new ();
  diff->retired_objects = g_ptr_array_new ();
  diff->retyped_fields = g_ptr_array_new ();

  for (guint i = 0; i < to->objects->len; i++)
    {
      KtObject *object = g_ptr_array_index (to->objects, i);
      const KtObject *before = kt_schema_object (from, object->name);

      for (guint k = 0; before == NULL && object->was != NULL && object->was[k] != NULL; k++)
        before = kt_schema_object (from, object->was[k]);

      if (before == NULL)
        {
          g_ptr_array_add (diff->new_objects, object);
          continue;
        }
      for (guint j = 0; j < object->n_fields; j++)
        {
          const KtField *field = object->fields[j];
          const KtField *old = kt_object_field (before, field->name);

          for (guint k = 0; old == NULL && field->was != NULL && field->was[k] != NULL; k++)
            old = kt_object_field (before, field->was[k]);

          if (old == NULL)
            {
              g_ptr_array_add (diff->new_fields, (gpointer) field);
              if (field->indexed)
                g_ptr_array_add (diff->new_indices, (gpointer) field);
              continue;
            }
          if (field->indexed && !old->indexed)
            g_ptr_array_add (diff->new_indices, (gpointer) field);
          if (field->storage != old->storage || field->scale != old->scale)
            g_ptr_array_add (diff->retyped_fields, (gpointer) field);
        }
    }

  for (guint i = 0; i < from->objects->len; i++)
    {
      KtObject *object = g_ptr_array_index (from->objects, i);
      const KtObject *after = kt_schema_object (to, object->name);

      if (after == NULL)
        {
          g_ptr_array_add (diff->retired_objects, object);
          continue;
        }
      for (guint j = 0; j < object->n_fields; j++)
        if (kt_object_field (after, object->fields[j]->name) == NULL)
          g_ptr_array_add (diff->retired_fields, (gpointer) object->fields[j]);
    }
  return diff;
}

void
kt_schema_diff_free (KtSchemaDiff *diff)
{
  if (diff == NULL)
    return;
  g_ptr_array_unref (diff->new_objects);
  g_ptr_array_unref (diff->new_fields);
  g_ptr_array_unref (diff->new_indices);
  g_ptr_array_unref (diff->retired_fields);
  g_ptr_array_unref (diff->retired_objects);
  g_ptr_array_unref (diff->retyped_fields);
  g_free (diff);
}
