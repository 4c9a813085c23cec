/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-types.h"

G_BEGIN_DECLS

/* One JSON codec for wire, schema files, patches and the command line (why not
 * json-glib: docs/decisions/json.md). RFC 8259, UTF-8 checked, no duplicate
 * keys, no U+0000 in strings, no unpaired surrogates, bounded depth.
 *
 * Two faces over one tokenizer:
 *  - KtJsonReader: pull parser, in place over a mutable buffer; strings are
 *    unescaped where they stand and NUL-terminated: no allocation per value.
 *  - KtJson: a small immutable tree for everything that is not hot.           */

#define KT_JSON_MAX_DEPTH 32

typedef enum
{
  KT_JSON_NULL,
  KT_JSON_FALSE,
  KT_JSON_TRUE,
  KT_JSON_NUMBER,      /* lexical text kept; as int64 when it is one */
  KT_JSON_STRING,
  KT_JSON_ARRAY,
  KT_JSON_OBJECT,
  KT_JSON_KEY,         /* reader only, from here on */
  KT_JSON_ARRAY_END,
  KT_JSON_OBJECT_END,
  KT_JSON_END,
  KT_JSON_ERROR,
} KtJsonType;

typedef struct
{
  char       *at, *end, *start;      /* private */
  char       *held_at;               /* private: where a number's NUL replaced a delimiter */
  char       *line_start;            /* private */
  guint       depth, expect, line;   /* private */
  char        held;                  /* private */
  guint8      stack[KT_JSON_MAX_DEPTH];
  const char *text;                  /* of STRING, KEY: NUL-terminated, valid while the buffer is; of NUMBER: until the next call */
  gsize       len;
  gint64      integer;               /* of NUMBER when is_integer */
  gboolean    is_integer;
  const char *problem;               /* of ERROR: static text */
  gsize       raw_start, raw_end;    /* byte offsets of the last token (valid for NUMBER, brackets) */
} KtJsonReader;

/* @buffer is modified and must have one writable byte after @len. Duplicate keys
 * are NOT checked by the reader (the tree checks them). */
void       kt_json_reader_init   (KtJsonReader *reader, char *buffer, gsize len);
KtJsonType kt_json_reader_next   (KtJsonReader *reader);
/* After ARRAY or OBJECT was returned: skips to behind its end. FALSE: error. */
gboolean   kt_json_reader_skip   (KtJsonReader *reader);
/* Line and column (from 1; in bytes) of the current token, for messages. */
void       kt_json_reader_place  (const KtJsonReader *reader, guint *line, guint *column);

/* ---- tree ---- */
KtJson     *kt_json_parse     (const char *text, gssize len, GError **error);   /* INVALID: "line 3, column 7: …", LIMIT */
KtJson     *kt_json_parse_file (const char *path, gsize max_bytes, GError **error);   /* kt-file.c; messages start with the file's name */
/* The value whose first token was just returned by kt_json_reader_next, as a
 * tree. Its strings are borrowed from the reader's buffer, which must outlive it. */
KtJson     *kt_json_from_reader (KtJsonReader *reader, KtJsonType token, GError **error);
KtJson     *kt_json_ref       (KtJson *json);
void        kt_json_unref     (KtJson *json);    /* accepts NULL */
KtJsonType  kt_json_type      (const KtJson *json);     /* NULL pointer: KT_JSON_NULL; all accessors accept NULL */
guint       kt_json_line      (const KtJson *json);     /* where it stood; 0 unknown */
/* Members: borrowed, NULL when absent or not an object. */
KtJson     *kt_json_get       (const KtJson *object, const char *key);
guint       kt_json_length    (const KtJson *json);     /* elements or members */
KtJson     *kt_json_at        (const KtJson *json, guint index);       /* element or member value */
const char *kt_json_key_at    (const KtJson *object, guint index);
/* Typed reads with a fallback when absent or of another type. Borrowed strings. */
const char *kt_json_string    (const KtJson *json, const char *fallback);
const char *kt_json_number    (const KtJson *json);      /* a NUMBER as it was written, else NULL */
gint64      kt_json_int       (const KtJson *json, gint64 fallback);
gboolean    kt_json_bool      (const KtJson *json, gboolean fallback);
const char *kt_json_get_string (const KtJson *object, const char *key, const char *fallback);
gint64      kt_json_get_int   (const KtJson *object, const char *key, gint64 fallback);
gboolean    kt_json_get_bool  (const KtJson *object, const char *key, gboolean fallback);
/* {"en": "Account", "zh_CN": "客户"} or a plain string: best text for @locale
 * ("zh_CN", "en"): exact, language, "en", first. Borrowed. */
const char *kt_json_localized (const KtJson *json, const char *locale, const char *fallback);

/* Minified; object keys in their order, or sorted bytewise when @canonical. */
char       *kt_json_to_string (const KtJson *json, gboolean canonical);
void        kt_json_append    (const KtJson *json, GString *out, gboolean canonical);
/* Canonical minified form of a JSON text (keys sorted, numbers as written).  */
char       *kt_json_canonical (const char *text, gssize len, GError **error);

/* ---- writer: appends to a GString; commas are placed by itself ---- */
typedef struct
{
  GString *out;        /* borrowed */
  gboolean comma;      /* private */
} KtJsonWriter;

#define KT_JSON_WRITER(gstring) { (gstring), FALSE }
void kt_json_begin_object (KtJsonWriter *w);
void kt_json_end_object   (KtJsonWriter *w);
void kt_json_begin_array  (KtJsonWriter *w);
void kt_json_end_array    (KtJsonWriter *w);
void kt_json_key          (KtJsonWriter *w, const char *key);
void kt_json_add_string   (KtJsonWriter *w, const char *text);              /* NULL: null */
void kt_json_add_string_len (KtJsonWriter *w, const char *text, gsize len);
void kt_json_add_int      (KtJsonWriter *w, gint64 value);
void kt_json_add_bool     (KtJsonWriter *w, gboolean value);
void kt_json_add_null     (KtJsonWriter *w);
void kt_json_add_raw      (KtJsonWriter *w, const char *json);              /* a finished JSON text */
/* key + value in one call */
void kt_json_put_string   (KtJsonWriter *w, const char *key, const char *text);
void kt_json_put_int      (KtJsonWriter *w, const char *key, gint64 value);
void kt_json_put_bool     (KtJsonWriter *w, const char *key, gboolean value);
void kt_json_put_raw      (KtJsonWriter *w, const char *key, const char *json);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtJson, kt_json_unref)

G_END_DECLS
