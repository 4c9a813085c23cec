/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Records in tables. The SQL of an object is made once per connection and kept
 * by the object's address, with a reference on its schema so that no other
 * object can come to stand there. The parameters of an INSERT and the columns
 * of a SELECT have one order:
 *
 *   rid, id, rev, first field, second field (amount), second field (currency), third field …
 *    1    2    3       4               5                        6                    7          */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-table-private.h"

#include <sqlite3.h>
#include <string.h>

#include "base/kt-error.h"
#include "base/kt-patch.h"
#include "db/kt-db-private.h"

#define FIRST_FIELD 3 /* column; the parameter is one more */
#define RID_SHIFT 40
#define MAX_SCHEMAS 4 /* of which a connection keeps the SQL */

typedef struct
{
  const KtObject *object;

  /* owned */
  char *columns;
  char *load;
  char *insert;
  char *upsert;
  char *erase;
  GHashTable *by_alias; /* alias → columns */
} TableSql;

typedef struct
{
  GHashTable *objects; /* KtObject → TableSql */
  GQueue schemas;      /* KtSchema with a reference, oldest first */
} TableCache;

/* ---- SQL text ---- */

static void
append_columns (GString *out, const KtObject *object, const char *alias)
{
  g_autofree char *prefix = alias != NULL ? g_strconcat (alias, ".", NULL) : g_strdup ("");

  g_string_append_printf (out, "%srid,%sid,%srev", prefix, prefix, prefix);
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      g_string_append_printf (out, ",%s\"f_%s\"", prefix, field->name);
      if (_kt_table_width (field->storage) == 2)
        g_string_append_printf (out, ",%s\"f_%s%s\"", prefix, field->name,
                                _kt_table_second (field->storage));
    }
}

/* @first: number of the first parameter. */
static void
append_parameters (GString *out, const KtObject *object, guint first, guint n)
{
  for (guint i = 0; i < n; i++)
    g_string_append_printf (out, ",?%u", first + i);
}

/* What an absent rid becomes. */
static char *
next_rid (KtDialect dialect, const KtObject *object)
{
  if (dialect == KT_DIALECT_POSTGRESQL)
    return g_strdup_printf ("nextval(pg_get_serial_sequence('\"o_%s\"','rid'))", object->name);
  return g_strdup_printf ("(SELECT COALESCE(MAX(rid),%" G_GINT64_FORMAT ")+1 FROM \"o_%s\")",
                          (gint64) object->number << RID_SHIFT, object->name);
}

static TableSql *
table_sql_new (KtDialect dialect, const KtObject *object)
{
  g_autoptr (GString) columns = g_string_new (NULL);
  g_autoptr (GString) insert = g_string_new (NULL);
  g_autoptr (GString) upsert = g_string_new (NULL);
  g_autofree char *rid = next_rid (dialect, object);
  guint n = kt_table_n_columns (object);
  TableSql *sql = g_new0 (TableSql, 1);

  append_columns (columns, object, NULL);

  g_string_append_printf (insert, "INSERT INTO \"o_%s\" (%s) VALUES (COALESCE(?1,%s)", object->name,
                          columns->str, rid);
  append_parameters (insert, object, 2, n - 1);
  g_string_append_c (insert, ')');

  /* Its parameters start with the id: there is no rid to give. */
  g_string_append_printf (upsert, "INSERT INTO \"o_%s\" (%s) VALUES (%s", object->name,
                          columns->str, rid);
  append_parameters (upsert, object, 1, n - 1);
  g_string_append (upsert, ") ON CONFLICT (id) DO UPDATE SET rev=excluded.rev");
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      g_string_append_printf (upsert, ",\"f_%s\"=excluded.\"f_%s\"", field->name, field->name);
      if (_kt_table_width (field->storage) == 2)
        {
          const char *second = _kt_table_second (field->storage);

          g_string_append_printf (upsert, ",\"f_%s%s\"=excluded.\"f_%s%s\"", field->name, second,
                                  field->name, second);
        }
    }
  g_string_append (upsert, dialect == KT_DIALECT_POSTGRESQL
                             ? " RETURNING rid, CASE WHEN xmax = 0 THEN 1 ELSE 0 END"
                             : " RETURNING rid");

  sql->object = object;
  sql->columns = g_strdup (columns->str);
  sql->load = g_strdup_printf ("SELECT %s FROM \"o_%s\" WHERE id=?1", columns->str, object->name);
  sql->insert = g_strdup (insert->str);
  sql->upsert = g_strdup (upsert->str);
  sql->erase = g_strdup_printf ("DELETE FROM \"o_%s\" WHERE id=?1", object->name);
  sql->by_alias = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return sql;
}

static void
table_sql_free (TableSql *sql)
{
  g_free (sql->columns);
  g_free (sql->load);
  g_free (sql->insert);
  g_free (sql->upsert);
  g_free (sql->erase);
  g_hash_table_unref (sql->by_alias);
  g_free (sql);
}

