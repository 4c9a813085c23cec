/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-value.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-value-private.h"

/* Values for people. What needs words of its own is in the table below and not
 * in the message catalogue: base has no gettext, the command line prints the
 * same, and a server may print for a locale that is not its own.              */

#define NBSP "\xc2\xa0"
#define NNBSP "\xe2\x80\xaf"

#define LATIN_UNITS " d", " h", " min", " s"

/* Those of a country stand before those of its language. */
static const KtHabits habits[] = {
  { "en_US", '.', ",", "%", FALSE, "b d, Y", ", ", "Yes", "No", ", ", FALSE, LATIN_UNITS },
  { "en", '.', ",", "%", FALSE, "d b Y", ", ", "Yes", "No", ", ", FALSE, LATIN_UNITS },
  { "zh", '.', ",", "%", FALSE, "Y年m月d日", " ", "是", "否", "、", TRUE, "天", "小时", "分钟",
    "秒" },
  { "ja", '.', ",", "%", FALSE, "Y年m月d日", " ", "はい", "いいえ", "、", TRUE, "日", "時間", "分",
    "秒" },
  { "ko", '.', ",", "%", FALSE, "Y년 m월 d일", " ", "예", "아니요", ", ", TRUE, "일", "시간", "분",
    "초" },
  { "de_CH", '.', "’", "%", FALSE, "D.M.Y", ", ", "Ja", "Nein", ", ", FALSE, LATIN_UNITS },
  { "de", ',', ".", NBSP "%", TRUE, "D.M.Y", ", ", "Ja", "Nein", ", ", FALSE, LATIN_UNITS },
  { "fr", ',', NNBSP, NNBSP "%", TRUE, "D/M/Y", " ", "Oui", "Non", ", ", FALSE, LATIN_UNITS },
  { "es", ',', ".", NBSP "%", TRUE, "D/M/Y", ", ", "Sí", "No", ", ", FALSE, LATIN_UNITS },
  { "it", ',', ".", "%", TRUE, "D/M/Y", ", ", "Sì", "No", ", ", FALSE, LATIN_UNITS },
  { "pt_BR", ',', ".", "%", FALSE, "D/M/Y", ", ", "Sim", "Não", ", ", FALSE, LATIN_UNITS },
  { "pt", ',', NBSP, "%", TRUE, "D/M/Y", ", ", "Sim", "Não", ", ", FALSE, LATIN_UNITS },
  { "nl", ',', ".", "%", FALSE, "D-M-Y", " ", "Ja", "Nee", ", ", FALSE, LATIN_UNITS },
  { "pl", ',', NBSP, "%", TRUE, "D.M.Y", ", ", "Tak", "Nie", ", ", FALSE, LATIN_UNITS },
  { "cs", ',', NBSP, NBSP "%", TRUE, "D.M.Y", " ", "Ano", "Ne", ", ", FALSE, LATIN_UNITS },
  { "ru", ',', NBSP, NBSP "%", TRUE, "D.M.Y", ", ", "Да", "Нет", ", ", FALSE, LATIN_UNITS },
  { "uk", ',', NBSP, "%", TRUE, "D.M.Y", ", ", "Так", "Ні", ", ", FALSE, LATIN_UNITS },
  { "sv", ',', NBSP, NBSP "%", TRUE, "Y-M-D", " ", "Ja", "Nej", ", ", FALSE, LATIN_UNITS },
  { "da", ',', ".", NBSP "%", TRUE, "D.M.Y", " ", "Ja", "Nej", ", ", FALSE, LATIN_UNITS },
  { "nb", ',', NBSP, NBSP "%", TRUE, "D.M.Y", " ", "Ja", "Nei", ", ", FALSE, LATIN_UNITS },
  { "fi", ',', NBSP, NBSP "%", TRUE, "D.M.Y", " ", "Kyllä", "Ei", ", ", FALSE, LATIN_UNITS },
  { "tr", ',', ".", "%", TRUE, "D.M.Y", " ", "Evet", "Hayır", ", ", FALSE, LATIN_UNITS },
  { "id", ',', ".", "%", FALSE, "D/M/Y", " ", "Ya", "Tidak", ", ", FALSE, LATIN_UNITS },
  { "vi", ',', ".", "%", TRUE, "D/M/Y", " ", "Có", "Không", ", ", FALSE, LATIN_UNITS },
};

