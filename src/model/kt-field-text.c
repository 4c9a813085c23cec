/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The text that stands in an entry, and what becomes of typed text. What one gives
 * the other takes back unchanged. Base parses and says in English what is wrong;
 * people get a sentence in their language that says what would be right. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "base/kt-error.h"
#include "kt-editor-private.h"

static char *
edit_date_time (const char *text)
{
  gint64 us = _kt_words_parse_time (text);
  g_autoptr (GDateTime) utc = g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC);
  g_autoptr (GDateTime) local = utc != NULL ? g_date_time_to_local (utc) : NULL;

  if (us == 0 || local == NULL)
    return g_strdup (text);
  return g_date_time_format (local, g_date_time_get_second (local) == 0 ? "%Y-%m-%d %H:%M"
                                                                        : "%Y-%m-%d %H:%M:%S");
}

/* "; " because a label or a tag may hold a comma. */
static char *
edit_list (KtWorkspace *workspace, const KtField *field, const KtValue *value)
{
  g_auto (GStrv) items = _kt_value_items (value);

  for (guint i = 0; field->type == KT_FIELD_CHOICES && items[i] != NULL; i++)
    {
      const KtOption *option = kt_field_option (field, items[i]);

      if (option != NULL)
        {
          g_free (items[i]);
          items[i] = g_strdup (kt_option_label (option, kt_workspace_get_locale (workspace)));
        }
    }
  return g_strjoinv ("; ", items);
}

char *
_kt_field_edit_text (KtWorkspace *workspace, const KtField *field, const KtValue *value)
{
  if (kt_value_is_null (value))
    return g_strdup ("");
  switch (field->type)
    {
    case KT_FIELD_DATE:
      return g_strdup (value->v.text);
    case KT_FIELD_DATE_TIME:
      return edit_date_time (value->v.text);
    case KT_FIELD_CHOICES:
    case KT_FIELD_TAGS:
      return edit_list (workspace, field, value);
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
    case KT_FIELD_JSON:
      return g_strdup (value->v.text);
    case KT_FIELD_ADDRESS:
      {
        /* Parts are edited one by one (kt_editor_get_part); this is for a single line. */
        return kt_value_display (field, value, kt_workspace_get_locale (workspace));
      }
    default:
      return kt_workspace_display (workspace, field, value);
    }
}

/* ---- what is wrong ---- */

static char *
too_long (const KtField *field)
{
  if (field->type == KT_FIELD_CHOICES || field->type == KT_FIELD_TAGS
      || field->type == KT_FIELD_MANY)
    return g_strdup_printf (ngettext ("At most %u entry is possible here",
                                      "At most %u entries are possible here", field->max),
                            field->max);
  if (field->max == 0 || field->storage != KT_VALUE_TEXT)
    return g_strdup (_ ("This is larger than can be kept"));
  return g_strdup_printf (
    ngettext ("This is longer than %u character", "This is longer than %u characters", field->max),
    field->max);
}

static char *
hint (const KtField *field, const char *fallback)
{
  switch (field->type)
    {
    case KT_FIELD_EMAIL:
      return g_strdup (_ ("This is not an e-mail address; write it as name@example.com"));
    case KT_FIELD_PHONE:
      return g_strdup (_ ("This is not a phone number"));
    case KT_FIELD_URL:
      return g_strdup (_ ("This is not a web address; write it as https://example.com"));
    case KT_FIELD_INTEGER:
      return g_strdup (_ ("Write a whole number"));
    case KT_FIELD_DECIMAL:
    case KT_FIELD_PERCENT:
      return g_strdup_printf (ngettext ("Write a number with at most %u digit after the point",
                                        "Write a number with at most %u digits after the point",
                                        field->scale),
                              field->scale);
    case KT_FIELD_MONEY:
      return g_strdup (_ ("Write an amount with its currency, such as 1200.50 EUR"));
    case KT_FIELD_BOOLEAN:
      return g_strdup (_ ("Write yes or no"));
    case KT_FIELD_DATE:
      return g_strdup (_ ("Write a date, such as 2026-01-31"));
    case KT_FIELD_DATE_TIME:
      return g_strdup (_ ("Write a date and time, such as 2026-01-31 08:00"));
    case KT_FIELD_DURATION:
      return g_strdup (_ ("Write a duration, such as 1:30 or 90 min"));
    case KT_FIELD_CHOICE:
    case KT_FIELD_CHOICES:
      return g_strdup (_ ("Choose from the list"));
    case KT_FIELD_REF:
    case KT_FIELD_REF_ANY:
    case KT_FIELD_MANY:
    case KT_FIELD_FILE:
    case KT_FIELD_IMAGE:
      return g_strdup (_ ("Choose a record from the list"));
    case KT_FIELD_TEXT:
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
      return g_strdup (_ ("This holds characters that cannot be kept"));
    default:
      return g_strdup (fallback);
    }
}

gboolean
_kt_field_parse (KtWorkspace *workspace,
                 const KtField *field,
                 const char *text,
                 const KtValue *current,
                 KtValue *out,
                 char **problem)
{
  g_autoptr (GError) error = NULL;
  const char *currency = kt_workspace_get_currency (workspace);

  /* An amount in dollars stays one when only its digits are typed anew. */
  if (current != NULL && current->type == KT_VALUE_MONEY)
    currency = current->currency;
  if (kt_value_parse (field, text, kt_workspace_get_locale (workspace),
                      *currency != '\0' ? currency : NULL, out, &error))
    return TRUE;
  if (problem != NULL)
    *problem = g_error_matches (error, KT_ERROR, KT_ERROR_LIMIT) ? too_long (field)
                                                                 : hint (field, error->message);
  return FALSE;
}
