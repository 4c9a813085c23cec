/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Titles of referenced records: bounded, filled by one question for all that were
 * asked for in a turn of the main loop.
 *
 * A title that may have changed is shown as it was until the new one is there, so
 * nothing flickers. Only the least recently asked for leave, and only when an
 * answer arrives: a pointer from peek is good until "titles-changed". */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "kt-model-private.h"

#define MAX_TITLES 8192
#define MAX_ASKED 1000

typedef enum
{
  TITLE_WANTED /* in `wanted` */,
  TITLE_ASKED,
  TITLE_KNOWN,
  TITLE_STALE
} TitleState;

typedef struct
{
  KtId id;            /* the key */
  const char *object; /* interned */
  char *title;        /* NULL: not known yet */
  TitleState state;
  gboolean moved; /* changed again while it was asked for */
  GList link;     /* in `recent`; data: itself */
} Entry;

struct _KtTitles
{
  /* owned */
  GHashTable *entries; /* KtId* → Entry */
  GQueue recent;       /* newest first */
  GQueue wanted;       /* Entry*, borrowed */
  GCancellable *cancellable;
  GArray *asked; /* KtRefKey: those of the question under way */

  /* borrowed */
  KtWorkspace *workspace;

  /* state */
  guint idle;
  guint64 stamp; /* moves with every change */
  guint asking : 1;
  guint dirty : 1; /* something learnt differs from what is shown */
};

typedef struct
{
  GArray *keys; /* KtRefKey */
  KtSchema *schema;
} Question;

static void
entry_free (Entry *entry)
{
  g_free (entry->title);
  g_free (entry);
}

static void
question_free (Question *question)
{
  g_array_unref (question->keys);
  kt_schema_unref (question->schema);
  g_free (question);
}

static gpointer
titles_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Question *question = data;

  return kt_local_titles (local, (const KtRefKey *) question->keys->data, question->keys->len,
                          error);
}

static void
evict (KtTitles *self)
{
  GList *link = self->recent.tail;

  while (link != NULL && g_hash_table_size (self->entries) > MAX_TITLES)
    {
      Entry *entry = link->data;

      link = link->prev;
      if (entry->state == TITLE_WANTED || entry->state == TITLE_ASKED)
        continue;
      g_queue_unlink (&self->recent, &entry->link);
      g_hash_table_remove (self->entries, &entry->id);
    }
}

static void ask (KtTitles *self);

static gboolean
ask_cb (gpointer data)
{
  KtTitles *self = data;

  self->idle = 0;
  if (!self->asking)
    ask (self);
  evict (self);
  if (self->dirty)
    {
      self->dirty = FALSE;
      g_signal_emit_by_name (self->workspace, "titles-changed");
    }
  return G_SOURCE_REMOVE;
}

static void
schedule (KtTitles *self)
{
  if (self->idle == 0)
    self->idle = g_idle_add_full (G_PRIORITY_DEFAULT, ask_cb, self, NULL);
}

static void
want (KtTitles *self, Entry *entry)
{
  entry->state = TITLE_WANTED;
  g_queue_push_tail (&self->wanted, entry);
  schedule (self);
}

static gboolean
answer (Entry *entry, const char *title)
{
  /* Translators: in place of the name of a record that is referred to but not on this device. */
  const char *text = title != NULL ? title : _ ("(not available)");

  entry->state = TITLE_KNOWN;
  if (g_strcmp0 (entry->title, text) == 0)
    return FALSE;
  g_free (entry->title);
  entry->title = g_strdup (text);
  return TRUE;
}

static void
asked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) titles = kt_store_job_finish (result, &error);
  KtTitles *self = _kt_guard_end (user_data);
  g_autoptr (GArray) keys = NULL;
  gboolean changed = FALSE;

  if (self == NULL)
    return;
  keys = g_steal_pointer (&self->asked);
  self->asking = FALSE;
  for (guint i = 0; i < keys->len; i++)
    {
      Entry *entry = g_hash_table_lookup (self->entries, &g_array_index (keys, KtRefKey, i).id);

      if (entry == NULL || entry->state != TITLE_ASKED)
        continue;
      if (titles == NULL)
        {
          /* Asked again when it is next looked at. */
          entry->state = TITLE_STALE;
          continue;
        }
      changed |= answer (entry, g_ptr_array_index (titles, i));
      if (entry->moved)
        {
          entry->moved = FALSE;
          want (self, entry);
        }
    }
  if (error != NULL)
    g_debug ("titles: %s", error->message);
  if (!g_queue_is_empty (&self->wanted))
    schedule (self);
  evict (self);
  if (changed)
    g_signal_emit_by_name (self->workspace, "titles-changed");
}

