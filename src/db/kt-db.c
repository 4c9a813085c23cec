/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The face of a connection: what both databases promise alike stands here once,
 * what differs is behind KtDbDriver.
 *
 * Statements are prepared once per text. One is either idle, then it hangs in
 * db->idle by its own link, or in use:
 *
 *        kt_db_stmt            kt_stmt_step             … DONE
 *   IDLE ──────────► READY ────────────────► ROWS ─────────────► OVER
 *     ▲                │                       │                  │
 *     └────────────────┴──── kt_stmt_reset ────┴──────────────────┘
 *
 * Binding an idle statement takes it into use again, so that a loop may reset, bind and step the one it holds. */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-db-private.h"

#include <string.h>

#include "base/kt-error.h"

#define MAX_STATEMENTS 400

/* ---- the driver's side ---- */

void
_kt_db_init (KtDb *db, const KtDbDriver *driver, const char *name)
{
  db->driver = driver;
  db->name = g_strdup (name);
  db->statements = g_hash_table_new (g_str_hash, g_str_equal);
  g_queue_init (&db->idle);
}

static void
forget (KtStmt *stmt)
{
  g_hash_table_remove (stmt->db->statements, stmt->sql);
  stmt->db->driver->finalize (stmt);
}

void
_kt_stmt_pin (KtStmt *stmt)
{
  stmt->pinned = TRUE;
}

char *
_kt_db_excerpt (const char *sql)
{
  gsize len = strlen (sql);

  if (len <= 400)
    return g_strdup (sql);
  return g_strdup_printf ("%.400s…", sql);
}

/* ---- opening ---- */

KtDb *
kt_db_open (const char *uri, KtDbFlags flags, GError **error)
{
  KtDb *db;

  g_return_val_if_fail (uri != NULL && *uri != '\0', NULL);

  if (g_str_has_prefix (uri, "postgresql://") || g_str_has_prefix (uri, "postgres://"))
    db = _kt_db_pg_open (uri, flags, error);
  else
    db = _kt_db_sqlite_open (uri, flags, error);
  if (db != NULL)
    db->read_only = (flags & KT_DB_READ_ONLY) != 0;
  return db;
}

void
kt_db_close (KtDb *db)
{
  GHashTableIter iter;
  gpointer stmt;

  if (db == NULL)
    return;

  kt_db_rollback (db);
  if (db->table_cache != NULL)
    db->table_cache_free (db->table_cache);
  g_hash_table_iter_init (&iter, db->statements);
  while (g_hash_table_iter_next (&iter, NULL, &stmt))
    {
      g_hash_table_iter_steal (&iter);
      db->driver->finalize (stmt);
    }
  db->driver->close (db);
  g_hash_table_unref (db->statements);
  g_free (db->name);
  g_free (db);
}

KtDialect
kt_db_dialect (KtDb *db)
{
  return db->driver->dialect;
}

void
kt_db_interrupt (KtDb *db)
{
  g_return_if_fail (db != NULL);

  db->driver->interrupt (db);
}

/* ---- transactions ---- */

static gboolean
exec (KtDb *db, const char *sql, GError **error)
{
  if (db->driver->exec (db, sql, error))
    return TRUE;
  if (db->in_transaction)
    db->failed = TRUE;
  return FALSE;
}

gboolean
kt_db_begin (KtDb *db, KtTxMode mode, GError **error)
{
  g_return_val_if_fail (db != NULL && !db->in_transaction, FALSE);

  if (mode == KT_TX_WRITE && db->read_only)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_IO, "%s was opened for reading only", db->name);
      return FALSE;
    }
  if (kt_db_dialect (db) == KT_DIALECT_POSTGRESQL)
    {
      /* The snapshot is taken by the first statement after BEGIN: make that now. */
      if (!exec (db,
                 mode == KT_TX_READ ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1"
                                    : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
                 error))
        return FALSE;
    }
  else if (mode == KT_TX_READ)
    {
      /* A deferred transaction takes its snapshot at the first read: make that now. */
      if (!exec (db, "BEGIN", error))
        return FALSE;
      if (!exec (db, "SELECT 1 FROM sqlite_master LIMIT 1", error))
        {
          db->driver->exec (db, "ROLLBACK", NULL);
          return FALSE;
        }
    }
  else if (!exec (db, "BEGIN IMMEDIATE", error))
    return FALSE;

  db->in_transaction = TRUE;
  db->failed = FALSE;
  return TRUE;
}

