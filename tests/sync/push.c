/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "../support/kt-rig.h"
#include "base/kt-error.h"

/* What a device writes reaches the server once, whatever happens on the way (P1, P2, P3, P12). Numbers are
 * those of the scenarios in the design. */

static gint64
count_accounts (Device *device)
{
  g_autoptr (KtQuery) query =
    kt_query_new (kt_schema_object (kt_local_schema (device->local), "account"));

  return kt_local_count (device->local, query, NULL);
}

/* 1. Reply lost, push resent: no duplicate. */
static void
test_reply_lost (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId id = device_create (a, "account", "name=Acme", NULL);
  gint64 seq = kt_core_seq (rig->core);

  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  g_assert_cmpint (kt_core_seq (rig->core), ==, seq + 1);
  assert_counts (a, 0, 1, 0, 0);

  device_sync (a);
  g_assert_cmpint (kt_core_seq (rig->core), ==, seq + 1);
  assert_counts (a, 0, 0, 0, 0);
  device_sync (b);
  g_assert_cmpint (count_accounts (a), ==, 1);
  g_assert_cmpint (count_accounts (b), ==, 1);
  assert_value (b, "account", &id, "name", "\"Acme\"");
  assert_all_equal (rig);
}

/* 2. Reply lost, pull before the resend: one local copy, and what was written since stays visible. */
static void
test_reply_lost_then_pull (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", NULL);

  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  device_set (a, "account", &id, "phone=1");
  /* The next push fails on its own; the pull goes on. */
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_500, 0, 1);
  device_sync_fails (a, KT_ERROR_SERVER);
  g_assert_cmpint (count_accounts (a), ==, 1);
  assert_value (a, "account", &id, "phone", "\"1\"");
  device_sync (a);
  g_assert_cmpint (count_accounts (a), ==, 1);
  assert_value (a, "account", &id, "name", "\"Acme\"");
  assert_value (a, "account", &id, "phone", "\"1\"");
  assert_counts (a, 0, 0, 0, 0);
  assert_all_equal (rig);
}

/* 4. The client dies after the reply came and before it stored it. */
static void
test_crash_before_settling (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", NULL);
  gint64 seq = kt_core_seq (rig->core);

  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  device_crash (a);
  assert_counts (a, 0, 1, 0, 0);
  assert_value (a, "account", &id, "name", "\"Acme\"");
  device_sync (a);
  g_assert_cmpint (kt_core_seq (rig->core), ==, seq + 1);
  assert_all_equal (rig);
}

/* 70. Dying after every single step of a round, with edits on both sides, loses and doubles nothing. */
static void
test_crash_at_every_step (void)
{
  for (guint at = 0;; at++)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      Device *b = device_new (rig, "B", "ben");
      KtId mine = device_create (a, "account", "name=Mine", NULL);
      KtId theirs = device_create (b, "account", "name=Theirs", NULL);
      g_autoptr (KtEngine) engine = kt_engine_new ();
      gboolean more = TRUE;

      device_sync (b);
      kt_engine_poke (engine);
      for (guint i = 0; i < at && more; i++)
        more = device_step (a, engine);
      device_crash (a);
      assert_value (a, "account", &mine, "name", "\"Mine\"");
      device_sync (a);
      assert_value (a, "account", &mine, "name", "\"Mine\"");
      assert_value (a, "account", &theirs, "name", "\"Theirs\"");
      g_assert_cmpint (count_accounts (a), ==, 2);
      assert_all_equal (rig);
      if (!more)
        return;
      g_assert_cmpuint (at, <, 20);
    }
}

/* 5. A gate left shut by a crash with nothing behind it. What was sent without a verdict is no gate:
 * another engine, another process, sends it again. */
