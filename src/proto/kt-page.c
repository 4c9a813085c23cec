/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A pull page, written and read row by row. The hot path of a first pull.
 *
 *   {"page":1,…}\n           head
 *   {"object":…,"fields":…}\n   block: what the rows below it are
 *   ["id",rev,value,…]\n     row
 *   {"gone":[…]}\n
 *   {"end":1,…,"crc":"…"}\n  end: covers every byte before the digits
 *
 * Reading allocates nothing per value: texts point into the page, lists and JSON
 * into one scratch string that each row starts anew. A page is verified whole
 * before its first event.                                                       */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-wire.h"

#include <string.h>
#include <zlib.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "base/kt-json.h"

#define PAGE_VERSION 1
#define CRC_DIGITS 8
#define CRC_MEMBER "\"crc\":\""
#define CRC_TAIL "\"}\n"
#define END_RESERVE 512 /* what finish will add, roughly */
#define MAX_GONE 1000   /* pairs of one line */
#define MAX_FIELDS 4096 /* of one block */
#define MAX_NAME 64

static guint32
checksum (const char *bytes, gsize len)
{
  return (guint32) crc32_z (0, (const Bytef *) bytes, len);
}

/* ---- writer ---- */

struct _KtPageWriter
{
  GString *out; /* owned */
  KtJsonWriter json;
  const KtObject *object; /* of the block, borrowed */
  const KtField **fields; /* owned array, borrowed entries */
  guint n_fields;
  guint rows;
  gint64 settled; /* -1: not told */
  KtId settled_id;
  guint gone;     /* pairs in the open {"gone": line; 0: none is open */
};

static void
end_line (KtPageWriter *writer)
{
  g_string_append_c (writer->out, '\n');
  writer->json.comma = FALSE;
}

static void
close_gone (KtPageWriter *writer)
{
  if (writer->gone == 0)
    return;
  kt_json_end_array (&writer->json);
  kt_json_end_object (&writer->json);
  end_line (writer);
  writer->gone = 0;
}

static void
put_id (KtJsonWriter *json, const KtId *id)
{
  char text[KT_ID_TEXT_SIZE];

  kt_id_format (id, text);
  kt_json_add_string_len (json, text, KT_ID_TEXT_SIZE - 1);
}

static KtPageWriter *
writer_new (const KtId *epoch,
            const char *mode,
            const char *schema_digest,
            const char *access_digest,
            gint64 rows_total)
{
  KtPageWriter *writer;

  writer = g_new0 (KtPageWriter, 1);
  writer->settled = -1;
  writer->out = g_string_sized_new (64 * 1024);
  writer->json = (KtJsonWriter) KT_JSON_WRITER (writer->out);
  kt_json_begin_object (&writer->json);
  kt_json_put_int (&writer->json, "page", PAGE_VERSION);
  kt_json_key (&writer->json, "epoch");
  put_id (&writer->json, epoch);
  kt_json_put_string (&writer->json, "mode", mode);
  kt_json_put_string (&writer->json, "schema", schema_digest);
  if (access_digest != NULL)
    kt_json_put_string (&writer->json, "access", access_digest);
  if (rows_total >= 0)
    kt_json_put_int (&writer->json, "rows_total", rows_total);
  kt_json_end_object (&writer->json);
  end_line (writer);
  return writer;
}

KtPageWriter *
kt_page_writer_new (const KtId *epoch,
                    gboolean snapshot,
                    const char *schema_digest,
                    gint64 rows_total)
{
  g_return_val_if_fail (epoch != NULL && schema_digest != NULL, NULL);

  return kt_page_writer_new_for (epoch, snapshot, schema_digest, NULL, rows_total);
}

KtPageWriter *
kt_page_writer_new_for (const KtId *epoch,
                        gboolean snapshot,
                        const char *schema_digest,
                        const char *access_digest,
                        gint64 rows_total)
{
  g_return_val_if_fail (epoch != NULL && schema_digest != NULL, NULL);

  return writer_new (epoch, snapshot ? "snapshot" : "changes", schema_digest, access_digest,
                     rows_total);
}

