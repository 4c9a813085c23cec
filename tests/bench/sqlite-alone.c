/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The yardstick of the first pull: what SQLite needs for the same rows when nothing
 * else is done.
 *
 * In it: a fresh file with the store's own schema (all tables, indices, sort-key tables,
 * full-text index), one prepared INSERT per table, 5,000 records a transaction, the connection
 * set up as the store's is during a first pull (WAL, synchronous=NORMAL, same cache and checkpoints).
 * Not in it: a network, a server, JSON, ICU. The values, the terms for the full text and the sort keys
 * lie ready in memory, NULLs are not even bound, and the file is made beforehand.
 *
 * Two ways: with every index in place from the first row on, as anybody would do it; and with
 * those of large tables taken off and made again after the last row, which is what the store does.       */

#include "config.h"

#include "sqlite-alone.h"

#include <sqlite3.h>
#include <string.h>

#include "db/kt-system-env.h"
#include "store/kt-local-private.h"

#define RECORDS_A_TRANSACTION 5000
#define LARGE 1000 /* records of one object */

typedef struct
{
  guint8 type; /* as sqlite3_column_type says; not SQLITE_NULL */
  guint16 param;
  guint32 len;
  union
  {
    gint64 integer;
    const char *bytes;
  } v;
} Cell;

/* All rows of one table. */
typedef struct
{
  char *sql;
  GArray *cells;  /* Cell */
  GArray *starts; /* guint, first cell of each row, and one past the last */
} Table;

/* Of one object: its table, its full text, its keys; the same records in the same order. */
typedef struct
{
  Table tables[3];
  guint n;
  char *names[2]; /* owned; of the tables that have indices */
} Group;

struct _Alone
{
  GPtrArray *groups; /* Group */
  GStringChunk *bytes;
  guint records;
};

static void
group_free (gpointer data)
{
  Group *group = data;

  for (guint i = 0; i < G_N_ELEMENTS (group->tables); i++)
    {
      g_free (group->tables[i].sql);
      g_array_unref (group->tables[i].cells);
      g_array_unref (group->tables[i].starts);
    }
  g_free (group->names[0]);
  g_free (group->names[1]);
  g_free (group);
}

/* ---- reading what there is ---- */

static void
add_cell (Alone *alone, Table *table, guint param, sqlite3_stmt *stmt, int column)
{
  Cell cell = { (guint8) sqlite3_column_type (stmt, column), (guint16) param, 0, { 0 } };

  switch (cell.type)
    {
    case SQLITE_NULL:
      return;
    case SQLITE_INTEGER:
      cell.v.integer = sqlite3_column_int64 (stmt, column);
      break;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
      cell.len = (guint32) sqlite3_column_bytes (stmt, column);
      cell.v.bytes = g_string_chunk_insert_len (alone->bytes, sqlite3_column_blob (stmt, column), cell.len);
      break;
    default:
      g_error ("a value of another type");
    }
  g_array_append_val (table->cells, cell);
}

static void
add_text (Alone *alone, Table *table, guint param, const GString *text)
{
  Cell cell = { SQLITE_TEXT, (guint16) param, (guint32) text->len, { 0 } };

  cell.v.bytes = g_string_chunk_insert_len (alone->bytes, text->str, (gssize) text->len);
  g_array_append_val (table->cells, cell);
}

static void
init_table (Table *table, const char *name, sqlite3_stmt *stmt)
{
  GString *sql = g_string_new (NULL);
  GString *params = g_string_new (NULL);
  int n = sqlite3_column_count (stmt);

  g_string_append_printf (sql, "INSERT INTO \"%s\" (", name);
  for (int i = 0; i < n; i++)
    {
      g_string_append_printf (sql, "%s\"%s\"", i > 0 ? ", " : "", sqlite3_column_name (stmt, i));
      g_string_append_printf (params, "%s?%d", i > 0 ? ", " : "", i + 1);
    }
  g_string_append_printf (sql, ") VALUES (%s)", params->str);
  g_string_free (params, TRUE);
  table->sql = g_string_free (sql, FALSE);
}

