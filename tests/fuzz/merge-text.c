/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Three texts, divided by 0x1e: base, mine, theirs. P2, P6: no line is invented, none is lost, and it
 * does not matter who came first. */

#include "config.h"

#include "fuzz.h"
#include "proto/kt-merge.h"

static GHashTable *
lines_of (const char *text)
{
  GHashTable *lines = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_auto (GStrv) split = g_strsplit (text != NULL ? text : "", "\n", -1);

  for (guint i = 0; split[i] != NULL; i++)
    g_hash_table_add (lines, g_strdup (split[i]));
  return lines;
}

static void
check_lines (const char *base, const char *mine, const char *theirs, const char *result)
{
  g_autoptr (GHashTable) in_base = lines_of (base);
  g_autoptr (GHashTable) in_mine = lines_of (mine);
  g_autoptr (GHashTable) in_theirs = lines_of (theirs);
  g_autoptr (GHashTable) in_result = lines_of (result);
  GHashTableIter iter;
  gpointer line;

  g_hash_table_iter_init (&iter, in_result);
  while (g_hash_table_iter_next (&iter, &line, NULL))
    g_assert_true (*(char *) line == '\0' || g_hash_table_contains (in_mine, line)
                   || g_hash_table_contains (in_theirs, line));
  g_hash_table_iter_init (&iter, in_mine);
  while (g_hash_table_iter_next (&iter, &line, NULL))
    g_assert_true (*(char *) line == '\0' || g_hash_table_contains (in_base, line)
                   || g_hash_table_contains (in_result, line));
  g_hash_table_iter_init (&iter, in_theirs);
  while (g_hash_table_iter_next (&iter, &line, NULL))
    g_assert_true (*(char *) line == '\0' || g_hash_table_contains (in_base, line)
                   || g_hash_table_contains (in_result, line));
}

static void
assert_merges (const char *base, const char *mine, const char *theirs, const char *expected)
{
  g_autofree char *result = NULL;

  g_assert_true (kt_merge_text (base, mine, theirs, &result));
  g_assert_cmpstr (result, ==, expected);
}

static const char *
blank_is_null (const char *text)
{
  return text != NULL && *text != '\0' ? text : NULL;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *result = NULL;
  g_autofree char *mirrored = NULL;
  const char *base, *mine, *theirs;
  gboolean clean;

  if (size > FUZZ_MAX)
    return 0;
  for (guint i = 0; i < 3; i++)
    {
      const uint8_t *part;
      size_t len = fuzz_cut (&data, &size, 0x1e, &part);
      char *text = fuzz_utf8 (part, len);

      g_ptr_array_add (texts, text);
      if (text == NULL || strchr (text, '\r') != NULL)
        return 0;
    }
  base = blank_is_null (texts->pdata[0]);
  mine = blank_is_null (texts->pdata[1]);
  theirs = blank_is_null (texts->pdata[2]);
  clean = kt_merge_text (base, mine, theirs, &result);
  g_assert_true (kt_merge_text (base, theirs, mine, &mirrored) == clean);
  if (clean)
    {
      g_assert_cmpstr (result, ==, mirrored);
      check_lines (base, mine, theirs, result);
      /* Again on its own result: no news. */
      assert_merges (base, mine, result, result);
      assert_merges (base, theirs, result, result);
    }
  assert_merges (base, base, theirs, theirs);
  assert_merges (base, mine, base, mine);
  assert_merges (base, mine, mine, mine);
  return 0;
}
