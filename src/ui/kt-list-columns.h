/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-list-model.h"

G_BEGIN_DECLS

/* The columns of a list of records: cells are GtkInscription (cheap to bind), headers
 * only *say* how to sort; the model does it in the database. */

/* Puts the columns of @object into @view and shows the order of @sort by an arrow. */
void kt_list_columns_build (GtkColumnView *view, KtWorkspace *workspace, const KtObject *object, GSettings *settings,
                            const KtField *sort, gboolean descending);
/* What the headers ask for now. FALSE: no column does. */
gboolean kt_list_columns_get_sort (GtkColumnView *view, const KtField **field, gboolean *descending);
/* The slot a cell shows, by any widget inside a row; NULL when it is none. */
KtRow *kt_list_columns_row_of (GtkWidget *widget);

G_END_DECLS