static void
table_cache_free (gpointer data)
{
  TableCache *cache = data;

  g_hash_table_unref (cache->objects);
  g_queue_clear_full (&cache->schemas, (GDestroyNotify) kt_schema_unref);
  g_free (cache);
}

static gboolean
is_of_schema (gpointer key, gpointer value, gpointer schema)
{
  return ((TableSql *) value)->object->schema == schema;
}

static void
keep_schema (TableCache *cache, const KtSchema *schema)
{
  if (g_queue_find (&cache->schemas, schema) != NULL)
    return;
  g_queue_push_tail (&cache->schemas, kt_schema_ref (schema));
  if (cache->schemas.length > MAX_SCHEMAS)
    {
      KtSchema *oldest = g_queue_pop_head (&cache->schemas);

      g_hash_table_foreach_remove (cache->objects, is_of_schema, oldest);
      kt_schema_unref (oldest);
    }
}

static TableSql *
table_sql (KtDb *db, const KtObject *object)
{
  TableCache *cache = db->table_cache;
  TableSql *sql;

  if (cache == NULL)
    {
      cache = g_new0 (TableCache, 1);
      cache->objects = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) table_sql_free);
      g_queue_init (&cache->schemas);
      db->table_cache = cache;
      db->table_cache_free = table_cache_free;
    }
  sql = g_hash_table_lookup (cache->objects, object);
  if (sql == NULL)
    {
      keep_schema (cache, object->schema);
      sql = table_sql_new (kt_db_dialect (db), object);
      g_hash_table_insert (cache->objects, (gpointer) object, sql);
    }
  return sql;
}

const char *
kt_table_columns (KtDb *db, const KtObject *object, const char *alias)
{
  TableSql *sql = table_sql (db, object);
  char *columns;

  if (alias == NULL)
    return sql->columns;
  columns = g_hash_table_lookup (sql->by_alias, alias);
  if (columns == NULL)
    {
      GString *out = g_string_new (NULL);

      append_columns (out, object, alias);
      columns = g_string_free (out, FALSE);
      g_hash_table_insert (sql->by_alias, g_strdup (alias), columns);
    }
  return columns;
}

guint
kt_table_n_columns (const KtObject *object)
{
  guint n = FIRST_FIELD;

  for (guint i = 0; i < object->n_fields; i++)
    n += _kt_table_width (object->fields[i]->storage);
  return n;
}

/* ---- values ---- */

int
kt_table_param (const KtField *field)
{
  const KtField *const *fields = (const KtField *const *) field->object->fields;
  int param = FIRST_FIELD + 1;

  for (guint i = 0; i < field->index; i++)
    param += _kt_table_width (fields[i]->storage);
  return param;
}

void
kt_table_bind (KtStmt *stmt, int param, const KtField *field, const KtValue *value)
{
  if (value == NULL || value->type == KT_VALUE_NULL)
    {
      kt_stmt_bind_null (stmt, param);
      if (_kt_table_width (field->storage) == 2)
        kt_stmt_bind_null (stmt, param + 1);
      return;
    }

  g_return_if_fail (value->type == field->storage);
  switch (field->storage)
    {
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
      kt_stmt_bind_int (stmt, param, value->v.integer);
      break;
    case KT_VALUE_MONEY:
      kt_stmt_bind_int (stmt, param, value->v.integer);
      kt_stmt_bind_text (stmt, param + 1, value->currency);
      break;
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      kt_stmt_bind_text (stmt, param, value->v.text);
      break;
    case KT_VALUE_ID:
      kt_stmt_bind_id (stmt, param, &value->v.ref.id);
      break;
    case KT_VALUE_ANY:
      kt_stmt_bind_id (stmt, param, &value->v.ref.id);
      kt_stmt_bind_text (stmt, param + 1, value->v.ref.object);
      break;
    case KT_VALUE_NULL:
    default:
      g_assert_not_reached ();
    }
}

void
kt_table_value (KtStmt *stmt, int column, const KtField *field, KtValue *out)
{
  const KtObject *object;
  const char *text;

  memset (out, 0, sizeof *out);
  if (kt_stmt_is_null (stmt, column))
    return;

  switch (field->storage)
    {
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
      out->v.integer = kt_stmt_int (stmt, column);
      out->scale = field->storage == KT_VALUE_DECIMAL ? field->scale : 0;
      break;
    case KT_VALUE_MONEY:
      out->v.integer = kt_stmt_int (stmt, column);
      out->scale = field->scale;
      text = kt_stmt_text (stmt, column + 1);
      g_strlcpy (out->currency, text != NULL ? text : "", sizeof out->currency);
      break;
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      out->v.text = (char *) kt_stmt_text (stmt, column);
      out->borrowed = TRUE;
      break;
    case KT_VALUE_ID:
      if (!kt_stmt_id (stmt, column, &out->v.ref.id))
        return;
      break;
    case KT_VALUE_ANY:
      text = kt_stmt_text (stmt, column + 1);
      if (!kt_stmt_id (stmt, column, &out->v.ref.id) || text == NULL)
        {
          memset (out, 0, sizeof *out);
          return;
        }
      object = kt_schema_object (field->object->schema, text);
      out->v.ref.object = object != NULL ? object->name : g_intern_string (text);
      break;
    case KT_VALUE_NULL:
    default:
      g_assert_not_reached ();
    }
  out->type = field->storage;
}

