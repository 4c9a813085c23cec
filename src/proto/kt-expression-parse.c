/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "proto/kt-expression-private.h"

#include <stdarg.h>
#include <string.h>

#include "base/kt-error.h"
#include "base/kt-text.h"

/* Operator precedence as in SQL, from weak to strong:
 *
 *   or · and · not · = <> is in like between · < <= > >= · + - · * / % · || · sign
 *
 * Types are checked while the tree is built, so that the evaluator meets no surprise. */

#define MAX_DEPTH 48
#define MAX_ARGS 256

enum
{
  LEVEL_OR,
  LEVEL_AND,
  LEVEL_NOT,
  LEVEL_EQUAL,
  LEVEL_ORDER,
  LEVEL_SUM,
  LEVEL_PRODUCT,
  LEVEL_CONCAT,
};

typedef enum
{
  TOKEN_END,
  TOKEN_NUMBER,
  TOKEN_TEXT,
  TOKEN_NAME,
  TOKEN_SIGN,
  TOKEN_BAD,
} TokenType;

typedef struct
{
  KtExpression *expression;
  const char *at;
  const char *start;
  TokenType type;
  GString *text; /* of TEXT, NAME, SIGN */
  KtExact number;
  gboolean quoted; /* NAME in "…" */
  guint depth;
  GError **error;
} Parser;

typedef enum
{
  ARGS_NUMBER,      /* numbers give a number */
  ARGS_TEXT,        /* texts (numbers are written out) give a text */
  ARGS_TEXT_NUMBER, /* texts give a number */
  ARGS_SAME,        /* all of one type, which is the result's */
  ARGS_IIF,
  ARGS_SUBSTR,
} ArgTypes;

static const struct
{
  const char *name;
  NodeKind kind;
  guint min, max;
  ArgTypes types;
} functions[] = {
  { "abs", NODE_ABS, 1, 1, ARGS_NUMBER },
  { "coalesce", NODE_COALESCE, 2, MAX_ARGS, ARGS_SAME },
  { "date", NODE_DATE, 1, 8, ARGS_TEXT },
  { "ifnull", NODE_COALESCE, 2, 2, ARGS_SAME },
  { "iif", NODE_IIF, 3, 3, ARGS_IIF },
  { "instr", NODE_INSTR, 2, 2, ARGS_TEXT_NUMBER },
  { "julianday", NODE_JULIANDAY, 1, 1, ARGS_TEXT_NUMBER },
  { "length", NODE_LENGTH, 1, 1, ARGS_TEXT_NUMBER },
  { "lower", NODE_LOWER, 1, 1, ARGS_TEXT },
  { "ltrim", NODE_LTRIM, 1, 2, ARGS_TEXT },
  { "max", NODE_MAX, 2, MAX_ARGS, ARGS_SAME },
  { "min", NODE_MIN, 2, MAX_ARGS, ARGS_SAME },
  { "nullif", NODE_NULLIF, 2, 2, ARGS_SAME },
  { "replace", NODE_REPLACE, 3, 3, ARGS_TEXT },
  { "round", NODE_ROUND, 1, 2, ARGS_NUMBER },
  { "rtrim", NODE_RTRIM, 1, 2, ARGS_TEXT },
  { "sign", NODE_SIGN, 1, 1, ARGS_NUMBER },
  { "substr", NODE_SUBSTR, 2, 3, ARGS_SUBSTR },
  { "substring", NODE_SUBSTR, 2, 3, ARGS_SUBSTR },
  { "trim", NODE_TRIM, 1, 2, ARGS_TEXT },
  { "upper", NODE_UPPER, 1, 1, ARGS_TEXT },
};

static const struct
{
  const char *sign;
  NodeKind kind;
  int level;
} operators[] = {
  { "or", NODE_OR, LEVEL_OR },         { "and", NODE_AND, LEVEL_AND },
  { "=", NODE_EQ, LEVEL_EQUAL },       { "==", NODE_EQ, LEVEL_EQUAL },
  { "<>", NODE_NE, LEVEL_EQUAL },      { "!=", NODE_NE, LEVEL_EQUAL },
  { "is", NODE_IS, LEVEL_EQUAL },      { "in", NODE_IN, LEVEL_EQUAL },
  { "like", NODE_LIKE, LEVEL_EQUAL },  { "between", NODE_BETWEEN, LEVEL_EQUAL },
  { "not", NODE_NOT, LEVEL_EQUAL },    { "<", NODE_LT, LEVEL_ORDER },
  { "<=", NODE_LE, LEVEL_ORDER },      { ">", NODE_GT, LEVEL_ORDER },
  { ">=", NODE_GE, LEVEL_ORDER },      { "+", NODE_ADD, LEVEL_SUM },
  { "-", NODE_SUBTRACT, LEVEL_SUM },   { "*", NODE_MULTIPLY, LEVEL_PRODUCT },
  { "/", NODE_DIVIDE, LEVEL_PRODUCT }, { "%", NODE_REMAINDER, LEVEL_PRODUCT },
  { "||", NODE_CONCAT, LEVEL_CONCAT },
};

