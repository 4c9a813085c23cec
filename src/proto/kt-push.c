/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What goes out with a push and what comes back, for either end. */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-push.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-json.h"

#define MAX_TOKEN 4096
#define MAX_DEVICE_NAME 100 /* characters */

static gboolean
set_invalid (GError **error, const char *message)
{
  g_clear_error (error);
  g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID, message);
  return FALSE;
}

static gboolean
set_nonsense (GError **error, const char *what)
{
  g_clear_error (error);
  g_set_error (error, KT_ERROR, KT_ERROR_SERVER,
               "The server's answer to %s cannot be understood; it is asked again later", what);
  return FALSE;
}

static KtJson *
body_json (const KtReply *reply)
{
  gsize len = 0;
  const char *data = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;

  return len > 0 ? kt_json_parse (data, (gssize) len, NULL) : NULL;
}

static void
put_id (KtJsonWriter *writer, const char *key, const KtId *id)
{
  char text[KT_ID_TEXT_SIZE];

  kt_id_format (id, text);
  kt_json_put_string (writer, key, text);
}

static gboolean
get_id (const KtJson *json, const char *key, KtId *out)
{
  const char *text = kt_json_get_string (json, key, NULL);

  return text != NULL && kt_id_parse (text, -1, out) && !kt_id_is_nil (out);
}

/* ---- the push ---- */

GBytes *
kt_push_wrap (const KtId *device, const KtId *epoch, GBytes *mutations)
{
  GString *text = g_string_sized_new (g_bytes_get_size (mutations) + 256);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  put_id (&writer, "device", device);
  put_id (&writer, "epoch", epoch);
  kt_json_key (&writer, "mutations");
  g_string_append_len (text, g_bytes_get_data (mutations, NULL),
                       (gssize) g_bytes_get_size (mutations));
  kt_json_end_object (&writer);
  return g_string_free_to_bytes (text);
}

gboolean
kt_push_read (const char *text, gsize len, KtPush *out, GError **error)
{
  g_autoptr (KtJson) json = NULL;

  *out = (KtPush){ 0 };
  if (text == NULL || len == 0)
    return set_invalid (error, "A push needs a body");
  json = kt_json_parse (text, (gssize) len, error);
  if (json == NULL)
    return FALSE;
  if (kt_json_type (json) != KT_JSON_OBJECT)
    return set_invalid (error, "A push must be an object with “device”, “epoch” and “mutations”");
  if (!get_id (json, "device", &out->device))
    return set_invalid (error, "A push needs “device”, the id that the sign-in gave");
  if (!get_id (json, "epoch", &out->epoch))
    return set_invalid (error,
                        "A push needs “epoch”, the life of the database that the device knows");
  out->mutations = kt_json_get (json, "mutations");
  if (kt_json_type (out->mutations) != KT_JSON_ARRAY)
    return set_invalid (error, "A push needs “mutations”, an array");
  if (kt_json_length (out->mutations) > KT_WIRE_MAX_MUTATIONS)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "A push may hold at most %d mutations",
                   KT_WIRE_MAX_MUTATIONS);
      return FALSE;
    }
  out->json = g_steal_pointer (&json);
  return TRUE;
}

void
kt_push_clear (KtPush *push)
{
  g_clear_pointer (&push->json, kt_json_unref);
  push->mutations = NULL;
}

/* ---- its answer ---- */

GString *
kt_push_answer_write (const GArray *verdicts, gint64 seq, gint64 last_number, const char *schema)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_key (&writer, "verdicts");
  kt_json_begin_array (&writer);
  for (guint i = 0; i < verdicts->len; i++)
    kt_verdict_to_json (&g_array_index (verdicts, KtVerdict, i), &writer);
  kt_json_end_array (&writer);
  kt_json_put_int (&writer, "seq", seq);
  kt_json_put_int (&writer, "last_number", last_number);
  kt_json_put_string (&writer, "schema", schema);
  kt_json_end_object (&writer);
  return text;
}

gboolean
kt_push_answer_read (const KtReply *reply, KtPushAnswer *out, GError **error)
{
  g_autoptr (KtJson) json = body_json (reply);
  const KtJson *list = kt_json_get (json, "verdicts");
  guint n = kt_json_length (list);

  *out = (KtPushAnswer){ 0 };
  if (kt_json_type (list) != KT_JSON_ARRAY || n == 0 || n > KT_WIRE_MAX_MUTATIONS)
    return set_nonsense (error, "a push");
  out->verdicts = g_array_sized_new (FALSE, TRUE, sizeof (KtVerdict), n);
  g_array_set_clear_func (out->verdicts, (GDestroyNotify) kt_verdict_clear);
  for (guint i = 0; i < n; i++)
    {
      KtVerdict verdict;

      if (!kt_verdict_from_json (kt_json_at (list, i), &verdict, error))
        {
          kt_push_answer_clear (out);
          return FALSE;
        }
      g_array_append_val (out->verdicts, verdict);
    }
  out->seq = kt_json_get_int (json, "seq", 0);
  /* No verdict is of a commit that has not been made. */
  for (guint i = 0; i < n; i++)
    if (g_array_index (out->verdicts, KtVerdict, i).seq > out->seq)
      {
        kt_push_answer_clear (out);
        return set_nonsense (error, "a push");
      }
  out->last_number = kt_json_get_int (json, "last_number", 0);
  out->schema = g_strdup (kt_json_get_string (json, "schema", NULL));
  return TRUE;
}

