/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Full text, and finding a record by what people call it.
 *
 * Never ranked by bm25: that reads every hit, and a short prefix hits everything.
 * At most 2,000 hits are taken, of every object its newest, so that one with many
 * records does not hide the others; then they are ordered: titles that are what was typed, titles that begin
 * with it, other title hits, the rest; of each the last changed first. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HITS 2000
#define HITS_AN_OBJECT 200
#define MAX_EXACT 500
#define STEP_OVER 4000
#define SNIPPET_BEFORE 40 /* characters */
#define SNIPPET_AFTER 80

typedef struct
{
  gint64 rid;
  char when[25]; /* modified_at */
  guint grade; /* GRADE_…: the lower the better */
} Candidate;

enum
{
  GRADE_EXACT,
  GRADE_BEGINNING,
  GRADE_TITLE,
  GRADE_ELSEWHERE
};

void
kt_hit_free (KtHit *hit)
{
  if (hit == NULL)
    return;
  g_free (hit->title);
  g_free (hit->subtitle);
  g_free (hit->snippet);
  g_free (hit);
}

/* ---- candidates ---- */

static gint64
first_rid (const KtObject *object)
{
  return (gint64) object->number << KT_RID_SHIFT;
}

static const KtObject *
object_of (KtLocal *local, gint64 rid)
{
  return kt_schema_object_by_number (local->schema, (guint) (rid >> KT_RID_SHIFT));
}

static gboolean
is_searched (const KtObject *object)
{
  return object != NULL
         && (object->visible || object->kind == KT_KIND_ACTIVITY
             || strcmp (object->name, "user") == 0);
}

/* Newest first from @to down to @from. An object that has more than its share is stepped over as long as that
 * is cheaper than asking anew below it: the set-up of a prefix reads all its hits. */
static gboolean
collect_from (KtLocal *local,
              const char *match,
              gint64 from,
              gint64 *to,
              gboolean all,
              guint grade,
              GHashTable *seen,
              GArray *out,
              GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db,
                "SELECT rowid FROM kt_search WHERE kt_search MATCH ?1 AND rowid BETWEEN ?2 AND ?3"
                " ORDER BY rowid DESC",
                error);
  guint share = all ? HITS_AN_OBJECT : MAX_HITS;
  gint64 number = -1;
  guint n = 0;
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_text (stmt, 1, match);
  kt_stmt_bind_int (stmt, 2, from);
  kt_stmt_bind_int (stmt, 3, *to);
  *to = 0;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      Candidate candidate = { kt_stmt_int (stmt, 0), "", grade };

      if (candidate.rid >> KT_RID_SHIFT != number)
        {
          number = candidate.rid >> KT_RID_SHIFT;
          n = all && !is_searched (object_of (local, candidate.rid)) ? share : 0;
        }
      if (++n > share)
        {
          if (n <= share + STEP_OVER)
            continue;
          *to = (number << KT_RID_SHIFT) - 1;
          return TRUE;
        }
      if (g_hash_table_contains (seen, &candidate.rid))
        continue;
      g_hash_table_add (seen, g_memdup2 (&candidate.rid, sizeof candidate.rid));
      g_array_append_val (out, candidate);
      if (out->len >= MAX_HITS)
        return TRUE;
    }
  return step == KT_STEP_DONE;
}

static gboolean
collect (KtLocal *local,
         const char *match,
         const KtObject *object,
         guint grade,
         GHashTable *seen,
         GArray *out,
         GError **error)
{
  gint64 from = object != NULL ? first_rid (object) : 0;
  gint64 to = object != NULL ? from + ((gint64) 1 << KT_RID_SHIFT) - 1 : G_MAXINT64;

  while (to > from && out->len < MAX_HITS)
    if (!collect_from (local, match, from, &to, object == NULL, grade, seen, out, error))
      return FALSE;
  return TRUE;
}

