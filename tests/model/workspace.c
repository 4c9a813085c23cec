/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The workspace itself: counts, titles, marks, commands and how they are taken back. */

#include "config.h"

#include "fixture.h"

#include <glib/gstdio.h>

#include "base/kt-error.h"

/* ---- counts ---- */

static void
test_counts (Mod *mod, gconstpointer data)
{
  const KtObject *accounts = mod_object (mod, "account");
  g_autoptr (KtRecord) one = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) two = mod_record (mod, "account", NULL, "name", "Beta", NULL);
  g_autoptr (KtDone) done = NULL;

  g_assert_cmpint (kt_workspace_get_count (mod->workspace, accounts), ==, 0);
  mod_pull (mod, one, two, NULL);
  mod_wait_while (kt_workspace_get_count (mod->workspace, accounts) != 2);
  g_assert_cmpuint (mod->n_counts, ==, 1);
  done = mod_delete (mod, "account", &one->id);
  mod_wait_while (kt_workspace_get_count (mod->workspace, accounts) != 1);
  g_assert_cmpuint (mod->n_counts, ==, 2);
}

/* A stream of commits does not become a stream of questions. */
static void
test_counts_throttled (Mod *mod, gconstpointer data)
{
  const KtObject *accounts = mod_object (mod, "account");

  for (guint i = 0; i < 40; i++)
    {
      g_autoptr (KtRecord) one = mod_record (mod, "account", NULL, "name", "Acme", NULL);

      mod_pull (mod, one, NULL);
    }
  mod_wait_while (kt_workspace_get_count (mod->workspace, accounts) != 40);
  g_assert_cmpuint (mod->n_counts, <, 30);
}

/* ---- changes ---- */

static void
test_changes (Mod *mod, gconstpointer data)
{
  g_autoptr (KtChanges) changes = _kt_model_changes_new ();
  g_autoptr (GArray) records = g_array_new (FALSE, FALSE, sizeof (KtRecordChange));
  KtChangeSet set = { .records = records };
  KtId first = kt_id_new (&mod->env);
  KtId other = kt_id_new (&mod->env);
  KtRecordChange change = { mod_object (mod, "contact"), first, 1, KT_CHANGE_UPDATED, FALSE };

  g_array_append_val (records, change);
  _kt_model_changes_fold (changes, &set);
  g_assert_true (kt_changes_touch (changes, mod_object (mod, "contact")));
  g_assert_false (kt_changes_touch (changes, mod_object (mod, "account")));
  g_assert_true (kt_changes_record (changes, &first));
  g_assert_false (kt_changes_record (changes, &other));
  g_assert_false (kt_changes_everything (changes));
  g_assert_false (_kt_model_changes_outbox (changes));

  /* Too many to name: any may be among them, but only of objects that are named. */
  for (guint i = 0; i < 6000; i++)
    {
      change.id = kt_id_new (&mod->env);
      g_array_append_val (records, change);
    }
  _kt_model_changes_fold (changes, &set);
  g_assert_true (kt_changes_record (changes, &other));
  g_assert_false (kt_changes_touch (changes, mod_object (mod, "account")));

  set.everything = TRUE;
  _kt_model_changes_fold (changes, &set);
  g_assert_true (kt_changes_touch (changes, mod_object (mod, "account")));
  g_assert_true (kt_changes_everything (changes));
  g_assert_true (_kt_model_changes_outbox (changes));
}

/* A list over contacts is touched by the accounts it filters, sorts or looks through. */
static void
test_changes_query (Mod *mod, gconstpointer data)
{
  g_autoptr (KtChanges) changes = _kt_model_changes_new ();
  g_autoptr (GArray) records = g_array_new (FALSE, FALSE, sizeof (KtRecordChange));
  KtChangeSet set = { .records = records };
  const KtObject *contacts = mod_object (mod, "contact");
  KtRecordChange change = { mod_object (mod, "account"), mod->me, 1, KT_CHANGE_UPDATED, FALSE };
  g_autoptr (KtQuery) plain = kt_query_new (contacts);
  g_autoptr (KtQuery) sorted = kt_query_new (contacts);
  g_autoptr (KtQuery) through = kt_query_new (contacts);
  g_autoptr (KtQuery) titled = kt_query_new (contacts);

  g_array_append_val (records, change);
  _kt_model_changes_fold (changes, &set);
  kt_query_add_sort (sorted, kt_object_field (contacts, "account"), FALSE);
  through->filter = kt_filter_parse (contacts, "not (account.name = 'Acme' or email = 'x')", NULL);
  titled->filter = kt_filter_parse (contacts, "account = 'Acme'", NULL);
  g_assert_nonnull (through->filter);
  g_assert_nonnull (titled->filter);
  g_assert_false (_kt_model_changes_query (changes, plain));
  g_assert_true (_kt_model_changes_query (changes, sorted));
  g_assert_true (_kt_model_changes_query (changes, through));
  g_assert_true (_kt_model_changes_query (changes, titled));
}

