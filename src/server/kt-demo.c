/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The demo company of data/demo/company.json, told step by step through the same commit as everybody's edits, so that
 * ledger, log and totals are what they would be had it all happened.
 *
 *   {"object": "contact", "key": "c.elbe.1", "at": "D-40T10:15", "by": "anna", "fields": {…}}
 *   {"update": "o17", "at": "D-3T14:00", "by": "james", "fields": {"stage": "@stage.won"}}
 *
 * Values are in wire form, except: "@key" is a reference, "D-3" and "D+0T11:00" are days from today in local time (at
 * weekends moved to a working day, never across today), and an amount alone is in the workspace's currency. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <stdlib.h>
#include <string.h>

#include "base/kt-error.h"
#include "base/kt-text.h"
#include "db/kt-table.h"

typedef struct
{
  const KtObject *object;
  KtId id;
} Named;

typedef struct
{
  KtCore *core;
  GHashTable *named; /* key → Named */
  GTimeZone *zone;
  GDateTime *today; /* midnight, local */
  const char *hash; /* the administrator's password, for everybody */
  gint64 seq;
} Demo;

static gboolean
set_problem (GError **error, const KtJson *step, const char *what, const char *name)
{
  g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA, "company.json, line %u: %s “%s”",
               kt_json_line (step), what, name != NULL ? name : "");
  return FALSE;
}

/* ---- values ---- */

static gboolean
is_day (const char *text)
{
  return text != NULL && text[0] == 'D' && (text[1] == '+' || text[1] == '-')
         && g_ascii_isdigit (text[2]);
}

static GDateTime *
find_day (Demo *demo, int offset)
{
  g_autoptr (GDateTime) day = g_date_time_add_days (demo->today, offset);
  int weekday = g_date_time_get_day_of_week (day);

  if (weekday < 6)
    return g_date_time_ref (day);
  /* What was, was before the weekend; what will be, will be after it. */
  return g_date_time_add_days (day, offset < 0 ? 5 - weekday : 8 - weekday);
}

/* "D-3T14:00" as a date or a date_time. g_free. */
static char *
tell_day (Demo *demo, const char *text, gboolean with_time)
{
  g_autoptr (GDateTime) day = find_day (demo, atoi (text + 1));
  const char *time = strchr (text, 'T');
  g_autoptr (GDateTime) local = NULL;
  g_autoptr (GDateTime) utc = NULL;

  if (!with_time)
    return g_date_time_format (day, "%Y-%m-%d");
  local = g_date_time_new (demo->zone, g_date_time_get_year (day), g_date_time_get_month (day),
                           g_date_time_get_day_of_month (day), time != NULL ? atoi (time + 1) : 0,
                           time != NULL ? atoi (time + 4) : 0, 0);
  utc = g_date_time_to_utc (local != NULL ? local : day);
  return g_date_time_format (utc, "%Y-%m-%dT%H:%M:%S.000Z");
}

/* Wire form of what stands in the file, or NULL: an unknown key. g_free. */
static char *
wire_text (Demo *demo, const KtField *field, const KtJson *json)
{
  const char *text = kt_json_string (json, NULL);
  GString *out;

  if (kt_json_type (json) == KT_JSON_ARRAY && field->to != NULL)
    {
      out = g_string_new ("[");
      for (guint i = 0; i < kt_json_length (json); i++)
        {
          g_autofree char *element = wire_text (demo, field, kt_json_at (json, i));

          if (element == NULL)
            {
              g_string_free (out, TRUE);
              return NULL;
            }
          g_string_append_printf (out, "%s%s", i > 0 ? "," : "", element);
        }
      return g_string_free (g_string_append_c (out, ']'), FALSE);
    }
  if (field->to != NULL && text != NULL && text[0] == '@')
    {
      const Named *named = g_hash_table_lookup (demo->named, text + 1);
      char id[KT_ID_TEXT_SIZE];

      if (named == NULL)
        return NULL;
      kt_id_format (&named->id, id);
      return field->type == KT_FIELD_REF_ANY
               ? g_strdup_printf ("{\"object\":\"%s\",\"id\":\"%s\"}", named->object->name, id)
               : g_strdup_printf ("\"%s\"", id);
    }
  if ((field->type == KT_FIELD_DATE || field->type == KT_FIELD_DATE_TIME) && is_day (text))
    {
      g_autofree char *day = tell_day (demo, text, field->type == KT_FIELD_DATE_TIME);

      return g_strdup_printf ("\"%s\"", day);
    }
  if (field->type == KT_FIELD_MONEY && kt_json_type (json) == KT_JSON_NUMBER)
    {
      g_autofree char *amount = kt_json_to_string (json, FALSE);

      return g_strdup_printf ("{\"amount\":\"%s\",\"currency\":\"%s\"}", amount,
                              demo->core->currency);
    }
  return kt_json_to_string (json, FALSE);
}

