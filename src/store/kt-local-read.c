/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Reading: records, lists, counts, titles. A list is an array of row numbers.
 *
 * Whether a record is in the bin stands in kt_key_N as well, first in each of its
 * indices: a list in the order of a sort key reads nothing but one index, and any
 * other list leaves the (few) dead rows out without looking at each row.          */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

#define MAX_SEARCH_ROWS 2000 /* hits that a limited list looks at */

/* ---- records ---- */

KtRecord *
kt_local_load (KtLocal *local, const KtObject *object, const KtId *id, GError **error)
{
  KtRecord *record;
  gboolean mine;

  g_return_val_if_fail (object != NULL && id != NULL, NULL);

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  record = kt_table_load (local->db, object, id, error);
  _kt_local_read_end (local, mine);
  return record;
}

static gboolean
read_rows (KtLocal *local,
           const KtObject *object,
           const gint64 *rids,
           guint n,
           GPtrArray *out,
           GError **error)
{
  g_autofree char *sql = g_strdup_printf ("SELECT %s FROM \"o_%s\" WHERE rid=?1",
                                          kt_table_columns (local->db, object, NULL), object->name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);

  if (stmt == NULL)
    return FALSE;
  for (guint i = 0; i < n; i++)
    {
      KtStep step;

      kt_stmt_reset (stmt);
      kt_stmt_bind_int (stmt, 1, rids[i]);
      step = kt_stmt_step (stmt, error);
      if (step == KT_STEP_ERROR)
        return FALSE;
      g_ptr_array_add (out, step == KT_STEP_ROW ? kt_table_read (stmt, 0, object) : NULL);
    }
  return TRUE;
}

GPtrArray *
kt_local_rows (KtLocal *local, const KtObject *object, const gint64 *rids, guint n, GError **error)
{
  g_autoptr (GPtrArray) out = NULL;
  gboolean mine;
  gboolean done;

  g_return_val_if_fail (object != NULL && (rids != NULL || n == 0), NULL);

  out = g_ptr_array_new_full (n, (GDestroyNotify) kt_record_unref);
  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  done = read_rows (local, object, rids, n, out, error);
  _kt_local_read_end (local, mine);
  return done ? g_steal_pointer (&out) : NULL;
}

/* ---- lists ---- */

static gboolean
has_key (KtLocal *local, const KtField *field)
{
  const KtPlan *plan = _kt_local_plan (local, field->object);

  for (guint i = 0; plan != NULL && i < plan->keys->len; i++)
    if (strcmp (((const KtField *) plan->keys->pdata[i])->name, field->name) == 0)
      return TRUE;
  return FALSE;
}

/* By the title of the record it points to. */
static char *
reference_order (KtLocal *local, const KtField *field)
{
  const KtObject *target;

  if (field->to == NULL || field->to[0] == NULL || field->to[1] != NULL
      || strcmp (field->to[0], "*") == 0)
    return NULL;
  target = kt_schema_object (local->schema, field->to[0]);
  if (target == NULL || !has_key (local, target->title))
    return NULL;
  return g_strdup_printf (
    "(SELECT k.\"k_%s\" FROM \"o_%s\" r JOIN kt_key_%u k ON k.rid=r.rid WHERE r.id=o.\"f_%s\")",
    target->title->name, target->name, target->number, field->name);
}

/* By the place of the option in its list: a pipeline runs from left to right. */
static char *
option_order (const KtField *field)
{
  GString *out;

  if (field->n_options == 0 || field->n_options > 64)
    return NULL;
  out = g_string_new (NULL);
  g_string_append_printf (out, "CASE WHEN o.\"f_%s\" IS NOT NULL THEN CASE o.\"f_%s\"", field->name,
                          field->name);
  for (guint i = 0; i < field->n_options; i++)
    {
      g_auto (GStrv) parts = g_strsplit (field->options[i].value, "'", -1);
      g_autofree char *quoted = g_strjoinv ("''", parts);

      g_string_append_printf (out, " WHEN '%s' THEN %u", quoted, i);
    }
  g_string_append_printf (out, " ELSE %u END END", field->n_options);
  return g_string_free (out, FALSE);
}

