/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "base/kt-text.h"

#include <string.h>

#include <unicode/utrans.h>
#include <unicode/uversion.h>

#include "base/kt-text-private.h"

/* What the full-text index is given, and what it is asked. Both sides cut text
 * the same way, so that whatever was typed as it is written is found:
 *
 *   Anna O'Brien      anna o brien obrien
 *   张三               张 三            (a phrase of characters)      zhangsan zs san   (by sound, kt_text_pinyin_terms)
 *   +49 (30) 123-456  49 30 123 456 4930123456 … 30123456      (found with and without the country code) */

#define PINYIN_FIRST 0x3400
#define PINYIN_LAST 0x9fff
#define PINYIN_NONE 0xffff
#define PINYIN_MAX_RUN \
  32 /* characters of one term: names are short, prose need not be found by sound */
#define PHONE_MIN_DIGITS 5
#define PHONE_MAX_DIGITS 20
#define MATCH_MAX_ITEMS 24
#define JOINED_MAX 48

typedef struct
{
  char digits[PHONE_MAX_DIGITS + 1];
  guint n_digits;
  gboolean plus;
  gboolean separated;
} Phone;

static GMutex pinyin_lock;
static guint16 pinyin_index[PINYIN_LAST - PINYIN_FIRST
                            + 1]; /* 0: unknown; PINYIN_NONE: no reading; else index + 1 */
static char pinyin_syllables[1024][8];
static guint pinyin_n_syllables;

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
      if (!_kt_text_is_word (c) || _kt_text_is_cjk (c))
        break;
      p = g_utf8_next_char (p);
    }
  return p;
}

static inline gboolean
starts_word (const char *p)
{
  gunichar c = (guchar) *p < 0x80 ? (guchar) *p : g_utf8_get_char (p);

  return _kt_text_is_word (c) && !_kt_text_is_cjk (c);
}

/* Reads digits written like a telephone number at @p, which is not inside a
 * word. Returns its end, or NULL when it is none. "+49 (0)30" drops the (0). */
static const char *
read_phone (const char *p, Phone *phone)
{
  const char *end = NULL;

  *phone = (Phone){ 0 };
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
  return *p == '-' || *p == '\'' || *p == '.' || *p == '&' || *p == '_'
         || g_str_has_prefix (p, "\342\200\231");
}

