/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which attachments shall be on this device, in which order they are fetched, and which have to go.
 *
 *   kt:blob_rule   "RULE EACH TOTAL"
 *   kt:blob_look   set: something changed since it was last found that nothing is wanted
 *   kt_pin         ids of records: a `file`, or what files are attached to
 *   kt_blob        what is here; sent=0: the server does not have it, it never goes
 *
 * The list is made from the best down: what was pinned, what belongs to the user's own records, everything else; newest first.
 * Whatever fits under the limits is kept, so a rule that changes says by itself what has to go. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define STALE_PART_US (G_GINT64_CONSTANT (30) * G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)
#define MIB (G_GINT64_CONSTANT (1024) * 1024)

static const char *const rule_words[] = { "none", "mine", "all" };

/* ---- the rule ---- */

const char *
kt_blob_rule_word (KtBlobRule rule)
{
  g_return_val_if_fail ((guint) rule < G_N_ELEMENTS (rule_words), NULL);

  return rule_words[rule];
}

gboolean
kt_blob_rule_from_word (const char *word, KtBlobRule *out)
{
  for (guint i = 0; i < G_N_ELEMENTS (rule_words); i++)
    if (g_strcmp0 (word, rule_words[i]) == 0)
      {
        *out = (KtBlobRule) i;
        return TRUE;
      }
  return FALSE;
}

gboolean
kt_local_blob_policy (KtLocal *local, KtBlobPolicy *out, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *text = _kt_local_meta (local, "kt:blob_rule", &failure);
  g_auto (GStrv) parts = text != NULL ? g_strsplit (text, " ", 3) : NULL;

  *out = (KtBlobPolicy){ KT_BLOB_MINE, 25 * MIB, 1024 * MIB };
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (parts == NULL || g_strv_length (parts) != 3)
    return TRUE;
  kt_blob_rule_from_word (parts[0], &out->rule);
  out->each = g_ascii_strtoll (parts[1], NULL, 10);
  out->total = g_ascii_strtoll (parts[2], NULL, 10);
  return TRUE;
}

gboolean
_kt_local_blobs_stir (KtLocal *local, GError **error)
{
  return _kt_local_put_meta (local, "kt:blob_look", "1", error);
}

