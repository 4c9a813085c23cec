/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Users, as an administrator at the server's machine sees them. The record goes through the same
 * commit as everybody's edits; the password stands beside it in kt_login. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-text.h"
#include "db/kt-table.h"

static const KtValue null_value = { 0 };

/* ---- by name ---- */

gboolean
_kt_core_find_user (KtCore *core, const char *name, KtId *id, GError **error)
{
  g_autofree char *folded = kt_text_fold (name);
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (core->db, "SELECT user_id FROM kt_login WHERE name = ?1", error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_text (stmt, 1, folded);
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ROW && kt_stmt_id (stmt, 0, id))
    return TRUE;
  if (step != KT_STEP_ERROR)
    g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no user “%s”", name);
  return FALSE;
}

static gboolean
is_called (const KtRecord *record, const char *folded)
{
  const KtField *translations = record->object->translations;
  const char *title = kt_record_text (record, record->object->title->name);
  g_autofree char *own = kt_text_fold (title != NULL ? title : "");
  g_autoptr (KtJson) json = NULL;

  if (strcmp (own, folded) == 0)
    return TRUE;
  if (translations == NULL || record->values[translations->index].type != KT_VALUE_JSON)
    return FALSE;
  json = kt_json_parse (record->values[translations->index].v.text, -1, NULL);
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      g_autofree char *other = kt_text_fold (kt_json_string (kt_json_at (json, i), ""));

      if (strcmp (other, folded) == 0)
        return TRUE;
    }
  return FALSE;
}

/* A record of a small configuration object by its name in any language. *found FALSE: none. *names: what there is. */
static gboolean
find_named (KtCore *core,
            const KtObject *object,
            const char *name,
            gboolean *found,
            KtId *id,
            GString *names,
            GError **error)
{
  g_autofree char *sql =
    g_strdup_printf ("SELECT %s FROM \"o_%s\" WHERE \"f_deleted_at\" IS NULL ORDER BY rid",
                     kt_table_columns (core->db, object, NULL), object->name);
  g_autofree char *folded = kt_text_fold (name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (core->db, sql, error);
  KtStep step;

  *found = FALSE;
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) record = kt_table_read (stmt, 0, object);

      if (is_called (record, folded))
        {
          *id = record->id;
          *found = TRUE;
          return TRUE;
        }
      if (names != NULL && kt_record_text (record, object->title->name) != NULL)
        g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "",
                                kt_record_text (record, object->title->name));
    }
  return step == KT_STEP_DONE;
}

static gboolean
need_object (KtCore *core, const char *name, const KtObject **object, GError **error)
{
  *object = kt_schema_object (core->schema, name);
  if (*object != NULL)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA, "The workspace's schema has no object “%s”", name);
  return FALSE;
}

static void
append_id (GString *list, const KtId *id)
{
  char text[KT_ID_TEXT_SIZE];

  kt_id_format (id, text);
  g_string_append_printf (list, "%s\"%s\"", list->len > 1 ? "," : "", text);
}

/* JSON array of role ids. *admin: "Admin" is among them. */
static char *
find_roles (KtCore *core, const char *const *roles, gboolean *admin, GError **error)
{
  g_autoptr (GString) list = g_string_new ("[");
  const KtObject *object;

  *admin = FALSE;
  if (!need_object (core, "role", &object, error))
    return NULL;
  for (; *roles != NULL; roles++)
    {
      g_autoptr (GString) names = g_string_new (NULL);
      g_autoptr (KtRecord) record = NULL;
      gboolean found;
      KtId id;

      if (!find_named (core, object, *roles, &found, &id, names, error))
        return NULL;
      if (!found)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no role “%s”; there are: %s",
                       *roles, names->str);
          return NULL;
        }
      record = kt_table_load (core->db, object, &id, error);
      if (record == NULL)
        return NULL;
      *admin |= g_strcmp0 (kt_record_text (record, "name"), "Admin") == 0;
      append_id (list, &id);
    }
  g_string_append_c (list, ']');
  return g_string_free (g_steal_pointer (&list), FALSE);
}

