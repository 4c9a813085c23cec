/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What waits: the outbox in sentences, the review queue, and search. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"
#include "model/kt-review.h"
#include "model/kt-search.h"

/* Nothing is emitted for what did not change. */
static guint n_emitted;

static void
items_changed_cb (GListModel *model, guint position, guint removed, guint added, gpointer data)
{
  n_emitted++;
}

static gpointer
item (gpointer model, guint position)
{
  g_autoptr (GObject) object = g_list_model_get_item (model, position);

  g_assert_nonnull (object);
  return object; /* the model keeps it */
}

static guint
n_items (gpointer model)
{
  return g_list_model_get_n_items (model);
}

static void
set_phone (Mod *mod, const KtId *id, const char *text)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;

  kt_workspace_set_async (mod->workspace, mod_object (mod, "account"), id, "phone", text,
                          mod_result_cb, &result);
  done = kt_workspace_done_finish (mod->workspace, mod_await (&result), &error);
  g_assert_no_error (error);
}

/* ---- outbox ---- */

static gboolean
command (KtOutboxModel *outbox,
         void (*run) (KtOutboxModel *, KtOutboxItem *, GAsyncReadyCallback, gpointer),
         KtOutboxItem *one,
         GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  run (outbox, one, mod_result_cb, &result);
  return kt_outbox_model_finish (outbox, mod_await (&result), error);
}

