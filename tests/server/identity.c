/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Ids, copies, lives: P3, P10, P11 as the server keeps them (docs/decisions/identity.md). */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"
#include "proto/kt-push.h"

/* One mutation under a given id. */
static KtReply *
push_as (Device *device, gint64 number, const char *mutation, const char *ops)
{
  g_autofree char *epoch = kt_id_to_string (&device->fixture->core->epoch);
  g_autofree char *body = g_strdup_printf (
    "{\"device\":\"%s\",\"epoch\":\"%s\",\"mutations\":[{\"id\":\"%s\",\"number\":%" G_GINT64_FORMAT
    ",\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[%s]}]}",
    device->id, epoch, mutation, number, ops);

  return ask (device->fixture, KT_ENDPOINT_PUSH, device->token, NULL, body);
}

static KtVerdict
only_verdict (const KtReply *reply)
{
  g_auto (KtPushAnswer) answer = { 0 };
  g_autoptr (GError) error = NULL;
  KtVerdict verdict;

  g_assert_cmpuint (reply->status, ==, 200);
  kt_push_answer_read (reply, &answer, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (answer.verdicts->len, ==, 1);
  verdict = g_array_index (answer.verdicts, KtVerdict, 0);
  verdict.code = g_strdup (verdict.code);
  verdict.message = g_strdup (verdict.message);
  return verdict;
}

/* P3: the same action under another number, and under another device, is not done again and gets the old verdict. */
static void
test_known_id (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) other = device_new (fixture, "ben");
  g_autofree char *mutation = new_id (fixture);
  g_autofree char *id = new_id (fixture);
  g_autofree char *op = op_create ("account", id, "\"name\":[null,\"Acme\"]");
  g_autoptr (KtReply) first = push_as (ben, 1, mutation, op);
  gint64 seq = kt_core_seq (fixture->core);
  gint64 ledger = count_sql (fixture, "SELECT count(*) FROM kt_ledger");
  KtVerdict verdict = only_verdict (first);

  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_APPLIED);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (KtReply) again = push_as (i % 2 == 0 ? ben : other, i / 2 + (i % 2 == 0 ? 2 : 1), mutation, op);
      KtVerdict same = only_verdict (again);

      g_assert_cmpint (same.number, ==, i / 2 + (i % 2 == 0 ? 2 : 1));
      g_assert_cmpint (same.outcome, ==, verdict.outcome);
      g_assert_cmpint (same.seq, ==, verdict.seq);
      kt_verdict_clear (&same);
    }
  g_assert_cmpint (kt_core_seq (fixture->core), ==, seq);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM kt_ledger"), ==, ledger);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 1);
  kt_verdict_clear (&verdict);
  assert_sound (fixture);
}

/* A base_rev that was lowered after a restore does not make another action of it. */
static void
test_known_id_lower_base (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = create (ben, "account", "\"name\":[null,\"Acme\"]");
  g_autofree char *mutation = new_id (fixture);
  g_autofree char *high = op_update ("account", id, 900, "\"phone\":[null,\"1\"]");
  g_autofree char *low = op_update ("account", id, 3, "\"phone\":[null,\"1\"]");
  g_autoptr (KtReply) first = push_as (ben, 2, mutation, high);
  g_autoptr (KtReply) second = push_as (ben, 3, mutation, low);
  g_autoptr (KtReply) repeat = push_as (ben, 3, mutation, high);
  KtVerdict a = only_verdict (first), b = only_verdict (second), c = only_verdict (repeat);

  g_assert_cmpint (a.seq, ==, b.seq);
  g_assert_cmpint (a.seq, ==, c.seq);
  kt_verdict_clear (&a);
  kt_verdict_clear (&b);
  kt_verdict_clear (&c);
}

