/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Nothing lost, and found again: versions of a field, rules over many questions,
 * what became of one's changes.                                                 */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"
#include "model/kt-news-model.h"
#include "model/kt-review.h"
#include "model/kt-sync-pace.h"
#include "model/kt-travel.h"
#include "model/kt-versions.h"
#include "store/kt-news.h"

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

/* ---- versions ---- */

typedef struct
{
  KtId id;
  const char *json;
} Keep;

static gpointer
keep_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Keep *keep = data;

  return GINT_TO_POINTER (kt_local_keep_history (local, &keep->id, keep->json, error));
}

static void
test_versions (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "phone", "222", NULL);
  Keep keep = {
    account->id,
    "[{\"seq\":9,\"at\":\"2026-02-01T11:04:00.000Z\",\"user_name\":\"Bob\",\"kind\":\"update\",\"field\":\"phone\","
    "\"old\":\"222\",\"new\":\"222\",\"mine\":\"333\",\"base\":\"111\",\"outcome\":\"superseded\"},"
    "{\"seq\":8,\"at\":\"2026-02-01T10:04:00.000Z\",\"user_name\":\"Eve\",\"kind\":\"update\",\"field\":\"phone\","
    "\"old\":\"111\",\"new\":\"222\",\"outcome\":\"applied\"},"
    "{\"seq\":7,\"at\":\"2026-02-01T09:04:00.000Z\",\"user_name\":\"Eve\",\"kind\":\"create\",\"field\":\"phone\","
    "\"old\":null,\"new\":\"111\",\"outcome\":\"applied\"},"
    "{\"seq\":7,\"at\":\"2026-02-01T09:04:00.000Z\",\"user_name\":\"Eve\",\"kind\":\"create\",\"field\":\"name\","
    "\"old\":null,\"new\":\"Acme\",\"outcome\":\"applied\"}]"
  };
  g_autoptr (KtVersions) versions = NULL;
  g_autoptr (GPtrArray) fields = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autofree char *stored = NULL;
  g_autofree char *back = NULL;
  g_autoptr (KtDone) undone = NULL;

  mod_pull (mod, account, NULL);
  mod_write (mod, keep_job, &keep);
  versions = kt_versions_new (mod->workspace, mod_object (mod, "account"), &account->id, NULL);
  mod_wait_while (n_items (versions) != 4);
  fields = kt_versions_get_fields (versions);
  g_assert_cmpuint (fields->len, ==, 1);
  kt_versions_set_field (versions, fields->pdata[0]);
  g_assert_cmpuint (n_items (versions), ==, 3);
  g_assert_cmpstr (kt_version_get_value (item (versions, 0)), ==, "333");
  g_assert_cmpstr (kt_version_get_who (item (versions, 0)), ==, "Bob");
  g_assert_cmpstr (kt_version_get_fate (item (versions, 0)), ==,
                   "Another value stood by the rule of the field");
  g_assert_false (kt_version_get_current (item (versions, 0)));
  g_assert_true (kt_version_get_current (item (versions, 1)));
  g_assert_cmpstr (kt_version_get_fate (item (versions, 1)), ==, "");

  /* P2: the value that lost is put back, as an edit that can be taken back. */
  kt_versions_restore_async (versions, item (versions, 0), mod_result_cb, &result);
  done = kt_versions_restore_finish (versions, mod_await (&result), &error);
  g_assert_no_error (error);
  stored = mod_stored (mod, "account", &account->id, "phone");
  g_assert_cmpstr (stored, ==, "333");
  mod_wait_while (n_items (versions) != 4);
  mod_wait_while (!kt_version_get_current (item (versions, 0)));
  g_assert_cmpstr (kt_version_get_fate (item (versions, 0)), ==, "Is not sent yet");
  undone = mod_undo (mod, done, &error);
  g_assert_no_error (error);
  back = mod_stored (mod, "account", &account->id, "phone");
  g_assert_cmpstr (back, ==, "222");
}

/* ---- rules ---- */

