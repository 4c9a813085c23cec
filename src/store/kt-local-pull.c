/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Pages from the server (I4, I5, I7).
 *
 * First pull (not ready): every page goes straight into the tables, in one
 * transaction with its cursor, and nothing is shown before the last one. A page
 * that cannot be read back after a crash is simply asked for again.
 *
 * Later pulls: rows wait in memory, or in kt_stage when there are many or more
 * pages to come; the last page swaps everything in:
 *
 *   page 1 ──► kt_stage, kt:stage_cursor        (kt_local_cursor answers this one: a restart goes on here)
 *   page 2 ──► kt_stage, kt:stage_cursor
 *   page 3 ──► ┌ one transaction ──────────────────────────────────────────────┐
 *              │ each row: shadow there → replace shadow, else replace record   │
 *              │ settled entries with seq <= page.seq leave                     │
 *              │ records of both: visible = overlay (shadow)                    │
 *              │ kt:cursor, kt:seq; kt_stage emptied                            │
 *              └────────────────────────────────────────────────────────────────┘
 *
 * A first pull of many records goes faster without the secondary indices of their table: they are taken off
 * at BARE_ROWS, noted in kt_bare, and made again with the last page.
 *
 * A pull that starts from no cursor (after kt_local_reset_cursor) replaces all:
 * what it does not hold goes, and a copy of it to kt_kept.                        */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

#define BARE_ROWS 1000   /* of one object in one page */
#define MAX_PENDING 2000 /* rows of a page kept in memory before they go to kt_stage */

typedef struct
{
  KtLocal *local;
  KtPage *page;
  KtChanges *changes;
  GHashTable *touched; /* records with a shadow that a row replaced */
  GPtrArray *pending;  /* Row* */
  KtSums *sums;        /* what the page does to the sums that are kept */
  gboolean staged;     /* kt_stage has rows */
  gboolean all;        /* replaces all */
  gboolean shadows;    /* there may be shadows */
  GHashTable *left;    /* KtId: records that the server took away */
} Pull;

typedef struct
{
  const KtObject *object;
  KtId id;
  KtRecord *record; /* NULL: gone */
  gboolean kept;    /* gone by a conclusion of ours, so a copy is kept */
} Row;

static void
row_free (gpointer data)
{
  Row *row = data;

  g_clear_pointer (&row->record, kt_record_unref);
  g_free (row);
}

/* ---- cursor ---- */

char *
kt_local_cursor (KtLocal *local, GError **error)
{
  g_autoptr (GError) failure = NULL;
  char *cursor = _kt_local_meta (local, "kt:stage_cursor", &failure);

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  return cursor != NULL ? cursor : _kt_local_meta (local, "kt:cursor", error);
}

gboolean
kt_local_at_rest (KtLocal *local)
{
  g_autofree char *cursor = NULL;
  g_autofree char *staged = NULL;
  gboolean mine, rest = FALSE;

  if (!_kt_local_read_begin (local, &mine, NULL))
    return FALSE;
  if (local->ready && local->schema != NULL)
    {
      cursor = _kt_local_meta (local, "kt:cursor", NULL);
      staged = _kt_local_meta (local, "kt:stage_cursor", NULL);
      rest = cursor != NULL && staged == NULL;
    }
  _kt_local_read_end (local, mine);
  return rest;
}

