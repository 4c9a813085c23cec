/* SPDX-License-Identifier: GPL-3.0-or-later */

/* When the device is not the one it was, or the server not the one it was (P10, P11; docs/decisions/identity.md).
 *
 *   kt_outbox ── settled, its page here ──► kt_settled (device, number, JSON)
 *       ▲                                        │ the server lives another life and has the device's numbers only up to last:
 *       └── KT_AGAIN_OLD_SHADOW, same no ────────┘ what it lost comes back, in its old place
 *
 * An entry that comes back is in the shadows already: they are of the life that had it. It is not laid over them, or a sum would
 * show twice; when the first whole pull of the new life has replaced them, it is laid over like any other.
 *
 * kt_settled is bounded by number, bytes and age. Age is counted by this file itself, at most a day between two looks, so that
 * a clock that jumps cannot empty it (P9). */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

#define MAX_KEPT 50000
#define MAX_KEPT_BYTES (G_GINT64_CONSTANT (64) * 1024 * 1024)
#define DAY_US (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)
#define MAX_KEPT_AGE_US (90 * DAY_US)
#define MAX_NOTICES 5
#define CHUNK 500

/* ---- what was settled ---- */

gboolean
_kt_local_keep_settled (KtLocal *local, gint64 no, gint64 *bytes, GError **error)
{
  g_autoptr (GString) json = g_string_new (NULL);
  gint64 number = 0, made = 0;

  *bytes = 0;
  if (!_kt_local_append_entry (local, no, json, error)
      || !kt_db_get_int (local->db, 0, &number, error, "SELECT number FROM kt_outbox WHERE no=?1",
                         KT_BIND_INT, no, KT_BIND_END)
      || !kt_db_get_int (local->db, 0, &made, error, "SELECT made FROM kt_outbox WHERE no=?1",
                         KT_BIND_INT, no, KT_BIND_END))
    return FALSE;
  *bytes = (gint64) json->len;
  return kt_db_run (local->db, error,
                    "INSERT OR REPLACE INTO kt_settled (no, device, number, age, made, bytes, json, seq)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT seq FROM kt_outbox WHERE no=?1))",
                    KT_BIND_INT, no, KT_BIND_ID, &local->identity->device, KT_BIND_INT, number,
                    KT_BIND_INT, _kt_local_meta_int (local, "kt:kept_age", 0), KT_BIND_INT, made,
                    KT_BIND_INT, (gint64) json->len, KT_BIND_TEXT, json->str, KT_BIND_END)
         >= 0;
}

/* The store's own time: it goes with the clock, but never back, and by a day at most. */
static gboolean
grow_older (KtLocal *local, gint64 *age, GError **error)
{
  gint64 now = local->env->now_us (local->env->data);
  gint64 before = _kt_local_meta_int (local, "kt:kept_from", now);

  *age = _kt_local_meta_int (local, "kt:kept_age", 0) + CLAMP (now - before, 0, DAY_US);
  return _kt_local_put_meta_int (local, "kt:kept_age", *age, error)
         && _kt_local_put_meta_int (local, "kt:kept_from", now, error);
}

/* The oldest one. *no 0: none; *number 0: another device's, that this one was before. */
static gboolean
oldest_kept (KtLocal *local, gint64 *no, gint64 *number, gint64 *age, gint64 *bytes, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (
    local->db,
    "SELECT no, CASE WHEN device=?1 THEN number ELSE 0 END, age, bytes FROM kt_settled"
    " ORDER BY no LIMIT 1",
    error);
  KtStep step;

  *no = 0;
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &local->identity->device);
  step = kt_stmt_step (stmt, error);
  if (step != KT_STEP_ROW)
    return step == KT_STEP_DONE;
  *no = kt_stmt_int (stmt, 0);
  *number = kt_stmt_int (stmt, 1);
  *age = kt_stmt_int (stmt, 2);
  *bytes = kt_stmt_int (stmt, 3);
  return TRUE;
}

