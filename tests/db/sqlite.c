/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is particular to a file: its mode, its damage, its copies, its lock and a full disk. */

#include "fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
assert_mode (const char *path, const char *suffix)
{
  g_autofree char *name = g_strconcat (path, suffix, NULL);
  struct stat st;

  g_assert_cmpint (g_stat (name, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
}

static void
assert_opens_with (const char *uri, KtDbFlags flags, int code, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDb) db = kt_db_open (uri, flags, &error);

  g_assert_null (db);
  g_assert_error (error, KT_ERROR, code);
  if (strstr (error->message, words) == NULL)
    g_error ("“%s” is not in “%s”", words, error->message);
}

static guint
files_in (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
fill (KtDb *db, guint rows)
{
  g_autofree char *sql =
    g_strdup_printf ("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < %u)"
                     " INSERT INTO v SELECT n, printf('%%0200d', n) FROM c",
                     rows);

  exec_ok (db, "CREATE TABLE v (a INTEGER PRIMARY KEY, t TEXT)");
  exec_ok (db, sql);
}

/* ---- making and opening ---- */

static void
test_files_are_private (Fixture *fixture, gconstpointer data)
{
  mode_t old = umask (0);

  kt_db_close (fixture->db);
  g_unlink (fixture->path);
  fixture->db = kt_db_open (fixture->path, KT_DB_CREATE, NULL);
  g_assert_nonnull (fixture->db);
  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER)");
  umask (old);
  assert_mode (fixture->path, "");
  assert_mode (fixture->path, "-wal");
  assert_mode (fixture->path, "-shm");
  /* And nothing of how it was made is left. */
  g_assert_cmpuint (files_in (fixture->folder), ==, 3);
}

static void
test_every_commit_is_durable (Fixture *fixture, gconstpointer data)
{
  g_autofree char *mode = NULL;

  g_assert_true (kt_db_get_text (fixture->db, &mode, NULL, "PRAGMA journal_mode", KT_BIND_END));
  g_assert_cmpstr (mode, ==, "wal");
  g_assert_cmpint (int_of (fixture->db, "PRAGMA synchronous"), ==, 2);
  g_assert_cmpint (int_of (fixture->db, "PRAGMA foreign_keys"), ==, 0);
}

static goffset
size_of (const char *path)
{
  GStatBuf st;

  g_assert_cmpint (g_stat (path, &st), ==, 0);
  return st.st_size;
}

/* The log goes back into the file without a commit that waits for it, and can be told not to. */
static void
test_checkpoints_beside (Fixture *fixture, gconstpointer data)
{
  gint64 deadline = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;

  kt_db_checkpoint_beside (fixture->db, TRUE);
  kt_db_checkpoint_beside (fixture->db, TRUE);
  g_assert_true (kt_db_begin (fixture->db, KT_TX_WRITE, NULL));
  fill (fixture->db, 30000);
  g_assert_true (kt_db_commit (fixture->db, NULL));
  while (size_of (fixture->path) < 30000 * 200)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      g_usleep (1000);
    }
  exec_ok (fixture->db, "DELETE FROM v WHERE a <= 10");
  kt_db_checkpoint_beside (fixture->db, FALSE);
  exec_ok (fixture->db, "DELETE FROM v WHERE a <= 20");
  kt_db_checkpoint_beside (fixture->db, TRUE);
  kt_db_close (fixture->db);
  fixture->db = kt_db_open (fixture->path, 0, NULL);
  g_assert_nonnull (fixture->db);
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v"), ==, 29980);
}

static void
test_what_is_not_there (Fixture *fixture, gconstpointer data)
{
  g_autofree char *none = g_build_filename (fixture->folder, "none.db", NULL);
  g_autofree char *nowhere = g_build_filename (fixture->folder, "nowhere", "none.db", NULL);

  assert_opens_with (none, 0, KT_ERROR_NOT_FOUND, none);
  assert_opens_with (none, KT_DB_READ_ONLY, KT_ERROR_NOT_FOUND, none);
  assert_opens_with (nowhere, KT_DB_CREATE, KT_ERROR_NOT_FOUND, nowhere);
  assert_opens_with (fixture->folder, 0, KT_ERROR_INVALID, "is not a file");
  g_assert_cmpuint (files_in (fixture->folder), <=, 3);
}

