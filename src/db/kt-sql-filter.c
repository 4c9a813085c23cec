/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Filters as SQL, for both dialects.
 *
 * A comparison is true or false, never unknown: what is blank is simply not
 * equal to, not smaller than and not containing anything, and `!=` and `not`
 * are the exact complement. So the positive form is written and, where it is
 * negated, wrapped as NOT COALESCE (…, FALSE).
 *
 * A hop over a reference is an IN over a subquery that does not depend on the
 * row outside, so that it runs once and the index on the reference serves. */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-sql-private.h"

#include <string.h>

#include "base/kt-env.h"
#include "base/kt-error.h"
#include "base/kt-text.h"

static gboolean
append_filter (KtSql *sql, const KtFilter *filter, const char *alias, GError **error);

static void
append_plain (KtSql *sql, const char *alias, const char *column)
{
  if (alias != NULL)
    g_string_append_printf (sql->text, "%s.", alias);
  g_string_append (sql->text, column);
}

static gboolean
unsupported (GError **error, const KtField *field)
{
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s cannot be compared in this way",
               field != NULL ? field->name : "This");
  return FALSE;
}

/* ---- comparisons of text ---- */

static const char *
sign_of (KtCompare op)
{
  switch (op)
    {
    case KT_OP_EQ:
    case KT_OP_IN:
      return "=";
    case KT_OP_LT:
      return "<";
    case KT_OP_LE:
      return "<=";
    case KT_OP_GT:
      return ">";
    case KT_OP_GE:
      return ">=";
    case KT_OP_NE:
    case KT_OP_CONTAINS:
    case KT_OP_STARTS:
    case KT_OP_HAS:
    case KT_OP_EMPTY:
    case KT_OP_NOT_EMPTY:
    default:
      return NULL;
    }
}

/* The needle, folded as the database folds. */
static void
append_folded (KtSql *sql, const char *text)
{
  g_autofree char *folded = kt_text_fold (text);
  KtValue value = { .type = KT_VALUE_TEXT, .borrowed = TRUE, .v.text = folded };

  if (_kt_sql_is_pg (sql))
    g_string_append (sql->text, "kt_fold(");
  kt_sql_append_value (sql, &value);
  if (_kt_sql_is_pg (sql))
    g_string_append_c (sql->text, ')');
}

/* What stands in @sql->text from @from on is a folded text; now it is compared. */
static gboolean
compare_folded (KtSql *sql, gsize from, KtCompare op, const char *text, GError **error)
{
  g_autofree char *left = g_strdup (sql->text->str + from);

  if (op == KT_OP_CONTAINS || op == KT_OP_STARTS)
    {
      g_string_truncate (sql->text, from);
      g_string_append_printf (sql->text, "%s(%s, ", _kt_sql_is_pg (sql) ? "strpos" : "instr", left);
      append_folded (sql, text);
      g_string_append (sql->text, op == KT_OP_CONTAINS ? ") > 0" : ") = 1");
      return TRUE;
    }
  if (sign_of (op) == NULL)
    return unsupported (error, NULL);
  g_string_append_printf (sql->text, " %s ", sign_of (op));
  append_folded (sql, text);
  return TRUE;
}

/* (SELECT @before alias @after …) of those of @target whose title compares. */
static gboolean
append_titled (KtSql *sql,
               const char *before,
               const char *after,
               const KtObject *target,
               KtCompare op,
               const char *text,
               GError **error)
{
  g_autofree char *alias = g_strdup_printf ("kt%u", ++sql->n_aliases);
  gsize from;

  g_string_append_printf (sql->text, "(SELECT %s%s%s FROM \"o_%s\" %s WHERE ", before, alias, after,
                          target->name, alias);
  from = sql->text->len;
  _kt_sql_append_title (sql, target, alias, 0);
  if (!compare_folded (sql, from, op, text, error))
    return FALSE;
  g_string_append_c (sql->text, ')');
  return TRUE;
}

/* ---- today, now ---- */

