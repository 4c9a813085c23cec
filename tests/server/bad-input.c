/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whatever anybody sends: the answer is a 4xx that names the place, and nothing has changed. A mutation that has a number but
 * cannot be read is the one exception: it is refused by a verdict and kept in the ledger (P2, P12), and no record changes.
 *
 * The variations are made from valid messages by tests/support/kt-mutator; the cases with a story of their own stand below. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include <sqlite3.h>

#include "base/kt-error.h"
#include "tests/support/kt-mutator.h"

/* In messages: the next number of the device, and an id that is new each time. */
#define SOME_NUMBER "4711471147"
#define SOME_ID "01900000-cafe-7000-8000-00000000cafe"

typedef struct
{
  Fixture *fixture;
  Device *ben, *cho;
  char *epoch;
  char *account, *contact, *task, *binned, *blob;
  sqlite3 *pristine;   /* the database as it was before */
  sqlite3 *watch;      /* another connection: sees commits */
  gint64 version;      /* that it saw */
  gboolean touched;    /* a record was written, perhaps only to be rolled back */
  char *all, *records; /* digests of every table but the throttle's, and of the records */

  /* what is under way */
  KtEndpoint endpoint;
  const char *token;
  const char *query; /* of the valid request */
  const char *rest;
  const char *const *fine; /* patterns of what may be accepted */
  gint64 next_number;      /* of ben's device, in the database as it is */
  guint tried, accepted, faults;
} Bad;

/* ---- the database, before and after ---- */

static sqlite3 *
handle (Bad *bad)
{
  return kt_db_sqlite (kt_core_db (bad->fixture->core));
}

static void
hash_table (sqlite3 *db, const char *table, GChecksum *sum)
{
  g_autofree char *sql = g_strdup_printf ("SELECT * FROM \"%s\"", table);
  sqlite3_stmt *stmt;

  g_assert_cmpint (sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL), ==, SQLITE_OK);
  g_checksum_update (sum, (const guchar *) table, -1);
  while (sqlite3_step (stmt) == SQLITE_ROW)
    for (int i = 0; i < sqlite3_column_count (stmt); i++)
      {
        guchar type = (guchar) sqlite3_column_type (stmt, i);
        const void *bytes = sqlite3_column_blob (stmt, i);

        g_checksum_update (sum, &type, 1);
        if (bytes != NULL)
          g_checksum_update (sum, bytes, sqlite3_column_bytes (stmt, i));
      }
  sqlite3_finalize (stmt);
}

/* Of the tables whose names begin with @prefix. */
static char *
digest (sqlite3 *db, const char *prefix)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  sqlite3_stmt *stmt;

  sqlite3_prepare_v2 (
    db,
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'kt_throttle'"
    " AND name NOT LIKE 'sqlite%' ORDER BY name",
    -1, &stmt, NULL);
  while (sqlite3_step (stmt) == SQLITE_ROW)
    if (g_str_has_prefix ((const char *) sqlite3_column_text (stmt, 0), prefix))
      g_ptr_array_add (names, g_strdup ((const char *) sqlite3_column_text (stmt, 0)));
  sqlite3_finalize (stmt);
  g_assert_cmpuint (names->len, >, 0);
  for (guint i = 0; i < names->len; i++)
    hash_table (db, names->pdata[i], sum);
  return g_strdup (g_checksum_get_string (sum));
}

static void
copy_database (sqlite3 *from, sqlite3 *to)
{
  sqlite3_backup *backup = sqlite3_backup_init (to, "main", from, "main");

  g_assert_nonnull (backup);
  g_assert_cmpint (sqlite3_backup_step (backup, -1), ==, SQLITE_DONE);
  g_assert_cmpint (sqlite3_backup_finish (backup), ==, SQLITE_OK);
}

static gint64
version (Bad *bad)
{
  sqlite3_stmt *stmt;
  gint64 number;

  g_assert_cmpint (sqlite3_prepare_v2 (bad->watch, "PRAGMA data_version", -1, &stmt, NULL), ==,
                   SQLITE_OK);
  g_assert_cmpint (sqlite3_step (stmt), ==, SQLITE_ROW);
  number = sqlite3_column_int64 (stmt, 0);
  sqlite3_finalize (stmt);
  return number;
}

/* Nothing was committed since, or nothing that matters. */
static gboolean
unchanged (Bad *bad, const char *prefix)
{
  g_autofree char *now = NULL;

  if (version (bad) == bad->version || (*prefix == 'o' && !bad->touched))
    return TRUE;
  now = digest (handle (bad), prefix);
  return strcmp (now, *prefix == 'o' ? bad->records : bad->all) == 0;
}

static void
put_back (Bad *bad)
{
  if (version (bad) == bad->version)
    return;
  copy_database (bad->pristine, handle (bad));
  bad->version = version (bad);
  bad->next_number = bad->ben->number + 1;
  bad->touched = FALSE;
}

static void
touched_cb (gpointer data, int op, const char *database, const char *table, sqlite3_int64 rid)
{
  ((Bad *) data)->touched |= g_str_has_prefix (table, "o_");
}

/* ---- set up ---- */

