/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a device does not have yet.
 *
 *   snapshot   object by object, in the order of core->order, by rid:
 *              [object 1 …][object 2 ……][…]      each page one snapshot of the database, rows with rev > seq0 left out:
 *                                                 they are in the log after seq0 and come with the changes
 *   changes    the log after cursor.seq, cut at a commit boundary:
 *              seq0 ├──────────── end ────── now   records whose rev lies in (seq0, end], at their current version;
 *                                                 one that was changed again after end comes with a later page
 *
 * The cursor that says "all up to now" is only ever given with the page that reaches the newest seq of its own snapshot
 * (20), so a device that has applied all pages stands exactly at that commit (P5). */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

#define DEFAULT_ROWS 5000
#define MAX_ROWS 20000
#define SCOPE \
  1 /* NEEDSWORK: becomes the version of the user's roles in the next commit */

/* Rows of one object, held back until it is known which fields are in use. */
typedef struct
{
  const KtObject *object;
  GArray *rows;  /* Row */
  GArray *cells; /* Cell: only what is not NULL */
  GStringChunk *text;
  guint8 *used; /* by field */
  gsize bytes;  /* estimate of what is held back */
} Block;

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

static void
block_init (Block *block, const KtObject *object)
{
  block->object = object;
  block->rows = g_array_new (FALSE, FALSE, sizeof (Row));
  block->cells = g_array_new (FALSE, FALSE, sizeof (Cell));
  block->text = g_string_chunk_new (64 * 1024);
  block->used = g_malloc0 (object->n_fields + 1);
}

