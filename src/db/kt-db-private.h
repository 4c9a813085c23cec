/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "db/kt-db.h"
#include "db/kt-scan.h"

G_BEGIN_DECLS

/* What is between kt-db.c and the two drivers.
 *
 *   kt-db.c            states every promise once: transactions, the statement cache, who may use what when
 *      │ KtDbDriver
 *      ├── kt-db-sqlite.c
 *      └── kt-db-pg.c    (kt-db-pg-text.c translates the common SQL)
 *
 * A driver's connection and statement start with KtDb and KtStmt. */
typedef struct
{
  KtDialect dialect;

  void      (*close)      (KtDb *db);                 /* no statement is left; frees all but the base */
  void      (*interrupt)  (KtDb *db);                 /* any thread */
  gboolean  (*exec)       (KtDb *db, const char *sql, GError **error);
  KtStmt   *(*prepare)    (KtDb *db, const char *sql, GError **error);

  void      (*bind_int)   (KtStmt *stmt, int i, gint64 value);
  void      (*bind_text)  (KtStmt *stmt, int i, const char *text, gsize len);
  void      (*bind_blob)  (KtStmt *stmt, int i, const void *data, gsize len);
  void      (*bind_null)  (KtStmt *stmt, int i);
  KtStep    (*step)       (KtStmt *stmt, GError **error);   /* sets stmt->changes at DONE */
  void      (*reset)      (KtStmt *stmt);                   /* also unbinds */
  void      (*finalize)   (KtStmt *stmt);
  void      (*stale)      (KtStmt *stmt);                   /* idle, and the tables change; NULL: notices by itself */

  gboolean    (*is_null)  (KtStmt *stmt, int column);
  gint64      (*get_int)  (KtStmt *stmt, int column);
  const char *(*get_text) (KtStmt *stmt, int column, gsize *len);
  const void *(*get_blob) (KtStmt *stmt, int column, gsize *len);
  int         (*columns)  (KtStmt *stmt);
  /* Runs a statement whose one column is kt_scan (…) with @n arguments. NULL: there is no such function. */
  gboolean    (*scan)     (KtStmt *stmt, guint n, KtScanFunc func, gpointer data, GError **error);

  gboolean  (*backup)     (KtDb *db, const char *path, GError **error);
  void      (*checkpoint_beside) (KtDb *db, gboolean beside); /* NULL: there is no log to be written back */
  gboolean  (*check)      (KtDb *db, gboolean thorough, GPtrArray *problems, GError **error);
} KtDbDriver;

struct _KtDb
{
  const KtDbDriver *driver;

  /* owned */
  char       *name;          /* for messages: the path, or database and host; never a password */
  GHashTable *statements;    /* text → KtStmt */
  GQueue      idle;          /* KtStmt by their own links, the longest unused first */
  gpointer    table_cache;   /* kt-table.c */
  GDestroyNotify table_cache_free;

  /* state */
  guint read_only : 1;
  guint in_transaction : 1;
  guint failed : 1;          /* a statement of this transaction failed: only rollback is left */
};

typedef enum { KT_STMT_IDLE, KT_STMT_READY, KT_STMT_ROWS, KT_STMT_OVER } KtStmtState;

struct _KtStmt
{
  KtDb       *db;
  char       *sql;
  GList       link;          /* in db->idle while idle */
  gint64      changes;
  KtStmtState state;
  guint       pinned : 1;    /* never evicted: someone keeps the pointer */
};

KtDb *_kt_db_sqlite_open (const char *uri, KtDbFlags flags, GError **error);
KtDb *_kt_db_pg_open     (const char *uri, KtDbFlags flags, GError **error);

/* For drivers. */
void      _kt_db_init       (KtDb *db, const KtDbDriver *driver, const char *name);
/* Keeps a statement for as long as the connection lives. */
void      _kt_stmt_pin      (KtStmt *stmt);
/* Tells a reader of the log which statement was meant; never with values. */
char     *_kt_db_excerpt    (const char *sql);

/* kt-checkpoint.c */
typedef struct _KtCheckpointer KtCheckpointer;
KtCheckpointer *_kt_checkpointer_new  (gpointer handle, const char *path);
void            _kt_checkpointer_free (KtCheckpointer *self, gpointer handle);

/* kt-db-pg-text.c: the common SQL as PostgreSQL writes it. @collation: what lower() shall use for all
 * of Unicode. *n_parameters: the highest ?N. g_free. */
char     *_kt_db_pg_text    (const char *sql, const char *collation, int *n_parameters);

G_END_DECLS
