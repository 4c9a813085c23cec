/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rows on their way into a page: see kt-rows.h. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-rows.h"

#include <string.h>

#include "db/kt-table.h"

typedef struct
{
  KtId id;
  gint64 rev;
  guint first, n;
} Row;
typedef struct
{
  guint field;
  KtValue value;
} Cell;

void
_kt_rows_init (KtRows *block, const KtActor *actor, const KtObject *object)
{
  block->access = &actor->access;
  block->object = object;
  block->rows = g_array_new (FALSE, FALSE, sizeof (Row));
  block->cells = g_array_new (FALSE, FALSE, sizeof (Cell));
  block->text = g_string_chunk_new (64 * 1024);
  block->used = g_malloc0 (object->n_fields + 1);
  block->sight = g_malloc0 (object->n_fields + 1);
  for (guint i = 0; i < object->n_fields; i++)
    block->sight[i] = (guint8) kt_access_sight (&actor->access, object->fields[i]);
  block->cut = !actor->access.admin && strcmp (object->name, "sync_conflict") == 0;
}

void
_kt_rows_clear (KtRows *block)
{
  g_clear_pointer (&block->rows, g_array_unref);
  g_clear_pointer (&block->cells, g_array_unref);
  g_clear_pointer (&block->text, g_string_chunk_free);
  g_clear_pointer (&block->used, g_free);
  g_clear_pointer (&block->sight, g_free);
}

gboolean
_kt_rows_full (const KtRows *block, KtPageWriter *writer)
{
  return kt_page_writer_size (writer) + block->bytes > KT_WIRE_MAX_PAGE - KT_WIRE_MAX_PAGE / 8;
}

/* Columns of a row: rid, id, rev, then the fields, two for money and ref_any. */
static guint
columns_of (const KtField *field)
{
  return field->storage == KT_VALUE_MONEY || field->storage == KT_VALUE_ANY ? 2 : 1;
}

static void
keep_cell (KtRows *block, Row *row, guint i, KtValue *value)
{
  Cell cell = { .field = i };

  if (value->type == KT_VALUE_NULL)
    return;
  cell.value = *value;
  block->bytes += 24;
  if (value->type == KT_VALUE_TEXT || value->type == KT_VALUE_LIST || value->type == KT_VALUE_JSON)
    {
      gsize len = strlen (value->v.text);

      cell.value.v.text = g_string_chunk_insert_len (block->text, value->v.text, (gssize) len);
      cell.value.borrowed = TRUE;
      block->bytes += len;
    }
  block->used[i] = TRUE;
  g_array_append_val (block->cells, cell);
  row->n++;
}

/* What tells of other records is cut to what may be seen of them. */
static void
add_cut (KtRows *block, Row *row, KtStmt *stmt)
{
  g_autoptr (KtRecord) record = kt_table_read (stmt, 0, block->object);

  kt_access_cut (block->access, record);
  for (guint i = 0; i < block->object->n_fields; i++)
    keep_cell (block, row, i, &record->values[i]);
}

void
_kt_rows_add (KtRows *block, KtStmt *stmt)
{
  Row row = { .first = block->cells->len };
  int column = 3;

  kt_stmt_id (stmt, 1, &row.id);
  row.rev = kt_stmt_int (stmt, 2);
  block->bytes += 50;
  if (block->cut)
    add_cut (block, &row, stmt);
  for (guint i = 0; !block->cut && i < block->object->n_fields; i++)
    {
      const KtField *field = block->object->fields[i];
      int at = column;
      g_auto (KtValue) masked = KT_VALUE_INIT;
      KtValue value = KT_VALUE_INIT;

      column += (int) columns_of (field);
      if (block->sight[i] == KT_SIGHT_HIDDEN || kt_stmt_is_null (stmt, at))
        continue;
      kt_table_value (stmt, at, field, &value);
      if (block->sight[i] == KT_SIGHT_MASKED)
        kt_access_mask (field, &value, &masked);
      keep_cell (block, &row, i, block->sight[i] == KT_SIGHT_MASKED ? &masked : &value);
    }
  g_array_append_val (block->rows, row);
}

void
_kt_rows_write (KtRows *block, KtPageWriter *writer)
{
  g_autofree const KtField **fields = NULL;
  g_autofree KtValue *values = NULL;
  g_autofree guint *place = NULL;
  guint n = 0;

  if (block->rows->len == 0)
    return;
  fields = g_new0 (const KtField *, block->object->n_fields + 1);
  place = g_new0 (guint, block->object->n_fields + 1);
  for (guint i = 0; i < block->object->n_fields; i++)
    if (block->used[i])
      {
        place[i] = n;
        fields[n++] = block->object->fields[i];
      }
  values = g_new0 (KtValue, n + 1);
  kt_page_writer_block (writer, block->object, fields, n);
  for (guint r = 0; r < block->rows->len; r++)
    {
      const Row *row = &g_array_index (block->rows, Row, r);

      memset (values, 0, n * sizeof *values);
      for (guint c = row->first; c < row->first + row->n; c++)
        {
          const Cell *cell = &g_array_index (block->cells, Cell, c);

          values[place[cell->field]] = cell->value;
        }
      kt_page_writer_row (writer, &row->id, row->rev, values);
    }
}

/* ---- single rows ---- */

static gboolean
add_found (KtStmt *stmt, gpointer rows)
{
  _kt_rows_add (rows, stmt);
  return TRUE;
}

/* One row by its id. *found: there is one, and the user may have it. */
static gboolean
add_row (KtCore *core,
         const KtActor *actor,
         KtRows *rows,
         const KtId *id,
         gboolean *found,
         GError **error)
{
  g_autofree char *sql =
    g_strdup_printf ("SELECT rid FROM \"o_%s\" WHERE id = ?1", rows->object->name);
  g_autoptr (GArray) rids = g_array_new (FALSE, FALSE, sizeof (gint64));
  gint64 rid;

  *found = FALSE;
  if (!kt_db_get_int (core->db, -1, &rid, error, sql, KT_BIND_ID, id, KT_BIND_END))
    return FALSE;
  if (rid < 0)
    return TRUE;
  if (!_kt_scope_sees (core, actor, rows->object, rid, found, error))
    return FALSE;
  g_array_append_val (rids, rid);
  return !*found || _kt_scope_load (core, rows->object, rids, add_found, rows, error);
}

gboolean
_kt_core_put_rows (KtCore *core,
                   const KtActor *actor,
                   const KtObject *object,
                   const KtId *ids,
                   guint n,
                   KtPageWriter *writer,
                   gboolean *all,
                   GError **error)
{
  g_auto (KtRows) rows = { 0 };
  guint i;

  _kt_rows_init (&rows, actor, object);
  for (i = 0; i < n && (i == 0 || !_kt_rows_full (&rows, writer)); i++)
    {
      gboolean found;

      if (!add_row (core, actor, &rows, &ids[i], &found, error))
        return FALSE;
      if (!found)
        kt_page_writer_gone (writer, object, &ids[i]);
    }
  *all = i == n;
  _kt_rows_write (&rows, writer);
  return TRUE;
}
