/* SPDX-License-Identifier: GPL-3.0-or-later */

/* HTTP around the core: see kt-front.h.
 *
 * Nothing is believed of a peer. A request is looked at as soon as its head is there: no such path 404, wrong
 * method 405, declared too large 413; a body that grows too large on the way is dropped where it stands. A line
 * that sends its head too slowly, or nothing for too long, is closed. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-front-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/kt-error.h"

#define MAX_LINES 2000
#define MAX_QUEUED 1000
#define MAX_LOGINS 50       /* of them */
#define HEAD_SECONDS 30     /* for the head of a request */
#define SILENCE_SECONDS 120 /* no byte either way */
#define BODY_SECONDS 1800   /* for a body, however slow the line */
#define SWEEP_SECONDS 5
#define STOP_SECONDS 10
#define MAX_HELD (256 * 1024 * 1024)   /* bodies in memory, all together */
#define DRAIN_BYTES (64 * 1024 * 1024) /* of a refused body are read; then the line is cut */

typedef enum
{
  LINE_IDLE, /* waits for a request */
  LINE_HEAD, /* in the middle of a head */
  LINE_BODY, /* in the middle of a body */
  LINE_BUSY, /* being answered */
  LINE_LIVE, /* a WebSocket */
} LineState;

static const guint line_seconds[] = {
  [LINE_IDLE] = SILENCE_SECONDS,
  [LINE_HEAD] = HEAD_SECONDS,
  [LINE_BODY] = BODY_SECONDS,
};

/* An open connection. */
typedef struct
{
  GSocketConnection *connection;
  GSocketAddress *peer;
  LineState state;
  gint64 since_us; /* in this state */
} KtLine;

/* ---- answers ---- */

static void check_stopped (KtFront *front);

void
_kt_front_finish_job (KtJob *job)
{
  KtFront *front = job->front;

  front->queued--;
  if (job->request != NULL && job->request->endpoint == KT_ENDPOINT_LOGIN)
    front->logins--;
  if (job->kind == KT_JOB_SEQ)
    _kt_live_polled (job);
  else
    {
      if (job->message != NULL)
        g_signal_handlers_disconnect_by_data (job->message, job);
      if (!job->gone)
        {
          if (job->reply != NULL)
            _kt_front_put_reply (job->message, job);
          soup_server_message_unpause (job->message);
        }
      if (job->seq >= 0)
        _kt_live_announce (front, job->seq);
    }
  _kt_job_free (job);
  check_stopped (front);
}

/* ---- requests ---- */

static char *
read_token (SoupMessageHeaders *headers)
{
  const char *text = soup_message_headers_get_one (headers, "Authorization");

  if (text == NULL || g_ascii_strncasecmp (text, "Bearer ", 7) != 0 || strlen (text) > 300)
    return NULL;
  return g_strstrip (g_strdup (text + 7));
}

static char *
read_etag (SoupMessageHeaders *headers)
{
  const char *text = soup_message_headers_get_one (headers, "If-None-Match");
  char *etag;
  gsize len;

  if (text == NULL || strlen (text) > 300)
    return NULL;
  if (g_str_has_prefix (text, "W/"))
    text += 2;
  etag = g_strdup (text);
  len = strlen (etag);
  if (len >= 2 && etag[0] == '"' && etag[len - 1] == '"')
    {
      etag[len - 1] = '\0';
      memmove (etag, etag + 1, len - 1);
    }
  return etag;
}

static gboolean
is_loopback (SoupServerMessage *message)
{
  GSocketAddress *address = soup_server_message_get_remote_address (message);

  return G_IS_INET_SOCKET_ADDRESS (address)
         && g_inet_address_get_is_loopback (
           g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)));
}

static gboolean
takes_gzip (SoupMessageHeaders *headers)
{
  const char *text = soup_message_headers_get_list (headers, "Accept-Encoding");

  return text != NULL && strstr (text, "gzip") != NULL && strstr (text, "gzip;q=0") == NULL;
}

