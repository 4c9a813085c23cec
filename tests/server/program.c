/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The program as an administrator meets it: commands, exit codes, passwords, the first line, the end. */

#include "config.h"

#include "fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

typedef struct
{
  char *dir; /* for everything */
  char *workspace;
} Desk;

typedef struct
{
  int status; /* exit code */
  char *out, *err;
} Result;

static void
result_clear (Result *result)
{
  g_clear_pointer (&result->out, g_free);
  g_clear_pointer (&result->err, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Result, result_clear)

static const char *
program (void)
{
  const char *path = g_getenv ("KONTOR_SERVER");

  return path != NULL ? path : "kontor-server";
}

static Result run (const char *input, ...) G_GNUC_NULL_TERMINATED;

/* Runs the program with the words that follow and @input on its stdin. */
static Result
run (const char *input, ...)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;
  Result result = { 0 };
  const char *word;
  va_list words;

  g_ptr_array_add (argv, (gpointer) program ());
  va_start (words, input);
  while ((word = va_arg (words, const char *)) != NULL)
    g_ptr_array_add (argv, (gpointer) word);
  va_end (words);
  g_ptr_array_add (argv, NULL);
  process = g_subprocess_newv ((const char *const *) argv->pdata,
                               G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE
                                 | G_SUBPROCESS_FLAGS_STDERR_PIPE,
                               &error);
  g_assert_no_error (error);
  g_subprocess_communicate_utf8 (process, input, NULL, &result.out, &result.err, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_if_exited (process));
  result.status = g_subprocess_get_exit_status (process);
  return result;
}

static void
expect (int status, Result result)
{
  if (result.status != status)
    g_error ("exit %d instead of %d: %s%s", result.status, status, result.out, result.err);
  if (status != 0)
    g_assert_cmpstr (result.err, !=, "");
  result_clear (&result);
}

static void
desk_up (Desk *desk, gconstpointer data)
{
  desk->dir = g_dir_make_tmp ("kontor-program-XXXXXX", NULL);
  desk->workspace = g_build_filename (desk->dir, "ws", NULL);
  expect (0, run ("secret password\n", "init", desk->workspace, "--admin", "ada", NULL));
}

static void
desk_down (Desk *desk, gconstpointer data)
{
  fixture_remove (desk->dir);
  g_free (desk->dir);
  g_free (desk->workspace);
}

static void
test_usage (Desk *desk, gconstpointer data)
{
  g_auto (Result) help = run ("", "--help", NULL);
  g_auto (Result) run_help = run ("", "run", "--help", NULL);
  g_auto (Result) version = run ("", "--version", NULL);
  g_autofree char *missing = g_build_filename (desk->dir, "missing", NULL);

  g_assert_cmpint (help.status, ==, 0);
  g_assert_true (strstr (help.out, "backup DIR FILE") != NULL);
  g_assert_cmpint (run_help.status, ==, 0);
  g_assert_true (strstr (run_help.out, "--listen") != NULL);
  g_assert_true (g_str_has_prefix (version.out, "kontor-server "));
  expect (2, run ("", NULL));
  expect (2, run ("", "frobnicate", NULL));
  expect (2, run ("", "init", NULL));
  expect (2, run ("", "run", desk->workspace, "--nonsense", NULL));
  expect (2, run ("", "run", desk->workspace, "extra", NULL));
  expect (2, run ("", "run", missing, NULL));
  expect (2, run ("", "check", missing, NULL));
  expect (2, run ("", "run", desk->workspace, "--listen", "nonsense", NULL));
  expect (2, run ("pw\n", "init", missing, NULL));
  expect (2, run ("pw\n", "init", desk->workspace, "--admin", "x", NULL));
  expect (2, run ("", "init", missing, "--admin", "x", NULL));
  expect (2, run ("\n", "init", missing, "--admin", "x", NULL));
  expect (2, run ("pw\n", "init", missing, "--admin", "x", "--database", "mysql://x", NULL));
  expect (2, run ("pw\n", "init", missing, "--admin", "x", "--currency", "XYZ", NULL));
  expect (4, run ("pw\n", "init", missing, "--admin", "x", "--database",
                  "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2", NULL));
  g_assert_false (g_file_test (missing, G_FILE_TEST_EXISTS));
}

