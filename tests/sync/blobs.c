/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <glib/gstdio.h>

#include "../support/kt-rig.h"
#include "base/kt-error.h"

/* P14, 69: attachments by content, by rule, resumed inside the file both ways, never in the way of records. */

#define MIB (1024 * 1024)
#define GIB (G_GINT64_CONSTANT (1024) * MIB)

/* ---- small things ---- */

static char *
random_content (Device *device, gsize size)
{
  char *content = g_malloc (size + 1);

  device->clock.env.random (&device->clock, (guint8 *) content, size);
  return content;
}

static KtId
attach_content (Device *device, const KtId *parent, const char *content, gsize size, char **sha256)
{
  g_autofree char *path = g_build_filename (device->dir, "new.bin", NULL);
  g_autofree char *reference = rig_reference ("parent", "account", parent);
  g_autofree char *hash = NULL;
  g_autofree char *length = g_strdup_printf ("size=%" G_GSIZE_FORMAT, size);
  g_autoptr (GError) error = NULL;
  KtId id;

  g_file_set_contents (path, content, (gssize) size, &error);
  g_assert_no_error (error);
  kt_local_blob_add (device->local, path, sha256, NULL, NULL, &error);
  g_assert_no_error (error);
  hash = g_strconcat ("sha256=", *sha256, NULL);
  id = device_create (device, "file", "name=new.bin", hash, length, reference, NULL);
  g_unlink (path);
  return id;
}

static KtId
attach (Device *device, const KtId *parent, gsize size, char **sha256)
{
  g_autofree char *content = random_content (device, size);

  return attach_content (device, parent, content, size, sha256);
}

static gboolean
have (Device *device, const char *sha256)
{
  return kt_local_blob_have (device->local, sha256, NULL);
}

static void
rule (Device *device, KtBlobRule word, gint64 each, gint64 total)
{
  KtBlobPolicy policy = { word, each, total };
  g_autoptr (GError) error = NULL;

  kt_local_set_blob_policy (device->local, &policy, &error);
  g_assert_no_error (error);
}

/* An object whose size is all that matters. */
static void
sparse (const char *path, gint64 size)
{
  g_autofree char *folder = g_path_get_dirname (path);
  int fd;

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ftruncate (fd, size), ==, 0);
  close (fd);
}

static void
mark (const char *path, gint64 at, const char *text)
{
  int fd = open (path, O_RDWR);

  g_assert_cmpint (pwrite (fd, text, strlen (text), at), ==, (gssize) strlen (text));
  close (fd);
}

static void
assert_mark (const char *path, gint64 at, const char *text)
{
  char found[32] = "";
  int fd = open (path, O_RDONLY);

  g_assert_cmpint (pread (fd, found, strlen (text), at), ==, (gssize) strlen (text));
  g_assert_cmpstr (found, ==, text);
  close (fd);
}

static gint64
size_of (const char *path)
{
  GStatBuf info;

  return g_stat (path, &info) == 0 ? (gint64) info.st_size : -1;
}

static char *
server_part (Rig *rig, const char *sha256)
{
  return g_build_filename (rig->dir, "blobs", "part", sha256, NULL);
}

static char *
server_whole (Rig *rig, const char *sha256)
{
  g_autofree char *folder = g_strndup (sha256, 2);

  return g_build_filename (rig->dir, "blobs", folder, sha256, NULL);
}

/* Until nothing is to be sent for now. */
static void
go_on (Device *device, KtEngine *engine)
{
  guint n = 0;

  while (device_step (device, engine))
    g_assert_cmpuint (n++, <, 2000);
}

/* ---- by rule ---- */

