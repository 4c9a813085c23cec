/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A filter finds the same records on every database. */

#include "schemas.h"

#include "base/kt-env.h"
#include "base/kt-query.h"

#define OBJECT(name, title, fields)                                                          \
  "{'object':'" name "','kind':'object','group':'test','label':'L','plural':'L','icon':'x'," \
  "'sync':'scope','conflict':'merge','title':'" title "','fields':[" fields "]}"

/* clang-format off */
#define OBJECTS                                                                                    \
  OBJECT ("account", "name",                                                                       \
          "{'name':'name','type':'text','label':'L'},"                                             \
          "{'name':'industry','type':'choice','label':'L','options':['retail','finance']},"        \
          "{'name':'parent','type':'ref','to':['account'],'label':'L'}")                           \
  ","                                                                                              \
  OBJECT ("deal", "name",                                                                          \
          "{'name':'name','type':'text','label':'L','indexed':true},"                              \
          "{'name':'account','type':'ref','to':['account'],'label':'L'},"                          \
          "{'name':'stage','type':'choice','label':'L','indexed':true,'options':['open','won','lost']}," \
          "{'name':'amount','type':'money','label':'L'},"                                          \
          "{'name':'score','type':'decimal','scale':2,'label':'L'},"                               \
          "{'name':'close','type':'date','label':'L'},"                                            \
          "{'name':'seen','type':'date_time','label':'L'},"                                        \
          "{'name':'active','type':'boolean','label':'L'},"                                        \
          "{'name':'tags','type':'tags','label':'L'},"                                             \
          "{'name':'people','type':'many','to':['user'],'label':'L'},"                             \
          "{'name':'about','type':'ref_any','to':['account','deal'],'label':'L'},"                 \
          "{'name':'anything','type':'ref_any','label':'L'},"                                      \
          "{'name':'note','type':'long_text','label':'L'},"                                        \
          "{'name':'place','type':'address','label':'L'}")                                         \
  ","                                                                                              \
  OBJECT ("line", "deal", "{'name':'deal','type':'ref','to':['deal'],'label':'L'}")                \
  "," OBJECT ("part", "line", "{'name':'line','type':'ref','to':['line'],'label':'L'}")
/* clang-format on */

/* Ids are made from one number: accounts 1–, deals 101–, users 201–, lines 301–, parts 401–. */
#define ID(last) "01900000-0000-7000-8000-00000000" last
#define A1 ID ("0001")
#define A2 ID ("0002")
#define D1 ID ("0065")
#define D2 ID ("0066")
#define U1 ID ("00c9")
#define U2 ID ("00ca")
#define L1 ID ("012d")
#define L2 ID ("012e")

typedef struct
{
  Fixture base;
  KtSchema *schema;
} FilterFixture;

static const struct
{
  const char *object;
  guint number;
  const char *fields[30]; /* name, JSON … */
} records[] = {
  { "account",
    1,
    { "name", "\"Acme GmbH\"", "industry", "\"retail\"", "parent", "\"" A2 "\"", NULL } },
  { "account", 2, { "name", "\"\303\211clair  Co\"", "industry", "\"finance\"", NULL } },
  { "user", 201, { "name", "\"Anna \303\204rmel\"", NULL } },
  { "user", 202, { "name", "\"Bob\"", NULL } },
  { "deal", 101, { "name",    "\"Alpha M\303\274ller\"",
                   "account", "\"" A1 "\"",
                   "stage",   "\"open\"",
                   "amount",  "{\"amount\":\"100\",\"currency\":\"EUR\"}",
                   "close",   "\"2026-03-10\"",
                   "seen",    "\"2026-03-10T22:30:00.000Z\"",
                   "active",  "true",
                   "tags",    "[\"vip\",\"\303\204rger \\\"x\\\"\"]",
                   "people",  "[\"" U1 "\"]",
                   "about",   "{\"object\":\"account\",\"id\":\"" A1 "\"}",
                   "score",   "\"1.50\"",
                   "note",    "\"50 % off\"",
                   "owner",   "\"" U1 "\"",
                   "place",   "{\"city\":\"K\303\266ln\"}",
                   NULL } },
  { "deal", 102, { "name",     "\"beta\"",
                   "account",  "\"" A2 "\"",
                   "stage",    "\"won\"",
                   "amount",   "{\"amount\":\"200\",\"currency\":\"USD\"}",
                   "close",    "\"2026-03-11\"",
                   "seen",     "\"2026-03-10T23:30:00.000Z\"",
                   "active",   "false",
                   "tags",     "[\"vip\"]",
                   "about",    "{\"object\":\"deal\",\"id\":\"" D1 "\"}",
                   "owner",    "\"" U2 "\"",
                   "anything", "{\"object\":\"user\",\"id\":\"" U1 "\"}",
                   NULL } },
  { "deal",
    103,
    { "name", "\"Gamma stra\303\237e\"", "stage", "\"lost\"", "amount",
      "{\"amount\":\"300\",\"currency\":\"EUR\"}", "close", "\"2026-04-10\"", "seen",
      "\"2026-03-11T12:00:00.000Z\"", "people", "[\"" U1 "\",\"" U2 "\"]", "anything",
      "{\"object\":\"account\",\"id\":\"" A1 "\"}", NULL } },
  { "deal", 104, { "name", "\"delta\"", NULL } },
  { "deal",
    105,
    { "name", "\"gone alpha\"", "stage", "\"open\"", "deleted_at", "\"2026-01-01T00:00:00.000Z\"",
      NULL } },
  { "deal",
    106,
    { "name", "\"ALPHA 'two'\"", "account", "\"" A1 "\"", "stage", "\"open\"", "amount",
      "{\"amount\":\"100\",\"currency\":\"USD\"}", "score", "\"-1.5\"", "note", "\"line\\nbreak\"",
      "seen", "\"2026-03-11T23:30:00.000Z\"", NULL } },
  { "line", 301, { "deal", "\"" D1 "\"", NULL } },
  { "line", 302, { "deal", "\"" D2 "\"", NULL } },
  { "part", 401, { "line", "\"" L1 "\"", NULL } },
  { "part", 402, { "line", "\"" L2 "\"", NULL } },
};