void
kt_text_index_terms (const char *text, GString *out)
{
  g_autoptr (GString) folded = NULL;
  g_autoptr (GString) more = NULL; /* behind the words, so that neighbours stay neighbours */
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
  _kt_text_fold_append (text, len, TRUE, folded);
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
          if (_kt_text_is_cjk (g_utf8_get_char (p)))
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
  static UTransliterator *han_latin; /* lives as long as the process */
  static gboolean tried;
  UChar buffer[64];
  UErrorCode status = U_ZERO_ERROR;
  int32_t len = 0, limit, n;
  g_autofree UChar *decomposed = NULL;
  gsize m = 0;

  syllable[0] = '\0';
  if (!tried)
    {
      static const UChar id[] = { 'H', 'a', 'n', '-', 'L', 'a', 't', 'i', 'n' };

      tried = TRUE;
      han_latin = utrans_openU (id, G_N_ELEMENTS (id), UTRANS_FORWARD, NULL, 0, NULL, &status);
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
  decomposed = _kt_text_normalize_utf16 (_kt_text_nfkd (), buffer, len, &n);
  for (int32_t i = 0; i < n; i++)
    {
      UChar u = decomposed[i];

      if (u == 0x0308 && m > 0 && syllable[m - 1] == 'u')
        syllable[m - 1] = 'v';
      else if (u < 0x80 && g_ascii_isalpha ((char) u) && m < 7)
        syllable[m++] = g_ascii_tolower ((char) u);
      else if (u >= 0x80 && !_kt_text_is_removable_mark (u))
        {
          m = 0; /* left as it was: no reading */
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

/* Characters that are read otherwise as the beginning of a name; those of two characters that
 * ICU's "Han-Latin/Names" knows, and the common ones of one. */
static const struct
{
  gunichar first, second; /* second 0: whatever follows */
  const char *syllables[2];
} surnames[] = {
  { 0x4e07, 0x4fdf, { "mo", "qi" } },    /* 万俟 */
  { 0x5c09, 0x8fdf, { "yu", "chi" } },   /* 尉迟 */
  { 0x5355, 0x4e8e, { "chan", "yu" } },  /* 单于 */
  { 0x6fb9, 0x53f0, { "tan", "tai" } },  /* 澹台 */
  { 0x957f, 0x5b59, { "zhang", "sun" } }, /* 长孙 */
  { 0x5355, 0, { "shan" } },             /* 单 */
  { 0x55ae, 0, { "shan" } },             /* 單 */
  { 0x66fe, 0, { "zeng" } },             /* 曾 */
  { 0x89e3, 0, { "xie" } },              /* 解 */
  { 0x4ec7, 0, { "qiu" } },              /* 仇 */
  { 0x67e5, 0, { "zha" } },              /* 查 */
  { 0x4efb, 0, { "ren" } },              /* 任 */
  { 0x6734, 0, { "piao" } },             /* 朴 */
  { 0x533a, 0, { "ou" } },               /* 区 */
  { 0x76d6, 0, { "ge" } },               /* 盖 */
  { 0x4e50, 0, { "yue" } },              /* 乐 */
  { 0x79d8, 0, { "bi" } },               /* 秘 */
  { 0x9ed1, 0, { "he" } },               /* 黑 */
  { 0x7e41, 0, { "po" } },               /* 繁 */
  { 0x8983, 0, { "qin" } },              /* 覃 */
  { 0x7fdf, 0, { "zhai" } },             /* 翟 */
};

#define PINYIN_TAIL 6    /* syllables of a term that begins inside a run */
#define PINYIN_STARTS 16 /* characters of a run a term may begin with */

/* The first @n syllables as one word and as initials. */
static void
add_pinyin (GString *out, const char *const *syllables, guint n)
{
  char joined[PINYIN_MAX_RUN * 8 + 1] = "";
  char initials[PINYIN_MAX_RUN + 1] = "";
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
  if (m > n && n > 1) /* one letter is the beginning of the word anyway */
    add_term (out, initials, n);
  if (umlaut) /* 吕: "lv" is typed, and "lu" too */
    {
      for (gsize i = 0; i < m; i++)
        if (joined[i] == 'v')
          joined[i] = 'u';
      add_term (out, joined, m);
    }
}

static void
add_pinyin_run (GString *out, const gunichar *characters, const char **syllables, guint n)
{
  add_pinyin (out, syllables, n);
  /* "zijie" finds 北京字节跳动: a name is remembered by any of its parts. */
  for (guint i = 1; i < n && i < PINYIN_STARTS; i++)
    add_pinyin (out, syllables + i, MIN (n - i, PINYIN_TAIL));
  for (guint i = 0; n > 1 && i < G_N_ELEMENTS (surnames); i++)
    if (characters[0] == surnames[i].first
        && (surnames[i].second == 0 || characters[1] == surnames[i].second))
      {
        syllables[0] = surnames[i].syllables[0];
        if (surnames[i].second != 0)
          syllables[1] = surnames[i].syllables[1];
        add_pinyin (out, syllables, n);
        break;
      }
}

void
kt_text_pinyin_terms (const char *text, GString *out)
{
  const char *syllables[PINYIN_MAX_RUN];
  gunichar characters[PINYIN_MAX_RUN];
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
            {
              characters[n] = c;
              syllables[n++] = syllable;
            }
        }
      else if (n > 0)
        {
          add_pinyin_run (out, characters, syllables, n);
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
  g_string_append_len (out, text, (gssize) len); /* letters and digits only: nothing to escape */
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
add_words (GString *out,
           const char *p,
           const char *end,
           gboolean prefix,
           guint max,
           GString *joined,
           gboolean *plain)
{
  guint n = 0;

  while (p < end && n < max)
    {
      const char *start = p;

      if (starts_word (p))
        {
          const char *rest;

          p = word_end (p);
          for (rest = p; rest < end && !_kt_text_is_word (g_utf8_get_char (rest));
               rest = g_utf8_next_char (rest))
            ;
          add_and (out);
          add_quoted (out, start, (gsize) (p - start), prefix && rest >= end);
          if (joined != NULL)
            g_string_append_len (joined, start, p - start);
          if (plain != NULL && !_kt_text_is_ascii (start, (gsize) (p - start)))
            *plain = FALSE;
          n++;
        }
      else if (_kt_text_is_cjk (g_utf8_get_char (p)))
        {
          add_and (out);
          g_string_append_c (out, '"');
          for (; p < end && _kt_text_is_cjk (g_utf8_get_char (p)); p = g_utf8_next_char (p))
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
  _kt_text_fold_append (typed, len, FALSE, folded);
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
      inside = _kt_text_is_word (g_utf8_get_char (p));
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

char *
kt_text_match_start (const char *typed)
{
  g_autoptr (GString) folded = NULL;
  GString *out;
  guint n = 0;
  gsize len;

  g_return_val_if_fail (typed != NULL, NULL);

  for (len = 0; len < 1024 && typed[len] != '\0'; len++)
    ;
  while (len > 0 && ((guchar) typed[len] & 0xc0) == 0x80)
    len--;
  folded = g_string_new (NULL);
  _kt_text_fold_append (typed, len, FALSE, folded);
  out = g_string_new ("^ \"");
  for (const char *p = folded->str; *p != '\0' && n < MATCH_MAX_ITEMS;)
    {
      const char *end = g_utf8_next_char (p);

      if (starts_word (p))
        end = word_end (p);
      else if (!_kt_text_is_cjk (g_utf8_get_char (p)))
        {
          p = end;
          continue;
        }
      if (n++ > 0)
        g_string_append_c (out, ' ');
      g_string_append_len (out, p, end - p);
      p = end;
    }
  g_string_append (out, "\" *");
  return g_string_free (out, n == 0);
}

const char *
kt_text_tables (void)
{
  static gsize ready;
  static char text[U_MAX_VERSION_STRING_LENGTH];

  if (g_once_init_enter (&ready))
    {
      UVersionInfo version;

      u_getVersion (version);
      u_versionToString (version, text);
      g_once_init_leave (&ready, 1);
    }
  return text;
}
