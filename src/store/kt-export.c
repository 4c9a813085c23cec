/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A list as CSV that kt_import_run reads back: amounts and addresses are cut
 * into columns that its guesses recognise, references are written by title. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"
#include "store/kt-whole-file.h"

#include <string.h>

#include "base/kt-csv.h"
#include "base/kt-decimal.h"
#include "base/kt-error.h"

#define CHUNK 500
#define MAX_NAMES 100000

static const char *const address_parts[] = { "street", "city", "region", "postcode", "country" };
static const char *const address_labels_zh[] = { "街道", "城市", "省份", "邮编", "国家" };

typedef struct
{
  const KtField *field; /* NULL: the id */
  const char *part;     /* of an address, or "currency"; NULL: the value */
} Column;

static GArray *
plan_columns (const KtField *const *fields)
{
  GArray *columns = g_array_new (FALSE, TRUE, sizeof (Column));
  Column column = { 0 };

  g_array_append_val (columns, column);
  for (guint i = 0; fields[i] != NULL; i++)
    {
      column = (Column){ fields[i], NULL };
      if (fields[i]->type == KT_FIELD_ADDRESS)
        {
          for (guint p = 0; p < G_N_ELEMENTS (address_parts); p++)
            {
              column.part = address_parts[p];
              g_array_append_val (columns, column);
            }
          continue;
        }
      g_array_append_val (columns, column);
      if (fields[i]->type == KT_FIELD_MONEY)
        {
          column.part = "currency";
          g_array_append_val (columns, column);
        }
    }
  return columns;
}

static char *
column_header (const Column *column, gboolean labels, const char *locale)
{
  gboolean chinese = locale != NULL && g_str_has_prefix (locale, "zh");
  const char *part = column->part;

  if (column->field == NULL)
    return g_strdup ("Kontor ID");
  if (!labels)
    return part != NULL ? g_strdup_printf ("%s.%s", column->field->name, part)
                        : g_strdup (column->field->name);
  if (part == NULL)
    return g_strdup (kt_field_label (column->field, locale));
  if (chinese && strcmp (part, "currency") == 0)
    part = "币种";
  for (guint i = 0; chinese && i < G_N_ELEMENTS (address_parts); i++)
    if (strcmp (column->part, address_parts[i]) == 0)
      part = address_labels_zh[i];
  return g_strdup_printf ("%s %s", kt_field_label (column->field, locale), part);
}

/* ---- what a reference is called ---- */

static const KtObject *
target_of (const KtField *field, const KtValue *value, const KtSchema *schema)
{
  if (value->type == KT_VALUE_ANY)
    return kt_schema_object (schema, value->v.ref.object);
  return field->to != NULL && field->to[0] != NULL && field->to[1] == NULL
           ? kt_schema_object (schema, field->to[0])
           : NULL;
}

static void
want (GHashTable *names, GArray *keys, const KtObject *object, const KtId *id)
{
  g_autofree char *text = kt_id_to_string (id);
  KtRefKey key = { object, *id };

  if (object == NULL || !g_hash_table_insert (names, g_steal_pointer (&text), NULL))
    return;
  g_array_append_val (keys, key);
}

static void
want_all (GHashTable *names, GArray *keys, const KtField *field, const KtValue *value)
{
  const KtSchema *schema = field->object->schema;
  g_autoptr (KtJson) list = NULL;
  KtId id;

  if (value->type == KT_VALUE_ID || value->type == KT_VALUE_ANY)
    {
      char text[KT_ID_TEXT_SIZE];

      kt_id_format (&value->v.ref.id, text);
      if (!g_hash_table_contains (names, text))
        want (names, keys, target_of (field, value, schema), &value->v.ref.id);
      return;
    }
  if (field->type != KT_FIELD_MANY || value->type != KT_VALUE_LIST)
    return;
  list = kt_json_parse (value->v.text, -1, NULL);
  for (guint i = 0; i < kt_json_length (list); i++)
    {
      const char *text = kt_json_string (kt_json_at (list, i), "");

      if (kt_id_parse (text, -1, &id) && !g_hash_table_contains (names, text))
        want (names, keys, target_of (field, value, schema), &id);
    }
}

