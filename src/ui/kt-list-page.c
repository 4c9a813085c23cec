/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A list of records. The widget only asks: order, filter and search are the
 * model's, which asks the database. A selection is kept by the keys of the records, because the
 * slots of the model are positions whose content moves.                 */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-list-page.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "model/kt-import-job.h"
#include "model/kt-layout.h"
#include "model/kt-list-model.h"
#include "ui/kt-import-assistant.h"
#include "ui/kt-list-columns.h"
#include "ui/kt-window.h"

struct _KtListPage
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace       *workspace;
  KtListModel       *model;
  GtkMultiSelection *selection;
  GSettings         *settings;
  GHashTable        *selected;        /* keys (gint64) of the selected records */
  GCancellable      *cancellable;
  GSimpleActionGroup *actions;        /* "list": of the page, and of its widgets in the header bar */

  /* borrowed */
  const KtObject    *object;

  /* template */
  GtkWidget      *header_start, *header_end;
  GtkWidget      *box;
  GtkSearchEntry *filter;
  GtkStack       *stack;
  GtkScrolledWindow *scroller;
  GtkColumnView  *view;
  AdwStatusPage  *empty_page, *error_page;
  GtkButton      *empty_new, *empty_import;
  GtkRevealer    *bulk_bar;
  GtkLabel       *bulk_label;
  GtkWidget      *bulk_delete, *bulk_restore;
  GtkPopoverMenu *context_menu;

  /* state */
  guint           bin : 1;
  guint           following : 1;      /* the selection is being moved by us */
};

static void kt_list_page_view_init (KtViewInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtListPage, kt_list_page, GTK_TYPE_WIDGET,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_VIEW, kt_list_page_view_init))

/* ---- what is shown ---- */

static const char *
plural (KtListPage *self)
{
  return kt_object_plural (self->object, kt_workspace_get_locale (self->workspace));
}

static gboolean
is_filtered (KtListPage *self)
{
  return gtk_editable_get_text (GTK_EDITABLE (self->filter))[0] != '\0';
}

static void
set_enabled (KtListPage *self,
             const char *name,
             gboolean    enabled)
{
  g_simple_action_set_enabled (G_SIMPLE_ACTION (g_action_map_lookup_action (G_ACTION_MAP (self->actions), name)), enabled);
}

static void
update_actions (KtListPage *self)
{
  guint n = g_hash_table_size (self->selected);
  gboolean may_create = !self->bin && kt_workspace_may_create (self->workspace, self->object, NULL);
  g_autofree char *text = g_strdup_printf (ngettext ("%u selected", "%u selected", n), n);

  set_enabled (self, "new", may_create);
  set_enabled (self, "import", may_create);
  set_enabled (self, "open", n == 1);
  set_enabled (self, "open-window", n >= 1 && n <= 10);
  set_enabled (self, "delete", n > 0 && !self->bin);
  set_enabled (self, "restore", n > 0 && self->bin);
  gtk_label_set_text (self->bulk_label, text);
  gtk_revealer_set_reveal_child (self->bulk_bar, n > 1 || (self->bin && n > 0));
}

static void
show_empty (KtListPage *self)
{
  g_autofree char *title = NULL;

  if (is_filtered (self))
    {
      adw_status_page_set_icon_name (self->empty_page, "system-search-symbolic");
      adw_status_page_set_title (self->empty_page, _("Nothing Matches"));
      adw_status_page_set_description (self->empty_page, _("Try fewer or other words in the filter."));
    }
  else if (self->bin)
    {
      adw_status_page_set_icon_name (self->empty_page, "kt-bin-symbolic");
      adw_status_page_set_title (self->empty_page, _("The Bin Is Empty"));
      adw_status_page_set_description (self->empty_page, _("What you delete can be taken back from here."));
    }
  else
    {
      g_autofree char *icon = kt_layout_icon (self->object);

      /* Translators: %s is a kind of record in the plural: "No Accounts Yet" */
      title = g_strdup_printf (_("No %s Yet"), plural (self));
      adw_status_page_set_icon_name (self->empty_page, icon);
      adw_status_page_set_title (self->empty_page, title);
      adw_status_page_set_description (self->empty_page, _("Make the first one, or bring in a table from a file: a CSV file can also be dropped here."));
    }
  gtk_widget_set_visible (GTK_WIDGET (self->empty_new), !self->bin && !is_filtered (self));
  gtk_widget_set_visible (GTK_WIDGET (self->empty_import), !self->bin && !is_filtered (self));
}

