/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* What the sync is up to, in one line at the foot of the sidebar; a click opens
 * the outbox in sentences with undo, retry and discard. */
#define KT_TYPE_SYNC_ROW (kt_sync_row_get_type ())
G_DECLARE_FINAL_TYPE (KtSyncRow, kt_sync_row, KT, SYNC_ROW, GtkWidget)
void kt_sync_row_set_workspace (KtSyncRow *self, KtWorkspace *workspace);

G_END_DECLS
