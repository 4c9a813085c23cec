/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The figures of the store, printed. 100,000 contacts unless KONTOR_ROWS says
 * otherwise. The yardstick of the first pull is SQLite alone: the same rows, already in
 * memory, into the same tables, indices and full text.                             */

#include "config.h"

#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "store/kt-local-private.h"

#define PAGE_ROWS 5000

static const char *const given[] = { "Anna", "Jürgen", "Mary", "Pedro", "Olga",  "伟",    "秀英",
                                     "娜",   "敏",     "静",   "John",  "Sofía", "Liam",  "Noah",
                                     "Emma", "Mia",    "建国", "晓明",  "Chloé", "Łukasz" };
static const char *const family[] = { "Schmidt", "Müller", "Smith", "García", "Ivanova",
                                      "王",      "李",     "张",    "刘",     "陈",
                                      "Brown",   "Dubois", "Rossi", "Nowak",  "Kim",
                                      "欧阳",    "Garcia", "Lopez", "Hansen", "Öztürk" };
static const char *const jobs[] = { "Head of Purchasing", "Engineer", "采购经理", "CEO",
                                    "Sales manager",      "财务总监", "Analyst" };
static const char *const words[] = { "hardware",  "rollout", "contract",  "renewal",  "budget",
                                     "meeting",   "Berlin",  "server",    "licence",  "support",
                                     "migration", "quarter", "signature", "training", "delivery" };

static double
seconds_since (gint64 start)
{
  return (g_get_monotonic_time () - start) / 1e6;
}

static void
set (KtRecord *record, const char *name, const char *text)
{
  const KtField *field = kt_object_field (record->object, name);

  if (field != NULL && field->storage == KT_VALUE_TEXT)
    kt_value_set_text (&record->values[field->index], text);
}

static void
set_id (KtRecord *record, const char *name, const KtId *id)
{
  const KtField *field = kt_object_field (record->object, name);

  kt_value_set_id (&record->values[field->index], id);
}

static KtRecord *
contact (Fix *fix, guint i, const KtId *accounts, guint n_accounts)
{
  KtId id = kt_id_new (&fix->env);
  KtRecord *record = kt_record_new (fix_object (fix, "contact"), &id);
  const char *first = given[g_rand_int_range (fix->random, 0, G_N_ELEMENTS (given))];
  const char *last = family[g_rand_int_range (fix->random, 0, G_N_ELEMENTS (family))];
  gboolean eastern = (guchar) last[0] > 0xe0;
  g_autofree char *full = g_strdup_printf ("%s%s%s %u", eastern ? last : first, eastern ? "" : " ",
                                           eastern ? first : last, i);
  g_autofree char *mail = g_strdup_printf ("person%u@company%u.example", i, i % 2000);
  g_autofree char *phone = g_strdup_printf ("+49 30 %07u", i * 7919 % 10000000);
  g_autofree char *mobile = g_strdup_printf ("+86 138 %08u", i * 104729 % 100000000);
  g_autofree char *made =
    g_strdup_printf ("2025-%02u-%02uT08:%02u:00.000Z", i % 12 + 1, i % 28 + 1, i % 60);
  GString *text = g_string_new (NULL);

  record->rev = i + 2;
  set (record, "first_name", first);
  set (record, "last_name", last);
  set (record, "full_name", full);
  set (record, "job_title", jobs[i % G_N_ELEMENTS (jobs)]);
  set (record, "email", mail);
  set (record, "phone", phone);
  set (record, "mobile", mobile);
  set (record, "lifecycle_stage", i % 3 ? "lead" : "customer");
  set (record, "created_at", made);
  set (record, "modified_at", made);
  set (record, "last_activity_at", made);
  set_id (record, "account", &accounts[i % n_accounts]);
  set_id (record, "owner", &fix->me);
  set_id (record, "created_by", &fix->me);
  for (guint j = 0; j < 8; j++)
    g_string_append_printf (text, "%s ",
                            words[g_rand_int_range (fix->random, 0, G_N_ELEMENTS (words))]);
  set (record, "description", g_strchomp (text->str));
  g_string_free (text, TRUE);
  return record;
}

