/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "../support/kt-rig.h"
#include "base/kt-error.h"

/* P13: the schema moves while devices are away, and programs of different age meet. */

/* ---- a pack that moves ---- */

static void
edit (const char *pack, const char *file, const char *from, const char *to)
{
  g_autofree char *path = g_build_filename (pack, file, NULL);
  g_autofree char *text = NULL;
  g_autoptr (GString) changed = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  changed = g_string_new (text);
  g_assert_cmpuint (g_string_replace (changed, from, to, 1), ==, 1);
  g_file_set_contents (path, changed->str, -1, &error);
  g_assert_no_error (error);
}

/* The pack of the rig as version 2, with these replacements in account.json. */
static char *
newer_pack (const char *from, ...)
{
  char *pack = rig_pack ();
  va_list args;

  edit (pack, "pack.json", "\"version\": 1", "\"version\": 2");
  va_start (args, from);
  for (const char *at = from; at != NULL; at = va_arg (args, const char *))
    edit (pack, "account.json", at, va_arg (args, const char *));
  va_end (args);
  return pack;
}

static char *
take_up (Rig *rig, char *pack)
{
  g_autoptr (GError) error = NULL;
  char *said = NULL;

  g_assert_true (kt_core_take_up_pack (rig->core, pack, &said, &error));
  g_assert_no_error (error);
  rig_remove (pack);
  g_free (pack);
  return said;
}

static void
move (Rig *rig, char *pack)
{
  g_autofree char *said = take_up (rig, pack);

  g_assert_cmpstr (said, ==, "The workspace has moved from version 1 to version 2 of the schema");
}

#define SLOGAN "{\"name\": \"slogan\", \"type\": \"text\", \"label\": \"Slogan\", \"policy\": \"mine\"}"
#define MOTTO                                                                                              \
  "{\"name\": \"motto\", \"type\": \"text\", \"label\": \"Motto\", \"policy\": \"mine\", \"renamed_from\": " \
  "\"slogan\"}"
#define MASCOT "{\"name\": \"mascot\", \"type\": \"text\", \"label\": \"Mascot\", \"policy\": \"latest\"},"
#define MASCOTS "{\"name\": \"mascot\", \"type\": \"integer\", \"label\": \"Mascots\", \"policy\": \"latest\"},"
#define VISITS "\"label\": \"Visits\", \"policy\": \"sum\""
#define VISITED "\"label\": \"Visits\", \"policy\": \"latest\""

static char *
parked_reason (Device *device)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (device->local, 0, NULL);

  for (guint i = 0; i < entries->len; i++)
    {
      KtOutboxEntry *entry = g_ptr_array_index (entries, i);

      if (entry->state == KT_OUTBOX_PARKED)
        return g_strdup (entry->reason);
    }
  return NULL;
}

static gint64
parked_no (Device *device)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (device->local, 0, NULL);

  for (guint i = 0; i < entries->len; i++)
    {
      KtOutboxEntry *entry = g_ptr_array_index (entries, i);

      if (entry->state == KT_OUTBOX_PARKED)
        return entry->no;
    }
  return 0;
}

/* 66. A week's work under the old schema, and the server has another when it comes: one field has another name, one
 * another type, one another policy. Everything arrives where it belongs, here and on a device that
 * knows nothing of the old names. */
static void
test_outbox_over_a_move (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  KtId old = device_create (a, "account", "name=Acme", "slogan=We do", "mascot=7", "visits=1", NULL);
  KtId fresh;
  g_autofree char *history = NULL;

  device_sync (a);
  device_sync (b);
  device_set (a, "account", &old, "slogan=We did");
  device_set (a, "account", &old, "mascot=8");
  device_set (a, "account", &old, "visits=5");
  fresh = device_create (a, "account", "name=Bolt", "slogan=Fast", "mascot=3", NULL);

  move (rig, newer_pack (SLOGAN, MOTTO, MASCOT, MASCOTS, VISITS, VISITED, NULL));
  device_sync (b);
  assert_value (b, "account", &old, "motto", "\"We do\"");
  assert_value (b, "account", &old, "mascot", "7");

  device_sync (a);
  assert_counts (a, 0, 0, 0, 0);
  device_sync (b);
  for (guint i = 0; i < 2; i++)
    {
      Device *device = i == 0 ? a : b;

      assert_value (device, "account", &old, "motto", "\"We did\"");
      assert_value (device, "account", &old, "mascot", "8");
      assert_value (device, "account", &old, "visits", "5");
      assert_value (device, "account", &fresh, "motto", "\"Fast\"");
      assert_value (device, "account", &fresh, "mascot", "3");
    }
  history = device_history (a, "account", &old);
  g_assert_nonnull (strstr (history, "We did"));
  assert_all_equal (rig);
}

