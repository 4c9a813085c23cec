/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "proto/kt-expression-private.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"

#define MAX_TEXT 65536

/* A value on the way. Text belongs to the record, the tree or the arena. */
typedef struct
{
  NodeType type;
  KtExact number;
  const char *text;
} Slot;

static const Slot null_slot = { TYPE_NULL, { 0, 0 }, NULL };

typedef struct
{
  const KtRecord *record;
  const char *today;
  GPtrArray *arena;    /* texts made on the way, or NULL */
  const char *problem; /* static: why it cannot be computed; nothing after it counts */
} Run;

static Slot eval (Run *run, const Node *node);

/* ---- values ---------------------------------------------------------- */

static Slot
number_slot (KtExact number)
{
  return (Slot){ TYPE_NUMBER, number, NULL };
}

static Slot
integer_slot (gint64 n)
{
  return number_slot (KT_EXACT_INT (n));
}

static Slot
truth_slot (int truth)
{
  return truth < 0 ? null_slot : integer_slot (truth);
}

static Slot
text_slot (const char *text)
{
  return (Slot){ TYPE_TEXT, { 0, 0 }, text };
}

/* Takes @text. */
static Slot
made_text (Run *run, char *text)
{
  if (run->arena == NULL)
    run->arena = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (run->arena, text);
  if (strlen (text) > MAX_TEXT)
    {
      run->problem = "a text of more than 64 KiB";
      return null_slot;
    }
  return text_slot (text);
}

static Slot
checked (Run *run, gboolean fits, KtExact number)
{
  if (fits)
    return number_slot (number);
  run->problem = "a number of more than 37 digits";
  return null_slot;
}

/* NULL stays NULL. */
static const char *
as_text (Run *run, Slot slot)
{
  char buffer[KT_EXACT_TEXT_SIZE];

  switch (slot.type)
    {
    case TYPE_TEXT:
      return slot.text;
    case TYPE_NUMBER:
      kt_exact_format (slot.number, buffer);
      return made_text (run, g_strdup (buffer)).text;
    case TYPE_NULL:
    default:
      return NULL;
    }
}

/* 1, 0, or -1 for NULL. */
static int
truth (Slot slot)
{
  return slot.type == TYPE_NULL ? -1 : slot.number.m != 0;
}

/* Neither is NULL; both of one type, by construction. */
static int
compare (Slot a, Slot b)
{
  if (a.type == TYPE_NUMBER)
    return kt_exact_compare (a.number, b.number);
  return strcmp (a.text, b.text);
}

static Slot
field_slot (Run *run, const Node *node)
{
  const KtValue *value = &run->record->values[node->field->index];
  char *text;

  switch ((KtValueType) value->type)
    {
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
      return integer_slot (value->v.integer);
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
      return number_slot ((KtExact){ value->v.integer, value->scale });
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      return text_slot (value->v.text);
    case KT_VALUE_ID:
    case KT_VALUE_ANY:
      text = g_malloc (KT_ID_TEXT_SIZE);
      kt_id_format (&value->v.ref.id, text);
      return made_text (run, text);
    case KT_VALUE_NULL:
    default:
      return null_slot;
    }
}

/* ---- dates ----------------------------------------------------------- */

/* "2026-01-31", with or without "T08:00:00.000Z" behind it. *ms: since midnight. */
static gboolean
read_date (const char *text, GDate *date, guint *ms)
{
  guint numbers[7] = { 0 };
  static const struct
  {
    guint at, n;
  } parts[] = { { 0, 4 }, { 5, 2 }, { 8, 2 }, { 11, 2 }, { 14, 2 }, { 17, 2 }, { 20, 3 } };
  gsize len = strlen (text);
  guint n_parts = len == 10 ? 3 : len == 24 ? 7 : 0;

  if (n_parts == 0 || text[4] != '-' || text[7] != '-'
      || (n_parts == 7
          && (text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != '.'
              || text[23] != 'Z')))
    return FALSE;
  for (guint i = 0; i < n_parts; i++)
    for (guint j = 0; j < parts[i].n; j++)
      {
        char c = text[parts[i].at + j];

        if (!g_ascii_isdigit (c))
          return FALSE;
        numbers[i] = numbers[i] * 10 + (guint) (c - '0');
      }
  if (!g_date_valid_dmy ((GDateDay) numbers[2], (GDateMonth) numbers[1], (GDateYear) numbers[0]))
    return FALSE;
  g_date_clear (date, 1);
  g_date_set_dmy (date, (GDateDay) numbers[2], (GDateMonth) numbers[1], (GDateYear) numbers[0]);
  *ms = ((numbers[3] * 60 + numbers[4]) * 60 + numbers[5]) * 1000 + numbers[6];
  return TRUE;
}

