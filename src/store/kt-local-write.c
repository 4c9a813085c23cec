/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A local commit: records, shadows, outbox entry, full text and keys in one
 * transaction (P1, I3), and the ways to take it back.                          */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

/* ---- preparing ---- */

/* A mutation built on a schema that has been replaced since: the same by name. */
static gboolean
translate (KtLocal *local, KtMutation *mutation, GError **error)
{
  for (guint i = 0; i < mutation->ops->len; i++)
    {
      KtOp *op = g_ptr_array_index (mutation->ops, i);
      const KtObject *own = _kt_local_object (local, op->object);

      if (own == op->object)
        continue;
      if (own == NULL)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "The server no longer has \"%s\"",
                       op->object->name);
          return FALSE;
        }
      if (op->patch != NULL)
        {
          g_autoptr (GString) text = g_string_new (NULL);
          g_autofree char *unknown = NULL;
          KtJsonWriter writer = KT_JSON_WRITER (text);
          KtPatch *patch;

          kt_patch_to_json (op->patch, &writer);
          patch = _kt_local_patch_parse (own, text->str, NULL, &unknown);
          if (unknown != NULL)
            {
              kt_patch_free (patch);
              g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND,
                           "The server no longer takes %s of %s", unknown, own->name);
              return FALSE;
            }
          kt_patch_free (op->patch);
          op->patch = patch;
        }
      op->object = own;
    }
  return TRUE;
}

/* A stage says which pipeline it is of, how likely, how sure. It goes before the defaults, which are those of
 * another pipeline, as on the server. */
static void
take_from_stage (KtLocal *local, KtRecord *record)
{
  static const char *const names[] = { "pipeline", "probability", "forecast_category" };
  const KtField *via = kt_object_field (record->object, "stage");
  const KtValue *value = via != NULL ? &record->values[via->index] : NULL;
  g_autoptr (KtRecord) stage = NULL;

  if (via == NULL || via->type != KT_FIELD_REF || value->type != KT_VALUE_ID)
    return;
  stage =
    kt_table_load (local->db, kt_schema_object (local->schema, via->to[0]), &value->v.ref.id, NULL);
  for (guint i = 0; stage != NULL && i < G_N_ELEMENTS (names); i++)
    {
      const KtField *field = kt_object_field (record->object, names[i]);
      const KtField *source = kt_object_field (stage->object, names[i]);

      if (field != NULL && source != NULL && !field->computed && field->storage == source->storage
          && kt_value_is_null (&record->values[field->index]))
        kt_value_copy (&stage->values[source->index], &record->values[field->index]);
    }
}

/* Defaults and owner go into the patch: what is sent is what is seen here. */
static void
complete_create (KtLocal *local, KtOp *op)
{
  g_autoptr (KtRecord) record = kt_record_new (op->object, &op->id);
  const KtField *owner = kt_object_field (op->object, "owner");

  kt_patch_apply (op->patch, record);
  take_from_stage (local, record);
  kt_record_apply_defaults (record);
  if (owner != NULL && owner->storage == KT_VALUE_ID
      && kt_value_is_null (&record->values[owner->index]))
    kt_value_set_id (&record->values[owner->index], &local->identity->access.user);
  for (guint i = 0; i < op->object->n_fields; i++)
    {
      const KtField *field = op->object->fields[i];

      if (field->computed || kt_value_is_null (&record->values[i])
          || kt_patch_find (op->patch, field) != NULL)
        continue;
      kt_patch_set (op->patch, field, &KT_VALUE_INIT, &record->values[i]);
    }
}

static gboolean
refuse (KtLocal *local,
        const KtMutation *mutation,
        const KtOp *op,
        const KtRecord *before,
        GError **error)
{
  g_autofree char *reason = NULL;

  if (kt_access_may_op (&local->identity->access, mutation, op, before, local->locale, &reason))
    return FALSE;
  g_set_error_literal (error, KT_ERROR, KT_ERROR_FORBIDDEN,
                       reason != NULL ? reason : "You may not do this");
  return TRUE;
}

/* ---- one op ---- */

static gboolean
load_before (KtLocal *local, const KtOp *op, KtRecord **before, GError **error)
{
  g_autoptr (GError) failure = NULL;
  char id[KT_ID_TEXT_SIZE];

  *before = kt_table_load (local->db, op->object, &op->id, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  kt_id_format (&op->id, id);
  if (*before != NULL && op->kind == KT_MUTATE_CREATE)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_EXISTS, "There is already a record %s in %s", id,
                   op->object->name);
      return FALSE;
    }
  if (*before == NULL && op->kind != KT_MUTATE_CREATE)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no record %s in %s", id,
                   op->object->name);
      return FALSE;
    }
  return TRUE;
}

