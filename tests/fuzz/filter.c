/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A filter as typed (a line) and a sort order (the next): through the parser, and into SQL that SQLite takes. */

#include "config.h"

#include "db/kt-system-env.h"
#include "db/kt-table.h"
#include "fuzz.h"
#include "tests/proto/fixture.h"

static KtDb *
database (void)
{
  static KtDb *db;
  g_autoptr (GError) error = NULL;

  if (db != NULL)
    return db;
  db = kt_db_open (":memory:", 0, &error);
  g_assert_no_error (error);
  kt_db_begin (db, KT_TX_WRITE, &error);
  g_assert_no_error (error);
  kt_table_ensure (db, fixture_schema (), KT_TABLE_CLIENT, &error);
  g_assert_no_error (error);
  kt_db_commit (db, &error);
  g_assert_no_error (error);
  return db;
}

static void
to_sql (const KtQuery *query)
{
  KtSqlContext context = { .env = kt_system_env () };
  g_autoptr (KtSql) sql = kt_sql_new (database (), &context);
  g_autoptr (GError) error = NULL;
  KtStmt *stmt;

  if (!kt_sql_append_query (sql, query, "o.id", NULL, NULL, NULL, &error))
    {
      g_assert_nonnull (error);
      return;
    }
  stmt = kt_sql_stmt (sql, &error);
  g_assert_no_error (error);
  kt_stmt_step (stmt, &error);
  g_assert_no_error (error);
  kt_stmt_reset (stmt);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const KtObject *deal = fixture_object ("deal");
  const uint8_t *line;
  size_t len;
  g_autofree char *text = NULL;
  g_autofree char *sort = NULL;
  g_autoptr (KtQuery) query = kt_query_new (deal);
  g_autoptr (GError) error = NULL;

  if (size > FUZZ_MAX)
    return 0;
  len = fuzz_cut (&data, &size, '\n', &line);
  text = fuzz_utf8 (line, len);
  sort = fuzz_utf8 (data, size);
  if (text == NULL || sort == NULL)
    return 0;
  query->filter = kt_filter_parse (deal, text, &error);
  g_assert_true ((query->filter != NULL) == (error == NULL));
  if (query->filter == NULL)
    {
      fuzz_check_message (error->message);
      g_clear_error (&error);
    }
  else
    {
      g_autofree char *written = kt_filter_to_text (query->filter);
      g_autoptr (KtFilter) back = kt_filter_parse (deal, written, &error);
      g_autofree char *twice = NULL;

      g_assert_no_error (error);
      twice = kt_filter_to_text (back);
      g_assert_cmpstr (written, ==, twice);
    }
  if (!kt_query_parse_sort (query, sort, &error))
    g_assert_nonnull (error);
  to_sql (query);
  return 0;
}
