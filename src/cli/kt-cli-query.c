/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <string.h>

#include "base/kt-query.h"

/* Lists, counts, search, and what there is at all. Rows are fetched and printed in pieces, so that
 * a million of them need no more memory than a thousand. */

#define CHUNK 500
#define SEARCH_LIMIT 50

static KtQuery *
make_query (KtCli *cli, const KtObject *object, GError **error)
{
  g_autoptr (KtQuery) query = kt_query_new (object);
  const char *where = kt_cli_option (cli, "where");
  const char *sort = kt_cli_option (cli, "sort");

  if (where != NULL && *where != '\0')
    {
      query->filter = kt_filter_parse (object, where, error);
      if (query->filter == NULL)
        return NULL;
    }
  if (sort != NULL && *sort != '\0' && !kt_query_parse_sort (query, sort, error))
    return NULL;
  if (!kt_cli_number (cli, "limit", 0, &query->limit, error))
    return NULL;
  query->bin = kt_cli_option (cli, "bin") != NULL;
  return g_steal_pointer (&query);
}

/* ---- list ---- */

static void
put_row (KtCli *cli, const KtRecord *record, const KtField *const *fields, guint n)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char id[KT_ID_TEXT_SIZE];

  if (fields == NULL)
    {
      kt_record_to_json (record, TRUE, &writer);
      kt_cli_put_json (cli, text);
      return;
    }
  kt_id_format (&record->id, id);
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "id", id);
  for (guint i = 0; i < n; i++)
    {
      kt_json_key (&writer, fields[i]->name);
      kt_value_to_json (&record->values[fields[i]->index], &writer);
    }
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
}

static gboolean
is_number (const KtField *field)
{
  return field->storage == KT_VALUE_INT || field->storage == KT_VALUE_DECIMAL
         || field->storage == KT_VALUE_MONEY;
}

static void
add_row (KtCli *cli,
         KtCliTable *table,
         const KtRecord *record,
         const KtField *const *fields,
         guint n)
{
  char id[KT_ID_TEXT_SIZE];

  for (guint i = 0; i < n; i++)
    {
      const KtValue *value = &record->values[fields[i]->index];

      kt_cli_table_cell_take (
        table, kt_value_is_null (value) ? NULL : kt_cli_display (cli, fields[i], value));
    }
  kt_id_format (&record->id, id);
  kt_cli_table_cell (table, id);
}

static gboolean
print_rows (KtCli *cli,
            const KtObject *object,
            const GArray *rids,
            const KtField *const *fields,
            guint n,
            KtCliTable *table,
            GError **error)
{
  for (guint at = 0; at < rids->len; at += CHUNK)
    {
      guint len = MIN (CHUNK, rids->len - at);
      g_autoptr (GPtrArray) rows =
        kt_local_rows (cli->local, object, &g_array_index (rids, gint64, at), len, error);

      if (rows == NULL)
        return FALSE;
      for (guint i = 0; i < rows->len; i++)
        {
          const KtRecord *record = g_ptr_array_index (rows, i);

          if (record == NULL)
            continue;
          if (table != NULL)
            add_row (cli, table, record, fields, n);
          else
            put_row (cli, record, fields, n);
        }
    }
  return TRUE;
}