static gboolean
keep_shadow (KtLocal *local,
             const KtObject *object,
             const KtId *id,
             const KtRecord *before,
             GError **error)
{
  KtShadowState state =
    before != NULL ? _kt_local_shadow (local, object, id, NULL, NULL, error) : KT_SHADOW_ABSENT;

  if (state == KT_SHADOW_ERROR)
    return FALSE;
  return state != KT_SHADOW_ABSENT || _kt_local_put_shadow (local, object, id, before, error);
}

static gboolean
write_op (KtLocal *local, const KtMutation *mutation, KtOp *op, KtChanges *changes, GError **error)
{
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) after = NULL;

  if (!load_before (local, op, &before, error))
    return FALSE;
  if (op->kind == KT_MUTATE_CREATE)
    complete_create (local, op);
  else if (op->base_rev == 0)
    op->base_rev = before->rev;
  if (refuse (local, mutation, op, before, error))
    return FALSE;
  if (!keep_shadow (local, op->object, &op->id, before, error))
    return FALSE;

  after =
    _kt_local_apply (local, before != NULL ? kt_record_copy (before) : NULL, op->kind, op->object,
                     &op->id, op->base_rev, op->patch, mutation->at, mutation->origin);
  if (!_kt_local_compute (local, before, after, error))
    return FALSE;
  if ((op->kind == KT_MUTATE_CREATE || op->kind == KT_MUTATE_UPDATE)
      && !kt_rules_check_error (before, after, local->locale, error))
    return FALSE;
  return _kt_local_show (local, before, after, TRUE, changes, error);
}

/* The review item shows as settled at once; the server will say the same. */
static gboolean
write_resolution (KtLocal *local, const KtMutation *mutation, KtChanges *changes, GError **error)
{
  const KtObject *object = kt_schema_object (local->schema, "sync_conflict");
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) after = NULL;

  if (kt_id_is_nil (&mutation->resolves) || object == NULL)
    return TRUE;
  before = kt_table_load (local->db, object, &mutation->resolves, error);
  if (before == NULL)
    {
      if (error == NULL || *error == NULL)
        g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "This review item is no longer here");
      return FALSE;
    }
  if (g_strcmp0 (mutation->resolution, "open") == 0
      && g_strcmp0 (kt_record_text (before, "state"), "open") == 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT, "This review item is open already");
      return FALSE;
    }
  if (g_strcmp0 (mutation->resolution, "open") != 0
      && g_strcmp0 (kt_record_text (before, "state"), "open") != 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT, "This review item has been settled already");
      return FALSE;
    }
  if (!keep_shadow (local, object, &mutation->resolves, before, error))
    return FALSE;
  after = _kt_local_apply (local, kt_record_copy (before), KT_MUTATE_RESOLVE, object,
                           &mutation->resolves, 0, NULL, mutation->at, mutation->resolution);
  return _kt_local_show (local, before, after, TRUE, changes, error);
}

static void
drop_idle_ops (KtMutation *mutation)
{
  for (guint i = mutation->ops->len; i > 0; i--)
    {
      const KtOp *op = g_ptr_array_index (mutation->ops, i - 1);

      if (op->kind == KT_MUTATE_UPDATE && kt_patch_length (op->patch) == 0)
        g_ptr_array_remove_index (mutation->ops, i - 1);
    }
}

static gboolean
commit_in (KtLocal *local, KtMutation *mutation, gint64 *no, KtChanges *changes, GError **error)
{
  if (!_kt_local_require (local, error) || !translate (local, mutation, error))
    return FALSE;
  for (guint i = 0; i < mutation->ops->len; i++)
    if (!write_op (local, mutation, g_ptr_array_index (mutation->ops, i), changes, error))
      return FALSE;
  if (!write_resolution (local, mutation, changes, error) || !kt_mutation_check (mutation, error))
    return FALSE;
  changes->set->outbox = TRUE;
  *no = _kt_local_add_entry (local, mutation, error);
  return *no >= 0;
}

