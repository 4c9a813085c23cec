/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What needs this person: questions (cards), rules that were kept for them, changes that
 * were not accepted; below, what became of changes, and what was decided and may be
 * asked again.                                                                       */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-review-page.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "model/kt-news-model.h"
#include "model/kt-review.h"
#include "ui/kt-outbox-page.h"
#include "ui/kt-review-card.h"
#include "ui/kt-rules-window.h"
#include "ui/kt-window.h"

struct _KtReviewPage
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace   *workspace;
  KtReviewModel *model, *decided_model;
  KtOutboxModel *parked_model;
  KtNewsModel   *news_model;
  GtkWidget     *header_end;

  /* template */
  GtkStack   *stack;
  GtkWidget  *none;
  GtkListBox *rules, *list, *parked, *news, *decided;
  GtkWidget  *parked_box, *news_box, *decided_box;
};

static void kt_review_page_view_init (KtViewInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtReviewPage, kt_review_page, GTK_TYPE_WIDGET,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_VIEW, kt_review_page_view_init))

static guint
count (gpointer model)
{
  return g_list_model_get_n_items (G_LIST_MODEL (model));
}

/* ---- questions ---- */

static void
resolved_cb (GObject      *object,
             GAsyncResult *result,
             gpointer      user_data)
{
  g_autoptr (KtReviewPage) self = KT_REVIEW_PAGE (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = kt_review_model_resolve_finish (KT_REVIEW_MODEL (object), result, &error);

  if (self->workspace == NULL)
    return;
  if (done == NULL)
    kt_toast_error (GTK_WIDGET (self), error);
  else
    kt_toast_done (GTK_WIDGET (self), self->workspace, done);
}

static void
decided_cb (KtReviewCard *card,
            const char   *take,
            const char   *text,
            KtReviewPage *self)
{
  kt_review_model_resolve_async (self->model, kt_review_card_get_item (card), take, text, resolved_cb, g_object_ref (self));
}

static GtkWidget *
create_card_cb (gpointer item,
                gpointer user_data)
{
  GtkWidget *card = kt_review_card_new (KT_REVIEW_ITEM (item));
  GtkWidget *row = gtk_list_box_row_new ();

  g_signal_connect_object (card, "decided", G_CALLBACK (decided_cb), user_data, 0);
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), card);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), FALSE);
  gtk_list_box_row_set_selectable (GTK_LIST_BOX_ROW (row), FALSE);
  gtk_widget_set_focusable (row, FALSE);
  gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  kt_review_item_get_title (KT_REVIEW_ITEM (item)), -1);
  return row;
}

/* ---- rules ---- */

static void
rule_decided_cb (KtRulesWindow *window,
                 KtDone        *done,
                 KtReviewPage  *self)
{
  if (self->workspace != NULL)
    kt_toast_done (GTK_WIDGET (self), self->workspace, done);
}

static void
open_rules (KtReviewPage       *self,
            const KtReviewRule *rule)
{
  GtkWindow *window = kt_rules_window_new (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), self->model, rule);

  g_signal_connect_object (window, "decided", G_CALLBACK (rule_decided_cb), self, 0);
  gtk_window_present (window);
}

static void
rule_clicked_cb (KtReviewPage *self)
{
  open_rules (self, NULL);
}

static void
kept_clicked_cb (GtkWidget *button,
                 gpointer   user_data)
{
  open_rules (KT_REVIEW_PAGE (gtk_widget_get_ancestor (button, KT_TYPE_REVIEW_PAGE)), user_data);
}

static void
forget_clicked_cb (GtkWidget *button,
                   gpointer   user_data)
{
  KtReviewPage *self = KT_REVIEW_PAGE (gtk_widget_get_ancestor (button, KT_TYPE_REVIEW_PAGE));

  kt_review_model_forget (self->model, user_data);
}

