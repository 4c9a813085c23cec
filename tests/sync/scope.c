/* SPDX-License-Identifier: GPL-3.0-or-later */

/* P8 with real devices: what enters, what leaves, and what becomes of work on it. */

#include "config.h"

#include "tests/support/kt-rig.h"

#define OWN "{\"read\":\"own\",\"create\":\"yes\",\"edit\":\"own\",\"delete\":\"own\",\"stream\":\"own\",\"share\":\"own\"}"
#define ALL "{\"read\":\"all\",\"create\":\"yes\",\"edit\":\"all\",\"delete\":\"all\",\"stream\":\"all\",\"share\":\"all\"}"

static void
role (Rig *rig, const char *scope, const char *fields)
{
  g_autofree char *json =
    g_strdup_printf ("{\"scope\":%s,\"fields\":%s,\"special\":{\"assignment\":\"all\"}}", scope, fields);
  g_autoptr (GError) error = NULL;

  kt_core_role_set (rig->core, "Tested", json, NULL, &error);
  g_assert_no_error (error);
}

/* ben, who may do what the role says. */
static void
begin (Rig *rig, const char *scope, const char *fields)
{
  static const char *const roles[] = { "Tested", NULL };
  g_autoptr (GError) error = NULL;

  role (rig, scope, fields);
  kt_core_user_set (rig->core, "ben", NULL, roles, NULL, &error);
  g_assert_no_error (error);
}

static void
own (Device *device, const char *object, const KtId *id, const char *user)
{
  g_autofree char *sql = g_strdup_printf ("SELECT id FROM o_user WHERE f_user_name = '%s'", user);
  KtStmt *stmt = kt_db_stmt (kt_core_db (device->rig->core), sql, NULL);
  g_autofree char *text = NULL;
  g_autofree char *assignment = NULL;
  KtId owner;

  g_assert_cmpint (kt_stmt_step (stmt, NULL), ==, KT_STEP_ROW);
  g_assert_true (kt_stmt_id (stmt, 0, &owner));
  kt_stmt_reset (stmt);
  text = kt_id_to_string (&owner);
  assignment = g_strdup_printf ("owner=%s", text);
  device_set (device, object, id, assignment);
}

/* 50: a record that went to somebody else does not stay on the device; 49: nor does one that its user gave away. */
static void
test_leaves (void)
{
  Rig *rig = rig_new ();
  Device *anna = device_new (rig, "anna", "anna");
  Device *ben;
  KtId theirs, mine;

  begin (rig, "{\"account\":" OWN "}", "{}");
  ben = device_new (rig, "ben", "ben");
  theirs = device_create (anna, "account", "name=Theirs", NULL);
  own (anna, "account", &theirs, "ben");
  device_sync (anna);
  mine = device_create (ben, "account", "name=Mine", NULL);
  device_sync (ben);
  g_assert_true (device_has (ben, "account", &theirs));
  g_assert_true (device_has (ben, "account", &mine));

  own (anna, "account", &theirs, "carl");
  device_sync (anna);
  own (ben, "account", &mine, "carl");
  device_sync (ben);
  device_sync (ben);
  g_assert_false (device_has (ben, "account", &theirs));
  g_assert_false (device_has (ben, "account", &mine));
  device_sync (anna);
  g_assert_true (device_has (anna, "account", &mine));
  rig_free (rig);
}

/* Roles change, in many pages, with a crash among them, and change again on the way. */
static void
test_roles (void)
{
  Rig *rig = rig_new ();
  Device *anna = device_new (rig, "anna", "anna");
  Device *ben;
  KtId ids[20], mine;

  begin (rig, "{\"account\":" OWN "}", "{}");
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    ids[i] = device_create (anna, "account", "name=Theirs", NULL);
  device_sync (anna);
  rig->page_rows = 3;
  ben = device_new (rig, "ben", "ben");
  mine = device_create (ben, "account", "name=Mine", NULL);
  device_sync (ben);
  g_assert_false (device_has (ben, "account", &ids[0]));

  role (rig, "{\"account\":" ALL "}", "{}");
  device_sync (ben);
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    g_assert_true (device_has (ben, "account", &ids[i]));

  role (rig, "{\"account\":" OWN "}", "{}");
  {
    g_autoptr (KtEngine) engine = kt_engine_new ();

    for (guint i = 0; i < 3; i++)
      device_step (ben, engine);
  }
  device_crash (ben);
  role (rig, "{\"account\":" ALL "}", "{}");
  {
    g_autoptr (KtEngine) engine = kt_engine_new ();

    for (guint i = 0; i < 3; i++)
      device_step (ben, engine);
  }
  role (rig, "{\"account\":" OWN "}", "{}");
  device_sync (ben);
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    g_assert_false (device_has (ben, "account", &ids[i]));
  g_assert_true (device_has (ben, "account", &mine));
  rig_free (rig);
}

