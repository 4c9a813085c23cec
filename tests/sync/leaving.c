/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include "../support/kt-rig.h"
#include "base/kt-error.h"

/* P8, P2 on the device: what leaves a user's scope leaves the device, its bytes included, and nothing unsettled is lost. */

#define SECRET "zanzibarplum"
#define LEVELS(level)                                                                                    \
  "{\"read\":\"" level "\",\"create\":\"yes\",\"edit\":\"" level "\",\"delete\":\"" level                \
  "\",\"stream\":\"" level "\",\"share\":\"" level "\"}"
#define READS "{\"read\":\"all\",\"create\":\"no\",\"edit\":\"no\",\"delete\":\"no\",\"stream\":\"all\"}"
#define EVERYTHING "{\"*\":" LEVELS ("all") "}"

static void
role (Rig *rig, const char *scope, const char *fields)
{
  g_autofree char *json = g_strdup_printf (
    "{\"scope\":%s,\"fields\":%s,\"special\":{\"assignment\":\"all\"},\"is_baseline\":false}", scope, fields);
  g_autoptr (GError) error = NULL;

  kt_core_role_set (rig->core, "Everything", json, NULL, &error);
  g_assert_no_error (error);
}

/* How often the word stands in any file of the profile, whatever its case. */
static guint
traces (Device *device, const char *word)
{
  g_autoptr (GDir) dir = g_dir_open (device->dir, 0, NULL);
  g_autofree char *folded = g_ascii_strdown (word, -1);
  const char *name;
  guint n = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (device->dir, name, NULL);
      g_autofree char *content = NULL;
      gsize len = 0;

      if (g_file_test (path, G_FILE_TEST_IS_DIR) || !g_file_get_contents (path, &content, &len, NULL))
        continue;
      for (gsize i = 0; i < len; i++)
        content[i] = g_ascii_tolower (content[i]);
      for (const char *at = content;
           (at = memmem (at, len - (gsize) (at - content), folded, strlen (folded))) != NULL; at++)
        {
          g_test_message ("%s: …%.60s", name, at);
          n++;
        }
    }
  return n;
}

static void
park_everything (Device *device)
{
  g_autoptr (GError) error = NULL;

  kt_db_exec (kt_local_db (device->local),
              "UPDATE kt_outbox SET state=3, reason='for the test', code='invalid'", &error);
  g_assert_no_error (error);
}

static gint64
count (Device *device, const char *sql)
{
  gint64 n = -1;

  g_assert_true (kt_db_get_int (kt_local_db (device->local), -1, &n, NULL, sql, KT_BIND_END));
  return n;
}

/* 50, 25. What I may not see any more is gone from rows, index, history and the file itself; and comes back when I may. */
static void
test_leaves (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a, *b;
  KtId id, mine;

  role (rig, EVERYTHING, "{}");
  a = device_new (rig, "A", "anna");
  b = device_new (rig, "B", "ben");
  id = device_create (a, "account", "name=" SECRET, "slogan=" SECRET " for ever", NULL);
  device_sync (a);
  device_sync (b);
  mine = device_create (b, "account", "name=Mine", NULL);
  /* Something to take back, and a history that was looked at. */
  device_set (b, "account", &id, "slogan=" SECRET " as ben says");
  device_sync (b);
  g_free (device_history (b, "account", &id));
  g_assert_cmpuint (traces (b, SECRET), >, 0);
  g_assert_cmpint (count (b, "SELECT count(*) FROM kt_done"), >, 0);

  role (rig, "{\"*\":" LEVELS ("all") ",\"account\":" LEVELS ("own") "}", "{}");
  device_sync (b);
  g_assert_false (device_has (b, "account", &id));
  g_assert_true (device_has (b, "account", &mine));
  g_assert_cmpint (count (b, "SELECT count(*) FROM kt_search WHERE kt_search MATCH '" SECRET "'"), ==, 0);
  g_assert_cmpint (count (b, "SELECT count(*) FROM kt_meta WHERE key='kt:sweep'"), ==, 0);
  g_assert_cmpuint (traces (b, SECRET), ==, 0);
  device_crash (b);
  g_assert_cmpuint (traces (b, SECRET), ==, 0);

  role (rig, EVERYTHING, "{}");
  device_sync (b);
  assert_value (b, "account", &id, "name", "\"" SECRET "\"");
  device_sync (a);
  assert_all_equal (rig);
}

