/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A new workspace. workspace.json is written last: a folder without it is none, and what
 * stands in it after a failure is taken away again. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <errno.h>
#include <string.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

#define SEED_FILE "seed.json"
#define SEED_CNY \
  "01900000-0000-7000-8000-000000000301" /* the currency of the pack's own defaults */

/* ---- the folder ---- */

static gboolean
is_empty (const char *dir)
{
  g_autoptr (GDir) folder = g_dir_open (dir, 0, NULL);

  return folder != NULL && g_dir_read_name (folder) == NULL;
}

gboolean
_kt_workspace_make_dir (const char *dir, gboolean *made, GError **error)
{
  *made = FALSE;
  if (g_file_test (dir, G_FILE_TEST_EXISTS))
    {
      if (is_empty (dir))
        {
          if (g_chmod (dir, 0700) == 0)
            return TRUE;
        }
      else
        {
          g_set_error (error, KT_ERROR, KT_ERROR_EXISTS,
                       "%s is in use: choose an empty folder or a new one", dir);
          return FALSE;
        }
    }
  else if (g_mkdir_with_parents (dir, 0700) == 0)
    {
      *made = TRUE;
      return TRUE;
    }
  g_set_error (error, KT_ERROR, KT_ERROR_IO, "%s cannot be made: %s", dir, g_strerror (errno));
  return FALSE;
}

static void
remove_inside (const char *dir)
{
  g_autoptr (GDir) folder = g_dir_open (dir, 0, NULL);
  const char *name;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);

      if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
        {
          remove_inside (path);
          g_rmdir (path);
        }
      else
        g_unlink (path);
    }
}

void
_kt_workspace_remove (const char *dir, gboolean made)
{
  remove_inside (dir);
  if (made)
    g_rmdir (dir);
}

/* ---- the database ---- */

/* Only what stands in an otherwise empty PostgreSQL database by our own hand. */
static void
drop_tables (KtDb *db)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  KtStmt *stmt = kt_db_stmt (db,
                             "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
                             " AND (tablename LIKE 'o\\_%' OR tablename LIKE 'kt\\_%')",
                             NULL);

  if (stmt == NULL)
    return;
  while (kt_stmt_step (stmt, NULL) == KT_STEP_ROW)
    g_ptr_array_add (names, g_strdup (kt_stmt_text (stmt, 0)));
  kt_stmt_reset (stmt);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *sql =
        g_strdup_printf ("DROP TABLE IF EXISTS \"%s\" CASCADE", (char *) names->pdata[i]);

      kt_db_exec (db, sql, NULL);
    }
}

static KtJson *load_seed (const char *schema_dir, GError **error);
static const char *find_currency (const KtJson *seed, const char *code);

/* The pack's defaults name one currency; a workspace that counts in another means that one. */
static KtSchema *
schema_for (const KtInitOptions *options, const char *currency_id, GError **error)
{
  g_autoptr (KtSchema) schema = kt_schema_load_dir (options->schema_dir, error);
  g_autoptr (GString) text = NULL;

  if (schema == NULL || currency_id == NULL || strcmp (currency_id, SEED_CNY) == 0)
    return g_steal_pointer (&schema);
  text = g_string_new (kt_schema_to_json (schema));
  g_string_replace (text, "\"default\":\"" SEED_CNY "\"", "\"default\":\"@currency@\"", 0);
  {
    g_autofree char *with = g_strdup_printf ("\"default\":\"%s\"", currency_id);

    g_string_replace (text, "\"default\":\"@currency@\"", with, 0);
  }
  return kt_schema_from_json (text->str, (gssize) text->len, error);
}

KtSchema *
_kt_core_load_pack (const char *schema_dir, const char *currency, GError **error)
{
  KtInitOptions options = { .schema_dir = schema_dir };
  g_autoptr (KtJson) seed = load_seed (schema_dir, error);

  if (seed == NULL)
    return NULL;
  return schema_for (&options, currency != NULL ? find_currency (seed, currency) : NULL, error);
}

