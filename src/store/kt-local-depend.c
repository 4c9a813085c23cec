/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What builds on what in the outbox: entries that touch the same record, or refer
 * to a record that an earlier one creates.                                       */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

typedef gboolean (*IdFunc) (const KtId *id, gpointer data);

/* Calls @func for everything in @text that looks like an id; TRUE when @func said so. */
static gboolean
any_id (const char *text, IdFunc func, gpointer data)
{
  const char *p = text;

  while ((p = strchr (p, '-')) != NULL)
    {
      KtId id;

      if (p - text >= 8 && strnlen (p, 28) == 28 && p[5] == '-' && p[10] == '-' && p[15] == '-'
          && kt_id_parse (p - 8, 36, &id))
        {
          if (func (&id, data))
            return TRUE;
          p += 28;
        }
      else
        p++;
    }
  return FALSE;
}

static gboolean
is_in_cb (const KtId *id, gpointer data)
{
  return g_hash_table_contains (data, id);
}

/* Which QUEUED entries wait, and for which parked one: no → no. What was sent before did not wait then, and was
 * taken without the parked one. */
GHashTable *
_kt_local_held (KtLocal *local, GError **error)
{
  g_autoptr (GHashTable) held = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  g_autoptr (GHashTable) blocked = NULL; /* record → parked no */
  g_autoptr (GHashTable) created = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  gint64 first = 0;
  KtStep step;

  if (!kt_db_get_int (local->db, 0, &first, error, "SELECT min(no) FROM kt_outbox WHERE state=?1",
                      KT_BIND_INT, (gint64) KT_OUTBOX_PARKED, KT_BIND_END))
    return NULL;
  if (first == 0)
    return g_steal_pointer (&held);

  blocked = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, g_free);
  created = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  stmt = kt_db_stmt (
    local->db,
    "SELECT o.no, o.state, p.id, p.kind, p.patch FROM kt_outbox o JOIN kt_outbox_op p ON p.no=o.no"
    " WHERE (o.state=?2 OR (o.state=?1 AND o.again=0)) AND o.no>=?3 ORDER BY o.no, p.pos",
    error);
  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_int (stmt, 1, KT_OUTBOX_QUEUED);
  kt_stmt_bind_int (stmt, 2, KT_OUTBOX_PARKED);
  kt_stmt_bind_int (stmt, 3, first);
  step = kt_stmt_step (stmt, error);
  while (step == KT_STEP_ROW)
    {
      g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (KtId));
      g_autoptr (GArray) kinds = g_array_new (FALSE, FALSE, sizeof (gint64));
      gint64 no = kt_stmt_int (stmt, 0);
      gint64 cause = kt_stmt_int (stmt, 1) == KT_OUTBOX_PARKED ? no : 0;

      for (; step == KT_STEP_ROW && kt_stmt_int (stmt, 0) == no; step = kt_stmt_step (stmt, error))
        {
          const char *patch = kt_stmt_text (stmt, 4);
          gint64 kind = kt_stmt_int (stmt, 3);
          gint64 *by;
          KtId id;

          if (!kt_stmt_id (stmt, 2, &id))
            continue;
          g_array_append_val (ids, id);
          g_array_append_val (kinds, kind);
          by = g_hash_table_lookup (blocked, &id);
          if (cause == 0 && by != NULL)
            cause = *by;
          if (cause == 0 && patch != NULL && g_hash_table_size (created) > 0
              && any_id (patch, is_in_cb, created))
            cause = first;
        }
      if (cause == 0)
        continue;
      if (cause != no)
        g_hash_table_insert (held, g_memdup2 (&no, sizeof no), g_memdup2 (&cause, sizeof cause));
      for (guint i = 0; i < ids->len; i++)
        {
          const KtId *id = &g_array_index (ids, KtId, i);

          if (!g_hash_table_contains (blocked, id))
            g_hash_table_insert (blocked, kt_id_copy (id), g_memdup2 (&cause, sizeof cause));
          if (g_array_index (kinds, gint64, i) == KT_MUTATE_CREATE)
            g_hash_table_add (created, kt_id_copy (id));
        }
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&held) : NULL;
}

/* Names of fields of a stored patch, as a set. */
static gboolean
share_a_field (const char *a, const char *b)
{
  g_autoptr (KtJson) x = kt_json_parse (a != NULL ? a : "{}", -1, NULL);
  g_autoptr (KtJson) y = kt_json_parse (b != NULL ? b : "{}", -1, NULL);

  for (guint i = 0; i < kt_json_length (x); i++)
    if (kt_json_get (y, kt_json_key_at (x, i)) != NULL)
      return TRUE;
  return FALSE;
}

static gboolean
same_record_dependent (KtLocal *local,
                       gint64 no,
                       gboolean fields,
                       gint64 *dependent,
                       GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db,
                "SELECT b.no, a.kind, b.kind, a.patch, b.patch FROM kt_outbox_op a"
                " JOIN kt_outbox_op b ON b.id=a.id AND b.no>a.no WHERE a.no=?1 ORDER BY b.no",
                error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, no);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      gint64 mine = kt_stmt_int (stmt, 1);
      gint64 theirs = kt_stmt_int (stmt, 2);

      if (mine == KT_MUTATE_CREATE || (fields && mine != KT_MUTATE_UPDATE)
          || (fields && mine == KT_MUTATE_UPDATE && theirs == KT_MUTATE_UPDATE
              && share_a_field (kt_stmt_text (stmt, 3), kt_stmt_text (stmt, 4))))
        {
          *dependent = kt_stmt_int (stmt, 0);
          return TRUE;
        }
    }
  return step == KT_STEP_DONE;
}

static gboolean
reference_dependent (KtLocal *local, gint64 no, gint64 *dependent, GError **error)
{
  g_autoptr (GHashTable) created = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  KtStep step;

  {
    KT_STMT_SCOPE *stmt =
      kt_db_stmt (local->db, "SELECT id FROM kt_outbox_op WHERE no=?1 AND kind=?2", error);

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, no);
    kt_stmt_bind_int (stmt, 2, KT_MUTATE_CREATE);
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      {
        KtId id;

        if (kt_stmt_id (stmt, 0, &id))
          g_hash_table_add (created, kt_id_copy (&id));
      }
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  if (g_hash_table_size (created) == 0)
    return TRUE;
  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (
      local->db, "SELECT no, patch FROM kt_outbox_op WHERE no>?1 AND patch IS NOT NULL ORDER BY no",
      error);

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, no);
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      if (any_id (kt_stmt_text (stmt, 1), is_in_cb, created))
        {
          *dependent = kt_stmt_int (stmt, 0);
          return TRUE;
        }
    return step == KT_STEP_DONE;
  }
}

gboolean
_kt_local_dependent (KtLocal *local, gint64 no, gboolean fields, gint64 *dependent, GError **error)
{
  *dependent = 0;
  if (!same_record_dependent (local, no, fields, dependent, error))
    return FALSE;
  return *dependent != 0 || reference_dependent (local, no, dependent, error);
}
