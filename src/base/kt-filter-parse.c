/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "base/kt-query.h"

#include <stdlib.h>
#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "base/kt-filter-private.h"
#include "base/kt-text.h"

/*   filter     = and ("or" and)*
 *   and        = not ("and" not)*
 *   not        = "not" not | "(" filter ")" | "true" | comparison
 *   comparison = path ("is" ["not"] "empty" | ["not"] "in" "(" operand ("," operand)* ")" | ["not"] operator operand)
 *   path       = name ["." name]
 *   operand    = string | word | number [currency] | ("today" | "now") [offset] | "me"
 *
 * What a word means is decided by the field it is compared with, so the
 * tokenizer knows only words, strings and signs. */

#define MAX_RECURSION 64
#define MAX_OPERANDS 500
#define MAX_OFFSET 1000000

typedef enum
{
  TOKEN_END,
  TOKEN_OPEN,
  TOKEN_CLOSE,
  TOKEN_COMMA,
  TOKEN_SIGN, /* = != < … */
  TOKEN_STRING,
  TOKEN_WORD,
  TOKEN_BAD,
} TokenType;

typedef struct
{
  const KtObject *object;
  const char *at;    /* behind the token */
  const char *start; /* of the token */
  TokenType type;
  KtCompare sign;
  GString *text; /* of STRING and WORD */
  guint recursion;
  guint n_nodes;
} Parser;

static KtFilter *parse_or (Parser *p, GError **error);

/* ---- tokens ---------------------------------------------------------- */

static void
next_token (Parser *p)
{
  static const struct
  {
    const char *text;
    KtCompare op;
  } signs[] = {
    { "==", KT_OP_EQ },
    { "!=", KT_OP_NE },
    { "<>", KT_OP_NE },
    { "<=", KT_OP_LE },
    { ">=", KT_OP_GE },
    { "=", KT_OP_EQ },
    { "<", KT_OP_LT },
    { ">", KT_OP_GT },
    { "\342\211\240", KT_OP_NE },
    { "\342\211\244", KT_OP_LE },
    { "\342\211\245", KT_OP_GE },
  };

  g_string_truncate (p->text, 0);
  while (*p->at == ' ' || (*p->at >= '\t' && *p->at <= '\r'))
    p->at++;
  p->start = p->at;
  switch (*p->at)
    {
    case '\0':
      p->type = TOKEN_END;
      return;
    case '(':
      p->type = TOKEN_OPEN;
      p->at++;
      return;
    case ')':
      p->type = TOKEN_CLOSE;
      p->at++;
      return;
    case ',':
      p->type = TOKEN_COMMA;
      p->at++;
      return;
    case '"':
    case '\'':
      {
        char quote = *p->at++;

        for (; *p->at != '\0'; p->at++)
          {
            if (*p->at == quote)
              {
                if (p->at[1] != quote)
                  break;
                p->at++;
              }
            g_string_append_c (p->text, *p->at);
          }
        p->type = *p->at == '\0' ? TOKEN_BAD : TOKEN_STRING;
        if (*p->at != '\0')
          p->at++;
        return;
      }
    default:
      break;
    }
  for (guint i = 0; i < G_N_ELEMENTS (signs); i++)
    if (g_str_has_prefix (p->at, signs[i].text))
      {
        p->type = TOKEN_SIGN;
        p->sign = signs[i].op;
        p->at += strlen (signs[i].text);
        return;
      }
  while (*p->at != '\0' && strchr (" \t\n\v\f\r()\"',=<>!&|", *p->at) == NULL
         && !g_str_has_prefix (p->at, "\342\211\240") && !g_str_has_prefix (p->at, "\342\211\244")
         && !g_str_has_prefix (p->at, "\342\211\245"))
    g_string_append_c (p->text, *p->at++);
  p->type = p->at == p->start ? TOKEN_BAD : TOKEN_WORD;
}

static gboolean
is_word (const Parser *p, const char *word)
{
  return p->type == TOKEN_WORD && g_ascii_strcasecmp (p->text->str, word) == 0;
}

