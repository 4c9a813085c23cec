/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-review-page.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "model/kt-review.h"
#include "ui/kt-review-card.h"
#include "ui/kt-window.h"

struct _KtReviewPage
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace   *workspace;
  KtReviewModel *model;

  /* template */
  GtkStack   *stack;
  GtkListBox *list;
};

static void kt_review_page_view_init (KtViewInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtReviewPage, kt_review_page, GTK_TYPE_WIDGET,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_VIEW, kt_review_page_view_init))

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

static void
items_changed_cb (KtReviewPage *self)
{
  gboolean loading = FALSE;
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));

  g_object_get (self->model, "loading", &loading, NULL);
  gtk_stack_set_visible_child_name (self->stack, n > 0 ? "list" : loading ? "loading" : "empty");
  kt_view_changed (KT_VIEW (self));
}

static char *
kt_review_page_get_title (KtView *view)
{
  return g_strdup (_("To Decide"));
}

static char *
kt_review_page_get_subtitle (KtView *view)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (KT_REVIEW_PAGE (view)->model));

  if (n == 0)
    return NULL;
  return g_strdup_printf (ngettext ("%u question", "%u questions", n), n);
}

static void
kt_review_page_view_init (KtViewInterface *iface)
{
  iface->get_title = kt_review_page_get_title;
  iface->get_subtitle = kt_review_page_get_subtitle;
}

static void
kt_review_page_dispose (GObject *object)
{
  KtReviewPage *self = KT_REVIEW_PAGE (object);

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

  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-review-page.ui");
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, stack);
  gtk_widget_class_bind_template_child (widget_class, KtReviewPage, list);
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
  g_signal_connect_object (self->model, "items-changed", G_CALLBACK (items_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->model, "notify::loading", G_CALLBACK (items_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_list_box_bind_model (self->list, G_LIST_MODEL (self->model), create_card_cb, self, NULL);
  items_changed_cb (self);
  return GTK_WIDGET (self);
}
