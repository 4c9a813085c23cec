/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A device and a server doing everything in any order, against a model far simpler
 * than the store: for every record the server's version as of the last complete pull
 * and the ops laid over it one by one. KONTOR_SEED replays, KONTOR_STEPS lengthens. */

#include "config.h"

#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/kt-error.h"

static const char *const fields[] = { "name", "phone", "website" };
#define N_FIELDS G_N_ELEMENTS (fields)

typedef struct
{
  gboolean exists;
  gboolean deleted;
  gint64 rev;
  char *values[N_FIELDS];
} Version;

typedef struct
{
  int kind;
  KtId id;
  gint64 base_rev;
  gboolean has[N_FIELDS];
  gboolean muted[N_FIELDS];
  char *before[N_FIELDS];
  char *after[N_FIELDS];
} Op;

typedef struct
{
  gint64 no;
  gint64 number;
  int state;
  gint64 seq;
  Op op;
} Entry;

typedef struct
{
  KtOutcome outcome;
  gint64 seq;
} Decision;

typedef struct
{
  Fix fix;
  GHashTable *server; /* id → Version */
  GHashTable *known;  /* as of what is visible */
  GHashTable *staged;
  GPtrArray *entries; /* Entry, oldest first */
  GArray *ids;
  GHashTable *doomed; /* of them, those that the server may erase. The device leaves them alone: what it then does with unsettled
                         changes (escrow) is tests/sync/leaving.c's */
  GArray *log;       /* KtId by seq − 2 */
  GArray *decisions; /* by number − 1 */
  gint64 seq;        /* server's */
  gint64 visible;
  guint refused, undone, discarded, retried, pulls, lost;
} World;

/* ---- versions ---- */

static void
version_free (gpointer data)
{
  Version *version = data;

  for (guint i = 0; i < N_FIELDS; i++)
    g_free (version->values[i]);
  g_free (version);
}

static Version *
version_copy (const Version *version)
{
  Version *copy = g_memdup2 (version, sizeof *version);

  for (guint i = 0; i < N_FIELDS; i++)
    copy->values[i] = g_strdup (version->values[i]);
  return copy;
}

static Version *
version_of (GHashTable *table, const KtId *id)
{
  Version *version = g_hash_table_lookup (table, id);

  if (version == NULL)
    {
      version = g_new0 (Version, 1);
      g_hash_table_insert (table, kt_id_copy (id), version);
    }
  return version;
}

static void
lay (Version *state, const Op *op)
{
  switch (op->kind)
    {
    case KT_MUTATE_CREATE:
    case KT_MUTATE_UPDATE:
      if (op->kind == KT_MUTATE_UPDATE && state->exists && state->deleted && op->base_rev > 0
          && op->base_rev < state->rev)
        state->deleted = FALSE;
      state->exists = TRUE;
      for (guint i = 0; i < N_FIELDS; i++)
        if (op->has[i] && !op->muted[i])
          {
            g_free (state->values[i]);
            state->values[i] = g_strdup (op->after[i]);
          }
      break;
    case KT_MUTATE_DELETE:
      state->deleted = state->exists;
      break;
    case KT_MUTATE_RESTORE:
      state->deleted = FALSE;
      break;
    default:
      g_assert_not_reached ();
    }
}

static Version *
due (World *w, const KtId *id)
{
  Version *state = version_copy (version_of (w->known, id));

  for (guint i = 0; i < w->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (w->entries, i);

      if (kt_id_equal (&entry->op.id, id))
        lay (state, &entry->op);
    }
  return state;
}

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  for (guint i = 0; i < N_FIELDS; i++)
    {
      g_free (entry->op.before[i]);
      g_free (entry->op.after[i]);
    }
  g_free (entry);
}

/* ---- comparing ---- */

static void
compare_one (World *w, const KtId *id)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtRecord) seen =
    kt_local_load (w->fix.local, fix_object (&w->fix, "account"), id, &error);
  Version *state = due (w, id);

  g_assert_no_error (error);
  g_assert_cmpint (seen != NULL, ==, state->exists);
  if (seen != NULL)
    {
      g_assert_cmpint (kt_record_deleted (seen), ==, state->deleted);
      for (guint i = 0; i < N_FIELDS; i++)
        g_assert_cmpstr (kt_record_text (seen, fields[i]), ==, state->values[i]);
    }
  version_free (state);
}

static void
compare (World *w)
{
  for (guint i = 0; i < w->ids->len; i++)
    compare_one (w, &g_array_index (w->ids, KtId, i));
}

