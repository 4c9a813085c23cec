/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A JSON text, through both faces of the codec. */

#include "config.h"

#include "base/kt-error.h"
#include "base/kt-json.h"
#include "fuzz.h"

/* Whether the reader takes it; the tree also refuses what is twice. */
static gboolean
walk (const uint8_t *data, size_t size, gboolean skip)
{
  g_autofree char *buffer = fuzz_text (data, size);
  KtJsonReader reader;
  guint line, column;
  gsize n = 0;

  kt_json_reader_init (&reader, buffer, size);
  for (;;)
    {
      KtJsonType token = kt_json_reader_next (&reader);

      g_assert_cmpuint (n++, <=, size + 1);
      kt_json_reader_place (&reader, &line, &column);
      g_assert_cmpuint (line, >=, 1);
      g_assert_cmpuint (column, >=, 1);
      switch (token)
        {
        case KT_JSON_END:
          return TRUE;
        case KT_JSON_ERROR:
          g_assert_nonnull (reader.problem);
          g_assert_cmpint (kt_json_reader_next (&reader), ==, KT_JSON_ERROR);
          return FALSE;
        case KT_JSON_STRING:
        case KT_JSON_KEY:
          g_assert_cmpuint (strlen (reader.text), ==, reader.len);
          g_assert_true (g_utf8_validate (reader.text, (gssize) reader.len, NULL));
          break;
        case KT_JSON_NUMBER:
          g_assert_cmpuint (reader.raw_end - reader.raw_start, ==, reader.len);
          break;
        case KT_JSON_ARRAY:
        case KT_JSON_OBJECT:
          if (skip && !kt_json_reader_skip (&reader))
            return FALSE;
          break;
        default:
          break;
        }
    }
}

static void
again (const KtJson *json, gboolean canonical)
{
  g_autofree char *text = kt_json_to_string (json, canonical);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtJson) back = kt_json_parse (text, -1, &error);
  g_autofree char *twice = NULL;

  g_assert_no_error (error);
  twice = kt_json_to_string (back, canonical);
  g_assert_cmpstr (text, ==, twice);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = NULL;
  g_autoptr (KtJson) json = NULL;
  g_autoptr (GError) error = NULL;
  gboolean read;

  if (size > FUZZ_MAX)
    return 0;
  text = fuzz_text (data, size);
  json = kt_json_parse (text, (gssize) size, &error);
  g_assert_true ((json != NULL) == (error == NULL));
  read = walk (data, size, FALSE);
  g_assert_true (walk (data, size, TRUE) == read);
  if (json == NULL)
    {
      g_assert_true (g_error_matches (error, KT_ERROR, KT_ERROR_INVALID)
                     || g_error_matches (error, KT_ERROR, KT_ERROR_LIMIT));
      fuzz_check_message (error->message);
      return 0;
    }
  g_assert_true (read);
  again (json, FALSE);
  again (json, TRUE);
  kt_json_localized (json, "zh_CN", NULL);
  return 0;
}
