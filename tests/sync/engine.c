/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include <glib/gstdio.h>

#include "../support/kt-rig.h"
#include "sync/kt-backoff.h"
#include "sync/kt-sync-private.h"

/* The state machine itself: what it asks next, how long it waits, and when it stops asking. */

#define SECOND G_USEC_PER_SEC

typedef struct
{
  Rig *rig;
  Device *a;
  KtEngine *engine;
  gint64 wait_us; /* what the last kt_engine_next said */
} Box;

static void
box_init (Box *box)
{
  box->rig = rig_new ();
  box->a = device_new (box->rig, "A", "anna");
  box->engine = kt_engine_new ();
  g_free (kt_test_transport_trace (box->a->transport));
}

static void
box_clear (Box *box)
{
  kt_engine_free (box->engine);
  rig_free (box->rig);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Box, box_clear)

static gboolean
step (Box *box)
{
  g_autofree char *token = kt_session_token (box->a->local, NULL);
  g_autoptr (GPtrArray) changes =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_change_set_unref);
  g_autoptr (KtRequest) request = NULL;
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) failure = NULL;
  g_autoptr (GError) error = NULL;

  request = kt_engine_next (box->engine, box->a->local, token, box->a->clock.monotonic_us,
                            &box->wait_us, &error);
  g_assert_no_error (error);
  if (request == NULL)
    return FALSE;
  reply = kt_transport_send (box->a->transport, request, NULL, &failure);
  kt_engine_reply (box->engine, box->a->local, reply, failure, box->a->clock.monotonic_us, changes,
                   &error);
  g_assert_no_error (error);
  return TRUE;
}

/* Everything that can be done now. */
static void
go_on (Box *box)
{
  for (guint i = 0; step (box); i++)
    g_assert_cmpuint (i, <, 1000);
}

static KtEngineState
state (Box *box)
{
  return kt_engine_status (box->engine)->state;
}

static void
assert_trace (Box *box, const char *expected)
{
  g_autofree char *trace = kt_test_transport_trace (box->a->transport);

  g_assert_cmpstr (trace, ==, expected);
}

static void
test_idle_until_poked (void)
{
  g_auto (Box) box = { 0 };

  box_init (&box);
  device_create (box.a, "account", "name=Acme", NULL);
  g_assert_false (step (&box));
  g_assert_cmpint (box.wait_us, ==, -1);
  kt_engine_poke (box.engine);
  go_on (&box);
  assert_trace (&box, "push pull");
  g_assert_cmpint (state (&box), ==, KT_ENGINE_IDLE);
  g_assert_cmpint (box.wait_us, ==, -1);
  g_assert_true (kt_engine_status (box.engine)->online);
  g_assert_cmpint (kt_engine_status (box.engine)->pushed, ==, 1);
  g_assert_cmpint (kt_engine_status (box.engine)->seq, ==, kt_core_seq (box.rig->core));
}

/* 8. Poked before there is anything, and again while a round is under way: nothing stays behind. */
static void
test_poked_at_any_time (void)
{
  g_auto (Box) box = { 0 };

  box_init (&box);
  kt_engine_poke (box.engine);
  go_on (&box);
  assert_trace (&box, "pull");
  kt_engine_poke (box.engine);
  g_assert_true (step (&box));
  device_create (box.a, "account", "name=Acme", NULL);
  kt_engine_poke (box.engine);
  go_on (&box);
  assert_counts (box.a, 0, 0, 0, 0);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_IDLE);
}

/* 6. A failed upload is retried by itself; each time later, within bounds, never at once. */
static void
test_back_off (void)
{
  g_auto (Box) box = { 0 };
  gint64 full = SECOND / 2;

  box_init (&box);
  device_create (box.a, "account", "name=Acme", NULL);
  kt_test_transport_fail (box.a->transport, KT_N_ENDPOINTS, KT_FAULT_REQUEST_LOST, 0, 12);
  kt_engine_poke (box.engine);
  for (guint i = 0; i < 12; i++)
    {
      go_on (&box);
      g_assert_cmpint (state (&box), ==, KT_ENGINE_WAIT);
      g_assert_false (kt_engine_status (box.engine)->online);
      g_assert_nonnull (kt_engine_status (box.engine)->problem);
      g_assert_cmpuint (kt_engine_status (box.engine)->failures, ==, i + 1);
      g_assert_cmpint (box.wait_us, >=, full / 2 - SECOND / 100);
      g_assert_cmpint (box.wait_us, <=, full);
      full = MIN (full * 2, 60 * SECOND);
      box.a->clock.monotonic_us += box.wait_us - 1;
      g_assert_false (step (&box));
      box.a->clock.monotonic_us += 1;
    }
  go_on (&box);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_IDLE);
  g_assert_null (kt_engine_status (box.engine)->problem);
  g_assert_cmpuint (kt_engine_status (box.engine)->failures, ==, 0);
  assert_counts (box.a, 0, 0, 0, 0);
}

