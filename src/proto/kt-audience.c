/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which records a user may read, as two sets that meet or do not: see kt-audience.h. Pure; what the server stores is what these say. */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-audience.h"

#include <string.h>

#include "base/kt-json.h"

/* ---- tokens ---- */

void
kt_token_make (KtToken *token, const KtObject *object, KtTokenKind kind, const KtId *id)
{
  token->b[0] = (guint8) (object->number >> 8);
  token->b[1] = (guint8) object->number;
  token->b[2] = (guint8) kind;
  if (id != NULL)
    memcpy (token->b + 3, id->b, sizeof id->b);
  else
    memset (token->b + 3, 0, sizeof id->b);
}

int
kt_token_compare (const void *a, const void *b)
{
  return memcmp (a, b, KT_TOKEN_BYTES);
}

static guint
token_number (const KtToken *token)
{
  return (guint) token->b[0] << 8 | token->b[1];
}

static void
token_id (const KtToken *token, KtId *id)
{
  memcpy (id->b, token->b + 3, sizeof id->b);
}

char *
kt_token_string (const KtToken *token, const KtSchema *schema)
{
  const KtObject *object = kt_schema_object_by_number (schema, token_number (token));
  const char *name = object != NULL ? object->name : "?";
  char text[KT_ID_TEXT_SIZE];
  KtId id;

  if (token->b[2] == KT_TOKEN_ALL)
    return g_strdup_printf ("%s/all", name);
  token_id (token, &id);
  kt_id_format (&id, text);
  return g_strdup_printf ("%s/%c:%s", name, token->b[2], text);
}

/* ---- a set of them ---- */

KtAudience *
kt_audience_new (void)
{
  KtAudience *audience = g_new (KtAudience, 1);

  audience->tokens = g_array_new (FALSE, FALSE, sizeof (KtToken));
  return audience;
}

void
kt_audience_free (KtAudience *audience)
{
  if (audience == NULL)
    return;
  g_array_unref (audience->tokens);
  g_free (audience);
}

/* Where it stands or would stand. */
static guint
find (const GArray *tokens, const KtToken *token, gboolean *found)
{
  guint low = 0, high = tokens->len;

  while (low < high)
    {
      guint middle = low + (high - low) / 2;

      if (kt_token_compare (&g_array_index (tokens, KtToken, middle), token) < 0)
        low = middle + 1;
      else
        high = middle;
    }
  *found =
    low < tokens->len && kt_token_compare (&g_array_index (tokens, KtToken, low), token) == 0;
  return low;
}

void
kt_audience_add (KtAudience *audience, const KtToken *token)
{
  gboolean found;
  guint at = find (audience->tokens, token, &found);

  if (!found)
    g_array_insert_val (audience->tokens, at, *token);
}

gboolean
kt_audience_has (const KtAudience *audience, const KtToken *token)
{
  gboolean found;

  find (audience->tokens, token, &found);
  return found;
}

gboolean
kt_audience_equal (const KtAudience *a, const KtAudience *b)
{
  return a->tokens->len == b->tokens->len
         && (a->tokens->len == 0
             || memcmp (a->tokens->data, b->tokens->data, a->tokens->len * sizeof (KtToken)) == 0);
}

/* ---- objects ---- */

static gboolean
is_conflict (const KtObject *object)
{
  return strcmp (object->name, "sync_conflict") == 0;
}

const KtField *
kt_audience_parent_field (const KtObject *object)
{
  g_return_val_if_fail (object != NULL, NULL);

  if (is_conflict (object) || object->kind == KT_KIND_OBJECT)
    return NULL;
  if (object->kind == KT_KIND_ACTIVITY)
    {
      const KtField *field = kt_object_field (object, "parent");

      return field != NULL && field->to != NULL && field->storage != KT_VALUE_LIST ? field : NULL;
    }
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      if (field->system || field->to == NULL)
        continue;
      if (field->type == KT_FIELD_REF_ANY && (object->kind == KT_KIND_ADMIN || field->required))
        return field;
      if (field->type == KT_FIELD_REF && object->kind == KT_KIND_CHILD && field->required)
        return field;
    }
  return NULL;
}

static const KtField *
field_of (const KtObject *object, const char *name, KtFieldType type, const char *to)
{
  const KtField *field = kt_object_field (object, name);

  return field != NULL && field->type == type
             && (to == NULL || (field->to != NULL && g_strcmp0 (field->to[0], to) == 0))
           ? field
           : NULL;
}

gboolean
kt_audience_private (const KtObject *object)
{
  return field_of (object, "is_private", KT_FIELD_BOOLEAN, NULL) != NULL;
}

gboolean
kt_audience_field (const KtField *field)
{
  static const char *const names[] = { "owner",       "teams",      "collaborators", "is_private",
                                       "shared_with", "created_by", NULL };

  if (is_conflict (field->object))
    return strcmp (field->name, "assigned_to") == 0;
  return g_strv_contains (names, field->name) || field == kt_audience_parent_field (field->object);
}

/* ---- of a record ---- */

