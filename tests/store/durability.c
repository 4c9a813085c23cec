/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/kt-error.h"
#include "store/kt-store.h"

/* What happens to files and processes: kill -9, full disk, damage, a second process. */

static KtLocal *
open_beside (Fix *fix, KtLocalFlags flags)
{
  g_autoptr (GError) error = NULL;
  KtLocal *local = kt_local_open (fix->dir, flags, &fix->env, &error);

  g_assert_no_error (error);
  return local;
}

/* Commits without end, and says so after each. */
static void G_GNUC_NORETURN
child_commits (Fix *fix, int fd)
{
  fix->local = open_beside (fix, 0);
  g_rand_set_seed (fix->random, (guint32) getpid ());
  for (;;)
    {
      KtId id;

      fix_create (fix, "account", &id, "name", "Survivor", NULL);
      fix_set (fix, "account", &id, "phone", "12345");
      if (write (fd, &id, sizeof id) != sizeof id)
        _exit (1);
    }
}

/* P1, 70: whatever was acknowledged before kill -9 is there, with its outbox entries, and nothing is half there. */
static void
test_kill (Fix *fix, gconstpointer data)
{
  guint n = 0;

  for (guint round = 0; round < 6; round++)
    {
      int pipes[2];
      KtId id;
      pid_t child;
      int status;

      kt_local_close (fix->local);
      fix->local = NULL;
      g_assert_cmpint (pipe (pipes), ==, 0);
      child = fork ();
      if (child == 0)
        child_commits (fix, pipes[1]);
      close (pipes[1]);
      g_usleep (60000 + (gulong) g_rand_int_range (fix->random, 0, 120000));
      kill (child, SIGKILL);
      g_assert_cmpint (waitpid (child, &status, 0), ==, child);

      fix->local = open_beside (fix, 0);
      while (read (pipes[0], &id, sizeof id) == sizeof id)
        {
          gint64 ops = 0;

          assert_text (fix, "account", &id, "phone", "12345");
          kt_db_get_int (kt_local_db (fix->local), 0, &ops, NULL,
                         "SELECT count(*) FROM kt_outbox_op WHERE id=?1", KT_BIND_ID, &id,
                         KT_BIND_END);
          g_assert_cmpint (ops, ==, 2);
          n++;
        }
      close (pipes[0]);
      fix_check (fix);
    }
  g_assert_cmpuint (n, >, 6);
  g_test_message ("%u acknowledged records survived", n);
}

static void
limit_pages (Fix *fix, gint64 more)
{
  g_autofree char *sql = NULL;
  g_autoptr (GError) error = NULL;

  sql = g_strdup_printf ("PRAGMA max_page_count=%" G_GINT64_FORMAT,
                         more > 0 ? fix_count (fix, "PRAGMA page_count") + more
                                  : G_GINT64_CONSTANT (1000000));
  kt_db_exec (kt_local_db (fix->local), sql, &error);
  g_assert_no_error (error);
}

/* P1, 70: a full disk says so and loses nothing; with room again the work goes on. */
static void
test_full (Fix *fix, gconstpointer data)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (GError) error = NULL;
  g_autofree char *big = g_strnfill (30000, 'x');
  gint64 committed = 0;
  KtId id;

  fix_create (fix, "account", &id, "name", "First", NULL);
  limit_pages (fix, 40);
  for (guint i = 0; i < 200 && error == NULL; i++)
    {
      g_autoptr (KtMutation) mutation = kt_mutation_new ("2026-02-03T04:05:06.000Z", "client");
      g_autoptr (KtRecord) record =
        fix_record (fix, "account", NULL, 0, "name", "Big", "description", big, NULL);

      kt_mutation_add (mutation, KT_MUTATE_CREATE, record->object, &record->id, 0,
                       kt_patch_diff (NULL, record));
      if (kt_local_commit (fix->local, mutation, NULL, NULL, &error))
        committed++;
    }
  g_assert_error (error, KT_ERROR, KT_ERROR_FULL);
  g_clear_error (&error);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, committed + 1);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM o_account"), ==, committed + 1);
  fix_check (fix);

  /* A page does not fit either, and does not move the cursor. */
  for (guint i = 0; i < 60; i++)
    g_ptr_array_add (
      records, fix_record (fix, "account", NULL, 2, "name", "Pulled", "description", big, NULL));
  g_assert_false (fix_try_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c2", NULL }, records, NULL,
                                 NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_FULL);
  g_clear_error (&error);
  g_assert_cmpint (kt_local_seq (fix->local), ==, 1);
  fix_check (fix);

  limit_pages (fix, 0);
  fix_try_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c2", NULL }, records, NULL, NULL, NULL,
                 &error);
  g_assert_no_error (error);
  fix_set (fix, "account", &id, "name", "After");
  assert_text (fix, "account", &id, "name", "After");
}

