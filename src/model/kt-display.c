/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Values for reading: what base says, with titles where it only has ids. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <string.h>

#include "kt-model-private.h"

#define MAX_TITLE 100

const KtValue *
kt_workspace_value (KtWorkspace *self, const KtRecord *record, const KtField *field)
{
  return _kt_value_of (record, field);
}

const char *
kt_workspace_peek_title (KtWorkspace *self, const KtObject *object, const KtId *id)
{
  KtTitles *titles;

  g_return_val_if_fail (KT_IS_WORKSPACE (self) && id != NULL, NULL);

  titles = _kt_workspace_titles (self);
  return titles != NULL ? _kt_titles_peek (titles, object, id) : NULL;
}

static char *
display_many (KtWorkspace *self, const KtField *field, const KtValue *value)
{
  g_auto (GStrv) items = _kt_value_items (value);
  const KtSchema *schema = kt_workspace_get_schema (self);
  const KtObject *target = schema != NULL && field->to != NULL && field->to[0] != NULL
                             ? kt_schema_object (schema, field->to[0])
                             : NULL;
  g_autoptr (GString) out = g_string_new (NULL);
  gboolean chinese = g_str_has_prefix (kt_workspace_get_locale (self), "zh");

  for (guint i = 0; items[i] != NULL; i++)
    {
      KtId id;
      const char *title =
        kt_id_parse (items[i], -1, &id) ? kt_workspace_peek_title (self, target, &id) : items[i];

      if (title == NULL || *title == '\0')
        continue;
      if (out->len > 0)
        g_string_append (out, chinese ? "、" : ", ");
      g_string_append (out, title);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

char *
kt_workspace_display (KtWorkspace *self, const KtField *field, const KtValue *value)
{
  const KtSchema *schema;
  const KtObject *target;
  KtId id;

  g_return_val_if_fail (KT_IS_WORKSPACE (self) && field != NULL && value != NULL, g_strdup (""));

  if (kt_value_is_null (value))
    return g_strdup ("");
  if (field->type == KT_FIELD_MANY)
    return display_many (self, field, value);
  if (field->type == KT_FIELD_RICH_TEXT)
    return _kt_words_plain (field, value->v.text);
  schema = kt_workspace_get_schema (self);
  target = schema != NULL ? _kt_value_target (schema, field, value, &id) : NULL;
  if (target != NULL)
    {
      const char *title = kt_workspace_peek_title (self, target, &id);

      return g_strdup (title != NULL ? title : "");
    }
  return kt_value_display (field, value, kt_workspace_get_locale (self));
}

/* One line of a note or a description. Takes @text. */
static char *
first_line (char *text)
{
  g_autofree char *line = text;
  char *end;
  glong length;

  g_strchug (line);
  end = strchr (line, '\n');
  if (end != NULL)
    *end = '\0';
  length = g_utf8_strlen (line, -1);
  if (length > MAX_TITLE)
    {
      g_autofree char *head = g_utf8_substring (line, 0, MAX_TITLE - 1);

      return g_strconcat (head, "…", NULL);
    }
  return g_steal_pointer (&line);
}

char *
kt_workspace_record_title (KtWorkspace *self, const KtRecord *record)
{
  const KtField *title;
  const KtValue *value;

  g_return_val_if_fail (KT_IS_WORKSPACE (self) && record != NULL, g_strdup (""));

  title = record->object->title;
  value = &record->values[title->index];
  if (!kt_value_is_null (value))
    switch (title->type)
      {
      case KT_FIELD_REF:
      case KT_FIELD_REF_ANY:
      case KT_FIELD_MANY:
      case KT_FIELD_FILE:
      case KT_FIELD_IMAGE:
        return kt_workspace_display (self, title, value);
      case KT_FIELD_RICH_TEXT:
      case KT_FIELD_LONG_TEXT:
        return first_line (_kt_words_plain (title, value->v.text));
      default:
        break;
      }
  return kt_record_title (record, kt_workspace_get_locale (self));
}

char *
_kt_workspace_join_facts (KtWorkspace *self,
                          const KtRecord *record,
                          const KtField *const *fields,
                          guint n)
{
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *text =
        kt_workspace_display (self, fields[i], _kt_value_of (record, fields[i]));

      if (*text == '\0')
        continue;
      if (out->len > 0)
        g_string_append (out, " · ");
      g_string_append (out, text);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

char *
kt_workspace_record_subtitle (KtWorkspace *self, const KtRecord *record)
{
  const KtJson *names;
  const KtField *fields[8];
  guint n = 0;

  g_return_val_if_fail (KT_IS_WORKSPACE (self) && record != NULL, g_strdup (""));

  names = kt_json_get (record->object->json, "subtitle");
  for (guint i = 0; i < kt_json_length (names) && n < G_N_ELEMENTS (fields); i++)
    {
      const char *name = kt_json_string (kt_json_at (names, i), NULL);

      fields[n] = name != NULL ? kt_object_field (record->object, name) : NULL;
      if (fields[n] != NULL)
        n++;
    }
  return _kt_workspace_join_facts (self, record, fields, n);
}
