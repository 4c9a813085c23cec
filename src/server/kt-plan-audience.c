/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Keeps kt_audience in the commit that changes who may see a record:
 *
 *   work made, erased, or with another owner, team, … parent
 *      ── kt_audience_of (record, tokens of its parent) ── against what is stored ── tokens that came: kt_audience
 *                                                                                    that went:      kt_lost
 *      ── if anything differs: its children the same way, each marked as changed by this commit, so that devices that
 *         hold it, or should, hear of it
 *
 * A change of anything else reads and writes nothing here. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-plan.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"
#include "kt-scope.h"

#define MAX_HANDED 100000 /* records that one commit hands down to */
#define MAX_DEPTH 20      /* parents above each other */

typedef struct
{
  KtPlan *plan;
  GHashTable *known; /* KtId → KtAudience: as they are after this commit; only what it touched */
  guint handed;
} Keeper;

/* ---- what decides it ---- */

/* Fields of @object that say who sees its records. Borrowed. */
static const GPtrArray *
fields_of (KtCore *core, const KtObject *object)
{
  GPtrArray *fields = g_hash_table_lookup (core->audience_fields, object);

  if (fields != NULL)
    return fields;
  fields = g_ptr_array_new ();
  for (guint i = 0; i < object->n_fields; i++)
    if (kt_audience_field (object->fields[i]))
      g_ptr_array_add (fields, (gpointer) object->fields[i]);
  g_hash_table_insert (core->audience_fields, (gpointer) object, fields);
  return fields;
}

static gboolean
is_touched (KtCore *core, const KtWork *work)
{
  const GPtrArray *fields;

  if (work->object->sync == KT_SYNC_FULL || (work->stored == NULL && work->now == NULL))
    return FALSE;
  if (work->stored == NULL || work->now == NULL)
    return TRUE;
  fields = fields_of (core, work->object);
  for (guint i = 0; i < fields->len; i++)
    if (_kt_work_field_changed (work, fields->pdata[i]))
      return TRUE;
  return FALSE;
}

/* ---- parents ---- */

static gboolean
parent_of (KtCore *core, const KtRecord *record, const KtObject **object, KtId *id)
{
  const KtField *field = kt_audience_parent_field (record->object);
  const KtValue *value = field != NULL ? &record->values[field->index] : NULL;

  if (!_kt_value_get_id (value, id) || kt_id_equal (id, &record->id))
    return FALSE;
  *object = kt_schema_object (core->schema,
                              value->type == KT_VALUE_ANY ? value->v.ref.object : field->to[0]);
  return *object != NULL;
}

static gboolean keep (Keeper *keeper, KtWork *work, guint depth, GError **error);

/* Tokens of the parent as they are after this commit; *there FALSE: there is none. Borrowed from @keeper or in *own. */
static gboolean
parent_audience (Keeper *keeper,
                 const KtObject *object,
                 const KtId *id,
                 guint depth,
                 gboolean *there,
                 const KtAudience **audience,
                 KtAudience **own,
                 GError **error)
{
  KtCore *core = keeper->plan->core;
  KtWork *work = g_hash_table_lookup (keeper->plan->by_id, id);
  g_autofree char *sql = NULL;
  gint64 rid;

  if (work != NULL && work->object == object && is_touched (core, work) && depth < MAX_DEPTH
      && !keep (keeper, work, depth + 1, error))
    return FALSE;
  if (work != NULL && work->object == object && work->now == NULL)
    {
      *there = FALSE;
      return TRUE;
    }
  *audience = g_hash_table_lookup (keeper->known, id);
  *there = *audience != NULL || (work != NULL && work->now != NULL);
  if (*audience != NULL || object->sync == KT_SYNC_FULL)
    {
      if (*there)
        return TRUE;
    }
  sql = g_strdup_printf ("SELECT rid FROM \"o_%s\" WHERE id = ?1", object->name);
  if (!kt_db_get_int (core->db, -1, &rid, error, sql, KT_BIND_ID, id, KT_BIND_END))
    return FALSE;
  *there = rid >= 0;
  if (rid < 0 || object->sync == KT_SYNC_FULL)
    return TRUE;
  *audience = *own = _kt_scope_audience (core, object, rid, error);
  return *own != NULL;
}

