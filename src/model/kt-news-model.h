/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* What became of this person's changes (merged, lost to another value), newest first: GListModel of KtNewsItem, at most 50.
 * Of an item: "text" (a sentence), "when", "unseen". */
#define KT_TYPE_NEWS_ITEM (kt_news_item_get_type ())
G_DECLARE_FINAL_TYPE (KtNewsItem, kt_news_item, KT, NEWS_ITEM, GObject)
const char     *kt_news_item_get_text   (KtNewsItem *item);
const char     *kt_news_item_get_when   (KtNewsItem *item);
gboolean        kt_news_item_get_unseen (KtNewsItem *item);
const KtObject *kt_news_item_get_object (KtNewsItem *item);     /* the record, to open; may be NULL */
const KtId     *kt_news_item_get_id     (KtNewsItem *item);

#define KT_TYPE_NEWS_MODEL (kt_news_model_get_type ())
G_DECLARE_FINAL_TYPE (KtNewsModel, kt_news_model, KT, NEWS_MODEL, GObject)
KtNewsModel *kt_news_model_new  (KtWorkspace *workspace);
/* The person has looked at what is there now: the count of the sync row goes. The marks of the items stay for this look. */
void         kt_news_model_seen (KtNewsModel *self);

G_END_DECLS