/* Newest id first. Now is 2026-03-11 12:00 UTC, 13:00 in Berlin. */
static const struct
{
  const char *object;
  const char *filter;
  const char *expected;
} cases[] = {
  { "deal", "", "106 104 103 102 101" },
  { "deal", "true", "106 104 103 102 101" },
  { "deal", "not true", "" },
  /* text */
  { "deal", "name = \"beta\"", "102" },
  { "deal", "name = \"Beta\"", "" },
  { "deal", "name != \"beta\"", "106 104 103 101" },
  { "deal", "name contains \"ALPHA\"", "106 101" },
  { "deal", "name contains \"muller\"", "101" },
  { "deal", "name contains \"M\303\234LLER\"", "101" },
  { "deal", "name contains \"strasse\"", "103" },
  { "deal", "name contains \"'two'\"", "106" },
  { "deal", "name starts \"alpha\"", "106 101" },
  { "deal", "name starts \"lpha\"", "" },
  { "deal", "note contains \"50 %\"", "101" },
  { "deal", "note contains \"%\"", "101" },
  { "deal", "note contains \"line break\"", "106" },
  { "deal", "note is empty", "104 103 102" },
  { "deal", "note is not empty", "106 101" },
  { "deal", "not (note contains \"off\")", "106 104 103 102" },
  { "deal", "place contains \"koln\"", "101" },
  { "deal", "name in (\"beta\", \"delta\", \"nobody\")", "104 102" },
  { "deal", "not name in (\"beta\", \"delta\")", "106 103 101" },
  /* choices */
  { "deal", "stage = open", "106 101" },
  { "deal", "stage != open", "104 103 102" },
  { "deal", "stage in (won, lost)", "103 102" },
  { "deal", "stage not in (won, lost)", "106 104 101" },
  { "deal", "stage is empty", "104" },
  { "deal", "stage = open or stage = won", "106 102 101" },
  { "deal", "stage = open and amount >= 100 EUR", "101" },
  { "deal", "not (stage = open or stage is empty)", "103 102" },
  /* numbers */
  { "deal", "amount = 100", "106 101" },
  { "deal", "amount = \"100 EUR\"", "101" },
  { "deal", "amount != \"100 EUR\"", "106 104 103 102" },
  { "deal", "amount > 100", "103 102" },
  { "deal", "amount >= 200 and amount < 300", "102" },
  { "deal", "amount in (100, 300)", "106 103 101" },
  { "deal", "amount is empty", "104" },
  { "deal", "not amount < 300", "104 103" },
  { "deal", "score = 1.5", "101" },
  { "deal", "score < 0", "106" },
  { "deal", "active = true", "101" },
  { "deal", "active = false", "102" },
  { "deal", "active != true", "106 104 103 102" },
  /* dates */
  { "deal", "close = 2026-03-10", "101" },
  { "deal", "close < 2026-04-01", "102 101" },
  { "deal", "close = today", "102" },
  { "deal", "close = today-1d", "101" },
  { "deal", "close <= today+30d", "103 102 101" },
  { "deal", "close < today+1m", "103 102 101" },
  { "deal", "close < today+4w", "102 101" },
  { "deal", "close >= today-1w and close < today+1y", "103 102 101" },
  { "deal", "seen = today", "103 102" },
  { "deal", "seen != today", "106 104 101" },
  { "deal", "seen < today", "101" },
  { "deal", "seen <= today", "103 102 101" },
  { "deal", "seen > today", "106" },
  { "deal", "seen >= today", "106 103 102" },
  { "deal", "seen = today-1d", "101" },
  { "deal", "seen > now-1h", "106 103" },
  { "deal", "seen < now", "102 101" },
  { "deal", "seen <= now", "103 102 101" },
  { "deal", "seen >= 2026-03-11", "106 103" },
  /* references */
  { "deal", "account = " A1, "106 101" },
  { "deal", "account != " A1, "104 103 102" },
  { "deal", "account in (" A1 ", " A2 ")", "106 102 101" },
  { "deal", "account = \"acme gmbh\"", "106 101" },
  { "deal", "account = \"eclair co\"", "102" },
  { "deal", "account = \"acme\"", "" },
  { "deal", "account contains \"acme\"", "106 101" },
  { "deal", "account starts \"\303\211CLAIR\"", "102" },
  { "deal", "account != \"acme gmbh\"", "104 103 102" },
  { "deal", "account in (\"acme gmbh\", " A2 ")", "106 102 101" },
  { "deal", "account is empty", "104 103" },
  { "deal", "owner = me", "101" },
  { "deal", "owner != me", "106 104 103 102" },
  { "deal", "owner = \"anna armel\"", "101" },
  { "deal", "about = account:" A1, "101" },
  { "deal", "about = deal:" A1, "" },
  { "deal", "about = " D1, "102" },
  { "deal", "about = \"acme gmbh\"", "101" },
  { "deal", "about contains \"alpha\"", "102" },
  { "deal", "about != \"acme gmbh\"", "106 104 103 102" },
  { "deal", "anything contains \"a\"", "103 102" },
  { "deal", "anything = me", "102" },
  { "line", "deal contains \"muller\"", "301" },
  { "part", "line contains \"muller\"", "401" },
  { "part", "line = beta", "402" },
  /* one hop */
  { "deal", "account.industry = retail", "106 101" },
  { "deal", "account.industry != retail", "104 103 102" },
  { "deal", "account.industry in (retail, finance)", "106 102 101" },
  { "deal", "account.industry is empty", "104 103" },
  { "deal", "account.industry is not empty", "106 102 101" },
  { "deal", "not account.industry = retail", "104 103 102" },
  { "deal", "account.name contains \"eclair\"", "102" },
  { "deal", "account.parent = \"eclair co\"", "106 101" },
  { "deal", "account.parent is empty", "104 103 102" },
  /* sets */
  { "deal", "tags has \"vip\"", "102 101" },
  { "deal", "tags has \"vi\"", "" },
  { "deal", "tags has \"\303\204rger \"\"x\"\"\"", "101" },
  { "deal", "not tags has \"vip\"", "106 104 103" },
  { "deal", "tags is empty", "106 104 103" },
  { "deal", "people has " U1, "103 101" },
  { "deal", "people has " U2, "103" },
  { "deal", "people has me", "103 101" },
  { "deal", "people has \"bob\"", "103" },
  { "deal", "people is empty", "106 104 102" },
  /* pseudo-fields */
  { "deal", "id = " D1, "101" },
  { "deal", "id != " D1, "106 104 103 102" },
  { "deal", "id in (" D1 ", " D2 ")", "102 101" },
  { "deal", "rev > 103", "106 104" },
  { "deal", "rev = 101", "101" },
  { "deal", "deleted = false", "106 104 103 102 101" },
  { "deal", "deleted = true", "" },
};

