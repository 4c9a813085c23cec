/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The outbox: what this device has done and the server has not settled.
 *
 *            take                settle: refused
 *   QUEUED ─────────► SENT ─────────────────────► PARKED ──► discard (kt_kept)
 *     ▲  │              │                           │
 *     │  └► undo        │ settle: any other         │ retry
 *     │                 ▼                           │
 *     │              SETTLED ──► leaves with its page (I4), its inverse to kt_done
 *     └─────────────────────────────────────────────┘
 *
 * Numbers are given in take, in the order of sending, without gaps: the meta
 * kt:next_number and the rows change in one transaction. A QUEUED entry that
 * builds on a parked one is passed over, everything else goes on (P12).          */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

#define DONE_ENTRIES 1000
#define DONE_BATCHES 20

static const char *const kind_words[] = { "create", "update", "delete", "restore" };

/* ---- sets of records ---- */

GHashTable *
_kt_touched_new (void)
{
  return g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
}

void
_kt_touched_add (GHashTable *touched, const KtObject *object, const KtId *id)
{
  KtTouched *entry;

  if (object == NULL || g_hash_table_contains (touched, id))
    return;
  entry = g_new (KtTouched, 1);
  entry->id = *id;
  entry->object = object;
  g_hash_table_add (touched, entry);
}

gboolean
_kt_local_recompute_all (KtLocal *local,
                         GHashTable *touched,
                         gboolean by_me,
                         KtChanges *changes,
                         GError **error)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, touched);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      const KtTouched *entry = key;

      if (!_kt_local_recompute (local, entry->object, &entry->id, by_me, changes, error))
        return FALSE;
    }
  return TRUE;
}

/* ---- writing and reading entries ---- */

gboolean
_kt_local_add_op (KtLocal *local,
                  gint64 no,
                  gint64 pos,
                  int kind,
                  const char *object,
                  const KtId *id,
                  gint64 base_rev,
                  const char *patch,
                  GError **error)
{
  /* Until the first whole pull of a server's new life, revs here may be those of the old one. */
  gint64 common = base_rev > 0 ? _kt_local_meta_int (local, "kt:common", G_MAXINT64) : G_MAXINT64;
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db,
                "INSERT INTO kt_outbox_op (no, pos, kind, object, id, base_rev, patch)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                error);

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, no);
  kt_stmt_bind_int (stmt, 2, pos);
  kt_stmt_bind_int (stmt, 3, kind);
  kt_stmt_bind_text (stmt, 4, object);
  kt_stmt_bind_id (stmt, 5, id);
  kt_stmt_bind_int (stmt, 6, MIN (base_rev, common));
  kt_stmt_bind_text (stmt, 7, patch);
  return kt_stmt_step (stmt, error) == KT_STEP_DONE;
}

static gboolean
add_op (KtLocal *local, gint64 no, gint64 pos, const KtOp *op, GError **error)
{
  g_autoptr (GString) text = NULL;

  if (op->patch != NULL)
    {
      KtJsonWriter writer = KT_JSON_WRITER (NULL);

      text = g_string_new (NULL);
      writer.out = text;
      kt_patch_to_json (op->patch, &writer);
    }
  return _kt_local_add_op (local, no, pos, (int) op->kind, op->object->name, &op->id, op->base_rev,
                           text != NULL ? text->str : NULL, error);
}

gint64
_kt_local_add_entry (KtLocal *local, const KtMutation *mutation, GError **error)
{
  gint64 no = -1;

  if (!kt_db_get_int (local->db, -1, &no, error,
                      "INSERT INTO kt_outbox (state, at, origin, batch, resolves, resolution, made, id)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING no",
                      KT_BIND_INT, (gint64) KT_OUTBOX_QUEUED, KT_BIND_TEXT, mutation->at,
                      KT_BIND_TEXT, mutation->origin, KT_BIND_TEXT, mutation->batch, KT_BIND_ID,
                      kt_id_is_nil (&mutation->resolves) ? NULL : &mutation->resolves, KT_BIND_TEXT,
                      mutation->resolution, KT_BIND_INT, local->env->now_us (local->env->data),
                      KT_BIND_ID, &mutation->id, KT_BIND_END))
    return -1;
  for (guint i = 0; i < mutation->ops->len; i++)
    if (!add_op (local, no, i, g_ptr_array_index (mutation->ops, i), error))
      return -1;
  if (!kt_id_is_nil (&mutation->resolves)
      && !_kt_local_add_op (local, no, mutation->ops->len, KT_MUTATE_RESOLVE, "sync_conflict",
                  &mutation->resolves, 0, NULL, error))
    return -1;
  return no;
}

