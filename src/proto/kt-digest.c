/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-digest.h"

#include <nettle/sha2.h>
#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-id.h"
#include "base/kt-json.h"

#define ID_TEXT (KT_ID_TEXT_SIZE - 1)

/* ---- the bytes of a record ----
 * Gathered in one buffer and hashed in one go: most are smaller than what stands on the stack. */

typedef struct
{
  guint8 *at, *end; /* of data */
  guint8 *data;
  guint8 *owned; /* NULL: data is on the stack */
} Bytes;

static void
grow (Bytes *bytes, gsize more)
{
  gsize used = (gsize) (bytes->at - bytes->data);
  gsize size = 2 * MAX ((gsize) (bytes->end - bytes->data), used + more);
  guint8 *data = g_malloc (size);

  memcpy (data, bytes->data, used);
  g_free (bytes->owned);
  bytes->owned = bytes->data = data;
  bytes->at = data + used;
  bytes->end = data + size;
}

static inline void
put (Bytes *bytes, const void *data, gsize len)
{
  if (G_UNLIKELY ((gsize) (bytes->end - bytes->at) < len))
    grow (bytes, len);
  memcpy (bytes->at, data, len);
  bytes->at += len;
}

static inline void
put_id (Bytes *bytes, const guint8 *id)
{
  static const char digits[] = "0123456789abcdef";
  char text[ID_TEXT];
  char *at = text;

  for (guint i = 0; i < 16; i++)
    {
      if (i == 4 || i == 6 || i == 8 || i == 10)
        *at++ = '-';
      *at++ = digits[id[i] >> 4];
      *at++ = digits[id[i] & 15];
    }
  put (bytes, text, sizeof text);
}

static void
put_int (Bytes *bytes, gint64 integer)
{
  char text[32];
  char *at = text + sizeof text;
  guint64 magnitude = integer < 0 ? 0 - (guint64) integer : (guint64) integer;

  do
    *--at = (char) ('0' + magnitude % 10);
  while ((magnitude /= 10) > 0);
  if (integer < 0)
    *--at = '-';
  put (bytes, at, (gsize) (text + sizeof text - at));
}

static void
put_decimal (Bytes *bytes, gint64 mantissa, guint scale)
{
  char text[32];

  kt_decimal_format (mantissa, scale, text, sizeof text);
  put (bytes, text, strlen (text));
}

#define PUT_LITERAL(bytes, text) put ((bytes), (text), sizeof (text) - 1)

static void
put_money (Bytes *bytes, gint64 mantissa, guint scale, const char *currency, gsize len)
{
  PUT_LITERAL (bytes, "{\"amount\":\"");
  put_decimal (bytes, mantissa, scale);
  PUT_LITERAL (bytes, "\",\"currency\":\"");
  put (bytes, currency, len);
  PUT_LITERAL (bytes, "\"}");
}

static void
put_any (Bytes *bytes, const guint8 *id, const char *object, gsize len)
{
  PUT_LITERAL (bytes, "{\"id\":\"");
  put_id (bytes, id);
  PUT_LITERAL (bytes, "\",\"object\":\"");
  put (bytes, object, len);
  PUT_LITERAL (bytes, "\"}");
}

/* JSON is stored canonical. One that is a string is a string. */
static void
put_json (Bytes *bytes, const char *text, gsize len)
{
  g_autoptr (KtJson) json = NULL;
  const char *string = NULL;

  if (text[0] == '"')
    {
      json = kt_json_parse (text, (gssize) len, NULL);
      string = kt_json_string (json, NULL);
    }
  if (string != NULL)
    put (bytes, string, strlen (string));
  else
    put (bytes, text, len);
}

static inline void
put_bool (Bytes *bytes, gboolean boolean)
{
  if (boolean)
    PUT_LITERAL (bytes, "true");
  else
    PUT_LITERAL (bytes, "false");
}

static inline void
begin_record (Bytes *bytes, const KtObject *object, const guint8 *id)
{
  put (bytes, object->name, strlen (object->name) + 1);
  put_id (bytes, id);
  put (bytes, "", 1);
}

static void
end_record (Bytes *bytes, KtDigest *out)
{
  struct sha256_ctx sha;
  guint8 sum[KT_DIGEST_BYTES];

  sha256_init (&sha);
  sha256_update (&sha, (gsize) (bytes->at - bytes->data), bytes->data);
  sha256_digest (&sha, sizeof sum, sum);
  kt_digest_get (sum, 1, out);
  g_free (bytes->owned);
}

