/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One entry of a timeline: an activity, or a commit of the ledger in a sentence. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kt-timeline-private.h"

#define MAX_BODY 2000

/* One field of a commit. */
typedef struct
{
  const KtField *field; /* NULL: unknown, or the record as a whole */
  KtValue old, new;
} Row;

struct _KtTimelineItem
{
  GObject parent_instance;

  /* owned */
  char *key;
  KtRecord *record; /* activities */
  GArray *rows;     /* Row: changes */
  char *act;        /* "create", "update", "delete", "restore" */
  char *outcome;
  char *user_name;
  char *title;
  char *body;
  char *who;
  char *when;

  /* state */
  gint64 time; /* µs; orders the timeline */
  KtId user;
  KtTimelineKind kind;
  gboolean pending;
};

G_DEFINE_FINAL_TYPE (KtTimelineItem, kt_timeline_item, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_TITLE,
  PROP_BODY,
  PROP_WHO,
  PROP_WHEN,
  PROP_PENDING,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

static const struct
{
  const char *object;
  KtTimelineKind kind;
  const char *time;
  const char *body;
} kinds[] = {
  { "task", KT_TIMELINE_TASK, "done_at", "description" },
  { "call", KT_TIMELINE_CALL, "start", "notes" },
  { "meeting", KT_TIMELINE_MEETING, "start", "agenda" },
  { "email", KT_TIMELINE_EMAIL, "date", "body_text" },
  { "note", KT_TIMELINE_NOTE, "created_at", "body" },
};

static void
row_clear (gpointer data)
{
  Row *row = data;

  kt_value_clear (&row->old);
  kt_value_clear (&row->new);
}

static void
take (KtTimelineItem *self, char **place, char *text, guint prop)
{
  if (g_strcmp0 (*place, text) == 0)
    {
      g_free (text);
      return;
    }
  g_free (*place);
  *place = text;
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static void
set_pending (KtTimelineItem *self, gboolean pending)
{
  if (self->pending == pending)
    return;
  self->pending = pending;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_PENDING]);
}

static char *
user_title (KtWorkspace *workspace, const KtId *user)
{
  const KtObject *users = kt_workspace_get_object (workspace, "user");
  const char *title;

  if (kt_id_is_nil (user) || users == NULL)
    return g_strdup ("");
  if (kt_id_equal (user, kt_workspace_get_user (workspace)))
    return g_strdup (_ ("You"));
  title = kt_workspace_peek_title (workspace, users, user);
  return g_strdup (title != NULL ? title : "");
}

static char *
clip (char *text)
{
  g_autofree char *whole = text;
  g_autofree char *head = NULL;

  if (g_utf8_strlen (whole, -1) <= MAX_BODY)
    return g_steal_pointer (&whole);
  head = g_utf8_substring (whole, 0, MAX_BODY - 1);
  return g_strconcat (head, "…", NULL);
}

/* ---- activities ---- */

static char *
body_of (const KtRecord *record, const char *name)
{
  const KtField *field = kt_object_field (record->object, name);
  const char *text = field != NULL ? kt_record_text (record, name) : NULL;

  return clip (_kt_words_plain (field, text));
}

static gint64
time_of (const KtRecord *record, const char *name)
{
  gint64 time = _kt_words_parse_time (kt_record_text (record, name));

  return time != 0 ? time : _kt_words_parse_time (kt_record_text (record, "created_at"));
}

gboolean
_kt_timeline_item_update (KtTimelineItem *item, KtWorkspace *workspace, KtRecord *record)
{
  const KtValue *by;
  gint64 before = item->time;
  guint at = 0;

  while (at < G_N_ELEMENTS (kinds) - 1 && !g_str_equal (kinds[at].object, record->object->name))
    at++;
  kt_record_ref (record);
  kt_record_unref (item->record);
  item->record = record;
  item->kind = kinds[at].kind;
  item->time = time_of (record, kinds[at].time);
  by = kt_record_get (record, "owner");
  if (by == NULL || by->type != KT_VALUE_ID)
    by = kt_record_get (record, "created_by");
  item->user = by != NULL && by->type == KT_VALUE_ID ? by->v.ref.id : KT_ID_NIL;
  _kt_timeline_item_refresh (item, workspace);
  return before != item->time;
}

KtTimelineItem *
_kt_timeline_item_new_activity (KtWorkspace *workspace, KtRecord *record)
{
  KtTimelineItem *self = g_object_new (KT_TYPE_TIMELINE_ITEM, NULL);

  self->key = kt_id_to_string (&record->id);
  _kt_timeline_item_update (self, workspace, record);
  return self;
}

