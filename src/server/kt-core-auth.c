/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Who is there.
 *
 * Passwords are hashed with argon2id, one at a time in the whole process, so that a storm of
 * sign-ins costs time and not memory; for a name that does not exist the same work is done.
 * Tokens are 32 random bytes that are only ever stored as SHA-256: whoever reads the
 * database cannot sign in with what stands there.
 *
 * Failures make the next attempt wait: 1 s, 2 s, 4 s … up to a minute for one account from one
 * address, later and shorter for an account from anywhere and for an address with many
 * names. Nobody can lock somebody else out for longer than five seconds. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"
#include "kt-scope.h"

#include <string.h>

#include <sodium.h>

#include "base/kt-error.h"
#include "base/kt-text.h"
#include "db/kt-table.h"

#define TOKEN_BYTES 32
#define HASH_BYTES crypto_hash_sha256_BYTES
#define MAX_NAME 200 /* bytes */
#define MAX_PASSWORD 1024
#define SECOND_US G_GINT64_CONSTANT (1000000)
#define FORGET_US (15 * 60 * SECOND_US)

/* Of the default pack: data/schema/seed.json. */

static GMutex hash_mutex;
static gboolean weak_hash;

/* ---- passwords ---- */

static gboolean
sodium_ready (GError **error)
{
  static gsize once;

  if (g_once_init_enter (&once))
    g_once_init_leave (&once, sodium_init () < 0 ? 2 : 1);
  if (once == 1)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_INTERNAL, "The cryptographic library cannot be used here");
  return FALSE;
}

void
_kt_password_weak_for_tests (void)
{
  weak_hash = TRUE;
}

char *
_kt_password_hash (const char *password, GError **error)
{
  char hash[crypto_pwhash_STRBYTES];
  gboolean done;

  if (!sodium_ready (error))
    return NULL;
  if (password == NULL || *password == '\0')
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "An empty password is not accepted");
      return NULL;
    }
  if (strlen (password) > MAX_PASSWORD)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "A password may be at most %d bytes long",
                   MAX_PASSWORD);
      return NULL;
    }

  g_mutex_lock (&hash_mutex);
  done =
    crypto_pwhash_str (hash, password, strlen (password),
                       weak_hash ? crypto_pwhash_OPSLIMIT_MIN : crypto_pwhash_OPSLIMIT_INTERACTIVE,
                       weak_hash ? crypto_pwhash_MEMLIMIT_MIN : crypto_pwhash_MEMLIMIT_INTERACTIVE)
    == 0;
  g_mutex_unlock (&hash_mutex);
  if (done)
    return g_strdup (hash);
  g_set_error (error, KT_ERROR, KT_ERROR_BUSY,
               "There is not enough memory to check a password now: try again");
  return NULL;
}

static gboolean
password_fits (const char *hash, const char *password)
{
  gboolean fits;

  g_mutex_lock (&hash_mutex);
  fits = crypto_pwhash_str_verify (hash, password, strlen (password)) == 0;
  g_mutex_unlock (&hash_mutex);
  return fits;
}

/* ---- tokens ---- */

