/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-local.h"
#include "sync/kt-engine.h"

G_BEGIN_DECLS

/* What the benchmarks share: options, figures as a table, a workspace with many
 * contacts that is made once and kept, and a real kontor-server in front of it.
 *
 *   KONTOR_BENCH_DIR/            in the build folder; may be removed at any time
 *     ROWS-KEY/                  KEY: a hash of the schema and of BENCH_DATA
 *       server/                  workspace: ROWS contacts, an account for every fifty
 *       profile/                 a profile that has pulled all of it
 *       scratch-PID/             of one benchmark, removed at its end              */

/* Raise when the data, or the files they are kept in, become others. */
#define BENCH_DATA "2"
#define BENCH_USER "bench"
#define BENCH_PASSWORD "benchmarks only"

typedef struct
{
  gboolean quick;    /* few rows, one run: only shows that it runs */
  guint    rows;     /* contacts */
  guint    runs;
  char    *dir;      /* ROWS-KEY */
  char    *scratch;
  GPtrArray *figures;
} Bench;

/* Takes what it knows out of the arguments; ends the program on others. */
void      bench_init    (Bench *bench, int *argc, char ***argv, const char *title);
/* Prints the table; the exit code: 0, or 1 when a figure falls short (never with --quick). */
int       bench_finish  (Bench *bench);

/* ---- figures ---- */
typedef enum { BENCH_SECONDS, BENCH_MS, BENCH_PER_SECOND, BENCH_BYTES, BENCH_MB } BenchUnit;
typedef struct _BenchFigure BenchFigure;
/* One line of the table. @goal 0: for information only; else what the measured value (for PER_SECOND: at least;
 * otherwise: at most) should be. */
BenchFigure *bench_figure   (Bench *bench, const char *work, BenchUnit unit, double goal);
/* The same, with a goal for the ratio to a baseline measured in the same run. */
BenchFigure *bench_ratio    (Bench *bench, const char *work, BenchUnit unit, double goal, const char *baseline);
void         bench_add      (BenchFigure *figure, double value);
void         bench_add_pair (BenchFigure *figure, double value, double baseline);
/* Seconds since some point in time. */
double       bench_now      (void);
/* Seconds of processor this process has used: what it would take alone on the machine. */
double       bench_cpu      (void);
/* The @share-th (0.5, 0.99) of many single times; sorts them. */
double       bench_percentile (GArray *doubles, double share);

/* ---- data (data.c) ---- */
/* Fills a contact, always the same for the same @n. @account may be NULL. Free with kt_record_unref. */
KtRecord *bench_contact   (const KtSchema *schema, guint n, const KtId *account);
KtRecord *bench_account   (const KtSchema *schema, guint n);
KtId      bench_id        (guint kind, guint n);
/* What people type to find contacts. NULL-terminated, static. */
const char *const *bench_typed (void);
/* The workspace; made if it is not there. */
char     *bench_workspace (Bench *bench);            /* g_free */
/* A profile that is signed in to nothing that runs, and holds everything; a copy that may be changed. */
char     *bench_profile   (Bench *bench, gboolean copy);
KtSchema *bench_schema    (void);

/* ---- a server process ---- */
typedef struct { GSubprocess *process; char *address; } BenchServer;
void      bench_server_start (BenchServer *server, const char *workspace);
void      bench_server_stop  (BenchServer *server);
/* Seconds of processor it has used, in steps of 10 ms. */
double    bench_server_cpu   (BenchServer *server);
/* A fresh profile in @dir, signed in. */
KtLocal  *bench_sign_in   (BenchServer *server, const char *dir);

void      bench_copy      (const char *from, const char *to);     /* a folder */
void      bench_remove    (const char *path);

G_END_DECLS
