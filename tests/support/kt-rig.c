/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "kt-rig.h"

#include <string.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"
#include "base/kt-query.h"
#include "server/kt-core-private.h"

#define EVERYTHING                                                                                 \
  "{\"scope\":{\"*\":{\"read\":\"all\",\"create\":\"yes\",\"edit\":\"all\",\"delete\":\"all\",\"stream\":\"all\","    \
  "\"export\":\"all\",\"mass_edit\":\"all\",\"share\":\"all\"}},\"special\":{\"assignment\":\"all\",\"import\":\"yes\"}}"

#define BASE "http://kontor.test"
#define NOON G_GINT64_CONSTANT (1780000000000000)

/* ---- clocks and chance ---- */

static gint64
clock_now (gpointer data)
{
  return ((RigClock *) data)->wall_us += 1000;
}

static gint64
clock_monotonic (gpointer data)
{
  return ((RigClock *) data)->monotonic_us += 10;
}

/* xorshift64*: repeatable, and no two clocks alike. */
static void
clock_random (gpointer data, guint8 *out, gsize len)
{
  RigClock *clock = data;

  for (gsize i = 0; i < len; i++)
    {
      clock->state ^= clock->state >> 12;
      clock->state ^= clock->state << 25;
      clock->state ^= clock->state >> 27;
      out[i] = (guint8) ((clock->state * G_GUINT64_CONSTANT (2685821657736338717)) >> 56);
    }
}

static void
clock_init (RigClock *clock, guint number)
{
  const char *seed = g_getenv ("KONTOR_SEED");

  *clock = (RigClock){ { clock_now, clock_monotonic, clock_random, clock },
                       NOON,
                       1000000,
                       (seed != NULL ? g_ascii_strtoull (seed, NULL, 0) : 1) * 7919
                         + number * 104729 + 1 };
}

/* ---- folders ---- */

char *
rig_temp_dir (void)
{
  g_autoptr (GError) error = NULL;
  char *dir = g_dir_make_tmp ("kontor-rig-XXXXXX", &error);

  g_assert_no_error (error);
  return dir;
}

void
rig_remove (const char *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;

  /* Whatever a test gets wrong, only what it made itself. */
  g_assert_nonnull (strstr (path, "/kontor-rig-"));
  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *inside = g_build_filename (path, name, NULL);

      if (g_file_test (inside, G_FILE_TEST_IS_DIR))
        rig_remove (inside);
      else
        g_unlink (inside);
    }
  g_rmdir (path);
}

void
rig_copy (const char *from, const char *to)
{
  g_autoptr (GDir) folder = g_dir_open (from, 0, NULL);
  const char *name;

  g_assert_nonnull (folder);
  g_mkdir_with_parents (to, 0700);
  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *source = g_build_filename (from, name, NULL);
      g_autofree char *target = g_build_filename (to, name, NULL);
      g_autoptr (GError) error = NULL;
      g_autofree char *text = NULL;
      gsize len;

      if (g_file_test (source, G_FILE_TEST_IS_DIR))
        {
          rig_copy (source, target);
          continue;
        }
      g_file_get_contents (source, &text, &len, &error);
      g_assert_no_error (error);
      g_file_set_contents_full (target, text, (gssize) len, G_FILE_SET_CONTENTS_NONE, 0600, &error);
      g_assert_no_error (error);
    }
}

/* ---- the workspace: made once, copied for each test ---- */

static char *template_dir;

static void
remove_template (void)
{
  rig_remove (template_dir);
  g_free (template_dir);
}

void
rig_test_init (int *argc, char ***argv)
{
  g_test_init (argc, argv, NULL);
  _kt_password_weak_for_tests ();
}