static void
read_table (Alone *alone, Table *table, sqlite3 *db, const char *name)
{
  g_autofree char *sql = g_strdup_printf ("SELECT * FROM \"%s\" ORDER BY rid", name);
  sqlite3_stmt *stmt = NULL;

  g_assert_cmpint (sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL), ==, SQLITE_OK);
  init_table (table, name, stmt);
  while (sqlite3_step (stmt) == SQLITE_ROW)
    {
      g_array_append_val (table->starts, table->cells->len);
      for (int i = 0; i < sqlite3_column_count (stmt); i++)
        add_cell (alone, table, (guint) i + 1, stmt, i);
    }
  g_array_append_val (table->starts, table->cells->len);
  sqlite3_finalize (stmt);
}

static void
make_terms (Alone *alone, Table *table, KtLocal *local, const KtObject *object)
{
  g_autofree char *sql = g_strdup_printf ("SELECT %s FROM \"o_%s\" ORDER BY rid",
                                          kt_table_columns (kt_local_db (local), object, NULL), object->name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (kt_local_db (local), sql, NULL);
  GString *columns[3] = { g_string_new (NULL), g_string_new (NULL), g_string_new (NULL) };
  const KtPlan *plan = _kt_local_plan (local, object);

  table->sql = g_strdup ("INSERT INTO kt_search (rowid, title, body, keys) VALUES (?1, ?2, ?3, ?4)");
  while (kt_stmt_step (stmt, NULL) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) record = kt_table_read (stmt, 0, object);
      Cell rid = { SQLITE_INTEGER, 1, 0, { .integer = record->rid } };

      g_array_append_val (table->starts, table->cells->len);
      g_array_append_val (table->cells, rid);
      _kt_local_terms (plan, record, columns);
      for (guint i = 0; i < 3; i++)
        add_text (alone, table, i + 2, columns[i]);
    }
  g_array_append_val (table->starts, table->cells->len);
  for (guint i = 0; i < 3; i++)
    g_string_free (columns[i], TRUE);
}

Alone *
alone_new (KtLocal *local)
{
  Alone *alone = g_new0 (Alone, 1);
  const KtObject *const *objects;
  guint n;

  alone->groups = g_ptr_array_new_with_free_func (group_free);
  alone->bytes = g_string_chunk_new (1024 * 1024);
  objects = kt_schema_objects (kt_local_schema (local), &n);
  for (guint i = 0; i < n; i++)
    {
      Group *group = g_new0 (Group, 1);

      group->names[0] = g_strdup_printf ("o_%s", objects[i]->name);
      group->names[1] = g_strdup_printf ("kt_key_%u", objects[i]->number);
      for (guint k = 0; k < G_N_ELEMENTS (group->tables); k++)
        {
          group->tables[k].cells = g_array_new (FALSE, FALSE, sizeof (Cell));
          group->tables[k].starts = g_array_new (FALSE, FALSE, sizeof (guint));
        }
      read_table (alone, &group->tables[0], kt_db_sqlite (kt_local_db (local)), group->names[0]);
      make_terms (alone, &group->tables[1], local, objects[i]);
      read_table (alone, &group->tables[2], kt_db_sqlite (kt_local_db (local)), group->names[1]);
      group->n = group->tables[0].starts->len - 1;
      for (guint k = 1; k < G_N_ELEMENTS (group->tables); k++)
        g_assert_cmpuint (group->tables[k].starts->len - 1, ==, group->n);
      alone->records += group->n;
      g_ptr_array_add (alone->groups, group);
    }
  return alone;
}

void
alone_free (Alone *alone)
{
  g_ptr_array_unref (alone->groups);
  g_string_chunk_free (alone->bytes);
  g_free (alone);
}

guint
alone_records (const Alone *alone)
{
  return alone->records;
}

/* ---- inserting it ---- */

static void
exec (sqlite3 *db, const char *sql)
{
  if (sqlite3_exec (db, sql, NULL, NULL, NULL) != SQLITE_OK)
    g_error ("%s: %s", sql, sqlite3_errmsg (db));
}

