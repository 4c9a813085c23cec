/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is kept: attachments, backups, and the truth about both. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"

static KtReply *
blob (Device *device,
      KtEndpoint endpoint,
      const char *sha256,
      gint64 start,
      const char *query,
      const void *data,
      gsize len)
{
  g_autoptr (KtRequest) request = kt_request_new (endpoint);

  request->token = g_strdup (device->token);
  request->rest = g_strdup (sha256);
  request->query = g_strdup (query);
  request->range_start = start;
  if (data != NULL)
    request->body = g_bytes_new (data, len);
  return kt_core_handle (device->fixture->core, request);
}

static gint64
have_bytes (KtReply *reply, gboolean *whole)
{
  g_autoptr (KtJson) json = reply_json (reply);

  *whole = kt_json_get_bool (json, "whole", FALSE);
  return kt_json_get_int (json, "have", -1);
}

static char *
make_file (Device *device, const char *sha256, gsize size)
{
  g_autofree char *fields = g_strdup_printf (
    "\"name\":[null,\"offer.pdf\"],\"sha256\":[null,\"%s\"],\"size\":[null,%" G_GSIZE_FORMAT "]",
    sha256, size);

  return create (device, "file", fields);
}

/* 69: an upload continues where it stopped; no half file counts as whole. */
static void
test_blob (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *data = g_strnfill (300000, 'k');
  g_autofree char *sha256 = g_compute_checksum_for_string (G_CHECKSUM_SHA256, data, -1);
  g_autofree char *id = make_file (ben, sha256, 300000);
  g_autoptr (KtReply) first = NULL;
  g_autoptr (KtReply) state = NULL;
  g_autoptr (KtReply) early = NULL;
  g_autoptr (KtReply) wrong = NULL;
  g_autoptr (KtReply) second = NULL;
  g_autoptr (KtReply) all = NULL;
  g_autoptr (KtReply) rest = NULL;
  g_autoptr (KtReply) beyond = NULL;
  gboolean whole;

  pull (ben, 0);
  assert_value (ben, "file", id, "state", "\"uploading\"");
  first = blob (ben, KT_ENDPOINT_BLOB_PUT, sha256, -1, "offset=0", data, 100000);
  g_assert_cmpint (have_bytes (first, &whole), ==, 100000);
  g_assert_false (whole);
  fixture_reopen (fixture);
  state = blob (ben, KT_ENDPOINT_BLOB_STAT, sha256, -1, NULL, NULL, 0);
  g_assert_cmpint (have_bytes (state, &whole), ==, 100000);
  early = blob (ben, KT_ENDPOINT_BLOB_GET, sha256, -1, NULL, NULL, 0);
  g_assert_cmpuint (early->status, ==, 404);
  wrong = blob (ben, KT_ENDPOINT_BLOB_PUT, sha256, -1, "offset=5", data, 10);
  g_assert_cmpuint (wrong->status, ==, 409);
  second = blob (ben, KT_ENDPOINT_BLOB_PUT, sha256, -1, "offset=100000", data + 100000, 200000);
  g_assert_cmpint (have_bytes (second, &whole), ==, 300000);
  g_assert_true (whole);
  pull (ben, 0);
  assert_value (ben, "file", id, "state", "\"stored\"");

  all = blob (ben, KT_ENDPOINT_BLOB_GET, sha256, -1, NULL, NULL, 0);
  g_assert_cmpuint (all->status, ==, 200);
  g_assert_cmpmem (g_bytes_get_data (all->body, NULL), g_bytes_get_size (all->body), data, 300000);
  rest = blob (ben, KT_ENDPOINT_BLOB_GET, sha256, 299990, NULL, NULL, 0);
  g_assert_cmpuint (rest->status, ==, 206);
  g_assert_cmpuint (g_bytes_get_size (rest->body), ==, 10);
  g_assert_cmpint (rest->range_total, ==, 300000);
  beyond = blob (ben, KT_ENDPOINT_BLOB_GET, sha256, 300000, NULL, NULL, 0);
  g_assert_cmpuint (beyond->status, ==, 416);
  assert_sound (fixture);
}

