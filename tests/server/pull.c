/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Pages: complete, in order, never ahead of what they hold (P4, P5, P10, P14 and the scenarios of pulling). */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

static void
make_contacts (Device *device, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *fields = g_strdup_printf ("\"last_name\":[null,\"Person %u\"]", i);
      g_autofree char *id = create (device, "contact", fields);
    }
}

static guint
status_of (Device *device, const char *query)
{
  g_autoptr (KtReply) reply = ask (device->fixture, KT_ENDPOINT_PULL, device->token, query, NULL);

  return reply->status;
}

/* Any page size gives the same. */
static void
test_page_sizes (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  static const guint limits[] = { 1, 2, 3, 7, 64, 1000, 0 };

  make_contacts (ben, 30);
  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      g_autoptr (Device) other = device_new (fixture, "cho");

      pull (other, limits[i]);
      assert_equal (other);
      g_assert_cmpint (other->seq, ==, kt_core_seq (fixture->core));
    }
}

/* 19, 26: others write between the pages of a first pull. */
static void
test_writes_between_pages (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) cho = device_new (fixture, "cho");
  gboolean more = TRUE;
  guint round = 0;

  make_contacts (ben, 40);
  pull (ben, 0);
  while (more)
    {
      gint64 before = kt_core_seq (fixture->core);

      more = pull_page (cho, 5, NULL);
      /* 20: no page says it is the last while there is more than it holds. */
      if (!more)
        g_assert_cmpint (cho->seq, ==, before);
      if (round++ < 12)
        {
          g_autofree char *fields = g_strdup_printf ("\"last_name\":[null,\"Late %u\"]", round);
          g_autofree char *id = create (ben, "contact", fields);
          g_autofree char *remove = NULL;
          g_autofree char *edit = op_update ("contact", id, 0, "\"job_title\":[null,\"New\"]");

          push_outcome (ben, edit);
          if (round % 3 == 0)
            {
              remove = op_delete ("contact", id, 0);
              push_outcome (ben, remove);
            }
        }
    }
  assert_equal (cho);
}

/* The same while a device follows. */
static void
test_writes_between_changes (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) cho = device_new (fixture, "cho");

  pull (cho, 0);
  make_contacts (ben, 30);
  for (guint round = 0; round < 20; round++)
    {
      pull_page (cho, 3, NULL);
      make_contacts (ben, 2);
    }
  pull (cho, 3);
  assert_equal (cho);
}

/* P5: a mutation's records come with one page or not at all, however small the page. */
static void
test_mutation_is_one (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) cho = device_new (fixture, "cho");
  g_autoptr (GString) ops = g_string_new (NULL);
  g_autoptr (GPtrArray) ids = g_ptr_array_new_with_free_func (g_free);
  gboolean more = TRUE;

  pull (cho, 0);
  for (guint i = 0; i < 20; i++)
    {
      char *id = new_id (fixture);
      g_autofree char *op =
        op_create (i % 2 ? "account" : "contact", id,
                   i % 2 ? "\"name\":[null,\"A\"]" : "\"last_name\":[null,\"P\"]");

      g_ptr_array_add (ids, id);
      g_string_append_printf (ops, "%s%s", i > 0 ? "," : "", op);
    }
  g_assert_cmpint (push_outcome (ben, ops->str), ==, KT_OUTCOME_APPLIED);
  while (more)
    {
      guint found = 0;

      more = pull_page (cho, 1, NULL);
      for (guint i = 0; i < 20; i++)
        found += have (cho, i % 2 ? "account" : "contact", ids->pdata[i]) != NULL;
      g_assert_true (found == 0 || found == 20);
    }
  assert_equal (cho);
}