static void
say_activity (KtTimelineItem *self, KtWorkspace *workspace)
{
  const char *body = "description";

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i].kind == self->kind)
      body = kinds[i].body;
  /* A note is its own title: the kind stands above it, the words below. */
  if (self->kind == KT_TIMELINE_NOTE)
    {
      const KtValue *kind = kt_record_get (self->record, "kind");
      const KtField *field = kt_object_field (self->record->object, "kind");

      take (
        self, &self->title,
        kind != NULL && !kt_value_is_null (kind)
          ? kt_workspace_display (workspace, field, kind)
          : g_strdup (kt_object_label (self->record->object, kt_workspace_get_locale (workspace))),
        PROP_TITLE);
    }
  else
    take (self, &self->title, kt_workspace_record_title (workspace, self->record), PROP_TITLE);
  take (self, &self->body, body_of (self->record, body), PROP_BODY);
  set_pending (self, kt_workspace_get_row_state (workspace, &self->record->id) != KT_ROW_SETTLED);
}

/* ---- changes ---- */

static char *
shown (KtWorkspace *workspace, const KtField *field, const KtValue *value)
{
  g_autofree char *text = kt_workspace_display (workspace, field, value);
  glong length = g_utf8_strlen (text, -1);

  if (length > 80)
    {
      g_autofree char *head = g_utf8_substring (text, 0, 79);

      return g_strconcat (head, "…", NULL);
    }
  return g_steal_pointer (&text);
}

static char *
say_row (KtWorkspace *workspace, const Row *row)
{
  const char *label = kt_field_label (row->field, kt_workspace_get_locale (workspace));
  g_autofree char *old = shown (workspace, row->field, &row->old);
  g_autofree char *new = shown (workspace, row->field, &row->new);

  if (kt_value_is_null (&row->old))
    /* Translators: a field and what was filled in, such as “Phone: 555-0100”. */
    return g_strdup_printf (C_ ("field with value", "%s: %s"), label, new);
  if (kt_value_is_null (&row->new))
    /* Translators: a field that was emptied and what it held. */
    return g_strdup_printf (_ ("%s removed (was %s)"), label, old);
  /* Translators: a field, its old and its new value, such as “Stage: Proposal → Negotiation”. */
  return g_strdup_printf (_ ("%s: %s → %s"), label, old, new);
}

static const char *
outcome_sentence (const char *outcome)
{
  if (g_strcmp0 (outcome, "superseded") == 0)
    return _ ("Another value stands; this one is kept here");
  if (g_strcmp0 (outcome, "review") == 0)
    return _ ("Waits for a decision");
  if (g_strcmp0 (outcome, "refused") == 0)
    return _ ("Not accepted; kept here");
  if (g_strcmp0 (outcome, "discarded") == 0)
    return _ ("Given up on this computer; kept here");
  if (g_strcmp0 (outcome, "waiting") == 0)
    return _ ("Not sent yet");
  return NULL;
}

static void
say_change (KtTimelineItem *self, KtWorkspace *workspace)
{
  g_autoptr (GString) body = g_string_new (NULL);
  const char *outcome = outcome_sentence (self->outcome);
  guint n = self->rows->len;
  char *title;

  if (g_strcmp0 (self->act, "create") == 0)
    title = g_strdup (_ ("Created"));
  else if (g_strcmp0 (self->act, "delete") == 0)
    title = g_strdup (_ ("Moved to the bin"));
  else if (g_strcmp0 (self->act, "restore") == 0)
    title = g_strdup (_ ("Brought back from the bin"));
  else if (n == 1)
    title = say_row (workspace, &g_array_index (self->rows, Row, 0));
  else if (n == 0)
    title = g_strdup (_ ("Changed"));
  else
    title = g_strdup_printf (ngettext ("Changed %u field", "Changed %u fields", n), n);

  /* What a new record began with stands on its page. */
  if (n > 1 && g_strcmp0 (self->act, "create") != 0)
    for (guint i = 0; i < n; i++)
      {
        g_autofree char *line = say_row (workspace, &g_array_index (self->rows, Row, i));

        if (body->len > 0)
          g_string_append_c (body, '\n');
        g_string_append (body, line);
      }
  if (outcome != NULL)
    {
      if (body->len > 0)
        g_string_append_c (body, '\n');
      g_string_append (body, outcome);
    }
  take (self, &self->title, title, PROP_TITLE);
  take (self, &self->body, clip (g_string_free (g_steal_pointer (&body), FALSE)), PROP_BODY);
  set_pending (self, g_strcmp0 (self->outcome, "waiting") == 0);
}

