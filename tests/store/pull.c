/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"

/* Pages: first pull, staged pulls, what leaves, another epoch. */

#define CHANGES(seq, more)                        \
  &(PageForm)                                     \
  {                                               \
    FALSE, more, seq, "c" G_STRINGIFY (seq), NULL \
  }
#define SNAPSHOT(seq, more, cursor) \
  &(PageForm)                       \
  {                                 \
    TRUE, more, seq, cursor, NULL   \
  }

static void
apply (Fix *fix, const PageForm *form, KtRecord *a, KtRecord *b)
{
  KtChangeSet *changes = fix_apply (fix, form, a, b, NULL);

  g_clear_pointer (&changes, kt_change_set_unref);
}

static char *
cursor (Fix *fix)
{
  g_autoptr (GError) error = NULL;
  char *text = kt_local_cursor (fix->local, &error);

  g_assert_no_error (error);
  return text;
}

/* I5, 21: nothing is honest to show before the last page; cursor and rows come together. */
static void
test_first_pull (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = NULL;
  g_autoptr (KtRecord) b = NULL;
  g_autofree char *at = NULL;
  g_autofree char *list = NULL;
  g_autoptr (KtChangeSet) changes = NULL;

  fix_sign_in (fix);
  a = fix_record (fix, "account", NULL, 1, "name", "A", NULL);
  b = fix_record (fix, "account", NULL, 2, "name", "B", NULL);
  g_assert_null (cursor (fix));
  apply (fix, SNAPSHOT (5, TRUE, "p1"), a, NULL);
  g_assert_false (kt_local_ready (fix->local));
  at = cursor (fix);
  g_assert_cmpstr (at, ==, "p1");
  fix_reopen (fix);
  g_assert_false (kt_local_ready (fix->local));
  changes = fix_apply (fix, SNAPSHOT (5, FALSE, "p2"), b, NULL);
  g_assert_true (changes->everything);
  g_assert_true (kt_local_ready (fix->local));
  g_assert_cmpint (kt_local_seq (fix->local), ==, 5);
  list = fix_list (fix, "account", "name", NULL);
  g_assert_cmpstr (list, ==, "A|B");
  fix_reopen (fix);
  g_assert_true (kt_local_ready (fix->local));
  g_assert_cmpint (kt_local_seq (fix->local), ==, 5);
}

/* 19: a record that changed while the snapshot was paged comes again; the newest stays. */
static void
test_first_pull_repeats (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) old = NULL;
  g_autoptr (KtRecord) now = NULL;

  fix_sign_in (fix);
  old = fix_record (fix, "account", NULL, 1, "name", "Old", NULL);
  now = fix_with (fix, old, 7, "name", "New", NULL);
  apply (fix, SNAPSHOT (5, TRUE, "p1"), now, NULL);
  apply (fix, SNAPSHOT (5, TRUE, "p2"), old, NULL);
  apply (fix, CHANGES (8, FALSE), now, NULL);
  assert_text (fix, "account", &now->id, "name", "New");
}

/* 26: a first pull that was broken off is not mixed with the next one. */
static void
test_first_pull_anew (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = NULL;
  g_autoptr (KtRecord) b = NULL;
  g_autoptr (GError) error = NULL;
  KtId mine;

  fix_sign_in (fix);
  a = fix_record (fix, "account", NULL, 1, "name", "Gone meanwhile", NULL);
  b = fix_record (fix, "account", NULL, 2, "name", "B", NULL);
  apply (fix, SNAPSHOT (5, TRUE, "p1"), a, NULL);
  fix_create (fix, "account", &mine, "name", "Mine", NULL);
  kt_local_reset_cursor (fix->local, &error);
  g_assert_no_error (error);
  g_assert_null (cursor (fix));
  apply (fix, SNAPSHOT (9, FALSE, "p2"), b, NULL);
  g_assert_false (fix_has (fix, "account", &a->id));
  g_assert_true (fix_has (fix, "account", &b->id));
  g_assert_true (fix_has (fix, "account", &mine));
}

/* Committed before the first pull was complete. */
static void
test_commit_before_ready (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) other = NULL;
  g_autoptr (KtRecord) server = NULL;
  g_autofree char *sent = NULL;
  KtId id;

  fix_sign_in (fix);
  fix_create (fix, "account", &id, "name", "Early", NULL);
  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 4);
  fix_set (fix, "account", &id, "phone", "12345");
  server =
    fix_record (fix, "account", &id, 4, "name", "Early", "website", "https://a.example", NULL);
  other = fix_record (fix, "account", NULL, 2, "name", "B", NULL);
  apply (fix, SNAPSHOT (5, TRUE, "p1"), server, NULL);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 2);
  apply (fix, SNAPSHOT (5, FALSE, "p2"), other, NULL);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 1);
  assert_text (fix, "account", &id, "website", "https://a.example");
  assert_text (fix, "account", &id, "phone", "12345");
}