static Node *parse (Parser *p, int level);

/* ---- nodes ----------------------------------------------------------- */

static void
node_free (Node *node)
{
  if (node == NULL)
    return;
  for (guint i = 0; i < node->n; i++)
    node_free (node->args[i]);
  g_free (node->args);
  g_free (node->text);
  g_free (node);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Node, node_free)

static Node *
node_new (NodeKind kind, NodeType type)
{
  Node *node = g_new0 (Node, 1);

  node->kind = kind;
  node->type = type;
  return node;
}

static void
node_add (Node *node, Node *arg)
{
  node->args = g_renew (Node *, node->args, node->n + 1);
  node->args[node->n++] = arg;
}

static Node *
node_new_with (NodeKind kind, NodeType type, Node *a, Node *b)
{
  Node *node = node_new (kind, type);

  node_add (node, a);
  if (b != NULL)
    node_add (node, b);
  return node;
}

/* ---- messages -------------------------------------------------------- */

static Node *fail_at (Parser *p, const char *start, const char *format, ...) G_GNUC_PRINTF (3, 4);

static Node *
fail_at (Parser *p, const char *start, const char *format, ...)
{
  g_autofree char *message = NULL;
  g_autofree char *shown = NULL;
  g_autofree char *place = g_utf8_substring (start, 0, MIN (g_utf8_strlen (start, -1), 24));
  va_list args;

  if (p->error != NULL && *p->error != NULL)
    return NULL;
  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  shown = kt_error_excerpt (message, KT_ERROR_SENTENCE);
  if (*place == '\0')
    g_set_error (p->error, KT_ERROR, KT_ERROR_INVALID, "At the end of the expression: %s", shown);
  else
    g_set_error (p->error, KT_ERROR, KT_ERROR_INVALID, "Near “%s”: %s", place, shown);
  return NULL;
}

static Node *
expected (Parser *p, const char *what)
{
  if (p->type == TOKEN_BAD && (*p->start == '\'' || *p->start == '"'))
    return fail_at (p, p->start, "the quote is never closed");
  if (p->type == TOKEN_BAD && g_ascii_isdigit (*p->start))
    return fail_at (p, p->start, "a number of more than 37 digits, or not a number");
  return fail_at (p, p->start, "expected %s", what);
}

/* ---- tokens ---------------------------------------------------------- */

static void
next_token (Parser *p)
{
  static const char *const signs[] = { "<>", "<=", ">=", "==", "!=", "||", "(", ")", ",",
                                       "=",  "<",  ">",  "+",  "-",  "*",  "/", "%", "." };

  g_string_truncate (p->text, 0);
  p->quoted = FALSE;
  while (*p->at == ' ' || (*p->at >= '\t' && *p->at <= '\r'))
    p->at++;
  p->start = p->at;
  p->type = TOKEN_BAD;
  if (*p->at == '\0')
    p->type = TOKEN_END;
  else if (*p->at == '\'' || *p->at == '"')
    {
      char quote = *p->at++;

      for (; *p->at != '\0' && (*p->at != quote || p->at[1] == quote); p->at++)
        {
          g_string_append_c (p->text, *p->at);
          if (*p->at == quote)
            p->at++;
        }
      if (*p->at == '\0')
        return;
      p->at++;
      p->quoted = quote == '"';
      p->type = p->quoted ? TOKEN_NAME : TOKEN_TEXT;
    }
  else if (g_ascii_isdigit (*p->at) || (*p->at == '.' && g_ascii_isdigit (p->at[1])))
    {
      gsize n = kt_exact_parse (p->at, &p->number);

      if (n == 0 || g_ascii_isalnum (p->at[n]) || p->at[n] == '_' || p->at[n] == '.')
        {
          p->at++;
          return;
        }
      p->at += n;
      p->type = TOKEN_NUMBER;
    }
  else if (g_ascii_isalpha (*p->at) || *p->at == '_')
    {
      while (g_ascii_isalnum (*p->at) || *p->at == '_')
        g_string_append_c (p->text, *p->at++);
      p->type = TOKEN_NAME;
    }
  else
    {
      for (guint i = 0; i < G_N_ELEMENTS (signs); i++)
        if (g_str_has_prefix (p->at, signs[i]))
          {
            g_string_append (p->text, signs[i]);
            p->at += strlen (signs[i]);
            p->type = TOKEN_SIGN;
            return;
          }
      p->at++;
    }
}

