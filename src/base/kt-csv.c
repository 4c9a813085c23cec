/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "base/kt-csv.h"

#include <string.h>

#include <unicode/ucnv.h>

#include "base/kt-csv-private.h"
#include "base/kt-error.h"

/* Two stages, both of which can stop at any byte and go on with the next feed:
 *
 *   bytes → decode_…: whole UTF-8 sequences appended to `in` → kt_csv_next: a state machine cuts `in` into cells
 *
 * The decoder stops for good at the first bad sequence and leaves its reason in
 * `bad`; the rows before it still come out, then the reason with row and column.
 * The state machine never looks back: a cell's text is copied in runs into `row`,
 * so a row that arrives byte by byte costs no more than one that arrives at once. */

#define MAX_ROW (16 * 1024 * 1024)
#define MAX_CELL (4 * 1024 * 1024)
#define MAX_COLUMNS 2000

typedef enum
{
  ROW_START,
  CELL_START,
  UNQUOTED,
  QUOTED,
  QUOTE_SEEN, /* a quote inside quotes: the end, or the first of two */
} State;

typedef struct
{
  gsize start;
  gboolean quoted;
} Cell;

struct _KtCsv
{
  /* owned */
  char *encoding;
  UConverter *from; /* NULL: the bytes are UTF-8 */
  UConverter *to;
  GByteArray *in;  /* decoded, not yet cut up */
  GByteArray *row; /* text of the row being read */
  GArray *cells;   /* Cell of that row */
  GArray *out;     /* KtCsvCell handed out */
  char *bad;       /* why decoding stopped */

  /* state */
  gsize at;       /* in `in` */
  guint8 tail[4]; /* an unfinished UTF-8 sequence */
  guint n_tail;
  State state;
  guint64 line; /* of the next byte */
  guint64 row_line;
  guint64 quote_line;
  guint64 offset; /* bytes fed */
  char separator;
  guint skip_lf : 1; /* CR seen: an LF belongs to it */
  guint first : 1;   /* nothing read: "sep=;" may come */
  guint end : 1;
  guint failed : 1;
  guint8 plain_stop[256]; /* ends a run outside quotes */
};

/* ---- decoding -------------------------------------------------------- */

static void
set_bad (KtCsv *csv, char *why)
{
  if (csv->bad == NULL)
    csv->bad = why;
  else
    g_free (why);
}

/* Length of the unfinished sequence at the end of @p, 0 if it ends whole. */
static guint
unfinished_tail (const guint8 *p, gsize len)
{
  for (guint back = 1; back <= 3 && back <= len; back++)
    {
      guint8 c = p[len - back];
      guint need;

      if ((c & 0xc0) == 0x80)
        continue;
      need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
      return need > back ? back : 0;
    }
  return 0;
}

static void
append_checked (KtCsv *csv, const guint8 *bytes, gsize len)
{
  const char *valid_end;

  if (len == 0 || csv->bad != NULL)
    return;
  if (g_utf8_validate_len ((const char *) bytes, len, &valid_end))
    {
      g_byte_array_append (csv->in, bytes, (guint) len);
      return;
    }
  g_byte_array_append (csv->in, bytes, (guint) ((const guint8 *) valid_end - bytes));
  if (*valid_end == '\0')
    set_bad (csv, g_strdup ("there is a NUL byte, so this is not text"));
  else
    set_bad (csv, g_strdup_printf ("byte 0x%02X is not valid UTF-8; choose the file's encoding",
                                   (guint) (guint8) *valid_end));
}

