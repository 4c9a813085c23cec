/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-timeline.h"

G_BEGIN_DECLS

/* What happened with a record, newest first, and an entry for a note on top. */
#define KT_TYPE_TIMELINE_VIEW (kt_timeline_view_get_type ())
G_DECLARE_FINAL_TYPE (KtTimelineView, kt_timeline_view, KT, TIMELINE_VIEW, GtkWidget)
/* A record that was never saved has no timeline yet: set it when it has. */
void kt_timeline_view_set_record (KtTimelineView *self, KtWorkspace *workspace, const KtObject *object, const KtId *id);
void kt_timeline_view_add_note   (KtTimelineView *self);      /* puts the cursor there */

G_END_DECLS