/* ---- titles ---- */

static void
test_titles (Mod *mod, gconstpointer data)
{
  const KtObject *accounts = mod_object (mod, "account");
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) renamed = mod_with (mod, account, "name", "Acme Ltd", NULL);
  KtId nowhere = kt_id_new (&mod->env);

  mod_pull (mod, account, NULL);
  mod_settle (mod);
  mod_reset (mod);
  g_assert_null (kt_workspace_peek_title (mod->workspace, accounts, &account->id));
  g_assert_null (kt_workspace_peek_title (mod->workspace, accounts, &nowhere));
  mod_wait_while (mod->n_titles == 0);
  g_assert_cmpstr (kt_workspace_peek_title (mod->workspace, accounts, &account->id), ==, "Acme");
  g_assert_cmpstr (kt_workspace_peek_title (mod->workspace, accounts, &nowhere), ==,
                   "(not available)");
  mod_settle (mod);
  g_assert_cmpuint (mod->n_titles, ==, 1);

  /* Shown as it was until the new one is there. */
  mod_reset (mod);
  mod_pull (mod, renamed, NULL);
  mod_wait_while (mod->n_titles == 0);
  g_assert_cmpstr (kt_workspace_peek_title (mod->workspace, accounts, &account->id), ==, "Acme");
  mod_wait_while (mod->n_titles == 1);
  g_assert_cmpstr (kt_workspace_peek_title (mod->workspace, accounts, &account->id), ==,
                   "Acme Ltd");
}

static void
test_titles_bounded (Mod *mod, gconstpointer data)
{
  KtTitles *titles = _kt_workspace_titles (mod->workspace);
  const KtObject *accounts = mod_object (mod, "account");

  for (guint i = 0; i < 12; i++)
    {
      for (guint j = 0; j < 1000; j++)
        {
          KtId id = kt_id_new (&mod->env);

          kt_workspace_peek_title (mod->workspace, accounts, &id);
        }
      mod_settle (mod);
    }
  mod_wait_while (_kt_titles_length (titles) > 8192);
}

static void
test_display (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autofree char *link = kt_id_to_string (&account->id);
  g_autoptr (KtRecord) contact =
    mod_record (mod, "contact", NULL, "first_name", "Ann", "last_name", "Lee", "full_name",
                "Ann Lee", "account", link, "job_title", "Buyer", NULL);
  const KtField *field = mod_field (mod, "contact", "account");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (KtRecord) loaded = NULL;
  g_autofree char *text = NULL;
  g_autofree char *title = NULL;
  g_autofree char *subtitle = NULL;

  mod_pull (mod, account, contact, NULL);
  /* Titles come along with a loaded record. */
  kt_workspace_load_async (mod->workspace, mod_object (mod, "contact"), &contact->id, NULL,
                           mod_result_cb, &result);
  loaded = kt_workspace_load_finish (mod->workspace, mod_await (&result), NULL);
  g_assert_nonnull (loaded);
  text = kt_workspace_display (mod->workspace, field,
                               kt_workspace_value (mod->workspace, loaded, field));
  g_assert_cmpstr (text, ==, "Acme");
  title = kt_workspace_record_title (mod->workspace, loaded);
  g_assert_cmpstr (title, ==, "Ann Lee");
  subtitle = kt_workspace_record_subtitle (mod->workspace, loaded);
  g_assert_cmpstr (subtitle, ==, "Buyer · Acme");
}

/* ---- commands ---- */

static void
test_undo_unsent (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtDone) done = NULL;
  g_autoptr (KtDone) undone = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *binned = NULL;
  g_autofree char *back = NULL;
  const KtObject *object = NULL;
  KtId id;

  mod_pull (mod, account, NULL);
  done = mod_delete (mod, "account", &account->id);
  g_assert_cmpstr (kt_done_text (done), ==, "Deleted account “Acme”");
  g_assert_true (kt_done_can_undo (done));
  g_assert_true (kt_done_get_record (done, &object, &id));
  g_assert_true (object == mod_object (mod, "account"));
  g_assert_true (kt_id_equal (&id, &account->id));
  binned = mod_stored (mod, "account", &account->id, "deleted_at");
  g_assert_nonnull (binned);

  undone = mod_undo (mod, done, &error);
  g_assert_no_error (error);
  g_assert_false (kt_done_can_undo (undone));
  back = mod_stored (mod, "account", &account->id, "deleted_at");
  g_assert_null (back);
  /* As if it had never been. */
  g_assert_cmpint (mod_outbox (mod).queued, ==, 0);
}

