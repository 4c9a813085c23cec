/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-editor.h"

G_BEGIN_DECLS

/* Records that refer to this one, by one field: count, the newest few, all of them on demand, and New. */
#define KT_TYPE_RELATED_LIST (kt_related_list_get_type ())
G_DECLARE_FINAL_TYPE (KtRelatedList, kt_related_list, KT, RELATED_LIST, GtkWidget)
GtkWidget        *kt_related_list_new          (KtWorkspace *workspace, KtEditor *editor, const KtRelation *relation);
const KtRelation *kt_related_list_get_relation (KtRelatedList *self);
/* Opens a new record that refers to this one, in a window of its own. */
void              kt_related_list_make_new     (KtRelatedList *self);

G_END_DECLS
