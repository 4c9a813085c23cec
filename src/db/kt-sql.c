/* SPDX-License-Identifier: GPL-3.0-or-later */

/* SQL in the making: text with ?N and its values, and whole queries. Titles of
 * referenced records stand here, because lists are sorted by them and filters
 * compare with them. */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-sql-private.h"

#include <string.h>

#define MAX_TITLE_DEPTH 3 /* the title of a line item is a product, whose title … */

/* ---- the text in the making ---- */

KtSql *
kt_sql_new (KtDb *db, const KtSqlContext *context)
{
  KtSql *sql = g_new0 (KtSql, 1);

  sql->db = db;
  sql->text = g_string_new (NULL);
  sql->values = g_array_new (FALSE, TRUE, sizeof (KtValue));
  g_array_set_clear_func (sql->values, (GDestroyNotify) kt_value_clear);
  if (context != NULL)
    {
      sql->env = context->env;
      sql->me = context->me;
      if (context->time_zone != NULL)
        sql->zone = g_time_zone_new_identifier (context->time_zone);
    }
  if (sql->zone == NULL)
    sql->zone = g_time_zone_new_local ();
  return sql;
}

void
kt_sql_free (KtSql *sql)
{
  if (sql == NULL)
    return;
  g_time_zone_unref (sql->zone);
  g_string_free (sql->text, TRUE);
  g_array_unref (sql->values);
  g_free (sql);
}

void
kt_sql_append (KtSql *sql, const char *text)
{
  g_string_append (sql->text, text);
}

void
kt_sql_append_value (KtSql *sql, const KtValue *value)
{
  KtValue copy = KT_VALUE_INIT;

  kt_value_copy (value, &copy);
  g_array_append_val (sql->values, copy);
  g_string_append_printf (sql->text, "?%u", sql->values->len);
}

void
kt_sql_append_int (KtSql *sql, gint64 value)
{
  KtValue integer = KT_VALUE_INIT;

  kt_value_set_int (&integer, value);
  kt_sql_append_value (sql, &integer);
}

void
_kt_sql_append_text_value (KtSql *sql, const char *text)
{
  KtValue value = KT_VALUE_INIT;

  kt_value_set_text (&value, text);
  kt_sql_append_value (sql, &value);
  kt_value_clear (&value);
}

void
_kt_sql_append_second_column (KtSql *sql, const char *alias, const KtField *field)
{
  if (alias != NULL)
    g_string_append_printf (sql->text, "%s.", alias);
  g_string_append_printf (sql->text, "\"f_%s%s\"", field->name, _kt_table_second (field->storage));
}

void
kt_sql_append_column (KtSql *sql, const char *alias, const KtField *field)
{
  if (alias != NULL)
    g_string_append_printf (sql->text, "%s.", alias);
  g_string_append_printf (sql->text, "\"f_%s\"", field->name);
}

gboolean
_kt_sql_is_pg (KtSql *sql)
{
  return kt_db_dialect (sql->db) == KT_DIALECT_POSTGRESQL;
}

/* ---- titles of referenced records ---- */

/* (SELECT title of the record that the reference names), NULL when there is none. */
static void
append_referenced_title (KtSql *sql,
                         const KtField *field,
                         const KtObject *target,
                         const char *alias,
                         guint depth)
{
  g_autofree char *inner = g_strdup_printf ("kt%u", ++sql->n_aliases);

  g_string_append (sql->text, "(SELECT ");
  _kt_sql_append_title (sql, target, inner, depth + 1);
  g_string_append_printf (sql->text, " FROM \"o_%s\" %s WHERE %s.id = ", target->name, inner,
                          inner);
  kt_sql_append_column (sql, alias, field);
  g_string_append_c (sql->text, ')');
}

/* The objects a reference may point to. g_free. */
const KtObject **
_kt_sql_targets (const KtField *field)
{
  const KtSchema *schema = field->object->schema;
  GPtrArray *found = g_ptr_array_new ();
  guint n;

  if (field->to != NULL && field->to[0] != NULL && strcmp (field->to[0], "*") == 0)
    {
      const KtObject *const *all = kt_schema_objects (schema, &n);

      for (guint i = 0; i < n; i++)
        g_ptr_array_add (found, (gpointer) all[i]);
    }
  else
    for (guint i = 0; field->to != NULL && field->to[i] != NULL; i++)
      {
        const KtObject *object = kt_schema_object (schema, field->to[i]);

        if (object != NULL)
          g_ptr_array_add (found, (gpointer) object);
      }
  g_ptr_array_add (found, NULL);
  return (const KtObject **) g_ptr_array_free (found, FALSE);
}

void
_kt_sql_append_any_title (KtSql *sql, const KtField *field, const char *alias, guint depth)
{
  g_autofree const KtObject **to = _kt_sql_targets (field);

  if (to[0] == NULL || depth >= MAX_TITLE_DEPTH)
    {
      g_string_append (sql->text, "NULL");
      return;
    }
  if (field->storage != KT_VALUE_ANY)
    {
      append_referenced_title (sql, field, to[0], alias, depth);
      return;
    }
  g_string_append (sql->text, "CASE ");
  _kt_sql_append_second_column (sql, alias, field);
  for (guint i = 0; to[i] != NULL; i++)
    {
      g_string_append_printf (sql->text, " WHEN '%s' THEN ", to[i]->name);
      append_referenced_title (sql, field, to[i], alias, depth);
    }
  g_string_append (sql->text, " END");
}

