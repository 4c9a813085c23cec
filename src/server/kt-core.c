/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A connection to a workspace, and the way of a request through it:
 *
 *   KtRequest → kt_core_handle → token → READ:  one snapshot, answered from it
 *                                      → push:  kt-core-push.c, the only one that takes a seq
 *
 * Every transaction starts with _kt_core_begin, which reads the newest seq, the
 * epoch and the digest of the schema: what another process changed is seen there and nowhere else. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"
#include "kt-scope.h"

#include <string.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

#define WORKSPACE_FILE "workspace.json"
#define DATABASE_FILE "workspace.db"

/* ---- small things ---- */

void
_kt_time_format (gint64 us, char out[KT_TIME_SIZE])
{
  /* Years 0001 to 9999: what a date_time can say. */
  gint64 ms =
    CLAMP (us / 1000, G_GINT64_CONSTANT (-62135596800000), G_GINT64_CONSTANT (253402300799999));
  gint64 seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (seconds);

  g_snprintf (out, KT_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", g_date_time_get_year (time),
              g_date_time_get_month (time), g_date_time_get_day_of_month (time),
              g_date_time_get_hour (time), g_date_time_get_minute (time),
              g_date_time_get_second (time), (int) (ms - seconds * 1000));
}

void
_kt_core_now (KtCore *core, char out[KT_TIME_SIZE])
{
  _kt_time_format (core->env->now_us (core->env->data), out);
}

char *
_kt_table_name (const KtObject *object)
{
  return g_strdup_printf ("\"o_%s\"", object->name);
}

gboolean
_kt_value_get_id (const KtValue *value, KtId *id)
{
  if (value == NULL || (value->type != KT_VALUE_ID && value->type != KT_VALUE_ANY))
    return FALSE;
  *id = value->v.ref.id;
  return TRUE;
}

KtReply *
_kt_reply_json (guint status, GString *json)
{
  KtReply *reply = kt_reply_new (status);

  reply->content_type = g_strdup (KT_WIRE_CONTENT_JSON);
  reply->body = g_string_free_to_bytes (json);
  return reply;
}

/* What is wrong with this machine is told in general words: paths and SQL are for the log. */
const char *
_kt_machine_words (const GError *error)
{
  switch (error->domain == KT_ERROR ? (KtError) error->code : KT_ERROR_INTERNAL)
    {
    case KT_ERROR_BUSY:
      return "The server is busy: try again in a moment";
    case KT_ERROR_FULL:
      return "The server's disk is full: its administrator must make room";
    case KT_ERROR_CORRUPT:
      return "The server's database is damaged: its administrator must look at it";
    case KT_ERROR_IO:
    case KT_ERROR_NETWORK:
      return "The server cannot reach its database: try again later";
    case KT_ERROR_INTERNAL:
    case KT_ERROR_SCHEMA:
      return "The server met an unexpected problem; its log says more";
    default:
      return NULL;
    }
}

KtReply *
_kt_reply_error (const GError *error)
{
  const char *words = _kt_machine_words (error);
  g_autoptr (GError) told = NULL;

  if (words == NULL)
    return kt_reply_from_error (error);
  if (!g_error_matches (error, KT_ERROR, KT_ERROR_BUSY))
    g_warning ("%s", error->message);
  told = g_error_new_literal (KT_ERROR, error->domain == KT_ERROR ? error->code : KT_ERROR_INTERNAL,
                              words);
  return kt_reply_from_error (told);
}

gboolean
_kt_query_int (const KtRequest *request,
               const char *key,
               gint64 fallback,
               gint64 min,
               gint64 max,
               gint64 *out,
               GError **error)
{
  g_autofree char *text = kt_request_get_query (request, key);

  *out = fallback;
  if (text == NULL)
    return TRUE;
  /* "+5" is five for the C library only. */
  if (*text != '+' && g_ascii_string_to_signed (text, 10, min, max, out, NULL))
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
               "The parameter “%s” must be a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
               key, min, max);
  return FALSE;
}

