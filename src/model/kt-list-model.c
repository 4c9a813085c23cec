/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A list of any length.
 *
 *   keys     [ 17 | 4 | 99 | … ]        8 bytes a row, from one query
 *   slots    { 0 → KtRow, 205 → KtRow }  those somebody holds; weak; a slot stands for a position for as long as it lives
 *   cache    { 17 → record, … }          the last few hundred records, by key
 *
 * Asking is one job: the keys, and the records at the positions that are held (or
 * the first ones). Its answer is published whole: keys, tail splice, slots, so a
 * slot never shows one list's record at another list's position, and nothing blinks.
 * While a job runs, changes only note that the list is to be asked for again.
 *
 * The only items_changed are at the tail, for the difference in length.           */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <string.h>

#include "kt-layout.h"
#include "kt-row-private.h"

/* The first frame has what fits on a screen: a list of more makes a view build some 205 rows of widgets, visible or
 * not, before anything is painted. */
#define HEAD_ROWS 48
#define TAIL_MS 60    /* from the head to asking for the rest: the frame is painted by then */
#define MAX_FETCH 256 /* rows of one job */
#define MAX_HELD \
  1000 /* held positions that are re-read with a refresh; others are fetched after it */

struct _KtListModel
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  KtQuery *query; /* as set; NULL: none yet */
  char *search;
  GArray *keys;      /* gint64 */
  GHashTable *slots; /* position → KtRow*, weak */
  KtRecordCache *cache;
  GArray *wanted;       /* guint positions, newest last */
  GCancellable *asking; /* of the question under way */
  GCancellable *fetching;
  GError *error;

  /* state */
  guint64 generation; /* of the question: query, search */
  guint64 stamp;      /* of what is in the database */
  guint64 rows_read;
  guint total;
  guint fetch_idle;
  guint tail_timeout;
  guint loading : 1;
  guint partial : 1; /* only the head is here */
  guint again : 1;   /* something changed while it was asked */
  guint fetch_busy : 1;
};

enum
{
  PROP_0,
  PROP_N_ITEMS,
  PROP_LOADING,
  PROP_TOTAL,
  PROP_SEARCH,
  PROP_ERROR,
  N_PROPS
};
enum
{
  REFRESHED,
  N_SIGNALS
};

static GParamSpec *props[N_PROPS];
static guint signals[N_SIGNALS];

static void kt_list_model_iface_init (GListModelInterface *iface);
static void ask (KtListModel *self, gboolean head);
static void schedule_tail (KtListModel *self);
static void schedule_fetch (KtListModel *self);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtListModel,
                               kt_list_model,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, kt_list_model_iface_init))

/* ---- properties ---- */

