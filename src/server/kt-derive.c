/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What follows from a change, in the same commit: copies from referenced records, formulas, totals over
 * lines, the trail of stages. Records are worked off a queue until nothing more follows:
 *
 *   line_item changed → its total (formula) → queue: the quote it belongs to → subtotal, tax, total → formulas
 *   pipeline_stage.type changed → queue: every opportunity in that stage → status
 *
 * What the pack does not have is passed over: a schema without opportunities is a schema without stage history. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-plan.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "db/kt-table.h"

#define MAX_DERIVED 20000

__extension__ typedef __int128 Wide;

typedef gboolean (*Hook) (KtPlan *plan, KtWork *work, GError **error);

/* ---- helpers ---- */

static const KtField *
field_of (const KtWork *work, const char *name)
{
  return kt_object_field (work->object, name);
}

static gboolean
changed (const KtWork *work, const char *name)
{
  const KtField *field = field_of (work, name);

  return field != NULL && _kt_work_field_changed (work, field);
}

static gboolean
wrote (const KtWork *work, const char *name)
{
  const KtField *field = field_of (work, name);

  return field != NULL && _kt_work_wrote (work, field);
}

/* A computed field that an in-process caller gave on purpose is left alone. */
static gboolean
given (KtPlan *plan, const KtWork *work, const char *name)
{
  return plan->actor->trusted && wrote (work, name);
}

static gboolean
has_value (const KtRecord *record, const char *name)
{
  const KtValue *value = record != NULL ? kt_record_get (record, name) : NULL;

  return value != NULL && !kt_value_is_null (value);
}

/* The referenced record as it will be; NULL with no error: none. Borrowed from the plan. */
static const KtRecord *
follow (KtPlan *plan, const KtObject *object, const KtValue *value, GError **error)
{
  KtWork *work;
  KtId id;

  if (object == NULL || !_kt_value_get_id (value, &id))
    return NULL;
  work = _kt_plan_work (plan, object, &id, error);
  return work != NULL ? work->now : NULL;
}

/* ---- copies ---- */

static gboolean
copy_in (KtPlan *plan, KtWork *work, GError **error)
{
  for (guint i = 0; i < plan->core->copies->len; i++)
    {
      const KtCopy *copy = &g_array_index (plan->core->copies, KtCopy, i);
      static const KtValue null_value = { 0 };
      const KtRecord *source;
      const KtValue *value = &null_value;
      g_autoptr (GError) local = NULL;

      if (copy->field->object != work->object)
        continue;
      source = follow (plan, copy->source->object, &work->now->values[copy->via->index], &local);
      if (local != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      if (source != NULL)
        value = &source->values[copy->source->index];
      /* A value that the copying field does not know stays out of it: a stage "resolved" is no status of a deal. */
      if (copy->field->n_options > 0 && !copy->field->open && value->type == KT_VALUE_TEXT
          && kt_field_option (copy->field, value->v.text) == NULL)
        value = &null_value;
      _kt_set (work->now, copy->field, value);
    }
  return TRUE;
}

static gboolean
queue_copies_of (KtPlan *plan, const KtCopy *copy, const KtId *id, GError **error)
{
  g_autofree char *sql = g_strdup_printf ("SELECT id FROM \"o_%s\" WHERE \"f_%s\" = ?1",
                                          copy->field->object->name, copy->via->name);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (KtId));
  KT_STMT_SCOPE *stmt = kt_db_stmt (plan->core->db, sql, error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, id);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      KtId found;

      if (kt_stmt_id (stmt, 0, &found))
        g_array_append_val (ids, found);
    }
  kt_stmt_reset (g_steal_pointer (&stmt));
  if (step == KT_STEP_ERROR)
    return FALSE;
  for (guint i = 0; i < ids->len; i++)
    {
      KtWork *work =
        _kt_plan_work (plan, copy->field->object, &g_array_index (ids, KtId, i), error);

      if (work == NULL)
        return FALSE;
      _kt_plan_queue (plan, work);
    }
  return TRUE;
}

