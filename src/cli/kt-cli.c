/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/kt-text.h"

#define WHERE                                                                 \
  {                                                                           \
    "where", "EXPR", FALSE,                                                   \
      "only records for which EXPR holds: stage = \"Won\" and amount >= 5000" \
  }
#define FIELDS                                            \
  {                                                       \
    "fields", "A,B", FALSE, "these fields, in this order" \
  }

static const KtCliOption global_options[] = {
  { "profile", "DIR", FALSE, "the folder of the local copy (default: $XDG_DATA_HOME/kontor)" },
  { "json", NULL, FALSE, "print JSON: one document, or one object a line for lists" },
  { "help", NULL, FALSE, "show this and exit" },
  { "version", NULL, FALSE, "show the version and exit" },
  { NULL }
};

static const KtCliOption login_options[] = { { "user", "NAME", FALSE, "who signs in" }, { NULL } };

static const KtCliOption sync_options[] = {
  { "watch", NULL, FALSE, "go on until interrupted, a line for each round that brought something" },
  { NULL }
};

static const KtCliOption list_options[] = {
  WHERE,
  { "sort", "FIELD,-FIELD", FALSE, "by these fields; a dash before one sorts downwards" },
  { "limit", "N", FALSE, "no more than N" },
  FIELDS,
  { "bin", NULL, FALSE, "the deleted ones instead" },
  { NULL }
};

static const KtCliOption count_options[] = { WHERE, { NULL } };

static const KtCliOption search_options[] = { { "object", "OBJECT", FALSE, "only in this object" },
                                              { "limit", "N", FALSE,
                                                "no more than N (default 50)" },
                                              { NULL } };

static const KtCliOption import_options[] = {
  { "map", "COLUMN=FIELD", TRUE, "this column goes to this field; COLUMN= leaves it out" },
  { "set", "FIELD=VALUE", TRUE, "the same value for all rows" },
  { "match", "FIELD", FALSE, "rows update the record with the same value in FIELD" },
  { "create-missing", NULL, FALSE, "make the records that rows name and that are not there" },
  { "dry-run", NULL, FALSE, "only tell what would happen" },
  { "report", "FILE", FALSE, "write the rows that failed to FILE, with the reason" },
  { NULL }
};

static const KtCliOption export_options[] = { WHERE, FIELDS, { NULL } };

static const KtCliOption review_options[] = { { "take", "mine|theirs", FALSE,
                                                "whose value shall stand" },
                                              { NULL } };

static const KtCliOption travel_options[] = {
  { "rule", "none|mine|all", FALSE, "which attachments shall be here" },
  { "each", "MB", FALSE, "none of them larger than this" },
  { "total", "MB", FALSE, "no more than this together" },
  { NULL }
};

static const KtCliOption history_options[] = { { "field", "FIELD", FALSE, "only of this field" },
                                               { NULL } };

#define ASSIGNMENTS                                                                                \
  "FIELD= clears a field, FIELD=@FILE takes the text of a file, FIELD=@@TEXT a text that starts "  \
  "with @.\nA reference is an id or a name (account=\"Acme Ltd\"; account:NAME where several "     \
  "objects are possible),\na choice its code or label, money \"12.50 EUR\", a list a;b;c, a part " \
  "of an address\nbilling_address.city=Berlin."

