/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Opening a profile, its small settings, who is signed in, and transactions.
 *
 * Another process (kontorctl beside the window) may commit at any time: what is
 * cached here is compared with SQLite's data_version at the start of every
 * transaction and read anew when that moved. After a rollback it is read anew, too. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "db/kt-system-env.h"

static const KtMigration migrations[] = {
  { 1,
    "CREATE TABLE kt_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE kt_shadow (id BLOB PRIMARY KEY, object TEXT NOT NULL, rev INTEGER NOT NULL,"
    "  record TEXT) WITHOUT ROWID;"
    "CREATE TABLE kt_outbox (no INTEGER PRIMARY KEY AUTOINCREMENT, state INTEGER NOT NULL,"
    "  number INTEGER, at TEXT NOT NULL, origin TEXT NOT NULL, batch TEXT, resolves BLOB,"
    "  resolution TEXT, made INTEGER NOT NULL, reason TEXT, code TEXT, outcome INTEGER, seq INTEGER,"
    "  id BLOB NOT NULL, again INTEGER NOT NULL DEFAULT 0, escrow INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX kt_outbox_number ON kt_outbox (number) WHERE number IS NOT NULL;"
    "CREATE INDEX kt_outbox_state ON kt_outbox (state);"
    "CREATE INDEX kt_outbox_batch ON kt_outbox (batch) WHERE batch IS NOT NULL;"
    "CREATE TABLE kt_outbox_op (no INTEGER NOT NULL, pos INTEGER NOT NULL, kind INTEGER NOT NULL,"
    "  object TEXT NOT NULL, id BLOB NOT NULL, base_rev INTEGER NOT NULL, patch TEXT, muted TEXT,"
    "  PRIMARY KEY (no, pos)) WITHOUT ROWID;"
    "CREATE INDEX kt_outbox_op_id ON kt_outbox_op (id);"
    "CREATE TABLE kt_done (no INTEGER PRIMARY KEY, batch TEXT, inverse TEXT NOT NULL);"
    "CREATE INDEX kt_done_batch ON kt_done (batch) WHERE batch IS NOT NULL;"
    "CREATE TABLE kt_settled (no INTEGER PRIMARY KEY, device BLOB NOT NULL, number INTEGER NOT NULL,"
    "  age INTEGER NOT NULL, made INTEGER NOT NULL, bytes INTEGER NOT NULL, json TEXT NOT NULL, seq INTEGER);"
    "CREATE TABLE kt_kept (n INTEGER PRIMARY KEY, at TEXT NOT NULL, why TEXT NOT NULL, json TEXT NOT NULL);"
    "CREATE TABLE kt_news (n INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  object TEXT, id BLOB, conflict BLOB, text TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX kt_news_unseen ON kt_news (seen) WHERE seen=0;"
    "CREATE TABLE kt_stage (pos INTEGER PRIMARY KEY, object TEXT NOT NULL, id BLOB NOT NULL,"
    "  rev INTEGER NOT NULL, record TEXT);"
    "CREATE INDEX kt_stage_id ON kt_stage (id);"
    "CREATE TABLE kt_digest (child INTEGER NOT NULL, object INTEGER NOT NULL, records INTEGER NOT NULL,"
    "  sum BLOB NOT NULL, PRIMARY KEY (child, object)) WITHOUT ROWID;"
    "CREATE TABLE kt_bare (name TEXT PRIMARY KEY, sql TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE kt_history (id BLOB PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE kt_blob (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, sent INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE kt_pin (id BLOB PRIMARY KEY) WITHOUT ROWID;"
    "CREATE VIRTUAL TABLE kt_search USING fts5 (title, body, keys, content='', prefix='2 3',"
    "  tokenize=\"unicode61 remove_diacritics 0\");",
    NULL },
};

/* ---- meta ---- */

char *
_kt_local_meta (KtLocal *local, const char *key, GError **error)
{
  char *value = NULL;

  if (!kt_db_get_text (local->db, &value, error, "SELECT value FROM kt_meta WHERE key=?1",
                       KT_BIND_TEXT, key, KT_BIND_END))
    return NULL;
  return value;
}