static gboolean
fail_at (const char *start, GError **error, KtError code, const char *message)
{
  g_autofree char *place = g_utf8_substring (start, 0, MIN (g_utf8_strlen (start, -1), 24));
  g_autofree char *shown = kt_error_excerpt (message, KT_ERROR_SENTENCE);

  if (*place == '\0')
    g_set_error (error, KT_ERROR, code, "At the end of the filter: %s", shown);
  else
    g_set_error (error, KT_ERROR, code, "Near “%s”: %s", place, shown);
  return FALSE;
}

static gboolean fail (const Parser *p, GError **error, const char *format, ...)
  G_GNUC_PRINTF (3, 4);

static gboolean
fail (const Parser *p, GError **error, const char *format, ...)
{
  va_list args;
  g_autofree char *message = NULL;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  return fail_at (p->start, error, KT_ERROR_INVALID, message);
}

static KtFilter *
fail_filter (const Parser *p, GError **error, const char *message)
{
  fail_at (p->start, error, KT_ERROR_INVALID, message);
  return NULL;
}

/* ---- operands -------------------------------------------------------- */

static gboolean
fits_user (const KtField *field, const KtFilter *filter, const KtObject *object)
{
  if (filter->term == KT_TERM_ID)
    return strcmp (object->name, "user") == 0;
  return field != NULL
         && (field->type == KT_FIELD_REF || field->type == KT_FIELD_REF_ANY
             || field->type == KT_FIELD_MANY)
         && kt_field_accepts (field, "user");
}

/* "+30d" behind today or now. */
static gboolean
parse_offset (Parser *p, const char *text, KtOperand *out, GError **error)
{
  char *end;
  gint64 n;

  if (*text == '\0')
    return TRUE;
  if ((*text != '+' && *text != '-') || !g_ascii_isdigit (text[1]))
    return fail (p, error, "expected something like today+30d or now-2h");
  n = g_ascii_strtoll (text, &end, 10);
  if (n > MAX_OFFSET || n < -MAX_OFFSET)
    return fail (p, error, "that is too far from today");
  if (*end == '\0')
    out->unit = 'd';
  else if (end[1] == '\0' && strchr ("hdwmy", g_ascii_tolower (*end)) != NULL)
    out->unit = g_ascii_tolower (*end);
  else
    return fail (p, error,
                 "“%s” is no unit; use h, d, w, m or y (hours, days, weeks, months, years)", end);
  out->offset = (int) n;
  if (n == 0)
    out->unit = 0;
  return TRUE;
}

/* The token is today… or now…; consumes it. */
static gboolean
parse_moment (Parser *p, const KtField *field, KtOperand *out, GError **error)
{
  gboolean now = g_ascii_strncasecmp (p->text->str, "now", 3) == 0;
  g_autofree char *offset = g_strdup (p->text->str + (now ? 3 : 5));

  if (field->type != KT_FIELD_DATE && field->type != KT_FIELD_DATE_TIME)
    return fail (p, error, "%s is not a date", field->name);
  out->kind = now && field->type == KT_FIELD_DATE_TIME ? KT_OPERAND_NOW : KT_OPERAND_TODAY;

  /* "today + 30d" in three words is one too. */
  if (*offset == '\0')
    {
      Parser ahead = *p;
      g_autoptr (GString) text = g_string_new (NULL);

      ahead.text = text;
      next_token (&ahead);
      if (ahead.type == TOKEN_WORD && (*text->str == '+' || *text->str == '-'))
        {
          g_free (offset);
          if (text->len == 1)
            {
              char sign = *text->str;

              next_token (&ahead);
              offset = g_strdup_printf ("%c%s", sign, text->str);
            }
          else
            offset = g_strdup (text->str);
          p->at = ahead.at;
        }
    }
  if (!parse_offset (p, offset, out, error))
    return FALSE;
  if (out->unit == 'h' && out->kind == KT_OPERAND_TODAY)
    return fail (p, error, "hours are counted from now, and against a field with a time");
  next_token (p);
  return TRUE;
}