/* What I attached comes to my other device by itself, after the records; a colleague's only when asked for. */
static void
test_by_rule (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  Device *c;
  g_autofree char *mine = NULL;
  g_autofree char *trace = NULL;
  g_autofree char *none = NULL;
  KtId account = device_create (a, "account", "name=Acme", NULL);

  attach (a, &account, 2 * MIB + 5, &mine);
  device_sync (a);
  g_free (kt_test_transport_trace (b->transport));
  device_sync (b);
  trace = kt_test_transport_trace (b->transport);
  g_assert_cmpstr (trace, ==, "pull get get get");
  g_assert_true (have (b, mine));

  /* Nothing more to look for. */
  device_sync (b);
  none = kt_test_transport_trace (b->transport);
  g_assert_cmpstr (none, ==, "pull");
  g_assert_false (kt_local_blobs_due (b->local));

  c = device_new (rig, "C", "carl");
  if (device_has (c, "account", &account))
    {
      device_sync (c);
      g_assert_false (have (c, mine));
      rule (c, KT_BLOB_ALL, MIB, GIB);
      device_sync (c);
      g_assert_false (have (c, mine)); /* larger than one may be */
      rule (c, KT_BLOB_ALL, 3 * MIB, MIB);
      device_sync (c);
      g_assert_false (have (c, mine)); /* than all may be */
      rule (c, KT_BLOB_ALL, 3 * MIB, 3 * MIB);
      device_sync (c);
      g_assert_true (have (c, mine));
    }
}

/* Pinned first, newest first, what fits; and what a new rule does not keep goes, but nothing that the server lacks. */
static void
test_order_and_eviction (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  g_autoptr (GPtrArray) wanted = NULL;
  g_autofree char *hash[4] = { 0 };
  KtId account = device_create (a, "account", "name=Acme", NULL);
  KtId file[4];
  gint64 freed = -1;

  rule (b, KT_BLOB_NONE, 0, 0);
  for (guint i = 0; i < 3; i++)
    {
      a->clock.wall_us += 60 * G_USEC_PER_SEC;
      file[i] = attach (a, &account, 1000 + i, &hash[i]);
    }
  device_sync (a);
  device_sync (b);
  for (guint i = 0; i < 3; i++)
    g_assert_false (have (b, hash[i]));

  g_assert_true (kt_local_pin (b->local, &file[0], TRUE, NULL));
  g_assert_true (kt_local_pinned (b->local, &file[0]));
  rule (b, KT_BLOB_MINE, 5000, 2100);
  wanted = kt_local_blobs_wanted (b->local, 0, NULL);
  g_assert_cmpuint (wanted->len, ==, 2);
  g_assert_cmpstr (((KtBlobPlace *) wanted->pdata[0])->sha256, ==, hash[0]);
  g_assert_cmpstr (((KtBlobPlace *) wanted->pdata[1])->sha256, ==, hash[2]);
  device_sync (b);
  g_assert_true (have (b, hash[0]) && have (b, hash[2]) && !have (b, hash[1]));

  attach (b, &account, 4000, &hash[3]); /* not sent */
  rule (b, KT_BLOB_NONE, 0, 0);
  g_assert_true (have (b, hash[0]) && !have (b, hash[2]) && have (b, hash[3]));
  g_assert_true (kt_local_pin (b->local, &file[0], FALSE, NULL));
  g_assert_true (kt_local_blobs_tidy (b->local, &freed, NULL));
  g_assert_cmpint (freed, ==, 1000);
  g_assert_true (!have (b, hash[0]) && have (b, hash[3]));
  device_sync (b);
  g_assert_true (kt_local_blobs_tidy (b->local, &freed, NULL));
  g_assert_cmpint (freed, ==, 4000);
  device_sync (a);
  g_assert_true (have (a, hash[3]));
}

/* The same content under two names goes up once and comes down once. */
static void
test_deduplicated (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  g_autofree char *content = random_content (a, 5000);
  g_autofree char *one = NULL;
  g_autofree char *two = NULL;
  KtId account = device_create (a, "account", "name=Acme", NULL);

  attach_content (a, &account, content, 5000, &one);
  device_sync (a);
  attach_content (a, &account, content, 5000, &two);
  g_assert_cmpstr (one, ==, two);
  device_sync (a);
  g_assert_cmpuint (kt_test_transport_count (a->transport, KT_ENDPOINT_BLOB_PUT), ==, 1);
  device_sync (b);
  g_assert_cmpuint (kt_test_transport_count (b->transport, KT_ENDPOINT_BLOB_GET), ==, 1);
  g_assert_true (have (b, one));
}

