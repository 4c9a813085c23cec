/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whether somebody may do something to a record, asked of their rights. Sentences come in the two languages of
 * the product, because the server speaks to people too and has no gettext. */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-access.h"

#include <string.h>

#include "base/kt-id.h"
#include "base/kt-json.h"
#include "proto/kt-audience.h"

void
kt_access_clear (KtAccess *access)
{
  g_clear_pointer (&access->name, g_free);
  g_clear_pointer (&access->rights, kt_rights_unref);
}

void
kt_access_copy (const KtAccess *from, KtAccess *to)
{
  *to = *from;
  to->name = g_strdup (from->name);
  to->rights = kt_rights_ref (from->rights);
}

static gboolean
is_chinese (const char *locale)
{
  return locale != NULL && g_str_has_prefix (locale, "zh");
}

static gboolean
is_conflict_object (const KtObject *object)
{
  return strcmp (object->name, "sync_conflict") == 0;
}

static gboolean
is_people_object (const KtObject *object)
{
  static const char *const names[] = { "user", "team", "role", "business_unit", NULL };

  return g_strv_contains (names, object->name);
}

static gboolean
names_user (const KtRecord *record, const char *field, const KtId *user)
{
  const KtValue *value = kt_record_get (record, field);

  return value != NULL && value->type == KT_VALUE_ID && kt_id_equal (&value->v.ref.id, user);
}

/* Takes @message. */
static gboolean
refuse (char **reason, char *message)
{
  if (reason != NULL)
    *reason = message;
  else
    g_free (message);
  return FALSE;
}

/* ---- sentences ---- */

static char *
say_never (KtMay action, const KtObject *object, const char *locale)
{
  static const char *const english[] = {
    "Your roles do not let you see %s",        "Your roles do not let you create %s",
    "Your roles do not let you change %s",     "Your roles do not let you delete %s",
    "Your roles do not let you see the history of %s",
    "Your roles do not let you export %s",     "Your roles do not let you change many %s at once",
    "Your roles do not let you share %s"
  };
  static const char *const chinese[] = { "您的角色无权查看%s",     "您的角色无权新建%s",
                                         "您的角色无权更改%s",     "您的角色无权删除%s",
                                         "您的角色无权查看%s的历史记录", "您的角色无权导出%s",
                                         "您的角色无权批量更改%s", "您的角色无权共享%s" };
  const char *plural = kt_object_plural (object, locale != NULL ? locale : "en");

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  return g_strdup_printf (is_chinese (locale) ? chinese[action] : english[action], plural);
#pragma GCC diagnostic pop
}

static char *
say_not_this (KtMay action, KtLevel level, const KtObject *object, const char *locale)
{
  static const char *const verbs[]
    = { "see", "create", "change", "delete", "see the history of", "export", "change", "share" };
  static const char *const chinese_verbs[]
    = { "查看", "新建", "更改", "删除", "查看其历史记录", "导出", "更改", "共享" };
  const char *plural = kt_object_plural (object, locale != NULL ? locale : "en");

  if (is_chinese (locale))
    return g_strdup_printf (level == KT_LEVEL_OWN    ? "您的角色只能%s自己负责的%s"
                            : level == KT_LEVEL_TEAM ? "您的角色只能%s本团队的%s"
                                                     : "您的角色只能%s本业务单元的%s",
                            chinese_verbs[action], plural);
  return g_strdup_printf (level == KT_LEVEL_OWN    ? "Your roles let you %s only %s of your own"
                          : level == KT_LEVEL_TEAM ? "Your roles let you %s only %s of your teams"
                                                   : "Your roles let you %s only %s of your business unit",
                          verbs[action], plural);
}

/* ---- whose it is ---- */

static gboolean
holds (const GArray *ids, const KtId *id)
{
  for (guint i = 0; i < ids->len; i++)
    if (kt_id_equal (&g_array_index (ids, KtId, i), id))
      return TRUE;
  return FALSE;
}

static gboolean
is_mine (const KtRights *rights, const char *object, KtLevel level, const KtId *owner)
{
  KtId me;

  kt_rights_user (rights, &me);
  return kt_id_equal (owner, &me)
         || (kt_rights_reports (rights, object) && holds (kt_rights_report_ids (rights), owner))
         || (level >= KT_LEVEL_UNIT && holds (kt_rights_unit (rights), owner));
}