static KtRecord *
case_of (Mod *mod,
         const KtRecord *record,
         const char *kind,
         const char *mine,
         const char *mine_at,
         const char *theirs_at,
         const char *batch,
         const KtId *by)
{
  g_autofree char *id = kt_id_to_string (&record->id);
  g_autofree char *about = g_strconcat (record->object->name, ":", id, NULL);
  g_autofree char *me = kt_id_to_string (&mod->me);
  g_autofree char *other = kt_id_to_string (by);

  return mod_record (mod, "sync_conflict", NULL, "kind", kind, "record", about, "object",
                     record->object->name, "field", "phone", "base", "\"0\"", "mine", mine, "theirs",
                     "\"2\"", "mine_by", me, "mine_at", mine_at, "theirs_by", other, "theirs_at",
                     theirs_at, "state", "open", "assigned_to", me, "batch", batch, NULL);
}

static KtDone *
apply (KtReviewModel *review, const KtReviewRule *rule)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  KtDone *done;

  kt_review_model_apply_async (review, rule, mod_result_cb, &result);
  done = kt_review_model_resolve_finish (review, mod_await (&result), &error);
  g_assert_no_error (error);
  return done;
}

static void
assert_phone (Mod *mod, const KtRecord *record, const char *phone)
{
  g_autofree char *stored = mod_stored (mod, "account", &record->id, "phone");

  g_assert_cmpstr (stored, ==, phone);
}

#define EARLY "2026-01-01T08:00:00.000Z"
#define LATE  "2026-01-02T08:00:00.000Z"
#define BATCH "11111111-1111-7111-8111-111111111111"

static void
test_rules (Mod *mod, gconstpointer data)
{
  KtId bob = kt_id_new (&mod->env);
  g_autoptr (KtRecord) user = mod_record (mod, "user", &bob, "name", "Bob", NULL);
  g_autoptr (KtRecord) a = mod_record (mod, "account", NULL, "name", "A", "phone", "2", NULL);
  g_autoptr (KtRecord) b = mod_record (mod, "account", NULL, "name", "B", "phone", "2", NULL);
  g_autoptr (KtRecord) c = mod_record (mod, "account", NULL, "name", "C", "phone", "2", NULL);
  g_autoptr (KtRecord) d = mod_record (mod, "account", NULL, "name", "D", "phone", "2", NULL);
  g_autoptr (KtRecord) case_a = case_of (mod, a, "field", "\"1\"", LATE, EARLY, "", &bob);
  g_autoptr (KtRecord) case_b = case_of (mod, b, "field", "\"1\"", EARLY, LATE, BATCH, &bob);
  g_autoptr (KtRecord) case_c = case_of (mod, c, "field", "\"1\"", LATE, LATE, BATCH, &bob);
  g_autoptr (KtRecord) case_d =
    case_of (mod, d, "delete_edit", "{\"deleted\":true}", LATE, EARLY, "", &bob);
  g_autoptr (KtReviewModel) review = kt_review_model_new (mod->workspace);
  g_autoptr (KtReviewModel) decided = kt_review_model_new_decided (mod->workspace);
  g_autoptr (KtReviewModel) later = NULL;
  g_autoptr (KtReviewRule) newest = kt_review_rule_new (KT_REVIEW_NEWEST, "account", "phone", NULL);
  g_autoptr (KtReviewRule) import = kt_review_rule_new (KT_REVIEW_MINE, NULL, NULL, BATCH);
  g_autoptr (GPtrArray) scopes = NULL;
  g_autoptr (GPtrArray) previews = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autoptr (KtDone) undone = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = kt_review_rule_text (mod->workspace, newest);
  const KtReviewScope *scope;
  const KtReviewPreview *preview;

  mod_pull (mod, user, a, b, c, d, case_a, case_b, case_c, case_d, NULL);
  mod_wait_while (n_items (review) != 4);
  g_assert_cmpstr (text, ==, "Phone of Accounts: take the newest");

  scopes = kt_review_model_scopes (review);
  g_assert_cmpuint (scopes->len, ==, 4);
  scope = scopes->pdata[0];
  g_assert_cmpstr (scope->label, ==, "Phone of Accounts");
  g_assert_cmpuint (scope->n, ==, 3);
  scope = scopes->pdata[1];
  g_assert_cmpstr (scope->batch, ==, BATCH);
  g_assert_cmpuint (scope->n, ==, 2);

  /* Nothing is decided unseen; what cannot be told stays open; a delete is never answered by a rule. */
  previews = kt_review_model_preview (review, newest);
  g_assert_cmpuint (previews->len, ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      preview = previews->pdata[i];
      if (kt_id_equal (kt_review_item_get_id (preview->item), &a->id))
        g_assert_cmpstr (preview->value, ==, "1");
      else if (kt_id_equal (kt_review_item_get_id (preview->item), &b->id))
        g_assert_cmpstr (preview->value, ==, "2");
      else
        g_assert_null (preview->take);
    }
  done = apply (review, newest);
  g_assert_cmpstr (kt_done_text (done), ==, "Decided 2 questions");
  mod_wait_while (n_items (review) != 2);
  mod_wait_while (n_items (decided) != 2);
  assert_phone (mod, a, "1");
  assert_phone (mod, b, "2");
  assert_phone (mod, c, "2");

  /* One step back. */
  undone = mod_undo (mod, done, &error);
  g_assert_no_error (error);
  mod_wait_while (n_items (review) != 4);
  assert_phone (mod, a, "2");

  g_clear_pointer (&done, kt_done_unref);
  done = apply (review, import);
  mod_wait_while (n_items (review) != 2);
  assert_phone (mod, a, "2");
  assert_phone (mod, b, "1");
  assert_phone (mod, c, "1");

  /* Kept for the next time; an import comes only once. */
  kt_review_model_remember (review, newest);
  kt_review_model_remember (review, newest);
  kt_review_model_remember (review, import);
  g_assert_cmpuint (kt_review_model_get_rules (review)->len, ==, 1);
  mod_settle (mod);
  later = kt_review_model_new (mod->workspace);
  mod_wait_while (kt_review_model_get_rules (later)->len != 1);
  kt_review_model_forget (later, kt_review_model_get_rules (later)->pdata[0]);
  g_assert_cmpuint (kt_review_model_get_rules (later)->len, ==, 0);
}

