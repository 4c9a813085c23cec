/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <string.h>

#include "base/kt-query.h"

/* The review queue: sync_conflict records that wait for this user. A decision is a mutation like any
 * other; it takes effect everywhere with the next sync. */

#define CHUNK 500

static const KtObject *
conflict_object (KtCli *cli, GError **error)
{
  const KtObject *object = kt_schema_object (kt_local_schema (cli->local), "sync_conflict");

  if (object == NULL)
    g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "This server keeps no review queue");
  return object;
}

/* KtRecord*, oldest first. */
static GPtrArray *
find_items (KtCli *cli, const char *where, GError **error)
{
  const KtObject *object = conflict_object (cli, error);
  g_autoptr (KtQuery) query = NULL;
  g_autoptr (GArray) rids = NULL;

  if (object == NULL)
    return NULL;
  query = kt_query_new (object);
  query->filter = kt_filter_parse (object, where, error);
  if (query->filter == NULL || !kt_query_parse_sort (query, "number", error))
    return NULL;
  rids = kt_local_query (cli->local, query, cli->cancellable, error);
  return rids != NULL ? kt_local_rows (cli->local, object, (const gint64 *) (gpointer) rids->data,
                                       rids->len, error)
                      : NULL;
}

static KtRecord *
find_item (KtCli *cli, const char *number, GError **error)
{
  g_autoptr (GPtrArray) items = NULL;
  g_autofree char *where = NULL;
  gint64 no;

  if (!g_ascii_string_to_signed (number, 10, 1, G_MAXINT64, &no, NULL))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "“%s” is no number; kontorctl review lists them", number);
      return NULL;
    }
  where = g_strdup_printf ("number = %" G_GINT64_FORMAT, no);
  items = find_items (cli, where, error);
  if (items == NULL)
    return NULL;
  if (items->len == 0 || g_ptr_array_index (items, 0) == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no review item %s", number);
      return NULL;
    }
  return kt_record_ref (g_ptr_array_index (items, 0));
}

/* cli.md calls it "delete", whichever side deleted. */
static const char *
kind_of (const KtRecord *item)
{
  const char *kind = kt_record_text (item, "kind");

  return g_strcmp0 (kind, "delete_edit") == 0 ? "delete" : kind;
}

static const KtObject *
object_of (KtCli *cli, const KtRecord *item, KtId *id)
{
  const KtValue *record = kt_record_get (item, "record");

  if (record == NULL || record->type != KT_VALUE_ANY)
    return NULL;
  *id = record->v.ref.id;
  return kt_schema_object (kt_local_schema (cli->local), record->v.ref.object);
}

static void
put_value (KtJsonWriter *writer, const KtRecord *item, const char *name)
{
  const KtValue *value = kt_record_get (item, name);

  kt_json_key (writer, name);
  if (value != NULL)
    kt_value_to_json (value, writer);
  else
    kt_json_add_null (writer);
}

static void
put_item (KtCli *cli, const KtRecord *item)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char id_text[KT_ID_TEXT_SIZE] = "";
  const KtObject *object;
  KtId id;

  object = object_of (cli, item, &id);
  if (object != NULL)
    kt_id_format (&id, id_text);
  kt_json_begin_object (&writer);
  kt_json_key (&writer, "no");
  kt_value_to_json (kt_record_get (item, "number"), &writer);
  kt_json_put_string (&writer, "kind", kind_of (item));
  kt_json_put_string (&writer, "object", object != NULL ? object->name : NULL);
  kt_json_put_string (&writer, "id", object != NULL ? id_text : NULL);
  put_value (&writer, item, "field");
  put_value (&writer, item, "base");
  put_value (&writer, item, "mine");
  put_value (&writer, item, "theirs");
  put_value (&writer, item, "state");
  put_value (&writer, item, "message");
  put_value (&writer, item, "mine_by");
  put_value (&writer, item, "mine_at");
  put_value (&writer, item, "theirs_by");
  put_value (&writer, item, "theirs_at");
  put_value (&writer, item, "resolved_by");
  put_value (&writer, item, "resolved_at");
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
}

