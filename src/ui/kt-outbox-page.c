/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-outbox-page.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "ui/kt-window.h"

struct _KtOutboxPage
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace   *workspace;
  KtOutboxModel *model;
  GtkWidget     *header_end;

  /* template */
  GtkStack   *stack;
  GtkListBox *list;
  GtkLabel   *more;
};

static void kt_outbox_page_view_init (KtViewInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtOutboxPage, kt_outbox_page, GTK_TYPE_WIDGET,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_VIEW, kt_outbox_page_view_init))

static void
update (KtOutboxPage *self)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));
  guint more = 0;
  g_autofree char *text = NULL;

  g_object_get (self->model, "n-more", &more, NULL);
  gtk_stack_set_visible_child_name (self->stack, n > 0 ? "list" : "empty");
  text = g_strdup_printf (ngettext ("and %u more", "and %u more", more), more);
  gtk_label_set_text (self->more, text);
  gtk_widget_set_visible (GTK_WIDGET (self->more), more > 0);
  gtk_widget_set_sensitive (self->header_end, n > 0);
  kt_view_changed (KT_VIEW (self));
}

static GtkWidget *
create_row_cb (gpointer item,
               gpointer user_data)
{
  KtOutboxPage *self = user_data;

  return kt_outbox_row_new (self->model, KT_OUTBOX_ITEM (item), kt_workspace_get_locale (self->workspace));
}

/* Entries of one record stand under its name. */
static void
header_cb (GtkListBoxRow *row,
           GtkListBoxRow *before,
           gpointer       user_data)
{
  KtOutboxItem *item = kt_outbox_row_get_item (GTK_WIDGET (row));
  KtOutboxItem *last = before != NULL ? kt_outbox_row_get_item (GTK_WIDGET (before)) : NULL;
  const char *title = kt_outbox_item_get_record_title (item);
  GtkWidget *label;

  if (title[0] == '\0' || (last != NULL && kt_id_equal (kt_outbox_item_get_id (item), kt_outbox_item_get_id (last))))
    {
      gtk_list_box_row_set_header (row, NULL);
      return;
    }
  label = gtk_label_new (title);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_widget_add_css_class (label, "kt-outbox-record");
  gtk_widget_add_css_class (label, "heading");
  gtk_list_box_row_set_header (row, label);
}

static void
row_activated_cb (KtOutboxPage  *self,
                  GtkListBoxRow *row)
{
  kt_outbox_row_activate (GTK_WIDGET (row));
}

/* ---- into a file ---- */

static void
exported_cb (GObject      *object,
             GAsyncResult *result,
             gpointer      user_data)
{
  g_autoptr (KtOutboxPage) self = KT_OUTBOX_PAGE (user_data);
  g_autoptr (GError) error = NULL;

  if (!kt_outbox_model_finish (KT_OUTBOX_MODEL (object), result, &error))
    kt_toast_error (GTK_WIDGET (self), error);
  else
    kt_toast_text (GTK_WIDGET (self), _("The outbox is saved. It is still here, too."));
}

static void
export_chosen_cb (GtkNativeDialog *dialog,
                  int              response,
                  KtOutboxPage    *self)
{
  if (response == GTK_RESPONSE_ACCEPT && self->model != NULL)
    {
      g_autoptr (GFile) file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));
      g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;

      if (path != NULL)
        kt_outbox_model_export_async (self->model, path, exported_cb, g_object_ref (self));
    }
  gtk_native_dialog_destroy (dialog);
  g_object_unref (dialog);
}

static void
export_clicked_cb (KtOutboxPage *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (_("Save the Outbox"), GTK_WINDOW (root), GTK_FILE_CHOOSER_ACTION_SAVE,
                                                              _("_Save"), _("_Cancel"));

  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), "kontor-outbox.jsonl");
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect_object (dialog, "response", G_CALLBACK (export_chosen_cb), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

/* ---- KtView ---- */

static char *
kt_outbox_page_get_title (KtView *view)
{
  return g_strdup (_("Outbox"));
}

static char *
kt_outbox_page_get_subtitle (KtView *view)
{
  KtOutboxPage *self = KT_OUTBOX_PAGE (view);
  guint more = 0;
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));

  g_object_get (self->model, "n-more", &more, NULL);
  n += more;
  if (n == 0)
    return NULL;
  return g_strdup_printf (ngettext ("%u change not on the server yet", "%u changes not on the server yet", n), n);
}

static GtkWidget *
kt_outbox_page_get_header_end (KtView *view)
{
  return KT_OUTBOX_PAGE (view)->header_end;
}

static void
kt_outbox_page_view_init (KtViewInterface *iface)
{
  iface->get_title = kt_outbox_page_get_title;
  iface->get_subtitle = kt_outbox_page_get_subtitle;
  iface->get_header_end = kt_outbox_page_get_header_end;
}

static gboolean
kt_outbox_page_grab_focus (GtkWidget *widget)
{
  KtOutboxPage *self = KT_OUTBOX_PAGE (widget);
  GtkListBoxRow *row = gtk_list_box_get_row_at_index (self->list, 0);

  return row != NULL && gtk_widget_grab_focus (GTK_WIDGET (row));
}

static void
kt_outbox_page_dispose (GObject *object)
{
  KtOutboxPage *self = KT_OUTBOX_PAGE (object);

  g_clear_object (&self->model);
  g_clear_object (&self->workspace);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_OUTBOX_PAGE);

  G_OBJECT_CLASS (kt_outbox_page_parent_class)->dispose (object);
}

static void
kt_outbox_page_class_init (KtOutboxPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_outbox_page_dispose;
  widget_class->grab_focus = kt_outbox_page_grab_focus;

  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-outbox-page.ui");
  gtk_widget_class_bind_template_child (widget_class, KtOutboxPage, header_end);
  gtk_widget_class_bind_template_child (widget_class, KtOutboxPage, stack);
  gtk_widget_class_bind_template_child (widget_class, KtOutboxPage, list);
  gtk_widget_class_bind_template_child (widget_class, KtOutboxPage, more);
  gtk_widget_class_bind_template_callback (widget_class, row_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, export_clicked_cb);
}

static void
kt_outbox_page_init (KtOutboxPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  gtk_list_box_set_header_func (self->list, header_cb, NULL, NULL);
}

GtkWidget *
kt_outbox_page_new (KtWorkspace *workspace)
{
  KtOutboxPage *self = g_object_new (KT_TYPE_OUTBOX_PAGE, NULL);

  self->workspace = g_object_ref (workspace);
  self->model = kt_outbox_model_new (workspace);
  g_signal_connect_object (self->model, "items-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->model, "notify", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  gtk_list_box_bind_model (self->list, G_LIST_MODEL (self->model), create_row_cb, self, NULL);
  update (self);
  return GTK_WIDGET (self);
}