static void
test_undo_sent (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtDone) done = NULL;
  g_autoptr (KtDone) undone = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *back = NULL;

  mod_pull (mod, account, NULL);
  done = mod_delete (mod, "account", &account->id);
  mod_send (mod);
  undone = mod_undo (mod, done, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (kt_done_text (undone), ==, "Taken back");
  back = mod_stored (mod, "account", &account->id, "deleted_at");
  g_assert_null (back);
  g_assert_cmpint (mod_outbox (mod).sent, ==, 1);
  g_assert_cmpint (mod_outbox (mod).queued, ==, 1);
}

static void
test_delete_many (Mod *mod, gconstpointer data)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autoptr (KtDone) undone = NULL;
  const KtObject *accounts = mod_object (mod, "account");

  for (guint i = 0; i < 1500; i++)
    {
      KtRecord *record = mod_record (mod, "account", NULL, "name", "Acme", NULL);

      g_ptr_array_add (records, record);
      g_array_append_val (ids, record->id);
    }
  mod_pull_many (mod, records, NULL);
  mod_wait_while (kt_workspace_get_count (mod->workspace, accounts) != 1500);
  kt_workspace_delete_async (mod->workspace, accounts, (const KtId *) ids->data, ids->len,
                             mod_result_cb, &result);
  done = kt_workspace_done_finish (mod->workspace, mod_await (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpstr (kt_done_text (done), ==, "Deleted 1500 accounts");
  g_assert_cmpint (mod_outbox (mod).queued, ==, 2);
  mod_wait_while (kt_workspace_get_count (mod->workspace, accounts) != 0);
  undone = mod_undo (mod, done, &error);
  g_assert_no_error (error);
  g_assert_cmpint (mod_outbox (mod).queued, ==, 0);
  mod_wait_while (kt_workspace_get_count (mod->workspace, accounts) != 1500);
}

static void
test_set (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) task =
    mod_record (mod, "task", NULL, "subject", "Call back", "status", "not_started", NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) bad = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autofree char *status = NULL;

  mod_pull (mod, task, NULL);
  kt_workspace_set_async (mod->workspace, mod_object (mod, "task"), &task->id, "status", "done",
                          mod_result_cb, &result);
  done = kt_workspace_done_finish (mod->workspace, mod_await (&result), &error);
  g_assert_no_error (error);
  status = mod_stored (mod, "task", &task->id, "status");
  g_assert_cmpstr (status, ==, "done");
  kt_workspace_set_async (mod->workspace, mod_object (mod, "task"), &task->id, "due", "maybe",
                          mod_result_cb, &bad);
  g_assert_null (kt_workspace_done_finish (mod->workspace, mod_await (&bad), &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
}

/* References may be given by name. */
static void
test_set_reference (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) contact = mod_record (mod, "contact", NULL, "last_name", "Lee", NULL);
  g_autofree char *link = kt_id_to_string (&account->id);
  g_autofree char *wanted = g_strdup_printf ("\"%s\"", link);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autofree char *stored = NULL;

  mod_pull (mod, account, contact, NULL);
  kt_workspace_set_async (mod->workspace, mod_object (mod, "contact"), &contact->id, "account",
                          "acme", mod_result_cb, &result);
  done = kt_workspace_done_finish (mod->workspace, mod_await (&result), &error);
  g_assert_no_error (error);
  stored = mod_stored (mod, "contact", &contact->id, "account");
  g_assert_cmpstr (stored, ==, wanted);
}

/* ---- marks ---- */

static void
test_states (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) renamed = NULL;
  g_autoptr (KtDone) done = NULL;

  mod_pull (mod, account, NULL);
  g_assert_cmpint (kt_workspace_get_row_state (mod->workspace, &account->id), ==, KT_ROW_SETTLED);
  done = mod_delete (mod, "account", &account->id);
  mod_wait_while (kt_workspace_get_row_state (mod->workspace, &account->id) != KT_ROW_WAITING);
  mod_send (mod);
  mod_verdict (mod, 1, KT_OUTCOME_REFUSED, "Not this one");
  mod_wait_while (kt_workspace_get_row_state (mod->workspace, &account->id) != KT_ROW_PARKED);
  mod_wait_while (mod->told == NULL);
  g_assert_cmpstr (mod->told, ==, "1 change was not accepted; it is kept for you to decide");
  mod_wait_while (kt_sync_status_get_parked (kt_workspace_get_sync_status (mod->workspace)) != 1);
}

