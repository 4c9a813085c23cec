/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A real kontor-server over loopback HTTP, and real profiles on the disk: the first pull against SQLite alone, and what
 * goes to and fro later. With more than MANY contacts only what depends on their number: the first pull by a process
 * of its own and what that takes of memory, a sync without news, digests.                                        */

#define G_LOG_DOMAIN "bench"

#include "config.h"

#include "relay.h"
#include "sqlite-alone.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "db/kt-system-env.h"
#include "proto/kt-mutation.h"
#include "store/kt-local-private.h"
#include "sync/kt-transport.h"

#define EDITS 10000
#define NO_OPS 50
#define CHANGES 50
#define LIVE 200
#define MANY 300000

typedef struct
{
  Bench bench;
  BenchServer server;
  BenchFigure *first_pull, *same_way, *rows, *server_rows, *open;
  BenchFigure *commit_median, *commit_99, *push;
  BenchFigure *no_op_first, *no_op, *no_op_bytes;
  BenchFigure *change, *change_bytes;
  BenchFigure *live_50, *live_99;
  BenchFigure *digest_server, *digest_here, *digest_here_cpu, *kept_server, *kept_here;
  BenchFigure *first_pull_cpu, *push_cpu, *push_server, *memory;
  BenchRelay *relay;
} Pull;

static KtTransport *
connect_to (Pull *pull)
{
  g_autoptr (GError) error = NULL;
  KtTransport *transport = kt_http_transport_new (pull->server.address, &error);

  g_assert_no_error (error);
  return transport;
}

/* Past the counter. */
static KtTransport *
connect_counted (Pull *pull)
{
  g_autoptr (GError) error = NULL;
  KtTransport *transport = kt_http_transport_new (bench_relay_address (pull->relay), &error);

  g_assert_no_error (error);
  return transport;
}

/* One round; seconds. @relay: what counts the bytes, NULL with @bytes. */
static double
sync_round (KtLocal *local, KtTransport *transport, BenchRelay *relay, guint64 *bytes)
{
  g_autoptr (GError) error = NULL;
  guint64 before = relay != NULL ? bench_relay_bytes (relay) : 0;
  double start = bench_now ();

  kt_sync_run (local, transport, 0, NULL, NULL, NULL, NULL, &error);
  start = bench_now () - start;
  g_assert_no_error (error);
  if (bytes != NULL)
    *bytes = bench_relay_bytes (relay) - before;
  return start;
}

static double
sync_once (KtLocal *local, KtTransport *transport)
{
  return sync_round (local, transport, NULL, NULL);
}

/* What the server alone can send, and the line carry: pages are taken and thrown away. */
static double
server_only (Pull *pull, KtLocal *local)
{
  g_autoptr (KtTransport) transport = connect_to (pull);
  g_autofree char *token = kt_session_token (local, NULL);
  g_autofree char *cursor = NULL;
  double start = bench_now ();
  gboolean more = TRUE;

  while (more)
    {
      g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_PULL);
      g_autoptr (KtReply) reply = NULL;
      g_autoptr (KtPage) page = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (KtJson) end = NULL;
      const char *text, *line;
      gsize len;

      request->token = g_strdup (token);
      request->range_start = -1;
      if (cursor != NULL)
        kt_request_set_query (request, "cursor", cursor);
      reply = kt_transport_send (transport, request, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (reply->status, ==, 200);
      text = g_bytes_get_data (reply->body, &len);
      line = text + len - 1;
      while (line[-1] != '\n')
        line--;
      end = kt_json_parse (line, text + len - line, &error);
      g_assert_no_error (error);
      more = kt_json_get_bool (end, "more", FALSE);
      g_free (cursor);
      cursor = g_strdup (kt_json_get_string (end, "cursor", NULL));
    }
  return bench_now () - start;
}

/* ---- edits ---- */

