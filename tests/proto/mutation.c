/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "tests/proto/fixture.h"

#define NOW "2026-01-31T08:00:00.000Z"
#define MID "01900000-0000-7000-8000-0000000000aa"
#define ID1 "01900000-0000-7000-8000-000000000001"
#define ID2 "01900000-0000-7000-8000-000000000002"

static const char whole[] =
  "{\"id\":\"" MID "\",\"number\":5,\"at\":\"" NOW "\",\"origin\":\"client\","
  "\"batch\":\"01900000-0000-7000-8000-0000000000bb\","
  "\"resolves\":\"01900000-0000-7000-8000-0000000000cc\",\"resolution\":\"merged\",\"ops\":["
  "{\"op\":\"create\",\"object\":\"account\",\"id\":\"" ID1
  "\",\"fields\":{\"name\":[null,\"Acme\"]}},"
  "{\"op\":\"update\",\"object\":\"deal\",\"id\":\"" ID2 "\",\"base_rev\":12,\"fields\":{"
  "\"name\":[\"A\",\"B\"],\"score\":[1,2],\"tags\":[[\"a\"],null]}},"
  "{\"op\":\"delete\",\"object\":\"deal\",\"id\":\"" ID2 "\",\"base_rev\":12}]}";

static KtMutation *
made (void)
{
  KtMutation *mutation = kt_mutation_new (NOW, "client");

  g_assert_true (kt_id_parse (MID, -1, &mutation->id));
  return mutation;
}

static KtMutation *
parse (const char *text, GError **error)
{
  g_autoptr (KtJson) json = kt_json_parse (text, -1, error);

  return json != NULL ? kt_mutation_from_json (fixture_schema (), json, error) : NULL;
}

static void
test_round_trip (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtMutation) mutation = parse (whole, &error);
  g_autofree char *again = NULL;
  const KtOp *op;

  g_assert_no_error (error);
  again = kt_mutation_to_string (mutation);
  g_assert_cmpstr (again, ==, whole);
  g_assert_cmpint (mutation->number, ==, 5);
  g_assert_cmpuint (mutation->ops->len, ==, 3);
  op = g_ptr_array_index (mutation->ops, 1);
  g_assert_cmpint (op->kind, ==, KT_MUTATE_UPDATE);
  g_assert_cmpint (op->base_rev, ==, 12);
  g_assert_cmpuint (kt_patch_length (op->patch), ==, 3);
  g_assert_true (kt_mutation_check (mutation, &error));
}

#define OPS(ops) "{\"id\":\"" MID "\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"ops\":[" ops "]}"
#define OP(op, more) "{\"op\":\"" op "\",\"object\":\"deal\",\"id\":\"" ID1 "\"" more "}"
#define UPDATE OP ("update", ",\"base_rev\":1,\"fields\":{\"phone\":[\"1\",\"2\"]}")
#define CREATE OP ("create", ",\"fields\":{\"name\":[null,\"x\"]}")
#define DELETE OP ("delete", ",\"base_rev\":1")
#define RESTORE OP ("restore", ",\"base_rev\":1")