static gboolean
read_ops (KtLocal *local, gint64 no, KtMutation *mutation, char **unknown, GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db,
                "SELECT kind, object, id, base_rev, patch FROM kt_outbox_op WHERE no=?1"
                " ORDER BY pos",
                error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, no);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      int kind = (int) kt_stmt_int (stmt, 0);
      const char *name = kt_stmt_text (stmt, 1);
      const char *patch = kt_stmt_text (stmt, 4);
      const KtObject *object = kt_schema_object (local->schema, name);
      KtId id;

      if (kind == KT_MUTATE_RESOLVE || !kt_stmt_id (stmt, 2, &id))
        continue;
      if (object == NULL)
        {
          if (unknown != NULL && *unknown == NULL)
            *unknown = g_strdup (name);
          continue;
        }
      kt_mutation_add (mutation, (KtMutateKind) kind, object, &id, kt_stmt_int (stmt, 3),
                       patch != NULL ? _kt_local_patch_parse (
                         object, patch, NULL, unknown != NULL && *unknown == NULL ? unknown : NULL)
                       : kind <= KT_MUTATE_UPDATE ? kt_patch_new (object)
                                                  : NULL);
    }
  return step == KT_STEP_DONE;
}

#define ENTRY_COLUMNS \
  "no, state, number, at, origin, batch, resolves, resolution, made, reason, code, outcome, seq, id"

static KtMutation *
read_head (KtStmt *stmt)
{
  KtMutation *mutation = kt_mutation_new (kt_stmt_text (stmt, 3), kt_stmt_text (stmt, 4));

  if (!kt_stmt_id (stmt, 13, &mutation->id))
    mutation->id = KT_ID_NIL;
  mutation->number = kt_stmt_int (stmt, 2);
  mutation->batch = g_strdup (kt_stmt_text (stmt, 5));
  if (!kt_stmt_id (stmt, 6, &mutation->resolves))
    mutation->resolves = KT_ID_NIL;
  mutation->resolution = g_strdup (kt_stmt_text (stmt, 7));
  return mutation;
}

KtMutation *
_kt_local_read_mutation (KtLocal *local, gint64 no, char **unknown, GError **error)
{
  g_autoptr (KtMutation) mutation = NULL;
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db, "SELECT " ENTRY_COLUMNS " FROM kt_outbox WHERE no=?1", error);

  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_int (stmt, 1, no);
  if (kt_stmt_step (stmt, error) != KT_STEP_ROW)
    return NULL;
  mutation = read_head (stmt);
  kt_stmt_reset (stmt);
  return read_ops (local, no, mutation, unknown, error) ? g_steal_pointer (&mutation) : NULL;
}

/* ---- showing ---- */

void
kt_outbox_entry_free (KtOutboxEntry *entry)
{
  if (entry == NULL)
    return;
  kt_mutation_free (entry->mutation);
  kt_verdict_clear (&entry->verdict);
  g_free (entry->reason);
  g_free (entry->reason_code);
  g_free (entry);
}

static KtOutboxEntry *
read_entry (KtStmt *stmt)
{
  KtOutboxEntry *entry = g_new0 (KtOutboxEntry, 1);

  entry->no = kt_stmt_int (stmt, 0);
  entry->state = (KtOutboxState) kt_stmt_int (stmt, 1);
  entry->mutation = read_head (stmt);
  entry->made_at_us = kt_stmt_int (stmt, 8);
  entry->reason = g_strdup (kt_stmt_text (stmt, 9));
  entry->reason_code = g_strdup (kt_stmt_text (stmt, 10));
  if (!kt_stmt_is_null (stmt, 11))
    {
      entry->verdict.number = entry->mutation->number;
      entry->verdict.outcome = (KtOutcome) kt_stmt_int (stmt, 11);
      entry->verdict.seq = kt_stmt_int (stmt, 12);
      entry->verdict.code = g_strdup (entry->reason_code);
      entry->verdict.message = g_strdup (entry->reason);
    }
  return entry;
}

