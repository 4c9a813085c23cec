/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include <glib/gstdio.h>

#include "../support/kt-rig.h"
#include "store/kt-store.h"
#include "sync/kt-syncer-private.h"

/* The syncer of a program with a window: it signs in, follows and sends by itself, tells the truth about
 * it in the main context, and ends when it is told to. */

#define DEADLINE_US (20 * G_USEC_PER_SEC)

/* One server for all threads. */
typedef struct
{
  Rig *rig;
  GMutex lock;
  gboolean down, hanging;
  guint requests;
} Hub;

typedef struct
{
  KtTransport parent;
  Hub *hub;
} HubTransport;

static KtReply *
hub_send (KtTransport *transport,
          const KtRequest *request,
          GCancellable *cancellable,
          GError **error)
{
  Hub *hub = ((HubTransport *) transport)->hub;
  KtReply *reply = NULL;

  g_mutex_lock (&hub->lock);
  hub->requests++;
  while (hub->hanging && !g_cancellable_is_cancelled (cancellable))
    {
      g_mutex_unlock (&hub->lock);
      g_usleep (2000);
      g_mutex_lock (&hub->lock);
    }
  if (!hub->down && !g_cancellable_is_cancelled (cancellable))
    reply = kt_core_handle (hub->rig->core, request);
  transport->bytes_out += 100 + (request->body != NULL ? g_bytes_get_size (request->body) : 0);
  if (reply != NULL)
    transport->bytes_in += 100 + (reply->body != NULL ? g_bytes_get_size (reply->body) : 0);
  g_mutex_unlock (&hub->lock);
  if (reply == NULL && !g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error_literal (error, KT_ERROR, KT_ERROR_NETWORK, "nothing answers");
  return reply;
}

static gboolean
hub_wait (KtTransport *transport,
          const char *token,
          gint64 seen_seq,
          guint timeout_ms,
          GCancellable *cancellable,
          GError **error)
{
  Hub *hub = ((HubTransport *) transport)->hub;
  gint64 end = g_get_monotonic_time () + (gint64) timeout_ms * 1000;
  gboolean more = FALSE;

  while (!more && g_get_monotonic_time () < end && !g_cancellable_is_cancelled (cancellable))
    {
      g_mutex_lock (&hub->lock);
      /* A channel that breaks is worth a look as well. */
      more = hub->down || kt_core_seq (hub->rig->core) > seen_seq;
      g_mutex_unlock (&hub->lock);
      if (!more)
        g_usleep (2000);
    }
  g_cancellable_set_error_if_cancelled (cancellable, error);
  return more;
}

static void
hub_free (KtTransport *transport)
{
  g_free (transport);
}

static const KtTransportClass hub_class = { hub_send, hub_wait, hub_free };

static KtTransport *
hub_connect (const char *base, gpointer data, GError **error)
{
  HubTransport *self = g_new0 (HubTransport, 1);

  self->parent.klass = &hub_class;
  self->hub = data;
  return &self->parent;
}

static void
hub_set (Hub *hub, gboolean *what, gboolean value)
{
  g_mutex_lock (&hub->lock);
  *what = value;
  g_mutex_unlock (&hub->lock);
}

static guint
hub_requests (Hub *hub)
{
  guint requests;

  g_mutex_lock (&hub->lock);
  requests = hub->requests;
  g_mutex_unlock (&hub->lock);
  return requests;
}

/* ---- a program ---- */

typedef struct
{
  Hub hub;
  char *dir;
  KtStore *store;
  KtSyncer *syncer;
  GAsyncResult *result;
} Program;

static void
result_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  GAsyncResult **place = data;

  *place = g_object_ref (result);
}

static GAsyncResult *
wait_for (GAsyncResult **place)
{
  gint64 end = g_get_monotonic_time () + DEADLINE_US;

  while (*place == NULL)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, TRUE);
    }
  return g_steal_pointer (place);
}

static gboolean
tick_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