gboolean
_kt_local_trim_settled (KtLocal *local, gint64 n, gint64 bytes, GError **error)
{
  gint64 count = _kt_local_meta_int (local, "kt:kept_count", 0) + n;
  gint64 size = _kt_local_meta_int (local, "kt:kept_bytes", 0) + bytes;
  gint64 dropped = _kt_local_meta_int (local, "kt:kept_lost", 0);
  gint64 age;

  if (!grow_older (local, &age, error))
    return FALSE;
  for (;;)
    {
      gint64 no, number, its_age, its_bytes;

      if (!oldest_kept (local, &no, &number, &its_age, &its_bytes, error))
        return FALSE;
      if (no == 0
          || (count <= MAX_KEPT && size <= MAX_KEPT_BYTES && its_age >= age - MAX_KEPT_AGE_US))
        break;
      if (kt_db_run (local->db, error, "DELETE FROM kt_settled WHERE no=?1", KT_BIND_INT, no,
                     KT_BIND_END)
          < 0)
        return FALSE;
      count--;
      size -= its_bytes;
      dropped = MAX (dropped, number);
    }
  return _kt_local_put_meta_int (local, "kt:kept_count", count, error)
         && _kt_local_put_meta_int (local, "kt:kept_bytes", size, error)
         && _kt_local_put_meta_int (local, "kt:kept_lost", dropped, error);
}

/* ---- numbers ---- */

/* Everything sent and not settled waits again. What the shadows hold already is not laid over them a second time: @held says
 * until when. */
static gboolean
queue_again (KtLocal *local, gint64 above, gint64 common, gint64 held, GError **error)
{
  return kt_db_run (
           local->db, error,
           "UPDATE kt_outbox SET again=CASE WHEN again>=?1 OR (state=?2 AND number<=?3) THEN ?4 ELSE ?5 END,"
           " state=?6, number=NULL, outcome=NULL, seq=NULL, reason=NULL, code=NULL"
           " WHERE state IN (?2, ?7) AND (number>?8 OR (state=?7 AND seq>?9))",
           KT_BIND_INT, (gint64) KT_AGAIN_OLD_SHADOW, KT_BIND_INT, (gint64) KT_OUTBOX_SENT,
           KT_BIND_INT, local->settled, KT_BIND_INT, held, KT_BIND_INT, (gint64) KT_AGAIN_SENT,
           KT_BIND_INT, (gint64) KT_OUTBOX_QUEUED, KT_BIND_INT, (gint64) KT_OUTBOX_SETTLED,
           KT_BIND_INT, above, KT_BIND_INT, common, KT_BIND_END)
           >= 0
         && kt_db_run (local->db, error, "UPDATE kt_outbox SET number=NULL WHERE number>?1",
                       KT_BIND_INT, above, KT_BIND_END)
              >= 0;
}

gboolean
_kt_local_forget_numbers (KtLocal *local, gint64 last, GError **error)
{
  return queue_again (local, 0, G_MAXINT64, KT_AGAIN_SHADOW, error)
         && _kt_local_put_meta_int (local, "kt:next_number", last + 1, error)
         && _kt_local_put_meta (local, "kt:settled", NULL, error)
         && _kt_local_put_meta (local, "kt:kept_lost", NULL, error)
         && _kt_local_refresh (local, error);
}

static gboolean
touch_entries (KtLocal *local,
               const char *sql,
               gint64 a,
               gint64 b,
               gint64 c,
               GHashTable *touched,
               GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, a);
  kt_stmt_bind_int (stmt, 2, b);
  kt_stmt_bind_int (stmt, 3, c);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      KtId id;

      if (kt_stmt_id (stmt, 1, &id))
        _kt_touched_add (touched, kt_schema_object (local->schema, kt_stmt_text (stmt, 0)), &id);
    }
  return step == KT_STEP_DONE;
}

/* Decided by the commit that the page ends at, so the page has it, whatever seq the verdict named: one that lies far ahead would
 * lay this change over all later ones for ever. */