static char *
order_key_cb (const KtField *field, gpointer data)
{
  KtLocal *local = data;

  if (has_key (local, field))
    return g_strdup_printf ("(SELECT \"k_%s\" FROM kt_key_%u WHERE rid=o.rid)", field->name,
                            field->object->number);
  if (field->type == KT_FIELD_REF)
    return reference_order (local, field);
  if (field->type == KT_FIELD_CHOICE)
    return option_order (field);
  return NULL;
}

static void
append_search (KtSql *sql, const KtObject *object, const char *match, guint limit)
{
  KtValue value = KT_VALUE_INIT;

  kt_value_set_text (&value, match);
  kt_sql_append (sql, "(SELECT rowid FROM kt_search WHERE kt_search MATCH ");
  kt_sql_append_value (sql, &value);
  kt_sql_append (sql, " AND rowid BETWEEN ");
  kt_sql_append_int (sql, (gint64) object->number << KT_RID_SHIFT);
  kt_sql_append (sql, " AND ");
  kt_sql_append_int (sql, (((gint64) object->number + 1) << KT_RID_SHIFT) - 1);
  if (limit > 0)
    kt_sql_append (sql, " ORDER BY rowid DESC LIMIT " G_STRINGIFY (MAX_SEARCH_ROWS));
  kt_sql_append (sql, ")");
  kt_value_clear (&value);
}

static void append_format (KtSql *sql, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
append_format (KtSql *sql, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  kt_sql_append (sql, text);
}

/* The common list: everything, in the order of one key. */
static gboolean
append_key_list (KtLocal *local, KtSql *sql, const KtQuery *query)
{
  const KtSort *sort;

  if ((query->filter != NULL && query->filter->kind != KT_FILTER_TRUE) || query->search != NULL
      || query->sort->len != 1)
    return FALSE;
  sort = &g_array_index (query->sort, KtSort, 0);
  if (sort->field == NULL || !has_key (local, sort->field))
    return FALSE;
  append_format (sql, "SELECT rid FROM kt_key_%u WHERE dead=%d ORDER BY \"k_%s\"%s",
                 query->object->number, query->bin ? 1 : 0, sort->field->name,
                 sort->descending ? " DESC" : "");
  if (query->limit > 0)
    {
      kt_sql_append (sql, " LIMIT ");
      kt_sql_append_int (sql, query->limit);
    }
  return TRUE;
}

static void
append_order (KtLocal *local, KtSql *sql, const KtQuery *query)
{
  kt_sql_append (sql, " ORDER BY ");
  for (guint i = 0; i < query->sort->len; i++)
    {
      const KtSort *sort = &g_array_index (query->sort, KtSort, i);
      g_autofree char *key =
        sort->field != NULL ? order_key_cb (sort->field, local) : g_strdup ("o.rev");

      if (key != NULL)
        kt_sql_append (sql, key);
      else
        kt_sql_append_column (sql, "o", sort->field);
      kt_sql_append (sql, sort->descending ? " DESC, " : ", ");
    }
  kt_sql_append (sql, query->sort->len == 0 ? "o.id DESC" : "o.id");
}

/* FALSE without error: nothing can be found. */
static gboolean
append_list (KtLocal *local, KtSql *sql, const KtQuery *query, gboolean count, GError **error)
{
  g_autofree char *match = NULL;

  if (query->search != NULL && *query->search != '\0')
    {
      match = kt_text_match (query->search);
      if (match == NULL)
        return FALSE;
    }
  append_format (
    sql, "SELECT %s FROM \"o_%s\" o WHERE o.rid %s (SELECT rid FROM kt_key_%u WHERE dead=1)",
    count ? "count(*)" : "o.rid", query->object->name, query->bin ? "IN" : "NOT IN",
    query->object->number);
  if (match != NULL)
    {
      kt_sql_append (sql, " AND o.rid IN ");
      append_search (sql, query->object, match, query->limit);
    }
  if (query->filter != NULL)
    {
      kt_sql_append (sql, " AND ");
      if (!kt_sql_append_filter (sql, query->filter, "o", error))
        return FALSE;
    }
  if (count)
    return TRUE;
  append_order (local, sql, query);
  if (query->limit > 0)
    {
      kt_sql_append (sql, " LIMIT ");
      kt_sql_append_int (sql, query->limit);
    }
  return TRUE;
}

static KtSql *
new_sql (KtLocal *local)
{
  KtSqlContext context = { local->env, NULL, KT_ID_NIL };

  if (local->identity != NULL)
    context.me = local->identity->access.user;
  return kt_sql_new (local->db, &context);
}

static void
cancel_cb (GCancellable *cancellable, gpointer db)
{
  kt_db_interrupt (db);
}

static GArray *
query_in (KtLocal *local, const KtQuery *query, GError **error)
{
  g_autoptr (GArray) rids = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (KtSql) sql = new_sql (local);
  g_autoptr (GError) failure = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (_kt_local_plan (local, query->object) == NULL)
    return g_steal_pointer (&rids);
  if (!append_key_list (local, sql, query) && !append_list (local, sql, query, FALSE, &failure))
    {
      if (failure == NULL)
        return g_steal_pointer (&rids);
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  stmt = kt_sql_stmt (sql, error);
  if (stmt == NULL)
    return NULL;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gint64 rid = kt_stmt_int (stmt, 0);

      g_array_append_val (rids, rid);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&rids) : NULL;
}

GArray *
kt_local_query (KtLocal *local, const KtQuery *query, GCancellable *cancellable, GError **error)
{
  GArray *rids = NULL;
  gulong handler = 0;
  gboolean mine;

  g_return_val_if_fail (query != NULL && query->object != NULL, NULL);

  if (g_cancellable_set_error_if_cancelled (cancellable, error)
      || !_kt_local_read_begin (local, &mine, error))
    return NULL;
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancel_cb), local->db, NULL);
  if (!g_cancellable_set_error_if_cancelled (cancellable, error))
    rids = query_in (local, query, error);
  g_cancellable_disconnect (cancellable, handler);
  _kt_local_read_end (local, mine);
  return rids;
}

