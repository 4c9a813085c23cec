/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What was settled is kept for a server that loses it, and comes back; numbers, bounds, notices (P10, P11). */

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-json.h"
#include "base/kt-value.h"

#define DAY (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)

static KtId
some_id (guint8 n)
{
  return (KtId){ { 1, 2, 3, 4, 5, 6, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n } };
}

/* Creates an account that the server takes as @number at @seq, and applies its page. */
static gint64
settled (Fix *fix, gint64 number, gint64 seq, const char *name, KtId *id)
{
  gint64 no = fix_create (fix, "account", id, "name", name, NULL);
  g_autofree char *sent = fix_take (fix);
  g_autoptr (KtRecord) record = NULL;
  g_autofree char *cursor = g_strdup_printf ("c%" G_GINT64_FORMAT, seq);

  g_assert_nonnull (sent);
  fix_settle (fix, number, KT_OUTCOME_APPLIED, seq);
  record = fix_record (fix, "account", id, seq, "name", name, NULL);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, seq, cursor, NULL }, record, NULL));
  return no;
}

static void
new_epoch (Fix *fix, gint64 last, gint64 common)
{
  KtId epoch = kt_id_new (&fix->env);
  g_autoptr (GError) error = NULL;

  kt_local_new_epoch (fix->local, &epoch, last, common, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (kt_id_equal (&kt_local_identity (fix->local)->epoch, &epoch));
}

/* What the server has stays out, what it lost comes back before everything that waits, under the same ids. */
static void
test_comes_back (Fix *fix, gconstpointer data)
{
  KtId a, b, c, d;
  gint64 second, third, waiting;
  g_autofree char *sent = NULL;
  g_autoptr (KtJson) json = NULL;

  settled (fix, 1, 2, "A", &a);
  second = settled (fix, 2, 3, "B", &b);
  third = settled (fix, 3, 4, "C", &c);
  waiting = fix_create (fix, "account", &d, "name", "D", NULL);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_settled"), ==, 3);
  new_epoch (fix, 1, 2);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_settled"), ==, 1);
  fix_check (fix);
  fix_reopen (fix);
  sent = fix_take (fix);
  json = kt_json_parse (sent, -1, NULL);
  g_assert_cmpuint (kt_json_length (json), ==, 3);
  g_assert_cmpint (fix_number (fix, second), ==, 2);
  g_assert_cmpint (fix_number (fix, third), ==, 3);
  g_assert_cmpint (fix_number (fix, waiting), ==, 4);
  g_assert_true (fix_has (fix, "account", &b));
  g_assert_null (kt_local_cursor (fix->local, NULL));
  fix_check (fix);
}

/* Revs of a history that is gone name nothing, in what waits and in what is done before the new one is here. */
static void
test_bases_are_lowered (Fix *fix, gconstpointer data)
{
  KtId a, b;
  g_autoptr (KtRecord) again = NULL;
  g_autoptr (KtRecord) other = NULL;

  settled (fix, 1, 5, "A", &a);
  settled (fix, 2, 6, "B", &b);
  fix_set (fix, "account", &a, "phone", "1");
  g_assert_cmpint (fix_count (fix, "SELECT max(base_rev) FROM kt_outbox_op"), ==, 5);
  new_epoch (fix, 2, 3);
  g_assert_cmpint (fix_count (fix, "SELECT max(base_rev) FROM kt_outbox_op"), ==, 3);
  fix_set (fix, "account", &b, "phone", "2");
  g_assert_cmpint (fix_count (fix, "SELECT max(base_rev) FROM kt_outbox_op"), ==, 3);
  /* Restored once more before anything came: what is seen is of the first life still. */
  new_epoch (fix, 2, 4);
  fix_set (fix, "account", &b, "website", "b.example");
  g_assert_cmpint (fix_count (fix, "SELECT max(base_rev) FROM kt_outbox_op"), ==, 3);
  /* With the new life here its revs count. */
  again = fix_record (fix, "account", &a, 9, "name", "A", NULL);
  other = fix_record (fix, "account", &b, 9, "name", "B", NULL);
  kt_change_set_unref (fix_apply (
    fix, &(PageForm){ TRUE, FALSE, 9, "c9", &kt_local_identity (fix->local)->epoch }, again, other, NULL));
  fix_set (fix, "account", &b, "website", "c.example");
  g_assert_cmpint (fix_count (fix, "SELECT max(base_rev) FROM kt_outbox_op"), ==, 9);
  fix_check (fix);
}

/* Another device: everything that has no verdict waits under its own ids, and what was refused stays. */
static void
test_new_device (Fix *fix, gconstpointer data)
{
  gint64 first = fix_create (fix, "account", NULL, "name", "A", NULL);
  gint64 second = fix_create (fix, "account", NULL, "name", "B", NULL);
  gint64 third = fix_create (fix, "account", NULL, "name", "C", NULL);
  g_autofree char *sent = fix_take (fix);
  g_autofree char *again = NULL;
  g_autoptr (KtJson) before = NULL;
  g_autoptr (KtJson) after = NULL;
  KtId device = some_id (7);
  g_autoptr (GError) error = NULL;

  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 9); /* its page is not here */
  fix_settle (fix, 2, KT_OUTCOME_REFUSED, 10);
  kt_local_new_device (fix->local, &device, 4, NULL, &error);
  g_assert_no_error (error);
  fix_reopen (fix);
  g_assert_true (kt_id_equal (&kt_local_identity (fix->local)->device, &device));
  g_assert_cmpint (fix_state (fix, first), ==, KT_OUTBOX_QUEUED);
  g_assert_cmpint (fix_state (fix, second), ==, KT_OUTBOX_PARKED);
  fix_check (fix);
  again = fix_take (fix);
  g_assert_cmpint (fix_number (fix, first), ==, 5);
  g_assert_cmpint (fix_number (fix, third), ==, 6);
  before = kt_json_parse (sent, -1, NULL);
  after = kt_json_parse (again, -1, NULL);
  g_assert_cmpuint (kt_json_length (after), ==, 2);
  g_assert_cmpstr (kt_json_get_string (kt_json_at (before, 0), "id", "x"), ==,
                   kt_json_get_string (kt_json_at (after, 0), "id", "y"));
  g_assert_cmpstr (kt_json_get_string (kt_json_at (before, 2), "id", "x"), ==,
                   kt_json_get_string (kt_json_at (after, 1), "id", "y"));
  /* Its old numbers mean nothing any more. */
  fix_settle (fix, 3, KT_OUTCOME_APPLIED, 11);
  g_assert_cmpint (fix_state (fix, third), ==, KT_OUTBOX_SENT);
}