static void
remember (Bad *bad)
{
  copy_database (handle (bad), bad->pristine);
  g_free (bad->all);
  g_free (bad->records);
  bad->all = digest (handle (bad), "");
  bad->records = digest (handle (bad), "o_");
  bad->version = version (bad);
  bad->next_number = bad->ben->number + 1;
  bad->touched = FALSE;
}

static void
upload (Bad *bad)
{
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_BLOB_PUT);
  g_autoptr (KtReply) reply = NULL;

  bad->blob = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "0123456789", -1);
  request->rest = g_strdup (bad->blob);
  request->query = g_strdup ("offset=0");
  request->token = g_strdup (bad->ben->token);
  request->body = g_bytes_new_static ("0123456789", 10);
  reply = kt_core_handle (bad->fixture->core, request);
  g_assert_cmpuint (reply->status, ==, 200);
}

static void
set_up (Bad *bad, gconstpointer data)
{
  g_autofree char *op = NULL;
  g_autofree char *file = NULL;
  g_autofree char *path = NULL;
  g_autoptr (KtReply) hello = NULL;
  g_autoptr (KtJson) json = NULL;

  bad->fixture = fixture_new_on (NULL);
  hello = ask (bad->fixture, KT_ENDPOINT_HELLO, NULL, NULL, NULL);
  json = reply_json (hello);
  bad->epoch = g_strdup (kt_json_get_string (json, "epoch", NULL));
  bad->ben = device_new (bad->fixture, "ben");
  bad->cho = device_new (bad->fixture, "cho");
  bad->account = create (bad->ben, "account", "\"name\":[null,\"Acme\"]");
  bad->contact = create (bad->ben, "contact", "\"last_name\":[null,\"Li\"]");
  bad->task = create (bad->ben, "task", "\"subject\":[null,\"Call\"]");
  bad->binned = create (bad->ben, "task", "\"subject\":[null,\"Gone\"]");
  pull (bad->ben, 0);
  op = op_delete ("task", bad->binned, rev (bad->ben, "task", bad->binned));
  g_assert_cmpint (push_outcome (bad->ben, op), ==, KT_OUTCOME_APPLIED);
  upload (bad);
  file = g_strdup_printf ("\"name\":[null,\"n.txt\"],\"sha256\":[null,\"%s\"]", bad->blob);
  g_free (create (bad->ben, "file", file));
  pull (bad->ben, 0);
  /* Thousands of commits that nobody needs after this. */
  sqlite3_update_hook (handle (bad), touched_cb, bad);
  g_assert_cmpint (sqlite3_exec (handle (bad), "PRAGMA synchronous=OFF", NULL, NULL, NULL), ==,
                   SQLITE_OK);
  path = g_build_filename (bad->fixture->dir, "workspace.db", NULL);
  g_assert_cmpint (sqlite3_open (path, &bad->watch), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_open (":memory:", &bad->pristine), ==, SQLITE_OK);
  bad->token = bad->ben->token;
  remember (bad);
}

static void
tear_down (Bad *bad, gconstpointer data)
{
  put_back (bad);
  assert_sound (bad->fixture);
  sqlite3_close (bad->watch);
  sqlite3_close (bad->pristine);
  device_free (bad->ben);
  device_free (bad->cho);
  g_free (bad->epoch);
  g_free (bad->account);
  g_free (bad->contact);
  g_free (bad->task);
  g_free (bad->binned);
  g_free (bad->blob);
  g_free (bad->all);
  g_free (bad->records);
  fixture_free (bad->fixture);
}

/* ---- judging ---- */

static void fault (Bad *bad, const char *what, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Told all at once: the first is seldom the only one. */
static void
fault (Bad *bad, const char *what, const char *format, ...)
{
  va_list args;
  g_autofree char *why = NULL;

  va_start (args, format);
  why = g_strdup_vprintf (format, args);
  va_end (args);
  if (bad->faults++ < 40)
    g_test_message ("FAULT: %s: %s", what, why);
}

/* What was taken can be sent to others. */
static void
read_back (Bad *bad, const KtVariation *variation)
{
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (KtPage) page = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *query = g_strconcat ("cursor=", bad->ben->cursor, NULL);
  KtPageEvent event;

  reply = ask (bad->fixture, KT_ENDPOINT_PULL, bad->ben->token, query, NULL);
  page = reply->status == 200 ? kt_page_open (kt_core_schema (bad->fixture->core),
                                              g_steal_pointer (&reply->body), &error)
                              : NULL;
  while (page != NULL && (event = kt_page_next (page, &error)) != KT_PAGE_END)
    if (event == KT_PAGE_ERROR)
      break;
  if (page == NULL || error != NULL)
    fault (bad, variation->what, "taken, and cannot be sent: %s",
           error != NULL ? error->message : "no page");
}

/* Still a valid message; only what the test expects is. */
static void
accept (Bad *bad, const KtVariation *variation)
{
  if (bad->endpoint == KT_ENDPOINT_PUSH)
    read_back (bad, variation);
  bad->accepted++;
  for (guint i = 0; bad->fine != NULL && bad->fine[i] != NULL; i++)
    if (g_pattern_match_simple (bad->fine[i], variation->what))
      return;
  fault (bad, variation->what, "accepted");
}

/* Some have a name for people. */
static gboolean
has_name (const char *member, const char *message)
{
  static const char *const names[][2] = { { "mutations", "utation" },  { "mutations", " push " },
                                          { "ops", "hange" },          { "fields", "has no field" },
                                          { "fields", "is required" }, { "id", "There is no" } };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (member, names[i][0]) == 0 && strstr (message, names[i][1]) != NULL)
      return TRUE;
  return FALSE;
}

