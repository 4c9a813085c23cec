/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "fixture.h"

#include <string.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"
#include "db/kt-system-env.h"

#define EVERYTHING                                                                                 \
  "{\"scope\":{\"*\":{\"read\":\"all\",\"create\":\"yes\",\"edit\":\"all\",\"delete\":\"all\",\"stream\":\"all\","    \
  "\"export\":\"all\",\"mass_edit\":\"all\",\"share\":\"all\"}},\"special\":{\"assignment\":\"all\",\"import\":\"yes\"}}"

const char *fixture_schema_dir;

static gint64
now_us (gpointer data)
{
  return ((Fixture *) data)->now_us;
}

static gint64
monotonic_us (gpointer data)
{
  return g_get_monotonic_time ();
}

static void
random_bytes (gpointer data, guint8 *out, gsize len)
{
  const KtEnv *env = kt_system_env ();

  env->random (env->data, out, len);
}

void
fixture_init (int *argc, char ***argv)
{
  const char *data = g_getenv ("KONTOR_DATADIR");
  static char *dir;

  g_test_init (argc, argv, NULL);
  dir = g_build_filename (data != NULL ? data : KT_SOURCE_DATADIR, "schema", NULL);
  fixture_schema_dir = dir;
  _kt_password_weak_for_tests ();
}

void
fixture_remove (const char *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *inside = g_build_filename (path, name, NULL);

      if (g_file_test (inside, G_FILE_TEST_IS_DIR))
        fixture_remove (inside);
      else
        g_unlink (inside);
    }
  g_rmdir (path);
}

Fixture *
fixture_new_on (const char *database)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  KtInitOptions options = { .name = NULL,
                            .admin = "ada",
                            .password = "secret",
                            .schema_dir = fixture_schema_dir,
                            .database = database };
  static const char *const all[] = { "Everything", NULL };
  static const char *const team[] = { "North", NULL };
  g_autoptr (GError) error = NULL;

  fixture->dir = g_dir_make_tmp ("kontor-server-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->now_us = G_GINT64_CONSTANT (1780000000000000);
  fixture->env = (KtEnv){ now_us, monotonic_us, random_bytes, fixture };
  kt_core_init (fixture->dir, &options, &fixture->env, &error);
  g_assert_no_error (error);
  fixture->core = kt_core_open (fixture->dir, &fixture->env, &error);
  g_assert_no_error (error);
  /* Tests that are not about roles may do everything but administer. */
  kt_core_role_set (fixture->core, "Everything", EVERYTHING, NULL, &error);
  g_assert_no_error (error);
  kt_core_user_add (fixture->core, "ben", "secret", all, team, NULL, &error);
  g_assert_no_error (error);
  kt_core_user_add (fixture->core, "cho", "secret", all, team, NULL, &error);
  g_assert_no_error (error);
  return fixture;
}

gboolean
fixture_on_postgresql (void)
{
  return g_getenv ("KONTOR_TEST_PG") != NULL;
}

/* SQLite in the folder, or the database in KONTOR_TEST_PG, emptied. */
Fixture *
fixture_new (void)
{
  g_autoptr (KtDb) db = NULL;
  g_autoptr (GError) error = NULL;

  if (!fixture_on_postgresql ())
    return fixture_new_on (NULL);
  db = kt_db_open (g_getenv ("KONTOR_TEST_PG"), 0, &error);
  g_assert_no_error (error);
  kt_db_exec (db, "DROP SCHEMA public CASCADE; CREATE SCHEMA public", &error);
  g_assert_no_error (error);
  return fixture_new_on (g_getenv ("KONTOR_TEST_PG"));
}

void
fixture_free (Fixture *fixture)
{
  kt_core_close (fixture->core);
  fixture_remove (fixture->dir);
  g_free (fixture->dir);
  g_free (fixture);
}

void
fixture_reopen (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  kt_core_close (fixture->core);
  fixture->core = kt_core_open (fixture->dir, &fixture->env, &error);
  g_assert_no_error (error);
}

void
fixture_wait (Fixture *fixture, gint64 seconds)
{
  fixture->now_us += seconds * G_USEC_PER_SEC;
}