static gboolean
fill_meta (KtDb *db,
           const KtSchema *schema,
           const char *name,
           const KtInitOptions *options,
           const char *decoy,
           const KtEnv *env,
           GError **error)
{
  return kt_table_ensure (db, schema, KT_TABLE_SERVER, error)
         && _kt_core_set_meta (db, "seq", NULL, 0, error)
         && _kt_core_begin_life (db, env, error)
         && _kt_core_set_meta (db, "schema", kt_schema_to_json (schema), 0, error)
         && _kt_core_set_meta (db, "schema_digest", kt_schema_digest (schema), 0, error)
         && _kt_core_set_meta (db, "workspace", name, 0, error)
         && _kt_core_set_meta (db, "currency",
                               options->currency != NULL ? options->currency : "CNY", 0, error)
         && _kt_core_set_meta (db, "locale", options->locale != NULL ? options->locale : "en", 0,
                               error)
         && _kt_core_set_meta (db, "decoy", decoy, 0, error);
}

static gboolean
make_database (const char *uri,
               const KtSchema *schema,
               const char *name,
               const KtInitOptions *options,
               const char *decoy,
               const KtEnv *env,
               GError **error)
{
  g_autoptr (KtDb) db = kt_db_open (uri, KT_DB_CREATE, error);
  gboolean exists;

  if (db == NULL || !kt_db_table_exists (db, "kt_meta", &exists, error))
    return FALSE;
  if (exists)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_EXISTS,
                   "The database holds a Kontor workspace already: choose an empty one");
      return FALSE;
    }
  if (_kt_core_make_tables (db, error) && kt_db_begin (db, KT_TX_WRITE, error))
    {
      if (fill_meta (db, schema, name, options, decoy, env, error))
        {
          if (kt_db_commit (db, error))
            return TRUE;
        }
      else
        kt_db_rollback (db);
    }
  if (kt_db_dialect (db) == KT_DIALECT_POSTGRESQL)
    drop_tables (db);
  return FALSE;
}

/* ---- first records ---- */

/* Beside the folder of the schema. */
static KtJson *
load_company (const char *schema_dir, GError **error)
{
  g_autofree char *data = g_path_get_dirname (schema_dir);
  g_autofree char *path = g_build_filename (data, "demo", "company.json", NULL);

  return kt_json_parse_file (path, 16 * 1024 * 1024, error);
}

static KtJson *
load_seed (const char *schema_dir, GError **error)
{
  g_autofree char *path = g_build_filename (schema_dir, SEED_FILE, NULL);

  return kt_json_parse_file (path, 16 * 1024 * 1024, error);
}

/* The id of the currency record with that code. Borrowed. */
static const char *
find_currency (const KtJson *seed, const char *code)
{
  const KtJson *records = kt_json_get (seed, "records");

  for (guint i = 0; i < kt_json_length (records); i++)
    {
      const KtJson *record = kt_json_at (records, i);

      if (g_strcmp0 (kt_json_get_string (record, "object", NULL), "currency") == 0
          && g_strcmp0 (kt_json_get_string (kt_json_get (record, "fields"), "code", NULL), code)
               == 0)
        return kt_json_get_string (record, "id", NULL);
    }
  return NULL;
}

static gboolean
add_seed_record (KtMutation *mutation,
                 const KtSchema *schema,
                 const KtJson *json,
                 const char *currency_id,
                 GError **error)
{
  const char *name = kt_json_get_string (json, "object", "");
  const KtObject *object = kt_schema_object (schema, name);
  const KtJson *fields = kt_json_get (json, "fields");
  static const KtValue null_value = { 0 };
  g_autoptr (KtPatch) patch = NULL;
  KtId id;

  if (object == NULL || !kt_id_parse (kt_json_get_string (json, "id", ""), -1, &id))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA,
                   "%s: a record of “%s” has no such object or no id", SEED_FILE, name);
      return FALSE;
    }
  patch = kt_patch_new (object);
  for (guint i = 0; i < kt_json_length (fields); i++)
    {
      const KtField *field = kt_object_field (object, kt_json_key_at (fields, i));
      g_auto (KtValue) value = KT_VALUE_INIT;

      if (field == NULL)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA, "%s: %s has no field “%s”", SEED_FILE,
                       name, kt_json_key_at (fields, i));
          return FALSE;
        }
      if (!kt_value_from_json (field, kt_json_at (fields, i), &value, error))
        {
          g_prefix_error (error, "%s: %s: ", SEED_FILE, name);
          return FALSE;
        }
      if (value.type == KT_VALUE_ID && currency_id != NULL && field->to != NULL
          && g_strcmp0 (field->to[0], "currency") == 0)
        kt_id_parse (currency_id, -1, &value.v.ref.id);
      kt_patch_set (patch, field, &null_value, &value);
    }
  kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &id, 0, g_steal_pointer (&patch));
  return TRUE;
}

