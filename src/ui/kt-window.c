/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The main window. A leaflet of sidebar and content; the content is a history of
 * views, the last of which is shown. What the workspace is up to decides
 * which page of the outer stack stands:
 *
 *   opening ─► problem
 *      └─► welcome (signed out) ─► loading (first pull) ─► main (ready)          */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-window.h"

#include <glib/gi18n.h>

#include "model/kt-sync-status.h"
#include "ui/kt-application.h"
#include "ui/kt-import-assistant.h"
#include "ui/kt-list-page.h"
#include "ui/kt-outbox-page.h"
#include "ui/kt-record-page.h"
#include "ui/kt-review-page.h"
#include "ui/kt-search-page.h"
#include "ui/kt-sidebar.h"
#include "ui/kt-travel-page.h"
#include "ui/kt-welcome-page.h"

#define MAX_HISTORY 20
#define RETIRE_MS   250

struct _KtWindow
{
  AdwApplicationWindow parent_instance;

  /* owned */
  KtWorkspace  *workspace;
  GSettings    *settings;
  GSignalGroup *workspace_signals;
  GSignalGroup *status_signals;
  GPtrArray    *history;         /* KtView*, the last one is shown */
  GPtrArray    *retired;         /* KtView*, still in the stack; borrowed */
  KtDone       *last_done;

  /* template */
  AdwToastOverlay *toasts;
  GtkStack        *stack;
  AdwStatusPage   *problem_page;
  AdwStatusPage   *loading_page;
  GtkProgressBar  *loading_progress;
  KtWelcomePage   *welcome_page;
  AdwLeaflet      *leaflet;
  GtkWidget       *sidebar_pane, *content_pane;
  AdwWindowTitle  *sidebar_title;
  KtSidebar       *sidebar;
  AdwHeaderBar    *header;
  AdwWindowTitle  *title;
  GtkWidget       *back_button;
  GtkStack        *views;

  /* state */
  guint            retire_timeout;
  guint            closing : 1;
};

static void kt_window_toplevel_init (KtToplevelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtWindow, kt_window, ADW_TYPE_APPLICATION_WINDOW,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_TOPLEVEL, kt_window_toplevel_init))

typedef struct
{
  KtWindow *window;
  char     *action;
  GVariant *parameter;
} Going;

static void
going_free (gpointer data)
{
  Going *going = data;

  g_object_unref (going->window);
  g_free (going->action);
  g_clear_pointer (&going->parameter, g_variant_unref);
  g_free (going);
}

/* ---- the view that is shown ---- */

static KtView *
current_view (KtWindow *self)
{
  return self->history->len > 0 ? g_ptr_array_index (self->history, self->history->len - 1) : NULL;
}

static void
update_header (KtWindow *self)
{
  KtView *view = current_view (self);
  gboolean folded = adw_leaflet_get_folded (self->leaflet);
  g_autofree char *title = NULL;
  g_autofree char *subtitle = NULL;

  gtk_widget_set_visible (self->back_button, folded || self->history->len > 1);
  adw_header_bar_set_show_start_title_buttons (self->header, folded);
  if (view == NULL)
    return;
  title = kt_view_get_title (view);
  subtitle = kt_view_get_subtitle (view);
  adw_window_title_set_title (self->title, title);
  adw_window_title_set_subtitle (self->title, subtitle != NULL ? subtitle : "");
  gtk_window_set_title (GTK_WINDOW (self), title);
}

/* Widgets of a view stay in the header bar as long as the view is in the history, and are hidden while another one is
 * shown: GTK 4.8 loses the actions of a button that is taken out and put back. They stand in boxes, because whether the
 * widget itself is visible is the view's own business. */
static const char *const header_keys[] = { "kt-header-start", "kt-header-end" };

