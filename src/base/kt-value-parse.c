/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-value.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "base/kt-value-private.h"

/* What people type and spreadsheets hold. Everything is brought into the wire
 * form and goes through the same gate as the wire; where a text can be read in
 * two ways and the locale does not decide, it is refused rather than guessed. */

void
_kt_value_fail_text (const KtField *field, GError **error, const char *text, const char *what)
{
  g_autofree char *cut = g_utf8_make_valid (text, (gssize) MIN (strlen (text), 60));

  _kt_value_fail (field, KT_ERROR_INVALID, error, "\"%s\" %s", cut, what);
}

char *
_kt_value_plain (const char *text)
{
  char *out = g_utf8_normalize (text, -1, G_NORMALIZE_ALL_COMPOSE);

  return g_strstrip (out);
}

/* ---- numbers ---- */

static char
point_of (const char *locale)
{
  return locale != NULL && strlen (locale) >= 2 && strcmp (locale, "POSIX") != 0
           ? _kt_habits (locale)->point
           : 0;
}

static gboolean
parse_number (const KtField *field,
              const char *text,
              const char *locale,
              guint scale,
              gint64 *mantissa,
              char currency[4],
              GError **error)
{
  g_autoptr (GError) local = NULL;

  if (!kt_decimal_parse_loose (text, scale, point_of (locale), mantissa, currency, &local))
    {
      _kt_value_fail (field, local->code, error, "%s", local->message);
      return FALSE;
    }
  return TRUE;
}

static gboolean
parse_plain_number (const KtField *field,
                    const char *text,
                    const char *locale,
                    guint scale,
                    gint64 *mantissa,
                    GError **error)
{
  char currency[4] = "";

  if (!parse_number (field, text, locale, scale, mantissa, currency, error))
    return FALSE;
  if (currency[0] != '\0')
    {
      _kt_value_fail_text (field, error, text,
                           "is an amount of money, but only a number was expected");
      return FALSE;
    }
  return TRUE;
}

static gboolean
parse_json (const KtField *field, const char *text, KtValue *out, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (KtJson) json = kt_json_parse (text, -1, &local);

  if (json == NULL)
    {
      _kt_value_fail (field, local->code, error, "%s", local->message);
      return FALSE;
    }
  return kt_value_from_json (field, json, out, error);
}

/* ¥ and $ are read as the yuan and the US dollar, unless the currency that goes
 * with this field or the locale is another that is written with the same sign. */
static void
settle_sign (const char *text, const char *locale, const char *currency, char found[4])
{
  static const char *const dollars[] = { "AUD", "CAD", "HKD", "MXN", "NZD",
                                         "SGD", "TWD", "ARS", "CLP", "COP" };

  if (strcmp (found, "CNY") == 0 && (strstr (text, "¥") != NULL || strstr (text, "￥") != NULL)
      && strstr (text, "CN") == NULL
      && (g_strcmp0 (currency, "JPY") == 0
          || (currency == NULL && locale != NULL && g_str_has_prefix (locale, "ja"))))
    memcpy (found, "JPY", 4);

  if (strcmp (found, "USD") == 0 && currency != NULL && strchr (text, '$') != NULL
      && strstr (text, "US") == NULL)
    for (guint i = 0; i < G_N_ELEMENTS (dollars); i++)
      if (strcmp (currency, dollars[i]) == 0)
        memcpy (found, dollars[i], 4);
}

static gboolean
parse_money (const KtField *field,
             const char *text,
             const char *locale,
             const char *currency,
             KtValue *out,
             GError **error)
{
  char found[4] = "";
  gint64 mantissa;

  if (!parse_number (field, text, locale, KT_MONEY_SCALE, &mantissa, found, error))
    return FALSE;
  settle_sign (text, locale, currency, found);
  if (found[0] == '\0' && currency != NULL && strlen (currency) == 3
      && g_ascii_isalpha (currency[0]) && g_ascii_isalpha (currency[1])
      && g_ascii_isalpha (currency[2]))
    for (int i = 0; i < 3; i++)
      found[i] = g_ascii_toupper (currency[i]);
  if (found[0] == '\0')
    {
      _kt_value_fail_text (field, error, text, "lacks its currency; write it as 12.50 EUR");
      return FALSE;
    }
  out->type = KT_VALUE_MONEY;
  out->scale = KT_MONEY_SCALE;
  out->v.integer = mantissa;
  memcpy (out->currency, found, 4);
  return TRUE;
}

