/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "base/kt-decimal.h"
#include "proto/kt-merge.h"
#include "tests/proto/fixture.h"

#define NOW "2026-01-31T08:00:00.000Z"
#define ROUNDS 20000

typedef struct
{
  KtValue base, mine, theirs, result;
  KtOutcome outcome;
} Trial;

static void
trial_run (Trial *trial, const KtField *field)
{
  kt_value_clear (&trial->result);
  kt_merge_value (field, &trial->base, &trial->mine, &trial->theirs, &trial->result,
                  &trial->outcome);
}

static void
trial_clear (Trial *trial)
{
  kt_value_clear (&trial->base);
  kt_value_clear (&trial->mine);
  kt_value_clear (&trial->theirs);
  kt_value_clear (&trial->result);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Trial, trial_clear)

/* ---- P6: every policy by table ---- */

static const struct
{
  const char *field, *base, *mine, *theirs;
  KtOutcome outcome;
  const char *result;
} policies[] = {
  /* What every policy but sum has in common, here with review. */
  { "phone", "\"1\"", "\"2\"", "\"1\"", KT_OUTCOME_APPLIED, "\"2\"" },
  { "phone", "\"1\"", "\"1\"", "\"3\"", KT_OUTCOME_APPLIED, "\"3\"" },
  { "phone", "\"1\"", "\"2\"", "\"2\"", KT_OUTCOME_APPLIED, "\"2\"" },
  { "phone", NULL, NULL, NULL, KT_OUTCOME_APPLIED, NULL },
  { "phone", "\"1\"", NULL, "\"1\"", KT_OUTCOME_APPLIED, NULL },
  { "phone", "\"1\"", NULL, NULL, KT_OUTCOME_APPLIED, NULL },

  { "phone", "\"1\"", "\"2\"", "\"3\"", KT_OUTCOME_REVIEW, "\"3\"" },
  { "phone", NULL, "\"2\"", "\"3\"", KT_OUTCOME_REVIEW, "\"3\"" },
  { "phone", "\"1\"", NULL, "\"3\"", KT_OUTCOME_REVIEW, "\"3\"" },
  { "phone", "\"1\"", "\"2\"", NULL, KT_OUTCOME_REVIEW, NULL },
  { "rank", "\"a\"", "\"b\"", "\"c\"", KT_OUTCOME_APPLIED, "\"b\"" },
  { "rank", "\"a\"", NULL, "\"c\"", KT_OUTCOME_APPLIED, NULL },
  { "nick", "\"a\"", "\"b\"", "\"c\"", KT_OUTCOME_APPLIED, "\"b\"" },
  { "grade", "\"a\"", "\"b\"", "\"c\"", KT_OUTCOME_SUPERSEDED, "\"c\"" },
  { "grade", "\"a\"", "\"b\"", "\"a\"", KT_OUTCOME_APPLIED, "\"b\"" },

  { "stage", "\"draft\"", "\"won\"", "\"sent\"", KT_OUTCOME_APPLIED, "\"won\"" },
  { "stage", "\"draft\"", "\"sent\"", "\"lost\"", KT_OUTCOME_REVIEW, "\"lost\"" },
  { "stage", "\"draft\"", "\"lost\"", "\"won\"", KT_OUTCOME_REVIEW, "\"won\"" },
  { "stage", "\"draft\"", NULL, "\"sent\"", KT_OUTCOME_REVIEW, "\"sent\"" },
  { "stage", "\"draft\"", "\"sent\"", NULL, KT_OUTCOME_APPLIED, "\"sent\"" },

  /* Two equal steps are two steps. */
  { "score", "10", "11", "11", KT_OUTCOME_MERGED, "12" },
  { "score", "10", "11", "15", KT_OUTCOME_MERGED, "16" },
  { "score", "10", "7", "15", KT_OUTCOME_MERGED, "12" },
  { "score", NULL, "3", "4", KT_OUTCOME_MERGED, "7" },
  { "score", "10", NULL, "15", KT_OUTCOME_MERGED, "5" },
  { "score", "10", "12", NULL, KT_OUTCOME_MERGED, "2" },
  { "score", "10", "12", "10", KT_OUTCOME_APPLIED, "12" },
  { "score", "10", "10", "12", KT_OUTCOME_APPLIED, "12" },
  { "score", "0", "999999999999999999", "1", KT_OUTCOME_REVIEW, "1" },
  { "score", "-999999999999999999", "999999999999999999", "1", KT_OUTCOME_REVIEW, "1" },
  { "score", "0", "999999999999999999", "999999999999999999", KT_OUTCOME_REVIEW,
    "999999999999999999" },
  { "points", "\"1.25\"", "\"1.5\"", "\"2\"", KT_OUTCOME_MERGED, "\"2.25\"" },
  { "points", "\"0\"", "\"9999999999999999.99\"", "\"1\"", KT_OUTCOME_REVIEW, "\"1\"" },
  { "balance", "{\"amount\":\"10\",\"currency\":\"EUR\"}",
    "{\"amount\":\"12.5\",\"currency\":\"EUR\"}", "{\"amount\":\"9\",\"currency\":\"EUR\"}",
    KT_OUTCOME_MERGED, "{\"amount\":\"11.5\",\"currency\":\"EUR\"}" },
  { "balance", "{\"amount\":\"10\",\"currency\":\"EUR\"}",
    "{\"amount\":\"12.5\",\"currency\":\"EUR\"}", "{\"amount\":\"9\",\"currency\":\"USD\"}",
    KT_OUTCOME_REVIEW, "{\"amount\":\"9\",\"currency\":\"USD\"}" },
  { "balance", NULL, "{\"amount\":\"1\",\"currency\":\"EUR\"}",
    "{\"amount\":\"2\",\"currency\":\"EUR\"}", KT_OUTCOME_MERGED,
    "{\"amount\":\"3\",\"currency\":\"EUR\"}" },

  { "tags", "[\"a\",\"b\"]", "[\"a\",\"c\"]", "[\"a\",\"b\",\"d\"]", KT_OUTCOME_MERGED,
    "[\"a\",\"c\",\"d\"]" },
  { "tags", "[\"a\"]", NULL, "[\"a\",\"b\"]", KT_OUTCOME_MERGED, "[\"b\"]" },
  { "tags", "[\"a\"]", NULL, NULL, KT_OUTCOME_APPLIED, NULL },
  { "tags", NULL, "[\"x\"]", "[\"y\"]", KT_OUTCOME_MERGED, "[\"x\",\"y\"]" },
  { "tags", "[\"a\",\"b\"]", "[\"b\"]", "[\"a\"]", KT_OUTCOME_MERGED, NULL },
  { "tags", "[\"1\"]", "[\"1\",\"2\",\"3\",\"4\"]", "[\"1\",\"5\",\"6\",\"7\",\"8\"]",
    KT_OUTCOME_REVIEW, "[\"1\",\"5\",\"6\",\"7\",\"8\"]" },

  { "note", "\"a\\nb\\nc\"", "\"a!\\nb\\nc\"", "\"a\\nb\\nc!\"", KT_OUTCOME_MERGED,
    "\"a!\\nb\\nc!\"" },
  { "note", "\"a\\nb\\nc\"", "\"a\\nB\\nc\"", "\"a\\nbb\\nc\"", KT_OUTCOME_REVIEW,
    "\"a\\nbb\\nc\"" },
  { "note", NULL, "\"x\"", "\"y\"", KT_OUTCOME_REVIEW, "\"y\"" },
  { "note", "\"a\\nb\\nc\"", NULL, "\"a\\nb\\nC\"", KT_OUTCOME_REVIEW, "\"a\\nb\\nC\"" },
  { "account", "\"01900000-0000-7000-8000-000000000001\"",
    "\"01900000-0000-7000-8000-000000000002\"", "\"01900000-0000-7000-8000-000000000003\"",
    KT_OUTCOME_REVIEW, "\"01900000-0000-7000-8000-000000000003\"" },
};