void
_kt_actor_clear (KtActor *actor)
{
  kt_access_clear (&actor->access);
  g_clear_pointer (&actor->subscriptions, kt_subscriptions_free);
  g_clear_pointer (&actor->locale, g_free);
}

void
_kt_actor_system (KtCore *core, KtActor *actor)
{
  *actor = (KtActor){ .access = { .admin = TRUE }, .trusted = TRUE };
  actor->access.name = g_strdup ("Kontor");
  actor->locale = g_strdup (core->locale);
}

/* ---- the folder ---- */

gboolean
_kt_workspace_write (const char *dir, const char *name, const char *database, GError **error)
{
  g_autofree char *path = g_build_filename (dir, WORKSPACE_FILE, NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  g_autoptr (GError) local = NULL;

  kt_json_begin_object (&writer);
  kt_json_put_int (&writer, "format", KT_SERVER_FORMAT);
  kt_json_put_string (&writer, "name", name);
  if (database != NULL)
    kt_json_put_string (&writer, "database", database);
  kt_json_end_object (&writer);
  g_string_append_c (text, '\n');

  /* The URI may hold a password. */
  if (g_file_set_contents_full (path, text->str, (gssize) text->len,
                                G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                &local))
    return TRUE;
  g_set_error (error, KT_ERROR,
               g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOSPC) ? KT_ERROR_FULL
                                                                         : KT_ERROR_IO,
               "%s cannot be written: %s", path, local->message);
  return FALSE;
}

gboolean
_kt_workspace_read (const char *dir, char **name, char **database, GError **error)
{
  g_autofree char *path = g_build_filename (dir, WORKSPACE_FILE, NULL);
  g_autoptr (KtJson) json = NULL;
  gint64 format;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND,
                   "%s is no Kontor workspace (%s is missing): make one with kontor-server init",
                   dir, WORKSPACE_FILE);
      return FALSE;
    }
  json = kt_json_parse_file (path, 64 * 1024, error);
  if (json == NULL)
    return FALSE;
  format = kt_json_get_int (json, "format", 0);
  if (format < 1)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT, "%s does not describe a Kontor workspace",
                   path);
      return FALSE;
    }
  if (format > KT_SERVER_FORMAT)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NEWER,
                   "%s was made by a newer Kontor (format %" G_GINT64_FORMAT
                   ", this program knows %d): upgrade",
                   dir, format, KT_SERVER_FORMAT);
      return FALSE;
    }
  if (name != NULL)
    *name = g_strdup (kt_json_get_string (json, "name", "Kontor"));
  if (database != NULL)
    *database = g_strdup (kt_json_get_string (json, "database", NULL));
  return TRUE;
}

char *
_kt_core_blob_dir (KtCore *core)
{
  return g_build_filename (core->dir, "blobs", NULL);
}

/* ---- tables ---- */