static char *
make_token (KtCore *core)
{
  guint8 bytes[TOKEN_BYTES];
  char text[sodium_base64_ENCODED_LEN (TOKEN_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];

  core->env->random (core->env->data, bytes, sizeof bytes);
  sodium_bin2base64 (text, sizeof text, bytes, sizeof bytes,
                     sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  sodium_memzero (bytes, sizeof bytes);
  return g_strdup (text);
}

static void
hash_token (const char *token, guint8 hash[HASH_BYTES])
{
  crypto_hash_sha256 (hash, (const guint8 *) token, strlen (token));
}

static void
set_not_signed_in (GError **error)
{
  g_set_error (error, KT_ERROR, KT_ERROR_AUTH,
               "You are not signed in, or no longer: sign in again");
}

/* The actor behind a user record; AUTH when the record does not let anybody act. */
static gboolean
read_user (KtCore *core, const KtId *id, KtActor *actor, GError **error)
{
  const KtObject *object = kt_schema_object (core->schema, "user");
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (GError) local = NULL;
  const KtValue *active;
  const char *locale;

  record = object != NULL ? kt_table_load (core->db, object, id, &local) : NULL;
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  active = record != NULL ? kt_record_get (record, "is_active") : NULL;
  if (record == NULL || kt_record_deleted (record)
      || (active != NULL && active->type == KT_VALUE_BOOL && !active->v.integer))
    {
      set_not_signed_in (error);
      return FALSE;
    }
  locale = kt_record_text (record, "locale");
  actor->access.rights = _kt_core_rights (core, record, error);
  if (actor->access.rights == NULL)
    return FALSE;
  actor->access.user = *id;
  actor->access.admin = kt_rights_admin (actor->access.rights);
  actor->access.name = kt_record_title (record, core->locale);
  actor->locale = g_strdup (locale != NULL ? locale : core->locale);
  return TRUE;
}

gboolean
_kt_core_actor (KtCore *core, const char *token, KtActor *actor, GError **error)
{
  KT_STMT_SCOPE *stmt = NULL;
  guint8 hash[HASH_BYTES];
  KtId user;
  KtStep step;

  if (!sodium_ready (error))
    return FALSE;
  if (token == NULL || *token == '\0' || strlen (token) > 200)
    {
      set_not_signed_in (error);
      return FALSE;
    }
  hash_token (token, hash);
  stmt = kt_db_stmt (
    core->db,
    "SELECT t.user_id, t.device FROM kt_token t JOIN kt_login l ON l.user_id = t.user_id"
    " WHERE t.hash = ?1 AND l.enabled = 1",
    error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_blob (stmt, 1, hash, sizeof hash);
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ERROR)
    return FALSE;
  if (step == KT_STEP_DONE || !kt_stmt_id (stmt, 0, &user) || !kt_stmt_id (stmt, 1, &actor->device))
    {
      set_not_signed_in (error);
      return FALSE;
    }
  kt_stmt_reset (g_steal_pointer (&stmt));
  return read_user (core, &user, actor, error);
}

gboolean
_kt_core_is_admin (KtCore *core, const KtId *user)
{
  g_auto (KtActor) actor = { 0 };

  return read_user (core, user, &actor, NULL) && actor.access.admin;
}

gboolean
kt_core_authenticate (KtCore *core,
                      const char *token,
                      KtAccess *access,
                      KtId *device,
                      GError **error)
{
  g_auto (KtActor) actor = { 0 };
  gboolean known;
  gint64 seq;

  g_return_val_if_fail (core != NULL, FALSE);

  if (!_kt_core_begin (core, KT_TX_READ, &seq, error))
    return FALSE;
  known = _kt_core_actor (core, token, &actor, error);
  kt_db_rollback (core->db);
  if (!known)
    return FALSE;
  if (access != NULL)
    {
      *access = actor.access;
      actor.access = (KtAccess){ 0 };
    }
  if (device != NULL)
    *device = actor.device;
  return TRUE;
}

gboolean
_kt_core_end_sessions (KtCore *core, const KtId *user, GError **error)
{
  return kt_db_run (core->db, error, "DELETE FROM kt_token WHERE user_id = ?1", KT_BIND_ID, user,
                    KT_BIND_END)
         >= 0;
}

/* ---- throttle ---- */

typedef struct
{
  char *key;
  guint free; /* failures without a wait */
  guint most; /* longest wait in seconds */
} Gate;

static void
make_gates (const char *name, const char *peer, Gate gates[3])
{
  if (peer == NULL)
    peer = "local";
  gates[0] = (Gate){ g_strdup_printf ("both %s %s", peer, name), 4, 60 };
  gates[1] = (Gate){ g_strdup_printf ("name %s", name), 20, 5 };
  gates[2] = (Gate){ g_strdup_printf ("peer %s", peer), 30, 60 };
}

static void
clear_gates (Gate gates[3])
{
  for (guint i = 0; i < 3; i++)
    g_clear_pointer (&gates[i].key, g_free);
}

/* Milliseconds to wait, 0: go on, -1: error. */
static gint64
gate_wait (KtCore *core, const Gate *gate, gint64 now, GError **error)
{
  gint64 until;

  if (!kt_db_get_int (core->db, 0, &until, error, "SELECT until_us FROM kt_throttle WHERE key = ?1",
                      KT_BIND_TEXT, gate->key, KT_BIND_END))
    return -1;
  /* A clock that was set back must not make anyone wait for years. */
  if (until <= now || until > now + gate->most * SECOND_US)
    return 0;
  return (until - now) / 1000 + 1;
}

static gboolean
gate_fail (KtCore *core, const Gate *gate, gint64 now, GError **error)
{
  gint64 failures, failed, wait = 0;

  if (!kt_db_get_int (core->db, 0, &failures, error,
                      "SELECT failures FROM kt_throttle WHERE key = ?1", KT_BIND_TEXT, gate->key,
                      KT_BIND_END)
      || !kt_db_get_int (core->db, 0, &failed, error,
                         "SELECT failed_us FROM kt_throttle WHERE key = ?1", KT_BIND_TEXT,
                         gate->key, KT_BIND_END))
    return FALSE;
  if (now - failed > FORGET_US)
    failures = 0;
  failures++;
  if (failures > gate->free)
    wait = MIN ((gint64) 1 << MIN (failures - gate->free - 1, 6), (gint64) gate->most);
  return kt_db_run (
           core->db, error,
           "INSERT INTO kt_throttle (key, failures, failed_us, until_us) VALUES (?1, ?2, ?3, ?4)"
           " ON CONFLICT (key) DO UPDATE SET failures = excluded.failures,"
           " failed_us = excluded.failed_us, until_us = excluded.until_us",
           KT_BIND_TEXT, gate->key, KT_BIND_INT, failures, KT_BIND_INT, now, KT_BIND_INT,
           now + wait * SECOND_US, KT_BIND_END)
         >= 0;
}

static gboolean
note_failure (KtCore *core, const Gate gates[3], gint64 now, GError **error)
{
  gint64 seq;

  if (!_kt_core_begin (core, KT_TX_WRITE, &seq, error))
    return FALSE;
  for (guint i = 0; i < 3; i++)
    if (!gate_fail (core, &gates[i], now, error))
      {
        kt_db_rollback (core->db);
        return FALSE;
      }
  if (kt_db_run (core->db, error, "DELETE FROM kt_throttle WHERE failed_us < ?1 OR failed_us > ?2",
                 KT_BIND_INT, now - 4 * FORGET_US, KT_BIND_INT, now + 4 * FORGET_US, KT_BIND_END)
      < 0)
    {
      kt_db_rollback (core->db);
      return FALSE;
    }
  return kt_db_commit (core->db, error);
}

/* ---- login ---- */

typedef struct
{
  char *name; /* folded */
  char *password;
  char *device_name;
  KtId device; /* nil: a new one */
  KtId user;
} Login;

static void
login_clear (Login *login)
{
  g_clear_pointer (&login->name, g_free);
  if (login->password != NULL)
    sodium_memzero (login->password, strlen (login->password));
  g_clear_pointer (&login->password, g_free);
  g_clear_pointer (&login->device_name, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Login, login_clear)

/* A device may be unknown, or have no name; a wrong one must not be taken for that. */
static gboolean
read_device (const KtJson *device, Login *login, GError **error)
{
  const KtJson *id = kt_json_get (device, "id"), *name = kt_json_get (device, "name");

  if (kt_json_type (device) != KT_JSON_NULL && kt_json_type (device) != KT_JSON_OBJECT)
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“device” must be an object");
  else if (kt_json_type (id) != KT_JSON_NULL
           && !kt_id_parse (kt_json_string (id, ""), -1, &login->device))
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“device.id” is not an id");
  else if (kt_json_type (name) != KT_JSON_NULL && kt_json_type (name) != KT_JSON_STRING)
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“device.name” must be a text");
  else
    return TRUE;
  return FALSE;
}

static gboolean
read_login (const KtRequest *request, Login *login, GError **error)
{
  g_autoptr (KtJson) json = NULL;
  gsize len = 0;
  const char *text = request->body != NULL ? g_bytes_get_data (request->body, &len) : NULL;
  const char *name, *password;
  KtJson *device;

  json = text != NULL ? kt_json_parse (text, (gssize) len, error) : NULL;
  if (json == NULL)
    {
      if (text == NULL)
        g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "A sign-in needs a body");
      return FALSE;
    }
  name = kt_json_get_string (json, "user", "");
  password = kt_json_get_string (json, "password", "");
  if (*name == '\0' || *password == '\0')
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "A sign-in needs “user” and “password”");
      return FALSE;
    }
  if (strlen (name) > MAX_NAME || strlen (password) > MAX_PASSWORD)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "User name or password is too long");
      return FALSE;
    }
  device = kt_json_get (json, "device");
  if (!read_device (device, login, error))
    return FALSE;
  login->name = kt_text_fold (name);
  login->password = g_strdup (password);
  login->device_name =
    g_utf8_substring (kt_json_get_string (device, "name", "?"), 0,
                      MIN (100, g_utf8_strlen (kt_json_get_string (device, "name", "?"), -1)));
  return TRUE;
}