static gboolean
set_text (const Parser *p, KtValue *value, const char *text, GError **error)
{
  g_autofree char *normal = kt_text_normalize (text, -1);

  if (normal == NULL)
    return fail (p, error, "the text is not valid UTF-8");
  kt_value_set_text (value, normal);
  return TRUE;
}

static gboolean
set_title (const Parser *p, KtOperand *out, const char *text, GError **error)
{
  g_autofree char *folded = kt_text_fold (text);

  if (*folded == '\0')
    return fail (p, error, "expected a name or an id");
  out->kind = KT_OPERAND_TITLE;
  kt_value_set_text (&out->value, folded);
  return TRUE;
}

static gboolean
set_option (const Parser *p, const KtField *field, const char *text, KtValue *value, GError **error)
{
  const KtOption *option = kt_field_option (field, text);
  const char *best = NULL;
  guint best_distance = 4;

  for (guint i = 0; option == NULL && i < field->n_options; i++)
    if (_kt_label_is (field->options[i].label, text)
        || g_ascii_strcasecmp (field->options[i].value, text) == 0)
      option = &field->options[i];
  if (option != NULL)
    {
      kt_value_set_text (value, option->value);
      return TRUE;
    }
  if (field->open || field->n_options == 0)
    return set_text (p, value, text, error);

  for (guint i = 0; i < field->n_options; i++)
    {
      const char *label = kt_option_label (&field->options[i], "en");
      guint distance = MIN (kt_text_distance (text, field->options[i].value, 3),
                            label != NULL ? kt_text_distance (text, label, 3) : 4);

      if (distance < best_distance && distance < strlen (text))
        {
          best = field->options[i].value;
          best_distance = distance;
        }
    }
  if (best != NULL)
    return fail (p, error, "%s has no option “%s”; did you mean “%s”?", field->name, text, best);
  {
    g_autoptr (GString) all = g_string_new (NULL);

    for (guint i = 0; i < field->n_options && i < 12; i++)
      g_string_append_printf (all, "%s%s", i > 0 ? ", " : "", field->options[i].value);
    return fail (p, error, "%s has no option “%s”, but: %s%s", field->name, text, all->str,
                 field->n_options > 12 ? " …" : "");
  }
}

/* "1000", "1000 EUR"; in quotes also what people write. */
static gboolean
set_money (const Parser *p, const char *text, KtValue *value, GError **error)
{
  gint64 mantissa;
  char currency[4] = "";
  const char *blank = strchr (text, ' ');
  gsize n = blank != NULL ? (gsize) (blank - text) : strlen (text);
  gboolean exact = kt_decimal_parse (text, (gssize) n, KT_MONEY_SCALE, &mantissa, NULL);

  if (exact && blank != NULL)
    {
      exact = strlen (blank) == 4;
      for (guint i = 0; exact && i < 3; i++)
        {
          exact = g_ascii_isalpha (blank[1 + i]);
          currency[i] = g_ascii_toupper (blank[1 + i]);
        }
    }
  if (!exact && !kt_decimal_parse_loose (text, KT_MONEY_SCALE, 0, &mantissa, currency, NULL))
    return fail (p, error, "“%s” is not an amount; write 1000 or 1000.50 EUR", text);
  kt_value_clear (value);
  value->type = KT_VALUE_MONEY;
  value->scale = KT_MONEY_SCALE;
  value->v.integer = mantissa;
  memcpy (value->currency, currency, sizeof value->currency);
  return TRUE;
}

