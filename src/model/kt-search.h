/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* Global search as you type: GListModel of KtSearchHit; late answers are dropped: what is shown always belongs to
 * the newest text that was answered. properties "busy", "text" (rw), "n-items". Hits have title, subtitle, snippet as properties. */
#define KT_TYPE_SEARCH_HIT (kt_search_hit_get_type ())
G_DECLARE_FINAL_TYPE (KtSearchHit, kt_search_hit, KT, SEARCH_HIT, GObject)
const KtObject *kt_search_hit_get_object   (KtSearchHit *hit);
const KtId     *kt_search_hit_get_id       (KtSearchHit *hit);
const char     *kt_search_hit_get_title    (KtSearchHit *hit);
const char     *kt_search_hit_get_subtitle (KtSearchHit *hit);
const char     *kt_search_hit_get_snippet  (KtSearchHit *hit);       /* Pango markup, matches in <b> */
#define KT_TYPE_SEARCH (kt_search_get_type ())
G_DECLARE_FINAL_TYPE (KtSearch, kt_search, KT, SEARCH, GObject)
KtSearch   *kt_search_new (KtWorkspace *workspace);
void        kt_search_set_text (KtSearch *self, const char *text);   /* "" empties at once */
const char *kt_search_get_text (KtSearch *self);
gboolean    kt_search_get_busy (KtSearch *self);

G_END_DECLS
