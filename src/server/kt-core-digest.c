/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whether a device holds what the server holds (P4), and where it does not (docs/decisions/repair.md).
 *
 *                         the user may read all of the object      the user may read some
 *   /v1/digest            the sums that are kept (kt_digest)       summed up from the records
 *   /v1/digest?fresh=1    summed up from the records               the same
 *
 * Records are summed up as they are read, without making a record of each: a million in about a second. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-scope.h"

#include <string.h>

#include "base/kt-error.h"
#include "db/kt-scan.h"
#include "db/kt-table.h"

#define MAX_ROWS 1000 /* ids of one POST /v1/rows */

/* ---- summing up ---- */

#define SEEN_AT_ONCE 5000

typedef struct
{
  KtId id;
  KtDigest digest;
} Leaf;

/* A branch being summed up. */
typedef struct
{
  const KtObject *object;
  const KtDigestForm *form; /* during a scan */
  const KtDigestBranch *branch;
  KtDigest all;
  KtDigest *children; /* NULL: only the sum is wanted */
  GArray *leaves;     /* Leaf, until there are too many; NULL: not wanted */
} Sum;

static void
sum_one (Sum *sum, const KtId *id, const KtDigest *one)
{
  kt_digest_join (&sum->all, one);
  if (sum->children != NULL)
    kt_digest_join (&sum->children[kt_digest_branch_child (sum->branch, id)], one);
  if (sum->leaves == NULL)
    return;
  if (sum->leaves->len >= KT_DIGEST_LEAVES && sum->branch->n < KT_DIGEST_MAX_UNDER)
    g_clear_pointer (&sum->leaves, g_array_unref);
  else
    {
      Leaf leaf = { *id, *one };

      g_array_append_val (sum->leaves, leaf);
    }
}

static void
sum_cells (const KtCell *cells, gpointer data)
{
  Sum *sum = data;
  KtDigest one;
  KtId id = KT_ID_NIL;

  if (cells[0].type == KT_CELL_BLOB && cells[0].len == sizeof id.b)
    memcpy (id.b, cells[0].v.bytes, sizeof id.b);
  kt_digest_cells (sum->form, cells, &one);
  sum_one (sum, &id, &one);
}

static gboolean
sum_whole (KtCore *core, Sum *sum, GError **error)
{
  KtSqlContext context = { .env = core->env };
  g_autoptr (KtSql) sql = kt_sql_new (core->db, &context);
  g_autoptr (KtDigestForm) form = kt_digest_form_new (sum->object);

  sum->form = form;
  kt_sql_append_scan (sql, sum->object, "o");
  kt_sql_append (sql, "1=1");
  return kt_sql_scan (sql, sum->object, "o", sum->branch->bytes, sum->branch->n, sum_cells, sum, error);
}

typedef struct
{
  const KtActor *actor;
  Sum *sum;
} Seen;

static gboolean
sum_row (KtStmt *stmt, gpointer data)
{
  Seen *seen = data;
  g_autoptr (KtRecord) record = NULL;
  KtDigest one;
  KtId id;

  if (!kt_stmt_id (stmt, 1, &id) || !kt_digest_branch_has (seen->sum->branch, &id))
    return TRUE;
  record = kt_table_read (stmt, 0, seen->sum->object);
  kt_access_cut (&seen->actor->access, record);
  kt_digest_of (record, &one);
  sum_one (seen->sum, &id, &one);
  return TRUE;
}

/* Record by record, as the user sees them. */
static gboolean
sum_seen (KtCore *core, const KtActor *actor, Sum *sum, GError **error)
{
  Seen seen = { actor, sum };
  gint64 after = 0;

  for (;;)
    {
      g_autoptr (GArray) rids = _kt_scope_rids (core, _kt_actor_subscriptions (core, actor),
                                                sum->object, after, SEEN_AT_ONCE, error);

      if (rids == NULL || !_kt_scope_load (core, sum->object, rids, sum_row, &seen, error))
        return FALSE;
      if (rids->len < SEEN_AT_ONCE)
        return TRUE;
      after = g_array_index (rids, gint64, rids->len - 1);
    }
}

/* What the user may read of the branch. *whole: that is all of it. */
static gboolean
sum_up (KtCore *core, const KtActor *actor, Sum *sum, gboolean *whole, GError **error)
{
  gboolean all = _kt_scope_whole (core, actor, sum->object);

  if (whole != NULL)
    *whole = all;
  return all ? sum_whole (core, sum, error) : sum_seen (core, actor, sum, error);
}

