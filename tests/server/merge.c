/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Two devices, one record: every policy end to end, deletes against edits, the review queue, history (P2, P6, P7). */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"

typedef struct
{
  Fixture *fixture;
  Device *ben, *cho; /* two people, each with a device that is up to date */
} Two;

static void
two_up (Two *two, gconstpointer data)
{
  two->fixture = fixture_new ();
  two->ben = device_new (two->fixture, "ben");
  two->cho = device_new (two->fixture, "cho");
}

static void
two_down (Two *two, gconstpointer data)
{
  assert_sound (two->fixture);
  pull (two->ben, 0);
  pull (two->cho, 0);
  assert_equal (two->ben);
  assert_equal (two->cho);
  device_free (two->ben);
  device_free (two->cho);
  fixture_free (two->fixture);
}

static void
both_pull (Two *two)
{
  pull (two->ben, 0);
  pull (two->cho, 0);
}

static KtOutcome
edit (Device *device, const char *object, const char *id, gint64 base_rev, const char *fields)
{
  g_autofree char *op = op_update (object, id, base_rev, fields);

  return push_outcome (device, op);
}

/* Different fields merge in silence. */
static void
test_different_fields (Two *two, gconstpointer data)
{
  g_autofree char *id = create (two->ben, "contact", "\"last_name\":[null,\"Li\"]");
  gint64 base;

  both_pull (two);
  base = rev (two->ben, "contact", id);
  g_assert_cmpint (edit (two->ben, "contact", id, base, "\"job_title\":[null,\"CEO\"]"), ==,
                   KT_OUTCOME_APPLIED);
  g_assert_cmpint (edit (two->cho, "contact", id, base, "\"department\":[null,\"Board\"]"), ==,
                   KT_OUTCOME_APPLIED);
  both_pull (two);
  assert_value (two->ben, "contact", id, "job_title", "\"CEO\"");
  assert_value (two->ben, "contact", id, "department", "\"Board\"");
}

/* Equal values are no conflict. */
static void
test_equal_values (Two *two, gconstpointer data)
{
  g_autofree char *id = create (two->ben, "contact", "\"last_name\":[null,\"Li\"]");
  g_autoptr (GPtrArray) open = NULL;
  gint64 base;

  both_pull (two);
  base = rev (two->ben, "contact", id);
  edit (two->ben, "contact", id, base, "\"job_title\":[null,\"CEO\"]");
  g_assert_cmpint (edit (two->cho, "contact", id, base, "\"job_title\":[null,\"CEO\"]"), ==,
                   KT_OUTCOME_APPLIED);
  both_pull (two);
  open = reviews (two->cho);
  g_assert_cmpuint (open->len, ==, 0);
}

