/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-id.h"

#include <string.h>

#include "base/kt-env.h"

static const char hex_digits[] = "0123456789abcdef";

static int
hex_value (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* The twelve bits behind the milliseconds are the fraction of the millisecond
 * (RFC 9562, method 3), so that ids made in one burst sort in the order made. */
KtId
kt_id_new (const KtEnv *env)
{
  KtId id;
  guint64 us, ms;
  guint fraction;

  g_return_val_if_fail (env != NULL, KT_ID_NIL);

  us = (guint64) MAX (env->now_us (env->data), 0);
  ms = us / 1000;
  fraction = (guint) (us % 1000) * 4096 / 1000;

  env->random (env->data, id.b, sizeof id.b);
  for (int i = 5; i >= 0; i--)
    {
      id.b[i] = ms & 0xff;
      ms >>= 8;
    }
  id.b[6] = 0x70 | (fraction >> 8);
  id.b[7] = fraction & 0xff;
  id.b[8] = 0x80 | (id.b[8] & 0x3f);
  return id;
}

KtId
kt_id_derive (const KtId *from, const char *what)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize len = sizeof digest;
  KtId id = *from;

  g_checksum_update (checksum, from->b, sizeof from->b);
  g_checksum_update (checksum, (const guchar *) what, -1);
  g_checksum_get_digest (checksum, digest, &len);
  memcpy (id.b + 6, digest, 10);
  id.b[6] = 0x80 | (id.b[6] & 0x0f);
  id.b[8] = 0x80 | (id.b[8] & 0x3f);
  return id;
}

gboolean
kt_id_parse (const char *text, gssize len, KtId *out)
{
  KtId id;
  guint at = 0;

  g_return_val_if_fail (out != NULL, FALSE);

  if (text == NULL)
    return FALSE;
  if (len < 0)
    len = (gssize) strnlen (text, KT_ID_TEXT_SIZE);
  if (len != KT_ID_TEXT_SIZE - 1)
    return FALSE;

  for (guint i = 0; i < sizeof id.b; i++)
    {
      int high, low;

      if (i == 4 || i == 6 || i == 8 || i == 10)
        if (text[at++] != '-')
          return FALSE;
      high = hex_value (text[at]);
      low = hex_value (text[at + 1]);
      if (high < 0 || low < 0)
        return FALSE;
      id.b[i] = (guint8) (high << 4 | low);
      at += 2;
    }

  *out = id;
  return TRUE;
}

void
kt_id_format (const KtId *id, char out[KT_ID_TEXT_SIZE])
{
  g_return_if_fail (id != NULL);

  for (guint i = 0; i < sizeof id->b; i++)
    {
      if (i == 4 || i == 6 || i == 8 || i == 10)
        *out++ = '-';
      *out++ = hex_digits[id->b[i] >> 4];
      *out++ = hex_digits[id->b[i] & 0xf];
    }
  *out = '\0';
}

char *
kt_id_to_string (const KtId *id)
{
  char text[KT_ID_TEXT_SIZE];

  g_return_val_if_fail (id != NULL, NULL);

  kt_id_format (id, text);
  return g_strdup (text);
}

gboolean
kt_id_is_nil (const KtId *id)
{
  static const KtId nil;

  return id == NULL || memcmp (id, &nil, sizeof nil) == 0;
}

int
kt_id_compare (const KtId *a, const KtId *b)
{
  return memcmp (a->b, b->b, sizeof a->b);
}

guint
kt_id_hash (gconstpointer id)
{
  guint32 words[4];

  /* The front is time, which neighbours share; the tail is chance. Ids from
   * elsewhere may have their entropy anywhere, so all of it is mixed. */
  memcpy (words, id, sizeof words);
  return ((words[0] * 31 + words[1]) * 31 + words[2]) * 31 + words[3];
}

gboolean
kt_id_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, sizeof (KtId)) == 0;
}

KtId *
kt_id_copy (const KtId *id)
{
  g_return_val_if_fail (id != NULL, NULL);

  return g_memdup2 (id, sizeof *id);
}