/* 48. Revoked while one edit waits and another was refused: both get to somebody who may see the record, then nothing stays. */
static void
test_revoked_with_edits (void)
{
  g_autoptr (Rig) rig = rig_new ();
  g_autoptr (GPtrArray) reviews = NULL;
  g_autoptr (KtQuery) query = NULL;
  Device *a, *b;
  KtId id;

  role (rig, EVERYTHING, "{}");
  a = device_new (rig, "A", "anna");
  b = device_new (rig, "B", "ben");
  id = device_create (a, "account", "name=Acme", NULL);
  device_sync (a);
  device_sync (b);
  device_set (b, "account", &id, "slogan=" SECRET " refused");
  park_everything (b);
  device_set (b, "account", &id, "mascot=" SECRET " waiting");
  role (rig, "{\"*\":" LEVELS ("all") ",\"account\":" LEVELS ("own") "}", "{}");
  device_sync (b);
  device_sync (b);
  g_assert_false (device_has (b, "account", &id));
  assert_counts (b, 0, 0, 0, 0);
  g_assert_cmpint (count (b, "SELECT count(*) FROM kt_shadow"), ==, 0);
  g_assert_cmpuint (traces (b, SECRET), ==, 0);

  device_sync (a);
  assert_value (a, "account", &id, "slogan", "null");
  reviews = device_reviews (a);
  g_assert_cmpuint (reviews->len, ==, 2);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpstr (review_text (reviews, i, "kind"), ==, "scope");
      g_assert_nonnull (strstr (review_text (reviews, i, "mutation"), SECRET));
    }
}

/* 48, no way round. While the server cannot be reached the edit stays where it is, out of nobody's sight but kept. */
static void
test_held_back (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a, *b;
  KtId id;

  role (rig, EVERYTHING, "{}");
  a = device_new (rig, "A", "anna");
  b = device_new (rig, "B", "ben");
  id = device_create (a, "account", "name=Acme", NULL);
  device_sync (a);
  device_sync (b);
  device_set (b, "account", &id, "slogan=" SECRET);
  role (rig, "{\"*\":" LEVELS ("all") ",\"account\":" LEVELS ("own") "}", "{}");
  kt_test_transport_fail (b->transport, KT_ENDPOINT_PUSH, KT_FAULT_500, 0, 100);
  device_sync_fails (b, KT_ERROR_SERVER);
  g_assert_false (device_has (b, "account", &id));
  g_assert_cmpint (device_counts (b).sent + device_counts (b).queued, ==, 1);
  device_crash (b);
  g_assert_false (device_has (b, "account", &id));
  g_assert_cmpuint (traces (b, SECRET), >, 0);
  kt_test_transport_heal (b->transport);
  device_sync (b);
  device_sync (b);
  assert_counts (b, 0, 0, 0, 0);
  g_assert_cmpuint (traces (b, SECRET), ==, 0);
}

/* 49. My own edit gives the record away: it is applied, and gone. */
static void
test_my_own_edit (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a, *b, *c;
  KtId id;
  g_autofree char *owner = NULL;

  role (rig, "{\"*\":" LEVELS ("own") ",\"user\":" READS ",\"account\":" LEVELS ("own") "}", "{}");
  a = device_new (rig, "A", "anna");
  b = device_new (rig, "B", "ben");
  c = device_new (rig, "C", "carl");
  id = device_create (b, "account", "name=" SECRET, NULL);
  device_sync (b);
  owner = rig_reference ("owner", "user", &kt_local_identity (c->local)->access.user);
  device_set (b, "account", &id, owner);
  device_sync (b);
  device_sync (b);
  g_assert_false (device_has (b, "account", &id));
  assert_counts (b, 0, 0, 0, 0);
  g_assert_cmpuint (traces (b, SECRET), ==, 0);
  device_sync (c);
  assert_value (c, "account", &id, "name", "\"" SECRET "\"");
  device_sync (a);
  assert_value (a, "account", &id, "name", "\"" SECRET "\"");
}

