/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "proto/kt-exact.h"

#include <string.h>

/* |mantissa| < 10^37, so that ten times a mantissa still fits into 128 bits. */
#define MAX_DIGITS 37

__extension__ typedef unsigned __int128 KtUint128;

static KtInt128
power_of_ten (guint n)
{
  KtInt128 power = 1;

  g_assert (n <= MAX_DIGITS + 1);
  while (n-- > 0)
    power *= 10;
  return power;
}

static KtInt128
magnitude (KtInt128 m)
{
  return m < 0 ? -m : m;
}

static guint
count_digits (KtInt128 m)
{
  guint n = 0;

  for (m = magnitude (m); m > 0; m /= 10)
    n++;
  return n;
}

/* m / 10^n, rounded. */
static KtInt128
drop_digits (KtInt128 m, guint n, gboolean half_even)
{
  KtInt128 power, quotient, rest;

  if (n == 0)
    return m;
  if (n > MAX_DIGITS)
    return 0;
  power = power_of_ten (n);
  quotient = m / power;
  rest = magnitude (m % power);
  if (rest > power - rest || (rest == power - rest && (!half_even || quotient % 2 != 0)))
    quotient += m < 0 ? -1 : 1;
  return quotient;
}

static void
strip_zeros (KtExact *a)
{
  while (a->scale > 0 && a->m % 10 == 0)
    {
      a->m /= 10;
      a->scale--;
    }
}

/* Rounds once to what KtExact holds. */
static gboolean
finish (KtInt128 m, guint scale, KtExact *out)
{
  guint digits = count_digits (m);
  guint drop = MAX (digits > MAX_DIGITS ? digits - MAX_DIGITS : 0,
                    scale > KT_EXACT_MAX_SCALE ? scale - KT_EXACT_MAX_SCALE : 0);

  if (drop > scale)
    return FALSE;
  m = drop_digits (m, drop, TRUE);
  scale -= drop;
  if (count_digits (m) > MAX_DIGITS) /* 99…9 became 100…0 */
    {
      if (scale == 0)
        return FALSE;
      m /= 10;
      scale--;
    }
  *out = (KtExact){ m, scale };
  return TRUE;
}

/* Brings both to one scale; what does not fit is rounded off the finer one. */
static void
align (KtExact *a, KtExact *b)
{
  KtExact *coarse = a->scale < b->scale ? a : b;
  KtExact *fine = a->scale < b->scale ? b : a;
  guint room, step;

  strip_zeros (fine);
  if (fine->scale < coarse->scale)
    {
      KtExact *swap = fine;

      fine = coarse;
      coarse = swap;
    }
  room = MAX_DIGITS - MIN (MAX_DIGITS, count_digits (coarse->m));
  step = coarse->m == 0 ? fine->scale - coarse->scale : MIN (room, fine->scale - coarse->scale);
  coarse->m *= coarse->m == 0 ? 1 : power_of_ten (step);
  coarse->scale += step;
  fine->m = drop_digits (fine->m, fine->scale - coarse->scale, TRUE);
  fine->scale = coarse->scale;
}

gboolean
kt_exact_add (KtExact a, KtExact b, KtExact *out)
{
  align (&a, &b);
  return finish (a.m + b.m, a.scale, out);
}

gboolean
kt_exact_subtract (KtExact a, KtExact b, KtExact *out)
{
  b.m = -b.m;
  return kt_exact_add (a, b, out);
}

/* ---- 256 bits, for products that do not fit into 128 ---- */

typedef struct
{
  guint64 limb[4]; /* least significant first */
} Wide;

static Wide
wide_multiply (KtUint128 a, KtUint128 b)
{
  const guint64 x[2] = { (guint64) a, (guint64) (a >> 64) };
  const guint64 y[2] = { (guint64) b, (guint64) (b >> 64) };
  Wide product = { { 0 } };

  for (guint i = 0; i < 2; i++)
    {
      guint64 carry = 0;

      for (guint j = 0; j < 2; j++)
        {
          KtUint128 sum = (KtUint128) x[i] * y[j] + product.limb[i + j] + carry;

          product.limb[i + j] = (guint64) sum;
          carry = (guint64) (sum >> 64);
        }
      product.limb[i + 2] += carry;
    }
  return product;
}

/* Returns the last decimal digit and drops it. */
static guint
wide_drop_digit (Wide *wide)
{
  guint64 rest = 0;

  for (int i = 3; i >= 0; i--)
    {
      KtUint128 part = ((KtUint128) rest << 64) | wide->limb[i];

      wide->limb[i] = (guint64) (part / 10);
      rest = (guint64) (part % 10);
    }
  return (guint) rest;
}

static guint
wide_count_digits (Wide wide)
{
  guint n = 0;

  for (; (wide.limb[0] | wide.limb[1] | wide.limb[2] | wide.limb[3]) != 0; n++)
    wide_drop_digit (&wide);
  return n;
}

