/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-timeline-view.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "ui/kt-window.h"

struct _KtTimelineView
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace   *workspace;
  KtTimeline    *timeline;

  /* template */
  GtkWidget     *box;
  GtkTextView   *note;
  GtkWidget     *note_hint;
  GtkWidget     *note_button;
  GtkStack      *stack;
  GtkListView   *list;
  GtkWidget     *incomplete;

  /* borrowed */
  const KtObject *object;

  /* state */
  KtId           id;
  guint          adding : 1;
};

G_DEFINE_FINAL_TYPE (KtTimelineView, kt_timeline_view, GTK_TYPE_WIDGET)

/* ---- rows ---- */

typedef struct
{
  GtkWidget *icon, *title, *body, *below, *mark;
  gulong     handler;
} Row;

static const struct { const char *icon; const char *name; } kinds[] = {
  [KT_TIMELINE_TASK] = { "kt-task-symbolic", N_("Task") },
  [KT_TIMELINE_CALL] = { "kt-call-symbolic", N_("Call") },
  [KT_TIMELINE_MEETING] = { "kt-meeting-symbolic", N_("Meeting") },
  [KT_TIMELINE_EMAIL] = { "kt-email-symbolic", N_("E-mail") },
  [KT_TIMELINE_NOTE] = { "kt-note-symbolic", N_("Note") },
  [KT_TIMELINE_CHANGE] = { "kt-history-symbolic", N_("Change") },
};

static GtkWidget *
add_label (GtkWidget  *box,
           const char *css_class,
           int         lines)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_lines (GTK_LABEL (label), lines);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  if (css_class != NULL)
    gtk_widget_add_css_class (label, css_class);
  gtk_box_append (GTK_BOX (box), label);
  return label;
}

static void
setup_cb (GtkListItemFactory *factory,
          GtkListItem        *item)
{
  Row *row = g_new0 (Row, 1);
  GtkWidget *line = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  GtkWidget *texts = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);

  row->icon = gtk_image_new ();
  gtk_widget_set_valign (row->icon, GTK_ALIGN_START);
  gtk_widget_add_css_class (row->icon, "dim-label");
  row->mark = gtk_image_new_from_icon_name ("kt-outbox-symbolic");
  gtk_widget_set_tooltip_text (row->mark, _("Waiting to be sent"));
  gtk_widget_add_css_class (row->mark, "accent");
  gtk_widget_set_valign (row->mark, GTK_ALIGN_START);
  gtk_widget_set_hexpand (texts, TRUE);
  row->title = add_label (texts, NULL, 3);
  row->body = add_label (texts, "dim-label", 8);
  row->below = add_label (texts, "caption", 1);
  gtk_widget_add_css_class (row->below, "dim-label");
  gtk_box_append (GTK_BOX (line), row->icon);
  gtk_box_append (GTK_BOX (line), texts);
  gtk_box_append (GTK_BOX (line), row->mark);
  gtk_widget_add_css_class (line, "kt-event");
  gtk_list_item_set_child (item, line);
  g_object_set_data_full (G_OBJECT (item), "kt-row", row, g_free);
}

static void
show_item (KtTimelineItem *event,
           GParamSpec     *pspec,
           Row            *row)
{
  KtTimelineKind kind = kt_timeline_item_get_kind (event);
  const char *who = kt_timeline_item_get_who (event);
  const char *body = kt_timeline_item_get_body (event);
  const char *title = kt_timeline_item_get_title (event);
  g_autofree char *below = who[0] != '\0' ? g_strdup_printf ("%s · %s", who, kt_timeline_item_get_when (event))
                                          : g_strdup (kt_timeline_item_get_when (event));

  gtk_image_set_from_icon_name (GTK_IMAGE (row->icon), kinds[kind].icon);
  gtk_widget_set_tooltip_text (row->icon, _(kinds[kind].name));
  gtk_label_set_text (GTK_LABEL (row->title), title);
  gtk_label_set_text (GTK_LABEL (row->body), body);
  gtk_label_set_text (GTK_LABEL (row->below), below);
  gtk_widget_set_visible (row->title, title[0] != '\0');
  gtk_widget_set_visible (row->body, body[0] != '\0');
  gtk_widget_set_visible (row->mark, kt_timeline_item_get_pending (event));
}

static void
bind_cb (GtkListItemFactory *factory,
         GtkListItem        *item)
{
  Row *row = g_object_get_data (G_OBJECT (item), "kt-row");
  KtTimelineItem *event = gtk_list_item_get_item (item);

  gtk_list_item_set_activatable (item, kt_timeline_item_get_record (event) != NULL || kt_timeline_item_get_kind (event) == KT_TIMELINE_CHANGE);
  row->handler = g_signal_connect (event, "notify", G_CALLBACK (show_item), row);
  show_item (event, NULL, row);
}

static void
unbind_cb (GtkListItemFactory *factory,
           GtkListItem        *item)
{
  Row *row = g_object_get_data (G_OBJECT (item), "kt-row");

  g_clear_signal_handler (&row->handler, gtk_list_item_get_item (item));
}

static void
activate_cb (KtTimelineView *self,
             guint           position)
{
  g_autoptr (KtTimelineItem) event = g_list_model_get_item (G_LIST_MODEL (self->timeline), position);
  KtRecord *record = event != NULL ? kt_timeline_item_get_record (event) : NULL;

  if (record != NULL)
    kt_navigate_record (GTK_WIDGET (self), record->object, &record->id);
  else if (event != NULL)
    kt_navigate_versions (GTK_WIDGET (self), self->workspace, self->object, &self->id, NULL);
}

