/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whether a device holds what the server holds (P4). */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

static gboolean
digest_object (KtCore *core,
               const KtActor *actor,
               const KtObject *object,
               KtDigest *digest,
               GError **error)
{
  g_autoptr (KtSql) sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  gboolean scoped;
  KtStep step;

  sql = _kt_core_select_rows (core, actor, object, &scoped, error);
  if (sql == NULL)
    return FALSE;
  kt_sql_append (sql, "1 = 1");
  stmt = kt_sql_stmt (sql, error);
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    if (_kt_core_in_scope (stmt, object, scoped))
      {
        g_autoptr (KtRecord) record = kt_table_read (stmt, 0, object);

        kt_digest_add (digest, record);
      }
  return step == KT_STEP_DONE;
}

static void
put_digest (KtJsonWriter *writer, const KtDigest *digest)
{
  g_autofree char *text = kt_digest_string (digest);

  kt_json_put_int (writer, "records", (gint64) digest->records);
  kt_json_put_string (writer, "digest", text);
}

KtReply *
_kt_core_digest (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_autofree char *only = kt_request_get_query (request, "object");
  g_autoptr (GString) objects = g_string_new (NULL);
  KtJsonWriter inner = KT_JSON_WRITER (objects);
  g_autoptr (GError) error = NULL;
  KtDigest all = { 0 };
  GString *text;
  gint64 seq;

  if (only != NULL && kt_schema_object (core->schema, only) == NULL)
    {
      g_set_error (&error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no object “%s”", only);
      return _kt_reply_error (error);
    }
  if (!kt_db_get_int (core->db, 0, &seq, &error, "SELECT number FROM kt_meta WHERE key = 'seq'",
                      KT_BIND_END))
    return _kt_reply_error (error);
  kt_json_begin_object (&inner);
  for (const KtObject **object = core->order; *object != NULL; object++)
    {
      KtDigest digest = { 0 };

      if (only != NULL && strcmp (only, (*object)->name) != 0)
        continue;
      if (!digest_object (core, actor, *object, &digest, &error))
        return _kt_reply_error (error);
      kt_json_key (&inner, (*object)->name);
      kt_json_begin_object (&inner);
      put_digest (&inner, &digest);
      kt_json_end_object (&inner);
      kt_digest_join (&all, &digest);
    }
  kt_json_end_object (&inner);

  text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  put_digest (&writer, &all);
  kt_json_put_int (&writer, "seq", seq);
  kt_json_put_string (&writer, "schema", kt_schema_digest (core->schema));
  kt_json_put_raw (&writer, "objects", objects->str);
  kt_json_end_object (&writer);
  return _kt_reply_json (200, text);
}