/* Whether one token makes it mine at @level. */
static gboolean
token_counts (const KtRights *rights, const char *object, KtLevel level, const KtToken *token)
{
  KtId id;

  memcpy (id.b, token->b + 3, sizeof id.b);
  if (token->b[2] == KT_TOKEN_OWNER)
    return is_mine (rights, object, level, &id);
  return token->b[2] == KT_TOKEN_TEAM && level >= KT_LEVEL_TEAM
         && holds (kt_rights_teams (rights), &id);
}

static gboolean
list_holds (const KtRecord *record, const char *name, const KtId *id)
{
  const KtValue *value = kt_record_get (record, name);
  g_autoptr (KtJson) list = NULL;
  char text[KT_ID_TEXT_SIZE];

  if (value == NULL || value->type != KT_VALUE_LIST)
    return FALSE;
  kt_id_format (id, text);
  list = kt_json_parse (value->v.text, -1, NULL);
  for (guint i = 0; i < kt_json_length (list); i++)
    if (g_strcmp0 (kt_json_string (kt_json_at (list, i), NULL), text) == 0)
      return TRUE;
  return FALSE;
}

/* Owner, or who made it when nobody owns it. */
static gboolean
owner_of (const KtRecord *record, KtId *owner)
{
  static const char *const names[] = { "owner", "created_by" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const KtValue *value = kt_record_get (record, names[i]);

      if (value != NULL && value->type == KT_VALUE_ID)
        {
          *owner = value->v.ref.id;
          return TRUE;
        }
    }
  return FALSE;
}

static gboolean
own_counts (const KtRights *rights, KtLevel level, const KtRecord *record)
{
  const GArray *teams = kt_rights_teams (rights);
  KtId owner;

  if (owner_of (record, &owner) && is_mine (rights, record->object->name, level, &owner))
    return TRUE;
  for (guint i = 0; level >= KT_LEVEL_TEAM && i < teams->len; i++)
    if (list_holds (record, "teams", &g_array_index (teams, KtId, i)))
      return TRUE;
  return FALSE;
}

static gboolean
is_shared (const KtRights *rights, const KtRecord *record)
{
  KtId me;

  kt_rights_user (rights, &me);
  return list_holds (record, "collaborators", &me);
}

/* Read and history: whoever may read the parent; what is its own was asked before. */
static gboolean
parent_counts (const KtRights *rights, const KtRecord *record, const KtAudience *audience)
{
  g_autoptr (KtSubscriptions) subscriptions = NULL;
  g_autoptr (KtAudience) own = NULL;

  if (kt_audience_parent_field (record->object) == NULL)
    return FALSE;
  if (audience == NULL)
    return TRUE;
  subscriptions = kt_subscriptions_new (rights, record->object->schema);
  own = kt_audience_of (record, NULL, NULL);
  for (guint i = 0; i < audience->tokens->len; i++)
    {
      const KtToken *token = &g_array_index (audience->tokens, KtToken, i);

      if (!kt_audience_has (own, token) && kt_subscriptions_has (subscriptions, token))
        return TRUE;
    }
  return FALSE;
}

static gboolean
level_reaches (const KtRights *rights,
               KtMay action,
               KtLevel level,
               const KtRecord *record,
               const KtAudience *audience)
{
  gboolean reading = action == KT_MAY_READ || action == KT_MAY_STREAM;
  KtId me, owner;

  kt_rights_user (rights, &me);
  if (kt_audience_is_private (record))
    return (owner_of (record, &owner) && kt_id_equal (&owner, &me))
           || (reading && is_shared (rights, record));
  if (level == KT_LEVEL_ALL || own_counts (rights, level, record))
    return TRUE;
  if (reading && is_shared (rights, record))
    return TRUE;
  if (reading && parent_counts (rights, record, audience))
    return TRUE;
  if (record->object->kind != KT_KIND_CHILD)
    return FALSE;
  /* A part of something is its owner's and its teams'. */
  if (audience == NULL)
    return kt_audience_parent_field (record->object) != NULL;
  for (guint i = 0; i < audience->tokens->len; i++)
    if (token_counts (rights, record->object->name, level,
                      &g_array_index (audience->tokens, KtToken, i)))
      return TRUE;
  return FALSE;
}