static GPtrArray *
list_outbox (KtLocal *local, guint limit, GError **error)
{
  g_autoptr (GPtrArray) entries =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_outbox_entry_free);
  g_autoptr (GHashTable) held = _kt_local_held (local, error);
  KtStep step;

  if (held == NULL)
    return NULL;
  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (
      local->db, "SELECT " ENTRY_COLUMNS " FROM kt_outbox WHERE state<>?1 ORDER BY no LIMIT ?2",
      error);

    if (stmt == NULL)
      return NULL;
    kt_stmt_bind_int (stmt, 1, KT_OUTBOX_SETTLED);
    kt_stmt_bind_int (stmt, 2, limit > 0 ? (gint64) limit : -1);
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      g_ptr_array_add (entries, read_entry (stmt));
    if (step != KT_STEP_DONE)
      return NULL;
  }
  for (guint i = 0; i < entries->len; i++)
    {
      KtOutboxEntry *entry = g_ptr_array_index (entries, i);
      const gint64 *cause = g_hash_table_lookup (held, &entry->no);

      if (!read_ops (local, entry->no, entry->mutation, NULL, error))
        return NULL;
      if (cause != NULL)
        {
          g_free (entry->reason);
          g_free (entry->reason_code);
          entry->reason = g_strdup_printf ("Waits for no. %" G_GINT64_FORMAT, *cause);
          entry->reason_code = g_strdup ("waiting");
        }
    }
  return g_steal_pointer (&entries);
}

GPtrArray *
kt_local_outbox (KtLocal *local, guint limit, GError **error)
{
  GPtrArray *entries = NULL;
  gboolean mine;

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  if (local->schema == NULL)
    entries = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_outbox_entry_free);
  else
    entries = list_outbox (local, limit, error);
  _kt_local_read_end (local, mine);
  return entries;
}

static gboolean
count_review (KtLocal *local, gint64 *out, GError **error)
{
  const KtObject *object =
    local->schema != NULL ? kt_schema_object (local->schema, "sync_conflict") : NULL;
  const KtField *assigned = object != NULL ? kt_object_field (object, "assigned_to") : NULL;

  *out = 0;
  if (assigned == NULL || kt_object_field (object, "state") == NULL || local->identity == NULL)
    return TRUE;
  return kt_db_get_int (
    local->db, 0, out, error,
    "SELECT count(*) FROM \"o_sync_conflict\" WHERE \"f_assigned_to\"=?1 AND \"f_state\"='open'"
    " AND \"f_deleted_at\" IS NULL",
    KT_BIND_ID, &local->identity->access.user, KT_BIND_END);
}

static gboolean
count_states (KtLocal *local, KtOutboxCounts *out, GError **error)
{
  gint64 *const counts[] = { &out->queued, &out->sent, &out->settled, &out->parked };
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db, "SELECT state, count(*) FROM kt_outbox GROUP BY state", error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gint64 state = kt_stmt_int (stmt, 0);

      if (state >= 0 && state < (gint64) G_N_ELEMENTS (counts))
        *counts[state] = kt_stmt_int (stmt, 1);
    }
  return step == KT_STEP_DONE;
}

gboolean
kt_local_outbox_counts (KtLocal *local, KtOutboxCounts *out, GError **error)
{
  KtOutboxCounts counts = { 0 };
  gboolean mine;
  gboolean done;

  if (!_kt_local_read_begin (local, &mine, error))
    return FALSE;
  done = count_states (local, &counts, error) && count_review (local, &counts.review, error);
  _kt_local_read_end (local, mine);
  if (done)
    *out = counts;
  return done;
}

/* ---- sending ---- */

