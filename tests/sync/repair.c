/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "../support/kt-rig.h"
#include "store/kt-local-private.h"

/* P4: differences are found by the digests of branches, and only what differs is fetched. Edits are never lost by it. */

#define MANY 2600

static void
damage (Device *device, const char *sql)
{
  g_autoptr (GError) error = NULL;

  kt_db_exec (device->local->db, sql, &error);
  g_assert_no_error (error);
}

static gint64
count (Device *device, const char *sql)
{
  gint64 n;

  g_assert_true (kt_db_get_int (device->local->db, -1, &n, NULL, sql, KT_BIND_END));
  return n;
}

/* One mutation, as an import makes it. */
static void
create_many (Device *device, const char *object, guint n)
{
  const KtObject *type = kt_schema_object (kt_local_schema (device->local), object);
  const KtEnv *env = kt_local_env (device->local);

  for (guint i = 0; i < n;)
    {
      g_autoptr (KtMutation) mutation = kt_mutation_new ("2026-03-01T08:00:00.000Z", "client");
      g_autoptr (GError) error = NULL;

      for (guint k = 0; k < 500 && i < n; k++, i++)
        {
          KtId id = kt_id_new (env);
          g_autoptr (KtRecord) blank = kt_record_new (type, &id);
          g_autoptr (KtRecord) record = kt_record_new (type, &id);
          g_autofree char *name = g_strdup_printf ("Name %u", i);

          kt_value_set_text (&record->values[kt_object_field (type, "name")->index], name);
          kt_mutation_add (mutation, KT_MUTATE_CREATE, type, &id, 0, kt_patch_diff (blank, record));
        }
      kt_local_commit (device->local, mutation, NULL, NULL, &error);
      g_assert_no_error (error);
    }
}

static KtJson *
verify (Device *device, gboolean equal)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *report = NULL;
  gboolean was = !equal;
  KtJson *json;

  report = kt_sync_verify (device->local, device->transport, NULL, &was, &error);
  g_assert_no_error (error);
  g_test_message ("%s", report);
  g_assert_true (was == equal);
  json = kt_json_parse (report, -1, &error);
  g_assert_no_error (error);
  return json;
}

/* A million records with one damaged cost three answers and a row; so do a few thousand. */
static void
test_only_what_differs (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autoptr (KtJson) report = NULL;
  guint pulled, digests;

  create_many (a, "competitor", MANY);
  device_sync (a);
  assert_equal (a);
  damage (a, "UPDATE o_competitor SET f_name='damaged' WHERE rid=(SELECT min(rid)+1000 FROM o_competitor)");
  pulled = kt_test_transport_count (a->transport, KT_ENDPOINT_PULL);
  digests = kt_test_transport_count (a->transport, KT_ENDPOINT_DIGEST);
  report = verify (a, FALSE);
  g_assert_cmpint (kt_json_get_int (report, "rows", -1), ==, 1);
  g_assert_cmpint (count (a, "SELECT count(*) FROM o_competitor WHERE f_name='damaged'"), ==, 0);
  /* Before and after, the object, one branch of it. */
  g_assert_cmpuint (kt_test_transport_count (a->transport, KT_ENDPOINT_DIGEST) - digests, ==, 4);
  g_assert_cmpuint (kt_test_transport_count (a->transport, KT_ENDPOINT_ROWS), ==, 1);
  g_assert_cmpuint (kt_test_transport_count (a->transport, KT_ENDPOINT_PULL) - pulled, ==, 1);
  /* What it said before can be looked up. */
  g_assert_cmpint (count (a, "SELECT count(*) FROM kt_kept WHERE json LIKE '%damaged%'"), ==, 1);
  assert_equal (a);
}

static void
test_lost_and_alien (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId lost = device_create (a, "account", "name=Lost", NULL);
  KtId other = device_create (a, "account", "name=Other", NULL);
  g_autoptr (KtJson) report = NULL;

  device_sync (a);
  damage (a, "DELETE FROM o_account WHERE f_name='Lost'");
  damage (a, "UPDATE o_account SET id=x'01900000000070008000000000000bad' WHERE f_name='Other'");
  g_assert_false (device_has (a, "account", &lost));
  report = verify (a, FALSE);
  g_assert_cmpint (kt_json_get_int (report, "rows", -1), ==, 3);
  assert_value (a, "account", &lost, "name", "\"Lost\"");
  assert_value (a, "account", &other, "name", "\"Other\"");
  g_assert_cmpint (count (a, "SELECT count(*) FROM o_account"), ==, 2);
  g_assert_cmpint (count (a, "SELECT count(*) FROM kt_kept WHERE json LIKE '%0bad%'"), ==, 1);
  assert_equal (a);
}

/* Nothing has to be settled first: what waits lies over what is compared, and over what is repaired. */
static void
test_edits_lie_over (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", "phone=1", NULL);
  g_autoptr (KtJson) first = NULL;
  g_autoptr (KtJson) second = NULL;

  device_sync (a);
  /* Refused: the account does not exist any more for the server, whatever this device believes. */
  device_set (a, "account", &id, "phone=2");
  damage (a, "UPDATE kt_outbox SET state=3, reason='by hand', code='forbidden'");
  assert_counts (a, 0, 0, 1, 0);
  first = verify (a, TRUE);
  g_assert_cmpint (kt_json_get_int (first, "waiting", -1), ==, 1);
  damage (a, "UPDATE kt_shadow SET record=replace(record, 'Acme', 'Damaged')");
  second = verify (a, FALSE);
  g_assert_cmpint (kt_json_get_int (second, "rows", -1), ==, 1);
  assert_value (a, "account", &id, "phone", "\"2\"");
  assert_value (a, "account", &id, "name", "\"Acme\"");
  assert_counts (a, 0, 0, 1, 0);
  assert_sums (a);
}

