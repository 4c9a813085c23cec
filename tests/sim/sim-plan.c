/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sim.h"

#include "base/kt-error.h"

/* How often, against the others. An action of a group happens only in histories that have drawn its group: a
 * few kinds of trouble at a time reach deeper than all of them at once. */
typedef enum
{
  GROUP_ALWAYS,
  GROUP_LINE,   /* losses, delays, repeats */
  GROUP_DAMAGE, /* what comes is not what was sent */
  GROUP_DEATH,
  GROUP_SERVER_DEATH,
  GROUP_DISK,
  GROUP_CLOCK,
  GROUP_SESSION,
  GROUP_POISON,
  GROUP_COPY,
  GROUP_SERVER_COPY,
  GROUP_SCHEMA,
  GROUP_FILES,
  GROUP_SCOPE,
  N_GROUPS
} Group;

static const struct
{
  const char *name;
  guint8 weight;
  guint8 group;
} kinds[SIM_N_EVENTS] = {
  [SIM_CREATE] = { "create", 10, GROUP_ALWAYS },
  [SIM_UPDATE] = { "update", 30, GROUP_ALWAYS },
  [SIM_PAIR] = { "pair", 3, GROUP_ALWAYS },
  [SIM_ATTACH] = { "attach", 6, GROUP_FILES },
  [SIM_POISON] = { "poison", 3, GROUP_POISON },
  [SIM_DELETE] = { "delete", 5, GROUP_ALWAYS },
  [SIM_BIN_RESTORE] = { "bin-restore", 3, GROUP_ALWAYS },
  [SIM_UNDO] = { "undo", 3, GROUP_ALWAYS },
  [SIM_RETRY] = { "retry", 1, GROUP_ALWAYS },
  [SIM_DISCARD] = { "discard", 1, GROUP_ALWAYS },
  [SIM_RESOLVE] = { "resolve", 4, GROUP_ALWAYS },
  [SIM_POKE] = { "poke", 2, GROUP_ALWAYS },
  [SIM_STEP] = { "step", 16, GROUP_ALWAYS },
  [SIM_ROUND] = { "round", 8, GROUP_ALWAYS },
  [SIM_ASK] = { "ask", 5, GROUP_LINE },
  [SIM_SERVE] = { "serve", 5, GROUP_LINE },
  [SIM_ANSWER] = { "answer", 4, GROUP_LINE },
  [SIM_LOSE] = { "lose", 5, GROUP_LINE },
  [SIM_TWICE] = { "twice", 3, GROUP_LINE },
  [SIM_LATE] = { "late", 4, GROUP_LINE },
  [SIM_GARBLE] = { "garble", 4, GROUP_DAMAGE },
  [SIM_CUT] = { "cut", 4, GROUP_DAMAGE },
  [SIM_STRANGER] = { "stranger", 2, GROUP_DAMAGE },
  [SIM_REFUSE] = { "refuse", 4, GROUP_DAMAGE },
  [SIM_DIE] = { "die", 3, GROUP_DEATH },
  [SIM_POWER] = { "power", 3, GROUP_DEATH },
  [SIM_DOOM] = { "doom", 8, GROUP_DEATH },
  [SIM_SERVER_DIE] = { "server-die", 2, GROUP_SERVER_DEATH },
  [SIM_SERVER_POWER] = { "server-power", 2, GROUP_SERVER_DEATH },
  [SIM_SERVER_DOOM] = { "server-doom", 8, GROUP_SERVER_DEATH },
  [SIM_FULL] = { "full", 4, GROUP_DISK },
  [SIM_ROOM] = { "room", 4, GROUP_DISK },
  [SIM_IO_ERROR] = { "io-error", 5, GROUP_DISK },
  [SIM_SERVER_FULL] = { "server-full", 2, GROUP_DISK },
  [SIM_SERVER_ROOM] = { "server-room", 3, GROUP_DISK },
  [SIM_SERVER_IO_ERROR] = { "server-io-error", 3, GROUP_DISK },
  [SIM_CLOCK] = { "clock", 4, GROUP_CLOCK },
  [SIM_SERVER_CLOCK] = { "server-clock", 2, GROUP_CLOCK },
  [SIM_WAIT] = { "wait", 2, GROUP_ALWAYS },
  [SIM_LOGOUT] = { "logout", 2, GROUP_SESSION },
  [SIM_LOGIN] = { "login", 4, GROUP_SESSION },
  [SIM_BACKUP] = { "backup", 3, GROUP_COPY },
  [SIM_RESTORE] = { "restore", 3, GROUP_COPY },
  [SIM_CLONE] = { "clone", 2, GROUP_COPY },
  [SIM_SERVER_BACKUP] = { "server-backup", 4, GROUP_SERVER_COPY },
  [SIM_SERVER_RESTORE] = { "server-restore", 3, GROUP_SERVER_COPY },
  [SIM_SCHEMA] = { "schema", 3, GROUP_SCHEMA },
  [SIM_ROLE] = { "role", 4, GROUP_SCOPE },
  [SIM_GIVE] = { "give", 10, GROUP_SCOPE },
  [SIM_DIED] = { "dies" },
  [SIM_SERVER_DIED] = { "server dies" },
  [SIM_LOCAL_FAILURE] = { "disk fails" },
};

