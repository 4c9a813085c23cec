/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-schema.h"
#include "base/kt-value.h"

G_BEGIN_DECLS

#define KT_TAG_MAX         100       /* characters of one tag */
#define KT_OPEN_CHOICE_MAX 255       /* characters of a choice that is not among the options */
#define KT_STREET_MAX      1000
#define KT_ADDRESS_PART_MAX 255
#define KT_JSON_VALUE_MAX  262144    /* bytes, canonical */

#define KT_N_ADDRESS_PARTS 5
/* In canonical (bytewise) order. */
extern const char *const _kt_address_parts[KT_N_ADDRESS_PARTS];

/* Errors about a value start with the label of its field; @format has the rest of the sentence. */
void _kt_value_fail (const KtField *field, int code, GError **error, const char *format, ...) G_GNUC_PRINTF (4, 5);
/* INVALID: "Label: "@text" @what". */
void _kt_value_fail_text (const KtField *field, GError **error, const char *text, const char *what);

/* Canonical already, so that it can be taken as it stands? */
gboolean _kt_text_is_clean (const char *text, gsize len, gboolean multiline);
/* Canonical form of any UTF-8: *out new, NULL when nothing is left. @max 0: no limit. */
gboolean _kt_value_clean (const KtField *field, const char *text, gsize len, gboolean multiline, guint max,
                          char **out, GError **error);
gboolean _kt_value_check_length (const KtField *field, const char *text, gsize len, guint max, GError **error);
/* Compatibility forms to plain ones, white space trimmed: １ → 1, ： → :. g_free. */
char *_kt_value_plain (const char *text);
gboolean _kt_value_parse_temporal (const KtField *field, const char *text, const char *locale, KtValue *out, GError **error);
gboolean _kt_value_parse_duration (const KtField *field, const char *text, KtValue *out, GError **error);

/* kt_value_load_json without carrying over. */
gboolean _kt_value_load_exactly (const KtField *field, const KtJson *json, KtValue *out, GError **error);

/* As if @text had come over the wire as a JSON string. */
gboolean _kt_value_take_string (const KtField *field, const char *text, KtValue *out, GError **error);

/* Takes the texts of @items (char*, canonical or not), checks and sorts them into a LIST. */
gboolean _kt_value_take_list (const KtField *field, GPtrArray *items, KtValue *out, GError **error);

/* Calendar. Both check the calendar; date_time: milliseconds since 1970 UTC ⇄ 24 bytes. */
gboolean _kt_date_valid  (int year, int month, int day);
void     _kt_date_format (int year, int month, int day, char out[11]);
gboolean _kt_date_scan   (const char *text, gsize len, int *year, int *month, int *day);   /* YYYY-MM-DD only */
gint64   _kt_days_from_civil (int year, int month, int day);
void     _kt_civil_from_days (gint64 days, int *year, int *month, int *day);
gboolean _kt_instant_format (gint64 ms, char out[25]);          /* FALSE: outside the years 0001–9999 */
gboolean _kt_instant_scan   (const char *text, gsize len, gint64 *ms, gboolean *zoned);   /* ISO; @zoned FALSE: as if UTC */

/* The habits of a locale that need no translation. */
typedef struct
{
  const char *locale;       /* "en", or "en_US" where a country has its own */
  char        point;        /* decimal point */
  const char *group;        /* between groups of three */
  const char *percent;      /* behind the number */
  gboolean    symbol_last;  /* 12 € */
  const char *date;         /* d, m: plain; D, M: two digits; b: English short month; Y */
  const char *time;         /* between date and time */
  const char *yes, *no;
  const char *list;         /* between elements */
  gboolean    large_first;  /* addresses from the country down to the street */
  const char *day, *hour, *minute, *second;   /* behind the numbers of a duration */
} KtHabits;

const KtHabits *_kt_habits (const char *locale);
extern const char *const _kt_month_names[12];     /* English, in full */

G_END_DECLS
