/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Two people with a window each and one server, everything real but the network. */

#include "config.h"

#include <string.h>

#include "../support/kt-rig.h"
#include "model/kt-editor.h"
#include "model/kt-layout.h"
#include "model/kt-list-model.h"
#include "model/kt-model-private.h"
#include "model/kt-review.h"
#include "model/kt-timeline.h"
#include "sync/kt-syncer-private.h"

#define wait_while(expression)                                          \
  G_STMT_START                                                          \
  {                                                                     \
    gint64 deadline_ = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;   \
    while (expression)                                                  \
      {                                                                 \
        if (g_get_monotonic_time () > deadline_)                        \
          g_error ("%s:%d: still %s", __FILE__, __LINE__, #expression); \
        if (!g_main_context_iteration (NULL, FALSE))                    \
          g_usleep (500);                                               \
      }                                                                 \
  }                                                                     \
  G_STMT_END

/* ---- one server for all threads ---- */

typedef struct
{
  Rig *rig;
  GMutex lock;
  gboolean down;
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
  if (!hub->down && !g_cancellable_is_cancelled (cancellable))
    reply = kt_core_handle (hub->rig->core, request);
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

static KtSyncer *
make_syncer (KtStore *store, gpointer data)
{
  return _kt_syncer_new_with (store, hub_connect, data);
}

static void
hub_set_down (Hub *hub, gboolean down)
{
  g_mutex_lock (&hub->lock);
  hub->down = down;
  g_mutex_unlock (&hub->lock);
}

static gint64
hub_seq (Hub *hub)
{
  gint64 seq;

  g_mutex_lock (&hub->lock);
  seq = kt_core_seq (hub->rig->core);
  g_mutex_unlock (&hub->lock);
  return seq;
}

/* ---- a person ---- */

typedef struct
{
  char *dir;
  KtWorkspace *workspace;
  GString *states; /* as they were notified */
  char *told;
} Person;

static void
result_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  GAsyncResult **place = data;

  *place = g_object_ref (result);
}

static GAsyncResult *
await (GAsyncResult **result)
{
  wait_while (*result == NULL);
  return *result;
}

static void
state_cb (KtWorkspace *workspace, GParamSpec *pspec, gpointer data)
{
  static const char letters[] = { 's', 'l', 'r' };

  g_string_append_c (((Person *) data)->states, letters[kt_workspace_get_state (workspace)]);
}

static void
told_cb (KtWorkspace *workspace, const char *text, gpointer data)
{
  g_free (((Person *) data)->told);
  ((Person *) data)->told = g_strdup (text);
}

static void
person_open (Person *person)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  kt_workspace_open_async (person->dir, "en", NULL, result_cb, &result);
  person->workspace = kt_workspace_open_finish (await (&result), &error);
  g_assert_no_error (error);
  g_string_truncate (person->states, 0);
  g_signal_connect (person->workspace, "notify::state", G_CALLBACK (state_cb), person);
  g_signal_connect (person->workspace, "told", G_CALLBACK (told_cb), person);
}

static void
person_close (Person *person)
{
  kt_workspace_close (person->workspace);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_finalize_object (g_steal_pointer (&person->workspace));
}

static gboolean
person_sign_in (Person *person, const char *user, const char *password, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  kt_workspace_sign_in_async (person->workspace, "http://kontor.test", user, password, NULL,
                              result_cb, &result);
  return kt_workspace_sign_in_finish (person->workspace, await (&result), error);
}

static KtSyncMood
mood (Person *person)
{
  return kt_sync_status_get_mood (kt_workspace_get_sync_status (person->workspace));
}

static const char *
headline (Person *person)
{
  return kt_sync_status_get_headline (kt_workspace_get_sync_status (person->workspace));
}

static guint
waiting (Person *person)
{
  return kt_sync_status_get_waiting (kt_workspace_get_sync_status (person->workspace));
}

