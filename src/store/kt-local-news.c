/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What became of this person's changes (kt-news.h). */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"
#include "kt-news.h"

#define MAX_NEWS 500

void
kt_news_free (KtNews *news)
{
  if (news == NULL)
    return;
  g_free (news->object);
  g_free (news->text);
  g_free (news);
}

/* ---- learning ---- */

static gboolean
add (KtLocal *local,
     KtNewsKind kind,
     const char *object,
     const KtId *id,
     const KtId *conflict,
     const char *text,
     GError **error)
{
  return kt_db_run (local->db, error,
                    "INSERT INTO kt_news (kind, at, object, id, conflict, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    KT_BIND_INT, (gint64) kind, KT_BIND_INT, local->env->now_us (local->env->data),
                    KT_BIND_TEXT, object, KT_BIND_ID, id, KT_BIND_ID, conflict, KT_BIND_TEXT, text,
                    KT_BIND_END)
           >= 0
         && kt_db_run (local->db, error,
                       "DELETE FROM kt_news WHERE n <= (SELECT max(n) FROM kt_news) - ?1",
                       KT_BIND_INT, (gint64) MAX_NEWS, KT_BIND_END)
              >= 0;
}

gboolean
_kt_local_news_verdict (KtLocal *local, const KtVerdict *verdict, GError **error)
{
  g_autofree char *text = NULL;
  g_autofree char *object = NULL;
  KtId id = KT_ID_NIL;
  gint64 no = 0;

  if (verdict->outcome != KT_OUTCOME_MERGED && verdict->outcome != KT_OUTCOME_SUPERSEDED)
    return TRUE;
  {
    KT_STMT_SCOPE *stmt =
      kt_db_stmt (local->db,
                  "SELECT p.no, p.object, p.id FROM kt_outbox o JOIN kt_outbox_op p ON p.no=o.no"
                  " WHERE o.number=?1 ORDER BY p.pos LIMIT 1",
                  error);
    KtStep step;

    if (stmt == NULL)
      return FALSE;
    kt_stmt_bind_int (stmt, 1, verdict->number);
    step = kt_stmt_step (stmt, error);
    if (step != KT_STEP_ROW)
      return step == KT_STEP_DONE;
    no = kt_stmt_int (stmt, 0);
    object = g_strdup (kt_stmt_text (stmt, 1));
    kt_stmt_id (stmt, 2, &id);
  }
  text = _kt_local_describe_entry (local, no);
  return add (local,
              verdict->outcome == KT_OUTCOME_MERGED ? KT_NEWS_MERGED : KT_NEWS_SUPERSEDED, object,
              &id, NULL, text, error);
}

/* "Phone of “Acme”", in this profile's language: the server's sentence is in that of whoever wrote over it. */
static char *
name_value (KtLocal *local, const KtValue *about, const char *name)
{
  const KtObject *object = kt_schema_object (local->schema, about->v.ref.object);
  const KtField *field =
    object != NULL && name != NULL ? kt_object_field (object, name) : NULL;
  g_autofree char *title = NULL;
  const char *label = field != NULL ? kt_field_label (field, local->locale) : NULL;

  if (object == NULL || !_kt_local_title (local, object, &about->v.ref.id, &title, NULL)
      || title == NULL)
    title = g_strdup ("?");
  if (label == NULL)
    return g_steal_pointer (&title);
  return local->locale != NULL && g_str_has_prefix (local->locale, "zh")
           ? g_strdup_printf ("“%s”的%s", title, label)
           : g_strdup_printf ("%s of “%s”", label, title);
}

/* A question that came answered: the server tells that a value of mine was written over. */
gboolean
_kt_local_news_record (KtLocal *local, const KtRecord *before, const KtRecord *after, GError **error)
{
  const KtValue *to, *about;
  g_autofree char *text = NULL;

  if (before != NULL || after == NULL || !local->ready || local->identity == NULL
      || !g_str_equal (after->object->name, "sync_conflict")
      || g_strcmp0 (kt_record_text (after, "state"), "took_theirs") != 0)
    return TRUE;
  to = kt_record_get (after, "assigned_to");
  about = kt_record_get (after, "record");
  if (to == NULL || to->type != KT_VALUE_ID || about == NULL || about->type != KT_VALUE_ANY
      || !kt_id_equal (&to->v.ref.id, &local->identity->access.user))
    return TRUE;
  text = name_value (local, about, kt_record_text (after, "field"));
  return add (local, KT_NEWS_REPLACED, about->v.ref.object, &about->v.ref.id, &after->id, text,
              error);
}

/* ---- telling ---- */

static GPtrArray *
read_news (KtLocal *local, guint limit, GError **error)
{
  g_autoptr (GPtrArray) out = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_news_free);
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db,
                                    "SELECT n, kind, at, object, id, conflict, text, seen FROM kt_news"
                                    " ORDER BY n DESC LIMIT ?1",
                                    error);
  KtStep step;

  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_int (stmt, 1, limit);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      KtNews *news = g_new0 (KtNews, 1);

      news->n = kt_stmt_int (stmt, 0);
      news->kind = (KtNewsKind) CLAMP (kt_stmt_int (stmt, 1), 0, KT_NEWS_REPLACED);
      news->at_us = kt_stmt_int (stmt, 2);
      news->object = g_strdup (kt_stmt_text (stmt, 3));
      if (!kt_stmt_id (stmt, 4, &news->id))
        news->id = KT_ID_NIL;
      if (!kt_stmt_id (stmt, 5, &news->conflict))
        news->conflict = KT_ID_NIL;
      news->text = g_strdup (kt_stmt_text (stmt, 6));
      news->seen = kt_stmt_int (stmt, 7) != 0;
      g_ptr_array_add (out, news);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&out) : NULL;
}

GPtrArray *
kt_local_news (KtLocal *local, guint limit, GError **error)
{
  GPtrArray *out;
  gboolean mine;

  g_return_val_if_fail (local != NULL, NULL);

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  out = read_news (local, limit, error);
  _kt_local_read_end (local, mine);
  return out;
}

gint64
kt_local_news_unseen (KtLocal *local, GError **error)
{
  gint64 n = -1;

  g_return_val_if_fail (local != NULL, -1);

  if (!kt_db_get_int (local->db, -1, &n, error, "SELECT count(*) FROM kt_news WHERE seen=0",
                      KT_BIND_END))
    return -1;
  return n;
}

gboolean
kt_local_news_see (KtLocal *local, gint64 n, GError **error)
{
  g_return_val_if_fail (local != NULL, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (kt_db_run (local->db, error, "UPDATE kt_news SET seen=1 WHERE n<=?1 AND seen=0", KT_BIND_INT, n,
                 KT_BIND_END)
      >= 0)
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}
