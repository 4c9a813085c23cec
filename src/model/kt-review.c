/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The review queue. The server describes each case in a sync_conflict record
 * (src/server/kt-review.c); here it becomes words. "mine" is always the value of
 * mine_by, whoever looks: the two sides are never told apart by who is signed in
 * (scenario 47), only named by it. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "base/kt-error.h"
#include "kt-editor-private.h"
#include "kt-review-private.h"

#define MAX_ITEMS 500
#define MAX_DECIDED 50

enum
{
  TEXT_KIND,
  TEXT_TITLE,
  TEXT_RECORD_TITLE,
  TEXT_FIELD_LABEL,
  TEXT_EXPLANATION,
  TEXT_BASE,
  TEXT_MINE,
  TEXT_THEIRS,
  TEXT_MINE_BY,
  TEXT_THEIRS_BY,
  TEXT_MINE_ACTION,
  TEXT_THEIRS_ACTION,
  TEXT_DECISION,
  N_TEXTS
};
G_STATIC_ASSERT (N_TEXTS == KT_REVIEW_N_TEXTS);

enum
{
  PROP_0,
  PROP_N_ITEMS,
  PROP_LOADING,
  PROP_ERROR,
  N_PROPS
};

enum
{
  RULES_CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];
static GParamSpec *item_props[N_TEXTS + 1];
static GParamSpec *props[N_PROPS];
static const char *const text_names[N_TEXTS] = {
  "kind", "title",  "record-title", "field-label", "explanation", "base",
  "mine", "theirs", "mine-by",      "theirs-by",   "mine-action", "theirs-action",
  "decision",
};

static void kt_review_model_iface_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE (KtReviewItem, kt_review_item, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE_WITH_CODE (KtReviewModel,
                               kt_review_model,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL,
                                                      kt_review_model_iface_init))

/* ---- words ---- */

static const char *
text_of (KtReviewItem *self, const char *name)
{
  const char *text = kt_record_text (self->record, name);

  return text != NULL ? text : "";
}

static gboolean
is_kind (KtReviewItem *self, const char *kind)
{
  return g_str_equal (text_of (self, "kind"), kind);
}

static char *
empty_or (char *text)
{
  if (*text != '\0')
    return text;
  g_free (text);
  return g_strdup ("—");
}

static char *
show_value (KtReviewItem *self, KtWorkspace *workspace, const KtField *field, const KtJson *json)
{
  g_auto (KtValue) value = KT_VALUE_INIT;

  if (field == NULL || !kt_value_load_json (field, json, &value, NULL))
    return kt_json_type (json) == KT_JSON_STRING ? g_strdup (kt_json_string (json, ""))
                                                 : kt_json_to_string (json, FALSE);
  return kt_workspace_display (workspace, field, &value);
}