static void
notify (KtListModel *self, guint prop)
{
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static void
set_loading (KtListModel *self, gboolean loading)
{
  if (self->loading == loading)
    return;
  self->loading = loading;
  notify (self, PROP_LOADING);
}

static void
set_error (KtListModel *self, const GError *error)
{
  if (error == NULL && self->error == NULL)
    return;
  g_clear_error (&self->error);
  self->error = error != NULL ? g_error_copy (error) : NULL;
  notify (self, PROP_ERROR);
}

static guint
total_of (KtListModel *self)
{
  gint64 count;

  if (!self->partial)
    return self->keys->len;
  /* The sidebar knows how many there are of a list without conditions. */
  if (self->query->filter != NULL || self->query->bin || self->search != NULL
      || self->query->search != NULL)
    return self->keys->len;
  count = kt_workspace_get_count (self->workspace, self->query->object);
  return (guint) CLAMP (count, self->keys->len, G_MAXINT);
}

static void
update_total (KtListModel *self)
{
  guint total = total_of (self);

  if (total == self->total)
    return;
  self->total = total;
  notify (self, PROP_TOTAL);
}

/* ---- publishing ---- */

static int
compare_position (gconstpointer a, gconstpointer b)
{
  const guint *x = a;
  const guint *y = b;

  return *x < *y ? -1 : *x > *y;
}

/* Positions somebody holds, in order. */
static GArray *
held_positions (KtListModel *self)
{
  GArray *positions = g_array_new (FALSE, FALSE, sizeof (guint));
  GHashTableIter iter;
  gpointer position;

  g_hash_table_iter_init (&iter, self->slots);
  while (g_hash_table_iter_next (&iter, &position, NULL))
    {
      guint value = GPOINTER_TO_UINT (position);

      g_array_append_val (positions, value);
    }
  g_array_sort (positions, compare_position);
  return positions;
}

static gint64
key_at (KtListModel *self, guint position)
{
  return position < self->keys->len ? g_array_index (self->keys, gint64, position) : 0;
}

/* The slots follow the keys. Rows are held meanwhile: a handler may drop the last reference of any of them. */
static GPtrArray *
move_slots (KtListModel *self)
{
  GPtrArray *moved = g_ptr_array_new_with_free_func (g_object_unref);
  GHashTableIter iter;
  gpointer position, row;

  g_hash_table_iter_init (&iter, self->slots);
  while (g_hash_table_iter_next (&iter, &position, &row))
    {
      gint64 key = key_at (self, GPOINTER_TO_UINT (position));

      if (key == 0)
        continue; /* beyond the end: it keeps what it shows for whoever still holds it */
      if (_kt_row_set (row, key, _kt_record_cache_get (self->cache, key)))
        g_ptr_array_add (moved, g_object_ref (row));
      if (kt_row_get_record (row) == NULL)
        {
          guint wanted = GPOINTER_TO_UINT (position);

          g_array_append_val (self->wanted, wanted);
        }
    }
  return moved;
}

static void
publish (KtListModel *self, GArray *keys, gboolean partial)
{
  g_autoptr (GPtrArray) moved = NULL;
  g_autoptr (GArray) old = g_steal_pointer (&self->keys);
  guint before = old->len;
  guint after = keys->len;
  guint least = MIN (before, after);

  self->keys = g_array_ref (keys);
  self->partial = partial;
  moved = move_slots (self);
  if (before != after)
    {
      g_list_model_items_changed (G_LIST_MODEL (self), least, before - least, after - least);
      notify (self, PROP_N_ITEMS);
    }
  update_total (self);
  g_signal_emit (self, signals[REFRESHED], 0);
  for (guint i = 0; i < moved->len; i++)
    _kt_row_notify (moved->pdata[i]);
  if (self->wanted->len > 0)
    schedule_fetch (self);
}

/* ---- asking ---- */

typedef struct
{
  KtListModel *self;
  guint64 generation;
  guint64 stamp;
  guint limit;
  GArray *positions;
} Asked;

static void
asked_free (Asked *asked)
{
  g_object_unref (asked->self);
  g_array_unref (asked->positions);
  g_free (asked);
}

/* Read before the last change: shown, since the question is asked again, but not kept. */
static void
forget_read (KtListModel *self, const GArray *keys, const GArray *positions)
{
  for (guint i = 0; i < positions->len; i++)
    {
      guint position = g_array_index (positions, guint, i);

      if (position < keys->len)
        _kt_record_cache_put (self->cache, g_array_index (keys, gint64, position), NULL);
    }
}

static void
asked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Asked *asked = user_data;
  KtListModel *self = asked->self;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) keys = NULL;
  g_autoptr (GPtrArray) records = NULL;
  gboolean ok = _kt_list_ask_finish (result, &keys, &records, &error);

  if (asked->generation != self->generation)
    {
      asked_free (asked); /* another question is under way */
      return;
    }
  g_clear_object (&self->asking);
  if (!ok)
    {
      if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        set_error (self, error);
      set_loading (self, FALSE);
    }
  else
    {
      gboolean partial = asked->limit > 0 && keys->len == asked->limit
                         && (self->query->limit == 0 || self->query->limit > asked->limit);

      for (guint i = 0; i < asked->positions->len; i++)
        {
          guint position = g_array_index (asked->positions, guint, i);

          if (position < keys->len)
            _kt_record_cache_put (self->cache, g_array_index (keys, gint64, position),
                                  records->pdata[i]);
        }
      self->rows_read += MIN (asked->positions->len, keys->len);
      set_error (self, NULL);
      publish (self, keys, partial);
      set_loading (self, FALSE);
      if (asked->stamp != self->stamp)
        forget_read (self, keys, asked->positions);
      if (partial && asked->generation == self->generation && self->asking == NULL)
        {
          self->again = FALSE;
          schedule_tail (self);
        }
    }
  if (self->again && self->asking == NULL && asked->generation == self->generation)
    {
      self->again = FALSE;
      ask (self, FALSE);
    }
  asked_free (asked);
}

