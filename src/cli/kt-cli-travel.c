/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#define MB (G_GINT64_CONSTANT (1000) * 1000)

/* ---- the rule ---- */

static gboolean
read_rule (KtCli *cli, KtBlobPolicy *policy, gboolean *any, GError **error)
{
  const char *word = kt_cli_option (cli, "rule");
  guint each = 0, total = 0;

  *any = word != NULL || kt_cli_option (cli, "each") != NULL || kt_cli_option (cli, "total") != NULL;
  if (word != NULL && !kt_blob_rule_from_word (word, &policy->rule))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "--rule is none, mine or all");
      return FALSE;
    }
  if (!kt_cli_number (cli, "each", 0, &each, error) || !kt_cli_number (cli, "total", 0, &total, error))
    return FALSE;
  if (kt_cli_option (cli, "each") != NULL)
    policy->each = each * MB;
  if (kt_cli_option (cli, "total") != NULL)
    policy->total = total * MB;
  return TRUE;
}

/* ---- the report ---- */

static void
put_files (KtJsonWriter *writer, const char *key, const KtTravelFiles *files)
{
  kt_json_key (writer, key);
  kt_json_begin_object (writer);
  kt_json_put_int (writer, "files", files->n);
  kt_json_put_int (writer, "bytes", files->bytes);
  kt_json_end_object (writer);
}

static void
put_report (KtCli *cli, const KtTravelReport *report, gint64 last_us)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  g_autoptr (GDateTime) last = last_us > 0 ? g_date_time_new_from_unix_utc (last_us / G_USEC_PER_SEC) : NULL;
  g_autofree char *when = last != NULL ? g_date_time_format (last, "%Y-%m-%dT%H:%M:%S.000Z") : NULL;

  kt_json_begin_object (&writer);
  kt_json_put_bool (&writer, "complete", report->complete);
  kt_json_put_string (&writer, "last_sync", when);
  kt_json_put_int (&writer, "records", report->records);
  kt_json_put_int (&writer, "bytes", report->bytes);
  kt_json_put_int (&writer, "free", report->free);
  kt_json_put_int (&writer, "pending", report->outbox.queued + report->outbox.sent + report->outbox.parked);
  kt_json_put_string (&writer, "rule", kt_blob_rule_word (report->policy.rule));
  kt_json_put_int (&writer, "each", report->policy.each);
  kt_json_put_int (&writer, "total", report->policy.total);
  put_files (&writer, "here", &report->here);
  put_files (&writer, "missing", &report->missing);
  put_files (&writer, "left_out", &report->left_out);
  put_files (&writer, "elsewhere", &report->elsewhere);
  put_files (&writer, "unsent", &report->unsent);
  kt_json_key (&writer, "objects");
  kt_json_begin_object (&writer);
  for (guint i = 0; i < report->objects->len; i++)
    {
      const KtTravelObject *row = &g_array_index (report->objects, KtTravelObject, i);

      kt_json_key (&writer, row->object->name);
      kt_json_begin_object (&writer);
      kt_json_put_int (&writer, "records", row->records);
      kt_json_put_int (&writer, "bytes", row->bytes);
      kt_json_end_object (&writer);
    }
  kt_json_end_object (&writer);
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
}

static void
say_files (KtCli *cli, const char *what, const KtTravelFiles *files)
{
  g_autofree char *size = g_format_size ((guint64) files->bytes);
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT " (%s)", files->n, size);

  kt_cli_print_pair (cli, what, 24, text);
}

static void
say_report (KtCli *cli, const KtTravelReport *report, gint64 last_us)
{
  KtCliTable *table = kt_cli_table_new (NULL);
  g_autoptr (GDateTime) last = last_us > 0 ? g_date_time_new_from_unix_local (last_us / G_USEC_PER_SEC) : NULL;
  g_autofree char *when = last != NULL ? g_date_time_format (last, "%Y-%m-%d %H:%M") : g_strdup ("never");
  g_autofree char *size = g_format_size ((guint64) report->bytes);
  g_autofree char *each = g_format_size ((guint64) report->policy.each);
  g_autofree char *total = g_format_size ((guint64) report->policy.total);
  g_autofree char *rule = g_strdup_printf ("%s, up to %s each, %s together",
                                           kt_blob_rule_word (report->policy.rule), each, total);
  g_autofree char *records = g_strdup_printf ("%" G_GINT64_FORMAT " (%s)", report->records, size);

  kt_cli_table_column (table, "Object", FALSE);
  kt_cli_table_column (table, "Records", TRUE);
  kt_cli_table_column (table, "Size", TRUE);
  for (guint i = 0; i < report->objects->len; i++)
    {
      const KtTravelObject *row = &g_array_index (report->objects, KtTravelObject, i);

      if (row->records == 0)
        continue;
      kt_cli_table_cell (table, row->object->name);
      kt_cli_table_cell_take (table, g_strdup_printf ("%" G_GINT64_FORMAT, row->records));
      kt_cli_table_cell_take (table, g_format_size ((guint64) row->bytes));
    }
  kt_cli_table_print (cli, table);
  kt_cli_print_pair (cli, "Records", 24, records);
  kt_cli_print_pair (cli, "Last sync", 24, when);
  kt_cli_print_pair (cli, "Attachments", 24, rule);
  say_files (cli, "  here", &report->here);
  say_files (cli, "  still to come", &report->missing);
  say_files (cli, "  on demand only", &report->left_out);
  if (report->unsent.n > 0)
    say_files (cli, "  not sent yet", &report->unsent);
  if (report->elsewhere.n > 0)
    say_files (cli, "  not at the server yet", &report->elsewhere);
  kt_cli_print (cli, "%s", report->complete ? "Everything that shall be here is here."
                           : report->pulling ? "A pull is not finished: sync again."
                                             : "Attachments are still to come: sync again.");
}

gboolean
kt_cli_travel (KtCli *cli, GError **error)
{
  g_autoptr (KtTravelReport) report = NULL;
  KtBlobPolicy policy;
  gboolean any = FALSE;
  gint64 last_us = 0;

  if (!kt_cli_open (cli, KT_CLI_SIGNED, error) || !kt_local_blob_policy (cli->local, &policy, error)
      || !read_rule (cli, &policy, &any, error)
      || (any && !kt_local_set_blob_policy (cli->local, &policy, error)))
    return FALSE;
  report = kt_local_travel_report (cli->local, error);
  if (report == NULL)
    return FALSE;
  kt_sync_lock_peek (kt_local_dir (cli->local), &last_us, NULL);
  if (cli->json)
    put_report (cli, report, last_us);
  else
    say_report (cli, report, last_us);
  return TRUE;
}

/* ---- pins ---- */

static gboolean
set_pin (KtCli *cli, gboolean pinned, GError **error)
{
  g_autoptr (KtRecord) record = NULL;
  const KtObject *object;

  if (!kt_cli_open (cli, KT_CLI_READY, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  record = object != NULL ? kt_cli_record (cli, object, kt_cli_arg (cli, 1), error) : NULL;
  if (record == NULL || !kt_local_pin (cli->local, &record->id, pinned, error))
    return FALSE;
  if (cli->json)
    kt_cli_print (cli, "{\"pinned\":%s}", pinned ? "true" : "false");
  return TRUE;
}

gboolean
kt_cli_pin (KtCli *cli, GError **error)
{
  return set_pin (cli, TRUE, error);
}

gboolean
kt_cli_unpin (KtCli *cli, GError **error)
{
  return set_pin (cli, FALSE, error);
}