static GDateTime *
shift (GDateTime *moment, int offset, char unit)
{
  switch (unit)
    {
    case 'h':
      return g_date_time_add_hours (moment, offset);
    case 'w':
      return g_date_time_add_weeks (moment, offset);
    case 'm':
      return g_date_time_add_months (moment, offset);
    case 'y':
      return g_date_time_add_years (moment, offset);
    case 'd':
    default:
      return g_date_time_add_days (moment, offset);
    }
}

static char *
wire_moment (GDateTime *moment)
{
  g_autoptr (GDateTime) utc = g_date_time_to_utc (moment);

  return g_strdup_printf ("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", g_date_time_get_year (utc),
                          g_date_time_get_month (utc), g_date_time_get_day_of_month (utc),
                          g_date_time_get_hour (utc), g_date_time_get_minute (utc),
                          g_date_time_get_second (utc), g_date_time_get_microsecond (utc) / 1000);
}

/* @start: what TODAY or NOW means for @field; @end: where that day ends, of a TODAY against a moment, else NULL. */
static gboolean
resolve_moment (KtSql *sql,
                const KtField *field,
                const KtOperand *operand,
                char **start,
                char **end,
                GError **error)
{
  gint64 us = sql->env != NULL ? sql->env->now_us (sql->env->data) : 0;
  g_autoptr (GDateTime) epoch = g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC);
  g_autoptr (GDateTime) utc = g_date_time_add (epoch, us % G_USEC_PER_SEC);
  g_autoptr (GDateTime) local = g_date_time_to_timezone (utc, sql->zone);
  g_autoptr (GDateTime) moment = NULL;
  g_autoptr (GDateTime) midnight = NULL;
  g_autoptr (GDateTime) noon = NULL;
  g_autoptr (GDateTime) next = NULL;

  g_return_val_if_fail (sql->env != NULL, FALSE);

  *end = NULL;
  moment = shift (local, operand->offset, operand->unit);
  if (moment != NULL && operand->kind == KT_OPERAND_NOW && field->type == KT_FIELD_DATE_TIME)
    {
      *start = wire_moment (moment);
      return TRUE;
    }
  if (moment != NULL && field->type == KT_FIELD_DATE)
    {
      *start =
        g_strdup_printf ("%04d-%02d-%02d", g_date_time_get_year (moment),
                         g_date_time_get_month (moment), g_date_time_get_day_of_month (moment));
      return TRUE;
    }
  if (moment != NULL)
    {
      /* Noon to noon is a day, however long; midnight may be missing when clocks change. */
      noon =
        g_date_time_new (sql->zone, g_date_time_get_year (moment), g_date_time_get_month (moment),
                         g_date_time_get_day_of_month (moment), 12, 0, 0);
      midnight =
        g_date_time_new (sql->zone, g_date_time_get_year (moment), g_date_time_get_month (moment),
                         g_date_time_get_day_of_month (moment), 0, 0, 0);
    }
  if (noon != NULL && midnight != NULL)
    {
      g_autoptr (GDateTime) tomorrow = g_date_time_add_days (noon, 1);

      if (tomorrow != NULL)
        next = g_date_time_new (sql->zone, g_date_time_get_year (tomorrow),
                                g_date_time_get_month (tomorrow),
                                g_date_time_get_day_of_month (tomorrow), 0, 0, 0);
    }
  if (next == NULL)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID, "That is too far from today");
      return FALSE;
    }
  *start = wire_moment (midnight);
  *end = wire_moment (next);
  return TRUE;
}