static void
test_damaged_files_are_refused (Fixture *fixture, gconstpointer data)
{
  g_autofree char *bad = g_build_filename (fixture->folder, "bad.db", NULL);
  g_autofree char *content = NULL;
  gsize len;

  fill (fixture->db, 1000);
  kt_db_close (g_steal_pointer (&fixture->db));
  g_assert_true (g_file_get_contents (fixture->path, &content, &len, NULL));
  g_assert_cmpuint (len, >, 100000);

  g_assert_true (g_file_set_contents (bad, "", 0, NULL));
  assert_opens_with (bad, KT_DB_CREATE, KT_ERROR_CORRUPT, "is empty");
  g_assert_true (g_file_set_contents (bad, "Dear Sir or Madam", -1, NULL));
  assert_opens_with (bad, KT_DB_CREATE, KT_ERROR_CORRUPT, "is not a database");
  g_assert_true (g_file_set_contents (bad, content, 50, NULL));
  assert_opens_with (bad, 0, KT_ERROR_CORRUPT, "is not a database");
  g_assert_true (g_file_set_contents (bad, content, 1000, NULL));
  assert_opens_with (bad, 0, KT_ERROR_CORRUPT, "backup");
  g_assert_true (g_file_set_contents (bad, content, len / 2, NULL));
  assert_opens_with (bad, 0, KT_ERROR_CORRUPT, "is damaged");
  memset (content + 16, 'x', 200);
  g_assert_true (g_file_set_contents (bad, content, len, NULL));
  assert_opens_with (bad, 0, KT_ERROR_CORRUPT, "not a database");
  /* Nothing was changed by looking. */
  g_clear_pointer (&content, g_free);
  g_assert_true (g_file_get_contents (bad, &content, &len, NULL));
  g_assert_cmpint (content[16], ==, 'x');
}

static void
test_damage_inside_is_found (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  guint8 rubbish[2048];
  gint64 sum;
  int fd;

  fill (fixture->db, 5000);
  g_assert_true (kt_db_check (fixture->db, TRUE, problems, &error));
  g_assert_cmpuint (problems->len, ==, 0);
  kt_db_close (g_steal_pointer (&fixture->db));

  memset (rubbish, 0xa5, sizeof rubbish);
  fd = g_open (fixture->path, O_RDWR | O_CLOEXEC, 0);
  g_assert_cmpint (pwrite (fd, rubbish, sizeof rubbish, 4096 * 20), ==, sizeof rubbish);
  close (fd);

  fixture->db = kt_db_open (fixture->path, 0, &error);
  g_assert_no_error (error);
  g_assert_true (kt_db_check (fixture->db, FALSE, problems, &error));
  g_assert_cmpuint (problems->len, >, 0);
  g_assert_false (
    kt_db_get_int (fixture->db, 0, &sum, &error, "SELECT sum(length(t)) FROM v", KT_BIND_END));
  g_assert_error (error, KT_ERROR, KT_ERROR_CORRUPT);
}

static void
test_anothers_database_is_refused (Fixture *fixture, gconstpointer data)
{
  sqlite3 *handle;

  kt_db_close (g_steal_pointer (&fixture->db));
  g_assert_cmpint (sqlite3_open (fixture->path, &handle), ==, SQLITE_OK);
  sqlite3_exec (handle, "PRAGMA application_id = 77", NULL, NULL, NULL);
  sqlite3_close (handle);
  assert_opens_with (fixture->path, 0, KT_ERROR_CORRUPT, "another program");
}

static void
test_a_reader_cannot_write (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDb) reader = NULL;

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER)");
  reader = kt_db_open (fixture->path, KT_DB_READ_ONLY, &error);
  g_assert_no_error (error);
  g_assert_cmpint (int_of (reader, "SELECT count(*) FROM v"), ==, 0);
  g_assert_false (kt_db_begin (reader, KT_TX_WRITE, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_IO);
  g_clear_error (&error);
  g_assert_cmpint (kt_db_run (reader, &error, "INSERT INTO v VALUES (1)", KT_BIND_END), ==, -1);
  g_assert_error (error, KT_ERROR, KT_ERROR_IO);
}

