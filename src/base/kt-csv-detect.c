/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "base/kt-csv-private.h"

#include <string.h>

#include "base/kt-error.h"

#define MAX_PROBE_ROWS 64

/* ---- what it is not -------------------------------------------------- */

static gboolean
starts_with (const guint8 *bytes, gsize len, const char *magic, gsize n)
{
  return len >= n && memcmp (bytes, magic, n) == 0;
}

static gboolean
holds (const guint8 *bytes, gsize len, const char *text)
{
  return g_strstr_len ((const char *) bytes, (gssize) len, text) != NULL
         || memmem (bytes, len, text, strlen (text)) != NULL;
}

gboolean
_kt_csv_check_text (const guint8 *sample, gsize len, GError **error)
{
  static const struct
  {
    const char *magic;
    guint n;
    const char *what;
  } known[] = {
    { "\211PNG\r\n\032\n", 8, "a PNG image" },
    { "\377\330\377", 3, "a JPEG image" },
    { "GIF87a", 6, "a GIF image" },
    { "GIF89a", 6, "a GIF image" },
    { "%PDF-", 5, "a PDF document" },
    { "\037\213", 2, "a gzip archive" },
    { "BZh", 3, "a bzip2 archive" },
    { "\3757zXZ", 6, "an xz archive" },
    { "\050\265\057\375", 4, "a Zstandard archive" },
    { "7z\274\257\047\034", 6, "a 7-Zip archive" },
    { "Rar!\032\007", 6, "a RAR archive" },
    { "\177ELF", 4, "a program" },
    { "SQLite format 3", 16, "an SQLite database" },
    { "{\\rtf", 5, "an RTF document" },
  };
  static const char remedy[] =
    "open the table in a spreadsheet program, save it as “CSV UTF-8” and import that";
  const char *what = NULL;
  const char *advice = remedy;
  g_autofree char *head = NULL;

  for (guint i = 0; what == NULL && i < G_N_ELEMENTS (known); i++)
    if (starts_with (sample, len, known[i].magic, known[i].n))
      what = known[i].what;
  if (what != NULL && g_str_has_suffix (what, "archive"))
    advice = "unpack it and import the CSV file inside";
  else if (what != NULL)
    advice = "choose the CSV file instead";

  if (what == NULL && starts_with (sample, len, "\320\317\021\340\241\261\032\341", 8))
    {
      what = "an Excel workbook of the old kind (.xls)";
    }
  if (what == NULL
      && (starts_with (sample, len, "PK\003\004", 4) || starts_with (sample, len, "PK\005\006", 4)))
    {
      if (holds (sample, len, "xl/") || holds (sample, len, "[Content_Types].xml"))
        what = "an Excel workbook (.xlsx)";
      else if (holds (sample, len, "opendocument.spreadsheet"))
        what = "an OpenDocument spreadsheet (.ods)";
      else
        {
          what = "a ZIP archive";
          advice = "unpack it and import the CSV file inside";
        }
    }
  if (what == NULL && starts_with (sample, len, "RIFF", 4) && len >= 12
      && memcmp (sample + 8, "WEBP", 4) == 0)
    {
      what = "a WebP image";
      advice = "choose the CSV file instead";
    }
  if (what == NULL)
    {
      gsize skip = starts_with (sample, len, "\357\273\277", 3) ? 3 : 0;

      while (skip < len && g_ascii_isspace (sample[skip]))
        skip++;
      head = g_ascii_strdown ((const char *) sample + skip, (gssize) MIN (len - skip, 32));
      if (g_str_has_prefix (head, "<!doctype html") || g_str_has_prefix (head, "<html")
          || g_str_has_prefix (head, "<table"))
        what = "a web page, whatever its name says";
      else if (g_str_has_prefix (head, "<?xml"))
        what = "an XML document";
    }
  if (what == NULL)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "This is %s, not a CSV file; %s", what, advice);
  return FALSE;
}

/* ---- encoding -------------------------------------------------------- */

static gboolean
is_utf8 (const guint8 *bytes, gsize len)
{
  const char *end;

  if (g_utf8_validate_len ((const char *) bytes, len, &end))
    return TRUE;
  /* Cut in the middle of a character? */
  if (len >= CSV_SAMPLE)
    {
      gsize left = len - (gsize) ((const guint8 *) end - bytes);

      return left <= 3 && g_utf8_get_char_validated (end, (gssize) left) == (gunichar) -2;
    }
  return FALSE;
}

