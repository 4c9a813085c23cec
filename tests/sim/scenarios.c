/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sim.h"

#include <string.h>

/* Stories that need a disk which does as it is told. What a network and a process alone can do is told in tests/sync. */

static void
act (Sim *sim, SimActionKind kind, guint node, guint32 salt)
{
  SimAction action = { 0, kind, node, salt };

  sim_act (sim, &action);
}

static void
end (Sim *sim)
{
  if (!sim_finish (sim))
    g_error ("%s", sim->failure->str);
  sim_free (sim);
}

/* P1, 70: the server dies at every single write of a push, is asked again, and then the power goes: what was
 * confirmed is there. A dead process may leave a commit that only the kernel has. */
static void
test_server_dies_then_power (void)
{
  guint deaths = 0;

  for (guint nth = 1; nth <= 40; nth++)
    {
      Sim *sim = sim_new_from (nth, SIM_KNOWN);

      act (sim, SIM_CREATE, 2, nth);
      act (sim, SIM_UPDATE, 2, nth);
      sim_disk_doom (sim->disk, nth);
      sim_round (sim->devices[2], 3);
      if (sim_disk_dead (sim->disk))
        {
          deaths++;
          sim_close_server (sim, SIM_KILL);
          sim_open_server (sim);
        }
      sim_round (sim->devices[2], 30);
      sim_disk_doom (sim->disk, 0);
      sim_close_server (sim, SIM_POWER_CUT);
      sim_open_server (sim);
      end (sim);
    }
  g_assert_cmpuint (deaths, >, 3);
}

/* P1, 70: the same for a device: every write of a commit, of a push and of a pull. */
static void
test_device_dies_then_power (void)
{
  guint deaths = 0;

  for (guint nth = 1; nth <= 60; nth++)
    {
      Sim *sim = sim_new_from (nth, SIM_KNOWN);
      SimDevice *device = sim->devices[0];

      act (sim, SIM_CREATE, 1, nth);
      act (sim, SIM_ROUND, 1, nth);
      sim_disk_doom (device->disk, nth);
      act (sim, SIM_PAIR, 0, nth);
      act (sim, SIM_UPDATE, 0, nth);
      act (sim, SIM_ROUND, 0, nth);
      deaths += sim->deaths;
      act (sim, SIM_ROUND, 0, nth);
      sim_disk_doom (device->disk, 0);
      sim_close_device (device, SIM_POWER_CUT);
      sim_open_device (device);
      end (sim);
    }
  g_assert_cmpuint (deaths, >, 10);
}

/* ---- a day with the server ---- */

static void
run_sql (Sim *sim, const char *sql)
{
  g_autoptr (GError) error = NULL;

  kt_db_exec (kt_core_db (sim->core), sql, &error);
  g_assert_no_error (error);
}

/* 28: while a device fetches everything in pages of one, the server's database is compacted between any two of them,
 * and others go on writing. */
static void
test_compacted (void)
{
  Sim *sim = sim_new_from (28, SIM_FRESH);
  SimDevice *device = sim->devices[2];
  guint pages = 0;

  sim->page_rows = 1;
  for (guint i = 0; i < 6; i++)
    act (sim, SIM_CREATE, 0, i);
  act (sim, SIM_ROUND, 0, 1);
  while (!kt_local_ready (device->local) && pages < 200)
    {
      run_sql (sim, "VACUUM");
      act (sim, SIM_UPDATE, 1, pages);
      act (sim, SIM_STEP, 1, pages);
      act (sim, SIM_STEP, 2, pages);
      pages++;
    }
  g_assert_cmpuint (pages, >, 5);
  g_assert_true (kt_local_ready (device->local));
  end (sim);
}