static void
edit (KtLocal *local, guint n, guint turn)
{
  const KtObject *object = kt_schema_object (kt_local_schema (local), "contact");
  g_autoptr (KtRecord) account = bench_account (kt_local_schema (local), 0);
  g_autoptr (KtRecord) plain = bench_contact (kt_local_schema (local), n, &account->id);
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) after = NULL;
  g_autoptr (KtMutation) mutation = kt_mutation_new ("2026-03-01T08:00:00.000Z", "client");
  g_autoptr (GError) error = NULL;
  g_autofree char *title = g_strdup_printf ("Edited %u in turn %u", n, turn);

  before = kt_local_load (local, object, &plain->id, &error);
  g_assert_no_error (error);
  g_assert_nonnull (before);
  after = kt_record_copy (before);
  kt_value_clear (&after->values[kt_object_field (object, "job_title")->index]);
  kt_value_set_text (&after->values[kt_object_field (object, "job_title")->index], title);
  kt_mutation_add (mutation, KT_MUTATE_UPDATE, object, &before->id, before->rev, kt_patch_diff (before, after));
  kt_local_commit (local, mutation, NULL, NULL, &error);
  g_assert_no_error (error);
}

/* What the disk needs to have 20 KiB more of a file for good: the least that a durable commit can take. */
static void
time_disk (GArray *times)
{
  g_autofree char *page = g_malloc0 (20480);
  g_autofree char *name = g_strdup_printf ("fsync-%d", (int) getpid ());
  int fd = g_open (name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  g_unlink (name);
  /* As a log that is written again and again: the blocks are there. */
  for (guint turn = 0; turn < 2; turn++)
    for (guint i = 0; i < 500; i++)
      {
        double start = bench_now ();

        g_assert_cmpint (pwrite (fd, page, 20480, (off_t) i * 20480), ==, 20480);
        g_assert_cmpint (fdatasync (fd), ==, 0);
        start = (bench_now () - start) * 1e3;
        if (turn == 1)
          g_array_append_val (times, start);
      }
  close (fd);
}

static void
time_offline_edits (Pull *pull, KtLocal *local, KtTransport *transport, guint turn)
{
  g_autoptr (GArray) disk = g_array_new (FALSE, FALSE, sizeof (double));
  double cpu, server_cpu;

  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  guint n = MIN (EDITS, pull->bench.rows / 10);

  time_disk (disk);
  /* As the program does it. */
  _kt_local_checkpoint_beside (local);
  for (guint i = 0; i < n; i++)
    {
      double start = bench_now ();

      edit (local, i * (pull->bench.rows / n), turn);
      start = (bench_now () - start) * 1e3;
      g_array_append_val (times, start);
    }
  g_debug ("commits: p90 %.2f, p95 %.2f, p98 %.2f, p99 %.2f, p99.5 %.2f, p99.9 %.2f, worst %.2f ms",
           bench_percentile (times, 0.9), bench_percentile (times, 0.95), bench_percentile (times, 0.98),
           bench_percentile (times, 0.99), bench_percentile (times, 0.995), bench_percentile (times, 0.999),
           bench_percentile (times, 1));
  bench_add_pair (pull->commit_median, bench_percentile (times, 0.5), bench_percentile (disk, 0.5));
  bench_add_pair (pull->commit_99, bench_percentile (times, 0.99), bench_percentile (disk, 0.99));
  cpu = bench_cpu ();
  server_cpu = bench_server_cpu (&pull->server);
  bench_add (pull->push, sync_once (local, transport));
  bench_add (pull->push_cpu, bench_cpu () - cpu);
  bench_add (pull->push_server, bench_server_cpu (&pull->server) - server_cpu);
}

/* ---- small rounds ---- */

static void
time_no_op (Pull *pull, KtLocal *local)
{
  g_autoptr (KtTransport) fresh = connect_to (pull);
  g_autoptr (KtTransport) counted = connect_counted (pull);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  guint64 bytes = 0;

  bench_add (pull->no_op_first, sync_once (local, fresh) * 1e3);
  for (guint i = 0; i < NO_OPS; i++)
    {
      double took = sync_once (local, fresh) * 1e3;

      g_array_append_val (times, took);
    }
  sync_round (local, counted, pull->relay, NULL);
  sync_round (local, counted, pull->relay, &bytes);
  bench_add (pull->no_op, bench_percentile (times, 0.5));
  bench_add (pull->no_op_bytes, (double) bytes);
}

static void
time_change (Pull *pull, KtLocal *local, KtTransport *transport, KtLocal *other, guint turn)
{
  g_autoptr (KtTransport) elsewhere = connect_to (pull);
  g_autoptr (KtTransport) counted = connect_counted (pull);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  g_autoptr (GArray) sizes = g_array_new (FALSE, FALSE, sizeof (double));

  sync_once (other, elsewhere);
  sync_round (local, counted, pull->relay, NULL);
  for (guint i = 0; i < CHANGES; i++)
    {
      guint64 bytes = 0;
      double took, size;

      edit (other, i, turn + 1000);
      sync_once (other, elsewhere);
      /* By turns: the relay takes time of its own. */
      took = i % 2 == 0 ? sync_once (local, transport) * 1e3
                        : sync_round (local, counted, pull->relay, &bytes) * 1e3;
      size = (double) bytes;
      if (i % 2 == 0)
        g_array_append_val (times, took);
      else
        g_array_append_val (sizes, size);
    }
  bench_add (pull->change, bench_percentile (times, 0.5));
  bench_add (pull->change_bytes, bench_percentile (sizes, 0.5));
}

/* ---- live ---- */

typedef struct
{
  Pull *pull;
  KtLocal *local;
  gint64 seq;  /* visible here; atomic enough for a benchmark: guarded by lock */
  double when; /* it became so */
  gboolean stop;
  GMutex lock;
  GCond cond;
} Listener;

static gpointer
listen_to (gpointer data)
{
  Listener *listener = data;
  g_autoptr (KtTransport) transport = connect_to (listener->pull);
  g_autoptr (KtTransport) live = connect_to (listener->pull);
  g_autofree char *token = kt_session_token (listener->local, NULL);

  for (;;)
    {
      gboolean stop;

      g_mutex_lock (&listener->lock);
      stop = listener->stop;
      g_mutex_unlock (&listener->lock);
      if (stop)
        return NULL;
      if (!kt_transport_wait (live, token, kt_local_seq (listener->local), 200, NULL, NULL))
        continue;
      sync_once (listener->local, transport);
      g_mutex_lock (&listener->lock);
      listener->seq = kt_local_seq (listener->local);
      listener->when = bench_now ();
      g_cond_signal (&listener->cond);
      g_mutex_unlock (&listener->lock);
    }
}

/* From the commit there, before anything is sent, to the row in the tables here. */
static void
time_live (Pull *pull, KtLocal *local, KtLocal *other, guint turn)
{
  Listener listener = { .pull = pull, .local = local };
  g_autoptr (KtTransport) elsewhere = connect_to (pull);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  guint n = pull->bench.quick ? 10 : LIVE;
  GThread *thread;

  g_mutex_init (&listener.lock);
  g_cond_init (&listener.cond);
  listener.seq = kt_local_seq (local);
  thread = g_thread_new ("listener", listen_to, &listener);
  g_usleep (500000); /* the channel opens */
  for (guint i = 0; i < n; i++)
    {
      double start, took;

      edit (other, i, turn + 5000);
      start = bench_now ();
      sync_once (other, elsewhere);
      g_mutex_lock (&listener.lock);
      while (listener.seq < kt_local_seq (other))
        g_cond_wait (&listener.cond, &listener.lock);
      took = (listener.when - start) * 1e3;
      g_mutex_unlock (&listener.lock);
      g_array_append_val (times, took);
    }
  g_mutex_lock (&listener.lock);
  listener.stop = TRUE;
  g_mutex_unlock (&listener.lock);
  g_thread_join (thread);
  g_mutex_clear (&listener.lock);
  g_cond_clear (&listener.cond);
  bench_add (pull->live_50, bench_percentile (times, 0.5));
  bench_add (pull->live_99, bench_percentile (times, 0.99));
}

/* ---- digests ---- */

static double
ask_digest (Pull *pull, KtLocal *local, gboolean fresh)
{
  g_autoptr (KtTransport) transport = connect_to (pull);
  double took = 0;

  /* The second one: the first opens the connection. */
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_DIGEST);
      g_autoptr (KtReply) reply = NULL;
      g_autoptr (GError) error = NULL;

      request->token = kt_session_token (local, NULL);
      if (fresh)
        kt_request_set_query (request, "fresh", "1");
      took = bench_now ();
      reply = kt_transport_send (transport, request, NULL, &error);
      took = bench_now () - took;
      g_assert_no_error (error);
      g_assert_cmpuint (reply->status, ==, 200);
    }
  return took;
}