static gboolean
copy_out (KtPlan *plan, const KtWork *work, GError **error)
{
  if (work->stored == NULL)
    return TRUE;
  for (guint i = 0; i < plan->core->copies->len; i++)
    {
      const KtCopy *copy = &g_array_index (plan->core->copies, KtCopy, i);

      if (copy->source->object == work->object && _kt_work_field_changed (work, copy->source)
          && !queue_copies_of (plan, copy, &work->id, error))
        return FALSE;
    }
  return TRUE;
}

/* ---- opportunity ---- */

static gint64
seconds_between (const char *from, const char *to)
{
  g_autoptr (GDateTime) a = from != NULL ? g_date_time_new_from_iso8601 (from, NULL) : NULL;
  g_autoptr (GDateTime) b = to != NULL ? g_date_time_new_from_iso8601 (to, NULL) : NULL;

  return a != NULL && b != NULL ? MAX (0, g_date_time_difference (b, a) / G_TIME_SPAN_SECOND) : 0;
}

static gboolean
write_stage_history (KtPlan *plan, KtWork *work, GError **error)
{
  const KtObject *object = kt_schema_object (plan->core->schema, "stage_history");
  const KtRecord *before = work->stored, *after = work->now;
  char text[KT_ID_TEXT_SIZE];
  KtWork *entry;
  KtId id;

  if (object == NULL || work->history)
    return TRUE;
  work->history = TRUE;
  kt_id_format (&work->id, text);
  entry = _kt_plan_create (plan, object, text, error);
  if (entry == NULL)
    return FALSE;
  _kt_set_any (entry->now, "record", work->object->name, &work->id);
  if (_kt_value_get_id (kt_record_get (before, "stage"), &id))
    _kt_set_id (entry->now, "from_stage", &id);
  if (_kt_value_get_id (kt_record_get (after, "stage"), &id))
    _kt_set_id (entry->now, "to_stage", &id);
  _kt_set_text (entry->now, "at", plan->when);
  _kt_set_id (entry->now, "by", &plan->actor->access.user);
  _kt_set_int (entry->now, "seconds",
               seconds_between (kt_record_text (before, "stage_entered_at"), plan->when));
  if (has_value (after, "amount"))
    _kt_set (entry->now, kt_object_field (object, "amount"), kt_record_get (after, "amount"));
  if (has_value (after, "close_date"))
    _kt_set (entry->now, kt_object_field (object, "close_date"),
             kt_record_get (after, "close_date"));
  return TRUE;
}

/* What the new stage says, where the person did not say otherwise. */
static void
take_from_stage (KtPlan *plan, KtWork *work, const KtRecord *stage)
{
  static const char *const names[] = { "probability", "forecast_category", "pipeline" };

  for (guint i = 0; stage != NULL && i < G_N_ELEMENTS (names); i++)
    if (!wrote (work, names[i]) && has_value (stage, names[i]) && field_of (work, names[i]) != NULL
        && field_of (work, names[i])->storage == kt_object_field (stage->object, names[i])->storage)
      _kt_set (work->now, field_of (work, names[i]), kt_record_get (stage, names[i]));
}

static void
close_opportunity (KtPlan *plan, KtWork *work, const char *type)
{
  const char *day = kt_record_text (work->now, "close_date");
  gboolean closed = g_strcmp0 (type, "won") == 0 || g_strcmp0 (type, "lost") == 0;

  if (given (plan, work, "closed_at"))
    return;
  if (!closed)
    _kt_set_text (work->now, "closed_at", NULL);
  else if (work->stored == NULL && day != NULL && strncmp (day, plan->when, 10) < 0)
    {
      /* A deal that arrives already closed was closed on its day, not today. */
      g_autofree char *at = g_strconcat (day, "T00:00:00.000Z", NULL);

      _kt_set_text (work->now, "closed_at", at);
    }
  else
    _kt_set_text (work->now, "closed_at", plan->when);
}