static void
decode_utf8 (KtCsv *csv, const guint8 *bytes, gsize len, gboolean end)
{
  guint n;

  /* First complete what the last feed left over. */
  while (csv->n_tail > 0 && len > 0)
    {
      if ((*bytes & 0xc0) != 0x80)
        {
          append_checked (csv, csv->tail, csv->n_tail); /* which reports it */
          csv->n_tail = 0;
          break;
        }
      csv->tail[csv->n_tail++] = *bytes++;
      len--;
      if (unfinished_tail (csv->tail, csv->n_tail) == 0)
        {
          append_checked (csv, csv->tail, csv->n_tail);
          csv->n_tail = 0;
        }
    }
  n = unfinished_tail (bytes, len);
  append_checked (csv, bytes, len - n);
  if (n > 0)
    {
      memcpy (csv->tail, bytes + len - n, n);
      csv->n_tail = n;
    }
  if (end && csv->n_tail > 0)
    set_bad (csv, g_strdup ("the file ends in the middle of a character; it seems to be cut off"));
}

static void
append_utf16 (KtCsv *csv, const UChar *text, gsize n)
{
  guint at = csv->in->len;
  char *target, *start;
  const UChar *source = text;
  UErrorCode status = U_ZERO_ERROR;

  /* At most three bytes a unit, and what the converter kept of a surrogate pair. */
  g_byte_array_set_size (csv->in, at + (guint) n * 3 + 8);
  start = target = (char *) csv->in->data + at;
  ucnv_fromUnicode (csv->to, &target, start + n * 3 + 8, &source, text + n, NULL, FALSE, &status);
  g_byte_array_set_size (csv->in, at + (guint) (target - start));
}

static void
decode_converted (KtCsv *csv, const guint8 *bytes, gsize len, gboolean end)
{
  const char *source = (const char *) bytes;
  const char *source_end = source + len;
  UChar buffer[4096];
  UErrorCode status = U_BUFFER_OVERFLOW_ERROR;

  while (status == U_BUFFER_OVERFLOW_ERROR && csv->bad == NULL)
    {
      UChar *target = buffer;

      status = U_ZERO_ERROR;
      ucnv_toUnicode (csv->from, &target, buffer + G_N_ELEMENTS (buffer), &source, source_end, NULL,
                      end, &status);
      for (const UChar *p = buffer; p < target; p++)
        if (*p == 0)
          {
            target = (UChar *) p;
            set_bad (csv, g_strdup ("there is a NUL character, so this is not text"));
          }
      append_utf16 (csv, buffer, (gsize) (target - buffer));
    }
  if (csv->bad != NULL || U_SUCCESS (status))
    return;
  if (status == U_TRUNCATED_CHAR_FOUND)
    set_bad (csv, g_strdup ("the file ends in the middle of a character; it seems to be cut off"));
  else
    {
      char wrong[8];
      int8_t n_wrong = sizeof wrong;
      UErrorCode ignored = U_ZERO_ERROR;

      ucnv_getInvalidChars (csv->from, wrong, &n_wrong, &ignored);
      set_bad (csv,
               g_strdup_printf ("byte 0x%02X is not valid %s; choose the file's encoding",
                                U_SUCCESS (ignored) && n_wrong > 0 ? (guint) (guint8) wrong[0] : 0,
                                csv->encoding));
    }
}

static gboolean
open_converters (KtCsv *csv, GError **error)
{
  UErrorCode status = U_ZERO_ERROR;

  csv->from = ucnv_open (csv->encoding, &status);
  if (U_FAILURE (status))
    {
      csv->from = NULL;
      g_set_error (
        error, KT_ERROR, KT_ERROR_INVALID,
        "There is no encoding “%s”; known are UTF-8, UTF-16LE, GB18030, WINDOWS-1252 and others",
        csv->encoding);
      return FALSE;
    }
  csv->to = ucnv_open ("UTF-8", &status);
  ucnv_setToUCallBack (csv->from, UCNV_TO_U_CALLBACK_STOP, NULL, NULL, NULL, &status);
  if (U_FAILURE (status))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INTERNAL, "ICU cannot convert to UTF-8: %s",
                   u_errorName (status));
      return FALSE;
    }
  return TRUE;
}

/* ---- construction ---------------------------------------------------- */

