/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whether this device holds what the server holds (P4), and making it so: docs/decisions/repair.md.
 *
 *   COMPARE ── equal ──────────────────────────────► done
 *      │ ▲  differs, but the server has gone on: pull, again
 *      │ │  differs from the sums that are kept: again, with fresh ones
 *      ▼ └────────────────────────────────────────────┐
 *   TREE   an object's branches, down to its leaves   │ next object; after the last: COMPARE
 *      ▼                                              │
 *   ROWS   the records that differ, a thousand a time ┘
 *
 * It stands at the end of a round, when one is due or asked for, and begins anew after anything that comes between:
 * it has nothing to lose. A digest that lies costs some rows and says so in the end; edits are never touched, they
 * lie over what is repaired.                                                                                        */

#define G_LOG_DOMAIN "kt-sync"

#include "config.h"

#include "sync/kt-engine-private.h"

#include <string.h>

#include "base/kt-error.h"

#define DUE_ROUNDS 256
#define DUE_US (24 * G_TIME_SPAN_HOUR)
#define DUE_COMMITS 20000
#define MAX_TURNS 6
#define MAX_CHILDREN 128 /* that differ at the top: pulling everything is cheaper */
#define MAX_ROWS 1000
#define META_COMPARED "sync.compared" /* seq at the last comparison */

enum
{
  PHASE_COMPARE,
  PHASE_TREE,
  PHASE_ROWS
};

static void
forget_work (KtEngineRepair *repair)
{
  repair->phase = PHASE_COMPARE;
  g_queue_clear_full (&repair->branches, g_free);
  g_clear_pointer (&repair->objects, g_ptr_array_unref);
  g_clear_pointer (&repair->left, g_hash_table_unref);
}

void
_kt_engine_repair_clear (KtEngineRepair *repair)
{
  forget_work (repair);
  g_clear_pointer (&repair->report.repaired, g_ptr_array_unref);
  g_clear_error (&repair->report.problem);
  g_free (repair->report.digest);
}

void
kt_engine_verify (KtEngine *engine)
{
  g_return_if_fail (engine != NULL);

  _kt_engine_repair_clear (&engine->repair);
  memset (&engine->repair, 0, sizeof engine->repair);
  engine->repair.report.repaired = g_ptr_array_new ();
  engine->repair.pending = TRUE;
  engine->repair.fresh = TRUE;
  engine->repair.asked = TRUE;
  kt_engine_poke (engine);
}

const KtEngineReport *
kt_engine_report (KtEngine *engine)
{
  g_return_val_if_fail (engine != NULL, NULL);

  return &engine->repair.report;
}

/* ---- when ---- */

gboolean
_kt_engine_begin_repair (KtEngine *engine, KtLocal *local, gint64 now_us)
{
  KtEngineRepair *repair = &engine->repair;

  if (repair->since_us == 0)
    {
      g_autofree char *compared = kt_local_get_meta (local, META_COMPARED, NULL);
      gint64 seq = compared != NULL ? g_ascii_strtoll (compared, NULL, 10) : 0;

      repair->since_us = MAX (now_us, 1);
      repair->due = kt_local_seq (local) - seq >= DUE_COMMITS;
    }
  repair->rounds++;
  if (!repair->pending
      && (repair->due || repair->rounds >= DUE_ROUNDS || now_us - repair->since_us >= DUE_US))
    {
      repair->pending = TRUE;
      repair->asked = FALSE;
      repair->fresh = FALSE;
      repair->turns = 0;
      g_clear_pointer (&repair->report.repaired, g_ptr_array_unref);
      repair->report.repaired = g_ptr_array_new ();
    }
  if (!repair->pending || !kt_local_ready (local))
    return FALSE;
  forget_work (repair);
  repair->rounds = 0;
  repair->since_us = MAX (now_us, 1);
  repair->due = FALSE;
  _kt_engine_fire (engine, EVENT_VERIFY);
  return TRUE;
}

