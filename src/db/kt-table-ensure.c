/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tables follow the schema. `kt_column` remembers which type, storage and scale
 * each field had when its column was last made, so that a second run reads one
 * table and writes nothing, and a retyped field is noticed.
 *
 *   new object      CREATE TABLE
 *   new field       ALTER TABLE ADD COLUMN
 *   retired         stays, with its values
 *   other storage   the old column is renamed to x1_f_… and kept, a new one is made and filled
 *   same storage    (another scale; date and date_time) values are converted in place
 *   other name      (`renamed_from`) table or column get it, references to an object too
 *
 * A value that does not convert refuses the whole schema; a savepoint undoes the rest. With KT_TABLE_LENIENT it is
 * left out: a device holds what the server has converted, and whatever else is older than that, or its own
 * and still in the outbox. */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-table-private.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"

#define MAX_NAME 48  /* PostgreSQL cuts names at 63, and some are added to ours */
#define MAX_TREE 600 /* characters of text */
#define BATCH 500

static const char *const storage_words[] = { "null", "bool", "int", "decimal", "money",
                                             "text", "id",   "any", "list",    "json" };

typedef enum
{
  INDEX_NONE,
  INDEX_TREE,
  INDEX_HASH,
} IndexKind;

typedef struct
{
  char *type;
  KtValueType storage;
  guint scale;
  IndexKind indexed;
} Known;

typedef struct
{
  KtDb *db; /* borrowed */
  KtTableFlags flags;
  GHashTable *known;   /* "object.field" → Known; owned */
  GHashTable *objects; /* name → itself: those that have a table; owned */
} Ensure;

static void
known_free (Known *known)
{
  g_free (known->type);
  g_free (known);
}

static const char *
sql_type (KtValueType storage)
{
  switch (storage)
    {
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
    case KT_VALUE_MONEY:
      return "INTEGER";
    case KT_VALUE_ID:
    case KT_VALUE_ANY:
      return "BLOB";
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
    case KT_VALUE_NULL:
    default:
      return "TEXT";
    }
}

/* ---- what is known ---- */

static gboolean
read_known (Ensure *self, GError **error)
{
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (!kt_db_exec (self->db,
                   "CREATE TABLE IF NOT EXISTS kt_column"
                   " (object TEXT NOT NULL, field TEXT NOT NULL, type TEXT NOT NULL,"
                   " storage TEXT NOT NULL, scale INTEGER NOT NULL, indexed INTEGER NOT NULL,"
                   " PRIMARY KEY (object, field))",
                   error))
    return FALSE;
  stmt = kt_db_stmt (self->db, "SELECT object, field, type, storage, scale, indexed FROM kt_column",
                     error);
  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      Known *known = g_new0 (Known, 1);
      const char *word = kt_stmt_text (stmt, 3);

      g_hash_table_add (self->objects, g_strdup (kt_stmt_text (stmt, 0)));
      known->type = g_strdup (kt_stmt_text (stmt, 2));
      for (guint i = 0; i < G_N_ELEMENTS (storage_words); i++)
        if (strcmp (word, storage_words[i]) == 0)
          known->storage = i;
      known->scale = kt_stmt_int (stmt, 4);
      known->indexed = kt_stmt_int (stmt, 5);
      g_hash_table_insert (self->known,
                           g_strconcat (kt_stmt_text (stmt, 0), ".", kt_stmt_text (stmt, 1), NULL),
                           known);
    }
  return step == KT_STEP_DONE;
}

static Known *
lookup (Ensure *self, const KtField *field)
{
  g_autofree char *key = g_strconcat (field->object->name, ".", field->name, NULL);

  return g_hash_table_lookup (self->known, key);
}

