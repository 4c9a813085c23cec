/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-sum.h"

#include <string.h>

void
kt_digest_join (KtDigest *digest, const KtDigest *other)
{
  guint64 low;

  g_return_if_fail (digest != NULL && other != NULL);

  low = digest->low + other->low;
  digest->high += other->high + (low < digest->low);
  digest->low = low;
  digest->records += other->records;
}

void
kt_digest_leave (KtDigest *digest, const KtDigest *other)
{
  guint64 low;

  g_return_if_fail (digest != NULL && other != NULL);

  low = digest->low - other->low;
  digest->high -= other->high + (low > digest->low);
  digest->low = low;
  digest->records -= other->records;
}

gboolean
kt_digest_equal (const KtDigest *a, const KtDigest *b)
{
  return a->records == b->records && a->high == b->high && a->low == b->low;
}

static inline guint64
read_number (const guint8 *bytes)
{
  guint64 number;

  memcpy (&number, bytes, sizeof number);
  return GUINT64_FROM_BE (number);
}

void
kt_digest_put (const KtDigest *digest, guint8 out[KT_DIGEST_BYTES])
{
  guint64 high = GUINT64_TO_BE (digest->high), low = GUINT64_TO_BE (digest->low);

  memcpy (out, &high, sizeof high);
  memcpy (out + sizeof high, &low, sizeof low);
}

void
kt_digest_get (const guint8 *bytes, guint64 records, KtDigest *out)
{
  out->records = records;
  out->high = read_number (bytes);
  out->low = read_number (bytes + 8);
}
