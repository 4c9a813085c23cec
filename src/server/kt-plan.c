/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One mutation against the database, under the writer lock: see kt-plan.h. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-plan.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"


/* ---- works ---- */

static void
work_free (gpointer data)
{
  KtWork *work = data;

  g_clear_pointer (&work->stored, kt_record_unref);
  g_clear_pointer (&work->now, kt_record_unref);
  g_clear_pointer (&work->results, g_ptr_array_unref);
  g_free (work);
}

KtPlan *
_kt_plan_new (KtCore *core, const KtActor *actor, const KtMutation *mutation, gint64 seq)
{
  KtPlan *plan = g_new0 (KtPlan, 1);
  gint64 now = core->env->now_us (core->env->data);
  char oldest[KT_TIME_SIZE];

  plan->core = core;
  plan->actor = actor;
  plan->mutation = mutation;
  plan->seq = seq;
  plan->works = g_ptr_array_new_with_free_func (work_free);
  plan->by_id = g_hash_table_new (kt_id_hash, kt_id_equal);
  plan->sequences = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  plan->message = g_string_new (NULL);
  g_queue_init (&plan->queue);
  _kt_time_format (now, plan->at);
  _kt_time_format (now - KT_BELIEVED_US, oldest);
  /* Shown, never used to decide anything (P9). */
  g_strlcpy (plan->when, plan->at, sizeof plan->when);
  if (mutation != NULL && mutation->at != NULL && strlen (mutation->at) == KT_TIME_SIZE - 1
      && (actor->trusted
          || (strcmp (mutation->at, plan->at) < 0 && strcmp (mutation->at, oldest) > 0)))
    g_strlcpy (plan->when, mutation->at, sizeof plan->when);
  if (actor->trusted)
    g_strlcpy (plan->at, plan->when, sizeof plan->at);
  return plan;
}

void
_kt_plan_free (KtPlan *plan)
{
  if (plan == NULL)
    return;
  g_queue_clear (&plan->queue);
  g_hash_table_unref (plan->by_id);
  g_ptr_array_unref (plan->works);
  g_hash_table_unref (plan->sequences);
  g_string_free (plan->message, TRUE);
  g_free (plan);
}

static KtWork *
add_work (KtPlan *plan, const KtObject *object, const KtId *id)
{
  KtWork *work = g_new0 (KtWork, 1);

  work->object = object;
  work->id = *id;
  g_ptr_array_add (plan->works, work);
  g_hash_table_insert (plan->by_id, &work->id, work);
  return work;
}

KtWork *
_kt_plan_work (KtPlan *plan, const KtObject *object, const KtId *id, GError **error)
{
  KtWork *work = g_hash_table_lookup (plan->by_id, id);
  g_autoptr (GError) local = NULL;
  KtRecord *stored;

  if (work != NULL && work->object == object)
    return work;
  if (work != NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "One id names two records of different objects");
      return NULL;
    }
  stored = kt_table_load (plan->core->db, object, id, &local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  work = add_work (plan, object, id);
  work->stored = stored;
  work->now = stored != NULL ? kt_record_copy (stored) : NULL;
  return work;
}

gboolean
_kt_work_field_changed (const KtWork *work, const KtField *field)
{
  static const KtValue null_value = { 0 };
  const KtValue *before = work->stored != NULL ? &work->stored->values[field->index] : &null_value;
  const KtValue *after = work->now != NULL ? &work->now->values[field->index] : &null_value;

  return !kt_value_equal (before, after);
}

gboolean
_kt_work_changed (const KtWork *work)
{
  if ((work->stored == NULL) != (work->now == NULL))
    return TRUE;
  for (guint i = 0; work->now != NULL && i < work->object->n_fields; i++)
    if (!kt_value_equal (&work->stored->values[i], &work->now->values[i]))
      return TRUE;
  return FALSE;
}

gboolean
_kt_work_wrote (const KtWork *work, const KtField *field)
{
  return work->op != NULL && work->op->patch != NULL
         && kt_patch_find (work->op->patch, field) != NULL;
}

