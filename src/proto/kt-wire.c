/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Requests, replies and the table of endpoints. */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-wire.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-json.h"

#define MAX_ERROR_BODY (64 * 1024)
#define MAX_SMALL_BODY (64 * 1024)
#define MAX_TITLE 60
#define BUSY_RETRY_MS 1000
#define FULL_RETRY_MS 30000

/* clang-format off */
static const KtEndpointInfo endpoints[KT_N_ENDPOINTS] = {
  { KT_ENDPOINT_HELLO,     "GET",  "/v1/hello",       FALSE, 0 },
  { KT_ENDPOINT_LOGIN,     "POST", "/v1/login",       FALSE, MAX_SMALL_BODY },
  { KT_ENDPOINT_LOGOUT,    "POST", "/v1/logout",      TRUE,  MAX_SMALL_BODY },
  { KT_ENDPOINT_DEVICE,    "POST", "/v1/device",      TRUE,  MAX_SMALL_BODY },
  { KT_ENDPOINT_SCHEMA,    "GET",  "/v1/schema",      TRUE,  0 },
  { KT_ENDPOINT_ACCESS,    "GET",  "/v1/access",      TRUE,  0 },
  { KT_ENDPOINT_PULL,      "GET",  "/v1/pull",        TRUE,  0 },
  { KT_ENDPOINT_PUSH,      "POST", "/v1/push",        TRUE,  KT_WIRE_MAX_BODY },
  { KT_ENDPOINT_HISTORY,   "GET",  "/v1/history",     TRUE,  0 },
  { KT_ENDPOINT_DIGEST,    "GET",  "/v1/digest",      TRUE,  0 },
  { KT_ENDPOINT_ROWS,      "POST", "/v1/rows",        TRUE,  64 * 1024 },
  { KT_ENDPOINT_BLOB_GET,  "GET",  "/v1/blob/",       TRUE,  0 },
  { KT_ENDPOINT_BLOB_PUT,  "PUT",  "/v1/blob/",       TRUE,  KT_WIRE_MAX_BODY },
  { KT_ENDPOINT_BLOB_STAT, "GET",  "/v1/blob-state/", TRUE,  0 },
  { KT_ENDPOINT_LIVE,      "GET",  "/v1/live",        TRUE,  0 },
};
/* clang-format on */

/* ---- endpoints ---- */

const KtEndpointInfo *
kt_endpoint_info (KtEndpoint endpoint)
{
  g_return_val_if_fail (endpoint < KT_N_ENDPOINTS, NULL);
  g_assert (endpoints[endpoint].endpoint == endpoint);

  return &endpoints[endpoint];
}

static gboolean
path_matches (const char *pattern, const char *path, const char **rest)
{
  gsize len = strlen (pattern);

  *rest = NULL;
  if (pattern[len - 1] != '/')
    return strcmp (pattern, path) == 0;
  if (strncmp (pattern, path, len) != 0 || path[len] == '\0' || strchr (path + len, '/') != NULL)
    return FALSE;
  *rest = path + len;
  return TRUE;
}

const KtEndpointInfo *
kt_endpoint_find (const char *method, const char *path, const char **rest, gboolean *wrong_method)
{
  gboolean known = FALSE;

  g_return_val_if_fail (method != NULL && path != NULL, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (endpoints); i++)
    {
      const char *tail;

      if (!path_matches (endpoints[i].path, path, &tail))
        continue;
      known = TRUE;
      if (strcmp (endpoints[i].method, method) != 0)
        continue;
      if (rest != NULL)
        *rest = tail;
      if (wrong_method != NULL)
        *wrong_method = FALSE;
      return &endpoints[i];
    }
  if (rest != NULL)
    *rest = NULL;
  if (wrong_method != NULL)
    *wrong_method = known;
  return NULL;
}

/* ---- requests ---- */

KtRequest *
kt_request_new (KtEndpoint endpoint)
{
  KtRequest *request = g_new0 (KtRequest, 1);

  request->endpoint = endpoint;
  request->range_start = -1;
  return request;
}