static gboolean
bound_seqs (KtLocal *local, const KtId *last, gint64 seq, GError **error)
{
  return kt_db_run (local->db, error,
                    "UPDATE kt_outbox SET seq=?1 WHERE state=?2 AND seq>?1"
                    " AND number<=(SELECT number FROM kt_outbox WHERE id=?3 AND state=?2)",
                    KT_BIND_INT, seq, KT_BIND_INT, (gint64) KT_OUTBOX_SETTLED, KT_BIND_ID, last,
                    KT_BIND_END)
         >= 0;
}

gboolean
_kt_local_cover (KtLocal *local, const KtId *last, gint64 seq, GHashTable *touched, GError **error)
{
  gint64 settled = 0;

  if (kt_id_is_nil (last))
    return TRUE;
  if (!bound_seqs (local, last, seq, error))
    return FALSE;
  /* Not one of ours that waits for its verdict: it has left, or another copy of this profile sent it under our name. */
  if (!kt_db_get_int (local->db, 0, &settled, error,
                      "SELECT number FROM kt_outbox WHERE id=?1 AND state=?2", KT_BIND_ID, last,
                      KT_BIND_INT, (gint64) KT_OUTBOX_SENT, KT_BIND_END))
    return FALSE;
  if (settled <= local->settled)
    return TRUE;
  if (!touch_entries (local,
                      "SELECT p.object, p.id FROM kt_outbox o JOIN kt_outbox_op p ON p.no=o.no"
                      " WHERE o.state=?1 AND o.number>?2 AND o.number<=?3",
                      KT_OUTBOX_SENT, local->settled, settled, touched, error)
      || !_kt_local_put_meta_int (local, "kt:settled", settled, error))
    return FALSE;
  local->settled = settled;
  return TRUE;
}

/* Files of mine that the server knew before the backup was made, and whose content came after it. */
static gboolean
send_contents_again (KtLocal *local, GError **error)
{
  const KtObject *files = kt_schema_object (local->schema, "file");

  if (files == NULL || kt_object_field (files, "sha256") == NULL
      || kt_object_field (files, "state") == NULL || kt_object_field (files, "created_by") == NULL)
    return TRUE;
  return kt_db_run (local->db, error,
                    "UPDATE kt_blob SET sent=0 WHERE sent<>0 AND sha256 IN (SELECT \"f_sha256\" FROM \"o_file\""
                    " WHERE \"f_created_by\"=?1 AND \"f_state\"='uploading')",
                    KT_BIND_ID, &local->identity->access.user, KT_BIND_END)
         >= 0;
}

gboolean
_kt_local_end_old_life (KtLocal *local, GHashTable *touched, GError **error)
{
  if (_kt_local_meta_int (local, "kt:common", -1) >= 0 && !send_contents_again (local, error))
    return FALSE;
  return touch_entries (local,
                        "SELECT p.object, p.id FROM kt_outbox o JOIN kt_outbox_op p ON p.no=o.no"
                        " WHERE o.again=?1 AND ?2<=?3",
                        KT_AGAIN_OLD_SHADOW, 0, 0, touched, error)
         && kt_db_run (local->db, error, "UPDATE kt_outbox SET again=?2 WHERE again=?1",
                       KT_BIND_INT, (gint64) KT_AGAIN_OLD_SHADOW, KT_BIND_INT,
                       (gint64) KT_AGAIN_SENT, KT_BIND_END)
              >= 0
         && _kt_local_put_meta (local, "kt:common", NULL, error);
}

/* ---- notices ---- */

void
kt_notice_free (KtNotice *notice)
{
  if (notice == NULL)
    return;
  g_free (notice->backup_at);
  g_free (notice);
}

GPtrArray *
kt_local_notices (KtLocal *local, GError **error)
{
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_notice_free);
  g_autoptr (GError) failure = NULL;
  g_autofree char *text = _kt_local_meta (local, "kt:notices", &failure);
  g_autoptr (KtJson) json = NULL;

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  json = text != NULL ? kt_json_parse (text, -1, NULL) : NULL;
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const KtJson *item = kt_json_at (json, i);
      KtNotice *notice = g_new0 (KtNotice, 1);

      notice->kind = g_str_equal (kt_json_get_string (item, "kind", ""), "copy")
                       ? KT_NOTICE_COPY
                       : KT_NOTICE_RESTORED;
      notice->at_us = kt_json_get_int (item, "at", 0);
      notice->backup_at = g_strdup (kt_json_get_string (item, "backup_at", NULL));
      notice->again = kt_json_get_int (item, "again", 0);
      notice->lost = kt_json_get_int (item, "lost", 0);
      g_ptr_array_add (notices, notice);
    }
  return g_steal_pointer (&notices);
}

