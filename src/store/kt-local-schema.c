/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The schema of a profile and what is derived from it: record tables, the plan
 * of every object (what to index, how to sort, what to compute), and the indices
 * beside the tables, which are rebuilt when code, ICU, locale or schema moved.
 *
 *   kt:search   format and probe of the terms; another one: everything is indexed anew
 *   kt:terms:X  which fields of object X are indexed; one removed or changed: as above (a new field is still empty)
 *   kt:keys     format, locale and probe of the sort keys; another one: all keys are made anew
 *   kt:keys:X   which fields of object X have keys; another list: the table of X is made anew              */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

/* Parsing the schema takes longer than opening the file, and every connection of
 * a process wants the same one: also so that they agree on pointers. */
static GMutex shared_lock;
static KtSchema *shared_schema;

static KtSchema *
shared_lookup (const char *digest)
{
  KtSchema *schema = NULL;

  g_mutex_lock (&shared_lock);
  if (shared_schema != NULL && strcmp (kt_schema_digest (shared_schema), digest) == 0)
    schema = kt_schema_ref (shared_schema);
  g_mutex_unlock (&shared_lock);
  return schema;
}

static void
shared_put (KtSchema *schema)
{
  g_mutex_lock (&shared_lock);
  if (shared_schema != schema)
    {
      g_clear_pointer (&shared_schema, kt_schema_unref);
      shared_schema = kt_schema_ref (schema);
    }
  g_mutex_unlock (&shared_lock);
}

/* ---- plans ---- */

static gboolean
is_text_type (KtFieldType type)
{
  switch (type)
    {
    case KT_FIELD_TEXT:
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
    case KT_FIELD_EMAIL:
    case KT_FIELD_PHONE:
    case KT_FIELD_URL:
    case KT_FIELD_AUTO_NUMBER:
      return TRUE;
    default:
      return FALSE;
    }
}

static void
add_key (KtPlan *plan, const KtField *field)
{
  if (!g_ptr_array_find (plan->keys, field, NULL))
    g_ptr_array_add (plan->keys, (gpointer) field);
}

static void
plan_keys (KtPlan *plan)
{
  g_autofree const KtField **list = NULL;
  const KtObject *object = plan->object;
  GString *insert = g_string_new (NULL);
  guint n = 0;

  plan->keys = g_ptr_array_new ();
  if (is_text_type (object->title->type))
    add_key (plan, object->title);
  list = kt_object_list_fields (object, &n);
  for (guint i = 0; i < n; i++)
    if (list[i]->type == KT_FIELD_TEXT)
      add_key (plan, list[i]);

  g_string_append_printf (insert, "INSERT OR REPLACE INTO kt_key_%u (rid, dead", object->number);
  for (guint i = 0; i < plan->keys->len; i++)
    g_string_append_printf (insert, ", \"k_%s\"", ((const KtField *) plan->keys->pdata[i])->name);
  g_string_append (insert, ") VALUES (?1, ?2");
  for (guint i = 0; i < plan->keys->len; i++)
    g_string_append_printf (insert, ", ?%u", i + 3);
  g_string_append_c (insert, ')');
  plan->key_insert = g_string_free (insert, FALSE);
  plan->key_delete = g_strdup_printf ("DELETE FROM kt_key_%u WHERE rid=?1", object->number);
}

static void
plan_terms (KtPlan *plan)
{
  const KtObject *object = plan->object;

  plan->terms = g_array_new (FALSE, FALSE, sizeof (KtTermField));
  for (guint i = 0; i < object->n_fields; i++)
    {
      KtTermField term = { object->fields[i], KT_TERM_BODY };

      if (term.field == object->title || term.field == object->translations)
        term.column = KT_TERM_TITLE;
      else if (term.field->type == KT_FIELD_EMAIL || term.field->type == KT_FIELD_PHONE
               || term.field->type == KT_FIELD_AUTO_NUMBER
               || strcmp (term.field->name, "external_id") == 0)
        term.column = KT_TERM_KEYS;
      else if (!is_text_type (term.field->type) && term.field->type != KT_FIELD_ADDRESS
               && term.field->type != KT_FIELD_TAGS)
        continue;
      if (term.column == KT_TERM_TITLE && !is_text_type (term.field->type)
          && term.field != object->translations)
        continue;
      if (strcmp (term.field->name, "record_type") == 0 || strcmp (term.field->name, "sha256") == 0)
        continue;
      g_array_append_val (plan->terms, term);
    }
}

