/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What this user may see, on this device (P8, docs/decisions/scope.md).
 *
 *   kt:access, kt:access_digest   the document as the server gave it; without one everything is tried and the server decides
 *   kt_shadow.rev = -1            a record that has left while something of this device's is unsettled on it: out of sight until
 *                                 that is settled, or in somebody else's hands (escrow), then nothing of it stays
 *   kt:sweep                      bytes of what left are still in the file: 1 to be collected, 2 merging the full text, 3 writing anew
 *
 * Nothing here concludes anything from an error: a document that cannot be read changes nothing (53). */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <glib/gstdio.h>
#include <string.h>

#define MERGE_PAGES 300                              /* of the full text, in one step */
#define VACUUM_MOST (G_GINT64_CONSTANT (512) << 20)  /* bytes: a larger file is not written anew, its free pages are */

static const char *const memories[] = { "kt_done", "kt_kept", "kt_settled" };
static const char *const memory_keys[] = { "no", "n", "no" };
static const char *const memory_texts[] = { "inverse", "json", "json" };

/* ---- the document ---- */

static gboolean
hides_any (KtLocal *local, const KtAccess *access)
{
  const KtObject *const *objects;
  guint n = 0;

  if (access->rights == NULL || access->admin)
    return FALSE;
  if (local->schema == NULL)
    return TRUE;
  objects = kt_schema_objects (local->schema, &n);
  for (guint i = 0; i < n; i++)
    for (guint k = 0; k < objects[i]->n_fields; k++)
      if (kt_access_sight (access, objects[i]->fields[k]) != KT_SIGHT_CLEAR)
        return TRUE;
  return FALSE;
}

gboolean
_kt_local_use_access (KtLocal *local, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *digest = NULL;
  g_autofree char *text = NULL;
  KtAccess *access;
  KtRights *rights;

  if (local->identity == NULL)
    return TRUE;
  access = &local->identity->access;
  digest = _kt_local_meta (local, "kt:access_digest", &failure);
  if (failure == NULL
      && g_strcmp0 (digest, access->rights != NULL ? kt_rights_digest (access->rights) : NULL) == 0)
    return TRUE;
  if (failure == NULL && digest != NULL)
    text = _kt_local_meta (local, "kt:access", &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  rights = text != NULL ? kt_rights_from_json (text, -1, &failure) : NULL;
  /* Stored by a program that understood it. Not to understand it is no reason to stop: nothing is concluded. */
  if (failure != NULL)
    g_debug ("the access document: %s", failure->message);
  g_clear_pointer (&access->rights, kt_rights_unref);
  access->rights = rights;
  if (rights != NULL)
    access->admin = kt_rights_admin (rights);
  local->hides = hides_any (local, access);
  local->stamp++;
  return TRUE;
}

char *
kt_local_access_digest (KtLocal *local)
{
  return _kt_local_meta (local, "kt:access_digest", NULL);
}

void
_kt_local_cut (KtLocal *local, KtRecord *record)
{
  const KtAccess *access = local->identity != NULL ? &local->identity->access : NULL;

  if (access == NULL || !local->hides)
    return;
  for (guint i = 0; i < record->object->n_fields; i++)
    if (record->values[i].type != KT_VALUE_NULL
        && kt_access_sight (access, record->object->fields[i]) == KT_SIGHT_HIDDEN)
      kt_value_clear (&record->values[i]);
}

gboolean
_kt_local_hides_entry (KtLocal *local, gint64 no)
{
  const KtAccess *access = local->identity != NULL ? &local->identity->access : NULL;
  g_autoptr (KtMutation) mutation = NULL;

  if (access == NULL || !local->hides)
    return FALSE;
  mutation = _kt_local_read_mutation (local, no, NULL, NULL);
  for (guint i = 0; mutation != NULL && i < mutation->ops->len; i++)
    {
      const KtOp *op = g_ptr_array_index (mutation->ops, i);

      for (guint k = 0; op->patch != NULL && k < kt_patch_length (op->patch); k++)
        if (kt_access_sight (access, g_array_index (op->patch->changes, KtChange, k).field)
            != KT_SIGHT_CLEAR)
          return TRUE;
    }
  return FALSE;
}

/* ---- fields that are not to be seen any more ---- */

typedef struct
{
  KtLocal *local;
  const KtAccess *now;
  GHashTable *fields; /* const KtField*: less is seen of it than before */
  KtChanges *changes;
} Purge;

static void
find_fields (Purge *purge, const KtAccess *before)
{
  const KtObject *const *objects;
  guint n = 0;

  objects = kt_schema_objects (purge->local->schema, &n);
  for (guint i = 0; i < n; i++)
    for (guint k = 0; k < objects[i]->n_fields; k++)
      {
        const KtField *field = objects[i]->fields[k];

        if (kt_access_sight (purge->now, field) < kt_access_sight (before, field))
          g_hash_table_add (purge->fields, (gpointer) field);
      }
}

static gboolean
cut_record (Purge *purge, KtRecord *record)
{
  gboolean any = FALSE;

  for (guint i = 0; i < record->object->n_fields; i++)
    {
      const KtField *field = record->object->fields[i];
      KtValue mask = KT_VALUE_INIT;

      if (record->values[i].type == KT_VALUE_NULL || !g_hash_table_contains (purge->fields, field))
        continue;
      if (kt_access_sight (purge->now, field) == KT_SIGHT_MASKED)
        kt_access_mask (field, &record->values[i], &mask);
      kt_value_clear (&record->values[i]);
      record->values[i] = mask;
      any = TRUE;
    }
  return any;
}

static gboolean
purge_rows (Purge *purge, const KtObject *object, GError **error)
{
  KtLocal *local = purge->local;
  g_autofree char *sql = g_strdup_printf ("SELECT %s FROM \"o_%s\" WHERE rid>?1 ORDER BY rid LIMIT 500",
                                          kt_table_columns (local->db, object, NULL), object->name);
  gint64 after = G_MININT64;
  guint n = 500;

  while (n == 500)
    {
      g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
      KtStep step;

      {
        KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);

        if (stmt == NULL)
          return FALSE;
        kt_stmt_bind_int (stmt, 1, after);
        while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
          g_ptr_array_add (records, kt_table_read (stmt, 0, object));
        if (step != KT_STEP_DONE)
          return FALSE;
      }
      n = records->len;
      for (guint i = 0; i < n; i++)
        {
          const KtRecord *before = g_ptr_array_index (records, i);
          g_autoptr (KtRecord) cut = kt_record_copy (before);
          gboolean any;

          after = before->rid;
          cut->rid = before->rid;
          cut->rev = before->rev;
          any = cut_record (purge, cut);
          if (strcmp (object->name, "sync_conflict") == 0)
            {
              kt_access_cut (purge->now, cut);
              any = TRUE;
            }
          if (any && !_kt_local_show (local, before, cut, FALSE, purge->changes, error))
            return FALSE;
        }
    }
  return TRUE;
}