/* A kept rule is offered where it would decide something. */
static void
fill_rules (KtReviewPage *self)
{
  GPtrArray *rules = kt_review_model_get_rules (self->model);
  GtkWidget *child;
  gboolean any = FALSE;

  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self->rules))) != NULL)
    gtk_list_box_remove (self->rules, child);
  for (guint i = 0; i < rules->len; i++)
    {
      KtReviewRule *rule = rules->pdata[i];
      g_autoptr (GPtrArray) previews = kt_review_model_preview (self->model, rule);
      g_autofree char *text = kt_review_rule_text (self->workspace, rule);
      g_autofree char *title = g_markup_escape_text (text, -1);
      g_autofree char *below = NULL;
      GtkWidget *row, *look, *forget;
      guint n = 0;

      for (guint k = 0; k < previews->len; k++)
        n += ((KtReviewPreview *) previews->pdata[k])->take != NULL;
      if (n == 0)
        continue;
      below = g_strdup_printf (ngettext ("Your rule would decide %u question", "Your rule would decide %u questions", n), n);
      row = adw_action_row_new ();
      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
      adw_action_row_set_subtitle (ADW_ACTION_ROW (row), below);
      look = gtk_button_new_with_label (_("Look at It…"));
      gtk_widget_set_valign (look, GTK_ALIGN_CENTER);
      g_signal_connect (look, "clicked", G_CALLBACK (kept_clicked_cb), rule);
      forget = gtk_button_new_from_icon_name ("user-trash-symbolic");
      gtk_widget_set_valign (forget, GTK_ALIGN_CENTER);
      gtk_widget_add_css_class (forget, "flat");
      gtk_widget_set_tooltip_text (forget, _("Forget this rule"));
      gtk_accessible_update_property (GTK_ACCESSIBLE (forget), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Forget this rule"), -1);
      g_signal_connect (forget, "clicked", G_CALLBACK (forget_clicked_cb), rule);
      adw_action_row_add_suffix (ADW_ACTION_ROW (row), forget);
      adw_action_row_add_suffix (ADW_ACTION_ROW (row), look);
      gtk_list_box_append (self->rules, row);
      any = TRUE;
    }
  gtk_widget_set_visible (GTK_WIDGET (self->rules), any);
}

/* ---- below ---- */

static GtkWidget *
create_parked_cb (gpointer item,
                  gpointer user_data)
{
  KtReviewPage *self = user_data;

  return kt_outbox_row_new (self->parked_model, KT_OUTBOX_ITEM (item), kt_workspace_get_locale (self->workspace));
}

static void
parked_activated_cb (KtReviewPage  *self,
                     GtkListBoxRow *row)
{
  kt_outbox_row_activate (GTK_WIDGET (row));
}

static GtkWidget *
make_row (gpointer    item,
          const char *title,
          const char *subtitle)
{
  GtkWidget *row = adw_action_row_new ();
  g_autofree char *above = g_markup_escape_text (title, -1);
  g_autofree char *below = g_markup_escape_text (subtitle, -1);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), above);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), below);
  adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 4);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 3);
  g_object_set_data_full (G_OBJECT (row), "kt-item", g_object_ref (item), g_object_unref);
  return row;
}

static GtkWidget *
create_news_cb (gpointer item,
                gpointer user_data)
{
  KtNewsItem *news = KT_NEWS_ITEM (item);
  GtkWidget *row = make_row (news, kt_news_item_get_text (news), kt_news_item_get_when (news));

  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), kt_news_item_get_object (news) != NULL);
  if (kt_news_item_get_unseen (news))
    {
      GtkWidget *mark = gtk_label_new (_("New"));

      gtk_widget_add_css_class (mark, "accent");
      gtk_widget_add_css_class (mark, "caption-heading");
      adw_action_row_add_suffix (ADW_ACTION_ROW (row), mark);
    }
  return row;
}

static void
news_activated_cb (KtReviewPage  *self,
                   GtkListBoxRow *row)
{
  KtNewsItem *news = g_object_get_data (G_OBJECT (row), "kt-item");

  if (kt_news_item_get_object (news) != NULL)
    kt_navigate_record (GTK_WIDGET (self), kt_news_item_get_object (news), kt_news_item_get_id (news));
}

static void
again_clicked_cb (GtkWidget *button,
                  gpointer   user_data)
{
  KtReviewPage *self = KT_REVIEW_PAGE (gtk_widget_get_ancestor (button, KT_TYPE_REVIEW_PAGE));

  gtk_widget_set_sensitive (button, FALSE);
  kt_review_model_reopen_async (self->decided_model, KT_REVIEW_ITEM (user_data), resolved_cb, g_object_ref (self));
}

static void
show_decided (KtReviewItem *item,
              GParamSpec   *pspec,
              AdwActionRow *row)
{
  g_autofree char *title = g_markup_escape_text (kt_review_item_get_title (item), -1);
  g_autofree char *below = NULL;
  g_autofree char *escaped = NULL;

  if (kt_review_item_get_field (item) != NULL)
    /* Translators: a decision, and the two values that were to be chosen from. */
    below = g_strdup_printf (_("%s · %s or %s"), kt_review_item_get_decision (item), kt_review_item_get_mine (item), kt_review_item_get_theirs (item));
  else
    below = g_strdup (kt_review_item_get_decision (item));
  escaped = g_markup_escape_text (below, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (row, escaped);
}

static GtkWidget *
create_decided_cb (gpointer item,
                   gpointer user_data)
{
  GtkWidget *row = make_row (item, "", "");
  GtkWidget *again = gtk_button_new_with_label (_("Ask Again"));

  gtk_widget_set_valign (again, GTK_ALIGN_CENTER);
  g_signal_connect_object (again, "clicked", G_CALLBACK (again_clicked_cb), item, 0);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), again);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), TRUE);
  g_signal_connect_object (item, "notify", G_CALLBACK (show_decided), row, 0);
  show_decided (KT_REVIEW_ITEM (item), NULL, ADW_ACTION_ROW (row));
  return row;
}

