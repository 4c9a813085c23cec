/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Names into records. A name may stand for a record of the profile, for one of the file that is being read, or, when
 * the person allowed that, for one to be made. Rows of the file are remembered only where the file can refer to itself:
 * otherwise memory would grow with it. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-text.h"
#include "proto/kt-rules.h"

#define MAX_CACHE 200000
#define MAX_OWN 1000000
#define MAX_TITLES 50000

typedef struct
{
  KtId id;
  gboolean several;
} Own;

typedef struct
{
  KtId id;
  char *title;
  gboolean fits;      /* for records of the object imported */
  gboolean preferred; /* the default of the field */
} Pipeline;

struct _KtImportNames
{
  gboolean self;      /* the file can refer to its own rows */
  GHashTable *own;    /* level + name → Own */
  GHashTable *known;  /* object \x1f name → KtId: found in the profile */
  GHashTable *made;   /* the same, made on the way */
  GHashTable *titles; /* id text → title */
  GHashTable *stages; /* pipeline id \x1f squashed name → KtId; NULL: not read yet */
  GArray *pipelines;  /* Pipeline */
};

static void
pipeline_clear (gpointer data)
{
  g_free (((Pipeline *) data)->title);
}

KtImportNames *
_kt_import_names_new (KtImportRun *run)
{
  KtImportNames *names = g_new0 (KtImportNames, 1);

  names->own = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  names->known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  names->made = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  names->titles = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; i < run->targets->len; i++)
    {
      const KtImportTarget *target = &g_array_index (run->targets, KtImportTarget, i);
      const KtField *field = target->path.field;

      if (field != NULL && field->to != NULL
          && (target->path.target == NULL || target->path.target == run->object)
          && kt_field_accepts (field, run->object->name))
        names->self = TRUE;
    }
  return names;
}

void
_kt_import_names_free (KtImportNames *names)
{
  if (names == NULL)
    return;
  g_hash_table_unref (names->own);
  g_hash_table_unref (names->known);
  g_hash_table_unref (names->made);
  g_hash_table_unref (names->titles);
  g_clear_pointer (&names->stages, g_hash_table_unref);
  g_clear_pointer (&names->pipelines, g_array_unref);
  g_free (names);
}

static char *
name_key (const KtObject *object, const char *text)
{
  return g_strdup_printf ("%s\x1f%s", object->name, text);
}

static KtId *
id_copy (const KtId *id)
{
  return g_memdup2 (id, sizeof *id);
}

/* ---- rows of the file ---- */

static void
remember (KtImportNames *names, char level, const char *text, const KtId *id)
{
  g_autofree char *key = NULL;
  Own *own;

  if (text == NULL || *text == '\0')
    return;
  key = g_strdup_printf ("%c%s", level, text);
  own = g_hash_table_lookup (names->own, key);
  if (own != NULL)
    {
      own->several = own->several || !kt_id_equal (&own->id, id);
      return;
    }
  own = g_new0 (Own, 1);
  own->id = *id;
  g_hash_table_insert (names->own, g_steal_pointer (&key), own);
}

void
_kt_import_remember (KtImportRun *run, const KtRecord *record)
{
  static const char *const codes[] = { "external_id", "number", "user_name", "sku", "code" };
  g_autofree char *title = NULL;
  g_autofree char *folded = NULL;
  g_autofree char *squashed = NULL;

  if (!run->names->self)
    return;
  if (run->dry && g_hash_table_size (run->names->own) > MAX_OWN)
    {
      run->forgetful = TRUE;
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    remember (run->names, '!', kt_record_text (record, codes[i]), &record->id);
  if (_kt_import_splits_name (record->object->title))
    {
      const char *first = kt_record_text (record, "first_name"),
                 *last = kt_record_text (record, "last_name");

      title = g_strjoin (first != NULL && last != NULL ? " " : "", first != NULL ? first : "", last,
                         NULL);
    }
  else
    title = g_strdup (kt_record_text (record, record->object->title->name));
  if (title == NULL)
    return;
  folded = kt_text_fold (title);
  squashed = kt_text_squash (title);
  remember (run->names, '=', title, &record->id);
  remember (run->names, '~', folded, &record->id);
  remember (run->names, '#', squashed, &record->id);
}

void
_kt_import_forget (KtImportRun *run)
{
  g_hash_table_remove_all (run->names->own);
}

/* NULL: no row of this file so far. */
static const Own *
find_own (KtImportRun *run, const char *text)
{
  g_autofree char *folded = kt_text_fold (text);
  g_autofree char *squashed = kt_text_squash (text);
  const char *const forms[] = { text, text, folded, squashed };
  const Own *own = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (forms) && own == NULL; i++)
    {
      g_autofree char *key = g_strdup_printf ("%c%s", "!=~#"[i], forms[i]);

      own = *forms[i] != '\0' ? g_hash_table_lookup (run->names->own, key) : NULL;
    }
  return own;
}

