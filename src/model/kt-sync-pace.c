/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How fast a long pull goes and how long it may still take; and what the network
 * was used for. Pure: numbers in, words out.                                     */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "kt-sync-pace.h"

#define SETTLE_US (2 * G_USEC_PER_SEC) /* before anything is said */
#define STEP_US (G_USEC_PER_SEC / 2)

void
_kt_pace_feed (KtPace *pace, gint64 now_us, gint64 rows, gint64 total, gint64 bytes)
{
  gint64 us;

  if (total <= 0 || rows < pace->rows || now_us < pace->at_us)
    *pace = (KtPace){ 0 };
  if (total <= 0)
    return;
  pace->total = total;
  if (pace->began_us == 0)
    {
      pace->began_us = pace->at_us = now_us;
      pace->rows = rows;
      pace->bytes = bytes;
      return;
    }
  us = now_us - pace->at_us;
  if (us < STEP_US)
    return;
  {
    double seconds = (double) us / G_USEC_PER_SEC;
    double weight = pace->row_rate > 0 ? 0.3 : 1;

    pace->row_rate += weight * ((double) (rows - pace->rows) / seconds - pace->row_rate);
    pace->byte_rate += weight * ((double) (bytes - pace->bytes) / seconds - pace->byte_rate);
  }
  pace->at_us = now_us;
  pace->rows = rows;
  pace->bytes = bytes;
}

char *
_kt_pace_words (const KtPace *pace)
{
  g_autofree char *size = NULL;
  g_autofree char *speed = NULL;
  gint64 left;

  if (pace->began_us == 0 || pace->at_us - pace->began_us < SETTLE_US || pace->row_rate < 1)
    return NULL;
  size = g_format_size ((guint64) MAX (0, pace->byte_rate));
  speed = g_strdup_printf (
    /* Translators: speed of a download: records and amount of data, such as “2300 records and 410 kB a second”. */
    ngettext ("%u record and %s a second", "%u records and %s a second", (guint) pace->row_rate),
    (guint) pace->row_rate, size);
  left = (gint64) ((double) MAX (0, pace->total - pace->rows) / pace->row_rate);
  if (left < 5)
    return g_steal_pointer (&speed);
  if (left < 90)
    return g_strdup_printf (
      /* Translators: the speed of a download, and how long it may still take. */
      ngettext ("%s, about %u second left", "%s, about %u seconds left", (guint) left), speed,
      (guint) left);
  return g_strdup_printf (
    /* Translators: the speed of a download, and how long it may still take. */
    ngettext ("%s, about %u minute left", "%s, about %u minutes left", (guint) ((left + 30) / 60)),
    speed, (guint) ((left + 30) / 60));
}

/* ---- data used ---- */

static void
day_of (gint64 now_us, char out[11])
{
  g_autoptr (GDateTime) now = g_date_time_new_from_unix_local (now_us / G_USEC_PER_SEC);
  g_autofree char *text = now != NULL ? g_date_time_format (now, "%Y-%m-%d") : g_strdup ("");

  g_strlcpy (out, text, 11);
}

void
_kt_traffic_feed (KtTraffic *traffic, gint64 now_us, gint64 session)
{
  char day[11];

  day_of (now_us, day);
  if (!g_str_equal (day, traffic->day))
    {
      g_strlcpy (traffic->day, day, sizeof traffic->day);
      traffic->today = 0;
    }
  if (session > traffic->session)
    traffic->today += session - traffic->session;
  traffic->session = session;
}

void
_kt_traffic_load (KtTraffic *traffic, const char *kept)
{
  char day[11] = "";
  gint64 bytes = 0;
  g_auto (GStrv) parts = kept != NULL ? g_strsplit (kept, " ", 2) : NULL;

  if (parts == NULL || g_strv_length (parts) != 2
      || !g_ascii_string_to_signed (parts[1], 10, 0, G_MAXINT64 / 2, &bytes, NULL))
    return;
  g_strlcpy (day, parts[0], sizeof day);
  if (traffic->day[0] == '\0')
    g_strlcpy (traffic->day, day, sizeof traffic->day);
  if (g_str_equal (traffic->day, day))
    traffic->today += bytes;
}

char *
_kt_traffic_kept (const KtTraffic *traffic)
{
  return g_strdup_printf ("%s %" G_GINT64_FORMAT, traffic->day, traffic->today);
}

char *
_kt_traffic_words (const KtTraffic *traffic)
{
  g_autofree char *session = g_format_size ((guint64) traffic->session);
  g_autofree char *today = g_format_size ((guint64) traffic->today);

  /* Translators: amounts of data, such as “1.2 MB since the start, 3.4 MB today”. */
  return g_strdup_printf (_ ("%s since the start, %s today"), session, today);
}