static gboolean
may_read_all (KtCore *core,
              const KtActor *actor,
              const KtObject *object,
              gboolean *whole,
              GError **error)
{
  *whole = _kt_scope_whole (core, actor, object);
  return TRUE;
}

/* ---- what is kept ---- */

static gboolean
sum_children (KtCore *core,
              const KtObject *object,
              KtDigest children[KT_DIGEST_CHILDREN],
              KtDigest *all,
              GError **error)
{
  static const KtDigestBranch top = { 0, { 0 } };
  Sum sum = { object, NULL, &top, { 0, 0, 0 }, children, NULL };

  memset (children, 0, KT_DIGEST_CHILDREN * sizeof *children);
  if (!sum_whole (core, &sum, error))
    return FALSE;
  *all = sum.all;
  return TRUE;
}

gboolean
_kt_core_resum (KtCore *core, const KtObject *object, GError **error)
{
  g_autofree KtDigest *children = g_new (KtDigest, KT_DIGEST_CHILDREN);
  KtDigest all;

  return sum_children (core, object, children, &all, error)
         && kt_sums_replace (core->db, object->number, children, error);
}

gboolean
_kt_core_resum_changed (KtCore *core,
                        const KtSchema *before,
                        const KtSchema *after,
                        GError **error)
{
  const KtObject *const *objects;
  guint n;

  objects = kt_schema_objects (after, &n);
  for (guint i = 0; i < n; i++)
    {
      const KtObject *old = before != NULL ? kt_schema_object_by_number (before, objects[i]->number) : NULL;

      if ((old == NULL || !kt_digest_same_form (old, objects[i]))
          && !_kt_core_resum (core, objects[i], error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kt_core_check_sums (KtCore *core, const KtObject *object, gboolean *right, GError **error)
{
  g_autofree KtDigest *children = g_new (KtDigest, KT_DIGEST_CHILDREN);
  g_autofree KtDigest *kept = g_new (KtDigest, KT_DIGEST_CHILDREN);
  KtDigest all, kept_all;

  if (!sum_children (core, object, children, &all, error)
      || !kt_sums_children (core->db, object->number, kept, error)
      || !kt_sums_read (core->db, object->number, &kept_all, error))
    return FALSE;
  *right = kt_digest_equal (&all, &kept_all);
  for (guint i = 0; i < KT_DIGEST_CHILDREN; i++)
    *right = *right && kt_digest_equal (&children[i], &kept[i]);
  return TRUE;
}

/* Sums that are not those of the records, put right. Outside a transaction; that it cannot be done now is no harm. */
void
_kt_core_mend_sums (KtCore *core)
{
  g_autoptr (GError) error = NULL;
  gboolean done;
  gint64 seq;

  if (!core->sums_wrong)
    return;
  core->sums_wrong = FALSE;
  done = _kt_core_begin (core, KT_TX_WRITE, &seq, &error);
  for (const KtObject **object = core->order; done && *object != NULL; object++)
    {
      gboolean right;

      done = _kt_core_check_sums (core, *object, &right, &error);
      if (done && !right)
        {
          g_message ("The sums kept of “%s” were not those of its records and are put right",
                     (*object)->name);
          done = _kt_core_resum (core, *object, &error);
        }
    }
  if (done)
    done = kt_db_commit (core->db, &error);
  else
    kt_db_rollback (core->db);
  if (!done)
    g_message ("Kept sums could not be put right: %s", error->message);
}

/* ---- GET /v1/digest ---- */

static void
put_digest (KtJsonWriter *writer, const KtDigest *digest)
{
  g_autofree char *text = kt_digest_string (digest);

  kt_json_put_int (writer, "records", (gint64) digest->records);
  kt_json_put_string (writer, "digest", text);
}

static gboolean
digest_object (KtCore *core,
               const KtActor *actor,
               const KtObject *object,
               gboolean fresh,
               KtDigest *out,
               GError **error)
{
  static const KtDigestBranch top = { 0, { 0 } };
  Sum sum = { object, NULL, &top, { 0, 0, 0 }, NULL, NULL };
  KtDigest kept = { 0, 0, 0 };
  gboolean whole;

  if (!may_read_all (core, actor, object, &whole, error)
      || (whole && !kt_sums_read (core->db, object->number, &kept, error)))
    return FALSE;
  if (!whole || fresh)
    {
      if (!sum_up (core, actor, &sum, NULL, error))
        return FALSE;
      if (whole && !kt_digest_equal (&kept, &sum.all))
        core->sums_wrong = TRUE;
      *out = sum.all;
    }
  else
    *out = kept;
  return TRUE;
}

static KtReply *
digest_objects (KtCore *core,
                const KtActor *actor,
                const KtObject *only,
                gboolean fresh,
                gint64 seq,
                GError **error)
{
  g_autoptr (GString) objects = g_string_new (NULL);
  KtJsonWriter inner = KT_JSON_WRITER (objects);
  KtDigest all = { 0, 0, 0 };
  GString *text;

  kt_json_begin_object (&inner);
  for (const KtObject **object = core->order; *object != NULL; object++)
    {
      KtDigest digest;

      if (only != NULL && only != *object)
        continue;
      if (!digest_object (core, actor, *object, fresh, &digest, error))
        return NULL;
      if (digest.records == 0 && only == NULL)
        continue;
      kt_json_key (&inner, (*object)->name);
      kt_json_begin_object (&inner);
      put_digest (&inner, &digest);
      kt_json_end_object (&inner);
      kt_digest_join (&all, &digest);
    }
  kt_json_end_object (&inner);

  text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  put_digest (&writer, &all);
  kt_json_put_int (&writer, "seq", seq);
  kt_json_put_string (&writer, "schema", kt_schema_digest (core->schema));
  kt_json_put_raw (&writer, "objects", objects->str);
  kt_json_end_object (&writer);
  return _kt_reply_json (200, text);
}

static void
put_leaves (KtJsonWriter *writer, const GArray *leaves)
{
  kt_json_key (writer, "leaves");
  kt_json_begin_array (writer);
  for (guint i = 0; i < leaves->len; i++)
    {
      const Leaf *leaf = &g_array_index (leaves, Leaf, i);
      char id[KT_ID_TEXT_SIZE], hex[KT_DIGEST_HEX_SIZE];

      kt_id_format (&leaf->id, id);
      kt_digest_hex (&leaf->digest, hex);
      kt_json_begin_array (writer);
      kt_json_add_string (writer, id);
      kt_json_add_string (writer, hex);
      kt_json_end_array (writer);
    }
  kt_json_end_array (writer);
}

static void
put_children (KtJsonWriter *writer, const KtDigest children[KT_DIGEST_CHILDREN])
{
  kt_json_key (writer, "children");
  kt_json_begin_object (writer);
  for (guint i = 0; i < KT_DIGEST_CHILDREN; i++)
    {
      g_autofree char *text = NULL;
      char name[3];

      if (children[i].records == 0)
        continue;
      text = kt_digest_string (&children[i]);
      g_snprintf (name, sizeof name, "%02x", i);
      kt_json_put_string (writer, name, text);
    }
  kt_json_end_object (writer);
}

static KtReply *
digest_branch (KtCore *core,
               const KtActor *actor,
               const KtObject *object,
               const KtDigestBranch *branch,
               gint64 seq,
               GError **error)
{
  g_autofree KtDigest *children = g_new0 (KtDigest, KT_DIGEST_CHILDREN);
  Sum sum = { object, NULL, branch, { 0, 0, 0 }, children, g_array_new (FALSE, FALSE, sizeof (Leaf)) };
  char name[2 * KT_DIGEST_MAX_UNDER + 1];
  GString *text;

  if (!sum_up (core, actor, &sum, NULL, error))
    {
      g_clear_pointer (&sum.leaves, g_array_unref);
      return NULL;
    }
  kt_digest_branch_format (branch, name);
  text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "object", object->name);
  kt_json_put_string (&writer, "under", name);
  put_digest (&writer, &sum.all);
  kt_json_put_int (&writer, "seq", seq);
  kt_json_put_string (&writer, "schema", kt_schema_digest (core->schema));
  if (sum.leaves != NULL)
    put_leaves (&writer, sum.leaves);
  else
    put_children (&writer, children);
  kt_json_end_object (&writer);
  g_clear_pointer (&sum.leaves, g_array_unref);
  return _kt_reply_json (200, text);
}

/* An object that a pull sends. */
static const KtObject *
find_object (KtCore *core, const char *name, GError **error)
{
  const KtObject *object = kt_schema_object (core->schema, name);

  if (object == NULL || object->sync == KT_SYNC_DEMAND)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no object “%s” that is synced", name);
      return NULL;
    }
  return object;
}

static KtReply *
answer_digest (KtCore *core, const KtActor *actor, const KtRequest *request, GError **error)
{
  g_autofree char *name = kt_request_get_query (request, "object");
  g_autofree char *under = kt_request_get_query (request, "under");
  const KtObject *object = NULL;
  KtDigestBranch branch;
  gint64 seq, fresh;

  if (name != NULL && (object = find_object (core, name, error)) == NULL)
    return NULL;
  if (!_kt_query_int (request, "fresh", 0, 0, 1, &fresh, error)
      || !kt_db_get_int (core->db, 0, &seq, error, "SELECT number FROM kt_meta WHERE key = 'seq'",
                         KT_BIND_END))
    return NULL;
  if (under == NULL)
    return digest_objects (core, actor, object, fresh != 0, seq, error);
  if (object == NULL || !kt_digest_branch_parse (under, &branch))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   object == NULL
                     ? "“under” needs an “object” beside it"
                     : "“under” is not the lower-case hex of at most %d last bytes of an id",
                   KT_DIGEST_MAX_UNDER);
      return NULL;
    }
  return digest_branch (core, actor, object, &branch, seq, error);
}

