/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "proto/kt-wire.h"
#include "tests/proto/fixture.h"

static char *
digest_of (KtRecord *const *records, guint n)
{
  KtDigest digest = { 0 };

  for (guint i = 0; i < n; i++)
    kt_digest_add (&digest, records[i]);
  return kt_digest_string (&digest);
}

/* The form is written down (docs/protocol.md): a stranger's program must come to the same. */
static void
test_canonical (void)
{
  static const char text[] =
    "{\"fields\":{\"about\":{\"id\":\"01900000-0000-7000-8000-00000000000a\",\"object\":\"user\"},"
    "\"amount\":{\"amount\":\"12.5\",\"currency\":\"EUR\"},\"hot\":true,\"name\":\"Ann\","
    "\"object\":\"x\",\"tags\":[\"a\",\"b\"]},"
    "\"id\":\"01900000-0000-7000-8000-000000000001\",\"object\":\"deal\"}";
  g_autoptr (KtRecord) record =
    fixture_record (1, "{\"name\":\"Ann\",\"object\":\"x\",\"tags\":[\"b\",\"a\"],\"hot\":true,"
                       "\"amount\":{\"currency\":\"EUR\",\"amount\":\"12.50\"},"
                       "\"about\":{\"object\":\"user\",\"id\":"
                       "\"01900000-0000-7000-8000-00000000000a\"}}");
  g_autofree char *sha = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  g_autofree char *wanted = g_strdup_printf ("1:%s", sha);
  g_autofree char *got = digest_of (&record, 1);

  g_assert_cmpstr (got, ==, wanted);
}

static void
test_rev_is_not_content (void)
{
  g_autoptr (KtRecord) record = fixture_record (1, "{\"name\":\"Ann\"}");
  g_autofree char *before = digest_of (&record, 1);
  g_autofree char *after = NULL;

  record->rev = 99;
  record->rid = 7;
  after = digest_of (&record, 1);
  g_assert_cmpstr (before, ==, after);
}

/* Order does not matter, parts add up, every change shows. */
static void
test_laws (void)
{
  enum
  {
    N = 50
  };
  g_autoptr (GRand) rand = fixture_rand ();
  KtRecord *records[N];
  KtDigest left = { 0 }, right = { 0 }, doubled;
  g_autofree char *whole = NULL;
  g_autofree char *shuffled = NULL;
  g_autofree char *joined = NULL;
  g_autofree char *changed = NULL;
  g_autofree char *twice = NULL;
  guint at;

  for (guint i = 0; i < N; i++)
    {
      g_autofree char *fields =
        g_strdup_printf ("{\"name\":\"n%u\",\"score\":%d}", i, g_rand_int_range (rand, 0, 3));

      records[i] = fixture_record (i, fields);
    }
  whole = digest_of (records, N);
  for (guint i = N - 1; i > 0; i--)
    {
      guint k = (guint) g_rand_int_range (rand, 0, (gint32) i + 1);
      KtRecord *swap = records[i];

      records[i] = records[k];
      records[k] = swap;
    }
  shuffled = digest_of (records, N);
  g_assert_cmpstr (shuffled, ==, whole);

  at = (guint) g_rand_int_range (rand, 0, N);
  for (guint i = 0; i < N; i++)
    kt_digest_add (i < at ? &left : &right, records[i]);
  kt_digest_join (&left, &right);
  joined = kt_digest_string (&left);
  g_assert_cmpstr (joined, ==, whole);

  kt_value_set_int (&records[at]->values[fixture_field ("score")->index], 4);
  changed = digest_of (records, N);
  g_assert_cmpstr (changed, !=, whole);

  /* Joining a digest with itself is no special case. */
  doubled = left;
  kt_digest_join (&doubled, &doubled);
  kt_digest_join (&left, &(KtDigest){ { 0 }, 0 });
  twice = kt_digest_string (&doubled);
  g_assert_true (g_str_has_prefix (twice, "100:"));
  g_assert_cmpstr (twice, !=, joined);

  for (guint i = 0; i < N; i++)
    kt_record_unref (records[i]);
}

static void
test_carry (void)
{
  KtDigest one = { { 0 }, 1 }, all = { { 0 }, 2 };
  g_autofree char *text = NULL;

  one.sum[31] = 1;
  memset (all.sum, 0xff, sizeof all.sum);
  kt_digest_join (&all, &one);
  text = kt_digest_string (&all);
  g_assert_cmpstr (text, ==, "3:0000000000000000000000000000000000000000000000000000000000000000");
}

static void
test_speed (void)
{
  g_autoptr (KtRecord) record =
    fixture_record (1, "{\"name\":\"Acme renewal\",\"phone\":\"+49 30 123456\",\"score\":12,"
                       "\"stage\":\"sent\",\"close_date\":\"2026-01-31\",\"tags\":[\"a\",\"b\"],"
                       "\"met_at\":\"2026-01-31T08:00:00.000Z\",\"note\":\"Some words of a note\","
                       "\"amount\":{\"amount\":\"12.5\",\"currency\":\"EUR\"}}");
  KtDigest digest = { 0 };
  double seconds;

  g_test_timer_start ();
  for (guint i = 0; i < 100000; i++)
    kt_digest_add (&digest, record);
  seconds = g_test_timer_elapsed ();
  g_test_minimized_result (seconds, "digest of 100,000 records: %.3f s", seconds);
  g_assert_cmpuint (digest.records, ==, 100000);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/digest/P4/canonical", test_canonical);
  g_test_add_func ("/digest/P4/rev-is-not-content", test_rev_is_not_content);
  g_test_add_func ("/digest/P4/laws", test_laws);
  g_test_add_func ("/digest/carry", test_carry);
  g_test_add_func ("/digest/speed", test_speed);
  return g_test_run ();
}