/* Signs that are read back as the same currency. ¥ and $ alone are only clear at home. */
static const struct
{
  const char *code;
  const char *sign;
  const char *home; /* language where @home_sign is used */
  const char *home_sign;
} signs[] = {
  { "EUR", "€", NULL, NULL },  { "GBP", "£", NULL, NULL },   { "CNY", "CN¥", "zh", "¥" },
  { "USD", "US$", "en", "$" }, { "JPY", "JP¥", NULL, NULL }, { "KRW", "₩", NULL, NULL },
  { "INR", "₹", NULL, NULL },  { "HKD", "HK$", NULL, NULL }, { "TWD", "NT$", NULL, NULL },
  { "BRL", "R$", NULL, NULL },
};

static const char no_decimals[] =
  " BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF ";
static const char three_decimals[] = " BHD IQD JOD KWD LYD OMR TND ";

const char *const _kt_month_names[12] = { "January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December" };

static gboolean
is_language (const char *locale, const char *wanted)
{
  gsize n = strlen (wanted);

  if (strncmp (locale, wanted, n) == 0)
    return locale[n] == '\0' || strchr ("_-.@", locale[n]) != NULL;
  /* BCP 47 writes en-US. */
  return n == 5 && strncmp (locale, wanted, 2) == 0 && locale[2] == '-'
         && strncmp (locale + 3, wanted + 3, 2) == 0;
}

const KtHabits *
_kt_habits (const char *locale)
{
  for (guint i = 0; locale != NULL && i < G_N_ELEMENTS (habits); i++)
    if (is_language (locale, habits[i].locale))
      return &habits[i];
  return &habits[1];
}

/* ---- numbers ---- */

/* At least @decimals behind the point; more when they are not zeros. */
static char *
grouped (gint64 mantissa, guint scale, guint decimals, const KtHabits *habit)
{
  GString *out = g_string_new (NULL);
  char plain[40];
  const char *start = plain, *point;
  gsize whole, fraction;

  kt_decimal_format (mantissa, scale, plain, sizeof plain);
  if (*start == '-')
    {
      g_string_append_c (out, '-');
      start++;
    }
  point = strchr (start, '.');
  whole = point != NULL ? (gsize) (point - start) : strlen (start);
  fraction = point != NULL ? strlen (point + 1) : 0;

  for (gsize i = 0; i < whole; i++)
    {
      if (i > 0 && (whole - i) % 3 == 0)
        g_string_append (out, habit->group);
      g_string_append_c (out, start[i]);
    }
  if (fraction > 0 || decimals > 0)
    {
      g_string_append_c (out, habit->point);
      if (fraction > 0)
        g_string_append (out, point + 1);
      for (; fraction < decimals; fraction++)
        g_string_append_c (out, '0');
    }
  return g_string_free (out, FALSE);
}

static gboolean
is_among (const char *list, const char *code)
{
  char wanted[6] = { ' ', code[0], code[1], code[2], ' ', '\0' };

  return strstr (list, wanted) != NULL;
}