const char *
sim_action_name (SimActionKind kind)
{
  return kinds[kind].name;
}

GArray *
sim_plan (guint64 seed, guint steps)
{
  GRand *rand = g_rand_new_with_seed ((guint32) (seed * 2654435761u + 17));
  GArray *plan = g_array_sized_new (FALSE, FALSE, sizeof (SimAction), steps);
  gboolean in[N_GROUPS] = { TRUE };
  guint total = 0;

  for (guint i = 1; i < N_GROUPS; i++)
    in[i] = g_rand_int_range (rand, 0, 3) == 0;
  /* Copies and restored servers are at their worst together. */
  in[GROUP_COPY] |= in[GROUP_SERVER_COPY] && g_rand_boolean (rand);
  for (guint i = 0; i < SIM_N_ACTIONS; i++)
    total += in[kinds[i].group] ? kinds[i].weight : 0;
  for (guint n = 0; n < steps; n++)
    {
      guint at = (guint) g_rand_int_range (rand, 0, (gint32) total);
      SimAction action = { .index = n };

      for (guint i = 0; i < SIM_N_ACTIONS; i++)
        {
          guint weight = in[kinds[i].group] ? kinds[i].weight : 0;

          if (at < weight)
            {
              action.kind = (SimActionKind) i;
              break;
            }
          at -= weight;
        }
      action.node = (guint) g_rand_int_range (rand, 0, SIM_MAX_DEVICES * 10);
      action.salt = g_rand_int (rand);
      g_array_append_val (plan, action);
    }
  g_rand_free (rand);
  return plan;
}

/* ---- the line ---- */

static void
lose (SimDevice *device)
{
  g_autoptr (GError) error = g_error_new_literal (KT_ERROR, KT_ERROR_NETWORK, "lost");

  if (device->request == NULL && !sim_ask (device))
    return;
  if (device->request == NULL)
    return;
  /* The request, its answer, or only the patience of whoever waits for it. */
  switch (g_rand_int_range (device->sim->rand, 0, 3))
    {
    case 0:
      break;
    case 1:
      sim_serve (device);
      break;
    default:
      g_ptr_array_add (device->late, sim_copy_request (device->request));
      break;
    }
  if (device->request != NULL)
    sim_answer (device, error);
}

/* A copy that wandered: the server gets it now, nobody waits for the answer. */
static void
arrive_late (SimDevice *device)
{
  Sim *sim = device->sim;
  guint n = device->late->len;
  g_autoptr (KtRequest) request = NULL;
  KtReply *reply;

  if (n == 0)
    return;
  request =
    g_ptr_array_steal_index (device->late, (guint) g_rand_int_range (sim->rand, 0, (gint32) n));
  reply = sim_handle (sim, request);
  sim_say (sim, "    late %s: %u", kt_endpoint_info (request->endpoint)->path,
           reply != NULL ? reply->status : 0);
  if (reply != NULL)
    kt_reply_free (reply);
}

