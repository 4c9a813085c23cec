/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "base/kt-value-private.h"

/* Dates, times and durations as people and spreadsheets write them. */

#define MAX_TEMPORAL_BYTES 128

static void
skip_blanks (const char **p)
{
  while (**p == ' ' || **p == '\t' || **p == '\n' || **p == '\r')
    (*p)++;
}

static gboolean
skip (const char **p, const char *prefix)
{
  gsize n = strlen (prefix);

  if (strncmp (*p, prefix, n) != 0)
    return FALSE;
  *p += n;
  return TRUE;
}

/* Up to @most digits; the number of them, 0 if none. */
static guint
take_digits (const char **p, guint most, int *value)
{
  guint n = 0;

  *value = 0;
  for (; n < most && g_ascii_isdigit (**p); (*p)++, n++)
    *value = *value * 10 + (**p - '0');
  return g_ascii_isdigit (**p) ? 0 : n;
}

/* ---- dates ---- */

/* A name or its first three letters and more; 0 if none. */
static int
take_month (const char **p)
{
  gsize n = 0;

  while (g_ascii_isalpha ((*p)[n]))
    n++;
  if (n < 3)
    return 0;
  for (int i = 0; i < 12; i++)
    if ((n <= strlen (_kt_month_names[i]) && g_ascii_strncasecmp (*p, _kt_month_names[i], n) == 0)
        || (i == 8 && n == 4 && g_ascii_strncasecmp (*p, "sept", 4) == 0))
      {
        *p += n;
        if (**p == '.')
          (*p)++;
        return i + 1;
      }
  return 0;
}

static void
skip_weekday (const char **p)
{
  static const char *const names[] = { "monday", "tuesday",  "wednesday", "thursday",
                                       "friday", "saturday", "sunday" };
  gsize n = 0;

  while (g_ascii_isalpha ((*p)[n]))
    n++;
  for (guint i = 0; n >= 2 && i < G_N_ELEMENTS (names); i++)
    if (n <= strlen (names[i]) && g_ascii_strncasecmp (*p, names[i], n) == 0)
      {
        *p += n;
        if (**p == '.' || **p == ',')
          (*p)++;
        skip_blanks (p);
        return;
      }
}

static int
full_year (int year, guint digits)
{
  if (digits > 2)
    return year;
  return year < 69 ? 2000 + year : 1900 + year;
}

typedef enum
{
  ORDER_UNKNOWN,
  ORDER_DAY_FIRST,
  ORDER_MONTH_FIRST,
} Order;

static Order
order_of (const char *locale)
{
  if (locale == NULL || strlen (locale) < 2 || strcmp (locale, "POSIX") == 0)
    return ORDER_UNKNOWN;
  if (g_str_has_prefix (locale, "en"))
    {
      if (strlen (locale) < 5 || strncmp (locale + 3, "CA", 2) == 0)
        return ORDER_UNKNOWN;
      if (strncmp (locale + 3, "US", 2) == 0 || strncmp (locale + 3, "PH", 2) == 0)
        return ORDER_MONTH_FIRST;
      return ORDER_DAY_FIRST;
    }
  /* Where the year comes first nobody writes the other orders as a habit. */
  if (g_str_has_prefix (locale, "zh") || g_str_has_prefix (locale, "ja")
      || g_str_has_prefix (locale, "ko") || g_str_has_prefix (locale, "C"))
    return ORDER_UNKNOWN;
  return ORDER_DAY_FIRST;
}

typedef enum
{
  DATE_OK,
  DATE_NONE,
  DATE_AMBIGUOUS,
} DateResult;

/* Which of @a and @b is the day? */
static DateResult
settle (int a, int b, char separator, const char *locale, int *month, int *day)
{
  Order order = order_of (locale);

  if (separator == '.' || a > 12)
    order = ORDER_DAY_FIRST;
  else if (b > 12)
    order = ORDER_MONTH_FIRST;
  else if (a == b)
    order = ORDER_DAY_FIRST;
  if (order == ORDER_UNKNOWN)
    return DATE_AMBIGUOUS;
  *day = order == ORDER_DAY_FIRST ? a : b;
  *month = order == ORDER_DAY_FIRST ? b : a;
  return DATE_OK;
}

static gboolean
take_separator (const char **p, char *separator)
{
  skip_blanks (p);
  if (**p != '-' && **p != '/' && **p != '.')
    return FALSE;
  *separator = *(*p)++;
  skip_blanks (p);
  return TRUE;
}

