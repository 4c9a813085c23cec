/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "proto/kt-rules.h"
#include "tests/proto/fixture.h"

#define NOW "2026-01-31T08:00:00.000Z"

static char *
problems_of (const KtRecord *before, const KtRecord *after, const char *locale)
{
  g_autoptr (GPtrArray) problems = kt_rules_check (before, after, locale);
  GString *out = g_string_new (NULL);

  for (guint i = 0; problems != NULL && i < problems->len; i++)
    {
      const KtProblem *problem = problems->pdata[i];

      g_string_append_printf (out, "%s%s: %s", i > 0 ? " | " : "",
                              problem->field != NULL ? problem->field->name : "-",
                              problem->message);
    }
  return g_string_free (out, FALSE);
}

static void
set_text (KtRecord *record, const char *field, KtValueType type, const char *text)
{
  KtValue *value = &record->values[fixture_field (field)->index];

  kt_value_clear (value);
  kt_value_set_text (value, text);
  if (text != NULL)
    value->type = type;
}

static void
test_required (void)
{
  g_autoptr (KtRecord) empty = fixture_record (1, "{}");
  g_autoptr (KtRecord) named = fixture_record (1, "{\"name\":\"Acme\"}");
  g_autofree char *en = problems_of (NULL, empty, "en");
  g_autofree char *zh = problems_of (NULL, empty, "zh_CN");
  g_autofree char *fine = problems_of (NULL, named, "en");
  g_autofree char *cleared = problems_of (named, empty, "en");
  /* It was like that before the rule: other edits go on (P13). */
  g_autofree char *old = problems_of (empty, empty, "en");

  g_assert_cmpstr (en, ==, "name: Name is required");
  g_assert_cmpstr (zh, ==, "name: 请填写名称");
  g_assert_cmpstr (fine, ==, "");
  g_assert_cmpstr (cleared, ==, "name: Name is required");
  g_assert_cmpstr (old, ==, "");
}

static void
test_values (void)
{
  static const struct
  {
    const char *field;
    KtValueType type;
    const char *text;
    const char *en, *zh;
  } table[] = {
    { "stage", KT_VALUE_TEXT, "gone", "stage: Stage has no option “gone”",
      "stage: 阶段没有“gone”这个选项" },
    { "channels", KT_VALUE_LIST, "[\"fax\",\"mail\"]", "channels: Channels has no option “fax”",
      "channels: Channels没有“fax”这个选项" },
    { "tags", KT_VALUE_LIST, "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]",
      "tags: Tags may have 7 entries at most", "tags: Tags最多 7 项" },
    { "score", KT_VALUE_TEXT, "12", "score: Score holds a value of the wrong type",
      "score: Score的值类型不对" },
    { "tags", KT_VALUE_LIST, "[\"anything\"]", "", "" },
    { "stage", KT_VALUE_TEXT, "won", "", "" },
  };
  g_autofree char *long_name = g_strnfill (201, 'x');
  g_autoptr (KtRecord) record = fixture_record (1, "{\"name\":\"Acme\"}");
  g_autofree char *too_long = NULL;
  KtId id = fixture_id (5);
  KtValue *about = &record->values[fixture_field ("about")->index];
  g_autofree char *wrong_ref = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *en = NULL;
      g_autofree char *zh = NULL;
      g_autofree char *old = NULL;

      set_text (record, table[i].field, table[i].type, table[i].text);
      en = problems_of (NULL, record, "en");
      zh = problems_of (NULL, record, "zh_CN");
      old = problems_of (record, record, "en");
      g_assert_cmpstr (en, ==, table[i].en);
      g_assert_cmpstr (zh, ==, table[i].zh);
      g_assert_cmpstr (old, ==, "");
      set_text (record, table[i].field, table[i].type, NULL);
    }

  kt_value_set_any (about, "deal", &id);
  wrong_ref = problems_of (NULL, record, "en");
  g_assert_cmpstr (wrong_ref, ==, "about: About cannot point to a record of Deal");
  kt_value_clear (about);
  set_text (record, "name", KT_VALUE_TEXT, long_name);
  too_long = problems_of (NULL, record, "en");
  g_assert_cmpstr (too_long, ==, "name: Name may have 200 characters at most");
}

static void
test_transitions (void)
{
  g_autoptr (KtRecord) draft = fixture_record (1, "{\"name\":\"A\",\"stage\":\"draft\"}");
  g_autoptr (KtRecord) sent = fixture_record (1, "{\"name\":\"A\",\"stage\":\"sent\"}");
  g_autoptr (KtRecord) won = fixture_record (1, "{\"name\":\"A\",\"stage\":\"won\"}");
  g_autoptr (KtRecord) none = fixture_record (1, "{\"name\":\"A\"}");
  g_autofree char *allowed = problems_of (draft, sent, "en");
  g_autofree char *jump = problems_of (draft, won, "en");
  g_autofree char *zh = problems_of (draft, won, "zh_CN");
  g_autofree char *final = problems_of (won, draft, "en");
  g_autofree char *first = problems_of (none, won, "en");
  g_autofree char *created = problems_of (NULL, won, "en");

  g_assert_cmpstr (allowed, ==, "");
  g_assert_cmpstr (jump, ==, "stage: Stage cannot go from “Proposal” to “Won”");
  g_assert_cmpstr (zh, ==, "stage: 阶段不能由“提案”改为“赢单”");
  g_assert_cmpstr (final, ==, "stage: Stage cannot go from “Won” to “Proposal”");
  g_assert_cmpstr (first, ==, "");
  g_assert_cmpstr (created, ==, "");
}

