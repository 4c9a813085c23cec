/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include <glib/gstdio.h>

#include "../support/kt-rig.h"
#include "base/kt-error.h"
#include "base/kt-json.h"

/* Whose mutation is this (P3, P10, P11): profiles that are copied or put back, servers that are restored. The decision is in
 * docs/decisions/identity.md. Numbers are those of the scenarios in the design. */

/* ---- copies ---- */

/* Another profile with the same bytes: a folder that was copied, a backup that was put on another machine. */
static Device *
copy_of (Device *original, const char *name)
{
  Device *copy = device_bare (original->rig, name);

  g_clear_pointer (&copy->local, kt_local_close);
  g_clear_pointer (&original->local, kt_local_close);
  rig_copy (original->dir, copy->dir);
  device_crash (original);
  device_crash (copy);
  return copy;
}

static KtId
device_id (Device *device)
{
  return kt_local_identity (device->local)->device;
}

static gboolean
same_device (Device *a, Device *b)
{
  KtId one = device_id (a), other = device_id (b);

  return kt_id_equal (&one, &other);
}

static guint
count_notices (Device *device, KtNoticeKind kind)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) notices = kt_local_notices (device->local, &error);
  guint n = 0;

  g_assert_no_error (error);
  for (guint i = 0; i < notices->len; i++)
    n += ((KtNotice *) g_ptr_array_index (notices, i))->kind == kind;
  return n;
}

/* A reply that never came: the server has it, the device does not know. */
static void
sync_without_answer (Device *device)
{
  kt_test_transport_fail (device->transport, KT_ENDPOINT_PUSH, KT_FAULT_REPLY_LOST, 0, 1);
  device_sync_fails (device, KT_ERROR_NETWORK);
}

/* A push that never arrived, sent under a number. */
static void
sync_without_arrival (Device *device)
{
  kt_test_transport_fail (device->transport, KT_ENDPOINT_PUSH, KT_FAULT_REQUEST_LOST, 0, 1);
  device_sync_fails (device, KT_ERROR_NETWORK);
}

static void
assert_settled (Device *device)
{
  assert_counts (device, 0, 0, 0, 0);
}

/* 59. Both copies work on and push. Whoever comes second becomes a device of its own; nothing vanishes, and it is said. */
static void
test_both_push (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
  Device *copy;
  KtId mine, theirs;
  KtEngineStatus status;

  device_sync (a);
  copy = copy_of (a, "copy");
  g_assert_true (same_device (a, copy));
  theirs = device_create (a, "account", "name=Original", NULL);
  device_set (a, "account", &shared, "visits=3");
  mine = device_create (copy, "account", "name=Copy", NULL);
  device_set (copy, "account", &shared, "visits=11");
  device_sync (a);
  device_sync_full (copy, &status);
  g_assert_cmpuint (status.notices, ==, 1);
  g_assert_false (same_device (a, copy));
  g_assert_cmpuint (count_notices (copy, KT_NOTICE_COPY), ==, 1);
  g_assert_cmpuint (count_notices (a, KT_NOTICE_COPY), ==, 0);
  device_sync (a);
  for (guint i = 0; i < 2; i++)
    {
      Device *device = i == 0 ? a : copy;

      assert_settled (device);
      assert_value (device, "account", &mine, "name", "\"Copy\"");
      assert_value (device, "account", &theirs, "name", "\"Original\"");
      assert_value (device, "account", &shared, "visits", "13");
    }
  assert_all_equal (rig);
  /* Both sessions hold, and both go on under their own numbers. */
  device_set (a, "account", &shared, "visits=14");
  device_set (copy, "account", &shared, "visits=14");
  device_sync (copy);
  device_sync (a);
  device_sync (copy);
  assert_value (copy, "account", &shared, "visits", "15");
  assert_value (a, "account", &shared, "visits", "15");
  assert_all_equal (rig);
}

typedef enum { QUEUED, ARRIVED, ON_THE_WAY, N_WAYS } Way;

/* What was in the outbox of both goes out twice and is done once, however far it had come. */
static void
test_copied_with_work (void)
{
  for (Way way = QUEUED; way < N_WAYS; way++)
    for (guint first = 0; first < 2; first++)
      {
        g_autoptr (Rig) rig = rig_new ();
        Device *a = device_new (rig, "A", "anna");
        KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
        Device *order[2];
        KtId made, later[2];

        device_sync (a);
        device_set (a, "account", &shared, "visits=3");
        made = device_create (a, "account", "name=Made once", NULL);
        if (way == ARRIVED)
          sync_without_answer (a);
        else if (way == ON_THE_WAY)
          sync_without_arrival (a);
        order[first] = a;
        order[1 - first] = copy_of (a, "copy");
        later[0] = device_create (order[0], "account", "name=Later 0", NULL);
        later[1] = device_create (order[1], "account", "name=Later 1", NULL);
        device_set (order[1], "account", &shared, "visits=103");
        device_sync (order[0]);
        device_sync (order[1]);
        device_sync (order[0]);
        for (guint i = 0; i < 2; i++)
          {
            assert_settled (order[i]);
            assert_value (order[i], "account", &shared, "visits", "103");
            assert_value (order[i], "account", &made, "name", "\"Made once\"");
            g_assert_true (device_has (order[i], "account", &later[0]));
            g_assert_true (device_has (order[i], "account", &later[1]));
          }
        g_assert_false (same_device (order[0], order[1]));
        assert_all_equal (rig);
      }
}

