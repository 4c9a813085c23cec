/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <string.h>

#include "base/kt-query.h"
#include "store/kt-import.h"

/* Files: tables in and out, attachments. */

#define ERRORS_SHOWN 20
#define FILES_MOST 1000

/* ---- import ---- */

static void
import_progress_cb (guint64 bytes, guint64 total, guint64 rows, gpointer data)
{
  KtCli *cli = data;

  kt_cli_progress (cli, "%" G_GUINT64_FORMAT " rows, %u %%", rows,
                   total > 0 ? (guint) (bytes * 100 / total) : 0);
}

static gboolean
is_mapped_by_hand (GPtrArray *maps, const char *column)
{
  gsize length = strlen (column);

  for (guint i = 0; i < maps->len; i++)
    {
      const char *text = g_ptr_array_index (maps, i);
      const char *equals = strrchr (text, '=');

      if (equals != NULL && (gsize) (equals - text) == length
          && strncmp (text, column, length) == 0)
        return TRUE;
    }
  return FALSE;
}

/* Columns that no field takes and nobody left out: a window shows them before the import, here they are told. */
static char *
describe_left_out (const KtImportPlan *plan, GPtrArray *maps)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < MIN (plan->n_file_columns, plan->columns->len); i++)
    {
      const KtImportColumn *column = g_ptr_array_index (plan->columns, i);

      if (column->field == NULL && column->column != NULL && *column->column != '\0'
          && !is_mapped_by_hand (maps, column->column))
        g_string_append_printf (names, "%s“%s”", names->len > 0 ? ", " : "", column->column);
    }
  if (names->len == 0)
    return NULL;
  return g_strdup_printf ("No field takes %s: left out (--map COLUMN=FIELD takes it in, "
                          "--map COLUMN= is silent).",
                          names->str);
}

/* @left_out: what of the file goes nowhere, in words; NULL: nothing. */
static KtImportPlan *
make_plan (KtCli *cli, const KtObject *object, char **left_out, GError **error)
{
  g_autoptr (KtImportPlan) plan =
    kt_import_plan_new (cli->local, object, kt_cli_arg (cli, 1), error);
  g_autoptr (GPtrArray) maps = kt_cli_options (cli, "map");
  g_autoptr (GPtrArray) sets = kt_cli_options (cli, "set");
  const char *match = kt_cli_option (cli, "match");

  if (plan == NULL)
    return NULL;
  for (guint i = 0; i < maps->len; i++)
    {
      const char *text = g_ptr_array_index (maps, i);
      /* A header may hold an equals sign, a field never does. */
      const char *equals = strrchr (text, '=');
      g_autofree char *column = NULL;

      if (equals == NULL || equals == text)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "--map wants COLUMN=FIELD, not “%s”",
                       text);
          return NULL;
        }
      column = g_strndup (text, (gsize) (equals - text));
      if (!kt_import_plan_map (plan, column, equals + 1, error))
        return NULL;
    }
  *left_out = describe_left_out (plan, maps);
  for (guint i = 0; i < sets->len; i++)
    {
      const char *text = g_ptr_array_index (sets, i);
      const char *equals = strchr (text, '=');
      g_autofree char *field = NULL;

      if (equals == NULL || equals == text)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "--set wants FIELD=VALUE, not “%s”",
                       text);
          return NULL;
        }
      field = g_strndup (text, (gsize) (equals - text));
      if (!kt_import_plan_set (plan, field, equals + 1, error))
        return NULL;
    }
  plan->create_missing = kt_cli_option (cli, "create-missing") != NULL;
  if (match != NULL)
    {
      if (!g_str_equal (match, "id") && kt_cli_field (cli, object, match, error) == NULL)
        return NULL;
      g_free (plan->match);
      plan->match = g_strdup (match);
    }
  g_free (plan->locale);
  plan->locale = g_strdup (cli->locale);
  return kt_import_plan_check (plan, error) ? g_steal_pointer (&plan) : NULL;
}

static void
put_import (KtCli *cli, const KtImportResult *result)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_put_int (&writer, "read", (gint64) result->read);
  kt_json_put_int (&writer, "created", (gint64) result->created);
  kt_json_put_int (&writer, "updated", (gint64) result->updated);
  kt_json_put_int (&writer, "unchanged", (gint64) result->unchanged);
  kt_json_put_int (&writer, "failed", (gint64) result->failed);
  kt_json_key (&writer, "errors");
  kt_json_begin_array (&writer);
  for (guint i = 0; i < result->errors->len; i++)
    {
      const KtImportError *problem = g_ptr_array_index (result->errors, i);

      kt_json_begin_object (&writer);
      kt_json_put_int (&writer, "row", (gint64) problem->row);
      kt_json_put_string (&writer, "column", problem->column);
      kt_json_put_string (&writer, "message", problem->message);
      kt_json_end_object (&writer);
    }
  kt_json_end_array (&writer);
  kt_json_key (&writer, "notes");
  kt_json_begin_array (&writer);
  for (guint i = 0; i < result->notes->len; i++)
    kt_json_add_string (&writer, g_ptr_array_index (result->notes, i));
  kt_json_end_array (&writer);
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
}