/* My delete met somebody's edit: the record is back, and I hear of it. */
static void
test_told_returned (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) edited = mod_with (mod, account, "phone", "12345", NULL);
  g_autoptr (KtDone) done = NULL;

  mod_pull (mod, account, NULL);
  done = mod_delete (mod, "account", &account->id);
  mod_send (mod);
  mod_verdict (mod, 1, KT_OUTCOME_REVIEW, NULL);
  mod_pull (mod, edited, NULL);
  mod_wait_while (mod->told == NULL);
  g_assert_cmpstr (mod->told, ==, "“Acme” is back: somebody changed it while you deleted it");
}

/* ---- opening ---- */

static void
test_open_none (void)
{
  g_autofree char *dir = g_dir_make_tmp ("kontor-model-XXXXXX", NULL);
  g_autofree char *inner = g_build_filename (dir, "none", NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) command = NULL;
  g_autoptr (GError) error = NULL;
  KtWorkspace *workspace;
  KtId id = KT_ID_NIL;

  kt_workspace_open_async (inner, "zh_CN.UTF-8", NULL, mod_result_cb, &result);
  workspace = kt_workspace_open_finish (mod_await (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpint (kt_workspace_get_state (workspace), ==, KT_WORKSPACE_SIGNED_OUT);
  g_assert_cmpstr (kt_workspace_get_locale (workspace), ==, "zh_CN");
  g_assert_null (kt_workspace_get_schema (workspace));
  g_assert_false (g_file_test (inner, G_FILE_TEST_EXISTS));
  kt_workspace_delete_async (workspace, kt_schema_object (mod_schema (), "account"), &id, 1,
                             mod_result_cb, &command);
  g_assert_null (kt_workspace_done_finish (workspace, mod_await (&command), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  kt_workspace_close (workspace);
  g_clear_object (&result);
  g_clear_object (&command);
  g_assert_finalize_object (workspace);
  g_assert_cmpint (g_rmdir (dir), ==, 0);
}

/* A file that is no database: the error comes through, with its remedy. */
static void
test_open_damaged (void)
{
  g_autofree char *dir = g_dir_make_tmp ("kontor-model-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "profile.db", NULL);
  g_autofree char *junk = g_strnfill (8192, 'x');
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, junk, 8192, NULL));
  kt_workspace_open_async (dir, "en", NULL, mod_result_cb, &result);
  g_assert_null (kt_workspace_open_finish (mod_await (&result), &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CORRUPT);
  g_assert_cmpint (g_unlink (path), ==, 0);
}

/* After the end nothing crashes, and nothing is emitted. */
static void
test_closed (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  const KtObject *accounts = mod_object (mod, "account");
  KtStore *store = mod->store;

  mod_pull (mod, account, NULL);
  kt_workspace_peek_title (mod->workspace, accounts, &account->id);
  kt_workspace_close (mod->workspace);
  kt_workspace_close (mod->workspace);
  mod_reset (mod);
  g_assert_null (kt_workspace_peek_title (mod->workspace, accounts, &account->id));
  g_assert_cmpint (kt_workspace_get_count (mod->workspace, accounts), ==, -1);
  kt_workspace_load_async (mod->workspace, accounts, &account->id, NULL, mod_result_cb, &result);
  g_assert_null (kt_workspace_load_finish (mod->workspace, mod_await (&result), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (mod->n_changed + mod->n_titles + mod->n_counts, ==, 0);

  /* For the tear-down: the same again. */
  g_clear_object (&result);
  g_object_unref (mod->workspace);
  g_object_unref (store);
  kt_store_open_async (mod->dir, 0, &mod->env, "en", NULL, mod_result_cb, &result);
  mod->store = kt_store_open_finish (mod_await (&result), NULL);
  mod->workspace = _kt_workspace_new (g_object_ref (mod->store), NULL, mod->dir, "en");
  g_assert_cmpint (kt_workspace_get_state (mod->workspace), ==, KT_WORKSPACE_READY);
}

#define ADD(name, func) g_test_add ("/workspace/" name, Mod, NULL, mod_set_up, func, mod_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("counts", test_counts);
  ADD ("counts-throttled", test_counts_throttled);
  ADD ("changes", test_changes);
  ADD ("changes-query", test_changes_query);
  ADD ("titles", test_titles);
  ADD ("titles-bounded", test_titles_bounded);
  ADD ("display", test_display);
  ADD ("undo-unsent", test_undo_unsent);
  ADD ("undo-sent", test_undo_sent);
  ADD ("delete-many", test_delete_many);
  ADD ("set", test_set);
  ADD ("set-reference", test_set_reference);
  ADD ("states", test_states);
  ADD ("told-returned", test_told_returned);
  g_test_add_func ("/workspace/open-none", test_open_none);
  g_test_add_func ("/workspace/open-damaged", test_open_damaged);
  ADD ("closed", test_closed);
  return g_test_run ();
}