static gboolean
hook_opportunity (KtPlan *plan, KtWork *work, GError **error)
{
  g_autoptr (GError) local = NULL;
  const KtRecord *stage;

  if (work->stored != NULL && changed (work, "close_date")
      && has_value (work->stored, "close_date"))
    {
      const char *before = kt_record_text (work->stored, "close_date");
      const char *after = kt_record_text (work->now, "close_date");
      const KtValue *moves = kt_record_get (work->stored, "close_date_moves");

      if (after != NULL && strcmp (after, before) > 0)
        _kt_set_int (work->now, "close_date_moves",
                     (moves != NULL && moves->type == KT_VALUE_INT ? moves->v.integer : 0) + 1);
    }
  if (!changed (work, "stage"))
    return TRUE;
  stage = follow (plan, kt_schema_object (plan->core->schema, "pipeline_stage"),
                  kt_record_get (work->now, "stage"), &local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  take_from_stage (plan, work, stage);
  if (!given (plan, work, "stage_entered_at"))
    _kt_set_text (work->now, "stage_entered_at", plan->when);
  if (stage != NULL)
    close_opportunity (plan, work, kt_record_text (stage, "type"));
  return work->stored == NULL || write_stage_history (plan, work, error);
}

/* ---- case, task, file, quote ---- */

static gboolean
is_one_of (const char *word, const char *a, const char *b)
{
  return g_strcmp0 (word, a) == 0 || g_strcmp0 (word, b) == 0;
}

static gboolean
hook_case (KtPlan *plan, KtWork *work, GError **error)
{
  const char *before = work->stored != NULL ? kt_record_text (work->stored, "status_type") : NULL;
  const char *after = kt_record_text (work->now, "status_type");
  gboolean was_over = is_one_of (before, "resolved", "closed"),
           is_over = is_one_of (after, "resolved", "closed");

  if (!changed (work, "status_type"))
    return TRUE;
  if (!given (plan, work, "resolved_at")
      && (is_over != was_over || !has_value (work->now, "resolved_at")))
    _kt_set_text (work->now, "resolved_at", is_over ? plan->when : NULL);
  if (!given (plan, work, "closed_at"))
    _kt_set_text (work->now, "closed_at", g_strcmp0 (after, "closed") == 0 ? plan->when : NULL);
  if (!given (plan, work, "waiting_since"))
    _kt_set_text (work->now, "waiting_since",
                  is_one_of (after, "waiting_customer", "waiting_internal") ? plan->when : NULL);
  if (was_over && !is_over)
    {
      const KtValue *count = kt_record_get (work->stored, "reopen_count");

      _kt_set_int (work->now, "reopen_count",
                   (count != NULL && count->type == KT_VALUE_INT ? count->v.integer : 0) + 1);
    }
  return TRUE;
}

static gboolean
hook_task (KtPlan *plan, KtWork *work, GError **error)
{
  if (changed (work, "status") && !given (plan, work, "done_at"))
    _kt_set_text (work->now, "done_at",
                  g_strcmp0 (kt_record_text (work->now, "status"), "done") == 0 ? plan->when
                                                                                : NULL);
  return TRUE;
}

static gboolean
hook_file (KtPlan *plan, KtWork *work, GError **error)
{
  const char *sha256 = kt_record_text (work->now, "sha256");

  if (sha256 != NULL)
    _kt_set_text (work->now, "state",
                  _kt_core_blob_have (plan->core, sha256, NULL) ? "stored" : "uploading");
  return TRUE;
}

/* ---- totals over lines ---- */

typedef struct
{
  char currency[4];
  gint64 net, gross;
  guint lines;
  gboolean mixed; /* more than one currency, or too large: no total is better than a wrong one */
} Sums;

static void
add_money (Sums *sums, const KtValue *value, gint64 *sum)
{
  if (value == NULL || value->type != KT_VALUE_MONEY)
    return;
  if (sums->currency[0] == '\0')
    memcpy (sums->currency, value->currency, sizeof sums->currency);
  else if (strcmp (sums->currency, value->currency) != 0)
    sums->mixed = TRUE;
  if (__builtin_add_overflow (*sum, value->v.integer, sum) || *sum > KT_DECIMAL_MAX
      || *sum < -KT_DECIMAL_MAX)
    sums->mixed = TRUE;
}

static void
add_line (Sums *sums, const KtRecord *line)
{
  sums->lines++;
  add_money (sums, kt_record_get (line, "subtotal"), &sums->net);
  add_money (sums, kt_record_get (line, "total"), &sums->gross);
}

static gboolean
belongs_to (const KtRecord *line, const KtId *id)
{
  KtId parent;

  return line != NULL && !kt_record_deleted (line)
         && _kt_value_get_id (kt_record_get (line, "parent"), &parent) && kt_id_equal (&parent, id);
}

static gboolean
sum_lines (KtPlan *plan, const KtWork *parent, Sums *sums, GError **error)
{
  const KtObject *lines = kt_schema_object (plan->core->schema, "line_item");
  g_autofree char *sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (lines == NULL)
    return TRUE;
  sql = g_strdup_printf (
    "SELECT %s FROM \"o_line_item\" WHERE \"f_parent\" = ?1 AND \"f_deleted_at\" IS NULL",
    kt_table_columns (plan->core->db, lines, NULL));
  stmt = kt_db_stmt (plan->core->db, sql, error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &parent->id);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) line = kt_table_read (stmt, 0, lines);

      if (g_hash_table_lookup (plan->by_id, &line->id) == NULL)
        add_line (sums, line);
    }
  if (step == KT_STEP_ERROR)
    return FALSE;
  for (guint i = 0; i < plan->works->len; i++)
    {
      const KtWork *work = plan->works->pdata[i];

      if (work->object == lines && belongs_to (work->now, &parent->id))
        add_line (sums, work->now);
    }
  return TRUE;
}

