/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One row into one record. It is understood whole: every problem of it is told, then it goes in or into the report.
 * A trial decides by the same code; what it would have written it keeps aside, as far as later rows can meet it. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-text.h"
#include "proto/kt-rules.h"

#define TRIAL_BYTES (64 * 1024 * 1024)
#define KEYED_BYTES 150 /* of an entry, besides its texts */
#define MAX_UNIQUE 500000

/* A record that an earlier row of this file speaks of. */
typedef struct
{
  KtId id;
  gboolean is_new;
  KtRecord *after; /* real run: as it waits to be committed */
  char *patch;     /* trial: what would be changed, as JSON */
} Keyed;

void
_kt_import_keyed_free (gpointer data)
{
  Keyed *keyed = data;

  g_clear_pointer (&keyed->after, kt_record_unref);
  g_free (keyed->patch);
  g_free (keyed);
}

/* A trial keeps them to its end, so there it has to be modest. */
static void
keep_keyed (KtImportRun *run,
            char *key /* taken */,
            gboolean is_new,
            const KtRecord *base,
            KtRecord *after)
{
  Keyed *keyed;

  if (key == NULL)
    return;
  if (run->dry && run->keyed_bytes > TRIAL_BYTES && !g_hash_table_contains (run->keyed, key))
    {
      run->forgetful = TRUE;
      g_free (key);
      return;
    }
  keyed = g_new0 (Keyed, 1);
  keyed->id = after->id;
  keyed->is_new = is_new;
  if (!run->dry)
    keyed->after = kt_record_ref (after);
  else
    {
      g_autoptr (KtPatch) patch = kt_patch_diff (base, after);
      g_autoptr (GString) text = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (text);

      kt_patch_to_json (patch, &writer);
      run->keyed_bytes += text->len + strlen (key) + KEYED_BYTES;
      keyed->patch = g_strdup (text->str);
    }
  g_hash_table_replace (run->keyed, key, keyed);
}

/* The record as the earlier row leaves it. @base: as it stands in the profile. */
static KtRecord *
restore_keyed (KtImportRun *run, const Keyed *keyed, KtRecord **base)
{
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (KtJson) json = NULL;
  g_autoptr (KtPatch) patch = NULL;

  if (keyed->after != NULL)
    return kt_record_copy (keyed->after);
  if (!keyed->is_new)
    *base = kt_local_load (run->local, run->object, &keyed->id, NULL);
  record = *base != NULL ? kt_record_copy (*base) : kt_record_new (run->object, &keyed->id);
  json = kt_json_parse (keyed->patch, -1, NULL);
  patch = json != NULL ? kt_patch_from_json (run->object, json, NULL) : NULL;
  if (patch != NULL)
    kt_patch_apply (patch, record);
  return g_steal_pointer (&record);
}

/* ---- which record a row is about ---- */

typedef struct
{
  KtId id;          /* nil: a new one */
  char *key;        /* what later rows may know it by; NULL */
  KtRecord *before; /* NULL: a new one */
  KtRecord *base;   /* trial: before any row of this file */
  gboolean is_new;  /* not in the profile */
} Subject;

