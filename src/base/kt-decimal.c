/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-decimal.h"

#include <string.h>

#include "base/kt-error.h"

#define MAX_LOOSE_BYTES 256
#define MAX_DIGITS 64

typedef struct
{
  const char *sign;
  char code[4];
} Symbol;

/* Longest first where one is the end of another. ¥ alone is read as the yuan:
 * more of those who write it mean it, and 円 and JP¥ say yen. */
static const Symbol symbols[] = {
  { "US$", "USD" },    { "HK$", "HKD" },  { "NT$", "TWD" },  { "AU$", "AUD" },  { "CA$", "CAD" },
  { "NZ$", "NZD" },    { "SG$", "SGD" },  { "MX$", "MXN" },  { "A$", "AUD" },   { "C$", "CAD" },
  { "S$", "SGD" },     { "R$", "BRL" },   { "CN¥", "CNY" },  { "JP¥", "JPY" },  { "RMB", "CNY" },
  { "人民币", "CNY" }, { "美元", "USD" }, { "欧元", "EUR" }, { "港元", "HKD" }, { "日元", "JPY" },
  { "英镑", "GBP" },   { "元", "CNY" },   { "圆", "CNY" },   { "円", "JPY" },   { "€", "EUR" },
  { "$", "USD" },      { "£", "GBP" },    { "¥", "CNY" },    { "₩", "KRW" },    { "₹", "INR" },
  { "₽", "RUB" },    { "₺", "TRY" },    { "₫", "VND" },    { "฿", "THB" },    { "₴", "UAH" },
  { "₪", "ILS" },      { "₱", "PHP" },    { "zł", "PLN" },   { "Kč", "CZK" },
};

/* ISO 4217 without funds and metals, one blank apart. */
static const char currencies[] =
  " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP"
  " BYN BZD CAD CDF CHF CLF CLP CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD"
  " FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES"
  " KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR"
  " MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB"
  " RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD"
  " TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG ZWL ";

static const gint64 powers[] = {
  G_GINT64_CONSTANT (1),          G_GINT64_CONSTANT (10),       G_GINT64_CONSTANT (100),
  G_GINT64_CONSTANT (1000),       G_GINT64_CONSTANT (10000),    G_GINT64_CONSTANT (100000),
  G_GINT64_CONSTANT (1000000),    G_GINT64_CONSTANT (10000000), G_GINT64_CONSTANT (100000000),
  G_GINT64_CONSTANT (1000000000),
};

static gboolean
fail_format (const char *text, gsize len, GError **error)
{
  g_autofree char *shown = g_utf8_make_valid (text, (gssize) MIN (len, 40));

  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“%s” is not a number", shown);
  return FALSE;
}

static gboolean
fail_size (GError **error)
{
  g_set_error_literal (error, KT_ERROR, KT_ERROR_LIMIT,
                       "the number is too large: at most 18 digits are kept");
  return FALSE;
}

static gboolean
fail_digits (guint scale, GError **error)
{
  if (scale == 0)
    g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID, "must be a whole number");
  else
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "has more than %u digits after the point",
                 scale);
  return FALSE;
}

/* The value is @digits × 10^-@fraction; exact at @scale or an error. */
static gboolean
assemble (const char *digits,
          guint n_digits,
          int fraction,
          guint scale,
          gboolean negative,
          gint64 *mantissa,
          GError **error)
{
  gint64 value = 0;
  int shift;

  while (n_digits > 0 && *digits == '0')
    {
      digits++;
      n_digits--;
    }
  if (n_digits == 0)
    {
      *mantissa = 0;
      return TRUE;
    }

  /* Digits below the scale must be zeros. */
  shift = (int) scale - fraction;
  for (; shift < 0; shift++)
    {
      if (n_digits == 0 || digits[n_digits - 1] != '0')
        return fail_digits (scale, error);
      n_digits--;
    }
  if (n_digits + (guint) shift > 18)
    return fail_size (error);

  for (guint i = 0; i < n_digits; i++)
    value = value * 10 + (digits[i] - '0');
  for (int i = 0; i < shift; i++)
    value *= 10;

  *mantissa = negative ? -value : value;
  return TRUE;
}