KtReply *
ask (Fixture *fixture, KtEndpoint endpoint, const char *token, const char *query, const char *body)
{
  g_autoptr (KtRequest) request = kt_request_new (endpoint);

  request->token = g_strdup (token);
  request->query = g_strdup (query);
  request->range_start = -1;
  if (body != NULL)
    request->body = g_bytes_new (body, strlen (body));
  return kt_core_handle (fixture->core, request);
}

KtJson *
reply_json (const KtReply *reply)
{
  g_autoptr (GError) error = NULL;
  KtJson *json;
  gsize len;
  const char *text;

  g_assert_nonnull (reply->body);
  text = g_bytes_get_data (reply->body, &len);
  json = kt_json_parse (text, (gssize) len, &error);
  g_assert_no_error (error);
  return json;
}

char *
error_code (const KtReply *reply)
{
  g_autoptr (KtJson) json = reply->body != NULL ? reply_json (reply) : NULL;

  return g_strdup (kt_json_get_string (kt_json_get (json, "error"), "code", NULL));
}

Device *
device_new (Fixture *fixture, const char *user)
{
  Device *device = g_new0 (Device, 1);
  g_autofree char *body = g_strdup_printf (
    "{\"user\":\"%s\",\"password\":\"secret\",\"device\":{\"name\":\"test\"}}", user);
  g_autoptr (KtReply) reply = ask (fixture, KT_ENDPOINT_LOGIN, NULL, NULL, body);
  g_autoptr (KtJson) json = reply_json (reply);

  g_assert_cmpuint (reply->status, ==, 200);
  device->fixture = fixture;
  device->token = g_strdup (kt_json_get_string (json, "token", NULL));
  device->id = g_strdup (kt_json_get_string (json, "device", NULL));
  device->user = g_strdup (kt_json_get_string (kt_json_get (json, "user"), "id", NULL));
  device->number = kt_json_get_int (json, "last_number", -1);
  device->records =
    g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) kt_record_unref);
  g_assert_nonnull (device->token);
  return device;
}

void
device_free (Device *device)
{
  g_hash_table_unref (device->records);
  g_free (device->token);
  g_free (device->id);
  g_free (device->user);
  g_free (device->cursor);
  g_free (device);
}

char *
push_complete (const Device *device, const char *body)
{
  static const char mark[] = "{\"number\":";
  GString *out = g_string_new (body);
  char epoch[KT_ID_TEXT_SIZE];
  g_autofree char *members = NULL;
  const char *at;
  KtId self;

  kt_id_format (&device->fixture->core->epoch, epoch);
  g_assert_true (kt_id_parse (device->id, -1, &self));
  members = g_strdup_printf ("\"epoch\":\"%s\",\"mutations\":", epoch);
  if (strstr (out->str, "\"epoch\"") == NULL)
    g_string_replace (out, "\"mutations\":", members, 1);
  for (gsize from = 0; (at = strstr (out->str + from, mark)) != NULL;)
    {
      const char *next = strstr (at + 1, mark);
      g_autofree char *what =
        next != NULL ? g_strndup (at, (gsize) (next - at) - 1) : g_strdup (at);
      KtId id = kt_id_derive (&self, what);
      char text[KT_ID_TEXT_SIZE];
      g_autofree char *member = NULL;

      kt_id_format (&id, text);
      member = g_strdup_printf ("\"id\":\"%s\",", text);
      from = (gsize) (at - out->str) + 1;
      g_string_insert (out, (gssize) from, member);
      from += strlen (member);
    }
  return g_string_free (out, FALSE);
}

char *
push_body (const Device *device, gint64 number, const char *ops)
{
  g_autofree char *body = g_strdup_printf (
    "{\"device\":\"%s\",\"mutations\":[{\"number\":%" G_GINT64_FORMAT
    ",\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[%s]}]}",
    device->id, number, ops);

  return push_complete (device, body);
}

