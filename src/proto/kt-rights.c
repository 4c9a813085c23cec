/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a user may do, and the document that says so: KtRights ⇄ JSON. How it comes from roles: kt-rights-build.c. */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-rights-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-id.h"
#include "base/kt-json.h"

#define MAX_DOCUMENT (8 * 1024 * 1024)

const char *const kt_special_names[] = { "assignment",
                                         "other_users_work",
                                         "message",
                                         "mention",
                                         "export",
                                         "mass_update",
                                         "audit",
                                         "data_privacy",
                                         "follower_management",
                                         "other_calendars",
                                         "group_mail_accounts",
                                         "portal",
                                         "lock_unlock",
                                         "approve",
                                         "import",
                                         "merge",
                                         "configure",
                                         "run_as_report_owner",
                                         "keep_offline",
                                         "offline_export",
                                         NULL };

static const char *const may_words[] = { "read",   "create", "edit",      "delete",
                                         "stream", "export", "mass_edit", "share" };
G_STATIC_ASSERT (G_N_ELEMENTS (may_words) == KT_N_MAY);

static const char *const level_words[] = { "no", "own", "team", "unit", "all" };

/* ---- parts ---- */

static void
object_rights_free (gpointer data)
{
  ObjectRights *rights = data;

  g_clear_pointer (&rights->fields, g_hash_table_unref);
  g_free (rights);
}

ObjectRights *
_kt_rights_object (GHashTable *objects, const char *name, guint8 initial)
{
  ObjectRights *rights = g_hash_table_lookup (objects, name);

  if (rights != NULL)
    return rights;
  rights = g_new0 (ObjectRights, 1);
  memset (rights->level, initial, sizeof rights->level);
  g_hash_table_insert (objects, g_strdup (name), rights);
  return rights;
}

FieldRights *
_kt_rights_field (ObjectRights *object, const char *name)
{
  FieldRights *rights;

  if (object->fields == NULL)
    object->fields = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  rights = g_hash_table_lookup (object->fields, name);
  if (rights != NULL)
    return rights;
  rights = g_new (FieldRights, 1);
  *rights = (FieldRights){ UNSET, UNSET };
  g_hash_table_insert (object->fields, g_strdup (name), rights);
  return rights;
}

GHashTable *
_kt_rights_objects (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, object_rights_free);
}

static int
compare_ids (gconstpointer a, gconstpointer b)
{
  return kt_id_compare (a, b);
}

GArray *
_kt_rights_ids (const GArray *ids)
{
  GArray *sorted = g_array_new (FALSE, FALSE, sizeof (KtId));

  if (ids != NULL)
    g_array_append_vals (sorted, ids->data, ids->len);
  g_array_sort (sorted, compare_ids);
  for (guint i = 1; i < sorted->len;)
    if (kt_id_equal (&g_array_index (sorted, KtId, i), &g_array_index (sorted, KtId, i - 1)))
      g_array_remove_index (sorted, i);
    else
      i++;
  return sorted;
}

/* ---- words ---- */

static gboolean
read_level (const char *word, KtMay action, guint8 *out)
{
  if (word == NULL)
    return FALSE;
  if (action == KT_MAY_CREATE)
    {
      *out = g_str_equal (word, "yes") ? KT_LEVEL_ALL : KT_LEVEL_NO;
      return g_str_equal (word, "yes") || g_str_equal (word, "no");
    }
  for (guint i = 0; i < G_N_ELEMENTS (level_words); i++)
    if (g_str_equal (word, level_words[i]))
      {
        *out = (guint8) i;
        return TRUE;
      }
  /* The portal's: what belongs to my account, or to me as a contact. */
  *out = KT_LEVEL_OWN;
  return g_str_equal (word, "account") || g_str_equal (word, "contact");
}

static gboolean
read_action (const char *word, KtMay *out)
{
  for (guint i = 0; i < KT_N_MAY; i++)
    if (g_str_equal (word, may_words[i]))
      {
        *out = (KtMay) i;
        return TRUE;
      }
  return FALSE;
}

static gboolean
read_sight (const char *word, guint8 *out)
{
  *out = g_strcmp0 (word, "no") == 0     ? KT_SIGHT_HIDDEN
         : g_strcmp0 (word, "mask") == 0 ? KT_SIGHT_MASKED
                                         : KT_SIGHT_CLEAR;
  return *out != KT_SIGHT_CLEAR || g_strcmp0 (word, "yes") == 0;
}