static void
put_value (Bytes *bytes, const KtValue *value)
{
  switch ((KtValueType) value->type)
    {
    case KT_VALUE_BOOL:
      put_bool (bytes, value->v.integer != 0);
      break;
    case KT_VALUE_INT:
      put_int (bytes, value->v.integer);
      break;
    case KT_VALUE_DECIMAL:
      put_decimal (bytes, value->v.integer, value->scale);
      break;
    case KT_VALUE_MONEY:
      put_money (bytes, value->v.integer, value->scale, value->currency, strlen (value->currency));
      break;
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
      put (bytes, value->v.text, strlen (value->v.text));
      break;
    case KT_VALUE_JSON:
      put_json (bytes, value->v.text, strlen (value->v.text));
      break;
    case KT_VALUE_ID:
      put_id (bytes, value->v.ref.id.b);
      break;
    case KT_VALUE_ANY:
      put_any (bytes, value->v.ref.id.b, value->v.ref.object, strlen (value->v.ref.object));
      break;
    case KT_VALUE_NULL:
    default:
      g_assert_not_reached ();
    }
}

void
kt_digest_of (const KtRecord *record, KtDigest *out)
{
  const KtObject *object;
  guint8 space[2048];
  Bytes bytes = { space, space + sizeof space, space, NULL };

  g_return_if_fail (record != NULL && out != NULL);

  object = record->object;
  begin_record (&bytes, object, record->id.b);
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->by_name[i];
      const KtValue *value = &record->values[field->index];

      if (kt_value_is_null (value))
        continue;
      put (&bytes, field->name, strlen (field->name) + 1);
      put_value (&bytes, value);
      put (&bytes, "", 1);
    }
  end_record (&bytes, out);
}

/* ---- from a row ---- */

static inline guint
width_of (const KtField *field)
{
  return field->storage == KT_VALUE_MONEY || field->storage == KT_VALUE_ANY ? 2 : 1;
}

/* What is asked of every field of every row, close together: schema fields are large and lie far apart. */
typedef struct
{
  const char *name; /* in names */
  guint16 name_len; /* with its NUL */
  guint8 storage, scale, width;
} FormField;

struct _KtDigestForm
{
  char *head; /* name of the object, with its NUL */
  guint head_len;
  guint n;
  GString *names;
  FormField fields[];
};

KtDigestForm *
kt_digest_form_new (const KtObject *object)
{
  KtDigestForm *form = g_malloc0 (sizeof *form + object->n_fields * sizeof *form->fields);
  gsize at = 0;

  form->head = g_strdup (object->name);
  form->head_len = (guint) strlen (object->name) + 1;
  form->n = object->n_fields;
  form->names = g_string_new (NULL);
  for (guint i = 0; i < form->n; i++)
    g_string_append_len (form->names, object->by_name[i]->name,
                         (gssize) strlen (object->by_name[i]->name) + 1);
  for (guint i = 0; i < form->n; i++)
    {
      const KtField *field = object->by_name[i];

      form->fields[i] = (FormField){ form->names->str + at, (guint16) (strlen (field->name) + 1),
                                     (guint8) field->storage, (guint8) field->scale,
                                     (guint8) width_of (field) };
      at += form->fields[i].name_len;
    }
  return form;
}

void
kt_digest_form_free (KtDigestForm *form)
{
  if (form == NULL)
    return;
  g_free (form->head);
  g_string_free (form->names, TRUE);
  g_free (form);
}

/* What kt_table_value takes for null is left out here as well. FALSE: it is. */
static inline gboolean
is_there (KtValueType storage, const KtCell *cell)
{
  switch (storage)
    {
    case KT_VALUE_ID:
      return cell[0].type == KT_CELL_BLOB && cell[0].len == 16;
    case KT_VALUE_ANY:
      return cell[0].type == KT_CELL_BLOB && cell[0].len == 16 && cell[1].type == KT_CELL_TEXT;
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      return cell[0].type == KT_CELL_TEXT;
    default:
      return cell[0].type == KT_CELL_INT;
    }
}

static inline void
put_cell (Bytes *bytes, const FormField *field, const KtCell *cell)
{
  switch ((KtValueType) field->storage)
    {
    case KT_VALUE_BOOL:
      put_bool (bytes, cell->v.integer != 0);
      break;
    case KT_VALUE_INT:
      put_int (bytes, cell->v.integer);
      break;
    case KT_VALUE_DECIMAL:
      put_decimal (bytes, cell->v.integer, field->scale);
      break;
    case KT_VALUE_MONEY:
      if (cell[1].type == KT_CELL_TEXT)
        put_money (bytes, cell->v.integer, field->scale, (const char *) cell[1].v.bytes,
                   MIN (cell[1].len, 3));
      else
        put_money (bytes, cell->v.integer, field->scale, "", 0);
      break;
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
      put (bytes, cell->v.bytes, cell->len);
      break;
    case KT_VALUE_JSON:
      put_json (bytes, (const char *) cell->v.bytes, cell->len);
      break;
    case KT_VALUE_ID:
      put_id (bytes, cell->v.bytes);
      break;
    case KT_VALUE_ANY:
      put_any (bytes, cell->v.bytes, (const char *) cell[1].v.bytes, cell[1].len);
      break;
    case KT_VALUE_NULL:
    default:
      g_assert_not_reached ();
    }
}

