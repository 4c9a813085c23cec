/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a person waits for between a key and the rows, on a profile with many
 * contacts: opening it, lists, search while typing, import. Without a window.   */

#define G_LOG_DOMAIN "bench"

#include "config.h"

#include "bench.h"

#include <string.h>

#include "db/kt-system-env.h"
#include "store/kt-import.h"

#define FIRST 512        /* row numbers for the first frame */
#define SCREEN 50        /* records that are seen */
#define HITS 20
#define IMPORT_ROWS 10000

typedef struct
{
  Bench bench;
  KtLocal *local;
  BenchFigure *open, *first, *sorted, *whole, *counts;
  BenchFigure *search_all, *search_all_median, *search_one, *filter, *filter_median;
  BenchFigure *import, *digest;
} List;

static const KtObject *
contact (List *list)
{
  return kt_schema_object (kt_local_schema (list->local), "contact");
}

static void
open_profile (List *list, const char *dir)
{
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&list->local, kt_local_close);
  list->local = kt_local_open (dir, 0, kt_system_env (), &error);
  g_assert_no_error (error);
}

/* Row numbers, and the records of the first screen. */
static double
show (List *list, const char *sort, const char *search, guint limit)
{
  double start = bench_now ();
  g_autoptr (KtQuery) query = kt_query_new (contact (list));
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) records = NULL;
  g_autoptr (GError) error = NULL;

  kt_query_parse_sort (query, sort, &error);
  g_assert_no_error (error);
  query->search = g_strdup (search);
  query->limit = limit;
  rids = kt_local_query (list->local, query, NULL, &error);
  g_assert_no_error (error);
  records = kt_local_rows (list->local, query->object, (const gint64 *) rids->data, MIN (rids->len, SCREEN), &error);
  g_assert_no_error (error);
  if (search == NULL)
    g_assert_cmpuint (rids->len, ==, limit > 0 ? MIN (limit, list->bench.rows) : list->bench.rows);
  return (bench_now () - start) * 1e3;
}

static double
look_for (List *list, const char *text, const KtObject *object)
{
  double start = bench_now ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) hits = kt_local_search (list->local, text, object, HITS, NULL, &error);

  g_assert_no_error (error);
  return (bench_now () - start) * 1e3;
}

typedef enum
{
  EVERYTHING,
  ONE_OBJECT,
  LIST
} Where;

/* Every beginning of everything that is typed. */
static void
type_all (List *list, Where where, BenchFigure *median, BenchFigure *p99)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  g_autofree char *slowest = NULL;
  double worst = 0;

  for (const char *const *text = bench_typed (); *text != NULL; text++)
    for (const char *end = g_utf8_next_char (*text);; end = g_utf8_next_char (end))
      {
        g_autofree char *typed = g_strndup (*text, end - *text);
        double took = where == LIST ? show (list, "full_name", typed, FIRST)
                                    : look_for (list, typed, where == ONE_OBJECT ? contact (list) : NULL);

        g_array_append_val (times, took);
        if (took > worst)
          {
            worst = took;
            g_free (slowest);
            slowest = g_steal_pointer (&typed);
          }
        if (*end == '\0')
          break;
      }
  g_debug ("slowest: “%s”, %.1f ms", slowest, worst);
  if (median != NULL)
    bench_add (median, bench_percentile (times, 0.5));
  bench_add (p99, bench_percentile (times, 0.99));
}

/* ---- import ---- */

static char *
write_table (List *list, guint turn)
{
  char *path = g_strdup_printf ("%s/import-%u.csv", list->bench.scratch, turn);
  g_autoptr (GString) text = g_string_new ("First name,Last name,Job title,Email,Phone,Account,Description\r\n");
  g_autoptr (GError) error = NULL;
  guint n = MIN (IMPORT_ROWS, list->bench.rows);

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (KtRecord) record = bench_contact (kt_local_schema (list->local), list->bench.rows + i, NULL);
      g_autoptr (KtRecord) account = bench_account (kt_local_schema (list->local), i % (n / 50));
      const char *phone = kt_record_text (record, "phone");

      g_string_append_printf (text, "%s,%s,%s,new-%s,%s,%s,%s\r\n", kt_record_text (record, "first_name"),
                              kt_record_text (record, "last_name"), kt_record_text (record, "job_title"),
                              kt_record_text (record, "email"), phone != NULL ? phone : "",
                              kt_record_text (account, "name"), kt_record_text (record, "description"));
    }
  g_file_set_contents (path, text->str, (gssize) text->len, &error);
  g_assert_no_error (error);
  return path;
}

