/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-travel-page.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "model/kt-travel.h"
#include "ui/kt-window.h"

struct _KtTravelPage
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace *workspace;
  KtTravel    *travel;

  /* template */
  GtkWidget      *scroller;
  GtkImage       *icon;
  GtkLabel       *verdict, *freshness, *missing, *result;
  GtkProgressBar *progress;
  GtkButton      *fetch, *rehearse;
  AdwActionRow   *total_row, *files_row;
  AdwComboRow    *rule_row;
  GtkListBox     *list;
  GtkWidget      *list_box;

  /* state */
  guint           filling : 1;
};

static void kt_travel_page_view_init (KtViewInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtTravelPage, kt_travel_page, GTK_TYPE_WIDGET,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_VIEW, kt_travel_page_view_init))

static void
show_text (GtkLabel   *label,
           const char *text)
{
  gtk_label_set_text (label, text);
  gtk_widget_set_visible (GTK_WIDGET (label), text[0] != '\0');
}

static void
update (KtTravelPage *self)
{
  g_autofree char *verdict = NULL, *freshness = NULL, *total = NULL, *attachments = NULL, *missing = NULL, *space = NULL, *result = NULL;
  g_autofree char *files = NULL;
  gboolean ready, fetching, rehearsing, passed;
  double fraction;
  guint left;
  KtTravelRule rule;

  g_object_get (self->travel, "verdict", &verdict, "freshness", &freshness, "total", &total, "attachments", &attachments,
                "missing", &missing, "space", &space, "result", &result, "ready", &ready, "fetching", &fetching,
                "rehearsing", &rehearsing, "passed", &passed, "fraction", &fraction, "seconds-left", &left, "rule", &rule, NULL);
  gtk_image_set_from_icon_name (self->icon, rehearsing ? "kt-sync-offline-symbolic" : ready ? "kt-sync-ok-symbolic" : "kt-sync-busy-symbolic");
  gtk_label_set_text (self->verdict, verdict);
  show_text (self->freshness, freshness);
  show_text (self->missing, missing);
  gtk_widget_set_visible (GTK_WIDGET (self->progress), fetching);
  gtk_progress_bar_set_fraction (self->progress, fraction);
  gtk_widget_set_sensitive (GTK_WIDGET (self->fetch), !fetching && !rehearsing);
  if (rehearsing)
    {
      g_autofree char *text = g_strdup_printf (ngettext ("_End the Rehearsal (%u second left)", "_End the Rehearsal (%u seconds left)", left), left);

      gtk_button_set_label (self->rehearse, text);
    }
  else
    gtk_button_set_label (self->rehearse, _("_Rehearse One Minute Without Network"));
  show_text (self->result, result);
  if (passed)
    gtk_widget_remove_css_class (GTK_WIDGET (self->result), "error");
  else
    gtk_widget_add_css_class (GTK_WIDGET (self->result), "error");
  adw_action_row_set_subtitle (self->total_row, total);
  files = space[0] != '\0' ? g_strdup_printf ("%s · %s", attachments, space) : g_strdup (attachments);
  adw_action_row_set_subtitle (self->files_row, files);
  self->filling = TRUE;
  adw_combo_row_set_selected (self->rule_row, rule);
  self->filling = FALSE;
  gtk_widget_set_visible (self->list_box, g_list_model_get_n_items (G_LIST_MODEL (self->travel)) > 0);
}

static void
fetch_clicked_cb (KtTravelPage *self)
{
  kt_travel_fetch (self->travel);
}

static void
rehearse_clicked_cb (KtTravelPage *self)
{
  gboolean rehearsing;

  g_object_get (self->travel, "rehearsing", &rehearsing, NULL);
  if (rehearsing)
    kt_travel_stop (self->travel);
  else
    kt_travel_rehearse (self->travel);
}

static void
rule_chosen_cb (KtTravelPage *self)
{
  guint selected = adw_combo_row_get_selected (self->rule_row);

  if (!self->filling && self->travel != NULL && selected != GTK_INVALID_LIST_POSITION)
    kt_travel_set_rule (self->travel, (KtTravelRule) selected);
}

static GtkWidget *
create_row_cb (gpointer item,
               gpointer user_data)
{
  KtTravelLine *line = KT_TRAVEL_LINE (item);
  GtkWidget *row = adw_action_row_new ();
  g_autofree char *label = g_markup_escape_text (kt_travel_line_get_label (line), -1);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), label);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), kt_travel_line_get_text (line));
  return row;
}

static char *
kt_travel_page_get_title (KtView *view)
{
  return g_strdup (_("Prepare for Travel"));
}

static void
kt_travel_page_view_init (KtViewInterface *iface)
{
  iface->get_title = kt_travel_page_get_title;
}

static gboolean
kt_travel_page_grab_focus (GtkWidget *widget)
{
  return gtk_widget_grab_focus (GTK_WIDGET (KT_TRAVEL_PAGE (widget)->fetch));
}

static void
kt_travel_page_dispose (GObject *object)
{
  KtTravelPage *self = KT_TRAVEL_PAGE (object);

  g_clear_object (&self->travel);
  g_clear_object (&self->workspace);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_TRAVEL_PAGE);

  G_OBJECT_CLASS (kt_travel_page_parent_class)->dispose (object);
}

static void
kt_travel_page_class_init (KtTravelPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_travel_page_dispose;
  widget_class->grab_focus = kt_travel_page_grab_focus;

  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-travel-page.ui");
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, scroller);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, icon);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, verdict);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, freshness);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, missing);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, result);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, progress);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, fetch);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, rehearse);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, total_row);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, files_row);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, rule_row);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, list);
  gtk_widget_class_bind_template_child (widget_class, KtTravelPage, list_box);
  gtk_widget_class_bind_template_callback (widget_class, fetch_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, rehearse_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, rule_chosen_cb);
}

static void
kt_travel_page_init (KtTravelPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
kt_travel_page_new (KtWorkspace *workspace)
{
  KtTravelPage *self = g_object_new (KT_TYPE_TRAVEL_PAGE, NULL);

  self->workspace = g_object_ref (workspace);
  self->travel = kt_travel_new (workspace);
  g_signal_connect_object (self->travel, "notify", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->travel, "items-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  gtk_list_box_bind_model (self->list, G_LIST_MODEL (self->travel), create_row_cb, self, NULL);
  update (self);
  return GTK_WIDGET (self);
}
