/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Deciding mutations.
 *
 *   number == last + 1   planned, written, verdict stored; last = number          all in one transaction (S2)
 *   number <= last       the stored verdict again, if it is the same mutation (S3)
 *   number >  last + 1   the whole push is refused, nothing changes
 *
 * Several mutations share a transaction, each with a seq of its own: they stand or fall together, and what the
 * client hears about, stands. A mutation whose plan is refused has written nothing and gets its verdict in the same
 * transaction. One that fails while it is written (a fault of ours) takes its transaction along; then they are tried one
 * by one, and the one that fails again is refused as "internal", so that it cannot block what comes after it (P12). */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "kt-plan.h"

#define CHUNK_MUTATIONS 250
#define CHUNK_OPS 2000
#define DIGEST_BYTES 32

/* One element of the push. */
typedef struct
{
  KtMutation *mutation; /* NULL: it cannot be read, problem says why */
  GError *problem;
  char *text; /* canonical */
  gint64 number;
  guint8 digest[DIGEST_BYTES];
} Item;

typedef struct
{
  KtCore *core;
  const KtActor *actor;
  KtJson *json;            /* the body */
  const KtJson *mutations; /* in it */
  GPtrArray *items;        /* Item */
  GArray *verdicts;        /* KtVerdict */
  gint64 seq;              /* after the last commit of this push */
  gint64 last;             /* the device's last number, as of that */
} Push;

static void
item_free (gpointer data)
{
  Item *item = data;

  g_clear_pointer (&item->mutation, kt_mutation_free);
  g_clear_error (&item->problem);
  g_free (item->text);
  g_free (item);
}

static void
push_clear (Push *push)
{
  g_clear_pointer (&push->items, g_ptr_array_unref);
  g_clear_pointer (&push->verdicts, g_array_unref);
  g_clear_pointer (&push->json, kt_json_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Push, push_clear)

gboolean
_kt_is_refusal (const GError *error)
{
  if (error == NULL || error->domain != KT_ERROR)
    return FALSE;
  switch ((KtError) error->code)
    {
    case KT_ERROR_INVALID:
    case KT_ERROR_LIMIT:
    case KT_ERROR_NOT_FOUND:
    case KT_ERROR_EXISTS:
    case KT_ERROR_FORBIDDEN:
    case KT_ERROR_CONFLICT:
    case KT_ERROR_NEWER:
      return TRUE;
    default:
      return FALSE;
    }
}

/* Whether the machine failed, rather than we. */
static gboolean
is_machine (const GError *error)
{
  if (error->domain != KT_ERROR)
    return TRUE;
  switch ((KtError) error->code)
    {
    case KT_ERROR_BUSY:
    case KT_ERROR_FULL:
    case KT_ERROR_IO:
    case KT_ERROR_NETWORK:
    case KT_ERROR_CORRUPT:
      return TRUE;
    default:
      return FALSE;
    }
}

/* ---- deciding one ---- */

static void
fill_verdict (KtVerdict *verdict, const KtPlan *plan)
{
  *verdict =
    (KtVerdict){ .number = plan->mutation->number, .outcome = plan->outcome, .seq = plan->seq };
  if (plan->message->len > 0)
    verdict->message = g_strdup (plan->message->str);
}

/* *written: the plan was accepted, so an error means that the transaction is lost. */
static gboolean
apply (KtCore *core,
       const KtActor *actor,
       const KtMutation *mutation,
       gint64 *seq,
       KtVerdict *verdict,
       gboolean *written,
       GError **error)
{
  g_autoptr (KtPlan) plan = _kt_plan_new (core, actor, mutation, *seq + 1);

  *written = FALSE;
  if (!_kt_plan_make (plan, error))
    return FALSE;
  *written = TRUE;
  if (!_kt_plan_write (plan, error))
    return FALSE;
  *seq += 1;
  if (verdict != NULL)
    fill_verdict (verdict, plan);
  return TRUE;
}

gboolean
_kt_core_apply (KtCore *core,
                const KtActor *actor,
                const KtMutation *mutation,
                gint64 *seq,
                KtVerdict *verdict,
                GError **error)
{
  gboolean written;

  if (apply (core, actor, mutation, seq, verdict, &written, error))
    return TRUE;
  /* A refusal half way through the writing is none: the caller must roll back. */
  if (written && error != NULL && _kt_is_refusal (*error))
    (*error)->code = KT_ERROR_INTERNAL;
  return FALSE;
}

gboolean
_kt_core_commit (KtCore *core,
                 const KtActor *actor,
                 const KtMutation *mutation,
                 KtVerdict *verdict,
                 GError **error)
{
  gint64 seq;

  if (!_kt_core_begin (core, KT_TX_WRITE, &seq, error))
    return FALSE;
  if (!_kt_core_apply (core, actor, mutation, &seq, verdict, error)
      || !_kt_core_put_seq (core, seq, error))
    {
      kt_db_rollback (core->db);
      return FALSE;
    }
  return kt_db_commit (core->db, error);
}

/* ---- the push as it came ---- */

static void
read_mutation (const KtSchema *schema, Item *item, KtJson *json)
{
  g_clear_pointer (&item->mutation, kt_mutation_free);
  g_clear_error (&item->problem);
  item->mutation = kt_mutation_from_json (schema, json, &item->problem);
}

static Item *
read_item (const KtSchema *schema, KtJson *json)
{
  Item *item = g_new0 (Item, 1);
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize len = DIGEST_BYTES;

  item->number = kt_json_get_int (json, "number", 0);
  item->text = kt_json_to_string (json, TRUE);
  g_checksum_update (checksum, (const guchar *) item->text, -1);
  g_checksum_get_digest (checksum, item->digest, &len);
  read_mutation (schema, item, json);
  return item;
}

static gboolean
check_count (const KtJson *mutations, GError **error)
{
  if (kt_json_length (mutations) <= KT_WIRE_MAX_MUTATIONS)
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "A push may hold at most %d mutations",
               KT_WIRE_MAX_MUTATIONS);
  return FALSE;
}