static inline void
insert (sqlite3_stmt *stmt, const Table *table, guint row)
{
  guint end = g_array_index (table->starts, guint, row + 1);

  for (guint i = g_array_index (table->starts, guint, row); i < end; i++)
    {
      const Cell *cell = &g_array_index (table->cells, Cell, i);

      if (cell->type == SQLITE_INTEGER)
        sqlite3_bind_int64 (stmt, cell->param, cell->v.integer);
      else if (cell->type == SQLITE_TEXT)
        sqlite3_bind_text (stmt, cell->param, cell->v.bytes, (int) cell->len, SQLITE_STATIC);
      else
        sqlite3_bind_blob (stmt, cell->param, cell->v.bytes, (int) cell->len, SQLITE_STATIC);
    }
  if (sqlite3_step (stmt) != SQLITE_DONE)
    g_error ("%s", sqlite3_errmsg (sqlite3_db_handle (stmt)));
  sqlite3_reset (stmt);
  sqlite3_clear_bindings (stmt);
}

static void
insert_group (sqlite3 *db, const Group *group, guint *in_transaction)
{
  sqlite3_stmt *stmts[3];

  for (guint i = 0; i < G_N_ELEMENTS (stmts); i++)
    if (sqlite3_prepare_v3 (db, group->tables[i].sql, -1, SQLITE_PREPARE_PERSISTENT, &stmts[i], NULL) != SQLITE_OK)
      g_error ("%s", sqlite3_errmsg (db));
  for (guint row = 0; row < group->n; row++)
    {
      if (*in_transaction == RECORDS_A_TRANSACTION)
        {
          exec (db, "COMMIT; BEGIN IMMEDIATE");
          *in_transaction = 0;
        }
      for (guint i = 0; i < G_N_ELEMENTS (stmts); i++)
        insert (stmts[i], &group->tables[i], row);
      ++*in_transaction;
    }
  for (guint i = 0; i < G_N_ELEMENTS (stmts); i++)
    sqlite3_finalize (stmts[i]);
}

/* Takes the indices of a large object off; adds what makes them again to @later. */
static void
take_off_indices (sqlite3 *db, const Group *group, GString *later)
{
  g_autoptr (GString) drop = g_string_new (NULL);
  sqlite3_stmt *stmt = NULL;

  if (group->n < LARGE)
    return;
  g_assert_cmpint (sqlite3_prepare_v2 (db,
                                       "SELECT name, sql FROM sqlite_master"
                                       " WHERE type='index' AND sql IS NOT NULL AND tbl_name IN (?1, ?2)",
                                       -1, &stmt, NULL),
                   ==, SQLITE_OK);
  for (int i = 0; i < 2; i++)
    sqlite3_bind_text (stmt, i + 1, group->names[i], -1, SQLITE_STATIC);
  while (sqlite3_step (stmt) == SQLITE_ROW)
    {
      g_string_append_printf (drop, "DROP INDEX \"%s\";", sqlite3_column_text (stmt, 0));
      g_string_append_printf (later, "%s;", sqlite3_column_text (stmt, 1));
    }
  sqlite3_finalize (stmt);
  exec (db, drop->str);
}

double
alone_run (const Alone *alone, const KtSchema *schema, const char *dir, gboolean indices_later)
{
  g_autoptr (GString) later = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  KtLocal *local = kt_local_open (dir, KT_LOCAL_CREATE, kt_system_env (), &error);
  guint in_transaction = 0;
  sqlite3 *db;
  double start;

  g_assert_no_error (error);
  kt_local_set_schema (local, schema, &error);
  g_assert_no_error (error);
  db = kt_db_sqlite (kt_local_db (local));
  exec (db, "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=20000");
  start = bench_now ();
  exec (db, "BEGIN IMMEDIATE");
  for (guint i = 0; i < alone->groups->len; i++)
    {
      const Group *group = g_ptr_array_index (alone->groups, i);

      if (indices_later)
        take_off_indices (db, group, later);
      insert_group (db, group, &in_transaction);
    }
  exec (db, later->str);
  exec (db, "COMMIT");
  start = bench_now () - start;
  kt_local_close (local);
  bench_remove (dir);
  return start;
}