/* FALSE in *live: in the bin, or of no searched object. */
static gboolean
look_up (KtLocal *local,
         const KtObject *object,
         Candidate *candidate,
         gboolean *live,
         GError **error)
{
  const KtField *modified = kt_object_field (object, "modified_at");
  g_autofree char *sql =
    g_strdup_printf ("SELECT %s%s%s FROM \"o_%s\" WHERE rid=?1 AND \"f_deleted_at\" IS NULL",
                     modified != NULL ? "\"f_" : "", modified != NULL ? modified->name : "NULL",
                     modified != NULL ? "\"" : "", object->name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, candidate->rid);
  step = kt_stmt_step (stmt, error);
  *live = step == KT_STEP_ROW;
  if (*live)
    {
      const char *when = kt_stmt_text (stmt, 0);

      g_strlcpy (candidate->when, when != NULL ? when : "", sizeof candidate->when);
    }
  return step != KT_STEP_ERROR;
}

static gboolean
keep_live (KtLocal *local, GArray *candidates, guint from, GError **error)
{
  guint kept = from;

  for (guint i = from; i < candidates->len; i++)
    {
      Candidate *candidate = &g_array_index (candidates, Candidate, i);
      const KtObject *object = object_of (local, candidate->rid);
      gboolean live = FALSE;

      if (object == NULL)
        continue;
      if (!look_up (local, object, candidate, &live, error))
        return FALSE;
      if (live)
        g_array_index (candidates, Candidate, kept++) = *candidate;
    }
  g_array_set_size (candidates, kept);
  return TRUE;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const Candidate *x = a;
  const Candidate *y = b;
  int order;

  if (x->grade != y->grade)
    return x->grade < y->grade ? -1 : 1;
  order = strcmp (y->when, x->when);
  if (order != 0)
    return order;
  return x->rid > y->rid ? -1 : x->rid < y->rid;
}

/* Of titles that begin with what was typed, those that are just that. */
static gboolean
find_exact (KtLocal *local, const char *text, GArray *candidates, GError **error)
{
  g_autofree char *typed = kt_text_squash (text);

  for (guint i = 0; i < candidates->len && i < MAX_EXACT; i++)
    {
      Candidate *candidate = &g_array_index (candidates, Candidate, i);
      const KtObject *object = object_of (local, candidate->rid);
      g_autofree char *squashed = NULL;
      g_autofree char *sql =
        g_strdup_printf ("SELECT \"f_%s\" FROM \"o_%s\" WHERE rid=?1", object->title->name, object->name);
      KT_STMT_SCOPE *stmt = NULL;
      KtStep step;

      if (object->title->storage != KT_VALUE_TEXT)
        continue;
      stmt = kt_db_stmt (local->db, sql, error);
      if (stmt == NULL)
        return FALSE;
      kt_stmt_bind_int (stmt, 1, candidate->rid);
      step = kt_stmt_step (stmt, error);
      if (step == KT_STEP_ERROR)
        return FALSE;
      if (step == KT_STEP_ROW && !kt_stmt_is_null (stmt, 0))
        squashed = kt_text_squash (kt_stmt_text (stmt, 0));
      if (squashed != NULL && strcmp (squashed, typed) == 0)
        candidate->grade = GRADE_EXACT;
    }
  return TRUE;
}

/* ---- what is shown of a hit ---- */

/* Where in @text the match for @word ends, in characters: the shortest beginning that contains it. */
static glong
find_end (const char *text, const char *word)
{
  glong low = 1;
  glong high = g_utf8_strlen (text, -1);

  while (low < high)
    {
      glong middle = (low + high) / 2;
      g_autofree char *head = g_utf8_substring (text, 0, middle);

      if (kt_text_contains (head, word))
        high = middle;
      else
        low = middle + 1;
    }
  return low;
}

static char *
cut_out (const char *text, glong end)
{
  glong len = g_utf8_strlen (text, -1);
  glong from = MAX (0, end - SNIPPET_BEFORE);
  glong to = MIN (len, end + SNIPPET_AFTER);
  g_autofree char *part = NULL;

  while (from > 0 && from < end
         && !g_unichar_isspace (g_utf8_get_char (g_utf8_offset_to_pointer (text, from - 1)))
         && end - from < SNIPPET_BEFORE + 12)
    from--;
  part = g_utf8_substring (text, from, to);
  for (char *p = part; *p != '\0'; p++)
    if (*p == '\n' || *p == '\r' || *p == '\t')
      *p = ' ';
  return g_strconcat (from > 0 ? "…" : "", g_strstrip (part), to < len ? "…" : "", NULL);
}