static KtAudience *
make_audience (Keeper *keeper, const KtRecord *record, guint depth, GError **error)
{
  g_autoptr (KtAudience) own = NULL;
  const KtAudience *parent = NULL;
  const KtObject *object;
  gboolean there;
  KtId id;

  if (!parent_of (keeper->plan->core, record, &object, &id))
    return kt_audience_of (record, NULL, NULL);
  if (!parent_audience (keeper, object, &id, depth, &there, &parent, &own, error))
    return NULL;
  return kt_audience_of (record, there ? object : NULL, parent);
}

/* ---- the difference ---- */

typedef struct
{
  KtToken token;
  gint64 since;
} Held;

static gboolean
load_held (KtCore *core, const KtObject *object, gint64 rid, GArray *held, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    core->db, "SELECT token, since FROM kt_audience WHERE object = ?1 AND rid = ?2", error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, object->number);
  kt_stmt_bind_int (stmt, 2, rid);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gsize len;
      const void *bytes = kt_stmt_blob (stmt, 0, &len);
      Held one = { .since = kt_stmt_int (stmt, 1) };

      if (len != KT_TOKEN_BYTES)
        continue;
      memcpy (one.token.b, bytes, len);
      g_array_append_val (held, one);
    }
  return step == KT_STEP_DONE;
}

static gboolean
add_token (Keeper *keeper,
           const KtObject *object,
           gint64 rid,
           const KtToken *token,
           GError **error)
{
  return kt_db_run (keeper->plan->core->db, error,
                    "INSERT INTO kt_audience (object, rid, token, since) VALUES (?1, ?2, ?3, ?4)",
                    KT_BIND_INT, (gint64) object->number, KT_BIND_INT, rid, KT_BIND_BLOB, token->b,
                    (gsize) KT_TOKEN_BYTES, KT_BIND_INT, keeper->plan->seq, KT_BIND_END)
         >= 0;
}

static gboolean
drop_token (Keeper *keeper,
            const KtObject *object,
            const KtId *id,
            gint64 rid,
            const Held *held,
            GError **error)
{
  KtDb *db = keeper->plan->core->db;

  return kt_db_run (db, error,
                    "DELETE FROM kt_audience WHERE object = ?1 AND rid = ?2 AND token = ?3",
                    KT_BIND_INT, (gint64) object->number, KT_BIND_INT, rid, KT_BIND_BLOB,
                    held->token.b, (gsize) KT_TOKEN_BYTES, KT_BIND_END)
           >= 0
         && kt_db_run (
              db, error,
              "INSERT INTO kt_lost (seq, object, id, token, since) VALUES (?1, ?2, ?3, ?4, ?5)",
              KT_BIND_INT, keeper->plan->seq, KT_BIND_INT, (gint64) object->number, KT_BIND_ID, id,
              KT_BIND_BLOB, held->token.b, (gsize) KT_TOKEN_BYTES, KT_BIND_INT, held->since,
              KT_BIND_END)
              >= 0;
}

/* Makes what is stored what @now says. *changed: it was something else. *before: whether the actor met it. */
static gboolean
store (Keeper *keeper,
       const KtObject *object,
       const KtId *id,
       gint64 rid,
       gboolean is_new,
       const KtAudience *now,
       GArray *held,
       gboolean *changed,
       GError **error)
{
  *changed = is_new;
  if (!is_new && !load_held (keeper->plan->core, object, rid, held, error))
    return FALSE;
  for (guint i = 0; i < held->len; i++)
    {
      const Held *one = &g_array_index (held, Held, i);

      if (kt_audience_has (now, &one->token))
        continue;
      *changed = TRUE;
      if (!drop_token (keeper, object, id, rid, one, error))
        return FALSE;
    }
  for (guint i = 0; i < now->tokens->len; i++)
    {
      const KtToken *token = &g_array_index (now->tokens, KtToken, i);
      gboolean there = FALSE;

      for (guint k = 0; k < held->len && !there; k++)
        there = kt_token_compare (&g_array_index (held, Held, k).token, token) == 0;
      if (there)
        continue;
      *changed = TRUE;
      if (!add_token (keeper, object, rid, token, error))
        return FALSE;
    }
  return TRUE;
}