/* Two clients of one server do not come back in one instant. */
static void
test_jitter (void)
{
  RigClock *clock;
  g_autoptr (Rig) rig = rig_new ();
  KtBackoff one = { 8 };
  gint64 least = G_MAXINT64, most = 0;

  clock = &rig->clock;
  for (guint i = 0; i < 100; i++)
    {
      KtBackoff copy = one;
      gint64 us = kt_backoff_next (&copy, &clock->env);

      least = MIN (least, us);
      most = MAX (most, us);
    }
  g_assert_cmpint (least, >=, 30 * SECOND);
  g_assert_cmpint (most, <=, 60 * SECOND);
  g_assert_cmpint (most - least, >, 10 * SECOND);
}

/* A poke (a person, a network that is back) ends the wait and starts the back-off anew. */
static void
test_poke_ends_waiting (void)
{
  g_auto (Box) box = { 0 };

  box_init (&box);
  kt_test_transport_fail (box.a->transport, KT_N_ENDPOINTS, KT_FAULT_REQUEST_LOST, 0, 7);
  kt_engine_poke (box.engine);
  for (guint i = 0; i < 6; i++)
    {
      go_on (&box);
      box.a->clock.monotonic_us += box.wait_us;
    }
  g_assert_cmpint (box.wait_us, >, 5 * SECOND);
  kt_engine_poke (box.engine);
  go_on (&box);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_WAIT);
  g_assert_cmpint (box.wait_us, <=, SECOND / 2);
  kt_engine_poke (box.engine);
  go_on (&box);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_IDLE);
}

/* Unless the server asked for it. */
static void
test_server_asks_to_wait (void)
{
  g_auto (Box) box = { 0 };

  box_init (&box);
  kt_test_transport_fail (box.a->transport, KT_N_ENDPOINTS, KT_FAULT_503, 0, 1);
  kt_engine_poke (box.engine);
  go_on (&box);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_WAIT);
  g_assert_cmpint (box.wait_us, >=, SECOND / 2);
  g_assert_true (kt_engine_status (box.engine)->online);
  kt_engine_poke (box.engine);
  g_assert_false (step (&box));
  box.a->clock.monotonic_us += box.wait_us;
  go_on (&box);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_IDLE);
}

/* Sent often, pulled often: neither waits for the end of the other. */
static void
test_take_turns (void)
{
  g_auto (Box) box = { 0 };
  g_autofree char *trace = NULL;

  box_init (&box);
  for (guint i = 0; i < 1500; i++)
    device_create (box.a, "competitor", "name=Other", NULL);
  kt_engine_poke (box.engine);
  go_on (&box);
  trace = kt_test_transport_trace (box.a->transport);
  g_assert_true (g_str_has_prefix (trace, "push pull push pull"));
  assert_counts (box.a, 0, 0, 0, 0);
}

/* A slow line: smaller batches, so that something gets through at all. */
static void
test_slow_line (void)
{
  g_auto (Box) box = { 0 };
  guint64 before;

  box_init (&box);
  for (guint i = 0; i < 600; i++)
    device_create (box.a, "competitor", "name=Other", NULL);
  /* The line breaks off in every large request. */
  kt_test_transport_fail (box.a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REQUEST_LOST, 0, 5);
  kt_engine_poke (box.engine);
  for (guint i = 0; i < 5; i++)
    {
      go_on (&box);
      box.a->clock.monotonic_us += box.wait_us;
    }
  before = box.a->transport->bytes_out;
  g_assert_true (step (&box));
  g_assert_cmpuint (box.a->transport->bytes_out - before, <, 64 * 1024);
  go_on (&box);
  assert_counts (box.a, 0, 0, 0, 0);
}