gboolean
kt_db_commit (KtDb *db, GError **error)
{
  g_return_val_if_fail (db != NULL && db->in_transaction, FALSE);

  if (db->failed)
    {
      kt_db_rollback (db);
      g_set_error (error, KT_ERROR, KT_ERROR_INTERNAL,
                   "A transaction in %s was to be committed although a part of it failed; "
                   "all of it was undone",
                   db->name);
      return FALSE;
    }
  if (!exec (db, "COMMIT", error))
    {
      kt_db_rollback (db);
      return FALSE;
    }
  db->in_transaction = FALSE;
  return TRUE;
}

void
kt_db_rollback (KtDb *db)
{
  g_autoptr (GError) error = NULL;

  g_return_if_fail (db != NULL);

  if (!db->in_transaction)
    return;
  /* It may fail when the database has undone everything by itself: that is as well. */
  if (!db->driver->exec (db, "ROLLBACK", &error))
    g_debug ("ROLLBACK: %s", error->message);
  db->in_transaction = FALSE;
  db->failed = FALSE;
}

gboolean
kt_db_in_transaction (KtDb *db)
{
  return db->in_transaction;
}

static gboolean
savepoint (KtDb *db, const char *what, const char *name, GError **error)
{
  g_autofree char *sql = NULL;

  g_return_val_if_fail (db != NULL && db->in_transaction, FALSE);
  g_return_val_if_fail (name != NULL && strchr (name, '"') == NULL, FALSE);

  sql = g_strdup_printf ("%s \"%s\"", what, name);
  return exec (db, sql, error);
}

gboolean
kt_db_savepoint (KtDb *db, const char *name, GError **error)
{
  return savepoint (db, "SAVEPOINT", name, error);
}

gboolean
kt_db_release (KtDb *db, const char *name, GError **error)
{
  return savepoint (db, "RELEASE SAVEPOINT", name, error);
}

gboolean
kt_db_rollback_to (KtDb *db, const char *name, GError **error)
{
  if (!savepoint (db, "ROLLBACK TO SAVEPOINT", name, error))
    return FALSE;
  db->failed = FALSE;
  return TRUE;
}

/* ---- statements ---- */

static void
take (KtStmt *stmt)
{
  g_queue_unlink (&stmt->db->idle, &stmt->link);
  stmt->state = KT_STMT_READY;
}

static void
evict (KtDb *db)
{
  for (GList *l = db->idle.head; l != NULL; l = l->next)
    {
      KtStmt *stmt = l->data;

      if (stmt->pinned)
        continue;
      g_queue_unlink (&db->idle, l);
      forget (stmt);
      return;
    }
}

KtStmt *
kt_db_stmt (KtDb *db, const char *sql, GError **error)
{
  KtStmt *stmt;

  g_return_val_if_fail (db != NULL && sql != NULL, NULL);

  stmt = g_hash_table_lookup (db->statements, sql);
  if (stmt != NULL)
    {
      if (stmt->state != KT_STMT_IDLE)
        g_error ("this statement is in use already: %s", sql);
      take (stmt);
      return stmt;
    }

  stmt = db->driver->prepare (db, sql, error);
  if (stmt == NULL)
    {
      if (db->in_transaction)
        db->failed = TRUE;
      return NULL;
    }
  stmt->db = db;
  stmt->sql = g_strdup (sql);
  stmt->link.data = stmt;
  stmt->state = KT_STMT_READY;
  if (g_hash_table_size (db->statements) >= MAX_STATEMENTS)
    evict (db);
  g_hash_table_insert (db->statements, stmt->sql, stmt);
  return stmt;
}

static gboolean
changes_schema (const char *sql)
{
  while (g_ascii_isspace (*sql))
    sql++;
  return g_ascii_strncasecmp (sql, "CREATE", 6) == 0 || g_ascii_strncasecmp (sql, "ALTER", 5) == 0
         || g_ascii_strncasecmp (sql, "DROP", 4) == 0;
}

gboolean
kt_db_exec (KtDb *db, const char *sql, GError **error)
{
  g_return_val_if_fail (db != NULL && sql != NULL, FALSE);

  if (db->driver->stale != NULL && changes_schema (sql))
    for (GList *l = db->idle.head; l != NULL; l = l->next)
      db->driver->stale (l->data);
  return exec (db, sql, error);
}

