/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sim.h"

#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"
#include "server/kt-core-private.h"
#include "sync/kt-transport.h"

#define BASE "http://kontor.test"
#define NOON G_GINT64_CONSTANT (1780000000000000)

/* Folders stand for the whole process; a history only changes what the disks in memory hold. */
static char *scratch;
static SimDisk *server_disk, *device_disks[SIM_MAX_DEVICES];
static SimImage *server_image, *device_images[3], *fresh_images[3];
static char *sessions[3];
static KtSchema *schemas[6]; /* as made, and how it moves: each holds the moves before it */
static pid_t owner;
/* Kept open from one history to the next, and their disks changed under them: opening costs as much as everything
 * else in a history. Whoever died is opened anew. */
static SimDevice slots[SIM_MAX_DEVICES];
static KtLocal *open_locals[SIM_MAX_DEVICES];
static gboolean open_fresh[SIM_MAX_DEVICES]; /* which of the two images it began with */
static KtCore *open_core;
static SimClock server_clock;
static const char *const user_names[3] = { "anna", "ben", "carl" };
static const char *const role_names[3] = { "Everything", "Team", "Own" };
static const char *const team_names[3] = { NULL, "North", "South" };

/* ---- clocks and chance ---- */

static gint64
clock_now (gpointer data)
{
  return ((SimClock *) data)->wall_us += 1000;
}

static gint64
clock_monotonic (gpointer data)
{
  return ((SimClock *) data)->monotonic_us += 10;
}

static void
clock_random (gpointer data, guint8 *out, gsize len)
{
  SimClock *clock = data;

  for (gsize i = 0; i < len; i++)
    {
      clock->state ^= clock->state >> 12;
      clock->state ^= clock->state << 25;
      clock->state ^= clock->state >> 27;
      out[i] = (guint8) ((clock->state * G_GUINT64_CONSTANT (2685821657736338717)) >> 56);
    }
}

static void
clock_init (SimClock *clock, guint64 seed, guint number, gint64 years)
{
  *clock = (SimClock){ { clock_now, clock_monotonic, clock_random, clock },
                       NOON + years * 365 * 86400 * G_USEC_PER_SEC,
                       1000000,
                       seed * 7919 + number * 104729 + 1 };
}

/* ---- what is told ---- */

void
sim_say (Sim *sim, const char *format, ...)
{
  gsize from;
  va_list args;
  char *path;

  if (sim->trace == NULL)
    return;
  from = sim->trace->len;
  va_start (args, format);
  g_string_append_vprintf (sim->trace, format, args);
  va_end (args);
  /* The same wherever it runs. */
  while ((path = strstr (sim->trace->str + from, scratch)) != NULL)
    g_string_erase (sim->trace, path - sim->trace->str, (gssize) strlen (scratch));
  g_string_append_c (sim->trace, '\n');
}

void
sim_fail (Sim *sim, const char *promise, const char *format, ...)
{
  va_list args;

  if (sim->failure->len > 0)
    return;
  g_string_append_printf (sim->failure, "%s: ", promise);
  va_start (args, format);
  g_string_append_vprintf (sim->failure, format, args);
  va_end (args);
  sim_say (sim, "FAILED %s", sim->failure->str);
}

gboolean
sim_failed (Sim *sim)
{
  return sim->failure->len > 0;
}

/* ---- the template ---- */

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;

  g_assert_nonnull (strstr (path, "/kontor-sim-"));
  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *inside = g_build_filename (path, name, NULL);

      if (g_file_test (inside, G_FILE_TEST_IS_DIR))
        remove_tree (inside);
      else
        g_unlink (inside);
    }
  g_rmdir (path);
}

static void
remove_scratch (void)
{
  if (scratch != NULL && owner == getpid ())
    remove_tree (scratch);
}

static void
write_file (const char *path, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, &error);
  g_assert_no_error (error);
}