static const KtEndpointInfo *
find_endpoint (SoupServerMessage *message, const char **rest, gboolean *wrong_method)
{
  GUri *uri = soup_server_message_get_uri (message);

  *wrong_method = FALSE;
  return kt_endpoint_find (soup_server_message_get_method (message), g_uri_get_path (uri), rest,
                           wrong_method);
}

/* "/v2/…": nothing is wrong with the address, only we are of another age (67). */
static gboolean
is_other_version (SoupServerMessage *message)
{
  const char *path = g_uri_get_path (soup_server_message_get_uri (message));
  gsize digits = g_str_has_prefix (path, "/v") ? strspn (path + 2, "0123456789") : 0;

  return digits > 0 && path[2 + digits] == '/'
         && g_ascii_strtoull (path + 2, NULL, 10) != KT_PROTOCOL;
}

static void
message_finished_cb (SoupServerMessage *message, gpointer data)
{
  KtJob *job = data;

  job->gone = TRUE;
}

static KtJob *
make_job (KtFront *front,
          KtJobKind kind,
          SoupServerMessage *message,
          const KtEndpointInfo *info,
          const char *rest)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  GUri *uri = soup_server_message_get_uri (message);
  g_autoptr (GBytes) body = NULL;
  goffset start, end;
  KtJob *job = g_new0 (KtJob, 1);

  job->front = front;
  job->kind = kind;
  job->message = g_object_ref (message);
  job->started_us = g_get_monotonic_time ();
  job->range_end = -1;
  job->request = kt_request_new (info->endpoint);
  job->request->rest = g_strdup (rest);
  job->request->query = g_strdup (g_uri_get_query (uri));
  job->request->token = read_token (headers);
  job->request->etag = read_etag (headers);
  job->request->peer = g_strdup (soup_server_message_get_remote_host (message));
  job->request->range_start = -1;
  if (info->endpoint == KT_ENDPOINT_BLOB_GET)
    {
      SoupRange *ranges;
      int n = 0;

      /* One range, from a known start; anything else is answered whole, as the standard allows. */
      if (soup_message_headers_get_ranges (headers, G_MAXINT64, &ranges, &n))
        {
          start = ranges[0].start;
          end = ranges[0].end;
          soup_message_headers_free_ranges (headers, ranges);
          if (n == 1 && start >= 0)
            {
              job->request->range_start = start;
              job->range_end = end < G_MAXINT64 - 1 ? end : -1;
              if (job->range_end >= start)
                job->request->range_length = job->range_end - start + 1;
            }
        }
    }
  if (kind == KT_JOB_REQUEST)
    {
      body = soup_message_body_flatten (soup_server_message_get_request_body (message));
      if (body != NULL && g_bytes_get_size (body) > 0)
        job->request->body = g_bytes_ref (body);
    }
  job->may_pack = takes_gzip (headers) && !is_loopback (message);
  g_signal_connect (message, "finished", G_CALLBACK (message_finished_cb), job);
  return job;
}

static void
send_job (KtFront *front, SoupServerMessage *message, KtJob *job)
{
  if (front->queued >= MAX_QUEUED
      || (job->request->endpoint == KT_ENDPOINT_LOGIN && front->logins >= MAX_LOGINS))
    {
      g_signal_handlers_disconnect_by_data (message, job);
      _kt_job_free (job);
      _kt_front_put_error (front, message, 503, KT_ERROR_BUSY,
                           "The server has too much to do: try again in a moment");
      soup_message_headers_replace (soup_server_message_get_response_headers (message),
                                    "Retry-After", "2");
      return;
    }
  soup_server_message_pause (message);
  _kt_front_push_job (job);
}

