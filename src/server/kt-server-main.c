/* SPDX-License-Identifier: GPL-3.0-or-later */

/* kontor-server: the commands of docs/man/kontor-server.1. What is asked for goes to stdout, as lines for people or as
 * JSON; everything else to stderr. Passwords come on stdin, or from a prompt on a terminal. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-server-main.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <glib-unix.h>

#include "base/kt-error.h"
#include "db/kt-system-env.h"
#include "server/kt-front.h"

#define SHORT_PASSWORD 8
#define MAX_PASSWORD 1024

/* Everything any command takes. */
typedef struct
{
  char **words; /* what is left: DIR, NAME … */
  gboolean json, demo, verbose, enable;
  char *admin, *database, *currency, *locale, *listen, *tls_cert, *tls_key;
  int workers;
  char **roles, **teams;
} Options;

typedef struct
{
  const char *name;  /* "init", "user add" */
  const char *words; /* "DIR NAME" */
  guint min, max;    /* how many */
  const char *takes; /* letters of the options below */
  const char *summary;
  gboolean (*run) (Options *options, GError **error);
} Command;

/* ---- small things ---- */

static void
options_clear (Options *options)
{
  g_clear_pointer (&options->words, g_strfreev);
  g_clear_pointer (&options->admin, g_free);
  g_clear_pointer (&options->database, g_free);
  g_clear_pointer (&options->currency, g_free);
  g_clear_pointer (&options->locale, g_free);
  g_clear_pointer (&options->listen, g_free);
  g_clear_pointer (&options->tls_cert, g_free);
  g_clear_pointer (&options->tls_key, g_free);
  g_clear_pointer (&options->roles, g_strfreev);
  g_clear_pointer (&options->teams, g_strfreev);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static char *
schema_dir (void)
{
  const char *data = g_getenv ("KONTOR_DATADIR");
  char *dir;

  if (data != NULL && *data != '\0')
    return g_build_filename (data, "schema", NULL);
  dir = g_build_filename (KT_DATADIR, "schema", NULL);
  if (g_file_test (dir, G_FILE_TEST_IS_DIR))
    return dir;
  g_free (dir);
  return g_build_filename (KT_SOURCE_DATADIR, "schema", NULL);
}

/* One document, or one line of words. */
static void
say (const Options *options, const char *json, const char *words)
{
  const char *text = options->json ? json : words;

  if (text != NULL)
    fprintf (stdout, "%s\n", text);
}

static gboolean
read_line (GString *line, GError **error)
{
  int c;

  errno = 0;
  while ((c = getchar ()) != EOF && c != '\n')
    {
      if (line->len >= MAX_PASSWORD)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "A password may be at most %d bytes long",
                       MAX_PASSWORD);
          return FALSE;
        }
      g_string_append_c (line, (char) c);
    }
  if (line->len > 0 && line->str[line->len - 1] == '\r')
    g_string_truncate (line, line->len - 1);
  return TRUE;
}

/* The first line of stdin, or what is typed at the prompt without being shown. */
static char *
read_password (const char *name, GError **error)
{
  g_autoptr (GString) line = g_string_new (NULL);
  struct termios before, silent;
  gboolean terminal = isatty (STDIN_FILENO) && tcgetattr (STDIN_FILENO, &before) == 0;
  gboolean done;

  if (terminal)
    {
      fprintf (stderr, "Password for %s: ", name);
      silent = before;
      silent.c_lflag &= (tcflag_t) ~ECHO;
      tcsetattr (STDIN_FILENO, TCSAFLUSH, &silent);
    }
  done = read_line (line, error);
  if (terminal)
    {
      tcsetattr (STDIN_FILENO, TCSAFLUSH, &before);
      fputc ('\n', stderr);
    }
  if (!done)
    return NULL;
  if (line->len == 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "No password was given: write it to standard input, on the first line");
      return NULL;
    }
  if (!g_utf8_validate (line->str, (gssize) line->len, NULL))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "The password is not UTF-8 text");
      return NULL;
    }
  if (g_utf8_strlen (line->str, -1) < SHORT_PASSWORD)
    fprintf (stderr,
             "kontor-server: this password is short; %d characters or more are harder to guess\n",
             SHORT_PASSWORD);
  return g_string_free (g_steal_pointer (&line), FALSE);
}

static void
forget_password (char *password)
{
  if (password != NULL)
    explicit_bzero (password, strlen (password));
  g_free (password);
}