static gboolean
is_sign (const Parser *p, const char *sign)
{
  return p->type == TOKEN_SIGN && strcmp (p->text->str, sign) == 0;
}

static gboolean
is_word (const Parser *p, const char *word)
{
  return p->type == TOKEN_NAME && !p->quoted && g_ascii_strcasecmp (p->text->str, word) == 0;
}

static gboolean
take_word (Parser *p, const char *word)
{
  if (!is_word (p, word))
    return FALSE;
  next_token (p);
  return TRUE;
}

static gboolean
take_sign (Parser *p, const char *sign)
{
  if (!is_sign (p, sign))
    return FALSE;
  next_token (p);
  return TRUE;
}

/* ---- types ----------------------------------------------------------- */

static const char *
type_word (NodeType type)
{
  return type == TYPE_TEXT ? "a text" : "a number";
}

static gboolean
want_number (Parser *p, const char *start, const Node *node)
{
  if (node->type != TYPE_TEXT)
    return TRUE;
  fail_at (p, start, "this needs a number, but it is a text; cast (… as numeric) reads one");
  return FALSE;
}

static gboolean
want_condition (Parser *p, const char *start, const Node *node)
{
  if (node->type != TYPE_TEXT)
    return TRUE;
  fail_at (p, start, "this needs a condition, but it is a text");
  return FALSE;
}

/* Joins the types of values that stand for one another. */
static gboolean
unify (Parser *p, const char *start, NodeType *type, const Node *node)
{
  if (node->type == TYPE_NULL)
    return TRUE;
  if (*type == TYPE_NULL)
    *type = node->type;
  else if (*type != node->type)
    {
      fail_at (p, start, "%s and %s do not go together", type_word (*type), type_word (node->type));
      return FALSE;
    }
  return TRUE;
}

/* ---- fields ---------------------------------------------------------- */

static NodeType
field_type (const KtField *field)
{
  switch (field->storage)
    {
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
      return TYPE_NUMBER;
    case KT_VALUE_NULL:
    case KT_VALUE_TEXT:
    case KT_VALUE_ID:
    case KT_VALUE_ANY:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
    default:
      return TYPE_TEXT;
    }
}

/* "amount_currency", "parent_object": the second column of a field. */
static const KtField *
second_column (const KtObject *object, const char *name, const char *suffix, KtValueType storage)
{
  g_autofree char *first = NULL;
  const KtField *field;

  if (!g_str_has_suffix (name, suffix))
    return NULL;
  first = g_strndup (name, strlen (name) - strlen (suffix));
  field = kt_object_field (object, first);
  return field != NULL && field->storage == storage ? field : NULL;
}

static Node *
parse_field (Parser *p, const char *name, const char *start)
{
  const KtObject *object = p->expression->object;
  const KtField *field = kt_object_field (object, name);
  NodeKind kind = NODE_FIELD;
  Node *node;

  if (field == NULL)
    {
      field = second_column (object, name, "_currency", KT_VALUE_MONEY);
      kind = NODE_CURRENCY;
    }
  if (field == NULL)
    {
      field = second_column (object, name, "_object", KT_VALUE_ANY);
      kind = NODE_OBJECT;
    }
  if (field == NULL)
    {
      const char *best = NULL;
      guint best_distance = 4;

      for (guint i = 0; i < object->n_fields; i++)
        {
          guint distance = kt_text_distance (name, object->fields[i]->name, 3);

          if (distance < best_distance && distance * 2 < strlen (object->fields[i]->name) + 1)
            {
              best = object->fields[i]->name;
              best_distance = distance;
            }
        }
      if (best != NULL)
        return fail_at (p, start, "no field “%s” in %s; did you mean “%s”?", name, object->name,
                        best);
      if (strcmp (name, "now") == 0 || g_str_has_prefix (name, "current_"))
        return fail_at (p, start, "the clock is not asked; conditions may use “today”");
      return fail_at (p, start, "no field “%s” in %s", name, object->name);
    }
  if (!g_ptr_array_find (p->expression->fields, field, NULL))
    g_ptr_array_add (p->expression->fields, (gpointer) field);
  node = node_new (kind, kind == NODE_FIELD ? field_type (field) : TYPE_TEXT);
  node->field = field;
  return node;
}

