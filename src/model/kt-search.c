/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Global search as you type. One question at a time: a newer text cancels the one
 * under way, and an answer to anything but the newest text is dropped.          */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-model-private.h"
#include "model/kt-search.h"

#define MAX_HITS 50

struct _KtSearchHit
{
  GObject parent_instance;

  /* owned */
  char *title;
  char *subtitle;
  char *snippet;

  /* borrowed */
  const KtObject *object;

  /* state */
  KtId id;
};

struct _KtSearch
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  GPtrArray *hits;
  GCancellable *asking; /* NULL: nothing under way */
  char *text;

  /* state */
  guint generation;
  guint busy : 1;
  guint again : 1; /* something changed while it was asked */
};

enum
{
  PROP_0,
  PROP_BUSY,
  PROP_TEXT,
  PROP_N_ITEMS,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

static void kt_search_iface_init (GListModelInterface *iface);
static void ask (KtSearch *self);

G_DEFINE_FINAL_TYPE (KtSearchHit, kt_search_hit, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE_WITH_CODE (KtSearch,
                               kt_search,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, kt_search_iface_init))

/* ---- a hit ---- */

static void
kt_search_hit_finalize (GObject *object)
{
  KtSearchHit *self = KT_SEARCH_HIT (object);

  g_free (self->title);
  g_free (self->subtitle);
  g_free (self->snippet);
  G_OBJECT_CLASS (kt_search_hit_parent_class)->finalize (object);
}

static void
kt_search_hit_class_init (KtSearchHitClass *klass)
{
  static const KtItemProperty properties[] = {
    { "title", (KtItemText) kt_search_hit_get_title },
    { "subtitle", (KtItemText) kt_search_hit_get_subtitle },
    { "snippet", (KtItemText) kt_search_hit_get_snippet },
  };

  G_OBJECT_CLASS (klass)->finalize = kt_search_hit_finalize;
  _kt_item_install (G_OBJECT_CLASS (klass), properties, G_N_ELEMENTS (properties));
}

static void
kt_search_hit_init (KtSearchHit *self)
{
}

/* Letters of @text up to the end of @word if it stands there, whatever the case; 0: it does not. */
static gsize
match_length (const char *text, const char *word)
{
  const char *p = text;

  for (; *word != '\0'; word = g_utf8_next_char (word), p = g_utf8_next_char (p))
    if (*p == '\0' || g_unichar_tolower (g_utf8_get_char (p)) != g_unichar_tolower (g_utf8_get_char (word)))
      return 0;
  return (gsize) (p - text);
}

/* Pango markup of plain text, the words that were asked for in bold. What matched in another way
 * (an accent, pinyin, the digits of a number) stands as it is. */
static char *
mark_words (const char *plain, const char *asked)
{
  g_auto (GStrv) words = g_strsplit_set (asked, " \t", -1);
  g_autoptr (GString) out = g_string_new (NULL);

  while (*plain != '\0')
    {
      g_autofree char *escaped = NULL;
      gsize len = 0;

      for (guint i = 0; words[i] != NULL; i++)
        if (*words[i] != '\0')
          len = MAX (len, match_length (plain, words[i]));
      if (len > 0)
        {
          escaped = g_markup_escape_text (plain, (gssize) len);
          g_string_append_printf (out, "<b>%s</b>", escaped);
        }
      else
        {
          len = (gsize) (g_utf8_next_char (plain) - plain);
          escaped = g_markup_escape_text (plain, (gssize) len);
          g_string_append (out, escaped);
        }
      plain += len;
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static KtSearchHit *
hit_new (const KtObject *object, const KtHit *from, const char *asked)
{
  KtSearchHit *self = g_object_new (KT_TYPE_SEARCH_HIT, NULL);

  self->object = object;
  self->id = from->id;
  self->title = g_strdup (from->title != NULL ? from->title : "");
  self->subtitle = g_strdup (from->subtitle != NULL ? from->subtitle : "");
  self->snippet = mark_words (from->snippet != NULL ? from->snippet : "", asked);
  return self;
}

static gboolean
same_hit (const KtSearchHit *a, const KtObject *object, const KtHit *b, const char *asked)
{
  g_autofree char *snippet = mark_words (b->snippet != NULL ? b->snippet : "", asked);

  return a->object == object && kt_id_equal (&a->id, &b->id) && g_strcmp0 (a->title, b->title) == 0
         && g_strcmp0 (a->subtitle, b->subtitle != NULL ? b->subtitle : "") == 0
         && g_strcmp0 (a->snippet, snippet) == 0;
}

/* ---- asking ---- */

static void
set_busy (KtSearch *self, gboolean busy)
{
  if (self->busy == busy)
    return;
  self->busy = busy;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_BUSY]);
}

static void
publish (KtSearch *self, const GPtrArray *hits)
{
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_object_unref);
  guint before = self->hits->len;

