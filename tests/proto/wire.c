/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "proto/kt-wire.h"
#include "tests/proto/fixture.h"

static void
test_endpoints (void)
{
  static const struct
  {
    const char *method, *path, *rest;
    int endpoint; /* -1: none */
    gboolean wrong_method;
  } table[] = {
    { "GET", "/v1/hello", NULL, KT_ENDPOINT_HELLO, FALSE },
    { "POST", "/v1/hello", NULL, -1, TRUE },
    { "HEAD", "/v1/hello", NULL, -1, TRUE },
    { "GET", "/v1/hello/", NULL, -1, FALSE },
    { "GET", "/v1/hello2", NULL, -1, FALSE },
    { "GET", "/", NULL, -1, FALSE },
    { "GET", "", NULL, -1, FALSE },
    { "get", "/v1/hello", NULL, -1, TRUE },
    { "POST", "/v1/push", NULL, KT_ENDPOINT_PUSH, FALSE },
    { "GET", "/v1/push", NULL, -1, TRUE },
    { "GET", "/v1/blob/abc", "abc", KT_ENDPOINT_BLOB_GET, FALSE },
    { "PUT", "/v1/blob/abc", "abc", KT_ENDPOINT_BLOB_PUT, FALSE },
    { "DELETE", "/v1/blob/abc", NULL, -1, TRUE },
    { "GET", "/v1/blob/", NULL, -1, FALSE },
    { "GET", "/v1/blob", NULL, -1, FALSE },
    { "GET", "/v1/blob/abc/def", NULL, -1, FALSE },
    { "GET", "/v1/blob/../hello", NULL, -1, FALSE },
    { "GET", "/v1/blob-state/abc", "abc", KT_ENDPOINT_BLOB_STAT, FALSE },
    { "GET", "/v1/live", NULL, KT_ENDPOINT_LIVE, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      const char *rest = "unset";
      gboolean wrong_method = 7;
      const KtEndpointInfo *info =
        kt_endpoint_find (table[i].method, table[i].path, &rest, &wrong_method);

      g_test_message ("%s %s", table[i].method, table[i].path);
      g_assert_cmpint (info != NULL ? (int) info->endpoint : -1, ==, table[i].endpoint);
      g_assert_cmpint (wrong_method, ==, table[i].wrong_method);
      g_assert_cmpstr (rest, ==, table[i].rest);
    }

  /* Every endpoint is found by what it says of itself. */
  for (KtEndpoint endpoint = 0; endpoint < KT_N_ENDPOINTS; endpoint++)
    {
      const KtEndpointInfo *info = kt_endpoint_info (endpoint);
      gboolean tail = g_str_has_suffix (info->path, "/");
      g_autofree char *path = g_strconcat (info->path, tail ? "abc" : "", NULL);
      gboolean open = endpoint == KT_ENDPOINT_HELLO || endpoint == KT_ENDPOINT_LOGIN;

      g_assert_true (kt_endpoint_find (info->method, path, NULL, NULL) == info);
      g_assert_cmpint (info->needs_token, ==, !open);
      g_assert_cmpint (info->max_body > 0, ==, strcmp (info->method, "GET") != 0);
    }
}

static void
test_query (void)
{
  static const char *const values[] = { "plain", "",       "a b",     "a+b",   "a&b=c",
                                        "100%",  "客户 😀", "x=\"y\"", "AZ-_~." };
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_PULL);
  g_autofree char *form = NULL;

  g_assert_null (kt_request_get_query (request, "a"));
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u&", i);

      kt_request_set_query (request, key, values[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u&", i);
      g_autofree char *value = kt_request_get_query (request, key);

      g_assert_cmpstr (value, ==, values[i]);
    }
  g_assert_null (kt_request_get_query (request, "key"));

  g_free (request->query);
  request->query = g_strdup ("&&a&b=&c=x+y&d=%zz&e=%00&f=%ff&g=1&g=2&=h&");
  form = kt_request_get_query (request, "c");
  g_assert_cmpstr (form, ==, "x y");
  g_assert_null (kt_request_get_query (request, "d"));
  g_assert_null (kt_request_get_query (request, "e"));
  g_assert_null (kt_request_get_query (request, "f"));
  g_assert_null (kt_request_get_query (request, "z"));
}

/* A damaged parameter is not a missing one: a pull would be one of everything. */
static void
test_query_checked (void)
{
  static const char *const good[] = { NULL,          "",       "a=1&b=2", "a=&b", "&&a=x+y&",
                                      "a=%E5%AE%A2", "a=1&A=1" };
  static const struct
  {
    const char *query, *name;
  } bad[] = { { "cursor=%ff", "cursor" },     { "limit=%00", "limit" }, { "limit=%zz", "limit" },
              { "a=1&b=2&a=1", "“a”" },       { "b=1&%62=2", "“%62”" }, { "%ff=1", "%ff" },
              { "a=1&cursor=\xff", "cursor" } };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_PULL);
      g_autoptr (GError) error = NULL;

      request->query = g_strdup (good[i]);
      kt_request_check_query (request, &error);
      g_assert_no_error (error);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_PULL);
      g_autoptr (GError) error = NULL;

      request->query = g_strdup (bad[i].query);
      g_assert_false (kt_request_check_query (request, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, bad[i].name));
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
}

