/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Does the workspace say one thing? Every record is compared with the sum of its ledger, every rev with the log,
 * every reference with its target, every attachment with its name. Nothing is changed. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-scope.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

#define MAX_PROBLEMS 1000

typedef struct
{
  KtCore *core;
  GPtrArray *problems;
} Check;

static void note (Check *check, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
note (Check *check, const char *format, ...)
{
  va_list args;

  if (check->problems->len >= MAX_PROBLEMS)
    return;
  va_start (args, format);
  g_ptr_array_add (check->problems, g_strdup_vprintf (format, args));
  va_end (args);
}

static gboolean
note_count (Check *check, const char *sql, const char *what, const char *name, GError **error)
{
  gint64 n;

  if (!kt_db_get_int (check->core->db, 0, &n, error, sql, KT_BIND_END))
    return FALSE;
  if (n > 0)
    note (check, "%s: %" G_GINT64_FORMAT " %s", name, n, what);
  return TRUE;
}

/* ---- log against rev ---- */

static gboolean
check_log (Check *check, const KtObject *object, gint64 seq, GError **error)
{
  g_autofree char *revs = g_strdup_printf (
    "SELECT count(*) FROM \"o_%s\" o LEFT JOIN (SELECT id, max(seq) AS s FROM kt_log WHERE object = %u GROUP BY id) l"
    " ON l.id = o.id WHERE l.s IS NULL OR l.s <> o.rev",
    object->name, object->number);
  g_autofree char *ahead = g_strdup_printf (
    "SELECT count(*) FROM \"o_%s\" WHERE rev > %" G_GINT64_FORMAT, object->name, seq);
  g_autofree char *lost = g_strdup_printf (
    "SELECT count(*) FROM (SELECT id, max(seq * 2 + gone) AS s FROM kt_log WHERE object = %u GROUP BY id) l"
    " LEFT JOIN \"o_%s\" o ON o.id = l.id WHERE o.id IS NULL AND l.s %% 2 = 0",
    object->number, object->name);
  g_autofree char *unwritten = g_strdup_printf (
    "SELECT count(*) FROM \"o_%s\" o WHERE NOT EXISTS (SELECT 1 FROM kt_ledger l WHERE l.id = o.id)",
    object->name);

  return note_count (check, revs, "records whose version is not that of the log", object->name,
                     error)
         && note_count (check, ahead, "records newer than the newest commit", object->name, error)
         && note_count (check, lost, "records that the log knows are missing", object->name, error)
         && note_count (check, unwritten, "records that the ledger does not know", object->name,
                        error);
}

/* ---- ledger against records ---- */

static gboolean
told_by_row (const KtField *field)
{
  static const char *const names[] = { "created_at",  "created_by", "modified_at",
                                       "modified_by", "origin",     NULL };

  return field->system && g_strv_contains (names, field->name);
}

/* The ledger keeps what was written, whatever the field has become since. */
static gboolean
was_carried_over (const KtField *field, const KtValue *value, const char *last)
{
  g_autoptr (KtJson) json = last != NULL ? kt_json_parse (last, -1, NULL) : NULL;
  g_auto (KtValue) now = KT_VALUE_INIT;

  return json != NULL && kt_value_load_json (field, json, &now, NULL) && kt_value_equal (&now, value);
}

static void
compare (Check *check, const KtRecord *record, GHashTable *values)
{
  char id[KT_ID_TEXT_SIZE];

  kt_id_format (&record->id, id);
  for (guint i = 0; i < record->object->n_fields; i++)
    {
      const KtField *field = record->object->fields[i];
      const char *last = g_hash_table_lookup (values, field->name);
      g_autofree char *stored = NULL;
      g_autofree char *canonical = NULL;

      if (told_by_row (field))
        continue;
      stored = kt_value_to_string (&record->values[i]);
      canonical = kt_json_canonical (stored, -1, NULL);
      if (g_strcmp0 (canonical, last != NULL ? last : "null") != 0
          && !was_carried_over (field, &record->values[i], last))
        note (check, "%s %s: “%s” is not what was last written to it", record->object->name, id,
              field->name);
    }
}

/* All entries of one record were read. */
static gboolean
end_of_record (Check *check, const char *name, const KtId *id, GHashTable *values, GError **error)
{
  const KtObject *object = name != NULL ? kt_schema_object (check->core->schema, name) : NULL;
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (GError) local = NULL;

  if (object == NULL)
    return TRUE;
  record = kt_table_load (check->core->db, object, id, &local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (record != NULL)
    compare (check, record, values);
  return TRUE;
}

static gboolean
check_ledger (Check *check, GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (check->core->db,
                "SELECT id, object, changes FROM kt_ledger WHERE effect = 1 AND id IS NOT NULL"
                " ORDER BY id, seq, idx",
                error);
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autofree char *object = NULL;
  KtId current = KT_ID_NIL, id;
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtJson) changes = NULL;

      if (!kt_stmt_id (stmt, 0, &id))
        continue;
      if (!kt_id_equal (&id, &current))
        {
          if (!end_of_record (check, object, &current, values, error))
            return FALSE;
          g_hash_table_remove_all (values);
          current = id;
          g_free (object);
          object = g_strdup (kt_stmt_text (stmt, 1));
        }
      changes = kt_json_parse (kt_stmt_text (stmt, 2), -1, NULL);
      for (guint i = 0; i < kt_json_length (changes); i++)
        {
          const KtObject *owner = kt_schema_object (check->core->schema, object);
          const char *name = kt_json_key_at (changes, i);
          const KtField *field = owner != NULL ? kt_object_field (owner, name) : NULL;

          g_hash_table_replace (values, g_strdup (field != NULL ? field->name : name),
                                kt_json_to_string (kt_json_at (kt_json_at (changes, i), 1), TRUE));
        }
    }
  return step == KT_STEP_DONE && end_of_record (check, object, &current, values, error);
}