static KtCore *
open_core (const Options *options, GError **error)
{
  return kt_core_open (options->words[0], kt_system_env (), error);
}

/* ---- commands ---- */

static gboolean
run_init (Options *options, GError **error)
{
  g_autofree char *dir = schema_dir ();
  KtInitOptions init = { .admin = options->admin,
                         .database = options->database,
                         .schema_dir = dir,
                         .locale = options->locale,
                         .currency = options->currency,
                         .demo = options->demo };
  char *password;
  gboolean done;

  if (options->admin == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "Say who administers the workspace: --admin NAME");
      return FALSE;
    }
  password = read_password (options->admin, error);
  if (password == NULL)
    return FALSE;
  init.password = password;
  done = kt_core_init (options->words[0], &init, kt_system_env (), error);
  forget_password (password);
  if (done)
    say (options, "{\"created\":true}", NULL);
  return done;
}

static gboolean
quit_cb (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

typedef struct
{
  KtFront *front;
  GMainLoop *loop;
} Running;

static gboolean
signal_cb (gpointer data)
{
  Running *running = data;

  kt_front_stop (running->front, quit_cb, running->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
take_up_schema (const Options *options, GError **error)
{
  g_autofree char *dir = schema_dir ();
  g_autofree char *said = NULL;
  g_autoptr (KtCore) core = open_core (options, error);

  if (core == NULL || !kt_core_take_up_pack (core, dir, &said, error))
    return FALSE;
  if (said != NULL)
    fprintf (stderr, "kontor-server: %s.\n", said);
  kt_core_drop_old_parts (core, KT_PART_AGE_S, KT_PART_BYTES, KT_PART_GRACE_S);
  return TRUE;
}

static gboolean
run_run (Options *options, GError **error)
{
  KtFrontOptions front_options = { .dir = options->words[0],
                                   .listen = options->listen,
                                   .workers = (guint) MAX (options->workers, 0),
                                   .tls_cert = options->tls_cert,
                                   .tls_key = options->tls_key,
                                   .verbose = options->verbose,
                                   .env = kt_system_env () };
  g_autoptr (KtFront) front = NULL;
  g_autoptr (GMainLoop) loop = NULL;
  Running running;
  guint term, hangup;

  /* Held until the process ends. */
  if (kt_server_lock_take (options->words[0], error) < 0)
    return FALSE;
  if (!take_up_schema (options, error))
    return FALSE;
  front = kt_front_new (&front_options, error);
  if (front == NULL)
    return FALSE;
  loop = g_main_loop_new (NULL, FALSE);
  running = (Running){ front, loop };
  term = g_unix_signal_add (SIGTERM, signal_cb, &running);
  hangup = g_unix_signal_add (SIGINT, signal_cb, &running);
  fprintf (stdout, "listening %s\n", kt_front_uri (front));
  fflush (stdout);
  g_main_loop_run (loop);
  g_source_remove (term);
  g_source_remove (hangup);
  return TRUE;
}

static gboolean
run_user_add (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);
  g_autofree char *json = NULL;
  char text[KT_ID_TEXT_SIZE];
  char *password;
  gboolean done;
  KtId id;

  if (core == NULL)
    return FALSE;
  password = read_password (options->words[1], error);
  if (password == NULL)
    return FALSE;
  done = kt_core_user_add (core, options->words[1], password, (const char *const *) options->roles,
                           (const char *const *) options->teams, &id, error);
  forget_password (password);
  if (!done)
    return FALSE;
  kt_id_format (&id, text);
  json = g_strdup_printf ("{\"id\":\"%s\"}", text);
  say (options, json, NULL);
  return TRUE;
}

static gboolean
run_user_set (Options *options, GError **error)
{
  g_autoptr (KtCore) core = NULL;

  if (!options->enable && options->words[2] == NULL && options->roles == NULL && options->teams == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "Nothing to set: give FIELD=VALUE, --role, --team or --enable");
      return FALSE;
    }
  core = open_core (options, error);
  if (core == NULL)
    return FALSE;
  if (options->enable && !kt_core_user_enable (core, options->words[1], TRUE, error))
    return FALSE;
  return kt_core_user_set (core, options->words[1], (const char *const *) options->words + 2,
                           (const char *const *) options->roles,
                           (const char *const *) options->teams, error);
}

static char *
join (const KtJson *list)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < kt_json_length (list); i++)
    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "",
                            kt_json_string (kt_json_at (list, i), ""));
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
run_user_list (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);
  g_autoptr (GPtrArray) users = core != NULL ? kt_core_user_list (core, error) : NULL;

  if (users == NULL)
    return FALSE;
  for (guint i = 0; i < users->len; i++)
    {
      g_autoptr (KtJson) user = kt_json_parse (users->pdata[i], -1, NULL);
      g_autofree char *roles = join (kt_json_get (user, "roles"));
      g_autofree char *teams = join (kt_json_get (user, "teams"));
      g_autofree char *words =
        g_strdup_printf ("%-20s %-24s %s%s%s%s", kt_json_get_string (user, "user_name", ""),
                         kt_json_get_string (user, "name", ""), roles, *teams != '\0' ? " / " : "",
                         teams, kt_json_get_bool (user, "enabled", TRUE) ? "" : " (disabled)");

      say (options, users->pdata[i], g_strchomp (words));
    }
  return TRUE;
}

