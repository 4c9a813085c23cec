/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-editor.h"

G_BEGIN_DECLS

/* Every field of a record, in the sections of the layout. Empty fields that nobody has to fill in are
 * folded away until asked for; system information is closed at first. Rows are made when they are first seen. */
#define KT_TYPE_FORM (kt_form_get_type ())
G_DECLARE_FINAL_TYPE (KtForm, kt_form, KT, FORM, GtkWidget)
GtkWidget *kt_form_new         (KtEditor *editor);
/* The first field that has a problem; of a new record else the first one. FALSE: none. */
gboolean   kt_form_focus_first (KtForm *self);

G_END_DECLS
