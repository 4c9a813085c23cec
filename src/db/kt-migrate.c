/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Numbered migrations. `kt_version` has one row per component; every step and
 * its number are committed together, so that a crash leaves the version before
 * or the version after, and two programs that start at once do the work once. */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-db-private.h"

#include "base/kt-error.h"

/* Any number, as long as everyone takes the same. */
#define LOCK_SQL "SELECT pg_advisory_xact_lock(5429174362)"

static gboolean
read_version (KtDb *db, const char *component, gint64 *version, GError **error)
{
  gboolean exists;

  *version = 0;
  if (!kt_db_table_exists (db, "kt_version", &exists, error))
    return FALSE;
  if (!exists)
    return TRUE;
  return kt_db_get_int (db, 0, version, error,
                        "SELECT version FROM kt_version WHERE component = ?1", KT_BIND_TEXT,
                        component, KT_BIND_END);
}

static gboolean
refuse_newer (KtDb *db, gint64 version, int known, GError **error)
{
  if (version <= known)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_NEWER,
               "%s was made by a newer Kontor (format %" G_GINT64_FORMAT
               ", this program knows %d): upgrade",
               db->name, version, known);
  return FALSE;
}

/* In a transaction, locked. */
static gboolean
apply (KtDb *db, const char *component, const KtMigration *migration, gpointer data, GError **error)
{
  if (migration->sql != NULL && !kt_db_exec (db, migration->sql, error))
    return FALSE;
  if (migration->step != NULL && !migration->step (db, data, error))
    return FALSE;
  return kt_db_run (db, error,
                    "INSERT INTO kt_version (component, version) VALUES (?1, ?2)"
                    " ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                    KT_BIND_TEXT, component, KT_BIND_INT, (gint64) migration->version, KT_BIND_END)
         >= 0;
}

static gboolean
migrate_one (KtDb *db,
             const char *component,
             const KtMigration *migration,
             int known,
             gpointer data,
             GError **error)
{
  gint64 version;

  if (kt_db_dialect (db) == KT_DIALECT_POSTGRESQL && !kt_db_exec (db, LOCK_SQL, error))
    return FALSE;
  if (!kt_db_exec (db,
                   "CREATE TABLE IF NOT EXISTS kt_version"
                   " (component TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL)",
                   error)
      || !read_version (db, component, &version, error)
      || !refuse_newer (db, version, known, error))
    return FALSE;
  if (version >= migration->version)
    return TRUE; /* someone was quicker */
  return apply (db, component, migration, data, error);
}

gboolean
kt_db_migrate (KtDb *db,
               const char *component,
               const KtMigration *migrations,
               gsize n,
               gpointer data,
               GError **error)
{
  gint64 version;
  int known;

  g_return_val_if_fail (db != NULL && component != NULL && !db->in_transaction, FALSE);
  for (gsize i = 0; i < n; i++)
    g_return_val_if_fail (migrations[i].version > (i > 0 ? migrations[i - 1].version : 0), FALSE);

  known = n > 0 ? migrations[n - 1].version : 0;
  if (!read_version (db, component, &version, error) || !refuse_newer (db, version, known, error))
    return FALSE;

  for (gsize i = 0; i < n; i++)
    {
      if (migrations[i].version <= version)
        continue;
      if (!kt_db_begin (db, KT_TX_WRITE, error))
        return FALSE;
      if (!migrate_one (db, component, &migrations[i], known, data, error))
        {
          kt_db_rollback (db);
          return FALSE;
        }
      if (!kt_db_commit (db, error))
        return FALSE;
    }
  return TRUE;
}