static void
time_digests (Pull *pull, KtLocal *local)
{
  const KtObject *const *objects;
  double start, cpu;
  KtDigest digest;
  guint n;

  objects = kt_schema_objects (kt_local_schema (local), &n);
  start = bench_now ();
  cpu = bench_cpu ();
  for (guint i = 0; i < n; i++)
    g_assert_true (kt_local_digest (local, objects[i], &digest, NULL));
  bench_add (pull->digest_here, bench_now () - start);
  bench_add (pull->digest_here_cpu, bench_cpu () - cpu);
  start = bench_now ();
  for (guint i = 0; i < n; i++)
    g_assert_true (kt_local_digest_kept (local, objects[i], &digest, NULL));
  bench_add (pull->kept_here, (bench_now () - start) * 1e3);
  bench_add (pull->digest_server, ask_digest (pull, local, TRUE));
  bench_add (pull->kept_server, ask_digest (pull, local, FALSE) * 1e3);
}

/* ---- a first pull by a process of its own ---- */

static gint64
anonymous_kib (void)
{
  g_autofree char *status = NULL;
  const char *at;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL))
    return 0;
  at = strstr (status, "RssAnon:");
  return at != NULL ? g_ascii_strtoll (at + strlen ("RssAnon:"), NULL, 10) : 0;
}