static void
ask (KtTitles *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);
  const KtSchema *schema = kt_workspace_get_schema (self->workspace);
  Question *question;

  if (store == NULL || schema == NULL || g_queue_is_empty (&self->wanted))
    return;

  question = g_new0 (Question, 1);
  question->schema = kt_schema_ref ((KtSchema *) schema);
  question->keys = g_array_new (FALSE, FALSE, sizeof (KtRefKey));
  while (question->keys->len < MAX_ASKED && !g_queue_is_empty (&self->wanted))
    {
      Entry *entry = g_queue_pop_head (&self->wanted);
      KtRefKey key = { .object =
                         entry->object != NULL ? kt_schema_object (schema, entry->object) : NULL,
                       .id = entry->id };

      entry->state = TITLE_ASKED;
      g_array_append_val (question->keys, key);
    }
  self->asked = g_array_ref (question->keys);
  self->asking = TRUE;
  kt_store_read_async (store, titles_job, question, (GDestroyNotify) question_free,
                       (GDestroyNotify) g_ptr_array_unref, self->cancellable, asked_cb,
                       _kt_guard_new (self, self->cancellable));
}

static Entry *
entry_of (KtTitles *self, const char *object, const KtId *id)
{
  Entry *entry = g_hash_table_lookup (self->entries, id);

  if (entry != NULL)
    {
      if (self->recent.head != &entry->link)
        {
          g_queue_unlink (&self->recent, &entry->link);
          g_queue_push_head_link (&self->recent, &entry->link);
        }
      return entry;
    }
  entry = g_new0 (Entry, 1);
  entry->id = *id;
  entry->object = g_intern_string (object);
  entry->state = TITLE_STALE;
  entry->link.data = entry;
  g_hash_table_insert (self->entries, &entry->id, entry);
  g_queue_push_head_link (&self->recent, &entry->link);
  return entry;
}

KtTitles *
_kt_titles_new (KtWorkspace *workspace)
{
  KtTitles *self = g_new0 (KtTitles, 1);

  self->workspace = workspace;
  self->cancellable = g_cancellable_new ();
  self->entries =
    g_hash_table_new_full (kt_id_hash, kt_id_equal, NULL, (GDestroyNotify) entry_free);
  return self;
}

void
_kt_titles_free (KtTitles *titles)
{
  if (titles == NULL)
    return;
  g_cancellable_cancel (titles->cancellable);
  g_clear_object (&titles->cancellable);
  g_clear_handle_id (&titles->idle, g_source_remove);
  g_queue_clear (&titles->wanted);
  g_clear_pointer (&titles->asked, g_array_unref);
  g_hash_table_unref (titles->entries);
  g_free (titles);
}

const char *
_kt_titles_peek (KtTitles *titles, const KtObject *object, const KtId *id)
{
  Entry *entry;

  if (kt_id_is_nil (id))
    return "";
  entry = entry_of (titles, object != NULL ? object->name : NULL, id);
  if (entry->state == TITLE_STALE)
    want (titles, entry);
  return entry->title;
}

guint64
_kt_titles_stamp (KtTitles *titles)
{
  return titles->stamp;
}

void
_kt_titles_learn (KtTitles *titles,
                  const char *object,
                  const KtId *id,
                  const char *title,
                  guint64 stamp)
{
  Entry *entry = g_hash_table_lookup (titles->entries, id);
  gboolean shown = entry != NULL;

  if (shown && (entry->state == TITLE_KNOWN || entry->moved))
    return;
  if (entry == NULL)
    entry = entry_of (titles, object, id);
  else if (entry->state == TITLE_WANTED)
    g_queue_remove (&titles->wanted, entry);
  if (answer (entry, title) && shown)
    titles->dirty = TRUE;
  /* Read before the last change: good enough to show, but asked for once more. */
  if (stamp != titles->stamp)
    entry->state = TITLE_STALE;
  if (titles->dirty)
    schedule (titles);
}

void
_kt_titles_changed (KtTitles *titles, const KtChanges *changes)
{
  GHashTableIter iter;
  gpointer value;
  gboolean stale = FALSE;

  titles->stamp++;
  g_hash_table_iter_init (&iter, titles->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Entry *entry = value;

      if (!kt_changes_record (changes, &entry->id))
        continue;
      if (entry->state == TITLE_ASKED)
        entry->moved = TRUE;
      else if (entry->state == TITLE_KNOWN)
        {
          entry->state = TITLE_STALE;
          stale = TRUE;
        }
    }
  /* Who shows one of them asks for it again, and hears when it is different. */
  if (stale)
    g_signal_emit_by_name (titles->workspace, "titles-changed");
}

guint
_kt_titles_length (KtTitles *titles)
{
  return g_hash_table_size (titles->entries);
}