void
kt_request_free (KtRequest *request)
{
  if (request == NULL)
    return;
  g_free (request->rest);
  g_free (request->query);
  g_free (request->token);
  g_free (request->etag);
  g_free (request->peer);
  g_clear_pointer (&request->body, g_bytes_unref);
  g_free (request);
}

void
kt_request_set_query (KtRequest *request, const char *key, const char *value)
{
  g_autofree char *old = NULL;
  g_autofree char *escaped_key = NULL;
  g_autofree char *escaped = NULL;

  g_return_if_fail (request != NULL && key != NULL && value != NULL);

  old = g_steal_pointer (&request->query);
  escaped_key = g_uri_escape_string (key, NULL, FALSE);
  escaped = g_uri_escape_string (value, NULL, FALSE);
  request->query =
    g_strconcat (old != NULL ? old : "", old != NULL ? "&" : "", escaped_key, "=", escaped, NULL);
}

/* Forms write a blank as '+'. NULL for what is no text. */
static char *
unescape (const char *start, gsize len)
{
  g_autofree char *raw = g_strndup (start, len);
  g_autofree char *text = NULL;

  g_strdelimit (raw, "+", ' ');
  text = g_uri_unescape_string (raw, NULL);
  return text != NULL && g_utf8_validate (text, -1, NULL) ? g_steal_pointer (&text) : NULL;
}

char *
kt_request_get_query (const KtRequest *request, const char *key)
{
  const char *at;

  g_return_val_if_fail (request != NULL && key != NULL, NULL);

  at = request->query != NULL ? request->query : "";
  while (*at != '\0')
    {
      gsize len = strcspn (at, "&");
      const char *equals = memchr (at, '=', len);
      gsize key_len = equals != NULL ? (gsize) (equals - at) : len;
      g_autofree char *name = unescape (at, key_len);

      if (g_strcmp0 (name, key) == 0)
        return equals != NULL ? unescape (equals + 1, len - key_len - 1) : g_strdup ("");
      at += len;
      if (*at == '&')
        at++;
    }
  return NULL;
}

gboolean
kt_request_check_query (const KtRequest *request, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  const char *at;

  g_return_val_if_fail (request != NULL, FALSE);

  at = request->query != NULL ? request->query : "";
  while (*at != '\0')
    {
      gsize len = strcspn (at, "&");
      const char *equals = memchr (at, '=', len);
      gsize key_len = equals != NULL ? (gsize) (equals - at) : len;
      g_autofree char *name = unescape (at, key_len);
      g_autofree char *value =
        equals != NULL ? unescape (equals + 1, len - key_len - 1) : g_strdup ("");

      if (name == NULL || value == NULL)
        {
          g_autofree char *raw = g_strndup (at, key_len);
          g_autofree char *shown = kt_error_excerpt (raw, KT_ERROR_NAME);

          g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                       "The parameter “%s” of the address is not UTF-8 text", shown);
          return FALSE;
        }
      if (len > 0 && !g_hash_table_add (seen, g_steal_pointer (&name)))
        {
          g_autofree char *raw = g_strndup (at, key_len);
          g_autofree char *shown = kt_error_excerpt (raw, KT_ERROR_NAME);

          g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                       "The parameter “%s” stands in the address twice", shown);
          return FALSE;
        }
      at += len;
      if (*at == '&')
        at++;
    }
  return TRUE;
}

/* ---- replies ---- */

KtReply *
kt_reply_new (guint status)
{
  KtReply *reply = g_new0 (KtReply, 1);

  reply->status = status;
  return reply;
}

void
kt_reply_free (KtReply *reply)
{
  if (reply == NULL)
    return;
  g_free (reply->content_type);
  g_free (reply->etag);
  g_clear_pointer (&reply->body, g_bytes_unref);
  g_free (reply);
}