/* ---- references ---- */

static gboolean
check_reference (Check *check,
                 const KtField *field,
                 const char *target,
                 const char *condition,
                 GError **error)
{
  g_autofree char *what =
    g_strdup_printf ("values of “%s” point to a %s that does not exist", field->name, target);
  g_autofree char *sql =
    g_strdup_printf ("SELECT count(*) FROM \"o_%s\" o WHERE o.\"f_%s\" IS NOT NULL%s"
                     " AND NOT EXISTS (SELECT 1 FROM \"o_%s\" t WHERE t.id = o.\"f_%s\")",
                     field->object->name, field->name, condition, target, field->name);

  return note_count (check, sql, what, field->object->name, error);
}

static gboolean
check_references (Check *check, const KtObject *object, GError **error)
{
  guint n;
  const KtObject *const *objects = kt_schema_objects (check->core->schema, &n);

  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      /* A question may be about a record that never came to be. */
      if (strcmp (object->name, "sync_conflict") == 0 && strcmp (field->name, "record") == 0)
        continue;
      if (field->type == KT_FIELD_REF && field->to != NULL)
        {
          if (kt_schema_object (check->core->schema, field->to[0]) != NULL
              && !check_reference (check, field, field->to[0], "", error))
            return FALSE;
        }
      else if (field->type == KT_FIELD_REF_ANY)
        for (guint k = 0; k < n; k++)
          {
            g_autofree char *condition = NULL;

            if (!kt_field_accepts (field, objects[k]->name))
              continue;
            condition =
              g_strdup_printf (" AND o.\"f_%s_object\" = '%s'", field->name, objects[k]->name);
            if (!check_reference (check, field, objects[k]->name, condition, error))
              return FALSE;
          }
    }
  return TRUE;
}

