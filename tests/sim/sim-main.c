/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sim.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* sim-run: histories from seeds. Prints TAP; a failure comes with the command that plays it again, shrunk. */

static gint64 option_seed = 1, option_count = 1, option_seconds;
static int option_steps = 50, option_failures = 5;
static char *option_only;
static gboolean option_trace, option_no_shrink, option_coverage;

static guint64 coverage[SIM_N_EVENTS][KT_ENGINE_N_STATES];

static const char *const states[KT_ENGINE_N_STATES] = {
  [KT_ENGINE_IDLE] = "idle",           [KT_ENGINE_SCHEMA] = "schema",
  [KT_ENGINE_PUSH] = "push",           [KT_ENGINE_DEVICE] = "device",
  [KT_ENGINE_PULL] = "pull",           [KT_ENGINE_BLOB_STAT] = "blob-stat",
  [KT_ENGINE_BLOB_PUT] = "blob-put",   [KT_ENGINE_BLOB_GET] = "blob-get",
  [KT_ENGINE_ACCESS] = "access",
  [KT_ENGINE_WIPE] = "wipe",           [KT_ENGINE_VERIFY] = "verify",       [KT_ENGINE_WAIT] = "wait",
  [KT_ENGINE_SIGNED_OUT] = "signed-out",
};

static GArray *
plan_of (guint64 seed)
{
  GArray *plan = sim_plan (seed, (guint) option_steps);
  g_auto (GStrv) words = option_only != NULL ? g_strsplit (option_only, ",", -1) : NULL;
  GArray *some;

  if (words == NULL)
    return plan;
  some = g_array_new (FALSE, FALSE, sizeof (SimAction));
  for (guint i = 0; words[i] != NULL; i++)
    {
      g_auto (GStrv) range = g_strsplit (words[i], "-", 2);
      guint from = (guint) g_ascii_strtoull (range[0] != NULL ? range[0] : "0", NULL, 10);
      guint to = range[0] != NULL && range[1] != NULL
                   ? (guint) g_ascii_strtoull (range[1], NULL, 10)
                   : from;

      for (guint k = from; k <= to && k < plan->len; k++)
        if (*words[i] != '\0')
          g_array_append_val (some, g_array_index (plan, SimAction, k));
    }
  g_array_unref (plan);
  return some;
}

static char *
play_once (guint64 seed, const GArray *plan, gboolean skewed, char **trace, char **state)
{
  Sim *sim = sim_new (seed, skewed, trace != NULL);
  char *failure = NULL;

  if (option_coverage)
    sim->coverage = coverage;
  if (!sim_run (sim, plan))
    failure = g_strdup (sim->failure->str);
  else if (state != NULL)
    *state = sim_final_state (sim);
  if (trace != NULL)
    *trace = g_strdup (sim->trace->str);
  sim_free (sim);
  return failure;
}

/* When a disk fails depends on how much is written, and that on the ids which the clock is a part of. */
static gboolean
knows_no_disk (const GArray *plan)
{
  for (guint i = 0; i < plan->len; i++)
    switch (g_array_index (plan, SimAction, i).kind)
      {
      case SIM_DOOM:
      case SIM_SERVER_DOOM:
      case SIM_FULL:
      case SIM_SERVER_FULL:
      case SIM_IO_ERROR:
      case SIM_SERVER_IO_ERROR:
        return FALSE;
      default:
        break;
      }
  return TRUE;
}

static char *
first_difference (const char *a, const char *b)
{
  g_auto (GStrv) one = g_strsplit (a, "\n", -1);
  g_auto (GStrv) two = g_strsplit (b, "\n", -1);

  for (guint i = 0; one[i] != NULL && two[i] != NULL; i++)
    if (strcmp (one[i], two[i]) != 0)
      return g_strdup_printf ("P9: the clocks decided: %s, or %s", one[i], two[i]);
  return g_strdup ("P9: the clocks decided how many records there are");
}

static char *
play (guint64 seed, const GArray *plan, char **trace)
{
  g_autofree char *state = NULL;
  g_autofree char *other = NULL;
  gboolean twice = seed % 8 == 3 && knows_no_disk (plan);
  char *failure = play_once (seed, plan, FALSE, trace, twice ? &state : NULL);

  if (failure != NULL || !twice)
    return failure;
  failure = play_once (seed, plan, TRUE, NULL, &other);
  if (failure == NULL && strcmp (state, other) != 0)
    failure = first_difference (state, other);
  return failure;
}

