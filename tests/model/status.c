/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the sync row says, by table; and the words for times. */

#include "config.h"

#include "fixture.h"

#include "base/kt-error.h"

#define MINUTE (60 * G_USEC_PER_SEC)
#define HOUR (60 * (gint64) MINUTE)
#define NOW G_GINT64_CONSTANT (1770000000000000)

static const struct
{
  const char *name;
  KtSyncFacts facts;
  KtSyncMood mood;
  const char *headline;
  const char *detail;
  double fraction;
} moods[] = {
  { "never signed in",
    { .state = KT_SYNC_STATE_SIGNED_OUT },
    KT_MOOD_SIGNED_OUT,
    "Signed out",
    "Sign in again to go on syncing",
    -1 },
  { "session expired with work",
    { .signed_in = TRUE, .state = KT_SYNC_STATE_SIGNED_OUT, .outbox = { .queued = 2, .sent = 1 } },
    KT_MOOD_SIGNED_OUT,
    "Signed out",
    "3 changes will be sent when you have signed in again",
    -1 },
  { "well",
    { .signed_in = TRUE, .state = KT_SYNC_STATE_IDLE, .last_sync_us = NOW - 2 * MINUTE },
    KT_MOOD_OK,
    "Up to date",
    "Synced 2 minutes ago",
    -1 },
  { "well, never synced",
    { .signed_in = TRUE, .state = KT_SYNC_STATE_IDLE },
    KT_MOOD_OK,
    "Up to date",
    "",
    -1 },
  { "settled but not pulled is nothing that waits",
    { .signed_in = TRUE,
      .state = KT_SYNC_STATE_IDLE,
      .last_sync_us = NOW,
      .outbox = { .settled = 4 } },
    KT_MOOD_OK,
    "Up to date",
    "Synced just now",
    -1 },
  { "one waits",
    { .signed_in = TRUE,
      .state = KT_SYNC_STATE_IDLE,
      .last_sync_us = NOW - MINUTE,
      .outbox = { .queued = 1 } },
    KT_MOOD_WORKING,
    "1 change waiting",
    "Synced 1 minute ago",
    -1 },
  { "sending",
    { .signed_in = TRUE,
      .state = KT_SYNC_STATE_BUSY,
      .last_sync_us = NOW - MINUTE,
      .outbox = { .sent = 3 } },
    KT_MOOD_WORKING,
    "3 changes waiting",
    "Synced 1 minute ago",
    -1 },
  { "looking for news",
    { .signed_in = TRUE, .state = KT_SYNC_STATE_BUSY, .last_sync_us = NOW - 3 * HOUR },
    KT_MOOD_WORKING,
    "Working…",
    "Synced 3 hours ago",
    -1 },
  { "a long pull",
    { .signed_in = TRUE, .state = KT_SYNC_STATE_BUSY, .rows_done = 250, .rows_total = 1000 },
    KT_MOOD_WORKING,
    "Working…",
    "250 of 1000 records",
    0.25 },
  { "the first pull",
    { .signed_in = TRUE,
      .loading = TRUE,
      .state = KT_SYNC_STATE_BUSY,
      .rows_done = 1000,
      .rows_total = 1000 },
    KT_MOOD_WORKING,
    "Loading your data…",
    "1000 of 1000 records",
    1 },
  { "the first pull, size unknown",
    { .signed_in = TRUE, .loading = TRUE, .state = KT_SYNC_STATE_BUSY, .rows_done = 7 },
    KT_MOOD_WORKING,
    "Loading your data…",
    "7 records",
    -1 },
  { "the first pull cut off",
    { .signed_in = TRUE, .loading = TRUE, .state = KT_SYNC_STATE_OFFLINE, .problem = "No route" },
    KT_MOOD_OFFLINE,
    "Offline",
    "Never synced",
    -1 },
  { "offline",
    { .signed_in = TRUE, .state = KT_SYNC_STATE_OFFLINE, .last_sync_us = NOW - 50 * HOUR },
    KT_MOOD_OFFLINE,
    "Offline",
    "Last synced 2 days ago",
    -1 },
  { "offline with work",
    { .signed_in = TRUE,
      .state = KT_SYNC_STATE_OFFLINE,
      .last_sync_us = NOW - HOUR,
      .outbox = { .queued = 1, .sent = 1 } },
    KT_MOOD_OFFLINE,
    "Offline, 2 changes waiting",
    "Last synced 1 hour ago",
    -1 },
  { "paused",
    { .signed_in = TRUE, .paused = TRUE, .state = KT_SYNC_STATE_IDLE, .last_sync_us = NOW - HOUR },
    KT_MOOD_PAUSED,
    "Paused",
    "Last synced 1 hour ago",
    -1 },
  { "paused with work",
    { .signed_in = TRUE, .state = KT_SYNC_STATE_PAUSED, .outbox = { .queued = 2 } },
    KT_MOOD_PAUSED,
    "Paused, 2 changes waiting",
    "Never synced",
    -1 },
  { "review",
    { .signed_in = TRUE,
      .state = KT_SYNC_STATE_IDLE,
      .last_sync_us = NOW,
      .outbox = { .review = 1 } },
    KT_MOOD_ATTENTION,
    "1 change needs you",
    "Synced just now",
    -1 },
  { "parked and review, offline",
    { .signed_in = TRUE,
      .state = KT_SYNC_STATE_OFFLINE,
      .outbox = { .review = 1, .parked = 2, .queued = 4 } },
    KT_MOOD_ATTENTION,
    "3 changes need you",
    "Offline, 4 more changes waiting",
    -1 },
  { "no Kontor server",
    { .signed_in = TRUE,
      .state = KT_SYNC_STATE_PROBLEM,
      .problem = "crm.example.com is not a Kontor server",
      .outbox = { .parked = 2 } },
    KT_MOOD_PROBLEM,
    "Syncing does not work",
    "crm.example.com is not a Kontor server",
    -1 },
  { "disk full",
    { .signed_in = TRUE, .state = KT_SYNC_STATE_IDLE, .failure = "The disk is full" },
    KT_MOOD_PROBLEM,
    "Something is wrong on this computer",
    "The disk is full",
    -1 },
  { "a clock that was set back",
    { .signed_in = TRUE, .state = KT_SYNC_STATE_IDLE, .last_sync_us = NOW + 7 * HOUR },
    KT_MOOD_OK,
    "Up to date",
    "Synced just now",
    -1 },
};