static GPtrArray *
make_pages (Fix *fix, guint n, GPtrArray *all)
{
  GPtrArray *pages = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  KtId accounts[2000];

  {
    g_autoptr (GPtrArray) records =
      g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);

    for (guint i = 0; i < G_N_ELEMENTS (accounts); i++)
      {
        g_autofree char *name = g_strdup_printf ("%s %s %u GmbH", words[i % 15], family[i % 20], i);

        accounts[i] = kt_id_new (&fix->env);
        g_ptr_array_add (records, fix_record (fix, "account", &accounts[i], 1, "name", name, NULL));
      }
    g_ptr_array_add (pages,
                     fix_page_bytes (fix, &(PageForm){ TRUE, TRUE, 1, "a", NULL }, records, NULL));
  }
  for (guint i = 0; i < n; i += PAGE_ROWS)
    {
      g_autoptr (GPtrArray) records =
        g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
      g_autofree char *cursor = g_strdup_printf ("c%u", i);

      for (guint j = i; j < MIN (n, i + PAGE_ROWS); j++)
        {
          KtRecord *record = contact (fix, j, accounts, G_N_ELEMENTS (accounts));

          g_ptr_array_add (records, record);
          g_ptr_array_add (all, kt_record_ref (record));
        }
      g_ptr_array_add (
        pages, fix_page_bytes (fix, &(PageForm){ TRUE, i + PAGE_ROWS < n, n + 2, cursor, NULL },
                               records, NULL));
    }
  return pages;
}

static double
first_pull (Fix *fix, GPtrArray *pages)
{
  gint64 start = g_get_monotonic_time ();

  for (guint i = 0; i < pages->len; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtChangeSet) changes = NULL;
      GBytes *whole = g_ptr_array_index (pages, i);
      GBytes *copy = g_bytes_new (g_bytes_get_data (whole, NULL), g_bytes_get_size (whole));
      g_autoptr (KtPage) page = kt_page_open (kt_local_schema (fix->local), copy, &error);

      g_assert_no_error (error);
      kt_local_apply_page (fix->local, page, NULL, &changes, &error);
      g_assert_no_error (error);
    }
  return seconds_since (start);
}

/* ---- SQLite alone ---- */

typedef struct
{
  char *terms[3];
  guint8 keys[8][200];
  gsize key_len[8];
} Ready;