static gboolean
read_special (const char *word, guint8 *out)
{
  *out = g_strcmp0 (word, "yes") == 0 || g_strcmp0 (word, "all") == 0 ? KT_LEVEL_ALL
         : g_strcmp0 (word, "team") == 0                              ? KT_LEVEL_TEAM
                                                                      : KT_LEVEL_NO;
  return *out != KT_LEVEL_NO || g_strcmp0 (word, "no") == 0;
}

/* ---- reading the JSON, of a role or of the document ---- */

static gboolean
wrong (GError **error, const char *object, const char *member, const char *wanted)
{
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: “%s” must be %s", object, member, wanted);
  return FALSE;
}

gboolean
_kt_rights_read_fields (const char *name, const KtJson *json, ObjectRights *object, GError **error)
{
  if (kt_json_type (json) != KT_JSON_OBJECT)
    return wrong (error, name, "fields", "an object of fields");
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *field = kt_json_key_at (json, i);
      const KtJson *value = kt_json_at (json, i);
      FieldRights *rights = _kt_rights_field (object, field);

      if (kt_json_type (value) != KT_JSON_OBJECT)
        return wrong (error, name, field, "an object with “read” and “edit”");
      for (guint k = 0; k < kt_json_length (value); k++)
        {
          const char *key = kt_json_key_at (value, k);
          const char *word = kt_json_string (kt_json_at (value, k), NULL);

          if (g_str_equal (key, "read"))
            {
              if (!read_sight (word, &rights->sight))
                return wrong (error, name, field, "read “yes”, “mask” or “no”");
            }
          else if (g_str_equal (key, "edit"))
            {
              if (g_strcmp0 (word, "yes") != 0 && g_strcmp0 (word, "no") != 0)
                return wrong (error, name, field, "edit “yes” or “no”");
              rights->edit = g_str_equal (word, "yes");
            }
          else
            return wrong (error, name, field, "nothing but “read” and “edit”");
        }
    }
  return TRUE;
}

/* @with_fields: the document has them inside. */
gboolean
_kt_rights_read_object (const char *name,
             const KtJson *json,
             ObjectRights *object,
             gboolean with_fields,
             GError **error)
{
  if (kt_json_type (json) != KT_JSON_OBJECT)
    return wrong (error, name, "scope", "an object of levels");
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *key = kt_json_key_at (json, i);
      const KtJson *value = kt_json_at (json, i);
      KtMay action;

      if (g_str_equal (key, "reports"))
        {
          if (kt_json_type (value) != KT_JSON_TRUE && kt_json_type (value) != KT_JSON_FALSE)
            return wrong (error, name, key, "true or false");
          object->reports |= kt_json_bool (value, FALSE);
        }
      else if (with_fields && g_str_equal (key, "fields"))
        {
          if (!_kt_rights_read_fields (name, value, object, error))
            return FALSE;
        }
      else if (!read_action (key, &action))
        return wrong (error, name, key, "an action that Kontor knows");
      else if (!read_level (kt_json_string (value, NULL), action, &object->level[action]))
        return wrong (error, name, key,
                      action == KT_MAY_CREATE ? "“yes” or “no”"
                                              : "“all”, “unit”, “team”, “own” or “no”");
    }
  return TRUE;
}

gboolean
_kt_rights_read_special (const KtJson *json, GHashTable *special, GError **error)
{
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *name = kt_json_key_at (json, i);
      guint8 level;

      if (!g_strv_contains (kt_special_names, name))
        return wrong (error, "special", name, "a permission that Kontor knows");
      if (!read_special (kt_json_string (kt_json_at (json, i), NULL), &level))
        return wrong (error, "special", name, "“yes”, “all”, “team” or “no”");
      if (level > GPOINTER_TO_UINT (g_hash_table_lookup (special, name)))
        g_hash_table_insert (special, g_strdup (name), GUINT_TO_POINTER (level));
    }
  return TRUE;
}

/* ---- the document ---- */

static gboolean
object_has_any (const ObjectRights *rights)
{
  for (guint i = 0; i < KT_N_MAY; i++)
    if (rights->level[i] > KT_LEVEL_NO)
      return TRUE;
  return FALSE;
}

static void
put_fields (KtJsonWriter *writer, const ObjectRights *rights)
{
  GHashTableIter iter;
  gpointer name, value;

  kt_json_key (writer, "fields");
  kt_json_begin_object (writer);
  g_hash_table_iter_init (&iter, rights->fields);
  while (g_hash_table_iter_next (&iter, &name, &value))
    {
      const FieldRights *field = value;

      kt_json_key (writer, name);
      kt_json_begin_object (writer);
      if (!field->edit)
        kt_json_put_string (writer, "edit", "no");
      if (field->sight != KT_SIGHT_CLEAR)
        kt_json_put_string (writer, "read", field->sight == KT_SIGHT_MASKED ? "mask" : "no");
      kt_json_end_object (writer);
    }
  kt_json_end_object (writer);
}

