/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Numbers, verdicts, refusals: P2, P3, P12 and the scenarios of pushing. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"

#define ARRAY(list) kt_json_get (list, "verdicts")

static KtReply *
push_raw (Device *device, const char *body)
{
  g_autofree char *whole = push_complete (device, body);

  return ask (device->fixture, KT_ENDPOINT_PUSH, device->token, NULL, whole);
}

/* 1: the reply is lost, the push is sent again. */
static void
test_repeat (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = new_id (fixture);
  g_autofree char *op = op_create ("account", id, "\"name\":[null,\"Acme\"]");
  g_autofree char *body = push_body (ben, 1, op);
  g_autoptr (KtReply) first = push_raw (ben, body);
  g_autoptr (KtReply) second = NULL;
  gint64 seq = kt_core_seq (fixture->core);
  g_autoptr (KtJson) a = reply_json (first);
  g_autoptr (KtJson) b = NULL;
  g_autofree char *verdict_a = NULL;
  g_autofree char *verdict_b = NULL;

  fixture_reopen (fixture);
  second = push_raw (ben, body);
  b = reply_json (second);
  g_assert_cmpuint (second->status, ==, 200);
  verdict_a = kt_json_to_string (kt_json_at (ARRAY (a), 0), TRUE);
  verdict_b = kt_json_to_string (kt_json_at (ARRAY (b), 0), TRUE);
  g_assert_cmpstr (verdict_a, ==, verdict_b);
  g_assert_cmpint (kt_core_seq (fixture->core), ==, seq);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 1);
  assert_sound (fixture);
}

static void
test_gap (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = new_id (fixture);
  g_autofree char *op = op_create ("account", id, "\"name\":[null,\"Acme\"]");
  g_autofree char *body = push_body (ben, 2, op);
  g_autoptr (KtReply) reply = push_raw (ben, body);
  g_autoptr (KtJson) json = reply_json (reply);
  gint64 seq = kt_core_seq (fixture->core);

  g_assert_cmpuint (reply->status, ==, 409);
  g_assert_cmpint (kt_json_get_int (kt_json_get (json, "error"), "last_number", -1), ==, 0);
  g_assert_cmpint (kt_core_seq (fixture->core), ==, seq);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM kt_verdict"), ==, 0);
}

/* A gap inside a push leaves even its good half undone. */
static void
test_gap_inside (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = new_id (fixture);
  g_autofree char *body = g_strdup_printf (
    "{\"device\":\"%s\",\"mutations\":["
    "{\"number\":1,\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[{\"op\":\"create\",\"object\":\"account\",\"id\":\"%s\",\"fields\":{\"name\":[null,\"A\"]}}]},"
    "{\"number\":3,\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[{\"op\":\"delete\",\"object\":\"account\",\"id\":\"%s\",\"base_rev\":0}]}]}",
    ben->id, id, id);
  g_autoptr (KtReply) reply = push_raw (ben, body);

  g_assert_cmpuint (reply->status, ==, 409);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 0);
}

/* The same number with other content: a copied profile, not a repeat. Nothing is swallowed (P2, P11). */
static void
test_copied_device (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *a = new_id (fixture);
  g_autofree char *b = new_id (fixture);
  g_autofree char *op_a = op_create ("account", a, "\"name\":[null,\"A\"]");
  g_autofree char *op_b = op_create ("account", b, "\"name\":[null,\"B\"]");
  g_autofree char *body_a = push_body (ben, 1, op_a);
  g_autofree char *body_b = push_body (ben, 1, op_b);
  g_autoptr (KtReply) first = push_raw (ben, body_a);
  g_autoptr (KtReply) second = push_raw (ben, body_b);

  g_assert_cmpuint (first->status, ==, 200);
  g_assert_cmpuint (second->status, ==, 409);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 1);
}

