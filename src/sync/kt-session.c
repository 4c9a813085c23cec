/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-sync-private.h"

#include <string.h>

#include "base/kt-error.h"

/* DIR/session, 0600: {"server":"https://…","user":"uuid","device":"uuid","token":"…"}. After a logout the
 * token is left out. It counts only when user and device are those of the profile: a crash between the
 * profile's transaction and this file must not send one person's work under another's name (scenario 55).
 *
 * A copied profile that gets a device of its own passes through three lines, and may die between any two:
 *
 *   the file gets "next": {"device","token"}      the profile is still the old device: the old token counts
 *   the profile becomes the new device            "next" counts
 *   the file holds the new one alone                                                                     */

#define SESSION_MAX (64 * 1024)

static char *
session_path (KtLocal *local)
{
  return g_build_filename (kt_local_dir (local), "session", NULL);
}

/* NULL without error: there is none. */
static KtJson *
session_read (KtLocal *local, GError **error)
{
  g_autofree char *path = session_path (local);
  g_autofree char *text = NULL;
  g_autoptr (GError) failure = NULL;
  gsize len;
  KtJson *json;

  if (!g_file_get_contents (path, &text, &len, &failure))
    {
      if (!g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        g_set_error (error, KT_ERROR, KT_ERROR_IO, "The session file cannot be read: %s",
                     failure->message);
      return NULL;
    }
  /* What cannot be read is no session; signing in again mends it. */
  json = len <= SESSION_MAX ? kt_json_parse (text, (gssize) len, NULL) : NULL;
  return json;
}

static gboolean
session_write_with (KtLocal *local,
                    const char *server,
                    const KtId *user,
                    const KtId *device,
                    const char *token,
                    const KtNewDevice *next,
                    GError **error)
{
  g_autofree char *path = session_path (local);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) failure = NULL;
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char id[KT_ID_TEXT_SIZE];

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "server", server);
  kt_id_format (user, id);
  kt_json_put_string (&writer, "user", id);
  kt_id_format (device, id);
  kt_json_put_string (&writer, "device", id);
  if (token != NULL)
    kt_json_put_string (&writer, "token", token);
  if (next != NULL)
    {
      kt_json_key (&writer, "next");
      kt_json_begin_object (&writer);
      kt_id_format (&next->device, id);
      kt_json_put_string (&writer, "device", id);
      kt_json_put_string (&writer, "token", next->token);
      kt_json_end_object (&writer);
    }
  kt_json_end_object (&writer);
  g_string_append_c (text, '\n');

  if (g_file_set_contents_full (path, text->str, (gssize) text->len,
                                G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                &failure))
    return TRUE;
  g_set_error (error, KT_ERROR,
               g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOSPC) ? KT_ERROR_FULL
                                                                           : KT_ERROR_IO,
               "The session cannot be stored: %s", failure->message);
  return FALSE;
}

static gboolean
session_write (KtLocal *local,
               const char *server,
               const KtId *user,
               const KtId *device,
               const char *token,
               GError **error)
{
  return session_write_with (local, server, user, device, token, NULL, error);
}

static gboolean
names_device (const KtJson *json, const KtId *wanted)
{
  KtId device;

  return kt_id_parse (kt_json_get_string (json, "device", ""), -1, &device)
         && kt_id_equal (&device, wanted);
}

/* The part of the file that is about the profile as it is: "next" after it became the new device. NULL: none. */
static const KtJson *
session_part (const KtJson *json, const KtIdentity *identity)
{
  const KtJson *next = kt_json_get (json, "next");
  KtId user;

  if (identity == NULL || !kt_id_parse (kt_json_get_string (json, "user", ""), -1, &user)
      || !kt_id_equal (&user, &identity->access.user))
    return NULL;
  if (names_device (json, &identity->device))
    return json;
  return next != NULL && names_device (next, &identity->device) ? next : NULL;
}

char *
kt_session_token (KtLocal *local, GError **error)
{
  g_autoptr (KtJson) json = session_read (local, error);
  const KtJson *part = session_part (json, kt_local_identity (local));

  return part != NULL ? g_strdup (kt_json_get_string (part, "token", NULL)) : NULL;
}