gboolean
kt_rights_reach (const KtRights *rights,
                 KtMay action,
                 const KtObject *object,
                 const KtAudience *audience)
{
  KtLevel level = kt_rights_level (rights, object->name, action);

  if (level == KT_LEVEL_NO || level == KT_LEVEL_ALL)
    return level == KT_LEVEL_ALL;
  for (guint i = 0; i < audience->tokens->len; i++)
    {
      const KtToken *token = &g_array_index (audience->tokens, KtToken, i);
      gboolean own = ((guint) token->b[0] << 8 | token->b[1]) == object->number;

      if ((own || object->kind == KT_KIND_CHILD)
          && token_counts (rights, object->name, level, token))
        return TRUE;
    }
  return FALSE;
}

/* ---- records ---- */

static gboolean
may_touch_conflict (const KtAccess *access,
                    KtMay action,
                    const KtRecord *record,
                    gboolean chinese,
                    char **reason)
{
  if (action != KT_MAY_EDIT)
    return refuse (reason, g_strdup (chinese ? "待处理冲突由 Kontor 自动建立和保存"
                                             : "Review items are made and kept by Kontor itself"));
  if (access->admin || record == NULL || names_user (record, "assigned_to", &access->user)
      || names_user (record, "mine_by", &access->user))
    return TRUE;
  return refuse (reason, g_strdup (chinese ? "此冲突已分派给他人处理"
                                           : "This review item is assigned to somebody else"));
}

static gboolean
is_writing (KtMay action)
{
  return action == KT_MAY_CREATE || action == KT_MAY_EDIT || action == KT_MAY_DELETE
         || action == KT_MAY_MASS_EDIT;
}

gboolean
kt_access_may_in (const KtAccess *access,
                  KtMay action,
                  const KtObject *object,
                  const KtRecord *record,
                  const KtAudience *audience,
                  const char *locale,
                  char **reason)
{
  gboolean chinese = is_chinese (locale);
  KtLevel level;

  g_return_val_if_fail (access != NULL && object != NULL && action < KT_N_MAY, FALSE);

  if (reason != NULL)
    *reason = NULL;
  if (is_conflict_object (object) && action != KT_MAY_READ && action != KT_MAY_STREAM)
    return may_touch_conflict (access, action, record, chinese, reason);
  if (access->admin)
    return TRUE;
  if (access->rights == NULL && (object->conflict != KT_CONFLICT_SERVER || !is_writing (action)))
    return TRUE;
  level = access->rights != NULL ? kt_rights_level (access->rights, object->name, action)
                                 : KT_LEVEL_NO;
  /* What people may do hangs on these: no role can give them away. */
  if (is_writing (action)
      && (is_people_object (object)
          || (level == KT_LEVEL_NO && object->conflict == KT_CONFLICT_SERVER)))
    {
      const char *plural = kt_object_plural (object, locale != NULL ? locale : "en");

      return refuse (reason,
                     chinese ? g_strdup_printf ("只有管理员可以更改%s", plural)
                             : g_strdup_printf ("Only an administrator may change %s", plural));
    }
  if (level == KT_LEVEL_NO)
    return refuse (reason, say_never (action, object, locale));
  if (record == NULL || action == KT_MAY_CREATE)
    return TRUE;
  /* A device holds what it may read. */
  if (audience == NULL && action == KT_MAY_READ)
    return TRUE;
  if (is_conflict_object (object) ? names_user (record, "assigned_to", &access->user)
                                  : level_reaches (access->rights, action, level, record, audience))
    return TRUE;
  return refuse (reason, say_not_this (action, level, object, locale));
}

gboolean
kt_access_may (const KtAccess *access,
               KtMay action,
               const KtObject *object,
               const KtRecord *record,
               const char *locale,
               char **reason)
{
  return kt_access_may_in (access, action, object, record, NULL, locale, reason);
}

/* ---- operations ---- */

/* What a form fills in by itself is nobody's doing (57). */
static gboolean
is_default (const KtField *field, const KtValue *value)
{
  g_auto (KtValue) standard = KT_VALUE_INIT;

  if (kt_value_is_null (value))
    return TRUE;
  return field->default_value != NULL
         && kt_value_from_json (field, field->default_value, &standard, NULL)
         && kt_value_equal (&standard, value);
}

