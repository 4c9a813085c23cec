/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-model-private.h"

G_BEGIN_DECLS

/* A workspace on a real store in a folder of its own, signed in, after an empty
 * first pull; no network: what others do is a page that a test writes.           */
typedef struct
{
  char        *dir;
  KtEnv        env;
  GMutex       lock;
  GRand       *random;
  gint64       now;
  guint32      seed;
  KtId         epoch;
  KtId         me;
  gint64       seq;            /* of the last page */
  KtStore     *store;
  KtWorkspace *workspace;

  /* counted since the last mod_reset */
  guint        n_changed;
  guint        n_titles;
  guint        n_counts;
  guint        n_states;
  char        *told;           /* the last one */
} Mod;

KtSchema *mod_schema    (void);                       /* data/schema, parsed once; borrowed */
void      mod_set_up    (Mod *mod, gconstpointer data);
void      mod_tear_down (Mod *mod, gconstpointer data);
void      mod_reset     (Mod *mod);
const KtObject *mod_object (Mod *mod, const char *name);
const KtField  *mod_field  (Mod *mod, const char *object, const char *name);

/* Iterates the main loop until @test says so; a deadline of 20 s is a failure that names @what. */
typedef gboolean (*ModTest) (gpointer data);
void      mod_wait      (ModTest test, gpointer data, const char *what);
/* Until nothing is to be done for a while: for what must not happen. */
void      mod_settle    (Mod *mod);
#define mod_wait_while(expression)                                             \
  G_STMT_START                                                                 \
  {                                                                            \
    gint64 deadline_ = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;          \
    while (expression)                                                         \
      {                                                                        \
        if (g_get_monotonic_time () > deadline_)                               \
          g_error ("%s:%d: still %s", __FILE__, __LINE__, #expression);        \
        g_main_context_iteration (NULL, FALSE);                                \
        g_thread_yield ();                                                     \
      }                                                                        \
  }                                                                            \
  G_STMT_END

/* A GAsyncReadyCallback that keeps the result in a GAsyncResult**, and the wait for it. */
void      mod_result_cb (GObject *source, GAsyncResult *result, gpointer data);
GAsyncResult *mod_await (GAsyncResult **result);

/* "name", "Acme", "phone", "123", NULL: text forms as kt_value_parse takes them. @id NULL: a new one. */
KtRecord *mod_record    (Mod *mod, const char *object, const KtId *id, ...) G_GNUC_NULL_TERMINATED;
/* A changed copy. */
KtRecord *mod_with      (Mod *mod, const KtRecord *record, ...) G_GNUC_NULL_TERMINATED;
/* Somebody else's commit arrives: records as the server has them now (KtRecord*…, borrowed). */
void      mod_pull      (Mod *mod, ...) G_GNUC_NULL_TERMINATED;
void      mod_pull_many (Mod *mod, GPtrArray *records, GPtrArray *gone);
/* As the engine would: everything queued is sent; and the verdict for @number arrives with the next page. */
void      mod_send      (Mod *mod);
void      mod_verdict   (Mod *mod, gint64 number, KtOutcome outcome, const char *message);
KtOutboxCounts mod_outbox (Mod *mod);
/* What the store shows. NULL: no such record, or blank. */
char     *mod_stored    (Mod *mod, const char *object, const KtId *id, const char *field);
/* Runs @job on the writer and waits. */
gpointer  mod_write     (Mod *mod, KtStoreJob job, gpointer data);

/* A person does it, and it is waited for. */
KtDone   *mod_undo      (Mod *mod, KtDone *done, GError **error);
KtDone   *mod_delete    (Mod *mod, const char *object, const KtId *id);

G_END_DECLS