static guint
status_of (KtError code)
{
  switch (code)
    {
    case KT_ERROR_INVALID:
      return 400;
    case KT_ERROR_AUTH:
      return 401;
    case KT_ERROR_FORBIDDEN:
      return 403;
    case KT_ERROR_NOT_FOUND:
      return 404;
    case KT_ERROR_EXISTS:
    case KT_ERROR_CONFLICT:
    case KT_ERROR_UNSETTLED:
      return 409;
    case KT_ERROR_EPOCH:
      return 410;
    case KT_ERROR_LIMIT:
      return 413;
    case KT_ERROR_NEWER:
      return 426;
    case KT_ERROR_BUSY:
    case KT_ERROR_FULL:
    case KT_ERROR_NETWORK:
      return 503;
    case KT_ERROR_INTERNAL:
    case KT_ERROR_SCHEMA:
    case KT_ERROR_NOT_KONTOR:
    case KT_ERROR_SERVER:
    case KT_ERROR_CORRUPT:
    case KT_ERROR_IO:
    default:
      return 500;
    }
}

KtReply *
kt_reply_from_error (const GError *error)
{
  KtError code = KT_ERROR_INTERNAL;
  const char *message = "The server met an unexpected problem; its log says more";
  g_autofree char *shown = NULL;
  GString *body = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (body);
  KtReply *reply;

  g_return_val_if_fail (error != NULL, NULL);

  /* A foreign domain's message was not written for people at the other end. */
  if (error->domain == KT_ERROR)
    {
      code = error->code;
      message = error->message;
    }

  reply = kt_reply_new (status_of (code));
  reply->content_type = g_strdup (KT_WIRE_CONTENT_JSON);
  reply->retry_after_ms = code == KT_ERROR_BUSY   ? BUSY_RETRY_MS
                          : code == KT_ERROR_FULL ? FULL_RETRY_MS
                                                  : 0;
  kt_json_begin_object (&writer);
  kt_json_key (&writer, "error");
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "code", kt_error_word (code));
  shown = kt_error_excerpt (message, KT_ERROR_SENTENCE);
  kt_json_put_string (&writer, "message", shown);
  kt_json_end_object (&writer);
  kt_json_end_object (&writer);
  reply->body = g_string_free_to_bytes (body);
  return reply;
}

static gboolean
has_type (const KtReply *reply, const char *type)
{
  gsize len = strlen (type);

  return reply->content_type != NULL && g_ascii_strncasecmp (reply->content_type, type, len) == 0
         && strchr ("; \t", reply->content_type[len]) != NULL;
}

static const char *
body_of (const KtReply *reply, gsize *len)
{
  *len = 0;
  return reply->body != NULL ? g_bytes_get_data (reply->body, len) : NULL;
}

/* What the other side is, in words: "a web page titled “Welcome to nginx!”". */
static char *
what_is_there (const KtReply *reply)
{
  gsize len;
  const char *body = body_of (reply, &len);
  g_autofree char *head = body != NULL ? g_utf8_make_valid (body, (gssize) MIN (len, 4096)) : NULL;
  g_autofree char *lower = head != NULL ? g_ascii_strdown (head, -1) : NULL;
  const char *start, *end;

  if (len == 0)
    return g_strdup ("an empty answer");
  start = strstr (lower, "<title>");
  end = start != NULL ? strstr (start, "</title>") : NULL;
  if (end != NULL)
    {
      const char *from = head + (start - lower) + strlen ("<title>");
      g_autofree char *title =
        g_strstrip (g_strndup (from, (gsize) (end - start) - strlen ("<title>")));

      g_strdelimit (title, "\r\n\t", ' ');
      if (*title != '\0' && g_utf8_strlen (title, -1) <= MAX_TITLE)
        return g_strdup_printf ("a web page titled “%s”", title);
    }
  if (strstr (lower, "<html") != NULL || has_type (reply, "text/html"))
    return g_strdup ("a web page");
  if (reply->content_type != NULL && strlen (reply->content_type) <= MAX_TITLE
      && g_utf8_validate (reply->content_type, -1, NULL))
    return g_strdup_printf ("an answer of type %s", reply->content_type);
  return g_strdup ("an answer that is not Kontor's");
}

static GError *
not_kontor (const KtReply *reply)
{
  g_autofree char *there = what_is_there (reply);

  return g_error_new (KT_ERROR, KT_ERROR_NOT_KONTOR,
                      "There is no Kontor server at this address, but %s (status %u). Check the "
                      "address, and whether this network asks you to sign in first",
                      there, reply->status);
}

