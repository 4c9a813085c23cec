/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The writing half of a plan: records, log and ledger of one commit.
 *
 * A row of the ledger holds, by field:
 *
 *   "stage": [old, new, "applied"]                      old: what stood; new: what stands
 *   "phone": [old, new, outcome, mine, base]            when more is to be told: mine was written against base, and it does not
 *                                                       stand as written, or it stands over something its author had not seen
 *
 * Who and when stand beside it, so created_*, modified_* and origin are left out. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-plan.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

static const char *const kind_words[] = {
  [KT_MUTATE_CREATE] = "create",
  [KT_MUTATE_UPDATE] = "update",
  [KT_MUTATE_DELETE] = "delete",
  [KT_MUTATE_RESTORE] = "restore",
};

/* Told by the row itself. */
static gboolean
in_row (const KtField *field)
{
  static const char *const names[] = { "created_at",  "created_by", "modified_at",
                                       "modified_by", "origin",     NULL };

  return field->system && g_strv_contains (names, field->name);
}

static void
put_values (KtJsonWriter *writer,
            const KtField *field,
            const KtValue *before,
            const KtValue *after,
            KtOutcome outcome,
            const KtValue *mine,
            const KtValue *base)
{
  kt_json_key (writer, field->name);
  kt_json_begin_array (writer);
  kt_value_to_json (before, writer);
  kt_value_to_json (after, writer);
  kt_json_add_string (writer, kt_outcome_word (outcome));
  if (mine != NULL)
    {
      kt_value_to_json (mine, writer);
      kt_value_to_json (base, writer);
    }
  kt_json_end_array (writer);
}

/* The last result of a field, or NULL: the server's own doing, or all of a new record. */
static const KtFieldResult *
find_result (const KtWork *work, const KtField *field)
{
  for (guint i = work->results != NULL ? work->results->len : 0; i > 0; i--)
    {
      GArray *results = work->results->pdata[i - 1];

      for (guint k = 0; k < results->len; k++)
        if (g_array_index (results, KtFieldResult, k).field == field)
          return &g_array_index (results, KtFieldResult, k);
    }
  return NULL;
}

static char *
describe_changes (const KtWork *work)
{
  static const KtValue null_value = { 0 };
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  for (guint i = 0; i < work->object->n_fields; i++)
    {
      const KtField *field = work->object->fields[i];
      const KtFieldResult *result = find_result (work, field);
      const KtValue *before = work->stored != NULL ? &work->stored->values[i] : &null_value;
      const KtValue *after = work->now != NULL ? &work->now->values[i] : &null_value;
      gboolean more = result != NULL && (result->outcome != KT_OUTCOME_APPLIED || result->overrode);

      if (in_row (field) || (!more && kt_value_equal (before, after)))
        continue;
      put_values (&writer, field, before, after,
                  result != NULL ? result->outcome : KT_OUTCOME_APPLIED,
                  more ? &result->mine : NULL, more ? &result->base : NULL);
    }
  kt_json_end_object (&writer);
  return g_string_free (text, FALSE);
}

typedef struct
{
  const char *object;
  const KtId *id;
  const char *kind;
  gboolean effect;
  KtOutcome outcome;
  const char *changes;
} Entry;

static gboolean
write_entry (KtPlan *plan, gint64 idx, const Entry *entry, GError **error)
{
  const KtMutation *mutation = plan->mutation;
  const KtActor *actor = plan->actor;

  return kt_db_run (
           plan->core->db, error,
           "INSERT INTO kt_ledger (seq, idx, at, device_at, user_id, device, number, origin, batch,"
           " object, id, kind, effect, outcome, changes)"
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
           KT_BIND_INT, plan->seq, KT_BIND_INT, idx, KT_BIND_TEXT, plan->at, KT_BIND_TEXT,
           mutation != NULL ? mutation->at : NULL, KT_BIND_ID,
           kt_id_is_nil (&actor->access.user) ? NULL : &actor->access.user, KT_BIND_ID,
           kt_id_is_nil (&actor->device) ? NULL : &actor->device, KT_BIND_INT,
           mutation != NULL ? mutation->number : (gint64) 0, KT_BIND_TEXT,
           mutation != NULL ? mutation->origin : NULL, KT_BIND_TEXT,
           mutation != NULL ? mutation->batch : NULL, KT_BIND_TEXT, entry->object, KT_BIND_ID,
           entry->id, KT_BIND_TEXT, entry->kind, KT_BIND_INT, (gint64) entry->effect, KT_BIND_TEXT,
           kt_outcome_word (entry->outcome), KT_BIND_TEXT, entry->changes, KT_BIND_END)
         >= 0;
}

gboolean
_kt_plan_log (KtPlan *plan, const KtObject *object, const KtId *id, gboolean gone, GError **error)
{
  return kt_db_run (plan->core->db, error,
                    "INSERT INTO kt_log (seq, object, id, gone) VALUES (?1, ?2, ?3, ?4)",
                    KT_BIND_INT, plan->seq, KT_BIND_INT, (gint64) object->number, KT_BIND_ID, id,
                    KT_BIND_INT, (gint64) gone, KT_BIND_END)
         >= 0;
}

