/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-types.h"

G_BEGIN_DECLS

/* Exact decimals: a 64-bit mantissa and a scale (digits after the point, 0–9)
 * that the *field* fixes (money and percent: 4). No floats anywhere. In SQL the
 * mantissa is an INTEGER, so order, comparison and sum are native and exact in
 * both databases. |mantissa| <= KT_DECIMAL_MAX so that sums of a million rows fit. */
#define KT_DECIMAL_MAX_SCALE 9
#define KT_DECIMAL_MAX       G_GINT64_CONSTANT (999999999999999999)   /* 18 digits */
#define KT_MONEY_SCALE       4

/* Parses the canonical wire form -?digits[.digits] (no exponent, no grouping,
 * no leading '+'; ASCII). More digits after the point than @scale are an error
 * unless they are zeros: nothing is rounded silently. len < 0: NUL-terminated.
 * Errors: INVALID, LIMIT. */
gboolean kt_decimal_parse  (const char *text, gssize len, guint scale, gint64 *mantissa, GError **error);

/* Canonical text: no trailing zeros after the point, no "-0". Size 32 suffices. */
void     kt_decimal_format (gint64 mantissa, guint scale, char *out, gsize out_size);

/* Exact rescale; FALSE when digits would be lost or it overflows. */
gboolean kt_decimal_rescale (gint64 mantissa, guint from, guint to, gint64 *out);

/* What people and spreadsheets write: "1,234.50", "1.234,50", "€ 12", "12 %",
 * "(12.00)", "１２", "1.2E3". Ambiguity (1,234) is resolved by @decimal_point
 * when given ('.' or ','), else three digits after a single comma are grouping.
 * A currency symbol or ISO code found is put into @currency ("" if none). */
gboolean kt_decimal_parse_loose (const char *text, guint scale, char decimal_point, gint64 *mantissa,
                                 char currency[4], GError **error);

G_END_DECLS