static gboolean
check_envelope (Push *push, GError **error)
{
  const char *device = kt_json_get_string (push->json, "device", NULL);
  const char *epoch = kt_json_get_string (push->json, "epoch", NULL);
  const KtJson *mutations = push->mutations;
  KtId id;

  /* The bare array: the session says which device it is. */
  if (kt_json_type (push->json) == KT_JSON_ARRAY)
    return check_count (mutations, error);
  if (device == NULL || !kt_id_parse (device, -1, &id))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "A push needs “device”, the id that the sign-in gave");
      return FALSE;
    }
  if (!kt_id_equal (&id, &push->actor->device))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_FORBIDDEN,
                   "This session belongs to another device: sign in again");
      return FALSE;
    }
  if (epoch != NULL && (!kt_id_parse (epoch, -1, &id) || !kt_id_equal (&id, &push->core->epoch)))
    {
      g_set_error (
        error, KT_ERROR, KT_ERROR_EPOCH,
        "The server's database was restored or replaced since this device last asked: pull first");
      return FALSE;
    }
  if (kt_json_type (mutations) != KT_JSON_ARRAY)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "A push needs “mutations”, an array");
      return FALSE;
    }
  return check_count (mutations, error);
}

static gboolean
read_items (Push *push, GError **error)
{
  const KtJson *mutations = push->mutations;

  for (guint i = 0; i < kt_json_length (mutations); i++)
    {
      Item *item = read_item (push->core->schema, kt_json_at (mutations, i));
      Item *before = i > 0 ? push->items->pdata[i - 1] : NULL;

      g_ptr_array_add (push->items, item);
      if (item->number < 1)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "Mutation %u of the push has no number",
                       i + 1);
          return FALSE;
        }
      if (before != NULL && item->number != before->number + 1)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                       "The mutations of a push must be numbered without gaps: %" G_GINT64_FORMAT
                       " comes after %" G_GINT64_FORMAT,
                       item->number, before->number);
          return FALSE;
        }
    }
  return TRUE;
}

/* The schema moved while we waited for the lock. */
static void
read_again (Push *push, guint from)
{
  const KtJson *mutations = push->mutations;

  for (guint i = from; i < push->items->len; i++)
    read_mutation (push->core->schema, push->items->pdata[i], kt_json_at (mutations, i));
}

/* ---- verdicts ---- */

static gboolean
store_verdict (Push *push, const Item *item, const KtVerdict *verdict, GError **error)
{
  return kt_db_run (push->core->db, error,
                    "INSERT INTO kt_verdict (device, number, outcome, seq, code, message, digest)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    KT_BIND_ID, &push->actor->device, KT_BIND_INT, verdict->number, KT_BIND_TEXT,
                    kt_outcome_word (verdict->outcome), KT_BIND_INT, verdict->seq, KT_BIND_TEXT,
                    verdict->code, KT_BIND_TEXT, verdict->message, KT_BIND_BLOB, item->digest,
                    (gsize) DIGEST_BYTES, KT_BIND_END)
         >= 0;
}

