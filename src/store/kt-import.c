/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rows into records. One row is read, understood whole (every problem of it is
 * reported), and either joins the mutation being collected or goes to the
 * report; a full mutation is committed and forgotten, so memory does not grow
 * with the file. What a row refers to may stand later in the same file: such a
 * reference is put in at the end, when its target has a place.            */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "base/kt-text.h"

#define CHUNK_RECORDS 500
#define MAX_ERRORS 1000
#define MAX_CACHE 200000
#define SURVEY_ROWS 200000

typedef struct
{
  KtImportPath path;
  guint        cell;       /* column of the file */
  const char  *name;       /* of the column; owned by the plan */
  gboolean     fraction;   /* percent given as 0.15 */
  double       largest;
  gboolean     has_fraction;
} Target;

typedef struct
{
  KtId           id;
  const KtField *field;
  char          *text;
  const char    *column;
  guint64        row;
  const KtObject *target;
} Later;

typedef struct
{
  KtLocal        *local;
  KtImportPlan   *plan;
  const KtObject *object;
  gboolean        dry;
  GArray         *targets;       /* Target */
  KtImportResult *result;
  GHashTable     *known;         /* "object\x1fsquashed name" → KtId: resolved references */
  GHashTable     *own;           /* names and ids of rows of this file → KtId */
  GHashTable     *matched;       /* value of the match field → KtId, of rows of this file */
  GArray         *later;         /* Later */
  KtMutation     *mutation;      /* being collected */
  GArray         *rows;          /* guint64: row of each record op, 0 for a helper record */
  GString        *report;
  GOutputStream  *report_stream;
  GFile          *report_file;
  char          **header;
  guint           n_header;
  GPtrArray      *change_sets;   /* may be NULL */
  const char     *currency;
  GString        *reason;        /* of the row at hand */
} Run;

static void
later_clear (gpointer data)
{
  Later *later = data;

  g_free (later->text);
}

static void
import_error_free (gpointer data)
{
  KtImportError *problem = data;

  g_free (problem->column);
  g_free (problem->message);
  g_free (problem);
}

void
kt_import_result_free (KtImportResult *result)
{
  if (result == NULL)
    return;
  g_clear_pointer (&result->errors, g_ptr_array_unref);
  g_clear_pointer (&result->notes, g_ptr_array_unref);
  g_free (result->batch);
  g_free (result->report);
  g_free (result);
}

static char *
now_text (Run *run)
{
  const KtEnv *env = kt_local_env (run->local);
  gint64 us = env->now_us (env->data);
  g_autoptr (GDateTime) moment = g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC);
  g_autofree char *seconds = g_date_time_format (moment, "%Y-%m-%dT%H:%M:%S");

  return g_strdup_printf ("%s.%03dZ", seconds, (int) (us / 1000 % 1000));
}

static void
add_problem (Run        *run,
             guint64     row,
             const char *column,
             const char *message)
{
  if (run->result->errors->len < MAX_ERRORS)
    {
      KtImportError *problem = g_new0 (KtImportError, 1);

      problem->row = row;
      problem->column = g_strdup (column);
      problem->message = g_strdup (message);
      g_ptr_array_add (run->result->errors, problem);
    }
  if (run->reason->len > 0)
    g_string_append (run->reason, "; ");
  if (column != NULL)
    g_string_append_printf (run->reason, "%s: ", column);
  g_string_append (run->reason, message);
}

/* ---- names of records ---- */

static char *
name_key (const KtObject *object,
          const char     *text)
{
  g_autofree char *squashed = kt_text_squash (text);

  return g_strdup_printf ("%s\x1f%s", object->name, squashed[0] != '\0' ? squashed : text);
}

static void
remember_own (Run            *run,
              const KtRecord *record)
{
  static const char *const names[] = { "external_id", "number", "sku", "user_name" };
  g_autofree char *title = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const char *text = kt_record_text (record, names[i]);

      if (text != NULL)
        g_hash_table_replace (run->own, name_key (record->object, text), kt_id_copy (&record->id));
    }
  title = kt_record_title (record, run->plan->locale);
  g_hash_table_insert (run->own, name_key (record->object, title), kt_id_copy (&record->id));
}

static KtOp *
add_record (Run      *run,
            KtRecord *before,
            KtRecord *after,
            guint64   row)
{
  g_autoptr (KtPatch) patch = kt_patch_diff (before, after);
  KtOp *op;

  if (before != NULL && kt_patch_length (patch) == 0)
    return NULL;
  if (run->mutation == NULL)
    {
      g_autofree char *at = now_text (run);

      run->mutation = kt_mutation_new (at, "import");
      run->mutation->batch = g_strdup (run->result->batch);
    }
  op = kt_mutation_add (run->mutation, before == NULL ? KT_MUTATE_CREATE : KT_MUTATE_UPDATE, after->object, &after->id,
                        before == NULL ? 0 : before->rev, g_steal_pointer (&patch));
  g_array_append_val (run->rows, row);
  return op;
}

