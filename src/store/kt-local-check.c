/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Is the profile what it should be? And when it cannot be opened: what can still
 * be saved of the work that was not sent.                                        */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <glib/gstdio.h>
#include <string.h>

#define MAX_PROBLEMS 100

static void G_GNUC_PRINTF (2, 3) complain (GPtrArray *problems, const char *format, ...)
{
  va_list args;

  if (problems->len >= MAX_PROBLEMS)
    return;
  va_start (args, format);
  g_ptr_array_add (problems, g_strdup_vprintf (format, args));
  va_end (args);
}

/* A count that must be zero. */
static gboolean
expect_none (KtLocal *local, GPtrArray *problems, const char *sql, const char *says, GError **error)
{
  gint64 n = 0;

  if (!kt_db_get_int (local->db, 0, &n, error, sql, KT_BIND_END))
    return FALSE;
  if (n > 0)
    complain (problems, "%" G_GINT64_FORMAT " %s", n, says);
  return TRUE;
}

static gboolean
check_outbox (KtLocal *local, GPtrArray *problems, GError **error)
{
  return expect_none (
           local, problems,
           "SELECT count(*) FROM kt_outbox_op p WHERE NOT EXISTS (SELECT 1 FROM kt_shadow s WHERE s.id=p.id)",
           "unsettled changes have lost the server's version they are laid over", error)
         && expect_none (
           local, problems,
           "SELECT count(*) FROM kt_shadow s WHERE NOT EXISTS (SELECT 1 FROM kt_outbox_op p WHERE p.id=s.id)",
           "server versions are kept beside records that have no unsettled change", error)
         && expect_none (
           local, problems,
           "SELECT count(*) FROM kt_outbox_op p WHERE NOT EXISTS (SELECT 1 FROM kt_outbox o WHERE o.no=p.no)",
           "changes belong to no outbox entry", error)
         && expect_none (local, problems,
                         "SELECT count(*) FROM kt_outbox o WHERE resolves IS NULL AND NOT EXISTS"
                         " (SELECT 1 FROM kt_outbox_op p WHERE p.no=o.no)",
                         "outbox entries are empty", error)
         && expect_none (
           local, problems,
           "SELECT count(*) FROM kt_outbox WHERE (state=0 AND number IS NOT NULL) OR (state IN (1, 2) AND number IS NULL)",
           "outbox entries have a number that does not fit their state", error)
         && (!local->ready
             || expect_none (local, problems,
                             "SELECT count(*) FROM kt_outbox WHERE state=2 AND seq<="
                             " (SELECT CAST(value AS INTEGER) FROM kt_meta WHERE key='kt:seq')",
                             "settled changes did not leave with their page", error));
}

/* Everything but what is computed: that may follow from records which changed since. */
static gboolean
same_but_computed (const KtRecord *a, const KtRecord *b)
{
  for (guint i = 0; i < a->object->n_fields; i++)
    if (!a->object->fields[i]->computed && !kt_value_equal (&a->values[i], &b->values[i]))
      return FALSE;
  return a->rev == b->rev && kt_record_deleted (a) == kt_record_deleted (b);
}

static gboolean
check_overlay (KtLocal *local,
               const KtObject *object,
               const KtId *id,
               GPtrArray *problems,
               GError **error)
{
  g_autoptr (KtRecord) shadow = NULL;
  g_autoptr (KtRecord) seen = NULL;
  g_autoptr (KtRecord) due = NULL;
  g_autoptr (GError) failure = NULL;
  char text[KT_ID_TEXT_SIZE];
  KtShadowState state;

  state = _kt_local_shadow (local, object, id, &shadow, NULL, error);
  if (state == KT_SHADOW_ERROR)
    return FALSE;
  seen = kt_table_load (local->db, object, id, &failure);
  if (failure == NULL)
    due = _kt_local_overlay (local, object, id, shadow, NULL, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (state == KT_SHADOW_LEFT)
    g_clear_pointer (&due, kt_record_unref);
  kt_id_format (id, text);
  if ((seen == NULL) != (due == NULL) || (seen != NULL && !same_but_computed (seen, due)))
    complain (problems,
              "%s %s does not show the server's version with the unsettled changes over it",
              object->name, text);
  return TRUE;
}

static gboolean
check_overlays (KtLocal *local, GPtrArray *problems, GError **error)
{
  g_autoptr (GHashTable) touched = _kt_touched_new ();
  GHashTableIter iter;
  gpointer key;
  KtStep step;

  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, "SELECT id, object FROM kt_shadow", error);

    if (stmt == NULL)
      return FALSE;
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      {
        KtId id;

        if (kt_stmt_id (stmt, 0, &id))
          _kt_touched_add (touched, kt_schema_object (local->schema, kt_stmt_text (stmt, 1)), &id);
      }
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  g_hash_table_iter_init (&iter, touched);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (!check_overlay (local, ((KtTouched *) key)->object, &((KtTouched *) key)->id, problems,
                        error))
      return FALSE;
  return TRUE;
}

