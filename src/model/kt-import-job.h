/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* An import (or export) as the assistant in the window sees it. Work runs on the
 * store's writer; properties notify: "state", "fraction", "rows" (uint64). */
typedef enum { KT_IMPORT_READING, KT_IMPORT_MAPPING, KT_IMPORT_TRYING, KT_IMPORT_TRIED, KT_IMPORT_RUNNING, KT_IMPORT_DONE, KT_IMPORT_FAILED, KT_IMPORT_UNDONE } KtImportState;
#define KT_TYPE_IMPORT_JOB (kt_import_job_get_type ())
G_DECLARE_FINAL_TYPE (KtImportJob, kt_import_job, KT, IMPORT_JOB, GObject)

KtImportJob *kt_import_job_new (KtWorkspace *workspace, const KtObject *object, const char *path);    /* starts reading */
KtImportState kt_import_job_get_state (KtImportJob *self);
const GError *kt_import_job_get_error (KtImportJob *self);
char         *kt_import_job_describe_file (KtImportJob *self);            /* "customers.csv · 91 rows · UTF-8 · comma" */
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
void          kt_import_job_set_create_missing (KtImportJob *self, gboolean create_missing);
void          kt_import_job_try (KtImportJob *self);                                      /* dry run */
void          kt_import_job_run (KtImportJob *self, const char *report_path);
void          kt_import_job_cancel (KtImportJob *self);
void          kt_import_job_undo (KtImportJob *self);
typedef struct { guint64 read, created, updated, unchanged, failed; } KtImportCounts;
void          kt_import_job_get_counts (KtImportJob *self, KtImportCounts *out);
/* First problems, one sentence each: "Row 17, column Phone: …". */
guint         kt_import_job_n_problems (KtImportJob *self);
const char   *kt_import_job_problem (KtImportJob *self, guint i);
const char   *kt_import_job_get_report (KtImportJob *self);

void      kt_export_async  (KtWorkspace *workspace, const KtQuery *query, const char *path, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_export_finish (GAsyncResult *result, guint64 *rows, GError **error);

G_END_DECLS