/* ---- shrinking ---- */

/* In a process of its own: it may abort. */
static char *
play_apart (guint64 seed, const GArray *plan)
{
  int pipes[2];
  int status = 0;
  pid_t child;
  char text[512] = "";
  ssize_t got;

  if (pipe (pipes) != 0)
    g_error ("no pipe");
  child = fork ();
  if (child == 0)
    {
      char *failure;

      close (pipes[0]);
      dup2 (open ("/dev/null", 1), STDERR_FILENO);
      alarm (20);
      failure = play (seed, plan, NULL);
      if (failure != NULL && write (pipes[1], failure, MIN (strlen (failure), sizeof text - 1)) < 0)
        _exit (3);
      _exit (failure != NULL ? 1 : 0);
    }
  close (pipes[1]);
  got = read (pipes[0], text, sizeof text - 1);
  close (pipes[0]);
  waitpid (child, &status, 0);
  if (WIFSIGNALED (status))
    return g_strdup_printf ("signal %d", WTERMSIG (status));
  return WEXITSTATUS (status) != 0 ? g_strndup (text, (gsize) MAX (got, 0)) : NULL;
}

/* The same promise: "P3: …". */
static gboolean
is_same (const char *a, const char *b)
{
  gsize len = strcspn (a, ":");

  return b != NULL && strncmp (a, b, len) == 0;
}

static GArray *
shrink (guint64 seed, GArray *plan, const char *failure)
{
  guint part = MAX (plan->len / 2, 1);
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  for (;;)
    {
      gboolean smaller = FALSE;

      for (guint at = 0; at < plan->len && g_get_monotonic_time () < end;)
        {
          GArray *less = g_array_new (FALSE, FALSE, sizeof (SimAction));
          g_autofree char *found = NULL;

          g_array_append_vals (less, plan->data, at);
          if (at + part < plan->len)
            g_array_append_vals (less, &g_array_index (plan, SimAction, at + part),
                                 plan->len - at - part);
          found = play_apart (seed, less);
          if (is_same (failure, found))
            {
              g_array_unref (plan);
              plan = less;
              smaller = TRUE;
            }
          else
            {
              g_array_unref (less);
              at += part;
            }
        }
      if (part == 1 && !smaller)
        return plan;
      if (g_get_monotonic_time () >= end)
        return plan;
      if (part > 1)
        part = (part + 1) / 2;
    }
}

static char *
command_of (guint64 seed, const GArray *plan)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "tests/sim/sim-run --seed %" G_GUINT64_FORMAT " --steps %d", seed,
                          option_steps);
  for (guint i = 0; i < plan->len; i++)
    g_string_append_printf (text, "%s%u", i == 0 ? " --only " : ",",
                            g_array_index (plan, SimAction, i).index);
  if (plan->len == 0)
    g_string_append (text, " --only \"\"");
  return g_string_free (text, FALSE);
}

static void
tell_failure (guint64 seed, GArray *plan, const char *failure)
{
  g_autofree char *command = NULL;
  g_autofree char *again = NULL;

  g_array_ref (plan);
  if (!option_no_shrink)
    plan = shrink (seed, plan, failure);
  command = command_of (seed, plan);
  again = option_no_shrink ? g_strdup (failure) : play_apart (seed, plan);
  g_print ("# seed %" G_GUINT64_FORMAT ": %s\n# %u actions:", seed,
           again != NULL ? again : failure, plan->len);
  for (guint i = 0; i < plan->len; i++)
    {
      const SimAction *action = &g_array_index (plan, SimAction, i);

      g_print (" %s(%u)", sim_action_name (action->kind), action->node % 3);
    }
  g_print ("\n# play it again: %s --trace\n", command);
  g_array_unref (plan);
}

/* ---- coverage ---- */