/* ---- children ---- */

/* One child that this commit did not touch by itself. */
static gboolean
mark (Keeper *keeper, const KtObject *object, const KtId *id, GError **error)
{
  KtPlan *plan = keeper->plan;
  const KtWork *work = g_hash_table_lookup (plan->by_id, id);
  g_autofree char *sql = NULL;

  if (++keeper->handed > MAX_HANDED)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT,
                   "More than %d records would change hands with this one: move them in parts",
                   MAX_HANDED);
      return FALSE;
    }
  if (work != NULL && _kt_work_changed (work))
    return TRUE;
  sql = g_strdup_printf ("UPDATE \"o_%s\" SET rev = ?1 WHERE id = ?2", object->name);
  return kt_db_run (plan->core->db, error, sql, KT_BIND_INT, plan->seq, KT_BIND_ID, id, KT_BIND_END)
           >= 0
         && _kt_plan_log (plan, object, id, FALSE, error);
}

static gboolean hand_down (Keeper *keeper, const KtObject *object, const KtId *id, guint depth,
                           GError **error);

static gboolean
keep_child (Keeper *keeper, const KtObject *object, const KtId *id, guint depth, GError **error)
{
  KtCore *core = keeper->plan->core;
  KtWork *work = g_hash_table_lookup (keeper->plan->by_id, id);
  g_autoptr (GArray) held = NULL;
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (KtAudience) now = NULL;
  g_autoptr (GError) local = NULL;
  gboolean changed;

  if (g_hash_table_contains (keeper->known, id))
    return TRUE;
  if (work != NULL && work->object == object && is_touched (core, work))
    return keep (keeper, work, depth, error);
  record = kt_table_load (core->db, object, id, &local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (record == NULL)
    return TRUE;
  now = make_audience (keeper, record, depth, error);
  held = g_array_new (FALSE, FALSE, sizeof (Held));
  if (now == NULL
      || !store (keeper, object, id, record->rid, FALSE, now, held, &changed, error))
    return FALSE;
  g_hash_table_insert (keeper->known, kt_id_copy (id), g_steal_pointer (&now));
  return !changed
         || (mark (keeper, object, id, error) && hand_down (keeper, object, id, depth + 1, error));
}

static GArray *
children_of (KtCore *core, const KtField *field, const KtId *parent, GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_autofree char *sql = g_strdup_printf ("SELECT id FROM \"o_%s\" WHERE \"f_%s\" = ?1",
                                          field->object->name, field->name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (core->db, sql, error);
  KtStep step;

  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_id (stmt, 1, parent);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      KtId id;

      if (kt_stmt_id (stmt, 0, &id))
        g_array_append_val (ids, id);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&ids) : NULL;
}

static gboolean
hand_down (Keeper *keeper, const KtObject *object, const KtId *id, guint depth, GError **error)
{
  KtCore *core = keeper->plan->core;
  guint n;
  const KtObject *const *objects = kt_schema_objects (core->schema, &n);

  if (depth > MAX_DEPTH)
    return TRUE;
  for (guint i = 0; i < n; i++)
    {
      const KtField *field = kt_audience_parent_field (objects[i]);
      g_autoptr (GArray) ids = NULL;

      if (field == NULL || objects[i]->sync == KT_SYNC_FULL
          || !kt_field_accepts (field, object->name))
        continue;
      ids = children_of (core, field, id, error);
      if (ids == NULL)
        return FALSE;
      for (guint k = 0; k < ids->len; k++)
        if (!keep_child (keeper, objects[i], &g_array_index (ids, KtId, k), depth, error))
          return FALSE;
    }
  return TRUE;
}

/* ---- one work ---- */

/* The author's own change took it out of their sight (49), or put it where they never saw it. */
static void
note_moved_out (Keeper *keeper,
                const KtWork *work,
                const GArray *held,
                const KtAudience *now)
{
  KtPlan *plan = keeper->plan;
  const KtSubscriptions *mine;
  g_autoptr (KtAudience) before = NULL;

  if (plan->actor->trusted || plan->actor->access.admin || work->op == NULL || work->now == NULL
      || strcmp (work->object->name, "sync_conflict") == 0)
    return;
  mine = _kt_actor_subscriptions (plan->core, plan->actor);
  if (kt_subscriptions_meet (mine, work->object, now))
    return;
  before = kt_audience_new ();
  for (guint i = 0; i < held->len; i++)
    kt_audience_add (before, &g_array_index (held, Held, i).token);
  if (work->stored == NULL || kt_subscriptions_meet (mine, work->object, before))
    _kt_plan_moved_out (plan, work);
}

static gboolean
keep (Keeper *keeper, KtWork *work, guint depth, GError **error)
{
  g_autoptr (GArray) held = NULL;
  g_autoptr (KtAudience) now = NULL;
  const KtRecord *record = work->now != NULL ? work->now : work->stored;
  gboolean changed;

  if (g_hash_table_contains (keeper->known, &work->id))
    return TRUE;
  now = work->now != NULL ? make_audience (keeper, work->now, depth, error) : kt_audience_new ();
  held = g_array_new (FALSE, FALSE, sizeof (Held));
  if (now == NULL
      || !store (keeper, work->object, &work->id, record->rid, work->stored == NULL, now, held,
                 &changed, error))
    return FALSE;
  note_moved_out (keeper, work, held, now);
  g_hash_table_insert (keeper->known, kt_id_copy (&work->id), g_steal_pointer (&now));
  /* A record that is new has only children that came with it, and they look up to it themselves. */
  return !changed || work->stored == NULL
         || hand_down (keeper, work->object, &work->id, depth + 1, error);
}

static gboolean
is_people (const KtObject *object)
{
  static const char *const names[] = { "user", "team", "role", "business_unit", NULL };

  return g_strv_contains (names, object->name);
}

gboolean
_kt_plan_keep_audience (KtPlan *plan, GError **error)
{
  Keeper keeper = { .plan = plan };
  gboolean done = TRUE, people = FALSE;
  guint n = plan->works->len;

  for (guint i = 0; done && i < n; i++)
    {
      KtWork *work = plan->works->pdata[i];

      people |= is_people (work->object) && _kt_work_changed (work);
      if (!is_touched (plan->core, work))
        continue;
      if (keeper.known == NULL)
        keeper.known = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free,
                                              (GDestroyNotify) kt_audience_free);
      done = keep (&keeper, work, 0, error);
    }
  g_clear_pointer (&keeper.known, g_hash_table_unref);
  if (done && people)
    done = _kt_core_set_meta (plan->core->db, "roles", NULL, plan->seq, error);
  return done;
}