static char *
make_snippet (const KtPlan *plan, const KtRecord *record, char **words)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < plan->terms->len; i++)
    {
      const KtTermField *term = &g_array_index (plan->terms, KtTermField, i);

      if (term->column == KT_TERM_TITLE || kt_value_is_null (&record->values[term->field->index]))
        continue;
      g_string_truncate (text, 0);
      _kt_local_field_text (term->field, &record->values[term->field->index], text);
      for (guint j = 0; words[j] != NULL; j++)
        if (*words[j] != '\0' && kt_text_contains (text->str, words[j]))
          return cut_out (text->str, find_end (text->str, words[j]));
    }
  return NULL;
}

static char *
make_subtitle (KtLocal *local, const KtRecord *record, GError **error)
{
  const KtJson *names = kt_json_get (record->object->json, "subtitle");
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = 0; i < kt_json_length (names) && i < 3; i++)
    {
      const KtField *field =
        kt_object_field (record->object, kt_json_string (kt_json_at (names, i), ""));
      const KtValue *value = field != NULL ? &record->values[field->index] : NULL;
      g_autofree char *text = NULL;

      if (value == NULL || kt_value_is_null (value) || field == record->object->title)
        continue;
      if (value->type == KT_VALUE_ID || value->type == KT_VALUE_ANY)
        {
          const char *name = value->type == KT_VALUE_ANY ? value->v.ref.object
                             : field->to != NULL && field->to[0] != NULL && field->to[1] == NULL
                               ? field->to[0]
                               : NULL;
          const KtObject *target = name != NULL ? kt_schema_object (local->schema, name) : NULL;

          if (!_kt_local_title (local, target, &value->v.ref.id, &text, error))
            return NULL;
        }
      else
        text = kt_value_display (field, value, local->locale);
      if (text == NULL || *text == '\0')
        continue;
      g_string_append_printf (out, "%s%s", out->len > 0 ? " · " : "", text);
    }
  return g_strdup (out->str);
}

static KtHit *
make_hit (KtLocal *local, const Candidate *candidate, char **words, GError **error)
{
  const KtObject *object = object_of (local, candidate->rid);
  g_autofree char *sql = g_strdup_printf ("SELECT %s FROM \"o_%s\" WHERE rid=?1",
                                          kt_table_columns (local->db, object, NULL), object->name);
  g_autoptr (KtRecord) record = NULL;
  g_autofree char *subtitle = NULL;
  KtHit *hit;

  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);

    if (stmt == NULL)
      return NULL;
    kt_stmt_bind_int (stmt, 1, candidate->rid);
    if (kt_stmt_step (stmt, error) != KT_STEP_ROW)
      return NULL;
    record = kt_table_read (stmt, 0, object);
  }
  subtitle = make_subtitle (local, record, error);
  if (subtitle == NULL)
    return NULL;
  hit = g_new0 (KtHit, 1);
  hit->object = object;
  hit->id = record->id;
  hit->rid = candidate->rid;
  hit->title = kt_record_title (record, local->locale);
  hit->subtitle = g_steal_pointer (&subtitle);
  hit->snippet = make_snippet (_kt_local_plan (local, object), record, words);
  return hit;
}

static GPtrArray *
search_in (KtLocal *local, const char *text, const KtObject *object, guint limit, GError **error)
{
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_hit_free);
  g_autoptr (GArray) candidates = g_array_new (FALSE, FALSE, sizeof (Candidate));
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  const KtObject *own = object != NULL ? _kt_local_object (local, object) : NULL;
  g_autofree char *match = kt_text_match (text);
  g_autofree char *start = kt_text_match_start (text);
  g_autofree char *folded = NULL;
  g_auto (GStrv) words = NULL;

  if (match == NULL || local->schema == NULL || (object != NULL && own == NULL))
    return g_steal_pointer (&hits);
  for (guint grade = GRADE_BEGINNING; grade <= GRADE_ELSEWHERE; grade++)
    {
      guint known = candidates->len;
      g_autofree char *expression =
        grade == GRADE_BEGINNING ? g_strdup_printf ("title : %s", start != NULL ? start : match)
        : grade == GRADE_TITLE   ? g_strdup_printf ("title : (%s)", match)
                                 : g_strdup (match);

      /* What is elsewhere than in the title only counts where titles do not fill the list. */
      if (grade == GRADE_ELSEWHERE && known >= MAX (limit, 1))
        break;
      if (!collect (local, expression, own, grade, seen, candidates, error)
          || !keep_live (local, candidates, known, error)
          || (grade == GRADE_BEGINNING && !find_exact (local, text, candidates, error)))
        return NULL;
    }
  g_array_sort (candidates, compare);

  folded = kt_text_fold (text);
  words = g_strsplit (folded, " ", 16);
  for (guint i = 0; i < candidates->len && i < limit; i++)
    {
      KtHit *hit = make_hit (local, &g_array_index (candidates, Candidate, i), words, error);

      if (hit == NULL)
        return NULL;
      g_ptr_array_add (hits, hit);
    }
  return g_steal_pointer (&hits);
}

