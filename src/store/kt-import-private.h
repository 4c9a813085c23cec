/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-csv.h"
#include "store/kt-import.h"

G_BEGIN_DECLS

/* ---- where a cell goes (kt-import-path.c) ---- */

/* FIELD[.PART][:OBJECT][@SOURCE]: a field, a part of an address, the currency of an amount, the id; a
 * reference limited to one object ("parent:order"); an id that is unique only in its source
 * ("external_id@shipper" keeps 3 as shipper:3, and "ship_via@shipper" finds it). */
typedef struct
{
  const KtField  *field;
  const char     *part;      /* static; NULL */
  const KtObject *target;    /* NULL: any the field accepts */
  const char     *source;    /* points into the path; NULL */
  gboolean        is_id;
} KtImportPath;

gboolean _kt_import_path_parse  (const KtObject *object, const char *path, KtImportPath *out, GError **error);
gboolean _kt_import_splits_name (const KtField *field);
gboolean _kt_import_takes       (const KtField *field);
gboolean _kt_import_plan_maps   (KtImportPlan *plan, const char *field);
/* Whether two paths put something into the same place. */
gboolean _kt_import_path_same   (const char *a, const char *b);

/* ---- a file being read as rows (kt-import-source.c); memory is one row ---- */
typedef struct
{
  char    *path;
  int      fd;
  KtCsv   *csv;
  guint64  total, fed;
  gboolean ended;
  guint    width;            /* cells of the first row */
  guint64  mended;           /* rows that had commas in texts without quotes */
  char    *mended_sample;
  GArray  *cells;            /* KtCsvCell of a mended row */
  GString *joined;
} KtImportSource;

KtImportSource  *_kt_import_source_open (const char *path, const char *encoding, char separator, GError **error);
const KtCsvCell *_kt_import_source_next (KtImportSource *source, guint *n, guint64 *row, GError **error);
void             _kt_import_source_free (KtImportSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtImportSource, _kt_import_source_free)

/* ---- a run ---- */

typedef struct
{
  KtImportPath path;
  guint        cell;         /* column of the file */
  KtCsvCell    constant;     /* text NULL: from the file */
  const char  *name;         /* of the column; owned by the plan */
  const char  *locale;       /* how dates and numbers of this column are read; static or the plan's */
  gboolean     is_stage;
  KtId         pipeline;     /* stages are looked for here first; nil: none */
  gboolean     fraction;     /* per cents given as 0.15 */
} KtImportTarget;

typedef struct _KtImportNames KtImportNames;
typedef struct _KtImportReport KtImportReport;

typedef struct
{
  KtLocal        *local;
  KtImportPlan   *plan;
  const KtObject *object;
  gboolean        dry;
  KtImportResult *result;
  const char     *currency;
  GArray         *targets;       /* KtImportTarget; stages last */
  KtImportNames  *names;
  KtImportReport *report;
  GHashTable     *keyed;         /* records that rows of this file speak of, by id or match value */
  gsize           keyed_bytes;
  gboolean        forgetful;     /* a trial of a file too large to keep in mind whole */
  GHashTable     *unique;        /* values of unique fields of this file → id */
  GArray         *later;         /* KtImportLater */
  KtMutation     *mutation;      /* being collected */
  gsize           bytes;         /* about what it weighs */
  GArray         *rows;          /* guint64: row of each op, 0 for a helper record */
  GPtrArray      *change_sets;   /* borrowed; may be NULL */
} KtImportRun;

/* A reference to a row that has not come yet. */
typedef struct
{
  KtId            id;
  const KtField  *field;
  const KtObject *only;
  char           *text;
  const char     *column;
  guint64         row;
} KtImportLater;

const KtCsvCell      *_kt_import_cell   (KtImportRun *run, const KtImportTarget *target, const KtCsvCell *cells, guint n);   /* NULL: blank */
const KtImportTarget *_kt_import_target (KtImportRun *run, const char *field, const char *part);
/* FALSE: the problem has been noted. */
gboolean _kt_import_set_cell (KtImportRun *run, const KtImportTarget *target, KtRecord *record, const KtCsvCell *cell,
                              const char *currency, guint64 row);
gboolean _kt_import_set_full_name (KtImportRun *run, KtRecord *record, const char *text, GError **error);
/* What kt_csv_write_row put before what looks like a formula is taken off. */
const char *_kt_import_unguard (const char *text);

/* ---- from the whole of a column (kt-import-survey.c) ---- */
gboolean _kt_import_survey (KtImportRun *run, GError **error);

/* ---- names of records (kt-import-names.c) ---- */
typedef enum { KT_IMPORT_FOUND, KT_IMPORT_NOT_YET, KT_IMPORT_FAILED } KtImportLookup;

KtImportNames *_kt_import_names_new  (KtImportRun *run);
void           _kt_import_names_free (KtImportNames *names);
/* One name → one record. @only: of this object; @source: see KtImportPath; @message set when FAILED. */
KtImportLookup _kt_import_look_up    (KtImportRun *run, const KtField *field, const KtObject *only, const char *source,
                                      const char *text, gboolean may_wait, const KtObject **object, KtId *id, char **message);
/* A stage by name: of the record's own pipeline, else of the one the column speaks of. */
gboolean       _kt_import_find_stage (KtImportRun *run, const KtImportTarget *target, const KtRecord *record, const char *text, KtId *id);
gboolean       _kt_import_stages_fit (KtImportRun *run, GHashTable *texts /* char* */, KtId *pipeline, char **title, GError **error);
void           _kt_import_forget     (KtImportRun *run);      /* rows that are in the profile by now */
void           _kt_import_remember   (KtImportRun *run, const KtRecord *record);
char          *_kt_import_title_of   (KtImportRun *run, const KtObject *object, const KtId *id);

/* ---- what goes in (kt-import-commit.c) ---- */
KtOp    *_kt_import_add    (KtImportRun *run, KtRecord *before, KtRecord *after, guint64 row);
gboolean _kt_import_commit (KtImportRun *run, GError **error);
gboolean _kt_import_commit_if_full (KtImportRun *run, GError **error);

/* ---- one row (kt-import-row.c) ---- */
void     _kt_import_keyed_free (gpointer keyed);
gboolean _kt_import_take_row (KtImportRun *run, const KtCsvCell *cells, guint n, guint64 row, guint width);

/* ---- what did not (kt-import-report.c) ---- */
KtImportResult *_kt_import_result_new   (void);
KtImportReport *_kt_import_report_open  (const char *path, const KtCsvCell *header, guint n, GError **error);   /* @path NULL: problems only */
void            _kt_import_report_free  (KtImportReport *report);                                             /* drops a file that was not closed */
void            _kt_import_problem      (KtImportRun *run, guint64 row, const char *column, const char *message);
gboolean        _kt_import_report_clean (KtImportRun *run);                                                   /* no problem since the row began */
void            _kt_import_report_begin (KtImportRun *run);
void            _kt_import_report_row   (KtImportRun *run, const KtCsvCell *cells, guint n, guint64 row);      /* @cells NULL: only the reason */
gboolean        _kt_import_report_flush (KtImportRun *run, GError **error);
/* It appears whole, or not at all when every row went in. */
gboolean        _kt_import_report_close (KtImportRun *run, GError **error);

G_END_DECLS
