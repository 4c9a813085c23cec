/* SPDX-License-Identifier: GPL-3.0-or-later */

/* P8 and P4 under any sequence of changes: of records, people and roles. After each whole pull a device holds exactly the records and
 * fields that a plain reading of the roles says, worked out here over all records without tokens; and no row of
 * any page was one that its user might not see when the page was made. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-id.h"

#define PEOPLE 4
#define TEAMS 3
#define UNITS 2
#define STEPS 160

static const char *const objects[] = { "account", "contact", "note", "email", "file", "account_contact" };
static const char *const words[] = { "no", "own", "team", "unit", "all" };
#define OBJECTS G_N_ELEMENTS (objects)

typedef struct
{
  int read[OBJECTS]; /* index into words */
  gboolean reports[OBJECTS];
  gboolean hide_title; /* contact.job_title */
  gboolean mask_phone; /* contact.phone */
} Role;

typedef struct
{
  char *id, *role, *user_name;
  Device *device;
  int team[2], unit, manager; /* -1: none */
  Role rights;
  gboolean fresh; /* in a first pull */
} Person;

typedef struct
{
  Fixture *fixture;
  Device *ada;
  GRand *rand;
  Person people[PEOPLE];
  char *teams[TEAMS], *units[UNITS];
  GPtrArray *records[OBJECTS]; /* ids */
  Person *looking;             /* whose page is being read */
} World;

/* ---- a plain reading ---- */

static int
object_index (const char *name)
{
  for (guint i = 0; i < OBJECTS; i++)
    if (strcmp (objects[i], name) == 0)
      return (int) i;
  return -1;
}

static gboolean
field_is (const KtRecord *record, const char *field, const char *id)
{
  const KtValue *value = kt_record_get (record, field);
  g_autofree char *text = NULL;

  if (value == NULL || value->type != KT_VALUE_ID || id == NULL)
    return FALSE;
  text = kt_id_to_string (&value->v.ref.id);
  return strcmp (text, id) == 0;
}

static gboolean
list_has (const KtRecord *record, const char *field, const char *id)
{
  const KtValue *value = kt_record_get (record, field);

  return value != NULL && value->type == KT_VALUE_LIST && strstr (value->v.text, id) != NULL;
}

static gboolean
owned_by (const KtRecord *record, const char *id)
{
  const KtValue *owner = kt_record_get (record, "owner");

  return owner != NULL && !kt_value_is_null (owner) ? field_is (record, "owner", id)
                                                    : field_is (record, "created_by", id);
}

static gboolean
is_below (const World *world, int who, int boss)
{
  for (int steps = 0; steps < PEOPLE && who >= 0; steps++)
    {
      who = world->people[who].manager;
      if (who == boss)
        return TRUE;
    }
  return FALSE;
}

static const KtRecord *
parent_of (World *world, const KtRecord *record)
{
  const char *field = strcmp (record->object->name, "account_contact") == 0 ? "account" : "parent";
  const KtValue *value;
  g_autofree char *id = NULL;

  if (strcmp (record->object->name, "account") == 0 || strcmp (record->object->name, "contact") == 0)
    return NULL;
  value = kt_record_get (record, field);
  if (value == NULL || (value->type != KT_VALUE_ID && value->type != KT_VALUE_ANY))
    return NULL;
  id = kt_id_to_string (&value->v.ref.id);
  return have (world->ada, value->type == KT_VALUE_ANY ? value->v.ref.object : "account", id);
}

/* Whether the record, or what it hangs on, is the person's by their level for that object. */
static gboolean
reaches (World *world, int who, const KtRecord *record)
{
  const Person *person = &world->people[who];
  int object = object_index (record->object->name);
  int level = person->rights.read[object];
  const KtValue *private = kt_record_get (record, "is_private");
  const char *shared = kt_record_text (record, "shared_with");
  gboolean closed = (private != NULL && private->type == KT_VALUE_BOOL && private->v.integer)
                    || g_strcmp0 (shared, "participants") == 0;
  const KtRecord *parent;

  if (level > 0)
    {
      if (owned_by (record, person->id) || list_has (record, "collaborators", person->id))
        return TRUE;
      if (!closed && level == 4)
        return TRUE;
      for (guint i = 0; !closed && i < 2; i++)
        if (level >= 2 && person->team[i] >= 0
            && list_has (record, "teams", world->teams[person->team[i]]))
          return TRUE;
      for (int i = 0; !closed && i < PEOPLE; i++)
        {
          if (!owned_by (record, world->people[i].id))
            continue;
          if (level >= 3 && person->unit >= 0 && world->people[i].unit == person->unit)
            return TRUE;
          if (person->rights.reports[object] && is_below (world, i, who))
            return TRUE;
        }
    }
  if (closed || g_strcmp0 (shared, "team") == 0)
    return FALSE;
  parent = parent_of (world, record);
  return parent != NULL && reaches (world, who, parent);
}

