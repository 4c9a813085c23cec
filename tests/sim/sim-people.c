/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sim.h"

#include <string.h>

#include "base/kt-error.h"

/* What people do on a device, and what they may expect of it afterwards: every mutation that the store has
 * acknowledged becomes a deed, which the oracle follows to its end. Each is known by the time it carries, which no other has. */

/* ---- deeds ---- */

static void
write_clear (gpointer data)
{
  SimWrite *write = data;

  g_free (write->field);
  g_free (write->before);
  g_free (write->after);
}

static void
op_clear (gpointer data)
{
  g_array_unref (((SimOp *) data)->writes);
}

void
sim_deed_free (gpointer data)
{
  SimDeed *deed = data;

  g_array_unref (deed->ops);
  g_free (deed);
}

static SimDeed *
deed_new (SimDevice *device, const KtMutation *mutation, gint64 no, SimFate fate)
{
  Sim *sim = device->sim;
  SimDeed *deed = g_new0 (SimDeed, 1);

  deed->n = sim->deeds->len;
  g_strlcpy (deed->at, mutation->at, sizeof deed->at);
  deed->device = device->index;
  deed->no = no;
  deed->holders = 1u << device->index;
  deed->fate = fate;
  deed->ops = g_array_new (FALSE, TRUE, sizeof (SimOp));
  g_array_set_clear_func (deed->ops, op_clear);
  for (guint i = 0; i < mutation->ops->len; i++)
    {
      const KtOp *op = mutation->ops->pdata[i];
      SimOp copy = { op->kind, op->object->name, op->id, op->base_rev,
                     g_array_new (FALSE, TRUE, sizeof (SimWrite)) };

      g_array_set_clear_func (copy.writes, write_clear);
      for (guint k = 0; op->patch != NULL && k < kt_patch_length (op->patch); k++)
        {
          const KtChange *change = &g_array_index (op->patch->changes, KtChange, k);
          SimWrite write = { g_strdup (change->field->name), kt_value_to_string (&change->before),
                             kt_value_to_string (&change->after) };

          g_array_append_val (copy.writes, write);
        }
      g_array_append_val (deed->ops, copy);
    }
  g_ptr_array_add (sim->deeds, deed);
  g_hash_table_insert (sim->deeds_by_at, deed->at, deed);
  return deed;
}

void
sim_people_settle_doubts (SimDevice *device)
{
  Sim *sim = device->sim;
  g_autoptr (GPtrArray) outbox = NULL;
  g_autoptr (GError) error = NULL;
  gboolean any = FALSE;

  for (guint i = 0; i < sim->deeds->len; i++)
    any |= ((SimDeed *) sim->deeds->pdata[i])->fate == SIM_DOUBTFUL;
  if (!any)
    return;
  outbox = kt_local_outbox (device->local, 0, &error);
  if (outbox == NULL)
    return;
  for (guint i = 0; i < sim->deeds->len; i++)
    {
      SimDeed *deed = sim->deeds->pdata[i];

      if (deed->fate != SIM_DOUBTFUL)
        continue;
      for (guint k = 0; k < outbox->len; k++)
        {
          const KtOutboxEntry *entry = outbox->pdata[k];

          if (strcmp (entry->mutation->at, deed->at) != 0)
            continue;
          deed->fate = SIM_KEPT;
          deed->no = entry->no;
          /* A copy may have what the original has given up: a commit that failed half way, read as done. */
          deed->holders = deed->device == device->index ? deed->holders | 1u << device->index
                                                        : 1u << device->index;
        }
      if (deed->fate == SIM_KEPT)
        sim_say (sim, "    deed %u was kept", deed->n);
    }
}

void
sim_people_copied (SimDevice *from, SimDevice *to)
{
  GPtrArray *deeds = from->sim->deeds;

  for (guint i = 0; i < deeds->len; i++)
    {
      SimDeed *deed = deeds->pdata[i];

      if ((deed->holders & (1u << from->index)) != 0)
        deed->holders |= 1u << to->index;
    }
}