/* ---- making what is missing ---- */

/* A record of nothing but its name. */
static gboolean
make_named (KtImportRun *run, const KtObject *object, const char *text, KtId *out)
{
  KtId id = kt_id_new (kt_local_env (run->local));
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (KtRecord) whole = NULL;
  const KtField *user_name = kt_object_field (object, "user_name");
  const KtAccess *access = &kt_local_identity (run->local)->access;

  if (!kt_access_may (access, KT_MAY_CREATE, object, NULL, run->plan->locale, NULL)
      || object->title->type == KT_FIELD_AUTO_NUMBER || object->title->storage != KT_VALUE_TEXT)
    return FALSE;
  record = kt_record_new (object, &id);
  if (_kt_import_splits_name (object->title))
    {
      if (!_kt_import_set_full_name (run, record, text, NULL))
        return FALSE;
    }
  else if (object->title->computed
           || !kt_value_parse (object->title, text, run->plan->locale, run->currency,
                               &record->values[object->title->index], NULL))
    return FALSE;
  if (user_name != NULL && kt_value_is_null (&record->values[user_name->index]))
    kt_value_set_text (&record->values[user_name->index], text);
  whole = kt_record_copy (record);
  kt_record_apply_defaults (whole);
  if (!kt_rules_check_error (NULL, whole, run->plan->locale, NULL))
    return FALSE;
  if (!run->dry)
    _kt_import_add (run, NULL, record, 0);
  if (object == run->object)
    _kt_import_remember (run, record);
  *out = id;
  return TRUE;
}

/* ---- looking up ---- */

/* One object, one text. FALSE with @ambiguous set: several. */
static gboolean
find_one (KtImportRun *run, const KtObject *object, const char *text, KtId *id, char **ambiguous)
{
  KtImportNames *names = run->names;
  g_autofree char *key = name_key (object, text);
  g_autoptr (GError) error = NULL;
  const KtId *known = g_hash_table_lookup (names->made, key);
  const Own *own = NULL;
  gboolean found;

  if (known == NULL)
    known = g_hash_table_lookup (names->known, key);
  if (known != NULL)
    {
      *id = *known;
      return TRUE;
    }
  if (object == run->object)
    own = find_own (run, text);
  found = kt_local_find (run->local, object, text, id, &error);
  if (!found && !g_error_matches (error, KT_ERROR, KT_ERROR_NOT_FOUND))
    {
      if (*ambiguous == NULL)
        *ambiguous = g_strdup (error->message);
      return FALSE;
    }
  if (own != NULL && (own->several || (found && !kt_id_equal (&own->id, id))))
    {
      if (*ambiguous == NULL)
        *ambiguous = g_strdup_printf (
          "“%s” is the name of several rows or records. Give an id, a number or an external ID.",
          text);
      return FALSE;
    }
  if (own != NULL)
    {
      *id = own->id;
      return TRUE;
    }
  if (found && object != run->object && g_hash_table_size (names->known) < MAX_CACHE)
    g_hash_table_insert (names->known, g_steal_pointer (&key), id_copy (id));
  return found;
}

static char *
say_missing (KtImportRun *run, const KtField *field, const KtObject *only, const char *text)
{
  const KtObject *object = only;

  if (object == NULL && field->to[1] == NULL)
    object = kt_schema_object (run->object->schema, field->to[0]);
  if (object == NULL)
    return g_strdup_printf (
      "There is nothing called “%s” that %s can refer to. Write object:name to say what it is.",
      text, kt_field_label (field, run->plan->locale));
  return g_strdup_printf (
    "There is no %s called “%s”. Import it first, or let missing ones be made.",
    kt_object_label (object, run->plan->locale), text);
}