static void
patch_text (KtPatch *patch, const char *name, const char *text)
{
  const KtField *field = kt_object_field (patch->object, name);
  g_auto (KtValue) value = KT_VALUE_INIT;

  kt_value_set_text (&value, text);
  if (field != NULL && text != NULL)
    kt_patch_set (patch, field, &null_value, &value);
}

/* JSON array of team ids; those that are missing are made by ops in front. */
static char *
find_teams (KtCore *core,
            KtMutation *mutation,
            const char *const *teams,
            KtId *first,
            GError **error)
{
  g_autoptr (GString) list = g_string_new ("[");
  const KtObject *object;

  *first = KT_ID_NIL;
  if (!need_object (core, "team", &object, error))
    return NULL;
  for (; *teams != NULL; teams++)
    {
      gboolean found;
      KtId id;

      if (**teams == '\0')
        continue;
      if (!find_named (core, object, *teams, &found, &id, NULL, error))
        return NULL;
      if (!found)
        {
          KtPatch *patch = kt_patch_new (object);

          id = kt_id_new (core->env);
          patch_text (patch, "name", *teams);
          kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &id, 0, patch);
        }
      if (kt_id_is_nil (first))
        *first = id;
      append_id (list, &id);
    }
  g_string_append_c (list, ']');
  return g_string_free (g_steal_pointer (&list), FALSE);
}

/* ---- patches of a user ---- */

static gboolean
patch_json (KtPatch *patch,
            const KtRecord *record,
            const char *name,
            const char *json,
            GError **error)
{
  const KtField *field = kt_object_field (patch->object, name);
  g_autoptr (KtJson) tree = kt_json_parse (json, -1, error);
  g_auto (KtValue) value = KT_VALUE_INIT;

  if (tree == NULL || field == NULL)
    return tree != NULL;
  if (!kt_value_from_json (field, tree, &value, error))
    return FALSE;
  kt_patch_set (patch, field, record != NULL ? &record->values[field->index] : &null_value, &value);
  return TRUE;
}

static gboolean
patch_groups (KtCore *core,
              KtMutation *mutation,
              KtPatch *patch,
              const KtRecord *record,
              const char *const *roles,
              const char *const *teams,
              GError **error)
{
  g_autofree char *role_list = NULL;
  g_autofree char *team_list = NULL;
  gboolean admin;
  KtId first;

  if (roles != NULL)
    {
      role_list = find_roles (core, roles, &admin, error);
      if (role_list == NULL || !patch_json (patch, record, "roles", role_list, error)
          || !patch_json (patch, record, "type", admin ? "\"admin\"" : "\"regular\"", error))
        return FALSE;
    }
  if (teams != NULL)
    {
      char text[KT_ID_TEXT_SIZE];
      g_autofree char *json = NULL;

      team_list = find_teams (core, mutation, teams, &first, error);
      if (team_list == NULL || !patch_json (patch, record, "teams", team_list, error))
        return FALSE;
      kt_id_format (&first, text);
      json = kt_id_is_nil (&first) ? g_strdup ("null") : g_strdup_printf ("\"%s\"", text);
      if (!patch_json (patch, record, "default_team", json, error))
        return FALSE;
    }
  return TRUE;
}

/* "FIELD=VALUE" */
static gboolean
patch_assignments (KtCore *core,
                   KtPatch *patch,
                   const KtRecord *record,
                   const char *const *assignments,
                   GError **error)
{
  for (; assignments != NULL && *assignments != NULL; assignments++)
    {
      const char *equals = strchr (*assignments, '=');
      g_autofree char *name =
        equals != NULL ? g_strndup (*assignments, (gsize) (equals - *assignments)) : NULL;
      const KtField *field = name != NULL ? kt_object_field (patch->object, name) : NULL;
      g_auto (KtValue) value = KT_VALUE_INIT;

      if (equals == NULL || field == NULL || field->computed || strcmp (name, "user_name") == 0)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                       equals == NULL ? "“%s” is not of the form FIELD=VALUE"
                                      : "“%s” is no field of a user that can be set",
                       name != NULL ? name : *assignments);
          return FALSE;
        }
      if (!kt_value_parse (field, equals + 1, core->locale, core->currency, &value, error))
        return FALSE;
      kt_patch_set (patch, field, &record->values[field->index], &value);
    }
  return TRUE;
}