/* review: the server's value stands, mine waits with all the facts; 47: mine is mine. */
static void
test_review (Two *two, gconstpointer data)
{
  g_autofree char *id =
    create (two->ben, "contact", "\"last_name\":[null,\"Li\"],\"job_title\":[null,\"Clerk\"]");
  g_autoptr (GPtrArray) open = NULL;
  g_autoptr (GPtrArray) after = NULL;
  g_autofree char *conflict = NULL;
  g_autofree char *settle = NULL;
  const KtRecord *item;
  g_autofree char *base_text = NULL;
  g_autofree char *mine_text = NULL;
  g_autofree char *theirs_text = NULL;
  g_autofree char *mine_by = NULL;
  g_autofree char *theirs_by = NULL;
  gint64 base;
  KtVerdict verdict;

  both_pull (two);
  base = rev (two->ben, "contact", id);
  edit (two->ben, "contact", id, base, "\"job_title\":[\"Clerk\",\"CEO\"]");
  g_assert_cmpint (edit (two->cho, "contact", id, base, "\"job_title\":[\"Clerk\",\"CFO\"]"), ==,
                   KT_OUTCOME_REVIEW);
  both_pull (two);
  assert_value (two->cho, "contact", id, "job_title", "\"CEO\"");
  open = reviews (two->cho);
  g_assert_cmpuint (open->len, ==, 1);
  item = open->pdata[0];
  g_assert_cmpstr (kt_record_text (item, "kind"), ==, "field");
  g_assert_cmpstr (kt_record_text (item, "object"), ==, "contact");
  g_assert_cmpstr (kt_record_text (item, "field"), ==, "job_title");
  g_assert_nonnull (kt_record_text (item, "message"));
  base_text = kt_value_to_string (kt_record_get (item, "base"));
  mine_text = kt_value_to_string (kt_record_get (item, "mine"));
  theirs_text = kt_value_to_string (kt_record_get (item, "theirs"));
  mine_by = kt_value_to_string (kt_record_get (item, "mine_by"));
  theirs_by = kt_value_to_string (kt_record_get (item, "theirs_by"));
  g_assert_cmpstr (base_text, ==, "\"Clerk\"");
  g_assert_cmpstr (mine_text, ==, "\"CFO\"");
  g_assert_cmpstr (theirs_text, ==, "\"CEO\"");
  g_assert_true (strstr (mine_by, two->cho->user) != NULL);
  g_assert_true (strstr (theirs_by, two->ben->user) != NULL);
  g_assert_cmpstr (kt_record_text (item, "mine_device"), ==, two->cho->id);

  /* A second try from the same device on the same base does not double it, and the first base stays. */
  g_assert_cmpint (edit (two->cho, "contact", id, base, "\"job_title\":[\"CFO\",\"COO\"]"), ==,
                   KT_OUTCOME_REVIEW);
  pull (two->cho, 0);
  g_ptr_array_unref (g_steal_pointer (&open));
  open = reviews (two->cho);
  g_assert_cmpuint (open->len, ==, 1);
  item = open->pdata[0];
  g_free (base_text);
  g_free (mine_text);
  base_text = kt_value_to_string (kt_record_get (item, "base"));
  mine_text = kt_value_to_string (kt_record_get (item, "mine"));
  g_assert_cmpstr (base_text, ==, "\"Clerk\"");
  g_assert_cmpstr (mine_text, ==, "\"COO\"");

  /* Settled with mine: everywhere at once. */
  conflict = kt_id_to_string (&item->id);
  settle = g_strdup_printf (
    "\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"resolves\":\"%s\",\"resolution\":\"kept_mine\","
    "\"ops\":[{\"op\":\"update\",\"object\":\"contact\",\"id\":\"%s\",\"base_rev\":%" G_GINT64_FORMAT
    ",\"fields\":{\"job_title\":[\"CEO\",\"COO\"]}}]",
    conflict, id, rev (two->cho, "contact", id));
  verdict = push_full (two->cho, settle);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_APPLIED);
  kt_verdict_clear (&verdict);
  both_pull (two);
  assert_value (two->ben, "contact", id, "job_title", "\"COO\"");
  g_assert_null (have (two->ben, "sync_conflict", conflict)); /* it is cho who was asked */
  after = reviews (two->cho);
  g_assert_cmpuint (after->len, ==, 0);

  /* Twice is refused, whoever comes second. */
  verdict = push_full (two->cho, settle);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_REFUSED);
  g_assert_cmpstr (verdict.code, ==, "conflict");
  g_assert_true (strstr (verdict.message, "cho") != NULL);
  kt_verdict_clear (&verdict);
}

/* Nobody settles another's review, unless an administrator. */
static void
test_settle_access (Two *two, gconstpointer data)
{
  g_autoptr (Device) ada = device_new (two->fixture, "ada");
  g_autofree char *id =
    create (two->ben, "contact", "\"last_name\":[null,\"Li\"],\"job_title\":[null,\"Clerk\"]");
  g_autoptr (GPtrArray) open = NULL;
  g_autofree char *conflict = NULL;
  g_autofree char *settle = NULL;
  gint64 base;
  KtVerdict verdict;

  both_pull (two);
  base = rev (two->ben, "contact", id);
  edit (two->ben, "contact", id, base, "\"job_title\":[\"Clerk\",\"CEO\"]");
  edit (two->cho, "contact", id, base, "\"job_title\":[\"Clerk\",\"CFO\"]");
  pull (two->cho, 0);
  open = reviews (two->cho);
  conflict = kt_id_to_string (&((KtRecord *) open->pdata[0])->id);
  settle = g_strdup_printf (
    "\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"resolves\":\"%s\",\"resolution\":\"took_theirs\",\"ops\":[]",
    conflict);
  verdict = push_full (two->ben, settle);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_REFUSED);
  g_assert_cmpstr (verdict.code, ==, "forbidden");
  kt_verdict_clear (&verdict);
  verdict = push_full (ada, settle);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_APPLIED);
  kt_verdict_clear (&verdict);
}

