/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-value.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "base/kt-value-private.h"

/* The wire form comes in here, and nothing enters that is not canonical
 * afterwards: equality of two values is equality of their bytes, in both
 * databases and in the digest. Canonical text is recognised without copying
 * (_kt_text_is_clean), since nearly all of it is; the rest goes the long way round.  */

/* Inside a mutation, a page, a patch a json value stands some levels deep already. */
#define MAX_JSON_VALUE_DEPTH 16

typedef struct
{
  KtJsonType type;
  const char *text; /* STRING, NUMBER */
  gsize len;
  gint64 integer;
  gboolean is_integer;
  gboolean lasting;   /* text outlives the value */
  gboolean stored;    /* was checked when it was written, perhaps against an earlier schema */
  const KtJson *tree; /* ARRAY, OBJECT */
} Token;

const char *const _kt_address_parts[KT_N_ADDRESS_PARTS] = { "city", "country", "postcode", "region",
                                                            "street" };

void
_kt_value_fail (const KtField *field, int code, GError **error, const char *format, ...)
{
  g_autofree char *rest = NULL;
  va_list args;

  va_start (args, format);
  rest = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, KT_ERROR, code, "%s: %s", kt_field_label (field, "en"), rest);
}

static void
fail_shown (const KtField *field, GError **error, const char *text, gsize len, const char *what)
{
  g_autofree char *cut = g_utf8_make_valid (text, (gssize) MIN (len, 60));

  _kt_value_fail (field, KT_ERROR_INVALID, error, "\"%s\" %s", cut, what);
}

/* ---- text ---- */

static inline gboolean
is_multiline (const KtField *field)
{
  return field->type == KT_FIELD_LONG_TEXT || field->type == KT_FIELD_RICH_TEXT;
}

static gboolean
is_email (const char *text)
{
  const char *at = strchr (text, '@');

  if (at == NULL || at == text || at[1] == '\0' || strchr (at + 1, '@') != NULL)
    return FALSE;
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    if (g_unichar_isspace (g_utf8_get_char (p)))
      return FALSE;
  return TRUE;
}

/* An address as people write it, "example.com" too; nothing that a click would run. */
static gboolean
is_url (const char *text)
{
  static const char *const never[] = { "javascript", "vbscript", "data", "file", "blob", "about" };
  gsize len = strspn (text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
  gboolean scheme = len > 0 && text[len] == ':' && g_ascii_isalpha (*text)
                    && !g_ascii_isdigit (text[len + 1]);

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    if (g_unichar_isspace (g_utf8_get_char (p)) || strchr ("<>\"\\^`{|}", *p) != NULL)
      return FALSE;
  if (!scheme)
    return text[strspn (text, ".:/?#@-")] != '\0';
  for (guint i = 0; i < G_N_ELEMENTS (never); i++)
    if (strlen (never[i]) == len && g_ascii_strncasecmp (text, never[i], len) == 0)
      return FALSE;
  if (g_ascii_strncasecmp (text, "http:", 5) != 0 && g_ascii_strncasecmp (text, "https:", 6) != 0)
    return TRUE;
  return g_str_has_prefix (text + len, "://") && strcspn (text + len + 3, ".:/?#@-") > 0;
}

static gboolean
take_text (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  gboolean multiline = is_multiline (field);
  g_autofree char *text = NULL;
  const char *shown;

  if (token->type != KT_JSON_STRING)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "expected a text");
      return FALSE;
    }

  if (token->lasting && _kt_text_is_clean (token->text, token->len, multiline))
    {
      if (!token->stored
          && !_kt_value_check_length (field, token->text, token->len, field->max, error))
        return FALSE;
      shown = token->text;
    }
  else
    {
      if (!_kt_value_clean (field, token->text, token->len, multiline,
                            token->stored ? 0 : field->max, &text, error))
        return FALSE;
      if (text == NULL)
        return TRUE;
      shown = text;
    }

  if (field->type == KT_FIELD_EMAIL && !token->stored && !is_email (shown))
    {
      fail_shown (field, error, shown, strlen (shown), "is not an e-mail address");
      return FALSE;
    }

  if (field->type == KT_FIELD_URL && !token->stored && !is_url (shown))
    {
      fail_shown (field, error, shown, strlen (shown),
                  "is not an address; write it as https://example.com");
      return FALSE;
    }

  out->type = KT_VALUE_TEXT;
  out->borrowed = text == NULL;
  out->v.text = text != NULL ? g_steal_pointer (&text) : (char *) token->text;
  return TRUE;
}

