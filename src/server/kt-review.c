/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What waits for a person: sync_conflict records, made and settled in the commit that causes or ends them.
 *
 *   kind         mine                       theirs                          assigned to
 *   field        what could not stand       what stands                     author of mine
 *   delete_edit  {"deleted": true}          {"field": value, …}, kept       who deleted
 *   orphan       the reference              what it points to, in the bin   author of mine
 *   duplicate    the value                  the record that has it already  author of mine
 *
 * "mine" is always the value of mine_by, whoever looks at it (47). One open item per record, kind, field and device. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-plan.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

#define MAX_TITLE 80
#define MAX_TOLD 20 /* of one mutation; the ledger has the others */

/* Somebody, at some commit. */
typedef struct
{
  KtId user, device;
  char at[KT_TIME_SIZE];
  gint64 seq;
} Author;

typedef struct
{
  const char *kind;
  const KtWork *work;
  const KtField *field;       /* or NULL */
  char *base, *mine, *theirs; /* JSON or NULL */
  Author me, them;
  KtId assigned_to;
  gboolean told; /* nothing to decide: they are told that theirs stands no more */
  char *message;
} Item;

static void
item_clear (Item *item)
{
  g_clear_pointer (&item->base, g_free);
  g_clear_pointer (&item->mine, g_free);
  g_clear_pointer (&item->theirs, g_free);
  g_clear_pointer (&item->message, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Item, item_clear)

static gboolean
is_chinese (const char *locale)
{
  return locale != NULL && g_str_has_prefix (locale, "zh");
}

static Author
author_self (const KtPlan *plan)
{
  Author author = { .user = plan->actor->access.user,
                    .device = plan->actor->device,
                    .seq = plan->seq };

  g_strlcpy (author.at, plan->when, sizeof author.at);
  return author;
}

/* Names of people as they are shown. g_free. */
static char *
user_name (KtPlan *plan, const KtId *id)
{
  const KtObject *users = kt_schema_object (plan->core->schema, "user");
  g_autoptr (KtRecord) user =
    users != NULL && !kt_id_is_nil (id) ? kt_table_load (plan->core->db, users, id, NULL) : NULL;

  return user != NULL ? kt_record_title (user, plan->actor->locale) : g_strdup ("?");
}

/* A title fit for a sentence: no markup, and no more than a line of it. */
static char *
work_title (const KtPlan *plan, const KtWork *work)
{
  const KtRecord *record = work->now != NULL ? work->now : work->stored;
  g_autofree char *title =
    record != NULL ? kt_record_title (record, plan->actor->locale) : g_strdup ("?");
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean markup = FALSE;
  guint n = 0;

  for (const char *p = title; *p != '\0' && n < MAX_TITLE; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (c == '<' || c == '>')
        markup = c == '<';
      else if (!markup)
        {
          g_string_append_unichar (text, g_unichar_isspace (c) ? ' ' : c);
          n++;
        }
    }
  if (n == MAX_TITLE)
    g_string_append (text, "…");
  g_strstrip (text->str);
  return g_strdup (*text->str != '\0' ? text->str : "?");
}

/* ---- who did it ---- */

static gboolean
mentions (const char *changes, const KtField *field)
{
  g_autoptr (KtJson) json = NULL;

  if (field == NULL)
    return TRUE;
  if (changes == NULL || (field->was == NULL && strstr (changes, field->name) == NULL))
    return FALSE;
  json = kt_json_parse (changes, -1, NULL);
  for (guint i = 0; i < kt_json_length (json); i++)
    if (kt_object_field (field->object, kt_json_key_at (json, i)) == field)
      return TRUE;
  return FALSE;
}

/* When the person did it, as far as the device's clock can be believed (as of plan->when); else when it came. */
static void
take_time (Author *author, const char *at, const char *device_at)
{
  g_autoptr (GDateTime) came = at != NULL ? g_date_time_new_from_iso8601 (at, NULL) : NULL;
  g_autoptr (GDateTime) done =
    device_at != NULL && strlen (device_at) == KT_TIME_SIZE - 1
      ? g_date_time_new_from_iso8601 (device_at, NULL)
      : NULL;
  gint64 late = came != NULL && done != NULL ? g_date_time_difference (came, done) : -1;

  g_strlcpy (author->at, late > 0 && late < KT_BELIEVED_US ? device_at : at, sizeof author->at);
}

/* The newest entry of the record by a device other than @not_by (@kind NULL: any kind, else that one) that changed @field. */
static gboolean
find_writer (KtPlan *plan,
             const KtWork *work,
             const KtField *field,
             const char *kind,
             const KtId *not_by,
             Author *author,
             GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    plan->core->db,
    "SELECT user_id, device, at, seq, changes, device_at FROM kt_ledger WHERE id = ?1 AND effect = 1"
    " AND kind <> 'derive' AND (?2 = '' OR kind = ?2)"
    " AND (device IS NULL OR device <> ?3) ORDER BY seq DESC, idx DESC LIMIT 200",
    error);
  KtStep step;

  *author = (Author){ 0 };
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &work->id);
  kt_stmt_bind_text (stmt, 2, kind != NULL ? kind : "");
  kt_stmt_bind_id (stmt, 3, not_by);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    if (mentions (kt_stmt_text (stmt, 4), field))
      {
        kt_stmt_id (stmt, 0, &author->user);
        kt_stmt_id (stmt, 1, &author->device);
        take_time (author, kt_stmt_text (stmt, 2), kt_stmt_text (stmt, 5));
        author->seq = kt_stmt_int (stmt, 3);
        return TRUE;
      }
  return step != KT_STEP_ERROR;
}