KtCsv *
kt_csv_new (const guint8 *sample, gsize len, const char *encoding, char separator, GError **error)
{
  g_autoptr (KtCsv) csv = NULL;
  g_autofree char *text = NULL;
  const char *detected;

  g_return_val_if_fail (sample != NULL || len == 0, NULL);
  g_return_val_if_fail (separator != '"' && separator != '\n' && separator != '\r', NULL);

  if (!_kt_csv_check_text (sample, len, error))
    return NULL;
  detected =
    encoding != NULL && *encoding != '\0' ? encoding : _kt_csv_detect_encoding (sample, len);
  if (detected == NULL)
    {
      g_set_error (
        error, KT_ERROR, KT_ERROR_INVALID,
        "This is binary data, not a CSV file; export the table as “CSV UTF-8” and import that");
      return NULL;
    }

  csv = g_new0 (KtCsv, 1);
  csv->encoding = g_ascii_strup (detected, -1);
  csv->in = g_byte_array_new ();
  csv->row = g_byte_array_new ();
  csv->cells = g_array_new (FALSE, FALSE, sizeof (Cell));
  csv->out = g_array_new (FALSE, FALSE, sizeof (KtCsvCell));
  csv->line = 1;
  csv->first = TRUE;
  if (strcmp (csv->encoding, "UTF-8") != 0 && strcmp (csv->encoding, "UTF8") != 0
      && !open_converters (csv, error))
    return NULL;

  csv->separator = separator;
  if (separator == 0)
    {
      /* The sample is decoded by the same code that will decode the file. */
      if (csv->from != NULL)
        {
          decode_converted (csv, sample, len, FALSE);
          ucnv_reset (csv->from);
          ucnv_reset (csv->to);
        }
      else
        decode_utf8 (csv, sample, len, FALSE);
      csv->separator =
        _kt_csv_detect_separator ((const char *) csv->in->data, csv->in->len, len < CSV_SAMPLE);
      g_byte_array_set_size (csv->in, 0);
      csv->n_tail = 0;
      g_clear_pointer (&csv->bad, g_free);
    }
  csv->plain_stop[(guchar) csv->separator] = TRUE;
  csv->plain_stop['\r'] = TRUE;
  csv->plain_stop['\n'] = TRUE;
  return g_steal_pointer (&csv);
}

void
kt_csv_free (KtCsv *csv)
{
  if (csv == NULL)
    return;
  g_clear_pointer (&csv->from, ucnv_close);
  g_clear_pointer (&csv->to, ucnv_close);
  g_byte_array_unref (csv->in);
  g_byte_array_unref (csv->row);
  g_array_unref (csv->cells);
  g_array_unref (csv->out);
  g_free (csv->bad);
  g_free (csv->encoding);
  g_free (csv);
}

const char *
kt_csv_encoding (const KtCsv *csv)
{
  g_return_val_if_fail (csv != NULL, NULL);
  return csv->encoding;
}

char
kt_csv_separator (const KtCsv *csv)
{
  g_return_val_if_fail (csv != NULL, 0);
  return csv->separator;
}

gboolean
kt_csv_feed (KtCsv *csv, const guint8 *bytes, gsize len, gboolean end, GError **error)
{
  g_return_val_if_fail (csv != NULL, FALSE);
  g_return_val_if_fail (bytes != NULL || len == 0, FALSE);
  g_return_val_if_fail (!csv->end, FALSE);

  /* Drop what has been read; what is left is at most a part of one row. */
  if (csv->at > 0)
    {
      g_byte_array_remove_range (csv->in, 0, (guint) csv->at);
      csv->at = 0;
    }
  if (len > CSV_MAX_FEED || csv->in->len > CSV_MAX_FEED)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT,
                   "Too much was read at once; read the rows between two feeds");
      return FALSE;
    }
  csv->offset += len;
  if (csv->bad == NULL)
    {
      if (csv->from != NULL)
        decode_converted (csv, bytes, len, end);
      else
        decode_utf8 (csv, bytes, len, end);
    }
  csv->end = end;
  return TRUE;
}