gboolean
kt_decimal_parse (const char *text, gssize len, guint scale, gint64 *mantissa, GError **error)
{
  gsize n, at = 0, whole_start, whole, fraction = 0;
  gboolean negative;
  gint64 value = 0;

  g_return_val_if_fail (text != NULL, FALSE);
  g_return_val_if_fail (mantissa != NULL, FALSE);
  g_return_val_if_fail (scale <= KT_DECIMAL_MAX_SCALE, FALSE);

  n = len < 0 ? strlen (text) : (gsize) len;
  negative = n > 0 && text[0] == '-';
  if (negative)
    at++;

  whole_start = at;
  while (at < n && g_ascii_isdigit (text[at]))
    at++;
  whole = at - whole_start;
  if (whole == 0)
    return fail_format (text, n, error);
  if (at < n && text[at] == '.')
    {
      at++;
      while (at < n && g_ascii_isdigit (text[at]))
        {
          at++;
          fraction++;
        }
      if (fraction == 0)
        return fail_format (text, n, error);
    }
  if (at != n)
    return fail_format (text, n, error);

  for (gsize i = 0; i < whole; i++)
    {
      int digit = text[whole_start + i] - '0';

      if (value > (KT_DECIMAL_MAX - digit) / 10)
        return fail_size (error);
      value = value * 10 + digit;
    }
  for (gsize i = 0; i < MAX (fraction, scale); i++)
    {
      int digit = i < fraction ? text[whole_start + whole + 1 + i] - '0' : 0;

      if (i >= scale)
        {
          if (digit != 0)
            return fail_digits (scale, error);
          continue;
        }
      if (value > (KT_DECIMAL_MAX - digit) / 10)
        return fail_size (error);
      value = value * 10 + digit;
    }

  *mantissa = negative ? -value : value;
  return TRUE;
}

void
kt_decimal_format (gint64 mantissa, guint scale, char *out, gsize out_size)
{
  char buffer[32];
  char *at = buffer + sizeof buffer;
  guint64 magnitude = mantissa < 0 ? 0 - (guint64) mantissa : (guint64) mantissa;
  guint digits = 0;
  gboolean significant = FALSE;

  g_return_if_fail (out != NULL && out_size > 0);
  g_return_if_fail (scale <= KT_DECIMAL_MAX_SCALE);

  *--at = '\0';
  do
    {
      int digit = (int) (magnitude % 10);

      magnitude /= 10;
      if (digits < scale)
        {
          if (digit != 0 || significant)
            {
              *--at = (char) ('0' + digit);
              significant = TRUE;
            }
          if (digits + 1 == scale && significant)
            *--at = '.';
        }
      else
        *--at = (char) ('0' + digit);
      digits++;
    }
  while (magnitude > 0 || digits <= scale);
  if (mantissa < 0)
    *--at = '-';

  g_strlcpy (out, at, out_size);
}

gboolean
kt_decimal_rescale (gint64 mantissa, guint from, guint to, gint64 *out)
{
  g_return_val_if_fail (from <= KT_DECIMAL_MAX_SCALE && to <= KT_DECIMAL_MAX_SCALE, FALSE);
  g_return_val_if_fail (out != NULL, FALSE);

  if (to >= from)
    {
      gint64 factor = powers[to - from];

      if (mantissa > KT_DECIMAL_MAX / factor || mantissa < -KT_DECIMAL_MAX / factor)
        return FALSE;
      *out = mantissa * factor;
      return TRUE;
    }

  if (mantissa % powers[from - to] != 0)
    return FALSE;
  *out = mantissa / powers[from - to];
  return TRUE;
}

/* ---- what people write ---- */