static const KtCliCommand commands[] = {
  { "login", "URL", 1, 1, "sign in to a server",
    "The password is the first line of standard input, or asked for on a terminal.", login_options,
    kt_cli_login },
  { "logout", "", 0, 0, "sign out; unsettled work is kept, and said so", NULL, NULL,
    kt_cli_logout },
  { "sync", "", 0, 0, "send and fetch, and return when settled",
    "Exit code 3: something was refused or is still waiting.", sync_options, kt_cli_sync },
  { "status", "", 0, 0, "what is known without asking the server", NULL, NULL, kt_cli_status },
  { "new", "OBJECT FIELD=VALUE…", 1, G_MAXUINT, "make a record", ASSIGNMENTS, NULL, kt_cli_new },
  { "set", "OBJECT ID FIELD=VALUE…", 3, G_MAXUINT, "change fields of a record", ASSIGNMENTS, NULL,
    kt_cli_set },
  { "delete", "OBJECT ID…", 2, G_MAXUINT, "put records into the bin", NULL, NULL, kt_cli_delete },
  { "restore", "OBJECT ID…", 2, G_MAXUINT, "take records out of the bin", NULL, NULL,
    kt_cli_restore },
  { "get", "OBJECT ID", 2, 2, "show a record", NULL, NULL, kt_cli_get },
  { "list", "OBJECT", 1, 1, "list records", NULL, list_options, kt_cli_list },
  { "count", "OBJECT", 1, 1, "count records", NULL, count_options, kt_cli_count },
  { "search", "TEXT", 1, G_MAXUINT, "search everything", NULL, search_options, kt_cli_search },
  { "import", "OBJECT FILE", 2, 2, "read a CSV file",
    "Columns are matched with fields by their headers, in English or Chinese, unless --map says "
    "otherwise.\nA bad row is reported and the good ones go in.\nFIELD may be a part "
    "(billing_address.city, amount.currency), a reference to one object "
    "(parent:order),\nor an id that is unique only in its source (external_id@shipper, "
    "ship_via@shipper).",
    import_options, kt_cli_import },
  { "export", "OBJECT FILE", 2, 2, "write a CSV file", NULL, export_options, kt_cli_export },
  { "outbox", "[retry N | discard N | undo N]", 0, 2, "changes the server has not settled yet",
    "retry sends a parked one again, discard gives it up (it is kept in the history of this "
    "device),\nundo takes back one that was not sent yet.",
    NULL, kt_cli_outbox },
  { "review", "[list | show N | resolve N [FIELD=VALUE…]]", 0, G_MAXUINT,
    "what needs a decision of yours", "resolve takes either --take or values.", review_options,
    kt_cli_review },
  { "history", "OBJECT ID", 2, 2, "who changed what, when and from where",
    "From the server; without it, as far as it is kept here.", history_options, kt_cli_history },
  { "attach", "OBJECT ID FILE", 3, 3, "attach a file to a record", NULL, NULL, kt_cli_attach },
  { "attachments", "OBJECT ID", 2, 2, "list the files of a record", NULL, NULL,
    kt_cli_attachments },
  { "fetch", "FILE-ID PATH", 2, 2, "write an attached file to PATH", NULL, NULL, kt_cli_fetch },
  { "travel", "", 0, 0, "what is here without a network, and which attachments shall be",
    "Attachments come by rule: none, mine (what you attached and what hangs on your records) or all. Those that the rule\n"
    "does not keep any more leave this device; nothing goes that the server does not have. pin keeps those of one record.",
    travel_options, kt_cli_travel },
  { "pin", "OBJECT ID", 2, 2, "keep the attachments of a record on this device", NULL, NULL, kt_cli_pin },
  { "unpin", "OBJECT ID", 2, 2, "leave them to the rule again", NULL, NULL, kt_cli_unpin },
  { "schema", "[OBJECT]", 0, 1, "objects, fields and types, as you may see them", NULL, NULL,
    kt_cli_schema },
  { "verify", "", 0, 0, "compare this copy with the server and repair it",
    "Exit code 3: they differed.", NULL, kt_cli_verify },
  { NULL }
};

const KtCliCommand *
kt_cli_commands (void)
{
  return commands;
}

/* ---- what was given ---- */

const char *
kt_cli_arg (KtCli *cli, guint n)
{
  return n < cli->args->len ? g_ptr_array_index (cli->args, n) : NULL;
}

const char *
kt_cli_option (KtCli *cli, const char *name)
{
  const char *value = NULL;

  for (guint i = 0; i < cli->given->len; i++)
    {
      const KtCliGiven *given = &g_array_index (cli->given, KtCliGiven, i);

      if (g_str_equal (given->option->name, name))
        value = given->value;
    }
  return value;
}

