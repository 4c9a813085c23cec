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
 *          win.open-record-window ((ss))  win.new-record (s object)  win.new  win.find  win.search  win.review  win.outbox  win.travel   win.import (s object)
 *          win.export  win.back  win.sync-now  win.undo  app.preferences  app.about  app.quit  win.show-help-overlay */
#define KT_TYPE_WINDOW (kt_window_get_type ())
G_DECLARE_FINAL_TYPE (KtWindow, kt_window, KT, WINDOW, AdwApplicationWindow)

KtWindow *kt_window_new (AdwApplication *application);
void      kt_window_set_workspace (KtWindow *self, KtWorkspace *workspace);   /* follows its state: first-run page, first pull, content */
void      kt_window_show_problem  (KtWindow *self, const GError *error);      /* the profile cannot be opened: words and remedy */

/* ---- what the window shows on its right: lists, records, review, search (kt-view.c) ---- */
#define KT_TYPE_VIEW (kt_view_get_type ())
G_DECLARE_INTERFACE (KtView, kt_view, KT, VIEW, GtkWidget)
typedef void (*KtViewContinue) (gpointer data);
struct _KtViewInterface
{
  GTypeInterface parent;
  /* Texts of the header bar; emit kt_view_changed when they move. g_free; subtitle may be NULL. */
  char      *(*get_title)        (KtView *self);
  char      *(*get_subtitle)     (KtView *self);
  /* Widgets the toplevel puts into its header bar while the view is shown; owned by the view; may be NULL. */
  GtkWidget *(*get_header_start) (KtView *self);
  GtkWidget *(*get_header_end)   (KtView *self);
  /* TRUE: leave at once; @data stays the caller's. FALSE: the view asks (unsaved edits), calls @go when the person
   * agrees, and frees @data by @free_data whatever the answer. NULL: always TRUE. */
  gboolean   (*may_leave)        (KtView *self, KtViewContinue go, gpointer data, GDestroyNotify free_data);
  /* Ctrl+N, Ctrl+F here. May be NULL. */
  void       (*make_new)         (KtView *self);
  void       (*focus_filter)     (KtView *self);
};
char      *kt_view_get_title        (KtView *self);
char      *kt_view_get_subtitle     (KtView *self);
GtkWidget *kt_view_get_header_start (KtView *self);
GtkWidget *kt_view_get_header_end   (KtView *self);
gboolean   kt_view_may_leave        (KtView *self, KtViewContinue go, gpointer data, GDestroyNotify free_data);
void       kt_view_make_new         (KtView *self);
void       kt_view_focus_filter     (KtView *self);
void       kt_view_changed          (KtView *self);     /* emits signal "view-changed" */

/* 1234567 → "1,234,567". g_free. */
char      *kt_count_text            (gint64 count);

/* ---- kt-navigation.c: for any widget; they find the toplevel and activate the action ---- */
void kt_navigate_list   (GtkWidget *from, const KtObject *object);
void kt_navigate_record (GtkWidget *from, const KtObject *object, const KtId *id);
void kt_navigate_record_window (GtkWidget *from, const KtObject *object, const KtId *id);
void kt_navigate_new    (GtkWidget *from, const KtObject *object);
void kt_window_remember_done (KtWindow *self, KtDone *done);
/* A toast with Undo; the last one is also what Ctrl+Z takes back. */
void kt_toast_done  (GtkWidget *from, KtWorkspace *workspace, KtDone *done);
/* A toast for a failure (cancelled is not shown). */
void kt_toast_error (GtkWidget *from, const GError *error);
/* With a button that does an action of the window it stands in. */
void kt_toast_action (GtkWidget *from, const char *text, const char *label, const char *action);
/* The window of all versions, from the main window or a record window. @field NULL: of all fields. */
void kt_navigate_versions (GtkWidget *from, KtWorkspace *workspace, const KtObject *object, const KtId *id, const KtField *field);
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
