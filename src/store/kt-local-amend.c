/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a person makes of the outbox beside sending it: a parked change with other
 * values, and all of it as a file.                                               */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"
#include "kt-whole-file.h"

/* ---- other values ---- */

typedef struct
{
  const KtId *id;
  const KtPatch *values;
} Amend;

static const KtChange *
find_change (const KtPatch *patch, const char *name)
{
  for (guint i = 0; i < patch->changes->len; i++)
    {
      const KtChange *change = &g_array_index (patch->changes, KtChange, i);

      if (g_str_equal (change->field->name, name))
        return change;
    }
  return NULL;
}

/* The stored patch with the after-values of @values; *n counts those taken. */
static char *
amended (const char *patch, const KtPatch *values, guint *n)
{
  g_autoptr (KtJson) json = kt_json_parse (patch, -1, NULL);
  g_autoptr (GString) out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *name = kt_json_key_at (json, i);
      const KtChange *change = find_change (values, name);
      g_autofree char *before = kt_json_to_string (kt_json_at (kt_json_at (json, i), 0), TRUE);
      g_autofree char *after = change != NULL
                                 ? kt_value_to_string (&change->after)
                                 : kt_json_to_string (kt_json_at (kt_json_at (json, i), 1), TRUE);

      if (change != NULL)
        (*n)++;
      kt_json_key (&writer, name);
      kt_json_begin_array (&writer);
      kt_json_add_raw (&writer, before);
      kt_json_add_raw (&writer, after);
      kt_json_end_array (&writer);
    }
  kt_json_end_object (&writer);
  return g_strdup (out->str);
}

static gboolean
amend_op (KtLocal *local, gint64 no, const KtId *id, const KtPatch *values, GError **error)
{
  g_autofree char *text = NULL;
  gint64 pos = -1;
  guint n = 0;

  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (local->db,
                                      "SELECT pos, patch FROM kt_outbox_op WHERE no=?1 AND id=?2 AND object=?3"
                                      " AND patch IS NOT NULL ORDER BY pos DESC LIMIT 1",
                                      error);
    KtStep step;

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, no);
    kt_stmt_bind_id (stmt, 2, id);
    kt_stmt_bind_text (stmt, 3, values->object->name);
    step = kt_stmt_step (stmt, error);
    if (step == KT_STEP_ERROR)
      return FALSE;
    if (step == KT_STEP_ROW)
      {
        pos = kt_stmt_int (stmt, 0);
        text = amended (kt_stmt_text (stmt, 1), values, &n);
      }
  }
  if (pos < 0 || n < values->changes->len)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID,
                           "This change says nothing about such a value");
      return FALSE;
    }
  return kt_db_run (local->db, error, "UPDATE kt_outbox_op SET patch=?3 WHERE no=?1 AND pos=?2",
                    KT_BIND_INT, no, KT_BIND_INT, pos, KT_BIND_TEXT, text, KT_BIND_END)
         >= 0;
}

/* What the rules would refuse again does not leave. */
static gboolean
check_amended (KtLocal *local, const KtId *id, const KtPatch *values, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtRecord) before = kt_table_load (local->db, values->object, id, &failure);
  g_autoptr (KtRecord) after = NULL;

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (before == NULL)
    return TRUE;
  after = kt_record_copy (before);
  kt_patch_apply (values, after);
  return kt_rules_check_error (before, after, local->locale, error);
}

static gboolean
amend_in (KtLocal *local, gint64 no, const Amend *amend, KtChanges *changes, GError **error)
{
  KtId fresh = kt_id_new (local->env); /* another content: another action */
  gint64 state = -1;

  if (!kt_db_get_int (local->db, -1, &state, error, "SELECT state FROM kt_outbox WHERE no=?1",
                      KT_BIND_INT, no, KT_BIND_END))
    return FALSE;
  if (state != KT_OUTBOX_PARKED)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_CONFLICT,
                           "This change is not waiting for a decision any more");
      return FALSE;
    }
  return check_amended (local, amend->id, amend->values, error)
         && amend_op (local, no, amend->id, amend->values, error)
         && _kt_local_retry_in (local, no, changes, error)
         && kt_db_run (local->db, error, "UPDATE kt_outbox SET id=?2 WHERE no=?1", KT_BIND_INT, no,
                       KT_BIND_ID, &fresh, KT_BIND_END)
              >= 0;
}