guint
kt_digest_n_cells (const KtObject *object)
{
  guint n = 1;

  for (guint i = 0; i < object->n_fields; i++)
    n += width_of (object->by_name[i]);
  return n;
}

gboolean
kt_digest_same_form (const KtObject *before, const KtObject *after)
{
  if (strcmp (before->name, after->name) != 0 || before->n_fields != after->n_fields)
    return FALSE;
  for (guint i = 0; i < before->n_fields; i++)
    {
      const KtField *a = before->by_name[i];
      const KtField *b = after->by_name[i];

      if (strcmp (a->name, b->name) != 0 || a->storage != b->storage || a->scale != b->scale)
        return FALSE;
    }
  return TRUE;
}

void
kt_digest_cells (const KtDigestForm *form, const KtCell *cells, KtDigest *out)
{
  static const guint8 nil[16] = { 0 };
  guint8 space[2048];
  Bytes bytes = { space, space + sizeof space, space, NULL };
  const KtCell *cell = cells + 1;

  put (&bytes, form->head, form->head_len);
  put_id (&bytes, cells[0].type == KT_CELL_BLOB && cells[0].len == 16 ? cells[0].v.bytes : nil);
  put (&bytes, "", 1);
  for (const FormField *field = form->fields; field < form->fields + form->n; field++)
    {
      if (is_there (field->storage, cell))
        {
          put (&bytes, field->name, field->name_len);
          put_cell (&bytes, field, cell);
          put (&bytes, "", 1);
        }
      cell += field->width;
    }
  end_record (&bytes, out);
}

/* ---- sums ---- */

void
kt_digest_add (KtDigest *digest, const KtRecord *record)
{
  KtDigest one;

  g_return_if_fail (digest != NULL && record != NULL);

  kt_digest_of (record, &one);
  kt_digest_join (digest, &one);
}

/* ---- text ---- */

void
kt_digest_hex (const KtDigest *digest, char out[KT_DIGEST_HEX_SIZE])
{
  g_snprintf (out, KT_DIGEST_HEX_SIZE, "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
              digest->high, digest->low);
}

char *
kt_digest_string (const KtDigest *digest)
{
  char hex[KT_DIGEST_HEX_SIZE];

  g_return_val_if_fail (digest != NULL, NULL);

  kt_digest_hex (digest, hex);
  return g_strdup_printf ("%" G_GUINT64_FORMAT ":%s", digest->records, hex);
}

static int
hex_digit (char c)
{
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static gboolean
parse_hex (const char *text, guint8 *out, gsize n)
{
  for (gsize i = 0; i < n; i++)
    {
      int high = hex_digit (text[2 * i]);
      int low = high < 0 ? -1 : hex_digit (text[2 * i + 1]);

      if (low < 0)
        return FALSE;
      out[i] = (guint8) (high << 4 | low);
    }
  return text[2 * n] == '\0';
}

gboolean
kt_digest_parse (const char *text, KtDigest *out)
{
  guint8 bytes[KT_DIGEST_BYTES];
  guint64 records;
  char *end;

  if (text == NULL || !g_ascii_isdigit (*text))
    return FALSE;
  records = g_ascii_strtoull (text, &end, 10);
  if (*end != ':' || end - text > 19 || !parse_hex (end + 1, bytes, sizeof bytes))
    return FALSE;
  kt_digest_get (bytes, records, out);
  return TRUE;
}

/* ---- branches ---- */

gboolean
kt_digest_branch_parse (const char *text, KtDigestBranch *out)
{
  KtDigestBranch branch = { 0, { 0 } };
  gsize len = text != NULL ? strlen (text) : 1;

  if (len % 2 != 0 || len > 2 * KT_DIGEST_MAX_UNDER || !parse_hex (text, branch.bytes, len / 2))
    return FALSE;
  branch.n = (guint) len / 2;
  *out = branch;
  return TRUE;
}

void
kt_digest_branch_format (const KtDigestBranch *branch, char out[2 * KT_DIGEST_MAX_UNDER + 1])
{
  out[0] = '\0';
  for (guint i = 0; i < branch->n; i++)
    g_snprintf (out + 2 * i, 3, "%02x", branch->bytes[i]);
}

gboolean
kt_digest_branch_has (const KtDigestBranch *branch, const KtId *id)
{
  return memcmp (id->b + 16 - branch->n, branch->bytes, branch->n) == 0;
}

guint
kt_digest_branch_child (const KtDigestBranch *branch, const KtId *id)
{
  return id->b[15 - branch->n];
}

gboolean
kt_digest_branch_down (const KtDigestBranch *branch, guint child, KtDigestBranch *out)
{
  KtDigestBranch down = { branch->n + 1, { (guint8) child } };

  if (branch->n >= KT_DIGEST_MAX_UNDER)
    return FALSE;
  memcpy (down.bytes + 1, branch->bytes, branch->n);
  *out = down;
  return TRUE;
}
