/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a person's choice in the review queue means as a mutation. The server
 * describes a case in a sync_conflict record (src/server/kt-review.c):
 *
 *   kind         "mine"                               "theirs"
 *   field        write my value over what stands      what stands stays
 *   delete_edit  delete it after all                  it stays
 *   orphan       bring back what I refer to           my record goes there too, or refers to nothing
 *   duplicate    keep both                            my record goes to the bin
 *   refused      try my change again                  give it up
 *
 * The mutation names the case in `resolves`; the server refuses it when somebody
 * was faster. Values of one's own (P6: "merged") go in as a patch.                */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

typedef struct
{
  KtRecord *item;
  const char *kind;
  const KtObject *object; /* of the record in question */
  KtId id;
  KtRecord *record; /* as it stands; NULL: not here */
} Case;

static void
case_clear (Case *c)
{
  g_clear_pointer (&c->item, kt_record_unref);
  g_clear_pointer (&c->record, kt_record_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Case, case_clear)

static gboolean
load_into (KtLocal *local, const KtObject *object, const KtId *id, KtRecord **out, GError **error)
{
  g_autoptr (GError) failure = NULL;

  *out = kt_table_load (local->db, object, id, &failure);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
load_case (KtLocal *local, const KtId *conflict, gboolean open, Case *c, GError **error)
{
  const KtObject *object = kt_schema_object (local->schema, "sync_conflict");
  const KtValue *link;

  if (object == NULL || !load_into (local, object, conflict, &c->item, error))
    return FALSE;
  if (c->item == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "This review item is no longer here");
      return FALSE;
    }
  if (open != (g_strcmp0 (kt_record_text (c->item, "state"), "open") == 0))
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_CONFLICT,
                           open ? "This review item has been settled already"
                                : "This review item is open already");
      return FALSE;
    }
  c->kind = kt_record_text (c->item, "kind");
  link = kt_record_get (c->item, "record");
  if (link == NULL || link->type != KT_VALUE_ANY)
    return TRUE;
  c->object = kt_schema_object (local->schema, link->v.ref.object);
  c->id = link->v.ref.id;
  return c->object == NULL || load_into (local, c->object, &c->id, &c->record, error);
}

static gboolean
require_record (const Case *c, GError **error)
{
  if (c->record != NULL)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "The record in question is not on this device");
  return FALSE;
}

/* A value of the item's JSON fields for the field in question. */
static gboolean
item_value (const Case *c, const char *which, const KtField *field, KtValue *out, GError **error)
{
  const KtValue *stored = kt_record_get (c->item, which);
  g_autoptr (KtJson) json = NULL;

  *out = KT_VALUE_INIT;
  if (stored == NULL || stored->type != KT_VALUE_JSON)
    return TRUE;
  json = kt_json_parse (stored->v.text, -1, error);
  return json != NULL && kt_value_load_json (field, json, out, error);
}

static gboolean
take_my_value (const Case *c, KtMutation *mutation, GError **error)
{
  const char *name = kt_record_text (c->item, "field");
  const KtField *field =
    c->object != NULL && name != NULL ? kt_object_field (c->object, name) : NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;
  KtPatch *patch;

  if (!require_record (c, error))
    return FALSE;
  if (field == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "The field in question is no longer there");
      return FALSE;
    }
  if (!item_value (c, "mine", field, &value, error))
    return FALSE;
  patch = kt_patch_new (c->object);
  kt_patch_set (patch, field, &c->record->values[field->index], &value);
  if (kt_patch_length (patch) == 0)
    kt_patch_free (patch);
  else
    kt_mutation_add (mutation, KT_MUTATE_UPDATE, c->object, &c->id, c->record->rev, patch);
  return TRUE;
}

static gboolean
take_my_reference (KtLocal *local, const Case *c, KtMutation *mutation, GError **error)
{
  const char *name = kt_record_text (c->item, "field");
  const KtField *field =
    c->object != NULL && name != NULL ? kt_object_field (c->object, name) : NULL;
  g_autoptr (KtRecord) parent = NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;
  const KtObject *target = NULL;

  if (field == NULL || !item_value (c, "mine", field, &value, error))
    return field == NULL;
  if (value.type == KT_VALUE_ANY)
    target = kt_schema_object (local->schema, value.v.ref.object);
  else if (value.type == KT_VALUE_ID && field->to != NULL && field->to[0] != NULL)
    target = kt_schema_object (local->schema, field->to[0]);
  if (target == NULL)
    return TRUE;
  if (!load_into (local, target, &value.v.ref.id, &parent, error))
    return FALSE;
  if (parent != NULL && kt_record_deleted (parent))
    kt_mutation_add (mutation, KT_MUTATE_RESTORE, target, &value.v.ref.id, parent->rev, NULL);
  return TRUE;
}

