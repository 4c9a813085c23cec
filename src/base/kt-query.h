/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-schema.h"

G_BEGIN_DECLS

/* Filters are data. Text form (kontorctl --where, filter chips, saved views):
 *
 *   stage = "Negotiation" and amount >= 50000 and close_date < today+30d
 *   account.industry in ("retail", "finance") or not (phone is empty)
 *   name contains "müller"        name starts "A"      tags has "vip"
 *   owner = me                    parent = account:0190…                  id = "…"
 *
 * Operators: = != < <= > >= contains starts has in is empty / is not empty; and or not ( ).
 * Strings in '…' or "…" (doubled inside), numbers, true false null, today now with ±Nd w m y h, me.
 * contains / starts fold case and diacritics. A ref compares to an id, or to a text: then
 * the referenced record's folded title. One hop: ref.field. Pseudo-fields: id, rev, deleted.
 * Choices compare by code or label. At most 64 nodes, depth 16, text 8 KiB.               */
typedef enum { KT_FILTER_TRUE, KT_FILTER_AND, KT_FILTER_OR, KT_FILTER_NOT, KT_FILTER_COMPARE } KtFilterKind;
typedef enum
{
  KT_OP_EQ, KT_OP_NE, KT_OP_LT, KT_OP_LE, KT_OP_GT, KT_OP_GE,
  KT_OP_CONTAINS, KT_OP_STARTS, KT_OP_HAS, KT_OP_IN, KT_OP_EMPTY, KT_OP_NOT_EMPTY,
} KtCompare;
typedef enum { KT_TERM_FIELD, KT_TERM_ID, KT_TERM_REV, KT_TERM_DELETED } KtTerm;

typedef enum
{
  KT_OPERAND_VALUE,     /* canonical value of the field; exceptions: ref_any may have type ID (any object), money
                           currency "" (any), has: TEXT (one element; of many the id as text), contains, starts: TEXT
                           in NFC as typed (whoever compiles folds it) */
  KT_OPERAND_TITLE,     /* kt_text_fold'ed TEXT to compare with the referenced record's folded title */
  KT_OPERAND_TODAY,     /* the day + offset: resolved when compiled to SQL; against a date_time its start (in the reader's zone) */
  KT_OPERAND_ME,        /* the signed-in user's id */
  KT_OPERAND_NOW,       /* the instant + offset; date_time only */
} KtOperandKind;

typedef struct
{
  KtOperandKind kind;
  KtValue       value;         /* VALUE; TITLE: TEXT */
  int           offset;        /* TODAY */
  char          unit;          /* 'h' 'd' 'w' 'm' 'y' */
} KtOperand;

struct _KtFilter
{
  KtFilterKind   kind;
  GPtrArray     *children;     /* KtFilter*; AND OR NOT */
  KtTerm         term;         /* COMPARE … */
  const KtField *via;          /* the ref field of a one-hop path, or NULL */
  const KtField *field;        /* the compared field (of the target object when via is set); NULL for pseudo-fields */
  KtCompare      op;
  GArray        *operands;     /* KtOperand; one, several for IN, none for EMPTY */
};

/* Errors INVALID: "near "foo": no field "stagee" in opportunity; did you mean "stage"?" */
KtFilter *kt_filter_parse   (const KtObject *object, const char *text, GError **error);
char     *kt_filter_to_text (const KtFilter *filter);          /* round-trips */
KtFilter *kt_filter_copy    (const KtFilter *filter);
void      kt_filter_free    (KtFilter *filter);
KtFilter *kt_filter_compare (const KtField *field, KtCompare op, const KtValue *value);   /* value NULL for EMPTY ops */
KtFilter *kt_filter_and     (KtFilter *a, KtFilter *b);        /* takes both; either may be NULL */

typedef struct { const KtField *field; gboolean descending; } KtSort;   /* field NULL: by rev */

/* A list: which records of one object, in which order. */
struct _KtQuery
{
  const KtObject *object;
  KtFilter       *filter;      /* NULL: all */
  GArray         *sort;        /* KtSort; empty: newest id first. The id is always the tie-break. */
  char           *search;      /* full text as typed, or NULL */
  gboolean        bin;         /* TRUE: only deleted ones; FALSE: only live ones */
  guint           limit;       /* 0: no limit */
};

KtQuery *kt_query_new  (const KtObject *object);
KtQuery *kt_query_copy (const KtQuery *query);
void     kt_query_free (KtQuery *query);
void     kt_query_add_sort (KtQuery *query, const KtField *field, gboolean descending);
/* "name,-close_date" */
gboolean kt_query_parse_sort (KtQuery *query, const char *text, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtFilter, kt_filter_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtQuery, kt_query_free)

G_END_DECLS
