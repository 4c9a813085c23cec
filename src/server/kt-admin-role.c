/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Roles, as an administrator at the server's machine sets them: the JSON of a role record (proto/kt-access.h). */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-text.h"
#include "db/kt-table.h"

static const KtValue null_value = { 0 };

/* By its name. NULL without an error: none. */
static KtRecord *
find_role (KtCore *core, const KtObject *object, const char *name, GError **error)
{
  g_autofree char *folded = kt_text_fold (name);
  g_autofree char *sql =
    g_strdup_printf ("SELECT %s FROM \"o_role\" WHERE \"f_deleted_at\" IS NULL ORDER BY rid",
                     kt_table_columns (core->db, object, NULL));
  KT_STMT_SCOPE *stmt = kt_db_stmt (core->db, sql, error);

  while (stmt != NULL && kt_stmt_step (stmt, error) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) record = kt_table_read (stmt, 0, object);
      const char *title = kt_record_text (record, "name");
      g_autofree char *theirs = kt_text_fold (title != NULL ? title : "");

      if (strcmp (theirs, folded) == 0)
        return g_steal_pointer (&record);
    }
  return NULL;
}

/* "*" stands for every object that is not named; of what only the server changes it gives nothing but sight. */
static char *
expand (KtCore *core, const KtJson *scope)
{
  static const char *const reading[] = { "read", "stream", "export", "reports", NULL };
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  const KtJson *any = kt_json_get (scope, "*");
  const KtObject *const *objects;
  guint n;

  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (scope); i++)
    {
      g_autofree char *value = kt_json_to_string (kt_json_at (scope, i), TRUE);

      if (strcmp (kt_json_key_at (scope, i), "*") != 0)
        kt_json_put_raw (&writer, kt_json_key_at (scope, i), value);
    }
  objects = kt_schema_objects (core->schema, &n);
  for (guint i = 0; any != NULL && i < n; i++)
    {
      if (kt_json_get (scope, objects[i]->name) != NULL)
        continue;
      kt_json_key (&writer, objects[i]->name);
      kt_json_begin_object (&writer);
      for (guint k = 0; k < kt_json_length (any); k++)
        {
          const char *key = kt_json_key_at (any, k);
          g_autofree char *value = kt_json_to_string (kt_json_at (any, k), TRUE);

          if (objects[i]->conflict != KT_CONFLICT_SERVER || g_strv_contains (reading, key))
            kt_json_put_raw (&writer, key, value);
        }
      kt_json_end_object (&writer);
    }
  kt_json_end_object (&writer);
  return g_string_free (text, FALSE);
}

static gboolean
patch_member (KtCore *core,
              KtPatch *patch,
              const KtRecord *record,
              const char *name,
              const KtJson *json,
              GError **error)
{
  const KtField *field = kt_object_field (patch->object, name);
  g_autofree char *text = strcmp (name, "scope") == 0 ? expand (core, json) : NULL;
  g_autoptr (KtJson) expanded = text != NULL ? kt_json_parse (text, -1, error) : NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;

  if (field == NULL || (text != NULL && expanded == NULL))
    return field == NULL;
  if (!kt_value_from_json (field, expanded != NULL ? expanded : json, &value, error))
    return FALSE;
  kt_patch_set (patch, field, record != NULL ? &record->values[field->index] : &null_value, &value);
  return TRUE;
}

static gboolean
fill (KtCore *core,
      KtPatch *patch,
      const KtRecord *record,
      const char *name,
      const KtJson *json,
      GError **error)
{
  static const char *const known[] = { "scope", "fields", "special", "is_baseline", NULL };
  const KtField *title = kt_object_field (patch->object, "name");

  if (kt_json_type (json) != KT_JSON_OBJECT)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "A role must be a JSON object");
      return FALSE;
    }
  if (record == NULL)
    {
      g_auto (KtValue) value = KT_VALUE_INIT;

      kt_value_set_text (&value, name);
      kt_patch_set (patch, title, &null_value, &value);
    }
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *key = kt_json_key_at (json, i);

      if (!g_strv_contains (known, key))
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                       "A role has “scope”, “fields”, “special” and “is_baseline”, not “%s”", key);
          return FALSE;
        }
      if (!patch_member (core, patch, record, key, kt_json_at (json, i), error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
set_role (KtCore *core,
          const char *name,
          const KtJson *json,
          gint64 *seq,
          KtId *id,
          GError **error)
{
  const KtObject *object = kt_schema_object (core->schema, "role");
  g_autoptr (KtMutation) mutation = NULL;
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (KtPatch) patch = NULL;
  g_autoptr (GError) local = NULL;
  g_auto (KtActor) system = { 0 };
  char now[KT_TIME_SIZE];

  if (object == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA, "The schema has no object “role”");
      return FALSE;
    }
  record = find_role (core, object, name, &local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  patch = kt_patch_new (object);
  if (!fill (core, patch, record, name, json, error))
    return FALSE;
  *id = record != NULL ? record->id : kt_id_new (core->env);
  if (kt_patch_length (patch) == 0)
    return TRUE;
  _kt_core_now (core, now);
  mutation = kt_mutation_new (now, "api");
  kt_mutation_add (mutation, record != NULL ? KT_MUTATE_UPDATE : KT_MUTATE_CREATE, object, id,
                   record != NULL ? record->rev : 0, g_steal_pointer (&patch));
  _kt_actor_system (core, &system);
  return _kt_core_apply (core, &system, mutation, seq, NULL, error)
         && _kt_core_put_seq (core, *seq, error);
}

gboolean
kt_core_role_set (KtCore *core, const char *name, const char *json, KtId *id, GError **error)
{
  g_autoptr (KtJson) tree = NULL;
  gint64 seq;
  KtId made;

  g_return_val_if_fail (core != NULL && name != NULL && json != NULL, FALSE);

  tree = kt_json_parse (json, -1, error);
  if (tree == NULL || !_kt_core_begin (core, KT_TX_WRITE, &seq, error))
    return FALSE;
  if (!set_role (core, name, tree, &seq, &made, error))
    {
      kt_db_rollback (core->db);
      return FALSE;
    }
  if (id != NULL)
    *id = made;
  return kt_db_commit (core->db, error);
}

GPtrArray *
kt_core_role_list (KtCore *core, GError **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  g_return_val_if_fail (core != NULL, NULL);

  stmt = kt_db_stmt (core->db,
                     "SELECT id, \"f_name\", \"f_is_baseline\" FROM \"o_role\""
                     " WHERE \"f_deleted_at\" IS NULL ORDER BY rid",
                     error);
  if (stmt == NULL)
    return NULL;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      GString *text = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (text);
      char uuid[KT_ID_TEXT_SIZE];
      KtId id;

      if (!kt_stmt_id (stmt, 0, &id))
        continue;
      kt_id_format (&id, uuid);
      kt_json_begin_object (&writer);
      kt_json_put_string (&writer, "id", uuid);
      kt_json_put_string (&writer, "name", kt_stmt_text (stmt, 1));
      kt_json_put_bool (&writer, "is_baseline", kt_stmt_int (stmt, 2) != 0);
      kt_json_end_object (&writer);
      g_ptr_array_add (lines, g_string_free (text, FALSE));
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&lines) : NULL;
}
