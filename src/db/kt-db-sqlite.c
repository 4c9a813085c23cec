/* SPDX-License-Identifier: GPL-3.0-or-later */

/* SQLite.
 *
 * A new file is made under another name, filled with its header and linked into
 * place, so that under its own name it is never empty: an empty or cut file is
 * damage and is said to be, not silently taken for a new database.
 *
 * WAL with synchronous=FULL: every commit is on the disk when kt_db_commit
 * returns. The sidecars -wal and -shm get the mode of the database from SQLite. */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-db-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kt-error.h"
#include "base/kt-text.h"

#define BUSY_MS 5000
#define APPLICATION_ID "1265595508" /* "Kont" */

typedef struct
{
  KtDb base;

  /* owned */
  sqlite3 *handle;
  int lock_fd;
  KtCell *cells; /* of a scan under way */
  KtCheckpointer *checkpointer;
  char *path; /* NULL: in memory */

  /* borrowed, during a scan */
  KtScanFunc scan_func;
  gpointer scan_data;

  /* state */
  guint n_cells;
  int interrupted; /* atomic: what waits for a lock looks here, too */
  gint64 busy_deadline;
} SqliteDb;

typedef struct
{
  KtStmt base;
  sqlite3_stmt *handle;
  guint texts : 1; /* text is bound: SQLite's own message may hold it */
  guint writes : 1;
} SqliteStmt;

static const KtDbDriver driver;

/* ---- errors ---- */

static gboolean
disk_is_full (sqlite3 *handle, int code)
{
  int system_errno = handle != NULL ? sqlite3_system_errno (handle) : 0;

  return (code & 0xff) == SQLITE_FULL
         || ((code & 0xff) == SQLITE_IOERR && (system_errno == ENOSPC || system_errno == EDQUOT));
}

static void
set_error (GError **error,
           const char *name,
           sqlite3 *handle,
           int code,
           const char *sql,
           gboolean quiet)
{
  g_autofree char *excerpt = NULL;
  const char *message = handle != NULL && !quiet ? sqlite3_errmsg (handle) : sqlite3_errstr (code);

  if (disk_is_full (handle, code))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_FULL,
                   "There is no room left on the disk for %s: free some space and try again", name);
      return;
    }

  switch (code & 0xff)
    {
    case SQLITE_INTERRUPT:
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The work on %s was cancelled", name);
      return;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      g_set_error (error, KT_ERROR, KT_ERROR_BUSY,
                   "%s is in use by another program: try again when that has finished", name);
      return;
    case SQLITE_NOTADB:
      g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT,
                   "%s is not a database, or it is encrypted or damaged: put a backup in its place",
                   name);
      return;
    case SQLITE_CORRUPT:
      g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT,
                   "%s is damaged (%s): keep a copy of it and put a backup in its place", name,
                   sqlite3_errstr (code));
      return;
    case SQLITE_CONSTRAINT:
      if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY
          || code == SQLITE_CONSTRAINT_ROWID || code == SQLITE_CONSTRAINT_FOREIGNKEY)
        {
          /* This one names the columns and no values. */
          g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT, "%s: %s", name,
                       handle != NULL ? sqlite3_errmsg (handle) : sqlite3_errstr (code));
          return;
        }
      break;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOLFS:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM:
      {
        int system_errno = handle != NULL ? sqlite3_system_errno (handle) : 0;

        g_set_error (error, KT_ERROR, KT_ERROR_IO, "%s cannot be read or written: %s%s%s", name,
                     sqlite3_errstr (code), system_errno != 0 ? ": " : "",
                     system_errno != 0 ? g_strerror (system_errno) : "");
        return;
      }
    case SQLITE_TOOBIG:
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "A value is too large for %s", name);
      return;
    default:
      break;
    }

  excerpt = sql != NULL ? _kt_db_excerpt (sql) : NULL;
  g_set_error (error, KT_ERROR, KT_ERROR_INTERNAL, "%s: %s%s%s", name, message,
               excerpt != NULL ? " in: " : "", excerpt != NULL ? excerpt : "");
}

/* ---- files ---- */