static gboolean
run_user_disable (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);

  return core != NULL && kt_core_user_enable (core, options->words[1], FALSE, error);
}

static gboolean
run_user_password (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);
  char *password = core != NULL ? read_password (options->words[1], error) : NULL;
  gboolean done =
    password != NULL && kt_core_user_password (core, options->words[1], password, error);

  forget_password (password);
  return done;
}

static gboolean
run_role_set (Options *options, GError **error)
{
  g_autoptr (KtCore) core = NULL;
  g_autoptr (KtJson) json = kt_json_parse_file (options->words[2], 4 * 1024 * 1024, error);
  g_autofree char *text = json != NULL ? kt_json_to_string (json, FALSE) : NULL;
  g_autofree char *said = NULL;
  char uuid[KT_ID_TEXT_SIZE];
  KtId id;

  if (text == NULL || (core = open_core (options, error)) == NULL
      || !kt_core_role_set (core, options->words[1], text, &id, error))
    return FALSE;
  kt_id_format (&id, uuid);
  said = g_strdup_printf ("{\"id\":\"%s\"}", uuid);
  say (options, said, NULL);
  return TRUE;
}

static gboolean
run_role_list (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);
  g_autoptr (GPtrArray) roles = core != NULL ? kt_core_role_list (core, error) : NULL;

  if (roles == NULL)
    return FALSE;
  for (guint i = 0; i < roles->len; i++)
    {
      g_autoptr (KtJson) role = kt_json_parse (roles->pdata[i], -1, NULL);
      g_autofree char *words =
        g_strdup_printf ("%s%s", kt_json_get_string (role, "name", ""),
                         kt_json_get_bool (role, "is_baseline", FALSE) ? " (everybody)" : "");

      say (options, roles->pdata[i], words);
    }
  return TRUE;
}

static gboolean
run_device_list (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);
  g_autoptr (GPtrArray) devices = core != NULL ? kt_core_device_list (core, error) : NULL;

  if (devices == NULL)
    return FALSE;
  for (guint i = 0; i < devices->len; i++)
    {
      g_autoptr (KtJson) device = kt_json_parse (devices->pdata[i], -1, NULL);
      const char *wipe = kt_json_get_string (device, "wipe", "no");
      g_autofree char *words = g_strdup_printf (
        "%s %-20s %-24s %s%s%s", kt_json_get_string (device, "id", ""), kt_json_get_string (device, "user", ""),
        kt_json_get_string (device, "name", ""), kt_json_get_string (device, "seen_at", ""),
        kt_json_get_bool (device, "signed_in", FALSE) ? "" : " (signed out)",
        strcmp (wipe, "no") == 0       ? ""
        : strcmp (wipe, "wanted") == 0 ? " (to be emptied)"
                                       : " (emptied)");

      say (options, devices->pdata[i], words);
    }
  return TRUE;
}

static gboolean
run_device_wipe (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);

  return core != NULL && kt_core_device_wipe (core, options->words[1], error);
}

static gboolean
run_backup (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);

  if (core == NULL || !kt_core_backup (core, options->words[1], error))
    return FALSE;
  say (options, "{\"written\":true}", NULL);
  return TRUE;
}

static gboolean
run_restore (Options *options, GError **error)
{
  if (!kt_core_restore (options->words[0], options->words[1], kt_system_env (), error))
    return FALSE;
  say (options, "{\"restored\":true}", NULL);
  return TRUE;
}