/* ---- one-line scalars ---- */

static gboolean
parse_amount (const KtField *field,
              const Token *token,
              guint scale,
              gint64 *mantissa,
              GError **error)
{
  g_autoptr (GError) local = NULL;
  gboolean ok;

  if (token->type != KT_JSON_STRING && token->type != KT_JSON_NUMBER)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "expected a number");
      return FALSE;
    }
  if (token->type == KT_JSON_NUMBER && memchr (token->text, 'e', token->len) == NULL
      && memchr (token->text, 'E', token->len) == NULL)
    ok = kt_decimal_parse (token->text, (gssize) token->len, scale, mantissa, &local);
  else if (token->type == KT_JSON_NUMBER)
    ok = kt_decimal_parse_loose (token->text, scale, '.', mantissa, NULL, &local);
  else
    ok = kt_decimal_parse (token->text, (gssize) token->len, scale, mantissa, &local);
  if (!ok)
    {
      _kt_value_fail (field, local->code, error, "%s", local->message);
      return FALSE;
    }
  return TRUE;
}

static gboolean
take_integer (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  if (token->type != KT_JSON_NUMBER)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "expected a whole number");
      return FALSE;
    }
  if (!token->is_integer)
    {
      gboolean huge = strpbrk (token->text, ".eE") == NULL;

      _kt_value_fail (field, huge ? KT_ERROR_LIMIT : KT_ERROR_INVALID, error,
                      huge ? "the number is too large: at most 18 digits are kept"
                           : "must be a whole number");
      return FALSE;
    }
  if (token->integer > KT_DECIMAL_MAX || token->integer < -KT_DECIMAL_MAX)
    {
      _kt_value_fail (field, KT_ERROR_LIMIT, error,
                      "the number is too large: at most 18 digits are kept");
      return FALSE;
    }
  out->type = KT_VALUE_INT;
  out->v.integer = token->integer;
  return TRUE;
}

static gboolean
parse_id (const KtField *field, const Token *token, KtId *id, GError **error)
{
  if (token->type != KT_JSON_STRING)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "expected an id");
      return FALSE;
    }
  if (!kt_id_parse (token->text, (gssize) token->len, id) || kt_id_is_nil (id))
    {
      fail_shown (field, error, token->text, token->len, "is not an id");
      return FALSE;
    }
  return TRUE;
}

static gboolean
take_file (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  KtId id;

  if (!parse_id (field, token, &id, error))
    return FALSE;
  out->type = KT_VALUE_TEXT;
  out->v.text = kt_id_to_string (&id);
  return TRUE;
}

static gboolean
take_date (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  int year, month, day;

  if (token->type != KT_JSON_STRING
      || !_kt_date_scan (token->text, token->len, &year, &month, &day))
    {
      fail_shown (field, error, token->text != NULL ? token->text : "", token->len,
                  "is not a date; write it as 2026-01-31");
      return FALSE;
    }
  out->type = KT_VALUE_TEXT;
  out->borrowed = token->lasting;
  out->v.text = token->lasting ? (char *) token->text : g_strndup (token->text, token->len);
  return TRUE;
}

static gboolean
take_date_time (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  char canonical[25];
  gboolean zoned;
  gint64 ms;

  if (token->type != KT_JSON_STRING || !_kt_instant_scan (token->text, token->len, &ms, &zoned)
      || !_kt_instant_format (ms, canonical))
    {
      fail_shown (field, error, token->text != NULL ? token->text : "", token->len,
                  "is not a moment; write it as 2026-01-31T08:00:00Z");
      return FALSE;
    }
  if (!zoned)
    {
      fail_shown (field, error, token->text, token->len,
                  "lacks its time zone: Z or an offset like +08:00");
      return FALSE;
    }
  out->type = KT_VALUE_TEXT;
  out->borrowed = token->lasting && token->len == 24 && memcmp (token->text, canonical, 24) == 0;
  out->v.text = out->borrowed ? (char *) token->text : g_strdup (canonical);
  return TRUE;
}