/* A big object loses its indices for the first pull and has them again afterwards. */
static void
test_indices_come_back (Fix *fix, gconstpointer data)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (GError) error = NULL;
  gint64 before, between;
  const char *count =
    "SELECT count(*) FROM sqlite_master WHERE type='index' AND tbl_name IN ('o_account')";
  g_autofree char *list = NULL;

  fix_sign_in (fix);
  before = fix_count (fix, count);
  for (guint i = 0; i < 1500; i++)
    g_ptr_array_add (
      records, fix_record (fix, "account", NULL, i + 1, "name", i % 2 ? "Odd" : "Even", NULL));
  fix_try_apply (fix, SNAPSHOT (2000, TRUE, "p1"), records, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  between = fix_count (fix, count);
  g_assert_cmpint (between, <, before);
  fix_reopen (fix);
  apply (fix, SNAPSHOT (2000, FALSE, "p2"), NULL, NULL);
  g_assert_cmpint (fix_count (fix, count), ==, before);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_bare"), ==, 0);
  list = fix_list (fix, "account", "name", "odd");
  g_assert_cmpuint (strlen (list), ==, 750 * 4 - 1);
}

/* P13: the schema moves in the middle of it. */
static void
test_schema_between (Fix *fix, gconstpointer data)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  g_auto (GStrv) parts = NULL;
  g_autofree char *other = NULL;
  g_autoptr (KtSchema) newer = NULL;

  fix_sign_in (fix);
  for (guint i = 0; i < 1500; i++)
    g_ptr_array_add (records, fix_record (fix, "contact", NULL, i + 1, "last_name", "Ray", NULL));
  fix_try_apply (fix, SNAPSHOT (2000, TRUE, "p1"), records, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  /* Other columns in the list: other sort keys. */
  text = fix_schema_text ();
  parts = g_strsplit (text, "\"columns\":[\"full_name\",\"account\",\"job_title\",", 2);
  g_assert_nonnull (parts[1]);
  other = g_strconcat (parts[0], "\"columns\":[\"full_name\",\"account\",\"department\",", parts[1],
                       NULL);
  newer = kt_schema_from_json (other, -1, &error);
  g_assert_no_error (error);
  kt_local_set_schema (fix->local, newer, &error);
  g_assert_no_error (error);
  apply (fix, SNAPSHOT (2000, FALSE, "p2"), NULL, NULL);
  g_assert_cmpint (
    fix_count (fix, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'kt_key_%_job_title'"), ==,
    0);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_bare"), ==, 0);
  g_assert_true (kt_local_ready (fix->local));
}

/* P5, 26: pages that have more to come change nothing that is seen, also over a restart; the last swaps all in. */
static void
test_staged (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = fix_record (fix, "account", NULL, 2, "name", "A", NULL);
  g_autoptr (KtRecord) b = fix_record (fix, "account", NULL, 3, "name", "B", NULL);
  g_autoptr (KtRecord) a2 = fix_with (fix, a, 4, "name", "A2", NULL);
  g_autoptr (KtChangeSet) changes = NULL;
  g_autofree char *at = NULL;
  g_autofree char *list = NULL;

  g_assert_null (fix_apply (fix, CHANGES (2, TRUE), a, NULL));
  g_assert_false (fix_has (fix, "account", &a->id));
  at = cursor (fix);
  g_assert_cmpstr (at, ==, "c2");
  g_assert_cmpint (kt_local_seq (fix->local), ==, 1);
  fix_reopen (fix);
  g_assert_false (fix_has (fix, "account", &a->id));
  g_assert_null (fix_apply (fix, CHANGES (3, TRUE), b, NULL));
  changes = fix_apply (fix, CHANGES (4, FALSE), a2, NULL);
  g_assert_cmpuint (changes->records->len, ==, 2);
  list = fix_list (fix, "account", "name", NULL);
  g_assert_cmpstr (list, ==, "A2|B");
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_stage"), ==, 0);
  g_assert_cmpint (kt_local_seq (fix->local), ==, 4);
}

/* A staged page given twice (its reply was doubled) is one. */
static void
test_staged_twice (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = fix_record (fix, "account", NULL, 2, "name", "A", NULL);
  g_autoptr (KtRecord) b = fix_with (fix, a, 3, "name", "B", NULL);

  apply (fix, CHANGES (2, TRUE), a, NULL);
  apply (fix, CHANGES (2, TRUE), a, NULL);
  apply (fix, CHANGES (3, FALSE), b, NULL);
  assert_text (fix, "account", &a->id, "name", "B");
}

/* 29, I7: an answer that comes late changes nothing. */
static void
test_never_back (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) old = fix_record (fix, "account", NULL, 2, "name", "Old", NULL);
  g_autoptr (KtRecord) now = fix_with (fix, old, 5, "name", "New", NULL);
  g_autoptr (GPtrArray) records = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *at = NULL;

  apply (fix, CHANGES (5, FALSE), now, NULL);
  g_ptr_array_add (records, old);
  g_assert_false (fix_try_apply (fix, CHANGES (2, FALSE), records, NULL, NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
  assert_text (fix, "account", &now->id, "name", "New");
  at = cursor (fix);
  g_assert_cmpstr (at, ==, "c5");
  /* An old version in a newer page does not win either. */
  apply (fix, CHANGES (6, FALSE), old, NULL);
  assert_text (fix, "account", &now->id, "name", "New");
}

/* I7, P13: a page of another schema changes nothing. */
static void
test_other_schema (Fix *fix, gconstpointer data)
{
  KtPageWriter *writer = kt_page_writer_new (&fix->epoch, FALSE, "another digest", -1);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtPage) page = kt_page_open (kt_local_schema (fix->local),
                                          kt_page_writer_finish (writer, "c9", FALSE, 9), &error);

  g_assert_no_error (error);
  g_assert_false (kt_local_apply_page (fix->local, page, NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_SCHEMA);
  g_assert_cmpint (kt_local_seq (fix->local), ==, 1);
}

/* A record that leaves: erased, or out of scope. */
static void
test_gone (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = fix_record (fix, "account", NULL, 2, "name", "Acme", NULL);
  g_autoptr (KtRecord) b = fix_record (fix, "account", NULL, 2, "name", "Beta", NULL);
  g_autofree char *found = NULL;

  apply (fix, CHANGES (2, FALSE), a, b);
  fix_apply_gone (fix, 3, a);
  g_assert_false (fix_has (fix, "account", &a->id));
  found = fix_list (fix, "account", "name", "acme");
  g_assert_cmpstr (found, ==, "");
  /* 50: nothing of it stays in the index. */
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_search WHERE kt_search MATCH 'acme'"),
                   ==, 0);
  fix_apply_gone (fix, 4, a);
}

/* 48, 50, P2: it left while I had edited it: out of sight at once, and my edit is settled first. */
static void
test_gone_with_edit (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = fix_record (fix, "account", NULL, 2, "name", "Acme", NULL);
  g_autofree char *sent = NULL;

  apply (fix, CHANGES (2, FALSE), a, NULL);
  fix_set (fix, "account", &a->id, "phone", "12345");
  fix_apply_gone (fix, 3, a);
  g_assert_false (fix_has (fix, "account", &a->id));
  g_assert_cmpuint (fix_waiting (fix), ==, 1);
  fix_check (fix);
  fix_reopen (fix);
  g_assert_false (fix_has (fix, "account", &a->id));
  sent = fix_take (fix);
  g_assert_nonnull (strstr (sent, "12345"));
  fix_settle (fix, 1, KT_OUTCOME_REVIEW, 4);
  apply (fix, CHANGES (4, FALSE), NULL, NULL);
  g_assert_false (fix_has (fix, "account", &a->id));
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_shadow"), ==, 0);
}

/* 34, P7: my edit meets their delete: it stays in sight until the server has decided. */
static void
test_edit_meets_delete (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = fix_record (fix, "account", NULL, 2, "name", "Acme", NULL);
  g_autoptr (KtRecord) binned = fix_with (fix, a, 3, "deleted_at", "2026-02-03T04:05:06Z", NULL);
  g_autoptr (KtRecord) back = fix_with (fix, a, 4, "phone", "12345", NULL);
  g_autofree char *sent = NULL;

  apply (fix, CHANGES (2, FALSE), a, NULL);
  fix_set (fix, "account", &a->id, "phone", "12345");
  apply (fix, CHANGES (3, FALSE), binned, NULL);
  g_assert_true (fix_has (fix, "account", &a->id));
  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 4);
  apply (fix, CHANGES (4, FALSE), back, NULL);
  g_assert_true (fix_has (fix, "account", &a->id));
  assert_text (fix, "account", &a->id, "phone", "12345");
}