static void
subject_clear (Subject *subject)
{
  g_free (subject->key);
  g_clear_pointer (&subject->before, kt_record_unref);
  g_clear_pointer (&subject->base, kt_record_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Subject, subject_clear)

/* TRUE: an earlier row speaks of it, and @subject is filled. */
static gboolean
meet_keyed (KtImportRun *run, Subject *subject)
{
  const Keyed *keyed = g_hash_table_lookup (run->keyed, subject->key);

  if (keyed == NULL)
    return FALSE;
  subject->id = keyed->id;
  subject->is_new = keyed->is_new;
  subject->before = restore_keyed (run, keyed, &subject->base);
  return TRUE;
}

static gboolean
load (KtImportRun *run, const KtImportTarget *target, guint64 row, Subject *subject)
{
  g_autoptr (GError) error = NULL;

  subject->before = kt_local_load (run->local, run->object, &subject->id, &error);
  if (error != NULL)
    {
      _kt_import_problem (run, row, target->name, error->message);
      return FALSE;
    }
  if (subject->before != NULL && kt_record_deleted (subject->before))
    {
      _kt_import_problem (run, row, target->name,
                          "This record is in the bin. Restore it first, or leave the row out.");
      return FALSE;
    }
  subject->is_new = subject->before == NULL;
  return TRUE;
}

static gboolean
find_by_id (KtImportRun *run,
            const KtImportTarget *target,
            const char *text,
            guint64 row,
            Subject *subject)
{
  char canonical[KT_ID_TEXT_SIZE];
  g_autofree char *clean = g_strstrip (g_strdup (text));

  if (!kt_id_parse (clean, -1, &subject->id) || kt_id_is_nil (&subject->id))
    {
      _kt_import_problem (
        run, row, target->name,
        "This is not an id of Kontor. Leave the column out, or the cell blank for a new record.");
      return FALSE;
    }
  kt_id_format (&subject->id, canonical);
  subject->key = g_strdup_printf ("id\x1f%s", canonical);
  return meet_keyed (run, subject) || load (run, target, row, subject);
}

/* The value of the match field of this row, as it would be stored. */
static gboolean
match_value (KtImportRun *run,
             const KtImportTarget *target,
             const KtCsvCell *cell,
             guint64 row,
             KtRecord *scratch,
             KtValue *value)
{
  guint later = run->later->len;
  gboolean ok = _kt_import_set_cell (run, target, scratch, cell, run->currency, row);

  g_array_set_size (run->later, later);
  if (ok)
    kt_value_copy (&scratch->values[target->path.field->index], value);
  return ok;
}

/* FALSE with no problem noted: there is none. */
static gboolean
query_one (KtImportRun *run,
           const KtImportTarget *target,
           const KtValue *value,
           guint64 row,
           KtId *id)
{
  const KtField *field = target->path.field;
  g_autoptr (KtQuery) query = kt_query_new (run->object);
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (GError) error = NULL;

  query->filter = kt_filter_compare (field, KT_OP_EQ, value);
  query->limit = 2;
  rids = kt_local_query (run->local, query, NULL, &error);
  if (rids != NULL && rids->len > 1)
    {
      g_autofree char *message =
        g_strdup_printf ("Several records have this %s: which one is meant cannot be told.",
                         kt_field_label (field, run->plan->locale));

      _kt_import_problem (run, row, target->name, message);
      return FALSE;
    }
  if (rids != NULL && rids->len == 1)
    found =
      kt_local_rows (run->local, run->object, (const gint64 *) (gpointer) rids->data, 1, &error);
  if (error != NULL)
    _kt_import_problem (run, row, target->name, error->message);
  if (found == NULL || found->len == 0 || g_ptr_array_index (found, 0) == NULL)
    return FALSE;
  *id = ((KtRecord *) g_ptr_array_index (found, 0))->id;
  return TRUE;
}

static gboolean
find_by_match (KtImportRun *run,
               const KtImportTarget *target,
               const KtCsvCell *cell,
               guint64 row,
               Subject *subject)
{
  const KtField *field = target->path.field;
  g_auto (KtValue) value = KT_VALUE_INIT;
  gboolean found;

  if (_kt_import_splits_name (field))
    {
      const char *text = _kt_import_unguard (cell->text);
      g_autofree char *squashed = kt_text_squash (text);
      g_autoptr (GError) error = NULL;

      subject->key = g_strdup_printf ("match\x1f%s", squashed);
      if (meet_keyed (run, subject))
        return TRUE;
      found = kt_local_find (run->local, run->object, text, &subject->id, &error);
      if (!found && !g_error_matches (error, KT_ERROR, KT_ERROR_NOT_FOUND))
        _kt_import_problem (run, row, target->name, error->message);
    }
  else
    {
      KtId nil = KT_ID_NIL;
      g_autoptr (KtRecord) scratch = kt_record_new (run->object, &nil);
      g_autofree char *text = NULL;

      if (!match_value (run, target, cell, row, scratch, &value) || kt_value_is_null (&value))
        return _kt_import_report_clean (run);
      text = kt_value_to_string (&value);
      subject->key = g_strdup_printf ("match\x1f%s", text);
      if (meet_keyed (run, subject))
        return TRUE;
      found = query_one (run, target, &value, row, &subject->id);
    }
  if (!_kt_import_report_clean (run))
    return FALSE;
  return !found || load (run, target, row, subject);
}

/* FALSE: a problem has been noted. */
static gboolean
find_subject (KtImportRun *run, const KtCsvCell *cells, guint n, guint64 row, Subject *subject)
{
  const char *match = run->plan->match;

  subject->is_new = TRUE;
  for (guint i = 0; i < run->targets->len; i++)
    {
      const KtImportTarget *target = &g_array_index (run->targets, KtImportTarget, i);
      const KtCsvCell *cell = target->path.is_id ? _kt_import_cell (run, target, cells, n) : NULL;

      if (cell != NULL)
        return find_by_id (run, target, cell->text, row, subject);
    }
  if (match != NULL && strcmp (match, "id") != 0)
    {
      const KtImportTarget *target = _kt_import_target (run, match, NULL);
      const KtCsvCell *cell = target != NULL ? _kt_import_cell (run, target, cells, n) : NULL;

      if (cell != NULL)
        return find_by_match (run, target, cell, row, subject);
    }
  return TRUE;
}

/* ---- what no cell gives ---- */

/* A required title that no column gives is made of what the row refers to: "Cancity – GTX Plus Basic". */
static void
compose_title (KtImportRun *run, KtRecord *record, const KtCsvCell *cells, guint n)
{
  static const char *const telling[] = { "account", "contact", "primary_contact", "product",
                                         "parent" };
  const KtField *title = run->object->title;
  g_autoptr (GString) text = g_string_new (NULL);
  guint parts = 0;

  if (title->computed || title->storage != KT_VALUE_TEXT || !title->required
      || !kt_value_is_null (&record->values[title->index]))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (telling) && parts < 2; i++)
    {
      const KtImportTarget *target = _kt_import_target (run, telling[i], NULL);
      const KtCsvCell *cell = target != NULL ? _kt_import_cell (run, target, cells, n) : NULL;
      const KtValue *value = cell != NULL ? &record->values[target->path.field->index] : NULL;
      g_autofree char *name = NULL;

      if (cell == NULL)
        continue;
      if (value->type == KT_VALUE_ID)
        name = _kt_import_title_of (
          run, kt_schema_object (run->object->schema, target->path.field->to[0]), &value->v.ref.id);
      g_string_append_printf (text, "%s%s", parts++ > 0 ? " – " : "",
                              name != NULL ? name : cell->text);
    }
  if (parts == 0 && kt_record_text (record, "external_id") != NULL)
    g_string_append (text, kt_record_text (record, "external_id"));
  if (text->len > 0)
    kt_value_parse (title, text->str, run->plan->locale, NULL, &record->values[title->index], NULL);
}

