/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whether the author of a mutation may do what it says, asked twice (docs/decisions/scope.md):
 *
 *   as it stands     every op, before anything is merged        may not: the roles never allowed it      refused
 *                                                               may not any more, or "escrow": true      review, whole
 *   as it becomes    who gets it: owner, teams, collaborators   may not: refused
 *
 * In review is: nothing of it is applied, a sync_conflict of kind `scope` holds it for the record's owner, or for an
 * administrator, and so does the ledger (P2). */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-plan.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"
#include "kt-scope.h"

static gboolean
is_chinese (const KtPlan *plan)
{
  return plan->actor->locale != NULL && g_str_has_prefix (plan->actor->locale, "zh");
}

static gboolean
forbid (char *reason, GError **error)
{
  g_set_error_literal (error, KT_ERROR, KT_ERROR_FORBIDDEN,
                       reason != NULL ? reason : "Not allowed");
  g_free (reason);
  return FALSE;
}

/* ---- as it stood when its author saw it ---- */

/* Tokens that the record had at @base_rev, by what it has and what it lost since. */
static KtAudience *
audience_at (KtPlan *plan, const KtRecord *record, gint64 base_rev, GError **error)
{
  g_autoptr (KtAudience) audience = kt_audience_new ();
  static const char *const sql[] = {
    "SELECT token FROM kt_audience WHERE object = ?1 AND rid = ?2 AND since <= ?3",
    "SELECT token FROM kt_lost WHERE seq > ?3 AND object = ?1 AND id = ?2 AND since <= ?3",
  };

  for (guint i = 0; i < G_N_ELEMENTS (sql); i++)
    {
      KT_STMT_SCOPE *stmt = kt_db_stmt (plan->core->db, sql[i], error);
      KtStep step;

      if (stmt == NULL)
        return NULL;
      kt_stmt_bind_int (stmt, 1, record->object->number);
      if (i == 0)
        kt_stmt_bind_int (stmt, 2, record->rid);
      else
        kt_stmt_bind_id (stmt, 2, &record->id);
      kt_stmt_bind_int (stmt, 3, base_rev);
      while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
        {
          gsize len;
          const void *bytes = kt_stmt_blob (stmt, 0, &len);
          KtToken token;

          if (len != KT_TOKEN_BYTES)
            continue;
          memcpy (token.b, bytes, len);
          kt_audience_add (audience, &token);
        }
      if (step == KT_STEP_ERROR)
        return NULL;
    }
  return g_steal_pointer (&audience);
}

/* Whether its author could have done it where the device stood: with rights that were handed to them, on the record as it was. */
static gboolean
could_once (KtPlan *plan,
            const KtOp *op,
            const KtRecord *record,
            gboolean *could,
            GError **error)
{
  g_autoptr (KtAudience) audience = NULL;
  g_autoptr (GPtrArray) all = NULL;
  KtMay action = op->kind == KT_MUTATE_UPDATE || op->kind == KT_MUTATE_CREATE ? KT_MAY_EDIT
                                                                               : KT_MAY_DELETE;
  KtId maker;

  *could = FALSE;
  if (op->base_rev <= 0)
    {
      /* It never came back: what somebody made themselves. */
      *could = _kt_value_get_id (kt_record_get (record, "created_by"), &maker)
               && kt_id_equal (&maker, &plan->actor->access.user);
      return TRUE;
    }
  audience = audience_at (plan, record, op->base_rev, error);
  all = audience != NULL
          ? _kt_scope_recall_all (plan->core, &plan->actor->access.user, error)
          : NULL;
  if (all == NULL)
    return FALSE;
  g_ptr_array_add (all, kt_rights_ref (plan->actor->access.rights));
  for (guint i = 0; i < all->len && !*could; i++)
    *could = kt_rights_reach (all->pdata[i], action, op->object, audience);
  return TRUE;
}

/* ---- as it stands ---- */

/* What a child hangs on must be there to be seen: what is added to it changes it. */
static gboolean
sees_parent (KtPlan *plan, const KtOp *op, const KtRecord *record, gboolean *sees, GError **error)
{
  const KtField *field =
    op->object->kind == KT_KIND_CHILD ? kt_audience_parent_field (op->object) : NULL;
  const KtChange *change =
    field != NULL && op->patch != NULL ? kt_patch_find (op->patch, field) : NULL;
  const KtValue *value = change != NULL                   ? &change->after
                         : field != NULL && record != NULL ? &record->values[field->index]
                                                           : NULL;
  const KtObject *object;
  int state;
  KtId id;

  *sees = TRUE;
  if (!_kt_value_get_id (value, &id))
    return TRUE;
  object = kt_schema_object (plan->core->schema, value->type == KT_VALUE_ANY ? value->v.ref.object
                                                                             : field->to[0]);
  if (object == NULL)
    return TRUE;
  state = _kt_plan_state (plan, object, &id, error);
  /* Not there yet: a part of the same mutation, or a reference that is refused by its own rule. */
  if (state <= 0)
    return state == 0;
  return _kt_scope_sees_id (plan->core, plan->actor, object, &id, sees, error);
}