/* 42: a record whose parent is not there at all does not stop a first pull. */
static void
test_orphan (void)
{
  Sim *sim = sim_new_from (42, SIM_FRESH);
  SimDevice *device = sim->devices[2];
  gint64 n = 0;

  for (guint i = 0; i < 12; i++)
    act (sim, SIM_CREATE, 0, i);
  for (guint i = 0; i < 12; i++)
    act (sim, SIM_UPDATE, 0, i);
  act (sim, SIM_ROUND, 0, 1);
  run_sql (sim, "DELETE FROM o_company");
  sim_round (device, 200);
  g_assert_true (kt_local_ready (device->local));
  kt_db_get_int (kt_local_db (device->local), 0, &n, NULL,
                 "SELECT (SELECT count(*) FROM o_person) + (SELECT count(*) FROM o_job)",
                 KT_BIND_END);
  g_assert_cmpint (n, >, 0);
  sim->spoiled = TRUE;
  sim_free (sim);
}

/* 45: a device whose user is locked out, with work of its own and far behind, holds up nobody; let in again it goes on. */
static void
test_revoked (void)
{
  Sim *sim = sim_new_from (45, SIM_KNOWN);
  g_autoptr (GError) error = NULL;

  act (sim, SIM_CREATE, 2, 1);
  kt_core_user_enable (sim->core, "carl", FALSE, &error);
  g_assert_no_error (error);
  act (sim, SIM_ROUND, 2, 1);
  g_assert_cmpint (kt_engine_status (sim->devices[2]->engine)->state, ==, KT_ENGINE_SIGNED_OUT);
  for (guint i = 0; i < 8; i++)
    {
      act (sim, SIM_UPDATE, i % 2, i);
      act (sim, SIM_CREATE, i % 2, i);
      act (sim, SIM_ROUND, i % 2, i);
    }
  act (sim, SIM_ROUND, 0, 1);
  act (sim, SIM_ROUND, 1, 1);
  g_assert_cmpint (kt_local_seq (sim->devices[0]->local), ==, kt_core_seq (sim->core));
  kt_core_user_enable (sim->core, "carl", TRUE, &error);
  g_assert_no_error (error);
  sim->spoiled = TRUE;
  end (sim);
}

/* 64: one clock an hour ahead, one an hour behind, one asleep for a night: nobody is refused, and what reached the server last stands. */
static void
test_an_hour_off (void)
{
  Sim *sim = sim_new_from (64, SIM_KNOWN);

  sim->devices[0]->clock.wall_us += G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC;
  sim->devices[1]->clock.wall_us -= G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC;
  for (guint i = 0; i < 20; i++)
    {
      act (sim, i % 3 == 0 ? SIM_CREATE : SIM_UPDATE, i % 3, i);
      act (sim, SIM_ROUND, (i * 7) % 3, i);
      if (i == 10)
        {
          sim->devices[2]->clock.wall_us += G_GINT64_CONSTANT (8 * 3600) * G_USEC_PER_SEC;
          sim->devices[2]->clock.monotonic_us += 1000;
        }
      for (guint k = 0; k < 3; k++)
        {
          const KtEngineStatus *status = kt_engine_status (sim->devices[k]->engine);

          g_assert_no_error (status->problem);
          g_assert_cmpint (status->refused, ==, 0);
        }
    }
  end (sim);
}

/* 65: a clock thirty years ahead asks for nothing more often than a right one does, and signs in no second time. */
static void
test_fast_clock (void)
{
  Sim *sim = sim_new_from (65, SIM_KNOWN | SIM_TRACED);
  SimDevice *device = sim->devices[0];
  g_autofree char *token = kt_session_token (device->local, NULL);
  g_autofree char *after = NULL;
  guint asked = 0;

  device->clock.wall_us += G_GINT64_CONSTANT (30) * 365 * 86400 * G_USEC_PER_SEC;
  sim_round (device, 100);
  g_string_truncate (sim->trace, 0);
  for (guint i = 0; i < 10; i++)
    sim_round (device, 100);
  for (const char *at = sim->trace->str; (at = strstr (at, " asks ")) != NULL; at++)
    asked++;
  g_assert_cmpuint (asked, ==, 10);
  g_assert_null (strstr (sim->trace->str, "login"));
  after = kt_session_token (device->local, NULL);
  g_assert_cmpstr (token, ==, after);
  end (sim);
}

