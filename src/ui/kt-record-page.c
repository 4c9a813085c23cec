/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One record. Wide, the details stand left of what belongs to the record; narrow,
 * they are the first of three pages:
 *
 *   ┌ facts ─────────────────────┐      ┌ facts ─────────┐
 *   │ details │ Timeline Related │      │ Details … …    │
 *   │         │                  │      │                │
 *   └ unsaved: Revert  Save ─────┘      └ Revert  Save ──┘            */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-record-page.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "base/kt-error.h"
#include "model/kt-layout.h"
#include "ui/kt-field-row.h"
#include "ui/kt-form.h"
#include "ui/kt-related-list.h"
#include "ui/kt-timeline-view.h"
#include "ui/kt-window.h"

#define NARROW 860
#define MINIMUM_WIDTH 300

struct _KtRecordPage
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace        *workspace;
  KtEditor           *editor;
  GSimpleActionGroup *actions;       /* "record": of the page, and of its widgets in the header bar */
  GtkWidget          *details;       /* moves between the two bins */

  /* borrowed */
  GtkWidget          *form;
  GPtrArray          *lists;         /* KtRelatedList*, owned array */
  GPtrArray          *adders;        /* GtkWidget*, in the same order */

  /* template */
  GtkWidget          *header_end;
  GtkStack           *stack;
  AdwStatusPage      *gone_page, *error_page;
  GtkInfoBar         *bin_bar;
  GtkImage           *icon, *mark;
  GtkLabel           *title, *facts;
  GtkPaned           *paned;
  AdwBin             *wide_bin, *narrow_bin;
  AdwViewStack       *views;
  KtTimelineView     *timeline;
  GtkWidget          *related_box, *add_box, *add_heading;
  GtkWidget          *related_empty;
  GtkRevealer        *save_bar;
  GtkLabel           *save_label;
  GtkWidget          *revert_button;

  /* state */
  guint               layout_source;
  int                 width;
  guint               narrow : 1;
  guint               timeline_set : 1;
  guint               focused : 1;
};

static void kt_record_page_view_init (KtViewInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtRecordPage, kt_record_page, GTK_TYPE_WIDGET,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_VIEW, kt_record_page_view_init))

/* ---- what is shown ---- */

static const char *
object_label (KtRecordPage *self)
{
  return kt_object_label (kt_editor_get_object (self->editor), kt_workspace_get_locale (self->workspace));
}

static void
set_enabled (KtRecordPage *self,
             const char   *name,
             gboolean      enabled)
{
  g_simple_action_set_enabled (G_SIMPLE_ACTION (g_action_map_lookup_action (G_ACTION_MAP (self->actions), name)), enabled);
}

static gboolean
is_in_bin (KtRecordPage *self)
{
  KtRecord *record = kt_editor_get_record (self->editor);

  return record != NULL && kt_record_deleted (record);
}

static void
update_actions (KtRecordPage *self)
{
  KtRecord *record = kt_editor_get_record (self->editor);
  gboolean is_new = kt_editor_get_is_new (self->editor);
  gboolean dirty = kt_editor_get_dirty (self->editor);
  gboolean bin = is_in_bin (self);
  gboolean saving = FALSE;
  const char *problem = kt_editor_get_problem (self->editor, NULL);

  g_object_get (self->editor, "saving", &saving, NULL);
  set_enabled (self, "save", record != NULL && (dirty || is_new) && !saving && !bin);
  set_enabled (self, "revert", dirty && !saving);
  set_enabled (self, "delete", record != NULL && !is_new && !bin && kt_workspace_may_delete (self->workspace, record, NULL));
  set_enabled (self, "restore", record != NULL && bin && kt_workspace_may_delete (self->workspace, record, NULL));
  set_enabled (self, "versions", record != NULL && !is_new);
  set_enabled (self, "open-window", record != NULL && !is_new && KT_IS_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))));
  set_enabled (self, "add-note", record != NULL && !is_new && !bin);
  gtk_revealer_set_reveal_child (self->save_bar, dirty || (is_new && record != NULL));
  gtk_widget_set_visible (self->revert_button, dirty);
  gtk_label_set_text (self->save_label, problem != NULL ? problem : is_new ? _("Not saved yet") : _("Unsaved changes"));
  if (problem != NULL)
    gtk_widget_add_css_class (GTK_WIDGET (self->save_label), "error");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->save_label), "error");
}

