/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/kt-error.h"
#include "db/kt-table.h"
#include "server/kt-core-private.h"

/* What must be true, worked out without any of the code that makes it true: from the deeds that people were told of, the
 * server's ledger read as rows, and the tables of both sides. The merge is not called here: its table of policies is
 * written down once more, in a page. */

/* ---- at every step ---- */

static gint64
number (const char *json)
{
  return json == NULL || strcmp (json, "null") == 0 ? 0 : g_ascii_strtoll (json, NULL, 10);
}

static gint64
count_of (KtDb *db, const char *sql)
{
  gint64 n = -1;

  return kt_db_get_int (db, 0, &n, NULL, sql, KT_BIND_END) ? n : -1;
}

/* I4: what has left the outbox is at the server, and the page that holds it is here. */
static void
check_leaving (SimDevice *device)
{
  Sim *sim = device->sim;

  for (guint i = sim->deeds->len; i > 0 && sim->core != NULL; i--)
    {
      SimDeed *deed = sim->deeds->pdata[i - 1];
      gint64 waits = 0, seq = 0;

      if (deed->device != device->index || deed->fate != SIM_KEPT || deed->left
          || (deed->holders & (1u << device->index)) == 0)
        continue;
      if (!kt_db_get_int (kt_local_db (device->local), 0, &waits, NULL,
                          "SELECT 1 FROM kt_outbox WHERE at = ?1", KT_BIND_TEXT, deed->at,
                          KT_BIND_END)
          || waits != 0)
        continue;
      if (!kt_db_get_int (kt_core_db (sim->core), 0, &seq, NULL,
                          "SELECT seq FROM kt_ledger WHERE device_at = ?1 AND outcome <> 'refused'",
                          KT_BIND_TEXT, deed->at, KT_BIND_END))
        continue;
      if (seq == 0)
        sim_fail (sim, "P2", "%s has dropped deed %u (%s), and the server does not have it",
                  device->name, deed->n, deed->at);
      else if (seq > kt_local_seq (device->local) && kt_local_seq (device->local) > 0)
        sim_fail (sim, "P5", "%s has dropped deed %u before its page came (%d, here %d)",
                  device->name, deed->n, (int) seq, (int) kt_local_seq (device->local));
      deed->left = TRUE;
    }
}

/* What is seen is what the server has and, once, what it does not have yet. */
static void
check_seen (SimDevice *device)
{
  static const char *const counters[][3] = {
    { "visits", "SELECT sum(f_visits) FROM o_company", "company" },
    { "calls", "SELECT sum(f_calls) FROM o_person", "person" },
    { "hours", "SELECT sum(f_hours) FROM o_job", "job" },
  };
  Sim *sim = device->sim;
  KtDb *db = kt_local_db (device->local);
  gint64 waiting[G_N_ELEMENTS (counters)] = { 0 };

  /* Copies bring work of others, parked work may be hidden by later work. */
  if (sim->n_devices > 3 || sim->scoped || sim->lives > 0 || sim->put_back || sim->core == NULL
      || kt_local_seq (device->local) != kt_core_seq (sim->core)
      || count_of (db, "SELECT count(*) FROM kt_outbox WHERE state = 3") != 0
      || count_of (db, "SELECT count(*) FROM kt_outbox WHERE state <> 3") == 0)
    return;
  for (guint i = 0; i < sim->deeds->len; i++)
    {
      const SimDeed *deed = sim->deeds->pdata[i];
      gint64 here = 0, there = 0;

      if (deed->device != device->index)
        continue;
      if (!kt_db_get_int (db, 0, &here, NULL, "SELECT 1 FROM kt_outbox WHERE at = ?1",
                          KT_BIND_TEXT, deed->at, KT_BIND_END)
          || !kt_db_get_int (kt_core_db (sim->core), 0, &there, NULL,
                             "SELECT CASE outcome WHEN 'refused' THEN 2 ELSE 1 END FROM kt_ledger"
                             " WHERE device_at = ?1",
                             KT_BIND_TEXT, deed->at, KT_BIND_END)
          || (here != 0 && there == 2))
        return;
      for (guint k = 0; here != 0 && there == 0 && k < deed->ops->len; k++)
        {
          const SimOp *op = &g_array_index (deed->ops, SimOp, k);

          for (guint w = 0; w < op->writes->len; w++)
            for (guint c = 0; c < G_N_ELEMENTS (counters); c++)
              {
                const SimWrite *write = &g_array_index (op->writes, SimWrite, w);

                if (strcmp (counters[c][0], write->field) == 0)
                  waiting[c] += number (write->after) - number (write->before);
              }
        }
    }
  for (guint c = 0; c < G_N_ELEMENTS (counters); c++)
    {
      gint64 seen = count_of (db, counters[c][1]);
      gint64 server = count_of (kt_core_db (sim->core), counters[c][1]);

      if (seen >= 0 && server >= 0 && seen != server + waiting[c])
        sim_fail (sim, "P5", "%s shows %d %s; the server has %d and %d are on their way",
                  device->name, (int) seen, counters[c][0], (int) server, (int) waiting[c]);
    }
}