static void
add_header_widgets (KtWindow *self,
                    KtView   *view)
{
  GtkWidget *widgets[] = { kt_view_get_header_start (view), kt_view_get_header_end (view) };

  for (guint i = 0; i < G_N_ELEMENTS (widgets); i++)
    {
      GtkWidget *box;

      if (widgets[i] == NULL)
        continue;
      box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
      gtk_box_append (GTK_BOX (box), widgets[i]);
      g_object_set_data (G_OBJECT (view), header_keys[i], box);
      if (i == 0)
        adw_header_bar_pack_start (self->header, box);
      else
        adw_header_bar_pack_end (self->header, box);
    }
}

static void
remove_header_widgets (KtWindow *self,
                       KtView   *view)
{
  for (guint i = 0; i < G_N_ELEMENTS (header_keys); i++)
    {
      GtkWidget *box = g_object_steal_data (G_OBJECT (view), header_keys[i]);
      GtkWidget *child;

      if (box == NULL)
        continue;
      while ((child = gtk_widget_get_first_child (box)) != NULL)
        gtk_box_remove (GTK_BOX (box), child);
      adw_header_bar_remove (self->header, box);
    }
}

static void
show_header_widgets (KtWindow *self)
{
  for (guint v = 0; v < self->history->len; v++)
    for (guint i = 0; i < G_N_ELEMENTS (header_keys); i++)
      {
        KtView *view = g_ptr_array_index (self->history, v);
        GtkWidget *box = g_object_get_data (G_OBJECT (view), header_keys[i]);

        if (box != NULL)
          gtk_widget_set_visible (box, view == current_view (self));
      }
}

static void
update_actions (KtWindow *self)
{
  gboolean ready = self->workspace != NULL && kt_workspace_get_state (self->workspace) == KT_WORKSPACE_READY;
  static const char *const need_ready[] = { "win.open-list", "win.open-bin", "win.open-record", "win.open-record-window",
                                            "win.new-record", "win.new", "win.find", "win.search", "win.review",
                                            "win.outbox", "win.travel",
                                            "win.import", "win.sync-now" };

  for (guint i = 0; i < G_N_ELEMENTS (need_ready); i++)
    gtk_widget_action_set_enabled (GTK_WIDGET (self), need_ready[i], ready);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "win.undo", ready && self->last_done != NULL);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "win.sign-out", ready);
}

/* The row of the sidebar where the view belongs, however one came to it. */
static const char *
sidebar_page (KtView *view)
{
  if (KT_IS_LIST_PAGE (view))
    return kt_list_page_get_object (KT_LIST_PAGE (view))->name;
  if (KT_IS_RECORD_PAGE (view))
    return kt_editor_get_object (kt_record_page_get_editor (KT_RECORD_PAGE (view)))->name;
  return KT_IS_REVIEW_PAGE (view) ? ":review" : "";
}

static void
show_top (KtWindow *self)
{
  KtView *view = current_view (self);

  kt_sidebar_select (self->sidebar, view != NULL ? sidebar_page (view) : "");
  show_header_widgets (self);
  if (view != NULL)
    gtk_stack_set_visible_child (self->views, GTK_WIDGET (view));
  update_header (self);
}

static KtView *
leave_view (KtWindow *self,
            guint     index)
{
  KtView *view = g_ptr_array_index (self->history, index);

  g_signal_handlers_disconnect_by_data (view, self);
  remove_header_widgets (self, view);
  g_ptr_array_remove_index (self->history, index);
  return view;
}

static void
drop_view (KtWindow *self,
           guint     index)
{
  gtk_stack_remove (self->views, GTK_WIDGET (leave_view (self, index)));
}

static void
drop_retired (KtWindow *self)
{
  g_clear_handle_id (&self->retire_timeout, g_source_remove);
  for (guint i = 0; i < self->retired->len; i++)
    gtk_stack_remove (self->views, g_ptr_array_index (self->retired, i));
  g_ptr_array_set_size (self->retired, 0);
}

static gboolean
retire_cb (gpointer data)
{
  KtWindow *self = data;

  self->retire_timeout = 0;
  drop_retired (self);
  return G_SOURCE_REMOVE;
}