/* An edit that one copy takes back while the other sends it: taken back or not, it counts once at most. */
static void
test_undone_in_the_copy (void)
{
  for (Way way = QUEUED; way < N_WAYS; way++)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
      Device *copy;
      gint64 no;
      g_autoptr (GPtrArray) entries = NULL;
      g_autoptr (GError) error = NULL;

      device_sync (a);
      device_set (a, "account", &shared, "visits=3");
      if (way == ARRIVED)
        sync_without_answer (a);
      else if (way == ON_THE_WAY)
        sync_without_arrival (a);
      copy = copy_of (a, "copy");
      entries = kt_local_outbox (copy->local, 0, &error);
      g_assert_cmpuint (entries->len, ==, 1);
      no = ((KtOutboxEntry *) g_ptr_array_index (entries, 0))->no;
      if (way == QUEUED)
        {
          kt_local_undo (copy->local, no, NULL, &error);
          g_assert_no_error (error);
        }
      else
        {
          g_autoptr (KtMutation) inverse = NULL;

          /* Who knows whether it arrived? It is taken back by another action. */
          g_assert_false (kt_local_undo (copy->local, no, NULL, &error));
          g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
          g_clear_error (&error);
          inverse = kt_local_inverse (copy->local, no, &error);
          g_assert_no_error (error);
          kt_local_commit (copy->local, inverse, NULL, NULL, &error);
          g_assert_no_error (error);
        }
      assert_value (copy, "account", &shared, "visits", "1");
      device_sync (a);
      device_sync (copy);
      device_sync (a);
      assert_value (a, "account", &shared, "visits", way == QUEUED ? "3" : "1");
      assert_value (copy, "account", &shared, "visits", way == QUEUED ? "3" : "1");
      assert_settled (a);
      assert_settled (copy);
      assert_all_equal (rig);
    }
}

/* What the server may have is not undone in silence after it waits a second time. */
static void
test_no_undo_of_the_second_sending (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
  KtId other = { { 1 } };
  gint64 no;
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;

  rig->unsound = TRUE; /* a device that the server does not know */
  device_sync (a);
  device_set (a, "account", &shared, "visits=3");
  sync_without_answer (a);
  kt_local_new_device (a->local, &other, 0, NULL, &error);
  g_assert_no_error (error);
  entries = kt_local_outbox (a->local, 0, &error);
  g_assert_cmpuint (entries->len, ==, 1);
  no = ((KtOutboxEntry *) g_ptr_array_index (entries, 0))->no;
  g_assert_cmpint (((KtOutboxEntry *) g_ptr_array_index (entries, 0))->state, ==, KT_OUTBOX_QUEUED);
  g_assert_false (kt_local_undo (a->local, no, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
}

/* P12: refused, parked, copied; both try again. It is one action. */
static void
test_both_try_again (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
  KtId ghost = { { 1, 2, 3, 4, 5, 6, 0x70, 7, 0x80, 9 } };
  g_autofree char *parent = rig_reference ("parent_account", "account", &ghost);
  Device *both[2];
  g_autoptr (GError) error = NULL;
  g_autofree char *assignment = NULL;

  device_sync (a);
  if (kt_object_field (kt_schema_object (kt_local_schema (a->local), "account"), "parent_account")
      == NULL)
    {
      g_free (parent);
      parent = rig_reference ("parent", "account", &ghost);
    }
  {
    const KtObject *object = kt_schema_object (kt_local_schema (a->local), "account");
    g_autoptr (KtRecord) seen = kt_local_load (a->local, object, &shared, &error);
    g_autoptr (KtMutation) mutation = kt_mutation_new ("2026-05-28T08:00:00.000Z", "client");
    const KtField *visits = kt_object_field (object, "visits");
    const KtField *ref = NULL;
    KtPatch *patch = kt_patch_new (object);
    KtValue value = KT_VALUE_INIT;

    for (guint i = 0; i < object->n_fields && ref == NULL; i++)
      if (object->fields[i]->type == KT_FIELD_REF && !object->fields[i]->computed
          && g_strcmp0 (object->fields[i]->to[0], "account") == 0)
        ref = object->fields[i];
    g_assert_nonnull (ref);
    value.type = KT_VALUE_INT;
    value.v.integer = 4;
    kt_patch_set (patch, visits, &seen->values[visits->index], &value);
    kt_value_set_id (&value, &ghost);
    kt_patch_set (patch, ref, &seen->values[ref->index], &value);
    kt_mutation_add (mutation, KT_MUTATE_UPDATE, object, &shared, seen->rev, patch);
    kt_local_commit (a->local, mutation, NULL, NULL, &error);
    g_assert_no_error (error);
  }
  device_sync (a);
  assert_counts (a, 0, 0, 1, 0);
  both[0] = a;
  both[1] = copy_of (a, "copy");
  /* Meanwhile what was missing came. */
  device_create_id (a, "account", &ghost, "name=The parent", NULL);
  device_sync (a);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GPtrArray) entries = kt_local_outbox (both[i]->local, 0, &error);

      g_assert_no_error (error);
      kt_local_retry (both[i]->local, ((KtOutboxEntry *) g_ptr_array_index (entries, 0))->no, NULL,
                      &error);
      g_assert_no_error (error);
      device_create (both[i], "account", "name=Something else", NULL);
      device_sync (both[i]);
      assert_settled (both[i]);
    }
  device_sync (a);
  assert_value (a, "account", &shared, "visits", "4");
  assert_value (both[1], "account", &shared, "visits", "4");
  assert_all_equal (rig);
}