static void
put_object (KtJsonWriter *writer, const ObjectRights *rights)
{
  kt_json_begin_object (writer);
  for (guint i = 0; i < KT_N_MAY; i++)
    if (rights->level[i] > KT_LEVEL_NO)
      kt_json_put_string (writer, may_words[i],
                          i == KT_MAY_CREATE ? "yes" : level_words[rights->level[i]]);
  if (rights->reports)
    kt_json_put_bool (writer, "reports", TRUE);
  if (rights->fields != NULL)
    put_fields (writer, rights);
  kt_json_end_object (writer);
}

static void
put_ids (KtJsonWriter *writer, const char *key, const GArray *ids)
{
  kt_json_key (writer, key);
  kt_json_begin_array (writer);
  for (guint i = 0; i < ids->len; i++)
    {
      char text[KT_ID_TEXT_SIZE];

      kt_id_format (&g_array_index (ids, KtId, i), text);
      kt_json_add_string (writer, text);
    }
  kt_json_end_array (writer);
}

static void
put_special (KtJsonWriter *writer, const KtRights *rights)
{
  static const char *const words[] = { "no", "no", "team", "team", "all" };
  GHashTableIter iter;
  gpointer name, value;

  kt_json_key (writer, "special");
  kt_json_begin_object (writer);
  g_hash_table_iter_init (&iter, rights->special);
  while (g_hash_table_iter_next (&iter, &name, &value))
    if (GPOINTER_TO_UINT (value) > KT_LEVEL_NO)
      kt_json_put_string (writer, name, words[GPOINTER_TO_UINT (value)]);
  kt_json_end_object (writer);
}

/* Text, digest and scope of what is complete. */
void
_kt_rights_seal (KtRights *rights)
{
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  GHashTableIter iter;
  gpointer name, value;
  char user[KT_ID_TEXT_SIZE];

  kt_id_format (&rights->user, user);
  kt_json_begin_object (&writer);
  kt_json_put_bool (&writer, "admin", rights->admin);
  kt_json_key (&writer, "objects");
  kt_json_begin_object (&writer);
  g_hash_table_iter_init (&iter, rights->objects);
  while (g_hash_table_iter_next (&iter, &name, &value))
    if (object_has_any (value))
      {
        kt_json_key (&writer, name);
        put_object (&writer, value);
      }
  kt_json_end_object (&writer);
  put_ids (&writer, "reports", rights->reports);
  put_special (&writer, rights);
  put_ids (&writer, "teams", rights->teams);
  put_ids (&writer, "unit", rights->unit);
  kt_json_put_string (&writer, "user", user);
  kt_json_end_object (&writer);
  rights->json = kt_json_canonical (text->str, (gssize) text->len, NULL);
  rights->digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, rights->json, -1);
  {
    g_autofree char *first = g_strndup (rights->digest, 16);

    rights->scope = g_ascii_strtoull (first, NULL, 16);
  }
}

KtRights *
_kt_rights_new (void)
{
  KtRights *rights = g_new0 (KtRights, 1);

  g_atomic_ref_count_init (&rights->refs);
  rights->objects = _kt_rights_objects ();
  rights->special = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return rights;
}

/* ---- reading the document ---- */

static GArray *
read_ids (const KtJson *json, const char *key, GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (KtId));
  const KtJson *list = kt_json_get (json, key);

  for (guint i = 0; i < kt_json_length (list); i++)
    {
      KtId id;

      if (!kt_id_parse (kt_json_string (kt_json_at (list, i), ""), -1, &id))
        {
          wrong (error, "access", key, "a list of ids");
          return NULL;
        }
      g_array_append_val (ids, id);
    }
  return _kt_rights_ids (ids);
}