static void
test_hostile (void)
{
  static const struct
  {
    const char *text;
    int code;
    const char *says;
  } table[] = {
    { "[]", KT_ERROR_INVALID, "object" },
    { "null", KT_ERROR_INVALID, "object" },
    { "{}", KT_ERROR_INVALID, "at" },
    { "{\"id\":\"" MID "\",\"number\":1,\"at\":\"yesterday\",\"origin\":\"client\",\"ops\":[]}", KT_ERROR_INVALID,
      "at" },
    { "{\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"ops\":[" UPDATE "]}",
      KT_ERROR_INVALID, "\"id\"" },
    { "{\"id\":\"1\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"ops\":[" UPDATE "]}",
      KT_ERROR_INVALID, "\"id\"" },
    { "{\"id\":\"" MID "\",\"number\":-1,\"at\":\"" NOW "\",\"origin\":\"client\",\"ops\":[" UPDATE "]}",
      KT_ERROR_INVALID, "number" },
    { "{\"id\":\"" MID "\",\"number\":1.5,\"at\":\"" NOW "\",\"origin\":\"client\",\"ops\":[" UPDATE "]}",
      KT_ERROR_INVALID, "number" },
    { "{\"id\":\"" MID "\",\"number\":\"1\",\"at\":\"" NOW "\",\"origin\":\"client\",\"ops\":[" UPDATE "]}",
      KT_ERROR_INVALID, "number" },
    { "{\"id\":\"" MID "\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"CLIENT 1\",\"ops\":[" UPDATE "]}",
      KT_ERROR_INVALID, "origin" },
    { "{\"id\":\"" MID "\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"batch\":\"x\",\"ops\":[" UPDATE
      "]}",
      KT_ERROR_INVALID, "batch" },
    { "{\"id\":\"" MID "\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"extra\":1,\"ops\":[" UPDATE "]}",
      KT_ERROR_INVALID, "extra" },
    { "{\"id\":\"" MID "\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"ops\":{}}", KT_ERROR_INVALID,
      "ops" },
    { "{\"id\":\"" MID "\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"resolves\":\"" ID1 "\",\"ops\":[]}",
      KT_ERROR_INVALID, "resolution" },
    { "{\"id\":\"" MID "\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"resolves\":\"" ID1
      "\",\"resolution\":\"won\",\"ops\":[]}",
      KT_ERROR_INVALID, "resolution" },
    { OPS (""), KT_ERROR_INVALID, "nothing" },
    { OPS ("1"), KT_ERROR_INVALID, "Change 1" },
    { OPS (OP ("upsert", "")), KT_ERROR_INVALID, "op" },
    { OPS ("{\"op\":\"delete\",\"object\":\"dael\",\"id\":\"" ID1 "\"}"), KT_ERROR_NOT_FOUND,
      "dael" },
    { OPS ("{\"op\":\"delete\",\"object\":\"deal\"}"), KT_ERROR_INVALID, "id" },
    { OPS ("{\"op\":\"delete\",\"object\":\"deal\",\"id\":\"1\"}"), KT_ERROR_INVALID, "id" },
    { OPS (
        "{\"op\":\"delete\",\"object\":\"deal\",\"id\":\"00000000-0000-0000-0000-000000000000\"}"),
      KT_ERROR_INVALID, "id" },
    { OPS (OP ("delete", ",\"fields\":{}")), KT_ERROR_INVALID, "fields" },
    { OPS (OP ("update", ",\"base_rev\":1")), KT_ERROR_INVALID, "fields" },
    { OPS (OP ("update", ",\"base_rev\":1,\"fields\":[]")), KT_ERROR_INVALID, "fields" },
    { OPS (OP ("update", ",\"base_rev\":1,\"fields\":{\"fone\":[\"1\",\"2\"]}")), -1, "fone" },
    { OPS (OP ("update", ",\"base_rev\":1,\"fields\":{\"phone\":\"2\"}")), KT_ERROR_INVALID,
      "hone" },
    { OPS (OP ("update", ",\"base_rev\":1,\"fields\":{\"score\":[1,\"x\"]}")), KT_ERROR_INVALID,
      "Score" },
    { OPS (OP ("update", ",\"base_rev\":1,\"fields\":{\"deleted_at\":[null,\"" NOW "\"]}")),
      KT_ERROR_INVALID, "deleted_at" },
    { OPS (OP ("update", ",\"base_rev\":1,\"fields\":{\"created_at\":[null,\"" NOW "\"]}")),
      KT_ERROR_INVALID, "created_at" },
    { OPS (OP ("create", ",\"base_rev\":3,\"fields\":{\"name\":[null,\"x\"]}")), KT_ERROR_INVALID,
      "base_rev" },
    { OPS (OP ("create", ",\"fields\":{\"name\":[\"y\",\"x\"]}")), KT_ERROR_INVALID, "name" },
    { OPS (OP ("update", ",\"rev\":1,\"fields\":{}")), KT_ERROR_INVALID, "rev" },
    { OPS (CREATE "," CREATE), KT_ERROR_INVALID, "create" },
    { OPS (UPDATE "," CREATE), KT_ERROR_INVALID, "create" },
    { OPS (DELETE "," UPDATE), KT_ERROR_INVALID, "update" },
    { OPS (DELETE "," DELETE), KT_ERROR_INVALID, "delete" },
    { OPS (CREATE "," RESTORE), KT_ERROR_INVALID, "restore" },
    { OPS (CREATE ",{\"op\":\"update\",\"object\":\"account\",\"id\":\"" ID1
                  "\",\"fields\":{\"name\":[\"a\",\"b\"]}}"),
      KT_ERROR_INVALID, "account" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtMutation) mutation = parse (table[i].text, &error);

      g_test_message ("%s: %s", table[i].text, error != NULL ? error->message : "accepted");
      g_assert_null (mutation);
      g_assert_nonnull (error);
      g_assert_true (error->domain == KT_ERROR);
      if (table[i].code >= 0)
        g_assert_cmpint (error->code, ==, table[i].code);
      g_assert_nonnull (strstr (error->message, table[i].says));
    }
}

