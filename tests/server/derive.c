/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What follows from an edit, in the same commit. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#define STAGE(n) "01900000-0000-7000-8000-0000000001" n
#define FIRST STAGE ("11")
#define SOLUTION STAGE ("13")
#define WON STAGE ("16")

typedef struct
{
  Fixture *fixture;
  Device *ben, *ada;
} Set;

static void
set_up (Set *set, gconstpointer data)
{
  set->fixture = fixture_new ();
  set->ben = device_new (set->fixture, "ben");
  set->ada = device_new (set->fixture, "ada");
  pull (set->ada, 0);
}

static void
set_down (Set *set, gconstpointer data)
{
  assert_sound (set->fixture);
  pull (set->ben, 0);
  assert_equal (set->ben);
  device_free (set->ben);
  device_free (set->ada);
  fixture_free (set->fixture);
}

static void
edit (Device *device, const char *object, const char *id, const char *fields)
{
  g_autofree char *op = op_update (object, id, 0, fields);

  g_assert_cmpint (push_outcome (device, op), <=, KT_OUTCOME_MERGED);
}

static void
test_new_record (Set *set, gconstpointer data)
{
  g_autofree char *id =
    create (set->ben, "account",
            "\"name\":[null,\"Acme\"],\"website\":[null,\"https://www.acme.example/x\"]");
  g_autofree char *owner = NULL;
  g_autofree char *made_by = NULL;
  g_autofree char *teams = NULL;

  pull (set->ben, 0);
  owner = value (set->ben, "account", id, "owner");
  made_by = value (set->ben, "account", id, "created_by");
  teams = value (set->ben, "account", id, "teams");
  g_assert_true (strstr (owner, set->ben->user) != NULL);
  g_assert_true (strstr (made_by, set->ben->user) != NULL);
  g_assert_cmpuint (strlen (teams), ==, 40); /* one id: the owner's default team */
  assert_value (set->ben, "account", id, "type", "\"prospect\"");
  assert_value (set->ben, "account", id, "origin", "\"client\"");
  assert_value (set->ben, "account", id, "domain", "\"acme.example\"");
  assert_value (set->ben, "account", id, "created_at", "\"2026-05-28T08:00:00.000Z\"");
}

static void
test_auto_number (Set *set, gconstpointer data)
{
  g_autofree char *a = create (set->ben, "case", "\"subject\":[null,\"Broken\"]");
  g_autofree char *b = create (set->ada, "case", "\"subject\":[null,\"Also broken\"]");
  g_autofree char *bad = NULL;
  g_autofree char *id = new_id (set->fixture);
  g_autofree char *c = NULL;

  /* A refused one leaves no hole. */
  bad = op_create ("case", id, "\"subject\":[null,null]");
  g_assert_cmpint (push_outcome (set->ben, bad), ==, KT_OUTCOME_REFUSED);
  c = create (set->ben, "case", "\"subject\":[null,\"Broken as well\"]");
  pull (set->ben, 0);
  assert_value (set->ben, "case", a, "number", "\"CS-000001\"");
  assert_value (set->ben, "case", b, "number", "\"CS-000002\"");
  assert_value (set->ben, "case", c, "number", "\"CS-000003\"");
}

