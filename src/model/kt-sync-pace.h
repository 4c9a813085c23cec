/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Speed of a long pull: fed with what is done now and then (monotonic µs; total 0: no long pull, begins anew). */
typedef struct { gint64 began_us, at_us, rows, total, bytes; double row_rate, byte_rate; } KtPace;
void  _kt_pace_feed  (KtPace *pace, gint64 now_us, gint64 rows, gint64 total, gint64 bytes);
/* "2300 records and 410 kB a second, about 40 seconds left"; NULL while nothing can be said. g_free. */
char *_kt_pace_words (const KtPace *pace);

/* Bytes of this run of the program and of this day. */
typedef struct { char day[11]; gint64 session, today; } KtTraffic;
void  _kt_traffic_feed  (KtTraffic *traffic, gint64 now_us, gint64 session);
void  _kt_traffic_load  (KtTraffic *traffic, const char *kept);     /* of an earlier run; NULL: none */
char *_kt_traffic_kept  (const KtTraffic *traffic);                 /* g_free */
char *_kt_traffic_words (const KtTraffic *traffic);                 /* g_free */

G_END_DECLS