static void
decided_activated_cb (KtReviewPage  *self,
                      GtkListBoxRow *row)
{
  KtReviewItem *item = g_object_get_data (G_OBJECT (row), "kt-item");

  if (kt_review_item_get_object (item) != NULL)
    kt_navigate_record (GTK_WIDGET (self), kt_review_item_get_object (item), kt_review_item_get_id (item));
}

/* ---- the page ---- */

static void
update (KtReviewPage *self)
{
  gboolean loading = FALSE;
  guint n = count (self->model);
  gboolean below = count (self->parked_model) + count (self->news_model) + count (self->decided_model) > 0;
  g_autoptr (GPtrArray) scopes = kt_review_model_scopes (self->model);

  g_object_get (self->model, "loading", &loading, NULL);
  gtk_stack_set_visible_child_name (self->stack, n > 0 || below ? "list" : loading ? "loading" : "empty");
  gtk_widget_set_visible (self->none, n == 0 && count (self->parked_model) == 0);
  gtk_widget_set_visible (GTK_WIDGET (self->list), n > 0);
  gtk_widget_set_visible (self->parked_box, count (self->parked_model) > 0);
  gtk_widget_set_visible (self->news_box, count (self->news_model) > 0);
  gtk_widget_set_visible (self->decided_box, count (self->decided_model) > 0);
  gtk_widget_set_visible (self->header_end, scopes->len > 0);
  fill_rules (self);
  kt_view_changed (KT_VIEW (self));
}

/* What stands in front of the person's eyes is no news any more. */
static void
kt_review_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (kt_review_page_parent_class)->map (widget);
  kt_news_model_seen (KT_REVIEW_PAGE (widget)->news_model);
}

static void
news_changed_cb (KtReviewPage *self)
{
  update (self);
  if (gtk_widget_get_mapped (GTK_WIDGET (self)))
    kt_news_model_seen (self->news_model);
}

static char *
kt_review_page_get_title (KtView *view)
{
  return g_strdup (_("To Decide"));
}

static char *
kt_review_page_get_subtitle (KtView *view)
{
  KtReviewPage *self = KT_REVIEW_PAGE (view);
  guint n = count (self->model) + count (self->parked_model);

  if (n == 0)
    return NULL;
  return g_strdup_printf (ngettext ("%u question", "%u questions", n), n);
}

static GtkWidget *
kt_review_page_get_header_end (KtView *view)
{
  return KT_REVIEW_PAGE (view)->header_end;
}

static void
kt_review_page_view_init (KtViewInterface *iface)
{
  iface->get_title = kt_review_page_get_title;
  iface->get_subtitle = kt_review_page_get_subtitle;
  iface->get_header_end = kt_review_page_get_header_end;
}

static void
kt_review_page_dispose (GObject *object)
{
  KtReviewPage *self = KT_REVIEW_PAGE (object);

  g_clear_object (&self->parked_model);
  g_clear_object (&self->news_model);
  g_clear_object (&self->decided_model);
  g_clear_object (&self->model);
  g_clear_object (&self->workspace);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_REVIEW_PAGE);

  G_OBJECT_CLASS (kt_review_page_parent_class)->dispose (object);
}

static void
kt_review_page_class_init (KtReviewPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_review_page_dispose;
  widget_class->map = kt_review_page_map;

  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-review-page.ui");
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, header_end);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, stack);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, none);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, rules);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, list);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, parked);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, news);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, decided);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, parked_box);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, news_box);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, decided_box);
  gtk_widget_class_bind_template_callback (widget_class, rule_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, parked_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, news_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, decided_activated_cb);
}

static void
kt_review_page_init (KtReviewPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
kt_review_page_new (KtWorkspace *workspace)
{
  KtReviewPage *self = g_object_new (KT_TYPE_REVIEW_PAGE, NULL);

  self->workspace = g_object_ref (workspace);
  self->model = kt_review_model_new (workspace);
  self->decided_model = kt_review_model_new_decided (workspace);
  self->news_model = kt_news_model_new (workspace);
  self->parked_model = kt_outbox_model_new_parked (workspace);
  g_signal_connect_object (self->model, "items-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->model, "notify::loading", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->model, "rules-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->decided_model, "items-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->parked_model, "items-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->news_model, "items-changed", G_CALLBACK (news_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_list_box_bind_model (self->list, G_LIST_MODEL (self->model), create_card_cb, self, NULL);
  gtk_list_box_bind_model (self->parked, G_LIST_MODEL (self->parked_model), create_parked_cb, self, NULL);
  gtk_list_box_bind_model (self->news, G_LIST_MODEL (self->news_model), create_news_cb, self, NULL);
  gtk_list_box_bind_model (self->decided, G_LIST_MODEL (self->decided_model), create_decided_cb, self, NULL);
  update (self);
  return GTK_WIDGET (self);
}