static KtPatch *
read_fields (Demo *demo,
             const KtJson *step,
             const KtObject *object,
             const KtRecord *before,
             GError **error)
{
  const KtJson *fields = kt_json_get (step, "fields");
  static const KtValue null_value = { 0 };
  g_autoptr (KtPatch) patch = kt_patch_new (object);

  for (guint i = 0; i < kt_json_length (fields); i++)
    {
      const char *name = kt_json_key_at (fields, i);
      const KtField *field = kt_object_field (object, name);
      g_autofree char *text = NULL;
      g_autoptr (KtJson) json = NULL;
      g_auto (KtValue) value = KT_VALUE_INIT;

      if (field == NULL)
        {
          set_problem (error, step, "there is no field", name);
          return NULL;
        }
      text = wire_text (demo, field, kt_json_at (fields, i));
      if (text == NULL)
        {
          set_problem (error, step, "a reference that is not known yet in", name);
          return NULL;
        }
      json = kt_json_parse (text, -1, error);
      if (json == NULL || !kt_value_from_json (field, json, &value, error))
        {
          g_prefix_error (error, "company.json, line %u: ", kt_json_line (step));
          return NULL;
        }
      kt_patch_set (patch, field, before != NULL ? &before->values[field->index] : &null_value,
                    &value);
    }
  return g_steal_pointer (&patch);
}

/* ---- steps ---- */

static void
remember (Demo *demo, const char *key, const KtObject *object, const KtId *id)
{
  Named *named = g_new (Named, 1);

  *named = (Named){ object, *id };
  g_hash_table_insert (demo->named, g_strdup (key), named);
}

static gboolean
add_op (Demo *demo, const KtJson *step, KtMutation *mutation, GError **error)
{
  const char *name = kt_json_get_string (step, "object", NULL);
  const char *key = kt_json_get_string (step, name != NULL ? "key" : "update", NULL);
  const Named *named = key != NULL ? g_hash_table_lookup (demo->named, key) : NULL;
  const KtObject *object = name != NULL    ? kt_schema_object (demo->core->schema, name)
                           : named != NULL ? named->object
                                           : NULL;
  g_autoptr (KtRecord) before = NULL;
  KtPatch *patch;
  KtId id;

  if (object == NULL || key == NULL)
    return set_problem (error, step, "there is nothing called", name != NULL ? name : key);
  if (name == NULL)
    {
      before = kt_table_load (demo->core->db, object, &named->id, error);
      if (before == NULL)
        return error != NULL && *error != NULL
                 ? FALSE
                 : set_problem (error, step, "there is no record", key);
    }
  patch = read_fields (demo, step, object, before, error);
  if (patch == NULL)
    return FALSE;
  id = name != NULL ? kt_id_new (demo->core->env) : named->id;
  kt_mutation_add (mutation, name != NULL ? KT_MUTATE_CREATE : KT_MUTATE_UPDATE, object, &id,
                   before != NULL ? before->rev : 0, patch);
  if (name != NULL)
    remember (demo, key, object, &id);
  return TRUE;
}