/* {"field": value, …}: a line each. */
static char *
show_fields (KtReviewItem *self, KtWorkspace *workspace, const KtJson *json)
{
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const KtField *field =
        self->object != NULL ? kt_object_field (self->object, kt_json_key_at (json, i)) : NULL;
      g_autofree char *value = show_value (self, workspace, field, kt_json_at (json, i));
      g_autofree char *line = NULL;

      if (field == NULL)
        continue;
      if (out->len > 0)
        g_string_append_c (out, '\n');
      line = g_strdup_printf (
        /* Translators: a field and its value, such as “Phone: 555-0100”. */
        C_ ("field with value", "%s: %s"),
        kt_field_label (field, kt_workspace_get_locale (workspace)), *value != '\0' ? value : "—");
      g_string_append (out, line);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* One side of the case. */
static char *
show_side (KtReviewItem *self, KtWorkspace *workspace, const char *name)
{
  const KtValue *stored = kt_record_get (self->record, name);
  g_autoptr (KtJson) json = NULL;

  if (stored == NULL || stored->type != KT_VALUE_JSON)
    return g_strdup ("—");
  json = kt_json_parse (stored->v.text, -1, NULL);
  if (kt_json_type (json) == KT_JSON_OBJECT)
    {
      const KtObject *target =
        kt_workspace_get_object (workspace, kt_json_get_string (json, "object", ""));
      KtId id;

      if (kt_json_get_bool (json, "deleted", FALSE) && kt_json_length (json) == 1)
        /* Translators: in place of a value: the record was moved to the bin. */
        return g_strdup (_ ("In the bin"));
      if (target != NULL && kt_id_parse (kt_json_get_string (json, "id", ""), -1, &id)
          && (self->field == NULL || self->field->type != KT_FIELD_REF_ANY))
        {
          const char *title = kt_workspace_peek_title (workspace, target, &id);

          return empty_or (g_strdup (title != NULL ? title : ""));
        }
      if (self->field == NULL)
        return empty_or (show_fields (self, workspace, json));
    }
  return empty_or (show_value (self, workspace, self->field, json));
}

static char *
person (KtReviewItem *self, KtWorkspace *workspace, const char *name)
{
  const KtValue *who = kt_record_get (self->record, name);
  const char *title;

  if (who == NULL || who->type != KT_VALUE_ID)
    /* Translators: in place of a person's name that is not known. */
    return g_strdup (_ ("Somebody"));
  if (kt_id_equal (&who->v.ref.id, kt_workspace_get_user (workspace)))
    return g_strdup (_ ("You"));
  title = kt_workspace_peek_title (workspace, kt_workspace_get_object (workspace, "user"),
                                   &who->v.ref.id);
  return g_strdup (title != NULL ? title : "");
}

static char *
by_line (KtReviewItem *self, KtWorkspace *workspace, const char *by, const char *at)
{
  g_autofree char *who = person (self, workspace, by);
  gint64 us = _kt_words_parse_time (text_of (self, at));
  g_autofree char *when = _kt_words_when (us, _kt_workspace_now_us (workspace));

  if (us == 0)
    return g_steal_pointer (&who);
  /* Translators: who and when, such as “Ann Lee, Today 12:04”. */
  return g_strdup_printf (_ ("%s, %s"), who, when);
}

static char *
explain (KtReviewItem *self, KtWorkspace *workspace)
{
  const char *message = text_of (self, "message");
  g_autofree char *mine = person (self, workspace, "mine_by");
  g_autofree char *theirs = person (self, workspace, "theirs_by");

  if (is_kind (self, "field"))
    return g_strdup_printf (
      /* Translators: two people, of whom one may be “You”; the third is the second again. */
      _ ("%s and %s changed this at the same time. What %s wrote stands until somebody decides."),
      mine, theirs, theirs);
  if (is_kind (self, "delete_edit"))
    return g_strdup_printf (
      /* Translators: two people, of whom one may be “You”. */
      _ ("%s deleted this record while %s changed it. It is kept until somebody decides."), mine,
      theirs);
  if (is_kind (self, "orphan"))
    return g_strdup_printf (
      /* Translators: %s is a person, or “You”. */
      _ ("%s moved what this record belongs to into the bin. It can be brought back, or this record follows it."), theirs);
  if (is_kind (self, "duplicate"))
    return g_strdup (
      _ ("There is another record with the same value. Keep both, or move this one to the bin."));
  if (*message != '\0')
    return g_strdup (message);
  return g_strdup (_ ("This change was not accepted by the server."));
}

static const char *
action (KtReviewItem *self, gboolean mine)
{
  if (is_kind (self, "delete_edit"))
    return mine ? _ ("Delete It") : _ ("Keep It");
  if (is_kind (self, "orphan"))
    return mine ? _ ("Bring It Back") : self->field != NULL && !kt_merge_is_parent (self->field)
                                               && !self->field->required
                                      ? _ ("Empty the Link")
                                      : _ ("Move This One There Too");
  if (is_kind (self, "duplicate"))
    return mine ? _ ("Keep Both") : _ ("Move This One to the Bin");
  if (is_kind (self, "refused") || is_kind (self, "scope"))
    return mine ? _ ("Try Again") : _ ("Give Up My Change");
  return mine ? _ ("Keep Mine") : _ ("Take Theirs");
}

/* How it ended. */
static char *
decision (KtReviewItem *self, KtWorkspace *workspace)
{
  const char *state = text_of (self, "state");
  const KtValue *by = kt_record_get (self->record, "resolved_by");
  gboolean me = by != NULL && by->type == KT_VALUE_ID
                && kt_id_equal (&by->v.ref.id, kt_workspace_get_user (workspace));
  const KtValue *theirs_by = kt_record_get (self->record, "theirs_by");
  g_autofree char *who = person (self, workspace, "resolved_by");

  if (*state == '\0' || g_str_equal (state, "open"))
    return g_strdup ("");
  if (g_str_equal (state, "kept_mine"))
    return me ? g_strdup (_ ("You kept the first value"))
              /* Translators: %s is a person. */
              : g_strdup_printf (_ ("%s kept the first value"), who);
  if (g_str_equal (state, "took_theirs") && !me && by != NULL && theirs_by != NULL
      && kt_value_equal (by, theirs_by))
    /* Translators: %s is a person. */
    return g_strdup_printf (_ ("The newer value of %s stands"), who);
  if (g_str_equal (state, "took_theirs"))
    return me ? g_strdup (_ ("You took the other value"))
              /* Translators: %s is a person. */
              : g_strdup_printf (_ ("%s took the other value"), who);
  if (g_str_equal (state, "merged"))
    return me ? g_strdup (_ ("You wrote another value"))
              /* Translators: %s is a person. */
              : g_strdup_printf (_ ("%s wrote another value"), who);
  return g_strdup (_ ("Given up"));
}

static char *
make_title (KtReviewItem *self, KtWorkspace *workspace, const char *record_title)
{
  if (self->field == NULL)
    return g_strdup (record_title);
  /* Translators: a field of a record, such as “Phone of Acme Ltd”. */
  return g_strdup_printf (C_ ("field of record", "%s of %s"),
                          kt_field_label (self->field, kt_workspace_get_locale (workspace)),
                          record_title);
}

static char *
make_edit_text (KtReviewItem *self, KtWorkspace *workspace)
{
  const KtValue *stored = kt_record_get (self->record, "mine");
  g_autoptr (KtJson) json = NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;

  if (!is_kind (self, "field") || self->field == NULL || self->field->to != NULL)
    return NULL;
  if (stored == NULL || stored->type != KT_VALUE_JSON)
    return g_strdup ("");
  json = kt_json_parse (stored->v.text, -1, NULL);
  if (json == NULL || !kt_value_load_json (self->field, json, &value, NULL))
    return NULL;
  return _kt_field_edit_text (workspace, self->field, &value);
}

static void
item_update (KtReviewItem *self, KtWorkspace *workspace)
{
  const KtValue *about = kt_record_get (self->record, "record");
  const char *title = NULL;
  char *fresh[N_TEXTS];

  self->object = NULL;
  self->id = KT_ID_NIL;
  if (about != NULL && about->type == KT_VALUE_ANY)
    {
      self->object = kt_workspace_get_object (workspace, about->v.ref.object);
      self->id = about->v.ref.id;
      title = kt_workspace_peek_title (workspace, self->object, &self->id);
    }
  self->field =
    self->object != NULL ? kt_object_field (self->object, text_of (self, "field")) : NULL;
  if (title == NULL)
    title = "";
  fresh[TEXT_KIND] = g_strdup (text_of (self, "kind"));
  fresh[TEXT_TITLE] = make_title (self, workspace, title);
  fresh[TEXT_RECORD_TITLE] = g_strdup (title);
  fresh[TEXT_FIELD_LABEL] = g_strdup (
    self->field != NULL ? kt_field_label (self->field, kt_workspace_get_locale (workspace)) : "");
  fresh[TEXT_EXPLANATION] = explain (self, workspace);
  fresh[TEXT_BASE] = show_side (self, workspace, "base");
  fresh[TEXT_MINE] = show_side (self, workspace, "mine");
  fresh[TEXT_THEIRS] = show_side (self, workspace, "theirs");
  fresh[TEXT_MINE_BY] = by_line (self, workspace, "mine_by", "mine_at");
  fresh[TEXT_THEIRS_BY] = by_line (self, workspace, "theirs_by", "theirs_at");
  fresh[TEXT_MINE_ACTION] = g_strdup (action (self, TRUE));
  fresh[TEXT_THEIRS_ACTION] = g_strdup (action (self, FALSE));
  fresh[TEXT_DECISION] = decision (self, workspace);
  g_free (self->edit_text);
  self->edit_text = make_edit_text (self, workspace);
  for (guint i = 0; i < N_TEXTS; i++)
    {
      gboolean same = g_strcmp0 (self->texts[i], fresh[i]) == 0;

      g_free (self->texts[i]);
      self->texts[i] = fresh[i];
      if (!same)
        g_object_notify_by_pspec (G_OBJECT (self), item_props[i + 1]);
    }
}

/* ---- an item ---- */

static void
kt_review_item_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  if (id >= 1 && id <= N_TEXTS)
    g_value_set_string (value, KT_REVIEW_ITEM (object)->texts[id - 1]);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
kt_review_item_finalize (GObject *object)
{
  KtReviewItem *self = KT_REVIEW_ITEM (object);

  kt_record_unref (self->record);
  for (guint i = 0; i < N_TEXTS; i++)
    g_free (self->texts[i]);
  g_free (self->edit_text);
  G_OBJECT_CLASS (kt_review_item_parent_class)->finalize (object);
}

static void
kt_review_item_class_init (KtReviewItemClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = kt_review_item_get_property;
  object_class->finalize = kt_review_item_finalize;
  for (guint i = 0; i < N_TEXTS; i++)
    item_props[i + 1] =
      g_param_spec_string (text_names[i], NULL, NULL, NULL,
                           G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_TEXTS + 1, item_props);
}

static void
kt_review_item_init (KtReviewItem *self)
{
}

/* ---- asking ---- */

typedef struct
{
  GPtrArray *rows;
  char *rules;
} Answer;

static void
answer_free (Answer *answer)
{
  g_clear_pointer (&answer->rows, g_ptr_array_unref);
  g_free (answer->rules);
  g_free (answer);
}

static GPtrArray *
read_rows (KtLocal *local, gboolean decided, GCancellable *cancellable, GError **error)
{
  const KtObject *object = kt_schema_object (kt_local_schema (local), "sync_conflict");
  g_autoptr (KtQuery) query = NULL;
  g_autoptr (GArray) rids = NULL;

  if (object == NULL)
    return g_ptr_array_new ();
  query = kt_query_new (object);
  query->limit = decided ? MAX_DECIDED : MAX_ITEMS;
  query->filter = kt_filter_parse (object,
                                   decided ? "state != \"open\" and assigned_to = me"
                                           : "state = \"open\" and assigned_to = me",
                                   error);
  if (query->filter == NULL)
    return NULL;
  kt_query_add_sort (query, kt_object_field (object, decided ? "resolved_at" : "mine_at"), decided);
  rids = kt_local_query (local, query, cancellable, error);
  return rids != NULL ? kt_local_rows (local, object, (const gint64 *) rids->data, rids->len, error)
                      : NULL;
}

static gpointer
review_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  GPtrArray *rows = read_rows (local, GPOINTER_TO_INT (data), cancellable, error);
  Answer *answer;

  if (rows == NULL)
    return NULL;
  answer = g_new0 (Answer, 1);
  answer->rows = rows;
  answer->rules = kt_local_get_meta (local, KT_REVIEW_META_RULES, NULL);
  return answer;
}