static gboolean
run_restored (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);

  if (core == NULL || !kt_core_begin_life (core, error))
    return FALSE;
  say (options, "{\"restored\":true}", NULL);
  return TRUE;
}

static gboolean
run_check (Options *options, GError **error)
{
  g_autoptr (KtCore) core = open_core (options, error);
  g_autoptr (GPtrArray) problems = core != NULL ? kt_core_check (core, error) : NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  if (problems == NULL)
    return FALSE;
  kt_json_begin_object (&writer);
  kt_json_put_bool (&writer, "sound", problems->len == 0);
  kt_json_key (&writer, "problems");
  kt_json_begin_array (&writer);
  for (guint i = 0; i < problems->len; i++)
    {
      kt_json_add_string (&writer, problems->pdata[i]);
      if (!options->json)
        fprintf (stdout, "%s\n", (char *) problems->pdata[i]);
    }
  kt_json_end_array (&writer);
  kt_json_end_object (&writer);
  say (options, text->str, problems->len == 0 ? "Everything is in order." : NULL);
  if (problems->len == 0)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_UNSETTLED, "%u problem%s found", problems->len,
               problems->len == 1 ? " was" : "s were");
  return FALSE;
}

static const Command commands[] = {
  { "init", "DIR", 1, 1, "adcl",
    "Make a workspace; the password of --admin comes on standard input", run_init },
  { "run", "DIR", 1, 1, "nwtkv", "Serve it; the first line on standard output says where",
    run_run },
  { "user add", "DIR NAME", 2, 2, "rm", "Add a user; the password comes on standard input",
    run_user_add },
  { "user set", "DIR NAME [FIELD=VALUE]…", 2, 1000, "rme",
    "Change roles, teams or fields of a user", run_user_set },
  { "user list", "DIR", 1, 1, "", "List users", run_user_list },
  { "user disable", "DIR NAME", 2, 2, "", "Sign a user out everywhere and refuse further sign-ins",
    run_user_disable },
  { "user password", "DIR NAME", 2, 2, "", "Set a password, which comes on standard input",
    run_user_password },
  { "role set", "DIR NAME FILE", 3, 3, "", "Make or change a role from a JSON file", run_role_set },
  { "role list", "DIR", 1, 1, "", "List roles", run_role_list },
  { "device list", "DIR", 1, 1, "", "List the devices that people signed in on", run_device_list },
  { "device wipe", "DIR DEVICE", 2, 2, "", "Have a device send what it has not sent and empty itself", run_device_wipe },
  { "backup", "DIR FILE", 2, 2, "", "Write everything into one file, also while the server runs",
    run_backup },
  { "restore", "FILE DIR", 2, 2, "", "Make a workspace from a backup", run_restore },
  { "restored", "DIR", 1, 1, "",
    "Say that other tools put the database back from a backup; devices send again what it lacks", run_restored },
  { "check", "DIR", 1, 1, "", "Examine a workspace and say what is wrong with it", run_check },
};

/* ---- the command line ---- */

static void
print_overview (FILE *out)
{
  fprintf (out, "Usage: kontor-server COMMAND …\n\n");
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      g_autofree char *head = g_strdup_printf ("%s %s", commands[i].name, commands[i].words);
      int width = 36 + (int) (strlen (head) - (gsize) g_utf8_strlen (head, -1));

      fprintf (out, "  %-*s %s\n", width, head, commands[i].summary);
    }
  fprintf (out, "\nkontor-server COMMAND --help shows the options of one.\n");
}

static const Command *
find_command (int argc, char **argv, int *used)
{
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      g_auto (GStrv) words = g_strsplit (commands[i].name, " ", 2);
      int n = (int) g_strv_length (words);

      if (argc > n && strcmp (argv[1], words[0]) == 0
          && (n == 1 || strcmp (argv[2], words[1]) == 0))
        {
          *used = n;
          return &commands[i];
        }
    }
  return NULL;
}

static gboolean
takes (const Command *command, char letter)
{
  return strchr (command->takes, letter) != NULL;
}