/* 3: the server dies between effect and number. */
static void
test_crash_between (void)
{
  if (fixture_on_postgresql ())
    {
      g_test_skip ("the fault is made with a trigger of SQLite");
      return;
    }

  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = new_id (fixture);
  g_autofree char *op = op_create ("account", id, "\"name\":[null,\"Acme\"]");
  g_autofree char *body = push_body (ben, 1, op);
  g_autoptr (KtReply) failed = NULL;
  g_autoptr (KtReply) again = NULL;
  gint64 seq = kt_core_seq (fixture->core);

  /* The last thing a push writes is the device's number: let that fail. */
  g_assert_true (kt_db_exec (
    kt_core_db (fixture->core),
    "CREATE TRIGGER stop BEFORE UPDATE OF last_number ON kt_device BEGIN SELECT RAISE(ABORT, 'no'); END",
    NULL));
  g_test_expect_message ("kt-server", G_LOG_LEVEL_WARNING, "*fault of ours*");
  g_test_expect_message ("kt-server", G_LOG_LEVEL_WARNING, "*constraint failed*");
  failed = push_raw (ben, body);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (failed->status, >=, 500);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 0);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM kt_ledger WHERE object = 'account'"),
                   ==, 0);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM kt_verdict"), ==, 0);
  g_assert_cmpint (kt_core_seq (fixture->core), ==, seq);

  g_assert_true (kt_db_exec (kt_core_db (fixture->core), "DROP TRIGGER stop", NULL));
  again = push_raw (ben, body);
  g_assert_cmpuint (again->status, ==, 200);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 1);
  assert_sound (fixture);
}

/* 14: one refused among a thousand; 15: it is not tried for ever. */
static void
test_one_refused_among_many (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (GString) body = g_string_new (NULL);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (KtReply) again = NULL;
  g_autoptr (KtJson) json = NULL;

  g_string_printf (body, "{\"device\":\"%s\",\"mutations\":[", ben->id);
  for (int i = 1; i <= 1000; i++)
    {
      g_autofree char *id = new_id (fixture);

      g_string_append_printf (
        body,
        "%s{\"number\":%d,\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[{\"op\":\"create\","
        "\"object\":\"contact\",\"id\":\"%s\",\"fields\":{%s}}]}",
        i > 1 ? "," : "", i, id,
        i == 500 ? "\"first_name\":[null,\"Nobody\"]" : "\"last_name\":[null,\"Somebody\"]");
    }
  g_string_append (body, "]}");
  reply = push_raw (ben, body->str);
  json = reply_json (reply);
  g_assert_cmpuint (reply->status, ==, 200);
  g_assert_cmpuint (kt_json_length (ARRAY (json)), ==, 1000);
  for (guint i = 0; i < 1000; i++)
    {
      const KtJson *verdict = kt_json_at (ARRAY (json), i);

      g_assert_cmpint (kt_json_get_int (verdict, "number", 0), ==, i + 1);
      g_assert_cmpstr (kt_json_get_string (verdict, "outcome", NULL), ==,
                       i == 499 ? "refused" : "applied");
    }
  g_assert_cmpstr (kt_json_get_string (kt_json_at (ARRAY (json), 499), "code", NULL), ==,
                   "invalid");
  g_assert_nonnull (kt_json_get_string (kt_json_at (ARRAY (json), 499), "message", NULL));
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_contact"), ==, 999);
  again = push_raw (ben, body->str);
  g_assert_cmpuint (again->status, ==, 200);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_contact"), ==, 999);
  assert_sound (fixture);
}

/* P2: what was refused stands in the ledger, whole. */
static void
test_refused_is_kept (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = new_id (fixture);
  g_autofree char *op =
    op_create ("contact", id, "\"first_name\":[null,\"Änne\"],\"job_title\":[null,\"Chair\"]");
  g_autofree char *query = g_strdup_printf ("object=contact&id=%s", id);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (KtJson) json = NULL;
  const KtJson *history;
  gboolean found = FALSE;

  g_assert_cmpint (push_outcome (ben, op), ==, KT_OUTCOME_REFUSED);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_contact"), ==, 0);
  reply = ask (fixture, KT_ENDPOINT_HISTORY, ben->token, query, NULL);
  json = reply_json (reply);
  history = kt_json_get (json, "history");
  for (guint i = 0; i < kt_json_length (history); i++)
    {
      const KtJson *row = kt_json_at (history, i);

      g_assert_cmpstr (kt_json_get_string (row, "outcome", NULL), ==, "refused");
      if (g_strcmp0 (kt_json_get_string (row, "field", NULL), "first_name") == 0)
        found = g_strcmp0 (kt_json_get_string (row, "mine", NULL), "Änne") == 0;
    }
  g_assert_true (found);
}