/* 59. A profile is put back from an older backup, over itself. What it did meanwhile is on the server; what it does now goes there. */
static void
test_older_backup (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
  Device *backup;
  KtId lost, later;

  device_sync (a);
  backup = copy_of (a, "backup");
  lost = device_create (a, "account", "name=After the backup", NULL);
  device_set (a, "account", &shared, "visits=5");
  device_sync (a);
  /* The newer one is gone: only the backup lives. */
  device_sync (backup);
  assert_value (backup, "account", &lost, "name", "\"After the backup\"");
  assert_value (backup, "account", &shared, "visits", "5");
  later = device_create (backup, "account", "name=Later", NULL);
  device_set (backup, "account", &shared, "visits=6");
  /* A number that the page covers, and yet not ours: it stays in sight. */
  kt_test_transport_fail (backup->transport, KT_ENDPOINT_PUSH, KT_FAULT_500, 0, 1);
  device_sync_fails (backup, KT_ERROR_SERVER);
  assert_value (backup, "account", &shared, "visits", "6");
  device_sync (backup);
  assert_settled (backup);
  assert_value (backup, "account", &shared, "visits", "6");
  device_sync (a);
  assert_value (a, "account", &later, "name", "\"Later\"");
  assert_value (a, "account", &shared, "visits", "6");
  assert_all_equal (rig);
}

/* 70. Dying after any step of becoming a device of its own. */
static void
test_crash_while_renewed (void)
{
  for (guint at = 0;; at++)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
      Device *copy;
      g_autoptr (KtEngine) engine = kt_engine_new ();
      gboolean more = TRUE;

      device_sync (a);
      device_set (a, "account", &shared, "visits=2");
      copy = copy_of (a, "copy");
      device_set (copy, "account", &shared, "visits=12");
      device_create (a, "account", "name=Other", NULL);
      device_sync (a);
      if (at % 2 == 1)
        kt_test_transport_fail (copy->transport, KT_ENDPOINT_DEVICE, KT_FAULT_REPLY_LOST, 0, 1);
      kt_engine_poke (engine);
      for (guint i = 0; i < at / 2 && more; i++)
        more = device_step (copy, engine);
      device_crash (copy);
      /* A lost answer costs a round, no more. */
      kt_test_transport_heal (copy->transport);
      device_sync (copy);
      device_sync (a);
      assert_settled (copy);
      g_assert_false (same_device (a, copy));
      assert_value (copy, "account", &shared, "visits", "12");
      assert_value (a, "account", &shared, "visits", "12");
      assert_all_equal (rig);
      if (!more)
        return;
      g_assert_cmpuint (at, <, 40);
    }
}