/* 23: a delete is news like any other; what was erased for good is sent as gone. */
static void
test_deleted_and_erased (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) cho = device_new (fixture, "cho");
  g_autofree char *a = create (ben, "contact", "\"last_name\":[null,\"A\"]");
  g_autofree char *b = create (ben, "contact", "\"last_name\":[null,\"B\"]");
  g_autofree char *remove = op_delete ("contact", a, 0);
  const KtObject *object = kt_schema_object (kt_core_schema (fixture->core), "contact");
  gint64 seq;
  KtId id;

  pull (cho, 0);
  push_outcome (ben, remove);
  pull (cho, 0);
  g_assert_true (kt_record_deleted (have (cho, "contact", a)));

  /* By the rules of privacy: there is no command for it yet, the messages are ready. */
  kt_id_parse (b, -1, &id);
  g_assert_true (_kt_core_begin (fixture->core, KT_TX_WRITE, &seq, NULL));
  g_assert_true (kt_table_erase (kt_core_db (fixture->core), object, &id, NULL));
  g_assert_cmpint (kt_db_run (kt_core_db (fixture->core), NULL,
                              "INSERT INTO kt_log (seq, object, id, gone) VALUES (?1, ?2, ?3, 1)",
                              KT_BIND_INT, seq + 1, KT_BIND_INT, (gint64) object->number,
                              KT_BIND_ID, &id, KT_BIND_END),
                   ==, 1);
  g_assert_true (_kt_core_put_seq (fixture->core, seq + 1, NULL));
  g_assert_true (kt_db_commit (kt_core_db (fixture->core), NULL));
  pull (cho, 0);
  g_assert_null (have (cho, "contact", b));
  assert_equal (cho);
}

/* 32: no news costs a few hundred bytes, and no work. */
static void
test_no_news (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (KtReply) reply = NULL;
  g_autofree char *query = NULL;

  make_contacts (ben, 20);
  pull (ben, 0);
  query = g_strdup_printf ("cursor=%s", ben->cursor);
  reply = ask (fixture, KT_ENDPOINT_PULL, ben->token, query, NULL);
  g_assert_cmpuint (reply->status, ==, 200);
  g_assert_cmpuint (g_bytes_get_size (reply->body), <, 600);
  /* 25: an up-to-date device is never handed a reset. */
  g_assert_cmpuint (pull (ben, 0), ==, 0);
  g_assert_cmpuint (pull (ben, 0), ==, 0);
}

/* A refusal takes a seq and touches nothing: the cursor goes past it. */
static void
test_refusals_pass (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autofree char *id = new_id (fixture);
  g_autofree char *op = op_create ("contact", id, "\"first_name\":[null,\"Nobody\"]");

  pull (ben, 0);
  push_outcome (ben, op);
  g_assert_cmpuint (pull (ben, 0), ==, 0);
  g_assert_cmpint (ben->seq, ==, kt_core_seq (fixture->core));
}

static void
test_cursors (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) cho = device_new (fixture, "cho");
  g_autofree char *query = NULL;
  KtCursor cursor;
  g_autofree char *ahead = NULL;
  g_autofree char *ahead_query = NULL;

  pull (ben, 0);
  query = g_strdup_printf ("cursor=%s", ben->cursor);
  g_assert_cmpuint (status_of (cho, query), ==, 400);
  g_assert_cmpuint (status_of (ben, "cursor=nonsense"), ==, 400);
  g_assert_cmpuint (status_of (ben, "limit=0"), ==, 400);
  g_assert_cmpuint (status_of (ben, "limit=999999"), ==, 400);
  g_assert_cmpuint (status_of (ben, "limit=abc"), ==, 400);
  /* 27, 58: a cursor from the future is one from another life. */
  g_assert_true (kt_cursor_decode (ben->cursor, &cursor, NULL));
  cursor.seq += 100;
  ahead = kt_cursor_encode (&cursor);
  ahead_query = g_strdup_printf ("cursor=%s", ahead);
  g_assert_cmpuint (status_of (ben, ahead_query), ==, 410);
}

