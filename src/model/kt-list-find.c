/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From positions to records and back, for commands on many rows. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-row-private.h"

#define CHUNK 256

guint
kt_list_model_find_key (KtListModel *self, gint64 key)
{
  const gint64 *keys;
  guint n;

  g_return_val_if_fail (KT_IS_LIST_MODEL (self), G_MAXUINT);

  keys = kt_list_model_get_keys (self, &n);
  for (guint i = 0; i < n; i++)
    if (keys[i] == key)
      return i;
  return G_MAXUINT;
}

static void
found_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtListModel *self = g_task_get_source_object (task);
  g_autoptr (KtRecord) record = _kt_record_load_finish (result, &error);

  if (error != NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    {
      guint position = record != NULL ? kt_list_model_find_key (self, record->rid) : G_MAXUINT;

      g_task_return_pointer (task, g_memdup2 (&position, sizeof position), g_free);
    }
}

void
kt_list_model_find_async (KtListModel *self,
                          const KtId *id,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  const KtObject *object;

  g_return_if_fail (KT_IS_LIST_MODEL (self) && id != NULL);

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, kt_list_model_find_async);
  object = _kt_list_model_object (self);
  if (object == NULL)
    {
      guint nowhere = G_MAXUINT;

      g_task_return_pointer (task, g_memdup2 (&nowhere, sizeof nowhere), g_free);
      return;
    }
  _kt_record_load_async (_kt_list_model_workspace (self), object, id, cancellable, found_cb,
                         g_steal_pointer (&task));
}

guint
kt_list_model_find_finish (KtListModel *self, GAsyncResult *result, GError **error)
{
  g_autofree guint *position = NULL;

  g_return_val_if_fail (g_task_is_valid (result, self), G_MAXUINT);

  position = g_task_propagate_pointer (G_TASK (result), error);
  return position != NULL ? *position : G_MAXUINT;
}

/* ---- ids of many ---- */

typedef struct
{
  KtSchema *schema;
  const KtObject *object;
  GArray *keys;
} Ids;

static void
ids_free (Ids *ids)
{
  kt_schema_unref (ids->schema);
  g_array_unref (ids->keys);
  g_free (ids);
}

static gpointer
ids_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Ids *ids = data;
  GArray *result = g_array_new (FALSE, FALSE, sizeof (KtId));

  for (guint from = 0; from < ids->keys->len; from += CHUNK)
    {
      g_autoptr (GPtrArray) records = NULL;

      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || (records = kt_local_rows (local, ids->object, &g_array_index (ids->keys, gint64, from),
                                       MIN (CHUNK, ids->keys->len - from), error))
               == NULL)
        {
          g_array_unref (result);
          return NULL;
        }
      for (guint i = 0; i < records->len; i++)
        if (records->pdata[i] != NULL)
          g_array_append_val (result, ((KtRecord *) records->pdata[i])->id);
    }
  return result;
}

static void
ids_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  GArray *ids = kt_store_job_finish (result, &error);

  if (ids == NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_pointer (task, ids, (GDestroyNotify) g_array_unref);
}

void
kt_list_model_ids_async (KtListModel *self,
                         const guint *positions,
                         guint n,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  const KtObject *object;
  const gint64 *keys;
  guint n_keys;
  Ids *ids;

  g_return_if_fail (KT_IS_LIST_MODEL (self) && (positions != NULL || n == 0));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, kt_list_model_ids_async);
  object = _kt_list_model_object (self);
  if (object == NULL)
    {
      g_task_return_pointer (task, g_array_new (FALSE, FALSE, sizeof (KtId)),
                             (GDestroyNotify) g_array_unref);
      return;
    }
  if (!_kt_workspace_check_open (_kt_list_model_workspace (self), task))
    return;
  ids = g_new0 (Ids, 1);
  ids->schema = kt_schema_ref ((KtSchema *) object->schema);
  ids->object = object;
  ids->keys = g_array_sized_new (FALSE, FALSE, sizeof (gint64), n);
  keys = kt_list_model_get_keys (self, &n_keys);
  for (guint i = 0; i < n; i++)
    if (positions[i] < n_keys)
      g_array_append_vals (ids->keys, &keys[positions[i]], 1);
  kt_store_read_async (_kt_workspace_store (_kt_list_model_workspace (self)), ids_job, ids,
                       (GDestroyNotify) ids_free, (GDestroyNotify) g_array_unref, cancellable,
                       ids_cb, g_steal_pointer (&task));
}

GArray *
kt_list_model_ids_finish (KtListModel *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