/* What was done since the backup is only where it was sent to; what was taken back since is there again. */
void
sim_people_put_back (SimDevice *device)
{
  GPtrArray *deeds = device->sim->deeds;
  guint bit = 1u << device->index;

  device->sim->put_back = TRUE;
  for (guint i = 0; i < deeds->len; i++)
    {
      SimDeed *deed = deeds->pdata[i];
      gboolean holds = i < device->backup_deeds && device->backup_holds[i];

      if (holds && (deed->fate == SIM_TAKEN_BACK || deed->fate == SIM_GIVEN_UP))
        deed->fate = SIM_DOUBTFUL;
      deed->elsewhere |= holds;
      deed->holders = holds ? deed->holders | bit : deed->holders & ~bit;
      if (deed->holders == 0 && deed->fate == SIM_KEPT)
        deed->fate = SIM_DOUBTFUL;
    }
}

/* ---- acting ---- */

static guint
pick (Sim *sim, guint n)
{
  return n > 1 ? (guint) g_rand_int_range (sim->rand, 0, (gint32) n) : 0;
}

/* The person's clock, made unique by the count of deeds in its lowest digits. */
static char *
time_of (SimDevice *device)
{
  gint64 us = device->clock.wall_us / 1000000 * 1000000;
  guint n = device->sim->deeds->len;
  g_autoptr (GDateTime) time =
    g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC + n / 1000 * 60);
  g_autofree char *text = g_date_time_format (time, "%Y-%m-%dT%H:%M:");

  return g_strdup_printf ("%s%02u.%03uZ", text, device->index, n % 1000);
}

static const KtObject *
object_of (SimDevice *device, const char *name)
{
  return kt_schema_object (kt_local_schema (device->local), name);
}

static void
commit (SimDevice *device, KtMutation *mutation)
{
  Sim *sim = device->sim;
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;
  gint64 no = 0;
  SimDeed *deed;

  if (mutation->ops->len == 0 && kt_id_is_nil (&mutation->resolves))
    return;
  if (kt_local_commit (device->local, mutation, &no, &changes, &error))
    {
      if (no == 0)
        return;
      deed = deed_new (device, mutation, no, SIM_KEPT);
      sim_say (sim, "    %s deed %u at %s: entry %d", device->name, deed->n, deed->at, (int) no);
      return;
    }
  sim_say (sim, "    %s: %s", device->name, error->message);
  if (g_error_matches (error, KT_ERROR, KT_ERROR_IO) || sim_disk_dead (device->disk))
    deed_new (device, mutation, 0, SIM_DOUBTFUL);
}

static void
set (KtRecord *record, const char *name, KtValue *value)
{
  const KtField *field = kt_object_field (record->object, name);

  if (field == NULL)
    {
      kt_value_clear (value);
      return;
    }
  kt_value_clear (&record->values[field->index]);
  kt_value_move (value, &record->values[field->index]);
}

static void
set_text (KtRecord *record, const char *name, const char *text)
{
  KtValue value = KT_VALUE_INIT;

  kt_value_set_text (&value, text);
  set (record, name, &value);
}

static KtRecord *
load (SimDevice *device, const SimKnown *known)
{
  const KtObject *object = object_of (device, known->object);

  return object != NULL ? kt_local_load (device->local, object, &known->id, NULL) : NULL;
}

/* What everybody works on most is what was made last. */
static KtRecord *
pick_record (SimDevice *device, const char *object, gboolean deleted)
{
  Sim *sim = device->sim;

  for (guint i = 0; i < 6 && sim->ids->len > 0; i++)
    {
      guint n = sim->ids->len;
      guint at = pick (sim, 2) == 0 ? n - 1 - pick (sim, MIN (n, 4)) : pick (sim, n);
      const SimKnown *known = &g_array_index (sim->ids, SimKnown, at);
      g_autoptr (KtRecord) record = NULL;

      if (object != NULL && strcmp (known->object, object) != 0)
        continue;
      record = load (device, known);
      if (record != NULL && (gboolean) kt_record_deleted (record) == deleted)
        return g_steal_pointer (&record);
    }
  return NULL;
}

static void
set_reference (SimDevice *device, KtRecord *record, const char *name, const char *object)
{
  g_autoptr (KtRecord) to = pick_record (device, object, pick (device->sim, 8) == 0);
  KtValue value = KT_VALUE_INIT;

  if (to != NULL && !kt_id_equal (&to->id, &record->id))
    {
      if (kt_object_field (record->object, name)->type == KT_FIELD_REF_ANY)
        kt_value_set_any (&value, to->object->name, &to->id);
      else
        kt_value_set_id (&value, &to->id);
      set (record, name, &value);
    }
}

