/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include <glib/gstdio.h>

#include "../support/kt-rig.h"
#include "sync/kt-sync-private.h"

/* Signing in and out: whose work is sent under whose name, and what stays on the disk. */

static void
test_wrong_password (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_bare (rig, "A");
  g_autoptr (GError) error = NULL;

  g_assert_false (
    kt_session_login (a->local, a->transport, "http://kontor.test", "anna", "wrong", NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_AUTH);
  g_assert_null (kt_local_identity (a->local));
  g_assert_null (kt_session_token (a->local, NULL));
  device_sync_fails (a, KT_ERROR_AUTH);
}

/* 55. One user's outbox under another user's login: refused, and nothing is lost. */
static void
test_wrong_user (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Anna's", NULL);
  g_autoptr (GError) error = NULL;
  gint64 seq = kt_core_seq (rig->core);
  g_autofree char *token = kt_session_token (a->local, NULL);
  g_autofree char *after = NULL;

  g_assert_false (device_login (a, "ben", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_UNSETTLED);
  g_assert_nonnull (strstr (error->message, "anna"));
  assert_counts (a, 1, 0, 0, 0);
  after = kt_session_token (a->local, NULL);
  g_assert_cmpstr (after, ==, token);
  g_assert_cmpint (kt_core_seq (rig->core), ==, seq);

  /* Anna goes on as if nothing had been. */
  device_sync (a);
  assert_counts (a, 0, 0, 0, 0);

  /* Settled, the profile may change hands: nothing of hers stays. */
  g_clear_error (&error);
  device_login (a, "ben", &error);
  g_assert_no_error (error);
  g_assert_false (kt_local_ready (a->local));
  g_assert_false (device_has (a, "account", &id));
  device_sync (a);
  assert_value (a, "account", &id, "name", "\"Anna's\"");
  device_set (a, "account", &id, "phone=1");
  device_sync (a);
  assert_all_equal (rig);
}

/* The token is gone, cache and outbox stay; the same person goes on with the same numbers (P3). */
static void
test_logout (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", NULL);
  g_autofree char *token = kt_session_token (a->local, NULL);
  g_autofree char *base = NULL;
  g_autoptr (GError) error = NULL;
  KtAccess access = { 0 };
  KtId device, before = kt_local_identity (a->local)->device;
  gint64 unsettled = 0;

  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  g_assert_true (kt_session_logout (a->local, a->transport, &unsettled, &error));
  g_assert_no_error (error);
  g_assert_cmpint (unsettled, ==, 1);
  g_assert_null (kt_session_token (a->local, NULL));
  g_assert_false (kt_core_authenticate (rig->core, token, &access, &device, NULL));
  base = kt_session_base (a->local, NULL);
  g_assert_cmpstr (base, ==, "http://kontor.test");
  assert_value (a, "account", &id, "name", "\"Acme\"");
  device_set (a, "account", &id, "phone=1");
  device_sync_fails (a, KT_ERROR_AUTH);
  device_crash (a);
  assert_counts (a, 1, 1, 0, 0);

  device_login (a, "anna", &error);
  g_assert_no_error (error);
  g_assert_true (kt_id_equal (&kt_local_identity (a->local)->device, &before));
  device_sync (a);
  assert_counts (a, 0, 0, 0, 0);
  assert_value (a, "account", &id, "phone", "\"1\"");
  assert_all_equal (rig);
}

/* Without a network it works as well. */
static void
test_logout_offline (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autoptr (GError) error = NULL;

  device_create (a, "account", "name=Acme", NULL);
  rig_stop_server (rig);
  g_assert_true (kt_session_logout (a->local, a->transport, NULL, &error));
  g_assert_null (kt_session_token (a->local, NULL));
  /* Twice is no harm. */
  g_assert_true (kt_session_logout (a->local, NULL, NULL, &error));
  assert_counts (a, 1, 0, 0, 0);
}

/* The server ends the session (password changed, user disabled): signed out, outbox kept. */
static void
test_session_ended (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *b = device_new (rig, "B", "ben");
  g_autoptr (GError) error = NULL;

  device_create (b, "account", "name=Acme", NULL);
  kt_core_user_enable (rig->core, "ben", FALSE, &error);
  g_assert_no_error (error);
  device_sync_fails (b, KT_ERROR_AUTH);
  g_assert_null (kt_session_token (b->local, NULL));
  g_assert_cmpint (device_counts (b).queued + device_counts (b).sent, ==, 1);

  kt_core_user_enable (rig->core, "ben", TRUE, &error);
  g_assert_no_error (error);
  device_login (b, "ben", &error);
  g_assert_no_error (error);
  device_sync (b);
  assert_counts (b, 0, 0, 0, 0);
  assert_all_equal (rig);
}

static void
log_out (const KtRequest *request, gpointer data)
{
  Device *device = data;

  g_assert_true (kt_session_logout (device->local, NULL, NULL, NULL));
}

/* 56. Logout while an exchange is under way stays logged out. */
static void
test_logout_meanwhile (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");

  device_create (a, "account", "name=Acme", NULL);
  kt_test_transport_meanwhile (a->transport, KT_ENDPOINT_PUSH, log_out, a);
  kt_sync_run (a->local, a->transport, 0, NULL, NULL, NULL, NULL, NULL);
  g_assert_null (kt_session_token (a->local, NULL));
  device_sync_fails (a, KT_ERROR_AUTH);
}

/* A 401 for an old token does not throw away the new one. */
static void
test_expire_only_that_token (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autofree char *old = kt_session_token (a->local, NULL);
  g_autofree char *now = NULL;
  g_autofree char *after = NULL;
  g_autoptr (GError) error = NULL;

  device_login (a, "anna", &error);
  g_assert_no_error (error);
  now = kt_session_token (a->local, NULL);
  g_assert_cmpstr (old, !=, now);
  g_assert_true (kt_session_expire (a->local, old, &error));
  after = kt_session_token (a->local, NULL);
  g_assert_cmpstr (after, ==, now);
  g_assert_true (kt_session_expire (a->local, now, &error));
  g_assert_null (kt_session_token (a->local, NULL));
}

/* A session file of somebody else, or damaged, is none; and only the owner can read it. */
static void
test_session_file (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  g_autofree char *path = g_build_filename (a->dir, "session", NULL);
  g_autofree char *other = g_build_filename (b->dir, "session", NULL);
  g_autofree char *text = NULL;
  g_autofree char *others = NULL;
  g_autoptr (GError) error = NULL;
  GStatBuf info;

  g_assert_cmpint (g_stat (path, &info), ==, 0);
  g_assert_cmpint (info.st_mode & 0777, ==, 0600);
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (strstr (text, RIG_PASSWORD));

  g_file_get_contents (other, &others, NULL, &error);
  g_assert_no_error (error);
  g_file_set_contents (path, others, -1, &error);
  g_assert_no_error (error);
  g_assert_null (kt_session_token (a->local, &error));
  g_assert_no_error (error);
  g_file_set_contents (path, "{\"token\":", -1, &error);
  g_assert_null (kt_session_token (a->local, &error));
  g_assert_no_error (error);
  device_sync_fails (a, KT_ERROR_AUTH);
  device_login (a, "anna", &error);
  g_assert_no_error (error);
  device_sync (a);
}

/* What is no Kontor server never sees the password. */
static guint passwords_seen;

static KtReply *
stranger (const KtRequest *request, gpointer data)
{
  const char *const *answer = data;
  KtReply *reply = kt_reply_new (200);

  if (request->body != NULL
      && g_strstr_len (g_bytes_get_data (request->body, NULL),
                       (gssize) g_bytes_get_size (request->body), RIG_PASSWORD)
           != NULL)
    passwords_seen++;
  reply->content_type = g_strdup (answer[0]);
  reply->body = g_bytes_new (answer[1], strlen (answer[1]));
  return reply;
}

static void
test_strangers (void)
{
  static const struct
  {
    const char *answer[2];
    KtError code;
  } strangers[] = {
    { { "text/html", "<html><title>nginx</title></html>" }, KT_ERROR_NOT_KONTOR },
    { { "application/json", "{\"couchdb\":\"Welcome\"}" }, KT_ERROR_NOT_KONTOR },
    { { "application/json", "[]" }, KT_ERROR_NOT_KONTOR },
    { { "application/json", "{" }, KT_ERROR_NOT_KONTOR },
    { { "application/json", "{\"kontor\":\"1\"}" }, KT_ERROR_NOT_KONTOR },
    { { "application/json", "{\"kontor\":99}" }, KT_ERROR_NEWER },
    { { "text/plain", "" }, KT_ERROR_NOT_KONTOR },
  };
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_bare (rig, "A");

  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++)
    {
      g_autoptr (KtTransport) transport =
        kt_test_transport_new (stranger, (gpointer) strangers[i].answer);
      g_autoptr (GError) error = NULL;

      g_assert_false (kt_session_login (a->local, transport, "http://stranger.test", "anna",
                                        RIG_PASSWORD, NULL, &error));
      g_assert_error (error, KT_ERROR, (int) strangers[i].code);
    }
  g_assert_cmpuint (passwords_seen, ==, 0);
}

/* The server moved to another address with work unsent: the same server, the same profile. */
static void
test_server_moved (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autofree char *base = NULL;
  g_autoptr (GError) error = NULL;

  device_create (a, "account", "name=Acme", NULL);
  g_assert_true (kt_session_login (a->local, a->transport, "http://elsewhere.test:8080", "anna",
                                   RIG_PASSWORD, NULL, &error));
  g_assert_no_error (error);
  base = kt_session_base (a->local, NULL);
  g_assert_cmpstr (base, ==, "http://elsewhere.test:8080");
  device_sync (a);
  assert_counts (a, 0, 0, 0, 0);
  assert_all_equal (rig);
}

/* While somebody syncs, nobody changes whose profile it is. */
static void
test_login_waits_for_sync (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (KtSyncLock) lock = kt_sync_lock_take (a->dir, 0, NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (lock);
  g_cancellable_cancel (cancellable);
  g_assert_false (kt_session_login (a->local, a->transport, "http://kontor.test", "ben",
                                    RIG_PASSWORD, cancellable, &error));
  g_assert_cmpstr (kt_local_identity (a->local)->user_name, ==, "anna");
  g_clear_pointer (&lock, kt_sync_lock_free);
  device_sync (a);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/session/wrong-password", test_wrong_password);
  g_test_add_func ("/P2/55-wrong-user", test_wrong_user);
  g_test_add_func ("/P2/logout", test_logout);
  g_test_add_func ("/P2/logout-offline", test_logout_offline);
  g_test_add_func ("/P2/session-ended", test_session_ended);
  g_test_add_func ("/session/56-logout-meanwhile", test_logout_meanwhile);
  g_test_add_func ("/session/expire-only-that-token", test_expire_only_that_token);
  g_test_add_func ("/session/file", test_session_file);
  g_test_add_func ("/session/strangers", test_strangers);
  g_test_add_func ("/session/server-moved", test_server_moved);
  g_test_add_func ("/session/login-waits-for-sync", test_login_waits_for_sync);
  return g_test_run ();
}
