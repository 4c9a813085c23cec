/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/kt-value-private.h"

#define MS_PER_DAY G_GINT64_CONSTANT (86400000)

gboolean
_kt_date_valid (int year, int month, int day)
{
  static const guint8 lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
  gboolean leap;

  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1)
    return FALSE;
  leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= lengths[month - 1] + (month == 2 && leap ? 1 : 0);
}

void
_kt_date_format (int year, int month, int day, char out[11])
{
  out[0] = (char) ('0' + year / 1000 % 10);
  out[1] = (char) ('0' + year / 100 % 10);
  out[2] = (char) ('0' + year / 10 % 10);
  out[3] = (char) ('0' + year % 10);
  out[4] = '-';
  out[5] = (char) ('0' + month / 10);
  out[6] = (char) ('0' + month % 10);
  out[7] = '-';
  out[8] = (char) ('0' + day / 10);
  out[9] = (char) ('0' + day % 10);
  out[10] = '\0';
}

static int
digits (const char *text, guint n)
{
  int value = 0;

  for (guint i = 0; i < n; i++)
    {
      if (!g_ascii_isdigit (text[i]))
        return -1;
      value = value * 10 + (text[i] - '0');
    }
  return value;
}

gboolean
_kt_date_scan (const char *text, gsize len, int *year, int *month, int *day)
{
  int y, m, d;

  if (len != 10 || text[4] != '-' || text[7] != '-')
    return FALSE;
  y = digits (text, 4);
  m = digits (text + 5, 2);
  d = digits (text + 8, 2);
  if (!_kt_date_valid (y, m, d))
    return FALSE;
  *year = y;
  *month = m;
  *day = d;
  return TRUE;
}

/* Proleptic Gregorian calendar in years that start in March, eras of 400 of them. */
gint64
_kt_days_from_civil (int year, int month, int day)
{
  gint64 y = month <= 2 ? year - 1 : year;
  gint64 era = (y >= 0 ? y : y - 399) / 400;
  gint64 year_of_era = y - era * 400;
  gint64 day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  gint64 day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

  return era * 146097 + day_of_era - 719468;
}

void
_kt_civil_from_days (gint64 days, int *year, int *month, int *day)
{
  gint64 z = days + 719468;
  gint64 era = (z >= 0 ? z : z - 146096) / 146097;
  gint64 day_of_era = z - era * 146097;
  gint64 year_of_era =
    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  gint64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  gint64 shifted = (5 * day_of_year + 2) / 153;

  *day = (int) (day_of_year - (153 * shifted + 2) / 5 + 1);
  *month = (int) (shifted < 10 ? shifted + 3 : shifted - 9);
  *year = (int) (year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

gboolean
_kt_instant_format (gint64 ms, char out[25])
{
  gint64 days = ms / MS_PER_DAY, rest = ms % MS_PER_DAY;
  int year, month, day, second;

  if (rest < 0)
    {
      rest += MS_PER_DAY;
      days--;
    }
  /* 0001-01-01 … 9999-12-31 */
  if (days < -719162 || days > 2932896)
    return FALSE;

  _kt_civil_from_days (days, &year, &month, &day);
  _kt_date_format (year, month, day, out);
  second = (int) (rest / 1000);
  rest %= 1000;
  out[10] = 'T';
  out[11] = (char) ('0' + second / 36000);
  out[12] = (char) ('0' + second / 3600 % 10);
  out[13] = ':';
  out[14] = (char) ('0' + second / 600 % 6);
  out[15] = (char) ('0' + second / 60 % 10);
  out[16] = ':';
  out[17] = (char) ('0' + second % 60 / 10);
  out[18] = (char) ('0' + second % 10);
  out[19] = '.';
  out[20] = (char) ('0' + rest / 100);
  out[21] = (char) ('0' + rest / 10 % 10);
  out[22] = (char) ('0' + rest % 10);
  out[23] = 'Z';
  out[24] = '\0';
  return TRUE;
}

/* YYYY-MM-DD, T or blank, hh:mm[:ss[.f…]], then Z or ±hh[[:]mm] or nothing.
 * Beyond milliseconds is cut off; nobody's clock is that good. */
gboolean
_kt_instant_scan (const char *text, gsize len, gint64 *ms, gboolean *zoned)
{
  const char *p, *end = text + len;
  int year, month, day, hour, minute, second = 0, fraction = 0, offset = 0;
  gboolean zone = FALSE;

  if (len < 16 || !_kt_date_scan (text, 10, &year, &month, &day))
    return FALSE;
  if (text[10] != 'T' && text[10] != 't' && text[10] != ' ')
    return FALSE;
  hour = digits (text + 11, 2);
  minute = digits (text + 14, 2);
  if (hour < 0 || hour > 23 || text[13] != ':' || minute < 0 || minute > 59)
    return FALSE;
  p = text + 16;

  if (end - p >= 3 && *p == ':')
    {
      second = digits (p + 1, 2);
      if (second < 0 || second > 59)
        return FALSE;
      p += 3;
      if (end - p >= 2 && (*p == '.' || *p == ',') && g_ascii_isdigit (p[1]))
        {
          int weight = 100;

          for (p++; p < end && g_ascii_isdigit (*p); p++, weight /= 10)
            fraction += (*p - '0') * weight;
        }
    }

  if (end - p >= 2 && *p == ' ' && (p[1] == '+' || p[1] == '-' || p[1] == 'Z'))
    p++;
  if (p < end && (*p == 'Z' || *p == 'z'))
    {
      zone = TRUE;
      p++;
    }
  else if (end - p >= 3 && (*p == '+' || *p == '-'))
    {
      gboolean west = *p == '-';
      int h = digits (p + 1, 2), m = 0;

      p += 3;
      if (p < end)
        {
          if (*p == ':')
            p++;
          if (end - p != 2)
            return FALSE;
          m = digits (p, 2);
          p += 2;
        }
      if (h < 0 || h > 23 || m < 0 || m > 59)
        return FALSE;
      offset = h * 60 + m;
      if (west)
        offset = -offset;
      zone = TRUE;
    }
  if (p != end)
    return FALSE;

  *ms = _kt_days_from_civil (year, month, day) * MS_PER_DAY
        + ((gint64) (hour * 60 + minute - offset) * 60 + second) * 1000 + fraction;
  *zoned = zone;
  return TRUE;
}