/* Keeps the device if it is this user's, else makes one. */
static gboolean
register_device (KtCore *core, Login *login, gint64 *last_number, GError **error)
{
  char now[KT_TIME_SIZE];
  gint64 changed = 0;

  _kt_core_now (core, now);
  *last_number = 0;
  if (!kt_id_is_nil (&login->device))
    {
      changed =
        kt_db_run (core->db, error,
                   "UPDATE kt_device SET name = ?1, seen_at = ?2 WHERE id = ?3 AND user_id = ?4",
                   KT_BIND_TEXT, login->device_name, KT_BIND_TEXT, now, KT_BIND_ID, &login->device,
                   KT_BIND_ID, &login->user, KT_BIND_END);
      if (changed < 0)
        return FALSE;
    }
  if (changed > 0)
    return kt_db_get_int (core->db, 0, last_number, error,
                          "SELECT last_number FROM kt_device WHERE id = ?1", KT_BIND_ID,
                          &login->device, KT_BIND_END);
  login->device = kt_id_new (core->env);
  return kt_db_run (core->db, error,
                    "INSERT INTO kt_device (id, user_id, name, last_number, created_at, seen_at)"
                    " VALUES (?1, ?2, ?3, 0, ?4, ?4)",
                    KT_BIND_ID, &login->device, KT_BIND_ID, &login->user, KT_BIND_TEXT,
                    login->device_name, KT_BIND_TEXT, now, KT_BIND_END)
         > 0;
}

