/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "../support/kt-rig.h"
#include "store/kt-news.h"

/* What a person decides in the review queue, and thinks better of. */

typedef struct
{
  Rig *rig;
  Device *a, *b;
  KtId id;
} Clash;

/* Anna writes phone=1 and Ben phone=2 over 0: Ben is asked. */
static void
clash_init (Clash *clash)
{
  clash->rig = rig_new ();
  clash->a = device_new (clash->rig, "A", "anna");
  clash->b = device_new (clash->rig, "B", "ben");
  clash->id = device_create (clash->a, "account", "name=Acme", "phone=0", NULL);
  device_sync (clash->a);
  device_sync (clash->b);
  device_set (clash->a, "account", &clash->id, "phone=1");
  device_set (clash->b, "account", &clash->id, "phone=2");
  device_sync (clash->a);
  device_sync (clash->b);
  assert_counts (clash->b, 0, 0, 0, 1);
}

static void
clash_clear (Clash *clash)
{
  g_clear_pointer (&clash->rig, rig_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Clash, clash_clear)

/* Decides, and tells under which number, so that it can be taken back after it is gone. */
static gint64
decide (Device *device, const char *take)
{
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;
  gint64 no;

  device_resolve (device, 0, take);
  entries = kt_local_outbox (device->local, 100, &error);
  g_assert_no_error (error);
  no = ((KtOutboxEntry *) entries->pdata[entries->len - 1])->no;
  device_sync (device);
  assert_counts (device, 0, 0, 0, 0);
  return no;
}

static void
take_back (Device *device, gint64 no)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtMutation) inverse = kt_local_inverse (device->local, no, &error);
  KtChangeSet *changes = NULL;

  g_assert_no_error (error);
  kt_local_commit (device->local, inverse, NULL, &changes, &error);
  g_assert_no_error (error);
  g_clear_pointer (&changes, kt_change_set_unref);
}

static void
assert_item (Device *device, const char *base, const char *mine, const char *theirs)
{
  g_autoptr (GPtrArray) reviews = device_reviews (device);

  g_assert_cmpuint (reviews->len, ==, 1);
  g_assert_cmpstr (review_text (reviews, 0, "base"), ==, base);
  g_assert_cmpstr (review_text (reviews, 0, "mine"), ==, mine);
  g_assert_cmpstr (review_text (reviews, 0, "theirs"), ==, theirs);
}

/* P6: taken back after everybody has it: the value is back, the question is open, mine and theirs as they were (47). */
static void
test_taken_back (void)
{
  g_auto (Clash) clash = { 0 };
  gint64 no;

  clash_init (&clash);
  no = decide (clash.b, "mine");
  device_sync (clash.a);
  assert_value (clash.a, "account", &clash.id, "phone", "\"2\"");
  take_back (clash.b, no);
  assert_counts (clash.b, 1, 0, 0, 1);
  assert_item (clash.b, "\"0\"", "\"2\"", "\"1\"");
  device_sync (clash.b);
  device_sync (clash.a);
  assert_value (clash.a, "account", &clash.id, "phone", "\"1\"");
  assert_counts (clash.b, 0, 0, 0, 1);
  assert_item (clash.b, "\"0\"", "\"2\"", "\"1\"");
  assert_all_equal (clash.rig);

  /* And it can be decided again. */
  decide (clash.b, "theirs");
  device_sync (clash.a);
  assert_value (clash.a, "account", &clash.id, "phone", "\"1\"");
  assert_all_equal (clash.rig);
}

/* P6: somebody has written over the decision: that stays, and is what mine stands against now. */
static void
test_taken_back_late (void)
{
  g_auto (Clash) clash = { 0 };
  gint64 no;

  clash_init (&clash);
  no = decide (clash.b, "mine");
  device_sync (clash.a);
  device_set (clash.a, "account", &clash.id, "phone=7");
  device_sync (clash.a);
  device_sync (clash.b);
  take_back (clash.b, no);
  device_sync (clash.b);
  device_sync (clash.a);
  assert_value (clash.a, "account", &clash.id, "phone", "\"7\"");
  assert_value (clash.b, "account", &clash.id, "phone", "\"7\"");
  assert_item (clash.b, "\"0\"", "\"2\"", "\"7\"");
  assert_all_equal (clash.rig);
}

/* Taken back on one device while the question came up anew: nobody is asked twice. */
static void
test_taken_back_twin (void)
{
  g_auto (Clash) clash = { 0 };
  gint64 no;

  clash_init (&clash);
  no = decide (clash.b, "theirs");
  device_sync (clash.a);
  device_set (clash.a, "account", &clash.id, "phone=3");
  device_set (clash.b, "account", &clash.id, "phone=4");
  device_sync (clash.a);
  device_sync (clash.b);
  assert_item (clash.b, "\"1\"", "\"4\"", "\"3\"");
  take_back (clash.b, no);
  device_sync (clash.b);
  assert_counts (clash.b, 0, 0, 0, 1);
  assert_item (clash.b, "\"1\"", "\"4\"", "\"3\"");
  assert_all_equal (clash.rig);
}

