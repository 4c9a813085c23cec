/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-types.h"

G_BEGIN_DECLS

/* Numbers inside an expression: a 128-bit mantissa and a scale (digits behind
 * the point). Sums and products of stored values (18 digits) are exact; a
 * result that needs more than 37 digits, or more than 30 behind the point (only
 * division can), is rounded half to even at the last digit that fits. No floats. */
__extension__ typedef __int128 KtInt128;

#define KT_EXACT_MAX_SCALE 30
#define KT_EXACT_TEXT_SIZE 48

typedef struct
{
  KtInt128 m;
  guint    scale;
} KtExact;

#define KT_EXACT_INT(n) ((KtExact) { (n), 0 })

/* FALSE: the result has more than 37 digits before the point. */
gboolean kt_exact_add      (KtExact a, KtExact b, KtExact *out);
gboolean kt_exact_subtract (KtExact a, KtExact b, KtExact *out);
gboolean kt_exact_multiply (KtExact a, KtExact b, KtExact *out);
/* @b is not zero. Remainder: of the whole parts' division towards zero, sign of @a. */
gboolean kt_exact_divide    (KtExact a, KtExact b, KtExact *out);
gboolean kt_exact_remainder (KtExact a, KtExact b, KtExact *out);
int      kt_exact_compare  (KtExact a, KtExact b);

/* At most @scale digits behind the point, rounded half to even or half away from zero (SQL's round). */
KtExact  kt_exact_round      (KtExact a, guint scale, gboolean half_even);
KtExact  kt_exact_truncate   (KtExact a);
/* As mantissa at exactly @scale, half to even; FALSE when it is no int64. */
gboolean kt_exact_to_int64   (KtExact a, guint scale, gint64 *out);

/* -?digits[.digits]; returns the number of bytes read, 0: none or too many digits. */
gsize    kt_exact_parse  (const char *text, KtExact *out);
/* Shortest form. */
void     kt_exact_format (KtExact a, char out[KT_EXACT_TEXT_SIZE]);

G_END_DECLS