static void
test_stale_gate (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtEngineStatus status;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtSyncLock) lock = NULL;

  device_create (a, "account", "name=Acme", NULL);
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REQUEST_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  device_crash (a);
  device_sync_full (a, &status);
  g_assert_cmpint (status.pushed, ==, 1);

  /* 9. A lock that a living process holds is respected, and it is named. */
  lock = kt_sync_lock_take (a->dir, 0, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (kt_sync_lock_take (a->dir, 50, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_BUSY);
  g_assert_nonnull (strstr (error->message, "Process "));
}

/* 7, 17. The outbox does not claim to be empty while it is not. */
static void
test_outbox_tells_the_truth (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");

  for (guint i = 0; i < 5; i++)
    device_create (a, "account", "name=Acme", NULL);
  assert_counts (a, 5, 0, 0, 0);
  rig_stop_server (rig);
  device_sync_fails (a, KT_ERROR_NETWORK);
  assert_counts (a, 0, 5, 0, 0);
  rig_start_server (rig);
  /* Every second request gets lost, and the answer of every third. */
  for (guint i = 0; i < 8; i++)
    {
      kt_test_transport_fail (a->transport, KT_N_ENDPOINTS, KT_FAULT_REQUEST_LOST, 1, 1);
      kt_test_transport_fail (a->transport, KT_N_ENDPOINTS, KT_FAULT_REPLY_LOST, 2, 1);
    }
  for (guint i = 0; i < 40; i++)
    {
      KtOutboxCounts counts;
      g_autoptr (GPtrArray) entries = NULL;

      kt_sync_run (a->local, a->transport, 0, NULL, NULL, NULL, NULL, NULL);
      counts = device_counts (a);
      entries = kt_local_outbox (a->local, 100, NULL);
      g_assert_cmpint (counts.queued + counts.sent, ==, entries->len);
    }
  device_sync (a);
  assert_counts (a, 0, 0, 0, 0);
  g_assert_cmpint (count_accounts (a), ==, 5);
  assert_all_equal (rig);
}

/* A request that the network delivers twice is done once. */
static void
test_doubled_request (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", "visits=1", NULL);

  device_sync (a);
  device_set (a, "account", &id, "visits=3");
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_DOUBLED, 0, 1);
  device_sync (a);
  assert_value (a, "account", &id, "visits", "3");
  assert_all_equal (rig);
}

static void
edit_meanwhile (const KtRequest *request, gpointer data)
{
  Device *device = ((gpointer *) data)[0];
  KtId *id = ((gpointer *) data)[1];

  device_set (device, "account", id, "phone=2");
  device_set (device, "account", id, "website=second.example");
}

/* 10, 16. An edit made while the same record is on its way is not overwritten by the answer. */
static void
test_edit_while_pushed (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId id = device_create (a, "account", "name=Acme", "phone=0", NULL);
  gpointer data[] = { a, &id };

  device_sync (a);
  device_set (a, "account", &id, "phone=1");
  kt_test_transport_meanwhile (a->transport, KT_ENDPOINT_PUSH, edit_meanwhile, data);
  device_sync (a);
  assert_value (a, "account", &id, "phone", "\"2\"");
  assert_value (a, "account", &id, "website", "\"second.example\"");
  assert_counts (a, 0, 0, 0, 0);

  /* The same during the pull that brings the first one back. */
  device_set (a, "account", &id, "phone=3");
  kt_test_transport_meanwhile (a->transport, KT_ENDPOINT_PULL, edit_meanwhile, data);
  device_sync (a);
  assert_value (a, "account", &id, "phone", "\"2\"");
  device_sync (b);
  assert_value (b, "account", &id, "phone", "\"2\"");
  assert_value (b, "account", &id, "website", "\"second.example\"");
  assert_counts (b, 0, 0, 0, 0);
  assert_all_equal (rig);
}

/* 11. A second edit on the same base, sent before the first came back: no conflict with oneself (46). */
static void
test_second_edit_on_same_base (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", "phone=0", NULL);

  device_sync (a);
  device_set (a, "account", &id, "phone=1");
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  device_set (a, "account", &id, "phone=2");
  device_set (a, "account", &id, "phone=3");
  device_sync (a);
  assert_value (a, "account", &id, "phone", "\"3\"");
  assert_counts (a, 0, 0, 0, 0);
  assert_all_equal (rig);
}

/* Two fields of the entry that is refused by the server: somebody who is not an admin writes configuration
 * through a device that does not know better. */
static KtMutation *
forbidden_mutation (Device *device, KtId *id)
{
  const KtObject *object = kt_schema_object (kt_local_schema (device->local), "loss_reason");
  KtMutation *mutation = kt_mutation_new ("2026-01-01T00:00:00.000Z", "client");
  g_autoptr (KtRecord) record = NULL;

  *id = kt_id_new (&device->clock.env);
  record = kt_record_new (object, id);
  kt_value_set_text (&record->values[object->title->index], "Too dear");
  kt_mutation_add (mutation, KT_MUTATE_CREATE, object, id, 0, kt_patch_diff (NULL, record));
  return mutation;
}