/* Nothing more is to be done, for better or worse. */
static gboolean
finish (KtEngine *engine, KtLocal *local, GError *problem, GError **local_failure)
{
  KtEngineRepair *repair = &engine->repair;
  char seq[32];

  forget_work (repair);
  repair->pending = FALSE;
  repair->report.compared = problem == NULL;
  g_clear_error (&repair->report.problem);
  repair->report.problem = problem;
  if (problem != NULL)
    {
      _kt_engine_set_problem (engine, problem);
      _kt_engine_fire (engine, EVENT_OWN);
      return TRUE;
    }
  _kt_engine_fire (engine, EVENT_ANSWERED);
  g_snprintf (seq, sizeof seq, "%" G_GINT64_FORMAT, kt_local_seq (local));
  return kt_local_set_meta (local, META_COMPARED, seq, local_failure);
}

void
_kt_engine_leave_repair (KtEngine *engine, const GError *problem)
{
  KtEngineRepair *repair = &engine->repair;

  forget_work (repair);
  repair->pending = FALSE;
  g_clear_error (&repair->report.problem);
  repair->report.problem = g_error_copy (problem);
}

/* Pull first. */
static gboolean
pull_first (KtEngine *engine)
{
  forget_work (&engine->repair);
  engine->at_head = FALSE;
  _kt_engine_fire (engine, EVENT_EMPTY);
  return TRUE;
}

/* ---- asking ---- */

static GBytes *
write_ids (const char *object, GHashTable *ids)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  GHashTableIter iter;
  gpointer id;
  guint n = 0;

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "object", object);
  kt_json_key (&writer, "ids");
  kt_json_begin_array (&writer);
  g_hash_table_iter_init (&iter, ids);
  while (n++ < MAX_ROWS && g_hash_table_iter_next (&iter, &id, NULL))
    {
      char id_text[KT_ID_TEXT_SIZE];

      kt_id_format (id, id_text);
      kt_json_add_string (&writer, id_text);
    }
  kt_json_end_array (&writer);
  kt_json_end_object (&writer);
  return g_string_free_to_bytes (text);
}

/* What to do next with what is known. */
static void
next_phase (KtEngineRepair *repair)
{
  if (!g_queue_is_empty (&repair->branches))
    {
      repair->phase = PHASE_TREE;
      return;
    }
  if (repair->left != NULL && g_hash_table_size (repair->left) > 0)
    {
      repair->phase = PHASE_ROWS;
      return;
    }
  g_clear_pointer (&repair->left, g_hash_table_unref);
  if (repair->objects == NULL || repair->objects->len == 0)
    {
      repair->phase = PHASE_COMPARE;
      return;
    }
  repair->object = g_ptr_array_steal_index (repair->objects, repair->objects->len - 1);
  repair->left = g_hash_table_new_full (kt_id_hash, kt_id_equal, g_free, NULL);
  g_queue_push_tail (&repair->branches, g_new0 (KtDigestBranch, 1));
  repair->phase = PHASE_TREE;
}

static KtRequest *
ask_digest (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us)
{
  KtRequest *request = _kt_engine_ask (engine, KT_ENDPOINT_DIGEST, token, now_us);
  char epoch[KT_ID_TEXT_SIZE];

  if (kt_local_identity (local) != NULL)
    {
      kt_id_format (&kt_local_identity (local)->epoch, epoch);
      kt_request_set_query (request, "epoch", epoch);
    }
  return request;
}

