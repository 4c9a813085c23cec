/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the server has refused waits for a person (P12): again, or given up and kept (P2). */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

static gboolean
require_parked (KtLocal *local, gint64 no, GError **error)
{
  gint64 state = -1;

  if (!kt_db_get_int (local->db, -1, &state, error, "SELECT state FROM kt_outbox WHERE no=?1",
                      KT_BIND_INT, no, KT_BIND_END))
    return FALSE;
  if (state == KT_OUTBOX_PARKED)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
               "This change is not waiting for a decision any more");
  return FALSE;
}

/* ---- again, under a schema that has moved on ---- */

typedef struct
{
  gint64 pos;
  char *patch;    /* without the fields that are gone */
  char *trouble;  /* with what is left */
  gboolean short_of;  /* something was left out */
  gboolean empty;
} Fitted;

static void
fitted_clear (gpointer data)
{
  Fitted *fitted = data;

  g_free (fitted->patch);
  g_free (fitted->trouble);
}

static char *
without_strangers (const KtObject *object, const char *patch, gboolean *short_of, gboolean *empty)
{
  g_autoptr (KtJson) tree = kt_json_parse (patch, -1, NULL);
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  *short_of = FALSE;
  *empty = TRUE;
  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (tree); i++)
    {
      g_autofree char *pair = NULL;

      if (kt_object_field (object, kt_json_key_at (tree, i)) == NULL)
        {
          *short_of = TRUE;
          continue;
        }
      pair = kt_json_to_string (kt_json_at (tree, i), TRUE);
      kt_json_put_raw (&writer, kt_json_key_at (tree, i), pair);
      *empty = FALSE;
    }
  kt_json_end_object (&writer);
  return g_string_free (out, FALSE);
}

static GArray *
list_fitted (KtLocal *local, gint64 no, GError **error)
{
  g_autoptr (GArray) ops = g_array_new (FALSE, TRUE, sizeof (Fitted));
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db,
                "SELECT pos, object, patch, kind FROM kt_outbox_op WHERE no=?1 AND kind<>?2", error);
  KtStep step;

  g_array_set_clear_func (ops, fitted_clear);
  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_int (stmt, 1, no);
  kt_stmt_bind_int (stmt, 2, KT_MUTATE_RESOLVE);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      const KtObject *object = kt_schema_object (local->schema, kt_stmt_text (stmt, 1));
      Fitted fitted = { kt_stmt_int (stmt, 0), NULL, NULL, FALSE, FALSE };

      if (object == NULL)
        fitted.trouble = g_strdup_printf ("The server no longer has \"%s\"", kt_stmt_text (stmt, 1));
      else if (!kt_stmt_is_null (stmt, 2))
        {
          fitted.patch =
            without_strangers (object, kt_stmt_text (stmt, 2), &fitted.short_of, &fitted.empty);
          fitted.trouble = fitted.short_of && fitted.empty
                             ? g_strdup_printf ("Nothing is left of it that the server would take")
                             : _kt_local_patch_trouble (object, fitted.patch);
        }
      g_array_append_val (ops, fitted);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&ops) : NULL;
}

/* Fields that are gone stay behind, in kt_kept; the rest of the change goes. */
static gboolean
fit_to_schema (KtLocal *local, gint64 no, GError **error)
{
  g_autoptr (GArray) ops = list_fitted (local, no, error);
  gboolean short_of = FALSE;

  if (ops == NULL)
    return FALSE;
  for (guint i = 0; i < ops->len; i++)
    {
      const Fitted *fitted = &g_array_index (ops, Fitted, i);

      short_of |= fitted->short_of;
      if (fitted->trouble == NULL)
        continue;
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                   "%s. This change can be discarded (it is kept), and made again in the new form",
                   fitted->trouble);
      return FALSE;
    }
  if (short_of)
    {
      g_autoptr (GString) json = g_string_new (NULL);

      if (!_kt_local_append_entry (local, no, json, error)
          || !_kt_local_keep (local, "fields that the server no longer has", json->str, error))
        return FALSE;
    }
  for (guint i = 0; i < ops->len; i++)
    {
      const Fitted *fitted = &g_array_index (ops, Fitted, i);

      if (fitted->short_of
          && kt_db_run (local->db, error, "UPDATE kt_outbox_op SET patch=?3 WHERE no=?1 AND pos=?2",
                        KT_BIND_INT, no, KT_BIND_INT, fitted->pos, KT_BIND_TEXT, fitted->patch,
                        KT_BIND_END)
               < 0)
        return FALSE;
    }
  return TRUE;
}