static gboolean
date_in_range (const GDate *date)
{
  return g_date_valid (date) && g_date_get_year (date) >= 1 && g_date_get_year (date) <= 9999;
}

/* "+2 months", "-30 days", "start of month". FALSE: not one, or out of range. */
static gboolean
modify_date (GDate *date, const char *modifier)
{
  char *end;
  gint64 n;
  guint magnitude;

  if (g_ascii_strcasecmp (modifier, "start of month") == 0)
    {
      g_date_set_day (date, 1);
      return TRUE;
    }
  if (g_ascii_strcasecmp (modifier, "start of year") == 0)
    {
      g_date_set_day (date, 1);
      g_date_set_month (date, G_DATE_JANUARY);
      return TRUE;
    }
  if (!g_ascii_isdigit (*modifier)
      && !((*modifier == '+' || *modifier == '-') && g_ascii_isdigit (modifier[1])))
    return FALSE;
  n = g_ascii_strtoll (modifier, &end, 10);
  if (*end != ' ' || n > 4000000 || n < -4000000)
    return FALSE;
  end++;
  magnitude = (guint) ABS (n);
  if (g_ascii_strcasecmp (end, "day") == 0 || g_ascii_strcasecmp (end, "days") == 0)
    {
      if (n < 0 && g_date_get_julian (date) <= magnitude)
        return FALSE;
      (n < 0 ? g_date_subtract_days : g_date_add_days) (date, magnitude);
    }
  else
    {
      gint64 months;

      if (g_ascii_strcasecmp (end, "month") == 0 || g_ascii_strcasecmp (end, "months") == 0)
        months = n;
      else if (g_ascii_strcasecmp (end, "year") == 0 || g_ascii_strcasecmp (end, "years") == 0)
        months = n * 12;
      else
        return FALSE;
      months += (gint64) g_date_get_year (date) * 12 + g_date_get_month (date) - 1;
      if (months < 12 || months >= 10000 * 12)
        return FALSE;
      {
        GDateYear year = (GDateYear) (months / 12);
        GDateMonth month = (GDateMonth) (months % 12 + 1);
        GDateDay day = MIN (g_date_get_day (date), g_date_get_days_in_month (month, year));

        g_date_set_dmy (date, day, month, year);
      }
    }
  return date_in_range (date);
}

static Slot
eval_date (Run *run, const Node *node)
{
  GDate date;
  guint ms;

  for (guint i = 0; i < node->n; i++)
    {
      const char *text = as_text (run, eval (run, node->args[i]));

      if (text == NULL || (i == 0 ? !read_date (text, &date, &ms) : !modify_date (&date, text)))
        return null_slot;
    }
  return made_text (run, g_strdup_printf ("%04u-%02u-%02u", (guint) g_date_get_year (&date),
                                          (guint) g_date_get_month (&date),
                                          (guint) g_date_get_day (&date)));
}

static Slot
eval_julianday (Run *run, const Node *node)
{
  const char *text = as_text (run, eval (run, node->args[0]));
  KtExact days, part;
  GDate date;
  guint ms;

  if (text == NULL || !read_date (text, &date, &ms))
    return null_slot;
  /* GDate counts from 0001-01-01 = 1, whose noon is day 1721426 of the astronomers, who begin at noon. */
  days = (KtExact){ (KtInt128) (g_date_get_julian (&date) + 1721424) * 10 + 5, 1 };
  return checked (run,
                  kt_exact_divide (KT_EXACT_INT (ms), KT_EXACT_INT (86400000), &part)
                    && kt_exact_add (days, part, &days),
                  days);
}

/* ---- texts ----------------------------------------------------------- */

