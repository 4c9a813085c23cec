/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From what a user saw to what they see now, at the cost of what came and went: by the tokens that did.
 *
 *   object  1 ……  2 ………  3 ……        leave: then once more: enter, in the order of core->order, by rid; the cursor says how far
 *
 * Whatever changed after cursor->seq is left out here and comes with the changes, where kt_lost says what was held. So each
 * page may be made from another snapshot of the database, and roles may change again in the middle: then what the device
 * may hold came by one scope more (cursor->held), and the way begins again from there. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-rows.h"

#include <string.h>

#include "db/kt-table.h"

/* ---- what was held ---- */

gboolean
_kt_pull_held (const KtPull *pull, const KtObject *object, const KtToken *token)
{
  for (guint i = 0; i < pull->held->len; i++)
    {
      const KtSubscriptions *one = pull->held->pdata[i];

      if (kt_subscriptions_all (one, object)
          || (kt_subscriptions_any (one, object) && kt_subscriptions_has (one, token)))
        return TRUE;
    }
  return FALSE;
}

static gboolean
met_all (const KtPull *pull, const KtObject *object, const KtAudience *audience)
{
  for (guint i = 0; i < pull->held->len; i++)
    if (!kt_subscriptions_meet (pull->held->pdata[i], object, audience))
      return FALSE;
  return TRUE;
}

static gboolean
met_any (const KtPull *pull, const KtObject *object, const KtAudience *audience)
{
  for (guint i = 0; i < pull->held->len; i++)
    if (kt_subscriptions_meet (pull->held->pdata[i], object, audience))
      return TRUE;
  return FALSE;
}

/* Whether rows must come again because a field shows now that did not, or shows differently. What is hidden now the device takes away
 * itself. */
static gboolean
fields_came (const KtPull *pull, const KtObject *object)
{
  for (guint i = 0; i < object->n_fields; i++)
    {
      const char *name = object->fields[i]->name;
      KtSight now = kt_access_sight (&pull->actor->access, object->fields[i]);

      if (now == KT_SIGHT_HIDDEN)
        continue;
      for (guint k = 0; k < pull->rights->len; k++)
        if (kt_rights_sight (pull->rights->pdata[k], object->name, name) != now)
          return TRUE;
    }
  return FALSE;
}

/* ---- who is asked about ---- */

static gboolean
in_tokens (const GArray *tokens, const KtToken *token)
{
  guint low = 0, high = tokens->len;

  while (low < high)
    {
      guint middle = low + (high - low) / 2;
      int order = kt_token_compare (&g_array_index (tokens, KtToken, middle), token);

      if (order == 0)
        return TRUE;
      if (order < 0)
        low = middle + 1;
      else
        high = middle;
    }
  return FALSE;
}

/* Tokens of @from that @without does not have, appended. */
static void
add_missing (GArray *out, const GArray *from, const GArray *without)
{
  for (guint i = 0; i < from->len; i++)
    {
      const KtToken *token = &g_array_index (from, KtToken, i);

      if (!in_tokens (without, token))
        g_array_append_val (out, *token);
    }
}

typedef enum { NOBODY, SOME, EVERYBODY } Whom;

/* Records that could leave: by a token that went. */
static Whom
leavers (const KtPull *pull, const KtObject *object, GArray *tokens)
{
  g_autoptr (GArray) now = NULL;

  if (kt_subscriptions_all (pull->now, object))
    return NOBODY;
  now = kt_subscriptions_tokens (pull->now, object);
  for (guint i = 0; i < pull->held->len; i++)
    {
      g_autoptr (GArray) then = NULL;

      if (kt_subscriptions_all (pull->held->pdata[i], object))
        return EVERYBODY;
      then = kt_subscriptions_tokens (pull->held->pdata[i], object);
      add_missing (tokens, then, now);
    }
  return tokens->len > 0 ? SOME : NOBODY;
}

/* Records that could enter: by a token that came. */
static Whom
enterers (const KtPull *pull, const KtObject *object, GArray *tokens)
{
  gboolean all = kt_subscriptions_all (pull->now, object);
  g_autoptr (GArray) now = NULL;

  if (!kt_subscriptions_any (pull->now, object))
    return NOBODY;
  now = kt_subscriptions_tokens (pull->now, object);
  if (fields_came (pull, object))
    {
      g_array_append_vals (tokens, now->data, now->len);
      return all ? EVERYBODY : SOME;
    }
  for (guint i = 0; i < pull->held->len; i++)
    {
      g_autoptr (GArray) then = NULL;

      if (kt_subscriptions_all (pull->held->pdata[i], object))
        continue;
      if (all)
        return EVERYBODY;
      then = kt_subscriptions_tokens (pull->held->pdata[i], object);
      add_missing (tokens, now, then);
    }
  return tokens->len > 0 ? SOME : NOBODY;
}

