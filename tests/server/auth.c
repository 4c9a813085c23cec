/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Signing in, sessions, devices, and users as an administrator sees them. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"

static KtReply *
login (Fixture *fixture,
       const char *user,
       const char *password,
       const char *device,
       const char *peer)
{
  g_autofree char *body =
    device != NULL
      ? g_strdup_printf (
        "{\"user\":\"%s\",\"password\":\"%s\",\"device\":{\"id\":\"%s\",\"name\":\"d\"}}", user,
        password, device)
      : g_strdup_printf ("{\"user\":\"%s\",\"password\":\"%s\",\"device\":{\"name\":\"d\"}}", user,
                         password);
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_LOGIN);

  request->range_start = -1;
  request->peer = g_strdup (peer);
  request->body = g_bytes_new (body, strlen (body));
  return kt_core_handle (fixture->core, request);
}

static guint
login_status (Fixture *fixture, const char *user, const char *password, const char *peer)
{
  g_autoptr (KtReply) reply = login (fixture, user, password, NULL, peer);

  return reply->status;
}

static char *
body_of (const KtReply *reply)
{
  gsize len;
  const char *text = g_bytes_get_data (reply->body, &len);

  return g_strndup (text, len);
}

static guint
pull_status (Device *device)
{
  g_autoptr (KtReply) reply = ask (device->fixture, KT_ENDPOINT_PULL, device->token, NULL, NULL);

  return reply->status;
}

static void
test_login (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (KtReply) reply = login (fixture, "ADA", "secret", NULL, NULL); /* names are folded */
  g_autoptr (KtJson) json = reply_json (reply);
  const KtJson *user = kt_json_get (json, "user");

  g_assert_cmpuint (reply->status, ==, 200);
  g_assert_cmpuint (strlen (kt_json_get_string (json, "token", "")), >=, 43);
  g_assert_true (kt_json_get_bool (user, "admin", FALSE));
  g_assert_cmpstr (kt_json_get_string (user, "user_name", NULL), ==, "ada");
  g_assert_cmpstr (kt_json_get_string (json, "schema", NULL), ==,
                   kt_schema_digest (kt_core_schema (fixture->core)));
  g_assert_cmpstr (kt_json_get_string (json, "currency", NULL), ==, "CNY");
  g_assert_cmpint (kt_json_get_int (json, "last_number", -1), ==, 0);
  g_assert_nonnull (kt_json_get_string (json, "epoch", NULL));
}

/* A wrong password and a name that does not exist look alike. */
static void
test_wrong (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (KtReply) a = login (fixture, "ada", "wrong", NULL, NULL);
  g_autoptr (KtReply) b = login (fixture, "nobody", "wrong", NULL, NULL);
  g_autofree char *text_a = body_of (a);
  g_autofree char *text_b = body_of (b);

  g_assert_cmpuint (a->status, ==, 401);
  g_assert_cmpuint (b->status, ==, 401);
  g_assert_cmpstr (text_a, ==, text_b);
}

static void
test_token_is_hashed (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  const char *password = "Zq7-tr0ub4dor";
  g_autofree char *path = g_build_filename (fixture->dir, "workspace.db", NULL);
  g_autofree char *wal = g_build_filename (fixture->dir, "workspace.db-wal", NULL);
  const char *files[] = { path, wal };

  g_assert_true (kt_core_user_password (fixture->core, "ben", password, NULL));
  g_assert_cmpuint (login_status (fixture, "ben", password, NULL), ==, 200);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM kt_token WHERE length(hash) = 32"), ==,
                   2);
  g_assert_cmpint (
    count_sql (fixture, "SELECT count(*) FROM kt_login WHERE hash LIKE '$argon2id$%'"), ==, 3);
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *text = NULL;
      gsize len;

      if (!g_file_get_contents (files[i], &text, &len, NULL))
        continue;
      g_assert_null (memmem (text, len, ada->token, strlen (ada->token)));
      g_assert_null (memmem (text, len, password, strlen (password)));
    }
}