/* Makes the record a name stands for, when the person allowed that and a name is all it takes. */
static gboolean
create_named (Run            *run,
              const KtObject *object,
              const char     *text,
              KtId           *out)
{
  const KtEnv *env = kt_local_env (run->local);
  KtId id = kt_id_new (env);
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (GError) error = NULL;
  const KtField *title = object->title;

  if (object->kind == KT_KIND_ADMIN && !kt_local_identity (run->local)->access.admin)
    return FALSE;
  if (title->computed)
    title = kt_object_field (object, "last_name");
  if (title == NULL || title->storage != KT_VALUE_TEXT)
    return FALSE;
  record = kt_record_new (object, &id);
  kt_record_apply_defaults (record);
  if (!kt_value_parse (title, text, run->plan->locale, run->currency, &record->values[title->index], &error))
    return FALSE;
  if (object->title->computed && title != object->title && record->values[object->title->index].type == KT_VALUE_NULL)
    kt_value_set_text (&record->values[object->title->index], text);
  if (g_strcmp0 (object->name, "user") == 0)
    {
      const KtField *user_name = kt_object_field (object, "user_name");

      if (user_name != NULL)
        kt_value_set_text (&record->values[user_name->index], text);
    }
  if (!kt_rules_check_error (NULL, record, run->plan->locale, &error))
    return FALSE;
  if (!run->dry)
    add_record (run, NULL, record, 0);
  *out = id;
  return TRUE;
}

typedef enum { FOUND, NOT_YET, FAILED } Lookup;

/* One name → one record: by id, among what is known, in this file, in the cache. */
static Lookup
look_up (Run            *run,
         const KtField  *field,
         const KtObject *only,
         const char     *text,
         gboolean        may_wait,
         const KtObject **object,
         KtId           *id,
         char          **message)
{
  g_autofree char *ambiguous = NULL;
  guint found = 0;
  gboolean own = FALSE;
  const char *const *names = (const char *const *) field->to;
  const char *single[] = { only != NULL ? only->name : NULL, NULL };

  if (only != NULL)
    names = single;
  for (guint i = 0; names != NULL && names[i] != NULL; i++)
    {
      const KtObject *target = kt_schema_object (run->object->schema, names[i]);
      g_autofree char *key = NULL;
      g_autoptr (GError) error = NULL;
      const KtId *known;
      KtId candidate;

      if (target == NULL)
        continue;
      key = name_key (target, text);
      own = own || target == run->object;
      known = g_hash_table_lookup (run->own, key);
      if (known == NULL)
        known = g_hash_table_lookup (run->known, key);
      if (known != NULL)
        candidate = *known;
      else if (!kt_local_find (run->local, target, text, &candidate, &error))
        {
          if (!g_error_matches (error, KT_ERROR, KT_ERROR_NOT_FOUND) && ambiguous == NULL)
            ambiguous = g_strdup (error->message);
          continue;
        }
      else if (g_hash_table_size (run->known) < MAX_CACHE)
        g_hash_table_insert (run->known, g_steal_pointer (&key), kt_id_copy (&candidate));
      if (found++ == 0)
        {
          *object = target;
          *id = candidate;
        }
    }
  if (found == 1)
    return FOUND;
  if (found > 1)
    {
      *message = g_strdup_printf ("“%s” could be several things: write object:name, for example %s:%s.", text,
                                  (*object)->name, text);
      return FAILED;
    }
  if (ambiguous != NULL)
    {
      *message = g_steal_pointer (&ambiguous);
      return FAILED;
    }
  if (own && may_wait)
    return NOT_YET;
  if (run->plan->create_missing && names != NULL && names[0] != NULL && names[1] == NULL)
    {
      const KtObject *target = kt_schema_object (run->object->schema, names[0]);

      if (target != NULL && create_named (run, target, text, id))
        {
          *object = target;
          g_hash_table_insert (run->known, name_key (target, text), kt_id_copy (id));
          return FOUND;
        }
    }
  {
    const KtObject *target = names != NULL ? kt_schema_object (run->object->schema, names[0]) : NULL;

    *message = g_strdup_printf ("No %s is called “%s”.", target != NULL ? kt_object_label (target, run->plan->locale) : "record", text);
  }
  return FAILED;
}

/* ---- one cell ---- */

static gboolean
is_blank (Run             *run,
          const KtCsvCell *cell)
{
  const char *text = cell->text;

  while (g_ascii_isspace (*text))
    text++;
  if (*text == '\0')
    return TRUE;
  if (cell->quoted)
    return FALSE;
  if (run->plan->null_text != NULL)
    return strcmp (cell->text, run->plan->null_text) == 0;
  return strcmp (cell->text, "NULL") == 0 || strcmp (cell->text, "\\N") == 0;
}

static gboolean
set_address_part (KtRecord       *record,
                  const KtField  *field,
                  const char     *part,
                  const char     *text,
                  GError        **error)
{
  KtValue *slot = &record->values[field->index];
  g_autoptr (KtJson) old = slot->type == KT_VALUE_JSON ? kt_json_parse (slot->v.text, -1, NULL) : NULL;
  g_autoptr (GString) out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);
  g_autoptr (KtJson) whole = NULL;
  KtValue value = KT_VALUE_INIT;

  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (old); i++)
    if (strcmp (kt_json_key_at (old, i), part) != 0)
      kt_json_put_string (&writer, kt_json_key_at (old, i), kt_json_string (kt_json_at (old, i), ""));
  kt_json_put_string (&writer, part, text);
  kt_json_end_object (&writer);
  whole = kt_json_parse (out->str, (gssize) out->len, error);
  if (whole == NULL || !kt_value_from_json (field, whole, &value, error))
    return FALSE;
  kt_value_clear (slot);
  *slot = value;
  return TRUE;
}