/* Columns that a change of schema has put aside hold the old values. */
static gboolean
purge_retired (Purge *purge, const KtField *field, GError **error)
{
  g_autofree char *table = g_strconcat ("o_", field->object->name, NULL);
  g_autofree char *tail = g_strconcat ("_f_", field->name, NULL);
  g_autoptr (GPtrArray) columns = kt_db_columns (purge->local->db, table, error);

  if (columns == NULL)
    return FALSE;
  for (guint i = 0; i < columns->len; i++)
    {
      const char *name = g_ptr_array_index (columns, i);
      g_autofree char *sql = NULL;

      if (*name != 'x' || !g_str_has_suffix (name, tail))
        continue;
      sql = g_strdup_printf ("UPDATE \"%s\" SET \"%s\"=NULL WHERE \"%s\" IS NOT NULL", table, name, name);
      if (!kt_db_exec (purge->local->db, sql, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
purge_shadows (Purge *purge, GError **error)
{
  KtLocal *local = purge->local;
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  KtStep step;

  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (
      local->db, "SELECT object, id, rev, record FROM kt_shadow WHERE record IS NOT NULL", error);

    if (stmt == NULL)
      return FALSE;
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      {
        const KtObject *object = kt_schema_object (local->schema, kt_stmt_text (stmt, 0));
        KtRecord *record;
        KtId id;

        if (object == NULL || !kt_stmt_id (stmt, 1, &id))
          continue;
        record = _kt_local_record_parse (object, &id, kt_stmt_int (stmt, 2), kt_stmt_text (stmt, 3), error);
        if (record == NULL)
          return FALSE;
        if (cut_record (purge, record))
          g_ptr_array_add (records, record);
        else
          kt_record_unref (record);
      }
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  for (guint i = 0; i < records->len; i++)
    {
      const KtRecord *record = g_ptr_array_index (records, i);

      if (!_kt_local_put_shadow (local, record->object, &record->id, record, error)
          || !_kt_local_recompute (local, record->object, &record->id, FALSE, purge->changes, error))
        return FALSE;
    }
  return TRUE;
}

/* Whether one of the ops in @json, a mutation, writes such a field. */
static gboolean
mentions_field (Purge *purge, const KtJson *json)
{
  const KtJson *ops = kt_json_get (json, "ops");

  for (guint i = 0; i < kt_json_length (ops); i++)
    {
      const KtJson *op = kt_json_at (ops, i);
      const KtObject *object =
        kt_schema_object (purge->local->schema, kt_json_get_string (op, "object", NULL));
      const KtJson *fields = kt_json_get (op, "fields");

      for (guint k = 0; object != NULL && k < kt_json_length (fields); k++)
        if (g_hash_table_contains (purge->fields, kt_object_field (object, kt_json_key_at (fields, k))))
          return TRUE;
    }
  return FALSE;
}

static gboolean
mentions_field_cb (const char *text, gpointer data)
{
  Purge *purge = data;
  g_autoptr (KtJson) json = kt_json_parse (text, -1, NULL);
  const KtJson *record = kt_json_get (json, "record");
  const KtObject *object =
    kt_schema_object (purge->local->schema, kt_json_get_string (json, "object", NULL));

  if (mentions_field (purge, json))
    return TRUE;
  for (guint i = 0; object != NULL && i < kt_json_length (record); i++)
    if (g_hash_table_contains (purge->fields, kt_object_field (object, kt_json_key_at (record, i))))
      return TRUE;
  return FALSE;
}

/* ---- what this device remembers of what it did ---- */

static gboolean
drop_memories (KtLocal *local, gboolean (*about) (const char *text, gpointer data), gpointer data, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (memories); i++)
    {
      g_autofree char *select =
        g_strdup_printf ("SELECT %s, %s FROM %s", memory_keys[i], memory_texts[i], memories[i]);
      g_autofree char *drop = g_strdup_printf ("DELETE FROM %s WHERE %s=?1", memories[i], memory_keys[i]);
      g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (gint64));
      KtStep step;

      {
        KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, select, error);

        if (stmt == NULL)
          return FALSE;
        while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
          if (about (kt_stmt_text (stmt, 1), data))
            {
              gint64 key = kt_stmt_int (stmt, 0);

              g_array_append_val (found, key);
            }
        if (step != KT_STEP_DONE)
          return FALSE;
      }
      for (guint k = 0; k < found->len; k++)
        if (kt_db_run (local->db, error, drop, KT_BIND_INT, g_array_index (found, gint64, k), KT_BIND_END)
            < 0)
          return FALSE;
    }
  return TRUE;
}

/* Ids stand in the texts as 36 characters. */
static gboolean
mentions_id_cb (const char *text, gpointer data)
{
  GHashTable *ids = data;
  gsize len = strlen (text);

  for (gsize i = 8; i + 28 <= len; i++)
    {
      KtId id;

      if (text[i] != '-' || text[i + 5] != '-' || text[i + 10] != '-' || text[i + 15] != '-')
        continue;
      if (kt_id_parse (text + i - 8, 36, &id) && g_hash_table_contains (ids, &id))
        return TRUE;
    }
  return FALSE;
}

gboolean
_kt_local_sweep_later (KtLocal *local, GError **error)
{
  return _kt_local_put_meta (local, "kt:sweep", "1", error);
}

gboolean
_kt_local_forget (KtLocal *local, GHashTable *ids, GError **error)
{
  static const char *const tables[] = { "kt_history", "kt_news", "kt_pin" };
  GHashTableIter iter;
  gpointer key;

  if (ids == NULL || g_hash_table_size (ids) == 0)
    return TRUE;
  g_hash_table_iter_init (&iter, ids);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    for (guint i = 0; i < G_N_ELEMENTS (tables); i++)
      {
        g_autofree char *sql = g_strdup_printf ("DELETE FROM %s WHERE id=?1", tables[i]);

        if (kt_db_run (local->db, error, sql, KT_BIND_ID, (const KtId *) key, KT_BIND_END) < 0)
          return FALSE;
      }
  return drop_memories (local, mentions_id_cb, ids, error) && _kt_local_sweep_later (local, error);
}

gboolean
_kt_local_forget_one (KtLocal *local, const KtId *id, GError **error)
{
  g_autoptr (GHashTable) ids = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);

  g_hash_table_add (ids, kt_id_copy (id));
  return _kt_local_forget (local, ids, error);
}

