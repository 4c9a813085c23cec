/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a connection promises, on every database. */

#include "fixture.h"

#include "base/kt-text.h"

#define ENDLESS \
  "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < 2000000000) SELECT count(*) FROM c"

static void
test_values_come_back (Fixture *fixture, gconstpointer data)
{
  static const char *const texts[] = {
    "",
    " ",
    "  trailing  ",
    "O'Reilly",
    "\"quoted\"",
    "back\\slash",
    "100 %",
    "a\nb\tc\r\n",
    "$1 ?1 :x",
    "müller 客户 عميل",
    "\360\237\230\200\360\237\221\251\342\200\215\360\237\222\273",
    "e\314\201",
    "\357\277\275",
  };
  static const gint64 integers[] = { 0,
                                     1,
                                     -1,
                                     127,
                                     G_MAXINT32,
                                     (gint64) G_MAXINT32 + 1,
                                     G_MININT64,
                                     G_MAXINT64,
                                     G_GINT64_CONSTANT (999999999999999999),
                                     G_GINT64_CONSTANT (-999999999999999999) };
  g_autoptr (GError) error = NULL;
  g_autofree char *large = g_strnfill (1 << 20, 'x');
  guint8 bytes[256];
  KtId id = { { 0, 255, 1, 0 } };
  KT_STMT_SCOPE *stmt = NULL;
  gsize len;
  KtId back;

  exec_ok (fixture->db, "CREATE TABLE v (n INTEGER PRIMARY KEY, i INTEGER, t TEXT, b BLOB)");
  for (guint i = 0; i < sizeof bytes; i++)
    bytes[i] = i;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autofree char *text = NULL;

      kt_db_run (fixture->db, &error, "INSERT INTO v (t) VALUES (?1)", KT_BIND_TEXT, texts[i],
                 KT_BIND_END);
      g_assert_no_error (error);
      kt_db_get_text (fixture->db, &text, &error, "SELECT t FROM v WHERE t = ?1", KT_BIND_TEXT,
                      texts[i], KT_BIND_END);
      g_assert_no_error (error);
      g_assert_cmpstr (text, ==, texts[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (integers); i++)
    {
      gint64 integer = 42;

      kt_db_run (fixture->db, &error, "INSERT INTO v (i) VALUES (?1)", KT_BIND_INT, integers[i],
                 KT_BIND_END);
      g_assert_no_error (error);
      kt_db_get_int (fixture->db, 0, &integer, &error, "SELECT i FROM v WHERE i = ?1", KT_BIND_INT,
                     integers[i], KT_BIND_END);
      g_assert_no_error (error);
      g_assert_cmpint (integer, ==, integers[i]);
    }

  exec_ok (fixture->db, "DELETE FROM v");
  kt_db_run (fixture->db, &error, "INSERT INTO v (n, t, b) VALUES (1, ?1, ?2)", KT_BIND_TEXT, large,
             KT_BIND_BLOB, bytes, sizeof bytes, KT_BIND_END);
  kt_db_run (fixture->db, &error, "INSERT INTO v (n, t, b) VALUES (2, ?1, ?2)", KT_BIND_TEXT, NULL,
             KT_BIND_ID, &id, KT_BIND_END);
  kt_db_run (fixture->db, &error, "INSERT INTO v (n, b) VALUES (3, ?1)", KT_BIND_BLOB, NULL,
             (gsize) 0, KT_BIND_END);
  kt_db_run (fixture->db, &error, "INSERT INTO v (n, b) VALUES (4, ?1)", KT_BIND_ID, NULL,
             KT_BIND_END);
  g_assert_no_error (error);

  stmt = kt_db_stmt (fixture->db, "SELECT n, i, t, b FROM v ORDER BY n", &error);
  g_assert_no_error (error);
  g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_ROW);
  g_assert_cmpint (kt_stmt_columns (stmt), ==, 4);
  g_assert_true (kt_stmt_is_null (stmt, 1));
  g_assert_cmpuint (kt_stmt_bytes (stmt, 2), ==, 1 << 20);
  g_assert_cmpstr (kt_stmt_text (stmt, 2), ==, large);
  g_assert_cmpmem (kt_stmt_blob (stmt, 3, &len), kt_stmt_bytes (stmt, 3), bytes, sizeof bytes);
  g_assert_false (kt_stmt_id (stmt, 3, &back));

  g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_ROW);
  g_assert_null (kt_stmt_text (stmt, 2));
  g_assert_true (kt_stmt_id (stmt, 3, &back));
  g_assert_true (kt_id_equal (&id, &back));

  g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_ROW);
  g_assert_false (kt_stmt_is_null (stmt, 3));
  g_assert_nonnull (kt_stmt_blob (stmt, 3, &len));
  g_assert_cmpuint (len, ==, 0);

  g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_ROW);
  g_assert_true (kt_stmt_is_null (stmt, 3));
  g_assert_null (kt_stmt_blob (stmt, 3, &len));
  g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_DONE);
  g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_DONE);
  g_assert_no_error (error);
}