/* Narrow tables that are only read by their key: SQLite stores them once, not twice. */
static gboolean
make_tables_1 (KtDb *db, gpointer data, GError **error)
{
  g_autoptr (GString) sql = g_string_new (
    "CREATE TABLE kt_meta (key TEXT NOT NULL PRIMARY KEY, text TEXT, number INTEGER)@;"
    "CREATE TABLE kt_log (seq INTEGER NOT NULL, object INTEGER NOT NULL, id BLOB NOT NULL,"
    " gone INTEGER NOT NULL, PRIMARY KEY (seq, object, id))@;"
    "CREATE TABLE kt_ledger (seq INTEGER NOT NULL, idx INTEGER NOT NULL, at TEXT NOT NULL,"
    " device_at TEXT, user_id BLOB, device BLOB, number INTEGER NOT NULL, origin TEXT, batch TEXT,"
    " object TEXT, id BLOB, kind TEXT NOT NULL, effect INTEGER NOT NULL, outcome TEXT NOT NULL,"
    " changes TEXT NOT NULL, PRIMARY KEY (seq, idx));"
    "CREATE INDEX kt_ledger_id ON kt_ledger (id, seq);"
    "CREATE TABLE kt_device (id BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL, name TEXT NOT NULL,"
    " wipe INTEGER NOT NULL DEFAULT 0,"
    " last_number INTEGER NOT NULL, created_at TEXT NOT NULL, seen_at TEXT NOT NULL)@;"
    "CREATE TABLE kt_login (user_id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " hash TEXT NOT NULL, enabled INTEGER NOT NULL)@;"
    "CREATE TABLE kt_token (hash BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL,"
    " device BLOB NOT NULL, created_at TEXT NOT NULL)@;"
    "CREATE INDEX kt_token_user ON kt_token (user_id);"
    "CREATE TABLE kt_throttle (key TEXT NOT NULL PRIMARY KEY, failures INTEGER NOT NULL,"
    " failed_us INTEGER NOT NULL, until_us INTEGER NOT NULL)@;"
    "CREATE TABLE kt_verdict (device BLOB NOT NULL, number INTEGER NOT NULL, outcome TEXT NOT NULL,"
    " seq INTEGER NOT NULL, code TEXT, message TEXT, id BLOB, again INTEGER NOT NULL,"
    " digest BLOB NOT NULL, PRIMARY KEY (device, number))@;"
    /* again: the number of a mutation that was decided under another one. */
    "CREATE UNIQUE INDEX kt_verdict_id ON kt_verdict (id) WHERE again = 0;"
    "CREATE TABLE kt_epoch (epoch TEXT NOT NULL PRIMARY KEY, parent TEXT, seq INTEGER NOT NULL,"
    " at TEXT NOT NULL, backup_at TEXT)@;"
    "CREATE TABLE kt_audience (object INTEGER NOT NULL, rid INTEGER NOT NULL, token BLOB NOT NULL,"
    " since INTEGER NOT NULL, PRIMARY KEY (object, rid, token))@;"
    "CREATE INDEX kt_audience_token ON kt_audience (object, token, rid);"
    "CREATE TABLE kt_lost (seq INTEGER NOT NULL, object INTEGER NOT NULL, id BLOB NOT NULL,"
    " token BLOB NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (seq, object, id, token))@;"
    "CREATE TABLE kt_scope (hash INTEGER NOT NULL PRIMARY KEY, user_id BLOB NOT NULL,"
    " seq INTEGER NOT NULL, access TEXT NOT NULL)@;"
    "CREATE INDEX kt_scope_user ON kt_scope (user_id, seq);"
    "CREATE TABLE kt_sequence (name TEXT NOT NULL PRIMARY KEY, last INTEGER NOT NULL)@;");

  g_string_replace (sql, "@", kt_db_dialect (db) == KT_DIALECT_SQLITE ? " WITHOUT ROWID" : "", 0);
  return kt_db_exec (db, sql->str, error) && kt_sums_make_table (db, error);
}

gboolean
_kt_core_make_tables (KtDb *db, GError **error)
{
  static const KtMigration migrations[] = { { 1, NULL, make_tables_1 } };

  return kt_db_migrate (db, "server", migrations, G_N_ELEMENTS (migrations), NULL, error);
}

/* ---- what the database says about itself ---- */

char *
_kt_core_meta (KtCore *core, const char *key, GError **error)
{
  char *text = NULL;

  if (!kt_db_get_text (core->db, &text, error, "SELECT text FROM kt_meta WHERE key = ?1",
                       KT_BIND_TEXT, key, KT_BIND_END))
    return NULL;
  return text;
}

gboolean
_kt_core_set_meta (KtDb *db, const char *key, const char *text, gint64 number, GError **error)
{
  return kt_db_run (
           db, error,
           "INSERT INTO kt_meta (key, text, number) VALUES (?1, ?2, ?3)"
           " ON CONFLICT (key) DO UPDATE SET text = excluded.text, number = excluded.number",
           KT_BIND_TEXT, key, KT_BIND_TEXT, text, KT_BIND_INT, number, KT_BIND_END)
         >= 0;
}

