/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-record.h"

G_BEGIN_DECLS

/* Formulas and conditions: SQL expressions over the fields of one record,
 *
 *   round(amount * probability / 100, 2)
 *   stage = 'lost' and loss_reason is null
 *   date(end_date, '-' || coalesce(notice_days, 30) || ' days')
 *
 * in their usual meaning: precedence, NULL in three-valued logic, text compared
 * bytewise, x / 0 is NULL, functions by their SQLite names. Where money is
 * counted the meaning is stricter than SQLite's:
 *
 *   exactness   Every number is an exact decimal (kt-exact.h); 5 / 2 is 2.5 and 0.1 + 0.2 = 0.3. The result is
 *               rounded half to even to the scale of the field it is stored in; round(x, n) rounds half away from zero.
 *   types       Numbers (also true and false: 1 and 0) and texts are told apart when compiling: amount > 'x' is an
 *               error at once, not an answer. `||` and the text functions take numbers too.
 *   purity      No clock, no chance, no tables, no other records: equal records give equal results on every machine.
 *               `today` is handed in, for conditions; formulas, whose results are stored, may not use it.
 *
 * Why not SQLite itself, as first planned. SQLite has 64-bit integers and doubles. amount * probability / 100 with
 * 15-digit amounts needs 21 digits on the way; the integer product overflows into a double, and 53 bits are off by one at
 * the fourth digit. Its operators cannot be replaced, so exact arithmetic means parsing the expression anyway; once it is
 * parsed, evaluating the tree is a switch, while handing it back to SQLite would still need a connection per thread, an
 * authorizer and a step limit, and would let client and server differ by the version of their SQLite. A tree without loops needs
 * no step limit: at most 4 KiB of source, texts of at most 64 KiB. The text form stays SQL, so nobody learns a language.
 *
 * Fields by name: boolean → 1/0, numbers and money → number (the currency is `amount_currency`), ref → the id as text,
 * ref_any → the id, `parent_object`; dates, choices → text; lists, addresses, json → their JSON text.
 * Operators: or and not = == <> != is [not] [null] in between like < <= > >= + - * / % || case cast(x as integer|numeric|text)
 * Functions: abs coalesce date ifnull iif instr julianday length lower ltrim max min nullif replace round rtrim sign
 * substr trim upper. lower, upper, like: ASCII letters only, as in SQLite. date (x, modifiers…): '+2 months', '-30 days',
 * '1 year', 'start of month', 'start of year'; a month that is too short ends early. julianday: of dates and times. */

#define KT_EXPRESSION_MAX_TEXT 4096

/* Immutable: may be used from any thread. Does not hold the schema: it lives no longer than that. */
typedef struct _KtExpression KtExpression;

/* Errors INVALID: "Near “amout”: no field “amout” in opportunity; did you mean “amount”?", LIMIT. */
KtExpression *kt_expression_compile (const KtObject *object, const char *text, GError **error);
void          kt_expression_free    (KtExpression *expression);

gboolean kt_expression_uses        (const KtExpression *expression, const KtField *field);
gboolean kt_expression_uses_today  (const KtExpression *expression);
/* Whether its results can be stored in @target (type known without a record). INVALID. */
gboolean kt_expression_check_target (const KtExpression *expression, const KtField *target, GError **error);

/* The value for @target. Money takes the currency that the money fields used in it share; when they differ, or there is none, the
 * result is NULL: no sum of euros and yen. @today: "2026-01-31", or NULL when it is not known (then it is NULL).
 * Errors: LIMIT when the number is too large for @target or a text longer than 64 KiB; INVALID when @target refuses it. */
gboolean kt_expression_evaluate (const KtExpression *expression, const KtRecord *record, const char *today,
                                 const KtField *target, KtValue *out, GError **error);
/* As a condition: *holds is TRUE only when it is true (not false, not NULL). INVALID when it is a text. */
gboolean kt_expression_test     (const KtExpression *expression, const KtRecord *record, const char *today,
                                 gboolean *holds, GError **error);

/* All formulas of a schema, compiled once, in the order in which they need one another.
 * Immutable and shared between threads; holds a reference on the schema. */
typedef struct _KtExpressionEngine KtExpressionEngine;

/* Errors SCHEMA: names object and field; a formula that does not compile, does not fit
 * its field, uses `today`, or a circle of formulas. */
KtExpressionEngine *kt_expression_engine_new  (const KtSchema *schema, GError **error);
KtExpressionEngine *kt_expression_engine_ref  (KtExpressionEngine *engine);
void                kt_expression_engine_unref (KtExpressionEngine *engine);
/* Sets every formula field of @record (writable, of the engine's schema). A formula whose result does not fit gives NULL: the
 * same on every machine, and an edit is not refused for it. Returns whether anything changed. */
gboolean            kt_expression_engine_compute (const KtExpressionEngine *engine, KtRecord *record);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtExpression, kt_expression_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtExpressionEngine, kt_expression_engine_unref)

G_END_DECLS