/* "Ann Marie Lee", "Lee, Ann", "张三": into first and last name. */
static gboolean
set_full_name (Run           *run,
               KtRecord      *record,
               const char    *text,
               GError       **error)
{
  const KtField *first = kt_object_field (record->object, "first_name");
  const KtField *last = kt_object_field (record->object, "last_name");
  g_autofree char *given = NULL;
  g_autofree char *family = NULL;
  g_autofree char *whole = g_strstrip (g_strdup (text));
  const char *comma = strchr (whole, ',');
  const char *blank = strrchr (whole, ' ');
  gunichar start = g_utf8_get_char (whole);

  if (comma != NULL)
    {
      family = g_strstrip (g_strndup (whole, comma - whole));
      given = g_strstrip (g_strdup (comma + 1));
    }
  else if (blank == NULL && g_unichar_get_script (start) == G_UNICODE_SCRIPT_HAN && g_utf8_strlen (whole, -1) <= 4)
    {
      /* The compound surnames in common use are two characters; four characters have one. */
      glong n = g_utf8_strlen (whole, -1);
      const char *cut = g_utf8_offset_to_pointer (whole, n == 4 || g_str_has_prefix (whole, "欧阳") || g_str_has_prefix (whole, "司马") ||
                                                          g_str_has_prefix (whole, "上官") || g_str_has_prefix (whole, "诸葛") ? MIN (2, n) : 1);

      family = g_strndup (whole, cut - whole);
      given = g_strdup (cut);
    }
  else if (blank != NULL)
    {
      given = g_strstrip (g_strndup (whole, blank - whole));
      family = g_strdup (blank + 1);
    }
  else
    family = g_strdup (whole);
  kt_value_clear (&record->values[first->index]);
  kt_value_clear (&record->values[last->index]);
  return (given == NULL || given[0] == '\0' ||
          kt_value_parse (first, given, run->plan->locale, NULL, &record->values[first->index], error)) &&
         kt_value_parse (last, family, run->plan->locale, NULL, &record->values[last->index], error);
}

static gboolean
set_reference (Run          *run,
               const Target *target,
               KtRecord     *record,
               const char   *text,
               guint64       row,
               char        **message)
{
  const KtField *field = target->path.field;
  KtValue *slot = &record->values[field->index];
  const KtObject *object = NULL;
  const KtObject *only = target->path.target;
  g_autofree char *name = g_strstrip (g_strdup (text));
  const char *colon = strchr (name, ':');
  KtId id;
  KtValue direct = KT_VALUE_INIT;
  g_autofree char *unused = NULL;

  if (kt_value_parse (field, name, run->plan->locale, run->currency, &direct, NULL))
    {
      kt_value_clear (slot);
      *slot = direct;
      return TRUE;
    }
  if (field->type == KT_FIELD_REF_ANY && only == NULL && colon != NULL)
    {
      g_autofree char *prefix = g_strndup (name, colon - name);

      only = kt_schema_object (run->object->schema, prefix);
      if (only != NULL && !kt_field_accepts (field, prefix))
        only = NULL;
      if (only != NULL)
        memmove (name, colon + 1, strlen (colon + 1) + 1);
    }
  switch (look_up (run, field, only, name, TRUE, &object, &id, message))
    {
    case FOUND:
      kt_value_clear (slot);
      if (field->storage == KT_VALUE_ANY)
        kt_value_set_any (slot, object->name, &id);
      else
        kt_value_set_id (slot, &id);
      return TRUE;
    case NOT_YET:
      if (field->required)
        {
          look_up (run, field, only, name, FALSE, &object, &id, message);
          return FALSE;
        }
      {
        Later later = { record->id, field, g_strdup (name), target->name, row, only };

        g_array_append_val (run->later, later);
      }
      return TRUE;
    case FAILED:
    default:
      return FALSE;
    }
}

static gboolean
set_many (Run          *run,
          const Target *target,
          KtRecord     *record,
          const char   *text,
          char        **message)
{
  const KtField *field = target->path.field;
  g_auto (GStrv) names = g_strsplit_set (text, strchr (text, ';') != NULL ? ";" : ",", -1);
  g_autoptr (GString) out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);
  g_autoptr (KtJson) list = NULL;
  g_autoptr (GError) error = NULL;
  KtValue value = KT_VALUE_INIT;

  kt_json_begin_array (&writer);
  for (guint i = 0; names[i] != NULL; i++)
    {
      const KtObject *object;
      KtId id;
      char id_text[KT_ID_TEXT_SIZE];

      g_strstrip (names[i]);
      if (names[i][0] == '\0')
        continue;
      if (!kt_id_parse (names[i], -1, &id) &&
          look_up (run, field, target->path.target, names[i], FALSE, &object, &id, message) != FOUND)
        return FALSE;
      kt_id_format (&id, id_text);
      kt_json_add_string (&writer, id_text);
    }
  kt_json_end_array (&writer);
  list = kt_json_parse (out->str, (gssize) out->len, &error);
  if (list == NULL || !kt_value_from_json (field, list, &value, &error))
    {
      *message = g_strdup (error->message);
      return FALSE;
    }
  kt_value_clear (&record->values[field->index]);
  record->values[field->index] = value;
  return TRUE;
}

