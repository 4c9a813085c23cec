/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-csv.h"
#include "store/kt-import.h"

G_BEGIN_DECLS

/* Where a cell goes: a field, a part of an address, the currency of an amount, the
 * id; or a reference limited to one object ("parent:order"). */
typedef struct
{
  const KtField  *field;
  const char     *part;      /* static; NULL */
  const KtObject *target;    /* NULL: any the field accepts */
  gboolean        is_id;
} KtImportPath;

gboolean _kt_import_path_parse  (const KtObject *object, const char *path, KtImportPath *out, GError **error);
gboolean _kt_import_splits_name (const KtField *field);
gboolean _kt_import_plan_maps   (KtImportPlan *plan, const char *field);

/* A file being read as rows; memory is one row. */
typedef struct
{
  char    *path;
  int      fd;
  KtCsv   *csv;
  guint64  total, fed;
  gboolean ended;
} KtImportSource;

KtImportSource  *_kt_import_source_open (const char *path, const char *encoding, char separator, GError **error);
const KtCsvCell *_kt_import_source_next (KtImportSource *source, guint *n, guint64 *row, GError **error);
void             _kt_import_source_free (KtImportSource *source);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtImportSource, _kt_import_source_free)

G_END_DECLS
