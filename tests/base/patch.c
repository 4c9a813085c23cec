/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "base/kt-patch.h"

#include "sample.h"

typedef struct
{
  KtSchema *schema;
  const KtObject *object;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->schema = sample_schema_new ();
  fixture->object = kt_schema_object (fixture->schema, "thing");
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  kt_schema_unref (fixture->schema);
}

static char *
text_of (const KtPatch *patch)
{
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_patch_to_json (patch, &writer);
  return g_string_free (out, FALSE);
}

static KtPatch *
patch_of (Fixture *fixture, const char *text, GError **error)
{
  g_autoptr (KtJson) json = kt_json_parse (text, -1, error);

  g_assert_nonnull (json);
  return kt_patch_from_json (fixture->object, json, error);
}

static void
set_int (KtPatch *patch, const char *name, gint64 before, gint64 after)
{
  KtValue from = KT_VALUE_INIT, to = KT_VALUE_INIT;

  kt_value_set_int (&from, before);
  kt_value_set_int (&to, after);
  kt_patch_set (patch, kt_object_field (patch->object, name), &from, &to);
}

static void
test_widens_and_vanishes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtPatch) patch = kt_patch_new (fixture->object);
  g_autofree char *text = NULL;

  set_int (patch, "duration", 1, 2);
  set_int (patch, "integer", 1, 2);
  set_int (patch, "integer", 2, 3);
  text = text_of (patch);
  /* In the order of the fields, the first before kept. */
  g_assert_cmpstr (text, ==, "{\"integer\":[1,3],\"duration\":[1,2]}");

  set_int (patch, "integer", 3, 1);
  g_assert_cmpuint (kt_patch_length (patch), ==, 1);
  g_assert_null (kt_patch_find (patch, sample_field (fixture->schema, "integer")));
  g_assert_nonnull (kt_patch_find (patch, sample_field (fixture->schema, "duration")));
  set_int (patch, "integer", 4, 4);
  g_assert_cmpuint (kt_patch_length (patch), ==, 1);

  {
    const KtChange *change = kt_patch_find (patch, sample_field (fixture->schema, "duration"));

    kt_patch_set (patch, change->field, &change->before, &change->after);
    g_assert_cmpint (change->after.v.integer, ==, 2);
  }
}

static void
test_json_round_trips (Fixture *fixture, gconstpointer data)
{
  static const char text[] =
    "{\"text\":[\"a\",null],\"money\":[null,{\"amount\":\"1.5\",\"currency\":\"EUR\"}],"
    "\"tags\":[[\"a\"],[\"a\",\"b\"]],\"json\":[{\"a\":1},{\"a\":2}]}";
  g_autoptr (GError) error = NULL;
  g_autoptr (KtPatch) patch = patch_of (fixture, text, &error);
  g_autoptr (KtPatch) copy = NULL;
  g_autofree char *back = NULL;

  g_assert_no_error (error);
  copy = kt_patch_copy (patch);
  back = text_of (copy);
  g_assert_cmpstr (back, ==, text);
}