static gboolean
set_percent_fraction (const Target *target,
                      KtRecord     *record,
                      const char   *text,
                      GError      **error)
{
  KtValue *slot = &record->values[target->path.field->index];
  guint scale = target->path.field->scale;
  char currency[4];
  gint64 mantissa;

  if (!kt_decimal_parse_loose (text, MIN (scale + 2, KT_DECIMAL_MAX_SCALE), 0, &mantissa, currency, error))
    return FALSE;
  kt_value_clear (slot);
  slot->type = KT_VALUE_DECIMAL;
  slot->scale = (guint8) scale;
  slot->v.integer = mantissa;    /* two digits of scale more is the factor 100 */
  return TRUE;
}

static gboolean
set_cell (Run             *run,
          const Target    *target,
          KtRecord        *record,
          const KtCsvCell *cell,
          const char      *currency,
          guint64          row)
{
  const KtField *field = target->path.field;
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;
  gboolean ok;

  if (target->path.is_id || (target->path.part != NULL && strcmp (target->path.part, "currency") == 0))
    return TRUE;    /* taken before */
  if (target->path.part != NULL)
    ok = set_address_part (record, field, target->path.part, cell->text, &error);
  else if (_kt_import_splits_name (field))
    ok = set_full_name (run, record, cell->text, &error);
  else if (field->type == KT_FIELD_REF || field->type == KT_FIELD_REF_ANY)
    ok = set_reference (run, target, record, cell->text, row, &message);
  else if (field->type == KT_FIELD_MANY)
    ok = set_many (run, target, record, cell->text, &message);
  else if (target->fraction)
    ok = set_percent_fraction (target, record, cell->text, &error);
  else
    {
      KtValue value = KT_VALUE_INIT;

      ok = kt_value_parse (field, cell->text, run->plan->locale, currency, &value, &error);
      if (ok)
        {
          kt_value_clear (&record->values[field->index]);
          record->values[field->index] = value;
        }
    }
  if (!ok)
    add_problem (run, row, target->name, message != NULL ? message : error->message);
  return ok;
}

/* ---- commits ---- */

static gboolean
commit (Run     *run,
        GError **error)
{
  KtChangeSet *changes = NULL;
  gboolean ok;

  if (run->mutation == NULL)
    return TRUE;
  ok = kt_local_commit (run->local, run->mutation, NULL, &changes, error);
  if (ok && changes != NULL && run->change_sets != NULL)
    g_ptr_array_add (run->change_sets, changes);
  else if (changes != NULL)
    kt_change_set_unref (changes);
  g_clear_pointer (&run->mutation, kt_mutation_free);
  g_array_set_size (run->rows, 0);
  return ok;
}

/* ---- one row ---- */

/* A required title that no column gives is made of what the row refers to: "Cancity – GTX Plus Basic". */
static void
compose_title (Run             *run,
               KtRecord        *record,
               const KtCsvCell *cells,
               guint            n)
{
  const KtField *title = run->object->title;
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GHashTable) used = g_hash_table_new (NULL, NULL);
  guint parts = 0;

  if (title->computed || title->storage != KT_VALUE_TEXT || !title->required || record->values[title->index].type != KT_VALUE_NULL)
    return;
  for (guint i = 0; i < run->targets->len && parts < 2; i++)
    {
      static const char *const telling[] = { "account", "contact", "primary_contact", "product", "parent" };
      const Target *target = &g_array_index (run->targets, Target, i);

      if (target->path.field == NULL || target->cell >= n || is_blank (run, &cells[target->cell]))
        continue;
      for (guint k = 0; k < G_N_ELEMENTS (telling); k++)
        if (strcmp (target->path.field->name, telling[k]) == 0 && g_hash_table_add (used, (gpointer) target->path.field))
          {
            g_string_append_printf (text, "%s%s", parts++ > 0 ? " – " : "", cells[target->cell].text);
            break;
          }
    }
  if (parts == 0)
    {
      const char *external = kt_record_text (record, "external_id");

      if (external != NULL)
        g_string_append (text, external);
    }
  if (text->len > 0)
    kt_value_parse (title, text->str, run->plan->locale, NULL, &record->values[title->index], NULL);
}

static const Target *
find_target (Run        *run,
             const char *field,
             const char *part)
{
  for (guint i = 0; i < run->targets->len; i++)
    {
      const Target *target = &g_array_index (run->targets, Target, i);

      if (target->path.field != NULL && strcmp (target->path.field->name, field) == 0 && g_strcmp0 (target->path.part, part) == 0)
        return target;
    }
  return NULL;
}

