/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rights of users and which records they see: see kt-scope.h. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-scope.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

#define ADMIN_ROLE "01900000-0000-7000-8000-000000000609"
#define KEPT_SCOPES 50 /* of one user */
#define BATCH 100      /* rows of one statement */

/* ---- people ---- */

/* Ids in a list field, appended. */
static void
list_ids (const KtRecord *record, const char *name, GArray *ids)
{
  const KtValue *value = kt_record_get (record, name);
  g_autoptr (KtJson) list = NULL;

  if (value == NULL || value->type != KT_VALUE_LIST)
    return;
  list = kt_json_parse (value->v.text, -1, NULL);
  for (guint i = 0; i < kt_json_length (list); i++)
    {
      KtId id;

      if (kt_id_parse (kt_json_string (kt_json_at (list, i), ""), -1, &id))
        g_array_append_val (ids, id);
    }
}

static gboolean
load (KtCore *core, const char *object_name, const KtId *id, KtRecord **record, GError **error)
{
  const KtObject *object = kt_schema_object (core->schema, object_name);
  g_autoptr (GError) local = NULL;

  *record = object != NULL ? kt_table_load (core->db, object, id, &local) : NULL;
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return TRUE;
}

static gboolean
load_baselines (KtCore *core, GPtrArray *roles, GError **error)
{
  const KtObject *object = kt_schema_object (core->schema, "role");
  g_autofree char *sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (object == NULL || kt_object_field (object, "is_baseline") == NULL)
    return TRUE;
  sql = g_strdup_printf (
    "SELECT %s FROM \"o_role\" WHERE \"f_is_baseline\" = 1 AND \"f_deleted_at\" IS NULL",
    kt_table_columns (core->db, object, NULL));
  stmt = kt_db_stmt (core->db, sql, error);
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    g_ptr_array_add (roles, kt_table_read (stmt, 0, object));
  return step == KT_STEP_DONE;
}

/* Roles of the user and of their teams; *admin when the administrator's is among them. */
static gboolean
load_roles (KtCore *core,
            const KtRecord *user,
            const GArray *teams,
            GPtrArray *roles,
            gboolean *admin,
            GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (KtId));
  KtId admin_role;

  kt_id_parse (ADMIN_ROLE, -1, &admin_role);
  list_ids (user, "roles", ids);
  for (guint i = 0; i < teams->len; i++)
    {
      g_autoptr (KtRecord) team = NULL;

      if (!load (core, "team", &g_array_index (teams, KtId, i), &team, error))
        return FALSE;
      if (team != NULL && !kt_record_deleted (team))
        list_ids (team, "roles", ids);
    }
  for (guint i = 0; i < ids->len; i++)
    {
      const KtId *id = &g_array_index (ids, KtId, i);
      KtRecord *role;

      *admin |= kt_id_equal (id, &admin_role);
      if (!load (core, "role", id, &role, error))
        return FALSE;
      if (role != NULL && !kt_record_deleted (role))
        g_ptr_array_add (roles, role);
      else
        g_clear_pointer (&role, kt_record_unref);
    }
  return load_baselines (core, roles, error);
}

typedef struct
{
  KtId id, above;
  gboolean has;
} Link;

/* Every live record of @object and what its @field points to. */
static GArray *
load_links (KtCore *core, const char *object_name, const char *field, GError **error)
{
  const KtObject *object = kt_schema_object (core->schema, object_name);
  g_autoptr (GArray) links = g_array_new (FALSE, TRUE, sizeof (Link));
  g_autofree char *sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (object == NULL || kt_object_field (object, field) == NULL)
    return g_steal_pointer (&links);
  sql = g_strdup_printf ("SELECT id, \"f_%s\" FROM \"o_%s\" WHERE \"f_deleted_at\" IS NULL", field,
                         object_name);
  stmt = kt_db_stmt (core->db, sql, error);
  if (stmt == NULL)
    return NULL;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      Link link = { 0 };

      if (!kt_stmt_id (stmt, 0, &link.id))
        continue;
      link.has = kt_stmt_id (stmt, 1, &link.above);
      g_array_append_val (links, link);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&links) : NULL;
}

