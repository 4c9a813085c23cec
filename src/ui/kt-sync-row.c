/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-sync-row.h"

#include <glib/gi18n.h>

#include "model/kt-sync-status.h"
#include "ui/kt-window.h"

struct _KtSyncRow
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace   *workspace;
  KtOutboxModel *outbox;
  GSignalGroup  *signals;

  /* template */
  GtkMenuButton  *button;
  GtkImage       *icon;
  GtkLabel       *headline, *detail;
  GtkProgressBar *progress;
  GtkPopover     *popover;
  GtkLabel       *popover_headline, *popover_detail;
  GtkListBox     *outbox_list;
  GtkWidget      *outbox_empty, *outbox_scroller;
  GtkWidget      *sync_now;
  GtkSwitch      *pause;
  GtkWidget      *review_button;
  GtkWidget      *paused_note;
  GtkLabel       *speed, *traffic, *news_label;
  GtkProgressBar *popover_progress;
  GtkWidget      *news_button, *notice_box;
  GtkLabel       *notice;
};

G_DEFINE_FINAL_TYPE (KtSyncRow, kt_sync_row, GTK_TYPE_WIDGET)

static KtSyncStatus *
status_of (KtSyncRow *self)
{
  return self->workspace != NULL ? kt_workspace_get_sync_status (self->workspace) : NULL;
}

static const char *
mood_icon (KtSyncMood mood)
{
  switch (mood)
    {
    case KT_MOOD_OK:
      return "kt-sync-ok-symbolic";
    case KT_MOOD_WORKING:
      return "kt-sync-busy-symbolic";
    case KT_MOOD_OFFLINE:
    case KT_MOOD_SIGNED_OUT:
      return "kt-sync-offline-symbolic";
    case KT_MOOD_PAUSED:
      return "media-playback-pause-symbolic";
    case KT_MOOD_ATTENTION:
      return "kt-review-symbolic";
    case KT_MOOD_PROBLEM:
    default:
      return "kt-sync-problem-symbolic";
    }
}

static void
update (KtSyncRow *self)
{
  KtSyncStatus *status = status_of (self);
  KtSyncMood mood = kt_sync_status_get_mood (status);
  double fraction = kt_sync_status_get_fraction (status);
  const char *headline = kt_sync_status_get_headline (status);
  const char *detail = kt_sync_status_get_detail (status);
  g_autofree char *spoken = g_strdup_printf ("%s. %s", headline, detail);

  gtk_image_set_from_icon_name (self->icon, mood_icon (mood));
  gtk_label_set_text (self->headline, headline);
  gtk_label_set_text (self->detail, detail);
  gtk_widget_set_visible (GTK_WIDGET (self->detail), detail[0] != '\0');
  gtk_label_set_text (self->popover_headline, headline);
  gtk_label_set_text (self->popover_detail, detail);
  gtk_widget_set_visible (GTK_WIDGET (self->progress), fraction >= 0);
  if (fraction >= 0)
    gtk_progress_bar_set_fraction (self->progress, CLAMP (fraction, 0, 1));
  gtk_widget_set_visible (GTK_WIDGET (self->popover_progress), fraction >= 0);
  gtk_progress_bar_set_fraction (self->popover_progress, CLAMP (fraction, 0, 1));
  gtk_label_set_text (self->speed, kt_sync_status_get_speed (status) != NULL ? kt_sync_status_get_speed (status) : "");
  gtk_widget_set_visible (GTK_WIDGET (self->speed), kt_sync_status_get_speed (status) != NULL);
  gtk_widget_set_visible (self->notice_box, kt_sync_status_get_notice (status) != NULL);
  gtk_label_set_text (self->notice, kt_sync_status_get_notice (status) != NULL ? kt_sync_status_get_notice (status) : "");
  gtk_label_set_text (self->traffic, kt_sync_status_get_traffic (status));
  gtk_switch_set_active (self->pause, kt_sync_status_get_paused (status));
  gtk_widget_set_visible (self->paused_note, kt_sync_status_get_paused (status));
  gtk_widget_set_visible (self->review_button, kt_sync_status_get_review (status) + kt_sync_status_get_parked (status) > 0);
  gtk_widget_set_visible (self->news_button, kt_sync_status_get_news (status) > 0);
  if (kt_sync_status_get_news (status) > 0)
    {
      g_autofree char *news = g_strdup_printf (ngettext ("%u change of yours was merged or replaced", "%u changes of yours were merged or replaced",
                                                         kt_sync_status_get_news (status)), kt_sync_status_get_news (status));

      gtk_label_set_text (self->news_label, news);
      gtk_accessible_update_property (GTK_ACCESSIBLE (self->news_button), GTK_ACCESSIBLE_PROPERTY_LABEL, news, -1);
    }
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->button), GTK_ACCESSIBLE_PROPERTY_LABEL, spoken, -1);
  if (mood == KT_MOOD_PROBLEM || mood == KT_MOOD_ATTENTION)
    gtk_widget_add_css_class (GTK_WIDGET (self->icon), "warning");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->icon), "warning");
}

