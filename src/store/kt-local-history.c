/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The server's ledger of a record as far as it was fetched, and after it what
 * this device has done and not settled.                                          */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

gboolean
kt_local_keep_history (KtLocal *local, const KtId *record, const char *json, GError **error)
{
  g_return_val_if_fail (record != NULL && json != NULL, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (
    kt_db_run (
      local->db, error,
      "INSERT INTO kt_history (id, json) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET json=excluded.json",
      KT_BIND_ID, record, KT_BIND_TEXT, json, KT_BIND_END)
    >= 0)
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

static void
put_field (KtLocal *local,
           KtJsonWriter *writer,
           const char *at,
           const char *field,
           const KtJson *old,
           const KtJson *new_,
           const char *outcome)
{
  g_autofree char *before = kt_json_to_string (old, TRUE);
  g_autofree char *after = kt_json_to_string (new_, TRUE);

  kt_json_begin_object (writer);
  kt_json_key (writer, "seq");
  kt_json_add_null (writer);
  kt_json_put_string (writer, "at", at);
  kt_json_put_string (writer, "user",
                      local->identity != NULL ? local->identity->access.name : NULL);
  kt_json_key (writer, "device");
  kt_json_add_null (writer);
  kt_json_put_string (writer, "field", field);
  kt_json_put_raw (writer, "old", before);
  kt_json_put_raw (writer, "new", after);
  kt_json_put_string (writer, "outcome", outcome);
  kt_json_end_object (writer);
}

static void
add_field (KtLocal *local,
           KtJsonWriter *writer,
           KtStmt *stmt,
           const char *field,
           const KtJson *old,
           const KtJson *new_)
{
  put_field (local, writer, kt_stmt_text (stmt, 0), field, old, new_,
             kt_stmt_int (stmt, 1) == KT_OUTBOX_PARKED ? "refused" : "waiting");
}

static gboolean
append_unsettled (KtLocal *local, const KtId *record, KtJsonWriter *writer, GError **error)
{
  static const char *const words[] = { "created", NULL, "deleted", "restored" };
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    local->db,
    "SELECT o.at, o.state, p.kind, p.patch FROM kt_outbox_op p JOIN kt_outbox o ON o.no=p.no"
    " WHERE p.id=?1 ORDER BY p.no, p.pos",
    error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, record);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtJson) patch =
        kt_stmt_is_null (stmt, 3) ? NULL : kt_json_parse (kt_stmt_text (stmt, 3), -1, NULL);
      gint64 kind = kt_stmt_int (stmt, 2);

      for (guint i = 0; i < kt_json_length (patch); i++)
        add_field (local, writer, stmt, kt_json_key_at (patch, i),
                   kt_json_at (kt_json_at (patch, i), 0), kt_json_at (kt_json_at (patch, i), 1));
      if (patch == NULL && kind >= 0 && kind < (gint64) G_N_ELEMENTS (words) && words[kind] != NULL)
        add_field (local, writer, stmt, words[kind], NULL, NULL);
    }
  return step == KT_STEP_DONE;
}

/* What a person gave up on this device is kept (P2), and can be found with the record it was about. */
static gboolean
append_kept (KtLocal *local, const KtId *record, KtJsonWriter *writer, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    local->db,
    "SELECT at, json FROM kt_kept WHERE why='discarded' AND instr (json, ?1) > 0 ORDER BY n", error);
  char id[KT_ID_TEXT_SIZE];
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_id_format (record, id);
  kt_stmt_bind_text (stmt, 1, id);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtJson) kept = kt_json_parse (kt_stmt_text (stmt, 1), -1, NULL);
      const KtJson *ops = kt_json_get (kept, "ops");

      for (guint i = 0; i < kt_json_length (ops); i++)
        {
          const KtJson *op = kt_json_at (ops, i);
          const KtJson *fields = kt_json_get (op, "fields");

          if (g_strcmp0 (kt_json_get_string (op, "id", NULL), id) != 0)
            continue;
          for (guint k = 0; k < kt_json_length (fields); k++)
            put_field (local, writer, kt_stmt_text (stmt, 0), kt_json_key_at (fields, k),
                       kt_json_at (kt_json_at (fields, k), 0), kt_json_at (kt_json_at (fields, k), 1),
                       "discarded");
        }
    }
  return step == KT_STEP_DONE;
}

char *
kt_local_get_history (KtLocal *local, const KtId *record, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autofree char *kept = NULL;
  g_autoptr (KtJson) ledger = NULL;
  KtJsonWriter writer = KT_JSON_WRITER (out);
  gboolean mine;
  gboolean done;

  g_return_val_if_fail (record != NULL, NULL);

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  kt_json_begin_array (&writer);
  done = kt_db_get_text (local->db, &kept, error, "SELECT json FROM kt_history WHERE id=?1",
                         KT_BIND_ID, record, KT_BIND_END);
  ledger = kept != NULL ? kt_json_parse (kept, -1, NULL) : NULL;
  for (guint i = 0; i < kt_json_length (ledger); i++)
    {
      g_autofree char *item = kt_json_to_string (kt_json_at (ledger, i), FALSE);

      kt_json_add_raw (&writer, item);
    }
  done = done && append_kept (local, record, &writer, error)
         && append_unsettled (local, record, &writer, error);
  kt_json_end_array (&writer);
  _kt_local_read_end (local, mine);
  if (!done || (kept == NULL && out->len <= 2))
    return NULL;
  return g_strdup (out->str);
}