/* Long decided, asked again: the record holds again what it held while the question was open (P6). */
static void
test_asked_again (Mod *mod, gconstpointer data)
{
  KtId bob = kt_id_new (&mod->env);
  g_autoptr (KtRecord) user = mod_record (mod, "user", &bob, "name", "Bob", NULL);
  g_autoptr (KtRecord) a = mod_record (mod, "account", NULL, "name", "A", "phone", "1", NULL);
  g_autoptr (KtRecord) open = case_of (mod, a, "field", "\"1\"", LATE, EARLY, "", &bob);
  g_autofree char *me = kt_id_to_string (&mod->me);
  g_autoptr (KtRecord) closed =
    mod_with (mod, open, "state", "kept_mine", "resolved_by", me, "resolved_at", LATE, NULL);
  g_autoptr (KtReviewModel) decided = kt_review_model_new_decided (mod->workspace);
  g_autoptr (KtReviewModel) review = kt_review_model_new (mod->workspace);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autoptr (GError) error = NULL;

  mod_pull (mod, user, a, closed, NULL);
  mod_wait_while (n_items (decided) != 1);
  g_assert_cmpuint (n_items (review), ==, 0);
  g_assert_cmpstr (kt_review_item_get_decision (item (decided, 0)), ==, "You kept the first value");
  kt_review_model_reopen_async (decided, item (decided, 0), mod_result_cb, &result);
  done = kt_review_model_resolve_finish (decided, mod_await (&result), &error);
  g_assert_no_error (error);
  mod_wait_while (n_items (review) != 1);
  mod_wait_while (n_items (decided) != 0);
  assert_phone (mod, a, "2");
}

/* ---- news ---- */

static guint n_news;

static void
news_cb (KtWorkspace *workspace, guint n, gpointer data)
{
  n_news += n;
}

/* P6: told once, as a number; the list has the sentences; looked at, the number goes. */
static void
test_news (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) a = mod_record (mod, "account", NULL, "name", "Acme", "phone", "1", NULL);
  KtSyncStatus *status = kt_workspace_get_sync_status (mod->workspace);
  g_autoptr (KtNewsModel) news = kt_news_model_new (mod->workspace);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (KtDone) done = NULL;

  mod_pull (mod, a, NULL);
  n_news = 0;
  g_signal_connect (mod->workspace, "news", G_CALLBACK (news_cb), NULL);
  kt_workspace_set_async (mod->workspace, mod_object (mod, "account"), &a->id, "phone", "3",
                          mod_result_cb, &result);
  done = kt_workspace_done_finish (mod->workspace, mod_await (&result), NULL);
  mod_send (mod);
  mod_verdict (mod, 1, KT_OUTCOME_SUPERSEDED, NULL);
  mod_wait_while (n_news == 0);
  g_assert_cmpuint (n_news, ==, 1);
  mod_wait_while (kt_sync_status_get_news (status) != 1);
  mod_wait_while (n_items (news) != 1);
  g_assert_cmpstr (kt_news_item_get_text (item (news, 0)), ==,
                   "Another value stands, yours is kept: Changed Phone of “Acme”: 1 → 3");
  g_assert_true (kt_news_item_get_unseen (item (news, 0)));
  g_assert_true (kt_news_item_get_object (item (news, 0)) == mod_object (mod, "account"));
  kt_news_model_seen (news);
  mod_wait_while (kt_sync_status_get_news (status) != 0);
  g_assert_cmpuint (n_news, ==, 1);
}

