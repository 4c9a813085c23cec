/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "base/kt-text.h"

#include <string.h>

#include <unicode/uchar.h>
#include <unicode/ucol.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utrans.h>

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
 * singletons; the transliterator is used under a lock; collators, which are
 * not safe to share, are kept per thread. */

#define PINYIN_FIRST     0x3400
#define PINYIN_LAST      0x9fff
#define PINYIN_NONE      0xffff
#define PINYIN_MAX_RUN   32        /* characters of one term: names are short, prose need not be found by sound */
#define PHONE_MIN_DIGITS 5
#define PHONE_MAX_DIGITS 20
#define MATCH_MAX_ITEMS  24
#define JOINED_MAX       48

typedef struct
{
  char     digits[PHONE_MAX_DIGITS + 1];
  guint    n_digits;
  gboolean plus;
  gboolean separated;
} Phone;

static const char *fold_cache[0x10000];

static GMutex  pinyin_lock;
static guint16 pinyin_index[PINYIN_LAST - PINYIN_FIRST + 1];   /* 0: unknown; PINYIN_NONE: no reading; else index + 1 */
static char    pinyin_syllables[1024][8];
static guint   pinyin_n_syllables;

static GPrivate collators = G_PRIVATE_INIT ((GDestroyNotify) g_hash_table_unref);

/* Letters that Unicode does not decompose but people type without the stroke. */
static const struct
{
  UChar32     from;
  const char *to;
} strokes[] = {
  { 0x00e6, "ae" }, { 0x00f0, "d" }, { 0x00f8, "o" }, { 0x00fe, "th" }, { 0x0111, "d" }, { 0x0127, "h" },
  { 0x0131, "i" },  { 0x0142, "l" }, { 0x0153, "oe" }, { 0x0167, "t" }, { 0x0180, "b" }, { 0x0268, "i" },
};

/* ---- UTF-16 ---------------------------------------------------------- */

/* A UTF-16 copy of UTF-8 text, on the stack when it is short. */
typedef struct
{
  UChar   small[256];
  UChar  *text;
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

/* The result is owned by the caller; *out_len its length. */
static UChar *
normalize (const UNormalizer2 *normalizer, const UChar *text, int32_t len, int32_t *out_len)
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

static const UNormalizer2 *
normalizer_nfkd (void)
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

/* Needs no folding and does not interact with what stands before it. */
static inline gboolean
is_plain_cjk (gunichar c)
{
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0xac00 && c <= 0xd7a3)
         || (c >= 0x3041 && c <= 0x3096) || (c >= 0x30a1 && c <= 0x30fa);
}

/* Written without blanks between words: indexed by the character. */
static inline gboolean
is_cjk (gunichar c)
{
  return c >= 0x1100
         && (is_plain_cjk (c) || (c >= 0x20000 && c <= 0x3ffff) || c == 0x3005 || c == 0x3007
             || (c >= 0x30fc && c <= 0x30fe) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x3105 && c <= 0x312f));
}

static inline gboolean
is_word (gunichar c)
{
  if (c < 0x80)
    return g_ascii_isalnum ((char) c);
  return (U_GET_GC_MASK ((UChar32) c) & (U_GC_L_MASK | U_GC_N_MASK | U_GC_M_MASK)) != 0;
}

/* Marks over and under letters of alphabets. Vowel signs of Indic scripts and
 * the voicing marks of kana change the word and stay. */
static gboolean
is_removable_mark (UChar32 c)
{
  return (c >= 0x0300 && c <= 0x036f) || (c >= 0x0483 && c <= 0x0487) || (c >= 0x0591 && c <= 0x05bd)
         || c == 0x05bf || c == 0x05c1 || c == 0x05c2 || c == 0x05c4 || c == 0x05c5 || c == 0x05c7
         || (c >= 0x064b && c <= 0x065f) || c == 0x0670 || (c >= 0x1ab0 && c <= 0x1aff)
         || (c >= 0x1dc0 && c <= 0x1dff) || (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe20 && c <= 0xfe2f);
}

static inline gboolean
has_boundary_before (gunichar c)
{
  if (c < 0x300 || is_plain_cjk (c))
    return TRUE;
  return unorm2_hasBoundaryBefore (normalizer_nfkc_casefold (), (UChar32) c);
}