/* ---- rings ---- */

gboolean
_kt_plan_check_ring (KtPlan *plan, const KtWork *work, GError **error)
{
  const KtField *field = kt_audience_parent_field (work->object);
  const KtObject *object;
  const KtRecord *at = work->now;
  KtId id;

  if (field == NULL || work->now == NULL || !_kt_work_field_changed (work, field))
    return TRUE;
  for (guint depth = 0; depth <= MAX_DEPTH; depth++)
    {
      KtWork *above;
      const KtValue *value;

      field = kt_audience_parent_field (at->object);
      value = field != NULL ? &at->values[field->index] : NULL;
      if (!_kt_value_get_id (value, &id))
        return TRUE;
      if (kt_id_equal (&id, &work->id))
        break;
      object = kt_schema_object (plan->core->schema, value->type == KT_VALUE_ANY
                                                       ? value->v.ref.object
                                                       : field->to[0]);
      if (object == NULL || kt_audience_parent_field (object) == NULL)
        return TRUE;
      above = _kt_plan_work (plan, object, &id, error);
      if (above == NULL)
        return FALSE;
      if (above->now == NULL)
        return TRUE;
      at = above->now;
    }
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: a record cannot belong to itself",
               kt_field_label (kt_audience_parent_field (work->object), plan->actor->locale));
  return FALSE;
}