/* A batch that is refused as a message is cut down until what is good in it goes through. */
static KtReply *
one_at_a_time (const KtRequest *request, gpointer data)
{
  Rig *rig = data;

  if (request->endpoint == KT_ENDPOINT_PUSH)
    {
      g_autoptr (KtJson) json = kt_json_parse (g_bytes_get_data (request->body, NULL),
                                               (gssize) g_bytes_get_size (request->body), NULL);

      if (kt_json_length (kt_json_get (json, "mutations")) > 3)
        {
          g_autoptr (GError) error = g_error_new_literal (KT_ERROR, KT_ERROR_LIMIT, "too large");

          return kt_reply_from_error (error);
        }
    }
  return kt_core_handle (rig->core, request);
}

static void
test_smaller_batches (void)
{
  g_auto (Box) box = { 0 };

  box_init (&box);
  kt_transport_free (box.a->transport);
  box.a->transport = kt_test_transport_new (one_at_a_time, box.rig);
  for (guint i = 0; i < 20; i++)
    device_create (box.a, "competitor", "name=Other", NULL);
  kt_engine_poke (box.engine);
  go_on (&box);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_IDLE);
  assert_counts (box.a, 0, 0, 0, 0);
}

/* 401: no further request with that token; another token, and it goes on. */
static void
test_signed_out (void)
{
  g_auto (Box) box = { 0 };
  g_autoptr (GError) error = NULL;
  guint requests;

  box_init (&box);
  device_create (box.a, "account", "name=Acme", NULL);
  kt_test_transport_fail (box.a->transport, KT_ENDPOINT_PUSH, KT_FAULT_401, 0, 1);
  kt_engine_poke (box.engine);
  go_on (&box);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_SIGNED_OUT);
  g_assert_error (kt_engine_status (box.engine)->problem, KT_ERROR, KT_ERROR_AUTH);
  requests = (guint) box.a->transport->requests;
  kt_engine_poke (box.engine);
  g_assert_false (step (&box));
  g_assert_cmpint (box.wait_us, ==, -1);
  g_assert_cmpuint (box.a->transport->requests, ==, requests);
  assert_counts (box.a, 0, 1, 0, 0);

  device_login (box.a, "anna", &error);
  g_assert_no_error (error);
  go_on (&box);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_IDLE);
  assert_counts (box.a, 0, 0, 0, 0);
}

/* An answer that comes twice, or after it was given up, is nobody's any more. */
static void
test_late_answers (void)
{
  g_auto (Box) box = { 0 };
  g_autofree char *token = NULL;
  g_autoptr (GPtrArray) changes =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_change_set_unref);
  g_autoptr (KtRequest) first = NULL;
  g_autoptr (KtRequest) second = NULL;
  g_autoptr (KtReply) late = NULL;
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) error = NULL;
  gint64 wait_us;

  box_init (&box);
  token = kt_session_token (box.a->local, NULL);
  device_create (box.a, "account", "name=Acme", NULL);
  kt_engine_poke (box.engine);
  first = kt_engine_next (box.engine, box.a->local, token, 1, &wait_us, &error);
  late = kt_core_handle (box.rig->core, first);
  /* Given up, asked again: the same mutation, the same number. */
  second = kt_engine_next (box.engine, box.a->local, token, 2, &wait_us, &error);
  g_assert_true (g_bytes_equal (first->body, second->body));
  reply = kt_core_handle (box.rig->core, second);
  g_assert_true (kt_engine_reply (box.engine, box.a->local, reply, NULL, 3, changes, &error));
  g_assert_true (kt_engine_reply (box.engine, box.a->local, late, NULL, 4, changes, &error));
  go_on (&box);
  assert_counts (box.a, 0, 0, 0, 0);
  assert_equal (box.a);
}

