/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One entry of the outbox and what may be done with it. Keys on the row: Delete takes
 * back or gives up, F2 puts right, R tries again, Enter opens the record.      */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-outbox-page.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "ui/kt-window.h"

typedef void (*OutboxCommand) (KtOutboxModel *model, KtOutboxItem *item, GAsyncReadyCallback callback, gpointer user_data);

typedef struct
{
  KtOutboxModel *model;
  KtOutboxItem  *item;
} Entry;

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_object_unref (entry->model);
  g_object_unref (entry->item);
  g_free (entry);
}

static Entry *
entry_of (GtkWidget *row)
{
  return g_object_get_data (G_OBJECT (row), "kt-entry");
}

static void
done_cb (GObject      *object,
         GAsyncResult *result,
         gpointer      user_data)
{
  g_autoptr (GtkWidget) row = user_data;
  g_autoptr (GError) error = NULL;

  if (!kt_outbox_model_finish (KT_OUTBOX_MODEL (object), result, &error))
    kt_toast_error (row, error);
}

static void
discarded_cb (GObject      *object,
              GAsyncResult *result,
              gpointer      user_data)
{
  g_autoptr (GtkWidget) toplevel = user_data;
  g_autoptr (GError) error = NULL;

  if (!kt_outbox_model_finish (KT_OUTBOX_MODEL (object), result, &error))
    kt_toast_error (toplevel, error);
  else
    kt_toast_text (toplevel, _("Given up. It is kept among the versions of the record."));
}

static void
run (GtkWidget     *row,
     OutboxCommand  command)
{
  Entry *entry = entry_of (row);

  /* The row is gone when the answer comes; the window is not. */
  if (command == kt_outbox_model_discard_async)
    command (entry->model, entry->item, discarded_cb, g_object_ref (gtk_widget_get_root (row)));
  else
    command (entry->model, entry->item, done_cb, g_object_ref (gtk_widget_get_root (row)));
}

/* ---- putting right ---- */

static void
amended_cb (GObject      *object,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autoptr (GtkWindow) dialog = user_data;
  g_autoptr (GError) error = NULL;
  GtkLabel *problem = g_object_get_data (G_OBJECT (dialog), "kt-problem");

  if (kt_outbox_model_finish (KT_OUTBOX_MODEL (object), result, &error))
    {
      gtk_window_destroy (dialog);
      return;
    }
  gtk_label_set_text (problem, error->message);
  gtk_widget_set_visible (GTK_WIDGET (problem), TRUE);
}

static void
again_clicked_cb (GtkWindow *dialog)
{
  Entry *entry = entry_of (GTK_WIDGET (dialog));
  GPtrArray *rows = g_object_get_data (G_OBJECT (dialog), "kt-rows");
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();

  for (guint i = 0; i < rows->len; i++)
    g_ptr_array_add (texts, (gpointer) gtk_editable_get_text (GTK_EDITABLE (rows->pdata[i])));
  g_ptr_array_add (texts, NULL);
  kt_outbox_model_amend_async (entry->model, entry->item, (const char *const *) texts->pdata, amended_cb, g_object_ref (dialog));
}

static gboolean
escape_cb (GtkWidget *widget,
           GVariant  *args,
           gpointer   user_data)
{
  gtk_window_close (GTK_WINDOW (widget));
  return TRUE;
}

