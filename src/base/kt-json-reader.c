/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-json.h"

#include <string.h>

/* The tokenizer. It works in the caller's buffer:
 *
 *   before   … "na\u00efve" , 12 , …
 *   after    … "naïve␀efve" , 12␀ …       text → n, text → 1
 *
 * An unescaped string is never longer than its escaped form, and its closing
 * quote becomes the NUL. A number has no closing character of its own: the one
 * behind it is held in the reader and put back at the next call. Positions are
 * therefore exact at all times; only characters inside strings move.           */

enum
{
  EXPECT_VALUE,
  EXPECT_VALUE_OR_END, /* just behind [ */
  EXPECT_KEY_OR_END,   /* just behind { */
  EXPECT_COMMA_OR_END,
  EXPECT_NOTHING,
  EXPECT_FAILED,
};

#define ONES G_GUINT64_CONSTANT (0x0101010101010101)
#define HIGHS G_GUINT64_CONSTANT (0x8080808080808080)

static KtJsonType
fail (KtJsonReader *reader, const char *at, const char *problem)
{
  reader->problem = problem;
  reader->expect = EXPECT_FAILED;
  reader->at = (char *) at;
  reader->raw_start = (gsize) (at - reader->start);
  reader->raw_end = reader->raw_start;
  return KT_JSON_ERROR;
}

static inline void
skip_blanks (KtJsonReader *reader)
{
  char *p = reader->at;

  for (; p < reader->end; p++)
    {
      if (*p == ' ' || *p == '\t' || *p == '\r')
        continue;
      if (*p != '\n')
        break;
      reader->line++;
      reader->line_start = p + 1;
    }
  reader->at = p;
}