static gboolean
set_reference (const Parser *p,
               const KtField *field,
               const char *text,
               KtOperand *out,
               GError **error)
{
  KtId id;
  const char *colon = strchr (text, ':');

  if (kt_id_parse (text, -1, &id))
    {
      if (field->type == KT_FIELD_MANY)
        {
          char canonical[KT_ID_TEXT_SIZE];

          kt_id_format (&id, canonical);
          kt_value_set_text (&out->value, canonical);
        }
      else
        kt_value_set_id (&out->value, &id);
      return TRUE;
    }
  if (colon != NULL && kt_id_parse (colon + 1, -1, &id))
    {
      g_autofree char *name = g_strndup (text, (gsize) (colon - text));
      const KtObject *object = kt_schema_object (field->object->schema, name);

      if (object == NULL || !kt_field_accepts (field, name))
        return fail (p, error, "%s does not refer to “%s”", field->name, name);
      if (field->type == KT_FIELD_REF_ANY)
        kt_value_set_any (&out->value, object->name, &id);
      else
        return set_reference (p, field, colon + 1, out, error);
      return TRUE;
    }
  return set_title (p, out, text, error);
}

/* @text compared with @field: its canonical value. */
static gboolean
set_operand (const Parser *p,
             const KtField *field,
             KtCompare op,
             const char *text,
             KtOperand *out,
             GError **error)
{
  gboolean partly = op == KT_OP_CONTAINS || op == KT_OP_STARTS;
  g_autoptr (GError) local = NULL;
  g_autofree char *instant = NULL;

  out->kind = KT_OPERAND_VALUE;
  switch (field->type)
    {
    case KT_FIELD_REF:
    case KT_FIELD_REF_ANY:
    case KT_FIELD_MANY:
      return partly ? set_title (p, out, text, error) : set_reference (p, field, text, out, error);
    case KT_FIELD_CHOICE:
    case KT_FIELD_CHOICES:
      return set_option (p, field, text, &out->value, error);
    case KT_FIELD_TAGS:
    case KT_FIELD_TEXT:
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
    case KT_FIELD_URL:
    case KT_FIELD_AUTO_NUMBER:
    case KT_FIELD_FILE:
    case KT_FIELD_IMAGE:
    case KT_FIELD_ADDRESS:
    case KT_FIELD_JSON:
      return set_text (p, &out->value, text, error);
    case KT_FIELD_EMAIL:
    case KT_FIELD_PHONE:
      /* As it is stored; what is not a whole address compares as it stands. */
      if (!partly && kt_value_parse (field, text, "en", NULL, &out->value, NULL)
          && !kt_value_is_null (&out->value))
        return TRUE;
      return set_text (p, &out->value, text, error);
    case KT_FIELD_MONEY:
      return set_money (p, text, &out->value, error);
    case KT_FIELD_DATE_TIME:
      if (strlen (text) == 10 && text[4] == '-' && text[7] == '-')
        {
          instant = g_strconcat (text, "T00:00:00.000Z", NULL);
          text = instant;
        }
      break;
    case KT_FIELD_INTEGER:
    case KT_FIELD_DECIMAL:
    case KT_FIELD_PERCENT:
    case KT_FIELD_BOOLEAN:
    case KT_FIELD_DATE:
    case KT_FIELD_DURATION:
      break;
    case KT_N_FIELD_TYPES:
    default:
      g_assert_not_reached ();
    }
  if (!kt_value_parse (field, text, "en", NULL, &out->value, &local))
    return fail (p, error, "%s", local->message);
  if (kt_value_is_null (&out->value))
    return fail (p, error, "%s is compared with nothing; write “%s is empty”", field->name,
                 field->name);
  return TRUE;
}

static gboolean
set_pseudo (const Parser *p, KtTerm term, const char *text, KtOperand *out, GError **error)
{
  KtId id;
  gint64 rev;

  out->kind = KT_OPERAND_VALUE;
  switch (term)
    {
    case KT_TERM_ID:
      if (!kt_id_parse (text, -1, &id))
        return fail (p, error, "“%s” is not an id", text);
      kt_value_set_id (&out->value, &id);
      return TRUE;
    case KT_TERM_REV:
      if (!kt_decimal_parse (text, -1, 0, &rev, NULL))
        return fail (p, error, "rev is a whole number");
      kt_value_set_int (&out->value, rev);
      return TRUE;
    case KT_TERM_DELETED:
      if (g_ascii_strcasecmp (text, "true") != 0 && g_ascii_strcasecmp (text, "false") != 0)
        return fail (p, error, "deleted is true or false");
      kt_value_set_bool (&out->value, g_ascii_strcasecmp (text, "true") == 0);
      return TRUE;
    case KT_TERM_FIELD:
    default:
      g_assert_not_reached ();
    }
}