/* What a traveller is told. */
static void
test_travel_report (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  g_autofree char *small = NULL;
  g_autofree char *large = NULL;
  g_autofree char *unsent = NULL;
  KtId account = device_create (a, "account", "name=Acme", NULL);

  attach (a, &account, 1000, &small);
  attach (a, &account, 9000, &large);
  device_sync (a);
  rule (b, KT_BLOB_MINE, 5000, GIB);
  kt_test_transport_fail (b->transport, KT_ENDPOINT_BLOB_GET, KT_FAULT_REQUEST_LOST, 0, 1);
  device_sync_fails (b, KT_ERROR_NETWORK);
  attach (b, &account, 77, &unsent);
  for (guint turn = 0; turn < 2; turn++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtTravelReport) report = kt_local_travel_report (b->local, &error);
      gint64 accounts = 0;

      g_assert_no_error (error);
      for (guint i = 0; i < report->objects->len; i++)
        if (strcmp (g_array_index (report->objects, KtTravelObject, i).object->name, "account") == 0)
          {
            accounts = g_array_index (report->objects, KtTravelObject, i).records;
            g_assert_cmpint (g_array_index (report->objects, KtTravelObject, i).bytes, >, 20);
          }
      g_assert_cmpint (accounts, ==, 1);
      g_assert_cmpint (report->bytes, >, 4096);
      g_assert_true (report->ready && !report->pulling);
      g_assert_cmpint (report->missing.n, ==, turn == 0 ? 1 : 0);
      g_assert_cmpint (report->missing.bytes, ==, turn == 0 ? 1000 : 0);
      g_assert_cmpint (report->left_out.bytes, ==, 9000);
      g_assert_cmpint (report->here.bytes, ==, turn == 0 ? 77 : 1077);
      g_assert_cmpint (report->unsent.n, ==, turn == 0 ? 1 : 0);
      g_assert_true (report->complete == (turn == 1));
      if (turn == 0)
        device_sync (b);
    }
}

/* ---- never in the way of records ---- */

typedef struct
{
  Device *device;
  KtEngine *engine;
} Pair;

static void
edit_meanwhile (const KtRequest *request, gpointer data)
{
  Pair *pair = data;

  device_create (pair->device, "account", "name=Meanwhile", NULL);
  kt_engine_poke (pair->engine);
}

static void
test_records_first (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  g_autoptr (KtEngine) engine = kt_engine_new ();
  Pair pair = { b, engine };
  g_autofree char *sha256 = NULL;
  g_autofree char *trace = NULL;
  KtId account = device_create (a, "account", "name=Acme", NULL);

  attach (a, &account, 3 * MIB, &sha256);
  device_sync (a);
  g_free (kt_test_transport_trace (b->transport));
  kt_test_transport_meanwhile (b->transport, KT_ENDPOINT_BLOB_GET, edit_meanwhile, &pair);
  kt_engine_poke (engine);
  go_on (b, engine);
  trace = kt_test_transport_trace (b->transport);
  g_assert_cmpstr (trace, ==, "pull get push pull get get");
  g_assert_true (have (b, sha256));
  assert_counts (b, 0, 0, 0, 0);
}

/* ---- 69: cut, killed, damaged ---- */

static void
test_killed (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  g_autofree char *sha256 = NULL;
  g_autofree char *path = NULL;
  g_autofree char *part = NULL;
  KtId account = device_create (a, "account", "name=Acme", NULL);
  guint gets;

  attach (a, &account, 3 * MIB + 7, &sha256);
  device_sync (a);
  {
    g_autoptr (KtEngine) engine = kt_engine_new ();

    kt_engine_poke (engine);
    for (guint i = 0; i < 3; i++)
      g_assert_true (device_step (b, engine));
  }
  path = kt_local_blob_path (b->local, sha256);
  part = g_strconcat (path, ".part", NULL);
  g_assert_cmpint (size_of (part), ==, 2 * MIB);
  g_assert_false (have (b, sha256));
  device_crash (b);
  g_assert_false (have (b, sha256));
  gets = kt_test_transport_count (b->transport, KT_ENDPOINT_BLOB_GET);
  device_sync (b);
  g_assert_true (have (b, sha256));
  g_assert_cmpuint (kt_test_transport_count (b->transport, KT_ENDPOINT_BLOB_GET) - gets, ==, 2);
  g_assert_cmpint (size_of (part), ==, -1);

  /* Another process has it in hand: that one is left out, records go on. */
  g_unlink (path);
  g_assert_true (kt_local_pin (b->local, &account, TRUE, NULL));
  {
    int fd = open (part, O_RDWR | O_CREAT, 0600);

    g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
    device_create (b, "account", "name=Bolt", NULL);
    device_sync_fails (b, KT_ERROR_BUSY);
    assert_counts (b, 0, 0, 0, 0);
    g_assert_false (have (b, sha256));
    close (fd);
  }
  device_sync (b);
  g_assert_true (have (b, sha256));
}