/* ---- server ---- */

static void
server_touch (World *w, const KtId *id, Version *version)
{
  w->seq++;
  version->rev = w->seq;
  g_array_append_val (w->log, *id);
}

static void
server_foreign (World *w)
{
  guint n = w->ids->len;
  guint what = (guint) g_rand_int_range (w->fix.random, 0, 10);
  KtId id = n > 0 && what > 2
              ? g_array_index (w->ids, KtId, g_rand_int_range (w->fix.random, 0, (gint32) n))
              : kt_id_new (&w->fix.env);
  Version *version = version_of (w->server, &id);
  guint field = (guint) g_rand_int_range (w->fix.random, 0, N_FIELDS);

  if (what <= 2)
    {
      g_array_append_val (w->ids, id);
      if (what == 0)
        g_hash_table_add (w->doomed, kt_id_copy (&id));
      version->exists = TRUE;
      version->values[0] = g_strdup_printf ("Server %u", n);
    }
  if (!version->exists)
    return;
  if (what == 3)
    version->deleted = !version->deleted;
  else if (what >= 4 && n > 50 && g_hash_table_contains (w->doomed, &id))
    {
      Version *none = g_new0 (Version, 1);

      g_hash_table_insert (w->server, kt_id_copy (&id), none);
      version = none;
    }
  else
    {
      g_free (version->values[field]);
      version->values[field] =
        field > 0 && what == 5
          ? NULL
          : g_strdup_printf ("https://s%d.example", g_rand_int_range (w->fix.random, 0, 99999));
    }
  server_touch (w, &id, version);
}

static Decision
server_decide (World *w, Entry *entry)
{
  Decision decision = { KT_OUTCOME_APPLIED, 0 };
  Version *version = version_of (w->server, &entry->op.id);

  if ((!version->exists && entry->op.kind != KT_MUTATE_CREATE)
      || g_rand_int_range (w->fix.random, 0, 12) == 0)
    {
      decision.outcome = KT_OUTCOME_REFUSED;
      return decision;
    }
  {
    Op bare = entry->op;

    memset (bare.muted, 0, sizeof bare.muted);
    lay (version, &bare);
  }
  server_touch (w, &entry->op.id, version);
  decision.seq = w->seq;
  return decision;
}

/* ---- device ---- */

static Entry *
entry_new (World *w, gint64 no, int kind, const KtId *id)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->no = no;
  entry->state = KT_OUTBOX_QUEUED;
  entry->op.kind = kind;
  entry->op.id = *id;
  entry->op.base_rev = version_of (w->known, id)->rev;
  g_ptr_array_add (w->entries, entry);
  return entry;
}

static void
device_edit (World *w)
{
  guint n = w->ids->len;
  KtId id;
  gint64 no;
  Version *state;
  guint field = (guint) g_rand_int_range (w->fix.random, 0, N_FIELDS);
  g_autofree char *text =
    g_strdup_printf ("https://d%d.example", g_rand_int_range (w->fix.random, 0, 99999));

  if (n == 0 || g_rand_int_range (w->fix.random, 0, 6) == 0)
    {
      Entry *entry;

      no = fix_create (&w->fix, "account", &id, "name", text, NULL);
      g_array_append_val (w->ids, id);
      entry = entry_new (w, no, KT_MUTATE_CREATE, &id);
      entry->op.has[0] = TRUE;
      entry->op.after[0] = g_strdup (text);
      return;
    }
  /* The latest are edited again and again. */
  if (g_rand_boolean (w->fix.random))
    n = MIN (n, 5);
  id = g_array_index (w->ids, KtId,
                      w->ids->len - 1 - (guint) g_rand_int_range (w->fix.random, 0, (gint32) n));
  if (g_hash_table_contains (w->doomed, &id))
    return;
  state = due (w, &id);
  if (state->exists && state->deleted)
    entry_new (w, fix_restore (&w->fix, "account", &id), KT_MUTATE_RESTORE, &id);
  else if (state->exists && g_rand_int_range (w->fix.random, 0, 8) == 0)
    entry_new (w, fix_delete (&w->fix, "account", &id), KT_MUTATE_DELETE, &id);
  else if (state->exists)
    {
      const char *value = field > 0 && g_rand_int_range (w->fix.random, 0, 5) == 0 ? NULL : text;

      no = fix_set (&w->fix, "account", &id, fields[field], value);
      if (no != 0)
        {
          Entry *entry = entry_new (w, no, KT_MUTATE_UPDATE, &id);

          entry->op.has[field] = TRUE;
          entry->op.before[field] = g_strdup (state->values[field]);
          entry->op.after[field] = g_strdup (value);
        }
    }
  version_free (state);
}

