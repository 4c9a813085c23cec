/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-query.h"
#include "base/kt-record.h"
#include "db/kt-db.h"

G_BEGIN_DECLS

/* A schema object as a real SQL table. Same columns on client and server, on
 * both databases:
 *
 *   "o_contact" ( rid INTEGER PRIMARY KEY      -- number<<40 | n on SQLite clients; identity elsewhere
 *               , id BLOB NOT NULL UNIQUE, rev INTEGER NOT NULL
 *               , "f_first_name" TEXT, "f_amount" INTEGER, "f_amount_currency" TEXT, "f_account" BLOB, "f_parent" BLOB, "f_parent_object" TEXT …)
 *
 * Indices: on every `indexed` field of live use, on every ref; server adds rev.
 * Storage: BOOL INT DECIMAL MONEY → INTEGER; TEXT LIST JSON → TEXT; ID → BLOB.
 * What is beside the schema (sort keys, full text) is the store's own. */
typedef enum
{
  KT_TABLE_CLIENT = 0,
  KT_TABLE_SERVER = 1 << 0,     /* index on rev */
  KT_TABLE_LENIENT = 1 << 1,    /* a value that does not convert is left out */
} KtTableFlags;

/* Makes or alters tables so that every object and field of @schema has its place (online: only adds
 * tables, columns, indices; retired ones stay; renamed ones keep what they hold; a retyped field converts what it can inside the same
 * transaction and reports what it cannot as SCHEMA without changing anything). Idempotent. Inside a transaction. */
gboolean  kt_table_ensure (KtDb *db, const KtSchema *schema, KtTableFlags flags, GError **error);

/* Reads. NULL with no error set: no such record. Records come whole. */
KtRecord *kt_table_load   (KtDb *db, const KtObject *object, const KtId *id, GError **error);
/* The record of a row that a statement made by kt_table_select stands on: columns from @column on. */
KtRecord *kt_table_read   (KtStmt *stmt, int column, const KtObject *object);
/* "rid, id, rev, f_a, f_b…" with the given table alias (may be NULL): for SELECTs. Borrowed, cached with the schema. */
const char *kt_table_columns (KtDb *db, const KtObject *object, const char *alias);
guint     kt_table_n_columns (const KtObject *object);

/* Writes the whole record (insert or replace by id). Sets record->rid when it was 0. */
gboolean  kt_table_save   (KtDb *db, KtRecord *record, gboolean *was_new, GError **error);
/* Only the named fields and rev. */
gboolean  kt_table_update (KtDb *db, const KtPatch *patch, const KtId *id, gint64 rev, GError **error);
gboolean  kt_table_erase  (KtDb *db, const KtObject *object, const KtId *id, GError **error);

/* Hot path of the first pull: a prepared INSERT whose parameters are bound value by value.
 * Parameter of rid: 1, id: 2, rev: 3, field i: kt_table_param (object, field). */
KtStmt   *kt_table_insert_stmt (KtDb *db, const KtObject *object, GError **error);
int       kt_table_param  (const KtField *field);           /* two parameters for money and ref_any: this and the next */
void      kt_table_bind   (KtStmt *stmt, int param, const KtField *field, const KtValue *value);
/* Value of a field at a column (two columns for money and ref_any): borrowed text. */
void      kt_table_value  (KtStmt *stmt, int column, const KtField *field, KtValue *out);

/* ---- filters to SQL ---- */
typedef struct
{
  const KtEnv *env;            /* for today, now */
  const char  *time_zone;      /* of the viewer; NULL: local */
  KtId         me;             /* nil: nobody */
} KtSqlContext;

/* A WHERE clause in the making: text with ?N and its bound values. Owns copies. */
typedef struct _KtSql KtSql;
KtSql      *kt_sql_new     (KtDb *db, const KtSqlContext *context);
void        kt_sql_free    (KtSql *sql);
void        kt_sql_append  (KtSql *sql, const char *text);                 /* trusted text */
void        kt_sql_append_value (KtSql *sql, const KtValue *value);        /* one bound scalar ("?7"); for MONEY its amount, ANY its id */
void        kt_sql_append_int (KtSql *sql, gint64 value);
void        kt_sql_append_column (KtSql *sql, const char *alias, const KtField *field);
/* "(…)" for the filter over table alias @alias. Text comparisons use kt_fold(): an SQL function registered on
 * SQLite (both ends); on PostgreSQL an expression (kt-db-pg-text.c) that differs for rare full case foldings only. */
gboolean    kt_sql_append_filter (KtSql *sql, const KtFilter *filter, const char *alias, GError **error);
/* Whole statement for a query: SELECT @what FROM table o WHERE … ORDER BY … , o.id LIMIT. @order_key: gives the ORDER BY expression
 * of a sort (the store has collation keys); NULL func: the column itself, refs by the referenced title. Full text is the store's. */
typedef char *(*KtSqlOrderKey) (const KtField *field, gpointer data);      /* g_free'd; NULL: default */
gboolean    kt_sql_append_query (KtSql *sql, const KtQuery *query, const char *what, const char *extra_where,
                                 KtSqlOrderKey order_key, gpointer data, GError **error);
KtStmt     *kt_sql_stmt    (KtSql *sql, GError **error);                   /* prepared and bound; reset it when done */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtSql, kt_sql_free)

G_END_DECLS