static void
block_clear (Block *block)
{
  g_clear_pointer (&block->rows, g_array_unref);
  g_clear_pointer (&block->cells, g_array_unref);
  g_clear_pointer (&block->text, g_string_chunk_free);
  g_clear_pointer (&block->used, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Block, block_clear)

/* Columns of a row: rid, id, rev, then the fields, two for money and ref_any. */
static guint
columns_of (const KtField *field)
{
  return field->storage == KT_VALUE_MONEY || field->storage == KT_VALUE_ANY ? 2 : 1;
}

static void
block_add (Block *block, KtStmt *stmt)
{
  Row row = { .first = block->cells->len };
  int column = 3;

  kt_stmt_id (stmt, 1, &row.id);
  row.rev = kt_stmt_int (stmt, 2);
  block->bytes += 50;
  for (guint i = 0; i < block->object->n_fields; i++)
    {
      const KtField *field = block->object->fields[i];
      int at = column;
      Cell cell = { .field = i };

      column += (int) columns_of (field);
      if (kt_stmt_is_null (stmt, at))
        continue;
      kt_table_value (stmt, at, field, &cell.value);
      if (cell.value.type == KT_VALUE_NULL)
        continue;
      block->bytes += 24;
      if (cell.value.type == KT_VALUE_TEXT || cell.value.type == KT_VALUE_LIST
          || cell.value.type == KT_VALUE_JSON)
        {
          gsize len = strlen (cell.value.v.text);

          cell.value.v.text =
            g_string_chunk_insert_len (block->text, cell.value.v.text, (gssize) len);
          cell.value.borrowed = TRUE;
          block->bytes += len;
        }
      block->used[i] = TRUE;
      g_array_append_val (block->cells, cell);
      row.n++;
    }
  g_array_append_val (block->rows, row);
}

static void
block_write (Block *block, KtPageWriter *writer)
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

/* "SELECT rid, id, rev, … FROM o_x o" and, if the user's scope is not everything, whether the row is in it as the last column. */
KtSql *
_kt_core_select_rows (KtCore *core,
                      const KtActor *actor,
                      const KtObject *object,
                      gboolean *scoped,
                      GError **error)
{
  g_autoptr (KtFilter) scope = NULL;
  KtSqlContext context = { .env = core->env, .me = actor->access.user };
  g_autoptr (KtSql) sql = kt_sql_new (core->db, &context);
  g_autofree char *table = _kt_table_name (object);

  *scoped = scope != NULL;
  kt_sql_append (sql, "SELECT ");
  kt_sql_append (sql, kt_table_columns (core->db, object, "o"));
  if (scope != NULL)
    {
      kt_sql_append (sql, ", CASE WHEN ");
      if (!kt_sql_append_filter (sql, scope, "o", error))
        return NULL;
      kt_sql_append (sql, " THEN 1 ELSE 0 END");
    }
  kt_sql_append (sql, " FROM ");
  kt_sql_append (sql, table);
  kt_sql_append (sql, " o WHERE ");
  return g_steal_pointer (&sql);
}

gboolean
_kt_core_in_scope (KtStmt *stmt, const KtObject *object, gboolean scoped)
{
  return !scoped || kt_stmt_int (stmt, (int) kt_table_n_columns (object)) != 0;
}

/* The last of the device's own mutations, in a page that ends at the head: there, all that were decided are covered. */
static gboolean
put_settled (KtCore *core, const KtActor *actor, gint64 end, KtPageWriter *writer, GError **error)
{
  gint64 number;

  if (
    !kt_db_get_int (
      core->db, -1, &number, error,
      "SELECT d.last_number FROM kt_device d, kt_meta m WHERE d.id = ?1 AND m.key = 'seq' AND m.number = ?2",
      KT_BIND_ID, &actor->device, KT_BIND_INT, end, KT_BIND_END))
    return FALSE;
  if (number >= 0)
    kt_page_writer_settled (writer, number);
  return TRUE;
}

/* ---- first pull ---- */

/* Rows of one object behind cursor->rid. *full: the page has no room for more. */
static gboolean
snapshot_object (KtCore *core,
                 const KtActor *actor,
                 const KtObject *object,
                 KtCursor *cursor,
                 guint limit,
                 KtPageWriter *writer,
                 gboolean *full,
                 GError **error)
{
  g_auto (Block) block = { 0 };
  g_autoptr (KtSql) sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  gboolean scoped;
  KtStep step;
  guint left = limit - kt_page_writer_rows (writer), seen = 0;

  block_init (&block, object);
  sql = _kt_core_select_rows (core, actor, object, &scoped, error);
  if (sql == NULL)
    return FALSE;
  kt_sql_append (sql, "o.rid > ");
  kt_sql_append_int (sql, cursor->rid);
  kt_sql_append (sql, " ORDER BY o.rid LIMIT ");
  kt_sql_append_int (sql, left);
  stmt = kt_sql_stmt (sql, error);
  if (stmt == NULL)
    return FALSE;
  *full = FALSE;
  while (!*full && (step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      seen++;
      cursor->rid = kt_stmt_int (stmt, 0);
      if (kt_stmt_int (stmt, 2) <= cursor->seq && _kt_core_in_scope (stmt, object, scoped))
        block_add (&block, stmt);
      *full =
        seen >= left
        || kt_page_writer_size (writer) + block.bytes > KT_WIRE_MAX_PAGE - KT_WIRE_MAX_PAGE / 8;
    }
  if (!*full && step == KT_STEP_ERROR)
    return FALSE;
  block_write (&block, writer);
  return TRUE;
}

static gboolean
count_rows (KtCore *core, gint64 *total, GError **error)
{
  *total = 0;
  for (const KtObject **object = core->order; *object != NULL; object++)
    {
      g_autofree char *sql = g_strdup_printf ("SELECT count(*) FROM \"o_%s\"", (*object)->name);
      gint64 n;

      if (!kt_db_get_int (core->db, 0, &n, error, sql, KT_BIND_END))
        return FALSE;
      *total += n;
    }
  return TRUE;
}

static GBytes *
snapshot_page (KtCore *core,
               const KtActor *actor,
               KtCursor *cursor,
               gint64 now_seq,
               guint limit,
               GError **error)
{
  gboolean first = cursor->object == 0 && cursor->rid == 0, full = FALSE;
  const KtObject **object = core->order;
  KtPageWriter *writer;
  g_autofree char *text = NULL;
  gint64 total = -1;

  if (first && !count_rows (core, &total, error))
    return NULL;
  if (cursor->object != 0)
    while (*object != NULL && (*object)->number != cursor->object)
      object++;
  /* The object that was being sent is gone from the schema: begin again rather than skip anything. */
  if (*object == NULL && cursor->object != 0)
    {
      object = core->order;
      cursor->rid = 0;
    }

  writer = kt_page_writer_new (&core->epoch, TRUE, kt_schema_digest (core->schema), total);
  for (; *object != NULL && !full; object++)
    {
      if (cursor->object != (*object)->number)
        cursor->rid = 0;
      cursor->object = (*object)->number;
      if (!snapshot_object (core, actor, *object, cursor, limit, writer, &full, error))
        {
          g_bytes_unref (kt_page_writer_finish (writer, "", TRUE, 0));
          return NULL;
        }
    }
  if (!put_settled (core, actor, cursor->seq, writer, error))
    {
      g_bytes_unref (kt_page_writer_finish (writer, "", TRUE, 0));
      return NULL;
    }
  if (!full)
    {
      cursor->snapshot = FALSE;
      cursor->object = 0;
      cursor->rid = 0;
    }
  text = kt_cursor_encode (cursor);
  return kt_page_writer_finish (writer, text, full || now_seq > cursor->seq, cursor->seq);
}

/* ---- changes ---- */

/* The last commit that a page of at most @limit log rows reaches; always at least one commit. *rows: how many there are. */
static gboolean
find_end (KtCore *core,
          gint64 from,
          gint64 now_seq,
          guint limit,
          gint64 *end,
          guint *rows,
          GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    core->db, "SELECT seq, count(*) FROM kt_log WHERE seq > ?1 GROUP BY seq ORDER BY seq", error);
  guint commits = 0;
  KtStep step;

  *rows = 0;
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, from);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      guint n = (guint) kt_stmt_int (stmt, 1);

      if (commits > 0 && *rows + n > limit)
        return TRUE;
      commits++;
      *rows += n;
      *end = kt_stmt_int (stmt, 0);
    }
  /* Commits that touched no record (refusals) stand at the end as well. */
  *end = now_seq;
  return step != KT_STEP_ERROR;
}