static void
test_union (Two *two, gconstpointer data)
{
  g_autofree char *id =
    create (two->ben, "contact", "\"last_name\":[null,\"Li\"],\"tags\":[null,[\"a\",\"b\"]]");
  gint64 base;

  both_pull (two);
  base = rev (two->ben, "contact", id);
  edit (two->ben, "contact", id, base, "\"tags\":[[\"a\",\"b\"],[\"a\",\"b\",\"c\"]]");
  g_assert_cmpint (edit (two->cho, "contact", id, base, "\"tags\":[[\"a\",\"b\"],[\"b\",\"d\"]]"),
                   ==, KT_OUTCOME_MERGED);
  both_pull (two);
  assert_value (two->ben, "contact", id, "tags", "[\"b\",\"c\",\"d\"]");
}

static void
test_text (Two *two, gconstpointer data)
{
  g_autofree char *id =
    create (two->ben, "contact",
            "\"last_name\":[null,\"Li\"],\"description\":[null,\"one\\ntwo\\nthree\"]");
  g_autoptr (GPtrArray) open = NULL;
  gint64 base;

  both_pull (two);
  base = rev (two->ben, "contact", id);
  edit (two->ben, "contact", id, base,
        "\"description\":[\"one\\ntwo\\nthree\",\"ONE\\ntwo\\nthree\"]");
  g_assert_cmpint (edit (two->cho, "contact", id, base,
                         "\"description\":[\"one\\ntwo\\nthree\",\"one\\ntwo\\nTHREE\"]"),
                   ==, KT_OUTCOME_MERGED);
  both_pull (two);
  assert_value (two->ben, "contact", id, "description", "\"ONE\\ntwo\\nTHREE\"");
  /* The same line on both sides: a person. */
  base = rev (two->ben, "contact", id);
  edit (two->ben, "contact", id, base,
        "\"description\":[\"ONE\\ntwo\\nTHREE\",\"uno\\ntwo\\nTHREE\"]");
  g_assert_cmpint (edit (two->cho, "contact", id, base,
                         "\"description\":[\"ONE\\ntwo\\nTHREE\",\"eins\\ntwo\\nTHREE\"]"),
                   ==, KT_OUTCOME_REVIEW);
  pull (two->cho, 0);
  open = reviews (two->cho);
  g_assert_cmpuint (open->len, ==, 1);
}

/* latest: the later to arrive stands; what it stood over is in the ledger. */
static void
test_latest (Two *two, gconstpointer data)
{
  g_autofree char *id =
    create (two->ben, "opportunity", "\"name\":[null,\"Deal\"],\"board_rank\":[null,\"m\"]");
  g_autofree char *query = g_strdup_printf ("object=opportunity&id=%s", id);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (KtJson) json = NULL;
  const KtJson *newest = NULL;
  gint64 base;

  both_pull (two);
  base = rev (two->ben, "opportunity", id);
  edit (two->ben, "opportunity", id, base, "\"board_rank\":[\"m\",\"a\"]");
  g_assert_cmpint (edit (two->cho, "opportunity", id, base, "\"board_rank\":[\"m\",\"z\"]"), ==,
                   KT_OUTCOME_APPLIED);
  both_pull (two);
  assert_value (two->ben, "opportunity", id, "board_rank", "\"z\"");
  reply = ask (two->fixture, KT_ENDPOINT_HISTORY, two->ben->token, query, NULL);
  json = reply_json (reply);
  for (guint i = 0; i < kt_json_length (kt_json_get (json, "history")) && newest == NULL; i++)
    {
      const KtJson *row = kt_json_at (kt_json_get (json, "history"), i);

      if (g_strcmp0 (kt_json_get_string (row, "field", NULL), "board_rank") == 0)
        newest = row;
    }
  g_assert_nonnull (newest);
  g_assert_cmpstr (kt_json_get_string (newest, "old", NULL), ==, "a");
  g_assert_cmpstr (kt_json_get_string (newest, "new", NULL), ==, "z");
  g_assert_cmpstr (kt_json_get_string (newest, "base", NULL), ==, "m");
}