gboolean
kt_local_amend (KtLocal *local,
                gint64 outbox_no,
                const KtId *id,
                const KtPatch *values,
                KtChangeSet **changes,
                GError **error)
{
  g_auto (KtChanges) collected = { 0 };
  Amend amend = { id, values };

  g_return_val_if_fail (id != NULL && values != NULL && kt_patch_length (values) > 0, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  _kt_changes_init (&collected, local);
  if (!amend_in (local, outbox_no, &amend, &collected, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  if (!_kt_local_commit (local, error))
    return FALSE;
  if (changes != NULL)
    *changes = _kt_changes_steal (&collected);
  return TRUE;
}

/* ---- as a file ---- */

static void
put_head (KtLocal *local, GString *out)
{
  KtJsonWriter writer = KT_JSON_WRITER (out);
  g_autofree char *at = _kt_local_now (local);
  char device[KT_ID_TEXT_SIZE] = "";

  if (local->identity != NULL)
    kt_id_format (&local->identity->device, device);
  kt_json_begin_object (&writer);
  kt_json_put_int (&writer, "kontor_outbox", 1);
  kt_json_put_string (&writer, "at", at);
  kt_json_put_string (&writer, "server", local->identity != NULL ? local->identity->server : NULL);
  kt_json_put_string (&writer, "user",
                      local->identity != NULL ? local->identity->access.name : NULL);
  kt_json_put_string (&writer, "device", device);
  kt_json_end_object (&writer);
  g_string_append_c (out, '\n');
}

static const char *
state_word (gint64 state)
{
  return state == KT_OUTBOX_PARKED ? "parked" : state == KT_OUTBOX_QUEUED ? "queued" : "sent";
}

static gboolean
put_line (KtLocal *local,
          gint64 no,
          gint64 state,
          const char *reason,
          GString *out,
          GError **error)
{
  g_autoptr (GString) mutation = g_string_new (NULL);
  g_autofree char *says = _kt_local_describe_entry (local, no);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  if (!_kt_local_append_entry (local, no, mutation, error))
    return FALSE;
  kt_json_begin_object (&writer);
  kt_json_put_int (&writer, "no", no);
  kt_json_put_string (&writer, "state", state_word (state));
  kt_json_put_string (&writer, "says", says);
  kt_json_put_string (&writer, "reason", reason);
  kt_json_put_raw (&writer, "mutation", mutation->str);
  kt_json_end_object (&writer);
  g_string_append_c (out, '\n');
  return TRUE;
}

static gboolean
export_in (KtLocal *local, KtWholeFile *file, gint64 *n, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    local->db, "SELECT no, state, reason FROM kt_outbox WHERE state<>?1 ORDER BY no", error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, KT_OUTBOX_SETTLED);
  put_head (local, out);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      if (!put_line (local, kt_stmt_int (stmt, 0), kt_stmt_int (stmt, 1), kt_stmt_text (stmt, 2), out,
                     error)
          || (out->len > 1024 * 1024 && !_kt_whole_file_write (file, out, NULL, error)))
        return FALSE;
      (*n)++;
    }
  return step == KT_STEP_DONE && _kt_whole_file_write (file, out, NULL, error)
         && _kt_whole_file_keep (file, error);
}

gboolean
kt_local_export_outbox (KtLocal *local, const char *path, gint64 *n, GError **error)
{
  g_autoptr (KtWholeFile) file = NULL;
  gint64 count = 0;
  gboolean mine;
  gboolean done;

  g_return_val_if_fail (path != NULL, FALSE);

  file = _kt_whole_file_open (path, error);
  if (file == NULL || !_kt_local_read_begin (local, &mine, error))
    return FALSE;
  done = export_in (local, file, &count, error);
  _kt_local_read_end (local, mine);
  if (done && n != NULL)
    *n = count;
  return done;
}