/* The index has no text to compare with: each record is asked for by its own title. */
static gboolean
check_terms (KtLocal *local,
             const KtPlan *plan,
             const KtRecord *record,
             GPtrArray *problems,
             GError **error)
{
  g_autofree char *match = NULL;
  gint64 n = 0;
  char id[KT_ID_TEXT_SIZE];

  _kt_local_terms (plan, record, local->scratch);
  for (guint i = 0; i < 3 && match == NULL; i++)
    if (local->scratch[i]->len > 0)
      {
        g_auto (GStrv) words = g_strsplit (local->scratch[i]->str, " ", 2);

        match = g_strdup_printf ("\"%s\"", words[0]);
      }
  if (match == NULL || strchr (match + 1, '"') != match + strlen (match) - 1)
    return TRUE;
  if (!kt_db_get_int (local->db, 0, &n, error,
                      "SELECT count(*) FROM kt_search WHERE kt_search MATCH ?1 AND rowid=?2",
                      KT_BIND_TEXT, match, KT_BIND_INT, record->rid, KT_BIND_END))
    return FALSE;
  kt_id_format (&record->id, id);
  if (n != 1)
    complain (problems, "%s %s is not in the full-text index", plan->object->name, id);
  return TRUE;
}

static gboolean
check_object (KtLocal *local,
              const KtObject *object,
              gboolean thorough,
              GPtrArray *problems,
              GError **error)
{
  const KtPlan *plan = _kt_local_plan (local, object);
  g_autofree char *keys =
    g_strdup_printf ("SELECT count(*) FROM \"o_%s\" o LEFT JOIN kt_key_%u k ON k.rid=o.rid"
                     " WHERE k.rid IS NULL OR k.dead <> (o.\"f_deleted_at\" IS NOT NULL)",
                     object->name, object->number);
  g_autofree char *extra =
    g_strdup_printf ("SELECT count(*) FROM kt_key_%u WHERE rid NOT IN (SELECT rid FROM \"o_%s\")",
                     object->number, object->name);
  g_autofree char *sql = g_strdup_printf ("SELECT %s FROM \"o_%s\"",
                                          kt_table_columns (local->db, object, NULL), object->name);
  g_autofree char *says = g_strdup_printf ("records of %s have no true sort key", object->name);
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (!expect_none (local, problems, keys, says, error)
      || !expect_none (local, problems, extra, says, error))
    return FALSE;
  if (!thorough)
    return TRUE;
  stmt = kt_db_stmt (local->db, sql, error);
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) record = kt_table_read (stmt, 0, object);

      if (!check_terms (local, plan, record, problems, error))
        return FALSE;
    }
  return step == KT_STEP_DONE;
}

static gboolean
check_in (KtLocal *local, gboolean thorough, GPtrArray *problems, GError **error)
{
  const KtObject *const *objects;
  guint n = 0;

  if (local->schema == NULL)
    return TRUE;
  if (!check_outbox (local, problems, error) || !check_overlays (local, problems, error))
    return FALSE;
  objects = kt_schema_objects (local->schema, &n);
  for (guint i = 0; i < n; i++)
    if (!check_object (local, objects[i], thorough, problems, error))
      return FALSE;
  return TRUE;
}

GPtrArray *
kt_local_check (KtLocal *local, gboolean thorough, GError **error)
{
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  gboolean mine;
  gboolean done;

  if (!kt_db_check (local->db, thorough, problems, error)
      || !_kt_local_read_begin (local, &mine, error))
    return NULL;
  done = check_in (local, thorough, problems, error);
  _kt_local_read_end (local, mine);
  return done ? g_steal_pointer (&problems) : NULL;
}

/* ---- salvage ---- */

static gboolean
export_entry (KtStmt *stmt, KtJsonWriter *writer, gint64 *last)
{
  gint64 no = kt_stmt_int (stmt, 0);
  char id[KT_ID_TEXT_SIZE];
  KtId value = KT_ID_NIL;
  const char *patch = kt_stmt_text (stmt, 7);
  g_autofree char *checked = patch != NULL ? kt_json_canonical (patch, -1, NULL) : NULL;

  *last = no;
  kt_stmt_id (stmt, 5, &value);
  kt_id_format (&value, id);
  kt_json_begin_object (writer);
  kt_json_put_int (writer, "no", no);
  kt_json_put_int (writer, "number", kt_stmt_int (stmt, 1));
  kt_json_put_string (writer, "at", kt_stmt_text (stmt, 2));
  kt_json_put_int (writer, "op", kt_stmt_int (stmt, 3));
  kt_json_put_string (writer, "object", kt_stmt_text (stmt, 4));
  kt_json_put_string (writer, "id", id);
  kt_json_put_int (writer, "base_rev", kt_stmt_int (stmt, 6));
  if (checked != NULL)
    kt_json_put_raw (writer, "fields", checked);
  kt_json_end_object (writer);
  return TRUE;
}

void
_kt_local_export_unsent (KtDb *db, const char *path, gboolean *exported)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (db,
                "SELECT o.no, o.number, o.at, p.kind, p.object, p.id, p.base_rev, p.patch"
                " FROM kt_outbox o JOIN kt_outbox_op p ON p.no=o.no ORDER BY o.no, p.pos",
                NULL);
  g_autoptr (GString) out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);
  gint64 last = 0;
  guint n = 0;

  *exported = FALSE;
  if (stmt == NULL)
    return;
  kt_json_begin_array (&writer);
  while (kt_stmt_step (stmt, NULL) == KT_STEP_ROW)
    if (export_entry (stmt, &writer, &last))
      n++;
  kt_json_end_array (&writer);
  if (n > 0)
    *exported = g_file_set_contents_full (path, out->str, (gssize) out->len,
                                          G_FILE_SET_CONTENTS_DURABLE, 0600, NULL);
}