static void
print_import (KtCli *cli, const KtImportResult *result)
{
  for (guint i = 0; i < result->notes->len; i++)
    kt_cli_say (cli, "%s", (const char *) g_ptr_array_index (result->notes, i));
  for (guint i = 0; i < MIN (result->errors->len, ERRORS_SHOWN); i++)
    {
      const KtImportError *problem = g_ptr_array_index (result->errors, i);

      if (problem->column != NULL)
        kt_cli_say (cli, "Row %" G_GUINT64_FORMAT ", %s: %s", problem->row, problem->column,
                    problem->message);
      else
        kt_cli_say (cli, "Row %" G_GUINT64_FORMAT ": %s", problem->row, problem->message);
    }
  if (result->failed > ERRORS_SHOWN)
    kt_cli_say (
      cli, "… and %" G_GUINT64_FORMAT " more rows (--json lists them, --report FILE keeps them)",
      result->failed - ERRORS_SHOWN);
  kt_cli_print (cli,
                "%" G_GUINT64_FORMAT " %s read: %" G_GUINT64_FORMAT " created, %" G_GUINT64_FORMAT
                " updated, %" G_GUINT64_FORMAT " unchanged, %" G_GUINT64_FORMAT " failed",
                result->read, result->read == 1 ? "row" : "rows", result->created, result->updated, result->unchanged, result->failed);
}

