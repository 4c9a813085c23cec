/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-wire.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* How a request gets to a server and a reply back. Blocking, called from one
 * thread at a time. HTTP in the programs, a direct call or a hostile network in tests. */
typedef struct _KtTransport KtTransport;
typedef struct
{
  /* NULL: no answer (error NETWORK, cancelled, …). Any HTTP status is a reply. */
  KtReply *(*send)  (KtTransport *transport, const KtRequest *request, GCancellable *cancellable, GError **error);
  /* Waits up to @timeout_ms for "there is more than @seen_seq" (live channel). TRUE: hint arrived. FALSE without error: the time is
   * over; without a channel it is waited out all the same. Errors: G_IO_ERROR_CANCELLED, AUTH. NULL: there is no channel. */
  gboolean (*wait)  (KtTransport *transport, const char *token, gint64 seen_seq, guint timeout_ms, GCancellable *cancellable, GError **error);
  void     (*free)  (KtTransport *transport);
} KtTransportClass;
/* What all transports of one program carry together, and the switch that refuses it all. Any thread. */
typedef struct _KtMeter KtMeter;
struct _KtTransport { const KtTransportClass *klass; guint64 bytes_out, bytes_in, requests; KtMeter *meter; /* owned; NULL: not counted */ };

KtMeter  *kt_meter_new   (void);
KtMeter  *kt_meter_ref   (KtMeter *meter);
void      kt_meter_unref (KtMeter *meter);           /* NULL is fine */
/* Bytes since it was made. Either may be NULL. */
void      kt_meter_read  (KtMeter *meter, guint64 *bytes_out, guint64 *bytes_in);
/* As if the cable were out: every exchange that begins from now on fails with NETWORK at once. */
void      kt_meter_set_cut (KtMeter *meter, gboolean cut);

KtReply  *kt_transport_send (KtTransport *transport, const KtRequest *request, GCancellable *cancellable, GError **error);
gboolean  kt_transport_wait (KtTransport *transport, const char *token, gint64 seen_seq, guint timeout_ms, GCancellable *cancellable, GError **error);
void      kt_transport_free (KtTransport *transport);

/* libsoup. @base: "http://127.0.0.1:41234" or "https://crm.example.com[/path]"; a bare host name gets https.
 * Redirects are not followed (NOT_KONTOR names the target). INVALID for what is no http(s) address. */
KtTransport *kt_http_transport_new (const char *base, GError **error);
/* "host:port/" as typed → canonical base address. g_free. */
char        *kt_http_base_address  (const char *typed, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtMeter, kt_meter_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtTransport, kt_transport_free)

G_END_DECLS
