/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rules for many questions at once: scopes offered, decisions shown beforehand, all
 * of them done as one command, and rules kept for the next time (kt-review.h).    */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "base/kt-error.h"
#include "kt-review-private.h"

#define MAX_RULES 50

static const char *const take_words[] = { "newest", "mine", "theirs" };

KtReviewRule *
kt_review_rule_new (KtReviewTake take, const char *object, const char *field, const char *batch)
{
  KtReviewRule *rule = g_new0 (KtReviewRule, 1);

  rule->take = take;
  rule->object = g_strdup (object);
  rule->field = g_strdup (field);
  rule->batch = g_strdup (batch);
  return rule;
}

void
kt_review_rule_free (KtReviewRule *rule)
{
  if (rule == NULL)
    return;
  g_free (rule->object);
  g_free (rule->field);
  g_free (rule->batch);
  g_free (rule);
}

void
kt_review_scope_free (KtReviewScope *scope)
{
  if (scope == NULL)
    return;
  g_free (scope->label);
  g_free (scope->object);
  g_free (scope->field);
  g_free (scope->batch);
  g_free (scope);
}

void
kt_review_preview_free (KtReviewPreview *preview)
{
  if (preview == NULL)
    return;
  g_object_unref (preview->item);
  g_free (preview->value);
  g_free (preview->why);
  g_free (preview);
}

/* ---- words ---- */

static char *
scope_label (KtWorkspace *workspace, const char *object_name, const char *field_name, const char *batch)
{
  const char *locale = kt_workspace_get_locale (workspace);
  const KtObject *object =
    object_name != NULL ? kt_workspace_get_object (workspace, object_name) : NULL;
  const KtField *field =
    object != NULL && field_name != NULL ? kt_object_field (object, field_name) : NULL;

  if (batch != NULL)
    return g_strdup (_ ("Everything of one import"));
  if (field != NULL)
    /* Translators: a field of a kind of record, such as “Phone of Accounts”. */
    return g_strdup_printf (C_ ("field of objects", "%s of %s"), kt_field_label (field, locale),
                            kt_object_plural (object, locale));
  if (object != NULL)
    /* Translators: %s is a kind of record, such as “Accounts”. */
    return g_strdup_printf (_ ("All values of %s"), kt_object_plural (object, locale));
  return g_strdup (_ ("All values"));
}

char *
kt_review_rule_text (KtWorkspace *workspace, const KtReviewRule *rule)
{
  g_autofree char *scope = NULL;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace) && rule != NULL, NULL);

  scope = scope_label (workspace, rule->object, rule->field, rule->batch);
  switch (rule->take)
    {
    case KT_REVIEW_NEWEST:
      /* Translators: a rule; %s is what it is for, such as “Phone of Accounts”. */
      return g_strdup_printf (_ ("%s: take the newest"), scope);
    case KT_REVIEW_MINE:
      /* Translators: a rule; %s is what it is for, such as “Phone of Accounts”. */
      return g_strdup_printf (_ ("%s: keep mine"), scope);
    case KT_REVIEW_THEIRS:
    default:
      /* Translators: a rule; %s is what it is for, such as “Phone of Accounts”. */
      return g_strdup_printf (_ ("%s: take theirs"), scope);
    }
}

/* ---- what a rule is for ---- */

static const char *
text_of (const KtReviewItem *item, const char *name)
{
  const char *text = kt_record_text (item->record, name);

  return text != NULL ? text : "";
}

static gboolean
is_value (const KtReviewItem *item)
{
  return item->object != NULL && item->field != NULL && g_str_equal (text_of (item, "kind"), "field");
}

static gboolean
matches (const KtReviewItem *item, const KtReviewRule *rule)
{
  return is_value (item)
         && (rule->object == NULL || g_str_equal (rule->object, item->object->name))
         && (rule->field == NULL || g_str_equal (rule->field, item->field->name))
         && (rule->batch == NULL || g_str_equal (rule->batch, text_of (item, "batch")));
}

static void
count_scope (KtReviewModel *self,
             GPtrArray *scopes,
             const char *object,
             const char *field,
             const char *batch)
{
  KtReviewScope *scope;

  for (guint i = 0; i < scopes->len; i++)
    {
      scope = scopes->pdata[i];
      if (g_strcmp0 (scope->object, object) == 0 && g_strcmp0 (scope->field, field) == 0
          && g_strcmp0 (scope->batch, batch) == 0)
        {
          scope->n++;
          return;
        }
    }
  scope = g_new0 (KtReviewScope, 1);
  scope->label = scope_label (self->workspace, object, field, batch);
  scope->object = g_strdup (object);
  scope->field = g_strdup (field);
  scope->batch = g_strdup (batch);
  scope->n = 1;
  g_ptr_array_add (scopes, scope);
}