static void
print_coverage (void)
{
  g_print ("# how often each event met each state of the engine\n# %-16s", "");
  for (guint s = 0; s < KT_ENGINE_N_STATES; s++)
    g_print ("%10s", states[s]);
  g_print ("\n");
  for (guint a = 0; a < SIM_N_EVENTS; a++)
    {
      g_print ("# %-16s", sim_action_name ((SimActionKind) a));
      for (guint s = 0; s < KT_ENGINE_N_STATES; s++)
        g_print ("%10" G_GUINT64_FORMAT, coverage[a][s]);
      g_print ("\n");
    }
  for (guint a = 0; a < SIM_N_EVENTS; a++)
    for (guint s = 0; s < KT_ENGINE_N_STATES; s++)
      if (coverage[a][s] == 0)
        g_print ("# never: %s in %s\n", sim_action_name ((SimActionKind) a), states[s]);
}

static guint64 now_playing;

static void
on_abort (int number)
{
  char text[128];
  int len = g_snprintf (text, sizeof text,
                        "Bail out! seed %" G_GUINT64_FORMAT
                        ": tests/sim/sim-run --seed %" G_GUINT64_FORMAT " --steps %d --apart\n",
                        now_playing, now_playing, option_steps);

  if (write (STDOUT_FILENO, text, (gsize) len) < 0)
    _exit (4);
  signal (number, SIG_DFL);
  raise (number);
}

int
main (int argc, char **argv)
{
  gboolean apart = FALSE;
  const GOptionEntry entries[] = {
    { "seed", 's', 0, G_OPTION_ARG_INT64, &option_seed, "The first seed", "N" },
    { "count", 'n', 0, G_OPTION_ARG_INT64, &option_count, "How many histories", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_INT64, &option_seconds, "Until the time is over instead", "N" },
    { "steps", 0, 0, G_OPTION_ARG_INT, &option_steps, "Actions of a history (50)", "N" },
    { "failures", 0, 0, G_OPTION_ARG_INT, &option_failures, "Stop after so many (5)", "N" },
    { "only", 0, 0, G_OPTION_ARG_STRING, &option_only, "Of a history, these actions", "I,J-K,…" },
    { "trace", 't', 0, G_OPTION_ARG_NONE, &option_trace, "Print what happens", NULL },
    { "apart", 0, 0, G_OPTION_ARG_NONE, &apart, "Each history in a process, for those that abort", NULL },
    { "no-shrink", 0, 0, G_OPTION_ARG_NONE, &option_no_shrink, "Do not look for a shorter one", NULL },
    { "coverage", 0, 0, G_OPTION_ARG_NONE, &option_coverage, "Which event met which state", NULL },
    { NULL }
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  gint64 begin, cpu, took, failed = 0, n = 0;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  sim_set_up ();
  signal (SIGABRT, on_abort);
  signal (SIGSEGV, on_abort);
  signal (SIGTRAP, on_abort);
  begin = g_get_monotonic_time ();
  cpu = (gint64) clock () * G_USEC_PER_SEC / CLOCKS_PER_SEC;
  for (; option_seconds > 0 ? g_get_monotonic_time () - begin < option_seconds * G_USEC_PER_SEC
                            : n < option_count;
       n++)
    {
      guint64 seed = (guint64) (option_seed + n);
      GArray *plan = plan_of (seed);
      g_autofree char *trace = NULL;
      g_autofree char *failure = NULL;

      now_playing = seed;
      failure = apart ? play_apart (seed, plan) : play (seed, plan, option_trace ? &trace : NULL);
      if (trace != NULL)
        g_print ("# history %" G_GUINT64_FORMAT "\n%s", seed, trace);
      if (failure != NULL)
        {
          failed++;
          tell_failure (seed, plan, failure);
        }
      g_array_unref (plan);
      if (failed >= option_failures)
        {
          n++;
          break;
        }
    }
  took = MAX ((gint64) clock () * G_USEC_PER_SEC / CLOCKS_PER_SEC - cpu, 1);
  if (option_coverage)
    print_coverage ();
  g_print ("# %" G_GINT64_FORMAT " histories of %d steps, %.0f a second of processor time\n", n, option_steps,
           (double) n * G_USEC_PER_SEC / (double) took);
  g_print ("1..1\n%s 1 seeds %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT "\n",
           failed > 0 ? "not ok" : "ok", option_seed, option_seed + n - 1);
  return failed > 0 ? 1 : 0;
}