/* Large records: a page stays near its size, and one giant commit still arrives. */
static void
test_large (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) cho = device_new (fixture, "cho");
  g_autoptr (Device) late = device_new (fixture, "cho");
  g_autofree char *text = g_strnfill (190 * 1000, 'x');
  gboolean more = TRUE;

  pull (cho, 0);
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *fields = g_strdup_printf ("\"body\":[null,\"%s\"]", text);
      g_autofree char *id = create (ben, "note", fields);
    }
  while (more)
    {
      g_autofree char *query = g_strdup_printf ("cursor=%s", cho->cursor);
      g_autoptr (KtReply) reply = ask (fixture, KT_ENDPOINT_PULL, cho->token, query, NULL);

      g_assert_cmpuint (g_bytes_get_size (reply->body), <, KT_WIRE_MAX_PAGE + 1024 * 1024);
      more = pull_page (cho, 0, NULL);
    }
  assert_equal (cho);
  pull (late, 0);
  assert_equal (late);
}

/* The device's own last number that a page covers. */
static void
test_settled (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (KtPage) page = NULL;

  make_contacts (ben, 3);
  reply = ask (fixture, KT_ENDPOINT_PULL, ben->token, NULL, NULL);
  page = kt_page_open (kt_core_schema (fixture->core), g_steal_pointer (&reply->body), NULL);
  while (kt_page_next (page, NULL) != KT_PAGE_END)
    ;
  g_assert_cmpint (page->settled, ==, 3);
}

/* P13: a field more. Devices hear of it by the digest in the page; values of it travel. */
static void
test_schema_moves (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (GString) text = g_string_new (kt_schema_to_json (kt_core_schema (fixture->core)));
  g_autofree char *before = g_strdup (kt_schema_digest (kt_core_schema (fixture->core)));
  g_autoptr (KtSchema) schema = NULL;
  g_autoptr (KtCore) other = NULL;
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_SCHEMA);
  g_autoptr (KtReply) same = NULL;
  g_autoptr (KtReply) newer = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *id = create (ben, "contact", "\"last_name\":[null,\"Li\"]");
  g_autofree char *op = NULL;

  request->token = g_strdup (ben->token);
  request->etag = g_strdup (before);
  request->range_start = -1;
  same = kt_core_handle (fixture->core, request);
  g_assert_cmpuint (same->status, ==, 304);

  /* Another process adds a counter to contacts. */
  g_assert_cmpuint (
    g_string_replace (
      text, "{\"indexed\":true,\"label\":{\"en\":\"First name\"",
      "{\"label\":\"Meetings\",\"name\":\"meetings\",\"policy\":\"sum\",\"type\":\"integer\"},{\"indexed\":true,\"label\":{\"en\":\"First name\"",
      1),
    ==, 1);
  schema = kt_schema_from_json (text->str, -1, &error);
  g_assert_no_error (error);
  other = kt_core_open (fixture->dir, &fixture->env, &error);
  g_assert_no_error (error);
  g_assert_true (kt_core_set_schema (other, schema, &error));
  g_assert_no_error (error);

  newer = kt_core_handle (fixture->core, request);
  g_assert_cmpuint (newer->status, ==, 200);
  g_assert_cmpstr (newer->etag, !=, before);
  op = op_update ("contact", id, 0, "\"meetings\":[null,2]");
  g_assert_cmpint (push_outcome (ben, op), ==, KT_OUTCOME_APPLIED);
  pull (ben, 0);
  assert_value (ben, "contact", id, "meetings", "2");
  {
    /* sum: two people who count add up. */
    g_autoptr (Device) cho = device_new (fixture, "cho");
    gint64 base = rev (ben, "contact", id);
    g_autofree char *one = op_update ("contact", id, base, "\"meetings\":[2,3]");
    g_autofree char *three = op_update ("contact", id, base, "\"meetings\":[2,5]");

    push_outcome (ben, one);
    g_assert_cmpint (push_outcome (cho, three), ==, KT_OUTCOME_MERGED);
  }
  pull (ben, 0);
  assert_value (ben, "contact", id, "meetings", "6");
  assert_sound (fixture);
}

