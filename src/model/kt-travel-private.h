/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "kt-model-private.h"

G_BEGIN_DECLS

/* kt-travel-trial.c: opens what a person would, on a reader. The result of the job: KtTrial. */
typedef struct
{
  guint      lists, records, searches, files;      /* that opened */
  GPtrArray *problems;                             /* char*: sentences; empty: all well */
} KtTrial;
gpointer _kt_trial_job  (KtLocal *local, gpointer locale, GCancellable *cancellable, GError **error);
void     _kt_trial_free (KtTrial *trial);
/* The verdict. g_free. */
char    *_kt_trial_words (const KtTrial *trial);

G_END_DECLS
