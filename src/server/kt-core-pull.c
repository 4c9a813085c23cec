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
 *   scope      what the user may see is another than the cursor's: kt-core-move.c first, then the changes
 *
 * Of an object that the user sees whole nothing but the log is asked; of any other the tokens of what changed (kt-scope.h).
 *
 * The cursor that says "all up to now" is only ever given with the page that reaches the newest seq of its own snapshot
 * (20), so a device that has applied all pages stands exactly at that commit (P5). */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-rows.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

#define DEFAULT_ROWS 5000
#define MAX_ROWS 20000

/* "SELECT rid, id, rev, … FROM o_x o WHERE ". */
static KtSql *
select_rows (KtCore *core, const KtActor *actor, const KtObject *object)
{
  KtSqlContext context = { .env = core->env, .me = actor->access.user };
  KtSql *sql = kt_sql_new (core->db, &context);
  g_autofree char *table = _kt_table_name (object);

  kt_sql_append (sql, "SELECT ");
  kt_sql_append (sql, kt_table_columns (core->db, object, "o"));
  kt_sql_append (sql, " FROM ");
  kt_sql_append (sql, table);
  kt_sql_append (sql, " o WHERE ");
  return sql;
}

/* The last of the device's own mutations, in a page that ends at the head: there, all that were decided are covered. */
static gboolean
put_settled (KtCore *core,
             const KtActor *actor,
             gint64 from,
             gint64 end,
             KtPageWriter *writer,
             GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    core->db,
    "SELECT d.last_number, v.id FROM kt_meta m JOIN kt_device d ON d.id = ?1"
    " LEFT JOIN kt_verdict v ON v.device = d.id AND v.number = d.last_number AND v.seq > ?3"
    " WHERE m.key = 'seq' AND m.number = ?2",
    error);
  KtStep step;
  KtId id;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &actor->device);
  kt_stmt_bind_int (stmt, 2, end);
  kt_stmt_bind_int (stmt, 3, from);
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ROW)
    kt_page_writer_settled (writer, kt_stmt_int (stmt, 0), kt_stmt_id (stmt, 1, &id) ? &id : NULL);
  return step != KT_STEP_ERROR;
}

static KtPageWriter *
new_page (KtPull *pull, gboolean snapshot, gint64 total)
{
  return kt_page_writer_new_for (&pull->core->epoch, snapshot,
                                 kt_schema_digest (pull->core->schema),
                                 kt_rights_digest (pull->actor->access.rights), total);
}

static void
drop_page (KtPageWriter *writer)
{
  g_bytes_unref (kt_page_writer_finish (writer, "", TRUE, 0));
}

/* ---- first pull ---- */

typedef struct
{
  KtRows *rows;
  KtCursor *cursor;
  KtPageWriter *writer;
  gboolean full;
} Snapshot;

static gboolean
snapshot_row (KtStmt *stmt, gpointer data)
{
  Snapshot *snapshot = data;

  snapshot->cursor->rid = kt_stmt_int (stmt, 0);
  if (kt_stmt_int (stmt, 2) <= snapshot->cursor->seq)
    _kt_rows_add (snapshot->rows, stmt);
  snapshot->full = _kt_rows_full (snapshot->rows, snapshot->writer);
  return !snapshot->full;
}

/* What the user sees of an object they do not see whole. */
static gboolean
snapshot_seen (KtPull *pull,
               const KtObject *object,
               guint left,
               Snapshot *snapshot,
               GError **error)
{
  g_autoptr (GArray) rids =
    _kt_scope_rids (pull->core, pull->now, object, snapshot->cursor->rid, left, error);

  if (rids == NULL
      || !_kt_scope_load (pull->core, object, rids, snapshot_row, snapshot, error))
    return FALSE;
  snapshot->full |= rids->len >= left;
  return TRUE;
}

