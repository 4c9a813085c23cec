/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The real thing over loopback: addresses, limits, the live channel, the end, and guests with bad manners. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include <ifaddrs.h>
#include <netinet/in.h>
#include <libsoup/soup.h>

#include "base/kt-error.h"
#include "db/kt-system-env.h"
#include "server/kt-front.h"

typedef struct
{
  Fixture *fixture;
  KtFront *front;
  GThread *thread;
  GMainLoop *loop;
  SoupSession *session;
  char *uri;
  char *token; /* of ben */
  char *device;
  const char *listen;
  GMutex mutex;
  GCond cond;
} Net;

static gboolean
quit_cb (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

static gpointer
serve (gpointer data)
{
  Net *net = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  KtFrontOptions options = {
    .dir = net->fixture->dir, .listen = net->listen, .workers = 3, .env = kt_system_env ()
  };
  g_autoptr (GError) error = NULL;

  g_main_context_push_thread_default (context);
  net->front = kt_front_new (&options, &error);
  g_assert_no_error (error);
  g_mutex_lock (&net->mutex);
  net->loop = g_main_loop_new (context, FALSE);
  net->uri = g_strdup (kt_front_uri (net->front));
  g_cond_signal (&net->cond);
  g_mutex_unlock (&net->mutex);
  g_main_loop_run (net->loop);
  kt_front_free (net->front);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static gboolean
stop_cb (gpointer data)
{
  Net *net = data;

  kt_front_stop (net->front, quit_cb, net->loop);
  return G_SOURCE_REMOVE;
}

static char *
url (Net *net, const char *path)
{
  return g_strconcat (net->uri, path, NULL);
}

/* A request; the body of the answer. */
static SoupMessage *
send_full (Net *net,
           const char *method,
           const char *path,
           const char *token,
           const char *body,
           gssize len,
           GBytes **answer)
{
  g_autofree char *address = url (net, path);
  SoupMessage *message = soup_message_new (method, address);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (token != NULL)
    {
      g_autofree char *header = g_strconcat ("Bearer ", token, NULL);

      soup_message_headers_replace (soup_message_get_request_headers (message), "Authorization",
                                    header);
    }
  if (body != NULL)
    {
      g_autoptr (GBytes) content = g_bytes_new (body, len < 0 ? strlen (body) : (gsize) len);

      soup_message_set_request_body_from_bytes (message, KT_WIRE_CONTENT_JSON, content);
    }
  bytes = soup_session_send_and_read (net->session, message, NULL, &error);
  g_assert_no_error (error);
  if (answer != NULL)
    *answer = g_steal_pointer (&bytes);
  return message;
}

static guint
status_of (Net *net, const char *method, const char *path, const char *token, const char *body)
{
  g_autoptr (SoupMessage) message = send_full (net, method, path, token, body, -1, NULL);

  return soup_message_get_status (message);
}

static KtJson *
json_of (GBytes *bytes)
{
  gsize len;
  const char *text = g_bytes_get_data (bytes, &len);
  g_autoptr (GError) error = NULL;
  KtJson *json = kt_json_parse (text, (gssize) len, &error);

  g_assert_no_error (error);
  return json;
}

static void
sign_in (Net *net)
{
  g_autoptr (GBytes) answer = NULL;
  g_autoptr (SoupMessage) message = send_full (
    net, "POST", "/v1/login", NULL,
    "{\"user\":\"ben\",\"password\":\"secret\",\"device\":{\"name\":\"t\"}}", -1, &answer);
  g_autoptr (KtJson) json = json_of (answer);

  g_assert_cmpuint (soup_message_get_status (message), ==, 200);
  net->token = g_strdup (kt_json_get_string (json, "token", NULL));
  net->device = g_strdup (kt_json_get_string (json, "device", NULL));
}

static void
net_up (Net *net, gconstpointer data)
{
  net->fixture = fixture_new ();
  net->listen = data != NULL ? data : "127.0.0.1:0";
  g_mutex_init (&net->mutex);
  g_cond_init (&net->cond);
  g_mutex_lock (&net->mutex);
  net->thread = g_thread_new ("front", serve, net);
  while (net->uri == NULL)
    g_cond_wait (&net->cond, &net->mutex);
  g_mutex_unlock (&net->mutex);
  net->session = soup_session_new_with_options ("timeout", 20, NULL);
  sign_in (net);
}

static void
net_stop (Net *net)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  if (net->thread == NULL)
    return;
  g_source_set_callback (source, stop_cb, net, NULL);
  g_source_attach (source, g_main_loop_get_context (net->loop));
  g_thread_join (g_steal_pointer (&net->thread));
}

static void
net_down (Net *net, gconstpointer data)
{
  net_stop (net);
  assert_sound (net->fixture);
  g_object_unref (net->session);
  g_main_loop_unref (net->loop);
  g_free (net->uri);
  g_free (net->token);
  g_free (net->device);
  fixture_free (net->fixture);
  g_mutex_clear (&net->mutex);
  g_cond_clear (&net->cond);
}

static char *
push_text (Net *net, gint64 number, guint n)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char epoch[KT_ID_TEXT_SIZE];

  kt_id_format (&net->fixture->core->epoch, epoch);
  g_string_printf (text, "{\"device\":\"%s\",\"epoch\":\"%s\",\"mutations\":[", net->device, epoch);
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *id = new_id (net->fixture);
      g_autofree char *mutation = new_id (net->fixture);

      g_string_append_printf (
        text,
        "%s{\"id\":\"%s\",\"number\":%" G_GINT64_FORMAT
        ",\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[{\"op\":\"create\","
        "\"object\":\"account\",\"id\":\"%s\",\"fields\":{\"name\":[null,\"A\"]}}]}",
        i > 0 ? "," : "", mutation, number + i, id);
    }
  g_string_append (text, "]}");
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* ---- a day at work ---- */

