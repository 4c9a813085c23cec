/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "../support/kt-rig.h"

/* Two people change one thing (P6, P7, P9): every policy, deletes against edits, and the review queue. */

typedef struct
{
  Rig *rig;
  Device *a, *b;
  KtId id;
} Pair;

static void
pair_init (Pair *pair, const char *assignment)
{
  pair->rig = rig_new ();
  pair->a = device_new (pair->rig, "A", "anna");
  pair->b = device_new (pair->rig, "B", "ben");
  pair->id = device_create (pair->a, "account", "name=Acme", assignment, NULL);
  device_sync (pair->a);
  device_sync (pair->b);
}

static void
pair_clear (Pair *pair)
{
  rig_free (pair->rig);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pair, pair_clear)

/* Both write while apart; anna is the first to reach the server. */
static void
both_write (Pair *pair, const char *as, const char *bs)
{
  device_set (pair->a, "account", &pair->id, as);
  device_set (pair->b, "account", &pair->id, bs);
  device_sync (pair->a);
  device_sync (pair->b);
  device_sync (pair->a);
}

static void
assert_both (Pair *pair, const char *field, const char *expected)
{
  assert_value (pair->a, "account", &pair->id, field, expected);
  assert_value (pair->b, "account", &pair->id, field, expected);
}

static void
assert_in_history (Device *device, const KtId *id, const char *text)
{
  g_autofree char *history = device_history (device, "account", id);

  if (strstr (history, text) == NULL)
    g_error ("%s is not in %s", text, history);
}

/* Different fields merge in silence. */
static void
test_different_fields (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "phone=0");
  both_write (&pair, "phone=1", "website=acme.example");
  assert_both (&pair, "phone", "\"1\"");
  assert_both (&pair, "website", "\"acme.example\"");
  assert_counts (pair.a, 0, 0, 0, 0);
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_all_equal (pair.rig);
}

static void
test_equal_values (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "phone=0");
  both_write (&pair, "phone=1", "phone=1");
  assert_both (&pair, "phone", "\"1\"");
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_all_equal (pair.rig);
}

/* latest, mine: the later to arrive stands, the other is in the ledger. */
static void
test_latest (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "mascot=owl");
  both_write (&pair, "mascot=fox", "mascot=bear");
  assert_both (&pair, "mascot", "\"bear\"");
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_in_history (pair.a, &pair.id, "\"fox\"");
  assert_all_equal (pair.rig);
}

static void
test_mine (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "slogan=Old");
  both_write (&pair, "slogan=From anna", "slogan=From ben");
  assert_both (&pair, "slogan", "\"From ben\"");
  assert_in_history (pair.a, &pair.id, "From anna");
  assert_all_equal (pair.rig);
}

/* server: what stands stays; what I wrote is kept. */
static void
test_server (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "credit=C");
  both_write (&pair, "credit=A", "credit=B");
  assert_both (&pair, "credit", "\"A\"");
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_in_history (pair.b, &pair.id, "superseded");
  assert_in_history (pair.b, &pair.id, "\"B\"");
  assert_all_equal (pair.rig);
}

static void
test_union (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "tags=old;kept");
  both_write (&pair, "tags=kept;vip", "tags=old;kept;east");
  assert_both (&pair, "tags", "[\"east\",\"kept\",\"vip\"]");
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_all_equal (pair.rig);
}

static void
test_sum (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "visits=10");
  both_write (&pair, "visits=11", "visits=11");
  assert_both (&pair, "visits", "12");
  both_write (&pair, "visits=15", "visits=10");
  assert_both (&pair, "visits", "13");
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_all_equal (pair.rig);
}

static void
test_text (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "description=one\ntwo\nthree\nfour");
  both_write (&pair, "description=ONE\ntwo\nthree\nfour", "description=one\ntwo\nthree\nFOUR");
  assert_both (&pair, "description", "\"ONE\\ntwo\\nthree\\nFOUR\"");
  assert_counts (pair.b, 0, 0, 0, 0);

  /* The same line: a person decides. */
  both_write (&pair, "description=1\ntwo\nthree\nFOUR", "description=I\ntwo\nthree\nFOUR");
  assert_counts (pair.b, 0, 0, 0, 1);
  assert_both (&pair, "description", "\"1\\ntwo\\nthree\\nFOUR\"");
  device_resolve (pair.b, 0, "theirs");
  device_sync (pair.b);
  assert_counts (pair.b, 0, 0, 0, 0);
  device_sync (pair.a);
  assert_all_equal (pair.rig);
}