static void
test_order_is_by_bytes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) got = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  KT_STMT_SCOPE *stmt = NULL;

  exec_ok (
    fixture->db,
    "CREATE TABLE v (t TEXT); INSERT INTO v VALUES ('b'), ('A'), ('a'), ('B'), ('ä'), ('Z'), ('_')");
  stmt = kt_db_stmt (fixture->db, "SELECT t FROM v ORDER BY t", &error);
  while (kt_stmt_step (stmt, &error) == KT_STEP_ROW)
    g_string_append (got, kt_stmt_text (stmt, 0));
  g_assert_no_error (error);
  g_assert_cmpstr (got->str, ==, "ABZ_abä");
}

static void
test_run_counts_changes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  char *none = (char *) "x";

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER); INSERT INTO v VALUES (1), (2), (3)");
  g_assert_cmpint (kt_db_run (fixture->db, &error, "UPDATE v SET a = a + 1 WHERE a >= ?1",
                              KT_BIND_INT, (gint64) 2, KT_BIND_END),
                   ==, 2);
  g_assert_cmpint (kt_db_run (fixture->db, &error, "UPDATE v SET a = 0 WHERE a > 100", KT_BIND_END),
                   ==, 0);
  g_assert_cmpint (kt_db_run (fixture->db, &error, "SELECT a FROM v", KT_BIND_END), ==, 0);
  g_assert_cmpint (kt_db_run (fixture->db, &error, "DELETE FROM v", KT_BIND_END), ==, 3);
  g_assert_no_error (error);
  g_assert_cmpint (int_of (fixture->db, "SELECT max(a) FROM v"), ==, -1);
  g_assert_true (
    kt_db_get_text (fixture->db, &none, &error, "SELECT 'x' WHERE 1 = 2", KT_BIND_END));
  g_assert_null (none);
}

static void
test_transactions_are_whole (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtDb) other = fixture_open_another (fixture);

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER)");
  begin_ok (fixture->db, KT_TX_WRITE);
  g_assert_true (kt_db_in_transaction (fixture->db));
  exec_ok (fixture->db, "INSERT INTO v VALUES (1)");
  g_assert_cmpint (int_of (other, "SELECT count(*) FROM v"), ==, 0);
  commit_ok (fixture->db);
  g_assert_false (kt_db_in_transaction (fixture->db));
  g_assert_cmpint (int_of (other, "SELECT count(*) FROM v"), ==, 1);

  begin_ok (fixture->db, KT_TX_WRITE);
  exec_ok (fixture->db, "INSERT INTO v VALUES (2)");
  kt_db_rollback (fixture->db);
  kt_db_rollback (fixture->db);
  g_assert_cmpint (int_of (other, "SELECT count(*) FROM v"), ==, 1);
}

static void
test_closing_rolls_back (Fixture *fixture, gconstpointer data)
{
  KtDb *other = fixture_open_another (fixture);

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER)");
  begin_ok (other, KT_TX_WRITE);
  exec_ok (other, "INSERT INTO v VALUES (1)");
  kt_db_close (other);
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v"), ==, 0);
  kt_db_close (NULL);
}