static void
update_stack (KtListPage *self)
{
  const GError *error = kt_list_model_get_error (self->model);
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));

  if (error != NULL)
    {
      g_autofree char *text = g_markup_escape_text (error->message, -1);

      adw_status_page_set_description (self->error_page, text);
      gtk_stack_set_visible_child_name (self->stack, "error");
    }
  else if (n > 0)
    gtk_stack_set_visible_child_name (self->stack, "list");
  else if (!kt_list_model_get_loading (self->model))
    {
      show_empty (self);
      gtk_stack_set_visible_child_name (self->stack, "empty");
    }
  kt_view_changed (KT_VIEW (self));
}

/* ---- selection ---- */

static void
selection_changed_cb (KtListPage *self)
{
  g_autoptr (GtkBitset) bits = NULL;
  GtkBitsetIter iter;
  guint position, n;
  const gint64 *keys;

  if (self->following)
    return;
  g_hash_table_remove_all (self->selected);
  bits = gtk_selection_model_get_selection (GTK_SELECTION_MODEL (self->selection));
  keys = kt_list_model_get_keys (self->model, &n);
  for (gboolean more = gtk_bitset_iter_init_first (&iter, bits, &position); more && position < n;
       more = gtk_bitset_iter_next (&iter, &position))
    g_hash_table_add (self->selected, g_memdup2 (&keys[position], sizeof (gint64)));
  update_actions (self);
}

/* A new order stands: the selected records are elsewhere now, or gone. */
static void
refreshed_cb (KtListPage *self)
{
  g_autoptr (GtkBitset) now = NULL;
  g_autoptr (GtkBitset) before = NULL;
  g_autoptr (GtkBitset) mask = NULL;
  GHashTableIter iter;
  gpointer key;
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));

  if (g_hash_table_size (self->selected) > 0)
    {
      now = gtk_bitset_new_empty ();
      g_hash_table_iter_init (&iter, self->selected);
      while (g_hash_table_iter_next (&iter, &key, NULL))
        {
          guint position = kt_list_model_find_key (self->model, *(gint64 *) key);

          if (position < n)
            gtk_bitset_add (now, position);
          else
            g_hash_table_iter_remove (&iter);
        }
      before = gtk_selection_model_get_selection (GTK_SELECTION_MODEL (self->selection));
      mask = gtk_bitset_copy (before);
      gtk_bitset_union (mask, now);
      self->following = TRUE;
      gtk_selection_model_set_selection (GTK_SELECTION_MODEL (self->selection), now, mask);
      self->following = FALSE;
    }
  update_actions (self);
  update_stack (self);
}

static guint *
selected_positions (KtListPage *self,
                    guint      *n)
{
  g_autoptr (GtkBitset) bits = gtk_selection_model_get_selection (GTK_SELECTION_MODEL (self->selection));
  guint *positions;

  *n = (guint) gtk_bitset_get_size (bits);
  positions = g_new (guint, MAX (*n, 1));
  for (guint i = 0; i < *n; i++)
    positions[i] = gtk_bitset_get_nth (bits, i);
  return positions;
}

/* ---- commands ---- */

typedef void (*BulkCommand) (KtWorkspace *workspace, const KtObject *object, const KtId *ids, guint n, GAsyncReadyCallback callback, gpointer user_data);

typedef struct
{
  KtListPage *self;
  BulkCommand command;
} Bulk;

static void
bulk_done_cb (GObject      *object,
              GAsyncResult *result,
              gpointer      user_data)
{
  g_autoptr (KtListPage) self = KT_LIST_PAGE (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = kt_workspace_done_finish (KT_WORKSPACE (object), result, &error);

  if (done == NULL)
    kt_toast_error (GTK_WIDGET (self), error);
  else
    kt_toast_done (GTK_WIDGET (self), self->workspace, done);
}

static void
bulk_ids_cb (GObject      *object,
             GAsyncResult *result,
             gpointer      user_data)
{
  g_autofree Bulk *bulk = user_data;
  g_autoptr (KtListPage) self = bulk->self;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) ids = kt_list_model_ids_finish (KT_LIST_MODEL (object), result, &error);

  if (ids == NULL)
    kt_toast_error (GTK_WIDGET (self), error);
  else if (ids->len > 0)
    bulk->command (self->workspace, self->object, (const KtId *) ids->data, ids->len, bulk_done_cb, g_object_ref (self));
}

