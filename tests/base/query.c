/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-query.h"

#define ID "01900000-0000-7000-8000-000000000001"

static const char schema_json[] =
  "{'name':'test','version':1,'system':{'fields':["
  "{'name':'created_at','type':'date_time','label':'Created','computed':true},"
  "{'name':'deleted_at','type':'date_time','label':'Deleted','computed':true}]},"
  "'objects':["
  "{'object':'user','kind':'admin','label':'User','plural':'Users','title':'name',"
  "'fields':[{'name':'name','type':'text','label':'Name'}]},"
  "{'object':'account','kind':'object','label':'Account','plural':'Accounts','title':'name','fields':["
  "{'name':'name','type':'text','label':'Name'},"
  "{'name':'industry','type':'choice','label':'Industry','options':["
  "{'value':'retail','label':{'en':'Retail','zh_CN':'零售'}},{'value':'finance','label':'Finance'}]}]},"
  "{'object':'deal','kind':'object','label':'Deal','plural':'Deals','title':'name','fields':["
  "{'name':'name','type':'text','label':{'en':'Name','zh_CN':'名称'}},"
  "{'name':'stage','type':'choice','label':'Stage','options':["
  "{'value':'draft','label':{'en':'Proposal','zh_CN':'提案'}},{'value':'sent','label':{'en':'Negotiation','zh_CN':'谈判'}},"
  "{'value':'me','label':'Mine'}]},"
  "{'name':'score','type':'integer','label':'Score'},"
  "{'name':'points','type':'decimal','label':'Points','scale':2},"
  "{'name':'amount','type':'money','label':{'en':'Amount','zh_CN':'金额'}},"
  "{'name':'chance','type':'percent','label':'Chance'},"
  "{'name':'hot','type':'boolean','label':'Hot'},"
  "{'name':'close_date','type':'date','label':{'en':'Close date','zh_CN':'结单日期'}},"
  "{'name':'met_at','type':'date_time','label':'Met'},"
  "{'name':'phone','type':'phone','label':'Phone'},"
  "{'name':'email','type':'email','label':'Email'},"
  "{'name':'tags','type':'tags','label':'Tags'},"
  "{'name':'members','type':'many','label':'Members','to':['user']},"
  "{'name':'owner','type':'ref','label':'Owner','to':['user']},"
  "{'name':'account','type':'ref','label':'Account','to':['account']},"
  "{'name':'parent','type':'ref_any','label':'Parent','to':['account','user']},"
  "{'name':'extra','type':'json','label':'Extra'}]}]}";

static KtSchema *schema;
static const KtObject *deal;

static KtSchema *
make_schema (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *json = g_strdelimit (g_strdup (schema_json), "'", '"');
  KtSchema *made = kt_schema_from_json (json, -1, &error);

  g_assert_no_error (error);
  return made;
}

static gboolean
filters_equal (const KtFilter *a, const KtFilter *b)
{
  if (a->kind != b->kind || a->term != b->term || a->via != b->via || a->field != b->field
      || a->op != b->op)
    return FALSE;
  if ((a->children != NULL ? a->children->len : 0) != (b->children != NULL ? b->children->len : 0)
      || (a->operands != NULL ? a->operands->len : 0)
           != (b->operands != NULL ? b->operands->len : 0))
    return FALSE;
  for (guint i = 0; a->children != NULL && i < a->children->len; i++)
    if (!filters_equal (g_ptr_array_index (a->children, i), g_ptr_array_index (b->children, i)))
      return FALSE;
  for (guint i = 0; a->operands != NULL && i < a->operands->len; i++)
    {
      const KtOperand *x = &g_array_index (a->operands, KtOperand, i);
      const KtOperand *y = &g_array_index (b->operands, KtOperand, i);

      if (x->kind != y->kind || x->offset != y->offset || x->unit != y->unit
          || !kt_value_equal (&x->value, &y->value))
        return FALSE;
    }
  return TRUE;
}