gboolean
kt_cli_list (KtCli *cli, GError **error)
{
  const char *wanted = kt_cli_option (cli, "fields");
  g_autofree const KtField **fields = NULL;
  g_autoptr (KtQuery) query = NULL;
  g_autoptr (GArray) rids = NULL;
  KtCliTable *table = NULL;
  const KtObject *object;
  gboolean done;
  guint n = 0;

  if (!kt_cli_open (cli, KT_CLI_READY | KT_CLI_READS, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  if (object == NULL)
    return FALSE;
  query = make_query (cli, object, error);
  if (query == NULL)
    return FALSE;
  if (wanted != NULL)
    fields = kt_cli_fields (cli, object, wanted, &n, error);
  else if (!cli->json)
    fields = kt_object_list_fields (object, &n);
  if (wanted != NULL && fields == NULL)
    return FALSE;
  rids = kt_local_query (cli->local, query, cli->cancellable, error);
  if (rids == NULL)
    return FALSE;

  if (!cli->json)
    {
      table = kt_cli_table_new (NULL);
      for (guint i = 0; i < n; i++)
        kt_cli_table_column (table, kt_field_label (fields[i], cli->locale), is_number (fields[i]));
      kt_cli_table_column (table, "id", FALSE);
    }
  done = print_rows (cli, object, rids, fields, n, table, error);
  if (table != NULL)
    kt_cli_table_print (cli, table);
  return done;
}

gboolean
kt_cli_count (KtCli *cli, GError **error)
{
  g_autoptr (KtQuery) query = NULL;
  const KtObject *object;
  gint64 n;

  if (!kt_cli_open (cli, KT_CLI_READY | KT_CLI_READS, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  if (object == NULL)
    return FALSE;
  query = make_query (cli, object, error);
  if (query == NULL)
    return FALSE;
  n = kt_local_count (cli->local, query, error);
  if (n < 0)
    return FALSE;
  if (cli->json)
    kt_cli_print (cli, "{\"count\":%" G_GINT64_FORMAT "}", n);
  else
    kt_cli_print (cli, "%" G_GINT64_FORMAT, n);
  return TRUE;
}

/* ---- search ---- */

static void
put_hit (KtCli *cli, const KtHit *hit)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char id[KT_ID_TEXT_SIZE];

  kt_id_format (&hit->id, id);
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "object", hit->object->name);
  kt_json_put_string (&writer, "id", id);
  kt_json_put_string (&writer, "title", hit->title);
  kt_json_put_string (&writer, "snippet", hit->snippet);
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
}

static void
print_hits (KtCli *cli, GPtrArray *hits)
{
  KtCliTable *table = kt_cli_table_new (KT_CLI_HEADERS ("Object", "Title", "Found", "id"));

  for (guint i = 0; i < hits->len; i++)
    {
      const KtHit *hit = g_ptr_array_index (hits, i);

      kt_cli_table_cell (table, kt_object_label (hit->object, cli->locale));
      kt_cli_table_cell (table, hit->title);
      kt_cli_table_cell (table, hit->snippet);
      kt_cli_table_cell_take (table, kt_id_to_string (&hit->id));
    }
  kt_cli_table_print (cli, table);
}

gboolean
kt_cli_search (KtCli *cli, GError **error)
{
  const char *in = kt_cli_option (cli, "object");
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GPtrArray) hits = NULL;
  const KtObject *object = NULL;
  guint limit;

  if (!kt_cli_number (cli, "limit", SEARCH_LIMIT, &limit, error)
      || !kt_cli_open (cli, KT_CLI_READY | KT_CLI_READS, error))
    return FALSE;
  if (in != NULL)
    {
      object = kt_cli_object (cli, in, error);
      if (object == NULL)
        return FALSE;
    }
  for (guint i = 0; i < cli->args->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "", kt_cli_arg (cli, i));
  hits = kt_local_search (cli->local, text->str, object, limit, cli->cancellable, error);
  if (hits == NULL)
    return FALSE;

  for (guint i = 0; cli->json && i < hits->len; i++)
    put_hit (cli, g_ptr_array_index (hits, i));
  if (!cli->json)
    print_hits (cli, hits);
  return TRUE;
}

/* ---- schema ---- */

static void
put_field (KtCli *cli, const KtField *field, KtJsonWriter *writer)
{
  kt_json_begin_object (writer);
  kt_json_put_string (writer, "name", field->name);
  kt_json_put_string (writer, "type", kt_field_type_word (field->type));
  kt_json_put_string (writer, "label", kt_field_label (field, cli->locale));
  kt_json_put_bool (writer, "required", field->required);
  kt_json_put_bool (writer, "computed", field->computed);
  if (field->max != 0)
    kt_json_put_int (writer, "max", field->max);
  if (field->to != NULL)
    {
      kt_json_key (writer, "to");
      kt_json_begin_array (writer);
      for (guint i = 0; field->to[i] != NULL; i++)
        kt_json_add_string (writer, field->to[i]);
      kt_json_end_array (writer);
    }
  if (field->n_options > 0)
    {
      kt_json_key (writer, "options");
      kt_json_begin_array (writer);
      for (guint i = 0; i < field->n_options; i++)
        {
          kt_json_begin_object (writer);
          kt_json_put_string (writer, "value", field->options[i].value);
          kt_json_put_string (writer, "label", kt_option_label (&field->options[i], cli->locale));
          kt_json_end_object (writer);
        }
      kt_json_end_array (writer);
    }
  kt_json_end_object (writer);
}

static void
put_object (KtCli *cli, const KtObject *object)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "object", object->name);
  kt_json_put_string (&writer, "label", kt_object_label (object, cli->locale));
  kt_json_put_string (&writer, "plural", kt_object_plural (object, cli->locale));
  kt_json_put_bool (&writer, "visible", object->visible);
  kt_json_put_string (&writer, "title", object->title->name);
  kt_json_key (&writer, "fields");
  kt_json_begin_array (&writer);
  for (guint i = 0; i < object->n_fields; i++)
    put_field (cli, object->fields[i], &writer);
  kt_json_end_array (&writer);
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
}

