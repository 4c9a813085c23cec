/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* The review queue: GListModel of KtReviewItem (open ones assigned to this person), those of one record
 * next to one another, oldest first. The items' texts are properties of the same names too. */
#define KT_TYPE_REVIEW_ITEM (kt_review_item_get_type ())
G_DECLARE_FINAL_TYPE (KtReviewItem, kt_review_item, KT, REVIEW_ITEM, GObject)
const char     *kt_review_item_get_kind    (KtReviewItem *item);     /* "field", "delete_edit", "orphan", … */
const char     *kt_review_item_get_title   (KtReviewItem *item);     /* "Phone of Acme Ltd" */
const char     *kt_review_item_get_record_title (KtReviewItem *item);/* "Acme Ltd" */
const char     *kt_review_item_get_field_label (KtReviewItem *item); /* "Phone"; "" whole record */
const char     *kt_review_item_get_explanation (KtReviewItem *item); /* a sentence: what happened, who, when */
const char     *kt_review_item_get_base    (KtReviewItem *item);     /* display text; "—" for empty */
const char     *kt_review_item_get_mine    (KtReviewItem *item);
const char     *kt_review_item_get_theirs  (KtReviewItem *item);
const char     *kt_review_item_get_mine_by (KtReviewItem *item);     /* "You, 12:04 on this device" */
const char     *kt_review_item_get_theirs_by (KtReviewItem *item);
/* What the two buttons say: "Keep mine", "Take theirs"; for a delete that met an edit "Delete it", "Keep it". */
const char     *kt_review_item_get_mine_action   (KtReviewItem *item);
const char     *kt_review_item_get_theirs_action (KtReviewItem *item);
/* Text to start from when a third value is typed; NULL when there can be none. */
const char     *kt_review_item_get_edit_text (KtReviewItem *item);
const KtObject *kt_review_item_get_object  (KtReviewItem *item);     /* the record concerned, to open */
const KtId     *kt_review_item_get_id      (KtReviewItem *item);
const KtField  *kt_review_item_get_field   (KtReviewItem *item);     /* NULL: whole record */

/* properties: "loading", "n-items", "error" (GError boxed or NULL) */
#define KT_TYPE_REVIEW_MODEL (kt_review_model_get_type ())
G_DECLARE_FINAL_TYPE (KtReviewModel, kt_review_model, KT, REVIEW_MODEL, GObject)
KtReviewModel *kt_review_model_new (KtWorkspace *workspace);
/* take: "mine" or "theirs", or NULL with @text: a value typed instead (INVALID when it does not parse). One commit; takes effect everywhere.
 * CONFLICT: somebody settled it meanwhile. */
void      kt_review_model_resolve_async  (KtReviewModel *self, KtReviewItem *item, const char *take, const char *text, GAsyncReadyCallback callback, gpointer user_data);
KtDone   *kt_review_model_resolve_finish (KtReviewModel *self, GAsyncResult *result, GError **error);

G_END_DECLS