static gboolean
sees (World *world, int who, const KtRecord *record)
{
  int object = object_index (record->object->name);

  return world->people[who].rights.read[object] > 0 && reaches (world, who, record);
}

/* Everything ada has, cut down to what the person may see, is what the device has. */
static void
assert_holds (World *world, int who)
{
  Person *person = &world->people[who];
  GHashTableIter iter;
  gpointer key, value;
  guint expected = 0, held = 0;

  g_hash_table_iter_init (&iter, person->device->records);
  while (g_hash_table_iter_next (&iter, &key, &value))
    held += object_index (((KtRecord *) value)->object->name) >= 0;
  g_hash_table_iter_init (&iter, world->ada->records);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      const KtRecord *record = value;
      const KtRecord *mine = g_hash_table_lookup (person->device->records, key);

      if (object_index (record->object->name) < 0)
        continue;
      if (!sees (world, who, record))
        {
          if (mine != NULL)
            g_error ("%s still holds %s", person->user_name, (char *) key);
          continue;
        }
      expected++;
      if (mine == NULL)
        g_error ("%s misses %s", person->user_name, (char *) key);
      for (guint i = 0; i < record->object->n_fields; i++)
        {
          const char *name = record->object->fields[i]->name;
          gboolean contact = strcmp (record->object->name, "contact") == 0;
          g_autofree char *want = kt_value_to_string (&record->values[i]);
          g_autofree char *have_text = kt_value_to_string (&mine->values[i]);

          if (contact && person->rights.hide_title && strcmp (name, "job_title") == 0)
            g_assert_cmpstr (have_text, ==, "null");
          else if (contact && person->rights.mask_phone && strcmp (name, "phone") == 0)
            g_assert_true (strcmp (want, "null") == 0 ? strcmp (have_text, "null") == 0
                                                      : strstr (have_text, "****") != NULL);
          else
            g_assert_cmpstr (have_text, ==, want);
        }
    }
  g_assert_cmpuint (held, ==, expected);
}

/* ---- pulling ---- */

static void
look (const KtRecord *record, gpointer data)
{
  World *world = data;
  int who = (int) (world->looking - world->people);
  g_autofree char *id = kt_id_to_string (&record->id);
  const KtRecord *whole;

  if (object_index (record->object->name) < 0)
    return;
  whole = have (world->ada, record->object->name, id);
  g_assert_nonnull (whole);
  if (!sees (world, who, whole))
    g_error ("a page for %s showed %s %s", world->looking->user_name, record->object->name, id);
  if (strcmp (record->object->name, "contact") == 0 && world->looking->rights.hide_title)
    g_assert_true (kt_value_is_null (kt_record_get (record, "job_title")));
}

/* What the access document hides leaves the device. */
static void
obey (Person *person)
{
  g_autoptr (KtReply) reply =
    ask (person->device->fixture, KT_ENDPOINT_ACCESS, person->device->token, NULL, NULL);
  gsize len;
  const char *text = g_bytes_get_data (reply->body, &len);
  g_autoptr (KtRights) rights = kt_rights_from_json (text, (gssize) len, NULL);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, person->device->records);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      KtRecord *record = value;

      for (guint i = 0; i < record->object->n_fields; i++)
        if (kt_rights_sight (rights, record->object->name, record->object->fields[i]->name)
            == KT_SIGHT_HIDDEN)
          kt_value_clear (&record->values[i]);
    }
}

/* Refused when roles changed more often than a cursor can tell: from the beginning. */
static gboolean
is_refused (Person *person)
{
  g_autofree char *query =
    person->device->cursor != NULL ? g_strdup_printf ("cursor=%s", person->device->cursor) : NULL;
  g_autoptr (KtReply) reply =
    ask (person->device->fixture, KT_ENDPOINT_PULL, person->device->token, query, NULL);

  if (reply->status == 200)
    return FALSE;
  g_assert_cmpuint (reply->status, ==, 400);
  return TRUE;
}