KtPageWriter *
kt_page_writer_new_repair (const KtId *epoch, const char *schema_digest)
{
  g_return_val_if_fail (epoch != NULL && schema_digest != NULL, NULL);

  return writer_new (epoch, "repair", schema_digest, NULL, -1);
}

void
kt_page_writer_block (KtPageWriter *writer,
                      const KtObject *object,
                      const KtField *const *fields,
                      guint n_fields)
{
  g_return_if_fail (writer != NULL && object != NULL && n_fields <= MAX_FIELDS);

  if (writer->object == object && writer->n_fields == n_fields
      && (n_fields == 0 || memcmp (writer->fields, fields, n_fields * sizeof *fields) == 0))
    return;

  close_gone (writer);
  g_free (writer->fields);
  writer->object = object;
  writer->fields = g_memdup2 (fields, n_fields * sizeof *fields);
  writer->n_fields = n_fields;

  kt_json_begin_object (&writer->json);
  kt_json_put_string (&writer->json, "object", object->name);
  kt_json_key (&writer->json, "fields");
  kt_json_begin_array (&writer->json);
  for (guint i = 0; i < n_fields; i++)
    kt_json_add_string (&writer->json, fields[i]->name);
  kt_json_end_array (&writer->json);
  kt_json_end_object (&writer->json);
  end_line (writer);
}

void
kt_page_writer_row (KtPageWriter *writer, const KtId *id, gint64 rev, const KtValue *values)
{
  g_return_if_fail (writer != NULL && writer->object != NULL && id != NULL);

  close_gone (writer);
  kt_json_begin_array (&writer->json);
  put_id (&writer->json, id);
  kt_json_add_int (&writer->json, rev);
  for (guint i = 0; i < writer->n_fields; i++)
    kt_value_to_json (&values[i], &writer->json);
  kt_json_end_array (&writer->json);
  end_line (writer);
  writer->rows++;
}

void
kt_page_writer_gone (KtPageWriter *writer, const KtObject *object, const KtId *id)
{
  g_return_if_fail (writer != NULL && object != NULL && id != NULL);

  if (writer->gone == MAX_GONE)
    close_gone (writer);
  if (writer->gone == 0)
    {
      kt_json_begin_object (&writer->json);
      kt_json_key (&writer->json, "gone");
      kt_json_begin_array (&writer->json);
    }
  kt_json_add_string (&writer->json, object->name);
  put_id (&writer->json, id);
  writer->gone++;
}

void
kt_page_writer_settled (KtPageWriter *writer, gint64 number, const KtId *id)
{
  g_return_if_fail (writer != NULL && number >= 0);

  writer->settled = number;
  writer->settled_id = id != NULL ? *id : KT_ID_NIL;
}

gsize
kt_page_writer_size (KtPageWriter *writer)
{
  g_return_val_if_fail (writer != NULL, 0);

  return writer->out->len + END_RESERVE;
}

guint
kt_page_writer_rows (KtPageWriter *writer)
{
  g_return_val_if_fail (writer != NULL, 0);

  return writer->rows;
}