static void
time_import (List *list, guint turn)
{
  g_autofree char *path = write_table (list, turn);
  double start = bench_now ();
  g_autoptr (GError) error = NULL;
  g_autoptr (KtImportPlan) plan = kt_import_plan_new (list->local, contact (list), path, &error);
  g_autoptr (KtImportResult) result = NULL;

  g_assert_no_error (error);
  result = kt_import_run (list->local, plan, FALSE, NULL, NULL, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  if (result->failed > 0)
    {
      const KtImportError *first = g_ptr_array_index (result->errors, 0);

      g_error ("row %" G_GUINT64_FORMAT ", %s: %s", first->row, first->column, first->message);
    }
  bench_add (list->import, bench_now () - start);
}

static void
run (List *list, guint turn)
{
  g_autofree char *dir = bench_profile (&list->bench, TRUE);
  g_autoptr (GError) error = NULL;
  KtDigest digest = { 0 };
  double start;

  open_profile (list, dir);   /* the copy: not timed */
  start = bench_now ();
  open_profile (list, dir);
  bench_add (list->open, (bench_now () - start) * 1e3);
  bench_add (list->first, show (list, "full_name", NULL, FIRST));
  bench_add (list->sorted, show (list, "-last_activity_at", NULL, FIRST));
  bench_add (list->whole, show (list, "full_name", NULL, 0));
  start = bench_now ();
  g_array_unref (kt_local_counts (list->local, &error));
  g_assert_no_error (error);
  bench_add (list->counts, (bench_now () - start) * 1e3);
  type_all (list, EVERYTHING, list->search_all_median, list->search_all);
  type_all (list, ONE_OBJECT, NULL, list->search_one);
  type_all (list, LIST, list->filter_median, list->filter);
  start = bench_now ();
  kt_local_digest (list->local, contact (list), &digest, &error);
  g_assert_no_error (error);
  bench_add (list->digest, bench_now () - start);
  time_import (list, turn);
  g_clear_pointer (&list->local, kt_local_close);
  bench_remove (dir);
}

int
main (int argc, char **argv)
{
  List list = { 0 };
  Bench *bench = &list.bench;

  bench_init (bench, &argc, &argv, "Lists, search and import on a profile");
  list.open = bench_figure (bench, "profile opened (second time)", BENCH_MS, 0);
  list.first = bench_figure (bench, "list by name: 512 ids, 50 records", BENCH_MS, 100);
  list.sorted = bench_figure (bench, "list by last activity: 512 ids, 50 records", BENCH_MS, 100);
  list.whole = bench_figure (bench, "list by name: all ids, 50 records", BENCH_MS, 0);
  list.counts = bench_figure (bench, "counts of all objects, for the sidebar", BENCH_MS, 0);
  list.search_all_median = bench_figure (bench, "search as you type, everything, median", BENCH_MS, 0);
  list.search_all = bench_figure (bench, "search as you type, everything, p99", BENCH_MS, 30);
  list.search_one = bench_figure (bench, "search as you type, contacts, p99", BENCH_MS, 30);
  list.filter_median = bench_figure (bench, "quick filter of the list by name, median", BENCH_MS, 0);
  list.filter = bench_figure (bench, "quick filter of the list by name, p99", BENCH_MS, 30);
  list.digest = bench_figure (bench, "digest of all contacts", BENCH_SECONDS, 0);
  list.import = bench_figure (bench, "import of 10,000 rows of CSV, accounts by name", BENCH_SECONDS, 0);
  for (guint i = 0; i < bench->runs; i++)
    run (&list, i);
  return bench_finish (bench);
}