static inline void
use (KtStmt *stmt)
{
  if (stmt->state == KT_STMT_IDLE)
    take (stmt);
  g_assert (stmt->state == KT_STMT_READY);
}

void
kt_stmt_bind_int (KtStmt *stmt, int i, gint64 value)
{
  use (stmt);
  stmt->db->driver->bind_int (stmt, i, value);
}

void
kt_stmt_bind_text (KtStmt *stmt, int i, const char *text)
{
  use (stmt);
  if (text == NULL)
    stmt->db->driver->bind_null (stmt, i);
  else
    stmt->db->driver->bind_text (stmt, i, text, strlen (text));
}

void
kt_stmt_bind_text_len (KtStmt *stmt, int i, const char *text, gsize len)
{
  use (stmt);
  if (text == NULL)
    stmt->db->driver->bind_null (stmt, i);
  else
    stmt->db->driver->bind_text (stmt, i, text, len);
}

void
kt_stmt_bind_blob (KtStmt *stmt, int i, const void *data, gsize len)
{
  use (stmt);
  stmt->db->driver->bind_blob (stmt, i, data != NULL ? data : "", len);
}

void
kt_stmt_bind_id (KtStmt *stmt, int i, const KtId *id)
{
  use (stmt);
  if (id == NULL)
    stmt->db->driver->bind_null (stmt, i);
  else
    stmt->db->driver->bind_blob (stmt, i, id->b, sizeof id->b);
}

void
kt_stmt_bind_null (KtStmt *stmt, int i)
{
  use (stmt);
  stmt->db->driver->bind_null (stmt, i);
}

KtStep
kt_stmt_step (KtStmt *stmt, GError **error)
{
  KtStep step;

  if (stmt->state == KT_STMT_IDLE)
    take (stmt);
  if (stmt->state == KT_STMT_OVER)
    return KT_STEP_DONE;
  step = stmt->db->driver->step (stmt, error);
  stmt->state = step == KT_STEP_ROW ? KT_STMT_ROWS : KT_STMT_OVER;
  if (step == KT_STEP_ERROR && stmt->db->in_transaction)
    stmt->db->failed = TRUE;
  return step;
}

gint64
kt_stmt_changes (KtStmt *stmt)
{
  return stmt->changes;
}

void
kt_stmt_reset (KtStmt *stmt)
{
  if (stmt->state == KT_STMT_IDLE)
    return;
  stmt->db->driver->reset (stmt);
  stmt->state = KT_STMT_IDLE;
  g_queue_push_tail_link (&stmt->db->idle, &stmt->link);
}

gboolean
kt_stmt_is_null (KtStmt *stmt, int column)
{
  return stmt->db->driver->is_null (stmt, column);
}

gint64
kt_stmt_int (KtStmt *stmt, int column)
{
  return stmt->db->driver->get_int (stmt, column);
}

const char *
kt_stmt_text (KtStmt *stmt, int column)
{
  return stmt->db->driver->get_text (stmt, column, NULL);
}

gsize
kt_stmt_bytes (KtStmt *stmt, int column)
{
  gsize len = 0;

  stmt->db->driver->get_blob (stmt, column, &len);
  return len;
}

const void *
kt_stmt_blob (KtStmt *stmt, int column, gsize *len)
{
  return stmt->db->driver->get_blob (stmt, column, len);
}

gboolean
kt_stmt_id (KtStmt *stmt, int column, KtId *out)
{
  gsize len;
  const void *data = stmt->db->driver->get_blob (stmt, column, &len);

  if (data == NULL || len != sizeof out->b)
    return FALSE;
  memcpy (out->b, data, sizeof out->b);
  return TRUE;
}

int
kt_stmt_columns (KtStmt *stmt)
{
  return stmt->db->driver->columns (stmt);
}

/* ---- one call ---- */

static void
bind_all (KtStmt *stmt, va_list args)
{
  for (int i = 1;; i++)
    {
      switch ((KtBind) va_arg (args, int))
        {
        case KT_BIND_END:
          return;
        case KT_BIND_NULL:
          kt_stmt_bind_null (stmt, i);
          break;
        case KT_BIND_INT:
          kt_stmt_bind_int (stmt, i, va_arg (args, gint64));
          break;
        case KT_BIND_TEXT:
          kt_stmt_bind_text (stmt, i, va_arg (args, const char *));
          break;
        case KT_BIND_BLOB:
          {
            const void *data = va_arg (args, const void *);

            kt_stmt_bind_blob (stmt, i, data, va_arg (args, gsize));
            break;
          }
        case KT_BIND_ID:
          kt_stmt_bind_id (stmt, i, va_arg (args, const KtId *));
          break;
        default:
          g_assert_not_reached ();
        }
    }
}

