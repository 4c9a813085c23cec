/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include <glib/gstdio.h>

#include "cli/kt-cli-private.h"

/* The command line as a table: what is given, which code comes back, and what is said. Nothing here needs a
 * server; the commands' work is tested with real processes in tests/system. */

typedef struct
{
  int code;
  char *out, *err;
} Outcome;

static void
outcome_clear (Outcome *outcome)
{
  free (outcome->out);
  free (outcome->err);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Outcome, outcome_clear)

static char *profile;

/* @line: words separated by blanks; '_' stands for a blank in a word. */
static void
run (Outcome *outcome, const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  size_t out_len, err_len;
  FILE *in, *out, *err;

  g_ptr_array_add (argv, (gpointer) "kontorctl");
  g_ptr_array_add (argv, (gpointer) "--profile");
  g_ptr_array_add (argv, profile);
  for (guint i = 0; words[i] != NULL; i++)
    {
      g_strdelimit (words[i], "_", ' ');
      if (*words[i] != '\0')
        g_ptr_array_add (argv, words[i]);
    }
  g_ptr_array_add (argv, NULL);

  in = fopen ("/dev/null", "r");
  out = open_memstream (&outcome->out, &out_len);
  err = open_memstream (&outcome->err, &err_len);
  outcome->code = kt_cli_run ((int) argv->len - 1, (char **) argv->pdata, "en", in, out, err);
  fclose (in);
  fclose (out);
  fclose (err);
}

static void
test_usage (void)
{
  static const struct
  {
    const char *line;
    int code;
    const char *err;
  } table[] = {
    { "", 2, "Usage: kontorctl" },
    { "frobnicate", 2, "There is no command “frobnicate”" },
    { "lits", 2, "did you mean “list”?" },
    { "syncc", 2, "did you mean “sync”?" },
    { "--jsn status", 2, "did you mean --json?" },
    { "list account --wher x", 2, "did you mean --where?" },
    { "list account --qqqqqqqq", 2, "There is no option --qqqqqqqq" },
    { "status --watch", 2, "no option --watch" },
    { "--watch status", 2, "no option --watch" },
    { "list account --where", 2, "--where wants a value: --where EXPR" },
    { "list account --limit=1 --limit=2", 2, "given twice" },
    { "sync --watch=yes", 2, "takes no value" },
    { "list", 2, "Too few arguments: kontorctl list OBJECT" },
    { "list account extra", 2, "“extra” is one argument too many" },
    { "set account", 2, "Too few arguments" },
    { "status -x", 2, "There is no option -x" },
    { "list account --limit 0", 5, "Nobody is signed in" },
    { "list account --limit many", 5, "Nobody is signed in" },
    { "search x --limit many", 2, "--limit wants a number" },
    { "login http://127.0.0.1:1", 2, "Add --user NAME" },
    { "login ftp://x --user anna", 2, "is not the address of a server" },
    { "login http://127.0.0.1:1 --user anna", 2, "No password" },
    { "login http://127.0.0.1:1 --user= --json", 2, "Add --user NAME" },
    { "--profile=x --profile y status", 2, "given twice" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_auto (Outcome) outcome = { 0 };

      run (&outcome, table[i].line);
      if (outcome.code != table[i].code || strstr (outcome.err, table[i].err) == NULL)
        g_error ("“%s”: code %d, “%s”", table[i].line, outcome.code, outcome.err);
      g_assert_cmpstr (outcome.out, ==, "");
    }
}

/* A message names the command whose help shows more. */
static void
test_pointer_to_help (void)
{
  g_auto (Outcome) outcome = { 0 };

  run (&outcome, "list");
  g_assert_nonnull (strstr (outcome.err, "(kontorctl list --help shows more)"));
}

/* Without a profile: everything that needs one says who has to do what, with code 5. */
static void
test_signed_out (void)
{
  static const char *const lines[] = {
    "sync",
    "sync --watch",
    "new account name=x",
    "set account 1 name=x",
    "delete account 1",
    "restore account 1",
    "get account 1",
    "list account",
    "count account",
    "search x",
    "import account /dev/null",
    "export account /dev/null",
    "outbox",
    "outbox retry 1",
    "review",
    "review list",
    "review show 1",
    "review resolve 1 --take mine",
    "history account 1",
    "attach account 1 /dev/null",
    "attachments account 1",
    "fetch 1 /dev/null",
    "schema",
    "schema account",
    "verify",
  };

  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_auto (Outcome) outcome = { 0 };

      run (&outcome, lines[i]);
      if (outcome.code != 5 || strstr (outcome.err, "Run: kontorctl login") == NULL)
        g_error ("“%s”: code %d, “%s”", lines[i], outcome.code, outcome.err);
    }
  g_assert_false (g_file_test (profile, G_FILE_TEST_EXISTS));
}