KtVerdict
push_full (Device *device, const char *members)
{
  g_autofree char *rough =
    g_strdup_printf ("{\"device\":\"%s\",\"mutations\":[{\"number\":%" G_GINT64_FORMAT ",%s}]}",
                     device->id, device->number + 1, members);
  g_autofree char *body = push_complete (device, rough);
  g_autoptr (KtReply) reply = ask (device->fixture, KT_ENDPOINT_PUSH, device->token, NULL, body);
  g_autoptr (KtJson) json = reply_json (reply);
  g_autoptr (GError) error = NULL;
  KtVerdict verdict = { 0 };

  if (reply->status != 200)
    g_error ("push: %u %.*s", reply->status, (int) g_bytes_get_size (reply->body),
             (const char *) g_bytes_get_data (reply->body, NULL));
  g_assert_cmpuint (kt_json_length (kt_json_get (json, "verdicts")), ==, 1);
  kt_verdict_from_json (kt_json_at (kt_json_get (json, "verdicts"), 0), &verdict, &error);
  g_assert_no_error (error);
  if (verdict.outcome == KT_OUTCOME_REFUSED)
    g_test_message ("refused: %s, %s", verdict.code, verdict.message);
  g_assert_cmpint (verdict.number, ==, device->number + 1);
  device->number++;
  return verdict;
}

KtVerdict
push (Device *device, const char *ops)
{
  g_autofree char *members =
    g_strdup_printf ("\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[%s]", ops);

  return push_full (device, members);
}

KtOutcome
push_outcome (Device *device, const char *ops)
{
  KtVerdict verdict = push (device, ops);
  KtOutcome outcome = verdict.outcome;

  if (outcome == KT_OUTCOME_REFUSED)
    g_test_message ("refused: %s: %s", verdict.code, verdict.message);
  kt_verdict_clear (&verdict);
  return outcome;
}

static char *
record_key (const char *object, const char *id)
{
  return g_strconcat (object, ":", id, NULL);
}

static void
take_row (Device *device, const KtPage *page)
{
  KtRecord *record = kt_record_new (page->object, &page->id);
  char id[KT_ID_TEXT_SIZE];

  record->rev = page->rev;
  for (guint i = 0; i < page->n_fields; i++)
    {
      g_assert_nonnull (page->fields[i]);
      kt_value_copy (&page->values[i], &record->values[page->fields[i]->index]);
    }
  if (device->on_row != NULL)
    device->on_row (record, device->on_row_data);
  kt_id_format (&page->id, id);
  g_hash_table_replace (device->records, record_key (page->object->name, id), record);
}

gboolean
pull_page (Device *device, guint limit, guint *rows)
{
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_PULL);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (KtPage) page = NULL;
  g_autoptr (GError) error = NULL;
  KtPageEvent event;

  request->token = g_strdup (device->token);
  request->range_start = -1;
  if (device->cursor != NULL)
    kt_request_set_query (request, "cursor", device->cursor);
  if (limit > 0)
    {
      g_autofree char *text = g_strdup_printf ("%u", limit);

      kt_request_set_query (request, "limit", text);
    }
  reply = kt_core_handle (device->fixture->core, request);
  g_assert_cmpuint (reply->status, ==, 200);
  g_assert_cmpstr (reply->content_type, ==, KT_WIRE_CONTENT_PAGE);
  page =
    kt_page_open (kt_core_schema (device->fixture->core), g_steal_pointer (&reply->body), &error);
  g_assert_no_error (error);
  while ((event = kt_page_next (page, &error)) != KT_PAGE_END)
    {
      char id[KT_ID_TEXT_SIZE];

      g_assert_no_error (error);
      if (event == KT_PAGE_ROW)
        take_row (device, page);
      else
        {
          g_autofree char *key = NULL;

          kt_id_format (&page->id, id);
          key = record_key (page->object->name, id);
          g_hash_table_remove (device->records, key);
        }
      if (rows != NULL)
        ++*rows;
    }
  g_free (device->cursor);
  device->cursor = g_strdup (page->cursor);
  device->seq = page->seq;
  return page->more;
}

guint
pull (Device *device, guint limit)
{
  guint rows = 0;

  while (pull_page (device, limit, &rows))
    ;
  return rows;
}

const KtRecord *
have (Device *device, const char *object, const char *id)
{
  g_autofree char *key = record_key (object, id);

  return g_hash_table_lookup (device->records, key);
}

char *
value (Device *device, const char *object, const char *id, const char *field)
{
  const KtRecord *record = have (device, object, id);
  const KtValue *found = record != NULL ? kt_record_get (record, field) : NULL;

  return found != NULL ? kt_value_to_string (found) : g_strdup ("null");
}