static Entry *
find_entry (World *w, gint64 no)
{
  for (guint i = 0; i < w->entries->len; i++)
    if (((Entry *) g_ptr_array_index (w->entries, i))->no == no)
      return g_ptr_array_index (w->entries, i);
  return NULL;
}

/* What left with its page hides the same field of refused ones before it. */
static void
leave (World *w)
{
  for (guint i = 0; i < w->entries->len;)
    {
      Entry *entry = g_ptr_array_index (w->entries, i);

      if (entry->state != KT_OUTBOX_SETTLED || entry->seq > w->visible)
        {
          i++;
          continue;
        }
      for (guint j = 0; j < i; j++)
        {
          Entry *earlier = g_ptr_array_index (w->entries, j);

          if (earlier->state == KT_OUTBOX_PARKED && kt_id_equal (&earlier->op.id, &entry->op.id))
            for (guint f = 0; f < N_FIELDS; f++)
              earlier->op.muted[f] |= earlier->op.has[f] && entry->op.has[f];
        }
      g_ptr_array_remove_index (w->entries, i);
    }
}

static void
device_push (World *w, gboolean lose_reply)
{
  g_autofree char *sent = fix_take (&w->fix);
  g_autoptr (KtJson) json = sent != NULL ? kt_json_parse (sent, -1, NULL) : NULL;
  g_autoptr (GArray) verdicts = g_array_new (FALSE, TRUE, sizeof (KtVerdict));
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) outbox = kt_local_outbox (w->fix.local, 0, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < outbox->len; i++)
    {
      const KtOutboxEntry *stored = g_ptr_array_index (outbox, i);
      Entry *entry = find_entry (w, stored->no);

      g_assert_nonnull (entry);
      entry->number = stored->mutation->number;
      if (entry->state != KT_OUTBOX_PARKED)
        entry->state = (int) stored->state;
      g_assert_cmpint (entry->state, ==, (int) stored->state);
    }
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      gint64 number = kt_json_get_int (kt_json_at (json, i), "number", 0);
      KtVerdict verdict = { number, KT_OUTCOME_APPLIED, 0, NULL, NULL };
      Entry *entry = NULL;

      for (guint j = 0; j < w->entries->len; j++)
        if (((Entry *) g_ptr_array_index (w->entries, j))->number == number)
          entry = g_ptr_array_index (w->entries, j);
      g_assert_nonnull (entry);
      /* No gaps; a repeat gets the same answer. */
      g_assert_cmpint (number, <=, (gint64) w->decisions->len + 1);
      if (number == (gint64) w->decisions->len + 1)
        {
          Decision decision = server_decide (w, entry);

          g_array_append_val (w->decisions, decision);
        }
      verdict.outcome = g_array_index (w->decisions, Decision, number - 1).outcome;
      verdict.seq = g_array_index (w->decisions, Decision, number - 1).seq;
      if (verdict.outcome == KT_OUTCOME_REFUSED)
        verdict.message = (char *) "no";
      g_array_append_val (verdicts, verdict);
    }
  if (lose_reply)
    {
      w->lost++;
      return;
    }
  kt_local_settle (w->fix.local, (const KtVerdict *) verdicts->data, verdicts->len, NULL, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < verdicts->len; i++)
    {
      const KtVerdict *verdict = &g_array_index (verdicts, KtVerdict, i);

      for (guint j = 0; j < w->entries->len; j++)
        {
          Entry *entry = g_ptr_array_index (w->entries, j);

          if (entry->number != verdict->number || entry->state != KT_OUTBOX_SENT)
            continue;
          entry->state =
            verdict->outcome == KT_OUTCOME_REFUSED ? KT_OUTBOX_PARKED : KT_OUTBOX_SETTLED;
          entry->seq = verdict->seq;
          w->refused += verdict->outcome == KT_OUTCOME_REFUSED;
        }
    }
  leave (w);
}

static KtRecord *
row_of (World *w, const KtId *id, const Version *version)
{
  return fix_record (&w->fix, "account", id, version->rev, "name", version->values[0], "phone",
                     version->values[1], "website", version->values[2], "deleted_at",
                     version->deleted ? "2026-02-03T04:05:06Z" : NULL, NULL);
}