gboolean
_kt_core_put_seq (KtCore *core, gint64 seq, GError **error)
{
  return kt_sums_flush (core->sums, core->db, error)
         && kt_db_run (core->db, error, "UPDATE kt_meta SET number = ?1 WHERE key = 'seq'",
                    KT_BIND_INT, seq, KT_BIND_END)
         >= 0;
}

/* Configuration first: everything else is shown with its help. Then parents before their children:
 * things people work on, what happened with them, parts of them. */
static guint
pull_rank (const KtObject *object)
{
  if (object->conflict == KT_CONFLICT_SERVER && strcmp (object->name, "sync_conflict") != 0)
    return 0;
  if (strcmp (object->name, "sync_conflict") == 0)
    return 5;
  switch (object->kind)
    {
    case KT_KIND_ADMIN:
      return 1;
    case KT_KIND_OBJECT:
      return 2;
    case KT_KIND_ACTIVITY:
      return 3;
    case KT_KIND_CHILD:
      return 4;
    }
  return 4;
}

static void
find_order (KtCore *core)
{
  guint n;
  const KtObject *const *objects = kt_schema_objects (core->schema, &n);
  guint count = 0;

  g_free (core->order);
  core->order = g_new0 (const KtObject *, n + 1);
  for (guint rank = 0; rank <= 5; rank++)
    for (guint i = 0; i < n; i++)
      if (objects[i]->sync != KT_SYNC_DEMAND && pull_rank (objects[i]) == rank)
        core->order[count++] = objects[i];
}

static void
find_copies (KtCore *core)
{
  guint n;
  const KtObject *const *objects = kt_schema_objects (core->schema, &n);

  g_array_set_size (core->copies, 0);
  for (guint i = 0; i < n; i++)
    for (guint k = 0; k < objects[i]->n_fields; k++)
      {
        const KtField *field = objects[i]->fields[k];
        KtCopy copy = { .field = field };
        g_auto (GStrv) parts = NULL;
        const KtObject *target;

        if (field->from == NULL)
          continue;
        parts = g_strsplit (field->from, ".", 2);
        if (g_strv_length (parts) != 2)
          continue;
        copy.via = kt_object_field (objects[i], parts[0]);
        if (copy.via == NULL || copy.via->type != KT_FIELD_REF || copy.via->to == NULL)
          continue;
        target = kt_schema_object (core->schema, copy.via->to[0]);
        copy.source = target != NULL ? kt_object_field (target, parts[1]) : NULL;
        if (copy.source != NULL && copy.source->storage == field->storage)
          g_array_append_val (core->copies, copy);
      }
}

gboolean
_kt_core_use_schema (KtCore *core, KtSchema *schema, GError **error)
{
  KtExpressionEngine *engine = kt_expression_engine_new (schema, error);

  if (engine == NULL)
    {
      kt_schema_unref (schema);
      return FALSE;
    }
  g_clear_pointer (&core->engine, kt_expression_engine_unref);
  core->engine = engine;
  g_ptr_array_add (core->schemas, schema);
  core->schema = schema;
  find_order (core);
  find_copies (core);
  return TRUE;
}

static gboolean
load_schema (KtCore *core, GError **error)
{
  g_autofree char *text = NULL;
  KtSchema *schema;

  if (!kt_db_get_text (core->db, &text, error, "SELECT text FROM kt_meta WHERE key = 'schema'",
                       KT_BIND_END))
    return FALSE;
  if (text == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT, "The workspace in %s holds no schema",
                   core->dir);
      return FALSE;
    }
  schema = kt_schema_from_json (text, -1, error);
  return schema != NULL && _kt_core_use_schema (core, schema, error);
}

