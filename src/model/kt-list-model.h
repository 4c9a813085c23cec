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
 * Because slots are positions, a selection kept by position must follow the records: keep their *keys*
 * (kt_list_model_get_keys), and on "refreshed" look where they are now.
 *
 * properties: "loading" (first answer to this query not yet there), "n-items" via GListModel and as property, "total" (guint; of the whole list;
 *             n-items is less while only its head is known), "search", "error" (GError boxed or NULL: shown instead of the rows)
 * signal "refreshed": a new id array stands; emitted after items-changed, before the slots' notify. */
#define KT_TYPE_ROW (kt_row_get_type ())
G_DECLARE_FINAL_TYPE (KtRow, kt_row, KT, ROW, GObject)

/* A slot. property "record" (KtRecord boxed, NULL until loaded): notify::record is the only thing a cell listens to;
 * it also comes when a title or the state of the record arrived. */
KtRecord   *kt_row_get_record (KtRow *row);              /* borrowed */
guint       kt_row_get_position (KtRow *row);
/* Text of a column, formatted and localised, cached until the record changes; "" until loaded. Borrowed until notify::record. */
const char *kt_row_get_text   (KtRow *row, const KtField *field);
const char *kt_row_get_title  (KtRow *row);              /* as kt_workspace_record_title; borrowed */
KtRowState  kt_row_get_state  (KtRow *row);

#define KT_TYPE_LIST_MODEL (kt_list_model_get_type ())
G_DECLARE_FINAL_TYPE (KtListModel, kt_list_model, KT, LIST_MODEL, GObject)

KtListModel   *kt_list_model_new       (KtWorkspace *workspace);
/* Copies @query. As many ids as a screen has rows are taken first, for the first frame, the whole array after it. Late answers are dropped.
 * What is shown stays until the answer is there; for another object the model is emptied at once. */
void           kt_list_model_set_query (KtListModel *self, const KtQuery *query);
const KtQuery *kt_list_model_get_query (KtListModel *self);
/* A click on a header: only the order of the query changes. @field NULL: the object's own order. */
void           kt_list_model_set_sort  (KtListModel *self, const KtField *field, gboolean descending);
/* Quick filter as typed (full text within the object), without touching the rest of the query. */
void           kt_list_model_set_search (KtListModel *self, const char *text);
gboolean       kt_list_model_get_loading (KtListModel *self);
guint          kt_list_model_get_total (KtListModel *self);
const GError  *kt_list_model_get_error (KtListModel *self);
/* Keys of the records by position (KtRecord rid); borrowed until "refreshed". */
const gint64  *kt_list_model_get_keys (KtListModel *self, guint *n);
/* Where the record with this key stands now; GTK_INVALID_LIST_POSITION-like G_MAXUINT when not in the list. */
guint          kt_list_model_find_key (KtListModel *self, gint64 key);
/* The same for a record that may not have been loaded. G_MAXUINT without error: not in the list. */
void           kt_list_model_find_async  (KtListModel *self, const KtId *id, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
guint          kt_list_model_find_finish (KtListModel *self, GAsyncResult *result, GError **error);
/* Ids at positions, without loading rows into the list (for bulk commands). Missing ones are skipped. The records meant are those
 * at these positions at the moment of the call. */
void           kt_list_model_ids_async  (KtListModel *self, const guint *positions, guint n, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
GArray        *kt_list_model_ids_finish (KtListModel *self, GAsyncResult *result, GError **error);   /* KtId; g_array_unref */

G_END_DECLS