void
_kt_plan_queue (KtPlan *plan, KtWork *work)
{
  if (work->queued)
    return;
  work->queued = TRUE;
  g_queue_push_tail (&plan->queue, work);
}

/* ---- setters ---- */

void
_kt_set (KtRecord *record, const KtField *field, const KtValue *value)
{
  if (field == NULL)
    return;
  kt_value_clear (&record->values[field->index]);
  kt_value_copy (value, &record->values[field->index]);
}

static KtValue *
slot (KtRecord *record, const char *name)
{
  const KtField *field = kt_object_field (record->object, name);

  if (field == NULL)
    return NULL;
  kt_value_clear (&record->values[field->index]);
  return &record->values[field->index];
}

void
_kt_set_text (KtRecord *record, const char *field, const char *text)
{
  KtValue *value = slot (record, field);

  if (value != NULL)
    kt_value_set_text (value, text);
}

void
_kt_set_int (KtRecord *record, const char *field, gint64 number)
{
  KtValue *value = slot (record, field);

  if (value != NULL)
    kt_value_set_int (value, number);
}

void
_kt_set_id (KtRecord *record, const char *field, const KtId *id)
{
  KtValue *value = slot (record, field);

  if (value != NULL && id != NULL && !kt_id_is_nil (id))
    kt_value_set_id (value, id);
}

void
_kt_set_any (KtRecord *record, const char *field, const char *object, const KtId *id)
{
  KtValue *value = slot (record, field);

  if (value != NULL)
    kt_value_set_any (value, object, id);
}

void
_kt_set_json (KtRecord *record, const char *name, const char *text)
{
  const KtField *field = kt_object_field (record->object, name);
  g_autoptr (KtJson) json = text != NULL ? kt_json_parse (text, -1, NULL) : NULL;

  if (field == NULL)
    return;
  kt_value_clear (&record->values[field->index]);
  if (json != NULL)
    kt_value_from_json (field, json, &record->values[field->index], NULL);
}

/* ---- what the database says ---- */

int
_kt_plan_state (KtPlan *plan, const KtObject *object, const KtId *id, GError **error)
{
  const KtWork *work = g_hash_table_lookup (plan->by_id, id);
  g_autofree char *sql = NULL;
  gint64 state;

  if (work != NULL && work->object == object)
    return work->now == NULL ? 0 : kt_record_deleted (work->now) ? 2 : 1;
  sql = g_strdup_printf (
    "SELECT CASE WHEN \"f_deleted_at\" IS NULL THEN 1 ELSE 2 END FROM \"o_%s\" WHERE id = ?1",
    object->name);
  if (!kt_db_get_int (plan->core->db, 0, &state, error, sql, KT_BIND_ID, id, KT_BIND_END))
    return -1;
  return (int) state;
}

gint64
_kt_plan_next (KtPlan *plan, const char *sequence, GError **error)
{
  gint64 *last = g_hash_table_lookup (plan->sequences, sequence);

  if (last == NULL)
    {
      gint64 stored;

      if (!kt_db_get_int (plan->core->db, 0, &stored, error,
                          "SELECT last FROM kt_sequence WHERE name = ?1", KT_BIND_TEXT, sequence,
                          KT_BIND_END))
        return -1;
      last = g_new (gint64, 1);
      *last = stored;
      g_hash_table_insert (plan->sequences, g_strdup (sequence), last);
    }
  return ++*last;
}

/* Whether somebody on another device changed the record after @base_rev; what the server computed does not count (46). */
static gboolean
changed_elsewhere (KtPlan *plan, const KtId *id, gint64 base_rev, gboolean *foreign, GError **error)
{
  gint64 found;

  if (!kt_db_get_int (
        plan->core->db, 0, &found, error,
        "SELECT 1 FROM kt_ledger WHERE id = ?1 AND seq > ?2 AND effect = 1 AND kind <> 'derive'"
        " AND (device IS NULL OR device <> ?3) LIMIT 1",
        KT_BIND_ID, id, KT_BIND_INT, base_rev, KT_BIND_ID, &plan->actor->device, KT_BIND_END))
    return FALSE;
  *foreign = found != 0;
  return TRUE;
}