gint64
_kt_local_meta_int (KtLocal *local, const char *key, gint64 fallback)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *text = _kt_local_meta (local, key, &failure);

  if (failure != NULL && local->failure == NULL)
    local->failure = g_steal_pointer (&failure);
  return text != NULL ? g_ascii_strtoll (text, NULL, 10) : fallback;
}

gboolean
_kt_local_put_meta (KtLocal *local, const char *key, const char *value, GError **error)
{
  if (value == NULL)
    return kt_db_run (local->db, error, "DELETE FROM kt_meta WHERE key=?1", KT_BIND_TEXT, key,
                      KT_BIND_END)
           >= 0;
  return kt_db_run (local->db, error,
                    "INSERT INTO kt_meta (key, value) VALUES (?1, ?2)"
                    " ON CONFLICT (key) DO UPDATE SET value=excluded.value",
                    KT_BIND_TEXT, key, KT_BIND_TEXT, value, KT_BIND_END)
         >= 0;
}

gboolean
_kt_local_put_meta_int (KtLocal *local, const char *key, gint64 value, GError **error)
{
  char text[32];

  g_snprintf (text, sizeof text, "%" G_GINT64_FORMAT, value);
  return _kt_local_put_meta (local, key, text, error);
}

/* ---- identity ---- */

void
kt_identity_clear (KtIdentity *identity)
{
  kt_access_clear (&identity->access);
  g_clear_pointer (&identity->server, g_free);
  g_clear_pointer (&identity->user_name, g_free);
  g_clear_pointer (&identity->currency, g_free);
  g_clear_pointer (&identity->workspace, g_free);
}

static void
identity_free (KtIdentity *identity)
{
  if (identity == NULL)
    return;
  kt_identity_clear (identity);
  g_free (identity);
}

static void
put_id (KtJsonWriter *writer, const char *key, const KtId *id)
{
  char text[KT_ID_TEXT_SIZE];

  kt_id_format (id, text);
  kt_json_put_string (writer, key, text);
}

static char *
identity_to_string (const KtIdentity *identity)
{
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_json_begin_object (&writer);
  put_id (&writer, "user", &identity->access.user);
  kt_json_put_bool (&writer, "admin", identity->access.admin);
  kt_json_put_string (&writer, "name", identity->access.name);
  put_id (&writer, "device", &identity->device);
  put_id (&writer, "epoch", &identity->epoch);
  kt_json_put_string (&writer, "server", identity->server);
  kt_json_put_string (&writer, "user_name", identity->user_name);
  kt_json_put_string (&writer, "currency", identity->currency);
  kt_json_put_string (&writer, "workspace", identity->workspace);
  kt_json_end_object (&writer);
  return g_string_free (out, FALSE);
}

static void
get_id (const KtJson *json, const char *key, KtId *out)
{
  const char *text = kt_json_get_string (json, key, "");

  if (!kt_id_parse (text, -1, out))
    *out = KT_ID_NIL;
}

static KtIdentity *
identity_from_string (const char *text, GError **error)
{
  g_autoptr (KtJson) json = kt_json_parse (text, -1, error);
  KtIdentity *identity;

  if (json == NULL)
    return NULL;
  identity = g_new0 (KtIdentity, 1);
  get_id (json, "user", &identity->access.user);
  identity->access.admin = kt_json_get_bool (json, "admin", FALSE);
  identity->access.name = g_strdup (kt_json_get_string (json, "name", NULL));
  get_id (json, "device", &identity->device);
  get_id (json, "epoch", &identity->epoch);
  identity->server = g_strdup (kt_json_get_string (json, "server", NULL));
  identity->user_name = g_strdup (kt_json_get_string (json, "user_name", NULL));
  identity->currency = g_strdup (kt_json_get_string (json, "currency", NULL));
  identity->workspace = g_strdup (kt_json_get_string (json, "workspace", NULL));
  return identity;
}

/* ---- cached state ---- */