static gboolean
may_change (const KtAccess *access,
            const KtOp *op,
            const KtChange *change,
            const char *locale,
            char **reason)
{
  const KtField *field = change->field;
  const char *label = kt_field_label (field, locale != NULL ? locale : "en");

  if (field->computed)
    return refuse (reason, is_chinese (locale)
                             ? g_strdup_printf ("%s由 Kontor 自动计算", label)
                             : g_strdup_printf ("%s is filled in by Kontor", label));
  if (kt_access_field_edit (access, field)
      || (op->kind == KT_MUTATE_CREATE && is_default (field, &change->after)))
    return TRUE;
  return refuse (reason, is_chinese (locale)
                           ? g_strdup_printf ("您的角色无权更改%s", label)
                           : g_strdup_printf ("Your roles do not let you change %s", label));
}

gboolean
kt_access_may_op_in (const KtAccess *access,
                     const KtMutation *mutation,
                     const KtOp *op,
                     const KtRecord *record,
                     const KtAudience *audience,
                     const char *locale,
                     char **reason)
{
  static const KtMay wanted[] = {
    [KT_MUTATE_CREATE] = KT_MAY_CREATE,
    [KT_MUTATE_UPDATE] = KT_MAY_EDIT,
    [KT_MUTATE_DELETE] = KT_MAY_DELETE,
    [KT_MUTATE_RESTORE] = KT_MAY_DELETE,
  };
  KtMay action;

  g_return_val_if_fail (access != NULL && mutation != NULL && op != NULL, FALSE);

  /* An id that is there already is merged as an update (37): a right to create is none to change. */
  action = op->kind == KT_MUTATE_CREATE && record != NULL ? KT_MAY_EDIT : wanted[op->kind];
  if (!kt_access_may_in (access, action, op->object, record, audience, locale, reason))
    return FALSE;
  if (is_conflict_object (op->object))
    return refuse (reason, g_strdup (is_chinese (locale)
                                       ? "请通过“解决冲突”来处理此项"
                                       : "A review item changes only by settling it"));
  for (guint i = 0; op->patch != NULL && i < kt_patch_length (op->patch); i++)
    if (!may_change (access, op, &g_array_index (op->patch->changes, KtChange, i), locale, reason))
      return FALSE;
  return TRUE;
}

gboolean
kt_access_may_op (const KtAccess *access,
                  const KtMutation *mutation,
                  const KtOp *op,
                  const KtRecord *record,
                  const char *locale,
                  char **reason)
{
  return kt_access_may_op_in (access, mutation, op, record, NULL, locale, reason);
}

/* ---- giving away ---- */

static KtLevel
assignment (const KtAccess *access)
{
  if (access->admin || access->rights == NULL)
    return KT_LEVEL_ALL;
  return kt_rights_special (access->rights, "assignment");
}

gboolean
kt_access_may_assign (const KtAccess *access,
                      const KtRecord *user,
                      const char *locale,
                      char **reason)
{
  KtLevel level = assignment (access);
  const GArray *teams;
  g_autofree char *name = NULL;

  if (reason != NULL)
    *reason = NULL;
  if (level == KT_LEVEL_ALL || (user != NULL && kt_id_equal (&user->id, &access->user)))
    return TRUE;
  if (level == KT_LEVEL_TEAM && user != NULL)
    {
      teams = kt_rights_teams (access->rights);
      for (guint i = 0; i < teams->len; i++)
        if (list_holds (user, "teams", &g_array_index (teams, KtId, i))
            || names_user (user, "default_team", &g_array_index (teams, KtId, i)))
          return TRUE;
    }
  name = user != NULL ? kt_record_title (user, locale) : g_strdup ("?");
  if (is_chinese (locale))
    return refuse (reason, g_strdup_printf (level == KT_LEVEL_TEAM
                                              ? "您的角色只能分派给本团队成员，不能分派给%s"
                                              : "您的角色无权将记录分派给%s",
                                            name));
  return refuse (reason, g_strdup_printf (level == KT_LEVEL_TEAM
                                            ? "Your roles let you give records to people of your teams "
                                              "only, not to %s"
                                            : "Your roles do not let you give records to %s",
                                          name));
}

