/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The live channel says "there is more" and nothing else: {"seq":n}. Commits of this process are announced
 * at once, those of others (a second server, the command line) are found by asking for the newest seq twice a
 * second, as long as anybody listens. A lost channel costs latency, never data. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-front-private.h"

#define POLL_MS 500
#define RECHECK_POLLS 60 /* tokens are looked at every half minute */
#define KEEPALIVE_S 30
#define MAX_MESSAGE 4096

typedef struct
{
  KtFront *front;                  /* borrowed */
  SoupWebsocketConnection *socket; /* owned */
  char *token;                     /* owned */
} KtChannel;

static gboolean poll_cb (gpointer data);

static void
channel_free (gpointer data)
{
  KtChannel *channel = data;

  g_signal_handlers_disconnect_by_data (channel->socket, channel);
  if (soup_websocket_connection_get_state (channel->socket) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_close (channel->socket, SOUP_WEBSOCKET_CLOSE_GOING_AWAY, NULL);
  g_object_unref (channel->socket);
  g_free (channel->token);
  g_free (channel);
}

static void
say (KtChannel *channel, gint64 seq)
{
  char text[64];

  if (soup_websocket_connection_get_state (channel->socket) != SOUP_WEBSOCKET_STATE_OPEN)
    return;
  g_snprintf (text, sizeof text, "{\"seq\":%" G_GINT64_FORMAT "}", seq);
  soup_websocket_connection_send_text (channel->socket, text);
}

static void
closed_cb (SoupWebsocketConnection *socket, gpointer data)
{
  KtChannel *channel = data;

  g_ptr_array_remove_fast (channel->front->channels, channel);
}

static void
start_polling (KtFront *front)
{
  if (front->poll != NULL)
    return;
  front->poll = g_timeout_source_new (POLL_MS);
  g_source_set_callback (front->poll, poll_cb, front, NULL);
  g_source_attach (front->poll, front->context);
}

static void
opened_cb (SoupServer *server,
           SoupServerMessage *message,
           const char *path,
           SoupWebsocketConnection *socket,
           gpointer data)
{
  KtFront *front = data;
  const char *token = g_object_get_data (G_OBJECT (message), "kt-token");
  KtChannel *channel;

  _kt_front_message_over (front, message, TRUE);
  if (front->stopping || token == NULL)
    {
      soup_websocket_connection_close (socket, SOUP_WEBSOCKET_CLOSE_GOING_AWAY, NULL);
      return;
    }
  channel = g_new0 (KtChannel, 1);
  channel->front = front;
  channel->socket = g_object_ref (socket);
  channel->token = g_strdup (token);
  soup_websocket_connection_set_max_incoming_payload_size (socket, MAX_MESSAGE);
  soup_websocket_connection_set_keepalive_interval (socket, KEEPALIVE_S);
  g_signal_connect (socket, "closed", G_CALLBACK (closed_cb), channel);
  g_ptr_array_add (front->channels, channel);
  say (channel, front->seq);
  start_polling (front);
}

void
_kt_live_announce (KtFront *front, gint64 seq)
{
  if (seq <= front->seq)
    return;
  front->seq = seq;
  for (guint i = 0; i < front->channels->len; i++)
    say (front->channels->pdata[i], seq);
}

static gboolean
poll_cb (gpointer data)
{
  KtFront *front = data;
  KtJob *job;

  if (front->channels->len == 0)
    {
      g_clear_pointer (&front->poll, g_source_unref);
      return G_SOURCE_REMOVE;
    }
  if (front->polling)
    return G_SOURCE_CONTINUE;
  front->polling = TRUE;
  job = g_new0 (KtJob, 1);
  job->front = front;
  job->kind = KT_JOB_SEQ;
  if (front->poll_count++ % RECHECK_POLLS == RECHECK_POLLS - 1)
    {
      job->tokens = g_ptr_array_new_with_free_func (g_free);
      for (guint i = 0; i < front->channels->len; i++)
        g_ptr_array_add (job->tokens, g_strdup (((KtChannel *) front->channels->pdata[i])->token));
    }
  _kt_front_push_job (job);
  return G_SOURCE_CONTINUE;
}

void
_kt_live_polled (KtJob *job)
{
  KtFront *front = job->front;

  front->polling = FALSE;
  if (job->seq >= 0)
    _kt_live_announce (front, job->seq);
  for (guint i = 0; job->tokens != NULL && i < job->tokens->len; i++)
    for (guint k = front->channels->len; k > 0; k--)
      if (g_strcmp0 (((KtChannel *) front->channels->pdata[k - 1])->token, job->tokens->pdata[i])
          == 0)
        g_ptr_array_remove_index_fast (front->channels, k - 1);
}

void
_kt_live_init (KtFront *front)
{
  front->channels = g_ptr_array_new_with_free_func (channel_free);
  soup_server_add_websocket_handler (front->server, kt_endpoint_info (KT_ENDPOINT_LIVE)->path, NULL,
                                     NULL, opened_cb, front, NULL);
}

void
_kt_live_close_all (KtFront *front)
{
  g_ptr_array_set_size (front->channels, 0);
}

void
_kt_live_clear (KtFront *front)
{
  if (front->poll != NULL)
    g_source_destroy (front->poll);
  g_clear_pointer (&front->poll, g_source_unref);
  g_clear_pointer (&front->channels, g_ptr_array_unref);
}