/* Which objects have rows in the log of (from, end]. */
static gboolean
find_touched (KtCore *core,
              gint64 from,
              gint64 end,
              GHashTable *objects,
              gboolean *any_gone,
              GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    core->db, "SELECT object, max(gone) FROM kt_log WHERE seq > ?1 AND seq <= ?2 GROUP BY object",
    error);
  KtStep step;

  *any_gone = FALSE;
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, from);
  kt_stmt_bind_int (stmt, 2, end);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_hash_table_add (objects, GUINT_TO_POINTER ((guint) kt_stmt_int (stmt, 0)));
      *any_gone |= kt_stmt_int (stmt, 1) != 0;
    }
  return step == KT_STEP_DONE;
}

static gboolean
changed_rows (KtCore *core,
              const KtActor *actor,
              const KtObject *object,
              gint64 from,
              gint64 end,
              KtPageWriter *writer,
              gboolean *too_large,
              GError **error)
{
  g_auto (Block) block = { 0 };
  g_autoptr (KtSql) sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  gboolean scoped;
  KtStep step = KT_STEP_DONE;

  block_init (&block, object);
  sql = _kt_core_select_rows (core, actor, object, &scoped, error);
  if (sql == NULL)
    return FALSE;
  kt_sql_append (sql, "o.rev > ");
  kt_sql_append_int (sql, from);
  kt_sql_append (sql, " AND o.rev <= ");
  kt_sql_append_int (sql, end);
  kt_sql_append (sql, " ORDER BY o.rev, o.rid");
  stmt = kt_sql_stmt (sql, error);
  if (stmt == NULL)
    return FALSE;
  while (!*too_large && (step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      KtId id;

      if (_kt_core_in_scope (stmt, object, scoped))
        block_add (&block, stmt);
      else if (kt_stmt_id (stmt, 1, &id))
        kt_page_writer_gone (writer, object, &id);
      *too_large =
        kt_page_writer_size (writer) + block.bytes > KT_WIRE_MAX_PAGE - KT_WIRE_MAX_PAGE / 8;
    }
  if (step == KT_STEP_ERROR)
    return FALSE;
  block_write (&block, writer);
  return TRUE;
}

/* Erased for good: there is no row any more to carry a rev. */
static gboolean
gone_rows (KtCore *core, gint64 from, gint64 end, KtPageWriter *writer, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    core->db,
    "SELECT object, id FROM kt_log WHERE seq > ?1 AND seq <= ?2 AND gone = 1 ORDER BY seq", error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, from);
  kt_stmt_bind_int (stmt, 2, end);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      const KtObject *object =
        kt_schema_object_by_number (core->schema, (guint) kt_stmt_int (stmt, 0));
      KtId id;

      if (object != NULL && object->sync != KT_SYNC_DEMAND && kt_stmt_id (stmt, 1, &id))
        kt_page_writer_gone (writer, object, &id);
    }
  return step == KT_STEP_DONE;
}