/* A list that leaves the window takes all its rows apart, which is half of the time from a click to the next list. That
 * waits until the new view has been painted. */
static void
retire_view (KtWindow *self,
             guint     index)
{
  g_ptr_array_add (self->retired, leave_view (self, index));
  if (self->retire_timeout == 0)
    self->retire_timeout = g_timeout_add_full (G_PRIORITY_LOW, RETIRE_MS, retire_cb, self, NULL);
}

/* The keyboard goes where the eye goes: a page says by its grab_focus where that is. One that has no such place
 * gets it with the first Tab; nothing outside of it keeps the focus meanwhile. */
static void
focus_view (KtWindow *self)
{
  KtView *view = current_view (self);
  GtkWidget *focus = gtk_window_get_focus (GTK_WINDOW (self));

  if (view == NULL || (focus != NULL && gtk_widget_is_ancestor (focus, GTK_WIDGET (view))))
    return;
  if (!gtk_widget_grab_focus (GTK_WIDGET (view)))
    gtk_window_set_focus (GTK_WINDOW (self), NULL);
}

static void
push_view (KtWindow  *self,
           GtkWidget *view,
           gboolean   fresh)
{
  guint old = fresh ? self->history->len : 0;

  /* Else the stack would carry the focus over, past the place the new page chose for it. */
  gtk_window_set_focus (GTK_WINDOW (self), NULL);
  gtk_stack_add_child (self->views, view);
  add_header_widgets (self, KT_VIEW (view));
  g_signal_connect_object (view, "view-changed", G_CALLBACK (update_header), self, G_CONNECT_SWAPPED);
  g_ptr_array_add (self->history, view);
  show_top (self);
  /* What is left behind goes only after the new view is there, so that nothing flickers. */
  while (old-- > 0)
    retire_view (self, 0);
  while (self->history->len > MAX_HISTORY)
    drop_view (self, 0);
  if (fresh)
    update_header (self);
  adw_leaflet_set_visible_child (self->leaflet, self->content_pane);
  focus_view (self);
}

static void
clear_views (KtWindow *self)
{
  drop_retired (self);
  while (self->history->len > 0)
    drop_view (self, self->history->len - 1);
}

static void
go_on (gpointer data)
{
  Going *going = data;

  gtk_widget_activate_action_variant (GTK_WIDGET (going->window), going->action, going->parameter);
}

/* TRUE: go. FALSE: the view has asked, and the action is done again when the person agrees. */
static gboolean
may_leave (KtWindow   *self,
           const char *action,
           GVariant   *parameter)
{
  KtView *view = current_view (self);
  Going *going;

  if (view == NULL)
    return TRUE;
  going = g_new0 (Going, 1);
  going->window = g_object_ref (self);
  going->action = g_strdup (action);
  going->parameter = parameter != NULL ? g_variant_ref_sink (parameter) : NULL;
  if (!kt_view_may_leave (view, go_on, going, going_free))
    return FALSE;
  going_free (going);
  return TRUE;
}

/* ---- actions ---- */

static void
open_list_action (GtkWidget  *widget,
                  const char *name,
                  GVariant   *parameter)
{
  KtWindow *self = KT_WINDOW (widget);
  const char *object_name = g_variant_get_string (parameter, NULL);
  const KtObject *object = kt_workspace_get_object (self->workspace, object_name);
  gboolean bin = g_str_equal (name, "win.open-bin");

  if (object == NULL || !may_leave (self, name, parameter))
    return;
  push_view (self, kt_list_page_new (self->workspace, object, bin), !bin);
  if (!bin)
    g_settings_set_string (self->settings, "last-page", object_name);
}