static void
test_moods (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (moods); i++)
    {
      KtSyncFacts facts = moods[i].facts;
      KtSyncWords words;

      facts.now_us = NOW;
      _kt_sync_words_make (&facts, &words);
      g_test_message ("%s", moods[i].name);
      g_assert_cmpint (words.mood, ==, moods[i].mood);
      g_assert_cmpstr (words.headline, ==, moods[i].headline);
      g_assert_cmpstr (words.detail, ==, moods[i].detail);
      g_assert_cmpfloat_with_epsilon (words.fraction, moods[i].fraction, 1e-9);
      _kt_sync_words_clear (&words);
    }
}

/* TZ is Europe/Berlin in the tests; NOW is 2 February 2026, 03:40 there. */
static void
test_when (void)
{
  static const struct
  {
    gint64 ago;
    const char *text;
  } cases[] = {
    { 0, "Just now" },
    { 44 * (gint64) G_USEC_PER_SEC, "Just now" },
    { 46 * (gint64) G_USEC_PER_SEC, "1 minute ago" },
    { 59 * (gint64) MINUTE, "59 minutes ago" },
    { 2 * HOUR, "Today 01:40" },
    { 4 * HOUR, "Yesterday 23:40" },
    { 30 * HOUR, "31 January, 21:40" },
    { 24 * 60 * HOUR, "4 December 2025" },
    { -2 * HOUR, "Today 05:40" },
    { -24 * HOUR, "Tomorrow 03:40" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = _kt_words_when (NOW - cases[i].ago, NOW);

      g_assert_cmpstr (text, ==, cases[i].text);
    }
  g_assert_cmpint (_kt_words_parse_time ("2026-02-02T02:40:00.000Z"), ==, NOW);
  g_assert_cmpint (_kt_words_parse_time ("never"), ==, 0);
  g_assert_cmpint (_kt_words_parse_time (NULL), ==, 0);
}

/* A text is looked at again before it is wrong. */
static void
test_stale (void)
{
  for (gint64 age = 0; age < 3 * HOUR; age += 7 * (gint64) G_USEC_PER_SEC)
    {
      guint wait = _kt_words_stale_after (NOW - age, NOW);
      g_autofree char *now = _kt_words_synced (NOW - age, NOW, FALSE);
      g_autofree char *last =
        _kt_words_synced (NOW - age, NOW + (wait - 1) * (gint64) G_USEC_PER_SEC, FALSE);
      g_autofree char *then =
        _kt_words_synced (NOW - age, NOW + (wait + 1) * (gint64) G_USEC_PER_SEC, FALSE);

      g_assert_cmpuint (wait, >, 0);
      g_assert_cmpuint (wait, <=, 3660);
      g_assert_cmpstr (now, ==, last);
      g_assert_cmpstr (now, !=, then);
    }
}

static void
test_plain (void)
{
  static const char *const cases[][2] = {
    { "just text", "just text" },
    { "a < b & c", "a < b & c" },
    { "<p>One</p><p>Two &amp; <b>three</b></p>", "One\nTwo & three" },
    { "x<br>y", "x\ny" },
    { "&#8364; &#x20ac; &nbsp;&bogus;", "€ €  &bogus;" },
    { "1 &lt; 2", "1 < 2" },
    { "unclosed <b", "unclosed <b" },
    { "<ul><li>a</li><li>b</li></ul>", "a\nb" },
  };
  const KtField *field = kt_object_field (kt_schema_object (mod_schema (), "note"), "body");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = _kt_words_plain (field, cases[i][0]);

      g_assert_cmpstr (text, ==, cases[i][1]);
    }
}