/* Tries with a wrong password wait longer and longer; others go in meanwhile, and so does the owner from elsewhere. */
static void
test_throttle (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (KtReply) refused = NULL;
  guint tries = 0;

  while (login_status (fixture, "ada", "wrong", "10.0.0.1") == 401)
    tries++;
  g_assert_cmpuint (tries, ==, 5);
  refused = login (fixture, "ada", "secret", NULL, "10.0.0.1");
  g_assert_cmpuint (refused->status, ==, 429);
  g_assert_cmpint (refused->retry_after_ms, >, 0);
  g_assert_cmpint (refused->retry_after_ms, <=, 60000);
  g_assert_cmpuint (login_status (fixture, "ben", "secret", "10.0.0.1"), ==, 200);
  g_assert_cmpuint (login_status (fixture, "ada", "secret", "10.0.0.2"), ==, 200);
  fixture_wait (fixture, 61);
  g_assert_cmpuint (login_status (fixture, "ada", "secret", "10.0.0.1"), ==, 200);
}

/* A swarm that tries one name from everywhere keeps its owner out for seconds, not for hours. */
static void
test_no_lock_out (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();

  for (int i = 0; i < 200; i++)
    {
      g_autofree char *peer = g_strdup_printf ("10.1.%d.%d", i / 100, i % 100);

      login_status (fixture, "ada", "wrong", peer);
      fixture_wait (fixture, 6);
    }
  fixture_wait (fixture, 6);
  g_assert_cmpuint (login_status (fixture, "ada", "secret", "10.9.9.9"), ==, 200);
}

/* A clock that is set back does not keep anybody waiting. */
static void
test_clock_back (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();

  for (int i = 0; i < 8; i++)
    login_status (fixture, "ada", "wrong", "10.0.0.1");
  fixture_wait (fixture, -3600);
  g_assert_cmpuint (login_status (fixture, "ada", "secret", "10.0.0.1"), ==, 200);
}

static void
test_device_is_kept (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = create (ben, "account", "\"name\":[null,\"A\"]");
  g_autoptr (KtReply) own = login (fixture, "ben", "secret", ben->id, NULL);
  g_autoptr (KtJson) own_json = reply_json (own);
  g_autoptr (KtReply) other = login (fixture, "cho", "secret", ben->id, NULL);
  g_autoptr (KtJson) other_json = reply_json (other);

  g_assert_cmpstr (kt_json_get_string (own_json, "device", NULL), ==, ben->id);
  g_assert_cmpint (kt_json_get_int (own_json, "last_number", -1), ==, 1);
  /* The session before ends with the new one of the same device. */
  g_assert_cmpuint (pull_status (ben), ==, 401);
  /* Another's device is not taken over. */
  g_assert_cmpstr (kt_json_get_string (other_json, "device", NULL), !=, ben->id);
  g_assert_cmpint (kt_json_get_int (other_json, "last_number", -1), ==, 0);
}

static void
test_logout (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (KtReply) again = NULL;

  g_assert_cmpuint (pull_status (ada), ==, 200);
  reply = ask (fixture, KT_ENDPOINT_LOGOUT, ada->token, NULL, "{}");
  g_assert_cmpuint (reply->status, ==, 200);
  g_assert_cmpuint (pull_status (ada), ==, 401);
  again = ask (fixture, KT_ENDPOINT_LOGOUT, ada->token, NULL, "{}");
  g_assert_cmpuint (again->status, ==, 401);
}

static void
test_bad_tokens (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  static const char *const tokens[] = { "", "x", "Bearer x", "' OR 1=1 --",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };

  for (guint i = 0; i < G_N_ELEMENTS (tokens); i++)
    for (int e = KT_ENDPOINT_LOGOUT; e < KT_ENDPOINT_LIVE; e++)
      {
        g_autoptr (KtReply) reply =
          ask (fixture, e, tokens[i], NULL, e == KT_ENDPOINT_PUSH ? "[]" : NULL);

        g_assert_cmpuint (reply->status, ==, 401);
      }
}