/* server: what stands stays, mine is superseded and kept. */
static void
test_server (Two *two, gconstpointer data)
{
  g_autoptr (Device) one = device_new (two->fixture, "ada");
  g_autoptr (Device) other = device_new (two->fixture, "ada");
  g_autofree char *id = create (one, "loss_reason", "\"name\":[null,\"Because\"]");
  gint64 base;

  pull (one, 0);
  pull (other, 0);
  base = rev (one, "loss_reason", id);
  edit (one, "loss_reason", id, base, "\"name\":[\"Because\",\"Why not\"]");
  g_assert_cmpint (edit (other, "loss_reason", id, base, "\"name\":[\"Because\",\"No idea\"]"), ==,
                   KT_OUTCOME_SUPERSEDED);
  pull (one, 0);
  assert_value (one, "loss_reason", id, "name", "\"Why not\"");
  g_assert_cmpint (
    count_sql (
      two->fixture,
      "SELECT count(*) FROM kt_ledger WHERE outcome = 'superseded' AND changes LIKE '%No idea%'"),
    ==, 1);
}

/* state: the transition from what stands must be allowed. */
static void
test_state (Two *two, gconstpointer data)
{
  g_autofree char *account = create (two->ben, "account", "\"name\":[null,\"A\"]");
  g_autofree char *fields = g_strdup_printf (
    "\"name\":[null,\"Q\"],\"account\":[null,\"%s\"],\"quote_date\":[null,\"2026-05-01\"]",
    account);
  g_autofree char *id = create (two->ben, "quote", fields);
  gint64 base;

  both_pull (two);
  assert_value (two->ben, "quote", id, "status", "\"draft\"");
  base = rev (two->ben, "quote", id);
  edit (two->ben, "quote", id, base, "\"status\":[\"draft\",\"in_review\"]");
  g_assert_cmpint (edit (two->cho, "quote", id, base, "\"status\":[\"draft\",\"approved\"]"), ==,
                   KT_OUTCOME_APPLIED);
  both_pull (two);
  assert_value (two->ben, "quote", id, "status", "\"approved\"");
  base = rev (two->ben, "quote", id);
  edit (two->ben, "quote", id, base, "\"status\":[\"approved\",\"expired\"]");
  g_assert_cmpint (edit (two->cho, "quote", id, base, "\"status\":[\"approved\",\"sent\"]"), ==,
                   KT_OUTCOME_REVIEW);
  both_pull (two);
  assert_value (two->ben, "quote", id, "status", "\"expired\"");
  /* A step that is never allowed is refused outright. */
  g_assert_cmpint (edit (two->ben, "quote", id, rev (two->ben, "quote", id),
                         "\"status\":[\"expired\",\"accepted\"]"),
                   ==, KT_OUTCOME_REFUSED);
}