/* ---- functions, case, cast ------------------------------------------- */

static Node *
check_call (Parser *p, const char *start, guint index, Node *call)
{
  g_autoptr (Node) node = call;
  NodeType type = TYPE_NULL;

  if (node->n < functions[index].min || node->n > functions[index].max)
    {
      if (functions[index].min == functions[index].max)
        return fail_at (p, start, "%s takes %u values, not %u", functions[index].name,
                        functions[index].min, node->n);
      return fail_at (p, start, "%s cannot take %u values", functions[index].name, node->n);
    }
  for (guint i = 0; i < node->n; i++)
    {
      const Node *arg = node->args[i];

      switch (functions[index].types)
        {
        case ARGS_NUMBER:
          if (!want_number (p, start, arg))
            return NULL;
          break;
        case ARGS_SAME:
          if (!unify (p, start, &type, arg))
            return NULL;
          break;
        case ARGS_IIF:
          if (i == 0 ? !want_condition (p, start, arg) : !unify (p, start, &type, arg))
            return NULL;
          break;
        case ARGS_SUBSTR:
          if (i > 0 && !want_number (p, start, arg))
            return NULL;
          break;
        case ARGS_TEXT:
        case ARGS_TEXT_NUMBER:
        default:
          break;
        }
    }
  if ((node->kind == NODE_DATE || node->kind == NODE_JULIANDAY)
      && (node->args[0]->type == TYPE_NUMBER
          || (node->args[0]->kind == NODE_TEXT
              && g_ascii_strcasecmp (node->args[0]->text, "now") == 0)))
    return fail_at (p, start,
                    "%s needs a date; the clock is not asked, but conditions may use “today”",
                    functions[index].name);
  switch (functions[index].types)
    {
    case ARGS_NUMBER:
    case ARGS_TEXT_NUMBER:
      node->type = TYPE_NUMBER;
      break;
    case ARGS_TEXT:
    case ARGS_SUBSTR:
      node->type = TYPE_TEXT;
      break;
    case ARGS_SAME:
    case ARGS_IIF:
    default:
      node->type = type;
      break;
    }
  return g_steal_pointer (&node);
}

/* Behind the opening parenthesis. */
static gboolean
parse_list (Parser *p, Node *into)
{
  if (take_sign (p, ")"))
    return TRUE;
  do
    {
      Node *arg = parse (p, LEVEL_OR);

      if (arg == NULL)
        return FALSE;
      node_add (into, arg);
      if (into->n > MAX_ARGS)
        {
          fail_at (p, p->start, "more than %d values", MAX_ARGS);
          return FALSE;
        }
    }
  while (take_sign (p, ","));
  if (!take_sign (p, ")"))
    {
      expected (p, "“,” or “)”");
      return FALSE;
    }
  return TRUE;
}

static Node *
parse_call (Parser *p, const char *name, const char *start)
{
  const char *best = NULL;
  guint best_distance = 3;

  for (guint i = 0; i < G_N_ELEMENTS (functions); i++)
    {
      guint distance;

      if (g_ascii_strcasecmp (functions[i].name, name) == 0)
        {
          g_autoptr (Node) node = node_new (functions[i].kind, TYPE_NULL);

          if (!parse_list (p, node))
            return NULL;
          return check_call (p, start, i, g_steal_pointer (&node));
        }
      distance = kt_text_distance (name, functions[i].name, 2);
      if (distance < best_distance)
        {
          best = functions[i].name;
          best_distance = distance;
        }
    }
  if (g_ascii_strcasecmp (name, "random") == 0 || g_ascii_strcasecmp (name, "randomblob") == 0)
    return fail_at (p, start, "chance has no place here: equal records give equal results");
  if (g_ascii_strcasecmp (name, "now") == 0 || g_ascii_strcasecmp (name, "datetime") == 0)
    return fail_at (p, start, "the clock is not asked; use date (…), and in conditions “today”");
  if (best != NULL)
    return fail_at (p, start, "no function “%s”; did you mean “%s”?", name, best);
  return fail_at (p, start, "no function “%s”", name);
}

