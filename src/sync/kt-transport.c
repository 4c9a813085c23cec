/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-transport.h"

#include "base/kt-error.h"
#include "sync/kt-sync-private.h"

struct _KtMeter
{
  GMutex lock;
  guint64 bytes_out, bytes_in;
  gatomicrefcount refs;
  gboolean cut;
};

KtMeter *
kt_meter_new (void)
{
  KtMeter *meter = g_new0 (KtMeter, 1);

  g_atomic_ref_count_init (&meter->refs);
  g_mutex_init (&meter->lock);
  return meter;
}

KtMeter *
kt_meter_ref (KtMeter *meter)
{
  g_return_val_if_fail (meter != NULL, NULL);

  g_atomic_ref_count_inc (&meter->refs);
  return meter;
}

void
kt_meter_unref (KtMeter *meter)
{
  if (meter == NULL || !g_atomic_ref_count_dec (&meter->refs))
    return;
  g_mutex_clear (&meter->lock);
  g_free (meter);
}

void
kt_meter_read (KtMeter *meter, guint64 *bytes_out, guint64 *bytes_in)
{
  g_return_if_fail (meter != NULL);

  g_mutex_lock (&meter->lock);
  if (bytes_out != NULL)
    *bytes_out = meter->bytes_out;
  if (bytes_in != NULL)
    *bytes_in = meter->bytes_in;
  g_mutex_unlock (&meter->lock);
}

void
kt_meter_set_cut (KtMeter *meter, gboolean cut)
{
  g_return_if_fail (meter != NULL);

  g_mutex_lock (&meter->lock);
  meter->cut = cut;
  g_mutex_unlock (&meter->lock);
}

static gboolean
require_line (KtTransport *transport, GError **error)
{
  KtMeter *meter = transport->meter;
  gboolean cut;

  if (meter == NULL)
    return TRUE;
  g_mutex_lock (&meter->lock);
  cut = meter->cut;
  g_mutex_unlock (&meter->lock);
  if (cut)
    g_set_error_literal (error, KT_ERROR, KT_ERROR_NETWORK, "The network is switched off for a trial");
  return !cut;
}

static void
count_bytes (KtTransport *transport, guint64 out, guint64 in)
{
  KtMeter *meter = transport->meter;

  if (meter == NULL)
    return;
  g_mutex_lock (&meter->lock);
  meter->bytes_out += transport->bytes_out - out;
  meter->bytes_in += transport->bytes_in - in;
  g_mutex_unlock (&meter->lock);
}

KtReply *
kt_transport_send (KtTransport *transport,
                   const KtRequest *request,
                   GCancellable *cancellable,
                   GError **error)
{
  KtReply *reply;
  guint64 out, in;

  g_return_val_if_fail (transport != NULL, NULL);
  g_return_val_if_fail (request != NULL, NULL);

  out = transport->bytes_out;
  in = transport->bytes_in;
  if (!require_line (transport, error))
    return NULL;
  transport->requests++;
  reply = transport->klass->send (transport, request, cancellable, error);
  count_bytes (transport, out, in);
  return reply;
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

  if (!require_line (transport, error))
    return FALSE;
  if (transport->klass->wait != NULL)
    return transport->klass->wait (transport, token, seen_seq, timeout_ms, cancellable, error);
  if (!_kt_sync_sleep ((gint64) timeout_ms * 1000, cancellable))
    g_cancellable_set_error_if_cancelled (cancellable, error);
  return FALSE;
}

void
kt_transport_free (KtTransport *transport)
{
  g_autoptr (KtMeter) meter = NULL;

  if (transport == NULL)
    return;
  meter = g_steal_pointer (&transport->meter);
  transport->klass->free (transport);
}
