/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A pull page. Its sum is put right first: a fuzzer does not guess it, a lying server does not have to. */

#include "config.h"

#include <zlib.h>

#include "fuzz.h"
#include "proto/kt-wire.h"
#include "tests/proto/fixture.h"

#define TAIL_LEN 11 /* 12345678"}\n */

static void
put_sum (char *body, gsize len)
{
  char sum[9];

  if (len < TAIL_LEN || memcmp (body + len - 3, "\"}\n", 3) != 0)
    return;
  g_snprintf (sum, sizeof sum, "%08x",
              (guint) crc32 (0, (const Bytef *) body, (uInt) (len - TAIL_LEN)));
  memcpy (body + len - TAIL_LEN, sum, 8);
}

static void
copy_row (KtPageWriter *writer, const KtPage *page)
{
  g_autofree const KtField **fields = g_new0 (const KtField *, page->n_fields + 1);
  g_autofree KtValue *values = g_new0 (KtValue, page->n_fields + 1);
  guint n = 0;

  for (guint i = 0; i < page->n_fields; i++)
    if (page->fields[i] != NULL)
      {
        fields[n] = page->fields[i];
        values[n++] = page->values[i];
      }
  kt_page_writer_block (writer, page->object, fields, n);
  kt_page_writer_row (writer, &page->id, page->rev, values);
}

/* What was read, written again; NULL when the page is not a good one. */
static GBytes *
copy (const char *body, gsize len)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtPage) page = kt_page_open (fixture_schema (), g_bytes_new (body, len), &error);
  KtPageWriter *writer;
  KtPageEvent event;

  g_assert_true ((page != NULL) == (error == NULL));
  if (page == NULL)
    {
      fuzz_check_message (error->message);
      return NULL;
    }
  writer = kt_page_writer_new (&page->epoch, page->snapshot, page->schema_digest, page->rows_total);
  while ((event = kt_page_next (page, &error)) == KT_PAGE_ROW || event == KT_PAGE_GONE)
    if (event == KT_PAGE_ROW)
      copy_row (writer, page);
    else
      kt_page_writer_gone (writer, page->object, &page->id);
  if (event == KT_PAGE_ERROR)
    {
      g_assert_nonnull (error);
      fuzz_check_message (error->message);
      g_bytes_unref (kt_page_writer_finish (writer, "", FALSE, 0));
      return NULL;
    }
  g_assert_no_error (error);
  if (page->settled >= 0)
    kt_page_writer_settled (writer, page->settled,
                            kt_id_is_nil (&page->settled_id) ? NULL : &page->settled_id);
  return kt_page_writer_finish (writer, page->cursor, page->more, page->seq);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *body = NULL;
  g_autoptr (GBytes) as_is = NULL;
  g_autoptr (GBytes) first = NULL;
  g_autoptr (GBytes) second = NULL;

  if (size > FUZZ_MAX)
    return 0;
  body = fuzz_text (data, size);
  as_is = copy (body, size);
  put_sum (body, size);
  first = copy (body, size);
  if (first == NULL)
    return 0;
  second = copy (g_bytes_get_data (first, NULL), g_bytes_get_size (first));
  g_assert_nonnull (second);
  g_assert_true (g_bytes_equal (first, second));
  return 0;
}