static IndexKind
index_kind (Ensure *self, const KtField *field)
{
  switch (field->type)
    {
    case KT_FIELD_REF:
    case KT_FIELD_REF_ANY:
      return INDEX_TREE;
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
    case KT_FIELD_JSON:
    case KT_FIELD_ADDRESS:
    case KT_FIELD_CHOICES:
    case KT_FIELD_TAGS:
    case KT_FIELD_MANY:
      /* Nothing looks up a whole one. */
      return INDEX_NONE;
    default:
      break;
    }
  if (!field->indexed && !field->unique)
    return INDEX_NONE;
  /* PostgreSQL refuses an entry over 2,700 bytes in a tree. */
  if (kt_db_dialect (self->db) == KT_DIALECT_POSTGRESQL && field->storage == KT_VALUE_TEXT
      && field->max > MAX_TREE)
    return INDEX_HASH;
  return INDEX_TREE;
}

static gboolean
remember (Ensure *self, const KtField *field, GError **error)
{
  return kt_db_run (self->db, error,
                    "INSERT INTO kt_column (object, field, type, storage, scale, indexed)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (object, field) DO UPDATE SET"
                    " type = excluded.type, storage = excluded.storage, scale = excluded.scale,"
                    " indexed = excluded.indexed",
                    KT_BIND_TEXT, field->object->name, KT_BIND_TEXT, field->name, KT_BIND_TEXT,
                    kt_field_type_word (field->type), KT_BIND_TEXT, storage_words[field->storage],
                    KT_BIND_INT, (gint64) field->scale, KT_BIND_INT,
                    (gint64) index_kind (self, field), KT_BIND_END)
         >= 0;
}

/* ---- tables, columns, indices ---- */

G_GNUC_PRINTF (3, 4)
static gboolean
exec (Ensure *self, GError **error, const char *format, ...)
{
  g_autofree char *sql = NULL;
  va_list args;

  va_start (args, format);
  sql = g_strdup_vprintf (format, args);
  va_end (args);
  return kt_db_exec (self->db, sql, error);
}

static char *
index_name (const KtField *field)
{
  g_autofree char *name = g_strdup_printf ("i_%s_%s", field->object->name, field->name);
  g_autofree char *sum = NULL;

  if (strlen (name) <= 60)
    return g_steal_pointer (&name);
  sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, name, -1);
  return g_strdup_printf ("%.48s_%.10s", name, sum);
}

static gboolean
make_index (Ensure *self, const KtField *field, GError **error)
{
  g_autofree char *name = index_name (field);

  /* Only what is there: most fields of most records are blank, and every entry costs at each write. */
  return exec (self, error,
               "CREATE INDEX IF NOT EXISTS \"%s\" ON \"o_%s\" %s (\"f_%s\")"
               " WHERE \"f_%s\" IS NOT NULL",
               name, field->object->name,
               index_kind (self, field) == INDEX_HASH ? "USING hash" : "", field->name,
               field->name);
}

static gboolean
drop_index (Ensure *self, const KtField *field, GError **error)
{
  g_autofree char *name = index_name (field);

  return exec (self, error, "DROP INDEX IF EXISTS \"%s\"", name);
}

static gboolean
check_name (const KtObject *object, const char *name, GError **error)
{
  gboolean fine = *name != '\0' && strlen (name) <= MAX_NAME;

  for (const char *p = name; *p != '\0'; p++)
    fine = fine && (g_ascii_islower (*p) || g_ascii_isdigit (*p) || *p == '_');
  if (!fine)
    g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA,
                 "%s: the name \"%s\" cannot be stored: at most %d of a–z, 0–9 and _", object->name,
                 name, MAX_NAME);
  return fine;
}

