/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Change sets, and the one function through which a visible record changes: row,
 * full text and sort keys always together (I3).                                  */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

/* A GArray's own reference count is not what we count. */
typedef struct
{
  KtChangeSet set;
  gatomicrefcount refs;
} OwnedSet;

KtChangeSet *
kt_change_set_ref (KtChangeSet *set)
{
  g_return_val_if_fail (set != NULL, NULL);

  g_atomic_ref_count_inc (&((OwnedSet *) set)->refs);
  return set;
}

void
kt_change_set_unref (KtChangeSet *set)
{
  if (set == NULL || !g_atomic_ref_count_dec (&((OwnedSet *) set)->refs))
    return;
  g_array_unref (set->records);
  kt_schema_unref (set->schema_ref);
  g_free (set);
}

KtChangeSet *
kt_change_set_new (const KtSchema *schema)
{
  OwnedSet *set = g_new0 (OwnedSet, 1);

  g_atomic_ref_count_init (&set->refs);
  set->set.records = g_array_new (FALSE, FALSE, sizeof (KtRecordChange));
  set->set.schema_ref = schema != NULL ? kt_schema_ref ((KtSchema *) schema) : NULL;
  return &set->set;
}

gboolean
kt_change_set_touches (const KtChangeSet *set, const KtObject *object)
{
  if (set->everything || set->schema)
    return TRUE;
  for (guint i = 0; i < set->records->len; i++)
    if (g_array_index (set->records, KtRecordChange, i).object->number == object->number)
      return TRUE;
  return FALSE;
}

/* ---- collecting ---- */

void
_kt_changes_init (KtChanges *changes, KtLocal *local)
{
  changes->set = kt_change_set_new (local->schema);
  changes->places = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
}

void
_kt_changes_clear (KtChanges *changes)
{
  g_clear_pointer (&changes->set, kt_change_set_unref);
  g_clear_pointer (&changes->places, g_hash_table_unref);
}

KtChangeSet *
_kt_changes_steal (KtChanges *changes)
{
  KtChangeSet *set = changes->set;

  if (set->records->len == 0 && !set->everything && !set->outbox && !set->schema)
    return NULL;
  changes->set = NULL;
  return set;
}

static KtChangeKind
kind_of (const KtRecord *before, const KtRecord *after)
{
  if (before == NULL)
    return KT_CHANGE_CREATED;
  if (after == NULL)
    return KT_CHANGE_GONE;
  if (kt_record_deleted (before) != kt_record_deleted (after))
    return kt_record_deleted (after) ? KT_CHANGE_BINNED : KT_CHANGE_RESTORED;
  return KT_CHANGE_UPDATED;
}

static KtChangeKind
join_kinds (KtChangeKind first, KtChangeKind then)
{
  if (then == KT_CHANGE_GONE)
    return KT_CHANGE_GONE;
  if (first == KT_CHANGE_CREATED)
    return KT_CHANGE_CREATED;
  if (first == KT_CHANGE_GONE)
    return KT_CHANGE_UPDATED;
  if (then == KT_CHANGE_UPDATED)
    return first;
  if ((first == KT_CHANGE_BINNED && then == KT_CHANGE_RESTORED)
      || (first == KT_CHANGE_RESTORED && then == KT_CHANGE_BINNED))
    return KT_CHANGE_UPDATED;
  return then;
}

void
_kt_changes_add (KtChanges *changes, const KtRecord *before, const KtRecord *after, gboolean by_me)
{
  const KtRecord *record = after != NULL ? after : before;
  KtRecordChange change;
  guint place;

  if (changes->set->everything)
    return;
  place = GPOINTER_TO_UINT (g_hash_table_lookup (changes->places, &record->id));
  if (place > 0)
    {
      KtRecordChange *old = &g_array_index (changes->set->records, KtRecordChange, place - 1);

      old->kind = join_kinds (old->kind, kind_of (before, after));
      old->rid = record->rid;
      old->by_me |= by_me;
      return;
    }
  if (changes->set->records->len >= KT_CHANGES_MAX)
    {
      changes->set->everything = TRUE;
      g_array_set_size (changes->set->records, 0);
      g_hash_table_remove_all (changes->places);
      return;
    }
  change.object = record->object;
  change.id = record->id;
  change.rid = record->rid;
  change.kind = kind_of (before, after);
  change.by_me = by_me;
  g_array_append_val (changes->set->records, change);
  g_hash_table_insert (changes->places, kt_id_copy (&record->id),
                       GUINT_TO_POINTER (changes->set->records->len));
}

/* ---- the visible record ---- */

static gboolean
same_record (const KtRecord *a, const KtRecord *b)
{
  if (a->rev != b->rev || a->object != b->object)
    return FALSE;
  for (guint i = 0; i < a->object->n_fields; i++)
    if (!kt_value_equal (&a->values[i], &b->values[i]))
      return FALSE;
  return TRUE;
}

/* Only what differs: naming a column in an UPDATE rewrites every index it is in. */
static gboolean
update_row (KtLocal *local, const KtRecord *before, KtRecord *after, GError **error)
{
  g_autoptr (KtPatch) patch = kt_patch_new (after->object);

  for (guint i = 0; i < after->object->n_fields; i++)
    if (!kt_value_equal (&before->values[i], &after->values[i]))
      kt_patch_set (patch, after->object->fields[i], &before->values[i], &after->values[i]);
  after->rid = before->rid;
  return kt_table_update (local->db, patch, &after->id, after->rev, error);
}

/* A `file`, or a record that changes hands. */
static gboolean
concerns_blobs (KtLocal *local, const KtRecord *before, const KtRecord *after)
{
  const KtRecord *record = after != NULL ? after : before;
  const KtPlan *plan = _kt_local_plan (local, record->object);
  const KtField *owner = plan != NULL ? plan->owner : NULL;

  return strcmp (record->object->name, "file") == 0
         || (owner != NULL && before != NULL && after != NULL && before->object == after->object
             && !kt_value_equal (&before->values[owner->index], &after->values[owner->index]));
}

gboolean
_kt_local_show (KtLocal *local,
                const KtRecord *before,
                KtRecord *after,
                gboolean by_me,
                KtChanges *changes,
                GError **error)
{
  if (before == NULL && after == NULL)
    return TRUE;
  if (before != NULL && after != NULL && same_record (before, after))
    {
      after->rid = before->rid;
      return TRUE;
    }
  if (before != NULL && after != NULL && before->object == after->object)
    {
      if (!update_row (local, before, after, error))
        return FALSE;
    }
  else if (after != NULL)
    {
      if (!kt_table_save (local->db, after, NULL, error))
        return FALSE;
    }
  else if (!kt_table_erase (local->db, before->object, &before->id, error)
           || kt_db_run (local->db, error, "DELETE FROM kt_history WHERE id=?1", KT_BIND_ID,
                         &before->id, KT_BIND_END)
                < 0)
    return FALSE;
  if (!_kt_local_index (local, before, after, error)
      || (!by_me && !_kt_local_news_record (local, before, after, error)))
    return FALSE;
  if (concerns_blobs (local, before, after) && !_kt_local_blobs_stir (local, error))
    return FALSE;
  if (changes != NULL)
    _kt_changes_add (changes, before, after, by_me);
  if (g_hash_table_size (local->names) > 0)
    _kt_local_names_change (local, before, after);
  return TRUE;
}