static void
put_money (KtRecord *record, const char *name, const Sums *sums, gint64 amount)
{
  const KtField *field = kt_object_field (record->object, name);
  KtValue value = { .type = KT_VALUE_MONEY, .scale = KT_MONEY_SCALE };

  memcpy (value.currency, sums->currency, sizeof value.currency);
  value.v.integer = amount;
  if (field != NULL)
    _kt_set (record, field, &value);
}

static void
clear_money (KtRecord *record, const char *name)
{
  static const KtValue null_value = { 0 };

  if (kt_object_field (record->object, name) != NULL)
    _kt_set (record, kt_object_field (record->object, name), &null_value);
}

/* @net × percent, to the cent, half away from zero. */
static gint64
percent_of (gint64 net, const KtValue *percent)
{
  Wide product;
  gint64 unit = 100;

  if (percent == NULL || percent->type != KT_VALUE_DECIMAL)
    return 0;
  for (guint i = 0; i < percent->scale; i++)
    unit *= 10;
  unit *= 100; /* money has four digits after the point, the cent two */
  product = (Wide) net * percent->v.integer;
  product += product < 0 ? -(unit / 2) : unit / 2;
  return (gint64) (product / unit) * 100;
}

/* Quote and order: subtotal, tax and total are the server's. */
static void
total_document (KtRecord *record, Sums *sums)
{
  gint64 discount = percent_of (sums->net, kt_record_get (record, "discount_pct")), extra = 0,
         total;

  add_money (sums, kt_record_get (record, "discount_amount"), &discount);
  add_money (sums, kt_record_get (record, "shipping"), &extra);
  add_money (sums, kt_record_get (record, "freight"), &extra);
  if (sums->lines == 0 || sums->mixed || sums->currency[0] == '\0')
    {
      clear_money (record, "subtotal");
      clear_money (record, "tax");
      clear_money (record, "total");
      return;
    }
  total = sums->gross - discount + extra;
  put_money (record, "subtotal", sums, sums->net);
  put_money (record, "tax", sums, sums->gross - sums->net);
  put_money (record, "total", sums, total);
}