static gboolean
parse_operand (Parser *p, KtFilter *filter, GError **error)
{
  KtOperand operand = { KT_OPERAND_VALUE };
  const KtField *field = filter->field;
  gboolean word = p->type == TOKEN_WORD;

  if (p->type == TOKEN_BAD && (*p->start == '"' || *p->start == '\''))
    return fail (p, error, "the quote is never closed");
  if (!word && p->type != TOKEN_STRING)
    return fail (p, error, "expected a value");
  if (p->text->len == 0 || is_word (p, "null"))
    return fail (p, error, "there is nothing to compare with; use “is empty”");
  if (filter->operands->len >= MAX_OPERANDS)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "More than %d values in one list",
                   MAX_OPERANDS);
      return FALSE;
    }

  if (word && is_word (p, "me") && (field == NULL || field->type != KT_FIELD_CHOICE))
    {
      if (!fits_user (field, filter, p->object))
        return fail (
          p, error,
          "only a reference to a user compares with “me”; put it in quotes if it is text");
      operand.kind = KT_OPERAND_ME;
      next_token (p);
    }
  else if (word && field != NULL
           && (field->type == KT_FIELD_DATE || field->type == KT_FIELD_DATE_TIME)
           && (g_ascii_strncasecmp (p->text->str, "today", 5) == 0
               || g_ascii_strncasecmp (p->text->str, "now", 3) == 0))
    {
      if (!parse_moment (p, field, &operand, error))
        return FALSE;
    }
  else
    {
      gboolean done;

      if (field != NULL && field->type == KT_FIELD_MONEY && word)
        {
          /* 1000 EUR */
          Parser ahead = *p;
          g_autoptr (GString) text = g_string_new (NULL);

          ahead.text = text;
          next_token (&ahead);
          if (ahead.type == TOKEN_WORD && text->len == 3 && g_ascii_isalpha (text->str[0])
              && g_ascii_strcasecmp (text->str, "and") != 0)
            {
              g_string_append_printf (p->text, " %s", text->str);
              p->at = ahead.at;
            }
        }
      if (field == NULL)
        done = set_pseudo (p, filter->term, p->text->str, &operand, error);
      else
        done = set_operand (p, field, filter->op, p->text->str, &operand, error);
      if (!done)
        {
          kt_value_clear (&operand.value);
          return FALSE;
        }
      next_token (p);
    }
  g_array_append_val (filter->operands, operand);
  return TRUE;
}

/* ---- comparisons ----------------------------------------------------- */

static gboolean
parse_path (Parser *p, KtFilter *filter, GError **error)
{
  const char *dot = strchr (p->text->str, '.');
  g_autofree char *first =
    dot != NULL ? g_strndup (p->text->str, (gsize) (dot - p->text->str)) : g_strdup (p->text->str);
  const char *second = dot != NULL ? dot + 1 : NULL;
  g_autoptr (GError) local = NULL;
  const KtObject *target;

  if (second == NULL)
    {
      filter->field = kt_object_field (p->object, first);
      if (filter->field != NULL)
        return TRUE;
      if (strcmp (first, "id") == 0)
        filter->term = KT_TERM_ID;
      else if (strcmp (first, "rev") == 0)
        filter->term = KT_TERM_REV;
      else if (strcmp (first, "deleted") == 0)
        filter->term = KT_TERM_DELETED;
      if (filter->term != KT_TERM_FIELD)
        return TRUE;
      _kt_object_find_field (p->object, first, &local);
      return fail (p, error, "%s", local->message);
    }

  filter->via = _kt_object_find_field (p->object, first, &local);
  if (filter->via == NULL)
    return fail (p, error, "%s", local->message);
  if (filter->via->type != KT_FIELD_REF)
    return fail (p, error, "%s does not refer to one kind of record, so it has no “.%s”", first,
                 second);
  if (strchr (second, '.') != NULL)
    return fail (p, error, "only one step from record to record is possible");
  target = filter->via->to != NULL && filter->via->to[0] != NULL && filter->via->to[1] == NULL
             ? kt_schema_object (p->object->schema, filter->via->to[0])
             : NULL;
  if (target == NULL)
    return fail (p, error, "%s may refer to several kinds of records, so it has no “.%s”", first,
                 second);
  filter->field = _kt_object_find_field (target, second, &local);
  if (filter->field == NULL)
    return fail (p, error, "%s", local->message);
  return TRUE;
}

