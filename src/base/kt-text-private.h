/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include "base/kt-text.h"

G_BEGIN_DECLS

/* Needs no folding and does not interact with what stands before it. */
static inline gboolean
_kt_text_is_plain_cjk (gunichar c)
{
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0xac00 && c <= 0xd7a3)
         || (c >= 0x3041 && c <= 0x3096) || (c >= 0x30a1 && c <= 0x30fa);
}

/* Written without blanks between words: indexed by the character. */
static inline gboolean
_kt_text_is_cjk (gunichar c)
{
  return c >= 0x1100
         && (_kt_text_is_plain_cjk (c) || (c >= 0x20000 && c <= 0x3ffff) || c == 0x3005 || c == 0x3007
             || (c >= 0x30fc && c <= 0x30fe) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x3105 && c <= 0x312f));
}

static inline gboolean
_kt_text_is_word (gunichar c)
{
  if (c < 0x80)
    return g_ascii_isalnum ((char) c);
  return (U_GET_GC_MASK ((UChar32) c) & (U_GC_L_MASK | U_GC_N_MASK | U_GC_M_MASK)) != 0;
}

/* Marks over and under letters of alphabets. Vowel signs of Indic scripts and
 * the voicing marks of kana change the word and stay. */
gboolean _kt_text_is_removable_mark (UChar32 c);
gboolean _kt_text_is_ascii          (const char *text, gsize len);
/* kt_text_fold into @out; @keep_lines: line ends stay "\n". */
void     _kt_text_fold_append       (const char *text, gsize len, gboolean keep_lines, GString *out);

const UNormalizer2 *_kt_text_nfkd   (void);
/* Owned by the caller; *out_len its length. */
UChar   *_kt_text_normalize_utf16   (const UNormalizer2 *normalizer, const UChar *text, int32_t len, int32_t *out_len);

G_END_DECLS
