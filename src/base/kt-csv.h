/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-types.h"

G_BEGIN_DECLS

/* CSV as found in the wild (RFC 4180 and its neighbours): UTF-8, UTF-16 LE/BE,
 * GB18030 detected (BOM first, then validity, then statistics); separator comma,
 * semicolon or tab detected, or given by a first line "sep=;"; quotes, doubled
 * quotes, newlines in quotes, CR, LF, CRLF. Streaming: memory is bounded by one
 * row whatever the size of the file. Pure: bytes are fed in.
 * Limits: row 16 MiB, 2,000 columns, cell 4 MiB. */
typedef struct _KtCsv KtCsv;

typedef struct
{
  const char *text;      /* UTF-8, NUL-terminated, valid until the next call */
  gboolean    quoted;
} KtCsvCell;

/* @sample: the first bytes of the file (up to 64 KiB; all of it if smaller).
 * Errors INVALID for what is not text: an image, a spreadsheet, a PDF (named as
 * such, with the remedy), NUL bytes. @encoding / @separator override detection (NULL / 0). */
KtCsv      *kt_csv_new       (const guint8 *sample, gsize len, const char *encoding, char separator, GError **error);
void        kt_csv_free      (KtCsv *csv);
const char *kt_csv_encoding  (const KtCsv *csv);     /* "UTF-8", "UTF-16LE", "GB18030", … */
char        kt_csv_separator (const KtCsv *csv);
/* Feeds bytes from the very beginning of the file (the sample is only looked at). @end: no more. */
gboolean    kt_csv_feed      (KtCsv *csv, const guint8 *bytes, gsize len, gboolean end, GError **error);
/* Next whole row or NULL: feed more (or finished). *row: number of the line in
 * the file where the row starts (from 1). Blank lines are skipped. Errors INVALID
 * (bad byte sequence: row and column named; quote never closed), LIMIT. */
const KtCsvCell *kt_csv_next (KtCsv *csv, guint *n_cells, guint64 *row, GError **error);
gboolean    kt_csv_finished  (const KtCsv *csv);

/* Appends one row (RFC 4180, CRLF). Cells starting with = + - @ TAB CR that are not plain
 * numbers are prefixed with ' when @guard, against formulas in spreadsheets; so are those that
 * look guarded already: taking one ' off before such a sign gives every text back. */
void        kt_csv_write_row (GString *out, const char *const *cells, guint n, gboolean guard);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtCsv, kt_csv_free)

G_END_DECLS
