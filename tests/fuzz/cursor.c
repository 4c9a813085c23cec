/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A cursor: as text from anybody, and as bytes with a sum that is right. */

#include "config.h"

#include <zlib.h>

#include "base/kt-error.h"
#include "fuzz.h"
#include "proto/kt-wire.h"

static void
decode (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *back = NULL;
  KtCursor cursor;

  if (!kt_cursor_decode (text, &cursor, &error))
    {
      g_assert_true (g_error_matches (error, KT_ERROR, KT_ERROR_INVALID));
      return;
    }
  g_assert_no_error (error);
  g_assert_cmpint (cursor.seq, >=, 0);
  g_assert_cmpint (cursor.rid, >=, 0);
  back = kt_cursor_encode (&cursor);
  g_assert_cmpstr (back, ==, text);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = NULL;
  g_autofree char *signed_text = NULL;
  g_autofree uint8_t *bytes = NULL;
  uLong sum;

  if (size > 1024)
    return 0;
  text = fuzz_text (data, size);
  decode (text);

  bytes = g_malloc (size + 4);
  if (size > 0)
    memcpy (bytes, data, size);
  sum = crc32 (0, (const Bytef *) "kontor cursor", 13);
  sum = crc32 (sum, size > 0 ? data : (const Bytef *) "", (uInt) size);
  for (guint i = 0; i < 4; i++)
    bytes[size + i] = (uint8_t) (sum >> (24 - 8 * i));
  signed_text = g_base64_encode (bytes, size + 4);
  g_strdelimit (signed_text, "+", '-');
  g_strdelimit (signed_text, "/", '_');
  signed_text[strcspn (signed_text, "=")] = '\0';
  decode (signed_text);
  return 0;
}