static gboolean
one_page (World *world, Person *person)
{
  pull (world->ada, 0);
  world->looking = person;
  person->device->on_row = look;
  person->device->on_row_data = world;
  if (is_refused (person))
    {
      g_clear_pointer (&person->device->cursor, g_free);
      g_hash_table_remove_all (person->device->records);
    }
  return pull_page (person->device, (guint) g_rand_int_range (world->rand, 1, 12), NULL);
}

static void
whole_pull (World *world, Person *person)
{
  while (one_page (world, person))
    ;
  obey (person);
}

/* ---- changing ---- */

static void
put_role (World *world, Person *person)
{
  g_autoptr (GString) json = g_string_new ("{\"scope\":{");
  const Role *role = &person->rights;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < OBJECTS; i++)
    g_string_append_printf (json, "%s\"%s\":{\"read\":\"%s\",\"reports\":%s}", i > 0 ? "," : "",
                            objects[i], words[role->read[i]], role->reports[i] ? "true" : "false");
  g_string_append_printf (json, "},\"fields\":{\"contact\":{\"job_title\":{\"read\":\"%s\"},\"phone\":{\"read\":\"%s\"}}}}",
                          role->hide_title ? "no" : "yes", role->mask_phone ? "mask" : "yes");
  kt_core_role_set (world->fixture->core, person->role, json->str, NULL, &error);
  g_assert_no_error (error);
}

/* The baseline gives one's own notes and files. */
static void
change_role (World *world, Person *person)
{
  for (guint i = 0; i < OBJECTS; i++)
    {
      gboolean base = strcmp (objects[i], "note") == 0 || strcmp (objects[i], "file") == 0;

      if (g_rand_boolean (world->rand))
        {
          person->rights.read[i] = g_rand_int_range (world->rand, base ? 1 : 0, 5);
          person->rights.reports[i] =
            person->rights.read[i] > 0 && g_rand_int_range (world->rand, 0, 3) == 0;
        }
    }
  person->rights.hide_title = g_rand_int_range (world->rand, 0, 3) == 0;
  person->rights.mask_phone = g_rand_int_range (world->rand, 0, 3) == 0;
  put_role (world, person);
}

static void
change_person (World *world, Person *person)
{
  g_autoptr (GPtrArray) assignments = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  int a = g_rand_int_range (world->rand, -1, TEAMS), b = g_rand_int_range (world->rand, -1, TEAMS);

  person->team[0] = a;
  person->team[1] = b;
  person->unit = g_rand_int_range (world->rand, -1, UNITS);
  person->manager = g_rand_int_range (world->rand, -1, PEOPLE);
  if (person->manager == person - world->people)
    person->manager = -1;
  g_ptr_array_add (assignments, g_strdup_printf ("teams=%s%s%s", a >= 0 ? world->teams[a] : "",
                                                 a >= 0 && b >= 0 ? ";" : "",
                                                 b >= 0 ? world->teams[b] : ""));
  g_ptr_array_add (assignments, g_strdup_printf ("business_unit=%s",
                                                 person->unit >= 0 ? world->units[person->unit] : ""));
  g_ptr_array_add (assignments,
                   g_strdup_printf ("manager=%s", person->manager >= 0
                                                    ? world->people[person->manager].id
                                                    : ""));
  g_ptr_array_add (assignments, g_strdup ("default_team="));
  g_ptr_array_add (assignments, NULL);
  kt_core_user_set (world->fixture->core, person->user_name,
                    (const char *const *) assignments->pdata, NULL, NULL, &error);
  g_assert_no_error (error);
}

static const char *
any_record (World *world, int object)
{
  GPtrArray *list = world->records[object];

  return list->len > 0 ? list->pdata[g_rand_int_range (world->rand, 0, (int) list->len)] : NULL;
}

static char *
any_person (World *world)
{
  return world->people[g_rand_int_range (world->rand, 0, PEOPLE)].id;
}

/* {"object":…,"id":…} of something an object of this kind may hang on, or NULL. Notes hang on accounts and contacts, files on those and
 * on notes and mails. */
