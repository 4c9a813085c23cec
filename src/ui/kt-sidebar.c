/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-sidebar.h"

#include <glib/gi18n.h>

#include "model/kt-layout.h"
#include "model/kt-sync-status.h"
#include "ui/kt-sync-row.h"
#include "ui/kt-window.h"

struct _KtSidebar
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace *workspace;
  GSignalGroup *signals;
  GHashTable  *rows;         /* page name → GtkListBoxRow, borrowed */

  /* template */
  GtkWidget   *box;
  GtkListBox  *list;
  KtSyncRow   *sync_row;

  /* state */
  guint        selecting : 1;
};

G_DEFINE_FINAL_TYPE (KtSidebar, kt_sidebar, GTK_TYPE_WIDGET)

typedef struct
{
  char     *page;          /* object name or ":review" */
  char     *group;         /* label of the group; NULL: none */
  GtkLabel *count;         /* borrowed */
} RowData;

static void
row_data_free (gpointer data)
{
  RowData *row = data;

  g_free (row->page);
  g_free (row->group);
  g_free (row);
}

static RowData *
row_data (GtkListBoxRow *row)
{
  return g_object_get_data (G_OBJECT (row), "kt-row");
}

static void
add_row (KtSidebar  *self,
         const char *page,
         const char *group,
         const char *icon,
         const char *label)
{
  GtkWidget *row = gtk_list_box_row_new ();
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  GtkWidget *image = gtk_image_new_from_icon_name (icon);
  GtkWidget *text = gtk_label_new (label);
  GtkWidget *count = gtk_label_new (NULL);
  RowData *data = g_new0 (RowData, 1);

  data->page = g_strdup (page);
  data->group = g_strdup (group);
  data->count = GTK_LABEL (count);
  g_object_set_data_full (G_OBJECT (row), "kt-row", data, row_data_free);
  gtk_label_set_xalign (GTK_LABEL (text), 0);
  gtk_label_set_ellipsize (GTK_LABEL (text), PANGO_ELLIPSIZE_END);
  gtk_widget_set_hexpand (text, TRUE);
  gtk_widget_add_css_class (count, "dim-label");
  gtk_widget_add_css_class (count, "numeric");
  gtk_widget_add_css_class (count, "caption");
  gtk_box_append (GTK_BOX (box), image);
  gtk_box_append (GTK_BOX (box), text);
  gtk_box_append (GTK_BOX (box), count);
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), box);
  gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  gtk_list_box_append (self->list, row);
  g_hash_table_insert (self->rows, g_strdup (page), row);
}

static void
set_count (KtSidebar  *self,
           const char *page,
           gint64      count)
{
  GtkListBoxRow *row = g_hash_table_lookup (self->rows, page);
  g_autofree char *text = NULL;

  if (row == NULL)
    return;
  text = count > 0 ? kt_count_text (count) : g_strdup ("");
  gtk_label_set_text (row_data (row)->count, text);
}

static void
counts_changed_cb (KtSidebar *self)
{
  GHashTableIter iter;
  gpointer key;
  KtSyncStatus *status = kt_workspace_get_sync_status (self->workspace);

  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      const KtObject *object = kt_workspace_get_object (self->workspace, key);

      if (object != NULL)
        set_count (self, key, kt_workspace_get_count (self->workspace, object));
    }
  set_count (self, ":review", kt_sync_status_get_review (status) + kt_sync_status_get_parked (status));
}

static void
rebuild (KtSidebar *self)
{
  const KtSchema *schema = kt_workspace_get_schema (self->workspace);
  g_autoptr (GPtrArray) groups = NULL;
  GtkListBoxRow *selected = gtk_list_box_get_selected_row (self->list);
  g_autofree char *page = selected != NULL ? g_strdup (row_data (selected)->page) : NULL;
  GtkWidget *child;

  g_hash_table_remove_all (self->rows);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self->list))) != NULL)
    gtk_list_box_remove (self->list, child);
  if (schema == NULL)
    return;
  add_row (self, ":review", NULL, "kt-review-symbolic", _("To decide"));
  groups = kt_layout_groups (schema, kt_workspace_get_locale (self->workspace));
  for (guint g = 0; g < groups->len; g++)
    {
      const KtGroup *group = g_ptr_array_index (groups, g);

      for (guint i = 0; i < group->n_objects; i++)
        {
          g_autofree char *icon = kt_layout_icon (group->objects[i]);

          add_row (self, group->objects[i]->name, group->label, icon,
                   kt_object_plural (group->objects[i], kt_workspace_get_locale (self->workspace)));
        }
    }
  if (page != NULL)
    kt_sidebar_select (self, page);
  counts_changed_cb (self);
}