/* ---- rows ------------------------------------------------------------ */

static const KtCsvCell *fail (KtCsv *csv, GError **error, KtError code, const char *format, ...)
  G_GNUC_PRINTF (4, 5);

static const KtCsvCell *
fail (KtCsv *csv, GError **error, KtError code, const char *format, ...)
{
  va_list args;
  g_autofree char *message = NULL;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  csv->failed = TRUE;
  g_set_error_literal (error, KT_ERROR, code, message);
  return NULL;
}

static inline void
begin_cell (KtCsv *csv, gboolean quoted)
{
  Cell cell = { csv->row->len, quoted };

  g_array_append_val (csv->cells, cell);
}

static inline void
append_run (KtCsv *csv, const guint8 *run, gsize len)
{
  if (len > 0)
    g_byte_array_append (csv->row, run, (guint) len);
}

static inline void
end_cell (KtCsv *csv)
{
  static const guint8 nul = 0;

  g_byte_array_append (csv->row, &nul, 1);
}

static inline gsize
cell_length (const KtCsv *csv)
{
  return csv->cells->len == 0
           ? 0
           : csv->row->len - g_array_index (csv->cells, Cell, csv->cells->len - 1).start;
}

static void
count_lines (KtCsv *csv, const guint8 *run, gsize len)
{
  for (gsize i = 0; i < len; i++)
    {
      if (run[i] == '\n')
        {
          if (!csv->skip_lf)
            csv->line++;
          csv->skip_lf = FALSE;
        }
      else
        {
          csv->skip_lf = run[i] == '\r';
          if (csv->skip_lf)
            csv->line++;
        }
    }
}

/* The row is complete: hands it out, or NULL for a blank line. */
static const KtCsvCell *
finish_row (KtCsv *csv, guint *n_cells, guint64 *row)
{
  gboolean blank;

  csv->state = ROW_START;
  blank = csv->cells->len == 1 && csv->row->len == 1 && !g_array_index (csv->cells, Cell, 0).quoted;
  if (blank)
    {
      g_array_set_size (csv->cells, 0);
      g_byte_array_set_size (csv->row, 0);
      return NULL;
    }
  g_array_set_size (csv->out, csv->cells->len);
  for (guint i = 0; i < csv->cells->len; i++)
    {
      const Cell *cell = &g_array_index (csv->cells, Cell, i);

      g_array_index (csv->out, KtCsvCell, i) =
        (KtCsvCell){ (const char *) csv->row->data + cell->start, cell->quoted };
    }
  *n_cells = csv->cells->len;
  if (row != NULL)
    *row = csv->row_line;
  g_array_set_size (csv->cells, 0); /* the text stays until the next call */
  return (const KtCsvCell *) csv->out->data;
}

/* A first line "sep=;" is a message to spreadsheets, not data. */
static gboolean
is_separator_line (const KtCsv *csv, const KtCsvCell *cells, guint n)
{
  const char *text = cells[0].text;

  if (cells[0].quoted || g_ascii_strncasecmp (text, "sep=", 4) != 0)
    return FALSE;
  if (n == 1)
    return text[4] != '\0' && text[5] == '\0';
  return n == 2 && text[4] == '\0' && cells[1].text[0] == '\0' && !cells[1].quoted;
}

