/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "base/kt-query.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-filter-private.h"

/* The reverse of kt-filter-parse.c: what is written here parses to an equal tree. */

static const char *const operators[] = {
  [KT_OP_EQ] = "=",
  [KT_OP_NE] = "!=",
  [KT_OP_LT] = "<",
  [KT_OP_LE] = "<=",
  [KT_OP_GT] = ">",
  [KT_OP_GE] = ">=",
  [KT_OP_CONTAINS] = "contains",
  [KT_OP_STARTS] = "starts",
  [KT_OP_HAS] = "has",
  [KT_OP_IN] = "in",
  [KT_OP_EMPTY] = "is empty",
  [KT_OP_NOT_EMPTY] = "is not empty",
};

static void
append_quoted (GString *out, const char *text)
{
  g_string_append_c (out, '"');
  for (; *text != '\0'; text++)
    {
      if (*text == '"')
        g_string_append_c (out, '"');
      g_string_append_c (out, *text);
    }
  g_string_append_c (out, '"');
}

static void
append_value (GString *out, const KtField *field, const KtValue *value)
{
  char number[32];
  char id[KT_ID_TEXT_SIZE];

  switch ((KtValueType) value->type)
    {
    case KT_VALUE_NULL:
      g_string_append (out, "null");
      break;
    case KT_VALUE_BOOL:
      g_string_append (out, value->v.integer != 0 ? "true" : "false");
      break;
    case KT_VALUE_INT:
      g_string_append_printf (out, "%" G_GINT64_FORMAT, value->v.integer);
      break;
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
      kt_decimal_format (value->v.integer, value->scale, number, sizeof number);
      g_string_append (out, number);
      if (value->type == KT_VALUE_MONEY && value->currency[0] != '\0')
        g_string_append_printf (out, " %s", value->currency);
      break;
    case KT_VALUE_ID:
      kt_id_format (&value->v.ref.id, id);
      append_quoted (out, id);
      break;
    case KT_VALUE_ANY:
      kt_id_format (&value->v.ref.id, id);
      g_string_append_printf (out, "%s:%s", value->v.ref.object, id);
      break;
    case KT_VALUE_TEXT:
      if (field != NULL && (field->type == KT_FIELD_DATE || field->type == KT_FIELD_DATE_TIME))
        g_string_append (out, value->v.text);
      else
        append_quoted (out, value->v.text);
      break;
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      append_quoted (out, value->v.text);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
append_operand (GString *out, const KtField *field, const KtOperand *operand)
{
  switch (operand->kind)
    {
    case KT_OPERAND_VALUE:
      append_value (out, field, &operand->value);
      break;
    case KT_OPERAND_TITLE:
      append_quoted (out, operand->value.v.text);
      break;
    case KT_OPERAND_ME:
      g_string_append (out, "me");
      break;
    case KT_OPERAND_TODAY:
    case KT_OPERAND_NOW:
      g_string_append (out, operand->kind == KT_OPERAND_TODAY ? "today" : "now");
      if (operand->offset != 0)
        g_string_append_printf (out, "%+d%c", operand->offset, operand->unit);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
append_comparison (GString *out, const KtFilter *filter)
{
  if (filter->via != NULL)
    g_string_append_printf (out, "%s.", filter->via->name);
  switch (filter->term)
    {
    case KT_TERM_FIELD:
      g_string_append (out, filter->field->name);
      break;
    case KT_TERM_ID:
      g_string_append (out, "id");
      break;
    case KT_TERM_REV:
      g_string_append (out, "rev");
      break;
    case KT_TERM_DELETED:
      g_string_append (out, "deleted");
      break;
    default:
      g_assert_not_reached ();
    }
  g_string_append_printf (out, " %s", operators[filter->op]);
  if (filter->op == KT_OP_EMPTY || filter->op == KT_OP_NOT_EMPTY)
    return;
  g_string_append (out, filter->op == KT_OP_IN ? " (" : " ");
  for (guint i = 0; i < filter->operands->len; i++)
    {
      if (i > 0)
        g_string_append (out, ", ");
      append_operand (out, filter->field, &g_array_index (filter->operands, KtOperand, i));
    }
  if (filter->op == KT_OP_IN)
    g_string_append_c (out, ')');
}

/* Which children need parentheses to stay children. */
static gboolean
needs_parentheses (KtFilterKind parent, KtFilterKind child)
{
  switch (parent)
    {
    case KT_FILTER_OR:
      return child == KT_FILTER_OR;
    case KT_FILTER_AND:
      return child == KT_FILTER_OR || child == KT_FILTER_AND;
    case KT_FILTER_NOT:
      return child != KT_FILTER_TRUE;
    case KT_FILTER_TRUE:
    case KT_FILTER_COMPARE:
    default:
      return FALSE;
    }
}

static void
append_filter (GString *out, const KtFilter *filter)
{
  switch (filter->kind)
    {
    case KT_FILTER_TRUE:
      g_string_append (out, "true");
      break;
    case KT_FILTER_COMPARE:
      append_comparison (out, filter);
      break;
    case KT_FILTER_NOT:
      g_string_append (out, "not ");
      G_GNUC_FALLTHROUGH;
    case KT_FILTER_AND:
    case KT_FILTER_OR:
      if (filter->children->len == 0)
        g_string_append (out, filter->kind == KT_FILTER_OR ? "not true" : "true");
      for (guint i = 0; i < filter->children->len; i++)
        {
          const KtFilter *child = g_ptr_array_index (filter->children, i);
          gboolean parentheses = needs_parentheses (filter->kind, child->kind);

          if (i > 0)
            g_string_append (out, filter->kind == KT_FILTER_AND ? " and " : " or ");
          if (parentheses)
            g_string_append_c (out, '(');
          append_filter (out, child);
          if (parentheses)
            g_string_append_c (out, ')');
        }
      break;
    default:
      g_assert_not_reached ();
    }
}

char *
kt_filter_to_text (const KtFilter *filter)
{
  GString *out;

  g_return_val_if_fail (filter != NULL, NULL);

  out = g_string_new (NULL);
  append_filter (out, filter);
  return g_string_free (out, FALSE);
}