/* The verdict of a number that was decided before. */
static gboolean
load_verdict (Push *push, const Item *item, KtVerdict *verdict, GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (push->core->db,
                                    "SELECT outcome, seq, code, message, digest FROM kt_verdict"
                                    " WHERE device = ?1 AND number = ?2",
                                    error);
  const void *digest;
  gsize len = 0;
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &push->actor->device);
  kt_stmt_bind_int (stmt, 2, item->number);
  step = kt_stmt_step (stmt, error);
  if (step == KT_STEP_ERROR)
    return FALSE;
  digest = step == KT_STEP_ROW ? kt_stmt_blob (stmt, 4, &len) : NULL;
  if (step == KT_STEP_DONE || len != DIGEST_BYTES
      || memcmp (digest, item->digest, DIGEST_BYTES) != 0)
    {
      /* Answering with the old verdict would lose this mutation in silence. */
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                   "Number %" G_GINT64_FORMAT " of this device was used for another change: "
                   "the profile is a copy; sign in as a new device",
                   item->number);
      return FALSE;
    }
  *verdict = (KtVerdict){ .number = item->number, .seq = kt_stmt_int (stmt, 1) };
  kt_outcome_from_word (kt_stmt_text (stmt, 0), &verdict->outcome);
  verdict->code = g_strdup (kt_stmt_text (stmt, 2));
  verdict->message = g_strdup (kt_stmt_text (stmt, 3));
  return TRUE;
}

/* ---- refusals ---- */

/* What cannot be read is kept as it came (P2). */
static gboolean
write_poison (Push *push, const Item *item, gint64 seq, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char now[KT_TIME_SIZE];

  _kt_core_now (push->core, now);
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "raw", item->text);
  kt_json_end_object (&writer);
  return kt_db_run (
           push->core->db, error,
           "INSERT INTO kt_ledger (seq, idx, at, user_id, device, number, kind, effect, outcome, changes)"
           " VALUES (?1, 0, ?2, ?3, ?4, ?5, 'poison', 0, 'refused', ?6)",
           KT_BIND_INT, seq, KT_BIND_TEXT, now, KT_BIND_ID, &push->actor->access.user, KT_BIND_ID,
           &push->actor->device, KT_BIND_INT, item->number, KT_BIND_TEXT, text->str, KT_BIND_END)
         >= 0;
}

static gboolean
refuse (Push *push,
        const Item *item,
        const GError *why,
        gint64 *seq,
        KtVerdict *verdict,
        GError **error)
{
  gboolean written;

  if (item->mutation != NULL)
    {
      g_autoptr (KtPlan) plan = _kt_plan_new (push->core, push->actor, item->mutation, *seq + 1);

      written = _kt_plan_write_refused (plan, error);
    }
  else
    written = write_poison (push, item, *seq + 1, error);
  if (!written)
    return FALSE;
  *seq += 1;
  *verdict = (KtVerdict){ .number = item->number, .outcome = KT_OUTCOME_REFUSED, .seq = *seq };
  verdict->code =
    g_strdup (kt_error_word (why->domain == KT_ERROR ? (KtError) why->code : KT_ERROR_INTERNAL));
  verdict->message =
    g_strdup (_kt_machine_words (why) != NULL ? _kt_machine_words (why) : why->message);
  return TRUE;
}

/* ---- a transaction's worth ---- */