GBytes *
kt_page_writer_finish (KtPageWriter *writer, const char *cursor, gboolean more, gint64 seq)
{
  GBytes *bytes;

  g_return_val_if_fail (writer != NULL && cursor != NULL, NULL);

  close_gone (writer);
  kt_json_begin_object (&writer->json);
  kt_json_put_int (&writer->json, "end", 1);
  kt_json_put_string (&writer->json, "cursor", cursor);
  kt_json_put_bool (&writer->json, "more", more);
  kt_json_put_int (&writer->json, "seq", seq);
  kt_json_put_int (&writer->json, "rows", writer->rows);
  if (writer->settled >= 0)
    kt_json_put_int (&writer->json, "settled", writer->settled);
  if (writer->settled >= 0 && !kt_id_is_nil (&writer->settled_id))
    {
      kt_json_key (&writer->json, "settled_id");
      put_id (&writer->json, &writer->settled_id);
    }
  g_string_append (writer->out, "," CRC_MEMBER);
  g_string_append_printf (writer->out, "%08x" CRC_TAIL,
                          checksum (writer->out->str, writer->out->len));
  bytes = g_string_free_to_bytes (writer->out);
  g_free (writer->fields);
  g_free (writer);
  return bytes;
}

/* ---- reader: the page as a whole ---- */

typedef struct
{
  KtPage page;      /* first: what the caller sees */
  KtSchema *schema; /* owned reference */
  char *buffer;     /* owned; unescaped in place */
  gsize len;
  char *at;     /* start of the next line */
  char *end;    /* start of the last line */
  char *cursor; /* owned until END */
  gboolean more;
  gint64 seq;
  gint64 settled;
  KtId settled_id;
  const KtObject *block; /* of the rows; NULL: unknown here. page.object also names gone ones */
  gboolean has_block;
  gboolean failed;
  guint row;         /* number of the row, for messages */
  KtJsonReader gone; /* inside a gone line */
  gboolean in_gone;
  GString *scratch; /* owned: lists and JSON of the current row */
} Page;

static gboolean page_fails (GError **error, KtError code, const char *format, ...)
  G_GNUC_PRINTF (3, 4);

static gboolean
page_fails (GError **error, KtError code, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL && *error == NULL)
    *error = g_error_new_valist (KT_ERROR, code, format, args);
  va_end (args);
  return FALSE;
}

static gboolean
read_head (Page *self, const char *line, gsize len, GError **error)
{
  g_autoptr (KtJson) json = kt_json_parse (line, (gssize) len, NULL);
  gint64 version = kt_json_get_int (json, "page", 0);
  const char *mode = kt_json_get_string (json, "mode", "");
  const char *digest = kt_json_get_string (json, "schema", NULL);
  const char *epoch = kt_json_get_string (json, "epoch", NULL);

  if (version > PAGE_VERSION)
    return page_fails (error, KT_ERROR_NEWER,
                       "The server sends pages of a newer form (%" G_GINT64_FORMAT
                       "): upgrade Kontor on this device",
                       version);
  if (version < 1 || epoch == NULL || digest == NULL || !kt_id_parse (epoch, -1, &self->page.epoch)
      || (strcmp (mode, "snapshot") != 0 && strcmp (mode, "changes") != 0
          && strcmp (mode, "repair") != 0))
    return page_fails (error, KT_ERROR_INVALID, "The page starts with a wrong line");
  self->page.snapshot = mode[0] == 's';
  self->page.repair = mode[0] == 'r';
  self->page.schema_digest = g_strdup (digest);
  self->page.access_digest = g_strdup (kt_json_get_string (json, "access", NULL));
  self->page.rows_total = kt_json_get_int (json, "rows_total", -1);
  return TRUE;
}

static gboolean
read_end (Page *self, const char *line, gsize len, guint rows, GError **error)
{
  g_autoptr (KtJson) json = kt_json_parse (line, (gssize) len, NULL);
  KtJson *more = kt_json_get (json, "more");
  const char *cursor = kt_json_get_string (json, "cursor", NULL);

  self->seq = kt_json_get_int (json, "seq", -1);
  if (kt_json_get_int (json, "end", 0) != 1 || cursor == NULL || self->seq < 0
      || (kt_json_type (more) != KT_JSON_TRUE && kt_json_type (more) != KT_JSON_FALSE))
    return page_fails (error, KT_ERROR_INVALID, "The page ends with a wrong line");
  if (kt_json_get_int (json, "rows", -1) != rows)
    return page_fails (error, KT_ERROR_INVALID, "The page does not hold as many rows as it says");
  self->settled = kt_json_get_int (json, "settled", -1);
  if (!kt_id_parse (kt_json_get_string (json, "settled_id", ""), -1, &self->settled_id))
    self->settled_id = KT_ID_NIL;
  self->more = kt_json_bool (more, FALSE);
  if (self->page.repair)
    self->page.seq = self->seq;
  self->cursor = g_strdup (cursor);
  return TRUE;
}

