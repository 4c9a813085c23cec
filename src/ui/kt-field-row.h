/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-editor.h"

G_BEGIN_DECLS

/* A field in a form: label, control (or the text, where it may not be edited), what is wrong with it, and
 * what others made of it meanwhile. */
#define KT_TYPE_FIELD_ROW (kt_field_row_get_type ())
G_DECLARE_FINAL_TYPE (KtFieldRow, kt_field_row, KT, FIELD_ROW, GtkWidget)
GtkWidget     *kt_field_row_new       (KtEditor *editor, const KtField *field);
const KtField *kt_field_row_get_field (KtFieldRow *self);
void           kt_field_row_refresh   (KtFieldRow *self);

G_END_DECLS