/* What the same action says is the same under another number and with another base, and nothing else is. */
static void
test_digest (void)
{
  static const char *const same[] = {
    "{\"id\":\"" MID "\",\"number\":1,\"ops\":[{\"op\":\"update\",\"base_rev\":7,\"fields\":{\"a\":[1,2]}}]}",
    "{\"number\":9,\"id\":\"" MID "\",\"ops\":[{\"fields\":{\"a\":[1,2]},\"op\":\"update\",\"base_rev\":3}]}",
    "{\"id\":\"" MID "\",\"ops\":[{\"op\":\"update\",\"fields\":{\"a\":[1, 2]}}]}",
  };
  static const char *const other[] = {
    "{\"id\":\"" ID1 "\",\"ops\":[{\"op\":\"update\",\"fields\":{\"a\":[1,2]}}]}",
    "{\"id\":\"" MID "\",\"ops\":[{\"op\":\"update\",\"fields\":{\"a\":[1,3]}}]}",
    "{\"id\":\"" MID "\",\"ops\":[{\"op\":\"update\",\"fields\":{\"base_rev\":[1,2],\"a\":[1,2]}}]}",
    "{\"id\":\"" MID "\",\"ops\":[{\"op\":\"update\",\"fields\":{\"number\":[1,2],\"a\":[1,2]}}]}",
    "{\"id\":\"" MID "\",\"ops\":[[{\"op\":\"update\",\"fields\":{\"a\":[1,2]}}]]}",
    "{\"id\":\"" MID "\",\"ops\":[{\"op\":\"update\",\"fields\":{\"a\":[1,2]}},{}]}",
    "{\"id\":\"" MID "\",\"ops\":{\"op\":\"update\"}}",
    "[]",
    "null",
  };
  guint8 digests[G_N_ELEMENTS (other) + 1][KT_MUTATION_DIGEST_BYTES];

  for (guint i = 0; i < G_N_ELEMENTS (same); i++)
    {
      g_autoptr (KtJson) json = kt_json_parse (same[i], -1, NULL);
      guint8 digest[KT_MUTATION_DIGEST_BYTES];

      kt_mutation_digest (json, i == 0 ? digests[0] : digest);
      if (i > 0)
        g_assert_cmpmem (digest, sizeof digest, digests[0], sizeof digests[0]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (other); i++)
    {
      g_autoptr (KtJson) json = kt_json_parse (other[i], -1, NULL);

      kt_mutation_digest (json, digests[i + 1]);
      for (guint k = 0; k <= i; k++)
        g_assert_cmpint (memcmp (digests[k], digests[i + 1], KT_MUTATION_DIGEST_BYTES), !=, 0);
    }
}

static void
test_order (void)
{
  static const char *const fine[] = {
    OPS (CREATE "," UPDATE "," DELETE "," RESTORE "," UPDATE),
    OPS (UPDATE "," UPDATE),
    OPS (RESTORE "," DELETE),
    "{\"id\":\"" MID "\",\"number\":0,\"at\":\"" NOW "\",\"origin\":\"client\",\"resolves\":\"" ID1
    "\",\"resolution\":\"took_theirs\",\"ops\":[]}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (fine); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtMutation) mutation = parse (fine[i], &error);

      g_assert_no_error (error);
      g_assert_nonnull (mutation);
    }
}

/* Every byte flipped, every length: an error or a mutation that says the same again, never a crash. */
static void
test_flipped (void)
{
  const gsize len = strlen (whole);

  for (gsize i = 0; i < len * 8; i++)
    {
      g_autofree char *text = g_strdup (whole);
      g_autoptr (GError) error = NULL;
      g_autoptr (KtMutation) mutation = NULL;

      text[i / 8] ^= (char) (1 << (i % 8));
      mutation = parse (text, &error);
      g_assert_true ((mutation == NULL) == (error != NULL));
      if (mutation != NULL)
        {
          g_autofree char *once = kt_mutation_to_string (mutation);
          g_autoptr (KtMutation) again = parse (once, &error);
          g_autofree char *twice = NULL;
          g_autofree char *sentence = kt_mutation_describe (mutation, "en", NULL, NULL);

          g_assert_no_error (error);
          twice = kt_mutation_to_string (again);
          g_assert_cmpstr (twice, ==, once);
          g_assert_true (g_utf8_validate (sentence, -1, NULL));
        }
    }
  for (gsize i = 0; i < len; i++)
    {
      g_autofree char *text = g_strndup (whole, i);
      g_autoptr (GError) error = NULL;

      g_assert_null (parse (text, &error));
      g_assert_nonnull (error);
    }
}

static void
test_limits (void)
{
  g_autoptr (KtMutation) many = made ();
  g_autoptr (KtMutation) large = made ();
  g_autofree char *text = NULL;
  g_autofree char *note = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i <= KT_MUTATION_MAX_OPS; i++)
    {
      KtId id = fixture_id (i + 1);

      kt_mutation_add (many, KT_MUTATE_DELETE, fixture_object ("deal"), &id, 1, NULL);
    }
  g_assert_false (kt_mutation_check (many, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_LIMIT);
  g_clear_error (&error);
  text = kt_mutation_to_string (many);
  g_assert_null (parse (text, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_LIMIT);
  g_clear_error (&error);

  note = g_strnfill (1000 * 1000, 'x');
  for (guint i = 0; i < 20; i++)
    {
      KtId id = fixture_id (i + 1);
      KtPatch *patch = kt_patch_new (fixture_object ("deal"));
      KtValue before = KT_VALUE_INIT;
      g_auto (KtValue) after = KT_VALUE_INIT;

      kt_value_set_text (&after, note);
      kt_patch_set (patch, fixture_field ("note"), &before, &after);
      kt_mutation_add (large, KT_MUTATE_UPDATE, fixture_object ("deal"), &id, 1, patch);
    }
  g_assert_false (kt_mutation_check (large, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_LIMIT);
}

/* ---- describe ---- */

static char *
title_cb (const KtObject *object, const KtId *id, gpointer data)
{
  if (strcmp (object->name, "account") == 0)
    return g_strdup (id->b[15] == 2 ? "Bolt" : "Acme");
  return g_strdup ("Acme renewal");
}

#define FIELDS(json) OP ("update", ",\"base_rev\":1,\"fields\":{" json "}")

static const struct
{
  const char *text;
  gboolean titles;
  const char *en, *zh;
} sentences[] = {
  { OPS (FIELDS ("\"stage\":[\"draft\",\"sent\"]")), TRUE,
    "Changed Stage of “Acme renewal”: Proposal → Negotiation",
    "将“Acme renewal”的阶段由 提案 改为 谈判" },
  { OPS (FIELDS ("\"phone\":[null,\"123\"]")), TRUE, "Set Phone of “Acme renewal” to 123",
    "将“Acme renewal”的电话设为 123" },
  { OPS (FIELDS ("\"phone\":[\"123\",null]")), TRUE, "Cleared Phone of “Acme renewal” (was 123)",
    "清除了“Acme renewal”的电话（原为 123）" },
  { OPS (FIELDS ("\"note\":[\"a\",\"b\"]")), TRUE, "Changed Note of “Acme renewal”",
    "修改了“Acme renewal”的备注" },
  { OPS (FIELDS ("\"account\":[\"" ID1 "\",\"" ID2 "\"]")), TRUE,
    "Changed Account of “Acme renewal”: Acme → Bolt", "将“Acme renewal”的客户由 Acme 改为 Bolt" },
  { OPS (FIELDS ("\"phone\":[null,\"1\"],\"stage\":[\"draft\",\"sent\"]")), TRUE,
    "Changed Phone and Stage of “Acme renewal”", "修改了“Acme renewal”的电话和阶段" },
  { OPS (FIELDS ("\"phone\":[null,\"1\"],\"stage\":[\"draft\",\"sent\"],\"note\":[null,\"x\"]")),
    TRUE, "Changed Phone, Stage and Note of “Acme renewal”",
    "修改了“Acme renewal”的电话、阶段和备注" },
  { OPS (FIELDS ("\"phone\":[null,\"1\"],\"stage\":[\"draft\",\"sent\"],\"note\":[null,\"x\"],"
                 "\"score\":[1,2]")),
    TRUE, "Changed 4 fields of “Acme renewal”", "修改了“Acme renewal”的 4 个字段" },
  { OPS (CREATE), FALSE, "Created deal “x”", "新建了商机“x”" },
  { OPS (DELETE), TRUE, "Deleted deal “Acme renewal”", "删除了商机“Acme renewal”" },
  { OPS (RESTORE), TRUE, "Restored deal “Acme renewal”", "恢复了商机“Acme renewal”" },
  { OPS (CREATE "," UPDATE), FALSE, "Created deal “x”, and 1 more change",
    "新建了商机“x”，另有 1 项更改" },
  { "{\"id\":\"" MID "\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"resolves\":\"" ID1
    "\",\"resolution\":\"took_theirs\",\"ops\":[]}",
    FALSE, "Settled a conflict: took theirs", "解决了一个冲突：采用对方的" },
  { "{\"id\":\"" MID "\",\"number\":1,\"at\":\"" NOW "\",\"origin\":\"client\",\"resolves\":\"" ID1
    "\",\"resolution\":\"kept_mine\",\"ops\":[" FIELDS ("\"phone\":[\"1\",\"2\"]") "]}",
    TRUE, "Changed Phone of “Acme renewal”: 1 → 2 (settling a conflict)",
    "将“Acme renewal”的电话由 1 改为 2（解决冲突）" },
};

static void
test_describe (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (sentences); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtMutation) mutation = parse (sentences[i].text, &error);
      KtTitleFunc title = sentences[i].titles ? title_cb : NULL;
      g_autofree char *en = NULL;
      g_autofree char *zh = NULL;

      g_assert_no_error (error);
      en = kt_mutation_describe (mutation, "en", title, NULL);
      zh = kt_mutation_describe (mutation, "zh_CN", title, NULL);
      g_assert_cmpstr (en, ==, sentences[i].en);
      g_assert_cmpstr (zh, ==, sentences[i].zh);
    }
}

static void
describe_many (const char *origin,
               KtMutateKind kind,
               const char *object,
               guint n,
               const char *en,
               const char *zh)
{
  g_autoptr (KtMutation) mutation = kt_mutation_new (NOW, origin);
  g_autofree char *got_en = NULL;
  g_autofree char *got_zh = NULL;

  for (guint i = 0; i < n; i++)
    {
      KtId id = fixture_id (i + 1);
      KtPatch *patch = NULL;

      if (kind <= KT_MUTATE_UPDATE)
        {
          const KtObject *of = fixture_object (object);
          const KtField *field = kind == KT_MUTATE_CREATE ? of->title : fixture_field ("stage");
          KtValue before = KT_VALUE_INIT;
          g_auto (KtValue) after = KT_VALUE_INIT;

          patch = kt_patch_new (of);
          kt_value_set_text (&after, "won");
          kt_patch_set (patch, field, &before, &after);
        }
      kt_mutation_add (mutation, kind, fixture_object (object), &id, 0, patch);
    }
  got_en = kt_mutation_describe (mutation, "en", NULL, NULL);
  got_zh = kt_mutation_describe (mutation, "zh_CN", NULL, NULL);
  g_assert_cmpstr (got_en, ==, en);
  g_assert_cmpstr (got_zh, ==, zh);
}

static void
test_describe_many (void)
{
  describe_many ("client", KT_MUTATE_DELETE, "deal", 12, "Deleted 12 deals", "删除了 12 个商机");
  describe_many ("client", KT_MUTATE_RESTORE, "deal", 12, "Restored 12 deals", "恢复了 12 个商机");
  describe_many ("import", KT_MUTATE_CREATE, "account", 500, "Imported 500 accounts",
                 "导入了 500 个客户");
  describe_many ("client", KT_MUTATE_CREATE, "account", 2, "Created 2 accounts", "新建了 2 个客户");
  describe_many ("client", KT_MUTATE_UPDATE, "deal", 3, "Changed Stage of 3 deals to Won",
                 "将 3 个商机的阶段改为 赢单");
}

/* ---- outcomes, verdicts ---- */

static void
test_verdict (void)
{
  static const char *const bad[] = {
    "[]",
    "{}",
    "{\"number\":0,\"outcome\":\"applied\",\"seq\":1}",
    "{\"number\":1,\"outcome\":\"lost\",\"seq\":1}",
    "{\"number\":1,\"seq\":1}",
    "{\"number\":1,\"outcome\":\"refused\",\"seq\":1}",
    "{\"number\":1,\"outcome\":\"applied\",\"seq\":-1}",
    "{\"number\":1,\"outcome\":\"applied\",\"seq\":1,\"code\":7}",
  };
  KtVerdict verdict = { 7, KT_OUTCOME_REFUSED, 99, (char *) "forbidden", (char *) "No." };
  KtVerdict back = { 0 };
  g_autoptr (GString) out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtJson) json = NULL;

  kt_verdict_to_json (&verdict, &writer);
  g_assert_cmpstr (out->str, ==,
                   "{\"number\":7,\"outcome\":\"refused\",\"seq\":99,\"code\":\"forbidden\","
                   "\"message\":\"No.\"}");
  json = kt_json_parse (out->str, -1, &error);
  g_assert_true (kt_verdict_from_json (json, &back, &error));
  g_assert_no_error (error);
  g_assert_cmpint (back.number, ==, 7);
  g_assert_cmpint (back.seq, ==, 99);
  g_assert_cmpint (back.outcome, ==, KT_OUTCOME_REFUSED);
  g_assert_cmpstr (back.code, ==, "forbidden");
  g_assert_cmpstr (back.message, ==, "No.");
  kt_verdict_clear (&back);

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) refused = NULL;
      g_autoptr (KtJson) tree = kt_json_parse (bad[i], -1, NULL);

      g_assert_false (kt_verdict_from_json (tree, &back, &refused));
      g_assert_error (refused, KT_ERROR, KT_ERROR_INVALID);
    }
}

static void
test_outcome_words (void)
{
  for (KtOutcome outcome = KT_OUTCOME_APPLIED; outcome <= KT_OUTCOME_REFUSED; outcome++)
    {
      KtOutcome back = KT_OUTCOME_APPLIED;

      g_assert_true (kt_outcome_from_word (kt_outcome_word (outcome), &back));
      g_assert_cmpint (back, ==, outcome);
    }
  g_assert_false (kt_outcome_from_word ("", &(KtOutcome){ 0 }));
  g_assert_false (kt_outcome_from_word (NULL, &(KtOutcome){ 0 }));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mutation/round-trip", test_round_trip);
  g_test_add_func ("/mutation/hostile", test_hostile);
  g_test_add_func ("/mutation/order", test_order);
  g_test_add_func ("/mutation/digest", test_digest);
  g_test_add_func ("/mutation/flipped", test_flipped);
  g_test_add_func ("/mutation/limits", test_limits);
  g_test_add_func ("/mutation/describe", test_describe);
  g_test_add_func ("/mutation/describe-many", test_describe_many);
  g_test_add_func ("/mutation/verdict", test_verdict);
  g_test_add_func ("/mutation/outcome-words", test_outcome_words);
  return g_test_run ();
}