/* Compatibility forms to plain ones, signs to ASCII, blanks and apostrophes (which only ever group) out. */
static char *
plain (const char *text)
{
  g_autofree char *folded = g_utf8_normalize (text, -1, G_NORMALIZE_ALL_COMPOSE);
  GString *out;

  if (folded == NULL)
    return NULL;

  out = g_string_sized_new (strlen (folded));
  for (const char *p = folded; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      switch (c)
        {
        case '\'':
        case 0x2019: /* ’ */
        case '_':
        case 0x200e: /* marks of direction that spreadsheets leave */
        case 0x200f:
        case 0xfeff:
          break;
        case 0x2212: /* − */
        case 0x2010:
        case 0x2011:
        case 0x2013:
          g_string_append_c (out, '-');
          break;
        case 0x3001: /* 、 */
        case 0x066c: /* Arabic thousands separator */
          g_string_append_c (out, ',');
          break;
        case 0x066b:
          g_string_append_c (out, '.');
          break;
        default:
          if (g_unichar_isspace (c))
            break;
          if (c > 0x7f && g_unichar_isdigit (c))
            g_string_append_c (out, (char) ('0' + g_unichar_digit_value (c)));
          else
            g_string_append_unichar (out, c);
        }
    }
  return g_string_free (out, FALSE);
}

static gboolean
is_currency_code (const char *at)
{
  char wanted[6] = { ' ', at[0], at[1], at[2], ' ', '\0' };

  for (int i = 1; i < 4; i++)
    {
      if (!g_ascii_isalpha (wanted[i]))
        return FALSE;
      wanted[i] = g_ascii_toupper (wanted[i]);
    }
  return strstr (currencies, wanted) != NULL;
}

/* Takes one currency off the front or the end of @text, in place. */
static gboolean
take_currency (char *text, char code[4])
{
  gsize len = strlen (text);
  /* Behind a sign or a bracket, too: "-€5", "(USD 5)". */
  char *front = text + strspn (text, "-+(");

  for (guint i = 0; i < G_N_ELEMENTS (symbols); i++)
    {
      gsize n = strlen (symbols[i].sign);
      char *end = text + len - (len > 0 && text[len - 1] == ')' ? 1 : 0);

      if (strncmp (front, symbols[i].sign, n) == 0)
        memmove (front, front + n, strlen (front + n) + 1);
      else if ((gsize) (end - text) >= n && memcmp (end - n, symbols[i].sign, n) == 0)
        memmove (end - n, end, strlen (end) + 1);
      else
        continue;
      memcpy (code, symbols[i].code, 4);
      return TRUE;
    }

  len = strlen (text);
  if (len >= 3 && text[len - 1] == ')')
    len--;
  if (strlen (front) >= 3 && is_currency_code (front) && !g_ascii_isalpha (front[3]))
    {
      for (int i = 0; i < 3; i++)
        code[i] = g_ascii_toupper (front[i]);
      memmove (front, front + 3, strlen (front + 3) + 1);
    }
  else if (len >= 4 && is_currency_code (text + len - 3) && !g_ascii_isalpha (text[len - 4]))
    {
      for (int i = 0; i < 3; i++)
        code[i] = g_ascii_toupper (text[len - 3 + i]);
      memmove (text + len - 3, text + len, strlen (text + len) + 1);
    }
  else
    return FALSE;

  code[3] = '\0';
  return TRUE;
}

/* Are the groups between @separator well formed? 1,234,567 and the Indian 12,34,567. */
static gboolean
grouped_well (const char *number, const char *end, char separator)
{
  const char *start = number;
  guint group = 0;

  for (const char *p = number;; p++)
    {
      if (p < end && *p != separator)
        {
          if (!g_ascii_isdigit (*p))
            return FALSE;
          continue;
        }
      {
        gsize n = (gsize) (p - start);

        if (group == 0 && (n < 1 || n > 3))
          return FALSE;
        if (group > 0 && p == end && n != 3)
          return FALSE;
        if (group > 0 && p < end && n != 3 && n != 2)
          return FALSE;
      }
      if (p == end)
        return group > 0;
      group++;
      start = p + 1;
    }
}