/* A whole day against a moment: equal means within it, and the others follow from that. */
static gboolean
compare_day (KtSql *sql,
             const char *alias,
             const KtField *field,
             KtCompare op,
             const char *start,
             const char *end,
             GError **error)
{
  switch (op)
    {
    case KT_OP_EQ:
    case KT_OP_IN:
    case KT_OP_LT:
    case KT_OP_GE:
      kt_sql_append_column (sql, alias, field);
      g_string_append (sql->text, op == KT_OP_LT ? " < " : " >= ");
      _kt_sql_append_text_value (sql, start);
      if (op != KT_OP_EQ && op != KT_OP_IN)
        return TRUE;
      g_string_append (sql->text, " AND ");
      kt_sql_append_column (sql, alias, field);
      g_string_append (sql->text, " < ");
      _kt_sql_append_text_value (sql, end);
      return TRUE;
    case KT_OP_LE:
    case KT_OP_GT:
      kt_sql_append_column (sql, alias, field);
      g_string_append (sql->text, op == KT_OP_LE ? " < " : " >= ");
      _kt_sql_append_text_value (sql, end);
      return TRUE;
    case KT_OP_NE:
    case KT_OP_CONTAINS:
    case KT_OP_STARTS:
    case KT_OP_HAS:
    case KT_OP_EMPTY:
    case KT_OP_NOT_EMPTY:
    default:
      return unsupported (error, field);
    }
}

/* ---- one operand ---- */

static gboolean
compare_reference (KtSql *sql,
                   const char *alias,
                   const KtField *field,
                   KtCompare op,
                   const KtOperand *operand,
                   GError **error)
{
  if (operand->kind == KT_OPERAND_TITLE)
    {
      g_autofree const KtObject **to = _kt_sql_targets (field);

      if (to[0] == NULL)
        g_string_append (sql->text, "FALSE");
      for (guint i = 0; to[i] != NULL; i++)
        {
          g_string_append (sql->text, i > 0 ? " OR (" : "(");
          if (field->storage == KT_VALUE_ANY)
            {
              _kt_sql_append_second_column (sql, alias, field);
              g_string_append_printf (sql->text, " = '%s' AND ", to[i]->name);
            }
          kt_sql_append_column (sql, alias, field);
          g_string_append (sql->text, " IN ");
          if (!append_titled (sql, "", ".id", to[i], op, operand->value.v.text, error))
            return FALSE;
          g_string_append_c (sql->text, ')');
        }
      return TRUE;
    }

  if (op != KT_OP_EQ && op != KT_OP_IN)
    return unsupported (error, field);
  if (operand->kind == KT_OPERAND_ME)
    {
      KtValue me = KT_VALUE_INIT;

      if (kt_id_is_nil (&sql->me))
        {
          g_string_append (sql->text, "FALSE");
          return TRUE;
        }
      kt_value_set_id (&me, &sql->me);
      kt_sql_append_column (sql, alias, field);
      g_string_append (sql->text, " = ");
      kt_sql_append_value (sql, &me);
      if (field->storage == KT_VALUE_ANY)
        {
          g_string_append (sql->text, " AND ");
          _kt_sql_append_second_column (sql, alias, field);
          g_string_append (sql->text, " = 'user'");
        }
      return TRUE;
    }
  if (operand->value.type != KT_VALUE_ID && operand->value.type != KT_VALUE_ANY)
    return unsupported (error, field);
  kt_sql_append_column (sql, alias, field);
  g_string_append (sql->text, " = ");
  kt_sql_append_value (sql, &operand->value);
  if (field->storage == KT_VALUE_ANY && operand->value.type == KT_VALUE_ANY)
    {
      g_string_append (sql->text, " AND ");
      _kt_sql_append_second_column (sql, alias, field);
      g_string_append (sql->text, " = ");
      _kt_sql_append_text_value (sql, operand->value.v.ref.object);
    }
  return TRUE;
}

/* The elements of a JSON array as rows of one text, "kj.value". */
static void
append_elements (KtSql *sql, const char *alias, const KtField *field)
{
  g_string_append (sql->text, _kt_sql_is_pg (sql) ? "jsonb_array_elements_text(" : "json_each(");
  kt_sql_append_column (sql, alias, field);
  g_string_append (sql->text, _kt_sql_is_pg (sql) ? "::jsonb) kj(value)" : ") kj");
}

