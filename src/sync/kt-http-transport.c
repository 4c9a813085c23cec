/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-http-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "sync/kt-sync-private.h"

/* HTTP as one blocking call. libsoup's asynchronous face runs on a context of our own, because only
 * there can a connection that hangs be told from an answer that takes long: 10 s to connect,
 * 60 s without a byte in either direction, and no limit for what goes on. */

#define READ_CHUNK (256 * 1024)
#define MAX_SMALL (1024 * 1024)
#define MAX_LARGE (4 * KT_WIRE_MAX_PAGE)
#define MAX_HOST 253

/* Without the part that writes "/" where there is no path. */
#define BASE_FLAGS (SOUP_HTTP_URI_FLAGS & ~G_URI_FLAGS_SCHEME_NORMALIZE)

typedef struct
{
  KtTransport parent;

  GUri *base;
  GMainContext *context;
  SoupSession *session;
  KtLive *live;
} KtHttpTransport;

/* One request on its way. */
typedef struct
{
  KtHttpTransport *transport;
  SoupMessage *message;
  GCancellable *cancellable; /* ours; the caller's is chained to it */
  GInputStream *stream;
  GByteArray *body;
  GError *error;
  gsize max;
  gint64 deadline_us;
  gint64 stall_ms;
  gboolean connected;
  gboolean timed_out;
  gboolean done;
} Exchange;

/* ---- addresses ---- */

static gboolean
is_loopback (const char *host)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (host);

  return g_ascii_strcasecmp (host, "localhost") == 0
         || (address != NULL && g_inet_address_get_is_loopback (address));
}

static GUri *
set_no_address (const char *typed, GError **error)
{
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
               "“%s” is not the address of a server. Write it like https://crm.example.com or "
               "http://127.0.0.1:8080",
               typed);
  return NULL;
}

static GUri *
parse_base (const char *typed, GError **error)
{
  g_autofree char *text = g_strstrip (g_strdup (typed));
  g_autofree char *full = NULL;
  g_autofree char *host = NULL;
  g_autofree char *path = NULL;
  g_autoptr (GUri) uri = NULL;
  const char *scheme;
  int port;

  if (strlen (text) > 1024 || !g_utf8_validate (text, -1, NULL))
    return set_no_address ("…", error);
  if (strstr (text, "://") != NULL)
    {
      uri = g_uri_parse (text, SOUP_HTTP_URI_FLAGS, NULL);
    }
  else
    {
      full = g_strconcat ("https://", text, NULL);
      uri = g_uri_parse (full, SOUP_HTTP_URI_FLAGS, NULL);
    }
  if (uri == NULL || g_uri_get_host (uri) == NULL || *g_uri_get_host (uri) == '\0'
      || strlen (g_uri_get_host (uri)) > MAX_HOST || g_uri_get_userinfo (uri) != NULL
      || g_uri_get_query (uri) != NULL || g_uri_get_fragment (uri) != NULL
      || strpbrk (g_uri_get_host (uri), " \t%") != NULL)
    return set_no_address (typed, error);

  scheme = g_uri_get_scheme (uri);
  if (!g_str_equal (scheme, "https") && !g_str_equal (scheme, "http"))
    return set_no_address (typed, error);
  host = g_ascii_strdown (g_uri_get_host (uri), -1);
  /* Nobody has a certificate for this machine itself. */
  if (full != NULL && is_loopback (host))
    scheme = "http";
  port = g_uri_get_port (uri);
  if (full != NULL && port == 443 && !g_str_has_suffix (text, ":443"))
    port = -1;
  if (port == (g_str_equal (scheme, "https") ? 443 : 80))
    port = -1;
  path = g_strdup (g_uri_get_path (uri));
  while (g_str_has_suffix (path, "/"))
    path[strlen (path) - 1] = '\0';
  return g_uri_build (BASE_FLAGS, scheme, NULL, host, port, path, NULL, NULL);
}