static void
test_policies (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (policies); i++)
    {
      const KtField *field = fixture_field (policies[i].field);
      g_auto (Trial) trial = { 0 };
      g_auto (KtValue) wanted = KT_VALUE_INIT;
      g_autofree char *got = NULL;

      fixture_value (field, policies[i].base, &trial.base);
      fixture_value (field, policies[i].mine, &trial.mine);
      fixture_value (field, policies[i].theirs, &trial.theirs);
      fixture_value (field, policies[i].result, &wanted);
      trial_run (&trial, field);
      got = kt_value_to_string (&trial.result);
      g_test_message ("%u: %s gives %s, %s", i, policies[i].field, got,
                      kt_outcome_word (trial.outcome));
      g_assert_cmpstr (kt_outcome_word (trial.outcome), ==, kt_outcome_word (policies[i].outcome));
      g_assert_true (kt_value_equal (&trial.result, &wanted));
    }
}

/* ---- P6: what holds for all values ---- */

static char *
random_lines (GRand *rand)
{
  GString *text = g_string_new (NULL);
  int n = g_rand_int_range (rand, 1, 7);

  for (int i = 0; i < n; i++)
    g_string_append_printf (text, "%s%c", i > 0 ? "\\n" : "", g_rand_int_range (rand, 'a', 'e'));
  return g_string_free (text, FALSE);
}

static char *
random_list (GRand *rand)
{
  GString *text = g_string_new ("[");

  for (int c = 'a'; c < 'h'; c++)
    if (g_rand_boolean (rand))
      g_string_append_printf (text, "%s\"%c\"", text->len > 1 ? "," : "", c);
  g_string_append_c (text, ']');
  return g_string_free (text, FALSE);
}

