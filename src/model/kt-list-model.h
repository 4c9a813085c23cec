/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* A lazy GListModel of KtRow over one KtQuery. Items are stable *slots*: row
 * positions whose content changes by notify. The ids are one array of 8-byte row
 * numbers from one read transaction; rows come in pages by id as they are asked for.
 * A refresh never emits items_changed (0, n, n): only the difference in count, at the
 * tail; bound slots re-read. A new sort or filter on a big list costs one id array.
 *
 * properties: "loading", "n-items" via GListModel, "total"
 * signal "refreshed": a new id array stands. */
#define KT_TYPE_ROW (kt_row_get_type ())
G_DECLARE_FINAL_TYPE (KtRow, kt_row, KT, ROW, GObject)

/* A slot. property "record" (KtRecord boxed, NULL until loaded): notify::record is the only thing a cell listens to. */
KtRecord   *kt_row_get_record (KtRow *row);              /* borrowed */
guint       kt_row_get_position (KtRow *row);
/* Text of a column, formatted and localised, cached until the record changes; "" until loaded. Borrowed. */
const char *kt_row_get_text   (KtRow *row, const KtField *field);
/* What unsettled state the record is in: for the small mark in lists. */
typedef enum { KT_ROW_SETTLED, KT_ROW_WAITING, KT_ROW_PARKED, KT_ROW_REVIEW } KtRowState;
KtRowState  kt_row_get_state  (KtRow *row);

#define KT_TYPE_LIST_MODEL (kt_list_model_get_type ())
G_DECLARE_FINAL_TYPE (KtListModel, kt_list_model, KT, LIST_MODEL, GObject)

KtListModel   *kt_list_model_new       (KtWorkspace *workspace);
/* Copies @query. The first 512 ids are taken first, for the first frame, the whole array after it. Late answers are dropped. */
void           kt_list_model_set_query (KtListModel *self, const KtQuery *query);
const KtQuery *kt_list_model_get_query (KtListModel *self);
/* Quick filter as typed (full text within the object), without touching the rest of the query. */
void           kt_list_model_set_search (KtListModel *self, const char *text);
gboolean       kt_list_model_get_loading (KtListModel *self);
/* Where a record stands now; GTK_INVALID_LIST_POSITION-like G_MAXUINT when not in the list. */
guint          kt_list_model_find (KtListModel *self, const KtId *id);
/* Ids at positions, without loading rows (for bulk commands). Missing ones are skipped. */
void           kt_list_model_ids_async  (KtListModel *self, const guint *positions, guint n, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
GArray        *kt_list_model_ids_finish (KtListModel *self, GAsyncResult *result, GError **error);   /* KtId */

G_END_DECLS