static gboolean
take_choice (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  const KtOption *option;
  char *text = NULL;

  if (token->type != KT_JSON_STRING)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "expected one of its options");
      return FALSE;
    }
  option = kt_field_option (field, token->text);
  if (option == NULL && !field->open && !token->stored)
    {
      fail_shown (field, error, token->text, token->len, "is not one of its options");
      return FALSE;
    }
  if (option == NULL)
    {
      if (!_kt_value_clean (field, token->text, token->len, FALSE, KT_OPEN_CHOICE_MAX, &text,
                            error))
        return FALSE;
      if (text == NULL)
        return TRUE;
    }
  out->type = KT_VALUE_TEXT;
  out->borrowed = text == NULL && token->lasting;
  out->v.text = text != NULL ? text : out->borrowed ? (char *) token->text : g_strdup (token->text);
  return TRUE;
}

/* ---- with members ---- */

static Token
token_of (const KtJson *json)
{
  Token token = { .type = kt_json_type (json) };

  switch (token.type)
    {
    case KT_JSON_STRING:
      token.text = kt_json_string (json, NULL);
      token.len = strlen (token.text);
      break;
    case KT_JSON_NUMBER:
      token.text = kt_json_number (json);
      token.len = strlen (token.text);
      token.integer = kt_json_int (json, 0);
      token.is_integer = kt_json_int (json, 1) == token.integer;
      break;
    case KT_JSON_ARRAY:
    case KT_JSON_OBJECT:
      token.tree = json;
      break;
    default:
      break;
    }
  return token;
}

static gboolean
is_blank (const Token *token)
{
  return token->type == KT_JSON_NULL || (token->type == KT_JSON_STRING && token->len == 0);
}

/* Refuses members that are not in @known; nothing that was sent is dropped silently. */
static gboolean
check_members (const KtField *field,
               const KtJson *object,
               const char *const *known,
               guint n_known,
               GError **error)
{
  for (guint i = 0; i < kt_json_length (object); i++)
    {
      const char *key = kt_json_key_at (object, i);
      gboolean found = FALSE;

      for (guint j = 0; j < n_known && !found; j++)
        found = strcmp (key, known[j]) == 0;
      if (!found)
        {
          fail_shown (field, error, key, strlen (key), "is not a part of it");
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
take_money (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  static const char *const members[] = { "amount", "currency" };
  Token amount, currency;

  if (token->type != KT_JSON_OBJECT)
    {
      _kt_value_fail (
        field, KT_ERROR_INVALID, error,
        "expected an amount with its currency: {\"amount\":\"12.50\",\"currency\":\"EUR\"}");
      return FALSE;
    }
  if (!check_members (field, token->tree, members, G_N_ELEMENTS (members), error))
    return FALSE;
  amount = token_of (kt_json_get (token->tree, "amount"));
  currency = token_of (kt_json_get (token->tree, "currency"));
  if (is_blank (&amount))
    return TRUE;
  if (!parse_amount (field, &amount, KT_MONEY_SCALE, &out->v.integer, error))
    return FALSE;
  if (currency.type != KT_JSON_STRING || currency.len != 3 || !g_ascii_isupper (currency.text[0])
      || !g_ascii_isupper (currency.text[1]) || !g_ascii_isupper (currency.text[2]))
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "lacks its currency, a code like EUR or CNY");
      return FALSE;
    }
  out->type = KT_VALUE_MONEY;
  out->scale = KT_MONEY_SCALE;
  memcpy (out->currency, currency.text, 4);
  return TRUE;
}

static gboolean
take_any (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  static const char *const members[] = { "id", "object" };
  const char *object;
  Token id;

  if (token->type != KT_JSON_OBJECT)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error,
                      "expected a reference: {\"object\":\"account\",\"id\":\"…\"}");
      return FALSE;
    }
  if (!check_members (field, token->tree, members, G_N_ELEMENTS (members), error))
    return FALSE;
  object = kt_json_get_string (token->tree, "object", NULL);
  /* By its name of today. */
  if (kt_schema_object (field->object->schema, object) != NULL)
    object = kt_schema_object (field->object->schema, object)->name;
  id = token_of (kt_json_get (token->tree, "id"));
  if (is_blank (&id) && (object == NULL || *object == '\0'))
    return TRUE;
  if (object == NULL || (token->stored ? *object == '\0' : !kt_field_accepts (field, object)))
    {
      fail_shown (field, error, object != NULL ? object : "", object != NULL ? strlen (object) : 0,
                  "is not an object it may point to");
      return FALSE;
    }
  if (!parse_id (field, &id, &out->v.ref.id, error))
    return FALSE;
  out->type = KT_VALUE_ANY;
  out->v.ref.object = g_intern_string (object);
  return TRUE;
}