gboolean
kt_local_set_blob_policy (KtLocal *local, const KtBlobPolicy *policy, GError **error)
{
  g_autofree char *text = NULL;

  g_return_val_if_fail (policy != NULL, FALSE);

  if ((guint) policy->rule >= G_N_ELEMENTS (rule_words) || policy->each < 0 || policy->total < 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "A rule for attachments is none, mine or all, with sizes from 0");
      return FALSE;
    }
  text = g_strdup_printf ("%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT, rule_words[policy->rule],
                          policy->each, policy->total);
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (!_kt_local_put_meta (local, "kt:blob_rule", text, error)
      || !_kt_local_blobs_stir (local, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  return _kt_local_commit (local, error) && kt_local_blobs_tidy (local, NULL, error);
}

gboolean
kt_local_pin (KtLocal *local, const KtId *id, gboolean pinned, GError **error)
{
  g_return_val_if_fail (id != NULL, FALSE);

  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (kt_db_run (local->db, error,
                 pinned ? "INSERT OR IGNORE INTO kt_pin (id) VALUES (?1)"
                        : "DELETE FROM kt_pin WHERE id=?1",
                 KT_BIND_ID, id, KT_BIND_END)
        < 0
      || !_kt_local_blobs_stir (local, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  return _kt_local_commit (local, error);
}

gboolean
kt_local_pinned (KtLocal *local, const KtId *id)
{
  gint64 found = 0;

  return kt_db_get_int (local->db, 0, &found, NULL, "SELECT 1 FROM kt_pin WHERE id=?1", KT_BIND_ID,
                        id, KT_BIND_END)
         && found != 0;
}

/* ---- the list ---- */

void
kt_blob_place_free (KtBlobPlace *place)
{
  if (place == NULL)
    return;
  g_free (place->sha256);
  g_free (place);
}

/* "WHEN 'account' THEN EXISTS (…)" for everything that has an owner. */
static char *
owned_parents (const KtSchema *schema)
{
  GString *sql = g_string_new (NULL);
  const KtObject *const *objects;
  guint n = 0;

  objects = kt_schema_objects (schema, &n);
  for (guint i = 0; i < n; i++)
    {
      const KtField *owner = kt_object_field (objects[i], "owner");

      if (owner != NULL && owner->storage == KT_VALUE_ID)
        g_string_append_printf (sql,
                                " WHEN '%s' THEN EXISTS (SELECT 1 FROM \"o_%s\" p WHERE p.id=f.\"f_parent\""
                                " AND p.\"f_%s\"=?1)",
                                objects[i]->name, objects[i]->name, owner->name);
    }
  return g_string_free (sql, FALSE);
}

static const KtObject *
file_object (KtLocal *local)
{
  static const char *const names[] = { "sha256", "size",       "parent",    "state",
                                       "created_at", "created_by", "deleted_at" };
  const KtObject *file = local->schema != NULL ? kt_schema_object (local->schema, "file") : NULL;

  for (guint i = 0; file != NULL && i < G_N_ELEMENTS (names); i++)
    if (kt_object_field (file, names[i]) == NULL)
      return NULL;
  return file;
}

/* Every blob that a live `file` record names, best first. */
static GPtrArray *
list_places (KtLocal *local, GError **error)
{
  g_autoptr (GPtrArray) places = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_blob_place_free);
  g_autofree char *parents = NULL;
  g_autofree char *sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtId me = KT_ID_NIL;
  KtStep step;

  if (file_object (local) == NULL || local->identity == NULL)
    return g_steal_pointer (&places);
  me = local->identity->access.user;
  parents = owned_parents (local->schema);
  sql = g_strdup_printf (
    "SELECT f.\"f_sha256\", max(f.\"f_size\"), max(f.\"f_state\"='stored'),"
    " min(CASE WHEN f.id IN (SELECT id FROM kt_pin) OR f.\"f_parent\" IN (SELECT id FROM kt_pin) THEN 0"
    " WHEN f.\"f_created_by\"=?1 THEN 1 WHEN CASE f.\"f_parent_object\"%s ELSE 0 END THEN 1 ELSE 2 END) AS best,"
    " max(f.\"f_created_at\") AS at, b.sent"
    " FROM \"o_file\" f LEFT JOIN kt_blob b ON b.sha256=f.\"f_sha256\""
    " WHERE f.\"f_deleted_at\" IS NULL AND f.\"f_sha256\" IS NOT NULL"
    " GROUP BY f.\"f_sha256\" ORDER BY best, at DESC, f.\"f_sha256\"",
    *parents != '\0' ? parents : " WHEN '' THEN 0");
  stmt = kt_db_stmt (local->db, sql, error);
  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_id (stmt, 1, &me);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      KtBlobPlace *place;

      if (!_kt_local_is_sha256 (kt_stmt_text (stmt, 0)))
        continue;
      place = g_new0 (KtBlobPlace, 1);
      place->sha256 = g_strdup (kt_stmt_text (stmt, 0));
      place->size = kt_stmt_is_null (stmt, 1) ? -1 : kt_stmt_int (stmt, 1);
      place->stored = kt_stmt_int (stmt, 2) != 0;
      place->rank = (KtBlobRank) kt_stmt_int (stmt, 3);
      place->unsent = !kt_stmt_is_null (stmt, 5) && kt_stmt_int (stmt, 5) == 0;
      g_ptr_array_add (places, place);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&places) : NULL;
}

static gboolean
takes (const KtBlobPolicy *policy, const KtBlobPlace *place, gint64 used)
{
  gint64 size = MAX (place->size, 0);

  if (place->rank == KT_BLOB_PINNED)
    return TRUE;
  if (policy->rule == KT_BLOB_NONE || (policy->rule == KT_BLOB_MINE && place->rank != KT_BLOB_OWN))
    return FALSE;
  return size <= policy->each && size <= policy->total - used;
}

GPtrArray *
_kt_local_blob_places (KtLocal *local, GError **error)
{
  g_autoptr (GPtrArray) places = NULL;
  KtBlobPolicy policy;
  gint64 used = 0;

  if (!kt_local_blob_policy (local, &policy, error))
    return NULL;
  places = list_places (local, error);
  for (guint i = 0; places != NULL && i < places->len; i++)
    {
      KtBlobPlace *place = g_ptr_array_index (places, i);

      place->here = kt_local_blob_have (local, place->sha256, NULL);
      place->wanted = takes (&policy, place, used);
      if (place->wanted)
        used += MAX (place->size, 0);
      place->part = place->here ? 0 : kt_local_blob_part (local, place->sha256);
    }
  return g_steal_pointer (&places);
}

/* What has begun is ended first among its equals. */
static int
compare_places (gconstpointer a, gconstpointer b)
{
  const KtBlobPlace *x = *(const KtBlobPlace *const *) a;
  const KtBlobPlace *y = *(const KtBlobPlace *const *) b;

  return x->rank != y->rank             ? (int) x->rank - (int) y->rank
         : (x->part > 0) != (y->part > 0) ? (y->part > 0) - (x->part > 0)
         : x->order < y->order            ? -1
                                          : x->order > y->order;
}

GPtrArray *
kt_local_blobs_wanted (KtLocal *local, guint limit, GError **error)
{
  g_autoptr (GPtrArray) places = NULL;
  GPtrArray *out;
  gboolean mine;

  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  places = _kt_local_blob_places (local, error);
  _kt_local_read_end (local, mine);
  if (places == NULL)
    return NULL;
  out = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_blob_place_free);
  for (guint i = 0; i < places->len; i++)
    {
      KtBlobPlace *place = g_ptr_array_index (places, i);

      place->order = i;
      if (!place->wanted || place->here || !place->stored)
        continue;
      g_ptr_array_add (out, place);
      places->pdata[i] = NULL;
    }
  g_ptr_array_sort (out, compare_places);
  if (limit > 0 && out->len > limit)
    g_ptr_array_set_size (out, (int) limit);
  return out;
}

