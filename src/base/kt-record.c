/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-record.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-json-private.h"

static void
clear_record (gpointer data)
{
  KtRecord *record = data;

  for (guint i = 0; i < record->object->n_fields; i++)
    kt_value_clear (&record->values[i]);
  kt_schema_unref ((KtSchema *) record->object->schema);
}

KtRecord *
kt_record_new (const KtObject *object, const KtId *id)
{
  KtRecord *record;

  g_return_val_if_fail (object != NULL, NULL);
  g_return_val_if_fail (id != NULL, NULL);

  record = g_atomic_rc_box_alloc0 (sizeof (KtRecord) + object->n_fields * sizeof (KtValue));
  record->object = object;
  record->id = *id;
  kt_schema_ref (object->schema);
  return record;
}

KtRecord *
kt_record_copy (const KtRecord *record)
{
  KtRecord *copy;

  g_return_val_if_fail (record != NULL, NULL);

  copy = kt_record_new (record->object, &record->id);
  copy->rev = record->rev;
  copy->rid = record->rid;
  for (guint i = 0; i < record->object->n_fields; i++)
    kt_value_copy (&record->values[i], &copy->values[i]);
  return copy;
}

KtRecord *
kt_record_ref (KtRecord *record)
{
  g_return_val_if_fail (record != NULL, NULL);

  return g_atomic_rc_box_acquire (record);
}

void
kt_record_unref (KtRecord *record)
{
  if (record != NULL)
    g_atomic_rc_box_release_full (record, clear_record);
}

const KtValue *
kt_record_get (const KtRecord *record, const char *field)
{
  const KtField *found;

  g_return_val_if_fail (record != NULL, NULL);

  found = kt_object_field (record->object, field);
  return found != NULL ? &record->values[found->index] : NULL;
}

const char *
kt_record_text (const KtRecord *record, const char *field)
{
  const KtValue *value = kt_record_get (record, field);

  return value != NULL && value->type == KT_VALUE_TEXT ? value->v.text : NULL;
}

gboolean
kt_record_deleted (const KtRecord *record)
{
  const KtValue *value = kt_record_get (record, "deleted_at");

  return value != NULL && !kt_value_is_null (value);
}

/* Titles by locale. Only what is meant for @locale, unless there is no other title. */
static char *
translated_title (const KtRecord *record, const char *locale, gboolean any)
{
  const KtField *field = record->object->translations;
  const KtValue *value;
  g_autoptr (KtJson) json = NULL;
  const char *text;

  if (field == NULL)
    return NULL;
  value = &record->values[field->index];
  if (value->type != KT_VALUE_JSON)
    return NULL;
  json = kt_json_parse (value->v.text, -1, NULL);
  text = any ? kt_json_localized (json, locale, NULL) : _kt_json_localized_exact (json, locale);
  return text != NULL && *text != '\0' ? g_strdup (text) : NULL;
}

char *
kt_record_title (const KtRecord *record, const char *locale)
{
  const KtField *title;
  const char *number;
  char *text;
  char id[KT_ID_TEXT_SIZE];

  g_return_val_if_fail (record != NULL, NULL);

  text = translated_title (record, locale, FALSE);
  if (text != NULL)
    return text;

  title = record->object->title;
  if (!kt_value_is_null (&record->values[title->index]))
    {
      text = kt_value_display (title, &record->values[title->index], locale);
      if (*text != '\0')
        return text;
      g_free (text);
    }

  text = translated_title (record, locale, TRUE);
  if (text != NULL)
    return text;

  number = kt_record_text (record, "number");
  if (number != NULL)
    return g_strdup (number);

  kt_id_format (&record->id, id);
  return g_strndup (id, 8);
}

void
kt_record_to_json (const KtRecord *record, gboolean all, KtJsonWriter *writer)
{
  char id[KT_ID_TEXT_SIZE];

  g_return_if_fail (record != NULL);
  g_return_if_fail (writer != NULL);

  kt_id_format (&record->id, id);
  kt_json_begin_object (writer);
  kt_json_put_string (writer, "id", id);
  if (record->rev != 0)
    kt_json_put_int (writer, "rev", record->rev);
  for (guint i = 0; i < record->object->n_fields; i++)
    {
      if (!all && kt_value_is_null (&record->values[i]))
        continue;
      kt_json_key (writer, record->object->fields[i]->name);
      kt_value_to_json (&record->values[i], writer);
    }
  kt_json_end_object (writer);
}

KtRecord *
kt_record_from_json (const KtObject *object, const KtJson *json, GError **error)
{
  g_autoptr (KtRecord) record = NULL;
  const char *text;
  gint64 rev;
  KtId id;

  g_return_val_if_fail (object != NULL, NULL);

  if (kt_json_type (json) != KT_JSON_OBJECT)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: a record { } was expected",
                   object->name);
      return NULL;
    }
  text = kt_json_get_string (json, "id", NULL);
  if (!kt_id_parse (text, -1, &id) || kt_id_is_nil (&id))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: a record needs an \"id\"", object->name);
      return NULL;
    }
  rev = kt_json_get_int (json, "rev", kt_json_get (json, "rev") != NULL ? -1 : 0);
  if (rev < 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: \"rev\" must be a number from 0",
                   object->name);
      return NULL;
    }

  record = kt_record_new (object, &id);
  record->rev = rev;
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *key = kt_json_key_at (json, i);
      const KtField *field = kt_object_field (object, key);

      if (field != NULL)
        {
          if (!kt_value_from_json (field, kt_json_at (json, i), &record->values[field->index],
                                   error))
            return NULL;
        }
      else if (strcmp (key, "id") != 0 && strcmp (key, "rev") != 0)
        {
          g_autofree char *shown = kt_error_excerpt (key, KT_ERROR_NAME);

          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s has no field \"%s\"", object->name,
                       shown);
          return NULL;
        }
    }
  return g_steal_pointer (&record);
}

void
kt_record_apply_defaults (KtRecord *record)
{
  g_return_if_fail (record != NULL);

  for (guint i = 0; i < record->object->n_fields; i++)
    {
      const KtField *field = record->object->fields[i];

      if (field->default_value == NULL || !kt_value_is_null (&record->values[i]))
        continue;
      /* Checked when the schema was loaded. */
      if (!kt_value_from_json (field, field->default_value, &record->values[i], NULL))
        g_assert_not_reached ();
    }
}