static char *
display_money (const KtValue *value, const KtHabits *habit)
{
  const char *code = value->currency, *sign = NULL;
  guint decimals = is_among (no_decimals, code) ? 0 : is_among (three_decimals, code) ? 3 : 2;
  g_autofree char *number = grouped (value->v.integer, value->scale, decimals, habit);
  const char *digits = *number == '-' ? number + 1 : number;
  const char *minus = *number == '-' ? "-" : "";

  for (guint i = 0; i < G_N_ELEMENTS (signs); i++)
    if (strcmp (signs[i].code, code) == 0)
      sign = signs[i].home != NULL && g_str_has_prefix (habit->locale, signs[i].home)
               ? signs[i].home_sign
               : signs[i].sign;

  if (habit->symbol_last)
    return g_strconcat (number, NBSP, sign != NULL ? sign : code, NULL);
  if (sign == NULL)
    return g_strconcat (minus, code, NBSP, digits, NULL);
  return g_strconcat (minus, sign, digits, NULL);
}

static char *
display_duration (gint64 seconds, const KtHabits *habit)
{
  GString *out = g_string_new (seconds < 0 ? "-" : NULL);
  guint64 rest = seconds < 0 ? 0 - (guint64) seconds : (guint64) seconds;
  const char *units[] = { habit->day, habit->hour, habit->minute, habit->second };
  static const guint sizes[] = { 86400, 3600, 60, 1 };
  gboolean any = FALSE;

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      guint64 count = rest / sizes[i];

      rest %= sizes[i];
      if (count == 0 && (any || sizes[i] > 1))
        continue;
      /* Chinese and Japanese are written without blanks; so are their units above. */
      g_string_append_printf (out, "%s%" G_GUINT64_FORMAT "%s",
                              any && units[i][0] == ' ' ? " " : "", count, units[i]);
      any = TRUE;
    }
  return g_string_free (out, FALSE);
}

/* ---- time ---- */

static void
append_date (GString *out, int year, int month, int day, const KtHabits *habit)
{
  for (const char *p = habit->date; *p != '\0'; p++)
    switch (*p)
      {
      case 'Y':
        g_string_append_printf (out, "%d", year);
        break;
      case 'M':
        g_string_append_printf (out, "%02d", month);
        break;
      case 'D':
        g_string_append_printf (out, "%02d", day);
        break;
      case 'm':
        g_string_append_printf (out, "%d", month);
        break;
      case 'd':
        g_string_append_printf (out, "%d", day);
        break;
      case 'b':
        g_string_append_len (out, _kt_month_names[month - 1], 3);
        break;
      default:
        g_string_append_c (out, *p);
      }
}

static char *
display_date (const char *text, const KtHabits *habit)
{
  GString *out;
  int year, month, day;

  if (!_kt_date_scan (text, strlen (text), &year, &month, &day))
    return g_strdup (text);
  out = g_string_new (NULL);
  append_date (out, year, month, day, habit);
  return g_string_free (out, FALSE);
}

static char *
display_date_time (const char *text, const KtHabits *habit)
{
  g_autoptr (GDateTime) instant = NULL;
  g_autoptr (GDateTime) local = NULL;
  GString *out;
  gboolean zoned;
  gint64 ms;

  if (!_kt_instant_scan (text, strlen (text), &ms, &zoned))
    return g_strdup (text);
  instant = g_date_time_new_from_unix_utc (ms / 1000 - (ms % 1000 < 0 ? 1 : 0));
  local = instant != NULL ? g_date_time_to_local (instant) : NULL;
  if (local == NULL)
    return g_strdup (text);

  out = g_string_new (NULL);
  append_date (out, g_date_time_get_year (local), g_date_time_get_month (local),
               g_date_time_get_day_of_month (local), habit);
  g_string_append_printf (out, "%s%02d:%02d", habit->time, g_date_time_get_hour (local),
                          g_date_time_get_minute (local));
  return g_string_free (out, FALSE);
}

/* ---- with parts ---- */

static char *
display_list (const KtField *field, const char *text, const char *locale, const KtHabits *habit)
{
  g_autoptr (KtJson) list = kt_json_parse (text, -1, NULL);
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < kt_json_length (list); i++)
    {
      const char *item = kt_json_string (kt_json_at (list, i), "");
      const KtOption *option =
        field->type == KT_FIELD_CHOICES ? kt_field_option (field, item) : NULL;

      if (i > 0)
        g_string_append (out, habit->list);
      g_string_append (out, option != NULL ? kt_option_label (option, locale) : item);
    }
  return g_string_free (out, FALSE);
}

