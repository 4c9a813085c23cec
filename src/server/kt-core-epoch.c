/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The lives of the database, and where a device stands that knows another one (P10).
 *
 *   kt_epoch (epoch, parent, seq, …)      A ── 1 … 50 … 80          seq: where the parent's history ends for it
 *                                              └─ B ── 51 … 60      B: restored from a backup of A at 50
 *                                                   └─ C ── 56 …    C: from one of B at 55
 *
 * In C, a device that comes from A shares the commits up to 50 with it, one from B those up to 55. Of a life that does
 * not stand here nothing is known: 0. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include "base/kt-error.h"

#define MAX_LIVES 10000

gboolean
_kt_core_begin_life (KtDb *db, const KtEnv *env, GError **error)
{
  KtId epoch = kt_id_new (env);
  char text[KT_ID_TEXT_SIZE], now[KT_TIME_SIZE];
  g_autofree char *parent = NULL;
  g_autofree char *backup_at = NULL;
  gint64 seq = 0;

  kt_id_format (&epoch, text);
  _kt_time_format (env->now_us (env->data), now);
  return kt_db_get_text (db, &parent, error, "SELECT text FROM kt_meta WHERE key = 'epoch'",
                         KT_BIND_END)
         && kt_db_get_int (db, 0, &seq, error, "SELECT number FROM kt_meta WHERE key = 'seq'",
                           KT_BIND_END)
         && kt_db_get_text (db, &backup_at, error,
                            "SELECT at FROM kt_ledger ORDER BY seq DESC LIMIT 1", KT_BIND_END)
         && kt_db_run (db, error,
                       "INSERT INTO kt_epoch (epoch, parent, seq, at, backup_at)"
                       " VALUES (?1, ?2, ?3, ?4, ?5)",
                       KT_BIND_TEXT, text, KT_BIND_TEXT, parent, KT_BIND_INT,
                       parent != NULL ? seq : (gint64) 0, KT_BIND_TEXT, now, KT_BIND_TEXT,
                       parent != NULL ? backup_at : NULL, KT_BIND_END)
              >= 0
         && _kt_core_set_meta (db, "epoch", text, 0, error);
}

gboolean
kt_core_begin_life (KtCore *core, GError **error)
{
  gint64 seq;

  g_return_val_if_fail (core != NULL, FALSE);

  if (!_kt_core_begin (core, KT_TX_WRITE, &seq, error))
    return FALSE;
  if (!_kt_core_begin_life (core->db, core->env, error))
    {
      kt_db_rollback (core->db);
      return FALSE;
    }
  if (!kt_db_commit (core->db, error))
    return FALSE;
  /* And this connection takes note of it. */
  if (!_kt_core_begin (core, KT_TX_READ, &seq, error))
    return FALSE;
  return kt_db_commit (core->db, error);
}

/* *parent NULL: the first life, or one that nobody wrote down. */
static gboolean
read_life (KtCore *core,
           const char *epoch,
           char **parent,
           gint64 *seq,
           char **backup_at,
           GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (core->db, "SELECT parent, seq, backup_at FROM kt_epoch WHERE epoch = ?1", error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_text (stmt, 1, epoch);
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ERROR)
    return FALSE;
  *parent = step == KT_STEP_ROW ? g_strdup (kt_stmt_text (stmt, 0)) : NULL;
  *seq = step == KT_STEP_ROW ? kt_stmt_int (stmt, 1) : 0;
  *backup_at = step == KT_STEP_ROW ? g_strdup (kt_stmt_text (stmt, 2)) : NULL;
  return TRUE;
}

/* What this life shares with @theirs. */
static gboolean
find_common (KtCore *core, const KtId *theirs, KtStanding *out, GError **error)
{
  g_autofree char *at = kt_id_to_string (&core->epoch);
  g_autofree char *wanted = kt_id_to_string (theirs);
  g_autofree char *newest_backup = NULL;
  gint64 common = G_MAXINT64;

  out->common = 0;
  /* The same life, and still it does not fit: somebody put old files in place of it without a word. */
  if (kt_id_equal (theirs, &core->epoch))
    return TRUE;
  for (guint i = 0; at != NULL && i < MAX_LIVES; i++)
    {
      g_autofree char *backup_at = NULL;
      char *parent;
      gint64 seq;

      if (!read_life (core, at, &parent, &seq, &backup_at, error))
        return FALSE;
      if (i == 0)
        newest_backup = g_strdup (backup_at);
      common = MIN (common, seq);
      g_free (at);
      at = parent;
      if (at != NULL && g_str_equal (at, wanted))
        {
          out->common = common;
          out->backup_at = g_steal_pointer (&backup_at);
          return TRUE;
        }
    }
  out->backup_at = g_steal_pointer (&newest_backup);
  return TRUE;
}

gboolean
_kt_core_standing (KtCore *core,
                   const KtActor *actor,
                   const KtId *theirs,
                   KtStanding *out,
                   GError **error)
{
  *out = (KtStanding){ .epoch = core->epoch, .last_number = 0, .common = -1 };
  if (!kt_db_get_int (core->db, 0, &out->last_number, error,
                      "SELECT last_number FROM kt_device WHERE id = ?1", KT_BIND_ID,
                      &actor->device, KT_BIND_END))
    return FALSE;
  return theirs == NULL || find_common (core, theirs, out, error);
}

KtReply *
_kt_core_gone (KtCore *core, const KtActor *actor, const KtId *theirs)
{
  g_auto (KtStanding) standing = { 0 };
  g_autoptr (GError) failure = NULL;
  g_autoptr (GError) error = NULL;

  if (!_kt_core_standing (core, actor, theirs, &standing, &failure))
    return _kt_reply_error (failure);
  error = g_error_new_literal (KT_ERROR, KT_ERROR_EPOCH,
                               "The server's database was restored or replaced since this device "
                               "last asked: send again what it has lost, then pull everything");
  return kt_standing_reply (error, &standing);
}

gboolean
_kt_core_query_epoch (const KtRequest *request, KtId *out, gboolean *told, GError **error)
{
  g_autofree char *text = kt_request_get_query (request, "epoch");

  *told = text != NULL;
  if (text == NULL || kt_id_parse (text, -1, out))
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“epoch” is not an id");
  return FALSE;
}