/* Inside a transaction. */
static gboolean
refresh (KtCore *core, gint64 *seq, GError **error)
{
  KT_STMT_SCOPE *stmt = NULL;
  gboolean have_seq = FALSE, have_epoch = FALSE, reload = core->schema == NULL;
  gint64 roles = 0;
  KtStep step;

  stmt = kt_db_stmt (
    core->db,
    "SELECT key, text, number FROM kt_meta WHERE key IN ('seq', 'epoch', 'schema_digest', 'roles')", error);
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      const char *key = kt_stmt_text (stmt, 0);

      if (g_strcmp0 (key, "seq") == 0)
        {
          *seq = kt_stmt_int (stmt, 2);
          have_seq = TRUE;
        }
      else if (g_strcmp0 (key, "epoch") == 0)
        have_epoch = kt_id_parse (kt_stmt_text (stmt, 1), -1, &core->epoch);
      else if (g_strcmp0 (key, "roles") == 0)
        roles = kt_stmt_int (stmt, 2);
      else if (!reload)
        reload = g_strcmp0 (kt_stmt_text (stmt, 1), kt_schema_digest (core->schema)) != 0;
    }
  if (step == KT_STEP_ERROR)
    return FALSE;
  if (!have_seq || !have_epoch)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT,
                   "The database of the workspace in %s is not complete: put a backup in its place",
                   core->dir);
      return FALSE;
    }
  if (roles != core->roles)
    g_hash_table_remove_all (core->rights);
  core->roles = roles;
  return !reload || load_schema (core, error);
}

gboolean
_kt_core_begin (KtCore *core, KtTxMode mode, gint64 *seq, GError **error)
{
  gint64 locked;

  if (!kt_db_begin (core->db, mode, error))
    return FALSE;
  kt_sums_clear (core->sums);
  if (mode == KT_TX_WRITE && kt_db_dialect (core->db) == KT_DIALECT_POSTGRESQL
      && !kt_db_get_int (core->db, 0, &locked, error,
                         "SELECT number FROM kt_meta WHERE key = 'seq' FOR UPDATE", KT_BIND_END))
    {
      kt_db_rollback (core->db);
      return FALSE;
    }
  if (refresh (core, seq, error))
    return TRUE;
  kt_db_rollback (core->db);
  return FALSE;
}

/* ---- open, close ---- */

KtCore *
_kt_core_open_uri (const char *dir, const char *uri, const KtEnv *env, GError **error)
{
  g_autoptr (KtCore) core = g_new0 (KtCore, 1);
  gint64 seq;

  core->dir = g_strdup (dir);
  core->env = env;
  core->schemas = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_schema_unref);
  core->copies = g_array_new (FALSE, FALSE, sizeof (KtCopy));
  core->sums = kt_sums_new ();
  core->rights = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free,
                                        (GDestroyNotify) kt_rights_unref);
  core->scopes = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  core->audience_fields =
    g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_ptr_array_unref);
  core->db = kt_db_open (uri, 0, error);
  if (core->db == NULL || !_kt_core_make_tables (core->db, error)
      || !_kt_core_begin (core, KT_TX_READ, &seq, error))
    return NULL;
  core->workspace = _kt_core_meta (core, "workspace", NULL);
  core->currency = _kt_core_meta (core, "currency", NULL);
  core->locale = _kt_core_meta (core, "locale", NULL);
  kt_db_rollback (core->db);
  return g_steal_pointer (&core);
}

KtCore *
kt_core_open (const char *dir, const KtEnv *env, GError **error)
{
  g_autofree char *database = NULL;

  g_return_val_if_fail (dir != NULL && env != NULL, NULL);

  if (!_kt_workspace_read (dir, NULL, &database, error))
    return NULL;
  if (database == NULL)
    {
      database = g_build_filename (dir, DATABASE_FILE, NULL);
      if (!g_file_test (database, G_FILE_TEST_EXISTS))
        {
          g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT,
                       "%s is missing: put a backup in its place (kontor-server restore)",
                       database);
          return NULL;
        }
    }
  return _kt_core_open_uri (dir, database, env, error);
}