static gboolean
compare_list (KtSql *sql,
              const char *alias,
              const KtField *field,
              KtCompare op,
              const KtOperand *operand,
              GError **error)
{
  char id[KT_ID_TEXT_SIZE];

  if (op != KT_OP_HAS && op != KT_OP_IN && op != KT_OP_CONTAINS)
    return unsupported (error, field);

  g_string_append (sql->text, "EXISTS (SELECT 1 FROM ");
  append_elements (sql, alias, field);
  g_string_append (sql->text, " WHERE ");
  if (operand->kind == KT_OPERAND_TITLE)
    {
      g_autofree const KtObject **to = _kt_sql_targets (field);

      if (to[0] == NULL)
        g_string_append (sql->text, "FALSE");
      for (guint i = 0; to[i] != NULL; i++)
        {
          if (i > 0)
            g_string_append (sql->text, " OR ");
          g_string_append (sql->text, "replace(kj.value,'-','') IN ");
          if (!append_titled (sql, _kt_sql_is_pg (sql) ? "encode(" : "lower(hex(",
                              _kt_sql_is_pg (sql) ? ".id,'hex')" : ".id))", to[i],
                              op == KT_OP_CONTAINS ? op : KT_OP_EQ, operand->value.v.text, error))
            return FALSE;
        }
    }
  else if (operand->kind == KT_OPERAND_ME)
    {
      kt_id_format (&sql->me, id);
      g_string_append (sql->text, "kj.value = ");
      _kt_sql_append_text_value (sql, kt_id_is_nil (&sql->me) ? "-" : id);
    }
  else if (operand->value.type == KT_VALUE_ID)
    {
      kt_id_format (&operand->value.v.ref.id, id);
      g_string_append (sql->text, "kj.value = ");
      _kt_sql_append_text_value (sql, id);
    }
  else if (operand->value.type == KT_VALUE_TEXT && op == KT_OP_CONTAINS)
    {
      gsize from = sql->text->len;

      g_string_append (sql->text, "kt_fold(kj.value)");
      if (!compare_folded (sql, from, op, operand->value.v.text, error))
        return FALSE;
    }
  else if (operand->value.type == KT_VALUE_TEXT)
    {
      g_string_append (sql->text, "kj.value = ");
      kt_sql_append_value (sql, &operand->value);
    }
  else
    return unsupported (error, field);
  g_string_append_c (sql->text, ')');
  return TRUE;
}

/* A whole list as operand of HAS: all of its elements. */
static void
compare_whole_list (KtSql *sql, const char *alias, const KtField *field, const KtValue *value)
{
  if (_kt_sql_is_pg (sql))
    {
      kt_sql_append_column (sql, alias, field);
      g_string_append (sql->text, "::jsonb @> CAST(");
      kt_sql_append_value (sql, value);
      g_string_append (sql->text, " AS jsonb)");
      return;
    }
  kt_sql_append_column (sql, alias, field);
  g_string_append (sql->text, " IS NOT NULL AND NOT EXISTS (SELECT 1 FROM json_each(");
  kt_sql_append_value (sql, value);
  g_string_append (sql->text, ") kv WHERE kv.value NOT IN (SELECT kj.value FROM ");
  append_elements (sql, alias, field);
  g_string_append (sql->text, "))");
}

static gboolean
compare_text (KtSql *sql,
              const char *alias,
              const KtField *field,
              KtCompare op,
              const KtOperand *operand,
              GError **error)
{
  if (operand->value.type != KT_VALUE_TEXT && operand->value.type != KT_VALUE_JSON)
    return unsupported (error, field);
  if (op == KT_OP_CONTAINS || op == KT_OP_STARTS)
    {
      gsize from = sql->text->len;

      g_string_append (sql->text, "kt_fold(");
      kt_sql_append_column (sql, alias, field);
      g_string_append_c (sql->text, ')');
      return compare_folded (sql, from, op, operand->value.v.text, error);
    }
  if (sign_of (op) == NULL)
    return unsupported (error, field);
  kt_sql_append_column (sql, alias, field);
  g_string_append_printf (sql->text, " %s ", sign_of (op));
  kt_sql_append_value (sql, &operand->value);
  return TRUE;
}