static char *
read_session (Device *device)
{
  g_autofree char *path = g_build_filename (device->dir, "session", NULL);
  char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

static void
write_session (Device *device, const char *old, const char *new)
{
  g_autofree char *path = g_build_filename (device->dir, "session", NULL);
  g_autoptr (KtJson) before = kt_json_parse (old, -1, NULL);
  g_autoptr (KtJson) after = kt_json_parse (new, -1, NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  text = g_strdup_printf (
    "{\"server\":\"%s\",\"user\":\"%s\",\"device\":\"%s\",\"token\":\"%s\",\"next\":{\"device\":\"%s\",\"token\":\"%s\"}}\n",
    kt_json_get_string (before, "server", ""), kt_json_get_string (before, "user", ""),
    kt_json_get_string (before, "device", ""), kt_json_get_string (before, "token", ""),
    kt_json_get_string (after, "device", ""), kt_json_get_string (after, "token", ""));
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

/* Between any two lines of it: the file that names both counts for the one that the profile is. */
static void
test_crash_between_the_lines (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
  Device *copy, *early;
  g_autofree char *old = NULL;
  g_autofree char *new = NULL;
  g_autofree char *token = NULL;
  g_autofree char *cleaned = NULL;

  device_sync (a);
  copy = copy_of (a, "copy");
  device_set (a, "account", &shared, "visits=2");
  device_sync (a);
  device_set (copy, "account", &shared, "visits=12");
  early = copy_of (copy, "early");
  old = read_session (copy);
  device_sync (copy);
  new = read_session (copy);
  g_assert_cmpstr (old, !=, new);
  g_assert_null (strstr (new, "next"));

  /* After the profile's transaction, before the file was cleaned. */
  write_session (copy, old, new);
  device_crash (copy);
  token = kt_session_token (copy->local, NULL);
  g_assert_nonnull (strstr (new, token));
  device_set (copy, "account", &shared, "visits=112");
  device_sync (copy);
  assert_settled (copy);
  /* Signing out takes both tokens from the disk. */
  g_assert_true (kt_session_logout (copy->local, copy->transport, NULL, NULL));
  cleaned = read_session (copy);
  g_assert_null (strstr (cleaned, "token"));

  /* Before it: the profile is the old one still, and its edit is the same action as in the other copy. */
  write_session (early, old, new);
  device_crash (early);
  g_free (token);
  token = kt_session_token (early->local, NULL);
  g_assert_nonnull (strstr (old, token));
  device_sync (early);
  assert_settled (early);
  assert_value (early, "account", &shared, "visits", "112");
  device_login (copy, "anna", NULL);
  assert_all_equal (rig);
}

/* ---- restored servers ---- */

static char *
back_up (Rig *rig)
{
  static guint n;
  char *file = g_strdup_printf ("%s-backup%u", rig->dir, n++);
  g_autoptr (GError) error = NULL;

  kt_core_backup (rig->core, file, &error);
  g_assert_no_error (error);
  return file;
}

static void
restore (Rig *rig, const char *backup)
{
  static guint n;
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = g_strdup_printf ("%s-r%u", rig->dir, n++);

  rig_stop_server (rig);
  kt_core_restore (backup, dir, &rig->clock.env, &error);
  g_assert_no_error (error);
  rig_remove (rig->dir);
  g_free (rig->dir);
  rig->dir = g_steal_pointer (&dir);
  rig_start_server (rig);
}

static void
drop_backup (char **file)
{
  g_unlink (*file);
  g_free (*file);
}
#define BACKUP __attribute__ ((cleanup (drop_backup))) char *

/* 58. Nothing was settled since the backup: what waits goes out before anything comes in, and nothing newer is taken away. */
static void
test_restored (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  KtId before = device_create (a, "account", "name=Before", NULL);
  BACKUP backup = NULL;
  KtId unsent;
  g_autofree char *trace = NULL;

  device_sync (a);
  device_sync (b);
  backup = back_up (rig);
  device_set (a, "account", &before, "phone=1");
  device_sync (a);
  device_sync (b);
  unsent = device_create (b, "account", "name=Unsent", NULL);
  restore (rig, backup);

  g_free (kt_test_transport_trace (b->transport));
  device_sync (b);
  trace = kt_test_transport_trace (b->transport);
  g_assert_true (g_str_has_prefix (trace, "push push pull"));
  assert_value (b, "account", &unsent, "name", "\"Unsent\"");
  assert_value (b, "account", &before, "phone", "null");
  g_assert_cmpuint (count_notices (b, KT_NOTICE_RESTORED), ==, 1);
  assert_settled (b);
  assert_equal (b);
  /* And it stays that way: no further reset. */
  g_free (kt_test_transport_trace (b->transport));
  device_sync (b);
  g_free (trace);
  trace = kt_test_transport_trace (b->transport);
  g_assert_cmpstr (trace, ==, "pull");
  /* Whoever wrote it has it still. */
  device_sync (a);
  device_sync (b);
  assert_value (b, "account", &before, "phone", "\"1\"");
  assert_all_equal (rig);
}

/* 58, 60. Everything that was settled after the backup is done again: made, changed, binned, brought back, counted. The
 * other device, which had seen it all, comes first or second. */
static void
test_replayed (void)
{
  for (guint first = 0; first < 3; first++)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      Device *b = device_new (rig, "B", "anna");
      KtId shared = device_create (a, "account", "name=Acme", "visits=1", "phone=0", NULL);
      KtId binned = device_create (a, "account", "name=Binned", NULL);
      KtId revived = device_create (a, "account", "name=Revived", NULL);
      BACKUP backup = NULL;
      KtId made, child;
      g_autofree char *account = NULL;
      g_autoptr (GPtrArray) notices = NULL;
      const KtNotice *notice;
      KtEngineStatus status;

      device_delete (a, "account", &revived);
      device_sync (a);
      device_sync (b);
      backup = back_up (rig);
      made = device_create (a, "account", "name=Made", "visits=10", NULL);
      account = rig_reference ("account", "account", &made);
      child = device_create (a, "contact", "last_name=Li", account, NULL);
      device_set (a, "account", &shared, "phone=1");
      device_set (a, "account", &shared, "visits=6");
      device_delete (a, "account", &binned);
      device_restore (a, "account", &revived);
      device_sync (a);
      device_set (a, "account", &made, "visits=11");
      device_sync (a);
      device_sync (b);
      assert_value (b, "account", &shared, "visits", "6");
      restore (rig, backup);

      if (first == 1)
        device_sync (b);
      if (first == 2)
        device_set (b, "account", &shared, "visits=16");
      device_sync_full (a, &status);
      g_assert_cmpint (status.refused, ==, 0);
      device_sync (b);
      device_sync (a);
      for (guint i = 0; i < 2; i++)
        {
          Device *device = i == 0 ? a : b;

          assert_settled (device);
          assert_value (device, "account", &made, "name", "\"Made\"");
          assert_value (device, "account", &made, "visits", "11");
          assert_value (device, "contact", &child, "last_name", "\"Li\"");
          assert_value (device, "account", &shared, "phone", "\"1\"");
          assert_value (device, "account", &shared, "visits", first == 2 ? "16" : "6");
          g_assert_true (device_binned (device, "account", &binned));
          g_assert_false (device_binned (device, "account", &revived));
        }
      notices = kt_local_notices (a->local, NULL);
      g_assert_cmpuint (notices->len, ==, 1);
      notice = g_ptr_array_index (notices, 0);
      g_assert_cmpint (notice->kind, ==, KT_NOTICE_RESTORED);
      g_assert_cmpint (notice->again, ==, 7);
      g_assert_cmpint (notice->lost, ==, 0);
      g_assert_nonnull (notice->backup_at);
      {
        g_autofree char *words = kt_notice_words (notice, "en");
        g_autofree char *chinese = kt_notice_words (notice, "zh_CN");

        g_assert_true (g_str_has_prefix (words, "The server was restored from a backup of 20"));
        g_assert_nonnull (strstr (words, "; 7 of your changes were sent again"));
        g_assert_nonnull (strstr (chinese, "7 项"));
      }
      assert_all_equal (rig);
    }
}

/* A sum is never on the screen twice: not between the step and the pull, not while half of it is sent. */
static void
test_sum_in_between (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
  BACKUP backup = NULL;
  g_autoptr (KtEngine) engine = kt_engine_new ();
  gboolean more = TRUE;

  device_sync (a);
  backup = back_up (rig);
  device_set (a, "account", &shared, "visits=3");
  device_sync (a);
  device_set (a, "account", &shared, "visits=7");
  sync_without_answer (a);
  device_set (a, "account", &shared, "visits=15");
  restore (rig, backup);
  kt_engine_poke (engine);
  for (guint i = 0; more && i < 40; i++)
    {
      more = device_step (a, engine);
      assert_value (a, "account", &shared, "visits", "15");
      if (i % 2 == 1)
        device_crash (a);
      assert_value (a, "account", &shared, "visits", "15");
    }
  device_sync (a);
  assert_value (a, "account", &shared, "visits", "15");
  assert_settled (a);
  assert_all_equal (rig);
}

/* What a person decided stays decided: the question comes back under its old name, or is not asked any more. */
static void
test_resolution_replayed (void)
{
  for (guint first = 0; first < 2; first++)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      Device *b = device_new (rig, "B", "ben");
      KtId id = device_create (a, "account", "name=Acme", "phone=0", NULL);
      BACKUP backup = NULL;

      device_sync (a);
      device_sync (b);
      backup = back_up (rig);
      device_set (a, "account", &id, "phone=1");
      device_set (b, "account", &id, "phone=2");
      device_sync (a);
      device_sync (b);
      assert_counts (b, 0, 0, 0, 1);
      device_resolve (b, 0, "mine");
      device_sync (b);
      device_sync (a);
      assert_value (a, "account", &id, "phone", "\"2\"");
      restore (rig, backup);
      device_sync (first == 0 ? a : b);
      device_sync (first == 0 ? b : a);
      device_sync (first == 0 ? a : b);
      assert_value (a, "account", &id, "phone", "\"2\"");
      assert_value (b, "account", &id, "phone", "\"2\"");
      assert_counts (b, 0, 0, 0, 0);
      /* With Ben's edit there first, it is Anna's that meets another: she is asked, nothing is lost. */
      assert_counts (a, 0, 0, 0, first == 0 ? 0 : 1);
      assert_equal (a);
      assert_equal (b);
    }
}

/* Somebody worked in the new life before the one whose work was lost came back: it merges like any late edit. */
static void
test_work_in_the_new_life (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "phone=0", "visits=1", NULL);
  KtId target = device_create (a, "account", "name=Target", NULL);
  BACKUP backup = NULL;
  KtId mine, theirs;

  device_sync (a);
  device_sync (b);
  backup = back_up (rig);
  mine = device_create (a, "account", "name=Mine", NULL);
  device_set (a, "account", &shared, "website=mine.example");
  device_set (a, "account", &shared, "visits=3");
  device_sync (a);
  /* Seen with its last edit, and then binned: the rev it was made over is of a life that is gone. */
  device_set (a, "account", &target, "phone=9");
  device_sync (a);
  device_delete (a, "account", &target);
  device_sync (a);
  restore (rig, backup);

  theirs = device_create (b, "account", "name=Theirs", NULL);
  for (guint i = 0; i < 12; i++) /* revs of the new life pass those of the old one */
    {
      g_autofree char *phone = g_strdup_printf ("phone=%u", i);

      device_set (b, "account", &shared, phone);
      device_sync (b);
    }
  device_set (b, "account", &shared, "visits=11");
  device_set (b, "account", &target, "website=theirs.example");
  device_sync (b);
  device_sync (a);
  device_sync (b);
  assert_value (b, "account", &shared, "visits", "13");
  assert_value (b, "account", &shared, "website", "\"mine.example\"");
  assert_value (b, "account", &shared, "phone", "\"11\"");
  assert_value (b, "account", &mine, "name", "\"Mine\"");
  assert_value (a, "account", &theirs, "name", "\"Theirs\"");
  /* P7: b's edit was not seen by whoever deleted. The record stays, and a is asked. */
  g_assert_false (device_binned (a, "account", &target));
  assert_value (a, "account", &target, "website", "\"theirs.example\"");
  assert_value (a, "account", &target, "phone", "\"9\"");
  g_assert_cmpint (device_counts (a).review, >=, 1);
  assert_equal (a);
  assert_equal (b);
}