static void
test_round (Net *net, gconstpointer data)
{
  g_autofree char *body = push_text (net, 1, 3);
  g_autoptr (GBytes) answer = NULL;
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (KtPage) page = NULL;
  g_autoptr (GError) error = NULL;
  guint accounts = 0;
  KtPageEvent event;

  g_assert_cmpuint (status_of (net, "GET", "/v1/hello", NULL, NULL), ==, 200);
  g_assert_cmpuint (status_of (net, "POST", "/v1/push", net->token, body), ==, 200);
  g_assert_cmpuint (status_of (net, "POST", "/v1/push", net->token, body), ==, 200);
  message = send_full (net, "GET", "/v1/pull", net->token, NULL, 0, &answer);
  g_assert_cmpuint (soup_message_get_status (message), ==, 200);
  g_assert_cmpstr (
    soup_message_headers_get_content_type (soup_message_get_response_headers (message), NULL), ==,
    KT_WIRE_CONTENT_PAGE);
  /* Loopback is not worth the packing. */
  g_assert_null (
    soup_message_headers_get_one (soup_message_get_response_headers (message), "Content-Encoding"));
  page = kt_page_open (kt_core_schema (net->fixture->core), g_steal_pointer (&answer), &error);
  g_assert_no_error (error);
  while ((event = kt_page_next (page, &error)) != KT_PAGE_END)
    {
      g_assert_no_error (error);
      accounts += strcmp (page->object->name, "account") == 0;
    }
  g_assert_cmpuint (accounts, ==, 3);
  g_assert_cmpuint (status_of (net, "POST", "/v1/logout", net->token, "{}"), ==, 200);
  g_assert_cmpuint (status_of (net, "GET", "/v1/pull", net->token, NULL), ==, 401);
}