gboolean
kt_local_pull_anew (KtLocal *local, GError **error)
{
  g_return_val_if_fail (local != NULL, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (kt_db_exec (local->db,
                  "DELETE FROM kt_stage; DELETE FROM kt_meta WHERE key IN"
                  " ('kt:cursor', 'kt:stage_cursor', 'kt:stage_all')",
                  error)
      && _kt_local_refresh (local, error))
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

gboolean
kt_local_reset_cursor (KtLocal *local, GError **error)
{
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (kt_db_exec (local->db,
                  "DELETE FROM kt_stage; DELETE FROM kt_meta WHERE key IN"
                  " ('kt:cursor', 'kt:stage_cursor', 'kt:stage_all', 'kt:epoch', 'kt:seq')",
                  error)
      && (local->ready || _kt_local_put_meta (local, "kt:wipe", "1", error))
      /* Another life does not know our verdicts' seq: whoever decided may be asked again. */
      && kt_db_run (local->db, error,
                    "UPDATE kt_outbox SET state=?1, outcome=NULL, seq=NULL WHERE state=?2",
                    KT_BIND_INT, (gint64) KT_OUTBOX_SENT, KT_BIND_INT, (gint64) KT_OUTBOX_SETTLED,
                    KT_BIND_END)
           >= 0
      && _kt_local_refresh (local, error))
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

/* ---- one row ---- */

/* The server's version of a record becomes another one. */
static void
note_sums (Pull *pull, const KtRecord *before, const KtRecord *after)
{
  KtDigest one;

  if (before != NULL)
    {
      kt_digest_of (before, &one);
      kt_sums_leave (pull->sums, before->object->number, &before->id, &one);
    }
  if (after != NULL)
    {
      kt_digest_of (after, &one);
      kt_sums_join (pull->sums, after->object->number, &after->id, &one);
    }
}

static gboolean
replace_shadow (Pull *pull,
                const Row *row,
                gboolean known,
                const KtRecord *old,
                gint64 old_rev,
                GError **error)
{
  if (row->record != NULL && !pull->all && row->record->rev < old_rev)
    return TRUE;
  note_sums (pull, old, row->record);
  _kt_touched_add (pull->touched, row->object, &row->id);
  if (row->record == NULL && !row->kept && known)
    return _kt_local_left (pull->local, row->object, &row->id, error)
           && _kt_local_escrow (pull->local, &row->id, pull->changes, error);
  return _kt_local_put_shadow (pull->local, row->object, &row->id, row->record, error);
}

static gboolean
take_row (Pull *pull, const Row *row, GError **error)
{
  KtLocal *local = pull->local;
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) old = NULL;
  g_autoptr (GError) failure = NULL;
  gint64 rev = 0;

  if (pull->shadows)
    switch (_kt_local_shadow (local, row->object, &row->id, &old, &rev, error))
      {
      case KT_SHADOW_ERROR:
        return FALSE;
      case KT_SHADOW_ABSENT:
        break;
      case KT_SHADOW_NONE:
        return replace_shadow (pull, row, FALSE, old, rev, error);
      case KT_SHADOW_LEFT:
      case KT_SHADOW_RECORD:
      default:
        return replace_shadow (pull, row, TRUE, old, rev, error);
      }
  before = kt_table_load (local->db, row->object, &row->id, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  /* Of two pages that hold a record, an older one never wins. */
  if (row->record != NULL && before != NULL && !pull->all && row->record->rev < before->rev)
    return TRUE;
  note_sums (pull, before, row->record);
  if (row->record == NULL && !row->kept)
    g_hash_table_add (pull->left, kt_id_copy (&row->id));
  return _kt_local_show (local, before, row->record, FALSE, pull->changes, error);
}

static KtRecord *
read_row (const KtPage *page)
{
  KtRecord *record = kt_record_new (page->object, &page->id);

  record->rev = page->rev;
  for (guint i = 0; i < page->n_fields; i++)
    if (page->fields[i] != NULL)
      kt_value_copy (&page->values[i], &record->values[page->fields[i]->index]);
  return record;
}

/* ---- staging ---- */

static gboolean
stage_row (KtLocal *local, const Row *row, GError **error)
{
  g_autofree char *text = row->record != NULL ? _kt_local_record_text (row->record) : NULL;
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    local->db, "INSERT INTO kt_stage (object, id, rev, record) VALUES (?1, ?2, ?3, ?4)", error);

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_text (stmt, 1, row->object->name);
  kt_stmt_bind_id (stmt, 2, &row->id);
  kt_stmt_bind_int (stmt, 3, row->record != NULL ? row->record->rev : 0);
  kt_stmt_bind_text (stmt, 4, text);
  return kt_stmt_step (stmt, error) == KT_STEP_DONE;
}

static gboolean
spill (Pull *pull, GError **error)
{
  for (guint i = 0; i < pull->pending->len; i++)
    if (!stage_row (pull->local, g_ptr_array_index (pull->pending, i), error))
      return FALSE;
  pull->staged |= pull->pending->len > 0;
  g_ptr_array_set_size (pull->pending, 0);
  return TRUE;
}

static gboolean
swap_stage (Pull *pull, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    pull->local->db, "SELECT object, id, rev, record FROM kt_stage ORDER BY pos", error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) record = NULL;
      Row row = { kt_schema_object (pull->local->schema, kt_stmt_text (stmt, 0)), KT_ID_NIL, NULL };

      if (row.object == NULL || !kt_stmt_id (stmt, 1, &row.id))
        continue;
      if (!kt_stmt_is_null (stmt, 3))
        {
          record = _kt_local_record_parse (row.object, &row.id, kt_stmt_int (stmt, 2),
                                           kt_stmt_text (stmt, 3), error);
          if (record == NULL)
            return FALSE;
        }
      row.record = record;
      if (!take_row (pull, &row, error))
        return FALSE;
    }
  return step == KT_STEP_DONE;
}