static void
test_a_reader_keeps_its_snapshot (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtDb) reader = fixture_open_another (fixture);
  g_autoptr (GError) error = NULL;

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER); INSERT INTO v VALUES (1)");
  begin_ok (reader, KT_TX_READ);
  exec_ok (fixture->db, "INSERT INTO v VALUES (2)");
  g_assert_cmpint (int_of (reader, "SELECT count(*) FROM v"), ==, 1);
  commit_ok (reader);
  g_assert_cmpint (int_of (reader, "SELECT count(*) FROM v"), ==, 2);
}

static void
test_after_an_error_only_rollback_is_left (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER NOT NULL UNIQUE)");
  begin_ok (fixture->db, KT_TX_WRITE);
  exec_ok (fixture->db, "INSERT INTO v VALUES (1)");
  g_assert_cmpint (kt_db_run (fixture->db, &error, "INSERT INTO v VALUES (?1)", KT_BIND_INT,
                              (gint64) 1, KT_BIND_END),
                   ==, -1);
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
  g_clear_error (&error);
  g_assert_false (kt_db_commit (fixture->db, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INTERNAL);
  g_assert_false (kt_db_in_transaction (fixture->db));
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v"), ==, 0);
}

static void
test_a_savepoint_takes_an_error_back (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER NOT NULL UNIQUE)");
  begin_ok (fixture->db, KT_TX_WRITE);
  exec_ok (fixture->db, "INSERT INTO v VALUES (1)");
  g_assert_true (kt_db_savepoint (fixture->db, "inner", &error));
  exec_ok (fixture->db, "INSERT INTO v VALUES (2)");
  g_assert_cmpint (kt_db_run (fixture->db, NULL, "INSERT INTO v VALUES (1)", KT_BIND_END), ==, -1);
  g_assert_true (kt_db_rollback_to (fixture->db, "inner", &error));
  g_assert_true (kt_db_release (fixture->db, "inner", &error));
  exec_ok (fixture->db, "INSERT INTO v VALUES (3)");
  commit_ok (fixture->db);
  g_assert_cmpint (int_of (fixture->db, "SELECT sum(a) FROM v"), ==, 4);
  g_assert_no_error (error);
}

static void
test_errors_hold_no_values (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *sql;
    int code;
  } cases[] = {
    { "INSERT INTO v (a) VALUES (?1)", KT_ERROR_CONFLICT },
    { "INSERT INTO v (a, b) VALUES ('x', CASE WHEN ?1 = 'secret' THEN NULL ELSE 'x' END)",
      KT_ERROR_INTERNAL },
    { "INSERT INTO nowhere (a) VALUES (?1)", KT_ERROR_INTERNAL },
  };

  exec_ok (
    fixture->db,
    "CREATE TABLE v (a TEXT UNIQUE, b TEXT NOT NULL DEFAULT 'x'); INSERT INTO v (a) VALUES ('secret')");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (
        kt_db_run (fixture->db, &error, cases[i].sql, KT_BIND_TEXT, "secret", KT_BIND_END), ==, -1);
      g_assert_error (error, KT_ERROR, cases[i].code);
      if (strstr (cases[i].sql, "secret") == NULL)
        g_assert_null (strstr (error->message, "secret"));
    }
}

static void
test_many_statements (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  KT_STMT_SCOPE *outer = NULL;

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER); INSERT INTO v VALUES (1), (2), (3)");
  outer = kt_db_stmt (fixture->db, "SELECT a FROM v ORDER BY a", &error);
  g_assert_cmpint (kt_stmt_step (outer, &error), ==, KT_STEP_ROW);
  for (guint i = 0; i < 1000; i++)
    {
      g_autofree char *sql = g_strdup_printf ("SELECT %u + ?1 + a FROM v WHERE a = 1", i);
      gint64 sum;

      kt_db_get_int (fixture->db, 0, &sum, &error, sql, KT_BIND_INT, (gint64) 5, KT_BIND_END);
      g_assert_no_error (error);
      g_assert_cmpint (sum, ==, i + 6);
    }
  g_assert_cmpint (kt_stmt_step (outer, &error), ==, KT_STEP_ROW);
  g_assert_cmpint (kt_stmt_int (outer, 0), ==, 2);
}