static void
spoil (SimDevice *device, SimActionKind kind)
{
  static const KtError refusals[] = { KT_ERROR_INTERNAL, KT_ERROR_BUSY, KT_ERROR_FULL,
                                      KT_ERROR_IO };
  GRand *rand = device->sim->rand;
  KtReply *reply;
  gsize len = 0;
  g_autofree guint8 *bytes = NULL;

  if (device->request == NULL && !sim_ask (device))
    return;
  if (device->request == NULL)
    return;
  sim_serve (device);
  reply = device->reply;
  if (reply == NULL)
    return;
  if (reply->body != NULL)
    bytes = g_memdup2 (g_bytes_get_data (reply->body, &len), g_bytes_get_size (reply->body));
  if (kind == SIM_REFUSE)
    {
      g_autoptr (GError) error = g_error_new_literal (
        KT_ERROR, (int) refusals[g_rand_int_range (rand, 0, G_N_ELEMENTS (refusals))], "broken");

      kt_reply_free (reply);
      device->reply = kt_reply_from_error (error);
    }
  else if (kind == SIM_STRANGER)
    {
      kt_reply_free (reply);
      device->reply = kt_reply_new (200);
      device->reply->content_type = g_strdup ("text/html");
      device->reply->body = g_bytes_new_static ("<html>Hotel Wi-Fi</html>", 24);
    }
  else if (len > 0)
    {
      guint at = (guint) g_rand_int_range (rand, 0, (gint32) len);

      g_bytes_unref (reply->body);
      /* Damage that nothing can notice is not asked for: pages and attachments carry a checksum, what HTTP carries otherwise is TLS's
       * to protect; a cut shows anywhere. */
      if (kind == SIM_GARBLE && (device->request->endpoint == KT_ENDPOINT_PULL
                                 || device->request->endpoint == KT_ENDPOINT_BLOB_GET))
        bytes[at] ^= (guint8) (1 << g_rand_int_range (rand, 0, 7));
      else
        len = at;
      reply->body = g_bytes_new (bytes, len);
    }
  sim_answer (device, NULL);
}

static void
jump (Sim *sim, SimClock *clock)
{
  static const gint64 hours[] = { -24 * 365 * 20, -24 * 365, -24, -1, 1, 24, 24 * 365, 24 * 365 * 30 };

  clock->wall_us += hours[g_rand_int_range (sim->rand, 0, G_N_ELEMENTS (hours))] * 3600
                    * G_USEC_PER_SEC;
  /* What a clock can say. */
  clock->wall_us = CLAMP (clock->wall_us, G_GINT64_CONSTANT (-2000000000000000),
                          G_GINT64_CONSTANT (100000000000000000));
}

