/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-search-page.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "model/kt-layout.h"
#include "model/kt-search.h"
#include "ui/kt-window.h"

struct _KtSearchPage
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace *workspace;
  KtSearch    *search;

  /* template */
  GtkWidget      *box;
  GtkSearchEntry *entry;
  GtkStack       *stack;
  GtkListView    *list;
};

static void kt_search_page_view_init (KtViewInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtSearchPage, kt_search_page, GTK_TYPE_WIDGET,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_VIEW, kt_search_page_view_init))

/* ---- a hit: icon, title, what it is, the matching words ---- */

typedef struct
{
  GtkImage *icon;
  GtkLabel *title, *kind, *snippet;
} HitRow;

static void
setup_cb (GtkSignalListItemFactory *factory,
          GtkListItem              *item,
          KtSearchPage             *self)
{
  HitRow *row = g_new0 (HitRow, 1);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  GtkWidget *words = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  GtkWidget *top = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);

  row->icon = GTK_IMAGE (gtk_image_new ());
  row->title = GTK_LABEL (gtk_label_new (NULL));
  row->kind = GTK_LABEL (gtk_label_new (NULL));
  row->snippet = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_xalign (row->title, 0);
  gtk_label_set_ellipsize (row->title, PANGO_ELLIPSIZE_END);
  gtk_widget_set_hexpand (GTK_WIDGET (row->title), TRUE);
  gtk_widget_add_css_class (GTK_WIDGET (row->kind), "caption");
  gtk_widget_add_css_class (GTK_WIDGET (row->kind), "dim-label");
  gtk_label_set_xalign (row->snippet, 0);
  gtk_label_set_ellipsize (row->snippet, PANGO_ELLIPSIZE_END);
  gtk_widget_add_css_class (GTK_WIDGET (row->snippet), "caption");
  gtk_widget_add_css_class (GTK_WIDGET (row->snippet), "dim-label");
  gtk_box_append (GTK_BOX (top), GTK_WIDGET (row->title));
  gtk_box_append (GTK_BOX (top), GTK_WIDGET (row->kind));
  gtk_box_append (GTK_BOX (words), top);
  gtk_box_append (GTK_BOX (words), GTK_WIDGET (row->snippet));
  gtk_widget_set_hexpand (words, TRUE);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (row->icon));
  gtk_box_append (GTK_BOX (box), words);
  gtk_widget_add_css_class (box, "kt-hit");
  g_object_set_data_full (G_OBJECT (item), "kt-row", row, g_free);
  gtk_list_item_set_child (item, box);
}

static void
bind_cb (GtkSignalListItemFactory *factory,
         GtkListItem              *item,
         KtSearchPage             *self)
{
  HitRow *row = g_object_get_data (G_OBJECT (item), "kt-row");
  KtSearchHit *hit = KT_SEARCH_HIT (gtk_list_item_get_item (item));
  const KtObject *object = kt_search_hit_get_object (hit);
  const char *subtitle = kt_search_hit_get_subtitle (hit);
  const char *snippet = kt_search_hit_get_snippet (hit);
  g_autofree char *icon = kt_layout_icon (object);
  g_autofree char *kind = NULL;

  kind = subtitle[0] != '\0' ? g_strdup_printf ("%s · %s", kt_object_label (object, kt_workspace_get_locale (self->workspace)), subtitle)
                             : g_strdup (kt_object_label (object, kt_workspace_get_locale (self->workspace)));
  gtk_image_set_from_icon_name (row->icon, icon);
  gtk_label_set_text (row->title, kt_search_hit_get_title (hit));
  gtk_label_set_text (row->kind, kind);
  gtk_label_set_markup (row->snippet, snippet);
  gtk_widget_set_visible (GTK_WIDGET (row->snippet), snippet[0] != '\0');
}

static void
open_hit (KtSearchPage *self,
          guint         position)
{
  g_autoptr (KtSearchHit) hit = g_list_model_get_item (G_LIST_MODEL (self->search), position);

  if (hit != NULL)
    kt_navigate_record (GTK_WIDGET (self), kt_search_hit_get_object (hit), kt_search_hit_get_id (hit));
}