/* The same by another device than the one that speaks. */
static gboolean
find_author (KtPlan *plan,
             const KtWork *work,
             const KtField *field,
             const char *kind,
             Author *author,
             GError **error)
{
  return find_writer (plan, work, field, kind, &plan->actor->device, author, error);
}

/* {"field": value} of everything others changed after @base_rev. */
static char *
changes_since (KtPlan *plan, const KtWork *work, gint64 base_rev, GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (plan->core->db,
                "SELECT changes FROM kt_ledger WHERE id = ?1 AND effect = 1 AND kind <> 'derive'"
                " AND seq > ?2 AND (device IS NULL OR device <> ?3) ORDER BY seq, idx LIMIT 200",
                error);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  GString *text;
  KtStep step;

  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_id (stmt, 1, &work->id);
  kt_stmt_bind_int (stmt, 2, base_rev);
  kt_stmt_bind_id (stmt, 3, &plan->actor->device);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtJson) json = kt_json_parse (kt_stmt_text (stmt, 0), -1, NULL);

      for (guint i = 0; i < kt_json_length (json); i++)
        {
          const KtField *field = kt_object_field (work->object, kt_json_key_at (json, i));

          if (field != NULL && !field->computed)
            g_hash_table_add (seen, (gpointer) field);
        }
    }
  if (step == KT_STEP_ERROR)
    return NULL;

  text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  for (guint i = 0; i < work->object->n_fields; i++)
    if (g_hash_table_contains (seen, work->object->fields[i]) && work->now != NULL)
      {
        kt_json_key (&writer, work->object->fields[i]->name);
        kt_value_to_json (&work->now->values[i], &writer);
      }
  kt_json_end_object (&writer);
  return g_string_free (text, FALSE);
}

/* ---- one item ---- */

static void
device_text (const KtId *device, char out[KT_ID_TEXT_SIZE])
{
  out[0] = '\0';
  if (!kt_id_is_nil (device))
    kt_id_format (device, out);
}

/* The open item of the same record, kind, field and device; nil: none. */
static gboolean
find_open (KtPlan *plan, const Item *item, KtId *id, GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (plan->core->db,
                "SELECT id FROM \"o_sync_conflict\" WHERE \"f_record\" = ?1 AND \"f_kind\" = ?2"
                " AND COALESCE(\"f_field\", '') = ?3 AND COALESCE(\"f_mine_device\", '') = ?4"
                " AND \"f_state\" = 'open' AND \"f_deleted_at\" IS NULL",
                error);
  char device[KT_ID_TEXT_SIZE];
  KtStep step;

  *id = KT_ID_NIL;
  if (stmt == NULL)
    return FALSE;
  device_text (&item->me.device, device);
  kt_stmt_bind_id (stmt, 1, &item->work->id);
  kt_stmt_bind_text (stmt, 2, item->kind);
  kt_stmt_bind_text (stmt, 3, item->field != NULL ? item->field->name : "");
  kt_stmt_bind_text (stmt, 4, device);
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ROW)
    kt_stmt_id (stmt, 0, id);
  return step != KT_STEP_ERROR;
}