static void
test_addresses (Net *net, gconstpointer data)
{
  static const char *const missing[] = {
    "/",           "/v1",          "/v1/",      "/v1/hello/",       "/v/hello",
    "/v1/hello/x", "/favicon.ico", "/v1/blob/", "/v1/../v1/hello2", "/%00",
    "/v1/blob/a/b"
  };

  for (guint i = 0; i < G_N_ELEMENTS (missing); i++)
    {
      g_autoptr (GBytes) answer = NULL;
      g_autoptr (SoupMessage) message = send_full (net, "GET", missing[i], NULL, NULL, 0, &answer);

      g_test_message ("%s: %u", missing[i], soup_message_get_status (message));
      g_assert_true (soup_message_get_status (message) == 404
                     || soup_message_get_status (message) == 400);
    }
  /* 67: a program of another age. */
  {
    g_autoptr (GBytes) answer = NULL;
    g_autoptr (SoupMessage) message = send_full (net, "GET", "/v2/hello", NULL, NULL, 0, &answer);
    g_autoptr (KtJson) json = json_of (answer);

    g_assert_cmpuint (soup_message_get_status (message), ==, 426);
    g_assert_cmpstr (kt_json_get_string (kt_json_get (json, "error"), "code", NULL), ==, "newer");
  }
  {
    g_autoptr (GBytes) answer = NULL;
    g_autoptr (SoupMessage) message =
      send_full (net, "DELETE", "/v1/push", net->token, NULL, 0, &answer);
    g_autoptr (KtJson) json = json_of (answer);

    g_assert_cmpuint (soup_message_get_status (message), ==, 405);
    g_assert_cmpstr (
      soup_message_headers_get_one (soup_message_get_response_headers (message), "Allow"), ==,
      "POST");
    g_assert_nonnull (kt_json_get_string (kt_json_get (json, "error"), "message", NULL));
  }
  {
    static const char *const headers[] = { "Set-Cookie", "Access-Control-Allow-Origin" };
    g_autoptr (SoupMessage) message = send_full (net, "GET", "/v1/hello", NULL, NULL, 0, NULL);

    for (guint i = 0; i < G_N_ELEMENTS (headers); i++)
      g_assert_null (
        soup_message_headers_get_one (soup_message_get_response_headers (message), headers[i]));
  }
  g_assert_cmpuint (status_of (net, "GET", "/v1/live", net->token, NULL), ==, 426);
  g_assert_cmpuint (status_of (net, "GET", "/v1/live", NULL, NULL), ==, 401);
}

static void
test_etag (Net *net, gconstpointer data)
{
  g_autoptr (SoupMessage) first = send_full (net, "GET", "/v1/schema", net->token, NULL, 0, NULL);
  const char *etag =
    soup_message_headers_get_one (soup_message_get_response_headers (first), "ETag");
  g_autofree char *address = url (net, "/v1/schema");
  g_autofree char *bearer = g_strconcat ("Bearer ", net->token, NULL);
  g_autoptr (SoupMessage) second = soup_message_new ("GET", address);
  g_autoptr (GBytes) bytes = NULL;

  g_assert_cmpuint (soup_message_get_status (first), ==, 200);
  g_assert_true (etag != NULL && etag[0] == '"');
  soup_message_headers_replace (soup_message_get_request_headers (second), "Authorization", bearer);
  soup_message_headers_replace (soup_message_get_request_headers (second), "If-None-Match", etag);
  bytes = soup_session_send_and_read (net->session, second, NULL, NULL);
  g_assert_cmpuint (soup_message_get_status (second), ==, 304);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 0);
}

static void
test_range (Net *net, gconstpointer data)
{
  g_autofree char *sha256 = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "0123456789", -1);
  g_autofree char *put = g_strdup_printf ("/v1/blob/%s?offset=0", sha256);
  g_autofree char *get = g_strdup_printf ("/v1/blob/%s", sha256);
  g_autofree char *address = url (net, get);
  g_autofree char *bearer = g_strconcat ("Bearer ", net->token, NULL);
  g_autofree char *id = new_id (net->fixture);
  g_autofree char *epoch = kt_id_to_string (&net->fixture->core->epoch);
  g_autofree char *body = g_strdup_printf (
    "{\"device\":\"%s\",\"epoch\":\"%s\",\"mutations\":[{\"id\":\"019f0000-0000-7000-8000-000000000001\",\"number\":1,\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"ops\":[{\"op\":\"create\",\"object\":\"file\",\"id\":\"%s\",\"fields\":{\"name\":[null,\"n\"],\"sha256\":[null,\"%s\"]}}]}]}",
    net->device, epoch, id, sha256);
  static const struct
  {
    const char *range;
    const char *expect;
    guint status;
    const char *content;
  } ranges[] = {
    { "bytes=2-4", "234", 206, "bytes 2-4/10" },
    { "bytes=7-", "789", 206, "bytes 7-9/10" },
    { "bytes=0-99", "0123456789", 206, "bytes 0-9/10" },
    { NULL, "0123456789", 200, NULL },
  };

  g_assert_cmpuint (status_of (net, "PUT", put, net->token, "0123456789"), ==, 200);
  g_assert_cmpuint (status_of (net, "POST", "/v1/push", net->token, body), ==, 200);
  for (guint i = 0; i < G_N_ELEMENTS (ranges); i++)
    {
      g_autoptr (SoupMessage) message = soup_message_new ("GET", address);
      g_autoptr (GBytes) bytes = NULL;

      soup_message_headers_replace (soup_message_get_request_headers (message), "Authorization",
                                    bearer);
      if (ranges[i].range != NULL)
        soup_message_headers_replace (soup_message_get_request_headers (message), "Range",
                                      ranges[i].range);
      bytes = soup_session_send_and_read (net->session, message, NULL, NULL);
      g_assert_cmpuint (soup_message_get_status (message), ==, ranges[i].status);
      g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), ranges[i].expect,
                       strlen (ranges[i].expect));
      g_assert_cmpstr (
        soup_message_headers_get_one (soup_message_get_response_headers (message), "Content-Range"),
        ==, ranges[i].content);
    }
}