static gboolean
holds (const GArray *ids, const KtId *id)
{
  for (guint i = 0; i < ids->len; i++)
    if (kt_id_equal (&g_array_index (ids, KtId, i), id))
      return TRUE;
  return FALSE;
}

/* @found grows by everything below what it holds; a ring is walked once. */
static void
walk_down (const GArray *links, GArray *found)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (kt_id_hash, kt_id_equal);
  gboolean grew = TRUE;

  for (guint i = 0; i < links->len; i++)
    if (holds (found, &g_array_index (links, Link, i).id))
      g_hash_table_add (seen, &g_array_index (links, Link, i).id);
  while (grew)
    {
      grew = FALSE;
      for (guint i = 0; i < links->len; i++)
        {
          Link *link = &g_array_index (links, Link, i);

          if (!link->has || g_hash_table_contains (seen, &link->id)
              || !g_hash_table_contains (seen, &link->above))
            continue;
          g_hash_table_add (seen, &link->id);
          g_array_append_val (found, link->id);
          grew = TRUE;
        }
    }
}

/* Everybody in the user's unit and the units below it. */
static GArray *
load_unit (KtCore *core, const KtRecord *user, GError **error)
{
  g_autoptr (GArray) units = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_autoptr (GArray) people = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_autoptr (GArray) tree = NULL;
  g_autoptr (GArray) members = NULL;
  KtId unit;

  if (!_kt_value_get_id (kt_record_get (user, "business_unit"), &unit))
    return g_steal_pointer (&people);
  tree = load_links (core, "business_unit", "parent", error);
  members = tree != NULL ? load_links (core, "user", "business_unit", error) : NULL;
  if (members == NULL)
    return NULL;
  g_array_append_val (units, unit);
  walk_down (tree, units);
  for (guint i = 0; i < members->len; i++)
    {
      Link *link = &g_array_index (members, Link, i);

      if (link->has && holds (units, &link->above))
        g_array_append_val (people, link->id);
    }
  return g_steal_pointer (&people);
}

static GArray *
load_reports (KtCore *core, const KtRecord *user, GError **error)
{
  g_autoptr (GArray) people = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_autoptr (GArray) links = load_links (core, "user", "manager", error);

  if (links == NULL)
    return NULL;
  g_array_append_val (people, user->id);
  walk_down (links, people);
  g_array_remove_index (people, 0);
  return g_steal_pointer (&people);
}

static KtRights *
build_rights (KtCore *core, const KtRecord *user, GError **error)
{
  g_autoptr (GArray) teams = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_autoptr (GPtrArray) roles = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (GArray) unit = NULL;
  g_autoptr (GArray) reports = NULL;
  g_autoptr (GError) local = NULL;
  gboolean admin = g_strcmp0 (kt_record_text (user, "type"), "admin") == 0;
  KtRights *rights;
  KtId team;

  list_ids (user, "teams", teams);
  if (_kt_value_get_id (kt_record_get (user, "default_team"), &team))
    g_array_append_val (teams, team);
  if (!load_roles (core, user, teams, roles, &admin, error)
      || (unit = load_unit (core, user, error)) == NULL
      || (reports = load_reports (core, user, error)) == NULL)
    return NULL;
  rights = kt_rights_build (&user->id, admin, roles, admin ? NULL : teams, admin ? NULL : unit,
                            admin ? NULL : reports, &local);
  /* Whatever is wrong with a role is our trouble, not the request's; and nothing may be concluded from it (53). */
  if (rights == NULL)
    g_set_error (error, KT_ERROR, KT_ERROR_INTERNAL, "roles cannot be worked out: %s",
                 local->message);
  return rights;
}

KtRights *
_kt_core_rights (KtCore *core, const KtRecord *user, GError **error)
{
  KtRights *rights = g_hash_table_lookup (core->rights, &user->id);

  if (rights != NULL)
    return kt_rights_ref (rights);
  rights = build_rights (core, user, error);
  if (rights != NULL)
    g_hash_table_insert (core->rights, kt_id_copy (&user->id), kt_rights_ref (rights));
  return rights;
}

