/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "base/kt-text.h"

#include <string.h>

#include <unicode/ucol.h>
#include <unicode/ustring.h>

#include "base/kt-text-private.h"

/* How text is folded, and why it is fast.
 *
 *   text → segments that normalise independently → NFKD → marks removed → NFKC_Casefold → ø → o → blanks collapsed
 *
 * A segment is nearly always one code point: what follows it "has a boundary
 * before". ASCII and the common CJK blocks then need no ICU at all, and every
 * other code point of the BMP is folded by ICU once in the life of the process
 * (fold_cache). Only a letter followed by a combining mark goes the long way.
 *
 * Shared between threads without locks: the caches are arrays of pointers (or
 * indices) that go from "unknown" to one immutable value by an atomic store. Two
 * threads that race compute the same value. ICU's normalizers are immutable
 * singletons; the transliterator (kt-text-terms.c) is used under a lock;
 * collators, which are not safe to share, are kept per thread. */

static const char *fold_cache[0x10000];

static GPrivate collators = G_PRIVATE_INIT ((GDestroyNotify) g_hash_table_unref);

/* Letters that Unicode does not decompose but people type without the stroke. */
static const struct
{
  UChar32 from;
  const char *to;
} strokes[] = {
  { 0x00e6, "ae" }, { 0x00f0, "d" }, { 0x00f8, "o" }, { 0x00fe, "th" },
  { 0x0111, "d" },  { 0x0127, "h" }, { 0x0131, "i" }, { 0x0142, "l" },
  { 0x0153, "oe" }, { 0x0167, "t" }, { 0x0180, "b" }, { 0x0268, "i" },
};

/* ---- UTF-16 ---------------------------------------------------------- */

/* A UTF-16 copy of UTF-8 text, on the stack when it is short. */
typedef struct
{
  UChar small[256];
  UChar *text;
  int32_t len;
} Utf16;

static void
utf16_init (Utf16 *utf16, const char *text, gsize len)
{
  UErrorCode status = U_ZERO_ERROR;

  /* Never more units than bytes. */
  utf16->text = len <= G_N_ELEMENTS (utf16->small) ? utf16->small : g_new (UChar, len);
  u_strFromUTF8 (utf16->text, (int32_t) MAX (len, G_N_ELEMENTS (utf16->small)), &utf16->len, text,
                 (int32_t) len, &status);
  if (U_FAILURE (status))
    utf16->len = 0;
}

static void
utf16_clear (Utf16 *utf16)
{
  if (utf16->text != utf16->small)
    g_free (utf16->text);
  utf16->text = NULL;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Utf16, utf16_clear)

static void
append_utf16 (GString *out, const UChar *text, int32_t len)
{
  for (int32_t i = 0; i < len;)
    {
      UChar32 c;

      U16_NEXT (text, i, len, c);
      if (!U_IS_SURROGATE (c))
        g_string_append_unichar (out, (gunichar) c);
    }
}

UChar *
_kt_text_normalize_utf16 (const UNormalizer2 *normalizer,
                          const UChar *text,
                          int32_t len,
                          int32_t *out_len)
{
  UErrorCode status = U_ZERO_ERROR;
  int32_t capacity = len * 4 + 32;
  UChar *out = g_new (UChar, capacity);

  *out_len = unorm2_normalize (normalizer, text, len, out, capacity, &status);
  if (status == U_BUFFER_OVERFLOW_ERROR)
    {
      status = U_ZERO_ERROR;
      capacity = *out_len;
      out = g_renew (UChar, out, capacity);
      *out_len = unorm2_normalize (normalizer, text, len, out, capacity, &status);
    }
  if (U_FAILURE (status))
    *out_len = 0;
  return out;
}

static const UNormalizer2 *
normalizer_nfc (void)
{
  UErrorCode status = U_ZERO_ERROR;

  return unorm2_getNFCInstance (&status);
}

const UNormalizer2 *
_kt_text_nfkd (void)
{
  UErrorCode status = U_ZERO_ERROR;

  return unorm2_getNFKDInstance (&status);
}

static const UNormalizer2 *
normalizer_nfkc_casefold (void)
{
  UErrorCode status = U_ZERO_ERROR;

  return unorm2_getNFKCCasefoldInstance (&status);
}

/* ---- classes --------------------------------------------------------- */