static double
sqlite_alone (Fix *fix, GPtrArray *all)
{
  g_autofree char *dir = g_dir_make_tmp ("kontor-bench-XXXXXX", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) title = g_string_new (NULL);
  g_autoptr (GString) body = g_string_new (NULL);
  g_autoptr (GString) keys = g_string_new (NULL);
  GString *columns[3] = { title, body, keys };
  Ready *ready = g_new0 (Ready, all->len);
  KtLocal *other = kt_local_open (dir, KT_LOCAL_CREATE, &fix->env, &error);
  KtPlan *plan;
  KtDb *db;
  gint64 start;
  double took;
  const KtObject *object;

  kt_local_set_schema (other, fix->schema, &error);
  g_assert_no_error (error);
  db = kt_local_db (other);
  object = kt_schema_object (kt_local_schema (other), "contact");
  plan = _kt_local_plan (other, object);
  for (guint i = 0; i < all->len; i++)
    {
      const KtRecord *record = g_ptr_array_index (all, i);

      _kt_local_terms (plan, record, columns);
      for (guint j = 0; j < 3; j++)
        ready[i].terms[j] = g_strdup (columns[j]->str);
      for (guint j = 0; j < plan->keys->len; j++)
        ready[i].key_len[j] =
          _kt_local_make_key (record, plan->keys->pdata[j], "en", ready[i].keys[j]);
    }
  g_assert_true (kt_db_exec (db, "PRAGMA synchronous=NORMAL", NULL));
  start = g_get_monotonic_time ();
  for (guint i = 0; i < all->len; i++)
    {
      const KtRecord *record = g_ptr_array_index (all, i);
      gint64 rid = ((gint64) object->number << KT_RID_SHIFT) + i + 1;

      if (i % PAGE_ROWS == 0)
        g_assert_true (kt_db_begin (db, KT_TX_WRITE, NULL));
      {
        KT_STMT_SCOPE *stmt = kt_table_insert_stmt (db, object, NULL);

        kt_stmt_bind_int (stmt, 1, rid);
        kt_stmt_bind_id (stmt, 2, &record->id);
        kt_stmt_bind_int (stmt, 3, record->rev);
        for (guint j = 0, param = 4; j < object->n_fields; j++)
          {
            kt_table_bind (stmt, param, object->fields[j], &record->values[j]);
            param += object->fields[j]->storage == KT_VALUE_MONEY
                         || object->fields[j]->storage == KT_VALUE_ANY
                       ? 2
                       : 1;
          }
        g_assert_cmpint (kt_stmt_step (stmt, NULL), ==, KT_STEP_DONE);
      }
      {
        KT_STMT_SCOPE *stmt = kt_db_stmt (
          db, "INSERT INTO kt_search (rowid, title, body, keys) VALUES (?1, ?2, ?3, ?4)", NULL);

        kt_stmt_bind_int (stmt, 1, rid);
        for (int j = 0; j < 3; j++)
          kt_stmt_bind_text (stmt, j + 2, ready[i].terms[j]);
        g_assert_cmpint (kt_stmt_step (stmt, NULL), ==, KT_STEP_DONE);
      }
      {
        KT_STMT_SCOPE *stmt = kt_db_stmt (db, plan->key_insert, NULL);

        kt_stmt_bind_int (stmt, 1, rid);
        kt_stmt_bind_int (stmt, 2, 0);
        for (guint j = 0; j < plan->keys->len; j++)
          kt_stmt_bind_blob (stmt, (int) j + 3, ready[i].keys[j], ready[i].key_len[j]);
        g_assert_cmpint (kt_stmt_step (stmt, NULL), ==, KT_STEP_DONE);
      }
      if ((i + 1) % PAGE_ROWS == 0 || i + 1 == all->len)
        g_assert_true (kt_db_commit (db, NULL));
    }
  took = seconds_since (start);
  kt_local_close (other);
  for (guint i = 0; i < all->len; i++)
    for (guint j = 0; j < 3; j++)
      g_free (ready[i].terms[j]);
  g_free (ready);
  {
    g_autofree char *remove = g_strdup_printf ("rm -r '%s'", dir);

    g_assert_cmpint (system (remove), ==, 0);
  }
  return took;
}

/* ---- reading ---- */

static void
time_query (Fix *fix,
            const char *what,
            const char *sort,
            const char *search,
            const char *where,
            guint limit)
{
  g_autoptr (KtQuery) query = kt_query_new (fix_object (fix, "contact"));
  g_autoptr (GError) error = NULL;
  double best = 1e9;
  guint n = 0;

  if (sort != NULL)
    kt_query_parse_sort (query, sort, &error);
  g_assert_no_error (error);
  query->search = g_strdup (search);
  query->limit = limit;
  if (where != NULL)
    query->filter = kt_filter_parse (query->object, where, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 5; i++)
    {
      gint64 start = g_get_monotonic_time ();
      g_autoptr (GArray) rids = kt_local_query (fix->local, query, NULL, &error);

      g_assert_no_error (error);
      best = MIN (best, seconds_since (start));
      n = rids->len;
    }
  g_print ("  list, %-44s %6u rows %8.1f ms\n", what, n, best * 1e3);
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  double x = *(const double *) a;
  double y = *(const double *) b;

  return x < y ? -1 : x > y;
}

