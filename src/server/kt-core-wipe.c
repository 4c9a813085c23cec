/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A device that got lost, or whose user left. It cannot be reached, but it may ask: then it is told to send what it
 * has (P2) and to empty itself.
 *
 *   kt_device.wipe   0 no · 1 wanted: only pushes, uploads and its leaving are answered · 2 it said that it is empty */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <string.h>

#include "base/kt-error.h"

gboolean
_kt_core_wipes (KtCore *core, const KtActor *actor, KtEndpoint endpoint, GError **error)
{
  gint64 wipe = 0;

  if (kt_id_is_nil (&actor->device) || endpoint == KT_ENDPOINT_HELLO || endpoint == KT_ENDPOINT_SCHEMA
      || endpoint == KT_ENDPOINT_BLOB_STAT)
    return FALSE;
  return !kt_db_get_int (core->db, 0, &wipe, error, "SELECT wipe FROM kt_device WHERE id = ?1", KT_BIND_ID,
                         &actor->device, KT_BIND_END)
         || wipe == 1;
}

KtReply *
_kt_core_wipe_reply (const KtActor *actor)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_key (&writer, "error");
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "code", "forbidden");
  kt_json_put_string (&writer, "message",
                      g_strcmp0 (actor->locale, "zh_CN") == 0
                        ? "管理员已要求清空此设备：未发送的更改会先发出，然后数据将被删除。"
                        : "An administrator has this device emptied: what is not sent yet is sent first, then its data go.");
  kt_json_put_string (&writer, "reason", "wipe");
  kt_json_end_object (&writer);
  kt_json_end_object (&writer);
  return _kt_reply_json (403, text);
}

gboolean
_kt_core_wiped (KtCore *core, const KtActor *actor, const KtRequest *request, GError **error)
{
  gsize len = 0;
  const char *text = request->body != NULL ? g_bytes_get_data (request->body, &len) : NULL;
  g_autoptr (KtJson) json = text != NULL ? kt_json_parse (text, (gssize) len, NULL) : NULL;

  return !kt_json_get_bool (json, "wiped", FALSE)
         || kt_db_run (core->db, error, "UPDATE kt_device SET wipe = 2 WHERE id = ?1 AND wipe = 1",
                       KT_BIND_ID, &actor->device, KT_BIND_END)
              >= 0;
}

/* ---- administration ---- */

gboolean
kt_core_device_wipe (KtCore *core, const char *device, GError **error)
{
  gint64 n = 0;
  KtId id = KT_ID_NIL;
  gboolean by_id = kt_id_parse (device, -1, &id);

  g_return_val_if_fail (core != NULL && device != NULL, FALSE);

  if (!kt_db_get_int (core->db, 0, &n, error, "SELECT count(*) FROM kt_device WHERE id = ?1 OR name = ?2",
                      KT_BIND_ID, &id, KT_BIND_TEXT, by_id ? "" : device, KT_BIND_END))
    return FALSE;
  if (n != 1)
    {
      g_set_error (error, KT_ERROR, n == 0 ? KT_ERROR_NOT_FOUND : KT_ERROR_CONFLICT,
                   n == 0 ? "There is no device “%s”; kontor-server device list shows them"
                          : "Several devices are named “%s”: give the id that kontor-server device list shows",
                   device);
      return FALSE;
    }
  return kt_db_run (core->db, error, "UPDATE kt_device SET wipe = 1 WHERE id = ?1 OR name = ?2", KT_BIND_ID,
                    &id, KT_BIND_TEXT, by_id ? "" : device, KT_BIND_END)
         >= 0;
}

GPtrArray *
kt_core_device_list (KtCore *core, GError **error)
{
  static const char *const words[] = { "no", "wanted", "done" };
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  g_return_val_if_fail (core != NULL, NULL);

  stmt = kt_db_stmt (core->db,
                     "SELECT d.id, d.name, l.name, d.seen_at, d.wipe,"
                     " EXISTS (SELECT 1 FROM kt_token t WHERE t.device = d.id)"
                     " FROM kt_device d LEFT JOIN kt_login l ON l.user_id = d.user_id ORDER BY l.name, d.created_at",
                     error);
  if (stmt == NULL)
    return NULL;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      GString *text = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (text);
      char id_text[KT_ID_TEXT_SIZE];
      KtId id = KT_ID_NIL;

      kt_stmt_id (stmt, 0, &id);
      kt_id_format (&id, id_text);
      kt_json_begin_object (&writer);
      kt_json_put_string (&writer, "id", id_text);
      kt_json_put_string (&writer, "name", kt_stmt_text (stmt, 1));
      kt_json_put_string (&writer, "user", kt_stmt_text (stmt, 2));
      kt_json_put_string (&writer, "seen_at", kt_stmt_text (stmt, 3));
      kt_json_put_bool (&writer, "signed_in", kt_stmt_int (stmt, 5) != 0);
      kt_json_put_string (&writer, "wipe", words[CLAMP (kt_stmt_int (stmt, 4), 0, 2)]);
      kt_json_end_object (&writer);
      g_ptr_array_add (lines, g_string_free (text, FALSE));
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&lines) : NULL;
}