/* 34 the other way round, and 36: created, synced, deleted, synced: it does not come back to life. */
static void
test_delete_stays (Fix *fix, gconstpointer data)
{
  g_autofree char *sent = NULL;
  g_autofree char *then = NULL;
  g_autoptr (KtRecord) made = NULL;
  g_autoptr (KtRecord) binned = NULL;
  g_autoptr (KtQuery) query = kt_query_new (fix_object (fix, "account"));
  KtId id;

  fix_create (fix, "account", &id, "name", "Acme", NULL);
  sent = fix_take (fix);
  fix_delete (fix, "account", &id);
  g_assert_false (fix_has (fix, "account", &id));
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 2);
  made = fix_record (fix, "account", &id, 2, "name", "Acme", NULL);
  apply (fix, CHANGES (2, FALSE), made, NULL);
  g_assert_false (fix_has (fix, "account", &id));
  then = fix_take (fix);
  fix_settle (fix, 2, KT_OUTCOME_APPLIED, 3);
  binned = fix_with (fix, made, 3, "deleted_at", "2026-02-03T04:05:06Z", NULL);
  apply (fix, CHANGES (3, FALSE), binned, NULL);
  g_assert_false (fix_has (fix, "account", &id));
  g_assert_cmpint (kt_local_count (fix->local, query, NULL), ==, 0);
  query->bin = TRUE;
  g_assert_cmpint (kt_local_count (fix->local, query, NULL), ==, 1);
  fix_restore (fix, "account", &id);
  g_assert_true (fix_has (fix, "account", &id));
}