static gboolean
make_table (Ensure *self, const KtObject *object, GError **error)
{
  g_autoptr (GString) sql = g_string_new (NULL);

  g_string_append_printf (sql,
                          "CREATE TABLE \"o_%s\" (rid INTEGER PRIMARY KEY,"
                          " id BLOB NOT NULL UNIQUE, rev INTEGER NOT NULL",
                          object->name);
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      if (!check_name (object, field->name, error))
        return FALSE;
      g_string_append_printf (sql, ", \"f_%s\" %s", field->name, sql_type (field->storage));
      if (_kt_table_width (field->storage) == 2)
        g_string_append_printf (sql, ", \"f_%s%s\" TEXT", field->name,
                                _kt_table_second (field->storage));
    }
  g_string_append_c (sql, ')');
  if (!kt_db_exec (self->db, sql->str, error))
    return FALSE;

  if ((self->flags & KT_TABLE_SERVER) != 0
      && !exec (self, error, "CREATE INDEX \"i_%s_rev\" ON \"o_%s\" (rev)", object->name,
                object->name))
    return FALSE;
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      if (index_kind (self, field) != INDEX_NONE && !make_index (self, field, error))
        return FALSE;
      if (!remember (self, field, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
add_columns (Ensure *self, const KtField *field, GError **error)
{
  const char *table = field->object->name;

  if (!check_name (field->object, field->name, error)
      || !exec (self, error, "ALTER TABLE \"o_%s\" ADD COLUMN \"f_%s\" %s", table, field->name,
                sql_type (field->storage)))
    return FALSE;
  return _kt_table_width (field->storage) == 1
         || exec (self, error, "ALTER TABLE \"o_%s\" ADD COLUMN \"f_%s%s\" TEXT", table,
                  field->name, _kt_table_second (field->storage));
}

/* ---- retyped fields ---- */

static void
old_value (KtStmt *stmt, int column, const Known *old, KtValue *out)
{
  KtId id = KT_ID_NIL;

  *out = KT_VALUE_INIT;
  switch (old->storage)
    {
    case KT_VALUE_MONEY:
      g_strlcpy (out->currency, kt_stmt_text (stmt, column + 1), sizeof out->currency);
      G_GNUC_FALLTHROUGH;
    case KT_VALUE_BOOL:
    case KT_VALUE_INT:
    case KT_VALUE_DECIMAL:
      out->v.integer = kt_stmt_int (stmt, column);
      out->scale = (guint8) old->scale;
      out->type = (guint8) old->storage;
      return;
    case KT_VALUE_TEXT:
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      kt_value_set_text (out, kt_stmt_text (stmt, column));
      if (out->type != KT_VALUE_NULL)
        out->type = (guint8) old->storage;
      return;
    case KT_VALUE_ID:
      if (kt_stmt_id (stmt, column, &id))
        kt_value_set_id (out, &id);
      return;
    case KT_VALUE_ANY:
      if (kt_stmt_id (stmt, column, &id))
        kt_value_set_any (out, kt_stmt_text (stmt, column + 1), &id);
      return;
    case KT_VALUE_NULL:
    default:
      return;
    }
}

static gboolean
convert (KtStmt *stmt, int column, const Known *old, const KtField *field, KtValue *out)
{
  g_auto (KtValue) value = KT_VALUE_INIT;

  old_value (stmt, column, old, &value);
  return value.type != KT_VALUE_NULL && kt_value_carry (field, &value, out, NULL);
}

typedef struct
{
  gint64 rid;
  KtValue value;
} Converted;

static void
converted_clear (Converted *converted)
{
  kt_value_clear (&converted->value);
}

static gboolean
write_batch (Ensure *self, const KtField *field, GArray *batch, GError **error)
{
  g_autoptr (GString) sql = g_string_new (NULL);
  KT_STMT_SCOPE *stmt = NULL;

  g_string_append_printf (sql, "UPDATE \"o_%s\" SET \"f_%s\"=?2", field->object->name, field->name);
  if (_kt_table_width (field->storage) == 2)
    g_string_append_printf (sql, ",\"f_%s%s\"=?3", field->name, _kt_table_second (field->storage));
  g_string_append (sql, " WHERE rid=?1");
  stmt = kt_db_stmt (self->db, sql->str, error);
  if (stmt == NULL)
    return FALSE;
  for (guint i = 0; i < batch->len; i++)
    {
      const Converted *converted = &g_array_index (batch, Converted, i);

      kt_stmt_bind_int (stmt, 1, converted->rid);
      kt_table_bind (stmt, 2, field, &converted->value);
      if (kt_stmt_step (stmt, error) != KT_STEP_DONE)
        return FALSE;
      kt_stmt_reset (stmt);
    }
  return TRUE;
}

/* Reads @from (and @second), writes the field's own columns. */
static gboolean
convert_all (Ensure *self,
             const KtField *field,
             const Known *old,
             const char *from,
             const char *second,
             GError **error)
{
  g_autofree char *sql = g_strdup_printf (
    "SELECT rid, id, \"%s\"%s%s%s FROM \"o_%s\" WHERE rid > ?1 AND \"%s\" IS NOT NULL"
    " ORDER BY rid LIMIT " G_STRINGIFY (BATCH), from, second != NULL ? ",\"" : "",
                                        second != NULL ? second : "", second != NULL ? "\"" : "",
                                        field->object->name, from);
  char example[KT_ID_TEXT_SIZE] = "";
  gint64 after = G_MININT64;
  guint refused = 0;

  for (guint n = BATCH; n == BATCH;)
    {
      g_autoptr (GArray) batch = g_array_new (FALSE, TRUE, sizeof (Converted));
      KT_STMT_SCOPE *stmt = kt_db_stmt (self->db, sql, error);
      KtStep step;

      if (stmt == NULL)
        return FALSE;
      g_array_set_clear_func (batch, (GDestroyNotify) converted_clear);
      kt_stmt_bind_int (stmt, 1, after);
      n = 0;
      while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
        {
          Converted converted = { 0 };

          n++;
          after = converted.rid = kt_stmt_int (stmt, 0);
          if (convert (stmt, 2, old, field, &converted.value))
            g_array_append_val (batch, converted);
          else
            {
              KtId id = KT_ID_NIL;

              kt_value_clear (&converted.value);
              if ((self->flags & KT_TABLE_LENIENT) != 0)
                g_array_append_val (batch, converted);
              else if (refused++ == 0 && kt_stmt_id (stmt, 1, &id))
                kt_id_format (&id, example);
            }
        }
      if (step == KT_STEP_ERROR)
        return FALSE;
      if (refused == 0 && !write_batch (self, field, batch, error))
        return FALSE;
    }

  if (refused > 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA,
                   "%s: the field \"%s\" cannot become %s: %u values do not convert, the first in "
                   "record %s. Change or empty them, or give the new field another name",
                   field->object->name, field->name, kt_field_type_word (field->type), refused,
                   example);
      return FALSE;
    }
  return TRUE;
}

/* A free name for the old column: x1_f_amount, x2_f_amount … */
static char *
retired_name (Ensure *self, const char *table, const char *column, GError **error)
{
  g_autofree char *full = g_strconcat ("o_", table, NULL);
  g_autoptr (GPtrArray) columns = kt_db_columns (self->db, full, error);

  if (columns == NULL)
    return NULL;
  for (guint n = 1;; n++)
    {
      g_autofree char *name = g_strdup_printf ("x%u_%s", n, column);

      if (!g_ptr_array_find_with_equal_func (columns, name, g_str_equal, NULL))
        return g_steal_pointer (&name);
    }
}

static char *
retire_column (Ensure *self, const char *table, const char *column, GError **error)
{
  g_autofree char *name = retired_name (self, table, column, error);

  if (name == NULL
      || !exec (self, error, "ALTER TABLE \"o_%s\" RENAME COLUMN \"%s\" TO \"%s\"", table, column,
                name))
    return NULL;
  return g_steal_pointer (&name);
}

static gboolean
replace_column (Ensure *self, const KtField *field, const Known *old, GError **error)
{
  const char *table = field->object->name;
  g_autofree char *column = g_strconcat ("f_", field->name, NULL);
  g_autofree char *column2 = g_strconcat (column, _kt_table_second (old->storage), NULL);
  g_autofree char *from = NULL;
  g_autofree char *second = NULL;

  if (!drop_index (self, field, error))
    return FALSE;
  from = retire_column (self, table, column, error);
  if (from == NULL)
    return FALSE;
  if (_kt_table_width (old->storage) == 2)
    {
      second = retire_column (self, table, column2, error);
      if (second == NULL)
        return FALSE;
    }
  return add_columns (self, field, error) && convert_all (self, field, old, from, second, error)
         && (index_kind (self, field) == INDEX_NONE || make_index (self, field, error));
}

static gboolean
is_moment (KtFieldType type)
{
  return type == KT_FIELD_DATE || type == KT_FIELD_DATE_TIME;
}

static gboolean
retype (Ensure *self, const KtField *field, const Known *old, GError **error)
{
  g_autofree char *column = g_strconcat ("f_", field->name, NULL);
  gboolean was_moment = strcmp (old->type, kt_field_type_word (KT_FIELD_DATE)) == 0
                        || strcmp (old->type, kt_field_type_word (KT_FIELD_DATE_TIME)) == 0;

  if (old->storage != field->storage)
    return replace_column (self, field, old, error);
  if (old->storage == KT_VALUE_DECIMAL && old->scale != field->scale)
    return convert_all (self, field, old, column, NULL, error);
  /* Text that was free stays as it is, whatever its new rules: they hold for the next edit. */
  if (old->storage == KT_VALUE_TEXT && strcmp (old->type, kt_field_type_word (field->type)) != 0
      && (is_moment (field->type) || (was_moment && is_moment (field->type))))
    return convert_all (self, field, old, column, NULL, error);
  return TRUE;
}

/* ---- renamed objects and fields ---- */

static gboolean
drop_index_named (Ensure *self, const char *object, const char *name, GError **error)
{
  KtObject former_object = { .name = object };
  KtField former = { .object = &former_object, .name = name };

  return drop_index (self, &former, error);
}

/* Names of the fields of @object in kt_column. */
static GPtrArray *
known_fields (Ensure *self, const char *object)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *prefix = g_strconcat (object, ".", NULL);
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, self->known);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (g_str_has_prefix (key, prefix))
      g_ptr_array_add (names, g_strdup ((char *) key + strlen (prefix)));
  return names;
}