void
_kt_sql_append_title (KtSql *sql, const KtObject *object, const char *alias, guint depth)
{
  const KtField *title = object->title;

  switch (title->storage)
    {
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      g_string_append (sql->text, "kt_fold(");
      kt_sql_append_column (sql, alias, title);
      g_string_append_c (sql->text, ')');
      break;
    case KT_VALUE_ID:
    case KT_VALUE_ANY:
      _kt_sql_append_any_title (sql, title, alias, depth);
      break;
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
    case KT_VALUE_NULL:
    default:
      g_string_append (sql->text, "CAST(");
      kt_sql_append_column (sql, alias, title);
      g_string_append (sql->text, " AS TEXT)");
    }
}

/* ---- whole queries ---- */

/* What a list is sorted by when nobody has a better key. */
static void
append_order_key (KtSql *sql, const KtField *field)
{
  switch (field->storage)
    {
    case KT_VALUE_ID:
    case KT_VALUE_ANY:
      _kt_sql_append_any_title (sql, field, "o", 0);
      return;
    case KT_VALUE_TEXT:
      if (field->type != KT_FIELD_CHOICE && field->type != KT_FIELD_DATE
          && field->type != KT_FIELD_DATE_TIME)
        {
          g_string_append (sql->text, "kt_fold(");
          kt_sql_append_column (sql, "o", field);
          g_string_append_c (sql->text, ')');
          return;
        }
      break;
    case KT_VALUE_NULL:
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
    default:
      break;
    }
  kt_sql_append_column (sql, "o", field);
}

static void
append_order (KtSql *sql, const KtQuery *query, KtSqlOrderKey order_key, gpointer data)
{
  g_string_append (sql->text, " ORDER BY ");
  if (query->sort->len == 0)
    {
      g_string_append (sql->text, "o.id DESC");
      return;
    }
  for (guint i = 0; i < query->sort->len; i++)
    {
      const KtSort *sort = &g_array_index (query->sort, KtSort, i);
      g_autofree char *key = NULL;

      if (sort->field != NULL && order_key != NULL)
        key = order_key (sort->field, data);
      if (key != NULL)
        g_string_append (sql->text, key);
      else if (sort->field != NULL)
        append_order_key (sql, sort->field);
      else
        g_string_append (sql->text, "o.rev");
      if (sort->descending)
        g_string_append (sql->text, " DESC");
      /* As SQLite does by itself: what is blank comes first, or last when descending. */
      if (_kt_sql_is_pg (sql) && sort->field != NULL)
        g_string_append (sql->text, sort->descending ? " NULLS LAST" : " NULLS FIRST");
      g_string_append (sql->text, ", ");
    }
  g_string_append (sql->text, "o.id");
}

gboolean
kt_sql_append_query (KtSql *sql,
                     const KtQuery *query,
                     const char *what,
                     const char *extra_where,
                     KtSqlOrderKey order_key,
                     gpointer data,
                     GError **error)
{
  const KtField *deleted_at;

  g_return_val_if_fail (sql != NULL && query != NULL && what != NULL, FALSE);

  g_string_append_printf (sql->text, "SELECT %s FROM \"o_%s\" o WHERE ", what, query->object->name);
  deleted_at = kt_object_field (query->object, "deleted_at");
  if (deleted_at != NULL)
    {
      kt_sql_append_column (sql, "o", deleted_at);
      g_string_append (sql->text, query->bin ? " IS NOT NULL" : " IS NULL");
    }
  else
    g_string_append (sql->text, query->bin ? "FALSE" : "TRUE");
  if (query->filter != NULL)
    {
      g_string_append (sql->text, " AND ");
      if (!kt_sql_append_filter (sql, query->filter, "o", error))
        return FALSE;
    }
  if (extra_where != NULL)
    g_string_append_printf (sql->text, " AND (%s)", extra_where);
  append_order (sql, query, order_key, data);
  if (query->limit > 0)
    {
      g_string_append (sql->text, " LIMIT ");
      kt_sql_append_int (sql, query->limit);
    }
  return TRUE;
}

KtStmt *
kt_sql_stmt (KtSql *sql, GError **error)
{
  KtStmt *stmt = kt_db_stmt (sql->db, sql->text->str, error);

  if (stmt == NULL)
    return NULL;
  for (guint i = 0; i < sql->values->len; i++)
    {
      const KtValue *value = &g_array_index (sql->values, KtValue, i);
      int param = i + 1;

      switch ((KtValueType) value->type)
        {
        case KT_VALUE_NULL:
          kt_stmt_bind_null (stmt, param);
          break;
        case KT_VALUE_BOOL:
        case KT_VALUE_INT:
        case KT_VALUE_DECIMAL:
        case KT_VALUE_MONEY:
          kt_stmt_bind_int (stmt, param, value->v.integer);
          break;
        case KT_VALUE_TEXT:
        case KT_VALUE_LIST:
        case KT_VALUE_JSON:
          kt_stmt_bind_text (stmt, param, value->v.text);
          break;
        case KT_VALUE_ID:
        case KT_VALUE_ANY:
          kt_stmt_bind_id (stmt, param, &value->v.ref.id);
          break;
        default:
          g_assert_not_reached ();
        }
    }
  return stmt;
}
