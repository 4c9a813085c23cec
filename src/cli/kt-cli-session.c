/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Signing in and out, syncing, and what is known about it. */

#define PASSWORD_MOST 4096
#define RETRIES 2
#define WATCH_TURN_MS 1000
#define WATCH_POLL_US (60 * G_USEC_PER_SEC)

/* ---- login ---- */

/* The first line. The buffer is the caller's to wipe. */
static gboolean
read_line (FILE *in, char *password, gsize size)
{
  gsize len;

  if (fgets (password, (int) size, in) == NULL)
    return FALSE;
  len = strcspn (password, "\r\n");
  if (len == size - 1)
    return FALSE;
  password[len] = '\0';
  return len > 0 && g_utf8_validate (password, -1, NULL);
}

static gboolean
read_password (KtCli *cli, const char *user, char *password, gsize size, GError **error)
{
  gboolean terminal = fileno (cli->in) >= 0 && isatty (fileno (cli->in));
  struct termios before, quiet;
  gboolean read;

  if (terminal && tcgetattr (fileno (cli->in), &before) == 0)
    {
      quiet = before;
      quiet.c_lflag &= (tcflag_t) ~ECHO;
      fprintf (cli->err, "Password of %s: ", user);
      fflush (cli->err);
      tcsetattr (fileno (cli->in), TCSAFLUSH, &quiet);
      read = read_line (cli->in, password, size);
      tcsetattr (fileno (cli->in), TCSAFLUSH, &before);
      fputc ('\n', cli->err);
    }
  else
    {
      read = read_line (cli->in, password, size);
    }
  if (!read)
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                 "No password: it is the first line of standard input");
  return read;
}

static gboolean
sign_in (KtCli *cli, const char *base, const char *user, const char *password, GError **error)
{
  g_autoptr (KtTransport) transport = kt_http_transport_new (base, error);

  if (transport == NULL)
    return FALSE;
  cli->local = kt_local_open (cli->profile, KT_LOCAL_CREATE, NULL, error);
  return cli->local != NULL
         && kt_session_login (cli->local, transport, base, user, password, cli->cancellable, error);
}

gboolean
kt_cli_login (KtCli *cli, GError **error)
{
  const char *user = kt_cli_option (cli, "user");
  g_autofree char *base = NULL;
  char password[PASSWORD_MOST];
  const KtIdentity *identity;
  gboolean done;

  if (user == NULL || *user == '\0')
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "Who signs in? Add --user NAME");
      return FALSE;
    }
  base = kt_http_base_address (kt_cli_arg (cli, 0), error);
  if (base == NULL)
    return FALSE;
  done = read_password (cli, user, password, sizeof password, error)
         && sign_in (cli, base, user, password, error);
  explicit_bzero (password, sizeof password);
  if (!done)
    return FALSE;

  identity = kt_local_identity (cli->local);
  if (cli->json)
    {
      GString *text = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (text);

      kt_json_begin_object (&writer);
      kt_json_put_string (&writer, "user", identity->user_name);
      kt_json_put_string (&writer, "server", identity->server);
      kt_json_put_string (&writer, "workspace", identity->workspace);
      kt_json_end_object (&writer);
      kt_cli_put_json (cli, text);
    }
  else
    {
      kt_cli_print (cli, "Signed in as %s at %s", identity->user_name, identity->server);
    }
  return TRUE;
}

gboolean
kt_cli_logout (KtCli *cli, GError **error)
{
  g_autoptr (KtTransport) transport = NULL;
  gint64 unsettled = 0;

  if (!kt_cli_open (cli, KT_CLI_ANY, error))
    return FALSE;
  if (cli->local != NULL)
    {
      transport = kt_cli_connect (cli, NULL);
      if (!kt_session_logout (cli->local, transport, &unsettled, error))
        return FALSE;
    }
  if (cli->json)
    {
      GString *text = g_string_new (NULL);

      g_string_append_printf (text, "{\"unsettled\":%" G_GINT64_FORMAT "}", unsettled);
      kt_cli_put_json (cli, text);
    }
  else
    {
      kt_cli_print (cli, "Signed out");
    }
  if (unsettled > 0)
    kt_cli_say (cli,
                "%" G_GINT64_FORMAT " changes are not settled. They are kept here, and sent when "
                "the same user signs in again",
                unsettled);
  return TRUE;
}

