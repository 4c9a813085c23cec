/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "kt-model-private.h"
#include "model/kt-timeline.h"

G_BEGIN_DECLS

/* kt-timeline-item.c: one entry, and what the ledger says in words. */

/* An activity. The key names it across refreshes. */
KtTimelineItem *_kt_timeline_item_new_activity (KtWorkspace *workspace, KtRecord *record);
gboolean        _kt_timeline_item_update       (KtTimelineItem *item, KtWorkspace *workspace, KtRecord *record);
/* Commits of the ledger (a JSON array of rows, one per field) that touched a record of @object: a new item each; transfer full. */
GPtrArray      *_kt_timeline_items_of_ledger   (KtWorkspace *workspace, const KtObject *object, const char *json);
/* Titles arrived. */
void            _kt_timeline_item_refresh      (KtTimelineItem *item, KtWorkspace *workspace);
const char     *_kt_timeline_item_key          (KtTimelineItem *item);
gint64          _kt_timeline_item_time         (KtTimelineItem *item);
gboolean        _kt_timeline_item_same         (KtTimelineItem *a, KtTimelineItem *b);

G_END_DECLS