static void
header_cb (GtkListBoxRow *row,
           GtkListBoxRow *before,
           gpointer       user_data)
{
  const char *group = row_data (row)->group;
  GtkWidget *label;

  if (group == NULL || (before != NULL && g_strcmp0 (row_data (before)->group, group) == 0))
    {
      gtk_list_box_row_set_header (row, NULL);
      return;
    }
  label = gtk_label_new (group);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_widget_add_css_class (label, "kt-group");
  gtk_widget_add_css_class (label, "heading");
  gtk_widget_add_css_class (label, "dim-label");
  gtk_list_box_row_set_header (row, label);
}

static void
row_activated_cb (KtSidebar     *self,
                  GtkListBoxRow *row)
{
  const char *page = row_data (row)->page;

  if (self->selecting)
    return;
  if (g_str_equal (page, ":review"))
    gtk_widget_activate_action (GTK_WIDGET (self), "win.review", NULL);
  else
    gtk_widget_activate_action (GTK_WIDGET (self), "win.open-list", "s", page);
}

static void
kt_sidebar_dispose (GObject *object)
{
  KtSidebar *self = KT_SIDEBAR (object);

  g_clear_object (&self->signals);
  g_clear_object (&self->workspace);
  g_clear_pointer (&self->rows, g_hash_table_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_SIDEBAR);

  G_OBJECT_CLASS (kt_sidebar_parent_class)->dispose (object);
}

static void
kt_sidebar_class_init (KtSidebarClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = kt_sidebar_dispose;

  g_type_ensure (KT_TYPE_SYNC_ROW);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-sidebar.ui");
  gtk_widget_class_bind_template_child (widget_class, KtSidebar, box);
  gtk_widget_class_bind_template_child (widget_class, KtSidebar, list);
  gtk_widget_class_bind_template_child (widget_class, KtSidebar, sync_row);
  gtk_widget_class_bind_template_callback (widget_class, row_activated_cb);
}

static void
kt_sidebar_init (KtSidebar *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->rows = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gtk_list_box_set_header_func (self->list, header_cb, NULL, NULL);
  self->signals = g_signal_group_new (KT_TYPE_WORKSPACE);
  g_signal_group_connect_swapped (self->signals, "counts-changed", G_CALLBACK (counts_changed_cb), self);
  g_signal_group_connect_swapped (self->signals, "notify::schema", G_CALLBACK (rebuild), self);
}

void
kt_sidebar_set_workspace (KtSidebar   *self,
                          KtWorkspace *workspace)
{
  if (!g_set_object (&self->workspace, workspace))
    return;
  g_signal_group_set_target (self->signals, workspace);
  kt_sync_row_set_workspace (self->sync_row, workspace);
  if (workspace == NULL)
    return;
  g_signal_connect_object (kt_workspace_get_sync_status (workspace), "notify::review", G_CALLBACK (counts_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (kt_workspace_get_sync_status (workspace), "notify::parked", G_CALLBACK (counts_changed_cb), self,
                           G_CONNECT_SWAPPED);
  rebuild (self);
}

void
kt_sidebar_select (KtSidebar  *self,
                   const char *page)
{
  GtkListBoxRow *row = g_hash_table_lookup (self->rows, page);

  self->selecting = TRUE;
  if (row != NULL)
    gtk_list_box_select_row (self->list, row);
  else
    gtk_list_box_unselect_all (self->list);
  self->selecting = FALSE;
}
