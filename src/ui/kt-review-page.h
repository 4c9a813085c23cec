/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* What needs a person's decision: base, mine and theirs side by side, with who and when. A KtView. */
#define KT_TYPE_REVIEW_PAGE (kt_review_page_get_type ())
G_DECLARE_FINAL_TYPE (KtReviewPage, kt_review_page, KT, REVIEW_PAGE, GtkWidget)
GtkWidget *kt_review_page_new (KtWorkspace *workspace);

G_END_DECLS
