/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What became of this person's changes, in sentences (kt-news-model.h). */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "kt-model-private.h"
#include "model/kt-news-model.h"
#include "store/kt-news.h"

#define MAX_SHOWN 50

struct _KtNewsItem
{
  GObject parent_instance;

  /* owned */
  char *text;
  char *when;

  /* borrowed */
  const KtObject *object;

  /* state */
  gint64 n;
  KtId id;
  gboolean unseen;
};

struct _KtNewsModel
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  GPtrArray *items;
  GCancellable *cancellable;

  /* state */
  guint asking : 1;
  guint again : 1;
  guint seeing : 1;
};

enum
{
  PROP_0,
  PROP_TEXT,
  PROP_WHEN,
  PROP_UNSEEN,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

static void kt_news_model_iface_init (GListModelInterface *iface);
static void ask (KtNewsModel *self);

G_DEFINE_FINAL_TYPE (KtNewsItem, kt_news_item, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE_WITH_CODE (KtNewsModel,
                               kt_news_model,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, kt_news_model_iface_init))

static void
kt_news_item_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtNewsItem *self = KT_NEWS_ITEM (object);

  switch (id)
    {
    case PROP_TEXT:
      g_value_set_string (value, self->text);
      break;
    case PROP_WHEN:
      g_value_set_string (value, self->when);
      break;
    case PROP_UNSEEN:
      g_value_set_boolean (value, self->unseen);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_news_item_finalize (GObject *object)
{
  g_free (KT_NEWS_ITEM (object)->text);
  g_free (KT_NEWS_ITEM (object)->when);
  G_OBJECT_CLASS (kt_news_item_parent_class)->finalize (object);
}

static void
kt_news_item_class_init (KtNewsItemClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_news_item_get_property;
  object_class->finalize = kt_news_item_finalize;
  props[PROP_TEXT] = g_param_spec_string ("text", NULL, NULL, NULL, flags);
  props[PROP_WHEN] = g_param_spec_string ("when", NULL, NULL, NULL, flags);
  props[PROP_UNSEEN] = g_param_spec_boolean ("unseen", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
kt_news_item_init (KtNewsItem *self)
{
}

static char *
sentence (const KtNews *news)
{
  switch (news->kind)
    {
    case KT_NEWS_MERGED:
      /* Translators: %s is a sentence that says what was changed. */
      return g_strdup_printf (_ ("Put together with what others wrote: %s"), news->text);
    case KT_NEWS_SUPERSEDED:
      /* Translators: %s is a sentence that says what was changed. */
      return g_strdup_printf (_ ("Another value stands, yours is kept: %s"), news->text);
    case KT_NEWS_REPLACED:
    default:
      /* Translators: %s is a field and a record, such as “Phone of “Acme””. */
      return g_strdup_printf (_ ("Somebody's newer value stands, yours is kept: %s"), news->text);
    }
}

static void
publish (KtNewsModel *self, GPtrArray *list)
{
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < list->len; i++)
    {
      const KtNews *news = list->pdata[i];
      KtNewsItem *item = NULL;

      for (guint k = 0; k < self->items->len && item == NULL; k++)
        if (((KtNewsItem *) self->items->pdata[k])->n == news->n)
          item = g_object_ref (self->items->pdata[k]);
      if (item == NULL)
        {
          item = g_object_new (KT_TYPE_NEWS_ITEM, NULL);
          item->n = news->n;
          item->unseen = !news->seen;
          item->id = news->id;
          item->text = sentence (news);
        }
      item->object = news->object != NULL ? kt_workspace_get_object (self->workspace, news->object) : NULL;
      g_free (item->when);
      item->when = _kt_words_when (news->at_us, _kt_workspace_now_us (self->workspace));
      g_object_notify_by_pspec (G_OBJECT (item), props[PROP_WHEN]);
      g_ptr_array_add (fresh, item);
    }
  _kt_splice (G_LIST_MODEL (self), self->items, fresh);
}

static gpointer
news_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return kt_local_news (local, MAX_SHOWN, error);
}

static void
asked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtNewsModel) self = user_data;
  g_autoptr (GPtrArray) list = kt_store_job_finish (result, NULL);