static char *
any_parent (World *world, int object)
{
  int target = g_rand_int_range (world->rand, 0, strcmp (objects[object], "file") == 0 ? 4 : 2);
  const char *id = any_record (world, target);

  return id != NULL
           ? g_strdup_printf ("{\"object\":\"%s\",\"id\":\"%s\"}", objects[target], id)
           : NULL;
}

static void
make_record (World *world)
{
  int object = g_rand_int_range (world->rand, 0, (int) OBJECTS);
  g_autoptr (GString) fields = g_string_new (NULL);
  g_autofree char *parent = object >= 2 ? any_parent (world, object) : NULL;
  const char *account = any_record (world, 0), *contact = any_record (world, 1);
  Device *author = g_rand_int_range (world->rand, 0, 3) == 0
                     ? world->people[g_rand_int_range (world->rand, 0, PEOPLE)].device
                     : world->ada;
  g_autofree char *id = new_id (world->fixture);
  g_autofree char *op = NULL;

  if (strcmp (objects[object], "account") == 0)
    g_string_append (fields, "\"name\":[null,\"A\"]");
  else if (strcmp (objects[object], "contact") == 0)
    g_string_append (fields, "\"last_name\":[null,\"C\"],\"job_title\":[null,\"T\"],\"phone\":[null,\"13800001234\"]");
  else if (strcmp (objects[object], "note") == 0)
    g_string_append (fields, "\"body\":[null,\"N\"]");
  else if (strcmp (objects[object], "email") == 0)
    g_string_append (fields, "\"subject\":[null,\"M\"]");
  else if (strcmp (objects[object], "file") == 0)
    g_string_append_printf (fields, "\"name\":[null,\"F\"],\"sha256\":[null,\"%064d\"]", 7);
  else if (account == NULL || contact == NULL)
    return;
  else
    g_string_append_printf (fields, "\"account\":[null,\"%s\"],\"contact\":[null,\"%s\"]", account,
                            contact);
  if (parent != NULL && object >= 2 && object <= 4)
    g_string_append_printf (fields, ",\"parent\":[null,%s]", parent);
  if (object <= 3)
    g_string_append_printf (fields, ",\"owner\":[null,\"%s\"]", any_person (world));
  op = op_create (objects[object], id, fields->str);
  if (push_outcome (author, op) == KT_OUTCOME_APPLIED)
    g_ptr_array_add (world->records[object], g_steal_pointer (&id));
}

static void
change_field (World *world, int object, const char *id, const char *field, const char *json)
{
  g_autofree char *before = NULL;
  g_autofree char *fields = NULL;
  g_autofree char *op = NULL;

  pull (world->ada, 0);
  before = value (world->ada, objects[object], id, field);
  fields = g_strdup_printf ("\"%s\":[%s,%s]", field, before, json);
  op = op_update (objects[object], id, rev (world->ada, objects[object], id), fields);
  g_assert_cmpint (push_outcome (world->ada, op), <=, KT_OUTCOME_MERGED);
}

static void
change_record (World *world)
{
  int object = g_rand_int_range (world->rand, 0, (int) OBJECTS);
  const char *id = any_record (world, object);
  g_autofree char *json = NULL;
  gboolean business = object <= 3;

  if (id == NULL)
    return;
  switch (g_rand_int_range (world->rand, 0, 7))
    {
    case 0:
    case 1:
      json = g_strdup_printf ("\"%s\"", any_person (world));
      if (business)
        change_field (world, object, id, "owner", json);
      break;
    case 2:
      json = g_rand_boolean (world->rand)
               ? g_strdup ("null")
               : g_strdup_printf ("[\"%s\"]", world->teams[g_rand_int_range (world->rand, 0, TEAMS)]);
      if (business)
        change_field (world, object, id, "teams", json);
      break;
    case 3:
      json = g_rand_boolean (world->rand) ? g_strdup ("null")
                                          : g_strdup_printf ("[\"%s\"]", any_person (world));
      if (business)
        change_field (world, object, id, "collaborators", json);
      break;
    case 4:
      json = object >= 2 && object <= 4 ? any_parent (world, object) : NULL;
      if (json != NULL)
        change_field (world, object, id, "parent", json);
      break;
    case 5:
      if (strcmp (objects[object], "email") == 0)
        change_field (world, object, id, "is_private", g_rand_boolean (world->rand) ? "true" : "false");
      else if (strcmp (objects[object], "contact") == 0)
        change_field (world, object, id, "job_title", g_rand_boolean (world->rand) ? "\"X\"" : "\"Y\"");
      break;
    default:
      {
        g_autofree char *op = NULL;

        pull (world->ada, 0);
        op = kt_record_deleted (have (world->ada, objects[object], id))
               ? op_restore (objects[object], id, rev (world->ada, objects[object], id))
               : op_delete (objects[object], id, rev (world->ada, objects[object], id));
        push_outcome (world->ada, op);
      }
    }
}