/* Which of the two separators in @number is the point: '.', ',' or 0 for none; 1 when it is no number. */
static char
find_point (const char *number, char decimal_point)
{
  const char *end = number + strspn (number, "0123456789.,");
  const char *dot = NULL, *comma = NULL;
  guint dots = 0, commas = 0;
  const char *only;
  char separator;

  for (const char *p = number; p < end; p++)
    {
      if (*p == '.')
        {
          dot = p;
          dots++;
        }
      else if (*p == ',')
        {
          comma = p;
          commas++;
        }
    }
  if (dots == 0 && commas == 0)
    return 0;

  if (dots > 0 && commas > 0)
    {
      const char *last = dot > comma ? dot : comma;
      char grouping = *last == '.' ? ',' : '.';

      if ((*last == '.' ? dots : commas) != 1 || !grouped_well (number, last, grouping))
        return 1;
      return *last;
    }

  separator = dots > 0 ? '.' : ',';
  if (dots + commas > 1)
    return grouped_well (number, end, separator) ? 0 : 1;

  only = dots > 0 ? dot : comma;
  /* "0,125" and "1234,567" and "12,5" can only be read one way. */
  if (!grouped_well (number, end, separator) || number[0] == '0')
    return separator;
  if (decimal_point != 0)
    return separator == decimal_point ? separator : 0;
  return *only == '.' ? '.' : 0;
}

gboolean
kt_decimal_parse_loose (const char *text,
                        guint scale,
                        char decimal_point,
                        gint64 *mantissa,
                        char currency[4],
                        GError **error)
{
  g_autofree char *clean = NULL;
  char found[4] = "";
  char digits[MAX_DIGITS];
  guint n_digits = 0;
  int fraction = 0;
  gboolean negative = FALSE, after_point = FALSE;
  gboolean any = FALSE;
  char *p;
  char point;
  gsize len;

  g_return_val_if_fail (text != NULL, FALSE);
  g_return_val_if_fail (mantissa != NULL, FALSE);
  g_return_val_if_fail (scale <= KT_DECIMAL_MAX_SCALE, FALSE);

  if (strlen (text) > MAX_LOOSE_BYTES)
    return fail_format (text, strlen (text), error);
  clean = plain (text);
  if (clean == NULL)
    return fail_format (text, strlen (text), error);

  take_currency (clean, found);

  p = clean;
  len = strlen (p);
  if (len > 2 && p[0] == '(' && p[len - 1] == ')')
    {
      negative = TRUE;
      p[len - 1] = '\0';
      p++;
      len -= 2;
    }
  else if (len > 1 && p[len - 1] == '-')
    {
      negative = TRUE;
      p[--len] = '\0';
    }
  if (!negative && (*p == '-' || *p == '+'))
    {
      negative = *p == '-';
      p++;
      len--;
    }
  if (len > 1 && p[len - 1] == '%')
    p[--len] = '\0';
  else if (*p == '%')
    p++;

  point = find_point (p, decimal_point);
  if (point == 1)
    return fail_format (text, strlen (text), error);

  for (; *p != '\0'; p++)
    {
      if (g_ascii_isdigit (*p))
        {
          any = TRUE;
          if (n_digits == 0 && *p == '0' && !after_point)
            continue;
          if (n_digits >= MAX_DIGITS)
            return fail_size (error);
          digits[n_digits++] = *p;
          if (after_point)
            fraction++;
        }
      else if (*p == point && !after_point)
        after_point = TRUE;
      else if ((*p == '.' || *p == ',') && point != *p && !after_point)
        continue;
      else
        break;
    }
  if (!any)
    return fail_format (text, strlen (text), error);

  if ((*p == 'e' || *p == 'E') && p[1] != '\0')
    {
      char *end;
      const char *first = p[1] == '-' || p[1] == '+' ? p + 2 : p + 1;
      gint64 exponent;

      if (!g_ascii_isdigit (*first))
        return fail_format (text, strlen (text), error);
      exponent = g_ascii_strtoll (p + 1, &end, 10);
      if (exponent > 1000)
        exponent = 1000;
      if (exponent < -1000)
        exponent = -1000;
      fraction -= (int) exponent;
      p = end;
    }
  else if (g_str_has_prefix (p, "万") || g_str_has_prefix (p, "萬"))
    {
      fraction -= 4;
      p += strlen ("万");
    }
  else if (g_str_has_prefix (p, "亿") || g_str_has_prefix (p, "億"))
    {
      fraction -= 8;
      p += strlen ("亿");
    }
  if (*p != '\0')
    return fail_format (text, strlen (text), error);

  if (!assemble (digits, n_digits, fraction, scale, negative, mantissa, error))
    return FALSE;
  if (currency != NULL)
    memcpy (currency, found, 4);
  return TRUE;
}