char *
kt_http_base_address (const char *typed, GError **error)
{
  g_autoptr (GUri) uri = NULL;

  g_return_val_if_fail (typed != NULL, NULL);

  uri = parse_base (typed, error);
  return uri != NULL ? g_uri_to_string (uri) : NULL;
}

/* ---- what went wrong, in words ---- */

static char *
address_of (GUri *base)
{
  const char *host = g_uri_get_host (base);
  int port = g_uri_get_port (base);

  return port > 0 ? g_strdup_printf ("%s:%d", host, port) : g_strdup (host);
}

/* A server without TLS waits for the rest of what TLS begins with, or answers in words. */
static const char *
if_plain (GUri *base, const GError *cause)
{
  if (!g_str_equal (g_uri_get_scheme (base), "https") || g_uri_get_port (base) <= 0
      || g_error_matches (cause, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE))
    return "";
  return ". If the server there is one without TLS, its address begins with http://";
}

GError *
_kt_http_explain (GError *failure, GUri *base, gboolean connected)
{
  g_autoptr (GError) cause = failure;
  g_autofree char *address = NULL;
  const char *plain;

  if (cause == NULL || cause->domain == KT_ERROR
      || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return g_steal_pointer (&cause);

  address = address_of (base);
  plain = if_plain (base, cause);
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    return g_error_new (KT_ERROR, KT_ERROR_NETWORK,
                        "Nothing answers at %s (connection refused). Check that the server runs "
                        "and that the address is right",
                        address);
  if (cause->domain == G_RESOLVER_ERROR
      || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_HOST_NOT_FOUND))
    return g_error_new (KT_ERROR, KT_ERROR_NETWORK,
                        "The name %s is not known here. Check its spelling and the network",
                        g_uri_get_host (base));
  if (cause->domain == G_TLS_ERROR)
    return g_error_new (
      KT_ERROR, KT_ERROR_NETWORK, "No safe connection to %s (%s)%s", address, cause->message,
      *plain != '\0' ? plain
                     : ". Check the address; if it is right, its certificate must "
                       "be renewed or trusted on this machine");
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return g_error_new (KT_ERROR, KT_ERROR_NETWORK,
                        connected
                          ? "%s took the connection and fell silent. Check that a Kontor server "
                            "runs there, and try again"
                          : "%s does not answer within 10 seconds. Check the address and "
                            "the network%s",
                        address, plain);
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE)
      || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE))
    return g_error_new (KT_ERROR, KT_ERROR_NETWORK,
                        "%s cannot be reached from here. Check the network", address);
  if (cause->domain == SOUP_SESSION_ERROR
      && (cause->code == SOUP_SESSION_ERROR_PARSING || cause->code == SOUP_SESSION_ERROR_ENCODING))
    return g_error_new (KT_ERROR, KT_ERROR_NOT_KONTOR,
                        "What answers at %s is not a Kontor server (%s). Check the address",
                        address, cause->message);
  return g_error_new (KT_ERROR, KT_ERROR_NETWORK,
                      "The connection to %s was cut (%s). Check the network, and try again",
                      address, cause->message);
}

/* ---- one exchange ---- */

static void
alive (Exchange *exchange)
{
  exchange->connected = TRUE;
  exchange->deadline_us = g_get_monotonic_time () + exchange->stall_ms * 1000;
}

static void
starting_cb (SoupMessage *message, gpointer data)
{
  alive (data);
}

static void
wrote_body_data_cb (SoupMessage *message, guint len, gpointer data)
{
  alive (data);
}

static void
finish_with (Exchange *exchange, GError *error)
{
  if (exchange->error == NULL)
    exchange->error = error;
  else
    g_clear_error (&error);
  exchange->done = TRUE;
}

static void read_more (Exchange *exchange);

static void
read_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Exchange *exchange = data;
  g_autoptr (GError) error = NULL;
  gssize len = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  if (len < 0)
    {
      finish_with (exchange, g_steal_pointer (&error));
      return;
    }
  alive (exchange);
  g_byte_array_set_size (exchange->body, exchange->body->len - READ_CHUNK + (guint) len);
  if (len == 0)
    exchange->done = TRUE;
  else
    read_more (exchange);
}