static KtQuery *
whole_query (KtListModel *self)
{
  const KtObject *object = _kt_workspace_adopt (self->workspace, self->query->object);
  KtQuery *query = object != NULL ? _kt_query_adopt (self->query, object) : NULL;

  if (query == NULL || self->search == NULL)
    return query;
  /* Both must match: words are joined as people would type them. */
  if (query->search != NULL)
    {
      char *both = g_strconcat (query->search, " ", self->search, NULL);

      g_free (query->search);
      query->search = both;
    }
  else
    query->search = g_strdup (self->search);
  return query;
}

static void
ask (KtListModel *self, gboolean head)
{
  g_autoptr (KtQuery) query = whole_query (self);
  Asked *asked;

  if (query == NULL)
    {
      g_autoptr (GArray) none = g_array_new (FALSE, FALSE, sizeof (gint64));

      publish (self, none, FALSE);
      set_loading (self, FALSE);
      return;
    }
  asked = g_new0 (Asked, 1);
  asked->self = g_object_ref (self);
  asked->generation = self->generation;
  asked->stamp = self->stamp;
  if (head && (query->limit == 0 || query->limit > HEAD_ROWS))
    query->limit = asked->limit = HEAD_ROWS;
  asked->positions = held_positions (self);
  if (asked->positions->len > MAX_HELD)
    g_array_set_size (asked->positions, MAX_HELD);
  if (asked->positions->len == 0 && self->keys->len == 0)
    for (guint i = 0; i < HEAD_ROWS; i++)
      g_array_append_val (asked->positions, i);
  self->asking = g_cancellable_new ();
  _kt_list_ask_async (self->workspace, query, (const guint *) asked->positions->data,
                      asked->positions->len, self->asking, asked_cb, asked);
}

static gboolean
tail_cb (gpointer data)
{
  KtListModel *self = data;

  self->tail_timeout = 0;
  if (self->partial && self->asking == NULL)
    ask (self, FALSE);
  return G_SOURCE_REMOVE;
}

/* Behind the painting of the head. */
static void
schedule_tail (KtListModel *self)
{
  if (self->tail_timeout == 0)
    self->tail_timeout = g_timeout_add_full (G_PRIORITY_LOW, TAIL_MS, tail_cb, self, NULL);
}

/* Another question: what is under way is not waited for. */
static void
ask_anew (KtListModel *self)
{
  self->generation++;
  self->again = FALSE;
  g_clear_handle_id (&self->tail_timeout, g_source_remove);
  if (self->asking != NULL)
    g_cancellable_cancel (self->asking);
  g_clear_object (&self->asking);
  if (self->query == NULL)
    return;
  set_loading (self, TRUE);
  ask (self, self->keys->len == 0);
}

static void
refresh (KtListModel *self)
{
  if (self->query == NULL)
    return;
  if (self->asking != NULL)
    self->again = TRUE;
  else
    ask (self, FALSE);
}

/* ---- rows ---- */

typedef struct
{
  KtListModel *self;
  guint64 stamp;
  GArray *positions;
  GArray *keys;
} Fetched;

static void
fetched_free (Fetched *fetched)
{
  g_object_unref (fetched->self);
  g_array_unref (fetched->positions);
  g_array_unref (fetched->keys);
  g_free (fetched);
}

static void
fetched_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fetched *fetched = user_data;
  KtListModel *self = fetched->self;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) records = _kt_rows_load_finish (result, &error);
  g_autoptr (GPtrArray) changed = g_ptr_array_new_with_free_func (g_object_unref);

  self->fetch_busy = FALSE;
  self->rows_read += records != NULL ? records->len : 0;
  for (guint i = 0; records != NULL && i < records->len; i++)
    {
      guint position = g_array_index (fetched->positions, guint, i);
      gint64 key = g_array_index (fetched->keys, gint64, i);
      KtRecord *record = records->pdata[i];
      KtRow *row = g_hash_table_lookup (self->slots, GUINT_TO_POINTER (position));

      /* Read before the last change: shown, since the refresh that follows brings the new one, but not kept. */
      if (fetched->stamp == self->stamp)
        _kt_record_cache_put (self->cache, key, record);
      if (row != NULL && _kt_row_key (row) == key && record != NULL
          && kt_row_get_record (row) == NULL && _kt_row_set (row, key, record))
        g_ptr_array_add (changed, g_object_ref (row));
    }
  if (error != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    set_error (self, error);
  for (guint i = 0; i < changed->len; i++)
    _kt_row_notify (changed->pdata[i]);
  if (self->wanted->len > 0)
    schedule_fetch (self);
  fetched_free (fetched);
}