static void
run_bulk (KtListPage  *self,
          BulkCommand  command)
{
  guint n;
  g_autofree guint *positions = selected_positions (self, &n);
  Bulk *bulk;

  if (n == 0)
    return;
  bulk = g_new0 (Bulk, 1);
  bulk->self = g_object_ref (self);
  bulk->command = command;
  kt_list_model_ids_async (self->model, positions, n, self->cancellable, bulk_ids_cb, bulk);
}

static void
delete_activated_cb (GSimpleAction *action,
                     GVariant      *parameter,
                     gpointer       user_data)
{
  run_bulk (KT_LIST_PAGE (user_data), kt_workspace_delete_async);
}

static void
restore_activated_cb (GSimpleAction *action,
                      GVariant      *parameter,
                      gpointer       user_data)
{
  run_bulk (KT_LIST_PAGE (user_data), kt_workspace_restore_async);
}

static void
new_activated_cb (GSimpleAction *action,
                  GVariant      *parameter,
                  gpointer       user_data)
{
  KtListPage *self = KT_LIST_PAGE (user_data);

  kt_navigate_new (GTK_WIDGET (self), self->object);
}

static void
open_row (KtListPage *self,
          KtRow      *row,
          gboolean    in_window)
{
  KtRecord *record = row != NULL ? kt_row_get_record (row) : NULL;
  KtId id;

  if (record == NULL)
    return;
  id = record->id;
  if (in_window)
    kt_navigate_record_window (GTK_WIDGET (self), self->object, &id);
  else
    kt_navigate_record (GTK_WIDGET (self), self->object, &id);
}

static void
open_activated_cb (GSimpleAction *action,
                   GVariant      *parameter,
                   gpointer       user_data)
{
  KtListPage *self = KT_LIST_PAGE (user_data);
  gboolean in_window = g_str_equal (g_action_get_name (G_ACTION (action)), "open-window");
  guint n;
  g_autofree guint *positions = selected_positions (self, &n);

  for (guint i = 0; i < MIN (n, 10); i++)
    {
      g_autoptr (KtRow) row = g_list_model_get_item (G_LIST_MODEL (self->model), positions[i]);

      open_row (self, row, in_window);
    }
}

static void
activate_cb (KtListPage *self,
             guint       position)
{
  g_autoptr (KtRow) row = g_list_model_get_item (G_LIST_MODEL (self->model), position);

  open_row (self, row, FALSE);
}

static void
bin_activated_cb (GSimpleAction *action,
                  GVariant      *parameter,
                  gpointer       user_data)
{
  KtListPage *self = KT_LIST_PAGE (user_data);

  gtk_widget_activate_action (GTK_WIDGET (self), "win.open-bin", "s", self->object->name);
}

/* ---- files ---- */

static void
start_import (KtListPage *self,
              const char *path)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));

  if (GTK_IS_WINDOW (root))
    gtk_window_present (kt_import_assistant_new (GTK_WINDOW (root), self->workspace, self->object, path));
}

static void
import_activated_cb (GSimpleAction *action,
                     GVariant      *parameter,
                     gpointer       user_data)
{
  start_import (KT_LIST_PAGE (user_data), NULL);
}

static gboolean
drop_cb (KtListPage   *self,
         const GValue *value)
{
  GSList *files = g_value_get_boxed (value);
  g_autofree char *path = NULL;

  if (self->bin || files == NULL || !kt_workspace_may_create (self->workspace, self->object, NULL))
    return FALSE;
  path = g_file_get_path (files->data);
  if (path == NULL)
    {
      kt_toast_text (GTK_WIDGET (self), _("Only files on this computer can be imported."));
      return FALSE;
    }
  if (files->next != NULL)
    kt_toast_text (GTK_WIDGET (self), _("One file at a time: the first one was taken."));
  start_import (self, path);
  return TRUE;
}

static void
exported_cb (GObject      *object,
             GAsyncResult *result,
             gpointer      user_data)
{
  g_autoptr (KtListPage) self = KT_LIST_PAGE (user_data);
  g_autoptr (GError) error = NULL;
  guint64 rows = 0;
  g_autofree char *text = NULL;

  if (!kt_export_finish (result, &rows, &error))
    {
      kt_toast_error (GTK_WIDGET (self), error);
      return;
    }
  text = g_strdup_printf (ngettext ("%d record exported", "%d records exported", (gulong) rows), (int) rows);
  kt_toast_text (GTK_WIDGET (self), text);
}