/* P12: what cannot be read is refused by its number, kept, and the rest goes on. */
static void
test_poison (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = new_id (fixture);
  g_autofree char *body = g_strdup_printf (
    "{\"device\":\"%s\",\"mutations\":["
    "{\"number\":1,\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[{\"op\":\"create\",\"object\":\"dragon\",\"id\":\"%s\",\"fields\":{\"name\":[null,\"Smaug\"]}}]},"
    "{\"number\":2,\"ops\":17},"
    "{\"number\":3,\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[{\"op\":\"create\",\"object\":\"account\",\"id\":\"%s\",\"fields\":{\"name\":[null,\"A\"]}}]}]}",
    ben->id, id, id);
  g_autoptr (KtReply) reply = push_raw (ben, body);
  g_autoptr (KtJson) json = reply_json (reply);

  g_assert_cmpuint (reply->status, ==, 200);
  g_assert_cmpstr (kt_json_get_string (kt_json_at (ARRAY (json), 0), "outcome", NULL), ==,
                   "refused");
  g_assert_cmpstr (kt_json_get_string (kt_json_at (ARRAY (json), 1), "outcome", NULL), ==,
                   "refused");
  g_assert_cmpstr (kt_json_get_string (kt_json_at (ARRAY (json), 2), "outcome", NULL), ==,
                   "applied");
  g_assert_cmpint (
    count_sql (fixture,
               "SELECT count(*) FROM kt_ledger WHERE kind = 'poison' AND changes LIKE '%Smaug%'"),
    ==, 1);
  assert_sound (fixture);
}

/* P5: one op refused, nothing of the mutation applied. */
static void
test_atomic (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *a = new_id (fixture);
  g_autofree char *b = new_id (fixture);
  g_autofree char *good = op_create ("account", a, "\"name\":[null,\"Good\"]");
  g_autofree char *bad = op_create ("contact", b, "\"first_name\":[null,\"Bad\"]");
  g_autofree char *both = g_strdup_printf ("%s,%s", good, bad);

  g_assert_cmpint (push_outcome (ben, both), ==, KT_OUTCOME_REFUSED);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 0);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM kt_ledger WHERE outcome = 'refused'"),
                   ==, 2);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM kt_log WHERE seq > 4"), <=, 3);
  assert_sound (fixture);
}

/* A fault of ours in one mutation must not block those behind it. */
static void
test_internal_fault_is_isolated (void)
{
  if (fixture_on_postgresql ())
    {
      g_test_skip ("the fault is made with a trigger of SQLite");
      return;
    }

  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (GString) body = g_string_new (NULL);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (KtJson) json = NULL;

  g_assert_true (kt_db_exec (
    kt_core_db (fixture->core),
    "CREATE TRIGGER stop BEFORE INSERT ON o_account WHEN new.f_name = 'Cursed' BEGIN SELECT RAISE(ABORT, 'no'); END",
    NULL));
  g_string_printf (body, "{\"device\":\"%s\",\"mutations\":[", ben->id);
  for (int i = 1; i <= 5; i++)
    {
      g_autofree char *id = new_id (fixture);

      g_string_append_printf (
        body,
        "%s{\"number\":%d,\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[{\"op\":\"create\","
        "\"object\":\"account\",\"id\":\"%s\",\"fields\":{\"name\":[null,\"%s\"]}}]}",
        i > 1 ? "," : "", i, id, i == 3 ? "Cursed" : "Fine");
    }
  g_string_append (body, "]}");
  g_test_expect_message ("kt-server", G_LOG_LEVEL_WARNING, "*fault of ours*");
  reply = push_raw (ben, body->str);
  g_test_assert_expected_messages ();
  json = reply_json (reply);
  g_assert_cmpuint (reply->status, ==, 200);
  g_assert_cmpuint (kt_json_length (ARRAY (json)), ==, 5);
  g_assert_cmpstr (kt_json_get_string (kt_json_at (ARRAY (json), 2), "outcome", NULL), ==,
                   "refused");
  g_assert_cmpstr (kt_json_get_string (kt_json_at (ARRAY (json), 2), "code", NULL), ==, "internal");
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 4);
  assert_sound (fixture);
}