static void
test_modes (Fix *fix, gconstpointer data)
{
  g_autofree char *file = g_build_filename (fix->dir, "profile.db", NULL);
  g_autofree char *dir = g_build_filename (fix->dir, "new", "deep", NULL);
  g_autoptr (GError) error = NULL;
  GStatBuf st;
  KtLocal *other;

  g_assert_cmpint (g_stat (file, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  g_assert_null (kt_local_open (dir, 0, &fix->env, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_clear_error (&error);
  other = kt_local_open (dir, KT_LOCAL_CREATE, &fix->env, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (dir, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0700);
  kt_local_close (other);
}

/* A file of a newer program is refused and left alone. */
static void
test_newer (Fix *fix, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  kt_db_exec (kt_local_db (fix->local), "UPDATE kt_version SET version=99 WHERE component='store'",
              &error);
  g_assert_no_error (error);
  g_assert_null (kt_local_open (fix->dir, 0, &fix->env, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NEWER);
  kt_db_exec (kt_local_db (fix->local), "UPDATE kt_version SET version=1 WHERE component='store'",
              NULL);
}

/* 66: what had not been sent is saved from a damaged file where it can be read. */
static void
test_damaged (Fix *fix, gconstpointer data)
{
  g_autofree char *file = g_build_filename (fix->dir, "profile.db", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  gboolean saved = FALSE;
  const char *name;

  for (guint i = 0; i < 50; i++)
    fix_create (fix, "account", NULL, "name", "Unsent work", NULL);
  /* The schema is gone, the outbox is not. */
  kt_db_exec (kt_local_db (fix->local), "DELETE FROM kt_meta WHERE key='kt:schema'", &error);
  g_assert_no_error (error);
  kt_db_exec (kt_local_db (fix->local), "UPDATE kt_meta SET value='x' WHERE key='kt:schema_digest'",
              &error);
  kt_local_close (fix->local);
  fix->local = NULL;
  g_assert_null (kt_local_open (fix->dir, 0, &fix->env, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, file));
  g_assert_nonnull (strstr (error->message, ".damaged-"));
  dir = g_dir_open (fix->dir, 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, "unsent-"))
      {
        g_autofree char *path = g_build_filename (fix->dir, name, NULL);
        g_autoptr (KtJson) json = kt_json_parse_file (path, 1 << 20, NULL);

        g_assert_cmpuint (kt_json_length (json), ==, 50);
        saved = TRUE;
      }
  g_assert_true (saved);
}

static void
expect_corrupt (Fix *fix, const char *content, gsize len)
{
  g_autofree char *file = g_build_filename (fix->dir, "profile.db", NULL);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (file, content, (gssize) len, &error);
  g_assert_no_error (error);
  g_assert_null (kt_local_open (fix->dir, KT_LOCAL_CREATE, &fix->env, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, file));
  g_assert_nonnull (strstr (error->message, "damaged"));
}

static void
test_truncated (Fix *fix, gconstpointer data)
{
  g_autofree char *file = g_build_filename (fix->dir, "profile.db", NULL);
  g_autofree char *content = NULL;
  gsize len = 0;

  kt_local_close (fix->local);
  fix->local = NULL;
  g_file_get_contents (file, &content, &len, NULL);
  expect_corrupt (fix, "", 0);
  expect_corrupt (fix, content, 4096 * 3);
  expect_corrupt (fix, content, 50);
  memset (content, 'x', 4096);
  expect_corrupt (fix, content, len);
}

/* Two programs on one profile: both write, and each sees what the other did. */
static void
test_two_processes (Fix *fix, gconstpointer data)
{
  pid_t child = fork ();
  int status;

  if (child == 0)
    {
      fix->local = open_beside (fix, 0);
      g_rand_set_seed (fix->random, (guint32) getpid ());
      for (guint i = 0; i < 60; i++)
        fix_create (fix, "account", NULL, "name", "Child", NULL);
      kt_local_close (fix->local);
      _exit (0);
    }
  for (guint i = 0; i < 60; i++)
    fix_create (fix, "account", NULL, "name", "Parent", NULL);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 120);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM o_account"), ==, 120);
}

static void
test_follows_other (Fix *fix, gconstpointer data)
{
  KtLocal *mine = fix->local;
  KtLocal *reader = open_beside (fix, KT_LOCAL_READ_ONLY);
  KtIdentity identity = *kt_local_identity (mine);
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) counts = NULL;

  g_assert_true (kt_local_schema (reader) == kt_local_schema (mine));
  identity.user_name = (char *) "ada.l";
  kt_local_set_identity (mine, &identity, &error);
  g_assert_no_error (error);
  kt_local_set_locale (mine, "zh_CN", &error);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 9, "c9", NULL }, NULL));
  counts = kt_local_counts (reader, &error);
  g_assert_no_error (error);
  g_assert_cmpint (kt_local_seq (reader), ==, 9);
  g_assert_cmpstr (kt_local_locale (reader), ==, "zh_CN");
  g_assert_cmpstr (kt_local_identity (reader)->user_name, ==, "ada.l");
  g_assert_false (kt_local_set_meta (reader, "x", "y", &error));
  kt_local_close (reader);
}

/* 55: one user's unsent work is never sent under another's name. */
static void
test_other_user (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = fix_record (fix, "account", NULL, 2, "name", "Theirs", NULL);
  KtIdentity identity = *kt_local_identity (fix->local);
  g_autoptr (GError) error = NULL;
  g_autofree char *sent = NULL;
  g_autofree char *found = NULL;

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c2", NULL }, a, NULL));
  fix_set (fix, "account", &a->id, "name", "Mine");
  identity.access.user = kt_id_new (&fix->env);
  identity.user_name = (char *) "bob";
  g_assert_false (kt_local_set_identity (fix->local, &identity, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_UNSETTLED);
  g_assert_nonnull (strstr (error->message, "ada"));
  g_clear_error (&error);
  g_assert_cmpstr (kt_local_identity (fix->local)->user_name, ==, "ada");

  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 3);
  kt_local_set_identity (fix->local, &identity, &error);
  g_assert_no_error (error);
  g_assert_false (kt_local_ready (fix->local));
  g_assert_false (fix_has (fix, "account", &a->id));
  found = fix_list (fix, "account", "name", "mine");
  g_assert_cmpstr (found, ==, "");
  g_assert_null (kt_local_cursor (fix->local, NULL));
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 0);
}