/* References to any object say which. */
static gboolean
rename_references (Ensure *self, const char *from, const char *to, GError **error)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, self->known);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      const Known *known = value;
      g_auto (GStrv) place = g_strsplit (key, ".", 2);
      g_autofree char *table = NULL;
      g_autofree char *sql = NULL;

      if (known->storage != KT_VALUE_ANY)
        continue;
      table = g_strdup (strcmp (place[0], from) == 0 ? to : place[0]);
      sql = g_strdup_printf ("UPDATE \"o_%s\" SET \"f_%s%s\"=?1 WHERE \"f_%s%s\"=?2", table, place[1],
                             _kt_table_second (KT_VALUE_ANY), place[1],
                             _kt_table_second (KT_VALUE_ANY));
      if (kt_db_run (self->db, error, sql, KT_BIND_TEXT, to, KT_BIND_TEXT, from, KT_BIND_END) < 0)
        return FALSE;
    }
  return TRUE;
}

static gboolean
rename_object (Ensure *self, const KtObject *object, const char *from, GError **error)
{
  g_autoptr (GPtrArray) fields = known_fields (self, from);

  if (!check_name (object, object->name, error)
      || !exec (self, error, "ALTER TABLE \"o_%s\" RENAME TO \"o_%s\"", from, object->name))
    return FALSE;
  for (guint i = 0; i < fields->len; i++)
    if (!drop_index_named (self, from, g_ptr_array_index (fields, i), error))
      return FALSE;
  return rename_references (self, from, object->name, error)
         && kt_db_run (self->db, error, "UPDATE kt_column SET object=?1, indexed=0 WHERE object=?2",
                       KT_BIND_TEXT, object->name, KT_BIND_TEXT, from, KT_BIND_END)
              >= 0;
}

