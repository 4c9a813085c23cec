/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A real kontor-server over loopback HTTP, and real profiles on the disk: the first
 * pull against SQLite alone, and what goes to and fro later.                          */

#define G_LOG_DOMAIN "bench"

#include "config.h"

#include "sqlite-alone.h"

#include <glib/gstdio.h>

#include "db/kt-system-env.h"
#include "proto/kt-mutation.h"
#include "sync/kt-transport.h"

#define EDITS 10000
#define NO_OPS 50
#define CHANGES 50

typedef struct
{
  Bench bench;
  BenchServer server;
  BenchFigure *first_pull, *same_way, *rows, *server_rows, *login;
  BenchFigure *commit_median, *commit_99, *push;
  BenchFigure *no_op_first, *no_op, *no_op_bytes;
  BenchFigure *change, *change_bytes;
} Pull;

static KtTransport *
connect_to (Pull *pull)
{
  g_autoptr (GError) error = NULL;
  KtTransport *transport = kt_http_transport_new (pull->server.address, &error);

  g_assert_no_error (error);
  return transport;
}

/* One round; seconds. */
static double
sync_once (KtLocal *local, KtTransport *transport, guint64 *bytes)
{
  g_autoptr (GError) error = NULL;
  guint64 before = transport->bytes_in + transport->bytes_out;
  double start = bench_now ();

  kt_sync_run (local, transport, 0, NULL, NULL, NULL, NULL, &error);
  start = bench_now () - start;
  g_assert_no_error (error);
  if (bytes != NULL)
    *bytes = transport->bytes_in + transport->bytes_out - before;
  return start;
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

static void
time_offline_edits (Pull *pull, KtLocal *local, KtTransport *transport, guint turn)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  guint n = MIN (EDITS, pull->bench.rows / 10);

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
  bench_add (pull->commit_median, bench_percentile (times, 0.5));
  bench_add (pull->commit_99, bench_percentile (times, 0.99));
  bench_add (pull->push, sync_once (local, transport, NULL));
}

/* ---- small rounds ---- */

static void
time_no_op (Pull *pull, KtLocal *local)
{
  g_autoptr (KtTransport) fresh = connect_to (pull);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  guint64 bytes = 0;

  bench_add (pull->no_op_first, sync_once (local, fresh, NULL) * 1e3);
  for (guint i = 0; i < NO_OPS; i++)
    {
      double took = sync_once (local, fresh, &bytes) * 1e3;

      g_array_append_val (times, took);
    }
  bench_add (pull->no_op, bench_percentile (times, 0.5));
  bench_add (pull->no_op_bytes, (double) bytes);
}

static void
time_change (Pull *pull, KtLocal *local, KtTransport *transport, KtLocal *other, guint turn)
{
  g_autoptr (KtTransport) elsewhere = connect_to (pull);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  g_autoptr (GArray) sizes = g_array_new (FALSE, FALSE, sizeof (double));

  sync_once (other, elsewhere, NULL);
  for (guint i = 0; i < CHANGES; i++)
    {
      guint64 bytes = 0;
      double took, size;

      edit (other, i, turn + 1000);
      sync_once (other, elsewhere, NULL);
      took = sync_once (local, transport, &bytes) * 1e3;
      size = (double) bytes;
      g_array_append_val (times, took);
      g_array_append_val (sizes, size);
    }
  bench_add (pull->change, bench_percentile (times, 0.5));
  bench_add (pull->change_bytes, bench_percentile (sizes, 0.5));
}

/* ---- a run ---- */

/* @other: the profile of another device, NULL in the first turn. Returns it. */
static KtLocal *
run (Pull *pull, guint turn, KtLocal *other)
{
  g_autofree char *dir = g_strdup_printf ("%s/pulled-%u", pull->bench.scratch, turn);
  g_autofree char *alone_dir = g_strdup_printf ("%s/alone-%u", pull->bench.scratch, turn);
  g_autoptr (KtTransport) transport = connect_to (pull);
  double start = bench_now (), pulled, inserted;
  KtLocal *local = bench_sign_in (&pull->server, dir);
  Alone *alone;

  bench_add (pull->login, (bench_now () - start) * 1e3);
  pulled = sync_once (local, transport, NULL);
  g_assert_true (kt_local_ready (local));
  alone = alone_new (local);
  inserted = alone_run (alone, kt_local_schema (local), alone_dir, FALSE);
  bench_add_pair (pull->first_pull, pulled, inserted);
  bench_add_pair (pull->same_way, pulled,
                  alone_run (alone, kt_local_schema (local), alone_dir, TRUE));
  bench_add (pull->rows, alone_records (alone) / pulled);
  bench_add (pull->server_rows, alone_records (alone) / server_only (pull, local));
  alone_free (alone);

  time_no_op (pull, local);
  time_offline_edits (pull, local, transport, turn);
  if (other == NULL)
    return local;
  time_change (pull, local, transport, other, turn);
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

  bench_init (bench, &argc, &argv, "Sync over loopback HTTP");
  workspace = bench_workspace (bench);
  copy = g_build_filename (bench->scratch, "server", NULL);
  bench_copy (workspace, copy);
  bench_server_start (&pull.server, copy);

  pull.first_pull = bench_ratio (bench, "first pull, indices and full text, durable", BENCH_SECONDS, 2.0,
                                 "SQLite alone, rows into tables with indices");
  pull.same_way = bench_ratio (bench, "  the same, harder to match", BENCH_SECONDS, 0,
                               "SQLite alone, indices made after the rows");
  pull.rows = bench_figure (bench, "  records pulled and applied", BENCH_PER_SECOND, 0);
  pull.server_rows = bench_figure (bench, "  records sent by the server, thrown away here", BENCH_PER_SECOND, 0);
  pull.login = bench_figure (bench, "  sign-in before it, schema and tables made", BENCH_MS, 0);
  pull.commit_median = bench_figure (bench, "local commit of one edit, durable, median", BENCH_MS, 0);
  pull.commit_99 = bench_figure (bench, "local commit of one edit, durable, p99", BENCH_MS, 2);
  pull.push = bench_figure (bench, "push of 10,000 offline edits, merged and settled", BENCH_SECONDS, 0.6);
  pull.no_op_first = bench_figure (bench, "sync without news, first on a new connection", BENCH_MS, 3);
  pull.no_op = bench_figure (bench, "sync without news, warm", BENCH_MS, 3);
  pull.no_op_bytes = bench_figure (bench, "  on the wire, both ways, headers included", BENCH_BYTES, 400);
  pull.change = bench_figure (bench, "one change elsewhere, fetched by a sync", BENCH_MS, 3.5);
  pull.change_bytes = bench_figure (bench, "  on the wire, both ways, headers included", BENCH_BYTES, 500);

  for (guint i = 0; i < bench->runs; i++)
    other = run (&pull, i, other);
  kt_local_close (other);
  bench_server_stop (&pull.server);
  return bench_finish (bench);
}