/* The body is here. */
static void
request_cb (SoupServer *server,
            SoupServerMessage *message,
            const char *path,
            GHashTable *query,
            gpointer data)
{
  KtFront *front = data;
  const char *rest = NULL;
  gboolean wrong_method;
  const KtEndpointInfo *info = find_endpoint (message, &rest, &wrong_method);

  if (info != NULL && info->endpoint == KT_ENDPOINT_LIVE
      && soup_message_headers_header_contains (soup_server_message_get_request_headers (message),
                                               "Upgrade", "websocket"))
    return; /* libsoup shakes hands once everybody has kept silent */
  if (info == NULL || info->endpoint == KT_ENDPOINT_LIVE)
    {
      _kt_front_put_error (front, message, info != NULL ? 426 : 404, KT_ERROR_INVALID,
                           info != NULL ? "This address speaks WebSocket"
                                        : "There is nothing at this address");
      return;
    }
  send_job (front, message, make_job (front, KT_JOB_REQUEST, message, info, rest));
}

static void chunk_cb (SoupServerMessage *message, GBytes *chunk, gpointer data);

static void
refuse_body (SoupServerMessage *message)
{
  soup_message_body_set_accumulate (soup_server_message_get_request_body (message), FALSE);
  soup_message_headers_replace (soup_server_message_get_response_headers (message), "Connection",
                                "close");
}

static KtLine *
find_line (KtFront *front, SoupServerMessage *message)
{
  GSocketAddress *peer = soup_server_message_get_remote_address (message);

  return peer != NULL ? g_hash_table_lookup (front->lines, peer) : NULL;
}

static void
set_line (KtFront *front, SoupServerMessage *message, LineState state)
{
  KtLine *line = find_line (front, message);

  if (line == NULL)
    return;
  line->state = state;
  line->since_us = g_get_monotonic_time ();
}

static void
cut_line (KtFront *front, SoupServerMessage *message)
{
  KtLine *line = find_line (front, message);

  if (line != NULL)
    g_socket_shutdown (g_socket_connection_get_socket (line->connection), TRUE, TRUE, NULL);
}

/* How much of a message's body is here. */
typedef struct
{
  KtCount *count;
  goffset seen, held, max;
} Body;

static void
body_free (gpointer data)
{
  Body *body = data;

  body->count->held -= body->held;
  g_rc_box_release (body->count);
  g_free (body);
}

static void
watch_body (KtFront *front, SoupServerMessage *message, gsize max)
{
  Body *body = g_new0 (Body, 1);

  body->count = g_rc_box_acquire (front->count);
  body->max = (goffset) max;
  g_object_set_data_full (G_OBJECT (message), "kt-body", body, body_free);
  g_signal_connect (message, "got-chunk", G_CALLBACK (chunk_cb), front);
}

/* A body that does not say its length, or says it wrong; and all bodies together. */
static void
chunk_cb (SoupServerMessage *message, GBytes *chunk, gpointer data)
{
  KtFront *front = data;
  Body *body = g_object_get_data (G_OBJECT (message), "kt-body");
  gsize len = g_bytes_get_size (chunk);

  body->seen += (goffset) len;
  if (body->seen > DRAIN_BYTES)
    cut_line (front, message);
  /* Refused: what still comes is read and dropped. */
  if (soup_server_message_get_status (message) != 0)
    return;
  body->held += (goffset) len;
  front->count->held += (goffset) len;
  if (body->seen > body->max)
    {
      _kt_front_put_error (front, message, 413, KT_ERROR_LIMIT,
                           "The request is larger than this address takes");
      refuse_body (message);
    }
  else if (front->count->held > MAX_HELD)
    {
      _kt_front_put_error (front, message, 503, KT_ERROR_BUSY,
                           "The server has too much to do: try again in a moment");
      refuse_body (message);
    }
}