static gboolean
fetch_cb (gpointer data)
{
  KtListModel *self = data;
  Fetched *fetched;
  const KtObject *object;

  self->fetch_idle = 0;
  object = self->query != NULL ? _kt_workspace_adopt (self->workspace, self->query->object) : NULL;
  if (self->fetch_busy || object == NULL)
    return G_SOURCE_REMOVE;
  fetched = g_new0 (Fetched, 1);
  fetched->self = g_object_ref (self);
  fetched->stamp = self->stamp;
  fetched->positions = g_array_new (FALSE, FALSE, sizeof (guint));
  fetched->keys = g_array_new (FALSE, FALSE, sizeof (gint64));
  /* The newest first: what was asked for last is what is looked at. What is no longer held is not read at all. */
  while (self->wanted->len > 0 && fetched->keys->len < MAX_FETCH)
    {
      guint position = g_array_index (self->wanted, guint, self->wanted->len - 1);
      KtRow *row = g_hash_table_lookup (self->slots, GUINT_TO_POINTER (position));
      gint64 key = row != NULL ? _kt_row_key (row) : 0;

      g_array_set_size (self->wanted, self->wanted->len - 1);
      if (key == 0 || kt_row_get_record (row) != NULL)
        continue;
      g_array_append_val (fetched->positions, position);
      g_array_append_val (fetched->keys, key);
    }
  if (fetched->keys->len == 0)
    {
      fetched_free (fetched);
      return G_SOURCE_REMOVE;
    }
  self->fetch_busy = TRUE;
  _kt_rows_load_async (self->workspace, object, (const gint64 *) fetched->keys->data,
                       fetched->keys->len, self->fetching, fetched_cb, fetched);
  return G_SOURCE_REMOVE;
}

static void
schedule_fetch (KtListModel *self)
{
  if (self->fetch_idle == 0 && !self->fetch_busy)
    self->fetch_idle = g_idle_add_full (G_PRIORITY_DEFAULT, fetch_cb, self, NULL);
}

void
_kt_list_model_forget (KtListModel *self, guint position)
{
  g_hash_table_remove (self->slots, GUINT_TO_POINTER (position));
}

guint64
_kt_list_model_rows_read (KtListModel *self)
{
  return self->rows_read;
}

void
_kt_list_model_held (KtListModel *self, guint *slots, guint *cached)
{
  *slots = g_hash_table_size (self->slots);
  *cached = _kt_record_cache_length (self->cache);
}

/* ---- what the workspace says ---- */

static void
changed_cb (KtWorkspace *workspace, KtChanges *changes, gpointer user_data)
{
  KtListModel *self = user_data;

  if (self->query == NULL)
    return;
  if (kt_changes_touch (changes, self->query->object))
    {
      self->stamp++;
      _kt_record_cache_changed (self->cache, changes);
    }
  if (_kt_model_changes_query (changes, self->query))
    refresh (self);
}

static void
schema_cb (KtWorkspace *workspace, GParamSpec *pspec, gpointer user_data)
{
  KtListModel *self = user_data;
  const KtObject *object;

  if (self->query == NULL)
    return;
  object = _kt_workspace_adopt (workspace, self->query->object);
  if (object != NULL && object != self->query->object)
    {
      KtQuery *query = _kt_query_adopt (self->query, object);

      if (query != NULL)
        {
          kt_query_free (self->query);
          self->query = query;
        }
    }
  self->stamp++;
  _kt_record_cache_clear (self->cache);
  refresh (self);
}

static GPtrArray *
rows_that (KtListModel *self, gboolean (*test) (KtRow *row))
{
  GPtrArray *rows = g_ptr_array_new_with_free_func (g_object_unref);
  GHashTableIter iter;
  gpointer row;

  g_hash_table_iter_init (&iter, self->slots);
  while (g_hash_table_iter_next (&iter, NULL, &row))
    if (test (row))
      g_ptr_array_add (rows, g_object_ref (row));
  return rows;
}

static void
titles_changed_cb (KtWorkspace *workspace, gpointer user_data)
{
  g_autoptr (GPtrArray) rows = rows_that (user_data, _kt_row_refresh_texts);

  for (guint i = 0; i < rows->len; i++)
    _kt_row_notify (rows->pdata[i]);
}