/* The refused change once more, over what stands now. */
static gboolean
take_my_mutation (KtLocal *local, const Case *c, KtMutation *mutation, GError **error)
{
  const KtValue *stored = kt_record_get (c->item, "mutation");
  g_autoptr (KtJson) json = NULL;
  g_autoptr (KtMutation) mine = NULL;

  if (stored == NULL || stored->type != KT_VALUE_JSON)
    return TRUE;
  json = kt_json_parse (stored->v.text, -1, error);
  mine = json != NULL ? kt_mutation_from_json (local->schema, json, error) : NULL;
  if (mine == NULL)
    return FALSE;
  for (guint i = 0; i < mine->ops->len; i++)
    {
      const KtOp *op = g_ptr_array_index (mine->ops, i);
      g_autoptr (KtRecord) now = NULL;
      KtPatch *patch = NULL;

      if (!load_into (local, op->object, &op->id, &now, error))
        return FALSE;
      if (op->patch != NULL)
        {
          patch = kt_patch_new (op->object);
          for (guint j = 0; j < op->patch->changes->len; j++)
            {
              const KtChange *change = &g_array_index (op->patch->changes, KtChange, j);

              kt_patch_set (patch, change->field,
                            now != NULL ? &now->values[change->field->index] : &KT_VALUE_INIT,
                            &change->after);
            }
        }
      kt_mutation_add (mutation,
                       op->kind == KT_MUTATE_CREATE && now != NULL ? KT_MUTATE_UPDATE : op->kind,
                       op->object, &op->id, now != NULL ? now->rev : 0, patch);
    }
  return TRUE;
}

static gboolean
take_mine (KtLocal *local, const Case *c, KtMutation *mutation, GError **error)
{
  if (g_strcmp0 (c->kind, "field") == 0)
    return take_my_value (c, mutation, error);
  if (g_strcmp0 (c->kind, "delete_edit") == 0)
    {
      if (!require_record (c, error))
        return FALSE;
      if (!kt_record_deleted (c->record))
        kt_mutation_add (mutation, KT_MUTATE_DELETE, c->object, &c->id, c->record->rev, NULL);
      return TRUE;
    }
  if (g_strcmp0 (c->kind, "orphan") == 0)
    return take_my_reference (local, c, mutation, error);
  if (g_strcmp0 (c->kind, "refused") == 0 || g_strcmp0 (c->kind, "scope") == 0)
    return take_my_mutation (local, c, mutation, error);
  return TRUE;
}

/* What I refer to stays in the bin: what is nothing without it follows it there, anything else lets go of it. */
static void
let_go (const Case *c, KtMutation *mutation)
{
  const char *name = kt_record_text (c->item, "field");
  const KtField *field =
    c->object != NULL && name != NULL ? kt_object_field (c->object, name) : NULL;
  g_auto (KtValue) mine = KT_VALUE_INIT;
  KtPatch *patch;

  /* Somebody has pointed it elsewhere meanwhile: it is no orphan any more. */
  if (field == NULL || c->record == NULL || kt_record_deleted (c->record)
      || !item_value (c, "mine", field, &mine, NULL)
      || !kt_value_equal (&c->record->values[field->index], &mine))
    return;
  if (kt_merge_is_parent (field) || field->required)
    {
      kt_mutation_add (mutation, KT_MUTATE_DELETE, c->object, &c->id, c->record->rev, NULL);
      return;
    }
  patch = kt_patch_new (c->object);
  kt_patch_set (patch, field, &mine, &KT_VALUE_INIT);
  kt_mutation_add (mutation, KT_MUTATE_UPDATE, c->object, &c->id, c->record->rev, patch);
}

static gboolean
take_theirs (const Case *c, KtMutation *mutation)
{
  if (g_strcmp0 (c->kind, "orphan") == 0)
    let_go (c, mutation);
  if (g_strcmp0 (c->kind, "duplicate") == 0 && c->record != NULL && !kt_record_deleted (c->record))
    kt_mutation_add (mutation, KT_MUTATE_DELETE, c->object, &c->id, c->record->rev, NULL);
  return TRUE;
}

static gboolean
take_values (const Case *c, const KtPatch *values, KtMutation *mutation, GError **error)
{
  KtPatch *patch;

  if (!require_record (c, error))
    return FALSE;
  patch = kt_patch_new (c->object);
  for (guint i = 0; i < values->changes->len; i++)
    {
      const KtChange *change = &g_array_index (values->changes, KtChange, i);
      const KtField *field = kt_object_field (c->object, change->field->name);

      if (field == NULL || strcmp (values->object->name, c->object->name) != 0)
        {
          kt_patch_free (patch);
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                       "The values are not of the record in question");
          return FALSE;
        }
      kt_patch_set (patch, field, &c->record->values[field->index], &change->after);
    }
  if (kt_patch_length (patch) == 0)
    kt_patch_free (patch);
  else
    kt_mutation_add (mutation, KT_MUTATE_UPDATE, c->object, &c->id, c->record->rev, patch);
  return TRUE;
}

