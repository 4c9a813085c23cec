/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* Prepared for travel: what this computer holds if the network goes away now. A GListModel of KtTravelLine, one for
 * each kind of record that there is something of. Asked for anew when something moved, at most once a second.
 *
 * properties (all texts localised, "" until known): "ready" (nothing is missing), "verdict" ("You can leave: …"), "freshness",
 * "total" ("6,210 records, 12.3 MB"), "attachments", "missing" (what is not here and should be; "" nothing), "space",
 * "fraction" (of what is wanted, how much is here: 0 to 1), "fetching", "rehearsing", "seconds-left" (uint), "result" (of the last
 * rehearsal, "" none), "passed" (it found nothing wrong), "rule". */
#define KT_TYPE_TRAVEL_LINE (kt_travel_line_get_type ())
G_DECLARE_FINAL_TYPE (KtTravelLine, kt_travel_line, KT, TRAVEL_LINE, GObject)
const KtObject *kt_travel_line_get_object (KtTravelLine *line);
const char     *kt_travel_line_get_label  (KtTravelLine *line);
const char     *kt_travel_line_get_text   (KtTravelLine *line);     /* "1,204 records, 2.1 MB" */

typedef enum { KT_TRAVEL_NO_FILES, KT_TRAVEL_MY_FILES, KT_TRAVEL_ALL_FILES } KtTravelRule;
#define KT_TYPE_TRAVEL_RULE (kt_travel_rule_get_type ())
GType           kt_travel_rule_get_type (void);

#define KT_TYPE_TRAVEL (kt_travel_get_type ())
G_DECLARE_FINAL_TYPE (KtTravel, kt_travel, KT, TRAVEL, GObject)
KtTravel    *kt_travel_new      (KtWorkspace *workspace);
/* Which attachments shall be here without being asked for. What the rule no longer keeps leaves the disk. */
void         kt_travel_set_rule (KtTravel *self, KtTravelRule rule);
/* Syncs, and has everything fetched that is missing: "fetching" until it is, or it cannot go on. */
void         kt_travel_fetch    (KtTravel *self);
/* The network is off for a minute (or until kt_travel_stop): lists, records, search and attachments are opened as a person would,
 * then "result" says in words whether that worked. The minute is the person's to try it. */
void         kt_travel_rehearse (KtTravel *self);
void         kt_travel_stop     (KtTravel *self);
/* For tests: how long a rehearsal takes. */
void         kt_travel_set_minute (KtTravel *self, guint seconds);

G_END_DECLS
