/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* As many equal columns as the width has room for; children in reading order, each row as
 * high as its highest child. A child that is wide takes a row of its own. */
#define KT_TYPE_FORM_GRID (kt_form_grid_get_type ())
G_DECLARE_FINAL_TYPE (KtFormGrid, kt_form_grid, KT, FORM_GRID, GtkWidget)
GtkWidget *kt_form_grid_new      (int column_width, guint max_columns);
/* After @sibling; NULL: first. */
void       kt_form_grid_insert   (KtFormGrid *self, GtkWidget *child, GtkWidget *sibling, gboolean wide);

G_END_DECLS
