/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A record in a window of its own. It knows the same actions as the main window: records open in
 * further windows, everything else is the main window's. */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include <adwaita.h>

#include "ui/kt-record-page.h"
#include "ui/kt-window.h"

#define KT_TYPE_RECORD_WINDOW (kt_record_window_get_type ())
G_DECLARE_FINAL_TYPE (KtRecordWindow, kt_record_window, KT, RECORD_WINDOW, AdwApplicationWindow)

struct _KtRecordWindow
{
  AdwApplicationWindow parent_instance;

  /* owned */
  KtWorkspace     *workspace;

  /* template */
  AdwToastOverlay *toasts;
  AdwHeaderBar    *header;
  AdwWindowTitle  *title;
  AdwBin          *content;

  /* borrowed */
  KtView          *view;

  /* state */
  guint            closing : 1;
};

static void kt_record_window_toplevel_init (KtToplevelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtRecordWindow, kt_record_window, ADW_TYPE_APPLICATION_WINDOW,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_TOPLEVEL, kt_record_window_toplevel_init))

static void
update_header (KtRecordWindow *self)
{
  g_autofree char *title = kt_view_get_title (self->view);
  g_autofree char *subtitle = kt_view_get_subtitle (self->view);

  adw_window_title_set_title (self->title, title);
  adw_window_title_set_subtitle (self->title, subtitle != NULL ? subtitle : "");
  gtk_window_set_title (GTK_WINDOW (self), title);
}

/* ---- actions ---- */

static GtkWindow *
find_main (GtkApplication *application)
{
  for (GList *l = gtk_application_get_windows (application); l != NULL; l = l->next)
    if (KT_IS_WINDOW (l->data))
      return l->data;
  return NULL;
}

static void
forward_action (GtkWidget  *widget,
                const char *name,
                GVariant   *parameter)
{
  GtkApplication *application = gtk_window_get_application (GTK_WINDOW (widget));
  GtkWindow *main = application != NULL ? find_main (application) : NULL;

  if (main == NULL && application != NULL)
    {
      g_application_activate (G_APPLICATION (application));
      main = find_main (application);
    }
  if (main == NULL)
    return;
  gtk_window_present (main);
  gtk_widget_activate_action_variant (GTK_WIDGET (main), name, parameter);
}

static void
open_record_action (GtkWidget  *widget,
                    const char *name,
                    GVariant   *parameter)
{
  KtRecordWindow *self = KT_RECORD_WINDOW (widget);
  const char *object_name, *id_text;
  const KtObject *object;
  g_autoptr (KtEditor) editor = NULL;
  KtId id;

  g_variant_get (parameter, "(&s&s)", &object_name, &id_text);
  object = kt_workspace_get_object (self->workspace, object_name);
  if (object == NULL || !kt_id_parse (id_text, -1, &id))
    return;
  editor = kt_editor_open (self->workspace, object, &id);
  gtk_window_present (kt_record_window_new (gtk_window_get_application (GTK_WINDOW (self)), self->workspace, editor));
}

static void
new_record_action (GtkWidget  *widget,
                   const char *name,
                   GVariant   *parameter)
{
  KtRecordWindow *self = KT_RECORD_WINDOW (widget);
  const KtObject *object = kt_workspace_get_object (self->workspace, g_variant_get_string (parameter, NULL));
  g_autoptr (KtEditor) editor = NULL;

  if (object == NULL || !kt_workspace_may_create (self->workspace, object, NULL))
    return;
  editor = kt_editor_new (self->workspace, object);
  gtk_window_present (kt_record_window_new (gtk_window_get_application (GTK_WINDOW (self)), self->workspace, editor));
}

static void
new_action (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  kt_view_make_new (KT_RECORD_WINDOW (widget)->view);
}

static void
find_action (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  kt_view_focus_filter (KT_RECORD_WINDOW (widget)->view);
}

static void
back_action (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  gtk_window_close (GTK_WINDOW (widget));
}

static void
state_changed_cb (KtRecordWindow *self)
{
  /* Signed out: what stood here is nobody's business now. */
  if (kt_workspace_get_state (self->workspace) == KT_WORKSPACE_SIGNED_OUT)
    gtk_window_destroy (GTK_WINDOW (self));
}

/* ---- overrides ---- */

static AdwToastOverlay *
kt_record_window_get_toasts (KtToplevel *toplevel)
{
  return KT_RECORD_WINDOW (toplevel)->toasts;
}