static void
export_chosen_cb (GtkNativeDialog *dialog,
                  int              response,
                  KtListPage      *self)
{
  if (response == GTK_RESPONSE_ACCEPT)
    {
      g_autoptr (GFile) file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));
      g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;

      if (path != NULL)
        {
          g_autoptr (KtQuery) query = kt_query_copy (kt_list_model_get_query (self->model));

          if (is_filtered (self))
            {
              g_free (query->search);
              query->search = g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->filter)));
            }
          kt_export_async (self->workspace, query, path, self->cancellable, exported_cb, g_object_ref (self));
        }
    }
  gtk_native_dialog_destroy (dialog);
  g_object_unref (dialog);
}

static void
export_activated_cb (GSimpleAction *action,
                     GVariant      *parameter,
                     gpointer       user_data)
{
  KtListPage *self = KT_LIST_PAGE (user_data);
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  g_autofree char *file_name = g_strdup_printf ("%s.csv", plural (self));
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (_("Export"), GTK_WINDOW (root), GTK_FILE_CHOOSER_ACTION_SAVE,
                                                              _("_Export"), _("_Cancel"));

  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), file_name);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect_object (dialog, "response", G_CALLBACK (export_chosen_cb), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

/* ---- order and filter ---- */

static void
sort_changed_cb (KtListPage *self)
{
  const KtField *field = NULL;
  gboolean descending = FALSE;
  g_autoptr (GVariant) old = NULL;
  GVariantBuilder builder;
  GVariantIter iter;
  const char *key, *value;

  /* The columns go away with the page: that is no order. */
  if (self->view == NULL)
    return;
  old = g_settings_get_value (self->settings, "sort");
  if (!kt_list_columns_get_sort (self->view, &field, &descending))
    {
      kt_list_model_set_sort (self->model, NULL, FALSE);
      return;
    }
  kt_list_model_set_sort (self->model, field, descending);
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{ss}"));
  g_variant_iter_init (&iter, old);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value))
    if (!g_str_equal (key, self->object->name))
      g_variant_builder_add (&builder, "{ss}", key, value);
  {
    g_autofree char *text = g_strconcat (descending ? "-" : "", field->name, NULL);

    g_variant_builder_add (&builder, "{ss}", self->object->name, text);
  }
  g_settings_set_value (self->settings, "sort", g_variant_builder_end (&builder));
}

static void
filter_changed_cb (KtListPage *self)
{
  kt_list_model_set_search (self->model, gtk_editable_get_text (GTK_EDITABLE (self->filter)));
}

static void
filter_activated_cb (KtListPage *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->view));
}

static void
filter_stopped_cb (KtListPage *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->filter), "");
  gtk_widget_grab_focus (GTK_WIDGET (self->view));
}

/* ---- pointer ---- */

static void
pressed_cb (KtListPage      *self,
            int              n_press,
            double           x,
            double           y,
            GtkGestureClick *gesture)
{
  guint button = gtk_gesture_single_get_current_button (GTK_GESTURE_SINGLE (gesture));
  GtkWidget *picked = gtk_widget_pick (GTK_WIDGET (self->view), x, y, GTK_PICK_DEFAULT);
  KtRow *row = picked != NULL ? kt_list_columns_row_of (picked) : NULL;
  double page_x, page_y;

  if (row == NULL)
    return;
  if (button == GDK_BUTTON_MIDDLE)
    {
      gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
      open_row (self, row, TRUE);
    }
  else if (button == GDK_BUTTON_SECONDARY)
    {
      guint position = kt_row_get_position (row);

      gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
      if (!gtk_selection_model_is_selected (GTK_SELECTION_MODEL (self->selection), position))
        gtk_selection_model_select_item (GTK_SELECTION_MODEL (self->selection), position, TRUE);
      gtk_widget_translate_coordinates (GTK_WIDGET (self->view), GTK_WIDGET (self), x, y, &page_x, &page_y);
      gtk_popover_set_pointing_to (GTK_POPOVER (self->context_menu), &(GdkRectangle) { (int) page_x, (int) page_y, 1, 1 });
      gtk_popover_popup (GTK_POPOVER (self->context_menu));
    }
}

/* ---- KtView ---- */

static char *
kt_list_page_get_title (KtView *view)
{
  KtListPage *self = KT_LIST_PAGE (view);

  if (self->bin)
    /* Translators: %s is a kind of record in the plural: "Bin: Accounts" */
    return g_strdup_printf (_("Bin: %s"), plural (self));
  return g_strdup (plural (self));
}