static gboolean
is_ascii (const char *text, gsize len)
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
  decomposed = normalize (normalizer_nfkd (), utf16.text, utf16.len, &n);
  for (int32_t i = 0; i < n; i++)
    if (!is_removable_mark (decomposed[i]))   /* all of them are in the BMP */
      decomposed[m++] = decomposed[i];
  folded = normalize (normalizer_nfkc_casefold (), decomposed, m, &n_folded);
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
      else if (!U_IS_SURROGATE (c) && !is_removable_mark (c))
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
  gsize    start;
  char     blank;        /* waiting: 0, ' ' or '\n' */
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

static void
fold_append (const char *text, gsize len, gboolean keep_lines, GString *out)
{
  Folder folder = { out, out->len, 0, keep_lines };
  const char *end = text + len;

  if (is_ascii (text, len))
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
      else if (is_plain_cjk (c))
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
  fold_append (text, len, FALSE, out);
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

      if (is_word (g_utf8_get_char (p)))
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
        inert = is_plain_cjk (g_utf8_get_char (p));
    }
  if (!inert)
    {
      g_auto (Utf16) utf16 = { 0 };
      UErrorCode status = U_ZERO_ERROR;

      utf16_init (&utf16, copy, m);
      if (unorm2_quickCheck (normalizer_nfc (), utf16.text, utf16.len, &status) != UNORM_YES)
        {
          int32_t n_composed;
          g_autofree UChar *composed = normalize (normalizer_nfc (), utf16.text, utf16.len, &n_composed);
          GString *out = g_string_sized_new (m + 1);

          append_utf16 (out, composed, n_composed);
          return g_string_free (out, FALSE);
        }
    }
  return g_steal_pointer (&copy);
}

/* ---- terms ----------------------------------------------------------- */

static void
add_term (GString *out, const char *term, gsize len)
{
  if (out->len > 0 && out->str[out->len - 1] != ' ')
    g_string_append_c (out, ' ');
  g_string_append_len (out, term, (gssize) len);
}

/* The end of the word that starts at @p (behind its first character). */
static const char *
word_end (const char *p)
{
  while (*p != '\0')
    {
      gunichar c;

      if ((guchar) *p < 0x80)
        {
          if (!g_ascii_isalnum (*p))
            break;
          p++;
          continue;
        }
      c = g_utf8_get_char (p);
      if (!is_word (c) || is_cjk (c))
        break;
      p = g_utf8_next_char (p);
    }
  return p;
}

static inline gboolean
starts_word (const char *p)
{
  gunichar c = (guchar) *p < 0x80 ? (guchar) *p : g_utf8_get_char (p);

  return is_word (c) && !is_cjk (c);
}

/* Reads digits written like a telephone number at @p, which is not inside a
 * word. Returns its end, or NULL when it is none. "+49 (0)30" drops the (0). */
static const char *
read_phone (const char *p, Phone *phone)
{
  const char *end = NULL;

  *phone = (Phone) { 0 };
  if (*p == '+')
    {
      phone->plus = TRUE;
      p++;
    }
  while (TRUE)
    {
      const char *s = p;
      guint n_separators = 0;

      while (*s == ' ' || *s == '-' || *s == '.' || *s == '/' || *s == '(' || *s == ')')
        {
          /* " / " stands between two numbers, "030/123" inside one. */
          if (*s == '/' && (s[1] == ' ' || (s > p && s[-1] == ' ')))
            break;
          s++;
          n_separators++;
        }
      if (!g_ascii_isdigit (*s) || n_separators > 3)
        break;
      if (phone->plus && phone->n_digits > 0 && g_str_has_prefix (s, "0)") && s > p && s[-1] == '(')
        {
          p = s + 2;
          phone->separated = TRUE;
          continue;
        }
      if (n_separators > 0 && phone->n_digits > 0)
        phone->separated = TRUE;
      for (; g_ascii_isdigit (*s); s++)
        {
          if (phone->n_digits == PHONE_MAX_DIGITS)
            return NULL;
          phone->digits[phone->n_digits++] = *s;
        }
      end = p = s;
    }
  if (end == NULL || phone->n_digits < PHONE_MIN_DIGITS || starts_word (end)
      || (!phone->plus && !phone->separated && phone->digits[0] != '0'))
    return NULL;
  return end;
}