static Person *
person_new (const char *user)
{
  Person *person = g_new0 (Person, 1);
  g_autoptr (GError) error = NULL;

  person->dir = rig_temp_dir ();
  person->states = g_string_new (NULL);
  person_open (person);
  if (user != NULL)
    {
      person_sign_in (person, user, RIG_PASSWORD, &error);
      g_assert_no_error (error);
      wait_while (kt_workspace_get_state (person->workspace) != KT_WORKSPACE_READY);
      wait_while (mood (person) != KT_MOOD_OK);
    }
  return person;
}

static void
person_free (Person *person)
{
  person_close (person);
  rig_remove (person->dir);
  g_free (person->dir);
  g_free (person->told);
  g_string_free (person->states, TRUE);
  g_free (person);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Person, person_free)

/* Until nothing is on its way any more. */
static void
person_pause (Person *person)
{
  KtSyncState state = KT_SYNC_STATE_IDLE;

  kt_sync_status_set_paused (kt_workspace_get_sync_status (person->workspace), TRUE);
  wait_while ((g_object_get (_kt_workspace_syncer (person->workspace), "state", &state, NULL),
               state != KT_SYNC_STATE_PAUSED));
}

static const KtObject *
object (Person *person, const char *name)
{
  return kt_workspace_get_object (person->workspace, name);
}

static const KtField *
field (Person *person, const char *name)
{
  return kt_object_field (object (person, "account"), name);
}

static KtEditor *
person_edit (Person *person, const KtId *id)
{
  KtEditor *editor = kt_editor_open (person->workspace, object (person, "account"), id);

  wait_while (kt_editor_get_record (editor) == NULL && !kt_editor_get_gone (editor));
  return editor;
}

static KtDone *
save (KtEditor *editor)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  KtDone *done;

  kt_editor_save_async (editor, result_cb, &result);
  done = kt_editor_save_finish (editor, await (&result), &error);
  g_assert_no_error (error);
  return done;
}

static KtId
person_create (Person *person, const char *name)
{
  g_autoptr (KtEditor) editor = kt_editor_new (person->workspace, object (person, "account"));

  kt_editor_set_text (editor, field (person, "name"), name);
  kt_done_unref (save (editor));
  return *kt_editor_get_id (editor);
}

static gboolean
shows (KtEditor *editor, const KtField *of, const char *expected)
{
  g_autofree char *text = kt_editor_get_text (editor, of);

  return g_str_equal (text, expected);
}

/* ---- tests ---- */

typedef struct
{
  Hub hub;
} Together;

static void
set_up (Together *t, gconstpointer data)
{
  g_mutex_init (&t->hub.lock);
  t->hub.rig = rig_new ();
  _kt_workspace_use_syncer (make_syncer, &t->hub);
}

static void
tear_down (Together *t, gconstpointer data)
{
  _kt_workspace_use_syncer (NULL, NULL);
  rig_free (t->hub.rig);
  g_mutex_clear (&t->hub.lock);
}