void
sim_check_device (SimDevice *device)
{
  Sim *sim = device->sim;
  gint64 seq, half;

  if (device->local == NULL || sim_disk_dead (device->disk) || !kt_local_ready (device->local))
    return;
  seq = kt_local_seq (device->local);
  if (!kt_id_equal (&device->epoch, &kt_local_identity (device->local)->epoch))
    {
      device->epoch = kt_local_identity (device->local)->epoch;
      device->seq = 0;
    }
  /* To nothing only when the cursor was given up, which takes no record away. */
  if (seq < device->seq
      && (seq != 0
          || count_of (kt_local_db (device->local),
                       "SELECT count(*) FROM kt_meta WHERE key = 'kt:seq'")
               != 0))
    sim_fail (sim, "P5", "%s went back from %d to %d", device->name, (int) device->seq, (int) seq);
  device->seq = seq;
  half = sim->scoped ? 0 : count_of (kt_local_db (device->local),
                   "SELECT (SELECT count(*) FROM o_person a WHERE f_pair IS NOT NULL AND NOT EXISTS"
                   " (SELECT 1 FROM o_job b WHERE b.f_pair = a.f_pair))"
                   " + (SELECT count(*) FROM o_job b WHERE f_pair LIKE 'p%' AND NOT EXISTS"
                   " (SELECT 1 FROM o_person a WHERE a.f_pair = b.f_pair))");
  if (half > 0)
    sim_fail (sim, "P5", "%s shows half a mutation", device->name);
  if (!sim_disk_dead (sim->disk))
    {
      check_leaving (device);
      check_seen (device);
    }
}

/* ---- the ledger, told again ---- */

typedef struct
{
  const char *word; /* of the field */
  enum
  {
    REVIEW,
    LATEST,
    SERVER,
    UNION,
    SUM,
    TEXT,
    STATE
  } policy;
} Policy;

static const Policy policies[] = {
  { "motto", LATEST }, { "slogan", LATEST }, { "pair", LATEST }, { "done", LATEST },
  { "credit", SERVER }, { "tags", UNION },   { "visits", SUM },  { "calls", SUM },
  { "hours", SUM },     { "notes", TEXT },   { "stage", STATE },
};

typedef struct
{
  Sim *sim;
  GHashTable *values;  /* "uuid field" → JSON */
  GHashTable *changes; /* uuid → GArray of Touch: who changed it when */
  GHashTable *ends;    /* at → End */
} Story;

typedef struct
{
  gint64 seq;
  KtId device;
  gboolean deleted;
} Touch;

/* What became of a deed. */
typedef struct
{
  gboolean effect;
  gint64 seq;     /* of the decision that was not a refusal; 0: none */
  guint refusals; /* commits */
  gint64 last;
} End;

/* What a field was called before. */
static const char *
first_name (const char *field)
{
  return strcmp (field, "creed") == 0 ? "motto" : field;
}

static int
policy_of (const char *field)
{
  for (guint i = 0; i < G_N_ELEMENTS (policies); i++)
    if (strcmp (policies[i].word, first_name (field)) == 0)
      return policies[i].policy;
  return REVIEW;
}

static gboolean
has_word (const char *list, const char *word)
{
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", word);

  return strstr (list, quoted) != NULL;
}

/* Every word of @all says whether it must be in the result. */
static gboolean
union_is_right (const char *base, const char *mine, const char *theirs, const char *result)
{
  const char *all[] = { base, mine, theirs, result };

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    {
      KtJson *json = kt_json_parse (all[i], -1, NULL);
      gboolean right = TRUE;

      for (guint k = 0; k < kt_json_length (json) && right; k++)
        {
          const char *word = kt_json_string (kt_json_at (json, k), NULL);
          gboolean in_base = has_word (base, word);
          gboolean in_mine = has_word (mine, word);
          gboolean want = (has_word (theirs, word) && !(in_base && !in_mine))
                          || (in_mine && !in_base);

          right = has_word (result, word) == want;
        }
      kt_json_unref (json);
      if (!right)
        return FALSE;
    }
  return TRUE;
}

