/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Several writers and readers at once, each with a connection of its own, and pushes that are not what they should be. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#define WRITERS 3
#define ROUNDS 25

typedef struct
{
  Fixture own; /* the same workspace, another connection */
  Device *device;
  gint *running;
} Party;

static void
party_init (Party *party, Fixture *fixture, const char *user, gint *running)
{
  g_autoptr (GError) error = NULL;

  *party = (Party){ .own = *fixture, .running = running };
  party->own.core = kt_core_open (fixture->dir, &fixture->env, &error);
  g_assert_no_error (error);
  party->device = device_new (&party->own, user);
}

static void
party_clear (Party *party)
{
  device_free (party->device);
  kt_core_close (party->own.core);
}

/* Creates, changes and deletes, two records in each mutation. */
static gpointer
write_things (gpointer data)
{
  Party *party = data;

  for (int i = 0; i < ROUNDS; i++)
    {
      g_autofree char *a = new_id (&party->own);
      g_autofree char *b = new_id (&party->own);
      g_autofree char *create_a = op_create ("account", a, "\"name\":[null,\"A\"]");
      g_autofree char *create_b = op_create ("contact", b, "\"last_name\":[null,\"B\"]");
      g_autofree char *both = g_strdup_printf ("%s,%s", create_a, create_b);
      g_autofree char *change = op_update ("account", a, 0, "\"phone\":[null,\"+49 40 1\"]");
      g_autofree char *remove = op_delete ("contact", b, 0);

      g_assert_cmpint (push_outcome (party->device, both), ==, KT_OUTCOME_APPLIED);
      g_assert_cmpint (push_outcome (party->device, change), ==, KT_OUTCOME_APPLIED);
      if (i % 3 == 0)
        g_assert_cmpint (push_outcome (party->device, remove), ==, KT_OUTCOME_APPLIED);
    }
  g_atomic_int_add (party->running, -1);
  return NULL;
}

/* Follows, page by page, as long as anybody writes. */
static gpointer
follow (gpointer data)
{
  Party *party = data;
  gint64 seq = 0;

  while (g_atomic_int_get (party->running) > 0)
    {
      gboolean more = pull_page (party->device, 7, NULL);

      /* Never back, and never past what is there (18, 20, 29). */
      g_assert_cmpint (party->device->seq, >=, seq);
      seq = party->device->seq;
      if (!more)
        g_thread_yield ();
    }
  return NULL;
}

/* 18, 19, 20: nothing is passed over, however many write at once. */
static void
test_writers (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  gint running = WRITERS;
  Party writers[WRITERS], readers[2];
  GThread *threads[WRITERS + 2];

  for (int i = 0; i < WRITERS; i++)
    party_init (&writers[i], fixture, i % 2 ? "ben" : "cho", &running);
  for (int i = 0; i < 2; i++)
    party_init (&readers[i], fixture, "ada", &running);
  for (int i = 0; i < WRITERS; i++)
    threads[i] = g_thread_new ("writer", write_things, &writers[i]);
  for (int i = 0; i < 2; i++)
    threads[WRITERS + i] = g_thread_new ("reader", follow, &readers[i]);
  for (int i = 0; i < WRITERS + 2; i++)
    g_thread_join (threads[i]);

  for (int i = 0; i < 2; i++)
    {
      pull (readers[i].device, 7);
      assert_equal (readers[i].device);
      g_assert_cmpint (readers[i].device->seq, ==, kt_core_seq (fixture->core));
    }
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, WRITERS * ROUNDS);
  /* One number for every commit, without gaps. */
  g_assert_cmpint (count_sql (fixture, "SELECT count(DISTINCT seq) FROM kt_ledger"), ==,
                   kt_core_seq (fixture->core));
  assert_sound (fixture);
  for (int i = 0; i < WRITERS; i++)
    party_clear (&writers[i]);
  for (int i = 0; i < 2; i++)
    party_clear (&readers[i]);
}

/* The same device twice at once, as after a lost connection: each mutation counts once (9). */
static gpointer
push_same (gpointer data)
{
  Party *party = data;

  for (int i = 1; i <= 20; i++)
    {
      char id[KT_ID_TEXT_SIZE];
      g_autofree char *op = NULL;
      g_autofree char *body = NULL;
      g_autoptr (KtReply) reply = NULL;

      g_snprintf (id, sizeof id, "01900000-0000-7000-8000-%012d", 900000 + i);
      op = op_create ("account", id, "\"name\":[null,\"A\"]");
      body = push_body (party->device, i, op);
      reply = ask (&party->own, KT_ENDPOINT_PUSH, party->device->token, NULL, body);
      g_assert_cmpuint (reply->status, ==, 200);
    }
  return NULL;
}

static void
test_same_device (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  Party one, two;
  GThread *threads[2];

  party_init (&one, fixture, "ben", NULL);
  party_init (&two, fixture, "cho", NULL);
  /* Two lines of one session. */
  g_free (two.device->token);
  g_free (two.device->id);
  two.device->token = g_strdup (one.device->token);
  two.device->id = g_strdup (one.device->id);
  threads[0] = g_thread_new ("one", push_same, &one);
  threads[1] = g_thread_new ("two", push_same, &two);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_account"), ==, 20);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM kt_verdict"), ==, 20);
  assert_sound (fixture);
  party_clear (&one);
  party_clear (&two);
}

/* Bytes are turned in good pushes: an answer in words every time, and the books stay in order. */
static void
test_turned_bytes (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *account = create (ben, "account", "\"name\":[null,\"A\"]");
  int rounds = g_test_slow () ? 20000 : 1500;

  for (int round = 0; round < rounds; round++)
    {
      g_autofree char *id = new_id (fixture);
      g_autofree char *fields = g_strdup_printf (
        "\"last_name\":[null,\"Li\"],\"account\":[null,\"%s\"],\"birthday\":[null,\"1990-02-28\"],"
        "\"tags\":[null,[\"a\",\"b\"]],\"address\":[null,{\"city\":\"Bonn\"}],\"im_handles\":[null,{\"x\":[1.5e3,true]}]",
        account);
      g_autofree char *op = op_create ("contact", id, fields);
      g_autofree char *body = push_body (ben, ben->number + 1, op);
      gsize len = strlen (body);
      g_autoptr (KtReply) reply = NULL;
      g_autoptr (KtJson) json = NULL;

      for (int turn = g_test_rand_int_range (1, 4); turn > 0; turn--)
        body[g_test_rand_int_range (0, (gint32) len)] = (char) g_test_rand_int_range (1, 256);
      reply = ask (fixture, KT_ENDPOINT_PUSH, ben->token, NULL, body);
      g_assert_true (reply->status == 200 || (reply->status >= 400 && reply->status < 500));
      json = reply_json (reply);
      if (reply->status == 200)
        ben->number = kt_json_get_int (json, "last_number", -1);
    }
  g_test_message ("%" G_GINT64_FORMAT " of %d were decided", ben->number - 1, rounds);
  assert_sound (fixture);
  pull (ben, 0);
  assert_equal (ben);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/server/race/18-19-20-writers", test_writers);
  g_test_add_func ("/server/race/9-same-device", test_same_device);
  g_test_add_func ("/server/race/turned-bytes", test_turned_bytes);
  return g_test_run ();
}