static void
cancel_cb (GCancellable *cancellable, gpointer db)
{
  kt_db_interrupt (db);
}

GPtrArray *
kt_local_search (KtLocal *local,
                 const char *text,
                 const KtObject *object,
                 guint limit,
                 GCancellable *cancellable,
                 GError **error)
{
  GPtrArray *hits = NULL;
  gulong handler = 0;
  gboolean mine;

  g_return_val_if_fail (text != NULL, NULL);

  if (g_cancellable_set_error_if_cancelled (cancellable, error)
      || !_kt_local_read_begin (local, &mine, error))
    return NULL;
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancel_cb), local->db, NULL);
  if (!g_cancellable_set_error_if_cancelled (cancellable, error))
    hits = search_in (local, text, object, limit, error);
  g_cancellable_disconnect (cancellable, handler);
  _kt_local_read_end (local, mine);
  return hits;
}

/* ---- names ---- */

/* One table per object, for imports that name the same few accounts again and again:
 * "=exact", "~folded" and "#squashed" title → ids of live records. */
static void
name_add (GHashTable *names, char kind, const char *text, const KtId *id)
{
  g_autofree char *key = NULL;
  GArray *ids;

  if (text == NULL || *text == '\0')
    return;
  key = g_strdup_printf ("%c%s", kind, text);
  ids = g_hash_table_lookup (names, key);
  if (ids == NULL)
    {
      ids = g_array_sized_new (FALSE, FALSE, sizeof (KtId), 1);
      g_hash_table_insert (names, g_steal_pointer (&key), ids);
    }
  g_array_append_val (ids, *id);
}

static void
name_remove (GHashTable *names, char kind, const char *text, const KtId *id)
{
  g_autofree char *key = g_strdup_printf ("%c%s", kind, text != NULL ? text : "");
  GArray *ids = g_hash_table_lookup (names, key);

  for (guint i = 0; ids != NULL && i < ids->len; i++)
    if (kt_id_equal (&g_array_index (ids, KtId, i), id))
      {
        g_array_remove_index_fast (ids, i);
        return;
      }
}

static void
names_change_one (KtLocal *local,
                  GHashTable *names,
                  const KtRecord *record,
                  void (*change) (GHashTable *names, char kind, const char *text, const KtId *id))
{
  g_autofree char *title = NULL;
  g_autofree char *folded = NULL;
  g_autofree char *squashed = NULL;

  if (record == NULL || kt_record_deleted (record)
      || kt_value_is_null (&record->values[record->object->title->index]))
    return;
  title = kt_record_title (record, "");
  folded = kt_text_fold (title);
  squashed = kt_text_squash (title);
  change (names, '=', title, &record->id);
  change (names, '~', folded, &record->id);
  change (names, '#', squashed, &record->id);
}

void
_kt_local_names_change (KtLocal *local, const KtRecord *before, const KtRecord *after)
{
  guint number = (after != NULL ? after : before)->object->number;
  GHashTable *names = g_hash_table_lookup (local->names, GUINT_TO_POINTER (number));

  if (names == NULL)
    return;
  names_change_one (local, names, before, name_remove);
  names_change_one (local, names, after, name_add);
}

static void
array_free (gpointer array)
{
  g_array_unref (array);
}