static gboolean
parse_boolean (const KtField *field, const char *text, KtValue *out, GError **error)
{
  static const char *const yes[] = { "true", "yes", "y",  "t",  "1",   "on", "x",  "✓",
                                     "✔",    "√",   "☑",  "是", "对",  "有", "真", "启用",
                                     "ja",   "oui", "sí", "si", "sim", "да" };
  static const char *const no[] = { "false", "no", "n",    "f",    "0",   "off",  "✗",
                                    "✘",     "☐",  "×",    "否",   "不",  "不是", "错",
                                    "无",    "假", "停用", "nein", "non", "não",  "нет" };
  g_autofree char *normal = _kt_value_plain (text);
  g_autofree char *folded = g_utf8_strdown (normal, -1);

  for (guint i = 0; i < G_N_ELEMENTS (yes); i++)
    if (strcmp (folded, yes[i]) == 0)
      {
        kt_value_set_bool (out, TRUE);
        return TRUE;
      }
  for (guint i = 0; i < G_N_ELEMENTS (no); i++)
    if (strcmp (folded, no[i]) == 0)
      {
        kt_value_set_bool (out, FALSE);
        return TRUE;
      }
  _kt_value_fail_text (field, error, text, "is neither yes nor no");
  return FALSE;
}

/* ---- choices and lists ---- */

static char *
fold (const char *text)
{
  g_autofree char *normal = _kt_value_plain (text);
  g_autofree char *cased = g_utf8_casefold (normal, -1);

  return g_utf8_normalize (cased, -1, G_NORMALIZE_ALL_COMPOSE);
}

/* The option meant by @text: its code, else a label in any language, exactly or
 * but for case. NULL when none, or when two different ones fit equally well. */
static const KtOption *
find_option (const KtField *field, const char *text)
{
  const KtOption *found = kt_field_option (field, text);
  g_autofree char *wanted = NULL;

  if (found != NULL)
    return found;
  wanted = fold (text);
  for (guint i = 0; i < field->n_options; i++)
    {
      const KtOption *option = &field->options[i];
      g_autofree char *code = fold (option->value);
      gboolean fits = strcmp (code, wanted) == 0;
      gboolean single = kt_json_type (option->label) == KT_JSON_STRING;
      guint n = single ? 1 : kt_json_length (option->label);

      for (guint j = 0; j < n && !fits; j++)
        {
          const char *label =
            kt_json_string (single ? option->label : kt_json_at (option->label, j), "");
          g_autofree char *folded = fold (label);

          fits = strcmp (folded, wanted) == 0;
        }
      if (!fits)
        continue;
      if (found != NULL)
        return NULL;
      found = option;
    }
  return found;
}

static gboolean
parse_choice (const KtField *field, const char *text, KtValue *out, GError **error)
{
  const KtOption *option = find_option (field, text);

  return _kt_value_take_string (field, option != NULL ? option->value : text, out, error);
}

static gboolean
is_separator (gunichar c, gboolean semicolons)
{
  if (c == ';' || c == 0xff1b || c == '\n')
    return TRUE;
  return !semicolons && (c == ',' || c == 0xff0c || c == 0x3001);
}

static gboolean
parse_list (const KtField *field, const char *text, KtValue *out, GError **error)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func (g_free);
  gboolean semicolons = strchr (text, ';') != NULL || strstr (text, "；") != NULL;
  const char *start = text;

  /* One option whose label holds a comma. */
  if (field->type == KT_FIELD_CHOICES)
    {
      const KtOption *whole = find_option (field, text);

      if (whole != NULL)
        {
          g_ptr_array_add (items, g_strdup (whole->value));
          return _kt_value_take_list (field, items, out, error);
        }
    }

  for (const char *p = text;; p = g_utf8_next_char (p))
    {
      char *item;

      if (*p != '\0' && !is_separator (g_utf8_get_char (p), semicolons))
        continue;
      item = g_strstrip (g_strndup (start, (gsize) (p - start)));
      if (*item == '\0')
        g_free (item);
      else if (field->type == KT_FIELD_CHOICES && find_option (field, item) != NULL)
        {
          g_ptr_array_add (items, g_strdup (find_option (field, item)->value));
          g_free (item);
        }
      else
        g_ptr_array_add (items, item);
      if (*p == '\0')
        break;
      start = g_utf8_next_char (p);
    }
  return _kt_value_take_list (field, items, out, error);
}

/* ---- references ---- */

/* "account:0190…" or the id alone. */
static gboolean
parse_reference (const KtField *field, const char *text, KtValue *out, GError **error)
{
  const char *colon = strchr (text, ':');
  g_autofree char *object = colon != NULL ? g_strndup (text, (gsize) (colon - text)) : NULL;
  KtId id;

  if (colon != NULL)
    {
      if (!kt_field_accepts (field, object))
        {
          _kt_value_fail_text (field, error, object, "is not an object it may point to");
          return FALSE;
        }
      text = colon + 1;
    }
  else if (field->type == KT_FIELD_REF_ANY)
    {
      if (field->to[1] != NULL || strcmp (field->to[0], "*") == 0)
        {
          _kt_value_fail_text (field, error, text, "is not a reference; write it as object:id");
          return FALSE;
        }
      object = g_strdup (field->to[0]);
    }
  if (!kt_id_parse (text, -1, &id) || kt_id_is_nil (&id))
    {
      _kt_value_fail_text (field, error, text, "is not an id");
      return FALSE;
    }
  if (field->type == KT_FIELD_REF_ANY)
    kt_value_set_any (out, object, &id);
  else
    kt_value_set_id (out, &id);
  return TRUE;
}