static void
time_search (Fix *fix, const KtObject *object)
{
  static const char *const typed[] = { "schmidt",   "hardware",  "müller",      "rollout ber",
                                       "person123", "Company17", "王秀英",      "zhang",
                                       "liuwei",    "欧阳建",    "garcia anna", "budget renewal",
                                       "4930",      "ceo",       "licence sup" };
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  double worst = 0;
  const char *slowest = "";
  g_autofree char *worst_text = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (typed); i++)
    for (const char *end = typed[i]; *end != '\0';)
      {
        g_autofree char *text = NULL;
        g_autoptr (GError) error = NULL;
        g_autoptr (GPtrArray) hits = NULL;
        gint64 start;
        double took;

        end = g_utf8_next_char (end);
        text = g_strndup (typed[i], end - typed[i]);
        start = g_get_monotonic_time ();
        hits = kt_local_search (fix->local, text, object, 20, NULL, &error);
        g_assert_no_error (error);
        took = seconds_since (start) * 1e3;
        g_array_append_val (times, took);
        if (took > worst)
          {
            worst = took;
            g_free (worst_text);
            worst_text = g_strdup (text);
            slowest = worst_text;
          }
      }
  g_array_sort (times, compare_doubles);
  g_print ("  search as you type, %-30s %6u keys: median %.1f, p99 %.1f, worst %.1f ms (\"%s\")\n",
           object != NULL ? object->name : "everything", times->len,
           g_array_index (times, double, times->len / 2),
           g_array_index (times, double, times->len * 99 / 100), worst, slowest);
}

/* ---- writing ---- */

static void
time_commits (Fix *fix)
{
  const KtObject *object = fix_object (fix, "contact");
  const guint batches = 40;
  gint64 start;
  g_autoptr (GError) error = NULL;

  start = g_get_monotonic_time ();
  for (guint i = 0; i < batches; i++)
    {
      g_autoptr (KtMutation) mutation = kt_mutation_new ("2026-02-03T04:05:06.000Z", "import");

      for (guint j = 0; j < 500; j++)
        {
          KtId id = kt_id_new (&fix->env);
          g_autoptr (KtRecord) record = kt_record_new (object, &id);
          g_autofree char *name = g_strdup_printf ("Imported %u", i * 500 + j);
          g_autofree char *mail = g_strdup_printf ("import%u@example.com", i * 500 + j);

          set (record, "last_name", name);
          set (record, "email", mail);
          set (record, "phone", "+49 30 1234567");
          kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &id, 0,
                           kt_patch_diff (NULL, record));
        }
      kt_local_commit (fix->local, mutation, NULL, NULL, &error);
      g_assert_no_error (error);
    }
  g_print ("  import, 500 records a commit                         %8.0f records/s\n",
           batches * 500 / seconds_since (start));

  start = g_get_monotonic_time ();
  for (guint i = 0; i < 200; i++)
    fix_create (fix, "account", NULL, "name", "Single", NULL);
  g_print ("  commit of one record                                 %8.2f ms\n",
           seconds_since (start) / 200 * 1e3);

  start = g_get_monotonic_time ();
  {
    g_autofree char *sent = fix_take (fix);
  }
  g_print ("  outbox, first megabyte taken                         %8.1f ms\n",
           seconds_since (start) * 1e3);
}

/* What was imported comes back: shadows are replaced, entries leave. */
static void
time_settling (Fix *fix)
{
  const KtObject *object = fix_object (fix, "contact");
  g_autoptr (KtQuery) query = kt_query_new (object);
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) rows = NULL;
  g_autoptr (GError) error = NULL;
  gint64 seq = kt_local_seq (fix->local);
  gint64 start;
  gint64 number = 1;

  query->search = g_strdup ("imported");
  rids = kt_local_query (fix->local, query, NULL, &error);
  rows = kt_local_rows (fix->local, object, (const gint64 *) rids->data, rids->len, &error);
  start = g_get_monotonic_time ();
  for (;;)
    {
      g_autofree char *sent = fix_take (fix);

      if (sent == NULL)
        break;
      for (gint64 last = fix_count (fix, "SELECT max(number) FROM kt_outbox"); number <= last;
           number++)
        fix_settle (fix, number, KT_OUTCOME_APPLIED, seq + 1);
    }
  g_print ("  verdicts of %6" G_GINT64_FORMAT " mutations                          %8.1f ms\n",
           number - 1, seconds_since (start) * 1e3);
  start = g_get_monotonic_time ();
  for (guint i = 0; i < rows->len; i += PAGE_ROWS)
    {
      g_autoptr (GPtrArray) page = g_ptr_array_new ();

      for (guint j = i; j < MIN (rows->len, i + PAGE_ROWS); j++)
        {
          ((KtRecord *) rows->pdata[j])->rev = seq + 1;
          g_ptr_array_add (page, rows->pdata[j]);
        }
      fix_try_apply (fix, &(PageForm){ FALSE, i + PAGE_ROWS < rows->len, seq + 1, "c", NULL }, page,
                     NULL, NULL, NULL, &error);
      g_assert_no_error (error);
    }
  g_print ("  their %6u records pulled back                       %8.1f ms\n", rows->len,
           seconds_since (start) * 1e3);
}