static gboolean
add_notice (KtLocal *local, const KtNotice *added, GError **error)
{
  g_autoptr (GPtrArray) notices = kt_local_notices (local, error);
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  KtNotice *own;

  if (notices == NULL)
    return FALSE;
  own = g_memdup2 (added, sizeof *added);
  own->at_us = local->env->now_us (local->env->data);
  own->backup_at = g_strdup (added->backup_at);
  g_ptr_array_add (notices, own);
  while (notices->len > MAX_NOTICES)
    g_ptr_array_remove_index (notices, 0);
  kt_json_begin_array (&writer);
  for (guint i = 0; i < notices->len; i++)
    {
      const KtNotice *notice = g_ptr_array_index (notices, i);

      kt_json_begin_object (&writer);
      kt_json_put_string (&writer, "kind", notice->kind == KT_NOTICE_COPY ? "copy" : "restored");
      kt_json_put_int (&writer, "at", notice->at_us);
      if (notice->backup_at != NULL)
        kt_json_put_string (&writer, "backup_at", notice->backup_at);
      kt_json_put_int (&writer, "again", notice->again);
      kt_json_put_int (&writer, "lost", notice->lost);
      kt_json_end_object (&writer);
    }
  kt_json_end_array (&writer);
  return _kt_local_put_meta (local, "kt:notices", text->str, error);
}

/* "2026-05-28 20:26": enough to find the backup by. */
static char *
minute_of (const char *at)
{
  char *text = g_strndup (at, 16);

  if (strlen (text) > 10)
    text[10] = ' ';
  return text;
}

char *
kt_notice_words (const KtNotice *notice, const char *locale)
{
  gboolean chinese = locale != NULL && g_str_has_prefix (locale, "zh");
  g_autofree char *when = notice->backup_at != NULL ? minute_of (notice->backup_at) : NULL;
  GString *text;

  if (notice->kind == KT_NOTICE_COPY)
    return g_strdup (chinese ? "此配置是一份副本；现在它有了自己的设备身份，未发送的更改都还在"
                             : "This profile is a copy; it now has a device of its own, and what "
                               "waited here is sent under that name");
  text = g_string_new (NULL);
  if (when != NULL)
    g_string_append_printf (text,
                            chinese ? "服务器已从 %s（UTC）的备份恢复；"
                                    : "The server was restored from a backup of %s (UTC); ",
                            when);
  else
    g_string_append (text, chinese ? "服务器已从备份恢复；" : "The server was restored from a backup; ");
  if (chinese)
    g_string_append_printf (text, "您的 %" G_GINT64_FORMAT " 项更改已重新发送", notice->again);
  else if (notice->again == 1)
    g_string_append (text, "1 of your changes was sent again");
  else
    g_string_append_printf (text, "%" G_GINT64_FORMAT " of your changes were sent again",
                            notice->again);
  if (notice->lost > 0)
    g_string_append_printf (text,
                            chinese ? "。另有 %" G_GINT64_FORMAT " 项太旧，本机已不再保留：请告知管理员"
                                    : ". %" G_GINT64_FORMAT " more are too old to be kept here still: "
                                      "tell the administrator",
                            notice->lost);
  return g_string_free (text, FALSE);
}

/* ---- a copy ---- */

static gboolean
count_unsettled (KtLocal *local, gint64 *out, GError **error)
{
  return kt_db_get_int (local->db, 0, out, error, "SELECT count(*) FROM kt_outbox WHERE state=?1",
                        KT_BIND_INT, (gint64) KT_OUTBOX_QUEUED, KT_BIND_END);
}

