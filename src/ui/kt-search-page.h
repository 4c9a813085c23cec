/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* One box over everything, as you type. A KtView. */
#define KT_TYPE_SEARCH_PAGE (kt_search_page_get_type ())
G_DECLARE_FINAL_TYPE (KtSearchPage, kt_search_page, KT, SEARCH_PAGE, GtkWidget)
GtkWidget *kt_search_page_new (KtWorkspace *workspace);

G_END_DECLS