static void
states_changed_cb (KtWorkspace *workspace, gpointer user_data)
{
  g_autoptr (GPtrArray) rows = rows_that (user_data, _kt_row_refresh_state);

  for (guint i = 0; i < rows->len; i++)
    _kt_row_notify (rows->pdata[i]);
}

static void
counts_changed_cb (KtWorkspace *workspace, gpointer user_data)
{
  update_total (user_data);
}

/* ---- GListModel ---- */

static GType
get_item_type (GListModel *model)
{
  return KT_TYPE_ROW;
}

static guint
get_n_items (GListModel *model)
{
  return KT_LIST_MODEL (model)->keys->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  KtListModel *self = KT_LIST_MODEL (model);
  KtRow *row;
  gint64 key = key_at (self, position);

  if (key == 0)
    return NULL;
  row = g_hash_table_lookup (self->slots, GUINT_TO_POINTER (position));
  if (row != NULL && _kt_row_key (row) == key)
    return g_object_ref (row);
  if (row != NULL)
    g_object_ref (row);
  else
    {
      row = _kt_row_new (self, self->workspace, position, key);
      g_hash_table_insert (self->slots, GUINT_TO_POINTER (position), row);
    }
  _kt_row_set (row, key, _kt_record_cache_get (self->cache, key));
  if (kt_row_get_record (row) == NULL)
    {
      g_array_append_val (self->wanted, position);
      schedule_fetch (self);
    }
  return row;
}

static void
kt_list_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

/* ---- GObject ---- */