static gboolean
check_sums (Check *check, const KtObject *object, GError **error)
{
  gboolean right;

  if (!_kt_core_check_sums (check->core, object, &right, error))
    return FALSE;
  if (!right)
    note (check, "%s: the sums that are kept are not those of the records", object->name);
  return TRUE;
}

/* ---- the rest ---- */

static gboolean
check_blobs (Check *check, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (kt_schema_object (check->core->schema, "file") == NULL)
    return TRUE;
  stmt = kt_db_stmt (check->core->db,
                     "SELECT \"f_sha256\" FROM \"o_file\" WHERE \"f_state\" = 'stored'", error);
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      const char *sha256 = kt_stmt_text (stmt, 0);
      g_autofree char *path = NULL;
      g_autofree char *found = NULL;
      g_autoptr (GMappedFile) file = NULL;
      g_autoptr (GBytes) bytes = NULL;

      if (!_kt_sha256_valid (sha256) || !g_hash_table_add (seen, g_strdup (sha256)))
        continue;
      path = _kt_core_blob_path (check->core, sha256);
      file = g_mapped_file_new (path, FALSE, NULL);
      if (file == NULL)
        {
          note (check, "The attachment %s is missing", sha256);
          continue;
        }
      bytes = g_mapped_file_get_bytes (file);
      found = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
      if (g_strcmp0 (found, sha256) != 0)
        note (check, "The attachment %s is damaged", sha256);
    }
  return step == KT_STEP_DONE;
}

static gboolean
check_books (Check *check, gint64 seq, GError **error)
{
  g_autofree char *ahead =
    g_strdup_printf ("SELECT count(*) FROM kt_ledger WHERE seq > %" G_GINT64_FORMAT, seq);
  g_autofree char *log_ahead =
    g_strdup_printf ("SELECT count(*) FROM kt_log WHERE seq > %" G_GINT64_FORMAT, seq);

  return note_count (
           check,
           "SELECT count(*) FROM kt_device d WHERE d.last_number <> COALESCE("
           "(SELECT max(v.number) FROM kt_verdict v WHERE v.device = d.id), 0)"
           " OR d.last_number <> (SELECT count(*) FROM kt_verdict v WHERE v.device = d.id)",
           "whose numbers are not those of the verdicts", "devices", error)
         && note_count (check,
                        "SELECT count(*) FROM kt_verdict v WHERE NOT EXISTS"
                        " (SELECT 1 FROM kt_ledger l WHERE l.seq = v.seq)",
                        "without an entry in the ledger", "verdicts", error)
         && note_count (check, ahead, "entries newer than the newest commit", "ledger", error)
         && note_count (check, log_ahead, "entries newer than the newest commit", "log", error)
         && (kt_schema_object (check->core->schema, "user") == NULL
             || note_count (
               check,
               "SELECT count(*) FROM kt_login l WHERE NOT EXISTS (SELECT 1 FROM \"o_user\" u WHERE u.id = l.user_id)",
               "without a user record", "logins", error));
}

GPtrArray *
kt_core_check (KtCore *core, GError **error)
{
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  Check check = { core, problems };
  const KtObject *const *objects;
  gint64 seq;
  guint n;
  gboolean done;

  g_return_val_if_fail (core != NULL, NULL);

  if (!kt_db_check (core->db, TRUE, problems, error))
    return NULL;
  /* What is damaged below cannot be read above. */
  if (problems->len > 0)
    return g_steal_pointer (&problems);
  if (!_kt_core_begin (core, KT_TX_READ, &seq, error))
    return NULL;
  objects = kt_schema_objects (core->schema, &n);
  done =
    check_books (&check, seq, error) && check_ledger (&check, error) && check_blobs (&check, error)
    && _kt_core_check_audience (core, problems, error);
  for (guint i = 0; i < n && done; i++)
    done =
      check_log (&check, objects[i], seq, error) && check_references (&check, objects[i], error)
      && check_sums (&check, objects[i], error);
  kt_db_rollback (core->db);
  return done ? g_steal_pointer (&problems) : NULL;
}