static gboolean
step_int (KtSql *sql, gint64 *out, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_sql_stmt (sql, error);

  if (stmt == NULL || kt_stmt_step (stmt, error) != KT_STEP_ROW)
    return FALSE;
  *out = kt_stmt_int (stmt, 0);
  return TRUE;
}

static gint64
count_in (KtLocal *local, const KtQuery *query, GError **error)
{
  g_autoptr (KtSql) sql = new_sql (local);
  g_autoptr (GError) failure = NULL;
  gint64 n = 0;

  if (_kt_local_plan (local, query->object) == NULL)
    return 0;
  if ((query->filter == NULL || query->filter->kind == KT_FILTER_TRUE) && query->search == NULL)
    append_format (sql, "SELECT count(*) FROM kt_key_%u WHERE dead=%d", query->object->number,
                   query->bin ? 1 : 0);
  else if (!append_list (local, sql, query, TRUE, &failure))
    {
      if (failure == NULL)
        return 0;
      g_propagate_error (error, g_steal_pointer (&failure));
      return -1;
    }
  return step_int (sql, &n, error) ? n : -1;
}

gint64
kt_local_count (KtLocal *local, const KtQuery *query, GError **error)
{
  gboolean mine;
  gint64 n;

  g_return_val_if_fail (query != NULL && query->object != NULL, -1);

  if (!_kt_local_read_begin (local, &mine, error))
    return -1;
  n = count_in (local, query, error);
  _kt_local_read_end (local, mine);
  return n;
}

