/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "db/kt-system-env.h"
#include "sync/kt-transport.h"

#define ROWS 100000
#define QUICK_ROWS 10000
#define RUNS 5
#define LISTENING "listening "

struct _BenchFigure
{
  char *work;
  char *baseline; /* NULL: none */
  BenchUnit unit;
  double goal;
  GArray *values;
  GArray *baselines;
  GArray *ratios;
};

static void
figure_free (gpointer data)
{
  BenchFigure *figure = data;

  g_free (figure->work);
  g_free (figure->baseline);
  g_array_unref (figure->values);
  g_array_unref (figure->baselines);
  g_array_unref (figure->ratios);
  g_free (figure);
}

/* ---- options ---- */

static char *
data_key (void)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  KtSchema *schema = bench_schema ();
  const char *digest = kt_schema_digest (schema);

  g_checksum_update (sum, (const guchar *) digest, -1);
  g_checksum_update (sum, (const guchar *) BENCH_DATA, -1);
  return g_strndup (g_checksum_get_string (sum), 8);
}

static void
make_dirs (Bench *bench)
{
  const char *base = g_getenv ("KONTOR_BENCH_DIR");
  g_autofree char *key = data_key ();

  bench->dir = g_strdup_printf ("%s/%u-%s", base != NULL ? base : "bench", bench->rows, key);
  bench->scratch = g_strdup_printf ("%s/scratch-%d", bench->dir, (int) getpid ());
  if (g_mkdir_with_parents (bench->scratch, 0700) != 0)
    g_error ("%s: %s", bench->scratch, g_strerror (errno));
}

static void
print_head (const Bench *bench, const char *title)
{
  g_autofree char *load = NULL;

  g_file_get_contents ("/proc/loadavg", &load, NULL, NULL);
  if (load != NULL && strchr (load, ' ') != NULL)
    *strchr (load, ' ') = '\0';
  printf ("%s\n%u contacts, %u run%s, %s build, %u processors, load at the start %s\n", title,
          bench->rows, bench->runs, bench->runs == 1 ? "" : "s", KT_BENCH_BUILD,
          g_get_num_processors (), load != NULL ? load : "?");
  fflush (stdout);
}

void
bench_init (Bench *bench, int *argc, char ***argv, const char *title)
{
  gboolean prepare = FALSE;
  int rows = 0, runs = 0;
  const GOptionEntry entries[] = {
    { "quick", 0, 0, G_OPTION_ARG_NONE, &bench->quick, "Few rows, one run", NULL },
    { "rows", 0, 0, G_OPTION_ARG_INT, &rows, "How many contacts", "N" },
    { "runs", 0, 0, G_OPTION_ARG_INT, &runs, "How often", "N" },
    { "prepare", 0, 0, G_OPTION_ARG_NONE, &prepare, "Make the profile, say where it is, do nothing else", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  *bench = (Bench){ 0 };
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, &error) || *argc > 1)
    {
      g_printerr ("%s\n", error != NULL ? error->message : "bench: too many arguments");
      exit (2);
    }
  bench->rows = rows > 0 ? (guint) rows : bench->quick ? QUICK_ROWS : ROWS;
  bench->runs = runs > 0 ? (guint) runs : bench->quick ? 1 : RUNS;
  bench->figures = g_ptr_array_new_with_free_func (figure_free);
  make_dirs (bench);
  if (prepare)
    {
      g_autofree char *profile = bench_profile (bench, FALSE);

      bench_remove (bench->scratch);
      printf ("%s\n", profile);
      exit (0);
    }
  print_head (bench, title);
}

/* ---- figures ---- */

double
bench_now (void)
{
  return (double) g_get_monotonic_time () / G_USEC_PER_SEC;
}