/* ---- what a pull of everything does not hold ---- */

static gboolean
keep_lost (Pull *pull, const char *why, const KtRecord *record, GError **error)
{
  g_autoptr (GString) json = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (json);

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "object", record->object->name);
  kt_json_key (&writer, "record");
  kt_record_to_json (record, FALSE, &writer);
  kt_json_end_object (&writer);
  return _kt_local_keep (pull->local, why, json->str, error);
}

static gboolean
drop_absent (Pull *pull, const KtObject *object, GError **error)
{
  KtLocal *local = pull->local;
  g_autoptr (GPtrArray) lost = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autofree char *sql =
    g_strdup_printf ("SELECT %s FROM \"o_%s\" WHERE id NOT IN (SELECT id FROM kt_stage)",
                     kt_table_columns (local->db, object, NULL), object->name);
  KtStep step;

  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);

    if (stmt == NULL)
      return FALSE;
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      g_ptr_array_add (lost, kt_table_read (stmt, 0, object));
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  for (guint i = 0; i < lost->len; i++)
    {
      const KtRecord *record = g_ptr_array_index (lost, i);
      /* What this user may not see any more has left, and is not kept. */
      Row row = { object, record->id, NULL,
                  kt_access_may (&local->identity->access, KT_MAY_READ, object, record, NULL, NULL) };

      if ((row.kept && !keep_lost (pull, "not on the server after a reset", record, error))
          || !take_row (pull, &row, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
drop_all_absent (Pull *pull, GError **error)
{
  const KtObject *const *objects;
  guint n = 0;

  objects = kt_schema_objects (pull->local->schema, &n);
  for (guint i = 0; i < n; i++)
    if (!drop_absent (pull, objects[i], error))
      return FALSE;
  return TRUE;
}

/* ---- the first pull ---- */

typedef struct
{
  KtRecord *record; /* values borrowed from the page */
  char *exists;
  gint64 next_rid;
  guint n; /* inserted since the object began */
} Direct;

static void
direct_clear (Direct *direct)
{
  if (direct->record != NULL)
    for (guint i = 0; i < direct->record->object->n_fields; i++)
      direct->record->values[i] = KT_VALUE_INIT;
  g_clear_pointer (&direct->record, kt_record_unref);
  g_clear_pointer (&direct->exists, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Direct, direct_clear)

static gboolean
direct_fill (Direct *direct, KtLocal *local, const KtPage *page, GError **error)
{
  if (direct->record == NULL || direct->record->object != page->object)
    {
      g_autofree char *sql =
        g_strdup_printf ("SELECT max(rid)+1 FROM \"o_%s\"", page->object->name);

      direct_clear (direct);
      direct->n = 0;
      direct->record = kt_record_new (page->object, &page->id);
      if (!kt_db_get_int (local->db, ((gint64) page->object->number << KT_RID_SHIFT) + 1,
                          &direct->next_rid, error, sql, KT_BIND_END))
        return FALSE;
      direct->exists = g_strdup_printf ("SELECT rid FROM \"o_%s\" WHERE id=?1", page->object->name);
    }
  else
    for (guint i = 0; i < page->object->n_fields; i++)
      direct->record->values[i] = KT_VALUE_INIT;
  direct->record->id = page->id;
  direct->record->rev = page->rev;
  direct->record->rid = 0;
  for (guint i = 0; i < page->n_fields; i++)
    if (page->fields[i] != NULL)
      {
        KtValue *value = &direct->record->values[page->fields[i]->index];

        *value = page->values[i];
        value->borrowed = TRUE;
      }
  return TRUE;
}

/* ---- without indices ---- */

static gboolean
list_indices (KtLocal *local,
              const char *sql,
              const char *a,
              const char *b,
              GPtrArray *out,
              GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  if (a != NULL)
    {
      kt_stmt_bind_text (stmt, 1, a);
      kt_stmt_bind_text (stmt, 2, b);
    }
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_ptr_array_add (out, g_strdup (kt_stmt_text (stmt, 0)));
      g_ptr_array_add (out, g_strdup (kt_stmt_text (stmt, 1)));
    }
  return step == KT_STEP_DONE;
}

static gboolean
take_off_indices (KtLocal *local, const KtObject *object, GError **error)
{
  g_autoptr (GPtrArray) indices = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *table = g_strconcat ("o_", object->name, NULL);
  g_autofree char *keys = g_strdup_printf ("kt_key_%u", object->number);

  if (!list_indices (
        local,
        "SELECT name, sql FROM sqlite_master WHERE type='index' AND tbl_name IN (?1, ?2)"
        " AND sql IS NOT NULL",
        table, keys, indices, error))
    return FALSE;
  for (guint i = 0; i + 1 < indices->len; i += 2)
    {
      const char *name = g_ptr_array_index (indices, i);
      g_autofree char *drop = g_strdup_printf ("DROP INDEX \"%s\"", name);

      if (kt_db_run (local->db, error, "INSERT OR REPLACE INTO kt_bare (name, sql) VALUES (?1, ?2)",
                     KT_BIND_TEXT, name, KT_BIND_TEXT,
                     (const char *) g_ptr_array_index (indices, i + 1), KT_BIND_END)
            < 0
          || !kt_db_exec (local->db, drop, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kt_local_put_on_indices (KtLocal *local, GError **error)
{
  g_autoptr (GPtrArray) indices = g_ptr_array_new_with_free_func (g_free);

  if (!list_indices (
        local, "SELECT name, sql FROM kt_bare WHERE name NOT IN (SELECT name FROM sqlite_master)",
        NULL, NULL, indices, error))
    return FALSE;
  for (guint i = 1; i < indices->len; i += 2)
    if (!kt_db_exec (local->db, g_ptr_array_index (indices, i), error))
      return FALSE;
  return kt_db_exec (local->db, "DELETE FROM kt_bare", error);
}

static gboolean
direct_exists (KtLocal *local, const Direct *direct, gboolean *out, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, direct->exists, error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &direct->record->id);
  step = kt_stmt_step (stmt, error);
  *out = step == KT_STEP_ROW;
  return step != KT_STEP_ERROR;
}

static gboolean
direct_insert (Pull *pull, const KtPlan *plan, Direct *direct, GError **error)
{
  KtLocal *local = pull->local;
  KtRecord *record = direct->record;
  KT_STMT_SCOPE *stmt = NULL;
  int param = 4;

  if (++direct->n == BARE_ROWS && !take_off_indices (local, record->object, error))
    return FALSE;
  stmt = kt_table_insert_stmt (local->db, record->object, error);
  if (stmt == NULL)
    return FALSE;
  record->rid = direct->next_rid++;
  kt_stmt_bind_int (stmt, 1, record->rid);
  kt_stmt_bind_id (stmt, 2, &record->id);
  kt_stmt_bind_int (stmt, 3, record->rev);
  for (guint i = 0; i < record->object->n_fields; i++)
    {
      const KtField *field = record->object->fields[i];

      kt_table_bind (stmt, param, field, &record->values[i]);
      param += field->storage == KT_VALUE_MONEY || field->storage == KT_VALUE_ANY ? 2 : 1;
    }
  if (kt_stmt_step (stmt, error) != KT_STEP_DONE)
    return FALSE;
  note_sums (pull, NULL, record);
  return _kt_local_index_terms (local, plan, NULL, record, error)
         && _kt_local_index_keys (local, plan, record, error);
}

static gboolean
direct_row (Pull *pull, Direct *direct, GError **error)
{
  KtLocal *local = pull->local;
  const KtPage *page = pull->page;
  gboolean exists = FALSE;

  if (!pull->shadows)
    {
      if (!direct_fill (direct, local, page, error)
          || !direct_exists (local, direct, &exists, error))
        return FALSE;
      if (!exists)
        return direct_insert (pull, _kt_local_plan (local, page->object), direct, error);
    }
  {
    Row row = { page->object, page->id, read_row (page) };
    g_autoptr (KtRecord) record = row.record;

    return take_row (pull, &row, error);
  }
}

/* ---- a page ---- */

static gboolean
check_page (Pull *pull, GError **error)
{
  KtLocal *local = pull->local;
  const KtPage *page = pull->page;
  g_autofree char *epoch = _kt_local_meta (local, "kt:epoch", NULL);
  char now[KT_ID_TEXT_SIZE];

  if (page->schema_digest != NULL && *page->schema_digest != '\0'
      && strcmp (page->schema_digest, local->schema_digest) != 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA,
                   "The server has changed its objects and fields since");
      return FALSE;
    }
  kt_id_format (&page->epoch, now);
  if (epoch != NULL && strcmp (epoch, now) != 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_EPOCH,
                   "The server has been restored or replaced since");
      return FALSE;
    }
  return epoch != NULL || _kt_local_put_meta (local, "kt:epoch", now, error);
}

/* Keeps a row for the swap. */
static gboolean
hold_row (Pull *pull, gboolean gone, GError **error)
{
  Row *row = g_new0 (Row, 1);

  row->object = pull->page->object;
  row->id = pull->page->id;
  row->record = gone ? NULL : read_row (pull->page);
  g_ptr_array_add (pull->pending, row);
  return pull->pending->len < MAX_PENDING || spill (pull, error);
}

static gboolean
read_page (Pull *pull, GError **error)
{
  g_auto (Direct) direct = { NULL, NULL, 0, 0 };
  gboolean ready = pull->local->ready;

  for (;;)
    switch (kt_page_next (pull->page, error))
      {
      case KT_PAGE_ROW:
        if (pull->page->object == NULL)
          break;
        if (!(ready ? hold_row (pull, FALSE, error) : direct_row (pull, &direct, error)))
          return FALSE;
        break;
      case KT_PAGE_GONE:
        if (pull->page->object == NULL)
          break;
        if (ready)
          {
            if (!hold_row (pull, TRUE, error))
              return FALSE;
          }
        else
          {
            Row row = { pull->page->object, pull->page->id, NULL };

            if (!take_row (pull, &row, error))
              return FALSE;
          }
        break;
      case KT_PAGE_END:
        return TRUE;
      case KT_PAGE_ERROR:
      default:
        return FALSE;
      }
}

/* More pages are to come: this one waits, and the next is asked for from its end. */
static gboolean
end_between (Pull *pull, GError **error)
{
  KtLocal *local = pull->local;

  if (!local->ready)
    return _kt_local_recompute_all (local, pull->touched, FALSE, NULL, error)
           && _kt_local_put_meta (local, "kt:cursor", pull->page->cursor, error);
  return spill (pull, error)
         && _kt_local_put_meta (local, "kt:stage_cursor", pull->page->cursor, error)
         && _kt_local_put_meta_int (local, "kt:stage_all", pull->all, error);
}

static gboolean
swap (Pull *pull, GError **error)
{
  if (pull->staged || pull->all)
    {
      if (!spill (pull, error) || !swap_stage (pull, error)
          || (pull->all && !drop_all_absent (pull, error)))
        return FALSE;
      return kt_db_exec (pull->local->db, "DELETE FROM kt_stage", error);
    }
  for (guint i = 0; i < pull->pending->len; i++)
    if (!take_row (pull, g_ptr_array_index (pull->pending, i), error))
      return FALSE;
  return TRUE;
}

static gboolean
end_last (Pull *pull, GError **error)
{
  KtLocal *local = pull->local;
  gboolean left = FALSE;

  if (local->ready && !pull->all && pull->page->seq < local->seq)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                   "The page is older than what is here already");
      return FALSE;
    }
  if (!(local->ready ? swap (pull, error) : _kt_local_put_on_indices (local, error))
      || !_kt_local_cover (local, &pull->page->settled_id, pull->page->seq, pull->touched, error)
      || ((pull->all || !local->ready) && !_kt_local_end_old_life (local, pull->touched, error))
      || !_kt_local_leave_settled (local, pull->page->seq, pull->touched, &left, error)
      || !_kt_local_recompute_all (local, pull->touched, FALSE, pull->changes, error)
      || !_kt_local_forget (local, pull->left, error))
    return FALSE;
  if (left)
    pull->changes->set->outbox = TRUE;
  if (!local->ready)
    pull->changes->set->everything = TRUE;
  if (!local->ready && !_kt_local_blobs_stir (local, error))
    return FALSE;
  return kt_db_exec (local->db,
                     "DELETE FROM kt_meta WHERE key IN ('kt:stage_cursor', 'kt:stage_all')", error)
         && _kt_local_put_meta (local, "kt:cursor", pull->page->cursor, error)
         && _kt_local_put_meta_int (local, "kt:seq", pull->page->seq, error)
         && _kt_local_put_meta (local, "kt:ready", "1", error) && _kt_local_refresh (local, error);
}

static gboolean
apply (Pull *pull, GError **error)
{
  KtLocal *local = pull->local;
  gint64 n = 0;

  if (!_kt_local_require (local, error) || !check_page (pull, error))
    return FALSE;
  if (_kt_local_meta_int (local, "kt:wipe", 0) != 0
      && !(_kt_local_wipe_records (local, TRUE, error)
           && _kt_local_put_meta (local, "kt:wipe", NULL, error)))
    return FALSE;
  if (!kt_db_get_int (local->db, 0, &n, error, "SELECT EXISTS (SELECT 1 FROM kt_shadow)",
                      KT_BIND_END))
    return FALSE;
  pull->shadows = n != 0;
  if (local->ready)
    {
      g_autofree char *cursor = _kt_local_meta (local, "kt:cursor", NULL);

      if (!kt_db_get_int (local->db, 0, &n, error, "SELECT EXISTS (SELECT 1 FROM kt_stage)",
                          KT_BIND_END))
        return FALSE;
      pull->staged = n != 0;
      /* Asked for everything: a part of it, perhaps one of long ago, must not pass for that. */
      if (cursor == NULL && !pull->page->snapshot
          && _kt_local_meta_int (local, "kt:stage_all", 0) == 0)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                       "The server sent some changes where everything was asked for");
          return FALSE;
        }
      pull->all = cursor == NULL || pull->page->snapshot
                  || _kt_local_meta_int (local, "kt:stage_all", 0) != 0;
    }
  if (!read_page (pull, error))
    return FALSE;
  if (pull->page->skipped_rows > 0 || pull->page->skipped_values > 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA,
                   "The server has objects or fields that are not known here yet");
      return FALSE;
    }
  return (pull->page->more ? end_between (pull, error) : end_last (pull, error))
         && kt_sums_flush (pull->sums, local->db, error);
}