static void
add (KtAudience *audience, const KtObject *object, KtTokenKind kind, const KtId *id)
{
  KtToken token;

  kt_token_make (&token, object, kind, id);
  kt_audience_add (audience, &token);
}

static gboolean
id_of (const KtRecord *record, const KtField *field, KtId *id)
{
  const KtValue *value = field != NULL ? &record->values[field->index] : NULL;

  if (value == NULL || value->type != KT_VALUE_ID)
    return FALSE;
  *id = value->v.ref.id;
  return TRUE;
}

static void
add_list (KtAudience *audience, const KtRecord *record, const KtField *field, KtTokenKind kind)
{
  const KtValue *value = field != NULL ? &record->values[field->index] : NULL;
  g_autoptr (KtJson) list = NULL;

  if (value == NULL || value->type != KT_VALUE_LIST)
    return;
  list = kt_json_parse (value->v.text, -1, NULL);
  for (guint i = 0; i < kt_json_length (list); i++)
    {
      KtId id;

      if (kt_id_parse (kt_json_string (kt_json_at (list, i), ""), -1, &id))
        add (audience, record->object, kind, &id);
    }
}

static gboolean
is_shared_as (const KtRecord *record, const char *word)
{
  const KtField *field = field_of (record->object, "shared_with", KT_FIELD_CHOICE, NULL);

  return field != NULL && g_strcmp0 (kt_record_text (record, field->name), word) == 0;
}

gboolean
kt_audience_is_private (const KtRecord *record)
{
  const KtField *field = field_of (record->object, "is_private", KT_FIELD_BOOLEAN, NULL);
  const KtValue *value = field != NULL ? &record->values[field->index] : NULL;

  return (value != NULL && value->type == KT_VALUE_BOOL && value->v.integer != 0)
         || (field != NULL && is_shared_as (record, "participants"));
}

KtAudience *
kt_audience_of (const KtRecord *record, const KtObject *parent_object, const KtAudience *parent)
{
  KtAudience *audience = kt_audience_new ();
  const KtObject *object;
  gboolean private, owned;
  KtId id;

  g_return_val_if_fail (record != NULL, audience);

  object = record->object;
  if (is_conflict (object))
    {
      if (id_of (record, field_of (object, "assigned_to", KT_FIELD_REF, "user"), &id))
        add (audience, object, KT_TOKEN_PERSON, &id);
      return audience;
    }
  if (object->sync == KT_SYNC_FULL)
    return audience;

  private = kt_audience_is_private (record);
  owned = id_of (record, field_of (object, "owner", KT_FIELD_REF, "user"), &id)
          || id_of (record, field_of (object, "created_by", KT_FIELD_REF, "user"), &id);
  /* What is private is a matter of persons: no unit, no superior, no team. */
  if (owned)
    add (audience, object, private ? KT_TOKEN_PERSON : KT_TOKEN_OWNER, &id);
  add_list (audience, record, field_of (object, "collaborators", KT_FIELD_MANY, "user"),
            KT_TOKEN_PERSON);
  if (private)
    return audience;

  add_list (audience, record, field_of (object, "teams", KT_FIELD_MANY, "team"), KT_TOKEN_TEAM);
  if (kt_audience_private (object))
    add (audience, object, KT_TOKEN_ALL, NULL);
  if (parent_object != NULL && !is_shared_as (record, "team"))
    {
      /* A private parent's children are its people's. */
      if (!kt_audience_private (parent_object))
        add (audience, parent_object, KT_TOKEN_ALL, NULL);
      for (guint i = 0; parent != NULL && i < parent->tokens->len; i++)
        kt_audience_add (audience, &g_array_index (parent->tokens, KtToken, i));
    }
  return audience;
}

/* ---- subscriptions ---- */

struct _KtSubscriptions
{
  KtRights *rights;       /* owned */
  const KtSchema *schema; /* borrowed */
  GArray *tokens;         /* all of them, sorted */
  guint8 *level;          /* KtLevel of reading, by object number */
  guint n_levels;
};

static void
subscribe (GArray *tokens, const KtObject *object, KtTokenKind kind, const KtId *id)
{
  KtToken token;

  kt_token_make (&token, object, kind, id);
  g_array_append_val (tokens, token);
}

static void
subscribe_all (GArray *tokens, const KtObject *object, KtTokenKind kind, const GArray *ids)
{
  for (guint i = 0; i < ids->len; i++)
    subscribe (tokens, object, kind, &g_array_index (ids, KtId, i));
}

static void
subscribe_object (KtSubscriptions *self, const KtObject *object, KtLevel level)
{
  KtId me;

  if (level == KT_LEVEL_NO)
    return;
  kt_rights_user (self->rights, &me);
  subscribe (self->tokens, object, KT_TOKEN_PERSON, &me);
  if (is_conflict (object))
    return;
  subscribe (self->tokens, object, KT_TOKEN_OWNER, &me);
  if (kt_rights_reports (self->rights, object->name))
    subscribe_all (self->tokens, object, KT_TOKEN_OWNER, kt_rights_report_ids (self->rights));
  if (level >= KT_LEVEL_TEAM)
    subscribe_all (self->tokens, object, KT_TOKEN_TEAM, kt_rights_teams (self->rights));
  if (level >= KT_LEVEL_UNIT)
    subscribe_all (self->tokens, object, KT_TOKEN_OWNER, kt_rights_unit (self->rights));
  if (level == KT_LEVEL_ALL || object->sync == KT_SYNC_FULL)
    subscribe (self->tokens, object, KT_TOKEN_ALL, NULL);
}