static void
random_value (GRand *rand, const KtField *field, KtValue *out)
{
  static const char *const stages[] = { "\"draft\"", "\"sent\"", "\"won\"", "\"lost\"" };
  g_autofree char *json = NULL;

  if (g_rand_int_range (rand, 0, 6) == 0)
    json = NULL;
  else if (field->storage == KT_VALUE_LIST)
    json = random_list (rand);
  else if (field->type == KT_FIELD_LONG_TEXT)
    {
      g_autofree char *lines = random_lines (rand);

      json = g_strdup_printf ("\"%s\"", lines);
    }
  else if (field->type == KT_FIELD_CHOICE)
    json = g_strdup (stages[g_rand_int_range (rand, 0, 4)]);
  else if (field->storage == KT_VALUE_INT)
    json = g_strdup_printf ("%d", g_rand_int_range (rand, -5, 6));
  else if (field->storage == KT_VALUE_MONEY)
    json =
      g_strdup_printf ("{\"amount\":\"%d\",\"currency\":\"%s\"}", g_rand_int_range (rand, -5, 6),
                       g_rand_int_range (rand, 0, 5) == 0 ? "USD" : "EUR");
  else
    json = g_strdup_printf ("\"%c\"", g_rand_int_range (rand, 'a', 'e'));
  fixture_value (field, json, out);
}

static const char *const random_fields[] = { "phone", "rank", "nick",    "grade", "stage",
                                             "score", "tags", "balance", "note" };

static gboolean
combines (const KtField *field)
{
  return field->policy == KT_POLICY_UNION || field->policy == KT_POLICY_SUM
         || field->policy == KT_POLICY_TEXT;
}

static void
test_laws (void)
{
  g_autoptr (GRand) rand = fixture_rand ();

  for (guint i = 0; i < ROUNDS; i++)
    {
      const KtField *field =
        fixture_field (random_fields[g_rand_int_range (rand, 0, G_N_ELEMENTS (random_fields))]);
      g_auto (Trial) one = { 0 };
      g_auto (Trial) other = { 0 };
      g_auto (Trial) again = { 0 };

      random_value (rand, field, &one.base);
      random_value (rand, field, &one.mine);
      random_value (rand, field, &one.theirs);
      trial_run (&one, field);
      kt_value_copy (&one.base, &other.base);
      kt_value_copy (&one.theirs, &other.mine);
      kt_value_copy (&one.mine, &other.theirs);
      trial_run (&other, field);

      /* Never invents. */
      if (one.outcome != KT_OUTCOME_MERGED)
        g_assert_true (kt_value_equal (&one.result, &one.mine)
                       || kt_value_equal (&one.result, &one.theirs));
      else
        g_assert_true (combines (field));

      /* No conflict where only one side moved. */
      if (kt_value_equal (&one.theirs, &one.base))
        {
          g_assert_true (kt_value_equal (&one.result, &one.mine));
          g_assert_cmpint (one.outcome, ==, KT_OUTCOME_APPLIED);
        }
      if (kt_value_equal (&one.mine, &one.base))
        {
          g_assert_true (kt_value_equal (&one.result, &one.theirs));
          g_assert_cmpint (one.outcome, ==, KT_OUTCOME_APPLIED);
        }

      /* Combinations do not care who came first. */
      if (combines (field))
        {
          g_assert_cmpint (one.outcome, ==, other.outcome);
          if (one.outcome != KT_OUTCOME_REVIEW)
            g_assert_true (kt_value_equal (&one.result, &other.result));
        }

      /* Review leaves theirs. */
      if (one.outcome >= KT_OUTCOME_SUPERSEDED)
        g_assert_true (kt_value_equal (&one.result, &one.theirs));

      /* A repeat changes nothing, except for sum (P3 guards that). */
      if (field->policy == KT_POLICY_SUM)
        continue;
      kt_value_copy (&one.base, &again.base);
      kt_value_copy (&one.mine, &again.mine);
      kt_value_copy (&one.result, &again.theirs);
      trial_run (&again, field);
      if (!kt_value_equal (&again.result, &one.result))
        {
          g_autofree char *b = kt_value_to_string (&one.base);
          g_autofree char *m = kt_value_to_string (&one.mine);
          g_autofree char *t = kt_value_to_string (&one.theirs);
          g_autofree char *r = kt_value_to_string (&one.result);
          g_autofree char *s = kt_value_to_string (&again.result);

          g_error ("%s is not idempotent: base %s mine %s theirs %s gives %s, then %s", field->name,
                   b, m, t, r, s);
        }
    }
}

static void
test_sum_law (void)
{
  g_autoptr (GRand) rand = fixture_rand ();
  const KtField *field = fixture_field ("score");

  for (guint i = 0; i < ROUNDS; i++)
    {
      gint64 b = g_rand_int (rand), steps[5], expected = b, stands = b;

      /* Five people count from the same base and arrive one after the other. */
      for (guint k = 0; k < G_N_ELEMENTS (steps); k++)
        {
          g_auto (Trial) trial = { 0 };

          steps[k] = g_rand_int_range (rand, -3, 4);
          expected += steps[k];
          kt_value_set_int (&trial.base, b);
          kt_value_set_int (&trial.mine, b + steps[k]);
          kt_value_set_int (&trial.theirs, stands);
          trial_run (&trial, field);
          stands = trial.result.v.integer;
        }
      g_assert_cmpint (stands, ==, expected);
    }
}