static void
open_record_action (GtkWidget  *widget,
                    const char *name,
                    GVariant   *parameter)
{
  KtWindow *self = KT_WINDOW (widget);
  const char *object_name, *id_text;
  const KtObject *object;
  KtEditor *editor;
  KtId id;

  g_variant_get (parameter, "(&s&s)", &object_name, &id_text);
  object = kt_workspace_get_object (self->workspace, object_name);
  if (object == NULL || !kt_id_parse (id_text, -1, &id))
    return;
  if (g_str_equal (name, "win.open-record-window"))
    {
      g_autoptr (KtEditor) own = kt_editor_open (self->workspace, object, &id);

      gtk_window_present (kt_record_window_new (gtk_window_get_application (GTK_WINDOW (self)), self->workspace, own));
      return;
    }
  if (!may_leave (self, name, parameter))
    return;
  editor = kt_editor_open (self->workspace, object, &id);
  push_view (self, kt_record_page_new (self->workspace, editor), FALSE);
  g_object_unref (editor);
}

static void
new_record_action (GtkWidget  *widget,
                   const char *name,
                   GVariant   *parameter)
{
  KtWindow *self = KT_WINDOW (widget);
  const KtObject *object = kt_workspace_get_object (self->workspace, g_variant_get_string (parameter, NULL));
  KtEditor *editor;

  if (object == NULL || !may_leave (self, name, parameter))
    return;
  editor = kt_editor_new (self->workspace, object);
  push_view (self, kt_record_page_new (self->workspace, editor), FALSE);
  g_object_unref (editor);
}

static void
new_action (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  KtView *view = current_view (KT_WINDOW (widget));

  if (view != NULL)
    kt_view_make_new (view);
}

static void
find_action (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  KtView *view = current_view (KT_WINDOW (widget));

  if (view != NULL)
    kt_view_focus_filter (view);
}

static void
search_action (GtkWidget  *widget,
               const char *name,
               GVariant   *parameter)
{
  KtWindow *self = KT_WINDOW (widget);
  KtView *view = current_view (self);

  if (KT_IS_SEARCH_PAGE (view))
    {
      kt_view_focus_filter (view);
      return;
    }
  if (!may_leave (self, name, parameter))
    return;
  push_view (self, kt_search_page_new (self->workspace), FALSE);
}

/* Pages of which there is one. */
static void
page_action (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  static const struct { const char *name; GType (*type) (void); GtkWidget *(*make) (KtWorkspace *workspace); } pages[] = {
    { "win.review", kt_review_page_get_type, kt_review_page_new },
    { "win.outbox", kt_outbox_page_get_type, kt_outbox_page_new },
    { "win.travel", kt_travel_page_get_type, kt_travel_page_new },
  };
  KtWindow *self = KT_WINDOW (widget);
  KtView *view = current_view (self);

  for (guint i = 0; i < G_N_ELEMENTS (pages); i++)
    if (g_str_equal (name, pages[i].name) && !(view != NULL && G_TYPE_CHECK_INSTANCE_TYPE (view, pages[i].type ()))
        && may_leave (self, name, parameter))
      push_view (self, pages[i].make (self->workspace), TRUE);
}

static void
import_action (GtkWidget  *widget,
               const char *name,
               GVariant   *parameter)
{
  KtWindow *self = KT_WINDOW (widget);
  const KtObject *object = kt_workspace_get_object (self->workspace, g_variant_get_string (parameter, NULL));

  if (object != NULL)
    gtk_window_present (kt_import_assistant_new (GTK_WINDOW (self), self->workspace, object, NULL));
}

static void
back_action (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  KtWindow *self = KT_WINDOW (widget);

  if (self->history->len > 1)
    {
      KtView *view;

      if (!may_leave (self, name, parameter))
        return;
      view = current_view (self);
      g_object_ref (view);
      g_signal_handlers_disconnect_by_data (view, self);
      g_ptr_array_set_size (self->history, self->history->len - 1);
      show_top (self);
      remove_header_widgets (self, view);
      gtk_stack_remove (self->views, GTK_WIDGET (view));
      g_object_unref (view);
      focus_view (self);
    }
  else if (adw_leaflet_get_folded (self->leaflet))
    adw_leaflet_set_visible_child (self->leaflet, self->sidebar_pane);
}