/* ---- note ---- */

static char *
get_note (KtTimelineView *self)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->note);
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (buffer, &start, &end);
  return gtk_text_buffer_get_text (buffer, &start, &end, TRUE);
}

static void
update_note (KtTimelineView *self)
{
  g_autofree char *text = get_note (self);

  gtk_widget_set_visible (self->note_hint, text[0] == '\0');
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "timeline.add-note",
                                 self->timeline != NULL && !self->adding && g_strstrip (text)[0] != '\0');
}

static void
added_cb (GObject      *object,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_autoptr (KtTimelineView) self = KT_TIMELINE_VIEW (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = kt_timeline_add_note_finish (KT_TIMELINE (object), result, &error);

  self->adding = FALSE;
  if (self->workspace == NULL)
    return;
  if (done == NULL)
    kt_toast_error (GTK_WIDGET (self), error);
  else if (self->note != NULL)
    {
      gtk_text_buffer_set_text (gtk_text_view_get_buffer (self->note), "", -1);
      kt_toast_done (GTK_WIDGET (self), self->workspace, done);
    }
  if (self->note != NULL)
    update_note (self);
}

static void
add_note_action (GtkWidget  *widget,
                 const char *name,
                 GVariant   *parameter)
{
  KtTimelineView *self = KT_TIMELINE_VIEW (widget);
  g_autofree char *text = get_note (self);

  self->adding = TRUE;
  update_note (self);
  kt_timeline_add_note_async (self->timeline, g_strstrip (text), added_cb, g_object_ref (self));
}

/* ---- list ---- */

static void
update_stack (KtTimelineView *self)
{
  gboolean loading = FALSE;
  const char *page = "unsaved";

  if (self->timeline != NULL)
    {
      g_object_get (self->timeline, "loading", &loading, NULL);
      page = g_list_model_get_n_items (G_LIST_MODEL (self->timeline)) > 0 ? "list" : loading ? "loading" : "empty";
      gtk_widget_set_visible (self->incomplete, !loading && !kt_timeline_get_complete (self->timeline));
    }
  gtk_stack_set_visible_child_name (self->stack, page);
}

static void
edge_cb (KtTimelineView  *self,
         GtkPositionType  edge)
{
  if (edge == GTK_POS_BOTTOM && self->timeline != NULL && kt_timeline_get_has_more (self->timeline))
    kt_timeline_load_more (self->timeline);
}

static void
kt_timeline_view_dispose (GObject *object)
{
  KtTimelineView *self = KT_TIMELINE_VIEW (object);

  if (self->list != NULL)
    gtk_list_view_set_model (self->list, NULL);
  g_clear_object (&self->timeline);
  g_clear_object (&self->workspace);
  self->list = NULL;
  self->note = NULL;
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_TIMELINE_VIEW);

  G_OBJECT_CLASS (kt_timeline_view_parent_class)->dispose (object);
}

static void
kt_timeline_view_class_init (KtTimelineViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_timeline_view_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-timeline-view.ui");
  gtk_widget_class_bind_template_child (widget_class, KtTimelineView, box);
  gtk_widget_class_bind_template_child (widget_class, KtTimelineView, note);
  gtk_widget_class_bind_template_child (widget_class, KtTimelineView, note_hint);
  gtk_widget_class_bind_template_child (widget_class, KtTimelineView, note_button);
  gtk_widget_class_bind_template_child (widget_class, KtTimelineView, stack);
  gtk_widget_class_bind_template_child (widget_class, KtTimelineView, list);
  gtk_widget_class_bind_template_child (widget_class, KtTimelineView, incomplete);
  gtk_widget_class_bind_template_callback (widget_class, setup_cb);
  gtk_widget_class_bind_template_callback (widget_class, bind_cb);
  gtk_widget_class_bind_template_callback (widget_class, unbind_cb);
  gtk_widget_class_bind_template_callback (widget_class, activate_cb);
  gtk_widget_class_bind_template_callback (widget_class, update_note);
  gtk_widget_class_bind_template_callback (widget_class, edge_cb);
  gtk_widget_class_install_action (widget_class, "timeline.add-note", NULL, add_note_action);
}

static void
kt_timeline_view_init (KtTimelineView *self)
{
  GtkEventController *keys;

  gtk_widget_init_template (GTK_WIDGET (self));
  keys = gtk_shortcut_controller_new ();
  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys),
                                        gtk_shortcut_new (gtk_shortcut_trigger_parse_string ("<Control>Return"),
                                                          gtk_named_action_new ("timeline.add-note")));
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  gtk_widget_add_controller (GTK_WIDGET (self->note), keys);
  update_note (self);
  update_stack (self);
}

void
kt_timeline_view_set_record (KtTimelineView *self,
                             KtWorkspace    *workspace,
                             const KtObject *object,
                             const KtId     *id)
{
  GtkNoSelection *selection;

  g_clear_object (&self->timeline);
  g_set_object (&self->workspace, workspace);
  self->object = object;
  self->id = *id;
  self->timeline = kt_timeline_new (workspace, object, id);
  g_signal_connect_object (self->timeline, "notify", G_CALLBACK (update_stack), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->timeline, "items-changed", G_CALLBACK (update_stack), self, G_CONNECT_SWAPPED);
  selection = gtk_no_selection_new (g_object_ref (G_LIST_MODEL (self->timeline)));
  gtk_list_view_set_model (self->list, GTK_SELECTION_MODEL (selection));
  g_object_unref (selection);
  update_stack (self);
  update_note (self);
}

void
kt_timeline_view_add_note (KtTimelineView *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->note));
}