static void
show_mark (KtRecordPage *self)
{
  KtRowState state = KT_ROW_SETTLED;
  const char *icon = NULL;
  const char *text = NULL;

  g_object_get (self->editor, "row-state", &state, NULL);
  switch (state)
    {
    case KT_ROW_WAITING:
      icon = "kt-outbox-symbolic";
      text = _("Waiting to be sent");
      break;
    case KT_ROW_PARKED:
      icon = "kt-sync-problem-symbolic";
      text = _("Not accepted by the server");
      break;
    case KT_ROW_REVIEW:
      icon = "kt-review-symbolic";
      text = _("A decision is needed");
      break;
    case KT_ROW_SETTLED:
    default:
      break;
    }
  gtk_widget_set_visible (GTK_WIDGET (self->mark), icon != NULL);
  if (icon == NULL)
    return;
  gtk_image_set_from_icon_name (self->mark, icon);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->mark), text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->mark), GTK_ACCESSIBLE_PROPERTY_LABEL, text, -1);
}

static void
show_facts (KtRecordPage *self)
{
  const KtObject *object = kt_editor_get_object (self->editor);
  guint n = 0;
  g_autofree const KtField **fields = kt_layout_key_fields (object, &n);
  g_autoptr (GString) markup = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *value = kt_editor_get_display (self->editor, fields[i]);
      g_autofree char *pair = NULL;

      if (value[0] == '\0')
        continue;
      pair = g_markup_printf_escaped ("<span alpha=\"65%%\">%s</span>\302\240%s", kt_field_label (fields[i], kt_workspace_get_locale (self->workspace)), value);
      if (markup->len > 0)
        g_string_append (markup, "   ");
      g_string_append (markup, pair);
    }
  gtk_label_set_markup (self->facts, markup->str);
  gtk_widget_set_visible (GTK_WIDGET (self->facts), markup->len > 0);
}

static void
show_head (KtRecordPage *self)
{
  g_autofree char *title = kt_view_get_title (KT_VIEW (self));

  gtk_label_set_text (self->title, title);
  if (kt_editor_get_record (self->editor) != NULL)
    show_facts (self);
  show_mark (self);
  gtk_info_bar_set_revealed (self->bin_bar, is_in_bin (self));
  gtk_widget_set_visible (GTK_WIDGET (self->bin_bar), is_in_bin (self));
  update_actions (self);
  kt_view_changed (KT_VIEW (self));
}

static void
field_changed_cb (KtRecordPage  *self,
                  const KtField *field)
{
  show_head (self);
}

/* ---- related ---- */

static void
update_related (KtRecordPage *self)
{
  gboolean is_new = kt_editor_get_is_new (self->editor);
  gboolean any = FALSE;
  gboolean any_adder = FALSE;

  for (guint i = 0; i < self->lists->len; i++)
    {
      const KtRelation *relation = kt_related_list_get_relation (self->lists->pdata[i]);
      gint64 n = kt_editor_relation_count (self->editor, relation);
      gboolean addable = n == 0 && !is_new && !is_in_bin (self) && kt_workspace_may_create (self->workspace, relation->object, NULL);

      gtk_widget_set_visible (self->adders->pdata[i], addable);
      any_adder |= addable;
      any |= n > 0;
    }
  gtk_widget_set_visible (self->add_heading, any_adder);
  gtk_widget_set_visible (self->related_empty, !any && !any_adder);
}

static void
adder_clicked_cb (KtRecordPage *self,
                  GtkButton    *button)
{
  for (guint i = 0; i < self->lists->len; i++)
    {
      GtkWidget *adder = self->adders->pdata[i];

      if (gtk_widget_is_ancestor (GTK_WIDGET (button), adder))
        kt_related_list_make_new (self->lists->pdata[i]);
    }
}