/* First and last name in two columns, one field for both. */
static void
join_name (KtImportRun *run, KtRecord *record, const KtCsvCell *cells, guint n)
{
  const char *title = run->object->title->name;
  const KtImportTarget *first = _kt_import_target (run, title, "first");
  const KtImportTarget *last = _kt_import_target (run, title, "last");
  const KtCsvCell *given = first != NULL ? _kt_import_cell (run, first, cells, n) : NULL;
  const KtCsvCell *family = last != NULL ? _kt_import_cell (run, last, cells, n) : NULL;
  g_autofree char *name = NULL;
  KtValue *slot = &record->values[run->object->title->index];

  if (given == NULL && family == NULL)
    return;
  if (given == NULL || family == NULL)
    name = g_strdup ((given != NULL ? given : family)->text);
  else if (g_unichar_get_script (g_utf8_get_char (family->text)) == G_UNICODE_SCRIPT_HAN)
    name = g_strconcat (family->text, given->text, NULL);
  else
    name = g_strconcat (given->text, " ", family->text, NULL);
  kt_value_clear (slot);
  kt_value_parse (run->object->title, name, run->plan->locale, NULL, slot, NULL);
}

/* Who has no name to sign in with signs in with the own one. */
static void
fill_user_name (KtRecord *record)
{
  const KtField *user_name = kt_object_field (record->object, "user_name");

  if (user_name != NULL && kt_value_is_null (&record->values[user_name->index])
      && kt_record_text (record, record->object->title->name) != NULL)
    kt_value_set_text (&record->values[user_name->index],
                       kt_record_text (record, record->object->title->name));
}