static void
sync_now_action (GtkWidget  *widget,
                 const char *name,
                 GVariant   *parameter)
{
  kt_sync_status_sync_now (kt_workspace_get_sync_status (KT_WINDOW (widget)->workspace));
}

static void
undone_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (KtWindow) self = KT_WINDOW (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = kt_workspace_done_finish (KT_WORKSPACE (object), result, &error);

  if (done == NULL)
    kt_toast_error (GTK_WIDGET (self), error);
  else
    kt_toast_text (GTK_WIDGET (self), kt_done_text (done));
}

static void
undo_action (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  KtWindow *self = KT_WINDOW (widget);
  g_autoptr (KtDone) done = g_steal_pointer (&self->last_done);

  update_actions (self);
  if (done != NULL)
    kt_workspace_undo_async (self->workspace, done, undone_cb, g_object_ref (self));
}

static void
signed_out_cb (GObject      *object,
               GAsyncResult *result,
               gpointer      user_data)
{
  g_autoptr (KtWindow) self = KT_WINDOW (user_data);
  g_autoptr (GError) error = NULL;
  gint64 unsettled = 0;

  if (!kt_workspace_sign_out_finish (KT_WORKSPACE (object), result, &unsettled, &error))
    {
      kt_toast_error (GTK_WIDGET (self), error);
      return;
    }
  if (unsettled > 0)
    {
      g_autofree char *text = g_strdup_printf (ngettext ("Signed out. %d change waits here until you sign in again.",
                                                         "Signed out. %d changes wait here until you sign in again.",
                                                         (gulong) unsettled), (int) unsettled);

      kt_toast_text (GTK_WIDGET (self), text);
    }
}

static void
sign_out_action (GtkWidget  *widget,
                 const char *name,
                 GVariant   *parameter)
{
  KtWindow *self = KT_WINDOW (widget);

  if (may_leave (self, name, parameter))
    kt_workspace_sign_out_async (self->workspace, signed_out_cb, g_object_ref (self));
}

/* ---- the workspace ---- */

static void
open_first_page (KtWindow *self)
{
  g_autofree char *last = g_settings_get_string (self->settings, "last-page");
  const KtObject *object = last[0] != '\0' ? kt_workspace_get_object (self->workspace, last) : NULL;

  if (object == NULL)
    object = kt_workspace_get_object (self->workspace, "account");
  if (object != NULL && self->history->len == 0)
    gtk_widget_activate_action (GTK_WIDGET (self), "win.open-list", "s", object->name);
}

static void
state_changed_cb (KtWindow *self)
{
  const char *page = "opening";

  update_actions (self);
  if (self->workspace != NULL)
    switch (kt_workspace_get_state (self->workspace))
      {
      case KT_WORKSPACE_SIGNED_OUT:
        page = "welcome";
        clear_views (self);
        break;
      case KT_WORKSPACE_LOADING:
        page = "loading";
        break;
      case KT_WORKSPACE_READY:
      default:
        page = "main";
        adw_window_title_set_title (self->sidebar_title, kt_workspace_get_title (self->workspace));
        adw_window_title_set_subtitle (self->sidebar_title, kt_workspace_get_user_name (self->workspace));
        open_first_page (self);
        break;
      }
  gtk_stack_set_visible_child_name (self->stack, page);
}

static void
status_changed_cb (KtWindow *self)
{
  g_autofree char *detail = NULL;
  KtSyncStatus *status;
  double fraction;

  if (kt_workspace_get_state (self->workspace) != KT_WORKSPACE_LOADING)
    return;
  status = kt_workspace_get_sync_status (self->workspace);
  fraction = kt_sync_status_get_fraction (status);
  detail = g_markup_escape_text (kt_sync_status_get_detail (status), -1);
  adw_status_page_set_description (self->loading_page, detail);
  if (fraction >= 0)
    gtk_progress_bar_set_fraction (self->loading_progress, CLAMP (fraction, 0, 1));
  else
    gtk_progress_bar_pulse (self->loading_progress);
}