void
assert_value (Device *device,
              const char *object,
              const char *id,
              const char *field,
              const char *json)
{
  g_autofree char *found = value (device, object, id, field);

  g_assert_cmpstr (found, ==, json);
}

gint64
rev (Device *device, const char *object, const char *id)
{
  const KtRecord *record = have (device, object, id);

  g_assert_nonnull (record);
  return record->rev;
}

char *
new_id (Fixture *fixture)
{
  KtId id = kt_id_new (&fixture->env);

  return kt_id_to_string (&id);
}

char *
op_create (const char *object, const char *id, const char *fields)
{
  return g_strdup_printf ("{\"op\":\"create\",\"object\":\"%s\",\"id\":\"%s\",\"fields\":{%s}}",
                          object, id, fields);
}

char *
op_update (const char *object, const char *id, gint64 base_rev, const char *fields)
{
  return g_strdup_printf (
    "{\"op\":\"update\",\"object\":\"%s\",\"id\":\"%s\",\"base_rev\":%" G_GINT64_FORMAT
    ",\"fields\":{%s}}",
    object, id, base_rev, fields);
}

char *
op_delete (const char *object, const char *id, gint64 base_rev)
{
  return g_strdup_printf (
    "{\"op\":\"delete\",\"object\":\"%s\",\"id\":\"%s\",\"base_rev\":%" G_GINT64_FORMAT "}", object,
    id, base_rev);
}

char *
op_restore (const char *object, const char *id, gint64 base_rev)
{
  return g_strdup_printf (
    "{\"op\":\"restore\",\"object\":\"%s\",\"id\":\"%s\",\"base_rev\":%" G_GINT64_FORMAT "}",
    object, id, base_rev);
}

char *
create (Device *device, const char *object, const char *fields)
{
  char *id = new_id (device->fixture);
  g_autofree char *op = op_create (object, id, fields);

  g_assert_cmpint (push_outcome (device, op), ==, KT_OUTCOME_APPLIED);
  return id;
}

static int
by_number (gconstpointer a, gconstpointer b)
{
  const KtRecord *x = *(KtRecord *const *) a, *y = *(KtRecord *const *) b;

  return kt_value_compare (kt_record_get (x, "number"), kt_record_get (y, "number"));
}

GPtrArray *
reviews (Device *device)
{
  GPtrArray *found = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer record;

  g_hash_table_iter_init (&iter, device->records);
  while (g_hash_table_iter_next (&iter, NULL, &record))
    if (strcmp (((KtRecord *) record)->object->name, "sync_conflict") == 0
        && g_strcmp0 (kt_record_text (record, "state"), "open") == 0)
      g_ptr_array_add (found, record);
  g_ptr_array_sort (found, by_number);
  return found;
}

gint64
count_sql (Fixture *fixture, const char *sql)
{
  g_autoptr (GError) error = NULL;
  gint64 n;

  kt_db_get_int (kt_core_db (fixture->core), 0, &n, &error, sql, KT_BIND_END);
  g_assert_no_error (error);
  return n;
}

void
assert_sound (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) problems = kt_core_check (fixture->core, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < problems->len; i++)
    g_test_message ("%s", (char *) problems->pdata[i]);
  g_assert_cmpuint (problems->len, ==, 0);
}

void
assert_equal (Device *device)
{
  g_autoptr (KtReply) reply = ask (device->fixture, KT_ENDPOINT_DIGEST, device->token, "fresh=1", NULL);
  g_autoptr (KtJson) json = reply_json (reply);
  g_autofree char *text = NULL;
  KtDigest digest = { 0 };
  GHashTableIter iter;
  gpointer record;

  g_assert_cmpuint (reply->status, ==, 200);
  g_hash_table_iter_init (&iter, device->records);
  while (g_hash_table_iter_next (&iter, NULL, &record))
    kt_digest_add (&digest, record);
  text = kt_digest_string (&digest);
  g_assert_cmpint (kt_json_get_int (json, "records", -1), ==, g_hash_table_size (device->records));
  g_assert_cmpstr (kt_json_get_string (json, "digest", NULL), ==, text);
}