/* ---- new records ---- */

/* "Q-{000000}" and 42 give "Q-000042"; {YYYY}, {YY}, {MM} from the server's date. */
static char *
format_number (const char *format, gint64 number, const char *at)
{
  g_autoptr (GString) out = g_string_new (NULL);
  gboolean placed = FALSE;

  for (const char *p = format != NULL ? format : ""; *p != '\0'; p++)
    {
      const char *end = *p == '{' ? strchr (p, '}') : NULL;
      gsize len = end != NULL ? (gsize) (end - p - 1) : 0;

      if (end == NULL)
        {
          g_string_append_c (out, *p);
          continue;
        }
      if (len > 0 && strspn (p + 1, "0") == len)
        {
          g_string_append_printf (out, "%0*" G_GINT64_FORMAT, (int) MIN (len, 18), number);
          placed = TRUE;
        }
      else if (len == 4 && strncmp (p + 1, "YYYY", 4) == 0)
        g_string_append_len (out, at, 4);
      else if (len == 2 && strncmp (p + 1, "YY", 2) == 0)
        g_string_append_len (out, at + 2, 2);
      else if (len == 2 && strncmp (p + 1, "MM", 2) == 0)
        g_string_append_len (out, at + 5, 2);
      p = end;
    }
  if (!placed)
    g_string_append_printf (out, "%" G_GINT64_FORMAT, number);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static gboolean
give_numbers (KtPlan *plan, KtWork *work, GError **error)
{
  for (guint i = 0; i < work->object->n_fields; i++)
    {
      const KtField *field = work->object->fields[i];
      g_autofree char *sequence = NULL;
      g_autofree char *text = NULL;
      gint64 number;

      if (field->type != KT_FIELD_AUTO_NUMBER)
        continue;
      if (plan->actor->trusted && !kt_value_is_null (&work->now->values[i]))
        continue;
      sequence = g_strdup_printf ("%s.%s", work->object->name, field->name);
      number = _kt_plan_next (plan, sequence, error);
      if (number < 0)
        return FALSE;
      text = format_number (field->format, number, plan->at);
      _kt_set_text (work->now, field->name, text);
    }
  return TRUE;
}

static void
set_if_null (KtRecord *record, const char *name, const KtValue *value)
{
  const KtField *field = kt_object_field (record->object, name);

  if (field != NULL && kt_value_is_null (&record->values[field->index]))
    _kt_set (record, field, value);
}

/* Owner: who made it. Teams: the owner's default team, at creation only (roles.md, 3). */
static gboolean
give_owner (KtPlan *plan, KtWork *work, GError **error)
{
  const KtField *owner = kt_object_field (work->object, "owner");
  const KtField *teams = kt_object_field (work->object, "teams");
  const KtObject *users = kt_schema_object (plan->core->schema, "user");
  g_auto (KtValue) me = KT_VALUE_INIT;
  g_autoptr (KtRecord) user = NULL;
  g_autoptr (GError) local = NULL;
  KtId id;

  if (owner == NULL || owner->type != KT_FIELD_REF || owner->to == NULL
      || g_strcmp0 (owner->to[0], "user") != 0)
    return TRUE;
  if (!kt_id_is_nil (&plan->actor->access.user))
    kt_value_set_id (&me, &plan->actor->access.user);
  set_if_null (work->now, "owner", &me);

  if (teams == NULL || teams->type != KT_FIELD_MANY || users == NULL
      || !kt_value_is_null (&work->now->values[teams->index])
      || !_kt_value_get_id (&work->now->values[owner->index], &id))
    return TRUE;
  user = kt_table_load (plan->core->db, users, &id, &local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (user != NULL && _kt_value_get_id (kt_record_get (user, "default_team"), &id))
    {
      char text[KT_ID_TEXT_SIZE];
      g_autofree char *json = NULL;

      kt_id_format (&id, text);
      json = g_strdup_printf ("[\"%s\"]", text);
      _kt_set_json (work->now, "teams", json);
    }
  return TRUE;
}

/* What every new record gets, whoever made it. */
static gboolean
prepare_new (KtPlan *plan, KtWork *work, GError **error)
{
  g_auto (KtValue) when = KT_VALUE_INIT;
  g_auto (KtValue) me = KT_VALUE_INIT;
  g_auto (KtValue) origin = KT_VALUE_INIT;
  const KtField *field = kt_object_field (work->object, "origin");
  const char *word = work->op == NULL ? "rule" : plan->mutation->origin;

  if (work->prepared)
    return TRUE;
  work->prepared = TRUE;
  kt_record_apply_defaults (work->now);
  kt_value_set_text (&when, plan->when);
  if (!kt_id_is_nil (&plan->actor->access.user))
    kt_value_set_id (&me, &plan->actor->access.user);
  set_if_null (work->now, "created_at", &when);
  set_if_null (work->now, "created_by", &me);
  set_if_null (work->now, "modified_at", &when);
  set_if_null (work->now, "modified_by", &me);
  if (field != NULL && word != NULL && kt_field_option (field, word) != NULL)
    {
      kt_value_set_text (&origin, word);
      set_if_null (work->now, "origin", &origin);
    }
  return give_numbers (plan, work, error) && (work->op == NULL || give_owner (plan, work, error));
}

KtWork *
_kt_plan_create (KtPlan *plan, const KtObject *object, const char *what, GError **error)
{
  g_autofree char *name = g_strconcat (object->name, " ", what, NULL);
  KtId id = kt_id_derive (&plan->mutation->id, name);
  KtWork *work;

  /* Two ways to the same thing; each gets its own. */
  while (g_hash_table_contains (plan->by_id, &id))
    id = kt_id_derive (&id, name);
  work = add_work (plan, object, &id);
  work->now = kt_record_new (object, &id);
  return prepare_new (plan, work, error) ? work : NULL;
}

/* ---- ops ---- */

static void
note_outcome (KtPlan *plan, KtWork *work, KtOutcome outcome)
{
  work->outcome = MAX (work->outcome, outcome);
  plan->outcome = MAX (plan->outcome, outcome);
}

static gboolean
merge_one (KtPlan *plan, const KtOp *op, GError **error)
{
  KtWork *work = _kt_plan_work (plan, op->object, &op->id, error);
  g_auto (KtMerge) merge = { 0 };
  gboolean foreign = FALSE;

  if (work == NULL)
    return FALSE;
  /* A record that nobody has yet cannot have been changed by others; one that is not here any more can. */
  if ((work->stored != NULL || op->kind != KT_MUTATE_CREATE)
      && !changed_elsewhere (plan, &op->id, op->base_rev, &foreign, error))
    return FALSE;
  if (!kt_merge_op (op, work->now, foreign, plan->at, &merge, error))
    return FALSE;

  work->op = op;
  work->foreign |= foreign;
  note_outcome (plan, work, merge.outcome);
  if (merge.after != NULL)
    {
      g_clear_pointer (&work->now, kt_record_unref);
      work->now = g_steal_pointer (&merge.after);
    }
  if (merge.fields != NULL)
    {
      if (work->results == NULL)
        work->results = g_ptr_array_new_with_free_func ((GDestroyNotify) g_array_unref);
      g_ptr_array_add (work->results, g_steal_pointer (&merge.fields));
    }
  if (merge.clash != KT_CLASH_NONE)
    _kt_plan_clash (plan, work, merge.clash);
  return TRUE;
}

/* ---- references ---- */

static gboolean
check_target (KtPlan *plan,
              const KtField *field,
              const char *object_name,
              const KtId *id,
              GError **error)
{
  const KtObject *target =
    object_name != NULL ? kt_schema_object (plan->core->schema, object_name) : NULL;
  char text[KT_ID_TEXT_SIZE];
  int state;

  if (target == NULL)
    return TRUE;
  state = _kt_plan_state (plan, target, id, error);
  if (state != 0)
    return state > 0;
  kt_id_format (id, text);
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s: there is no %s %s",
               kt_field_label (field, plan->actor->locale),
               kt_object_label (target, plan->actor->locale), text);
  return FALSE;
}

static gboolean
check_references (KtPlan *plan, const KtWork *work, GError **error)
{
  for (guint i = 0; i < work->object->n_fields; i++)
    {
      const KtField *field = work->object->fields[i];
      const KtValue *value = &work->now->values[i];

      if (field->to == NULL || kt_value_is_null (value) || !_kt_work_field_changed (work, field))
        continue;
      if (value->type == KT_VALUE_LIST)
        {
          g_autoptr (KtJson) list = kt_json_parse (value->v.text, -1, NULL);

          for (guint k = 0; k < kt_json_length (list); k++)
            {
              KtId id;

              if (kt_id_parse (kt_json_string (kt_json_at (list, k), ""), -1, &id)
                  && !check_target (plan, field, field->to[0], &id, error))
                return FALSE;
            }
        }
      else if ((value->type == KT_VALUE_ID || value->type == KT_VALUE_ANY)
               && !check_target (plan, field,
                                 value->type == KT_VALUE_ANY ? value->v.ref.object : field->to[0],
                                 &value->v.ref.id, error))
        return FALSE;
    }
  return TRUE;
}

/* ---- the whole ---- */

/* The same check as the device made, which cannot have asked for what its user may not see (57). */
static gboolean
check_rules (KtPlan *plan, const KtWork *work, GError **error)
{
  g_autoptr (GPtrArray) problems =
    kt_rules_check (work->stored, work->now, plan->actor->locale);

  for (guint i = 0; problems != NULL && i < problems->len; i++)
    {
      const KtProblem *problem = problems->pdata[i];

      if (problem->field == NULL || kt_access_field_edit (&plan->actor->access, problem->field))
        return kt_rules_check_error (work->stored, work->now, plan->actor->locale, error);
    }
  return TRUE;
}

static gboolean
check_works (KtPlan *plan, GError **error)
{
  for (guint i = 0; i < plan->works->len; i++)
    {
      const KtWork *work = plan->works->pdata[i];

      if (work->op == NULL || work->now == NULL || work->op->kind == KT_MUTATE_DELETE
          || !_kt_work_changed (work))
        continue;
      if (!check_references (plan, work, error) || !_kt_plan_check_ring (plan, work, error)
          || !_kt_plan_check_giving (plan, work, error))
        return FALSE;
      if (!plan->actor->trusted && !check_rules (plan, work, error))
        return FALSE;
      if (strcmp (work->object->name, "role") == 0 && !kt_role_check (work->now, error))
        return FALSE;
    }
  return TRUE;
}

/* modified_at never goes back, whatever the device's clock says. */
static void
touch_works (KtPlan *plan)
{
  for (guint i = 0; i < plan->works->len; i++)
    {
      KtWork *work = plan->works->pdata[i];
      const char *before;

      if (work->op == NULL || work->stored == NULL || work->now == NULL || !_kt_work_changed (work))
        continue;
      before = kt_record_text (work->stored, "modified_at");
      if (before == NULL || strcmp (before, plan->when) < 0)
        _kt_set_text (work->now, "modified_at", plan->when);
      _kt_set_id (work->now, "modified_by", &plan->actor->access.user);
    }
}

gboolean
_kt_plan_make (KtPlan *plan, GError **error)
{
  guint n;

  if (!_kt_plan_check_access (plan, error))
    return FALSE;
  if (plan->held)
    return TRUE;
  if (!_kt_plan_settle (plan, error))
    return FALSE;
  for (guint i = 0; i < plan->mutation->ops->len; i++)
    if (!merge_one (plan, plan->mutation->ops->pdata[i], error))
      return FALSE;

  n = plan->works->len;
  for (guint i = 0; i < n; i++)
    {
      KtWork *work = plan->works->pdata[i];

      if (work->now == NULL)
        continue;
      if (work->stored == NULL && !prepare_new (plan, work, error))
        return FALSE;
      _kt_plan_queue (plan, work);
    }
  if (!_kt_plan_derive (plan, error) || !check_works (plan, error))
    return FALSE;
  touch_works (plan);
  return _kt_plan_review (plan, error);
}