KtImportLookup
_kt_import_look_up (KtImportRun *run,
                    const KtField *field,
                    const KtObject *only,
                    const char *source,
                    const char *text,
                    gboolean may_wait,
                    const KtObject **object,
                    KtId *id,
                    char **message)
{
  g_autofree char *ambiguous = NULL;
  g_autofree char *sourced = source != NULL ? g_strdup_printf ("%s:%s", source, text) : NULL;
  const char *single[] = { only != NULL ? only->name : NULL, NULL };
  const char *const *names = only != NULL ? single : (const char *const *) field->to;
  gboolean own = FALSE;
  guint found = 0;

  for (guint i = 0; names[i] != NULL; i++)
    {
      const KtObject *target = kt_schema_object (run->object->schema, names[i]);
      KtId candidate;

      if (target == NULL)
        continue;
      own = own || target == run->object;
      if ((sourced == NULL || !find_one (run, target, sourced, &candidate, &ambiguous))
          && !find_one (run, target, text, &candidate, &ambiguous))
        continue;
      if (found++ == 0)
        {
          *object = target;
          *id = candidate;
        }
    }
  if (found == 1)
    return KT_IMPORT_FOUND;
  if (found > 1)
    {
      *message =
        g_strdup_printf ("“%s” could be several things: write object:name, for example %s:%s.",
                         text, (*object)->name, text);
      return KT_IMPORT_FAILED;
    }
  if (ambiguous != NULL)
    {
      *message = g_steal_pointer (&ambiguous);
      return KT_IMPORT_FAILED;
    }
  if (own && may_wait)
    return KT_IMPORT_NOT_YET;
  if (run->plan->create_missing && names[0] != NULL && names[1] == NULL)
    {
      const KtObject *target = kt_schema_object (run->object->schema, names[0]);

      if (target != NULL && make_named (run, target, text, id))
        {
          *object = target;
          g_hash_table_insert (run->names->made, name_key (target, text), id_copy (id));
          return KT_IMPORT_FOUND;
        }
    }
  *message = say_missing (run, field, only, text);
  return KT_IMPORT_FAILED;
}

char *
_kt_import_title_of (KtImportRun *run, const KtObject *object, const KtId *id)
{
  KtRefKey key = { object, *id };
  char text[KT_ID_TEXT_SIZE];
  const char *known;
  g_autoptr (GPtrArray) found = NULL;

  kt_id_format (id, text);
  known = g_hash_table_lookup (run->names->titles, text);
  if (known != NULL)
    return g_strdup (known);
  found = kt_local_titles (run->local, &key, 1, NULL);
  if (found == NULL || found->len == 0 || g_ptr_array_index (found, 0) == NULL)
    return NULL;
  if (g_hash_table_size (run->names->titles) < MAX_TITLES)
    g_hash_table_insert (run->names->titles, g_strdup (text),
                         g_strdup (g_ptr_array_index (found, 0)));
  return g_strdup (g_ptr_array_index (found, 0));
}

/* ---- stages ---- */

static char *
stage_key (const KtId *pipeline, const char *squashed)
{
  char text[KT_ID_TEXT_SIZE];

  kt_id_format (pipeline, text);
  return g_strdup_printf ("%s\x1f%s", text, squashed);
}

static GPtrArray *
read_all (KtImportRun *run, const char *name, GError **error)
{
  const KtObject *object = kt_schema_object (run->object->schema, name);
  g_autoptr (KtQuery) query = NULL;
  g_autoptr (GArray) rids = NULL;

  if (object == NULL)
    return g_ptr_array_new ();
  query = kt_query_new (object);
  query->limit = 10000;
  rids = kt_local_query (run->local, query, NULL, error);
  return rids != NULL ? kt_local_rows (run->local, object, (const gint64 *) (gpointer) rids->data,
                                       rids->len, error)
                      : NULL;
}

static void
put_stage (GHashTable *stages, const KtRecord *stage, const KtId *pipeline, const char *name)
{
  g_autofree char *squashed = name != NULL ? kt_text_squash (name) : NULL;

  if (squashed != NULL && *squashed != '\0')
    g_hash_table_insert (stages, stage_key (pipeline, squashed), id_copy (&stage->id));
}