gboolean
kt_local_commit (KtLocal *local,
                 KtMutation *mutation,
                 gint64 *outbox_no,
                 KtChangeSet **changes,
                 GError **error)
{
  g_auto (KtChanges) collected = { 0 };
  gint64 no = 0;

  g_return_val_if_fail (mutation != NULL && mutation->number == 0, FALSE);

  drop_idle_ops (mutation);
  if (mutation->ops->len == 0 && kt_id_is_nil (&mutation->resolves))
    {
      if (outbox_no != NULL)
        *outbox_no = 0;
      if (changes != NULL)
        *changes = NULL;
      return TRUE;
    }
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  mutation->id = kt_id_new (local->env);
  _kt_changes_init (&collected, local);
  if (!commit_in (local, mutation, &no, &collected, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  if (!_kt_local_commit (local, error))
    return FALSE;
  if (outbox_no != NULL)
    *outbox_no = no;
  if (changes != NULL)
    *changes = _kt_changes_steal (&collected);
  return TRUE;
}

/* ---- undo ---- */

static char *
title_cb (const KtObject *object, const KtId *id, gpointer data)
{
  KtLocal *local = data;
  g_autoptr (KtRecord) record = kt_table_load (local->db, object, id, NULL);

  return record != NULL ? kt_record_title (record, local->locale) : NULL;
}

char *
_kt_local_describe_entry (KtLocal *local, gint64 no)
{
  g_autoptr (KtMutation) mutation = _kt_local_read_mutation (local, no, NULL, NULL);

  return mutation != NULL ? kt_mutation_describe (mutation, local->locale, title_cb, local)
                          : g_strdup_printf ("no. %" G_GINT64_FORMAT, no);
}

static gboolean
undo_in (KtLocal *local, gint64 no, KtChanges *changes, GError **error)
{
  g_autoptr (GHashTable) touched = _kt_touched_new ();
  gint64 state = -1;
  gint64 dependent = 0;

  /* What waits a second time was sent the first. */
  if (!kt_db_get_int (local->db, -1, &state, error,
                      "SELECT state FROM kt_outbox WHERE no=?1 AND again=0", KT_BIND_INT, no,
                      KT_BIND_END))
    return FALSE;
  if (state != KT_OUTBOX_QUEUED)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT, "This change has been sent already");
      return FALSE;
    }
  if (!_kt_local_dependent (local, no, TRUE, &dependent, error))
    return FALSE;
  if (dependent != 0)
    {
      g_autofree char *says = _kt_local_describe_entry (local, dependent);

      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                   "A later change builds on this one: undo that first (%s)", says);
      return FALSE;
    }
  changes->set->outbox = TRUE;
  return _kt_local_leave (local, no, FALSE, touched, error)
         && _kt_local_recompute_all (local, touched, TRUE, changes, error);
}