static void
make_related (KtRecordPage *self)
{
  GPtrArray *relations = kt_editor_relations (self->editor);

  for (guint i = 0; relations != NULL && i < relations->len; i++)
    {
      const KtRelation *relation = relations->pdata[i];
      GtkWidget *list = kt_related_list_new (self->workspace, self->editor, relation);
      GtkWidget *child = gtk_flow_box_child_new ();
      GtkWidget *button = gtk_button_new ();
      GtkWidget *content = adw_button_content_new ();
      /* Translators: a button that makes a related record; %s is the heading of the list it goes to: "Add to Contacts" */
      g_autofree char *name = g_strdup_printf (_("Add to %s"), relation->label);

      gtk_box_append (GTK_BOX (self->related_box), list);
      g_ptr_array_add (self->lists, list);
      adw_button_content_set_icon_name (ADW_BUTTON_CONTENT (content), "list-add-symbolic");
      adw_button_content_set_label (ADW_BUTTON_CONTENT (content), relation->label);
      gtk_button_set_child (GTK_BUTTON (button), content);
      gtk_widget_add_css_class (button, "flat");
      gtk_widget_add_css_class (button, "kt-adder");
      gtk_widget_set_halign (button, GTK_ALIGN_START);
      gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
      g_signal_connect_object (button, "clicked", G_CALLBACK (adder_clicked_cb), self, G_CONNECT_SWAPPED);
      gtk_flow_box_child_set_child (GTK_FLOW_BOX_CHILD (child), button);
      gtk_widget_set_focusable (child, FALSE);
      gtk_widget_set_visible (child, FALSE);
      gtk_flow_box_insert (GTK_FLOW_BOX (self->add_box), child, -1);
      g_ptr_array_add (self->adders, child);
    }
  update_related (self);
}

/* ---- loading ---- */

static gboolean layout_cb (gpointer user_data);

static void
queue_layout (KtRecordPage *self)
{
  if (self->layout_source == 0)
    self->layout_source = g_idle_add_full (GTK_PRIORITY_RESIZE - 1, layout_cb, self, NULL);
}

/* The focus leaves first: an entry that is made insensitive under the cursor complains that nobody told it. */
static void
set_writable (GtkWidget *widget,
              gboolean   writable)
{
  GtkRoot *root = gtk_widget_get_root (widget);
  GtkWidget *focus = root != NULL ? gtk_root_get_focus (root) : NULL;

  if (!writable && focus != NULL && gtk_widget_is_ancestor (focus, widget))
    gtk_root_set_focus (root, NULL);
  gtk_widget_set_sensitive (widget, writable);
}

static void
show_record (KtRecordPage *self)
{
  KtRecord *record = kt_editor_get_record (self->editor);
  const GError *error = kt_editor_get_error (self->editor);

  if (error != NULL)
    {
      g_autofree char *text = g_markup_escape_text (error->message, -1);

      adw_status_page_set_description (self->error_page, text);
      gtk_stack_set_visible_child_name (self->stack, "error");
    }
  else if (kt_editor_get_gone (self->editor))
    gtk_stack_set_visible_child_name (self->stack, "gone");
  else if (record != NULL)
    {
      if (self->form == NULL)
        {
          self->form = kt_form_new (self->editor);
          gtk_widget_set_margin_top (self->form, 12);
          gtk_widget_set_margin_bottom (self->form, 18);
          gtk_widget_set_margin_start (self->form, 12);
          gtk_widget_set_margin_end (self->form, 12);
          gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->details), self->form);
          /* Long texts have the height they need. */
          gtk_scrollable_set_vscroll_policy (GTK_SCROLLABLE (gtk_scrolled_window_get_child (GTK_SCROLLED_WINDOW (self->details))),
                                             GTK_SCROLL_NATURAL);
          make_related (self);
        }
      if (!self->timeline_set && !kt_editor_get_is_new (self->editor))
        {
          self->timeline_set = TRUE;
          kt_timeline_view_set_record (self->timeline, self->workspace, kt_editor_get_object (self->editor), kt_editor_get_id (self->editor));
        }
      gtk_stack_set_visible_child_name (self->stack, "main");
      if (self->width > 0)
        queue_layout (self);
      set_writable (self->form, !is_in_bin (self));
      set_writable (GTK_WIDGET (self->timeline), !is_in_bin (self));
    }
  update_related (self);
  show_head (self);
}

static void
schema_changed_cb (KtRecordPage *self)
{
  if (self->form == NULL)
    return;
  /* New fields, new labels: the form and the lists are made anew over the same editor. */
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->details), NULL);
  self->form = NULL;
  for (guint i = 0; i < self->lists->len; i++)
    {
      gtk_box_remove (GTK_BOX (self->related_box), self->lists->pdata[i]);
      gtk_flow_box_remove (GTK_FLOW_BOX (self->add_box), self->adders->pdata[i]);
    }
  g_ptr_array_set_size (self->lists, 0);
  g_ptr_array_set_size (self->adders, 0);
  show_record (self);
}

