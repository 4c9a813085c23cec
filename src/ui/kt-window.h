/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* The main window, and the face every page talks to. Pages never know one another: they go
 * places through these functions (or the actions of the same names) on the
 * toplevel they stand in.
 *
 * actions: win.open-list (s object)  win.open-bin (s object, "" = all)  win.open-record ((ss) object, id)
 *          win.open-record-window ((ss))  win.new-record (s object)  win.search  win.review  win.import (s object)
 *          win.export  win.back  win.sync-now  win.undo  app.preferences  app.about  app.quit  win.show-help-overlay */
#define KT_TYPE_WINDOW (kt_window_get_type ())
G_DECLARE_FINAL_TYPE (KtWindow, kt_window, KT, WINDOW, AdwApplicationWindow)

KtWindow *kt_window_new (AdwApplication *application);
void      kt_window_set_workspace (KtWindow *self, KtWorkspace *workspace);   /* NULL: first-run page */

/* ---- kt-navigation.c: for any widget; they find the toplevel and activate the action ---- */
void kt_navigate_list   (GtkWidget *from, const KtObject *object);
void kt_navigate_record (GtkWidget *from, const KtObject *object, const KtId *id);
void kt_navigate_record_window (GtkWidget *from, const KtObject *object, const KtId *id);
void kt_navigate_new    (GtkWidget *from, const KtObject *object);
/* A toast with Undo; the last one is also what Ctrl+Z takes back. */
void kt_toast_done  (GtkWidget *from, KtWorkspace *workspace, KtDone *done);
/* A toast for a failure (cancelled is not shown). */
void kt_toast_error (GtkWidget *from, const GError *error);
void kt_toast_text  (GtkWidget *from, const char *text);

/* Implemented by both toplevels (main window, record window): where toasts go. */
#define KT_TYPE_TOPLEVEL (kt_toplevel_get_type ())
G_DECLARE_INTERFACE (KtToplevel, kt_toplevel, KT, TOPLEVEL, GtkWidget)
struct _KtToplevelInterface
{
  GTypeInterface parent;
  AdwToastOverlay *(*get_toasts) (KtToplevel *self);
};

G_END_DECLS
