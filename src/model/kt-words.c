/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Words for times, and rich text made plain. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kt-model-private.h"

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static GDateTime *
local_time (gint64 us)
{
  g_autoptr (GDateTime) utc = g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC);

  return utc != NULL ? g_date_time_to_local (utc) : NULL;
}

/* Whole days between the dates of two moments. */
static int
days_between (GDateTime *a, GDateTime *b)
{
  GDate da, db;

  g_date_clear (&da, 1);
  g_date_clear (&db, 1);
  g_date_set_dmy (&da, g_date_time_get_day_of_month (a), g_date_time_get_month (a),
                  g_date_time_get_year (a));
  g_date_set_dmy (&db, g_date_time_get_day_of_month (b), g_date_time_get_month (b),
                  g_date_time_get_year (b));
  return g_date_days_between (&da, &db);
}

/* Minutes, hours or days of the past; a clock that was set back must not make a sentence about the future. */
typedef enum
{
  AGO_NOW,
  AGO_MINUTES,
  AGO_HOURS,
  AGO_DAYS
} Ago;

static Ago
ago (gint64 us, gint64 now_us, guint *n)
{
  gint64 seconds = MAX (0, (now_us - us) / G_USEC_PER_SEC);

  if (seconds < 45)
    return AGO_NOW;
  if (seconds < HOUR - MINUTE / 2)
    {
      *n = MAX (1, (guint) ((seconds + MINUTE / 2) / MINUTE));
      return AGO_MINUTES;
    }
  if (seconds < DAY)
    {
      *n = MAX (1, (guint) (seconds / HOUR));
      return AGO_HOURS;
    }
  *n = (guint) MIN (seconds / DAY, 100000);
  return AGO_DAYS;
}

char *
_kt_words_synced (gint64 us, gint64 now_us, gboolean offline)
{
  guint n = 0;

  if (us == 0)
    return g_strdup (offline ? _ ("Never synced") : "");
  switch (ago (us, now_us, &n))
    {
    case AGO_MINUTES:
      return offline
               ? g_strdup_printf (
                 ngettext ("Last synced %u minute ago", "Last synced %u minutes ago", n), n)
               : g_strdup_printf (ngettext ("Synced %u minute ago", "Synced %u minutes ago", n), n);
    case AGO_HOURS:
      return offline
               ? g_strdup_printf (
                 ngettext ("Last synced %u hour ago", "Last synced %u hours ago", n), n)
               : g_strdup_printf (ngettext ("Synced %u hour ago", "Synced %u hours ago", n), n);
    case AGO_DAYS:
      return offline ? g_strdup_printf (
               ngettext ("Last synced %u day ago", "Last synced %u days ago", n), n)
                     : g_strdup_printf (ngettext ("Synced %u day ago", "Synced %u days ago", n), n);
    case AGO_NOW:
    default:
      return g_strdup (offline ? _ ("Last synced just now") : _ ("Synced just now"));
    }
}

char *
_kt_words_when (gint64 us, gint64 now_us)
{
  g_autoptr (GDateTime) then = local_time (us);
  g_autoptr (GDateTime) now = local_time (now_us);
  int days;

  if (us == 0 || then == NULL || now == NULL)
    return g_strdup ("");
  if (us <= now_us + 5 * G_USEC_PER_SEC)
    {
      guint n = 0;
      Ago unit = ago (us, now_us, &n);

      if (unit == AGO_NOW)
        return g_strdup (_ ("Just now"));
      if (unit == AGO_MINUTES)
        return g_strdup_printf (ngettext ("%u minute ago", "%u minutes ago", n), n);
    }

  days = days_between (then, now);
  if (days == 0)
    /* Translators: a time of today, as g_date_time_format () writes it. */
    return g_date_time_format (then, _ ("Today %H:%M"));
  if (days == 1)
    /* Translators: a time of yesterday, as g_date_time_format () writes it. */
    return g_date_time_format (then, _ ("Yesterday %H:%M"));
  if (days == -1)
    /* Translators: a time of tomorrow, as g_date_time_format () writes it. */
    return g_date_time_format (then, _ ("Tomorrow %H:%M"));
  if (g_date_time_get_year (then) == g_date_time_get_year (now))
    /* Translators: a date of this year with its time, as g_date_time_format () writes it. */
    return g_date_time_format (then, _ ("%-d %B, %H:%M"));
  /* Translators: a date of another year, as g_date_time_format () writes it. */
  return g_date_time_format (then, _ ("%-d %B %Y"));
}