KtSubscriptions *
kt_subscriptions_new (const KtRights *rights, const KtSchema *schema)
{
  KtSubscriptions *self;
  const KtObject *const *objects;
  guint n, kept = 0;

  g_return_val_if_fail (rights != NULL && schema != NULL, NULL);

  self = g_new0 (KtSubscriptions, 1);
  self->rights = kt_rights_ref ((KtRights *) rights);
  self->schema = schema;
  self->tokens = g_array_new (FALSE, FALSE, sizeof (KtToken));
  objects = kt_schema_objects (schema, &n);
  for (guint i = 0; i < n; i++)
    self->n_levels = MAX (self->n_levels, objects[i]->number + 1);
  self->level = g_new0 (guint8, self->n_levels + 1);
  for (guint i = 0; i < n; i++)
    {
      KtLevel level = kt_rights_level (rights, objects[i]->name, KT_MAY_READ);

      self->level[objects[i]->number] = (guint8) level;
      subscribe_object (self, objects[i], level);
    }
  g_array_sort (self->tokens, kt_token_compare);
  for (guint i = 0; i < self->tokens->len; i++)
    if (i == 0
        || kt_token_compare (&g_array_index (self->tokens, KtToken, i),
                             &g_array_index (self->tokens, KtToken, kept - 1))
             != 0)
      g_array_index (self->tokens, KtToken, kept++) = g_array_index (self->tokens, KtToken, i);
  g_array_set_size (self->tokens, kept);
  return self;
}

void
kt_subscriptions_free (KtSubscriptions *self)
{
  if (self == NULL)
    return;
  kt_rights_unref (self->rights);
  g_array_unref (self->tokens);
  g_free (self->level);
  g_free (self);
}

static KtLevel
level_of (const KtSubscriptions *self, const KtObject *object)
{
  return object->number < self->n_levels ? (KtLevel) self->level[object->number] : KT_LEVEL_NO;
}

gboolean
kt_subscriptions_all (const KtSubscriptions *self, const KtObject *object)
{
  KtLevel level = level_of (self, object);

  if (kt_rights_admin (self->rights))
    return TRUE;
  if (is_conflict (object))
    return FALSE;
  if (object->sync == KT_SYNC_FULL)
    return level > KT_LEVEL_NO;
  return level == KT_LEVEL_ALL && !kt_audience_private (object);
}

gboolean
kt_subscriptions_any (const KtSubscriptions *self, const KtObject *object)
{
  return level_of (self, object) > KT_LEVEL_NO;
}

gboolean
kt_subscriptions_has (const KtSubscriptions *self, const KtToken *token)
{
  gboolean found;

  find (self->tokens, token, &found);
  return found;
}

gboolean
kt_subscriptions_meet (const KtSubscriptions *self,
                       const KtObject *object,
                       const KtAudience *audience)
{
  if (kt_subscriptions_all (self, object))
    return TRUE;
  if (!kt_subscriptions_any (self, object) || audience == NULL)
    return FALSE;
  for (guint i = 0; i < audience->tokens->len; i++)
    if (kt_subscriptions_has (self, &g_array_index (audience->tokens, KtToken, i)))
      return TRUE;
  return FALSE;
}

/* Whose tokens a record of @object can carry: its own, its parents', their parents'. */
static void
mark_ancestors (const KtSchema *schema, const KtObject *object, gboolean *marked)
{
  const KtField *field;

  if (marked[object->number])
    return;
  marked[object->number] = TRUE;
  field = kt_audience_parent_field (object);
  for (guint i = 0; field != NULL && field->to[i] != NULL; i++)
    {
      const KtObject *target = kt_schema_object (schema, field->to[i]);
      const KtObject *const *objects;
      guint n;

      if (target != NULL)
        {
          mark_ancestors (schema, target, marked);
          continue;
        }
      objects = kt_schema_objects (schema, &n);
      for (guint k = 0; k < n; k++)
        mark_ancestors (schema, objects[k], marked);
    }
}

GArray *
kt_subscriptions_tokens (const KtSubscriptions *self, const KtObject *object)
{
  GArray *tokens = g_array_new (FALSE, FALSE, sizeof (KtToken));
  g_autofree gboolean *marked = g_new0 (gboolean, self->n_levels + 1);

  if (!kt_subscriptions_any (self, object) || kt_subscriptions_all (self, object))
    return tokens;
  mark_ancestors (self->schema, object, marked);
  for (guint i = 0; i < self->tokens->len; i++)
    {
      const KtToken *token = &g_array_index (self->tokens, KtToken, i);

      if (marked[token_number (token)])
        g_array_append_val (tokens, *token);
    }
  return tokens;
}