/* state: the transition from what stands must be allowed. */
static void
test_state (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId account = device_create (a, "account", "name=Acme", NULL);
  g_autofree char *reference = rig_reference ("account", NULL, &account);
  g_autoptr (GPtrArray) reviews = NULL;
  KtId id = device_create (a, "order", reference, "order_date=2026-01-31", NULL);

  device_sync (a);
  device_sync (b);
  /* draft → confirmed, and then shipped: allowed. */
  device_set (a, "order", &id, "status=confirmed");
  device_sync (a);
  device_sync (b);
  device_set (a, "order", &id, "status=in_production");
  device_set (b, "order", &id, "status=shipped");
  device_sync (a);
  device_sync (b);
  assert_value (b, "order", &id, "status", "\"shipped\"");
  assert_counts (b, 0, 0, 0, 0);
  device_sync (a);

  /* shipped → cancelled here, → delivered there: delivered does not lead to cancelled. */
  device_set (a, "order", &id, "status=delivered");
  device_set (b, "order", &id, "status=cancelled");
  device_sync (a);
  device_sync (b);
  device_sync (a);
  assert_value (a, "order", &id, "status", "\"delivered\"");
  assert_value (b, "order", &id, "status", "\"delivered\"");
  assert_counts (b, 0, 0, 0, 1);
  reviews = device_reviews (b);
  g_assert_cmpstr (review_text (reviews, 0, "mine"), ==, "\"cancelled\"");
  assert_all_equal (rig);
}

/* review: theirs stands until a person decides; mine and theirs are never swapped (47). */
static void
test_review_mine (void)
{
  g_auto (Pair) pair = { 0 };
  g_autoptr (GPtrArray) reviews = NULL;

  pair_init (&pair, "phone=0");
  both_write (&pair, "phone=1", "phone=2");
  assert_both (&pair, "phone", "\"1\"");
  assert_counts (pair.a, 0, 0, 0, 0);
  assert_counts (pair.b, 0, 0, 0, 1);
  reviews = device_reviews (pair.b);
  g_assert_cmpstr (review_text (reviews, 0, "kind"), ==, "field");
  g_assert_cmpstr (review_text (reviews, 0, "field"), ==, "phone");
  g_assert_cmpstr (review_text (reviews, 0, "base"), ==, "\"0\"");
  g_assert_cmpstr (review_text (reviews, 0, "mine"), ==, "\"2\"");
  g_assert_cmpstr (review_text (reviews, 0, "theirs"), ==, "\"1\"");

  device_resolve (pair.b, 0, "mine");
  device_sync (pair.b);
  device_sync (pair.a);
  assert_both (&pair, "phone", "\"2\"");
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_all_equal (pair.rig);
}

static void
test_review_theirs (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "phone=0");
  both_write (&pair, "phone=1", "phone=2");
  device_resolve (pair.b, 0, "theirs");
  device_sync (pair.b);
  device_sync (pair.a);
  assert_both (&pair, "phone", "\"1\"");
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_in_history (pair.a, &pair.id, "\"2\"");
  assert_all_equal (pair.rig);
}

/* Decided on two devices of one person: the second decision is refused, and kept. */
static void
test_review_twice (void)
{
  g_auto (Pair) pair = { 0 };
  Device *b2;

  pair_init (&pair, "phone=0");
  both_write (&pair, "phone=1", "phone=2");
  b2 = device_new (pair.rig, "B2", "ben");
  assert_counts (b2, 0, 0, 0, 1);
  device_resolve (pair.b, 0, "mine");
  device_resolve (b2, 0, "theirs");
  device_sync (pair.b);
  device_sync (b2);
  assert_value (b2, "account", &pair.id, "phone", "\"2\"");
  assert_counts (b2, 0, 0, 1, 0);
}

/* Three devices, three values: two losers, each with its own item, none lost. */
static void
test_three_devices (void)
{
  g_auto (Pair) pair = { 0 };
  Device *c;

  pair_init (&pair, "phone=0");
  c = device_new (pair.rig, "C", "carl");
  device_set (pair.a, "account", &pair.id, "phone=1");
  device_set (pair.b, "account", &pair.id, "phone=2");
  device_set (c, "account", &pair.id, "phone=3");
  device_sync (pair.a);
  device_sync (pair.b);
  device_sync (c);
  assert_counts (pair.b, 0, 0, 0, 1);
  assert_counts (c, 0, 0, 0, 1);
  device_resolve (pair.b, 0, "mine");
  device_sync (pair.b);
  device_sync (c);
  assert_value (c, "account", &pair.id, "phone", "\"2\"");
  /* Carl decides knowing what he sees now. */
  device_resolve (c, 0, "mine");
  device_sync (c);
  device_sync (pair.a);
  device_sync (pair.b);
  assert_both (&pair, "phone", "\"3\"");
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_counts (c, 0, 0, 0, 0);
  assert_in_history (c, &pair.id, "\"1\"");
  assert_in_history (c, &pair.id, "\"2\"");
  assert_all_equal (pair.rig);
}