/* 57. A field becomes hidden: its values leave everything that is on the device; my own new record stays, without it. */
static void
test_hidden_field (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a, *b;
  KtId id, fresh;

  role (rig, EVERYTHING, "{}");
  a = device_new (rig, "A", "anna");
  b = device_new (rig, "B", "ben");
  id = device_create (a, "account", "name=Acme", "slogan=" SECRET, "phone=+49 40 1234567", NULL);
  device_sync (a);
  device_sync (b);
  device_set (b, "account", &id, "slogan=" SECRET " again");
  device_sync (b);
  g_free (device_history (b, "account", &id));
  /* What waits when it happens. */
  fresh = device_create (b, "account", "name=Bolt", "slogan=" SECRET " mine", NULL);
  device_set (b, "account", &id, "mascot=Bear");

  role (rig, EVERYTHING,
        "{\"account\":{\"slogan\":{\"read\":\"no\",\"edit\":\"no\"},\"phone\":{\"read\":\"mask\",\"edit\":\"no\"}}}");
  device_sync (b);
  device_sync (b);
  assert_value (b, "account", &id, "name", "\"Acme\"");
  assert_value (b, "account", &id, "slogan", "null");
  assert_value (b, "account", &id, "mascot", "\"Bear\"");
  g_assert_cmpuint (traces (b, SECRET), ==, 0);
  g_assert_cmpuint (traces (b, "1234567"), ==, 0);
  {
    g_autofree char *phone = device_value (b, "account", &id, "phone");

    g_assert_cmpstr (phone, !=, "null");
    g_assert_nonnull (strchr (phone, '*'));
  }
  assert_counts (b, 0, 0, 0, 0);
  device_sync (a);
  assert_value (a, "account", &id, "slogan", "\"" SECRET " again\"");
  /* As it came, or in somebody's hands: nothing that ben wrote is lost. */
  if (device_has (a, "account", &fresh))
    {
      g_assert_true (device_has (b, "account", &fresh));
      assert_value (b, "account", &fresh, "slogan", "null");
    }
  else
    {
      g_autoptr (GPtrArray) reviews = device_reviews (a);

      g_assert_cmpuint (reviews->len, ==, 1);
    }
  assert_equal (b);

  role (rig, EVERYTHING, "{}");
  device_sync (b);
  assert_value (b, "account", &id, "slogan", "\"" SECRET " again\"");
  assert_equal (b);
}

/* What I may not do is said here, at once and with the reason, before any network. */
static void
test_refused_here (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a, *b;
  g_autoptr (KtMutation) mutation = kt_mutation_new ("2026-02-03T04:05:06.000Z", "client");
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) after = NULL;
  g_autoptr (GError) error = NULL;
  const KtObject *account;
  const KtField *slogan;
  char *reason = NULL;
  KtId id;

  role (rig, "{\"*\":" LEVELS ("all") ",\"account\":" READS "}", "{}");
  a = device_new (rig, "A", "anna");
  b = device_new (rig, "B", "ben");
  id = device_create (a, "account", "name=Acme", NULL);
  device_sync (a);
  device_sync (b);
  account = kt_schema_object (kt_local_schema (b->local), "account");
  before = kt_local_load (b->local, account, &id, &error);
  g_assert_no_error (error);
  g_assert_false (kt_access_may (&kt_local_identity (b->local)->access, KT_MAY_EDIT, account, before, "en", &reason));
  g_assert_nonnull (reason);
  g_free (reason);
  after = kt_record_copy (before);
  slogan = kt_object_field (account, "slogan");
  kt_value_set_text (&after->values[slogan->index], "mine");
  kt_mutation_add (mutation, KT_MUTATE_UPDATE, account, &id, before->rev, kt_patch_diff (before, after));
  g_assert_false (kt_local_commit (b->local, mutation, NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_FORBIDDEN);
  assert_counts (b, 0, 0, 0, 0);
}