/* *too_large: nothing came of it, ask for less. */
static GBytes *
try_changes (KtCore *core,
             const KtActor *actor,
             KtCursor *cursor,
             gint64 now_seq,
             gint64 end,
             gboolean may_be_large,
             gboolean *too_large,
             GError **error)
{
  g_autoptr (GHashTable) touched = g_hash_table_new (NULL, NULL);
  KtPageWriter *writer =
    kt_page_writer_new (&core->epoch, FALSE, kt_schema_digest (core->schema), -1);
  g_autofree char *text = NULL;
  gboolean done, any_gone;

  *too_large = FALSE;
  done = find_touched (core, cursor->seq, end, touched, &any_gone, error);
  for (const KtObject **object = core->order; done && !*too_large && *object != NULL; object++)
    if (g_hash_table_contains (touched, GUINT_TO_POINTER ((*object)->number)))
      {
        done = changed_rows (core, actor, *object, cursor->seq, end, writer, too_large, error);
        if (may_be_large)
          *too_large = FALSE;
      }
  if (done && any_gone && !*too_large)
    done = gone_rows (core, cursor->seq, end, writer, error);
  if (done && !*too_large)
    done = put_settled (core, actor, end, writer, error);
  if (!done || *too_large)
    {
      g_bytes_unref (kt_page_writer_finish (writer, "", TRUE, 0));
      return NULL;
    }
  cursor->seq = end;
  text = kt_cursor_encode (cursor);
  return kt_page_writer_finish (writer, text, end < now_seq, end);
}

static GBytes *
changes_page (KtCore *core,
              const KtActor *actor,
              KtCursor *cursor,
              gint64 now_seq,
              guint limit,
              GError **error)
{
  for (;;)
    {
      gint64 end = now_seq;
      guint rows = 0;
      gboolean too_large;
      GBytes *page;

      if (cursor->seq < now_seq
          && !find_end (core, cursor->seq, now_seq, limit, &end, &rows, error))
        return NULL;
      page = try_changes (core, actor, cursor, now_seq, end, limit == 0, &too_large, error);
      if (page != NULL || !too_large)
        return page;
      /* Less at a time; in the end one commit, however large it is. */
      limit = MIN (limit, rows) / 2;
    }
}

/* ---- single rows ---- */

