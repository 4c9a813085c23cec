/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/kt-transport.h"

G_BEGIN_DECLS

/* A line without a network: requests are handed to a function, and whatever can
 * happen to one on the way is arranged beforehand, by kind of request. */
typedef enum
{
  KT_FAULT_NONE,
  KT_FAULT_REQUEST_LOST,      /* the server never hears of it */
  KT_FAULT_REPLY_LOST,        /* the server did it, nobody here learns that */
  KT_FAULT_DOUBLED,           /* the server gets it twice; the second answer comes back */
  KT_FAULT_GARBLED,           /* a byte in the middle of the answer is another one */
  KT_FAULT_CUT,               /* the answer ends in its middle */
  KT_FAULT_HTML,              /* something else answers: a hotel's sign-in page */
  KT_FAULT_500,
  KT_FAULT_503,
  KT_FAULT_401,
} KtFault;

typedef KtReply *(*KtTestServer) (const KtRequest *request, gpointer data);     /* NULL: nobody there */
typedef void     (*KtTestAlter)  (KtReply *reply, gpointer data);
typedef void     (*KtTestHook)   (const KtRequest *request, gpointer data);

KtTransport *kt_test_transport_new  (KtTestServer server, gpointer data);
/* The next @times requests to @endpoint, after @skip that go well. KT_N_ENDPOINTS: to any. */
void         kt_test_transport_fail (KtTransport *transport, KtEndpoint endpoint, KtFault fault, guint skip, guint times);
/* From now on everything goes well. */
void         kt_test_transport_heal (KtTransport *transport);
/* Called when the server has answered and before the answer arrives: what happens meanwhile. Once. */
void         kt_test_transport_meanwhile (KtTransport *transport, KtEndpoint endpoint, KtTestHook hook, gpointer data);
/* Every answer of @endpoint is another one. NULL: no more. */
void         kt_test_transport_alter (KtTransport *transport, KtEndpoint endpoint, KtTestAlter alter, gpointer data);
guint        kt_test_transport_count (KtTransport *transport, KtEndpoint endpoint);      /* requests so far */
/* The words of the endpoints in order, "pull push pull", since the last call. g_free. */
char        *kt_test_transport_trace (KtTransport *transport);

G_END_DECLS
