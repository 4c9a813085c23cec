/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Deciding mutations.
 *
 *   number == last + 1   id is new: planned, written, verdict stored; last = number     all in one transaction (S2)
 *                        id was decided before, under another name: its verdict, and no effect (P3, P11)
 *   number <= last       the stored verdict again, if it is the same mutation (S3); else the profile is a copy
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
#include "kt-scope.h"

#define CHUNK_MUTATIONS 250
#define CHUNK_OPS 2000

/* One element of the push. */
typedef struct
{
  KtMutation *mutation; /* NULL: it cannot be read, problem says why */
  GError *problem;
  const KtJson *json;
  KtId id; /* nil: it has none that can be read */
  gint64 number;
  guint8 digest[KT_MUTATION_DIGEST_BYTES];
} Item;

typedef struct
{
  KtCore *core;
  const KtActor *actor;
  KtPush message;
  GPtrArray *items; /* Item */
  GArray *verdicts; /* KtVerdict */
  gint64 seq;       /* after the last commit of this push */
  gint64 last;      /* the device's last number, as of that */
  gboolean copied;  /* a number was used for another mutation */
} Push;

static void
item_free (gpointer data)
{
  Item *item = data;

  g_clear_pointer (&item->mutation, kt_mutation_free);
  g_clear_error (&item->problem);
  g_free (item);
}

static void
push_clear (Push *push)
{
  g_clear_pointer (&push->items, g_ptr_array_unref);
  g_clear_pointer (&push->verdicts, g_array_unref);
  kt_push_clear (&push->message);
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
read_mutation (const KtSchema *schema, Item *item)
{
  g_clear_pointer (&item->mutation, kt_mutation_free);
  g_clear_error (&item->problem);
  item->mutation = kt_mutation_from_json (schema, item->json, &item->problem);
}

static Item *
read_item (const KtSchema *schema, const KtJson *json)
{
  Item *item = g_new0 (Item, 1);

  item->json = json;
  item->number = kt_json_get_int (json, "number", 0);
  if (!kt_id_parse (kt_json_get_string (json, "id", ""), -1, &item->id))
    item->id = KT_ID_NIL;
  kt_mutation_digest (json, item->digest);
  read_mutation (schema, item);
  return item;
}

static gboolean
check_envelope (const Push *push, GError **error)
{
  if (!kt_id_equal (&push->message.device, &push->actor->device))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_FORBIDDEN,
                   "This session belongs to another device: sign in again");
      return FALSE;
    }
  if (!kt_id_equal (&push->message.epoch, &push->core->epoch))
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_EPOCH, "Another life");
      return FALSE;
    }
  return TRUE;
}

static gboolean
read_items (Push *push, GError **error)
{
  const KtJson *mutations = push->message.mutations;

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
  for (guint i = from; i < push->items->len; i++)
    read_mutation (push->core->schema, push->items->pdata[i]);
}

/* ---- verdicts ---- */

/* @again: the mutation was decided before, under another name. */
static gboolean
store_verdict (Push *push, const Item *item, const KtVerdict *verdict, gboolean again, GError **error)
{
  return kt_db_run (
           push->core->db, error,
           "INSERT INTO kt_verdict (device, number, outcome, seq, code, message, digest, id, again)"
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
           KT_BIND_ID, &push->actor->device, KT_BIND_INT, verdict->number, KT_BIND_TEXT,
           kt_outcome_word (verdict->outcome), KT_BIND_INT, verdict->seq, KT_BIND_TEXT,
           verdict->code, KT_BIND_TEXT, verdict->message, KT_BIND_BLOB, item->digest,
           (gsize) KT_MUTATION_DIGEST_BYTES, KT_BIND_ID,
           kt_id_is_nil (&item->id) ? NULL : &item->id, KT_BIND_INT, (gint64) again, KT_BIND_END)
         >= 0;
}

/* What was decided before. */
typedef struct
{
  gboolean found;
  gboolean same; /* it said the same */
  KtId id;
} Before;

#define VERDICT_COLUMNS "outcome, seq, code, message, digest, id"

static gboolean
read_verdict (KtStmt *stmt, const Item *item, Before *before, KtVerdict *verdict, GError **error)
{
  KtStep step = kt_stmt_step (stmt, error);
  const void *digest;
  gsize len = 0;

  *before = (Before){ .found = step == KT_STEP_ROW };
  if (step != KT_STEP_ROW)
    return step == KT_STEP_DONE;
  digest = kt_stmt_blob (stmt, 4, &len);
  before->same = len == KT_MUTATION_DIGEST_BYTES
                 && memcmp (digest, item->digest, KT_MUTATION_DIGEST_BYTES) == 0;
  if (!kt_stmt_id (stmt, 5, &before->id))
    before->id = KT_ID_NIL;
  *verdict = (KtVerdict){ .number = item->number, .seq = kt_stmt_int (stmt, 1) };
  kt_outcome_from_word (kt_stmt_text (stmt, 0), &verdict->outcome);
  verdict->code = g_strdup (kt_stmt_text (stmt, 2));
  verdict->message = g_strdup (kt_stmt_text (stmt, 3));
  return TRUE;
}

/* The verdict of a number that was decided before. */
static gboolean
load_verdict (Push *push, const Item *item, KtVerdict *verdict, GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (push->core->db,
                "SELECT " VERDICT_COLUMNS " FROM kt_verdict WHERE device = ?1 AND number = ?2",
                error);
  Before before;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &push->actor->device);
  kt_stmt_bind_int (stmt, 2, item->number);
  if (!read_verdict (stmt, item, &before, verdict, error))
    return FALSE;
  if (before.found && before.same && kt_id_equal (&before.id, &item->id))
    return TRUE;
  /* Answering with the old verdict would lose this mutation in silence. */
  push->copied = TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
               "Number %" G_GINT64_FORMAT " of this device was used for another change: "
               "the profile is a copy and needs a device of its own",
               item->number);
  return FALSE;
}