/* A record must fit into one line of a page, or it could never be sent. */
static void
test_size (void)
{
  g_autoptr (KtRecord) record = fixture_record (1, "{\"name\":\"A\"}");
  g_autofree char *filler = g_strnfill (KT_RECORD_MAX_BYTES / 2, 'x');
  g_autofree char *some = g_strdup_printf ("\"%s\"", filler);
  g_autofree char *much = g_strdup_printf ("[\"%s\",\"%s\"]", filler, filler);
  g_autofree char *fine = NULL;
  g_autofree char *large = NULL;

  set_text (record, "extra", KT_VALUE_JSON, some);
  fine = problems_of (NULL, record, "en");
  g_assert_cmpstr (fine, ==, "");
  set_text (record, "extra", KT_VALUE_JSON, much);
  large = problems_of (NULL, record, "en");
  g_assert_true (g_str_has_prefix (large, "-: The record is larger"));
}

static void
test_error (void)
{
  g_autoptr (KtRecord) empty = fixture_record (1, "{}");
  g_autoptr (KtRecord) fine = fixture_record (1, "{\"name\":\"A\"}");
  g_autoptr (GError) one = NULL;
  g_autoptr (GError) two = NULL;
  g_autoptr (GError) zh = NULL;

  g_assert_true (kt_rules_check_error (NULL, fine, "en", &one));
  g_assert_false (kt_rules_check_error (NULL, empty, "en", &one));
  g_assert_error (one, KT_ERROR, KT_ERROR_INVALID);
  g_assert_cmpstr (one->message, ==, "Name is required");
  set_text (empty, "stage", KT_VALUE_TEXT, "gone");
  g_assert_false (kt_rules_check_error (NULL, empty, "en", &two));
  g_assert_cmpstr (two->message, ==, "Name is required (and 1 more problem)");
  g_assert_false (kt_rules_check_error (NULL, empty, "zh_CN", &zh));
  g_assert_cmpstr (zh->message, ==, "请填写名称（另有 1 个问题）");
}

/* ---- access ---- */

static KtRecord *
conflict_of (const KtId *mine_by, const KtId *assigned_to)
{
  const KtObject *object = fixture_object ("sync_conflict");
  KtId id = fixture_id (1);
  KtRecord *record = kt_record_new (object, &id);

  kt_value_set_id (&record->values[kt_object_field (object, "mine_by")->index], mine_by);
  kt_value_set_id (&record->values[kt_object_field (object, "assigned_to")->index], assigned_to);
  return record;
}

