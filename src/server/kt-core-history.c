/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The ledger of one record, newest first, a row for every field. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-scope.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

#define DEFAULT_ENTRIES 100
#define MAX_ENTRIES 1000

typedef struct
{
  gint64 seq;
  const char *at, *device_at, *kind, *outcome, *device_name, *changes, *origin;
  KtId user, device;
  gboolean effect;
} Entry;

static void
put_id (KtJsonWriter *writer, const char *key, const KtId *id)
{
  char text[KT_ID_TEXT_SIZE];

  if (kt_id_is_nil (id))
    return;
  kt_id_format (id, text);
  kt_json_put_string (writer, key, text);
}

static const char *
name_of (KtCore *core, GHashTable *names, const KtId *id)
{
  const KtObject *users = kt_schema_object (core->schema, "user");
  char *name = g_hash_table_lookup (names, id);

  if (name == NULL && !kt_id_is_nil (id) && users != NULL)
    {
      g_autoptr (KtRecord) user = kt_table_load (core->db, users, id, NULL);

      name = user != NULL ? kt_record_title (user, core->locale) : g_strdup ("?");
      g_hash_table_insert (names, kt_id_copy (id), name);
    }
  return name;
}

static void
put_row (KtJsonWriter *writer,
         const Entry *entry,
         const char *user_name,
         const char *field,
         const KtJson *change)
{
  const char *outcome =
    change != NULL ? kt_json_string (kt_json_at (change, 2), entry->outcome) : entry->outcome;
  static const char *const names[] = { "old", "new", NULL, "mine", "base" };

  kt_json_begin_object (writer);
  kt_json_put_int (writer, "seq", entry->seq);
  kt_json_put_string (writer, "at", entry->at);
  if (entry->device_at != NULL)
    kt_json_put_string (writer, "device_at", entry->device_at);
  put_id (writer, "user", &entry->user);
  if (user_name != NULL)
    kt_json_put_string (writer, "user_name", user_name);
  put_id (writer, "device", &entry->device);
  if (entry->device_name != NULL)
    kt_json_put_string (writer, "device_name", entry->device_name);
  kt_json_put_string (writer, "kind", entry->kind);
  if (entry->origin != NULL)
    kt_json_put_string (writer, "origin", entry->origin);
  if (field != NULL)
    kt_json_put_string (writer, "field", field);
  for (guint i = 0; change != NULL && i < G_N_ELEMENTS (names) && i < kt_json_length (change); i++)
    if (names[i] != NULL)
      {
        g_autofree char *value = kt_json_to_string (kt_json_at (change, i), TRUE);

        kt_json_put_raw (writer, names[i], value);
      }
  kt_json_put_string (writer, "outcome", outcome);
  kt_json_end_object (writer);
}

/* Old, new, mine and base of a masked field as the record itself would show them. */
static KtJson *
mask_change (const KtField *field, const KtJson *change)
{
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_array (&writer);
  for (guint i = 0; i < kt_json_length (change); i++)
    {
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_auto (KtValue) masked = KT_VALUE_INIT;

      if (i == 2)
        {
          kt_json_add_string (&writer, kt_json_string (kt_json_at (change, i), NULL));
          continue;
        }
      if (kt_value_load_json (field, kt_json_at (change, i), &value, NULL))
        kt_access_mask (field, &value, &masked);
      kt_value_to_json (&masked, &writer);
    }
  kt_json_end_array (&writer);
  return kt_json_parse (text->str, (gssize) text->len, NULL);
}

/* What a review item quotes is of another record. */
static gboolean
is_quote (const KtField *field)
{
  static const char *const names[] = { "base", "mine", "theirs", "mutation", NULL };

  return strcmp (field->object->name, "sync_conflict") == 0 && g_strv_contains (names, field->name);
}

static KtSight
sight_of (const KtAccess *access, const KtField *field)
{
  if (field == NULL || access->admin)
    return KT_SIGHT_CLEAR;
  return is_quote (field) ? KT_SIGHT_HIDDEN : kt_access_sight (access, field);
}

static void
put_entry (KtJsonWriter *writer,
           const KtObject *object,
           const KtAccess *access,
           const Entry *entry,
           const char *user_name)
{
  g_autoptr (KtJson) changes = kt_json_parse (entry->changes, -1, NULL);

  /* A delete, or an op that changed nothing: still something that somebody did. */
  if (kt_json_length (changes) == 0)
    put_row (writer, entry, user_name, NULL, NULL);
  for (guint i = 0; i < kt_json_length (changes); i++)
    {
      const KtField *field = kt_object_field (object, kt_json_key_at (changes, i));
      KtSight sight = sight_of (access, field);
      g_autoptr (KtJson) masked =
        sight == KT_SIGHT_MASKED ? mask_change (field, kt_json_at (changes, i)) : NULL;

      if (sight != KT_SIGHT_HIDDEN)
        put_row (writer, entry, user_name, kt_json_key_at (changes, i),
                 masked != NULL ? masked : kt_json_at (changes, i));
    }
}