void
kt_core_close (KtCore *core)
{
  if (core == NULL)
    return;

  kt_db_close (core->db);
  g_clear_pointer (&core->engine, kt_expression_engine_unref);
  g_clear_pointer (&core->copies, g_array_unref);
  g_clear_pointer (&core->sums, kt_sums_free);
  g_clear_pointer (&core->rights, g_hash_table_unref);
  g_clear_pointer (&core->scopes, g_hash_table_unref);
  g_clear_pointer (&core->audience_fields, g_hash_table_unref);
  g_clear_pointer (&core->schemas, g_ptr_array_unref);
  g_free (core->order);
  g_free (core->workspace);
  g_free (core->currency);
  g_free (core->locale);
  g_free (core->dir);
  g_free (core);
}

KtDb *
kt_core_db (KtCore *core)
{
  return core->db;
}

const KtSchema *
kt_core_schema (KtCore *core)
{
  return core->schema;
}

gint64
kt_core_seq (KtCore *core)
{
  gint64 seq = -1;

  g_return_val_if_fail (core != NULL, -1);

  if (!kt_db_get_int (core->db, -1, &seq, NULL, "SELECT number FROM kt_meta WHERE key = 'seq'",
                      KT_BIND_END))
    return -1;
  return seq;
}

static gboolean
put_schema (KtCore *core, const KtSchema *schema, GError **error)
{
  return kt_table_ensure (core->db, schema, KT_TABLE_SERVER, error)
         && _kt_core_resum_changed (core, core->schema, schema, error)
         && _kt_core_set_meta (core->db, "schema", kt_schema_to_json (schema), 0, error)
         && _kt_core_set_meta (core->db, "schema_digest", kt_schema_digest (schema), 0, error);
}

gboolean
kt_core_set_schema (KtCore *core, const KtSchema *schema, GError **error)
{
  gint64 seq;

  g_return_val_if_fail (core != NULL && schema != NULL, FALSE);

  if (!_kt_core_begin (core, KT_TX_WRITE, &seq, error))
    return FALSE;
  if (!put_schema (core, schema, error))
    {
      kt_db_rollback (core->db);
      return FALSE;
    }
  return kt_db_commit (core->db, error)
         && _kt_core_use_schema (core, kt_schema_ref (schema), error);
}

/* ---- requests ---- */

static KtReply *
hello (KtCore *core)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char epoch[KT_ID_TEXT_SIZE], now[KT_TIME_SIZE];

  kt_id_format (&core->epoch, epoch);
  _kt_core_now (core, now);
  kt_json_begin_object (&writer);
  kt_json_put_int (&writer, "kontor", KT_PROTOCOL);
  kt_json_put_string (&writer, "version", PACKAGE_VERSION);
  kt_json_put_string (&writer, "workspace", core->workspace);
  kt_json_put_string (&writer, "epoch", epoch);
  kt_json_put_string (&writer, "time", now);
  kt_json_end_object (&writer);
  return _kt_reply_json (200, text);
}

static KtReply *
schema_reply (KtCore *core, const KtRequest *request)
{
  const char *digest = kt_schema_digest (core->schema);
  KtReply *reply;

  if (g_strcmp0 (request->etag, digest) == 0)
    reply = kt_reply_new (304);
  else
    {
      reply = kt_reply_new (200);
      reply->content_type = g_strdup (KT_WIRE_CONTENT_JSON);
      reply->body =
        g_bytes_new (kt_schema_to_json (core->schema), strlen (kt_schema_to_json (core->schema)));
    }
  reply->etag = g_strdup (digest);
  return reply;
}

/* What names a scope must be found again when it comes back; most often it is there. Takes @reply. */
static KtReply *
with_scope (KtCore *core, const KtActor *actor, gboolean known, KtReply *reply)
{
  g_autoptr (GError) error = NULL;

  if (known || reply->status != 200 || _kt_scope_remember (core, actor, &error))
    return reply;
  kt_reply_free (reply);
  return _kt_reply_error (error);
}

