/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* Search, review and the objects by group with live counts; below, the sync row.
 * property "page": name of the object shown ("" none, ":review", ":search"). It activates win.open-list, win.review, win.search. */
#define KT_TYPE_SIDEBAR (kt_sidebar_get_type ())
G_DECLARE_FINAL_TYPE (KtSidebar, kt_sidebar, KT, SIDEBAR, GtkWidget)
void kt_sidebar_set_workspace (KtSidebar *self, KtWorkspace *workspace);
void kt_sidebar_select        (KtSidebar *self, const char *page);

G_END_DECLS