static gboolean
is_label (Bad *bad, const char *member, const char *message)
{
  guint n;
  const KtObject *const *objects = kt_schema_objects (kt_core_schema (bad->fixture->core), &n);

  for (guint i = 0; i < n; i++)
    {
      const KtField *field = kt_object_field (objects[i], member);

      if (field != NULL
          && (strstr (message, kt_field_label (field, "en")) != NULL
              || strstr (message, kt_field_label (field, "zh_CN")) != NULL))
        return TRUE;
    }
  return FALSE;
}

/* A sentence about the place: the member by its name or label, the number of the line, or what encloses it. */
static void
judge_message (Bad *bad, const KtVariation *variation, const char *code, const char *message)
{
  if (code == NULL || kt_error_from_word (code) == KT_ERROR_INTERNAL)
    fault (bad, variation->what, "code is %s", code);
  if (message == NULL || *message == '\0' || !g_utf8_validate (message, -1, NULL))
    fault (bad, variation->what, "no message");
  else if (strlen (message) > 600)
    fault (bad, variation->what, "a message of %" G_GSIZE_FORMAT " bytes: %.80s", strlen (message),
           message);
  else if (g_strcmp0 (code, "epoch") == 0)
    return;
  else if (variation->member != NULL && strstr (message, variation->member) == NULL
           && strstr (message, "line 1, column") == NULL && strstr (message, "larger than") == NULL
           && strstr (message, "unheard_of") == NULL && !is_label (bad, variation->member, message)
           && !has_name (variation->member, message))
    fault (bad, variation->what, "does not say where: %s", message);
}

static void
judge_refusal (Bad *bad, const KtVariation *variation, const KtReply *reply)
{
  g_autoptr (KtJson) json = NULL;
  KtJson *error;
  gsize len = 0;
  const char *text = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;

  if (!unchanged (bad, ""))
    fault (bad, variation->what, "answered %u and changed something", reply->status);
  json = len > 0 ? kt_json_parse (text, (gssize) len, NULL) : NULL;
  error = kt_json_get (json, "error");
  if (error == NULL)
    fault (bad, variation->what, "status %u without an error", reply->status);
  else
    judge_message (bad, variation, kt_json_get_string (error, "code", NULL),
                   kt_json_get_string (error, "message", NULL));
}

/* 200: what is refused has changed no record. */
static void
judge_verdicts (Bad *bad, const KtVariation *variation, const KtReply *reply)
{
  g_autoptr (KtJson) json = reply_json (reply);
  KtJson *verdicts = kt_json_get (json, "verdicts");
  guint n = kt_json_length (verdicts), refused = 0;

  for (guint i = 0; i < n; i++)
    {
      KtVerdict verdict = { 0 };
      g_autoptr (GError) error = NULL;

      if (!kt_verdict_from_json (kt_json_at (verdicts, i), &verdict, &error))
        {
          fault (bad, variation->what, "%s", error->message);
          continue;
        }
      if (verdict.outcome == KT_OUTCOME_REFUSED)
        {
          refused++;
          judge_message (bad, variation, verdict.code, verdict.message);
        }
      kt_verdict_clear (&verdict);
    }
  if (refused < n || n == 0)
    accept (bad, variation);
  if (n > 0 && refused == n)
    {
      if (!unchanged (bad, "o_"))
        fault (bad, variation->what, "refused, and a record has changed");
      /* The ledger has it and its number is used: the next one goes on from there. */
      bad->next_number++;
      bad->version = version (bad);
      bad->touched = FALSE;
    }
}

static void
judge (Bad *bad, const KtVariation *variation, const KtReply *reply)
{
  bad->tried++;
  if (reply->status >= 500)
    fault (bad, variation->what, "status %u: %.*s", reply->status,
           reply->body != NULL ? (int) MIN (200, g_bytes_get_size (reply->body)) : 0,
           reply->body != NULL ? (const char *) g_bytes_get_data (reply->body, NULL) : "");
  else if (reply->status >= 400)
    judge_refusal (bad, variation, reply);
  else if (bad->endpoint == KT_ENDPOINT_PUSH)
    judge_verdicts (bad, variation, reply);
  else
    {
      accept (bad, variation);
      if (strcmp (kt_endpoint_info (bad->endpoint)->method, "GET") == 0 && !unchanged (bad, ""))
        fault (bad, variation->what, "reading has changed something");
    }
  put_back (bad);
}

static KtReply *
send (Bad *bad, const char *token, const char *rest, const char *query, GBytes *body)
{
  g_autoptr (KtRequest) request = kt_request_new (bad->endpoint);

  request->token = g_strdup (token);
  request->rest = g_strdup (rest);
  request->query = g_strdup (query);
  request->body = body != NULL ? g_bytes_ref (body) : NULL;
  return kt_core_handle (bad->fixture->core, request);
}