gboolean
_kt_local_refresh (KtLocal *local, GError **error)
{
  g_autofree char *identity = NULL;
  g_autofree char *old = NULL;
  g_autofree char *locale = NULL;
  g_autofree char *digest = NULL;
  g_autoptr (GError) failure = NULL;
  gint64 seq, settled;
  gboolean ready;

  identity = _kt_local_meta (local, "kt:identity", &failure);
  if (failure == NULL)
    locale = _kt_local_meta (local, "kt:locale", &failure);
  if (failure == NULL)
    digest = _kt_local_meta (local, "kt:schema_digest", &failure);
  ready = _kt_local_meta_int (local, "kt:ready", 0) != 0;
  seq = _kt_local_meta_int (local, "kt:seq", 0);
  settled = _kt_local_meta_int (local, "kt:settled", 0);
  if (failure != NULL || local->failure != NULL)
    {
      g_propagate_error (error, failure != NULL ? g_steal_pointer (&failure)
                                                : g_error_copy (local->failure));
      return FALSE;
    }
  old = local->identity != NULL ? identity_to_string (local->identity) : NULL;
  if (g_strcmp0 (old, identity) != 0)
    {
      KtIdentity *fresh = identity != NULL ? identity_from_string (identity, error) : NULL;

      if (identity != NULL && fresh == NULL)
        return FALSE;
      identity_free (local->identity);
      local->identity = fresh;
      local->stamp++;
    }

  if (!_kt_local_use_access (local, error))
    return FALSE;

  if (ready != local->ready)
    {
      local->ready = ready;
      local->stamp++;
    }
  local->seq = seq;
  local->settled = settled;
  if (locale != NULL && g_strcmp0 (locale, local->locale) != 0)
    {
      g_free (local->locale);
      local->locale = g_steal_pointer (&locale);
    }
  if (g_strcmp0 (digest, local->schema_digest) != 0)
    return _kt_local_load_schema (local, error);
  return TRUE;
}

static gboolean
follow (KtLocal *local, GError **error)
{
  gint64 version = kt_db_data_version (local->db);

  if (version == local->data_version)
    return TRUE;
  if (!_kt_local_refresh (local, error))
    return FALSE;
  /* What others wrote may have named records. */
  g_hash_table_remove_all (local->names);
  local->data_version = version;
  return TRUE;
}

/* ---- transactions ---- */

static gboolean
relax (KtLocal *local, gboolean relaxed, GError **error)
{
  if (local->relaxed == relaxed)
    return TRUE;
  /* The pragma takes the log's hook. */
  kt_db_checkpoint_beside (local->db, FALSE);
  if (!kt_db_exec (local->db,
                   relaxed ? "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=20000; PRAGMA secure_delete=OFF"
                           : "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000; PRAGMA secure_delete=ON",
                   error))
    return FALSE;
  local->relaxed = relaxed;
  kt_db_checkpoint_beside (local->db, local->beside && !relaxed);
  return TRUE;
}

void
_kt_local_checkpoint_beside (KtLocal *local)
{
  local->beside = TRUE;
  kt_db_checkpoint_beside (local->db, !local->relaxed);
}

static gboolean
begin (KtLocal *local, KtTxMode mode, gboolean relaxed, GError **error)
{
  if (mode == KT_TX_WRITE)
    {
      if (local->read_only)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INTERNAL, "%s was opened for reading",
                       local->path);
          return FALSE;
        }
      if (!relax (local, relaxed, error))
        return FALSE;
    }
  if (!kt_db_begin (local->db, mode, error))
    return FALSE;
  g_clear_error (&local->failure);
  if (follow (local, error))
    {
      local->begun.seq = local->seq;
      local->begun.settled = local->settled;
      local->begun.ready = local->ready;
      return TRUE;
    }
  kt_db_rollback (local->db);
  return FALSE;
}

gboolean
_kt_local_begin (KtLocal *local, KtTxMode mode, GError **error)
{
  return begin (local, mode, FALSE, error);
}

gboolean
_kt_local_begin_relaxed (KtLocal *local, GError **error)
{
  return begin (local, KT_TX_WRITE, TRUE, error);
}

gboolean
_kt_local_commit (KtLocal *local, GError **error)
{
  if (local->failure != NULL)
    g_propagate_error (error, g_error_copy (local->failure));
  else if (kt_db_commit (local->db, error))
    return TRUE;
  _kt_local_rollback (local);
  return FALSE;
}