static KtPlan *
plan_new (const KtObject *object)
{
  KtPlan *plan = g_new0 (KtPlan, 1);

  plan->object = object;
  plan->owner = kt_object_field (object, "owner");
  plan_keys (plan);
  plan_terms (plan);
  plan->formulas = g_ptr_array_new ();
  for (guint i = 0; i < object->n_fields; i++)
    {
      if (object->fields[i]->from != NULL)
        g_ptr_array_add (plan->formulas, (gpointer) object->fields[i]);
      if (object->fields[i]->formula != NULL)
        plan->computes = TRUE;
    }
  return plan;
}

static void
plan_free (KtPlan *plan)
{
  if (plan == NULL)
    return;
  g_ptr_array_unref (plan->keys);
  g_ptr_array_unref (plan->formulas);
  g_array_unref (plan->terms);
  g_free (plan->key_insert);
  g_free (plan->key_delete);
  g_free (plan);
}

const KtObject *
_kt_local_object (KtLocal *local, const KtObject *object)
{
  if (local->schema == NULL || object == NULL)
    return NULL;
  return object->schema == local->schema ? object : kt_schema_object (local->schema, object->name);
}

KtPlan *
_kt_local_plan (KtLocal *local, const KtObject *object)
{
  const KtObject *own = _kt_local_object (local, object);

  if (own == NULL || own->number >= local->plans->len)
    return NULL;
  if (g_ptr_array_index (local->plans, own->number) == NULL)
    g_ptr_array_index (local->plans, own->number) = plan_new (own);
  return g_ptr_array_index (local->plans, own->number);
}

/* ---- which schema ---- */

void
_kt_local_use_schema (KtLocal *local, KtSchema *schema)
{
  const KtObject *const *objects;
  guint n = 0;
  guint max = 0;

  g_clear_pointer (&local->engine, kt_expression_engine_unref);
  g_clear_pointer (&local->plans, g_ptr_array_unref);
  g_clear_pointer (&local->schema_digest, g_free);
  g_hash_table_remove_all (local->names);
  if (schema != NULL)
    kt_schema_ref (schema);
  /* Whoever asks for something may hold an object of the schema that the asking itself finds to be old. */
  if (local->schema != NULL && local->retired == NULL)
    local->retired = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_schema_unref);
  if (local->schema != NULL)
    g_ptr_array_add (local->retired, local->schema);
  local->schema = schema;
  local->stamp++;
  if (schema == NULL)
    return;

  objects = kt_schema_objects (schema, &n);
  for (guint i = 0; i < n; i++)
    max = MAX (max, objects[i]->number);
  local->plans = g_ptr_array_new_with_free_func ((GDestroyNotify) plan_free);
  g_ptr_array_set_size (local->plans, (int) max + 1);
  local->schema_digest = g_strdup (kt_schema_digest (schema));
}

gboolean
_kt_local_load_schema (KtLocal *local, GError **error)
{
  g_autofree char *digest = _kt_local_meta (local, "kt:schema_digest", NULL);
  g_autofree char *text = NULL;
  g_autoptr (KtSchema) schema = NULL;

  if (digest == NULL)
    {
      _kt_local_use_schema (local, NULL);
      return TRUE;
    }
  schema = shared_lookup (digest);
  if (schema == NULL)
    {
      text = _kt_local_meta (local, "kt:schema", error);
      if (text == NULL)
        {
          if (error != NULL && *error == NULL)
            g_set_error (error, KT_ERROR, KT_ERROR_CORRUPT, "%s has lost its schema", local->path);
          return FALSE;
        }
      schema = kt_schema_from_json (text, -1, error);
      if (schema == NULL)
        return FALSE;
      shared_put (schema);
    }
  _kt_local_use_schema (local, schema);
  /* What is stored is what decides whether to load again, whatever this program makes of it. */
  g_free (local->schema_digest);
  local->schema_digest = g_steal_pointer (&digest);
  return TRUE;
}