/* Every error survives the way to the other side; the server's own troubles become SERVER. */
static void
test_errors (void)
{
  static const struct
  {
    KtError code;
    guint status;
    KtError arrives;
  } table[] = {
    { KT_ERROR_INTERNAL, 500, KT_ERROR_SERVER },   { KT_ERROR_INVALID, 400, KT_ERROR_INVALID },
    { KT_ERROR_LIMIT, 413, KT_ERROR_LIMIT },       { KT_ERROR_NOT_FOUND, 404, KT_ERROR_NOT_FOUND },
    { KT_ERROR_EXISTS, 409, KT_ERROR_EXISTS },     { KT_ERROR_SCHEMA, 500, KT_ERROR_SERVER },
    { KT_ERROR_NEWER, 426, KT_ERROR_NEWER },       { KT_ERROR_UNSETTLED, 409, KT_ERROR_UNSETTLED },
    { KT_ERROR_NETWORK, 503, KT_ERROR_SERVER },    { KT_ERROR_SERVER, 500, KT_ERROR_SERVER },
    { KT_ERROR_AUTH, 401, KT_ERROR_AUTH },         { KT_ERROR_FORBIDDEN, 403, KT_ERROR_FORBIDDEN },
    { KT_ERROR_BUSY, 503, KT_ERROR_BUSY },         { KT_ERROR_CORRUPT, 500, KT_ERROR_SERVER },
    { KT_ERROR_FULL, 503, KT_ERROR_SERVER },       { KT_ERROR_IO, 500, KT_ERROR_SERVER },
    { KT_ERROR_CONFLICT, 409, KT_ERROR_CONFLICT }, { KT_ERROR_EPOCH, 410, KT_ERROR_EPOCH },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = g_error_new (KT_ERROR, (int) table[i].code, "Say \"客户\"");
      g_autoptr (KtReply) reply = kt_reply_from_error (error);
      g_autoptr (GError) back = kt_reply_to_error (reply);

      g_assert_cmpuint (reply->status, ==, table[i].status);
      g_assert_error (back, KT_ERROR, (int) table[i].arrives);
      g_assert_nonnull (strstr (back->message, "Say \"客户\""));
    }
}

static void
test_foreign_error (void)
{
  g_autoptr (GError) error = g_error_new (G_CONVERT_ERROR, 0, "secret path /srv");
  g_autoptr (KtReply) reply = kt_reply_from_error (error);

  g_assert_cmpuint (reply->status, ==, 500);
  g_assert_null (g_strstr_len (g_bytes_get_data (reply->body, NULL),
                               (gssize) g_bytes_get_size (reply->body), "secret"));
}