static GHashTable *
names_of (KtLocal *local, const KtObject *object, GError **error)
{
  GHashTable *known = g_hash_table_lookup (local->names, GUINT_TO_POINTER (object->number));
  g_autoptr (GHashTable) names = NULL;
  g_autofree char *sql = NULL;
  KtStep step;

  if (known != NULL)
    return known;
  names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, array_free);
  if (object->title->storage == KT_VALUE_TEXT)
    {
      KT_STMT_SCOPE *stmt = NULL;

      sql = g_strdup_printf ("SELECT id, \"f_%s\" FROM \"o_%s\" WHERE \"f_deleted_at\" IS NULL",
                             object->title->name, object->name);
      stmt = kt_db_stmt (local->db, sql, error);
      if (stmt == NULL)
        return NULL;
      while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
        {
          g_autoptr (KtRecord) record = NULL;
          KtId id;

          if (!kt_stmt_id (stmt, 0, &id) || kt_stmt_is_null (stmt, 1))
            continue;
          record = kt_record_new (object, &id);
          kt_table_value (stmt, 1, object->title, &record->values[object->title->index]);
          names_change_one (local, names, record, name_add);
        }
      if (step != KT_STEP_DONE)
        return NULL;
    }
  g_hash_table_insert (local->names, GUINT_TO_POINTER (object->number), names);
  return g_steal_pointer (&names);
}

static gboolean
ambiguous (KtLocal *local,
           const KtObject *object,
           const char *name,
           const KtId *ids,
           guint n,
           GError **error)
{
  g_autoptr (GString) list = g_string_new (NULL);

  for (guint i = 0; i < n && i < 3; i++)
    {
      g_autofree char *title = NULL;
      char id[KT_ID_TEXT_SIZE];

      kt_id_format (&ids[i], id);
      if (!_kt_local_title (local, object, &ids[i], &title, NULL))
        title = NULL;
      g_string_append_printf (list, "%s%s (%s)", i > 0 ? ", " : "", title != NULL ? title : "?",
                              id);
    }
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
               "\"%s\" matches %u %s: %s%s. Give the id of the one that is meant", name, n,
               kt_object_plural (object, local->locale), list->str, n > 3 ? ", …" : "");
  return FALSE;
}

/* One exact column. *found: decided, one way or the other. */
static gboolean
find_by (KtLocal *local,
         const KtObject *object,
         const char *column,
         const char *name,
         gboolean *found,
         KtId *out,
         GError **error)
{
  const KtField *field = kt_object_field (object, column);
  g_autofree char *sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtId ids[4];
  guint n = 0;
  KtStep step;

  *found = FALSE;
  if (field == NULL || (field->storage != KT_VALUE_TEXT && field->storage != KT_VALUE_INT))
    return TRUE;
  if (field->storage == KT_VALUE_INT
      && (*name == '\0' || strspn (name, "0123456789") != strlen (name) || strlen (name) > 18))
    return TRUE;
  sql = g_strdup_printf (
    "SELECT id FROM \"o_%s\" WHERE \"f_%s\"=?1 AND \"f_deleted_at\" IS NULL LIMIT 4", object->name,
    field->name);
  stmt = kt_db_stmt (local->db, sql, error);
  if (stmt == NULL)
    return FALSE;
  if (field->storage == KT_VALUE_INT)
    kt_stmt_bind_int (stmt, 1, g_ascii_strtoll (name, NULL, 10));
  else
    kt_stmt_bind_text (stmt, 1, name);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    if (kt_stmt_id (stmt, 0, &ids[n]))
      n++;
  if (step != KT_STEP_DONE)
    return FALSE;
  if (n > 1)
    return ambiguous (local, object, name, ids, n, error);
  if (n == 1)
    {
      *found = TRUE;
      *out = ids[0];
    }
  return TRUE;
}

static gboolean
find_name (KtLocal *local,
           const KtObject *object,
           GHashTable *names,
           char kind,
           const char *text,
           const char *name,
           gboolean *found,
           KtId *out,
           GError **error)
{
  g_autofree char *key = g_strdup_printf ("%c%s", kind, text);
  const GArray *ids = *text != '\0' ? g_hash_table_lookup (names, key) : NULL;

  *found = FALSE;
  if (ids == NULL || ids->len == 0)
    return TRUE;
  if (ids->len > 1)
    return ambiguous (local, object, name, (const KtId *) ids->data, ids->len, error);
  *found = TRUE;
  *out = g_array_index (ids, KtId, 0);
  return TRUE;
}