/* A sign-in that brings another device does the same, and what is here stays of the life it came from. */
static void
test_sign_in_as_another_device (Fix *fix, gconstpointer data)
{
  gint64 first = fix_create (fix, "account", NULL, "name", "A", NULL);
  g_autofree char *sent = fix_take (fix);
  KtIdentity identity = *kt_local_identity (fix->local);
  KtId epoch = identity.epoch;
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (sent);
  identity.device = some_id (9);
  identity.epoch = some_id (10);
  kt_local_sign_in (fix->local, &identity, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fix_state (fix, first), ==, KT_OUTBOX_QUEUED);
  g_assert_true (kt_id_equal (&kt_local_identity (fix->local)->epoch, &epoch));
  fix_check (fix);
}

/* An entry that came back does not wait for a parked one which it passed the first time. */
static void
test_not_held_up (Fix *fix, gconstpointer data)
{
  KtId a;
  gint64 parked, through, later;
  g_autofree char *sent = NULL;
  g_autofree char *again = NULL;
  g_autoptr (KtJson) json = NULL;
  g_autoptr (KtRecord) page = NULL;

  settled (fix, 1, 2, "A", &a);
  parked = fix_set (fix, "account", &a, "phone", "1");
  through = fix_set (fix, "account", &a, "website", "a.example");
  sent = fix_take (fix);
  fix_settle (fix, 2, KT_OUTCOME_REFUSED, 3);
  fix_settle (fix, 3, KT_OUTCOME_APPLIED, 4);
  page = fix_record (fix, "account", &a, 4, "name", "A", "website", "a.example", NULL);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 4, "c4", NULL }, page, NULL));
  later = fix_set (fix, "account", &a, "website", "b.example");
  new_epoch (fix, 1, 2);
  again = fix_take (fix);
  json = kt_json_parse (again, -1, NULL);
  g_assert_cmpuint (kt_json_length (json), ==, 1);
  g_assert_cmpint (fix_number (fix, through), ==, 2);
  g_assert_cmpint (fix_state (fix, parked), ==, KT_OUTBOX_PARKED);
  g_assert_cmpint (fix_state (fix, later), ==, KT_OUTBOX_QUEUED);
  fix_check (fix);
}