static const KtId *
about (const KtRecord *row)
{
  const KtValue *value = kt_record_get (row, "record");

  return value != NULL && value->type == KT_VALUE_ANY ? &value->v.ref.id : NULL;
}

/* Items of one record stand together, at the place of the oldest of them. */
static GPtrArray *
grouped (const GPtrArray *rows, gboolean group)
{
  GPtrArray *result = g_ptr_array_new ();
  g_autoptr (GHashTable) taken = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < rows->len; i++)
    {
      if (rows->pdata[i] == NULL || !g_hash_table_add (taken, rows->pdata[i]))
        continue;
      g_ptr_array_add (result, rows->pdata[i]);
      for (guint j = i + 1; group && j < rows->len && about (rows->pdata[i]) != NULL; j++)
        if (rows->pdata[j] != NULL && about (rows->pdata[j]) != NULL
            && kt_id_equal (about (rows->pdata[i]), about (rows->pdata[j]))
            && g_hash_table_add (taken, rows->pdata[j]))
          g_ptr_array_add (result, rows->pdata[j]);
    }
  return result;
}

static KtReviewItem *
item_for (KtReviewModel *self, const KtRecord *row)
{
  for (guint i = 0; i < self->items->len; i++)
    if (kt_id_equal (&((KtReviewItem *) self->items->pdata[i])->record->id, &row->id))
      return g_object_ref (self->items->pdata[i]);
  return g_object_new (KT_TYPE_REVIEW_ITEM, NULL);
}