/* UTF-16 without a mark: what separates and ends lines is ASCII in every
 * language, so its zero bytes all stand on the same side. */
static const char *
detect_utf16 (const guint8 *bytes, gsize len)
{
  gsize zeros[2] = { 0, 0 };
  gsize breaks[2] = { 0, 0 };

  if (len % 2 != 0 && len < CSV_SAMPLE)
    return NULL;
  for (gsize i = 0; i + 1 < len; i += 2)
    {
      for (guint side = 0; side < 2; side++)
        {
          guint8 low = bytes[i + 1 - side];

          if (bytes[i + side] != 0)
            continue;
          if (low == 0)
            return NULL;
          zeros[side]++;
          breaks[side] +=
            low == '\n' || low == '\r' || low == ',' || low == ';' || low == '\t' || low == ' ';
        }
    }
  if (zeros[1] > 0 && zeros[0] * 16 <= zeros[1] && (breaks[1] > 0 || zeros[1] * 2 >= len / 2))
    return "UTF-16LE";
  if (zeros[0] > 0 && zeros[1] * 16 <= zeros[0] && (breaks[0] > 0 || zeros[0] * 2 >= len / 2))
    return "UTF-16BE";
  return NULL;
}

/* Chinese comes in runs of double bytes, mostly from the rows of the common
 * characters; Western accents stand alone between ASCII letters, where they look
 * like a rare character whose second byte is a letter. Western letters that are
 * written in GB18030 (row A8, or four bytes) look like nothing else. */
static gboolean
looks_like_gb18030 (const guint8 *p, gsize len)
{
  gsize strong = 0, weak = 0, against = 0;

  for (gsize i = 0; i < len;)
    {
      gsize start = i, pairs = 0, common = 0, letters = 0;

      if (p[i] < 0x80)
        {
          i++;
          continue;
        }
      while (i < len && p[i] >= 0x80)
        {
          if (p[i] == 0x80 || p[i] == 0xff)
            return FALSE;
          if (i + 1 >= len)
            {
              if (len < CSV_SAMPLE)
                return FALSE;
              i++;
              break;
            }
          if (p[i + 1] >= 0x30 && p[i + 1] <= 0x39)
            {
              if (i + 3 >= len)
                {
                  if (len < CSV_SAMPLE)
                    return FALSE;
                  i = len;
                  break;
                }
              if (p[i + 2] < 0x81 || p[i + 2] == 0xff || p[i + 3] < 0x30 || p[i + 3] > 0x39)
                return FALSE;
              letters++;
              i += 4;
            }
          else if ((p[i + 1] >= 0x40 && p[i + 1] <= 0x7e) || (p[i + 1] >= 0x80 && p[i + 1] <= 0xfe))
            {
              letters += p[i] == 0xa8 && p[i + 1] >= 0xa1 && p[i + 1] <= 0xc0;
              common += p[i + 1] >= 0xa1
                        && ((p[i] >= 0xb0 && p[i] <= 0xd7) || (p[i] >= 0xa1 && p[i] <= 0xa3));
              i += 2;
            }
          else
            return FALSE;
          pairs++;
        }
      if ((pairs >= 2 && common * 2 >= pairs) || (letters > 0 && letters == pairs))
        strong += pairs;
      else if (pairs == 1
               && ((start > 0 && g_ascii_isalpha (p[start - 1]))
                   || (i < len && g_ascii_isalpha (p[i])) || common == 0))
        against++;
      else if (common > 0)
        weak++;
      else
        against++;
    }
  return strong > 0 ? strong > against : weak > against;
}