void
_kt_local_rollback (KtLocal *local)
{
  g_autoptr (GError) error = NULL;

  kt_db_rollback (local->db);
  g_hash_table_remove_all (local->names);
  g_clear_error (&local->failure);
  if (_kt_local_refresh (local, &error))
    return;
  /* The disk fails: what the transaction found stands again, and the next one looks for itself. */
  g_debug ("after a rollback: %s", error->message);
  g_clear_error (&local->failure);
  local->seq = local->begun.seq;
  local->settled = local->begun.settled;
  local->ready = local->begun.ready;
  local->data_version = -1;
}

gboolean
_kt_local_read_begin (KtLocal *local, gboolean *mine, GError **error)
{
  *mine = !kt_db_in_transaction (local->db);
  return !*mine || begin (local, KT_TX_READ, FALSE, error);
}

void
_kt_local_read_end (KtLocal *local, gboolean mine)
{
  if (mine)
    kt_db_rollback (local->db);
}

gboolean
kt_local_refresh (KtLocal *local, GError **error)
{
  gboolean mine;

  if (!_kt_local_read_begin (local, &mine, error))
    return FALSE;
  _kt_local_read_end (local, mine);
  return TRUE;
}

gboolean
_kt_local_require (KtLocal *local, GError **error)
{
  if (local->schema != NULL && local->identity != NULL)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_AUTH, "Nobody has signed in here yet: sign in first");
  return FALSE;
}

char *
_kt_local_now (KtLocal *local)
{
  gint64 now = local->env->now_us (local->env->data);
  g_autoptr (GDateTime) seconds = g_date_time_new_from_unix_utc (now / G_USEC_PER_SEC);
  g_autofree char *text =
    seconds != NULL ? g_date_time_format (seconds, "%Y-%m-%dT%H:%M:%S") : NULL;

  if (text == NULL || strlen (text) != 19) /* a clock beyond the year 9999 */
    return g_strdup ("9999-12-31T23:59:59.000Z");
  return g_strdup_printf ("%s.%03dZ", text, (int) (now % G_USEC_PER_SEC / 1000));
}

/* ---- opening ---- */

/* What a damaged profile means to a person, and what was saved from it. */
static void
explain_damage (const char *dir, const char *path, KtDb *db, GError **error)
{
  g_autoptr (GDateTime) now = NULL;
  g_autofree char *date = NULL;
  g_autofree char *unsent = NULL;
  g_autofree char *message = NULL;
  gboolean exported = FALSE;

  if (error == NULL || !g_error_matches (*error, KT_ERROR, KT_ERROR_CORRUPT))
    return;
  now = g_date_time_new_now_local ();
  date = g_date_time_format (now, "%Y%m%d-%H%M%S");
  unsent = g_strdup_printf ("%s/unsent-%s.json", dir, date);
  if (db != NULL)
    _kt_local_export_unsent (db, unsent, &exported);
  message = g_strdup_printf (
    "The local data in %s is damaged. Rename it to %s.damaged-%s and start again: everything that was "
    "sent comes back from the server. %s%s (%s)",
    path, path, date,
    exported ? "What had not been sent was saved to "
             : "What had not been sent could not be read from it",
    exported ? unsent : "", (*error)->message);
  g_clear_error (error);
  g_set_error_literal (error, KT_ERROR, KT_ERROR_CORRUPT, message);
}

static gboolean
make_dir (const char *dir, KtLocalFlags flags, GError **error)
{
  if (g_file_test (dir, G_FILE_TEST_IS_DIR))
    return TRUE;
  if ((flags & KT_LOCAL_CREATE) == 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no profile in %s: sign in first",
                   dir);
      return FALSE;
    }
  if (g_mkdir_with_parents (dir, 0700) == 0)
    return TRUE;
  g_set_error (error, KT_ERROR, errno == ENOSPC || errno == EDQUOT ? KT_ERROR_FULL : KT_ERROR_IO,
               "The folder %s could not be made: %s", dir, g_strerror (errno));
  return FALSE;
}