/* A number and an id that were not used yet, unless it is them that are damaged. */
static GBytes *
fresh (Bad *bad, GBytes *body)
{
  gsize len;
  const char *bytes = g_bytes_get_data (body, &len);
  g_autoptr (GString) text = g_string_new_len (bytes, (gssize) len);
  g_autofree char *id = new_id (bad->fixture);
  g_autofree char *number = g_strdup_printf ("%" G_GINT64_FORMAT, bad->next_number);

  g_string_replace (text, SOME_NUMBER, number, 1);
  g_string_replace (text, SOME_ID, id, 1);
  return g_string_free_to_bytes (g_steal_pointer (&text));
}

static void
try_body (const KtVariation *variation, gpointer data)
{
  Bad *bad = data;
  g_autoptr (GBytes) body = fresh (bad, variation->body);
  g_autoptr (KtReply) reply = send (bad, bad->token, bad->rest, bad->query, body);

  judge (bad, variation, reply);
}

/* The message itself is right, and nothing that is done to it does harm. @fine: what is still valid. */
static void
try_all (Bad *bad, KtEndpoint endpoint, const char *message, const char *const *fine)
{
  g_autoptr (GBytes) damaged = g_bytes_new (message, strlen (message));
  g_autoptr (GBytes) body = fresh (bad, damaged);
  g_autoptr (KtReply) reply = NULL;

  bad->endpoint = endpoint;
  bad->fine = fine;
  reply = send (bad, bad->token, bad->rest, bad->query, body);
  if (reply->status != 200 || endpoint == KT_ENDPOINT_PUSH)
    {
      g_autoptr (KtJson) json = reply_json (reply);
      g_autofree char *text = kt_json_to_string (json, FALSE);

      g_test_message ("as it should be: %.300s", text);
      if (reply->status != 200 || strstr (text, "refused") != NULL)
        g_error ("the message that is to be damaged is not right: %s", text);
    }
  put_back (bad);
  bad->tried = bad->accepted = bad->faults = 0;
  kt_mutator_run (message, try_body, bad);
  g_test_message ("%s: %u tried, %u accepted", kt_endpoint_info (endpoint)->path, bad->tried,
                  bad->accepted);
  g_assert_cmpuint (bad->tried, >=, 100);
  g_assert_cmpuint (bad->faults, ==, 0);
}

/* ---- messages ---- */

static char *
mutation (Bad *bad, gint64 number, const char *more, const char *ops)
{
  g_autofree char *id = new_id (bad->fixture);

  return g_strdup_printf (
    "{\"id\":\"%s\",\"number\":%" G_GINT64_FORMAT
    ",\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\"%s,\"ops\":[%s]}",
    id, number, more, ops);
}

static char *
envelope (Bad *bad, const char *mutations)
{
  return g_strdup_printf ("{\"device\":\"%s\",\"epoch\":\"%s\",\"mutations\":[%s]}", bad->ben->id,
                          bad->epoch, mutations);
}

/* One mutation of every kind of op and many types of field. */
static char *
rich_push (Bad *bad)
{
  g_autofree char *id = new_id (bad->fixture);
  g_autofree char *deal = new_id (bad->fixture);
  g_autofree char *batch = new_id (bad->fixture);
  g_autofree char *more = g_strdup_printf (",\"batch\":\"%s\"", batch);
  g_autofree char *contact_fields =
    g_strdup_printf ("\"last_name\":[null,\"Berg\"],\"email\":[null,\"b@example.com\"],"
                     "\"account\":[null,\"%s\"],\"tags\":[null,[\"vip\",\"x\"]]",
                     bad->account);
  g_autofree char *deal_fields = g_strdup_printf (
    "\"name\":[null,\"Renewal\"],\"account\":[null,\"%s\"],"
    "\"amount\":[null,{\"amount\":\"12.5\",\"currency\":\"EUR\"}],\"close_date\":[null,\"2026-09-30\"]",
    bad->account);
  g_autofree char *one = op_create ("contact", id, contact_fields);
  g_autofree char *two = op_create ("opportunity", deal, deal_fields);
  g_autofree char *three =
    op_update ("account", bad->account, rev (bad->ben, "account", bad->account),
               "\"phone\":[null,\"+49 40 1\"]");
  g_autofree char *four = op_delete ("task", bad->task, rev (bad->ben, "task", bad->task));
  g_autofree char *five = op_restore ("task", bad->binned, rev (bad->ben, "task", bad->binned));
  g_autofree char *ops = g_strjoin (",", one, two, three, four, five, NULL);
  g_autofree char *text =
    g_strdup_printf ("{\"id\":\"" SOME_ID "\",\"number\":" SOME_NUMBER
                     ",\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\"%s,\"ops\":[%s]}",
                     more, ops);

  return envelope (bad, text);
}

static void
test_push (Bad *bad, gconstpointer data)
{
  g_autofree char *message = rich_push (bad);

  /* Other ids, other words, fewer changes; a bound that does not matter here. */
  static const char *const fine[] = {
    "mutations = empty array", "mutations[0] is missing", "mutations[0] = nothing",
    "mutations[0].id = unknown id", "mutations[0].origin = *text", "mutations[0].batch = null",
    "mutations[0].batch = unknown id", "mutations[0].batch is missing",
    "mutations[0].ops[?] is missing", "mutations[0].ops[2] twice",
    "mutations[0].ops[?].id = unknown id",
    /* Not trusted: what stands and the before-values decide. */
    "mutations[0].ops[?].base_rev = zero", "mutations[0].ops[?].base_rev = largest",
    "mutations[0].ops[?].base_rev is missing",
    /* Values of an older schema are carried over; what is taken
                                       * is valid, or accept () would not have read it back. */
    "mutations[0].ops[?].fields.*", "mutations[0].ops[?].fields = empty object", NULL
  };

  try_all (bad, KT_ENDPOINT_PUSH, message, fine);
}