  self->asking = FALSE;
  if (g_cancellable_is_cancelled (self->cancellable))
    return;
  if (list != NULL)
    publish (self, list);
  if (self->seeing)
    kt_news_model_seen (self);
  if (self->again)
    ask (self);
}

static void
ask (KtNewsModel *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);

  self->again = FALSE;
  if (store == NULL || g_cancellable_is_cancelled (self->cancellable))
    return;
  self->asking = TRUE;
  kt_store_read_async (store, news_job, NULL, NULL, (GDestroyNotify) g_ptr_array_unref,
                       self->cancellable, asked_cb, g_object_ref (self));
}

static void
news_cb (KtNewsModel *self)
{
  if (self->asking)
    self->again = TRUE;
  else
    ask (self);
}

static GType
get_item_type (GListModel *model)
{
  return KT_TYPE_NEWS_ITEM;
}

static guint
get_n_items (GListModel *model)
{
  return KT_NEWS_MODEL (model)->items->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  KtNewsModel *self = KT_NEWS_MODEL (model);

  return position < self->items->len ? g_object_ref (self->items->pdata[position]) : NULL;
}

static void
kt_news_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
kt_news_model_dispose (GObject *object)
{
  g_cancellable_cancel (KT_NEWS_MODEL (object)->cancellable);
  G_OBJECT_CLASS (kt_news_model_parent_class)->dispose (object);
}

static void
kt_news_model_finalize (GObject *object)
{
  KtNewsModel *self = KT_NEWS_MODEL (object);

  g_clear_object (&self->cancellable);
  g_ptr_array_unref (self->items);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_news_model_parent_class)->finalize (object);
}

static void
kt_news_model_class_init (KtNewsModelClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = kt_news_model_dispose;
  G_OBJECT_CLASS (klass)->finalize = kt_news_model_finalize;
}

static void
kt_news_model_init (KtNewsModel *self)
{
  self->items = g_ptr_array_new_with_free_func (g_object_unref);
  self->cancellable = g_cancellable_new ();
}

/* ---- public API ---- */

const char *
kt_news_item_get_text (KtNewsItem *item)
{
  g_return_val_if_fail (KT_IS_NEWS_ITEM (item), "");

  return item->text;
}

const char *
kt_news_item_get_when (KtNewsItem *item)
{
  g_return_val_if_fail (KT_IS_NEWS_ITEM (item), "");

  return item->when;
}

gboolean
kt_news_item_get_unseen (KtNewsItem *item)
{
  g_return_val_if_fail (KT_IS_NEWS_ITEM (item), FALSE);

  return item->unseen;
}

const KtObject *
kt_news_item_get_object (KtNewsItem *item)
{
  g_return_val_if_fail (KT_IS_NEWS_ITEM (item), NULL);

  return item->object;
}

const KtId *
kt_news_item_get_id (KtNewsItem *item)
{
  g_return_val_if_fail (KT_IS_NEWS_ITEM (item), NULL);

  return &item->id;
}

KtNewsModel *
kt_news_model_new (KtWorkspace *workspace)
{
  KtNewsModel *self;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  self = g_object_new (KT_TYPE_NEWS_MODEL, NULL);
  self->workspace = g_object_ref (workspace);
  g_signal_connect_object (workspace, "news", G_CALLBACK (news_cb), self, G_CONNECT_SWAPPED);
  ask (self);
  return self;
}

static gpointer
see_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return GINT_TO_POINTER (kt_local_news_see (local, *(gint64 *) data, error));
}

static void
seen_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtNewsModel) self = user_data;

  kt_store_job_finish (result, NULL);
  _kt_workspace_look_again (self->workspace);
}

void
kt_news_model_seen (KtNewsModel *self)
{
  KtStore *store;

  g_return_if_fail (KT_IS_NEWS_MODEL (self));

  store = _kt_workspace_store (self->workspace);
  self->seeing = self->asking;
  if (self->asking || store == NULL || self->items->len == 0)
    return;
  kt_store_write_async (store, see_job, g_memdup2 (&((KtNewsItem *) self->items->pdata[0])->n, sizeof (gint64)),
                        g_free, NULL, NULL, seen_cb, g_object_ref (self));
}