gboolean
_kt_actor_follow (KtCore *core, const KtActor *actor, GError **error)
{
  KtActor *writable = (KtActor *) actor;
  g_autoptr (KtRecord) user = NULL;
  KtRights *rights;

  if (actor->trusted || g_hash_table_lookup (core->rights, &actor->access.user) == actor->access.rights)
    return TRUE;
  if (!load (core, "user", &actor->access.user, &user, error))
    return FALSE;
  if (user == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_AUTH,
                   "You are not signed in, or no longer: sign in again");
      return FALSE;
    }
  rights = _kt_core_rights (core, user, error);
  if (rights == NULL)
    return FALSE;
  g_clear_pointer (&writable->subscriptions, kt_subscriptions_free);
  kt_rights_unref (actor->access.rights);
  writable->access.rights = rights;
  writable->access.admin = kt_rights_admin (rights);
  return TRUE;
}

const KtSubscriptions *
_kt_actor_subscriptions (KtCore *core, const KtActor *actor)
{
  KtActor *writable = (KtActor *) actor;

  if (actor->subscriptions != NULL && actor->subscribed != core->schema)
    g_clear_pointer (&writable->subscriptions, kt_subscriptions_free);
  if (actor->subscriptions == NULL)
    {
      g_autoptr (KtRights) all = NULL;

      if (actor->access.rights == NULL)
        all = kt_rights_build (&actor->access.user, actor->access.admin, NULL, NULL, NULL, NULL,
                               NULL);
      writable->subscriptions = kt_subscriptions_new (
        actor->access.rights != NULL ? actor->access.rights : all, core->schema);
      writable->subscribed = core->schema;
    }
  return actor->subscriptions;
}

/* ---- what was handed out ---- */

gboolean
_kt_scope_known (KtCore *core, const KtActor *actor, gboolean *known, GError **error)
{
  gint64 hash = (gint64) kt_rights_scope (actor->access.rights), found;

  *known = g_hash_table_contains (core->scopes, &hash);
  if (*known)
    return TRUE;
  if (!kt_db_get_int (core->db, 0, &found, error, "SELECT 1 FROM kt_scope WHERE hash = ?1",
                      KT_BIND_INT, hash, KT_BIND_END))
    return FALSE;
  *known = found != 0;
  if (*known)
    g_hash_table_add (core->scopes, g_memdup2 (&hash, sizeof hash));
  return TRUE;
}

static gboolean
put_scope (KtCore *core, const KtActor *actor, gint64 seq, GError **error)
{
  const KtRights *rights = actor->access.rights;
  const KtId *user = &actor->access.user;

  return kt_db_run (core->db, error,
                    "INSERT INTO kt_scope (hash, user_id, seq, access) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (hash) DO UPDATE SET seq = excluded.seq",
                    KT_BIND_INT, (gint64) kt_rights_scope (rights), KT_BIND_ID, user, KT_BIND_INT,
                    seq, KT_BIND_TEXT, kt_rights_json (rights), KT_BIND_END)
           >= 0
         && kt_db_run (core->db, error,
                       "DELETE FROM kt_scope WHERE user_id = ?1 AND seq <="
                       " (SELECT seq FROM kt_scope WHERE user_id = ?1 ORDER BY seq DESC, hash"
                       " LIMIT 1 OFFSET ?2)",
                       KT_BIND_ID, user, KT_BIND_INT, (gint64) KEPT_SCOPES, KT_BIND_END)
              >= 0;
}

gboolean
_kt_scope_remember (KtCore *core, const KtActor *actor, GError **error)
{
  gint64 seq;

  if (!_kt_core_begin (core, KT_TX_WRITE, &seq, error))
    return FALSE;
  if (!put_scope (core, actor, seq, error))
    {
      kt_db_rollback (core->db);
      return FALSE;
    }
  return kt_db_commit (core->db, error);
}

KtRights *
_kt_scope_recall (KtCore *core, const KtId *user, guint64 hash, GError **error)
{
  g_autofree char *text = NULL;

  if (!kt_db_get_text (core->db, &text, error,
                       "SELECT access FROM kt_scope WHERE hash = ?1 AND user_id = ?2", KT_BIND_INT,
                       (gint64) hash, KT_BIND_ID, user, KT_BIND_END)
      || text == NULL)
    return NULL;
  return kt_rights_from_json (text, -1, error);
}