/* ---- reading ---- */

KtRecord *
kt_table_read (KtStmt *stmt, int column, const KtObject *object)
{
  KtRecord *record;
  KtId id = KT_ID_NIL;

  if (!kt_stmt_id (stmt, column + 1, &id))
    g_critical ("a row of %s has no id", object->name);
  record = kt_record_new (object, &id);
  record->rid = kt_stmt_int (stmt, column);
  record->rev = kt_stmt_int (stmt, column + 2);
  column += FIRST_FIELD;
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];
      KtValue *value = &record->values[i];

      kt_table_value (stmt, column, field, value);
      if (value->borrowed)
        {
          value->v.text = g_strdup (value->v.text);
          value->borrowed = FALSE;
        }
      column += _kt_table_width (field->storage);
    }
  return record;
}

KtRecord *
kt_table_load (KtDb *db, const KtObject *object, const KtId *id, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (db, table_sql (db, object)->load, error);

  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_id (stmt, 1, id);
  return kt_stmt_step (stmt, error) == KT_STEP_ROW ? kt_table_read (stmt, 0, object) : NULL;
}

/* ---- writing ---- */

gboolean
kt_table_save (KtDb *db, KtRecord *record, gboolean *was_new, GError **error)
{
  const KtObject *object = record->object;
  KT_STMT_SCOPE *stmt = kt_db_stmt (db, table_sql (db, object)->upsert, error);
  sqlite3 *handle = kt_db_sqlite (db);
  int param = FIRST_FIELD;
  gint64 rid;
  gboolean is_new;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &record->id);
  kt_stmt_bind_int (stmt, 2, record->rev);
  for (guint i = 0; i < object->n_fields; i++)
    {
      kt_table_bind (stmt, param, object->fields[i], &record->values[i]);
      param += _kt_table_width (object->fields[i]->storage);
    }

  /* SQLite: only an insert sets the last rowid. */
  if (handle != NULL)
    sqlite3_set_last_insert_rowid (handle, 0);
  if (kt_stmt_step (stmt, error) != KT_STEP_ROW)
    return FALSE;
  rid = kt_stmt_int (stmt, 0);
  is_new = handle != NULL ? sqlite3_last_insert_rowid (handle) != 0 : kt_stmt_int (stmt, 1) != 0;
  if (kt_stmt_step (stmt, error) != KT_STEP_DONE)
    return FALSE;

  record->rid = rid;
  if (was_new != NULL)
    *was_new = is_new;
  return TRUE;
}

gboolean
kt_table_update (KtDb *db, const KtPatch *patch, const KtId *id, gint64 rev, GError **error)
{
  g_autoptr (GString) sql = g_string_new (NULL);
  KT_STMT_SCOPE *stmt = NULL;
  int param = 3;

  g_string_append_printf (sql, "UPDATE \"o_%s\" SET rev=?2", patch->object->name);
  for (guint i = 0; i < patch->changes->len; i++)
    {
      const KtField *field = g_array_index (patch->changes, KtChange, i).field;

      g_string_append_printf (sql, ",\"f_%s\"=?%d", field->name, param++);
      if (_kt_table_width (field->storage) == 2)
        g_string_append_printf (sql, ",\"f_%s%s\"=?%d", field->name,
                                _kt_table_second (field->storage), param++);
    }
  g_string_append (sql, " WHERE id=?1");

  stmt = kt_db_stmt (db, sql->str, error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, id);
  kt_stmt_bind_int (stmt, 2, rev);
  param = 3;
  for (guint i = 0; i < patch->changes->len; i++)
    {
      const KtChange *change = &g_array_index (patch->changes, KtChange, i);

      kt_table_bind (stmt, param, change->field, &change->after);
      param += _kt_table_width (change->field->storage);
    }
  if (kt_stmt_step (stmt, error) != KT_STEP_DONE)
    return FALSE;
  if (kt_stmt_changes (stmt) == 0)
    {
      char text[KT_ID_TEXT_SIZE];

      kt_id_format (id, text);
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no %s %s", patch->object->name,
                   text);
      return FALSE;
    }
  return TRUE;
}

gboolean
kt_table_erase (KtDb *db, const KtObject *object, const KtId *id, GError **error)
{
  return kt_db_run (db, error, table_sql (db, object)->erase, KT_BIND_ID, id, KT_BIND_END) >= 0;
}

KtStmt *
kt_table_insert_stmt (KtDb *db, const KtObject *object, GError **error)
{
  KtStmt *stmt = kt_db_stmt (db, table_sql (db, object)->insert, error);

  if (stmt != NULL)
    _kt_stmt_pin (stmt);
  return stmt;
}
