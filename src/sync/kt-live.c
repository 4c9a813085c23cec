/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-http-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-json.h"
#include "sync/kt-backoff.h"
#include "sync/kt-sync-private.h"

/* The live channel: a WebSocket on which the server says {"seq":n} whenever it made a commit. A hint
 * and nothing more: without it, or with one that lies, everything works, only later.           */

#define MAX_MESSAGE 4096
#define KEEPALIVE_S 25
#define CHANNEL_RETRY_MS 5000 /* at least, after one that could not be opened */
#define CHANNEL_LAST_MS 300000

struct _KtLive
{
  SoupSession *session;
  GUri *base;

  SoupWebsocketConnection *socket;
  GCancellable *connecting; /* while it is being opened */
  char *token;              /* that it was opened with */
  gint64 seq;               /* the newest that was said */
  gint64 told;     /* the newest that was passed on: one that never comes true is told once */
  gint64 retry_us; /* not before */
  guint failures;
  gboolean refused; /* the server did not know the token */
  gboolean lost;    /* it was open and closed: worth a look whether the server is still there */
  gboolean *gone;   /* set for callbacks that outlive us */
};

static void
drop_socket (KtLive *live)
{
  if (live->socket == NULL)
    return;
  g_signal_handlers_disconnect_by_data (live->socket, live);
  if (soup_websocket_connection_get_state (live->socket) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_close (live->socket, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
  g_clear_object (&live->socket);
}

static void
try_later (KtLive *live)
{
  gint64 wait_ms = CHANNEL_RETRY_MS;

  for (guint i = 0; i < live->failures && wait_ms < CHANNEL_LAST_MS; i++)
    wait_ms *= 2;
  live->failures++;
  live->retry_us = g_get_monotonic_time () + MIN (wait_ms, CHANNEL_LAST_MS) * 1000;
}

static void
message_cb (SoupWebsocketConnection *socket,
            SoupWebsocketDataType type,
            GBytes *message,
            gpointer data)
{
  KtLive *live = data;
  gsize len;
  const char *text = g_bytes_get_data (message, &len);
  g_autoptr (KtJson) json = NULL;

  if (type != SOUP_WEBSOCKET_DATA_TEXT || len > MAX_MESSAGE)
    return;
  json = kt_json_parse (text, (gssize) len, NULL);
  live->seq = kt_json_get_int (json, "seq", live->seq);
}

static void
closed_cb (SoupWebsocketConnection *socket, gpointer data)
{
  KtLive *live = data;

  drop_socket (live);
  live->lost = TRUE;
}

typedef struct
{
  KtLive *live;
  gboolean *gone;
  SoupMessage *message;
} Opening;

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autofree Opening *opening = data;
  g_autoptr (SoupMessage) message = opening->message;
  g_autofree gboolean *gone = opening->gone;
  g_autoptr (GError) error = NULL;
  g_autoptr (SoupWebsocketConnection) socket = NULL;
  KtLive *live = opening->live;

  socket = soup_session_websocket_connect_finish (SOUP_SESSION (source), result, &error);
  if (*gone)
    return;
  live->gone = NULL;
  g_clear_object (&live->connecting);
  if (socket == NULL)
    {
      live->refused = soup_message_get_status (message) == 401;
      try_later (live);
      return;
    }
  live->failures = 0;
  live->seq = live->told = 0;
  live->socket = g_steal_pointer (&socket);
  soup_websocket_connection_set_max_incoming_payload_size (live->socket, MAX_MESSAGE);
  soup_websocket_connection_set_keepalive_interval (live->socket, KEEPALIVE_S);
  g_signal_connect (live->socket, "message", G_CALLBACK (message_cb), live);
  g_signal_connect (live->socket, "closed", G_CALLBACK (closed_cb), live);
}

static void
open_channel (KtLive *live, const char *token)
{
  SoupMessage *message = _kt_http_message (live->base, KT_ENDPOINT_LIVE, NULL, NULL, token);
  Opening *opening = g_new0 (Opening, 1);

  g_free (live->token);
  live->token = g_strdup (token);
  live->refused = FALSE;
  live->connecting = g_cancellable_new ();
  live->gone = g_new0 (gboolean, 1);
  *opening = (Opening){ live, live->gone, message };
  soup_session_websocket_connect_async (live->session, message, NULL, NULL, G_PRIORITY_DEFAULT,
                                        live->connecting, opened_cb, opening);
}

static void
stop_opening (KtLive *live)
{
  if (live->connecting == NULL)
    return;
  g_cancellable_cancel (live->connecting);
  g_clear_object (&live->connecting);
  *live->gone = TRUE;
  live->gone = NULL;
}

KtLive *
_kt_live_new (SoupSession *session, GUri *base)
{
  KtLive *live = g_new0 (KtLive, 1);

  live->session = g_object_ref (session);
  live->base = g_uri_ref (base);
  return live;
}

void
_kt_live_free (KtLive *live)
{
  if (live == NULL)
    return;
  stop_opening (live);
  drop_socket (live);
  g_object_unref (live->session);
  g_uri_unref (live->base);
  g_free (live->token);
  g_free (live);
}

static gboolean
nothing_cb (gpointer data)
{
  return G_SOURCE_REMOVE;
}

static gboolean
over_cb (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

gboolean
_kt_live_wait (KtLive *live,
               GMainContext *context,
               const char *token,
               gint64 seen_seq,
               guint timeout_ms,
               GCancellable *cancellable,
               GError **error)
{
  g_autoptr (GSource) timer = g_timeout_source_new (timeout_ms);
  g_autoptr (GSource) stop = NULL;
  gboolean over = FALSE, stopped = FALSE;

  g_source_set_callback (timer, over_cb, &over, NULL);
  g_source_attach (timer, context);
  if (cancellable != NULL)
    {
      stop = g_cancellable_source_new (cancellable);
      g_source_set_callback (stop, G_SOURCE_FUNC (cancelled_cb), &stopped, NULL);
      g_source_attach (stop, context);
    }
  if (g_strcmp0 (token, live->token) != 0)
    {
      stop_opening (live);
      drop_socket (live);
      live->retry_us = 0;
      live->failures = 0;
      live->seq = live->told = 0;
    }
  seen_seq = MAX (seen_seq, live->told);

  while (!over && !stopped && !live->refused && !live->lost && live->seq <= seen_seq)
    {
      gint64 retry_us = live->retry_us - g_get_monotonic_time ();
      g_autoptr (GSource) retry = NULL;

      if (live->socket == NULL && live->connecting == NULL && retry_us <= 0)
        {
          open_channel (live, token);
        }
      else if (live->socket == NULL && live->connecting == NULL)
        {
          retry = g_timeout_source_new ((guint) (retry_us / 1000 + 1));
          g_source_set_callback (retry, nothing_cb, NULL, NULL);
          g_source_attach (retry, context);
        }
      g_main_context_iteration (context, TRUE);
      if (retry != NULL)
        g_source_destroy (retry);
    }

  g_source_destroy (timer);
  if (stop != NULL)
    g_source_destroy (stop);
  if (live->refused)
    {
      live->refused = FALSE;
      g_set_error_literal (error, KT_ERROR, KT_ERROR_AUTH,
                           "The server does not know this session any more");
      return FALSE;
    }
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (live->lost)
    {
      live->lost = FALSE;
      return TRUE;
    }
  if (live->seq <= seen_seq)
    return FALSE;
  live->told = live->seq;
  return TRUE;
}
