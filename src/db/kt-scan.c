/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "db/kt-scan.h"

#include "kt-db-private.h"
#include "kt-sql-private.h"

/* SQLite's limit for the arguments of a function is 127. */
#define MAX_ARGUMENTS 100

static guint
count_cells (const KtObject *object)
{
  guint n = 1;

  for (guint i = 0; i < object->n_fields; i++)
    n += _kt_table_width (object->fields[i]->storage);
  return n;
}

static gboolean
has_function (KtDb *db, const KtObject *object)
{
  return db->driver->scan != NULL && count_cells (object) <= MAX_ARGUMENTS;
}

void
kt_sql_append_scan (KtSql *sql, const KtObject *object, const char *alias)
{
  gboolean function = has_function (sql->db, object);

  g_string_append_printf (sql->text, "SELECT %s%s.id", function ? "kt_scan(" : "", alias);
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->by_name[i];

      g_string_append_printf (sql->text, ",%s.\"f_%s\"", alias, field->name);
      if (_kt_table_width (field->storage) == 2)
        g_string_append_printf (sql->text, ",%s.\"f_%s%s\"", alias, field->name,
                                _kt_table_second (field->storage));
    }
  g_string_append_printf (sql->text, "%s FROM \"o_%s\" %s WHERE ", function ? ")" : "", object->name,
                          alias);
}

static void
get_cell (KtStmt *stmt, int column, KtValueType type, gboolean second, KtCell *out)
{
  gsize len = 0;

  *out = (KtCell){ KT_CELL_NULL, 0, { 0 } };
  if (kt_stmt_is_null (stmt, column))
    return;
  switch (type)
    {
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
      if (second)
        break;
      out->type = KT_CELL_INT;
      out->v.integer = kt_stmt_int (stmt, column);
      return;
    case KT_VALUE_ID:
    case KT_VALUE_ANY:
      if (second)
        break;
      out->type = KT_CELL_BLOB;
      out->v.bytes = kt_stmt_blob (stmt, column, &len);
      out->len = (guint) len;
      return;
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
    case KT_VALUE_NULL:
    default:
      break;
    }
  out->type = KT_CELL_TEXT;
  out->v.bytes = (const guint8 *) stmt->db->driver->get_text (stmt, column, &len);
  out->len = (guint) len;
}

static gboolean
scan_rows (KtStmt *stmt, const KtObject *object, KtScanFunc func, gpointer data, GError **error)
{
  g_autofree KtCell *cells = g_new0 (KtCell, count_cells (object));
  KtStep step;

  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      int column = 1;

      get_cell (stmt, 0, KT_VALUE_ID, FALSE, &cells[0]);
      for (guint i = 0; i < object->n_fields; i++)
        {
          KtValueType type = object->by_name[i]->storage;

          get_cell (stmt, column, type, FALSE, &cells[column]);
          column++;
          if (_kt_table_width (type) == 2)
            {
              get_cell (stmt, column, type, TRUE, &cells[column]);
              column++;
            }
        }
      func (cells, data);
    }
  return step == KT_STEP_DONE;
}

gboolean
kt_sql_scan (KtSql *sql,
             const KtObject *object,
             const char *alias,
             const guint8 *suffix,
             guint n,
             KtScanFunc func,
             gpointer data,
             GError **error)
{
  KT_STMT_SCOPE *stmt = NULL;
  int param = (int) sql->values->len + 1;

  g_return_val_if_fail (n <= 16, FALSE);

  if (n > 0)
    g_string_append_printf (sql->text, " AND substr(%s.id,%u)=?%d", alias, 17 - n, param);
  stmt = kt_sql_stmt (sql, error);
  if (stmt == NULL)
    return FALSE;
  if (n > 0)
    kt_stmt_bind_blob (stmt, param, suffix, n);
  if (!has_function (sql->db, object))
    return scan_rows (stmt, object, func, data, error);
  return sql->db->driver->scan (stmt, count_cells (object), func, data, error);
}