static Slot
eval_trim (Run *run, const Node *node)
{
  const char *text = as_text (run, eval (run, node->args[0]));
  const char *set = node->n > 1 ? as_text (run, eval (run, node->args[1])) : " ";
  const char *end;

  if (text == NULL || set == NULL)
    return null_slot;
  end = text + strlen (text);
  if (node->kind != NODE_RTRIM)
    while (text < end && g_utf8_strchr (set, -1, g_utf8_get_char (text)) != NULL)
      text = g_utf8_next_char (text);
  if (node->kind != NODE_LTRIM)
    while (end > text)
      {
        const char *last = g_utf8_prev_char (end);

        if (g_utf8_strchr (set, -1, g_utf8_get_char (last)) == NULL)
          break;
        end = last;
      }
  return made_text (run, g_strndup (text, (gsize) (end - text)));
}

static gboolean
as_small_int (Slot slot, gint64 *out)
{
  gint64 n;

  if (slot.type != TYPE_NUMBER)
    return FALSE;
  if (!kt_exact_to_int64 (kt_exact_truncate (slot.number), 0, &n))
    n = slot.number.m < 0 ? -G_MAXINT32 : G_MAXINT32;
  *out = CLAMP (n, -G_MAXINT32, G_MAXINT32);
  return TRUE;
}

/* As SQLite counts: from 1; negative from the end; a negative length takes what stands before. */
static Slot
eval_substr (Run *run, const Node *node)
{
  const char *text = as_text (run, eval (run, node->args[0]));
  gint64 from = 0, n = G_MAXINT32, len;
  const char *start, *end;

  if (text == NULL || !as_small_int (eval (run, node->args[1]), &from)
      || (node->n > 2 && !as_small_int (eval (run, node->args[2]), &n)))
    return null_slot;
  len = g_utf8_strlen (text, -1);
  if (from < 0)
    {
      from += len;
      if (from < 0)
        {
          n = n < 0 ? 0 : n + from;
          from = 0;
          n = MAX (n, 0);
        }
    }
  else if (from > 0)
    from--;
  else if (n > 0)
    n--;
  if (n < 0)
    {
      n = -n;
      from -= n;
      if (from < 0)
        {
          n += from;
          from = 0;
        }
    }
  if (from >= len || n <= 0)
    return text_slot ("");
  n = MIN (n, len - from);
  start = g_utf8_offset_to_pointer (text, (glong) from);
  end = g_utf8_offset_to_pointer (start, (glong) n);
  return made_text (run, g_strndup (start, (gsize) (end - start)));
}

static Slot
eval_replace (Run *run, const Node *node)
{
  const char *text = as_text (run, eval (run, node->args[0]));
  const char *from = as_text (run, eval (run, node->args[1]));
  const char *to = as_text (run, eval (run, node->args[2]));
  GString *out;
  gsize n_from;

  if (text == NULL || from == NULL || to == NULL)
    return null_slot;
  if (*from == '\0')
    return text_slot (text);
  n_from = strlen (from);
  out = g_string_new (NULL);
  for (const char *hit; (hit = strstr (text, from)) != NULL && out->len <= MAX_TEXT;
       text = hit + n_from)
    {
      g_string_append_len (out, text, hit - text);
      g_string_append (out, to);
    }
  g_string_append (out, text);
  return made_text (run, g_string_free (out, FALSE));
}

static Slot
eval_instr (Run *run, const Node *node)
{
  const char *text = as_text (run, eval (run, node->args[0]));
  const char *needle = as_text (run, eval (run, node->args[1]));
  const char *hit;

  if (text == NULL || needle == NULL)
    return null_slot;
  hit = strstr (text, needle);
  return integer_slot (hit == NULL ? 0 : g_utf8_pointer_to_offset (text, hit) + 1);
}

/* '%' any run, '_' any character, ASCII letters alike. One step back is enough:
 * only the last '%' need ever be tried again. */
