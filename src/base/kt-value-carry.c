/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-value.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "base/kt-schema.h"
#include "base/kt-value-private.h"

/* Values whose field has become another type (P13). Tables, shadows, the outbox of a device that was away and
 * the server that gets it all ask here, so that the same value becomes the same everywhere. What would lose
 * something (a moment that is not midnight → a date, an amount → a number without its currency) does not go. */

static gboolean
is_instant (const char *text)
{
  gsize len = strlen (text);

  return len == 24 && text[10] == 'T' && text[len - 1] == 'Z';
}

static char *
carry_text (const KtField *field, const char *text)
{
  KtId id;

  /* A moment becomes a day only when nothing is lost, and what has no zone is UTC: all devices must come to
   * the same. */
  if (field->type == KT_FIELD_DATE && is_instant (text))
    return g_str_has_suffix (text, "T00:00:00.000Z") ? g_strndup (text, 10) : NULL;
  if (field->type == KT_FIELD_DATE_TIME && strlen (text) == 10)
    return g_strconcat (text, "T00:00:00.000Z", NULL);
  if (field->type == KT_FIELD_DATE_TIME && !g_str_has_suffix (text, "Z"))
    return NULL;
  if (field->storage == KT_VALUE_ANY && kt_id_parse (text, -1, &id))
    return field->to != NULL && field->to[0] != NULL && field->to[1] == NULL
               && strcmp (field->to[0], "*") != 0
             ? g_strdup_printf ("%s:%s", field->to[0], text)
             : NULL;
  return g_strdup (text);
}

/* One of many may become the only one; several may not. */
static char *
carry_list (const KtField *field, const char *text)
{
  g_autoptr (KtJson) json = NULL;

  if (field->storage == KT_VALUE_TEXT
      && (field->type == KT_FIELD_LONG_TEXT || field->type == KT_FIELD_RICH_TEXT))
    return g_strdup (text);
  json = kt_json_parse (text, -1, NULL);
  if (kt_json_type (json) != KT_JSON_ARRAY || field->storage == KT_VALUE_JSON)
    return g_strdup (text);
  return kt_json_length (json) == 1 ? g_strdup (kt_json_string (kt_json_at (json, 0), NULL)) : NULL;
}

/* The old value as a person would write it; NULL: it has no such form. */
static char *
old_text (const KtField *field, const KtValue *old)
{
  char text[64];

  switch (old->type)
    {
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
      return g_strdup_printf ("%" G_GINT64_FORMAT, old->v.integer);
    case KT_VALUE_DECIMAL:
      kt_decimal_format (old->v.integer, old->scale, text, sizeof text);
      return g_strdup (text);
    case KT_VALUE_MONEY:
      kt_decimal_format (old->v.integer, KT_MONEY_SCALE, text, sizeof text);
      return g_strdup_printf ("%s %s", text, old->currency);
    case KT_VALUE_TEXT:
      return carry_text (field, old->v.text);
    case KT_VALUE_LIST:
      return carry_list (field, old->v.text);
    case KT_VALUE_JSON:
      return g_strdup (old->v.text);
    case KT_VALUE_ID:
      kt_id_format (&old->v.ref.id, text);
      return carry_text (field, text);
    case KT_VALUE_ANY:
      kt_id_format (&old->v.ref.id, text);
      if (field->storage == KT_VALUE_ID)
        return kt_field_accepts (field, old->v.ref.object) ? g_strdup (text) : NULL;
      return g_strdup_printf ("%s:%s", old->v.ref.object, text);
    case KT_VALUE_NULL:
    default:
      return NULL;
    }
}