static gboolean
compare_number (KtSql *sql,
                const char *alias,
                const KtField *field,
                KtCompare op,
                const KtOperand *operand,
                GError **error)
{
  if (sign_of (op) == NULL || operand->kind != KT_OPERAND_VALUE
      || operand->value.type != field->storage)
    return unsupported (error, field);
  kt_sql_append_column (sql, alias, field);
  g_string_append_printf (sql->text, " %s ", sign_of (op));
  kt_sql_append_value (sql, &operand->value);
  if (field->storage == KT_VALUE_MONEY && operand->value.currency[0] != '\0')
    {
      g_string_append (sql->text, " AND ");
      _kt_sql_append_second_column (sql, alias, field);
      g_string_append (sql->text, " = ");
      _kt_sql_append_text_value (sql, operand->value.currency);
    }
  return TRUE;
}

static gboolean
compare_pseudo (KtSql *sql,
                const char *alias,
                const KtObject *object,
                const KtFilter *filter,
                KtCompare op,
                const KtOperand *operand,
                GError **error)
{
  const KtField *deleted_at;
  gboolean want;

  if (sign_of (op) == NULL)
    return unsupported (error, NULL);
  switch (filter->term)
    {
    case KT_TERM_ID:
      {
        KtValue id = KT_VALUE_INIT;

        kt_value_set_id (&id, operand->kind == KT_OPERAND_ME ? &sql->me : &operand->value.v.ref.id);
        append_plain (sql, alias, "id");
        g_string_append_printf (sql->text, " %s ", sign_of (op));
        kt_sql_append_value (sql, &id);
        return TRUE;
      }
    case KT_TERM_REV:
      append_plain (sql, alias, "rev");
      g_string_append_printf (sql->text, " %s ", sign_of (op));
      kt_sql_append_int (sql, operand->value.v.integer);
      return TRUE;
    case KT_TERM_DELETED:
      want = operand->value.v.integer != 0;
      deleted_at = object != NULL ? kt_object_field (object, "deleted_at") : NULL;
      if (deleted_at == NULL)
        g_string_append (sql->text, want ? "FALSE" : "TRUE");
      else
        {
          kt_sql_append_column (sql, alias, deleted_at);
          g_string_append (sql->text, want ? " IS NOT NULL" : " IS NULL");
        }
      return TRUE;
    case KT_TERM_FIELD:
    default:
      g_assert_not_reached ();
    }
}

static gboolean
compare_operand (KtSql *sql,
                 const char *alias,
                 const KtObject *object,
                 const KtFilter *filter,
                 KtCompare op,
                 const KtOperand *operand,
                 GError **error)
{
  const KtField *field = filter->field;

  if (filter->term != KT_TERM_FIELD)
    return compare_pseudo (sql, alias, object, filter, op, operand, error);

  if (operand->kind == KT_OPERAND_TODAY || operand->kind == KT_OPERAND_NOW)
    {
      g_autofree char *start = NULL;
      g_autofree char *end = NULL;

      if (field->type != KT_FIELD_DATE && field->type != KT_FIELD_DATE_TIME)
        return unsupported (error, field);
      if (!resolve_moment (sql, field, operand, &start, &end, error))
        return FALSE;
      if (end != NULL)
        return compare_day (sql, alias, field, op, start, end, error);
      if (sign_of (op) == NULL)
        return unsupported (error, field);
      kt_sql_append_column (sql, alias, field);
      g_string_append_printf (sql->text, " %s ", sign_of (op));
      _kt_sql_append_text_value (sql, start);
      return TRUE;
    }
  if (operand->kind == KT_OPERAND_VALUE && operand->value.type == KT_VALUE_NULL)
    {
      if (op != KT_OP_EQ && op != KT_OP_IN)
        return unsupported (error, field);
      kt_sql_append_column (sql, alias, field);
      g_string_append (sql->text, " IS NULL");
      return TRUE;
    }

  switch (field->storage)
    {
    case KT_VALUE_ID:
    case KT_VALUE_ANY:
      return compare_reference (sql, alias, field, op, operand, error);
    case KT_VALUE_LIST:
      if (op == KT_OP_HAS && operand->value.type == KT_VALUE_LIST)
        {
          compare_whole_list (sql, alias, field, &operand->value);
          return TRUE;
        }
      if (op == KT_OP_EQ && operand->value.type == KT_VALUE_LIST)
        {
          kt_sql_append_column (sql, alias, field);
          g_string_append (sql->text, " = ");
          kt_sql_append_value (sql, &operand->value);
          return TRUE;
        }
      return compare_list (sql, alias, field, op, operand, error);
    case KT_VALUE_TEXT:
    case KT_VALUE_JSON:
      return compare_text (sql, alias, field, op, operand, error);
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
      return compare_number (sql, alias, field, op, operand, error);
    case KT_VALUE_NULL:
    default:
      return unsupported (error, field);
    }
}