static Node *
parse_case (Parser *p, const char *start)
{
  g_autoptr (Node) node = node_new (NODE_CASE, TYPE_NULL);
  NodeType type = TYPE_NULL, compared = TYPE_NULL;

  if (!is_word (p, "when"))
    {
      Node *base = parse (p, LEVEL_OR);

      if (base == NULL)
        return NULL;
      node->kind = NODE_CASE_OF;
      node_add (node, base);
      unify (p, start, &compared, base);
    }
  if (!is_word (p, "when"))
    return expected (p, "“when”");
  while (is_word (p, "when"))
    {
      Node *arg;
      const char *place;

      next_token (p);
      place = p->start;
      arg = parse (p, LEVEL_OR);
      if (arg == NULL)
        return NULL;
      node_add (node, arg);
      if (node->kind == NODE_CASE_OF ? !unify (p, place, &compared, arg)
                                     : !want_condition (p, place, arg))
        return NULL;
      if (!take_word (p, "then"))
        return expected (p, "“then”");
      place = p->start;
      arg = parse (p, LEVEL_OR);
      if (arg == NULL)
        return NULL;
      node_add (node, arg);
      if (!unify (p, place, &type, arg))
        return NULL;
      if (node->n > MAX_ARGS)
        return fail_at (p, start, "too many cases");
    }
  if (take_word (p, "else"))
    {
      const char *place = p->start;
      Node *other = parse (p, LEVEL_OR);

      if (other == NULL)
        return NULL;
      node_add (node, other);
      if (!unify (p, place, &type, other))
        return NULL;
    }
  if (!take_word (p, "end"))
    return expected (p, "“when”, “else” or “end”");
  node->type = type;
  return g_steal_pointer (&node);
}

static Node *
parse_cast (Parser *p)
{
  g_autoptr (Node) inner = NULL;
  NodeKind kind;

  if (!take_sign (p, "("))
    return expected (p, "“(”");
  inner = parse (p, LEVEL_OR);
  if (inner == NULL)
    return NULL;
  if (!take_word (p, "as"))
    return expected (p, "“as”");
  if (is_word (p, "integer") || is_word (p, "int"))
    kind = NODE_CAST_INTEGER;
  else if (is_word (p, "numeric") || is_word (p, "decimal") || is_word (p, "real"))
    kind = NODE_CAST_NUMERIC;
  else if (is_word (p, "text"))
    kind = NODE_CAST_TEXT;
  else
    return expected (p, "integer, numeric or text");
  next_token (p);
  if (!take_sign (p, ")"))
    return expected (p, "“)”");
  return node_new_with (kind, kind == NODE_CAST_TEXT ? TYPE_TEXT : TYPE_NUMBER,
                        g_steal_pointer (&inner), NULL);
}

/* ---- expressions ----------------------------------------------------- */

static Node *
parse_name (Parser *p)
{
  static const char *const refused[] = { "select", "exists",  "glob", "match",
                                         "regexp", "collate", "raise" };
  g_autofree char *name = g_strdup (p->text->str);
  const char *start = p->start;
  gboolean quoted = p->quoted;
  Node *node;

  next_token (p);
  if (!quoted)
    {
      if (g_ascii_strcasecmp (name, "case") == 0)
        return parse_case (p, start);
      if (g_ascii_strcasecmp (name, "cast") == 0)
        return parse_cast (p);
      if (take_sign (p, "("))
        return parse_call (p, name, start);
      for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
        if (g_ascii_strcasecmp (name, refused[i]) == 0)
          return fail_at (p, start, "there is no “%s” here", refused[i]);
    }
  if (is_sign (p, "."))
    return fail_at (p, start, "only fields of the record itself can be used");
  if (!quoted && kt_object_field (p->expression->object, name) == NULL)
    {
      if (g_ascii_strcasecmp (name, "null") == 0)
        return node_new (NODE_NULL, TYPE_NULL);
      if (g_ascii_strcasecmp (name, "true") == 0 || g_ascii_strcasecmp (name, "false") == 0)
        {
          node = node_new (NODE_NUMBER, TYPE_NUMBER);
          node->number = KT_EXACT_INT (g_ascii_tolower (*name) == 't');
          return node;
        }
      if (g_ascii_strcasecmp (name, "today") == 0)
        {
          p->expression->today = TRUE;
          return node_new (NODE_TODAY, TYPE_TEXT);
        }
    }
  return parse_field (p, name, start);
}