KtRequest *
_kt_engine_ask_repair (KtEngine *engine, KtLocal *local, const char *token, gint64 now_us)
{
  KtEngineRepair *repair = &engine->repair;
  KtRequest *request;

  if (engine->wanted)
    {
      engine->wanted = FALSE;
      engine->at_head = FALSE;
      forget_work (repair);
      _kt_engine_fire (engine, EVENT_POKED);
      return NULL;
    }
  switch (repair->phase)
    {
    case PHASE_TREE:
      {
        char under[2 * KT_DIGEST_MAX_UNDER + 1];

        kt_digest_branch_format (g_queue_peek_head (&repair->branches), under);
        request = ask_digest (engine, local, token, now_us);
        kt_request_set_query (request, "object", repair->object);
        kt_request_set_query (request, "under", under);
        return request;
      }
    case PHASE_ROWS:
      request = _kt_engine_ask (engine, KT_ENDPOINT_ROWS, token, now_us);
      request->body = write_ids (repair->object, repair->left);
      return request;
    case PHASE_COMPARE:
    default:
      request = ask_digest (engine, local, token, now_us);
      if (repair->fresh)
        kt_request_set_query (request, "fresh", "1");
      return request;
    }
}

/* ---- COMPARE ---- */

static void
note_repaired (KtEngineRepair *repair, const char *object)
{
  if (!g_ptr_array_find (repair->report.repaired, object, NULL))
    g_ptr_array_add (repair->report.repaired, (gpointer) object);
}

/* Names of objects that differ. *total: of all that is here. */
static GPtrArray *
list_differing (KtLocal *local, const KtJson *json, gboolean fresh, KtDigest *total, GError **error)
{
  g_autoptr (GPtrArray) differing = g_ptr_array_new ();
  const KtObject *const *objects;
  guint n = 0;

  memset (total, 0, sizeof *total);
  objects = kt_schema_objects (kt_local_schema (local), &n);
  for (guint i = 0; i < n; i++)
    {
      const KtJson *entry = kt_json_get (kt_json_get (json, "objects"), objects[i]->name);
      KtDigest theirs = { 0, 0, 0 }, mine;

      if (!(fresh ? kt_local_digest (local, objects[i], &mine, error)
                  : kt_local_digest_kept (local, objects[i], &mine, error)))
        return NULL;
      kt_digest_join (total, &mine);
      kt_digest_parse (kt_json_get_string (entry, "digest", NULL), &theirs);
      if (!kt_digest_equal (&mine, &theirs))
        g_ptr_array_add (differing, (gpointer) objects[i]->name);
    }
  return g_steal_pointer (&differing);
}

/* Fresh sums agree where kept ones may not: then it is the kept ones that are wrong. */
static gboolean
mend_kept (KtLocal *local, const KtJson *json, GError **error)
{
  KtDigest total;
  g_autoptr (GPtrArray) differing = list_differing (local, json, FALSE, &total, error);

  return differing != NULL && (differing->len == 0 || kt_local_resum (local, error));
}

static GError *
cannot_agree (const KtEngineRepair *repair)
{
  return g_error_new_literal (
    KT_ERROR, KT_ERROR_UNSETTLED,
    repair->report.repaired->len == 0
      ? "The server is too busy for a comparison: it changed every time. Try again later"
      : "This copy and the server differ, and fetching what differs did not mend it. Nothing waiting here is "
        "lost. Tell the administrator");
}

/* A server that is never still is no news, unless somebody waits for the answer. */
static gboolean
give_up (KtEngine *engine, KtLocal *local, GError **local_failure)
{
  KtEngineRepair *repair = &engine->repair;

  if (repair->asked || repair->report.repaired->len > 0)
    return finish (engine, local, cannot_agree (repair), local_failure);
  forget_work (repair);
  repair->pending = FALSE;
  _kt_engine_fire (engine, EVENT_ANSWERED);
  return TRUE;
}

