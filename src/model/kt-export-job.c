/* SPDX-License-Identifier: GPL-3.0-or-later */

/* An export: one read of one moment, on a reader. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-model-private.h"
#include "model/kt-import-job.h"
#include "store/kt-import.h"

typedef struct
{
  KtQuery *query;
  KtSchema *schema;
  char *path;
  char *locale;
} Export;

static void
export_free (Export *export)
{
  kt_query_free (export->query);
  kt_schema_unref (export->schema);
  g_free (export->path);
  g_free (export->locale);
  g_free (export);
}

static gpointer
export_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Export *export = data;
  guint64 rows = 0;

  if (!kt_export_run (local, export->query, NULL, export->path, TRUE, export->locale, &rows,
                      cancellable, error))
    return NULL;
  return g_memdup2 (&rows, sizeof rows);
}

static void
exported_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  guint64 *rows = kt_store_job_finish (result, &error);

  if (rows == NULL)
    g_task_return_error (task, _kt_error_localise (g_steal_pointer (&error)));
  else
    g_task_return_pointer (task, rows, g_free);
}

void
kt_export_async (KtWorkspace *workspace,
                 const KtQuery *query,
                 const char *path,
                 GCancellable *cancellable,
                 GAsyncReadyCallback callback,
                 gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  const KtObject *object;
  Export *export;

  g_return_if_fail (KT_IS_WORKSPACE (workspace) && query != NULL && path != NULL);

  task = g_task_new (NULL, cancellable, callback, user_data);
  g_task_set_source_tag (task, kt_export_async);
  if (!_kt_workspace_check_open (workspace, task))
    return;
  object = _kt_workspace_adopt (workspace, query->object);
  export = g_new0 (Export, 1);
  export->query = object != NULL ? _kt_query_adopt (query, object) : NULL;
  if (export->query == NULL)
    export->query = kt_query_copy (query);
  export->schema = kt_schema_ref ((KtSchema *) export->query->object->schema);
  export->path = g_strdup (path);
  export->locale = g_strdup (kt_workspace_get_locale (workspace));
  kt_store_read_async (_kt_workspace_store (workspace), export_job, export,
                       (GDestroyNotify) export_free, g_free, cancellable, exported_cb,
                       g_steal_pointer (&task));
}

gboolean
kt_export_finish (GAsyncResult *result, guint64 *rows, GError **error)
{
  g_autofree guint64 *n = NULL;

  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);

  n = g_task_propagate_pointer (G_TASK (result), error);
  if (n == NULL)
    return FALSE;
  if (rows != NULL)
    *rows = *n;
  return TRUE;
}