static void
read_more (Exchange *exchange)
{
  guint at = exchange->body->len;

  if (at > exchange->max)
    {
      finish_with (exchange, g_error_new (KT_ERROR, KT_ERROR_NOT_KONTOR,
                                          "The answer is larger than a Kontor server would send "
                                          "(%" G_GSIZE_FORMAT " bytes). Check the address",
                                          exchange->max));
      return;
    }
  g_byte_array_set_size (exchange->body, at + READ_CHUNK);
  g_input_stream_read_async (exchange->stream, exchange->body->data + at, READ_CHUNK,
                             G_PRIORITY_DEFAULT, exchange->cancellable, read_cb, exchange);
}

static void
sent_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Exchange *exchange = data;
  g_autoptr (GError) error = NULL;
  goffset length;

  exchange->stream = soup_session_send_finish (SOUP_SESSION (source), result, &error);
  if (exchange->stream == NULL)
    {
      finish_with (exchange, g_steal_pointer (&error));
      return;
    }
  alive (exchange);
  length =
    soup_message_headers_get_content_length (soup_message_get_response_headers (exchange->message));
  if (length > 0 && (guint64) length <= exchange->max)
    exchange->body = g_byte_array_sized_new ((guint) length + READ_CHUNK);
  else
    exchange->body = g_byte_array_new ();
  read_more (exchange);
}

static gboolean
tick_cb (gpointer data)
{
  Exchange *exchange = data;

  if (!exchange->timed_out && g_get_monotonic_time () >= exchange->deadline_us)
    {
      exchange->timed_out = TRUE;
      g_cancellable_cancel (exchange->cancellable);
    }
  return G_SOURCE_CONTINUE;
}

static void
cancelled_cb (GCancellable *cancellable, gpointer data)
{
  g_cancellable_cancel (data);
}

/* Runs the context until the answer is whole, it failed, or @cancellable says so. */
static void
run_exchange (Exchange *exchange, GCancellable *cancellable)
{
  GMainContext *context = exchange->transport->context;
  g_autoptr (GSource) ticks = g_timeout_source_new (200);
  gulong chained = 0;

  exchange->deadline_us = g_get_monotonic_time () + (gint64) KT_HTTP_CONNECT_MS * 1000;
  if (cancellable != NULL)
    chained = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb),
                                     g_object_ref (exchange->cancellable), g_object_unref);
  g_source_set_callback (ticks, tick_cb, exchange, NULL);
  g_source_attach (ticks, context);

  soup_session_send_async (exchange->transport->session, exchange->message, G_PRIORITY_DEFAULT,
                           exchange->cancellable, sent_cb, exchange);
  while (!exchange->done)
    g_main_context_iteration (context, TRUE);

  g_source_destroy (ticks);
  if (chained != 0)
    g_cancellable_disconnect (cancellable, chained);
}

static gsize
max_answer (KtEndpoint endpoint)
{
  switch (endpoint)
    {
    case KT_ENDPOINT_PULL:
    case KT_ENDPOINT_PUSH:
    case KT_ENDPOINT_SCHEMA:
    case KT_ENDPOINT_ACCESS:
    case KT_ENDPOINT_HISTORY:
    case KT_ENDPOINT_BLOB_GET:
      return MAX_LARGE;
    default:
      return MAX_SMALL;
    }
}