void
kt_push_answer_clear (KtPushAnswer *answer)
{
  g_clear_pointer (&answer->verdicts, g_array_unref);
  g_clear_pointer (&answer->schema, g_free);
}

/* ---- where a device stands ---- */

KtReply *
kt_standing_reply (const GError *error, const KtStanding *standing)
{
  KtReply *reply = kt_reply_from_error (error);
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_key (&writer, "error");
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "code", kt_error_word ((KtError) error->code));
  kt_json_put_string (&writer, "message", error->message);
  if (standing->copied)
    kt_json_put_string (&writer, "reason", "copied");
  if (!kt_id_is_nil (&standing->epoch))
    put_id (&writer, "epoch", &standing->epoch);
  if (standing->last_number >= 0)
    kt_json_put_int (&writer, "last_number", standing->last_number);
  if (standing->common >= 0)
    kt_json_put_int (&writer, "common", standing->common);
  if (standing->backup_at != NULL)
    kt_json_put_string (&writer, "backup_at", standing->backup_at);
  kt_json_end_object (&writer);
  kt_json_end_object (&writer);
  g_bytes_unref (reply->body);
  reply->body = g_string_free_to_bytes (text);
  return reply;
}

void
kt_standing_read (const KtReply *reply, KtStanding *out)
{
  g_autoptr (KtJson) json = body_json (reply);
  const KtJson *inside = kt_json_get (json, "error");

  *out = (KtStanding){ 0 };
  if (!get_id (inside, "epoch", &out->epoch))
    out->epoch = KT_ID_NIL;
  out->last_number = MAX (kt_json_get_int (inside, "last_number", -1), -1);
  out->common = MAX (kt_json_get_int (inside, "common", -1), -1);
  out->backup_at = g_strdup (kt_json_get_string (inside, "backup_at", NULL));
  out->copied = g_strcmp0 (kt_json_get_string (inside, "reason", NULL), "copied") == 0;
}

void
kt_standing_clear (KtStanding *standing)
{
  g_clear_pointer (&standing->backup_at, g_free);
}

/* ---- a new device ---- */

GBytes *
kt_new_device_ask (const char *name)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "name", name);
  kt_json_end_object (&writer);
  return g_string_free_to_bytes (text);
}

gboolean
kt_new_device_asked (const char *text, gsize len, char **name, GError **error)
{
  g_autoptr (KtJson) json = NULL;
  const char *given;

  if (text == NULL || len == 0)
    return set_invalid (error, "A new device needs a body: {\"name\":\"…\"}");
  json = kt_json_parse (text, (gssize) len, error);
  if (json == NULL)
    return FALSE;
  if (kt_json_type (json) != KT_JSON_OBJECT)
    return set_invalid (error, "A new device must be an object with “name”");
  if (kt_json_get (json, "name") != NULL && kt_json_get_string (json, "name", NULL) == NULL)
    return set_invalid (error, "“name” must be a text");
  given = kt_json_get_string (json, "name", "?");
  *name = g_utf8_substring (given, 0, MIN (MAX_DEVICE_NAME, g_utf8_strlen (given, -1)));
  return TRUE;
}

GString *
kt_new_device_write (const KtNewDevice *device)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  put_id (&writer, "device", &device->device);
  kt_json_put_string (&writer, "token", device->token);
  put_id (&writer, "epoch", &device->epoch);
  kt_json_put_int (&writer, "last_number", device->last_number);
  kt_json_end_object (&writer);
  return text;
}

gboolean
kt_new_device_read (const KtReply *reply, KtNewDevice *out, GError **error)
{
  g_autoptr (KtJson) json = body_json (reply);
  const char *token = kt_json_get_string (json, "token", NULL);

  *out = (KtNewDevice){ 0 };
  out->last_number = kt_json_get_int (json, "last_number", -1);
  if (token == NULL || *token == '\0' || strlen (token) > MAX_TOKEN || out->last_number < 0
      || !get_id (json, "device", &out->device) || !get_id (json, "epoch", &out->epoch))
    return set_nonsense (error, "a new device");
  out->token = g_strdup (token);
  return TRUE;
}

void
kt_new_device_clear (KtNewDevice *device)
{
  g_clear_pointer (&device->token, g_free);
}