/* A number is found with and without its country code: behind a country code
 * of one, two or three digits the national number begins, the 0 before it is not dialled. */
static void
add_phone_terms (GString *out, const Phone *phone)
{
  const char *national = phone->digits;

  if (phone->separated)
    add_term (out, phone->digits, phone->n_digits);
  if (phone->plus || g_str_has_prefix (national, "00"))
    {
      if (!phone->plus)
        {
          national += 2;
          add_term (out, national, strlen (national));
        }
      for (guint i = 0; i < 3 && strlen (national) > 6; i++)
        {
          national++;
          add_term (out, national, strlen (national));
        }
    }
  else if (*national == '0')
    add_term (out, national + 1, phone->n_digits - 1);
}

static inline gboolean
is_connector (const char *p)
{
  return *p == '-' || *p == '\'' || *p == '.' || *p == '&' || *p == '_' || g_str_has_prefix (p, "\342\200\231");
}

void
kt_text_index_terms (const char *text, GString *out)
{
  g_autoptr (GString) folded = NULL;
  g_autoptr (GString) more = NULL;     /* behind the words, so that neighbours stay neighbours */
  char joined[JOINED_MAX];
  gsize n_joined = 0;
  guint n_parts = 0;
  gsize len;
  const char *p, *phone_end;
  gboolean inside = FALSE;

  g_return_if_fail (text != NULL);
  g_return_if_fail (out != NULL);

  len = strlen (text);
  folded = g_string_sized_new (len + 8);
  fold_append (text, len, TRUE, folded);
  more = g_string_new (NULL);

  p = phone_end = folded->str;
  while (*p != '\0')
    {
      const char *next;

      if (!inside && p >= phone_end && (g_ascii_isdigit (*p) || *p == '+' || *p == '('))
        {
          Phone phone;
          const char *end = read_phone (p, &phone);

          if (end != NULL)
            {
              add_phone_terms (more, &phone);
              phone_end = end;
            }
        }

      if (!starts_word (p))
        {
          inside = FALSE;
          next = g_utf8_next_char (p);
          if (is_cjk (g_utf8_get_char (p)))
            {
              add_term (out, p, (gsize) (next - p));
              inside = TRUE;
            }
          p = next;
          continue;
        }

      next = word_end (p);
      add_term (out, p, (gsize) (next - p));

      /* "O'Brien" is also "obrien", "gtx-pro" is also "gtxpro". */
      if (n_joined + (gsize) (next - p) <= sizeof joined)
        {
          memcpy (joined + n_joined, p, (gsize) (next - p));
          n_joined += (gsize) (next - p);
          n_parts++;
        }
      else
        n_parts = 0;
      if (is_connector (next) && starts_word (g_utf8_next_char (next)) && n_parts > 0)
        p = g_utf8_next_char (next);
      else
        {
          gboolean digits = TRUE;

          for (gsize i = 0; digits && i < n_joined; i++)
            digits = g_ascii_isdigit (joined[i]);
          if (n_parts > 1 && !digits)
            add_term (more, joined, n_joined);
          n_joined = 0;
          n_parts = 0;
          p = next;
          inside = TRUE;
        }
    }
  if (more->len > 0)
    add_term (out, more->str, more->len);
}

/* ---- pinyin ---------------------------------------------------------- */

/* Called with the lock held. "" when the character has no reading. ü is
 * written "v", as it is typed. */