GPtrArray *
kt_cli_options (KtCli *cli, const char *name)
{
  GPtrArray *values = g_ptr_array_new ();

  for (guint i = 0; i < cli->given->len; i++)
    {
      const KtCliGiven *given = &g_array_index (cli->given, KtCliGiven, i);

      if (g_str_equal (given->option->name, name))
        g_ptr_array_add (values, (gpointer) given->value);
    }
  return values;
}

gboolean
kt_cli_number (KtCli *cli, const char *name, guint fallback, guint *out, GError **error)
{
  const char *text = kt_cli_option (cli, name);
  guint64 number;

  *out = fallback;
  if (text == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT, &number, NULL))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "--%s wants a number from 1 on, not “%s”",
                   name, text);
      return FALSE;
    }
  *out = (guint) number;
  return TRUE;
}

const char *
kt_cli_nearest (const char *word, const char *const *names)
{
  const char *best = NULL;
  guint best_distance = (guint) MIN (3, strlen (word) / 2 + 1);

  for (; *names != NULL; names++)
    {
      guint distance = kt_text_distance (word, *names, best_distance);

      if (distance < best_distance || (distance == best_distance && best == NULL))
        {
          best = *names;
          best_distance = distance;
        }
    }
  return best;
}

/* ---- reading the command line ---- */

static gboolean fail_usage (KtCli *cli, GError **error, const char *format, ...)
  G_GNUC_PRINTF (3, 4);

static gboolean
fail_usage (KtCli *cli, GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  if (cli->command != NULL)
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s (kontorctl %s --help shows more)", text,
                 cli->command->name);
  else
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s (kontorctl --help shows more)", text);
  return FALSE;
}

static const KtCliOption *
find_option (const KtCliOption *options, const char *name)
{
  for (; options != NULL && options->name != NULL; options++)
    {
      if (g_str_equal (options->name, name))
        return options;
    }
  return NULL;
}

/* An option before the command is looked up in all commands: which one it is, is not known yet. */
static const KtCliOption *
find_any_option (const KtCli *cli, const char *name)
{
  const KtCliOption *option = find_option (global_options, name);

  if (option == NULL && cli->command != NULL)
    option = find_option (cli->command->options, name);
  for (const KtCliCommand *command = commands;
       option == NULL && cli->command == NULL && command->name != NULL; command++)
    option = find_option (command->options, name);
  return option;
}

static gboolean
fail_option (KtCli *cli, const char *name, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  const char *nearest;

  for (const KtCliOption *option = global_options; option->name != NULL; option++)
    g_ptr_array_add (names, (gpointer) option->name);
  for (const KtCliCommand *command = commands; command->name != NULL; command++)
    {
      if (cli->command != NULL && command != cli->command)
        continue;
      for (const KtCliOption *option = command->options; option != NULL && option->name != NULL;
           option++)
        g_ptr_array_add (names, (gpointer) option->name);
    }
  g_ptr_array_add (names, NULL);
  nearest = kt_cli_nearest (name, (const char *const *) names->pdata);
  if (nearest != NULL)
    return fail_usage (cli, error, "There is no option --%s; did you mean --%s?", name, nearest);
  return fail_usage (cli, error, "There is no option --%s", name);
}

static gboolean
take_option (KtCli *cli, int *i, int argc, char **argv, GError **error)
{
  const char *equals = strchr (argv[*i], '=');
  g_autofree char *name = equals != NULL ? g_strndup (argv[*i] + 2, (gsize) (equals - argv[*i] - 2))
                                         : g_strdup (argv[*i] + 2);
  const KtCliOption *option = find_any_option (cli, name);
  KtCliGiven given = { option, "" };

  if (option == NULL)
    return fail_option (cli, name, error);
  if (option->value == NULL && equals != NULL)
    return fail_usage (cli, error, "--%s takes no value", name);
  if (option->value != NULL && equals != NULL)
    given.value = equals + 1;
  else if (option->value != NULL && *i + 1 < argc)
    given.value = argv[++*i];
  else if (option->value != NULL)
    return fail_usage (cli, error, "--%s wants a value: --%s %s", name, name, option->value);
  if (option->value != NULL && !option->many && kt_cli_option (cli, name) != NULL)
    return fail_usage (cli, error, "--%s was given twice", name);

  g_array_append_val (cli->given, given);
  return TRUE;
}