/* The last digits of the page against all that is before them. */
static gboolean
verify_checksum (const char *bytes, gsize len, GError **error)
{
  const gsize tail = strlen (CRC_TAIL), member = strlen (CRC_MEMBER);
  char digits[CRC_DIGITS + 1];
  gsize covered;

  if (len < tail + CRC_DIGITS + member || memcmp (bytes + len - tail, CRC_TAIL, tail) != 0
      || memcmp (bytes + len - tail - CRC_DIGITS - member, CRC_MEMBER, member) != 0)
    return page_fails (error, KT_ERROR_SERVER, "The page was cut short on the way; try again");
  covered = len - tail - CRC_DIGITS;
  g_snprintf (digits, sizeof digits, "%08x", checksum (bytes, covered));
  if (memcmp (digits, bytes + covered, CRC_DIGITS) != 0)
    return page_fails (error, KT_ERROR_SERVER, "The page was damaged on the way; try again");
  return TRUE;
}

/* Every line is an object or a row, none too long; finds head, end and the number of rows. */
static gboolean
verify_lines (Page *self, GError **error)
{
  char *line = self->buffer, *stop = self->buffer + self->len;
  guint rows = 0;

  self->at = NULL;
  while (line < stop)
    {
      char *newline = memchr (line, '\n', (gsize) (stop - line));
      gsize len = (gsize) (newline - line);

      if (len > KT_WIRE_MAX_LINE)
        return page_fails (error, KT_ERROR_LIMIT, "A line of the page is longer than %d MiB",
                           KT_WIRE_MAX_LINE / (1024 * 1024));
      if (*line != '{' && *line != '[')
        return page_fails (error, KT_ERROR_INVALID, "A line of the page is no JSON");
      rows += *line == '[';
      if (self->at == NULL)
        {
          if (!read_head (self, line, len, error))
            return FALSE;
          self->at = newline + 1;
        }
      else if (newline + 1 == stop)
        {
          self->end = line;
          return read_end (self, line, len, rows, error);
        }
      line = newline + 1;
    }
  return page_fails (error, KT_ERROR_INVALID, "The page has no end");
}

KtPage *
kt_page_open (const KtSchema *schema, GBytes *body, GError **error)
{
  g_autoptr (KtPage) page = NULL;
  Page *self;
  const char *data;
  gsize len;

  g_return_val_if_fail (schema != NULL && body != NULL, NULL);

  self = g_new0 (Page, 1);
  page = &self->page;
  page->settled = -1;
  self->schema = kt_schema_ref ((KtSchema *) schema);
  self->scratch = g_string_new (NULL);

  data = g_bytes_get_data (body, &len);
  if (len > KT_WIRE_MAX_BODY)
    page_fails (error, KT_ERROR_LIMIT, "The page is larger than %d MiB",
                KT_WIRE_MAX_BODY / (1024 * 1024));
  else if (len == 0)
    page_fails (error, KT_ERROR_SERVER, "The server sent an empty page; try again");
  else if (memcmp (data, "{\"page\":", MIN (len, 8)) != 0)
    page_fails (error, KT_ERROR_NOT_KONTOR,
                "What came is not a page of a Kontor server; check the address");
  else if (verify_checksum (data, len, error))
    {
      /* No copy when nobody else holds it. It ends in a newline: the writable byte behind every line. */
      self->buffer = g_bytes_unref_to_data (g_steal_pointer (&body), &self->len);
      if (verify_lines (self, error))
        return g_steal_pointer (&page);
    }
  g_clear_pointer (&body, g_bytes_unref);
  return NULL;
}

