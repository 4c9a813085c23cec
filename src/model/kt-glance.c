/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is always in sight: the counts of the sidebar, how much waits in the outbox
 * or for a person, and which records carry a mark. One read job answers all; while it
 * runs changes only note that another is wanted, and a stream of commits (an import, a
 * long pull) asks at most some times a second. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kt-model-private.h"
#include "store/kt-news.h"
#include "store/kt-pending.h"

#define PAUSE_MS 150
#define MAX_MARKS 50000
#define MAX_REVIEWS 2000

typedef struct
{
  GArray *counts;     /* gint64 by object number; NULL: not asked */
  GHashTable *states; /* KtId* → KtRowState; NULL: not asked */
  KtOutboxCounts outbox;
  gint64 news;
  char *notice;
} Answer;

typedef struct
{
  gboolean counts;
  gboolean states;
  char *locale;
} Ask;

static void
ask_free (Ask *ask)
{
  g_free (ask->locale);
  g_free (ask);
}

struct _KtGlance
{
  /* owned */
  GArray *counts;
  GHashTable *states;
  GCancellable *cancellable;
  char *notice;

  /* borrowed */
  KtWorkspace *workspace;

  /* state */
  KtOutboxCounts outbox;
  gint64 news;
  guint timer;
  guint asking : 1;
  guint answered : 1;
  guint want_counts : 1;
  guint want_states : 1;
};

static void
answer_free (Answer *answer)
{
  g_clear_pointer (&answer->counts, g_array_unref);
  g_clear_pointer (&answer->states, g_hash_table_unref);
  g_free (answer->notice);
  g_free (answer);
}

/* ---- on a reader ---- */

/* Open conflicts of this person: which records they are about. */
static gboolean
add_reviews (KtLocal *local, GHashTable *states, GError **error)
{
  const KtObject *object = kt_schema_object (kt_local_schema (local), "sync_conflict");
  g_autoptr (KtQuery) query = NULL;
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) rows = NULL;

  if (object == NULL)
    return TRUE;
  query = kt_query_new (object);
  query->limit = MAX_REVIEWS;
  query->filter = kt_filter_parse (object, "state = \"open\" and assigned_to = me", error);
  if (query->filter == NULL)
    return FALSE;
  rids = kt_local_query (local, query, NULL, error);
  if (rids == NULL)
    return FALSE;
  rows = kt_local_rows (local, object, (const gint64 *) rids->data, rids->len, error);
  if (rows == NULL)
    return FALSE;
  for (guint i = 0; i < rows->len; i++)
    {
      const KtRecord *row = rows->pdata[i];
      const KtValue *about = row != NULL ? kt_record_get (row, "record") : NULL;

      if (about != NULL && about->type == KT_VALUE_ANY)
        g_hash_table_insert (states, kt_id_copy (&about->v.ref.id),
                             GUINT_TO_POINTER (KT_ROW_REVIEW));
    }
  return TRUE;
}

/* The newest notice, unless it was dismissed. */
static char *
read_notice (KtLocal *local, const char *locale)
{
  g_autoptr (GPtrArray) notices = kt_local_notices (local, NULL);
  g_autofree char *seen = kt_local_get_meta (local, KT_META_NOTICE_SEEN, NULL);
  gint64 seen_us = seen != NULL ? g_ascii_strtoll (seen, NULL, 10) : 0;
  const KtNotice *last;

  if (notices == NULL || notices->len == 0)
    return NULL;
  last = notices->pdata[notices->len - 1];
  return last->at_us != seen_us ? kt_notice_words (last, locale) : NULL;
}