char *
kt_session_base (KtLocal *local, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtJson) json = session_read (local, &failure);
  const KtIdentity *identity = kt_local_identity (local);

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (json != NULL && session_part (json, identity) != NULL
      && kt_json_get_string (json, "server", NULL) != NULL)
    return g_strdup (kt_json_get_string (json, "server", NULL));
  return identity != NULL ? g_strdup (identity->server) : NULL;
}

/* ---- a device of its own ---- */

gboolean
_kt_session_renew (KtLocal *local,
                   const KtNewDevice *device,
                   KtChangeSet **changes,
                   GError **error)
{
  const KtIdentity *identity = kt_local_identity (local);
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtJson) json = session_read (local, &failure);
  const KtJson *part = session_part (json, identity);
  g_autofree char *server = NULL;
  g_autofree char *token = NULL;

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (part == NULL || kt_json_get_string (part, "token", NULL) == NULL)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_AUTH, "Somebody has signed out meanwhile");
      return FALSE;
    }
  server = g_strdup (kt_json_get_string (json, "server", identity->server));
  token = g_strdup (kt_json_get_string (part, "token", NULL));
  return session_write_with (local, server, &identity->access.user, &identity->device, token, device,
                             error)
         && kt_local_new_device (local, &device->device, device->last_number, changes, error)
         /* What is left behind by a crash, or a full disk, here is read well all the same. */
         && (session_write (local, server, &kt_local_identity (local)->access.user, &device->device,
                            device->token, NULL)
             || TRUE);
}

/* ---- signing in ---- */

void
_kt_session_free (KtSession *session)
{
  if (session == NULL)
    return;
  kt_identity_clear (&session->identity);
  g_free (session->token);
  g_clear_pointer (&session->schema, kt_schema_unref);
  g_free (session);
}

KtJson *
_kt_sync_ask (KtTransport *transport,
              const KtRequest *request,
              GCancellable *cancellable,
              GError **error)
{
  g_autoptr (KtReply) reply = kt_transport_send (transport, request, cancellable, error);
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtJson) json = NULL;
  gconstpointer data;
  gsize len = 0;

  if (reply == NULL)
    return NULL;
  failure = kt_reply_to_error (reply);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  data = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;
  json = len > 0 ? kt_json_parse (data, (gssize) len, NULL) : NULL;
  if (kt_json_type (json) != KT_JSON_OBJECT && kt_json_type (json) != KT_JSON_ARRAY)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_NOT_KONTOR,
                           "What answers at this address does not speak as a Kontor server does. "
                           "Check the address");
      return NULL;
    }
  return g_steal_pointer (&json);
}

/* Whether it is a Kontor server at all, before it is shown a password. */
static KtJson *
ask_hello (KtTransport *transport, const char *base, GCancellable *cancellable, GError **error)
{
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_HELLO);
  g_autoptr (KtJson) json = _kt_sync_ask (transport, request, cancellable, error);
  gint64 protocol;

  if (json == NULL)
    return NULL;
  protocol = kt_json_get_int (json, "kontor", 0);
  if (protocol <= 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_KONTOR,
                   "Something answers at %s, but it is not a Kontor server. Check the address",
                   base);
      return NULL;
    }
  if (protocol != KT_PROTOCOL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NEWER,
                   protocol > KT_PROTOCOL
                     ? "The server at %s is newer than this program. Upgrade this program"
                     : "The server at %s is older than this program. Ask for it to be upgraded",
                   base);
      return NULL;
    }
  return g_steal_pointer (&json);
}

/* An answer that lacks what it must have. */
static gboolean
not_kontor (const char *base, GError **error)
{
  g_set_error (error, KT_ERROR, KT_ERROR_NOT_KONTOR,
               "What answers at %s does not sign in as a Kontor server does. Check the address",
               base);
  return FALSE;
}