/* Epoch: pages of another life are refused until the cursor is given up; then everything is replaced, and what the
 * restored server lost is kept. */
static void
test_epoch (Fix *fix, gconstpointer data)
{
  KtId other = kt_id_new (&fix->env);
  g_autoptr (KtRecord) a = fix_record (fix, "account", NULL, 2, "name", "Both", NULL);
  g_autoptr (KtRecord) b = fix_record (fix, "account", NULL, 3, "name", "Lost by the server", NULL);
  g_autoptr (KtRecord) c = fix_record (fix, "account", NULL, 3, "name", "Only there", NULL);
  g_autoptr (KtRecord) old = fix_with (fix, a, 1, "name", "Both, older", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *sent = NULL;
  g_autofree char *again = NULL;
  g_autofree char *list = NULL;
  KtId mine;

  apply (fix, CHANGES (4, FALSE), a, b);
  fix_create (fix, "account", &mine, "name", "Mine", NULL);
  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 5);
  g_assert_false (fix_try_apply (fix, &(PageForm){ TRUE, FALSE, 1, "x", &other }, NULL, NULL, NULL,
                                 NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_EPOCH);
  g_clear_error (&error);

  /* It has nothing of this device, and the commits up to 1 in common. */
  kt_local_new_epoch (fix->local, &other, 0, 1, "2026-02-01T10:00:00.000Z", NULL, &error);
  g_assert_no_error (error);
  g_assert_true (kt_local_ready (fix->local));
  g_assert_true (fix_has (fix, "account", &b->id));
  again = fix_take (fix);
  g_assert_cmpstr (again, ==, sent);
  apply (fix, &(PageForm){ TRUE, TRUE, 3, "x1", &other }, old, NULL);
  assert_text (fix, "account", &a->id, "name", "Both");
  apply (fix, &(PageForm){ FALSE, FALSE, 3, "x2", &other }, c, NULL);
  list = fix_list (fix, "account", "name", NULL);
  g_assert_cmpstr (list, ==, "Both, older|Mine|Only there");
  g_assert_cmpint (
    fix_count (fix, "SELECT count(*) FROM kt_kept WHERE json LIKE '%Lost by the server%'"), ==, 1);
  g_assert_cmpint (kt_local_seq (fix->local), ==, 3);
}

/* P4: the digest is of what the server has, whatever lies over it. */
static void
test_digest (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a =
    fix_record (fix, "account", NULL, 2, "name", "Acme", "phone", "12345", NULL);
  g_autoptr (KtRecord) b =
    fix_record (fix, "account", NULL, 2, "name", "Béta", "billing_address", "{\"city\":\"Köln\"}",
                "annual_revenue", "12.50 EUR", "tags", "x;y", NULL);
  KtDigest due = { 0 };
  KtDigest seen = { 0 };
  g_autofree char *due_text = NULL;
  g_autofree char *seen_text = NULL;
  g_autoptr (GError) error = NULL;

  apply (fix, CHANGES (2, FALSE), a, b);
  kt_digest_add (&due, a);
  kt_digest_add (&due, b);
  fix_set (fix, "account", &b->id, "name", "Changed here");
  fix_create (fix, "account", NULL, "name", "Only here", NULL);
  fix_delete (fix, "account", &a->id);
  kt_local_digest (fix->local, a->object, &seen, &error);
  g_assert_no_error (error);
  due_text = kt_digest_string (&due);
  seen_text = kt_digest_string (&seen);
  g_assert_cmpstr (seen_text, ==, due_text);
}

/* 30: every type goes through page, table, shadow and stage unchanged. */
static void
test_round_trip (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = fix_record (
    fix, "account", NULL, 2, "name", "Ünïcode 张三 🙂 e\xcc\x81", "annual_revenue",
    "999999999999.9999 JPY", "is_person", "true", "website", "https://x.example/?a=b&c",
    "billing_address", "{\"city\":\"北京\",\"street\":\"1 \\\"A\\\"\"}", "tags", "zeta;Alpha;äöü",
    "description", "line 1\nline 2\n\tindented  ", "churn_risk", "12.3456", "nps_last", "-7",
    "protected_until", "2026-02-28", "last_activity_at", "2026-02-28T23:59:59.999Z", NULL);
  g_autoptr (KtRecord) seen = NULL;
  g_autoptr (KtRecord) under = NULL;
  g_autoptr (KtRecord) staged = fix_with (fix, a, 3, "phone", "1", NULL);
  g_autoptr (GError) error = NULL;

  apply (fix, CHANGES (2, FALSE), a, NULL);
  seen = kt_local_load (fix->local, a->object, &a->id, &error);
  for (guint i = 0; i < a->object->n_fields; i++)
    if (!kt_value_equal (&a->values[i], &seen->values[i]))
      g_error ("%s is not the same after the page", a->object->fields[i]->name);
  fix_set (fix, "account", &a->id, "phone", "55555");
  under = kt_local_load_shadow (fix->local, a->object, &a->id, &error);
  for (guint i = 0; i < a->object->n_fields; i++)
    if (!kt_value_equal (&a->values[i], &under->values[i]))
      g_error ("%s is not the same in the shadow", a->object->fields[i]->name);
  apply (fix, CHANGES (3, TRUE), staged, NULL);
  apply (fix, CHANGES (4, FALSE), NULL, NULL);
  g_clear_pointer (&under, kt_record_unref);
  under = kt_local_load_shadow (fix->local, a->object, &a->id, &error);
  for (guint i = 0; i < a->object->n_fields; i++)
    if (!kt_value_equal (&staged->values[i], &under->values[i]))
      g_error ("%s is not the same through the stage", a->object->fields[i]->name);
}

/* Many rows in one page go through the stage, too. */
static void
test_large_page (Fix *fix, gconstpointer data)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;
  gboolean done = FALSE;

  for (guint i = 0; i < 5500; i++)
    g_ptr_array_add (records, fix_record (fix, "account", NULL, i + 2, "name", "Acme", NULL));
  fix_try_apply (fix, CHANGES (6000, FALSE), records, NULL, &done, &changes, &error);
  g_assert_no_error (error);
  g_assert_true (done);
  g_assert_true (changes->everything);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM o_account"), ==, 5500);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_stage"), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define FIRST(path, func) g_test_add (path, Fix, NULL, fix_set_up, func, fix_tear_down)