/* A kept value as the field shows it. */
static char *
kept_text (KtCli *cli, const KtObject *object, const KtRecord *item, const char *name)
{
  const char *field_name = kt_record_text (item, "field");
  const KtField *field =
    object != NULL && field_name != NULL ? kt_object_field (object, field_name) : NULL;
  const KtValue *kept = kt_record_get (item, name);
  g_autoptr (KtJson) json = NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;

  if (kept == NULL || kept->type != KT_VALUE_JSON)
    return g_strdup ("—");
  json = kt_json_parse (kept->v.text, -1, NULL);
  if (field != NULL && json != NULL && kt_value_load_json (field, json, &value, NULL))
    return kt_value_is_null (&value) ? g_strdup ("—") : kt_cli_display (cli, field, &value);
  return g_strdup (kept->v.text);
}

/* How it was decided, by whom and when: nothing while it is open. */
static void
print_end (KtCli *cli, const KtRecord *item)
{
  const char *state = kt_record_text (item, "state");
  const KtField *by = kt_object_field (item->object, "resolved_by");
  g_autofree char *word = NULL;
  g_autofree char *who = NULL;
  g_autofree char *when = NULL;

  if (state == NULL || g_str_equal (state, "open"))
    return;
  word = kt_cli_display (cli, kt_object_field (item->object, "state"), kt_record_get (item, "state"));
  kt_cli_print_pair (cli, "State", 8, word);
  who = by != NULL ? kt_cli_display (cli, by, kt_record_get (item, "resolved_by")) : NULL;
  when = kt_cli_display (cli, kt_object_field (item->object, "resolved_at"),
                         kt_record_get (item, "resolved_at"));
  if (who != NULL && *who != '\0')
    kt_cli_print_pair (cli, "By", 8, who);
  kt_cli_print_pair (cli, "At", 8, when);
}

static void
print_item (KtCli *cli, const KtRecord *item)
{
  static const struct
  {
    const char *name, *label;
  } values[] = { { "base", "Before" }, { "mine", "Mine" }, { "theirs", "Theirs" } };
  g_autofree char *number =
    kt_cli_display (cli, kt_object_field (item->object, "number"), kt_record_get (item, "number"));
  const char *message = kt_record_text (item, "message");
  const char *field = kt_record_text (item, "field");
  g_autofree char *title = NULL;
  const KtObject *object;
  KtId id;

  object = object_of (cli, item, &id);
  title = object != NULL ? kt_cli_title (object, &id, cli) : NULL;
  kt_cli_print_pair (cli, "No", 8, number);
  kt_cli_print_pair (cli, "Kind", 8, kind_of (item) != NULL ? kind_of (item) : "");
  if (object != NULL)
    kt_cli_print_pair (cli, kt_object_label (object, cli->locale), 8, title != NULL ? title : "?");
  if (field != NULL)
    kt_cli_print_pair (cli, "Field", 8, field);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autofree char *text = kept_text (cli, object, item, values[i].name);

      kt_cli_print_pair (cli, values[i].label, 8, text);
    }
  if (message != NULL)
    kt_cli_print_pair (cli, "", 8, message);
  print_end (cli, item);
}

static void
print_items (KtCli *cli, GPtrArray *items)
{
  KtCliTable *table =
    kt_cli_table_new (KT_CLI_HEADERS ("No", "Kind", "Record", "Field", "Before", "Mine", "Theirs"));

  for (guint i = 0; i < items->len; i++)
    {
      const KtRecord *item = g_ptr_array_index (items, i);
      const KtObject *object;
      KtId id;

      if (item == NULL)
        continue;
      object = object_of (cli, item, &id);
      kt_cli_table_cell_take (table, kt_cli_display (cli, kt_object_field (item->object, "number"),
                                                     kt_record_get (item, "number")));
      kt_cli_table_cell (table, kind_of (item));
      kt_cli_table_cell_take (table, object != NULL ? kt_cli_title (object, &id, cli) : NULL);
      kt_cli_table_cell (table, kt_record_text (item, "field"));
      kt_cli_table_cell_take (table, kept_text (cli, object, item, "base"));
      kt_cli_table_cell_take (table, kept_text (cli, object, item, "mine"));
      kt_cli_table_cell_take (table, kept_text (cli, object, item, "theirs"));
    }
  kt_cli_table_print (cli, table);
}