void
kt_page_free (KtPage *page)
{
  Page *self = (Page *) page;

  if (page == NULL)
    return;
  kt_schema_unref (self->schema);
  g_free (self->buffer);
  g_free (self->cursor);
  g_string_free (self->scratch, TRUE);
  g_free (page->schema_digest);
  g_free (page->access_digest);
  g_free (page->cursor);
  g_free (page->fields);
  g_free (page->values);
  g_free (self);
}

/* ---- reader: values ---- */

static gboolean
has_form (const char *text, gsize len, const char *form)
{
  if (len != strlen (form))
    return FALSE;
  for (; *form != '\0'; form++, text++)
    if (*form == 'd' ? !g_ascii_isdigit (*text) : *form != *text)
      return FALSE;
  return TRUE;
}

/* Those who show dates rely on their form. */
static gboolean
check_text (const KtField *field, const KtJsonReader *reader)
{
  if (field->type == KT_FIELD_DATE)
    return has_form (reader->text, reader->len, "dddd-dd-dd");
  if (field->type == KT_FIELD_DATE_TIME)
    return has_form (reader->text, reader->len, "dddd-dd-ddTdd:dd:dd.dddZ");
  return TRUE;
}

static gboolean
read_money (KtJsonReader *reader, KtValue *out)
{
  gboolean amount = FALSE, currency = FALSE;
  KtJsonType token;

  out->type = KT_VALUE_MONEY;
  out->scale = KT_MONEY_SCALE;
  while ((token = kt_json_reader_next (reader)) == KT_JSON_KEY)
    {
      gboolean is_amount = strcmp (reader->text, "amount") == 0;

      if (!is_amount && strcmp (reader->text, "currency") != 0)
        return FALSE;
      if (kt_json_reader_next (reader) != KT_JSON_STRING)
        return FALSE;
      if (is_amount)
        {
          amount = kt_decimal_parse (reader->text, (gssize) reader->len, KT_MONEY_SCALE,
                                     &out->v.integer, NULL);
          if (!amount)
            return FALSE;
        }
      else
        {
          currency = reader->len == 3;
          if (!currency)
            return FALSE;
          memcpy (out->currency, reader->text, 4);
        }
    }
  return token == KT_JSON_OBJECT_END && amount && currency;
}

static gboolean
read_any (const KtSchema *schema, KtJsonReader *reader, KtValue *out)
{
  gboolean has_id = FALSE;
  KtJsonType token;

  out->type = KT_VALUE_ANY;
  while ((token = kt_json_reader_next (reader)) == KT_JSON_KEY)
    {
      gboolean is_id = strcmp (reader->text, "id") == 0;

      if (!is_id && strcmp (reader->text, "object") != 0)
        return FALSE;
      if (kt_json_reader_next (reader) != KT_JSON_STRING)
        return FALSE;
      if (is_id)
        {
          has_id = kt_id_parse (reader->text, (gssize) reader->len, &out->v.ref.id);
          if (!has_id)
            return FALSE;
        }
      else
        {
          const KtObject *object = kt_schema_object (schema, reader->text);

          if (reader->len == 0 || reader->len > MAX_NAME)
            return FALSE;
          /* An object that only the server knows yet is still where it points. */
          out->v.ref.object = object != NULL ? object->name : g_intern_string (reader->text);
        }
    }
  return token == KT_JSON_OBJECT_END && has_id && out->v.ref.object != NULL;
}