static void
publish (KtReviewModel *self, const GPtrArray *rows)
{
  g_autoptr (GPtrArray) order = grouped (rows, !self->decided);
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_object_unref);
  guint before = self->items->len;

  for (guint i = 0; i < order->len; i++)
    {
      KtReviewItem *item = item_for (self, order->pdata[i]);

      kt_record_ref (order->pdata[i]);
      kt_record_unref (item->record);
      item->record = order->pdata[i];
      item_update (item, self->workspace);
      g_ptr_array_add (fresh, item);
    }
  _kt_splice (G_LIST_MODEL (self), self->items, fresh);
  if (self->items->len != before)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_N_ITEMS]);
}

static void ask (KtReviewModel *self);

static void
set_error (KtReviewModel *self, GError *error)
{
  if (error == NULL && self->error == NULL)
    return;
  g_clear_error (&self->error);
  self->error = error;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_ERROR]);
}

static void
asked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (KtReviewModel) self = user_data;
  g_autoptr (GError) error = NULL;
  Answer *answer = kt_store_job_finish (result, &error);

  self->asking = FALSE;
  if (g_cancellable_is_cancelled (self->cancellable))
    {
      g_clear_pointer (&answer, answer_free);
      return;
    }
  if (answer != NULL)
    {
      publish (self, answer->rows);
      /* What was just remembered is not forgotten by an answer that was on its way. */
      if (!self->rules_known)
        {
          g_ptr_array_unref (self->rules);
          self->rules = _kt_review_rules_parse (answer->rules);
          self->rules_known = TRUE;
          g_signal_emit (self, signals[RULES_CHANGED], 0);
        }
      answer_free (answer);
    }
  set_error (self, g_steal_pointer (&error));
  if (self->loading)
    {
      self->loading = FALSE;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_LOADING]);
    }
  if (self->again)
    ask (self);
}