static void
told_cb (KtWindow   *self,
         const char *text)
{
  kt_toast_text (GTK_WIDGET (self), text);
}

/* A number, and a way to the sentences. */
static void
news_cb (KtWindow *self,
         guint     n)
{
  g_autofree char *text = g_strdup_printf (ngettext ("%u change of yours was merged or replaced", "%u changes of yours were merged or replaced", n), n);

  if (!KT_IS_REVIEW_PAGE (current_view (self)))
    kt_toast_action (GTK_WIDGET (self), text, _("_Show"), "win.review");
}

/* ---- overrides ---- */

static AdwToastOverlay *
kt_window_get_toasts (KtToplevel *toplevel)
{
  return KT_WINDOW (toplevel)->toasts;
}

static void
kt_window_toplevel_init (KtToplevelInterface *iface)
{
  iface->get_toasts = kt_window_get_toasts;
}

static void
close_for_good (gpointer data)
{
  KtWindow *self = data;

  self->closing = TRUE;
  gtk_window_close (GTK_WINDOW (self));
}

static gboolean
kt_window_close_request (GtkWindow *window)
{
  KtWindow *self = KT_WINDOW (window);
  KtView *view = current_view (self);
  int width, height;

  if (!self->closing && view != NULL)
    {
      if (!kt_view_may_leave (view, close_for_good, g_object_ref (self), g_object_unref))
        return TRUE;
      g_object_unref (self);
    }
  gtk_window_get_default_size (window, &width, &height);
  g_settings_set_boolean (self->settings, "window-maximized", gtk_window_is_maximized (window));
  if (!gtk_window_is_maximized (window) && width >= 360 && height >= 294)
    {
      g_settings_set_int (self->settings, "window-width", width);
      g_settings_set_int (self->settings, "window-height", height);
    }
  return GTK_WINDOW_CLASS (kt_window_parent_class)->close_request (window);
}

static void
kt_window_dispose (GObject *object)
{
  KtWindow *self = KT_WINDOW (object);

  if (self->views != NULL)
    clear_views (self);
  g_clear_object (&self->workspace_signals);
  g_clear_object (&self->status_signals);
  g_clear_object (&self->settings);
  g_clear_object (&self->workspace);
  g_clear_pointer (&self->last_done, kt_done_unref);
  self->views = NULL;
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_WINDOW);

  G_OBJECT_CLASS (kt_window_parent_class)->dispose (object);
}

static void
kt_window_finalize (GObject *object)
{
  g_clear_pointer (&KT_WINDOW (object)->history, g_ptr_array_unref);
  g_clear_pointer (&KT_WINDOW (object)->retired, g_ptr_array_unref);

  G_OBJECT_CLASS (kt_window_parent_class)->finalize (object);
}

