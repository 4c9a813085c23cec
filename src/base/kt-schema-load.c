/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-schema.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-schema-private.h"

/* From trees to a schema. Two steps: here each object is read by itself, then
 * kt-schema-check.c looks at everything that points from one to another. A
 * schema that comes out is sound: nobody behind it asks again.
 * Files are held to the letter, an unknown member is an error there (a typing
 * mistake). The document a newer server sends may have members we do not know. */

#define MAX_SCHEMA_FILE (4 * 1024 * 1024)

static const char *const kind_words[] = { "object", "activity", "child", "admin", NULL };
static const char *const conflict_words[] = { "merge", "append", "state", "server", NULL };
static const char *const sync_words[] = { "full", "scope", "demand", NULL };

static const char *const object_members[] = { "object",   "kind",    "group",    "visible",
                                              "label",    "plural",  "icon",     "sync",
                                              "conflict", "title",   "subtitle", "translations",
                                              "fields",   "related", "list",     "layout",
                                              "aliases",  "renamed_from", NULL };
static const char *const system_members[] = { "fields", "business", NULL };

/* ---- objects ---- */

static void
object_free (gpointer data)
{
  KtObjectReal *real = data;
  KtObject *object = &real->object;

  if (object->fields != NULL)
    {
      for (guint i = 0; i < object->n_fields; i++)
        {
          g_free ((gpointer) object->fields[i]->options);
          g_free ((gpointer) object->fields[i]->to);
          g_free ((gpointer) object->fields[i]->was);
        }
      /* All of them are one block, the first field its start. */
      if (object->n_fields > 0)
        g_free ((gpointer) object->fields[0]);
      g_free ((gpointer) object->fields);
    }
  g_clear_pointer (&real->by_name, g_hash_table_unref);
  g_free ((gpointer) object->by_name);
  g_free ((gpointer) object->was);
  g_free (real);
}

static int
compare_names_cb (gconstpointer a, gconstpointer b)
{
  const KtField *const *left = a;
  const KtField *const *right = b;

  return strcmp ((*left)->name, (*right)->name);
}

static gboolean
read_fields (KtSchemaLoader *loader, GError **error)
{
  KtObject *object = &loader->object->object;
  const KtJson *lists[3];
  const char *file = loader->file;
  guint total = 0, index = 0;
  KtField *block;

  lists[0] = kt_json_get (object->json, "fields");
  lists[1] = object->kind == KT_KIND_OBJECT || object->kind == KT_KIND_ACTIVITY
               ? kt_json_get (loader->source->system, "business")
               : NULL;
  lists[2] = kt_json_get (loader->source->system, "fields");

  if (kt_json_type (lists[0]) != KT_JSON_ARRAY || kt_json_length (lists[0]) == 0)
    return KT_SCHEMA_FAIL (loader, NULL, object->json, error,
                           "\"fields\" must be a list of fields");
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    total += kt_json_length (lists[i]);
  if (total > KT_SCHEMA_MAX_FIELDS)
    return KT_SCHEMA_FAIL (loader, NULL, object->json, error, "more than %u fields",
                           KT_SCHEMA_MAX_FIELDS);

  block = g_new0 (KtField, total);
  object->fields = g_new0 (const KtField *, total + 1);
  for (guint i = 0; i < total; i++)
    object->fields[i] = &block[i];
  object->n_fields = total;

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    for (guint j = 0; j < kt_json_length (lists[i]); j++)
      {
        KtField *field = &block[index];
        gboolean ok;

        field->object = object;
        field->index = index++;
        field->system = i > 0;
        loader->file = i > 0 ? "system" : file;
        ok = _kt_schema_read_field (loader, field, kt_json_at (lists[i], j), error);
        loader->file = file;
        if (!ok)
          {
            if (i > 0)
              g_prefix_error (error, "in object \"%s\": ", object->name);
            return FALSE;
          }
      }

  object->by_name = g_memdup2 (object->fields, (total + 1) * sizeof *object->fields);
  qsort (object->by_name, total, sizeof *object->by_name, compare_names_cb);
  return TRUE;
}