static gboolean
new_device_in (KtLocal *local, const KtId *device, gint64 last, KtChanges *changes, GError **error)
{
  KtNotice notice = { .kind = KT_NOTICE_COPY };

  changes->set->outbox = TRUE;
  return _kt_local_forget_numbers (local, last, error)
         && count_unsettled (local, &notice.again, error) && add_notice (local, &notice, error)
         && _kt_local_rename_self (local, device, NULL, error);
}

gboolean
kt_local_new_device (KtLocal *local,
                     const KtId *device,
                     gint64 last,
                     KtChangeSet **changes,
                     GError **error)
{
  g_auto (KtChanges) collected = { 0 };

  g_return_val_if_fail (device != NULL && last >= 0, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  _kt_changes_init (&collected, local);
  if (!_kt_local_require (local, error)
      || !new_device_in (local, device, last, &collected, error))
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

/* ---- another life of the server ---- */

typedef struct
{
  gint64 no, made, bytes;
  char *json;
} Kept;

static void
kept_clear (gpointer data)
{
  g_free (((Kept *) data)->json);
}

/* The next ones that the server has lost: it has not come to their number, or its history parts from ours before their
 * commit. Either alone does not say it: another copy of this profile may have used the number in the new life. What went out under an earlier name of this device goes out again in any case:
 * the server knows by the id which of them it has. */
static GArray *
list_lost (KtLocal *local, gint64 after, gint64 last, gint64 common, GError **error)
{
  g_autoptr (GArray) out = g_array_new (FALSE, TRUE, sizeof (Kept));
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db,
                                    "SELECT no, made, bytes, json FROM kt_settled"
                                    " WHERE no>?1 AND (device<>?2 OR number>?3 OR seq>?5)"
                                    " ORDER BY no LIMIT ?4",
                                    error);
  KtStep step;

  g_array_set_clear_func (out, kept_clear);
  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_int (stmt, 1, after);
  kt_stmt_bind_id (stmt, 2, &local->identity->device);
  kt_stmt_bind_int (stmt, 3, last);
  kt_stmt_bind_int (stmt, 4, CHUNK);
  kt_stmt_bind_int (stmt, 5, common);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      Kept kept = { kt_stmt_int (stmt, 0), kt_stmt_int (stmt, 1), kt_stmt_int (stmt, 2),
                    g_strdup (kt_stmt_text (stmt, 3)) };

      g_array_append_val (out, kept);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&out) : NULL;
}

