/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <libsoup/soup.h>

#include "sync/kt-transport.h"

G_BEGIN_DECLS

/* What the exchange (kt-http-transport.c) and the live channel (kt-live.c) share: one
 * session on a main context of its own, which only runs while somebody waits in it. */

#define KT_HTTP_CONNECT_MS 10000
#define KT_HTTP_STALL_MS   60000

typedef struct _KtLive KtLive;

/* "What went wrong with @host", as a sentence with a remedy; NULL stays NULL. Takes @failure. */
GError  *_kt_http_explain     (GError *failure, GUri *base, gboolean connected);
/* A message for an endpoint under @base; NULL for an address that cannot be. */
SoupMessage *_kt_http_message (GUri *base, KtEndpoint endpoint, const char *rest, const char *query, const char *token);

KtLive  *_kt_live_new  (SoupSession *session, GUri *base);
void     _kt_live_free (KtLive *live);
/* As KtTransportClass.wait; on @context, which is the thread's default. */
gboolean _kt_live_wait (KtLive *live, GMainContext *context, const char *token, gint64 seen_seq, guint timeout_ms,
                        GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtLive, _kt_live_free)

G_END_DECLS