static gboolean
read_login (KtSession *session,
            const KtJson *json,
            const char *base,
            const char *user,
            GError **error)
{
  const KtJson *who = kt_json_get (json, "user");
  const char *id = kt_json_get_string (who, "id", NULL);
  const char *name = kt_json_get_string (who, "name", user);
  KtIdentity *identity = &session->identity;

  session->token = g_strdup (kt_json_get_string (json, "token", NULL));
  if (session->token == NULL || strlen (session->token) > 4096 || id == NULL
      || !kt_id_parse (id, -1, &identity->access.user)
      || !kt_id_parse (kt_json_get_string (json, "device", ""), -1, &identity->device)
      || !kt_id_parse (kt_json_get_string (json, "epoch", ""), -1, &identity->epoch))
    return not_kontor (base, error);

  session->last_number = MAX (0, kt_json_get_int (json, "last_number", 0));
  identity->access.admin = kt_json_get_bool (who, "admin", FALSE);
  identity->access.name = g_strdup (name);
  identity->server = g_strdup (base);
  identity->user_name = g_strdup (kt_json_get_string (who, "user_name", user));
  identity->currency = g_strdup (kt_json_get_string (json, "currency", NULL));
  identity->workspace = g_strdup (kt_json_get_string (json, "workspace", NULL));
  return TRUE;
}

static gboolean
ask_schema (KtTransport *transport,
            KtSession *session,
            const char *digest,
            GCancellable *cancellable,
            GError **error)
{
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_SCHEMA);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) failure = NULL;
  gconstpointer data;
  gsize len = 0;

  request->token = g_strdup (session->token);
  request->etag = g_strdup (digest);
  reply = kt_transport_send (transport, request, cancellable, error);
  if (reply == NULL)
    return FALSE;
  if (reply->status == 304 && digest != NULL)
    return TRUE;
  failure = kt_reply_to_error (reply);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  data = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;
  session->schema = kt_schema_from_json (data != NULL ? data : "", (gssize) len, error);
  if (session->schema == NULL)
    {
      _kt_sync_schema_error (data, len, error);
      return FALSE;
    }
  return TRUE;
}

/* A schema that is one, but not for us, means that we are old. What is here stays readable and editable, and what
 * waits is sent: the server reads the old names (P13). */
void
_kt_sync_schema_error (const char *text, gsize len, GError **error)
{
  g_autoptr (KtJson) json = text != NULL ? kt_json_parse (text, (gssize) len, NULL) : NULL;
  g_autofree char *why = error != NULL && *error != NULL ? g_strdup ((*error)->message) : NULL;
  gboolean whole = kt_json_type (kt_json_get (json, "objects")) == KT_JSON_ARRAY;

  g_clear_error (error);
  if (whole)
    g_set_error (error, KT_ERROR, KT_ERROR_NEWER,
                 "The server has moved on to objects and fields that this program does not know: upgrade it. "
                 "Until then your changes are sent, but nothing new is received (%s)",
                 why);
  else
    g_set_error (error, KT_ERROR, KT_ERROR_SERVER,
                 "The server's schema came damaged and is asked for again (%s)", why);
}

void
_kt_session_end (KtTransport *transport, const char *token, GCancellable *cancellable)
{
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_LOGOUT);
  g_autoptr (KtReply) reply = NULL;

  request->token = g_strdup (token);
  request->body = g_bytes_new_static ("{}", 2);
  reply = kt_transport_send (transport, request, cancellable, NULL);
}

