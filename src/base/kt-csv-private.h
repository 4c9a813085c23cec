/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-csv.h"

G_BEGIN_DECLS

/* What a file is, from its first bytes. */

#define CSV_SAMPLE   65536                 /* a sample this long may end anywhere */
#define CSV_MAX_FEED (512 * 1024 * 1024)

/* FALSE and INVALID when the sample is known to be something else; the message names it and the remedy. */
gboolean    _kt_csv_check_text       (const guint8 *sample, gsize len, GError **error);
/* NULL when it is no text. */
const char *_kt_csv_detect_encoding  (const guint8 *sample, gsize len);
/* @text: UTF-8 (not NUL-terminated); @whole: it is the whole file. Never 0. */
char        _kt_csv_detect_separator (const char *text, gsize len, gboolean whole);

G_END_DECLS
