/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rows that did not go in: the first thousand problems as sentences, and a file
 * with all those rows, their line and the reason, to be mended and imported again. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"
#include "store/kt-whole-file.h"

#define MAX_ERRORS 1000

struct _KtImportReport
{
  /* owned */
  KtWholeFile *file; /* NULL: none is wanted */
  char *path;
  GString *out;
  GString *reason; /* of the row at hand */
  guint width;
};

static void
error_free (gpointer data)
{
  KtImportError *problem = data;

  g_free (problem->column);
  g_free (problem->message);
  g_free (problem);
}

KtImportReport *
_kt_import_report_open (const char *path, const KtCsvCell *header, guint n, GError **error)
{
  KtImportReport *report = g_new0 (KtImportReport, 1);
  g_autoptr (GPtrArray) cells = NULL;

  report->reason = g_string_new (NULL);
  report->width = n;
  if (path == NULL)
    return report;
  report->out = g_string_new ("\xef\xbb\xbf");
  report->path = g_strdup (path);
  report->file = _kt_whole_file_open (path, error);
  if (report->file == NULL)
    {
      g_prefix_error (error, "The report of rejected rows: ");
      _kt_import_report_free (report);
      return NULL;
    }
  cells = g_ptr_array_new ();
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (cells, (gpointer) header[i].text);
  g_ptr_array_add (cells, (gpointer) "row");
  g_ptr_array_add (cells, (gpointer) "reason");
  kt_csv_write_row (report->out, (const char *const *) cells->pdata, cells->len, FALSE);
  return report;
}

void
_kt_import_report_free (KtImportReport *report)
{
  if (report == NULL)
    return;
  g_clear_pointer (&report->file, _kt_whole_file_free);
  g_free (report->path);
  if (report->out != NULL)
    g_string_free (report->out, TRUE);
  g_string_free (report->reason, TRUE);
  g_free (report);
}

void
_kt_import_report_begin (KtImportRun *run)
{
  g_string_truncate (run->report->reason, 0);
}

gboolean
_kt_import_report_clean (KtImportRun *run)
{
  return run->report->reason->len == 0;
}

void
_kt_import_problem (KtImportRun *run, guint64 row, const char *column, const char *message)
{
  GString *reason = run->report->reason;

  if (run->result->errors->len < MAX_ERRORS)
    {
      KtImportError *problem = g_new0 (KtImportError, 1);

      problem->row = row;
      problem->column = g_strdup (column);
      problem->message = g_strdup (message);
      g_ptr_array_add (run->result->errors, problem);
    }
  if (reason->len > 0)
    g_string_append (reason, "; ");
  if (column != NULL)
    g_string_append_printf (reason, "%s: ", column);
  g_string_append (reason, message);
}

void
_kt_import_report_row (KtImportRun *run, const KtCsvCell *cells, guint n, guint64 row)
{
  KtImportReport *report = run->report;
  g_autoptr (GPtrArray) out = NULL;
  g_autofree char *line = NULL;

  run->result->failed++;
  if (report->file == NULL)
    return;
  out = g_ptr_array_new ();
  line = g_strdup_printf ("%" G_GUINT64_FORMAT, row);
  for (guint i = 0; i < report->width; i++)
    g_ptr_array_add (out, (gpointer) (cells != NULL && i < n ? cells[i].text : ""));
  g_ptr_array_add (out, line);
  g_ptr_array_add (out, report->reason->str);
  /* Cells too many have no column of their own: behind the reason nothing is lost. */
  for (guint i = report->width; cells != NULL && i < n; i++)
    g_ptr_array_add (out, (gpointer) cells[i].text);
  kt_csv_write_row (report->out, (const char *const *) out->pdata, out->len, TRUE);
}

gboolean
_kt_import_report_flush (KtImportRun *run, GError **error)
{
  KtImportReport *report = run->report;

  return report->file == NULL || report->out->len == 0
         || _kt_whole_file_write (report->file, report->out, NULL, error);
}

gboolean
_kt_import_report_close (KtImportRun *run, GError **error)
{
  KtImportReport *report = run->report;

  if (report->file == NULL || run->result->failed == 0)
    return TRUE;
  if (!_kt_import_report_flush (run, error) || !_kt_whole_file_keep (report->file, error))
    return FALSE;
  run->result->report = g_strdup (report->path);
  return TRUE;
}

/* ---- the result ---- */

KtImportResult *
_kt_import_result_new (void)
{
  KtImportResult *result = g_new0 (KtImportResult, 1);

  result->errors = g_ptr_array_new_with_free_func (error_free);
  result->notes = g_ptr_array_new_with_free_func (g_free);
  return result;
}

void
kt_import_result_free (KtImportResult *result)
{
  if (result == NULL)
    return;
  g_clear_pointer (&result->errors, g_ptr_array_unref);
  g_clear_pointer (&result->notes, g_ptr_array_unref);
  g_free (result->batch);
  g_free (result->report);
  g_free (result);
}
