/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-value.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-value-private.h"

static inline gboolean
has_text (const KtValue *value)
{
  return value->type == KT_VALUE_TEXT || value->type == KT_VALUE_LIST
         || value->type == KT_VALUE_JSON;
}

void
kt_value_clear (KtValue *value)
{
  if (value == NULL)
    return;
  if (has_text (value) && !value->borrowed)
    g_free (value->v.text);
  memset (value, 0, sizeof *value);
}

void
kt_value_copy (const KtValue *from, KtValue *to)
{
  g_return_if_fail (from != NULL && to != NULL);

  *to = *from;
  if (has_text (from))
    {
      to->v.text = g_strdup (from->v.text);
      to->borrowed = FALSE;
    }
}

void
kt_value_move (KtValue *from, KtValue *to)
{
  g_return_if_fail (from != NULL && to != NULL);

  *to = *from;
  memset (from, 0, sizeof *from);
}

/* Exact over different scales: both at nine digits need at most 27. */
static int
compare_decimals (const KtValue *a, const KtValue *b)
{
  __extension__ __int128 left = a->v.integer, right = b->v.integer;

  for (guint i = a->scale; i < KT_DECIMAL_MAX_SCALE; i++)
    left *= 10;
  for (guint i = b->scale; i < KT_DECIMAL_MAX_SCALE; i++)
    right *= 10;
  return (left > right) - (left < right);
}

gboolean
kt_value_equal (const KtValue *a, const KtValue *b)
{
  return kt_value_compare (a, b) == 0;
}

int
kt_value_compare (const KtValue *a, const KtValue *b)
{
  int difference;

  g_return_val_if_fail (a != NULL && b != NULL, 0);

  if (a->type != b->type)
    return a->type < b->type ? -1 : 1;

  switch ((KtValueType) a->type)
    {
    case KT_VALUE_NULL:
      return 0;
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
      return (a->v.integer > b->v.integer) - (a->v.integer < b->v.integer);
    case KT_VALUE_DECIMAL:
      return compare_decimals (a, b);
    case KT_VALUE_MONEY:
      /* Amounts first: lists sort by them, and one currency is the rule. */
      difference = compare_decimals (a, b);
      return difference != 0 ? difference : strcmp (a->currency, b->currency);
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      return strcmp (a->v.text, b->v.text);
    case KT_VALUE_ANY:
      difference = g_strcmp0 (a->v.ref.object, b->v.ref.object);
      if (difference != 0)
        return difference;
      return kt_id_compare (&a->v.ref.id, &b->v.ref.id);
    case KT_VALUE_ID:
      return kt_id_compare (&a->v.ref.id, &b->v.ref.id);
    default:
      g_assert_not_reached ();
    }
}

gboolean
kt_value_is_null (const KtValue *value)
{
  return value == NULL || value->type == KT_VALUE_NULL;
}

void
kt_value_set_text (KtValue *value, const char *text)
{
  char *copy;

  g_return_if_fail (value != NULL);

  copy = text != NULL && *text != '\0' ? g_strdup (text) : NULL;
  kt_value_clear (value);
  if (copy == NULL)
    return;
  value->type = KT_VALUE_TEXT;
  value->v.text = copy;
}

void
kt_value_set_int (KtValue *value, gint64 integer)
{
  g_return_if_fail (value != NULL);

  kt_value_clear (value);
  value->type = KT_VALUE_INT;
  value->v.integer = integer;
}

void
kt_value_set_bool (KtValue *value, gboolean boolean)
{
  g_return_if_fail (value != NULL);

  kt_value_clear (value);
  value->type = KT_VALUE_BOOL;
  value->v.integer = boolean != FALSE;
}

void
kt_value_set_id (KtValue *value, const KtId *id)
{
  KtId copy;

  g_return_if_fail (value != NULL);

  copy = id != NULL ? *id : KT_ID_NIL;
  kt_value_clear (value);
  if (id == NULL)
    return;
  value->type = KT_VALUE_ID;
  value->v.ref.id = copy;
}

void
kt_value_set_any (KtValue *value, const char *object, const KtId *id)
{
  const char *interned;

  g_return_if_fail (value != NULL);

  if (object == NULL || id == NULL)
    {
      kt_value_clear (value);
      return;
    }
  interned = g_intern_string (object);
  kt_value_set_id (value, id);
  value->type = KT_VALUE_ANY;
  value->v.ref.object = interned;
}

void
kt_value_to_json (const KtValue *value, KtJsonWriter *writer)
{
  char text[KT_ID_TEXT_SIZE];

  g_return_if_fail (value != NULL && writer != NULL);

  switch ((KtValueType) value->type)
    {
    case KT_VALUE_NULL:
      kt_json_add_null (writer);
      break;
    case KT_VALUE_BOOL:
      kt_json_add_bool (writer, value->v.integer != 0);
      break;
    case KT_VALUE_INT:
      kt_json_add_int (writer, value->v.integer);
      break;
    case KT_VALUE_DECIMAL:
      kt_decimal_format (value->v.integer, value->scale, text, sizeof text);
      kt_json_add_string (writer, text);
      break;
    case KT_VALUE_MONEY:
      kt_decimal_format (value->v.integer, value->scale, text, sizeof text);
      kt_json_begin_object (writer);
      kt_json_put_string (writer, "amount", text);
      kt_json_put_string (writer, "currency", value->currency);
      kt_json_end_object (writer);
      break;
    case KT_VALUE_TEXT:
      kt_json_add_string (writer, value->v.text);
      break;
    case KT_VALUE_ID:
      kt_id_format (&value->v.ref.id, text);
      kt_json_add_string (writer, text);
      break;
    case KT_VALUE_ANY:
      kt_id_format (&value->v.ref.id, text);
      kt_json_begin_object (writer);
      kt_json_put_string (writer, "object", value->v.ref.object);
      kt_json_put_string (writer, "id", text);
      kt_json_end_object (writer);
      break;
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      kt_json_add_raw (writer, value->v.text);
      break;
    default:
      g_assert_not_reached ();
    }
}

char *
kt_value_to_string (const KtValue *value)
{
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_value_to_json (value, &writer);
  return g_string_free (out, FALSE);
}