/* "→ account, contact" or "draft, sent, paid" */
static char *
field_notes (const KtField *field)
{
  g_autoptr (GString) text = g_string_new (field->computed   ? "computed "
                                           : field->required ? "required "
                                                             : "");

  for (guint i = 0; field->to != NULL && field->to[i] != NULL; i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "→ " : ", ", field->to[i]);
  for (guint i = 0; i < field->n_options; i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "" : ", ", field->options[i].value);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
print_object (KtCli *cli, const KtObject *object)
{
  KtCliTable *table = kt_cli_table_new (KT_CLI_HEADERS ("Field", "Type", "Label", ""));

  kt_cli_print (cli, "%s: %s\n", object->name, kt_object_plural (object, cli->locale));
  for (guint i = 0; i < object->n_fields; i++)
    {
      kt_cli_table_cell (table, object->fields[i]->name);
      kt_cli_table_cell (table, kt_field_type_word (object->fields[i]->type));
      kt_cli_table_cell (table, kt_field_label (object->fields[i], cli->locale));
      kt_cli_table_cell_take (table, field_notes (object->fields[i]));
    }
  kt_cli_table_print (cli, table);
}

static gboolean
may_see (KtCli *cli, const KtObject *object)
{
  const KtIdentity *identity = kt_local_identity (cli->local);
  g_autofree char *reason = NULL;

  return kt_access_may (&identity->access, KT_MAY_READ, object, NULL, cli->locale, &reason);
}

gboolean
kt_cli_schema (KtCli *cli, GError **error)
{
  const KtObject *const *objects;
  const KtObject *object;
  KtCliTable *table = NULL;
  guint n;

  if (!kt_cli_open (cli, KT_CLI_SIGNED | KT_CLI_READS, error))
    return FALSE;
  if (kt_cli_arg (cli, 0) != NULL)
    {
      object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
      if (object == NULL)
        return FALSE;
      if (cli->json)
        put_object (cli, object);
      else
        print_object (cli, object);
      return TRUE;
    }

  objects = kt_schema_objects (kt_local_schema (cli->local), &n);
  if (!cli->json)
    table = kt_cli_table_new (KT_CLI_HEADERS ("Object", "Label", "Fields"));
  for (guint i = 0; i < n; i++)
    {
      if (!may_see (cli, objects[i]))
        continue;
      if (cli->json)
        {
          put_object (cli, objects[i]);
          continue;
        }
      kt_cli_table_cell (table, objects[i]->name);
      kt_cli_table_cell (table, kt_object_plural (objects[i], cli->locale));
      kt_cli_table_cell_take (table, g_strdup_printf ("%u", objects[i]->n_fields));
    }
  if (table != NULL)
    kt_cli_table_print (cli, table);
  return TRUE;
}