static gboolean
parse (const Command *command, int argc, char **argv, Options *options, GError **error)
{
  const GOptionEntry all[] = {
    { "admin", 'a', 0, G_OPTION_ARG_STRING, &options->admin, "Login name of the first user",
      "NAME" },
    { "demo", 'd', 0, G_OPTION_ARG_NONE, &options->demo, "Fill it with a demo company", NULL },
    { "database", 'd', 0, G_OPTION_ARG_STRING, &options->database,
      "postgresql://… instead of SQLite in DIR", "URI" },
    { "currency", 'c', 0, G_OPTION_ARG_STRING, &options->currency,
      "What amounts are in (default CNY)", "CODE" },
    { "locale", 'l', 0, G_OPTION_ARG_STRING, &options->locale,
      "Language of what the server writes (en, zh_CN)", "LOCALE" },
    { "listen", 'n', 0, G_OPTION_ARG_STRING, &options->listen,
      "Where to listen (default " KT_FRONT_LISTEN "); port 0 picks one", "HOST:PORT" },
    { "workers", 'w', 0, G_OPTION_ARG_INT, &options->workers, "Threads that answer requests", "N" },
    { "tls-cert", 't', 0, G_OPTION_ARG_FILENAME, &options->tls_cert, "Certificate, PEM", "FILE" },
    { "tls-key", 'k', 0, G_OPTION_ARG_FILENAME, &options->tls_key, "Its key, PEM", "FILE" },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose,
      "A line on standard error for every request", NULL },
    { "role", 'r', 0, G_OPTION_ARG_STRING_ARRAY, &options->roles, "A role by name; may be repeated",
      "ROLE" },
    { "team", 'm', 0, G_OPTION_ARG_STRING_ARRAY, &options->teams, "A team by name; may be repeated",
      "TEAM" },
    { "enable", 'e', 0, G_OPTION_ARG_NONE, &options->enable, "Let a disabled user in again", NULL },
  };
  g_autofree char *words = g_strdup_printf ("- kontor-server %s %s", command->name, command->words);
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autofree GOptionEntry *entries = g_new0 (GOptionEntry, G_N_ELEMENTS (all) + 3);
  g_auto (GStrv) list = g_strdupv (argv);
  g_autoptr (GError) local = NULL;
  gboolean help = FALSE;
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    if (takes (command, all[i].short_name))
      {
        entries[n] = all[i];
        entries[n++].short_name = 0;
      }
  entries[n++] =
    (GOptionEntry){ "json", 0, 0, G_OPTION_ARG_NONE, &options->json, "Print JSON", NULL };
  entries[n++] = (GOptionEntry){ "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this", NULL };
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_summary (context, command->summary);
  if (!g_option_context_parse_strv (context, &list, &local))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "%s; kontor-server %s --help shows what there is", local->message,
                   command->name);
      return FALSE;
    }
  if (help)
    {
      g_autofree char *text = g_option_context_get_help (context, TRUE, NULL);
      const char *rest = strstr (text, "\n\n");

      fprintf (stdout, "Usage: kontor-server %s [OPTION]… %s%s", command->name, command->words,
               rest != NULL ? rest : "\n");
      return FALSE;
    }
  /* list[0] is the program; "--" may stand between options and words. */
  options->words = g_strdupv (list + 1 + (list[1] != NULL && strcmp (list[1], "--") == 0 ? 1 : 0));
  n = g_strv_length (options->words);
  if (n >= command->min && n <= command->max)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "Usage: kontor-server %s [OPTION]… %s",
               command->name, command->words);
  return FALSE;
}

int
kt_server_main (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) rest = g_ptr_array_new ();
  const Command *command;
  int used = 0;

  setlocale (LC_ALL, "");
  if (argc > 1
      && (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0
          || strcmp (argv[1], "help") == 0))
    {
      print_overview (stdout);
      return 0;
    }
  if (argc > 1 && strcmp (argv[1], "--version") == 0)
    {
      fprintf (stdout, "kontor-server %s\n", PACKAGE_VERSION);
      return 0;
    }
  command = find_command (argc, argv, &used);
  if (command == NULL)
    {
      if (argc > 2 && strcmp (argv[1], "user") == 0 && strcmp (argv[2], "--help") == 0)
        {
          print_overview (stdout);
          return 0;
        }
      print_overview (stderr);
      return 2;
    }
  g_ptr_array_add (rest, argv[0]);
  for (int i = used + 1; i < argc; i++)
    g_ptr_array_add (rest, argv[i]);
  g_ptr_array_add (rest, NULL);
  if (!parse (command, (int) rest->len - 1, (char **) rest->pdata, &options, &error))
    {
      if (error == NULL)
        return 0;
    }
  else if (command->run (&options, &error))
    return fflush (stdout) == 0 ? 0 : 1;
  fprintf (stderr, "kontor-server: %s\n", error->message);
  return kt_error_exit_code (error);
}