static gboolean
open_file (KtLocal *local, KtLocalFlags flags, GError **error)
{
  KtDbFlags db_flags = 0;

  if (!make_dir (local->dir, flags, error))
    return FALSE;
  if (!g_file_test (local->path, G_FILE_TEST_EXISTS) && (flags & KT_LOCAL_CREATE) == 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no profile in %s: sign in first",
                   local->dir);
      return FALSE;
    }
  if (flags & KT_LOCAL_CREATE)
    db_flags |= KT_DB_CREATE;
  if (flags & KT_LOCAL_READ_ONLY)
    db_flags = KT_DB_READ_ONLY;
  local->db = kt_db_open (local->path, db_flags, error);
  return local->db != NULL;
}

static gboolean
prepare (KtLocal *local, GError **error)
{
  /* A reader cannot carry a file over, but it must not misread one either. */
  if (!kt_db_migrate (local->db, "store", migrations, G_N_ELEMENTS (migrations), local, error))
    return FALSE;
  local->data_version = kt_db_data_version (local->db);
  if (!_kt_local_refresh (local, error))
    return FALSE;
  if (local->read_only || local->schema == NULL)
    return TRUE;

  /* Code or ICU may be newer than the indices. */
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (_kt_local_ensure_indices (local, error))
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

KtLocal *
kt_local_open (const char *dir, KtLocalFlags flags, const KtEnv *env, GError **error)
{
  g_autoptr (GError) failure = NULL;
  KtLocal *local;

  g_return_val_if_fail (dir != NULL, NULL);

  local = g_new0 (KtLocal, 1);
  local->dir = g_strdup (dir);
  local->path = g_build_filename (dir, "profile.db", NULL);
  local->env = env != NULL ? env : kt_system_env ();
  local->locale = g_strdup ("en");
  local->read_only = (flags & KT_LOCAL_READ_ONLY) != 0;
  local->names = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_hash_table_unref);
  for (guint i = 0; i < G_N_ELEMENTS (local->scratch); i++)
    local->scratch[i] = g_string_new (NULL);

  if (open_file (local, flags, &failure) && prepare (local, &failure))
    return local;
  explain_damage (local->dir, local->path, local->db, &failure);
  g_propagate_error (error, g_steal_pointer (&failure));
  kt_local_close (local);
  return NULL;
}

void
kt_local_close (KtLocal *local)
{
  if (local == NULL)
    return;
  kt_db_close (local->db);
  _kt_local_use_schema (local, NULL);
  identity_free (local->identity);
  g_hash_table_unref (local->names);
  for (guint i = 0; i < G_N_ELEMENTS (local->scratch); i++)
    g_string_free (local->scratch[i], TRUE);
  g_clear_error (&local->failure);
  g_clear_pointer (&local->retired, g_ptr_array_unref);
  g_free (local->locale);
  g_free (local->path);
  g_free (local->dir);
  g_free (local);
}

KtDb *
kt_local_db (KtLocal *local)
{
  return local->db;
}

const char *
kt_local_dir (KtLocal *local)
{
  return local->dir;
}

const KtEnv *
kt_local_env (KtLocal *local)
{
  return local->env;
}

gboolean
kt_local_ready (KtLocal *local)
{
  return local->ready;
}

gint64
kt_local_seq (KtLocal *local)
{
  return local->seq;
}

guint64
_kt_local_stamp (KtLocal *local)
{
  return local->stamp;
}

const char *
kt_local_locale (KtLocal *local)
{
  return local->locale;
}

gboolean
kt_local_set_locale (KtLocal *local, const char *locale, GError **error)
{
  g_autofree char *stored = NULL;

  g_return_val_if_fail (locale != NULL && *locale != '\0', FALSE);

  stored = _kt_local_meta (local, "kt:locale", NULL);
  if (g_strcmp0 (stored, locale) == 0)
    return TRUE;
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  g_free (local->locale);
  local->locale = g_strdup (locale);
  if (_kt_local_put_meta (local, "kt:locale", locale, error)
      && _kt_local_ensure_indices (local, error))
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

char *
kt_local_get_meta (KtLocal *local, const char *key, GError **error)
{
  g_return_val_if_fail (key != NULL, NULL);

  return _kt_local_meta (local, key, error);
}

gboolean
kt_local_set_meta (KtLocal *local, const char *key, const char *value, GError **error)
{
  gboolean mine = !kt_db_in_transaction (local->db);

  g_return_val_if_fail (key != NULL, FALSE);

  if (g_str_has_prefix (key, "kt:"))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "The setting \"%s\" belongs to the store",
                   key);
      return FALSE;
    }
  if (mine && !_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (!_kt_local_put_meta (local, key, value, error))
    {
      if (mine)
        _kt_local_rollback (local);
      return FALSE;
    }
  return !mine || _kt_local_commit (local, error);
}