static gboolean
snapshot_whole (KtPull *pull,
                const KtObject *object,
                guint left,
                Snapshot *snapshot,
                GError **error)
{
  g_autoptr (KtSql) sql = select_rows (pull->core, pull->actor, object);
  KT_STMT_SCOPE *stmt = NULL;
  guint seen = 0;
  KtStep step = KT_STEP_DONE;

  kt_sql_append (sql, "o.rid > ");
  kt_sql_append_int (sql, snapshot->cursor->rid);
  kt_sql_append (sql, " ORDER BY o.rid LIMIT ");
  kt_sql_append_int (sql, left);
  stmt = kt_sql_stmt (sql, error);
  if (stmt == NULL)
    return FALSE;
  while (!snapshot->full && (step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      snapshot_row (stmt, snapshot);
      snapshot->full |= ++seen >= left;
    }
  return step != KT_STEP_ERROR;
}

/* Rows of one object behind cursor->rid. *full: the page has no room for more. */
static gboolean
snapshot_object (KtPull *pull,
                 const KtObject *object,
                 KtCursor *cursor,
                 KtPageWriter *writer,
                 gboolean *full,
                 GError **error)
{
  g_auto (KtRows) rows = { 0 };
  Snapshot snapshot = { &rows, cursor, writer, FALSE };
  guint left = pull->limit - MIN (pull->limit, kt_page_writer_rows (writer));

  *full = left == 0;
  if (*full || !kt_subscriptions_any (pull->now, object))
    return TRUE;
  _kt_rows_init (&rows, pull->actor, object);
  if (!(kt_subscriptions_all (pull->now, object)
          ? snapshot_whole (pull, object, left, &snapshot, error)
          : snapshot_seen (pull, object, left, &snapshot, error)))
    return FALSE;
  _kt_rows_write (&rows, writer);
  *full = snapshot.full;
  return TRUE;
}

/* Roughly: a record with several of the user's tokens counts for each. */
static gboolean
count_seen (KtPull *pull, const KtObject *object, gint64 *total, GError **error)
{
  g_autoptr (GArray) tokens = kt_subscriptions_tokens (pull->now, object);

  for (guint i = 0; i < tokens->len; i++)
    {
      gint64 n;

      if (!kt_db_get_int (pull->core->db, 0, &n, error,
                          "SELECT count(*) FROM kt_audience WHERE object = ?1 AND token = ?2",
                          KT_BIND_INT, (gint64) object->number, KT_BIND_BLOB,
                          g_array_index (tokens, KtToken, i).b, (gsize) KT_TOKEN_BYTES,
                          KT_BIND_END))
        return FALSE;
      *total += n;
    }
  return TRUE;
}

static gboolean
count_rows (KtPull *pull, gint64 *total, GError **error)
{
  *total = 0;
  for (const KtObject **object = pull->core->order; *object != NULL; object++)
    {
      g_autofree char *sql = NULL;
      gint64 n;

      if (!kt_subscriptions_all (pull->now, *object))
        {
          if (!count_seen (pull, *object, total, error))
            return FALSE;
          continue;
        }
      sql = g_strdup_printf ("SELECT count(*) FROM \"o_%s\"", (*object)->name);
      if (!kt_db_get_int (pull->core->db, 0, &n, error, sql, KT_BIND_END))
        return FALSE;
      *total += n;
    }
  return TRUE;
}

static GBytes *
snapshot_page (KtPull *pull, KtCursor *cursor, GError **error)
{
  gboolean first = cursor->object == 0 && cursor->rid == 0, full = FALSE;
  const KtObject **object = pull->core->order;
  KtPageWriter *writer;
  g_autofree char *text = NULL;
  gint64 total = -1;

  if (first && !count_rows (pull, &total, error))
    return NULL;
  if (cursor->object != 0)
    while (*object != NULL && (*object)->number != cursor->object)
      object++;
  /* The object that was being sent is gone from the schema: begin again rather than skip anything. */
  if (*object == NULL && cursor->object != 0)
    {
      object = pull->core->order;
      cursor->rid = 0;
    }

  writer = new_page (pull, TRUE, total);
  for (; *object != NULL && !full; object++)
    {
      if (cursor->object != (*object)->number)
        cursor->rid = 0;
      cursor->object = (*object)->number;
      if (!snapshot_object (pull, *object, cursor, writer, &full, error))
        {
          drop_page (writer);
          return NULL;
        }
    }
  if (!put_settled (pull->core, pull->actor, 0, cursor->seq, writer, error))
    {
      drop_page (writer);
      return NULL;
    }
  if (!full)
    {
      cursor->snapshot = FALSE;
      cursor->object = 0;
      cursor->rid = 0;
      /* Roles changed on the way: what was sent before that came by other scopes. */
      if (cursor->n_held > 0)
        cursor->move = KT_CURSOR_LEAVE;
    }
  text = kt_cursor_encode (cursor);
  return kt_page_writer_finish (
    writer, text, full || pull->now_seq > cursor->seq || cursor->move != KT_CURSOR_STAY,
    cursor->seq);
}

/* ---- another scope ---- */

static GBytes *
move_page (KtPull *pull, KtCursor *cursor, GError **error)
{
  KtPageWriter *writer = new_page (pull, FALSE, -1);
  g_autofree char *text = NULL;
  gboolean done;

  if (!_kt_pull_move (pull, cursor, writer, &done, error)
      || !put_settled (pull->core, pull->actor, 0, cursor->seq, writer, error))
    {
      drop_page (writer);
      return NULL;
    }
  done = done && pull->now_seq == cursor->seq;
  if (done)
    cursor->n_held = 0;
  text = kt_cursor_encode (cursor);
  return kt_page_writer_finish (writer, text, !done, cursor->seq);
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

/* Which records of the window (from, end] the user sees now, and of the others which could be on the device. */
typedef struct
{
  GArray *seen;     /* gint64: rids, ascending */
  GHashTable *sees; /* the same as a set */
  GHashTable *held; /* rids of what had, at from, a token by which it could be held; NULL: nothing is asked */
  GHashTable *any;  /* rids of what has any token since from or before */
} Window;

static void
window_clear (Window *window)
{
  g_clear_pointer (&window->seen, g_array_unref);
  g_clear_pointer (&window->sees, g_hash_table_unref);
  g_clear_pointer (&window->held, g_hash_table_unref);
  g_clear_pointer (&window->any, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Window, window_clear)

static GHashTable *
new_set (void)
{
  return g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
}

static gboolean
add_to (GHashTable *set, gint64 rid)
{
  return g_hash_table_add (set, g_memdup2 (&rid, sizeof rid));
}

static gboolean
look_through (KtPull *pull,
              const KtObject *object,
              gint64 from,
              gint64 end,
              Window *window,
              GError **error)
{
  g_autofree char *sql = g_strdup_printf (
    "SELECT o.rid, a.token, a.since FROM \"o_%s\" o JOIN kt_audience a ON a.object = ?1"
    " AND a.rid = o.rid WHERE o.rev > ?2 AND o.rev <= ?3 ORDER BY o.rid",
    object->name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (pull->core->db, sql, error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, object->number);
  kt_stmt_bind_int (stmt, 2, from);
  kt_stmt_bind_int (stmt, 3, end);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gint64 rid = kt_stmt_int (stmt, 0);
      gsize len;
      const void *bytes = kt_stmt_blob (stmt, 1, &len);
      KtToken token;

      if (len != KT_TOKEN_BYTES)
        continue;
      memcpy (token.b, bytes, len);
      if (kt_subscriptions_any (pull->now, object) && kt_subscriptions_has (pull->now, &token)
          && add_to (window->sees, rid))
        g_array_append_val (window->seen, rid);
      if (window->held == NULL)
        continue;
      add_to (window->any, rid);
      if (kt_stmt_int (stmt, 2) <= from && _kt_pull_held (pull, object, &token))
        add_to (window->held, rid);
    }
  return step == KT_STEP_DONE;
}

typedef struct
{
  KtRows *rows;
  KtPageWriter *writer;
  gboolean large;
} Change;

static gboolean
change_row (KtStmt *stmt, gpointer data)
{
  Change *change = data;

  _kt_rows_add (change->rows, stmt);
  change->large |= _kt_rows_full (change->rows, change->writer);
  return TRUE;
}

static gboolean
changed_whole (KtPull *pull,
               const KtObject *object,
               gint64 from,
               gint64 end,
               Change *change,
               GError **error)
{
  g_autoptr (KtSql) sql = select_rows (pull->core, pull->actor, object);
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step = KT_STEP_DONE;

  kt_sql_append (sql, "o.rev > ");
  kt_sql_append_int (sql, from);
  kt_sql_append (sql, " AND o.rev <= ");
  kt_sql_append_int (sql, end);
  kt_sql_append (sql, " ORDER BY o.rev, o.rid");
  stmt = kt_sql_stmt (sql, error);
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    change_row (stmt, change);
  return step == KT_STEP_DONE;
}

/* Of an object that is not seen whole: what is seen as rows, what could be on the device and is not seen as gone. */
static gboolean
changed_seen (KtPull *pull,
              const KtObject *object,
              gint64 from,
              gint64 end,
              Change *change,
              GHashTable *gone,
              GError **error)
{
  g_auto (Window) window = { 0 };
  g_autofree char *sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  gboolean whole = FALSE;
  KtStep step;

  window.seen = g_array_new (FALSE, FALSE, sizeof (gint64));
  window.sees = new_set ();
  if (pull->held->len > 0)
    {
      window.held = new_set ();
      window.any = new_set ();
    }
  if (!look_through (pull, object, from, end, &window, error)
      || !_kt_scope_load (pull->core, object, window.seen, change_row, change, error))
    return FALSE;
  if (window.held == NULL)
    return TRUE;

  for (guint i = 0; i < pull->held->len; i++)
    whole |= kt_subscriptions_all (pull->held->pdata[i], object);
  sql =
    g_strdup_printf ("SELECT rid, id FROM \"o_%s\" WHERE rev > ?1 AND rev <= ?2 ORDER BY rev, rid",
                     object->name);
  stmt = kt_db_stmt (pull->core->db, sql, error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, from);
  kt_stmt_bind_int (stmt, 2, end);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gint64 rid = kt_stmt_int (stmt, 0);
      KtId id;

      if (!g_hash_table_contains (window.sees, &rid)
          && (g_hash_table_contains (window.held, &rid)
              || (whole && !g_hash_table_contains (window.any, &rid)))
          && kt_stmt_id (stmt, 1, &id) && g_hash_table_add (gone, kt_id_copy (&id)))
        kt_page_writer_gone (change->writer, object, &id);
    }
  return step == KT_STEP_DONE;
}

static gboolean
changed_rows (KtPull *pull,
              const KtObject *object,
              gint64 from,
              gint64 end,
              KtPageWriter *writer,
              GHashTable *gone,
              gboolean *too_large,
              GError **error)
{
  g_auto (KtRows) rows = { 0 };
  Change change = { &rows, writer, FALSE };
  gboolean done;

  if (!kt_subscriptions_any (pull->now, object) && pull->held->len == 0)
    return TRUE;
  _kt_rows_init (&rows, pull->actor, object);
  if (kt_subscriptions_all (pull->now, object))
    done = changed_whole (pull, object, from, end, &change, error);
  else
    done = changed_seen (pull, object, from, end, &change, gone, error);
  *too_large = change.large;
  if (done && !*too_large)
    _kt_rows_write (&rows, writer);
  return done;
}

/* ---- what is gone ---- */

typedef struct
{
  const KtObject *object;
  KtId id;
} Lost;

/* Erased for good, of objects seen whole: there is no row any more to carry a rev. */
static gboolean
gone_erased (KtPull *pull,
             gint64 from,
             gint64 end,
             KtPageWriter *writer,
             GHashTable *gone,
             GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    pull->core->db,
    "SELECT object, id FROM kt_log WHERE seq > ?1 AND seq <= ?2 AND gone = 1 ORDER BY seq", error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, from);
  kt_stmt_bind_int (stmt, 2, end);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      const KtObject *object =
        kt_schema_object_by_number (pull->core->schema, (guint) kt_stmt_int (stmt, 0));
      gboolean whole;
      KtId id;

      if (object == NULL || object->sync == KT_SYNC_DEMAND || !kt_stmt_id (stmt, 1, &id))
        continue;
      whole = kt_subscriptions_all (pull->now, object);
      for (guint i = 0; i < pull->held->len && !whole; i++)
        whole = kt_subscriptions_all (pull->held->pdata[i], object);
      if (whole && g_hash_table_add (gone, kt_id_copy (&id)))
        kt_page_writer_gone (writer, object, &id);
    }
  return step == KT_STEP_DONE;
}