static gboolean
take_comparison (KtEngine *engine, KtLocal *local, const KtJson *json, GError **local_failure)
{
  KtEngineRepair *repair = &engine->repair;
  g_autoptr (GPtrArray) differing = NULL;
  KtDigest total;

  differing = list_differing (local, json, repair->fresh, &total, local_failure);
  if (differing == NULL)
    return FALSE;
  if (differing->len == 0)
    {
      g_free (repair->report.digest);
      repair->report.digest = kt_digest_string (&total);
      repair->report.records = (gint64) total.records;
      return (!repair->fresh || mend_kept (local, json, local_failure))
             && finish (engine, local, NULL, local_failure);
    }
  if (++repair->turns > MAX_TURNS)
    return give_up (engine, local, local_failure);
  if (kt_json_get_int (json, "seq", -1) != kt_local_seq (local))
    return pull_first (engine);
  if (!repair->fresh)
    {
      repair->fresh = TRUE;
      _kt_engine_fire (engine, EVENT_MORE);
      return TRUE;
    }
  for (guint i = 0; i < differing->len; i++)
    note_repaired (repair, g_ptr_array_index (differing, i));
  repair->objects = g_steal_pointer (&differing);
  next_phase (repair);
  _kt_engine_fire (engine, EVENT_MORE);
  return TRUE;
}

/* ---- TREE ---- */

static gboolean
take_children (KtEngine *engine,
               KtLocal *local,
               const KtObject *object,
               const KtDigestBranch *branch,
               const KtJson *children,
               GError **local_failure)
{
  KtEngineRepair *repair = &engine->repair;
  g_autofree KtDigest *mine = g_new0 (KtDigest, KT_DIGEST_CHILDREN);
  KtDigest all;
  guint differing = 0;

  if (!kt_local_digest_branch (local, object, branch, &all, mine, NULL, local_failure))
    return FALSE;
  for (guint i = 0; i < KT_DIGEST_CHILDREN; i++)
    {
      KtDigest theirs = { 0, 0, 0 };
      KtDigestBranch *down;
      char name[3];

      g_snprintf (name, sizeof name, "%02x", i);
      kt_digest_parse (kt_json_get_string (children, name, NULL), &theirs);
      if (kt_digest_equal (&mine[i], &theirs))
        continue;
      differing++;
      down = g_new0 (KtDigestBranch, 1);
      if (kt_digest_branch_down (branch, i, down))
        g_queue_push_tail (&repair->branches, down);
      else
        g_free (down);
    }
  if (branch->n > 0 || differing <= MAX_CHILDREN)
    {
      next_phase (repair);
      _kt_engine_fire (engine, EVENT_MORE);
      return TRUE;
    }
  return kt_local_reset_cursor (local, local_failure) && pull_first (engine);
}

static void
want_row (KtEngineRepair *repair, const KtId *id)
{
  g_hash_table_add (repair->left, kt_id_copy (id));
}

static gboolean
take_leaves (KtEngine *engine,
             KtLocal *local,
             const KtObject *object,
             const KtDigestBranch *branch,
             const KtJson *leaves,
             GError **local_failure)
{
  KtEngineRepair *repair = &engine->repair;
  g_autoptr (GArray) mine = g_array_new (FALSE, FALSE, sizeof (KtDigestLeaf));
  g_autoptr (GHashTable) by_id = g_hash_table_new (kt_id_hash, kt_id_equal);
  KtDigest all;

  if (!kt_local_digest_branch (local, object, branch, &all, NULL, mine, local_failure))
    return FALSE;
  for (guint i = 0; i < mine->len; i++)
    g_hash_table_insert (by_id, &g_array_index (mine, KtDigestLeaf, i).id,
                         &g_array_index (mine, KtDigestLeaf, i));
  for (guint i = 0; i < kt_json_length (leaves); i++)
    {
      const char *text = kt_json_string (kt_json_at (kt_json_at (leaves, i), 0), NULL);
      const char *hex = kt_json_string (kt_json_at (kt_json_at (leaves, i), 1), NULL);
      const KtDigestLeaf *leaf;
      char own[KT_DIGEST_HEX_SIZE] = "";
      KtId id;

      if (text == NULL || !kt_id_parse (text, -1, &id) || !kt_digest_branch_has (branch, &id))
        continue;
      leaf = g_hash_table_lookup (by_id, &id);
      if (leaf != NULL)
        kt_digest_hex (&leaf->digest, own);
      if (g_strcmp0 (own, hex) != 0)
        want_row (repair, &id);
      g_hash_table_remove (by_id, &id);
    }
  {
    GHashTableIter iter;
    gpointer id;

    /* The server says nothing of these. */
    g_hash_table_iter_init (&iter, by_id);
    while (g_hash_table_iter_next (&iter, &id, NULL))
      want_row (repair, id);
  }
  next_phase (repair);
  _kt_engine_fire (engine, EVENT_MORE);
  return TRUE;
}