static gboolean
read_object (KtSchemaLoader *loader, const KtJson *json, GError **error)
{
  KtObject *object = &loader->object->object;
  gboolean visible = FALSE;
  int kind = KT_KIND_OBJECT, conflict = KT_CONFLICT_MERGE, sync = KT_SYNC_SCOPE;

  object->schema = loader->schema;
  object->json = json;
  object->name = g_intern_string (loader->file);

  if (!_kt_schema_check_members (loader, NULL, json, object_members, error)
      || !_kt_schema_read_word (loader, NULL, json, "kind", kind_words, &kind, error)
      || !_kt_schema_read_word (loader, NULL, json, "conflict", conflict_words, &conflict, error)
      || !_kt_schema_read_word (loader, NULL, json, "sync", sync_words, &sync, error)
      || !_kt_schema_read_flag (loader, NULL, json, "visible", &visible, error)
      || !_kt_schema_read_text (loader, NULL, json, "group", &object->group, error)
      || !_kt_schema_read_text (loader, NULL, json, "icon", &object->icon, error)
      || !_kt_schema_read_label (loader, NULL, json, "label", &object->label, error)
      || !_kt_schema_read_label (loader, NULL, json, "plural", &object->plural, error)
      || !_kt_schema_read_was (loader, NULL, json, &object->was, error))
    return FALSE;
  object->kind = (KtObjectKind) kind;
  object->conflict = (KtObjectConflict) conflict;
  object->sync = (KtObjectSync) sync;
  object->visible = visible;
  return read_fields (loader, error);
}

/* ---- the whole ---- */

static gboolean
assign_numbers (KtSchema *schema, const KtSchemaSource *source, GError **error)
{
  g_autoptr (GHashTable) taken = g_hash_table_new (NULL, NULL);
  guint next = 1;

  if (source->numbers != NULL && kt_json_type (source->numbers) != KT_JSON_OBJECT)
    return _kt_schema_fail (NULL, source->files, NULL, source->numbers, error,
                            "\"numbers\" must be an object");

  for (guint i = 0; i < kt_json_length (source->numbers); i++)
    {
      gint64 number = kt_json_int (kt_json_at (source->numbers, i), 0);

      if (number < 1 || number > 100000)
        return _kt_schema_fail (NULL, source->files, NULL, source->numbers, error,
                                "the number of \"%s\" must be 1 to 100000",
                                kt_json_key_at (source->numbers, i));
      if (!g_hash_table_add (taken, GUINT_TO_POINTER ((guint) number)))
        return _kt_schema_fail (NULL, source->files, NULL, source->numbers, error,
                                "the number %u is given twice", (guint) number);
      /* Behind the highest: the number of an object that is gone is not used again. */
      next = MAX (next, (guint) number + 1);
    }

  for (guint i = 0; i < schema->objects->len; i++)
    {
      KtObject *object = g_ptr_array_index (schema->objects, i);

      object->number = (guint) kt_json_get_int (source->numbers, object->name, 0);
      for (guint k = 0; object->number == 0 && object->was != NULL && object->was[k] != NULL; k++)
        object->number = (guint) kt_json_get_int (source->numbers, object->was[k], 0);
      if (object->number == 0)
        object->number = next++;
      g_hash_table_insert (schema->by_number, GUINT_TO_POINTER (object->number), object);
    }
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Members in bytewise order, so that the text is the canonical form of itself. */
static void
write_document (KtSchema *schema, const KtSchemaSource *source)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  GString *text = g_string_sized_new (64 * 1024);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  for (guint i = 0; i < kt_json_length (source->numbers); i++)
    {
      const char *name = kt_json_key_at (source->numbers, i);
      const KtObject *object = kt_schema_object (schema, name);

      /* What was renamed keeps its number, under its new name. */
      if (object == NULL || strcmp (object->name, name) == 0)
        g_ptr_array_add (names, (char *) name);
    }
  for (guint i = 0; i < schema->objects->len; i++)
    {
      const KtObject *object = g_ptr_array_index (schema->objects, i);

      if (kt_json_get (source->numbers, object->name) == NULL)
        g_ptr_array_add (names, (char *) object->name);
    }
  g_ptr_array_sort (names, compare_names);

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "name", source->name);

  kt_json_key (&writer, "numbers");
  kt_json_begin_object (&writer);
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      const KtObject *object = kt_schema_object (schema, name);

      kt_json_put_int (&writer, name,
                       object != NULL ? (gint64) object->number
                                      : kt_json_get_int (source->numbers, name, 0));
    }
  kt_json_end_object (&writer);

  kt_json_key (&writer, "objects");
  kt_json_begin_array (&writer);
  for (guint i = 0; i < source->objects->len; i++)
    {
      g_autofree char *object = kt_json_to_string (g_ptr_array_index (source->objects, i), TRUE);

      kt_json_add_raw (&writer, object);
    }
  kt_json_end_array (&writer);

  if (source->system != NULL)
    {
      g_autofree char *system_fields = kt_json_to_string (source->system, TRUE);

      kt_json_put_raw (&writer, "system", system_fields);
    }
  kt_json_put_int (&writer, "version", source->version);
  kt_json_end_object (&writer);

  schema->digest =
    g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) text->str, text->len);
  schema->json = g_string_free (text, FALSE);
}