static void
edit (GtkWidget *row)
{
  Entry *entry = entry_of (row);
  GPtrArray *values = kt_outbox_item_get_values (entry->item);
  GtkWidget *dialog = g_object_new (ADW_TYPE_WINDOW, "modal", TRUE, "transient-for", gtk_widget_get_root (row), "default-width", 460, NULL);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkWidget *header = adw_header_bar_new ();
  GtkWidget *cancel = gtk_button_new_with_mnemonic (_("_Cancel"));
  GtkWidget *again = gtk_button_new_with_mnemonic (_("_Try Again"));
  GtkWidget *group = adw_preferences_group_new ();
  GtkWidget *problem = gtk_label_new (NULL);
  GtkEventController *keys = gtk_shortcut_controller_new ();
  GPtrArray *rows = g_ptr_array_new ();
  Entry *own = g_new0 (Entry, 1);
  g_autofree char *reason = g_markup_escape_text (kt_outbox_item_get_reason (entry->item) != NULL ? kt_outbox_item_get_reason (entry->item) : "", -1);
  g_autofree char *title = g_markup_escape_text (kt_outbox_item_get_record_title (entry->item), -1);
  const char *locale = g_object_get_data (G_OBJECT (row), "kt-locale");

  own->model = g_object_ref (entry->model);
  own->item = g_object_ref (entry->item);
  g_object_set_data_full (G_OBJECT (dialog), "kt-entry", own, entry_free);
  g_object_set_data_full (G_OBJECT (dialog), "kt-rows", rows, (GDestroyNotify) g_ptr_array_unref);
  g_object_set_data (G_OBJECT (dialog), "kt-problem", problem);
  gtk_window_set_title (GTK_WINDOW (dialog), _("Put Right"));
  adw_header_bar_set_show_end_title_buttons (ADW_HEADER_BAR (header), FALSE);
  adw_header_bar_pack_start (ADW_HEADER_BAR (header), cancel);
  adw_header_bar_pack_end (ADW_HEADER_BAR (header), again);
  gtk_widget_add_css_class (again, "suggested-action");
  g_signal_connect_swapped (cancel, "clicked", G_CALLBACK (gtk_window_close), dialog);
  g_signal_connect_swapped (again, "clicked", G_CALLBACK (again_clicked_cb), dialog);
  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), title);
  adw_preferences_group_set_description (ADW_PREFERENCES_GROUP (group), reason);
  gtk_widget_set_margin_top (group, 18);
  gtk_widget_set_margin_bottom (group, 18);
  gtk_widget_set_margin_start (group, 18);
  gtk_widget_set_margin_end (group, 18);
  for (guint i = 0; i < values->len; i++)
    {
      const KtOutboxValue *value = values->pdata[i];
      GtkWidget *line = adw_entry_row_new ();
      g_autofree char *label = g_markup_escape_text (kt_field_label (value->field, locale), -1);

      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (line), label);
      gtk_editable_set_text (GTK_EDITABLE (line), value->text);
      g_signal_connect_swapped (line, "entry-activated", G_CALLBACK (again_clicked_cb), dialog);
      adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), line);
      g_ptr_array_add (rows, line);
    }
  gtk_label_set_wrap (GTK_LABEL (problem), TRUE);
  gtk_label_set_xalign (GTK_LABEL (problem), 0);
  gtk_widget_set_visible (problem, FALSE);
  gtk_widget_add_css_class (problem, "error");
  gtk_widget_set_margin_start (problem, 18);
  gtk_widget_set_margin_end (problem, 18);
  gtk_widget_set_margin_bottom (problem, 18);
  gtk_box_append (GTK_BOX (box), header);
  gtk_box_append (GTK_BOX (box), group);
  gtk_box_append (GTK_BOX (box), problem);
  adw_window_set_content (ADW_WINDOW (dialog), box);
  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys),
                                        gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_Escape, 0),
                                                          gtk_callback_action_new (escape_cb, NULL, NULL)));
  gtk_widget_add_controller (dialog, keys);
  gtk_window_present (GTK_WINDOW (dialog));
  if (rows->len > 0)
    gtk_widget_grab_focus (rows->pdata[0]);
}

/* ---- the row ---- */

static void
undo_clicked_cb (GtkWidget *row)
{
  run (row, kt_outbox_model_undo_async);
}

static void
retry_clicked_cb (GtkWidget *row)
{
  run (row, kt_outbox_model_retry_async);
}

static void
discard_clicked_cb (GtkWidget *row)
{
  run (row, kt_outbox_model_discard_async);
}

static gboolean
key_cb (GtkWidget *row,
        GVariant  *args,
        gpointer   user_data)
{
  KtOutboxItemState state = kt_outbox_item_get_state (entry_of (row)->item);
  guint key = GPOINTER_TO_UINT (user_data);

  if (key == GDK_KEY_Delete && state == KT_OUTBOX_ITEM_QUEUED)
    undo_clicked_cb (row);
  else if (key == GDK_KEY_Delete && state == KT_OUTBOX_ITEM_PARKED)
    discard_clicked_cb (row);
  else if (key == GDK_KEY_F2 && state == KT_OUTBOX_ITEM_PARKED && kt_outbox_item_get_values (entry_of (row)->item)->len > 0)
    edit (row);
  else if (key == GDK_KEY_r && state == KT_OUTBOX_ITEM_PARKED)
    retry_clicked_cb (row);
  else
    return FALSE;
  return TRUE;
}