static gboolean
multiply_wide (KtExact a, KtExact b, KtExact *out)
{
  Wide product = wide_multiply ((KtUint128) magnitude (a.m), (KtUint128) magnitude (b.m));
  gboolean negative = (a.m < 0) != (b.m < 0);
  guint scale = a.scale + b.scale;
  guint digits = wide_count_digits (product);
  guint drop = MAX (digits > MAX_DIGITS ? digits - MAX_DIGITS : 0,
                    scale > KT_EXACT_MAX_SCALE ? scale - KT_EXACT_MAX_SCALE : 0);
  guint digit = 0;
  gboolean more = FALSE; /* something behind that digit */
  KtInt128 m;

  if (drop > scale)
    return FALSE;
  for (guint i = 0; i < drop; i++)
    {
      more |= digit != 0;
      digit = wide_drop_digit (&product);
    }
  m = (KtInt128) (((KtUint128) product.limb[1] << 64) | product.limb[0]);
  if (digit > 5 || (digit == 5 && (more || m % 2 != 0)))
    m++;
  return finish (negative ? -m : m, scale - drop, out);
}

gboolean
kt_exact_multiply (KtExact a, KtExact b, KtExact *out)
{
  KtInt128 product;

  if (__builtin_mul_overflow (a.m, b.m, &product))
    return multiply_wide (a, b, out);
  return finish (product, a.scale + b.scale, out);
}

gboolean
kt_exact_divide (KtExact a, KtExact b, KtExact *out)
{
  const KtInt128 full = power_of_ten (MAX_DIGITS - 1);
  KtInt128 quotient, rest;
  gboolean negative;
  int scale;

  g_return_val_if_fail (b.m != 0, FALSE);

  strip_zeros (&b);
  negative = (a.m < 0) != (b.m < 0);
  a.m = magnitude (a.m);
  b.m = magnitude (b.m);
  quotient = a.m / b.m;
  rest = a.m % b.m;
  scale = (int) a.scale - (int) b.scale;

  /* Long division, digit by digit: exact as far as there is room. */
  while (scale < 0 || (rest != 0 && scale < KT_EXACT_MAX_SCALE))
    {
      if (quotient >= full)
        {
          if (scale < 0)
            return FALSE;
          break;
        }
      rest *= 10;
      quotient = quotient * 10 + rest / b.m;
      rest %= b.m;
      scale++;
    }
  if (rest > b.m - rest || (rest == b.m - rest && quotient % 2 != 0))
    quotient++;
  return finish (negative ? -quotient : quotient, (guint) scale, out);
}

gboolean
kt_exact_remainder (KtExact a, KtExact b, KtExact *out)
{
  g_return_val_if_fail (b.m != 0, FALSE);

  align (&a, &b);
  if (b.m == 0) /* rounded away: too far apart */
    return FALSE;
  return finish (a.m % b.m, a.scale, out);
}

int
kt_exact_compare (KtExact a, KtExact b)
{
  KtInt128 pa = power_of_ten (a.scale), pb = power_of_ten (b.scale);
  KtInt128 ia = a.m / pa, ib = b.m / pb;
  KtInt128 fa = a.m % pa, fb = b.m % pb;

  if (ia != ib)
    return ia < ib ? -1 : 1;
  if (a.scale < b.scale)
    fa *= power_of_ten (b.scale - a.scale);
  else
    fb *= power_of_ten (a.scale - b.scale);
  return fa < fb ? -1 : fa > fb;
}

KtExact
kt_exact_round (KtExact a, guint scale, gboolean half_even)
{
  if (a.scale <= scale)
    return a;
  return (KtExact){ drop_digits (a.m, a.scale - scale, half_even), scale };
}

KtExact
kt_exact_truncate (KtExact a)
{
  return (KtExact){ a.m / power_of_ten (a.scale), 0 };
}

gboolean
kt_exact_to_int64 (KtExact a, guint scale, gint64 *out)
{
  a = kt_exact_round (a, scale, TRUE);
  if (count_digits (a.m) + (scale - a.scale) > 20)
    return FALSE;
  a.m *= power_of_ten (scale - a.scale);
  if (a.m > G_MAXINT64 || a.m < G_MININT64)
    return FALSE;
  *out = (gint64) a.m;
  return TRUE;
}

gsize
kt_exact_parse (const char *text, KtExact *out)
{
  KtExact result = { 0, 0 };
  const char *p = text;
  gboolean negative = *p == '-';
  guint digits = 0;

  if (negative)
    p++;
  if (!g_ascii_isdigit (*p) && !(*p == '.' && g_ascii_isdigit (p[1])))
    return 0;
  for (gboolean point = FALSE;
       g_ascii_isdigit (*p) || (*p == '.' && !point && g_ascii_isdigit (p[1])); p++)
    {
      if (*p == '.')
        {
          point = TRUE;
          continue;
        }
      digits += result.m != 0;
      if (digits >= MAX_DIGITS || (point && result.scale >= KT_EXACT_MAX_SCALE))
        return 0;
      result.m = result.m * 10 + (*p - '0');
      result.scale += point;
    }
  if (negative)
    result.m = -result.m;
  *out = result;
  return (gsize) (p - text);
}

void
kt_exact_format (KtExact a, char out[KT_EXACT_TEXT_SIZE])
{
  char digits[KT_EXACT_TEXT_SIZE];
  guint n = 0, at = 0;
  KtInt128 m;

  strip_zeros (&a);
  for (m = magnitude (a.m); m > 0 || n <= a.scale; m /= 10)
    digits[n++] = (char) ('0' + (int) (m % 10));
  if (a.m < 0)
    out[at++] = '-';
  while (n > 0)
    {
      if (n == a.scale)
        out[at++] = '.';
      out[at++] = digits[--n];
    }
  out[at] = '\0';
}