static void
test_stages (Set *set, gconstpointer data)
{
  g_autofree char *id = create (
    set->ben, "opportunity",
    "\"name\":[null,\"Deal\"],\"amount\":[null,{\"amount\":\"200\",\"currency\":\"CNY\"}],\"close_date\":[null,\"2026-07-01\"]");
  GHashTableIter iter;
  gpointer record;
  guint trail = 0;

  pull (set->ben, 0);
  assert_value (set->ben, "opportunity", id, "stage", "\"" FIRST "\"");
  assert_value (set->ben, "opportunity", id, "status", "\"open\"");
  assert_value (set->ben, "opportunity", id, "probability", "\"10\"");
  assert_value (set->ben, "opportunity", id, "weighted_amount",
                "{\"amount\":\"20\",\"currency\":\"CNY\"}");
  assert_value (set->ben, "opportunity", id, "stage_entered_at", "\"2026-05-28T08:00:00.000Z\"");

  edit (set->ben, "opportunity", id, "\"stage\":[\"" FIRST "\",\"" SOLUTION "\"]");
  pull (set->ben, 0);
  assert_value (set->ben, "opportunity", id, "probability", "\"50\"");
  assert_value (set->ben, "opportunity", id, "forecast_category", "\"best_case\"");

  /* What the person says counts. */
  edit (set->ben, "opportunity", id,
        "\"stage\":[\"" SOLUTION "\",\"" WON "\"],\"probability\":[\"50\",\"99\"]");
  pull (set->ben, 0);
  assert_value (set->ben, "opportunity", id, "status", "\"won\"");
  assert_value (set->ben, "opportunity", id, "probability", "\"99\"");
  assert_value (set->ben, "opportunity", id, "closed_at", "\"2026-05-28T08:00:00.000Z\"");

  edit (set->ben, "opportunity", id,
        "\"stage\":[\"" WON "\",\"" SOLUTION "\"],\"close_date\":[\"2026-07-01\",\"2026-08-01\"]");
  pull (set->ben, 0);
  assert_value (set->ben, "opportunity", id, "closed_at", "null");
  assert_value (set->ben, "opportunity", id, "close_date_moves", "1");

  g_hash_table_iter_init (&iter, set->ben->records);
  while (g_hash_table_iter_next (&iter, NULL, &record))
    trail += strcmp (((KtRecord *) record)->object->name, "stage_history") == 0;
  g_assert_cmpuint (trail, ==, 3);
}

/* Deals of the past, imported closed. */
static void
test_closed_in_the_past (Set *set, gconstpointer data)
{
  g_autofree char *id = create (set->ben, "opportunity",
                                "\"name\":[null,\"Old\"],\"stage\":[null,\"" WON
                                "\"],\"close_date\":[null,\"2017-03-01\"]");

  pull (set->ben, 0);
  assert_value (set->ben, "opportunity", id, "status", "\"won\"");
  assert_value (set->ben, "opportunity", id, "closed_at", "\"2017-03-01T00:00:00.000Z\"");
}

/* A stage that changes its meaning takes its deals along. */
static void
test_copy_follows (Set *set, gconstpointer data)
{
  g_autofree char *id =
    create (set->ben, "opportunity", "\"name\":[null,\"Deal\"],\"stage\":[null,\"" SOLUTION "\"]");

  edit (set->ada, "pipeline_stage", SOLUTION, "\"type\":[\"open\",\"lost\"]");
  pull (set->ben, 0);
  assert_value (set->ben, "opportunity", id, "status", "\"lost\"");
}

static char *
make_quote (Device *device, const char *more)
{
  g_autofree char *account = create (device, "account", "\"name\":[null,\"A\"]");
  g_autofree char *fields = g_strdup_printf (
    "\"name\":[null,\"Q\"],\"account\":[null,\"%s\"],\"quote_date\":[null,\"2026-05-01\"]%s",
    account, more);

  return create (device, "quote", fields);
}

static char *
make_line (Device *device,
           const char *object,
           const char *parent,
           const char *qty,
           const char *price,
           const char *more)
{
  g_autofree char *fields =
    g_strdup_printf ("\"parent\":[null,{\"object\":\"%s\",\"id\":\"%s\"}],\"qty\":[null,\"%s\"],"
                     "\"unit_price\":[null,{\"amount\":\"%s\",\"currency\":\"CNY\"}]%s",
                     object, parent, qty, price, more);

  return create (device, "line_item", fields);
}