/* What it is, among all that one mutation may raise. g_free. */
static char *
item_name (const Item *item)
{
  char record[KT_ID_TEXT_SIZE], asked[KT_ID_TEXT_SIZE];

  kt_id_format (&item->work->id, record);
  kt_id_format (&item->assigned_to, asked);
  return g_strjoin (" ", item->kind, record, item->field != NULL ? item->field->name : "-", asked,
                    NULL);
}

static gboolean
raise_item (KtPlan *plan, const Item *item, GError **error)
{
  const KtObject *object = kt_schema_object (plan->core->schema, "sync_conflict");
  g_autofree char *what = NULL;
  char device[KT_ID_TEXT_SIZE];
  KtWork *work;
  KtId id;

  if (object == NULL)
    return TRUE;
  id = KT_ID_NIL;
  if (!item->told && !find_open (plan, item, &id, error))
    return FALSE;
  if (kt_id_is_nil (&id))
    {
      gint64 number = _kt_plan_next (plan, "sync_conflict.number", error);

      what = item_name (item);
      work = number < 0 ? NULL : _kt_plan_create (plan, object, what, error);
      if (work == NULL)
        return FALSE;
      _kt_set_int (work->now, "number", number);
      _kt_set_text (work->now, "state", "open");
      _kt_set_text (work->now, "kind", item->kind);
      _kt_set_any (work->now, "record", item->work->object->name, &item->work->id);
      _kt_set_text (work->now, "object", item->work->object->name);
      _kt_set_text (work->now, "field", item->field != NULL ? item->field->name : NULL);
      /* A later value of mine was written over an earlier one of mine; what both left is the first base. */
      _kt_set_json (work->now, "base", item->base);
    }
  else if ((work = _kt_plan_work (plan, object, &id, error)) == NULL)
    return FALSE;

  device_text (&item->me.device, device);
  _kt_set_json (work->now, "mine", item->mine);
  _kt_set_json (work->now, "theirs", item->theirs);
  _kt_set_id (work->now, "mine_by", &item->me.user);
  _kt_set_text (work->now, "mine_device", device);
  _kt_set_text (work->now, "mine_at", item->me.at);
  _kt_set_id (work->now, "theirs_by", &item->them.user);
  _kt_set_text (work->now, "theirs_at", item->them.at);
  _kt_set_int (work->now, "theirs_rev", item->them.seq);
  _kt_set_id (work->now, "assigned_to", &item->assigned_to);
  _kt_set_text (work->now, "message", item->message);
  if (item->told)
    {
      _kt_set_text (work->now, "state", "took_theirs");
      _kt_set_id (work->now, "resolved_by", &item->them.user);
      _kt_set_text (work->now, "resolved_at", plan->at);
    }
  if (kt_id_equal (&item->me.device, &plan->actor->device))
    _kt_set_text (work->now, "batch", plan->mutation->batch);
  return TRUE;
}

/* ---- kinds ---- */

static gboolean
raise_field (KtPlan *plan, const KtWork *work, const KtFieldResult *result, GError **error)
{
  g_auto (Item)
    item = { .kind = "field", .work = work, .field = result->field, .me = author_self (plan) };
  g_autofree char *title = work_title (plan, work);
  g_autofree char *name = NULL;
  const char *label = kt_field_label (result->field, plan->actor->locale);

  if (!find_author (plan, work, result->field, NULL, &item.them, error))
    return FALSE;
  name = user_name (plan, &item.them.user);
  item.base = kt_value_to_string (&result->base);
  item.mine = kt_value_to_string (&result->mine);
  item.theirs = kt_value_to_string (&result->theirs);
  item.assigned_to = plan->actor->access.user;
  item.message = is_chinese (plan->actor->locale)
                   ? g_strdup_printf ("“%s”的%s同时被%s修改", title, label, name)
                   : g_strdup_printf ("%s of “%s” was also changed by %s", label, title, name);
  return raise_item (plan, &item, error);
}

/* My value stands where theirs, which I had not seen, stood (policy `latest`, `state`): a closed item tells its author, and
 * may be opened again. */