static void
test_login (Bad *bad, gconstpointer data)
{
  g_autofree char *message =
    g_strdup_printf ("{\"user\":\"ben\",\"password\":\"secret\",\"device\":{\"id\":\"%s\",\"name\":"
                     "\"Ben's laptop\"}}",
                     bad->ben->id);

  /* A device may have no name, or no id yet. */
  static const char *const fine[] = { "device is missing",
                                      "device = null",
                                      "device = empty object",
                                      "device.id is missing",
                                      "device.id = null",
                                      "device.id = nil id",
                                      "device.id = unknown id",
                                      "device.name is missing",
                                      "device.name = null",
                                      "device.name = *text*",
                                      "device.name = *id",
                                      "*under another name",
                                      "*object",
                                      NULL };

  bad->token = NULL;
  try_all (bad, KT_ENDPOINT_LOGIN, message, fine);
}

/* A device of its own for a copied profile. */
static void
test_device (Bad *bad, gconstpointer data)
{
  static const char *const fine[] = {
    "name is missing",    "name = null", "name = *text*", "name = *id", "*under another name",
    "the body = *object", NULL
  };

  try_all (bad, KT_ENDPOINT_DEVICE, "{\"name\":\"Copy\"}", fine);
}

static void
test_rows (Bad *bad, gconstpointer data)
{
  g_autofree char *message = g_strdup_printf ("{\"object\":\"account\",\"ids\":[\"%s\",\"%s\"]}",
                                              bad->account, bad->contact);
  static const char *const fine[] = { "ids = empty array",
                                      "ids[?] = nil id",
                                      "ids[?] = unknown id",
                                      "ids[?] is missing",
                                      "ids[?] twice",
                                      "ids[?] = nothing",
                                      NULL };

  try_all (bad, KT_ENDPOINT_ROWS, message, fine);
}

/* ---- addresses ---- */

typedef struct
{
  Bad *bad;
  const char *const *keys; /* key, value, … of the valid request */
  const char *key;         /* the one that is damaged; NULL: what follows the path */
} Address;

static void
set_query (KtRequest *request, const Address *address, const char *damaged)
{
  for (guint i = 0; address->keys[i] != NULL; i += 2)
    if (g_strcmp0 (address->keys[i], address->key) != 0)
      kt_request_set_query (request, address->keys[i], address->keys[i + 1]);
    else
      kt_request_set_query (request, address->keys[i], damaged);
}

static void
try_address (const KtVariation *variation, gpointer data)
{
  Address *address = data;
  Bad *bad = address->bad;
  gsize len;
  const char *bytes = g_bytes_get_data (variation->body, &len);
  g_autofree char *text = g_strndup (bytes != NULL ? bytes : "", len);
  g_autoptr (KtRequest) request = kt_request_new (bad->endpoint);
  g_autoptr (KtReply) reply = NULL;

  request->token = g_strdup (bad->token);
  request->rest = g_strdup (address->key == NULL && bad->rest != NULL ? text : bad->rest);
  if (bad->endpoint == KT_ENDPOINT_BLOB_PUT)
    request->body = g_bytes_new_static ("0123456789", 10);
  set_query (request, address, text);
  reply = kt_core_handle (bad->fixture->core, request);
  judge (bad, variation, reply);
}

static void
try_addresses (Bad *bad,
               KtEndpoint endpoint,
               const char *rest,
               const char *const *keys,
               const char *const *fine)
{
  Address address = { bad, keys, NULL };

  bad->endpoint = endpoint;
  bad->rest = rest;
  bad->fine = fine;
  bad->tried = bad->accepted = bad->faults = 0;
  if (rest != NULL)
    kt_mutator_run_text ("sha256", rest, try_address, &address);
  for (guint i = 0; keys[i] != NULL; i += 2)
    {
      address.key = keys[i];
      kt_mutator_run_text (keys[i], keys[i + 1], try_address, &address);
    }
  g_test_message ("%s: %u tried, %u accepted", kt_endpoint_info (endpoint)->path, bad->tried,
                  bad->accepted);
  g_assert_cmpuint (bad->tried, >, 20);
  g_assert_cmpuint (bad->faults, ==, 0);
}

static void
test_pull (Bad *bad, gconstpointer data)
{
  const char *keys[] = { "cursor", bad->ben->cursor, "limit", "10", NULL };
  /* An empty cursor is none. */
  static const char *const fine[] = { "cursor = ", "limit = 1", "limit = 1010", NULL };

  try_addresses (bad, KT_ENDPOINT_PULL, NULL, keys, fine);
}

static void
test_history (Bad *bad, gconstpointer data)
{
  const char *keys[] = { "object", "account", "id", bad->account, "before",
                         "99",     "limit",   "10", NULL };
  /* What nobody wrote has no history. */
  static const char *const fine[] = { "id = 0*",       "before = 0", "before = 1",
                                      "before = 9999", "before = 9", "before = 9223372036854775807",
                                      "limit = 1",     NULL };

  try_addresses (bad, KT_ENDPOINT_HISTORY, NULL, keys, fine);
}