static char *
kt_list_page_get_subtitle (KtView *view)
{
  guint total = kt_list_model_get_total (KT_LIST_PAGE (view)->model);
  g_autofree char *count = kt_count_text (total);

  /* Translators: %s is a number */
  return g_strdup_printf (ngettext ("%s record", "%s records", total), count);
}

static GtkWidget *
kt_list_page_get_header_start (KtView *view)
{
  return KT_LIST_PAGE (view)->header_start;
}

static GtkWidget *
kt_list_page_get_header_end (KtView *view)
{
  return KT_LIST_PAGE (view)->header_end;
}

static void
kt_list_page_make_new (KtView *view)
{
  g_action_group_activate_action (G_ACTION_GROUP (KT_LIST_PAGE (view)->actions), "new", NULL);
}

static void
kt_list_page_focus_filter (KtView *view)
{
  KtListPage *self = KT_LIST_PAGE (view);

  gtk_widget_grab_focus (GTK_WIDGET (self->filter));
  gtk_editable_select_region (GTK_EDITABLE (self->filter), 0, -1);
}

static void
kt_list_page_view_init (KtViewInterface *iface)
{
  iface->get_title = kt_list_page_get_title;
  iface->get_subtitle = kt_list_page_get_subtitle;
  iface->get_header_start = kt_list_page_get_header_start;
  iface->get_header_end = kt_list_page_get_header_end;
  iface->make_new = kt_list_page_make_new;
  iface->focus_filter = kt_list_page_focus_filter;
}

/* ---- overrides ---- */

static void
kt_list_page_size_allocate (GtkWidget *widget,
                            int        width,
                            int        height,
                            int        baseline)
{
  KtListPage *self = KT_LIST_PAGE (widget);

  gtk_widget_allocate (self->box, width, height, baseline, NULL);
  gtk_popover_present (GTK_POPOVER (self->context_menu));
}

static void
kt_list_page_measure (GtkWidget      *widget,
                      GtkOrientation  orientation,
                      int             for_size,
                      int            *minimum,
                      int            *natural,
                      int            *minimum_baseline,
                      int            *natural_baseline)
{
  gtk_widget_measure (KT_LIST_PAGE (widget)->box, orientation, for_size, minimum, natural, minimum_baseline, natural_baseline);
}

static gboolean
kt_list_page_grab_focus (GtkWidget *widget)
{
  return gtk_widget_grab_focus (GTK_WIDGET (KT_LIST_PAGE (widget)->view));
}

static void
kt_list_page_dispose (GObject *object)
{
  KtListPage *self = KT_LIST_PAGE (object);

  g_cancellable_cancel (self->cancellable);
  if (self->view != NULL)
    {
      /* Columns that go take their sorter along, which is not the person's wish for another order. */
      g_signal_handlers_disconnect_by_data (gtk_column_view_get_sorter (self->view), self);
      gtk_column_view_set_model (self->view, NULL);
    }
  g_clear_object (&self->selection);
  g_clear_object (&self->model);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->settings);
  g_clear_object (&self->actions);
  g_clear_pointer (&self->selected, g_hash_table_unref);
  self->view = NULL;
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_LIST_PAGE);
  g_clear_object (&self->workspace);

  G_OBJECT_CLASS (kt_list_page_parent_class)->dispose (object);
}

static void
kt_list_page_class_init (KtListPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_list_page_dispose;
  widget_class->size_allocate = kt_list_page_size_allocate;
  widget_class->measure = kt_list_page_measure;
  widget_class->grab_focus = kt_list_page_grab_focus;

  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-list-page.ui");
  gtk_widget_class_bind_template_child (widget_class, KtListPage, box);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, filter);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, stack);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, scroller);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, view);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, empty_page);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, error_page);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, empty_new);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, empty_import);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, bulk_bar);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, bulk_label);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, bulk_delete);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, bulk_restore);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, context_menu);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, header_start);
  gtk_widget_class_bind_template_child (widget_class, KtListPage, header_end);
  gtk_widget_class_bind_template_callback (widget_class, activate_cb);
  gtk_widget_class_bind_template_callback (widget_class, filter_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, filter_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, filter_stopped_cb);
  gtk_widget_class_bind_template_callback (widget_class, pressed_cb);

}

static const GActionEntry list_actions[] = {
  { "new", new_activated_cb, NULL, NULL, NULL, { 0 } },
  { "open", open_activated_cb, NULL, NULL, NULL, { 0 } },
  { "open-window", open_activated_cb, NULL, NULL, NULL, { 0 } },
  { "delete", delete_activated_cb, NULL, NULL, NULL, { 0 } },
  { "restore", restore_activated_cb, NULL, NULL, NULL, { 0 } },
  { "import", import_activated_cb, NULL, NULL, NULL, { 0 } },
  { "export", export_activated_cb, NULL, NULL, NULL, { 0 } },
  { "bin", bin_activated_cb, NULL, NULL, NULL, { 0 } },
};