static void
test_not_kontor (void)
{
  static const struct
  {
    guint status;
    const char *type, *body;
    int code; /* -1: fine */
    const char *says;
  } table[] = {
    { 200, "application/json", "{\"seq\":1}", -1, NULL },
    { 200, "Application/JSON; charset=utf-8", "[]", -1, NULL },
    { 200, "application/x-ndjson", "{\"page\":1,", -1, NULL },
    { 206, "application/octet-stream", "abc", -1, NULL },
    { 200, "application/octet-stream", NULL, -1, NULL },
    { 304, NULL, NULL, -1, NULL },
    { 204, NULL, NULL, -1, NULL },
    { 101, NULL, NULL, -1, NULL },
    { 0, NULL, NULL, KT_ERROR_NETWORK, "answer" },

    { 200, "text/html", "<!DOCTYPE html><HTML><Title>\nWelcome to nginx!\n</Title>",
      KT_ERROR_NOT_KONTOR, "“Welcome to nginx!”" },
    { 200, "text/html; charset=utf-8", "<html>Sign in to Hotel WiFi", KT_ERROR_NOT_KONTOR,
      "web page" },
    { 200, "text/html", "{\"seq\":1}", KT_ERROR_NOT_KONTOR, "address" },
    { 200, "application/json", NULL, KT_ERROR_NOT_KONTOR, "empty" },
    { 200, "application/json", "OK", KT_ERROR_NOT_KONTOR, "application/json" },
    { 200, "application/jsonp", "{}", KT_ERROR_NOT_KONTOR, "address" },
    { 200, NULL, NULL, KT_ERROR_NOT_KONTOR, "empty" },
    { 200, NULL, "{}", KT_ERROR_NOT_KONTOR, "address" },
    { 200, "application/x-ndjson", "{\"rows\":1}", KT_ERROR_NOT_KONTOR, "address" },
    { 200, NULL, "\xff\xfe\x01", KT_ERROR_NOT_KONTOR, "address" },
    { 200, "\xff/\xff", "\xff\xfe\x01", KT_ERROR_NOT_KONTOR, "address" },
    { 302, NULL, NULL, KT_ERROR_NOT_KONTOR, "another" },
    { 301, "text/html", "<html><title>Moved</title>", KT_ERROR_NOT_KONTOR, "another" },
    { 404, "text/html", "<html><title>404 Not Found</title>", KT_ERROR_NOT_KONTOR, "404" },
    { 404, "application/json", "{\"message\":\"no route\"}", KT_ERROR_NOT_KONTOR, "404" },
    { 400, "text/html", "<title>400 The plain HTTP request was sent to HTTPS port</title>",
      KT_ERROR_NOT_KONTOR, "HTTPS port" },
    { 403, "text/html", "<html>Forbidden", KT_ERROR_NOT_KONTOR, "403" },
    { 410, "text/html", "<html>Gone", KT_ERROR_NOT_KONTOR, "410" },
    { 409, NULL, NULL, KT_ERROR_NOT_KONTOR, "409" },
    { 401, NULL, NULL, KT_ERROR_AUTH, "sign in" },
    { 407, "text/html", "<html>", KT_ERROR_NETWORK, "proxy" },
    { 408, NULL, NULL, KT_ERROR_NETWORK, "408" },
    { 413, "text/html", "<html><title>413 Request Entity Too Large</title>", KT_ERROR_LIMIT,
      "MiB" },
    { 429, NULL, NULL, KT_ERROR_BUSY, "429" },
    { 500, NULL, NULL, KT_ERROR_SERVER, "500" },
    { 502, "text/html", "<html><title>502 Bad Gateway</title>", KT_ERROR_SERVER,
      "502 Bad Gateway" },
    { 503, "application/json", "{\"error\":\"busy\"}", KT_ERROR_SERVER, "503" },
    { 503, "application/json", "{\"error\":{\"code\":\"busy\",\"message\":\"Later.\"}}",
      KT_ERROR_BUSY, "Later." },
    { 500, "application/json", "{\"error\":{\"code\":\"quux\",\"message\":\"Hm.\"}}",
      KT_ERROR_SERVER, "Hm." },
    { 403, "application/json", "{\"error\":{\"code\":\"forbidden\",\"message\":1}}",
      KT_ERROR_NOT_KONTOR, "403" },
    { 404, "application/json", "{\"error\"", KT_ERROR_NOT_KONTOR, "404" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (KtReply) reply = kt_reply_new (table[i].status);
      g_autoptr (GError) error = NULL;

      reply->content_type = g_strdup (table[i].type);
      if (table[i].body != NULL)
        reply->body = g_bytes_new (table[i].body, strlen (table[i].body));
      error = kt_reply_to_error (reply);
      g_test_message ("%u: %s", i, error != NULL ? error->message : "fine");
      if (table[i].code < 0)
        {
          g_assert_no_error (error);
          continue;
        }
      g_assert_error (error, KT_ERROR, table[i].code);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      g_assert_nonnull (strstr (error->message, table[i].says));
    }
}

/* ---- cursor ---- */

static void
test_cursor (void)
{
  g_autoptr (GRand) rand = fixture_rand ();

  for (guint i = 0; i < 2000; i++)
    {
      KtCursor cursor = { 0 }, back = { 0 };
      g_autofree char *text = NULL;
      g_autoptr (GError) error = NULL;

      for (guint k = 0; k < 16; k++)
        {
          cursor.epoch.b[k] = (guint8) g_rand_int (rand);
          cursor.user.b[k] = (guint8) g_rand_int (rand);
        }
      cursor.seq = ((gint64) g_rand_int (rand) << 31) | g_rand_int_range (rand, 0, G_MAXINT32);
      cursor.scope = ((guint64) g_rand_int (rand) << 32) | g_rand_int (rand);
      cursor.snapshot = g_rand_boolean (rand);
      if (cursor.snapshot)
        {
          cursor.object = g_rand_int (rand);
          cursor.rid = (gint64) g_rand_int (rand) << 20;
        }
      text = kt_cursor_encode (&cursor);
      g_assert_cmpuint (
        strspn (text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), ==,
        strlen (text));
      g_assert_true (kt_cursor_decode (text, &back, &error));
      g_assert_no_error (error);
      g_assert_true (kt_id_equal (&cursor.epoch, &back.epoch));
      g_assert_true (kt_id_equal (&cursor.user, &back.user));
      g_assert_cmpint (cursor.seq, ==, back.seq);
      g_assert_cmpuint (cursor.scope, ==, back.scope);
      g_assert_cmpint (cursor.snapshot, ==, back.snapshot);
      g_assert_cmpuint (cursor.object, ==, back.object);
      g_assert_cmpint (cursor.rid, ==, back.rid);
    }
}

static void
test_cursor_damaged (void)
{
  static const char *const foreign[] = {
    "", "1", "12345", "AAAA", "not a cursor", "eyJhbGciOiJIUzI1NiJ9.e30.x", "====", "é"
  };
  KtCursor cursor = { .seq = 5, .snapshot = TRUE, .object = 3, .rid = 77 };
  g_autofree char *text = kt_cursor_encode (&cursor);
  g_autofree char *padded = g_strconcat (text, "==", NULL);
  g_autofree char *longer = g_strconcat (text, text, text, NULL);
  KtCursor back = { .seq = 99 };
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < strlen (text) * 8; i++)
    {
      g_autofree char *copy = g_strdup (text);
      g_autoptr (GError) refused = NULL;

      copy[i / 8] ^= (char) (1 << (i % 8));
      g_assert_false (kt_cursor_decode (copy, &back, &refused));
      g_assert_error (refused, KT_ERROR, KT_ERROR_INVALID);
    }
  for (gsize i = 0; i < strlen (text); i++)
    {
      g_autofree char *copy = g_strndup (text, i);

      g_assert_false (kt_cursor_decode (copy, &back, NULL));
    }
  for (guint i = 0; i < G_N_ELEMENTS (foreign); i++)
    g_assert_false (kt_cursor_decode (foreign[i], &back, NULL));
  g_assert_false (kt_cursor_decode (NULL, &back, NULL));
  g_assert_false (kt_cursor_decode (padded, &back, NULL));
  g_assert_false (kt_cursor_decode (longer, &back, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  /* Untouched by what failed. */
  g_assert_cmpint (back.seq, ==, 99);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wire/endpoints", test_endpoints);
  g_test_add_func ("/wire/query", test_query);
  g_test_add_func ("/wire/query-checked", test_query_checked);
  g_test_add_func ("/wire/errors", test_errors);
  g_test_add_func ("/wire/foreign-error", test_foreign_error);
  g_test_add_func ("/wire/not-kontor", test_not_kontor);
  g_test_add_func ("/wire/cursor", test_cursor);
  g_test_add_func ("/wire/cursor-damaged", test_cursor_damaged);
  return g_test_run ();
}