static gboolean
list (KtCli *cli, GError **error)
{
  g_autoptr (GPtrArray) items = find_items (cli, "state = \"open\" and assigned_to = me", error);

  if (items == NULL)
    return FALSE;
  if (!cli->json)
    {
      print_items (cli, items);
      return TRUE;
    }
  for (guint i = 0; i < items->len; i++)
    {
      if (g_ptr_array_index (items, i) != NULL)
        put_item (cli, g_ptr_array_index (items, i));
    }
  return TRUE;
}

static gboolean
show (KtCli *cli, GError **error)
{
  g_autoptr (KtRecord) item = find_item (cli, kt_cli_arg (cli, 1), error);

  if (item == NULL)
    return FALSE;
  if (cli->json)
    put_item (cli, item);
  else
    print_item (cli, item);
  return TRUE;
}

/* FIELD=VALUE…: the difference between what is visible and what it shall become; a field that
 * stays as it is counts as well, for that is a decision, too. */
static KtPatch *
decided_values (KtCli *cli, const KtRecord *item, GError **error)
{
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) after = NULL;
  const KtObject *object;
  char id_text[KT_ID_TEXT_SIZE];
  KtId id;

  object = object_of (cli, item, &id);
  if (object == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "This item is about no record; decide with --take");
      return NULL;
    }
  kt_id_format (&id, id_text);
  before = kt_cli_record (cli, object, id_text, error);
  if (before == NULL)
    return NULL;
  after = kt_record_copy (before);
  if (!kt_cli_assign (cli, after, (const char *const *) cli->args->pdata + 2, cli->args->len - 2,
                      error))
    return NULL;
  return kt_patch_diff (before, after);
}

static gboolean
resolve (KtCli *cli, GError **error)
{
  const char *take = kt_cli_option (cli, "take");
  g_autoptr (KtMutation) mutation = NULL;
  g_autoptr (KtRecord) item = NULL;
  g_autoptr (KtPatch) values = NULL;

  if ((take != NULL) == (cli->args->len > 2))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "Decide with either --take mine, --take theirs, or FIELD=VALUE");
      return FALSE;
    }
  if (take != NULL && !g_str_equal (take, "mine") && !g_str_equal (take, "theirs"))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "--take wants “mine” or “theirs”, not “%s”",
                   take);
      return FALSE;
    }
  item = find_item (cli, kt_cli_arg (cli, 1), error);
  if (item == NULL)
    return FALSE;
  if (g_strcmp0 (kt_record_text (item, "state"), "open") != 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT, "This was decided already");
      return FALSE;
    }
  if (take == NULL)
    {
      values = decided_values (cli, item, error);
      if (values == NULL)
        return FALSE;
    }
  mutation = kt_local_resolve (cli->local, &item->id, take, values, error);
  if (mutation == NULL || !kt_cli_commit (cli, mutation, error))
    return FALSE;

  if (cli->json)
    {
      GString *text = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (text);

      kt_json_begin_object (&writer);
      kt_json_key (&writer, "no");
      kt_value_to_json (kt_record_get (item, "number"), &writer);
      kt_json_put_string (&writer, "resolution", mutation->resolution);
      kt_json_end_object (&writer);
      kt_cli_put_json (cli, text);
    }
  else
    {
      kt_cli_print (cli, "Decided; the next sync brings it to everybody");
    }
  return TRUE;
}

gboolean
kt_cli_review (KtCli *cli, GError **error)
{
  const char *word = kt_cli_arg (cli, 0);

  if (!kt_cli_open (cli,
                    word != NULL && g_str_equal (word, "resolve") ? KT_CLI_SIGNED
                                                                  : KT_CLI_SIGNED | KT_CLI_READS,
                    error))
    return FALSE;
  if (word == NULL || (g_str_equal (word, "list") && cli->args->len == 1))
    return list (cli, error);
  if (g_str_equal (word, "show") && cli->args->len == 2)
    return show (cli, error);
  if (g_str_equal (word, "resolve") && cli->args->len >= 2)
    return resolve (cli, error);
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
               "That is none of: review list, review show N, review resolve N …");
  return FALSE;
}