/* The wire form, spliced from what is stored: a repeat has the same bytes whatever has become of the schema (I6). */
gboolean
_kt_local_append_entry (KtLocal *local, gint64 no, GString *out, GError **error)
{
  KtJsonWriter writer = KT_JSON_WRITER (out);
  gint64 escrow = 0;
  KtStep step;

  if (!kt_db_get_int (local->db, 0, &escrow, error, "SELECT escrow FROM kt_outbox WHERE no=?1",
                      KT_BIND_INT, no, KT_BIND_END))
    return FALSE;

  {
    KT_STMT_SCOPE *stmt =
      kt_db_stmt (local->db, "SELECT " ENTRY_COLUMNS " FROM kt_outbox WHERE no=?1", error);
    g_autoptr (KtMutation) head = NULL;
    char id[KT_ID_TEXT_SIZE];

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, no);
    if (kt_stmt_step (stmt, error) != KT_STEP_ROW)
      return FALSE;
    head = read_head (stmt);
    kt_json_begin_object (&writer);
    kt_id_format (&head->id, id);
    kt_json_put_string (&writer, "id", id);
    kt_json_put_int (&writer, "number", head->number);
    kt_json_put_string (&writer, "at", head->at);
    kt_json_put_string (&writer, "origin", head->origin);
    if (head->batch != NULL)
      kt_json_put_string (&writer, "batch", head->batch);
    if (!kt_id_is_nil (&head->resolves))
      {
        kt_id_format (&head->resolves, id);
        kt_json_put_string (&writer, "resolves", id);
        kt_json_put_string (&writer, "resolution", head->resolution);
      }
  }
  if (escrow)
    kt_json_put_bool (&writer, "escrow", TRUE);
  kt_json_key (&writer, "ops");
  kt_json_begin_array (&writer);
  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (local->db,
                                      "SELECT kind, object, id, base_rev, patch FROM kt_outbox_op"
                                      " WHERE no=?1 AND kind<>?2 ORDER BY pos",
                                      error);

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, no);
    kt_stmt_bind_int (stmt, 2, KT_MUTATE_RESOLVE);
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      {
        gint64 kind = CLAMP (kt_stmt_int (stmt, 0), 0, (gint64) G_N_ELEMENTS (kind_words) - 1);
        char text[KT_ID_TEXT_SIZE];
        KtId id = KT_ID_NIL;

        kt_stmt_id (stmt, 2, &id);
        kt_id_format (&id, text);
        kt_json_begin_object (&writer);
        kt_json_put_string (&writer, "op", kind_words[kind]);
        kt_json_put_string (&writer, "object", kt_stmt_text (stmt, 1));
        kt_json_put_string (&writer, "id", text);
        if (kind != KT_MUTATE_CREATE)
          kt_json_put_int (&writer, "base_rev", kt_stmt_int (stmt, 3));
        if (!kt_stmt_is_null (stmt, 4))
          kt_json_put_raw (&writer, "fields", kt_stmt_text (stmt, 4));
        kt_json_end_object (&writer);
      }
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  kt_json_end_array (&writer);
  kt_json_end_object (&writer);
  return TRUE;
}

static GArray *
list_numbers (KtLocal *local, const char *sql, gint64 state, gint64 limit, GError **error)
{
  g_autoptr (GArray) out = g_array_new (FALSE, FALSE, sizeof (gint64));
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);
  KtStep step;

  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_int (stmt, 1, state);
  kt_stmt_bind_int (stmt, 2, limit);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gint64 no = kt_stmt_int (stmt, 0);

      g_array_append_val (out, no);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&out) : NULL;
}

/* *full: nothing more goes in. */
static gboolean
take_one (KtLocal *local,
          gint64 no,
          gsize bytes,
          GString *out,
          guint *n,
          gboolean *full,
          GError **error)
{
  gsize before = out->len;

  if (*n > 0)
    g_string_append_c (out, ',');
  if (!_kt_local_append_entry (local, no, out, error))
    return FALSE;
  if (*n > 0 && out->len + 1 > bytes)
    {
      g_string_truncate (out, before);
      *full = TRUE;
      return TRUE;
    }
  (*n)++;
  return TRUE;
}