static gpointer
glance_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Ask *ask = data;
  Answer *answer = g_new0 (Answer, 1);
  gboolean ok = kt_local_outbox_counts (local, &answer->outbox, error);

  if (ok)
    {
      answer->news = kt_local_news_unseen (local, error);
      answer->notice = read_notice (local, ask->locale);
      ok = answer->news >= 0;
    }

  if (ok && ask->counts)
    {
      answer->counts = kt_local_counts (local, error);
      ok = answer->counts != NULL;
    }
  if (ok && ask->states)
    {
      gboolean more;
      g_autoptr (GArray) pending = kt_local_pending (local, MAX_MARKS, &more, error);

      ok = pending != NULL;
      answer->states = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
      for (guint i = 0; ok && i < pending->len; i++)
        {
          const KtPending *one = &g_array_index (pending, KtPending, i);

          g_hash_table_insert (answer->states, kt_id_copy (&one->id),
                               GUINT_TO_POINTER (one->parked ? KT_ROW_PARKED : KT_ROW_WAITING));
        }
      if (ok && answer->outbox.review > 0)
        ok = add_reviews (local, answer->states, error);
    }
  if (!ok)
    g_clear_pointer (&answer, answer_free);
  return answer;
}

/* ---- on the main thread ---- */

static void glance_ask (KtGlance *self);

static gboolean
timer_cb (gpointer data)
{
  KtGlance *self = data;

  self->timer = 0;
  if (!self->asking && (self->want_counts || self->want_states))
    glance_ask (self);
  return G_SOURCE_REMOVE;
}

static gboolean
same_counts (const GArray *a, const GArray *b)
{
  return a != NULL && a->len == b->len && memcmp (a->data, b->data, a->len * sizeof (gint64)) == 0;
}

static gboolean
same_states (GHashTable *a, GHashTable *b)
{
  GHashTableIter iter;
  gpointer id, state;

  if (a == NULL || g_hash_table_size (a) != g_hash_table_size (b))
    return a == NULL && g_hash_table_size (b) == 0;
  g_hash_table_iter_init (&iter, a);
  while (g_hash_table_iter_next (&iter, &id, &state))
    if (g_hash_table_lookup (b, id) != state)
      return FALSE;
  return TRUE;
}

/* What came since the last look and needs a person. */
static void
tell (KtGlance *self, const KtOutboxCounts *fresh)
{
  gint64 parked = fresh->parked - self->outbox.parked;
  gint64 review = fresh->review - self->outbox.review;

  if (!self->answered)
    return;
  if (parked > 0)
    {
      guint n = (guint) parked;
      g_autofree char *text = g_strdup_printf (
        ngettext ("%u change was not accepted; it is kept for you to decide",
                  "%u changes were not accepted; they are kept for you to decide", n),
        n);

      _kt_workspace_told (self->workspace, text);
    }
  if (review > 0)
    {
      guint n = (guint) review;
      g_autofree char *text =
        g_strdup_printf (ngettext ("%u change met somebody else's and needs your decision",
                                   "%u changes met somebody else's and need your decision", n),
                         n);

      _kt_workspace_told (self->workspace, text);
    }
}

static void
answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  Answer *answer = kt_store_job_finish (result, &error);
  KtGlance *self = _kt_guard_end (user_data);
  KtOutboxCounts before;
  gboolean counts = FALSE;
  gboolean states = FALSE;
  gboolean news_moved;
  guint fresh_news;

  if (self == NULL)
    {
      g_clear_pointer (&answer, answer_free);
      return;
    }
  self->asking = FALSE;
  if (answer == NULL)
    {
      _kt_workspace_set_failure (self->workspace, error);
      return;
    }

  before = self->outbox;
  if (answer->counts != NULL && !same_counts (self->counts, answer->counts))
    {
      g_clear_pointer (&self->counts, g_array_unref);
      self->counts = g_steal_pointer (&answer->counts);
      counts = TRUE;
    }
  if (answer->states != NULL && !same_states (self->states, answer->states))
    {
      g_clear_pointer (&self->states, g_hash_table_unref);
      self->states = g_steal_pointer (&answer->states);
      states = TRUE;
    }
  tell (self, &answer->outbox);
  fresh_news = self->answered && answer->news > self->news ? (guint) (answer->news - self->news) : 0;
  news_moved = answer->news != self->news || g_strcmp0 (answer->notice, self->notice) != 0;
  if (self->answered && answer->notice != NULL && g_strcmp0 (answer->notice, self->notice) != 0)
    _kt_workspace_told (self->workspace, answer->notice);
  g_free (self->notice);
  self->notice = g_steal_pointer (&answer->notice);
  self->outbox = answer->outbox;
  self->news = answer->news;
  self->answered = TRUE;
  answer_free (answer);

  if (memcmp (&before, &self->outbox, sizeof before) != 0 || news_moved)
    _kt_sync_status_update (kt_workspace_get_sync_status (self->workspace));
  if (self->timer == 0)
    self->timer = g_timeout_add (PAUSE_MS, timer_cb, self);
  if (counts)
    g_signal_emit_by_name (self->workspace, "counts-changed");
  if (states)
    g_signal_emit_by_name (self->workspace, "states-changed");
  if (fresh_news > 0)
    g_signal_emit_by_name (self->workspace, "news", fresh_news);
}