/* 34. Delete against edit, the edit first: the record stays, who deleted is asked. */
static void
test_edit_then_delete (void)
{
  g_auto (Pair) pair = { 0 };
  g_autoptr (GPtrArray) reviews = NULL;

  pair_init (&pair, "phone=0");
  device_set (pair.a, "account", &pair.id, "phone=1");
  device_delete (pair.b, "account", &pair.id);
  device_sync (pair.a);
  device_sync (pair.b);
  device_sync (pair.a);
  g_assert_false (device_binned (pair.a, "account", &pair.id));
  g_assert_false (device_binned (pair.b, "account", &pair.id));
  assert_both (&pair, "phone", "\"1\"");
  assert_counts (pair.b, 0, 0, 0, 1);
  reviews = device_reviews (pair.b);
  g_assert_cmpstr (review_text (reviews, 0, "kind"), ==, "delete_edit");

  /* Deleted after all. */
  device_resolve (pair.b, 0, "mine");
  device_sync (pair.b);
  device_sync (pair.a);
  g_assert_true (device_binned (pair.a, "account", &pair.id));
  g_assert_true (device_binned (pair.b, "account", &pair.id));
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_all_equal (pair.rig);
}

/* 34. The delete first: the record returns with the edit, and both are told. */
static void
test_delete_then_edit (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "phone=0");
  device_delete (pair.a, "account", &pair.id);
  device_set (pair.b, "account", &pair.id, "phone=2");
  device_sync (pair.a);
  g_assert_true (device_binned (pair.a, "account", &pair.id));
  device_sync (pair.b);
  device_sync (pair.a);
  g_assert_false (device_binned (pair.a, "account", &pair.id));
  g_assert_false (device_binned (pair.b, "account", &pair.id));
  assert_both (&pair, "phone", "\"2\"");
  assert_counts (pair.a, 0, 0, 0, 1);
  assert_all_equal (pair.rig);
}

static void
test_both_delete_and_restore (void)
{
  g_auto (Pair) pair = { 0 };

  pair_init (&pair, "phone=0");
  device_delete (pair.a, "account", &pair.id);
  device_delete (pair.b, "account", &pair.id);
  device_sync (pair.a);
  device_sync (pair.b);
  assert_counts (pair.b, 0, 0, 0, 0);
  device_restore (pair.b, "account", &pair.id);
  device_sync (pair.b);
  device_sync (pair.a);
  g_assert_false (device_binned (pair.a, "account", &pair.id));
  assert_all_equal (pair.rig);
}

/* 36. Create–sync–delete–sync quickly does not resurrect, whichever answers get lost. */
static void
test_no_resurrection (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId id = device_create (a, "account", "name=Brief", NULL);

  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  device_delete (a, "account", &id);
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  g_assert_true (device_binned (a, "account", &id));
  device_sync (b);
  device_sync (a);
  device_sync (b);
  g_assert_true (device_binned (a, "account", &id));
  g_assert_true (device_binned (b, "account", &id));
  assert_counts (a, 0, 0, 0, 0);
  assert_all_equal (rig);

  /* All in one push. */
  id = device_create (a, "account", "name=Briefer", NULL);
  device_set (a, "account", &id, "phone=1");
  device_delete (a, "account", &id);
  device_sync (a);
  device_sync (b);
  g_assert_true (device_binned (b, "account", &id));
  assert_counts (a, 0, 0, 0, 0);
  assert_all_equal (rig);
}

/* 37. The same id created on two devices: nothing either wrote is lost. */
static void
test_same_id (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId id = kt_id_new (&a->clock.env);
  g_autofree char *history = NULL;

  device_create_id (a, "account", &id, "name=First", "phone=1", NULL);
  device_create_id (b, "account", &id, "name=Second", "website=second.example", NULL);
  device_sync (a);
  device_sync (b);
  device_sync (a);
  history = device_history (a, "account", &id);
  g_assert_nonnull (strstr (history, "First"));
  g_assert_nonnull (strstr (history, "Second"));
  assert_value (a, "account", &id, "website", "\"second.example\"");
  assert_all_equal (rig);
}