static gboolean
lines_are_in (const char *side, const char *base, const char *result)
{
  KtJson *one = kt_json_parse (side, -1, NULL);
  KtJson *old = kt_json_parse (base, -1, NULL);
  KtJson *whole = kt_json_parse (result, -1, NULL);
  const char *text = kt_json_string (one, NULL);
  g_auto (GStrv) lines = g_strsplit (text != NULL ? text : "", "\n", -1);
  g_auto (GStrv) before = g_strsplit (kt_json_string (old, NULL) != NULL ? kt_json_string (old, NULL) : "",
                                      "\n", -1);
  g_auto (GStrv) after = g_strsplit (kt_json_string (whole, NULL) != NULL ? kt_json_string (whole, NULL) : "",
                                     "\n", -1);
  gboolean right = TRUE;

  for (guint i = 0; lines[i] != NULL && right; i++)
    right = g_strv_contains ((const char *const *) before, lines[i])
            || g_strv_contains ((const char *const *) after, lines[i]);
  kt_json_unref (one);
  kt_json_unref (old);
  kt_json_unref (whole);
  return right;
}

static gboolean
step_is_allowed (const char *from, const char *to)
{
  static const char *const steps[][2] = { { "\"new\"", "\"open\"" },  { "\"new\"", "\"lost\"" },
                                          { "\"open\"", "\"won\"" },  { "\"open\"", "\"lost\"" },
                                          { "\"lost\"", "\"open\"" }, { "\"new\"", "\"won\"" } };

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    if (strcmp (steps[i][0], from) == 0 && strcmp (steps[i][1], to) == 0)
      return TRUE;
  return FALSE;
}

/* P6: whether @result may come of base, mine and theirs. */
static gboolean
is_legal (const char *field,
          const char *base,
          const char *mine,
          const char *theirs,
          const char *result,
          const char *outcome)
{
  gboolean review = strcmp (outcome, "review") == 0;

  if (policy_of (field) == SUM)
    return number (result) == number (theirs) + number (mine) - number (base);
  if (strcmp (mine, theirs) == 0 || strcmp (base, theirs) == 0)
    return strcmp (result, mine) == 0 && !review;
  if (strcmp (mine, base) == 0)
    return strcmp (result, theirs) == 0 && !review;
  switch (policy_of (field))
    {
    case LATEST:
      return strcmp (result, mine) == 0;
    case SERVER:
      return strcmp (result, theirs) == 0 && strcmp (outcome, "superseded") == 0;
    case UNION:
      return union_is_right (base, mine, theirs, result);
    case TEXT:
      return review ? strcmp (result, theirs) == 0
                    : lines_are_in (mine, base, result) && lines_are_in (theirs, base, result);
    case STATE:
      return step_is_allowed (theirs, mine) ? strcmp (result, mine) == 0
                                            : review && strcmp (result, theirs) == 0;
    default:
      return review && strcmp (result, theirs) == 0;
    }
}

static char *
json_at (const KtJson *list, guint n)
{
  return n < kt_json_length (list) ? kt_json_to_string (kt_json_at (list, n), FALSE) : NULL;
}

static const char *
value_of (Story *story, const char *id, const char *field)
{
  g_autofree char *key = g_strconcat (id, " ", first_name (field), NULL);
  const char *value = g_hash_table_lookup (story->values, key);

  return value != NULL ? value : "null";
}

static const SimOp *
op_of (const SimDeed *deed, const KtId *id)
{
  for (guint i = 0; deed != NULL && i < deed->ops->len; i++)
    if (kt_id_equal (&g_array_index (deed->ops, SimOp, i).id, id))
      return &g_array_index (deed->ops, SimOp, i);
  return NULL;
}

static const SimWrite *
write_of (const SimOp *op, const char *field)
{
  for (guint i = 0; op != NULL && i < op->writes->len; i++)
    if (strcmp (first_name (g_array_index (op->writes, SimWrite, i).field), first_name (field))
        == 0)
      return &g_array_index (op->writes, SimWrite, i);
  return NULL;
}

typedef struct
{
  gint64 seq;
  const char *at, *kind, *outcome, *object;
  gboolean effect;
  KtId id, device;
  char id_text[KT_ID_TEXT_SIZE];
} Row;

/* An edit that was made over one that was discarded later is based on what stood before that. */
static gboolean
was_given_up (Sim *sim, const KtId *id, const char *field, const char *value)
{
  for (guint i = 0; i < sim->deeds->len; i++)
    {
      const SimDeed *deed = sim->deeds->pdata[i];
      const SimWrite *write =
        deed->fate == SIM_KEPT ? NULL : write_of (op_of (deed, id), field);

      if (write != NULL && strcmp (write->after, value) == 0)
        return TRUE;
    }
  return FALSE;
}