static void
test_sign_in (Together *t, gconstpointer data)
{
  g_autoptr (Person) anna = person_new (NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  gint64 unsettled = -1;

  g_assert_cmpint (kt_workspace_get_state (anna->workspace), ==, KT_WORKSPACE_SIGNED_OUT);
  hub_set_down (&t->hub, TRUE);
  g_assert_false (person_sign_in (anna, "anna", RIG_PASSWORD, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NETWORK);
  g_clear_error (&error);
  hub_set_down (&t->hub, FALSE);
  g_assert_false (person_sign_in (anna, "anna", "guessed", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_AUTH);
  g_clear_error (&error);
  g_assert_cmpint (kt_workspace_get_state (anna->workspace), ==, KT_WORKSPACE_SIGNED_OUT);

  g_assert_true (person_sign_in (anna, "anna", RIG_PASSWORD, &error));
  g_assert_no_error (error);
  g_assert_cmpint (kt_workspace_get_state (anna->workspace), !=, KT_WORKSPACE_SIGNED_OUT);
  wait_while (kt_workspace_get_state (anna->workspace) != KT_WORKSPACE_READY);
  wait_while (mood (anna) != KT_MOOD_OK);
  g_assert_cmpstr (headline (anna), ==, "Up to date");
  g_assert_cmpstr (kt_workspace_get_user_name (anna->workspace), ==, "anna");
  g_assert_true (kt_workspace_is_admin (anna->workspace));
  g_assert_cmpstr (kt_workspace_get_server (anna->workspace), !=, "");

  /* The next start needs no password. */
  person_close (anna);
  person_open (anna);
  g_assert_cmpint (kt_workspace_get_state (anna->workspace), ==, KT_WORKSPACE_READY);
  wait_while (mood (anna) != KT_MOOD_OK);

  /* Out, by intention: that lasts. */
  hub_set_down (&t->hub, TRUE);
  person_create (anna, "Unsent");
  wait_while (waiting (anna) != 1);
  kt_workspace_sign_out_async (anna->workspace, result_cb, &result);
  g_assert_true (
    kt_workspace_sign_out_finish (anna->workspace, await (&result), &unsettled, &error));
  g_assert_no_error (error);
  g_assert_cmpint (unsettled, ==, 1);
  g_clear_object (&result);
  wait_while (mood (anna) != KT_MOOD_SIGNED_OUT);
  g_assert_cmpint (kt_workspace_get_state (anna->workspace), ==, KT_WORKSPACE_SIGNED_OUT);
  person_close (anna);
  person_open (anna);
  g_assert_cmpint (kt_workspace_get_state (anna->workspace), ==, KT_WORKSPACE_SIGNED_OUT);
  g_assert_cmpstr (kt_workspace_get_user_name (anna->workspace), ==, "anna");
  hub_set_down (&t->hub, FALSE);

  /* Somebody else does not get at what waits (55); the same person goes on. */
  g_assert_false (person_sign_in (anna, "ben", RIG_PASSWORD, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_UNSETTLED);
  g_clear_error (&error);
  g_assert_true (person_sign_in (anna, "anna", RIG_PASSWORD, &error));
  g_assert_no_error (error);
  g_assert_cmpint (kt_workspace_get_state (anna->workspace), ==, KT_WORKSPACE_READY);
  wait_while (waiting (anna) != 0);
  wait_while (mood (anna) != KT_MOOD_OK);
}

/* A session that ended on the server: everything stays usable, and it is said. */
static void
test_expired (Together *t, gconstpointer data)
{
  g_autoptr (Person) anna = person_new ("anna");
  g_autoptr (GError) error = NULL;

  g_mutex_lock (&t->hub.lock);
  kt_core_user_password (t->hub.rig->core, "anna", "another one", &error);
  g_mutex_unlock (&t->hub.lock);
  g_assert_no_error (error);
  person_create (anna, "Written anyway");
  wait_while (mood (anna) != KT_MOOD_SIGNED_OUT);
  wait_while (waiting (anna) != 1);
  g_assert_cmpint (kt_workspace_get_state (anna->workspace), ==, KT_WORKSPACE_READY);
  g_assert_true (person_sign_in (anna, "anna", "another one", &error));
  wait_while (mood (anna) != KT_MOOD_OK || waiting (anna) != 0);
}

static void
test_offline (Together *t, gconstpointer data)
{
  g_autoptr (Person) anna = person_new ("anna");
  KtSyncStatus *status = kt_workspace_get_sync_status (anna->workspace);

  hub_set_down (&t->hub, TRUE);
  person_create (anna, "On the train");
  wait_while (mood (anna) != KT_MOOD_OFFLINE || waiting (anna) != 1);
  wait_while (strcmp (headline (anna), "Offline, 1 change waiting") != 0);
  g_assert_true (g_str_has_prefix (kt_sync_status_get_detail (status), "Last synced"));
  hub_set_down (&t->hub, FALSE);
  kt_sync_status_sync_now (status);
  wait_while (mood (anna) != KT_MOOD_OK || waiting (anna) != 0);
}

/* What one types the other sees: list, open editor, count; and what is sent can be taken back. */
static void
test_follow (Together *t, gconstpointer data)
{
  g_autoptr (Person) anna = person_new ("anna");
  g_autoptr (Person) ben = person_new ("ben");
  g_autoptr (KtListModel) list = kt_list_model_new (ben->workspace);
  g_autoptr (KtQuery) query = kt_layout_query (object (ben, "account"), FALSE);
  g_autoptr (KtEditor) mine = NULL;
  g_autoptr (KtEditor) theirs = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autoptr (KtDone) undone = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  KtId id;

  kt_list_model_set_query (list, query);
  id = person_create (anna, "Acme");
  wait_while (g_list_model_get_n_items (G_LIST_MODEL (list)) != 1);
  wait_while (kt_workspace_get_count (ben->workspace, object (ben, "account")) != 1);
  mine = person_edit (anna, &id);
  theirs = person_edit (ben, &id);
  kt_editor_set_text (mine, field (anna, "phone"), "555");
  done = save (mine);
  wait_while (!shows (theirs, field (ben, "phone"), "555"));
  wait_while (kt_workspace_get_row_state (anna->workspace, &id) != KT_ROW_SETTLED);
  wait_while (waiting (anna) != 0 || mood (anna) != KT_MOOD_OK);

  kt_workspace_undo_async (anna->workspace, done, result_cb, &result);
  undone = kt_workspace_done_finish (anna->workspace, await (&result), &error);
  g_assert_no_error (error);
  wait_while (!shows (mine, field (anna, "phone"), ""));
  wait_while (!shows (theirs, field (ben, "phone"), ""));

  /* The ledger, whole. */
  {
    g_autoptr (KtTimeline) timeline =
      kt_timeline_new (ben->workspace, object (ben, "account"), &id);

    wait_while (!kt_timeline_get_complete (timeline));
    wait_while (g_list_model_get_n_items (G_LIST_MODEL (timeline)) != 3);
    {
      g_autoptr (KtTimelineItem) newest = g_list_model_get_item (G_LIST_MODEL (timeline), 0);
      g_autoptr (KtTimelineItem) oldest = g_list_model_get_item (G_LIST_MODEL (timeline), 2);

      g_assert_cmpstr (kt_timeline_item_get_title (newest), ==, "Phone removed (was 555)");
      g_assert_cmpstr (kt_timeline_item_get_title (oldest), ==, "Created");
      wait_while (*kt_timeline_item_get_who (newest) == '\0');
    }
  }
}

/* Both write over the same value while apart: one decides, both see it. */
static void
test_conflict (Together *t, gconstpointer data)
{
  g_autoptr (Person) anna = person_new ("anna");
  g_autoptr (Person) ben = person_new ("ben");
  g_autoptr (KtReviewModel) review = kt_review_model_new (ben->workspace);
  g_autoptr (KtEditor) mine = NULL;
  g_autoptr (KtEditor) theirs = NULL;
  g_autoptr (KtReviewItem) item = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  const KtField *disputed = NULL;
  KtId id = person_create (anna, "Acme");
  gint64 seq;

  /* Any text field whose conflicts a person decides. */
  for (guint i = 0; i < object (anna, "account")->n_fields && disputed == NULL; i++)
    {
      const KtField *one = object (anna, "account")->fields[i];

      if (one->policy == KT_POLICY_REVIEW && one->type == KT_FIELD_TEXT && !one->computed
          && one != one->object->title)
        disputed = one;
    }
  g_assert_nonnull (disputed);
  g_test_message ("disputed: %s", disputed->name);
  mine = person_edit (anna, &id);
  theirs = person_edit (ben, &id);
  while (kt_editor_get_gone (theirs))
    {
      g_clear_object (&theirs);
      theirs = person_edit (ben, &id);
    }
  person_pause (ben);
  kt_editor_set_text (theirs, disputed, "Ben's");
  kt_done_unref (save (theirs));
  seq = hub_seq (&t->hub);
  kt_editor_set_text (mine, disputed, "Anna's");
  kt_done_unref (save (mine));
  wait_while (hub_seq (&t->hub) == seq);
  kt_sync_status_set_paused (kt_workspace_get_sync_status (ben->workspace), FALSE);
  wait_while (g_list_model_get_n_items (G_LIST_MODEL (review)) != 1);
  wait_while (mood (ben) != KT_MOOD_ATTENTION);
  item = g_list_model_get_item (G_LIST_MODEL (review), 0);
  g_assert_cmpstr (kt_review_item_get_mine (item), ==, "Ben's");
  g_assert_cmpstr (kt_review_item_get_theirs (item), ==, "Anna's");
  g_assert_cmpstr (kt_review_item_get_base (item), ==, "—");
  g_assert_true (g_str_has_prefix (kt_review_item_get_mine_by (item), "You, "));
  wait_while (ben->told == NULL);
  /* Until then the server's value stands. */
  wait_while (!shows (theirs, disputed, "Anna's"));
  wait_while (kt_workspace_get_row_state (ben->workspace, &id) != KT_ROW_REVIEW);

  kt_review_model_resolve_async (review, item, "mine", NULL, result_cb, &result);
  done = kt_review_model_resolve_finish (review, await (&result), &error);
  g_assert_no_error (error);
  wait_while (g_list_model_get_n_items (G_LIST_MODEL (review)) != 0);
  wait_while (!shows (mine, disputed, "Ben's"));
  wait_while (mood (ben) != KT_MOOD_OK || waiting (ben) != 0);
  g_assert_cmpint (kt_workspace_get_row_state (ben->workspace, &id), ==, KT_ROW_SETTLED);
  g_clear_object (&result);
}

/* I delete what somebody edited: it stays, I am told, I decide. */
static void
test_delete_edit (Together *t, gconstpointer data)
{
  g_autoptr (Person) anna = person_new ("anna");
  g_autoptr (Person) ben = person_new ("ben");
  g_autoptr (KtReviewModel) review = kt_review_model_new (ben->workspace);
  g_autoptr (KtEditor) mine = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (KtDone) done = NULL;
  KtId id = person_create (anna, "Acme");
  gint64 seq;

  wait_while (kt_workspace_get_count (ben->workspace, object (ben, "account")) != 1);
  person_pause (ben);
  kt_workspace_delete_async (ben->workspace, object (ben, "account"), &id, 1, result_cb, &result);
  done = kt_workspace_done_finish (ben->workspace, await (&result), NULL);
  g_assert_nonnull (done);
  mine = person_edit (anna, &id);
  seq = hub_seq (&t->hub);
  kt_editor_set_text (mine, field (anna, "phone"), "555");
  kt_done_unref (save (mine));
  wait_while (hub_seq (&t->hub) == seq);
  kt_sync_status_set_paused (kt_workspace_get_sync_status (ben->workspace), FALSE);
  wait_while (g_list_model_get_n_items (G_LIST_MODEL (review)) != 1);
  wait_while (ben->told == NULL);
  wait_while (kt_workspace_get_count (ben->workspace, object (ben, "account")) != 1);
}

#define ADD(name, func) g_test_add ("/together/" name, Together, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  ADD ("sign-in", test_sign_in);
  ADD ("expired", test_expired);
  ADD ("offline", test_offline);
  ADD ("follow", test_follow);
  ADD ("conflict", test_conflict);
  ADD ("delete-edit", test_delete_edit);
  return g_test_run ();
}