static void
ask (KtReviewModel *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);

  self->again = FALSE;
  if (store == NULL || kt_workspace_get_schema (self->workspace) == NULL)
    return;
  self->asking = TRUE;
  kt_store_read_async (store, review_job, GINT_TO_POINTER (self->decided), NULL,
                       (GDestroyNotify) answer_free, self->cancellable, asked_cb, g_object_ref (self));
}

static void
changed_cb (KtWorkspace *workspace, KtChanges *changes, gpointer user_data)
{
  KtReviewModel *self = user_data;
  const KtObject *object = kt_workspace_get_schema (workspace) != NULL
                             ? kt_workspace_get_object (workspace, "sync_conflict")
                             : NULL;

  if (object == NULL || !kt_changes_touch (changes, object))
    return;
  if (self->asking)
    self->again = TRUE;
  else
    ask (self);
}

static void
titles_changed_cb (KtWorkspace *workspace, gpointer user_data)
{
  KtReviewModel *self = user_data;

  for (guint i = 0; i < self->items->len; i++)
    item_update (self->items->pdata[i], workspace);
}

/* ---- GListModel, GObject ---- */

static GType
get_item_type (GListModel *model)
{
  return KT_TYPE_REVIEW_ITEM;
}

static guint
get_n_items (GListModel *model)
{
  return KT_REVIEW_MODEL (model)->items->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  KtReviewModel *self = KT_REVIEW_MODEL (model);

  return position < self->items->len ? g_object_ref (self->items->pdata[position]) : NULL;
}