KtSession *
_kt_session_ask (KtTransport *transport,
                 const char *base,
                 const char *user,
                 const char *password,
                 const KtIdentity *known,
                 const char *schema_digest,
                 GCancellable *cancellable,
                 GError **error)
{
  g_autoptr (KtSession) session = g_new0 (KtSession, 1);
  g_autoptr (KtJson) hello = NULL;
  g_autoptr (KtJson) json = NULL;
  g_autoptr (KtRequest) request = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  KtId epoch;
  char id[KT_ID_TEXT_SIZE];

  hello = ask_hello (transport, base, cancellable, error);
  if (hello == NULL)
    return NULL;

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "user", user);
  kt_json_put_string (&writer, "password", password);
  kt_json_key (&writer, "device");
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "name", g_get_host_name ());
  /* The same device of the same server goes on with its numbers (P3). Whether it is the same
   * person is for the server to say: a device belongs to whoever made it. */
  if (known != NULL
      && (g_strcmp0 (known->server, base) == 0
          || (kt_id_parse (kt_json_get_string (hello, "epoch", ""), -1, &epoch)
              && kt_id_equal (&epoch, &known->epoch))))
    {
      kt_id_format (&known->device, id);
      kt_json_put_string (&writer, "id", id);
    }
  kt_json_end_object (&writer);
  kt_json_end_object (&writer);

  request = kt_request_new (KT_ENDPOINT_LOGIN);
  request->body = g_bytes_new (text->str, text->len);
  json = _kt_sync_ask (transport, request, cancellable, error);
  explicit_bzero (text->str, text->len);
  if (json == NULL || !read_login (session, json, base, user, error))
    return NULL;

  if (!ask_schema (transport, session, schema_digest, cancellable, error))
    {
      _kt_session_end (transport, session->token, cancellable);
      return NULL;
    }
  return g_steal_pointer (&session);
}

gboolean
_kt_session_store (KtLocal *local, const KtSession *session, GError **error)
{
  const KtIdentity *identity = &session->identity;

  /* Another device to the server (it does not know the old one any more): its numbers begin anew, and
   * what was sent under the old ones is sent again. */
  return kt_local_sign_in (local, identity, session->last_number, error)
         && (session->schema == NULL || kt_local_set_schema (local, session->schema, error))
         && session_write (local, identity->server, &identity->access.user, &identity->device,
                           session->token, error);
}

gboolean
kt_session_login (KtLocal *local,
                  KtTransport *transport,
                  const char *base,
                  const char *user,
                  const char *password,
                  GCancellable *cancellable,
                  GError **error)
{
  const KtSchema *schema = kt_local_schema (local);
  g_autoptr (KtSession) session = NULL;
  g_autoptr (KtSyncLock) lock = NULL;

  session = _kt_session_ask (transport, base, user, password, kt_local_identity (local),
                             schema != NULL ? kt_schema_digest (schema) : NULL, cancellable, error);
  if (session == NULL)
    return FALSE;
  /* Not while somebody syncs: what was asked for one person must not get into another's profile. */
  lock = kt_sync_lock_take (kt_local_dir (local), KT_SYNC_LOCK_WAIT_MS, cancellable, error);
  if (lock == NULL || !_kt_session_store (local, session, error))
    {
      /* Nobody will use this token. */
      _kt_session_end (transport, session->token, cancellable);
      return FALSE;
    }
  return TRUE;
}

/* ---- signing out ---- */

gboolean
_kt_session_forget (KtLocal *local, char **token, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtJson) json = session_read (local, &failure);
  g_autofree char *path = NULL;
  const KtIdentity *identity = kt_local_identity (local);

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (token != NULL)
    *token = g_strdup (kt_json_get_string (session_part (json, identity), "token", NULL));
  if (kt_json_get (json, "token") == NULL || identity == NULL)
    return TRUE;
  return session_write (local, kt_json_get_string (json, "server", identity->server),
                        &identity->access.user, &identity->device, NULL, error);
}

gboolean
kt_session_logout (KtLocal *local, KtTransport *transport, gint64 *unsettled, GError **error)
{
  g_autofree char *token = NULL;
  KtOutboxCounts counts = { 0 };

  if (!kt_local_outbox_counts (local, &counts, error) || !_kt_session_forget (local, &token, error))
    return FALSE;
  if (unsettled != NULL)
    *unsettled = counts.queued + counts.sent + counts.parked;
  if (token != NULL && transport != NULL)
    _kt_session_end (transport, token, NULL);
  return TRUE;
}

gboolean
kt_session_expire (KtLocal *local, const char *token, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *current = kt_session_token (local, &failure);

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (g_strcmp0 (current, token) != 0)
    return TRUE;
  return _kt_session_forget (local, NULL, error);
}
