/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Words for the full-text index and the search field: any text, and what is typed is always a question
 * that FTS5 understands. */

#include "config.h"

#include <sqlite3.h>

#include "base/kt-text.h"
#include "fuzz.h"

static void
ask_index (const char *terms, const char *match)
{
  static sqlite3 *db;
  static sqlite3_stmt *put, *find;

  if (db == NULL)
    {
      g_assert_cmpint (sqlite3_open (":memory:", &db), ==, SQLITE_OK);
      g_assert_cmpint (sqlite3_exec (db, "CREATE VIRTUAL TABLE t USING fts5 (x)", NULL, NULL, NULL),
                       ==, SQLITE_OK);
      g_assert_cmpint (sqlite3_prepare_v2 (db, "INSERT OR REPLACE INTO t (rowid, x) VALUES (1, ?)",
                                           -1, &put, NULL),
                       ==, SQLITE_OK);
      g_assert_cmpint (
        sqlite3_prepare_v2 (db, "SELECT rowid FROM t WHERE t MATCH ?", -1, &find, NULL), ==,
        SQLITE_OK);
    }
  sqlite3_bind_text (put, 1, terms, -1, SQLITE_STATIC);
  g_assert_cmpint (sqlite3_step (put), ==, SQLITE_DONE);
  sqlite3_reset (put);
  if (match != NULL)
    {
      int result;

      sqlite3_bind_text (find, 1, match, -1, SQLITE_STATIC);
      result = sqlite3_step (find);
      g_assert_true (result == SQLITE_ROW || result == SQLITE_DONE);
      sqlite3_reset (find);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = NULL;
  g_autofree char *folded = NULL;
  g_autofree char *twice = NULL;
  g_autofree char *squashed = NULL;
  g_autofree char *clean = NULL;
  g_autofree char *clean_twice = NULL;
  g_autofree char *match = NULL;
  g_autoptr (GString) terms = g_string_new (NULL);
  g_autoptr (GBytes) key = NULL;

  /* Sorting keys and pinyin are made of titles, not of books. */
  if (size > 8192)
    return 0;
  clean = kt_text_normalize ((const char *) data, (gssize) size);
  text = fuzz_text (data, size);
  g_assert_true (
    (clean != NULL)
    == (memchr (text, 0, size) == NULL && g_utf8_validate (text, (gssize) size, NULL)));
  if (clean == NULL)
    return 0;
  clean_twice = kt_text_normalize (clean, -1);
  g_assert_cmpstr (clean, ==, clean_twice);
  folded = kt_text_fold (clean);
  g_assert_true (g_utf8_validate (folded, -1, NULL));
  twice = kt_text_fold (folded);
  g_assert_cmpstr (folded, ==, twice);
  squashed = kt_text_squash (text);
  g_assert_true (g_utf8_validate (squashed, -1, NULL));
  g_assert_true (kt_text_contains (clean, folded));
  kt_text_index_terms (clean, terms);
  g_string_append_c (terms, ' ');
  kt_text_pinyin_terms (clean, terms);
  g_assert_true (g_utf8_validate (terms->str, (gssize) terms->len, NULL));
  match = kt_text_match (clean);
  ask_index (terms->str, match);
  key = kt_text_sort_key (clean, "zh_CN");
  g_assert_nonnull (key);
  g_assert_cmpuint (kt_text_distance (clean, clean, 3), ==, 0);
  g_assert_cmpuint (kt_text_distance (clean, folded, 3), ==, kt_text_distance (folded, clean, 3));
  return 0;
}
