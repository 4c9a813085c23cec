/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* All records of one object (or what is in its bin): header with title, count, quick
 * filter, New, menu (Import…, Export…, Bin); GtkColumnView over KtListModel. A KtView. */
#define KT_TYPE_LIST_PAGE (kt_list_page_get_type ())
G_DECLARE_FINAL_TYPE (KtListPage, kt_list_page, KT, LIST_PAGE, GtkWidget)
GtkWidget *kt_list_page_new (KtWorkspace *workspace, const KtObject *object, gboolean bin);
const KtObject *kt_list_page_get_object (KtListPage *self);

G_END_DECLS