double
bench_cpu (void)
{
  struct timespec time;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

BenchFigure *
bench_figure (Bench *bench, const char *work, BenchUnit unit, double goal)
{
  BenchFigure *figure = g_new0 (BenchFigure, 1);

  figure->work = g_strdup (work);
  figure->unit = unit;
  figure->goal = goal;
  figure->values = g_array_new (FALSE, FALSE, sizeof (double));
  figure->baselines = g_array_new (FALSE, FALSE, sizeof (double));
  figure->ratios = g_array_new (FALSE, FALSE, sizeof (double));
  g_ptr_array_add (bench->figures, figure);
  return figure;
}

BenchFigure *
bench_ratio (Bench *bench, const char *work, BenchUnit unit, double goal, const char *baseline)
{
  BenchFigure *figure = bench_figure (bench, work, unit, goal);

  figure->baseline = g_strdup (baseline);
  return figure;
}

void
bench_add (BenchFigure *figure, double value)
{
  g_array_append_val (figure->values, value);
}

void
bench_add_pair (BenchFigure *figure, double value, double baseline)
{
  double ratio = value / baseline;

  bench_add (figure, value);
  g_array_append_val (figure->baselines, baseline);
  g_array_append_val (figure->ratios, ratio);
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return x < y ? -1 : x > y;
}

double
bench_percentile (GArray *doubles, double share)
{
  guint at;

  g_assert (doubles->len > 0);
  g_array_sort (doubles, compare_doubles);
  at = (guint) (doubles->len * share);
  return g_array_index (doubles, double, MIN (at, doubles->len - 1));
}

static char *
number (BenchUnit unit, double value)
{
  switch (unit)
    {
    case BENCH_SECONDS:
      return g_strdup_printf ("%.2f s", value);
    case BENCH_MS:
      return g_strdup_printf (value < 10 ? "%.2f ms" : "%.1f ms", value);
    case BENCH_PER_SECOND:
      return g_strdup_printf ("%.0f /s", value);
    case BENCH_BYTES:
      return g_strdup_printf ("%.0f B", value);
    case BENCH_MB:
    default:
      return g_strdup_printf ("%.1f MB", value);
    }
}

/* printf counts bytes; a table wants columns. */
static void
cell (const char *text, int width)
{
  int pad = ABS (width) - (int) g_utf8_strlen (text, -1);

  printf ("%*s%s%*s", width > 0 ? MAX (pad, 0) : 0, "", text, width < 0 ? MAX (pad, 0) : 0, "");
}

static gboolean
reached (const BenchFigure *figure)
{
  if (figure->goal <= 0)
    return TRUE;
  if (figure->baseline != NULL)
    return bench_percentile (figure->ratios, 0.5) <= figure->goal;
  if (figure->unit == BENCH_PER_SECOND)
    return bench_percentile (figure->values, 0.5) >= figure->goal;
  return bench_percentile (figure->values, 0.5) <= figure->goal;
}

static char *
goal_text (const BenchFigure *figure)
{
  g_autofree char *value = NULL;

  if (figure->goal <= 0)
    return g_strdup ("");
  if (figure->baseline != NULL)
    return g_strdup_printf ("≤ %.2f ×", figure->goal);
  value = number (figure->unit, figure->goal);
  return g_strdup_printf ("%s %s", figure->unit == BENCH_PER_SECOND ? "≥" : "≤", value);
}

static void
print_figure (const Bench *bench, const BenchFigure *figure)
{
  g_autofree char *goal = goal_text (figure);
  g_autofree char *median = number (figure->unit, bench_percentile (figure->values, 0.5));
  g_autofree char *low = number (figure->unit, bench_percentile (figure->values, 0));
  g_autofree char *high = number (figure->unit, bench_percentile (figure->values, 1));
  g_autofree char *range = g_strdup_printf ("%s – %s", low, high);
  g_autofree char *ratio = NULL;

  if (figure->baseline != NULL)
    ratio = g_strdup_printf ("%.2f × (%.2f–%.2f)", bench_percentile (figure->ratios, 0.5),
                             bench_percentile (figure->ratios, 0),
                             bench_percentile (figure->ratios, 1));
  cell (figure->work, -52);
  cell (goal, 11);
  cell (median, 12);
  printf ("  ");
  cell (figure->values->len > 1 ? range : "", -24);
  cell (ratio != NULL ? ratio : "", -20);
  printf ("%s\n", bench->quick || figure->goal <= 0 ? "" : reached (figure) ? "pass" : "falls short");
  if (figure->baseline != NULL)
    {
      g_autofree char *what = g_strconcat ("  against: ", figure->baseline, NULL);
      g_autofree char *base = number (figure->unit, bench_percentile (figure->baselines, 0.5));
      g_autofree char *base_low = number (figure->unit, bench_percentile (figure->baselines, 0));
      g_autofree char *base_high = number (figure->unit, bench_percentile (figure->baselines, 1));
      g_autofree char *base_range = g_strdup_printf ("%s – %s", base_low, base_high);

      cell (what, -52);
      cell ("", 11);
      cell (base, 12);
      printf ("  %s\n", figure->baselines->len > 1 ? base_range : "");
    }
}

int
bench_finish (Bench *bench)
{
  gboolean all = TRUE;

  cell ("work", -52);
  cell ("goal", 11);
  cell ("median", 12);
  printf ("  ");
  cell ("min – max", -24);
  cell ("ratio", -20);
  printf ("\n");
  for (guint i = 0; i < bench->figures->len; i++)
    {
      const BenchFigure *figure = g_ptr_array_index (bench->figures, i);

      if (figure->values->len == 0)
        continue;
      print_figure (bench, figure);
      all = all && reached (figure);
    }
  bench_remove (bench->scratch);
  g_ptr_array_unref (bench->figures);
  g_free (bench->dir);
  g_free (bench->scratch);
  return all || bench->quick ? 0 : 1;
}

/* ---- folders ---- */

void
bench_remove (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *inside = g_build_filename (path, name, NULL);

      if (g_file_test (inside, G_FILE_TEST_IS_DIR) && !g_file_test (inside, G_FILE_TEST_IS_SYMLINK))
        bench_remove (inside);
      else
        g_unlink (inside);
    }
  g_rmdir (path);
}

