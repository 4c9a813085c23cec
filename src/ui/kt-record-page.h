/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-editor.h"

G_BEGIN_DECLS

/* One record: header facts and actions, sections from the layout with edit in
 * place, related lists, timeline. The same widget in the main window and in a window of its own.
 * A KtView. Actions: record.save  record.revert  record.delete  record.restore  record.open-window  record.add-note */
#define KT_TYPE_RECORD_PAGE (kt_record_page_get_type ())
G_DECLARE_FINAL_TYPE (KtRecordPage, kt_record_page, KT, RECORD_PAGE, GtkWidget)
GtkWidget *kt_record_page_new (KtWorkspace *workspace, KtEditor *editor);
KtEditor  *kt_record_page_get_editor (KtRecordPage *self);

/* A record in a window of its own (kt-record-window.c), also for new ones. */
GtkWindow *kt_record_window_new (GtkApplication *application, KtWorkspace *workspace, KtEditor *editor);

G_END_DECLS