static void
test_users (Desk *desk, gconstpointer data)
{
  g_auto (Result) added = run ("pw\n", "user", "add", desk->workspace, "ben", "--role", "Sales rep",
                               "--team", "North", "--team", "East", "--json", NULL);
  g_autoptr (KtJson) json = kt_json_parse (added.out, -1, NULL);
  g_auto (Result) list = { 0 };
  g_auto (GStrv) lines = NULL;
  g_autoptr (KtJson) ben = NULL;

  g_assert_cmpint (added.status, ==, 0);
  g_assert_nonnull (kt_json_get_string (json, "id", NULL));
  g_assert_true (strstr (added.err, "short") != NULL); /* a warning, no more */
  expect (2, run ("pw\n", "user", "add", desk->workspace, "BEN", NULL));
  expect (2, run ("pw\n", "user", "add", desk->workspace, "cho", "--role", "Wizard", NULL));
  expect (2, run ("", "user", "add", desk->workspace, "cho", NULL));
  expect (0, run ("", "user", "set", desk->workspace, "ben", "title=Head", "--role",
                  "Sales manager", NULL));
  expect (2, run ("", "user", "set", desk->workspace, "ben", "nonsense=1", NULL));
  expect (0, run ("other\n", "user", "password", desk->workspace, "ben", NULL));
  expect (0, run ("", "user", "disable", desk->workspace, "ben", NULL));
  expect (2, run ("", "user", "disable", desk->workspace, "nobody", NULL));
  list = run ("", "user", "list", desk->workspace, "--json", NULL);
  lines = g_strsplit (list.out, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3); /* two and the empty rest */
  ben = kt_json_parse (lines[1], -1, NULL);
  g_assert_cmpstr (kt_json_get_string (ben, "user_name", NULL), ==, "ben");
  g_assert_false (kt_json_get_bool (ben, "enabled", TRUE));
  g_assert_cmpstr (kt_json_string (kt_json_at (kt_json_get (ben, "roles"), 0), NULL), ==,
                   "Sales manager");
  g_assert_cmpuint (kt_json_length (kt_json_get (ben, "teams")), ==, 2);
}

static void
test_backup (Desk *desk, gconstpointer data)
{
  g_autofree char *file = g_build_filename (desk->dir, "backup", NULL);
  g_autofree char *fresh = g_build_filename (desk->dir, "fresh", NULL);
  g_auto (Result) sound = { 0 };
  g_autoptr (KtJson) json = NULL;

  expect (0, run ("", "backup", desk->workspace, file, NULL));
  expect (2, run ("", "restore", file, desk->workspace, NULL));
  expect (0, run ("", "restore", file, fresh, NULL));
  sound = run ("", "check", fresh, "--json", NULL);
  json = kt_json_parse (sound.out, -1, NULL);
  g_assert_cmpint (sound.status, ==, 0);
  g_assert_true (kt_json_get_bool (json, "sound", FALSE));
}

/* What is not in order is said, and ends with 3. */
static void
test_check (Desk *desk, gconstpointer data)
{
  g_autofree char *path = g_build_filename (desk->workspace, "workspace.db", NULL);
  g_autoptr (KtDb) db = kt_db_open (path, 0, NULL);
  g_auto (Result) result = { 0 };

  g_assert_true (kt_db_exec (db, "UPDATE o_user SET f_name = 'Mallory'", NULL));
  g_clear_pointer (&db, kt_db_close);
  result = run ("", "check", desk->workspace, NULL);
  g_assert_cmpint (result.status, ==, 3);
  g_assert_true (strstr (result.out, "name") != NULL);
}

static gboolean
give_up_cb (gpointer data)
{
  g_error ("the server does not come up, or does not end");
  return G_SOURCE_REMOVE;
}

/* The first line says where; SIGTERM and SIGINT end it with 0, an address in use with 2. */
static void
test_run (Desk *desk, gconstpointer data)
{
  static const int signals[] = { SIGTERM, SIGINT };
  g_autofree char *other = g_build_filename (desk->dir, "other", NULL);

  expect (0, run ("secret password\n", "init", other, "--admin", "ada", NULL));
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GSubprocess) process =
        g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program (), "run",
                          desk->workspace, "--listen", "127.0.0.1:0", NULL);
      g_autoptr (GDataInputStream) out = NULL;
      g_autofree char *line = NULL;
      guint guard = g_timeout_add_seconds (60, give_up_cb, NULL);

      g_assert_no_error (error);
      out = g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
      line = g_data_input_stream_read_line (out, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (
        g_regex_match_simple ("^listening http://127\\.0\\.0\\.1:[0-9]+$", line, 0, 0));
      expect (2, run ("", "run", other, "--listen", strstr (line, "127"), NULL));
      /* Commands work beside it. */
      expect (0, run ("pw\n", "user", "add", desk->workspace, i == 0 ? "ben" : "cho", NULL));
      g_subprocess_send_signal (process, signals[i]);
      g_subprocess_wait (process, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (g_subprocess_get_if_exited (process));
      g_assert_cmpint (g_subprocess_get_exit_status (process), ==, 0);
      g_source_remove (guard);
    }
}

/* Nobody else on the machine reads it. */
static void
test_modes (Desk *desk, gconstpointer data)
{
  static const char *const names[] = { "workspace.db", "workspace.json" };
  GStatBuf st;

  g_assert_cmpint (g_stat (desk->workspace, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0700);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (desk->workspace, names[i], NULL);

      g_assert_cmpint (g_stat (path, &st), ==, 0);
      g_assert_cmpint (st.st_mode & 0777, ==, 0600);
    }
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*run) (Desk *, gconstpointer);
  } cases[] = {
    { "usage", test_usage }, { "users", test_users }, { "backup", test_backup },
    { "check", test_check }, { "run", test_run },     { "modes", test_modes },
  };

  fixture_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/server/program/", cases[i].path, NULL);

      g_test_add (path, Desk, NULL, desk_up, cases[i].run, desk_down);
    }
  return g_test_run ();
}