static gboolean
read_stages (KtImportRun *run, GError **error)
{
  KtImportNames *names = run->names;
  const KtField *field = kt_object_field (run->object, "pipeline");
  g_autoptr (GPtrArray) pipelines = NULL;
  g_autoptr (GPtrArray) stages = NULL;

  if (names->stages != NULL)
    return TRUE;
  pipelines = read_all (run, "pipeline", error);
  stages = pipelines != NULL ? read_all (run, "pipeline_stage", error) : NULL;
  if (stages == NULL)
    return FALSE;
  names->stages = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  names->pipelines = g_array_new (FALSE, TRUE, sizeof (Pipeline));
  g_array_set_clear_func (names->pipelines, pipeline_clear);
  for (guint i = 0; i < pipelines->len; i++)
    {
      const KtRecord *record = g_ptr_array_index (pipelines, i);
      Pipeline pipeline = { 0 };
      char text[KT_ID_TEXT_SIZE];

      if (record == NULL)
        continue;
      kt_id_format (&record->id, text);
      pipeline.id = record->id;
      pipeline.title = kt_record_title (record, run->plan->locale);
      pipeline.fits = g_strcmp0 (kt_record_text (record, "object_type"), run->object->name) == 0;
      pipeline.preferred =
        field != NULL && g_strcmp0 (kt_json_string (field->default_value, NULL), text) == 0;
      g_array_append_val (names->pipelines, pipeline);
    }
  for (guint i = 0; i < stages->len; i++)
    {
      const KtRecord *stage = g_ptr_array_index (stages, i);
      const KtValue *of = stage != NULL ? kt_record_get (stage, "pipeline") : NULL;
      const KtValue *translations = stage != NULL && stage->object->translations != NULL
                                      ? &stage->values[stage->object->translations->index]
                                      : NULL;
      g_autoptr (KtJson) json = NULL;

      if (of == NULL || of->type != KT_VALUE_ID)
        continue;
      put_stage (names->stages, stage, &of->v.ref.id, kt_record_text (stage, "name"));
      if (translations != NULL && translations->type == KT_VALUE_JSON)
        json = kt_json_parse (translations->v.text, -1, NULL);
      for (guint k = 0; k < kt_json_length (json); k++)
        put_stage (names->stages, stage, &of->v.ref.id,
                   kt_json_string (kt_json_at (json, k), NULL));
    }
  return TRUE;
}

/* The one pipeline that has all of these stages; the default one where several have. */
gboolean
_kt_import_stages_fit (KtImportRun *run,
                       GHashTable *texts,
                       KtId *pipeline,
                       char **title,
                       GError **error)
{
  const Pipeline *best = NULL;
  guint n_best = 0;

  *title = NULL;
  if (!read_stages (run, error))
    return FALSE;
  for (guint i = 0; i < run->names->pipelines->len; i++)
    {
      const Pipeline *candidate = &g_array_index (run->names->pipelines, Pipeline, i);
      GHashTableIter iter;
      gpointer text;
      gboolean all = candidate->fits;

      g_hash_table_iter_init (&iter, texts);
      while (all && g_hash_table_iter_next (&iter, &text, NULL))
        {
          g_autofree char *squashed = kt_text_squash (text);
          g_autofree char *key = stage_key (&candidate->id, squashed);

          all = g_hash_table_contains (run->names->stages, key);
        }
      if (!all)
        continue;
      if (best == NULL || candidate->preferred)
        best = candidate;
      n_best++;
    }
  if (best == NULL || (n_best > 1 && !best->preferred))
    return TRUE;
  *pipeline = best->id;
  *title = g_strdup (best->title);
  return TRUE;
}

gboolean
_kt_import_find_stage (KtImportRun *run,
                       const KtImportTarget *target,
                       const KtRecord *record,
                       const char *text,
                       KtId *id)
{
  const KtValue *own = kt_record_get (record, "pipeline");
  g_autofree char *squashed = kt_text_squash (text);
  const KtId *const pipelines[] = { own != NULL && own->type == KT_VALUE_ID ? &own->v.ref.id : NULL,
                                    kt_id_is_nil (&target->pipeline) ? NULL : &target->pipeline };

  if (!read_stages (run, NULL))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (pipelines); i++)
    {
      g_autofree char *key = pipelines[i] != NULL ? stage_key (pipelines[i], squashed) : NULL;
      const KtId *stage = key != NULL ? g_hash_table_lookup (run->names->stages, key) : NULL;

      if (stage != NULL)
        {
          *id = *stage;
          return TRUE;
        }
    }
  return FALSE;
}