/* ---- limits and bad manners ---- */

static GSocketConnection *
dial (Net *net)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GUri) uri = g_uri_parse (net->uri, G_URI_FLAGS_NONE, NULL);
  g_autoptr (GError) error = NULL;
  GSocketConnection *connection;

  g_socket_client_set_timeout (client, 20);
  connection = g_socket_client_connect_to_host (client, "127.0.0.1", (guint16) g_uri_get_port (uri),
                                                NULL, &error);
  g_assert_no_error (error);
  return connection;
}

/* What is answered to raw bytes, up to the end of the line; "" if it is just closed. */
static char *
talk (Net *net, const char *bytes, gsize len)
{
  g_autoptr (GSocketConnection) connection = dial (net);
  GOutputStream *out = g_io_stream_get_output_stream (G_IO_STREAM (connection));
  GInputStream *in = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  char buffer[256] = "";

  g_output_stream_write_all (out, bytes, len, NULL, NULL, NULL);
  g_socket_shutdown (g_socket_connection_get_socket (connection), FALSE, TRUE, NULL);
  g_input_stream_read (in, buffer, sizeof buffer - 1, NULL, NULL);
  return g_strndup (buffer, strcspn (buffer, "\r\n"));
}

static void
test_too_large (Net *net, gconstpointer data)
{
  g_autofree char *body = g_strnfill (KT_WIRE_MAX_BODY + 1, ' ');
  static const char head[] =
    "POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n";
  g_autofree char *expect = talk (net, head, sizeof head - 1);
  g_autoptr (GString) chunked =
    g_string_new ("POST /v1/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  g_autofree char *chunk = g_strnfill (64 * 1024 + 1, 'x');
  g_autofree char *answer = NULL;

  g_assert_cmpuint (status_of (net, "POST", "/v1/push", net->token, body), ==, 413);
  g_assert_cmpuint (status_of (net, "POST", "/v1/login", NULL, chunk), ==, 413);
  /* Told before the body is sent, or cut off: never read to the end. */
  g_assert_true (g_str_has_prefix (expect, "HTTP/1.1 413") || *expect == '\0');
  for (int i = 0; i < 8; i++)
    g_string_append_printf (chunked, "10001\r\n%s\r\n", chunk);
  g_string_append (chunked, "0\r\n\r\n");
  answer = talk (net, chunked->str, chunked->len);
  g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 413"));
  g_assert_cmpuint (status_of (net, "GET", "/v1/hello", NULL, NULL), ==, 200);
}

static void
test_garbage (Net *net, gconstpointer data)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (7);
  static const char *const lines[] = {
    "\r\n\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET /v1/hello HTTP/1.1\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    "POST /v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "POST /v1/push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nzz\r\n",
    "GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /v1/pull?cursor=%ff%fe&limit=%00 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
    "GET /v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "HEAD /v1/hello HTTP/1.1\r\nHost: x\r\n\r\n",
  };
  g_autoptr (GString) wide = g_string_new ("GET /v1/hello HTTP/1.1\r\nHost: x\r\n");
  g_autofree char *answer = NULL;
  /* libsoup itself warns of a negative length (of what its own property may hold, with a newer GLib); that is not what is tested here. */
  GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK);

  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autofree char *said = talk (net, lines[i], strlen (lines[i]));

      g_test_message ("%u: %s", i, said);
      g_assert_false (g_str_has_prefix (said, "HTTP/1.1 5"));
    }
  for (int round = 0; round < 200; round++)
    {
      char bytes[300];
      gsize len = (gsize) g_rand_int_range (random, 1, sizeof bytes);
      g_autofree char *said = NULL;

      for (gsize i = 0; i < len; i++)
        bytes[i] = (char) g_rand_int_range (random, 0, 256);
      if (round % 2)
        memcpy (bytes, "POST /v1/push HTTP/1.1\r\n", MIN (len, 24));
      said = talk (net, bytes, len);
    }
  for (int i = 0; i < 3000; i++)
    g_string_append_printf (wide, "X-Header-%d: %0100d\r\n", i, i);
  g_string_append (wide, "\r\n");
  answer = talk (net, wide->str, wide->len);
  g_log_set_always_fatal (fatal);
  g_assert_cmpuint (status_of (net, "GET", "/v1/hello", NULL, NULL), ==, 200);
}