/* ---- writing ---- */

/* Takes the writer lock only after the password was hashed, and looks names up under it. */
typedef struct
{
  KtCore *core;
  KtMutation *mutation;
  KtActor system;
  gint64 seq;
} Change;

static gboolean
change_begin (Change *change, KtCore *core, GError **error)
{
  char now[KT_TIME_SIZE];

  *change = (Change){ .core = core };
  if (!_kt_core_begin (core, KT_TX_WRITE, &change->seq, error))
    return FALSE;
  _kt_core_now (core, now);
  _kt_actor_system (core, &change->system);
  change->mutation = kt_mutation_new (now, "api");
  change->mutation->id = kt_id_new (core->env);
  return TRUE;
}

/* @done: everything so far went well. */
static gboolean
change_end (Change *change, gboolean done, GError **error)
{
  done = done
         && (change->mutation->ops->len == 0
             || (_kt_core_apply (change->core, &change->system, change->mutation, &change->seq,
                                 NULL, error)
                 && _kt_core_put_seq (change->core, change->seq, error)));
  if (done)
    done = kt_db_commit (change->core->db, error);
  else
    kt_db_rollback (change->core->db);
  kt_mutation_free (change->mutation);
  _kt_actor_clear (&change->system);
  return done;
}

static gboolean
check_name (const char *name, GError **error)
{
  g_autofree char *folded = name != NULL ? kt_text_fold (name) : NULL;

  if (folded == NULL || *folded == '\0' || !g_utf8_validate (name, -1, NULL) || strlen (name) > 200
      || strpbrk (name, "\n\r\t") != NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "A user name must be 1 to 200 bytes of text on one line");
      return FALSE;
    }
  return TRUE;
}

static gboolean
add_user (Change *change,
          const char *name,
          const char *hash,
          const char *const *roles,
          const char *const *teams,
          KtId *id,
          GError **error)
{
  KtCore *core = change->core;
  const KtObject *object;
  g_autofree char *folded = kt_text_fold (name);
  g_autoptr (KtPatch) patch = NULL;
  gint64 taken;

  if (!need_object (core, "user", &object, error)
      || !kt_db_get_int (core->db, 0, &taken, error, "SELECT 1 FROM kt_login WHERE name = ?1",
                         KT_BIND_TEXT, folded, KT_BIND_END))
    return FALSE;
  if (taken)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_EXISTS, "There is a user “%s” already", name);
      return FALSE;
    }
  *id = kt_id_new (core->env);
  patch = kt_patch_new (object);
  patch_text (patch, "user_name", name);
  patch_text (patch, "name", name);
  if (!patch_groups (core, change->mutation, patch, NULL, roles, teams, error))
    return FALSE;
  kt_mutation_add (change->mutation, KT_MUTATE_CREATE, object, id, 0, g_steal_pointer (&patch));
  return kt_db_run (core->db, error,
                    "INSERT INTO kt_login (user_id, name, hash, enabled) VALUES (?1, ?2, ?3, 1)",
                    KT_BIND_ID, id, KT_BIND_TEXT, folded, KT_BIND_TEXT, hash, KT_BIND_END)
         > 0;
}

gboolean
kt_core_user_add (KtCore *core,
                  const char *name,
                  const char *password,
                  const char *const *roles,
                  const char *const *teams,
                  KtId *id,
                  GError **error)
{
  g_autofree char *hash = NULL;
  Change change;
  KtId made;

  g_return_val_if_fail (core != NULL, FALSE);

  if (!check_name (name, error) || (hash = _kt_password_hash (password, error)) == NULL
      || !change_begin (&change, core, error))
    return FALSE;
  if (!change_end (&change, add_user (&change, name, hash, roles, teams, &made, error), error))
    return FALSE;
  if (id != NULL)
    *id = made;
  return TRUE;
}