/* Whether the operator makes sense for the field; says what does. */
static gboolean
check_operator (const Parser *p, const KtFilter *filter, GError **error)
{
  const KtField *field = filter->field;
  gboolean ordered = filter->op == KT_OP_LT || filter->op == KT_OP_LE || filter->op == KT_OP_GT
                     || filter->op == KT_OP_GE;
  gboolean partly = filter->op == KT_OP_CONTAINS || filter->op == KT_OP_STARTS;
  gboolean has = filter->op == KT_OP_HAS;
  gboolean empty = filter->op == KT_OP_EMPTY || filter->op == KT_OP_NOT_EMPTY;

  if (field == NULL)
    {
      if (partly || has || empty || (ordered && filter->term != KT_TERM_REV)
          || (filter->op == KT_OP_IN && filter->term == KT_TERM_DELETED))
        return fail (p, error, "that does not go with id, rev or deleted");
      return TRUE;
    }
  if (empty)
    return TRUE;
  switch (field->storage)
    {
    case KT_VALUE_LIST:
      if (!has)
        return fail (p, error, "%s holds several values; write “%s has …”", field->name,
                     field->name);
      return TRUE;
    case KT_VALUE_JSON:
      if (!partly)
        return fail (p, error, "%s can only be searched with “contains”, “starts” and “is empty”",
                     field->name);
      return TRUE;
    case KT_VALUE_ID:
    case KT_VALUE_ANY:
      if (ordered || has)
        return fail (p, error, "%s is a reference; use =, !=, in, contains or “is empty”",
                     field->name);
      return TRUE;
    case KT_VALUE_TEXT:
      if (has)
        return fail (p, error, "%s holds one text; use “contains”", field->name);
      if (partly
          && (field->type == KT_FIELD_DATE || field->type == KT_FIELD_DATE_TIME
              || field->type == KT_FIELD_CHOICE))
        return fail (p, error, "%s is a %s; use =, != or in", field->name,
                     kt_field_type_word (field->type));
      if (ordered && field->type == KT_FIELD_CHOICE)
        return fail (p, error, "%s is a choice; use =, != or in", field->name);
      return TRUE;
    case KT_VALUE_BOOL:
      if (filter->op != KT_OP_EQ && filter->op != KT_OP_NE)
        return fail (p, error, "%s is true or false; use =", field->name);
      return TRUE;
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
      if (partly || has)
        return fail (p, error, "%s is a number; use =, <, > or in", field->name);
      return TRUE;
    case KT_VALUE_NULL:
    default:
      return TRUE;
    }
}