static gboolean
like (const char *text, const char *pattern)
{
  const char *retry_text = NULL, *retry_pattern = NULL;

  while (*text != '\0')
    {
      if (*pattern == '%')
        {
          retry_pattern = ++pattern;
          retry_text = text;
        }
      else if (*pattern == '_')
        {
          pattern++;
          text = g_utf8_next_char (text);
        }
      else if (*pattern != '\0' && g_ascii_tolower (*pattern) == g_ascii_tolower (*text))
        {
          pattern++;
          text++;
        }
      else if (retry_pattern != NULL)
        {
          retry_text = g_utf8_next_char (retry_text);
          text = retry_text;
          pattern = retry_pattern;
        }
      else
        return FALSE;
    }
  while (*pattern == '%')
    pattern++;
  return *pattern == '\0';
}

/* ---- the tree -------------------------------------------------------- */

static Slot
eval_arithmetic (Run *run, const Node *node)
{
  Slot a = eval (run, node->args[0]);
  Slot b = eval (run, node->args[1]);
  KtExact out = { 0, 0 };

  if (a.type == TYPE_NULL || b.type == TYPE_NULL)
    return null_slot;
  switch ((int) node->kind)
    {
    case NODE_ADD:
      return checked (run, kt_exact_add (a.number, b.number, &out), out);
    case NODE_SUBTRACT:
      return checked (run, kt_exact_subtract (a.number, b.number, &out), out);
    case NODE_MULTIPLY:
      return checked (run, kt_exact_multiply (a.number, b.number, &out), out);
    case NODE_DIVIDE:
      if (b.number.m == 0)
        return null_slot;
      return checked (run, kt_exact_divide (a.number, b.number, &out), out);
    case NODE_REMAINDER:
      if (b.number.m == 0)
        return null_slot;
      return checked (run, kt_exact_remainder (a.number, b.number, &out), out);
    default:
      g_assert_not_reached ();
    }
}

static Slot
eval_comparison (Run *run, const Node *node)
{
  Slot a = eval (run, node->args[0]);
  Slot b = eval (run, node->args[1]);
  int order;

  if (node->kind == NODE_IS && (a.type == TYPE_NULL || b.type == TYPE_NULL))
    return integer_slot (a.type == b.type);
  if (a.type == TYPE_NULL || b.type == TYPE_NULL)
    return null_slot;
  order = compare (a, b);
  switch ((int) node->kind)
    {
    case NODE_IS:
    case NODE_EQ:
      return integer_slot (order == 0);
    case NODE_NE:
      return integer_slot (order != 0);
    case NODE_LT:
      return integer_slot (order < 0);
    case NODE_LE:
      return integer_slot (order <= 0);
    case NODE_GT:
      return integer_slot (order > 0);
    case NODE_GE:
      return integer_slot (order >= 0);
    default:
      g_assert_not_reached ();
    }
}

/* The second operand of and, or is read only when the first does not decide. */
static Slot
eval_logic (Run *run, const Node *node)
{
  gboolean is_and = node->kind == NODE_AND;
  int decides = is_and ? 0 : 1;
  int a = truth (eval (run, node->args[0]));
  int b;

  if (a == decides)
    return truth_slot (a);
  b = truth (eval (run, node->args[1]));
  if (b == decides)
    return truth_slot (b);
  return truth_slot (a < 0 || b < 0 ? -1 : !decides);
}

static Slot
eval_between (Run *run, const Node *node)
{
  Slot x = eval (run, node->args[0]);
  Slot low = eval (run, node->args[1]);
  Slot high = eval (run, node->args[2]);
  int above, below;

  if (x.type == TYPE_NULL)
    return null_slot;
  above = low.type == TYPE_NULL ? -1 : compare (x, low) >= 0;
  below = high.type == TYPE_NULL ? -1 : compare (x, high) <= 0;
  return truth_slot (above == 0 || below == 0 ? 0 : above < 0 || below < 0 ? -1 : 1);
}

static Slot
eval_in (Run *run, const Node *node)
{
  Slot x = eval (run, node->args[0]);
  gboolean null = FALSE;

  if (node->n == 1)
    return integer_slot (0);
  if (x.type == TYPE_NULL)
    return null_slot;
  for (guint i = 1; i < node->n; i++)
    {
      Slot one = eval (run, node->args[i]);

      if (one.type == TYPE_NULL)
        null = TRUE;
      else if (compare (x, one) == 0)
        return integer_slot (1);
    }
  return truth_slot (null ? -1 : 0);
}