/* Writes the value that @token starts as minified JSON. The reader bounds the depth. */
static gboolean
copy_json (KtJsonReader *reader, KtJsonType token, KtJsonWriter *writer)
{
  switch (token)
    {
    case KT_JSON_NULL:
      kt_json_add_null (writer);
      return TRUE;
    case KT_JSON_FALSE:
    case KT_JSON_TRUE:
      kt_json_add_bool (writer, token == KT_JSON_TRUE);
      return TRUE;
    case KT_JSON_NUMBER:
      kt_json_add_raw (writer, reader->text);
      return TRUE;
    case KT_JSON_STRING:
      kt_json_add_string_len (writer, reader->text, reader->len);
      return TRUE;
    case KT_JSON_ARRAY:
      kt_json_begin_array (writer);
      while ((token = kt_json_reader_next (reader)) != KT_JSON_ARRAY_END)
        if (!copy_json (reader, token, writer))
          return FALSE;
      kt_json_end_array (writer);
      return TRUE;
    case KT_JSON_OBJECT:
      kt_json_begin_object (writer);
      while ((token = kt_json_reader_next (reader)) == KT_JSON_KEY)
        {
          kt_json_key (writer, reader->text);
          if (!copy_json (reader, kt_json_reader_next (reader), writer))
            return FALSE;
        }
      kt_json_end_object (writer);
      return token == KT_JSON_OBJECT_END;
    default:
      return FALSE;
    }
}

/* Offsets for now: the scratch may move until the row is whole. */
static gboolean
read_into_scratch (Page *self, KtJsonReader *reader, KtJsonType token, KtValue *out)
{
  KtJsonWriter writer = KT_JSON_WRITER (self->scratch);
  gsize start = self->scratch->len;

  if (out->type == KT_VALUE_LIST)
    {
      guint n = 0;

      if (token != KT_JSON_ARRAY)
        return FALSE;
      kt_json_begin_array (&writer);
      for (; (token = kt_json_reader_next (reader)) == KT_JSON_STRING; n++)
        kt_json_add_string_len (&writer, reader->text, reader->len);
      if (token != KT_JSON_ARRAY_END)
        return FALSE;
      kt_json_end_array (&writer);
      if (n == 0)
        {
          g_string_truncate (self->scratch, start);
          *out = KT_VALUE_INIT;
          return TRUE;
        }
    }
  else if (!copy_json (reader, token, &writer))
    return FALSE;

  g_string_append_c (self->scratch, '\0');
  out->borrowed = TRUE;
  out->v.integer = (gint64) start;
  return TRUE;
}

static gboolean
read_value (Page *self, const KtField *field, KtJsonReader *reader, KtJsonType token, KtValue *out)
{
  *out = KT_VALUE_INIT;
  if (token == KT_JSON_NULL)
    return TRUE;

  switch (field->storage)
    {
    case KT_VALUE_BOOL:
      out->type = KT_VALUE_BOOL;
      out->v.integer = token == KT_JSON_TRUE;
      return token == KT_JSON_TRUE || token == KT_JSON_FALSE;
    case KT_VALUE_INT:
      out->type = KT_VALUE_INT;
      out->v.integer = reader->integer;
      return token == KT_JSON_NUMBER && reader->is_integer;
    case KT_VALUE_DECIMAL:
      out->type = KT_VALUE_DECIMAL;
      out->scale = (guint8) field->scale;
      return token == KT_JSON_STRING
             && kt_decimal_parse (reader->text, (gssize) reader->len, field->scale, &out->v.integer,
                                  NULL);
    case KT_VALUE_TEXT:
      if (token != KT_JSON_STRING || reader->len == 0 || !check_text (field, reader))
        return FALSE;
      out->type = KT_VALUE_TEXT;
      out->borrowed = TRUE;
      out->v.text = (char *) reader->text;
      return TRUE;
    case KT_VALUE_ID:
      out->type = KT_VALUE_ID;
      return token == KT_JSON_STRING
             && kt_id_parse (reader->text, (gssize) reader->len, &out->v.ref.id);
    case KT_VALUE_MONEY:
      return token == KT_JSON_OBJECT && read_money (reader, out);
    case KT_VALUE_ANY:
      return token == KT_JSON_OBJECT && read_any (self->schema, reader, out);
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      out->type = (guint8) field->storage;
      return read_into_scratch (self, reader, token, out);
    case KT_VALUE_NULL:
    default:
      return FALSE;
    }
}

