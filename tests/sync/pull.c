/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include <glib/gstdio.h>

#include "../support/kt-rig.h"

/* What others wrote arrives whole, in order, and once (P4, P5); and what happens when the server moves:
 * another schema, another life. */

static gint64
count_of (Device *device, const char *object)
{
  g_autoptr (KtQuery) query =
    kt_query_new (kt_schema_object (kt_local_schema (device->local), object));

  return kt_local_count (device->local, query, NULL);
}

static void
make_competitors (Device *device, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("name=Other %u", i);

      device_create (device, "competitor", name, NULL);
    }
}

/* 26. A first download that is cut goes on where it stopped, is not mixed with the next, and shows
 * nothing before it is whole. Others write meanwhile (19). */
static void
test_first_pull_interrupted (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_bare (rig, "B");
  g_autoptr (GError) error = NULL;
  guint pages = 0;
  KtId late;

  make_competitors (a, 60);
  device_sync (a);
  device_login (b, "ben", &error);
  g_assert_no_error (error);
  rig->page_rows = 10;
  for (guint i = 0; !kt_local_ready (b->local); i++)
    {
      /* One page gets through, the next is lost, and the process dies. */
      kt_test_transport_heal (b->transport);
      kt_test_transport_fail (b->transport, KT_ENDPOINT_PULL, KT_FAULT_REPLY_LOST, 1, 1);
      if (kt_sync_run (b->local, b->transport, 0, NULL, NULL, NULL, NULL, NULL))
        break;
      g_assert_false (kt_local_ready (b->local));
      if (i == 1)
        {
          late = device_create (a, "account", "name=Late", NULL);
          device_sync (a);
        }
      device_crash (b);
      pages++;
      g_assert_cmpuint (i, <, 50);
    }
  g_assert_cmpuint (pages, >, 5);
  g_assert_cmpint (count_of (b, "competitor"), ==, 60);
  assert_value (b, "account", &late, "name", "\"Late\"");
  kt_test_transport_heal (b->transport);
  rig->page_rows = 0;
  assert_all_equal (rig);
}

/* P5, 20, 21. A later pull of several pages: nothing of it is seen before all of it is here, and a crash
 * in its middle neither loses nor shows a part. */
static void
test_later_pull_is_whole (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  gint64 seq = kt_local_seq (b->local);

  make_competitors (a, 35);
  device_sync (a);
  rig->page_rows = 10;
  kt_test_transport_fail (b->transport, KT_ENDPOINT_PULL, KT_FAULT_REPLY_LOST, 2, 1);
  before = kt_local_cursor (b->local, NULL);
  device_sync_fails (b, KT_ERROR_NETWORK);
  g_assert_cmpint (count_of (b, "competitor"), ==, 0);
  g_assert_cmpint (kt_local_seq (b->local), ==, seq);
  device_crash (b);
  g_assert_cmpint (count_of (b, "competitor"), ==, 0);
  after = kt_local_cursor (b->local, NULL);
  g_assert_cmpstr (before, !=, after);

  /* What was staged is not fetched again. */
  g_free (kt_test_transport_trace (b->transport));
  device_sync (b);
  g_assert_cmpint (count_of (b, "competitor"), ==, 35);
  {
    g_autofree char *trace = kt_test_transport_trace (b->transport);

    g_assert_cmpstr (trace, ==, "pull pull");
  }
  rig->page_rows = 0;
  assert_all_equal (rig);
}

/* An edit made here while a pull is staged stays on top of what the pull brings. */
static void
test_edit_during_staged_pull (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId id = device_create (a, "account", "name=Acme", "phone=0", NULL);

  device_sync (a);
  device_sync (b);
  device_set (a, "account", &id, "website=acme.example");
  make_competitors (a, 25);
  device_sync (a);
  rig->page_rows = 10;
  kt_test_transport_fail (b->transport, KT_ENDPOINT_PULL, KT_FAULT_REPLY_LOST, 1, 1);
  device_sync_fails (b, KT_ERROR_NETWORK);
  device_set (b, "account", &id, "phone=1");
  device_sync (b);
  assert_value (b, "account", &id, "phone", "\"1\"");
  assert_value (b, "account", &id, "website", "\"acme.example\"");
  rig->page_rows = 0;
  device_sync (a);
  assert_all_equal (rig);
}