static void
make_admin (Device *device, gboolean admin)
{
  const KtIdentity *now = kt_local_identity (device->local);
  KtIdentity identity = *now;
  g_autofree char *server = g_strdup (now->server);
  g_autofree char *user = g_strdup (now->user_name);
  g_autofree char *name = g_strdup (now->access.name);
  g_autofree char *currency = g_strdup (now->currency);
  g_autofree char *workspace = g_strdup (now->workspace);
  g_autoptr (GError) error = NULL;

  identity.access.admin = admin;
  identity.access.name = name;
  identity.server = server;
  identity.user_name = user;
  identity.currency = currency;
  identity.workspace = workspace;
  /* What the server says of rights is not asked here. */
  kt_db_exec (kt_local_db (device->local),
              "DELETE FROM kt_meta WHERE key IN ('kt:access', 'kt:access_digest')", &error);
  g_assert_no_error (error);
  kt_local_set_identity (device->local, &identity, &error);
  g_assert_no_error (error);
}

/* 14, 15. One refused mutation among a thousand parks itself; everything else goes on, up and down. */
static void
test_refused_among_many (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  g_autoptr (KtMutation) mutation = NULL;
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;
  const KtOutboxEntry *entry;
  KtEngineStatus status;
  guint pushes;
  KtId refused, theirs;

  theirs = device_create (a, "account", "name=From anna", NULL);
  device_sync (a);

  make_admin (b, TRUE);
  for (guint i = 0; i < 10; i++)
    device_create (b, "account", "name=Before", NULL);
  mutation = forbidden_mutation (b, &refused);
  kt_local_commit (b->local, mutation, NULL, &changes, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 10; i++)
    device_create (b, "account", "name=After", NULL);
  make_admin (b, FALSE);

  device_sync_full (b, &status);
  g_assert_cmpint (status.refused, ==, 1);
  g_assert_cmpint (status.pushed, ==, 21);
  assert_counts (b, 0, 0, 1, 0);
  g_assert_cmpint (count_accounts (b), ==, 21);
  assert_value (b, "account", &theirs, "name", "\"From anna\"");
  entries = kt_local_outbox (b->local, 10, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (entries->len, ==, 1);
  entry = g_ptr_array_index (entries, 0);
  g_assert_cmpint (entry->state, ==, KT_OUTBOX_PARKED);
  g_assert_nonnull (entry->reason);

  /* It is not tried for ever. */
  pushes = kt_test_transport_count (b->transport, KT_ENDPOINT_PUSH);
  device_sync (b);
  device_sync (b);
  g_assert_cmpuint (kt_test_transport_count (b->transport, KT_ENDPOINT_PUSH), ==, pushes);

  /* Given up: kept, and out of the way. */
  g_clear_pointer (&changes, kt_change_set_unref);
  kt_local_discard (b->local, entry->no, &changes, &error);
  g_assert_no_error (error);
  assert_counts (b, 0, 0, 0, 0);
  g_assert_false (device_has (b, "loss_reason", &refused));
  device_sync (a);
  assert_all_equal (rig);
}

/* More than one push holds: batches, in order, each settled before the next. */
static void
test_many_batches (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtEngineStatus status;

  for (guint i = 0; i < 1200; i++)
    device_create (a, "competitor", "name=Other", NULL);
  g_free (kt_test_transport_trace (a->transport));
  device_sync_full (a, &status);
  g_assert_cmpint (status.pushed, ==, 1200);
  g_assert_cmpuint (kt_test_transport_count (a->transport, KT_ENDPOINT_PUSH), >, 1);
  assert_counts (a, 0, 0, 0, 0);
  device_sync (b);
  assert_all_equal (rig);
}

/* A no-op round is one small request and no commit (32). */
static void
test_no_op (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autofree char *trace = NULL;
  g_autofree char *cursor = kt_local_cursor (a->local, NULL);
  g_autofree char *after = NULL;
  KtEngineStatus status;
  guint64 bytes;

  g_free (kt_test_transport_trace (a->transport));
  bytes = a->transport->bytes_in;
  device_sync_full (a, &status);
  trace = kt_test_transport_trace (a->transport);
  g_assert_cmpstr (trace, ==, "pull");
  g_assert_cmpuint (a->transport->bytes_in - bytes, <, 600);
  g_assert_cmpint (status.pulled, ==, 0);
  g_assert_cmpint (status.pushed, ==, 0);
  after = kt_local_cursor (a->local, NULL);
  g_assert_cmpstr (cursor, ==, after);
}

/* The server is restarted between two requests, its clock years back. */
static void
test_server_restart (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", NULL);

  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  rig_stop_server (rig);
  rig->clock.wall_us -= G_GINT64_CONSTANT (100000000000000);
  device_set (a, "account", &id, "phone=1");
  rig_start_server (rig);
  device_sync (a);
  assert_value (a, "account", &id, "phone", "\"1\"");
  assert_counts (a, 0, 0, 0, 0);
  assert_all_equal (rig);
}

/* Answers that are not what they should be change nothing. */
static void
test_bad_answers (void)
{
  static const struct
  {
    KtFault fault;
    KtError code;
  } bad[] = {
    { KT_FAULT_GARBLED, KT_ERROR_SERVER },  { KT_FAULT_CUT, KT_ERROR_SERVER },
    { KT_FAULT_HTML, KT_ERROR_NOT_KONTOR }, { KT_FAULT_500, KT_ERROR_SERVER },
    { KT_FAULT_503, KT_ERROR_BUSY },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      Device *b = device_new (rig, "B", "ben");
      KtId id = device_create (a, "account", "name=Acme", NULL);
      KtId theirs = device_create (b, "account", "name=Theirs", NULL);
      g_autoptr (GError) error = NULL;

      device_sync (b);
      kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, bad[i].fault, 0, 1);
      kt_test_transport_fail (a->transport, KT_ENDPOINT_PULL, bad[i].fault, 0, 1);
      g_assert_false (kt_sync_run (a->local, a->transport, 0, NULL, NULL, NULL, NULL, &error));
      /* A byte more or less may make it one or the other. */
      if (bad[i].fault != KT_FAULT_GARBLED && bad[i].fault != KT_FAULT_CUT)
        g_assert_error (error, KT_ERROR, (int) bad[i].code);
      g_assert_false (device_has (a, "account", &theirs));
      assert_value (a, "account", &id, "name", "\"Acme\"");
      kt_test_transport_heal (a->transport);
      device_sync (a);
      device_sync (b);
      assert_value (a, "account", &theirs, "name", "\"Theirs\"");
      assert_counts (a, 0, 0, 0, 0);
      assert_all_equal (rig);
    }
}