static gboolean
take_branch (KtEngine *engine, KtLocal *local, const KtJson *json, GError **local_failure, GError **error)
{
  KtEngineRepair *repair = &engine->repair;
  g_autofree KtDigestBranch *branch = g_queue_pop_head (&repair->branches);
  const KtObject *object = kt_schema_object (kt_local_schema (local), repair->object);
  const KtJson *leaves = kt_json_get (json, "leaves");
  const KtJson *children = kt_json_get (json, "children");

  if (object == NULL)
    return pull_first (engine);
  if (kt_json_type (leaves) == KT_JSON_ARRAY)
    return take_leaves (engine, local, object, branch, leaves, local_failure);
  if (kt_json_type (children) == KT_JSON_OBJECT)
    return take_children (engine, local, object, branch, children, local_failure);
  g_set_error (error, KT_ERROR, KT_ERROR_SERVER,
               "The server's answer to a comparison cannot be understood; it is asked again later");
  return FALSE;
}

/* ---- ROWS ---- */

static gboolean
take_rows (KtEngine *engine,
           KtLocal *local,
           KtReply *reply,
           GPtrArray *change_sets,
           GError **local_failure,
           GError **error)
{
  KtEngineRepair *repair = &engine->repair;
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtPage) page = NULL;
  KtChangeSet *changes = NULL;
  guint before = g_hash_table_size (repair->left), mended = 0;

  page = kt_page_open (kt_local_schema (local), g_steal_pointer (&reply->body), error);
  if (page == NULL)
    return FALSE;
  if (!page->repair)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SERVER, "The server sent other rows than were asked for");
      return FALSE;
    }
  if (!kt_local_apply_rows (local, page, repair->left, &mended, &changes, &failure))
    {
      g_propagate_error (_kt_engine_is_pages_fault (failure) ? error : local_failure,
                         g_steal_pointer (&failure));
      return FALSE;
    }
  if (changes != NULL)
    g_ptr_array_add (change_sets, changes);
  repair->report.rows += mended;
  if (g_hash_table_size (repair->left) >= before)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SERVER, "The server sent other rows than were asked for");
      return FALSE;
    }
  next_phase (repair);
  _kt_engine_fire (engine, EVENT_MORE);
  return TRUE;
}

gboolean
_kt_engine_take_repair (KtEngine *engine,
                        KtLocal *local,
                        KtReply *reply,
                        GPtrArray *change_sets,
                        GError **local_failure,
                        GError **error)
{
  KtEngineRepair *repair = &engine->repair;
  g_autoptr (KtJson) json = NULL;
  gsize len = 0;
  gconstpointer data = reply->body != NULL ? g_bytes_get_data (reply->body, &len) : NULL;

  if (repair->phase == PHASE_ROWS && len > 0)
    return take_rows (engine, local, reply, change_sets, local_failure, error);
  json = len > 0 ? kt_json_parse (data, (gssize) len, NULL) : NULL;
  if (kt_json_type (json) != KT_JSON_OBJECT)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SERVER,
                   "The server's answer to a comparison cannot be understood; it is asked again later");
      return FALSE;
    }
  /* Of another schema: the pull finds out. */
  if (g_strcmp0 (kt_json_get_string (json, "schema", NULL), kt_schema_digest (kt_local_schema (local))) != 0)
    {
      if (++repair->turns > MAX_TURNS)
        return give_up (engine, local, local_failure);
      return pull_first (engine);
    }
  return repair->phase == PHASE_TREE ? take_branch (engine, local, json, local_failure, error)
                                     : take_comparison (engine, local, json, local_failure);
}