static void
test_names_of_files (Fixture *fixture, gconstpointer data)
{
  g_autofree char *odd = g_build_filename (fixture->folder, "ä %41 ?x#y.db", NULL);
  g_autofree char *escaped = g_uri_escape_string (odd, "/", FALSE);
  g_autofree char *uri = g_strdup_printf ("file:%s?cache=private", escaped);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDb) db = kt_db_open (odd, KT_DB_CREATE, &error);
  g_autoptr (KtDb) same = NULL;
  g_autoptr (KtDb) memory = NULL;

  g_assert_no_error (error);
  exec_ok (db, "CREATE TABLE v (a INTEGER)");
  g_assert_true (g_file_test (odd, G_FILE_TEST_IS_REGULAR));
  same = kt_db_open (uri, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpint (int_of (same, "SELECT count(*) FROM v"), ==, 0);
  memory = kt_db_open (":memory:", 0, &error);
  g_assert_no_error (error);
  exec_ok (memory, "CREATE TABLE v (a INTEGER)");
  begin_ok (memory, KT_TX_WRITE);
  commit_ok (memory);
}

/* ---- locks ---- */

static void
test_one_program_at_a_time (Fixture *fixture, gconstpointer data)
{
  g_autofree char *number = g_strdup_printf ("process %d", (int) getpid ());
  g_autoptr (GError) error = NULL;
  KtDb *holder = kt_db_open (fixture->path, KT_DB_EXCLUSIVE_LOCK, &error);
  g_autoptr (KtDb) next = NULL;

  g_assert_no_error (error);
  assert_opens_with (fixture->path, KT_DB_EXCLUSIVE_LOCK, KT_ERROR_BUSY, number);
  /* Connections beside it that do not ask are let in. */
  g_assert_cmpint (int_of (fixture->db, "SELECT 1"), ==, 1);
  kt_db_close (holder);
  next = kt_db_open (fixture->path, KT_DB_EXCLUSIVE_LOCK, &error);
  g_assert_no_error (error);
}

static void
test_a_dead_holder_lets_go (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDb) db = NULL;
  int tube[2];
  char byte = 0;
  int status;
  pid_t child;

  kt_db_close (g_steal_pointer (&fixture->db));
  g_assert_cmpint (pipe (tube), ==, 0);
  child = fork ();
  if (child == 0)
    {
      KtDb *held = kt_db_open (fixture->path, KT_DB_EXCLUSIVE_LOCK, NULL);

      if (held == NULL || write (tube[1], "x", 1) != 1)
        _exit (1);
      for (;;)
        pause ();
    }
  g_assert_cmpint (read (tube[0], &byte, 1), ==, 1);
  assert_opens_with (fixture->path, KT_DB_EXCLUSIVE_LOCK, KT_ERROR_BUSY, "is in use by process");
  kill (child, SIGKILL);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  db = kt_db_open (fixture->path, KT_DB_EXCLUSIVE_LOCK, &error);
  g_assert_no_error (error);
  close (tube[0]);
  close (tube[1]);
}

static gpointer
interrupt_thread (gpointer data)
{
  gpointer *args = data;

  while (!g_atomic_int_get ((int *) args[1]))
    {
      kt_db_interrupt (args[0]);
      g_usleep (2000);
    }
  return NULL;
}

static void
test_waiting_for_a_lock_is_interrupted (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtDb) other = fixture_open_another (fixture);
  g_autoptr (GError) error = NULL;
  int done = 0;
  gpointer args[] = { other, &done };
  GThread *thread;
  gboolean begun;

  begin_ok (fixture->db, KT_TX_WRITE);
  thread = g_thread_new ("interrupt", interrupt_thread, args);
  begun = kt_db_begin (other, KT_TX_WRITE, &error);
  g_atomic_int_set (&done, 1);
  g_thread_join (thread);
  g_assert_false (begun);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  kt_db_rollback (fixture->db);
  begin_ok (other, KT_TX_WRITE);
  commit_ok (other);
}

/* ---- a full disk ---- */

static void
test_a_full_disk_loses_nothing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fill (fixture->db, 10);
  exec_ok (fixture->db, "PRAGMA max_page_count = 20");
  begin_ok (fixture->db, KT_TX_WRITE);
  exec_ok (fixture->db, "DELETE FROM v WHERE a = 1");
  while (kt_db_run (fixture->db, &error, "INSERT INTO v (t) VALUES (randomblob(4000))", KT_BIND_END)
         == 1)
    ;
  g_assert_error (error, KT_ERROR, KT_ERROR_FULL);
  g_assert_nonnull (strstr (error->message, fixture->path));
  g_clear_error (&error);
  g_assert_false (kt_db_commit (fixture->db, &error));
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v"), ==, 10);
  exec_ok (fixture->db, "PRAGMA max_page_count = 2000");
  exec_ok (fixture->db, "INSERT INTO v (t) VALUES ('again')");
}

