/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "fixture.h"
#include "proto/kt-exact.h"
#include "proto/kt-expression.h"

/* name Müller · stage sent · score 7 · points 2.5 · amount 1000.5 EUR · chance 33.3333 · hot · close_date 2026-01-31 · … */
static KtRecord *
make_record (void)
{
  KtId id = fixture_id (1);
  KtRecord *record = kt_record_new (fixture_object ("deal"), &id);
  static const struct
  {
    const char *field, *json;
  } values[] = {
    { "name", "\"Müller, GmbH\"" },
    { "stage", "\"sent\"" },
    { "score", "7" },
    { "points", "\"2.5\"" },
    { "amount", "{\"amount\":\"1000.5\",\"currency\":\"EUR\"}" },
    { "chance", "\"33.3333\"" },
    { "hot", "true" },
    { "close_date", "\"2026-01-31\"" },
    { "met_at", "\"2026-01-31T18:00:00.000Z\"" },
    { "account", "\"01900000-0000-7000-8000-000000000009\"" },
    { "about", "{\"object\":\"user\",\"id\":\"01900000-0000-7000-8000-000000000009\"}" },
    { "tags", "[\"a\",\"b\"]" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    fixture_value (fixture_field (values[i].field), values[i].json,
                   &record->values[fixture_field (values[i].field)->index]);
  return record;
}

/* The result as text (field "note"), "NULL", or "!message". */
static char *
result_of (const char *text)
{
  g_autoptr (KtRecord) record = make_record ();
  g_autoptr (GError) error = NULL;
  g_autoptr (KtExpression) expression =
    kt_expression_compile (fixture_object ("deal"), text, &error);
  g_auto (KtValue) value = KT_VALUE_INIT;

  if (expression == NULL
      || !kt_expression_evaluate (expression, record, "2026-02-01", fixture_field ("note"), &value,
                                  &error))
    return g_strdup_printf ("!%s", error->message);
  return g_strdup (kt_value_is_null (&value) ? "NULL" : value.v.text);
}

static void
assert_results (const char *const *pairs)
{
  for (guint i = 0; pairs[i] != NULL; i += 2)
    {
      g_autofree char *result = result_of (pairs[i]);

      if (strcmp (result, pairs[i + 1]) != 0)
        {
          g_test_message ("%s\ngives    %s\nexpected %s", pairs[i], result, pairs[i + 1]);
          g_test_fail ();
        }
    }
}

static void
test_arithmetic (void)
{
  static const char *const pairs[] = {
    "1 + 2 * 3",
    "7",
    "(1 + 2) * 3",
    "9",
    "2 * 3 % 4",
    "2",
    "-7 % 3",
    "-1",
    "7.5 % 2",
    "1.5",
    "10 - 2 - 3",
    "5",
    "- - 3",
    "3",
    "+3",
    "3",
    "0.1 + 0.2",
    "0.3",
    "5 / 2",
    "2.5",
    "1 / 3 * 3 = 1",
    "0",
    "1 / 0",
    "NULL",
    "1 % 0",
    "NULL",
    "score * points",
    "17.5",
    "amount * chance / 100",
    "333.4996665",
    "round(2.5)",
    "3",
    "round(-2.5)",
    "-3",
    "round(2.345, 2)",
    "2.35",
    "round(2.344, 2)",
    "2.34",
    "round(1234, -2)",
    "1234",
    "abs(-1.5)",
    "1.5",
    "sign(-1.5) + sign(0) + sign(3)",
    "0",
    "max(1, 2.50, 2)",
    "2.5",
    "min(3, 2.5, 'a')",
    "!Near “min(3, 2.5, 'a')”: a number and a text do not go together",
    "max(1, balance)",
    "NULL",
    "1.50",
    "1.5",
    ".5",
    "0.5",
    "balance + 1",
    "NULL",
    "-balance",
    "NULL",
    "999999999999999999 * 999999999999999999",
    "999999999999999998000000000000000001",
    "999999999999999999 * 999999999999999999 * 1.19",
    "1189999999999999997620000000000000001",
    "999999999999999999 * 999999999999999999 * 999999999999999999",
    "!“note” cannot be computed: it comes to a number of more than 37 digits",
    "coalesce(balance, 0) * 5",
    "0",
    NULL,
  };

  assert_results (pairs);
}

static void
test_logic (void)
{
  static const char *const pairs[] = {
    "null and 0",
    "0",
    "null and 1",
    "NULL",
    "null or 1",
    "1",
    "null or 0",
    "NULL",
    "not null",
    "NULL",
    "not 0 and 1",
    "1",
    "not score = 7",
    "0",
    "1 or 1 and 0",
    "1",
    "hot",
    "1",
    "hot = true",
    "1",
    "score = 7 and stage = 'sent'",
    "1",
    "name < 'N'",
    "1",
    "balance = 1",
    "NULL",
    "balance is null",
    "1",
    "balance is not null",
    "0",
    "balance isnull",
    "1",
    "score notnull",
    "1",
    "score not null",
    "1",
    "balance is balance",
    "1",
    "score is not 7",
    "0",
    "score <> 7.00",
    "0",
    "score == 7",
    "1",
    "1 < 2 = 1",
    "1",
    "score between 1 and 7 and hot",
    "1",
    "score not between 1 and 7",
    "0",
    "score between null and 3",
    "0",
    "score between null and 8",
    "NULL",
    "stage in ('draft', 'sent')",
    "1",
    "stage not in ('draft', 'sent')",
    "0",
    "stage in ('draft', null)",
    "NULL",
    "stage in ()",
    "0",
    "score in (1, 7.0)",
    "1",
    "name like 'm_LLER%'",
    "1",
    "name like 'M_LLER%'",
    "1",
    "name like '%gmbh'",
    "1",
    "name not like '%x%'",
    "1",
    "'aXbXc' like '%x%c'",
    "1",
    "'' like '%'",
    "1",
    "'abc' like 'ab'",
    "0",
    "case when score > 5 then 'big' when score > 3 then 'mid' else 'small' end",
    "big",
    "case stage when 'draft' then 1 when 'sent' then 2 end",
    "2",
    "case stage when 'draft' then 1 end",
    "NULL",
    "case null when null then 1 else 2 end",
    "2",
    "iif(hot, 'yes', 'no')",
    "yes",
    "iif(null, 'yes', 'no')",
    "no",
    "((name is not null) + (note is not null) + (stage is not null)) * 100.0 / 8",
    "25",
    NULL,
  };

  assert_results (pairs);
}

static void
test_texts (void)
{
  static const char *const pairs[] = {
    "name || ' ' || score",
    "Müller, GmbH 7",
    "'a' || null",
    "NULL",
    "points || 'x'",
    "2.5x",
    "1 || 2 + 1",
    "!Near “+ 1”: this needs a number, but it is a text; cast (… as numeric) reads one",
    "length(name)",
    "12",
    "lower('ÄB') || upper('äb')",
    "Äbä"
    "B",
    "trim('  a ') || ltrim('xxa', 'x') || rtrim('ayz', 'zy')",
    "aaa",
    "substr('héllo', 2, 3)",
    "éll",
    "substr('hello', -3, 2)",
    "ll",
    "substr('hello', 2)",
    "ello",
    "substr('hello', 0, 3)",
    "he",
    "substr('hello', 3, -2)",
    "he",
    "substr('hello', -9, 6)",
    "he",
    "substr('hello', 99)",
    "NULL",
    "replace('a-b-c', '-', '++')",
    "a++b++c",
    "replace('abc', '', 'x')",
    "abc",
    "instr('héllo', 'l')",
    "3",
    "instr('hello', 'z')",
    "0",
    "nullif(trim('  '), '')",
    "NULL",
    "nullif(score, 7)",
    "NULL",
    "coalesce(null, note, 'x')",
    "x",
    "cast('12.5abc' as numeric) + 1",
    "13.5",
    "cast(-2.7 as integer)",
    "-2",
    "cast(score as text) || 'x'",
    "7x",
    "amount_currency",
    "EUR",
    "balance_currency",
    "NULL",
    "about_object || ':' || about",
    "user:01900000-0000-7000-8000-000000000009",
    "account",
    "01900000-0000-7000-8000-000000000009",
    "tags",
    "[\"a\",\"b\"]",
    "\"name\"",
    "Müller, GmbH",
    "'it''s'",
    "it's",
    /* the full name of a contact, the domain of an account: as the schema writes them */
    "iif(substr('张', 1, 1) between '㐀' and '鿿', 'east', 'west')",
    "east",
    "iif(substr(name, 1, 1) between '㐀' and '鿿', 'east', 'west')",
    "west",
    "nullif(substr(replace('^' || replace(lower(trim('https://www.Example.com/x')), 'https://', ''), '^www.', '^'), 2, "
    "instr(replace('^' || replace(lower(trim('https://www.Example.com/x')), 'https://', ''), '^www.', '^') || '/', '/') - 2), '')",
    "example.com",
    NULL,
  };

  assert_results (pairs);
}

static void
test_dates (void)
{
  static const char *const pairs[] = {
    "date(close_date)",
    "2026-01-31",
    "date(met_at)",
    "2026-01-31",
    "date(close_date, '+1 month')",
    "2026-02-28",
    "date(close_date, '+1 months', '+1 day')",
    "2026-03-01",
    "date(close_date, '-1 year')",
    "2025-01-31",
    "date('2024-02-29', '+1 year')",
    "2025-02-28",
    "date(close_date, '-' || coalesce(null, 30) || ' days')",
    "2026-01-01",
    "date(close_date, 'start of month', '-1 days')",
    "2025-12-31",
    "date(close_date, 'start of year')",
    "2026-01-01",
    "date('2026-02-30')",
    "NULL",
    "date('2026-1-1')",
    "NULL",
    "date(close_date, 'x')",
    "NULL",
    "date(close_date, '--5 days')",
    "NULL",
    "date(close_date, '9999999999 days')",
    "NULL",
    "date('9999-12-31', '+1 day')",
    "NULL",
    "date('0001-01-01', '-1 day')",
    "NULL",
    "date('0001-01-01', '-1 month')",
    "NULL",
    "date(note)",
    "NULL",
    "julianday('2000-01-01')",
    "2451544.5",
    "julianday('2026-02-01') - julianday(close_date)",
    "1",
    "julianday(met_at) - julianday(close_date)",
    "0.75",
    "close_date < today",
    "1",
    "julianday(today) - julianday(close_date)",
    "1",
    NULL,
  };

  assert_results (pairs);
}

static void
test_messages (void)
{
  static const char *const pairs[] = {
    "",
    "!At the end of the expression: expected a value",
    "amout * 2",
    "!Near “amout * 2”: no field “amout” in deal; did you mean “amount”?",
    "xyzzy",
    "!Near “xyzzy”: no field “xyzzy” in deal",
    "roun(1)",
    "!Near “roun(1)”: no function “roun”; did you mean “round”?",
    "load_extension('x')",
    "!Near “load_extension('x')”: no function “load_extension”",
    "random()",
    "!Near “random()”: chance has no place here: equal records give equal results",
    "date('now')",
    "!Near “date('now')”: date needs a date; the clock is not asked, but conditions may use “today”",
    "current_date",
    "!Near “current_date”: the clock is not asked; conditions may use “today”",
    "select 1",
    "!Near “select 1”: there is no “select” here",
    "(select name from user)",
    "!Near “select name from user)”: there is no “select” here",
    "account.name",
    "!Near “account.name”: only fields of the record itself can be used",
    "amount > 'x'",
    "!Near “> 'x'”: a number and a text do not go together",
    "name and 1",
    "!Near “and 1”: this needs a condition, but it is a text",
    "not name",
    "!Near “not name”: this needs a condition, but it is a text",
    "-name",
    "!Near “-name”: this needs a number, but it is a text; cast (… as numeric) reads one",
    "case when 1 then 1 else 'x' end",
    "!Near “'x' end”: a number and a text do not go together",
    "case when 1 then 1",
    "!At the end of the expression: expected “when”, “else” or “end”",
    "case 1 end",
    "!Near “end”: expected “when”",
    "case when 1 1 end",
    "!Near “1 end”: expected “then”",
    "(1 + 2",
    "!At the end of the expression: expected an operator or “)”",
    "1 + 2)",
    "!Near “)”: there is one “)” too many",
    "1 2",
    "!Near “2”: expected an operator",
    "round(1, 2, 3)",
    "!Near “round(1, 2, 3)”: round cannot take 3 values",
    "abs()",
    "!Near “abs()”: abs takes 1 values, not 0",
    "name = 'x",
    "!Near “'x”: the quote is never closed",
    "1.2.3",
    "!Near “1.2.3”: a number of more than 37 digits, or not a number",
    "12abc",
    "!Near “12abc”: a number of more than 37 digits, or not a number",
    "12345678901234567890123456789012345678",
    "!Near “123456789012345678901234”: a number of more than 37 digits, or not a number",
    "name ; drop",
    "!Near “; drop”: expected an operator",
    "?1",
    "!Near “?1”: expected a value",
    "stage between 1 and 2",
    "!Near “between 1 and 2”: a text and a number do not go together",
    "score not 3",
    "!Near “3”: expected “in”, “like” or “between” behind “not”",
    "cast(1 as blob)",
    "!Near “blob)”: expected integer, numeric or text",
    "name glob 'x'",
    "!Near “glob 'x'”: expected an operator",
    NULL,
  };

  assert_results (pairs);
}

static void
test_limits (void)
{
  g_autoptr (GString) text = g_string_new ("'x'");
  g_autofree char *deep = NULL;
  g_autofree char *result = NULL;

  /* 64 KiB of text, doubled on the way. */
  for (guint i = 0; i < 17; i++)
    {
      g_string_prepend (text, "replace(");
      g_string_append (text, ", 'x', 'xx')");
    }
  result = result_of (text->str);
  g_assert_cmpstr (result, ==,
                   "!“note” cannot be computed: it comes to a text of more than 64 KiB");
  g_clear_pointer (&result, g_free);

  deep = g_strnfill (3000, '(');
  result = result_of (deep);
  g_assert_nonnull (strstr (result, "too many levels"));
  g_clear_pointer (&result, g_free);
  g_free (deep);
  deep = g_strnfill (3000, '-');
  result = result_of (deep);
  g_assert_nonnull (strstr (result, "too many levels"));
  g_clear_pointer (&result, g_free);
  g_free (deep);
  deep = g_strnfill (5000, ' ');
  result = result_of (deep);
  g_assert_nonnull (strstr (result, "longer than 4096 bytes"));
}

/* ---- exactness ---- */

static gint64
random_int64 (gint64 limit)
{
  guint64 r = ((guint64) (guint32) g_test_rand_int () << 32) | (guint32) g_test_rand_int ();

  return (gint64) (r % (guint64) limit);
}

/* amount * probability / 100 against plain 128-bit integers, to the last digit. */
static void
test_money_is_exact (void)
{
  const KtObject *object = fixture_object ("deal");
  g_autoptr (KtExpression) expression =
    kt_expression_compile (object, "amount * chance / 100", NULL);
  const KtField *amount = fixture_field ("amount"), *chance = fixture_field ("chance"),
                *balance = fixture_field ("balance");

  g_assert_nonnull (expression);
  for (guint i = 0; i < 20000; i++)
    {
      g_autoptr (KtRecord) record = make_record ();
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_autoptr (GError) error = NULL;
      KtInt128 exact, divisor;
      gint64 quotient, rest;

      record->values[amount->index].v.integer =
        random_int64 (G_GINT64_CONSTANT (999999999999999999)) * (g_test_rand_bit () ? 1 : -1);
      record->values[chance->index].v.integer = random_int64 (1000001);
      g_assert_cmpuint (record->values[chance->index].scale, ==, 4);
      exact = (KtInt128) record->values[amount->index].v.integer
              * record->values[chance->index].v.integer;
      divisor = 1000000;
      quotient = (gint64) (exact / divisor);
      rest = (gint64) (exact % divisor);
      if (ABS (rest) * 2 > 1000000 || (ABS (rest) * 2 == 1000000 && quotient % 2 != 0))
        quotient += exact < 0 ? -1 : 1;

      g_assert_true (kt_expression_evaluate (expression, record, NULL, balance, &value, &error));
      g_assert_no_error (error);
      g_assert_cmpint (value.type, ==, KT_VALUE_MONEY);
      g_assert_cmpstr (value.currency, ==, "EUR");
      g_assert_cmpint (value.v.integer, ==, quotient);
    }
}

static void
assert_exact (KtExact value, const char *expected)
{
  char text[KT_EXACT_TEXT_SIZE];

  kt_exact_format (value, text);
  g_assert_cmpstr (text, ==, expected);
}

static KtExact
random_exact (void)
{
  KtExact exact = { 0, (guint) g_test_rand_int_range (0, KT_EXACT_MAX_SCALE + 1) };
  guint digits = (guint) g_test_rand_int_range (0, 38);

  for (guint i = 0; i < digits; i++)
    exact.m =
      exact.m * 10 + (g_test_rand_int_range (0, 4) == 0 ? 9 : g_test_rand_int_range (0, 10));
  if (g_test_rand_bit ())
    exact.m = -exact.m;
  return exact;
}

static void
test_exact_numbers (void)
{
  KtExact a, out;

  g_assert_cmpuint (kt_exact_parse ("-12.50x", &a), ==, 6);
  assert_exact (a, "-12.5");
  g_assert_cmpuint (kt_exact_parse ("0.000", &a), ==, 5);
  assert_exact (a, "0");
  assert_exact ((KtExact){ -5, 3 }, "-0.005");
  g_assert_true (kt_exact_divide (KT_EXACT_INT (2), KT_EXACT_INT (3), &out));
  assert_exact (out, "0.666666666666666666666666666667");
  assert_exact (kt_exact_round ((KtExact){ 25, 1 }, 0, TRUE), "2");
  assert_exact (kt_exact_round ((KtExact){ 35, 1 }, 0, TRUE), "4");
  assert_exact (kt_exact_round ((KtExact){ -25, 1 }, 0, TRUE), "-2");
  assert_exact (kt_exact_round ((KtExact){ -25, 1 }, 0, FALSE), "-3");

  for (guint i = 0; i < 50000; i++)
    {
      KtExact x = random_exact (), y = random_exact (), sum, product, quotient, again;
      char text[KT_EXACT_TEXT_SIZE];

      kt_exact_format (x, text);
      g_assert_cmpuint (kt_exact_parse (text, &again), ==, strlen (text));
      g_assert_cmpint (kt_exact_compare (x, again), ==, 0);
      g_assert_cmpint (kt_exact_compare (x, y), ==, -kt_exact_compare (y, x));
      if (kt_exact_add (x, y, &sum))
        {
          g_assert_true (kt_exact_add (y, x, &again));
          g_assert_cmpint (kt_exact_compare (sum, again), ==, 0);
        }
      if (kt_exact_multiply (x, y, &product))
        {
          g_assert_true (kt_exact_multiply (y, x, &again));
          g_assert_cmpint (kt_exact_compare (product, again), ==, 0);
        }
      if (y.m != 0 && kt_exact_divide (x, y, &quotient) && x.scale <= 9 && y.scale <= 9
          && kt_exact_multiply (quotient, y, &again) && kt_exact_subtract (again, x, &again))
        {
          /* |quotient · y − x| is small beside y. */
          KtExact bound = y;

          bound.m = bound.m < 0 ? -bound.m : bound.m;
          again.m = again.m < 0 ? -again.m : again.m;
          g_assert_cmpint (kt_exact_compare (again, bound), <=, 0);
        }
      if (y.m != 0)
        kt_exact_remainder (x, y, &out);
      kt_exact_truncate (x);
      {
        gint64 n;

        kt_exact_to_int64 (x, 4, &n);
      }
    }
}

static void
test_targets (void)
{
  static const struct
  {
    const char *text, *target, *json;
  } cases[] = {
    { "2.5", "score", "2" },
    { "3.5", "score", "4" },
    { "1/3", "points", "\"0.33\"" },
    { "0.125", "points", "\"0.12\"" },
    { "12 > 3", "hot", "true" },
    { "score > 3", "score", "1" },
    { "date(met_at)", "close_date", "\"2026-01-31\"" },
    { "close_date || 'T00:00:00.000Z'", "met_at", "\"2026-01-31T00:00:00.000Z\"" },
    { "'sent'", "stage", "\"sent\"" },
    { "account", "account", "\"01900000-0000-7000-8000-000000000009\"" },
    { "amount / 2", "balance", "{\"amount\":\"500.25\",\"currency\":\"EUR\"}" },
    { "amount / 2", "points", "\"500.25\"" },
    { "5", "balance", "null" }, /* of which currency? */
    { "''", "name", "null" },
    { "'  x '", "name", "\"x\"" },
    { "null", "score", "null" },
  };
  static const char *const refused[][2] = {
    { "'x'", "score" }, { "1", "close_date" }, { "'x'", "tags" },
    { "1", "extra" },   { "1", "account" },    { "name", "balance" },
  };
  g_autoptr (KtRecord) record = make_record ();

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtExpression) expression =
        kt_expression_compile (fixture_object ("deal"), cases[i].text, &error);
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_autofree char *json = NULL;

      g_assert_no_error (error);
      g_assert_true (
        kt_expression_check_target (expression, fixture_field (cases[i].target), &error));
      g_assert_true (kt_expression_evaluate (expression, record, NULL,
                                             fixture_field (cases[i].target), &value, &error));
      g_assert_no_error (error);
      json = kt_value_to_string (&value);
      g_assert_cmpstr (json, ==, cases[i].json);
    }
  for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtExpression) expression =
        kt_expression_compile (fixture_object ("deal"), refused[i][0], NULL);

      g_assert_false (
        kt_expression_check_target (expression, fixture_field (refused[i][1]), &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
    }
  {
    g_autoptr (GError) error = NULL;
    g_autoptr (KtExpression) expression =
      kt_expression_compile (fixture_object ("deal"), "amount * 999999999999999", NULL);
    g_auto (KtValue) value = KT_VALUE_INIT;

    g_assert_false (
      kt_expression_evaluate (expression, record, NULL, fixture_field ("balance"), &value, &error));
    g_assert_error (error, KT_ERROR, KT_ERROR_LIMIT);
  }
  {
    /* It fits 64 bits, but no device would take it: 18 digits are what a value may have. */
    g_autoptr (GError) error = NULL;
    g_autoptr (KtExpression) expression =
      kt_expression_compile (fixture_object ("deal"), "999999999999999999 + 1", NULL);
    g_auto (KtValue) value = KT_VALUE_INIT;

    g_assert_false (
      kt_expression_evaluate (expression, record, NULL, fixture_field ("score"), &value, &error));
    g_assert_error (error, KT_ERROR, KT_ERROR_LIMIT);
  }
}