#define wait_until(condition)                                                     \
  G_STMT_START                                                                    \
  {                                                                               \
    gint64 _end = g_get_monotonic_time () + DEADLINE_US;                          \
    guint _tick = g_timeout_add (5, tick_cb, NULL);                               \
    while (!(condition))                                                          \
      {                                                                           \
        if (g_get_monotonic_time () > _end)                                       \
          g_error ("%s:%d: waited too long for " #condition, __FILE__, __LINE__); \
        g_main_context_iteration (NULL, TRUE);                                    \
      }                                                                           \
    g_source_remove (_tick);                                                      \
  }                                                                               \
  G_STMT_END

static KtSyncState
state (Program *program)
{
  KtSyncState value;

  g_object_get (program->syncer, "state", &value, NULL);
  return value;
}

static guint
number (Program *program, const char *property)
{
  guint value;

  g_object_get (program->syncer, property, &value, NULL);
  return value;
}

static char *
problem (Program *program)
{
  char *value;

  g_object_get (program->syncer, "problem", &value, NULL);
  return value;
}

static void
start (Program *program)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  kt_store_open_async (program->dir, KT_LOCAL_CREATE, NULL, "en", NULL, result_cb,
                       &program->result);
  result = wait_for (&program->result);
  program->store = kt_store_open_finish (result, &error);
  g_assert_no_error (error);
  program->syncer = _kt_syncer_new_with (program->store, hub_connect, &program->hub);
}

static void
stop (Program *program)
{
  kt_syncer_stop (program->syncer);
  kt_store_close (program->store);
  g_clear_object (&program->syncer);
  g_clear_object (&program->store);
}

static void
program_init (Program *program)
{
  program->hub.rig = rig_new ();
  g_mutex_init (&program->hub.lock);
  program->dir = rig_temp_dir ();
  start (program);
}

static void
program_clear (Program *program)
{
  if (program->syncer != NULL)
    stop (program);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  rig_remove (program->dir);
  g_free (program->dir);
  rig_free (program->hub.rig);
  g_mutex_clear (&program->hub.lock);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Program, program_clear)

static gboolean
login (Program *program, const char *user, const char *password, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  kt_syncer_login_async (program->syncer, "http://kontor.test", user, password, NULL, result_cb,
                         &program->result);
  result = wait_for (&program->result);
  return kt_syncer_login_finish (program->syncer, result, error);
}

static void
signed_in (Program *program)
{
  g_autoptr (GError) error = NULL;

  login (program, "anna", RIG_PASSWORD, &error);
  g_assert_no_error (error);
  wait_until (kt_store_ready (program->store) && state (program) == KT_SYNC_STATE_IDLE);
}

static KtId
create (Program *program, const char *name)
{
  const KtObject *object = kt_schema_object (kt_store_schema (program->store), "account");
  KtMutation *mutation = kt_mutation_new ("2026-01-01T00:00:00.000Z", "client");
  const KtEnv *env = kt_store_env (program->store);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (GError) error = NULL;
  KtId id = kt_id_new (env);

  record = kt_record_new (object, &id);
  kt_value_set_text (&record->values[object->title->index], name);
  kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &id, 0, kt_patch_diff (NULL, record));
  kt_store_commit_async (program->store, mutation, NULL, result_cb, &program->result);
  result = wait_for (&program->result);
  kt_store_commit_finish (program->store, result, NULL, &error);
  g_assert_no_error (error);
  return id;
}

static gboolean
has (Program *program, const KtId *id)
{
  const KtObject *object = kt_schema_object (kt_store_schema (program->store), "account");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (KtRecord) record = NULL;

  kt_store_load_async (program->store, object, id, NULL, result_cb, &program->result);
  result = wait_for (&program->result);
  record = kt_store_load_finish (program->store, result, NULL);
  return record != NULL;
}

/* The same server seen by another device, without threads. */
static gint64
server_seq (Program *program)
{
  gint64 seq;

  g_mutex_lock (&program->hub.lock);
  seq = kt_core_seq (program->hub.rig->core);
  g_mutex_unlock (&program->hub.lock);
  return seq;
}

static gpointer
counts_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  g_autofree KtOutboxCounts *counts = g_new0 (KtOutboxCounts, 1);

  return kt_local_outbox_counts (local, counts, error) ? g_steal_pointer (&counts) : NULL;
}

/* As the profile has it, not as a property says that may be a moment behind. */
static gint64
unsettled (Program *program)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autofree KtOutboxCounts *counts = NULL;

  kt_store_read_async (program->store, counts_job, NULL, NULL, g_free, NULL, result_cb,
                       &program->result);
  result = wait_for (&program->result);
  counts = kt_store_job_finish (result, NULL);
  return counts->queued + counts->sent + counts->settled;
}

