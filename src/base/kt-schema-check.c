/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include <string.h>

#include "base/kt-schema-private.h"
#include "base/kt-value-private.h"

/* The second look at a schema, when all objects are there: does everything
 * that points to an object or a field point to one that exists?             */

typedef struct
{
  KtSchema *schema;
  gboolean files;
  KtObject *object;
} Checker;

#define FAIL(checker, field, at, error, ...) \
  _kt_schema_fail ((checker)->object->name, (checker)->files, (field), (at), (error), __VA_ARGS__)

/* @list: names of fields, in an array or one by itself; each may start with @prefix (0: none). */
static gboolean
check_names (Checker *checker, const char *what, const KtJson *list, char prefix, GError **error)
{
  gboolean single = kt_json_type (list) == KT_JSON_STRING;
  guint n = single ? 1 : kt_json_length (list);

  if (list == NULL || kt_json_type (list) == KT_JSON_NULL)
    return TRUE;
  if (!single && kt_json_type (list) != KT_JSON_ARRAY)
    return FAIL (checker, NULL, list, error, "\"%s\" must be a list of fields", what);
  for (guint i = 0; i < n; i++)
    {
      const char *name = kt_json_string (single ? list : kt_json_at (list, i), NULL);

      if (name != NULL && prefix != 0 && *name == prefix)
        name++;
      if (name == NULL || kt_object_field (checker->object, name) == NULL)
        return FAIL (checker, NULL, list, error,
                     "\"%s\" names the field \"%s\", which it does not have", what,
                     name != NULL ? name : "");
    }
  return TRUE;
}

static gboolean
check_title (Checker *checker, GError **error)
{
  KtObject *object = checker->object;
  const KtJson *title = kt_json_get (object->json, "title");
  const KtJson *translations = kt_json_get (object->json, "translations");

  object->title = kt_object_field (object, kt_json_string (title, NULL));
  if (object->title == NULL)
    return FAIL (checker, NULL, title != NULL ? title : object->json, error,
                 "\"title\" names the field \"%s\", which it does not have",
                 kt_json_string (title, ""));

  if (translations != NULL && kt_json_type (translations) != KT_JSON_NULL)
    {
      object->translations = kt_object_field (object, kt_json_string (translations, NULL));
      if (object->translations == NULL || object->translations->type != KT_FIELD_JSON)
        return FAIL (checker, NULL, translations, error,
                     "\"translations\" must name a field of the type json");
    }
  return check_names (checker, "subtitle", kt_json_get (object->json, "subtitle"), 0, error);
}

static gboolean
check_list_and_layout (Checker *checker, GError **error)
{
  const KtJson *json = checker->object->json;
  const KtJson *list = kt_json_get (json, "list");
  const KtJson *sections = kt_json_get (kt_json_get (json, "layout"), "sections");

  if (!check_names (checker, "list.columns", kt_json_get (list, "columns"), 0, error)
      || !check_names (checker, "list.sort", kt_json_get (list, "sort"), '-', error))
    return FALSE;
  if (kt_json_length (kt_json_get (list, "columns")) > 8)
    return FAIL (checker, NULL, list, error, "\"list.columns\" has more than 8 columns");

  if (sections != NULL && kt_json_type (sections) != KT_JSON_ARRAY)
    return FAIL (checker, NULL, sections, error, "\"layout.sections\" must be a list");
  for (guint i = 0; i < kt_json_length (sections); i++)
    if (!check_names (checker, "layout", kt_json_get (kt_json_at (sections, i), "fields"), 0,
                      error))
      return FALSE;
  return TRUE;
}

static gboolean
check_related (Checker *checker, GError **error)
{
  const KtJson *related = kt_json_get (checker->object->json, "related");

  if (related != NULL && kt_json_type (related) != KT_JSON_ARRAY)
    return FAIL (checker, NULL, related, error, "\"related\" must be a list");
  for (guint i = 0; i < kt_json_length (related); i++)
    {
      const KtJson *entry = kt_json_at (related, i);
      const char *name = kt_json_get_string (entry, "object", NULL);
      const char *via = kt_json_get_string (entry, "field", NULL);
      const KtObject *other = kt_schema_object (checker->schema, name);
      const KtField *field = other != NULL ? kt_object_field (other, via) : NULL;

      if (other == NULL)
        return FAIL (checker, NULL, entry, error, "\"related\" names the unknown object \"%s\"",
                     name != NULL ? name : "");
      if (field == NULL)
        return FAIL (checker, NULL, entry, error,
                     "\"related\" names the field \"%s\", which %s does not have",
                     via != NULL ? via : "", name);
      if (!kt_field_accepts (field, checker->object->name))
        return FAIL (checker, NULL, entry, error,
                     "\"related\" goes through %s.%s, which does not point here", name, via);
    }
  return TRUE;
}