static int
compare_texts (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
take_item (const KtField *field,
           const char *text,
           gsize len,
           gboolean stored,
           char **out,
           GError **error)
{
  KtId id;

  switch (field->type)
    {
    case KT_FIELD_MANY:
      if (!kt_id_parse (text, (gssize) len, &id) || kt_id_is_nil (&id))
        {
          fail_shown (field, error, text, len, "is not an id");
          return FALSE;
        }
      *out = kt_id_to_string (&id);
      return TRUE;

    case KT_FIELD_CHOICES:
      if (kt_field_option (field, text) != NULL)
        {
          *out = g_strdup (text);
          return TRUE;
        }
      if (!field->open && !stored)
        {
          fail_shown (field, error, text, len, "is not one of its options");
          return FALSE;
        }
      return _kt_value_clean (field, text, len, FALSE, KT_OPEN_CHOICE_MAX, out, error);

    default:
      return _kt_value_clean (field, text, len, FALSE, KT_TAG_MAX, out, error);
    }
}

static gboolean
take_items (const KtField *field, GPtrArray *items, gboolean stored, KtValue *out, GError **error)
{
  g_autoptr (GPtrArray) taken = g_ptr_array_new_with_free_func (g_free);
  GString *text;
  KtJsonWriter writer;

  for (guint i = 0; i < items->len; i++)
    {
      const char *item = g_ptr_array_index (items, i);
      char *copy = NULL;

      if (!take_item (field, item, strlen (item), stored, &copy, error))
        return FALSE;
      if (copy != NULL)
        g_ptr_array_add (taken, copy);
    }
  if (taken->len == 0)
    return TRUE;

  g_ptr_array_sort (taken, compare_texts);
  text = g_string_new (NULL);
  writer = (KtJsonWriter) KT_JSON_WRITER (text);
  kt_json_begin_array (&writer);
  {
    guint distinct = 0;

    for (guint i = 0; i < taken->len; i++)
      {
        const char *item = g_ptr_array_index (taken, i);

        if (i > 0 && strcmp (item, g_ptr_array_index (taken, i - 1)) == 0)
          continue;
        distinct++;
        kt_json_add_string (&writer, item);
      }
    if (!stored && field->max > 0 && distinct > field->max)
      {
        g_string_free (text, TRUE);
        _kt_value_fail (field, KT_ERROR_LIMIT, error, "more than %u elements", field->max);
        return FALSE;
      }
  }
  kt_json_end_array (&writer);

  out->type = KT_VALUE_LIST;
  out->v.text = g_string_free (text, FALSE);
  return TRUE;
}

gboolean
_kt_value_take_list (const KtField *field, GPtrArray *items, KtValue *out, GError **error)
{
  return take_items (field, items, FALSE, out, error);
}

static gboolean
take_list (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new ();

  if (token->type != KT_JSON_ARRAY)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "expected a list: [\"…\",\"…\"]");
      return FALSE;
    }
  for (guint i = 0; i < kt_json_length (token->tree); i++)
    {
      const char *item = kt_json_string (kt_json_at (token->tree, i), NULL);

      if (item == NULL)
        {
          _kt_value_fail (field, KT_ERROR_INVALID, error, "a list of texts was expected");
          return FALSE;
        }
      g_ptr_array_add (items, (char *) item);
    }
  return take_items (field, items, token->stored, out, error);
}