/* A VFS whose writes begin to fail: the commit itself finds the disk full. */
static sqlite3_vfs full_vfs;
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods full_methods;
static const sqlite3_io_methods *real_methods;
static gboolean disk_is_full;

static int
full_write (sqlite3_file *file, const void *data, int n, sqlite3_int64 offset)
{
  return disk_is_full ? SQLITE_FULL : real_methods->xWrite (file, data, n, offset);
}

static int
full_open (sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
  int code = real_vfs->xOpen (real_vfs, name, file, flags, out_flags);

  /* A commit writes to the WAL. */
  if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0)
    {
      real_methods = file->pMethods;
      full_methods = *real_methods;
      full_methods.xWrite = full_write;
      file->pMethods = &full_methods;
    }
  return code;
}

static void
test_a_commit_that_fails_is_reported (Fixture *fixture, gconstpointer data)
{
  g_autofree char *uri = g_strdup_printf ("file:%s/full.db?vfs=full", fixture->folder);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDb) db = NULL;

  real_vfs = sqlite3_vfs_find (NULL);
  full_vfs = *real_vfs;
  full_vfs.zName = "full";
  full_vfs.xOpen = full_open;
  sqlite3_vfs_register (&full_vfs, 0);

  db = kt_db_open (uri, KT_DB_CREATE, &error);
  g_assert_no_error (error);
  exec_ok (db, "CREATE TABLE v (a INTEGER)");
  begin_ok (db, KT_TX_WRITE);
  exec_ok (db, "INSERT INTO v VALUES (1)");
  disk_is_full = TRUE;
  g_assert_false (kt_db_commit (db, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_FULL);
  g_assert_nonnull (strstr (error->message, "/full.db:"));
  g_assert_false (kt_db_in_transaction (db));
  disk_is_full = FALSE;
  g_assert_cmpint (int_of (db, "SELECT count(*) FROM v"), ==, 0);
  exec_ok (db, "INSERT INTO v VALUES (1)");
  kt_db_close (g_steal_pointer (&db));
  sqlite3_vfs_unregister (&full_vfs);
}

/* ---- copies ---- */

typedef struct
{
  const char *path;
  int done;   /* atomic */
  int rounds; /* atomic */
} Writer;

static gpointer
writer_thread (gpointer data)
{
  Writer *writer = data;
  KtDb *db = kt_db_open (writer->path, 0, NULL);

  while (!g_atomic_int_get (&writer->done))
    {
      begin_ok (db, KT_TX_WRITE);
      exec_ok (db, "UPDATE v SET t = t || 'x' WHERE a = 1");
      exec_ok (db, "UPDATE v SET t = t || 'x' WHERE a = 2000");
      commit_ok (db);
      g_atomic_int_inc (&writer->rounds);
    }
  kt_db_close (db);
  return NULL;
}

static void
test_a_copy_is_made_while_others_write (Fixture *fixture, gconstpointer data)
{
  g_autofree char *copy_path = g_build_filename (fixture->folder, "copy.db", NULL);
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDb) copy = NULL;
  Writer writer = { .path = fixture->path };
  GThread *thread;
  int before;

  fill (fixture->db, 2000);
  thread = g_thread_new ("writer", writer_thread, &writer);
  while (g_atomic_int_get (&writer.rounds) < 3)
    g_thread_yield ();
  for (guint i = 0; i < 3; i++)
    {
      /* Over an older copy, too. */
      g_assert_true (kt_db_backup (fixture->db, copy_path, &error));
      g_assert_no_error (error);
    }
  /* The writer was not stopped. */
  before = g_atomic_int_get (&writer.rounds);
  while (g_atomic_int_get (&writer.rounds) == before)
    g_thread_yield ();
  g_atomic_int_set (&writer.done, 1);
  g_thread_join (thread);

  assert_mode (copy_path, "");
  copy = kt_db_open (copy_path, 0, &error);
  g_assert_no_error (error);
  g_assert_true (kt_db_check (copy, TRUE, problems, &error));
  g_assert_cmpuint (problems->len, ==, 0);
  g_assert_cmpint (int_of (copy, "SELECT count(*) FROM v"), ==, 2000);
  /* Both halves of a transaction or none. */
  g_assert_cmpint (int_of (copy, "SELECT count(DISTINCT length(t)) FROM v WHERE a IN (1, 2000)"),
                   ==, 1);
}