/* Whether the name alone leads back to the record. Stages are looked for in the pipeline of the row. */
static gboolean
leads_back (KtLocal *local, const KtRefKey *key, const char *title)
{
  KtId found;

  return strcmp (key->object->name, "pipeline_stage") == 0
         || (kt_local_find (local, key->object, title, &found, NULL)
             && kt_id_equal (&found, &key->id));
}

/* Names of all records a chunk refers to, asked for at once: id text → name, NULL where only the id will do. */
static gboolean
read_names (KtLocal *local, GPtrArray *records, GArray *columns, GHashTable *names, GError **error)
{
  g_autoptr (GArray) keys = g_array_new (FALSE, TRUE, sizeof (KtRefKey));
  g_autoptr (GPtrArray) found = NULL;

  if (g_hash_table_size (names) > MAX_NAMES)
    g_hash_table_remove_all (names);
  for (guint r = 0; r < records->len; r++)
    {
      const KtRecord *record = g_ptr_array_index (records, r);

      for (guint c = 0; record != NULL && c < columns->len; c++)
        {
          const KtField *field = g_array_index (columns, Column, c).field;

          if (field != NULL)
            want_all (names, keys, field, &record->values[field->index]);
        }
    }
  if (keys->len == 0)
    return TRUE;
  found = kt_local_titles (local, (const KtRefKey *) (gpointer) keys->data, keys->len, error);
  if (found == NULL)
    return FALSE;
  for (guint i = 0; i < keys->len; i++)
    {
      const KtRefKey *key = &g_array_index (keys, KtRefKey, i);
      const char *title = g_ptr_array_index (found, i);

      if (title != NULL && leads_back (local, key, title))
        g_hash_table_insert (names, kt_id_to_string (&key->id), g_strdup (title));
    }
  return TRUE;
}

static char *
name_or_id (GHashTable *names, const KtId *id)
{
  g_autofree char *text = kt_id_to_string (id);
  const char *name = g_hash_table_lookup (names, text);

  return name != NULL ? g_strdup (name) : g_steal_pointer (&text);
}

/* a;b;c. One entry with a comma in it gets a semicolon behind it, entries with semicolons a form of their own. */
static char *
list_text (const KtField *field,
           const KtValue *value,
           GHashTable *names,
           gboolean labels,
           const char *locale)
{
  g_autoptr (KtJson) list = kt_json_parse (value->v.text, -1, NULL);
  g_autoptr (GString) out = g_string_new (NULL);
  guint n = kt_json_length (list);

  for (guint i = 0; i < n; i++)
    {
      const char *text = kt_json_string (kt_json_at (list, i), "");
      const KtOption *option = labels ? kt_field_option (field, text) : NULL;
      const char *name = field->type == KT_FIELD_MANY ? g_hash_table_lookup (names, text) : NULL;

      if (option != NULL)
        text = kt_option_label (option, locale);
      if (name != NULL && strchr (name, ';') == NULL)
        text = name;
      if (strpbrk (text, ";\n") != NULL || strstr (text, "；") != NULL || (n == 1 && *text == '['))
        return g_strdup (value->v.text);
      g_string_append_printf (out, "%s%s", i > 0 ? ";" : "", text);
    }
  if (n == 1
      && (strchr (out->str, ',') != NULL || strstr (out->str, "，") != NULL
          || strstr (out->str, "、") != NULL))
    g_string_append_c (out, ';');
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* ---- cells ---- */

static char *
cell_text (const Column *column,
           const KtRecord *record,
           GHashTable *names,
           gboolean labels,
           const char *locale)
{
  const KtField *field = column->field;
  const KtValue *value;
  char number[64];

  if (field == NULL)
    return kt_id_to_string (&record->id);
  value = &record->values[field->index];
  switch ((KtValueType) value->type)
    {
    case KT_VALUE_NULL:
      return g_strdup ("");
    case KT_VALUE_BOOL:
      return g_strdup (value->v.integer ? "true" : "false");
    case KT_VALUE_INT:
      return g_strdup_printf ("%" G_GINT64_FORMAT, value->v.integer);
    case KT_VALUE_DECIMAL:
      kt_decimal_format (value->v.integer, value->scale, number, sizeof number);
      return g_strdup (number);
    case KT_VALUE_MONEY:
      if (column->part != NULL)
        return g_strdup (value->currency);
      kt_decimal_format (value->v.integer, KT_MONEY_SCALE, number, sizeof number);
      return g_strdup (number);
    case KT_VALUE_ID:
      return name_or_id (names, &value->v.ref.id);
    case KT_VALUE_ANY:
      {
        g_autofree char *title = name_or_id (names, &value->v.ref.id);

        return g_strdup_printf ("%s:%s", value->v.ref.object, title);
      }
    case KT_VALUE_JSON:
      if (column->part != NULL)
        {
          g_autoptr (KtJson) json = kt_json_parse (value->v.text, -1, NULL);

          return g_strdup (kt_json_get_string (json, column->part, ""));
        }
      return g_strdup (value->v.text);
    case KT_VALUE_LIST:
      return list_text (field, value, names, labels, locale);
    case KT_VALUE_TEXT:
    default:
      if (field->type == KT_FIELD_CHOICE && labels)
        {
          const KtOption *option = kt_field_option (field, value->v.text);

          if (option != NULL)
            return g_strdup (kt_option_label (option, locale));
        }
      return g_strdup (value->v.text);
    }
}

static void
write_record (GString *out,
              GArray *columns,
              const KtRecord *record,
              GHashTable *names,
              gboolean labels,
              const char *locale)
{
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);

  for (guint c = 0; c < columns->len; c++)
    g_ptr_array_add (
      cells, record != NULL
               ? cell_text (&g_array_index (columns, Column, c), record, names, labels, locale)
               : column_header (&g_array_index (columns, Column, c), labels, locale));
  kt_csv_write_row (out, (const char *const *) cells->pdata, cells->len, TRUE);
}