/* Content that is not what its name says is thrown away, not believed. */
static void
test_blob_wrong_content (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *sha256 = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "right", -1);
  g_autoptr (KtReply) wrong =
    blob (ben, KT_ENDPOINT_BLOB_PUT, sha256, -1, "offset=0&size=5", "wrong", 5);
  g_autoptr (KtReply) longer =
    blob (ben, KT_ENDPOINT_BLOB_PUT, sha256, -1, "offset=0&size=5", "too long", 8);
  g_autoptr (KtReply) state = blob (ben, KT_ENDPOINT_BLOB_STAT, sha256, -1, NULL, NULL, 0);
  static const char *const names[] = { "..", "../../etc/passwd", "ABCDEF", "", NULL };
  gboolean whole;

  g_assert_cmpuint (wrong->status, ==, 400);
  g_assert_cmpuint (longer->status, >=, 400);
  g_assert_cmpint (have_bytes (state, &whole), ==, 0);
  for (guint i = 0; names[i] != NULL; i++)
    {
      g_autoptr (KtReply) put = blob (ben, KT_ENDPOINT_BLOB_PUT, names[i], -1, "offset=0", "x", 1);
      g_autoptr (KtReply) get = blob (ben, KT_ENDPOINT_BLOB_GET, names[i], -1, NULL, NULL, 0);

      g_assert_cmpuint (put->status, ==, 400);
      g_assert_cmpuint (get->status, ==, 400);
    }
}

/* An empty file is a file. */
static void
test_blob_empty (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *sha256 = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "", -1);
  g_autofree char *id = make_file (ben, sha256, 0);
  g_autoptr (KtReply) put = blob (ben, KT_ENDPOINT_BLOB_PUT, sha256, -1, "offset=0", NULL, 0);
  g_autoptr (KtReply) get = blob (ben, KT_ENDPOINT_BLOB_GET, sha256, -1, NULL, NULL, 0);
  g_autofree char *file = g_build_filename (fixture->dir, "backup", NULL);
  gboolean whole;

  g_assert_cmpint (have_bytes (put, &whole), ==, 0);
  g_assert_true (whole);
  g_assert_cmpuint (get->status, ==, 200);
  g_assert_cmpuint (g_bytes_get_size (get->body), ==, 0);
  pull (ben, 0);
  assert_value (ben, "file", id, "state", "\"stored\"");
  g_assert_true (kt_core_backup (fixture->core, file, NULL));
  assert_sound (fixture);
}

/* Nobody reads an attachment by knowing its name alone. */
static void
test_blob_needs_record (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *sha256 = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "right", -1);
  g_autoptr (KtReply) put = blob (ben, KT_ENDPOINT_BLOB_PUT, sha256, -1, "offset=0", "right", 5);
  g_autoptr (KtReply) before = blob (ben, KT_ENDPOINT_BLOB_GET, sha256, -1, NULL, NULL, 0);
  g_autoptr (KtReply) after = NULL;
  g_autofree char *id = NULL;
  gboolean whole;

  g_assert_cmpint (have_bytes (put, &whole), ==, 5);
  g_assert_true (whole);
  g_assert_cmpuint (before->status, ==, 404);
  id = make_file (ben, sha256, 5);
  pull (ben, 0);
  assert_value (ben, "file", id, "state", "\"stored\"");
  after = blob (ben, KT_ENDPOINT_BLOB_GET, sha256, -1, NULL, NULL, 0);
  g_assert_cmpuint (after->status, ==, 200);
}

/* ---- backup ---- */

/* 58, P10: the workspace comes back whole, in another life; nobody's cursor fits any more. */
static void
test_backup (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = create (ben, "account", "\"name\":[null,\"Before\"]");
  g_autofree char *late = NULL;
  g_autofree char *sha256 = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "content", -1);
  g_autofree char *file_id = make_file (ben, sha256, 7);
  g_autoptr (KtReply) put = blob (ben, KT_ENDPOINT_BLOB_PUT, sha256, -1, "offset=0", "content", 7);
  g_autofree char *file = g_build_filename (fixture->dir, "backup.kontor", NULL);
  g_autofree char *dir = g_strconcat (fixture->dir, "-restored", NULL);
  g_autofree char *query = NULL;
  g_autofree char *old_dir = NULL;
  g_autoptr (KtReply) refused = NULL;
  g_autoptr (KtReply) gap = NULL;
  g_autoptr (KtReply) content = NULL;
  g_autoptr (KtJson) json = NULL;
  g_autofree char *body = NULL;
  g_autofree char *op = NULL;
  g_autoptr (GError) error = NULL;
  KtId before = fixture->core->epoch;

  kt_core_backup (fixture->core, file, &error);
  g_assert_no_error (error);
  late = create (ben, "account", "\"name\":[null,\"After\"]");
  pull (ben, 0);
  query = g_strdup_printf ("cursor=%s", ben->cursor);

  kt_core_restore (file, dir, &fixture->env, &error);
  g_assert_no_error (error);
  kt_core_close (fixture->core);
  old_dir = fixture->dir;
  fixture->dir = g_strdup (dir);
  fixture->core = kt_core_open (dir, &fixture->env, &error);
  g_assert_no_error (error);
  g_assert_false (kt_id_equal (&before, &fixture->core->epoch));
  assert_sound (fixture);

  /* The session still holds; the cursor does not. */
  refused = ask (fixture, KT_ENDPOINT_PULL, ben->token, query, NULL);
  json = reply_json (refused);
  g_assert_cmpuint (refused->status, ==, 410);
  g_assert_cmpstr (kt_json_get_string (kt_json_get (json, "error"), "code", NULL), ==, "epoch");
  g_assert_nonnull (kt_json_get_string (kt_json_get (json, "error"), "epoch", NULL));
  op = op_create ("account", old_dir, "");
  body = push_body (ben, ben->number + 1, op);
  gap = ask (fixture, KT_ENDPOINT_PUSH, ben->token, NULL, body);
  g_assert_cmpuint (gap->status, ==, 409);

  g_clear_pointer (&ben->cursor, g_free);
  g_hash_table_remove_all (ben->records);
  pull (ben, 0);
  g_assert_nonnull (have (ben, "account", id));
  g_assert_null (have (ben, "account", late));
  assert_equal (ben);
  content = blob (ben, KT_ENDPOINT_BLOB_GET, sha256, -1, NULL, NULL, 0);
  g_assert_cmpmem (g_bytes_get_data (content->body, NULL), g_bytes_get_size (content->body),
                   "content", 7);
  fixture_remove (old_dir);
}

