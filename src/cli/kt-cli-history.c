/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <string.h>

/* Who changed what: the server's ledger, newest first, and above it what this device has not
 * settled yet. */

#define OUTBOX_MOST 100000

/* Members of one line, whichever side it comes from; JSON texts. */
typedef struct
{
  const KtObject *object;
  const char *wanted; /* only this field; NULL: all */
  KtCliTable *table;  /* NULL: JSON */
} Show;

static char *
value_text (KtCli *cli, const KtObject *object, const char *name, const KtJson *json)
{
  const KtField *field = name != NULL ? kt_object_field (object, name) : NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;

  if (json == NULL || kt_json_type (json) == KT_JSON_NULL)
    return g_strdup ("");
  if (field != NULL && kt_value_load_json (field, json, &value, NULL))
    return kt_cli_display (cli, field, &value);
  return kt_json_to_string (json, FALSE);
}

static void
put_member (KtJsonWriter *writer, const char *key, const KtJson *json)
{
  g_autofree char *text = json != NULL ? kt_json_to_string (json, FALSE) : g_strdup ("null");

  kt_json_put_raw (writer, key, text);
}

/* Where something else than the author wrote came out, that is told too: nobody's words are lost (P2). */
static char *
outcome_text (KtCli *cli, const Show *show, const char *name, const KtJson *entry)
{
  const char *outcome = kt_json_get_string (entry, "outcome", "");
  const KtJson *mine = kt_json_get (entry, "mine");
  g_autofree char *wrote = NULL;

  if (mine == NULL)
    return g_strdup (outcome);
  wrote = value_text (cli, show->object, name, mine);
  return *wrote != '\0' ? g_strdup_printf ("%s, wrote: %s", outcome, wrote)
                        : g_strdup_printf ("%s, cleared it", outcome);
}

static void
show_line (KtCli *cli, const Show *show, const KtJson *entry)
{
  const char *name = kt_json_get_string (entry, "field", NULL);
  const char *kind = kt_json_get_string (entry, "kind", "");
  const char *user =
    kt_json_get_string (entry, "user_name", kt_json_get_string (entry, "user", NULL));
  const char *device =
    kt_json_get_string (entry, "device_name", kt_json_get_string (entry, "device", NULL));
  const KtField *field = name != NULL ? kt_object_field (show->object, name) : NULL;

  if (show->wanted != NULL && g_strcmp0 (show->wanted, name) != 0)
    return;
  if (show->table == NULL)
    {
      GString *text = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (text);

      kt_json_begin_object (&writer);
      put_member (&writer, "seq", kt_json_get (entry, "seq"));
      put_member (&writer, "at", kt_json_get (entry, "at"));
      kt_json_put_string (&writer, "user", user);
      kt_json_put_string (&writer, "device", device);
      put_member (&writer, "kind", kt_json_get (entry, "kind"));
      kt_json_put_string (&writer, "field", name);
      put_member (&writer, "old", kt_json_get (entry, "old"));
      put_member (&writer, "new", kt_json_get (entry, "new"));
      if (kt_json_get (entry, "mine") != NULL)
        put_member (&writer, "mine", kt_json_get (entry, "mine"));
      put_member (&writer, "outcome", kt_json_get (entry, "outcome"));
      kt_json_end_object (&writer);
      kt_cli_put_json (cli, text);
      return;
    }
  kt_cli_table_cell (show->table, kt_json_get_string (entry, "at", ""));
  kt_cli_table_cell (show->table, user);
  kt_cli_table_cell (show->table, field != NULL ? kt_field_label (field, cli->locale) : kind);
  kt_cli_table_cell_take (show->table,
                          value_text (cli, show->object, name, kt_json_get (entry, "old")));
  kt_cli_table_cell_take (show->table,
                          value_text (cli, show->object, name, kt_json_get (entry, "new")));
  kt_cli_table_cell_take (show->table, outcome_text (cli, show, name, entry));
}

/* ---- what waits here, in the server's form ---- */

static const char *
kind_word (KtMutateKind kind)
{
  static const char *const words[] = { "create", "update", "delete", "restore" };

  return words[kind];
}