static void
add_number (SimDevice *device, KtRecord *record, const char *name)
{
  const KtValue *old = kt_record_get (record, name);
  KtValue value = KT_VALUE_INIT;

  kt_value_set_int (&value, (old->type == KT_VALUE_INT ? old->v.integer : 0) + 1
                              + (gint64) pick (device->sim, 9));
  set (record, name, &value);
}

static void
change_tags (SimDevice *device, KtRecord *record)
{
  const KtField *field = kt_object_field (record->object, "tags");
  const KtValue *old = &record->values[field->index];
  KtJson *json = old->type == KT_VALUE_LIST ? kt_json_parse (old->v.text, -1, NULL) : NULL;
  guint n = kt_json_length (json);
  guint drop = pick (device->sim, 3) == 0 ? pick (device->sim, n + 1) : n;
  g_autoptr (GString) text = g_string_new (NULL);
  KtValue value = KT_VALUE_INIT;

  for (guint i = 0; i < n; i++)
    if (i != drop)
      g_string_append_printf (text, "%s;", kt_json_string (kt_json_at (json, i), NULL));
  if (drop == n)
    g_string_append_printf (text, "t%u", device->sim->deeds->len);
  kt_json_unref (json);
  if (kt_value_parse (field, text->str, "en", NULL, &value, NULL))
    set (record, "tags", &value);
}

static void
change_notes (SimDevice *device, KtRecord *record)
{
  Sim *sim = device->sim;
  const char *old = kt_record_text (record, "notes");
  g_auto (GStrv) lines = g_strsplit (old != NULL ? old : "", "\n", -1);
  guint n = g_strv_length (lines);
  guint at = pick (sim, n + 1);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i <= n; i++)
    {
      if (i == at)
        g_string_append_printf (text, "line %u\n", sim->deeds->len);
      /* A third of the time the line itself is replaced. */
      if (i < n && !(i == at && sim->deeds->len % 3 == 0) && *lines[i] != '\0')
        g_string_append_printf (text, "%s\n", lines[i]);
    }
  g_strchomp (text->str);
  set_text (record, "notes", text->str);
}

static void
change_field (SimDevice *device, KtRecord *record)
{
  static const char *const stages[] = { "new", "open", "won", "lost" };
  Sim *sim = device->sim;
  const KtField *field;
  g_autofree char *text = NULL;
  guint own = 0;

  while (own < record->object->n_fields && !record->object->fields[own]->system)
    own++;
  field = record->object->fields[pick (sim, own)];
  /* Steps of a state meet seldom, since most are not allowed. */
  if (pick (sim, 5) == 0 && kt_object_field (record->object, "stage") != NULL)
    field = kt_object_field (record->object, "stage");
  text = g_strdup_printf ("v%u-%u", sim->deeds->len, pick (sim, 1000));
  if (strcmp (field->name, "pair") == 0)
    return;
  if (field->computed || field->type == KT_FIELD_REF_ANY || field->type == KT_FIELD_REF)
    {
      if (field->type == KT_FIELD_REF_ANY)
        set_reference (device, record, field->name, NULL);
      else if (!field->computed && field->to != NULL)
        set_reference (device, record, field->name, field->to[0]);
      return;
    }
  switch (field->type)
    {
    case KT_FIELD_INTEGER:
      add_number (device, record, field->name);
      break;
    case KT_FIELD_TAGS:
      change_tags (device, record);
      break;
    case KT_FIELD_LONG_TEXT:
      change_notes (device, record);
      break;
    case KT_FIELD_CHOICE:
      set_text (record, field->name, stages[pick (sim, 4)]);
      break;
    case KT_FIELD_BOOLEAN:
      {
        const KtValue *old = kt_record_get (record, field->name);
        KtValue value = KT_VALUE_INIT;

        kt_value_set_bool (&value, old->type == KT_VALUE_NULL || !old->v.integer);
        set (record, field->name, &value);
        break;
      }
    default:
      if (field->unique)
        {
          g_autofree char *code = g_strdup_printf ("c%u", pick (sim, 5));

          set_text (record, field->name, code);
        }
      else if (!field->required && pick (sim, 8) == 0)
        set_text (record, field->name, NULL);
      else
        set_text (record, field->name, text);
      break;
    }
}

