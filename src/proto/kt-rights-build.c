/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a user's roles come to:
 *
 *   role.scope, role.fields, role.special ──► Role, one each
 *   levels    most permissive of all, the baseline included
 *   fields    most permissive of the roles that grant the object; where one of them says nothing, the baseline's word
 *   ──► KtRights                                                                                                     */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-rights-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-id.h"
#include "base/kt-json.h"

/* ---- roles ---- */

typedef struct
{
  GHashTable *objects;
  GHashTable *special;
  gboolean baseline;
} Role;

static void
role_free (gpointer data)
{
  Role *role = data;

  g_hash_table_unref (role->objects);
  g_hash_table_unref (role->special);
  g_free (role);
}

/* NULL without an error: blank. */
static KtJson *
role_json (const KtRecord *record, const char *name, GError **error)
{
  const KtValue *value = kt_record_get (record, name);
  KtJson *json;

  if (value == NULL || value->type != KT_VALUE_JSON)
    return NULL;
  json = kt_json_parse (value->v.text, -1, error);
  if (json != NULL && kt_json_type (json) != KT_JSON_OBJECT
      && !(kt_json_type (json) == KT_JSON_ARRAY && kt_json_length (json) == 0))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“%s” must be an object", name);
      kt_json_unref (json);
      return NULL;
    }
  return json;
}

static gboolean
fill_role (const KtRecord *record, Role *role, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (KtJson) scope = role_json (record, "scope", &local);
  g_autoptr (KtJson) fields = local == NULL ? role_json (record, "fields", &local) : NULL;
  g_autoptr (KtJson) special = local == NULL ? role_json (record, "special", &local) : NULL;
  const KtValue *baseline = kt_record_get (record, "is_baseline");

  role->baseline = baseline != NULL && baseline->type == KT_VALUE_BOOL && baseline->v.integer != 0;
  for (guint i = 0; local == NULL && i < kt_json_length (scope); i++)
    {
      const char *name = kt_json_key_at (scope, i);

      _kt_rights_read_object (name, kt_json_at (scope, i), _kt_rights_object (role->objects, name, UNSET),
                   FALSE, &local);
    }
  for (guint i = 0; local == NULL && i < kt_json_length (fields); i++)
    {
      const char *name = kt_json_key_at (fields, i);

      _kt_rights_read_fields (name, kt_json_at (fields, i), _kt_rights_object (role->objects, name, UNSET),
                      &local);
    }
  if (local == NULL)
    _kt_rights_read_special (special, role->special, &local);
  if (local == NULL)
    return TRUE;
  {
    g_autofree char *title = kt_record_title (record, "en");

    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "Role “%s”: %s", title, local->message);
  }
  return FALSE;
}

static Role *
read_role (const KtRecord *record, GError **error)
{
  Role *role = g_new0 (Role, 1);

  role->objects = _kt_rights_objects ();
  role->special = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (fill_role (record, role, error))
    return role;
  role_free (role);
  return NULL;
}

gboolean
kt_role_check (const KtRecord *record, GError **error)
{
  const KtSchema *schema;
  GHashTableIter iter;
  gpointer name, value;
  Role *role;

  g_return_val_if_fail (record != NULL, FALSE);

  schema = record->object->schema;
  role = read_role (record, error);
  if (role == NULL)
    return FALSE;
  g_hash_table_iter_init (&iter, role->objects);
  while (g_hash_table_iter_next (&iter, &name, &value))
    {
      const KtObject *object = kt_schema_object (schema, name);
      const ObjectRights *rights = value;
      GHashTableIter fields;
      gpointer field;

      if (rights->fields == NULL || object == NULL)
        continue;
      g_hash_table_iter_init (&fields, rights->fields);
      while (g_hash_table_iter_next (&fields, &field, NULL))
        if (kt_object_field (object, field) == NULL)
          {
            g_autofree char *title = kt_record_title (record, "en");

            g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "Role “%s”: %s has no field “%s”",
                         title, (char *) name, (char *) field);
            role_free (role);
            return FALSE;
          }
    }
  role_free (role);
  return TRUE;
}

/* ---- several roles ---- */

static void
join_levels (GHashTable *objects, const Role *role)
{
  GHashTableIter iter;
  gpointer name, value;

  g_hash_table_iter_init (&iter, role->objects);
  while (g_hash_table_iter_next (&iter, &name, &value))
    {
      const ObjectRights *theirs = value;
      ObjectRights *mine = _kt_rights_object (objects, name, KT_LEVEL_NO);

      for (guint i = 0; i < KT_N_MAY; i++)
        if (theirs->level[i] != UNSET)
          mine->level[i] = MAX (mine->level[i], theirs->level[i]);
      mine->reports |= theirs->reports;
    }
}