static gboolean
parse_operator (Parser *p, KtFilter *filter, gboolean *negated, GError **error)
{
  static const struct
  {
    const char *word;
    KtCompare op;
  } words[] = {
    { "contains", KT_OP_CONTAINS },
    { "starts", KT_OP_STARTS },
    { "has", KT_OP_HAS },
    { "in", KT_OP_IN },
  };

  *negated = FALSE;
  if (p->type == TOKEN_SIGN)
    {
      filter->op = p->sign;
      return TRUE;
    }
  if (is_word (p, "is"))
    {
      next_token (p);
      *negated = is_word (p, "not");
      if (*negated)
        next_token (p);
      if (!is_word (p, "empty") && !is_word (p, "null"))
        return fail (p, error, "expected “is empty” or “is not empty”");
      filter->op = *negated ? KT_OP_NOT_EMPTY : KT_OP_EMPTY;
      *negated = FALSE;
      return TRUE;
    }
  if (is_word (p, "not"))
    {
      *negated = TRUE;
      next_token (p);
    }
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (is_word (p, words[i].word))
      {
        filter->op = words[i].op;
        return TRUE;
      }
  if (is_word (p, "like") || is_word (p, "matches"))
    return fail (p, error, "there is no “%s”; use “contains” or “starts”", p->text->str);
  return fail (p, error, "expected =, !=, <, <=, >, >=, contains, starts, has, in or “is empty”");
}

static KtFilter *
parse_comparison (Parser *p, GError **error)
{
  g_autoptr (KtFilter) filter = _kt_filter_new (KT_FILTER_COMPARE);
  gboolean negated;

  if (!parse_path (p, filter, error))
    return NULL;
  next_token (p);
  if (!parse_operator (p, filter, &negated, error) || !check_operator (p, filter, error))
    return NULL;
  next_token (p);
  if (filter->op == KT_OP_STARTS && is_word (p, "with"))
    next_token (p);

  if (filter->op == KT_OP_IN)
    {
      if (p->type != TOKEN_OPEN)
        return fail_filter (p, error, "expected a list: in (…, …)");
      do
        {
          next_token (p);
          if (!parse_operand (p, filter, error))
            return NULL;
        }
      while (p->type == TOKEN_COMMA);
      if (p->type != TOKEN_CLOSE)
        return fail_filter (p, error, "expected “,” or “)”");
      next_token (p);
    }
  else if (filter->op != KT_OP_EMPTY && filter->op != KT_OP_NOT_EMPTY)
    {
      gboolean blank = (p->type == TOKEN_STRING && p->text->len == 0) || is_word (p, "null");

      /* Blank is NULL for every field, so = "" asks whether it is empty. */
      if (blank && filter->field != NULL && (filter->op == KT_OP_EQ || filter->op == KT_OP_NE))
        {
          filter->op = filter->op == KT_OP_EQ ? KT_OP_EMPTY : KT_OP_NOT_EMPTY;
          next_token (p);
        }
      else if (blank)
        return fail_filter (p, error, "there is nothing to compare with; use “is empty”");
      else if (!parse_operand (p, filter, error))
        return NULL;
    }
  if (negated)
    {
      KtFilter *outer = _kt_filter_new (KT_FILTER_NOT);

      g_ptr_array_add (outer->children, g_steal_pointer (&filter));
      return outer;
    }
  return g_steal_pointer (&filter);
}

/* ---- and, or, not ---------------------------------------------------- */

static KtFilter *
parse_not_inner (Parser *p, GError **error)
{
  if (is_word (p, "not"))
    {
      g_autoptr (KtFilter) outer = _kt_filter_new (KT_FILTER_NOT);
      KtFilter *inner;

      next_token (p);
      if (p->recursion++ > MAX_RECURSION)
        {
          fail_at (p->start, error, KT_ERROR_LIMIT, "too many levels");
          return NULL;
        }
      inner = parse_not_inner (p, error);
      p->recursion--;
      if (inner == NULL)
        return NULL;
      g_ptr_array_add (outer->children, inner);
      return g_steal_pointer (&outer);
    }
  if (p->type == TOKEN_OPEN)
    {
      g_autoptr (KtFilter) inner = NULL;

      next_token (p);
      if (p->recursion++ > MAX_RECURSION)
        {
          fail_at (p->start, error, KT_ERROR_LIMIT, "too many levels");
          return NULL;
        }
      inner = parse_or (p, error);
      p->recursion--;
      if (inner == NULL)
        return NULL;
      if (p->type != TOKEN_CLOSE)
        return fail_filter (p, error, "expected “and”, “or” or “)”");
      next_token (p);
      return g_steal_pointer (&inner);
    }
  if (is_word (p, "true") && kt_object_field (p->object, "true") == NULL)
    {
      next_token (p);
      return _kt_filter_new (KT_FILTER_TRUE);
    }
  if (p->type == TOKEN_WORD)
    return parse_comparison (p, error);
  if (p->type == TOKEN_STRING)
    return fail_filter (p, error, "expected a field; names of fields are written without quotes");
  return fail_filter (p, error, "expected a field, “not” or “(”");
}