/* What lost a token by which it could be held. */
static gboolean
find_lost (KtPull *pull, gint64 from, gint64 end, GArray *lost, GHashTable *gone, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    pull->core->db,
    "SELECT object, id, token, since FROM kt_lost WHERE seq > ?1 AND seq <= ?2 ORDER BY seq, object, id",
    error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, from);
  kt_stmt_bind_int (stmt, 2, end);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      const KtObject *object =
        kt_schema_object_by_number (pull->core->schema, (guint) kt_stmt_int (stmt, 0));
      gsize len;
      const void *bytes = kt_stmt_blob (stmt, 2, &len);
      Lost one = { .object = object };
      KtToken token;

      /* What it got after @from and lost again was never told. */
      if (object == NULL || object->sync == KT_SYNC_DEMAND || len != KT_TOKEN_BYTES
          || kt_stmt_int (stmt, 3) > from || !kt_stmt_id (stmt, 1, &one.id))
        continue;
      memcpy (token.b, bytes, len);
      if ((_kt_pull_held (pull, object, &token)
           || (kt_subscriptions_any (pull->now, object)
               && kt_subscriptions_has (pull->now, &token)))
          && !g_hash_table_contains (gone, &one.id))
        g_array_append_val (lost, one);
    }
  return step == KT_STEP_DONE;
}