static void
read_entry (KtStmt *stmt, Entry *entry)
{
  *entry = (Entry){ .seq = kt_stmt_int (stmt, 0),
                    .at = kt_stmt_text (stmt, 1),
                    .device_at = kt_stmt_text (stmt, 2),
                    .kind = kt_stmt_text (stmt, 5),
                    .effect = kt_stmt_int (stmt, 6) != 0,
                    .outcome = kt_stmt_text (stmt, 7),
                    .changes = kt_stmt_text (stmt, 8),
                    .device_name = kt_stmt_text (stmt, 9),
                    .origin = kt_stmt_text (stmt, 10) };
  kt_stmt_id (stmt, 3, &entry->user);
  kt_stmt_id (stmt, 4, &entry->device);
}

static gboolean
write_entries (KtCore *core,
               const KtActor *actor,
               const KtObject *object,
               const KtId *id,
               gboolean own,
               gint64 before,
               gint64 limit,
               KtJsonWriter *writer,
               gboolean *more,
               GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    core->db,
    "SELECT l.seq, l.at, l.device_at, l.user_id, l.device, l.kind, l.effect, l.outcome,"
    " l.changes, d.name, l.origin FROM kt_ledger l LEFT JOIN kt_device d ON d.id = l.device"
    " WHERE l.id = ?1 AND l.object = ?2 AND l.seq < ?3 AND (?5 = 0 OR l.user_id = ?6) ORDER BY l.seq DESC, l.idx DESC"
    " LIMIT ?4",
    error);
  g_autoptr (GHashTable) names = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, g_free);
  gint64 n = 0;
  KtStep step;

  *more = FALSE;
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, id);
  kt_stmt_bind_text (stmt, 2, object->name);
  kt_stmt_bind_int (stmt, 3, before);
  kt_stmt_bind_int (stmt, 4, limit + 1);
  kt_stmt_bind_int (stmt, 5, own);
  kt_stmt_bind_id (stmt, 6, &actor->access.user);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      Entry entry;

      if (++n > limit)
        {
          *more = TRUE;
          return TRUE;
        }
      read_entry (stmt, &entry);
      put_entry (writer, object, &actor->access, &entry, name_of (core, names, &entry.user));
    }
  return step == KT_STEP_DONE;
}

static gboolean
read_subject (KtCore *core,
              const KtActor *actor,
              const KtRequest *request,
              const KtObject **object,
              KtId *id,
              gboolean *own,
              GError **error)
{
  g_autofree char *name = kt_request_get_query (request, "object");
  g_autofree char *text = kt_request_get_query (request, "id");
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (GError) local = NULL;
  g_autoptr (KtAudience) audience = NULL;
  char *reason = NULL;
  gboolean sees = FALSE;

  *own = FALSE;
  *object = name != NULL ? kt_schema_object (core->schema, name) : NULL;
  if (*object == NULL)
    {
      g_autofree char *shown = kt_error_excerpt (name, KT_ERROR_NAME);

      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "“object”: there is no object “%s”", shown);
      return FALSE;
    }
  if (text == NULL || !kt_id_parse (text, -1, id))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "The parameter “id” must be the id of a record");
      return FALSE;
    }
  record = kt_table_load (core->db, *object, id, &local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (actor->access.admin)
    return TRUE;
  /* Of what is not there everybody finds what they did themselves: a refused record is nowhere else (P2). */
  *own = record == NULL;
  if (*own)
    return TRUE;
  /* One answer for what is not there and for what is not to be seen. */
  if (!_kt_scope_sees (core, actor, *object, record->rid, &sees, error) || !sees)
    {
      if (error != NULL && *error == NULL)
        g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND,
                     "There is no such record, or you may not see it");
      return FALSE;
    }
  audience = _kt_scope_audience (core, *object, record->rid, error);
  if (audience == NULL)
    return FALSE;
  if (kt_access_may_in (&actor->access, KT_MAY_STREAM, *object, record, audience, actor->locale,
                        &reason))
    return TRUE;
  g_set_error_literal (error, KT_ERROR, KT_ERROR_FORBIDDEN,
                       reason != NULL ? reason : "Not allowed");
  g_free (reason);
  return FALSE;
}

KtReply *
_kt_core_history (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  const KtObject *object;
  gint64 before, limit;
  gboolean more, own;
  KtId id;

  if (!read_subject (core, actor, request, &object, &id, &own, &error)
      || !_kt_query_int (request, "before", G_MAXINT64, 0, G_MAXINT64, &before, &error)
      || !_kt_query_int (request, "limit", DEFAULT_ENTRIES, 1, MAX_ENTRIES, &limit, &error))
    return _kt_reply_error (error);
  kt_json_begin_object (&writer);
  kt_json_key (&writer, "history");
  kt_json_begin_array (&writer);
  if (!write_entries (core, actor, object, &id, own, before, limit, &writer, &more, &error))
    return _kt_reply_error (error);
  kt_json_end_array (&writer);
  kt_json_put_bool (&writer, "more", more);
  kt_json_end_object (&writer);
  return _kt_reply_json (200, g_steal_pointer (&text));
}