static char *
read_file (const char *path)
{
  g_autoptr (GError) error = NULL;
  char *text;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

/* Own objects of every policy, and those of the shipped pack that the engine itself uses. */
static char *
make_schema_dir (void)
{
  static const char *const shipped[] = { "sync_conflict.json", "file.json" };
  const char *data = g_getenv ("KONTOR_DATADIR");
  char *dir = g_build_filename (scratch, "schema", NULL);
  g_autoptr (GDir) own = g_dir_open (KT_SIM_SCHEMA, 0, NULL);
  const char *name;

  g_assert_nonnull (own);
  g_mkdir (dir, 0700);
  while ((name = g_dir_read_name (own)) != NULL)
    {
      g_autofree char *from = g_build_filename (KT_SIM_SCHEMA, name, NULL);
      g_autofree char *to = g_build_filename (dir, name, NULL);
      g_autofree char *text = read_file (from);

      write_file (to, text);
    }
  for (guint i = 0; i < G_N_ELEMENTS (shipped); i++)
    {
      g_autofree char *from =
        g_build_filename (data != NULL ? data : KT_SOURCE_DATADIR, "schema", shipped[i], NULL);
      g_autofree char *to = g_build_filename (dir, shipped[i], NULL);
      g_autofree char *text = read_file (from);
      KtJson *json = kt_json_parse (text, -1, NULL);
      g_autoptr (GString) out = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (out);

      /* Without what only windows read: it is parsed at every start. */
      kt_json_begin_object (&writer);
      for (guint k = 0; k < kt_json_length (json); k++)
        {
          const char *key = kt_json_key_at (json, k);
          g_autofree char *value = NULL;

          if (strcmp (key, "aliases") == 0 || strcmp (key, "layout") == 0
              || strcmp (key, "list") == 0)
            continue;
          value = kt_json_to_string (kt_json_at (json, k), FALSE);
          kt_json_put_raw (&writer, key, value);
        }
      kt_json_end_object (&writer);
      kt_json_unref (json);
      write_file (to, out->str);
    }
  return dir;
}

typedef struct
{
  KtTransport parent;
  Sim *sim;
  KtCore *core;
} Wire;

static KtReply *
wire_send (KtTransport *transport,
           const KtRequest *request,
           GCancellable *cancellable,
           GError **error)
{
  Wire *wire = (Wire *) transport;
  KtReply *reply =
    wire->core != NULL ? kt_core_handle (wire->core, request) : sim_handle (wire->sim, request);

  if (reply == NULL)
    g_set_error_literal (error, KT_ERROR, KT_ERROR_NETWORK, "nothing answers");
  return reply;
}

static const KtTransportClass wire_class = { wire_send, NULL, NULL };

static void
make_device_template (guint n, KtCore *core)
{
  g_autofree char *name = g_strdup_printf ("t%u", n);
  g_autofree char *dir = g_build_filename (scratch, name, NULL);
  g_autofree char *db = g_build_filename (dir, "profile.db", NULL);
  g_autofree char *session = g_build_filename (dir, "session", NULL);
  Wire wire = { { .klass = &wire_class }, NULL, core };
  SimClock clock;
  g_autoptr (GError) error = NULL;
  KtLocal *local;

  clock_init (&clock, 1, 10 + n, 0);
  local = kt_local_open (dir, KT_LOCAL_CREATE, &clock.env, &error);
  g_assert_no_error (error);
  kt_session_login (local, &wire.parent, BASE, user_names[n], SIM_PASSWORD, NULL, &error);
  g_assert_no_error (error);
  kt_local_close (local);
  fresh_images[n] = sim_image_read (db);

  local = kt_local_open (dir, 0, &clock.env, &error);
  g_assert_no_error (error);
  kt_sync_run (local, &wire.parent, 0, NULL, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  kt_local_close (local);
  device_images[n] = sim_image_read (db);
  sessions[n] = read_file (session);
}

/* A field added, one renamed, one retired, an object added, a field that must be filled in. */
static void
make_schemas (const KtSchema *first)
{
  static const char *const moves[][2] = {
    { "{\"name\":\"motto\",", "{\"name\":\"extra\",\"type\":\"text\"},{\"name\":\"motto\"," },
    { "{\"name\":\"motto\",\"policy\":\"latest\",",
      "{\"name\":\"creed\",\"policy\":\"latest\",\"renamed_from\":[\"motto\"]," },
    { "{\"name\":\"slogan\",\"policy\":\"mine\",\"type\":\"text\"},", "" },
    { "\"objects\":[",
      "\"objects\":[{\"fields\":[{\"name\":\"name\",\"required\":true,\"type\":\"text\"}],\"kind\":\"object\","
      "\"object\":\"site\",\"sync\":\"scope\",\"title\":\"name\",\"visible\":true}," },
    { "{\"name\":\"calls\",\"policy\":\"sum\",", "{\"name\":\"calls\",\"policy\":\"sum\",\"required\":true," },
  };
  g_autoptr (GString) text = g_string_new (kt_schema_to_json (first));

  for (guint i = 0; i < G_N_ELEMENTS (moves); i++)
    {
      g_autoptr (KtSchema) made = NULL;
      g_autoptr (GError) error = NULL;

      if (g_string_replace (text, moves[i][0], moves[i][1], 0) == 0)
        g_error ("the schema has no %s: %s", moves[i][0], text->str);
      made = kt_schema_from_json (text->str, (gssize) text->len, &error);
      g_assert_no_error (error);
      schemas[i] = kt_schema_with_numbers (made, i > 0 ? schemas[i - 1] : first, &error);
      g_assert_no_error (error);
      g_string_assign (text, kt_schema_to_json (schemas[i]));
    }
}

static void
make_template (void)
{
  static const char *const everything[] = { "Everything", NULL };
  static const char *const no_team[] = { NULL };
  static const char *const both[] = { "North", "South", NULL };
  g_autofree char *dir = g_build_filename (scratch, "ts", NULL);
  g_autofree char *db = g_build_filename (dir, "workspace.db", NULL);
  g_autofree char *json = g_build_filename (dir, "workspace.json", NULL);
  g_autofree char *schema_dir = make_schema_dir ();
  g_autofree char *text = NULL;
  g_autofree char *target = g_build_filename (scratch, "server", "workspace.json", NULL);
  KtInitOptions options = { .name = "Sim",
                            .admin = "anna",
                            .password = SIM_PASSWORD,
                            .schema_dir = schema_dir,
                            .locale = "en" };
  g_autoptr (GError) error = NULL;
  SimClock clock;
  KtCore *core;

  clock_init (&clock, 1, 0, 0);
  kt_core_init (dir, &options, &clock.env, &error);
  g_assert_no_error (error);
  core = kt_core_open (dir, &clock.env, &error);
  g_assert_no_error (error);
  for (guint i = 1; i < 3; i++)
    {
      kt_core_user_add (core, user_names[i], SIM_PASSWORD, everything, no_team, NULL, &error);
      g_assert_no_error (error);
    }
  /* The teams are there, and nobody is in them. */
  kt_core_user_set (core, "ben", NULL, everything, both, &error);
  g_assert_no_error (error);
  kt_core_user_set (core, "ben", NULL, everything, no_team, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 3; i++)
    make_device_template (i, core);
  make_schemas (kt_core_schema (core));
  kt_core_close (core);
  server_image = sim_image_read (db);
  text = read_file (json);
  write_file (target, text);
}

static void
quiet_too (const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
  if ((level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) != 0)
    g_log_default_handler (domain, level, message, data);
}

static GLogWriterOutput
quiet (GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
  /* The server's word for a broken disk is a warning: disks break here all the time. */
  if ((level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) == 0)
    return G_LOG_WRITER_HANDLED;
  return g_log_writer_default (level, fields, n, data);
}

void
sim_set_up (void)
{
  const char *root = g_access ("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir ();
  g_autofree char *pattern = g_build_filename (root, "kontor-sim-XXXXXX", NULL);
  g_autofree char *server = NULL;
  g_autofree char *server_db = NULL;

  g_log_set_writer_func (quiet, NULL, NULL);
  g_log_set_default_handler (quiet_too, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
  _kt_password_weak_for_tests ();
  scratch = g_strdup (g_mkdtemp (pattern));
  g_assert_nonnull (scratch);
  owner = getpid ();
  atexit (remove_scratch);

  server = g_build_filename (scratch, "server", NULL);
  server_db = g_build_filename (server, "workspace.db", NULL);
  g_mkdir (server, 0700);
  make_template ();

  /* From here on no database is on a real disk. The empty files only show that something is there. */
  sim_vfs_register ();
  write_file (server_db, "");
  server_disk = sim_disk_new (server);
  for (guint i = 0; i < SIM_MAX_DEVICES; i++)
    {
      g_autofree char *name = g_strdup_printf ("d%u", i);
      g_autofree char *dir = g_build_filename (scratch, name, NULL);
      g_autofree char *db = g_build_filename (dir, "profile.db", NULL);

      g_mkdir (dir, 0700);
      write_file (db, "");
      device_disks[i] = sim_disk_new (dir);
    }
}

/* ---- the server ---- */

void
sim_open_server (Sim *sim)
{
  g_autofree char *dir = g_build_filename (scratch, "server", NULL);
  g_autoptr (GError) error = NULL;

  sim->core = kt_core_open (dir, &sim->clock->env, &error);
  if (sim->core == NULL && !sim_disk_dead (sim->disk) && !sim->server_full)
    sim_fail (sim, "P1", "the server does not start: %s", error->message);
}

void
sim_close_server (Sim *sim, SimEnd end)
{
  /* Nothing of an orderly end reaches the disk. */
  sim_disk_kill (sim->disk);
  g_clear_pointer (&sim->core, kt_core_close);
  sim_disk_restart (sim->disk, end, sim->rand);
}

KtReply *
sim_handle (Sim *sim, const KtRequest *request)
{
  KtRequest *copy;
  KtReply *reply;

  if (sim->core == NULL)
    sim_open_server (sim);
  if (sim->core == NULL)
    return NULL;
  copy = sim_copy_request (request);
  if (copy->endpoint == KT_ENDPOINT_PULL && sim->page_rows != 0
      && (copy->query == NULL || strstr (copy->query, "limit=") == NULL))
    {
      char limit[16];

      g_snprintf (limit, sizeof limit, "%u", sim->page_rows);
      kt_request_set_query (copy, "limit", limit);
    }
  reply = kt_core_handle (sim->core, copy);
  kt_request_free (copy);
  if (sim_disk_dead (sim->disk))
    g_clear_pointer (&reply, kt_reply_free);
  return reply;
}

KtRequest *
sim_copy_request (const KtRequest *request)
{
  KtRequest *copy = kt_request_new (request->endpoint);

  copy->rest = g_strdup (request->rest);
  copy->query = g_strdup (request->query);
  copy->token = g_strdup (request->token);
  copy->etag = g_strdup (request->etag);
  copy->range_start = request->range_start;
  copy->body = request->body != NULL ? g_bytes_ref (request->body) : NULL;
  return copy;
}

/* ---- devices ---- */

static char *
session_path (SimDevice *device)
{
  return g_build_filename (device->dir, "session", NULL);
}

void
sim_open_device (SimDevice *device)
{
  g_autoptr (GError) error = NULL;

  device->local = kt_local_open (device->dir, 0, &device->clock.env, &error);
  device->want_token = TRUE;
  if (device->local == NULL)
    {
      if (!sim_disk_dead (device->disk) && !device->full)
        sim_fail (device->sim, "P1", "%s does not start again: %s", device->name, error->message);
      return;
    }
  device->engine = kt_engine_new ();
  sim_people_settle_doubts (device);
}

static void
drop_line (SimDevice *device)
{
  g_clear_pointer (&device->request, kt_request_free);
  g_clear_pointer (&device->reply, kt_reply_free);
}

void
sim_close_device (SimDevice *device, SimEnd end)
{
  sim_disk_kill (device->disk);
  g_clear_pointer (&device->engine, kt_engine_free);
  g_clear_pointer (&device->local, kt_local_close);
  drop_line (device);
  sim_disk_restart (device->disk, end, device->sim->rand);
}

void
sim_count (SimDevice *device, SimActionKind event)
{
  KtEngineState state = device->engine != NULL ? kt_engine_status (device->engine)->state
                                               : KT_ENGINE_SIGNED_OUT;

  if (device->sim->coverage != NULL)
    device->sim->coverage[event][state]++;
}

void
sim_bury (Sim *sim)
{
  SimEnd end = g_rand_boolean (sim->rand) ? SIM_KILL : SIM_POWER_CUT;

  if (sim_disk_dead (sim->disk))
    {
      sim_say (sim, "    the server died");
      if (sim->serving != NULL)
        sim_count (sim->serving, SIM_SERVER_DIED);
      sim_close_server (sim, end);
      sim_open_server (sim);
    }
  for (guint i = 0; i < sim->n_devices; i++)
    {
      SimDevice *device = sim->devices[i];

      if (!sim_disk_dead (device->disk))
        continue;
      sim_say (sim, "    %s died", device->name);
      sim_count (device, SIM_DIED);
      sim->deaths++;
      sim_close_device (device, end);
      sim_open_device (device);
    }
}

static const char *
device_token (SimDevice *device)
{
  if (device->want_token)
    {
      g_free (device->token);
      device->token = kt_session_token (device->local, NULL);
      device->want_token = FALSE;
    }
  return device->token;
}

gboolean
sim_ask (SimDevice *device)
{
  g_autoptr (GError) error = NULL;
  gint64 wait_us;

  if (device->local == NULL)
    sim_open_device (device);
  if (device->local == NULL)
    return FALSE;
  drop_line (device);
  device->request =
    kt_engine_next (device->engine, device->local, device_token (device),
                    device->clock.env.monotonic_us (&device->clock), &wait_us, &error);
  if (error != NULL)
    sim_say (device->sim, "    %s: %s", device->name, error->message);
  else if (device->request == NULL && wait_us > 0)
    {
      device->clock.monotonic_us += wait_us;
      device->clock.wall_us += wait_us;
    }
  if (device->request != NULL)
    sim_say (device->sim, "    %s asks %s %s", device->name,
             kt_endpoint_info (device->request->endpoint)->path,
             device->request->query != NULL ? device->request->query : "");
  return device->request != NULL;
}

void
sim_serve (SimDevice *device)
{
  if (device->request == NULL || device->reply != NULL)
    return;
  device->sim->serving = device;
  device->reply = sim_handle (device->sim, device->request);
  if (device->reply == NULL)
    {
      g_autoptr (GError) error =
        g_error_new_literal (KT_ERROR, KT_ERROR_NETWORK, "nothing answers");

      sim_answer (device, error);
    }
}

static void
change_set_free (gpointer set)
{
  kt_change_set_unref (set);
}

void
sim_answer (SimDevice *device, const GError *failure)
{
  g_autoptr (GPtrArray) changes = g_ptr_array_new_with_free_func (change_set_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtRequest) request = g_steal_pointer (&device->request);
  KtReply *reply = g_steal_pointer (&device->reply);
  const KtEngineStatus *status;

  if (request == NULL || (reply == NULL && failure == NULL))
    {
      device->request = g_steal_pointer (&request);
      return;
    }
  if (failure != NULL)
    g_clear_pointer (&reply, kt_reply_free);
  if (!kt_engine_reply (device->engine, device->local, reply, failure,
                        device->clock.env.monotonic_us (&device->clock), changes, &error))
    sim_count (device, SIM_LOCAL_FAILURE);
  status = kt_engine_status (device->engine);
  sim_say (device->sim, "    %s %s %u: state %d pushed %d pulled %d seq %d%s%s%s%s", device->name,
           kt_endpoint_info (request->endpoint)->path, reply != NULL ? reply->status : 0,
           (int) status->state, (int) status->pushed, (int) status->pulled,
           (int) kt_local_seq (device->local), status->problem != NULL ? " problem " : "",
           status->problem != NULL ? status->problem->message : "", error != NULL ? " error " : "",
           error != NULL ? error->message : "");
  if (status->state == KT_ENGINE_SIGNED_OUT && device->token != NULL
      && !sim_disk_dead (device->disk))
    {
      kt_session_expire (device->local, device->token, NULL);
      device->want_token = TRUE;
    }
  device->want_token |= status->renewed;
  if (reply != NULL)
    kt_reply_free (reply);
}

gboolean
sim_step (SimDevice *device)
{
  if (device->request == NULL && !sim_ask (device))
    return FALSE;
  if (sim_disk_dead (device->disk))
    return FALSE;
  sim_serve (device);
  if (device->reply != NULL)
    sim_answer (device, NULL);
  return TRUE;
}

void
sim_round (SimDevice *device, guint most)
{
  Sim *sim = device->sim;
  guint idle = 0;

  if (device->local == NULL)
    sim_open_device (device);
  if (device->local == NULL)
    return;
  kt_engine_poke (device->engine);
  for (guint i = 0; i < most && idle < 3 && !sim_failed (sim); i++)
    {
      KtEngineState state;

      if (sim_step (device))
        idle = 0;
      else
        idle++;
      if (sim_disk_dead (device->disk) || sim_disk_dead (sim->disk))
        return;
      sim_check_device (device);
      state = device->engine != NULL ? kt_engine_status (device->engine)->state : KT_ENGINE_IDLE;
      if (state == KT_ENGINE_SIGNED_OUT || (state == KT_ENGINE_IDLE && device->request == NULL))
        return;
    }
}

gboolean
sim_login (SimDevice *device)
{
  Wire wire = { { .klass = &wire_class }, device->sim, NULL };
  g_autofree char *path = session_path (device);
  g_autofree char *before = NULL;
  g_autoptr (GError) error = NULL;
  gboolean done;

  if (device->local == NULL)
    sim_open_device (device);
  if (device->local == NULL)
    return FALSE;
  before = read_file (path);
  done = kt_session_login (device->local, &wire.parent, BASE, device->user, SIM_PASSWORD, NULL,
                           &error);
  /* The session file is written last; a process that died before did not get there. */
  if (sim_disk_dead (device->disk))
    write_file (path, before);
  device->want_token = TRUE;
  sim_say (device->sim, "    %s login: %s", device->name, done ? "done" : error->message);
  return done;
}

void
sim_logout (SimDevice *device)
{
  Wire wire = { { .klass = &wire_class }, device->sim, NULL };
  g_autoptr (GError) error = NULL;

  if (device->local == NULL)
    sim_open_device (device);
  if (device->local == NULL)
    return;
  kt_session_logout (device->local, &wire.parent, NULL, &error);
  device->want_token = TRUE;
}

/* ---- copies ---- */

static char *
read_session (SimDevice *device)
{
  g_autofree char *path = session_path (device);

  return read_file (path);
}

void
sim_backup_device (SimDevice *device)
{
  GPtrArray *deeds = device->sim->deeds;

  g_clear_pointer (&device->backup, sim_image_unref);
  g_free (device->backup_session);
  g_free (device->backup_holds);
  device->backup = sim_disk_snapshot (device->disk, "profile.db");
  device->backup_session = read_session (device);
  device->backup_deeds = deeds->len;
  device->backup_holds = g_new0 (guint8, deeds->len + 1);
  for (guint i = 0; i < deeds->len; i++)
    {
      const SimDeed *deed = deeds->pdata[i];

      device->backup_holds[i] = (deed->holders & (1u << device->index)) != 0;
    }
}

void
sim_restore_device (SimDevice *device)
{
  g_autofree char *path = session_path (device);

  if (device->backup == NULL)
    return;
  sim_close_device (device, SIM_KILL);
  sim_disk_load (device->disk, "profile.db", device->backup);
  sim_disk_set_full (device->disk, device->full);
  write_file (path, device->backup_session);
  device->seq = 0;
  device->copied = TRUE;
  sim_people_put_back (device);
  sim_open_device (device);
}

static void
copy_tree (const char *from, const char *to)
{
  g_autoptr (GDir) folder = g_dir_open (from, 0, NULL);
  const char *name;

  if (folder == NULL)
    return;
  g_mkdir_with_parents (to, 0700);
  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *source = g_build_filename (from, name, NULL);
      g_autofree char *target = g_build_filename (to, name, NULL);
      g_autofree char *text = NULL;
      gsize len;

      if (g_file_test (source, G_FILE_TEST_IS_DIR))
        copy_tree (source, target);
      else if (g_file_get_contents (source, &text, &len, NULL))
        g_file_set_contents_full (target, text, (gssize) len, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
    }
}

char *
sim_server_file (const char *sha256)
{
  g_autofree char *two = g_strndup (sha256, 2);

  return g_build_filename (scratch, "server", "blobs", two, sha256, NULL);
}

/* Only what a history has attached. */
static void
remove_files (void)
{
  g_autofree char *server = g_build_filename (scratch, "server", "blobs", NULL);

  remove_tree (server);
  for (guint i = 0; i < SIM_MAX_DEVICES; i++)
    {
      g_autofree char *name = g_strdup_printf ("d%u", i);
      g_autofree char *blobs = g_build_filename (scratch, name, "blobs", NULL);

      remove_tree (blobs);
    }
}

static SimDevice *device_new (Sim *sim, guint index, const char *user, SimImage *image,
                              const char *session, gint64 years);

void
sim_clone_device (SimDevice *device)
{
  Sim *sim = device->sim;
  g_autoptr (SimImage) image = NULL;
  g_autofree char *session = NULL;
  SimDevice *copy;

  if (sim->n_devices == SIM_MAX_DEVICES)
    return;
  image = sim_disk_snapshot (device->disk, "profile.db");
  session = read_session (device);
  copy = device_new (sim, sim->n_devices, device->user, image, session, 0);
  copy->clock.wall_us = device->clock.wall_us;
  if (sim->attached)
    {
      g_autofree char *from = g_build_filename (device->dir, "blobs", NULL);
      g_autofree char *to = g_build_filename (copy->dir, "blobs", NULL);

      copy_tree (from, to);
    }
  sim->devices[sim->n_devices++] = copy;
  sim_people_copied (device, copy);
  sim_say (sim, "    %s is a copy of %s", copy->name, device->name);
}

void
sim_backup_server (Sim *sim)
{
  g_clear_pointer (&sim->backup, sim_image_unref);
  sim->backup = sim_disk_snapshot (sim->disk, "workspace.db");
}

void
sim_restore_server (Sim *sim)
{
  g_autoptr (GError) error = NULL;
  KtDb *db;

  if (sim->backup == NULL)
    return;
  sim->lives++;
  sim->spoiled = TRUE;
  sim_close_server (sim, SIM_KILL);
  sim_disk_load (sim->disk, "workspace.db", sim->backup);
  sim->server_full = FALSE;
  sim_open_server (sim);
  if (sim->core == NULL)
    return;
  db = kt_core_db (sim->core);
  if (!kt_db_begin (db, KT_TX_WRITE, &error) || !_kt_core_begin_life (db, sim->core->env, &error)
      || !kt_db_commit (db, &error))
    g_error ("%s", error->message);
}

/* Of the user of that device; never the administrator's. */
void
sim_change_role (SimDevice *device)
{
  Sim *sim = device->sim;
  guint user = strcmp (device->user, "carl") == 0 ? 2 : 1;
  guint role = (guint) g_rand_int_range (sim->rand, 0, 3);
  guint team = (guint) g_rand_int_range (sim->rand, 0, 3);
  const char *const roles[] = { role_names[role], NULL };
  const char *const teams[] = { team_names[team], NULL };
  g_autoptr (GError) error = NULL;

  if (sim->core == NULL)
    sim_open_server (sim);
  if (sim->core == NULL)
    return;
  sim->scoped = sim->spoiled = TRUE;
  if (kt_core_user_set (sim->core, user_names[user], NULL, roles, teams, &error))
    sim_say (sim, "    %s is %s of %s", user_names[user], roles[0],
             teams[0] != NULL ? teams[0] : "nothing");
  else
    sim_say (sim, "    %s", error->message);
}

void
sim_move_schema (Sim *sim)
{
  g_autoptr (GError) error = NULL;

  if (sim->core == NULL)
    sim_open_server (sim);
  if (sim->core == NULL || sim->schema == G_N_ELEMENTS (schemas) || schemas[sim->schema] == NULL)
    return;
  sim->spoiled = sim->moved = TRUE;
  if (kt_core_set_schema (sim->core, schemas[sim->schema], &error))
    sim->schema++;
  else
    sim_say (sim, "    %s", error->message);
}

/* ---- a world ---- */

/* The database was changed under it: as if another process had. */
static void
forget (KtDb *db)
{
  sim_vfs_forget (kt_db_sqlite (db));
}

static SimDevice *
device_new (Sim *sim,
            guint index,
            const char *user,
            SimImage *image,
            const char *session,
            gint64 years)
{
  SimDevice *device = &slots[index];
  g_autofree char *name = g_strdup_printf ("d%u", index);
  g_autofree char *path = NULL;

  device->sim = sim;
  device->index = index;
  device->name = g_strdup (name);
  device->user = g_strdup (user);
  device->dir = g_build_filename (scratch, name, NULL);
  device->disk = device_disks[index];
  device->late = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_request_free);
  clock_init (&device->clock, sim->seed, 10 + index, years);
  sim_disk_load (device->disk, "profile.db", image);
  path = session_path (device);
  write_file (path, session);
  device->local = g_steal_pointer (&open_locals[index]);
  device->fresh = index < 3 && image == fresh_images[index];
  device->copied = index >= 3;
  /* SQLite tells one schema from another by a count: only what began as this one did has the same at the same count. */
  if (device->local != NULL && open_fresh[index] != device->fresh)
    {
      sim_disk_kill (device->disk);
      g_clear_pointer (&device->local, kt_local_close);
      sim_disk_load (device->disk, "profile.db", image);
    }
  if (device->local != NULL)
    {
      KtOutboxCounts counts;

      device->engine = kt_engine_new ();
      device->want_token = TRUE;
      forget (kt_local_db (device->local));
      if (!kt_local_outbox_counts (device->local, &counts, NULL))
        g_error ("a profile cannot be used again");
    }
  else
    sim_open_device (device);
  device->seq = kt_local_seq (device->local);
  return device;
}

static void
device_clear (SimDevice *device, gboolean keep)
{
  open_fresh[device->index] = device->fresh;
  if (keep && !device->copied && device->local != NULL && !sim_disk_dead (device->disk)
      && !kt_db_in_transaction (kt_local_db (device->local))
      && sim_vfs_is_idle (kt_db_sqlite (kt_local_db (device->local))))
    open_locals[device->index] = g_steal_pointer (&device->local);
  sim_disk_kill (device->disk);
  g_clear_pointer (&device->engine, kt_engine_free);
  g_clear_pointer (&device->local, kt_local_close);
  drop_line (device);
  g_ptr_array_unref (device->late);
  g_clear_pointer (&device->backup, sim_image_unref);
  g_free (device->backup_session);
  g_free (device->backup_holds);
  g_free (device->token);
  g_free (device->name);
  g_free (device->user);
  g_free (device->dir);
  memset (device, 0, sizeof *device);
}

Sim *
sim_new_from (guint64 seed, SimStart start)
{
  gboolean skewed = (start & SIM_SKEWED) != 0;
  static const gint64 years[] = { 30, -20, 1 };
  Sim *sim = g_new0 (Sim, 1);

  sim_vfs_reseed (seed);
  sim->seed = seed;
  sim->rand = g_rand_new_with_seed ((guint32) (seed ^ (seed >> 32)));
  sim->failure = g_string_new (NULL);
  sim->trace = (start & SIM_TRACED) != 0 ? g_string_new (NULL) : NULL;
  sim->deeds = g_ptr_array_new_with_free_func (sim_deed_free);
  sim->deeds_by_at = g_hash_table_new (g_str_hash, g_str_equal);
  sim->ids = g_array_new (FALSE, FALSE, sizeof (SimKnown));
  sim->disk = server_disk;
  sim->clock = &server_clock;
  clock_init (sim->clock, seed, 1, skewed ? 3 : 0);
  sim_disk_load (sim->disk, "workspace.db", server_image);
  sim->core = g_steal_pointer (&open_core);
  if (sim->core != NULL)
    forget (kt_core_db (sim->core));
  else
    sim_open_server (sim);
  if ((start & SIM_ANY) != 0 && g_rand_int_range (sim->rand, 0, 3) == 0)
    sim->page_rows = (guint) g_rand_int_range (sim->rand, 1, 6);
  for (guint i = 0; i < 3; i++)
    {
      gboolean fresh = i == 2
                       && ((start & SIM_ANY) != 0 ? g_rand_int_range (sim->rand, 0, 4) == 0
                                                  : (start & SIM_FRESH) != 0);

      sim->devices[sim->n_devices++] =
        device_new (sim, i, user_names[i], fresh ? fresh_images[i] : device_images[i], sessions[i],
                    skewed ? years[i] : 0);
    }
  return sim;
}

Sim *
sim_new (guint64 seed, gboolean skewed, gboolean trace)
{
  return sim_new_from (seed, SIM_ANY | (skewed ? SIM_SKEWED : 0) | (trace ? SIM_TRACED : 0));
}

void
sim_free (Sim *sim)
{
  gboolean keep = !sim_failed (sim) && !sim->moved;

  for (guint i = 0; i < sim->n_devices; i++)
    device_clear (sim->devices[i], keep);
  if (keep && !sim->spoiled && sim->core != NULL && !sim_disk_dead (sim->disk)
      && !kt_db_in_transaction (kt_core_db (sim->core))
      && sim_vfs_is_idle (kt_db_sqlite (kt_core_db (sim->core))))
    open_core = g_steal_pointer (&sim->core);
  sim_disk_kill (sim->disk);
  g_clear_pointer (&sim->core, kt_core_close);
  g_clear_pointer (&sim->backup, sim_image_unref);
  if (sim->attached)
    remove_files ();
  g_hash_table_unref (sim->deeds_by_at);
  g_ptr_array_unref (sim->deeds);
  g_array_unref (sim->ids);
  g_rand_free (sim->rand);
  g_string_free (sim->failure, TRUE);
  if (sim->trace != NULL)
    g_string_free (sim->trace, TRUE);
  g_free (sim);
}