static gboolean
take_address (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  GString *text;
  KtJsonWriter writer;
  gboolean any = FALSE;

  if (token->type != KT_JSON_OBJECT)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error,
                      "expected an address with the parts street, city, region, postcode, country");
      return FALSE;
    }
  if (!check_members (field, token->tree, _kt_address_parts, KT_N_ADDRESS_PARTS, error))
    return FALSE;

  text = g_string_new (NULL);
  writer = (KtJsonWriter) KT_JSON_WRITER (text);
  kt_json_begin_object (&writer);
  for (guint i = 0; i < KT_N_ADDRESS_PARTS; i++)
    {
      const KtJson *member = kt_json_get (token->tree, _kt_address_parts[i]);
      gboolean street = strcmp (_kt_address_parts[i], "street") == 0;
      const char *part = kt_json_string (member, NULL);
      g_autofree char *clean_part = NULL;

      if (kt_json_type (member) == KT_JSON_NULL)
        continue;
      if (part == NULL)
        {
          _kt_value_fail (field, KT_ERROR_INVALID, error, "%s must be a text",
                          _kt_address_parts[i]);
          g_string_free (text, TRUE);
          return FALSE;
        }
      if (!_kt_value_clean (field, part, strlen (part), street,
                            street ? KT_STREET_MAX : KT_ADDRESS_PART_MAX, &clean_part, error))
        {
          g_string_free (text, TRUE);
          return FALSE;
        }
      if (clean_part != NULL)
        {
          kt_json_put_string (&writer, _kt_address_parts[i], clean_part);
          any = TRUE;
        }
    }
  kt_json_end_object (&writer);

  if (!any)
    {
      g_string_free (text, TRUE);
      return TRUE;
    }
  out->type = KT_VALUE_JSON;
  out->v.text = g_string_free (text, FALSE);
  return TRUE;
}

static guint
depth_of (const KtJson *json)
{
  guint deepest = 0;

  for (guint i = 0; i < kt_json_length (json); i++)
    deepest = MAX (deepest, depth_of (kt_json_at (json, i)));
  return kt_json_type (json) == KT_JSON_ARRAY || kt_json_type (json) == KT_JSON_OBJECT ? deepest + 1
                                                                                       : 0;
}

static gboolean
take_json (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  GString *text;
  KtJsonWriter writer;
  guint max = field->max > 0 ? field->max : KT_JSON_VALUE_MAX;

  if (token->tree != NULL && depth_of (token->tree) > MAX_JSON_VALUE_DEPTH)
    {
      _kt_value_fail (field, KT_ERROR_LIMIT, error, "nested deeper than %u levels",
                      MAX_JSON_VALUE_DEPTH);
      return FALSE;
    }

  text = g_string_new (NULL);
  writer = (KtJsonWriter) KT_JSON_WRITER (text);
  switch (token->type)
    {
    case KT_JSON_FALSE:
    case KT_JSON_TRUE:
      kt_json_add_bool (&writer, token->type == KT_JSON_TRUE);
      break;
    case KT_JSON_NUMBER:
      kt_json_add_raw (&writer, token->text);
      break;
    case KT_JSON_STRING:
      kt_json_add_string_len (&writer, token->text, token->len);
      break;
    default:
      kt_json_append (token->tree, text, TRUE);
    }
  if (!token->stored && text->len > max)
    {
      _kt_value_fail (field, KT_ERROR_LIMIT, error, "larger than %u bytes", max);
      g_string_free (text, TRUE);
      return FALSE;
    }
  out->type = KT_VALUE_JSON;
  out->v.text = g_string_free (text, FALSE);
  return TRUE;
}

static gboolean
take (const KtField *field, const Token *token, KtValue *out, GError **error)
{
  if (is_blank (token))
    return TRUE;

  switch (field->type)
    {
    case KT_FIELD_TEXT:
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
    case KT_FIELD_EMAIL:
    case KT_FIELD_PHONE:
    case KT_FIELD_URL:
    case KT_FIELD_AUTO_NUMBER:
      return take_text (field, token, out, error);

    case KT_FIELD_INTEGER:
    case KT_FIELD_DURATION:
      return take_integer (field, token, out, error);

    case KT_FIELD_DECIMAL:
    case KT_FIELD_PERCENT:
      if (!parse_amount (field, token, field->scale, &out->v.integer, error))
        return FALSE;
      out->type = KT_VALUE_DECIMAL;
      out->scale = (guint8) field->scale;
      return TRUE;

    case KT_FIELD_BOOLEAN:
      if (token->type != KT_JSON_TRUE && token->type != KT_JSON_FALSE)
        {
          _kt_value_fail (field, KT_ERROR_INVALID, error, "expected true or false");
          return FALSE;
        }
      out->type = KT_VALUE_BOOL;
      out->v.integer = token->type == KT_JSON_TRUE;
      return TRUE;

    case KT_FIELD_MONEY:
      return take_money (field, token, out, error);
    case KT_FIELD_DATE:
      return take_date (field, token, out, error);
    case KT_FIELD_DATE_TIME:
      return take_date_time (field, token, out, error);
    case KT_FIELD_CHOICE:
      return take_choice (field, token, out, error);

    case KT_FIELD_CHOICES:
    case KT_FIELD_TAGS:
    case KT_FIELD_MANY:
      return take_list (field, token, out, error);

    case KT_FIELD_REF:
      if (!parse_id (field, token, &out->v.ref.id, error))
        return FALSE;
      out->type = KT_VALUE_ID;
      return TRUE;

    case KT_FIELD_REF_ANY:
      return take_any (field, token, out, error);
    case KT_FIELD_FILE:
    case KT_FIELD_IMAGE:
      return take_file (field, token, out, error);
    case KT_FIELD_ADDRESS:
      return take_address (field, token, out, error);
    case KT_FIELD_JSON:
      return take_json (field, token, out, error);
    case KT_N_FIELD_TYPES:
    default:
      g_assert_not_reached ();
    }
}