static gboolean
list_has (const KtValue *list, const char *element)
{
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", element);

  return !kt_value_is_null (list) && strstr (list->v.text, quoted) != NULL;
}

static void
test_union_law (void)
{
  g_autoptr (GRand) rand = fixture_rand ();
  const KtField *field = fixture_field ("members");

  for (guint i = 0; i < ROUNDS / 10; i++)
    {
      g_auto (Trial) trial = { 0 };
      g_auto (KtValue) set = KT_VALUE_INIT;

      random_value (rand, fixture_field ("tags"), &trial.base);
      random_value (rand, fixture_field ("tags"), &trial.mine);
      random_value (rand, fixture_field ("tags"), &trial.theirs);
      trial_run (&trial, field);
      g_assert_cmpint (trial.outcome, <=, KT_OUTCOME_MERGED);
      kt_merge_set (&trial.base, &trial.mine, &trial.theirs, &set);
      g_assert_true (kt_value_equal (&set, &trial.result));
      for (char c = 'a'; c < 'h'; c++)
        {
          const char element[] = { c, '\0' };
          gboolean b = list_has (&trial.base, element), m = list_has (&trial.mine, element),
                   t = list_has (&trial.theirs, element);

          /* Whoever moved away from base has it his way; both agree when both did. */
          g_assert_cmpint (list_has (&trial.result, element), ==, m != b ? m : t);
        }
    }
}

/* ---- text ---- */