static gpointer
watch_memory (gpointer data)
{
  gint64 *most = data;

  while (g_atomic_int_get ((int *) (most + 1)) == 0)
    {
      *most = MAX (*most, anonymous_kib ());
      g_usleep (5000);
    }
  return NULL;
}

/* In that process: DIR ADDRESS. */
static int
pull_alone (const char *dir, const char *address)
{
  BenchServer server = { NULL, (char *) address };
  KtLocal *local = bench_sign_in (&server, dir);
  Pull pull = { .server = server };
  g_autoptr (KtTransport) transport = connect_to (&pull);
  gint64 most[2] = { 0, 0 };
  GThread *thread = g_thread_new ("memory", watch_memory, most);
  double cpu = bench_cpu (), took = sync_once (local, transport);

  cpu = bench_cpu () - cpu;
  g_atomic_int_set ((int *) &most[1], 1);
  g_thread_join (thread);
  g_assert_true (kt_local_ready (local));
  kt_local_close (local);
  printf ("%.3f %.3f %" G_GINT64_FORMAT "\n", took, cpu, most[0]);
  return 0;
}

static double
pull_elsewhere (Pull *pull, const char *dir, double *cpu)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *out = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  double took, kib;

  process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, self, "--pull", dir, pull->server.address, NULL);
  g_assert_no_error (error);
  g_subprocess_communicate_utf8 (process, NULL, NULL, &out, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (sscanf (out != NULL ? out : "", "%lf %lf %lf", &took, cpu, &kib), ==, 3);
  bench_add (pull->memory, kib / 1024);
  return took;
}

/* ---- a run ---- */

/* @other: the profile of another device, NULL in the first turn. Returns it. */
static KtLocal *
run (Pull *pull, guint turn, KtLocal *other)
{
  g_autofree char *dir = g_strdup_printf ("%s/pulled-%u", pull->bench.scratch, turn);
  g_autofree char *alone_dir = g_strdup_printf ("%s/alone-%u", pull->bench.scratch, turn);
  g_autoptr (KtTransport) transport = connect_to (pull);
  g_autoptr (GError) error = NULL;
  double start, cpu, pulled, inserted;
  KtLocal *local;
  Alone *alone;

  pulled = pull_elsewhere (pull, dir, &cpu);
  start = bench_now ();
  local = kt_local_open (dir, 0, kt_system_env (), &error);
  g_assert_no_error (error);
  bench_add (pull->open, (bench_now () - start) * 1e3);
  g_assert_true (kt_local_ready (local));
  if (pull->bench.rows > MANY)
    {
      bench_add (pull->first_pull, pulled);
      bench_add (pull->first_pull_cpu, cpu);
      time_no_op (pull, local);
      time_digests (pull, local);
      kt_local_close (local);
      bench_remove (dir);
      return NULL;
    }
  alone = alone_new (local);
  start = bench_cpu ();
  inserted = alone_run (alone, kt_local_schema (local), alone_dir, FALSE);
  bench_add_pair (pull->first_pull_cpu, cpu, bench_cpu () - start);
  bench_add_pair (pull->first_pull, pulled, inserted);
  bench_add_pair (pull->same_way, pulled,
                  alone_run (alone, kt_local_schema (local), alone_dir, TRUE));
  bench_add (pull->rows, alone_records (alone) / pulled);
  bench_add (pull->server_rows, alone_records (alone) / server_only (pull, local));
  alone_free (alone);

  time_no_op (pull, local);
  time_digests (pull, local);
  time_offline_edits (pull, local, transport, turn);
  if (other == NULL)
    return local;
  time_change (pull, local, transport, other, turn);
  time_live (pull, local, other, turn);
  kt_local_close (local);
  return other;
}