static const char *
row_currency (KtImportRun *run, const KtField *field, const KtCsvCell *cells, guint n)
{
  const KtImportTarget *target = _kt_import_target (run, field->name, "currency");
  const KtCsvCell *cell;

  if (target == NULL)
    target = _kt_import_target (run, "currency", NULL);
  cell = target != NULL ? _kt_import_cell (run, target, cells, n) : NULL;
  return cell != NULL && strlen (cell->text) == 3 ? cell->text : run->currency;
}

/* ---- checks ---- */

static void
check_rules (KtImportRun *run, const KtRecord *before, const KtRecord *after, guint64 row)
{
  g_autoptr (KtRecord) whole = kt_record_copy (after);
  g_autoptr (GPtrArray) problems = NULL;

  if (before == NULL)
    kt_record_apply_defaults (whole);
  problems = kt_rules_check (before, whole, run->plan->locale);
  for (guint i = 0; problems != NULL && i < problems->len; i++)
    {
      const KtProblem *problem = g_ptr_array_index (problems, i);
      const KtImportTarget *target =
        problem->field != NULL ? _kt_import_target (run, problem->field->name, NULL) : NULL;

      _kt_import_problem (run, row, target != NULL ? target->name : NULL, problem->message);
    }
}

/* A value that only one record may have, and another has already. */
static gboolean
is_taken (KtImportRun *run,
          const KtField *field,
          const KtRecord *record,
          const char *key,
          char **by)
{
  const KtValue *value = &record->values[field->index];
  g_autoptr (KtQuery) query = NULL;
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) found = NULL;
  const char *earlier = g_hash_table_lookup (run->unique, key);
  char own[KT_ID_TEXT_SIZE];

  kt_id_format (&record->id, own);
  if (earlier != NULL)
    return strcmp (earlier, own) != 0;
  query = kt_query_new (run->object);
  query->filter = kt_filter_compare (field, KT_OP_EQ, value);
  query->limit = 1;
  rids = kt_local_query (run->local, query, NULL, NULL);
  if (rids == NULL || rids->len == 0)
    return FALSE;
  found = kt_local_rows (run->local, run->object, (const gint64 *) (gpointer) rids->data, 1, NULL);
  if (found == NULL || g_ptr_array_index (found, 0) == NULL
      || kt_id_equal (&((KtRecord *) g_ptr_array_index (found, 0))->id, &record->id))
    return FALSE;
  *by = kt_record_title (g_ptr_array_index (found, 0), run->plan->locale);
  return TRUE;
}

static void
check_unique (KtImportRun *run, const KtRecord *before, const KtRecord *after, guint64 row)
{
  for (guint i = 0; i < run->object->n_fields; i++)
    {
      const KtField *field = run->object->fields[i];
      const KtImportTarget *target;
      g_autofree char *key = NULL;
      g_autofree char *by = NULL;
      g_autofree char *message = NULL;

      /* People share mailboxes and switchboards: that is for a person to judge, and no reason to turn a row away. */
      if (!field->unique || field->type == KT_FIELD_EMAIL || field->type == KT_FIELD_PHONE
          || after->values[i].type != KT_VALUE_TEXT
          || (before != NULL && kt_value_equal (&before->values[i], &after->values[i])))
        continue;
      key = g_strdup_printf ("%s\x1f%s", field->name, after->values[i].v.text);
      if (!is_taken (run, field, after, key, &by))
        {
          if (g_hash_table_size (run->unique) < MAX_UNIQUE)
            g_hash_table_insert (run->unique, g_steal_pointer (&key), kt_id_to_string (&after->id));
          continue;
        }
      target = _kt_import_target (run, field->name, NULL);
      message = g_strdup_printf ("“%s” is taken by %s. Choose %s as match key to update instead.",
                                 after->values[i].v.text, by != NULL ? by : "an earlier row",
                                 kt_field_label (field, run->plan->locale));
      _kt_import_problem (run, row, target != NULL ? target->name : NULL, message);
    }
}