/* The pack as it is shipped, and in it fields of the policies that no shipped field lets people write. */
char *
rig_pack (void)
{
  static const char extra[] =
    "\"fields\": ["
    "{\"name\": \"visits\", \"type\": \"integer\", \"label\": \"Visits\", \"policy\": \"sum\"},"
    "{\"name\": \"credit\", \"type\": \"text\", \"label\": \"Credit\", \"policy\": \"server\"},"
    "{\"name\": \"slogan\", \"type\": \"text\", \"label\": \"Slogan\", \"policy\": \"mine\"},"
    "{\"name\": \"mascot\", \"type\": \"text\", \"label\": \"Mascot\", \"policy\": \"latest\"},";
  const char *data = g_getenv ("KONTOR_DATADIR");
  g_autofree char *shipped =
    g_build_filename (data != NULL ? data : KT_SOURCE_DATADIR, "schema", NULL);
  g_autofree char *file = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GString) changed = NULL;
  g_autoptr (GError) error = NULL;
  char *dir = rig_temp_dir ();

  rig_copy (shipped, dir);
  file = g_build_filename (dir, "account.json", NULL);
  g_file_get_contents (file, &text, NULL, &error);
  g_assert_no_error (error);
  changed = g_string_new (text);
  g_assert_cmpuint (g_string_replace (changed, "\"fields\": [", extra, 1), ==, 1);
  g_file_set_contents (file, changed->str, -1, &error);
  g_assert_no_error (error);
  return dir;
}

static void
make_template (void)
{
  static const char *const all[] = { "Everything", NULL };
  static const char *const no_team[] = { NULL };
  g_autofree char *schema_dir = rig_pack ();
  KtInitOptions options = { .name = "Rig",
                            .admin = "anna",
                            .password = RIG_PASSWORD,
                            .schema_dir = schema_dir,
                            .locale = "en",
                            .currency = "EUR" };
  g_autoptr (GError) error = NULL;
  g_autoptr (KtCore) core = NULL;
  RigClock clock;

  clock_init (&clock, 0);
  template_dir = rig_temp_dir ();
  kt_core_init (template_dir, &options, &clock.env, &error);
  g_assert_no_error (error);
  rig_remove (schema_dir);
  core = kt_core_open (template_dir, &clock.env, &error);
  g_assert_no_error (error);
  /* Tests that are not about roles may do everything but administer. */
  kt_core_role_set (core, "Everything", EVERYTHING, NULL, &error);
  g_assert_no_error (error);
  kt_core_user_add (core, "ben", RIG_PASSWORD, all, no_team, NULL, &error);
  g_assert_no_error (error);
  kt_core_user_add (core, "carl", RIG_PASSWORD, all, no_team, NULL, &error);
  g_assert_no_error (error);
  atexit (remove_template);
}

static void device_free (Device *device);

Rig *
rig_new (void)
{
  Rig *rig = g_new0 (Rig, 1);

  if (template_dir == NULL)
    make_template ();
  rig->dir = rig_temp_dir ();
  rig_copy (template_dir, rig->dir);
  clock_init (&rig->clock, 1);
  rig->clock.wall_us += G_USEC_PER_SEC;
  rig->devices = g_ptr_array_new_with_free_func ((GDestroyNotify) device_free);
  rig_start_server (rig);
  return rig;
}

void
rig_start_server (Rig *rig)
{
  g_autoptr (GError) error = NULL;

  rig->core = kt_core_open (rig->dir, &rig->clock.env, &error);
  g_assert_no_error (error);
}

void
rig_stop_server (Rig *rig)
{
  g_clear_pointer (&rig->core, kt_core_close);
}

static void
assert_sound (GPtrArray *problems, const char *whose)
{
  g_assert_nonnull (problems);
  for (guint i = 0; i < problems->len; i++)
    g_printerr ("# %s: %s\n", whose, (const char *) g_ptr_array_index (problems, i));
  g_assert_cmpuint (problems->len, ==, 0);
}