/* ---- one comparison ---- */

/* x IN (…) in the way an index serves, when all operands are simple values. */
static gboolean
append_simple_in (KtSql *sql, const char *alias, const KtFilter *filter)
{
  const KtField *field = filter->field;

  if (filter->op != KT_OP_IN || filter->term != KT_TERM_FIELD || filter->operands->len < 2)
    return FALSE;
  if (field->storage != KT_VALUE_TEXT && field->storage != KT_VALUE_ID
      && field->storage != KT_VALUE_INT && field->storage != KT_VALUE_DECIMAL)
    return FALSE;
  for (guint i = 0; i < filter->operands->len; i++)
    {
      const KtOperand *operand = &g_array_index (filter->operands, KtOperand, i);

      if (operand->kind != KT_OPERAND_VALUE || operand->value.type != field->storage)
        return FALSE;
    }
  kt_sql_append_column (sql, alias, field);
  g_string_append (sql->text, " IN (");
  for (guint i = 0; i < filter->operands->len; i++)
    {
      if (i > 0)
        g_string_append_c (sql->text, ',');
      kt_sql_append_value (sql, &g_array_index (filter->operands, KtOperand, i).value);
    }
  g_string_append_c (sql->text, ')');
  return TRUE;
}

/* On the object itself, positively: NE as EQ, EMPTY as NOT_EMPTY. */
static gboolean
append_positive (KtSql *sql,
                 const char *alias,
                 const KtObject *object,
                 const KtFilter *filter,
                 GError **error)
{
  KtCompare op = filter->op;

  if (op == KT_OP_EMPTY || op == KT_OP_NOT_EMPTY)
    {
      if (filter->field == NULL)
        return unsupported (error, NULL);
      kt_sql_append_column (sql, alias, filter->field);
      g_string_append (sql->text, " IS NOT NULL");
      return TRUE;
    }
  if (append_simple_in (sql, alias, filter))
    return TRUE;
  if (filter->operands == NULL || filter->operands->len == 0)
    {
      g_string_append (sql->text, "FALSE");
      return TRUE;
    }
  for (guint i = 0; i < filter->operands->len; i++)
    {
      g_string_append (sql->text, i > 0 ? " OR (" : "(");
      if (!compare_operand (sql, alias, object, filter, op == KT_OP_NE ? KT_OP_EQ : op,
                            &g_array_index (filter->operands, KtOperand, i), error))
        return FALSE;
      g_string_append_c (sql->text, ')');
    }
  return TRUE;
}

/* Over the records that @filter->via may name. */
static gboolean
append_hop (KtSql *sql, const char *alias, const KtFilter *filter, GError **error)
{
  const KtField *via = filter->via;
  g_autofree const KtObject **to = _kt_sql_targets (via);
  gboolean any = FALSE;

  if (via->storage != KT_VALUE_ID && via->storage != KT_VALUE_ANY)
    return unsupported (error, via);
  for (guint i = 0; to[i] != NULL; i++)
    {
      g_autofree char *inner = NULL;

      /* A field belongs to one object; id, rev and deleted to all. */
      if (filter->field != NULL && filter->field->object != to[i])
        continue;
      inner = g_strdup_printf ("kt%u", ++sql->n_aliases);
      g_string_append (sql->text, any ? " OR (" : "(");
      any = TRUE;
      if (via->storage == KT_VALUE_ANY)
        {
          _kt_sql_append_second_column (sql, alias, via);
          g_string_append_printf (sql->text, " = '%s' AND ", to[i]->name);
        }
      kt_sql_append_column (sql, alias, via);
      g_string_append_printf (sql->text, " IN (SELECT %s.id FROM \"o_%s\" %s WHERE ", inner,
                              to[i]->name, inner);
      if (!append_positive (sql, inner, to[i], filter, error))
        return FALSE;
      g_string_append (sql->text, "))");
    }
  return any ? TRUE : unsupported (error, via);
}