static void
transliterate (gunichar c, char syllable[8])
{
  static UTransliterator *han_latin;   /* lives as long as the process */
  static gboolean tried;
  UChar buffer[64];
  UErrorCode status = U_ZERO_ERROR;
  int32_t len = 0, limit, n;
  g_autofree UChar *decomposed = NULL;
  gsize m = 0;

  syllable[0] = '\0';
  if (!tried)
    {
      static const UChar id[] = u"Han-Latin";

      tried = TRUE;
      han_latin = utrans_openU (id, -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
      if (U_FAILURE (status))
        han_latin = NULL;
    }
  if (han_latin == NULL)
    return;

  status = U_ZERO_ERROR;
  U16_APPEND_UNSAFE (buffer, len, (UChar32) c);
  limit = len;
  utrans_transUChars (han_latin, buffer, &len, G_N_ELEMENTS (buffer), 0, &limit, &status);
  if (U_FAILURE (status))
    return;
  decomposed = normalize (normalizer_nfkd (), buffer, len, &n);
  for (int32_t i = 0; i < n; i++)
    {
      UChar u = decomposed[i];

      if (u == 0x0308 && m > 0 && syllable[m - 1] == 'u')
        syllable[m - 1] = 'v';
      else if (u < 0x80 && g_ascii_isalpha ((char) u) && m < 7)
        syllable[m++] = g_ascii_tolower ((char) u);
      else if (u >= 0x80 && !is_removable_mark (u))
        {
          m = 0;    /* left as it was: no reading */
          break;
        }
    }
  syllable[m] = '\0';
}

static const char *
syllable_of (gunichar c)
{
  guint index = (guint) __atomic_load_n (&pinyin_index[c - PINYIN_FIRST], __ATOMIC_ACQUIRE);

  if (G_UNLIKELY (index == 0))
    {
      char syllable[8];

      g_mutex_lock (&pinyin_lock);
      transliterate (c, syllable);
      index = PINYIN_NONE;
      if (syllable[0] != '\0')
        {
          guint i = 0;

          while (i < pinyin_n_syllables && strcmp (pinyin_syllables[i], syllable) != 0)
            i++;
          if (i < G_N_ELEMENTS (pinyin_syllables))
            {
              if (i == pinyin_n_syllables)
                {
                  memcpy (pinyin_syllables[i], syllable, sizeof syllable);
                  pinyin_n_syllables++;
                }
              index = i + 1;
            }
        }
      __atomic_store_n (&pinyin_index[c - PINYIN_FIRST], (guint16) index, __ATOMIC_RELEASE);
      g_mutex_unlock (&pinyin_lock);
    }
  return index == PINYIN_NONE ? "" : pinyin_syllables[index - 1];
}

static void
add_pinyin_run (GString *out, const char *const *syllables, guint n)
{
  char joined[PINYIN_MAX_RUN * 8 + 1];
  char initials[PINYIN_MAX_RUN + 1];
  gsize m = 0;
  gboolean umlaut = FALSE;

  for (guint i = 0; i < n; i++)
    {
      gsize len = strlen (syllables[i]);

      memcpy (joined + m, syllables[i], len);
      m += len;
      initials[i] = syllables[i][0];
      umlaut |= memchr (syllables[i], 'v', len) != NULL;
    }
  add_term (out, joined, m);
  if (m > n)
    add_term (out, initials, n);
  if (umlaut)   /* 吕: "lv" is typed, and "lu" too */
    {
      for (gsize i = 0; i < m; i++)
        if (joined[i] == 'v')
          joined[i] = 'u';
      add_term (out, joined, m);
    }
}

void
kt_text_pinyin_terms (const char *text, GString *out)
{
  const char *syllables[PINYIN_MAX_RUN];
  guint n = 0;

  g_return_if_fail (text != NULL);
  g_return_if_fail (out != NULL);

  for (const char *p = text;;)
    {
      gunichar c;

      /* Chinese characters have lead bytes E3 to E9. */
      if ((guchar) *p < 0xe3 && n == 0)
        {
          if (*p == '\0')
            break;
          p++;
          continue;
        }
      c = g_utf8_get_char (p);
      if ((c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff))
        {
          const char *syllable = syllable_of (c);

          if (*syllable != '\0' && n < PINYIN_MAX_RUN)
            syllables[n++] = syllable;
        }
      else if (n > 0)
        {
          add_pinyin_run (out, syllables, n);
          n = 0;
        }
      if (c == 0)
        break;
      p = g_utf8_next_char (p);
    }
}

/* ---- what was typed -------------------------------------------------- */

static void
add_quoted (GString *out, const char *text, gsize len, gboolean prefix)
{
  g_string_append_c (out, '"');
  g_string_append_len (out, text, (gssize) len);   /* letters and digits only: nothing to escape */
  g_string_append (out, prefix ? "\"*" : "\"");
}

static void
add_and (GString *out)
{
  if (out->len > 0 && out->str[out->len - 1] != '(')
    g_string_append (out, " AND ");
}

/* Every word and CJK run of [p, end) as one conjunction; the last word as prefix. */
static guint
add_words (GString *out, const char *p, const char *end, gboolean prefix, guint max, GString *joined, gboolean *plain)
{
  guint n = 0;

  while (p < end && n < max)
    {
      const char *start = p;

      if (starts_word (p))
        {
          const char *rest;

          p = word_end (p);
          for (rest = p; rest < end && !is_word (g_utf8_get_char (rest)); rest = g_utf8_next_char (rest))
            ;
          add_and (out);
          add_quoted (out, start, (gsize) (p - start), prefix && rest >= end);
          if (joined != NULL)
            g_string_append_len (joined, start, p - start);
          if (plain != NULL && !is_ascii (start, (gsize) (p - start)))
            *plain = FALSE;
          n++;
        }
      else if (is_cjk (g_utf8_get_char (p)))
        {
          add_and (out);
          g_string_append_c (out, '"');
          for (; p < end && is_cjk (g_utf8_get_char (p)); p = g_utf8_next_char (p))
            {
              if (p > start)
                g_string_append_c (out, ' ');
              g_string_append_len (out, p, g_utf8_next_char (p) - p);
            }
          g_string_append_c (out, '"');
          if (plain != NULL)
            *plain = FALSE;
          n++;
        }
      else
        p = g_utf8_next_char (p);
    }
  return n;
}

static void
add_phone_match (GString *out, const Phone *phone, const char *start, const char *end)
{
  const char *digits = phone->digits;

  add_and (out);
  g_string_append_c (out, '(');
  if (!phone->plus && g_str_has_prefix (digits, "00"))
    digits += 2;
  add_quoted (out, digits, strlen (digits), TRUE);
  if (digits == phone->digits && *digits == '0' && !phone->plus)
    {
      g_string_append (out, " OR ");
      add_quoted (out, digits + 1, strlen (digits) - 1, TRUE);
    }
  if (phone->separated)
    {
      g_string_append (out, " OR (");
      add_words (out, start, end, TRUE, 8, NULL, NULL);
      g_string_append_c (out, ')');
    }
  g_string_append_c (out, ')');
}

char *
kt_text_match (const char *typed)
{
  g_autoptr (GString) folded = NULL;
  g_autoptr (GString) joined = NULL;
  GString *out;
  const char *p, *words;
  guint n = 0;
  gboolean plain = TRUE, inside = FALSE;
  gsize len;

  g_return_val_if_fail (typed != NULL, NULL);

  for (len = 0; len < 1024 && typed[len] != '\0'; len++)
    ;
  while (len > 0 && ((guchar) typed[len] & 0xc0) == 0x80)
    len--;
  folded = g_string_new (NULL);
  fold_append (typed, len, FALSE, folded);
  joined = g_string_new (NULL);
  out = g_string_new (NULL);

  p = words = folded->str;
  while (*p != '\0' && n < MATCH_MAX_ITEMS)
    {
      if (!inside && (g_ascii_isdigit (*p) || *p == '+' || *p == '('))
        {
          Phone phone;
          const char *end = read_phone (p, &phone);

          if (end != NULL)
            {
              n += add_words (out, words, p, FALSE, MATCH_MAX_ITEMS - n, joined, &plain);
              add_phone_match (out, &phone, p, end);
              plain = FALSE;
              n++;
              p = words = end;
              continue;
            }
        }
      inside = is_word (g_utf8_get_char (p));
      p = g_utf8_next_char (p);
    }
  n += add_words (out, words, p, TRUE, MATCH_MAX_ITEMS - n, joined, &plain);

  /* "zhang san" is "zhangsan" in the index, and "gtx pro" may be written in one. */
  if (plain && n >= 2 && n <= 4 && joined->len <= JOINED_MAX)
    {
      g_string_prepend (out, "(");
      g_string_append (out, ") OR ");
      add_quoted (out, joined->str, joined->len, TRUE);
    }
  return g_string_free (out, n == 0);
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
  if (collator == NULL)     /* ICU without its data: bytewise is still an order */
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
  fold_append (haystack, len, FALSE, folded);
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