static gboolean
raise_told (KtPlan *plan, const KtWork *work, const KtFieldResult *result, GError **error)
{
  g_auto (Item) item = {
    .kind = "field", .work = work, .field = result->field, .them = author_self (plan), .told = TRUE
  };
  g_autofree char *title = NULL;
  g_autofree char *name = NULL;
  const char *label = kt_field_label (result->field, plan->actor->locale);

  if (plan->actor->trusted || !find_author (plan, work, result->field, NULL, &item.me, error))
    return plan->actor->trusted;
  if (kt_id_is_nil (&item.me.user) || kt_id_equal (&item.me.user, &plan->actor->access.user))
    return TRUE;
  title = work_title (plan, work);
  name = user_name (plan, &plan->actor->access.user);
  item.base = kt_value_to_string (&result->base);
  item.mine = kt_value_to_string (&result->theirs);
  item.theirs = kt_value_to_string (&result->result);
  item.assigned_to = item.me.user;
  item.message = is_chinese (plan->actor->locale)
                   ? g_strdup_printf ("“%s”的%s现采用%s较新的值，您的值保留在历史记录中", title, label, name)
                   : g_strdup_printf ("A newer value of %s of “%s” by %s stands; yours is kept in its history",
                                      label, title, name);
  return raise_item (plan, &item, error);
}

void
_kt_plan_clash (KtPlan *plan, KtWork *work, KtClash clash)
{
  g_autofree char *title = NULL;
  g_autofree char *name = NULL;
  gboolean chinese = is_chinese (plan->actor->locale);
  g_autoptr (GError) error = NULL;
  Author author;

  if (clash == KT_CLASH_DELETE_EDIT)
    work->clash = clash;
  else if (clash == KT_CLASH_EDIT_DELETE)
    work->clash = clash;
  else
    return;
  if (!find_author (plan, work, NULL, clash == KT_CLASH_EDIT_DELETE ? "delete" : NULL, &author,
                    &error))
    return;
  title = work_title (plan, work);
  name = user_name (plan, &author.user);
  if (plan->message->len > 0)
    g_string_append_c (plan->message, ' ');
  if (clash == KT_CLASH_DELETE_EDIT && chinese)
    g_string_append_printf (plan->message, "“%s”已被%s修改，暂不删除，等待处理。", title, name);
  else if (clash == KT_CLASH_DELETE_EDIT)
    g_string_append_printf (
      plan->message, "“%s” was changed by %s meanwhile; it stays until you decide.", title, name);
  else if (chinese)
    g_string_append_printf (plan->message, "“%s”曾被%s删除，因您的修改已恢复。", title, name);
  else
    g_string_append_printf (
      plan->message, "“%s” had been deleted by %s; your change brought it back.", title, name);
}

/* My delete met their edit. */
static gboolean
raise_my_delete (KtPlan *plan, const KtWork *work, GError **error)
{
  g_auto (Item) item = { .kind = "delete_edit", .work = work, .me = author_self (plan) };
  g_autofree char *title = work_title (plan, work);
  g_autofree char *name = NULL;

  if (!find_author (plan, work, NULL, NULL, &item.them, error))
    return FALSE;
  name = user_name (plan, &item.them.user);
  item.mine = g_strdup ("{\"deleted\":true}");
  item.theirs = changes_since (plan, work, work->op->base_rev, error);
  if (item.theirs == NULL)
    return FALSE;
  item.assigned_to = plan->actor->access.user;
  item.message = is_chinese (plan->actor->locale)
                   ? g_strdup_printf ("您删除了“%s”，但%s修改过它", title, name)
                   : g_strdup_printf ("You deleted “%s”, but %s had changed it", title, name);
  return raise_item (plan, &item, error);
}

/* My edit met their delete: they are asked. */
static gboolean
raise_their_delete (KtPlan *plan, const KtWork *work, GError **error)
{
  g_auto (Item) item = { .kind = "delete_edit", .work = work, .them = author_self (plan) };
  g_autofree char *title = work_title (plan, work);
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  for (guint i = 0; work->op->patch != NULL && i < kt_patch_length (work->op->patch); i++)
    {
      const KtChange *change = &g_array_index (work->op->patch->changes, KtChange, i);

      kt_json_key (&writer, change->field->name);
      kt_value_to_json (&work->now->values[change->field->index], &writer);
    }
  kt_json_end_object (&writer);
  item.theirs = g_string_free (text, FALSE);
  if (!find_author (plan, work, NULL, "delete", &item.me, error))
    return FALSE;
  item.mine = g_strdup ("{\"deleted\":true}");
  item.assigned_to = item.me.user;
  item.message =
    is_chinese (plan->actor->locale)
      ? g_strdup_printf ("您删除的“%s”因%s的修改已恢复", title, plan->actor->access.name)
      : g_strdup_printf ("“%s”, which you deleted, came back with a change by %s", title,
                         plan->actor->access.name);
  return raise_item (plan, &item, error);
}

