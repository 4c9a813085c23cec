/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-access.h"

G_BEGIN_DECLS

/* What both ends check before a record is stored. Collected, not first-fail. */
typedef struct { const KtField *field; char *message; } KtProblem;   /* field NULL: the record as a whole */

/* Required fields present, values within limits and options, transitions of state fields (when
 * @before is given), refs of the right object, the whole record small enough for one line of a page.
 * With @before only what differs is checked: a rule that came later must not make every edit of
 * an older record impossible (P13). Messages in @locale ("en", "zh_CN"). NULL: all well; else GPtrArray of KtProblem*. */
#define KT_RECORD_MAX_BYTES (2 * 1024 * 1024)   /* as JSON; half of KT_WIRE_MAX_LINE */
GPtrArray *kt_rules_check (const KtRecord *before, const KtRecord *after, const char *locale);
void       kt_problem_free (KtProblem *problem);
/* The same as one GError INVALID (first message, and how many more). */
gboolean   kt_rules_check_error (const KtRecord *before, const KtRecord *after, const char *locale, GError **error);

G_END_DECLS