static gboolean
take_former_names (KtSchema *schema, const KtSchemaSource *source, GError **error)
{
  for (guint i = 0; i < schema->objects->len; i++)
    {
      const KtObject *object = g_ptr_array_index (schema->objects, i);

      for (guint k = 0; object->was != NULL && object->was[k] != NULL; k++)
        {
          const KtObject *other = kt_schema_object (schema, object->was[k]);

          if (other != NULL)
            return _kt_schema_fail (object->name, source->files, NULL, object->json, error,
                                    "its former name \"%s\" belongs to \"%s\"", object->was[k],
                                    other->name);
          g_hash_table_insert (schema->by_name, (char *) object->was[k], (gpointer) object);
        }
    }
  return TRUE;
}

static gboolean
read_objects (KtSchema *schema, const KtSchemaSource *source, GError **error)
{
  KtSchemaLoader loader = { .schema = schema, .source = source };

  if (source->objects->len == 0 || source->objects->len > KT_SCHEMA_MAX_OBJECTS)
    return _kt_schema_fail (NULL, source->files, NULL, NULL, error,
                            "\"objects\" must list 1 to %u objects", KT_SCHEMA_MAX_OBJECTS);
  if (source->system != NULL)
    {
      loader.file = "system";
      if (!_kt_schema_check_members (&loader, NULL, source->system, system_members, error))
        return FALSE;
    }

  for (guint i = 0; i < source->objects->len; i++)
    {
      const KtJson *json = g_ptr_array_index (source->objects, i);
      const char *name = kt_json_get_string (json, "object", NULL);
      g_autoptr (GHashTable) columns =
        g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      KtObjectReal *real;

      if (!_kt_schema_name_ok (name))
        return _kt_schema_fail (NULL, source->files, NULL, json, error,
                                "the object at place %u has no proper name in \"object\"", i + 1);
      if (kt_schema_object (schema, name) != NULL)
        return _kt_schema_fail (name, source->files, NULL, json, error, "is listed twice");

      real = g_new0 (KtObjectReal, 1);
      real->by_name = g_hash_table_new (g_str_hash, g_str_equal);
      g_ptr_array_add (schema->objects, real);
      loader.object = real;
      loader.file = name;
      loader.columns = columns;
      if (!read_object (&loader, json, error))
        return FALSE;
      g_hash_table_insert (schema->by_name, (char *) real->object.name, real);
    }
  return take_former_names (schema, source, error);
}

KtSchema *
_kt_schema_build (const KtSchemaSource *source, GError **error)
{
  g_autoptr (KtSchema) schema = g_new0 (KtSchema, 1);

  g_atomic_ref_count_init (&schema->refs);
  schema->documents = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_json_unref);
  schema->objects = g_ptr_array_new_with_free_func (object_free);
  schema->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  schema->by_number = g_hash_table_new (NULL, NULL);

  if (source->name == NULL || *source->name == '\0' || source->version < 1
      || source->version > G_MAXINT32)
    {
      _kt_schema_fail (NULL, source->files, NULL, NULL, error,
                       "needs a \"name\" and a \"version\" from 1");
      return NULL;
    }
  schema->version = (guint) source->version;

  if (source->system != NULL)
    g_ptr_array_add (schema->documents, kt_json_ref (source->system));
  if (source->numbers != NULL)
    g_ptr_array_add (schema->documents, kt_json_ref (source->numbers));
  for (guint i = 0; i < source->objects->len; i++)
    g_ptr_array_add (schema->documents, kt_json_ref (g_ptr_array_index (source->objects, i)));

  if (!read_objects (schema, source, error) || !assign_numbers (schema, source, error)
      || !_kt_schema_check (schema, source->files, error))
    return NULL;

  write_document (schema, source);
  return g_steal_pointer (&schema);
}