static KtRecord *
load_user (KtCore *core, const char *name, GError **error)
{
  const KtObject *object;
  KtRecord *record;
  KtId id;

  if (!need_object (core, "user", &object, error) || !_kt_core_find_user (core, name, &id, error))
    return NULL;
  record = kt_table_load (core->db, object, &id, error);
  if (record == NULL && error != NULL && *error == NULL)
    g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "The record of user “%s” was erased", name);
  return record;
}

static gboolean
set_user (Change *change,
          const char *name,
          const char *const *assignments,
          const char *const *roles,
          const char *const *teams,
          GError **error)
{
  g_autoptr (KtRecord) record = load_user (change->core, name, error);
  g_autoptr (KtPatch) patch = NULL;

  if (record == NULL)
    return FALSE;
  patch = kt_patch_new (record->object);
  if (!patch_groups (change->core, change->mutation, patch, record, roles, teams, error)
      || !patch_assignments (change->core, patch, record, assignments, error))
    return FALSE;
  if (kt_patch_length (patch) > 0)
    kt_mutation_add (change->mutation, KT_MUTATE_UPDATE, record->object, &record->id, record->rev,
                     g_steal_pointer (&patch));
  return TRUE;
}

gboolean
kt_core_user_set (KtCore *core,
                  const char *name,
                  const char *const *assignments,
                  const char *const *roles,
                  const char *const *teams,
                  GError **error)
{
  Change change;

  g_return_val_if_fail (core != NULL && name != NULL, FALSE);

  return change_begin (&change, core, error)
         && change_end (&change, set_user (&change, name, assignments, roles, teams, error), error);
}

/* Nobody could make another one. */
static gboolean
others_administer (KtCore *core, const KtId *user, const char *name, GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (KtId));
  KtStep step;

  if (!_kt_core_is_admin (core, user))
    return TRUE;
  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (
      core->db, "SELECT user_id FROM kt_login WHERE enabled = 1 AND user_id <> ?1", error);
    KtId id;

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_id (stmt, 1, user);
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      if (kt_stmt_id (stmt, 0, &id))
        g_array_append_val (ids, id);
    if (step == KT_STEP_ERROR)
      return FALSE;
  }
  for (guint i = 0; i < ids->len; i++)
    if (_kt_core_is_admin (core, &g_array_index (ids, KtId, i)))
      return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_FORBIDDEN,
               "%s is the only administrator: make somebody else one first", name);
  return FALSE;
}

static gboolean
enable_user (Change *change, const char *name, gboolean enabled, GError **error)
{
  g_autoptr (KtRecord) record = load_user (change->core, name, error);
  g_autoptr (KtPatch) patch = NULL;

  if (record == NULL)
    return FALSE;
  if (!enabled && !others_administer (change->core, &record->id, name, error))
    return FALSE;
  patch = kt_patch_new (record->object);
  if (!patch_json (patch, record, "is_active", enabled ? "true" : "false", error))
    return FALSE;
  if (kt_patch_length (patch) > 0)
    kt_mutation_add (change->mutation, KT_MUTATE_UPDATE, record->object, &record->id, record->rev,
                     g_steal_pointer (&patch));
  return kt_db_run (change->core->db, error, "UPDATE kt_login SET enabled = ?1 WHERE user_id = ?2",
                    KT_BIND_INT, (gint64) (enabled ? 1 : 0), KT_BIND_ID, &record->id, KT_BIND_END)
           >= 0
         && (enabled || _kt_core_end_sessions (change->core, &record->id, error));
}

gboolean
kt_core_user_enable (KtCore *core, const char *name, gboolean enabled, GError **error)
{
  Change change;

  g_return_val_if_fail (core != NULL && name != NULL, FALSE);

  return change_begin (&change, core, error)
         && change_end (&change, enable_user (&change, name, enabled, error), error);
}

