/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Records and the titles of what they refer to, read together: a list paints its
 * reference columns with the rows instead of a moment later. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-model-private.h"

#include <string.h>

typedef struct
{
  const char *object;
  KtId id;
  char *title;
} Named;

typedef struct
{
  GArray *keys; /* gint64: of a query */
  GPtrArray *records;
  GArray *named; /* Named */
} Loaded;

typedef struct
{
  KtSchema *schema;
  const KtObject *object;
  KtQuery *query; /* with the rows at `positions`, or: */
  guint *positions;
  gint64 *rids; /* by row number, or: */
  guint n;
  KtId id; /* by id */
} Wanted;

static void
wanted_free (Wanted *wanted)
{
  kt_query_free (wanted->query);
  kt_schema_unref (wanted->schema);
  g_free (wanted->positions);
  g_free (wanted->rids);
  g_free (wanted);
}

static void
loaded_free (Loaded *loaded)
{
  g_clear_pointer (&loaded->keys, g_array_unref);
  g_clear_pointer (&loaded->records, g_ptr_array_unref);
  for (guint i = 0; i < loaded->named->len; i++)
    g_free (g_array_index (loaded->named, Named, i).title);
  g_array_unref (loaded->named);
  g_free (loaded);
}

/* ---- on a reader ---- */

typedef struct
{
  const KtSchema *schema;
  GHashTable *seen; /* KtId* into records */
  GArray *keys;     /* KtRefKey */
} Collect;

static void
collect_id (Collect *collect, const KtObject *object, const KtId *id)
{
  KtRefKey key = { object, *id };

  if (collect->keys->len >= 4000 || g_hash_table_contains (collect->seen, id))
    return;
  g_hash_table_add (collect->seen, kt_id_copy (id));
  g_array_append_val (collect->keys, key);
}

static void
collect_field (Collect *collect, const KtRecord *record, const KtField *field)
{
  const KtValue *value = &record->values[field->index];
  const KtObject *target;
  KtId id;

  if (field->type == KT_FIELD_MANY && !kt_value_is_null (value))
    {
      g_auto (GStrv) items = _kt_value_items (value);

      target = field->to != NULL && field->to[0] != NULL
                 ? kt_schema_object (collect->schema, field->to[0])
                 : NULL;
      for (guint i = 0; items[i] != NULL; i++)
        if (kt_id_parse (items[i], -1, &id))
          collect_id (collect, target, &id);
      return;
    }
  target = _kt_value_target (collect->schema, field, value, &id);
  if (target != NULL)
    collect_id (collect, target, &id);
}

static gboolean
collect_titles (KtLocal *local, Loaded *loaded, gboolean whole, GError **error)
{
  Collect collect = { .schema = kt_local_schema (local) };
  g_autoptr (GHashTable) seen = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  g_autoptr (GArray) keys = g_array_new (FALSE, FALSE, sizeof (KtRefKey));
  g_autoptr (GPtrArray) titles = NULL;
  const KtObject *object = NULL;
  g_autofree const KtField **fields = NULL;
  guint n = 0;

  collect.seen = seen;
  collect.keys = keys;
  for (guint i = 0; i < loaded->records->len; i++)
    {
      const KtRecord *record = g_ptr_array_index (loaded->records, i);

      if (record == NULL)
        continue;
      if (record->object != object)
        {
          object = record->object;
          g_free (fields);
          fields = whole ? g_memdup2 (object->fields, sizeof *fields * (n = object->n_fields))
                         : kt_object_list_fields (object, &n);
        }
      collect_field (&collect, record, object->title);
      for (guint j = 0; j < n; j++)
        collect_field (&collect, record, fields[j]);
    }
  if (keys->len == 0)
    return TRUE;
  titles = kt_local_titles (local, (const KtRefKey *) keys->data, keys->len, error);
  if (titles == NULL)
    return FALSE;
  for (guint i = 0; i < keys->len; i++)
    {
      const KtRefKey *key = &g_array_index (keys, KtRefKey, i);
      Named named = { key->object != NULL ? g_intern_string (key->object->name) : NULL, key->id,
                      g_strdup (g_ptr_array_index (titles, i)) };

      g_array_append_val (loaded->named, named);
    }
  return TRUE;
}

static void
unref_record (gpointer record)
{
  kt_record_unref (record);
}

static GPtrArray *
load_one (KtLocal *local, const Wanted *wanted, GError **error)
{
  g_autoptr (GError) failure = NULL;
  GPtrArray *records;
  KtRecord *record = kt_local_load (local, wanted->object, &wanted->id, &failure);

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  records = g_ptr_array_new_with_free_func (unref_record);
  if (record != NULL)
    g_ptr_array_add (records, record);
  return records;
}

/* The rows at the wanted positions of the answer: asked for once, put where they belong. */
static GPtrArray *
load_positions (KtLocal *local, const Wanted *wanted, const GArray *keys, GError **error)
{
  g_autoptr (GArray) rids = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GPtrArray) found = NULL;
  GPtrArray *records;
  guint next = 0;

  for (guint i = 0; i < wanted->n; i++)
    if (wanted->positions[i] < keys->len)
      g_array_append_val (rids, g_array_index (keys, gint64, wanted->positions[i]));
  found = kt_local_rows (local, wanted->object, (const gint64 *) rids->data, rids->len, error);
  if (found == NULL)
    return NULL;
  records = g_ptr_array_new_full (wanted->n, unref_record);
  for (guint i = 0; i < wanted->n; i++)
    {
      KtRecord *record = wanted->positions[i] < keys->len ? found->pdata[next++] : NULL;

      g_ptr_array_add (records, record != NULL ? kt_record_ref (record) : NULL);
    }
  return records;
}

