/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "model/kt-review.h"

G_BEGIN_DECLS

/* One rule for many questions: what it is for, what it takes, what that would decide; then all of it as one step.
 * @rule: one to begin with; NULL: the most particular scope there is. Signal "decided" (KtDone*). */
#define KT_TYPE_RULES_WINDOW (kt_rules_window_get_type ())
G_DECLARE_FINAL_TYPE (KtRulesWindow, kt_rules_window, KT, RULES_WINDOW, AdwWindow)
GtkWindow *kt_rules_window_new (GtkWindow *parent, KtReviewModel *model, const KtReviewRule *rule);

G_END_DECLS