gboolean
kt_access_may_assign_team (const KtAccess *access,
                           const KtId *team,
                           const char *locale,
                           char **reason)
{
  if (reason != NULL)
    *reason = NULL;
  if (assignment (access) == KT_LEVEL_ALL || holds (kt_rights_teams (access->rights), team))
    return TRUE;
  return refuse (reason,
                 g_strdup (is_chinese (locale) ? "您的角色无权将记录分派给其他团队"
                                               : "Your roles do not let you give records to a team "
                                                 "that is not yours"));
}

/* ---- fields ---- */

KtSight
kt_access_sight (const KtAccess *access, const KtField *field)
{
  return access->admin || access->rights == NULL
           ? KT_SIGHT_CLEAR
           : kt_rights_sight (access->rights, field->object->name, field->name);
}

gboolean
kt_access_field_edit (const KtAccess *access, const KtField *field)
{
  return access->admin || access->rights == NULL
         || kt_rights_field_edit (access->rights, field->object->name, field->name);
}

/* A third at the front and behind, never more than three and four: what is left says nothing of the length. */
static char *
mask_text (const char *text)
{
  glong length = g_utf8_strlen (text, -1);
  glong front = MIN (3, length / 3), back = MIN (4, (length + 1) / 3);
  const char *front_end = g_utf8_offset_to_pointer (text, front);
  const char *back_start = g_utf8_offset_to_pointer (text, length - back);

  return g_strdup_printf ("%.*s****%s", (int) (front_end - text), text,
                          length >= 6 ? back_start : "");
}

static char *
mask_email (const char *text)
{
  const char *at = strrchr (text, '@');
  gsize first = text != at ? (gsize) (g_utf8_next_char (text) - text) : 0;

  return at != NULL ? g_strdup_printf ("%.*s****%s", (int) first, text, at) : mask_text (text);
}

static char *
mask_address (const char *text)
{
  static const char *const kept[] = { "city", "country" };
  g_autoptr (KtJson) json = kt_json_parse (text, -1, NULL);
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_json_begin_object (&writer);
  for (guint i = 0; i < G_N_ELEMENTS (kept); i++)
    if (kt_json_get_string (json, kept[i], NULL) != NULL)
      kt_json_put_string (&writer, kept[i], kt_json_get_string (json, kept[i], NULL));
  kt_json_end_object (&writer);
  return g_string_free (out, FALSE);
}

void
kt_access_mask (const KtField *field, const KtValue *value, KtValue *out)
{
  g_autofree char *text = NULL;

  kt_value_clear (out);
  if (field->type == KT_FIELD_ADDRESS && value->type == KT_VALUE_JSON)
    {
      text = mask_address (value->v.text);
      if (strcmp (text, "{}") == 0)
        return;
    }
  else if (value->type != KT_VALUE_TEXT || field->storage != KT_VALUE_TEXT)
    return;
  else if (field->type == KT_FIELD_EMAIL)
    text = mask_email (value->v.text);
  else if (field->type == KT_FIELD_TEXT || field->type == KT_FIELD_PHONE
           || field->type == KT_FIELD_AUTO_NUMBER)
    text = mask_text (value->v.text);
  else
    return;
  kt_value_set_text (out, text);
  if (field->type == KT_FIELD_ADDRESS)
    out->type = KT_VALUE_JSON;
}

/* ---- review items: what they quote is cut as the record would be ---- */

/* {"field": value} without what may not be seen in clear. */
static KtJson *
cut_members (const KtAccess *access, const KtObject *object, const KtJson *json)
{
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const KtField *field = kt_object_field (object, kt_json_key_at (json, i));
      g_autofree char *value = NULL;

      if (field != NULL && kt_access_sight (access, field) != KT_SIGHT_CLEAR)
        continue;
      value = kt_json_to_string (kt_json_at (json, i), TRUE);
      kt_json_put_raw (&writer, kt_json_key_at (json, i), value);
    }
  kt_json_end_object (&writer);
  return kt_json_parse (text->str, (gssize) text->len, NULL);
}