static gpointer
load_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Wanted *wanted = data;
  Loaded *loaded = g_new0 (Loaded, 1);

  loaded->named = g_array_new (FALSE, TRUE, sizeof (Named));
  if (wanted->query != NULL)
    {
      loaded->keys = kt_local_query (local, wanted->query, cancellable, error);
      if (loaded->keys != NULL)
        loaded->records = load_positions (local, wanted, loaded->keys, error);
    }
  else if (wanted->rids != NULL)
    loaded->records = kt_local_rows (local, wanted->object, wanted->rids, wanted->n, error);
  else
    loaded->records = load_one (local, wanted, error);
  if (loaded->records == NULL
      || !collect_titles (local, loaded, wanted->rids == NULL && wanted->query == NULL, error))
    g_clear_pointer (&loaded, loaded_free);
  return loaded;
}

/* ---- on the main thread ---- */

static void
loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtWorkspace *workspace = g_task_get_source_object (task);
  KtTitles *titles = _kt_workspace_titles (workspace);
  const guint64 *stamp = g_task_get_task_data (task);
  Loaded *loaded = kt_store_job_finish (result, &error);

  if (loaded == NULL)
    {
      g_task_return_error (task, _kt_error_localise (g_steal_pointer (&error)));
      return;
    }
  for (guint i = 0; titles != NULL && i < loaded->named->len; i++)
    {
      const Named *named = &g_array_index (loaded->named, Named, i);

      _kt_titles_learn (titles, named->object, &named->id, named->title, *stamp);
    }
  g_task_return_pointer (task, loaded, (GDestroyNotify) loaded_free);
}

static void
start (KtWorkspace *workspace,
       Wanted *wanted,
       GCancellable *cancellable,
       gpointer tag,
       GAsyncReadyCallback callback,
       gpointer user_data)
{
  GTask *task = g_task_new (workspace, cancellable, callback, user_data);
  guint64 *stamp = g_new0 (guint64, 1);

  g_task_set_source_tag (task, tag);
  g_task_set_task_data (task, stamp, g_free);
  if (!_kt_workspace_check_open (workspace, task))
    {
      wanted_free (wanted);
      g_object_unref (task);
      return;
    }
  *stamp = _kt_titles_stamp (_kt_workspace_titles (workspace));
  kt_store_read_async (_kt_workspace_store (workspace), load_job, wanted,
                       (GDestroyNotify) wanted_free, (GDestroyNotify) loaded_free, cancellable,
                       loaded_cb, task);
}

void
_kt_rows_load_async (KtWorkspace *workspace,
                     const KtObject *object,
                     const gint64 *rids,
                     guint n,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  Wanted *wanted = g_new0 (Wanted, 1);

  wanted->schema = kt_schema_ref ((KtSchema *) object->schema);
  wanted->object = object;
  wanted->rids = g_memdup2 (rids, sizeof *rids * n);
  wanted->n = n;
  start (workspace, wanted, cancellable, _kt_rows_load_async, callback, user_data);
}

static GPtrArray *
take_records (GAsyncResult *result, GArray **keys, GError **error)
{
  Loaded *loaded = g_task_propagate_pointer (G_TASK (result), error);
  GPtrArray *records;

  if (loaded == NULL)
    return NULL;
  records = g_steal_pointer (&loaded->records);
  if (keys != NULL)
    *keys = g_steal_pointer (&loaded->keys);
  loaded_free (loaded);
  return records;
}

GPtrArray *
_kt_rows_load_finish (GAsyncResult *result, GError **error)
{
  return take_records (result, NULL, error);
}

void
_kt_list_ask_async (KtWorkspace *workspace,
                    const KtQuery *query,
                    const guint *positions,
                    guint n,
                    GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data)
{
  Wanted *wanted = g_new0 (Wanted, 1);

  wanted->schema = kt_schema_ref ((KtSchema *) query->object->schema);
  wanted->object = query->object;
  wanted->query = kt_query_copy (query);
  wanted->positions = g_memdup2 (positions, sizeof *positions * n);
  wanted->n = n;
  start (workspace, wanted, cancellable, _kt_list_ask_async, callback, user_data);
}

gboolean
_kt_list_ask_finish (GAsyncResult *result, GArray **keys, GPtrArray **records, GError **error)
{
  *records = take_records (result, keys, error);
  return *records != NULL;
}

void
_kt_record_load_async (KtWorkspace *workspace,
                       const KtObject *object,
                       const KtId *id,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  Wanted *wanted = g_new0 (Wanted, 1);

  wanted->schema = kt_schema_ref ((KtSchema *) object->schema);
  wanted->object = object;
  wanted->id = *id;
  start (workspace, wanted, cancellable, _kt_record_load_async, callback, user_data);
}

KtRecord *
_kt_record_load_finish (GAsyncResult *result, GError **error)
{
  g_autoptr (GPtrArray) records = take_records (result, NULL, error);

  return records != NULL && records->len > 0 ? kt_record_ref (records->pdata[0]) : NULL;
}