/* The id of one action on another: refused, kept whole, and the first one stands as it was. */
static void
test_other_content (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) other = device_new (fixture, "ben");
  g_autofree char *mutation = new_id (fixture);
  g_autofree char *a = new_id (fixture);
  g_autofree char *b = new_id (fixture);
  g_autofree char *op_a = op_create ("account", a, "\"name\":[null,\"A\"]");
  g_autofree char *op_b = op_create ("account", b, "\"name\":[null,\"B\"]");
  g_autoptr (KtReply) first = push_as (ben, 1, mutation, op_a);

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (KtReply) second = push_as (other, 1, mutation, op_b);
      KtVerdict verdict = only_verdict (second);

      g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_REFUSED);
      g_assert_cmpstr (verdict.code, ==, "invalid");
      g_assert_nonnull (strstr (verdict.message, "another content"));
      kt_verdict_clear (&verdict);
    }
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 1);
  g_assert_cmpint (
    count_sql (fixture, "SELECT count(*) FROM kt_ledger WHERE outcome = 'refused' AND changes LIKE '%\"B\"%'"),
    ==, 1);
  {
    g_autoptr (KtReply) third = push_as (other, 2, mutation, op_a);
    KtVerdict verdict = only_verdict (third);

    g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_APPLIED);
    kt_verdict_clear (&verdict);
  }
  assert_sound (fixture);
}

/* P11: a number that was used says so, and where the device stands. A gap is something else. */
static void
test_copied (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *one = new_id (fixture);
  g_autofree char *two = new_id (fixture);
  g_autofree char *a = new_id (fixture);
  g_autofree char *b = new_id (fixture);
  g_autofree char *op_a = op_create ("account", a, "\"name\":[null,\"A\"]");
  g_autofree char *op_b = op_create ("account", b, "\"name\":[null,\"B\"]");
  g_autoptr (KtReply) first = push_as (ben, 1, one, op_a);
  g_autoptr (KtReply) other_id = push_as (ben, 1, two, op_a);
  g_autoptr (KtReply) other_content = push_as (ben, 1, one, op_b);
  g_autoptr (KtReply) gap = push_as (ben, 3, two, op_b);
  g_auto (KtStanding) standing = { 0 };
  const KtReply *const copies[] = { other_id, other_content };

  g_assert_cmpuint (first->status, ==, 200);
  for (guint i = 0; i < G_N_ELEMENTS (copies); i++)
    {
      g_auto (KtStanding) said = { 0 };
      g_autofree char *code = error_code (copies[i]);

      g_assert_cmpuint (copies[i]->status, ==, 409);
      g_assert_cmpstr (code, ==, "conflict");
      kt_standing_read (copies[i], &said);
      g_assert_true (said.copied);
      g_assert_cmpint (said.last_number, ==, 1);
      g_assert_true (kt_id_equal (&said.epoch, &fixture->core->epoch));
    }
  g_assert_cmpuint (gap->status, ==, 409);
  kt_standing_read (gap, &standing);
  g_assert_false (standing.copied);
  g_assert_cmpint (standing.last_number, ==, 1);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 1);
}

/* What has no id that can be read is refused under its number, and repeated like anything else. */
static void
test_no_id (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = new_id (fixture);
  g_autofree char *op = op_create ("account", id, "\"name\":[null,\"A\"]");
  g_autoptr (KtReply) first = push_as (ben, 1, "no id", op);
  g_autoptr (KtReply) again = push_as (ben, 1, "no id", op);
  g_autoptr (KtReply) other = push_as (ben, 1, "no id either", op);
  g_autoptr (KtReply) next = push_as (ben, 2, "no id", op);
  KtVerdict a = only_verdict (first), b = only_verdict (again), c = only_verdict (next);

  g_assert_cmpint (a.outcome, ==, KT_OUTCOME_REFUSED);
  g_assert_cmpint (a.seq, ==, b.seq);
  g_assert_cmpint (c.seq, ==, a.seq + 1);
  g_assert_cmpuint (other->status, ==, 409);
  kt_verdict_clear (&a);
  kt_verdict_clear (&b);
  kt_verdict_clear (&c);
  assert_sound (fixture);
}

