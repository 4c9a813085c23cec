/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "kt-table-private.h"

G_BEGIN_DECLS

/* kt-sql.c: the text, titles of referenced records, whole queries.  kt-sql-filter.c: conditions. */
struct _KtSql
{
  /* borrowed */
  KtDb *db;
  const KtEnv *env;

  /* owned */
  GTimeZone *zone;
  GString *text;
  GArray *values; /* KtValue; ?1 is the first */

  KtId me;
  guint n_aliases;
};

gboolean         _kt_sql_is_pg                (KtSql *sql);
void             _kt_sql_append_text_value    (KtSql *sql, const char *text);
/* The currency of money, the object of a ref_any. */
void             _kt_sql_append_second_column (KtSql *sql, const char *alias, const KtField *field);
/* The objects a reference may point to, NULL-terminated. g_free. */
const KtObject **_kt_sql_targets              (const KtField *field);
/* The title of a record of @object, folded. @depth ends circles: there are titles that are references themselves. */
void             _kt_sql_append_title         (KtSql *sql, const KtObject *object, const char *alias, guint depth);
/* The title of what the reference @field names, NULL when it names nothing. */
void             _kt_sql_append_any_title     (KtSql *sql, const KtField *field, const char *alias, guint depth);

G_END_DECLS