static gboolean
take_command (KtCli *cli, const char *word, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  const char *nearest;

  for (const KtCliCommand *command = commands; command->name != NULL; command++)
    {
      g_ptr_array_add (names, (gpointer) command->name);
      if (g_str_equal (command->name, word))
        {
          cli->command = command;
          return TRUE;
        }
    }
  g_ptr_array_add (names, NULL);
  nearest = kt_cli_nearest (word, (const char *const *) names->pdata);
  if (nearest != NULL)
    return fail_usage (cli, error, "There is no command “%s”; did you mean “%s”?", word, nearest);
  return fail_usage (cli, error, "There is no command “%s”", word);
}

/* Options that stood before the command and are another one's. */
static gboolean
check_options (KtCli *cli, GError **error)
{
  for (guint i = 0; i < cli->given->len; i++)
    {
      const KtCliOption *option = g_array_index (cli->given, KtCliGiven, i).option;

      if (find_option (global_options, option->name) == NULL
          && find_option (cli->command->options, option->name) == NULL)
        return fail_option (cli, option->name, error);
    }
  return TRUE;
}

static gboolean
parse (KtCli *cli, int argc, char **argv, GError **error)
{
  gboolean plain = FALSE;

  for (int i = 1; i < argc; i++)
    {
      if (!g_utf8_validate (argv[i], -1, NULL))
        return fail_usage (cli, error, "Argument %d is not UTF-8 text", i);
      if (!plain && g_str_equal (argv[i], "--"))
        {
          plain = TRUE;
        }
      else if (!plain && g_str_equal (argv[i], "-h"))
        {
          KtCliGiven given = { find_option (global_options, "help"), "" };

          g_array_append_val (cli->given, given);
        }
      else if (!plain && g_str_has_prefix (argv[i], "--"))
        {
          if (!take_option (cli, &i, argc, argv, error))
            return FALSE;
        }
      else if (!plain && argv[i][0] == '-' && argv[i][1] != '\0')
        {
          return fail_usage (
            cli, error, "There is no option %s (-- before a text that starts with -)", argv[i]);
        }
      else if (cli->command == NULL)
        {
          if (!take_command (cli, argv[i], error))
            return FALSE;
        }
      else
        {
          g_ptr_array_add (cli->args, argv[i]);
        }
    }

  cli->json = kt_cli_option (cli, "json") != NULL;
  cli->help = kt_cli_option (cli, "help") != NULL;
  if (kt_cli_option (cli, "profile") != NULL)
    cli->profile = g_strdup (kt_cli_option (cli, "profile"));
  else
    cli->profile = g_build_filename (g_get_user_data_dir (), "kontor", NULL);
  if (*cli->profile == '\0')
    return fail_usage (cli, error, "--profile wants a folder");
  if (cli->command == NULL || cli->help)
    return TRUE;
  if (!check_options (cli, error))
    return FALSE;
  if (cli->args->len < cli->command->min)
    return fail_usage (cli, error, "Too few arguments: kontorctl %s %s", cli->command->name,
                       cli->command->usage);
  if (cli->args->len > cli->command->max)
    return fail_usage (cli, error, "“%s” is one argument too many: kontorctl %s %s",
                       kt_cli_arg (cli, cli->command->max), cli->command->name,
                       cli->command->usage);
  return TRUE;
}

/* ---- help ---- */