/* P5. A mutation of several records arrives as one, however small the pages. */
static void
test_atomic_to_the_eye (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  const KtObject *object = kt_schema_object (kt_local_schema (a->local), "competitor");
  g_autoptr (KtMutation) mutation = kt_mutation_new ("2026-01-01T00:00:00.000Z", "client");
  g_autoptr (KtEngine) engine = kt_engine_new ();
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 30; i++)
    {
      KtId id = kt_id_new (&a->clock.env);
      g_autoptr (KtRecord) record = kt_record_new (object, &id);

      kt_value_set_text (&record->values[object->title->index], "Other");
      kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &id, 0, kt_patch_diff (NULL, record));
    }
  kt_local_commit (a->local, mutation, NULL, &changes, &error);
  g_assert_no_error (error);
  device_sync (a);
  rig->page_rows = 7;
  kt_engine_poke (engine);
  while (device_step (b, engine))
    {
      gint64 n = count_of (b, "competitor");

      g_assert_true (n == 0 || n == 30);
    }
  g_assert_cmpint (count_of (b, "competitor"), ==, 30);
}

/* 25, 29. A page that is older than what is seen changes nothing. */
static KtReply *old_page;

static KtReply *
answer_old_page (const KtRequest *request, gpointer data)
{
  KtReply *reply = kt_reply_new (200);

  reply->content_type = g_strdup (old_page->content_type);
  reply->body =
    g_bytes_new (g_bytes_get_data (old_page->body, NULL), g_bytes_get_size (old_page->body));
  return reply;
}

static void
test_never_backwards (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId id = device_create (a, "account", "name=Acme", "phone=0", NULL);
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_PULL);
  g_autoptr (KtTransport) stale = NULL;
  g_autofree char *cursor = NULL;
  gint64 seq;

  device_sync (a);
  cursor = kt_local_cursor (b->local, NULL);
  request->token = kt_session_token (b->local, NULL);
  kt_request_set_query (request, "cursor", cursor);
  old_page = kt_core_handle (rig->core, request);
  device_set (a, "account", &id, "phone=1");
  device_sync (a);
  device_sync (b);
  seq = kt_local_seq (b->local);

  stale = kt_test_transport_new (answer_old_page, NULL);
  g_assert_false (kt_sync_run (b->local, stale, 0, NULL, NULL, NULL, NULL, NULL));
  g_assert_cmpint (kt_local_seq (b->local), ==, seq);
  assert_value (b, "account", &id, "phone", "\"1\"");
  g_clear_pointer (&old_page, kt_reply_free);
  assert_all_equal (rig);
}

/* ---- the schema moves ---- */

static void
add_field (Rig *rig)
{
  static const char field[] =
    "\"fields\":[{\"label\":\"Remark\",\"name\":\"remark\",\"type\":\"text\"},";
  g_autoptr (GString) text = g_string_new (kt_schema_to_json (kt_core_schema (rig->core)));
  char *system = strstr (text->str, "\"system\":{");
  g_autoptr (GError) error = NULL;
  g_autoptr (KtSchema) schema = NULL;
  char *fields;

  g_assert_nonnull (system);
  fields = strstr (system, "\"fields\":[");
  g_assert_nonnull (fields);
  {
    gsize at = (gsize) (fields - text->str);

    g_string_erase (text, (gssize) at, (gssize) strlen ("\"fields\":["));
    g_string_insert (text, (gssize) at, field);
  }
  schema = kt_schema_from_json (text->str, (gssize) text->len, &error);
  g_assert_no_error (error);
  kt_core_set_schema (rig->core, schema, &error);
  g_assert_no_error (error);
}

