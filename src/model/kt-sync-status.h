/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* What the sync row says, truthfully. Properties notify:
 * "mood" (KtSyncMood), "headline" ("Up to date", "Offline", "3 changes waiting", "Working…"), "detail" ("Synced 2 minutes ago", reason in words),
 * "waiting", "parked", "review", "news" (uint), "online", "paused" (kept over restarts), "fraction" (double; -1 when no long pull),
 * "speed" (of a long pull; NULL), "traffic" ("1.2 MB since the start, 3.4 MB today"). All texts localised. */
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
/* What became of the person's changes and was not looked at yet (kt-news-model). */
guint         kt_sync_status_get_news (KtSyncStatus *self);
const char   *kt_sync_status_get_speed (KtSyncStatus *self);      /* NULL: no long pull, or too early to say */
const char   *kt_sync_status_get_traffic (KtSyncStatus *self);
gint64        kt_sync_status_get_last_sync (KtSyncStatus *self);  /* µs since 1970; 0 never */
/* Something that happened to this profile and its owner should know (the server was restored, the profile was copied), in
 * words; NULL: nothing, or it was dismissed. Property "notice". */
const char   *kt_sync_status_get_notice     (KtSyncStatus *self);
void          kt_sync_status_dismiss_notice (KtSyncStatus *self);
/* A trial without network: every exchange fails as if the cable were out, until it is taken back or the program ends. */
void          kt_sync_status_set_cut (KtSyncStatus *self, gboolean cut);
void          kt_sync_status_sync_now (KtSyncStatus *self);
void          kt_sync_status_set_paused (KtSyncStatus *self, gboolean paused);
gboolean      kt_sync_status_get_paused (KtSyncStatus *self);

/* The outbox in sentences: GListModel of KtOutboxItem, entries of one record together, newest last; records with something parked first.
 * properties of the model: "n-items", "n-more" (uint: beyond the 200 shown). Of an item: "text", "reason", "when", "state", "record-title". */
#define KT_TYPE_OUTBOX_ITEM (kt_outbox_item_get_type ())
G_DECLARE_FINAL_TYPE (KtOutboxItem, kt_outbox_item, KT, OUTBOX_ITEM, GObject)
typedef enum { KT_OUTBOX_ITEM_QUEUED, KT_OUTBOX_ITEM_SENT, KT_OUTBOX_ITEM_PARKED } KtOutboxItemState;
#define KT_TYPE_OUTBOX_ITEM_STATE (kt_outbox_item_state_get_type ())
GType             kt_outbox_item_state_get_type (void);
const char       *kt_outbox_item_get_text   (KtOutboxItem *item);
const char       *kt_outbox_item_get_reason (KtOutboxItem *item);    /* why it is parked; NULL */
const char       *kt_outbox_item_get_when   (KtOutboxItem *item);
const char       *kt_outbox_item_get_record_title (KtOutboxItem *item);   /* of the first record; "" none */
gboolean          kt_outbox_item_get_waits  (KtOutboxItem *item);    /* for a parked one; the reason says which */
/* What a parked one wants of its first record, as text to be put right: KtOutboxValue*; may be empty (a delete). Borrowed. */
typedef struct { const KtField *field; char *text; } KtOutboxValue;
GPtrArray        *kt_outbox_item_get_values (KtOutboxItem *item);
KtOutboxItemState kt_outbox_item_get_state  (KtOutboxItem *item);
const KtObject   *kt_outbox_item_get_object (KtOutboxItem *item);    /* first record, to open; may be NULL */
const KtId       *kt_outbox_item_get_id     (KtOutboxItem *item);
#define KT_TYPE_OUTBOX_MODEL (kt_outbox_model_get_type ())
G_DECLARE_FINAL_TYPE (KtOutboxModel, kt_outbox_model, KT, OUTBOX_MODEL, GObject)
KtOutboxModel *kt_outbox_model_new (KtWorkspace *workspace);
KtOutboxModel *kt_outbox_model_new_parked (KtWorkspace *workspace);      /* only those that were not accepted */
void      kt_outbox_model_undo_async    (KtOutboxModel *self, KtOutboxItem *item, GAsyncReadyCallback callback, gpointer user_data);   /* queued ones; CONFLICT: sent meanwhile */
void      kt_outbox_model_retry_async   (KtOutboxModel *self, KtOutboxItem *item, GAsyncReadyCallback callback, gpointer user_data);   /* parked ones */
void      kt_outbox_model_discard_async (KtOutboxModel *self, KtOutboxItem *item, GAsyncReadyCallback callback, gpointer user_data);   /* parked ones; kept in the history */
/* Parked ones: other values, one text for each of its values, and again. INVALID names the field. */
void      kt_outbox_model_amend_async   (KtOutboxModel *self, KtOutboxItem *item, const char *const *texts, GAsyncReadyCallback callback, gpointer user_data);
/* All that is not settled into a file, whole or not at all. */
void      kt_outbox_model_export_async  (KtOutboxModel *self, const char *path, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_outbox_model_finish        (KtOutboxModel *self, GAsyncResult *result, GError **error);

G_END_DECLS