gboolean
_kt_text_is_removable_mark (UChar32 c)
{
  return (c >= 0x0300 && c <= 0x036f) || (c >= 0x0483 && c <= 0x0487)
         || (c >= 0x0591 && c <= 0x05bd) || c == 0x05bf || c == 0x05c1 || c == 0x05c2 || c == 0x05c4
         || c == 0x05c5 || c == 0x05c7 || (c >= 0x064b && c <= 0x065f) || c == 0x0670
         || (c >= 0x1ab0 && c <= 0x1aff) || (c >= 0x1dc0 && c <= 0x1dff)
         || (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe20 && c <= 0xfe2f);
}

static inline gboolean
has_boundary_before (gunichar c)
{
  if (c < 0x300 || _kt_text_is_plain_cjk (c))
    return TRUE;
  return unorm2_hasBoundaryBefore (normalizer_nfkc_casefold (), (UChar32) c);
}

gboolean
_kt_text_is_ascii (const char *text, gsize len)
{
  gsize i = 0;

  for (; i + 8 <= len; i += 8)
    {
      guint64 word;

      memcpy (&word, text + i, sizeof word);
      if ((word & G_GUINT64_CONSTANT (0x8080808080808080)) != 0)
        return FALSE;
    }
  for (; i < len; i++)
    if (((guchar) text[i] & 0x80) != 0)
      return FALSE;
  return TRUE;
}

/* ---- folding --------------------------------------------------------- */

/* The long way, for one segment. White space is left as ICU gives it. */
static void
fold_segment (const char *text, gsize len, GString *out)
{
  g_auto (Utf16) utf16 = { 0 };
  g_autofree UChar *decomposed = NULL;
  g_autofree UChar *folded = NULL;
  int32_t n, m = 0, n_folded;

  utf16_init (&utf16, text, len);
  decomposed = _kt_text_normalize_utf16 (_kt_text_nfkd (), utf16.text, utf16.len, &n);
  for (int32_t i = 0; i < n; i++)
    if (!_kt_text_is_removable_mark (decomposed[i])) /* all of them are in the BMP */
      decomposed[m++] = decomposed[i];
  folded = _kt_text_normalize_utf16 (normalizer_nfkc_casefold (), decomposed, m, &n_folded);
  for (int32_t i = 0; i < n_folded;)
    {
      UChar32 c;
      const char *stroke = NULL;

      U16_NEXT (folded, i, n_folded, c);
      for (guint j = 0; stroke == NULL && j < G_N_ELEMENTS (strokes); j++)
        if (strokes[j].from == c)
          stroke = strokes[j].to;
      if (stroke != NULL)
        g_string_append (out, stroke);
      else if (u_isUWhiteSpace (c))
        g_string_append_c (out, ' ');
      else if (!U_IS_SURROGATE (c) && !_kt_text_is_removable_mark (c))
        g_string_append_unichar (out, (gunichar) c);
    }
}

static const char *
fold_code_point (gunichar c, const char *text, gsize len)
{
  const char *folded = g_atomic_pointer_get (&fold_cache[c]);

  if (G_UNLIKELY (folded == NULL))
    {
      GString *out = g_string_new (NULL);
      char *mine;

      fold_segment (text, len, out);
      mine = g_string_free (out, FALSE);
      if (g_atomic_pointer_compare_and_exchange (&fold_cache[c], NULL, mine))
        return mine;
      g_free (mine);
      folded = g_atomic_pointer_get (&fold_cache[c]);
    }
  return folded;
}

/* Folded text being written: white space waits until something follows it. */
typedef struct
{
  GString *out;
  gsize start;
  char blank; /* waiting: 0, ' ' or '\n' */
  gboolean keep_lines;
} Folder;

static inline void
folder_blank (Folder *folder, char c)
{
  if (folder->keep_lines && (c == '\n' || c == '\r'))
    folder->blank = '\n';
  else if (folder->blank == 0)
    folder->blank = ' ';
}

static inline void
folder_flush_blank (Folder *folder)
{
  if (folder->blank != 0)
    {
      if (folder->out->len > folder->start)
        g_string_append_c (folder->out, folder->blank);
      folder->blank = 0;
    }
}

static void
folder_piece (Folder *folder, const char *piece)
{
  for (; *piece != '\0'; piece++)
    {
      if (*piece == ' ')
        folder_blank (folder, ' ');
      else
        {
          folder_flush_blank (folder);
          g_string_append_c (folder->out, *piece);
        }
    }
}