gboolean
kt_local_apply_page (KtLocal *local,
                     KtPage *page,
                     gboolean *done,
                     KtChangeSet **changes,
                     GError **error)
{
  g_auto (KtChanges) collected = { 0 };
  g_autoptr (GHashTable) touched = _kt_touched_new ();
  g_autoptr (GPtrArray) pending = g_ptr_array_new_with_free_func (row_free);
  g_autoptr (KtSums) sums = kt_sums_new ();
  g_autoptr (GHashTable) left = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  Pull pull = { local, page, &collected, touched, pending, sums, FALSE, FALSE, FALSE, left };

  g_return_val_if_fail (page != NULL && !page->repair, FALSE);

  /* A first pull that loses its last pages to a power cut asks for them again: no need to wait for the disk. */
  if (!(local->ready ? _kt_local_begin (local, KT_TX_WRITE, error)
                     : _kt_local_begin_relaxed (local, error)))
    return FALSE;
  _kt_changes_init (&collected, local);
  if (!apply (&pull, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  if (!_kt_local_commit (local, error))
    return FALSE;
  /* The log of a first pull is as large as the file: give it back. That it cannot be done now is no harm. */
  if (collected.set->everything && local->relaxed)
    kt_db_exec (local->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL);
  if (done != NULL)
    *done = !page->more;
  if (changes != NULL)
    *changes = page->more ? NULL : _kt_changes_steal (&collected);
  return TRUE;
}

/* ---- single rows (P4) ---- */

static gboolean
same_content (const KtRecord *a, const KtRecord *b)
{
  for (guint i = 0; i < a->object->n_fields; i++)
    if (!kt_value_equal (&a->values[i], &b->values[i]))
      return FALSE;
  return TRUE;
}

/* What the server is supposed to have, on this side. */
static gboolean
load_held (Pull *pull, const KtObject *object, const KtId *id, KtRecord **held, GError **error)
{
  g_autoptr (GError) failure = NULL;

  switch (_kt_local_shadow (pull->local, object, id, held, NULL, error))
    {
    case KT_SHADOW_ERROR:
      return FALSE;
    case KT_SHADOW_NONE:
    case KT_SHADOW_RECORD:
      return TRUE;
    case KT_SHADOW_ABSENT:
    default:
      break;
    }
  *held = kt_table_load (pull->local->db, object, id, &failure);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
mend_row (Pull *pull, gboolean gone, guint *mended, GError **error)
{
  const KtPage *page = pull->page;
  g_autoptr (KtRecord) record = gone ? NULL : read_row (page);
  g_autoptr (KtRecord) held = NULL;
  Row row = { page->object, page->id, record, TRUE };

  /* What is newer, or may only be gone since, comes with the next pull and what belongs to it (P5). */
  if (gone ? page->seq != pull->local->seq : record->rev > pull->local->seq)
    return TRUE;
  if (!load_held (pull, page->object, &page->id, &held, error))
    return FALSE;
  if (held == NULL ? record == NULL
                   : record != NULL && held->rev == record->rev && same_content (held, record))
    return TRUE;
  if (held != NULL
      && !keep_lost (pull, gone ? "not on the server at a comparison" : "other than on the server",
                     held, error))
    return FALSE;
  ++*mended;
  return take_row (pull, &row, error);
}

static gboolean
mend_rows (Pull *pull, GHashTable *left, guint *mended, GError **error)
{
  for (;;)
    {
      KtPageEvent event = kt_page_next (pull->page, error);

      if (event == KT_PAGE_END)
        return TRUE;
      if (event != KT_PAGE_ROW && event != KT_PAGE_GONE)
        return FALSE;
      /* Nothing that was not asked for. */
      if (pull->page->object == NULL || !g_hash_table_remove (left, &pull->page->id))
        continue;
      if (!mend_row (pull, event == KT_PAGE_GONE, mended, error))
        return FALSE;
    }
}

gboolean
kt_local_apply_rows (KtLocal *local,
                     KtPage *page,
                     GHashTable *left,
                     guint *mended,
                     KtChangeSet **changes,
                     GError **error)
{
  g_auto (KtChanges) collected = { 0 };
  g_autoptr (GHashTable) touched = _kt_touched_new ();
  g_autoptr (KtSums) sums = kt_sums_new ();
  Pull pull = { local, page, &collected, touched, NULL, sums, FALSE, TRUE, TRUE, NULL };

  g_return_val_if_fail (page != NULL && page->repair && left != NULL && mended != NULL, FALSE);

  *mended = 0;
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  _kt_changes_init (&collected, local);
  if (!_kt_local_require (local, error) || !check_page (&pull, error)
      || !mend_rows (&pull, left, mended, error)
      || !_kt_local_recompute_all (local, touched, FALSE, &collected, error)
      || !kt_sums_flush (sums, local->db, error))
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
