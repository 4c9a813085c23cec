/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* An import (or export) as the assistant in the window sees it. Work runs on a
 * connection of its own, so that edits go on meanwhile; properties notify: "state" (KtImportState), "fraction" (double), "rows" (uint64),
 * "hint" (what the mapping still lacks, or NULL); signal "mapping-changed".
 *
 *   READING ─► MAPPING ─► TRYING ─► TRIED ─► RUNNING ─► DONE ─► (undo) RUNNING ─► UNDONE
 *      │          ▲          │ cancel  │ mapping changed   │ cancel: DONE with what is in
 *      ▼          └──────────┴─────────┘                   ▼
 *   FAILED (error; set_form may start anew)             FAILED (disk full, …; what is in stays, and can be undone) */
typedef enum { KT_IMPORT_READING, KT_IMPORT_MAPPING, KT_IMPORT_TRYING, KT_IMPORT_TRIED, KT_IMPORT_RUNNING, KT_IMPORT_DONE, KT_IMPORT_FAILED, KT_IMPORT_UNDONE } KtImportState;
#define KT_TYPE_IMPORT_STATE (kt_import_state_get_type ())
GType kt_import_state_get_type (void);
#define KT_TYPE_IMPORT_JOB (kt_import_job_get_type ())
G_DECLARE_FINAL_TYPE (KtImportJob, kt_import_job, KT, IMPORT_JOB, GObject)

KtImportJob *kt_import_job_new (KtWorkspace *workspace, const KtObject *object, const char *path);    /* starts reading */
const KtObject *kt_import_job_get_object (KtImportJob *self);
const char   *kt_import_job_get_path  (KtImportJob *self);
KtImportState kt_import_job_get_state (KtImportJob *self);
const GError *kt_import_job_get_error (KtImportJob *self);
/* Reads again with another encoding (NULL: detect) and separator (0: detect). */
void          kt_import_job_set_form  (KtImportJob *self, const char *encoding, char separator);
const char   *kt_import_job_get_encoding (KtImportJob *self);
char          kt_import_job_get_separator (KtImportJob *self);
char         *kt_import_job_describe_file (KtImportJob *self);            /* "customers.csv · about 91 rows · UTF-8 · comma" */
guint         kt_import_job_n_columns (KtImportJob *self);
const char   *kt_import_job_column_name   (KtImportJob *self, guint column);
const char   *kt_import_job_column_sample (KtImportJob *self, guint column, guint i);     /* i < 3; "" */
const char   *kt_import_job_column_field  (KtImportJob *self, guint column);              /* path or NULL */
void          kt_import_job_set_column_field (KtImportJob *self, guint column, const char *field);
/* Choosable targets: pairs path, label. */
guint         kt_import_job_n_targets (KtImportJob *self);
const char   *kt_import_job_target_path  (KtImportJob *self, guint i);
const char   *kt_import_job_target_label (KtImportJob *self, guint i);
void          kt_import_job_set_match (KtImportJob *self, const char *field);             /* NULL: always create */
const char   *kt_import_job_get_match (KtImportJob *self);
gboolean      kt_import_job_target_may_match (KtImportJob *self, guint i);                /* a key that finds existing records */
void          kt_import_job_set_create_missing (KtImportJob *self, gboolean create_missing);
gboolean      kt_import_job_get_create_missing (KtImportJob *self);
/* Why it cannot run yet, in a sentence; NULL: it can. */
const char   *kt_import_job_get_hint (KtImportJob *self);
void          kt_import_job_try (KtImportJob *self);                                      /* dry run */
void          kt_import_job_run (KtImportJob *self, const char *report_path);             /* NULL: rejected rows are only counted */
void          kt_import_job_cancel (KtImportJob *self);
gboolean      kt_import_job_can_undo (KtImportJob *self);
void          kt_import_job_undo (KtImportJob *self);
typedef struct { guint64 read, created, updated, unchanged, failed; } KtImportCounts;
void          kt_import_job_get_counts (KtImportJob *self, KtImportCounts *out);
/* First problems, one sentence each: "Row 17, column Phone: …". */
guint         kt_import_job_n_problems (KtImportJob *self);
const char   *kt_import_job_problem (KtImportJob *self, guint i);
/* How ambiguous cells were read: "Discount: fractions such as 0.15 were read as 15 %". */
guint         kt_import_job_n_notes (KtImportJob *self);
const char   *kt_import_job_note (KtImportJob *self, guint i);
const char   *kt_import_job_get_report (KtImportJob *self);              /* path of the file with rejected rows; NULL: none were */

/* All fields that can be read back. Whole file or none. */
void      kt_export_async  (KtWorkspace *workspace, const KtQuery *query, const char *path, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_export_finish (GAsyncResult *result, guint64 *rows, GError **error);

G_END_DECLS