gboolean
kt_value_carry (const KtField *field, const KtValue *old, KtValue *out, GError **error)
{
  g_autofree char *text = NULL;
  KtValue value = KT_VALUE_INIT;

  g_return_val_if_fail (field != NULL && old != NULL && out != NULL, FALSE);

  if (old->type == KT_VALUE_NULL)
    {
      *out = KT_VALUE_INIT;
      return TRUE;
    }
  if (old->type == KT_VALUE_DECIMAL && field->storage == KT_VALUE_DECIMAL)
    {
      value.type = KT_VALUE_DECIMAL;
      value.scale = (guint8) field->scale;
      if (!kt_decimal_rescale (old->v.integer, old->scale, field->scale, &value.v.integer))
        {
          _kt_value_fail (field, KT_ERROR_INVALID, error, "has fewer digits after the point now");
          return FALSE;
        }
      *out = value;
      return TRUE;
    }
  text = old_text (field, old);
  if (text == NULL)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "is of another type now, which cannot hold it");
      return FALSE;
    }
  if (!kt_value_parse (field, text, "en", NULL, &value, error))
    return FALSE;
  if (value.type != field->storage)
    {
      kt_value_clear (&value);
      _kt_value_fail_text (field, error, text, "does not fit its type any more");
      return FALSE;
    }
  *out = value;
  return TRUE;
}

/* What a JSON value was, as far as it shows: the schema that it was written for is not known here. */
static gboolean
guess (const KtJson *json, KtValue *out)
{
  const char *amount = kt_json_get_string (json, "amount", NULL);
  const char *currency = kt_json_get_string (json, "currency", NULL);
  const char *object = kt_json_get_string (json, "object", NULL);
  const char *id = kt_json_get_string (json, "id", NULL);

  *out = KT_VALUE_INIT;
  switch (kt_json_type (json))
    {
    case KT_JSON_TRUE:
    case KT_JSON_FALSE:
      kt_value_set_bool (out, kt_json_type (json) == KT_JSON_TRUE);
      return TRUE;
    case KT_JSON_NUMBER:
      out->type = KT_VALUE_TEXT;
      out->v.text = kt_json_to_string (json, TRUE);
      return TRUE;
    case KT_JSON_STRING:
      kt_value_set_text (out, kt_json_string (json, NULL));
      return TRUE;
    case KT_JSON_ARRAY:
      out->type = KT_VALUE_LIST;
      out->v.text = kt_json_to_string (json, TRUE);
      return TRUE;
    case KT_JSON_OBJECT:
      if (kt_json_length (json) == 2 && amount != NULL && currency != NULL && strlen (currency) == 3)
        {
          out->type = KT_VALUE_MONEY;
          out->scale = KT_MONEY_SCALE;
          g_strlcpy (out->currency, currency, sizeof out->currency);
          return kt_decimal_parse (amount, -1, KT_MONEY_SCALE, &out->v.integer, NULL);
        }
      if (kt_json_length (json) == 2 && object != NULL && id != NULL)
        {
          out->type = KT_VALUE_ANY;
          out->v.ref.object = g_intern_string (object);
          return kt_id_parse (id, -1, &out->v.ref.id);
        }
      out->type = KT_VALUE_JSON;
      out->v.text = kt_json_to_string (json, TRUE);
      return TRUE;
    default:
      return FALSE;
    }
}

gboolean
kt_value_load_json (const KtField *field, const KtJson *json, KtValue *out, GError **error)
{
  return kt_value_carry_json (field, json, TRUE, out, error);
}

gboolean
kt_value_carry_json (const KtField *field,
                     const KtJson *json,
                     gboolean stored,
                     KtValue *out,
                     GError **error)
{
  g_autoptr (GError) why = NULL;
  g_auto (KtValue) old = KT_VALUE_INIT;
  g_auto (KtValue) value = KT_VALUE_INIT;

  g_return_val_if_fail (field != NULL && out != NULL, FALSE);

  if (stored ? _kt_value_load_exactly (field, json, out, &why)
             : kt_value_from_json (field, json, out, &why))
    return TRUE;
  /* Its own words: what was expected. LIMIT: it is of the right type. */
  if (!g_error_matches (why, KT_ERROR, KT_ERROR_LIMIT) && guess (json, &old)
      && kt_value_carry (field, &old, &value, NULL))
    {
      kt_value_move (&value, out);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}