static Slot
eval_case (Run *run, const Node *node)
{
  Slot base = null_slot;
  guint i = 0;

  if (node->kind == NODE_CASE_OF)
    base = eval (run, node->args[i++]);
  for (; i + 1 < node->n; i += 2)
    {
      Slot when = eval (run, node->args[i]);
      gboolean hit;

      if (node->kind == NODE_CASE_OF)
        hit = base.type != TYPE_NULL && when.type != TYPE_NULL && compare (base, when) == 0;
      else
        hit = truth (when) == 1;
      if (hit)
        return eval (run, node->args[i + 1]);
    }
  return i < node->n ? eval (run, node->args[i]) : null_slot;
}

static Slot
eval_extreme (Run *run, const Node *node)
{
  Slot best = null_slot;

  for (guint i = 0; i < node->n; i++)
    {
      Slot one = eval (run, node->args[i]);

      if (one.type == TYPE_NULL)
        return null_slot;
      if (i == 0 || (node->kind == NODE_MAX ? compare (one, best) > 0 : compare (one, best) < 0))
        best = one;
    }
  return best;
}

static Slot
eval_round (Run *run, const Node *node)
{
  Slot x = eval (run, node->args[0]);
  gint64 n = 0;

  if (x.type == TYPE_NULL || (node->n > 1 && !as_small_int (eval (run, node->args[1]), &n)))
    return null_slot;
  return number_slot (kt_exact_round (x.number, (guint) CLAMP (n, 0, KT_EXACT_MAX_SCALE), FALSE));
}

/* What a text begins with as a number; 0 if nothing, as SQL casts. */
static Slot
eval_cast (Run *run, const Node *node)
{
  Slot x = eval (run, node->args[0]);

  if (x.type == TYPE_NULL)
    return null_slot;
  if (node->kind == NODE_CAST_TEXT)
    return text_slot (as_text (run, x));
  if (x.type == TYPE_TEXT)
    {
      const char *text = x.text;
      KtExact number = { 0, 0 };

      while (g_ascii_isspace (*text))
        text++;
      kt_exact_parse (*text == '+' ? text + 1 : text, &number);
      x = number_slot (number);
    }
  return node->kind == NODE_CAST_INTEGER ? number_slot (kt_exact_truncate (x.number)) : x;
}

static Slot
eval_concat (Run *run, const Node *node)
{
  const char *a = as_text (run, eval (run, node->args[0]));
  const char *b = as_text (run, eval (run, node->args[1]));

  return a == NULL || b == NULL ? null_slot : made_text (run, g_strconcat (a, b, NULL));
}