static gint64
fixed_now_cb (gpointer data)
{
  return G_GINT64_CONSTANT (1773230400) * G_USEC_PER_SEC;
}

static const KtEnv fixed_env = { .now_us = fixed_now_cb };

static void
filter_set_up (FilterFixture *fixture, gconstpointer data)
{
  fixture_set_up (&fixture->base, data);
  fixture->schema = schema_of (1, OBJECTS);
  ensure_ok (fixture->base.db, fixture->schema);
  begin_ok (fixture->base.db, KT_TX_WRITE);
  for (guint i = 0; i < G_N_ELEMENTS (records); i++)
    {
      KtId id = id_of (records[i].number);
      g_autoptr (KtRecord) record =
        kt_record_new (kt_schema_object (fixture->schema, records[i].object), &id);

      record->rev = records[i].number;
      for (guint k = 0; records[i].fields[k] != NULL; k += 2)
        set_json (record, records[i].fields[k], records[i].fields[k + 1]);
      save_ok (fixture->base.db, record);
    }
  commit_ok (fixture->base.db);
}

static void
filter_tear_down (FilterFixture *fixture, gconstpointer data)
{
  kt_schema_unref (fixture->schema);
  fixture_tear_down (&fixture->base, data);
}

/* The numbers of the records that are found, in their order. */
static char *
find (FilterFixture *fixture, const KtQuery *query, GError **error)
{
  KtSqlContext context = { .env = &fixed_env, .time_zone = "Europe/Berlin", .me = id_of (201) };
  g_autoptr (KtSql) sql = kt_sql_new (fixture->base.db, &context);
  g_autoptr (GString) found = g_string_new (NULL);
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;
  KtId id;

  if (!kt_sql_append_query (sql, query, "o.id", NULL, NULL, NULL, error))
    return NULL;
  stmt = kt_sql_stmt (sql, error);
  if (stmt == NULL)
    return NULL;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_assert_true (kt_stmt_id (stmt, 0, &id));
      g_string_append_printf (found, "%s%u", found->len > 0 ? " " : "", id.b[14] << 8 | id.b[15]);
    }
  return step == KT_STEP_DONE ? g_string_free (g_steal_pointer (&found), FALSE) : NULL;
}