GPtrArray *
_kt_scope_recall_all (KtCore *core, const KtId *user, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_rights_unref);
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    core->db, "SELECT access FROM kt_scope WHERE user_id = ?1 ORDER BY seq DESC, hash", error);
  KtStep step;

  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_id (stmt, 1, user);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      KtRights *rights = kt_rights_from_json (kt_stmt_text (stmt, 0), -1, error);

      if (rights == NULL)
        return NULL;
      g_ptr_array_add (all, rights);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&all) : NULL;
}

/* ---- records ---- */

gboolean
_kt_scope_whole (KtCore *core, const KtActor *actor, const KtObject *object)
{
  if (actor->access.admin)
    return TRUE;
  if (!kt_subscriptions_all (_kt_actor_subscriptions (core, actor), object))
    return FALSE;
  for (guint i = 0; i < object->n_fields; i++)
    if (kt_access_sight (&actor->access, object->fields[i]) != KT_SIGHT_CLEAR)
      return FALSE;
  return TRUE;
}

KtAudience *
_kt_scope_audience (KtCore *core, const KtObject *object, gint64 rid, GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (core->db, "SELECT token FROM kt_audience WHERE object = ?1 AND rid = ?2", error);
  g_autoptr (KtAudience) audience = kt_audience_new ();
  KtStep step;

  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_int (stmt, 1, object->number);
  kt_stmt_bind_int (stmt, 2, rid);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gsize len;
      const void *bytes = kt_stmt_blob (stmt, 0, &len);
      KtToken token;

      if (len != KT_TOKEN_BYTES)
        continue;
      memcpy (token.b, bytes, len);
      kt_audience_add (audience, &token);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&audience) : NULL;
}

gboolean
_kt_scope_sees (KtCore *core,
                const KtActor *actor,
                const KtObject *object,
                gint64 rid,
                gboolean *sees,
                GError **error)
{
  const KtSubscriptions *subscriptions = _kt_actor_subscriptions (core, actor);
  g_autoptr (KtAudience) audience = NULL;

  *sees = actor->access.admin || kt_subscriptions_all (subscriptions, object);
  if (*sees || !kt_subscriptions_any (subscriptions, object))
    return TRUE;
  audience = _kt_scope_audience (core, object, rid, error);
  if (audience == NULL)
    return FALSE;
  *sees = kt_subscriptions_meet (subscriptions, object, audience);
  return TRUE;
}

gboolean
_kt_scope_sees_id (KtCore *core,
                   const KtActor *actor,
                   const KtObject *object,
                   const KtId *id,
                   gboolean *sees,
                   GError **error)
{
  g_autofree char *sql = g_strdup_printf ("SELECT rid FROM \"o_%s\" WHERE id = ?1", object->name);
  gint64 rid;

  *sees = FALSE;
  if (!kt_db_get_int (core->db, -1, &rid, error, sql, KT_BIND_ID, id, KT_BIND_END))
    return FALSE;
  return rid < 0 || _kt_scope_sees (core, actor, object, rid, sees, error);
}

static int
compare_rids (gconstpointer a, gconstpointer b)
{
  gint64 left = *(const gint64 *) a, right = *(const gint64 *) b;

  return left < right ? -1 : left > right;
}

static gboolean
append_rids (KtStmt *stmt, GArray *rids, GError **error)
{
  KtStep step;

  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gint64 rid = kt_stmt_int (stmt, 0);

      g_array_append_val (rids, rid);
    }
  return step == KT_STEP_DONE;
}

/* The @limit smallest, each once. */
static void
settle_rids (GArray *rids, guint limit)
{
  guint kept = 0;

  g_array_sort (rids, compare_rids);
  for (guint i = 0; i < rids->len; i++)
    if (kept == 0
        || g_array_index (rids, gint64, i) != g_array_index (rids, gint64, kept - 1))
      g_array_index (rids, gint64, kept++) = g_array_index (rids, gint64, i);
  g_array_set_size (rids, MIN (kept, limit));
}