/* ---- commands ---- */

typedef struct
{
  KtRecordPage  *self;
  KtViewContinue go;           /* NULL: stays */
  gpointer       data;
  GDestroyNotify free_data;
} Leaving;

static void
leaving_free (Leaving *leaving)
{
  if (leaving->free_data != NULL)
    leaving->free_data (leaving->data);
  g_object_unref (leaving->self);
  g_free (leaving);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Leaving, leaving_free)

static void
saved_cb (GObject      *object,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_autoptr (Leaving) leaving = user_data;
  KtRecordPage *self = leaving->self;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = kt_editor_save_finish (KT_EDITOR (object), result, &error);

  if (self->editor == NULL)
    return;
  if (done == NULL)
    {
      if (self->form != NULL)
        kt_form_focus_first (KT_FORM (self->form));
      if (!g_error_matches (error, KT_ERROR, KT_ERROR_INVALID))
        kt_toast_error (GTK_WIDGET (self), error);
      update_actions (self);
      return;
    }
  if (kt_done_can_undo (done))
    kt_toast_done (GTK_WIDGET (self), self->workspace, done);
  show_record (self);
  if (leaving->go != NULL)
    leaving->go (leaving->data);
}

static void
save (KtRecordPage   *self,
      KtViewContinue  go,
      gpointer        data,
      GDestroyNotify  free_data)
{
  Leaving *leaving = g_new0 (Leaving, 1);

  leaving->self = g_object_ref (self);
  leaving->go = go;
  leaving->data = data;
  leaving->free_data = free_data;
  kt_editor_save_async (self->editor, saved_cb, leaving);
}

static void
save_activated_cb (GSimpleAction *action,
                   GVariant      *parameter,
                   gpointer       user_data)
{
  save (KT_RECORD_PAGE (user_data), NULL, NULL, NULL);
}

static void
revert_activated_cb (GSimpleAction *action,
                     GVariant      *parameter,
                     gpointer       user_data)
{
  kt_editor_revert (KT_RECORD_PAGE (user_data)->editor, NULL);
}