static Node *
parse_primary (Parser *p)
{
  const char *start = p->start;
  Node *node;

  switch (p->type)
    {
    case TOKEN_NUMBER:
      node = node_new (NODE_NUMBER, TYPE_NUMBER);
      node->number = p->number;
      next_token (p);
      return node;
    case TOKEN_TEXT:
      node = node_new (NODE_TEXT, TYPE_TEXT);
      node->text = g_strdup (p->text->str);
      next_token (p);
      return node;
    case TOKEN_NAME:
      return parse_name (p);
    case TOKEN_SIGN:
      if (take_sign (p, "("))
        {
          g_autoptr (Node) inner = parse (p, LEVEL_OR);

          if (inner == NULL)
            return NULL;
          if (!take_sign (p, ")"))
            return expected (p, "an operator or “)”");
          return g_steal_pointer (&inner);
        }
      if (is_sign (p, "-") || is_sign (p, "+"))
        {
          gboolean negate = is_sign (p, "-");
          g_autoptr (Node) inner = NULL;

          next_token (p);
          if (++p->depth > MAX_DEPTH)
            return fail_at (p, start, "too many levels");
          inner = parse_primary (p);
          p->depth--;
          if (inner == NULL || !want_number (p, start, inner))
            return NULL;
          return negate ? node_new_with (NODE_NEGATE, TYPE_NUMBER, g_steal_pointer (&inner), NULL)
                        : g_steal_pointer (&inner);
        }
      return expected (p, "a value");
    case TOKEN_END:
    case TOKEN_BAD:
    default:
      return expected (p, "a value");
    }
}

static Node *
negate_if (gboolean negated, Node *node)
{
  return negated && node != NULL ? node_new_with (NODE_NOT, TYPE_NUMBER, node, NULL) : node;
}

/* Behind the operator; takes @left. */
static Node *
parse_right (Parser *p, Node *left_node, NodeKind kind, int level, const char *start)
{
  g_autoptr (Node) left = left_node;
  g_autoptr (Node) right = NULL;
  gboolean negated = FALSE;
  NodeType type = TYPE_NULL;

  if (kind == NODE_NOT)
    {
      negated = TRUE;
      if (take_word (p, "null"))
        return negate_if (TRUE, node_new_with (NODE_IS, TYPE_NUMBER, g_steal_pointer (&left),
                                               node_new (NODE_NULL, TYPE_NULL)));
      if (take_word (p, "in"))
        kind = NODE_IN;
      else if (take_word (p, "like"))
        kind = NODE_LIKE;
      else if (take_word (p, "between"))
        kind = NODE_BETWEEN;
      else
        return expected (p, "“in”, “like” or “between” behind “not”");
    }

  if (kind == NODE_IN)
    {
      g_autoptr (Node) node = node_new (NODE_IN, TYPE_NUMBER);

      if (!unify (p, start, &type, left))
        return NULL;
      node_add (node, g_steal_pointer (&left));
      if (!take_sign (p, "("))
        return expected (p, "a list: in (…, …)");
      if (!parse_list (p, node))
        return NULL;
      for (guint i = 1; i < node->n; i++)
        if (!unify (p, start, &type, node->args[i]))
          return NULL;
      return negate_if (negated, g_steal_pointer (&node));
    }
  if (kind == NODE_IS)
    {
      negated = take_word (p, "not");
      right = parse (p, level + 1);
      if (right == NULL)
        return NULL;
      if (!unify (p, start, &type, left) || !unify (p, start, &type, right))
        return NULL;
      return negate_if (negated, node_new_with (NODE_IS, TYPE_NUMBER, g_steal_pointer (&left),
                                                g_steal_pointer (&right)));
    }

  right = parse (p, level + 1);
  if (right == NULL)
    return NULL;
  switch (kind)
    {
    case NODE_OR:
    case NODE_AND:
      if (!want_condition (p, start, left) || !want_condition (p, start, right))
        return NULL;
      break;
    case NODE_ADD:
    case NODE_SUBTRACT:
    case NODE_MULTIPLY:
    case NODE_DIVIDE:
    case NODE_REMAINDER:
      if (!want_number (p, start, left) || !want_number (p, start, right))
        return NULL;
      break;
    case NODE_CONCAT:
      return node_new_with (kind, TYPE_TEXT, g_steal_pointer (&left), g_steal_pointer (&right));
    case NODE_LIKE:
      break;
    default:
      if (!unify (p, start, &type, left) || !unify (p, start, &type, right))
        return NULL;
      break;
    }
  if (kind == NODE_BETWEEN)
    {
      g_autoptr (Node) upper = NULL;
      Node *node;

      if (!take_word (p, "and"))
        return expected (p, "“and”");
      upper = parse (p, level + 1);
      if (upper == NULL || !unify (p, start, &type, upper))
        return NULL;
      node = node_new_with (kind, TYPE_NUMBER, g_steal_pointer (&left), g_steal_pointer (&right));
      node_add (node, g_steal_pointer (&upper));
      return negate_if (negated, node);
    }
  return negate_if (
    negated, node_new_with (kind, TYPE_NUMBER, g_steal_pointer (&left), g_steal_pointer (&right)));
}

