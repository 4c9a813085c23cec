/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One file that holds everything: a copy of the database, taken while others write, and the attachments in a
 * table of their own, cut into pieces.
 *
 *   kt_blob_backup (sha256, part, data)
 *
 * The database is copied first: attachments are never taken away, so every one it speaks of is still there.
 * A restored workspace lives another life: it gets a new epoch, by which devices know that what they have
 * seen since the backup must be offered again, and nothing of theirs be deleted (P10). */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"

#define PIECE (4 * 1024 * 1024)

static gboolean
set_io_error (GError **error, const char *path)
{
  int code = errno;

  g_set_error (error, KT_ERROR, code == ENOSPC || code == EDQUOT ? KT_ERROR_FULL : KT_ERROR_IO,
               "%s cannot be written: %s", path, g_strerror (code));
  return FALSE;
}

/* ---- writing ---- */

/* An existing file is only replaced if it is empty or a backup itself. */
static gboolean
may_replace (const char *file, GError **error)
{
  g_autoptr (KtDb) db = NULL;
  gboolean backup = FALSE;
  struct stat st;

  if (stat (file, &st) != 0 || (S_ISREG (st.st_mode) && st.st_size == 0))
    return TRUE;
  db = S_ISREG (st.st_mode) ? kt_db_open (file, KT_DB_READ_ONLY, NULL) : NULL;
  if (db != NULL && kt_db_table_exists (db, "kt_blob_backup", &backup, NULL) && backup)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_EXISTS, "%s exists and is no backup: choose another name",
               file);
  return FALSE;
}

static gboolean
pack_blob (KtDb *db, const char *path, const char *sha256, GError **error)
{
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, NULL);
  g_autoptr (GBytes) bytes = file != NULL ? g_mapped_file_get_bytes (file) : NULL;
  const guint8 *data;
  gsize len;
  gint64 part = 0;

  if (bytes == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_IO, "The attachment %s cannot be read", path);
      return FALSE;
    }
  data = g_bytes_get_data (bytes, &len);
  do
    {
      gsize n = MIN (len, (gsize) PIECE);

      if (kt_db_run (db, error,
                     "INSERT INTO kt_blob_backup (sha256, part, data) VALUES (?1, ?2, ?3)",
                     KT_BIND_TEXT, sha256, KT_BIND_INT, part++, KT_BIND_BLOB,
                     n > 0 ? data : (const guint8 *) "", n, KT_BIND_END)
          < 0)
        return FALSE;
      data += n;
      len -= n;
    }
  while (len > 0);
  return TRUE;
}

static gboolean
pack_folder (KtDb *db, const char *folder, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (!_kt_sha256_valid (name))
        continue;
      /* One transaction each: what is held in memory stays small. */
      if (!kt_db_begin (db, KT_TX_WRITE, error))
        return FALSE;
      if (!pack_blob (db, path, name, error))
        {
          kt_db_rollback (db);
          return FALSE;
        }
      if (!kt_db_commit (db, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
pack_blobs (KtCore *core, KtDb *db, GError **error)
{
  g_autofree char *blobs = _kt_core_blob_dir (core);
  g_autoptr (GDir) dir = g_dir_open (blobs, 0, NULL);
  const char *name;

  if (
    !kt_db_exec (
      db,
      "CREATE TABLE kt_blob_backup (sha256 TEXT NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL,"
      " PRIMARY KEY (sha256, part))",
      error))
    return FALSE;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *folder = g_build_filename (blobs, name, NULL);

      if (strlen (name) == 2 && !pack_folder (db, folder, error))
        return FALSE;
    }
  /* Readable from a medium that cannot be written. */
  return kt_db_exec (db, "PRAGMA journal_mode = DELETE", error);
}

static gboolean
write_backup (KtCore *core, const char *path, GError **error)
{
  g_autoptr (KtDb) db = NULL;

  if (!kt_db_backup (core->db, path, error))
    return FALSE;
  db = kt_db_open (path, 0, error);
  return db != NULL && pack_blobs (core, db, error);
}

static gboolean
make_durable (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return set_io_error (error, path);
  if (fsync (fd) != 0)
    {
      close (fd);
      return set_io_error (error, path);
    }
  close (fd);
  return TRUE;
}

static void
remove_database (const char *path)
{
  static const char *const tails[] = { "", "-wal", "-shm", "-journal" };

  for (guint i = 0; i < G_N_ELEMENTS (tails); i++)
    {
      g_autofree char *file = g_strconcat (path, tails[i], NULL);

      g_unlink (file);
    }
}

gboolean
kt_core_backup (KtCore *core, const char *file, GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *folder = NULL;

  g_return_val_if_fail (core != NULL && file != NULL, FALSE);

  if (kt_db_dialect (core->db) != KT_DIALECT_SQLITE)
    {
      g_set_error (
        error, KT_ERROR, KT_ERROR_INVALID,
        "This workspace is kept in PostgreSQL: back it up with pg_dump, and copy %s/blobs",
        core->dir);
      return FALSE;
    }
  if (!may_replace (file, error))
    return FALSE;
  path = g_strdup_printf ("%s.part%d", file, (int) getpid ());
  folder = g_path_get_dirname (file);
  remove_database (path);
  if (write_backup (core, path, error) && make_durable (path, error))
    {
      if (g_chmod (path, 0600) == 0 && g_rename (path, file) == 0)
        return make_durable (folder, error);
      set_io_error (error, file);
    }
  remove_database (path);
  return FALSE;
}

/* ---- restoring ---- */

static KtDb *
open_backup (const char *file, GError **error)
{
  g_autoptr (KtDb) db = NULL;
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  gboolean is_backup = FALSE;

  if (!g_file_test (file, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no file %s", file);
      return NULL;
    }
  db = kt_db_open (file, KT_DB_READ_ONLY, error);
  if (db == NULL || !kt_db_table_exists (db, "kt_blob_backup", &is_backup, error))
    {
      g_prefix_error (error, "%s is no backup of a Kontor workspace: ", file);
      return NULL;
    }
  if (!is_backup)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s is no backup of a Kontor workspace",
                   file);
      return NULL;
    }
  if (!kt_db_check (db, FALSE, problems, error))
    return NULL;
  if (problems->len > 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT, "%s is damaged (%s): use another backup",
                   file, (char *) problems->pdata[0]);
      return NULL;
    }
  return g_steal_pointer (&db);
}

