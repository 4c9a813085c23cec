/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-rules-window.h"

#include <glib/gi18n.h>

#include "ui/kt-window.h"

struct _KtRulesWindow
{
  AdwWindow parent_instance;

  /* owned */
  KtReviewModel *model;
  GPtrArray     *scopes;

  /* template */
  GtkDropDown *scope_drop, *take_drop;
  GtkListBox  *list;
  GtkWidget   *remember_row;
  GtkSwitch   *remember;
  GtkButton   *apply;
  GtkWidget   *problem;

  /* state */
  guint        filling : 1;
};

G_DEFINE_FINAL_TYPE (KtRulesWindow, kt_rules_window, ADW_TYPE_WINDOW)

enum { DECIDED, N_SIGNALS };
static guint signals[N_SIGNALS];

/* NULL: there is nothing a rule could be for. */
static KtReviewRule *
make_rule (KtRulesWindow *self)
{
  guint at = gtk_drop_down_get_selected (self->scope_drop);
  const KtReviewScope *scope = at < self->scopes->len ? self->scopes->pdata[at] : NULL;

  if (scope == NULL)
    return NULL;
  return kt_review_rule_new ((KtReviewTake) gtk_drop_down_get_selected (self->take_drop), scope->object, scope->field, scope->batch);
}

static GtkWidget *
preview_row (const KtReviewPreview *preview)
{
  GtkWidget *row = adw_action_row_new ();
  g_autofree char *title = g_markup_escape_text (kt_review_item_get_title (preview->item), -1);
  g_autofree char *text = NULL;
  g_autofree char *below = NULL;

  if (preview->take != NULL)
    /* Translators: what a rule takes: a value, and whose it is and when it was written. */
    text = g_strdup_printf (_("%s (%s)"), preview->value, preview->why);
  else
    text = g_strdup (preview->why);
  below = g_markup_escape_text (text, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), below);
  adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 2);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 3);
  if (preview->take == NULL)
    gtk_widget_add_css_class (row, "dim-label");
  return row;
}

static void
update (KtRulesWindow *self)
{
  g_autoptr (KtReviewRule) rule = NULL;
  g_autoptr (GPtrArray) previews = NULL;
  g_autofree char *text = NULL;
  GtkWidget *child;
  guint n = 0;

  if (self->filling || self->scopes == NULL)
    return;
  rule = make_rule (self);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self->list))) != NULL)
    gtk_list_box_remove (self->list, child);
  if (rule != NULL)
    previews = kt_review_model_preview (self->model, rule);
  for (guint i = 0; previews != NULL && i < previews->len; i++)
    {
      const KtReviewPreview *preview = previews->pdata[i];

      gtk_list_box_append (self->list, preview_row (preview));
      n += preview->take != NULL;
    }
  gtk_widget_set_visible (GTK_WIDGET (self->list), previews != NULL && previews->len > 0);
  text = g_strdup_printf (ngettext ("_Decide %u Question", "_Decide %u Questions", n), n);
  gtk_button_set_label (self->apply, text);
  gtk_widget_set_sensitive (GTK_WIDGET (self->apply), n > 0);
  gtk_widget_set_visible (self->remember_row, rule != NULL && rule->batch == NULL);
}

static void
fill_scopes (KtRulesWindow      *self,
             const KtReviewRule *rule)
{
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);
  guint selected = 0;

  self->filling = TRUE;
  g_clear_pointer (&self->scopes, g_ptr_array_unref);
  self->scopes = kt_review_model_scopes (self->model);
  for (guint i = 0; i < self->scopes->len; i++)
    {
      const KtReviewScope *scope = self->scopes->pdata[i];
      /* Translators: what a rule may be for, and how many questions that are. */
      g_autofree char *name = g_strdup_printf (_("%s (%u)"), scope->label, scope->n);

      gtk_string_list_append (names, name);
      if (rule != NULL && g_strcmp0 (scope->object, rule->object) == 0 && g_strcmp0 (scope->field, rule->field) == 0
          && g_strcmp0 (scope->batch, rule->batch) == 0)
        selected = i;
    }
  gtk_drop_down_set_model (self->scope_drop, G_LIST_MODEL (names));
  gtk_drop_down_set_selected (self->scope_drop, selected);
  if (rule != NULL)
    gtk_drop_down_set_selected (self->take_drop, rule->take);
  self->filling = FALSE;
}

/* Somebody settled one meanwhile. */
static void
items_changed_cb (KtRulesWindow *self)
{
  g_autoptr (KtReviewRule) rule = make_rule (self);

  fill_scopes (self, rule);
  update (self);
}

static void
applied_cb (GObject      *object,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autoptr (KtRulesWindow) self = KT_RULES_WINDOW (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = kt_review_model_resolve_finish (KT_REVIEW_MODEL (object), result, &error);

  if (done != NULL)
    {
      g_signal_emit (self, signals[DECIDED], 0, done);
      gtk_window_close (GTK_WINDOW (self));
      return;
    }
  gtk_label_set_text (GTK_LABEL (self->problem), error->message);
  gtk_widget_set_visible (self->problem, TRUE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->apply), TRUE);
}

static void
apply_clicked_cb (KtRulesWindow *self)
{
  g_autoptr (KtReviewRule) rule = make_rule (self);

  if (rule == NULL)
    return;
  gtk_widget_set_sensitive (GTK_WIDGET (self->apply), FALSE);
  g_signal_handlers_disconnect_by_func (self->model, items_changed_cb, self);
  if (gtk_switch_get_active (self->remember))
    kt_review_model_remember (self->model, rule);
  kt_review_model_apply_async (self->model, rule, applied_cb, g_object_ref (self));
}

static void
kt_rules_window_dispose (GObject *object)
{
  KtRulesWindow *self = KT_RULES_WINDOW (object);

  g_clear_object (&self->model);
  g_clear_pointer (&self->scopes, g_ptr_array_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_RULES_WINDOW);

  G_OBJECT_CLASS (kt_rules_window_parent_class)->dispose (object);
}

static void
kt_rules_window_class_init (KtRulesWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_rules_window_dispose;
  signals[DECIDED] = g_signal_new ("decided", KT_TYPE_RULES_WINDOW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, KT_TYPE_DONE);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-rules-window.ui");
  gtk_widget_class_bind_template_child (widget_class, KtRulesWindow, scope_drop);
  gtk_widget_class_bind_template_child (widget_class, KtRulesWindow, take_drop);
  gtk_widget_class_bind_template_child (widget_class, KtRulesWindow, list);
  gtk_widget_class_bind_template_child (widget_class, KtRulesWindow, remember_row);
  gtk_widget_class_bind_template_child (widget_class, KtRulesWindow, remember);
  gtk_widget_class_bind_template_child (widget_class, KtRulesWindow, apply);
  gtk_widget_class_bind_template_child (widget_class, KtRulesWindow, problem);
  gtk_widget_class_bind_template_callback (widget_class, update);
  gtk_widget_class_bind_template_callback (widget_class, apply_clicked_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void
kt_rules_window_init (KtRulesWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWindow *
kt_rules_window_new (GtkWindow          *parent,
                     KtReviewModel      *model,
                     const KtReviewRule *rule)
{
  KtRulesWindow *self = g_object_new (KT_TYPE_RULES_WINDOW, "transient-for", parent, "modal", TRUE, NULL);

  self->model = g_object_ref (model);
  fill_scopes (self, rule);
  g_signal_connect_object (model, "items-changed", G_CALLBACK (items_changed_cb), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WINDOW (self);
}