/* 39. The parent is deleted there, a child created here: it waits in review with its parent. */
static void
test_child_under_deleted_parent (void)
{
  g_auto (Pair) pair = { 0 };
  g_autofree char *parent = NULL;
  g_autoptr (GPtrArray) reviews = NULL;
  KtId child;

  pair_init (&pair, "phone=0");
  device_delete (pair.a, "account", &pair.id);
  device_sync (pair.a);
  parent = rig_reference ("account", NULL, &pair.id);
  child = device_create (pair.b, "opportunity", "name=Big deal", parent, NULL);
  device_sync (pair.b);
  assert_counts (pair.b, 0, 0, 0, 1);
  reviews = device_reviews (pair.b);
  g_assert_cmpstr (review_text (reviews, 0, "kind"), ==, "orphan");
  assert_value (pair.b, "opportunity", &child, "name", "\"Big deal\"");

  device_resolve (pair.b, 0, "mine");
  device_sync (pair.b);
  device_sync (pair.a);
  g_assert_false (device_binned (pair.a, "account", &pair.id));
  assert_value (pair.a, "opportunity", &child, "name", "\"Big deal\"");
  assert_counts (pair.b, 0, 0, 0, 0);
  assert_all_equal (pair.rig);
}

/* 63. A clock years ahead neither wins, loses, loops nor is refused; nor one years behind. */
static void
test_clocks (void)
{
  const gint64 year = G_GINT64_CONSTANT (31557600000000);

  for (int i = -1; i <= 1; i += 2)
    {
      g_auto (Pair) pair = { 0 };

      pair_init (&pair, "mascot=owl");
      pair.b->clock.wall_us += i * 10 * year;
      both_write (&pair, "mascot=fox", "mascot=bear");
      assert_both (&pair, "mascot", "\"bear\"");
      /* And the other way round: the later to arrive, whatever its clock says. */
      device_set (pair.b, "account", &pair.id, "mascot=hare");
      device_set (pair.a, "account", &pair.id, "mascot=crow");
      device_sync (pair.b);
      device_sync (pair.a);
      device_sync (pair.b);
      assert_both (&pair, "mascot", "\"crow\"");
      assert_counts (pair.b, 0, 0, 0, 0);
      assert_all_equal (pair.rig);
    }
}

/* 30. Values survive both databases and the wire unchanged. */
static void
test_values (void)
{
  g_auto (Pair) pair = { 0 };
  static const struct
  {
    const char *assignment, *field, *wire;
  } values[] = {
    { "description=  blanks kept  \n\n", "description", "\"  blanks kept  \\n\\n\"" },
    { "legal_name=Zoë \xf0\x9f\xa6\x89 株式会社", "legal_name",
      "\"Zoë \xf0\x9f\xa6\x89 株式会社\"" },
    { "annual_revenue=12345678901.2345 EUR", "annual_revenue",
      "{\"amount\":\"12345678901.2345\",\"currency\":\"EUR\"}" },
    { "annual_revenue=-0.1 JPY", "annual_revenue", "{\"amount\":\"-0.1\",\"currency\":\"JPY\"}" },
    { "founded_year=-1", "founded_year", "-1" },
    { "billing_address={\"city\":\"Köln\",\"street\":\"Am \\\"Dom\\\"\"}", "billing_address",
      "{\"city\":\"Köln\",\"street\":\"Am \\\"Dom\\\"\"}" },
    { "tags=b;a;b", "tags", "[\"a\",\"b\"]" },
  };

  pair_init (&pair, "phone=0");
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      device_set (pair.a, "account", &pair.id, values[i].assignment);
      device_sync (pair.a);
      device_sync (pair.b);
      assert_both (&pair, values[i].field, values[i].wire);
    }
  assert_all_equal (pair.rig);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/P6/different-fields", test_different_fields);
  g_test_add_func ("/P6/equal-values", test_equal_values);
  g_test_add_func ("/P6/latest", test_latest);
  g_test_add_func ("/P6/mine", test_mine);
  g_test_add_func ("/P6/server", test_server);
  g_test_add_func ("/P6/union", test_union);
  g_test_add_func ("/P6/sum", test_sum);
  g_test_add_func ("/P6/text", test_text);
  g_test_add_func ("/P6/state", test_state);
  g_test_add_func ("/P6/review-mine", test_review_mine);
  g_test_add_func ("/P6/review-theirs", test_review_theirs);
  g_test_add_func ("/P6/review-twice", test_review_twice);
  g_test_add_func ("/P6/three-devices", test_three_devices);
  g_test_add_func ("/P7/34-edit-then-delete", test_edit_then_delete);
  g_test_add_func ("/P7/34-delete-then-edit", test_delete_then_edit);
  g_test_add_func ("/P7/both-delete-and-restore", test_both_delete_and_restore);
  g_test_add_func ("/P7/36-no-resurrection", test_no_resurrection);
  g_test_add_func ("/P2/37-same-id", test_same_id);
  g_test_add_func ("/P7/39-child-under-deleted-parent", test_child_under_deleted_parent);
  g_test_add_func ("/P9/63-clocks", test_clocks);
  g_test_add_func ("/P4/30-values", test_values);
  return g_test_run ();
}