static gboolean
rename_field (Ensure *self, const KtField *field, const char *from, const Known *known, GError **error)
{
  const char *table = field->object->name;
  const char *second = _kt_table_width (known->storage) == 2 ? _kt_table_second (known->storage) : NULL;

  return check_name (field->object, field->name, error)
         && drop_index_named (self, table, from, error)
         && exec (self, error, "ALTER TABLE \"o_%s\" RENAME COLUMN \"f_%s\" TO \"f_%s\"", table, from,
                  field->name)
         && (second == NULL
             || exec (self, error, "ALTER TABLE \"o_%s\" RENAME COLUMN \"f_%s%s\" TO \"f_%s%s\"",
                      table, from, second, field->name, second))
         && kt_db_run (self->db, error,
                       "UPDATE kt_column SET field=?1, indexed=0 WHERE object=?2 AND field=?3",
                       KT_BIND_TEXT, field->name, KT_BIND_TEXT, table, KT_BIND_TEXT, from,
                       KT_BIND_END)
              >= 0;
}

static gboolean
rename_in (Ensure *self, const KtObject *object, gboolean *any, GError **error)
{
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      for (guint k = 0; field->was != NULL && field->was[k] != NULL && lookup (self, field) == NULL; k++)
        {
          g_autofree char *key = g_strconcat (object->name, ".", field->was[k], NULL);
          const Known *known = g_hash_table_lookup (self->known, key);

          if (known == NULL)
            continue;
          if (!rename_field (self, field, field->was[k], known, error))
            return FALSE;
          *any = TRUE;
          break;
        }
    }
  return TRUE;
}