/* ---- what happened to this profile ---- */

static char *
time_text (gint64 us)
{
  g_autoptr (GDateTime) time = us > 0 ? g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC) : NULL;
  g_autofree char *text = time != NULL ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%S") : NULL;

  return text != NULL ? g_strdup_printf ("%s.%03dZ", text, (int) (us / 1000 % 1000)) : NULL;
}

/* The newest @n, and only those. */
static void
say_notices (KtCli *cli, guint n)
{
  g_autoptr (GPtrArray) notices = n > 0 ? kt_local_notices (cli->local, NULL) : NULL;

  for (guint i = notices != NULL && notices->len > n ? notices->len - n : 0;
       notices != NULL && i < notices->len; i++)
    {
      g_autofree char *words = kt_notice_words (g_ptr_array_index (notices, i), cli->locale);

      kt_cli_say (cli, "%s", words);
    }
}

static void
print_notices (KtCli *cli)
{
  g_autoptr (GPtrArray) notices = cli->local != NULL ? kt_local_notices (cli->local, NULL) : NULL;

  for (guint i = 0; notices != NULL && i < notices->len; i++)
    {
      const KtNotice *notice = g_ptr_array_index (notices, i);
      g_autofree char *words = kt_notice_words (notice, cli->locale);
      g_autofree char *at = time_text (notice->at_us);
      g_autofree char *line = g_strdup_printf ("%s: %s", at, words);

      kt_cli_print_pair (cli, "Notice", 10, line);
    }
}

static void
put_notices (KtCli *cli, KtJsonWriter *writer)
{
  g_autoptr (GPtrArray) notices = cli->local != NULL ? kt_local_notices (cli->local, NULL) : NULL;

  kt_json_key (writer, "notices");
  kt_json_begin_array (writer);
  for (guint i = 0; notices != NULL && i < notices->len; i++)
    {
      const KtNotice *notice = g_ptr_array_index (notices, i);
      g_autofree char *words = kt_notice_words (notice, cli->locale);
      g_autofree char *at = time_text (notice->at_us);

      kt_json_begin_object (writer);
      kt_json_put_string (writer, "at", at);
      kt_json_put_string (writer, "message", words);
      kt_json_end_object (writer);
    }
  kt_json_end_array (writer);
}

/* ---- sync ---- */

static void
progress_cb (const KtEngineStatus *status, gpointer data)
{
  KtCli *cli = data;

  if (status->rows_total > 0)
    kt_cli_progress (cli, "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " records", status->rows_done,
                     status->rows_total);
  else if (status->pulled > 0 || status->pushed > 0)
    kt_cli_progress (cli, "%" G_GINT64_FORMAT " received, %" G_GINT64_FORMAT " sent",
                     status->pulled, status->pushed);
}

static gboolean
print_round (KtCli *cli, const KtEngineStatus *status, const KtOutboxCounts *counts, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *cursor = kt_local_cursor (cli->local, &failure);
  GString *text;

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (!cli->json)
    {
      kt_cli_print (cli, "%" G_GINT64_FORMAT " received, %" G_GINT64_FORMAT " sent", status->pulled,
                    status->pushed);
      return TRUE;
    }
  text = g_string_new (NULL);

  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_put_int (&writer, "pulled", status->pulled);
  kt_json_put_int (&writer, "pushed", status->pushed);
  kt_json_put_int (&writer, "review", counts->review);
  kt_json_put_int (&writer, "refused", status->refused);
  kt_json_put_string (&writer, "cursor", cursor);
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
  return TRUE;
}

static void
say_unsettled (KtCli *cli, const KtEngineStatus *status, const KtOutboxCounts *counts)
{
  if (status->refused > 0)
    kt_cli_say (cli, "%" G_GINT64_FORMAT " %s refused: kontorctl outbox says why", status->refused,
                status->refused == 1 ? "change was" : "changes were");
  if (counts->queued + counts->sent > 0)
    kt_cli_say (cli, "%" G_GINT64_FORMAT " %s: kontorctl outbox says for what",
                counts->queued + counts->sent,
                counts->queued + counts->sent == 1 ? "change still waits" : "changes still wait");
  if (counts->review > 0)
    kt_cli_say (cli, "%" G_GINT64_FORMAT " %s for a decision of yours: kontorctl review",
                counts->review, counts->review == 1 ? "change waits" : "changes wait");
}