void
_kt_timeline_item_refresh (KtTimelineItem *item, KtWorkspace *workspace)
{
  char *who = user_title (workspace, &item->user);

  if (*who == '\0' && item->user_name != NULL)
    {
      g_free (who);
      who = g_strdup (item->user_name);
    }
  take (item, &item->who, who, PROP_WHO);
  take (item, &item->when, _kt_words_when (item->time, _kt_workspace_now_us (workspace)),
        PROP_WHEN);
  if (item->record != NULL)
    say_activity (item, workspace);
  else
    say_change (item, workspace);
}

/* ---- the ledger ---- */

static const char *
act_of (const KtJson *row, const KtObject *object)
{
  const char *kind = kt_json_get_string (row, "kind", NULL);
  const char *field = kt_json_get_string (row, "field", "");

  if (kind != NULL)
    return kind;
  /* Unsettled ones of this device name the deed in place of a field. */
  if (kt_object_field (object, field) != NULL)
    return "update";
  if (g_str_equal (field, "created"))
    return "create";
  if (g_str_equal (field, "deleted"))
    return "delete";
  if (g_str_equal (field, "restored"))
    return "restore";
  return "update";
}

/* Rows of one commit; unsettled ones have no number, but were made in one moment. */
static char *
commit_key (const KtJson *row, const char *act)
{
  gint64 seq = kt_json_get_int (row, "seq", 0);

  if (seq > 0)
    return g_strdup_printf ("%" G_GINT64_FORMAT " %s", seq,
                            g_str_equal (act, "create") ? "create" : act);
  return g_strdup_printf ("%s %s", kt_json_get_string (row, "at", ""), act);
}

static gboolean
is_noise (const KtField *field)
{
  return field == NULL || field->system || (field->computed && field->formula != NULL);
}

static void
add_row (KtTimelineItem *self, const KtObject *object, const KtJson *json)
{
  const char *name = kt_json_get_string (json, "field", NULL);
  const KtField *field = name != NULL ? kt_object_field (object, name) : NULL;
  Row row = { .field = field, .old = KT_VALUE_INIT, .new = KT_VALUE_INIT };

  if (is_noise (field))
    return;
  /* Of what did not come to stand, what its author wanted is what happened. */
  if (kt_json_get (json, "mine") != NULL
      && g_strcmp0 (kt_json_get_string (json, "outcome", NULL), "merged") != 0)
    {
      if (!kt_value_load_json (field, kt_json_get (json, "base"), &row.old, NULL)
          || !kt_value_load_json (field, kt_json_get (json, "mine"), &row.new, NULL))
        {
          row_clear (&row);
          return;
        }
      g_array_append_val (self->rows, row);
      return;
    }
  if (!kt_value_load_json (field, kt_json_get (json, "old"), &row.old, NULL)
      || !kt_value_load_json (field, kt_json_get (json, "new"), &row.new, NULL)
      || kt_value_equal (&row.old, &row.new))
    {
      row_clear (&row);
      return;
    }
  g_array_append_val (self->rows, row);
}

/* Whose outcome of the fields is the gravest. */
static int
gravity (const char *outcome)
{
  static const char *const order[] = { "applied",    "merged", "waiting",
                                       "superseded", "review", "refused", "discarded" };

  for (int i = 0; i < (int) G_N_ELEMENTS (order); i++)
    if (g_strcmp0 (outcome, order[i]) == 0)
      return i;
  return -1;
}

static KtTimelineItem *
commit_new (const KtJson *row, char *key, const char *act)
{
  KtTimelineItem *self = g_object_new (KT_TYPE_TIMELINE_ITEM, NULL);
  const char *user = kt_json_get_string (row, "user", "");

  self->key = key;
  self->kind = KT_TIMELINE_CHANGE;
  self->act = g_strdup (act);
  self->time = _kt_words_parse_time (kt_json_get_string (row, "at", NULL));
  self->user_name = g_strdup (kt_json_get_string (row, "user_name", NULL));
  if (!kt_id_parse (user, -1, &self->user))
    {
      self->user = KT_ID_NIL;
      if (self->user_name == NULL && *user != '\0')
        self->user_name = g_strdup (user);
    }
  return self;
}