static void
nonsense (KtReply *reply, gpointer data)
{
  const char *text = data;

  if (reply->status != 200)
    return;
  g_bytes_unref (reply->body);
  reply->body = g_bytes_new_static (text, strlen (text));
}

/* 53. A document that cannot be read, or is somebody else's, takes nothing away and lets nothing in. */
static void
test_unreadable (void)
{
  static const char *const texts[] = {
    "{", "[]", "{\"objects\":{}}", "{\"admin\":false,\"objects\":{\"account\":{\"read\":\"perhaps\"}}}",
    "{\"admin\":false,\"objects\":{},\"reports\":[],\"special\":{},\"teams\":[],\"unit\":[],"
    "\"user\":\"01900000-0000-7000-8000-00000000abcd\"}"
  };
  g_autoptr (Rig) rig = rig_new ();
  Device *a, *b;
  KtId id, later;

  role (rig, EVERYTHING, "{}");
  a = device_new (rig, "A", "anna");
  b = device_new (rig, "B", "ben");
  id = device_create (a, "account", "name=Acme", NULL);
  device_sync (a);
  device_sync (b);
  role (rig, "{\"*\":" LEVELS ("all") ",\"account\":" LEVELS ("own") "}", "{}");
  later = device_create (a, "account", "name=Later", NULL);
  device_sync (a);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      KtId written = device_create (b, "account", "name=Written", NULL);

      kt_test_transport_alter (b->transport, KT_ENDPOINT_ACCESS, nonsense, (gpointer) texts[i]);
      device_sync_fails (b, i + 1 < G_N_ELEMENTS (texts) ? KT_ERROR_INVALID : KT_ERROR_SERVER);
      assert_value (b, "account", &id, "name", "\"Acme\"");
      g_assert_true (device_has (b, "account", &written));
      g_assert_false (device_has (b, "account", &later));
    }
  kt_test_transport_alter (b->transport, KT_ENDPOINT_ACCESS, NULL, NULL);
  device_sync (b);
  g_assert_false (device_has (b, "account", &id));
  assert_counts (b, 0, 0, 0, 0);
}

/* 50. Attachments of what left go with it, parts too; one that somebody's record still names stays. */
static void
test_blobs_leave (void)
{
  g_autoptr (Rig) rig = rig_new ();
  Device *a, *b;
  KtBlobPolicy policy = { KT_BLOB_ALL, 1 << 20, 1 << 20 };
  g_autofree char *sha256 = NULL;
  g_autofree char *path = NULL;
  g_autofree char *hash = NULL;
  g_autofree char *reference = NULL;
  g_autoptr (GError) error = NULL;
  KtId id;

  role (rig, EVERYTHING, "{}");
  a = device_new (rig, "A", "anna");
  b = device_new (rig, "B", "ben");
  id = device_create (a, "account", "name=Acme", NULL);
  path = g_build_filename (a->dir, "content", NULL);
  g_file_set_contents (path, SECRET, -1, &error);
  kt_local_blob_add (a->local, path, &sha256, NULL, NULL, &error);
  g_assert_no_error (error);
  hash = g_strconcat ("sha256=", sha256, NULL);
  reference = rig_reference ("parent", "account", &id);
  device_create (a, "file", "name=secret", hash, "size=12", reference, NULL);
  device_sync (a);
  kt_local_set_blob_policy (b->local, &policy, &error);
  g_assert_no_error (error);
  device_sync (b);
  g_assert_true (kt_local_blob_have (b->local, sha256, NULL));
  role (rig, "{\"*\":" LEVELS ("all") ",\"account\":" LEVELS ("own") ",\"file\":" LEVELS ("own") "}", "{}");
  device_sync (b);
  g_assert_false (device_has (b, "account", &id));
  g_assert_false (kt_local_blob_have (b->local, sha256, NULL));
}