static gboolean
take_queued (KtLocal *local,
             guint max,
             gsize bytes,
             GString *out,
             guint *n,
             gboolean *full,
             GError **error)
{
  g_autoptr (GHashTable) held = _kt_local_held (local, error);
  g_autoptr (GArray) queued = NULL;
  gint64 next = _kt_local_meta_int (local, "kt:next_number", 1);
  gint64 first = next;

  if (held == NULL)
    return FALSE;
  queued = list_numbers (local, "SELECT no FROM kt_outbox WHERE state=?1 ORDER BY no LIMIT ?2",
                         KT_OUTBOX_QUEUED, (gint64) max + g_hash_table_size (held), error);
  if (queued == NULL)
    return FALSE;
  for (guint i = 0; i < queued->len && *n < max && !*full; i++)
    {
      gint64 no = g_array_index (queued, gint64, i);

      if (g_hash_table_contains (held, &no))
        continue;
      if (
        kt_db_run (
          local->db, error,
          "UPDATE kt_outbox SET state=?2, number=?3, reason=NULL, code=NULL, outcome=NULL, seq=NULL WHERE no=?1",
          KT_BIND_INT, no, KT_BIND_INT, (gint64) KT_OUTBOX_SENT, KT_BIND_INT, next, KT_BIND_END)
        < 0)
        return FALSE;
      if (!take_one (local, no, bytes, out, n, full, error))
        return FALSE;
      if (!*full)
        next++;
      else if (kt_db_run (local->db, error,
                          "UPDATE kt_outbox SET state=?2, number=NULL WHERE no=?1", KT_BIND_INT, no,
                          KT_BIND_INT, (gint64) KT_OUTBOX_QUEUED, KT_BIND_END)
               < 0)
        return FALSE;
    }
  return next == first || _kt_local_put_meta_int (local, "kt:next_number", next, error);
}

static gboolean
take_in (KtLocal *local, guint max, gsize bytes, GString *out, guint *n, GError **error)
{
  g_autoptr (GArray) sent =
    list_numbers (local, "SELECT no FROM kt_outbox WHERE state=?1 ORDER BY number LIMIT ?2",
                  KT_OUTBOX_SENT, max, error);
  gint64 number = 0, next;
  gboolean full = FALSE;

  if (sent == NULL)
    return FALSE;
  /* After a restore of the server, a number that another copy of this profile has used there may stand before a gap: it goes
   * alone, and is told so. */
  for (guint i = 0; i < sent->len && !full; i++)
    {
      gint64 no = g_array_index (sent, gint64, i);

      if (!kt_db_get_int (local->db, 0, &next, error, "SELECT number FROM kt_outbox WHERE no=?1",
                          KT_BIND_INT, no, KT_BIND_END))
        return FALSE;
      if (i > 0 && next != number + 1)
        return TRUE;
      number = next;
      if (!take_one (local, no, bytes, out, n, &full, error))
        return FALSE;
    }
  if (sent->len > 0 && _kt_local_meta_int (local, "kt:next_number", 1) != number + 1)
    return TRUE;
  return full || *n >= max || take_queued (local, max, bytes, out, n, &full, error);
}

GBytes *
kt_local_outbox_take (KtLocal *local, guint max, gsize bytes, GError **error)
{
  g_autoptr (GString) out = g_string_new ("[");
  guint n = 0;

  g_return_val_if_fail (max > 0, NULL);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return NULL;
  if (!take_in (local, max, bytes, out, &n, error))
    {
      _kt_local_rollback (local);
      return NULL;
    }
  if (n == 0)
    {
      kt_db_rollback (local->db);
      return NULL;
    }
  /* Only what is durably numbered may be sent. */
  if (!_kt_local_commit (local, error))
    return NULL;
  g_string_append_c (out, ']');
  return g_string_free_to_bytes (g_steal_pointer (&out));
}

/* ---- leaving ---- */

/* A later edit of the same field has reached the server while an earlier one was refused: the earlier one
 * must not come to light again over it. It stays parked, but that field is no longer laid over. */