static void
kt_record_window_toplevel_init (KtToplevelInterface *iface)
{
  iface->get_toasts = kt_record_window_get_toasts;
}

static void
close_for_good (gpointer data)
{
  KtRecordWindow *self = data;

  self->closing = TRUE;
  gtk_window_close (GTK_WINDOW (self));
}

static gboolean
kt_record_window_close_request (GtkWindow *window)
{
  KtRecordWindow *self = KT_RECORD_WINDOW (window);

  if (!self->closing)
    {
      if (!kt_view_may_leave (self->view, close_for_good, g_object_ref (self), g_object_unref))
        return TRUE;
      g_object_unref (self);
    }
  return GTK_WINDOW_CLASS (kt_record_window_parent_class)->close_request (window);
}

static void
kt_record_window_dispose (GObject *object)
{
  KtRecordWindow *self = KT_RECORD_WINDOW (object);

  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_RECORD_WINDOW);
  g_clear_object (&self->workspace);

  G_OBJECT_CLASS (kt_record_window_parent_class)->dispose (object);
}

static void
kt_record_window_class_init (KtRecordWindowClass *klass)
{
  static const char *const forwarded[] = { "win.search", "win.review", "win.outbox", "win.travel", "win.sync-now", "win.undo", "win.sign-out" };
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_record_window_dispose;
  GTK_WINDOW_CLASS (klass)->close_request = kt_record_window_close_request;

  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-record-window.ui");
  gtk_widget_class_bind_template_child (widget_class, KtRecordWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, KtRecordWindow, header);
  gtk_widget_class_bind_template_child (widget_class, KtRecordWindow, title);
  gtk_widget_class_bind_template_child (widget_class, KtRecordWindow, content);

  for (guint i = 0; i < G_N_ELEMENTS (forwarded); i++)
    gtk_widget_class_install_action (widget_class, forwarded[i], NULL, forward_action);
  gtk_widget_class_install_action (widget_class, "win.open-list", "s", forward_action);
  gtk_widget_class_install_action (widget_class, "win.open-bin", "s", forward_action);
  gtk_widget_class_install_action (widget_class, "win.import", "s", forward_action);
  gtk_widget_class_install_action (widget_class, "win.open-record", "(ss)", open_record_action);
  gtk_widget_class_install_action (widget_class, "win.open-record-window", "(ss)", open_record_action);
  gtk_widget_class_install_action (widget_class, "win.new-record", "s", new_record_action);
  gtk_widget_class_install_action (widget_class, "win.new", NULL, new_action);
  gtk_widget_class_install_action (widget_class, "win.find", NULL, find_action);
  gtk_widget_class_install_action (widget_class, "win.back", NULL, back_action);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_w, GDK_CONTROL_MASK, "win.back", NULL);
}

static void
kt_record_window_init (KtRecordWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

/* The window that shows this record already. */
static GtkWindow *
find_window (GtkApplication *application,
             KtEditor       *editor)
{
  for (GList *l = gtk_application_get_windows (application); l != NULL; l = l->next)
    if (KT_IS_RECORD_WINDOW (l->data) && KT_RECORD_WINDOW (l->data)->view != NULL
        && kt_id_equal (kt_editor_get_id (kt_record_page_get_editor (KT_RECORD_PAGE (KT_RECORD_WINDOW (l->data)->view))),
                        kt_editor_get_id (editor)))
      return l->data;
  return NULL;
}

GtkWindow *
kt_record_window_new (GtkApplication *application,
                      KtWorkspace    *workspace,
                      KtEditor       *editor)
{
  GtkWindow *there = application != NULL ? find_window (application, editor) : NULL;
  KtRecordWindow *self;
  GtkWidget *end;

  if (there != NULL)
    return there;
  self = g_object_new (KT_TYPE_RECORD_WINDOW, "application", application, NULL);
  self->workspace = g_object_ref (workspace);
  self->view = KT_VIEW (kt_record_page_new (workspace, editor));
  adw_bin_set_child (self->content, GTK_WIDGET (self->view));
  end = kt_view_get_header_end (self->view);
  if (end != NULL)
    adw_header_bar_pack_end (self->header, end);
  g_signal_connect_object (self->view, "view-changed", G_CALLBACK (update_header), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (workspace, "notify::state", G_CALLBACK (state_changed_cb), self, G_CONNECT_SWAPPED);
  update_header (self);
  return GTK_WINDOW (self);
}