static inline gboolean
is_ascii_blank (guchar c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
fold_ascii (Folder *folder, const char *text, gsize len)
{
  GString *out = folder->out;
  gsize at = out->len;

  /* Folding never makes ASCII longer. */
  g_string_set_size (out, at + len + 1);
  for (gsize i = 0; i < len; i++)
    {
      guchar c = (guchar) text[i];

      if (is_ascii_blank (c))
        folder_blank (folder, (char) c);
      else
        {
          if (folder->blank != 0)
            {
              if (at > folder->start)
                out->str[at++] = folder->blank;
              folder->blank = 0;
            }
          out->str[at++] = g_ascii_tolower ((char) c);
        }
    }
  g_string_truncate (out, at);
}

void
_kt_text_fold_append (const char *text, gsize len, gboolean keep_lines, GString *out)
{
  Folder folder = { out, out->len, 0, keep_lines };
  const char *end = text + len;

  if (_kt_text_is_ascii (text, len))
    {
      fold_ascii (&folder, text, len);
      return;
    }

  for (const char *p = text; p < end;)
    {
      guchar lead = (guchar) *p;
      gunichar c = lead < 0x80 ? lead : g_utf8_get_char (p);
      const char *next = g_utf8_next_char (p);

      if (next < end && (guchar) *next >= 0xcc && !has_boundary_before (g_utf8_get_char (next)))
        {
          /* A letter and its marks. */
          g_autoptr (GString) piece = g_string_new (NULL);

          while (next < end && !has_boundary_before (g_utf8_get_char (next)))
            next = g_utf8_next_char (next);
          fold_segment (p, (gsize) (next - p), piece);
          folder_piece (&folder, piece->str);
        }
      else if (c < 0x80)
        {
          if (is_ascii_blank (lead))
            folder_blank (&folder, (char) lead);
          else
            {
              folder_flush_blank (&folder);
              g_string_append_c (out, g_ascii_tolower ((char) lead));
            }
        }
      else if (_kt_text_is_plain_cjk (c))
        {
          folder_flush_blank (&folder);
          g_string_append_len (out, p, next - p);
        }
      else if (keep_lines && (c == 0x2028 || c == 0x2029 || c == 0x85))
        folder_blank (&folder, '\n');
      else if (c < 0x10000)
        folder_piece (&folder, fold_code_point (c, p, (gsize) (next - p)));
      else
        {
          g_autoptr (GString) piece = g_string_new (NULL);

          fold_segment (p, (gsize) (next - p), piece);
          folder_piece (&folder, piece->str);
        }
      p = next;
    }
}

char *
kt_text_fold (const char *text)
{
  GString *out;
  gsize len;

  g_return_val_if_fail (text != NULL, NULL);

  len = strlen (text);
  out = g_string_sized_new (len + 8);
  _kt_text_fold_append (text, len, FALSE, out);
  return g_string_free (out, FALSE);
}

char *
kt_text_squash (const char *text)
{
  char *folded, *to;

  g_return_val_if_fail (text != NULL, NULL);

  folded = kt_text_fold (text);
  to = folded;
  for (const char *p = folded; *p != '\0';)
    {
      const char *next = g_utf8_next_char (p);

      if (_kt_text_is_word (g_utf8_get_char (p)))
        while (p < next)
          *to++ = *p++;
      p = next;
    }
  *to = '\0';
  return folded;
}

char *
kt_text_normalize (const char *text, gssize len)
{
  g_autofree char *copy = NULL;
  gboolean inert = TRUE;
  gsize n, m = 0;

  g_return_val_if_fail (text != NULL || len == 0, NULL);

  if (text == NULL)
    return g_strdup ("");
  n = len < 0 ? strlen (text) : (gsize) len;
  if (n > G_MAXINT32 / 8 || !g_utf8_validate_len (text, n, NULL))
    return NULL;

  copy = g_malloc (n + 1);
  for (gsize i = 0; i < n; i++)
    {
      if (text[i] == '\r')
        {
          copy[m++] = '\n';
          if (i + 1 < n && text[i + 1] == '\n')
            i++;
        }
      else
        copy[m++] = text[i];
    }
  copy[m] = '\0';

  /* Below U+0300 and in the big CJK blocks everything is NFC. */
  for (const char *p = copy; inert && *p != '\0'; p = g_utf8_next_char (p))
    {
      guchar lead = (guchar) *p;

      if (lead >= 0xcc)
        inert = _kt_text_is_plain_cjk (g_utf8_get_char (p));
    }
  if (!inert)
    {
      g_auto (Utf16) utf16 = { 0 };
      UErrorCode status = U_ZERO_ERROR;

      utf16_init (&utf16, copy, m);
      if (unorm2_quickCheck (normalizer_nfc (), utf16.text, utf16.len, &status) != UNORM_YES)
        {
          int32_t n_composed;
          g_autofree UChar *composed =
            _kt_text_normalize_utf16 (normalizer_nfc (), utf16.text, utf16.len, &n_composed);
          GString *out = g_string_sized_new (m + 1);

          append_utf16 (out, composed, n_composed);
          return g_string_free (out, FALSE);
        }
    }
  return g_steal_pointer (&copy);
}

/* ---- order ----------------------------------------------------------- */

static UCollator *
collator_for (const char *locale)
{
  GHashTable *table = g_private_get (&collators);
  UCollator *collator;

  if (table == NULL)
    {
      table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) ucol_close);
      g_private_set (&collators, table);
    }
  collator = g_hash_table_lookup (table, locale);
  if (collator == NULL)
    {
      UErrorCode status = U_ZERO_ERROR;
      gboolean none = *locale == '\0' || strcmp (locale, "C") == 0 || strcmp (locale, "POSIX") == 0;

      collator = ucol_open (none ? "" : locale, &status);
      if (U_FAILURE (status))
        {
          status = U_ZERO_ERROR;
          collator = ucol_open ("", &status);
        }
      if (U_FAILURE (status))
        return NULL;
      g_hash_table_insert (table, g_strdup (locale), collator);
    }
  return collator;
}