/* My delete met their edit: the record stays, the deleter is asked. */
static void
test_delete_meets_edit (Two *two, gconstpointer data)
{
  g_autofree char *id = create (two->ben, "contact", "\"last_name\":[null,\"Li\"]");
  g_autofree char *remove = NULL;
  g_autoptr (GPtrArray) open = NULL;
  g_autofree char *theirs = NULL;
  g_autofree char *settle = NULL;
  g_autofree char *conflict = NULL;
  const KtRecord *item;
  KtVerdict verdict;
  gint64 base;

  both_pull (two);
  base = rev (two->ben, "contact", id);
  edit (two->ben, "contact", id, base, "\"job_title\":[null,\"CEO\"]");
  remove = op_delete ("contact", id, base);
  verdict = push (two->cho, remove);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_REVIEW);
  g_assert_nonnull (verdict.message);
  kt_verdict_clear (&verdict);
  both_pull (two);
  assert_value (two->cho, "contact", id, "deleted_at", "null");
  open = reviews (two->cho);
  g_assert_cmpuint (open->len, ==, 1);
  item = open->pdata[0];
  g_assert_cmpstr (kt_record_text (item, "kind"), ==, "delete_edit");
  theirs = kt_value_to_string (kt_record_get (item, "theirs"));
  g_assert_true (strstr (theirs, "CEO") != NULL);

  /* "Delete it all the same." */
  conflict = kt_id_to_string (&item->id);
  settle = g_strdup_printf (
    "\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"resolves\":\"%s\",\"resolution\":\"kept_mine\","
    "\"ops\":[{\"op\":\"delete\",\"object\":\"contact\",\"id\":\"%s\",\"base_rev\":%" G_GINT64_FORMAT
    "}]",
    conflict, id, rev (two->cho, "contact", id));
  verdict = push_full (two->cho, settle);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_APPLIED);
  kt_verdict_clear (&verdict);
  pull (two->ben, 0);
  g_assert_true (kt_record_deleted (have (two->ben, "contact", id)));
}

/* My edit met their delete: the record returns, the deleter is told. */
static void
test_edit_meets_delete (Two *two, gconstpointer data)
{
  g_autofree char *id = create (two->ben, "contact", "\"last_name\":[null,\"Li\"]");
  g_autofree char *remove = NULL;
  g_autoptr (GPtrArray) open = NULL;
  g_autofree char *mine_by = NULL;
  g_autofree char *assigned = NULL;
  gint64 base;

  both_pull (two);
  base = rev (two->ben, "contact", id);
  remove = op_delete ("contact", id, base);
  g_assert_cmpint (push_outcome (two->ben, remove), ==, KT_OUTCOME_APPLIED);
  g_assert_cmpint (edit (two->cho, "contact", id, base, "\"job_title\":[null,\"CEO\"]"), ==,
                   KT_OUTCOME_MERGED);
  both_pull (two);
  assert_value (two->ben, "contact", id, "deleted_at", "null");
  assert_value (two->ben, "contact", id, "job_title", "\"CEO\"");
  open = reviews (two->ben);
  g_assert_cmpuint (open->len, ==, 1);
  mine_by = kt_value_to_string (kt_record_get (open->pdata[0], "mine_by"));
  assigned = kt_value_to_string (kt_record_get (open->pdata[0], "assigned_to"));
  g_assert_true (strstr (mine_by, two->ben->user) != NULL);
  g_assert_true (strstr (assigned, two->ben->user) != NULL);
}

/* 36: create, sync, delete, sync, quickly: nothing returns by itself. */
static void
test_quick_delete (Two *two, gconstpointer data)
{
  g_autofree char *id = create (two->ben, "contact", "\"last_name\":[null,\"Li\"]");
  g_autofree char *remove = op_delete ("contact", id, 0);
  g_autoptr (GPtrArray) open = NULL;

  g_assert_cmpint (edit (two->ben, "contact", id, 0, "\"job_title\":[null,\"CEO\"]"), ==,
                   KT_OUTCOME_APPLIED);
  g_assert_cmpint (push_outcome (two->ben, remove), ==, KT_OUTCOME_APPLIED);
  /* Changed where it lies. */
  g_assert_cmpint (edit (two->ben, "contact", id, 0, "\"job_title\":[\"CEO\",\"CFO\"]"), ==,
                   KT_OUTCOME_APPLIED);
  both_pull (two);
  g_assert_true (kt_record_deleted (have (two->cho, "contact", id)));
  open = reviews (two->ben);
  g_assert_cmpuint (open->len, ==, 0);
}