const KtSchema *
kt_local_schema (KtLocal *local)
{
  return local->schema;
}

/* ---- indices beside the tables ---- */

/* Does every name of @old stand in @now, in order? Then only fields were added. */
static gboolean
only_added (const char *old, const char *now)
{
  g_auto (GStrv) a = g_strsplit (old, " ", -1);
  g_auto (GStrv) b = g_strsplit (now, " ", -1);

  for (guint i = 0; a[i] != NULL; i++)
    if (*a[i] != '\0' && !g_strv_contains ((const char *const *) b, a[i]))
      return FALSE;
  return TRUE;
}

static char *
terms_signature (const KtPlan *plan)
{
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < plan->terms->len; i++)
    {
      const KtTermField *term = &g_array_index (plan->terms, KtTermField, i);

      g_string_append_printf (out, "%s:%d:%d ", term->field->name, term->field->type, term->column);
    }
  return g_string_free (out, FALSE);
}

static char *
keys_signature (const KtPlan *plan)
{
  GString *out = g_string_new ("dead ");

  for (guint i = 0; i < plan->keys->len; i++)
    g_string_append_printf (out, "%s ", ((const KtField *) plan->keys->pdata[i])->name);
  return g_string_free (out, FALSE);
}

/* Feeds every record of an object to one of the indices. */
static gboolean
rebuild (KtLocal *local, const KtPlan *plan, gboolean terms, gboolean keys, GError **error)
{
  g_autofree char *sql =
    g_strdup_printf ("SELECT %s FROM \"o_%s\"", kt_table_columns (local->db, plan->object, NULL),
                     plan->object->name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);
  KtStep step;

  if (stmt == NULL)
    return FALSE;
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      g_autoptr (KtRecord) record = kt_table_read (stmt, 0, plan->object);

      if (terms && !_kt_local_index_terms (local, plan, NULL, record, error))
        return FALSE;
      if (keys && !_kt_local_index_keys (local, plan, record, error))
        return FALSE;
    }
  return step == KT_STEP_DONE;
}

static gboolean
make_key_table (KtLocal *local, const KtPlan *plan, GError **error)
{
  g_autoptr (GString) sql = g_string_new (NULL);
  guint number = plan->object->number;

  g_string_append_printf (
    sql,
    "DROP TABLE IF EXISTS kt_key_%u; CREATE TABLE kt_key_%u (rid INTEGER PRIMARY KEY, dead INTEGER NOT NULL",
    number, number);
  for (guint i = 0; i < plan->keys->len; i++)
    g_string_append_printf (sql, ", \"k_%s\" BLOB NOT NULL",
                            ((const KtField *) plan->keys->pdata[i])->name);
  g_string_append (sql, ");");
  if (plan->keys->len == 0)
    g_string_append_printf (sql, "CREATE INDEX kt_key_%u_dead ON kt_key_%u (dead);", number,
                            number);
  for (guint i = 0; i < plan->keys->len; i++)
    {
      const char *name = ((const KtField *) plan->keys->pdata[i])->name;

      g_string_append_printf (sql, "CREATE INDEX \"kt_key_%u_%s\" ON kt_key_%u (dead, \"k_%s\");",
                              number, name, number, name);
    }
  return kt_db_exec (local->db, sql->str, error);
}

static gboolean
ensure_keys (KtLocal *local, const KtPlan *plan, gboolean all, GError **error)
{
  g_autofree char *meta = g_strconcat ("kt:keys:", plan->object->name, NULL);
  g_autofree char *now = keys_signature (plan);
  g_autofree char *was = _kt_local_meta (local, meta, NULL);

  if (!all && g_strcmp0 (was, now) == 0)
    return TRUE;
  return make_key_table (local, plan, error) && rebuild (local, plan, FALSE, TRUE, error)
         && _kt_local_put_meta (local, meta, now, error);
}