/* Pieces of one attachment follow one another. */
static gboolean
unpack_blobs (KtDb *db, const char *dir, gboolean *any, GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (db, "SELECT sha256, part, data FROM kt_blob_backup ORDER BY sha256, part", error);
  int fd = -1;
  KtStep step;

  *any = FALSE;
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      const char *sha256 = kt_stmt_text (stmt, 0);
      gsize len;
      const void *data = kt_stmt_blob (stmt, 2, &len);
      char folder_name[3] = { 0 };
      g_autofree char *folder = NULL;
      g_autofree char *path = NULL;

      if (!_kt_sha256_valid (sha256))
        continue;
      *any = TRUE;
      memcpy (folder_name, sha256, 2);
      folder = g_build_filename (dir, "blobs", folder_name, NULL);
      path = g_build_filename (folder, sha256, NULL);
      if (kt_stmt_int (stmt, 1) == 0)
        {
          if (fd >= 0)
            close (fd);
          fd = -1;
          if (g_mkdir_with_parents (folder, 0700) == 0)
            fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        }
      if (fd < 0 || (len > 0 && write (fd, data, len) != (gssize) len))
        {
          set_io_error (error, path);
          if (fd >= 0)
            close (fd);
          return FALSE;
        }
    }
  if (fd >= 0)
    close (fd);
  return step == KT_STEP_DONE;
}

static gboolean
start_new_life (KtDb *db, const KtEnv *env, GError **error)
{
  if (!kt_db_begin (db, KT_TX_WRITE, error))
    return FALSE;
  if (!_kt_core_begin_life (db, env, error)
      || !kt_db_exec (db, "DROP TABLE kt_blob_backup", error))
    {
      kt_db_rollback (db);
      return FALSE;
    }
  return kt_db_commit (db, error);
}

static gboolean
restore_in (KtDb *from, const char *dir, const KtEnv *env, GError **error)
{
  g_autofree char *path = g_build_filename (dir, "workspace.db", NULL);
  g_autoptr (KtDb) db = NULL;
  g_autoptr (KtCore) core = NULL;
  gboolean any;

  if (!kt_db_backup (from, path, error) || g_chmod (path, 0600) != 0)
    return FALSE;
  db = kt_db_open (path, 0, error);
  if (db == NULL || !unpack_blobs (db, dir, &any, error) || !start_new_life (db, env, error)
      || (any && !kt_db_exec (db, "VACUUM", error)))
    return FALSE;
  g_clear_pointer (&db, kt_db_close);
  /* What this program cannot open is no workspace of its making. */
  core = _kt_core_open_uri (dir, path, env, error);
  return core != NULL && _kt_workspace_write (dir, core->workspace, NULL, error);
}

gboolean
kt_core_restore (const char *file, const char *dir, const KtEnv *env, GError **error)
{
  g_autoptr (KtDb) from = NULL;
  gboolean made;

  g_return_val_if_fail (file != NULL && dir != NULL && env != NULL, FALSE);

  from = open_backup (file, error);
  if (from == NULL || !_kt_workspace_make_dir (dir, &made, error))
    return FALSE;
  if (restore_in (from, dir, env, error))
    return TRUE;
  _kt_workspace_remove (dir, made);
  return FALSE;
}