static gboolean
find_in (KtLocal *local, const KtObject *object, const char *name, KtId *out, GError **error)
{
  static const char *const columns[] = { "external_id", "number", "user_name", "sku", "code" };
  g_autofree char *folded = NULL;
  g_autofree char *squashed = NULL;
  GHashTable *names;
  gboolean found = FALSE;
  KtId id;

  if (kt_id_parse (name, -1, &id))
    {
      g_autoptr (KtRecord) record = kt_table_load (local->db, object, &id, error);

      if (record != NULL)
        {
          *out = id;
          return TRUE;
        }
      if (error != NULL && *error != NULL)
        return FALSE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    {
      if (!find_by (local, object, columns[i], name, &found, out, error))
        return FALSE;
      if (found)
        return TRUE;
    }
  names = names_of (local, object, error);
  if (names == NULL)
    return FALSE;
  folded = kt_text_fold (name);
  squashed = kt_text_squash (name);
  if (!find_name (local, object, names, '=', name, name, &found, out, error)
      || (!found && !find_name (local, object, names, '~', folded, name, &found, out, error))
      || (!found && !find_name (local, object, names, '#', squashed, name, &found, out, error)))
    return FALSE;
  if (!found)
    g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no %s called \"%s\"",
                 kt_object_label (object, local->locale), name);
  return found;
}

gboolean
kt_local_find (KtLocal *local, const KtObject *object, const char *name, KtId *out, GError **error)
{
  const KtObject *own;
  g_autoptr (GError) failure = NULL;
  gboolean mine;
  gboolean found = FALSE;

  g_return_val_if_fail (object != NULL && name != NULL && out != NULL, FALSE);

  if (!_kt_local_read_begin (local, &mine, error))
    return FALSE;
  own = _kt_local_object (local, object);
  if (own != NULL)
    found = find_in (local, own, name, out, &failure);
  else
    g_set_error (&failure, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no %s here", object->name);
  _kt_local_read_end (local, mine);
  if (!found)
    g_propagate_error (error, g_steal_pointer (&failure));
  return found;
}

/* Exactly, or as people compare; other fields than texts, and after one that was found: nothing. */
static gboolean
find_in_bin (KtLocal *local,
             const KtObject *object,
             const KtField *field,
             const char *folded,
             const char *name,
             KtId ids[4],
             guint *n,
             GError **error)
{
  g_autofree char *sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (*n > 0 || field == NULL || field->storage != KT_VALUE_TEXT)
    return TRUE;
  sql = g_strdup_printf ("SELECT id FROM \"o_%s\" WHERE \"f_deleted_at\" IS NOT NULL"
                         " AND (\"f_%s\"=?1 OR kt_fold (\"f_%s\")=?2) LIMIT 4",
                         object->name, field->name, field->name);
  stmt = kt_db_stmt (local->db, sql, error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_text (stmt, 1, name);
  kt_stmt_bind_text (stmt, 2, folded);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    if (kt_stmt_id (stmt, 0, &ids[*n]))
      ++*n;
  return step == KT_STEP_DONE;
}

gboolean
kt_local_find_binned (KtLocal *local,
                      const KtObject *object,
                      const char *name,
                      KtId *out,
                      GError **error)
{
  const KtObject *own;
  g_autofree char *folded = NULL;
  gboolean mine, found = FALSE;
  KtId ids[4];
  guint n = 0;

  g_return_val_if_fail (object != NULL && name != NULL && out != NULL, FALSE);

  if (!_kt_local_read_begin (local, &mine, error))
    return FALSE;
  own = _kt_local_object (local, object);
  folded = kt_text_fold (name);
  if (own == NULL)
    g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no %s here", object->name);
  else if (find_in_bin (local, own, own->title, folded, name, ids, &n, error)
           && find_in_bin (local, own, kt_object_field (own, "number"), folded, name, ids, &n, error))
    {
      if (n > 1)
        ambiguous (local, own, name, ids, n, error);
      else if (n == 0)
        g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no %s called \"%s\" in the bin",
                     kt_object_label (own, local->locale), name);
      found = n == 1;
    }
  _kt_local_read_end (local, mine);
  if (found)
    *out = ids[0];
  return found;
}
