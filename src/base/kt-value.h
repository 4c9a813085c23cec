/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-id.h"
#include "base/kt-json.h"

G_BEGIN_DECLS

/* A field's value in canonical form. Two values of one field are equal exactly
 * when kt_value_equal says so: the digest, the merge and both databases rest on
 * that, so everything enters through kt_value_from_json / kt_value_parse, which
 * canonicalise:
 *
 *   storage  field types                                  canonical form
 *   NULL     any                                          also what "" is, for every type: blank is NULL
 *   BOOL     boolean                                      0 / 1
 *   INT      integer, duration (seconds)                  int64 of at most 18 digits
 *   DECIMAL  decimal, percent                             mantissa at the field's scale
 *   MONEY    money                                        mantissa at scale 4, ISO code "EUR"; two columns f, f_currency
 *   TEXT     text long_text rich_text email phone url     UTF-8 NFC, CRLF → LF, no U+0000; text/email/phone/url trimmed, no control characters
 *            choice                                       option code
 *            date                                         "2026-01-31", years 0001–9999
 *            date_time                                    "2026-01-31T08:00:00.000Z" (always UTC, always 24 bytes)
 *            auto_number, file, image                     text; file and image: id of a `file` record as text
 *   ID       ref                                          16 bytes
 *   ANY      ref_any                                      id + object name; two columns f, f_object
 *   LIST     choices tags many                            canonical JSON array of strings, sorted bytewise, no repeats
 *   JSON     json address                                 canonical JSON text (keys sorted, at most 16 levels); address: only known non-blank members
 *
 * A zeroed struct is NULL. Owned text is freed by kt_value_clear. */
typedef enum
{
  KT_VALUE_NULL,
  KT_VALUE_BOOL,
  KT_VALUE_INT,
  KT_VALUE_DECIMAL,
  KT_VALUE_MONEY,
  KT_VALUE_TEXT,
  KT_VALUE_ID,
  KT_VALUE_ANY,
  KT_VALUE_LIST,
  KT_VALUE_JSON,
} KtValueType;

struct _KtValue
{
  guint8 type;          /* KtValueType */
  guint8 borrowed;      /* text is not owned (points into a buffer that outlives the value) */
  guint8 scale;         /* DECIMAL, MONEY */
  char   currency[4];   /* MONEY */
  union
  {
    gint64      integer;   /* BOOL INT DECIMAL MONEY */
    char       *text;      /* TEXT LIST JSON; never NULL for those types, never "" */
    struct
    {
      KtId        id;      /* ID ANY */
      const char *object;  /* ANY: interned string */
    } ref;
  } v;
};

#define KT_VALUE_INIT ((KtValue) { 0 })

void     kt_value_clear  (KtValue *value);                       /* back to NULL */
void     kt_value_copy   (const KtValue *from, KtValue *to);     /* @to is uninitialised or cleared; always owns */
void     kt_value_move   (KtValue *from, KtValue *to);
gboolean kt_value_equal  (const KtValue *a, const KtValue *b);
/* Order for sorting in memory (NULL first, then by type); not by locale. */
int      kt_value_compare (const KtValue *a, const KtValue *b);
gboolean kt_value_is_null (const KtValue *value);

void kt_value_set_text  (KtValue *value, const char *text);      /* copies; "" and NULL give NULL. NOT canonicalised: for trusted text */
void kt_value_set_int   (KtValue *value, gint64 integer);
void kt_value_set_bool  (KtValue *value, gboolean boolean);
void kt_value_set_id    (KtValue *value, const KtId *id);        /* NULL: NULL */
void kt_value_set_any   (KtValue *value, const char *object, const KtId *id);

/* Wire form (JSON) ⇄ value, checked and canonicalised for @field: type, limits,
 * options (unless open), NFC. Error message names field label and what was
 * expected. INVALID or LIMIT. The reader form takes the token just returned by
 * kt_json_reader_next and may borrow its text when it is canonical already.
 *   boolean true · integer 12 · decimal, percent "12.5" (a JSON number is accepted, read lexically)
 *   money {"amount":"12.5","currency":"EUR"} · ref "uuid" · ref_any {"object":"account","id":"uuid"}
 *   choices, tags, many ["a","b"] · json anything · address {"street":…,"city":…,"region":…,"postcode":…,"country":…} */
gboolean kt_value_from_json   (const KtField *field, const KtJson *json, KtValue *out, GError **error);
gboolean kt_value_from_reader (const KtField *field, KtJsonReader *reader, KtJsonType token, KtValue *out, GError **error);
/* The same for values that were checked when they were written, perhaps against
 * an earlier schema (pulled rows, before-values, the ledger): form and type must
 * be right, but retired options, old targets and longer texts are taken. The JSON form also carries over what was
 * of another type then (kt_value_carry); a page of a pull is never of another schema. */
gboolean kt_value_load_json   (const KtField *field, const KtJson *json, KtValue *out, GError **error);
gboolean kt_value_load_reader (const KtField *field, KtJsonReader *reader, KtJsonType token, KtValue *out, GError **error);
/* A value of an earlier form of @field, whose type has changed since: what it is now, the same wherever it is
 * asked. INVALID: it cannot be that without losing something. @out is only written on success. */
gboolean kt_value_carry       (const KtField *field, const KtValue *old, KtValue *out, GError **error);
/* As kt_value_from_json (@stored: as kt_value_load_json), and what does not fit is carried over. The error is that of the former. */
gboolean kt_value_carry_json  (const KtField *field, const KtJson *json, gboolean stored, KtValue *out, GError **error);
void     kt_value_to_json     (const KtValue *value, KtJsonWriter *writer);
char    *kt_value_to_string   (const KtValue *value);            /* wire form as JSON text */

/* What a person or a script types (kontorctl FIELD=VALUE, a form entry, a CSV
 * cell): choices by code or by label in any language, dates in ISO or the
 * common spellings of @locale (2026/1/31, 31.1.2026, 2026年1月31日, "1996-07-04 00:00:00.000"),
 * yes/no/是/否/true/1, money "12.50 EUR" or "12.50" (then @currency, may be NULL → "XXX" is never made:
 * error), lists separated by ';' or ','. References are only taken as ids ("object:uuid" for
 * ref_any); names are resolved by whoever has a database. Empty gives NULL. */
gboolean kt_value_parse (const KtField *field, const char *text, const char *locale, const char *currency,
                         KtValue *out, GError **error);

/* For people: localised (dates, grouping, option labels). References give their
 * id; whoever has titles puts them instead. @locale like "zh_CN". Never NULL. */
char    *kt_value_display (const KtField *field, const KtValue *value, const char *locale);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtValue, kt_value_clear)

G_END_DECLS