/* The record a row is about, when it exists: by id, or by the match field. FALSE: a problem was reported. */
static gboolean
find_existing (Run             *run,
               const KtCsvCell *cells,
               guint            n,
               guint64          row,
               KtId            *id,
               gboolean        *exists,
               char           **match_key)
{
  const KtField *field;
  const Target *target;
  KtValue value = KT_VALUE_INIT;
  g_autoptr (KtQuery) query = NULL;
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (GError) error = NULL;
  const KtId *own;

  *exists = FALSE;
  *match_key = NULL;
  for (guint i = 0; i < run->targets->len; i++)
    {
      const Target *by_id = &g_array_index (run->targets, Target, i);

      if (!by_id->path.is_id || by_id->cell >= n || is_blank (run, &cells[by_id->cell]))
        continue;
      if (!kt_id_parse (cells[by_id->cell].text, -1, id))
        {
          add_problem (run, row, by_id->name, "This is not an id of Kontor.");
          return FALSE;
        }
      {
        g_autoptr (KtRecord) record = kt_local_load (run->local, run->object, id, NULL);

        *exists = record != NULL;
      }
      return TRUE;
    }
  if (run->plan->match == NULL || strcmp (run->plan->match, "id") == 0)
    return TRUE;
  field = kt_object_field (run->object, run->plan->match);
  target = find_target (run, field->name, NULL);
  if (target == NULL || target->cell >= n || is_blank (run, &cells[target->cell]))
    return TRUE;
  *match_key = name_key (run->object, cells[target->cell].text);
  own = g_hash_table_lookup (run->matched, *match_key);
  if (own != NULL)
    {
      *id = *own;
      *exists = TRUE;
      return TRUE;
    }
  if (_kt_import_splits_name (field))
    {
      if (kt_local_find (run->local, run->object, cells[target->cell].text, id, &error))
        *exists = TRUE;
      else if (!g_error_matches (error, KT_ERROR, KT_ERROR_NOT_FOUND))
        {
          add_problem (run, row, target->name, error->message);
          return FALSE;
        }
      return TRUE;
    }
  if (!kt_value_parse (field, cells[target->cell].text, run->plan->locale, run->currency, &value, &error))
    {
      /* References are matched by the name of what they point to. */
      g_autofree char *message = NULL;
      const KtObject *object;
      KtId ref;

      if ((field->type != KT_FIELD_REF && field->type != KT_FIELD_REF_ANY) ||
          look_up (run, field, target->path.target, cells[target->cell].text, FALSE, &object, &ref, &message) != FOUND)
        {
          add_problem (run, row, target->name, message != NULL ? message : error->message);
          return FALSE;
        }
      if (field->storage == KT_VALUE_ANY)
        kt_value_set_any (&value, object->name, &ref);
      else
        kt_value_set_id (&value, &ref);
      g_clear_error (&error);
    }
  query = kt_query_new (run->object);
  query->filter = kt_filter_compare (field, KT_OP_EQ, &value);
  query->limit = 2;
  kt_value_clear (&value);
  rids = kt_local_query (run->local, query, NULL, &error);
  if (rids != NULL && rids->len > 1)
    {
      g_autofree char *message = g_strdup_printf ("Several records have this value (%s); it cannot tell which is meant.",
                                                  kt_field_label (field, run->plan->locale));

      add_problem (run, row, target->name, message);
      return FALSE;
    }
  if (rids != NULL && rids->len == 1)
    found = kt_local_rows (run->local, run->object, (const gint64 *) rids->data, 1, &error);
  if (error != NULL)
    {
      add_problem (run, row, target->name, error->message);
      return FALSE;
    }
  if (found != NULL && found->len == 1 && g_ptr_array_index (found, 0) != NULL)
    {
      *id = ((KtRecord *) g_ptr_array_index (found, 0))->id;
      *exists = TRUE;
    }
  return TRUE;
}

static const char *
row_currency (Run             *run,
              const KtField   *field,
              const KtCsvCell *cells,
              guint            n)
{
  const Target *target = find_target (run, field->name, "currency");

  if (target == NULL)
    target = find_target (run, "currency", NULL);
  if (target != NULL && target->cell < n && strlen (cells[target->cell].text) == 3 && !is_blank (run, &cells[target->cell]))
    return cells[target->cell].text;
  return run->currency;
}

static void
report_row (Run             *run,
            const KtCsvCell *cells,
            guint            n,
            guint64          row)
{
  g_autoptr (GPtrArray) out = NULL;
  g_autofree char *row_text = NULL;
  g_autoptr (GError) error = NULL;

  run->result->failed++;
  if (run->report == NULL)
    return;
  out = g_ptr_array_new ();
  row_text = g_strdup_printf ("%" G_GUINT64_FORMAT, row);
  for (guint i = 0; i < run->n_header; i++)
    g_ptr_array_add (out, (gpointer) (i < n ? cells[i].text : ""));
  g_ptr_array_add (out, row_text);
  g_ptr_array_add (out, run->reason->str);
  kt_csv_write_row (run->report, (const char *const *) out->pdata, out->len, FALSE);
}

static gboolean
flush_report (Run     *run,
              GError **error)
{
  if (run->report == NULL || run->report->len == 0)
    return TRUE;
  if (!g_output_stream_write_all (run->report_stream, run->report->str, run->report->len, NULL, NULL, error))
    return FALSE;
  g_string_truncate (run->report, 0);
  return TRUE;
}