/* P2. A device is to be emptied: what it has not sent comes first, what was refused goes to somebody who may decide, and
 * then nothing is left on it. */
static void
test_wiped (void)
{
  g_autoptr (Rig) rig = rig_new ();
  g_autoptr (GPtrArray) reviews = NULL;
  g_autoptr (GPtrArray) devices = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *token = NULL;
  Device *a, *b;
  char id_text[KT_ID_TEXT_SIZE];
  KtId id, fresh;

  role (rig, EVERYTHING, "{}");
  a = device_new (rig, "A", "anna");
  b = device_new (rig, "B", "ben");
  id = device_create (a, "account", "name=" SECRET, NULL);
  device_sync (a);
  device_sync (b);
  device_set (b, "account", &id, "slogan=" SECRET " refused");
  park_everything (b);
  fresh = device_create (b, "account", "name=Fresh " SECRET, NULL);
  kt_id_format (&kt_local_identity (b->local)->device, id_text);
  g_assert_false (kt_core_device_wipe (rig->core, "nobody's", &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_clear_error (&error);
  kt_core_device_wipe (rig->core, id_text, &error);
  g_assert_no_error (error);

  /* What cannot be sent keeps everything where it is. */
  kt_test_transport_fail (b->transport, KT_ENDPOINT_PUSH, KT_FAULT_500, 0, 100);
  {
    g_autoptr (KtEngine) engine = kt_engine_new ();

    kt_engine_poke (engine);
    for (guint i = 0; i < 6; i++)
      device_step (b, engine);
  }
  g_assert_nonnull (kt_local_identity (b->local));
  g_assert_cmpuint (traces (b, SECRET), >, 0);
  kt_test_transport_heal (b->transport);
  {
    g_autoptr (KtEngine) engine = kt_engine_new ();

    kt_engine_poke (engine);
    for (guint i = 0; i < 30 && device_step (b, engine); i++)
      ;
    g_assert_cmpint (kt_engine_status (engine)->state, ==, KT_ENGINE_SIGNED_OUT);
  }
  g_assert_null (kt_local_identity (b->local));
  token = kt_session_token (b->local, NULL);
  g_assert_null (token);
  g_assert_cmpuint (traces (b, SECRET), ==, 0);
  device_crash (b);
  g_assert_null (kt_local_identity (b->local));

  device_sync (a);
  assert_value (a, "account", &fresh, "name", "\"Fresh " SECRET "\"");
  reviews = device_reviews (a);
  g_assert_cmpuint (reviews->len, ==, 1);
  g_assert_nonnull (strstr (review_text (reviews, 0, "mutation"), " refused"));
  devices = kt_core_device_list (rig->core, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < devices->len; i++)
    if (strstr (devices->pdata[i], id_text) != NULL)
      {
        g_assert_nonnull (strstr (devices->pdata[i], "\"wipe\":\"done\""));
        g_assert_nonnull (strstr (devices->pdata[i], "\"signed_in\":false"));
      }
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/leaving/P8/50-leaves", test_leaves);
  g_test_add_func ("/leaving/P2/48-revoked-with-edits", test_revoked_with_edits);
  g_test_add_func ("/leaving/P2/48-held-back", test_held_back);
  g_test_add_func ("/leaving/P8/49-my-own-edit", test_my_own_edit);
  g_test_add_func ("/leaving/P8/57-hidden-field", test_hidden_field);
  g_test_add_func ("/leaving/P8/refused-here", test_refused_here);
  g_test_add_func ("/leaving/P8/53-unreadable", test_unreadable);
  g_test_add_func ("/leaving/P8/50-blobs-leave", test_blobs_leave);
  g_test_add_func ("/leaving/P2/wiped", test_wiped);
  return g_test_run ();
}