/* ---- records that have left with work undone ---- */

gboolean
_kt_local_left (KtLocal *local, const KtObject *object, const KtId *id, GError **error)
{
  return kt_db_run (local->db, error, "UPDATE kt_shadow SET rev=?2, record=NULL WHERE id=?1", KT_BIND_ID,
                    id, KT_BIND_INT, (gint64) KT_REV_LEFT, KT_BIND_END)
         >= 0;
}

gboolean
_kt_local_escrow_entry (KtLocal *local, gint64 no, GError **error)
{
  g_autoptr (KtMutation) mutation = _kt_local_read_mutation (local, no, NULL, error);
  KtId again;

  if (mutation == NULL)
    return FALSE;
  /* Another action than the one that was refused. */
  again = kt_id_derive (&mutation->id, "escrow");
  return kt_db_run (local->db, error,
                    "UPDATE kt_outbox SET state=?2, number=NULL, reason=NULL, code=NULL, outcome=NULL,"
                    " seq=NULL, id=?3, again=0, escrow=1 WHERE no=?1",
                    KT_BIND_INT, no, KT_BIND_INT, (gint64) KT_OUTBOX_QUEUED, KT_BIND_ID, &again,
                    KT_BIND_END)
         >= 0;
}

/* What was refused and is about a record that has left, or writes fields that its author may not see any more, is for
 * somebody else to decide. */