static gboolean
store_token (KtCore *core, const Login *login, const char *token, GError **error)
{
  guint8 hash[HASH_BYTES];
  char now[KT_TIME_SIZE];

  hash_token (token, hash);
  _kt_core_now (core, now);
  /* One token a device: the one before ends. */
  return kt_db_run (core->db, error, "DELETE FROM kt_token WHERE device = ?1", KT_BIND_ID,
                    &login->device, KT_BIND_END)
           >= 0
         && kt_db_run (
              core->db, error,
              "INSERT INTO kt_token (hash, user_id, device, created_at) VALUES (?1, ?2, ?3, ?4)",
              KT_BIND_BLOB, hash, (gsize) sizeof hash, KT_BIND_ID, &login->user, KT_BIND_ID,
              &login->device, KT_BIND_TEXT, now, KT_BIND_END)
              > 0;
}

/* ---- a device of its own ---- */

static gboolean
make_device (KtCore *core, const KtRequest *request, const char *name, KtNewDevice *out, GError **error)
{
  g_auto (KtActor) actor = { 0 };
  g_auto (Login) login = { .device_name = g_strdup (name) };
  gint64 seq;

  if (!_kt_core_begin (core, KT_TX_WRITE, &seq, error))
    return FALSE;
  out->epoch = core->epoch;
  out->token = make_token (core);
  /* Asked again under the lock: the session may have ended meanwhile. */
  if (_kt_core_actor (core, request->token, &actor, error))
    {
      login.user = actor.access.user;
      if (register_device (core, &login, &out->last_number, error)
          && store_token (core, &login, out->token, error))
        {
          out->device = login.device;
          return kt_db_commit (core->db, error);
        }
    }
  kt_db_rollback (core->db);
  return FALSE;
}

