/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "sample.h"

static void
test_sample_loads (void)
{
  g_autoptr (KtSchema) schema = sample_schema_new ();
  const KtObject *thing = kt_schema_object (schema, "thing");
  const KtObject *user = kt_schema_object (schema, "user");
  guint n;

  g_assert_cmpuint (kt_schema_version (schema), ==, 3);
  kt_schema_objects (schema, &n);
  g_assert_cmpuint (n, ==, 2);
  g_assert_cmpuint (user->number, ==, 1);
  g_assert_cmpuint (thing->number, ==, 2);
  g_assert_true (kt_schema_object_by_number (schema, 2) == thing);
  g_assert_null (kt_schema_object (schema, "nothing"));
  g_assert_null (kt_object_field (thing, "nothing"));
  g_assert_null (kt_object_field (thing, NULL));
  g_assert_cmpstr (thing->title->name, ==, "text");
  g_assert_cmpstr (kt_object_label (thing, "zh_CN"), ==, "东西");
  g_assert_cmpstr (kt_object_plural (thing, "en"), ==, "Thing");
  g_assert_cmpstr (kt_field_label (thing->title, "zh"), ==, "文本");

  /* Own fields, then business, then system; each in its slot. */
  for (guint i = 0; i < thing->n_fields; i++)
    {
      g_assert_cmpuint (thing->fields[i]->index, ==, i);
      g_assert_true (thing->fields[i]->object == thing);
      g_assert_true (kt_object_field (thing, thing->fields[i]->name) == thing->fields[i]);
    }
  g_assert_null (thing->fields[thing->n_fields]);
  g_assert_cmpstr (thing->fields[thing->n_fields - 3]->name, ==, "owner");
  g_assert_cmpstr (thing->fields[thing->n_fields - 1]->name, ==, "deleted_at");
  g_assert_true (thing->fields[thing->n_fields - 1]->system);
  g_assert_null (kt_object_field (user, "owner"));
  g_assert_nonnull (kt_object_field (user, "deleted_at"));
}

static void
test_defaults_of_fields (void)
{
  g_autoptr (KtSchema) schema = sample_schema_new ();

  g_assert_cmpint (sample_field (schema, "tags")->policy, ==, KT_POLICY_UNION);
  g_assert_cmpint (sample_field (schema, "many")->policy, ==, KT_POLICY_UNION);
  g_assert_cmpint (sample_field (schema, "long_text")->policy, ==, KT_POLICY_TEXT);
  g_assert_cmpint (sample_field (schema, "total")->policy, ==, KT_POLICY_SERVER);
  g_assert_cmpint (sample_field (schema, "choice")->policy, ==, KT_POLICY_STATE);
  g_assert_cmpint (sample_field (schema, "money")->policy, ==, KT_POLICY_REVIEW);
  g_assert_cmpuint (sample_field (schema, "money")->scale, ==, 4);
  g_assert_cmpuint (sample_field (schema, "percent")->scale, ==, 4);
  g_assert_cmpuint (sample_field (schema, "decimal")->scale, ==, 2);
  g_assert_cmpuint (sample_field (schema, "text")->max, ==, 20);
  g_assert_cmpuint (sample_field (schema, "email")->max, ==, 254);
  g_assert_cmpuint (sample_field (schema, "json")->max, ==, 262144);
  g_assert_true (kt_field_accepts (sample_field (schema, "ref_any"), "thing"));
  g_assert_false (kt_field_accepts (sample_field (schema, "ref_any"), "nothing"));
  g_assert_false (kt_field_accepts (sample_field (schema, "ref_some"), "thing"));
  g_assert_false (kt_field_accepts (sample_field (schema, "text"), "thing"));
}

static void
test_text_form_is_stable (void)
{
  g_autoptr (KtSchema) schema = sample_schema_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (KtSchema) again = kt_schema_from_json (kt_schema_to_json (schema), -1, &error);
  g_autofree char *canonical = kt_json_canonical (kt_schema_to_json (schema), -1, NULL);

  g_assert_no_error (error);
  g_assert_cmpstr (kt_schema_digest (schema), ==, kt_schema_digest (again));
  g_assert_cmpstr (kt_schema_to_json (schema), ==, kt_schema_to_json (again));
  g_assert_cmpstr (kt_schema_to_json (schema), ==, canonical);
  g_assert_cmpuint (strlen (kt_schema_digest (schema)), ==, 64);
}

