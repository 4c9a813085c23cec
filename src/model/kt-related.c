/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What hangs on a record: its related lists with their counts, and the candidates for
 * its references as somebody types. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <string.h>

#include "kt-editor-private.h"
#include "kt-layout.h"

#define MAX_CANDIDATES 20

struct _KtRelated
{
  /* owned */
  GPtrArray *relations; /* KtRelation*; NULL: not asked for yet */
  GArray *counts;       /* gint64, parallel */
  GCancellable *cancellable;

  /* borrowed */
  KtEditor *editor;

  /* state */
  guint counting : 1;
  guint again : 1;
  guint wanted : 1;
};

static void
relation_free (KtRelation *relation)
{
  g_free (relation->label);
  g_free (relation);
}

static void
make_relations (KtRelated *self)
{
  const KtObject *object = kt_editor_get_object (self->editor);
  KtWorkspace *workspace = kt_editor_get_workspace (self->editor);
  const KtSchema *schema = object->schema;
  const KtJson *related = kt_json_get (object->json, "related");

  /* Made once: callers hold them, and pointers of an older schema stay good. */
  if (self->relations != NULL)
    return;
  self->relations = g_ptr_array_new_with_free_func ((GDestroyNotify) relation_free);
  self->counts = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; i < kt_json_length (related); i++)
    {
      const KtJson *from = kt_json_at (related, i);
      const KtObject *target = kt_schema_object (schema, kt_json_get_string (from, "object", ""));
      const KtField *field =
        target != NULL ? kt_object_field (target, kt_json_get_string (from, "field", "")) : NULL;
      KtRelation *relation;
      gint64 unknown = -1;

      if (field == NULL)
        continue;
      relation = g_new0 (KtRelation, 1);
      relation->label = g_strdup (
        kt_json_localized (kt_json_get (from, "label"), kt_workspace_get_locale (workspace),
                           kt_object_plural (target, kt_workspace_get_locale (workspace))));
      relation->object = target;
      relation->field = field;
      g_ptr_array_add (self->relations, relation);
      g_array_append_val (self->counts, unknown);
    }
}

KtRelated *
_kt_related_new (KtEditor *editor)
{
  KtRelated *self = g_new0 (KtRelated, 1);

  self->editor = editor;
  self->cancellable = g_cancellable_new ();
  return self;
}

void
_kt_related_free (KtRelated *related)
{
  if (related == NULL)
    return;
  g_cancellable_cancel (related->cancellable);
  g_clear_object (&related->cancellable);
  g_clear_pointer (&related->relations, g_ptr_array_unref);
  g_clear_pointer (&related->counts, g_array_unref);
  g_free (related);
}

GPtrArray *
_kt_related_list (KtRelated *related)
{
  make_relations (related);
  return related->relations;
}

KtQuery *
_kt_related_query (KtEditor *editor, const KtRelation *relation)
{
  const KtObject *object = kt_editor_get_object (editor);
  const KtId *id = kt_editor_get_id (editor);
  KtQuery *query = kt_layout_query (relation->object, FALSE);
  g_auto (KtValue) value = KT_VALUE_INIT;
  char text[KT_ID_TEXT_SIZE];

  switch (relation->field->type)
    {
    case KT_FIELD_REF:
      kt_value_set_id (&value, id);
      query->filter = kt_filter_compare (relation->field, KT_OP_EQ, &value);
      break;
    case KT_FIELD_REF_ANY:
      kt_value_set_any (&value, g_intern_string (object->name), id);
      query->filter = kt_filter_compare (relation->field, KT_OP_EQ, &value);
      break;
    case KT_FIELD_MANY:
    default:
      kt_id_format (id, text);
      kt_value_set_text (&value, text);
      query->filter = kt_filter_compare (relation->field, KT_OP_HAS, &value);
      break;
    }
  return query;
}

/* ---- counts ---- */

static gpointer
count_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  GPtrArray *queries = data;
  GArray *counts = g_array_new (FALSE, FALSE, sizeof (gint64));

  for (guint i = 0; i < queries->len; i++)
    {
      gint64 n = g_cancellable_set_error_if_cancelled (cancellable, error)
                   ? -1
                   : kt_local_count (local, queries->pdata[i], error);

      if (n < 0)
        {
          g_array_unref (counts);
          return NULL;
        }
      g_array_append_val (counts, n);
    }
  return counts;
}

static void count (KtRelated *self);

static void
counted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) counts = kt_store_job_finish (result, &error);
  KtRelated *self = _kt_guard_end (user_data);
  gboolean changed;

  if (self == NULL)
    return;
  self->counting = FALSE;
  if (error != NULL)
    g_debug ("counts of related lists: %s", error->message);
  changed = counts != NULL && counts->len == self->counts->len
            && memcmp (counts->data, self->counts->data, counts->len * sizeof (gint64)) != 0;
  if (changed)
    memcpy (self->counts->data, counts->data, counts->len * sizeof (gint64));
  if (self->again)
    count (self);
  if (changed)
    g_signal_emit_by_name (self->editor, "relations-changed");
}