static void
outbox_done_cb (GObject      *object,
                GAsyncResult *result,
                gpointer      user_data)
{
  g_autoptr (KtSyncRow) self = KT_SYNC_ROW (user_data);
  g_autoptr (GError) error = NULL;

  if (!kt_outbox_model_finish (KT_OUTBOX_MODEL (object), result, &error))
    kt_toast_error (GTK_WIDGET (self), error);
}

typedef void (*OutboxCommand) (KtOutboxModel *model, KtOutboxItem *item, GAsyncReadyCallback callback, gpointer user_data);

static void
command_clicked_cb (GtkButton *button,
                    gpointer   user_data)
{
  KtSyncRow *self = KT_SYNC_ROW (gtk_widget_get_ancestor (GTK_WIDGET (button), KT_TYPE_SYNC_ROW));
  KtOutboxItem *item = g_object_get_data (G_OBJECT (button), "kt-item");
  OutboxCommand command = (OutboxCommand) user_data;

  if (self != NULL)
    command (self->outbox, item, outbox_done_cb, g_object_ref (self));
}

static void
add_command (GtkWidget     *box,
             KtOutboxItem  *item,
             const char    *icon,
             const char    *label,
             OutboxCommand  command)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);

  gtk_widget_set_tooltip_text (button, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_object_set_data_full (G_OBJECT (button), "kt-item", g_object_ref (item), g_object_unref);
  g_signal_connect (button, "clicked", G_CALLBACK (command_clicked_cb), (gpointer) command);
  gtk_box_append (GTK_BOX (box), button);
}

static GtkWidget *
create_outbox_row_cb (gpointer item_,
                      gpointer user_data)
{
  KtOutboxItem *item = KT_OUTBOX_ITEM (item_);
  GtkWidget *row = gtk_list_box_row_new ();
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *words = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  GtkWidget *text = gtk_label_new (kt_outbox_item_get_text (item));
  const char *reason = kt_outbox_item_get_reason (item);
  GtkWidget *below = gtk_label_new (reason != NULL ? reason : kt_outbox_item_get_when (item));

  gtk_label_set_xalign (GTK_LABEL (text), 0);
  gtk_label_set_wrap (GTK_LABEL (text), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (text), PANGO_WRAP_WORD_CHAR);
  /* The popover asks for the height at the natural width; these say how wide that is. */
  gtk_label_set_width_chars (GTK_LABEL (text), 38);
  gtk_label_set_max_width_chars (GTK_LABEL (text), 38);
  gtk_label_set_max_width_chars (GTK_LABEL (below), 38);
  gtk_label_set_lines (GTK_LABEL (text), 3);
  gtk_label_set_ellipsize (GTK_LABEL (text), PANGO_ELLIPSIZE_END);
  gtk_label_set_xalign (GTK_LABEL (below), 0);
  gtk_label_set_wrap (GTK_LABEL (below), TRUE);
  gtk_widget_add_css_class (below, "caption");
  gtk_widget_add_css_class (below, kt_outbox_item_get_state (item) == KT_OUTBOX_ITEM_PARKED ? "error" : "dim-label");
  gtk_box_append (GTK_BOX (words), text);
  gtk_box_append (GTK_BOX (words), below);
  gtk_widget_set_hexpand (words, TRUE);
  gtk_box_append (GTK_BOX (box), words);
  switch (kt_outbox_item_get_state (item))
    {
    case KT_OUTBOX_ITEM_QUEUED:
      add_command (box, item, "edit-undo-symbolic", _("Take back"), kt_outbox_model_undo_async);
      break;
    case KT_OUTBOX_ITEM_PARKED:
      add_command (box, item, "view-refresh-symbolic", _("Try again"), kt_outbox_model_retry_async);
      add_command (box, item, "user-trash-symbolic", _("Give up"), kt_outbox_model_discard_async);
      break;
    case KT_OUTBOX_ITEM_SENT:
    default:
      break;
    }
  gtk_widget_set_margin_top (box, 6);
  gtk_widget_set_margin_bottom (box, 6);
  gtk_widget_set_margin_start (box, 6);
  gtk_widget_set_margin_end (box, 6);
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), box);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), kt_outbox_item_get_object (item) != NULL);
  g_object_set_data_full (G_OBJECT (row), "kt-item", g_object_ref (item), g_object_unref);
  gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, kt_outbox_item_get_text (item), -1);
  return row;
}