static gboolean
stands_by_record (const KtPlan *plan, const KtRecord *record)
{
  return kt_rights_level (plan->actor->access.rights, record->object->name, KT_MAY_EDIT)
           == KT_LEVEL_ALL
         && kt_rights_level (plan->actor->access.rights, record->object->name, KT_MAY_DELETE)
              == KT_LEVEL_ALL;
}

/* One op. *held: it is to wait for somebody else. FALSE: refused, or an error. */
static gboolean
check_op (KtPlan *plan, const KtOp *op, GHashTable *made, gboolean *held, GError **error)
{
  const KtAccess *access = &plan->actor->access;
  g_autoptr (KtAudience) audience = NULL;
  KtWork *work = _kt_plan_work (plan, op->object, &op->id, error);
  const KtRecord *record;
  KtMay action = op->kind == KT_MUTATE_CREATE || op->kind == KT_MUTATE_UPDATE ? KT_MAY_EDIT
                                                                               : KT_MAY_DELETE;
  char *reason = NULL;
  gboolean sees, could;

  *held = FALSE;
  if (work == NULL)
    return FALSE;
  record = work->stored;
  if (record == NULL)
    {
      gboolean own = g_hash_table_contains (made, &op->id);
      KtOp as_new = *op;

      g_hash_table_add (made, (gpointer) &op->id);
      /* An edit of what is not here any more finds its own answer. */
      if (op->kind != KT_MUTATE_CREATE && !own)
        return kt_access_may_in (access, action, op->object, NULL, NULL, plan->actor->locale,
                                 &reason)
               || forbid (reason, error);
      as_new.kind = KT_MUTATE_CREATE;
      if (!kt_access_may_op (access, plan->mutation, &as_new, NULL, plan->actor->locale, &reason))
        return forbid (reason, error);
    }
  else if (access->admin)
    return kt_access_may_op (access, plan->mutation, op, record, plan->actor->locale, &reason)
           || forbid (reason, error);
  else
    {
      audience = stands_by_record (plan, record)
                   ? kt_audience_new ()
                   : _kt_scope_audience (plan->core, op->object, record->rid, error);
      if (audience == NULL)
        return FALSE;
      if (!kt_access_may_in (access, action, op->object, record, audience, plan->actor->locale,
                             &reason))
        {
          if (op->object->conflict == KT_CONFLICT_SERVER)
            return forbid (reason, error);
          if (!could_once (plan, op, record, &could, error))
            {
              g_free (reason);
              return FALSE;
            }
          if (!could)
            return forbid (reason, error);
          g_free (reason);
          *held = TRUE;
          return TRUE;
        }
      if (!kt_access_may_op_in (access, plan->mutation, op, record, audience, plan->actor->locale,
                                &reason))
        return forbid (reason, error);
    }
  if (access->admin)
    return TRUE;
  if (!sees_parent (plan, op, record, &sees, error))
    return FALSE;
  *held = !sees;
  return TRUE;
}

/* ---- review ---- */

static gboolean
find_admin (KtPlan *plan, KtId *id, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    plan->core->db,
    "SELECT id FROM \"o_user\" WHERE (\"f_type\" = 'admin'"
    " OR \"f_roles\" LIKE '%01900000-0000-7000-8000-000000000609%')"
    " AND \"f_deleted_at\" IS NULL AND COALESCE(\"f_is_active\", 1) <> 0 ORDER BY rid LIMIT 1",
    error);
  KtStep step;

  *id = KT_ID_NIL;
  if (stmt == NULL)
    return FALSE;
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ROW)
    kt_stmt_id (stmt, 0, id);
  return step != KT_STEP_ERROR;
}

static gboolean
is_there (KtPlan *plan, const KtId *id, gboolean *there, GError **error)
{
  gint64 found;

  if (!kt_db_get_int (plan->core->db, 0, &found, error,
                      "SELECT 1 FROM \"o_user\" WHERE id = ?1 AND \"f_deleted_at\" IS NULL"
                      " AND COALESCE(\"f_is_active\", 1) <> 0",
                      KT_BIND_ID, id, KT_BIND_END))
    return FALSE;
  *there = found != 0;
  return TRUE;
}