static void
done_cb (GObject      *object,
         GAsyncResult *result,
         gpointer      user_data)
{
  g_autoptr (KtRecordPage) self = KT_RECORD_PAGE (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = kt_workspace_done_finish (KT_WORKSPACE (object), result, &error);

  if (self->workspace == NULL)
    return;
  if (done == NULL)
    kt_toast_error (GTK_WIDGET (self), error);
  else
    kt_toast_done (GTK_WIDGET (self), self->workspace, done);
}

static void
delete_activated_cb (GSimpleAction *action,
                     GVariant      *parameter,
                     gpointer       user_data)
{
  KtRecordPage *self = KT_RECORD_PAGE (user_data);

  kt_workspace_delete_async (self->workspace, kt_editor_get_object (self->editor), kt_editor_get_id (self->editor), 1, done_cb, g_object_ref (self));
}

static void
restore_activated_cb (GSimpleAction *action,
                      GVariant      *parameter,
                      gpointer       user_data)
{
  KtRecordPage *self = KT_RECORD_PAGE (user_data);

  kt_workspace_restore_async (self->workspace, kt_editor_get_object (self->editor), kt_editor_get_id (self->editor), 1, done_cb, g_object_ref (self));
}

static void
open_window_activated_cb (GSimpleAction *action,
                          GVariant      *parameter,
                          gpointer       user_data)
{
  KtRecordPage *self = KT_RECORD_PAGE (user_data);

  kt_navigate_record_window (GTK_WIDGET (self), kt_editor_get_object (self->editor), kt_editor_get_id (self->editor));
}

/* Of the field that has the focus; else of all. */
static void
versions_activated_cb (GSimpleAction *action,
                       GVariant      *parameter,
                       gpointer       user_data)
{
  KtRecordPage *self = KT_RECORD_PAGE (user_data);
  GtkWidget *focus = gtk_root_get_focus (gtk_widget_get_root (GTK_WIDGET (self)));
  GtkWidget *row = focus != NULL ? gtk_widget_get_ancestor (focus, KT_TYPE_FIELD_ROW) : NULL;

  kt_navigate_versions (GTK_WIDGET (self), self->workspace, kt_editor_get_object (self->editor), kt_editor_get_id (self->editor),
                        row != NULL ? kt_field_row_get_field (KT_FIELD_ROW (row)) : NULL);
}

static void
add_note_activated_cb (GSimpleAction *action,
                       GVariant      *parameter,
                       gpointer       user_data)
{
  KtRecordPage *self = KT_RECORD_PAGE (user_data);

  adw_view_stack_set_visible_child_name (self->views, "timeline");
  kt_timeline_view_add_note (self->timeline);
}

/* ---- KtView ---- */

static char *
kt_record_page_get_title (KtView *view)
{
  KtRecordPage *self = KT_RECORD_PAGE (view);
  char *title = NULL;

  if (kt_editor_get_is_new (self->editor))
    /* Translators: %s is a kind of record: "New Contact" */
    return g_strdup_printf (_("New %s"), object_label (self));
  g_object_get (self->editor, "title", &title, NULL);
  return title != NULL ? title : g_strdup ("");
}

static char *
kt_record_page_get_subtitle (KtView *view)
{
  return g_strdup (object_label (KT_RECORD_PAGE (view)));
}

static GtkWidget *
kt_record_page_get_header_end (KtView *view)
{
  return KT_RECORD_PAGE (view)->header_end;
}

static void
leave_cb (gpointer user_data)
{
  g_autoptr (Leaving) leaving = user_data;

  leaving->go (leaving->data);
}

static void
leave_response_cb (AdwMessageDialog *dialog,
                   const char       *response,
                   gpointer          user_data)
{
  g_autoptr (Leaving) leaving = user_data;
  KtRecordPage *self = leaving->self;

  if (self->editor == NULL)
    return;
  if (g_str_equal (response, "save"))
    save (self, leaving->go, leaving->data, g_steal_pointer (&leaving->free_data));
  else if (g_str_equal (response, "discard"))
    {
      kt_editor_revert (self->editor, NULL);
      /* Going may close the window, and the dialog has to be gone from it by then. */
      g_idle_add_once (leave_cb, g_steal_pointer (&leaving));
    }
}

static gboolean
kt_record_page_may_leave (KtView        *view,
                          KtViewContinue go,
                          gpointer       data,
                          GDestroyNotify free_data)
{
  KtRecordPage *self = KT_RECORD_PAGE (view);
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  g_autofree char *title = NULL;
  Leaving *leaving;
  GtkWidget *dialog;

  if (!kt_editor_get_dirty (self->editor) || !GTK_IS_WINDOW (root))
    return TRUE;
  title = kt_record_page_get_title (view);
  dialog = adw_message_dialog_new (GTK_WINDOW (root), _("Save Changes?"), NULL);
  /* Translators: %s is the title of a record */
  adw_message_dialog_format_body (ADW_MESSAGE_DIALOG (dialog), _("What you typed in “%s” is not saved."), title);
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Cancel"), "discard", _("_Discard"), "save", _("_Save"), NULL);
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "discard", ADW_RESPONSE_DESTRUCTIVE);
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "save", ADW_RESPONSE_SUGGESTED);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), "save");
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  leaving = g_new0 (Leaving, 1);
  leaving->self = g_object_ref (self);
  leaving->go = go;
  leaving->data = data;
  leaving->free_data = free_data;
  g_signal_connect (dialog, "response", G_CALLBACK (leave_response_cb), leaving);
  gtk_window_present (GTK_WINDOW (dialog));
  return FALSE;
}

static void
kt_record_page_make_new (KtView *view)
{
  KtRecordPage *self = KT_RECORD_PAGE (view);

  if (kt_workspace_may_create (self->workspace, kt_editor_get_object (self->editor), NULL))
    kt_navigate_new (GTK_WIDGET (self), kt_editor_get_object (self->editor));
}

static void
kt_record_page_view_init (KtViewInterface *iface)
{
  iface->get_title = kt_record_page_get_title;
  iface->get_subtitle = kt_record_page_get_subtitle;
  iface->get_header_end = kt_record_page_get_header_end;
  iface->may_leave = kt_record_page_may_leave;
  iface->make_new = kt_record_page_make_new;
}