static gboolean
fill_from_json (KtRights *rights, const KtJson *json, GError **error)
{
  const KtJson *objects = kt_json_get (json, "objects");

  if (!kt_id_parse (kt_json_get_string (json, "user", ""), -1, &rights->user))
    return wrong (error, "access", "user", "an id");
  rights->admin = kt_json_get_bool (json, "admin", FALSE);
  for (guint i = 0; i < kt_json_length (objects); i++)
    {
      const char *name = kt_json_key_at (objects, i);
      ObjectRights *object = _kt_rights_object (rights->objects, name, KT_LEVEL_NO);
      GHashTableIter iter;
      gpointer value;

      if (!_kt_rights_read_object (name, kt_json_at (objects, i), object, TRUE, error))
        return FALSE;
      if (object->fields == NULL)
        continue;
      g_hash_table_iter_init (&iter, object->fields);
      while (g_hash_table_iter_next (&iter, NULL, &value))
        {
          FieldRights *field = value;

          if (field->sight == UNSET)
            field->sight = KT_SIGHT_CLEAR;
          field->edit = field->sight == KT_SIGHT_CLEAR && field->edit != 0;
        }
    }
  return _kt_rights_read_special (kt_json_get (json, "special"), rights->special, error)
         && (rights->teams = read_ids (json, "teams", error)) != NULL
         && (rights->unit = read_ids (json, "unit", error)) != NULL
         && (rights->reports = read_ids (json, "reports", error)) != NULL;
}

KtRights *
kt_rights_from_json (const char *text, gssize len, GError **error)
{
  g_autoptr (KtRights) rights = NULL;
  g_autoptr (KtJson) json = NULL;

  g_return_val_if_fail (text != NULL, NULL);

  if (len < 0)
    len = (gssize) strlen (text);
  if (len > MAX_DOCUMENT)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "An access document may have %d MiB at most",
                   MAX_DOCUMENT / (1024 * 1024));
      return NULL;
    }
  json = kt_json_parse (text, len, error);
  if (json == NULL)
    return NULL;
  rights = _kt_rights_new ();
  if (!fill_from_json (rights, json, error))
    return NULL;
  _kt_rights_seal (rights);
  return g_steal_pointer (&rights);
}

/* ---- life ---- */

KtRights *
kt_rights_ref (KtRights *rights)
{
  if (rights != NULL)
    g_atomic_ref_count_inc (&rights->refs);
  return rights;
}

void
kt_rights_unref (KtRights *rights)
{
  if (rights == NULL || !g_atomic_ref_count_dec (&rights->refs))
    return;
  g_hash_table_unref (rights->objects);
  g_hash_table_unref (rights->special);
  g_clear_pointer (&rights->teams, g_array_unref);
  g_clear_pointer (&rights->unit, g_array_unref);
  g_clear_pointer (&rights->reports, g_array_unref);
  g_free (rights->json);
  g_free (rights->digest);
  g_free (rights);
}

/* ---- asking ---- */

const char *
kt_rights_json (const KtRights *rights)
{
  return rights->json;
}

const char *
kt_rights_digest (const KtRights *rights)
{
  return rights->digest;
}

guint64
kt_rights_scope (const KtRights *rights)
{
  return rights->scope;
}

gboolean
kt_rights_admin (const KtRights *rights)
{
  return rights->admin;
}

void
kt_rights_user (const KtRights *rights, KtId *user)
{
  *user = rights->user;
}

KtLevel
kt_rights_level (const KtRights *rights, const char *object, KtMay action)
{
  const ObjectRights *found;

  if (rights->admin)
    return KT_LEVEL_ALL;
  found = g_hash_table_lookup (rights->objects, object);
  return found != NULL ? (KtLevel) found->level[action] : KT_LEVEL_NO;
}

gboolean
kt_rights_reports (const KtRights *rights, const char *object)
{
  const ObjectRights *found = g_hash_table_lookup (rights->objects, object);

  return found != NULL && found->reports;
}

static const FieldRights *
find_field (const KtRights *rights, const char *object, const char *field)
{
  const ObjectRights *found =
    rights->admin ? NULL : g_hash_table_lookup (rights->objects, object);

  return found != NULL && found->fields != NULL ? g_hash_table_lookup (found->fields, field) : NULL;
}

KtSight
kt_rights_sight (const KtRights *rights, const char *object, const char *field)
{
  const FieldRights *found = find_field (rights, object, field);

  return found != NULL ? (KtSight) found->sight : KT_SIGHT_CLEAR;
}

gboolean
kt_rights_field_edit (const KtRights *rights, const char *object, const char *field)
{
  const FieldRights *found = find_field (rights, object, field);

  return found == NULL || found->edit;
}

KtLevel
kt_rights_special (const KtRights *rights, const char *name)
{
  return rights->admin ? KT_LEVEL_ALL
                       : (KtLevel) GPOINTER_TO_UINT (g_hash_table_lookup (rights->special, name));
}

const GArray *
kt_rights_teams (const KtRights *rights)
{
  return rights->teams;
}

const GArray *
kt_rights_unit (const KtRights *rights)
{
  return rights->unit;
}

const GArray *
kt_rights_report_ids (const KtRights *rights)
{
  return rights->reports;
}