/* ---- reader: lines ---- */

static gboolean
row_fails (Page *self, const KtField *field, GError **error)
{
  return page_fails (
    error, KT_ERROR_INVALID, "Row %u of the page (%s): %s%s is not as it should be", self->row,
    self->page.object != NULL ? self->page.object->name : "unknown",
    field != NULL ? "the value of " : "its form", field != NULL ? field->name : "");
}

static gboolean
skip_value (KtJsonReader *reader, KtJsonType token)
{
  if (token == KT_JSON_ARRAY || token == KT_JSON_OBJECT)
    return kt_json_reader_skip (reader);
  return token < KT_JSON_ARRAY;
}

static gboolean
read_row (Page *self, KtJsonReader *reader, GError **error)
{
  KtPage *page = &self->page;
  KtJsonType token;

  self->row++;
  page->object = self->block;
  g_string_truncate (self->scratch, 0);
  if (!self->has_block || kt_json_reader_next (reader) != KT_JSON_ARRAY
      || kt_json_reader_next (reader) != KT_JSON_STRING
      || !kt_id_parse (reader->text, (gssize) reader->len, &page->id)
      || kt_json_reader_next (reader) != KT_JSON_NUMBER || !reader->is_integer
      || reader->integer < 0)
    return row_fails (self, NULL, error);
  page->rev = reader->integer;
  if (page->object == NULL)
    return TRUE;

  for (guint i = 0; i < page->n_fields; i++)
    {
      token = kt_json_reader_next (reader);
      if (page->fields[i] != NULL)
        {
          if (!read_value (self, page->fields[i], reader, token, &page->values[i]))
            return row_fails (self, page->fields[i], error);
        }
      else if (!skip_value (reader, token))
        return row_fails (self, NULL, error);
      else
        page->skipped_values += token != KT_JSON_NULL;
    }
  if (kt_json_reader_next (reader) != KT_JSON_ARRAY_END
      || kt_json_reader_next (reader) != KT_JSON_END)
    return row_fails (self, NULL, error);

  for (guint i = 0; i < page->n_fields; i++)
    if (page->values[i].type == KT_VALUE_LIST || page->values[i].type == KT_VALUE_JSON)
      page->values[i].v.text = self->scratch->str + page->values[i].v.integer;
  return TRUE;
}

static gboolean
read_block (Page *self, const KtJson *json, GError **error)
{
  KtPage *page = &self->page;
  const char *name = kt_json_get_string (json, "object", NULL);
  KtJson *fields = kt_json_get (json, "fields");
  guint n = kt_json_length (fields);

  if (name == NULL || kt_json_type (fields) != KT_JSON_ARRAY || n > MAX_FIELDS)
    return page_fails (error, KT_ERROR_INVALID, "A block of the page is not as it should be");

  self->block = page->object = kt_schema_object (self->schema, name);
  page->n_fields = n;
  g_free (page->fields);
  g_free (page->values);
  page->fields = g_new0 (const KtField *, n + 1);
  page->values = g_new0 (KtValue, n + 1);
  self->has_block = TRUE;
  for (guint i = 0; i < n; i++)
    {
      const char *field = kt_json_string (kt_json_at (fields, i), NULL);

      if (field == NULL)
        return page_fails (error, KT_ERROR_INVALID, "A block of the page is not as it should be");
      if (page->object != NULL)
        page->fields[i] = kt_object_field (page->object, field);
      for (guint k = 0; k < i && page->fields[i] != NULL; k++)
        if (page->fields[k] == page->fields[i])
          return page_fails (error, KT_ERROR_INVALID, "A block of the page names %s twice", field);
    }
  return TRUE;
}