/* A device of its own: another id, another token, numbers from one; the session that asked goes on. */
static void
test_new_device (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = create (ben, "account", "\"name\":[null,\"Acme\"]");
  g_autofree char *long_name = g_strnfill (5000, 'x');
  g_autofree char *long_body = g_strdup_printf ("{\"name\":\"%s\"}", long_name);
  g_autoptr (KtReply) reply =
    ask (fixture, KT_ENDPOINT_DEVICE, ben->token, NULL, "{\"name\":\"The copy\"}");
  g_autoptr (KtReply) long_one = ask (fixture, KT_ENDPOINT_DEVICE, ben->token, NULL, long_body);
  g_autoptr (KtReply) stranger = ask (fixture, KT_ENDPOINT_DEVICE, "nobody", NULL, "{}");
  static const char *const bad[] = { NULL, "", "[]", "{", "{\"name\":17}" };
  g_auto (KtNewDevice) device = { 0 };
  g_autoptr (GError) error = NULL;
  gint64 devices;

  g_assert_cmpuint (reply->status, ==, 200);
  kt_new_device_read (reply, &device, &error);
  g_assert_no_error (error);
  g_assert_cmpint (device.last_number, ==, 0);
  g_assert_true (kt_id_equal (&device.epoch, &fixture->core->epoch));
  g_assert_cmpstr (device.token, !=, ben->token);
  g_assert_cmpuint (long_one->status, ==, 200);
  g_assert_cmpint (count_sql (fixture, "SELECT max(length(name)) FROM kt_device"), ==, 100);
  g_assert_cmpuint (stranger->status, ==, 401);
  devices = count_sql (fixture, "SELECT count(*) FROM kt_device");
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (KtReply) refused = ask (fixture, KT_ENDPOINT_DEVICE, ben->token, NULL, bad[i]);

      g_assert_cmpuint (refused->status, ==, 400);
    }
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM kt_device"), ==, devices);
  {
    Device copy = *ben;
    g_autofree char *own = kt_id_to_string (&device.device);
    g_autofree char *mutation = new_id (fixture);
    g_autofree char *op = op_update ("account", id, 0, "\"phone\":[null,\"1\"]");
    g_autoptr (KtReply) pushed = NULL;
    g_autoptr (KtReply) foreign = NULL;
    KtVerdict verdict;

    foreign = push_as (&copy, 2, mutation, op);
    g_assert_cmpuint (foreign->status, ==, 200); /* the old session holds */
    copy.token = device.token;
    copy.id = own;
    pushed = push_as (&copy, 1, mutation, op);
    verdict = only_verdict (pushed);
    g_assert_cmpint (verdict.number, ==, 1);
    kt_verdict_clear (&verdict);
  }
  assert_sound (fixture);
}

/* ---- lives ---- */

static void
restore (Fixture *fixture, const char *backup)
{
  static guint n;
  g_autofree char *dir = g_strdup_printf ("%s-r%u", fixture->dir, n++);
  g_autoptr (GError) error = NULL;

  kt_core_restore (backup, dir, &fixture->env, &error);
  g_assert_no_error (error);
  kt_core_close (fixture->core);
  fixture_remove (fixture->dir);
  g_free (fixture->dir);
  fixture->dir = g_steal_pointer (&dir);
  fixture->core = kt_core_open (fixture->dir, &fixture->env, &error);
  g_assert_no_error (error);
}

/* What a device of the life @epoch is told, the same by push, pull and digest. */
static gint64
common_with (Device *device, const KtId *epoch, gint64 last)
{
  g_autofree char *text = kt_id_to_string (epoch);
  g_autofree char *query = g_strdup_printf ("epoch=%s", text);
  g_autofree char *body =
    g_strdup_printf ("{\"device\":\"%s\",\"epoch\":\"%s\",\"mutations\":[]}", device->id, text);
  g_autoptr (KtReply) push = ask (device->fixture, KT_ENDPOINT_PUSH, device->token, NULL, body);
  g_autoptr (KtReply) pull = ask (device->fixture, KT_ENDPOINT_PULL, device->token, query, NULL);
  g_autoptr (KtReply) digest = ask (device->fixture, KT_ENDPOINT_DIGEST, device->token, query, NULL);
  const KtReply *const replies[] = { push, pull, digest };
  gint64 common = -1;

  for (guint i = 0; i < G_N_ELEMENTS (replies); i++)
    {
      g_auto (KtStanding) standing = { 0 };

      g_assert_cmpuint (replies[i]->status, ==, 410);
      kt_standing_read (replies[i], &standing);
      g_assert_true (kt_id_equal (&standing.epoch, &device->fixture->core->epoch));
      g_assert_cmpint (standing.last_number, ==, last);
      g_assert_nonnull (standing.backup_at);
      g_assert_false (standing.copied);
      g_assert_cmpint (standing.common, >=, 0);
      if (i > 0)
        g_assert_cmpint (standing.common, ==, common);
      common = standing.common;
    }
  return common;
}