/* Bodies that are not what they should be get a clear answer. */
static void
test_bad_json (Net *net, gconstpointer data)
{
  static const char *const bodies[] = { "",
                                        "{",
                                        "null",
                                        "7",
                                        "{\"mutations\":7}",
                                        "[7]",
                                        "[[]]",
                                        "[{}]",
                                        "[{\"number\":-1}]",
                                        "[{\"number\":1.5}]",
                                        "{\"device\":\"x\",\"mutations\":[]}",
                                        "\xff\xfe",
                                        "[\"\\ud800\"]",
                                        "{\"a\":1,\"a\":2}" };
  g_autoptr (GString) deep = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (bodies); i++)
    {
      guint status = status_of (net, "POST", "/v1/push", net->token, bodies[i]);

      g_test_message ("%u: %u", i, status);
      g_assert_cmpuint (status, ==, 400);
    }
  for (int i = 0; i < 100000; i++)
    g_string_append_c (deep, '[');
  g_assert_cmpuint (status_of (net, "POST", "/v1/push", net->token, deep->str), ==, 400);
}

/* Somebody hangs up in the middle. */
static void
test_hang_up (Net *net, gconstpointer data)
{
  g_autofree char *body = push_text (net, 1, 500);
  g_autofree char *head = g_strdup_printf (
    "POST /v1/push HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %" G_GSIZE_FORMAT
    "\r\n\r\n",
    net->token, strlen (body));

  for (int i = 0; i < 20; i++)
    {
      g_autoptr (GSocketConnection) connection = dial (net);
      GOutputStream *out = g_io_stream_get_output_stream (G_IO_STREAM (connection));

      g_output_stream_write_all (out, head, strlen (head), NULL, NULL, NULL);
      g_output_stream_write_all (out, body, i % 2 ? strlen (body) : strlen (body) / 2, NULL, NULL,
                                 NULL);
      g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
    }
  g_assert_cmpuint (status_of (net, "GET", "/v1/hello", NULL, NULL), ==, 200);
  /* Whole pushes may have been decided; the numbers say so, and a repeat is answered. */
  g_assert_cmpuint (status_of (net, "POST", "/v1/push", net->token, body), ==, 200);
  g_assert_cmpint (count_sql (net->fixture, "SELECT count(*) FROM o_account"), ==, 500);
}

/* ---- many at once ---- */

typedef struct
{
  Net *net;
  int who;
} Guest;

static gpointer
visit (gpointer data)
{
  Guest *guest = data;
  Net *net = guest->net;
  g_autoptr (SoupSession) session = soup_session_new_with_options ("timeout", 60, NULL);
  Net own = { .fixture = net->fixture, .session = session, .uri = net->uri };

  sign_in (&own);
  for (int i = 0; i < 10; i++)
    {
      g_autofree char *body = push_text (&own, i * 5 + 1, 5);

      g_assert_cmpuint (status_of (&own, "POST", "/v1/push", own.token, body), ==, 200);
      g_assert_cmpuint (status_of (&own, "GET", "/v1/pull?limit=50", own.token, NULL), ==, 200);
    }
  g_free (own.token);
  g_free (own.device);
  return NULL;
}

static void
test_many (Net *net, gconstpointer data)
{
  GThread *threads[8];
  Guest guests[8];

  for (int i = 0; i < 8; i++)
    {
      guests[i] = (Guest){ net, i };
      threads[i] = g_thread_new ("guest", visit, &guests[i]);
    }
  for (int i = 0; i < 8; i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (count_sql (net->fixture, "SELECT count(*) FROM o_account"), ==, 400);
  g_assert_cmpint (
    count_sql (net->fixture, "SELECT count(DISTINCT seq) FROM kt_ledger WHERE object = 'account'"),
    ==, 400);
}

/* ---- the live channel ---- */

typedef struct
{
  SoupWebsocketConnection *socket;
  gint64 seq;
  gboolean closed, failed;
} Ear;

static void
heard_cb (SoupWebsocketConnection *socket, int type, GBytes *bytes, gpointer data)
{
  Ear *ear = data;
  g_autoptr (KtJson) json = json_of (bytes);

  ear->seq = kt_json_get_int (json, "seq", -1);
}

static void
closed_cb (SoupWebsocketConnection *socket, gpointer data)
{
  ((Ear *) data)->closed = TRUE;
}

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Ear *ear = data;

  ear->socket = soup_session_websocket_connect_finish (SOUP_SESSION (source), result, NULL);
  if (ear->socket == NULL)
    {
      ear->failed = TRUE;
      return;
    }
  g_signal_connect (ear->socket, "message", G_CALLBACK (heard_cb), ear);
  g_signal_connect (ear->socket, "closed", G_CALLBACK (closed_cb), ear);
}

