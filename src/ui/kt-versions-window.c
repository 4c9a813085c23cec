/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-versions-window.h"

#include <glib/gi18n.h>

#include "model/kt-versions.h"
#include "ui/kt-window.h"

struct _KtVersionsWindow
{
  AdwWindow parent_instance;

  /* owned */
  KtWorkspace *workspace;
  KtVersions  *versions;
  GPtrArray   *fields;       /* const KtField*, as the drop-down has them, from 1 */

  /* template */
  AdwToastOverlay *toasts;
  AdwWindowTitle  *title;
  GtkDropDown     *field_drop;
  GtkStack        *stack;
  GtkListBox      *list;
  GtkWidget       *incomplete;

  /* state */
  guint            filling : 1;
};

static AdwToastOverlay *
kt_versions_window_get_toasts (KtToplevel *toplevel)
{
  return KT_VERSIONS_WINDOW (toplevel)->toasts;
}

static void
kt_versions_window_toplevel_init (KtToplevelInterface *iface)
{
  iface->get_toasts = kt_versions_window_get_toasts;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (KtVersionsWindow, kt_versions_window, ADW_TYPE_WINDOW,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_TOPLEVEL, kt_versions_window_toplevel_init))

static void
restored_cb (GObject      *object,
             GAsyncResult *result,
             gpointer      user_data)
{
  g_autoptr (KtVersionsWindow) self = KT_VERSIONS_WINDOW (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = kt_versions_restore_finish (KT_VERSIONS (object), result, &error);

  if (self->workspace == NULL)
    return;
  if (done == NULL)
    kt_toast_error (GTK_WIDGET (self), error);
  else
    kt_toast_done (GTK_WIDGET (self), self->workspace, done);
}

static void
restore_clicked_cb (GtkButton *button,
                    gpointer   user_data)
{
  KtVersionsWindow *self = KT_VERSIONS_WINDOW (gtk_widget_get_root (GTK_WIDGET (button)));

  kt_versions_restore_async (self->versions, KT_VERSION (user_data), restored_cb, g_object_ref (self));
}

static void
show_version (KtVersion  *version,
              GParamSpec *pspec,
              AdwActionRow *row)
{
  GtkWidget *button = g_object_get_data (G_OBJECT (row), "kt-button");
  GtkWidget *mark = g_object_get_data (G_OBJECT (row), "kt-mark");
  gboolean current = kt_version_get_current (version);
  const char *fate = kt_version_get_fate (version);
  g_autofree char *value = g_markup_escape_text (kt_version_get_value (version), -1);
  g_autofree char *below = NULL;
  g_autofree char *escaped = NULL;
  g_autofree char *label = NULL;

  below = fate[0] != '\0' ? g_strdup_printf ("%s · %s · %s\n%s", kt_version_get_field_label (version), kt_version_get_who (version),
                                             kt_version_get_when (version), fate)
                          : g_strdup_printf ("%s · %s · %s", kt_version_get_field_label (version), kt_version_get_who (version),
                                             kt_version_get_when (version));
  escaped = g_markup_escape_text (below, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), value);
  adw_action_row_set_subtitle (row, escaped);
  gtk_widget_set_visible (button, !current);
  gtk_widget_set_visible (mark, current);
  /* Translators: the name of a button for a screen reader: a field and a value. */
  label = g_strdup_printf (_("Put back %s: %s"), kt_version_get_field_label (version), kt_version_get_value (version));
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
}

static GtkWidget *
create_row_cb (gpointer item,
               gpointer user_data)
{
  KtVersion *version = KT_VERSION (item);
  GtkWidget *row = adw_action_row_new ();
  GtkWidget *button = gtk_button_new_with_label (_("Put Back"));
  GtkWidget *mark = gtk_label_new (_("Stands now"));

  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (mark, "dim-label");
  gtk_widget_add_css_class (mark, "caption");
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), mark);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
  adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 4);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 4);
  g_object_set_data (G_OBJECT (row), "kt-button", button);
  g_object_set_data (G_OBJECT (row), "kt-mark", mark);
  g_signal_connect_object (button, "clicked", G_CALLBACK (restore_clicked_cb), version, 0);
  g_signal_connect_object (version, "notify", G_CALLBACK (show_version), row, 0);
  show_version (version, NULL, ADW_ACTION_ROW (row));
  return row;
}