/* 30: values go through the database unchanged. */
static void
test_values (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ben = device_new (fixture, "ben");
  g_autoptr (Device) cho = device_new (fixture, "cho");
  g_autofree char *account = create (
    ben, "account",
    "\"name\":[null,\"  Ünïcode 🙂 客户 \\\"q\\\" \\\\ ' % _  \"],"
    "\"annual_revenue\":[null,{\"amount\":\"12345678901234.5678\",\"currency\":\"EUR\"}],"
    "\"employee_count\":[null,-9007199254740993],\"is_person\":[null,false],"
    "\"billing_address\":[null,{\"street\":\"1 Main St\\nFloor 2\",\"city\":\"München\",\"country\":\"DE\"}],"
    "\"geo\":[null,{\"b\":1.50,\"a\":[true,null,\"x\"]}],\"last_verified_at\":[null,\"0001-01-01\"],"
    "\"description\":[null,\"line\\r\\nline\\tend \"],\"tags\":[null,[\"z\",\"a\",\"客户\"]]");
  g_autofree char *name = NULL;

  pull (cho, 0);
  assert_value (cho, "account", account, "annual_revenue",
                "{\"amount\":\"12345678901234.5678\",\"currency\":\"EUR\"}");
  assert_value (cho, "account", account, "employee_count", "-9007199254740993");
  assert_value (cho, "account", account, "is_person", "false");
  assert_value (cho, "account", account, "geo", "{\"a\":[true,null,\"x\"],\"b\":1.50}");
  assert_value (cho, "account", account, "last_verified_at", "\"0001-01-01\"");
  assert_value (cho, "account", account, "tags", "[\"a\",\"z\",\"客户\"]");
  name = value (cho, "account", account, "name");
  g_assert_true (strstr (name, "🙂") != NULL);
  assert_equal (cho);
  assert_sound (fixture);
}

/* 32. Nothing new costs a status line, for who knows the schema; whatever is new, even a refusal, is a page. */
static void
test_no_page (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autofree char *schema = g_strndup (kt_schema_digest (kt_core_schema (fixture->core)), KT_WIRE_SCHEMA_DIGITS);
  g_autofree char *short_query = NULL;
  g_autofree char *plain = NULL;
  g_autofree char *other = NULL;
  g_autofree char *op = NULL;

  pull (ada, 0);
  short_query = g_strdup_printf ("cursor=%s&schema=%s", ada->cursor, schema);
  plain = g_strdup_printf ("cursor=%s", ada->cursor);
  other = g_strdup_printf ("cursor=%s&schema=00000000", ada->cursor);
  for (guint i = 0; i < 3; i++)
    {
      const char *query = i == 0 ? short_query : i == 1 ? plain : other;
      g_autoptr (KtReply) reply = ask (fixture, KT_ENDPOINT_PULL, ada->token, query, NULL);

      g_assert_cmpuint (reply->status, ==, i == 0 ? 204 : 200);
      g_assert_true ((reply->body == NULL) == (i == 0));
    }
  op = op_create ("contact", "01900000-0000-7000-8000-0000000000aa",
                  "\"account\":[null,\"01900000-0000-7000-8000-0000000000ff\"]");
  g_assert_cmpint (push_outcome (ada, op), ==, KT_OUTCOME_REFUSED);
  {
    g_autoptr (KtReply) reply = ask (fixture, KT_ENDPOINT_PULL, ada->token, short_query, NULL);

    g_assert_cmpuint (reply->status, ==, 200);
  }
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/server/pull/32-no-news", test_no_page);
  g_test_add_func ("/server/pull/P14-page-sizes", test_page_sizes);
  g_test_add_func ("/server/pull/19-20-26-writes-between-pages", test_writes_between_pages);
  g_test_add_func ("/server/pull/19-20-writes-between-changes", test_writes_between_changes);
  g_test_add_func ("/server/pull/P5-mutation-is-one", test_mutation_is_one);
  g_test_add_func ("/server/pull/23-deleted-and-erased", test_deleted_and_erased);
  g_test_add_func ("/server/pull/25-32-no-news", test_no_news);
  g_test_add_func ("/server/pull/refusals-pass", test_refusals_pass);
  g_test_add_func ("/server/pull/P10-27-cursors", test_cursors);
  g_test_add_func ("/server/pull/P14-large", test_large);
  g_test_add_func ("/server/pull/settled", test_settled);
  g_test_add_func ("/server/pull/P13-schema-moves", test_schema_moves);
  g_test_add_func ("/server/pull/30-values", test_values);
  return g_test_run ();
}