static void
test_outbox (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) other = mod_record (mod, "account", NULL, "name", "Beta", NULL);
  g_autoptr (KtOutboxModel) outbox = NULL;
  g_autoptr (GError) error = NULL;
  KtOutboxItem *first;

  mod_pull (mod, account, other, NULL);
  outbox = kt_outbox_model_new (mod->workspace);
  mod_settle (mod);
  g_assert_cmpuint (n_items (outbox), ==, 0);
  n_emitted = 0;
  g_signal_connect (outbox, "items-changed", G_CALLBACK (items_changed_cb), NULL);
  set_phone (mod, &account->id, "1");
  set_phone (mod, &other->id, "2");
  mod_wait_while (n_items (outbox) != 2);
  first = item (outbox, 0);
  g_assert_cmpstr (kt_outbox_item_get_text (first), ==, "Set Phone of “Acme” to 1");
  g_assert_cmpint (kt_outbox_item_get_state (first), ==, KT_OUTBOX_ITEM_QUEUED);
  g_assert_cmpstr (kt_outbox_item_get_when (first), ==, "Just now");
  g_assert_true (kt_outbox_item_get_object (first) == mod_object (mod, "account"));
  g_assert_true (kt_id_equal (kt_outbox_item_get_id (first), &account->id));

  g_assert_true (command (outbox, kt_outbox_model_undo_async, first, &error));
  mod_wait_while (n_items (outbox) != 1);
  g_assert_cmpstr (kt_outbox_item_get_text (item (outbox, 0)), ==, "Set Phone of “Beta” to 2");

  /* A refused one comes first, says why, and can be given up. */
  mod_send (mod);
  set_phone (mod, &account->id, "3");
  mod_wait_while (n_items (outbox) != 2);
  set_phone (mod, &account->id, "4");
  mod_wait_while (n_items (outbox) != 3);
  mod_send (mod);
  mod_verdict (mod, 2, KT_OUTCOME_REFUSED, "Not like this");
  mod_wait_while (kt_outbox_item_get_state (item (outbox, 0)) != KT_OUTBOX_ITEM_PARKED);
  first = item (outbox, 0);
  g_assert_cmpstr (kt_outbox_item_get_text (first), ==, "Set Phone of “Acme” to 3");
  g_assert_cmpstr (kt_outbox_item_get_reason (first), ==, "Not like this");
  g_assert_false (command (outbox, kt_outbox_model_undo_async, item (outbox, 1), &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
  g_clear_error (&error);
  g_assert_true (command (outbox, kt_outbox_model_retry_async, first, &error));
  g_assert_no_error (error);
  mod_settle (mod);
  g_assert_cmpint (kt_outbox_item_get_state (item (outbox, 0)), !=, KT_OUTBOX_ITEM_PARKED);
}

static gboolean
amend (KtOutboxModel *outbox, KtOutboxItem *one, const char *text, GError **error)
{
  const char *texts[] = { text, NULL };
  g_autoptr (GAsyncResult) result = NULL;

  kt_outbox_model_amend_async (outbox, one, texts, mod_result_cb, &result);
  return kt_outbox_model_finish (outbox, mod_await (&result), error);
}

/* P12: entries of one record stand together; a refused one is put right where it stands, and what waits for it says so. */
static void
test_outbox_amend (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) other = mod_record (mod, "account", NULL, "name", "Beta", NULL);
  g_autoptr (KtOutboxModel) outbox = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *stored = NULL;
  g_autofree char *path = g_build_filename (mod->dir, "outbox.jsonl", NULL);
  g_autofree char *text = NULL;
  const KtOutboxValue *value;

  mod_pull (mod, account, other, NULL);
  outbox = kt_outbox_model_new (mod->workspace);
  set_phone (mod, &other->id, "1");
  set_phone (mod, &account->id, "2");
  mod_send (mod);
  set_phone (mod, &other->id, "3");
  set_phone (mod, &account->id, "4");
  mod_verdict (mod, 2, KT_OUTCOME_REFUSED, "Not like this");
  mod_wait_while (n_items (outbox) != 4
                  || kt_outbox_item_get_state (item (outbox, 0)) != KT_OUTBOX_ITEM_PARKED);
  g_assert_cmpstr (kt_outbox_item_get_record_title (item (outbox, 0)), ==, "Acme");
  g_assert_cmpstr (kt_outbox_item_get_record_title (item (outbox, 1)), ==, "Acme");
  g_assert_true (kt_outbox_item_get_waits (item (outbox, 1)));
  g_assert_nonnull (kt_outbox_item_get_reason (item (outbox, 1)));
  g_assert_cmpstr (kt_outbox_item_get_text (item (outbox, 2)), ==, "Set Phone of “Beta” to 1");
  g_assert_cmpstr (kt_outbox_item_get_text (item (outbox, 3)), ==, "Changed Phone of “Beta”: 1 → 3");
  g_assert_cmpuint (kt_outbox_item_get_values (item (outbox, 0))->len, ==, 1);
  g_assert_cmpuint (kt_outbox_item_get_values (item (outbox, 2))->len, ==, 0);
  value = kt_outbox_item_get_values (item (outbox, 0))->pdata[0];
  g_assert_cmpstr (value->field->name, ==, "phone");
  g_assert_cmpstr (value->text, ==, "2");

  {
    g_autoptr (GAsyncResult) result = NULL;

    kt_outbox_model_export_async (outbox, path, mod_result_cb, &result);
    kt_outbox_model_finish (outbox, mod_await (&result), &error);
    g_assert_no_error (error);
    g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
    g_assert_nonnull (strstr (text, "Not like this"));
  }

  amend (outbox, item (outbox, 0), "5", &error);
  g_assert_no_error (error);
  mod_wait_while (kt_outbox_item_get_state (item (outbox, 0)) == KT_OUTBOX_ITEM_PARKED
                  || kt_outbox_item_get_waits (item (outbox, 3)));
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (kt_outbox_item_get_state (item (outbox, i)), !=, KT_OUTBOX_ITEM_PARKED);
  g_assert_cmpstr (kt_outbox_item_get_record_title (item (outbox, 0)), ==, "Beta");
  stored = mod_stored (mod, "account", &account->id, "phone");
  g_assert_cmpstr (stored, ==, "4");
}