void
bench_copy (const char *from, const char *to)
{
  g_autoptr (GDir) dir = g_dir_open (from, 0, NULL);
  const char *name;

  g_assert_nonnull (dir);
  g_assert_cmpint (g_mkdir_with_parents (to, 0700), ==, 0);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *source = g_build_filename (from, name, NULL);
      g_autofree char *target = g_build_filename (to, name, NULL);
      g_autoptr (GError) error = NULL;

      if (g_file_test (source, G_FILE_TEST_IS_DIR))
        bench_copy (source, target);
      else
        {
          g_autoptr (GFile) file = g_file_new_for_path (source);
          g_autoptr (GFile) copy = g_file_new_for_path (target);

          g_file_copy (file, copy, G_FILE_COPY_NONE, NULL, NULL, NULL, &error);
          g_assert_no_error (error);
        }
    }
}

/* ---- a server process ---- */

void
bench_server_start (BenchServer *server, const char *workspace)
{
  const char *program = g_getenv ("KONTOR_SERVER");
  g_autoptr (GDataInputStream) lines = NULL;
  g_autofree char *line = NULL;
  g_autoptr (GError) error = NULL;

  if (program == NULL)
    g_error ("KONTOR_SERVER does not say where kontor-server is");
  server->process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program, "run", workspace,
                                      "--listen", "127.0.0.1:0", NULL);
  g_assert_no_error (error);
  lines = g_data_input_stream_new (g_subprocess_get_stdout_pipe (server->process));
  line = g_data_input_stream_read_line (lines, NULL, NULL, &error);
  g_assert_no_error (error);
  if (line == NULL || !g_str_has_prefix (line, LISTENING))
    g_error ("the server did not start");
  server->address = g_strdup (line + strlen (LISTENING));
}

double
bench_server_cpu (BenchServer *server)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/stat", g_subprocess_get_identifier (server->process));
  g_autofree char *text = NULL;
  g_auto (GStrv) words = NULL;

  /* What stands in brackets may hold anything; after it: state, 10 numbers, user and system time. */
  if (!g_file_get_contents (path, &text, NULL, NULL) || strrchr (text, ')') == NULL)
    return 0;
  words = g_strsplit (strrchr (text, ')') + 2, " ", 14);
  return g_strv_length (words) < 13
           ? 0
           : (g_ascii_strtod (words[11], NULL) + g_ascii_strtod (words[12], NULL)) / (double) sysconf (_SC_CLK_TCK);
}

void
bench_server_stop (BenchServer *server)
{
  g_subprocess_send_signal (server->process, SIGTERM);
  g_subprocess_wait (server->process, NULL, NULL);
  g_clear_object (&server->process);
  g_clear_pointer (&server->address, g_free);
}

KtLocal *
bench_sign_in (BenchServer *server, const char *dir)
{
  g_autoptr (GError) error = NULL;
  KtLocal *local = kt_local_open (dir, KT_LOCAL_CREATE, kt_system_env (), &error);
  g_autoptr (KtTransport) transport = NULL;

  g_assert_no_error (error);
  transport = kt_http_transport_new (server->address, &error);
  g_assert_no_error (error);
  kt_session_login (local, transport, server->address, BENCH_USER, BENCH_PASSWORD, NULL, &error);
  g_assert_no_error (error);
  return local;
}
