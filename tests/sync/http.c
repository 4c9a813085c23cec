/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include <gio/gio.h>

#include "base/kt-error.h"
#include "sync/kt-transport.h"

/* The HTTP transport against servers that are not what they should be: each a script of bytes. */

/* ---- a server that says what it is told, byte for byte ---- */

typedef struct
{
  GSocketListener *listener;
  GThread *thread;
  GCancellable *cancellable;
  char *base;
  const char *answer; /* NULL: says nothing and hangs */
  gboolean endless;   /* the answer's last byte again and again */
  char *heard;        /* the last request's head */
} Script;

static char *
read_head (GInputStream *in, GCancellable *cancellable)
{
  GString *head = g_string_new (NULL);
  char byte;

  /* A TLS handshake has no end that a script would know. */
  while (head->len < 16384 && head->str[0] != 0x16 && strstr (head->str, "\r\n\r\n") == NULL
         && g_input_stream_read (in, &byte, 1, cancellable, NULL) == 1)
    g_string_append_c (head, byte);
  return g_string_free (head, FALSE);
}

static void
say (Script *script, GOutputStream *out)
{
  gsize len = strlen (script->answer);

  if (!g_output_stream_write_all (out, script->answer, len, NULL, script->cancellable, NULL))
    return;
  while (script->endless
         && g_output_stream_write_all (out, script->answer + len - 1, 1, NULL, script->cancellable,
                                       NULL))
    continue;
}

static gpointer
serve (gpointer data)
{
  Script *script = data;
  GSocketConnection *connection;

  while ((connection = g_socket_listener_accept (script->listener, NULL, script->cancellable, NULL))
         != NULL)
    {
      char *heard =
        read_head (g_io_stream_get_input_stream (G_IO_STREAM (connection)), script->cancellable);

      g_free (g_atomic_pointer_exchange (&script->heard, heard));
      if (script->answer != NULL)
        {
          say (script, g_io_stream_get_output_stream (G_IO_STREAM (connection)));
        }
      else
        {
          GPollFD poll;

          g_cancellable_make_pollfd (script->cancellable, &poll);
          g_poll (&poll, 1, -1);
          g_cancellable_release_fd (script->cancellable);
        }
      g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
      g_object_unref (connection);
    }
  return NULL;
}

static void
script_start (Script *script, const char *answer)
{
  guint16 port;

  *script = (Script){ 0 };
  script->answer = answer;
  script->cancellable = g_cancellable_new ();
  script->listener = g_socket_listener_new ();
  {
    g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
    g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, 0);
    g_autoptr (GSocketAddress) effective = NULL;

    g_assert_true (g_socket_listener_add_address (script->listener, address, G_SOCKET_TYPE_STREAM,
                                                  G_SOCKET_PROTOCOL_TCP, NULL, &effective, NULL));
    port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (effective));
  }
  script->base = g_strdup_printf ("http://127.0.0.1:%u", port);
  script->thread = g_thread_new ("script", serve, script);
}

static void
script_stop (Script *script)
{
  g_cancellable_cancel (script->cancellable);
  g_thread_join (script->thread);
  g_socket_listener_close (script->listener);
  g_object_unref (script->listener);
  g_object_unref (script->cancellable);
  g_free (script->base);
  g_free (script->heard);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Script, script_stop)

static KtReply *
ask (const char *base, KtEndpoint endpoint, GError **error)
{
  g_autoptr (KtTransport) transport = kt_http_transport_new (base, error);
  g_autoptr (KtRequest) request = kt_request_new (endpoint);

  g_assert_nonnull (transport);
  return kt_transport_send (transport, request, NULL, error);
}

/* ---- addresses ---- */