const KtCsvCell *
kt_csv_next (KtCsv *csv, guint *n_cells, guint64 *row, GError **error)
{
  const guint8 *p, *end;

  g_return_val_if_fail (csv != NULL, NULL);
  g_return_val_if_fail (n_cells != NULL, NULL);

  if (csv->failed)
    return NULL;
  if (csv->state == ROW_START)
    g_byte_array_set_size (csv->row, 0);

  /* Nothing fed yet: no array either. */
  p = csv->in->data != NULL ? csv->in->data + csv->at : NULL;
  end = csv->in->data != NULL ? csv->in->data + csv->in->len : NULL;
  while (p < end)
    {
      const guint8 *run = p;
      gboolean row_ends = FALSE;

      switch (csv->state)
        {
        case ROW_START:
          if (csv->skip_lf)
            {
              csv->skip_lf = FALSE;
              if (*p == '\n')
                {
                  p++;
                  continue;
                }
            }
          if (end - p >= 3 && memcmp (p, "\357\273\277", 3) == 0)
            {
              p += 3; /* of the file, or of files that were put together */
              continue;
            }
          csv->row_line = csv->line;
          csv->state = CELL_START;
          continue;

        case CELL_START:
          if (csv->cells->len == MAX_COLUMNS)
            return fail (csv, error, KT_ERROR_LIMIT,
                         "Line %" G_GUINT64_FORMAT
                         ": more than %d columns; is “%c” the right separator?",
                         csv->row_line, MAX_COLUMNS, csv->separator);
          if (*p == '"')
            {
              begin_cell (csv, TRUE);
              csv->state = QUOTED;
              csv->quote_line = csv->line;
              csv->skip_lf = FALSE;
              p++;
            }
          else
            {
              begin_cell (csv, FALSE);
              csv->state = UNQUOTED;
            }
          continue;

        case UNQUOTED:
          while (p < end && !csv->plain_stop[*p])
            p++;
          append_run (csv, run, (gsize) (p - run));
          if (p < end)
            {
              end_cell (csv);
              if (*p == (guint8) csv->separator)
                csv->state = CELL_START;
              else
                row_ends = TRUE;
              p++;
            }
          break;

        case QUOTED:
          {
            gboolean breaks = FALSE;

            for (; p < end && *p != '"'; p++)
              breaks |= *p <= '\r';
            append_run (csv, run, (gsize) (p - run));
            if (breaks)
              count_lines (csv, run, (gsize) (p - run));
            else if (p > run)
              csv->skip_lf = FALSE;
            if (p < end)
              {
                csv->state = QUOTE_SEEN;
                csv->skip_lf = FALSE;
                p++;
              }
          }
          break;

        case QUOTE_SEEN:
          if (*p == '"')
            {
              append_run (csv, p, 1);
              p++;
              csv->state = QUOTED;
            }
          else
            csv->state = UNQUOTED; /* the end, or "abc"def: taken literally */
          break;

        default:
          g_assert_not_reached ();
        }

      if (cell_length (csv) > MAX_CELL + 1)
        {
          if (csv->state == QUOTED)
            return fail (csv, error, KT_ERROR_INVALID,
                         "Line %" G_GUINT64_FORMAT
                         ", column %u: the quote opened there is not closed within %d MiB",
                         csv->quote_line, csv->cells->len, MAX_CELL >> 20);
          return fail (csv, error, KT_ERROR_LIMIT,
                       "Line %" G_GUINT64_FORMAT ", column %u: a cell larger than %d MiB",
                       csv->row_line, csv->cells->len, MAX_CELL >> 20);
        }
      if (csv->row->len > MAX_ROW)
        return fail (csv, error, KT_ERROR_LIMIT,
                     "Line %" G_GUINT64_FORMAT ": a row larger than %d MiB", csv->row_line,
                     MAX_ROW >> 20);

      if (row_ends)
        {
          const KtCsvCell *cells;

          csv->skip_lf = p[-1] == '\r';
          csv->line++;
          cells = finish_row (csv, n_cells, row);
          if (cells != NULL && csv->first && is_separator_line (csv, cells, *n_cells))
            {
              g_byte_array_set_size (csv->row, 0);
              cells = NULL;
            }
          csv->first = FALSE;
          if (cells != NULL)
            {
              csv->at = (gsize) (p - csv->in->data);
              return cells;
            }
        }
    }
  csv->at = csv->in->len;

  if (csv->bad != NULL)
    return fail (csv, error, KT_ERROR_INVALID, "Line %" G_GUINT64_FORMAT ", column %u: %s",
                 csv->line,
                 csv->state == ROW_START    ? 1
                 : csv->state == CELL_START ? csv->cells->len + 1
                                            : csv->cells->len,
                 csv->bad);
  if (!csv->end)
    return NULL;

  /* The last row need not end in a newline. */
  switch (csv->state)
    {
    case ROW_START:
      return NULL;
    case QUOTED:
      return fail (csv, error, KT_ERROR_INVALID,
                   "Line %" G_GUINT64_FORMAT ", column %u: the quote opened there is never closed",
                   csv->quote_line, csv->cells->len);
    case CELL_START:
      begin_cell (csv, FALSE);
      end_cell (csv);
      break;
    case UNQUOTED:
    case QUOTE_SEEN:
      end_cell (csv);
      break;
    default:
      g_assert_not_reached ();
    }
  {
    const KtCsvCell *cells = finish_row (csv, n_cells, row);

    if (cells != NULL && csv->first && is_separator_line (csv, cells, *n_cells))
      cells = NULL;
    csv->first = FALSE;
    return cells;
  }
}