static void
set_allow (SoupServerMessage *message)
{
  static const char *const methods[] = { "GET", "POST", "PUT" };
  GUri *uri = soup_server_message_get_uri (message);
  g_autoptr (GString) allow = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (methods); i++)
    {
      const char *rest;
      gboolean wrong;

      if (kt_endpoint_find (methods[i], g_uri_get_path (uri), &rest, &wrong) != NULL)
        g_string_append_printf (allow, "%s%s", allow->len > 0 ? ", " : "", methods[i]);
    }
  soup_message_headers_replace (soup_server_message_get_response_headers (message), "Allow",
                                allow->str);
}

/* The head is here. */
static void
head_cb (SoupServer *server,
         SoupServerMessage *message,
         const char *path,
         GHashTable *query,
         gpointer data)
{
  KtFront *front = data;
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  goffset length = soup_message_headers_get_content_length (headers);
  const char *rest = NULL, *encoding = soup_message_headers_get_one (headers, "Content-Encoding");
  gboolean wrong_method;
  const KtEndpointInfo *info = find_endpoint (message, &rest, &wrong_method);
  gsize max = info != NULL ? info->max_body : 0;

  set_line (front, message, LINE_BODY);
  watch_body (front, message, max);

  if (front->stopping)
    _kt_front_put_error (front, message, 503, KT_ERROR_BUSY,
                         "The server is stopping: try again in a moment");
  else if (info == NULL && wrong_method)
    {
      _kt_front_put_error (front, message, 405, KT_ERROR_INVALID,
                           "This address does not take that method");
      set_allow (message);
    }
  else if (info == NULL && is_other_version (message))
    _kt_front_put_error (front, message, 426, KT_ERROR_NEWER,
                         "This server speaks version " G_STRINGIFY (KT_PROTOCOL) " of the protocol, your program another: "
                         "upgrade the older of the two. What waits in your program stays there until then");
  else if (info == NULL)
    _kt_front_put_error (front, message, 404, KT_ERROR_NOT_FOUND,
                         "There is nothing at this address");
  else if (length > (goffset) max)
    _kt_front_put_error (front, message, 413, KT_ERROR_LIMIT,
                         "The request is larger than this address takes");
  else if (encoding != NULL && g_ascii_strcasecmp (encoding, "identity") != 0)
    _kt_front_put_error (front, message, 415, KT_ERROR_INVALID, "A request must not be packed");
  else if (info->needs_token && soup_message_headers_get_one (headers, "Authorization") == NULL)
    /* Whether it holds is for the core; without one nothing more needs to be read. */
    _kt_front_put_error (front, message, 401, KT_ERROR_AUTH,
                         "You are not signed in, or no longer: sign in again");
  else if (info->endpoint == KT_ENDPOINT_LIVE)
    {
      KtJob *job = make_job (front, KT_JOB_LIVE, message, info, rest);

      g_object_set_data_full (G_OBJECT (message), "kt-token", g_strdup (job->request->token),
                              g_free);
      send_job (front, message, job);
      return;
    }
  if (soup_server_message_get_status (message) != 0)
    {
      refuse_body (message);
      if (length > DRAIN_BYTES)
        cut_line (front, message);
    }
}

/* ---- lines ---- */

static void
line_free (gpointer data)
{
  KtLine *line = data;

  g_object_unref (line->connection);
  g_object_unref (line->peer);
  g_free (line);
}

/* libsoup drops a message whose head is nonsense without a word: what counts is that it is gone. */
static void
message_gone_cb (gpointer data)
{
  KtCount *count = data;

  count->active--;
  if (count->front != NULL)
    check_stopped (count->front);
  g_rc_box_release (count);
}

static void
begun_cb (SoupServer *server, SoupServerMessage *message, gpointer data)
{
  KtFront *front = data;

  set_line (front, message, LINE_HEAD);
  front->count->active++;
  g_object_set_data_full (G_OBJECT (message), "kt-active", g_rc_box_acquire (front->count),
                          message_gone_cb);
}

static void
read_cb (SoupServer *server, SoupServerMessage *message, gpointer data)
{
  set_line (data, message, LINE_BUSY);
}

