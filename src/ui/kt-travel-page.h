/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* What is on this computer if the network goes away now, and a minute to try it. A KtView. */
#define KT_TYPE_TRAVEL_PAGE (kt_travel_page_get_type ())
G_DECLARE_FINAL_TYPE (KtTravelPage, kt_travel_page, KT, TRAVEL_PAGE, GtkWidget)
GtkWidget *kt_travel_page_new (KtWorkspace *workspace);

G_END_DECLS
