/* SPDX-License-Identifier: GPL-3.0-or-later */

/* P4 on the server's side: sums that are kept, sums that are made anew, the tree, single rows. */

#include "config.h"

#include "tests/server/fixture.h"

#include <string.h>

static KtJson *
digest (Device *device, const char *query)
{
  g_autoptr (KtReply) reply = ask (device->fixture, KT_ENDPOINT_DIGEST, device->token, query, NULL);

  g_assert_cmpuint (reply->status, ==, 200);
  return reply_json (reply);
}

static void
assert_refused (Device *device, KtEndpoint endpoint, const char *query, const char *body, guint status)
{
  g_autoptr (KtReply) reply = ask (device->fixture, endpoint, device->token, query, body);

  g_assert_cmpuint (reply->status, ==, status);
}

/* What is kept is what a fresh sum gives. */
static void
assert_kept (Device *device)
{
  g_autoptr (KtJson) kept = digest (device, NULL);
  g_autoptr (KtJson) fresh = digest (device, "fresh=1");
  g_autofree char *a = kt_json_to_string (kept, TRUE);
  g_autofree char *b = kt_json_to_string (fresh, TRUE);

  g_assert_cmpstr (a, ==, b);
}

static void
sql (Fixture *fixture, const char *text)
{
  g_autoptr (GError) error = NULL;

  kt_db_exec (fixture->core->db, text, &error);
  g_assert_no_error (error);
}

/* Many at once, as an import does. */
static GPtrArray *
create_many (Device *device, guint n)
{
  GPtrArray *ids = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < n;)
    {
      g_autoptr (GString) ops = g_string_new (NULL);

      for (guint k = 0; k < 500 && i < n; k++, i++)
        {
          char *id = new_id (device->fixture);
          g_autofree char *fields = g_strdup_printf ("\"last_name\":[null,\"Name %u\"]", i);
          g_autofree char *op = op_create ("contact", id, fields);

          g_string_append_printf (ops, "%s%s", k > 0 ? "," : "", op);
          g_ptr_array_add (ids, id);
        }
      g_assert_cmpint (push_outcome (device, ops->str), ==, KT_OUTCOME_APPLIED);
    }
  return ids;
}

static void
test_kept (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autofree char *id = NULL;
  g_autofree char *other = NULL;
  g_autofree char *refused = NULL;

  assert_kept (ada);
  id = create (ada, "contact", "\"last_name\":[null,\"Li\"],\"tags\":[null,[\"b\",\"a\"]]");
  other = create (ada, "account", "\"name\":[null,\"Acme\"]");
  assert_kept (ada);
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *fields = g_strdup_printf ("\"first_name\":[null,\"N%u\"]", i);
      g_autofree char *update = op_update ("contact", id, 0, fields);
      g_autofree char *gone = i == 1 ? op_delete ("account", other, 0) : op_restore ("account", other, 0);
      g_autofree char *both = g_strdup_printf ("%s,%s", update, gone);

      push_outcome (ada, both);
      assert_kept (ada);
    }
  /* Nothing of a refused one is added. */
  refused = op_create ("contact", other, "\"account\":[null,\"01900000-0000-7000-8000-0000000000ff\"]");
  g_assert_cmpint (push_outcome (ada, refused), ==, KT_OUTCOME_REFUSED);
  assert_kept (ada);
  pull (ada, 0);
  assert_equal (ada);
  assert_sound (fixture);
}

/* A record is found by three answers, whatever the others are. */
static void
test_tree (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autoptr (GPtrArray) ids = create_many (ada, KT_DIGEST_LEAVES + 500);
  g_autoptr (KtJson) before = digest (ada, "object=contact&under=");
  g_autoptr (KtJson) after = NULL;
  g_autoptr (KtJson) leaves = NULL;
  g_autofree char *query = NULL;
  g_autofree char *damage = NULL;
  const char *id = g_ptr_array_index (ids, 1234);
  const char *child = id + 34;
  const KtJson *children;
  KtDigest sum = { 0, 0, 0 }, whole, one;
  gboolean found = FALSE;

  g_assert_null (kt_json_get (before, "leaves"));
  children = kt_json_get (before, "children");
  for (guint i = 0; i < kt_json_length (children); i++)
    {
      g_assert_true (kt_digest_parse (kt_json_string (kt_json_at (children, i), NULL), &one));
      kt_digest_join (&sum, &one);
    }
  g_assert_true (kt_digest_parse (kt_json_get_string (before, "digest", NULL), &whole));
  g_assert_true (kt_digest_equal (&sum, &whole));

  damage = g_strdup_printf ("UPDATE o_contact SET f_last_name = 'damaged' WHERE id = %s%.8s%.4s%.4s%.4s%s'",
                            fixture_on_postgresql () ? "'\\x" : "x'", id, id + 9, id + 14, id + 19, id + 24);
  sql (fixture, damage);
  after = digest (ada, "object=contact&under=");
  for (guint i = 0; i < kt_json_length (children); i++)
    {
      const char *name = kt_json_key_at (children, i);
      gboolean same =
        g_strcmp0 (kt_json_string (kt_json_at (children, i), NULL),
                   kt_json_get_string (kt_json_get (after, "children"), name, NULL)) == 0;

      g_assert_true (same == (strcmp (name, child) != 0));
    }
  query = g_strdup_printf ("object=contact&under=%s", child);
  leaves = digest (ada, query);
  g_assert_null (kt_json_get (leaves, "children"));
  for (guint i = 0; i < kt_json_length (kt_json_get (leaves, "leaves")); i++)
    {
      const KtJson *leaf = kt_json_at (kt_json_get (leaves, "leaves"), i);
      const char *text = kt_json_string (kt_json_at (leaf, 0), NULL);

      g_assert_cmpstr (text + 34, ==, child);
      found |= strcmp (text, id) == 0;
    }
  g_assert_true (found);
}