static void
test_digest (Bad *bad, gconstpointer data)
{
  static const char *const keys[] = { "object", "account", "under", "ab", NULL };
  static const char *const fine[] = { "under = ", "under = abab", NULL };

  try_addresses (bad, KT_ENDPOINT_DIGEST, NULL, keys, fine);
}

static void
test_blobs (Bad *bad, gconstpointer data)
{
  static const char *const none[] = { NULL };
  static const char *const offset[] = { "offset", "0", NULL };
  static const char *const zero[] = { "offset = 00", NULL };
  g_autofree char *other = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "9876543210", -1);

  try_addresses (bad, KT_ENDPOINT_BLOB_GET, bad->blob, none, none);
  try_addresses (bad, KT_ENDPOINT_BLOB_STAT, bad->blob, none, none);
  try_addresses (bad, KT_ENDPOINT_BLOB_PUT, other, offset, zero);
}

/* Whoever has no session gets nothing, whatever the token looks like. */
static void
test_tokens (Bad *bad, gconstpointer data)
{
  g_autofree char *half = g_strndup (bad->ben->token, strlen (bad->ben->token) - 1);
  g_autofree char *twice = g_strconcat (bad->ben->token, bad->ben->token, NULL);
  g_autofree char *huge = g_strnfill (1 << 20, 'x');
  const char *const tokens[] = { NULL,          "",         "x",         half, twice, huge,
                                 "' OR 1=1 --", "\xff\xfe", bad->ben->id };
  KtVariation variation = { "a token", NULL, FALSE, NULL };

  for (int endpoint = 0; endpoint < KT_N_ENDPOINTS; endpoint++)
    for (guint i = 0; i < G_N_ELEMENTS (tokens); i++)
      {
        g_autoptr (KtReply) reply = NULL;
        g_autofree char *code = NULL;

        if (!kt_endpoint_info ((KtEndpoint) endpoint)->needs_token || endpoint == KT_ENDPOINT_LIVE)
          continue;
        bad->endpoint = (KtEndpoint) endpoint;
        reply = send (bad, tokens[i], NULL, NULL, NULL);
        code = error_code (reply);
        g_assert_cmpuint (reply->status, ==, 401);
        g_assert_cmpstr (code, ==, "auth");
        judge (bad, &variation, reply);
      }
  g_assert_cmpuint (bad->faults, ==, 0);
}

/* ---- cases with a story ---- */

static void
assert_says (Bad *bad, const KtReply *reply, guint status, const char *code, const char *words)
{
  g_autoptr (KtJson) json = NULL;
  KtJson *error;

  if (reply->status < 400)
    g_error ("%u instead of %u %s “%s”", reply->status, status, code, words);
  json = reply_json (reply);
  error = kt_json_get (json, "error");
  if (reply->status != status || g_strcmp0 (kt_json_get_string (error, "code", NULL), code) != 0
      || strstr (kt_json_get_string (error, "message", ""), words) == NULL)
    {
      g_autofree char *text = kt_json_to_string (json, FALSE);

      g_error ("%u %s instead of %u %s “%s”", reply->status, text, status, code, words);
    }
  g_assert_true (unchanged (bad, ""));
}

static void
assert_pull (Bad *bad, const char *cursor, guint status, const char *code, const char *words)
{
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_PULL);
  g_autoptr (KtReply) reply = NULL;

  request->token = g_strdup (bad->ben->token);
  kt_request_set_query (request, "cursor", cursor);
  reply = kt_core_handle (bad->fixture->core, request);
  assert_says (bad, reply, status, code, words);
}

static void
test_cursors (Bad *bad, gconstpointer data)
{
  g_autoptr (Fixture) elsewhere = fixture_new_on (NULL);
  g_autoptr (Device) stranger = device_new (elsewhere, "ben");
  g_autoptr (GError) error = NULL;
  KtCursor cursor, good;

  pull (stranger, 0);
  pull (bad->cho, 0);
  remember (bad);
  kt_cursor_decode (bad->ben->cursor, &good, &error);
  g_assert_no_error (error);
  /* Of another server; of another user of this one. */
  assert_pull (bad, stranger->cursor, 410, "epoch", "");
  assert_pull (bad, bad->cho->cursor, 400, "invalid", "cursor");
#define TRY(change, status, code, words)          \
  G_STMT_START                                    \
  {                                               \
    g_autofree char *text = NULL;                 \
    cursor = good;                                \
    change;                                       \
    text = kt_cursor_encode (&cursor);            \
    g_test_message (#change);                     \
    assert_pull (bad, text, status, code, words); \
  }                                               \
  G_STMT_END
  /* From another life, and from the future of this one. */
  TRY (cursor.epoch.b[3] ^= 1, 410, "epoch", "");
  TRY (cursor.seq += 1, 410, "epoch", "");
  TRY (cursor.seq = G_MAXINT64, 410, "epoch", "");
  TRY (cursor.user.b[3] ^= 1, 400, "invalid", "cursor");
#undef TRY
  {
    /* In the middle of a first pull, of an object that there is not any more: it begins again, nothing is skipped. */
    g_autofree char *text = NULL;
    g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_PULL);
    g_autoptr (KtReply) reply = NULL;
    g_autoptr (KtPage) page = NULL;
    gboolean found = FALSE;

    cursor = good;
    cursor.snapshot = TRUE;
    cursor.object = 9999;
    cursor.rid = 5;
    text = kt_cursor_encode (&cursor);
    request->token = g_strdup (bad->ben->token);
    kt_request_set_query (request, "cursor", text);
    reply = kt_core_handle (bad->fixture->core, request);
    page =
      kt_page_open (kt_core_schema (bad->fixture->core), g_steal_pointer (&reply->body), &error);
    g_assert_no_error (error);
    while (kt_page_next (page, &error) == KT_PAGE_ROW)
      {
        char id[KT_ID_TEXT_SIZE];

        kt_id_format (&page->id, id);
        found = found || strcmp (id, bad->account) == 0;
      }
    g_assert_true (found);
  }
  for (guint i = 0; bad->ben->cursor[i] != '\0'; i++)
    {
      g_autofree char *text = g_strdup (bad->ben->cursor);

      text[i] = text[i] == 'A' ? 'B' : 'A';
      assert_pull (bad, text, 400, "invalid", "cursor");
      text[i] = '\0';
      if (i > 0)
        assert_pull (bad, text, 400, "invalid", "cursor");
    }
}

