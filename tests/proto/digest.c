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
    "deal\0" "01900000-0000-7000-8000-000000000001\0"
    "about\0{\"id\":\"01900000-0000-7000-8000-00000000000a\",\"object\":\"user\"}\0"
    "amount\0{\"amount\":\"12.5\",\"currency\":\"EUR\"}\0"
    "hot\0true\0"
    "name\0Ann\0"
    "object\0x\0"
    "score\0-7\0"
    "tags\0[\"a\",\"b\"]\0";
  g_autoptr (KtRecord) record =
    fixture_record (1, "{\"name\":\"Ann\",\"object\":\"x\",\"tags\":[\"b\",\"a\"],\"hot\":true,"
                       "\"amount\":{\"currency\":\"EUR\",\"amount\":\"12.50\"},\"score\":-7,"
                       "\"about\":{\"object\":\"user\",\"id\":"
                       "\"01900000-0000-7000-8000-00000000000a\"}}");
  g_autofree char *sha =
    g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) text, sizeof text - 1);
  g_autofree char *wanted = g_strdup_printf ("1:%.32s", sha);
  g_autofree char *got = digest_of (&record, 1);

  g_assert_cmpstr (got, ==, wanted);
}

/* A row as a database holds it gives the digest of its record, whatever is in it. */
static void
test_cells (void)
{
  g_autoptr (GRand) rand = fixture_rand ();
  static const char *const notes[] = { "null", "\"One Two 漢\"", "\"\"", "\"x\"" };

  for (guint i = 0; i < 200; i++)
    {
      g_autofree char *long_text = g_strnfill ((gsize) g_rand_int_range (rand, 1, 6000), 'n');
      g_autofree char *fields = g_strdup_printf (
        "{\"name\":%s,\"score\":%d,\"hot\":%s,\"tags\":%s,\"note\":\"%s\","
        "\"amount\":%s,\"about\":%s}",
        notes[g_rand_int_range (rand, 0, 4)], g_rand_int_range (rand, -5, 5),
        g_rand_boolean (rand) ? "true" : "null", g_rand_boolean (rand) ? "[\"b\",\"a\"]" : "null",
        i % 5 == 0 ? long_text : "short",
        g_rand_boolean (rand) ? "{\"amount\":\"-0.0500\",\"currency\":\"CNY\"}" : "null",
        g_rand_boolean (rand)
          ? "{\"object\":\"user\",\"id\":\"01900000-0000-7000-8000-00000000000a\"}"
          : "null");
      g_autoptr (KtRecord) record = fixture_record (i, fields);
      const KtObject *object = record->object;
      g_autoptr (KtDigestForm) form = kt_digest_form_new (object);
      g_autofree KtCell *cells = g_new0 (KtCell, kt_digest_n_cells (object));
      KtCell *cell = cells;
      KtDigest from_record, from_cells;

      *cell++ = (KtCell){ KT_CELL_BLOB, 16, { .bytes = record->id.b } };
      for (guint k = 0; k < object->n_fields; k++)
        {
          const KtField *field = object->by_name[k];
          const KtValue *value = &record->values[field->index];
          gboolean null = kt_value_is_null (value);

          switch (field->storage)
            {
            case KT_VALUE_TEXT:
            case KT_VALUE_LIST:
            case KT_VALUE_JSON:
              if (!null)
                *cell = (KtCell){ KT_CELL_TEXT, (guint) strlen (value->v.text),
                                  { .bytes = (const guint8 *) value->v.text } };
              break;
            case KT_VALUE_ID:
            case KT_VALUE_ANY:
              if (!null)
                *cell = (KtCell){ KT_CELL_BLOB, 16, { .bytes = value->v.ref.id.b } };
              if (field->storage == KT_VALUE_ANY && !null)
                *++cell = (KtCell){ KT_CELL_TEXT, (guint) strlen (value->v.ref.object),
                                    { .bytes = (const guint8 *) value->v.ref.object } };
              else if (field->storage == KT_VALUE_ANY)
                cell++;
              break;
            default:
              if (!null)
                *cell = (KtCell){ KT_CELL_INT, 0, { .integer = value->v.integer } };
              if (field->storage == KT_VALUE_MONEY && !null)
                *++cell = (KtCell){ KT_CELL_TEXT, 3, { .bytes = (const guint8 *) value->currency } };
              else if (field->storage == KT_VALUE_MONEY)
                cell++;
              break;
            }
          cell++;
        }
      g_assert_cmpuint ((guint) (cell - cells), ==, kt_digest_n_cells (object));
      kt_digest_of (record, &from_record);
      kt_digest_cells (form, cells, &from_cells);
      g_assert_true (kt_digest_equal (&from_record, &from_cells));
    }
}

