/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-mutation.h"

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

/* Who may do what. From a user's record and roles; roles.md is implemented here, in one place,
 * step by step: today Admin may everything; everybody else reads everything and writes everything but
 * configuration (objects of conflict SERVER), sync_conflict assigned to others, computed fields. */
typedef struct
{
  KtId     user;
  gboolean admin;
  char    *name;
} KtAccess;
typedef enum { KT_MAY_READ, KT_MAY_CREATE, KT_MAY_EDIT, KT_MAY_DELETE } KtMay;
/* @reason: set when FALSE, for people, g_free. */
gboolean   kt_access_may (const KtAccess *access, KtMay action, const KtObject *object, const KtRecord *record, const char *locale, char **reason);
/* The same for one op of @mutation, with its fields: computed ones, and those of a sync_conflict, which only
 * mutation->resolves changes. @record: as it stands, NULL for CREATE. */
gboolean   kt_access_may_op (const KtAccess *access, const KtMutation *mutation, const KtOp *op, const KtRecord *record,
                             const char *locale, char **reason);
/* SQL-able scope of an object for sync, search, lists. NULL: everything. The seam for roles.md §12. */
KtFilter  *kt_access_scope (const KtAccess *access, const KtObject *object);

G_END_DECLS