static void
glance_ask (KtGlance *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);
  Ask *ask;

  if (store == NULL || kt_workspace_get_schema (self->workspace) == NULL)
    return;
  ask = g_new0 (Ask, 1);
  ask->counts = self->want_counts;
  ask->states = self->want_states;
  ask->locale = g_strdup (kt_workspace_get_locale (self->workspace));
  self->want_counts = FALSE;
  self->want_states = FALSE;
  self->asking = TRUE;
  kt_store_read_async (store, glance_job, ask, (GDestroyNotify) ask_free, (GDestroyNotify) answer_free,
                       self->cancellable, answered_cb, _kt_guard_new (self, self->cancellable));
}

KtGlance *
_kt_glance_new (KtWorkspace *workspace)
{
  KtGlance *self = g_new0 (KtGlance, 1);

  self->workspace = workspace;
  self->cancellable = g_cancellable_new ();
  return self;
}

void
_kt_glance_free (KtGlance *glance)
{
  if (glance == NULL)
    return;
  g_cancellable_cancel (glance->cancellable);
  g_clear_object (&glance->cancellable);
  g_clear_handle_id (&glance->timer, g_source_remove);
  g_clear_pointer (&glance->counts, g_array_unref);
  g_clear_pointer (&glance->states, g_hash_table_unref);
  g_free (glance->notice);
  g_free (glance);
}

static gboolean
touches_visible (KtGlance *self, const KtChanges *changes)
{
  guint n = 0;
  const KtObject *const *objects =
    kt_schema_objects (kt_workspace_get_schema (self->workspace), &n);

  for (guint i = 0; i < n; i++)
    if (objects[i]->visible && kt_changes_touch (changes, objects[i]))
      return TRUE;
  return FALSE;
}

void
_kt_glance_changed (KtGlance *glance, const KtChanges *changes)
{
  const KtObject *conflict;

  if (kt_workspace_get_schema (glance->workspace) == NULL)
    return;
  conflict = kt_workspace_get_object (glance->workspace, "sync_conflict");
  glance->want_counts |= changes == NULL || touches_visible (glance, changes);
  glance->want_states |= changes == NULL || _kt_model_changes_outbox (changes)
                         || (conflict != NULL && kt_changes_touch (changes, conflict));
  if (glance->asking || glance->timer != 0 || !(glance->want_counts || glance->want_states))
    return;
  glance_ask (glance);
}

gint64
_kt_glance_count (KtGlance *glance, const KtObject *object)
{
  if (glance->counts == NULL || object->number >= glance->counts->len)
    return -1;
  return g_array_index (glance->counts, gint64, object->number);
}

KtRowState
_kt_glance_state (KtGlance *glance, const KtId *id)
{
  if (glance->states == NULL)
    return KT_ROW_SETTLED;
  return (KtRowState) GPOINTER_TO_UINT (g_hash_table_lookup (glance->states, id));
}

const char *
_kt_glance_notice (KtGlance *glance)
{
  return glance->notice;
}

guint
_kt_glance_news (KtGlance *glance)
{
  return (guint) CLAMP (glance->news, 0, G_MAXINT);
}

const KtOutboxCounts *
_kt_glance_outbox (KtGlance *glance)
{
  return &glance->outbox;
}