GPtrArray *
_kt_timeline_items_of_ledger (KtWorkspace *workspace, const KtObject *object, const char *json)
{
  GPtrArray *items = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (KtJson) rows = json != NULL ? kt_json_parse (json, -1, NULL) : NULL;
  g_autoptr (GHashTable) by_key = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < kt_json_length (rows); i++)
    {
      const KtJson *row = kt_json_at (rows, i);
      const char *act = act_of (row, object);
      const char *outcome = kt_json_get_string (row, "outcome", NULL);
      g_autofree char *key = commit_key (row, act);
      KtTimelineItem *item = g_hash_table_lookup (by_key, key);

      /* Counters and the like that followed from something else. */
      if (g_str_equal (act, "derive"))
        continue;
      if (item == NULL)
        {
          item = commit_new (row, g_steal_pointer (&key), act);
          g_hash_table_insert (by_key, item->key, item);
          g_ptr_array_add (items, item);
        }
      add_row (item, object, row);
      if (gravity (outcome) > gravity (item->outcome))
        {
          g_free (item->outcome);
          item->outcome = g_strdup (outcome);
        }
    }
  for (guint i = items->len; i > 0; i--)
    {
      KtTimelineItem *item = items->pdata[i - 1];

      /* Only what the program keeps for itself was touched. */
      if (g_str_equal (item->act, "update") && item->rows->len == 0)
        g_ptr_array_remove_index (items, i - 1);
      else
        _kt_timeline_item_refresh (item, workspace);
    }
  return items;
}

const char *
_kt_timeline_item_key (KtTimelineItem *item)
{
  return item->key;
}

gint64
_kt_timeline_item_time (KtTimelineItem *item)
{
  return item->time;
}

gboolean
_kt_timeline_item_same (KtTimelineItem *a, KtTimelineItem *b)
{
  return g_strcmp0 (a->title, b->title) == 0 && g_strcmp0 (a->body, b->body) == 0
         && g_strcmp0 (a->who, b->who) == 0 && a->time == b->time && a->pending == b->pending;
}

/* ---- GObject ---- */

static void
kt_timeline_item_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtTimelineItem *self = KT_TIMELINE_ITEM (object);

  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;
    case PROP_BODY:
      g_value_set_string (value, self->body);
      break;
    case PROP_WHO:
      g_value_set_string (value, self->who);
      break;
    case PROP_WHEN:
      g_value_set_string (value, self->when);
      break;
    case PROP_PENDING:
      g_value_set_boolean (value, self->pending);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
kt_timeline_item_finalize (GObject *object)
{
  KtTimelineItem *self = KT_TIMELINE_ITEM (object);

  g_free (self->key);
  kt_record_unref (self->record);
  g_array_unref (self->rows);
  g_free (self->act);
  g_free (self->outcome);
  g_free (self->user_name);
  g_free (self->title);
  g_free (self->body);
  g_free (self->who);
  g_free (self->when);
  G_OBJECT_CLASS (kt_timeline_item_parent_class)->finalize (object);
}

static void
kt_timeline_item_class_init (KtTimelineItemClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_timeline_item_get_property;
  object_class->finalize = kt_timeline_item_finalize;
  props[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  props[PROP_BODY] = g_param_spec_string ("body", NULL, NULL, NULL, flags);
  props[PROP_WHO] = g_param_spec_string ("who", NULL, NULL, NULL, flags);
  props[PROP_WHEN] = g_param_spec_string ("when", NULL, NULL, NULL, flags);
  props[PROP_PENDING] = g_param_spec_boolean ("pending", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
kt_timeline_item_init (KtTimelineItem *self)
{
  self->rows = g_array_new (FALSE, FALSE, sizeof (Row));
  g_array_set_clear_func (self->rows, row_clear);
}

/* ---- public API ---- */

KtTimelineKind
kt_timeline_item_get_kind (KtTimelineItem *item)
{
  g_return_val_if_fail (KT_IS_TIMELINE_ITEM (item), KT_TIMELINE_CHANGE);

  return item->kind;
}

const char *
kt_timeline_item_get_title (KtTimelineItem *item)
{
  g_return_val_if_fail (KT_IS_TIMELINE_ITEM (item), "");

  return item->title;
}

const char *
kt_timeline_item_get_body (KtTimelineItem *item)
{
  g_return_val_if_fail (KT_IS_TIMELINE_ITEM (item), "");

  return item->body;
}

const char *
kt_timeline_item_get_who (KtTimelineItem *item)
{
  g_return_val_if_fail (KT_IS_TIMELINE_ITEM (item), "");

  return item->who;
}

const char *
kt_timeline_item_get_when (KtTimelineItem *item)
{
  g_return_val_if_fail (KT_IS_TIMELINE_ITEM (item), "");

  return item->when;
}

KtRecord *
kt_timeline_item_get_record (KtTimelineItem *item)
{
  g_return_val_if_fail (KT_IS_TIMELINE_ITEM (item), NULL);

  return item->record;
}

gboolean
kt_timeline_item_get_pending (KtTimelineItem *item)
{
  g_return_val_if_fail (KT_IS_TIMELINE_ITEM (item), FALSE);

  return item->pending;
}