static void
test_a_copy_is_whole_or_not_there (Fixture *fixture, gconstpointer data)
{
  g_autofree char *nowhere = g_build_filename (fixture->folder, "nowhere", "copy.db", NULL);
  g_autofree char *uri = g_strdup_printf ("file:%s", fixture->path);
  g_autoptr (GError) error = NULL;

  fill (fixture->db, 10);
  g_assert_false (kt_db_backup (fixture->db, fixture->path, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (kt_db_backup (fixture->db, nowhere, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v"), ==, 10);
  g_assert_cmpuint (files_in (fixture->folder), ==, 3);
}

static void
test_changes_of_others_are_noticed (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtDb) other = fixture_open_another (fixture);
  gint64 version;

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER)");
  version = kt_db_data_version (fixture->db);
  exec_ok (fixture->db, "INSERT INTO v VALUES (1)");
  g_assert_cmpint (kt_db_data_version (fixture->db), ==, version);
  exec_ok (other, "INSERT INTO v VALUES (1)");
  g_assert_cmpint (kt_db_data_version (fixture->db), !=, version);
}

/* Another program opens the database, writes and closes it: the last one out would take the log away. */
static int
write_as_another_program (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDb) db = kt_db_open (path, 0, &error);

  return db != NULL && kt_db_exec (db, "INSERT INTO v VALUES (1)", &error) ? 0 : 1;
}

static void
test_locks_outlive_a_second_connection (Fixture *fixture, gconstpointer data)
{
  g_autofree char *log = g_strconcat (fixture->path, "-wal", NULL);
  const char *argv[] = { "/proc/self/exe", "--write", fixture->path, NULL };
  g_autofree char *program = g_file_read_link (argv[0], NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDb) other = NULL;
  struct stat before, after;
  int status = -1;

  exec_ok (fixture->db, "CREATE TABLE v (a INTEGER)");
  other = fixture_open_another (fixture);
  g_assert_cmpint (stat (log, &before), ==, 0);
  argv[0] = program;
  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  g_assert_cmpint (stat (log, &after), ==, 0);
  g_assert_cmpint ((gint64) before.st_ino, ==, (gint64) after.st_ino);
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM v"), ==, 1);
  g_assert_cmpint (int_of (other, "SELECT count(*) FROM v"), ==, 1);
}

#define ADD(name, function) \
  g_test_add ("/sqlite/" name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_unsetenv ("KONTOR_TEST_PG");
  if (argc == 3 && g_str_equal (argv[1], "--write"))
    return write_as_another_program (argv[2]);
  g_test_init (&argc, &argv, NULL);

  ADD ("files-are-private", test_files_are_private);
  ADD ("every-commit-is-durable", test_every_commit_is_durable);
  ADD ("P1/checkpoints-beside", test_checkpoints_beside);
  ADD ("what-is-not-there", test_what_is_not_there);
  ADD ("damaged-files-are-refused", test_damaged_files_are_refused);
  ADD ("damage-inside-is-found", test_damage_inside_is_found);
  ADD ("anothers-database-is-refused", test_anothers_database_is_refused);
  ADD ("a-reader-cannot-write", test_a_reader_cannot_write);
  ADD ("names-of-files", test_names_of_files);
  ADD ("one-program-at-a-time", test_one_program_at_a_time);
  ADD ("a-dead-holder-lets-go", test_a_dead_holder_lets_go);
  ADD ("waiting-for-a-lock-is-interrupted", test_waiting_for_a_lock_is_interrupted);
  ADD ("a-full-disk-loses-nothing", test_a_full_disk_loses_nothing);
  ADD ("a-commit-that-fails-is-reported", test_a_commit_that_fails_is_reported);
  ADD ("a-copy-is-made-while-others-write", test_a_copy_is_made_while_others_write);
  ADD ("a-copy-is-whole-or-not-there", test_a_copy_is_whole_or_not_there);
  ADD ("changes-of-others-are-noticed", test_changes_of_others_are_noticed);
  ADD ("locks-outlive-a-second-connection", test_locks_outlive_a_second_connection);

  return g_test_run ();
}
