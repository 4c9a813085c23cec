/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-transport.h"

#include "sync/kt-sync-private.h"

KtReply *
kt_transport_send (KtTransport *transport,
                   const KtRequest *request,
                   GCancellable *cancellable,
                   GError **error)
{
  g_return_val_if_fail (transport != NULL, NULL);
  g_return_val_if_fail (request != NULL, NULL);

  transport->requests++;
  return transport->klass->send (transport, request, cancellable, error);
}

gboolean
kt_transport_wait (KtTransport *transport,
                   const char *token,
                   gint64 seen_seq,
                   guint timeout_ms,
                   GCancellable *cancellable,
                   GError **error)
{
  g_return_val_if_fail (transport != NULL, FALSE);

  if (transport->klass->wait != NULL)
    return transport->klass->wait (transport, token, seen_seq, timeout_ms, cancellable, error);
  if (!_kt_sync_sleep ((gint64) timeout_ms * 1000, cancellable))
    g_cancellable_set_error_if_cancelled (cancellable, error);
  return FALSE;
}

void
kt_transport_free (KtTransport *transport)
{
  if (transport != NULL)
    transport->klass->free (transport);
}