static void
print_options (FILE *out, const KtCliOption *options)
{
  for (; options != NULL && options->name != NULL; options++)
    {
      g_autofree char *left = options->value != NULL
                                ? g_strdup_printf ("--%s %s", options->name, options->value)
                                : g_strdup_printf ("--%s", options->name);

      fprintf (out, "  %-22s %s\n", left, options->help);
    }
}

static void
print_help (KtCli *cli, FILE *out)
{
  if (cli->command != NULL)
    {
      fprintf (out, "Usage: kontorctl [--profile DIR] [--json] %s%s%s%s\n\n%s.\n",
               cli->command->name, *cli->command->usage != '\0' ? " " : "", cli->command->usage,
               cli->command->options != NULL ? " [OPTION…]" : "", cli->command->summary);
      if (cli->command->details != NULL)
        fprintf (out, "\n%s\n", cli->command->details);
      fprintf (out, "\nOptions:\n");
      print_options (out, cli->command->options);
      print_options (out, global_options);
      return;
    }

  fprintf (out, "Usage: kontorctl [--profile DIR] [--json] COMMAND [ARGUMENT…]\n\n"
                "The Kontor client without a window. It works on a local copy; login, sync, "
                "verify, fetch and\nhistory talk to the server.\n\nCommands:\n");
  for (const KtCliCommand *command = commands; command->name != NULL; command++)
    fprintf (out, "  %-12s %s\n", command->name, command->summary);
  fprintf (out, "\nOptions:\n");
  print_options (out, global_options);
  fprintf (out, "\nkontorctl COMMAND --help shows a command's own.\n\n"
                "Exit codes: 0 done, 1 internal error, 2 bad input or usage, 3 not settled or "
                "differs,\n4 network or server unreachable, 5 not allowed.\n");
}

/* ---- running ---- */

static int
run (KtCli *cli, int argc, char **argv, GError **error)
{
  if (!parse (cli, argc, argv, error))
    return 2;
  if (cli->help)
    {
      print_help (cli, cli->out);
      return 0;
    }
  if (kt_cli_option (cli, "version") != NULL)
    {
      fprintf (cli->out, "kontorctl " PACKAGE_VERSION "\n");
      return 0;
    }
  if (cli->command == NULL)
    {
      print_help (cli, cli->err);
      return 2;
    }
  if (!cli->command->run (cli, error))
    return 1;
  return cli->exit_code;
}

int
kt_cli_run (int argc, char **argv, const char *locale, FILE *in, FILE *out, FILE *err)
{
  g_autoptr (GError) error = NULL;
  KtCli cli = { .in = in, .out = out, .err = err };
  int code;

  cli.locale = g_strdup (locale);
  cli.args = g_ptr_array_new ();
  cli.given = g_array_new (FALSE, FALSE, sizeof (KtCliGiven));
  cli.cancellable = g_cancellable_new ();

  code = run (&cli, argc, argv, &error);
  kt_cli_progress_end (&cli);
  if (error != NULL)
    {
      kt_cli_say (&cli, "%s", error->message);
      code = MAX (1, kt_error_exit_code (error));
    }
  if ((fflush (out) != 0 || ferror (out)) && code == 0)
    {
      kt_cli_say (&cli, "The output could not be written");
      code = 1;
    }

  g_clear_pointer (&cli.local, kt_local_close);
  g_clear_object (&cli.cancellable);
  g_clear_pointer (&cli.args, g_ptr_array_unref);
  g_clear_pointer (&cli.given, g_array_unref);
  g_free (cli.profile);
  g_free (cli.locale);
  return code;
}

int
kt_cli_main (int argc, char **argv)
{
  g_autofree char *locale = NULL;

  setlocale (LC_ALL, "");
  locale = g_strdup (setlocale (LC_MESSAGES, NULL));
  if (locale != NULL)
    locale[strcspn (locale, ".@")] = '\0';
  if (locale == NULL || g_str_equal (locale, "C") || g_str_equal (locale, "POSIX"))
    {
      g_free (locale);
      locale = g_strdup ("en");
    }
  return kt_cli_run (argc, argv, locale, stdin, stdout, stderr);
}