/* The path that is written in an address. g_free. */
static char *
named_path (const char *uri)
{
  const char *path = uri + strlen ("file:");
  g_autofree char *encoded = NULL;
  char *decoded;

  if (!g_str_has_prefix (uri, "file:"))
    return g_strdup (uri);
  if (g_str_has_prefix (path, "//") && strchr (path + 2, '/') != NULL)
    path = strchr (path + 2, '/');
  encoded = g_strndup (path, strcspn (path, "?#"));
  decoded = g_uri_unescape_string (encoded, NULL);
  return decoded != NULL ? decoded : g_steal_pointer (&encoded);
}

/* Whether SQLite alone knows what is behind it: memory, or a VFS of somebody's own. */
static gboolean
is_elsewhere (const char *uri, const char *path)
{
  const char *query;

  if (*path == '\0' || strcmp (path, ":memory:") == 0)
    return TRUE;
  query = g_str_has_prefix (uri, "file:") ? strchr (uri, '?') : NULL;
  return query != NULL && (strstr (query, "vfs=") != NULL || strstr (query, "mode=memory") != NULL);
}

static gboolean
set_errno_error (GError **error, int saved, const char *doing, const char *path)
{
  KtError code = KT_ERROR_IO;

  if (saved == ENOSPC || saved == EDQUOT)
    code = KT_ERROR_FULL;
  else if (saved == ENOENT)
    code = KT_ERROR_NOT_FOUND;
  g_set_error (error, KT_ERROR, code, "%s could not be %s: %s", path, doing, g_strerror (saved));
  return FALSE;
}

static void
sync_folder_of (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  int fd = g_open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

  if (fd < 0)
    return;
  fsync (fd);
  close (fd);
}

static void
remove_with_sidecars (const char *path)
{
  static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };

  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *name = g_strconcat (path, suffixes[i], NULL);

      g_unlink (name);
    }
}

/* A private name in the same folder, made with mode 0600. g_free. */
static char *
make_beside (const char *path, const char *suffix, GError **error)
{
  g_autofree char *name = g_strdup_printf ("%s.%s-XXXXXX", path, suffix);
  int fd = g_mkstemp_full (name, O_RDWR | O_CLOEXEC, 0600);

  if (fd < 0)
    {
      set_errno_error (error, errno, "made", path);
      return NULL;
    }
  close (fd);
  return g_steal_pointer (&name);
}

static gboolean
initialise (const char *path, const char *name, GError **error)
{
  sqlite3 *handle = NULL;
  int code;

  code = sqlite3_open_v2 (name, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
  if (code == SQLITE_OK)
    code = sqlite3_exec (handle,
                         "PRAGMA encoding='UTF-8'; PRAGMA synchronous=FULL;"
                         "PRAGMA application_id=" APPLICATION_ID ";"
                         "PRAGMA journal_mode=WAL;",
                         NULL, NULL, NULL);
  if (code != SQLITE_OK)
    set_error (error, path, handle, sqlite3_extended_errcode (handle), NULL, FALSE);
  if (sqlite3_close (handle) != SQLITE_OK && code == SQLITE_OK)
    g_assert_not_reached ();
  return code == SQLITE_OK;
}

static gboolean
create (const char *path, GError **error)
{
  g_autofree char *name = make_beside (path, "new", error);
  gboolean done;

  if (name == NULL)
    return FALSE;
  done = initialise (path, name, error);
  /* A hard link, not a rename: never over a file that someone else has made meanwhile. Where there
   * are no links, a rename has to do. */
  if (done && link (name, path) != 0 && errno != EEXIST)
    {
      if (g_access (path, F_OK) != 0 && g_rename (name, path) != 0)
        done = set_errno_error (error, errno, "made", path);
    }
  remove_with_sidecars (name);
  if (done)
    sync_folder_of (path);
  return done;
}

/* What SQLite would complain about in a word. Nothing here may open the file: when a process closes a
 * file, all its POSIX locks on it go, those of SQLite's other connections too, and the next process to
 * close the database would take the write-ahead log away under them. */
static gboolean
check_kind (const char *path, GError **error)
{
  struct stat st;

  if (stat (path, &st) != 0 || g_access (path, R_OK) != 0)
    return set_errno_error (error, errno, "opened", path);
  if (S_ISREG (st.st_mode))
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s is not a file", path);
  return FALSE;
}

/* What SQLite would take for a new database: read through its own file, for the reason above. */
static gboolean
check_header (sqlite3 *handle, const char *path, GError **error)
{
  sqlite3_file *file = NULL;
  sqlite3_int64 size = 0;
  char header[100] = "";
  int code = SQLITE_CANTOPEN;

  if (sqlite3_file_control (handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK
      && file != NULL && file->pMethods != NULL)
    code = file->pMethods->xFileSize (file, &size);
  if (code == SQLITE_OK && size > 0)
    code = file->pMethods->xRead (file, header, sizeof header, 0);
  if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
    {
      set_error (error, path, handle, code, NULL, FALSE);
      return FALSE;
    }

  if (size == 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT,
                   "%s is empty, so what it held is lost: put a backup in its place, or remove it "
                   "to begin anew",
                   path);
      return FALSE;
    }
  if (size < (sqlite3_int64) sizeof header || memcmp (header, "SQLite format 3", 16) != 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT,
                   "%s is not a database: put a backup in its place, or remove it to begin anew",
                   path);
      return FALSE;
    }
  return TRUE;
}