/* ---- orphans ---- */

static gboolean
raise_orphan (KtPlan *plan, const KtWork *work, const KtField *field, GError **error)
{
  const KtValue *value = &work->now->values[field->index];
  const char *name = value->type == KT_VALUE_ANY ? value->v.ref.object : field->to[0];
  const KtObject *object = kt_schema_object (plan->core->schema, name);
  g_auto (Item) item = { .kind = "orphan", .work = work, .field = field, .me = author_self (plan) };
  g_autofree char *title = NULL;
  g_autofree char *parent_title = NULL;
  KtWork *parent;
  int state;

  if (object == NULL || object->conflict == KT_CONFLICT_SERVER)
    return TRUE;
  state = _kt_plan_state (plan, object, &value->v.ref.id, error);
  if (state != 2)
    return state >= 0;
  parent = _kt_plan_work (plan, object, &value->v.ref.id, error);
  if (parent == NULL || !find_author (plan, parent, NULL, "delete", &item.them, error))
    return FALSE;
  title = work_title (plan, work);
  parent_title = work_title (plan, parent);
  item.mine = kt_value_to_string (value);
  item.theirs = g_strdup ("{\"deleted\":true}");
  item.assigned_to = plan->actor->access.user;
  item.message =
    is_chinese (plan->actor->locale)
      ? g_strdup_printf ("“%s”所属的“%s”在回收站中", title, parent_title)
      : g_strdup_printf ("“%s” belongs to “%s”, which is in the bin", title, parent_title);
  return raise_item (plan, &item, error);
}

static gboolean
find_orphans (KtPlan *plan, const KtWork *work, GError **error)
{
  if (work->now == NULL || kt_record_deleted (work->now) || !_kt_work_changed (work))
    return TRUE;
  for (guint i = 0; i < work->object->n_fields; i++)
    {
      const KtField *field = work->object->fields[i];
      const KtValue *value = &work->now->values[i];

      if ((field->type != KT_FIELD_REF && field->type != KT_FIELD_REF_ANY)
          || kt_value_is_null (value) || field->system)
        continue;
      if ((kt_merge_is_parent (field) || _kt_work_field_changed (work, field))
          && !raise_orphan (plan, work, field, error))
        return FALSE;
    }
  return TRUE;
}

/* ---- duplicates ---- */