static gboolean
write_all (KtLocal *local,
           const KtQuery *query,
           GArray *rids,
           GArray *columns,
           KtWholeFile *file,
           gboolean labels,
           const char *locale,
           guint64 *written,
           GCancellable *cancellable,
           GError **error)
{
  g_autoptr (GString) out = g_string_new ("\xef\xbb\xbf");
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  write_record (out, columns, NULL, NULL, labels, locale);
  for (guint at = 0; at < rids->len || out->len > 0; at += CHUNK)
    {
      guint n = at < rids->len ? MIN (CHUNK, rids->len - at) : 0;
      g_autoptr (GPtrArray) records = NULL;

      if (n > 0)
        {
          records =
            kt_local_rows (local, query->object, &g_array_index (rids, gint64, at), n, error);
          if (records == NULL || !read_names (local, records, columns, names, error))
            return FALSE;
          for (guint r = 0; r < records->len; r++)
            if (g_ptr_array_index (records, r) != NULL)
              {
                write_record (out, columns, g_ptr_array_index (records, r), names, labels, locale);
                (*written)++;
              }
        }
      if (!_kt_whole_file_write (file, out, cancellable, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
kt_export_run (KtLocal *local,
               const KtQuery *query,
               const KtField *const *fields,
               const char *path,
               gboolean labels,
               const char *locale,
               guint64 *rows,
               GCancellable *cancellable,
               GError **error)
{
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GArray) columns = NULL;
  g_autoptr (KtWholeFile) file = NULL;
  g_autofree const KtField **all = NULL;
  guint64 written = 0;

  g_return_val_if_fail (local != NULL && query != NULL && path != NULL, FALSE);

  rids = kt_local_query (local, query, cancellable, error);
  if (rids == NULL)
    return FALSE;
  if (fields == NULL)
    {
      guint n = 0;

      all = g_new0 (const KtField *, query->object->n_fields + 1);
      for (guint i = 0; i < query->object->n_fields; i++)
        if (!query->object->fields[i]->computed)
          all[n++] = query->object->fields[i];
      fields = all;
    }
  columns = plan_columns (fields);
  file = _kt_whole_file_open (path, error);
  if (file == NULL
      || !write_all (local, query, rids, columns, file, labels, locale, &written, cancellable,
                     error)
      || !_kt_whole_file_keep (file, error))
    return FALSE;
  if (rows != NULL)
    *rows = written;
  return TRUE;
}