static void
test_text (void)
{
  static const char *const bad[] = { NULL, "", "1", "1:", ":00", "1:0g000000000000000000000000000000",
                                     "1:000000000000000000000000000000000", "-1:0",
                                     "1:0000000000000000000000000000000", "1:ABCDEF00000000000000000000000000",
                                     "99999999999999999999:00000000000000000000000000000000" };
  KtDigest digest = { 12, 0x0123456789abcdef, 0xfedcba9876543210 }, back = { 0 };
  g_autofree char *text = kt_digest_string (&digest);
  guint8 bytes[KT_DIGEST_BYTES];

  g_assert_cmpstr (text, ==, "12:0123456789abcdeffedcba9876543210");
  g_assert_true (kt_digest_parse (text, &back));
  g_assert_true (kt_digest_equal (&digest, &back));
  kt_digest_put (&digest, bytes);
  kt_digest_get (bytes, 12, &back);
  g_assert_true (kt_digest_equal (&digest, &back));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (kt_digest_parse (bad[i], &back));
}

/* Every id is in exactly one child of every branch that has it. */
static void
test_branches (void)
{
  static const char *const bad[] = { NULL, "a", "AB", "0x", "zz", "abcdefabcdef" };
  KtDigestBranch branch, down;
  char text[2 * KT_DIGEST_MAX_UNDER + 1];
  KtId id;

  g_assert_true (kt_id_parse ("01900000-0000-7000-8000-0123456789ab", -1, &id));
  g_assert_true (kt_digest_branch_parse ("", &branch));
  g_assert_cmpuint (branch.n, ==, 0);
  for (guint i = 0; i < KT_DIGEST_MAX_UNDER; i++)
    {
      guint child = kt_digest_branch_child (&branch, &id);

      g_assert_true (kt_digest_branch_has (&branch, &id));
      g_assert_true (kt_digest_branch_down (&branch, child ^ 1, &down));
      g_assert_false (kt_digest_branch_has (&down, &id));
      g_assert_true (kt_digest_branch_down (&branch, child, &branch));
    }
  g_assert_true (kt_digest_branch_has (&branch, &id));
  kt_digest_branch_format (&branch, text);
  g_assert_cmpstr (text, ==, "23456789ab");
  g_assert_true (kt_digest_branch_parse (text, &down));
  g_assert_cmpmem (branch.bytes, branch.n, down.bytes, down.n);
  g_assert_false (kt_digest_branch_down (&branch, 1, &down));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (kt_digest_branch_parse (bad[i], &down));
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
  doubled = left;
  kt_digest_leave (&doubled, &right);
  kt_digest_join (&doubled, &right);
  g_assert_true (kt_digest_equal (&doubled, &left));

  kt_value_set_int (&records[at]->values[fixture_field ("score")->index], 4);
  changed = digest_of (records, N);
  g_assert_cmpstr (changed, !=, whole);

  /* Joining a digest with itself is no special case. */
  doubled = left;
  kt_digest_join (&doubled, &doubled);
  kt_digest_join (&left, &(KtDigest){ 0 });
  twice = kt_digest_string (&doubled);
  g_assert_true (g_str_has_prefix (twice, "100:"));
  g_assert_cmpstr (twice, !=, joined);

  for (guint i = 0; i < N; i++)
    kt_record_unref (records[i]);
}

/* What was added can be taken away again, over any carry. */
static void
test_carry (void)
{
  KtDigest one = { 1, 0, 1 }, all = { 2, G_MAXUINT64, G_MAXUINT64 };
  g_autofree char *text = NULL;
  g_autofree char *back = NULL;

  kt_digest_join (&all, &one);
  text = kt_digest_string (&all);
  g_assert_cmpstr (text, ==, "3:00000000000000000000000000000000");
  kt_digest_leave (&all, &one);
  back = kt_digest_string (&all);
  g_assert_cmpstr (back, ==, "2:ffffffffffffffffffffffffffffffff");
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
  g_test_add_func ("/digest/P4/cells", test_cells);
  g_test_add_func ("/digest/P4/branches", test_branches);
  g_test_add_func ("/digest/text", test_text);
  g_test_add_func ("/digest/carry", test_carry);
  g_test_add_func ("/digest/speed", test_speed);
  return g_test_run ();
}