static void
test_damaged (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  g_autofree char *sha256 = NULL;
  g_autofree char *path = NULL;
  g_autofree char *part = NULL;
  KtId account = device_create (a, "account", "name=Acme", NULL);

  attach (a, &account, 2 * MIB, &sha256);
  device_sync (a);
  kt_test_transport_fail (b->transport, KT_ENDPOINT_BLOB_GET, KT_FAULT_GARBLED, 1, 1);
  device_sync_fails (b, KT_ERROR_SERVER);
  g_assert_false (have (b, sha256));
  path = kt_local_blob_path (b->local, sha256);
  part = g_strconcat (path, ".part", NULL);
  g_assert_cmpint (size_of (part), ==, -1);
  device_sync (b);
  g_assert_true (have (b, sha256));

  /* A part that is longer than the whole, of whatever a crash left: begun anew. */
  g_unlink (path);
  sparse (part, 9 * MIB);
  g_assert_true (kt_local_pin (b->local, &account, TRUE, NULL));
  device_sync (b);
  g_assert_true (have (b, sha256));

  /* The server does not have what it says it has: no reason to fail every round. */
  g_unlink (path);
  g_assert_true (kt_local_pin (b->local, &account, TRUE, NULL));
  {
    g_autofree char *theirs = server_whole (rig, sha256);

    g_unlink (theirs);
  }
  device_sync (b);
  g_assert_false (have (b, sha256));
  rig->unsound = TRUE;
}

/* No room: said; records go on all the same. */
static void
test_no_room (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  g_autofree char *sha256 = NULL;
  KtId account = device_create (a, "account", "name=Acme", NULL);
  struct rlimit before, small;

  attach (a, &account, 40 * MIB, &sha256);
  device_sync (a);
  rule (b, KT_BLOB_ALL, GIB, GIB);
  device_create (b, "account", "name=Bolt", NULL);
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  small = before;
  small.rlim_cur = 30 * MIB;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  device_sync_fails (b, KT_ERROR_IO);
  assert_counts (b, 0, 0, 0, 0);
  g_assert_false (have (b, sha256));
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  device_sync (b);
  g_assert_true (have (b, sha256));
}

/* ---- 69: 13 GB goes on at 12 GB ---- */

#define HUGE (13 * GIB + 123)
#define DONE (12 * GIB)
static const char huge[] = "1300000000000000000000000000000000000000000000000000000000000013";

static void
test_huge_down (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autofree char *length = g_strdup_printf ("size=%" G_GINT64_FORMAT, HUGE);
  g_autofree char *hash = g_strconcat ("sha256=", huge, NULL);
  g_autofree char *whole = server_whole (rig, huge);
  g_autofree char *path = kt_local_blob_path (a->local, huge);
  g_autofree char *part = g_strconcat (path, ".part", NULL);
  g_autoptr (KtEngine) engine = kt_engine_new ();
  KtId account = device_create (a, "account", "name=Acme", NULL);
  g_autofree char *reference = rig_reference ("parent", "account", &account);
  KtId file;

  sparse (whole, HUGE);
  mark (whole, DONE, "at twelve");
  mark (whole, DONE + MIB + 5, "and further on");
  file = device_create (a, "file", "name=huge", hash, length, reference, NULL);
  device_sync (a);
  {
    g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_BLOB_PUT);
    g_autoptr (KtReply) reply = NULL;

    /* Tells the records that it is stored. */
    request->token = kt_session_token (a->local, NULL);
    request->rest = g_strdup (huge);
    reply = kt_core_handle (rig->core, request);
    g_assert_cmpuint (reply->status, ==, 200);
  }
  sparse (part, DONE);
  rule (a, KT_BLOB_ALL, 20 * GIB, 20 * GIB);
  g_assert_true (kt_local_pin (a->local, &file, TRUE, NULL));
  kt_engine_poke (engine);
  for (guint i = 0; i < 4 && kt_engine_status (engine)->state != KT_ENGINE_BLOB_GET; i++)
    g_assert_true (device_step (a, engine));
  for (guint i = 0; i < 3; i++)
    g_assert_true (device_step (a, engine));
  g_assert_cmpint (size_of (part), >=, DONE + 2 * MIB);
  g_assert_cmpint (size_of (part), <=, DONE + 4 * MIB);
  assert_mark (part, DONE, "at twelve");
  assert_mark (part, DONE + MIB + 5, "and further on");
  g_assert_false (have (a, huge));
  rig->unsound = TRUE;
}