static void
test_refuses_what_does_not_fit (Fixture *fixture, gconstpointer data)
{
  static const char *const cases[][2] = {
    { "{\"colour\":[1,2]}", "thing has no field \"colour\"" },
    { "{\"text\":\"x\"}", "Text: [before, after] was expected" },
    { "{\"text\":[\"x\"]}", "Text: [before, after] was expected" },
    { "{\"choice\":[null,\"gone\"]}", "Stage: \"gone\" is not one of its options" },
    { "[]", "thing: changes { } were expected" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (patch_of (fixture, cases[i][0], &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      g_assert_cmpstr (error->message, ==, cases[i][1]);
    }
}

/* P13: an outbox written under an earlier schema can still be read. */
static void
test_before_may_be_a_retired_option (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtPatch) patch = patch_of (fixture, "{\"choice\":[\"gone\",\"done\"]}", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (kt_patch_length (patch), ==, 1);
}

static void
test_diff_and_apply (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtJson) a_json = kt_json_parse (
    "{\"id\":\"" SAMPLE_ID "\",\"text\":\"a\",\"integer\":1,\"total\":\"5\"}", -1, NULL);
  g_autoptr (KtJson) b_json = kt_json_parse (
    "{\"id\":\"" SAMPLE_ID "\",\"text\":\"b\",\"tags\":[\"x\"],\"total\":\"6\"}", -1, NULL);
  g_autoptr (KtRecord) a = kt_record_from_json (fixture->object, a_json, NULL);
  g_autoptr (KtRecord) b = kt_record_from_json (fixture->object, b_json, NULL);
  g_autoptr (KtRecord) target = kt_record_copy (a);
  g_autoptr (KtPatch) patch = kt_patch_diff (a, b);
  g_autoptr (KtPatch) whole = kt_patch_diff (NULL, b);
  g_autoptr (KtPatch) rest = NULL;
  g_autofree char *text = text_of (patch);
  g_autofree char *all = text_of (whole);

  g_assert_cmpstr (text, ==,
                   "{\"text\":[\"a\",\"b\"],\"integer\":[1,null],\"tags\":[null,[\"x\"]]}");
  g_assert_cmpstr (all, ==, "{\"text\":[null,\"b\"],\"tags\":[null,[\"x\"]]}");
  kt_patch_apply (patch, target);
  rest = kt_patch_diff (target, b);
  g_assert_cmpuint (kt_patch_length (rest), ==, 0);
}

/* Any sequence of edits leaves the difference between first and last state. */
static void
test_random_edits_sum_up (Fixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "integer", "duration" };
  g_autoptr (GRand) rand = sample_rand_new ();

  for (int round = 0; round < 500; round++)
    {
      KtId id = { { 1 } };
      g_autoptr (KtRecord) first = kt_record_new (fixture->object, &id);
      g_autoptr (KtRecord) last = NULL, again = NULL;
      g_autoptr (KtPatch) patch = kt_patch_new (fixture->object);
      g_autoptr (KtPatch) wanted = NULL;
      g_autofree char *got_text = NULL;
      g_autofree char *wanted_text = NULL;

      for (guint i = 0; i < G_N_ELEMENTS (names); i++)
        kt_value_set_int (&first->values[kt_object_field (fixture->object, names[i])->index],
                          g_rand_int_range (rand, 0, 3));
      last = kt_record_copy (first);
      for (int edit = g_rand_int_range (rand, 0, 12); edit > 0; edit--)
        {
          const KtField *field =
            kt_object_field (fixture->object, names[g_rand_int_range (rand, 0, 2)]);
          g_auto (KtValue) after = KT_VALUE_INIT;

          kt_value_set_int (&after, g_rand_int_range (rand, 0, 3));
          kt_patch_set (patch, field, &last->values[field->index], &after);
          kt_value_clear (&last->values[field->index]);
          kt_value_copy (&after, &last->values[field->index]);
        }
      wanted = kt_patch_diff (first, last);
      got_text = text_of (patch);
      wanted_text = text_of (wanted);
      g_assert_cmpstr (got_text, ==, wanted_text);
      again = kt_record_copy (first);
      kt_patch_apply (patch, again);
      g_assert_cmpuint (kt_patch_length (wanted), ==, kt_patch_length (patch));
    }
}

#define ADD(name, func) g_test_add ("/patch/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("widens-and-vanishes", test_widens_and_vanishes);
  ADD ("json-round-trips", test_json_round_trips);
  ADD ("refuses-what-does-not-fit", test_refuses_what_does_not_fit);
  ADD ("before-may-be-a-retired-option", test_before_may_be_a_retired_option);
  ADD ("diff-and-apply", test_diff_and_apply);
  ADD ("random-edits-sum-up", test_random_edits_sum_up);
  return g_test_run ();
}
