/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "base/kt-types.h"
#include "base/kt-id.h"

G_BEGIN_DECLS

/* One connection to SQLite or PostgreSQL, used by one thread at a time, always
 * blocking. SQL is written once in the common subset of both: placeholders are
 * ?1 ?2 … (the PostgreSQL driver writes $1 $2), types INTEGER (BIGINT), TEXT,
 * BLOB (BYTEA), ON CONFLICT, RETURNING; where they differ the caller asks the dialect.
 *
 * Errors are KT_ERROR_*: BUSY, FULL, CORRUPT, IO, NETWORK (PostgreSQL gone),
 * CONFLICT (unique or foreign key violated), INTERNAL (SQL is wrong: a bug).
 * After an error inside a transaction only rollback is allowed. */
typedef struct _KtDb   KtDb;
typedef struct _KtStmt KtStmt;

typedef enum { KT_DIALECT_SQLITE, KT_DIALECT_POSTGRESQL } KtDialect;

typedef enum
{
  KT_DB_CREATE    = 1 << 0,   /* make the file (0600) when it is not there */
  KT_DB_READ_ONLY = 1 << 1,
  KT_DB_EXCLUSIVE_LOCK = 1 << 2,  /* SQLite: hold an advisory lock file next to it for as long as it is open: BUSY "in use by process N" */
} KtDbFlags;

/* @uri: a path (SQLite, WAL, synchronous=FULL for what is promised durable, foreign keys off, busy
 * timeout 5 s, cache sized for lists, no mmap: a bad disk shall be an error and not a signal) or postgresql://…  ; ":memory:" works. */
KtDb     *kt_db_open    (const char *uri, KtDbFlags flags, GError **error);
void      kt_db_close   (KtDb *db);                      /* accepts NULL; rolls back what is open */
KtDialect kt_db_dialect (KtDb *db);
/* SQLite: the handle, for FTS functions and hooks; NULL on PostgreSQL. Only db and store may use it. */
gpointer  kt_db_sqlite  (KtDb *db);
/* Makes statements running on this connection end with G_IO_ERROR_CANCELLED; any thread. */
void      kt_db_interrupt (KtDb *db);

/* ---- transactions ---- */
typedef enum { KT_TX_READ, KT_TX_WRITE } KtTxMode;   /* WRITE: BEGIN IMMEDIATE / READ COMMITTED with the caller's lock row; READ: a snapshot (REPEATABLE READ) */
gboolean  kt_db_begin    (KtDb *db, KtTxMode mode, GError **error);
/* COMMIT can fail (disk full, serialisation): then everything is rolled back and FALSE is returned. */
gboolean  kt_db_commit   (KtDb *db, GError **error);
void      kt_db_rollback (KtDb *db);
gboolean  kt_db_in_transaction (KtDb *db);
/* Nested unit inside a transaction (SAVEPOINT). */
gboolean  kt_db_savepoint (KtDb *db, const char *name, GError **error);
gboolean  kt_db_release   (KtDb *db, const char *name, GError **error);
gboolean  kt_db_rollback_to (KtDb *db, const char *name, GError **error);

/* ---- statements: prepared once per connection and cached by their text ---- */
/* Borrowed from the cache; reset and unbound. A statement may not be in use twice at once: nested use of the same text is a bug (asserted). */
KtStmt   *kt_db_stmt     (KtDb *db, const char *sql, GError **error);
/* Several statements without parameters, for DDL. */
gboolean  kt_db_exec     (KtDb *db, const char *sql, GError **error);
/* One statement with no result; bound values as a printf-less vararg list ended by KT_BIND_END:
 *   kt_db_run (db, &error, "UPDATE t SET a=?1 WHERE id=?2", KT_BIND_INT, (gint64) 3, KT_BIND_ID, &id, KT_BIND_END)
 * Returns rows changed, -1 on error. */