static void
append_part (GString *out, const KtJson *address, const char *part, const char *separator)
{
  const char *text = kt_json_get_string (address, part, NULL);

  if (text == NULL)
    return;
  if (out->len > 0)
    g_string_append (out, separator);
  for (const char *p = text; *p != '\0'; p++)
    if (*p == '\n')
      g_string_append (out, ", ");
    else
      g_string_append_c (out, *p);
}

static char *
display_address (const char *text, const KtHabits *habit)
{
  g_autoptr (KtJson) address = kt_json_parse (text, -1, NULL);
  GString *out = g_string_new (NULL);

  if (habit->large_first)
    {
      append_part (out, address, "country", " ");
      append_part (out, address, "region", " ");
      append_part (out, address, "city", " ");
      append_part (out, address, "street", " ");
      append_part (out, address, "postcode", " ");
    }
  else if (habit->point == ',')
    {
      /* The continent writes 10115 Berlin. */
      append_part (out, address, "street", ", ");
      append_part (out, address, "postcode", ", ");
      append_part (out, address, "city", kt_json_get (address, "postcode") != NULL ? " " : ", ");
      append_part (out, address, "region", ", ");
      append_part (out, address, "country", ", ");
    }
  else
    {
      append_part (out, address, "street", ", ");
      append_part (out, address, "city", ", ");
      append_part (out, address, "region", ", ");
      append_part (out, address, "postcode", kt_json_get (address, "region") != NULL ? " " : ", ");
      append_part (out, address, "country", ", ");
    }
  return g_string_free (out, FALSE);
}

char *
kt_value_display (const KtField *field, const KtValue *value, const char *locale)
{
  const KtHabits *habit = _kt_habits (locale);
  const KtOption *option;

  g_return_val_if_fail (field != NULL, g_strdup (""));
  g_return_val_if_fail (value != NULL, g_strdup (""));

  switch ((KtValueType) value->type)
    {
    case KT_VALUE_NULL:
      return g_strdup ("");
    case KT_VALUE_BOOL:
      return g_strdup (value->v.integer != 0 ? habit->yes : habit->no);
    case KT_VALUE_INT:
      if (field->type == KT_FIELD_DURATION)
        return display_duration (value->v.integer, habit);
      if (g_strcmp0 (field->format, "plain") == 0)
        return g_strdup_printf ("%" G_GINT64_FORMAT, value->v.integer);
      return grouped (value->v.integer, 0, 0, habit);
    case KT_VALUE_DECIMAL:
      {
        g_autofree char *number = grouped (value->v.integer, value->scale, 0, habit);

        return g_strconcat (number, field->type == KT_FIELD_PERCENT ? habit->percent : "", NULL);
      }
    case KT_VALUE_MONEY:
      return display_money (value, habit);
    case KT_VALUE_ID:
    case KT_VALUE_ANY:
      return kt_id_to_string (&value->v.ref.id);
    case KT_VALUE_LIST:
      return display_list (field, value->v.text, locale, habit);
    case KT_VALUE_JSON:
      if (field->type == KT_FIELD_ADDRESS)
        return display_address (value->v.text, habit);
      return g_strdup (value->v.text);
    case KT_VALUE_TEXT:
    default:
      break;
    }

  switch (field->type)
    {
    case KT_FIELD_DATE:
      return display_date (value->v.text, habit);
    case KT_FIELD_DATE_TIME:
      return display_date_time (value->v.text, habit);
    case KT_FIELD_CHOICE:
      option = kt_field_option (field, value->v.text);
      return g_strdup (option != NULL ? kt_option_label (option, locale) : value->v.text);
    default:
      return g_strdup (value->v.text);
    }
}