/* P7, 39: "leave it in the bin" means something: what is nothing without its parent follows it there, anything else lets go. */
static void
test_orphan_theirs (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId account = device_create (a, "account", "name=Acme", NULL);
  g_autofree char *reference = rig_reference ("account", NULL, &account);
  g_autofree char *parent = rig_reference ("parent", "account", &account);
  g_autofree char *gone = NULL;
  KtId note, contact;

  device_sync (a);
  device_sync (b);
  device_delete (a, "account", &account);
  device_sync (a);
  note = device_create (b, "note", "body=Call again", parent, NULL);
  device_sync (b);
  assert_counts (b, 0, 0, 0, 1);
  device_resolve (b, 0, "theirs");
  device_sync (b);
  device_sync (a);
  g_assert_true (device_binned (a, "note", &note));
  assert_counts (b, 0, 0, 0, 0);

  device_restore (a, "account", &account);
  device_sync (a);
  device_sync (b);
  device_delete (a, "account", &account);
  device_sync (a);
  contact = device_create (b, "contact", "last_name=Lee", reference, NULL);
  device_sync (b);
  assert_counts (b, 0, 0, 0, 1);
  device_resolve (b, 0, "theirs");
  device_sync (b);
  device_sync (a);
  g_assert_false (device_binned (a, "contact", &contact));
  assert_value (a, "contact", &contact, "account", "null");
  assert_all_equal (rig);
}

/* P9, 63: the times that a person reads are never later than when it came, whatever a clock said. */
static void
test_times (void)
{
  const gint64 day = G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC;

  for (int i = -400; i <= 400; i += 800)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      Device *b = device_new (rig, "B", "ben");
      KtId id = device_create (a, "account", "name=Acme", "phone=0", NULL);
      g_autoptr (GPtrArray) reviews = NULL;
      g_autoptr (GDateTime) now = NULL;
      g_autofree char *today = NULL;

      device_sync (a);
      device_sync (b);
      a->clock.wall_us += i * day;
      b->clock.wall_us -= i * day;
      device_set (a, "account", &id, "phone=1");
      device_set (b, "account", &id, "phone=2");
      device_sync (a);
      device_sync (b);
      reviews = device_reviews (b);
      now = g_date_time_new_from_unix_utc (rig->clock.wall_us / G_USEC_PER_SEC);
      today = g_date_time_format (now, "%Y-%m-%d");
      g_assert_true (g_str_has_prefix (review_text (reviews, 0, "mine_at"), today));
      g_assert_true (g_str_has_prefix (review_text (reviews, 0, "theirs_at"), today));
    }
}

static void
assert_news (Device *device, guint n, KtNewsKind kind, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) news = kt_local_news (device->local, 100, &error);
  const KtNews *last;

  g_assert_no_error (error);
  g_assert_cmpuint (news->len, ==, n);
  g_assert_cmpint (kt_local_news_unseen (device->local, NULL), ==, n);
  if (n == 0)
    return;
  last = news->pdata[0];
  g_assert_cmpint (last->kind, ==, kind);
  g_assert_cmpstr (last->text, ==, text);
  g_assert_cmpstr (last->object, ==, "account");
}

/* P6: what was merged, or lost to a policy, is told to its author once; the value can be asked about again. */
static void
test_told (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId id = device_create (a, "account", "name=Acme", "mascot=owl", "tags=old", NULL);
  g_autoptr (GPtrArray) news = NULL;
  g_autoptr (KtMutation) again = NULL;
  g_autoptr (GError) error = NULL;

  device_sync (a);
  device_sync (b);
  device_set (a, "account", &id, "tags=old;east");
  device_set (b, "account", &id, "tags=old;vip");
  device_sync (a);
  device_sync (b);
  assert_news (a, 0, KT_NEWS_MERGED, NULL);
  assert_news (b, 1, KT_NEWS_MERGED, "Changed Tags of “Acme”: old → old, vip");
  g_assert_true (kt_local_news_see (b->local, 1, &error));
  g_assert_cmpint (kt_local_news_unseen (b->local, NULL), ==, 0);

  /* The later to arrive wins; the other is told. */
  device_sync (a);
  device_set (a, "account", &id, "mascot=fox");
  device_set (b, "account", &id, "mascot=bear");
  device_sync (a);
  device_sync (b);
  assert_news (a, 0, KT_NEWS_REPLACED, NULL);
  device_sync (a);
  assert_news (a, 1, KT_NEWS_REPLACED, "Mascot of “Acme”");
  assert_counts (a, 0, 0, 0, 0);

  /* No question, but one may be made of it. */
  news = kt_local_news (a->local, 1, &error);
  again = kt_mutation_new ("2026-03-01T08:00:00.000Z", "client");
  again->resolves = ((KtNews *) news->pdata[0])->conflict;
  again->resolution = g_strdup ("open");
  kt_local_commit (a->local, again, NULL, NULL, &error);
  g_assert_no_error (error);
  device_sync (a);
  assert_item (a, "\"owl\"", "\"fox\"", "\"bear\"");
  decide (a, "mine");
  device_sync (b);
  assert_value (b, "account", &id, "mascot", "\"fox\"");
  assert_all_equal (rig);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/P6/decision-taken-back", test_taken_back);
  g_test_add_func ("/P6/decision-taken-back-late", test_taken_back_late);
  g_test_add_func ("/P6/decision-taken-back-twin", test_taken_back_twin);
  g_test_add_func ("/P6/told", test_told);
  g_test_add_func ("/P7/39-orphan-theirs", test_orphan_theirs);
  g_test_add_func ("/P9/63-decision-times", test_times);
  return g_test_run ();
}