gboolean
kt_csv_finished (const KtCsv *csv)
{
  g_return_val_if_fail (csv != NULL, TRUE);
  return csv->failed
         || (csv->end && csv->at == csv->in->len && csv->state == ROW_START && csv->bad == NULL);
}

/* ---- writing --------------------------------------------------------- */

/* "-12.5", "+3", "1e5" are figures, everything else behind a sign may be a formula. */
static gboolean
is_plain_number (const char *text)
{
  gboolean digits = FALSE;

  if (*text == '+' || *text == '-')
    text++;
  for (; g_ascii_isdigit (*text) || (*text == '.' || *text == ','); text++)
    digits |= g_ascii_isdigit (*text);
  if (digits && (*text == 'e' || *text == 'E'))
    {
      text++;
      if (*text == '+' || *text == '-')
        text++;
      digits = g_ascii_isdigit (*text);
      while (g_ascii_isdigit (*text))
        text++;
    }
  return digits && *text == '\0';
}

/* What a spreadsheet would calculate; and what already looks like it had been guarded, so that taking one ' off
 * always gives back the text. */
static gboolean
is_dangerous (const char *text)
{
  gsize n = strspn (text, "'");

  return text[n] != '\0' && strchr ("=+-@\t\r", text[n]) != NULL
         && (n > 0 || !is_plain_number (text));
}

void
kt_csv_write_row (GString *out, const char *const *cells, guint n, gboolean guard)
{
  g_return_if_fail (out != NULL);
  g_return_if_fail (cells != NULL || n == 0);

  for (guint i = 0; i < n; i++)
    {
      const char *text = cells[i] != NULL ? cells[i] : "";
      gboolean danger = guard && is_dangerous (text);
      gboolean quote;

      if (i > 0)
        g_string_append_c (out, ',');
      /* Also quoted: what the reader would take for no value, a blank line, a BOM or a message to spreadsheets. */
      quote = strpbrk (text, "\",\r\n") != NULL || (n == 1 && *text == '\0')
              || strcmp (text, "NULL") == 0 || strcmp (text, "\\N") == 0
              || (i == 0
                  && (g_str_has_prefix (text, "\357\273\277")
                      || g_ascii_strncasecmp (text, "sep=", 4) == 0));
      if (!quote)
        {
          if (danger)
            g_string_append_c (out, '\'');
          g_string_append (out, text);
          continue;
        }
      g_string_append_c (out, '"');
      if (danger)
        g_string_append_c (out, '\'');
      for (const char *p = text; *p != '\0';)
        {
          gsize run = strcspn (p, "\"");

          g_string_append_len (out, p, (gssize) run);
          p += run;
          if (*p == '"')
            {
              g_string_append (out, "\"\"");
              p++;
            }
        }
      g_string_append_c (out, '"');
    }
  g_string_append (out, "\r\n");
}