static void
test_bad_bodies (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  static const char *const bodies[] = {
    "",
    "{",
    "[]",
    "{}",
    "{\"user\":7,\"password\":true}",
    "{\"user\":\"ada\"}",
    "{\"user\":\"ada\",\"password\":\"secret\",\"device\":{\"id\":\"nonsense\"}}",
    "{\"user\":\"\\u0000\",\"password\":\"x\"}"
  };

  for (guint i = 0; i < G_N_ELEMENTS (bodies); i++)
    {
      g_autoptr (KtReply) reply = ask (fixture, KT_ENDPOINT_LOGIN, NULL, NULL, bodies[i]);

      g_assert_cmpuint (reply->status, ==, 400);
    }
}

/* ---- users ---- */

static void
test_disable (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) ada = device_new (fixture, "ada");

  g_assert_true (kt_core_user_enable (fixture->core, "Ben", FALSE, NULL));
  g_assert_cmpuint (pull_status (ben), ==, 401);
  g_assert_cmpuint (login_status (fixture, "ben", "secret", NULL), ==, 401);
  pull (ada, 0);
  assert_value (ada, "user", ben->user, "is_active", "false");
  g_assert_true (kt_core_user_enable (fixture->core, "ben", TRUE, NULL));
  g_assert_cmpuint (login_status (fixture, "ben", "secret", NULL), ==, 200);
  assert_sound (fixture);
}

/* An administrator who switches a user off in the window does it for the server, too. */
static void
test_inactive_record (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autofree char *op = NULL;

  pull (ada, 0);
  op = op_update ("user", ben->user, rev (ada, "user", ben->user), "\"is_active\":[true,false]");
  g_assert_cmpint (push_outcome (ada, op), ==, KT_OUTCOME_APPLIED);
  g_assert_cmpuint (pull_status (ben), ==, 401);
  g_assert_cmpuint (login_status (fixture, "ben", "secret", NULL), ==, 401);
}