static void
kt_window_class_init (KtWindowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = kt_window_dispose;
  object_class->finalize = kt_window_finalize;
  GTK_WINDOW_CLASS (klass)->close_request = kt_window_close_request;

  g_type_ensure (KT_TYPE_SIDEBAR);
  g_type_ensure (KT_TYPE_WELCOME_PAGE);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-window.ui");
  gtk_widget_class_bind_template_child (widget_class, KtWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, problem_page);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, loading_page);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, loading_progress);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, welcome_page);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, leaflet);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, sidebar_pane);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, content_pane);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, sidebar_title);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, sidebar);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, header);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, title);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, back_button);
  gtk_widget_class_bind_template_child (widget_class, KtWindow, views);
  gtk_widget_class_bind_template_callback (widget_class, update_header);

  gtk_widget_class_install_action (widget_class, "win.open-list", "s", open_list_action);
  gtk_widget_class_install_action (widget_class, "win.open-bin", "s", open_list_action);
  gtk_widget_class_install_action (widget_class, "win.open-record", "(ss)", open_record_action);
  gtk_widget_class_install_action (widget_class, "win.open-record-window", "(ss)", open_record_action);
  gtk_widget_class_install_action (widget_class, "win.new-record", "s", new_record_action);
  gtk_widget_class_install_action (widget_class, "win.new", NULL, new_action);
  gtk_widget_class_install_action (widget_class, "win.find", NULL, find_action);
  gtk_widget_class_install_action (widget_class, "win.search", NULL, search_action);
  gtk_widget_class_install_action (widget_class, "win.review", NULL, page_action);
  gtk_widget_class_install_action (widget_class, "win.outbox", NULL, page_action);
  gtk_widget_class_install_action (widget_class, "win.travel", NULL, page_action);
  gtk_widget_class_install_action (widget_class, "win.import", "s", import_action);
  gtk_widget_class_install_action (widget_class, "win.back", NULL, back_action);
  gtk_widget_class_install_action (widget_class, "win.sync-now", NULL, sync_now_action);
  gtk_widget_class_install_action (widget_class, "win.undo", NULL, undo_action);
  gtk_widget_class_install_action (widget_class, "win.sign-out", NULL, sign_out_action);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_f, GDK_CONTROL_MASK, "win.find", NULL);
}

static void
kt_window_init (KtWindow *self)
{
  self->history = g_ptr_array_new ();
  self->retired = g_ptr_array_new ();
  self->settings = g_settings_new (KT_APP_ID);
  gtk_widget_init_template (GTK_WIDGET (self));
  gtk_window_set_default_size (GTK_WINDOW (self), g_settings_get_int (self->settings, "window-width"),
                               g_settings_get_int (self->settings, "window-height"));
  if (g_settings_get_boolean (self->settings, "window-maximized"))
    gtk_window_maximize (GTK_WINDOW (self));
  self->workspace_signals = g_signal_group_new (KT_TYPE_WORKSPACE);
  g_signal_group_connect_swapped (self->workspace_signals, "notify::state", G_CALLBACK (state_changed_cb), self);
  g_signal_group_connect_swapped (self->workspace_signals, "notify::title", G_CALLBACK (state_changed_cb), self);
  g_signal_group_connect_swapped (self->workspace_signals, "told", G_CALLBACK (told_cb), self);
  g_signal_group_connect_swapped (self->workspace_signals, "news", G_CALLBACK (news_cb), self);
  self->status_signals = g_signal_group_new (KT_TYPE_SYNC_STATUS);
  g_signal_group_connect_swapped (self->status_signals, "notify", G_CALLBACK (status_changed_cb), self);
  update_actions (self);
}

KtWindow *
kt_window_new (AdwApplication *application)
{
  return g_object_new (KT_TYPE_WINDOW, "application", application, NULL);
}

void
kt_window_set_workspace (KtWindow    *self,
                         KtWorkspace *workspace)
{
  if (!g_set_object (&self->workspace, workspace))
    return;
  g_signal_group_set_target (self->workspace_signals, workspace);
  g_signal_group_set_target (self->status_signals, workspace != NULL ? kt_workspace_get_sync_status (workspace) : NULL);
  kt_sidebar_set_workspace (self->sidebar, workspace);
  kt_welcome_page_set_workspace (self->welcome_page, workspace);
  state_changed_cb (self);
}

void
kt_window_show_problem (KtWindow     *self,
                        const GError *error)
{
  g_autofree char *text = g_markup_escape_text (error->message, -1);

  adw_status_page_set_description (self->problem_page, text);
  gtk_stack_set_visible_child_name (self->stack, "problem");
}

void
kt_window_remember_done (KtWindow *self,
                         KtDone   *done)
{
  kt_done_ref (done);
  g_clear_pointer (&self->last_done, kt_done_unref);
  self->last_done = done;
  update_actions (self);
}