static void
tell_field (Story *story, const Row *row, const SimOp *op, const char *field, const KtJson *change)
{
  Sim *sim = story->sim;
  g_autofree char *theirs = json_at (change, 0);
  g_autofree char *result = json_at (change, 1);
  g_autofree char *outcome = json_at (change, 2);
  g_autofree char *kept = json_at (change, 3);
  g_autofree char *word = NULL;
  const SimWrite *write = write_of (op, field);
  const char *stood = value_of (story, row->id_text, field);

  word = g_strndup (outcome + 1, strlen (outcome) - 2);
  if (row->effect && strcmp (stood, theirs) != 0)
    sim_fail (sim, "P6", "commit %d: %s of %s stood as %s, the ledger says %s", (int) row->seq,
              field, row->id_text, stood, theirs);
  if (write != NULL)
    {
      if (strcmp (kept != NULL ? kept : result, write->after) != 0)
        sim_fail (sim, "P2", "commit %d: %s of %s was written as %s, the ledger has %s",
                  (int) row->seq, field, row->id_text, write->after, kept != NULL ? kept : result);
      /* An edit that its author may not make any more waits, whole, for somebody who may. */
      else if (sim->scoped && !row->effect && strcmp (row->outcome, "review") == 0)
        return;
      else if (strcmp (row->outcome, "refused") != 0
               && !is_legal (field, write->before, write->after, theirs, result, word)
               && !was_given_up (sim, &row->id, field, write->before))
        sim_fail (sim, "P6", "commit %d: %s of %s: base %s, mine %s, theirs %s makes %s (%s)",
                  (int) row->seq, field, row->id_text, write->before, write->after, theirs, result,
                  word);
    }
  if (row->effect)
    g_hash_table_insert (story->values, g_strconcat (row->id_text, " ", first_name (field), NULL),
                         g_steal_pointer (&result));
}

/* P7, from who changed the record after what the person had seen. */
static void
tell_bin (Story *story, const Row *row, const SimOp *op, gboolean was_deleted)
{
  Sim *sim = story->sim;
  GArray *touches = g_hash_table_lookup (story->changes, row->id_text);
  gboolean foreign_edit = FALSE, foreign_delete = FALSE;
  gboolean deleted = strcmp (value_of (story, row->id_text, "deleted_at"), "null") != 0;

  /* In another life the revs that people saw are of another count. */
  if (op == NULL || sim->lives > 0 || sim->scoped || strcmp (row->outcome, "refused") == 0)
    return;
  for (guint i = 0; touches != NULL && i < touches->len; i++)
    {
      const Touch *touch = &g_array_index (touches, Touch, i);

      if (touch->seq <= op->base_rev || kt_id_equal (&touch->device, &row->device))
        continue;
      if (touch->deleted)
        foreign_delete = TRUE;
      else
        foreign_edit = TRUE;
    }
  if (op->kind == KT_MUTATE_DELETE && !was_deleted && foreign_edit
      && (deleted || strcmp (row->outcome, "review") != 0))
    sim_fail (sim, "P7", "commit %d: a delete of %s won over an edit it had not seen",
              (int) row->seq, row->id_text);
  if (op->kind == KT_MUTATE_DELETE && !was_deleted && !foreign_edit && !foreign_delete && !deleted)
    sim_fail (sim, "P7", "commit %d: a delete of %s had no effect", (int) row->seq, row->id_text);
  if (op->kind == KT_MUTATE_UPDATE && was_deleted && foreign_delete && deleted)
    sim_fail (sim, "P7", "commit %d: an edit of %s was lost in the bin", (int) row->seq,
              row->id_text);
}

static void
tell_end (Story *story, const Row *row)
{
  Sim *sim = story->sim;
  End *end = g_hash_table_lookup (story->ends, row->at);

  if (end == NULL)
    {
      end = g_new0 (End, 1);
      g_hash_table_insert (story->ends, g_strdup (row->at), end);
    }
  if (strcmp (row->outcome, "refused") == 0)
    {
      end->refusals += end->last != row->seq;
      end->last = row->seq;
      return;
    }
  if (end->seq != 0 && end->seq != row->seq)
    sim_fail (sim, "P3", "the mutation of %s was done in commit %d and again in %d", row->at,
              (int) end->seq, (int) row->seq);
  end->seq = row->seq;
  end->effect |= row->effect;
}