static void
test_a_statement_is_used_again (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  KT_STMT_SCOPE *stmt = NULL;

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER, t TEXT)");
  stmt = kt_db_stmt (fixture->db, "INSERT INTO v (a, t) VALUES (?1, ?2)", &error);
  for (gint64 i = 0; i < 10; i++)
    {
      /* What is not bound again is NULL, and the types may come in any order. */
      if (i % 3 != 0)
        kt_stmt_bind_int (stmt, 1, i);
      if (i % 2 != 0)
        kt_stmt_bind_text_len (stmt, 2, "abc", 2);
      g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_DONE);
      g_assert_cmpint (kt_stmt_changes (stmt), ==, 1);
      kt_stmt_reset (stmt);
    }
  g_assert_no_error (error);
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v WHERE a IS NULL"), ==, 4);
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v WHERE t = 'ab'"), ==, 5);
  /* The other connection's changes of the table are no trouble either. */
  exec_ok (fixture->db, "ALTER TABLE v ADD COLUMN more TEXT");
  kt_stmt_bind_int (stmt, 1, 100);
  g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_DONE);
  g_assert_no_error (error);
}

/* ---- cancelling ---- */

static gpointer
interrupt_thread (gpointer data)
{
  gpointer *args = data;

  while (!g_atomic_int_get ((int *) args[1]))
    {
      kt_db_interrupt (args[0]);
      g_usleep (5000);
    }
  return NULL;
}

static void
test_an_endless_query_is_interrupted (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int done = 0;
  gpointer args[] = { fixture->db, &done };
  GThread *thread = g_thread_new ("interrupt", interrupt_thread, args);
  gint64 n;
  gboolean finished = kt_db_get_int (fixture->db, 0, &n, &error, ENDLESS, KT_BIND_END);

  g_atomic_int_set (&done, 1);
  g_thread_join (thread);
  g_assert_false (finished);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (int_of (fixture->db, "SELECT 1"), ==, 1);
}

/* ---- migrations ---- */

static gboolean
step_cb (KtDb *db, gpointer data, GError **error)
{
  ++*(int *) data;
  return kt_db_exec (db, "INSERT INTO one VALUES (7)", error);
}

static gboolean
failing_cb (KtDb *db, gpointer data, GError **error)
{
  if (!kt_db_exec (db, "CREATE TABLE half (a INTEGER)", error))
    return FALSE;
  g_set_error_literal (error, KT_ERROR, KT_ERROR_IO, "no");
  return FALSE;
}

static void
test_migrations_run_once (Fixture *fixture, gconstpointer data)
{
  static const KtMigration steps[] = {
    { 1, "CREATE TABLE one (a INTEGER)", NULL },
    { 2, NULL, step_cb },
    { 5, "ALTER TABLE one ADD COLUMN b TEXT; CREATE TABLE two (b BLOB)", NULL },
  };
  g_autoptr (KtDb) other = fixture_open_another (fixture);
  g_autoptr (GError) error = NULL;
  gboolean exists;
  int calls = 0;

  g_assert_true (kt_db_migrate (fixture->db, "test", steps, 2, &calls, &error));
  g_assert_no_error (error);
  g_assert_true (kt_db_migrate (fixture->db, "test", steps, 3, &calls, &error));
  g_assert_true (kt_db_migrate (other, "test", steps, 3, &calls, &error));
  g_assert_no_error (error);
  g_assert_cmpint (calls, ==, 1);
  g_assert_cmpint (int_of (other, "SELECT version FROM kt_version WHERE component = 'test'"), ==,
                   5);
  g_assert_true (kt_db_table_exists (other, "two", &exists, &error));
  g_assert_true (exists);
  g_assert_true (kt_db_table_exists (other, "three", &exists, &error));
  g_assert_false (exists);
}

