/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-import.h"

G_BEGIN_DECLS

typedef struct
{
  char    *path;               /* as kt_import_plan_map takes it */
  char    *label;
  gboolean may_match;
} KtImportTarget;

/* KtImportTarget*: every field that can be imported, its parts, and what the plan has guessed beyond. */
GPtrArray *_kt_import_targets_new  (const KtImportPlan *plan, const char *locale);
gboolean   _kt_import_target_known (const GPtrArray *targets, const char *path);
/* Why the plan cannot run yet, for a window; NULL: it can. g_free. */
char      *_kt_import_hint         (KtImportPlan *plan, const char *locale);

G_END_DECLS