static gboolean
take_row (Run             *run,
          const KtCsvCell *cells,
          guint            n,
          guint64          row)
{
  const KtEnv *env = kt_local_env (run->local);
  KtId id = KT_ID_NIL;
  gboolean exists = FALSE, good;
  g_autofree char *match_key = NULL;
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) after = NULL;
  guint later_before = run->later->len;
  GPtrArray *problems;

  g_string_truncate (run->reason, 0);
  good = find_existing (run, cells, n, row, &id, &exists, &match_key);
  if (good && exists)
    {
      g_autoptr (GError) error = NULL;

      /* The record of an earlier row of this file may still be waiting to be committed. */
      before = kt_local_load (run->local, run->object, &id, &error);
      if (before == NULL && !run->dry && error == NULL && commit (run, &error))
        before = kt_local_load (run->local, run->object, &id, &error);
      if (error != NULL)
        {
          add_problem (run, row, NULL, error->message);
          good = FALSE;
        }
      else if (before == NULL && !run->dry)
        {
          add_problem (run, row, NULL, "The record of an earlier row of this file with the same key is not there.");
          good = FALSE;
        }
    }
  if (kt_id_is_nil (&id))
    id = kt_id_new (env);
  after = before != NULL ? kt_record_copy (before) : kt_record_new (run->object, &id);
  if (before == NULL)
    kt_record_apply_defaults (after);
  for (guint i = 0; good && i < run->targets->len; i++)
    {
      const Target *target = &g_array_index (run->targets, Target, i);

      if (target->cell >= n || is_blank (run, &cells[target->cell]))
        continue;
      /* Every cell is looked at, so that the report names all that is wrong with the row. */
      set_cell (run, target, after, &cells[target->cell],
                target->path.field != NULL ? row_currency (run, target->path.field, cells, n) : run->currency, row);
    }
  good = good && run->reason->len == 0;
  if (good)
    {
      compose_title (run, after, cells, n);
      if (before == NULL && kt_object_field (run->object, "user_name") == run->object->fields[0] &&
          after->values[0].type == KT_VALUE_NULL && kt_record_text (after, "name") != NULL)
        kt_value_set_text (&after->values[0], kt_record_text (after, "name"));
      problems = kt_rules_check (before, after, run->plan->locale);
      for (guint i = 0; problems != NULL && i < problems->len; i++)
        {
          const KtProblem *problem = g_ptr_array_index (problems, i);
          const Target *target = problem->field != NULL ? find_target (run, problem->field->name, NULL) : NULL;

          add_problem (run, row, target != NULL ? target->name : NULL, problem->message);
        }
      if (problems != NULL)
        g_ptr_array_unref (problems);
      good = run->reason->len == 0;
    }
  if (!good)
    {
      g_array_set_size (run->later, later_before);
      report_row (run, cells, n, row);
      return FALSE;
    }
  if (before != NULL)
    {
      if (run->dry || add_record (run, before, after, row) != NULL)
        {
          g_autoptr (KtPatch) patch = kt_patch_diff (before, after);

          if (kt_patch_length (patch) > 0)
            run->result->updated++;
          else
            run->result->unchanged++;
        }
      else
        run->result->unchanged++;
    }
  else if (exists)
    run->result->updated++;    /* dry run: the row repeats the key of an earlier new one */
  else
    {
      if (!run->dry)
        add_record (run, NULL, after, row);
      run->result->created++;
    }
  remember_own (run, after);
  if (match_key != NULL)
    g_hash_table_insert (run->matched, g_steal_pointer (&match_key), kt_id_copy (&after->id));
  return TRUE;
}

/* ---- after the last row ---- */

/* References to rows that stood later in the file. */
static gboolean
settle_later (Run     *run,
              GError **error)
{
  for (guint i = 0; i < run->later->len; i++)
    {
      const Later *later = &g_array_index (run->later, Later, i);
      const KtObject *object = NULL;
      g_autofree char *message = NULL;
      g_autoptr (KtRecord) before = NULL;
      g_autoptr (KtRecord) after = NULL;
      KtValue *slot;
      KtId id;

      g_string_truncate (run->reason, 0);
      if (look_up (run, later->field, later->target, later->text, FALSE, &object, &id, &message) != FOUND)
        {
          g_autofree char *text = g_strdup_printf ("%s The row was imported without it.", message);

          add_problem (run, later->row, later->column, text);
          continue;
        }
      if (run->dry)
        continue;
      before = kt_local_load (run->local, run->object, &later->id, error);
      if (before == NULL)
        return FALSE;
      after = kt_record_copy (before);
      slot = &after->values[later->field->index];
      kt_value_clear (slot);
      if (later->field->storage == KT_VALUE_ANY)
        kt_value_set_any (slot, object->name, &id);
      else
        kt_value_set_id (slot, &id);
      add_record (run, before, after, later->row);
      if (run->mutation != NULL && run->mutation->ops->len >= CHUNK_RECORDS && !commit (run, error))
        return FALSE;
    }
  return commit (run, error);
}

/* ---- before the first row ---- */

static gboolean
prepare_targets (Run     *run,
                 GError **error)
{
  KtImportPlan *plan = run->plan;

  for (guint i = 0; i < plan->columns->len; i++)
    {
      const KtImportColumn *column = g_ptr_array_index (plan->columns, i);
      Target target = { .cell = column->again_of > 0 ? column->again_of - 1 : i, .name = column->column };

      if (column->field == NULL)
        continue;
      if (!_kt_import_path_parse (run->object, column->field, &target.path, error))
        return FALSE;
      g_array_append_val (run->targets, target);
    }
  return TRUE;
}

