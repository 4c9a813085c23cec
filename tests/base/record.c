/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

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

static KtRecord *
record_of (Fixture *fixture, const char *members)
{
  g_autofree char *text =
    g_strdup_printf ("{\"id\":\"" SAMPLE_ID "\"%s%s}", *members != '\0' ? "," : "", members);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtJson) json = kt_json_parse (text, -1, &error);
  KtRecord *record;

  g_assert_no_error (error);
  record = kt_record_from_json (fixture->object, json, &error);
  g_assert_no_error (error);
  return record;
}

static char *
text_of (const KtRecord *record, gboolean all)
{
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_record_to_json (record, all, &writer);
  return g_string_free (out, FALSE);
}

static const char every_field[] =
  "\"rev\":12,\"text\":\"x\",\"long_text\":\"a\\nb\",\"rich_text\":\"<b>\",\"email\":\"a@b\",\"phone\":\"1\",\"url\":\"u\","
  "\"integer\":-5,\"decimal\":\"1.25\",\"money\":{\"amount\":\"9.99\",\"currency\":\"EUR\"},\"percent\":\"3\","
  "\"boolean\":false,\"date\":\"2026-01-31\",\"date_time\":\"2026-01-31T08:00:00.000Z\",\"duration\":60,"
  "\"choice\":\"done\",\"open_choice\":\"z\",\"choices\":[\"red\"],\"tags\":[\"a\",\"b\"],\"ref\":\"" SAMPLE_ID
  "\","
  "\"ref_any\":{\"object\":\"user\",\"id\":\"" SAMPLE_ID "\"},\"many\":[\"" SAMPLE_ID_2
  "\"],\"number\":\"T-1\","
  "\"address\":{\"city\":\"Bonn\"},\"file\":\"" SAMPLE_ID "\",\"json\":{\"a\":[1]}";

static void
test_every_type_round_trips (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtRecord) record = record_of (fixture, every_field);
  g_autofree char *text = text_of (record, FALSE);
  g_autofree char *wanted = g_strconcat ("{\"id\":\"" SAMPLE_ID "\",", every_field, "}", NULL);
  g_autoptr (KtRecord) copy = kt_record_copy (record);
  g_autofree char *copied = NULL;

  g_assert_cmpstr (text, ==, wanted);
  g_assert_cmpint (record->rev, ==, 12);
  kt_record_unref (g_steal_pointer (&record));
  copied = text_of (copy, FALSE);
  g_assert_cmpstr (copied, ==, wanted);
}

static void
test_nulls_are_left_out_unless_asked (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtRecord) record = record_of (fixture, "");
  g_autofree char *brief = text_of (record, FALSE);
  g_autofree char *whole = text_of (record, TRUE);
  g_autoptr (KtJson) json = kt_json_parse (whole, -1, NULL);

  g_assert_cmpstr (brief, ==, "{\"id\":\"" SAMPLE_ID "\"}");
  g_assert_cmpuint (kt_json_length (json), ==, fixture->object->n_fields + 1);
}

static void
test_strangers_are_refused (Fixture *fixture, gconstpointer data)
{
  static const char *const cases[][2] = {
    { "{\"id\":\"" SAMPLE_ID "\",\"colour\":1}", "thing has no field \"colour\"" },
    { "{\"text\":\"x\"}", "thing: a record needs an \"id\"" },
    { "{\"id\":\"x\"}", "thing: a record needs an \"id\"" },
    { "{\"id\":\"00000000-0000-0000-0000-000000000000\"}", "thing: a record needs an \"id\"" },
    { "{\"id\":\"" SAMPLE_ID "\",\"rev\":\"1\"}", "thing: \"rev\" must be a number from 0" },
    { "{\"id\":\"" SAMPLE_ID "\",\"text\":1}", "Text: expected a text" },
    { "[]", "thing: a record { } was expected" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (KtJson) json = kt_json_parse (cases[i][0], -1, NULL);
      g_autoptr (GError) error = NULL;

      g_assert_null (kt_record_from_json (fixture->object, json, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      g_assert_cmpstr (error->message, ==, cases[i][1]);
    }
}

static void
test_titles (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *members;
    const char *locale;
    const char *title;
  } cases[] = {
    { "\"text\":\"Acme\"", "en", "Acme" },
    { "\"text\":\"Acme\",\"json\":{\"zh_CN\":\"顶点\"}", "zh_CN", "顶点" },
    { "\"text\":\"Acme\",\"json\":{\"zh_CN\":\"顶点\"}", "zh", "顶点" },
    { "\"text\":\"Acme\",\"json\":{\"zh_CN\":\"顶点\"}", "en", "Acme" },
    { "\"text\":\"Acme\",\"json\":{\"zh_CN\":\"顶点\"}", NULL, "Acme" },
    { "\"json\":{\"zh_CN\":\"顶点\"}", "en", "顶点" },
    { "\"json\":[1]", "en", "01900000" },
    { "\"number\":\"T-7\"", "en", "T-7" },
    { "", "en", "01900000" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (KtRecord) record = record_of (fixture, cases[i].members);
      g_autofree char *title = kt_record_title (record, cases[i].locale);

      g_assert_cmpstr (title, ==, cases[i].title);
    }
}

static void
test_defaults_fill_only_gaps (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtRecord) record = record_of (fixture, "\"choice\":\"done\"");

  kt_record_apply_defaults (record);
  g_assert_cmpstr (kt_record_text (record, "choice"), ==, "done");
  g_assert_cmpint (kt_record_get (record, "integer")->v.integer, ==, 7);
  g_assert_null (kt_record_get (record, "nothing"));
  g_assert_null (kt_record_text (record, "integer"));
}

static void
test_bin_is_a_date (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtRecord) live = record_of (fixture, "");
  g_autoptr (KtRecord) gone = record_of (fixture, "\"deleted_at\":\"2026-01-31T08:00:00Z\"");

  g_assert_false (kt_record_deleted (live));
  g_assert_true (kt_record_deleted (gone));
}

static void
test_a_record_keeps_its_schema (Fixture *fixture, gconstpointer data)
{
  KtSchema *schema = sample_schema_new ();
  KtId id = { { 1 } };
  KtRecord *record = kt_record_new (kt_schema_object (schema, "thing"), &id);

  kt_schema_unref (schema);
  g_assert_cmpstr (record->object->name, ==, "thing");
  g_assert_true (kt_record_ref (record) == record);
  kt_record_unref (record);
  kt_record_unref (record);
  kt_record_unref (NULL);
}

#define ADD(name, func) g_test_add ("/record/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("every-type-round-trips", test_every_type_round_trips);
  ADD ("nulls-are-left-out-unless-asked", test_nulls_are_left_out_unless_asked);
  ADD ("strangers-are-refused", test_strangers_are_refused);
  ADD ("titles", test_titles);
  ADD ("defaults-fill-only-gaps", test_defaults_fill_only_gaps);
  ADD ("bin-is-a-date", test_bin_is_a_date);
  ADD ("a-record-keeps-its-schema", test_a_record_keeps_its_schema);
  return g_test_run ();
}