static gboolean
note_terms (KtLocal *local, const KtPlan *plan, gboolean *stale, GError **error)
{
  g_autofree char *meta = g_strconcat ("kt:terms:", plan->object->name, NULL);
  g_autofree char *now = terms_signature (plan);
  g_autofree char *was = _kt_local_meta (local, meta, NULL);

  if (g_strcmp0 (was, now) == 0)
    return TRUE;
  if (was != NULL && !only_added (was, now))
    *stale = TRUE;
  return _kt_local_put_meta (local, meta, now, error);
}

gboolean
_kt_local_ensure_indices (KtLocal *local, GError **error)
{
  g_autofree char *terms = NULL;
  g_autofree char *keys = NULL;
  g_autofree char *had_terms = NULL;
  g_autofree char *had_keys = NULL;
  g_autofree char *terms_probe = NULL;
  g_autofree char *keys_probe = NULL;
  const KtObject *const *objects;
  gboolean stale_terms;
  gboolean stale_keys;
  guint n = 0;

  if (local->schema == NULL)
    return TRUE;
  terms_probe = _kt_local_probe (NULL);
  keys_probe = _kt_local_probe (local->locale);
  terms = g_strdup_printf (KT_SEARCH_FORMAT " %s", terms_probe);
  keys = g_strdup_printf (KT_KEY_FORMAT " %s %s", local->locale, keys_probe);
  had_terms = _kt_local_meta (local, "kt:search", NULL);
  had_keys = _kt_local_meta (local, "kt:keys", NULL);
  stale_terms = had_terms != NULL && strcmp (had_terms, terms) != 0;
  stale_keys = g_strcmp0 (had_keys, keys) != 0;

  objects = kt_schema_objects (local->schema, &n);
  for (guint i = 0; i < n; i++)
    {
      KtPlan *plan = _kt_local_plan (local, objects[i]);

      if (!ensure_keys (local, plan, stale_keys, error)
          || !note_terms (local, plan, &stale_terms, error))
        return FALSE;
    }
  if (stale_terms)
    {
      if (!kt_db_exec (local->db, "INSERT INTO kt_search (kt_search) VALUES ('delete-all')", error))
        return FALSE;
      for (guint i = 0; i < n; i++)
        if (!rebuild (local, _kt_local_plan (local, objects[i]), TRUE, FALSE, error))
          return FALSE;
    }
  return _kt_local_put_meta (local, "kt:search", terms, error)
         && _kt_local_put_meta (local, "kt:keys", keys, error);
}

/* ---- a new schema ---- */

/* Each entry once, with the first that is wrong with it; NULL: nothing is. */
typedef struct
{
  gint64 no;
  char *trouble;
} Carried;

static void
carried_clear (gpointer data)
{
  g_free (((Carried *) data)->trouble);
}

static char *
op_trouble (const KtSchema *schema, const char *name, const char *patch)
{
  const KtObject *object = kt_schema_object (schema, name);

  if (object == NULL)
    return g_strdup_printf ("The server no longer has \"%s\"", name);
  return patch != NULL ? _kt_local_patch_trouble (object, patch) : NULL;
}

static GArray *
list_carried (KtLocal *local, const KtSchema *schema, GError **error)
{
  g_autoptr (GArray) entries = g_array_new (FALSE, TRUE, sizeof (Carried));
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db,
                "SELECT p.no, p.object, p.patch FROM kt_outbox o JOIN kt_outbox_op p ON p.no=o.no"
                " WHERE (o.state=?1 OR (o.state=?2 AND o.code='schema')) AND p.kind<>?3 ORDER BY p.no",
                error);
  KtStep step;

  g_array_set_clear_func (entries, carried_clear);
  if (stmt == NULL)
    return NULL;
  kt_stmt_bind_int (stmt, 1, KT_OUTBOX_QUEUED);
  kt_stmt_bind_int (stmt, 2, KT_OUTBOX_PARKED);
  kt_stmt_bind_int (stmt, 3, KT_MUTATE_RESOLVE);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      Carried *last =
        entries->len > 0 ? &g_array_index (entries, Carried, entries->len - 1) : NULL;

      if (last == NULL || last->no != kt_stmt_int (stmt, 0))
        {
          Carried fresh = { kt_stmt_int (stmt, 0), NULL };

          g_array_append_val (entries, fresh);
          last = &g_array_index (entries, Carried, entries->len - 1);
        }
      if (last->trouble == NULL)
        last->trouble = op_trouble (schema, kt_stmt_text (stmt, 1), kt_stmt_text (stmt, 2));
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&entries) : NULL;
}