/* Two restores, with and without anything in between, and to an older backup the second time. */
static void
test_two_restores (void)
{
  for (guint between = 0; between < 3; between++)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      Device *b = device_new (rig, "B", "anna");
      KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
      BACKUP old = NULL;
      BACKUP backup = NULL;
      KtId first, second;

      device_sync (a);
      device_sync (b);
      old = back_up (rig);
      first = device_create (a, "account", "name=First", NULL);
      device_set (a, "account", &shared, "visits=3");
      device_sync (a);
      device_sync (b);
      backup = back_up (rig);
      second = device_create (a, "account", "name=Second", NULL);
      device_set (a, "account", &shared, "visits=7");
      device_sync (a);
      device_sync (b);
      restore (rig, backup);
      if (between == 1)
        device_sync (a);
      else if (between == 2)
        {
          /* Half of it. */
          g_autoptr (KtEngine) engine = kt_engine_new ();

          kt_engine_poke (engine);
          device_step (a, engine);
          device_step (a, engine);
          device_crash (a);
        }
      restore (rig, old);
      device_sync (a);
      device_sync (b);
      device_sync (a);
      assert_settled (a);
      assert_settled (b);
      assert_value (b, "account", &first, "name", "\"First\"");
      assert_value (b, "account", &second, "name", "\"Second\"");
      assert_value (b, "account", &shared, "visits", "7");
      assert_value (a, "account", &shared, "visits", "7");
      assert_all_equal (rig);
    }
}