/* The particular before the general, then the many before the few. */
static int
compare_scopes (gconstpointer a, gconstpointer b)
{
  const KtReviewScope *x = *(const KtReviewScope *const *) a;
  const KtReviewScope *y = *(const KtReviewScope *const *) b;
  int rank_x = x->batch != NULL ? 1 : x->field != NULL ? 0 : x->object != NULL ? 2 : 3;
  int rank_y = y->batch != NULL ? 1 : y->field != NULL ? 0 : y->object != NULL ? 2 : 3;

  if (rank_x != rank_y)
    return rank_x - rank_y;
  return x->n != y->n ? (x->n > y->n ? -1 : 1) : strcmp (x->label, y->label);
}

GPtrArray *
kt_review_model_scopes (KtReviewModel *self)
{
  GPtrArray *scopes;

  g_return_val_if_fail (KT_IS_REVIEW_MODEL (self), NULL);

  scopes = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_review_scope_free);
  for (guint i = 0; i < self->items->len; i++)
    {
      const KtReviewItem *item = self->items->pdata[i];
      const char *batch = text_of (item, "batch");

      if (!is_value (item))
        continue;
      count_scope (self, scopes, item->object->name, item->field->name, NULL);
      count_scope (self, scopes, item->object->name, NULL, NULL);
      count_scope (self, scopes, NULL, NULL, NULL);
      if (*batch != '\0')
        count_scope (self, scopes, NULL, NULL, batch);
    }
  g_ptr_array_sort (scopes, compare_scopes);
  return scopes;
}

/* ---- what it does ---- */

static KtReviewPreview *
preview_item (const KtReviewRule *rule, KtReviewItem *item)
{
  KtReviewPreview *preview = g_new0 (KtReviewPreview, 1);
  gint64 mine = _kt_words_parse_time (text_of (item, "mine_at"));
  gint64 theirs = _kt_words_parse_time (text_of (item, "theirs_at"));

  preview->item = g_object_ref (item);
  if (rule->take == KT_REVIEW_MINE)
    preview->take = "mine";
  else if (rule->take == KT_REVIEW_THEIRS)
    preview->take = "theirs";
  else if (mine == 0 || theirs == 0)
    preview->why = g_strdup (_ ("Stays open: it is not known when one of them was written"));
  else if (mine == theirs)
    preview->why = g_strdup (_ ("Stays open: both were written at the same time"));
  else
    preview->take = mine > theirs ? "mine" : "theirs";
  if (preview->take == NULL)
    return preview;
  if (g_str_equal (preview->take, "mine"))
    {
      preview->value = g_strdup (kt_review_item_get_mine (item));
      preview->why = g_strdup (kt_review_item_get_mine_by (item));
    }
  else
    {
      preview->value = g_strdup (kt_review_item_get_theirs (item));
      preview->why = g_strdup (kt_review_item_get_theirs_by (item));
    }
  return preview;
}

GPtrArray *
kt_review_model_preview (KtReviewModel *self, const KtReviewRule *rule)
{
  GPtrArray *out;

  g_return_val_if_fail (KT_IS_REVIEW_MODEL (self) && rule != NULL, NULL);

  out = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_review_preview_free);
  for (guint i = 0; i < self->items->len; i++)
    if (matches (self->items->pdata[i], rule))
      g_ptr_array_add (out, preview_item (rule, self->items->pdata[i]));
  return out;
}

typedef struct
{
  KtId id;
  gboolean mine;
} Choice;

static GPtrArray *
apply_make (KtLocal *local, gpointer data, GError **error)
{
  const GArray *choices = data;
  g_autoptr (GPtrArray) mutations =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_mutation_free);

  for (guint i = 0; i < choices->len; i++)
    {
      const Choice *choice = &g_array_index (choices, Choice, i);
      g_autoptr (GError) failure = NULL;
      KtMutation *mutation =
        kt_local_resolve (local, &choice->id, choice->mine ? "mine" : "theirs", NULL, &failure);

      if (mutation != NULL)
        g_ptr_array_add (mutations, mutation);
      /* Somebody was faster, or the record is gone: not a reason to leave all others undecided. */
      else if (!g_error_matches (failure, KT_ERROR, KT_ERROR_CONFLICT)
               && !g_error_matches (failure, KT_ERROR, KT_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return NULL;
        }
    }
  return g_steal_pointer (&mutations);
}