/* One page from where the device stands. */
static gboolean
device_pull (World *w)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (GPtrArray) gone = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (GHashTable) in_page = g_hash_table_new (kt_id_hash, kt_id_equal);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtChangeSet) changes = NULL;
  g_autofree char *at = kt_local_cursor (w->fix.local, &error);
  gint64 from = g_ascii_strtoll (at + 1, NULL, 10);
  gint64 to = from < w->seq && g_rand_boolean (w->fix.random)
                ? g_rand_int_range (w->fix.random, (gint32) from, (gint32) w->seq) + 1
                : w->seq;
  g_autofree char *cursor = g_strdup_printf ("c%" G_GINT64_FORMAT, to);
  PageForm form = { FALSE, to < w->seq, to, cursor, NULL };

  for (gint64 seq = from + 1; seq <= to; seq++)
    {
      const KtId *id = &g_array_index (w->log, KtId, seq - 2);
      Version *version = version_of (w->server, id);

      if (!g_hash_table_add (in_page, (gpointer) id))
        continue;
      g_ptr_array_add (version->exists ? records : gone, row_of (w, id, version));
      g_hash_table_insert (w->staged, kt_id_copy (id), version_copy (version));
    }
  fix_try_apply (&w->fix, &form, records, gone, NULL, &changes, &error);
  g_assert_no_error (error);
  w->pulls++;
  if (form.more)
    return TRUE;
  {
    GHashTableIter iter;
    gpointer id, version;

    g_hash_table_iter_init (&iter, w->staged);
    while (g_hash_table_iter_next (&iter, &id, &version))
      g_hash_table_insert (w->known, kt_id_copy (id), version_copy (version));
    g_hash_table_remove_all (w->staged);
  }
  w->visible = to;
  leave (w);
  return FALSE;
}

static Entry *
random_entry (World *w, int state)
{
  guint start =
    w->entries->len > 0 ? (guint) g_rand_int_range (w->fix.random, 0, (gint32) w->entries->len) : 0;

  for (guint i = 0; i < w->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (w->entries, (start + i) % w->entries->len);

      if (entry->state == state)
        return entry;
    }
  return NULL;
}

static void
device_undo (World *w)
{
  Entry *entry = random_entry (w, KT_OUTBOX_QUEUED);
  g_autoptr (GError) error = NULL;

  if (entry == NULL)
    return;
  if (kt_local_undo (w->fix.local, entry->no, NULL, &error))
    {
      w->undone++;
      g_ptr_array_remove (w->entries, entry);
    }
  else
    g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
}

/* The first later edit of a field was made over the discarded one: now over what was before; none is left of one that
 * only took it back. */
static void
rebase (World *w, const Entry *gone)
{
  for (guint f = 0; f < N_FIELDS; f++)
    {
      gboolean after = FALSE;

      if (!gone->op.has[f] || gone->op.kind != KT_MUTATE_UPDATE)
        continue;
      for (guint i = 0; i < w->entries->len; i++)
        {
          Entry *entry = g_ptr_array_index (w->entries, i);

          after |= entry == gone;
          if (!after || entry == gone || !kt_id_equal (&entry->op.id, &gone->op.id)
              || !entry->op.has[f]
              || (entry->state != KT_OUTBOX_QUEUED && entry->state != KT_OUTBOX_PARKED))
            continue;
          if (g_strcmp0 (entry->op.before[f], gone->op.after[f]) == 0)
            {
              if (g_strcmp0 (entry->op.after[f], gone->op.before[f]) == 0
                  && entry->state == KT_OUTBOX_QUEUED)
                g_ptr_array_remove_index (w->entries, i);
              else
                {
                  g_free (entry->op.before[f]);
                  entry->op.before[f] = g_strdup (gone->op.before[f]);
                }
            }
          break;
        }
    }
}

static void
device_decide (World *w, gboolean retry)
{
  Entry *entry = random_entry (w, KT_OUTBOX_PARKED);
  g_autoptr (GError) error = NULL;

  if (entry == NULL)
    return;
  if (retry)
    {
      kt_local_retry (w->fix.local, entry->no, NULL, &error);
      g_assert_no_error (error);
      entry->state = KT_OUTBOX_QUEUED;
      entry->number = 0;
      memset (entry->op.muted, 0, sizeof entry->op.muted);
      w->retried++;
    }
  else if (kt_local_discard (w->fix.local, entry->no, NULL, &error))
    {
      w->discarded++;
      rebase (w, entry);
      g_ptr_array_remove (w->entries, entry);
    }
  else
    g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
}