/* Reads a date off the front of @p. */
static DateResult
take_date (const char **p, const char *locale, int *year, int *month, int *day)
{
  char separator = 0, second = 0;
  int first, number;
  guint n, digits;
  DateResult result;

  skip_weekday (p);

  if (g_ascii_isalpha (**p))
    {
      /* Jan 31, 2026 */
      *month = take_month (p);
      if (*month == 0)
        return DATE_NONE;
      take_separator (p, &separator);
      if (take_digits (p, 2, day) == 0)
        return DATE_NONE;
      if (g_ascii_isalpha (**p) && !skip (p, "st") && !skip (p, "nd") && !skip (p, "rd")
          && !skip (p, "th"))
        return DATE_NONE;
      skip_blanks (p);
      if (**p == ',' || **p == '-' || **p == '/')
        (*p)++;
      skip_blanks (p);
      digits = take_digits (p, 4, &number);
      if (digits != 4 && digits != 2)
        return DATE_NONE;
      *year = full_year (number, digits);
      return DATE_OK;
    }

  n = take_digits (p, 8, &first);
  if (n == 8)
    {
      *year = first / 10000;
      *month = first / 100 % 100;
      *day = first % 100;
      return DATE_OK;
    }

  if (n == 4)
    {
      *year = first;
      skip_blanks (p);
      if (skip (p, "年") || skip (p, "년"))
        {
          skip_blanks (p);
          if (take_digits (p, 2, month) == 0)
            return DATE_NONE;
          skip_blanks (p);
          if (!skip (p, "月") && !skip (p, "월"))
            return DATE_NONE;
          skip_blanks (p);
          if (take_digits (p, 2, day) == 0)
            return DATE_NONE;
          skip_blanks (p);
          if (!skip (p, "日") && !skip (p, "号") && !skip (p, "일"))
            return DATE_NONE;
          return DATE_OK;
        }
      if (!take_separator (p, &separator) || take_digits (p, 2, month) == 0
          || !take_separator (p, &second) || second != separator || take_digits (p, 2, day) == 0)
        return DATE_NONE;
      /* "2026. 1. 31." */
      if (separator == '.' && **p == '.')
        (*p)++;
      return DATE_OK;
    }

  if (n == 0 || n > 2)
    return DATE_NONE;

  /* 31 Jan 2026, 31-Jan-26, 31st January 2026 */
  if (g_ascii_isalpha (**p))
    {
      const char *before = *p;

      if (!skip (p, "st") && !skip (p, "nd") && !skip (p, "rd") && !skip (p, "th"))
        *p = before;
    }
  take_separator (p, &separator);
  skip_blanks (p);
  if (g_ascii_isalpha (**p))
    {
      *day = first;
      *month = take_month (p);
      if (*month == 0)
        return DATE_NONE;
      skip_blanks (p);
      if (**p == ',' || **p == '-' || **p == '/')
        (*p)++;
      skip_blanks (p);
      digits = take_digits (p, 4, &number);
      if (digits != 4 && digits != 2)
        return DATE_NONE;
      *year = full_year (number, digits);
      return DATE_OK;
    }

  /* 31.1.2026, 1/31/2026 */
  if (separator == 0 || take_digits (p, 2, &number) == 0)
    return DATE_NONE;
  result = settle (first, number, separator, locale, month, day);
  if (!take_separator (p, &second) || second != separator)
    return DATE_NONE;
  digits = take_digits (p, 4, &number);
  if (digits != 4 && digits != 2)
    return DATE_NONE;
  *year = full_year (number, digits);
  return result;
}

typedef struct
{
  int hour, minute, second, ms;
  gboolean zoned;
  int offset; /* minutes east */
} Clock;