static gboolean
find_operator (const Parser *p, guint *index)
{
  if ((p->type != TOKEN_SIGN && p->type != TOKEN_NAME) || p->quoted)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (operators); i++)
    if (g_ascii_strcasecmp (p->text->str, operators[i].sign) == 0)
      {
        *index = i;
        return TRUE;
      }
  return FALSE;
}

/* Operators of at least @level. NULL: the error is set. */
static Node *
parse (Parser *p, int level)
{
  g_autoptr (Node) left = NULL;
  const char *start = p->start;

  if (++p->depth > MAX_DEPTH)
    return fail_at (p, start, "too many levels");
  if (level <= LEVEL_NOT && is_word (p, "not")
      && kt_object_field (p->expression->object, "not") == NULL)
    {
      next_token (p);
      left = parse (p, LEVEL_NOT);
      if (left == NULL || !want_condition (p, start, left))
        return NULL;
      left = node_new_with (NODE_NOT, TYPE_NUMBER, g_steal_pointer (&left), NULL);
    }
  else
    {
      left = parse_primary (p);
      if (left == NULL)
        return NULL;
    }
  while (TRUE)
    {
      guint index;
      const char *place = p->start;

      if (p->type == TOKEN_NAME && (is_word (p, "isnull") || is_word (p, "notnull"))
          && level <= LEVEL_EQUAL)
        {
          gboolean negated = is_word (p, "notnull");

          next_token (p);
          left = negate_if (negated, node_new_with (NODE_IS, TYPE_NUMBER, g_steal_pointer (&left),
                                                    node_new (NODE_NULL, TYPE_NULL)));
          continue;
        }
      if (!find_operator (p, &index) || operators[index].level < level)
        break;
      next_token (p);
      left = parse_right (p, g_steal_pointer (&left), operators[index].kind, operators[index].level,
                          place);
      if (left == NULL)
        return NULL;
    }
  p->depth--;
  return g_steal_pointer (&left);
}

KtExpression *
kt_expression_compile (const KtObject *object, const char *text, GError **error)
{
  g_autoptr (KtExpression) expression = NULL;
  g_autoptr (GString) token = NULL;
  g_autoptr (GError) local = NULL;
  Parser p = { 0 };

  g_return_val_if_fail (object != NULL, NULL);
  g_return_val_if_fail (text != NULL, NULL);

  if (strlen (text) > KT_EXPRESSION_MAX_TEXT)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "The expression is longer than %d bytes",
                   KT_EXPRESSION_MAX_TEXT);
      return NULL;
    }
  if (!g_utf8_validate (text, -1, NULL))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "The expression is not valid UTF-8");
      return NULL;
    }
  expression = g_new0 (KtExpression, 1);
  expression->object = object;
  expression->fields = g_ptr_array_new ();
  token = g_string_new (NULL);
  p.expression = expression;
  p.at = text;
  p.text = token;
  p.error = &local;
  next_token (&p);
  expression->root = parse (&p, LEVEL_OR);
  if (expression->root != NULL && p.type != TOKEN_END)
    fail_at (&p, p.start, is_sign (&p, ")") ? "there is one “)” too many" : "expected an operator");
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  return g_steal_pointer (&expression);
}

void
kt_expression_free (KtExpression *expression)
{
  if (expression == NULL)
    return;
  node_free (expression->root);
  g_ptr_array_unref (expression->fields);
  g_free (expression);
}