static void
test_password (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (GError) error = NULL;

  g_assert_true (kt_core_user_password (fixture->core, "ben", "other", NULL));
  g_assert_cmpuint (pull_status (ben), ==, 401);
  g_assert_cmpuint (login_status (fixture, "ben", "secret", NULL), ==, 401);
  g_assert_cmpuint (login_status (fixture, "ben", "other", NULL), ==, 200);
  g_assert_false (kt_core_user_password (fixture->core, "ben", "", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (kt_core_user_password (fixture->core, "nobody", "x", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
}

static void
test_users (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  static const char *const chinese[] = { "销售经理", NULL };
  static const char *const wrong[] = { "Sales wizard", NULL };
  static const char *const teams[] = { "North", "East", NULL };
  static const char *const fields[] = { "title=Head of sales", "locale=zh_CN", NULL };
  static const char *const admin[] = { "admin", NULL };
  g_autoptr (GPtrArray) users = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  char id_text[KT_ID_TEXT_SIZE];
  KtId id;

  g_assert_true (kt_core_user_add (fixture->core, "王芳", "secret", chinese, teams, &id, &error));
  g_assert_no_error (error);
  g_assert_false (kt_core_user_add (fixture->core, "ADA", "secret", NULL, NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_EXISTS);
  g_clear_error (&error);
  g_assert_false (kt_core_user_add (fixture->core, "dan", "secret", wrong, NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_assert_true (strstr (error->message, "Sales rep") != NULL);
  g_clear_error (&error);
  /* What failed left nothing. */
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_user"), ==, 4);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_team"), ==, 2);

  kt_id_format (&id, id_text);
  pull (ada, 0);
  text = value (ada, "user", id_text, "default_team");
  {
    g_autofree char *north = g_strndup (text + 1, 36);
    g_autofree char *members = value (ada, "team", north, "members");

    assert_value (ada, "team", north, "name", "\"North\"");
    g_assert_true (strstr (members, id_text) != NULL);
  }
  g_assert_true (kt_core_user_set (fixture->core, "王芳", fields, admin, NULL, &error));
  g_assert_no_error (error);
  pull (ada, 0);
  assert_value (ada, "user", id_text, "title", "\"Head of sales\"");
  assert_value (ada, "user", id_text, "type", "\"admin\"");
  users = kt_core_user_list (fixture->core, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (users->len, ==, 4);
  for (guint i = 0; i < users->len; i++)
    {
      g_autoptr (KtJson) json = kt_json_parse (users->pdata[i], -1, &error);

      g_assert_no_error (error);
      g_assert_nonnull (kt_json_get_string (json, "user_name", NULL));
    }
  assert_sound (fixture);
}

/* Whoever is the last to administer cannot be shut out: nobody could let anybody in again. */
static void
test_last_admin (void)
{
  static const char *const admin[] = { "Admin", NULL };
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (GError) error = NULL;

  g_assert_false (kt_core_user_enable (fixture->core, "ada", FALSE, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_FORBIDDEN);
  g_assert_nonnull (strstr (error->message, "ada"));
  g_clear_error (&error);
  device_free (device_new (fixture, "ada"));
  /* Others may go, and so may she when there is another. */
  g_assert_true (kt_core_user_enable (fixture->core, "ben", FALSE, NULL));
  kt_core_user_set (fixture->core, "cho", NULL, admin, NULL, &error);
  g_assert_no_error (error);
  kt_core_user_enable (fixture->core, "ada", FALSE, &error);
  g_assert_no_error (error);
  g_assert_false (kt_core_user_enable (fixture->core, "cho", FALSE, NULL));
}

static void
test_init_refuses (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  KtInitOptions options = { .admin = "ada",
                            .password = "secret",
                            .schema_dir = fixture_schema_dir };
  g_autofree char *fresh = g_strconcat (fixture->dir, "-2", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (kt_core_init (fixture->dir, &options, &fixture->env, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_EXISTS);
  g_clear_error (&error);
  /* A failure half way leaves nothing behind. */
  options.schema_dir = "/nonexistent";
  g_assert_false (kt_core_init (fresh, &options, &fixture->env, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_false (g_file_test (fresh, G_FILE_TEST_EXISTS));
  options.schema_dir = fixture_schema_dir;
  options.password = "";
  g_assert_false (kt_core_init (fresh, &options, &fixture->env, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (g_file_test (fresh, G_FILE_TEST_EXISTS));
  options.password = "secret";
  options.currency = "EUR";
  g_assert_true (kt_core_init (fresh, &options, &fixture->env, &error));
  g_assert_no_error (error);
  {
    g_autoptr (KtCore) core = kt_core_open (fresh, &fixture->env, &error);
    const KtField *currency;

    g_assert_no_error (error);
    currency = kt_object_field (kt_schema_object (kt_core_schema (core), "quote"), "currency");
    g_assert_cmpstr (kt_json_string (currency->default_value, NULL), ==,
                     "01900000-0000-7000-8000-000000000303");
  }
  fixture_remove (fresh);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/server/auth/login", test_login);
  g_test_add_func ("/server/auth/wrong", test_wrong);
  g_test_add_func ("/server/auth/token-is-hashed", test_token_is_hashed);
  g_test_add_func ("/server/auth/throttle", test_throttle);
  g_test_add_func ("/server/auth/no-lock-out", test_no_lock_out);
  g_test_add_func ("/server/auth/clock-back", test_clock_back);
  g_test_add_func ("/server/auth/device-is-kept", test_device_is_kept);
  g_test_add_func ("/server/auth/logout", test_logout);
  g_test_add_func ("/server/auth/bad-tokens", test_bad_tokens);
  g_test_add_func ("/server/auth/bad-bodies", test_bad_bodies);
  g_test_add_func ("/server/users/disable", test_disable);
  g_test_add_func ("/server/users/inactive-record", test_inactive_record);
  g_test_add_func ("/server/users/password", test_password);
  g_test_add_func ("/server/users/all", test_users);
  g_test_add_func ("/server/users/last-admin", test_last_admin);
  g_test_add_func ("/server/init/refuses", test_init_refuses);
  return g_test_run ();
}