/* ---- travel ---- */

/* What is here is said kind by kind; a rehearsal opens it and says so in words, and ends by itself. */
static void
test_travel (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) a = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) b = mod_record (mod, "account", NULL, "name", "Beta", NULL);
  g_autoptr (KtTravel) travel = NULL;
  g_autofree char *verdict = NULL;
  g_autofree char *result = NULL;
  gboolean passed = FALSE;
  gboolean rehearsing = FALSE;
  gboolean accounts = FALSE;

  mod_pull (mod, a, b, NULL);
  travel = kt_travel_new (mod->workspace);
  mod_wait_while (n_items (travel) == 0);
  for (guint i = 0; i < n_items (travel); i++)
    if (kt_travel_line_get_object (item (travel, i)) == mod_object (mod, "account"))
      accounts = g_str_has_prefix (kt_travel_line_get_text (item (travel, i)), "2 records, ");
  g_assert_true (accounts);
  /* Never synced by a syncer: here, but nobody knows how fresh. */
  g_object_get (travel, "verdict", &verdict, NULL);
  g_assert_true (g_str_has_prefix (verdict, "Everything is here, but not fresh"));
  kt_travel_set_minute (travel, 1);
  kt_travel_rehearse (travel);
  g_object_get (travel, "rehearsing", &rehearsing, NULL);
  g_assert_true (rehearsing);
  while (!passed)
    {
      g_main_context_iteration (NULL, TRUE);
      g_object_get (travel, "passed", &passed, NULL);
    }
  while (rehearsing)
    {
      g_main_context_iteration (NULL, TRUE);
      g_object_get (travel, "rehearsing", &rehearsing, NULL);
    }
  g_object_get (travel, "result", &result, NULL);
  g_assert_true (g_str_has_prefix (result, "It works without a network: "));
}

/* ---- speed, data ---- */

static void
test_pace (void)
{
  KtPace pace = { 0 };
  KtTraffic traffic = { "", 0, 0 };
  KtTraffic next = { "", 0, 0 };
  gint64 noon = G_GINT64_CONSTANT (1770033600) * G_USEC_PER_SEC;
  g_autofree char *words = NULL;
  g_autofree char *none = NULL;
  g_autofree char *kept = NULL;

  for (gint64 i = 0; i <= 10; i++)
    _kt_pace_feed (&pace, (i + 1) * G_USEC_PER_SEC, i * 1000, 100000, i * 200000);
  words = _kt_pace_words (&pace);
  g_assert_true (g_str_has_prefix (words, "1000 records and 200.0"));
  g_assert_nonnull (strstr (words, "about 2 minutes left"));
  _kt_pace_feed (&pace, 12 * G_USEC_PER_SEC, 0, 0, 0);
  none = _kt_pace_words (&pace);
  g_assert_null (none);

  _kt_traffic_feed (&traffic, noon, 1000);
  _kt_traffic_feed (&traffic, noon, 1500);
  kept = _kt_traffic_kept (&traffic);
  _kt_traffic_feed (&next, noon, 100);
  _kt_traffic_load (&next, kept);
  g_assert_cmpint (next.session, ==, 100);
  g_assert_cmpint (next.today, ==, 1600);
  _kt_traffic_feed (&next, noon + G_GINT64_CONSTANT (86400000000), 150);
  g_assert_cmpint (next.today, ==, 50);
  g_assert_cmpint (next.session, ==, 150);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add ("/history/" path, Mod, NULL, mod_set_up, func, mod_tear_down)
  ADD ("P2/versions", test_versions);
  ADD ("P6/rules", test_rules);
  ADD ("P6/asked-again", test_asked_again);
  ADD ("P6/news", test_news);
  ADD ("travel", test_travel);
  g_test_add_func ("/history/pace", test_pace);
  return g_test_run ();
}
