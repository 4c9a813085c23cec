/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* What the sync row says, truthfully. Properties notify:
 * "mood" (KtSyncMood), "headline" ("Up to date", "Offline", "3 changes waiting", "Working…"), "detail" ("Synced 2 minutes ago", reason in words),
 * "waiting", "parked", "review" (uint), "online", "paused", "fraction" (double; -1 when no long pull). All texts localised. */
typedef enum { KT_MOOD_OK, KT_MOOD_WORKING, KT_MOOD_OFFLINE, KT_MOOD_PAUSED, KT_MOOD_ATTENTION, KT_MOOD_PROBLEM, KT_MOOD_SIGNED_OUT } KtSyncMood;
#define KT_TYPE_SYNC_MOOD (kt_sync_mood_get_type ())
GType         kt_sync_mood_get_type (void);
#define KT_TYPE_SYNC_STATUS (kt_sync_status_get_type ())
G_DECLARE_FINAL_TYPE (KtSyncStatus, kt_sync_status, KT, SYNC_STATUS, GObject)
KtSyncStatus *kt_workspace_get_sync_status (KtWorkspace *workspace);     /* borrowed; the same for the life of the workspace */
KtSyncMood    kt_sync_status_get_mood (KtSyncStatus *self);
const char   *kt_sync_status_get_headline (KtSyncStatus *self);
const char   *kt_sync_status_get_detail (KtSyncStatus *self);
guint         kt_sync_status_get_waiting (KtSyncStatus *self);
guint         kt_sync_status_get_parked (KtSyncStatus *self);
guint         kt_sync_status_get_review (KtSyncStatus *self);
double        kt_sync_status_get_fraction (KtSyncStatus *self);
void          kt_sync_status_sync_now (KtSyncStatus *self);
void          kt_sync_status_set_paused (KtSyncStatus *self, gboolean paused);
gboolean      kt_sync_status_get_paused (KtSyncStatus *self);

/* The outbox in sentences: GListModel of KtOutboxItem, parked ones first, then oldest first.
 * properties of the model: "n-items", "n-more" (uint: beyond the 200 shown). Of an item: "text", "reason", "when", "state". */
#define KT_TYPE_OUTBOX_ITEM (kt_outbox_item_get_type ())
G_DECLARE_FINAL_TYPE (KtOutboxItem, kt_outbox_item, KT, OUTBOX_ITEM, GObject)
typedef enum { KT_OUTBOX_ITEM_QUEUED, KT_OUTBOX_ITEM_SENT, KT_OUTBOX_ITEM_PARKED } KtOutboxItemState;
#define KT_TYPE_OUTBOX_ITEM_STATE (kt_outbox_item_state_get_type ())
GType             kt_outbox_item_state_get_type (void);
const char       *kt_outbox_item_get_text   (KtOutboxItem *item);
const char       *kt_outbox_item_get_reason (KtOutboxItem *item);    /* why it is parked; NULL */
const char       *kt_outbox_item_get_when   (KtOutboxItem *item);
KtOutboxItemState kt_outbox_item_get_state  (KtOutboxItem *item);
const KtObject   *kt_outbox_item_get_object (KtOutboxItem *item);    /* first record, to open; may be NULL */
const KtId       *kt_outbox_item_get_id     (KtOutboxItem *item);
#define KT_TYPE_OUTBOX_MODEL (kt_outbox_model_get_type ())
G_DECLARE_FINAL_TYPE (KtOutboxModel, kt_outbox_model, KT, OUTBOX_MODEL, GObject)
KtOutboxModel *kt_outbox_model_new (KtWorkspace *workspace);
void      kt_outbox_model_undo_async    (KtOutboxModel *self, KtOutboxItem *item, GAsyncReadyCallback callback, gpointer user_data);   /* queued ones; CONFLICT: sent meanwhile */
void      kt_outbox_model_retry_async   (KtOutboxModel *self, KtOutboxItem *item, GAsyncReadyCallback callback, gpointer user_data);   /* parked ones */
void      kt_outbox_model_discard_async (KtOutboxModel *self, KtOutboxItem *item, GAsyncReadyCallback callback, gpointer user_data);   /* parked ones; kept in the history */
gboolean  kt_outbox_model_finish        (KtOutboxModel *self, GAsyncResult *result, GError **error);

G_END_DECLS