static KtReply *
push_text (Bad *bad, const Device *device, const char *text)
{
  g_autofree char *body = g_strdup_printf (
    "{\"device\":\"%s\",\"epoch\":\"%s\",\"mutations\":[%s]}", device->id, bad->epoch, text);

  return ask (bad->fixture, KT_ENDPOINT_PUSH, bad->ben->token, NULL, body);
}

static char *
simple (Bad *bad, gint64 number)
{
  g_autofree char *id = new_id (bad->fixture);
  g_autofree char *op = op_create ("account", id, "\"name\":[null,\"A\"]");

  return mutation (bad, number, "", op);
}

static void
test_numbers (Bad *bad, gconstpointer data)
{
  static const char *const wrong[] = { "0",  "-1", "1.5", "\"6\"", "null", "9223372036854775808",
                                       "1e3" };

  {
    /* From the future: where the device stands is said. */
    g_autofree char *text = simple (bad, bad->ben->number + 2);
    g_autoptr (KtReply) reply = push_text (bad, bad->ben, text);
    g_autoptr (KtJson) json = reply_json (reply);

    assert_says (bad, reply, 409, "conflict", "does not follow");
    g_assert_cmpint (kt_json_get_int (kt_json_get (json, "error"), "last_number", -1), ==,
                     bad->ben->number);
  }
  {
    g_autofree char *text = simple (bad, G_MAXINT64);
    g_autoptr (KtReply) reply = push_text (bad, bad->ben, text);

    assert_says (bad, reply, 409, "conflict", "9223372036854775807");
  }
  {
    /* A gap inside. */
    g_autofree char *one = simple (bad, bad->ben->number + 1);
    g_autofree char *two = simple (bad, bad->ben->number + 3);
    g_autofree char *both = g_strjoin (",", one, two, NULL);
    g_autoptr (KtReply) reply = push_text (bad, bad->ben, both);

    assert_says (bad, reply, 409, "conflict", "without gaps");
  }
  {
    /* Twice the same. */
    g_autofree char *one = simple (bad, bad->ben->number + 1);
    g_autofree char *both = g_strjoin (",", one, one, NULL);
    g_autoptr (KtReply) reply = push_text (bad, bad->ben, both);

    assert_says (bad, reply, 409, "conflict", "without gaps");
  }
  {
    /* Of the past, for something else. */
    g_autofree char *text = simple (bad, 1);
    g_autoptr (KtReply) reply = push_text (bad, bad->ben, text);

    assert_says (bad, reply, 409, "conflict", "Number 1 ");
  }
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autofree char *good = simple (bad, 4711);
      g_autoptr (GString) text = g_string_new (good);
      g_autoptr (KtReply) reply = NULL;

      g_string_replace (text, "4711", wrong[i], 1);
      reply = push_text (bad, bad->ben, text->str);
      assert_says (bad, reply, 400, "invalid", "number");
    }
}

/* A device of somebody else, and one that nobody ever had. */
static void
test_devices (Bad *bad, gconstpointer data)
{
  g_autofree char *text = simple (bad, bad->ben->number + 1);
  g_autoptr (KtReply) reply = push_text (bad, bad->cho, text);
  Device nobody = { .id = (char *) "01900000-dead-7000-8000-00000000beef" };
  g_autoptr (KtReply) second = push_text (bad, &nobody, text);

  assert_says (bad, reply, 403, "forbidden", "device");
  assert_says (bad, second, 403, "forbidden", "device");
}