static void
test_totals (Set *set, gconstpointer data)
{
  g_autofree char *quote = make_quote (
    set->ben,
    ",\"shipping\":[null,{\"amount\":\"5\",\"currency\":\"CNY\"}],\"discount_pct\":[null,\"10\"]");
  g_autofree char *a =
    make_line (set->ben, "quote", quote, "2", "100", ",\"tax_rate\":[null,\"19\"]");
  g_autofree char *b =
    make_line (set->ben, "quote", quote, "1", "50.5", ",\"discount_pct\":[null,\"10\"]");
  g_autofree char *remove = NULL;

  pull (set->ben, 0);
  assert_value (set->ben, "line_item", a, "total", "{\"amount\":\"238\",\"currency\":\"CNY\"}");
  assert_value (set->ben, "line_item", b, "subtotal",
                "{\"amount\":\"45.45\",\"currency\":\"CNY\"}");
  assert_value (set->ben, "quote", quote, "subtotal",
                "{\"amount\":\"245.45\",\"currency\":\"CNY\"}");
  assert_value (set->ben, "quote", quote, "tax", "{\"amount\":\"38\",\"currency\":\"CNY\"}");
  /* 283.45 − 24.55 + 5 */
  assert_value (set->ben, "quote", quote, "total", "{\"amount\":\"263.9\",\"currency\":\"CNY\"}");

  edit (set->ben, "line_item", a, "\"qty\":[\"2\",\"3\"]");
  pull (set->ben, 0);
  assert_value (set->ben, "quote", quote, "subtotal",
                "{\"amount\":\"345.45\",\"currency\":\"CNY\"}");
  edit (set->ben, "quote", quote, "\"discount_pct\":[\"10\",null]");
  pull (set->ben, 0);
  assert_value (set->ben, "quote", quote, "total", "{\"amount\":\"407.45\",\"currency\":\"CNY\"}");

  remove = op_delete ("line_item", a, 0);
  push_outcome (set->ben, remove);
  pull (set->ben, 0);
  assert_value (set->ben, "quote", quote, "subtotal",
                "{\"amount\":\"45.45\",\"currency\":\"CNY\"}");
  g_free (remove);
  remove = op_delete ("line_item", b, 0);
  push_outcome (set->ben, remove);
  pull (set->ben, 0);
  assert_value (set->ben, "quote", quote, "total", "null");
}

/* A line that moves changes both. */
static void
test_line_moves (Set *set, gconstpointer data)
{
  g_autofree char *one = make_quote (set->ben, "");
  g_autofree char *two = make_quote (set->ben, "");
  g_autofree char *a = make_line (set->ben, "quote", one, "1", "10", "");
  g_autofree char *b = make_line (set->ben, "quote", one, "1", "7", "");
  g_autofree char *move = g_strdup_printf (
    "\"parent\":[{\"object\":\"quote\",\"id\":\"%s\"},{\"object\":\"quote\",\"id\":\"%s\"}]", one,
    two);

  edit (set->ben, "line_item", a, move);
  pull (set->ben, 0);
  assert_value (set->ben, "quote", one, "total", "{\"amount\":\"7\",\"currency\":\"CNY\"}");
  assert_value (set->ben, "quote", two, "total", "{\"amount\":\"10\",\"currency\":\"CNY\"}");
}

/* No sum of two currencies. */
static void
test_mixed_currencies (Set *set, gconstpointer data)
{
  g_autofree char *quote = make_quote (set->ben, "");
  g_autofree char *a = make_line (set->ben, "quote", quote, "1", "10", "");
  g_autofree char *fields =
    g_strdup_printf ("\"parent\":[null,{\"object\":\"quote\",\"id\":\"%s\"}],\"qty\":[null,\"1\"],"
                     "\"unit_price\":[null,{\"amount\":\"1\",\"currency\":\"EUR\"}]",
                     quote);
  g_autofree char *b = create (set->ben, "line_item", fields);

  pull (set->ben, 0);
  assert_value (set->ben, "quote", quote, "total", "null");
}