static void
test_addresses (void)
{
  static const struct
  {
    const char *typed, *base;
  } addresses[] = {
    { "https://crm.example.com", "https://crm.example.com" },
    { "crm.example.com", "https://crm.example.com" },
    { " crm.example.com/ ", "https://crm.example.com" },
    { "CRM.Example.com", "https://crm.example.com" },
    { "crm.example.com:8443/", "https://crm.example.com:8443" },
    { "https://crm.example.com:443", "https://crm.example.com" },
    { "http://crm.example.com:80/", "http://crm.example.com" },
    { "https://example.com/crm/", "https://example.com/crm" },
    { "localhost:8080", "http://localhost:8080" },
    { "localhost", "http://localhost" },
    { "127.0.0.1:41234", "http://127.0.0.1:41234" },
    { "http://[::1]:8080", "http://[::1]:8080" },
    { "[::1]:8080", "http://[::1]:8080" },
    { "", NULL },
    { "ftp://crm.example.com", NULL },
    { "file:///etc/passwd", NULL },
    { "https://", NULL },
    { "https://anna:secret@crm.example.com", NULL },
    { "https://crm.example.com/?a=b", NULL },
    { "https://crm.example.com/#top", NULL },
    { "crm example com", NULL },
    { "http://crm.example.com:99999", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *base = kt_http_base_address (addresses[i].typed, &error);

      if (g_strcmp0 (base, addresses[i].base) != 0)
        g_error ("“%s” became %s", addresses[i].typed, base);
      if (base == NULL)
        g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      else
        g_assert_no_error (error);
    }
}

/* ---- what answers ---- */

static void
test_answers (void)
{
  static const struct
  {
    const char *answer;
    KtError code;
    const char *words;
  } answers[] = {
    { "HTTP/1.1 302 Found\r\nLocation: https://login.hotel.test/\r\nContent-Length: 0\r\n\r\n",
      KT_ERROR_NOT_KONTOR, "https://login.hotel.test/" },
    { "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n", KT_ERROR_NOT_KONTOR, "another one" },
    { "SSH-2.0-OpenSSH_9.2p1\r\n", KT_ERROR_NOT_KONTOR, "not a Kontor server" },
    { "", KT_ERROR_NETWORK, "was cut" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", KT_ERROR_NETWORK, "was cut" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_auto (Script) script = { 0 };
      g_autoptr (GError) error = NULL;

      script_start (&script, answers[i].answer);
      g_assert_null (ask (script.base, KT_ENDPOINT_HELLO, &error));
      g_test_message ("%s", error->message);
      g_assert_error (error, KT_ERROR, (int) answers[i].code);
      if (answers[i].words != NULL)
        g_assert_nonnull (strstr (error->message, answers[i].words));
    }
}

/* Any status is an answer; what it means is for others to say. */
static void
test_statuses (void)
{
  static const struct
  {
    const char *answer;
    guint status;
    KtError code;
  } answers[] = {
    { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>", 200,
      KT_ERROR_NOT_KONTOR },
    { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, KT_ERROR_NOT_KONTOR },
    { "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", 502, KT_ERROR_SERVER },
    { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, KT_ERROR_NOT_KONTOR },
  };

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_auto (Script) script = { 0 };
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) meaning = NULL;
      g_autoptr (KtReply) reply = NULL;

      script_start (&script, answers[i].answer);
      reply = ask (script.base, KT_ENDPOINT_HELLO, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (reply->status, ==, answers[i].status);
      meaning = kt_reply_to_error (reply);
      g_assert_error (meaning, KT_ERROR, (int) answers[i].code);
    }
}

/* An answer without an end does not fill the memory. */
static void
test_endless (void)
{
  g_auto (Script) script = { 0 };
  g_autoptr (GError) error = NULL;

  script_start (&script, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n ");
  script.endless = TRUE;
  g_assert_null (ask (script.base, KT_ENDPOINT_HELLO, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_KONTOR);
  g_assert_nonnull (strstr (error->message, "larger"));
}

static void
test_refused (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *base = NULL;

  {
    g_auto (Script) script = { 0 };

    script_start (&script, "");
    base = g_strdup (script.base);
  }
  g_assert_null (ask (base, KT_ENDPOINT_HELLO, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NETWORK);
  g_assert_nonnull (strstr (error->message, "connection refused"));
  g_assert_nonnull (strstr (error->message, "127.0.0.1:"));
}

static void
test_unknown_name (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (ask ("http://no-such-host.invalid", KT_ENDPOINT_HELLO, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NETWORK);
  g_assert_nonnull (strstr (error->message, "no-such-host.invalid"));
}

/* TLS where there is none: not a crash, not a hang, a sentence. */
static void
test_no_tls (void)
{
  g_auto (Script) script = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *base = NULL;

  script_start (&script, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  base = g_strconcat ("https", script.base + strlen ("http"), NULL);
  g_assert_null (ask (base, KT_ENDPOINT_HELLO, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, KT_ERROR, KT_ERROR_NETWORK);
}

static gpointer
cancel_later (gpointer data)
{
  Script *script = ((gpointer *) data)[0];

  /* As soon as the request is there. */
  while (g_atomic_pointer_get (&script->heard) == NULL)
    g_usleep (1000);
  g_cancellable_cancel (((gpointer *) data)[1]);
  return NULL;
}

/* A server that takes the request and says nothing: whoever waits can be called off at once. */
static void
test_cancel (void)
{
  g_auto (Script) script = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_HELLO);
  g_autoptr (GError) error = NULL;
  gpointer data[] = { &script, cancellable };
  gint64 begin = g_get_monotonic_time ();
  GThread *thread;

  script_start (&script, NULL);
  transport = kt_http_transport_new (script.base, &error);
  thread = g_thread_new ("cancel", cancel_later, data);
  g_assert_null (kt_transport_send (transport, request, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 5 * G_USEC_PER_SEC);
}

/* What goes out: method, path under the base's, token, range, body. */
static void
test_request (void)
{
  g_auto (Script) script = { 0 };
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_BLOB_GET);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *base = NULL;
  const char *heard;

  script_start (&script,
                "HTTP/1.1 206 Partial Content\r\nContent-Type: application/octet-stream\r\n"
                "Content-Range: bytes 5-9/20\r\nETag: \"abc\"\r\nContent-Length: 5\r\n\r\n"
                "hello");
  base = g_strconcat (script.base, "/crm/", NULL);
  transport = kt_http_transport_new (base, &error);
  g_assert_no_error (error);
  request->rest = g_strdup ("0a0b");
  request->token = g_strdup ("t0ken");
  request->range_start = 5;
  kt_request_set_query (request, "a", "b c&d");
  reply = kt_transport_send (transport, request, NULL, &error);
  g_assert_no_error (error);
  heard = script.heard;
  g_assert_true (g_str_has_prefix (heard, "GET /crm/v1/blob/0a0b?a=b%20c%26d HTTP/1.1\r\n"));
  g_assert_nonnull (strstr (heard, "Authorization: Bearer t0ken\r\n"));
  g_assert_nonnull (strstr (heard, "Range: bytes=5-1048580\r\n"));
  g_assert_cmpuint (reply->status, ==, 206);
  g_assert_cmpint (reply->range_start, ==, 5);
  g_assert_cmpint (reply->range_total, ==, 20);
  g_assert_cmpstr (reply->etag, ==, "abc");
  g_assert_cmpmem (g_bytes_get_data (reply->body, NULL), g_bytes_get_size (reply->body), "hello",
                   5);
  g_assert_cmpuint (transport->bytes_in, >, 5);
  g_assert_cmpuint (transport->bytes_out, >, strlen ("GET /crm/v1/blob/0a0b"));
  g_assert_cmpuint (transport->requests, ==, 1);
}

static void
test_retry_after (void)
{
  g_auto (Script) script = { 0 };
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) error = NULL;

  script_start (&script, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
  reply = ask (script.base, KT_ENDPOINT_HELLO, &error);
  g_assert_no_error (error);
  g_assert_cmpint (reply->retry_after_ms, ==, 7000);
}

/* Without a live channel the wait is waited out, and can be ended. */
static void
test_no_live_channel (void)
{
  g_auto (Script) script = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (GError) error = NULL;
  gint64 begin;

  script_start (&script, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  transport = kt_http_transport_new (script.base, &error);
  begin = g_get_monotonic_time ();
  g_assert_false (kt_transport_wait (transport, "token", 1, 120, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_get_monotonic_time () - begin, >=, 100000);
  g_assert_nonnull (strstr (script.heard, "GET /v1/live"));
  g_cancellable_cancel (cancellable);
  g_assert_false (kt_transport_wait (transport, "token", 1, 60000, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_live_refused (void)
{
  g_auto (Script) script = { 0 };
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (GError) error = NULL;

  script_start (&script, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
  transport = kt_http_transport_new (script.base, &error);
  g_assert_false (kt_transport_wait (transport, "token", 1, 20000, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_AUTH);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http/addresses", test_addresses);
  g_test_add_func ("/http/answers", test_answers);
  g_test_add_func ("/http/statuses", test_statuses);
  g_test_add_func ("/http/endless", test_endless);
  g_test_add_func ("/http/refused", test_refused);
  g_test_add_func ("/http/unknown-name", test_unknown_name);
  g_test_add_func ("/http/no-tls", test_no_tls);
  g_test_add_func ("/http/cancel", test_cancel);
  g_test_add_func ("/http/request", test_request);
  g_test_add_func ("/http/retry-after", test_retry_after);
  g_test_add_func ("/http/no-live-channel", test_no_live_channel);
  g_test_add_func ("/http/live-refused", test_live_refused);
  return g_test_run ();
}