static void
over_cb (SoupServer *server, SoupServerMessage *message, gpointer data)
{
  _kt_front_message_over (data, message, FALSE);
}

void
_kt_front_message_over (KtFront *front, SoupServerMessage *message, gboolean live)
{
  if (g_object_get_data (G_OBJECT (message), "kt-active") == NULL)
    return;
  set_line (front, message, live ? LINE_LIVE : LINE_IDLE);
  g_object_set_data (G_OBJECT (message), "kt-active", NULL);
}

static gboolean
sweep_cb (gpointer data)
{
  KtFront *front = data;
  gint64 now = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, front->lines);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      KtLine *line = value;

      if (g_io_stream_is_closed (G_IO_STREAM (line->connection)))
        g_hash_table_iter_remove (&iter);
      else if (line->state <= LINE_BODY
               && now - line->since_us > line_seconds[line->state] * G_USEC_PER_SEC)
        {
          g_socket_shutdown (g_socket_connection_get_socket (line->connection), TRUE, TRUE, NULL);
          g_hash_table_iter_remove (&iter);
        }
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
incoming_cb (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer data)
{
  KtFront *front = data;
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (GSocketAddress) local = g_socket_connection_get_local_address (connection, NULL);
  g_autoptr (GSocketAddress) remote = g_socket_connection_get_remote_address (connection, NULL);
  g_autoptr (GError) error = NULL;
  KtLine *line;

  if (front->stopping || local == NULL || remote == NULL
      || g_hash_table_size (front->lines) >= MAX_LINES)
    {
      g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
      return TRUE;
    }
  /* Silence ends in an error for whoever waits to read or write. */
  g_socket_set_timeout (g_socket_connection_get_socket (connection), SILENCE_SECONDS);
  g_socket_set_option (g_socket_connection_get_socket (connection), IPPROTO_TCP, TCP_NODELAY, 1,
                       NULL);
  if (front->certificate != NULL)
    {
      stream = g_tls_server_connection_new (G_IO_STREAM (connection), front->certificate, &error);
      if (stream == NULL)
        {
          g_printerr ("kontor-server: TLS: %s\n", error->message);
          return TRUE;
        }
    }
  else
    stream = g_object_ref (G_IO_STREAM (connection));
  line = g_new0 (KtLine, 1);
  line->connection = g_object_ref (connection);
  line->peer = g_object_ref (remote);
  line->since_us = g_get_monotonic_time ();
  g_hash_table_insert (front->lines, line->peer, line);
  soup_server_accept_iostream (front->server, stream, local, remote, NULL);
  return TRUE;
}

/* ---- opening ---- */

static GSocketAddress *
read_listen (const char *text, GError **error)
{
  const char *colon = strrchr (text, ':');
  g_autofree char *host = NULL;
  g_autoptr (GInetAddress) address = NULL;
  guint64 port;

  if (colon == NULL || !g_ascii_string_to_unsigned (colon + 1, 10, 0, 65535, &port, NULL))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“%s” is not of the form HOST:PORT", text);
      return NULL;
    }
  host = g_strndup (text, (gsize) (colon - text));
  if (host[0] == '[' && host[strlen (host) - 1] == ']')
    {
      host[strlen (host) - 1] = '\0';
      memmove (host, host + 1, strlen (host));
    }
  if (*host == '\0' || strcmp (host, "*") == 0)
    address = g_inet_address_new_any (G_SOCKET_FAMILY_IPV4);
  else
    address = g_inet_address_new_from_string (host);
  if (address == NULL)
    {
      g_autoptr (GResolver) resolver = g_resolver_get_default ();
      GList *found = g_resolver_lookup_by_name (resolver, host, NULL, NULL);

      if (found != NULL)
        address = g_object_ref (found->data);
      g_resolver_free_addresses (found);
    }
  if (address == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "This machine does not know the host “%s”",
                   host);
      return NULL;
    }
  return g_inet_socket_address_new (address, (guint16) port);
}

