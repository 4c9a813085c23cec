/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The demo company keeps the rules of its own pack, and its books are in order. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "proto/kt-rules.h"

static void
check_rules (Device *device)
{
  GHashTableIter iter;
  gpointer record;

  g_hash_table_iter_init (&iter, device->records);
  while (g_hash_table_iter_next (&iter, NULL, &record))
    {
      g_autoptr (GPtrArray) problems = kt_rules_check (NULL, record, "en");

      for (guint i = 0; problems != NULL && i < problems->len; i++)
        g_error ("%s: %s", ((KtRecord *) record)->object->name,
                 ((KtProblem *) problems->pdata[i])->message);
    }
}

static guint
count (Device *device, const char *object)
{
  GHashTableIter iter;
  gpointer record;
  guint n = 0;

  g_hash_table_iter_init (&iter, device->records);
  while (g_hash_table_iter_next (&iter, NULL, &record))
    n += strcmp (((KtRecord *) record)->object->name, object) == 0;
  return n;
}

static void
test_demo (gconstpointer data)
{
  /* A Monday, a Saturday, a Sunday. */
  gint64 day = GPOINTER_TO_INT (data) * G_GINT64_CONSTANT (86400000000);
  KtInitOptions options = {
    .admin = "demo", .password = "secret", .schema_dir = fixture_schema_dir, .demo = TRUE
  };
  g_autoptr (Fixture) fixture = fixture_new ();
  g_autoptr (Device) demo = NULL;
  g_autoptr (Device) anna = NULL;
  g_autoptr (GPtrArray) open = NULL;
  g_autofree char *dir = g_strconcat (fixture->dir, "-demo", NULL);
  g_autoptr (GError) error = NULL;

  fixture->now_us += day;
  kt_core_close (fixture->core);
  fixture_remove (fixture->dir);
  g_free (fixture->dir);
  fixture->dir = g_steal_pointer (&dir);
  kt_core_init (fixture->dir, &options, &fixture->env, &error);
  g_assert_no_error (error);
  fixture->core = kt_core_open (fixture->dir, &fixture->env, &error);
  g_assert_no_error (error);
  assert_sound (fixture);

  demo = device_new (fixture, "demo");
  anna = device_new (fixture, "anna"); /* the story's people have the administrator's password */
  pull (demo, 0);
  assert_equal (demo);
  check_rules (demo);
  g_assert_cmpuint (count (demo, "account"), >=, 60);
  g_assert_cmpuint (count (demo, "contact"), >=, 130);
  g_assert_cmpuint (count (demo, "opportunity"), >=, 80);
  g_assert_cmpuint (count (demo, "case"), >=, 40);
  g_assert_cmpuint (count (demo, "user"), ==, 7);
  g_assert_cmpuint (count (demo, "team"), ==, 3);
  open = reviews (demo);
  g_assert_cmpuint (open->len, ==, 0);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_order WHERE f_total IS NULL"), ==,
                   0);
  g_assert_cmpint (count_sql (fixture, "SELECT count(*) FROM o_case WHERE f_number IS NULL"), ==,
                   0);
  /* Nothing that has happened lies in the future. */
  {
    char now[KT_TIME_SIZE];
    g_autofree char *sql = NULL;

    _kt_core_now (fixture->core, now);
    sql = g_strdup_printf ("SELECT count(*) FROM kt_ledger WHERE at > '%s'", now);
    g_assert_cmpint (count_sql (fixture, sql), ==, 0);
  }
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_data_func ("/server/demo/thursday", GINT_TO_POINTER (0), test_demo);
  g_test_add_data_func ("/server/demo/saturday", GINT_TO_POINTER (2), test_demo);
  g_test_add_data_func ("/server/demo/sunday", GINT_TO_POINTER (3), test_demo);
  g_test_add_data_func ("/server/demo/monday", GINT_TO_POINTER (4), test_demo);
  return g_test_run ();
}