static void
write_pending (KtCli *cli, const KtOutboxEntry *entry, const KtOp *op, KtJsonWriter *writer)
{
  const KtIdentity *identity = kt_local_identity (cli->local);
  guint n = op->patch != NULL ? kt_patch_length (op->patch) : 0;

  for (guint i = 0; i < MAX (n, 1); i++)
    {
      kt_json_begin_object (writer);
      kt_json_put_raw (writer, "seq", "null");
      kt_json_put_string (writer, "at", entry->mutation->at);
      kt_json_put_string (writer, "user_name",
                          identity->access.name != NULL ? identity->access.name
                                                        : identity->user_name);
      kt_json_put_string (writer, "device_name", g_get_host_name ());
      kt_json_put_string (writer, "kind", kind_word (op->kind));
      if (i < n)
        {
          const KtChange *change = &g_array_index (op->patch->changes, KtChange, i);

          kt_json_put_string (writer, "field", change->field->name);
          kt_json_key (writer, "old");
          kt_value_to_json (&change->before, writer);
          kt_json_key (writer, "new");
          kt_value_to_json (&change->after, writer);
        }
      kt_json_put_string (writer, "outcome",
                          entry->state == KT_OUTBOX_PARKED ? "refused" : "waiting");
      kt_json_end_object (writer);
    }
}

/* Newest first, as the ledger. */
static KtJson *
pending_of (KtCli *cli, const KtId *id, GError **error)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (cli->local, OUTBOX_MOST, error);
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  if (entries == NULL)
    return NULL;
  kt_json_begin_array (&writer);
  for (guint i = entries->len; i > 0; i--)
    {
      const KtOutboxEntry *entry = g_ptr_array_index (entries, i - 1);

      for (guint j = 0; j < entry->mutation->ops->len; j++)
        {
          const KtOp *op = g_ptr_array_index (entry->mutation->ops, j);

          if (kt_id_equal (&op->id, id))
            write_pending (cli, entry, op, &writer);
        }
    }
  kt_json_end_array (&writer);
  return kt_json_parse (text->str, (gssize) text->len, error);
}

gboolean
kt_cli_history (KtCli *cli, GError **error)
{
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (KtJson) pending = NULL;
  g_autoptr (KtJson) ledger = NULL;
  g_autofree char *text = NULL;
  Show show = { NULL, kt_cli_option (cli, "field"), NULL };
  gboolean fresh = FALSE;

  if (!kt_cli_open (cli, KT_CLI_SIGNED, error))
    return FALSE;
  show.object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  if (show.object == NULL
      || (show.wanted != NULL && kt_cli_field (cli, show.object, show.wanted, error) == NULL))
    return FALSE;
  record = kt_cli_record (cli, show.object, kt_cli_arg (cli, 1), error);
  if (record == NULL)
    return FALSE;

  transport = kt_cli_connect (cli, NULL);
  text = kt_sync_history (cli->local, transport, show.object, &record->id, &fresh, cli->cancellable,
                          error);
  if (text == NULL)
    return FALSE;
  ledger = kt_json_parse (text, -1, error);
  pending = ledger != NULL ? pending_of (cli, &record->id, error) : NULL;
  if (pending == NULL)
    return FALSE;
  if (!fresh)
    kt_cli_say (cli, "The server could not be asked; this is what is kept here");

  if (!cli->json)
    show.table =
      kt_cli_table_new (KT_CLI_HEADERS ("When", "Who", "What", "Before", "After", "Outcome"));
  for (guint i = 0; i < kt_json_length (pending); i++)
    show_line (cli, &show, kt_json_at (pending, i));
  for (guint i = 0; i < kt_json_length (ledger); i++)
    {
      /* What waits was said above, with more words. */
      if (kt_json_type (kt_json_get (kt_json_at (ledger, i), "seq")) != KT_JSON_NULL)
        show_line (cli, &show, kt_json_at (ledger, i));
    }
  if (show.table != NULL)
    kt_cli_table_print (cli, show.table);
  return TRUE;
}