guint
_kt_words_stale_after (gint64 us, gint64 now_us)
{
  gint64 seconds = MAX (0, (now_us - us) / G_USEC_PER_SEC);

  if (seconds < 45)
    return 45 - (guint) seconds;
  if (seconds < HOUR - MINUTE / 2)
    {
      guint left = MINUTE - (guint) ((seconds + MINUTE / 2) % MINUTE);

      /* 45 to 89 seconds are one minute. */
      return seconds < MINUTE / 2 + MINUTE ? MINUTE / 2 + MINUTE - (guint) seconds : left;
    }
  if (seconds < DAY)
    return seconds < HOUR ? 2 * HOUR - (guint) seconds : HOUR - (guint) (seconds % HOUR);
  return DAY / 4;
}

gint64
_kt_words_parse_time (const char *text)
{
  g_autoptr (GTimeZone) utc = NULL;
  g_autoptr (GDateTime) time = NULL;

  if (text == NULL)
    return 0;
  utc = g_time_zone_new_utc ();
  time = g_date_time_new_from_iso8601 (text, utc);
  if (time == NULL)
    return 0;
  return g_date_time_to_unix (time) * G_USEC_PER_SEC + g_date_time_get_microsecond (time);
}

/* ---- rich text ---- */

static const struct
{
  const char *name;
  const char *text;
} entities[] = {
  { "amp;", "&" },   { "lt;", "<" },   { "gt;", ">" },
  { "quot;", "\"" }, { "apos;", "'" }, { "nbsp;", " " },
};

static const char *
append_entity (GString *out, const char *at)
{
  for (gsize i = 0; i < G_N_ELEMENTS (entities); i++)
    if (g_str_has_prefix (at + 1, entities[i].name))
      {
        g_string_append (out, entities[i].text);
        return at + 1 + strlen (entities[i].name);
      }
  if (at[1] == '#')
    {
      gboolean hex = at[2] == 'x' || at[2] == 'X';
      char *end = NULL;
      guint64 code = g_ascii_strtoull (at + (hex ? 3 : 2), &end, hex ? 16 : 10);

      if (end != NULL && *end == ';' && code > 0 && code < 0x110000
          && g_unichar_validate ((gunichar) code))
        {
          g_string_append_unichar (out, (gunichar) code);
          return end + 1;
        }
    }
  g_string_append_c (out, '&');
  return at + 1;
}

static gboolean
is_tag (const char *at, const char *name)
{
  gsize length = strlen (name);

  if (*at == '/')
    at++;
  return g_ascii_strncasecmp (at, name, length) == 0 && !g_ascii_isalnum (at[length]);
}

static void
new_line (GString *out)
{
  if (out->len > 0 && out->str[out->len - 1] != '\n')
    g_string_append_c (out, '\n');
}

char *
_kt_words_plain (const KtField *field, const char *text)
{
  static const char *const blocks[] = { "p",  "br", "div", "li", "ul",        "ol",
                                        "tr", "h1", "h2",  "h3", "blockquote" };
  GString *out;
  const char *at;

  if (text == NULL)
    return g_strdup ("");
  /* Typed as plain text: without a tag there is nothing to undo. */
  if (field == NULL || field->type != KT_FIELD_RICH_TEXT
      || (strchr (text, '<') == NULL && strchr (text, '&') == NULL))
    return g_strdup (text);

  out = g_string_sized_new (strlen (text));
  for (at = text; *at != '\0';)
    {
      const char *end;

      if (*at == '&')
        {
          at = append_entity (out, at);
          continue;
        }
      if (*at != '<' || !(g_ascii_isalpha (at[1]) || at[1] == '/' || at[1] == '!')
          || (end = strchr (at, '>')) == NULL)
        {
          g_string_append_c (out, *at++);
          continue;
        }
      for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
        if (is_tag (at + 1, blocks[i]))
          {
            new_line (out);
            break;
          }
      at = end + 1;
    }
  g_strchug (out->str);
  g_strchomp (out->str);
  return g_string_free (out, FALSE);
}