/* Whether a column of per cents is written as fractions can only be seen over many rows. */
static gboolean
survey_percents (Run     *run,
                 GError **error)
{
  g_autoptr (KtImportSource) source = NULL;
  const KtCsvCell *cells;
  gboolean any = FALSE;
  guint n;
  guint64 row, rows = 0;
  g_autoptr (GError) local_error = NULL;

  for (guint i = 0; i < run->targets->len; i++)
    {
      const Target *target = &g_array_index (run->targets, Target, i);

      any = any || (target->path.field != NULL && target->path.field->type == KT_FIELD_PERCENT);
    }
  if (!any)
    return TRUE;
  source = _kt_import_source_open (run->plan->path, run->plan->encoding, run->plan->separator, error);
  if (source == NULL)
    return FALSE;
  while (rows++ < SURVEY_ROWS && (cells = _kt_import_source_next (source, &n, &row, &local_error)) != NULL)
    for (guint i = 0; rows > 1 && i < run->targets->len; i++)
      {
        Target *target = &g_array_index (run->targets, Target, i);
        char currency[4];
        gint64 mantissa;

        if (target->path.field == NULL || target->path.field->type != KT_FIELD_PERCENT || target->cell >= n ||
            is_blank (run, &cells[target->cell]))
          continue;
        if (strchr (cells[target->cell].text, '%') != NULL)
          target->largest = 100;
        else if (kt_decimal_parse_loose (cells[target->cell].text, KT_DECIMAL_MAX_SCALE, 0, &mantissa, currency, NULL))
          {
            double value = (double) ABS (mantissa) / 1e9;    /* a survey, not a value that is kept */

            target->largest = MAX (target->largest, value);
            target->has_fraction = target->has_fraction || mantissa % G_GINT64_CONSTANT (1000000000) != 0;
          }
      }
  for (guint i = 0; i < run->targets->len; i++)
    {
      Target *target = &g_array_index (run->targets, Target, i);

      target->fraction = target->has_fraction && target->largest <= 1;
      if (target->fraction)
        g_ptr_array_add (run->result->notes, g_strdup_printf ("%s: fractions such as 0.15 were read as 15 %%.", target->name));
    }
  return TRUE;
}

static gboolean
open_report (Run        *run,
             const char *path,
             GError    **error)
{
  g_autoptr (GPtrArray) out = NULL;

  if (path == NULL)
    return TRUE;
  run->report_file = g_file_new_for_path (path);
  run->report_stream = G_OUTPUT_STREAM (g_file_replace (run->report_file, NULL, FALSE, G_FILE_CREATE_PRIVATE, NULL, error));
  if (run->report_stream == NULL)
    {
      g_prefix_error (error, "The report of rejected rows cannot be written: ");
      return FALSE;
    }
  run->report = g_string_new ("\xef\xbb\xbf");
  out = g_ptr_array_new ();
  for (guint i = 0; i < run->n_header; i++)
    g_ptr_array_add (out, run->header[i]);
  g_ptr_array_add (out, (gpointer) "row");
  g_ptr_array_add (out, (gpointer) "reason");
  kt_csv_write_row (run->report, (const char *const *) out->pdata, out->len, FALSE);
  return TRUE;
}

/* The report appears whole, or not at all when every row went in. */
static gboolean
close_report (Run     *run,
              GError **error)
{
  if (run->report_stream == NULL)
    return TRUE;
  if (run->result->failed == 0)
    {
      g_autoptr (GCancellable) cancelled = g_cancellable_new ();

      g_cancellable_cancel (cancelled);
      g_output_stream_close (run->report_stream, cancelled, NULL);    /* a cancelled close drops the new file */
      return TRUE;
    }
  if (!flush_report (run, error) || !g_output_stream_close (run->report_stream, NULL, error))
    return FALSE;
  run->result->report = g_file_get_path (run->report_file);
  return TRUE;
}

static void
run_clear (Run *run)
{
  g_clear_pointer (&run->targets, g_array_unref);
  g_clear_pointer (&run->known, g_hash_table_unref);
  g_clear_pointer (&run->own, g_hash_table_unref);
  g_clear_pointer (&run->matched, g_hash_table_unref);
  g_clear_pointer (&run->later, g_array_unref);
  g_clear_pointer (&run->mutation, kt_mutation_free);
  g_clear_pointer (&run->rows, g_array_unref);
  if (run->report_stream != NULL && !g_output_stream_is_closed (run->report_stream))
    {
      g_autoptr (GCancellable) cancelled = g_cancellable_new ();

      g_cancellable_cancel (cancelled);
      g_output_stream_close (run->report_stream, cancelled, NULL);
    }
  g_clear_object (&run->report_stream);
  g_clear_object (&run->report_file);
  if (run->report != NULL)
    g_string_free (run->report, TRUE);
  if (run->reason != NULL)
    g_string_free (run->reason, TRUE);
  g_clear_pointer (&run->header, g_strfreev);
  g_clear_pointer (&run->result, kt_import_result_free);
}