int
main (int argc, char **argv)
{
  Pull pull = { 0 };
  Bench *bench = &pull.bench;
  g_autofree char *workspace = NULL;
  g_autofree char *copy = NULL;
  KtLocal *other = NULL;

  if (argc == 4 && strcmp (argv[1], "--pull") == 0)
    return pull_alone (argv[2], argv[3]);
  bench_init (bench, &argc, &argv, "Sync over loopback HTTP");
  workspace = bench_workspace (bench);
  copy = g_build_filename (bench->scratch, "server", NULL);
  bench_copy (workspace, copy);
  bench_server_start (&pull.server, copy);

  pull.relay = bench_relay_new (pull.server.address);

  if (bench->rows > MANY)
    pull.first_pull = bench_figure (bench, "first pull, indices and full text, durable", BENCH_SECONDS, 0);
  else
    pull.first_pull = bench_ratio (bench, "first pull, indices and full text, durable", BENCH_SECONDS, 1.25,
                                   "SQLite alone, rows into tables with indices");
  pull.same_way = bench_ratio (bench, "  the same, harder to match", BENCH_SECONDS, 0,
                               "SQLite alone, indices made after the rows");
  if (bench->rows > MANY)
    pull.first_pull_cpu = bench_figure (bench, "  processor time of the client", BENCH_SECONDS, 0);
  else
    pull.first_pull_cpu = bench_ratio (bench, "  processor time of the client", BENCH_SECONDS, 1.25,
                                       "SQLite alone, processor time");
  pull.memory = bench_figure (bench, "  most private memory of the client (RssAnon)", BENCH_MB, 120);
  pull.rows = bench_figure (bench, "  records pulled and applied", BENCH_PER_SECOND, 0);
  pull.server_rows = bench_figure (bench, "  records sent by the server, thrown away here", BENCH_PER_SECOND, 0);
  pull.open = bench_figure (bench, "profile opened", BENCH_MS, 0);
  pull.commit_median = bench_ratio (bench, "local commit of one edit, durable, median", BENCH_MS, 0,
                                    "20 KiB of a file made durable, median");
  pull.commit_99 = bench_ratio (bench, "local commit of one edit, durable, p99 (goal 2 ms)", BENCH_MS, 0,
                                "20 KiB of a file made durable, p99");
  pull.push = bench_figure (bench, "push of 10,000 offline edits, merged and settled", BENCH_SECONDS, 0.6);
  pull.push_cpu = bench_figure (bench, "  processor time of the client", BENCH_SECONDS, 0);
  pull.push_server = bench_figure (bench, "  processor time of the server", BENCH_SECONDS, 0);
  pull.no_op_first = bench_figure (bench, "sync without news, first on a new connection", BENCH_MS, 3);
  pull.no_op = bench_figure (bench, "sync without news, warm", BENCH_MS, 3);
  pull.no_op_bytes = bench_figure (bench, "  on the wire, both ways, headers included", BENCH_BYTES, 400);
  pull.change = bench_figure (bench, "one change elsewhere, fetched by a sync", BENCH_MS, 3.5);
  pull.change_bytes = bench_figure (bench, "  on the wire, both ways, headers included", BENCH_BYTES, 500);
  pull.live_50 = bench_figure (bench, "one change elsewhere, visible here, live, median", BENCH_MS, 2.5);
  pull.live_99 = bench_figure (bench, "one change elsewhere, visible here, live, p99", BENCH_MS, 10);
  pull.digest_server = bench_figure (bench, "digest made anew, by the server", BENCH_SECONDS, 1);
  pull.digest_here = bench_figure (bench, "digest made anew, here", BENCH_SECONDS, 1);
  pull.digest_here_cpu = bench_figure (bench, "  processor time", BENCH_SECONDS, 0);
  pull.kept_server = bench_figure (bench, "digest kept up to date, asked of the server", BENCH_MS, 1);
  pull.kept_here = bench_figure (bench, "digest kept up to date, here", BENCH_MS, 1);

  for (guint i = 0; i < bench->runs; i++)
    other = run (&pull, i, other);
  kt_local_close (other);
  bench_relay_free (pull.relay);
  bench_server_stop (&pull.server);
  return bench_finish (bench);
}