static void
step (World *w)
{
  guint what = (guint) g_rand_int_range (w->fix.random, 0, 100);

  if (what < 45)
    device_edit (w);
  else if (what < 65)
    server_foreign (w);
  else if (what < 76)
    device_push (w, FALSE);
  else if (what < 80)
    device_push (w, TRUE);
  else if (what < 90)
    device_pull (w);
  else if (what < 94)
    device_undo (w);
  else if (what < 96)
    device_decide (w, TRUE);
  else if (what < 98)
    device_decide (w, FALSE);
  else
    fix_reopen (&w->fix);
}

/* P2, P3, P4: whatever happened, the end is the same on both sides and nothing waits. */
static void
settle_all (World *w)
{
  for (guint i = 0; i < 100 && (w->entries->len > 0 || w->visible < w->seq); i++)
    {
      device_push (w, FALSE);
      while (device_pull (w))
        ;
      for (guint j = w->entries->len; j > 0; j--)
        {
          Entry *entry = g_ptr_array_index (w->entries, j - 1);
          g_autoptr (GError) error = NULL;

          if (entry->state == KT_OUTBOX_PARKED
              && kt_local_discard (w->fix.local, entry->no, NULL, &error))
            {
              rebase (w, entry);
              g_ptr_array_remove (w->entries, entry);
              j = w->entries->len + 1;
            }
          else if (entry->state == KT_OUTBOX_QUEUED
                   && kt_local_undo (w->fix.local, entry->no, NULL, &error))
            g_ptr_array_remove (w->entries, entry);
        }
    }
  g_assert_cmpuint (w->entries->len, ==, 0);
  compare (w);
  for (guint i = 0; i < w->ids->len; i++)
    {
      const Version *server = version_of (w->server, &g_array_index (w->ids, KtId, i));
      const Version *known = version_of (w->known, &g_array_index (w->ids, KtId, i));

      g_assert_cmpint (server->exists, ==, known->exists);
      g_assert_cmpint (server->deleted, ==, known->deleted);
      for (guint f = 0; f < N_FIELDS; f++)
        g_assert_cmpstr (server->values[f], ==, known->values[f]);
    }
  g_assert_cmpint (fix_count (&w->fix, "SELECT count(*) FROM kt_outbox"), ==, 0);
  g_assert_cmpint (fix_count (&w->fix, "SELECT count(*) FROM kt_shadow"), ==, 0);
}

static void
test_random (World *w, gconstpointer data)
{
  const char *text = g_getenv ("KONTOR_STEPS");
  guint steps = text != NULL ? (guint) atoi (text) : 3000;

  w->server = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, version_free);
  w->known = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, version_free);
  w->staged = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, version_free);
  w->entries = g_ptr_array_new_with_free_func (entry_free);
  w->ids = g_array_new (FALSE, FALSE, sizeof (KtId));
  w->doomed = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  w->log = g_array_new (FALSE, FALSE, sizeof (KtId));
  w->decisions = g_array_new (FALSE, FALSE, sizeof (Decision));
  w->seq = w->visible = 1;

  for (guint i = 0; i < steps; i++)
    {
      step (w);
      if (i % 20 == 0)
        compare (w);
      else if (w->ids->len > 0)
        compare_one (w, &g_array_index (w->ids, KtId, w->ids->len - 1));
      if (i % 500 == 0)
        fix_check (&w->fix);
    }
  settle_all (w);
  g_test_message (
    "%u records, %u numbers, %u pages, lost %u, refused %u, undone %u, retried %u, discarded %u",
    w->ids->len, w->decisions->len, w->pulls, w->lost, w->refused, w->undone, w->retried,
    w->discarded);

  g_hash_table_unref (w->server);
  g_hash_table_unref (w->known);
  g_hash_table_unref (w->staged);
  g_ptr_array_unref (w->entries);
  g_array_unref (w->ids);
  g_hash_table_unref (w->doomed);
  g_array_unref (w->log);
  g_array_unref (w->decisions);
}

static void
set_up (World *w, gconstpointer data)
{
  fix_set_up_ready (&w->fix, data);
  if (data != NULL)
    g_rand_set_seed (w->fix.random, (guint32) atoi (data));
}

static void
tear_down (World *w, gconstpointer data)
{
  fix_tear_down (&w->fix, data);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/random/P2/P3/P4/any-order", World, NULL, set_up, test_random, tear_down);
  /* Taken back, refused underneath, given up: once was sent as a change of nothing. */
  g_test_add ("/random/seed-220", World, "220", set_up, test_random, tear_down);
  return g_test_run ();
}