static void
tell_row (Story *story, const Row *row, const char *changes)
{
  Sim *sim = story->sim;
  const SimDeed *deed =
    row->at != NULL ? g_hash_table_lookup (sim->deeds_by_at, row->at) : NULL;
  gboolean derived = strcmp (row->kind, "derive") == 0 || strcmp (row->kind, "settle") == 0;
  const SimOp *op = derived ? NULL : op_of (deed, &row->id);
  gboolean was_deleted = strcmp (value_of (story, row->id_text, "deleted_at"), "null") != 0;
  KtJson *json = kt_json_parse (changes, -1, NULL);
  Touch touch = { row->seq, row->device, FALSE };

  if (deed != NULL && (!derived || deed->ops->len == 0))
    tell_end (story, row);
  if (!derived && strcmp (row->outcome, "review") == 0)
    {
      gint64 items = 0;

      kt_db_get_int (kt_core_db (sim->core), 0, &items, NULL,
                     "SELECT (SELECT count(*) FROM o_sync_conflict WHERE f_record = ?1)"
                     " + (SELECT count(*) FROM kt_ledger WHERE seq = ?2 AND object = 'sync_conflict')",
                     KT_BIND_ID, &row->id, KT_BIND_INT, row->seq, KT_BIND_END);
      if (items == 0)
        sim_fail (sim, "P2", "commit %d: %s is in review, and nobody is asked", (int) row->seq,
                  row->id_text);
    }
  for (guint i = 0; i < kt_json_length (json) && !sim_failed (sim); i++)
    tell_field (story, row, op, kt_json_key_at (json, i), kt_json_at (json, i));
  /* What is not in the row must be what stood already. */
  for (guint i = 0; op != NULL && row->outcome[2] != 'f' && (row->effect || !sim->scoped)
                    && i < op->writes->len;
       i++)
    {
      const SimWrite *write = &g_array_index (op->writes, SimWrite, i);

      if (kt_json_get (json, write->field) == NULL
          && (strcmp (first_name (write->field), "motto") != 0
              || (kt_json_get (json, "motto") == NULL && kt_json_get (json, "creed") == NULL))
          && strcmp (value_of (story, row->id_text, write->field), write->after) != 0)
        sim_fail (sim, "P2", "commit %d: %s of %s was written as %s and is nowhere", (int) row->seq,
                  write->field, row->id_text, write->after);
    }
  kt_json_unref (json);
  tell_bin (story, row, op, was_deleted);
  if (row->effect && !derived)
    {
      GArray *touches = g_hash_table_lookup (story->changes, row->id_text);

      if (touches == NULL)
        {
          touches = g_array_new (FALSE, FALSE, sizeof (Touch));
          g_hash_table_insert (story->changes, g_strdup (row->id_text), touches);
        }
      touch.deleted = strcmp (row->kind, "delete") == 0;
      g_array_append_val (touches, touch);
    }
}

static void
tell (Story *story)
{
  Sim *sim = story->sim;
  KT_STMT_SCOPE *stmt = NULL;
  gint64 last = 0;

  stmt = kt_db_stmt (kt_core_db (sim->core),
                     "SELECT seq, device_at, kind, outcome, object, effect, id, device, changes"
                     " FROM kt_ledger ORDER BY seq, idx",
                     NULL);
  if (stmt == NULL)
    {
      sim_fail (sim, "P2", "the ledger cannot be read");
      return;
    }
  while (kt_stmt_step (stmt, NULL) == KT_STEP_ROW && !sim_failed (sim))
    {
      Row row = { kt_stmt_int (stmt, 0),  kt_stmt_text (stmt, 1), kt_stmt_text (stmt, 2),
                  kt_stmt_text (stmt, 3), kt_stmt_text (stmt, 4), kt_stmt_int (stmt, 5) != 0 };

      if (row.seq > last + 1)
        sim_fail (sim, "P3", "no commit %d in the ledger", (int) last + 1);
      last = row.seq;
      if (!kt_stmt_id (stmt, 6, &row.id))
        continue;
      kt_stmt_id (stmt, 7, &row.device);
      kt_id_format (&row.id, row.id_text);
      tell_row (story, &row, kt_stmt_text (stmt, 8));
    }
}

/* ---- P2, P3: every deed has one end ---- */

/* Number of entries, of all devices, that still hold it. */
static guint
held (Sim *sim, const SimDeed *deed, gboolean *parked)
{
  guint n = 0;

  for (guint i = 0; i < sim->n_devices; i++)
    {
      g_autoptr (GPtrArray) outbox = kt_local_outbox (sim->devices[i]->local, 0, NULL);

      for (guint k = 0; outbox != NULL && k < outbox->len; k++)
        {
          const KtOutboxEntry *entry = outbox->pdata[k];

          if (strcmp (entry->mutation->at, deed->at) != 0)
            continue;
          n++;
          *parked = entry->state == KT_OUTBOX_PARKED
                    || g_strcmp0 (entry->reason_code, "waiting") == 0;
        }
    }
  return n;
}

static void
check_deeds (Story *story)
{
  Sim *sim = story->sim;

  for (guint i = 0; i < sim->deeds->len && !sim_failed (sim); i++)
    {
      const SimDeed *deed = sim->deeds->pdata[i];
      const End *end = g_hash_table_lookup (story->ends, deed->at);
      gboolean parked = FALSE;
      guint n;

      if (end != NULL && end->seq != 0)
        {
          if (deed->fate == SIM_TAKEN_BACK || deed->fate == SIM_GIVEN_UP)
            sim_fail (sim, "P3", "deed %u was taken back, and commit %d has it", deed->n,
                      (int) end->seq);
          continue;
        }
      if (deed->fate != SIM_KEPT)
        continue;
      n = held (sim, deed, &parked);
      if (n == 0)
        sim_fail (sim, "P2", "deed %u of d%u (%s) is lost: %s", deed->n, deed->device, deed->at,
                  end != NULL ? "refused, and not kept by the device" : "nobody has it");
      else if (!parked)
        sim_fail (sim, "P2", "deed %u of d%u (%s) is neither sent nor parked", deed->n,
                  deed->device, deed->at);
    }
}

