/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A sum does not care for order: two databases that hold the same records give
 * the same digest without sorting, and the digests of ranges add up.          */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-wire.h"

#include <string.h>

#include "base/kt-id.h"
#include "base/kt-json.h"

static int
compare_fields_cb (gconstpointer a, gconstpointer b)
{
  const KtField *const *left = a;
  const KtField *const *right = b;

  return strcmp ((*left)->name, (*right)->name);
}

/* Members sorted at every level, whatever order the wire form has. */
static void
append_value (KtJsonWriter *writer, const KtValue *value)
{
  char id[KT_ID_TEXT_SIZE];

  if (value->type != KT_VALUE_ANY)
    {
      kt_value_to_json (value, writer);
      return;
    }
  kt_id_format (&value->v.ref.id, id);
  kt_json_begin_object (writer);
  kt_json_put_string (writer, "id", id);
  kt_json_put_string (writer, "object", value->v.ref.object);
  kt_json_end_object (writer);
}

static void
add_sum (guint8 sum[32], const guint8 other[32])
{
  guint carry = 0;

  for (int i = 31; i >= 0; i--)
    {
      carry += (guint) sum[i] + other[i];
      sum[i] = (guint8) carry;
      carry >>= 8;
    }
}

void
kt_digest_add (KtDigest *digest, const KtRecord *record)
{
  g_autofree const KtField **fields = NULL;
  g_autoptr (GString) text = NULL;
  g_autoptr (GChecksum) sha = NULL;
  KtJsonWriter writer;
  char id[KT_ID_TEXT_SIZE];
  guint8 sum[32];
  gsize len = sizeof sum;
  guint n = 0;

  g_return_if_fail (digest != NULL && record != NULL);

  fields = g_new (const KtField *, record->object->n_fields + 1);
  for (guint i = 0; i < record->object->n_fields; i++)
    if (!kt_value_is_null (&record->values[i]))
      fields[n++] = record->object->fields[i];
  qsort (fields, n, sizeof *fields, compare_fields_cb);

  text = g_string_sized_new (1024);
  writer = (KtJsonWriter) KT_JSON_WRITER (text);
  kt_id_format (&record->id, id);
  kt_json_begin_object (&writer);
  kt_json_key (&writer, "fields");
  kt_json_begin_object (&writer);
  for (guint i = 0; i < n; i++)
    {
      kt_json_key (&writer, fields[i]->name);
      append_value (&writer, &record->values[fields[i]->index]);
    }
  kt_json_end_object (&writer);
  kt_json_put_string (&writer, "id", id);
  kt_json_put_string (&writer, "object", record->object->name);
  kt_json_end_object (&writer);

  sha = g_checksum_new (G_CHECKSUM_SHA256);
  g_checksum_update (sha, (const guchar *) text->str, (gssize) text->len);
  g_checksum_get_digest (sha, sum, &len);
  add_sum (digest->sum, sum);
  digest->records++;
}

void
kt_digest_join (KtDigest *digest, const KtDigest *other)
{
  KtDigest copy;

  g_return_if_fail (digest != NULL && other != NULL);

  copy = *other;
  add_sum (digest->sum, copy.sum);
  digest->records += copy.records;
}

char *
kt_digest_string (const KtDigest *digest)
{
  GString *out;

  g_return_val_if_fail (digest != NULL, NULL);

  out = g_string_new (NULL);
  g_string_printf (out, "%" G_GUINT64_FORMAT ":", digest->records);
  for (gsize i = 0; i < sizeof digest->sum; i++)
    g_string_append_printf (out, "%02x", digest->sum[i]);
  return g_string_free (out, FALSE);
}