gboolean
_kt_local_transact (
  KtLocal *local,
  gboolean (*work) (KtLocal *local, gint64 no, KtChanges *changes, GError **error),
  gint64 no,
  KtChangeSet **changes,
  GError **error)
{
  g_auto (KtChanges) collected = { 0 };

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  _kt_changes_init (&collected, local);
  if (!_kt_local_require (local, error) || !work (local, no, &collected, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  if (!_kt_local_commit (local, error))
    return FALSE;
  if (changes != NULL)
    *changes = _kt_changes_steal (&collected);
  return TRUE;
}

gboolean
kt_local_undo (KtLocal *local, gint64 outbox_no, KtChangeSet **changes, GError **error)
{
  return _kt_local_transact (local, undo_in, outbox_no, changes, error);
}

/* ---- the opposite of what was done ---- */

KtMutation *
_kt_mutation_inverse (const KtMutation *mutation, const char *at)
{
  KtMutation *inverse = kt_mutation_new (at, mutation->origin);

  inverse->id = mutation->id; /* until it is committed */

  inverse->batch = g_strdup (mutation->batch);
  /* What was decided is asked again; what was asked again stays asked. */
  if (!kt_id_is_nil (&mutation->resolves) && g_strcmp0 (mutation->resolution, "open") != 0)
    {
      inverse->resolves = mutation->resolves;
      inverse->resolution = g_strdup ("open");
    }
  for (guint i = mutation->ops->len; i > 0; i--)
    {
      const KtOp *op = g_ptr_array_index (mutation->ops, i - 1);

      switch (op->kind)
        {
        case KT_MUTATE_CREATE:
        case KT_MUTATE_RESTORE:
          kt_mutation_add (inverse, KT_MUTATE_DELETE, op->object, &op->id, 0, NULL);
          break;
        case KT_MUTATE_DELETE:
          kt_mutation_add (inverse, KT_MUTATE_RESTORE, op->object, &op->id, 0, NULL);
          break;
        case KT_MUTATE_UPDATE:
        default:
          {
            KtPatch *patch = kt_patch_new (op->object);

            for (guint j = 0; j < op->patch->changes->len; j++)
              {
                const KtChange *change = &g_array_index (op->patch->changes, KtChange, j);

                kt_patch_set (patch, change->field, &change->after, &change->before);
              }
            kt_mutation_add (inverse, KT_MUTATE_UPDATE, op->object, &op->id, 0, patch);
          }
        }
    }
  return inverse;
}

/* A question that is open, or no longer here, is not opened. */
static gboolean
fit_resolution (KtLocal *local, KtMutation *inverse, GError **error)
{
  const KtObject *object = kt_schema_object (local->schema, "sync_conflict");
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtRecord) item = NULL;

  if (kt_id_is_nil (&inverse->resolves))
    return TRUE;
  item = object != NULL ? kt_table_load (local->db, object, &inverse->resolves, &failure) : NULL;
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (item == NULL || g_strcmp0 (kt_record_text (item, "state"), "open") == 0)
    {
      inverse->resolves = KT_ID_NIL;
      g_clear_pointer (&inverse->resolution, g_free);
    }
  return TRUE;
}

/* Leaves out what is not as the mutation left it. */
static gboolean
fit_inverse (KtLocal *local, KtMutation *inverse, GError **error)
{
  if (!fit_resolution (local, inverse, error))
    return FALSE;
  for (guint i = inverse->ops->len; i > 0; i--)
    {
      KtOp *op = g_ptr_array_index (inverse->ops, i - 1);
      g_autoptr (GError) failure = NULL;
      g_autoptr (KtRecord) record = kt_table_load (local->db, op->object, &op->id, &failure);
      gboolean keep = record != NULL;

      if (failure != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      if (keep && op->kind == KT_MUTATE_DELETE)
        keep = !kt_record_deleted (record);
      else if (keep && op->kind == KT_MUTATE_RESTORE)
        keep = kt_record_deleted (record);
      else if (keep)
        {
          KtPatch *patch = kt_patch_new (op->object);

          for (guint j = 0; j < op->patch->changes->len; j++)
            {
              const KtChange *change = &g_array_index (op->patch->changes, KtChange, j);

              if (kt_value_equal (&record->values[change->field->index], &change->before))
                kt_patch_set (patch, change->field, &change->before, &change->after);
            }
          kt_patch_free (op->patch);
          op->patch = patch;
          keep = kt_patch_length (patch) > 0;
        }
      if (keep)
        op->base_rev = record->rev;
      else
        g_ptr_array_remove_index (inverse->ops, i - 1);
    }
  return TRUE;
}

static KtMutation *
find_inverse (KtLocal *local, gint64 no, GError **error)
{
  g_autofree char *at = _kt_local_now (local);
  g_autofree char *text = NULL;
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtMutation) mutation = _kt_local_read_mutation (local, no, NULL, &failure);
  g_autoptr (KtJson) json = NULL;
  KtMutation *inverse;

  if (mutation != NULL)
    return _kt_mutation_inverse (mutation, at);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (!kt_db_get_text (local->db, &text, error, "SELECT inverse FROM kt_done WHERE no=?1",
                       KT_BIND_INT, no, KT_BIND_END))
    return NULL;
  json = text != NULL ? kt_json_parse (text, -1, NULL) : NULL;
  inverse = json != NULL ? kt_mutation_from_json (local->schema, json, NULL) : NULL;
  if (inverse == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND,
                   "This change is too long ago to be taken back at once");
      return NULL;
    }
  g_free (inverse->at);
  inverse->at = g_steal_pointer (&at);
  return inverse;
}

KtMutation *
kt_local_inverse (KtLocal *local, gint64 outbox_no, GError **error)
{
  g_autoptr (KtMutation) inverse = NULL;
  gboolean mine;

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  if (_kt_local_require (local, error))
    inverse = find_inverse (local, outbox_no, error);
  if (inverse != NULL && !fit_inverse (local, inverse, error))
    g_clear_pointer (&inverse, kt_mutation_free);
  _kt_local_read_end (local, mine);
  return g_steal_pointer (&inverse);
}

GArray *
kt_local_batch (KtLocal *local, const char *batch, GError **error)
{
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (gint64));
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  g_return_val_if_fail (batch != NULL, NULL);

  stmt = kt_db_stmt (
    local->db,
    "SELECT no FROM kt_outbox WHERE batch=?1 UNION SELECT no FROM kt_done WHERE batch=?1"
    " ORDER BY no DESC",
    error);
  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_text (stmt, 1, batch);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gint64 no = kt_stmt_int (stmt, 0);

      g_array_append_val (numbers, no);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&numbers) : NULL;
}