static gboolean
parse_address (const KtField *field, const char *text, KtValue *out, GError **error)
{
  GString *json = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (json);
  gboolean ok;

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "street", text);
  kt_json_end_object (&writer);
  ok = parse_json (field, json->str, out, error);
  g_string_free (json, TRUE);
  return ok;
}

/* Cells and pasted text have line ends where a single line is wanted. */
static gboolean
parse_line (const KtField *field, const char *text, KtValue *out, GError **error)
{
  g_autofree char *line = g_strdup (text);
  char *to = line;

  for (const char *p = line; *p != '\0'; p++)
    {
      if (*p == '\r' && p[1] == '\n')
        continue;
      *to++ = *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p;
    }
  *to = '\0';
  return _kt_value_take_string (field, line, out, error);
}

/* "shown#https://example.com/a#…", as Access and old spreadsheets write a hyperlink, stands for its address. */
static gboolean
parse_url (const KtField *field, const char *text, KtValue *out, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, "#", 3);

  if (parts[0] != NULL && parts[1] != NULL && strstr (parts[0], "://") == NULL
      && (g_str_has_prefix (parts[1], "http://") || g_str_has_prefix (parts[1], "https://")))
    return parse_line (field, g_strstrip (parts[1]), out, error);
  return parse_line (field, text, out, error);
}

static gboolean
parse (const KtField *field,
       const char *text,
       const char *trimmed,
       const char *locale,
       const char *currency,
       KtValue *out,
       GError **error)
{
  gint64 mantissa;

  switch (field->type)
    {
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
      return _kt_value_take_string (field, text, out, error);
    case KT_FIELD_TEXT:
    case KT_FIELD_EMAIL:
    case KT_FIELD_PHONE:
    case KT_FIELD_AUTO_NUMBER:
      return parse_line (field, trimmed, out, error);
    case KT_FIELD_URL:
      return parse_url (field, trimmed, out, error);
    case KT_FIELD_FILE:
    case KT_FIELD_IMAGE:
      return _kt_value_take_string (field, trimmed, out, error);

    case KT_FIELD_INTEGER:
      if (!parse_plain_number (field, trimmed, locale, 0, &mantissa, error))
        return FALSE;
      kt_value_set_int (out, mantissa);
      return TRUE;
    case KT_FIELD_DECIMAL:
    case KT_FIELD_PERCENT:
      if (!parse_plain_number (field, trimmed, locale, field->scale, &mantissa, error))
        return FALSE;
      out->type = KT_VALUE_DECIMAL;
      out->scale = (guint8) field->scale;
      out->v.integer = mantissa;
      return TRUE;
    case KT_FIELD_MONEY:
      if (*trimmed == '{')
        return parse_json (field, trimmed, out, error);
      return parse_money (field, trimmed, locale, currency, out, error);
    case KT_FIELD_DURATION:
      return _kt_value_parse_duration (field, trimmed, out, error);

    case KT_FIELD_BOOLEAN:
      return parse_boolean (field, trimmed, out, error);
    case KT_FIELD_DATE:
    case KT_FIELD_DATE_TIME:
      return _kt_value_parse_temporal (field, trimmed, locale, out, error);
    case KT_FIELD_CHOICE:
      return parse_choice (field, trimmed, out, error);

    case KT_FIELD_CHOICES:
    case KT_FIELD_TAGS:
    case KT_FIELD_MANY:
      if (*trimmed == '[')
        return parse_json (field, trimmed, out, error);
      return parse_list (field, trimmed, out, error);

    case KT_FIELD_REF:
      return parse_reference (field, trimmed, out, error);
    case KT_FIELD_REF_ANY:
      if (*trimmed == '{')
        return parse_json (field, trimmed, out, error);
      return parse_reference (field, trimmed, out, error);
    case KT_FIELD_ADDRESS:
      if (*trimmed == '{')
        return parse_json (field, trimmed, out, error);
      return parse_address (field, trimmed, out, error);
    case KT_FIELD_JSON:
      return parse_json (field, trimmed, out, error);
    case KT_N_FIELD_TYPES:
    default:
      g_assert_not_reached ();
    }
}

gboolean
kt_value_parse (const KtField *field,
                const char *text,
                const char *locale,
                const char *currency,
                KtValue *out,
                GError **error)
{
  g_autofree char *trimmed = NULL;
  KtValue value = KT_VALUE_INIT;

  g_return_val_if_fail (field != NULL, FALSE);
  g_return_val_if_fail (text != NULL, FALSE);
  g_return_val_if_fail (out != NULL, FALSE);

  if (!g_utf8_validate (text, -1, NULL))
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "is not valid UTF-8");
      return FALSE;
    }
  trimmed = g_strstrip (g_strdup (text));
  if (*trimmed != '\0' && !parse (field, text, trimmed, locale, currency, &value, error))
    return FALSE;
  *out = value;
  return TRUE;
}
