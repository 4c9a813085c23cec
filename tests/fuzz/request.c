/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The head of a request (METHOD PATH?QUERY, a line), and a reply that somebody gives
 * (the line holds its status and type, the rest is the body). */

#include "config.h"

#include "base/kt-error.h"
#include "fuzz.h"
#include "proto/kt-wire.h"

static void
try_request (const char *line)
{
  g_autofree char *method = g_strdup (line);
  char *path = strchr (method, ' ');
  char *query;
  const char *rest;
  gboolean wrong_method;
  const KtEndpointInfo *info;
  static const char *const keys[] = { "cursor", "limit", "object", "id", "before", "offset", "" };

  if (path == NULL)
    return;
  *path++ = '\0';
  query = strchr (path, '?');
  if (query != NULL)
    *query++ = '\0';
  info = kt_endpoint_find (method, path, &rest, &wrong_method);
  if (info != NULL)
    {
      g_autofree char *again = g_strconcat (info->path, rest, NULL);

      g_assert_false (wrong_method);
      g_assert_cmpstr (info->method, ==, method);
      g_assert_cmpstr (again, ==, path);
      g_assert_true (info == kt_endpoint_info (info->endpoint));
    }
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_PULL);
      g_autofree char *value = NULL;

      request->query = g_strdup (query);
      value = kt_request_get_query (request, keys[i]);
      if (value != NULL)
        {
          g_autoptr (KtRequest) written = kt_request_new (KT_ENDPOINT_PULL);
          g_autofree char *back = NULL;

          g_assert_true (g_utf8_validate (value, -1, NULL));
          kt_request_set_query (written, "x y", "&=%+");
          kt_request_set_query (written, keys[i], value);
          back = kt_request_get_query (written, keys[i]);
          g_assert_cmpstr (value, ==, back);
        }
    }
}

static void
try_reply (const char *line, const uint8_t *body, size_t size)
{
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) error = NULL;
  char *type;
  guint64 status = g_ascii_strtoull (line, &type, 10);

  if (type == line || status > 999)
    return;
  reply = kt_reply_new ((guint) status);
  reply->content_type = *type == ' ' ? g_strdup (type + 1) : NULL;
  reply->body = g_bytes_new (body, size);
  error = kt_reply_to_error (reply);
  g_assert_true (error != NULL || (status >= 200 && status < 300) || status == 304
                 || status == 101);
  if (error != NULL)
    {
      g_assert_true (error->domain == KT_ERROR);
      fuzz_check_message (error->message);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const uint8_t *start;
  size_t len;
  g_autofree char *line = NULL;

  if (size > FUZZ_MAX)
    return 0;
  len = fuzz_cut (&data, &size, '\n', &start);
  line = fuzz_text (start, len);
  try_request (line);
  try_reply (line, data, size);
  return 0;
}