GArray *
kt_local_counts (KtLocal *local, GError **error)
{
  g_autoptr (GArray) counts = g_array_new (FALSE, TRUE, sizeof (gint64));
  const KtObject *const *objects = NULL;
  gboolean mine;
  gboolean done = TRUE;
  guint n = 0;

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  if (local->schema != NULL)
    objects = kt_schema_objects (local->schema, &n);
  for (guint i = 0; i < n && done; i++)
    {
      g_autofree char *sql = NULL;

      if (counts->len <= objects[i]->number)
        g_array_set_size (counts, objects[i]->number + 1);
      if (!objects[i]->visible)
        continue;
      sql = g_strdup_printf ("SELECT count(*) FROM kt_key_%u WHERE dead=0", objects[i]->number);
      done = kt_db_get_int (local->db, 0, &g_array_index (counts, gint64, objects[i]->number),
                            error, sql, KT_BIND_END);
    }
  _kt_local_read_end (local, mine);
  return done ? g_steal_pointer (&counts) : NULL;
}

/* ---- titles ---- */

/* The few columns that make a title. */
static char *
title_sql (const KtObject *object)
{
  const KtField *number = kt_object_field (object, "number");
  GString *out = g_string_new ("SELECT ");

  g_string_append_printf (out, "id, \"f_%s\"", object->title->name);
  if (object->translations != NULL)
    g_string_append_printf (out, ", \"f_%s\"", object->translations->name);
  if (number != NULL && number != object->title)
    g_string_append_printf (out, ", \"f_%s\"", number->name);
  g_string_append_printf (out, " FROM \"o_%s\" WHERE id=?1", object->name);
  return g_string_free (out, FALSE);
}

static gboolean
read_title (KtLocal *local, const KtObject *object, const KtId *id, char **title, GError **error)
{
  g_autofree char *sql = NULL;
  g_autoptr (KtRecord) record = NULL;
  const KtField *number = kt_object_field (object, "number");
  KtValueType storage = object->title->storage;
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  *title = NULL;
  /* A title of two columns, or one that is itself a reference, is rare. */
  if (storage == KT_VALUE_MONEY || storage == KT_VALUE_ANY || storage == KT_VALUE_ID)
    {
      g_autoptr (GError) failure = NULL;

      record = kt_table_load (local->db, object, id, &failure);
      if (failure != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      *title = record != NULL ? kt_record_title (record, local->locale) : NULL;
      return TRUE;
    }
  sql = title_sql (object);
  stmt = kt_db_stmt (local->db, sql, error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, id);
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ROW)
    {
      int column = 1;

      record = kt_record_new (object, id);
      kt_table_value (stmt, column++, object->title, &record->values[object->title->index]);
      if (object->translations != NULL)
        kt_table_value (stmt, column++, object->translations,
                        &record->values[object->translations->index]);
      if (number != NULL && number != object->title)
        kt_table_value (stmt, column++, number, &record->values[number->index]);
      *title = kt_record_title (record, local->locale);
    }
  return step != KT_STEP_ERROR;
}

gboolean
_kt_local_title (KtLocal *local,
                 const KtObject *object,
                 const KtId *id,
                 char **title,
                 GError **error)
{
  const KtObject *const *objects;
  const KtObject *own;
  guint n = 0;

  *title = NULL;
  if (local->schema == NULL)
    return TRUE;
  if (object != NULL)
    {
      own = _kt_local_object (local, object);
      return own == NULL || read_title (local, own, id, title, error);
    }
  objects = kt_schema_objects (local->schema, &n);
  for (guint i = 0; i < n && *title == NULL; i++)
    if (!read_title (local, objects[i], id, title, error))
      return FALSE;
  return TRUE;
}

GPtrArray *
kt_local_titles (KtLocal *local, const KtRefKey *keys, guint n, GError **error)
{
  g_autoptr (GPtrArray) titles = g_ptr_array_new_full (n, g_free);
  gboolean mine;
  gboolean done = TRUE;

  g_return_val_if_fail (keys != NULL || n == 0, NULL);

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  for (guint i = 0; i < n && done; i++)
    {
      char *title = NULL;

      done = _kt_local_title (local, keys[i].object, &keys[i].id, &title, error);
      g_ptr_array_add (titles, title);
    }
  _kt_local_read_end (local, mine);
  return done ? g_steal_pointer (&titles) : NULL;
}
