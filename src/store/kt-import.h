/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-local.h"

G_BEGIN_DECLS

/* Import of a table (CSV) into one object, and export: the same code for the
 * window and the command line. Blocking, on a thread that owns a KtLocal; memory is
 * bounded by a chunk of rows, whatever the size of the file.
 *
 * A plan says where each column goes. Columns may map to a field, a part of an
 * address ("billing_address.city"), several fields, or nothing. References are given by
 * id, external id, number or name (kt_local_find), also to rows of the same file,
 * earlier or later. Rows that fail are reported with row and column and written to a
 * report file with a reason column; the others go in, in mutations of up to 500
 * records of one batch, which can be undone as a whole. A blank cell (also NULL and \N without quotes) leaves what is there.
 *
 * What a single row cannot tell is decided by the whole column: whether 3/4/2026 has the day or the month first, whether a
 * decimal point or comma is meant, whether 0.15 is 15 %, which pipeline the stages are of. What was decided stands in `notes`. */
typedef struct { char *column; char *field /* path; NULL: ignored */; char *sample[3]; double confidence; guint again_of; /* 1 + index of the column it repeats; 0: itself */ } KtImportColumn;

typedef struct
{
  const KtObject *object;
  char      *path;
  char      *encoding;           /* detected; may be overridden */
  char       separator;
  GPtrArray *columns;            /* KtImportColumn*, in file order; a column mapped to several fields stands several times */
  char      *match;              /* field whose value finds an existing record to update; NULL: always create */
  char      *locale;
  char       decimal_point;      /* 0: detect */
  char      *null_text;          /* cells read as empty besides ""; default "NULL" and "\\N" */
  gboolean   create_missing;     /* make referenced records (title only) that are not found */
  guint64    rows_guess;
  guint      n_file_columns;     /* the first of `columns`; after them repetitions */
  GPtrArray *constants;          /* char*: path, text, path, text …: what all rows get; NULL: nothing */
  KtSchema  *schema;             /* keeps `object` alive */
} KtImportPlan;

/* Reads the head of the file, detects form, guesses the mapping from header names (labels and aliases in English
 * and Chinese, names) and sample values. Errors: what kt_csv_new says; INVALID for no header, LIMIT. */
KtImportPlan *kt_import_plan_new  (KtLocal *local, const KtObject *object, const char *path, GError **error);
/* The same with what a person knows better: @encoding NULL and @separator 0 are detected. */
KtImportPlan *kt_import_plan_new_form (KtLocal *local, const KtObject *object, const char *path, const char *encoding, char separator, GError **error);
void          kt_import_plan_free (KtImportPlan *plan);
/* "COLUMN=FIELD"; "" as field ignores the column. FIELD[.PART][:OBJECT][@SOURCE]: a part of an address or "currency" of an
 * amount; only records of one object; an id that is unique only where it comes from (kept as "source:3", and found so).
 * INVALID names the column or field and the nearest one. */
gboolean      kt_import_plan_map  (KtImportPlan *plan, const char *column, const char *field, GError **error);
/* The same value for every row; takes the field from the column that went into it. */
gboolean      kt_import_plan_set (KtImportPlan *plan, const char *field, const char *text, GError **error);
gboolean      kt_import_plan_check (KtImportPlan *plan, GError **error);      /* required fields mapped or defaulted, match field sensible */

typedef struct { guint64 row; char *column; char *message; } KtImportError;
typedef struct
{
  guint64    read, created, updated, unchanged, failed;
  GPtrArray *errors;             /* KtImportError*, the first 1,000 */
  GPtrArray *notes;              /* char*: what was understood, e.g. "Discount: fractions such as 0.15 were read as 15 %" */
  char      *batch;              /* for undo; NULL on dry run */
  char      *report;             /* path of the file with rejected rows, or NULL */
} KtImportResult;
typedef void (*KtImportProgress) (guint64 bytes, guint64 total, guint64 rows, gpointer data);
/* @report_path: where rejected rows go (NULL: none written). Dry run changes nothing. Cancelled: what is in stays in and is undoable. */
KtImportResult *kt_import_run (KtLocal *local, KtImportPlan *plan, gboolean dry_run, const char *report_path,
                               KtImportProgress progress, gpointer data, GCancellable *cancellable,
                               GPtrArray *change_sets /* KtChangeSet* appended, may be NULL */, GError **error);
void      kt_import_result_free (KtImportResult *result);
/* Takes a whole batch back: created records to the bin, changed fields to what they were (where nobody changed them since). */
gboolean  kt_import_undo (KtLocal *local, const char *batch, guint *records, GPtrArray *change_sets, GError **error);

/* Writes the records of @query as CSV (UTF-8 with BOM, CRLF), references by title (by id where the title is not the only one of its
 * kind), choices by label of @locale when @labels, whole or not at all (rename). @fields NULL: all that kt_import_run takes. What it writes, kt_import_run reads back. */
gboolean  kt_export_run (KtLocal *local, const KtQuery *query, const KtField *const *fields, const char *path, gboolean labels,
                         const char *locale, guint64 *rows, GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtImportPlan, kt_import_plan_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtImportResult, kt_import_result_free)

G_END_DECLS