/* 66. The device learns of the move first (its pull fails before its push goes through), crashes, and goes on. */
static void
test_outbox_carried_here (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", "slogan=We do", "mascot=7", NULL);

  device_sync (a);
  device_set (a, "account", &id, "slogan=We did");
  device_set (a, "account", &id, "mascot=eight");
  move (rig, newer_pack (SLOGAN, MOTTO, MASCOT, MASCOTS, NULL));
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_500, 0, 1);
  device_sync_fails (a, KT_ERROR_SERVER);
  device_crash (a);
  assert_value (a, "account", &id, "motto", "\"We did\"");
  assert_value (a, "account", &id, "mascot", "7");
  device_sync (a);
  assert_value (a, "account", &id, "motto", "\"We did\"");
  {
    g_autofree char *reason = parked_reason (a);

    /* Sent before it was known here, refused there: either way with what is the matter. */
    g_assert_nonnull (strstr (reason, "Mascots"));
  }
  assert_counts (a, 0, 0, 1, 0);
  g_assert_true (kt_local_discard (a->local, parked_no (a), NULL, NULL));
  assert_all_equal (rig);
}

/* 66, 3. Sent under the old schema, the reply lost, the server moved: the same bytes get the same answer. */
static void
test_reply_lost_over_a_move (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", "slogan=We do", "visits=2", NULL);

  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (a, KT_ERROR_NETWORK);
  move (rig, newer_pack (SLOGAN, MOTTO, NULL));
  device_crash (a);
  device_sync (a);
  assert_counts (a, 0, 0, 0, 0);
  assert_value (a, "account", &id, "motto", "\"We do\"");
  assert_value (a, "account", &id, "visits", "2");
  assert_all_equal (rig);
}

/* 66. Between two pages of a first pull, and of a later one. */
static void
test_move_between_pages (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_bare (rig, "B");
  KtId id = KT_ID_NIL;
  g_autoptr (KtEngine) engine = kt_engine_new ();
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 30; i++)
    id = device_create (a, "account", "name=Acme", "slogan=We do", "mascot=7", NULL);
  device_sync (a);
  rig->page_rows = 5;
  g_assert_true (device_login (b, "anna", &error));
  kt_engine_poke (engine);
  for (guint i = 0; i < 8; i++)
    g_assert_true (device_step (b, engine));
  g_assert_false (kt_local_ready (b->local));
  move (rig, newer_pack (SLOGAN, MOTTO, MASCOT, MASCOTS, NULL));
  device_sync (b);
  assert_value (b, "account", &id, "motto", "\"We do\"");
  assert_value (b, "account", &id, "mascot", "7");
  device_sync (a);
  assert_all_equal (rig);
}

/* 68. A field is dropped while one change names it and another field: parked with the reason, its words kept; trying
 * again sends the rest. */
static void
test_dropped_field (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", "mascot=Bear", NULL);
  g_autofree char *reason = NULL;
  g_autoptr (GError) error = NULL;

  move (rig, newer_pack (MASCOT, "", NULL));
  device_sync (a);
  assert_counts (a, 0, 0, 1, 0);
  reason = parked_reason (a);
  g_assert_nonnull (strstr (reason, "mascot"));
  assert_value (a, "account", &id, "name", "\"Acme\"");
  g_assert_true (kt_local_retry (a->local, parked_no (a), NULL, &error));
  g_assert_no_error (error);
  device_sync (a);
  assert_counts (a, 0, 0, 0, 0);
  assert_value (a, "account", &id, "name", "\"Acme\"");
  assert_all_equal (rig);
}

/* A field becomes required: a new record without it is refused in words and waits; the same goes for nobody else. */
static void
test_required_added (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId without = device_create (a, "account", "name=Acme", NULL);
  KtId with = device_create (a, "account", "name=Bolt", "slogan=Fast", NULL);
  g_autofree char *reason = NULL;

  move (rig, newer_pack (SLOGAN,
                         "{\"name\": \"slogan\", \"type\": \"text\", \"label\": \"Slogan\", \"policy\": "
                         "\"mine\", \"required\": true}",
                         NULL));
  device_sync (a);
  assert_counts (a, 0, 0, 1, 0);
  reason = parked_reason (a);
  g_assert_nonnull (strstr (reason, "Slogan"));
  assert_value (a, "account", &without, "name", "\"Acme\"");
  assert_value (a, "account", &with, "slogan", "\"Fast\"");
  g_assert_true (kt_local_discard (a->local, parked_no (a), NULL, NULL));
  assert_all_equal (rig);
}