static void
add_view_shortcut (KtListPage *self,
                   const char *trigger,
                   const char *action)
{
  GtkEventController *controller = gtk_shortcut_controller_new ();

  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (controller),
                                        gtk_shortcut_new (gtk_shortcut_trigger_parse_string (trigger), gtk_named_action_new (action)));
  gtk_event_controller_set_propagation_phase (controller, GTK_PHASE_CAPTURE);
  gtk_widget_add_controller (GTK_WIDGET (self->view), controller);
}

static void
kt_list_page_init (KtListPage *self)
{
  GtkDropTarget *drop = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);

  self->cancellable = g_cancellable_new ();
  self->settings = g_settings_new (KT_APP_ID);
  self->selected = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  self->actions = g_simple_action_group_new ();
  g_action_map_add_action_entries (G_ACTION_MAP (self->actions), list_actions, G_N_ELEMENTS (list_actions), self);
  gtk_widget_insert_action_group (GTK_WIDGET (self), "list", G_ACTION_GROUP (self->actions));
  gtk_widget_init_template (GTK_WIDGET (self));
  /* These two stand in the header bar of whoever shows the page, where the page's actions would not be found. */
  gtk_widget_insert_action_group (self->header_start, "list", G_ACTION_GROUP (self->actions));
  gtk_widget_insert_action_group (self->header_end, "list", G_ACTION_GROUP (self->actions));
  gtk_widget_set_parent (GTK_WIDGET (self->context_menu), GTK_WIDGET (self));
  g_signal_connect_object (drop, "drop", G_CALLBACK (drop_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drop));
  add_view_shortcut (self, "Delete", "list.delete");
  add_view_shortcut (self, "<Control>Return", "list.open-window");
}

GtkWidget *
kt_list_page_new (KtWorkspace    *workspace,
                  const KtObject *object,
                  gboolean        bin)
{
  KtListPage *self = g_object_new (KT_TYPE_LIST_PAGE, NULL);
  g_autoptr (KtQuery) query = kt_layout_query (object, bin);
  g_autoptr (GVariant) sorts = g_settings_get_value (self->settings, "sort");
  const char *sort_name = NULL;
  const KtField *sort = NULL;
  gboolean descending = FALSE;

  self->workspace = g_object_ref (workspace);
  self->object = object;
  self->bin = bin;
  gtk_widget_set_visible (self->header_start, !bin);
  gtk_widget_set_visible (self->bulk_delete, !bin);
  gtk_widget_set_visible (self->bulk_restore, bin);
  if (g_variant_lookup (sorts, object->name, "&s", &sort_name))
    {
      descending = sort_name[0] == '-';
      sort = kt_object_field (object, sort_name + (descending ? 1 : 0));
    }
  if (sort != NULL && kt_layout_sortable (sort))
    {
      g_array_set_size (query->sort, 0);
      kt_query_add_sort (query, sort, descending);
    }
  else if (query->sort->len > 0)
    {
      sort = g_array_index (query->sort, KtSort, 0).field;
      descending = g_array_index (query->sort, KtSort, 0).descending;
    }
  self->model = kt_list_model_new (workspace);
  kt_list_columns_build (self->view, workspace, object, self->settings, sort, descending);
  g_signal_connect_object (self->model, "refreshed", G_CALLBACK (refreshed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->model, "items-changed", G_CALLBACK (update_stack), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->model, "notify::loading", G_CALLBACK (update_stack), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->model, "notify::total", G_CALLBACK (update_stack), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->model, "notify::error", G_CALLBACK (update_stack), self, G_CONNECT_SWAPPED);
  kt_list_model_set_query (self->model, query);
  self->selection = gtk_multi_selection_new (g_object_ref (G_LIST_MODEL (self->model)));
  g_signal_connect_object (self->selection, "selection-changed", G_CALLBACK (selection_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_column_view_set_model (self->view, GTK_SELECTION_MODEL (self->selection));
  g_signal_connect_object (gtk_column_view_get_sorter (self->view), "changed", G_CALLBACK (sort_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL, plural (self), -1);
  update_actions (self);
  return GTK_WIDGET (self);
}

const KtObject *
kt_list_page_get_object (KtListPage *self)
{
  return self->object;
}