void
kt_review_model_apply_async (KtReviewModel *self,
                             const KtReviewRule *rule,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_autoptr (GPtrArray) previews = NULL;
  g_autofree char *sentence = NULL;
  GArray *choices;

  g_return_if_fail (KT_IS_REVIEW_MODEL (self) && rule != NULL);

  previews = kt_review_model_preview (self, rule);
  choices = g_array_new (FALSE, FALSE, sizeof (Choice));
  for (guint i = 0; i < previews->len; i++)
    {
      const KtReviewPreview *preview = previews->pdata[i];
      Choice choice = { preview->item->record->id, g_strcmp0 (preview->take, "mine") == 0 };

      if (preview->take != NULL)
        g_array_append_val (choices, choice);
    }
  sentence = g_strdup_printf (ngettext ("Decided %u question", "Decided %u questions", choices->len),
                              choices->len);
  _kt_workspace_make_many_async (self->workspace, apply_make, choices, (GDestroyNotify) g_array_unref,
                                 sentence, self, callback, user_data);
}

/* ---- kept ---- */

static gboolean
same_rule (const KtReviewRule *a, const KtReviewRule *b)
{
  return a->take == b->take && g_strcmp0 (a->object, b->object) == 0
         && g_strcmp0 (a->field, b->field) == 0 && g_strcmp0 (a->batch, b->batch) == 0;
}

GPtrArray *
_kt_review_rules_parse (const char *json)
{
  GPtrArray *rules = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_review_rule_free);
  g_autoptr (KtJson) list = json != NULL ? kt_json_parse (json, -1, NULL) : NULL;

  for (guint i = 0; i < kt_json_length (list) && i < MAX_RULES; i++)
    {
      const KtJson *one = kt_json_at (list, i);
      const char *word = kt_json_get_string (one, "take", "");

      for (guint k = 0; k < G_N_ELEMENTS (take_words); k++)
        if (g_str_equal (word, take_words[k]))
          g_ptr_array_add (rules, kt_review_rule_new ((KtReviewTake) k,
                                                      kt_json_get_string (one, "object", NULL),
                                                      kt_json_get_string (one, "field", NULL), NULL));
    }
  return rules;
}

static gpointer
keep_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return GINT_TO_POINTER (kt_local_set_meta (local, KT_REVIEW_META_RULES, data, error));
}

static void
keep (KtReviewModel *self)
{
  KtStore *store = _kt_workspace_store (self->workspace);
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_json_begin_array (&writer);
  for (guint i = 0; i < self->rules->len; i++)
    {
      const KtReviewRule *rule = self->rules->pdata[i];

      kt_json_begin_object (&writer);
      kt_json_put_string (&writer, "take", take_words[rule->take]);
      if (rule->object != NULL)
        kt_json_put_string (&writer, "object", rule->object);
      if (rule->field != NULL)
        kt_json_put_string (&writer, "field", rule->field);
      kt_json_end_object (&writer);
    }
  kt_json_end_array (&writer);
  if (store != NULL)
    kt_store_write_async (store, keep_job, g_string_free (out, FALSE), g_free, NULL, NULL, NULL, NULL);
  else
    g_string_free (out, TRUE);
  self->rules_known = TRUE;
  g_signal_emit_by_name (self, "rules-changed");
}

GPtrArray *
kt_review_model_get_rules (KtReviewModel *self)
{
  g_return_val_if_fail (KT_IS_REVIEW_MODEL (self), NULL);

  return self->rules;
}

void
kt_review_model_remember (KtReviewModel *self, const KtReviewRule *rule)
{
  g_return_if_fail (KT_IS_REVIEW_MODEL (self) && rule != NULL);

  /* An import comes once. */
  if (rule->batch != NULL || self->rules->len >= MAX_RULES)
    return;
  for (guint i = 0; i < self->rules->len; i++)
    if (same_rule (self->rules->pdata[i], rule))
      return;
  g_ptr_array_add (self->rules, kt_review_rule_new (rule->take, rule->object, rule->field, NULL));
  keep (self);
}

void
kt_review_model_forget (KtReviewModel *self, const KtReviewRule *rule)
{
  g_return_if_fail (KT_IS_REVIEW_MODEL (self) && rule != NULL);

  for (guint i = 0; i < self->rules->len; i++)
    if (same_rule (self->rules->pdata[i], rule))
      {
        g_ptr_array_remove_index (self->rules, i);
        keep (self);
        return;
      }
}