/* The bin gives back. */
static void
test_restore (Two *two, gconstpointer data)
{
  g_autofree char *id = create (two->ben, "contact", "\"last_name\":[null,\"Li\"]");
  g_autofree char *remove = op_delete ("contact", id, 0);
  g_autofree char *restore = NULL;

  push_outcome (two->ben, remove);
  both_pull (two);
  restore = op_restore ("contact", id, rev (two->cho, "contact", id));
  g_assert_cmpint (push_outcome (two->cho, restore), ==, KT_OUTCOME_APPLIED);
  both_pull (two);
  assert_value (two->ben, "contact", id, "deleted_at", "null");
}

/* 39: the parent was deleted, the child was made offline: it waits with its parent, it is not dropped. */
static void
test_orphan (Two *two, gconstpointer data)
{
  g_autofree char *account = create (two->ben, "account", "\"name\":[null,\"A\"]");
  g_autofree char *remove = NULL;
  g_autofree char *note = NULL;
  g_autofree char *fields = g_strdup_printf (
    "\"body\":[null,\"Called\"],\"parent\":[null,{\"object\":\"account\",\"id\":\"%s\"}]", account);
  g_autofree char *contact = NULL;
  g_autofree char *contact_fields =
    g_strdup_printf ("\"last_name\":[null,\"Li\"],\"account\":[null,\"%s\"]", account);
  g_autoptr (GPtrArray) open = NULL;

  both_pull (two);
  remove = op_delete ("account", account, rev (two->ben, "account", account));
  g_assert_cmpint (push_outcome (two->ben, remove), ==, KT_OUTCOME_APPLIED);
  note = create (two->cho, "note", fields);
  contact = create (two->cho, "contact", contact_fields);
  both_pull (two);
  g_assert_nonnull (have (two->cho, "note", note));
  open = reviews (two->cho);
  g_assert_cmpuint (open->len, ==, 2);
  g_assert_cmpstr (kt_record_text (open->pdata[0], "kind"), ==, "orphan");
  g_assert_cmpstr (kt_record_text (open->pdata[0], "field"), ==, "parent");
  g_assert_cmpstr (kt_record_text (open->pdata[1], "field"), ==, "account");
}

/* 37: the same id on two devices. */
static void
test_same_id (Two *two, gconstpointer data)
{
  g_autofree char *id = new_id (two->fixture);
  g_autofree char *a =
    op_create ("contact", id, "\"last_name\":[null,\"Li\"],\"job_title\":[null,\"CEO\"]");
  g_autofree char *b = op_create (
    "contact", id,
    "\"last_name\":[null,\"Li\"],\"job_title\":[null,\"CFO\"],\"department\":[null,\"Board\"]");

  g_assert_cmpint (push_outcome (two->ben, a), ==, KT_OUTCOME_APPLIED);
  g_assert_cmpint (push_outcome (two->cho, b), ==, KT_OUTCOME_REVIEW);
  both_pull (two);
  assert_value (two->ben, "contact", id, "job_title", "\"CEO\"");
  assert_value (two->ben, "contact", id, "department", "\"Board\"");
}

/* 38: a unique value twice: both stay, a person is asked. */
static void
test_duplicate (Two *two, gconstpointer data)
{
  g_autofree char *a =
    create (two->ben, "contact", "\"last_name\":[null,\"Li\"],\"email\":[null,\"li@example.com\"]");
  g_autofree char *b = create (two->cho, "contact",
                               "\"last_name\":[null,\"Lee\"],\"email\":[null,\"li@example.com\"]");
  g_autoptr (GPtrArray) open = NULL;

  both_pull (two);
  g_assert_nonnull (have (two->cho, "contact", a));
  g_assert_nonnull (have (two->cho, "contact", b));
  open = reviews (two->cho);
  g_assert_cmpuint (open->len, ==, 1);
  g_assert_cmpstr (kt_record_text (open->pdata[0], "kind"), ==, "duplicate");
}