static void
test_references (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *account = new_id (fixture);
  g_autofree char *contact = new_id (fixture);
  g_autofree char *fields =
    g_strdup_printf ("\"last_name\":[null,\"X\"],\"account\":[null,\"%s\"]", account);
  g_autofree char *child = op_create ("contact", contact, fields);
  g_autofree char *parent = op_create ("account", account, "\"name\":[null,\"P\"]");
  g_autofree char *both = g_strdup_printf ("%s,%s", child, parent);

  /* 41: a child before its parent, alone: refused; in one mutation the order does not matter. */
  g_assert_cmpint (push_outcome (ben, child), ==, KT_OUTCOME_REFUSED);
  g_assert_cmpint (push_outcome (ben, both), ==, KT_OUTCOME_APPLIED);
  pull (ben, 0);
  g_assert_nonnull (have (ben, "contact", contact));
  assert_sound (fixture);
}

static void
test_not_allowed (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autofree char *id = new_id (fixture);
  g_autofree char *op = op_create ("loss_reason", id, "\"name\":[null,\"Because\"]");
  KtVerdict verdict = push (ben, op);

  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_REFUSED);
  g_assert_cmpstr (verdict.code, ==, "forbidden");
  g_assert_nonnull (verdict.message);
  kt_verdict_clear (&verdict);
  g_assert_cmpint (push_outcome (ada, op), ==, KT_OUTCOME_APPLIED);
}

/* 55: one user's outbox under another's session. */
static void
test_other_device (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) cho = device_new (fixture, "cho");
  g_autofree char *id = new_id (fixture);
  g_autofree char *op = op_create ("account", id, "\"name\":[null,\"A\"]");
  g_autofree char *body = push_body (ben, 1, op);
  g_autoptr (KtReply) reply = push_raw (cho, body);

  g_assert_cmpuint (reply->status, ==, 403);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 0);
}

/* What is no envelope is no push; a missing id is what cannot be read (P12). */
static void
test_envelope (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *no_epoch =
    g_strdup_printf ("{\"device\":\"%s\",\"mutations\":[]}", ben->id);
  g_autofree char *empty = push_complete (ben, no_epoch);
  g_autofree char *array = g_strdup_printf ("{\"device\":\"%s\",\"epoch\":\"%s\"}", ben->id, ben->id);
  const char *const bad[] = { NULL, "", "[]", "17", "{}", "{\"device\":\"x\"}", no_epoch, array };
  g_autoptr (KtReply) good = ask (fixture, KT_ENDPOINT_PUSH, ben->token, NULL, empty);
  g_autoptr (KtJson) json = reply_json (good);

  g_assert_cmpuint (good->status, ==, 200);
  g_assert_cmpint (kt_json_get_int (json, "last_number", -1), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (KtReply) reply = ask (fixture, KT_ENDPOINT_PUSH, ben->token, NULL, bad[i]);
      g_autofree char *code = error_code (reply);

      g_assert_cmpuint (reply->status, ==, 400);
      g_assert_cmpstr (code, ==, "invalid");
    }
}

static void
test_wrong_epoch (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *body =
    g_strdup_printf ("{\"device\":\"%s\",\"epoch\":\"%s\",\"mutations\":[]}", ben->id, ben->id);
  g_autoptr (KtReply) reply = push_raw (ben, body);
  g_autofree char *code = error_code (reply);

  g_assert_cmpuint (reply->status, ==, 410);
  g_assert_cmpstr (code, ==, "epoch");
}