static Slot
eval (Run *run, const Node *node)
{
  const KtValue *value;
  const char *text, *other;
  Slot x, y;

  if (run->problem != NULL)
    return null_slot;
  switch (node->kind)
    {
    case NODE_NULL:
      return null_slot;
    case NODE_NUMBER:
      return number_slot (node->number);
    case NODE_TEXT:
      return text_slot (node->text);
    case NODE_FIELD:
      return field_slot (run, node);
    case NODE_CURRENCY:
      value = &run->record->values[node->field->index];
      return value->type == KT_VALUE_MONEY && value->currency[0] != '\0'
               ? text_slot (value->currency)
               : null_slot;
    case NODE_OBJECT:
      value = &run->record->values[node->field->index];
      return value->type == KT_VALUE_ANY ? text_slot (value->v.ref.object) : null_slot;
    case NODE_TODAY:
      return run->today != NULL ? text_slot (run->today) : null_slot;
    case NODE_NEGATE:
      x = eval (run, node->args[0]);
      x.number.m = -x.number.m;
      return x;
    case NODE_NOT:
      {
        int t = truth (eval (run, node->args[0]));

        return truth_slot (t < 0 ? -1 : !t);
      }
    case NODE_AND:
    case NODE_OR:
      return eval_logic (run, node);
    case NODE_EQ:
    case NODE_NE:
    case NODE_LT:
    case NODE_LE:
    case NODE_GT:
    case NODE_GE:
    case NODE_IS:
      return eval_comparison (run, node);
    case NODE_BETWEEN:
      return eval_between (run, node);
    case NODE_IN:
      return eval_in (run, node);
    case NODE_LIKE:
      text = as_text (run, eval (run, node->args[0]));
      other = as_text (run, eval (run, node->args[1]));
      return text == NULL || other == NULL ? null_slot : integer_slot (like (text, other));
    case NODE_CONCAT:
      return eval_concat (run, node);
    case NODE_ADD:
    case NODE_SUBTRACT:
    case NODE_MULTIPLY:
    case NODE_DIVIDE:
    case NODE_REMAINDER:
      return eval_arithmetic (run, node);
    case NODE_CASE:
    case NODE_CASE_OF:
      return eval_case (run, node);
    case NODE_CAST_INTEGER:
    case NODE_CAST_NUMERIC:
    case NODE_CAST_TEXT:
      return eval_cast (run, node);
    case NODE_ABS:
      x = eval (run, node->args[0]);
      if (x.number.m < 0)
        x.number.m = -x.number.m;
      return x;
    case NODE_SIGN:
      x = eval (run, node->args[0]);
      return x.type == TYPE_NULL ? null_slot : integer_slot (x.number.m < 0 ? -1 : x.number.m > 0);
    case NODE_COALESCE:
      for (guint i = 0; i < node->n; i++)
        {
          x = eval (run, node->args[i]);
          if (x.type != TYPE_NULL)
            return x;
        }
      return null_slot;
    case NODE_NULLIF:
      x = eval (run, node->args[0]);
      y = eval (run, node->args[1]);
      return x.type != TYPE_NULL && y.type != TYPE_NULL && compare (x, y) == 0 ? null_slot : x;
    case NODE_IIF:
      return eval (run, node->args[truth (eval (run, node->args[0])) == 1 ? 1 : 2]);
    case NODE_MAX:
    case NODE_MIN:
      return eval_extreme (run, node);
    case NODE_ROUND:
      return eval_round (run, node);
    case NODE_DATE:
      return eval_date (run, node);
    case NODE_JULIANDAY:
      return eval_julianday (run, node);
    case NODE_INSTR:
      return eval_instr (run, node);
    case NODE_LENGTH:
      text = as_text (run, eval (run, node->args[0]));
      return text == NULL ? null_slot : integer_slot (g_utf8_strlen (text, -1));
    case NODE_LOWER:
      text = as_text (run, eval (run, node->args[0]));
      return text == NULL ? null_slot : made_text (run, g_ascii_strdown (text, -1));
    case NODE_UPPER:
      text = as_text (run, eval (run, node->args[0]));
      return text == NULL ? null_slot : made_text (run, g_ascii_strup (text, -1));
    case NODE_TRIM:
    case NODE_LTRIM:
    case NODE_RTRIM:
      return eval_trim (run, node);
    case NODE_SUBSTR:
      return eval_substr (run, node);
    case NODE_REPLACE:
      return eval_replace (run, node);
    default:
      g_assert_not_reached ();
    }
}

/* ---- results --------------------------------------------------------- */

/* The currency of the money that went in; FALSE when there is none, or two. */
static gboolean
common_currency (const KtExpression *expression, const KtRecord *record, char currency[4])
{
  currency[0] = '\0';
  for (guint i = 0; i < expression->fields->len; i++)
    {
      const KtField *field = g_ptr_array_index (expression->fields, i);
      const KtValue *value = &record->values[field->index];

      if (value->type != KT_VALUE_MONEY || value->currency[0] == '\0')
        continue;
      if (currency[0] == '\0')
        memcpy (currency, value->currency, 4);
      else if (memcmp (currency, value->currency, 4) != 0)
        return FALSE;
    }
  return currency[0] != '\0';
}

static gboolean
store_number (const KtExpression *expression,
              const KtRecord *record,
              const KtField *target,
              KtExact number,
              KtValue *out,
              GError **error)
{
  guint scale = target->storage == KT_VALUE_MONEY     ? KT_MONEY_SCALE
                : target->storage == KT_VALUE_DECIMAL ? target->scale
                                                      : 0;
  char currency[4] = "";
  gint64 n;

  if (target->storage == KT_VALUE_BOOL)
    {
      kt_value_set_bool (out, number.m != 0);
      return TRUE;
    }
  if (!kt_exact_to_int64 (number, scale, &n) || n > KT_DECIMAL_MAX
      || n < -KT_DECIMAL_MAX)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "The result for “%s” is too large",
                   target->name);
      return FALSE;
    }
  if (target->storage == KT_VALUE_MONEY && !common_currency (expression, record, currency))
    return TRUE;
  out->type = (guint8) target->storage;
  out->scale = (guint8) scale;
  out->v.integer = n;
  memcpy (out->currency, currency, sizeof currency);
  return TRUE;
}