void
rig_free (Rig *rig)
{
  g_autoptr (GError) error = NULL;

  if (rig == NULL)
    return;
  for (guint i = 0; i < rig->devices->len && !rig->unsound; i++)
    {
      Device *device = g_ptr_array_index (rig->devices, i);
      g_autoptr (GPtrArray) problems = NULL;

      if (device->local == NULL || kt_local_schema (device->local) == NULL)
        continue;
      problems = kt_local_check (device->local, TRUE, &error);
      g_assert_no_error (error);
      assert_sound (problems, device->name);
    }
  if (rig->core != NULL && !rig->unsound)
    {
      g_autoptr (GPtrArray) problems = kt_core_check (rig->core, &error);

      g_assert_no_error (error);
      assert_sound (problems, "server");
    }
  g_ptr_array_unref (rig->devices);
  rig_stop_server (rig);
  rig_remove (rig->dir);
  g_free (rig->dir);
  g_free (rig);
}

/* ---- devices ---- */

static KtReply *
serve (const KtRequest *request, gpointer data)
{
  Rig *rig = data;

  if (request->endpoint == KT_ENDPOINT_PULL && rig->page_rows != 0)
    {
      g_autofree char *limit = g_strdup_printf ("%u", rig->page_rows);

      kt_request_set_query ((KtRequest *) request, "limit", limit);
    }
  return rig->core != NULL ? kt_core_handle (rig->core, request) : NULL;
}

static void
open_local (Device *device)
{
  g_autoptr (GError) error = NULL;

  device->local = kt_local_open (device->dir, KT_LOCAL_CREATE, &device->clock.env, &error);
  g_assert_no_error (error);
}

Device *
device_bare (Rig *rig, const char *name)
{
  Device *device = g_new0 (Device, 1);

  device->rig = rig;
  device->name = g_strdup (name);
  device->dir = rig_temp_dir ();
  clock_init (&device->clock, 10 + rig->devices->len);
  device->transport = kt_test_transport_new (serve, rig);
  open_local (device);
  g_ptr_array_add (rig->devices, device);
  return device;
}

static void
device_free (Device *device)
{
  kt_transport_free (device->transport);
  g_clear_pointer (&device->local, kt_local_close);
  rig_remove (device->dir);
  g_free (device->dir);
  g_free (device->name);
  g_free (device->user);
  g_free (device);
}

gboolean
device_login (Device *device, const char *user, GError **error)
{
  return kt_session_login (device->local, device->transport, BASE, user, RIG_PASSWORD, NULL, error);
}

Device *
device_new (Rig *rig, const char *name, const char *user)
{
  Device *device = device_bare (rig, name);
  g_autoptr (GError) error = NULL;

  device_login (device, user, &error);
  g_assert_no_error (error);
  device_sync (device);
  return device;
}

void
device_crash (Device *device)
{
  g_clear_pointer (&device->local, kt_local_close);
  open_local (device);
}

void
device_sync_full (Device *device, KtEngineStatus *out)
{
  g_autoptr (GError) error = NULL;

  kt_sync_run (device->local, device->transport, 0, NULL, NULL, NULL, out, &error);
  if (error != NULL)
    g_printerr ("# %s\n", device->name);
  g_assert_no_error (error);
}

void
device_sync (Device *device)
{
  device_sync_full (device, NULL);
}

void
device_sync_fails (Device *device, KtError code)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (
    kt_sync_run (device->local, device->transport, 0, NULL, NULL, NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, (int) code);
}

gboolean
device_step (Device *device, KtEngine *engine)
{
  g_autofree char *token = kt_session_token (device->local, NULL);
  g_autoptr (GPtrArray) changes =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_change_set_unref);
  g_autoptr (KtRequest) request = NULL;
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) failure = NULL;
  g_autoptr (GError) error = NULL;
  gint64 wait_us;

  request =
    kt_engine_next (engine, device->local, token, device->clock.monotonic_us, &wait_us, &error);
  g_assert_no_error (error);
  if (request == NULL)
    return FALSE;
  reply = kt_transport_send (device->transport, request, NULL, &failure);
  kt_engine_reply (engine, device->local, reply, failure, device->clock.monotonic_us, changes,
                   &error);
  g_assert_no_error (error);
  return TRUE;
}

/* ---- records ---- */

static const KtObject *
object_of (Device *device, const char *name)
{
  const KtObject *object = kt_schema_object (kt_local_schema (device->local), name);

  g_assert_nonnull (object);
  return object;
}

