/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How any widget goes somewhere or says something: by the actions and the toast
 * overlay of the toplevel it stands in. */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include <glib/gi18n.h>

#include "ui/kt-versions-window.h"
#include "ui/kt-window.h"

typedef struct
{
  KtWorkspace *workspace;
  KtDone      *done;
  GWeakRef     from;
} Undo;

static void
undo_free (gpointer  data,
           GClosure *closure)
{
  Undo *undo = data;

  g_object_unref (undo->workspace);
  kt_done_unref (undo->done);
  g_weak_ref_clear (&undo->from);
  g_free (undo);
}

static AdwToastOverlay *
find_toasts (GtkWidget *from)
{
  GtkWidget *toplevel = KT_IS_TOPLEVEL (from) ? from : gtk_widget_get_ancestor (from, KT_TYPE_TOPLEVEL);

  return toplevel != NULL ? KT_TOPLEVEL_GET_IFACE (toplevel)->get_toasts (KT_TOPLEVEL (toplevel)) : NULL;
}

static void
show_toast (GtkWidget *from,
            AdwToast  *toast)
{
  AdwToastOverlay *toasts = find_toasts (from);
  AdwToast *last;

  if (toasts == NULL)
    {
      g_object_unref (toast);
      return;
    }
  /* What was done last is what can be taken back: it does not queue behind older news. A problem stays its time. */
  last = g_object_get_data (G_OBJECT (toasts), "kt-last-toast");
  if (last != NULL && adw_toast_get_priority (last) <= adw_toast_get_priority (toast))
    adw_toast_dismiss (last);
  g_object_set_data_full (G_OBJECT (toasts), "kt-last-toast", g_object_ref (toast), g_object_unref);
  adw_toast_overlay_add_toast (toasts, toast);
}

void
kt_navigate_list (GtkWidget      *from,
                  const KtObject *object)
{
  gtk_widget_activate_action (from, "win.open-list", "s", object->name);
}

void
kt_navigate_record (GtkWidget      *from,
                    const KtObject *object,
                    const KtId     *id)
{
  char text[KT_ID_TEXT_SIZE];

  kt_id_format (id, text);
  gtk_widget_activate_action (from, "win.open-record", "(ss)", object->name, text);
}

void
kt_navigate_record_window (GtkWidget      *from,
                           const KtObject *object,
                           const KtId     *id)
{
  char text[KT_ID_TEXT_SIZE];

  kt_id_format (id, text);
  gtk_widget_activate_action (from, "win.open-record-window", "(ss)", object->name, text);
}

void
kt_navigate_new (GtkWidget      *from,
                 const KtObject *object)
{
  gtk_widget_activate_action (from, "win.new-record", "s", object->name);
}

void
kt_navigate_versions (GtkWidget      *from,
                      KtWorkspace    *workspace,
                      const KtObject *object,
                      const KtId     *id,
                      const KtField  *field)
{
  GtkRoot *root = gtk_widget_get_root (from);

  gtk_window_present (kt_versions_window_new (GTK_IS_WINDOW (root) ? GTK_WINDOW (root) : NULL, workspace, object, id,
                                              field != NULL ? field->name : NULL));
}

void
kt_toast_action (GtkWidget  *from,
                 const char *text,
                 const char *label,
                 const char *action)
{
  g_autofree char *markup = g_markup_escape_text (text, -1);
  AdwToast *toast = adw_toast_new (markup);

  adw_toast_set_button_label (toast, label);
  adw_toast_set_action_name (toast, action);
  adw_toast_set_timeout (toast, 8);
  show_toast (from, toast);
}

void
kt_toast_text (GtkWidget  *from,
               const char *text)
{
  g_autofree char *markup = g_markup_escape_text (text, -1);

  show_toast (from, adw_toast_new (markup));
}

void
kt_toast_error (GtkWidget    *from,
                const GError *error)
{
  g_autofree char *markup = NULL;
  AdwToast *toast;

  if (error == NULL || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  markup = g_markup_escape_text (error->message, -1);
  toast = adw_toast_new (markup);
  adw_toast_set_timeout (toast, 8);
  adw_toast_set_priority (toast, ADW_TOAST_PRIORITY_HIGH);
  show_toast (from, toast);
}

static void
undone_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GtkWidget) from = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = kt_workspace_done_finish (KT_WORKSPACE (object), result, &error);

  if (from == NULL)
    return;
  if (done == NULL)
    kt_toast_error (from, error);
  else
    kt_toast_text (from, kt_done_text (done));
}

static void
undo_clicked_cb (AdwToast *toast,
                 gpointer  user_data)
{
  Undo *undo = user_data;

  kt_workspace_undo_async (undo->workspace, undo->done, undone_cb, g_weak_ref_get (&undo->from));
}

void
kt_toast_done (GtkWidget   *from,
               KtWorkspace *workspace,
               KtDone      *done)
{
  g_autofree char *markup = NULL;
  AdwToast *toast;
  GtkRoot *root;

  if (done == NULL)
    return;
  markup = g_markup_escape_text (kt_done_text (done), -1);
  toast = adw_toast_new (markup);
  root = gtk_widget_get_root (from);
  if (kt_done_can_undo (done) && root != NULL)
    {
      Undo *undo = g_new0 (Undo, 1);

      undo->workspace = g_object_ref (workspace);
      undo->done = kt_done_ref (done);
      g_weak_ref_init (&undo->from, root);
      adw_toast_set_button_label (toast, _("_Undo"));
      adw_toast_set_timeout (toast, 8);
      g_signal_connect_data (toast, "button-clicked", G_CALLBACK (undo_clicked_cb), undo, undo_free, 0);
      if (KT_IS_WINDOW (root))
        kt_window_remember_done (KT_WINDOW (root), done);
    }
  show_toast (from, toast);
}