static gboolean
sync_once (KtCli *cli, KtTransport *transport, GError **error)
{
  KtEngineStatus status;
  KtOutboxCounts counts = { 0 };

  gboolean done = kt_sync_run (cli->local, transport, RETRIES, progress_cb, cli, cli->cancellable,
                               &status, error);

  kt_cli_progress_end (cli);
  say_notices (cli, status.notices);
  if (!done || !kt_local_outbox_counts (cli->local, &counts, error))
    return FALSE;
  if (!print_round (cli, &status, &counts, error))
    return FALSE;
  say_unsettled (cli, &status, &counts);
  if (status.refused > 0 || counts.queued + counts.sent > 0)
    cli->exit_code = 3;
  return TRUE;
}

/* ---- sync --watch ---- */

/* SIGINT and SIGTERM end the watch; a thread waits for them, because everything here blocks. */
static gpointer
signal_thread (gpointer data)
{
  GCancellable *cancellable = data;
  sigset_t set;
  int number;

  sigemptyset (&set);
  sigaddset (&set, SIGINT);
  sigaddset (&set, SIGTERM);
  sigaddset (&set, SIGHUP);
  sigwait (&set, &number);
  g_cancellable_cancel (cancellable);
  g_object_unref (cancellable);
  return NULL;
}

static void
watch_signals (KtCli *cli)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGINT);
  sigaddset (&set, SIGTERM);
  sigaddset (&set, SIGHUP);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  g_thread_unref (g_thread_new ("kt-signals", signal_thread, g_object_ref (cli->cancellable)));
}