static gboolean
decide (Push *push, const Item *item, gint64 *seq, KtVerdict *verdict, GError **error)
{
  g_autoptr (GError) why = NULL;
  gboolean written = FALSE;

  if (item->mutation == NULL)
    return refuse (push, item, item->problem, seq, verdict, error);
  if (apply (push->core, push->actor, item->mutation, seq, verdict, &written, &why))
    return TRUE;
  if (!written && _kt_is_refusal (why))
    return refuse (push, item, why, seq, verdict, error);
  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

static gboolean
begin_chunk (Push *push, guint from, gint64 *seq, gint64 *last, GError **error)
{
  const KtSchema *schema = push->core->schema;

  if (!_kt_core_begin (push->core, KT_TX_WRITE, seq, error))
    return FALSE;
  if (push->core->schema != schema)
    read_again (push, from);
  if (kt_db_get_int (push->core->db, -1, last, error,
                     "SELECT last_number FROM kt_device WHERE id = ?1", KT_BIND_ID,
                     &push->actor->device, KT_BIND_END)
      && *last >= 0)
    return TRUE;
  if (error != NULL && *error == NULL)
    g_set_error (error, KT_ERROR, KT_ERROR_AUTH,
                 "This device is not known any more: sign in again");
  kt_db_rollback (push->core->db);
  return FALSE;
}

static gboolean
end_chunk (Push *push, gint64 seq, gint64 last, GError **error)
{
  char now[KT_TIME_SIZE];

  _kt_core_now (push->core, now);
  if (_kt_core_put_seq (push->core, seq, error)
      && kt_db_run (push->core->db, error,
                    "UPDATE kt_device SET last_number = ?1, seen_at = ?2 WHERE id = ?3",
                    KT_BIND_INT, last, KT_BIND_TEXT, now, KT_BIND_ID, &push->actor->device,
                    KT_BIND_END)
           >= 0)
    return kt_db_commit (push->core->db, error);
  kt_db_rollback (push->core->db);
  return FALSE;
}

static gboolean
decide_next (Push *push,
             const Item *item,
             gint64 *seq,
             gint64 *last,
             KtVerdict *verdict,
             GError **error)
{
  if (item->number <= *last)
    return load_verdict (push, item, verdict, error);
  if (item->number > *last + 1)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                   "Number %" G_GINT64_FORMAT " does not follow %" G_GINT64_FORMAT
                   ", the last that the server has of this device",
                   item->number, *last);
      return FALSE;
    }
  if (!decide (push, item, seq, verdict, error) || !store_verdict (push, item, verdict, error))
    return FALSE;
  *last = item->number;
  return TRUE;
}

/* Decides items from @from on, @max at most, in one transaction; *done: how many. Nothing of it stands on FALSE. */
static gboolean
decide_chunk (Push *push, guint from, guint max, guint *done, GError **error)
{
  g_autoptr (GArray) verdicts = g_array_new (FALSE, TRUE, sizeof (KtVerdict));
  gint64 seq, last, first_last;
  guint ops = 0, n = 0;

  g_array_set_clear_func (verdicts, (GDestroyNotify) kt_verdict_clear);
  if (!begin_chunk (push, from, &seq, &last, error))
    return FALSE;
  first_last = push->last = last;
  for (; from + n < push->items->len && n < max && (n == 0 || ops < CHUNK_OPS); n++)
    {
      const Item *item = push->items->pdata[from + n];
      KtVerdict verdict = { 0 };

      if (!decide_next (push, item, &seq, &last, &verdict, error))
        {
          kt_verdict_clear (&verdict);
          kt_db_rollback (push->core->db);
          return FALSE;
        }
      g_array_append_val (verdicts, verdict);
      ops += item->mutation != NULL ? item->mutation->ops->len : 1;
    }
  if (last == first_last)
    kt_db_rollback (push->core->db); /* nothing but repeats */
  else if (!end_chunk (push, seq, last, error))
    return FALSE;
  push->seq = seq;
  push->last = last;
  g_array_append_vals (push->verdicts, verdicts->data, verdicts->len);
  g_array_set_clear_func (verdicts, NULL);
  *done = n;
  return TRUE;
}

/* A mutation that failed while it was written: refused, with what went wrong. */
static gboolean
refuse_alone (Push *push, guint at, const GError *why, GError **error)
{
  const Item *item = push->items->pdata[at];
  KtVerdict verdict = { 0 };
  gint64 seq, last;

  if (!begin_chunk (push, at, &seq, &last, error))
    return FALSE;
  if (item->number != last + 1 || !refuse (push, item, why, &seq, &verdict, error)
      || !store_verdict (push, item, &verdict, error))
    {
      kt_verdict_clear (&verdict);
      kt_db_rollback (push->core->db);
      if (error != NULL && *error == NULL)
        g_set_error (error, KT_ERROR, KT_ERROR_BUSY, "The device pushes twice at once: try again");
      return FALSE;
    }
  if (!end_chunk (push, seq, item->number, error))
    {
      kt_verdict_clear (&verdict);
      return FALSE;
    }
  push->seq = seq;
  push->last = item->number;
  g_array_append_val (push->verdicts, verdict);
  return TRUE;
}

