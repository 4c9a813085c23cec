/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "db/kt-sums.h"

#include <string.h>

#define ALL (-1) /* the child that stands for all of them */

/* What is to be added to one row of the table. */
typedef struct
{
  guint object;
  int child;
  KtDigest delta;
} Delta;

struct _KtSums
{
  GArray *deltas;     /* Delta */
  GHashTable *places; /* object, child → index + 1 */
};

static gpointer
key_of (guint object, int child)
{
  return GUINT_TO_POINTER (object << 9 | (guint) (child + 1));
}

KtSums *
kt_sums_new (void)
{
  KtSums *sums = g_new0 (KtSums, 1);

  sums->deltas = g_array_new (FALSE, FALSE, sizeof (Delta));
  sums->places = g_hash_table_new (NULL, NULL);
  return sums;
}

void
kt_sums_free (KtSums *sums)
{
  if (sums == NULL)
    return;
  g_array_unref (sums->deltas);
  g_hash_table_unref (sums->places);
  g_free (sums);
}

void
kt_sums_clear (KtSums *sums)
{
  if (sums->deltas->len == 0)
    return;
  g_array_set_size (sums->deltas, 0);
  g_hash_table_remove_all (sums->places);
}

static KtDigest *
find_delta (KtSums *sums, guint object, int child)
{
  guint place = GPOINTER_TO_UINT (g_hash_table_lookup (sums->places, key_of (object, child)));

  if (place == 0)
    {
      Delta delta = { object, child, { 0, 0, 0 } };

      g_array_append_val (sums->deltas, delta);
      place = sums->deltas->len;
      g_hash_table_insert (sums->places, key_of (object, child), GUINT_TO_POINTER (place));
    }
  return &g_array_index (sums->deltas, Delta, place - 1).delta;
}

void
kt_sums_join (KtSums *sums, guint object, const KtId *id, const KtDigest *one)
{
  kt_digest_join (find_delta (sums, object, id->b[15]), one);
  kt_digest_join (find_delta (sums, object, ALL), one);
}

void
kt_sums_leave (KtSums *sums, guint object, const KtId *id, const KtDigest *one)
{
  kt_digest_leave (find_delta (sums, object, id->b[15]), one);
  kt_digest_leave (find_delta (sums, object, ALL), one);
}

/* ---- the table ---- */

gboolean
kt_sums_make_table (KtDb *db, GError **error)
{
  g_autofree char *sql = g_strdup_printf (
    "CREATE TABLE kt_digest (child INTEGER NOT NULL, object INTEGER NOT NULL, records INTEGER NOT NULL,"
    " sum BLOB NOT NULL, PRIMARY KEY (child, object))%s",
    kt_db_dialect (db) == KT_DIALECT_SQLITE ? " WITHOUT ROWID" : "");

  return kt_db_exec (db, sql, error);
}

static void
get_sum (KtStmt *stmt, int column, KtDigest *out)
{
  gsize len;
  const guint8 *bytes = kt_stmt_blob (stmt, column + 1, &len);

  *out = (KtDigest){ 0, 0, 0 };
  if (len == KT_DIGEST_BYTES)
    kt_digest_get (bytes, (guint64) kt_stmt_int (stmt, column), out);
}

static gboolean
read_sum (KtDb *db, guint object, int child, KtDigest *out, GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (db, "SELECT records, sum FROM kt_digest WHERE child=?1 AND object=?2", error);
  KtStep step;

  *out = (KtDigest){ 0, 0, 0 };
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, child);
  kt_stmt_bind_int (stmt, 2, object);
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ROW)
    get_sum (stmt, 0, out);
  return step != KT_STEP_ERROR;
}

static gboolean
write_sum (KtDb *db, guint object, int child, const KtDigest *sum, GError **error)
{
  guint8 bytes[KT_DIGEST_BYTES];

  kt_digest_put (sum, bytes);
  return kt_db_run (db, error,
                    "INSERT INTO kt_digest (child, object, records, sum) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (child, object) DO UPDATE SET records=excluded.records, sum=excluded.sum",
                    KT_BIND_INT, (gint64) child, KT_BIND_INT, (gint64) object, KT_BIND_INT,
                    (gint64) sum->records, KT_BIND_BLOB, bytes, sizeof bytes, KT_BIND_END)
         >= 0;
}

gboolean
kt_sums_flush (KtSums *sums, KtDb *db, GError **error)
{
  for (guint i = 0; i < sums->deltas->len; i++)
    {
      const Delta *delta = &g_array_index (sums->deltas, Delta, i);
      KtDigest sum;

      if (delta->delta.records == 0 && delta->delta.high == 0 && delta->delta.low == 0)
        continue;
      if (!read_sum (db, delta->object, delta->child, &sum, error))
        return FALSE;
      kt_digest_join (&sum, &delta->delta);
      if (!write_sum (db, delta->object, delta->child, &sum, error))
        return FALSE;
    }
  kt_sums_clear (sums);
  return TRUE;
}

gboolean
kt_sums_read (KtDb *db, guint object, KtDigest *out, GError **error)
{
  return read_sum (db, object, ALL, out, error);
}

gboolean
kt_sums_children (KtDb *db, guint object, KtDigest out[KT_DIGEST_CHILDREN], GError **error)
{
  memset (out, 0, KT_DIGEST_CHILDREN * sizeof *out);
  for (int child = 0; child < KT_DIGEST_CHILDREN; child++)
    if (!read_sum (db, object, child, &out[child], error))
      return FALSE;
  return TRUE;
}

gboolean
kt_sums_replace (KtDb *db,
                 guint object,
                 const KtDigest children[KT_DIGEST_CHILDREN],
                 GError **error)
{
  KtDigest all = { 0, 0, 0 };

  if (kt_db_run (db, error, "DELETE FROM kt_digest WHERE object=?1", KT_BIND_INT, (gint64) object,
                 KT_BIND_END)
      < 0)
    return FALSE;
  for (int child = 0; child < KT_DIGEST_CHILDREN; child++)
    {
      if (children[child].records == 0)
        continue;
      kt_digest_join (&all, &children[child]);
      if (!write_sum (db, object, child, &children[child], error))
        return FALSE;
    }
  return all.records == 0 || write_sum (db, object, ALL, &all, error);
}