static void
test_filters_find (FilterFixture *fixture, gconstpointer data)
{
  guint wrong = 0;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtQuery) query =
        kt_query_new (kt_schema_object (fixture->schema, cases[i].object));
      g_autofree char *found = NULL;

      query->filter = kt_filter_parse (query->object, cases[i].filter, &error);
      if (error == NULL)
        found = find (fixture, query, &error);
      if (error != NULL || g_strcmp0 (found, cases[i].expected) != 0)
        {
          g_test_message ("%s: expected \"%s\", got \"%s\" %s", cases[i].filter, cases[i].expected,
                          found, error != NULL ? error->message : "");
          wrong++;
        }
    }
  g_assert_cmpuint (wrong, ==, 0);
}

static void
test_the_complement_is_exact (FilterFixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtQuery) query =
        kt_query_new (kt_schema_object (fixture->schema, cases[i].object));
      g_autofree char *all = find (fixture, query, &error);
      g_autofree char *text =
        g_strdup_printf ("not (%s)", *cases[i].filter != '\0' ? cases[i].filter : "true");
      g_autofree char *found = NULL;
      g_auto (GStrv) every = g_strsplit (all, " ", -1);
      g_auto (GStrv) these = NULL;
      g_auto (GStrv) expected = g_strsplit (cases[i].expected, " ", -1);

      query->filter = kt_filter_parse (query->object, text, &error);
      g_assert_no_error (error);
      found = find (fixture, query, &error);
      g_assert_no_error (error);
      these = g_strsplit (found, " ", -1);
      for (guint k = 0; every[k] != NULL; k++)
        if (g_strv_contains ((const char *const *) expected, every[k])
            == g_strv_contains ((const char *const *) these, every[k]))
          g_error ("%s: %s is in both or in none", text, every[k]);
    }
}

static void
test_the_bin (FilterFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtQuery) query = kt_query_new (kt_schema_object (fixture->schema, "deal"));
  g_autofree char *found = NULL;
  g_autofree char *limited = NULL;

  query->bin = TRUE;
  found = find (fixture, query, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (found, ==, "105");

  query->bin = FALSE;
  query->limit = 2;
  limited = find (fixture, query, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (limited, ==, "106 104");
}

static void
test_nobody_is_me (FilterFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *filter;
    gint64 expected;
  } me[] = { { "owner = me", 0 }, { "owner != me", 6 }, { "people has me", 0 } };
  KtSqlContext context = { .env = &fixed_env };

  for (guint i = 0; i < G_N_ELEMENTS (me); i++)
    {
      const KtObject *deal = kt_schema_object (fixture->schema, "deal");
      g_autoptr (GError) error = NULL;
      g_autoptr (KtFilter) filter = kt_filter_parse (deal, me[i].filter, &error);
      g_autoptr (KtSql) sql = kt_sql_new (fixture->base.db, &context);
      KT_STMT_SCOPE *stmt = NULL;

      kt_sql_append (sql, "SELECT count(*) FROM o_deal x WHERE ");
      g_assert_true (kt_sql_append_filter (sql, filter, "x", &error));
      kt_sql_append (sql, " AND x.rev > ");
      kt_sql_append_int (sql, 0);
      stmt = kt_sql_stmt (sql, &error);
      g_assert_no_error (error);
      g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_ROW);
      g_assert_cmpint (kt_stmt_int (stmt, 0), ==, me[i].expected);
    }
}