SoupMessage *
_kt_http_message (GUri *base,
                  KtEndpoint endpoint,
                  const char *rest,
                  const char *query,
                  const char *token)
{
  const KtEndpointInfo *info = kt_endpoint_info (endpoint);
  g_autofree char *tail = rest != NULL ? g_uri_escape_string (rest, NULL, FALSE) : NULL;
  g_autofree char *path = g_strconcat (g_uri_get_path (base), info->path, tail, NULL);
  g_autoptr (GUri) uri =
    g_uri_build (SOUP_HTTP_URI_FLAGS, g_uri_get_scheme (base), NULL, g_uri_get_host (base),
                 g_uri_get_port (base), path, query, NULL);
  SoupMessage *message = soup_message_new_from_uri (info->method, uri);

  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT | SOUP_MESSAGE_COLLECT_METRICS);
  /* Every byte counts in a request that is sent a thousand times a day. */
  soup_message_headers_replace (soup_message_get_request_headers (message), "Accept-Encoding", "gzip");
  if (token != NULL)
    {
      g_autofree char *value = g_strconcat ("Bearer ", token, NULL);

      soup_message_headers_replace (soup_message_get_request_headers (message), "Authorization",
                                    value);
    }
  return message;
}

static SoupMessage *
make_message (KtHttpTransport *self, const KtRequest *request)
{
  SoupMessage *message =
    _kt_http_message (self->base, request->endpoint, request->rest, request->query, request->token);
  SoupMessageHeaders *headers = soup_message_get_request_headers (message);

  if (request->etag != NULL)
    {
      g_autofree char *etag = g_strdup_printf ("\"%s\"", request->etag);

      soup_message_headers_replace (headers, "If-None-Match", etag);
    }
  /* Always a piece with an end: how much is held in memory is not left to the server. */
  if (request->range_start >= 0)
    soup_message_headers_set_range (headers, request->range_start,
                                    request->range_start
                                      + (request->range_length > 0 ? request->range_length
                                                                   : KT_SYNC_BLOB_PIECE)
                                      - 1);
  if (request->body != NULL)
    soup_message_set_request_body_from_bytes (
      message,
      request->endpoint == KT_ENDPOINT_BLOB_PUT ? KT_WIRE_CONTENT_BLOB : KT_WIRE_CONTENT_JSON,
      request->body);
  return message;
}

static KtReply *
redirect_reply (SoupMessage *message, GError **error)
{
  const char *target =
    soup_message_headers_get_one (soup_message_get_response_headers (message), "Location");
  g_autofree char *shown = kt_error_excerpt (target != NULL ? target : "unnamed", KT_ERROR_NAME);

  g_set_error (error, KT_ERROR, KT_ERROR_NOT_KONTOR,
               "This address only points to another one: %s. Enter that of the Kontor server",
               shown);
  return NULL;
}

static KtReply *
make_reply (Exchange *exchange, GError **error)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (exchange->message);
  guint status = soup_message_get_status (exchange->message);
  const char *text;
  goffset start, end, total;
  KtReply *reply;

  if (status >= 300 && status < 400 && status != 304)
    return redirect_reply (exchange->message, error);

  reply = kt_reply_new (status);
  reply->content_type = g_strdup (soup_message_headers_get_one (headers, "Content-Type"));
  text = soup_message_headers_get_one (headers, "ETag");
  if (text != NULL)
    {
      gsize len = strlen (text);

      reply->etag = len >= 2 && text[0] == '"' && text[len - 1] == '"'
                      ? g_strndup (text + 1, len - 2)
                      : g_strdup (text);
    }
  text = soup_message_headers_get_one (headers, "Retry-After");
  if (text != NULL)
    reply->retry_after_ms = CLAMP (g_ascii_strtoll (text, NULL, 10), 0, 3600) * 1000;
  if (status == 206 && soup_message_headers_get_content_range (headers, &start, &end, &total))
    {
      reply->range_start = start;
      reply->range_total = total;
    }
  if (exchange->body != NULL && exchange->body->len > 0)
    reply->body = g_byte_array_free_to_bytes (g_steal_pointer (&exchange->body));
  return reply;
}

/* As it went over the line: headers too, bodies as packed. */
static void
count_bytes (KtHttpTransport *self, SoupMessage *message)
{
  SoupMessageMetrics *metrics = soup_message_get_metrics (message);

  if (metrics == NULL)
    return;
  self->parent.bytes_out += soup_message_metrics_get_request_header_bytes_sent (metrics)
                            + soup_message_metrics_get_request_body_bytes_sent (metrics);
  self->parent.bytes_in += soup_message_metrics_get_response_header_bytes_received (metrics)
                           + soup_message_metrics_get_response_body_bytes_received (metrics);
}

