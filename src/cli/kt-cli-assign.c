/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <string.h>

#include "proto/kt-rules.h"

/* FIELD=VALUE as people and scripts type it. References may be names, which only a database can
 * resolve; everything else is kt_value_parse. All that is wrong is said, not only the first thing. */

#define FILE_MOST (4 * 1024 * 1024)

/* Text after FIELD=: itself, or what a file holds. */
static char *
read_text (const char *text, GError **error)
{
  g_autofree char *content = NULL;
  g_autoptr (GError) failure = NULL;
  gsize len;

  if (text[0] != '@')
    return g_strdup (text);
  if (text[1] == '@')
    return g_strdup (text + 1);
  if (!g_file_get_contents (text + 1, &content, &len, &failure))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND,
                   "%s (a text that starts with @ is written @@)", failure->message);
      return NULL;
    }
  if (len > FILE_MOST)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "%s is larger than %d MiB", text + 1,
                   FILE_MOST / (1024 * 1024));
      return NULL;
    }
  if (memchr (content, '\0', len) != NULL || !g_utf8_validate (content, (gssize) len, NULL))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s is not UTF-8 text", text + 1);
      return NULL;
    }
  /* The line end that editors put after the last line. */
  if (len > 0 && content[len - 1] == '\n')
    content[len - 1] = '\0';
  return g_steal_pointer (&content);
}

/* ---- names of records ---- */

/* One record of one of the objects a field may point to. @object: which one. */
static gboolean
find_target (KtCli *cli,
             const KtField *field,
             const char *text,
             const KtObject **object,
             KtId *id,
             GError **error)
{
  const KtSchema *schema = kt_local_schema (cli->local);
  const KtIdentity *identity = kt_local_identity (cli->local);
  const char *colon = strchr (text, ':');
  g_autofree char *prefix = colon != NULL ? g_strndup (text, (gsize) (colon - text)) : NULL;
  g_autoptr (GError) failure = NULL;
  guint found = 0;

  if (prefix != NULL && kt_schema_object (schema, prefix) != NULL
      && kt_field_accepts (field, prefix))
    {
      *object = kt_schema_object (schema, prefix);
      return kt_id_parse (colon + 1, -1, id)
             || kt_local_find (cli->local, *object, colon + 1, id, error);
    }
  if (g_str_equal (text, "me") && kt_field_accepts (field, "user"))
    {
      *object = kt_schema_object (schema, "user");
      *id = identity->access.user;
      return TRUE;
    }
  if (g_str_equal (field->to[0], "*"))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "“%s” may be of any object; write it as object:name or object:id", text);
      return FALSE;
    }
  for (guint i = 0; field->to[i] != NULL; i++)
    {
      const KtObject *candidate = kt_schema_object (schema, field->to[i]);
      KtId match;

      if (candidate == NULL)
        continue;
      if (kt_id_parse (text, -1, &match) && field->to[1] == NULL)
        {
          *object = candidate;
          *id = match;
          return TRUE;
        }
      g_clear_error (&failure);
      if (!kt_local_find (cli->local, candidate, text, &match, &failure))
        {
          if (!g_error_matches (failure, KT_ERROR, KT_ERROR_NOT_FOUND))
            break;
          continue;
        }
      found++;
      *object = candidate;
      *id = match;
    }
  if (found == 1)
    return TRUE;
  if (found > 1)
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                 "“%s” is the name of several; write it as object:name", text);
  else if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else
    g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is nothing called “%s”", text);
  return FALSE;
}

static gboolean
parse_many (KtCli *cli, const KtField *field, const char *text, KtValue *out, GError **error)
{
  g_auto (GStrv) names = g_strsplit (text, ";", -1);
  g_autoptr (GString) ids = g_string_new (NULL);

  for (guint i = 0; names[i] != NULL; i++)
    {
      const char *name = g_strstrip (names[i]);
      const KtObject *object;
      char id_text[KT_ID_TEXT_SIZE];
      KtId id;

      if (*name == '\0')
        continue;
      if (!find_target (cli, field, name, &object, &id, error))
        return FALSE;
      kt_id_format (&id, id_text);
      g_string_append_printf (ids, "%s;", id_text);
    }
  return kt_value_parse (field, ids->str, cli->locale, NULL, out, error);
}