/* The same backup put back twice: the life in between is one that the second does not know. */
static void
test_unknown_life (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "phone=0", "visits=1", NULL);
  BACKUP backup = NULL;
  KtId made;

  device_sync (a);
  device_sync (b);
  backup = back_up (rig);
  device_set (a, "account", &shared, "visits=3");
  device_sync (a);
  restore (rig, backup);
  device_sync (a);
  made = device_create (a, "account", "name=In the life between", NULL);
  device_set (a, "account", &shared, "phone=1");
  device_sync (a);
  restore (rig, backup);
  device_sync (a);
  device_sync (b);
  assert_settled (a);
  assert_value (b, "account", &shared, "visits", "3");
  assert_value (b, "account", &shared, "phone", "\"1\"");
  assert_value (b, "account", &made, "name", "\"In the life between\"");
  assert_all_equal (rig);
}

/* Old files put back without a word: no new life, but numbers that the server confirmed and knows nothing of. */
static void
test_old_files (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  g_autofree char *copy = g_strconcat (rig->dir, "-copy", NULL);
  KtId lost, waiting;

  device_create (a, "account", "name=Before", NULL);
  device_sync (a);
  rig_stop_server (rig);
  rig_copy (rig->dir, copy);
  rig_start_server (rig);
  lost = device_create (a, "account", "name=Settled after the copy", NULL);
  device_sync (a);
  waiting = device_create (a, "account", "name=Waiting", NULL);
  rig_stop_server (rig);
  rig_remove (rig->dir);
  g_free (rig->dir);
  rig->dir = g_steal_pointer (&copy);
  rig_start_server (rig);

  device_sync (a);
  assert_settled (a);
  assert_value (a, "account", &lost, "name", "\"Settled after the copy\"");
  assert_value (a, "account", &waiting, "name", "\"Waiting\"");
  g_assert_cmpuint (count_notices (a, KT_NOTICE_RESTORED), ==, 1);
  assert_all_equal (rig);
}