/* 67. A program that was put back, or a pack that forgot its version: refused in words, nothing changes. */
static void
test_no_way_back (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId id = device_create (a, "account", "name=Acme", "mascot=Bear", NULL);
  g_autofree char *digest = NULL;
  g_autofree char *same = NULL;
  g_autofree char *older = NULL;
  g_autofree char *twin = NULL;
  g_autofree char *unfit = NULL;
  char *pack;

  same = take_up (rig, rig_pack ());
  g_assert_null (same);
  device_sync (a);
  digest = g_strdup (kt_schema_digest (kt_core_schema (rig->core)));

  /* "Bear" is no number. */
  unfit = take_up (rig, newer_pack (MASCOT, MASCOTS, NULL));
  g_assert_nonnull (strstr (unfit, "cannot be taken up"));
  g_assert_nonnull (strstr (unfit, "mascot"));
  g_assert_cmpstr (digest, ==, kt_schema_digest (kt_core_schema (rig->core)));

  pack = rig_pack ();
  edit (pack, "account.json", MASCOT, "");
  twin = take_up (rig, pack);
  g_assert_nonnull (strstr (twin, "both say version 1"));
  g_assert_cmpstr (digest, ==, kt_schema_digest (kt_core_schema (rig->core)));

  move (rig, newer_pack (SLOGAN, MOTTO, NULL));
  g_free (digest);
  digest = g_strdup (kt_schema_digest (kt_core_schema (rig->core)));
  older = take_up (rig, rig_pack ());
  g_assert_nonnull (strstr (older, "older"));
  g_assert_cmpstr (digest, ==, kt_schema_digest (kt_core_schema (rig->core)));

  /* After a restart it is still there, and numbers of objects have not moved. */
  rig_stop_server (rig);
  rig_start_server (rig);
  g_assert_cmpstr (digest, ==, kt_schema_digest (kt_core_schema (rig->core)));
  device_sync (a);
  assert_value (a, "account", &id, "mascot", "\"Bear\"");
  assert_all_equal (rig);
}

static void
age (KtReply *reply, gpointer data)
{
  gsize len;
  const char *text = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;
  g_autoptr (GString) changed = NULL;

  if (text == NULL || reply->status != 200)
    return;
  changed = g_string_new_len (text, (gssize) len);
  g_assert_cmpuint (g_string_replace (changed, "\"slogan\",\"type\":\"text\"", "\"slogan\",\"type\":\"hologram\"", 1),
                    ==, 1);
  g_bytes_unref (reply->body);
  reply->body = g_bytes_new (changed->str, changed->len);
}

/* 67. The server has moved to something this program cannot read: it is told to upgrade; what is here stays and can be
 * worked on, and what is written is sent. */
static void
test_old_program (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  KtId id = device_create (a, "account", "name=Acme", "slogan=We do", NULL);

  device_sync (a);
  move (rig, newer_pack (SLOGAN, MOTTO, NULL));
  device_set (a, "account", &id, "slogan=We did");
  kt_test_transport_alter (a->transport, KT_ENDPOINT_SCHEMA, age, NULL);
  device_sync_fails (a, KT_ERROR_NEWER);
  assert_value (a, "account", &id, "slogan", "\"We did\"");
  device_sync (b);
  assert_value (b, "account", &id, "motto", "\"We did\"");
  device_set (a, "account", &id, "slogan=Done");
  device_sync_fails (a, KT_ERROR_NEWER);
  device_sync (b);
  assert_value (b, "account", &id, "motto", "\"Done\"");

  /* Upgraded. */
  kt_test_transport_alter (a->transport, KT_ENDPOINT_SCHEMA, NULL, NULL);
  device_crash (a);
  device_sync (a);
  assert_value (a, "account", &id, "motto", "\"Done\"");
  assert_counts (a, 0, 0, 0, 0);
  assert_all_equal (rig);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/versions/P13/66-outbox-over-a-move", test_outbox_over_a_move);
  g_test_add_func ("/versions/P13/66-outbox-carried-here", test_outbox_carried_here);
  g_test_add_func ("/versions/P13/66-reply-lost-over-a-move", test_reply_lost_over_a_move);
  g_test_add_func ("/versions/P13/66-move-between-pages", test_move_between_pages);
  g_test_add_func ("/versions/P13/68-dropped-field", test_dropped_field);
  g_test_add_func ("/versions/P13/required-added", test_required_added);
  g_test_add_func ("/versions/P13/67-no-way-back", test_no_way_back);
  g_test_add_func ("/versions/P13/67-old-program", test_old_program);
  return g_test_run ();
}