/* The session that asks stays what it is: the other copy of the profile goes on with it (P11). */
KtReply *
_kt_core_device (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_auto (KtNewDevice) device = { 0 };
  g_autofree char *name = NULL;
  g_autoptr (GError) error = NULL;
  gsize len = 0;
  const char *text = request->body != NULL ? g_bytes_get_data (request->body, &len) : NULL;

  if (!kt_new_device_asked (text, len, &name, &error)
      || !make_device (core, request, name, &device, &error))
    return _kt_reply_error (error);
  return _kt_reply_json (200, kt_new_device_write (&device));
}

static KtReply *
login_reply (KtCore *core,
             const Login *login,
             const KtActor *actor,
             const char *user_name,
             const char *token,
             gint64 last_number)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char id[KT_ID_TEXT_SIZE];

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "token", token);
  kt_id_format (&login->device, id);
  kt_json_put_string (&writer, "device", id);
  kt_json_key (&writer, "user");
  kt_json_begin_object (&writer);
  kt_id_format (&actor->access.user, id);
  kt_json_put_string (&writer, "id", id);
  kt_json_put_string (&writer, "name", actor->access.name);
  kt_json_put_string (&writer, "user_name", user_name);
  kt_json_put_bool (&writer, "admin", actor->access.admin);
  kt_json_end_object (&writer);
  kt_id_format (&core->epoch, id);
  kt_json_put_string (&writer, "epoch", id);
  kt_json_put_string (&writer, "workspace", core->workspace);
  kt_json_put_string (&writer, "currency", core->currency);
  kt_json_put_string (&writer, "schema", kt_schema_digest (core->schema));
  kt_json_put_string (&writer, "access", kt_rights_digest (actor->access.rights));
  kt_json_put_int (&writer, "last_number", last_number);
  kt_json_end_object (&writer);
  return _kt_reply_json (200, text);
}

/* The password was right. */
static KtReply *
sign_in (KtCore *core, Login *login, const Gate gates[3], GError **error)
{
  g_autofree char *token = make_token (core);
  g_autofree char *user_name = NULL;
  g_auto (KtActor) actor = { 0 };
  gint64 seq, last_number = 0, enabled = 0;

  if (!_kt_core_begin (core, KT_TX_WRITE, &seq, error))
    return NULL;
  /* Somebody may have disabled the account while we hashed. */
  if (!kt_db_get_int (core->db, 0, &enabled, error,
                      "SELECT enabled FROM kt_login WHERE user_id = ?1", KT_BIND_ID, &login->user,
                      KT_BIND_END))
    {
      kt_db_rollback (core->db);
      return NULL;
    }
  if (!enabled)
    {
      kt_db_rollback (core->db);
      g_set_error (error, KT_ERROR, KT_ERROR_AUTH, "User name or password is wrong");
      return NULL;
    }
  if (!read_user (core, &login->user, &actor, error)
      || !register_device (core, login, &last_number, error)
      || !store_token (core, login, token, error)
      || kt_db_run (core->db, error, "DELETE FROM kt_throttle WHERE key = ?1 OR key = ?2",
                    KT_BIND_TEXT, gates[0].key, KT_BIND_TEXT, gates[1].key, KT_BIND_END)
           < 0
      || !kt_db_get_text (core->db, &user_name, error,
                          "SELECT name FROM kt_login WHERE user_id = ?1", KT_BIND_ID, &login->user,
                          KT_BIND_END))
    {
      kt_db_rollback (core->db);
      return NULL;
    }
  if (!kt_db_commit (core->db, error))
    return NULL;
  return login_reply (core, login, &actor, user_name, token, last_number);
}

