/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* Activities (tasks, calls, meetings, e-mails, notes) and changes of one record,
 * newest first: a GListModel of KtTimelineItem. Changes come from the ledger as far as it is known
 * here; when online they are fetched, and the property "complete" says whether they are.
 *
 * properties: "loading", "complete", "has-more" (older ones: kt_timeline_load_more). The items' texts are properties of the same names. */
#define KT_TYPE_TIMELINE_ITEM (kt_timeline_item_get_type ())
G_DECLARE_FINAL_TYPE (KtTimelineItem, kt_timeline_item, KT, TIMELINE_ITEM, GObject)
#define KT_TYPE_TIMELINE (kt_timeline_get_type ())
G_DECLARE_FINAL_TYPE (KtTimeline, kt_timeline, KT, TIMELINE, GObject)

typedef enum { KT_TIMELINE_TASK, KT_TIMELINE_CALL, KT_TIMELINE_MEETING, KT_TIMELINE_EMAIL, KT_TIMELINE_NOTE, KT_TIMELINE_CHANGE } KtTimelineKind;
KtTimelineKind  kt_timeline_item_get_kind  (KtTimelineItem *item);
const char     *kt_timeline_item_get_title (KtTimelineItem *item);    /* localised sentence or subject */
const char     *kt_timeline_item_get_body  (KtTimelineItem *item);    /* plain text; may be "" */
const char     *kt_timeline_item_get_who   (KtTimelineItem *item);    /* "" unknown */
const char     *kt_timeline_item_get_when  (KtTimelineItem *item);    /* localised */
KtRecord       *kt_timeline_item_get_record (KtTimelineItem *item);   /* activity to open; NULL for changes */
gboolean        kt_timeline_item_get_pending (KtTimelineItem *item);  /* written here and not yet settled */

KtTimeline *kt_timeline_new (KtWorkspace *workspace, const KtObject *object, const KtId *id);
gboolean    kt_timeline_get_complete (KtTimeline *self);
gboolean    kt_timeline_get_has_more (KtTimeline *self);
void        kt_timeline_load_more    (KtTimeline *self);
/* Adds a note (rich_text body) on the record: one commit. */
void        kt_timeline_add_note_async  (KtTimeline *self, const char *text, GAsyncReadyCallback callback, gpointer user_data);
KtDone     *kt_timeline_add_note_finish (KtTimeline *self, GAsyncResult *result, GError **error);

G_END_DECLS