/* Record ids are the simulation's own: the same whatever the clocks say. */
static KtId
new_id (Sim *sim)
{
  guint n = sim->ids->len + 1;
  KtId id = { { 0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80 } };

  id.b[4] = (guint8) (n >> 8);
  id.b[5] = (guint8) n;
  for (guint i = 9; i < 16; i++)
    id.b[i] = (guint8) (g_rand_int (sim->rand) >> 24);
  return id;
}

static void
add_create (SimDevice *device, KtMutation *mutation, const char *name, const char *pair)
{
  Sim *sim = device->sim;
  const KtObject *object = object_of (device, name);
  KtId id = new_id (sim);
  g_autoptr (KtRecord) record = kt_record_new (object, &id);
  g_autofree char *title = g_strdup_printf ("n%u-%u", sim->deeds->len, sim->ids->len);
  SimKnown known = { g_intern_string (name), id };

  for (guint i = pick (sim, 4); i > 0; i--)
    change_field (device, record);
  set_text (record, object->title->name, title);
  if (pair != NULL)
    set_text (record, "pair", pair);
  kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &id, 0, kt_patch_diff (NULL, record));
  g_array_append_val (sim->ids, known);
}

static void
create (SimDevice *device)
{
  static const char *const names[] = { "company", "company", "company", "person", "person", "job" };
  g_autofree char *now = time_of (device);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");

  add_create (device, mutation, names[pick (device->sim, G_N_ELEMENTS (names))], NULL);
  commit (device, mutation);
}

/* Two records that must never be seen one without the other (P5). */
static void
create_pair (SimDevice *device)
{
  g_autofree char *now = time_of (device);
  g_autofree char *pair = g_strdup_printf ("p%u", device->sim->deeds->len);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");

  add_create (device, mutation, "person", pair);
  add_create (device, mutation, "job", pair);
  commit (device, mutation);
}

static void
attach (SimDevice *device)
{
  Sim *sim = device->sim;
  const KtObject *object = object_of (device, "file");
  g_autofree char *now = time_of (device);
  g_autofree char *path = g_build_filename (device->dir, "attachment", NULL);
  g_autofree char *line =
    g_strdup_printf ("attachment %u of %" G_GUINT64_FORMAT "\n", sim->deeds->len, sim->seed);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");
  g_autoptr (KtRecord) parent = pick_record (device, NULL, FALSE);
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *sha256 = NULL;
  gint64 size = 0;
  KtValue value = KT_VALUE_INIT;
  KtId id = new_id (sim);

  for (guint i = 1 + pick (sim, 40); i > 0; i--)
    g_string_append (text, line);
  sim->attached = TRUE;
  if (!g_file_set_contents_full (path, text->str, (gssize) text->len, G_FILE_SET_CONTENTS_NONE, 0600, NULL)
      || !kt_local_blob_add (device->local, path, &sha256, &size, NULL, &error))
    {
      sim_say (sim, "    %s: %s", device->name, error != NULL ? error->message : "no file");
      return;
    }
  record = kt_record_new (object, &id);
  set_text (record, "name", "attachment.txt");
  set_text (record, "sha256", sha256);
  set_text (record, "mime", "text/plain");
  kt_value_set_int (&value, size);
  set (record, "size", &value);
  if (parent != NULL)
    {
      kt_value_set_any (&value, parent->object->name, &parent->id);
      set (record, "parent", &value);
    }
  kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &id, 0, kt_patch_diff (NULL, record));
  commit (device, mutation);
}