  for (guint i = 0; hits != NULL && i < hits->len; i++)
    {
      const KtHit *hit = hits->pdata[i];
      const KtObject *object = kt_workspace_get_object (self->workspace, hit->object->name);

      if (object == NULL)
        continue;
      /* The same hit at the same place stays the same object: its row is not made anew with every key. */
      if (fresh->len < self->hits->len && same_hit (self->hits->pdata[fresh->len], object, hit, self->text))
        g_ptr_array_add (fresh, g_object_ref (self->hits->pdata[fresh->len]));
      else
        g_ptr_array_add (fresh, hit_new (object, hit, self->text));
    }
  _kt_splice (G_LIST_MODEL (self), self->hits, fresh);
  if (self->hits->len != before)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_N_ITEMS]);
}

typedef struct
{
  KtSchema *schema;
  char *text;
} Question;

static void
question_free (Question *question)
{
  kt_schema_unref (question->schema);
  g_free (question->text);
  g_free (question);
}

static gpointer
search_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Question *question = data;
  GPtrArray *hits = kt_local_search (local, question->text, NULL, MAX_HITS, cancellable, error);

  /* The reader's own schema may be gone before the answer is read. */
  for (guint i = hits != NULL ? hits->len : 0; i > 0; i--)
    {
      KtHit *hit = hits->pdata[i - 1];

      hit->object = kt_schema_object (question->schema, hit->object->name);
      if (hit->object == NULL)
        g_ptr_array_remove_index (hits, i - 1);
    }
  return hits;
}

typedef struct
{
  KtSearch *self;
  guint generation;
} Asked;

static void
asked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Asked *asked = user_data;
  g_autoptr (KtSearch) self = asked->self;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) hits = kt_store_job_finish (result, &error);

  if (asked->generation != self->generation)
    return;
  g_clear_object (&self->asking);
  if (hits == NULL)
    g_debug ("search: %s", error->message);
  publish (self, hits);
  if (self->again && asked->generation == self->generation)
    ask (self);
  else if (asked->generation == self->generation)
    set_busy (self, FALSE);
}

static void
ask (KtSearch *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);
  const KtSchema *schema = kt_workspace_get_schema (self->workspace);
  Question *question;
  Asked *asked;

  self->again = FALSE;
  if (store == NULL || schema == NULL)
    {
      set_busy (self, FALSE);
      return;
    }
  asked = g_new0 (Asked, 1);
  asked->self = g_object_ref (self);
  asked->generation = self->generation;
  question = g_new0 (Question, 1);
  question->schema = kt_schema_ref ((KtSchema *) schema);
  question->text = g_strdup (self->text);
  self->asking = g_cancellable_new ();
  kt_store_read_async (store, search_job, question, (GDestroyNotify) question_free,
                       (GDestroyNotify) g_ptr_array_unref, self->asking, asked_cb, asked);
  set_busy (self, TRUE);
}

static void
changed_cb (KtWorkspace *workspace, KtChanges *changes, gpointer user_data)
{
  KtSearch *self = user_data;

  if (*self->text == '\0')
    return;
  if (self->asking != NULL)
    self->again = TRUE;
  else
    ask (self);
}

/* ---- GListModel, GObject ---- */

static GType
get_item_type (GListModel *model)
{
  return KT_TYPE_SEARCH_HIT;
}

static guint
get_n_items (GListModel *model)
{
  return KT_SEARCH (model)->hits->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  KtSearch *self = KT_SEARCH (model);

  return position < self->hits->len ? g_object_ref (self->hits->pdata[position]) : NULL;
}