static void
test_text (void)
{
  static const struct
  {
    const char *base, *mine, *theirs, *result;
    gboolean ok;
  } table[] = {
    { "a\nb\nc", "X\na\nb\nc", "a\nb\nc\nY", "X\na\nb\nc\nY", TRUE },
    { "a\nb\nc", "a\nc", "a\nb\nc\nd", "a\nc\nd", TRUE },
    { "a\nb\nc\nd\ne", "a\nB\nc\nd\ne", "a\nb\nc\nD\ne", "a\nB\nc\nD\ne", TRUE },
    { "a\nb\nc", "a\nX\nc", "a\nX\nc", "a\nX\nc", TRUE },
    { "a\nb", "a\nX\nb", "a\nY\nb", NULL, FALSE },
    { "a\nb", "A\nb", "a\nB", NULL, FALSE },
    { NULL, NULL, NULL, NULL, TRUE },
    { "a", NULL, "a", NULL, TRUE },
    { "a", "a", NULL, NULL, TRUE },
    { NULL, "x\ny", NULL, "x\ny", TRUE },
    { "a\nb\nc", NULL, "a\nb\nX", NULL, FALSE },
    { "客户\n电话\n地址", "客户甲\n电话\n地址", "客户\n电话\n地址乙", "客户甲\n电话\n地址乙",
      TRUE },
    { "a\n", "a\n\nb", "A\n", "A\n\nb", TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *result = NULL;
      gboolean ok = kt_merge_text (table[i].base, table[i].mine, table[i].theirs, &result);

      g_test_message ("%u", i);
      g_assert_cmpint (ok, ==, table[i].ok);
      if (table[i].ok)
        g_assert_cmpstr (result, ==, table[i].result);
    }
}

/* Every line of the result was written by somebody; a line that one side added is there. */
static void
test_text_keeps_lines (void)
{
  g_autoptr (GRand) rand = fixture_rand ();
  guint merged = 0;

  for (guint i = 0; i < ROUNDS / 10; i++)
    {
      g_autoptr (GString) base = g_string_new (NULL);
      g_autoptr (GString) mine = g_string_new (NULL);
      g_autoptr (GString) theirs = g_string_new (NULL);
      g_autoptr (GPtrArray) wanted = g_ptr_array_new_with_free_func (g_free);
      g_autofree char *result = NULL;
      g_auto (GStrv) lines = NULL;
      int n = g_rand_int_range (rand, 5, 30);

      for (int k = 0; k < n; k++)
        {
          g_string_append_printf (base, "line %d\n", k);
          g_string_append_printf (mine, "line %d\n", k);
          g_string_append_printf (theirs, "line %d\n", k);
          if (g_rand_int_range (rand, 0, 12) == 0)
            {
              gboolean left = g_rand_boolean (rand);

              g_ptr_array_add (wanted, g_strdup_printf ("%s %d", left ? "mine" : "theirs", k));
              g_string_append_printf (left ? mine : theirs, "%s %d\n", left ? "mine" : "theirs", k);
            }
        }
      g_assert_true (kt_merge_text (base->str, mine->str, theirs->str, &result));
      merged++;
      lines = g_strsplit (result, "\n", -1);
      g_assert_cmpuint (g_strv_length (lines), ==, (guint) n + wanted->len + 1);
      for (guint k = 0; k < wanted->len; k++)
        g_assert_true (g_strv_contains ((const char *const *) lines, wanted->pdata[k]));
    }
  g_test_message ("%u merged", merged);
}

/* A hostile pair costs bounded time and memory. */
static void
test_text_bounded (void)
{
  g_autoptr (GString) base = g_string_new (NULL);
  g_autoptr (GString) mine = g_string_new (NULL);
  g_autoptr (GString) theirs = g_string_new (NULL);
  g_autofree char *result = NULL;
  double seconds;

  for (guint i = 0; i < 100000; i++)
    {
      g_string_append_printf (base, "%u\n", i);
      g_string_append_printf (mine, "%u\n", (i * 7919) % 100003);
      g_string_append_printf (theirs, "%u\n", i % 2 == 0 ? i : i + 1000000);
    }
  g_test_timer_start ();
  kt_merge_text (base->str, mine->str, theirs->str, &result);
  seconds = g_test_timer_elapsed ();
  g_test_minimized_result (seconds, "100,000 shuffled lines: %.3f s", seconds);
  g_assert_cmpfloat (seconds, <, 5.0);
}

/* ---- ops ---- */

static KtMutation *
mutation_of (KtMutateKind kind, KtPatch *patch)
{
  KtMutation *mutation = kt_mutation_new (NOW, "client");
  KtId id = fixture_id (1);

  kt_mutation_add (mutation, kind, fixture_object ("deal"), &id, kind == KT_MUTATE_CREATE ? 0 : 5,
                   patch);
  return mutation;
}

static KtPatch *
patch_of (const char *field_name, const char *before, const char *after)
{
  KtPatch *patch = kt_patch_new (fixture_object ("deal"));
  const KtField *field = fixture_field (field_name);
  g_auto (KtValue) from = KT_VALUE_INIT;
  g_auto (KtValue) to = KT_VALUE_INIT;

  fixture_value (field, before, &from);
  fixture_value (field, after, &to);
  kt_patch_set (patch, field, &from, &to);
  return patch;
}

static void
merge_one (KtMutateKind kind,
           KtPatch *patch,
           const KtRecord *theirs,
           gboolean foreign,
           KtMerge *out)
{
  g_autoptr (KtMutation) mutation = mutation_of (kind, patch);
  g_autoptr (GError) error = NULL;

  kt_merge_op (g_ptr_array_index (mutation->ops, 0), theirs, foreign, NOW, out, &error);
  g_assert_no_error (error);
}

static void
test_create (void)
{
  g_auto (KtMerge) merge = { 0 };

  merge_one (KT_MUTATE_CREATE, patch_of ("name", NULL, "\"Acme\""), NULL, FALSE, &merge);
  g_assert_cmpint (merge.effect, ==, KT_EFFECT_CREATE);
  g_assert_cmpint (merge.outcome, ==, KT_OUTCOME_APPLIED);
  g_assert_cmpint (merge.clash, ==, KT_CLASH_NONE);
  g_assert_cmpstr (kt_record_text (merge.after, "name"), ==, "Acme");
}

/* Scenario 37: the same id created on two devices. */
static void
test_same_id (void)
{
  g_autoptr (KtRecord) theirs = fixture_record (1, "{\"name\":\"Acme\",\"score\":10}");
  g_auto (KtMerge) same = { 0 };
  g_auto (KtMerge) other = { 0 };
  g_auto (KtMerge) equal = { 0 };
  g_auto (KtMerge) counter = { 0 };
  g_auto (KtMerge) fills = { 0 };

  merge_one (KT_MUTATE_CREATE, patch_of ("name", NULL, "\"Acme\""), theirs, TRUE, &same);
  g_assert_cmpint (same.effect, ==, KT_EFFECT_NONE);
  g_assert_null (same.after);
  g_assert_cmpint (same.outcome, ==, KT_OUTCOME_APPLIED);
  g_assert_cmpint (same.clash, ==, KT_CLASH_NONE);

  merge_one (KT_MUTATE_CREATE, patch_of ("name", NULL, "\"Bolt\""), theirs, TRUE, &other);
  g_assert_cmpint (other.effect, ==, KT_EFFECT_NONE);
  g_assert_cmpint (other.outcome, ==, KT_OUTCOME_REVIEW);
  g_assert_cmpint (other.clash, ==, KT_CLASH_SAME_ID);

  merge_one (KT_MUTATE_CREATE, patch_of ("score", NULL, "10"), theirs, TRUE, &equal);
  g_assert_cmpint (equal.outcome, ==, KT_OUTCOME_APPLIED);
  g_assert_cmpint (equal.effect, ==, KT_EFFECT_NONE);
  merge_one (KT_MUTATE_CREATE, patch_of ("score", NULL, "12"), theirs, TRUE, &counter);
  g_assert_cmpint (counter.outcome, ==, KT_OUTCOME_REVIEW);

  merge_one (KT_MUTATE_CREATE, patch_of ("phone", NULL, "\"1\""), theirs, TRUE, &fills);
  g_assert_cmpint (fills.effect, ==, KT_EFFECT_UPDATE);
  g_assert_cmpint (fills.clash, ==, KT_CLASH_SAME_ID);
  g_assert_cmpint (fills.outcome, ==, KT_OUTCOME_MERGED);
  g_assert_cmpstr (kt_record_text (fills.after, "phone"), ==, "1");
  g_assert_cmpstr (kt_record_text (fills.after, "name"), ==, "Acme");
}

static void
test_update (void)
{
  g_autoptr (KtRecord) theirs =
    fixture_record (1, "{\"name\":\"Acme\",\"phone\":\"3\",\"rank\":\"c\"}");
  g_auto (KtMerge) quiet = { 0 };
  g_auto (KtMerge) review = { 0 };
  g_auto (KtMerge) latest = { 0 };
  g_auto (KtMerge) nothing = { 0 };

  /* Different fields merge silently. */
  merge_one (KT_MUTATE_UPDATE, patch_of ("grade", NULL, "\"A\""), theirs, TRUE, &quiet);
  g_assert_cmpint (quiet.outcome, ==, KT_OUTCOME_APPLIED);
  g_assert_cmpint (quiet.effect, ==, KT_EFFECT_UPDATE);
  g_assert_cmpstr (kt_record_text (quiet.after, "phone"), ==, "3");
  g_assert_cmpstr (kt_record_text (quiet.after, "grade"), ==, "A");

  merge_one (KT_MUTATE_UPDATE, patch_of ("phone", "\"1\"", "\"2\""), theirs, TRUE, &review);
  g_assert_cmpint (review.outcome, ==, KT_OUTCOME_REVIEW);
  g_assert_cmpint (review.clash, ==, KT_CLASH_FIELD);
  g_assert_cmpint (review.effect, ==, KT_EFFECT_NONE);
  g_assert_cmpuint (review.fields->len, ==, 1);
  /* Scenario 47: never swapped. */
  g_assert_cmpstr (g_array_index (review.fields, KtFieldResult, 0).base.v.text, ==, "1");
  g_assert_cmpstr (g_array_index (review.fields, KtFieldResult, 0).mine.v.text, ==, "2");
  g_assert_cmpstr (g_array_index (review.fields, KtFieldResult, 0).theirs.v.text, ==, "3");
  g_assert_false (g_array_index (review.fields, KtFieldResult, 0).overrode);

  merge_one (KT_MUTATE_UPDATE, patch_of ("rank", "\"a\"", "\"b\""), theirs, TRUE, &latest);
  g_assert_cmpint (latest.outcome, ==, KT_OUTCOME_APPLIED);
  g_assert_true (g_array_index (latest.fields, KtFieldResult, 0).overrode);
  g_assert_cmpstr (kt_record_text (latest.after, "rank"), ==, "b");

  merge_one (KT_MUTATE_UPDATE, patch_of ("phone", "\"1\"", "\"3\""), theirs, TRUE, &nothing);
  g_assert_cmpint (nothing.outcome, ==, KT_OUTCOME_APPLIED);
  g_assert_cmpint (nothing.effect, ==, KT_EFFECT_NONE);
  g_assert_false (g_array_index (nothing.fields, KtFieldResult, 0).overrode);
}

/* The outcome is the gravest of the fields'. */
static void
test_gravest (void)
{
  g_autoptr (KtRecord) theirs =
    fixture_record (1, "{\"name\":\"Acme\",\"phone\":\"3\",\"grade\":\"c\",\"score\":7}");
  KtPatch *patch = patch_of ("grade", "\"a\"", "\"b\"");
  g_autoptr (KtPatch) more = patch_of ("score", "5", "6");
  const KtChange *change = &g_array_index (more->changes, KtChange, 0);
  g_auto (KtMerge) merge = { 0 };

  kt_patch_set (patch, change->field, &change->before, &change->after);
  merge_one (KT_MUTATE_UPDATE, patch, theirs, TRUE, &merge);
  g_assert_cmpint (merge.outcome, ==, KT_OUTCOME_SUPERSEDED);
  g_assert_cmpint (merge.effect, ==, KT_EFFECT_UPDATE);
  g_assert_cmpint (kt_record_get (merge.after, "score")->v.integer, ==, 8);
}

/* P7, scenario 34: delete against edit, in both orders. */
static void
test_delete_edit (void)
{
  g_autoptr (KtRecord) live = fixture_record (1, "{\"name\":\"Acme\"}");
  g_autoptr (KtRecord) binned =
    fixture_record (1, "{\"name\":\"Acme\",\"deleted_at\":\"2026-01-01T00:00:00.000Z\"}");
  g_auto (KtMerge) plain = { 0 };
  g_auto (KtMerge) against_edit = { 0 };
  g_auto (KtMerge) against_delete = { 0 };
  g_auto (KtMerge) same_value = { 0 };
  g_auto (KtMerge) twice = { 0 };

  merge_one (KT_MUTATE_DELETE, NULL, live, FALSE, &plain);
  g_assert_cmpint (plain.effect, ==, KT_EFFECT_DELETE);
  g_assert_cmpstr (kt_record_text (plain.after, "deleted_at"), ==, NOW);

  merge_one (KT_MUTATE_DELETE, NULL, live, TRUE, &against_edit);
  g_assert_cmpint (against_edit.effect, ==, KT_EFFECT_NONE);
  g_assert_cmpint (against_edit.clash, ==, KT_CLASH_DELETE_EDIT);
  g_assert_cmpint (against_edit.outcome, ==, KT_OUTCOME_REVIEW);

  merge_one (KT_MUTATE_UPDATE, patch_of ("phone", NULL, "\"1\""), binned, TRUE, &against_delete);
  g_assert_cmpint (against_delete.effect, ==, KT_EFFECT_UPDATE);
  g_assert_cmpint (against_delete.clash, ==, KT_CLASH_EDIT_DELETE);
  g_assert_cmpint (against_delete.outcome, ==, KT_OUTCOME_MERGED);
  g_assert_false (kt_record_deleted (against_delete.after));
  g_assert_cmpstr (kt_record_text (against_delete.after, "phone"), ==, "1");

  /* An edit to what it is already is still an edit. */
  merge_one (KT_MUTATE_UPDATE, patch_of ("name", "\"A\"", "\"Acme\""), binned, TRUE, &same_value);
  g_assert_cmpint (same_value.effect, ==, KT_EFFECT_UPDATE);
  g_assert_false (kt_record_deleted (same_value.after));

  merge_one (KT_MUTATE_DELETE, NULL, binned, TRUE, &twice);
  g_assert_cmpint (twice.effect, ==, KT_EFFECT_NONE);
  g_assert_cmpint (twice.outcome, ==, KT_OUTCOME_APPLIED);
}

/* Scenario 36: one's own edit that arrives after one's own delete does not resurrect. */
static void
test_own_delete (void)
{
  g_autoptr (KtRecord) binned =
    fixture_record (1, "{\"name\":\"Acme\",\"deleted_at\":\"2026-01-01T00:00:00.000Z\"}");
  g_auto (KtMerge) update = { 0 };
  g_auto (KtMerge) create = { 0 };

  merge_one (KT_MUTATE_UPDATE, patch_of ("phone", NULL, "\"1\""), binned, FALSE, &update);
  g_assert_cmpint (update.effect, ==, KT_EFFECT_UPDATE);
  g_assert_true (kt_record_deleted (update.after));
  g_assert_cmpstr (kt_record_text (update.after, "phone"), ==, "1");

  merge_one (KT_MUTATE_CREATE, patch_of ("name", NULL, "\"Acme\""), binned, FALSE, &create);
  g_assert_cmpint (create.effect, ==, KT_EFFECT_NONE);
}

static void
test_restore (void)
{
  g_autoptr (KtRecord) live = fixture_record (1, "{\"name\":\"Acme\"}");
  g_autoptr (KtRecord) binned =
    fixture_record (1, "{\"name\":\"Acme\",\"deleted_at\":\"2026-01-01T00:00:00.000Z\"}");
  g_auto (KtMerge) merge = { 0 };
  g_auto (KtMerge) nothing = { 0 };

  merge_one (KT_MUTATE_RESTORE, NULL, binned, TRUE, &merge);
  g_assert_cmpint (merge.effect, ==, KT_EFFECT_RESTORE);
  g_assert_false (kt_record_deleted (merge.after));
  merge_one (KT_MUTATE_RESTORE, NULL, live, TRUE, &nothing);
  g_assert_cmpint (nothing.effect, ==, KT_EFFECT_NONE);
  g_assert_cmpint (nothing.outcome, ==, KT_OUTCOME_APPLIED);
}

/* Scenario 44: what is not there any more. */
static void
test_missing (void)
{
  static const struct
  {
    KtMutateKind kind;
    gboolean foreign;
    int code; /* -1: fine */
  } table[] = {
    { KT_MUTATE_UPDATE, FALSE, KT_ERROR_INVALID },  { KT_MUTATE_UPDATE, TRUE, KT_ERROR_NOT_FOUND },
    { KT_MUTATE_DELETE, FALSE, KT_ERROR_INVALID },  { KT_MUTATE_DELETE, TRUE, -1 },
    { KT_MUTATE_RESTORE, FALSE, KT_ERROR_INVALID }, { KT_MUTATE_RESTORE, TRUE, KT_ERROR_NOT_FOUND },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      KtPatch *patch = table[i].kind == KT_MUTATE_UPDATE ? patch_of ("phone", NULL, "\"1\"") : NULL;
      g_autoptr (KtMutation) mutation = mutation_of (table[i].kind, patch);
      g_autoptr (GError) error = NULL;
      g_auto (KtMerge) merge = { 0 };

      kt_merge_op (g_ptr_array_index (mutation->ops, 0), NULL, table[i].foreign, NOW, &merge,
                   &error);
      if (table[i].code >= 0)
        g_assert_error (error, KT_ERROR, table[i].code);
      else
        {
          g_assert_no_error (error);
          g_assert_cmpint (merge.effect, ==, KT_EFFECT_NONE);
          g_assert_cmpint (merge.outcome, ==, KT_OUTCOME_APPLIED);
        }
    }
}

/* What the device shows while it waits. */
static void
test_overlay (void)
{
  g_autoptr (KtRecord) server =
    fixture_record (1, "{\"name\":\"Acme\",\"phone\":\"3\",\"score\":12,\"grade\":\"c\"}");
  g_autoptr (KtPatch) patch = patch_of ("phone", "\"1\"", "\"2\"");
  g_autoptr (KtPatch) score = patch_of ("score", "10", "11");
  g_autoptr (KtPatch) grade = patch_of ("grade", "\"a\"", "\"b\"");
  const KtChange *changes[] = { &g_array_index (score->changes, KtChange, 0),
                                &g_array_index (grade->changes, KtChange, 0) };
  g_autoptr (KtRecord) shown = NULL;
  g_autoptr (KtRecord) plain = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    kt_patch_set (patch, changes[i]->field, &changes[i]->before, &changes[i]->after);
  shown = kt_merge_overlay (server, patch);
  g_assert_cmpstr (kt_record_text (shown, "phone"), ==, "2");
  g_assert_cmpint (kt_record_get (shown, "score")->v.integer, ==, 13);
  g_assert_cmpstr (kt_record_text (shown, "grade"), ==, "c");
  g_assert_cmpstr (kt_record_text (shown, "name"), ==, "Acme");
  g_assert_cmpstr (kt_record_text (server, "phone"), ==, "3");
  plain = kt_merge_overlay (server, NULL);
  g_assert_cmpstr (kt_record_text (plain, "phone"), ==, "3");
}

/* Fields do not influence one another: one op with all fields ends as many ops with one. */
static void
test_fields_independent (void)
{
  g_autoptr (GRand) rand = fixture_rand ();

  for (guint i = 0; i < ROUNDS / 20; i++)
    {
      KtId id = fixture_id (1);
      g_autoptr (KtRecord) theirs = kt_record_new (fixture_object ("deal"), &id);
      g_autoptr (KtRecord) step = NULL;
      KtPatch *patch = kt_patch_new (fixture_object ("deal"));
      g_autoptr (KtPatch) copy = NULL;
      g_auto (KtMerge) whole = { 0 };
      const KtRecord *end;

      for (guint k = 0; k < G_N_ELEMENTS (random_fields); k++)
        {
          const KtField *field = fixture_field (random_fields[k]);
          g_auto (KtValue) before = KT_VALUE_INIT;
          g_auto (KtValue) after = KT_VALUE_INIT;

          random_value (rand, field, &before);
          random_value (rand, field, &after);
          random_value (rand, field, &theirs->values[field->index]);
          kt_patch_set (patch, field, &before, &after);
        }
      copy = kt_patch_copy (patch);
      merge_one (KT_MUTATE_UPDATE, patch, theirs, TRUE, &whole);
      end = whole.after != NULL ? whole.after : theirs;

      step = kt_record_copy (theirs);
      for (guint k = 0; k < kt_patch_length (copy); k++)
        {
          const KtChange *change = &g_array_index (copy->changes, KtChange, k);
          KtPatch *single = kt_patch_new (copy->object);
          g_auto (KtMerge) part = { 0 };

          kt_patch_set (single, change->field, &change->before, &change->after);
          merge_one (KT_MUTATE_UPDATE, single, step, TRUE, &part);
          if (part.after == NULL)
            continue;
          kt_record_unref (step);
          step = g_steal_pointer (&part.after);
        }
      for (guint k = 0; k < end->object->n_fields; k++)
        g_assert_true (kt_value_equal (&end->values[k], &step->values[k]));
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/merge/P6/policies", test_policies);
  g_test_add_func ("/merge/P6/laws", test_laws);
  g_test_add_func ("/merge/P6/sum-law", test_sum_law);
  g_test_add_func ("/merge/P6/union-law", test_union_law);
  g_test_add_func ("/merge/P6/fields-independent", test_fields_independent);
  g_test_add_func ("/merge/text", test_text);
  g_test_add_func ("/merge/text-keeps-lines", test_text_keeps_lines);
  g_test_add_func ("/merge/text-bounded", test_text_bounded);
  g_test_add_func ("/merge/create", test_create);
  g_test_add_func ("/merge/37-same-id", test_same_id);
  g_test_add_func ("/merge/update", test_update);
  g_test_add_func ("/merge/gravest", test_gravest);
  g_test_add_func ("/merge/P7/34-delete-edit", test_delete_edit);
  g_test_add_func ("/merge/P7/36-own-delete", test_own_delete);
  g_test_add_func ("/merge/restore", test_restore);
  g_test_add_func ("/merge/44-missing", test_missing);
  g_test_add_func ("/merge/overlay", test_overlay);
  return g_test_run ();
}