const char *
_kt_csv_detect_encoding (const guint8 *sample, gsize len)
{
  const char *utf16;
  gsize n_control = 0;

  if (starts_with (sample, len, "\357\273\277", 3))
    return "UTF-8";
  if (starts_with (sample, len, "\377\376\0\0", 4))
    return "UTF-32LE";
  if (starts_with (sample, len, "\0\0\376\377", 4))
    return "UTF-32BE";
  if (starts_with (sample, len, "\377\376", 2))
    return "UTF-16LE";
  if (starts_with (sample, len, "\376\377", 2))
    return "UTF-16BE";
  if (starts_with (sample, len, "\204\061\225\063", 4))
    return "GB18030";
  if (is_utf8 (sample, len))
    {
      for (gsize i = 0; i < len; i++)
        n_control += sample[i] < 0x20 && (sample[i] < '\t' || sample[i] > '\r');
      return n_control * 16 > len ? NULL : "UTF-8";
    }
  utf16 = detect_utf16 (sample, len);
  if (utf16 != NULL)
    return utf16;
  if (memchr (sample, '\0', len) != NULL)
    return NULL;
  for (gsize i = 0; i < len; i++)
    n_control += sample[i] < 0x20 && (sample[i] < '\t' || sample[i] > '\r');
  if (n_control * 16 > len)
    return NULL;
  return looks_like_gb18030 (sample, len) ? "GB18030" : "WINDOWS-1252";
}

/* ---- separator ------------------------------------------------------- */

/* Counts the cells of the first rows as @separator would cut them, and the
 * quotes that would stand inside a cell: there are few behind the right one. */
static guint
probe (const char *text,
       gsize len,
       char separator,
       gboolean whole,
       guint counts[MAX_PROBE_ROWS],
       guint *n_stray)
{
  guint n_rows = 0, cells = 1;
  gboolean quoted = FALSE, start = TRUE, blank = TRUE;

  *n_stray = 0;
  for (gsize i = 0; i < len && n_rows < MAX_PROBE_ROWS; i++)
    {
      char c = text[i];

      if (quoted)
        {
          if (c == '"')
            quoted = FALSE; /* a doubled one opens again at once */
          if (c == '"' && i + 1 < len && text[i + 1] == '"')
            {
              quoted = TRUE;
              i++;
            }
        }
      else if (c == '"' && start)
        {
          quoted = TRUE;
          start = blank = FALSE;
        }
      else if (c == separator)
        {
          cells++;
          start = TRUE;
          blank = FALSE;
        }
      else if (c == '\n' || c == '\r')
        {
          if (!blank)
            counts[n_rows++] = cells;
          cells = 1;
          start = blank = TRUE;
        }
      else
        {
          *n_stray += c == '"';
          start = blank = FALSE;
        }
    }
  if (!blank && n_rows < MAX_PROBE_ROWS && (whole || n_rows == 0))
    counts[n_rows++] = cells;
  return n_rows;
}

char
_kt_csv_detect_separator (const char *text, gsize len, gboolean whole)
{
  static const char candidates[] = { ',', ';', '\t', '|' };
  char best = ',';
  double best_score = 0;

  if (len >= 3 && memcmp (text, "\357\273\277", 3) == 0)
    {
      text += 3;
      len -= 3;
    }
  if (len >= 5 && g_ascii_strncasecmp (text, "sep=", 4) == 0 && (guchar) text[4] < 0x80
      && text[4] != '"' && text[4] != '\r' && text[4] != '\n'
      && (len == 5 || text[5] == '\r' || text[5] == '\n'))
    return text[4];

  for (guint i = 0; i < G_N_ELEMENTS (candidates); i++)
    {
      guint counts[MAX_PROBE_ROWS];
      guint n_stray;
      guint n = probe (text, len, candidates[i], whole, counts, &n_stray);
      guint mode = 0, n_mode = 0;
      double score;

      for (guint j = 0; j < n; j++)
        {
          guint same = 0;

          for (guint k = 0; k < n; k++)
            same += counts[k] == counts[j];
          if (counts[j] > 1 && (same > n_mode || (same == n_mode && counts[j] > mode)))
            {
              n_mode = same;
              mode = counts[j];
            }
        }
      if (mode < 2)
        continue;
      /* How many rows agree, first of all the header; then the number of columns. */
      score = (double) n_mode / n * 2 + (counts[0] == mode ? 1 : 0)
              + (mode < 50 ? mode / 100.0 : 0.5) - MIN (1.0, (double) n_stray / n);
      if (score > best_score)
        {
          best_score = score;
          best = candidates[i];
        }
    }
  return best;
}
