/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A reply of the core as HTTP. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-front-private.h"

#include "base/kt-error.h"

/* ---- replies ---- */

static void
log_request (KtFront *front,
             SoupServerMessage *message,
             guint status,
             gint64 started_us,
             gsize bytes)
{
  GUri *uri = soup_server_message_get_uri (message);
  const char *host = soup_server_message_get_remote_host (message);
  g_autofree char *path = NULL;

  if (!front->verbose && status < 500)
    return;
  /* Never the query, a header or a body: they hold cursors, tokens and records. */
  path = g_uri_escape_string (uri != NULL ? g_uri_get_path (uri) : "", "/", FALSE);
  g_printerr ("kontor-server: peer=%s method=%s path=%.200s status=%u ms=%" G_GINT64_FORMAT
              " bytes=%" G_GSIZE_FORMAT "\n",
              host != NULL ? host : "-", soup_server_message_get_method (message), path, status,
              (g_get_monotonic_time () - started_us) / 1000, bytes);
}

static void
set_range (SoupServerMessage *message, KtJob *job)
{
  KtReply *reply = job->reply;
  gint64 size = (gint64) g_bytes_get_size (reply->body);

  if (job->range_end >= reply->range_start && job->range_end - reply->range_start + 1 < size)
    {
      GBytes *part =
        g_bytes_new_from_bytes (reply->body, 0, (gsize) (job->range_end - reply->range_start + 1));

      g_bytes_unref (reply->body);
      reply->body = part;
      size = (gint64) g_bytes_get_size (part);
    }
  soup_message_headers_set_content_range (soup_server_message_get_response_headers (message),
                                          reply->range_start, reply->range_start + size - 1,
                                          reply->range_total);
}

/* What libsoup has no words for. */
static const char *
reason_of (guint status)
{
  switch (status)
    {
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    default:
      return NULL;
    }
}

/* Not with the connection. libsoup removes the length that a 204 does not have when it writes the head, and with it
 * what was said here before: it is said again behind it. */
static void
ends_at_head_cb (SoupServerMessage *message, gpointer data)
{
  soup_message_headers_set_encoding (soup_server_message_get_response_headers (message), SOUP_ENCODING_NONE);
}

/* The reply onto the message. */
void
_kt_front_put_reply (SoupServerMessage *message, KtJob *job)
{
  KtReply *reply = job->reply;
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);

  soup_server_message_set_status (message, reply->status, reason_of (reply->status));
  /* Of what has no body nothing can be kept or misread. */
  if (reply->status != 204)
    {
      soup_message_headers_replace (headers, "Cache-Control", "no-store");
      soup_message_headers_replace (headers, "X-Content-Type-Options", "nosniff");
    }
  if (reply->etag != NULL)
    {
      g_autofree char *etag = g_strdup_printf ("\"%s\"", reply->etag);

      soup_message_headers_replace (headers, "ETag", etag);
      soup_message_headers_replace (headers, "Cache-Control", "private, no-cache");
    }
  if (reply->retry_after_ms > 0)
    {
      g_autofree char *seconds =
        g_strdup_printf ("%" G_GINT64_FORMAT, (reply->retry_after_ms + 999) / 1000);

      soup_message_headers_replace (headers, "Retry-After", seconds);
    }
  if (reply->status == 426)
    soup_message_headers_replace (headers, "Upgrade", "websocket");
  if (reply->status == 401)
    soup_message_headers_replace (headers, "WWW-Authenticate", "Bearer");
  if (job->front->stopping)
    soup_message_headers_replace (headers, "Connection", "close");
  if (reply->status == 206 && reply->body != NULL)
    set_range (message, job);
  if (job->packed)
    {
      soup_message_headers_replace (headers, "Content-Encoding", "gzip");
      soup_message_headers_replace (headers, "Vary", "Accept-Encoding");
    }
  if (reply->body != NULL)
    {
      soup_message_headers_set_content_type (
        headers, reply->content_type != NULL ? reply->content_type : KT_WIRE_CONTENT_JSON, NULL);
      soup_message_body_append_bytes (soup_server_message_get_response_body (message), reply->body);
      soup_message_body_complete (soup_server_message_get_response_body (message));
    }
  if (reply->status == 204 || reply->status == 304)
    {
      ends_at_head_cb (message, NULL);
      g_signal_connect (message, "wrote-headers", G_CALLBACK (ends_at_head_cb), NULL);
    }
  log_request (job->front, message, reply->status, job->started_us,
               reply->body != NULL ? g_bytes_get_size (reply->body) : 0);
}

void
_kt_front_put_error (KtFront *front,
                     SoupServerMessage *message,
                     guint status,
                     KtError code,
                     const char *text)
{
  g_autoptr (GError) error = g_error_new_literal (KT_ERROR, (int) code, text);
  KtJob job = { .front = front, .started_us = g_get_monotonic_time (), .range_end = -1 };

  job.reply = kt_reply_from_error (error);
  job.reply->status = status;
  _kt_front_put_reply (message, &job);
  kt_reply_free (job.reply);
}