/* P10: A at 50 → B at 60 → C. Whoever comes from A shares less with C than whoever comes from B; of others nothing is known. */
static void
test_lives (void)
{
  if (fixture_on_postgresql ())
    {
      g_test_skip ("backups are of SQLite");
      return;
    }

  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *first = g_strdup_printf ("%s-1.kontor", fixture->dir);
  g_autofree char *second = g_strdup_printf ("%s-2.kontor", fixture->dir);
  KtId a = fixture->core->epoch, b, sibling;
  gint64 at_first, at_second;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtReply) nonsense = NULL;

  g_free (create (ben, "account", "\"name\":[null,\"1\"]"));
  kt_core_backup (fixture->core, first, &error);
  g_assert_no_error (error);
  at_first = kt_core_seq (fixture->core);
  g_free (create (ben, "account", "\"name\":[null,\"2\"]"));
  restore (fixture, first);
  b = fixture->core->epoch;
  g_assert_cmpint (common_with (ben, &a, 1), ==, at_first);
  ben->number = 1;
  g_free (create (ben, "account", "\"name\":[null,\"3\"]"));
  g_free (create (ben, "account", "\"name\":[null,\"4\"]"));
  kt_core_backup (fixture->core, second, &error);
  g_assert_no_error (error);
  at_second = kt_core_seq (fixture->core);
  restore (fixture, first);
  sibling = fixture->core->epoch;
  g_assert_cmpint (common_with (ben, &b, 1), ==, 0);
  restore (fixture, second);
  g_assert_cmpint (common_with (ben, &a, 3), ==, at_first);
  g_assert_cmpint (common_with (ben, &b, 3), ==, at_second);
  g_assert_cmpint (common_with (ben, &sibling, 3), ==, 0);
  nonsense = ask (fixture, KT_ENDPOINT_PULL, ben->token, "epoch=nonsense", NULL);
  g_assert_cmpuint (nonsense->status, ==, 400);
  assert_sound (fixture);
  g_unlink (first);
  g_unlink (second);
}

/* P10 without our own backup: what the database is put back with does not matter, somebody says that it was. */
static void
test_restored_by_others (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  KtId before = fixture->core->epoch;
  gint64 at;
  g_autoptr (GError) error = NULL;

  g_free (create (ben, "account", "\"name\":[null,\"1\"]"));
  at = kt_core_seq (fixture->core);
  kt_core_begin_life (fixture->core, &error);
  g_assert_no_error (error);
  g_assert_false (kt_id_equal (&before, &fixture->core->epoch));
  g_assert_cmpint (common_with (ben, &before, 1), ==, at);
  g_free (create (ben, "account", "\"name\":[null,\"2\"]"));
  g_assert_cmpint (kt_core_seq (fixture->core), ==, at + 1);
  assert_sound (fixture);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/server/identity/P3-known-id", test_known_id);
  g_test_add_func ("/server/identity/P3-known-id-lower-base", test_known_id_lower_base);
  g_test_add_func ("/server/identity/P3-other-content", test_other_content);
  g_test_add_func ("/server/identity/P11-copied", test_copied);
  g_test_add_func ("/server/identity/P12-no-id", test_no_id);
  g_test_add_func ("/server/identity/P10-restored-by-others", test_restored_by_others);
  g_test_add_func ("/server/identity/P11-new-device", test_new_device);
  g_test_add_func ("/server/identity/P10-58-lives", test_lives);
  return g_test_run ();
}