/* A disk that takes nothing: said, nothing is sent, and tried again later. */
static void
test_local_failure (void)
{
  g_auto (Box) box = { 0 };
  g_autofree char *token = NULL;
  g_autoptr (KtLocal) stubborn = NULL;
  g_autoptr (KtRequest) request = NULL;
  g_autoptr (GError) error = NULL;
  gint64 wait_us;

  box_init (&box);
  token = kt_session_token (box.a->local, NULL);
  device_create (box.a, "account", "name=Acme", NULL);
  stubborn = kt_local_open (box.a->dir, KT_LOCAL_READ_ONLY, &box.a->clock.env, &error);
  g_assert_no_error (error);
  kt_engine_poke (box.engine);
  request = kt_engine_next (box.engine, stubborn, token, 1, &wait_us, &error);
  g_assert_null (request);
  g_assert_nonnull (error);
  g_assert_cmpint (wait_us, >, 0);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_WAIT);
  box.a->clock.monotonic_us += 60 * SECOND;
  go_on (&box);
  assert_counts (box.a, 0, 0, 0, 0);
}

/* ---- attachments ---- */

#define FILE_SIZE (3 * 1024 * 1024 + 17)

static KtId
attach (Device *device, const KtId *parent, char **sha256)
{
  g_autofree char *path = g_build_filename (device->dir, "picture.bin", NULL);
  g_autofree guint8 *content = g_malloc (FILE_SIZE);
  g_autofree char *reference = rig_reference ("parent", "account", parent);
  g_autofree char *hash = NULL;
  g_autoptr (GError) error = NULL;
  gint64 size;

  device->clock.env.random (&device->clock, content, FILE_SIZE);
  g_file_set_contents (path, (char *) content, FILE_SIZE, &error);
  g_assert_no_error (error);
  kt_local_blob_add (device->local, path, sha256, &size, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (size, ==, FILE_SIZE);
  hash = g_strconcat ("sha256=", *sha256, NULL);
  return device_create (device, "file", "name=picture.bin", hash, "size=3145745",
                        "mime=application/octet-stream", reference, NULL);
}

static void
create_meanwhile (const KtRequest *request, gpointer data)
{
  Box *box = data;

  device_create (box->a, "account", "name=Meanwhile", NULL);
  kt_engine_poke (box->engine);
}

/* P14. Records first, then the content, in pieces, and on where it stopped. */
static void
test_blob_up (void)
{
  g_auto (Box) box = { 0 };
  g_autofree char *sha256 = NULL;
  g_autofree char *trace = NULL;
  guint puts;
  KtId account;

  box_init (&box);
  account = device_create (box.a, "account", "name=Acme", NULL);
  attach (box.a, &account, &sha256);
  kt_test_transport_fail (box.a->transport, KT_ENDPOINT_BLOB_PUT, KT_FAULT_REPLY_LOST, 1, 1);
  kt_engine_poke (box.engine);
  go_on (&box);
  trace = kt_test_transport_trace (box.a->transport);
  g_assert_cmpstr (trace, ==, "push pull stat put put");
  assert_counts (box.a, 0, 0, 0, 0);

  /* The second piece is there, though nobody heard of it. Another edit goes before the third. */
  kt_test_transport_meanwhile (box.a->transport, KT_ENDPOINT_BLOB_PUT, create_meanwhile, &box);
  puts = kt_test_transport_count (box.a->transport, KT_ENDPOINT_BLOB_PUT);
  box.a->clock.monotonic_us += box.wait_us;
  go_on (&box);
  g_free (trace);
  trace = kt_test_transport_trace (box.a->transport);
  g_assert_true (g_str_has_prefix (trace, "pull stat put push pull stat put"));
  /* Two of three megabytes were there: what is left is one and a bit, in pieces made smaller by the failure. */
  g_assert_cmpuint (kt_test_transport_count (box.a->transport, KT_ENDPOINT_BLOB_PUT) - puts, <=, 3);
  g_assert_cmpint (state (&box), ==, KT_ENGINE_IDLE);
  {
    g_autoptr (GPtrArray) left = kt_local_blobs_to_send (box.a->local, NULL);

    g_assert_cmpuint (left->len, ==, 0);
  }
  kt_engine_poke (box.engine);
  go_on (&box);
  g_free (trace);
  trace = kt_test_transport_trace (box.a->transport);
  g_assert_null (strstr (trace, "stat"));
}

static void
test_blob_down (void)
{
  g_auto (Box) box = { 0 };
  Device *b;
  g_autofree char *sha256 = NULL;
  g_autofree char *path = NULL;
  g_autofree char *part = NULL;
  g_autofree char *ours = NULL;
  g_autofree char *theirs = NULL;
  g_autofree char *original = NULL;
  g_autoptr (GError) error = NULL;
  gsize len, their_len;
  guint gets;
  KtId account;
  GStatBuf info;

  box_init (&box);
  account = device_create (box.a, "account", "name=Acme", NULL);
  attach (box.a, &account, &sha256);
  device_sync (box.a);
  b = device_new (box.rig, "B", "ben");
  path = kt_local_blob_path (b->local, sha256);
  part = g_strconcat (path, ".part", NULL);

  /* Cut after two pieces: no half file counts as whole (69), and it goes on inside. */
  kt_test_transport_fail (b->transport, KT_ENDPOINT_BLOB_GET, KT_FAULT_REQUEST_LOST, 2, 1);
  g_assert_false (kt_sync_fetch_blob (b->local, b->transport, sha256, FILE_SIZE, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NETWORK);
  g_assert_false (kt_local_blob_have (b->local, sha256, NULL));
  g_assert_cmpint (g_stat (part, &info), ==, 0);
  gets = kt_test_transport_count (b->transport, KT_ENDPOINT_BLOB_GET);
  g_clear_error (&error);
  g_assert_true (kt_sync_fetch_blob (b->local, b->transport, sha256, FILE_SIZE, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (kt_test_transport_count (b->transport, KT_ENDPOINT_BLOB_GET) - gets, <=, 3);
  g_assert_true (kt_local_blob_have (b->local, sha256, NULL));
  original = kt_local_blob_path (box.a->local, sha256);
  g_file_get_contents (original, &ours, &len, &error);
  g_assert_no_error (error);
  g_file_get_contents (path, &theirs, &their_len, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (ours, len, theirs, their_len);

  /* Damaged on the way: thrown away, not kept as if it were whole. */
  g_unlink (path);
  kt_test_transport_fail (b->transport, KT_ENDPOINT_BLOB_GET, KT_FAULT_GARBLED, 1, 1);
  g_assert_false (kt_sync_fetch_blob (b->local, b->transport, sha256, FILE_SIZE, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_SERVER);
  g_assert_false (g_file_test (part, G_FILE_TEST_EXISTS));
  g_clear_error (&error);
  g_assert_true (kt_sync_fetch_blob (b->local, b->transport, sha256, FILE_SIZE, NULL, &error));
  g_assert_no_error (error);
}

/* An attachment whose file vanished here: said, and everything else goes on. */
static void
test_blob_vanished (void)
{
  g_auto (Box) box = { 0 };
  g_autofree char *sha256 = NULL;
  g_autofree char *path = NULL;
  KtId account;

  box_init (&box);
  account = device_create (box.a, "account", "name=Acme", NULL);
  attach (box.a, &account, &sha256);
  path = kt_local_blob_path (box.a->local, sha256);
  g_unlink (path);
  kt_engine_poke (box.engine);
  go_on (&box);
  assert_counts (box.a, 0, 0, 0, 0);
  box.rig->unsound = TRUE;
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/engine/idle-until-poked", test_idle_until_poked);
  g_test_add_func ("/engine/8-poked-at-any-time", test_poked_at_any_time);
  g_test_add_func ("/engine/6-back-off", test_back_off);
  g_test_add_func ("/engine/jitter", test_jitter);
  g_test_add_func ("/engine/poke-ends-waiting", test_poke_ends_waiting);
  g_test_add_func ("/engine/server-asks-to-wait", test_server_asks_to_wait);
  g_test_add_func ("/engine/take-turns", test_take_turns);
  g_test_add_func ("/engine/slow-line", test_slow_line);
  g_test_add_func ("/engine/smaller-batches", test_smaller_batches);
  g_test_add_func ("/engine/signed-out", test_signed_out);
  g_test_add_func ("/engine/late-answers", test_late_answers);
  g_test_add_func ("/engine/local-failure", test_local_failure);
  g_test_add_func ("/P14/blob-up", test_blob_up);
  g_test_add_func ("/P14/69-blob-down", test_blob_down);
  g_test_add_func ("/P14/blob-vanished", test_blob_vanished);
  return g_test_run ();
}