/* Euros and yen give no sum. */
static void
test_currencies (void)
{
  g_autoptr (KtRecord) record = make_record ();
  g_autoptr (KtExpression) expression =
    kt_expression_compile (fixture_object ("deal"), "amount + coalesce(balance, 0)", NULL);
  const KtField *balance = fixture_field ("balance");
  KtValue *slot = &record->values[balance->index];
  g_auto (KtValue) value = KT_VALUE_INIT;

  g_assert_true (kt_expression_evaluate (expression, record, NULL, balance, &value, NULL));
  g_assert_cmpint (value.v.integer, ==, 10005000);
  fixture_value (balance, "{\"amount\":\"1\",\"currency\":\"EUR\"}", slot);
  kt_value_clear (&value);
  g_assert_true (kt_expression_evaluate (expression, record, NULL, balance, &value, NULL));
  g_assert_cmpint (value.v.integer, ==, 10015000);
  kt_value_clear (slot);
  fixture_value (balance, "{\"amount\":\"1\",\"currency\":\"JPY\"}", slot);
  kt_value_clear (&value);
  g_assert_true (kt_expression_evaluate (expression, record, NULL, balance, &value, NULL));
  g_assert_true (kt_value_is_null (&value));
}

static void
test_conditions (void)
{
  static const struct
  {
    const char *text;
    gboolean holds;
  } cases[] = {
    { "hot", TRUE },       { "not hot", FALSE },  { "null", FALSE },
    { "not null", FALSE }, { "score > 5", TRUE }, { "close_date < today", TRUE },
  };
  g_autoptr (KtRecord) record = make_record ();
  g_autoptr (KtExpression) text = kt_expression_compile (fixture_object ("deal"), "name", NULL);
  g_autoptr (GError) error = NULL;
  gboolean holds;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (KtExpression) expression =
        kt_expression_compile (fixture_object ("deal"), cases[i].text, NULL);

      g_assert_true (kt_expression_test (expression, record, "2026-02-01", &holds, NULL));
      g_assert_cmpint (holds, ==, cases[i].holds);
    }
  g_assert_false (kt_expression_test (text, record, NULL, &holds, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
}

/* ---- the engine ---- */

static KtSchema *
schema_with (const char *fields)
{
  g_autofree char *json = g_strdup_printf (
    "{\"name\":\"x\",\"version\":1,\"system\":{\"fields\":["
    "{\"name\":\"deleted_at\",\"type\":\"date_time\",\"label\":\"D\",\"computed\":true}]},"
    "\"objects\":[{\"object\":\"line\",\"kind\":\"object\",\"label\":\"Line\","
    "\"plural\":\"Lines\",\"title\":\"name\",\"fields\":["
    "{\"name\":\"name\",\"type\":\"text\",\"label\":\"Name\"},%s]}]}",
    fields);
  g_autoptr (GError) error = NULL;
  KtSchema *schema = kt_schema_from_json (json, -1, &error);

  g_assert_no_error (error);
  return schema;
}

#define FORMULA(name, type, formula)                               \
  "{\"name\":\"" name "\",\"type\":\"" type "\",\"label\":\"" name \
  "\",\"computed\":true,\"formula\":\"" formula "\"}"

static void
test_engine (void)
{
  g_autoptr (KtSchema) schema =
    schema_with (FORMULA ("total", "money", "subtotal * (1 + coalesce(tax, 0) / 100)") "," FORMULA (
      "subtotal", "money",
      "round(qty * price, 2)") "," FORMULA ("shown", "text",
                                            "name || ': ' || total") ","
                                                                     "{\"name\":\"qty\",\"type\":\"decimal\",\"label\":\"Q\",\"scale\":3},"
                                                                     "{\"name\":\"tax\",\"type\":\"percent\",\"label\":\"T\"},"
                                                                     "{\"name\":\"price\",\"type\":\"money\",\"label\":\"P\"}");
  g_autoptr (GError) error = NULL;
  g_autoptr (KtExpressionEngine) engine = kt_expression_engine_new (schema, &error);
  const KtObject *line = kt_schema_object (schema, "line");
  g_autoptr (KtJson) json = NULL;
  g_autoptr (KtRecord) record = NULL;
  const KtValue *total;

  g_assert_no_error (error);
  json = kt_json_parse (
    "{\"id\":\"01900000-0000-7000-8000-000000000001\",\"name\":\"Bolt\",\"qty\":\"3\",\"tax\":\"19\","
    "\"price\":{\"amount\":\"0.335\",\"currency\":\"EUR\"}}",
    -1, &error);
  record = kt_record_from_json (line, json, &error);
  g_assert_no_error (error);
  g_assert_true (kt_expression_engine_compute (engine, record));
  g_assert_cmpint (kt_record_get (record, "subtotal")->v.integer, ==, 10100);
  total = kt_record_get (record, "total");
  g_assert_cmpint (total->v.integer, ==, 12019);
  g_assert_cmpstr (total->currency, ==, "EUR");
  g_assert_cmpstr (kt_record_text (record, "shown"), ==, "Bolt: 1.2019");
  g_assert_false (kt_expression_engine_compute (engine, record));

  /* What does not fit is NULL, and what needs it too. */
  {
    KtValue *price = &record->values[kt_object_field (line, "price")->index];
    KtValue *qty = &record->values[kt_object_field (line, "qty")->index];

    price->v.integer = qty->v.integer = G_GINT64_CONSTANT (999999999999999999);
    g_assert_true (kt_expression_engine_compute (engine, record));
    g_assert_true (kt_value_is_null (kt_record_get (record, "subtotal")));
    g_assert_true (kt_value_is_null (kt_record_get (record, "shown")));
  }
}

static void
test_engine_errors (void)
{
  static const char *const cases[][2] = {
    { FORMULA ("a", "integer", "b + 1") "," FORMULA ("b", "integer",
                                                     "c + 1") "," FORMULA ("c", "integer", "a + 1"),
      "line.json: these formulas need one another in a circle: a, b, c" },
    { FORMULA ("a", "integer", "a + 1"),
      "line.json: these formulas need one another in a circle: a" },
    { FORMULA ("a", "integer", "bb + 1"),
      "line.json: field “a”: formula: Near “bb + 1”: no field “bb” in line" },
    { FORMULA ("a", "integer", "name"),
      "line.json: field “a”: formula: The expression gives a text, but “a” is a field of type integer" },
    { FORMULA ("a", "date", "today"),
      "line.json: field “a”: formula: A formula is stored, so it cannot depend on “today”" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (KtSchema) schema = schema_with (cases[i][0]);
      g_autoptr (GError) error = NULL;

      g_assert_null (kt_expression_engine_new (schema, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_SCHEMA);
      g_assert_cmpstr (error->message, ==, cases[i][1]);
    }
}

/* Every formula of the schema that is shipped. */
static void
test_shipped_schema (void)
{
  g_autofree char *dir = g_build_filename (
    g_getenv ("KONTOR_DATADIR") != NULL ? g_getenv ("KONTOR_DATADIR") : "data", "schema", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtSchema) schema = NULL;
  g_autoptr (KtExpressionEngine) engine = NULL;

  if (!g_file_test (dir, G_FILE_TEST_IS_DIR))
    {
      g_test_skip ("no schema");
      return;
    }
  schema = kt_schema_load_dir (dir, &error);
  g_assert_no_error (error);
  engine = kt_expression_engine_new (schema, &error);
  g_assert_no_error (error);
}

/* ---- whatever is written ---- */

static void
test_garbage (void)
{
  static const char *const words[] = {
    "name",   "score",   "amount", "hot",      "close_date", "balance", "1",       "2.5",
    "'x'",    "null",    "true",   "+",        "-",          "*",       "/",       "%",
    "||",     "=",       "<",      ">=",       "and",        "or",      "not",     "is",
    "in",     "(",       ")",      ",",        "like",       "between", "case",    "when",
    "then",   "else",    "end",    "cast",     "as",         "integer", "text",    "coalesce(",
    "round(", "substr(", "date(",  "replace(", "iif(",       "max(",    "today",   ".",
    "\"",     "'",       "é",      ";",        "julianday(", "trim(",   "nullif(",
  };
  g_autoptr (KtRecord) record = make_record ();
  guint n_good = 0;

  for (guint i = 0; i < 60000; i++)
    {
      g_autoptr (GString) text = g_string_new (NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (KtExpression) expression = NULL;
      guint n = (guint) g_test_rand_int_range (1, 12);

      for (guint j = 0; j < n; j++)
        g_string_append_printf (text, "%s ",
                                words[g_test_rand_int_range (0, G_N_ELEMENTS (words))]);
      expression = kt_expression_compile (fixture_object ("deal"), text->str, &error);
      g_assert_true ((expression == NULL) == (error != NULL));
      if (expression != NULL)
        {
          g_auto (KtValue) value = KT_VALUE_INIT;
          gboolean holds;

          kt_expression_evaluate (expression, record, "2026-01-01", fixture_field ("note"), &value,
                                  NULL);
          kt_expression_test (expression, record, "2026-01-01", &holds, NULL);
          n_good++;
        }
    }
  g_test_message ("%u were expressions", n_good);
}

static void
test_speed (void)
{
  g_autoptr (KtExpression) expression = NULL;
  g_autoptr (KtRecord) record = make_record ();
  double seconds;

  if (!g_test_perf ())
    {
      g_test_skip ("only with -m perf");
      return;
    }
  expression = kt_expression_compile (
    fixture_object ("deal"),
    "round(amount * (1 - coalesce(chance, 0) / 100.0) * (1 + 19 / 100.0), 2)", NULL);
  g_test_timer_start ();
  for (guint i = 0; i < 1000000; i++)
    {
      g_auto (KtValue) value = KT_VALUE_INIT;

      kt_expression_evaluate (expression, record, NULL, fixture_field ("balance"), &value, NULL);
    }
  seconds = g_test_timer_elapsed ();
  g_test_minimized_result (seconds, "a price: %.0f ns", seconds * 1000);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/expression/arithmetic", test_arithmetic);
  g_test_add_func ("/expression/logic", test_logic);
  g_test_add_func ("/expression/texts", test_texts);
  g_test_add_func ("/expression/dates", test_dates);
  g_test_add_func ("/expression/messages", test_messages);
  g_test_add_func ("/expression/limits", test_limits);
  g_test_add_func ("/expression/money-is-exact", test_money_is_exact);
  g_test_add_func ("/expression/exact-numbers", test_exact_numbers);
  g_test_add_func ("/expression/targets", test_targets);
  g_test_add_func ("/expression/currencies", test_currencies);
  g_test_add_func ("/expression/conditions", test_conditions);
  g_test_add_func ("/expression/engine", test_engine);
  g_test_add_func ("/expression/engine-errors", test_engine_errors);
  g_test_add_func ("/expression/shipped-schema", test_shipped_schema);
  g_test_add_func ("/expression/garbage", test_garbage);
  g_test_add_func ("/expression/speed", test_speed);
  return g_test_run ();
}