static gboolean
plant_seed (KtCore *core, const KtJson *seed, const char *currency_id, GError **error)
{
  const KtJson *records = kt_json_get (seed, "records");
  g_auto (KtActor) system = { 0 };
  g_autoptr (KtMutation) mutation = NULL;
  char now[KT_TIME_SIZE];

  _kt_core_now (core, now);
  mutation = kt_mutation_new (now, "rule");
  mutation->id = kt_id_new (core->env);
  for (guint i = 0; i < kt_json_length (records); i++)
    if (!add_seed_record (mutation, core->schema, kt_json_at (records, i), currency_id, error))
      return FALSE;
  if (mutation->ops->len == 0)
    return TRUE;
  _kt_actor_system (core, &system);
  return _kt_core_commit (core, &system, mutation, NULL, error);
}

static gboolean
fill (const char *dir,
      const char *uri,
      const KtInitOptions *options,
      const KtJson *seed,
      const KtJson *company,
      const char *currency_id,
      const KtEnv *env,
      GError **error)
{
  g_autoptr (KtCore) core = _kt_core_open_uri (dir, uri, env, error);
  static const char *const roles[] = { "Admin", NULL };
  KtId admin;

  return core != NULL && plant_seed (core, seed, currency_id, error)
         && kt_core_user_add (core, options->admin, options->password, roles, NULL, &admin, error)
         && (company == NULL || _kt_core_demo (core, &admin, company, error));
}

static gboolean
init_in (const char *dir, const KtInitOptions *options, const KtEnv *env, GError **error)
{
  g_autoptr (KtJson) seed = load_seed (options->schema_dir, error);
  g_autoptr (KtJson) company = NULL;
  g_autoptr (KtSchema) schema = NULL;
  g_autofree char *own = g_build_filename (dir, "workspace.db", NULL);
  g_autofree char *name = NULL;
  g_autofree char *decoy = NULL;
  const char *uri = options->database != NULL ? options->database : own;
  const char *currency_id = NULL;

  if (seed == NULL
      || (options->demo && (company = load_company (options->schema_dir, error)) == NULL))
    return FALSE;
  if (options->currency != NULL && (currency_id = find_currency (seed, options->currency)) == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "“%s” is no currency that Kontor knows: give a code such as EUR",
                   options->currency);
      return FALSE;
    }
  schema = schema_for (options, currency_id, error);
  decoy = schema != NULL ? _kt_password_hash ("nobody has this password", error) : NULL;
  if (decoy == NULL)
    return FALSE;
  name = company != NULL ? g_strdup (kt_json_get_string (company, "company", "Demo"))
                         : g_path_get_basename (dir);
  if (!make_database (uri, schema, name, options, decoy, env, error))
    return FALSE;
  if (fill (dir, uri, options, seed, company, currency_id, env, error)
      && _kt_workspace_write (dir, name, options->database, error))
    return TRUE;
  if (options->database != NULL)
    {
      g_autoptr (KtDb) db = kt_db_open (uri, 0, NULL);

      if (db != NULL && kt_db_dialect (db) == KT_DIALECT_POSTGRESQL)
        drop_tables (db);
    }
  return FALSE;
}

gboolean
kt_core_init (const char *dir, const KtInitOptions *options, const KtEnv *env, GError **error)
{
  gboolean made;

  g_return_val_if_fail (
    dir != NULL && options != NULL && env != NULL && options->schema_dir != NULL, FALSE);

  if (options->admin == NULL || *options->admin == '\0')
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "A workspace needs an administrator: give a name");
      return FALSE;
    }
  if (options->database != NULL && !g_str_has_prefix (options->database, "postgresql://")
      && !g_str_has_prefix (options->database, "postgres://"))
    {
      g_set_error (
        error, KT_ERROR, KT_ERROR_INVALID,
        "The database must be given as postgresql://…; without one Kontor uses SQLite in the folder");
      return FALSE;
    }
  if (!_kt_workspace_make_dir (dir, &made, error))
    return FALSE;
  if (init_in (dir, options, env, error))
    return TRUE;
  _kt_workspace_remove (dir, made);
  return FALSE;
}