void
sim_act (Sim *sim, const SimAction *action)
{
  SimDevice *device = sim->devices[action->node % sim->n_devices];
  guint nth;

  g_rand_set_seed (sim->rand, action->salt);
  device->clock.monotonic_us += 200000;
  device->clock.wall_us += 200000;
  sim->clock->wall_us += 200000;
  sim->steps++;
  sim_say (sim, "%u %s %s", action->index, sim_action_name (action->kind), device->name);
  sim_count (device, action->kind);
  switch (action->kind)
    {
    case SIM_CREATE:
    case SIM_UPDATE:
    case SIM_GIVE:
    case SIM_PAIR:
    case SIM_ATTACH:
    case SIM_POISON:
    case SIM_DELETE:
    case SIM_BIN_RESTORE:
    case SIM_UNDO:
    case SIM_RETRY:
    case SIM_DISCARD:
    case SIM_RESOLVE:
      sim_people_act (device, action->kind);
      break;
    case SIM_POKE:
      if (device->engine != NULL)
        kt_engine_poke (device->engine);
      break;
    case SIM_STEP:
      if (device->engine != NULL && kt_engine_status (device->engine)->state == KT_ENGINE_IDLE)
        kt_engine_poke (device->engine);
      sim_step (device);
      break;
    case SIM_ROUND:
      /* Some end in the middle, so that the next event meets it there. */
      sim_round (device, g_rand_boolean (sim->rand) ? 30 : (guint) g_rand_int_range (sim->rand, 1, 9));
      break;
    case SIM_ASK:
      sim_ask (device);
      break;
    case SIM_SERVE:
      sim_serve (device);
      break;
    case SIM_ANSWER:
      sim_answer (device, NULL);
      break;
    case SIM_LOSE:
      lose (device);
      break;
    case SIM_TWICE:
      if (device->request != NULL)
        g_ptr_array_add (device->late, sim_copy_request (device->request));
      break;
    case SIM_LATE:
      arrive_late (device);
      break;
    case SIM_GARBLE:
    case SIM_CUT:
    case SIM_STRANGER:
    case SIM_REFUSE:
      spoil (device, action->kind);
      break;
    case SIM_DIE:
      sim_close_device (device, SIM_KILL);
      sim_open_device (device);
      break;
    case SIM_POWER:
      sim_close_device (device, SIM_POWER_CUT);
      sim_open_device (device);
      break;
    case SIM_DOOM:
      nth = 1u << g_rand_int_range (sim->rand, 0, 7);
      sim_disk_doom (device->disk, 1 + (guint) g_rand_int_range (sim->rand, 0, (gint32) nth));
      break;
    case SIM_SERVER_DIE:
      sim_close_server (sim, SIM_KILL);
      sim_open_server (sim);
      break;
    case SIM_SERVER_POWER:
      sim_close_server (sim, SIM_POWER_CUT);
      sim_open_server (sim);
      break;
    case SIM_SERVER_DOOM:
      nth = 1u << g_rand_int_range (sim->rand, 0, 7);
      sim_disk_doom (sim->disk, 1 + (guint) g_rand_int_range (sim->rand, 0, (gint32) nth));
      break;
    case SIM_FULL:
    case SIM_ROOM:
      device->full = action->kind == SIM_FULL;
      sim_disk_set_full (device->disk, device->full);
      break;
    case SIM_IO_ERROR:
      sim_disk_fail (device->disk, 1 + (guint) g_rand_int_range (sim->rand, 0, 60));
      break;
    case SIM_SERVER_FULL:
    case SIM_SERVER_ROOM:
      sim->server_full = action->kind == SIM_SERVER_FULL;
      sim_disk_set_full (sim->disk, sim->server_full);
      break;
    case SIM_SERVER_IO_ERROR:
      sim_disk_fail (sim->disk, 1 + (guint) g_rand_int_range (sim->rand, 0, 60));
      break;
    case SIM_CLOCK:
      jump (sim, &device->clock);
      break;
    case SIM_SERVER_CLOCK:
      jump (sim, sim->clock);
      break;
    case SIM_WAIT:
      device->clock.monotonic_us += 60 * G_USEC_PER_SEC;
      device->clock.wall_us += 60 * G_USEC_PER_SEC;
      break;
    case SIM_LOGOUT:
      sim_logout (device);
      break;
    case SIM_LOGIN:
      sim_login (device);
      break;
    case SIM_BACKUP:
      sim_backup_device (device);
      break;
    case SIM_RESTORE:
      sim_restore_device (device);
      break;
    case SIM_CLONE:
      sim_clone_device (device);
      break;
    case SIM_SERVER_BACKUP:
      sim_backup_server (sim);
      break;
    case SIM_SERVER_RESTORE:
      sim_restore_server (sim);
      break;
    case SIM_SCHEMA:
      sim_move_schema (sim);
      break;
    case SIM_ROLE:
      sim_change_role (device);
      break;
    case SIM_N_ACTIONS:
    case SIM_SERVER_DIED:
    case SIM_LOCAL_FAILURE:
    case SIM_N_EVENTS:
    default:
      g_assert_not_reached ();
    }
  sim_bury (sim);
  if (device->local != NULL && !sim_failed (sim))
    sim_check_device (device);
}

/* ---- the end ---- */

/* Only a start says what is really there. */
static gboolean
has_doubts (Sim *sim)
{
  for (guint i = 0; i < sim->deeds->len; i++)
    if (((SimDeed *) sim->deeds->pdata[i])->fate == SIM_DOUBTFUL)
      return TRUE;
  return FALSE;
}