/* 70. Dying after any step of the way into the new life. */
static void
test_crash_in_the_new_life (void)
{
  for (guint at = 0;; at++)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
      BACKUP backup = NULL;
      KtId made;
      g_autoptr (KtEngine) engine = kt_engine_new ();
      gboolean more = TRUE;

      rig->page_rows = 20;
      device_sync (a);
      backup = back_up (rig);
      device_set (a, "account", &shared, "visits=3");
      made = device_create (a, "account", "name=Made", NULL);
      device_sync (a);
      device_set (a, "account", &shared, "visits=7");
      restore (rig, backup);
      kt_engine_poke (engine);
      for (guint i = 0; i < at && more; i++)
        more = device_step (a, engine);
      device_crash (a);
      assert_value (a, "account", &shared, "visits", "7");
      assert_value (a, "account", &made, "name", "\"Made\"");
      device_sync (a);
      assert_settled (a);
      assert_value (a, "account", &shared, "visits", "7");
      assert_value (a, "account", &made, "name", "\"Made\"");
      g_assert_cmpuint (count_notices (a, KT_NOTICE_RESTORED), ==, 1);
      assert_all_equal (rig);
      if (!more)
        return;
      g_assert_cmpuint (at, <, 60);
    }
}

/* Refused before, refused still: a parked entry stays parked, and does not hold up what went past it then. */
static void
test_parked_and_restored (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "ben");
  KtId shared = device_create (b, "account", "name=Acme", "visits=1", NULL);
  BACKUP backup = NULL;
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;

  device_sync (b);
  device_sync (a);
  backup = back_up (rig);
  device_set (a, "account", &shared, "visits=3");
  device_sync (a);
  device_set (a, "account", &shared, "phone=7");
  sync_without_answer (a);
  restore (rig, backup);
  device_sync (a);
  assert_value (a, "account", &shared, "visits", "3");
  assert_value (a, "account", &shared, "phone", "\"7\"");
  assert_settled (a);
  assert_equal (a);
}

/* A verdict is here, the page that holds its commit is not, when the server is restored. */
static void
test_settled_without_its_page (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
  BACKUP before = NULL;
  BACKUP after = NULL;

  device_sync (a);
  before = back_up (rig);
  device_set (a, "account", &shared, "visits=3");
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PULL, KT_FAULT_500, 0, 100);
  device_sync_fails (a, KT_ERROR_SERVER);
  kt_test_transport_heal (a->transport);
  g_assert_cmpint (device_counts (a).settled, ==, 1);
  after = back_up (rig);
  /* The new life has it, under its number. */
  restore (rig, after);
  device_sync (a);
  assert_value (a, "account", &shared, "visits", "3");
  g_assert_cmpint (device_counts (a).settled, ==, 0);
  device_set (a, "account", &shared, "visits=4");
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PULL, KT_FAULT_500, 0, 100);
  device_sync_fails (a, KT_ERROR_SERVER);
  kt_test_transport_heal (a->transport);
  /* This one has neither. */
  restore (rig, before);
  device_sync (a);
  assert_value (a, "account", &shared, "visits", "4");
  assert_settled (a);
  assert_all_equal (rig);
}

/* The device itself was made after the backup: it signs in as another one, and still brings everything. */
static void
test_device_lost_with_it (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *b = device_new (rig, "B", "anna");
  BACKUP backup = back_up (rig);
  Device *a = device_new (rig, "A", "anna");
  KtId made = device_create (a, "account", "name=Made", "visits=2", NULL);
  KtId waiting;
  g_autoptr (GError) error = NULL;

  device_sync (a);
  device_set (a, "account", &made, "visits=5");
  device_sync (a);
  waiting = device_create (a, "account", "name=Waiting", NULL);
  restore (rig, backup);
  device_sync_fails (a, KT_ERROR_AUTH);
  assert_value (a, "account", &made, "visits", "5");
  device_login (a, "anna", &error);
  g_assert_no_error (error);
  assert_value (a, "account", &made, "visits", "5");
  device_sync (a);
  assert_settled (a);
  device_sync (b);
  assert_value (b, "account", &made, "visits", "5");
  assert_value (b, "account", &waiting, "name", "\"Waiting\"");
  assert_all_equal (rig);
}

/* A copy that became a device of its own, and then the server is restored to before that. Its token is gone with its device;
 * what both copies had is there once. */
static void
test_copied_and_restored (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  KtId shared = device_create (a, "account", "name=Acme", "visits=1", NULL);
  BACKUP backup = NULL;
  Device *copy;
  g_autoptr (GError) error = NULL;

  device_sync (a);
  backup = back_up (rig);
  device_set (a, "account", &shared, "visits=3");
  device_sync (a);
  copy = copy_of (a, "copy");
  device_set (a, "account", &shared, "visits=4");
  device_sync (a);
  device_set (copy, "account", &shared, "visits=13");
  device_sync (copy);
  device_sync (a);
  assert_value (a, "account", &shared, "visits", "14");
  restore (rig, backup);
  device_sync (a);
  device_sync_fails (copy, KT_ERROR_AUTH);
  device_login (copy, "anna", &error);
  g_assert_no_error (error);
  device_sync (copy);
  device_sync (a);
  assert_value (a, "account", &shared, "visits", "14");
  assert_value (copy, "account", &shared, "visits", "14");
  assert_settled (a);
  assert_settled (copy);
  assert_all_equal (rig);
}