static void
test_huge_up (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autofree char *path = kt_local_blob_path (a->local, huge);
  g_autofree char *part = server_part (rig, huge);
  g_autofree char *sql = NULL;
  g_autoptr (KtEngine) engine = kt_engine_new ();
  g_autoptr (GError) error = NULL;

  sparse (path, HUGE);
  mark (path, DONE, "at twelve");
  mark (path, DONE + MIB + 5, "and further on");
  sql = g_strdup_printf ("INSERT INTO kt_blob (sha256, size, sent) VALUES ('%s', %" G_GINT64_FORMAT ", 0)",
                         huge, HUGE);
  kt_db_exec (kt_local_db (a->local), sql, &error);
  g_assert_no_error (error);
  sparse (part, DONE);
  kt_engine_poke (engine);
  for (guint i = 0; i < 4 && kt_engine_status (engine)->state != KT_ENGINE_BLOB_PUT; i++)
    g_assert_true (device_step (a, engine));
  for (guint i = 0; i < 3; i++)
    g_assert_true (device_step (a, engine));
  g_assert_cmpint (size_of (part), >=, DONE + 2 * MIB);
  g_assert_cmpint (size_of (part), <=, DONE + 4 * MIB);
  assert_mark (part, DONE, "at twelve");
  assert_mark (part, DONE + MIB + 5, "and further on");
  rig->unsound = TRUE;
}

/* The server was restarted just before the end and has to read what it holds again: it says so until it is done. */
static void
test_checked_in_parts (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  const gint64 size = 150 * MIB;
  g_autofree char *path = g_build_filename (a->dir, "zeros", NULL);
  g_autofree char *sha256 = NULL;
  g_autofree char *part = NULL;
  g_autofree char *trace = NULL;
  g_autoptr (GError) error = NULL;

  sparse (path, size);
  kt_local_blob_add (a->local, path, &sha256, NULL, NULL, &error);
  g_assert_no_error (error);
  part = server_part (rig, sha256);
  sparse (part, size);
  g_free (kt_test_transport_trace (a->transport));
  device_sync (a);
  trace = kt_test_transport_trace (a->transport);
  g_assert_cmpstr (trace, ==, "pull stat put put put pull");
  g_assert_cmpint (size_of (part), ==, -1);
  {
    g_autofree char *whole = server_whole (rig, sha256);

    g_assert_cmpint (size_of (whole), ==, size);
  }
}

/* ---- half uploads on the server ---- */

static void
age (const char *path, gint64 now_us, gint64 seconds)
{
  struct utimbuf times = { now_us / G_USEC_PER_SEC - seconds, now_us / G_USEC_PER_SEC - seconds };

  g_assert_cmpint (utime (path, &times), ==, 0);
}

