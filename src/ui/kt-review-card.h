/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-review.h"

G_BEGIN_DECLS

/* One question: what it was, what I wrote, what they wrote, and the choice.
 * signal "decided" (take: "mine", "theirs" or NULL; text: what was typed instead or NULL) */
#define KT_TYPE_REVIEW_CARD (kt_review_card_get_type ())
G_DECLARE_FINAL_TYPE (KtReviewCard, kt_review_card, KT, REVIEW_CARD, GtkWidget)
GtkWidget    *kt_review_card_new      (KtReviewItem *item);
KtReviewItem *kt_review_card_get_item (KtReviewCard *self);

G_END_DECLS