/* P9: a clock years off neither wins nor loses, and is not refused. */
static void
test_clock (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  static const char *const clocks[] = { "2099-01-01T00:00:00.000Z", "1999-01-01T00:00:00.000Z",
                                        "2026-05-27T00:00:00.000Z" };

  for (guint i = 0; i < G_N_ELEMENTS (clocks); i++)
    {
      g_autofree char *id = new_id (fixture);
      g_autofree char *members = g_strdup_printf (
        "\"at\":\"%s\",\"origin\":\"client\",\"ops\":[{\"op\":\"create\",\"object\":\"account\",\"id\":\"%s\",\"fields\":{\"name\":[null,\"A\"]}}]",
        clocks[i], id);
      KtVerdict verdict = push_full (ben, members);
      g_autofree char *made = NULL;

      g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_APPLIED);
      kt_verdict_clear (&verdict);
      pull (ben, 0);
      made = value (ben, "account", id, "created_at");
      /* Only a time that can be true is shown as it is. */
      if (i == 2)
        g_assert_cmpstr (made, ==, "\"2026-05-27T00:00:00.000Z\"");
      else
        g_assert_true (g_str_has_prefix (made, "\"2026-05-28T"));
    }
}

/* 10,000 changes in a few seconds. */
static void
test_speed (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  gint64 start = g_get_monotonic_time ();
  int rounds = g_test_slow () ? 10 : 2;

  for (int round = 0; round < rounds; round++)
    {
      g_autoptr (GString) body = g_string_new (NULL);
      g_autoptr (KtReply) reply = NULL;

      g_string_printf (body, "{\"device\":\"%s\",\"mutations\":[", ben->id);
      for (int i = 1; i <= 1000; i++)
        {
          g_autofree char *id = new_id (fixture);

          g_string_append_printf (
            body,
            "%s{\"number\":%d,\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"import\",\"ops\":[{\"op\":\"create\","
            "\"object\":\"contact\",\"id\":\"%s\",\"fields\":{\"last_name\":[null,\"Somebody %d\"],\"email\":[null,\"a%d@example.com\"],"
            "\"phone\":[null,\"+49 40 %d\"],\"description\":[null,\"Met at the fair\"],\"tags\":[null,[\"a\",\"b\"]]}}]}",
            i > 1 ? "," : "", round * 1000 + i, id, i, i, i);
        }
      g_string_append (body, "]}");
      reply = push_raw (ben, body->str);
      g_assert_cmpuint (reply->status, ==, 200);
    }
  g_test_message ("%d mutations in %" G_GINT64_FORMAT " ms", rounds * 1000,
                  (g_get_monotonic_time () - start) / 1000);
  start = g_get_monotonic_time ();
  g_assert_cmpuint (pull (ben, 0), >=, (guint) rounds * 1000);
  g_test_message ("pulled in %" G_GINT64_FORMAT " ms", (g_get_monotonic_time () - start) / 1000);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/server/push/P3-1-repeat", test_repeat);
  g_test_add_func ("/server/push/P3-gap", test_gap);
  g_test_add_func ("/server/push/P3-gap-inside", test_gap_inside);
  g_test_add_func ("/server/push/P11-copied-device", test_copied_device);
  g_test_add_func ("/server/push/P3-3-crash-between", test_crash_between);
  g_test_add_func ("/server/push/P12-14-one-refused-among-many", test_one_refused_among_many);
  g_test_add_func ("/server/push/P2-refused-is-kept", test_refused_is_kept);
  g_test_add_func ("/server/push/P12-poison", test_poison);
  g_test_add_func ("/server/push/P5-atomic", test_atomic);
  g_test_add_func ("/server/push/P12-internal-fault", test_internal_fault_is_isolated);
  g_test_add_func ("/server/push/41-references", test_references);
  g_test_add_func ("/server/push/not-allowed", test_not_allowed);
  g_test_add_func ("/server/push/55-other-device", test_other_device);
  g_test_add_func ("/server/push/envelope", test_envelope);
  g_test_add_func ("/server/push/P10-wrong-epoch", test_wrong_epoch);
  g_test_add_func ("/server/push/P9-63-clock", test_clock);
  g_test_add_func ("/server/push/speed", test_speed);
  return g_test_run ();
}