/* The object that "deleted" of a filter without a path speaks of is not known here: by the column alone. */
static gboolean
append_compare (KtSql *sql, const KtFilter *filter, const char *alias, GError **error)
{
  gboolean negative = filter->op == KT_OP_NE || filter->op == KT_OP_EMPTY;
  gboolean done;

  if (filter->via == NULL && filter->op == KT_OP_EMPTY && filter->field != NULL)
    {
      kt_sql_append_column (sql, alias, filter->field);
      g_string_append (sql->text, " IS NULL");
      return TRUE;
    }
  if (filter->via == NULL && filter->term == KT_TERM_DELETED)
    {
      const KtOperand *operand =
        filter->operands->len > 0 ? &g_array_index (filter->operands, KtOperand, 0) : NULL;

      if (operand == NULL || (filter->op != KT_OP_EQ && filter->op != KT_OP_NE))
        return unsupported (error, NULL);
      append_plain (sql, alias, "\"f_deleted_at\"");
      g_string_append (sql->text, (operand->value.v.integer != 0) == (filter->op == KT_OP_EQ)
                                    ? " IS NOT NULL"
                                    : " IS NULL");
      return TRUE;
    }

  if (negative)
    g_string_append (sql->text, "NOT COALESCE((");
  done = filter->via != NULL
           ? append_hop (sql, alias, filter, error)
           : append_positive (sql, alias, filter->field != NULL ? filter->field->object : NULL,
                              filter, error);
  if (negative)
    g_string_append (sql->text, "),FALSE)");
  return done;
}

static gboolean
append_children (KtSql *sql, const KtFilter *filter, const char *alias, GError **error)
{
  const char *word = filter->kind == KT_FILTER_AND ? " AND " : " OR ";

  if (filter->children->len == 0)
    g_string_append (sql->text, filter->kind == KT_FILTER_AND ? "TRUE" : "FALSE");
  for (guint i = 0; i < filter->children->len; i++)
    {
      if (i > 0)
        g_string_append (sql->text, word);
      if (!append_filter (sql, g_ptr_array_index (filter->children, i), alias, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
append_filter (KtSql *sql, const KtFilter *filter, const char *alias, GError **error)
{
  gboolean done;

  g_string_append_c (sql->text, '(');
  switch (filter->kind)
    {
    case KT_FILTER_TRUE:
      g_string_append (sql->text, "TRUE");
      done = TRUE;
      break;
    case KT_FILTER_AND:
    case KT_FILTER_OR:
      done = append_children (sql, filter, alias, error);
      break;
    case KT_FILTER_NOT:
      g_assert (filter->children->len == 1);
      g_string_append (sql->text, "NOT COALESCE(");
      done = append_filter (sql, g_ptr_array_index (filter->children, 0), alias, error);
      g_string_append (sql->text, ",FALSE)");
      break;
    case KT_FILTER_COMPARE:
      done = append_compare (sql, filter, alias, error);
      break;
    default:
      g_assert_not_reached ();
    }
  g_string_append_c (sql->text, ')');
  return done;
}

gboolean
kt_sql_append_filter (KtSql *sql, const KtFilter *filter, const char *alias, GError **error)
{
  g_return_val_if_fail (sql != NULL, FALSE);

  if (filter == NULL)
    {
      g_string_append (sql->text, "(TRUE)");
      return TRUE;
    }
  return append_filter (sql, filter, alias, error);
}