/* The server's own words, or NULL when it is not one of ours. */
static GError *
error_in_body (const KtReply *reply)
{
  gsize len;
  const char *body = body_of (reply, &len);
  g_autoptr (KtJson) json = NULL;
  KtJson *member;
  const char *word, *message;
  g_autofree char *shown = NULL;
  KtError code;

  if (len == 0 || len > MAX_ERROR_BODY || !has_type (reply, KT_WIRE_CONTENT_JSON))
    return NULL;
  json = kt_json_parse (body, (gssize) len, NULL);
  member = kt_json_get (json, "error");
  word = kt_json_get_string (member, "code", NULL);
  message = kt_json_get_string (member, "message", NULL);
  if (word == NULL || message == NULL || *message == '\0')
    return NULL;
  shown = kt_error_excerpt (message, KT_ERROR_SENTENCE);

  code = kt_error_from_word (word);
  switch (code)
    {
    case KT_ERROR_INTERNAL:
    case KT_ERROR_SCHEMA:
    case KT_ERROR_NETWORK:
    case KT_ERROR_NOT_KONTOR:
    case KT_ERROR_CORRUPT:
    case KT_ERROR_FULL:
    case KT_ERROR_IO:
      return g_error_new (KT_ERROR, KT_ERROR_SERVER, "The server reports: %s", shown);
    default:
      return g_error_new_literal (KT_ERROR, code, shown);
    }
}

static gboolean
is_kontor_answer (const KtReply *reply)
{
  gsize len;
  const char *body = body_of (reply, &len);

  if (has_type (reply, KT_WIRE_CONTENT_BLOB))
    return TRUE;
  if (has_type (reply, KT_WIRE_CONTENT_PAGE))
    return len > 8 && memcmp (body, "{\"page\":", 8) == 0;
  return has_type (reply, KT_WIRE_CONTENT_JSON) && len > 0 && (body[0] == '{' || body[0] == '[');
}

GError *
kt_reply_to_error (const KtReply *reply)
{
  GError *error;

  g_return_val_if_fail (reply != NULL, NULL);

  switch (reply->status)
    {
    case 0:
      return g_error_new (KT_ERROR, KT_ERROR_NETWORK, "The server did not answer");
    case 101:
    case 204:
    case 304:
      return NULL;
    default:
      break;
    }
  if (reply->status >= 200 && reply->status < 300)
    return is_kontor_answer (reply) ? NULL : not_kontor (reply);

  error = error_in_body (reply);
  if (error != NULL)
    return error;

  /* Not in our words: something between here and the server, or no server of ours. Only what is
   * harmless to believe is believed: nobody but Kontor may say "forbidden" or "another epoch". */
  switch (reply->status)
    {
    case 401:
      return g_error_new (KT_ERROR, KT_ERROR_AUTH, "The server wants you to sign in (status 401)");
    case 407:
      return g_error_new (KT_ERROR, KT_ERROR_NETWORK,
                          "A proxy in this network wants a password (status 407)");
    case 408:
      return g_error_new (KT_ERROR, KT_ERROR_NETWORK,
                          "The server gave up waiting for the request (status 408)");
    case 413:
      return g_error_new (KT_ERROR, KT_ERROR_LIMIT,
                          "Something in front of the server refuses requests of this size "
                          "(status 413); its limit must be at least %d MiB",
                          KT_WIRE_MAX_BODY / (1024 * 1024));
    case 429:
      return g_error_new (KT_ERROR, KT_ERROR_BUSY,
                          "The server asks for fewer requests (status 429)");
    default:
      break;
    }
  if (reply->status >= 300 && reply->status < 400)
    return g_error_new (KT_ERROR, KT_ERROR_NOT_KONTOR,
                        "This address only points to another one (status %u). Enter the address "
                        "of the Kontor server itself",
                        reply->status);
  if (reply->status >= 500)
    {
      g_autofree char *there = what_is_there (reply);

      return g_error_new (KT_ERROR, KT_ERROR_SERVER,
                          "The server is not available at the moment (status %u, %s)",
                          reply->status, there);
    }
  return not_kontor (reply);
}