KtReply *
_kt_core_digest (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_autoptr (GError) error = NULL;
  KtReply *reply;
  KtId theirs;
  gboolean told;

  if (!_kt_core_query_epoch (request, &theirs, &told, &error))
    return _kt_reply_error (error);
  if (told && !kt_id_equal (&theirs, &core->epoch))
    return _kt_core_gone (core, actor, &theirs);
  reply = answer_digest (core, actor, request, &error);
  return reply != NULL ? reply : _kt_reply_error (error);
}

/* ---- POST /v1/rows ---- */

static GArray *
read_ids (const KtJson *list, GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (KtId));

  if (kt_json_type (list) != KT_JSON_ARRAY || kt_json_length (list) == 0
      || kt_json_length (list) > MAX_ROWS)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“ids” must be a list of 1 to %d ids", MAX_ROWS);
      return NULL;
    }
  for (guint i = 0; i < kt_json_length (list); i++)
    {
      const char *text = kt_json_string (kt_json_at (list, i), NULL);
      KtId id;

      if (text == NULL || !kt_id_parse (text, -1, &id))
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“ids” holds something that is not an id");
          return NULL;
        }
      g_array_append_val (ids, id);
    }
  return g_steal_pointer (&ids);
}

static KtReply *
answer_rows (KtCore *core, const KtActor *actor, const KtRequest *request, GError **error)
{
  gsize len = 0;
  const char *body = request->body != NULL ? g_bytes_get_data (request->body, &len) : NULL;
  g_autoptr (KtJson) json = kt_json_parse (body != NULL ? body : "", (gssize) len, error);
  g_autoptr (GArray) ids = NULL;
  const KtObject *object;
  const char *name;
  KtPageWriter *writer;
  KtReply *reply;
  gboolean all;
  gint64 seq;

  if (json == NULL)
    return NULL;
  name = kt_json_get_string (json, "object", NULL);
  if (name == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "“object” is missing");
      return NULL;
    }
  object = find_object (core, name, error);
  ids = object != NULL ? read_ids (kt_json_get (json, "ids"), error) : NULL;
  if (ids == NULL
      || !kt_db_get_int (core->db, 0, &seq, error, "SELECT number FROM kt_meta WHERE key = 'seq'",
                         KT_BIND_END))
    return NULL;

  writer = kt_page_writer_new_repair (&core->epoch, kt_schema_digest (core->schema));
  if (!_kt_core_put_rows (core, actor, object, (const KtId *) ids->data, ids->len, writer, &all, error))
    {
      g_bytes_unref (kt_page_writer_finish (writer, "", TRUE, 0));
      return NULL;
    }
  reply = kt_reply_new (200);
  reply->content_type = g_strdup (KT_WIRE_CONTENT_PAGE);
  reply->body = kt_page_writer_finish (writer, "", !all, seq);
  return reply;
}

KtReply *
_kt_core_rows (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_autoptr (GError) error = NULL;
  KtReply *reply = answer_rows (core, actor, request, &error);

  return reply != NULL ? reply : _kt_reply_error (error);
}