static KtReply *
http_send (KtTransport *transport,
           const KtRequest *request,
           GCancellable *cancellable,
           GError **error)
{
  KtHttpTransport *self = (KtHttpTransport *) transport;
  g_autoptr (GCancellable) own = g_cancellable_new ();
  g_autoptr (SoupMessage) message = make_message (self, request);
  Exchange exchange = { self, message, own, .max = max_answer (request->endpoint) };
  KtReply *reply = NULL;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;

  /* Somebody waits to hear whether this is a server at all. */
  exchange.stall_ms =
    request->endpoint == KT_ENDPOINT_HELLO ? KT_HTTP_CONNECT_MS : KT_HTTP_STALL_MS;
  g_signal_connect (message, "starting", G_CALLBACK (starting_cb), &exchange);
  g_signal_connect (message, "wrote-body-data", G_CALLBACK (wrote_body_data_cb), &exchange);
  g_main_context_push_thread_default (self->context);
  run_exchange (&exchange, cancellable);
  g_signal_handlers_disconnect_by_data (message, &exchange);
  count_bytes (self, message);

  if (exchange.error != NULL && exchange.timed_out)
    {
      g_clear_error (&exchange.error);
      exchange.error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no answer");
    }
  if (exchange.error != NULL)
    g_propagate_error (error, _kt_http_explain (exchange.error, self->base, exchange.connected));
  else
    reply = make_reply (&exchange, error);
  g_clear_object (&exchange.stream);
  g_clear_pointer (&exchange.body, g_byte_array_unref);
  g_main_context_pop_thread_default (self->context);
  return reply;
}

static gboolean
http_wait (KtTransport *transport,
           const char *token,
           gint64 seen_seq,
           guint timeout_ms,
           GCancellable *cancellable,
           GError **error)
{
  KtHttpTransport *self = (KtHttpTransport *) transport;
  gboolean hint;

  g_main_context_push_thread_default (self->context);
  if (self->live == NULL)
    self->live = _kt_live_new (self->session, self->base);
  hint = _kt_live_wait (self->live, self->context, token, seen_seq, timeout_ms, cancellable, error);
  g_main_context_pop_thread_default (self->context);
  return hint;
}

static void
http_free (KtTransport *transport)
{
  KtHttpTransport *self = (KtHttpTransport *) transport;

  g_main_context_push_thread_default (self->context);
  g_clear_pointer (&self->live, _kt_live_free);
  soup_session_abort (self->session);
  g_clear_object (&self->session);
  while (g_main_context_iteration (self->context, FALSE))
    continue;
  g_main_context_pop_thread_default (self->context);
  g_main_context_unref (self->context);
  g_uri_unref (self->base);
  g_free (self);
}

static const KtTransportClass http_class = { http_send, http_wait, http_free };

KtTransport *
kt_http_transport_new (const char *base, GError **error)
{
  KtHttpTransport *self;
  g_autoptr (GUri) uri = NULL;

  g_return_val_if_fail (base != NULL, NULL);

  uri = parse_base (base, error);
  if (uri == NULL)
    return NULL;

  self = g_new0 (KtHttpTransport, 1);
  self->parent.klass = &http_class;
  self->base = g_steal_pointer (&uri);
  self->context = g_main_context_new ();
  g_main_context_push_thread_default (self->context);
  /* Our own clock decides what takes too long; the session's would count a long answer as idle. */
  self->session = soup_session_new_with_options ("user-agent", "kontor/" PACKAGE_VERSION, "timeout",
                                                 0, "idle-timeout", 30, "max-conns", 4,
                                                 "max-conns-per-host", 4, NULL);
  g_main_context_pop_thread_default (self->context);
  return &self->parent;
}