/* A server that says its digest is another one: rows are looked at, nothing is destroyed, and it is said. */
static void
lie (KtReply *reply, gpointer data)
{
  g_autofree char *text =
    g_strndup (g_bytes_get_data (reply->body, NULL), g_bytes_get_size (reply->body));
  char *leaves = strstr (text, "\"leaves\"");
  GString *out = g_string_new (leaves != NULL ? leaves : text);

  if (leaves != NULL)
    {
      g_string_replace (out, "\",\"", "\",\"0", 0);
      *leaves = '\0';
      g_string_prepend (out, text);
    }
  else
    g_string_replace (out, "\"digest\":\"", "\"digest\":\"7", 0);
  g_clear_pointer (&reply->body, g_bytes_unref);
  reply->body = g_string_free_to_bytes (out);
}

static void
test_digest_that_lies (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", NULL);
  g_autofree char *report = NULL;
  g_autoptr (GError) error = NULL;
  gboolean equal;

  device_sync (a);
  device_set (a, "account", &id, "phone=2");
  kt_test_transport_alter (a->transport, KT_ENDPOINT_DIGEST, lie, NULL);
  report = kt_sync_verify (a->local, a->transport, NULL, &equal, &error);
  g_assert_null (report);
  g_assert_error (error, KT_ERROR, KT_ERROR_UNSETTLED);
  assert_value (a, "account", &id, "name", "\"Acme\"");
  assert_value (a, "account", &id, "phone", "\"2\"");
  g_assert_cmpint (count (a, "SELECT count(*) FROM kt_kept"), ==, 0);
  kt_test_transport_alter (a->transport, KT_ENDPOINT_DIGEST, NULL, NULL);
  assert_equal (a);
}

static void
write_elsewhere (const KtRequest *request, gpointer data)
{
  Device *device = data;

  device_create (device, "account", "name=Meanwhile", NULL);
  device_sync (device);
}

/* The server goes on between pull and comparison: what is missing here is not a difference. */
static void
test_meanwhile (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  g_autoptr (KtJson) report = NULL;

  kt_test_transport_meanwhile (a->transport, KT_ENDPOINT_PULL, write_elsewhere, b);
  report = verify (a, TRUE);
  g_assert_cmpint (count (a, "SELECT count(*) FROM o_account"), ==, 1);
}

/* When nearly everything differs, everything is pulled. */
static void
test_everything_differs (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autoptr (KtJson) report = NULL;

  create_many (a, "competitor", MANY);
  device_sync (a);
  damage (a, "UPDATE o_competitor SET f_name='damaged'");
  report = verify (a, FALSE);
  g_assert_cmpint (count (a, "SELECT count(*) FROM o_competitor WHERE f_name='damaged'"), ==, 0);
  g_assert_cmpuint (kt_test_transport_count (a->transport, KT_ENDPOINT_ROWS), ==, 0);
  assert_equal (a);
}

/* Every so often, by itself, with the sums that are kept. */
static void
test_schedule (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", NULL);
  g_autoptr (KtEngine) engine = kt_engine_new ();

  for (guint i = 0; i < 256; i++)
    {
      kt_engine_poke (engine);
      while (device_step (a, engine))
        ;
      g_assert_cmpuint (kt_test_transport_count (a->transport, KT_ENDPOINT_DIGEST), ==, i == 255);
    }
  g_assert_true (kt_engine_report (engine)->compared);
  g_assert_cmpuint (kt_engine_report (engine)->repaired->len, ==, 0);

  /* A day later. Damage behind the back of the sums is not seen by them, a page that went astray is. */
  damage (a, "DELETE FROM o_account; DELETE FROM kt_digest WHERE object="
             "(SELECT object FROM kt_digest WHERE child=-1 ORDER BY records LIMIT 1)");
  a->clock.monotonic_us += 25 * G_TIME_SPAN_HOUR;
  kt_engine_poke (engine);
  while (device_step (a, engine))
    ;
  g_assert_true (kt_engine_report (engine)->compared);
  assert_value (a, "account", &id, "name", "\"Acme\"");
  assert_equal (a);
}

int
main (int argc, char *argv[])
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/repair/P4/only-what-differs", test_only_what_differs);
  g_test_add_func ("/repair/P4/lost-and-alien", test_lost_and_alien);
  g_test_add_func ("/repair/P4/edits-lie-over", test_edits_lie_over);
  g_test_add_func ("/repair/P4/digest-that-lies", test_digest_that_lies);
  g_test_add_func ("/repair/P4/meanwhile", test_meanwhile);
  g_test_add_func ("/repair/P4/everything-differs", test_everything_differs);
  g_test_add_func ("/repair/P4/schedule", test_schedule);
  return g_test_run ();
}