typedef enum { KT_BIND_END, KT_BIND_NULL, KT_BIND_INT /* gint64 */, KT_BIND_TEXT /* const char*, NULL ok */, KT_BIND_BLOB /* const void*, gsize */, KT_BIND_ID /* const KtId*, NULL ok */ } KtBind;
gint64    kt_db_run      (KtDb *db, GError **error, const char *sql, ...);
/* First column of the first row as integer, @fallback when there is no row or it is NULL. */
gboolean  kt_db_get_int  (KtDb *db, gint64 fallback, gint64 *out, GError **error, const char *sql, ...);
gboolean  kt_db_get_text (KtDb *db, char **out, GError **error, const char *sql, ...);   /* NULL when no row */

/* Parameters count from 1. Text and blobs are borrowed until the statement is reset. */
void      kt_stmt_bind_int   (KtStmt *stmt, int i, gint64 value);
void      kt_stmt_bind_text  (KtStmt *stmt, int i, const char *text);               /* NULL: NULL */
void      kt_stmt_bind_text_len (KtStmt *stmt, int i, const char *text, gsize len);
void      kt_stmt_bind_blob  (KtStmt *stmt, int i, const void *data, gsize len);
void      kt_stmt_bind_id    (KtStmt *stmt, int i, const KtId *id);                 /* NULL: NULL */
void      kt_stmt_bind_null  (KtStmt *stmt, int i);

typedef enum { KT_STEP_ROW, KT_STEP_DONE, KT_STEP_ERROR } KtStep;
KtStep    kt_stmt_step   (KtStmt *stmt, GError **error);
gint64    kt_stmt_changes (KtStmt *stmt);              /* rows changed by the finished statement */
void      kt_stmt_reset  (KtStmt *stmt);               /* always call when done with it: use KT_STMT_SCOPE */
/* Columns count from 0; text and blob are borrowed until the next step. */
gboolean    kt_stmt_is_null  (KtStmt *stmt, int column);
gint64      kt_stmt_int      (KtStmt *stmt, int column);
const char *kt_stmt_text     (KtStmt *stmt, int column);
gsize       kt_stmt_bytes    (KtStmt *stmt, int column);
const void *kt_stmt_blob     (KtStmt *stmt, int column, gsize *len);
gboolean    kt_stmt_id       (KtStmt *stmt, int column, KtId *out);   /* FALSE if NULL or not 16 bytes */
int         kt_stmt_columns  (KtStmt *stmt);

static inline void _kt_stmt_scope_end (KtStmt **stmt) { if (*stmt != NULL) kt_stmt_reset (*stmt); }
#define KT_STMT_SCOPE __attribute__ ((cleanup (_kt_stmt_scope_end))) KtStmt

/* ---- housekeeping ---- */
/* SQLite: the log is written back into the file on a thread of its own from now on, so that no commit waits for that; for whoever
 * sits before a screen, or serves many. FALSE: by the commit that makes it too long, as it is at first. Other databases: nothing. */
void      kt_db_checkpoint_beside (KtDb *db, gboolean beside);
/* SQLite: online copy while others write (backup API); PostgreSQL: not supported here (INVALID). The copy appears whole or not at all. */
gboolean  kt_db_backup   (KtDb *db, const char *path, GError **error);
/* SQLite: quick_check/integrity_check; messages appended to @problems. */
gboolean  kt_db_check    (KtDb *db, gboolean thorough, GPtrArray *problems, GError **error);
gboolean  kt_db_table_exists (KtDb *db, const char *table, gboolean *out, GError **error);
/* Names of the columns of a table. g_ptr_array with free func. */
GPtrArray *kt_db_columns (KtDb *db, const char *table, GError **error);
/* Changes whenever another connection committed (SQLite data_version; PostgreSQL: a counter the caller keeps) */
gint64    kt_db_data_version (KtDb *db);

/* ---- numbered migrations ---- */
typedef struct { int version; const char *sql; gboolean (*step) (KtDb *db, gpointer data, GError **error); } KtMigration;
/* Brings @component from what `kt_version` says to the last of @migrations, each in one transaction.
 * A database newer than that is refused: NEWER, "made by a newer Kontor (format 7, this program knows 5): upgrade". */
gboolean  kt_db_migrate  (KtDb *db, const char *component, const KtMigration *migrations, gsize n, gpointer data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtDb, kt_db_close)

G_END_DECLS