/* The owner; of a part of something the owner of that; else an administrator. Never the author. */
static gboolean
find_judge (KtPlan *plan, const KtRecord *record, KtId *judge, GError **error)
{
  g_autoptr (KtAudience) audience = NULL;
  const KtAudience *tokens;
  gboolean there = FALSE;

  if (record == NULL)
    return find_admin (plan, judge, error);
  if (_kt_value_get_id (kt_record_get (record, "owner"), judge)
      && !kt_id_equal (judge, &plan->actor->access.user))
    {
      if (!is_there (plan, judge, &there, error))
        return FALSE;
      if (there)
        return TRUE;
    }
  audience = _kt_scope_audience (plan->core, record->object, record->rid, error);
  if (audience == NULL)
    return FALSE;
  tokens = record->object->kind == KT_KIND_CHILD ? audience : NULL;
  for (guint i = 0; tokens != NULL && i < tokens->tokens->len; i++)
    {
      const KtToken *token = &g_array_index (tokens->tokens, KtToken, i);

      memcpy (judge->b, token->b + 3, sizeof judge->b);
      if (token->b[2] != KT_TOKEN_OWNER || kt_id_equal (judge, &plan->actor->access.user))
        continue;
      if (!is_there (plan, judge, &there, error))
        return FALSE;
      if (there)
        return TRUE;
    }
  return find_admin (plan, judge, error);
}

static gboolean
raise_scope (KtPlan *plan, const KtOp *op, GError **error)
{
  const KtObject *object = kt_schema_object (plan->core->schema, "sync_conflict");
  KtWork *about = _kt_plan_work (plan, op->object, &op->id, error);
  g_autofree char *text = NULL;
  g_autofree char *title = NULL;
  g_autofree char *message = NULL;
  char device[KT_ID_TEXT_SIZE] = "";
  gint64 number;
  KtWork *work;
  KtId judge;

  if (about == NULL || !find_judge (plan, about->stored, &judge, error))
    return FALSE;
  if (object == NULL || (number = _kt_plan_next (plan, "sync_conflict.number", error)) < 0
      || (work = _kt_plan_create (plan, object, "scope", error)) == NULL)
    {
      if (object == NULL)
        g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA, "The schema has no object “sync_conflict”");
      return FALSE;
    }
  text = kt_mutation_to_string (plan->mutation);
  title = about->stored != NULL ? kt_record_title (about->stored, plan->actor->locale)
                                : g_strdup (kt_object_label (op->object, plan->actor->locale));
  message = is_chinese (plan)
              ? g_strdup_printf ("%s更改了已无权更改的“%s”", plan->actor->access.name, title)
              : g_strdup_printf ("%s changed “%s”, which they may not change any more",
                                 plan->actor->access.name, title);
  if (!kt_id_is_nil (&plan->actor->device))
    kt_id_format (&plan->actor->device, device);
  _kt_set_int (work->now, "number", number);
  _kt_set_text (work->now, "state", "open");
  _kt_set_text (work->now, "kind", "scope");
  _kt_set_any (work->now, "record", op->object->name, &op->id);
  _kt_set_text (work->now, "object", op->object->name);
  _kt_set_json (work->now, "mutation", text);
  _kt_set_id (work->now, "mine_by", &plan->actor->access.user);
  _kt_set_text (work->now, "mine_device", device);
  _kt_set_text (work->now, "mine_at", plan->when);
  _kt_set_text (work->now, "batch", plan->mutation->batch);
  _kt_set_id (work->now, "assigned_to", &judge);
  _kt_set_text (work->now, "message", message);
  g_string_assign (plan->message,
                   is_chinese (plan)
                     ? "您已无权更改此记录；更改已交由负责人处理，不会丢失。"
                     : "You may not change this record any more; your change waits for whoever may decide "
                       "and is not lost.");
  plan->held = TRUE;
  plan->outcome = KT_OUTCOME_REVIEW;
  return TRUE;
}