/* 48: rights are gone, an edit comes late: it waits for whoever has the record now. */
static void
test_late_edit (void)
{
  Rig *rig = rig_new ();
  Device *anna = device_new (rig, "anna", "anna");
  Device *carl = device_new (rig, "carl", "carl");
  Device *ben;
  g_autofree char *website = NULL;
  KtId id;

  begin (rig, "{\"account\":" OWN "}", "{}");
  ben = device_new (rig, "ben", "ben");
  id = device_create (ben, "account", "name=Acme", NULL);
  device_sync (ben);
  device_set (ben, "account", &id, "website=late.example");
  device_sync (anna);
  own (anna, "account", &id, "carl");
  device_sync (anna);
  device_sync (ben);
  device_sync (ben);
  g_assert_false (device_has (ben, "account", &id));
  device_sync (carl);
  website = device_value (carl, "account", &id, "website");
  g_assert_cmpstr (website, ==, "null");
  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (
      kt_core_db (rig->core),
      "SELECT c.id FROM o_sync_conflict c JOIN o_user u ON u.id = c.f_assigned_to"
      " WHERE c.f_kind = 'scope' AND c.f_state = 'open' AND u.f_user_name = 'carl'",
      NULL);
    KtId item;

    g_assert_cmpint (kt_stmt_step (stmt, NULL), ==, KT_STEP_ROW);
    g_assert_true (kt_stmt_id (stmt, 0, &item));
    g_assert_true (device_has (carl, "sync_conflict", &item));
    g_assert_false (device_has (ben, "sync_conflict", &item));
  }
  rig_free (rig);
}

/* 53: roles that cannot be worked out stop the pull and purge nothing. */
static void
test_broken_roles (void)
{
  Rig *rig = rig_new ();
  Device *ben;
  KtDb *db = kt_core_db (rig->core);
  g_autofree char *whole = NULL;
  KtId id;

  begin (rig, "{\"account\":" OWN "}", "{}");
  ben = device_new (rig, "ben", "ben");
  id = device_create (ben, "account", "name=Acme", NULL);
  device_sync (ben);
  kt_db_get_text (db, &whole, NULL, "SELECT f_scope FROM o_role WHERE f_name = 'Tested'", KT_BIND_END);
  kt_db_exec (db, "UPDATE o_role SET f_scope = '[1]' WHERE f_name = 'Tested';"
                  "UPDATE kt_meta SET number = 999998 WHERE key = 'roles'", NULL);
  g_test_expect_message ("kt-server", G_LOG_LEVEL_WARNING, "*roles cannot be worked out*");
  device_sync_fails (ben, KT_ERROR_SERVER);
  g_test_assert_expected_messages ();
  g_assert_true (device_has (ben, "account", &id));
  kt_db_run (db, NULL, "UPDATE o_role SET f_scope = ?1 WHERE f_name = 'Tested'", KT_BIND_TEXT, whole,
             KT_BIND_END);
  kt_db_exec (db, "UPDATE kt_meta SET number = 999999 WHERE key = 'roles'", NULL);
  device_sync (ben);
  g_assert_true (device_has (ben, "account", &id));
  rig_free (rig);
}

/* 57: fields that are hidden do not hide what their user makes. */
static void
test_hidden (void)
{
  Rig *rig = rig_new ();
  Device *anna = device_new (rig, "anna", "anna");
  Device *ben;
  g_autofree char *status = NULL;
  g_autofree char *name = NULL;
  KtId id;

  begin (rig, "{\"lead\":" OWN "}", "{\"lead\":{\"status\":{\"read\":\"no\"}}}");
  ben = device_new (rig, "ben", "ben");
  id = device_create (ben, "lead", "last_name=Li", NULL);
  device_sync (ben);
  device_sync (ben);
  g_assert_true (device_has (ben, "lead", &id));
  name = device_value (ben, "lead", &id, "last_name");
  g_assert_cmpstr (name, ==, "\"Li\"");
  device_sync (anna);
  status = device_value (anna, "lead", &id, "status");
  g_assert_cmpstr (status, !=, "null");
  rig_free (rig);
}

int
main (int argc, char **argv)
{
  rig_test_init (&argc, &argv);
  g_test_add_func ("/sync/scope/50-49-leaves", test_leaves);
  g_test_add_func ("/sync/scope/P8-roles-change", test_roles);
  g_test_add_func ("/sync/scope/48-late-edit", test_late_edit);
  g_test_add_func ("/sync/scope/53-broken-roles", test_broken_roles);
  g_test_add_func ("/sync/scope/57-hidden-fields", test_hidden);
  return g_test_run ();
}