static void
test_half_uploads_expire (void)
{
  g_autoptr (Rig) rig = rig_new ();
  g_autofree char *path[4] = { 0 };
  gint64 now = rig->clock.wall_us;
  int fd;

  for (guint i = 0; i < 4; i++)
    {
      g_autofree char *name = g_strnfill (64, (char) ('a' + i));
      g_autofree char *content = g_strnfill (MIB, 'x');

      path[i] = server_part (rig, name);
      sparse (path[i], 0);
      g_assert_true (g_file_set_contents (path[i], content, MIB, NULL));
    }
  age (path[0], now, 8 * 24 * 3600); /* too old */
  age (path[1], now, 9 * 24 * 3600); /* too old, but somebody sends it */
  age (path[2], now, 5000);
  age (path[3], now, 100);           /* just now */
  fd = open (path[1], O_RDWR);
  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
  g_assert_cmpuint (kt_core_drop_old_parts (rig->core, KT_PART_AGE_S, KT_PART_BYTES, KT_PART_GRACE_S), ==, 1);
  g_assert_cmpint (size_of (path[0]), ==, -1);
  g_assert_cmpint (size_of (path[1]), ==, MIB);
  g_assert_cmpint (size_of (path[2]), ==, MIB);
  /* Too much together: oldest first, but not what was added to within the hour. */
  g_assert_cmpuint (kt_core_drop_old_parts (rig->core, KT_PART_AGE_S, 1000, KT_PART_GRACE_S), ==, 1);
  g_assert_cmpint (size_of (path[2]), ==, -1);
  g_assert_cmpint (size_of (path[3]), ==, MIB);
  close (fd);
  g_assert_cmpuint (kt_core_drop_old_parts (rig->core, KT_PART_AGE_S, KT_PART_BYTES, KT_PART_GRACE_S), ==, 1);
  g_assert_cmpint (size_of (path[1]), ==, -1);
}

/* An upload whose beginning expired is begun anew, in the same round. */
static void
test_upload_begun_anew (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autoptr (KtEngine) engine = kt_engine_new ();
  g_autofree char *sha256 = NULL;
  g_autofree char *part = NULL;
  KtId account = device_create (a, "account", "name=Acme", NULL);
  g_autofree char *whole = NULL;

  attach (a, &account, 3 * MIB, &sha256);
  kt_engine_poke (engine);
  for (guint i = 0; i < 4; i++)
    g_assert_true (device_step (a, engine)); /* push pull stat put */
  part = server_part (rig, sha256);
  g_assert_cmpint (size_of (part), ==, MIB);
  g_unlink (part);
  go_on (a, engine);
  whole = server_whole (rig, sha256);
  g_assert_cmpint (size_of (whole), ==, 3 * MIB);
}

/* Bytes that were damaged on their way make the whole another content: it is sent again from the beginning, in the
 * same round, and nobody is told of a bad input that is none. */
static void
test_upload_damaged_on_its_way (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_BLOB_PUT);
  g_autoptr (KtReply) reply = NULL;
  g_autofree char *sha256 = NULL;
  g_autofree char *whole = NULL;
  KtId account = device_create (a, "account", "name=Acme", NULL);

  attach (a, &account, 3 * MIB, &sha256);
  request->token = kt_session_token (a->local, NULL);
  request->rest = g_strdup (sha256);
  kt_request_set_query (request, "offset", "0");
  kt_request_set_query (request, "size", "3145728");
  request->body = g_bytes_new_static ("not what was sent", 17);
  reply = kt_core_handle (rig->core, request);
  g_assert_cmpuint (reply->status, ==, 200);
  device_sync (a);
  whole = server_whole (rig, sha256);
  g_assert_cmpint (size_of (whole), ==, 3 * MIB);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/blobs/P14/by-rule", test_by_rule);
  g_test_add_func ("/blobs/P14/order-and-eviction", test_order_and_eviction);
  g_test_add_func ("/blobs/P14/travel-report", test_travel_report);
  g_test_add_func ("/blobs/P14/deduplicated", test_deduplicated);
  g_test_add_func ("/blobs/P14/records-first", test_records_first);
  g_test_add_func ("/blobs/P14/69-killed", test_killed);
  g_test_add_func ("/blobs/P14/69-damaged", test_damaged);
  g_test_add_func ("/blobs/P14/no-room", test_no_room);
  g_test_add_func ("/blobs/P14/69-huge-down", test_huge_down);
  g_test_add_func ("/blobs/P14/69-huge-up", test_huge_up);
  g_test_add_func ("/blobs/P14/69-checked-in-parts", test_checked_in_parts);
  g_test_add_func ("/blobs/P14/half-uploads-expire", test_half_uploads_expire);
  g_test_add_func ("/blobs/P14/upload-begun-anew", test_upload_begun_anew);
  g_test_add_func ("/blobs/P14/69-upload-damaged-on-its-way", test_upload_damaged_on_its_way);
  return g_test_run ();
}