/* 46: what the server computes makes no clash. */
static void
test_no_clash_by_server (Two *two, gconstpointer data)
{
  g_autofree char *account = create (two->ben, "account", "\"name\":[null,\"A\"]");
  g_autofree char *fields = g_strdup_printf (
    "\"name\":[null,\"Q\"],\"account\":[null,\"%s\"],\"quote_date\":[null,\"2026-05-01\"]",
    account);
  g_autofree char *quote = create (two->ben, "quote", fields);
  g_autofree char *line_fields = g_strdup_printf (
    "\"parent\":[null,{\"object\":\"quote\",\"id\":\"%s\"}],\"qty\":[null,\"2\"],\"unit_price\":[null,{\"amount\":\"10\",\"currency\":\"CNY\"}]",
    quote);
  g_autofree char *remove = NULL;
  g_autofree char *line = NULL;
  gint64 base;

  both_pull (two);
  base = rev (two->ben, "quote", quote);
  line = create (two->cho, "line_item", line_fields);
  /* The quote's total moved, and with it its rev; ben's delete on the old version is still no clash. */
  remove = op_delete ("quote", quote, base);
  g_assert_cmpint (push_outcome (two->ben, remove), ==, KT_OUTCOME_APPLIED);
}

/* Who, when, from what to what. */
static void
test_history (Two *two, gconstpointer data)
{
  g_autofree char *id = create (two->ben, "contact", "\"last_name\":[null,\"Li\"]");
  g_autofree char *query = g_strdup_printf ("object=contact&id=%s&limit=1", id);
  g_autofree char *older = NULL;
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (KtReply) before = NULL;
  g_autoptr (KtJson) json = NULL;
  g_autoptr (KtJson) json_before = NULL;
  const KtJson *row;

  both_pull (two);
  edit (two->cho, "contact", id, rev (two->cho, "contact", id), "\"job_title\":[null,\"CEO\"]");
  reply = ask (two->fixture, KT_ENDPOINT_HISTORY, two->ben->token, query, NULL);
  json = reply_json (reply);
  row = kt_json_at (kt_json_get (json, "history"), 0);
  g_assert_cmpstr (kt_json_get_string (row, "field", NULL), ==, "job_title");
  g_assert_cmpstr (kt_json_get_string (row, "new", NULL), ==, "CEO");
  g_assert_cmpint (kt_json_type (kt_json_get (row, "old")), ==, KT_JSON_NULL);
  g_assert_cmpstr (kt_json_get_string (row, "user_name", NULL), ==, "cho");
  g_assert_cmpstr (kt_json_get_string (row, "device", NULL), ==, two->cho->id);
  g_assert_cmpstr (kt_json_get_string (row, "outcome", NULL), ==, "applied");
  g_assert_true (kt_json_get_bool (json, "more", FALSE));
  older = g_strdup_printf ("object=contact&id=%s&before=%" G_GINT64_FORMAT, id,
                           kt_json_get_int (row, "seq", 0));
  before = ask (two->fixture, KT_ENDPOINT_HISTORY, two->ben->token, older, NULL);
  json_before = reply_json (before);
  g_assert_cmpstr (
    kt_json_get_string (kt_json_at (kt_json_get (json_before, "history"), 0), "kind", NULL), ==,
    "create");
  g_assert_false (kt_json_get_bool (json_before, "more", TRUE));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*run) (Two *, gconstpointer);
  } cases[] = {
    { "P6-different-fields", test_different_fields },
    { "P6-equal-values", test_equal_values },
    { "P6-47-review", test_review },
    { "P6-settle-access", test_settle_access },
    { "P6-union", test_union },
    { "P6-text", test_text },
    { "P6-latest", test_latest },
    { "P6-server", test_server },
    { "P6-state", test_state },
    { "P7-34-delete-meets-edit", test_delete_meets_edit },
    { "P7-34-edit-meets-delete", test_edit_meets_delete },
    { "P7-36-quick-delete", test_quick_delete },
    { "P7-restore", test_restore },
    { "P7-39-orphan", test_orphan },
    { "37-same-id", test_same_id },
    { "38-duplicate", test_duplicate },
    { "46-no-clash-by-server", test_no_clash_by_server },
    { "P2-history", test_history },
  };

  fixture_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/server/merge/", cases[i].path, NULL);

      g_test_add (path, Two, NULL, two_up, cases[i].run, two_down);
    }
  return g_test_run ();
}
