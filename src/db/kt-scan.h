/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-cell.h"
#include "db/kt-table.h"

G_BEGIN_DECLS

/* Every record of an object, looked at and not kept. A step and a call for every column cost more than what is made
 * of them, so SQLite hands its rows to a function inside the statement; PostgreSQL takes the long way round. */

/* @cells: id, then the fields in the order of object->by_name, two for money and ref_any. Valid during the call. */
typedef void (*KtScanFunc) (const KtCell *cells, gpointer data);

/* "SELECT … FROM o_x ALIAS WHERE ". */
void      kt_sql_append_scan (KtSql *sql, const KtObject *object, const char *alias);
/* Runs what has been appended so far, only for ids that end with the @n bytes at @suffix (0: all). FALSE: the
 * rows seen so far are not all. Blocks. */
gboolean  kt_sql_scan (KtSql *sql, const KtObject *object, const char *alias, const guint8 *suffix, guint n,
                       KtScanFunc func, gpointer data, GError **error);

G_END_DECLS