/* Sums that went wrong are put right by whoever asks for fresh ones. */
static void
test_mended (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autofree char *id = create (ada, "contact", "\"last_name\":[null,\"Li\"]");
  g_autoptr (GPtrArray) problems = NULL;
  g_autoptr (KtJson) wrong = NULL;
  g_autoptr (KtJson) right = NULL;
  g_autoptr (GError) error = NULL;

  sql (fixture, "UPDATE kt_digest SET records = records + 1");
  problems = kt_core_check (fixture->core, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (problems->len, >, 0);
  wrong = digest (ada, NULL);
  right = digest (ada, "fresh=1");
  g_assert_cmpint (kt_json_get_int (wrong, "records", 0), >, kt_json_get_int (right, "records", 0));
  assert_kept (ada);
  assert_sound (fixture);
}

/* Records whose fields became others are summed up anew, in the transaction of the schema. */
static void
test_schema (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autofree char *id = create (ada, "contact", "\"last_name\":[null,\"Li\"],\"department\":[null,\"Sales\"]");
  g_autoptr (GString) text = g_string_new (kt_schema_to_json (kt_core_schema (fixture->core)));
  g_autoptr (KtJson) before = digest (ada, NULL);
  g_autoptr (KtJson) after = NULL;
  g_autoptr (KtSchema) schema = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (g_string_replace (text, "\"name\":\"department\"", "\"name\":\"division\"", 0), >, 0);
  g_string_replace (text, "\"department\"", "\"division\"", 0);
  schema = kt_schema_from_json (text->str, -1, &error);
  g_assert_no_error (error);
  kt_core_set_schema (fixture->core, schema, &error);
  g_assert_no_error (error);
  after = digest (ada, NULL);
  g_assert_cmpstr (kt_json_get_string (before, "digest", NULL), !=,
                   kt_json_get_string (after, "digest", NULL));
  assert_kept (ada);
}

static void
test_rows (void)
{
  static const char absent[] = "01900000-0000-7000-8000-0000000000ff";
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autofree char *id = create (ada, "contact", "\"last_name\":[null,\"Li\"]");
  g_autofree char *body = g_strdup_printf ("{\"object\":\"contact\",\"ids\":[\"%s\",\"%s\"]}", id, absent);
  g_autoptr (KtReply) reply = ask (fixture, KT_ENDPOINT_ROWS, ada->token, NULL, body);
  g_autoptr (KtPage) page = NULL;
  g_autoptr (GError) error = NULL;
  guint rows = 0, gone = 0;
  char text[KT_ID_TEXT_SIZE];

  g_assert_cmpuint (reply->status, ==, 200);
  page = kt_page_open (kt_core_schema (fixture->core), g_bytes_ref (reply->body), &error);
  g_assert_no_error (error);
  g_assert_true (page->repair);
  for (;;)
    {
      KtPageEvent event = kt_page_next (page, &error);

      g_assert_no_error (error);
      if (event == KT_PAGE_END)
        break;
      kt_id_format (&page->id, text);
      g_assert_cmpstr (text, ==, event == KT_PAGE_ROW ? id : absent);
      rows += event == KT_PAGE_ROW;
      gone += event == KT_PAGE_GONE;
    }
  g_assert_cmpuint (rows, ==, 1);
  g_assert_cmpuint (gone, ==, 1);
  g_assert_false (page->more);
  g_assert_cmpint (page->seq, ==, kt_core_seq (fixture->core));
}

static void
test_nonsense (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) ada = device_new (fixture, "ada");
  g_autoptr (GString) many = g_string_new ("{\"object\":\"contact\",\"ids\":[");
  static const char *const queries[] = { "object=contact&under=a", "object=contact&under=AB",
                                         "object=contact&under=aabbccddeeff", "under=ab", "fresh=2" };
  static const char *const bodies[] = {
    "", "[]", "{}", "{\"object\":\"contact\"}", "{\"object\":\"contact\",\"ids\":[]}",
    "{\"object\":\"contact\",\"ids\":[7]}", "{\"object\":\"contact\",\"ids\":[\"x\"]}",
    "{\"object\":7,\"ids\":[\"01900000-0000-7000-8000-0000000000ff\"]}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (queries); i++)
    assert_refused (ada, KT_ENDPOINT_DIGEST, queries[i], NULL, 400);
  assert_refused (ada, KT_ENDPOINT_DIGEST, "object=nothing", NULL, 404);
  for (guint i = 0; i < G_N_ELEMENTS (bodies); i++)
    assert_refused (ada, KT_ENDPOINT_ROWS, NULL, bodies[i], 400);
  assert_refused (ada, KT_ENDPOINT_ROWS, NULL,
                  "{\"object\":\"nothing\",\"ids\":[\"01900000-0000-7000-8000-0000000000ff\"]}", 404);
  for (guint i = 0; i < 1001; i++)
    g_string_append_printf (many, "%s\"01900000-0000-7000-8000-0000000000ff\"", i > 0 ? "," : "");
  g_string_append (many, "]}");
  assert_refused (ada, KT_ENDPOINT_ROWS, NULL, many->str, 400);
}

int
main (int argc, char *argv[])
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/server-digest/P4/kept", test_kept);
  g_test_add_func ("/server-digest/P4/tree", test_tree);
  g_test_add_func ("/server-digest/P4/mended", test_mended);
  g_test_add_func ("/server-digest/P4/schema", test_schema);
  g_test_add_func ("/server-digest/P4/rows", test_rows);
  g_test_add_func ("/server-digest/nonsense", test_nonsense);
  return g_test_run ();
}
