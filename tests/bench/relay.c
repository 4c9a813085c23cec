/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "relay.h"

#include <string.h>

struct _BenchRelay
{
  GSocketService *service;
  GThread *thread;
  GMainContext *context;
  GMainLoop *loop;
  char *address;
  guint16 server_port;
  gsize bytes; /* atomic */
};

typedef struct
{
  BenchRelay *relay;
  GIOStream *from, *to;
} Way;

static gpointer
carry (gpointer data)
{
  Way *way = data;
  guint8 buffer[65536];
  gssize n;

  while ((n = g_input_stream_read (g_io_stream_get_input_stream (way->from), buffer, sizeof buffer, NULL, NULL)) > 0)
    {
      g_atomic_pointer_add (&way->relay->bytes, n);
      if (!g_output_stream_write_all (g_io_stream_get_output_stream (way->to), buffer, (gsize) n, NULL, NULL, NULL))
        break;
    }
  g_socket_shutdown (g_socket_connection_get_socket (G_SOCKET_CONNECTION (way->to)), FALSE, TRUE, NULL);
  g_object_unref (way->from);
  g_object_unref (way->to);
  g_free (way);
  return NULL;
}

static void
start (BenchRelay *relay, GIOStream *from, GIOStream *to)
{
  Way *way = g_new0 (Way, 1);

  way->relay = relay;
  way->from = g_object_ref (from);
  way->to = g_object_ref (to);
  g_thread_unref (g_thread_new ("relay", carry, way));
}

static gboolean
incoming_cb (GSocketService *service, GSocketConnection *here, GObject *source, gpointer data)
{
  BenchRelay *relay = data;
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) there =
    g_socket_client_connect_to_host (client, "127.0.0.1", relay->server_port, NULL, NULL);

  if (there == NULL)
    return TRUE;
  g_socket_set_option (g_socket_connection_get_socket (here), 6 /* TCP */, 1 /* NODELAY */, 1, NULL);
  g_socket_set_option (g_socket_connection_get_socket (there), 6, 1, 1, NULL);
  start (relay, G_IO_STREAM (here), G_IO_STREAM (there));
  start (relay, G_IO_STREAM (there), G_IO_STREAM (here));
  return TRUE;
}

static gpointer
serve (gpointer data)
{
  BenchRelay *relay = data;

  g_main_context_push_thread_default (relay->context);
  g_main_loop_run (relay->loop);
  g_main_context_pop_thread_default (relay->context);
  return NULL;
}

BenchRelay *
bench_relay_new (const char *address)
{
  BenchRelay *relay = g_new0 (BenchRelay, 1);
  g_autoptr (GError) error = NULL;
  guint16 port;

  relay->server_port = (guint16) g_ascii_strtoull (strrchr (address, ':') + 1, NULL, 10);
  relay->context = g_main_context_new ();
  relay->loop = g_main_loop_new (relay->context, FALSE);
  g_main_context_push_thread_default (relay->context);
  relay->service = g_socket_service_new ();
  port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (relay->service), NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (relay->service, "incoming", G_CALLBACK (incoming_cb), relay);
  g_main_context_pop_thread_default (relay->context);
  relay->address = g_strdup_printf ("http://127.0.0.1:%u", port);
  relay->thread = g_thread_new ("relay", serve, relay);
  return relay;
}

void
bench_relay_free (BenchRelay *relay)
{
  g_main_loop_quit (relay->loop);
  g_thread_join (relay->thread);
  g_socket_service_stop (relay->service);
  g_object_unref (relay->service);
  g_main_loop_unref (relay->loop);
  g_main_context_unref (relay->context);
  g_free (relay->address);
  /* What still carries ends with its connections; it keeps pointing here. */
}

const char *
bench_relay_address (BenchRelay *relay)
{
  return relay->address;
}

guint64
bench_relay_bytes (BenchRelay *relay)
{
  return (guint64) g_atomic_pointer_get (&relay->bytes);
}