static void
test_backup_refuses (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autofree char *file = g_build_filename (fixture->dir, "backup.kontor", NULL);
  g_autofree char *text = g_build_filename (fixture->dir, "text", NULL);
  g_autofree char *empty = g_build_filename (fixture->dir, "empty", NULL);
  g_autofree char *fresh = g_strconcat (fixture->dir, "-fresh", NULL);
  g_autofree char *content = NULL;
  gsize len;
  g_autoptr (GError) error = NULL;
  GStatBuf st;

  g_file_set_contents (text, "precious", -1, NULL);
  g_file_set_contents (empty, "", 0, NULL);
  g_assert_false (kt_core_backup (fixture->core, text, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_EXISTS);
  g_clear_error (&error);
  g_assert_true (kt_core_backup (fixture->core, empty, &error));
  g_assert_true (kt_core_backup (fixture->core, file, &error));
  g_assert_true (kt_core_backup (fixture->core, file, &error)); /* a backup replaces a backup */
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (file, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);

  g_assert_false (kt_core_restore (text, fresh, &fixture->env, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_false (kt_core_restore (file, fixture->dir, &fixture->env, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_EXISTS);
  g_clear_error (&error);
  g_assert_false (kt_core_restore ("/nonexistent", fresh, &fixture->env, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_clear_error (&error);
  /* Cut in the middle. */
  g_assert_true (g_file_get_contents (file, &content, &len, NULL));
  g_file_set_contents (file, content, (gssize) len / 2, NULL);
  g_assert_false (kt_core_restore (file, fresh, &fixture->env, &error));
  g_assert_nonnull (error);
  g_assert_false (g_file_test (fresh, G_FILE_TEST_EXISTS));
}

/* ---- check ---- */

static void
break_and_check (const char *sql, const char *expected)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = create (ben, "contact", "\"last_name\":[null,\"Li\"]");
  g_autoptr (GPtrArray) problems = NULL;
  g_autoptr (GError) error = NULL;
  gboolean found = FALSE;

  assert_sound (fixture);
  g_assert_true (kt_db_exec (kt_core_db (fixture->core), sql, &error));
  problems = kt_core_check (fixture->core, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < problems->len; i++)
    {
      g_test_message ("%s", (char *) problems->pdata[i]);
      found |= strstr (problems->pdata[i], expected) != NULL;
    }
  g_assert_true (found);
}

static void
test_check (void)
{
  break_and_check ("UPDATE o_contact SET f_last_name = 'Forged'", "last_name");
  break_and_check ("UPDATE o_contact SET rev = rev - 1", "version");
  break_and_check ("DELETE FROM o_contact", "missing");
  break_and_check ("UPDATE o_contact SET f_account = x'00112233445566778899aabbccddeeff'",
                   "does not exist");
  break_and_check ("UPDATE kt_device SET last_number = 7", "numbers");
  break_and_check ("DELETE FROM kt_ledger", "ledger");
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/server/blob/69-continues", test_blob);
  g_test_add_func ("/server/blob/wrong-content", test_blob_wrong_content);
  g_test_add_func ("/server/blob/empty", test_blob_empty);
  g_test_add_func ("/server/blob/P8-needs-record", test_blob_needs_record);
  g_test_add_func ("/server/backup/P10-58-another-life", test_backup);
  g_test_add_func ("/server/backup/refuses", test_backup_refuses);
  g_test_add_func ("/server/check/finds", test_check);
  return g_test_run ();
}