gint64
kt_db_run (KtDb *db, GError **error, const char *sql, ...)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (db, sql, error);
  KtStep step;
  va_list args;

  if (stmt == NULL)
    return -1;
  va_start (args, sql);
  bind_all (stmt, args);
  va_end (args);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    ;
  return step == KT_STEP_DONE ? stmt->changes : -1;
}

gboolean
kt_db_get_int (KtDb *db, gint64 fallback, gint64 *out, GError **error, const char *sql, ...)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (db, sql, error);
  va_list args;

  if (stmt == NULL)
    return FALSE;
  va_start (args, sql);
  bind_all (stmt, args);
  va_end (args);
  switch (kt_stmt_step (stmt, error))
    {
    case KT_STEP_ROW:
      *out = kt_stmt_is_null (stmt, 0) ? fallback : kt_stmt_int (stmt, 0);
      return TRUE;
    case KT_STEP_DONE:
      *out = fallback;
      return TRUE;
    case KT_STEP_ERROR:
    default:
      return FALSE;
    }
}

gboolean
kt_db_get_text (KtDb *db, char **out, GError **error, const char *sql, ...)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (db, sql, error);
  va_list args;

  if (stmt == NULL)
    return FALSE;
  va_start (args, sql);
  bind_all (stmt, args);
  va_end (args);
  switch (kt_stmt_step (stmt, error))
    {
    case KT_STEP_ROW:
      *out = g_strdup (kt_stmt_text (stmt, 0));
      return TRUE;
    case KT_STEP_DONE:
      *out = NULL;
      return TRUE;
    case KT_STEP_ERROR:
    default:
      return FALSE;
    }
}

/* ---- housekeeping ---- */

gboolean
kt_db_backup (KtDb *db, const char *path, GError **error)
{
  g_return_val_if_fail (db != NULL && path != NULL && !db->in_transaction, FALSE);

  return db->driver->backup (db, path, error);
}

gboolean
kt_db_check (KtDb *db, gboolean thorough, GPtrArray *problems, GError **error)
{
  g_return_val_if_fail (db != NULL && problems != NULL, FALSE);

  return db->driver->check (db, thorough, problems, error);
}

gboolean
kt_db_table_exists (KtDb *db, const char *table, gboolean *out, GError **error)
{
  gint64 found;

  if (!kt_db_get_int (db, 0, &found, error,
                      kt_db_dialect (db) == KT_DIALECT_SQLITE
                        ? "SELECT 1 FROM sqlite_master WHERE type IN ('table','view') AND name = ?1"
                        : "SELECT 1 FROM information_schema.tables"
                          " WHERE table_schema = current_schema() AND table_name = ?1",
                      KT_BIND_TEXT, table, KT_BIND_END))
    return FALSE;
  *out = found != 0;
  return TRUE;
}

GPtrArray *
kt_db_columns (KtDb *db, const char *table, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  stmt = kt_db_stmt (db,
                     kt_db_dialect (db) == KT_DIALECT_SQLITE
                       ? "SELECT name FROM pragma_table_info(?1) ORDER BY cid"
                       : "SELECT column_name FROM information_schema.columns"
                         " WHERE table_schema = current_schema() AND table_name = ?1"
                         " ORDER BY ordinal_position",
                     error);
  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_text (stmt, 1, table);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    g_ptr_array_add (names, g_strdup (kt_stmt_text (stmt, 0)));
  return step == KT_STEP_DONE ? g_steal_pointer (&names) : NULL;
}

gint64
kt_db_data_version (KtDb *db)
{
  gint64 version = 0;

  if (kt_db_dialect (db) == KT_DIALECT_SQLITE)
    kt_db_get_int (db, 0, &version, NULL, "PRAGMA data_version", KT_BIND_END);
  return version;
}

void
kt_db_checkpoint_beside (KtDb *db, gboolean beside)
{
  g_return_if_fail (db != NULL);

  if (db->driver->checkpoint_beside != NULL && !db->read_only)
    db->driver->checkpoint_beside (db, beside);
}