static KtMutation *
resolve_in (KtLocal *local,
            const KtId *conflict,
            const char *take,
            const KtPatch *values,
            GError **error)
{
  g_auto (Case) c = { NULL, NULL, NULL, KT_ID_NIL, NULL };
  g_autofree char *at = _kt_local_now (local);
  g_autoptr (KtMutation) mutation = kt_mutation_new (at, "client");
  gboolean done;

  if (!_kt_local_require (local, error) || !load_case (local, conflict, TRUE, &c, error))
    return NULL;
  mutation->resolves = *conflict;
  if (values != NULL)
    {
      mutation->resolution = g_strdup ("merged");
      done = take_values (&c, values, mutation, error);
    }
  else if (g_strcmp0 (take, "mine") == 0)
    {
      mutation->resolution = g_strdup ("kept_mine");
      done = take_mine (local, &c, mutation, error);
    }
  else if (g_strcmp0 (take, "theirs") == 0)
    {
      mutation->resolution = g_strdup ("took_theirs");
      done = take_theirs (&c, mutation);
    }
  else
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "Take \"mine\" or \"theirs\", or give values");
      return NULL;
    }
  return done ? g_steal_pointer (&mutation) : NULL;
}

KtMutation *
kt_local_resolve (KtLocal *local,
                  const KtId *conflict,
                  const char *take,
                  const KtPatch *values,
                  GError **error)
{
  KtMutation *mutation;
  gboolean mine;

  g_return_val_if_fail (conflict != NULL, NULL);

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  mutation = resolve_in (local, conflict, take, values, error);
  _kt_local_read_end (local, mine);
  return mutation;
}

/* ---- asking again ---- */

/* What the decision did to the record, the other way round, as far as it still stands as it was decided. */
static gboolean
undecide (const Case *c, KtMutation *mutation, GError **error)
{
  const char *name = kt_record_text (c->item, "field");
  const char *state = kt_record_text (c->item, "state");
  const KtField *field = c->object != NULL && name != NULL ? kt_object_field (c->object, name) : NULL;
  gboolean mine = g_strcmp0 (state, "kept_mine") == 0;
  g_auto (KtValue) kept = KT_VALUE_INIT;
  g_auto (KtValue) theirs = KT_VALUE_INIT;
  KtPatch *patch;

  if (c->record == NULL)
    return TRUE;
  if (kt_record_deleted (c->record)
      && ((mine && g_strcmp0 (c->kind, "delete_edit") == 0)
          || (!mine
              && (g_strcmp0 (c->kind, "duplicate") == 0 || g_strcmp0 (c->kind, "orphan") == 0))))
    {
      kt_mutation_add (mutation, KT_MUTATE_RESTORE, c->object, &c->id, c->record->rev, NULL);
      return TRUE;
    }
  if (!mine || field == NULL || g_strcmp0 (c->kind, "field") != 0)
    return TRUE;
  if (!item_value (c, "mine", field, &kept, error) || !item_value (c, "theirs", field, &theirs, error))
    return FALSE;
  if (!kt_value_equal (&c->record->values[field->index], &kept))
    return TRUE;
  patch = kt_patch_new (c->object);
  kt_patch_set (patch, field, &kept, &theirs);
  if (kt_patch_length (patch) > 0)
    kt_mutation_add (mutation, KT_MUTATE_UPDATE, c->object, &c->id, c->record->rev, patch);
  else
    kt_patch_free (patch);
  return TRUE;
}

KtMutation *
kt_local_reopen (KtLocal *local, const KtId *conflict, GError **error)
{
  g_auto (Case) c = { NULL, NULL, NULL, KT_ID_NIL, NULL };
  g_autofree char *at = NULL;
  g_autoptr (KtMutation) mutation = NULL;
  gboolean done;
  gboolean mine;

  g_return_val_if_fail (conflict != NULL, NULL);

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  at = _kt_local_now (local);
  mutation = kt_mutation_new (at, "client");
  mutation->resolves = *conflict;
  mutation->resolution = g_strdup ("open");
  done = _kt_local_require (local, error) && load_case (local, conflict, FALSE, &c, error)
         && undecide (&c, mutation, error);
  _kt_local_read_end (local, mine);
  return done ? g_steal_pointer (&mutation) : NULL;
}
