/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Change sets of one turn of the main loop, added up. Bounded: beyond a number of
 * records only the objects are known, and then every record of them may have changed. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-model-private.h"

#define MAX_IDS 5000

struct _KtChanges
{
  /* owned */
  GHashTable *objects; /* char* name */
  GHashTable *ids;     /* KtId* */

  /* state */
  gatomicrefcount refs;
  guint everything : 1;
  guint many : 1; /* more records than are named */
  guint outbox : 1;
  guint schema : 1;
};

G_DEFINE_BOXED_TYPE (KtChanges, kt_changes, kt_changes_ref, kt_changes_unref)

KtChanges *
_kt_model_changes_new (void)
{
  KtChanges *self = g_new0 (KtChanges, 1);

  g_atomic_ref_count_init (&self->refs);
  self->objects = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->ids = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  return self;
}

KtChanges *
kt_changes_ref (KtChanges *changes)
{
  g_return_val_if_fail (changes != NULL, NULL);

  g_atomic_ref_count_inc (&changes->refs);
  return changes;
}

void
kt_changes_unref (KtChanges *changes)
{
  if (changes == NULL || !g_atomic_ref_count_dec (&changes->refs))
    return;
  g_hash_table_unref (changes->objects);
  g_hash_table_unref (changes->ids);
  g_free (changes);
}

void
_kt_model_changes_fold (KtChanges *changes, const KtChangeSet *set)
{
  changes->everything |= set->everything;
  changes->outbox |= set->outbox || set->everything;
  changes->schema |= set->schema;
  if (set->records == NULL)
    return;
  for (guint i = 0; i < set->records->len; i++)
    {
      const KtRecordChange *change = &g_array_index (set->records, KtRecordChange, i);

      if (!g_hash_table_contains (changes->objects, change->object->name))
        g_hash_table_add (changes->objects, g_strdup (change->object->name));
      if (g_hash_table_size (changes->ids) < MAX_IDS)
        g_hash_table_add (changes->ids, kt_id_copy (&change->id));
      else if (!g_hash_table_contains (changes->ids, &change->id))
        changes->many = TRUE;
    }
}

gboolean
_kt_model_changes_outbox (const KtChanges *changes)
{
  return changes->outbox;
}

gboolean
_kt_model_changes_schema (const KtChanges *changes)
{
  return changes->schema;
}

void
_kt_model_changes_foreach (const KtChanges *changes,
                           void (*func) (const KtId *id, gpointer data),
                           gpointer data)
{
  GHashTableIter iter;
  gpointer id;

  g_hash_table_iter_init (&iter, changes->ids);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    func (id, data);
}

static gboolean
touches_name (const KtChanges *changes, const char *name)
{
  return g_hash_table_contains (changes->objects, name);
}

static gboolean
touches_targets (const KtChanges *changes, const KtField *field)
{
  if (field == NULL || field->to == NULL)
    return FALSE;
  for (const char **to = field->to; *to != NULL; to++)
    if (g_str_equal (*to, "*") || touches_name (changes, *to))
      return TRUE;
  return FALSE;
}

static gboolean
touches_filter (const KtChanges *changes, const KtFilter *filter)
{
  if (filter == NULL)
    return FALSE;
  if (filter->children != NULL)
    for (guint i = 0; i < filter->children->len; i++)
      if (touches_filter (changes, g_ptr_array_index (filter->children, i)))
        return TRUE;
  if (filter->kind != KT_FILTER_COMPARE)
    return FALSE;
  if (touches_targets (changes, filter->via))
    return TRUE;
  /* A reference compared with a title. */
  if (filter->operands != NULL)
    for (guint i = 0; i < filter->operands->len; i++)
      if (g_array_index (filter->operands, KtOperand, i).kind == KT_OPERAND_TITLE)
        return touches_targets (changes, filter->field);
  return FALSE;
}

gboolean
_kt_model_changes_query (const KtChanges *changes, const KtQuery *query)
{
  if (kt_changes_touch (changes, query->object) || touches_filter (changes, query->filter))
    return TRUE;
  /* References sort by title. */
  for (guint i = 0; query->sort != NULL && i < query->sort->len; i++)
    if (touches_targets (changes, g_array_index (query->sort, KtSort, i).field))
      return TRUE;
  return FALSE;
}

gboolean
kt_changes_touch (const KtChanges *changes, const KtObject *object)
{
  g_return_val_if_fail (changes != NULL && object != NULL, TRUE);

  return changes->everything || changes->schema || touches_name (changes, object->name);
}

gboolean
kt_changes_record (const KtChanges *changes, const KtId *id)
{
  g_return_val_if_fail (changes != NULL && id != NULL, TRUE);

  return changes->everything || changes->schema || changes->many
         || g_hash_table_contains (changes->ids, id);
}

gboolean
kt_changes_everything (const KtChanges *changes)
{
  g_return_val_if_fail (changes != NULL, TRUE);

  return changes->everything || changes->schema;
}