static void
add_button (GtkWidget  *box,
            GtkWidget  *row,
            const char *icon,
            const char *label,
            GCallback   clicked)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);

  gtk_widget_set_tooltip_text (button, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_signal_connect_object (button, "clicked", clicked, row, G_CONNECT_SWAPPED);
  gtk_box_append (GTK_BOX (box), button);
}

static GtkWidget *
add_line (GtkWidget  *box,
          const char *text,
          const char *css_class)
{
  GtkWidget *label = gtk_label_new (text);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_lines (GTK_LABEL (label), 4);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  if (css_class != NULL)
    {
      gtk_widget_add_css_class (label, "caption");
      gtk_widget_add_css_class (label, css_class);
    }
  gtk_box_append (GTK_BOX (box), label);
  return label;
}

/* The state of an entry moves while it stands in the list. */
static void
fill (GtkWidget *row)
{
  KtOutboxItem *item = entry_of (row)->item;
  GtkWidget *line = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *words = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  const char *reason = kt_outbox_item_get_reason (item);
  KtOutboxItemState state = kt_outbox_item_get_state (item);
  g_autofree char *spoken = NULL;

  add_line (words, kt_outbox_item_get_text (item), NULL);
  if (reason != NULL)
    add_line (words, reason, kt_outbox_item_get_waits (item) ? "dim-label" : "error");
  add_line (words, state == KT_OUTBOX_ITEM_SENT ? _("On its way") : kt_outbox_item_get_when (item), "dim-label");
  gtk_widget_set_hexpand (words, TRUE);
  gtk_widget_set_margin_top (line, 8);
  gtk_widget_set_margin_bottom (line, 8);
  gtk_widget_set_margin_start (line, 12);
  gtk_widget_set_margin_end (line, 6);
  gtk_box_append (GTK_BOX (line), words);
  if (state == KT_OUTBOX_ITEM_QUEUED)
    add_button (line, row, "edit-undo-symbolic", _("Take back"), G_CALLBACK (undo_clicked_cb));
  if (state == KT_OUTBOX_ITEM_PARKED)
    {
      if (kt_outbox_item_get_values (item)->len > 0)
        add_button (line, row, "document-edit-symbolic", _("Put right…"), G_CALLBACK (edit));
      add_button (line, row, "view-refresh-symbolic", _("Try again"), G_CALLBACK (retry_clicked_cb));
      add_button (line, row, "user-trash-symbolic", _("Give up"), G_CALLBACK (discard_clicked_cb));
    }
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), line);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), kt_outbox_item_get_object (item) != NULL);
  spoken = reason != NULL ? g_strdup_printf ("%s. %s", kt_outbox_item_get_text (item), reason) : g_strdup (kt_outbox_item_get_text (item));
  gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, spoken, -1);
}

GtkWidget *
kt_outbox_row_new (KtOutboxModel *model,
                   KtOutboxItem  *item,
                   const char    *locale)
{
  static const struct { guint key; GdkModifierType state; } bindings[] = {
    { GDK_KEY_Delete, 0 }, { GDK_KEY_F2, 0 }, { GDK_KEY_r, 0 },
  };
  GtkWidget *row = gtk_list_box_row_new ();
  GtkEventController *keys = gtk_shortcut_controller_new ();
  Entry *entry = g_new0 (Entry, 1);

  entry->model = g_object_ref (model);
  entry->item = g_object_ref (item);
  g_object_set_data_full (G_OBJECT (row), "kt-locale", g_strdup (locale), g_free);
  g_object_set_data_full (G_OBJECT (row), "kt-entry", entry, entry_free);
  for (guint i = 0; i < G_N_ELEMENTS (bindings); i++)
    gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys),
                                          gtk_shortcut_new (gtk_keyval_trigger_new (bindings[i].key, bindings[i].state),
                                                            gtk_callback_action_new (key_cb, GUINT_TO_POINTER (bindings[i].key), NULL)));
  gtk_widget_add_controller (row, keys);
  g_signal_connect_object (item, "notify", G_CALLBACK (fill), row, G_CONNECT_SWAPPED);
  fill (row);
  return row;
}

void
kt_outbox_row_activate (GtkWidget *row)
{
  KtOutboxItem *item = entry_of (row)->item;

  if (kt_outbox_item_get_object (item) != NULL)
    kt_navigate_record (row, kt_outbox_item_get_object (item), kt_outbox_item_get_id (item));
}

KtOutboxItem *
kt_outbox_row_get_item (GtkWidget *row)
{
  return entry_of (row)->item;
}