static gboolean
raise_duplicate (KtPlan *plan, const KtWork *work, const KtField *field, GError **error)
{
  const KtValue *value = &work->now->values[field->index];
  g_auto (Item)
    item = { .kind = "duplicate", .work = work, .field = field, .me = author_self (plan) };
  g_autofree char *sql = g_strdup_printf (
    "SELECT id FROM \"o_%s\" WHERE \"f_%s\" = ?1 AND id <> ?2 AND \"f_deleted_at\" IS NULL"
    " ORDER BY rid LIMIT 1",
    work->object->name, field->name);
  g_autofree char *title = NULL;
  g_autofree char *other_title = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  char text[KT_ID_TEXT_SIZE];
  KtWork *other;
  KtStep step;
  KtId id;

  stmt = kt_db_stmt (plan->core->db, sql, error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_text (stmt, 1, value->v.text);
  kt_stmt_bind_id (stmt, 2, &work->id);
  step = kt_stmt_step (stmt, error);
  if (step != KT_STEP_ROW || !kt_stmt_id (stmt, 0, &id))
    return step != KT_STEP_ERROR;
  kt_stmt_reset (g_steal_pointer (&stmt));

  other = _kt_plan_work (plan, work->object, &id, error);
  if (other == NULL || !find_author (plan, other, NULL, NULL, &item.them, error))
    return FALSE;
  if (other->now == NULL || kt_record_deleted (other->now)
      || !kt_value_equal (&other->now->values[field->index], value))
    return TRUE;
  kt_id_format (&id, text);
  title = work_title (plan, work);
  other_title = work_title (plan, other);
  item.mine = kt_value_to_string (value);
  item.theirs = g_strdup_printf ("{\"object\":\"%s\",\"id\":\"%s\"}", work->object->name, text);
  item.assigned_to = plan->actor->access.user;
  item.message = is_chinese (plan->actor->locale)
                   ? g_strdup_printf ("“%s”与“%s”的%s相同，可能重复", title, other_title,
                                      kt_field_label (field, plan->actor->locale))
                   : g_strdup_printf ("“%s” has the same %s as “%s”: perhaps one too many", title,
                                      kt_field_label (field, plan->actor->locale), other_title);
  return raise_item (plan, &item, error);
}

/* A unique value written twice is kept twice, and a person is asked (38). An import has its own answer to that. */
static gboolean
find_duplicates (KtPlan *plan, const KtWork *work, GError **error)
{
  if (plan->actor->trusted || g_strcmp0 (plan->mutation->origin, "import") == 0 || work->now == NULL
      || kt_record_deleted (work->now))
    return TRUE;
  for (guint i = 0; i < work->object->n_fields; i++)
    {
      const KtField *field = work->object->fields[i];

      if (field->unique && field->storage == KT_VALUE_TEXT
          && work->now->values[i].type == KT_VALUE_TEXT && _kt_work_field_changed (work, field)
          && !raise_duplicate (plan, work, field, error))
        return FALSE;
    }
  return TRUE;
}

/* A decision was taken back: the question is put again, against what stands now. */
static gboolean
ask_again (KtPlan *plan, KtWork *item, GError **error)
{
  const KtValue *about = kt_record_get (item->now, "record");
  const char *name = kt_record_text (item->now, "field");
  const KtField *field;
  g_autofree char *stands = NULL;
  g_autofree char *theirs = NULL;
  const KtValue *kept = kt_record_get (item->now, "theirs");
  const KtObject *object;
  KtWork *work;
  Author author;

  if (g_strcmp0 (kt_record_text (item->now, "kind"), "field") != 0 || about == NULL
      || about->type != KT_VALUE_ANY)
    return TRUE;
  object = kt_schema_object (plan->core->schema, about->v.ref.object);
  field = object != NULL && name != NULL ? kt_object_field (object, name) : NULL;
  work = field != NULL ? _kt_plan_work (plan, object, &about->v.ref.id, error) : NULL;
  if (field != NULL && work == NULL)
    return FALSE;
  if (work == NULL || work->now == NULL)
    return TRUE;
  stands = kt_value_to_string (&work->now->values[field->index]);
  theirs = kept != NULL && kept->type == KT_VALUE_JSON ? g_strdup (kept->v.text) : g_strdup ("null");
  if (strcmp (stands, theirs) == 0)
    return TRUE;
  if (!find_writer (plan, work, field, NULL, &KT_ID_NIL, &author, error))
    return FALSE;
  _kt_set_json (item->now, "theirs", stands);
  _kt_set_id (item->now, "theirs_by", &author.user);
  _kt_set_text (item->now, "theirs_at", author.at);
  _kt_set_int (item->now, "theirs_rev", author.seq);
  return TRUE;
}

/* ---- all of them ---- */

static gboolean
review_work (KtPlan *plan, const KtWork *work, guint *told, GError **error)
{
  for (guint i = 0; work->results != NULL && i < work->results->len; i++)
    {
      GArray *results = work->results->pdata[i];

      for (guint k = 0; k < results->len; k++)
        {
          const KtFieldResult *result = &g_array_index (results, KtFieldResult, k);

          if (result->outcome == KT_OUTCOME_REVIEW && !raise_field (plan, work, result, error))
            return FALSE;
          if (result->overrode && (*told)++ < MAX_TOLD && !raise_told (plan, work, result, error))
            return FALSE;
        }
    }
  if (work->clash == KT_CLASH_DELETE_EDIT && !raise_my_delete (plan, work, error))
    return FALSE;
  if (work->clash == KT_CLASH_EDIT_DELETE && !raise_their_delete (plan, work, error))
    return FALSE;
  return find_orphans (plan, work, error) && find_duplicates (plan, work, error);
}

gboolean
_kt_plan_review (KtPlan *plan, GError **error)
{
  guint n = plan->works->len;
  guint told = 0;

  for (guint i = 0; i < n; i++)
    {
      const KtWork *work = plan->works->pdata[i];

      if (work->op != NULL && !review_work (plan, work, &told, error))
        return FALSE;
    }
  if (g_strcmp0 (plan->mutation->resolution, "open") == 0)
    {
      KtWork *item = g_hash_table_lookup (plan->by_id, &plan->mutation->resolves);

      if (item != NULL && item->now != NULL
          && g_strcmp0 (kt_record_text (item->now, "state"), "open") == 0)
        return ask_again (plan, item, error);
    }
  return TRUE;
}

/* ---- settling ---- */

/* The same question, open under another number: a person is not asked twice. */
static gboolean
find_twin (KtPlan *plan, const KtRecord *item, gboolean *twin, GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (plan->core->db,
                "SELECT 1 FROM \"o_sync_conflict\" a JOIN \"o_sync_conflict\" b ON b.\"f_record\" = a.\"f_record\""
                " AND b.\"f_kind\" = a.\"f_kind\" AND COALESCE(b.\"f_field\", '') = COALESCE(a.\"f_field\", '')"
                " AND COALESCE(b.\"f_mine_device\", '') = COALESCE(a.\"f_mine_device\", '')"
                " AND b.\"f_state\" = 'open' AND b.\"f_deleted_at\" IS NULL WHERE a.id = ?1",
                error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &item->id);
  step = kt_stmt_step (stmt, error);
  *twin = step == KT_STEP_ROW;
  return step != KT_STEP_ERROR;
}

static gboolean
reopen (KtPlan *plan, KtWork *work, GError **error)
{
  gboolean twin = FALSE;

  if (g_strcmp0 (kt_record_text (work->now, "state"), "open") == 0)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_CONFLICT,
                           is_chinese (plan->actor->locale) ? "此项已重新打开"
                                                            : "This question is open already");
      return FALSE;
    }
  if (!find_twin (plan, work->now, &twin, error))
    return FALSE;
  if (twin)
    return TRUE;
  _kt_set_text (work->now, "state", "open");
  _kt_set_id (work->now, "resolved_by", &KT_ID_NIL);
  _kt_set_text (work->now, "resolved_at", NULL);
  return TRUE;
}