static void
activate_cb (KtSearchPage *self,
             guint         position)
{
  open_hit (self, position);
}

static void
entry_activated_cb (KtSearchPage *self)
{
  open_hit (self, 0);
}

static void
results_changed_cb (KtSearchPage *self)
{
  gboolean typed = gtk_editable_get_text (GTK_EDITABLE (self->entry))[0] != '\0';
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->search));

  if (n > 0)
    gtk_stack_set_visible_child_name (self->stack, "list");
  else if (!typed)
    gtk_stack_set_visible_child_name (self->stack, "start");
  else if (!kt_search_get_busy (self->search))
    gtk_stack_set_visible_child_name (self->stack, "empty");
}

static void
search_changed_cb (KtSearchPage *self)
{
  kt_search_set_text (self->search, gtk_editable_get_text (GTK_EDITABLE (self->entry)));
  results_changed_cb (self);
}

static char *
kt_search_page_get_title (KtView *view)
{
  return g_strdup (_("Search"));
}

static void
kt_search_page_focus_filter (KtView *view)
{
  KtSearchPage *self = KT_SEARCH_PAGE (view);

  gtk_widget_grab_focus (GTK_WIDGET (self->entry));
  gtk_editable_select_region (GTK_EDITABLE (self->entry), 0, -1);
}

static void
kt_search_page_view_init (KtViewInterface *iface)
{
  iface->get_title = kt_search_page_get_title;
  iface->focus_filter = kt_search_page_focus_filter;
}

static gboolean
kt_search_page_grab_focus (GtkWidget *widget)
{
  return gtk_widget_grab_focus (GTK_WIDGET (KT_SEARCH_PAGE (widget)->entry));
}

static void
kt_search_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (kt_search_page_parent_class)->map (widget);
  kt_search_page_focus_filter (KT_VIEW (widget));
}

static void
kt_search_page_dispose (GObject *object)
{
  KtSearchPage *self = KT_SEARCH_PAGE (object);

  g_clear_object (&self->search);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_SEARCH_PAGE);
  g_clear_object (&self->workspace);

  G_OBJECT_CLASS (kt_search_page_parent_class)->dispose (object);
}

static void
kt_search_page_class_init (KtSearchPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_search_page_dispose;
  widget_class->map = kt_search_page_map;
  widget_class->grab_focus = kt_search_page_grab_focus;

  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-search-page.ui");
  gtk_widget_class_bind_template_child (widget_class, KtSearchPage, box);
  gtk_widget_class_bind_template_child (widget_class, KtSearchPage, entry);
  gtk_widget_class_bind_template_child (widget_class, KtSearchPage, stack);
  gtk_widget_class_bind_template_child (widget_class, KtSearchPage, list);
  gtk_widget_class_bind_template_callback (widget_class, activate_cb);
  gtk_widget_class_bind_template_callback (widget_class, entry_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, search_changed_cb);
}

static void
kt_search_page_init (KtSearchPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
kt_search_page_new (KtWorkspace *workspace)
{
  KtSearchPage *self = g_object_new (KT_TYPE_SEARCH_PAGE, NULL);
  g_autoptr (GtkListItemFactory) factory = gtk_signal_list_item_factory_new ();
  GtkSelectionModel *selection;

  self->workspace = g_object_ref (workspace);
  self->search = kt_search_new (workspace);
  g_signal_connect_object (factory, "setup", G_CALLBACK (setup_cb), self, 0);
  g_signal_connect_object (factory, "bind", G_CALLBACK (bind_cb), self, 0);
  gtk_list_view_set_factory (self->list, factory);
  selection = GTK_SELECTION_MODEL (gtk_single_selection_new (g_object_ref (G_LIST_MODEL (self->search))));
  gtk_list_view_set_model (self->list, selection);
  g_object_unref (selection);
  g_signal_connect_object (self->search, "items-changed", G_CALLBACK (results_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->search, "notify::busy", G_CALLBACK (results_changed_cb), self, G_CONNECT_SWAPPED);
  return GTK_WIDGET (self);
}