static char *
device_time (Device *device)
{
  gint64 us = device->clock.wall_us;
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC);
  g_autofree char *text = g_date_time_format (time, "%Y-%m-%dT%H:%M:%S");

  return g_strdup_printf ("%s.%03dZ", text, (int) (us / 1000 % 1000));
}

static void
assign (KtRecord *record, const char *assignment)
{
  const char *equals = strchr (assignment, '=');
  g_autofree char *name = g_strndup (assignment, (gsize) (equals - assignment));
  const KtField *field = kt_object_field (record->object, name);
  g_autoptr (GError) error = NULL;
  KtValue value = KT_VALUE_INIT;

  if (field == NULL)
    g_error ("no field %s in %s", name, record->object->name);
  kt_value_parse (field, equals + 1, "en", "EUR", &value, &error);
  g_assert_no_error (error);
  kt_value_clear (&record->values[field->index]);
  kt_value_move (&value, &record->values[field->index]);
}

static void
commit (Device *device, KtMutation *mutation)
{
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;

  kt_local_commit (device->local, mutation, NULL, &changes, &error);
  g_assert_no_error (error);
}

static void
create (Device *device, const char *name, const KtId *id, va_list assignments)
{
  const KtObject *object = object_of (device, name);
  g_autofree char *now = device_time (device);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");
  g_autoptr (KtRecord) record = kt_record_new (object, id);
  const char *assignment;

  while ((assignment = va_arg (assignments, const char *)) != NULL)
    assign (record, assignment);
  kt_mutation_add (mutation, KT_MUTATE_CREATE, object, id, 0, kt_patch_diff (NULL, record));
  commit (device, mutation);
}

KtId
device_create (Device *device, const char *object, ...)
{
  KtId id = kt_id_new (&device->clock.env);
  va_list args;

  va_start (args, object);
  create (device, object, &id, args);
  va_end (args);
  return id;
}

KtId
device_create_id (Device *device, const char *object, const KtId *id, ...)
{
  va_list args;

  va_start (args, id);
  create (device, object, id, args);
  va_end (args);
  return *id;
}

static KtRecord *
load (Device *device, const char *object, const KtId *id)
{
  g_autoptr (GError) error = NULL;
  KtRecord *record = kt_local_load (device->local, object_of (device, object), id, &error);

  g_assert_no_error (error);
  return record;
}

void
device_set (Device *device, const char *object, const KtId *id, const char *assignment)
{
  g_autofree char *now = device_time (device);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");
  g_autoptr (KtRecord) before = load (device, object, id);
  g_autoptr (KtRecord) after = NULL;

  g_assert_nonnull (before);
  after = kt_record_copy (before);
  assign (after, assignment);
  kt_mutation_add (mutation, KT_MUTATE_UPDATE, before->object, id, before->rev,
                   kt_patch_diff (before, after));
  commit (device, mutation);
}

static void
move (Device *device, KtMutateKind kind, const char *object, const KtId *id)
{
  g_autofree char *now = device_time (device);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");
  g_autoptr (KtRecord) before = load (device, object, id);

  g_assert_nonnull (before);
  kt_mutation_add (mutation, kind, before->object, id, before->rev, NULL);
  commit (device, mutation);
}

void
device_delete (Device *device, const char *object, const KtId *id)
{
  move (device, KT_MUTATE_DELETE, object, id);
}

void
device_restore (Device *device, const char *object, const KtId *id)
{
  move (device, KT_MUTATE_RESTORE, object, id);
}

gboolean
device_has (Device *device, const char *object, const KtId *id)
{
  g_autoptr (KtRecord) record = load (device, object, id);

  return record != NULL;
}

gboolean
device_binned (Device *device, const char *object, const KtId *id)
{
  g_autoptr (KtRecord) record = load (device, object, id);

  g_assert_nonnull (record);
  return kt_record_deleted (record);
}