/* Next pair of a gone line. FALSE without error: the line is done. */
static gboolean
read_gone (Page *self, GError **error)
{
  KtPage *page = &self->page;
  KtJsonType token = kt_json_reader_next (&self->gone);

  if (token == KT_JSON_ARRAY_END)
    {
      self->in_gone = FALSE;
      if (kt_json_reader_next (&self->gone) != KT_JSON_OBJECT_END
          || kt_json_reader_next (&self->gone) != KT_JSON_END)
        page_fails (error, KT_ERROR_INVALID, "A gone line of the page is not as it should be");
      return FALSE;
    }
  if (token == KT_JSON_STRING)
    {
      page->object = kt_schema_object (self->schema, self->gone.text);
      if (kt_json_reader_next (&self->gone) == KT_JSON_STRING
          && kt_id_parse (self->gone.text, (gssize) self->gone.len, &page->id))
        return TRUE;
    }
  return page_fails (error, KT_ERROR_INVALID, "A gone line of the page is not as it should be");
}

/* ---- reader: events ---- */

static gboolean
open_gone (Page *self, char *line, gsize len, GError **error)
{
  kt_json_reader_init (&self->gone, line, len);
  if (kt_json_reader_next (&self->gone) != KT_JSON_OBJECT
      || kt_json_reader_next (&self->gone) != KT_JSON_KEY || strcmp (self->gone.text, "gone") != 0
      || kt_json_reader_next (&self->gone) != KT_JSON_ARRAY)
    return page_fails (error, KT_ERROR_INVALID, "A gone line of the page is not as it should be");
  self->in_gone = TRUE;
  return TRUE;
}

/* One line, or one pair of a gone line. *event is set when there is something to tell. */
static gboolean
advance (Page *self, KtPageEvent *event, GError **error)
{
  KtPage *page = &self->page;
  char *line = self->at;
  gsize len;

  if (self->in_gone)
    {
      g_autoptr (GError) failure = NULL;

      if (read_gone (self, &failure))
        {
          /* What has no place here was never stored here. */
          *event = page->object != NULL ? KT_PAGE_GONE : KT_PAGE_ERROR;
          return TRUE;
        }
      if (failure == NULL)
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }

  if (line == self->end)
    {
      if (page->cursor == NULL)
        page->cursor = g_steal_pointer (&self->cursor);
      page->more = self->more;
      page->seq = self->seq;
      page->settled = self->settled;
      page->settled_id = self->settled_id;
      *event = KT_PAGE_END;
      return TRUE;
    }

  len = (gsize) ((char *) memchr (line, '\n', (gsize) (self->end - line)) - line);
  self->at = line + len + 1;
  if (*line == '[')
    {
      KtJsonReader reader;

      kt_json_reader_init (&reader, line, len);
      if (!read_row (self, &reader, error))
        return FALSE;
      if (page->object == NULL)
        page->skipped_rows++;
      else
        *event = KT_PAGE_ROW;
      return TRUE;
    }
  if (len > 7 && memcmp (line, "{\"gone\"", 7) == 0)
    return open_gone (self, line, len, error);

  g_autoptr (KtJson) json = kt_json_parse (line, (gssize) len, error);

  return json != NULL && read_block (self, json, error);
}

KtPageEvent
kt_page_next (KtPage *page, GError **error)
{
  Page *self = (Page *) page;
  KtPageEvent event = KT_PAGE_ERROR;

  g_return_val_if_fail (page != NULL, KT_PAGE_ERROR);

  if (self->failed)
    {
      page_fails (error, KT_ERROR_INVALID, "The page was given up");
      return KT_PAGE_ERROR;
    }
  while (event == KT_PAGE_ERROR)
    if (!advance (self, &event, error))
      {
        self->failed = TRUE;
        return KT_PAGE_ERROR;
      }
  return event;
}