static gboolean
parse_value (KtCli *cli, const KtField *field, const char *text, KtValue *out, GError **error)
{
  const KtIdentity *identity = kt_local_identity (cli->local);
  g_autofree char *trimmed = g_strstrip (g_strdup (text));
  const KtObject *object;
  KtId id;

  if (*trimmed != '\0' && *trimmed != '{' && *trimmed != '[')
    {
      switch (field->type)
        {
        case KT_FIELD_REF:
          if (!find_target (cli, field, trimmed, &object, &id, error))
            return FALSE;
          kt_value_set_id (out, &id);
          return TRUE;
        case KT_FIELD_REF_ANY:
          if (!find_target (cli, field, trimmed, &object, &id, error))
            return FALSE;
          kt_value_set_any (out, object->name, &id);
          return TRUE;
        case KT_FIELD_MANY:
          return parse_many (cli, field, trimmed, out, error);
        default:
          break;
        }
    }
  return kt_value_parse (field, text, cli->locale, identity->currency, out, error);
}

/* ---- parts of an address ---- */

static gboolean
parse_part (const KtField *field,
            const char *part,
            const char *text,
            const KtValue *before,
            KtValue *out,
            GError **error)
{
  static const char *const parts[] = { "street", "city", "region", "postcode", "country", NULL };
  g_autoptr (KtJson) old =
    before->type == KT_VALUE_JSON ? kt_json_parse (before->v.text, -1, NULL) : NULL;
  g_autoptr (GString) json = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (json);

  if (field->type != KT_FIELD_ADDRESS || !g_strv_contains (parts, part))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   field->type == KT_FIELD_ADDRESS
                     ? "“%s” is no part of an address: street, city, region, postcode, country"
                     : "“%s” is no part: only addresses have parts",
                   part);
      return FALSE;
    }
  kt_json_begin_object (&writer);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      const char *now =
        g_str_equal (parts[i], part) ? text : kt_json_get_string (old, parts[i], NULL);

      if (now != NULL && *now != '\0')
        kt_json_put_string (&writer, parts[i], now);
    }
  kt_json_end_object (&writer);
  return kt_value_parse (field, json->str, "en", NULL, out, error);
}

/* ---- assignments ---- */

static gboolean
assign (KtCli *cli, KtRecord *after, const char *assignment, GError **error)
{
  const char *equals = strchr (assignment, '=');
  g_autofree char *name = NULL;
  g_autofree char *text = NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;
  const KtField *field;
  char *dot;

  if (equals == NULL || equals == assignment)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“%s” is not of the form FIELD=VALUE",
                   assignment);
      return FALSE;
    }
  name = g_strndup (assignment, (gsize) (equals - assignment));
  dot = strchr (name, '.');
  if (dot != NULL)
    *dot++ = '\0';
  field = kt_cli_field (cli, after->object, name, error);
  if (field == NULL)
    return FALSE;
  if (field->computed)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: is computed and cannot be set", name);
      return FALSE;
    }
  text = read_text (equals + 1, error);
  if (text == NULL
      || !(dot != NULL ? parse_part (field, dot, text, &after->values[field->index], &value, error)
                       : parse_value (cli, field, text, &value, error)))
    {
      g_prefix_error (error, "%s: ", name);
      return FALSE;
    }
  kt_value_clear (&after->values[field->index]);
  kt_value_move (&value, &after->values[field->index]);
  return TRUE;
}

gboolean
kt_cli_assign (KtCli *cli, KtRecord *after, const char *const *assignments, guint n, GError **error)
{
  g_autoptr (GError) first = NULL;
  guint failed = 0;

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) failure = NULL;

      if (assign (cli, after, assignments[i], &failure))
        continue;
      failed++;
      if (first == NULL)
        {
          first = g_steal_pointer (&failure);
          continue;
        }
      if (failed == 2)
        kt_cli_say (cli, "%s", first->message);
      kt_cli_say (cli, "%s", failure->message);
    }
  if (failed == 0)
    return TRUE;
  if (failed > 1)
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "Nothing was changed: %u mistakes", failed);
  else
    g_propagate_error (error, g_steal_pointer (&first));
  return FALSE;
}

guint
kt_cli_say_problems (KtCli *cli, const KtRecord *before, const KtRecord *after)
{
  g_autoptr (GPtrArray) problems = kt_rules_check (before, after, cli->locale);
  guint n = problems != NULL ? problems->len : 0;

  for (guint i = 0; i < n; i++)
    {
      const KtProblem *problem = g_ptr_array_index (problems, i);

      if (problem->field != NULL)
        kt_cli_say (cli, "%s: %s", problem->field->name, problem->message);
      else
        kt_cli_say (cli, "%s", problem->message);
    }
  return n;
}