gboolean
_kt_local_retry_in (KtLocal *local, gint64 no, KtChanges *changes, GError **error)
{
  g_autoptr (GHashTable) touched = _kt_touched_new ();
  g_autoptr (KtMutation) mutation = NULL;
  KtId id;

  if (!require_parked (local, no, error) || !fit_to_schema (local, no, error))
    return FALSE;
  mutation = _kt_local_read_mutation (local, no, NULL, error);
  if (mutation == NULL)
    return FALSE;
  /* Another action than the one that was refused; the same one wherever a copy of this profile tries it again, too. */
  id = kt_id_derive (&mutation->id, "again");
  for (guint i = 0; i < mutation->ops->len; i++)
    {
      const KtOp *op = g_ptr_array_index (mutation->ops, i);

      _kt_touched_add (touched, op->object, &op->id);
    }
  changes->set->outbox = TRUE;
  /* Whoever tries again wants to see it again. */
  return kt_db_run (
           local->db, error,
           "UPDATE kt_outbox SET state=?2, number=NULL, reason=NULL, code=NULL, outcome=NULL, seq=NULL,"
           " id=?3, again=0, escrow=0 WHERE no=?1",
           KT_BIND_INT, no, KT_BIND_INT, (gint64) KT_OUTBOX_QUEUED, KT_BIND_ID, &id, KT_BIND_END)
           >= 0
         && kt_db_run (local->db, error, "UPDATE kt_outbox_op SET muted=NULL WHERE no=?1",
                       KT_BIND_INT, no, KT_BIND_END)
              >= 0
         && _kt_local_recompute_all (local, touched, TRUE, changes, error);
}

gboolean
kt_local_retry (KtLocal *local, gint64 outbox_no, KtChangeSet **changes, GError **error)
{
  return _kt_local_transact (local, _kt_local_retry_in, outbox_no, changes, error);
}

/* One later op on a record of the discarded entry. */
typedef struct
{
  gint64 no;
  gint64 pos;
  char *patch;    /* as it shall be */
  gboolean empty; /* nothing is left of it */
} Rebased;

static void
rebased_clear (gpointer data)
{
  g_free (((Rebased *) data)->patch);
}

/* What the server combines by what was added and taken away: that stays the same, whatever it was done to. */
static gboolean
is_step (const KtObject *object, const char *name)
{
  const KtField *field = object != NULL ? kt_object_field (object, name) : NULL;

  return field != NULL
         && (field->policy == KT_POLICY_SUM || field->policy == KT_POLICY_UNION
             || field->policy == KT_POLICY_TEXT);
}

/* The base of @later becomes that of @gone in the fields where it was made over it. @seen: fields of this record that an
 * earlier op has taken over already. FALSE: nothing changes. */
static gboolean
rebase_patch (const KtObject *object,
              const char *gone_text,
              const char *later_text,
              gboolean may_drop,
              GHashTable *seen,
              const char *id,
              Rebased *out)
{
  g_autoptr (KtJson) gone = kt_json_parse (gone_text, -1, NULL);
  g_autoptr (KtJson) later = kt_json_parse (later_text, -1, NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  gboolean moved = FALSE;

  out->empty = TRUE;
  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (later); i++)
    {
      const char *name = kt_json_key_at (later, i);
      const KtJson *pair = kt_json_at (later, i);
      const KtJson *old = kt_json_get (gone, name);
      g_autofree char *before = kt_json_to_string (kt_json_at (pair, 0), TRUE);
      g_autofree char *after = kt_json_to_string (kt_json_at (pair, 1), TRUE);

      if (old != NULL && g_hash_table_add (seen, g_strdup_printf ("%s %s", id, name)))
        {
          g_autofree char *base = kt_json_to_string (kt_json_at (old, 0), TRUE);
          g_autofree char *was = kt_json_to_string (kt_json_at (old, 1), TRUE);
          gboolean over = strcmp (was, before) == 0;

          /* Back to what it was before: with the other gone, no change at all. */
          if (over && may_drop && strcmp (base, after) == 0)
            {
              moved = TRUE;
              continue;
            }
          if (over && !is_step (object, name))
            {
              g_free (before);
              before = g_steal_pointer (&base);
              moved = TRUE;
            }
        }
      kt_json_key (&writer, name);
      kt_json_begin_array (&writer);
      kt_json_add_raw (&writer, before);
      kt_json_add_raw (&writer, after);
      kt_json_end_array (&writer);
      out->empty = FALSE;
    }
  kt_json_end_object (&writer);
  out->patch = moved ? g_strdup (text->str) : NULL;
  return moved;
}