/* Answered from one snapshot. */
static KtReply *
handle_reading (KtCore *core, const KtRequest *request)
{
  g_auto (KtActor) actor = { 0 };
  g_autoptr (GError) error = NULL;
  KtReply *reply = NULL;
  gboolean known = TRUE;
  gint64 seq;

  if (!_kt_core_begin (core, KT_TX_READ, &seq, &error))
    return _kt_reply_error (error);
  if (kt_endpoint_info (request->endpoint)->needs_token
      && (!_kt_core_actor (core, request->token, &actor, &error)
          || ((request->endpoint == KT_ENDPOINT_PULL || request->endpoint == KT_ENDPOINT_ACCESS)
              && !_kt_scope_known (core, &actor, &known, &error))))
    reply = _kt_reply_error (error);
  else if (_kt_core_wipes (core, &actor, request->endpoint, &error))
    reply = error != NULL ? _kt_reply_error (error) : _kt_core_wipe_reply (&actor);
  else
    switch (request->endpoint)
      {
      case KT_ENDPOINT_HELLO:
        reply = hello (core);
        break;
      case KT_ENDPOINT_SCHEMA:
        reply = schema_reply (core, request);
        break;
      case KT_ENDPOINT_ACCESS:
        reply = _kt_core_access (core, &actor, request);
        break;
      case KT_ENDPOINT_PULL:
        reply = _kt_core_pull (core, &actor, request);
        break;
      case KT_ENDPOINT_HISTORY:
        reply = _kt_core_history (core, &actor, request);
        break;
      case KT_ENDPOINT_DIGEST:
        reply = _kt_core_digest (core, &actor, request);
        break;
      case KT_ENDPOINT_ROWS:
        reply = _kt_core_rows (core, &actor, request);
        break;
      case KT_ENDPOINT_BLOB_GET:
        reply = _kt_core_blob_get (core, &actor, request);
        break;
      case KT_ENDPOINT_BLOB_STAT:
        reply = _kt_core_blob_stat (core, &actor, request);
        break;
      default:
        g_assert_not_reached ();
      }
  kt_db_rollback (core->db);
  _kt_core_mend_sums (core);
  return with_scope (core, &actor, known, reply);
}

/* Opens its transactions itself. */
static KtReply *
handle_writing (KtCore *core, const KtRequest *request)
{
  g_auto (KtActor) actor = { 0 };
  g_autoptr (GError) error = NULL;

  if (!_kt_core_actor (core, request->token, &actor, &error))
    return _kt_reply_error (error);
  switch (request->endpoint)
    {
    case KT_ENDPOINT_PUSH:
      return _kt_core_push (core, &actor, request);
    case KT_ENDPOINT_DEVICE:
      return _kt_core_device (core, &actor, request);
    default:
      return _kt_core_blob_put (core, &actor, request);
    }
}

KtReply *
kt_core_handle (KtCore *core, const KtRequest *request)
{
  const KtEndpointInfo *info;
  g_autoptr (GError) error = NULL;

  g_return_val_if_fail (core != NULL && request != NULL, NULL);

  info = kt_endpoint_info (request->endpoint);
  if (request->body != NULL && g_bytes_get_size (request->body) > info->max_body)
    {
      g_set_error (&error, KT_ERROR, KT_ERROR_LIMIT,
                   "The request is larger than %" G_GSIZE_FORMAT " bytes", info->max_body);
      return _kt_reply_error (error);
    }
  if (!kt_request_check_query (request, &error))
    return _kt_reply_error (error);
  switch (request->endpoint)
    {
    case KT_ENDPOINT_LOGIN:
      return _kt_core_login (core, request);
    case KT_ENDPOINT_LOGOUT:
      return _kt_core_logout (core, request);
    case KT_ENDPOINT_PUSH:
    case KT_ENDPOINT_DEVICE:
    case KT_ENDPOINT_BLOB_PUT:
      return handle_writing (core, request);
    case KT_ENDPOINT_LIVE:
    case KT_N_ENDPOINTS:
      g_set_error (&error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is nothing at this address");
      return _kt_reply_error (error);
    default:
      return handle_reading (core, request);
    }
}