GBytes *
kt_text_sort_key (const char *text, const char *locale)
{
  g_auto (Utf16) utf16 = { 0 };
  UCollator *collator;
  guint8 small[512];
  int32_t n;
  gsize len;

  g_return_val_if_fail (text != NULL, NULL);

  len = strlen (text);
  collator = collator_for (locale != NULL ? locale : "");
  if (collator == NULL) /* ICU without its data: bytewise is still an order */
    return g_bytes_new (text, len);

  utf16_init (&utf16, text, len);
  n = ucol_getSortKey (collator, utf16.text, utf16.len, small, sizeof small);
  if (n <= (int32_t) sizeof small)
    return g_bytes_new (small, n > 0 ? (gsize) n - 1 : 0);
  else
    {
      guint8 *key = g_malloc ((gsize) n);

      n = ucol_getSortKey (collator, utf16.text, utf16.len, key, n);
      return g_bytes_new_take (key, (gsize) n - 1);
    }
}

/* ---- comparison ------------------------------------------------------ */

gboolean
kt_text_contains (const char *haystack, const char *folded_needle)
{
  g_autoptr (GString) folded = NULL;
  gsize len;

  g_return_val_if_fail (haystack != NULL, FALSE);
  g_return_val_if_fail (folded_needle != NULL, FALSE);

  if (*folded_needle == '\0')
    return TRUE;
  len = strlen (haystack);
  folded = g_string_sized_new (len + 8);
  _kt_text_fold_append (haystack, len, FALSE, folded);
  return strstr (folded->str, folded_needle) != NULL;
}

guint
kt_text_distance (const char *a, const char *b, guint max)
{
  g_autofree gunichar *ua = NULL;
  g_autofree gunichar *ub = NULL;
  g_autofree guint *rows = NULL;
  guint *before, *last, *row;
  glong na, nb;

  g_return_val_if_fail (a != NULL && b != NULL, max + 1);

  ua = g_utf8_to_ucs4_fast (a, -1, &na);
  ub = g_utf8_to_ucs4_fast (b, -1, &nb);
  if ((guint) ABS (na - nb) > max)
    return max + 1;

  rows = g_new (guint, 3 * (gsize) (nb + 1));
  before = rows;
  last = before + nb + 1;
  row = last + nb + 1;
  for (glong j = 0; j <= nb; j++)
    last[j] = (guint) j;
  for (glong i = 1; i <= na; i++)
    {
      guint least = row[0] = (guint) i;
      guint *swap;

      for (glong j = 1; j <= nb; j++)
        {
          guint cost = ua[i - 1] == ub[j - 1] ? 0 : 1;
          guint d = MIN (MIN (last[j] + 1, row[j - 1] + 1), last[j - 1] + cost);

          if (i > 1 && j > 1 && ua[i - 1] == ub[j - 2] && ua[i - 2] == ub[j - 1])
            d = MIN (d, before[j - 2] + 1);
          row[j] = d;
          least = MIN (least, d);
        }
      /* Two rows above the limit: nothing below can come under it again. */
      if (least > max)
        {
          guint least_before = G_MAXUINT;

          for (glong j = 0; j <= nb; j++)
            least_before = MIN (least_before, last[j]);
          if (least_before > max)
            return max + 1;
        }
      swap = before;
      before = last;
      last = row;
      row = swap;
    }
  return MIN (last[nb], max + 1);
}