static void
outbox_changed_cb (KtSyncRow *self)
{
  gboolean any = self->outbox != NULL && g_list_model_get_n_items (G_LIST_MODEL (self->outbox)) > 0;

  gtk_widget_set_visible (self->outbox_scroller, any);
  gtk_widget_set_visible (self->outbox_empty, !any);
}

/* The list is read only while somebody looks at it. */
static void
popover_mapped_cb (KtSyncRow *self)
{
  if (self->workspace == NULL || self->outbox != NULL)
    return;
  self->outbox = kt_outbox_model_new (self->workspace);
  g_signal_connect_object (self->outbox, "items-changed", G_CALLBACK (outbox_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_list_box_bind_model (self->outbox_list, G_LIST_MODEL (self->outbox), create_outbox_row_cb, NULL, NULL);
  outbox_changed_cb (self);
}

static void
popover_unmapped_cb (KtSyncRow *self)
{
  gtk_list_box_bind_model (self->outbox_list, NULL, NULL, NULL, NULL);
  g_clear_object (&self->outbox);
}

static void
outbox_activated_cb (KtSyncRow     *self,
                     GtkListBoxRow *row)
{
  KtOutboxItem *item = g_object_get_data (G_OBJECT (row), "kt-item");
  const KtObject *object = kt_outbox_item_get_object (item);
  KtId id;

  if (object == NULL)
    return;
  id = *kt_outbox_item_get_id (item);
  gtk_popover_popdown (self->popover);
  kt_navigate_record (GTK_WIDGET (self), object, &id);
}

static gboolean
pause_changed_cb (KtSyncRow *self,
                  gboolean   paused)
{
  if (self->workspace != NULL && kt_sync_status_get_paused (status_of (self)) != paused)
    kt_sync_status_set_paused (status_of (self), paused);
  return FALSE;
}

static void
notice_clicked_cb (KtSyncRow *self)
{
  kt_sync_status_dismiss_notice (status_of (self));
}

/* The name of a button is the action it stands for. */
static void
go_clicked_cb (KtSyncRow *self,
               GtkWidget *button)
{
  g_autofree char *action = g_strconcat ("win.", gtk_widget_get_name (button), NULL);

  gtk_popover_popdown (self->popover);
  gtk_widget_activate_action (GTK_WIDGET (self), action, NULL);
}

static void
kt_sync_row_dispose (GObject *object)
{
  KtSyncRow *self = KT_SYNC_ROW (object);

  g_clear_object (&self->signals);
  g_clear_object (&self->outbox);
  g_clear_object (&self->workspace);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_SYNC_ROW);

  G_OBJECT_CLASS (kt_sync_row_parent_class)->dispose (object);
}

static void
kt_sync_row_class_init (KtSyncRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = kt_sync_row_dispose;

  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-sync-row.ui");
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, button);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, icon);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, headline);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, detail);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, progress);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, popover);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, popover_headline);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, popover_detail);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, outbox_list);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, outbox_empty);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, outbox_scroller);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, sync_now);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, pause);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, review_button);
  gtk_widget_class_bind_template_callback (widget_class, popover_mapped_cb);
  gtk_widget_class_bind_template_callback (widget_class, popover_unmapped_cb);
  gtk_widget_class_bind_template_callback (widget_class, outbox_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, pause_changed_cb);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, paused_note);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, speed);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, traffic);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, news_label);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, popover_progress);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, news_button);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, notice_box);
  gtk_widget_class_bind_template_child (widget_class, KtSyncRow, notice);
  gtk_widget_class_bind_template_callback (widget_class, notice_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, go_clicked_cb);
}

static void
kt_sync_row_init (KtSyncRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  /* GTK 4.8 centres the child of a menu button; these are lines of text that begin where the rows above do. */
  gtk_widget_set_halign (gtk_widget_get_parent (gtk_menu_button_get_child (self->button)), GTK_ALIGN_FILL);
  self->signals = g_signal_group_new (KT_TYPE_SYNC_STATUS);
  g_signal_group_connect_swapped (self->signals, "notify", G_CALLBACK (update), self);
}

void
kt_sync_row_set_workspace (KtSyncRow   *self,
                           KtWorkspace *workspace)
{
  if (!g_set_object (&self->workspace, workspace))
    return;
  g_signal_group_set_target (self->signals, status_of (self));
  if (workspace != NULL)
    update (self);
}