static void
kt_review_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
kt_review_model_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtReviewModel *self = KT_REVIEW_MODEL (object);

  switch (id)
    {
    case PROP_N_ITEMS:
      g_value_set_uint (value, self->items->len);
      break;
    case PROP_LOADING:
      g_value_set_boolean (value, self->loading);
      break;
    case PROP_ERROR:
      g_value_set_boxed (value, self->error);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_review_model_dispose (GObject *object)
{
  g_cancellable_cancel (KT_REVIEW_MODEL (object)->cancellable);
  G_OBJECT_CLASS (kt_review_model_parent_class)->dispose (object);
}

static void
kt_review_model_finalize (GObject *object)
{
  KtReviewModel *self = KT_REVIEW_MODEL (object);

  g_clear_object (&self->cancellable);
  g_clear_error (&self->error);
  g_ptr_array_unref (self->items);
  g_ptr_array_unref (self->rules);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_review_model_parent_class)->finalize (object);
}

static void
kt_review_model_class_init (KtReviewModelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_review_model_get_property;
  object_class->dispose = kt_review_model_dispose;
  object_class->finalize = kt_review_model_finalize;
  props[PROP_N_ITEMS] = g_param_spec_uint ("n-items", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_LOADING] = g_param_spec_boolean ("loading", NULL, NULL, TRUE, flags);
  props[PROP_ERROR] = g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[RULES_CHANGED] = g_signal_new ("rules-changed", KT_TYPE_REVIEW_MODEL, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
kt_review_model_init (KtReviewModel *self)
{
  self->items = g_ptr_array_new_with_free_func (g_object_unref);
  self->rules = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_review_rule_free);
  self->cancellable = g_cancellable_new ();
  self->loading = TRUE;
}

/* ---- deciding ---- */

typedef struct
{
  KtId conflict;
  char *take;
  KtPatch *values;
} Choice;

static void
choice_free (Choice *choice)
{
  g_free (choice->take);
  kt_patch_free (choice->values);
  g_free (choice);
}

static KtMutation *
choice_make (KtLocal *local, gpointer data, GError **error)
{
  const Choice *choice = data;

  return kt_local_resolve (local, &choice->conflict, choice->take, choice->values, error);
}

static KtPatch *
typed_patch (KtReviewModel *self, KtReviewItem *item, const char *text, GError **error)
{
  g_auto (KtValue) value = KT_VALUE_INIT;
  g_autofree char *problem = NULL;
  g_auto (KtValue) theirs = KT_VALUE_INIT;
  const KtValue *stored = kt_record_get (item->record, "theirs");
  g_autoptr (KtJson) json = NULL;
  KtPatch *patch;

  if (item->field == NULL || item->edit_text == NULL)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID, _ ("Choose one of the two"));
      return NULL;
    }
  /* Against what stands: typing just that is taking theirs. */
  if (stored != NULL && stored->type == KT_VALUE_JSON)
    {
      json = kt_json_parse (stored->v.text, -1, NULL);
      if (json == NULL || !kt_value_load_json (item->field, json, &theirs, NULL))
        kt_value_clear (&theirs);
    }
  if (!_kt_field_parse (self->workspace, item->field, text, &theirs, &value, &problem))
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID, problem);
      return NULL;
    }
  patch = kt_patch_new (item->object);
  kt_patch_set (patch, item->field, &theirs, &value);
  return patch;
}

void
kt_review_model_resolve_async (KtReviewModel *self,
                               KtReviewItem *item,
                               const char *take,
                               const char *text,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  Choice *choice;
  GError *error = NULL;
  KtPatch *values = NULL;

  g_return_if_fail (KT_IS_REVIEW_MODEL (self) && KT_IS_REVIEW_ITEM (item)
                    && (take != NULL || text != NULL));

  if (take == NULL)
    {
      values = typed_patch (self, item, text, &error);
      if (values == NULL)
        {
          g_task_report_error (self, callback, user_data, kt_review_model_resolve_async, error);
          return;
        }
    }
  choice = g_new0 (Choice, 1);
  choice->conflict = item->record->id;
  choice->take = g_strdup (take);
  choice->values = values;
  _kt_workspace_make_async (self->workspace, choice_make, choice, (GDestroyNotify) choice_free,
                            item->object, &item->id, self, callback, user_data);
}