static void
test_meta (Fix *fix, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *value = NULL;

  g_assert_true (kt_local_set_meta (fix->local, "last_sync", "12", &error));
  fix_reopen (fix);
  value = kt_local_get_meta (fix->local, "last_sync", &error);
  g_assert_cmpstr (value, ==, "12");
  g_assert_false (kt_local_set_meta (fix->local, "kt:cursor", "x", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
}

/* 69, P14: attachments by content. */
static void
test_blobs (Fix *fix, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fix->dir, "letter.txt", NULL);
  g_autofree char *sum = NULL;
  g_autofree char *again = NULL;
  g_autofree char *stored = NULL;
  g_autofree char *content = NULL;
  g_autoptr (GPtrArray) due = NULL;
  g_autoptr (GError) error = NULL;
  gint64 size = 0;

  g_file_set_contents (path, "hello", -1, NULL);
  g_assert_true (kt_local_blob_add (fix->local, path, &sum, &size, NULL, &error));
  g_assert_cmpstr (sum, ==, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  g_assert_cmpint (size, ==, 5);
  g_assert_true (kt_local_blob_add (fix->local, path, &again, NULL, NULL, &error));
  g_assert_true (kt_local_blob_have (fix->local, sum, &size));
  stored = kt_local_blob_path (fix->local, sum);
  g_assert_true (g_file_get_contents (stored, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "hello");
  due = kt_local_blobs_to_send (fix->local, &error);
  g_assert_cmpuint (due->len, ==, 1);
  g_assert_true (kt_local_blob_sent (fix->local, sum, &error));
  g_clear_pointer (&due, g_ptr_array_unref);
  due = kt_local_blobs_to_send (fix->local, &error);
  g_assert_cmpuint (due->len, ==, 0);
  g_assert_false (kt_local_blob_have (fix->local, "../../etc/passwd", NULL));
  g_assert_false (kt_local_blob_add (fix->local, "/nonexistent", NULL, NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
}

static void
test_history (Fix *fix, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *json = NULL;
  KtId id;

  fix_create (fix, "account", &id, "name", "Acme", NULL);
  kt_local_keep_history (fix->local, &id, "[{\"seq\":1}]", &error);
  g_assert_no_error (error);
  json = kt_local_get_history (fix->local, &id, &error);
  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (json, "[{\"seq\":1},{"));
  g_assert_nonnull (strstr (json, "\"new\":\"Acme\""));
  g_assert_nonnull (strstr (json, "\"outcome\":\"waiting\""));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fix, NULL, fix_set_up_ready, func, fix_tear_down)
  ADD ("/durability/P1/70/kill", test_kill);
  ADD ("/durability/P1/70/full", test_full);
  ADD ("/durability/modes", test_modes);
  ADD ("/durability/newer", test_newer);
  ADD ("/durability/66/damaged", test_damaged);
  ADD ("/durability/truncated", test_truncated);
  ADD ("/durability/two-processes", test_two_processes);
  ADD ("/durability/follows-other", test_follows_other);
  ADD ("/durability/55/other-user", test_other_user);
  ADD ("/durability/meta", test_meta);
  ADD ("/durability/69/blobs", test_blobs);
  ADD ("/durability/history", test_history);
  return g_test_run ();
}