static void
test_numbers_survive (void)
{
  static const char old_text[] =
    "{\"name\":\"s\",\"version\":1,\"numbers\":{\"gone\":9,\"b\":4},\"objects\":["
    "{\"object\":\"a\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]},"
    "{\"object\":\"b\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]}]}";
  static const char new_text[] =
    "{\"name\":\"s\",\"version\":2,\"objects\":["
    "{\"object\":\"c\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]},"
    "{\"object\":\"b\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]}]}";
  g_autoptr (GError) error = NULL;
  g_autoptr (KtSchema) older = kt_schema_from_json (old_text, -1, &error);
  g_autoptr (KtSchema) newer = kt_schema_from_json (new_text, -1, &error);
  g_autoptr (KtSchema) merged = NULL, again = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (kt_schema_object (older, "a")->number, ==, 10);
  g_assert_cmpuint (kt_schema_object (older, "b")->number, ==, 4);
  merged = kt_schema_with_numbers (newer, older, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (kt_schema_version (merged), ==, 2);
  g_assert_cmpuint (kt_schema_object (merged, "b")->number, ==, 4);
  g_assert_cmpuint (kt_schema_object (merged, "c")->number, ==, 11);
  g_assert_null (kt_schema_object_by_number (merged, 9));
  again = kt_schema_with_numbers (newer, merged, &error);
  g_assert_cmpstr (kt_schema_digest (again), ==, kt_schema_digest (merged));
}

#define FIELD(text) \
  "{\"object\":\"x\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}," text "]}"
#define OBJECT(members) \
  "{\"object\":\"x\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]," members "}"

static void
test_faults_are_named (void)
{
  static const struct
  {
    const char *object;
    const char *message;
  } cases[] = {
    { FIELD ("{\"name\":\"a\",\"type\":\"blob\"}"),
      "object \"x\": field \"a\": unknown type \"blob\"" },
    { FIELD ("{\"name\":\"a\"}"), "object \"x\": field \"a\": unknown type \"\"" },
    { FIELD ("{\"name\":\"A\",\"type\":\"text\"}"),
      "object \"x\": field \"A\": a field needs a name of small letters, digits and _, at most 63" },
    { FIELD ("{\"name\":\"n\",\"type\":\"text\"}"), "object \"x\": field \"n\": defined twice" },
    { FIELD ("{\"name\":\"id\",\"type\":\"text\"}"),
      "object \"x\": field \"id\": the name \"id\" is reserved" },
    { FIELD ("{\"name\":\"rev\",\"type\":\"text\"}"),
      "object \"x\": field \"rev\": the name \"rev\" is reserved" },
    { FIELD ("{\"name\":\"deleted_at\",\"type\":\"date\"}"),
      "in object \"x\": object \"system\": field \"deleted_at\": defined twice: every record has a field of this name" },
    { FIELD ("{\"name\":\"m\",\"type\":\"money\"},{\"name\":\"m_currency\",\"type\":\"text\"}"),
      "object \"x\": field \"m_currency\": its column \"m_currency\" clashes with the field \"m\"" },
    { FIELD ("{\"name\":\"r_object\",\"type\":\"text\"},{\"name\":\"r\",\"type\":\"ref_any\"}"),
      "object \"x\": field \"r\": its column \"r_object\" clashes with the field \"r_object\"" },
    { FIELD ("{\"name\":\"r\",\"type\":\"ref\",\"to\":[\"stages\"]}"),
      "object \"x\": field \"r\": refers to unknown object \"stages\"" },
    { FIELD ("{\"name\":\"r\",\"type\":\"ref\"}"),
      "object \"x\": field \"r\": a reference needs \"to\"" },
    { FIELD ("{\"name\":\"r\",\"type\":\"ref\",\"to\":[\"x\",\"x\"]}"),
      "object \"x\": field \"r\": points to several objects: that takes the type ref_any" },
    { FIELD ("{\"name\":\"c\",\"type\":\"choice\"}"),
      "object \"x\": field \"c\": a choice needs \"options\"" },
    { FIELD ("{\"name\":\"c\",\"type\":\"choice\",\"options\":[\"a\",\"a\"]}"),
      "object \"x\": field \"c\": the option \"a\" occurs twice" },
    { FIELD ("{\"name\":\"c\",\"type\":\"choice\",\"options\":[{\"label\":\"a\"}]}"),
      "object \"x\": field \"c\": an option needs a \"value\" of 1 to 64 characters" },
    { FIELD ("{\"name\":\"c\",\"type\":\"choice\",\"options\":[\" a\"]}"),
      "object \"x\": field \"c\": the option \" a\" is not in its normal form (NFC, no blanks around it)" },
    { FIELD ("{\"name\":\"c\",\"type\":\"choice\",\"options\":[\"a\"],\"default\":\"b\"}"),
      "object \"x\": field \"c\": bad default: c: \"b\" is not one of its options" },
    { FIELD (
        "{\"name\":\"c\",\"type\":\"choice\",\"options\":[\"a\"],\"transitions\":{\"a\":[\"b\"]}}"),
      "object \"x\": field \"c\": transition from \"a\" to unknown option \"b\"" },
    { FIELD ("{\"name\":\"c\",\"type\":\"choice\",\"options\":[\"a\"],\"policy\":\"state\"}"),
      "object \"x\": field \"c\": the policy \"state\" does not go with a field without transitions" },
    { FIELD ("{\"name\":\"t\",\"type\":\"text\",\"policy\":\"union\"}"),
      "object \"x\": field \"t\": the policy \"union\" does not go with text" },
    { FIELD ("{\"name\":\"t\",\"type\":\"text\",\"policy\":\"best\"}"),
      "object \"x\": field \"t\": \"policy\" is \"best\", must be one of latest, server, mine, union, sum, text, state, review" },
    { FIELD ("{\"name\":\"t\",\"type\":\"text\",\"max\":0}"),
      "object \"x\": field \"t\": \"max\" must be 1 to 10000" },
    { FIELD ("{\"name\":\"t\",\"type\":\"date\",\"max\":5}"),
      "object \"x\": field \"t\": the type date takes no \"max\"" },
    { FIELD ("{\"name\":\"t\",\"type\":\"decimal\",\"scale\":10}"),
      "object \"x\": field \"t\": \"scale\" must be 0 to 9" },
    { FIELD ("{\"name\":\"t\",\"type\":\"money\",\"scale\":2}"),
      "object \"x\": field \"t\": money always has the scale 4" },
    { FIELD ("{\"name\":\"t\",\"type\":\"text\",\"required\":1}"),
      "object \"x\": field \"t\": \"required\" must be true or false" },
    { FIELD ("{\"name\":\"t\",\"type\":\"text\",\"formula\":\"1\"}"),
      "object \"x\": field \"t\": has a formula, so it must be computed" },
    { FIELD ("{\"name\":\"t\",\"type\":\"text\",\"from\":\"n.name\"}"),
      "object \"x\": field \"t\": \"from\" is \"n.name\", must be a reference of this object, a dot, a field of the other" },
    { FIELD (
        "{\"name\":\"r\",\"type\":\"ref\",\"to\":[\"x\"]},{\"name\":\"t\",\"type\":\"date_time\",\"from\":\"r.foo\"}"),
      "object \"x\": field \"t\": \"from\" is \"r.foo\", but x has no such field" },
    { FIELD ("{\"name\":\"t\",\"type\":\"auto_number\",\"format\":\"Q-#\"}"),
      "object \"x\": field \"t\": \"format\" must hold its digits as {0000}" },
    { FIELD ("{\"name\":\"t\",\"type\":\"text\",\"label\":[]}"),
      "object \"x\": field \"t\": \"label\" must be a text or texts by language" },
    { "{\"object\":\"x\",\"title\":\"nope\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]}",
      "object \"x\": \"title\" names the field \"nope\", which it does not have" },
    { "{\"object\":\"x\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]}",
      "object \"x\": \"title\" names the field \"\", which it does not have" },
    { "{\"object\":\"x\",\"title\":\"n\",\"fields\":[]}",
      "object \"x\": \"fields\" must be a list of fields" },
    { OBJECT ("\"kind\":\"thing\""),
      "object \"x\": \"kind\" is \"thing\", must be one of object, activity, child, admin" },
    { OBJECT ("\"subtitle\":[\"z\"]"),
      "object \"x\": \"subtitle\" names the field \"z\", which it does not have" },
    { OBJECT ("\"list\":{\"columns\":[\"n\",\"z\"]}"),
      "object \"x\": \"list.columns\" names the field \"z\", which it does not have" },
    { OBJECT ("\"list\":{\"sort\":[\"-z\"]}"),
      "object \"x\": \"list.sort\" names the field \"z\", which it does not have" },
    { OBJECT ("\"layout\":{\"sections\":[{\"fields\":[\"z\"]}]}"),
      "object \"x\": \"layout\" names the field \"z\", which it does not have" },
    { OBJECT ("\"related\":[{\"object\":\"z\",\"field\":\"n\"}]"),
      "object \"x\": \"related\" names the unknown object \"z\"" },
    { OBJECT ("\"related\":[{\"object\":\"x\",\"field\":\"n\"}]"),
      "object \"x\": \"related\" goes through x.n, which does not point here" },
    { OBJECT ("\"aliases\":{\"z\":[\"zed\"]}"),
      "object \"x\": \"aliases\" names the field \"z\", which it does not have" },
    { OBJECT ("\"aliases\":{\"n.city\":[\"town\"]}"),
      "object \"x\": \"aliases\" names \"n.city\", which is no part of an address" },
    { OBJECT ("\"translations\":\"n\""),
      "object \"x\": \"translations\" must name a field of the type json" },
    { "{\"object\":\"X\"}", "schema: the object at place 1 has no proper name in \"object\"" },
    { "5", "schema: the object at place 1 has no proper name in \"object\"" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text =
        g_strdup_printf ("{\"name\":\"s\",\"version\":1,\"system\":{\"fields\":["
                         "{\"name\":\"deleted_at\",\"type\":\"date_time\"}]},\"objects\":[%s]}",
                         cases[i].object);
      g_autoptr (GError) error = NULL;

      g_assert_null (kt_schema_from_json (text, -1, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_SCHEMA);
      g_assert_cmpstr (error->message, ==, cases[i].message);
    }

  {
    g_autoptr (GError) error = NULL;

    g_assert_null (kt_schema_from_json ("{\n\"name\" 1}", -1, &error));
    g_assert_error (error, KT_ERROR, KT_ERROR_SCHEMA);
    g_assert_cmpstr (error->message, ==, "schema: line 2, column 8: a colon was expected");
    g_clear_error (&error);
    g_assert_null (
      kt_schema_from_json ("{\"name\":\"s\",\"version\":0,\"objects\":[]}", -1, &error));
    g_assert_error (error, KT_ERROR, KT_ERROR_SCHEMA);
    g_clear_error (&error);
    g_assert_null (kt_schema_from_json ("[]", -1, &error));
    g_assert_error (error, KT_ERROR, KT_ERROR_SCHEMA);
    g_assert_null (kt_schema_from_json ("[]", -1, NULL));
  }
}

static void
test_unknown_members_of_newer_servers_pass (void)
{
  static const char text[] =
    "{\"name\":\"s\",\"version\":1,\"mood\":1,\"objects\":[{\"object\":\"x\",\"title\":\"n\",\"glow\":true,"
    "\"fields\":[{\"name\":\"n\",\"type\":\"text\",\"shine\":5}]}]}";
  g_autoptr (GError) error = NULL;
  g_autoptr (KtSchema) schema = kt_schema_from_json (text, -1, &error);

  g_assert_no_error (error);
  g_assert_nonnull (strstr (kt_schema_to_json (schema), "\"shine\":5"));
}

static void
test_limits (void)
{
  g_autoptr (GString) text = g_string_new ("{\"name\":\"s\",\"version\":1,\"objects\":["
                                           "{\"object\":\"x\",\"title\":\"f0\",\"fields\":[");
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < 501; i++)
    g_string_append_printf (text, "%s{\"name\":\"f%d\",\"type\":\"text\"}", i > 0 ? "," : "", i);
  g_string_append (text, "]}]}");
  g_assert_null (kt_schema_from_json (text->str, -1, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_SCHEMA);
  g_assert_cmpstr (error->message, ==, "object \"x\": more than 500 fields");
}

static void
test_diff (void)
{
  static const char from_text[] =
    "{\"name\":\"s\",\"version\":1,\"objects\":["
    "{\"object\":\"a\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"},{\"name\":\"old\",\"type\":\"text\"},"
    "{\"name\":\"t\",\"type\":\"text\"},{\"name\":\"d\",\"type\":\"decimal\"}]},"
    "{\"object\":\"b\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]}]}";
  static const char to_text[] =
    "{\"name\":\"s\",\"version\":2,\"objects\":["
    "{\"object\":\"a\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\",\"indexed\":true},"
    "{\"name\":\"fresh\",\"type\":\"date\"},{\"name\":\"t\",\"type\":\"integer\"},"
    "{\"name\":\"d\",\"type\":\"decimal\",\"scale\":2}]},"
    "{\"object\":\"c\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]}]}";
  g_autoptr (KtSchema) from = kt_schema_from_json (from_text, -1, NULL);
  g_autoptr (KtSchema) to = kt_schema_from_json (to_text, -1, NULL);
  g_autoptr (KtSchemaDiff) diff = kt_schema_diff (from, to);
  g_autoptr (KtSchemaDiff) same = kt_schema_diff (to, to);

#define NAME(list, type, i) (((const type *) g_ptr_array_index (diff->list, i))->name)
  g_assert_cmpuint (diff->new_objects->len, ==, 1);
  g_assert_cmpstr (NAME (new_objects, KtObject, 0), ==, "c");
  g_assert_cmpuint (diff->new_fields->len, ==, 1);
  g_assert_cmpstr (NAME (new_fields, KtField, 0), ==, "fresh");
  g_assert_cmpuint (diff->new_indices->len, ==, 1);
  g_assert_cmpstr (NAME (new_indices, KtField, 0), ==, "n");
  g_assert_cmpuint (diff->retired_fields->len, ==, 1);
  g_assert_cmpstr (NAME (retired_fields, KtField, 0), ==, "old");
  g_assert_cmpuint (diff->retired_objects->len, ==, 1);
  g_assert_cmpstr (NAME (retired_objects, KtObject, 0), ==, "b");
  g_assert_cmpuint (diff->retyped_fields->len, ==, 2);
#undef NAME
  g_assert_cmpuint (same->new_objects->len + same->new_fields->len + same->new_indices->len
                      + same->retired_fields->len + same->retired_objects->len
                      + same->retyped_fields->len,
                    ==, 0);
}

static void
test_list_fields (void)
{
  g_autoptr (KtSchema) schema = kt_schema_from_json (
    "{\"name\":\"s\",\"version\":1,\"objects\":["
    "{\"object\":\"a\",\"title\":\"n\",\"list\":{\"columns\":[\"t\",\"n\"]},\"fields\":["
    "{\"name\":\"n\",\"type\":\"text\"},{\"name\":\"t\",\"type\":\"text\"}]},"
    "{\"object\":\"b\",\"title\":\"n\",\"fields\":["
    "{\"name\":\"u\",\"type\":\"text\",\"indexed\":true},{\"name\":\"n\",\"type\":\"text\"},{\"name\":\"t\",\"type\":\"text\"}]}]}",
    -1, NULL);
  guint n;
  g_autofree const KtField **a = kt_object_list_fields (kt_schema_object (schema, "a"), &n);
  g_autofree const KtField **b = NULL;

  g_assert_cmpuint (n, ==, 2);
  g_assert_cmpstr (a[0]->name, ==, "t");
  b = kt_object_list_fields (kt_schema_object (schema, "b"), &n);
  g_assert_cmpuint (n, ==, 2);
  g_assert_cmpstr (b[0]->name, ==, "n");
  g_assert_cmpstr (b[1]->name, ==, "u");
}

/* The pack that is shipped: sound, and the same through its text form. */
static void
test_shipped_pack (void)
{
  const char *data = g_getenv ("KONTOR_DATADIR");
  g_autofree char *dir = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtSchema) schema = NULL, again = NULL;
  guint n;

  if (data == NULL)
    {
      g_test_skip ("KONTOR_DATADIR is not set");
      return;
    }
  dir = g_build_filename (data, "schema", NULL);
  schema = kt_schema_load_dir (dir, &error);
  g_assert_no_error (error);
  kt_schema_objects (schema, &n);
  g_assert_cmpuint (n, >, 50);
  again = kt_schema_from_json (kt_schema_to_json (schema), -1, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (kt_schema_digest (schema), ==, kt_schema_digest (again));
}

static void
write_file (const char *dir, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
assert_dir_fails (const char *dir, int code, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (kt_schema_load_dir (dir, &error));
  g_assert_error (error, KT_ERROR, code);
  if (message != NULL)
    g_assert_cmpstr (error->message, ==, message);
}

static void
test_files_are_held_to_the_letter (void)
{
  g_autofree char *dir = g_dir_make_tmp ("kontor-schema-XXXXXX", NULL);
  static const char *const names[] = { "pack.json", "system.json", "x.json" };

  assert_dir_fails (dir, KT_ERROR_NOT_FOUND, NULL);
  write_file (dir, "pack.json", "{\"name\":\"s\",\"version\":1,\"objects\":[\"x\"]}");
  write_file (dir, "system.json", "{\"fields\":[]}");
  assert_dir_fails (dir, KT_ERROR_NOT_FOUND, NULL);
  write_file (dir, "x.json", "{\n\"object\":\"y\"}");
  assert_dir_fails (dir, KT_ERROR_SCHEMA, "x.json: calls itself \"y\"");
  write_file (
    dir, "x.json",
    "{\"object\":\"x\",\n\"title\":\"n\",\"fields\":[\n{\"name\":\"n\",\"type\":\"text\",\n\"requird\":true}]}");
  assert_dir_fails (dir, KT_ERROR_SCHEMA,
                    "x.json: field \"n\": unknown member \"requird\" (line 4)");
  write_file (dir, "x.json", "{\"object\":\"x\",\n\"titel\":\"n\"}");
  assert_dir_fails (dir, KT_ERROR_SCHEMA, "x.json: unknown member \"titel\" (line 2)");
  write_file (dir, "x.json", "{\"object\":\"x\",\n,}");
  assert_dir_fails (dir, KT_ERROR_SCHEMA, "x.json: line 2, column 1: a key in quotes was expected");
  write_file (
    dir, "x.json",
    "\xef\xbb\xbf{\"object\":\"x\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"},\n"
    "{\"name\":\"s\",\"type\":\"ref\",\"to\":[\"stages\"]}]}");
  assert_dir_fails (dir, KT_ERROR_SCHEMA,
                    "x.json: field \"s\": refers to unknown object \"stages\"");
  write_file (dir, "x.json",
              "{\"object\":\"x\",\"title\":\"n\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]}");
  write_file (dir, "system.json",
              "{\"fields\":[{\"name\":\"made_by\",\"type\":\"ref\",\"to\":[\"nobody\"]}]}");
  assert_dir_fails (dir, KT_ERROR_SCHEMA,
                    "system.json: field \"made_by\": refers to unknown object \"nobody\"");

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (dir, names[i], NULL);

      g_assert_cmpint (remove (path), ==, 0);
    }
  g_assert_cmpint (remove (dir), ==, 0);
}

/* Any damage to the text is an error or another sound schema, never a crash. */
static void
test_survives_damage (void)
{
  g_autoptr (GRand) rand = sample_rand_new ();

  for (int i = 0; i < 2000; i++)
    {
      g_autofree char *text = g_strdup (sample_schema);
      gsize len = strlen (text);
      g_autoptr (KtSchema) schema = NULL;
      g_autoptr (GError) error = NULL;

      for (int n = g_rand_int_range (rand, 1, 4); n > 0; n--)
        {
          gsize from = (gsize) g_rand_int_range (rand, 0, (gint32) len);
          gsize to = (gsize) g_rand_int_range (rand, 0, (gint32) len);

          if (g_rand_boolean (rand))
            text[to] = text[from];
          else
            {
              gsize size = (gsize) g_rand_int_range (rand, 1, 30);

              memmove (text + to, text + from, MIN (size, len - MAX (from, to)));
            }
        }
      schema = kt_schema_from_json (text, (gssize) len, &error);
      g_assert_true ((schema == NULL) == (error != NULL));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/schema/sample-loads", test_sample_loads);
  g_test_add_func ("/schema/defaults-of-fields", test_defaults_of_fields);
  g_test_add_func ("/schema/text-form-is-stable", test_text_form_is_stable);
  g_test_add_func ("/schema/numbers-survive", test_numbers_survive);
  g_test_add_func ("/schema/faults-are-named", test_faults_are_named);
  g_test_add_func ("/schema/unknown-members-of-newer-servers-pass",
                   test_unknown_members_of_newer_servers_pass);
  g_test_add_func ("/schema/limits", test_limits);
  g_test_add_func ("/schema/diff", test_diff);
  g_test_add_func ("/schema/list-fields", test_list_fields);
  g_test_add_func ("/schema/shipped-pack", test_shipped_pack);
  g_test_add_func ("/schema/files-are-held-to-the-letter", test_files_are_held_to_the_letter);
  g_test_add_func ("/schema/survives-damage", test_survives_damage);
  return g_test_run ();
}