static KtMutation *
reopen_make (KtLocal *local, gpointer data, GError **error)
{
  return kt_local_reopen (local, data, error);
}

void
kt_review_model_reopen_async (KtReviewModel *self,
                              KtReviewItem *item,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_return_if_fail (KT_IS_REVIEW_MODEL (self) && KT_IS_REVIEW_ITEM (item));

  _kt_workspace_make_async (self->workspace, reopen_make, kt_id_copy (&item->record->id), g_free,
                            item->object, &item->id, self, callback, user_data);
}

KtDone *
kt_review_model_resolve_finish (KtReviewModel *self, GAsyncResult *result, GError **error)
{
  return _kt_command_finish (self, result, error);
}

/* ---- public API ---- */

#define ITEM_TEXT(name, text)                                \
  const char *kt_review_item_get_##name (KtReviewItem *item) \
  {                                                          \
    g_return_val_if_fail (KT_IS_REVIEW_ITEM (item), "");     \
    return item->texts[text];                                \
  }

ITEM_TEXT (kind, TEXT_KIND)
ITEM_TEXT (title, TEXT_TITLE)
ITEM_TEXT (record_title, TEXT_RECORD_TITLE)
ITEM_TEXT (field_label, TEXT_FIELD_LABEL)
ITEM_TEXT (explanation, TEXT_EXPLANATION)
ITEM_TEXT (base, TEXT_BASE)
ITEM_TEXT (mine, TEXT_MINE)
ITEM_TEXT (theirs, TEXT_THEIRS)
ITEM_TEXT (mine_by, TEXT_MINE_BY)
ITEM_TEXT (theirs_by, TEXT_THEIRS_BY)
ITEM_TEXT (mine_action, TEXT_MINE_ACTION)
ITEM_TEXT (theirs_action, TEXT_THEIRS_ACTION)
ITEM_TEXT (decision, TEXT_DECISION)

const char *
kt_review_item_get_edit_text (KtReviewItem *item)
{
  g_return_val_if_fail (KT_IS_REVIEW_ITEM (item), NULL);

  return item->edit_text;
}

const KtObject *
kt_review_item_get_object (KtReviewItem *item)
{
  g_return_val_if_fail (KT_IS_REVIEW_ITEM (item), NULL);

  return item->object;
}

const KtId *
kt_review_item_get_id (KtReviewItem *item)
{
  g_return_val_if_fail (KT_IS_REVIEW_ITEM (item), NULL);

  return &item->id;
}

const KtField *
kt_review_item_get_field (KtReviewItem *item)
{
  g_return_val_if_fail (KT_IS_REVIEW_ITEM (item), NULL);

  return item->field;
}

static KtReviewModel *
model_new (KtWorkspace *workspace, gboolean decided)
{
  KtReviewModel *self = g_object_new (KT_TYPE_REVIEW_MODEL, NULL);

  self->workspace = g_object_ref (workspace);
  self->decided = decided;
  g_signal_connect_object (workspace, "changed", G_CALLBACK (changed_cb), self, 0);
  g_signal_connect_object (workspace, "titles-changed", G_CALLBACK (titles_changed_cb), self, 0);
  ask (self);
  return self;
}

KtReviewModel *
kt_review_model_new (KtWorkspace *workspace)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  return model_new (workspace, FALSE);
}

KtReviewModel *
kt_review_model_new_decided (KtWorkspace *workspace)
{
  g_return_val_if_fail (KT_IS_WORKSPACE (workspace), NULL);

  return model_new (workspace, TRUE);
}

KtWorkspace *
kt_review_model_get_workspace (KtReviewModel *self)
{
  g_return_val_if_fail (KT_IS_REVIEW_MODEL (self), NULL);

  return self->workspace;
}