/* What is not sent yet and cannot be taken any more keeps its words and waits for a person; what waited for that
 * and can be taken again goes on by itself. */
static gboolean
carry_outbox (KtLocal *local, const KtSchema *schema, GError **error)
{
  g_autoptr (GArray) entries = list_carried (local, schema, error);

  if (entries == NULL)
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    {
      const Carried *entry = &g_array_index (entries, Carried, i);
      gboolean stuck = entry->trouble != NULL;

      if (kt_db_run (local->db, error,
                     "UPDATE kt_outbox SET state=?2, reason=?3, code=?4 WHERE no=?1", KT_BIND_INT,
                     entry->no, KT_BIND_INT, (gint64) (stuck ? KT_OUTBOX_PARKED : KT_OUTBOX_QUEUED),
                     KT_BIND_TEXT, entry->trouble, KT_BIND_TEXT, stuck ? "schema" : NULL,
                     KT_BIND_END)
          < 0)
        return FALSE;
    }
  return TRUE;
}

/* Tables, shadows and patches are carried over each by itself: what is seen is made anew from the latter two (I2). */
static gboolean
show_again (KtLocal *local, GError **error)
{
  g_autoptr (GHashTable) touched = _kt_touched_new ();
  g_auto (KtChanges) changes = { 0 };
  KtStep step;

  {
    KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, "SELECT object, id FROM kt_shadow", error);

    if (stmt == NULL)
      return FALSE;
    while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
      {
        KtId id;

        if (kt_stmt_id (stmt, 1, &id))
          _kt_touched_add (touched, kt_schema_object (local->schema, kt_stmt_text (stmt, 0)), &id);
      }
    if (step != KT_STEP_DONE)
      return FALSE;
  }
  _kt_changes_init (&changes, local);
  return _kt_local_recompute_all (local, touched, FALSE, &changes, error);
}

static gboolean
is_renamed (const KtSchema *from, const KtObject *object)
{
  return object->was != NULL
         && g_strcmp0 (kt_schema_object (from, object->was[0]) != NULL
                         ? kt_schema_object (from, object->was[0])->name
                         : object->name,
                       object->name)
              != 0;
}

/* Full text can only be taken out as it was put in. What converts values, or brings back a field that was gone and
 * has them still, makes it anew; a field that is really new is blank everywhere. *anew is only set. */
static gboolean
moves_values (KtLocal *local, const KtSchema *schema, gboolean *anew, GError **error)
{
  g_autoptr (KtSchemaDiff) diff = NULL;
  const KtObject *const *objects;
  guint n = 0;

  if (local->schema == NULL)
    return TRUE;
  diff = kt_schema_diff (local->schema, schema);
  *anew |= diff->retyped_fields->len > 0;
  objects = kt_schema_objects (schema, &n);
  for (guint i = 0; i < n; i++)
    *anew |= is_renamed (local->schema, objects[i]);
  for (guint i = 0; i < diff->new_fields->len && !*anew; i++)
    {
      const KtField *field = g_ptr_array_index (diff->new_fields, i);
      gint64 known = 0;

      if (!kt_db_get_int (local->db, 0, &known, error,
                          "SELECT count(*) FROM kt_column WHERE object=?1 AND field=?2", KT_BIND_TEXT,
                          field->object->name, KT_BIND_TEXT, field->name, KT_BIND_END))
        return FALSE;
      *anew |= known > 0;
    }
  for (guint i = 0; i < diff->new_objects->len && !*anew; i++)
    {
      gint64 known = 0;

      if (!kt_db_get_int (local->db, 0, &known, error, "SELECT count(*) FROM kt_column WHERE object=?1",
                          KT_BIND_TEXT, ((const KtObject *) diff->new_objects->pdata[i])->name,
                          KT_BIND_END))
        return FALSE;
      *anew |= known > 0;
    }
  return TRUE;
}