int
main (int argc, char **argv)
{
  const char *rows = g_getenv ("KONTOR_ROWS");
  guint n = rows != NULL ? (guint) atoi (rows) : 100000;
  g_autoptr (GPtrArray) pages = NULL;
  GPtrArray *all = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  Fix fix = { 0 };
  double pulled;
  double alone;
  gint64 start;

  g_test_init (&argc, &argv, NULL);
  fix_set_up (&fix, NULL);
  fix_sign_in (&fix);
  pages = make_pages (&fix, n, all);
  g_print ("store, %u contacts\n", n);
  pulled = first_pull (&fix, pages);
  g_clear_pointer (&pages, g_ptr_array_unref);
  alone = sqlite_alone (&fix, all);
  g_ptr_array_unref (all);
  g_print ("  first pull %.2f s, SQLite alone %.2f s, ratio %.2f\n", pulled, alone, pulled / alone);

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      double closed;

      start = g_get_monotonic_time ();
      kt_local_close (fix.local);
      closed = seconds_since (start) * 1e3;
      start = g_get_monotonic_time ();
      fix.local = kt_local_open (fix.dir, 0, &fix.env, &error);
      g_assert_no_error (error);
      g_print ("  close, open                                          %8.1f, %.1f ms\n", closed,
               seconds_since (start) * 1e3);
    }

  time_query (&fix, "by name, first 512", "full_name", NULL, NULL, 512);
  time_query (&fix, "by name, all", "full_name", NULL, NULL, 0);
  time_query (&fix, "newest first, all", NULL, NULL, NULL, 0);
  time_query (&fix, "by job title, all", "job_title", NULL, NULL, 0);
  time_query (&fix, "by account, all", "account", NULL, NULL, 0);
  time_query (&fix, "by last activity, all", "-last_activity_at", NULL, NULL, 0);
  time_query (&fix, "by e-mail, all", "email", NULL, NULL, 0);
  time_query (&fix, "by stage, name, all", "lifecycle_stage,full_name", NULL, NULL, 0);
  time_query (&fix, "customers by name", "full_name", NULL, "lifecycle_stage = \"customer\"", 0);
  time_query (&fix, "name contains müller", "full_name", NULL, "full_name contains \"müller\"", 0);
  time_query (&fix, "search \"mül\", by name", "full_name", "mül", NULL, 0);
  time_query (&fix, "search \"m\", by name, first 512", "full_name", "m", NULL, 512);
  time_query (&fix, "search \"hardware\", by name", "full_name", "hardware", NULL, 0);
  start = g_get_monotonic_time ();
  g_array_unref (kt_local_counts (fix.local, NULL));
  g_print ("  counts of all objects                                %8.1f ms\n",
           seconds_since (start) * 1e3);
  time_search (&fix, NULL);
  time_search (&fix, fix_object (&fix, "contact"));
  time_commits (&fix);
  time_settling (&fix);
  start = g_get_monotonic_time ();
  {
    g_autoptr (GError) error = NULL;

    kt_local_set_locale (fix.local, "zh_CN", &error);
    g_assert_no_error (error);
  }
  g_print ("  another locale                                       %8.1f s\n",
           seconds_since (start));
  fix_tear_down (&fix, NULL);
  return 0;
}