static void
test_status_of_nobody (void)
{
  g_auto (Outcome) json = { 0 };
  g_auto (Outcome) plain = { 0 };
  g_auto (Outcome) logout = { 0 };

  run (&json, "status --json");
  g_assert_cmpint (json.code, ==, 0);
  g_assert_cmpstr (json.out, ==,
                   "{\"state\":\"signed_out\",\"user\":null,\"server\":null,\"pending\":0,"
                   "\"parked\":0,\"review\":0,\"last_sync\":null,\"notices\":[]}\n");
  run (&plain, "status");
  g_assert_cmpint (plain.code, ==, 0);
  g_assert_nonnull (strstr (plain.out, "signed_out"));
  run (&logout, "logout --json");
  g_assert_cmpint (logout.code, ==, 0);
  g_assert_cmpstr (logout.out, ==, "{\"unsettled\":0}\n");
  g_assert_false (g_file_test (profile, G_FILE_TEST_EXISTS));
}

static void
test_help (void)
{
  g_auto (Outcome) all = { 0 };
  g_auto (Outcome) version = { 0 };

  run (&all, "--help");
  g_assert_cmpint (all.code, ==, 0);
  g_assert_cmpstr (all.err, ==, "");
  for (const KtCliCommand *command = kt_cli_commands (); command->name != NULL; command++)
    {
      g_autofree char *line = g_strconcat (command->name, " --help", NULL);
      g_autofree char *before = g_strconcat ("-h ", command->name, NULL);
      g_auto (Outcome) own = { 0 };
      g_auto (Outcome) same = { 0 };

      g_assert_nonnull (strstr (all.out, command->name));
      run (&own, line);
      g_assert_cmpint (own.code, ==, 0);
      g_assert_nonnull (strstr (own.out, command->summary));
      for (const KtCliOption *option = command->options; option != NULL && option->name != NULL;
           option++)
        g_assert_nonnull (strstr (own.out, option->name));
      run (&same, before);
      g_assert_cmpint (same.code, ==, 0);
      g_assert_cmpstr (same.out, ==, own.out);
    }
  run (&version, "--version");
  g_assert_cmpint (version.code, ==, 0);
  g_assert_cmpstr (version.out, ==, "kontorctl " PACKAGE_VERSION "\n");
}

/* Options may stand anywhere; after -- nothing is one. */
static void
test_places (void)
{
  static const char *const lines[] = {
    "--json status", "status --json", "--json=x status", "status --", "status -- --json",
  };
  static const int codes[] = { 0, 0, 2, 0, 2 };

  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_auto (Outcome) outcome = { 0 };

      run (&outcome, lines[i]);
      if (outcome.code != codes[i])
        g_error ("“%s”: code %d, “%s”", lines[i], outcome.code, outcome.err);
    }
}

static void
test_widths (void)
{
  g_assert_cmpuint (kt_cli_width ("abc"), ==, 3);
  g_assert_cmpuint (kt_cli_width ("客户"), ==, 4);
  g_assert_cmpuint (kt_cli_width ("e\xcc\x81"), ==, 1);
  g_assert_cmpuint (kt_cli_width (""), ==, 0);
}

/* Aligned whatever script, and nothing of the data reaches the terminal as a command to it. */
static void
test_table (void)
{
  char *text = NULL;
  size_t len;
  KtCli cli = { .out = open_memstream (&text, &len) };
  KtCliTable *table = kt_cli_table_new (KT_CLI_HEADERS ("Name"));

  kt_cli_table_column (table, "Sum", TRUE);
  kt_cli_table_column (table, "Note", FALSE);
  kt_cli_table_cell (table, "客户");
  kt_cli_table_cell (table, "7");
  kt_cli_table_cell (table, "a\033[2Jb\nc");
  kt_cli_table_cell (table, "Acme Ltd");
  kt_cli_table_cell (table, "1234");
  kt_cli_table_cell (table, NULL);
  kt_cli_table_print (&cli, table);
  fclose (cli.out);
  g_assert_cmpstr (text, ==,
                   "Name       Sum  Note\n"
                   "客户         7  a [2Jb c\n"
                   "Acme Ltd  1234  \n");
  free (text);
}

int
main (int argc, char **argv)
{
  g_autofree char *dir = g_dir_make_tmp ("kontor-cli-XXXXXX", NULL);
  int code;

  g_test_init (&argc, &argv, NULL);
  profile = g_build_filename (dir, "profile", NULL);
  g_test_add_func ("/cli/usage", test_usage);
  g_test_add_func ("/cli/pointer-to-help", test_pointer_to_help);
  g_test_add_func ("/cli/signed-out", test_signed_out);
  g_test_add_func ("/cli/status-of-nobody", test_status_of_nobody);
  g_test_add_func ("/cli/help", test_help);
  g_test_add_func ("/cli/places", test_places);
  g_test_add_func ("/cli/widths", test_widths);
  g_test_add_func ("/cli/table", test_table);
  code = g_test_run ();
  g_rmdir (dir);
  g_free (profile);
  return code;
}
