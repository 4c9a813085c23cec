/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-schema-private.h"

/* The small readers of members that fields and objects have in common. */

gboolean
_kt_schema_fail (const char *object,
                 gboolean files,
                 const char *field,
                 const KtJson *at,
                 GError **error,
                 const char *format,
                 ...)
{
  g_autoptr (GString) message = g_string_new (NULL);
  g_autofree char *shown = NULL;
  va_list args;

  if (files)
    g_string_append_printf (message, "%s.json: ", object != NULL ? object : "pack");
  else if (object != NULL)
    g_string_append_printf (message, "object \"%s\": ", object);
  else
    g_string_append (message, "schema: ");
  if (field != NULL)
    g_string_append_printf (message, "field \"%s\": ", field);
  va_start (args, format);
  g_string_append_vprintf (message, format, args);
  va_end (args);
  if (kt_json_line (at) > 1)
    g_string_append_printf (message, " (line %u)", kt_json_line (at));
  shown = kt_error_excerpt (message->str, KT_ERROR_SENTENCE);
  g_set_error_literal (error, KT_ERROR, KT_ERROR_SCHEMA, shown);
  return FALSE;
}

gboolean
_kt_schema_name_ok (const char *name)
{
  gsize n = 0;

  if (name == NULL || !g_ascii_islower (name[0]))
    return FALSE;
  for (; name[n] != '\0'; n++)
    if (!g_ascii_islower (name[n]) && !g_ascii_isdigit (name[n]) && name[n] != '_')
      return FALSE;
  return n <= 63;
}

int
_kt_schema_word_index (const char *const *words, const char *word)
{
  for (int i = 0; words[i] != NULL; i++)
    if (word != NULL && strcmp (words[i], word) == 0)
      return i;
  return -1;
}

gboolean
_kt_schema_check_members (KtSchemaLoader *loader,
                          const char *field,
                          const KtJson *json,
                          const char *const *known,
                          GError **error)
{
  if (kt_json_type (json) != KT_JSON_OBJECT)
    return KT_SCHEMA_FAIL (loader, field, json, error, "an object { } was expected");
  for (guint i = 0; loader->source->files && i < kt_json_length (json); i++)
    if (_kt_schema_word_index (known, kt_json_key_at (json, i)) < 0)
      return KT_SCHEMA_FAIL (loader, field, kt_json_at (json, i), error, "unknown member \"%s\"",
                             kt_json_key_at (json, i));
  return TRUE;
}

/* A member that must be one of @words when present. */
gboolean
_kt_schema_read_word (KtSchemaLoader *loader,
                      const char *field,
                      const KtJson *json,
                      const char *member,
                      const char *const *words,
                      int *out,
                      GError **error)
{
  const KtJson *value = kt_json_get (json, member);
  const char *word = kt_json_string (value, NULL);
  g_autofree char *known = NULL;
  int index = _kt_schema_word_index (words, word);

  if (value == NULL)
    return TRUE;
  if (index >= 0)
    {
      *out = index;
      return TRUE;
    }
  known = g_strjoinv (", ", (char **) words);
  return KT_SCHEMA_FAIL (loader, field, value, error, "\"%s\" is \"%s\", must be one of %s", member,
                         word != NULL ? word : "not a text", known);
}

gboolean
_kt_schema_read_flag (KtSchemaLoader *loader,
                      const char *field,
                      const KtJson *json,
                      const char *member,
                      gboolean *out,
                      GError **error)
{
  const KtJson *value = kt_json_get (json, member);
  KtJsonType type = kt_json_type (value);

  if (value != NULL && type != KT_JSON_TRUE && type != KT_JSON_FALSE)
    return KT_SCHEMA_FAIL (loader, field, value, error, "\"%s\" must be true or false", member);
  *out = kt_json_bool (value, *out);
  return TRUE;
}

gboolean
_kt_schema_read_text (KtSchemaLoader *loader,
                      const char *field,
                      const KtJson *json,
                      const char *member,
                      const char **out,
                      GError **error)
{
  const KtJson *value = kt_json_get (json, member);
  const char *text = kt_json_string (value, NULL);

  if (value != NULL && kt_json_type (value) != KT_JSON_NULL && (text == NULL || *text == '\0'))
    return KT_SCHEMA_FAIL (loader, field, value, error, "\"%s\" must be a text", member);
  *out = text;
  return TRUE;
}

gboolean
_kt_schema_read_label (KtSchemaLoader *loader,
                       const char *field,
                       const KtJson *json,
                       const char *member,
                       const KtJson **out,
                       GError **error)
{
  const KtJson *value = kt_json_get (json, member);

  switch (kt_json_type (value))
    {
    case KT_JSON_NULL:
      *out = NULL;
      return TRUE;
    case KT_JSON_STRING:
      *out = value;
      return TRUE;
    case KT_JSON_OBJECT:
      for (guint i = 0; i < kt_json_length (value); i++)
        if (kt_json_string (kt_json_at (value, i), NULL) == NULL)
          return KT_SCHEMA_FAIL (loader, field, value, error, "\"%s\" must hold texts by language",
                                 member);
      *out = value;
      return TRUE;
    default:
      return KT_SCHEMA_FAIL (loader, field, value, error,
                             "\"%s\" must be a text or texts by language", member);
    }
}