static gboolean
list_rebased (KtLocal *local, gint64 no, GArray *out, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db,
                "SELECT b.no, b.pos, a.patch, b.patch, o.state, a.id, a.object FROM kt_outbox_op a"
                " JOIN kt_outbox_op b ON b.id=a.id AND b.no>a.no"
                " JOIN kt_outbox o ON o.no=b.no"
                " WHERE a.no=?1 AND o.state IN (?2, ?3) AND a.patch IS NOT NULL"
                " AND b.patch IS NOT NULL AND a.kind=?4 AND b.kind=?4 ORDER BY b.no, b.pos",
                error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, no);
  kt_stmt_bind_int (stmt, 2, KT_OUTBOX_QUEUED);
  kt_stmt_bind_int (stmt, 3, KT_OUTBOX_PARKED);
  kt_stmt_bind_int (stmt, 4, KT_MUTATE_UPDATE);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      Rebased rebased = { kt_stmt_int (stmt, 0), kt_stmt_int (stmt, 1), NULL, FALSE };
      char id[KT_ID_TEXT_SIZE];
      KtId value = KT_ID_NIL;

      kt_stmt_id (stmt, 5, &value);
      kt_id_format (&value, id);
      if (rebase_patch (kt_schema_object (local->schema, kt_stmt_text (stmt, 6)),
                        kt_stmt_text (stmt, 2), kt_stmt_text (stmt, 3),
                        kt_stmt_int (stmt, 4) == KT_OUTBOX_QUEUED, seen, id, &rebased))
        g_array_append_val (out, rebased);
    }
  return step == KT_STEP_DONE;
}

/* The first later edit of a field that the discarded one had changed was made over it: it becomes one made over what
 * was before that. */
static gboolean
rebase_later (KtLocal *local, gint64 no, GError **error)
{
  g_autoptr (GArray) later = g_array_new (FALSE, TRUE, sizeof (Rebased));

  g_array_set_clear_func (later, rebased_clear);
  if (!list_rebased (local, no, later, error))
    return FALSE;
  for (guint i = 0; i < later->len; i++)
    {
      const Rebased *rebased = &g_array_index (later, Rebased, i);

      if (kt_db_run (local->db, error,
                     rebased->empty ? "DELETE FROM kt_outbox_op WHERE no=?1 AND pos=?2"
                                    : "UPDATE kt_outbox_op SET patch=?3 WHERE no=?1 AND pos=?2",
                     KT_BIND_INT, rebased->no, KT_BIND_INT, rebased->pos,
                     rebased->empty ? KT_BIND_END : KT_BIND_TEXT, rebased->patch, KT_BIND_END)
            < 0
          || (rebased->empty
              && kt_db_run (local->db, error,
                            "DELETE FROM kt_outbox WHERE no=?1 AND resolves IS NULL AND NOT EXISTS"
                            " (SELECT 1 FROM kt_outbox_op p WHERE p.no=?1)",
                            KT_BIND_INT, rebased->no, KT_BIND_END)
                   < 0))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kt_local_keep (KtLocal *local, const char *why, const char *json, GError **error)
{
  g_autofree char *at = _kt_local_now (local);

  return kt_db_run (local->db, error, "INSERT INTO kt_kept (at, why, json) VALUES (?1, ?2, ?3)",
                    KT_BIND_TEXT, at, KT_BIND_TEXT, why, KT_BIND_TEXT, json, KT_BIND_END)
         >= 0;
}

static gboolean
discard_in (KtLocal *local, gint64 no, KtChanges *changes, GError **error)
{
  g_autoptr (GHashTable) touched = _kt_touched_new ();
  g_autoptr (GString) json = g_string_new (NULL);
  gint64 dependent = 0;

  if (!require_parked (local, no, error)
      || !_kt_local_dependent (local, no, FALSE, &dependent, error))
    return FALSE;
  if (dependent != 0)
    {
      g_autofree char *says = _kt_local_describe_entry (local, dependent);

      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                   "A later change needs what this one creates: undo or discard that first (%s)",
                   says);
      return FALSE;
    }
  changes->set->outbox = TRUE;
  return _kt_local_append_entry (local, no, json, error)
         && _kt_local_keep (local, "discarded", json->str, error) && rebase_later (local, no, error)
         && _kt_local_leave (local, no, FALSE, touched, error)
         && _kt_local_recompute_all (local, touched, TRUE, changes, error);
}

gboolean
kt_local_discard (KtLocal *local, gint64 outbox_no, KtChangeSet **changes, GError **error)
{
  return _kt_local_transact (local, discard_in, outbox_no, changes, error);
}