GArray *
_kt_scope_rids_of (KtCore *core,
                   const KtObject *object,
                   const GArray *tokens,
                   gint64 after,
                   guint limit,
                   GError **error)
{
  g_autoptr (GArray) rids = g_array_new (FALSE, FALSE, sizeof (gint64));
  gsize settled = MAX ((gsize) limit * 8, 65536);

  for (guint i = 0; i < tokens->len; i++)
    {
      KT_STMT_SCOPE *stmt =
        kt_db_stmt (core->db,
                    "SELECT rid FROM kt_audience WHERE object = ?1 AND token = ?2 AND rid > ?3"
                    " ORDER BY rid LIMIT ?4",
                    error);

      if (stmt == NULL)
        return NULL;
      kt_stmt_bind_int (stmt, 1, object->number);
      kt_stmt_bind_blob (stmt, 2, g_array_index (tokens, KtToken, i).b, KT_TOKEN_BYTES);
      kt_stmt_bind_int (stmt, 3, after);
      kt_stmt_bind_int (stmt, 4, limit);
      if (!append_rids (stmt, rids, error))
        return NULL;
      if (rids->len > settled)
        settle_rids (rids, limit);
    }
  settle_rids (rids, limit);
  return g_steal_pointer (&rids);
}

GArray *
_kt_scope_rids (KtCore *core,
                const KtSubscriptions *subscriptions,
                const KtObject *object,
                gint64 after,
                guint limit,
                GError **error)
{
  g_autoptr (GArray) tokens = NULL;

  if (kt_subscriptions_all (subscriptions, object))
    {
      g_autofree char *sql = g_strdup_printf (
        "SELECT rid FROM \"o_%s\" WHERE rid > ?1 ORDER BY rid LIMIT ?2", object->name);
      KT_STMT_SCOPE *stmt = kt_db_stmt (core->db, sql, error);
      g_autoptr (GArray) rids = g_array_new (FALSE, FALSE, sizeof (gint64));

      if (stmt == NULL)
        return NULL;
      kt_stmt_bind_int (stmt, 1, after);
      kt_stmt_bind_int (stmt, 2, limit);
      return append_rids (stmt, rids, error) ? g_steal_pointer (&rids) : NULL;
    }
  tokens = kt_subscriptions_tokens (subscriptions, object);
  return _kt_scope_rids_of (core, object, tokens, after, limit, error);
}

static char *
load_sql (KtCore *core, const KtObject *object)
{
  GString *sql = g_string_new ("SELECT ");

  g_string_append (sql, kt_table_columns (core->db, object, NULL));
  g_string_append_printf (sql, " FROM \"o_%s\" WHERE rid IN (", object->name);
  for (guint i = 1; i <= BATCH; i++)
    g_string_append_printf (sql, i > 1 ? ", ?%u" : "?%u", i);
  g_string_append (sql, ") ORDER BY rid");
  return g_string_free (sql, FALSE);
}

gboolean
_kt_scope_load (KtCore *core,
                const KtObject *object,
                const GArray *rids,
                KtScopeRow func,
                gpointer data,
                GError **error)
{
  g_autofree char *sql = rids->len > 0 ? load_sql (core, object) : NULL;

  for (guint at = 0; at < rids->len; at += BATCH)
    {
      KT_STMT_SCOPE *stmt = kt_db_stmt (core->db, sql, error);
      KtStep step;

      if (stmt == NULL)
        return FALSE;
      for (guint i = 0; i < BATCH; i++)
        kt_stmt_bind_int (stmt, (int) i + 1,
                          g_array_index (rids, gint64, MIN (at + i, rids->len - 1)));
      while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
        if (!func (stmt, data))
          return TRUE;
      if (step == KT_STEP_ERROR)
        return FALSE;
    }
  return TRUE;
}

/* ---- the document ---- */

KtReply *
_kt_core_access (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  const char *digest = kt_rights_digest (actor->access.rights);
  const char *json = kt_rights_json (actor->access.rights);
  KtReply *reply;

  if (g_strcmp0 (request->etag, digest) == 0)
    reply = kt_reply_new (304);
  else
    {
      reply = kt_reply_new (200);
      reply->content_type = g_strdup (KT_WIRE_CONTENT_JSON);
      reply->body = g_bytes_new (json, strlen (json));
    }
  reply->etag = g_strdup (digest);
  return reply;
}