/* The verdict of the same action under another number or device, if there is one. */
static gboolean
find_verdict (Push *push, const Item *item, Before *before, KtVerdict *verdict, GError **error)
{
  KT_STMT_SCOPE *stmt = NULL;

  *before = (Before){ 0 };
  if (kt_id_is_nil (&item->id))
    return TRUE;
  stmt = kt_db_stmt (push->core->db,
                     "SELECT " VERDICT_COLUMNS " FROM kt_verdict WHERE id = ?1 AND again = 0",
                     error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, &item->id);
  return read_verdict (stmt, item, before, verdict, error);
}

/* ---- refusals ---- */

/* What cannot be read is kept as it came (P2). */
static gboolean
write_poison (Push *push, const Item *item, gint64 seq, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *raw = kt_json_to_string (item->json, TRUE);
  KtJsonWriter writer = KT_JSON_WRITER (text);
  char now[KT_TIME_SIZE];

  _kt_core_now (push->core, now);
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "raw", raw);
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

/* Somebody used the id of a mutation for another one. */
static GError *
other_content (const Push *push)
{
  gboolean chinese = push->actor->locale != NULL && g_str_has_prefix (push->actor->locale, "zh");

  return g_error_new_literal (
    KT_ERROR, KT_ERROR_INVALID,
    chinese ? "此更改已由本配置的另一份副本以不同的内容发送，并已作出决定：请核对后重试或放弃"
            : "This change was sent before with another content, by another copy of this profile, and "
              "decided: compare, then try again or discard");
}

/* Exactly once, whatever it is called this time (P3). */
static gboolean
decide_once (Push *push, const Item *item, gint64 *seq, KtVerdict *verdict, GError **error)
{
  Before before;

  if (!find_verdict (push, item, &before, verdict, error))
    return FALSE;
  if (before.found && !before.same)
    {
      g_autoptr (GError) why = other_content (push);

      kt_verdict_clear (verdict);
      if (!refuse (push, item, why, seq, verdict, error))
        return FALSE;
    }
  else if (!before.found && !decide (push, item, seq, verdict, error))
    return FALSE;
  return store_verdict (push, item, verdict, before.found, error);
}

static gboolean
begin_chunk (Push *push, guint from, gint64 *seq, gint64 *last, GError **error)
{
  const KtSchema *schema = push->core->schema;

  if (!_kt_core_begin (push->core, KT_TX_WRITE, seq, error))
    return FALSE;
  if (push->core->schema != schema)
    read_again (push, from);
  /* Roles may have changed since the session was looked up. */
  if (!_kt_actor_follow (push->core, push->actor, error))
    {
      kt_db_rollback (push->core->db);
      return FALSE;
    }
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
  if (!decide_once (push, item, seq, verdict, error))
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
      || !store_verdict (push, item, &verdict, FALSE, error))
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

/* Inside a transaction, but for 409: errors of a push say where the device stands, so that it can tell a lost
 * reply from a lost life. */
static KtReply *
push_error (const Push *push, const GError *error)
{
  KtStanding standing = { .epoch = push->core->epoch,
                          .last_number = push->last,
                          .common = -1,
                          .copied = push->copied };

  if (g_error_matches (error, KT_ERROR, KT_ERROR_EPOCH))
    return _kt_core_gone (push->core, push->actor, &push->message.epoch);
  if (g_error_matches (error, KT_ERROR, KT_ERROR_CONFLICT))
    return kt_standing_reply (error, &standing);
  return _kt_reply_error (error);
}

/* Where the device stands, and whether the push is one of its own and of this life. NULL: go on. */
static KtReply *
look_first (Push *push)
{
  g_auto (KtStanding) standing = { 0 };
  g_autoptr (GError) error = NULL;
  KtReply *reply = NULL;

  if (!_kt_core_begin (push->core, KT_TX_READ, &push->seq, &error))
    return _kt_reply_error (error);
  if (!_kt_core_standing (push->core, push->actor, NULL, &standing, &error)
      || !check_envelope (push, &error))
    reply = push_error (push, error);
  push->last = standing.last_number;
  kt_db_rollback (push->core->db);
  return reply;
}

KtReply *
_kt_core_push (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_auto (Push) push = { .core = core, .actor = actor };
  g_autoptr (GError) error = NULL;
  gsize len = 0;
  const char *text = request->body != NULL ? g_bytes_get_data (request->body, &len) : NULL;
  KtReply *reply;

  push.items = g_ptr_array_new_with_free_func (item_free);
  push.verdicts = g_array_new (FALSE, TRUE, sizeof (KtVerdict));
  g_array_set_clear_func (push.verdicts, (GDestroyNotify) kt_verdict_clear);
  if (!kt_push_read (text, len, &push.message, &error))
    return _kt_reply_error (error);
  reply = look_first (&push);
  if (reply != NULL)
    return reply;
  /* What is decided stands, and is told; the rest is sent again. */
  if (!read_items (&push, &error) || (!decide_all (&push, &error) && push.verdicts->len == 0))
    return push_error (&push, error);
  return _kt_reply_json (
    200, kt_push_answer_write (push.verdicts, push.seq, push.last, kt_schema_digest (core->schema)));
}