static void
open_ear (Net *net, Ear *ear, const char *token)
{
  g_autofree char *address = g_strdup_printf ("ws%s/v1/live", net->uri + 4);
  g_autoptr (SoupMessage) message = soup_message_new ("GET", address);

  ear->seq = -1;
  if (token != NULL)
    {
      g_autofree char *bearer = g_strconcat ("Bearer ", token, NULL);

      soup_message_headers_replace (soup_message_get_request_headers (message), "Authorization",
                                    bearer);
    }
  soup_session_websocket_connect_async (net->session, message, NULL, NULL, G_PRIORITY_DEFAULT, NULL,
                                        opened_cb, ear);
}

/* Until the condition holds, or twenty seconds. */
#define WAIT_FOR(condition)                                          \
  G_STMT_START                                                       \
  {                                                                  \
    gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC; \
    g_autoptr (GSource) tick = g_timeout_source_new (10);            \
    g_source_set_callback (tick, tick_cb, NULL, NULL);               \
    g_source_attach (tick, NULL);                                    \
    while (!(condition) && g_get_monotonic_time () < deadline)       \
      g_main_context_iteration (NULL, TRUE);                         \
    g_source_destroy (tick);                                         \
    g_assert_true (condition);                                       \
  }                                                                  \
  G_STMT_END

static gboolean
tick_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static void
test_live (Net *net, gconstpointer data)
{
  g_autofree char *body = push_text (net, 1, 1);
  Ear ear = { 0 }, deaf = { 0 };
  gint64 seq = kt_core_seq (net->fixture->core);

  open_ear (net, &deaf, "nonsense");
  WAIT_FOR (deaf.failed);
  open_ear (net, &ear, net->token);
  WAIT_FOR (ear.seq == seq);
  /* A push through this server. */
  g_assert_cmpuint (status_of (net, "POST", "/v1/push", net->token, body), ==, 200);
  WAIT_FOR (ear.seq == seq + 1);
  /* A commit by another program on the same workspace. */
  g_assert_true (kt_core_user_add (net->fixture->core, "dan", "secret", NULL, NULL, NULL, NULL));
  WAIT_FOR (ear.seq == seq + 2);
  /* The end is said, not just happening. */
  net_stop (net);
  WAIT_FOR (ear.closed);
  g_object_unref (ear.socket);
}

/* ---- TLS ---- */

static gboolean
accept_cb (SoupMessage *message,
           GTlsCertificate *certificate,
           GTlsCertificateFlags errors,
           gpointer data)
{
  return TRUE;
}

static gboolean
make_certificate (const char *dir, char **cert, char **key)
{
  g_autofree char *out = NULL;
  int status = -1;

  *cert = g_build_filename (dir, "cert.pem", NULL);
  *key = g_build_filename (dir, "key.pem", NULL);
  {
    const char *argv[] = { "openssl", "req",   "-x509",         "-newkey", "rsa:2048",
                           "-nodes",  "-subj", "/CN=localhost", "-days",   "1",
                           "-keyout", *key,    "-out",          *cert,     NULL };

    return g_spawn_sync (NULL, (char **) argv, NULL,
                         G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL,
                         &status, NULL)
           && status == 0;
  }
}

typedef struct
{
  GMutex mutex;
  GCond cond;
  KtFrontOptions options;
  char *uri;
  GMainLoop *loop;
} Safe;