/* A long outbox is a few sentences and a number. */
static void
test_outbox_many (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtOutboxModel) outbox = kt_outbox_model_new (mod->workspace);
  guint more = 0;

  mod_pull (mod, account, NULL);
  for (guint i = 0; i < 230; i++)
    {
      char text[8];

      g_snprintf (text, sizeof text, "%u", i);
      set_phone (mod, &account->id, text);
    }
  while (more != 30)
    {
      g_main_context_iteration (NULL, TRUE);
      g_object_get (outbox, "n-more", &more, NULL);
    }
  g_assert_cmpuint (n_items (outbox), ==, 200);
}

/* ---- review ---- */

/* A case as the server describes it. */
static KtRecord *
case_of (Mod *mod,
         const KtRecord *record,
         const char *kind,
         const char *field,
         const char *base,
         const char *mine,
         const char *theirs,
         const KtId *by)
{
  g_autofree char *id = kt_id_to_string (&record->id);
  g_autofree char *about = g_strconcat (record->object->name, ":", id, NULL);
  g_autofree char *me = kt_id_to_string (&mod->me);
  g_autofree char *other = kt_id_to_string (by);

  return mod_record (mod, "sync_conflict", NULL, "kind", kind, "record", about, "object",
                     record->object->name, "field", field, "base", base, "mine", mine, "theirs",
                     theirs, "mine_by", me, "mine_at", "2026-02-02T02:30:00.000Z", "theirs_by",
                     other, "theirs_at", "2026-02-01T11:04:00.000Z", "state", "open", "assigned_to",
                     me, "message", "Server says so", NULL);
}

static KtDone *
resolve (KtReviewModel *review,
         KtReviewItem *one,
         const char *take,
         const char *text,
         GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  kt_review_model_resolve_async (review, one, take, text, mod_result_cb, &result);
  return kt_review_model_resolve_finish (review, mod_await (&result), error);
}