/* Another owner, another helper, another team. */
static void
give (SimDevice *device)
{
  static const char *const fields[] = { "owner", "collaborators", "teams" };
  Sim *sim = device->sim;
  const char *name = fields[pick (sim, 3)];
  g_autofree char *now = time_of (device);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");
  g_autoptr (KtRecord) before = pick_record (device, NULL, FALSE);
  g_autoptr (KtRecord) after = NULL;
  g_autofree char *text = NULL;
  gboolean team = strcmp (name, "teams") == 0;
  KtValue value = KT_VALUE_INIT;
  KtPatch *patch;

  if (before == NULL || kt_object_field (before->object, name) == NULL)
    return;
  sim->scoped = TRUE;
  if (!kt_db_get_text (kt_local_db (device->local), &text, NULL,
                       team ? "SELECT lower(hex(id)) FROM o_team ORDER BY f_name LIMIT 1 OFFSET ?1"
                            : "SELECT lower(hex(id)) FROM o_user ORDER BY f_user_name LIMIT 1 OFFSET ?1",
                       KT_BIND_INT, (gint64) pick (sim, team ? 2 : 3), KT_BIND_END)
      || text == NULL || strlen (text) != 32)
    return;
  {
    g_autofree char *id = g_strdup_printf ("%.8s-%.4s-%.4s-%.4s-%s", text, text + 8, text + 12,
                                           text + 16, text + 20);

    after = kt_record_copy (before);
    if (kt_value_parse (kt_object_field (before->object, name), pick (sim, 5) == 0 ? "" : id, "en",
                        NULL, &value, NULL))
      set (after, name, &value);
  }
  patch = kt_patch_diff (before, after);
  if (kt_patch_length (patch) == 0)
    {
      kt_patch_free (patch);
      return;
    }
  kt_mutation_add (mutation, KT_MUTATE_UPDATE, before->object, &before->id, before->rev, patch);
  commit (device, mutation);
}

/* What nothing here finds wrong, and the server does: it points to a record that nobody ever made. */
static void
poison (SimDevice *device)
{
  Sim *sim = device->sim;
  g_autofree char *now = time_of (device);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");
  g_autofree char *title = NULL;
  g_autoptr (KtRecord) before = pick (sim, 2) == 0 ? pick_record (device, "job", FALSE) : NULL;
  g_autoptr (KtRecord) after = NULL;
  KtValue value = KT_VALUE_INIT;
  KtId nobody = { { 0x01, 0x80, 1 } };
  KtId id = new_id (sim);
  SimKnown known = { g_intern_string ("job"), id };

  after = before != NULL ? kt_record_copy (before) : kt_record_new (object_of (device, "job"), &id);
  title = g_strdup_printf ("n%u", sim->deeds->len);
  set_text (after, "subject", title);
  add_number (device, after, "hours");
  kt_value_set_any (&value, "company", &nobody);
  set (after, "parent", &value);
  kt_mutation_add (mutation, before != NULL ? KT_MUTATE_UPDATE : KT_MUTATE_CREATE, after->object,
                   &after->id, before != NULL ? before->rev : 0, kt_patch_diff (before, after));
  if (before == NULL)
    g_array_append_val (sim->ids, known);
  commit (device, mutation);
}

static void
update (SimDevice *device)
{
  Sim *sim = device->sim;
  g_autofree char *now = time_of (device);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");
  g_autoptr (GHashTable) seen = g_hash_table_new (kt_id_hash, kt_id_equal);
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  guint n = pick (sim, 6) == 0 ? 1 + pick (sim, 3) : 1;

  for (guint i = 0; i < n; i++)
    {
      KtRecord *before = pick_record (device, NULL, pick (sim, 12) == 0);
      g_autoptr (KtRecord) after = NULL;
      KtPatch *patch;

      if (before == NULL)
        continue;
      g_ptr_array_add (records, before);
      if (!g_hash_table_add (seen, &before->id))
        continue;
      after = kt_record_copy (before);
      for (guint k = 1 + pick (sim, 3); k > 0; k--)
        change_field (device, after);
      patch = kt_patch_diff (before, after);
      if (kt_patch_length (patch) > 0)
        kt_mutation_add (mutation, KT_MUTATE_UPDATE, before->object, &before->id, before->rev,
                         patch);
      else
        kt_patch_free (patch);
    }
  commit (device, mutation);
}

static void
move (SimDevice *device, KtMutateKind kind)
{
  g_autoptr (KtRecord) record = pick_record (device, NULL, kind == KT_MUTATE_RESTORE);
  g_autofree char *now = time_of (device);
  g_autoptr (KtMutation) mutation = kt_mutation_new (now, "client");

  if (record == NULL)
    return;
  kt_mutation_add (mutation, kind, record->object, &record->id, record->rev, NULL);
  commit (device, mutation);
}

/* ---- the outbox ---- */

