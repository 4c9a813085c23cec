/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <string.h>

/* What the server has not settled: listed in sentences; parked entries sent again or given up. */

#define OUTBOX_MOST 100000

static const char *
state_word (KtOutboxState state)
{
  switch (state)
    {
    case KT_OUTBOX_QUEUED:
      return "queued";
    case KT_OUTBOX_SENT:
    case KT_OUTBOX_SETTLED:
      return "sent";
    case KT_OUTBOX_PARKED:
    default:
      return "parked";
    }
}

static void
put_entry (KtCli *cli, const KtOutboxEntry *entry, const KtOp *op, const char *says)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char id[KT_ID_TEXT_SIZE] = "";

  if (op != NULL)
    kt_id_format (&op->id, id);
  kt_json_begin_object (&writer);
  kt_json_put_int (&writer, "no", entry->no);
  kt_json_put_string (&writer, "state", state_word (entry->state));
  kt_json_put_string (&writer, "object", op != NULL ? op->object->name : NULL);
  kt_json_put_string (&writer, "id", op != NULL ? id : NULL);
  kt_json_put_string (&writer, "says", says);
  kt_json_put_string (&writer, "reason", entry->reason);
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
}

static gboolean
list (KtCli *cli, GError **error)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (cli->local, OUTBOX_MOST, error);
  KtCliTable *table = NULL;

  if (entries == NULL)
    return FALSE;
  if (!cli->json)
    table = kt_cli_table_new (KT_CLI_HEADERS ("No", "State", "What", "Reason"));
  for (guint i = 0; i < entries->len; i++)
    {
      const KtOutboxEntry *entry = g_ptr_array_index (entries, i);
      g_autofree char *says =
        kt_mutation_describe (entry->mutation, cli->locale, kt_cli_title, cli);

      if (cli->json)
        {
          put_entry (cli, entry,
                     entry->mutation->ops->len > 0 ? g_ptr_array_index (entry->mutation->ops, 0)
                                                   : NULL,
                     says);
          continue;
        }
      kt_cli_table_cell_take (table, g_strdup_printf ("%" G_GINT64_FORMAT, entry->no));
      kt_cli_table_cell (table, state_word (entry->state));
      kt_cli_table_cell (table, says);
      kt_cli_table_cell (table, entry->reason);
    }
  if (table != NULL)
    kt_cli_table_print (cli, table);
  return TRUE;
}

/* NOT_FOUND when no change of that number waits: one that is not there is no conflict. */
static gboolean
is_there (KtCli *cli, gint64 no, GError **error)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (cli->local, G_MAXINT, error);

  if (entries == NULL)
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    if (((const KtOutboxEntry *) g_ptr_array_index (entries, i))->no == no)
      return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND,
               "There is no change %" G_GINT64_FORMAT " in the outbox; kontorctl outbox lists them",
               no);
  return FALSE;
}

gboolean
kt_cli_outbox (KtCli *cli, GError **error)
{
  static const struct
  {
    const char *word;
    gboolean (*act) (KtLocal *local, gint64 no, KtChangeSet **changes, GError **error);
  } actions[] = { { "retry", kt_local_retry },
                  { "discard", kt_local_discard },
                  { "undo", kt_local_undo } };
  const char *word = kt_cli_arg (cli, 0);
  g_autoptr (KtChangeSet) changes = NULL;
  gint64 no;

  if (word == NULL || g_str_equal (word, "list"))
    return kt_cli_open (cli, KT_CLI_SIGNED | KT_CLI_READS, error) && list (cli, error);
  if (!kt_cli_open (cli, KT_CLI_SIGNED, error))
    return FALSE;

  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    {
      if (!g_str_equal (word, actions[i].word))
        continue;
      if (kt_cli_arg (cli, 1) == NULL
          || !g_ascii_string_to_signed (kt_cli_arg (cli, 1), 10, 1, G_MAXINT64, &no, NULL))
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "Which one? kontorctl outbox lists them");
          return FALSE;
        }
      return is_there (cli, no, error) && actions[i].act (cli->local, no, &changes, error);
    }
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
               "“%s” is nothing that can be done with the outbox: retry, discard or undo", word);
  return FALSE;
}
