/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-types.h"

G_BEGIN_DECLS

/* Text as people compare it (ICU underneath). All take valid UTF-8. */

/* Folded for matching: NFKD, marks removed, case folded, full width → half, white space collapsed, trimmed. g_free. */
char  *kt_text_fold      (const char *text);
/* Folded and with everything but letters and digits removed: "GTX Pro" = "GTXPro" = "gtx-pro". g_free. */
char  *kt_text_squash    (const char *text);
/* NFC with CRLF and CR → LF; NULL when not valid UTF-8 or holding U+0000. g_free. */
char  *kt_text_normalize (const char *text, gssize len);

/* Terms for the full-text index, separated by blanks: folded words, each CJK
 * character by itself, digits of phone-like runs joined. g_free. Appends to @out. */
void   kt_text_index_terms  (const char *text, GString *out);
/* Pinyin of the Chinese runs in @text, "" if none: syllables joined and initials, of the whole run and of what begins at each
 * of its characters ("zhangsan zs san"), and as a surname is read (曾国藩 is "zengguofan" too). Appends. */
void   kt_text_pinyin_terms (const char *text, GString *out);
/* Which tables stand behind terms, pinyin and sort keys: another text when ICU is another one. Borrowed. */
const char *kt_text_tables  (void);
/* An FTS5 MATCH expression for what was typed: every word must occur, the last
 * one as prefix; CJK runs as phrases; quoting done. NULL when nothing searchable. g_free. */
char  *kt_text_match        (const char *typed);
/* The same for what begins with the very words that were typed, as a phrase; put "column :" before it. NULL, g_free. */
char  *kt_text_match_start  (const char *typed);

/* Sort keys under a locale's collation ("zh_CN": pinyin); memcmp order. One
 * collator per thread and locale is cached. Free with g_bytes_unref. */
GBytes *kt_text_sort_key (const char *text, const char *locale);

/* Case- and diacritic-blind substring for filters in memory. */
gboolean kt_text_contains (const char *haystack, const char *folded_needle);
/* Damerau-Levenshtein up to @max, else max+1: for "did you mean". */
guint    kt_text_distance (const char *a, const char *b, guint max);

G_END_DECLS