static void
test_a_newer_database_is_refused (Fixture *fixture, gconstpointer data)
{
  static const KtMigration steps[] = { { 1, "CREATE TABLE one (a INTEGER)", NULL },
                                       { 2, "CREATE TABLE two (a INTEGER)", NULL } };
  g_autoptr (GError) error = NULL;

  g_assert_true (kt_db_migrate (fixture->db, "test", steps, 2, NULL, &error));
  g_assert_false (kt_db_migrate (fixture->db, "test", steps, 1, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NEWER);
  g_assert_nonnull (strstr (error->message, "format 2"));
  g_assert_nonnull (strstr (error->message, "knows 1"));
}

static void
test_a_failing_migration_leaves_nothing (Fixture *fixture, gconstpointer data)
{
  static const KtMigration steps[] = { { 1, "CREATE TABLE one (a INTEGER)", NULL },
                                       { 2, NULL, failing_cb } };
  g_autoptr (GError) error = NULL;
  gboolean exists = TRUE;

  g_assert_false (kt_db_migrate (fixture->db, "test", steps, 2, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_IO);
  g_clear_error (&error);
  g_assert_false (kt_db_in_transaction (fixture->db));
  g_assert_true (kt_db_table_exists (fixture->db, "half", &exists, &error));
  g_assert_false (exists);
  g_assert_cmpint (int_of (fixture->db, "SELECT version FROM kt_version"), ==, 1);
}

static void
test_columns_are_listed (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) columns = NULL;

  exec_ok (fixture->db, "CREATE TABLE v (\"Odd name\" INTEGER, b TEXT)");
  columns = kt_db_columns (fixture->db, "v", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (columns->len, ==, 2);
  g_assert_cmpstr (columns->pdata[0], ==, "Odd name");
  g_assert_cmpstr (columns->pdata[1], ==, "b");
}

/* ---- the fold ---- */

static void
test_text_folds_as_in_memory (Fixture *fixture, gconstpointer data)
{
  static const char *const texts[] = {
    "Müller",
    "MÜLLER",
    "  two   words\t",
    "ÀÉÎõü",
    "Straße",
    "ＡＢＣ１２",
    "客户 公司",
    "ΣΊΣΥΦΟΣ",
    "Ελλάς",
    "ёлка",
    "Йод",
    "가나다",
    "がぎ",
    "ǅ",
    "ﬁn",
    "½",
    "a\314\201\314\247",
    "İstanbul",
    "ไทย",
    "עִבְרִית",
    "x\302\240y",
    "emoji 😀",
    "Łódź",
    "Ørsted",
    "Æsir ŒUVRE",
    "þorn Ðað",
    "soft\302\255hyphen",
    "zero\342\200\213width",
    "a\342\200\250b",
    "🏴‍☠️",
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *expected = kt_text_fold (texts[i]);
      g_autofree char *got = NULL;

      kt_db_get_text (fixture->db, &got, &error, "SELECT kt_fold(?1)", KT_BIND_TEXT, texts[i],
                      KT_BIND_END);
      g_assert_no_error (error);
      g_assert_cmpstr (got, ==, expected);
    }
}

/* ---- PostgreSQL alone ---- */

static void
test_a_lost_connection_is_said (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDb) other = NULL;
  gint64 pid = 0;

  if (!on_postgresql ())
    {
      g_test_skip ("PostgreSQL only");
      return;
    }
  other = fixture_open_another (fixture);
  pid = int_of (other, "SELECT pg_backend_pid()");
  begin_ok (other, KT_TX_WRITE);
  kt_db_run (fixture->db, &error, "SELECT pg_terminate_backend(CAST(?1 AS int))", KT_BIND_INT, pid,
             KT_BIND_END);
  g_assert_no_error (error);
  g_assert_cmpint (kt_db_run (other, &error, "SELECT 1", KT_BIND_END), ==, -1);
  g_assert_error (error, KT_ERROR, KT_ERROR_NETWORK);
  g_clear_error (&error);
  g_assert_cmpint (kt_db_run (other, &error, "SELECT 1", KT_BIND_END), ==, -1);
  g_assert_error (error, KT_ERROR, KT_ERROR_NETWORK);
  g_clear_error (&error);
  g_assert_false (kt_db_commit (other, &error));
}

/* What begins after it finds the database again: a server must not stay deaf because PostgreSQL restarted. */
static void
test_a_lost_connection_is_made_anew (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtDb) other = NULL;

  if (!on_postgresql ())
    {
      g_test_skip ("PostgreSQL only");
      return;
    }
  exec_ok (fixture->db, "CREATE TABLE v (n BIGINT)");
  other = fixture_open_another (fixture);
  for (guint turn = 0; turn < 4; turn++)
    {
      g_autoptr (GError) error = NULL;
      gint64 pid = int_of (other, "SELECT pg_backend_pid()");

      if (turn % 2 == 1)
        {
          begin_ok (other, KT_TX_WRITE);
          kt_db_run (other, &error, "INSERT INTO v VALUES (?1)", KT_BIND_INT, (gint64) -1, KT_BIND_END);
          g_assert_no_error (error);
        }
      kt_db_run (fixture->db, &error, "SELECT pg_terminate_backend(CAST(?1 AS int), 10000)", KT_BIND_INT, pid,
                 KT_BIND_END);
      g_assert_no_error (error);
      if (turn % 2 == 1)
        {
          g_assert_cmpint (kt_db_run (other, NULL, "INSERT INTO v VALUES (?1)", KT_BIND_INT, (gint64) -2, KT_BIND_END),
                           ==, -1);
          g_assert_false (kt_db_commit (other, NULL));
        }
      begin_ok (other, KT_TX_WRITE);
      kt_db_run (other, &error, "INSERT INTO v VALUES (?1)", KT_BIND_INT, (gint64) turn, KT_BIND_END);
      g_assert_no_error (error);
      commit_ok (other);
      g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v WHERE n >= 0"), ==, turn + 1);
    }
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v WHERE n < 0"), ==, 0);
}