gboolean
_kt_plan_check_access (KtPlan *plan, GError **error)
{
  const KtMutation *mutation = plan->mutation;
  g_autoptr (GHashTable) made = NULL;

  if (plan->actor->trusted || mutation->ops->len == 0)
    return TRUE;
  if (mutation->escrow)
    return raise_scope (plan, mutation->ops->pdata[0], error);
  if (!plan->actor->access.admin && plan->actor->access.rights == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INTERNAL, "an actor without rights");
      return FALSE;
    }
  made = g_hash_table_new (kt_id_hash, kt_id_equal);
  for (guint i = 0; i < mutation->ops->len; i++)
    {
      gboolean held;

      if (!check_op (plan, mutation->ops->pdata[i], made, &held, error))
        return FALSE;
      if (held)
        return raise_scope (plan, mutation->ops->pdata[i], error);
    }
  return TRUE;
}

/* ---- as it becomes ---- */

static gboolean
check_owner (KtPlan *plan, const KtWork *work, const KtField *field, GError **error)
{
  const KtObject *users = kt_schema_object (plan->core->schema, "user");
  g_autoptr (KtRecord) user = NULL;
  g_autoptr (GError) local = NULL;
  char *reason = NULL;
  KtId id;

  if (users == NULL || !_kt_value_get_id (&work->now->values[field->index], &id))
    return TRUE;
  user = kt_table_load (plan->core->db, users, &id, &local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return kt_access_may_assign (&plan->actor->access, user, plan->actor->locale, &reason)
         || forbid (reason, error);
}

/* What the list has now and had not. */
static GPtrArray *
added (const KtWork *work, const KtField *field)
{
  GPtrArray *ids = g_ptr_array_new_with_free_func (g_free);
  const KtValue *after = &work->now->values[field->index];
  const KtValue *before = work->stored != NULL ? &work->stored->values[field->index] : NULL;
  g_autoptr (KtJson) list =
    after->type == KT_VALUE_LIST ? kt_json_parse (after->v.text, -1, NULL) : NULL;

  for (guint i = 0; i < kt_json_length (list); i++)
    {
      const char *id = kt_json_string (kt_json_at (list, i), "");

      if (before == NULL || before->type != KT_VALUE_LIST || strstr (before->v.text, id) == NULL)
        g_ptr_array_add (ids, g_strdup (id));
    }
  return ids;
}

static gboolean
check_teams (KtPlan *plan, const KtWork *work, const KtField *field, GError **error)
{
  g_autoptr (GPtrArray) ids = added (work, field);

  for (guint i = 0; i < ids->len; i++)
    {
      char *reason = NULL;
      KtId id;

      if (kt_id_parse (ids->pdata[i], -1, &id)
          && !kt_access_may_assign_team (&plan->actor->access, &id, plan->actor->locale, &reason))
        return forbid (reason, error);
    }
  return TRUE;
}

static gboolean
check_sharing (KtPlan *plan, const KtWork *work, const KtField *field, GError **error)
{
  g_autoptr (GPtrArray) ids = added (work, field);
  g_autoptr (KtAudience) audience = NULL;
  char *reason = NULL;

  if (ids->len == 0)
    return TRUE;
  if (work->stored != NULL
      && (audience = _kt_scope_audience (plan->core, work->object, work->stored->rid, error))
           == NULL)
    return FALSE;
  return kt_access_may_in (&plan->actor->access, KT_MAY_SHARE, work->object, work->stored, audience,
                           plan->actor->locale, &reason)
         || forbid (reason, error);
}

gboolean
_kt_plan_check_giving (KtPlan *plan, const KtWork *work, GError **error)
{
  static const struct
  {
    const char *name;
    gboolean (*check) (KtPlan *plan, const KtWork *work, const KtField *field, GError **error);
  } checks[] = {
    { "owner", check_owner },
    { "teams", check_teams },
    { "collaborators", check_sharing },
  };

  if (plan->actor->trusted || plan->actor->access.admin
      || work->object->conflict == KT_CONFLICT_SERVER)
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (checks); i++)
    {
      const KtField *field = kt_object_field (work->object, checks[i].name);

      if (field != NULL && _kt_work_wrote (work, field) && _kt_work_field_changed (work, field)
          && !checks[i].check (plan, work, field, error))
        return FALSE;
    }
  return TRUE;
}

/* ---- out of sight ---- */

void
_kt_plan_moved_out (KtPlan *plan, const KtWork *work)
{
  const KtRecord *record = work->now != NULL ? work->now : work->stored;
  g_autofree char *title = kt_record_title (record, plan->actor->locale);

  if (plan->message->len > 0)
    g_string_append_c (plan->message, ' ');
  if (is_chinese (plan))
    g_string_append_printf (plan->message, "“%s”已不在您的权限范围内，将从本设备移除。", title);
  else
    g_string_append_printf (plan->message,
                            "“%s” is no longer yours to see with this change and leaves your devices.",
                            title);
}