/* The counters know of every edit whether it was done twice, or not. */
static void
check_sums (Story *story)
{
  Sim *sim = story->sim;
  g_autoptr (GHashTable) sums = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  GHashTableIter iter;
  gpointer key, value;

  for (guint i = 0; i < sim->deeds->len; i++)
    {
      const SimDeed *deed = sim->deeds->pdata[i];
      const End *end = g_hash_table_lookup (story->ends, deed->at);

      if (end == NULL || end->seq == 0 || !end->effect)
        continue;
      for (guint k = 0; k < deed->ops->len; k++)
        {
          const SimOp *op = &g_array_index (deed->ops, SimOp, k);
          char id[KT_ID_TEXT_SIZE];

          kt_id_format (&op->id, id);
          for (guint f = 0; f < op->writes->len; f++)
            {
              const SimWrite *write = &g_array_index (op->writes, SimWrite, f);
              char *name;
              gint64 *sum;

              if (policy_of (write->field) != SUM)
                continue;
              name = g_strconcat (op->object, " ", id, " ", write->field, NULL);
              sum = g_hash_table_lookup (sums, name);
              if (sum == NULL)
                {
                  sum = g_new0 (gint64, 1);
                  g_hash_table_insert (sums, g_strdup (name), sum);
                }
              *sum += number (write->after) - number (write->before);
              g_free (name);
            }
        }
    }
  g_hash_table_iter_init (&iter, sums);
  while (g_hash_table_iter_next (&iter, &key, &value) && !sim_failed (sim))
    {
      g_auto (GStrv) parts = g_strsplit (key, " ", 3);
      g_autofree char *sql =
        g_strdup_printf ("SELECT f_%s FROM o_%s WHERE id = ?1", parts[2], parts[0]);
      gint64 stands = 0;
      KtId id;

      kt_id_parse (parts[1], -1, &id);
      kt_db_get_int (kt_core_db (sim->core), 0, &stands, NULL, sql, KT_BIND_ID, &id, KT_BIND_END);
      if (stands != *(gint64 *) value)
        sim_fail (sim, "P3", "%s is %d; the edits that were done make %d", (char *) key,
                  (int) stands, (int) *(gint64 *) value);
    }
}

/* ---- P4: both hold the same ---- */

static void
check_digests (SimDevice *device)
{
  Sim *sim = device->sim;
  g_autoptr (KtRequest) request = kt_request_new (KT_ENDPOINT_DIGEST);
  KtReply *reply;
  KtJson *json;
  guint n;
  const KtObject *const *objects = kt_schema_objects (kt_local_schema (device->local), &n);

  request->token = kt_session_token (device->local, NULL);
  reply = kt_core_handle (sim->core, request);
  /* Two copies of one profile that nobody has worked on yet end each other's session when they sign in. */
  if (reply->status == 401 && sim_login (device))
    {
      g_free (request->token);
      request->token = kt_session_token (device->local, NULL);
      kt_reply_free (reply);
      reply = kt_core_handle (sim->core, request);
    }
  json = reply->body != NULL
           ? kt_json_parse (g_bytes_get_data (reply->body, NULL),
                            (gssize) g_bytes_get_size (reply->body), NULL)
           : NULL;
  if (reply->status != 200)
    sim_fail (sim, "P4", "%s gets no digest: %u", device->name, reply->status);
  for (guint i = 0; i < n && !sim_failed (sim); i++)
    {
      const KtJson *entry = kt_json_get (kt_json_get (json, "objects"), objects[i]->name);
      KtDigest digest = { 0 };
      g_autofree char *text = NULL;

      if (objects[i]->sync == KT_SYNC_DEMAND || entry == NULL)
        continue;
      kt_local_digest (device->local, objects[i], &digest, NULL);
      text = kt_digest_string (&digest);
      if (g_strcmp0 (text, kt_json_get_string (entry, "digest", NULL)) != 0)
        sim_fail (sim, "P4", "%s and the server do not hold the same %s: %s, %s", device->name,
                  objects[i]->name, text, kt_json_get_string (entry, "digest", NULL));
    }
  kt_json_unref (json);
  kt_reply_free (reply);
}

/* ---- P8: a device holds what its user may see, and nothing else ---- */

typedef struct
{
  Sim *sim;
  guint level; /* index into sim_roles */
  KtId user;
  char user_text[KT_ID_TEXT_SIZE];
  KtJson *teams; /* ids, or NULL */
} Viewer;

