/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "kt-test-transport.h"

#include <string.h>

#include "base/kt-error.h"
#include "sync/kt-sync-private.h"

typedef struct
{
  KtEndpoint endpoint;
  KtFault fault;
  guint skip, times;
} Plan;

typedef struct
{
  KtTransport parent;

  KtTestServer server;
  gpointer data;
  GArray *plans;
  GString *trace;
  guint counts[KT_N_ENDPOINTS];
  KtEndpoint hook_endpoint;
  KtTestHook hook;
  gpointer hook_data;
  KtEndpoint alter_endpoint;
  KtTestAlter alter;
  gpointer alter_data;
} TestTransport;

static const char *const words[KT_N_ENDPOINTS] = {
  [KT_ENDPOINT_HELLO] = "hello",     [KT_ENDPOINT_LOGIN] = "login",
  [KT_ENDPOINT_LOGOUT] = "logout", [KT_ENDPOINT_DEVICE] = "device",   [KT_ENDPOINT_SCHEMA] = "schema",
  [KT_ENDPOINT_ACCESS] = "access",
  [KT_ENDPOINT_PULL] = "pull",       [KT_ENDPOINT_PUSH] = "push",
  [KT_ENDPOINT_HISTORY] = "history", [KT_ENDPOINT_DIGEST] = "digest", [KT_ENDPOINT_ROWS] = "rows",
  [KT_ENDPOINT_BLOB_GET] = "get",    [KT_ENDPOINT_BLOB_PUT] = "put",
  [KT_ENDPOINT_BLOB_STAT] = "stat",  [KT_ENDPOINT_LIVE] = "live",
};

static KtFault
next_fault (TestTransport *self, KtEndpoint endpoint)
{
  for (guint i = 0; i < self->plans->len; i++)
    {
      Plan *plan = &g_array_index (self->plans, Plan, i);

      if ((plan->endpoint != endpoint && plan->endpoint != KT_N_ENDPOINTS) || plan->times == 0)
        continue;
      if (plan->skip > 0)
        {
          plan->skip--;
          continue;
        }
      plan->times--;
      return plan->fault;
    }
  return KT_FAULT_NONE;
}

static KtReply *
canned (guint status, const char *type, const char *body)
{
  KtReply *reply = kt_reply_new (status);

  reply->content_type = g_strdup (type);
  reply->body = g_bytes_new (body, strlen (body));
  return reply;
}

static KtReply *
refusal (KtError code, const char *message)
{
  g_autoptr (GError) error = g_error_new_literal (KT_ERROR, (int) code, message);

  return kt_reply_from_error (error);
}

static void
damage (KtReply *reply, KtFault fault)
{
  g_autoptr (GBytes) whole = g_steal_pointer (&reply->body);
  gsize len = whole != NULL ? g_bytes_get_size (whole) : 0;
  g_autofree guint8 *bytes =
    g_memdup2 (len > 0 ? g_bytes_get_data (whole, NULL) : "", MAX (len, 1));

  if (fault == KT_FAULT_CUT)
    len /= 2;
  else if (len > 0)
    bytes[len / 2] ^= 1;
  reply->body = g_bytes_new (bytes, len);
}

static KtReply *
test_send (KtTransport *transport,
           const KtRequest *request,
           GCancellable *cancellable,
           GError **error)
{
  TestTransport *self = (TestTransport *) transport;
  KtFault fault = next_fault (self, request->endpoint);
  g_autoptr (KtReply) reply = NULL;

  self->counts[request->endpoint]++;
  g_string_append_printf (self->trace, "%s%s", self->trace->len > 0 ? " " : "",
                          words[request->endpoint]);
  if (request->body != NULL)
    transport->bytes_out += g_bytes_get_size (request->body);

  switch (fault)
    {
    case KT_FAULT_HTML:
      return canned (200, "text/html", "<html><title>Hotel Wi-Fi</title></html>");
    case KT_FAULT_500:
      return refusal (KT_ERROR_INTERNAL, "something broke");
    case KT_FAULT_503:
      return refusal (KT_ERROR_BUSY, "come back later");
    case KT_FAULT_401:
      return refusal (KT_ERROR_AUTH, "this session is over");
    case KT_FAULT_DOUBLED:
      kt_reply_free (self->server (request, self->data));
      break;
    default:
      break;
    }

  if (fault != KT_FAULT_REQUEST_LOST)
    reply = self->server (request, self->data);
  if (reply != NULL && self->alter != NULL && self->alter_endpoint == request->endpoint)
    self->alter (reply, self->alter_data);
  if (reply != NULL && self->hook != NULL && self->hook_endpoint == request->endpoint)
    {
      KtTestHook hook = g_steal_pointer (&self->hook);

      hook (request, self->hook_data);
    }
  if (reply == NULL || fault == KT_FAULT_REPLY_LOST)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_NETWORK, "nothing answers");
      return NULL;
    }
  /* An attachment is asked for in pieces, as over HTTP. */
  if (request->endpoint == KT_ENDPOINT_BLOB_GET && reply->body != NULL
      && g_bytes_get_size (reply->body) > KT_SYNC_BLOB_PIECE)
    {
      g_autoptr (GBytes) all = g_steal_pointer (&reply->body);

      reply->body = g_bytes_new_from_bytes (all, 0, KT_SYNC_BLOB_PIECE);
    }
  if (fault == KT_FAULT_GARBLED || fault == KT_FAULT_CUT)
    damage (reply, fault);
  if (reply->body != NULL)
    transport->bytes_in += g_bytes_get_size (reply->body);
  return g_steal_pointer (&reply);
}

static void
test_free (KtTransport *transport)
{
  TestTransport *self = (TestTransport *) transport;

  g_array_unref (self->plans);
  g_string_free (self->trace, TRUE);
  g_free (self);
}

static const KtTransportClass test_class = { test_send, NULL, test_free };

KtTransport *
kt_test_transport_new (KtTestServer server, gpointer data)
{
  TestTransport *self = g_new0 (TestTransport, 1);

  self->parent.klass = &test_class;
  self->server = server;
  self->data = data;
  self->plans = g_array_new (FALSE, FALSE, sizeof (Plan));
  self->trace = g_string_new (NULL);
  return &self->parent;
}

void
kt_test_transport_fail (KtTransport *transport,
                        KtEndpoint endpoint,
                        KtFault fault,
                        guint skip,
                        guint times)
{
  Plan plan = { endpoint, fault, skip, times };

  g_array_append_val (((TestTransport *) transport)->plans, plan);
}

void
kt_test_transport_heal (KtTransport *transport)
{
  g_array_set_size (((TestTransport *) transport)->plans, 0);
}

void
kt_test_transport_meanwhile (KtTransport *transport,
                             KtEndpoint endpoint,
                             KtTestHook hook,
                             gpointer data)
{
  TestTransport *self = (TestTransport *) transport;

  self->hook_endpoint = endpoint;
  self->hook = hook;
  self->hook_data = data;
}

guint
kt_test_transport_count (KtTransport *transport, KtEndpoint endpoint)
{
  return ((TestTransport *) transport)->counts[endpoint];
}

char *
kt_test_transport_trace (KtTransport *transport)
{
  TestTransport *self = (TestTransport *) transport;
  char *trace = g_string_free (self->trace, FALSE);

  self->trace = g_string_new (NULL);
  return trace;
}

void
kt_test_transport_alter (KtTransport *transport,
                         KtEndpoint endpoint,
                         KtTestAlter alter,
                         gpointer data)
{
  TestTransport *self = (TestTransport *) transport;

  self->alter_endpoint = endpoint;
  self->alter = alter;
  self->alter_data = data;
}