gboolean
_kt_local_escrow_refused (KtLocal *local, GError **error)
{
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (gint64));
  KtStep step;

  {
    KT_STMT_SCOPE *stmt =
      kt_db_stmt (local->db,
                  "SELECT o.no, EXISTS (SELECT 1 FROM kt_outbox_op p JOIN kt_shadow s ON s.id=p.id"
                  " WHERE p.no=o.no AND s.rev=?2) FROM kt_outbox o WHERE o.state=?1 AND o.escrow=0 ORDER BY o.no",
                  error);

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, KT_OUTBOX_PARKED);
    kt_stmt_bind_int (stmt, 2, KT_REV_LEFT);
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      {
        gint64 row[2] = { kt_stmt_int (stmt, 0), kt_stmt_int (stmt, 1) };

        g_array_append_vals (numbers, row, 2);
      }
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  for (guint i = 0; i + 1 < numbers->len; i += 2)
    {
      gint64 no = g_array_index (numbers, gint64, i);

      if ((g_array_index (numbers, gint64, i + 1) != 0 || _kt_local_hides_entry (local, no))
          && !_kt_local_escrow_entry (local, no, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kt_local_escrow (KtLocal *local, const KtId *id, KtChanges *changes, GError **error)
{
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (gint64));
  KtStep step;

  {
    KT_STMT_SCOPE *stmt =
      kt_db_stmt (local->db,
                  id != NULL ? "SELECT DISTINCT o.no FROM kt_outbox o JOIN kt_outbox_op p ON p.no=o.no"
                               " WHERE o.state=?1 AND p.id=?2 ORDER BY o.no"
                             : "SELECT no FROM kt_outbox WHERE state=?1 ORDER BY no",
                  error);

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, KT_OUTBOX_PARKED);
    if (id != NULL)
      kt_stmt_bind_id (stmt, 2, id);
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      {
        gint64 no = kt_stmt_int (stmt, 0);

        g_array_append_val (numbers, no);
      }
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  for (guint i = 0; i < numbers->len; i++)
    if (!_kt_local_escrow_entry (local, g_array_index (numbers, gint64, i), error))
      return FALSE;
  if (numbers->len > 0 && changes != NULL)
    changes->set->outbox = TRUE;
  return TRUE;
}

/* ---- another document ---- */

static gboolean
purge_all (Purge *purge, GError **error)
{
  KtLocal *local = purge->local;
  const KtObject *const *objects;
  GHashTableIter iter;
  gpointer key;
  guint n = 0;

  objects = kt_schema_objects (local->schema, &n);
  for (guint i = 0; i < n; i++)
    {
      gboolean any = strcmp (objects[i]->name, "sync_conflict") == 0;

      for (guint k = 0; k < objects[i]->n_fields && !any; k++)
        any = g_hash_table_contains (purge->fields, objects[i]->fields[k]);
      if (any && !purge_rows (purge, objects[i], error))
        return FALSE;
    }
  g_hash_table_iter_init (&iter, purge->fields);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (!purge_retired (purge, key, error))
      return FALSE;
  if (!purge_shadows (purge, error) || !drop_memories (local, mentions_field_cb, purge, error)
      || !kt_db_exec (local->db,
                      "DELETE FROM kt_history; DELETE FROM kt_stage;"
                      "DELETE FROM kt_meta WHERE key IN ('kt:stage_cursor', 'kt:stage_all')",
                      error)
      || !_kt_local_sweep_later (local, error))
    return FALSE;
  for (guint i = 0; i < n; i++)
    if (!_kt_local_resum (local, objects[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
set_access (KtLocal *local, KtRights *rights, KtChanges *changes, GError **error)
{
  g_autoptr (GHashTable) fields = g_hash_table_new (NULL, NULL);
  g_auto (KtAccess) before = { 0 };
  Purge purge = { local, NULL, fields, changes };

  kt_access_copy (&local->identity->access, &before);
  /* Without a document nobody knew: everything may be here. */
  if (before.rights == NULL)
    before.admin = TRUE;
  if (!_kt_local_put_meta (local, "kt:access", kt_rights_json (rights), error)
      || !_kt_local_put_meta (local, "kt:access_digest", kt_rights_digest (rights), error)
      || !_kt_local_use_access (local, error))
    return FALSE;
  purge.now = &local->identity->access;
  find_fields (&purge, &before);
  changes->set->everything = TRUE;
  return g_hash_table_size (fields) == 0
         || (purge_all (&purge, error) && _kt_local_escrow_refused (local, error));
}

gboolean
kt_local_set_access (KtLocal *local, KtRights *rights, KtChangeSet **changes, GError **error)
{
  g_auto (KtChanges) collected = { 0 };
  KtId user;

  g_return_val_if_fail (rights != NULL, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  _kt_changes_init (&collected, local);
  kt_rights_user (rights, &user);
  if (!_kt_local_require (local, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  if (!kt_id_equal (&user, &local->identity->access.user))
    {
      _kt_local_rollback (local);
      g_set_error_literal (error, KT_ERROR, KT_ERROR_SERVER,
                           "The server answered with the permissions of somebody else: nothing is changed");
      return FALSE;
    }
  if (!set_access (local, rights, &collected, error))
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

/* ---- the bytes ---- */

gboolean
kt_local_sweep_due (KtLocal *local)
{
  return local->ready && _kt_local_meta_int (local, "kt:sweep", 0) != 0;
}

static gboolean
total_changes (KtLocal *local, gint64 *out, GError **error)
{
  return kt_db_get_int (local->db, 0, out, error, "SELECT total_changes()", KT_BIND_END);
}

/* Taken-out terms stay in older segments of the index until these are merged into one. *more: not yet. */
static gboolean
merge_terms (KtLocal *local, gboolean first, gboolean *more, GError **error)
{
  gint64 before = 0, after = 0;

  if (!total_changes (local, &before, error)
      || kt_db_run (local->db, error, "INSERT INTO kt_search (kt_search, rank) VALUES ('merge', ?1)",
                    KT_BIND_INT, (gint64) (first ? -MERGE_PAGES : MERGE_PAGES), KT_BIND_END)
           < 0
      || !total_changes (local, &after, error))
    return FALSE;
  *more = after - before >= 2;
  return TRUE;
}

/* The file is written anew, or, where that takes too long, zeros over its free pages. */
static gboolean
scrub (KtLocal *local, GError **error)
{
  gint64 pages = 0, size = 0, free_pages = 0;

  if (!kt_db_get_int (local->db, 0, &pages, error, "PRAGMA page_count", KT_BIND_END)
      || !kt_db_get_int (local->db, 0, &size, error, "PRAGMA page_size", KT_BIND_END)
      || !kt_db_get_int (local->db, 0, &free_pages, error, "PRAGMA freelist_count", KT_BIND_END))
    return FALSE;
  if (pages * size <= VACUUM_MOST)
    return kt_db_exec (local->db, "VACUUM", error);
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (!kt_db_exec (local->db, "CREATE TABLE kt_zero (b)", error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  for (gint64 left = free_pages * size; left > 0; left -= 64 << 20)
    if (kt_db_run (local->db, error, "INSERT INTO kt_zero VALUES (zeroblob(?1))", KT_BIND_INT,
                   MIN (left, (gint64) 64 << 20), KT_BIND_END)
        < 0)
      {
        _kt_local_rollback (local);
        return FALSE;
      }
  if (kt_db_exec (local->db, "DROP TABLE kt_zero", error))
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

static gboolean
put_stage (KtLocal *local, const char *stage, GError **error)
{
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (_kt_local_put_meta (local, "kt:sweep", stage, error))
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

gboolean
kt_local_sweep (KtLocal *local, gboolean *more, GError **error)
{
  gint64 stage = _kt_local_meta_int (local, "kt:sweep", 0);
  gboolean merging = FALSE;

  *more = FALSE;
  if (stage == 1)
    {
      *more = TRUE;
      if (!_kt_local_blobs_drop_unnamed (local, error) || !_kt_local_begin (local, KT_TX_WRITE, error))
        return FALSE;
      if (merge_terms (local, TRUE, &merging, error)
          && _kt_local_put_meta (local, "kt:sweep", "2", error))
        return _kt_local_commit (local, error);
      _kt_local_rollback (local);
      return FALSE;
    }
  if (stage == 2)
    {
      *more = TRUE;
      if (!_kt_local_begin (local, KT_TX_WRITE, error))
        return FALSE;
      if (merge_terms (local, FALSE, &merging, error)
          && (merging || _kt_local_put_meta (local, "kt:sweep", "3", error)))
        return _kt_local_commit (local, error);
      _kt_local_rollback (local);
      return FALSE;
    }
  if (stage != 3)
    return TRUE;
  if (!scrub (local, error) || !put_stage (local, NULL, error))
    return FALSE;
  /* Old pages are in the log, too. Somebody who reads keeps it a moment longer: then it goes with the next one. */
  return kt_db_exec (local->db, "PRAGMA wal_checkpoint(TRUNCATE)", error);
}

/* ---- a device that is to be emptied ---- */

gboolean
kt_local_wipe_prepare (KtLocal *local, gboolean *ready, GError **error)
{
  gint64 waiting = 0;

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (kt_db_run (local->db, error, "UPDATE kt_outbox SET state=?2, seq=ifnull(seq,0) WHERE state=?1 AND escrow=1",
                 KT_BIND_INT, (gint64) KT_OUTBOX_PARKED, KT_BIND_INT, (gint64) KT_OUTBOX_SETTLED, KT_BIND_END)
        < 0
      || !_kt_local_escrow (local, NULL, NULL, error)
      || !kt_db_get_int (local->db, 0, &waiting, error, "SELECT count(*) FROM kt_outbox WHERE state<>?1",
                         KT_BIND_INT, (gint64) KT_OUTBOX_SETTLED, KT_BIND_END))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  *ready = waiting == 0;
  return _kt_local_commit (local, error);
}

static void
remove_blobs (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *inner = g_build_filename (path, name, NULL);

      if (g_file_test (inner, G_FILE_TEST_IS_DIR) && !g_file_test (inner, G_FILE_TEST_IS_SYMLINK))
        remove_blobs (inner);
      g_remove (inner);
    }
}

gboolean
kt_local_wipe (KtLocal *local, GError **error)
{
  g_autofree char *blobs = g_build_filename (local->dir, "blobs", NULL);
  gint64 waiting = 0;

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (!kt_db_get_int (local->db, 0, &waiting, error, "SELECT count(*) FROM kt_outbox WHERE state<>?1",
                      KT_BIND_INT, (gint64) KT_OUTBOX_SETTLED, KT_BIND_END)
      || waiting > 0)
    {
      _kt_local_rollback (local);
      if (waiting > 0)
        g_set_error (error, KT_ERROR, KT_ERROR_UNSETTLED, "%" G_GINT64_FORMAT " changes are not sent yet", waiting);
      return FALSE;
    }
  if (!_kt_local_forget_everything (local, error)
      || !kt_db_exec (local->db,
                      "DELETE FROM kt_kept; DELETE FROM kt_news;"
                      "DELETE FROM kt_meta WHERE key IN ('kt:identity', 'kt:sweep', 'kt:blob_look')",
                      error)
      || !_kt_local_refresh (local, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  if (!_kt_local_commit (local, error))
    return FALSE;
  remove_blobs (blobs);
  return kt_db_exec (local->db, "INSERT INTO kt_search (kt_search) VALUES ('optimize')", error)
         && kt_db_exec (local->db, "VACUUM", error)
         && kt_db_exec (local->db, "PRAGMA wal_checkpoint(TRUNCATE)", error);
}