static void
test_a_server_that_is_not_there (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (kt_db_open ("postgresql://someone:geheim@/kontor?host=/nonexistent", 0, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NETWORK);
  g_assert_null (strstr (error->message, "geheim"));
}

static void
test_text_that_is_none_is_refused (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  if (!on_postgresql ())
    {
      g_test_skip ("PostgreSQL only");
      return;
    }
  exec_ok (fixture->db, "CREATE TABLE v (t TEXT)");
  g_assert_cmpint (kt_db_run (fixture->db, &error, "INSERT INTO v VALUES (?1)", KT_BIND_TEXT,
                              "a\377b", KT_BIND_END),
                   ==, -1);
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
}

#define ADD(name, function) \
  g_test_add ("/connection/" name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("values-come-back", test_values_come_back);
  ADD ("order-is-by-bytes", test_order_is_by_bytes);
  ADD ("run-counts-changes", test_run_counts_changes);
  ADD ("transactions-are-whole", test_transactions_are_whole);
  ADD ("closing-rolls-back", test_closing_rolls_back);
  ADD ("a-reader-keeps-its-snapshot", test_a_reader_keeps_its_snapshot);
  ADD ("after-an-error-only-rollback-is-left", test_after_an_error_only_rollback_is_left);
  ADD ("a-savepoint-takes-an-error-back", test_a_savepoint_takes_an_error_back);
  ADD ("errors-hold-no-values", test_errors_hold_no_values);
  ADD ("many-statements", test_many_statements);
  ADD ("a-statement-is-used-again", test_a_statement_is_used_again);
  ADD ("an-endless-query-is-interrupted", test_an_endless_query_is_interrupted);
  ADD ("migrations-run-once", test_migrations_run_once);
  ADD ("a-newer-database-is-refused", test_a_newer_database_is_refused);
  ADD ("a-failing-migration-leaves-nothing", test_a_failing_migration_leaves_nothing);
  ADD ("columns-are-listed", test_columns_are_listed);
  ADD ("text-folds-as-in-memory", test_text_folds_as_in_memory);
  ADD ("a-lost-connection-is-said", test_a_lost_connection_is_said);
  ADD ("a-lost-connection-is-made-anew", test_a_lost_connection_is_made_anew);
  ADD ("a-server-that-is-not-there", test_a_server_that_is_not_there);
  ADD ("text-that-is-none-is-refused", test_text_that_is_none_is_refused);

  return g_test_run ();
}