/* @before, @after: what stood before and behind the number of the hour. */
static gboolean
half_of_day (const char **p, gboolean *afternoon)
{
  static const struct
  {
    const char *word;
    gboolean afternoon;
  } words[] = {
    { "上午", FALSE }, { "下午", TRUE }, { "晚上", TRUE },  { "凌晨", FALSE }, { "中午", TRUE },
    { "a.m.", FALSE }, { "p.m.", TRUE }, { "A.M.", FALSE }, { "P.M.", TRUE },  { "am", FALSE },
    { "pm", TRUE },    { "AM", FALSE },  { "PM", TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (skip (p, words[i].word))
      {
        *afternoon = words[i].afternoon;
        return TRUE;
      }
  return FALSE;
}

static gboolean
take_zone (const char **p, Clock *clock)
{
  int hours = 0, minutes = 0;
  gboolean west;

  skip_blanks (p);
  if (skip (p, "Z") || skip (p, "z") || skip (p, "UTC") || skip (p, "GMT"))
    {
      clock->zoned = TRUE;
      if (**p != '+' && **p != '-')
        return TRUE;
    }
  if (**p != '+' && **p != '-')
    return TRUE;
  west = *(*p)++ == '-';
  if (!g_ascii_isdigit ((*p)[0]) || !g_ascii_isdigit ((*p)[1]))
    return FALSE;
  hours = ((*p)[0] - '0') * 10 + (*p)[1] - '0';
  *p += 2;
  if (**p == ':')
    (*p)++;
  if (g_ascii_isdigit (**p) && take_digits (p, 2, &minutes) != 2)
    return FALSE;
  if (hours > 23 || minutes > 59)
    return FALSE;
  clock->zoned = TRUE;
  clock->offset = (hours * 60 + minutes) * (west ? -1 : 1);
  return TRUE;
}

/* The rest of a date_time behind its date. FALSE: not a time of day. */
static gboolean
take_clock (const char *p, Clock *clock)
{
  gboolean half, afternoon = FALSE;

  memset (clock, 0, sizeof *clock);
  skip_blanks (&p);
  if (*p == '\0')
    return TRUE;
  if (*p == 'T' || *p == 't' || *p == ',')
    p++;
  skip_blanks (&p);

  half = half_of_day (&p, &afternoon);
  skip_blanks (&p);
  if (take_digits (&p, 2, &clock->hour) == 0)
    return FALSE;
  if (*p == ':')
    {
      p++;
      if (take_digits (&p, 2, &clock->minute) != 2)
        return FALSE;
      if (*p == ':')
        {
          p++;
          if (take_digits (&p, 2, &clock->second) != 2)
            return FALSE;
          if ((*p == '.' || *p == ',') && g_ascii_isdigit (p[1]))
            {
              int weight = 100;

              for (p++; g_ascii_isdigit (*p); p++, weight /= 10)
                clock->ms += (*p - '0') * weight;
            }
        }
    }
  else if (skip (&p, "点") || skip (&p, "时"))
    {
      if (g_ascii_isdigit (*p))
        {
          if (take_digits (&p, 2, &clock->minute) == 0)
            return FALSE;
          skip (&p, "分");
          if (g_ascii_isdigit (*p)
              && (take_digits (&p, 2, &clock->second) == 0 || !skip (&p, "秒")))
            return FALSE;
        }
      else if (skip (&p, "半"))
        clock->minute = 30;
    }
  else
    {
      const char *behind = p;
      gboolean unused;

      /* "8 pm" is a time, "8" is not. */
      skip_blanks (&behind);
      if (half || !half_of_day (&behind, &unused))
        return FALSE;
    }

  skip_blanks (&p);
  if (!half)
    half = half_of_day (&p, &afternoon);
  if (half)
    {
      if (clock->hour > 12)
        {
          if (!afternoon)
            return FALSE;
        }
      else if (clock->hour == 12)
        clock->hour = afternoon ? 12 : 0;
      else if (afternoon)
        clock->hour += 12;
    }
  if (clock->hour > 23 || clock->minute > 59 || clock->second > 59 || !take_zone (&p, clock))
    return FALSE;
  skip_blanks (&p);
  return *p == '\0';
}

gboolean
_kt_value_parse_temporal (const KtField *field,
                          const char *text,
                          const char *locale,
                          KtValue *out,
                          GError **error)
{
  g_autofree char *clean = NULL;
  const char *p;
  int year = 0, month = 0, day = 0;
  Clock clock;
  DateResult result;
  char canonical[25];
  gint64 ms;

  if (strlen (text) > MAX_TEMPORAL_BYTES)
    {
      _kt_value_fail_text (field, error, text, "is not a date");
      return FALSE;
    }
  clean = _kt_value_plain (text);
  p = clean;
  result = take_date (&p, locale, &year, &month, &day);
  if (result == DATE_AMBIGUOUS)
    {
      _kt_value_fail_text (field, error, text, "can be read in two ways; write it as 2026-01-31");
      return FALSE;
    }
  if (result != DATE_OK || !_kt_date_valid (year, month, day) || !take_clock (p, &clock))
    {
      _kt_value_fail_text (field, error, text,
                           field->type == KT_FIELD_DATE
                             ? "is not a date; write it as 2026-01-31"
                             : "is not a date and time; write it as 2026-01-31 08:00");
      return FALSE;
    }

  if (field->type == KT_FIELD_DATE)
    {
      _kt_date_format (year, month, day, canonical);
      return _kt_value_take_string (field, canonical, out, error);
    }

  ms = _kt_days_from_civil (year, month, day) * 86400000
       + ((gint64) (clock.hour * 60 + clock.minute - clock.offset) * 60 + clock.second) * 1000
       + clock.ms;
  if (!clock.zoned)
    {
      g_autoptr (GTimeZone) zone = g_time_zone_new_local ();
      g_autoptr (GDateTime) local =
        g_date_time_new (zone, year, month, day, clock.hour, clock.minute, clock.second);

      if (local != NULL)
        ms = g_date_time_to_unix (local) * 1000 + clock.ms;
    }
  if (!_kt_instant_format (ms, canonical))
    {
      _kt_value_fail_text (field, error, text, "is outside the years 1 to 9999");
      return FALSE;
    }
  return _kt_value_take_string (field, canonical, out, error);
}

/* ---- durations ---- */

typedef struct
{
  const char *word;
  int seconds;
} Unit;

/* Longer words before those they start with. */
static const Unit units[] = {
  { "weeks", 604800 }, { "week", 604800 }, { "wk", 604800 }, { "w", 604800 },  { "周", 604800 },
  { "星期", 604800 },  { "days", 86400 },  { "day", 86400 }, { "d", 86400 },   { "天", 86400 },
  { "日", 86400 },     { "hours", 3600 },  { "hour", 3600 }, { "hrs", 3600 },  { "hr", 3600 },
  { "h", 3600 },       { "小时", 3600 },   { "時間", 3600 }, { "时", 3600 },   { "minutes", 60 },
  { "minute", 60 },    { "mins", 60 },     { "min", 60 },    { "m", 60 },      { "分钟", 60 },
  { "分", 60 },        { "seconds", 1 },   { "second", 1 },  { "secs", 1 },    { "sec", 1 },
  { "s", 1 },          { "秒", 1 },        { "일", 86400 },  { "시간", 3600 }, { "분", 60 },
  { "초", 1 },
};

/* Plain numbers are seconds, as on the wire. */
gboolean
_kt_value_parse_duration (const KtField *field, const char *text, KtValue *out, GError **error)
{
  g_autofree char *normal = _kt_value_plain (text);
  g_autofree char *clean = g_ascii_strdown (normal, -1);
  const char *p = clean;
  gboolean negative = skip (&p, "-");
  gint64 total = 0, part;
  guint parts = 0;
  gboolean clock = strchr (p, ':') != NULL;

  while (*p != '\0' && strlen (clean) <= MAX_TEMPORAL_BYTES)
    {
      gsize n = strspn (p, "0123456789.");
      gint64 size = 1, divisor = memchr (p, '.', n) != NULL ? 10000 : 1;

      if (n == 0 || !kt_decimal_parse (p, (gssize) n, divisor > 1 ? 4 : 0, &part, NULL)
          || (clock && (divisor > 1 || part > G_GINT64_CONSTANT (100000000000000))))
        break;
      p += n;
      if (clock)
        {
          /* 1:30 is hours and minutes, 1:30:15 with seconds. */
          if (parts > 0 && (n != 2 || part > 59))
            break;
          total = total * 60 + part;
          parts++;
          if (*p == '\0')
            break;
          if (parts == 3 || *p++ != ':')
            {
              parts = 0;
              break;
            }
          continue;
        }
      skip_blanks (&p);
      if (*p != '\0')
        {
          size = 0;
          for (guint i = 0; i < G_N_ELEMENTS (units) && size == 0; i++)
            if (skip (&p, units[i].word))
              size = units[i].seconds;
          if (size == 0)
            break;
        }
      else if (parts > 0)
        {
          p = "?";
          break;
        }
      if (__builtin_mul_overflow (part, size, &part)
          || __builtin_add_overflow (total, part / divisor, &total))
        {
          p = "?";
          break;
        }
      if (part % divisor != 0)
        {
          _kt_value_fail_text (field, error, text, "is not a whole number of seconds");
          return FALSE;
        }
      parts++;
      skip_blanks (&p);
      if (*p == ',')
        p++;
      skip_blanks (&p);
    }

  if (clock && parts == 2)
    total *= 60;
  if (*p != '\0' || parts == 0 || (clock && parts < 2) || total > KT_DECIMAL_MAX)
    {
      _kt_value_fail_text (field, error, text, "is not a duration; write it as 1 h 30 min");
      return FALSE;
    }
  out->type = KT_VALUE_INT;
  out->v.integer = negative ? -total : total;
  return TRUE;
}