/* ---- tests ---- */

static void
test_sign_in (void)
{
  g_auto (Program) program = { 0 };
  g_autoptr (GError) error = NULL;
  gint64 last = 0;

  program_init (&program);
  wait_until (state (&program) == KT_SYNC_STATE_SIGNED_OUT);
  g_assert_false (login (&program, "anna", "wrong", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_AUTH);
  g_assert_cmpint (state (&program), ==, KT_SYNC_STATE_SIGNED_OUT);
  signed_in (&program);
  wait_until ((g_object_get (program.syncer, "last-sync", &last, NULL), last > 0));
  g_assert_cmpstr (kt_store_identity (program.store)->user_name, ==, "anna");

  /* The next start needs no password. */
  stop (&program);
  start (&program);
  wait_until (state (&program) == KT_SYNC_STATE_IDLE);
}

/* A local commit goes out by itself, and what others do comes by itself. */
static void
test_by_itself (void)
{
  g_auto (Program) program = { 0 };
  gint64 seq;
  Device *other;
  KtId id;

  program_init (&program);
  signed_in (&program);
  seq = server_seq (&program);
  create (&program, "Mine");
  wait_until (server_seq (&program) == seq + 1);
  wait_until (number (&program, "waiting") == 0 && state (&program) == KT_SYNC_STATE_IDLE);

  g_mutex_lock (&program.hub.lock);
  other = device_new (program.hub.rig, "B", "ben");
  id = device_create (other, "account", "name=Theirs", NULL);
  device_sync (other);
  g_mutex_unlock (&program.hub.lock);
  wait_until (has (&program, &id));
}

static gboolean
says (Program *program, const char *what)
{
  g_autofree char *notice = NULL;

  g_object_get (program->syncer, "notice", &notice, NULL);
  return what == NULL ? notice == NULL : notice != NULL && strstr (notice, what) != NULL;
}

/* 59, P11: another copy of this profile has sent something. The program gets a device of its own, goes on with the other
 * token, and says so. */
static void
test_copied (void)
{
  g_auto (Program) program = { 0 };
  Device *copy;
  gint64 seq;
  KtId id;

  program_init (&program);
  signed_in (&program);
  create (&program, "Both have it");
  wait_until (number (&program, "waiting") == 0 && state (&program) == KT_SYNC_STATE_IDLE);
  g_assert_true (says (&program, NULL));

  g_mutex_lock (&program.hub.lock);
  copy = device_bare (program.hub.rig, "copy");
  g_clear_pointer (&copy->local, kt_local_close);
  rig_copy (program.dir, copy->dir);
  device_crash (copy);
  id = device_create (copy, "account", "name=Theirs", NULL);
  device_sync (copy);
  seq = kt_core_seq (program.hub.rig->core);
  g_mutex_unlock (&program.hub.lock);

  create (&program, "Mine");
  wait_until (server_seq (&program) == seq + 1);
  wait_until (number (&program, "waiting") == 0 && state (&program) == KT_SYNC_STATE_IDLE);
  wait_until (says (&program, "is a copy"));
  wait_until (has (&program, &id));
  create (&program, "More");
  wait_until (server_seq (&program) == seq + 2);
}

/* The server is stopped: everything works on, it is said, and it comes back by itself. */
static void
test_offline (void)
{
  g_auto (Program) program = { 0 };
  gint64 seq;
  KtId id;
  char *text;

  program_init (&program);
  signed_in (&program);
  seq = server_seq (&program);
  hub_set (&program.hub, &program.hub.down, TRUE);
  id = create (&program, "Offline");
  g_assert_true (has (&program, &id));
  wait_until (state (&program) == KT_SYNC_STATE_OFFLINE && number (&program, "waiting") == 1);
  text = problem (&program);
  g_assert_nonnull (text);
  g_free (text);
  hub_set (&program.hub, &program.hub.down, FALSE);
  wait_until (state (&program) == KT_SYNC_STATE_IDLE && number (&program, "waiting") == 0);
  g_assert_null (problem (&program));
  g_assert_cmpint (server_seq (&program), ==, seq + 1);
}

static void
test_pause (void)
{
  g_auto (Program) program = { 0 };
  gint64 seq;

  program_init (&program);
  signed_in (&program);
  kt_syncer_set_paused (program.syncer, TRUE);
  wait_until (state (&program) == KT_SYNC_STATE_PAUSED);
  seq = server_seq (&program);
  create (&program, "Paused");
  wait_until (number (&program, "waiting") == 1);
  kt_syncer_poke (program.syncer);
  for (guint i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (server_seq (&program), ==, seq);
  g_assert_cmpint (state (&program), ==, KT_SYNC_STATE_PAUSED);
  kt_syncer_set_paused (program.syncer, FALSE);
  wait_until (number (&program, "waiting") == 0 && state (&program) == KT_SYNC_STATE_IDLE);
}

/* A pause is the person's word: it outlives the program, and work goes on meanwhile. */
static void
test_pause_kept (void)
{
  g_auto (Program) program = { 0 };
  gboolean paused = FALSE;
  guint requests;
  KtId id;

  program_init (&program);
  signed_in (&program);
  kt_syncer_set_paused (program.syncer, TRUE);
  wait_until (state (&program) == KT_SYNC_STATE_PAUSED);
  stop (&program);
  requests = hub_requests (&program.hub);
  start (&program);
  wait_until (state (&program) == KT_SYNC_STATE_PAUSED);
  g_object_get (program.syncer, "paused", &paused, NULL);
  g_assert_true (paused);
  id = create (&program, "While paused");
  g_assert_true (has (&program, &id));
  wait_until (number (&program, "waiting") == 1);
  g_assert_cmpuint (hub_requests (&program.hub), ==, requests);
  kt_syncer_set_paused (program.syncer, FALSE);
  wait_until (number (&program, "waiting") == 0 && state (&program) == KT_SYNC_STATE_IDLE);
  stop (&program);
  start (&program);
  wait_until (state (&program) == KT_SYNC_STATE_IDLE);
}

/* A trial without network: nothing goes out, nobody is lost for it. */
static void
test_cut (void)
{
  g_auto (Program) program = { 0 };
  guint64 out = 0, in = 0, before;
  guint requests;

  program_init (&program);
  signed_in (&program);
  kt_syncer_get_traffic (program.syncer, &out, &in);
  before = in;
  g_assert_cmpuint (out, >, 0);
  g_assert_cmpuint (in, >, out);
  kt_syncer_set_cut (program.syncer, TRUE);
  create (&program, "Cut off");
  wait_until (state (&program) == KT_SYNC_STATE_OFFLINE);
  requests = hub_requests (&program.hub);
  kt_syncer_poke (program.syncer);
  wait_until (number (&program, "waiting") == 1);
  g_assert_cmpuint (hub_requests (&program.hub), ==, requests);
  kt_syncer_set_cut (program.syncer, FALSE);
  wait_until (number (&program, "waiting") == 0 && state (&program) == KT_SYNC_STATE_IDLE);
  kt_syncer_get_traffic (program.syncer, &out, &in);
  g_assert_cmpuint (in, >, before);
}

static void
test_sign_out (void)
{
  g_auto (Program) program = { 0 };
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  gint64 unsettled = -1, seq;
  KtId id;

  program_init (&program);
  signed_in (&program);
  hub_set (&program.hub, &program.hub.down, TRUE);
  id = create (&program, "Kept");
  kt_syncer_logout_async (program.syncer, result_cb, &program.result);
  result = wait_for (&program.result);
  g_assert_true (kt_syncer_logout_finish (program.syncer, result, &unsettled, &error));
  g_assert_no_error (error);
  g_assert_cmpint (unsettled, ==, 1);
  wait_until (state (&program) == KT_SYNC_STATE_SIGNED_OUT);
  hub_set (&program.hub, &program.hub.down, FALSE);
  seq = server_seq (&program);
  kt_syncer_poke (program.syncer);
  for (guint i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (server_seq (&program), ==, seq);
  g_assert_true (has (&program, &id));

  /* Somebody else may not have it; the same person goes on. */
  g_assert_false (login (&program, "ben", RIG_PASSWORD, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_UNSETTLED);
  signed_in (&program);
  wait_until (number (&program, "waiting") == 0);
  g_assert_cmpint (server_seq (&program), ==, seq + 1);
}

/* The session is ended by the server: said, and nothing lost. */
static void
test_session_ended (void)
{
  g_auto (Program) program = { 0 };
  g_autoptr (GError) error = NULL;

  program_init (&program);
  signed_in (&program);
  g_mutex_lock (&program.hub.lock);
  kt_core_user_password (program.hub.rig->core, "anna", "another one", &error);
  g_mutex_unlock (&program.hub.lock);
  g_assert_no_error (error);
  create (&program, "Kept");
  wait_until (state (&program) == KT_SYNC_STATE_SIGNED_OUT);
  g_assert_cmpuint (number (&program, "waiting"), ==, 1);
  login (&program, "anna", "another one", &error);
  g_assert_no_error (error);
  wait_until (number (&program, "waiting") == 0);
}

static void
test_history (void)
{
  g_auto (Program) program = { 0 };
  const KtObject *object;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *online = NULL;
  g_autofree char *offline = NULL;
  gboolean fresh = FALSE;
  KtId id;

  program_init (&program);
  signed_in (&program);
  id = create (&program, "Acme");
  wait_until (unsettled (&program) == 0);
  object = kt_schema_object (kt_store_schema (program.store), "account");
  kt_syncer_history_async (program.syncer, object, &id, NULL, result_cb, &program.result);
  result = wait_for (&program.result);
  online = kt_syncer_history_finish (program.syncer, result, &fresh, &error);
  g_assert_no_error (error);
  g_assert_true (fresh);
  g_assert_nonnull (strstr (online, "Acme"));

  hub_set (&program.hub, &program.hub.down, TRUE);
  g_clear_object (&result);
  kt_syncer_history_async (program.syncer, object, &id, NULL, result_cb, &program.result);
  result = wait_for (&program.result);
  offline = kt_syncer_history_finish (program.syncer, result, &fresh, &error);
  g_assert_no_error (error);
  g_assert_false (fresh);
  g_assert_cmpstr (online, ==, offline);
}

/* It ends at once, whatever it waits for, and with questions open. */
static void
test_stop_while_hanging (void)
{
  g_auto (Program) program = { 0 };
  g_autoptr (GError) error = NULL;
  const KtObject *object;
  gint64 begin;
  guint requests;
  KtId id;

  program_init (&program);
  signed_in (&program);
  id = create (&program, "Acme");
  wait_until (unsettled (&program) == 0);
  hub_set (&program.hub, &program.hub.hanging, TRUE);
  requests = hub_requests (&program.hub);
  kt_syncer_poke (program.syncer);
  object = kt_schema_object (kt_store_schema (program.store), "account");
  kt_syncer_history_async (program.syncer, object, &id, NULL, result_cb, &program.result);
  wait_until (hub_requests (&program.hub) >= requests + 2);
  begin = g_get_monotonic_time ();
  stop (&program);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 2 * G_USEC_PER_SEC);
  {
    g_autoptr (GAsyncResult) result = wait_for (&program.result);

    g_assert_nonnull (result);
  }
}

/* 9. Another process syncs the profile: we wait, and go on when it is done. */
static void
test_other_process (void)
{
  g_auto (Program) program = { 0 };
  g_autoptr (KtSyncLock) lock = NULL;
  g_autoptr (GError) error = NULL;
  gint64 seq;

  program_init (&program);
  signed_in (&program);
  lock = kt_sync_lock_take (program.dir, 5000, NULL, &error);
  g_assert_no_error (error);
  seq = server_seq (&program);
  create (&program, "Waits");
  wait_until (number (&program, "waiting") == 1);
  g_assert_cmpint (server_seq (&program), ==, seq);
  g_clear_pointer (&lock, kt_sync_lock_free);
  wait_until (number (&program, "waiting") == 0);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/syncer/sign-in", test_sign_in);
  g_test_add_func ("/syncer/by-itself", test_by_itself);
  g_test_add_func ("/syncer/59-P11-copied", test_copied);
  g_test_add_func ("/syncer/offline", test_offline);
  g_test_add_func ("/syncer/pause", test_pause);
  g_test_add_func ("/syncer/pause-kept", test_pause_kept);
  g_test_add_func ("/syncer/cut", test_cut);
  g_test_add_func ("/syncer/sign-out", test_sign_out);
  g_test_add_func ("/syncer/session-ended", test_session_ended);
  g_test_add_func ("/syncer/history", test_history);
  g_test_add_func ("/syncer/stop-while-hanging", test_stop_while_hanging);
  g_test_add_func ("/syncer/9-other-process", test_other_process);
  return g_test_run ();
}