/* ---- who is signed in ---- */

const KtIdentity *
kt_local_identity (KtLocal *local)
{
  return local->identity;
}

/* A server that moved house still lives the same life, and one that was restored still has its address. */
static gboolean
is_other_world (const KtIdentity *a, const KtIdentity *b)
{
  return !kt_id_equal (&a->access.user, &b->access.user)
         || (g_strcmp0 (a->server, b->server) != 0 && !kt_id_equal (&a->epoch, &b->epoch));
}

/* Everything that belonged to the one who was signed in before. Settings of the device stay. */
gboolean
_kt_local_forget_everything (KtLocal *local, GError **error)
{
  return _kt_local_wipe_records (local, FALSE, error) && _kt_local_put_on_indices (local, error)
         && kt_db_exec (
           local->db,
           "DELETE FROM kt_outbox; DELETE FROM kt_outbox_op; DELETE FROM kt_done; DELETE FROM kt_shadow;"
           "DELETE FROM kt_settled; DELETE FROM kt_pin;"
           "DELETE FROM kt_stage; DELETE FROM kt_history; DELETE FROM kt_blob;"
           "DELETE FROM kt_meta WHERE key IN ('kt:cursor', 'kt:seq', 'kt:epoch', 'kt:ready',"
           "  'kt:stage_cursor', 'kt:stage_all', 'kt:next_number', 'kt:wipe', 'kt:access', 'kt:access_digest', 'kt:settled', 'kt:common',"
           "  'kt:kept_bytes', 'kt:kept_count', 'kt:kept_age', 'kt:kept_from', 'kt:notices')",
           error);
}

static gboolean
put_identity (KtLocal *local, const KtIdentity *identity, GError **error)
{
  g_autofree char *text = identity_to_string (identity);

  return _kt_local_put_meta (local, "kt:identity", text, error) && _kt_local_refresh (local, error);
}

gboolean
_kt_local_rename_self (KtLocal *local, const KtId *device, const KtId *epoch, GError **error)
{
  KtIdentity identity = *local->identity;

  if (device != NULL)
    identity.device = *device;
  if (epoch != NULL)
    identity.epoch = *epoch;
  return put_identity (local, &identity, error);
}

static gboolean
store_identity (KtLocal *local, const KtIdentity *identity, gint64 last, GError **error)
{
  KtIdentity told = *identity;
  const KtIdentity *old = local->identity;

  if (old != NULL && is_other_world (old, identity))
    {
      gint64 waiting = 0;

      if (!kt_db_get_int (local->db, 0, &waiting, error,
                          "SELECT count(*) FROM kt_outbox WHERE state<>?1", KT_BIND_INT,
                          (gint64) KT_OUTBOX_SETTLED, KT_BIND_END))
        return FALSE;
      if (waiting > 0)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_UNSETTLED,
                       "%" G_GINT64_FORMAT
                       " unsent changes of %s at %s wait in %s: sign in as that user and sync, "
                       "or use another profile",
                       waiting, old->user_name != NULL ? old->user_name : "another user",
                       old->server != NULL ? old->server : "another server", local->dir);
          return FALSE;
        }
      if (!_kt_local_forget_everything (local, error))
        return FALSE;
    }
  else if (old != NULL)
    {
      /* What is here is of the life that it came from, whatever the server lives now (P10): the first request tells. */
      told.epoch = old->epoch;
      if (!kt_id_equal (&old->device, &identity->device)
          && !_kt_local_forget_numbers (local, last, error))
        return FALSE;
    }
  return put_identity (local, &told, error);
}

gboolean
kt_local_sign_in (KtLocal *local, const KtIdentity *identity, gint64 last, GError **error)
{
  g_return_val_if_fail (identity != NULL, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (store_identity (local, identity, last, error))
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

gboolean
kt_local_set_identity (KtLocal *local, const KtIdentity *identity, GError **error)
{
  return kt_local_sign_in (local, identity, 0, error);
}