gboolean
kt_expression_evaluate (const KtExpression *expression,
                        const KtRecord *record,
                        const char *today,
                        const KtField *target,
                        KtValue *out,
                        GError **error)
{
  Run run = { record, today, NULL, NULL };
  g_autoptr (GPtrArray) arena = NULL;
  g_auto (KtValue) result = KT_VALUE_INIT;
  Slot slot;

  g_return_val_if_fail (expression != NULL, FALSE);
  g_return_val_if_fail (record != NULL && record->object == expression->object, FALSE);
  g_return_val_if_fail (target != NULL, FALSE);
  g_return_val_if_fail (out != NULL, FALSE);

  slot = eval (&run, expression->root);
  arena = run.arena;
  if (run.problem != NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "“%s” cannot be computed: it comes to %s",
                   target->name, run.problem);
      return FALSE;
    }
  switch (slot.type)
    {
    case TYPE_NUMBER:
      if (target->storage == KT_VALUE_TEXT)
        {
          char text[KT_EXACT_TEXT_SIZE];

          kt_exact_format (slot.number, text);
          if (!kt_value_parse (target, text, "en", NULL, &result, error))
            return FALSE;
        }
      else if (!store_number (expression, record, target, slot.number, &result, error))
        return FALSE;
      break;
    case TYPE_TEXT:
      if (*slot.text != '\0' && !kt_value_parse (target, slot.text, "en", NULL, &result, error))
        return FALSE;
      break;
    case TYPE_NULL:
    default:
      break;
    }
  kt_value_move (&result, out);
  return TRUE;
}

gboolean
kt_expression_test (const KtExpression *expression,
                    const KtRecord *record,
                    const char *today,
                    gboolean *holds,
                    GError **error)
{
  Run run = { record, today, NULL, NULL };
  g_autoptr (GPtrArray) arena = NULL;
  Slot slot;

  g_return_val_if_fail (expression != NULL, FALSE);
  g_return_val_if_fail (record != NULL && record->object == expression->object, FALSE);
  g_return_val_if_fail (holds != NULL, FALSE);

  if (expression->root->type == TYPE_TEXT)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "The expression gives a text, not a condition");
      return FALSE;
    }
  slot = eval (&run, expression->root);
  arena = run.arena;
  if (run.problem != NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT,
                   "The condition cannot be computed: it comes to %s", run.problem);
      return FALSE;
    }
  *holds = truth (slot) == 1;
  return TRUE;
}

gboolean
kt_expression_uses (const KtExpression *expression, const KtField *field)
{
  g_return_val_if_fail (expression != NULL, FALSE);
  return g_ptr_array_find (expression->fields, field, NULL);
}

gboolean
kt_expression_uses_today (const KtExpression *expression)
{
  g_return_val_if_fail (expression != NULL, FALSE);
  return expression->today;
}

gboolean
kt_expression_check_target (const KtExpression *expression, const KtField *target, GError **error)
{
  NodeType type;

  g_return_val_if_fail (expression != NULL, FALSE);
  g_return_val_if_fail (target != NULL, FALSE);

  type = expression->root->type;
  switch (target->storage)
    {
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
      if (type != TYPE_TEXT)
        return TRUE;
      break;
    case KT_VALUE_TEXT:
      if (type != TYPE_NUMBER
          || (target->type != KT_FIELD_DATE && target->type != KT_FIELD_DATE_TIME))
        return TRUE;
      break;
    case KT_VALUE_ID:
      if (type != TYPE_NUMBER)
        return TRUE;
      break;
    case KT_VALUE_NULL:
    case KT_VALUE_ANY:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
    default:
      break;
    }
  g_set_error (
    error, KT_ERROR, KT_ERROR_INVALID, "The expression gives %s, but “%s” is a field of type %s",
    type == TYPE_TEXT ? "a text" : "a number", target->name, kt_field_type_word (target->type));
  return FALSE;
}