static gboolean
set_password (Change *change, const char *name, const char *hash, GError **error)
{
  KtId id;

  return _kt_core_find_user (change->core, name, &id, error)
         && kt_db_run (change->core->db, error, "UPDATE kt_login SET hash = ?1 WHERE user_id = ?2",
                       KT_BIND_TEXT, hash, KT_BIND_ID, &id, KT_BIND_END)
              >= 0
         && _kt_core_end_sessions (change->core, &id, error);
}

gboolean
kt_core_user_password (KtCore *core, const char *name, const char *password, GError **error)
{
  g_autofree char *hash = NULL;
  Change change;

  g_return_val_if_fail (core != NULL && name != NULL, FALSE);

  hash = _kt_password_hash (password, error);
  return hash != NULL && change_begin (&change, core, error)
         && change_end (&change, set_password (&change, name, hash, error), error);
}

/* ---- list ---- */

static void
put_names (KtCore *core,
           KtJsonWriter *writer,
           const char *key,
           const char *object_name,
           const KtValue *list)
{
  const KtObject *object = kt_schema_object (core->schema, object_name);
  g_autoptr (KtJson) json =
    list != NULL && list->type == KT_VALUE_LIST ? kt_json_parse (list->v.text, -1, NULL) : NULL;

  kt_json_key (writer, key);
  kt_json_begin_array (writer);
  for (guint i = 0; object != NULL && i < kt_json_length (json); i++)
    {
      g_autoptr (KtRecord) record = NULL;
      KtId id;

      if (kt_id_parse (kt_json_string (kt_json_at (json, i), ""), -1, &id))
        record = kt_table_load (core->db, object, &id, NULL);
      if (record != NULL)
        kt_json_add_string (writer, kt_record_text (record, "name"));
    }
  kt_json_end_array (writer);
}

static char *
describe_user (KtCore *core,
               const KtObject *object,
               const KtId *id,
               gboolean enabled,
               GError **error)
{
  g_autoptr (KtRecord) record = kt_table_load (core->db, object, id, error);
  GString *text;
  char formatted[KT_ID_TEXT_SIZE];

  if (record == NULL)
    return NULL;
  text = g_string_new (NULL);

  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_id_format (id, formatted);
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "id", formatted);
  kt_json_put_string (&writer, "user_name", kt_record_text (record, "user_name"));
  kt_json_put_string (&writer, "name", kt_record_text (record, "name"));
  kt_json_put_bool (&writer, "admin", g_strcmp0 (kt_record_text (record, "type"), "admin") == 0);
  kt_json_put_bool (&writer, "enabled", enabled);
  put_names (core, &writer, "roles", "role", kt_record_get (record, "roles"));
  put_names (core, &writer, "teams", "team", kt_record_get (record, "teams"));
  kt_json_end_object (&writer);
  return g_string_free (text, FALSE);
}

GPtrArray *
kt_core_user_list (KtCore *core, GError **error)
{
  g_autoptr (GPtrArray) users = g_ptr_array_new_with_free_func (g_free);
  const KtObject *object;
  gint64 seq;
  gboolean done = FALSE;

  g_return_val_if_fail (core != NULL, NULL);

  if (!_kt_core_begin (core, KT_TX_READ, &seq, error))
    return NULL;
  if (need_object (core, "user", &object, error))
    {
      KT_STMT_SCOPE *stmt =
        kt_db_stmt (core->db, "SELECT user_id, enabled FROM kt_login ORDER BY name", error);
      KtStep step = KT_STEP_ERROR;

      while (stmt != NULL && (step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
        {
          g_autoptr (GError) local = NULL;
          char *line;
          KtId id;

          if (!kt_stmt_id (stmt, 0, &id))
            continue;
          line = describe_user (core, object, &id, kt_stmt_int (stmt, 1) != 0, &local);
          if (line != NULL)
            g_ptr_array_add (users, line);
          else if (local != NULL)
            {
              g_propagate_error (error, g_steal_pointer (&local));
              break;
            }
        }
      done = step == KT_STEP_DONE;
    }
  kt_db_rollback (core->db);
  return done ? g_steal_pointer (&users) : NULL;
}