static void
test_too_many (Bad *bad, gconstpointer data)
{
  g_autoptr (GString) list = g_string_new (NULL);
  g_autoptr (GString) ops = g_string_new (NULL);
  g_autofree char *op = op_delete ("task", bad->task, 1);
  g_autofree char *text = NULL;
  g_autoptr (KtReply) reply = NULL;

  for (guint i = 0; i <= KT_WIRE_MAX_MUTATIONS; i++)
    {
      g_autofree char *one = simple (bad, bad->ben->number + 1 + i);

      g_string_append_printf (list, "%s%s", i > 0 ? "," : "", one);
    }
  reply = push_text (bad, bad->ben, list->str);
  assert_says (bad, reply, 413, "limit", "1000 mutations");
  g_clear_pointer (&reply, kt_reply_free);

  for (guint i = 0; i <= KT_MUTATION_MAX_OPS; i++)
    g_string_append_printf (ops, "%s%s", i > 0 ? "," : "", op);
  text = mutation (bad, bad->ben->number + 1, "", ops->str);
  reply = push_text (bad, bad->ben, text);
  {
    g_autoptr (KtJson) json = reply_json (reply);
    KtJson *verdict = kt_json_at (kt_json_get (json, "verdicts"), 0);

    g_assert_cmpuint (reply->status, ==, 200);
    g_assert_cmpstr (kt_json_get_string (verdict, "outcome", NULL), ==, "refused");
    g_assert_cmpstr (kt_json_get_string (verdict, "code", NULL), ==, "limit");
    g_assert_true (unchanged (bad, "o_"));
  }
}

/* What does not exist: refused by its name, and kept. */
static void
test_unknown (Bad *bad, gconstpointer data)
{
  g_autofree char *nobody = new_id (bad->fixture);
  g_autofree char *someone = g_strdup_printf ("\"account\":[null,\"%s\"]", nobody);
  g_autofree char *ops[] = {
    op_create ("no_such_object", nobody, "\"name\":[null,\"A\"]"),
    op_create ("account", nobody, "\"no_such_field\":[null,\"A\"]"),
    op_update ("account", nobody, 3, "\"name\":[\"A\",\"B\"]"),
    op_delete ("account", nobody, 3),
    op_restore ("account", nobody, 3),
    op_update ("contact", bad->contact, 3, someone),
    op_update ("account", bad->account, 1, "\"created_at\":[null,\"2026-01-31T08:00:00.000Z\"]"),
    op_update ("account", bad->account, 1, "\"deleted_at\":[null,\"2026-01-31T08:00:00.000Z\"]"),
    op_create ("sync_conflict", nobody, "\"kind\":[null,\"field\"]"),
  };
  static const char *const words[] = { "no_such_object", "no_such_field", "", "", "", "",
                                       "created_at",     "deleted_at",    "" };

  for (guint i = 0; i < G_N_ELEMENTS (ops); i++)
    {
      g_autofree char *text = mutation (bad, bad->ben->number + 1, "", ops[i]);
      g_autoptr (KtReply) reply = push_text (bad, bad->ben, text);
      g_autoptr (KtJson) json = reply_json (reply);
      KtJson *verdict = kt_json_at (kt_json_get (json, "verdicts"), 0);

      g_test_message ("%s: %s", ops[i], kt_json_get_string (verdict, "message", "accepted"));
      g_assert_cmpuint (reply->status, ==, 200);
      g_assert_cmpstr (kt_json_get_string (verdict, "outcome", NULL), ==, "refused");
      g_assert_nonnull (strstr (kt_json_get_string (verdict, "message", ""), words[i]));
      g_assert_true (unchanged (bad, "o_"));
      g_free (g_steal_pointer (&ops[i]));
      put_back (bad);
    }
}

static void
test_ranges (Bad *bad, gconstpointer data)
{
  static const gint64 beyond[] = { 10, 11, G_MAXINT64 };
  static const char *const offsets[] = { "11", "9223372036854775807",  "9223372036854775808",
                                         "-1", "-9223372036854775808", "x",
                                         "" };
  g_autofree char *other = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "9876543210", -1);

  for (guint i = 0; i < G_N_ELEMENTS (beyond); i++)
    {
      g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_BLOB_GET);
      g_autoptr (KtReply) reply = NULL;

      request->token = g_strdup (bad->ben->token);
      request->rest = g_strdup (bad->blob);
      request->range_start = beyond[i];
      reply = kt_core_handle (bad->fixture->core, request);
      assert_says (bad, reply, 416, "invalid", "10");
    }
  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    {
      g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_BLOB_PUT);
      g_autoptr (KtReply) reply = NULL;

      request->token = g_strdup (bad->ben->token);
      request->rest = g_strdup (other);
      kt_request_set_query (request, "offset", offsets[i]);
      request->body = g_bytes_new_static ("9876543210", 10);
      reply = kt_core_handle (bad->fixture->core, request);
      g_test_message ("%s: %u", offsets[i], reply->status);
      g_assert_cmpuint (reply->status, >=, 400);
      g_assert_cmpuint (reply->status, <, 500);
      g_assert_true (unchanged (bad, ""));
    }
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*run) (Bad *, gconstpointer);
  } cases[] = {
    { "push", test_push },         { "login", test_login },     { "pull", test_pull },
    { "device", test_device },     { "rows", test_rows },       { "history", test_history },
    { "digest", test_digest },     { "blobs", test_blobs },     { "tokens", test_tokens },
    { "cursors", test_cursors },   { "numbers", test_numbers }, { "devices", test_devices },
    { "too-many", test_too_many }, { "unknown", test_unknown }, { "ranges", test_ranges },
  };

  fixture_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/server/bad-input/", cases[i].name, NULL);

      g_test_add (path, Bad, NULL, set_up, cases[i].run, tear_down);
    }
  return g_test_run ();
}