/* Fields that have a past; the one that was asked for in any case. */
static void
fill_fields (KtVersionsWindow *self)
{
  g_autoptr (GPtrArray) fields = kt_versions_get_fields (self->versions);
  const KtField *shown = kt_versions_get_field (self->versions);
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);
  guint selected = 0;

  if (shown != NULL && !g_ptr_array_find (fields, shown, NULL))
    g_ptr_array_add (fields, (gpointer) shown);
  if (self->fields != NULL && self->fields->len == fields->len)
    {
      gboolean same = TRUE;

      for (guint i = 0; i < fields->len; i++)
        same = same && fields->pdata[i] == self->fields->pdata[i];
      if (same)
        return;
    }
  g_clear_pointer (&self->fields, g_ptr_array_unref);
  self->fields = g_ptr_array_ref (fields);
  gtk_string_list_append (names, _("All fields"));
  for (guint i = 0; i < fields->len; i++)
    {
      gtk_string_list_append (names, kt_field_label (fields->pdata[i], kt_workspace_get_locale (self->workspace)));
      if (fields->pdata[i] == shown)
        selected = i + 1;
    }
  self->filling = TRUE;
  gtk_drop_down_set_model (self->field_drop, G_LIST_MODEL (names));
  gtk_drop_down_set_selected (self->field_drop, selected);
  self->filling = FALSE;
}

static void
update (KtVersionsWindow *self)
{
  gboolean loading = FALSE;
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->versions));

  g_object_get (self->versions, "loading", &loading, NULL);
  gtk_stack_set_visible_child_name (self->stack, n > 0 ? "list" : loading ? "loading" : "empty");
  gtk_widget_set_visible (self->incomplete, !loading && !kt_versions_get_complete (self->versions));
  fill_fields (self);
}

static void
field_chosen_cb (KtVersionsWindow *self)
{
  guint selected = gtk_drop_down_get_selected (self->field_drop);

  if (self->filling || self->fields == NULL || selected == GTK_INVALID_LIST_POSITION)
    return;
  kt_versions_set_field (self->versions, selected > 0 && selected <= self->fields->len ? self->fields->pdata[selected - 1] : NULL);
  update (self);
}

static void
kt_versions_window_dispose (GObject *object)
{
  KtVersionsWindow *self = KT_VERSIONS_WINDOW (object);

  g_clear_object (&self->versions);
  g_clear_object (&self->workspace);
  g_clear_pointer (&self->fields, g_ptr_array_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_VERSIONS_WINDOW);

  G_OBJECT_CLASS (kt_versions_window_parent_class)->dispose (object);
}

static void
kt_versions_window_class_init (KtVersionsWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_versions_window_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-versions-window.ui");
  gtk_widget_class_bind_template_child (widget_class, KtVersionsWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, KtVersionsWindow, title);
  gtk_widget_class_bind_template_child (widget_class, KtVersionsWindow, field_drop);
  gtk_widget_class_bind_template_child (widget_class, KtVersionsWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, KtVersionsWindow, list);
  gtk_widget_class_bind_template_child (widget_class, KtVersionsWindow, incomplete);
  gtk_widget_class_bind_template_callback (widget_class, field_chosen_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void
kt_versions_window_init (KtVersionsWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWindow *
kt_versions_window_new (GtkWindow      *parent,
                        KtWorkspace    *workspace,
                        const KtObject *object,
                        const KtId     *id,
                        const char     *field_name)
{
  KtVersionsWindow *self = g_object_new (KT_TYPE_VERSIONS_WINDOW, "transient-for", parent, NULL);
  const KtField *field = field_name != NULL && field_name[0] != '\0' ? kt_object_field (object, field_name) : NULL;
  const char *title = kt_workspace_peek_title (workspace, object, id);

  self->workspace = g_object_ref (workspace);
  self->versions = kt_versions_new (workspace, object, id, field);
  adw_window_title_set_subtitle (self->title, title != NULL ? title : kt_object_label (object, kt_workspace_get_locale (workspace)));
  gtk_list_box_bind_model (self->list, G_LIST_MODEL (self->versions), create_row_cb, self, NULL);
  g_signal_connect_object (self->versions, "items-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->versions, "notify", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WINDOW (self);
}