static FieldRights
said (const Role *role, const char *object, const char *field)
{
  const ObjectRights *rights = g_hash_table_lookup (role->objects, object);
  const FieldRights *found =
    rights != NULL && rights->fields != NULL ? g_hash_table_lookup (rights->fields, field) : NULL;

  return found != NULL ? *found : (FieldRights){ UNSET, UNSET };
}

static gboolean
grants (const Role *role, const char *object)
{
  const ObjectRights *rights = g_hash_table_lookup (role->objects, object);

  return rights != NULL && rights->level[KT_MAY_READ] != UNSET
         && rights->level[KT_MAY_READ] > KT_LEVEL_NO;
}

static void
widen (FieldRights *to, FieldRights with)
{
  if (to->sight == UNSET || (with.sight != UNSET && with.sight > to->sight))
    to->sight = with.sight;
  if (to->edit == UNSET || (with.edit != UNSET && with.edit > to->edit))
    to->edit = with.edit;
}

static FieldRights
join_field (const GPtrArray *roles, const char *object, const char *field)
{
  FieldRights base = { UNSET, UNSET }, result = { UNSET, UNSET };

  for (guint i = 0; i < roles->len; i++)
    if (((Role *) roles->pdata[i])->baseline)
      widen (&base, said (roles->pdata[i], object, field));
  if (base.sight == UNSET)
    base.sight = KT_SIGHT_CLEAR;
  if (base.edit == UNSET)
    base.edit = 1;
  for (guint i = 0; i < roles->len; i++)
    {
      const Role *role = roles->pdata[i];
      FieldRights own;

      if (role->baseline || !grants (role, object))
        continue;
      own = said (role, object, field);
      if (own.sight == UNSET)
        own.sight = base.sight;
      if (own.edit == UNSET)
        own.edit = base.edit;
      widen (&result, own);
    }
  if (result.sight == UNSET)
    result = base;
  if (result.sight != KT_SIGHT_CLEAR)
    result.edit = 0;
  return result;
}

static void
join_fields (GHashTable *objects, const GPtrArray *roles)
{
  for (guint i = 0; i < roles->len; i++)
    {
      GHashTableIter iter;
      gpointer name, value;

      g_hash_table_iter_init (&iter, ((Role *) roles->pdata[i])->objects);
      while (g_hash_table_iter_next (&iter, &name, &value))
        {
          ObjectRights *mine = g_hash_table_lookup (objects, name);
          const ObjectRights *theirs = value;
          GHashTableIter fields;
          gpointer field;

          if (theirs->fields == NULL)
            continue;
          g_hash_table_iter_init (&fields, theirs->fields);
          while (g_hash_table_iter_next (&fields, &field, NULL))
            {
              FieldRights joined = join_field (roles, name, field);

              if (joined.sight != KT_SIGHT_CLEAR || !joined.edit)
                *_kt_rights_field (mine, field) = joined;
            }
        }
    }
}

/* ---- the whole ---- */

static gboolean
uses_level (const KtRights *rights, KtLevel level)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, rights->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    for (guint i = 0; i < KT_N_MAY; i++)
      if (((ObjectRights *) value)->level[i] == level)
        return TRUE;
  return FALSE;
}

static gboolean
uses_reports (const KtRights *rights)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, rights->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((ObjectRights *) value)->reports)
      return TRUE;
  return FALSE;
}

KtRights *
kt_rights_build (const KtId *user,
                 gboolean admin,
                 const GPtrArray *records,
                 const GArray *teams,
                 const GArray *unit,
                 const GArray *reports,
                 GError **error)
{
  g_autoptr (GPtrArray) roles = g_ptr_array_new_with_free_func (role_free);
  KtRights *rights;

  g_return_val_if_fail (user != NULL, NULL);

  for (guint i = 0; !admin && records != NULL && i < records->len; i++)
    {
      Role *role = read_role (records->pdata[i], error);

      if (role == NULL)
        return NULL;
      g_ptr_array_add (roles, role);
    }
  rights = _kt_rights_new ();
  rights->user = *user;
  rights->admin = admin;
  for (guint i = 0; i < roles->len; i++)
    {
      const Role *role = roles->pdata[i];
      GHashTableIter iter;
      gpointer name, level;

      join_levels (rights->objects, role);
      g_hash_table_iter_init (&iter, role->special);
      while (g_hash_table_iter_next (&iter, &name, &level))
        if (GPOINTER_TO_UINT (level)
            > GPOINTER_TO_UINT (g_hash_table_lookup (rights->special, name)))
          g_hash_table_insert (rights->special, g_strdup (name), level);
    }
  join_fields (rights->objects, roles);
  rights->teams = _kt_rights_ids (teams);
  /* Who nobody asks about stays out: a colleague who comes or goes must not change the scope of people whose roles do not look at units. */
  rights->unit = _kt_rights_ids (uses_level (rights, KT_LEVEL_UNIT) ? unit : NULL);
  rights->reports = _kt_rights_ids (uses_reports (rights) ? reports : NULL);
  _kt_rights_seal (rights);
  return rights;
}