static char *
text_of (KtDb *db, const char *sql, const char *name)
{
  char *text = NULL;

  kt_db_get_text (db, &text, NULL, sql, KT_BIND_TEXT, name, KT_BIND_END);
  return text;
}

static gboolean
shares_team (const Viewer *viewer, const char *teams)
{
  for (guint i = 0; i < kt_json_length (viewer->teams); i++)
    if (strstr (teams, kt_json_string (kt_json_at (viewer->teams, i), "none")) != NULL)
      return TRUE;
  return FALSE;
}

static gboolean
may_see (const Viewer *viewer, const char *object, const KtId *id, guint depth)
{
  KtDb *db = kt_core_db (viewer->sim->core);
  gboolean job = strcmp (object, "job") == 0;
  g_autofree char *sql =
    g_strdup_printf ("SELECT f_owner, f_created_by, f_teams, f_collaborators%s FROM o_%s WHERE id = ?1",
                     job ? ", f_parent, f_parent_object" : "", object);
  KT_STMT_SCOPE *stmt = NULL;
  KtId owner = KT_ID_NIL, maker = KT_ID_NIL, about = KT_ID_NIL;
  g_autofree char *about_object = NULL;
  gboolean sees;

  if (viewer->level == 0)
    return TRUE;
  stmt = kt_db_stmt (db, sql, NULL);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, id);
  if (kt_stmt_step (stmt, NULL) != KT_STEP_ROW)
    return FALSE;
  kt_stmt_id (stmt, 1, &maker);
  sees = kt_id_equal (kt_stmt_id (stmt, 0, &owner) ? &owner : &maker, &viewer->user)
         || (!kt_stmt_is_null (stmt, 3)
             && strstr (kt_stmt_text (stmt, 3), viewer->user_text) != NULL)
         || (viewer->level == 1 && !kt_stmt_is_null (stmt, 2)
             && shares_team (viewer, kt_stmt_text (stmt, 2)));
  if (sees || !job || depth > 20 || !kt_stmt_id (stmt, 4, &about))
    return sees;
  about_object = g_strdup (kt_stmt_text (stmt, 5));
  kt_stmt_reset (stmt);
  stmt = NULL;
  return may_see (viewer, about_object, &about, depth + 1);
}

static void
check_object (SimDevice *device, const Viewer *viewer, const char *object)
{
  Sim *sim = device->sim;
  g_autofree char *sql = g_strdup_printf ("SELECT id FROM o_%s", object);
  g_autoptr (GHashTable) here = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  g_autoptr (GArray) there = g_array_new (FALSE, FALSE, sizeof (KtId));
  KtDb *dbs[] = { kt_local_db (device->local), kt_core_db (sim->core) };
  GHashTableIter iter;
  gpointer key;
  KtId id;

  for (guint i = 0; i < 2; i++)
    {
      KT_STMT_SCOPE *stmt = kt_db_stmt (dbs[i], sql, NULL);

      while (stmt != NULL && kt_stmt_step (stmt, NULL) == KT_STEP_ROW)
        if (kt_stmt_id (stmt, 0, &id) && i == 0)
          g_hash_table_add (here, kt_id_copy (&id));
        else
          g_array_append_val (there, id);
    }
  for (guint i = 0; i < there->len && !sim_failed (sim); i++)
    {
      const KtId *one = &g_array_index (there, KtId, i);
      char text[KT_ID_TEXT_SIZE];

      kt_id_format (one, text);
      if (may_see (viewer, object, one, 0) && !g_hash_table_contains (here, one))
        sim_fail (sim, "P8", "%s may see %s %s, and %s does not have it", device->user, object,
                  text, device->name);
    }
  g_hash_table_iter_init (&iter, here);
  while (g_hash_table_iter_next (&iter, &key, NULL) && !sim_failed (sim))
    {
      gint64 own = 0;
      char text[KT_ID_TEXT_SIZE];

      /* What waits for a decision here is the person's own. */
      kt_db_get_int (dbs[0], 0, &own, NULL, "SELECT 1 FROM kt_outbox_op WHERE id = ?1",
                     KT_BIND_ID, key, KT_BIND_END);
      kt_id_format (key, text);
      if (own == 0 && !may_see (viewer, object, key, 0))
        sim_fail (sim, "P8", "%s holds %s %s, which %s may not see", device->name, object, text,
                  device->user);
    }
}

/* The ids of tests/sim/schema/seed.json. */
static guint
level_of (const char *roles)
{
  if (strstr (roles, "000000000101") != NULL || strstr (roles, "000000000102") != NULL)
    return 0;
  return strstr (roles, "000000000103") != NULL ? 1 : 2;
}