/* Whoever holds the flock on "<path>-lock" has the database to itself. The file
 * stays when it is let go: removing it would let two in. */
static int
take_lock (const char *path, GError **error)
{
  g_autofree char *name = g_strconcat (path, "-lock", NULL);
  char text[24] = { 0 };
  int fd;

  fd = g_open (name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    {
      set_errno_error (error, errno, "opened", name);
      return -1;
    }
  if (flock (fd, LOCK_EX | LOCK_NB) != 0)
    {
      int saved = errno;
      ssize_t got = pread (fd, text, sizeof text - 1, 0);

      if (saved != EWOULDBLOCK)
        set_errno_error (error, saved, "locked", name);
      else if (got > 0 && g_ascii_isdigit (text[0]))
        g_set_error (error, KT_ERROR, KT_ERROR_BUSY,
                     "%s is in use by process %" G_GINT64_FORMAT ": close that program first", path,
                     g_ascii_strtoll (text, NULL, 10));
      else
        g_set_error (error, KT_ERROR, KT_ERROR_BUSY,
                     "%s is in use by another program: close that first", path);
      close (fd);
      return -1;
    }
  g_snprintf (text, sizeof text, "%ld\n", (long) getpid ());
  if (ftruncate (fd, 0) != 0 || pwrite (fd, text, strlen (text), 0) < 0)
    g_debug ("%s: %s", name, g_strerror (errno)); /* the lock holds without its number */
  return fd;
}

/* ---- the connection ---- */

static void
fold_func (sqlite3_context *context, int n, sqlite3_value **values)
{
  const char *text = (const char *) sqlite3_value_text (values[0]);

  if (text != NULL)
    {
      char *folded = kt_text_fold (text);

      sqlite3_result_text (context, folded, -1, g_free);
    }
}

/* An aggregate of all rows: its result is nothing, its arguments are handed on. */
static void
scan_step_func (sqlite3_context *context, int n, sqlite3_value **values)
{
  SqliteDb *self = sqlite3_user_data (context);

  if (self->scan_func == NULL || (guint) n != self->n_cells)
    return;
  for (int i = 0; i < n; i++)
    {
      KtCell *cell = &self->cells[i];

      switch (sqlite3_value_type (values[i]))
        {
        case SQLITE_INTEGER:
          cell->type = KT_CELL_INT;
          cell->v.integer = sqlite3_value_int64 (values[i]);
          break;
        case SQLITE_TEXT:
          cell->type = KT_CELL_TEXT;
          cell->v.bytes = sqlite3_value_text (values[i]);
          cell->len = (guint) sqlite3_value_bytes (values[i]);
          break;
        case SQLITE_BLOB:
          cell->type = KT_CELL_BLOB;
          cell->v.bytes = sqlite3_value_blob (values[i]);
          cell->len = (guint) sqlite3_value_bytes (values[i]);
          break;
        default:
          cell->type = KT_CELL_NULL;
          break;
        }
    }
  self->scan_func (self->cells, self->scan_data);
}

static void
scan_final_func (sqlite3_context *context)
{
  sqlite3_result_null (context);
}

static int
busy_cb (void *data, int count)
{
  SqliteDb *self = data;
  gint64 now = g_get_monotonic_time ();

  if (count == 0)
    self->busy_deadline = now + BUSY_MS * 1000;
  if (now >= self->busy_deadline || g_atomic_int_get (&self->interrupted))
    return 0;
  g_usleep (MIN (1000 << MIN (count, 5), 25000));
  return 1;
}

/* A process that was killed may have left a commit which the kernel has and the disk has not. SQLite takes it for
 * committed, and so do we: it must be on the disk before anybody is told of it. A checkpoint syncs the log first, so
 * one that then finds no room has done what is wanted; with nothing in the log it costs nothing. */
static gboolean
make_durable (SqliteDb *self, GError **error)
{
  int code =
    sqlite3_wal_checkpoint_v2 (self->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

  if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED
      || disk_is_full (self->handle, code))
    return TRUE;
  set_error (error, self->base.name, self->handle, code, NULL, FALSE);
  return FALSE;
}

static gboolean
set_up (SqliteDb *self, KtDbFlags flags, GError **error)
{
  g_autofree char *pragmas = NULL;
  int code;

  sqlite3_extended_result_codes (self->handle, 1);
  sqlite3_busy_handler (self->handle, busy_cb, self);
  sqlite3_db_config (self->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
  sqlite3_db_config (self->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
  sqlite3_db_config (self->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_create_function_v2 (self->handle, "kt_fold", 1,
                              SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                              fold_func, NULL, NULL, NULL);
  sqlite3_create_function_v2 (self->handle, "kt_scan", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, self, NULL,
                              scan_step_func, scan_final_func, NULL);

  /* No mmap: a bad disk or a cut file would end the program by a signal instead of an error, and
   * reading pages from the kernel's cache costs a list of a million rows some ten milliseconds. */
  pragmas =
    g_strdup_printf ("PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;"
                     "PRAGMA cache_size=%d; PRAGMA synchronous=FULL; PRAGMA secure_delete=FAST;"
                     "PRAGMA journal_size_limit=16777216; %s"
                     "SELECT count(*) FROM sqlite_master;",
                     (flags & KT_DB_READ_ONLY) != 0 ? -4096 : -8192,
                     (flags & KT_DB_READ_ONLY) != 0 ? "" : "PRAGMA journal_mode=WAL;");
  code = sqlite3_exec (self->handle, pragmas, NULL, NULL, NULL);
  if (code != SQLITE_OK)
    {
      set_error (error, self->base.name, self->handle, code, NULL, FALSE);
      return FALSE;
    }
  return (flags & KT_DB_READ_ONLY) != 0 || make_durable (self, error);
}

static gboolean
is_ours (SqliteDb *self, GError **error)
{
  sqlite3_stmt *stmt = NULL;
  int id = 0;

  if (sqlite3_prepare_v2 (self->handle, "PRAGMA application_id", -1, &stmt, NULL) == SQLITE_OK
      && sqlite3_step (stmt) == SQLITE_ROW)
    id = sqlite3_column_int (stmt, 0);
  sqlite3_finalize (stmt);
  if (id == 0 || id == (int) g_ascii_strtoll (APPLICATION_ID, NULL, 10))
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT,
               "%s is a database of another program: choose another file", self->base.name);
  return FALSE;
}

static gboolean
open_handle (SqliteDb *self, const char *uri, const char *path, KtDbFlags flags, GError **error)
{
  int mode = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI;
  int code;

  if (path != NULL)
    {
      if ((flags & KT_DB_CREATE) != 0 && g_access (path, F_OK) != 0 && errno == ENOENT
          && !create (path, error))
        return FALSE;
      if (!check_kind (path, error))
        return FALSE;
      if ((flags & KT_DB_EXCLUSIVE_LOCK) != 0)
        {
          self->lock_fd = take_lock (path, error);
          if (self->lock_fd < 0)
            return FALSE;
        }
    }
  else if ((flags & KT_DB_CREATE) != 0 || strstr (uri, ":memory:") != NULL)
    mode |= SQLITE_OPEN_CREATE;

  mode |= (flags & KT_DB_READ_ONLY) != 0 ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if ((mode & SQLITE_OPEN_READONLY) != 0)
    mode &= ~SQLITE_OPEN_CREATE;
  code = sqlite3_open_v2 (uri, &self->handle, mode, NULL);
  if (code != SQLITE_OK)
    {
      set_error (error, self->base.name, self->handle,
                 self->handle != NULL ? sqlite3_extended_errcode (self->handle) : code, NULL,
                 FALSE);
      return FALSE;
    }
  return (path == NULL || check_header (self->handle, path, error)) && set_up (self, flags, error)
         && is_ours (self, error);
}

/* SQLite counts every allocation under one lock, for statistics that nobody asks for. Refused when another library
 * of the program has used SQLite before: then it just counts. */
static void
stop_counting (void)
{
  static gsize done;

  if (!g_once_init_enter (&done))
    return;
  sqlite3_config (SQLITE_CONFIG_MEMSTATUS, 0);
  g_once_init_leave (&done, 1);
}

KtDb *
_kt_db_sqlite_open (const char *uri, KtDbFlags flags, GError **error)
{
  g_autofree char *path = named_path (uri);
  SqliteDb *self = g_new0 (SqliteDb, 1);

  stop_counting ();

  self->lock_fd = -1;
  _kt_db_init (&self->base, &driver, path);
  if (!open_handle (self, uri, is_elsewhere (uri, path) ? NULL : path, flags, error))
    {
      kt_db_close (&self->base);
      return NULL;
    }
  self->path = is_elsewhere (uri, path) ? NULL : g_steal_pointer (&path);
  return &self->base;
}

gpointer
kt_db_sqlite (KtDb *db)
{
  return db->driver == &driver ? ((SqliteDb *) db)->handle : NULL;
}

static void
sqlite_close (KtDb *db)
{
  SqliteDb *self = (SqliteDb *) db;

  g_free (self->path);
  _kt_checkpointer_free (self->checkpointer, self->handle);
  if (sqlite3_close (self->handle) != SQLITE_OK)
    g_critical ("%s was closed with statements in use", db->name);
  if (self->lock_fd >= 0)
    close (self->lock_fd);
  g_clear_pointer (&self->cells, g_free);
}

static void
sqlite_interrupt (KtDb *db)
{
  SqliteDb *self = (SqliteDb *) db;

  g_atomic_int_set (&self->interrupted, TRUE);
  sqlite3_interrupt (self->handle);
}

static void
sqlite_checkpoint_beside (KtDb *db, gboolean beside)
{
  SqliteDb *self = (SqliteDb *) db;

  if (self->path == NULL || beside == (self->checkpointer != NULL))
    return;
  if (beside)
    {
      self->checkpointer = _kt_checkpointer_new (self->handle, self->path);
      return;
    }
  _kt_checkpointer_free (g_steal_pointer (&self->checkpointer), self->handle);
  sqlite3_wal_autocheckpoint (self->handle, 1000);
}

static gboolean
sqlite_exec (KtDb *db, const char *sql, GError **error)
{
  SqliteDb *self = (SqliteDb *) db;
  int code;

  g_atomic_int_set (&self->interrupted, FALSE);
  code = sqlite3_exec (self->handle, sql, NULL, NULL, NULL);
  if (code == SQLITE_OK)
    return TRUE;
  if (g_atomic_int_get (&self->interrupted) && (code & 0xff) == SQLITE_BUSY)
    code = SQLITE_INTERRUPT;
  set_error (error, db->name, self->handle, code, sql, FALSE);
  return FALSE;
}

/* ---- statements ---- */

static KtStmt *
sqlite_prepare (KtDb *db, const char *sql, GError **error)
{
  SqliteDb *self = (SqliteDb *) db;
  sqlite3_stmt *handle = NULL;
  const char *tail = NULL;
  SqliteStmt *stmt;
  int code;

  code = sqlite3_prepare_v3 (self->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, &tail);
  if (code != SQLITE_OK)
    {
      set_error (error, db->name, self->handle, code, sql, FALSE);
      return NULL;
    }
  while (tail != NULL && (g_ascii_isspace (*tail) || *tail == ';'))
    tail++;
  if (handle == NULL || (tail != NULL && *tail != '\0'))
    g_error ("not one statement: %s", sql);
  stmt = g_new0 (SqliteStmt, 1);
  stmt->handle = handle;
  stmt->writes = !sqlite3_stmt_readonly (handle);
  return &stmt->base;
}

static void
sqlite_finalize (KtStmt *base)
{
  SqliteStmt *stmt = (SqliteStmt *) base;

  sqlite3_finalize (stmt->handle);
  g_free (base->sql);
  g_free (stmt);
}

static void
check_bind (KtStmt *stmt, int i, int code)
{
  if (code != SQLITE_OK && code != SQLITE_TOOBIG && code != SQLITE_NOMEM)
    g_error ("parameter %d cannot be bound (%s): %s", i, sqlite3_errstr (code), stmt->sql);
}

static void
sqlite_bind_int (KtStmt *stmt, int i, gint64 value)
{
  check_bind (stmt, i, sqlite3_bind_int64 (((SqliteStmt *) stmt)->handle, i, value));
}

static void
sqlite_bind_text (KtStmt *stmt, int i, const char *text, gsize len)
{
  ((SqliteStmt *) stmt)->texts = TRUE;
  check_bind (
    stmt, i,
    sqlite3_bind_text64 (((SqliteStmt *) stmt)->handle, i, text, len, SQLITE_STATIC, SQLITE_UTF8));
}

static void
sqlite_bind_blob (KtStmt *stmt, int i, const void *data, gsize len)
{
  check_bind (stmt, i,
              sqlite3_bind_blob64 (((SqliteStmt *) stmt)->handle, i, data, len, SQLITE_STATIC));
}

static void
sqlite_bind_null (KtStmt *stmt, int i)
{
  check_bind (stmt, i, sqlite3_bind_null (((SqliteStmt *) stmt)->handle, i));
}

static KtStep
sqlite_step (KtStmt *base, GError **error)
{
  SqliteStmt *stmt = (SqliteStmt *) base;
  SqliteDb *self = (SqliteDb *) base->db;
  int code;

  if (base->state == KT_STMT_READY)
    g_atomic_int_set (&self->interrupted, FALSE);
  code = sqlite3_step (stmt->handle);
  if (G_LIKELY (code == SQLITE_ROW))
    return KT_STEP_ROW;
  if (code == SQLITE_DONE)
    {
      base->changes = stmt->writes ? sqlite3_changes64 (self->handle) : 0;
      return KT_STEP_DONE;
    }
  if (g_atomic_int_get (&self->interrupted) && (code & 0xff) == SQLITE_BUSY)
    code = SQLITE_INTERRUPT;
  set_error (error, base->db->name, self->handle, code, base->sql, stmt->texts);
  return KT_STEP_ERROR;
}

static void
sqlite_reset (KtStmt *base)
{
  SqliteStmt *stmt = (SqliteStmt *) base;

  sqlite3_reset (stmt->handle);
  sqlite3_clear_bindings (stmt->handle);
  stmt->texts = FALSE;
}

static gboolean
sqlite_is_null (KtStmt *stmt, int column)
{
  return sqlite3_column_type (((SqliteStmt *) stmt)->handle, column) == SQLITE_NULL;
}

static gint64
sqlite_get_int (KtStmt *stmt, int column)
{
  return sqlite3_column_int64 (((SqliteStmt *) stmt)->handle, column);
}

static const char *
sqlite_get_text (KtStmt *stmt, int column, gsize *len)
{
  const char *text = (const char *) sqlite3_column_text (((SqliteStmt *) stmt)->handle, column);

  if (len != NULL)
    *len = sqlite3_column_bytes (((SqliteStmt *) stmt)->handle, column);
  return text;
}

static const void *
sqlite_get_blob (KtStmt *stmt, int column, gsize *len)
{
  sqlite3_stmt *handle = ((SqliteStmt *) stmt)->handle;
  const void *data;

  if (sqlite3_column_type (handle, column) == SQLITE_NULL)
    {
      *len = 0;
      return NULL;
    }
  data = sqlite3_column_blob (handle, column);
  *len = sqlite3_column_bytes (handle, column);
  return data != NULL ? data : "";
}

static gboolean
sqlite_scan (KtStmt *stmt, guint n, KtScanFunc func, gpointer data, GError **error)
{
  SqliteDb *self = (SqliteDb *) stmt->db;
  KtStep step;

  g_assert (self->scan_func == NULL);
  if (self->n_cells < n)
    self->cells = g_renew (KtCell, self->cells, n);
  self->n_cells = n;
  self->scan_func = func;
  self->scan_data = data;
  do
    step = kt_stmt_step (stmt, error);
  while (step == KT_STEP_ROW);
  self->scan_func = NULL;
  return step == KT_STEP_DONE;
}

static int
sqlite_columns (KtStmt *stmt)
{
  return sqlite3_column_count (((SqliteStmt *) stmt)->handle);
}

/* ---- housekeeping ---- */

/* In the transaction that the caller has begun: it holds the snapshot, so writers neither wait nor make it begin again. */
static gboolean
copy_all (SqliteDb *self, const char *name, GError **error)
{
  sqlite3 *target = NULL;
  sqlite3_backup *backup = NULL;
  int code;

  code = sqlite3_open_v2 (name, &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
  if (code == SQLITE_OK)
    {
      sqlite3_extended_result_codes (target, 1);
      sqlite3_exec (target, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
      backup = sqlite3_backup_init (target, "main", self->handle, "main");
      code = backup != NULL ? SQLITE_OK : sqlite3_extended_errcode (target);
    }
  while (code == SQLITE_OK && backup != NULL)
    {
      code = sqlite3_backup_step (backup, 1024);
      if (g_atomic_int_get (&self->interrupted))
        code = SQLITE_INTERRUPT;
    }
  if (backup != NULL)
    {
      int finished = sqlite3_backup_finish (backup);

      if (code == SQLITE_DONE)
        code = finished == SQLITE_OK ? SQLITE_DONE : finished;
    }
  if (code != SQLITE_DONE)
    set_error (error, name, target, code, NULL, FALSE);
  sqlite3_close (target);
  return code == SQLITE_DONE;
}

static gboolean
same_file (const char *a, const char *b)
{
  struct stat one;
  struct stat two;

  return stat (a, &one) == 0 && stat (b, &two) == 0 && one.st_dev == two.st_dev
         && one.st_ino == two.st_ino;
}

static gboolean
sqlite_backup (KtDb *db, const char *path, GError **error)
{
  g_autofree char *name = NULL;
  gboolean done;

  if (same_file (db->name, path))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "%s is the database itself: choose another name for the copy", path);
      return FALSE;
    }
  name = make_beside (path, "part", error);
  if (name == NULL)
    return FALSE;

  done = kt_db_begin (db, KT_TX_READ, error);
  if (done)
    {
      done = copy_all ((SqliteDb *) db, name, error);
      kt_db_rollback (db);
    }
  if (done && g_rename (name, path) != 0)
    done = set_errno_error (error, errno, "made", path);
  if (done)
    sync_folder_of (path);
  remove_with_sidecars (name);
  return done;
}

static gboolean
sqlite_check (KtDb *db, gboolean thorough, GPtrArray *problems, GError **error)
{
  g_autoptr (GError) local = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  stmt =
    kt_db_stmt (db, thorough ? "PRAGMA integrity_check(100)" : "PRAGMA quick_check(100)", error);
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, &local)) == KT_STEP_ROW)
    {
      const char *text = kt_stmt_text (stmt, 0);

      if (g_strcmp0 (text, "ok") != 0)
        g_ptr_array_add (problems, g_strdup (text));
    }
  if (step == KT_STEP_DONE)
    return TRUE;
  /* So damaged that the check itself stumbles: that is an answer, too. */
  if (g_error_matches (local, KT_ERROR, KT_ERROR_CORRUPT))
    {
      g_ptr_array_add (problems, g_strdup (local->message));
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static const KtDbDriver driver = {
  .dialect = KT_DIALECT_SQLITE,
  .close = sqlite_close,
  .interrupt = sqlite_interrupt,
  .exec = sqlite_exec,
  .prepare = sqlite_prepare,
  .bind_int = sqlite_bind_int,
  .bind_text = sqlite_bind_text,
  .bind_blob = sqlite_bind_blob,
  .bind_null = sqlite_bind_null,
  .step = sqlite_step,
  .reset = sqlite_reset,
  .finalize = sqlite_finalize,
  .is_null = sqlite_is_null,
  .get_int = sqlite_get_int,
  .get_text = sqlite_get_text,
  .get_blob = sqlite_get_blob,
  .columns = sqlite_columns,
  .scan = sqlite_scan,
  .checkpoint_beside = sqlite_checkpoint_beside,
  .backup = sqlite_backup,
  .check = sqlite_check,
};