/* Document and lines in one change; an opportunity's empty amount is filled, a given one is not. */
static void
test_totals_at_once (Set *set, gconstpointer data)
{
  g_autofree char *deal = new_id (set->fixture);
  g_autofree char *given = new_id (set->fixture);
  g_autofree char *line = new_id (set->fixture);
  g_autofree char *other = new_id (set->fixture);
  g_autofree char *ops = g_strdup_printf (
    "{\"op\":\"create\",\"object\":\"line_item\",\"id\":\"%s\",\"fields\":{\"parent\":[null,{\"object\":\"opportunity\",\"id\":\"%s\"}],\"qty\":[null,\"4\"],\"unit_price\":[null,{\"amount\":\"2.5\",\"currency\":\"CNY\"}]}},"
    "{\"op\":\"create\",\"object\":\"opportunity\",\"id\":\"%s\",\"fields\":{\"name\":[null,\"D\"]}},"
    "{\"op\":\"create\",\"object\":\"line_item\",\"id\":\"%s\",\"fields\":{\"parent\":[null,{\"object\":\"opportunity\",\"id\":\"%s\"}],\"qty\":[null,\"4\"],\"unit_price\":[null,{\"amount\":\"2.5\",\"currency\":\"CNY\"}]}},"
    "{\"op\":\"create\",\"object\":\"opportunity\",\"id\":\"%s\",\"fields\":{\"name\":[null,\"D\"],\"amount\":[null,{\"amount\":\"99\",\"currency\":\"CNY\"}]}}",
    line, deal, deal, other, given, given);

  g_assert_cmpint (push_outcome (set->ben, ops), ==, KT_OUTCOME_APPLIED);
  pull (set->ben, 0);
  assert_value (set->ben, "opportunity", deal, "amount",
                "{\"amount\":\"10\",\"currency\":\"CNY\"}");
  assert_value (set->ben, "opportunity", given, "amount",
                "{\"amount\":\"99\",\"currency\":\"CNY\"}");
}

static void
test_case_and_task (Set *set, gconstpointer data)
{
  g_autofree char *ticket = create (set->ben, "case", "\"subject\":[null,\"Broken\"]");
  g_autofree char *task = create (set->ben, "task", "\"subject\":[null,\"Call\"]");

  edit (set->ben, "case", ticket, "\"status\":[\"" STAGE ("31") "\",\"" STAGE ("35") "\"]");
  edit (set->ben, "task", task, "\"status\":[\"not_started\",\"done\"]");
  pull (set->ben, 0);
  assert_value (set->ben, "case", ticket, "status_type", "\"resolved\"");
  assert_value (set->ben, "case", ticket, "resolved_at", "\"2026-05-28T08:00:00.000Z\"");
  assert_value (set->ben, "task", task, "done_at", "\"2026-05-28T08:00:00.000Z\"");
  edit (set->ben, "case", ticket, "\"status\":[\"" STAGE ("35") "\",\"" STAGE ("32") "\"]");
  pull (set->ben, 0);
  assert_value (set->ben, "case", ticket, "reopen_count", "1");
  assert_value (set->ben, "case", ticket, "resolved_at", "null");
}

/* Computed fields cannot be written from outside. */
static void
test_computed_is_refused (Set *set, gconstpointer data)
{
  g_autofree char *id = new_id (set->fixture);
  g_autofree char *op = op_create (
    "account", id, "\"name\":[null,\"A\"],\"created_at\":[null,\"1999-01-01T00:00:00.000Z\"]");

  g_assert_cmpint (push_outcome (set->ben, op), ==, KT_OUTCOME_REFUSED);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*run) (Set *, gconstpointer);
  } cases[] = {
    { "new-record", test_new_record },
    { "auto-number", test_auto_number },
    { "stages", test_stages },
    { "closed-in-the-past", test_closed_in_the_past },
    { "40-copy-follows", test_copy_follows },
    { "totals", test_totals },
    { "line-moves", test_line_moves },
    { "mixed-currencies", test_mixed_currencies },
    { "totals-at-once", test_totals_at_once },
    { "case-and-task", test_case_and_task },
    { "computed-is-refused", test_computed_is_refused },
  };

  fixture_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/server/derive/", cases[i].path, NULL);

      g_test_add (path, Set, NULL, set_up, cases[i].run, set_down);
    }
  return g_test_run ();
}