static gboolean
write_record (KtPlan *plan, KtWork *work, GError **error)
{
  g_autoptr (KtPatch) patch = NULL;

  if (work->now == NULL)
    return kt_table_erase (plan->core->db, work->object, &work->id, error);
  work->now->rev = plan->seq;
  if (work->stored == NULL)
    return kt_table_save (plan->core->db, work->now, NULL, error);

  patch = kt_patch_new (work->object);
  for (guint i = 0; i < work->object->n_fields; i++)
    if (!kt_value_equal (&work->stored->values[i], &work->now->values[i]))
      kt_patch_set (patch, work->object->fields[i], &work->stored->values[i],
                    &work->now->values[i]);
  return kt_table_update (plan->core->db, patch, &work->id, plan->seq, error);
}

/* The sums that are kept follow in the same transaction. */
static void
note_sums (KtPlan *plan, const KtWork *work)
{
  KtDigest one;

  if (work->stored != NULL)
    {
      kt_digest_of (work->stored, &one);
      kt_sums_leave (plan->core->sums, work->object->number, &work->id, &one);
    }
  if (work->now != NULL)
    {
      kt_digest_of (work->now, &one);
      kt_sums_join (plan->core->sums, work->object->number, &work->id, &one);
    }
}

static const char *
word_for (const KtPlan *plan, const KtWork *work)
{
  if (work->op != NULL)
    return work->stored == NULL ? "create" : kind_words[work->op->kind];
  return kt_id_equal (&work->id, &plan->mutation->resolves) ? "settle" : "derive";
}

static gboolean
write_work (KtPlan *plan, KtWork *work, gint64 idx, GError **error)
{
  gboolean changed = _kt_work_changed (work);
  g_autofree char *changes = NULL;
  Entry entry = { 0 };

  if (changed
      && (!write_record (plan, work, error)
          || !_kt_plan_log (plan, work->object, &work->id, work->now == NULL, error)))
    return FALSE;
  if (changed)
    note_sums (plan, work);
  changes = describe_changes (work);
  entry = (Entry){ .object = work->object->name,
                   .id = &work->id,
                   .kind = word_for (plan, work),
                   .effect = changed,
                   .outcome = work->outcome,
                   .changes = changes };
  return write_entry (plan, idx, &entry, error);
}

static gboolean
write_sequences (KtPlan *plan, GError **error)
{
  GHashTableIter iter;
  gpointer name, last;

  g_hash_table_iter_init (&iter, plan->sequences);
  while (g_hash_table_iter_next (&iter, &name, &last))
    if (kt_db_run (plan->core->db, error,
                   "INSERT INTO kt_sequence (name, last) VALUES (?1, ?2)"
                   " ON CONFLICT (name) DO UPDATE SET last = excluded.last",
                   KT_BIND_TEXT, name, KT_BIND_INT, *(gint64 *) last, KT_BIND_END)
        < 0)
      return FALSE;
  return TRUE;
}

static gboolean write_unapplied (KtPlan *plan, KtOutcome outcome, gint64 *idx, GError **error);

/* To a question that a restored server does not know any more. */
static gboolean
write_lost_answer (KtPlan *plan, gint64 idx, GError **error)
{
  Entry entry = { "sync_conflict", &plan->mutation->resolves, "settle",
                  FALSE,           KT_OUTCOME_APPLIED,        "{}" };

  return write_entry (plan, idx, &entry, error);
}

gboolean
_kt_plan_write (KtPlan *plan, GError **error)
{
  gint64 idx = 0;

  if (plan->held && !write_unapplied (plan, KT_OUTCOME_REVIEW, &idx, error))
    return FALSE;
  for (guint i = 0; i < plan->works->len; i++)
    {
      KtWork *work = plan->works->pdata[i];

      /* A question that stays as it is was still spoken of: every verdict has an entry. */
      if (work->op == NULL && !_kt_work_changed (work)
          && !kt_id_equal (&work->id, &plan->mutation->resolves))
        continue;
      if (!(work->now != NULL || work->stored != NULL ? write_work (plan, work, idx, error)
                                                      : write_lost_answer (plan, idx, error)))
        return FALSE;
      idx++;
    }
  return _kt_plan_keep_audience (plan, error) && write_sequences (plan, error);
}

/* ---- not applied ---- */

static char *
describe_unapplied (const KtOp *op, KtOutcome outcome)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  for (guint i = 0; op->patch != NULL && i < kt_patch_length (op->patch); i++)
    {
      const KtChange *change = &g_array_index (op->patch->changes, KtChange, i);

      put_values (&writer, change->field, &change->before, &change->before, outcome,
                  &change->after, &change->before);
    }
  kt_json_end_object (&writer);
  return g_string_free (text, FALSE);
}

/* What was meant, whole (P2). */
static gboolean
write_unapplied (KtPlan *plan, KtOutcome outcome, gint64 *idx, GError **error)
{
  const KtMutation *mutation = plan->mutation;

  for (guint i = 0; i < mutation->ops->len; i++)
    {
      const KtOp *op = mutation->ops->pdata[i];
      g_autofree char *changes = describe_unapplied (op, outcome);
      Entry entry = { op->object->name, &op->id, kind_words[op->kind], FALSE, outcome, changes };

      if (!write_entry (plan, (*idx)++, &entry, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kt_plan_write_refused (KtPlan *plan, GError **error)
{
  gint64 idx = 0;

  if (!write_unapplied (plan, KT_OUTCOME_REFUSED, &idx, error))
    return FALSE;
  if (plan->mutation->ops->len == 0)
    {
      Entry entry = { "sync_conflict", &plan->mutation->resolves, "settle",
                      FALSE,           KT_OUTCOME_REFUSED,        "{}" };

      return write_entry (plan, 0, &entry, error);
    }
  return TRUE;
}