gboolean
kt_local_blobs_due (KtLocal *local)
{
  return local->ready && _kt_local_meta_int (local, "kt:blob_look", 0) != 0;
}

gboolean
kt_local_blobs_settled (KtLocal *local, GError **error)
{
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (_kt_local_put_meta (local, "kt:blob_look", NULL, error))
    return _kt_local_commit (local, error);
  _kt_local_rollback (local);
  return FALSE;
}

/* ---- what has to go ---- */

/* Names of what lies in blobs/, whole ones and parts; temporary ones of kt_local_blob_add that a crash left go. */
static void
scan (KtLocal *local, GHashTable *whole, GHashTable *parts)
{
  g_autofree char *root = g_build_filename (local->dir, "blobs", NULL);
  g_autoptr (GDir) top = g_dir_open (root, 0, NULL);
  const char *folder;

  while (top != NULL && (folder = g_dir_read_name (top)) != NULL)
    {
      g_autofree char *path = g_build_filename (root, folder, NULL);
      g_autoptr (GDir) inner = NULL;
      const char *name;

      if (g_str_has_suffix (folder, ".part"))
        {
          if (_kt_local_is_stale (path, G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC))
            g_unlink (path);
          continue;
        }
      inner = g_dir_open (path, 0, NULL);
      while (inner != NULL && (name = g_dir_read_name (inner)) != NULL)
        if (_kt_local_is_sha256 (name))
          g_hash_table_add (whole, g_strdup (name));
        else if (g_str_has_suffix (name, ".part") && strlen (name) == 69)
          g_hash_table_add (parts, g_strndup (name, 64));
    }
}

static gboolean
forget (KtLocal *local, const char *sha256, gint64 *freed, GError **error)
{
  g_autofree char *path = kt_local_blob_path (local, sha256);
  gint64 size = 0;

  /* The note first: a file without one is found again, a note without its file would be a lie. */
  if (kt_db_run (local->db, error, "DELETE FROM kt_blob WHERE sha256=?1 AND sent<>0", KT_BIND_TEXT,
                 sha256, KT_BIND_END)
      < 0)
    return FALSE;
  if (kt_local_blob_have (local, sha256, &size) && g_unlink (path) == 0)
    *freed += size;
  return TRUE;
}

static gboolean
tidy_in (KtLocal *local,
         GHashTable *whole,
         GHashTable *parts,
         gboolean unnamed,
         gint64 *freed,
         GError **error)
{
  g_autoptr (GPtrArray) places = _kt_local_blob_places (local, error);
  g_autoptr (GHashTable) kept = g_hash_table_new (g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer key;

  if (places == NULL)
    return FALSE;
  for (guint i = 0; i < places->len; i++)
    {
      KtBlobPlace *place = g_ptr_array_index (places, i);

      if (unnamed || place->wanted || place->unsent)
        g_hash_table_add (kept, place->sha256);
    }
  g_hash_table_iter_init (&iter, whole);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      gint64 unsent = 0;

      if (g_hash_table_contains (kept, key))
        continue;
      /* Not the server's yet, whoever names it. */
      if (!kt_db_get_int (local->db, 0, &unsent, error,
                          "SELECT count(*) FROM kt_blob WHERE sha256=?1 AND sent=0", KT_BIND_TEXT, key,
                          KT_BIND_END))
        return FALSE;
      if (unsent == 0 && !forget (local, key, freed, error))
        return FALSE;
    }
  g_hash_table_iter_init (&iter, parts);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      g_autofree char *path = kt_local_blob_path (local, key);
      g_autofree char *part = g_strconcat (path, ".part", NULL);

      if (g_hash_table_contains (kept, key) && !_kt_local_is_stale (part, STALE_PART_US))
        continue;
      *freed += kt_local_blob_part (local, key);
      g_unlink (part);
    }
  return TRUE;
}

static gboolean
tidy (KtLocal *local, gboolean unnamed, gint64 *freed, GError **error)
{
  g_autoptr (GHashTable) whole = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) parts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gint64 sum = 0;

  scan (local, whole, parts);
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (!tidy_in (local, whole, parts, unnamed, &sum, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  if (freed != NULL)
    *freed = sum;
  return _kt_local_commit (local, error);
}

gboolean
kt_local_blobs_tidy (KtLocal *local, gint64 *freed, GError **error)
{
  return tidy (local, FALSE, freed, error);
}

gboolean
_kt_local_blobs_drop_unnamed (KtLocal *local, GError **error)
{
  return tidy (local, TRUE, NULL, error);
}