/* Whether a line of it is part of this mutation. */
static gboolean
lines_touched (const KtPlan *plan, const KtWork *work)
{
  for (guint i = 0; i < plan->works->len; i++)
    {
      const KtWork *line = plan->works->pdata[i];

      if (strcmp (line->object->name, "line_item") == 0 && _kt_work_changed (line)
          && (belongs_to (line->now, &work->id) || belongs_to (line->stored, &work->id)))
        return TRUE;
    }
  return FALSE;
}

static gboolean
hook_document (KtPlan *plan, KtWork *work, GError **error)
{
  static const char *const parts[] = { "discount_pct", "discount_amount", "shipping", "freight" };
  Sums sums = { 0 };
  gboolean touched = lines_touched (plan, work);

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    touched |= changed (work, parts[i]);
  if (!touched)
    return TRUE;
  if (!sum_lines (plan, work, &sums, error))
    return FALSE;
  /* Without lines there is nothing to sum, and an in-process caller's own total stands. */
  if (sums.lines > 0 || (!given (plan, work, "total") && has_value (work->stored, "total")))
    total_document (work->now, &sums);
  return TRUE;
}

static gboolean
hook_quote (KtPlan *plan, KtWork *work, GError **error)
{
  if (work->stored == NULL && !has_value (work->now, "version"))
    _kt_set_int (work->now, "version", 1);
  return hook_document (plan, work, error);
}

/* Invoice: the total is a person's, but lines say it better. Opportunity: only an empty amount is filled. */
static gboolean
hook_total_of_lines (KtPlan *plan, KtWork *work, GError **error)
{
  gboolean invoice = strcmp (work->object->name, "invoice") == 0;
  Sums sums = { 0 };

  if ((!invoice && has_value (work->now, "amount")) || !lines_touched (plan, work))
    return TRUE;
  if (!sum_lines (plan, work, &sums, error))
    return FALSE;
  if (sums.lines > 0 && !sums.mixed && sums.currency[0] != '\0')
    put_money (work->now, invoice ? "total" : "amount", &sums, invoice ? sums.gross : sums.net);
  return TRUE;
}

static gboolean
hook_deal (KtPlan *plan, KtWork *work, GError **error)
{
  return hook_opportunity (plan, work, error) && hook_total_of_lines (plan, work, error);
}

static gboolean
queue_parent (KtPlan *plan, const KtRecord *line, GError **error)
{
  const KtValue *parent = line != NULL ? kt_record_get (line, "parent") : NULL;
  const KtObject *object;
  KtWork *work;

  if (parent == NULL || parent->type != KT_VALUE_ANY)
    return TRUE;
  object = kt_schema_object (plan->core->schema, parent->v.ref.object);
  if (object == NULL)
    return TRUE;
  work = _kt_plan_work (plan, object, &parent->v.ref.id, error);
  if (work == NULL)
    return FALSE;
  if (work->now != NULL)
    _kt_plan_queue (plan, work);
  return TRUE;
}

/* ---- teams know their members ---- */

static gboolean
note_team (GHashTable *teams, const KtRecord *user)
{
  const KtValue *list = user != NULL ? kt_record_get (user, "teams") : NULL;
  g_autoptr (KtJson) json = NULL;
  KtId id;

  if (user != NULL && _kt_value_get_id (kt_record_get (user, "default_team"), &id))
    g_hash_table_add (teams, kt_id_copy (&id));
  if (list == NULL || list->type != KT_VALUE_LIST)
    return TRUE;
  json = kt_json_parse (list->v.text, -1, NULL);
  for (guint i = 0; i < kt_json_length (json); i++)
    if (kt_id_parse (kt_json_string (kt_json_at (json, i), ""), -1, &id))
      g_hash_table_add (teams, kt_id_copy (&id));
  return TRUE;
}