char *
device_value (Device *device, const char *object, const KtId *id, const char *field)
{
  g_autoptr (KtRecord) record = load (device, object, id);

  if (record == NULL)
    return g_strdup ("gone");
  g_assert_nonnull (kt_record_get (record, field));
  return kt_value_to_string (kt_record_get (record, field));
}

char *
rig_reference (const char *field, const char *object, const KtId *id)
{
  g_autofree char *text = kt_id_to_string (id);

  return object != NULL ? g_strconcat (field, "=", object, ":", text, NULL)
                        : g_strconcat (field, "=", text, NULL);
}

/* ---- what waits ---- */

KtOutboxCounts
device_counts (Device *device)
{
  KtOutboxCounts counts = { 0 };
  g_autoptr (GError) error = NULL;

  kt_local_outbox_counts (device->local, &counts, &error);
  g_assert_no_error (error);
  return counts;
}

GPtrArray *
device_reviews (Device *device)
{
  const KtObject *object = object_of (device, "sync_conflict");
  g_autoptr (KtQuery) query = kt_query_new (object);
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) rids = NULL;
  GPtrArray *rows;

  query->filter = kt_filter_parse (object, "state = 'open' and assigned_to = me", &error);
  g_assert_no_error (error);
  kt_query_parse_sort (query, "number", &error);
  g_assert_no_error (error);
  rids = kt_local_query (device->local, query, NULL, &error);
  g_assert_no_error (error);
  rows = kt_local_rows (device->local, object, (const gint64 *) (gpointer) rids->data, rids->len,
                        &error);
  g_assert_no_error (error);
  return rows;
}

const char *
review_text (GPtrArray *reviews, guint n, const char *field)
{
  g_assert_cmpuint (n, <, reviews->len);
  return kt_record_text (g_ptr_array_index (reviews, n), field) != NULL
           ? kt_record_text (g_ptr_array_index (reviews, n), field)
         : kt_record_get (g_ptr_array_index (reviews, n), field)->type == KT_VALUE_JSON
           ? kt_record_get (g_ptr_array_index (reviews, n), field)->v.text
           : NULL;
}

void
device_resolve (Device *device, guint n, const char *take)
{
  g_autoptr (GPtrArray) reviews = device_reviews (device);
  g_autoptr (KtMutation) mutation = NULL;
  g_autoptr (GError) error = NULL;
  const KtRecord *item;

  g_assert_cmpuint (n, <, reviews->len);
  item = g_ptr_array_index (reviews, n);
  mutation = kt_local_resolve (device->local, &item->id, take, NULL, &error);
  g_assert_no_error (error);
  commit (device, mutation);
}

char *
device_history (Device *device, const char *object, const KtId *id)
{
  g_autoptr (GError) error = NULL;
  gboolean fresh;
  char *text = kt_sync_history (device->local, device->transport, object_of (device, object), id,
                                &fresh, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (fresh);
  return text;
}

void
assert_equal (Device *device)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *report = NULL;
  gboolean equal = FALSE;

  report = kt_sync_verify (device->local, device->transport, NULL, &equal, &error);
  g_assert_no_error (error);
  if (!equal)
    g_printerr ("# %s: %s\n", device->name, report);
  g_assert_true (equal);
  assert_sums (device);
}

void
assert_sums (Device *device)
{
  const KtObject *const *objects;
  guint n;

  objects = kt_schema_objects (kt_local_schema (device->local), &n);
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *kept_text = NULL;
      g_autofree char *fresh_text = NULL;
      KtDigest kept, fresh;

      g_assert_true (kt_local_digest_kept (device->local, objects[i], &kept, NULL));
      g_assert_true (kt_local_digest (device->local, objects[i], &fresh, NULL));
      kept_text = kt_digest_string (&kept);
      fresh_text = kt_digest_string (&fresh);
      g_assert_cmpstr (kept_text, ==, fresh_text);
    }
}

void
assert_all_equal (Rig *rig)
{
  for (guint i = 0; i < rig->devices->len; i++)
    assert_equal (g_ptr_array_index (rig->devices, i));
}