static void
kt_search_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
kt_search_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtSearch *self = KT_SEARCH (object);

  switch (id)
    {
    case PROP_BUSY:
      g_value_set_boolean (value, self->busy);
      break;
    case PROP_TEXT:
      g_value_set_string (value, self->text);
      break;
    case PROP_N_ITEMS:
      g_value_set_uint (value, self->hits->len);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_search_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_TEXT:
      kt_search_set_text (KT_SEARCH (object), g_value_get_string (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_search_dispose (GObject *object)
{
  KtSearch *self = KT_SEARCH (object);

  self->generation++;
  if (self->asking != NULL)
    g_cancellable_cancel (self->asking);
  g_clear_object (&self->asking);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_search_parent_class)->dispose (object);
}

static void
kt_search_finalize (GObject *object)
{
  KtSearch *self = KT_SEARCH (object);

  g_ptr_array_unref (self->hits);
  g_free (self->text);
  G_OBJECT_CLASS (kt_search_parent_class)->finalize (object);
}

static void
kt_search_class_init (KtSearchClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_search_get_property;
  object_class->set_property = kt_search_set_property;
  object_class->dispose = kt_search_dispose;
  object_class->finalize = kt_search_finalize;
  props[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE, flags);
  props[PROP_TEXT] = g_param_spec_string ("text", NULL, NULL, "", flags | G_PARAM_WRITABLE);
  props[PROP_N_ITEMS] = g_param_spec_uint ("n-items", NULL, NULL, 0, G_MAXUINT, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
kt_search_init (KtSearch *self)
{
  self->hits = g_ptr_array_new_with_free_func (g_object_unref);
  self->text = g_strdup ("");
}

/* ---- public API ---- */

const KtObject *
kt_search_hit_get_object (KtSearchHit *hit)
{
  g_return_val_if_fail (KT_IS_SEARCH_HIT (hit), NULL);

  return hit->object;
}

const KtId *
kt_search_hit_get_id (KtSearchHit *hit)
{
  g_return_val_if_fail (KT_IS_SEARCH_HIT (hit), NULL);

  return &hit->id;
}

const char *
kt_search_hit_get_title (KtSearchHit *hit)
{
  g_return_val_if_fail (KT_IS_SEARCH_HIT (hit), "");

  return hit->title;
}

const char *
kt_search_hit_get_subtitle (KtSearchHit *hit)
{
  g_return_val_if_fail (KT_IS_SEARCH_HIT (hit), "");

  return hit->subtitle;
}

const char *
kt_search_hit_get_snippet (KtSearchHit *hit)
{
  g_return_val_if_fail (KT_IS_SEARCH_HIT (hit), "");

  return hit->snippet;
}

KtSearch *
kt_search_new (KtWorkspace *workspace)
{
  KtSearch *self;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  self = g_object_new (KT_TYPE_SEARCH, NULL);
  self->workspace = g_object_ref (workspace);
  g_signal_connect_object (workspace, "changed", G_CALLBACK (changed_cb), self, 0);
  return self;
}

void
kt_search_set_text (KtSearch *self, const char *text)
{
  g_autofree char *trimmed = NULL;

  g_return_if_fail (KT_IS_SEARCH (self));

  trimmed = g_strstrip (g_strdup (text != NULL ? text : ""));
  if (g_str_equal (trimmed, self->text))
    return;
  g_free (self->text);
  self->text = g_steal_pointer (&trimmed);
  self->generation++;
  self->again = FALSE;
  if (self->asking != NULL)
    g_cancellable_cancel (self->asking);
  g_clear_object (&self->asking);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_TEXT]);
  if (*self->text != '\0')
    {
      ask (self);
      return;
    }
  publish (self, NULL);
  set_busy (self, FALSE);
}

const char *
kt_search_get_text (KtSearch *self)
{
  g_return_val_if_fail (KT_IS_SEARCH (self), "");

  return self->text;
}

gboolean
kt_search_get_busy (KtSearch *self)
{
  g_return_val_if_fail (KT_IS_SEARCH (self), FALSE);

  return self->busy;
}