static KtFilter *
parse_chain (Parser *p, KtFilterKind kind, GError **error)
{
  const char *word = kind == KT_FILTER_AND ? "and" : "or";
  g_autoptr (KtFilter) first = NULL;
  g_autoptr (KtFilter) all = NULL;

  first =
    kind == KT_FILTER_AND ? parse_not_inner (p, error) : parse_chain (p, KT_FILTER_AND, error);
  if (first == NULL)
    return NULL;
  if (!is_word (p, word))
    return g_steal_pointer (&first);
  all = _kt_filter_new (kind);
  g_ptr_array_add (all->children, g_steal_pointer (&first));
  while (is_word (p, word))
    {
      KtFilter *other;

      next_token (p);
      other =
        kind == KT_FILTER_AND ? parse_not_inner (p, error) : parse_chain (p, KT_FILTER_AND, error);
      if (other == NULL)
        return NULL;
      g_ptr_array_add (all->children, other);
    }
  return g_steal_pointer (&all);
}

static KtFilter *
parse_or (Parser *p, GError **error)
{
  return parse_chain (p, KT_FILTER_OR, error);
}

static gboolean
check_size (const KtFilter *filter, guint depth, guint *n_nodes, GError **error)
{
  if (depth > KT_FILTER_MAX_DEPTH || ++*n_nodes > KT_FILTER_MAX_NODES)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT,
                   "The filter is too large: at most %d conditions, %d levels deep",
                   KT_FILTER_MAX_NODES, KT_FILTER_MAX_DEPTH);
      return FALSE;
    }
  for (guint i = 0; filter->children != NULL && i < filter->children->len; i++)
    if (!check_size (g_ptr_array_index (filter->children, i), depth + 1, n_nodes, error))
      return FALSE;
  return TRUE;
}

KtFilter *
kt_filter_parse (const KtObject *object, const char *text, GError **error)
{
  g_autoptr (GString) token = NULL;
  g_autoptr (KtFilter) filter = NULL;
  Parser p = { 0 };
  guint n_nodes = 0;

  g_return_val_if_fail (object != NULL, NULL);
  g_return_val_if_fail (text != NULL, NULL);

  if (strlen (text) > KT_FILTER_MAX_TEXT)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "The filter is longer than %d bytes",
                   KT_FILTER_MAX_TEXT);
      return NULL;
    }
  if (!g_utf8_validate (text, -1, NULL))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "The filter is not valid UTF-8");
      return NULL;
    }

  token = g_string_new (NULL);
  p.object = object;
  p.at = text;
  p.text = token;
  next_token (&p);
  if (p.type == TOKEN_END)
    return _kt_filter_new (KT_FILTER_TRUE);
  filter = parse_or (&p, error);
  if (filter == NULL)
    return NULL;
  if (p.type != TOKEN_END)
    {
      if (g_str_has_prefix (p.start, "&&") || g_str_has_prefix (p.start, "||")
          || p.type == TOKEN_COMMA)
        return fail_filter (&p, error, "conditions are joined by “and” and “or”");
      if (p.type == TOKEN_CLOSE)
        return fail_filter (&p, error, "there is one “)” too many");
      return fail_filter (&p, error, "expected “and” or “or”");
    }
  if (!check_size (filter, 1, &n_nodes, error))
    return NULL;
  return g_steal_pointer (&filter);
}