/* Parses, writes, parses again. */
static void
assert_text (const char *text, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtFilter) filter = kt_filter_parse (deal, text, &error);
  g_autoptr (KtFilter) again = NULL;
  g_autoptr (KtFilter) copy = NULL;
  g_autofree char *written = NULL;

  g_assert_no_error (error);
  written = kt_filter_to_text (filter);
  g_assert_cmpstr (written, ==, expected);
  again = kt_filter_parse (deal, written, &error);
  g_assert_no_error (error);
  g_assert_true (filters_equal (filter, again));
  copy = kt_filter_copy (filter);
  g_assert_true (filters_equal (filter, copy));
}

static void
assert_fails (const char *text, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (kt_filter_parse (deal, text, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == KT_ERROR);
  if (strstr (error->message, part) == NULL)
    g_error ("%s: %s", text, error->message);
}

static void
test_comparisons (void)
{
  assert_text ("", "true");
  assert_text ("true", "true");
  assert_text ("name = \"Anna\"", "name = \"Anna\"");
  assert_text ("name='O''Brien \"x\"'", "name = \"O'Brien \"\"x\"\"\"");
  assert_text ("name contains müller", "name contains \"müller\"");
  assert_text ("name STARTS WITH 'A'", "name starts \"A\"");
  assert_text ("name > A", "name > \"A\"");
  assert_text ("score>=-5 AND score<>3", "score >= -5 and score != 3");
  assert_text ("score ≥ 5 and score ≤ 7 and score ≠ 6", "score >= 5 and score <= 7 and score != 6");
  assert_text ("points < 1.50", "points < 1.5");
  assert_text ("chance = 50", "chance = 50");
  assert_text ("hot = true or hot = 'no'", "hot = true or hot = false");
  assert_text ("amount > 1000", "amount > 1000");
  assert_text ("amount > 1000.50 eur", "amount > 1000.5 EUR");
  assert_text ("amount > \"€ 12\" and score = 1", "amount > 12 EUR and score = 1");
  assert_text ("amount in (1, 2 USD, 3)", "amount in (1, 2 USD, 3)");
  assert_text ("email = A@B.DE", "email = \"A@B.DE\"");
  assert_text ("extra contains x", "extra contains \"x\"");
  assert_text ("name is empty", "name is empty");
  assert_text ("name is not empty", "name is not empty");
  assert_text ("name = ''", "name is empty");
  assert_text ("name != null", "name is not empty");
  assert_text ("tags is null", "tags is empty");
  assert_text ("name = \"me\" or name = \"today\" or name = true",
               "name = \"me\" or name = \"today\" or name = \"true\"");
}

static void
test_choices (void)
{
  assert_text ("stage = sent", "stage = \"sent\"");
  assert_text ("stage = \"Negotiation\"", "stage = \"sent\"");
  assert_text ("stage in (提案, '谈判')", "stage in (\"draft\", \"sent\")");
  assert_text ("stage = me", "stage = \"me\"");
  assert_text ("tags has \"vip\"", "tags has \"vip\"");
  assert_fails ("stage = \"Negotation\"", "did you mean “sent”?");
  assert_fails ("stage = \"zzzzzzzz\"", "but: draft, sent, me");
  assert_fails ("stage > draft", "is a choice");
}

static void
test_dates (void)
{
  assert_text ("close_date < today+30d", "close_date < today+30d");
  assert_text ("close_date < today + 30 ", "close_date < today+30d");
  assert_text ("close_date < today - 2w and hot = true", "close_date < today-2w and hot = true");
  assert_text ("close_date = today", "close_date = today");
  assert_text ("close_date >= now-1m", "close_date >= today-1m");
  assert_text ("met_at > now-2h", "met_at > now-2h");
  assert_text ("met_at > today", "met_at > today");
  assert_text ("close_date = 2026-01-31", "close_date = 2026-01-31");
  assert_text ("met_at >= 2026-01-31", "met_at >= 2026-01-31T00:00:00.000Z");
  assert_text ("met_at >= '2026-01-31T08:00:00.000Z'", "met_at >= 2026-01-31T08:00:00.000Z");
  assert_fails ("close_date = 2026-02-31", "Near “2026-02-31”");
  assert_fails ("close_date = today+3h", "hours");
  assert_fails ("close_date = today+3x", "is no unit");
  assert_fails ("close_date = todayx", "something like today+30d");
  assert_fails ("close_date = today+9999999999d", "too far");
}

static void
test_references (void)
{
  g_autoptr (KtFilter) title = kt_filter_parse (deal, "account = 'Müller GmbH'", NULL);
  const KtOperand *operand = &g_array_index (title->operands, KtOperand, 0);

  g_assert_cmpint (operand->kind, ==, KT_OPERAND_TITLE);
  g_assert_cmpstr (operand->value.v.text, ==, "muller gmbh");
  assert_text ("account = " ID, "account = \"" ID "\"");
  assert_text ("account = account:" ID, "account = \"" ID "\"");
  assert_text ("account contains Müller", "account contains \"muller\"");
  assert_text ("parent = account:" ID, "parent = account:" ID);
  assert_text ("parent = " ID, "parent = \"" ID "\"");
  assert_text ("parent = \"Foo:Bar\"", "parent = \"foo:bar\"");
  assert_text ("members has " ID, "members has \"" ID "\"");
  assert_text ("members has me", "members has me");
  assert_text ("owner = me", "owner = me");
  assert_text ("owner in (me, \"me\", Anna)", "owner in (me, \"me\", \"anna\")");
  assert_text ("account.industry in (\"retail\", \"Finance\")",
               "account.industry in (\"retail\", \"finance\")");
  assert_text ("account.name is empty", "account.name is empty");
  assert_fails ("account = me", "only a reference to a user");
  assert_fails ("account = user:" ID, "does not refer to “user”");
  assert_fails ("parent.name = x", "does not refer to one kind");
  assert_fails ("account.industri = retail",
                "no field “industri” in account; did you mean “industry”?");
  assert_fails ("account.owner.name = x", "only one step");
  assert_fails ("name.x = 1", "does not refer");
}

static void
test_pseudo (void)
{
  assert_text ("id = " ID, "id = \"" ID "\"");
  assert_text ("id in (" ID ", '" ID "')", "id in (\"" ID "\", \"" ID "\")");
  assert_text ("rev > 17", "rev > 17");
  assert_text ("deleted = false", "deleted = false");
  assert_fails ("id = x", "not an id");
  assert_fails ("id = me", "only a reference to a user");
  assert_fails ("rev = x", "whole number");
  assert_fails ("deleted = 7", "true or false");
  assert_fails ("id is empty", "does not go with");
}

static void
test_logic (void)
{
  assert_text ("hot = true and score = 1 or score = 2", "hot = true and score = 1 or score = 2");
  assert_text ("hot = true and (score = 1 or score = 2)",
               "hot = true and (score = 1 or score = 2)");
  assert_text ("((hot = true))", "hot = true");
  assert_text ("not hot = true and score = 1", "not (hot = true) and score = 1");
  assert_text ("not (hot = true and score = 1)", "not (hot = true and score = 1)");
  assert_text ("not not hot = true", "not (not (hot = true))");
  assert_text ("score not in (1, 2)", "not (score in (1, 2))");
  assert_text ("name not contains x", "not (name contains \"x\")");
  assert_text ("score = 1 and (score = 2 and score = 3)",
               "score = 1 and (score = 2 and score = 3)");
  assert_text ("score = 1 or (score = 2 or score = 3)", "score = 1 or (score = 2 or score = 3)");
  assert_text ("not true", "not true");
}

static void
test_messages (void)
{
  assert_fails ("stagee = draft",
                "Near “stagee = draft”: no field “stagee” in deal; did you mean “stage”?");
  assert_fails ("Amount = 1", "did you mean “amount”?");
  assert_fails ("金额 = 1", "did you mean “amount”?");
  assert_fails ("xyzzy = 1", "no field “xyzzy” in deal");
  assert_fails ("name", "At the end of the filter: expected =");
  assert_fails ("name =", "At the end of the filter: expected a value");
  assert_fails ("name = \"x", "the quote is never closed");
  assert_fails ("name like x", "use “contains”");
  assert_fails ("\"name\" = x", "without quotes");
  assert_fails ("name = x score = 1", "Near “score = 1”: expected “and” or “or”");
  assert_fails ("name = x && score = 1", "joined by “and”");
  assert_fails ("(name = x", "expected “and”, “or” or “)”");
  assert_fails ("name = x)", "one “)” too many");
  assert_fails ("score = abc", "Near “abc”");
  assert_fails ("score in 1", "expected a list");
  assert_fails ("score in ()", "expected a value");
  assert_fails ("score in (1", "expected “,” or “)”");
  assert_fails ("score in ('')", "nothing to compare");
  assert_fails ("name contains ''", "use “is empty”");
  assert_fails ("name is foo", "is empty");
  assert_fails ("tags = vip", "tags has");
  assert_fails ("name has x", "use “contains”");
  assert_fails ("score contains 1", "is a number");
  assert_fails ("hot > true", "true or false");
  assert_fails ("name = x and", "At the end");
  assert_fails ("amount > x", "is not an amount");
  assert_fails ("= x", "expected a field");
  assert_fails ("name = \377", "UTF-8");
}

static void
test_limits (void)
{
  g_autoptr (GString) text = g_string_new ("score = 1");
  g_autoptr (GError) error = NULL;
  g_autoptr (KtFilter) filter = NULL;

  for (guint i = 0; i < 62; i++)
    g_string_append (text, " or score = 1");
  filter = kt_filter_parse (deal, text->str, &error);
  g_assert_no_error (error);
  g_assert_nonnull (filter);
  g_string_append (text, " or score = 1");
  assert_fails (text->str, "too large");

  g_string_assign (text, "");
  for (guint i = 0; i < 4000; i++)
    g_string_append_c (text, '(');
  assert_fails (text->str, "too many levels");
  g_string_assign (text, "");
  for (guint i = 0; i < 2000; i++)
    g_string_append (text, "not ");
  assert_fails (text->str, "too many levels");
  g_string_assign (text, "");
  for (guint i = 0; i < 17; i++)
    g_string_append (text, "not ");
  g_string_append (text, "hot = true");
  assert_fails (text->str, "too large");
  g_string_assign (text, "name = \"");
  for (guint i = 0; i < 9000; i++)
    g_string_append_c (text, 'x');
  g_string_append_c (text, '"');
  assert_fails (text->str, "longer than 8192 bytes");
}

/* ---- random trees ---- */

static KtFilter *
random_comparison (void)
{
  static const char *const texts[] = {
    "name = \"%s\"",
    "name contains \"%s\"",
    "account = \"%s\"",
    "owner in (me, \"%s\", " ID ")",
    "tags has \"%s\"",
    "name < \"%s\"",
    "account.name starts \"%s\"",
    "parent contains \"%s\"",
  };
  static const char *const numbers[] = {
    "score = %d",          "points >= %d",           "amount < %d",
    "amount != %d CNY",    "chance <= %d",           "rev > %d",
    "score in (%d, 1, 2)", "close_date = today%+dd", "met_at > now%+dh",
    "met_at <= today%+dm", "close_date < today%+dy",
  };
  static const char *const fixed[] = {
    "hot = true",
    "stage in (\"draft\", \"sent\")",
    "name is empty",
    "close_date = 2026-01-31",
    "met_at < 2026-01-31",
    "id = " ID,
    "parent = account:" ID,
    "deleted = true",
    "members has me",
    "extra is not empty",
    "true",
  };
  static const char *const pieces[] = { "a", "B",   "é", "张", "'", "\"\"", " ", "(",
                                        ")", "and", ",", "me", "=", "\n",   "%" };
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  KtFilter *filter;

  switch (g_test_rand_int_range (0, 3))
    {
    case 0:
      {
        g_autoptr (GString) word = g_string_new ("x");
        const char *format = texts[g_test_rand_int_range (0, G_N_ELEMENTS (texts))];
        const char *hole = strstr (format, "%s");
        guint n = (guint) g_test_rand_int_range (0, 6);

        for (guint i = 0; i < n; i++)
          g_string_append (word, pieces[g_test_rand_int_range (0, G_N_ELEMENTS (pieces))]);
        text = g_strdup_printf ("%.*s%s%s", (int) (hole - format), format, word->str, hole + 2);
      }
      break;
    case 1:
      {
        const char *format = numbers[g_test_rand_int_range (0, G_N_ELEMENTS (numbers))];
        const char *hole = strchr (format, '%');
        gboolean sign = hole[1] == '+';
        g_autofree char *number =
          g_strdup_printf (sign ? "%+d" : "%d", g_test_rand_int_range (-1000, 1000));

        text = g_strdup_printf ("%.*s%s%s", (int) (hole - format), format, number,
                                hole + (sign ? 3 : 2));
      }
      break;
    default:
      text = g_strdup (fixed[g_test_rand_int_range (0, G_N_ELEMENTS (fixed))]);
      break;
    }
  filter = kt_filter_parse (deal, text, &error);
  if (error != NULL)
    g_test_message ("%s", text);
  g_assert_no_error (error);
  return filter;
}

static KtFilter *
random_filter (guint depth)
{
  KtFilterKind kind =
    depth == 0 ? KT_FILTER_COMPARE
               : (KtFilterKind) g_test_rand_int_range (KT_FILTER_AND, KT_FILTER_COMPARE + 1);
  KtFilter *filter;
  guint n;

  if (kind == KT_FILTER_COMPARE)
    return random_comparison ();
  filter = kt_filter_parse (deal,
                            kind == KT_FILTER_AND  ? "hot = true and hot = false"
                            : kind == KT_FILTER_OR ? "hot = true or hot = false"
                                                   : "not true",
                            NULL);
  g_ptr_array_set_size (filter->children, 0);
  n = kind == KT_FILTER_NOT ? 1 : (guint) g_test_rand_int_range (2, 4);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (filter->children, random_filter (depth - 1));
  return filter;
}

static void
test_round_trip (void)
{
  for (guint i = 0; i < 3000; i++)
    {
      g_autoptr (KtFilter) filter = random_filter (3);
      g_autofree char *text = kt_filter_to_text (filter);
      g_autoptr (GError) error = NULL;
      g_autoptr (KtFilter) again = kt_filter_parse (deal, text, &error);
      g_autofree char *text_again = NULL;

      if (error != NULL && g_error_matches (error, KT_ERROR, KT_ERROR_LIMIT))
        continue;
      if (error != NULL || !filters_equal (filter, again))
        g_test_message ("%s", text);
      g_assert_no_error (error);
      g_assert_true (filters_equal (filter, again));
      text_again = kt_filter_to_text (again);
      g_assert_cmpstr (text, ==, text_again);
    }
}

/* Words thrown together: a filter or an error, and a filter always comes back. */
static void
test_garbage (void)
{
  static const char *const words[] = {
    "name",       "stage", "amount",   "owner",    "account.name",
    "close_date", "tags",  "id",       "=",        "!=",
    "<",          ">=",    "contains", "in",       "has",
    "is",         "not",   "empty",    "and",      "or",
    "(",          ")",     ",",        "'x'",      "\"",
    "draft",      "me",    "today",    "today+3d", "12",
    "-1.5",       "EUR",   ID,         "null",     "true",
    "+",          "…",     ".",        ":",
  };
  guint n_good = 0;

  for (guint i = 0; i < 30000; i++)
    {
      g_autoptr (GString) text = g_string_new (NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (KtFilter) filter = NULL;
      guint n = (guint) g_test_rand_int_range (1, 8);

      for (guint j = 0; j < n; j++)
        g_string_append_printf (text, "%s%s",
                                words[g_test_rand_int_range (0, G_N_ELEMENTS (words))],
                                g_test_rand_bit () ? " " : "");
      filter = kt_filter_parse (deal, text->str, &error);
      g_assert_true ((filter == NULL) == (error != NULL));
      if (filter != NULL)
        {
          g_autofree char *written = kt_filter_to_text (filter);
          g_autoptr (KtFilter) again = kt_filter_parse (deal, written, &error);

          if (error != NULL)
            g_test_message ("%s → %s", text->str, written);
          g_assert_no_error (error);
          g_assert_true (filters_equal (filter, again));
          n_good++;
        }
      else
        g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
  g_test_message ("%u were filters", n_good);
}

static void
test_and (void)
{
  KtFilter *a = kt_filter_parse (deal, "score = 1", NULL);
  KtFilter *b = kt_filter_parse (deal, "score = 2 and score = 3", NULL);
  KtFilter *all = kt_filter_parse (deal, "", NULL);
  g_autoptr (KtFilter) both = kt_filter_and (kt_filter_and (all, kt_filter_and (NULL, a)), b);
  g_autofree char *text = kt_filter_to_text (both);
  g_auto (KtValue) value = KT_VALUE_INIT;
  g_autoptr (KtFilter) made = NULL;
  g_autoptr (KtFilter) empty = NULL;
  g_autofree char *made_text = NULL;
  g_autofree char *empty_text = NULL;

  g_assert_cmpstr (text, ==, "score = 1 and score = 2 and score = 3");
  g_assert_null (kt_filter_and (NULL, NULL));
  kt_value_set_int (&value, 7);
  made = kt_filter_compare (kt_object_field (deal, "score"), KT_OP_GT, &value);
  made_text = kt_filter_to_text (made);
  g_assert_cmpstr (made_text, ==, "score > 7");
  empty = kt_filter_compare (kt_object_field (deal, "score"), KT_OP_EMPTY, NULL);
  empty_text = kt_filter_to_text (empty);
  g_assert_cmpstr (empty_text, ==, "score is empty");
}

static void
test_sort (void)
{
  g_autoptr (KtQuery) query = kt_query_new (deal);
  g_autoptr (KtQuery) copy = NULL;
  g_autoptr (GError) error = NULL;
  const KtSort *sort;

  g_assert_true (kt_query_parse_sort (query, " name, -close_date ,-rev", &error));
  g_assert_no_error (error);
  g_assert_cmpuint (query->sort->len, ==, 3);
  sort = (const KtSort *) query->sort->data;
  g_assert_true (sort[0].field == kt_object_field (deal, "name") && !sort[0].descending);
  g_assert_true (sort[1].field == kt_object_field (deal, "close_date") && sort[1].descending);
  g_assert_true (sort[2].field == NULL && sort[2].descending);
  query->search = g_strdup ("x");
  query->filter = kt_filter_parse (deal, "hot = true", NULL);
  copy = kt_query_copy (query);
  g_assert_cmpstr (copy->search, ==, "x");
  g_assert_cmpuint (copy->sort->len, ==, 3);
  g_assert_true (filters_equal (copy->filter, query->filter));

  g_assert_false (kt_query_parse_sort (query, "nam", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "did you mean “name”?"));
  g_clear_error (&error);
  g_assert_false (kt_query_parse_sort (query, "tags", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (kt_query_parse_sort (query, "name,,score", &error));
  g_clear_error (&error);
  g_assert_cmpuint (query->sort->len, ==, 3); /* untouched by what failed */
  g_assert_true (kt_query_parse_sort (query, "", &error));
  g_assert_cmpuint (query->sort->len, ==, 0);
}

int
main (int argc, char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  schema = make_schema ();
  deal = kt_schema_object (schema, "deal");
  g_test_add_func ("/query/comparisons", test_comparisons);
  g_test_add_func ("/query/choices", test_choices);
  g_test_add_func ("/query/dates", test_dates);
  g_test_add_func ("/query/references", test_references);
  g_test_add_func ("/query/pseudo", test_pseudo);
  g_test_add_func ("/query/logic", test_logic);
  g_test_add_func ("/query/messages", test_messages);
  g_test_add_func ("/query/limits", test_limits);
  g_test_add_func ("/query/round-trip", test_round_trip);
  g_test_add_func ("/query/garbage", test_garbage);
  g_test_add_func ("/query/and", test_and);
  g_test_add_func ("/query/sort", test_sort);
  status = g_test_run ();
  kt_schema_unref (schema);
  return status;
}