static gboolean
is_member (const KtRecord *user, const KtId *team)
{
  g_autoptr (GHashTable) teams = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);

  if (user == NULL || kt_record_deleted (user))
    return FALSE;
  note_team (teams, user);
  return g_hash_table_contains (teams, team);
}

static gboolean
list_members (KtPlan *plan, const KtObject *users, const KtId *team, GString *out, GError **error)
{
  g_autofree char *sql =
    g_strdup_printf ("SELECT %s FROM \"o_user\"", kt_table_columns (plan->core->db, users, NULL));
  KT_STMT_SCOPE *stmt = kt_db_stmt (plan->core->db, sql, error);
  KtJsonWriter writer = KT_JSON_WRITER (out);
  char text[KT_ID_TEXT_SIZE];
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_json_begin_array (&writer);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) user = kt_table_read (stmt, 0, users);

      if (g_hash_table_lookup (plan->by_id, &user->id) == NULL && is_member (user, team))
        {
          kt_id_format (&user->id, text);
          kt_json_add_string (&writer, text);
        }
    }
  for (guint i = 0; i < plan->works->len; i++)
    {
      const KtWork *work = plan->works->pdata[i];

      if (work->object == users && is_member (work->now, team))
        {
          kt_id_format (&work->id, text);
          kt_json_add_string (&writer, text);
        }
    }
  kt_json_end_array (&writer);
  return step == KT_STEP_DONE;
}

static gboolean
hook_user (KtPlan *plan, KtWork *work, GError **error)
{
  const KtObject *teams = kt_schema_object (plan->core->schema, "team");
  g_autoptr (GHashTable) touched = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer id;

  if (teams == NULL
      || !(work->stored == NULL || changed (work, "teams") || changed (work, "default_team")
           || changed (work, "deleted_at")))
    return TRUE;
  note_team (touched, work->stored);
  note_team (touched, work->now);
  g_hash_table_iter_init (&iter, touched);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    {
      KtWork *team = _kt_plan_work (plan, teams, id, error);
      g_autoptr (GString) members = g_string_new (NULL);

      if (team == NULL)
        return FALSE;
      if (team->now == NULL)
        continue;
      if (!list_members (plan, work->object, id, members, error))
        return FALSE;
      _kt_set_json (team->now, "members", members->str);
    }
  return TRUE;
}

/* ---- the queue ---- */

static const struct
{
  const char *object;
  Hook hook;
} hooks[] = {
  { "case", hook_case },        { "file", hook_file },      { "invoice", hook_total_of_lines },
  { "opportunity", hook_deal }, { "order", hook_document }, { "quote", hook_quote },
  { "task", hook_task },        { "user", hook_user },
};

static gboolean
derive_one (KtPlan *plan, KtWork *work, GError **error)
{
  if (work->now == NULL)
    return TRUE;
  if (!copy_in (plan, work, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (hooks); i++)
    if (strcmp (hooks[i].object, work->object->name) == 0 && !hooks[i].hook (plan, work, error))
      return FALSE;
  kt_expression_engine_compute (plan->core->engine, work->now);
  if (!copy_out (plan, work, error))
    return FALSE;
  if (strcmp (work->object->name, "line_item") == 0 && _kt_work_changed (work))
    return queue_parent (plan, work->stored, error) && queue_parent (plan, work->now, error);
  return TRUE;
}

gboolean
_kt_plan_derive (KtPlan *plan, GError **error)
{
  KtWork *work;

  while ((work = g_queue_pop_head (&plan->queue)) != NULL)
    {
      work->queued = FALSE;
      if (++plan->derived > MAX_DERIVED)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_LIMIT,
                       "More than %d records would have to change with this one", MAX_DERIVED);
          return FALSE;
        }
      if (!derive_one (plan, work, error))
        return FALSE;
    }
  return TRUE;
}