static gboolean
gone_lost (KtPull *pull,
           gint64 from,
           gint64 end,
           KtPageWriter *writer,
           GHashTable *gone,
           GError **error)
{
  g_autoptr (GArray) lost = g_array_new (FALSE, FALSE, sizeof (Lost));

  if (pull->actor->access.admin && pull->held->len == 0)
    return TRUE;
  if (!find_lost (pull, from, end, lost, gone, error))
    return FALSE;
  for (guint i = 0; i < lost->len; i++)
    {
      const Lost *one = &g_array_index (lost, Lost, i);
      gboolean sees;

      if (!_kt_scope_sees_id (pull->core, pull->actor, one->object, &one->id, &sees, error))
        return FALSE;
      if (!sees && g_hash_table_add (gone, kt_id_copy (&one->id)))
        kt_page_writer_gone (writer, one->object, &one->id);
    }
  return TRUE;
}

/* *too_large: nothing came of it, ask for less. */
static GBytes *
try_changes (KtPull *pull,
             KtCursor *cursor,
             gint64 end,
             gboolean may_be_large,
             gboolean *too_large,
             GError **error)
{
  g_autoptr (GHashTable) touched = g_hash_table_new (NULL, NULL);
  g_autoptr (GHashTable) gone = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  KtCore *core = pull->core;
  KtPageWriter *writer = new_page (pull, FALSE, -1);
  g_autofree char *text = NULL;
  gboolean done, any_gone, large = FALSE;

  *too_large = FALSE;
  done = find_touched (core, cursor->seq, end, touched, &any_gone, error);
  for (const KtObject **object = core->order; done && !*too_large && *object != NULL; object++)
    if (g_hash_table_contains (touched, GUINT_TO_POINTER ((*object)->number)))
      {
        done = changed_rows (pull, *object, cursor->seq, end, writer, gone, &large, error);
        *too_large = large && !may_be_large;
      }
  if (done && any_gone && !*too_large)
    done = gone_erased (pull, cursor->seq, end, writer, gone, error);
  if (done && !*too_large)
    done = gone_lost (pull, cursor->seq, end, writer, gone, error)
           && put_settled (core, pull->actor, pull->at_rest ? cursor->seq : 0, end, writer, error);
  if (!done || *too_large)
    {
      drop_page (writer);
      return NULL;
    }
  cursor->seq = end;
  if (end == pull->now_seq)
    cursor->n_held = 0;
  text = kt_cursor_encode (cursor);
  return kt_page_writer_finish (writer, text, end < pull->now_seq, end);
}