static gboolean
mute_earlier (KtLocal *local, gint64 no, GError **error)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) places = g_array_new (FALSE, FALSE, sizeof (gint64));
  KtStep step;

  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (
      local->db,
      "SELECT a.no, a.pos, a.patch, a.muted, b.patch FROM kt_outbox_op b"
      " JOIN kt_outbox_op a ON a.id=b.id AND a.no<b.no"
      " JOIN kt_outbox o ON o.no=a.no AND o.state=?2 WHERE b.no=?1 AND b.patch IS NOT NULL AND a.patch IS NOT NULL",
      error);

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, no);
    kt_stmt_bind_int (stmt, 2, KT_OUTBOX_PARKED);
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      {
        g_autoptr (KtJson) earlier = kt_json_parse (kt_stmt_text (stmt, 2), -1, NULL);
        g_autoptr (KtJson) later = kt_json_parse (kt_stmt_text (stmt, 4), -1, NULL);
        GString *muted = g_string_new (kt_stmt_text (stmt, 3));
        gint64 place[2] = { kt_stmt_int (stmt, 0), kt_stmt_int (stmt, 1) };

        for (guint i = 0; i < kt_json_length (earlier); i++)
          if (kt_json_get (later, kt_json_key_at (earlier, i)) != NULL)
            g_string_append_printf (muted, "%s%s", muted->len > 0 ? " " : "",
                                    kt_json_key_at (earlier, i));
        if (muted->len > 0)
          {
            g_array_append_vals (places, place, 2);
            g_ptr_array_add (texts, g_string_free (muted, FALSE));
          }
        else
          g_string_free (muted, TRUE);
      }
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  for (guint i = 0; i < texts->len; i++)
    if (kt_db_run (local->db, error, "UPDATE kt_outbox_op SET muted=?3 WHERE no=?1 AND pos=?2",
                   KT_BIND_INT, g_array_index (places, gint64, 2 * i), KT_BIND_INT,
                   g_array_index (places, gint64, 2 * i + 1), KT_BIND_TEXT,
                   (const char *) g_ptr_array_index (texts, i), KT_BIND_END)
        < 0)
      return FALSE;
  return TRUE;
}

static gboolean
remember_inverse (KtLocal *local, gint64 no, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtMutation) mutation = _kt_local_read_mutation (local, no, NULL, &failure);
  g_autoptr (KtMutation) inverse = NULL;
  g_autofree char *text = NULL;

  if (mutation == NULL)
    {
      if (failure != NULL)
        g_propagate_error (error, g_steal_pointer (&failure));
      return failure == NULL;
    }
  inverse = _kt_mutation_inverse (mutation, mutation->at);
  text = kt_mutation_to_string (inverse);
  return kt_db_run (local->db, error,
                    "INSERT OR REPLACE INTO kt_done (no, batch, inverse) VALUES (?1, ?2, ?3)",
                    KT_BIND_INT, no, KT_BIND_TEXT, mutation->batch, KT_BIND_TEXT, text, KT_BIND_END)
         >= 0;
}

static gboolean
trim_done (KtLocal *local, GError **error)
{
  return kt_db_run (
           local->db, error,
           "DELETE FROM kt_done WHERE batch IS NULL AND no <= (SELECT no FROM kt_done WHERE batch IS NULL"
           " ORDER BY no DESC LIMIT 1 OFFSET ?1)",
           KT_BIND_INT, (gint64) DONE_ENTRIES, KT_BIND_END)
           >= 0
         && kt_db_run (
              local->db, error,
              "DELETE FROM kt_done WHERE batch IN (SELECT batch FROM kt_done WHERE batch IS NOT NULL"
              " GROUP BY batch ORDER BY max(no) DESC LIMIT -1 OFFSET ?1)",
              KT_BIND_INT, (gint64) DONE_BATCHES, KT_BIND_END)
              >= 0;
}

gboolean
_kt_local_leave (KtLocal *local, gint64 no, gboolean remember, GHashTable *touched, GError **error)
{
  KtStep step;

  {
    KT_STMT_SCOPE *stmt =
      kt_db_stmt (local->db, "SELECT object, id FROM kt_outbox_op WHERE no=?1", error);

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, no);
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      {
        KtId id;

        if (kt_stmt_id (stmt, 1, &id))
          _kt_touched_add (touched, kt_schema_object (local->schema, kt_stmt_text (stmt, 0)), &id);
      }
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  if (remember && !mute_earlier (local, no, error))
    return FALSE;
  if (remember && _kt_local_hides_entry (local, no))
    {
      if (!_kt_local_sweep_later (local, error))
        return FALSE;
    }
  else if (remember && !remember_inverse (local, no, error))
    return FALSE;
  return kt_db_run (local->db, error, "DELETE FROM kt_outbox_op WHERE no=?1", KT_BIND_INT, no,
                    KT_BIND_END)
           >= 0
         && kt_db_run (local->db, error, "DELETE FROM kt_outbox WHERE no=?1", KT_BIND_INT, no,
                       KT_BIND_END)
              >= 0;
}

