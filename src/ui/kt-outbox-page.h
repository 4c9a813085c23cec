/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-sync-status.h"

G_BEGIN_DECLS

/* What is not on the server yet, as sentences: take back, put right, try again, give up. A KtView. */
#define KT_TYPE_OUTBOX_PAGE (kt_outbox_page_get_type ())
G_DECLARE_FINAL_TYPE (KtOutboxPage, kt_outbox_page, KT, OUTBOX_PAGE, GtkWidget)
GtkWidget *kt_outbox_page_new (KtWorkspace *workspace);

/* One entry as a row, for this page and the review page (parked ones). */
GtkWidget    *kt_outbox_row_new (KtOutboxModel *model, KtOutboxItem *item, const char *locale);
KtOutboxItem *kt_outbox_row_get_item (GtkWidget *row);
/* Opens the record. */
void          kt_outbox_row_activate (GtkWidget *row);

G_END_DECLS