/* One row by its id. *found: there is one, and the user may have it. */
static gboolean
add_row (KtCore *core,
         const KtActor *actor,
         Block *block,
         const KtId *id,
         gboolean *found,
         GError **error)
{
  g_autoptr (KtSql) sql = NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;
  KT_STMT_SCOPE *stmt = NULL;
  gboolean scoped;
  KtStep step;

  sql = _kt_core_select_rows (core, actor, block->object, &scoped, error);
  if (sql == NULL)
    return FALSE;
  kt_sql_append (sql, "o.id = ");
  kt_value_set_id (&value, id);
  kt_sql_append_value (sql, &value);
  stmt = kt_sql_stmt (sql, error);
  if (stmt == NULL)
    return FALSE;
  step = kt_stmt_step (stmt, error);
  *found = step == KT_STEP_ROW && _kt_core_in_scope (stmt, block->object, scoped);
  if (*found)
    block_add (block, stmt);
  return step != KT_STEP_ERROR;
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
  g_auto (Block) block = { 0 };
  gsize room = KT_WIRE_MAX_PAGE - KT_WIRE_MAX_PAGE / 8;
  guint i;

  block_init (&block, object);
  for (i = 0; i < n && (i == 0 || kt_page_writer_size (writer) + block.bytes < room); i++)
    {
      gboolean found;

      if (!add_row (core, actor, &block, &ids[i], &found, error))
        return FALSE;
      if (!found)
        kt_page_writer_gone (writer, object, &ids[i]);
    }
  *all = i == n;
  block_write (&block, writer);
  return TRUE;
}

/* ---- request ---- */

static gboolean
read_cursor (KtCore *core,
             const KtActor *actor,
             const KtRequest *request,
             gint64 now_seq,
             KtCursor *cursor,
             GError **error)
{
  g_autofree char *text = kt_request_get_query (request, "cursor");
  gboolean told;

  if (!_kt_core_query_epoch (request, &cursor->epoch, &told, error))
    return FALSE;
  if (told && !kt_id_equal (&cursor->epoch, &core->epoch))
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_EPOCH, "Another life");
      return FALSE;
    }
  if (text == NULL || *text == '\0')
    {
      *cursor = (KtCursor){ .epoch = core->epoch,
                            .seq = now_seq,
                            .scope = SCOPE,
                            .user = actor->access.user,
                            .snapshot = TRUE };
      return TRUE;
    }
  if (!kt_cursor_decode (text, cursor, error))
    return FALSE;
  if (!kt_id_equal (&cursor->epoch, &core->epoch) || cursor->seq > now_seq || cursor->seq < 0)
    {
      g_set_error (
        error, KT_ERROR, KT_ERROR_EPOCH,
        "The server's database was restored or replaced since this device last asked: begin again");
      return FALSE;
    }
  if (!kt_id_equal (&cursor->user, &actor->access.user) || cursor->scope != SCOPE)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "The cursor is another user's: begin again without one");
      return FALSE;
    }
  return TRUE;
}

KtReply *
_kt_core_pull (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) page = NULL;
  KtCursor cursor;
  KtReply *reply;
  gint64 limit, now_seq;

  if (!kt_db_get_int (core->db, 0, &now_seq, &error, "SELECT number FROM kt_meta WHERE key = 'seq'",
                      KT_BIND_END)
      || !_kt_query_int (request, "limit", DEFAULT_ROWS, 1, MAX_ROWS, &limit, &error)
      || !read_cursor (core, actor, request, now_seq, &cursor, &error))
    return g_error_matches (error, KT_ERROR, KT_ERROR_EPOCH)
             ? _kt_core_gone (core, actor, &cursor.epoch)
             : _kt_reply_error (error);

  page = cursor.snapshot ? snapshot_page (core, actor, &cursor, now_seq, (guint) limit, &error)
                         : changes_page (core, actor, &cursor, now_seq, (guint) limit, &error);
  if (page == NULL)
    return _kt_reply_error (error);
  reply = kt_reply_new (200);
  reply->content_type = g_strdup (KT_WIRE_CONTENT_PAGE);
  reply->body = g_steal_pointer (&page);
  return reply;
}