/* P13. A field is added while a device is away with edits: they are carried forward, and its value comes. */
static void
test_schema_moves (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId id = device_create (a, "account", "name=Acme", NULL);
  g_autofree char *trace = NULL;

  device_sync (a);
  device_sync (b);
  device_set (b, "account", &id, "phone=1");
  add_field (rig);
  /* Nothing was committed, so nobody needs to know yet; the first record that comes tells. */
  device_set (a, "account", &id, "website=acme.example");
  device_sync (a);
  device_set (a, "account", &id, "remark=New words");
  device_sync (a);

  g_free (kt_test_transport_trace (b->transport));
  device_sync (b);
  trace = kt_test_transport_trace (b->transport);
  g_assert_nonnull (strstr (trace, "schema"));
  assert_value (b, "account", &id, "remark", "\"New words\"");
  assert_value (b, "account", &id, "phone", "\"1\"");
  assert_counts (b, 0, 0, 0, 0);
  device_sync (a);
  assert_all_equal (rig);
}

/* The schema that the pages speak of cannot be had: nothing is applied, nothing loops, and later all is well. */
static void
test_schema_not_to_be_had (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId id;
  guint pulls;

  add_field (rig);
  id = device_create (a, "account", "name=Acme", NULL);
  device_sync (a);
  kt_test_transport_fail (b->transport, KT_ENDPOINT_SCHEMA, KT_FAULT_500, 0, 100);
  pulls = kt_test_transport_count (b->transport, KT_ENDPOINT_PULL);
  device_sync_fails (b, KT_ERROR_SERVER);
  g_assert_false (device_has (b, "account", &id));
  g_assert_cmpuint (kt_test_transport_count (b->transport, KT_ENDPOINT_PULL) - pulls, <, 6);
  kt_test_transport_heal (b->transport);
  device_sync (b);
  assert_value (b, "account", &id, "name", "\"Acme\"");
  assert_all_equal (rig);
}

/* P4. A difference that should not be is found and repaired, and said. */
static void
test_verify_repairs (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", NULL);
  g_autofree char *report = NULL;
  g_autoptr (GError) error = NULL;
  gboolean equal = TRUE;

  device_sync (a);
  /* As a damaged disk would: behind everybody's back, on the server. */
  kt_db_exec (kt_core_db (rig->core), "UPDATE o_account SET f_phone = '112'", &error);
  g_assert_no_error (error);
  rig->unsound = TRUE;
  report = kt_sync_verify (a->local, a->transport, NULL, &equal, &error);
  g_assert_no_error (error);
  g_assert_false (equal);
  g_assert_nonnull (strstr (report, "\"repaired\":[\"account\"]"));
  assert_value (a, "account", &id, "phone", "\"112\"");
  assert_equal (a);

  device_set (a, "account", &id, "phone=1");
  rig_stop_server (rig);
  g_assert_null (kt_sync_verify (a->local, a->transport, NULL, &equal, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NETWORK);
  assert_counts (a, 0, 1, 0, 0);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/P5/19-26-first-pull-interrupted", test_first_pull_interrupted);
  g_test_add_func ("/P5/20-21-later-pull-is-whole", test_later_pull_is_whole);
  g_test_add_func ("/P5/edit-during-staged-pull", test_edit_during_staged_pull);
  g_test_add_func ("/P5/atomic-to-the-eye", test_atomic_to_the_eye);
  g_test_add_func ("/P5/25-29-never-backwards", test_never_backwards);
  g_test_add_func ("/P13/schema-moves", test_schema_moves);
  g_test_add_func ("/P13/schema-not-to-be-had", test_schema_not_to_be_had);
  g_test_add_func ("/P4/verify-repairs", test_verify_repairs);
  return g_test_run ();
}