static GArray *
next_rids (KtPull *pull,
           const KtObject *object,
           Whom whom,
           const GArray *tokens,
           gint64 after,
           guint limit,
           GError **error)
{
  g_autofree char *sql = NULL;
  g_autoptr (GArray) rids = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (whom == SOME)
    return _kt_scope_rids_of (pull->core, object, tokens, after, limit, error);
  sql = g_strdup_printf ("SELECT rid FROM \"o_%s\" WHERE rid > ?1 ORDER BY rid LIMIT ?2",
                         object->name);
  stmt = kt_db_stmt (pull->core->db, sql, error);
  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_int (stmt, 1, after);
  kt_stmt_bind_int (stmt, 2, limit);
  rids = g_array_new (FALSE, FALSE, sizeof (gint64));
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gint64 rid = kt_stmt_int (stmt, 0);

      g_array_append_val (rids, rid);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&rids) : NULL;
}

/* ---- one object ---- */

typedef struct
{
  KtPull *pull;
  const KtObject *object;
  KtCursor *cursor;
  KtPageWriter *writer;
  KtRows *rows;
  GHashTable *audiences; /* rid → KtAudience of the batch */
  gboolean again;        /* whoever is seen now, whatever was held */
  gboolean full;
  GError *problem;
} Walk;

static gboolean
walk_row (KtStmt *stmt, gpointer data)
{
  Walk *walk = data;
  KtPull *pull = walk->pull;
  gint64 rid = kt_stmt_int (stmt, 0);
  const KtAudience *audience = g_hash_table_lookup (walk->audiences, &rid);
  gboolean sees;
  KtId id;

  walk->cursor->rid = rid;
  if (kt_stmt_int (stmt, 2) > walk->cursor->seq || audience == NULL)
    return TRUE;
  sees = kt_subscriptions_meet (pull->now, walk->object, audience);
  if (walk->cursor->move == KT_CURSOR_LEAVE)
    {
      if (!sees && met_any (pull, walk->object, audience) && kt_stmt_id (stmt, 1, &id))
        kt_page_writer_gone (walk->writer, walk->object, &id);
      return TRUE;
    }
  if (sees && (walk->again || !met_all (pull, walk->object, audience)))
    _kt_rows_add (walk->rows, stmt);
  walk->full = _kt_rows_full (walk->rows, walk->writer);
  return !walk->full;
}

/* Looked up before the rows are read: a statement may not be used within itself, nor another be in its way. */
static gboolean
load_audiences (Walk *walk, const GArray *rids, GError **error)
{
  for (guint i = 0; i < rids->len; i++)
    {
      gint64 rid = g_array_index (rids, gint64, i);
      KtAudience *audience =
        _kt_scope_audience (walk->pull->core, walk->object, rid, error);

      if (audience == NULL)
        return FALSE;
      g_hash_table_insert (walk->audiences, g_memdup2 (&rid, sizeof rid), audience);
    }
  return TRUE;
}

/* What is left of @object, as far as @left records go. */
static gboolean
move_object (KtPull *pull,
             KtCursor *cursor,
             const KtObject *object,
             guint *left,
             KtPageWriter *writer,
             gboolean *full,
             GError **error)
{
  g_autoptr (GArray) tokens = g_array_new (FALSE, FALSE, sizeof (KtToken));
  gboolean leave = cursor->move == KT_CURSOR_LEAVE;
  Whom whom = leave ? leavers (pull, object, tokens) : enterers (pull, object, tokens);
  g_autoptr (GArray) rids = NULL;
  g_auto (KtRows) rows = { 0 };
  Walk walk = { .pull = pull,
                .object = object,
                .cursor = cursor,
                .writer = writer,
                .rows = &rows,
                .again = !leave && fields_came (pull, object) };
  gboolean done;

  *full = FALSE;
  if (whom == NOBODY)
    return TRUE;
  rids = next_rids (pull, object, whom, tokens, cursor->rid, *left, error);
  if (rids == NULL)
    return FALSE;
  _kt_rows_init (&rows, pull->actor, object);
  walk.audiences = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free,
                                          (GDestroyNotify) kt_audience_free);
  done = load_audiences (&walk, rids, error)
         && _kt_scope_load (pull->core, object, rids, walk_row, &walk, error);
  g_hash_table_unref (walk.audiences);
  if (!done)
    return FALSE;
  _kt_rows_write (&rows, writer);
  *full = walk.full || rids->len >= *left;
  *left -= MIN (*left, rids->len);
  return TRUE;
}

gboolean
_kt_pull_move (KtPull *pull, KtCursor *cursor, KtPageWriter *writer, gboolean *done, GError **error)
{
  guint left = pull->limit;

  *done = FALSE;
  while (cursor->move != KT_CURSOR_STAY)
    {
      const KtObject **object = pull->core->order;
      gboolean full = FALSE;

      while (cursor->object != 0 && *object != NULL && (*object)->number != cursor->object)
        object++;
      /* The object is gone from the schema: begin again rather than skip anything. */
      if (*object == NULL)
        {
          object = pull->core->order;
          cursor->object = 0;
        }
      for (; *object != NULL && !full; object++)
        {
          if (cursor->object != (*object)->number)
            cursor->rid = 0;
          cursor->object = (*object)->number;
          if (!move_object (pull, cursor, *object, &left, writer, &full, error))
            return FALSE;
        }
      if (full)
        return TRUE;
      cursor->move = cursor->move == KT_CURSOR_LEAVE ? KT_CURSOR_ENTER : KT_CURSOR_STAY;
      cursor->object = 0;
      cursor->rid = 0;
    }
  *done = TRUE;
  return TRUE;
}