static gboolean
read_known_again (Ensure *self, GError **error)
{
  g_hash_table_remove_all (self->known);
  g_hash_table_remove_all (self->objects);
  return read_known (self, error);
}

static gboolean
rename_all (Ensure *self, const KtSchema *schema, GError **error)
{
  gboolean any = FALSE;
  guint n;
  const KtObject *const *objects = kt_schema_objects (schema, &n);

  for (guint i = 0; i < n; i++)
    {
      const char **was = objects[i]->was;

      for (; was != NULL && *was != NULL && !g_hash_table_contains (self->objects, objects[i]->name);
           was++)
        if (g_hash_table_contains (self->objects, *was)
            && (!rename_object (self, objects[i], *was, error) || !read_known_again (self, error)))
          return FALSE;
    }
  for (guint i = 0; i < n; i++)
    if (!rename_in (self, objects[i], &any, error))
      return FALSE;
  return !any || read_known_again (self, error);
}

static gboolean
ensure_field (Ensure *self, const KtField *field, GError **error)
{
  const Known *known = lookup (self, field);
  IndexKind kind = index_kind (self, field);

  if (known == NULL)
    return add_columns (self, field, error)
           && (kind == INDEX_NONE || make_index (self, field, error))
           && remember (self, field, error);
  if (known->storage == field->storage && known->scale == field->scale && known->indexed == kind
      && strcmp (known->type, kt_field_type_word (field->type)) == 0)
    return TRUE;
  if (!retype (self, field, known, error))
    return FALSE;
  /* One that nobody needs any more stays, as columns do. */
  if (kind != INDEX_NONE && known->indexed != kind
      && ((known->indexed != INDEX_NONE && !drop_index (self, field, error))
          || !make_index (self, field, error)))
    return FALSE;
  return remember (self, field, error);
}

static gboolean
ensure_all (Ensure *self, const KtSchema *schema, GError **error)
{
  const KtObject *const *objects;
  guint n;

  if (!read_known (self, error) || !rename_all (self, schema, error))
    return FALSE;
  objects = kt_schema_objects (schema, &n);
  for (guint i = 0; i < n; i++)
    {
      if (!g_hash_table_contains (self->objects, objects[i]->name))
        {
          if (!check_name (objects[i], objects[i]->name, error)
              || !make_table (self, objects[i], error))
            return FALSE;
          continue;
        }
      for (guint k = 0; k < objects[i]->n_fields; k++)
        if (!ensure_field (self, objects[i]->fields[k], error))
          return FALSE;
    }
  return TRUE;
}

gboolean
kt_table_ensure (KtDb *db, const KtSchema *schema, KtTableFlags flags, GError **error)
{
  Ensure self = { .db = db, .flags = flags };
  gboolean done;

  g_return_val_if_fail (kt_db_in_transaction (db), FALSE);

  if (!kt_db_savepoint (db, "kt_ensure", error))
    return FALSE;
  self.known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) known_free);
  self.objects = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  done = ensure_all (&self, schema, error);
  g_hash_table_unref (self.known);
  g_hash_table_unref (self.objects);
  if (done)
    return kt_db_release (db, "kt_ensure", error);
  if (kt_db_rollback_to (db, "kt_ensure", NULL))
    kt_db_release (db, "kt_ensure", NULL);
  return FALSE;
}