static gboolean
from_json (const KtField *field, const KtJson *json, gboolean stored, KtValue *out, GError **error)
{
  KtValue value = KT_VALUE_INIT;
  Token token = token_of (json);

  token.stored = stored;
  if (!take (field, &token, &value, error))
    return FALSE;
  *out = value;
  return TRUE;
}

static gboolean
from_reader (const KtField *field,
             KtJsonReader *reader,
             KtJsonType type,
             gboolean stored,
             KtValue *out,
             GError **error)
{
  g_autoptr (KtJson) tree = NULL;
  KtValue value = KT_VALUE_INIT;
  Token token = { .type = type, .stored = stored };

  switch (type)
    {
    case KT_JSON_ARRAY:
    case KT_JSON_OBJECT:
      tree = kt_json_from_reader (reader, type, error);
      if (tree == NULL)
        return FALSE;
      token.tree = tree;
      break;
    case KT_JSON_STRING:
    case KT_JSON_NUMBER:
      token.text = reader->text;
      token.len = reader->len;
      token.integer = reader->integer;
      token.is_integer = reader->is_integer;
      token.lasting = type == KT_JSON_STRING;
      break;
    case KT_JSON_NULL:
    case KT_JSON_TRUE:
    case KT_JSON_FALSE:
      break;
    default:
      _kt_value_fail (field, KT_ERROR_INVALID, error, "%s",
                      type == KT_JSON_ERROR && reader->problem != NULL ? reader->problem
                                                                       : "expected a value");
      return FALSE;
    }

  if (!take (field, &token, &value, error))
    return FALSE;
  *out = value;
  return TRUE;
}

gboolean
_kt_value_take_string (const KtField *field, const char *text, KtValue *out, GError **error)
{
  Token token = { .type = KT_JSON_STRING, .text = text, .len = strlen (text) };
  KtValue value = KT_VALUE_INIT;

  if (!take (field, &token, &value, error))
    return FALSE;
  *out = value;
  return TRUE;
}

gboolean
kt_value_from_json (const KtField *field, const KtJson *json, KtValue *out, GError **error)
{
  g_return_val_if_fail (field != NULL && out != NULL, FALSE);

  return from_json (field, json, FALSE, out, error);
}

gboolean
kt_value_from_reader (const KtField *field,
                      KtJsonReader *reader,
                      KtJsonType token,
                      KtValue *out,
                      GError **error)
{
  g_return_val_if_fail (field != NULL && reader != NULL && out != NULL, FALSE);

  return from_reader (field, reader, token, FALSE, out, error);
}

gboolean
_kt_value_load_exactly (const KtField *field, const KtJson *json, KtValue *out, GError **error)
{
  g_return_val_if_fail (field != NULL && out != NULL, FALSE);

  return from_json (field, json, TRUE, out, error);
}

gboolean
kt_value_load_reader (const KtField *field,
                      KtJsonReader *reader,
                      KtJsonType token,
                      KtValue *out,
                      GError **error)
{
  g_return_val_if_fail (field != NULL && reader != NULL && out != NULL, FALSE);

  return from_reader (field, reader, token, TRUE, out, error);
}