static void
count (KtRelated *self)
{
  KtStore *store = _kt_workspace_store (kt_editor_get_workspace (self->editor));
  GPtrArray *queries;

  self->again = FALSE;
  if (store == NULL || self->relations->len == 0)
    return;
  queries = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_query_free);
  for (guint i = 0; i < self->relations->len; i++)
    g_ptr_array_add (queries, _kt_related_query (self->editor, self->relations->pdata[i]));
  self->counting = TRUE;
  kt_store_read_async (store, count_job, queries, (GDestroyNotify) g_ptr_array_unref,
                       (GDestroyNotify) g_array_unref, self->cancellable, counted_cb,
                       _kt_guard_new (self, self->cancellable));
}

static void
count_soon (KtRelated *self)
{
  if (self->counting)
    self->again = TRUE;
  else
    count (self);
}

gint64
_kt_related_count (KtRelated *related, const KtRelation *relation)
{
  make_relations (related);
  if (!related->wanted)
    {
      related->wanted = TRUE;
      count_soon (related);
    }
  for (guint i = 0; i < related->relations->len; i++)
    if (related->relations->pdata[i] == relation)
      return g_array_index (related->counts, gint64, i);
  return -1;
}

void
_kt_related_changed (KtRelated *related, const KtChanges *changes)
{
  if (!related->wanted)
    return;
  for (guint i = 0; i < related->relations->len; i++)
    if (kt_changes_touch (changes, ((KtRelation *) related->relations->pdata[i])->object))
      {
        count_soon (related);
        return;
      }
}

/* ---- public API ---- */

GPtrArray *
kt_editor_relations (KtEditor *self)
{
  g_return_val_if_fail (KT_IS_EDITOR (self), NULL);

  return _kt_related_list (_kt_editor_related (self));
}

KtQuery *
kt_editor_relation_query (KtEditor *self, const KtRelation *relation)
{
  g_return_val_if_fail (KT_IS_EDITOR (self) && relation != NULL, NULL);

  return _kt_related_query (self, relation);
}

gint64
kt_editor_relation_count (KtEditor *self, const KtRelation *relation)
{
  g_return_val_if_fail (KT_IS_EDITOR (self) && relation != NULL, -1);

  return _kt_related_count (_kt_editor_related (self), relation);
}

KtEditor *
kt_editor_new_related (KtEditor *self, const KtRelation *relation)
{
  KtEditor *child;
  const KtField *field;
  g_auto (KtValue) value = KT_VALUE_INIT;
  char text[KT_ID_TEXT_SIZE];

  g_return_val_if_fail (KT_IS_EDITOR (self) && relation != NULL, NULL);

  child = kt_editor_new (kt_editor_get_workspace (self), relation->object);
  field = _kt_field_of (kt_editor_get_object (child), relation->field);
  if (field == NULL)
    return child;
  switch (field->type)
    {
    case KT_FIELD_REF:
      kt_value_set_id (&value, kt_editor_get_id (self));
      break;
    case KT_FIELD_REF_ANY:
      kt_value_set_any (&value, g_intern_string (kt_editor_get_object (self)->name),
                        kt_editor_get_id (self));
      break;
    case KT_FIELD_MANY:
    default:
      {
        const char *items[] = { text, NULL };

        kt_id_format (kt_editor_get_id (self), text);
        if (!_kt_value_set_items (field, items, &value, NULL))
          return child;
      }
    }
  _kt_editor_preset (child, field, &value);
  return child;
}

/* ---- candidates ---- */

typedef struct
{
  KtSchema *schema;
  GPtrArray *objects; /* const KtObject*; empty: any */
  char *typed;
} Wanted;

static void
wanted_free (Wanted *wanted)
{
  kt_schema_unref (wanted->schema);
  g_ptr_array_unref (wanted->objects);
  g_free (wanted->typed);
  g_free (wanted);
}

void
kt_candidate_free (KtCandidate *candidate)
{
  if (candidate == NULL)
    return;
  g_free (candidate->title);
  g_free (candidate->subtitle);
  g_free (candidate);
}

static void
add_candidate (GPtrArray *into,
               const KtObject *object,
               const KtId *id,
               const char *title,
               const char *subtitle)
{
  KtCandidate *candidate;

  if (into->len >= MAX_CANDIDATES)
    return;
  candidate = g_new0 (KtCandidate, 1);
  candidate->object = object;
  candidate->id = *id;
  candidate->title = g_strdup (title != NULL ? title : "");
  candidate->subtitle = g_strdup (subtitle != NULL ? subtitle : "");
  g_ptr_array_add (into, candidate);
}