static gboolean
bind_socket (KtFront *front, GSocketAddress *address, const char *text, GError **error)
{
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *host = NULL;
  GInetAddress *inet;

  if (!g_socket_listener_add_address (G_SOCKET_LISTENER (front->service), address,
                                      G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL, &bound,
                                      &local))
    {
      KtError code = KT_ERROR_NETWORK;

      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
        code = KT_ERROR_EXISTS;
      else if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
        code = KT_ERROR_FORBIDDEN;
      g_set_error (error, KT_ERROR, (int) code, "Cannot listen on %s: %s", text, local->message);
      return FALSE;
    }
  inet = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (bound));
  host = g_inet_address_to_string (inet);
  front->uri = g_strdup_printf (
    g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV6 ? "%s://[%s]:%u" : "%s://%s:%u",
    front->certificate != NULL ? "https" : "http", host,
    g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound)));
  if (front->certificate == NULL && !g_inet_address_get_is_loopback (inet))
    g_printerr (
      "kontor-server: %s is not encrypted and can be reached from other machines: "
      "passwords can be read on the way. Use --tls-cert and --tls-key, or a proxy that does\n",
      front->uri);
  return TRUE;
}

static gboolean
read_certificate (KtFront *front, const KtFrontOptions *options, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (options->tls_cert == NULL && options->tls_key == NULL)
    return TRUE;
  if (options->tls_cert == NULL || options->tls_key == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "--tls-cert and --tls-key go together");
      return FALSE;
    }
  front->certificate =
    g_tls_certificate_new_from_files (options->tls_cert, options->tls_key, &local);
  if (front->certificate != NULL)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "The TLS certificate cannot be used: %s",
               local->message);
  return FALSE;
}

/* libsoup cuts a line after each request unless its server has a listener of its own. Lines are accepted here, so it gets
 * one that nobody can reach: an end of a pair whose other end is closed. */
static gboolean
keep_lines_open (KtFront *front, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GSocket) nowhere = NULL;
  int ends[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_IO, "No socket could be made: %s", g_strerror (errno));
      return FALSE;
    }
  close (ends[1]);
  nowhere = g_socket_new_from_fd (ends[0], &local);
  if (nowhere == NULL)
    close (ends[0]);
  else if (soup_server_listen_socket (front->server, nowhere, 0, &local))
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_IO, "No socket could be made: %s", local->message);
  return FALSE;
}

static gboolean
open_front (KtFront *front, const KtFrontOptions *options, GError **error)
{
  const char *listen = options->listen != NULL ? options->listen : KT_FRONT_LISTEN;
  g_autoptr (GSocketAddress) address = read_listen (listen, error);

  if (address == NULL || !read_certificate (front, options, error)
      || !_kt_front_start_workers (front, options->workers, error))
    return FALSE;
  front->server = soup_server_new ("server-header", "kontor", NULL);
  soup_server_add_early_handler (front->server, NULL, head_cb, front, NULL);
  soup_server_add_handler (front->server, NULL, request_cb, front, NULL);
  soup_server_add_early_handler (front->server, kt_endpoint_info (KT_ENDPOINT_LIVE)->path, head_cb,
                                 front, NULL);
  soup_server_add_handler (front->server, kt_endpoint_info (KT_ENDPOINT_LIVE)->path, request_cb,
                           front, NULL);
  _kt_live_init (front);
  g_signal_connect (front->server, "request-started", G_CALLBACK (begun_cb), front);
  g_signal_connect (front->server, "request-read", G_CALLBACK (read_cb), front);
  g_signal_connect (front->server, "request-finished", G_CALLBACK (over_cb), front);
  g_signal_connect (front->server, "request-aborted", G_CALLBACK (over_cb), front);

  front->service = g_socket_service_new ();
  g_socket_service_stop (front->service);
  g_socket_listener_set_backlog (G_SOCKET_LISTENER (front->service), 128);
  if (!keep_lines_open (front, error) || !bind_socket (front, address, listen, error))
    return FALSE;
  g_signal_connect (front->service, "incoming", G_CALLBACK (incoming_cb), front);
  g_socket_service_start (front->service);

  front->sweep = g_timeout_source_new_seconds (SWEEP_SECONDS);
  g_source_set_callback (front->sweep, sweep_cb, front, NULL);
  g_source_attach (front->sweep, front->context);
  return TRUE;
}