/* ---- wide and narrow ---- */

static void
apply_layout (KtRecordPage *self,
              gboolean      narrow)
{
  AdwViewStackPage *page = adw_view_stack_get_page (self->views, GTK_WIDGET (self->narrow_bin));

  self->narrow = narrow;
  adw_bin_set_child (narrow ? self->wide_bin : self->narrow_bin, NULL);
  adw_bin_set_child (narrow ? self->narrow_bin : self->wide_bin, self->details);
  gtk_widget_set_visible (GTK_WIDGET (self->wide_bin), !narrow);
  adw_view_stack_page_set_visible (page, narrow);
  adw_view_stack_set_visible_child_name (self->views, narrow ? "details" : "timeline");
}

/* Children cannot be moved while sizes are given out: it is done right after. */
static gboolean
layout_cb (gpointer user_data)
{
  KtRecordPage *self = KT_RECORD_PAGE (user_data);
  gboolean is_new = kt_editor_get_is_new (self->editor);
  gboolean narrow = !is_new && self->width < NARROW;

  self->layout_source = 0;
  if (narrow != self->narrow)
    apply_layout (self, narrow);
  /* What was never saved has neither past nor relations. */
  gtk_widget_set_visible (gtk_paned_get_end_child (self->paned), !is_new);
  if (!narrow)
    gtk_paned_set_position (self->paned, self->width * 3 / 5);
  /* Whoever shows the page has put the focus somewhere by now. */
  if (!self->focused && is_new && self->form != NULL && gtk_widget_get_mapped (GTK_WIDGET (self)))
    self->focused = kt_form_focus_first (KT_FORM (self->form));
  return G_SOURCE_REMOVE;
}

static void
kt_record_page_size_allocate (GtkWidget *widget,
                              int        width,
                              int        height,
                              int        baseline)
{
  KtRecordPage *self = KT_RECORD_PAGE (widget);
  int minimum;

  gtk_widget_measure (GTK_WIDGET (self->stack), GTK_ORIENTATION_HORIZONTAL, -1, &minimum, NULL, NULL, NULL);
  gtk_widget_size_allocate (GTK_WIDGET (self->stack), &(GtkAllocation) { 0, 0, MAX (width, minimum), height }, baseline);
  if (width == self->width)
    return;
  self->width = width;
  queue_layout (self);
}

static void
kt_record_page_measure (GtkWidget      *widget,
                        GtkOrientation  orientation,
                        int             for_size,
                        int            *minimum,
                        int            *natural,
                        int            *minimum_baseline,
                        int            *natural_baseline)
{
  KtRecordPage *self = KT_RECORD_PAGE (widget);
  int child_minimum;

  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    {
      /* So that a wide window can be made narrow: then the other layout is taken. */
      gtk_widget_measure (GTK_WIDGET (self->stack), orientation, -1, &child_minimum, natural, NULL, NULL);
      *minimum = self->narrow ? MIN (child_minimum, MINIMUM_WIDTH) : MINIMUM_WIDTH;
      return;
    }
  gtk_widget_measure (GTK_WIDGET (self->stack), GTK_ORIENTATION_HORIZONTAL, -1, &child_minimum, NULL, NULL, NULL);
  gtk_widget_measure (GTK_WIDGET (self->stack), orientation, for_size < 0 ? -1 : MAX (for_size, child_minimum), minimum, natural, NULL, NULL);
}

static void
kt_record_page_root (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (kt_record_page_parent_class)->root (widget);
  if (KT_RECORD_PAGE (widget)->editor != NULL)
    update_actions (KT_RECORD_PAGE (widget));
}

/* ---- overrides ---- */

static void
kt_record_page_dispose (GObject *object)
{
  KtRecordPage *self = KT_RECORD_PAGE (object);

  g_clear_handle_id (&self->layout_source, g_source_remove);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_RECORD_PAGE);
  g_clear_object (&self->details);
  self->form = NULL;
  g_clear_object (&self->actions);
  g_clear_object (&self->editor);
  g_clear_object (&self->workspace);

  G_OBJECT_CLASS (kt_record_page_parent_class)->dispose (object);
}