/* The first byte in [p, end) that ends a plain run: quote, backslash, control. *seen gathers the high bits. */
static inline char *
scan_plain (char *p, const char *end, guint64 *seen)
{
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
  while (end - p >= 8)
    {
      guint64 x, quote, backslash, stop;

      memcpy (&x, p, 8);
      quote = x ^ (ONES * '"');
      backslash = x ^ (ONES * '\\');
      stop =
        (((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash) | ((x - ONES * 0x20) & ~x))
        & HIGHS;
      if (stop != 0)
        {
          /* Borrow may mark bytes above the first hit, never below it. */
          int bit = __builtin_ctzll (stop);

          *seen |= x & ((G_GUINT64_CONSTANT (1) << (bit & ~7)) - 1);
          return p + bit / 8;
        }
      *seen |= x;
      p += 8;
    }
#endif
  for (; p < end; p++)
    {
      guint8 c = (guint8) *p;

      if (c == '"' || c == '\\' || c < 0x20)
        break;
      *seen |= c;
    }
  return p;
}

static int
hex4 (const char *p, const char *end)
{
  int value = 0;

  if (end - p < 4)
    return -1;
  for (int i = 0; i < 4; i++)
    {
      int digit = g_ascii_xdigit_value (p[i]);

      if (digit < 0)
        return -1;
      value = value << 4 | digit;
    }
  return value;
}

/* @p: behind the backslash. Writes the character to *out; NULL and *problem when malformed. */
static char *
unescape (char *p, const char *end, char **out, const char **problem)
{
  int code;

  if (p >= end)
    {
      *problem = "the string is not closed";
      return NULL;
    }
  switch (*p++)
    {
    case '"':
      *(*out)++ = '"';
      return p;
    case '\\':
      *(*out)++ = '\\';
      return p;
    case '/':
      *(*out)++ = '/';
      return p;
    case 'b':
      *(*out)++ = '\b';
      return p;
    case 'f':
      *(*out)++ = '\f';
      return p;
    case 'n':
      *(*out)++ = '\n';
      return p;
    case 'r':
      *(*out)++ = '\r';
      return p;
    case 't':
      *(*out)++ = '\t';
      return p;
    case 'u':
      break;
    default:
      *problem = "unknown escape in a string";
      return NULL;
    }

  code = hex4 (p, end);
  if (code < 0)
    {
      *problem = "\\u needs four hexadecimal digits";
      return NULL;
    }
  p += 4;
  if (code == 0)
    {
      *problem = "the character U+0000 is not allowed";
      return NULL;
    }
  if (code >= 0xdc00 && code <= 0xdfff)
    {
      *problem = "half of a surrogate pair";
      return NULL;
    }
  if (code >= 0xd800 && code <= 0xdbff)
    {
      int low = end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4 (p + 2, end) : -1;

      if (low < 0xdc00 || low > 0xdfff)
        {
          *problem = "half of a surrogate pair";
          return NULL;
        }
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      p += 6;
    }
  *out += g_unichar_to_utf8 ((gunichar) code, *out);
  return p;
}

/* @reader->at: behind the opening quote. Leaves text, len and at behind the closing one. */
static KtJsonType
read_string (KtJsonReader *reader, KtJsonType token)
{
  char *start = reader->at, *p = start, *out = NULL, *run = start;
  const char *problem = NULL;

  for (;;)
    {
      guint64 seen = 0;

      run = p;
      p = scan_plain (p, reader->end, &seen);
      if ((seen & HIGHS) != 0 && !g_utf8_validate_len (run, (gsize) (p - run), NULL))
        return fail (reader, run, "the text is not valid UTF-8");
      if (p >= reader->end)
        return fail (reader, start - 1, "the string is not closed");
      if (out != NULL)
        {
          memmove (out, run, (gsize) (p - run));
          out += p - run;
        }
      if (*p == '"')
        break;
      if (*p != '\\')
        return fail (reader, p, "a control character in a string must be escaped");
      if (out == NULL)
        out = p;
      {
        char *next = unescape (p + 1, reader->end, &out, &problem);

        if (next == NULL)
          return fail (reader, p, problem);
        p = next;
      }
    }

  if (out == NULL)
    out = p;
  *out = '\0';
  *p = '\0';
  reader->text = start;
  reader->len = (gsize) (out - start);
  reader->at = p + 1;
  reader->raw_end = (gsize) (p + 1 - reader->start);
  return token;
}

static KtJsonType
read_number (KtJsonReader *reader)
{
  char *start = reader->at, *p = start;
  const char *end = reader->end;
  gboolean negative = *p == '-';
  gboolean fits = TRUE;
  guint64 value = 0;

  if (negative)
    p++;
  if (p >= end || !g_ascii_isdigit (*p))
    return fail (reader, start, "a number needs a digit");
  if (*p == '0')
    {
      p++;
      if (p < end && g_ascii_isdigit (*p))
        return fail (reader, start, "a number must not start with 0");
    }
  else
    for (; p < end && g_ascii_isdigit (*p); p++)
      {
        guint digit = (guint) (*p - '0');

        if (value > (G_MAXUINT64 - digit) / 10)
          fits = FALSE;
        else
          value = value * 10 + digit;
      }

  reader->is_integer = TRUE;
  if (p < end && *p == '.')
    {
      reader->is_integer = FALSE;
      p++;
      if (p >= end || !g_ascii_isdigit (*p))
        return fail (reader, start, "a number needs a digit behind its point");
      while (p < end && g_ascii_isdigit (*p))
        p++;
    }
  if (p < end && (*p == 'e' || *p == 'E'))
    {
      reader->is_integer = FALSE;
      p++;
      if (p < end && (*p == '-' || *p == '+'))
        p++;
      if (p >= end || !g_ascii_isdigit (*p))
        return fail (reader, start, "a number needs a digit in its exponent");
      while (p < end && g_ascii_isdigit (*p))
        p++;
    }

  if (!fits || value > (guint64) G_MAXINT64 + (negative ? 1 : 0))
    reader->is_integer = FALSE;
  reader->integer = 0;
  if (reader->is_integer)
    reader->integer = negative ? (gint64) (0 - value) : (gint64) value;

  reader->text = start;
  reader->len = (gsize) (p - start);
  reader->at = p;
  reader->raw_end = (gsize) (p - reader->start);
  reader->held_at = p;
  reader->held = *p;
  *p = '\0';
  return KT_JSON_NUMBER;
}

static KtJsonType
read_word (KtJsonReader *reader, const char *word, KtJsonType token)
{
  gsize n = strlen (word);

  if ((gsize) (reader->end - reader->at) < n || memcmp (reader->at, word, n) != 0)
    return fail (reader, reader->at, "a value was expected");
  reader->at += n;
  reader->raw_end = (gsize) (reader->at - reader->start);
  return token;
}

static KtJsonType
open_container (KtJsonReader *reader, gboolean object)
{
  if (reader->depth >= KT_JSON_MAX_DEPTH)
    return fail (reader, reader->at, "nested too deeply");
  reader->stack[reader->depth++] = object;
  reader->at++;
  reader->raw_end = (gsize) (reader->at - reader->start);
  reader->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
  return object ? KT_JSON_OBJECT : KT_JSON_ARRAY;
}

static inline void
after_value (KtJsonReader *reader)
{
  reader->expect = reader->depth > 0 ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static KtJsonType
close_container (KtJsonReader *reader)
{
  gboolean object = *reader->at == '}';

  if (reader->stack[reader->depth - 1] != object)
    return fail (reader, reader->at, object ? "] was expected, not }" : "} was expected, not ]");
  reader->depth--;
  reader->at++;
  reader->raw_end = (gsize) (reader->at - reader->start);
  after_value (reader);
  return object ? KT_JSON_OBJECT_END : KT_JSON_ARRAY_END;
}

static KtJsonType
read_value (KtJsonReader *reader)
{
  KtJsonType token;

  switch (*reader->at)
    {
    case '"':
      reader->at++;
      token = read_string (reader, KT_JSON_STRING);
      break;
    case '{':
      return open_container (reader, TRUE);
    case '[':
      return open_container (reader, FALSE);
    case 't':
      token = read_word (reader, "true", KT_JSON_TRUE);
      break;
    case 'f':
      token = read_word (reader, "false", KT_JSON_FALSE);
      break;
    case 'n':
      token = read_word (reader, "null", KT_JSON_NULL);
      break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
      token = read_number (reader);
      break;
    default:
      return fail (reader, reader->at, "a value was expected");
    }

  if (token != KT_JSON_ERROR)
    after_value (reader);
  return token;
}

/* A key and its colon are one token. */
static KtJsonType
read_key (KtJsonReader *reader)
{
  KtJsonType token;

  if (*reader->at != '"')
    return fail (reader, reader->at, "a key in quotes was expected");
  reader->at++;
  token = read_string (reader, KT_JSON_KEY);
  if (token == KT_JSON_ERROR)
    return token;
  skip_blanks (reader);
  if (reader->at >= reader->end || *reader->at != ':')
    return fail (reader, reader->at, "a colon was expected");
  reader->at++;
  reader->expect = EXPECT_VALUE;
  return token;
}

void
kt_json_reader_init (KtJsonReader *reader, char *buffer, gsize len)
{
  g_return_if_fail (reader != NULL);
  g_return_if_fail (buffer != NULL);

  memset (reader, 0, sizeof *reader);
  reader->start = reader->at = reader->line_start = buffer;
  reader->end = buffer + len;
  reader->line = 1;
  reader->expect = EXPECT_VALUE;
}

KtJsonType
kt_json_reader_next (KtJsonReader *reader)
{
  g_return_val_if_fail (reader != NULL, KT_JSON_ERROR);

  if (reader->held_at != NULL)
    {
      *reader->held_at = reader->held;
      reader->held_at = NULL;
    }
  if (reader->expect == EXPECT_FAILED)
    return KT_JSON_ERROR;

  skip_blanks (reader);
  reader->raw_start = reader->raw_end = (gsize) (reader->at - reader->start);
  if (reader->at >= reader->end)
    {
      if (reader->expect == EXPECT_NOTHING)
        return KT_JSON_END;
      return fail (reader, reader->at, "the text ends too early");
    }

  switch (reader->expect)
    {
    case EXPECT_VALUE:
      return read_value (reader);

    case EXPECT_VALUE_OR_END:
      if (*reader->at == ']')
        return close_container (reader);
      return read_value (reader);

    case EXPECT_KEY_OR_END:
      if (*reader->at == '}')
        return close_container (reader);
      return read_key (reader);

    case EXPECT_COMMA_OR_END:
      if (*reader->at == ']' || *reader->at == '}')
        return close_container (reader);
      if (*reader->at != ',')
        return fail (reader, reader->at, "a comma was expected");
      reader->at++;
      skip_blanks (reader);
      reader->raw_start = reader->raw_end = (gsize) (reader->at - reader->start);
      if (reader->at >= reader->end)
        return fail (reader, reader->at, "the text ends too early");
      return reader->stack[reader->depth - 1] ? read_key (reader) : read_value (reader);

    default:
      return fail (reader, reader->at, "something follows the end of the document");
    }
}

gboolean
kt_json_reader_skip (KtJsonReader *reader)
{
  guint outside;

  g_return_val_if_fail (reader != NULL, FALSE);
  g_return_val_if_fail (reader->depth > 0, FALSE);

  outside = reader->depth - 1;
  for (;;)
    {
      KtJsonType token = kt_json_reader_next (reader);

      if (token == KT_JSON_ERROR || token == KT_JSON_END)
        return FALSE;
      if ((token == KT_JSON_ARRAY_END || token == KT_JSON_OBJECT_END) && reader->depth == outside)
        return TRUE;
    }
}

void
kt_json_reader_place (const KtJsonReader *reader, guint *line, guint *column)
{
  const char *token;

  g_return_if_fail (reader != NULL);

  token = reader->start + reader->raw_start;
  if (line != NULL)
    *line = reader->line;
  if (column != NULL)
    *column = token >= reader->line_start ? (guint) (token - reader->line_start) + 1 : 1;
}