/* Whoever is in the story can sign in, with the administrator's password. */
static gboolean
add_login (Demo *demo, const KtOp *op, GError **error)
{
  const KtField *field = kt_object_field (op->object, "user_name");
  const KtChange *name = NULL;
  g_autofree char *folded = NULL;

  if (op->kind == KT_MUTATE_CREATE && strcmp (op->object->name, "user") == 0 && field != NULL)
    name = kt_patch_find (op->patch, field);
  if (name == NULL || name->after.type != KT_VALUE_TEXT)
    return TRUE;
  folded = kt_text_fold (name->after.v.text);
  return kt_db_run (
           demo->core->db, error,
           "INSERT INTO kt_login (user_id, name, hash, enabled) VALUES (?1, ?2, ?3, 1) ON CONFLICT (name) DO NOTHING",
           KT_BIND_ID, &op->id, KT_BIND_TEXT, folded, KT_BIND_TEXT, demo->hash, KT_BIND_END)
         >= 0;
}

static gboolean
take_step (Demo *demo, const KtJson *step, GError **error)
{
  const char *at_text = kt_json_get_string (step, "at", "");
  const char *by = kt_json_get_string (step, "by", "me");
  const Named *who = g_hash_table_lookup (demo->named, by);
  g_autofree char *at = is_day (at_text) ? tell_day (demo, at_text, TRUE) : NULL;
  g_autoptr (KtMutation) mutation = NULL;
  g_auto (KtActor) actor = { 0 };

  if (at == NULL || who == NULL)
    return set_problem (error, step, "nobody did it, or never:", by);
  mutation = kt_mutation_new (at, "client");
  mutation->id = kt_id_new (demo->core->env);
  if (!add_op (demo, step, mutation, error))
    return FALSE;
  _kt_actor_system (demo->core, &actor);
  actor.access.user = who->id;
  if (!_kt_core_apply (demo->core, &actor, mutation, &demo->seq, NULL, error))
    {
      g_prefix_error (error, "company.json, line %u: ", kt_json_line (step));
      return FALSE;
    }
  return add_login (demo, mutation->ops->pdata[0], error);
}

static gboolean
tell (Demo *demo, const KtJson *company, GError **error)
{
  const KtJson *known = kt_json_get (company, "known"), *steps = kt_json_get (company, "steps");

  for (guint i = 0; i < kt_json_length (known); i++)
    {
      const KtJson *pair = kt_json_at (known, i);
      const KtObject *object =
        kt_schema_object (demo->core->schema, kt_json_string (kt_json_at (pair, 0), ""));
      KtId id;

      if (object == NULL || !kt_id_parse (kt_json_string (kt_json_at (pair, 1), ""), -1, &id))
        return set_problem (error, pair, "not understood:", kt_json_key_at (known, i));
      remember (demo, kt_json_key_at (known, i), object, &id);
    }
  for (guint i = 0; i < kt_json_length (steps); i++)
    if (!take_step (demo, kt_json_at (steps, i), error))
      return FALSE;
  return TRUE;
}

gboolean
_kt_core_demo (KtCore *core, const KtId *admin, const KtJson *company, GError **error)
{
  Demo demo = { .core = core };
  g_autofree char *hash = NULL;
  g_autoptr (GDateTime) utc = NULL;
  g_autoptr (GDateTime) now = NULL;
  gboolean done;

  demo.named = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  demo.zone = g_time_zone_new_local ();
  utc = g_date_time_new_from_unix_utc (core->env->now_us (core->env->data) / G_USEC_PER_SEC);
  now = g_date_time_to_timezone (utc, demo.zone);
  demo.today = g_date_time_new (demo.zone, g_date_time_get_year (now), g_date_time_get_month (now),
                                g_date_time_get_day_of_month (now), 0, 0, 0);
  done = _kt_core_begin (core, KT_TX_WRITE, &demo.seq, error);
  if (done)
    {
      remember (&demo, "me", kt_schema_object (core->schema, "user"), admin);
      done = kt_db_get_text (core->db, &hash, error, "SELECT hash FROM kt_login WHERE user_id = ?1",
                             KT_BIND_ID, admin, KT_BIND_END);
      demo.hash = hash;
      done = done && tell (&demo, company, error) && _kt_core_put_seq (core, demo.seq, error);
      if (done)
        done = kt_db_commit (core->db, error);
      else
        kt_db_rollback (core->db);
    }
  g_date_time_unref (demo.today);
  g_time_zone_unref (demo.zone);
  g_hash_table_unref (demo.named);
  return done;
}