static void
kt_record_page_finalize (GObject *object)
{
  KtRecordPage *self = KT_RECORD_PAGE (object);

  g_clear_pointer (&self->lists, g_ptr_array_unref);
  g_clear_pointer (&self->adders, g_ptr_array_unref);

  G_OBJECT_CLASS (kt_record_page_parent_class)->finalize (object);
}

static void
kt_record_page_class_init (KtRecordPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_record_page_dispose;
  G_OBJECT_CLASS (klass)->finalize = kt_record_page_finalize;
  widget_class->size_allocate = kt_record_page_size_allocate;
  widget_class->measure = kt_record_page_measure;
  widget_class->root = kt_record_page_root;

  g_type_ensure (KT_TYPE_TIMELINE_VIEW);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-record-page.ui");
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, header_end);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, stack);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, gone_page);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, error_page);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, bin_bar);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, icon);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, mark);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, title);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, facts);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, paned);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, wide_bin);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, narrow_bin);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, views);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, timeline);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, related_box);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, add_box);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, add_heading);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, related_empty);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, save_bar);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, save_label);
  gtk_widget_class_bind_template_child (widget_class, KtRecordPage, revert_button);
}

static const GActionEntry record_actions[] = {
  { "save", save_activated_cb, NULL, NULL, NULL, { 0 } },
  { "revert", revert_activated_cb, NULL, NULL, NULL, { 0 } },
  { "delete", delete_activated_cb, NULL, NULL, NULL, { 0 } },
  { "restore", restore_activated_cb, NULL, NULL, NULL, { 0 } },
  { "open-window", open_window_activated_cb, NULL, NULL, NULL, { 0 } },
  { "versions", versions_activated_cb, NULL, NULL, NULL, { 0 } },
  { "add-note", add_note_activated_cb, NULL, NULL, NULL, { 0 } },
};

static void
kt_record_page_init (KtRecordPage *self)
{
  GtkEventController *keys = gtk_shortcut_controller_new ();

  self->lists = g_ptr_array_new ();
  self->adders = g_ptr_array_new ();
  self->actions = g_simple_action_group_new ();
  g_action_map_add_action_entries (G_ACTION_MAP (self->actions), record_actions, G_N_ELEMENTS (record_actions), self);
  gtk_widget_insert_action_group (GTK_WIDGET (self), "record", G_ACTION_GROUP (self->actions));
  gtk_widget_init_template (GTK_WIDGET (self));
  gtk_widget_insert_action_group (self->header_end, "record", G_ACTION_GROUP (self->actions));
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);

  self->details = g_object_ref_sink (gtk_scrolled_window_new ());
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->details), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_widget_set_vexpand (self->details, TRUE);
  apply_layout (self, FALSE);

  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys),
                                        gtk_shortcut_new (gtk_shortcut_trigger_parse_string ("<Control>s"), gtk_named_action_new ("record.save")));
  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys),
                                        gtk_shortcut_new (gtk_shortcut_trigger_parse_string ("<Control>h"), gtk_named_action_new ("record.versions")));
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
}

GtkWidget *
kt_record_page_new (KtWorkspace *workspace,
                    KtEditor    *editor)
{
  KtRecordPage *self = g_object_new (KT_TYPE_RECORD_PAGE, NULL);
  g_autofree char *icon = kt_layout_icon (kt_editor_get_object (editor));

  self->workspace = g_object_ref (workspace);
  self->editor = g_object_ref (editor);
  gtk_image_set_from_icon_name (self->icon, icon);
  g_signal_connect_object (editor, "field-changed", G_CALLBACK (field_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "relations-changed", G_CALLBACK (update_related), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::record", G_CALLBACK (show_record), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::gone", G_CALLBACK (show_record), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::error", G_CALLBACK (show_record), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::is-new", G_CALLBACK (show_record), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::in-bin", G_CALLBACK (show_record), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::title", G_CALLBACK (show_head), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::row-state", G_CALLBACK (show_head), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::dirty", G_CALLBACK (update_actions), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::saving", G_CALLBACK (update_actions), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (workspace, "notify::schema", G_CALLBACK (schema_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_set_visible (gtk_paned_get_end_child (self->paned), !kt_editor_get_is_new (editor));
  show_record (self);
  return GTK_WIDGET (self);
}

KtEditor *
kt_record_page_get_editor (KtRecordPage *self)
{
  return self->editor;
}