/* Until the server hints, somebody commits here, or it is time to look again. FALSE: AUTH or ended. */
static gboolean
wait_for_more (KtCli *cli, KtTransport *transport, const char *token, GError **error)
{
  gint64 end = g_get_monotonic_time () + WATCH_POLL_US;
  gint64 queued_before = -1;

  while (g_get_monotonic_time () < end)
    {
      KtOutboxCounts counts = { 0 };
      g_autoptr (GError) failure = NULL;

      if (kt_transport_wait (transport, token, kt_local_seq (cli->local), WATCH_TURN_MS,
                             cli->cancellable, &failure))
        return TRUE;
      if (failure != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      if (!kt_local_outbox_counts (cli->local, &counts, error))
        return FALSE;
      if (queued_before >= 0 && counts.queued > queued_before)
        return TRUE;
      if (queued_before < 0 && counts.queued > 0 && counts.parked == 0)
        return TRUE;
      queued_before = counts.queued;
    }
  return TRUE;
}

static gboolean
watch (KtCli *cli, KtTransport *transport, GError **error)
{
  gboolean trouble = FALSE;

  watch_signals (cli);
  while (!g_cancellable_is_cancelled (cli->cancellable))
    {
      g_autoptr (GError) failure = NULL;
      g_autofree char *token = NULL;
      KtEngineStatus status;
      KtOutboxCounts counts = { 0 };

      gboolean done = kt_sync_run (cli->local, transport, 0, progress_cb, cli, cli->cancellable,
                                   &status, &failure);

      say_notices (cli, status.notices);
      if (done && kt_local_outbox_counts (cli->local, &counts, &failure))
        {
          kt_cli_progress_end (cli);
          if (trouble)
            kt_cli_say (cli, "The server answers again");
          trouble = FALSE;
          if ((status.pulled > 0 || status.pushed > 0)
              && !print_round (cli, &status, &counts, error))
            return FALSE;
          fflush (cli->out);
          token = kt_session_token (cli->local, &failure);
          if (token != NULL)
            wait_for_more (cli, transport, token, &failure);
        }

      if (failure == NULL || g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        continue;
      if (!kt_error_is_transient (failure)
          && !g_error_matches (failure, KT_ERROR, KT_ERROR_NOT_KONTOR))
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      if (!trouble)
        kt_cli_say (cli, "%s", failure->message);
      trouble = TRUE;
      kt_transport_wait (transport, "", G_MAXINT64, WATCH_TURN_MS, cli->cancellable, NULL);
    }
  return TRUE;
}

gboolean
kt_cli_sync (KtCli *cli, GError **error)
{
  g_autoptr (KtTransport) transport = NULL;

  if (!kt_cli_open (cli, KT_CLI_SIGNED, error))
    return FALSE;
  transport = kt_cli_connect (cli, error);
  if (transport == NULL)
    return FALSE;
  if (kt_cli_option (cli, "watch") != NULL)
    return watch (cli, transport, error);
  return sync_once (cli, transport, error);
}

/* ---- status ---- */

gboolean
kt_cli_status (KtCli *cli, GError **error)
{
  g_autofree char *token = NULL;
  g_autofree char *server = NULL;
  g_autofree char *last = NULL;
  const KtIdentity *identity = NULL;
  const char *state = "signed_out";
  KtOutboxCounts counts = { 0 };
  gint64 last_us = 0;
  gboolean busy = FALSE;
  GString *text;

  if (!kt_cli_open (cli, KT_CLI_ANY | KT_CLI_READS, error))
    return FALSE;
  if (cli->local != NULL)
    {
      identity = kt_local_identity (cli->local);
      token = kt_session_token (cli->local, NULL);
      server = kt_session_base (cli->local, NULL);
      kt_sync_lock_peek (cli->profile, &last_us, &busy);
      last = time_text (last_us);
      if (identity != NULL && kt_local_schema (cli->local) != NULL
          && !kt_local_outbox_counts (cli->local, &counts, error))
        return FALSE;
    }
  if (token != NULL)
    state = busy ? "syncing" : "idle";

  if (!cli->json)
    {
      kt_cli_print_pair (cli, "State", 10, state);
      kt_cli_print_pair (cli, "User", 10, identity != NULL ? identity->user_name : "nobody");
      kt_cli_print_pair (cli, "Server", 10, server != NULL ? server : "none");
      kt_cli_print (cli, "%-12s%" G_GINT64_FORMAT, "Waiting", counts.queued + counts.sent);
      kt_cli_print (cli, "%-12s%" G_GINT64_FORMAT, "Refused", counts.parked);
      kt_cli_print (cli, "%-12s%" G_GINT64_FORMAT, "Review", counts.review);
      kt_cli_print_pair (cli, "Last sync", 10, last != NULL ? last : "never");
      print_notices (cli);
      return TRUE;
    }
  text = g_string_new (NULL);

  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "state", state);
  kt_json_put_string (&writer, "user", identity != NULL ? identity->user_name : NULL);
  kt_json_put_string (&writer, "server", server);
  kt_json_put_int (&writer, "pending", counts.queued + counts.sent);
  kt_json_put_int (&writer, "parked", counts.parked);
  kt_json_put_int (&writer, "review", counts.review);
  kt_json_put_string (&writer, "last_sync", last);
  put_notices (cli, &writer);
  kt_json_end_object (&writer);
  kt_cli_put_json (cli, text);
  return TRUE;
}

/* ---- verify ---- */

gboolean
kt_cli_verify (KtCli *cli, GError **error)
{
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (KtJson) json = NULL;
  g_autofree char *report = NULL;
  const KtJson *repaired;
  gboolean equal = FALSE;

  if (!kt_cli_open (cli, KT_CLI_SIGNED, error))
    return FALSE;
  transport = kt_cli_connect (cli, error);
  if (transport == NULL)
    return FALSE;
  kt_cli_progress (cli, "Comparing…");
  report = kt_sync_verify (cli->local, transport, cli->cancellable, &equal, error);
  kt_cli_progress_end (cli);
  if (report == NULL)
    return FALSE;

  cli->exit_code = equal ? 0 : 3;
  if (cli->json)
    {
      kt_cli_put_json (cli, g_string_new (report));
      return TRUE;
    }
  json = kt_json_parse (report, -1, error);
  if (json == NULL)
    return FALSE;
  if (equal)
    kt_cli_print (cli, "Both sides hold the same %" G_GINT64_FORMAT " records",
                  kt_json_get_int (json, "records", 0));
  repaired = kt_json_get (json, "repaired");
  for (guint i = 0; i < kt_json_length (repaired); i++)
    kt_cli_print (cli, "Repaired: %s", kt_json_string (kt_json_at (repaired, i), ""));
  return TRUE;
}