static SimDeed *
deed_of (SimDevice *device, const KtOutboxEntry *entry)
{
  return g_hash_table_lookup (device->sim->deeds_by_at, entry->mutation->at);
}

static void
outbox_act (SimDevice *device, SimActionKind kind)
{
  Sim *sim = device->sim;
  KtOutboxState wanted = kind == SIM_UNDO ? KT_OUTBOX_QUEUED : KT_OUTBOX_PARKED;
  g_autoptr (GPtrArray) outbox = kt_local_outbox (device->local, 0, NULL);
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;
  const KtOutboxEntry *entry = NULL;
  guint n = 0;
  SimDeed *deed;
  gboolean done;

  for (guint i = 0; outbox != NULL && i < outbox->len; i++)
    {
      const KtOutboxEntry *one = outbox->pdata[i];

      if (one->state == wanted && pick (sim, ++n) == 0)
        entry = one;
    }
  if (entry == NULL)
    return;
  deed = deed_of (device, entry);
  if (kind == SIM_UNDO)
    done = kt_local_undo (device->local, entry->no, &changes, &error);
  else if (kind == SIM_RETRY)
    done = kt_local_retry (device->local, entry->no, &changes, &error);
  else
    done = kt_local_discard (device->local, entry->no, &changes, &error);
  sim_say (sim, "    %s entry %d, deed %u: %s", device->name, (int) entry->no,
           deed != NULL ? deed->n : 0, done ? "done" : error->message);
  if (deed == NULL || kind == SIM_RETRY)
    return;
  /* Another copy of this profile does not know of it. */
  if (done)
    deed->holders &= ~(1u << device->index);
  if (done && (deed->holders != 0 || deed->elsewhere))
    deed->fate = SIM_DOUBTFUL;
  else if (done)
    deed->fate = kind == SIM_UNDO ? SIM_TAKEN_BACK : SIM_GIVEN_UP;
  else if (g_error_matches (error, KT_ERROR, KT_ERROR_IO) || sim_disk_dead (device->disk))
    deed->fate = SIM_DOUBTFUL;
}

static void
resolve (SimDevice *device)
{
  static const char *const choices[] = { "mine", "theirs" };
  Sim *sim = device->sim;
  const KtObject *object = object_of (device, "sync_conflict");
  g_autoptr (KtQuery) query = kt_query_new (object);
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) rows = NULL;
  g_autoptr (KtMutation) mutation = NULL;
  g_autofree char *now = time_of (device);
  const KtRecord *item;

  query->filter = kt_filter_parse (object, "state = 'open'", NULL);
  kt_query_parse_sort (query, "number", NULL);
  rids = kt_local_query (device->local, query, NULL, NULL);
  if (rids == NULL || rids->len == 0)
    return;
  rows = kt_local_rows (device->local, object,
                        &g_array_index (rids, gint64, pick (sim, rids->len)), 1, NULL);
  item = rows != NULL ? rows->pdata[0] : NULL;
  if (item == NULL)
    return;
  mutation = kt_local_resolve (device->local, &item->id, choices[pick (sim, 2)], NULL, NULL);
  if (mutation == NULL)
    return;
  g_free (mutation->at);
  mutation->at = g_steal_pointer (&now);
  commit (device, mutation);
}

void
sim_people_act (SimDevice *device, SimActionKind kind)
{
  if (device->local == NULL)
    sim_open_device (device);
  if (device->local == NULL || !kt_local_ready (device->local))
    return;
  switch (kind)
    {
    case SIM_CREATE:
      create (device);
      break;
    case SIM_UPDATE:
      update (device);
      break;
    case SIM_PAIR:
      create_pair (device);
      break;
    case SIM_GIVE:
      give (device);
      break;
    case SIM_ATTACH:
      attach (device);
      break;
    case SIM_POISON:
      poison (device);
      break;
    case SIM_DELETE:
      move (device, KT_MUTATE_DELETE);
      break;
    case SIM_BIN_RESTORE:
      move (device, KT_MUTATE_RESTORE);
      break;
    case SIM_UNDO:
    case SIM_RETRY:
    case SIM_DISCARD:
      outbox_act (device, kind);
      break;
    case SIM_RESOLVE:
      resolve (device);
      break;
    default:
      g_assert_not_reached ();
    }
}