gboolean
kt_cli_import (KtCli *cli, GError **error)
{
  g_autoptr (KtImportResult) result = NULL;
  g_autoptr (KtImportPlan) plan = NULL;
  g_autofree char *left_out = NULL;
  const KtObject *object;

  if (!kt_cli_open (cli, KT_CLI_READY, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  if (object == NULL)
    return FALSE;
  plan = make_plan (cli, object, &left_out, error);
  if (plan == NULL)
    return FALSE;
  result = kt_import_run (cli->local, plan, kt_cli_option (cli, "dry-run") != NULL,
                          kt_cli_option (cli, "report"), import_progress_cb, cli, cli->cancellable,
                          NULL, error);
  kt_cli_progress_end (cli);
  if (result == NULL)
    return FALSE;
  if (left_out != NULL)
    g_ptr_array_add (result->notes, g_steal_pointer (&left_out));

  if (cli->json)
    put_import (cli, result);
  else
    print_import (cli, result);
  /* Some rows went in: that is done, with a report. None: the input was bad. */
  if (result->failed > 0 && result->failed == result->read)
    cli->exit_code = 2;
  return TRUE;
}

/* ---- export ---- */

/* Where there is no folder, no program will make a file. */
static gboolean
check_folder (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  if (g_file_test (folder, G_FILE_TEST_IS_DIR))
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no folder %s", folder);
  return FALSE;
}

gboolean
kt_cli_export (KtCli *cli, GError **error)
{
  const char *where = kt_cli_option (cli, "where");
  const char *wanted = kt_cli_option (cli, "fields");
  g_autofree const KtField **fields = NULL; /* NULL: all that an import takes */
  g_autoptr (KtQuery) query = NULL;
  const KtObject *object;
  guint64 rows = 0;
  guint n = 0;

  if (!kt_cli_open (cli, KT_CLI_READY | KT_CLI_READS, error)
      || !check_folder (kt_cli_arg (cli, 1), error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  if (object == NULL)
    return FALSE;
  query = kt_query_new (object);
  if (where != NULL && *where != '\0')
    {
      query->filter = kt_filter_parse (object, where, error);
      if (query->filter == NULL)
        return FALSE;
    }
  if (wanted != NULL)
    {
      fields = kt_cli_fields (cli, object, wanted, &n, error);
      if (fields == NULL)
        return FALSE;
    }
  if (!kt_export_run (cli->local, query, fields, kt_cli_arg (cli, 1), FALSE, cli->locale, &rows,
                      cli->cancellable, error))
    return FALSE;
  if (cli->json)
    kt_cli_print (cli, "{\"written\":%" G_GUINT64_FORMAT "}", rows);
  else
    kt_cli_print (cli, "%" G_GUINT64_FORMAT " rows written", rows);
  return TRUE;
}

/* ---- attachments ---- */

static const KtObject *
file_object (KtCli *cli, GError **error)
{
  return kt_cli_object (cli, "file", error);
}

static void
set_text (KtRecord *record, const char *name, const char *text)
{
  const KtField *field = kt_object_field (record->object, name);

  if (field != NULL)
    kt_value_set_text (&record->values[field->index], text);
}

static KtRecord *
make_file (const KtObject *file,
           const KtId *id,
           const KtRecord *parent,
           const char *path,
           const char *sha256,
           gint64 size)
{
  KtRecord *record = kt_record_new (file, id);
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *valid = g_utf8_make_valid (name, -1);
  g_autofree char *content = g_content_type_guess (name, NULL, 0, NULL);
  g_autofree char *mime = g_content_type_get_mime_type (content);
  const KtField *field = kt_object_field (file, "size");

  set_text (record, "name", valid);
  set_text (record, "sha256", sha256);
  set_text (record, "mime", mime);
  if (field != NULL)
    kt_value_set_int (&record->values[field->index], size);
  field = kt_object_field (file, "parent");
  if (field != NULL)
    kt_value_set_any (&record->values[field->index], parent->object->name, &parent->id);
  return record;
}

gboolean
kt_cli_attach (KtCli *cli, GError **error)
{
  g_autoptr (KtMutation) mutation = NULL;
  g_autoptr (KtRecord) parent = NULL;
  g_autoptr (KtRecord) record = NULL;
  g_autofree char *sha256 = NULL;
  g_autofree char *now = NULL;
  const KtObject *object;
  const KtObject *file;
  gint64 size = 0;
  KtId id;

  if (!kt_cli_open (cli, KT_CLI_SIGNED, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  file = object != NULL ? file_object (cli, error) : NULL;
  if (file == NULL)
    return FALSE;
  parent = kt_cli_record (cli, object, kt_cli_arg (cli, 1), error);
  if (parent == NULL
      || !kt_local_blob_add (cli->local, kt_cli_arg (cli, 2), &sha256, &size, cli->cancellable,
                             error))
    return FALSE;

  id = kt_id_new (kt_local_env (cli->local));
  record = make_file (file, &id, parent, kt_cli_arg (cli, 2), sha256, size);
  now = kt_cli_now (cli);
  mutation = kt_mutation_new (now, "client");
  kt_mutation_add (mutation, KT_MUTATE_CREATE, file, &id, 0, kt_patch_diff (NULL, record));
  if (!kt_cli_commit (cli, mutation, error))
    return FALSE;

  if (cli->json)
    {
      GString *text = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (text);
      char id_text[KT_ID_TEXT_SIZE];

      kt_id_format (&id, id_text);
      kt_json_begin_object (&writer);
      kt_json_put_string (&writer, "id", id_text);
      kt_json_put_string (&writer, "sha256", sha256);
      kt_json_put_int (&writer, "size", size);
      kt_json_end_object (&writer);
      kt_cli_put_json (cli, text);
    }
  else
    {
      char id_text[KT_ID_TEXT_SIZE];

      kt_id_format (&id, id_text);
      kt_cli_print (cli, "%s", id_text);
    }
  return TRUE;
}

static void
put_file (KtCli *cli, const KtRecord *record)
{
  static const char *const names[] = { "name", "size", "mime", "sha256", "state", "created_at" };
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  const char *sha256 = kt_record_text (record, "sha256");
  char id[KT_ID_TEXT_SIZE];

  kt_id_format (&record->id, id);
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "id", id);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const KtValue *value = kt_record_get (record, names[i]);

      kt_json_key (&writer, names[i]);
      if (value != NULL)
        kt_value_to_json (value, &writer);
      else
        kt_json_add_null (&writer);
    }
  kt_json_put_bool (&writer, "here",
                    sha256 != NULL && kt_local_blob_have (cli->local, sha256, NULL));
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
}

gboolean
kt_cli_attachments (KtCli *cli, GError **error)
{
  g_autoptr (KtRecord) parent = NULL;
  g_autoptr (KtQuery) query = NULL;
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) rows = NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;
  KtCliTable *table;
  const KtObject *object;
  const KtObject *file;

  if (!kt_cli_open (cli, KT_CLI_READY | KT_CLI_READS, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  file = object != NULL ? file_object (cli, error) : NULL;
  if (file == NULL)
    return FALSE;
  parent = kt_cli_record (cli, object, kt_cli_arg (cli, 1), error);
  if (parent == NULL)
    return FALSE;

  query = kt_query_new (file);
  kt_value_set_any (&value, object->name, &parent->id);
  query->filter = kt_filter_compare (kt_object_field (file, "parent"), KT_OP_EQ, &value);
  query->limit = FILES_MOST;
  rids = kt_local_query (cli->local, query, cli->cancellable, error);
  rows = rids != NULL ? kt_local_rows (cli->local, file, (const gint64 *) (gpointer) rids->data,
                                       rids->len, error)
                      : NULL;
  if (rows == NULL)
    return FALSE;

  table = cli->json ? NULL : kt_cli_table_new (KT_CLI_HEADERS ("Name", "Type", "Bytes", "id"));
  for (guint i = 0; i < rows->len; i++)
    {
      const KtRecord *record = g_ptr_array_index (rows, i);

      if (record == NULL)
        continue;
      if (cli->json)
        {
          put_file (cli, record);
          continue;
        }
      kt_cli_table_cell (table, kt_record_text (record, "name"));
      kt_cli_table_cell (table, kt_record_text (record, "mime"));
      kt_cli_table_cell_take (table, kt_cli_display (cli, kt_object_field (file, "size"),
                                                     kt_record_get (record, "size")));
      kt_cli_table_cell_take (table, kt_id_to_string (&record->id));
    }
  if (table != NULL)
    kt_cli_table_print (cli, table);
  return TRUE;
}

/* The copy appears whole or not at all. */
static gboolean
copy_out (KtCli *cli, const char *from, const char *to, const char *name, GError **error)
{
  g_autoptr (GFile) source = g_file_new_for_path (from);
  g_autofree char *path =
    g_file_test (to, G_FILE_TEST_IS_DIR) ? g_build_filename (to, name, NULL) : g_strdup (to);
  g_autoptr (GFile) target = g_file_new_for_path (path);
  g_autoptr (GFileInputStream) in = g_file_read (source, cli->cancellable, error);
  g_autoptr (GFileOutputStream) out = NULL;
  g_autoptr (GError) failure = NULL;

  if (in == NULL)
    return FALSE;
  out = g_file_replace (target, NULL, FALSE, G_FILE_CREATE_NONE, cli->cancellable, &failure);
  if (out == NULL
      || g_output_stream_splice (G_OUTPUT_STREAM (out), G_INPUT_STREAM (in),
                                 G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, cli->cancellable, &failure)
           < 0)
    {
      g_set_error (error, KT_ERROR,
                   g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_NO_SPACE) ? KT_ERROR_FULL
                   : out == NULL                                              ? KT_ERROR_INVALID
                                                                              : KT_ERROR_IO,
                   "%s cannot be written: %s", path, failure->message);
      return FALSE;
    }
  if (!cli->json)
    kt_cli_print (cli, "%s", path);
  return TRUE;
}

gboolean
kt_cli_fetch (KtCli *cli, GError **error)
{
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (KtRecord) record = NULL;
  g_autofree char *from = NULL;
  const KtObject *file;
  const KtValue *size;
  const char *sha256;
  const char *name;

  if (!kt_cli_open (cli, KT_CLI_READY, error))
    return FALSE;
  file = file_object (cli, error);
  if (file == NULL)
    return FALSE;
  record = kt_cli_record (cli, file, kt_cli_arg (cli, 0), error);
  if (record == NULL)
    return FALSE;
  sha256 = kt_record_text (record, "sha256");
  size = kt_record_get (record, "size");
  name = kt_record_text (record, "name");
  if (sha256 == NULL || size == NULL || size->type != KT_VALUE_INT || name == NULL
      || strchr (name, '/') != NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "This file has no content that could be fetched");
      return FALSE;
    }

  if (!kt_local_blob_have (cli->local, sha256, NULL))
    {
      transport = kt_cli_connect (cli, error);
      if (transport == NULL)
        return FALSE;
      kt_cli_progress (cli, "Fetching…");
      if (!kt_sync_fetch_blob (cli->local, transport, sha256, size->v.integer, cli->cancellable,
                               error))
        return FALSE;
      kt_cli_progress_end (cli);
    }
  from = kt_local_blob_path (cli->local, sha256);
  if (!copy_out (cli, from, kt_cli_arg (cli, 1), name, error))
    return FALSE;
  if (cli->json)
    kt_cli_print (cli, "{\"size\":%" G_GINT64_FORMAT ",\"sha256\":\"%s\"}", size->v.integer,
                  sha256);
  return TRUE;
}