static GBytes *
changes_page (KtPull *pull, KtCursor *cursor, GError **error)
{
  guint limit = pull->limit;

  for (;;)
    {
      gint64 end = pull->now_seq;
      guint rows = 0;
      gboolean too_large;
      GBytes *page;

      if (cursor->seq < pull->now_seq
          && !find_end (pull->core, cursor->seq, pull->now_seq, limit, &end, &rows, error))
        return NULL;
      page = try_changes (pull, cursor, end, limit == 0, &too_large, error);
      if (page != NULL || !too_large)
        return page;
      /* Less at a time; in the end one commit, however large it is. */
      limit = MIN (limit, rows) / 2;
    }
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
                            .scope = kt_rights_scope (actor->access.rights),
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
  if (!kt_id_equal (&cursor->user, &actor->access.user))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "The cursor is another user's: begin again without one");
      return FALSE;
    }
  return TRUE;
}

static gboolean
begin_again (GError **error)
{
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
               "What this user may see has changed too often since: begin again without a cursor");
  return FALSE;
}

/* Takes note that the user sees other things than when the cursor was made, and finds what those were. */
static gboolean
follow_scope (KtPull *pull, KtCursor *cursor, GError **error)
{
  guint64 now = kt_rights_scope (pull->actor->access.rights);

  if (cursor->scope != now)
    {
      gboolean there = FALSE;

      for (guint i = 0; i < cursor->n_held && !there; i++)
        there = cursor->held[i] == cursor->scope;
      if (!there && cursor->n_held == KT_CURSOR_MAX_HELD)
        return begin_again (error);
      if (!there)
        cursor->held[cursor->n_held++] = cursor->scope;
      cursor->scope = now;
      if (!cursor->snapshot)
        {
          cursor->move = KT_CURSOR_LEAVE;
          cursor->object = 0;
          cursor->rid = 0;
        }
    }
  for (guint i = 0; i < cursor->n_held; i++)
    {
      g_autoptr (GError) local = NULL;
      KtRights *rights =
        _kt_scope_recall (pull->core, &pull->actor->access.user, cursor->held[i], &local);

      if (local != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      if (rights == NULL)
        return begin_again (error);
      g_ptr_array_add (pull->rights, rights);
      g_ptr_array_add (pull->held, kt_subscriptions_new (rights, pull->core->schema));
    }
  return TRUE;
}

/* Nothing has happened since, and the device knows all else that a page would tell it. */
static gboolean
no_news (KtCore *core, const KtRequest *request, const KtCursor *cursor, gint64 now_seq)
{
  g_autofree char *schema = kt_request_get_query (request, "schema");

  return schema != NULL && strlen (schema) == KT_WIRE_SCHEMA_DIGITS
         && g_str_has_prefix (kt_schema_digest (core->schema), schema) && cursor->seq == now_seq
         && !cursor->snapshot && cursor->move == KT_CURSOR_STAY && cursor->n_held == 0;
}

KtReply *
_kt_core_pull (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) page = NULL;
  g_autoptr (GPtrArray) rights =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_rights_unref);
  g_autoptr (GPtrArray) held =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_subscriptions_free);
  g_autofree char *schema = NULL;
  KtPull pull = { .core = core, .actor = actor, .rights = rights, .held = held };
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

  pull.now = _kt_actor_subscriptions (core, actor);
  pull.now_seq = now_seq;
  pull.limit = (guint) limit;
  schema = kt_request_get_query (request, "schema");
  pull.at_rest = schema != NULL;
  if (!follow_scope (&pull, &cursor, &error))
    return _kt_reply_error (error);
  if (no_news (core, request, &cursor, now_seq))
    return kt_reply_new (204);
  page = cursor.snapshot                   ? snapshot_page (&pull, &cursor, &error)
         : cursor.move != KT_CURSOR_STAY ? move_page (&pull, &cursor, &error)
                                           : changes_page (&pull, &cursor, &error);
  if (page == NULL)
    return _kt_reply_error (error);
  reply = kt_reply_new (200);
  reply->content_type = g_strdup (KT_WIRE_CONTENT_PAGE);
  reply->body = g_steal_pointer (&page);
  return reply;
}