static gboolean
decide_all (Push *push, GError **error)
{
  guint at = 0, max = CHUNK_MUTATIONS;

  while (at < push->items->len)
    {
      g_autoptr (GError) why = NULL;
      guint done = 1;

      if (!decide_chunk (push, at, max, &done, &why))
        {
          /* CONFLICT: a gap or a copied device, which is nothing to try again. */
          if (is_machine (why) || g_error_matches (why, KT_ERROR, KT_ERROR_CONFLICT)
              || g_error_matches (why, KT_ERROR, KT_ERROR_AUTH))
            {
              g_propagate_error (error, g_steal_pointer (&why));
              return FALSE;
            }
          if (max > 1)
            {
              max = 1;
              continue;
            }
          g_warning ("mutation refused for a fault of ours: %s", why->message);
          if (!refuse_alone (push, at, why, error))
            return FALSE;
        }
      at += done;
    }
  return TRUE;
}

/* ---- request ---- */

/* Errors of a push say where the device stands, so that it can tell a lost reply from a lost life. */
static KtReply *
push_error (const Push *push, const GError *error)
{
  g_autoptr (KtReply) plain = _kt_reply_error (error);
  GString *text;
  char epoch[KT_ID_TEXT_SIZE];

  if (plain->status != 409 && plain->status != 410)
    return g_steal_pointer (&plain);
  text = g_string_new (NULL);

  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_id_format (&push->core->epoch, epoch);
  kt_json_begin_object (&writer);
  kt_json_key (&writer, "error");
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "code", kt_error_word ((KtError) error->code));
  kt_json_put_string (&writer, "message", error->message);
  kt_json_put_string (&writer, "epoch", epoch);
  kt_json_put_int (&writer, "last_number", push->last);
  kt_json_end_object (&writer);
  kt_json_end_object (&writer);
  return _kt_reply_json (plain->status, text);
}

static KtReply *
verdicts_reply (const Push *push)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_key (&writer, "verdicts");
  kt_json_begin_array (&writer);
  for (guint i = 0; i < push->verdicts->len; i++)
    kt_verdict_to_json (&g_array_index (push->verdicts, KtVerdict, i), &writer);
  kt_json_end_array (&writer);
  kt_json_put_int (&writer, "seq", push->seq);
  kt_json_put_int (&writer, "last_number", push->last);
  kt_json_put_string (&writer, "schema", kt_schema_digest (push->core->schema));
  kt_json_end_object (&writer);
  return _kt_reply_json (200, text);
}

static gboolean
read_position (Push *push, GError **error)
{
  if (!_kt_core_begin (push->core, KT_TX_READ, &push->seq, error))
    return FALSE;
  if (!kt_db_get_int (push->core->db, 0, &push->last, error,
                      "SELECT last_number FROM kt_device WHERE id = ?1", KT_BIND_ID,
                      &push->actor->device, KT_BIND_END))
    {
      kt_db_rollback (push->core->db);
      return FALSE;
    }
  kt_db_rollback (push->core->db);
  return TRUE;
}

KtReply *
_kt_core_push (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_auto (Push) push = { .core = core, .actor = actor };
  g_autoptr (GError) error = NULL;
  gsize len = 0;
  const char *text = request->body != NULL ? g_bytes_get_data (request->body, &len) : NULL;

  push.items = g_ptr_array_new_with_free_func (item_free);
  push.verdicts = g_array_new (FALSE, TRUE, sizeof (KtVerdict));
  g_array_set_clear_func (push.verdicts, (GDestroyNotify) kt_verdict_clear);
  if (text == NULL)
    {
      g_set_error (&error, KT_ERROR, KT_ERROR_INVALID, "A push needs a body");
      return _kt_reply_error (error);
    }
  push.json = kt_json_parse (text, (gssize) len, &error);
  push.mutations =
    kt_json_type (push.json) == KT_JSON_ARRAY ? push.json : kt_json_get (push.json, "mutations");
  if (push.json == NULL || !read_position (&push, &error) || !check_envelope (&push, &error)
      || !read_items (&push, &error))
    return push_error (&push, error);
  /* What is decided stands, and is told; the rest is sent again. */
  if (!decide_all (&push, &error) && push.verdicts->len == 0)
    return push_error (&push, error);
  return verdicts_reply (&push);
}