KtSchema *
kt_schema_from_json (const char *text, gssize len, GError **error)
{
  g_autoptr (KtJson) document = NULL;
  g_autoptr (GPtrArray) objects = NULL;
  KtSchemaSource source = { 0 };
  const KtJson *list;

  g_return_val_if_fail (text != NULL, NULL);

  if ((len < 0 ? strlen (text) : (gsize) len) > KT_SCHEMA_MAX_BYTES)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_LIMIT, "the schema is larger than 16 MiB");
      return NULL;
    }
  document = kt_json_parse (text, len, error);
  if (document == NULL)
    {
      g_prefix_error (error, "schema: ");
      if (error != NULL && (*error)->code == KT_ERROR_INVALID)
        (*error)->code = KT_ERROR_SCHEMA;
      return NULL;
    }

  list = kt_json_get (document, "objects");
  if (kt_json_type (list) != KT_JSON_ARRAY)
    {
      _kt_schema_fail (NULL, FALSE, NULL, document, error, "\"objects\" must be a list");
      return NULL;
    }
  objects = g_ptr_array_new ();
  for (guint i = 0; i < kt_json_length (list); i++)
    g_ptr_array_add (objects, kt_json_at (list, i));

  source.name = kt_json_get_string (document, "name", NULL);
  source.version = kt_json_get_int (document, "version", 0);
  source.numbers = kt_json_get (document, "numbers");
  source.system = kt_json_get (document, "system");
  source.objects = objects;
  return _kt_schema_build (&source, error);
}

static KtJson *
read_file (const char *dir, const char *name, GError **error)
{
  g_autofree char *file = g_strconcat (name, ".json", NULL);
  g_autofree char *path = g_build_filename (dir, file, NULL);
  g_autoptr (GError) local = NULL;
  KtJson *json = kt_json_parse_file (path, MAX_SCHEMA_FILE, &local);

  if (json == NULL)
    {
      if (local->code == KT_ERROR_INVALID)
        local->code = KT_ERROR_SCHEMA;
      g_propagate_error (error, g_steal_pointer (&local));
    }
  return json;
}

KtSchema *
kt_schema_load_dir (const char *dir, GError **error)
{
  g_autoptr (KtJson) pack = NULL;
  g_autoptr (KtJson) system_fields = NULL;
  g_autoptr (GPtrArray) objects = NULL;
  KtSchemaSource source = { .files = TRUE };
  const KtJson *list;

  g_return_val_if_fail (dir != NULL, NULL);

  pack = read_file (dir, "pack", error);
  if (pack == NULL)
    return NULL;
  system_fields = read_file (dir, "system", error);
  if (system_fields == NULL)
    return NULL;

  list = kt_json_get (pack, "objects");
  objects = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_json_unref);
  for (guint i = 0; i < MIN (kt_json_length (list), KT_SCHEMA_MAX_OBJECTS + 1); i++)
    {
      const char *name = kt_json_string (kt_json_at (list, i), NULL);
      const char *inside;
      KtJson *object;

      if (!_kt_schema_name_ok (name))
        {
          _kt_schema_fail (NULL, TRUE, NULL, list, error, "\"objects\" must hold names of objects");
          return NULL;
        }
      object = read_file (dir, name, error);
      if (object == NULL)
        return NULL;
      g_ptr_array_add (objects, object);
      inside = kt_json_get_string (object, "object", "");
      if (strcmp (inside, name) != 0)
        {
          _kt_schema_fail (name, TRUE, NULL, NULL, error, "calls itself \"%s\"", inside);
          return NULL;
        }
    }

  source.name = kt_json_get_string (pack, "name", NULL);
  source.version = kt_json_get_int (pack, "version", 0);
  source.system = system_fields;
  source.objects = objects;
  return _kt_schema_build (&source, error);
}