/* A push that fails for its own reason does not hold up the pull, nor the other way round. */
static void
test_independent (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId mine = device_create (a, "account", "name=Mine", NULL);
  KtId theirs = device_create (b, "account", "name=Theirs", NULL);

  device_sync (b);
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_500, 0, 1);
  device_sync_fails (a, KT_ERROR_SERVER);
  assert_value (a, "account", &theirs, "name", "\"Theirs\"");
  assert_counts (a, 0, 1, 0, 0);

  device_set (b, "account", &theirs, "phone=1");
  device_sync (b);
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PULL, KT_FAULT_500, 0, 1);
  device_sync_fails (a, KT_ERROR_SERVER);
  device_sync (b);
  assert_value (b, "account", &mine, "name", "\"Mine\"");
  device_sync (a);
  assert_all_equal (rig);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/P3/1-reply-lost", test_reply_lost);
  g_test_add_func ("/P3/2-reply-lost-then-pull", test_reply_lost_then_pull);
  g_test_add_func ("/P3/4-crash-before-settling", test_crash_before_settling);
  g_test_add_func ("/P1/70-crash-at-every-step", test_crash_at_every_step);
  g_test_add_func ("/P3/5-9-stale-gate", test_stale_gate);
  g_test_add_func ("/P2/7-17-outbox-tells-the-truth", test_outbox_tells_the_truth);
  g_test_add_func ("/P3/doubled-request", test_doubled_request);
  g_test_add_func ("/P2/10-16-edit-while-pushed", test_edit_while_pushed);
  g_test_add_func ("/P6/11-46-second-edit-on-same-base", test_second_edit_on_same_base);
  g_test_add_func ("/P12/14-15-refused-among-many", test_refused_among_many);
  g_test_add_func ("/P2/many-batches", test_many_batches);
  g_test_add_func ("/P4/32-no-op", test_no_op);
  g_test_add_func ("/P3/server-restart", test_server_restart);
  g_test_add_func ("/P2/bad-answers", test_bad_answers);
  g_test_add_func ("/P2/push-and-pull-are-independent", test_independent);
  return g_test_run ();
}