/* ---- the run ---- */

static void
world_begin (World *world, guint32 seed)
{
  static const char *const no_team[] = { NULL };

  *world = (World){ .fixture = fixture_new (), .rand = g_rand_new_with_seed (seed) };
  world->ada = device_new (world->fixture, "ada");
  for (guint i = 0; i < OBJECTS; i++)
    world->records[i] = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < TEAMS; i++)
    world->teams[i] = create (world->ada, "team", "\"name\":[null,\"T\"]");
  for (guint i = 0; i < UNITS; i++)
    world->units[i] = create (world->ada, "business_unit", "\"name\":[null,\"U\"]");
  for (guint i = 0; i < PEOPLE; i++)
    {
      Person *person = &world->people[i];
      const char *roles[] = { NULL, NULL };
      g_autoptr (GError) error = NULL;
      KtId id;

      person->user_name = g_strdup_printf ("p%u", i);
      person->role = g_strdup_printf ("Role %u", i);
      person->team[0] = person->team[1] = person->unit = person->manager = -1;
      for (guint k = 0; k < OBJECTS; k++)
        person->rights.read[k] = 1;
      put_role (world, person);
      roles[0] = person->role;
      kt_core_user_add (world->fixture->core, person->user_name, "secret", roles, no_team, &id,
                        &error);
      g_assert_no_error (error);
      person->id = kt_id_to_string (&id);
      person->device = device_new (world->fixture, person->user_name);
    }
}

static void
world_end (World *world)
{
  for (guint i = 0; i < PEOPLE; i++)
    {
      g_free (world->people[i].id);
      g_free (world->people[i].role);
      g_free (world->people[i].user_name);
      device_free (world->people[i].device);
    }
  for (guint i = 0; i < OBJECTS; i++)
    g_ptr_array_unref (world->records[i]);
  for (guint i = 0; i < TEAMS; i++)
    g_free (world->teams[i]);
  for (guint i = 0; i < UNITS; i++)
    g_free (world->units[i]);
  device_free (world->ada);
  g_rand_free (world->rand);
  fixture_free (world->fixture);
}

static void
run (guint32 seed)
{
  World world;

  g_test_message ("seed %u", seed);
  world_begin (&world, seed);
  for (guint step = 0; step < STEPS; step++)
    {
      Person *person = &world.people[g_rand_int_range (world.rand, 0, PEOPLE)];
      int what = g_rand_int_range (world.rand, 0, 20);

      if (what < 6)
        make_record (&world);
      else if (what < 12)
        change_record (&world);
      else if (what < 14)
        change_role (&world, person);
      else if (what < 15)
        change_person (&world, person);
      else if (what < 19)
        one_page (&world, person);
      else
        {
          whole_pull (&world, person);
          assert_holds (&world, (int) (person - world.people));
        }
    }
  for (int i = 0; i < PEOPLE; i++)
    {
      whole_pull (&world, &world.people[i]);
      assert_holds (&world, i);
      assert_equal (world.people[i].device);
    }
  assert_sound (world.fixture);
  world_end (&world);
}

/* KONTOR_SEED and KONTOR_SEEDS: which, and how many. */
static void
test_random (void)
{
  const char *first = g_getenv ("KONTOR_SEED"), *count = g_getenv ("KONTOR_SEEDS");
  guint32 seed = first != NULL ? (guint32) g_ascii_strtoull (first, NULL, 10) : 1;
  guint n = count != NULL ? (guint) g_ascii_strtoull (count, NULL, 10) : 6;

  for (guint i = 0; i < n; i++)
    run (seed + i);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/server/scope-random/P8-any-sequence", test_random);
  return g_test_run ();
}