static gboolean
is_address_part (const char *part)
{
  for (guint i = 0; i < KT_N_ADDRESS_PARTS; i++)
    if (strcmp (_kt_address_parts[i], part) == 0)
      return TRUE;
  return FALSE;
}

/* Behind a dot: a part of an address, the currency of an amount, first and last of a name in two columns. */
static gboolean
is_part (const KtField *field, const char *part)
{
  if (field->type == KT_FIELD_ADDRESS)
    return is_address_part (part);
  if (field->type == KT_FIELD_MONEY)
    return strcmp (part, "currency") == 0;
  return field == field->object->title && field->type == KT_FIELD_TEXT
         && (strcmp (part, "first") == 0 || strcmp (part, "last") == 0);
}

static gboolean
check_aliases (Checker *checker, GError **error)
{
  const KtJson *aliases = kt_json_get (checker->object->json, "aliases");

  if (aliases != NULL && kt_json_type (aliases) != KT_JSON_OBJECT)
    return FAIL (checker, NULL, aliases, error, "\"aliases\" must be an object");
  for (guint i = 0; i < kt_json_length (aliases); i++)
    {
      const char *key = kt_json_key_at (aliases, i);
      const KtJson *names = kt_json_at (aliases, i);
      gsize len = strcspn (key, ".:@"); /* the words of an import's mapping */
      gsize part_len = key[len] == '.' ? strcspn (key + len + 1, ":@") : 0;
      g_autofree char *name = g_strndup (key, len);
      g_autofree char *part = part_len > 0 ? g_strndup (key + len + 1, part_len) : NULL;
      const KtField *field = kt_object_field (checker->object, name);

      if (field == NULL)
        return FAIL (checker, NULL, names, error,
                     "\"aliases\" names the field \"%s\", which it does not have", name);
      if (part != NULL && !is_part (field, part))
        return FAIL (checker, NULL, names, error,
                     "\"aliases\" names \"%s\", which is no part of an address", key);
      if (kt_json_type (names) != KT_JSON_ARRAY)
        return FAIL (checker, NULL, names, error, "the aliases of \"%s\" must be a list", key);
      for (guint j = 0; j < kt_json_length (names); j++)
        if (kt_json_string (kt_json_at (names, j), NULL) == NULL)
          return FAIL (checker, NULL, names, error, "the aliases of \"%s\" must be texts", key);
    }
  return TRUE;
}

/* "account.owner": the value is copied from there, so it must fit here. */
static gboolean
check_from (Checker *checker, const KtField *field, GError **error)
{
  const char *dot = strchr (field->from, '.');
  g_autofree char *name = dot != NULL ? g_strndup (field->from, (gsize) (dot - field->from)) : NULL;
  const KtField *via = name != NULL ? kt_object_field (checker->object, name) : NULL;
  const KtObject *target;
  const KtField *source;

  if (via == NULL || via->type != KT_FIELD_REF)
    return FAIL (
      checker, field->name, NULL, error,
      "\"from\" is \"%s\", must be a reference of this object, a dot, a field of the other",
      field->from);
  target = kt_schema_object (checker->schema, via->to[0]);
  source = target != NULL ? kt_object_field (target, dot + 1) : NULL;
  if (source == NULL)
    return FAIL (checker, field->name, NULL, error, "\"from\" is \"%s\", but %s has no such field",
                 field->from, via->to[0]);
  if (source->storage != field->storage || source->scale != field->scale)
    return FAIL (checker, field->name, NULL, error, "\"from\" is \"%s\", which is of the type %s",
                 field->from, kt_field_type_word (source->type));
  return TRUE;
}

static gboolean
check_field (Checker *checker, const KtField *field, GError **error)
{
  for (guint i = 0; field->to != NULL && field->to[i] != NULL; i++)
    if (strcmp (field->to[i], "*") != 0 && kt_schema_object (checker->schema, field->to[i]) == NULL)
      /* What every record has is written in a file of its own. */
      return _kt_schema_fail (field->system ? "system" : checker->object->name, checker->files,
                              field->name, NULL, error, "refers to unknown object \"%s\"",
                              field->to[i]);

  if (field->default_value != NULL)
    {
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_autoptr (GError) local = NULL;

      if (!kt_value_from_json (field, field->default_value, &value, &local))
        return FAIL (checker, field->name, field->default_value, error, "bad default: %s",
                     local->message);
    }

  return field->from == NULL || check_from (checker, field, error);
}

gboolean
_kt_schema_check (KtSchema *schema, gboolean files, GError **error)
{
  for (guint i = 0; i < schema->objects->len; i++)
    {
      Checker checker = { schema, files, g_ptr_array_index (schema->objects, i) };

      for (guint j = 0; j < checker.object->n_fields; j++)
        if (!check_field (&checker, checker.object->fields[j], error))
          return FALSE;
      if (!check_title (&checker, error) || !check_list_and_layout (&checker, error)
          || !check_related (&checker, error) || !check_aliases (&checker, error))
        return FALSE;
    }
  return TRUE;
}