static void
check_scope (SimDevice *device)
{
  static const char *const objects[] = { "company", "person", "job" };
  Sim *sim = device->sim;
  KtDb *db = kt_core_db (sim->core);
  Viewer viewer = { sim };
  g_autofree char *roles = NULL;
  g_autofree char *teams = NULL;

  viewer.user = kt_local_identity (device->local)->access.user;
  kt_id_format (&viewer.user, viewer.user_text);
  roles = text_of (db, "SELECT f_roles FROM o_user WHERE f_user_name = ?1", device->user);
  teams = text_of (db, "SELECT f_teams FROM o_user WHERE f_user_name = ?1", device->user);
  viewer.level = level_of (roles != NULL ? roles : "");
  viewer.teams = teams != NULL ? kt_json_parse (teams, -1, NULL) : NULL;
  for (guint i = 0; i < G_N_ELEMENTS (objects) && !sim_failed (sim); i++)
    check_object (device, &viewer, objects[i]);
  kt_json_unref (viewer.teams);
}

/* P14: every attachment is at the server, whole. */
static void
check_files (Sim *sim)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (kt_core_db (sim->core), "SELECT f_sha256 FROM o_file", NULL);

  while (stmt != NULL && kt_stmt_step (stmt, NULL) == KT_STEP_ROW && !sim_failed (sim))
    {
      const char *sha256 = kt_stmt_text (stmt, 0);
      g_autofree char *path = sim_server_file (sha256);
      g_autofree char *text = NULL;
      g_autofree char *sum = NULL;
      gsize len;

      if (g_file_get_contents (path, &text, &len, NULL))
        sum = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) text, len);
      if (g_strcmp0 (sum, sha256) != 0)
        sim_fail (sim, "P14", "the attachment %.12s… is %s at the server", sha256,
                  sum != NULL ? "not whole" : "not");
    }
}

static void
check_sound (Sim *sim)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) problems = kt_core_check (sim->core, &error);

  if (problems == NULL || problems->len > 0)
    sim_fail (sim, "S", "the server's database is not sound: %s",
              problems != NULL ? (char *) problems->pdata[0] : error->message);
  for (guint i = 0; i < sim->n_devices && !sim_failed (sim); i++)
    {
      SimDevice *device = sim->devices[i];
      g_autoptr (GPtrArray) found = kt_local_check (device->local, FALSE, NULL);

      if (found == NULL || found->len > 0)
        sim_fail (sim, "I", "%s is not sound: %s", device->name,
                  found != NULL ? (char *) found->pdata[0] : "it cannot be checked");
    }
}

void
sim_check_all (Sim *sim)
{
  Story story = { sim, g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free),
                  g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                         (GDestroyNotify) g_array_unref),
                  g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free) };

  tell (&story);
  if (!sim_failed (sim))
    check_deeds (&story);
  if (!sim_failed (sim))
    check_sums (&story);
  for (guint i = 0; i < sim->n_devices && !sim_failed (sim); i++)
    check_digests (sim->devices[i]);
  for (guint i = 0; i < sim->n_devices && sim->scoped && !sim_failed (sim); i++)
    check_scope (sim->devices[i]);
  if (!sim_failed (sim) && sim->attached && !sim->put_back)
    check_files (sim);
  /* SQLite's own check is dear, and finds what the others do not only where a disk was at fault. */
  if (!sim_failed (sim) && sim->seed % 4 == 0)
    check_sound (sim);
  g_hash_table_unref (story.values);
  g_hash_table_unref (story.changes);
  g_hash_table_unref (story.ends);
}

/* ---- P9 ---- */

static void
add_table (Sim *sim, const char *name, GString *out)
{
  const KtObject *object = kt_schema_object (kt_core_schema (sim->core), name);
  g_autofree char *sql =
    g_strdup_printf ("SELECT %s FROM o_%s o ORDER BY id",
                     kt_table_columns (kt_core_db (sim->core), object, "o"), name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (kt_core_db (sim->core), sql, NULL);

  while (stmt != NULL && kt_stmt_step (stmt, NULL) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) record = kt_table_read (stmt, 0, object);
      char id[KT_ID_TEXT_SIZE];

      kt_id_format (&record->id, id);
      g_string_append_printf (out, "%s %s%s", name, id,
                              kt_record_deleted (record) ? " in the bin" : "");
      for (guint i = 0; i < object->n_fields; i++)
        {
          const KtField *field = object->fields[i];
          g_autofree char *text = NULL;

          if (field->computed || record->values[i].type == KT_VALUE_NULL)
            continue;
          text = kt_value_to_string (&record->values[i]);
          g_string_append_printf (out, " %s=%s", field->name, text);
        }
      g_string_append_c (out, '\n');
    }
}

char *
sim_final_state (Sim *sim)
{
  static const char *const names[] = { "company", "person", "job" };
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    add_table (sim, names[i], out);
  return g_string_free (out, FALSE);
}