static void
test_orders (FilterFixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *object;
    const char *sort;
    const char *expected;
  } orders[] = {
    { "deal", "name", "106 101 102 104 103" },
    { "deal", "-name", "103 104 102 101 106" },
    { "deal", "amount,name", "104 106 101 102 103" },
    { "deal", "-amount,-name", "103 102 101 106 104" },
    { "deal", "close", "104 106 101 102 103" },
    { "deal", "-close", "103 102 101 104 106" },
    { "deal", "account,-rev", "104 103 106 101 102" },
    { "deal", "-account", "102 101 106 103 104" },
    { "deal", "about", "103 104 106 101 102" },
    { "deal", "anything,name", "106 101 104 103 102" },
    { "deal", "active", "103 104 106 102 101" },
    { "deal", "rev", "101 102 103 104 106" },
    { "deal", "-rev", "106 104 103 102 101" },
    { "line", "-deal", "302 301" },
    { "part", "line", "401 402" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtQuery) query =
        kt_query_new (kt_schema_object (fixture->schema, orders[i].object));
      g_autofree char *found = NULL;

      g_test_message ("%s", orders[i].sort);
      g_assert_true (kt_query_parse_sort (query, orders[i].sort, &error));
      found = find (fixture, query, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (found, ==, orders[i].expected);
    }
}

static char *
key_cb (const KtField *field, gpointer data)
{
  return strcmp (field->name, "name") == 0 ? g_strdup ("-o.rev") : NULL;
}

static void
test_a_sort_key_of_the_caller (FilterFixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtQuery) query = kt_query_new (kt_schema_object (fixture->schema, "deal"));
  g_autoptr (KtSql) sql = kt_sql_new (fixture->base.db, NULL);
  KT_STMT_SCOPE *stmt = NULL;

  g_assert_true (kt_query_parse_sort (query, "stage,name", &error));
  g_assert_true (kt_sql_append_query (sql, query, "o.rev", "o.rev > 101", key_cb, NULL, &error));
  stmt = kt_sql_stmt (sql, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 4; i++)
    {
      static const gint64 expected[] = { 104, 103, 106, 102 };

      g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_ROW);
      g_assert_cmpint (kt_stmt_int (stmt, 0), ==, expected[i]);
    }
  g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_DONE);
}

/* An index serves what people ask for most. */
static void
test_indices_serve (FilterFixture *fixture, gconstpointer data)
{
  static const char *const served[] = {
    "stage = open",       "account = " A1,        "account.industry = retail",
    "account = \"acme\"", "stage in (won, lost)", "id = " D1,
    "owner = me"
  };
  KtSqlContext context = { .env = &fixed_env, .me = id_of (201) };
  const KtObject *deal = kt_schema_object (fixture->schema, "deal");

  if (on_postgresql ())
    {
      g_test_skip ("PostgreSQL does as it likes with six rows");
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (served); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtFilter) filter = kt_filter_parse (deal, served[i], &error);
      g_autoptr (KtSql) sql = kt_sql_new (fixture->base.db, &context);
      KT_STMT_SCOPE *stmt = NULL;
      gboolean found = FALSE;

      kt_sql_append (sql, "EXPLAIN QUERY PLAN SELECT o.rid FROM o_deal o WHERE ");
      g_assert_true (kt_sql_append_filter (sql, filter, "o", &error));
      stmt = kt_sql_stmt (sql, &error);
      g_assert_no_error (error);
      while (kt_stmt_step (stmt, &error) == KT_STEP_ROW)
        found = found || g_str_has_prefix (kt_stmt_text (stmt, 3), "SEARCH o USING");
      if (!found)
        g_error ("%s is not served by an index", served[i]);
    }
}

#define ADD(name, function) \
  g_test_add ("/filters/" name, FilterFixture, NULL, filter_set_up, function, filter_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("filters-find", test_filters_find);
  ADD ("the-complement-is-exact", test_the_complement_is_exact);
  ADD ("the-bin", test_the_bin);
  ADD ("nobody-is-me", test_nobody_is_me);
  ADD ("orders", test_orders);
  ADD ("a-sort-key-of-the-caller", test_a_sort_key_of_the_caller);
  ADD ("indices-serve", test_indices_serve);

  return g_test_run ();
}
