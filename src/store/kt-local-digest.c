/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the server has sent, summed up (P4): records without a shadow as they are seen, the others as their shadow has
 * them. What is not settled is therefore not in it, and nothing has to be settled first.
 *
 * kt_digest follows in the transaction that takes in a page; everything else here looks at every record.            */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

#include "db/kt-scan.h"

typedef struct
{
  const KtObject *object;
  const KtDigestForm *form; /* during a scan */
  const KtDigestBranch *branch;
  KtDigest all;
  KtDigest *children; /* or NULL */
  GArray *leaves;     /* KtDigestLeaf, or NULL */
} Sum;

static const KtDigestBranch top = { 0, { 0 } };

static void
sum_one (Sum *sum, const KtId *id, const KtDigest *one)
{
  kt_digest_join (&sum->all, one);
  if (sum->children != NULL)
    kt_digest_join (&sum->children[kt_digest_branch_child (sum->branch, id)], one);
  if (sum->leaves != NULL)
    {
      KtDigestLeaf leaf = { *id, *one };

      g_array_append_val (sum->leaves, leaf);
    }
}

static void
sum_cells (const KtCell *cells, gpointer data)
{
  Sum *sum = data;
  KtDigest one;
  KtId id = KT_ID_NIL;

  if (cells[0].type == KT_CELL_BLOB && cells[0].len == sizeof id.b)
    memcpy (id.b, cells[0].v.bytes, sizeof id.b);
  kt_digest_cells (sum->form, cells, &one);
  sum_one (sum, &id, &one);
}

static gboolean
sum_shadows (KtLocal *local, Sum *sum, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    local->db, "SELECT id, rev, record FROM kt_shadow WHERE object=?1 AND record IS NOT NULL", error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_text (stmt, 1, sum->object->name);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) record = NULL;
      KtDigest one;
      KtId id;

      if (!kt_stmt_id (stmt, 0, &id) || !kt_digest_branch_has (sum->branch, &id))
        continue;
      record = _kt_local_record_parse (sum->object, &id, kt_stmt_int (stmt, 1), kt_stmt_text (stmt, 2),
                                       error);
      if (record == NULL)
        return FALSE;
      kt_digest_of (record, &one);
      sum_one (sum, &id, &one);
    }
  return step == KT_STEP_DONE;
}

static gboolean
sum_up (KtLocal *local, Sum *sum, GError **error)
{
  KtSqlContext context = { .env = local->env };
  g_autoptr (KtSql) sql = kt_sql_new (local->db, &context);
  g_autoptr (KtDigestForm) form = kt_digest_form_new (sum->object);

  sum->form = form;
  kt_sql_append_scan (sql, sum->object, "o");
  kt_sql_append (sql, "o.id NOT IN (SELECT id FROM kt_shadow)");
  return kt_sql_scan (sql, sum->object, "o", sum->branch->bytes, sum->branch->n, sum_cells, sum, error)
         && sum_shadows (local, sum, error);
}

gboolean
kt_local_digest_branch (KtLocal *local,
                        const KtObject *object,
                        const KtDigestBranch *branch,
                        KtDigest *all,
                        KtDigest *children,
                        GArray *leaves,
                        GError **error)
{
  const KtObject *own;
  gboolean mine;
  gboolean done;

  g_return_val_if_fail (object != NULL && branch != NULL && all != NULL, FALSE);

  if (!_kt_local_read_begin (local, &mine, error))
    return FALSE;
  own = _kt_local_object (local, object);
  {
    Sum sum = { own, NULL, branch, { 0, 0, 0 }, children, leaves };

    done = own == NULL || sum_up (local, &sum, error);
    *all = sum.all;
  }
  _kt_local_read_end (local, mine);
  return done;
}

gboolean
kt_local_digest (KtLocal *local, const KtObject *object, KtDigest *out, GError **error)
{
  return kt_local_digest_branch (local, object, &top, out, NULL, NULL, error);
}

/* ---- what is kept ---- */

gboolean
kt_local_digest_kept (KtLocal *local, const KtObject *object, KtDigest *out, GError **error)
{
  gboolean mine;
  gboolean done;

  g_return_val_if_fail (object != NULL && out != NULL, FALSE);

  if (!_kt_local_read_begin (local, &mine, error))
    return FALSE;
  done = kt_sums_read (local->db, object->number, out, error);
  _kt_local_read_end (local, mine);
  return done;
}

gboolean
_kt_local_resum (KtLocal *local, const KtObject *object, GError **error)
{
  g_autofree KtDigest *children = g_new0 (KtDigest, KT_DIGEST_CHILDREN);
  Sum sum = { object, NULL, &top, { 0, 0, 0 }, children, NULL };

  return sum_up (local, &sum, error)
         && kt_sums_replace (local->db, object->number, children, error);
}

gboolean
_kt_local_resum_changed (KtLocal *local, const KtSchema *before, const KtSchema *after, GError **error)
{
  const KtObject *const *objects;
  guint n = 0;

  if (after == NULL)
    return TRUE;
  objects = kt_schema_objects (after, &n);
  for (guint i = 0; i < n; i++)
    {
      const KtObject *old =
        before != NULL ? kt_schema_object_by_number (before, objects[i]->number) : NULL;

      if ((old == NULL || !kt_digest_same_form (old, objects[i]))
          && !_kt_local_resum (local, objects[i], error))
        return FALSE;
    }
  return TRUE;
}

gboolean
kt_local_resum (KtLocal *local, GError **error)
{
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (_kt_local_resum_changed (local, NULL, local->schema, error))
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}
