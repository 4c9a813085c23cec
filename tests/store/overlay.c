/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"

static void
test_commit_is_seen (Fix *fix, gconstpointer data)
{
  g_autofree char *list = NULL;
  g_autofree char *sent = NULL;
  KtId id;
  gint64 no = fix_create (fix, "account", &id, "name", "Acme", "phone", "+49 30 123456", NULL);

  g_assert_cmpint (no, >, 0);
  assert_text (fix, "account", &id, "name", "Acme");
  assert_text (fix, "account", &id, "type", "prospect");
  g_assert_cmpuint (fix_waiting (fix), ==, 1);
  g_assert_cmpint (fix_state (fix, no), ==, KT_OUTBOX_QUEUED);
  list = fix_list (fix, "account", "name", NULL);
  g_assert_cmpstr (list, ==, "Acme");
  sent = fix_take (fix);
  g_assert_nonnull (sent);
  g_assert_nonnull (strstr (sent, "\"number\":1,"));
  g_assert_nonnull (strstr (sent, "\"owner\":[null,"));
  g_assert_cmpint (fix_state (fix, no), ==, KT_OUTBOX_SENT);
  fix_check (fix);
}

/* P1, I3: what is committed is there after a restart, record and outbox entry. */
static void
test_survives_restart (Fix *fix, gconstpointer data)
{
  KtId id;

  fix_create (fix, "account", &id, "name", "Acme", NULL);
  fix_reopen (fix);
  assert_text (fix, "account", &id, "name", "Acme");
  g_assert_cmpuint (fix_waiting (fix), ==, 1);
}

/* I4: an entry leaves with its page, not with its verdict. */
static void
test_leaves_with_page (Fix *fix, gconstpointer data)
{
  g_autofree char *sent = NULL;
  g_autoptr (KtRecord) mine = NULL;
  g_autoptr (KtChangeSet) changes = NULL;
  KtId id;

  fix_create (fix, "account", &id, "name", "Acme", NULL);
  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 5);
  g_assert_cmpuint (fix_waiting (fix), ==, 0);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 1);
  assert_text (fix, "account", &id, "name", "Acme");

  changes = fix_apply (fix, &(PageForm){ FALSE, FALSE, 4, "c4", NULL }, NULL);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 1);
  assert_text (fix, "account", &id, "name", "Acme");

  mine = fix_record (fix, "account", &id, 5, "name", "Acme", "type", "prospect", NULL);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 5, "c5", NULL }, mine, NULL));
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 0);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_shadow"), ==, 0);
  assert_text (fix, "account", &id, "name", "Acme");
}

/* Scenario 1 and 2: the reply is lost, the pull comes before the repeat: one record, and the repeat has the same bytes. */
static void
test_pull_before_repeat (Fix *fix, gconstpointer data)
{
  g_autofree char *sent = NULL;
  g_autofree char *again = NULL;
  g_autofree char *list = NULL;
  g_autoptr (KtRecord) mine = NULL;
  KtId id;

  fix_create (fix, "account", &id, "name", "Acme", NULL);
  sent = fix_take (fix);
  mine = fix_record (fix, "account", &id, 5, "name", "Acme", "type", "prospect", NULL);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 7, "c7", NULL }, mine, NULL));
  list = fix_list (fix, "account", "name", NULL);
  g_assert_cmpstr (list, ==, "Acme");
  g_assert_cmpuint (fix_waiting (fix), ==, 1);

  again = fix_take (fix);
  g_assert_cmpstr (again, ==, sent);
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 5);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 0);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_shadow"), ==, 0);
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 5);
  assert_text (fix, "account", &id, "name", "Acme");
}

/* Scenario 10: edited again while the first edit was on its way: the older snapshot does not win. */
static void
test_edit_while_pushed (Fix *fix, gconstpointer data)
{
  g_autofree char *sent = NULL;
  g_autofree char *then = NULL;
  g_autoptr (KtRecord) server = fix_record (fix, "account", NULL, 2, "name", "Acme", NULL);
  g_autoptr (KtRecord) first = NULL;
  g_autoptr (KtRecord) second = NULL;

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c2", NULL }, server, NULL));
  fix_set (fix, "account", &server->id, "name", "Acme 1");
  sent = fix_take (fix);
  fix_set (fix, "account", &server->id, "name", "Acme 2");
  fix_set (fix, "account", &server->id, "phone", "12345");
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 3);
  first = fix_with (fix, server, 3, "name", "Acme 1", "website", "https://acme.example", NULL);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 3, "c3", NULL }, first, NULL));
  assert_text (fix, "account", &server->id, "name", "Acme 2");
  assert_text (fix, "account", &server->id, "phone", "12345");
  assert_text (fix, "account", &server->id, "website", "https://acme.example");

  then = fix_take (fix);
  g_assert_nonnull (strstr (then, "\"name\":[\"Acme 1\",\"Acme 2\"]"));
  fix_settle (fix, 2, KT_OUTCOME_APPLIED, 4);
  fix_settle (fix, 3, KT_OUTCOME_APPLIED, 5);
  second = fix_with (fix, first, 5, "name", "Acme 2", "phone", "12345", NULL);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 5, "c5", NULL }, second, NULL));
  assert_text (fix, "account", &server->id, "name", "Acme 2");
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fix, NULL, fix_set_up_ready, func, fix_tear_down)
  ADD ("/overlay/commit-is-seen", test_commit_is_seen);
  ADD ("/overlay/P1/survives-restart", test_survives_restart);
  ADD ("/overlay/I4/leaves-with-page", test_leaves_with_page);
  ADD ("/overlay/2/pull-before-repeat", test_pull_before_repeat);
  ADD ("/overlay/10/edit-while-pushed", test_edit_while_pushed);
  return g_test_run ();
}