static KtReply *
too_many (gint64 wait_ms)
{
  g_autoptr (GError) error =
    g_error_new (KT_ERROR, KT_ERROR_BUSY,
                 "Too many attempts with a wrong password: wait a moment and try again");
  KtReply *reply = kt_reply_from_error (error);

  reply->status = 429;
  reply->retry_after_ms = wait_ms;
  return reply;
}

/* The stored hash of an enabled account, or of nobody: the same work either way. */
static char *
find_hash (KtCore *core, Login *login, gboolean *known, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    core->db, "SELECT user_id, hash FROM kt_login WHERE name = ?1 AND enabled = 1", error);
  KtStep step;

  *known = FALSE;
  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_text (stmt, 1, login->name);
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ERROR)
    return NULL;
  if (step == KT_STEP_ROW && kt_stmt_id (stmt, 0, &login->user))
    {
      *known = TRUE;
      return g_strdup (kt_stmt_text (stmt, 1));
    }
  return _kt_core_meta (core, "decoy", error);
}

KtReply *
_kt_core_login (KtCore *core, const KtRequest *request)
{
  g_auto (Login) login = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *hash = NULL;
  Gate gates[3];
  KtReply *reply = NULL;
  gboolean known;
  gint64 now = core->env->now_us (core->env->data), wait = 0;

  if (!sodium_ready (&error) || !read_login (request, &login, &error))
    return _kt_reply_error (error);
  make_gates (login.name, request->peer, gates);
  for (guint i = 0; i < 3 && wait == 0; i++)
    wait = gate_wait (core, &gates[i], now, &error);
  if (wait > 0)
    reply = too_many (wait);
  else if (wait == 0 && (hash = find_hash (core, &login, &known, &error)) != NULL)
    {
      gboolean fits = password_fits (hash, login.password);

      if (fits && known)
        reply = sign_in (core, &login, gates, &error);
      else if (note_failure (core, gates, now, &error))
        g_set_error (&error, KT_ERROR, KT_ERROR_AUTH, "User name or password is wrong");
    }
  clear_gates (gates);
  if (reply != NULL)
    return reply;
  if (error == NULL)
    g_set_error (&error, KT_ERROR, KT_ERROR_CORRUPT, "The workspace's database is not complete");
  return _kt_reply_error (error);
}

KtReply *
_kt_core_logout (KtCore *core, const KtRequest *request)
{
  g_auto (KtActor) actor = { 0 };
  g_autoptr (GError) error = NULL;
  GString *text;
  guint8 hash[HASH_BYTES];

  if (!_kt_core_actor (core, request->token, &actor, &error))
    return _kt_reply_error (error);
  if (!_kt_core_wiped (core, &actor, request, &error))
    return _kt_reply_error (error);
  hash_token (request->token, hash);
  if (kt_db_run (core->db, &error, "DELETE FROM kt_token WHERE hash = ?1", KT_BIND_BLOB, hash,
                 (gsize) sizeof hash, KT_BIND_END)
      < 0)
    return _kt_reply_error (error);
  text = g_string_new ("{}");
  return _kt_reply_json (200, text);
}