/* ---- copies, other lives, lost answers: what the simulation has found ---- */

/* P10, P11, 58, 59: of two copies of a profile one has sent something. The server is put back to before that, and the other
 * copy, which uses the same numbers, is there first. */
static void
test_copy_was_first (void)
{
  Sim *sim = sim_new_from (59, SIM_KNOWN);

  sim_backup_server (sim);
  sim_clone_device (sim->devices[2]);
  act (sim, SIM_CREATE, 3, 1);
  act (sim, SIM_ROUND, 3, 1);
  sim_restore_server (sim);
  act (sim, SIM_CREATE, 2, 2);
  act (sim, SIM_ROUND, 2, 1);
  act (sim, SIM_ROUND, 3, 1);
  end (sim);
}

/* P11, 59: the same with work under way on both: a number before a gap goes alone. */
static void
test_numbers_apart (void)
{
  for (guint seed = 1; seed < 20; seed++)
    {
      Sim *sim = sim_new_from (seed, SIM_KNOWN);

      sim_backup_server (sim);
      sim_clone_device (sim->devices[1]);
      act (sim, SIM_CREATE, 3, seed);
      act (sim, SIM_ASK, 3, seed);
      act (sim, SIM_CREATE, 1, seed + 1);
      act (sim, SIM_UPDATE, 1, seed + 2);
      sim_restore_server (sim);
      act (sim, SIM_UPDATE, 3, seed + 3);
      act (sim, SIM_ROUND, 1, seed);
      end (sim);
    }
}

/* P12, 2: the answer of a refusal is lost, a page comes first; what was refused is seen until somebody decides. */
static void
test_refused_then_page (void)
{
  Sim *sim = sim_new_from (4, SIM_KNOWN);

  act (sim, SIM_POISON, 2, 1);
  act (sim, SIM_CUT, 2, 3);
  act (sim, SIM_ROUND, 2, 1);
  end (sim);
}

/* P5, 2: the answer to an edit is lost, and its page is not the last one of the pull that follows: seen once. */
static void
test_settled_in_first_page (void)
{
  Sim *sim = sim_new_from (2, SIM_KNOWN);

  sim->page_rows = 1;
  for (guint i = 0; i < 6; i++)
    act (sim, SIM_PAIR, 2, i);
  act (sim, SIM_CUT, 2, 3);
  for (guint i = 0; i < 6; i++)
    {
      act (sim, SIM_CREATE, 0, i);
      act (sim, SIM_ROUND, 0, i);
    }
  kt_engine_poke (sim->devices[2]->engine);
  for (guint i = 0; i < 60; i++)
    act (sim, SIM_STEP, 2, i);
  end (sim);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    GTestFunc run;
  } stories[] = {
    { "P1, 70: the server dies at every write, then the power goes", test_server_dies_then_power },
    { "P1, 70: a device dies at every write, then the power goes", test_device_dies_then_power },
    { "P10, P11, 58, 59: a copy was first in the new life", test_copy_was_first },
    { "P11, 59: numbers apart", test_numbers_apart },
    { "P12, 2: refused, and the page came first", test_refused_then_page },
    { "P5, 2: settled in the first of two pages", test_settled_in_first_page },
    { "28: the database is compacted during a download", test_compacted },
    { "42: an orphan in a first pull", test_orphan },
    { "45: a revoked device holds up nobody", test_revoked },
    { "P9, 64: clocks an hour off, and a night asleep", test_an_hour_off },
    { "P9, 65: a fast clock asks no more often", test_fast_clock },
  };

  g_test_init (&argc, &argv, NULL);
  sim_set_up ();
  for (guint i = 0; i < G_N_ELEMENTS (stories); i++)
    {
      g_autofree char *path = g_strconcat ("/sim/", stories[i].name, NULL);

      g_test_add_func (path, stories[i].run);
    }
  return g_test_run ();
}