static void
test_access (void)
{
  KtAccess rep = { fixture_id (10), FALSE, (char *) "rep" };
  KtAccess admin = { fixture_id (11), TRUE, (char *) "admin" };
  KtId other = fixture_id (12);
  g_autoptr (KtRecord) mine = conflict_of (&rep.user, &other);
  g_autoptr (KtRecord) assigned = conflict_of (&other, &rep.user);
  g_autoptr (KtRecord) foreign = conflict_of (&other, &other);
  const struct
  {
    const KtAccess *access;
    KtMay action;
    const char *object;
    const KtRecord *record;
    gboolean may;
  } table[] = {
    { &rep, KT_MAY_READ, "deal", NULL, TRUE },
    { &rep, KT_MAY_CREATE, "deal", NULL, TRUE },
    { &rep, KT_MAY_DELETE, "deal", NULL, TRUE },
    { &rep, KT_MAY_READ, "user", NULL, TRUE },
    { &rep, KT_MAY_CREATE, "user", NULL, FALSE },
    { &rep, KT_MAY_EDIT, "user", NULL, FALSE },
    { &admin, KT_MAY_EDIT, "user", NULL, TRUE },
    { &rep, KT_MAY_READ, "sync_conflict", foreign, TRUE },
    { &rep, KT_MAY_EDIT, "sync_conflict", mine, TRUE },
    { &rep, KT_MAY_EDIT, "sync_conflict", assigned, TRUE },
    { &rep, KT_MAY_EDIT, "sync_conflict", foreign, FALSE },
    { &admin, KT_MAY_EDIT, "sync_conflict", foreign, TRUE },
    { &rep, KT_MAY_CREATE, "sync_conflict", NULL, FALSE },
    { &admin, KT_MAY_DELETE, "sync_conflict", foreign, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    for (guint zh = 0; zh < 2; zh++)
      {
        g_autofree char *reason = NULL;
        gboolean may =
          kt_access_may (table[i].access, table[i].action, fixture_object (table[i].object),
                         table[i].record, zh ? "zh_CN" : "en", &reason);

        g_test_message ("%u: %s", i, reason != NULL ? reason : "may");
        g_assert_cmpint (may, ==, table[i].may);
        g_assert_cmpint (reason != NULL, ==, !may);
        g_assert_true (may
                       == kt_access_may (table[i].access, table[i].action,
                                         fixture_object (table[i].object), table[i].record, "en",
                                         NULL));
      }
}

static void
test_access_op (void)
{
  KtAccess admin = { fixture_id (11), TRUE, (char *) "admin" };
  KtAccess rep = { fixture_id (12), FALSE, (char *) "rep" };
  g_autoptr (KtMutation) mutation = kt_mutation_new (NOW, "client");
  KtId id = fixture_id (1);
  KtPatch *fine = kt_patch_new (fixture_object ("deal"));
  KtPatch *computed = kt_patch_new (fixture_object ("deal"));
  KtPatch *conflict = kt_patch_new (fixture_object ("sync_conflict"));
  KtValue before = KT_VALUE_INIT;
  g_auto (KtValue) after = KT_VALUE_INIT;
  g_autofree char *why_computed = NULL;
  g_autofree char *why_conflict = NULL;
  g_autofree char *why_user = NULL;
  KtOp *op;

  kt_value_set_text (&after, NOW);
  kt_patch_set (fine, fixture_field ("name"), &before, &after);
  kt_patch_set (computed, fixture_field ("created_at"), &before, &after);
  kt_patch_set (conflict, kt_object_field (fixture_object ("sync_conflict"), "message"), &before,
                &after);

  op = kt_mutation_add (mutation, KT_MUTATE_UPDATE, fixture_object ("deal"), &id, 1, fine);
  g_assert_true (kt_access_may_op (&rep, mutation, op, NULL, "en", NULL));
  op = kt_mutation_add (mutation, KT_MUTATE_UPDATE, fixture_object ("deal"), &id, 1, computed);
  g_assert_false (kt_access_may_op (&admin, mutation, op, NULL, "en", &why_computed));
  g_assert_cmpstr (why_computed, ==, "Created is filled in by Kontor");
  op = kt_mutation_add (mutation, KT_MUTATE_UPDATE, fixture_object ("sync_conflict"), &id, 1,
                        conflict);
  g_assert_false (kt_access_may_op (&admin, mutation, op, NULL, "en", &why_conflict));
  g_assert_nonnull (why_conflict);
  op = kt_mutation_add (mutation, KT_MUTATE_DELETE, fixture_object ("user"), &id, 1, NULL);
  g_assert_true (kt_access_may_op (&admin, mutation, op, NULL, "en", NULL));
  g_assert_false (kt_access_may_op (&rep, mutation, op, NULL, "zh_CN", &why_user));
  g_assert_cmpstr (why_user, ==, "只有管理员可以更改用户");
}

/* The product's own pack: what every workspace starts with keeps the rules. */
static void
test_seed (void)
{
  const char *data = g_getenv ("KONTOR_DATADIR");
  g_autofree char *dir = data != NULL ? g_build_filename (data, "schema", NULL) : NULL;
  g_autoptr (KtSchema) schema = dir != NULL ? kt_schema_load_dir (dir, NULL) : NULL;
  g_autofree char *file = dir != NULL ? g_build_filename (dir, "seed.json", NULL) : NULL;
  g_autoptr (KtJson) seed =
    schema != NULL ? kt_json_parse_file (file, 16 * 1024 * 1024, NULL) : NULL;
  KtJson *list = kt_json_get (seed, "records");

  if (list == NULL)
    {
      g_test_skip ("no schema of the product here");
      return;
    }
  for (guint i = 0; i < kt_json_length (list); i++)
    {
      KtJson *json = kt_json_at (list, i), *fields = kt_json_get (json, "fields");
      const KtObject *object = kt_schema_object (schema, kt_json_get_string (json, "object", ""));
      g_autoptr (KtRecord) record = NULL;
      g_autofree char *problems = NULL;
      g_autoptr (GError) error = NULL;
      KtId id;

      g_assert_nonnull (object);
      g_assert_true (kt_id_parse (kt_json_get_string (json, "id", ""), -1, &id));
      record = kt_record_new (object, &id);
      for (guint k = 0; k < kt_json_length (fields); k++)
        {
          const KtField *field = kt_object_field (object, kt_json_key_at (fields, k));

          g_assert_nonnull (field);
          kt_value_from_json (field, kt_json_at (fields, k), &record->values[field->index], &error);
          g_assert_no_error (error);
        }
      kt_record_apply_defaults (record);
      problems = problems_of (NULL, record, "en");
      if (*problems != '\0')
        g_test_message ("%s %s: %s", object->name, kt_json_get_string (json, "id", ""), problems);
      g_assert_cmpstr (problems, ==, "");
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rules/required", test_required);
  g_test_add_func ("/rules/values", test_values);
  g_test_add_func ("/rules/transitions", test_transitions);
  g_test_add_func ("/rules/size", test_size);
  g_test_add_func ("/rules/error", test_error);
  g_test_add_func ("/rules/seed", test_seed);
  g_test_add_func ("/rules/access", test_access);
  g_test_add_func ("/rules/access-op", test_access_op);
  return g_test_run ();
}