gboolean
_kt_plan_settle (KtPlan *plan, GError **error)
{
  const KtMutation *mutation = plan->mutation;
  const KtObject *object = kt_schema_object (plan->core->schema, "sync_conflict");
  const KtField *state;
  KtWork *work;
  char *reason = NULL;

  if (kt_id_is_nil (&mutation->resolves))
    return TRUE;
  work = object != NULL ? _kt_plan_work (plan, object, &mutation->resolves, error) : NULL;
  if (object != NULL && work == NULL)
    return FALSE;
  /* Lost in a restore, and what caused it has not come back: the answer counts as an edit like any other (P10). */
  if (work == NULL || (work->now == NULL && work->stored == NULL))
    return TRUE;
  if (!plan->actor->trusted
      && !kt_access_may (&plan->actor->access, KT_MAY_EDIT, object, work->now, plan->actor->locale,
                         &reason))
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_FORBIDDEN,
                           reason != NULL ? reason : "Not allowed");
      g_free (reason);
      return FALSE;
    }
  if (g_strcmp0 (mutation->resolution, "open") == 0)
    return reopen (plan, work, error);
  if (g_strcmp0 (kt_record_text (work->now, "state"), "open") != 0)
    {
      KtId by = KT_ID_NIL;
      g_autofree char *name = NULL;

      _kt_value_get_id (kt_record_get (work->now, "resolved_by"), &by);
      name = user_name (plan, &by);
      if (is_chinese (plan->actor->locale))
        g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT, "%s已处理过此项", name);
      else
        g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT, "This was already resolved by %s", name);
      return FALSE;
    }
  state = kt_object_field (object, "state");
  if (mutation->resolution == NULL
      || (state != NULL && kt_field_option (state, mutation->resolution) == NULL))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "A review item cannot be resolved as “%s”",
                   mutation->resolution != NULL ? mutation->resolution : "");
      return FALSE;
    }
  _kt_set_text (work->now, "state", mutation->resolution);
  _kt_set_id (work->now, "resolved_by", &plan->actor->access.user);
  _kt_set_text (work->now, "resolved_at", plan->at);
  return TRUE;
}