/* ---- the row ---- */

static void
set_cells (KtImportRun *run, KtRecord *after, const KtCsvCell *cells, guint n, guint64 row)
{
  for (guint i = 0; i < run->targets->len; i++)
    {
      const KtImportTarget *target = &g_array_index (run->targets, KtImportTarget, i);
      const KtField *field = target->path.field;
      const KtCsvCell *cell = _kt_import_cell (run, target, cells, n);

      if (cell == NULL)
        continue;
      _kt_import_set_cell (run, target, after, cell,
                           field != NULL && field->type == KT_FIELD_MONEY
                             ? row_currency (run, field, cells, n)
                             : run->currency,
                           row);
    }
}

static void
count (KtImportRun *run, Subject *subject, KtRecord *after, guint64 row)
{
  g_autoptr (KtPatch) patch = NULL;

  if (subject->before == NULL)
    {
      run->result->created++;
      if (!run->dry)
        _kt_import_add (run, NULL, after, row);
      return;
    }
  if (run->dry)
    patch = kt_patch_diff (subject->before, after);
  if (run->dry ? kt_patch_length (patch) > 0
               : _kt_import_add (run, subject->before, after, row) != NULL)
    run->result->updated++;
  else
    run->result->unchanged++;
}

static gboolean
fill (KtImportRun *run,
      Subject *subject,
      KtRecord *after,
      const KtCsvCell *cells,
      guint n,
      guint64 row)
{
  set_cells (run, after, cells, n, row);
  if (!_kt_import_report_clean (run))
    return FALSE;
  join_name (run, after, cells, n);
  if (subject->before == NULL)
    {
      compose_title (run, after, cells, n);
      fill_user_name (after);
    }
  check_rules (run, subject->before, after, row);
  if (_kt_import_report_clean (run))
    check_unique (run, subject->before, after, row);
  return _kt_import_report_clean (run);
}

gboolean
_kt_import_take_row (KtImportRun *run, const KtCsvCell *cells, guint n, guint64 row, guint width)
{
  g_auto (Subject) subject = { KT_ID_NIL };
  g_autoptr (KtRecord) after = NULL;
  guint later = run->later->len;

  _kt_import_report_begin (run);
  if (n > width)
    {
      g_autofree char *message = g_strdup_printf (
        "The row has %u cells, the header has %u. A text that holds the separator must stand in quotes.",
        n, width);

      _kt_import_problem (run, row, NULL, message);
      _kt_import_report_row (run, cells, n, row);
      return FALSE;
    }
  if (find_subject (run, cells, n, row, &subject))
    {
      if (kt_id_is_nil (&subject.id))
        subject.id = kt_id_new (kt_local_env (run->local));
      after = subject.before != NULL ? kt_record_copy (subject.before)
                                     : kt_record_new (run->object, &subject.id);
    }
  if (after == NULL || !fill (run, &subject, after, cells, n, row))
    {
      g_array_set_size (run->later, later);
      _kt_import_report_row (run, cells, n, row);
      return FALSE;
    }
  count (run, &subject, after, row);
  _kt_import_remember (run, after);
  keep_keyed (run, g_steal_pointer (&subject.key), subject.is_new,
              subject.base != NULL || subject.is_new ? subject.base : subject.before, after);
  return TRUE;
}