/* Without a translation what the library said is better; nothing is made up. */
static void
test_errors (void)
{
  g_autofree char *said = _kt_error_words (KT_ERROR_NETWORK, "crm.example.com: no route");
  g_autofree char *silent = _kt_error_words (KT_ERROR_FULL, NULL);
  g_autofree char *other = _kt_error_words (-1, "x");
  g_autoptr (GError) error = g_error_new (KT_ERROR, KT_ERROR_AUTH, "Wrong password");

  g_assert_cmpstr (said, ==, "crm.example.com: no route");
  g_assert_cmpstr (silent, ==, "The disk is full: free some space and try again");
  g_assert_cmpstr (other, ==, "x");
  error = _kt_error_localise (error);
  g_assert_error (error, KT_ERROR, KT_ERROR_AUTH);
  g_assert_cmpstr (error->message, ==, "Wrong password");
  g_assert_null (_kt_error_localise (NULL));
}

/* ---- the object ---- */

static void
count_cb (GObject *object, GParamSpec *pspec, gpointer data)
{
  (*(guint *) data)++;
}

static void
test_status (Mod *mod, gconstpointer data)
{
  KtSyncStatus *status = kt_workspace_get_sync_status (mod->workspace);
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtDone) done = NULL;
  g_autoptr (GError) full = g_error_new (G_IO_ERROR, G_IO_ERROR_NO_SPACE, "The disk is full");
  guint n_headline = 0;

  g_assert_cmpint (kt_sync_status_get_mood (status), ==, KT_MOOD_OK);
  g_assert_cmpstr (kt_sync_status_get_headline (status), ==, "Up to date");
  g_signal_connect (status, "notify::headline", G_CALLBACK (count_cb), &n_headline);
  mod_pull (mod, account, NULL);
  done = mod_delete (mod, "account", &account->id);
  mod_wait_while (kt_sync_status_get_waiting (status) != 1);
  g_assert_cmpstr (kt_sync_status_get_headline (status), ==, "1 change waiting");
  g_assert_cmpuint (n_headline, ==, 1);
  kt_sync_status_set_paused (status, TRUE);
  mod_wait_while (kt_sync_status_get_mood (status) != KT_MOOD_PAUSED);
  kt_sync_status_set_paused (status, FALSE);
  mod_wait_while (kt_sync_status_get_mood (status) == KT_MOOD_PAUSED);

  g_signal_emit_by_name (mod->store, "failed", full);
  mod_wait_while (kt_sync_status_get_mood (status) != KT_MOOD_PROBLEM);
  g_assert_cmpstr (kt_sync_status_get_detail (status), ==, "The disk is full");
  /* What goes well afterwards is the end of it. */
  {
    g_autoptr (KtDone) undone = mod_undo (mod, done, NULL);

    mod_wait_while (kt_sync_status_get_mood (status) != KT_MOOD_OK);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/status/moods", test_moods);
  g_test_add_func ("/status/when", test_when);
  g_test_add_func ("/status/stale", test_stale);
  g_test_add_func ("/status/plain", test_plain);
  g_test_add_func ("/status/errors", test_errors);
  g_test_add ("/status/object", Mod, NULL, mod_set_up, test_status, mod_tear_down);
  return g_test_run ();
}