static gpointer
serve_safely (gpointer data)
{
  Safe *safe = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (KtFront) front = NULL;
  g_autoptr (GError) error = NULL;

  g_main_context_push_thread_default (context);
  front = kt_front_new (&safe->options, &error);
  g_assert_no_error (error);
  g_mutex_lock (&safe->mutex);
  safe->loop = g_main_loop_new (context, FALSE);
  safe->uri = g_strdup (kt_front_uri (front));
  g_cond_signal (&safe->cond);
  g_mutex_unlock (&safe->mutex);
  g_main_loop_run (safe->loop);
  g_clear_pointer (&front, kt_front_free);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_tls (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autofree char *cert = NULL;
  g_autofree char *key = NULL;
  g_autofree char *address = NULL;
  g_autoptr (SoupSession) session = soup_session_new_with_options ("timeout", 20, NULL);
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread;
  Safe safe = { 0 };

  if (!make_certificate (fixture->dir, &cert, &key))
    {
      g_test_skip ("openssl is not installed");
      return;
    }
  safe.options = (KtFrontOptions){
    .dir = fixture->dir, .listen = "127.0.0.1:0", .tls_cert = cert, .env = kt_system_env ()
  };
  g_assert_null (kt_front_new (&safe.options, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  safe.options.tls_key = key;
  g_mutex_init (&safe.mutex);
  g_cond_init (&safe.cond);
  g_mutex_lock (&safe.mutex);
  thread = g_thread_new ("safe", serve_safely, &safe);
  while (safe.uri == NULL)
    g_cond_wait (&safe.cond, &safe.mutex);
  g_mutex_unlock (&safe.mutex);

  g_assert_true (g_str_has_prefix (safe.uri, "https://127.0.0.1:"));
  address = g_strconcat (safe.uri, "/v1/hello", NULL);
  message = soup_message_new ("GET", address);
  g_signal_connect (message, "accept-certificate", G_CALLBACK (accept_cb), NULL);
  bytes = soup_session_send_and_read (session, message, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (soup_message_get_status (message), ==, 200);
  g_main_loop_quit (safe.loop);
  g_thread_join (thread);
  g_main_loop_unref (safe.loop);
  g_free (safe.uri);
}

/* ---- the end ---- */

static gpointer
push_slowly (gpointer data)
{
  Net *net = data;
  g_autoptr (SoupSession) session = soup_session_new_with_options ("timeout", 60, NULL);
  Net own = { .fixture = net->fixture, .session = session, .uri = net->uri };
  g_autofree char *body = push_text (net, 1, 1000);

  return GUINT_TO_POINTER (status_of (&own, "POST", "/v1/push", net->token, body));
}

/* What is under way is answered. */
static void
test_stop (Net *net, gconstpointer data)
{
  GThread *thread = g_thread_new ("push", push_slowly, net);
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  while (count_sql (net->fixture, "SELECT count(*) FROM o_account") == 0
         && g_get_monotonic_time () < deadline)
    g_thread_yield ();
  net_stop (net);
  g_assert_cmpuint (GPOINTER_TO_UINT (g_thread_join (thread)), ==, 200);
  g_assert_cmpint (count_sql (net->fixture, "SELECT count(*) FROM o_account"), ==, 1000);
}

static void
test_refuses (void)
{
  g_autoptr (Fixture) fixture = fixture_new ();
  KtFrontOptions options = { .dir = fixture->dir,
                             .listen = "127.0.0.1:0",
                             .env = kt_system_env () };
  g_autoptr (KtFront) front = kt_front_new (&options, NULL);
  static const char *const wrong[] = { "127.0.0.1", ":x", "127.0.0.1:99999", "nowhere.invalid:0" };
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (front);
  g_assert_true (g_str_has_prefix (kt_front_uri (front), "http://127.0.0.1:"));
  options.listen = kt_front_uri (front) + strlen ("http://");
  g_assert_null (kt_front_new (&options, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_EXISTS);
  g_clear_error (&error);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      options.listen = wrong[i];
      g_assert_null (kt_front_new (&options, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      g_clear_error (&error);
    }
  options.listen = "127.0.0.1:0";
  options.dir = "/nonexistent";
  g_assert_null (kt_front_new (&options, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
}

/* ---- packing, for peers that are not this machine ---- */

static char *
own_address (void)
{
  struct ifaddrs *list = NULL;
  char *found = NULL;

  if (getifaddrs (&list) != 0)
    return NULL;
  for (struct ifaddrs *i = list; i != NULL && found == NULL; i = i->ifa_next)
    if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET)
      {
        g_autoptr (GSocketAddress) address =
          g_socket_address_new_from_native (i->ifa_addr, sizeof (struct sockaddr_in));
        GInetAddress *inet = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address));

        if (!g_inet_address_get_is_loopback (inet))
          found = g_inet_address_to_string (inet);
      }
  freeifaddrs (list);
  return found;
}

static void
test_packed (Net *net, gconstpointer data)
{
  g_autofree char *host = own_address ();
  g_autoptr (GUri) uri = g_uri_parse (net->uri, G_URI_FLAGS_NONE, NULL);
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GBytes) answer = NULL;
  g_autoptr (KtPage) page = NULL;
  g_autoptr (GError) error = NULL;

  if (host == NULL)
    {
      g_test_skip ("this machine has no address but loopback");
      return;
    }
  g_free (net->uri);
  net->uri = g_strdup_printf ("http://%s:%d", host, g_uri_get_port (uri));
  message = send_full (net, "GET", "/v1/pull", net->token, NULL, 0, &answer);
  g_assert_cmpuint (soup_message_get_status (message), ==, 200);
  g_assert_cmpstr (
    soup_message_headers_get_one (soup_message_get_response_headers (message), "Content-Encoding"),
    ==, "gzip");
  page = kt_page_open (kt_core_schema (net->fixture->core), g_steal_pointer (&answer), &error);
  g_assert_no_error (error);
}

/* The head of what is answered; a body is left in @in. */
static char *
ask_on (GSocketConnection *connection, Net *net, const char *target, const char *header)
{
  GOutputStream *out = g_io_stream_get_output_stream (G_IO_STREAM (connection));
  GInputStream *in = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  g_autofree char *request =
    g_strdup_printf ("GET %s HTTP/1.1\r\nHost: kontor\r\nAuthorization: Bearer %s\r\n%s\r\n", target, net->token, header);
  g_autoptr (GString) head = g_string_new (NULL);
  char c;

  g_output_stream_write_all (out, request, strlen (request), NULL, NULL, NULL);
  while (!g_str_has_suffix (head->str, "\r\n\r\n") && g_input_stream_read (in, &c, 1, NULL, NULL) == 1)
    g_string_append_c (head, c);
  return g_string_free (g_steal_pointer (&head), FALSE);
}

/* What has no body ends at its head: the connection goes on. A device that has no news would else connect each time. */
static void
test_kept_open (Net *net, gconstpointer data)
{
  g_autoptr (GSocketConnection) connection = dial (net);
  g_autoptr (GBytes) answer = NULL;
  g_autoptr (SoupMessage) message = send_full (net, "GET", "/v1/pull", net->token, NULL, 0, &answer);
  const char *digest = kt_schema_digest (kt_core_schema (net->fixture->core));
  g_autofree char *match = g_strdup_printf ("If-None-Match: \"%s\"\r\n", digest);
  g_autofree char *text = g_strndup (g_bytes_get_data (answer, NULL), g_bytes_get_size (answer));
  const char *cursor = strstr (text, "\"cursor\":\"");
  g_autofree char *target = NULL;

  g_assert_cmpuint (soup_message_get_status (message), ==, 200);
  g_assert_nonnull (cursor);
  cursor += strlen ("\"cursor\":\"");
  target = g_strdup_printf ("/v1/pull?cursor=%.*s&schema=%.8s", (int) strcspn (cursor, "\""), cursor, digest);
  for (guint turn = 0; turn < 3; turn++)
    {
      g_autofree char *unchanged = ask_on (connection, net, "/v1/schema", match);
      g_autofree char *nothing = ask_on (connection, net, target, "");

      g_assert_true (g_str_has_prefix (unchanged, "HTTP/1.1 304"));
      g_assert_true (g_str_has_prefix (nothing, "HTTP/1.1 204"));
    }
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*run) (Net *, gconstpointer);
  } cases[] = {
    { "round", test_round },       { "addresses", test_addresses }, { "etag", test_etag },
    { "range", test_range },       { "too-large", test_too_large }, { "garbage", test_garbage },
    { "bad-json", test_bad_json }, { "hang-up", test_hang_up },     { "many", test_many },
    { "live", test_live },         { "stop", test_stop },           { "kept-open", test_kept_open },
  };

  fixture_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/server/front/", cases[i].path, NULL);

      g_test_add (path, Net, NULL, net_up, cases[i].run, net_down);
    }
  g_test_add ("/server/front/packed", Net, "0.0.0.0:0", net_up, test_packed, net_down);
  g_test_add_func ("/server/front/tls", test_tls);
  g_test_add_func ("/server/front/refuses", test_refuses);
  return g_test_run ();
}