static gboolean
search_into (KtLocal *local,
             const Wanted *wanted,
             const KtObject *object,
             GPtrArray *into,
             GCancellable *cancellable,
             GError **error)
{
  g_autoptr (GPtrArray) hits =
    kt_local_search (local, wanted->typed, object, MAX_CANDIDATES, cancellable, error);

  if (hits == NULL)
    return FALSE;
  for (guint i = 0; i < hits->len; i++)
    {
      const KtHit *hit = hits->pdata[i];
      /* The reader's own schema may be gone before the answer is read. */
      const KtObject *found = kt_schema_object (wanted->schema, hit->object->name);

      if (found != NULL)
        add_candidate (into, found, &hit->id, hit->title, hit->subtitle);
    }
  return TRUE;
}

/* Nothing typed: those last touched. */
static gboolean
latest_into (KtLocal *local,
             const KtObject *object,
             GPtrArray *into,
             GCancellable *cancellable,
             GError **error)
{
  g_autoptr (KtQuery) query = kt_query_new (object);
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) rows = NULL;
  g_autoptr (GPtrArray) titles = NULL;
  g_autoptr (GArray) keys = g_array_new (FALSE, FALSE, sizeof (KtRefKey));

  query->limit = MAX_CANDIDATES;
  kt_query_add_sort (query, kt_object_field (object, "modified_at"), TRUE);
  rids = kt_local_query (local, query, cancellable, error);
  if (rids == NULL)
    return FALSE;
  rows = kt_local_rows (local, object, (const gint64 *) rids->data, rids->len, error);
  if (rows == NULL)
    return FALSE;
  for (guint i = 0; i < rows->len; i++)
    {
      const KtRecord *row = rows->pdata[i];
      KtRefKey key = { object, row != NULL ? row->id : KT_ID_NIL };

      g_array_append_val (keys, key);
    }
  titles = kt_local_titles (local, (const KtRefKey *) keys->data, keys->len, error);
  if (titles == NULL)
    return FALSE;
  for (guint i = 0; i < rows->len; i++)
    if (rows->pdata[i] != NULL)
      add_candidate (into, object, &g_array_index (keys, KtRefKey, i).id, titles->pdata[i], NULL);
  return TRUE;
}

static gpointer
candidates_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Wanted *wanted = data;
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_candidate_free);
  gboolean ok = TRUE;

  if (wanted->objects->len == 0 && *wanted->typed != '\0')
    ok = search_into (local, wanted, NULL, found, cancellable, error);
  for (guint i = 0; i < wanted->objects->len && ok; i++)
    ok = *wanted->typed != '\0'
           ? search_into (local, wanted, wanted->objects->pdata[i], found, cancellable, error)
           : latest_into (local, wanted->objects->pdata[i], found, cancellable, error);
  return ok ? g_steal_pointer (&found) : NULL;
}

static void
candidates_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtEditor *self = g_task_get_source_object (task);
  KtWorkspace *workspace = kt_editor_get_workspace (self);
  GPtrArray *found = kt_store_job_finish (result, &error);

  if (found == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  /* Objects of the reader's schema become those the caller knows. */
  for (guint i = found->len; i > 0; i--)
    {
      KtCandidate *candidate = found->pdata[i - 1];

      candidate->object = kt_workspace_get_object (workspace, candidate->object->name);
      if (candidate->object == NULL)
        g_ptr_array_remove_index (found, i - 1);
    }
  g_task_return_pointer (task, found, (GDestroyNotify) g_ptr_array_unref);
}

void
kt_editor_candidates_async (KtEditor *self,
                            const KtField *field,
                            const char *typed,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  KtWorkspace *workspace;
  const KtSchema *schema;
  const KtField *own;
  Wanted *wanted;

  g_return_if_fail (KT_IS_EDITOR (self) && field != NULL && typed != NULL);

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, kt_editor_candidates_async);
  workspace = kt_editor_get_workspace (self);
  schema = kt_workspace_get_schema (workspace);
  own = _kt_field_of (kt_editor_get_object (self), field);
  if (!_kt_workspace_check_open (workspace, task))
    return;
  wanted = g_new0 (Wanted, 1);
  wanted->schema = kt_schema_ref ((KtSchema *) schema);
  wanted->typed = g_strstrip (g_strdup (typed));
  wanted->objects = g_ptr_array_new ();
  if (own != NULL && (own->type == KT_FIELD_FILE || own->type == KT_FIELD_IMAGE))
    {
      const KtObject *file = kt_schema_object (schema, "file");

      if (file != NULL)
        g_ptr_array_add (wanted->objects, (gpointer) file);
    }
  for (guint i = 0; own != NULL && own->to != NULL && own->to[i] != NULL; i++)
    {
      const KtObject *target = kt_schema_object (schema, own->to[i]);

      if (target != NULL)
        g_ptr_array_add (wanted->objects, (gpointer) target);
    }
  kt_store_read_async (_kt_workspace_store (workspace), candidates_job, wanted,
                       (GDestroyNotify) wanted_free, (GDestroyNotify) g_ptr_array_unref,
                       cancellable, candidates_cb, g_steal_pointer (&task));
}

GPtrArray *
kt_editor_candidates_finish (KtEditor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