/* I1: what is seen is the server's version, of the life that is gone. */
static gboolean
ensure_shadow (KtLocal *local, const char *object_name, const KtId *id, GError **error)
{
  const KtObject *object = kt_schema_object (local->schema, object_name);
  g_autoptr (KtRecord) seen = NULL;
  g_autoptr (GError) failure = NULL;

  /* Of an object that this schema does not have there is nothing to see. */
  if (object == NULL)
    return kt_db_run (local->db, error,
                      "INSERT OR IGNORE INTO kt_shadow (id, object, rev, record)"
                      " VALUES (?1, ?2, 0, NULL)",
                      KT_BIND_ID, id, KT_BIND_TEXT, object_name, KT_BIND_END)
           >= 0;
  switch (_kt_local_shadow (local, object, id, NULL, NULL, error))
    {
    case KT_SHADOW_ERROR:
      return FALSE;
    case KT_SHADOW_ABSENT:
      break;
    case KT_SHADOW_NONE:
    case KT_SHADOW_RECORD:
    default:
      return TRUE;
    }
  seen = kt_table_load (local->db, object, id, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  return _kt_local_put_shadow (local, object, id, seen, error);
}

static gboolean
lay_back_op (KtLocal *local, gint64 no, gint64 pos, const KtJson *op, GError **error)
{
  static const char *const words[] = { "create", "update", "delete", "restore", NULL };
  const char *word = kt_json_get_string (op, "op", "");
  const char *object = kt_json_get_string (op, "object", "");
  const KtJson *fields = kt_json_get (op, "fields");
  g_autofree char *patch =
    kt_json_type (fields) == KT_JSON_OBJECT ? kt_json_to_string (fields, FALSE) : NULL;
  KtId id;

  /* The content went with what named it; whether the server has it still, it says when it is asked. */
  if (g_str_equal (object, "file")
      && kt_db_run (local->db, error, "UPDATE kt_blob SET sent=0 WHERE sha256=?1", KT_BIND_TEXT,
                    kt_json_string (kt_json_at (kt_json_get (fields, "sha256"), 1), NULL),
                    KT_BIND_END)
           < 0)
    return FALSE;
  for (int kind = 0; words[kind] != NULL; kind++)
    if (g_str_equal (words[kind], word)
        && kt_id_parse (kt_json_get_string (op, "id", ""), -1, &id))
      return ensure_shadow (local, object, &id, error)
             && _kt_local_add_op (local, no, pos, kind, object, &id,
                                  kt_json_get_int (op, "base_rev", 0), patch, error);
  return TRUE;
}

static gboolean
lay_back (KtLocal *local, const Kept *kept, GError **error)
{
  g_autoptr (KtJson) json = kt_json_parse (kept->json, -1, error);
  const KtJson *ops = kt_json_get (json, "ops");
  const char *resolves = kt_json_get_string (json, "resolves", NULL);
  const char *stranger = NULL;
  g_autofree char *reason = NULL;
  KtId id = KT_ID_NIL, item = KT_ID_NIL;

  if (json == NULL || !kt_id_parse (kt_json_get_string (json, "id", ""), -1, &id))
    return json != NULL;
  if (resolves != NULL && !kt_id_parse (resolves, -1, &item))
    item = KT_ID_NIL;
  for (guint i = 0; i < kt_json_length (ops) && stranger == NULL; i++)
    {
      const char *name = kt_json_get_string (kt_json_at (ops, i), "object", "");

      if (kt_schema_object (local->schema, name) == NULL)
        stranger = name;
    }
  if (stranger != NULL)
    reason = g_strdup_printf ("The server no longer has \"%s\"", stranger);
  if (kt_db_run (local->db, error,
                 "INSERT INTO kt_outbox (no, state, at, origin, batch, resolves, resolution, made, id,"
                 " again, reason, code) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                 KT_BIND_INT, kept->no, KT_BIND_INT,
                 (gint64) (stranger != NULL ? KT_OUTBOX_PARKED : KT_OUTBOX_QUEUED), KT_BIND_TEXT,
                 kt_json_get_string (json, "at", ""), KT_BIND_TEXT,
                 kt_json_get_string (json, "origin", "client"), KT_BIND_TEXT,
                 kt_json_get_string (json, "batch", NULL), KT_BIND_ID,
                 kt_id_is_nil (&item) ? NULL : &item, KT_BIND_TEXT,
                 kt_json_get_string (json, "resolution", NULL), KT_BIND_INT, kept->made, KT_BIND_ID,
                 &id, KT_BIND_INT, (gint64) KT_AGAIN_OLD_SHADOW, KT_BIND_TEXT, reason, KT_BIND_TEXT,
                 stranger != NULL ? "schema" : NULL, KT_BIND_END)
      < 0)
    return FALSE;
  for (guint i = 0; i < kt_json_length (ops); i++)
    if (!lay_back_op (local, kept->no, i, kt_json_at (ops, i), error))
      return FALSE;
  return kt_id_is_nil (&item)
         || (ensure_shadow (local, "sync_conflict", &item, error)
             && _kt_local_add_op (local, kept->no, kt_json_length (ops), KT_MUTATE_RESOLVE,
                                  "sync_conflict", &item, 0, NULL, error));
}

static gboolean
lay_all_back (KtLocal *local, gint64 last, gint64 common, gint64 *n, GError **error)
{
  gint64 bytes = 0;
  gint64 after = 0;

  *n = 0;
  for (;;)
    {
      g_autoptr (GArray) lost = list_lost (local, after, last, common, error);

      if (lost == NULL)
        return FALSE;
      if (lost->len == 0)
        break;
      for (guint i = 0; i < lost->len; i++)
        {
          const Kept *kept = &g_array_index (lost, Kept, i);

          if (!lay_back (local, kept, error)
              || kt_db_run (local->db, error, "DELETE FROM kt_settled WHERE no=?1", KT_BIND_INT,
                            kept->no, KT_BIND_END)
                   < 0)
            return FALSE;
          after = kept->no;
          bytes += kept->bytes;
        }
      *n += lost->len;
    }
  return _kt_local_put_meta_int (local, "kt:kept_count",
                                 _kt_local_meta_int (local, "kt:kept_count", 0) - *n, error)
         && _kt_local_put_meta_int (local, "kt:kept_bytes",
                                    _kt_local_meta_int (local, "kt:kept_bytes", 0) - bytes, error);
}

/* Revs above @common are of a history that does not exist any more. */
static gboolean
lower_bases (KtLocal *local, gint64 common, GError **error)
{
  /* Restored twice before a whole pull was here: what is seen is of a life yet before that. */
  common = MIN (common, _kt_local_meta_int (local, "kt:common", G_MAXINT64));
  return kt_db_run (local->db, error, "UPDATE kt_outbox_op SET base_rev=?1 WHERE base_rev>?1",
                    KT_BIND_INT, common, KT_BIND_END)
           >= 0
         && _kt_local_put_meta_int (local, "kt:common", common, error);
}

static gboolean
forget_position (KtLocal *local, const KtId *epoch, GError **error)
{
  char text[KT_ID_TEXT_SIZE];

  kt_id_format (epoch, text);
  return kt_db_exec (local->db,
                     "DELETE FROM kt_stage; DELETE FROM kt_meta WHERE key IN"
                     " ('kt:cursor', 'kt:stage_cursor', 'kt:stage_all', 'kt:seq')",
                     error)
         && (local->ready || _kt_local_put_meta (local, "kt:wipe", "1", error))
         && _kt_local_put_meta (local, "kt:epoch", text, error)
         && _kt_local_rename_self (local, NULL, epoch, error);
}

typedef struct
{
  const KtId *epoch;
  gint64 last, common;
  const char *backup_at;
} Life;

static gboolean
new_epoch_in (KtLocal *local, const Life *life, KtChanges *changes, GError **error)
{
  gint64 last = life->last;
  gint64 dropped = _kt_local_meta_int (local, "kt:kept_lost", 0);
  KtNotice notice = { .kind = KT_NOTICE_RESTORED,
                      .backup_at = (char *) life->backup_at,
                      .lost = MAX (dropped - last, 0) };

  changes->set->outbox = TRUE;
  return lay_all_back (local, last, life->common, &notice.again, error)
         && queue_again (local, last, life->common, KT_AGAIN_OLD_SHADOW, error)
         /* Waiting since another device was made of this one, and its effect still in the shadows. */
         && kt_db_run (local->db, error, "UPDATE kt_outbox SET again=?2 WHERE again=?1",
                       KT_BIND_INT, (gint64) KT_AGAIN_SHADOW, KT_BIND_INT,
                       (gint64) KT_AGAIN_OLD_SHADOW, KT_BIND_END)
              >= 0
         && _kt_local_put_meta_int (local, "kt:next_number", last + 1, error)
         && _kt_local_put_meta_int (local, "kt:settled", MIN (local->settled, last), error)
         && _kt_local_put_meta_int (local, "kt:kept_lost", MIN (dropped, last), error)
         && lower_bases (local, life->common, error)
         && forget_position (local, life->epoch, error)
         && add_notice (local, &notice, error);
}

gboolean
kt_local_new_epoch (KtLocal *local,
                    const KtId *epoch,
                    gint64 last,
                    gint64 common,
                    const char *backup_at,
                    KtChangeSet **changes,
                    GError **error)
{
  g_auto (KtChanges) collected = { 0 };
  Life life = { epoch, last, common, backup_at };

  g_return_val_if_fail (epoch != NULL && last >= 0 && common >= 0, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  _kt_changes_init (&collected, local);
  if (!_kt_local_require (local, error) || !new_epoch_in (local, &life, &collected, error))
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