/* 50,000 of them, 64 MiB, 90 days of its own counting: the oldest go first, and that is said. */
static void
test_bounds (Fix *fix, gconstpointer data)
{
  KtId a, b, c, d;
  g_autoptr (GPtrArray) notices = NULL;
  g_autofree char *words = NULL;
  gint64 bytes;

  settled (fix, 1, 2, "A", &a);
  settled (fix, 2, 3, "B", &b);
  g_assert_cmpint (fix_count (fix, "SELECT CAST(value AS INTEGER) FROM kt_meta WHERE key='kt:kept_count'"),
                   ==, 2);
  bytes = fix_count (fix, "SELECT sum(bytes) FROM kt_settled");
  g_assert_cmpint (bytes, ==, fix_count (fix, "SELECT sum(length(json)) FROM kt_settled"));
  g_assert_cmpint (fix_count (fix, "SELECT CAST(value AS INTEGER) FROM kt_meta WHERE key='kt:kept_bytes'"),
                   ==, bytes);

  /* By number. */
  g_assert_true (kt_db_exec (kt_local_db (fix->local),
                             "UPDATE kt_meta SET value='50000' WHERE key='kt:kept_count'", NULL));
  settled (fix, 3, 4, "C", &c);
  g_assert_cmpint (fix_count (fix, "SELECT min(number) FROM kt_settled"), ==, 2);
  g_assert_true (kt_db_exec (kt_local_db (fix->local),
                             "UPDATE kt_meta SET value='2' WHERE key='kt:kept_count'", NULL));
  /* By size. */
  g_assert_true (kt_db_exec (kt_local_db (fix->local),
                             "UPDATE kt_meta SET value='67108864' WHERE key='kt:kept_bytes'", NULL));
  settled (fix, 4, 5, "D", &d);
  g_assert_cmpint (fix_count (fix, "SELECT min(number) FROM kt_settled"), >, 2);
  new_epoch (fix, 0, 0);
  notices = kt_local_notices (fix->local, NULL);
  g_assert_cmpuint (notices->len, ==, 1);
  g_assert_cmpint (((KtNotice *) g_ptr_array_index (notices, 0))->lost, >=, 2);
  words = kt_notice_words (g_ptr_array_index (notices, 0), "en");
  g_assert_nonnull (strstr (words, "too old to be kept here"));
}

/* P9: a clock that jumps by years is a day, one that goes back is nothing. */
static void
test_age (Fix *fix, gconstpointer data)
{
  KtId id;

  settled (fix, 1, 2, "A", &id);
  fix->now += 3650 * DAY;
  settled (fix, 2, 3, "B", &id);
  fix->now -= 7300 * DAY;
  settled (fix, 3, 4, "C", &id);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_settled"), ==, 3);
  for (gint64 i = 4; i < 97; i++)
    {
      fix->now += DAY;
      settled (fix, i, i + 1, "More", &id);
    }
  /* A was 94 days old, by two days' count; the last 90 days are here. */
  g_assert_cmpint (fix_count (fix, "SELECT min(number) FROM kt_settled"), >, 3);
  g_assert_cmpint (fix_count (fix, "SELECT min(number) FROM kt_settled"), <=, 8);
}

/* P13: what an older schema's entry names may be gone when it comes back: it parks, with its words. */
static void
test_object_is_gone (Fix *fix, gconstpointer data)
{
  KtId id;
  gint64 no = settled (fix, 1, 2, "A", &id);
  g_autoptr (GPtrArray) entries = NULL;
  const KtOutboxEntry *entry;

  g_assert_true (kt_db_exec (
    kt_local_db (fix->local),
    "UPDATE kt_settled SET json=replace(json, '\"object\":\"account\"', '\"object\":\"dragon\"')", NULL));
  new_epoch (fix, 0, 0);
  entries = kt_local_outbox (fix->local, 0, NULL);
  g_assert_cmpuint (entries->len, ==, 1);
  entry = g_ptr_array_index (entries, 0);
  g_assert_cmpint (entry->no, ==, no);
  g_assert_cmpint (entry->state, ==, KT_OUTBOX_PARKED);
  g_assert_nonnull (strstr (entry->reason, "dragon"));
}

static void
test_five_notices (Fix *fix, gconstpointer data)
{
  g_autoptr (GPtrArray) notices = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *words = NULL;

  for (guint8 i = 0; i < 7; i++)
    {
      KtId device = some_id (i);

      kt_local_new_device (fix->local, &device, 0, NULL, &error);
      g_assert_no_error (error);
    }
  notices = kt_local_notices (fix->local, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (notices->len, ==, 5);
  words = kt_notice_words (g_ptr_array_index (notices, 4), "zh");
  g_assert_nonnull (strstr (words, "副本"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fix, NULL, fix_set_up_ready, func, fix_tear_down)
  ADD ("/life/P10-comes-back", test_comes_back);
  ADD ("/life/P10-bases-are-lowered", test_bases_are_lowered);
  ADD ("/life/P11-new-device", test_new_device);
  ADD ("/life/P10-sign-in-as-another-device", test_sign_in_as_another_device);
  ADD ("/life/P12-not-held-up", test_not_held_up);
  ADD ("/life/bounds", test_bounds);
  ADD ("/life/P9-age", test_age);
  ADD ("/life/P13-object-is-gone", test_object_is_gone);
  ADD ("/life/five-notices", test_five_notices);
  return g_test_run ();
}
