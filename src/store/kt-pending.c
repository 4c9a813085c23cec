/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-pending.h"

#include "kt-local-private.h"

/* Newest first, until @limit and one more are there: never reads the whole outbox. */
static gboolean
collect (KtLocal *local,
         const char *sql,
         gboolean parked,
         guint limit,
         GHashTable *seen,
         GArray *out,
         GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);
  KtStep step = KT_STEP_DONE;

  if (stmt == NULL)
    return FALSE;
  while (out->len <= limit && (step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      KtPending pending = { KT_ID_NIL, parked };

      if (!kt_stmt_id (stmt, 0, &pending.id) || !g_hash_table_add (seen, kt_id_copy (&pending.id)))
        continue;
      g_array_append_val (out, pending);
    }
  return step != KT_STEP_ERROR;
}

static GArray *
list_pending (KtLocal *local, guint limit, gboolean *more, GError **error)
{
  g_autoptr (GArray) out = g_array_new (FALSE, TRUE, sizeof (KtPending));
  g_autoptr (GHashTable) seen = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);

  G_STATIC_ASSERT (KT_OUTBOX_QUEUED == 0 && KT_OUTBOX_SENT == 1 && KT_OUTBOX_PARKED == 3);
  if (
    !collect (
      local,
      "SELECT p.id FROM kt_outbox o JOIN kt_outbox_op p ON p.no=o.no WHERE o.state=3 ORDER BY o.no DESC",
      TRUE, limit, seen, out, error)
    || !collect (
      local,
      "SELECT p.id FROM kt_outbox_op p JOIN kt_outbox o ON o.no=p.no WHERE o.state IN (0, 1)"
      " ORDER BY p.no DESC",
      FALSE, limit, seen, out, error))
    return NULL;
  *more = out->len > limit;
  if (*more)
    g_array_set_size (out, limit);
  return g_steal_pointer (&out);
}

GArray *
kt_local_pending (KtLocal *local, guint limit, gboolean *more, GError **error)
{
  GArray *out;
  gboolean others = FALSE;
  gboolean mine;

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  out = list_pending (local, limit, &others, error);
  _kt_local_read_end (local, mine);
  if (out != NULL && more != NULL)
    *more = others;
  return out;
}