gboolean
_kt_local_leave_settled (KtLocal *local,
                         gint64 seq,
                         GHashTable *touched,
                         gboolean *any,
                         GError **error)
{
  g_autoptr (GArray) leaving =
    list_numbers (local, "SELECT no FROM kt_outbox WHERE state=?1 AND seq<=?2 ORDER BY no",
                  KT_OUTBOX_SETTLED, seq, error);

  gint64 kept = 0;

  if (leaving == NULL)
    return FALSE;
  for (guint i = 0; i < leaving->len; i++)
    {
      gint64 no = g_array_index (leaving, gint64, i);
      gint64 bytes = 0;

      if ((!_kt_local_hides_entry (local, no) && !_kt_local_keep_settled (local, no, &bytes, error))
          || !_kt_local_leave (local, no, TRUE, touched, error))
        return FALSE;
      kept += bytes;
    }
  *any = leaving->len > 0;
  return leaving->len == 0
         || (trim_done (local, error)
             && _kt_local_trim_settled (local, leaving->len, kept, error));
}

/* ---- verdicts ---- */

/* It is laid over what the server has again. */
static gboolean
touch_refused (KtLocal *local, gint64 number, GHashTable *touched, GError **error)
{
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (kt_db_run (local->db, error, "UPDATE kt_outbox SET again=0 WHERE number=?1", KT_BIND_INT,
                 number, KT_BIND_END)
      < 0)
    return FALSE;
  stmt = kt_db_stmt (local->db,
                     "SELECT p.object, p.id FROM kt_outbox o JOIN kt_outbox_op p ON p.no=o.no"
                     " WHERE o.number=?1",
                     error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, number);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      const KtObject *object = kt_schema_object (local->schema, kt_stmt_text (stmt, 0));
      KtId id;

      if (object != NULL && kt_stmt_id (stmt, 1, &id))
        _kt_touched_add (touched, object, &id);
    }
  return step == KT_STEP_DONE;
}

static gboolean
settle_one (KtLocal *local,
            const KtVerdict *verdict,
            GHashTable *touched,
            gboolean *any,
            GError **error)
{
  gboolean refused = verdict->outcome == KT_OUTCOME_REFUSED;
  gint64 n =
    kt_db_run (local->db, error,
               "UPDATE kt_outbox SET state=?2, outcome=?3, seq=?4, reason=?5, code=?6"
               " WHERE number=?1 AND state=?7",
               KT_BIND_INT, verdict->number, KT_BIND_INT,
               (gint64) (refused ? KT_OUTBOX_PARKED : KT_OUTBOX_SETTLED), KT_BIND_INT,
               (gint64) verdict->outcome, KT_BIND_INT, verdict->seq, KT_BIND_TEXT, verdict->message,
               KT_BIND_TEXT, verdict->code, KT_BIND_INT, (gint64) KT_OUTBOX_SENT, KT_BIND_END);

  if (n <= 0)
    return n == 0;
  *any = TRUE;
  /* A page may have said that the shadows hold everything up to this number: what was refused they do not. */
  if (refused && !touch_refused (local, verdict->number, touched, error))
    return FALSE;
  return _kt_local_news_verdict (local, verdict, error);
}

static gboolean
settle_in (KtLocal *local, const KtVerdict *verdicts, guint n, KtChanges *changes, GError **error)
{
  g_autoptr (GHashTable) touched = _kt_touched_new ();
  gboolean any = FALSE;
  gboolean left = FALSE;

  for (guint i = 0; i < n; i++)
    if (!settle_one (local, &verdicts[i], touched, &any, error))
      return FALSE;
  if (any && !_kt_local_escrow_refused (local, error))
    return FALSE;
  changes->set->outbox = any;
  /* The reply was lost and the page came first: nothing more is to come for these (I4). */
  return !any || !local->ready
         || (_kt_local_leave_settled (local, local->seq, touched, &left, error)
             && _kt_local_recompute_all (local, touched, FALSE, changes, error));
}

gboolean
kt_local_settle (KtLocal *local,
                 const KtVerdict *verdicts,
                 guint n,
                 KtChangeSet **changes,
                 GError **error)
{
  g_auto (KtChanges) collected = { 0 };

  g_return_val_if_fail (verdicts != NULL || n == 0, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  _kt_changes_init (&collected, local);
  if (!settle_in (local, verdicts, n, &collected, error))
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
