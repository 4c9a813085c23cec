/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sim.h"

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
      Sim *sim = sim_new (nth, FALSE, FALSE);

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
      Sim *sim = sim_new (nth, FALSE, FALSE);
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  sim_set_up ();
  g_test_add_func ("/sim/P1, 70: the server dies at every write, then the power goes", test_server_dies_then_power);
  g_test_add_func ("/sim/P1, 70: a device dies at every write, then the power goes", test_device_dies_then_power);
  return g_test_run ();
}