static void
test_review (Mod *mod, gconstpointer data)
{
  KtId bob = kt_id_new (&mod->env);
  g_autoptr (KtRecord) user = mod_record (mod, "user", &bob, "name", "Bob", NULL);
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "phone", "222", NULL);
  g_autoptr (KtRecord) conflict =
    case_of (mod, account, "field", "phone", "\"111\"", "\"333\"", "\"222\"", &bob);
  g_autoptr (KtReviewModel) review = kt_review_model_new (mod->workspace);
  KtSyncStatus *status = kt_workspace_get_sync_status (mod->workspace);
  KtReviewItem *one;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autoptr (KtDone) undone = NULL;
  g_autofree char *stored = NULL;
  g_autofree char *back = NULL;

  mod_pull (mod, user, account, conflict, NULL);
  mod_wait_while (n_items (review) != 1);
  mod_wait_while (kt_sync_status_get_review (status) != 1);
  mod_wait_while (mod->told == NULL);
  g_assert_cmpstr (mod->told, ==, "1 change met somebody else's and needs your decision");
  one = item (review, 0);
  mod_wait_while (strcmp (kt_review_item_get_title (one), "Phone of Acme") != 0);
  g_assert_cmpstr (kt_review_item_get_record_title (one), ==, "Acme");
  g_assert_cmpstr (kt_review_item_get_field_label (one), ==, "Phone");
  g_assert_cmpstr (kt_review_item_get_base (one), ==, "111");
  g_assert_cmpstr (kt_review_item_get_mine (one), ==, "333");
  g_assert_cmpstr (kt_review_item_get_theirs (one), ==, "222");
  g_assert_cmpstr (kt_review_item_get_mine_by (one), ==, "You, 10 minutes ago");
  g_assert_cmpstr (kt_review_item_get_theirs_by (one), ==, "Bob, Yesterday 12:04");
  g_assert_cmpstr (kt_review_item_get_explanation (one), ==,
                   "You and Bob changed this at the same time. What Bob wrote stands until "
                   "somebody decides.");
  g_assert_cmpstr (kt_review_item_get_mine_action (one), ==, "Keep Mine");
  g_assert_cmpstr (kt_review_item_get_edit_text (one), ==, "333");
  g_assert_true (kt_review_item_get_field (one) == mod_field (mod, "account", "phone"));
  mod_wait_while (kt_workspace_get_row_state (mod->workspace, &account->id) != KT_ROW_REVIEW);

  /* Taking mine changes the record and ends the case, everywhere at once. */
  g_object_ref (one);
  done = resolve (review, one, "mine", NULL, &error);
  g_assert_no_error (error);
  mod_wait_while (n_items (review) != 0);
  mod_wait_while (kt_sync_status_get_review (status) != 0);
  stored = mod_stored (mod, "account", &account->id, "phone");
  g_assert_cmpstr (stored, ==, "333");
  g_assert_null (resolve (review, one, "theirs", NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
  g_clear_error (&error);
  g_object_unref (one);

  undone = mod_undo (mod, done, &error);
  g_assert_no_error (error);
  mod_wait_while (n_items (review) != 1);
  back = mod_stored (mod, "account", &account->id, "phone");
  g_assert_cmpstr (back, ==, "222");
}

static void
test_review_typed (Mod *mod, gconstpointer data)
{
  KtId bob = kt_id_new (&mod->env);
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "email", "b@example.com", NULL);
  g_autoptr (KtRecord) conflict =
    case_of (mod, account, "field", "email", NULL, "\"a@example.com\"", "\"b@example.com\"", &bob);
  g_autoptr (KtReviewModel) review = kt_review_model_new (mod->workspace);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autofree char *stored = NULL;

  mod_pull (mod, account, conflict, NULL);
  mod_wait_while (n_items (review) != 1);
  g_assert_cmpstr (kt_review_item_get_base (item (review, 0)), ==, "—");
  g_assert_null (resolve (review, item (review, 0), NULL, "nobody", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  /* Cleared is a value as well. */
  done = resolve (review, item (review, 0), NULL, "", &error);
  g_assert_no_error (error);
  mod_wait_while (n_items (review) != 0);
  stored = mod_stored (mod, "account", &account->id, "email");
  g_assert_null (stored);
}

static void
test_review_kinds (Mod *mod, gconstpointer data)
{
  KtId bob = kt_id_new (&mod->env);
  g_autoptr (KtRecord) user = mod_record (mod, "user", &bob, "name", "Bob", NULL);
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "phone", "222", NULL);
  g_autoptr (KtRecord) other = mod_record (mod, "account", NULL, "name", "Other", NULL);
  g_autofree char *other_id = kt_id_to_string (&other->id);
  g_autofree char *rival = g_strdup_printf ("{\"object\":\"account\",\"id\":\"%s\"}", other_id);
  g_autoptr (KtRecord) del = case_of (mod, account, "delete_edit", NULL, NULL, "{\"deleted\":true}",
                                      "{\"phone\":\"222\"}", &bob);
  g_autoptr (KtRecord) dup =
    case_of (mod, account, "duplicate", "phone", NULL, "\"222\"", rival, &bob);
  g_autoptr (KtReviewModel) review = kt_review_model_new (mod->workspace);
  KtReviewItem *deletion = NULL;
  KtReviewItem *duplicate = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autofree char *stored = NULL;

  mod_pull (mod, user, account, other, del, dup, NULL);
  mod_wait_while (n_items (review) != 2);
  mod_settle (mod);
  for (guint i = 0; i < 2; i++)
    if (strcmp (kt_review_item_get_kind (item (review, i)), "duplicate") == 0)
      duplicate = item (review, i);
    else
      deletion = item (review, i);
  g_assert_cmpstr (kt_review_item_get_mine (deletion), ==, "In the bin");
  g_assert_cmpstr (kt_review_item_get_theirs (deletion), ==, "Phone: 222");
  g_assert_cmpstr (kt_review_item_get_title (deletion), ==, "Acme");
  g_assert_cmpstr (kt_review_item_get_mine_action (deletion), ==, "Delete It");
  g_assert_null (kt_review_item_get_edit_text (deletion));
  g_assert_cmpstr (kt_review_item_get_theirs (duplicate), ==, "Other");
  g_assert_cmpstr (kt_review_item_get_mine (duplicate), ==, "222");
  done = resolve (review, deletion, "mine", NULL, &error);
  g_assert_no_error (error);
  stored = mod_stored (mod, "account", &account->id, "deleted_at");
  g_assert_nonnull (stored);
}

/* ---- search ---- */

static void
test_search (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme Ltd", NULL);
  g_autoptr (KtRecord) lead =
    mod_record (mod, "lead", NULL, "last_name", "Acmeson", "name", "Acmeson", NULL);
  g_autoptr (KtRecord) later = mod_record (mod, "account", NULL, "name", "Beta Acme", NULL);
  g_autoptr (KtSearch) search = kt_search_new (mod->workspace);
  gpointer first;

  mod_pull (mod, account, lead, NULL);
  mod_settle (mod);
  kt_search_set_text (search, "acm");
  g_assert_true (kt_search_get_busy (search));
  mod_wait_while (kt_search_get_busy (search));
  g_assert_cmpuint (n_items (search), ==, 2);
  first = item (search, 0);
  g_assert_nonnull (kt_search_hit_get_object (first));
  g_assert_nonnull (strstr (kt_search_hit_get_title (first), "Acme"));

  /* Only the newest text is answered. */
  n_emitted = 0;
  g_signal_connect (search, "items-changed", G_CALLBACK (items_changed_cb), NULL);
  kt_search_set_text (search, "a");
  kt_search_set_text (search, "ac");
  kt_search_set_text (search, "zzzz");
  kt_search_set_text (search, "acme ltd");
  mod_wait_while (kt_search_get_busy (search));
  mod_settle (mod);
  g_assert_cmpuint (n_items (search), ==, 1);
  g_assert_cmpuint (n_emitted, <=, 1);
  g_assert_cmpstr (kt_search_hit_get_title (item (search, 0)), ==, "Acme Ltd");

  kt_search_set_text (search, "");
  g_assert_cmpuint (n_items (search), ==, 0);
  g_assert_false (kt_search_get_busy (search));
  /* An answer that was on its way does not come back. */
  kt_search_set_text (search, "acme");
  kt_search_set_text (search, "");
  mod_settle (mod);
  g_assert_cmpuint (n_items (search), ==, 0);

  /* What arrives meanwhile is found. */
  kt_search_set_text (search, "acme");
  mod_wait_while (kt_search_get_busy (search));
  g_assert_cmpuint (n_items (search), ==, 2);
  mod_pull (mod, later, NULL);
  mod_wait_while (n_items (search) != 3);
}

/* What stands around a match is other people's text: it is escaped, the match is bold. */
static void
test_search_markup (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "description", "R&D <Tower> of a tower", NULL);
  g_autoptr (KtSearch) search = kt_search_new (mod->workspace);

  mod_pull (mod, account, NULL);
  mod_settle (mod);
  kt_search_set_text (search, "tower");
  mod_wait_while (kt_search_get_busy (search));
  g_assert_cmpuint (n_items (search), ==, 1);
  g_assert_cmpstr (kt_search_hit_get_snippet (item (search, 0)), ==, "R&amp;D &lt;<b>Tower</b>&gt; of a <b>tower</b>");
}

#define ADD(name, func) g_test_add ("/queues/" name, Mod, NULL, mod_set_up, func, mod_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("outbox", test_outbox);
  ADD ("P12/outbox-amend", test_outbox_amend);
  ADD ("outbox-many", test_outbox_many);
  ADD ("review", test_review);
  ADD ("review-typed", test_review_typed);
  ADD ("review-kinds", test_review_kinds);
  ADD ("search", test_search);
  ADD ("search-markup", test_search_markup);
  return g_test_run ();
}