static void
kt_list_model_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtListModel *self = KT_LIST_MODEL (object);

  switch (id)
    {
    case PROP_N_ITEMS:
      g_value_set_uint (value, self->keys->len);
      break;
    case PROP_LOADING:
      g_value_set_boolean (value, self->loading);
      break;
    case PROP_TOTAL:
      g_value_set_uint (value, self->total);
      break;
    case PROP_SEARCH:
      g_value_set_string (value, self->search != NULL ? self->search : "");
      break;
    case PROP_ERROR:
      g_value_set_boxed (value, self->error);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_list_model_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_SEARCH:
      kt_list_model_set_search (KT_LIST_MODEL (object), g_value_get_string (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_list_model_dispose (GObject *object)
{
  KtListModel *self = KT_LIST_MODEL (object);
  GHashTableIter iter;
  gpointer row;

  g_clear_handle_id (&self->fetch_idle, g_source_remove);
  g_clear_handle_id (&self->tail_timeout, g_source_remove);
  if (self->asking != NULL)
    g_cancellable_cancel (self->asking);
  g_clear_object (&self->asking);
  if (self->fetching != NULL)
    g_cancellable_cancel (self->fetching);
  g_clear_object (&self->fetching);
  g_hash_table_iter_init (&iter, self->slots);
  while (g_hash_table_iter_next (&iter, NULL, &row))
    _kt_row_detach (row);
  g_hash_table_remove_all (self->slots);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_list_model_parent_class)->dispose (object);
}

static void
kt_list_model_finalize (GObject *object)
{
  KtListModel *self = KT_LIST_MODEL (object);

  kt_query_free (self->query);
  g_free (self->search);
  g_array_unref (self->keys);
  g_hash_table_unref (self->slots);
  _kt_record_cache_free (self->cache);
  g_array_unref (self->wanted);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (kt_list_model_parent_class)->finalize (object);
}

static void
kt_list_model_class_init (KtListModelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_list_model_get_property;
  object_class->set_property = kt_list_model_set_property;
  object_class->dispose = kt_list_model_dispose;
  object_class->finalize = kt_list_model_finalize;

  props[PROP_N_ITEMS] = g_param_spec_uint ("n-items", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_LOADING] = g_param_spec_boolean ("loading", NULL, NULL, FALSE, flags);
  props[PROP_TOTAL] = g_param_spec_uint ("total", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_SEARCH] = g_param_spec_string ("search", NULL, NULL, "", flags | G_PARAM_WRITABLE);
  props[PROP_ERROR] = g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);

  signals[REFRESHED] = g_signal_new ("refreshed", KT_TYPE_LIST_MODEL, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 0);
}

static void
kt_list_model_init (KtListModel *self)
{
  self->keys = g_array_new (FALSE, FALSE, sizeof (gint64));
  self->slots = g_hash_table_new (NULL, NULL);
  self->cache = _kt_record_cache_new ();
  self->wanted = g_array_new (FALSE, FALSE, sizeof (guint));
  self->fetching = g_cancellable_new ();
}

/* ---- public API ---- */

KtListModel *
kt_list_model_new (KtWorkspace *workspace)
{
  KtListModel *self;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  self = g_object_new (KT_TYPE_LIST_MODEL, NULL);
  self->workspace = g_object_ref (workspace);
  g_signal_connect_object (workspace, "changed", G_CALLBACK (changed_cb), self, 0);
  g_signal_connect_object (workspace, "notify::schema", G_CALLBACK (schema_cb), self, 0);
  g_signal_connect_object (workspace, "titles-changed", G_CALLBACK (titles_changed_cb), self, 0);
  g_signal_connect_object (workspace, "states-changed", G_CALLBACK (states_changed_cb), self, 0);
  g_signal_connect_object (workspace, "counts-changed", G_CALLBACK (counts_changed_cb), self, 0);
  return self;
}

void
kt_list_model_set_query (KtListModel *self, const KtQuery *query)
{
  const KtObject *object;
  KtQuery *old;

  g_return_if_fail (KT_IS_LIST_MODEL (self) && query != NULL);

  object = _kt_workspace_adopt (self->workspace, query->object);
  old = self->query;
  self->query = object != NULL ? _kt_query_adopt (query, object) : NULL;
  if (self->query == NULL)
    self->query = kt_query_copy (query);
  if (old == NULL || !g_str_equal (old->object->name, self->query->object->name))
    {
      g_autoptr (GArray) none = g_array_new (FALSE, FALSE, sizeof (gint64));

      _kt_record_cache_clear (self->cache);
      if (self->keys->len > 0)
        publish (self, none, FALSE);
    }
  kt_query_free (old);
  ask_anew (self);
}

const KtQuery *
kt_list_model_get_query (KtListModel *self)
{
  g_return_val_if_fail (KT_IS_LIST_MODEL (self), NULL);

  return self->query;
}

void
kt_list_model_set_sort (KtListModel *self, const KtField *field, gboolean descending)
{
  g_return_if_fail (KT_IS_LIST_MODEL (self));

  if (self->query == NULL)
    return;
  g_array_set_size (self->query->sort, 0);
  if (field != NULL)
    {
      field = _kt_field_of (self->query->object, field);
      if (field != NULL)
        kt_query_add_sort (self->query, field, descending);
    }
  else
    {
      g_autoptr (KtQuery) own = kt_layout_query (self->query->object, self->query->bin);

      g_array_append_vals (self->query->sort, own->sort->data, own->sort->len);
    }
  ask_anew (self);
}

void
kt_list_model_set_search (KtListModel *self, const char *text)
{
  g_autofree char *trimmed = NULL;

  g_return_if_fail (KT_IS_LIST_MODEL (self));

  trimmed = g_strstrip (g_strdup (text != NULL ? text : ""));
  if (*trimmed == '\0')
    g_clear_pointer (&trimmed, g_free);
  if (g_strcmp0 (trimmed, self->search) == 0)
    return;
  g_free (self->search);
  self->search = g_steal_pointer (&trimmed);
  notify (self, PROP_SEARCH);
  ask_anew (self);
}

gboolean
kt_list_model_get_loading (KtListModel *self)
{
  g_return_val_if_fail (KT_IS_LIST_MODEL (self), FALSE);

  return self->loading;
}

guint
kt_list_model_get_total (KtListModel *self)
{
  g_return_val_if_fail (KT_IS_LIST_MODEL (self), 0);

  return self->total;
}

const GError *
kt_list_model_get_error (KtListModel *self)
{
  g_return_val_if_fail (KT_IS_LIST_MODEL (self), NULL);

  return self->error;
}

const gint64 *
kt_list_model_get_keys (KtListModel *self, guint *n)
{
  g_return_val_if_fail (KT_IS_LIST_MODEL (self) && n != NULL, NULL);

  *n = self->keys->len;
  return (const gint64 *) self->keys->data;
}

/* ---- for kt-list-find.c ---- */

KtWorkspace *
_kt_list_model_workspace (KtListModel *self)
{
  return self->workspace;
}

const KtObject *
_kt_list_model_object (KtListModel *self)
{
  return self->query != NULL ? _kt_workspace_adopt (self->workspace, self->query->object) : NULL;
}