static gboolean
move_to (KtLocal *local, const KtSchema *schema, GError **error)
{
  g_autoptr (KtSchema) keep = kt_schema_ref ((KtSchema *) schema);
  g_autoptr (KtSchema) before = local->schema != NULL ? kt_schema_ref (local->schema) : NULL;
  gboolean anew = FALSE;

  if (
    !moves_values (local, schema, &anew, error)
    || (anew && !_kt_local_put_meta (local, "kt:search", "moved", error))
    || !_kt_local_put_on_indices (local, error)
    || !kt_table_ensure (local->db, schema, KT_TABLE_CLIENT | KT_TABLE_LENIENT, error)
    || !_kt_local_put_meta (local, "kt:schema", kt_schema_to_json (schema), error)
    || !_kt_local_put_meta (local, "kt:schema_digest", kt_schema_digest (schema), error)
    || !carry_outbox (local, schema, error)
    || !kt_db_exec (
      local->db,
      "DELETE FROM kt_stage; DELETE FROM kt_meta WHERE key IN ('kt:stage_cursor', 'kt:stage_all')",
      error))
    return FALSE;
  _kt_local_use_schema (local, keep);
  /* Rights may speak of what is new. */
  local->hides |= local->identity != NULL && local->identity->access.rights != NULL;
  return _kt_local_ensure_indices (local, error) && show_again (local, error)
         && _kt_local_resum_changed (local, before, local->schema, error);
}

gboolean
kt_local_set_schema (KtLocal *local, const KtSchema *schema, GError **error)
{
  g_return_val_if_fail (schema != NULL, FALSE);

  if (local->schema_digest != NULL && strcmp (local->schema_digest, kt_schema_digest (schema)) == 0)
    return TRUE;
  if (!_kt_local_begin (local, KT_TX_WRITE, error))
    return FALSE;
  if (!move_to (local, schema, error))
    {
      _kt_local_rollback (local);
      return FALSE;
    }
  if (!_kt_local_commit (local, error))
    return FALSE;
  shared_put (local->schema);
  return TRUE;
}

/* ---- emptying ---- */

gboolean
_kt_local_wipe_records (KtLocal *local, gboolean keep_shadowed, GError **error)
{
  const KtObject *const *objects;
  guint n = 0;

  if (local->schema == NULL)
    return TRUE;
  objects = kt_schema_objects (local->schema, &n);
  if (!keep_shadowed
      && !kt_db_exec (local->db, "INSERT INTO kt_search (kt_search) VALUES ('delete-all')", error))
    return FALSE;
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *sql = NULL;
      KtPlan *plan = _kt_local_plan (local, objects[i]);

      if (!keep_shadowed)
        {
          sql = g_strdup_printf ("DELETE FROM \"o_%s\"; DELETE FROM kt_key_%u", objects[i]->name,
                                 objects[i]->number);
          if (!kt_db_exec (local->db, sql, error))
            return FALSE;
          continue;
        }
      /* Terms can only be taken out one by one. */
      {
        g_autofree char *select =
          g_strdup_printf ("SELECT %s FROM \"o_%s\" WHERE id NOT IN (SELECT id FROM kt_shadow)",
                           kt_table_columns (local->db, objects[i], NULL), objects[i]->name);
        KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, select, error);
        KtStep step;

        if (stmt == NULL)
          return FALSE;
        while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
          {
            g_autoptr (KtRecord) record = kt_table_read (stmt, 0, objects[i]);

            if (!_kt_local_index_terms (local, plan, record, NULL, error))
              return FALSE;
          }
        if (step != KT_STEP_DONE)
          return FALSE;
      }
      sql = g_strdup_printf (
        "DELETE FROM kt_key_%u WHERE rid IN (SELECT rid FROM \"o_%s\" WHERE id NOT IN"
        " (SELECT id FROM kt_shadow));"
        "DELETE FROM \"o_%s\" WHERE id NOT IN (SELECT id FROM kt_shadow)",
        objects[i]->number, objects[i]->name, objects[i]->name);
      if (!kt_db_exec (local->db, sql, error))
        return FALSE;
    }
  g_hash_table_remove_all (local->names);
  return _kt_local_resum_changed (local, NULL, local->schema, error);
}