static void
heal (Sim *sim)
{
  sim_disk_heal (sim->disk);
  sim->server_full = FALSE;
  sim_bury (sim);
  if (sim->core == NULL)
    sim_open_server (sim);
  for (guint i = 0; i < sim->n_devices; i++)
    {
      SimDevice *device = sim->devices[i];

      sim_disk_heal (device->disk);
      device->full = FALSE;
      while (device->late->len > 0 && !sim_failed (sim))
        arrive_late (device);
      if (g_rand_int_range (sim->rand, 0, 6) == 0 || has_doubts (sim))
        {
          sim_close_device (device, SIM_KILL);
          sim_open_device (device);
        }
      if (device->local == NULL)
        sim_open_device (device);
    }
}

/* Queued for ever is only what waits for a parked one, and says so. */
static gboolean
all_wait (SimDevice *device)
{
  g_autoptr (GPtrArray) outbox = kt_local_outbox (device->local, 0, NULL);

  for (guint i = 0; outbox != NULL && i < outbox->len; i++)
    {
      const KtOutboxEntry *entry = outbox->pdata[i];

      if (entry->state == KT_OUTBOX_QUEUED && g_strcmp0 (entry->reason_code, "waiting") != 0)
        return FALSE;
    }
  return outbox != NULL;
}

static gboolean
settled (SimDevice *device)
{
  KtOutboxCounts counts = { 0 };
  const KtEngineStatus *status = kt_engine_status (device->engine);

  return kt_local_outbox_counts (device->local, &counts, NULL) && counts.sent == 0
         && counts.settled == 0 && status->state == KT_ENGINE_IDLE && status->problem == NULL
         && kt_local_seq (device->local) == kt_core_seq (device->sim->core)
         && (counts.queued == 0 || all_wait (device));
}

static void
settle (Sim *sim)
{
  for (guint turn = 0; turn < 8; turn++)
    {
      gboolean all = TRUE;

      sim_say (sim, "settling, turn %u", turn);
      for (guint i = 0; i < sim->n_devices && !sim_failed (sim); i++)
        {
          SimDevice *device = sim->devices[i];

          if (kt_engine_status (device->engine)->state == KT_ENGINE_SIGNED_OUT
              || device->want_token)
            {
              g_autofree char *token = kt_session_token (device->local, NULL);

              if (token == NULL)
                sim_login (device);
            }
          if (turn == 0 || !settled (device))
            sim_round (device, 200);
        }
      if (sim_failed (sim))
        return;
      for (guint i = 0; i < sim->n_devices; i++)
        all = all && settled (sim->devices[i]);
      if (all)
        return;
    }
  for (guint i = 0; i < sim->n_devices; i++)
    {
      SimDevice *device = sim->devices[i];
      const KtEngineStatus *status = kt_engine_status (device->engine);
      KtOutboxCounts counts = { 0 };

      if (settled (device))
        continue;
      kt_local_outbox_counts (device->local, &counts, NULL);
      sim_fail (sim, "P4",
                "%s does not settle: engine in state %d (%s), queued %d, sent %d, settled %d, parked "
                "%d, seq %d of %d",
                device->name, (int) status->state,
                status->problem != NULL ? status->problem->message : "no problem",
                (int) counts.queued, (int) counts.sent, (int) counts.settled, (int) counts.parked,
                (int) kt_local_seq (device->local), (int) kt_core_seq (sim->core));
    }
}

gboolean
sim_finish (Sim *sim)
{
  if (!sim_failed (sim))
    {
      g_rand_set_seed (sim->rand, (guint32) sim->seed);
      heal (sim);
    }
  if (!sim_failed (sim))
    settle (sim);
  if (!sim_failed (sim))
    sim_check_all (sim);
  return !sim_failed (sim);
}

gboolean
sim_run (Sim *sim, const GArray *plan)
{
  for (guint i = 0; i < plan->len && !sim_failed (sim); i++)
    sim_act (sim, &g_array_index (plan, SimAction, i));
  return sim_finish (sim);
}