#define ADD(path, func) g_test_add (path, Fix, NULL, fix_set_up_ready, func, fix_tear_down)
  FIRST ("/pull/21/first", test_first_pull);
  FIRST ("/pull/19/first-repeats", test_first_pull_repeats);
  FIRST ("/pull/26/first-anew", test_first_pull_anew);
  FIRST ("/pull/commit-before-ready", test_commit_before_ready);
  FIRST ("/pull/indices-come-back", test_indices_come_back);
  FIRST ("/pull/P13/schema-between", test_schema_between);
  ADD ("/pull/P5/26/staged", test_staged);
  ADD ("/pull/staged-twice", test_staged_twice);
  ADD ("/pull/29/never-back", test_never_back);
  ADD ("/pull/P13/other-schema", test_other_schema);
  ADD ("/pull/50/gone", test_gone);
  ADD ("/pull/48/gone-with-edit", test_gone_with_edit);
  ADD ("/pull/34/P7/edit-meets-delete", test_edit_meets_delete);
  ADD ("/pull/36/delete-stays", test_delete_stays);
  ADD ("/pull/58/epoch", test_epoch);
  ADD ("/pull/P4/digest", test_digest);
  ADD ("/pull/30/round-trip", test_round_trip);
  ADD ("/pull/large-page", test_large_page);
  return g_test_run ();
}
