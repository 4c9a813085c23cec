/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-exact.h"
#include "proto/kt-expression.h"

G_BEGIN_DECLS

typedef enum
{
  NODE_NULL,
  NODE_NUMBER,
  NODE_TEXT,
  NODE_FIELD,
  NODE_CURRENCY,     /* of a money field */
  NODE_OBJECT,       /* of a ref_any field */
  NODE_TODAY,
  NODE_NEGATE,
  NODE_NOT,
  NODE_AND,
  NODE_OR,
  NODE_EQ,
  NODE_NE,
  NODE_LT,
  NODE_LE,
  NODE_GT,
  NODE_GE,
  NODE_IS,           /* equal, NULL being equal to NULL */
  NODE_BETWEEN,
  NODE_IN,
  NODE_LIKE,
  NODE_CONCAT,
  NODE_ADD,
  NODE_SUBTRACT,
  NODE_MULTIPLY,
  NODE_DIVIDE,
  NODE_REMAINDER,
  NODE_CASE,         /* when, then, when, then … [else] */
  NODE_CASE_OF,      /* base, when, then … [else] */
  NODE_CAST_INTEGER,
  NODE_CAST_NUMERIC,
  NODE_CAST_TEXT,
  NODE_ABS,
  NODE_COALESCE,
  NODE_DATE,
  NODE_IIF,
  NODE_INSTR,
  NODE_JULIANDAY,
  NODE_LENGTH,
  NODE_LOWER,
  NODE_LTRIM,
  NODE_MAX,
  NODE_MIN,
  NODE_NULLIF,
  NODE_REPLACE,
  NODE_ROUND,
  NODE_RTRIM,
  NODE_SIGN,
  NODE_SUBSTR,
  NODE_TRIM,
  NODE_UPPER,
} NodeKind;

typedef enum
{
  TYPE_NULL,      /* only the literal, and what is made of it alone */
  TYPE_NUMBER,
  TYPE_TEXT,
} NodeType;

typedef struct _Node Node;
struct _Node
{
  NodeKind       kind;
  NodeType       type;
  KtExact        number;
  char          *text;
  const KtField *field;
  guint          n;
  Node         **args;    /* owned */
};

struct _KtExpression
{
  const KtObject *object;
  Node           *root;
  GPtrArray      *fields;    /* const KtField*, each once */
  gboolean        today;
};

G_END_DECLS