/* P14. Content that the server lost goes up again: with its file, or alone when it came after the backup. */
static void
test_content_again (void)
{
  for (guint when = 0; when < 2; when++)
    {
      g_autoptr (Rig) rig = rig_new ();
      Device *a = device_new (rig, "A", "anna");
      Device *b = device_new (rig, "B", "anna");
      KtId account = device_create (a, "account", "name=Acme", NULL);
      g_autofree char *path = g_build_filename (a->dir, "offer.txt", NULL);
      g_autofree char *parent = rig_reference ("parent", "account", &account);
      g_autofree char *sha256 = NULL;
      g_autofree char *hash = NULL;
      BACKUP backup = NULL;
      KtId file;
      gint64 size;
      g_autoptr (GError) error = NULL;

      device_sync (a);
      g_assert_true (g_file_set_contents (path, "An offer", -1, NULL));
      kt_local_blob_add (a->local, path, &sha256, &size, NULL, &error);
      g_assert_no_error (error);
      hash = g_strconcat ("sha256=", sha256, NULL);
      if (when == 0)
        backup = back_up (rig);
      file = device_create (a, "file", "name=offer.txt", hash, "size=8", parent, NULL);
      if (when == 1)
        {
          kt_test_transport_fail (a->transport, KT_ENDPOINT_BLOB_STAT, KT_FAULT_500, 0, 1);
          device_sync_fails (a, KT_ERROR_SERVER);
          backup = back_up (rig);
        }
      device_sync (a);
      assert_value (a, "file", &file, "state", "\"stored\"");
      restore (rig, backup);
      device_sync (a);
      device_sync (a);
      assert_value (a, "file", &file, "state", "\"stored\"");
      device_sync (b);
      kt_sync_fetch_blob (b->local, b->transport, sha256, size, NULL, &error);
      g_assert_no_error (error);
      assert_all_equal (rig);
    }
}

/* ---- on the screen ---- */

/* 2. The answer is lost, the page comes first: a sum is shown once, not twice, and what was done since is over it. */
static void
test_sum_shown_once (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a = device_new (rig, "A", "anna");
  Device *b = device_new (rig, "B", "anna");
  KtId id = device_create (a, "account", "name=Acme", "visits=1", NULL);

  device_sync (a);
  device_sync (b);
  device_set (a, "account", &id, "visits=3");
  sync_without_answer (a);
  device_set (b, "account", &id, "visits=11");
  device_sync (b);
  device_set (a, "account", &id, "visits=7");
  kt_test_transport_fail (a->transport, KT_ENDPOINT_PUSH, KT_FAULT_500, 0, 1);
  device_sync_fails (a, KT_ERROR_SERVER);
  assert_counts (a, 0, 2, 0, 0);
  /* 1 + 2 of mine + 10 of theirs are in the page, 4 of mine over it. */
  assert_value (a, "account", &id, "visits", "17");
  device_crash (a);
  assert_value (a, "account", &id, "visits", "17");
  device_sync (a);
  assert_value (a, "account", &id, "visits", "17");
  assert_settled (a);
  device_sync (b);
  assert_all_equal (rig);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/identity/P11-59-both-push", test_both_push);
  g_test_add_func ("/identity/P11-P3-copied-with-work", test_copied_with_work);
  g_test_add_func ("/identity/P11-undone-in-the-copy", test_undone_in_the_copy);
  g_test_add_func ("/identity/P3-no-undo-of-the-second-sending", test_no_undo_of_the_second_sending);
  g_test_add_func ("/identity/P11-P12-both-try-again", test_both_try_again);
  g_test_add_func ("/identity/P11-59-older-backup", test_older_backup);
  g_test_add_func ("/identity/P11-70-crash-while-renewed", test_crash_while_renewed);
  g_test_add_func ("/identity/P11-70-crash-between-the-lines", test_crash_between_the_lines);
  g_test_add_func ("/identity/P10-58-restored", test_restored);
  g_test_add_func ("/identity/P10-58-60-replayed", test_replayed);
  g_test_add_func ("/identity/P10-sum-in-between", test_sum_in_between);
  g_test_add_func ("/identity/P10-resolution-replayed", test_resolution_replayed);
  g_test_add_func ("/identity/P10-work-in-the-new-life", test_work_in_the_new_life);
  g_test_add_func ("/identity/P10-two-restores", test_two_restores);
  g_test_add_func ("/identity/P10-unknown-life", test_unknown_life);
  g_test_add_func ("/identity/P10-old-files", test_old_files);
  g_test_add_func ("/identity/P10-70-crash-in-the-new-life", test_crash_in_the_new_life);
  g_test_add_func ("/identity/P10-P12-parked", test_parked_and_restored);
  g_test_add_func ("/identity/P10-settled-without-its-page", test_settled_without_its_page);
  g_test_add_func ("/identity/P10-device-lost-with-it", test_device_lost_with_it);
  g_test_add_func ("/identity/P10-P11-copied-and-restored", test_copied_and_restored);
  g_test_add_func ("/identity/P10-P14-content-again", test_content_again);
  g_test_add_func ("/identity/P5-2-sum-shown-once", test_sum_shown_once);
  return g_test_run ();
}