KtFront *
kt_front_new (const KtFrontOptions *options, GError **error)
{
  g_autoptr (KtFront) front = NULL;

  g_return_val_if_fail (options != NULL && options->dir != NULL && options->env != NULL, NULL);

  front = g_new0 (KtFront, 1);
  front->env = options->env;
  front->dir = g_strdup (options->dir);
  front->verbose = options->verbose;
  front->context = g_main_context_ref_thread_default ();
  front->jobs = g_async_queue_new ();
  front->login_jobs = g_async_queue_new ();
  front->threads = g_ptr_array_new ();
  front->count = g_rc_box_new0 (KtCount);
  front->count->front = front;
  front->lines = g_hash_table_new_full (NULL, NULL, NULL, line_free);
  if (!open_front (front, options, error))
    return NULL;
  return g_steal_pointer (&front);
}

const char *
kt_front_uri (KtFront *front)
{
  return front->uri;
}

/* ---- stopping ---- */

static gboolean
stopped_cb (gpointer data)
{
  KtFront *front = data;
  GSourceFunc done = front->stopped;

  front->stopped = NULL;
  if (done != NULL)
    done (front->stopped_data);
  return G_SOURCE_REMOVE;
}

static void
check_stopped (KtFront *front)
{
  g_autoptr (GSource) source = NULL;

  if (!front->stopping || front->stopped == NULL || front->count->active > 0 || front->queued > 0)
    return;
  source = g_idle_source_new ();
  g_source_set_callback (source, stopped_cb, front, NULL);
  g_source_attach (source, front->context);
}

void
kt_front_stop (KtFront *front, GSourceFunc done, gpointer data)
{
  g_return_if_fail (front != NULL);

  if (front->stopping)
    return;
  front->stopping = TRUE;
  front->stopped = done;
  front->stopped_data = data;
  g_socket_service_stop (front->service);
  g_socket_listener_close (G_SOCKET_LISTENER (front->service));
  _kt_live_close_all (front);
  front->deadline = g_timeout_source_new_seconds (STOP_SECONDS);
  g_source_set_callback (front->deadline, stopped_cb, front, NULL);
  g_source_attach (front->deadline, front->context);
  check_stopped (front);
}

static void
drop_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

void
kt_front_free (KtFront *front)
{
  if (front == NULL)
    return;
  if (front->service != NULL)
    {
      g_socket_service_stop (front->service);
      g_socket_listener_close (G_SOCKET_LISTENER (front->service));
    }
  _kt_front_join_workers (front);
  front->stopped = NULL;
  while (front->queued > 0)
    g_main_context_iteration (front->context, TRUE);
  drop_source (&front->sweep);
  drop_source (&front->deadline);
  if (front->channels != NULL)
    _kt_live_clear (front);
  if (front->server != NULL)
    {
      g_signal_handlers_disconnect_by_data (front->server, front);
      soup_server_disconnect (front->server);
    }
  g_clear_object (&front->server);
  g_clear_object (&front->service);
  g_clear_object (&front->certificate);
  g_ptr_array_unref (front->threads);
  g_async_queue_unref (front->jobs);
  g_async_queue_unref (front->login_jobs);
  g_hash_table_unref (front->lines);
  front->count->front = NULL;
  g_rc_box_release (front->count);
  g_main_context_unref (front->context);
  g_free (front->uri);
  g_free (front->dir);
  g_free (front);
}