static char *
cut_op (const KtAccess *access, const KtSchema *schema, const KtJson *op)
{
  const KtObject *object = kt_schema_object (schema, kt_json_get_string (op, "object", ""));
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (op); i++)
    {
      const char *key = kt_json_key_at (op, i);
      g_autoptr (KtJson) cut = strcmp (key, "fields") == 0 && object != NULL
                                 ? cut_members (access, object, kt_json_at (op, i))
                                 : kt_json_ref (kt_json_at (op, i));
      g_autofree char *value = kt_json_to_string (cut, TRUE);

      kt_json_put_raw (&writer, key, value);
    }
  kt_json_end_object (&writer);
  return g_strdup (text->str);
}

static char *
cut_mutation (const KtAccess *access, const KtSchema *schema, const KtJson *mutation)
{
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (mutation); i++)
    {
      const KtJson *value = kt_json_at (mutation, i);

      kt_json_key (&writer, kt_json_key_at (mutation, i));
      if (strcmp (kt_json_key_at (mutation, i), "ops") != 0)
        {
          g_autofree char *plain = kt_json_to_string (value, TRUE);

          kt_json_add_raw (&writer, plain);
          continue;
        }
      kt_json_begin_array (&writer);
      for (guint k = 0; k < kt_json_length (value); k++)
        {
          g_autofree char *op = cut_op (access, schema, kt_json_at (value, k));

          kt_json_add_raw (&writer, op);
        }
      kt_json_end_array (&writer);
    }
  kt_json_end_object (&writer);
  return g_strdup (text->str);
}

static void
set_json (KtRecord *record, const KtField *field, const char *text)
{
  KtValue *value = &record->values[field->index];
  g_autofree char *canonical = text != NULL ? kt_json_canonical (text, -1, NULL) : NULL;

  kt_value_clear (value);
  if (canonical == NULL)
    return;
  kt_value_set_text (value, canonical);
  value->type = KT_VALUE_JSON;
}

static void
cut_conflict (const KtAccess *access, KtRecord *record)
{
  static const char *const quoted[] = { "base", "mine", "theirs", "mutation" };
  const KtSchema *schema = record->object->schema;
  const char *name = kt_record_text (record, "object");
  const char *field_name = kt_record_text (record, "field");
  const KtObject *object = name != NULL ? kt_schema_object (schema, name) : NULL;
  const KtField *field =
    object != NULL && field_name != NULL ? kt_object_field (object, field_name) : NULL;
  gboolean hidden = field != NULL && kt_access_sight (access, field) != KT_SIGHT_CLEAR;

  for (guint i = 0; object != NULL && i < G_N_ELEMENTS (quoted); i++)
    {
      const KtField *slot = kt_object_field (record->object, quoted[i]);
      const KtValue *value = slot != NULL ? &record->values[slot->index] : NULL;
      g_autoptr (KtJson) json = NULL;
      g_autofree char *text = NULL;

      if (value == NULL || value->type != KT_VALUE_JSON)
        continue;
      if (strcmp (quoted[i], "mutation") == 0)
        {
          json = kt_json_parse (value->v.text, -1, NULL);
          text = cut_mutation (access, schema, json);
        }
      else if (field == NULL)
        {
          g_autoptr (KtJson) cut = NULL;

          json = kt_json_parse (value->v.text, -1, NULL);
          if (kt_json_type (json) != KT_JSON_OBJECT)
            continue;
          cut = cut_members (access, object, json);
          text = kt_json_to_string (cut, TRUE);
        }
      else if (!hidden)
        continue;
      set_json (record, slot, text);
    }
}

void
kt_access_cut (const KtAccess *access, KtRecord *record)
{
  if (access->admin || access->rights == NULL)
    return;
  for (guint i = 0; i < record->object->n_fields; i++)
    {
      const KtField *field = record->object->fields[i];
      KtSight sight;

      if (kt_value_is_null (&record->values[i]))
        continue;
      sight = kt_access_sight (access, field);
      if (sight == KT_SIGHT_CLEAR)
        continue;
      if (sight == KT_SIGHT_MASKED)
        {
          g_auto (KtValue) masked = KT_VALUE_INIT;

          kt_access_mask (field, &record->values[i], &masked);
          kt_value_clear (&record->values[i]);
          kt_value_move (&masked, &record->values[i]);
        }
      else
        kt_value_clear (&record->values[i]);
    }
  if (is_conflict_object (record->object))
    cut_conflict (access, record);
}