static gboolean
read_rows (Run              *run,
           KtImportSource   *source,
           KtImportProgress  progress,
           gpointer          data,
           GCancellable     *cancellable,
           GError          **error)
{
  g_autoptr (GError) local_error = NULL;
  const KtCsvCell *cells;
  guint n;
  guint64 row;

  while ((cells = _kt_import_source_next (source, &n, &row, &local_error)) != NULL)
    {
      if (g_cancellable_is_cancelled (cancellable))
        break;
      run->result->read++;
      take_row (run, cells, n, row);
      if (run->mutation != NULL && run->mutation->ops->len >= CHUNK_RECORDS && !commit (run, error))
        return FALSE;
      if (run->result->read % CHUNK_RECORDS == 0)
        {
          if (!flush_report (run, error))
            return FALSE;
          if (progress != NULL)
            progress (source->fed, source->total, run->result->read, data);
        }
    }
  if (local_error != NULL)
    {
      /* What was read is good and goes in; the file is broken from here on, and that is said. */
      g_string_truncate (run->reason, 0);
      add_problem (run, row, NULL, local_error->message);
      run->result->failed++;
    }
  if (progress != NULL)
    progress (source->fed, source->total, run->result->read, data);
  return commit (run, error);
}

KtImportResult *
kt_import_run (KtLocal          *local,
               KtImportPlan     *plan,
               gboolean          dry_run,
               const char       *report_path,
               KtImportProgress  progress,
               gpointer          data,
               GCancellable     *cancellable,
               GPtrArray        *change_sets,
               GError          **error)
{
  __attribute__ ((cleanup (run_clear))) Run run = { .local = local, .plan = plan, .object = plan->object, .dry = dry_run };
  g_autoptr (KtImportSource) source = NULL;
  const KtIdentity *identity;
  const KtCsvCell *cells;
  guint n;
  guint64 row;

  g_return_val_if_fail (local != NULL && plan != NULL, NULL);

  identity = kt_local_identity (local);
  if (identity == NULL)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_AUTH, "Not signed in: sign in before importing.");
      return NULL;
    }
  {
    g_autofree char *reason = NULL;

    if (!kt_access_may (&identity->access, KT_MAY_CREATE, plan->object, NULL, plan->locale, &reason))
      {
        g_set_error_literal (error, KT_ERROR, KT_ERROR_FORBIDDEN, reason);
        return NULL;
      }
  }
  if (!kt_import_plan_check (plan, error))
    return NULL;
  run.result = g_new0 (KtImportResult, 1);
  run.result->errors = g_ptr_array_new_with_free_func (import_error_free);
  run.result->notes = g_ptr_array_new_with_free_func (g_free);
  run.targets = g_array_new (FALSE, TRUE, sizeof (Target));
  run.known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  run.own = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  run.matched = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  run.later = g_array_new (FALSE, FALSE, sizeof (Later));
  g_array_set_clear_func (run.later, later_clear);
  run.rows = g_array_new (FALSE, FALSE, sizeof (guint64));
  run.reason = g_string_new (NULL);
  run.change_sets = change_sets;
  run.currency = identity->currency;
  if (!dry_run)
    {
      KtId batch = kt_id_new (kt_local_env (local));

      run.result->batch = kt_id_to_string (&batch);
    }
  if (!prepare_targets (&run, error) || !survey_percents (&run, error))
    return NULL;
  source = _kt_import_source_open (plan->path, plan->encoding, plan->separator, error);
  if (source == NULL)
    return NULL;
  cells = _kt_import_source_next (source, &n, &row, error);
  if (cells == NULL)
    {
      if (error != NULL && *error == NULL)
        g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s is empty.", plan->path);
      return NULL;
    }
  run.n_header = n;
  run.header = g_new0 (char *, n + 1);
  for (guint i = 0; i < n; i++)
    run.header[i] = g_strdup (cells[i].text);
  if (!open_report (&run, report_path, error))
    return NULL;
  if (!read_rows (&run, source, progress, data, cancellable, error) || !settle_later (&run, error) ||
      !close_report (&run, error))
    return NULL;
  return g_steal_pointer (&run.result);
}

gboolean
kt_import_undo (KtLocal     *local,
                const char  *batch,
                guint       *records,
                GPtrArray   *change_sets,
                GError     **error)
{
  g_autoptr (GArray) numbers = kt_local_batch (local, batch, error);
  guint count = 0;

  if (numbers == NULL)
    return FALSE;
  for (guint i = 0; i < numbers->len; i++)
    {
      gint64 no = g_array_index (numbers, gint64, i);
      g_autoptr (GError) local_error = NULL;
      g_autoptr (KtMutation) inverse = kt_local_inverse (local, no, error);
      KtChangeSet *changes = NULL;

      if (inverse == NULL)
        return FALSE;
      count += inverse->ops->len;
      if (!kt_local_undo (local, no, &changes, &local_error))
        {
          if (!g_error_matches (local_error, KT_ERROR, KT_ERROR_CONFLICT) &&
              !g_error_matches (local_error, KT_ERROR, KT_ERROR_NOT_FOUND))
            {
              g_propagate_error (error, g_steal_pointer (&local_error));
              return FALSE;
            }
          if (inverse->ops->len > 0 && !kt_local_commit (local, inverse, NULL, &changes, error))
            return FALSE;
        }
      if (changes != NULL && change_sets != NULL)
        g_ptr_array_add (change_sets, changes);
      else
        g_clear_pointer (&changes, kt_change_set_unref);
    }
  if (records != NULL)
    *records = count;
  return TRUE;
}
