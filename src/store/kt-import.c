/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rows into records:
 *
 *   source ─► row ─► names, cells, rules ─┬─► mutation being collected ─► commit, 500 at a time
 *   (kt-import-source)  (kt-import-row)   └─► report
 *
 * A full mutation is committed and forgotten, so memory does not grow with the file. What a row refers to may stand
 * further down: such a reference is put in at the end, when its target has a place. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "proto/kt-rules.h"

#define PROGRESS_ROWS 500

static void
later_clear (gpointer data)
{
  g_free (((KtImportLater *) data)->text);
}

static void
run_clear (KtImportRun *run)
{
  g_clear_pointer (&run->names, _kt_import_names_free);
  g_clear_pointer (&run->targets, g_array_unref);
  g_clear_pointer (&run->keyed, g_hash_table_unref);
  g_clear_pointer (&run->unique, g_hash_table_unref);
  g_clear_pointer (&run->later, g_array_unref);
  g_clear_pointer (&run->mutation, kt_mutation_free);
  g_clear_pointer (&run->rows, g_array_unref);
  g_clear_pointer (&run->report, _kt_import_report_free);
  g_clear_pointer (&run->result, kt_import_result_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtImportRun, run_clear)

/* ---- before the first row ---- */

static void
add_target (GArray *targets, KtImportTarget *target, gboolean stages)
{
  const KtField *field = target->path.field;

  target->is_stage = field != NULL && field->type == KT_FIELD_REF && field->to[1] == NULL
                     && strcmp (field->to[0], "pipeline_stage") == 0;
  if (target->is_stage == stages)
    g_array_append_val (targets, *target);
}

/* Stages last: which one is meant depends on the pipeline of the row. */
static gboolean
prepare_targets (KtImportRun *run, GError **error)
{
  KtImportPlan *plan = run->plan;

  for (guint stages = 0; stages < 2; stages++)
    {
      for (guint i = 0; i < plan->columns->len; i++)
        {
          const KtImportColumn *column = g_ptr_array_index (plan->columns, i);
          KtImportTarget target = { .cell = column->again_of > 0 ? column->again_of - 1 : i,
                                    .name = column->column,
                                    .locale = plan->locale };

          if (column->field == NULL)
            continue;
          /* First and last name of their own say more than both in one. */
          if (strcmp (column->field, run->object->title->name) == 0
              && _kt_import_splits_name (run->object->title)
              && _kt_import_plan_maps (plan, "first_name")
              && _kt_import_plan_maps (plan, "last_name")
              && g_strcmp0 (plan->match, column->field) != 0)
            continue;
          if (!_kt_import_path_parse (run->object, column->field, &target.path, error))
            return FALSE;
          add_target (run->targets, &target, stages);
        }
      for (guint i = 0; plan->constants != NULL && i < plan->constants->len; i += 2)
        {
          KtImportTarget target = { .name = g_ptr_array_index (plan->constants, i),
                                    .constant = { g_ptr_array_index (plan->constants, i + 1),
                                                  FALSE },
                                    .locale = plan->locale };

          if (!_kt_import_path_parse (run->object, target.name, &target.path, error))
            return FALSE;
          add_target (run->targets, &target, stages);
        }
    }
  return TRUE;
}

static gboolean
check_access (KtImportRun *run, const KtIdentity *identity, GError **error)
{
  g_autofree char *reason = NULL;

  if (identity == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_AUTH, "Nobody is signed in: sign in before importing");
      return FALSE;
    }
  if (kt_access_may (&identity->access, KT_MAY_CREATE, run->object, NULL, run->plan->locale,
                     &reason))
    return TRUE;
  g_set_error_literal (error, KT_ERROR, KT_ERROR_FORBIDDEN, reason);
  return FALSE;
}

/* ---- after the last row ---- */

static gboolean
settle_one (KtImportRun *run, const KtImportLater *later, GError **error)
{
  const KtObject *object = NULL;
  g_autofree char *message = NULL;
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) after = NULL;
  g_autoptr (GError) failure = NULL;
  KtValue *slot;
  KtId id;

  _kt_import_report_begin (run);
  if (_kt_import_look_up (run, later->field, later->only, NULL, later->text, FALSE, &object, &id,
                          &message)
      != KT_IMPORT_FOUND)
    {
      g_autofree char *text = NULL;

      if (run->forgetful)
        return TRUE;
      text = g_strdup_printf ("%s The row goes in without it.", message);

      _kt_import_problem (run, later->row, later->column, text);
      return TRUE;
    }
  if (run->dry)
    return TRUE;
  before = kt_local_load (run->local, run->object, &later->id, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (before == NULL)
    return TRUE; /* its row was refused, and that was said */
  after = kt_record_copy (before);
  slot = &after->values[later->field->index];
  kt_value_clear (slot);
  if (later->field->storage == KT_VALUE_ANY)
    kt_value_set_any (slot, object->name, &id);
  else
    kt_value_set_id (slot, &id);
  _kt_import_add (run, before, after, later->row);
  return _kt_import_commit_if_full (run, error);
}

/* References to rows that stood further down. */
static gboolean
settle_later (KtImportRun *run, GError **error)
{
  for (guint i = 0; i < run->later->len; i++)
    if (!settle_one (run, &g_array_index (run->later, KtImportLater, i), error))
      return FALSE;
  return _kt_import_commit (run, error);
}

static void
note_mended (KtImportRun *run, const KtImportSource *source)
{
  if (source->mended > 0)
    g_ptr_array_add (run->result->notes,
                     g_strdup_printf ("%" G_GUINT64_FORMAT
                                      " rows have texts with commas and without quotes; they were "
                                      "put together again, such as “%s”.",
                                      source->mended,
                                      source->mended_sample != NULL ? source->mended_sample : ""));
}

/* ---- the run ---- */

static gboolean
read_rows (KtImportRun *run,
           KtImportSource *source,
           KtImportProgress progress,
           gpointer data,
           GCancellable *cancellable,
           GError **error)
{
  g_autoptr (GError) failure = NULL;
  const KtCsvCell *cells;
  guint n;
  guint64 row = 1;

  while ((cells = _kt_import_source_next (source, &n, &row, &failure)) != NULL)
    {
      if (g_cancellable_is_cancelled (cancellable))
        break;
      run->result->read++;
      _kt_import_take_row (run, cells, n, row, source->width);
      if (!_kt_import_commit_if_full (run, error))
        return FALSE;
      if (run->result->read % PROGRESS_ROWS != 0)
        continue;
      if (!_kt_import_report_flush (run, error))
        return FALSE;
      if (progress != NULL)
        progress (source->fed, source->total, run->result->read, data);
    }
  if (failure != NULL)
    {
      /* What was read is good and goes in; the file is broken from here on, and that is said. */
      _kt_import_report_begin (run);
      _kt_import_problem (run, row + 1, NULL, failure->message);
      _kt_import_report_row (run, NULL, 0, row + 1);
    }
  note_mended (run, source);
  if (run->forgetful)
    g_ptr_array_add (
      run->result->notes,
      g_strdup (
        "The file is too large to be kept in mind by a trial: rows that repeat a key may be "
        "counted as new, and references between its rows are not all checked."));
  if (progress != NULL)
    progress (source->fed, source->total, run->result->read, data);
  return _kt_import_commit (run, error);
}

static KtImportSource *
open_source (KtImportRun *run, const char *report_path, GError **error)
{
  g_autoptr (KtImportSource) source =
    _kt_import_source_open (run->plan->path, run->plan->encoding, run->plan->separator, error);
  g_autoptr (GError) failure = NULL;
  const KtCsvCell *cells;
  guint n;
  guint64 row;

  if (source == NULL)
    return NULL;
  cells = _kt_import_source_next (source, &n, &row, &failure);
  if (cells == NULL)
    {
      if (failure != NULL)
        g_propagate_error (error, g_steal_pointer (&failure));
      else
        g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                     "%s is empty: the first line has to name the columns", run->plan->path);
      return NULL;
    }
  run->report = _kt_import_report_open (report_path, cells, n, error);
  return run->report != NULL ? g_steal_pointer (&source) : NULL;
}

KtImportResult *
kt_import_run (KtLocal *local,
               KtImportPlan *plan,
               gboolean dry_run,
               const char *report_path,
               KtImportProgress progress,
               gpointer data,
               GCancellable *cancellable,
               GPtrArray *change_sets,
               GError **error)
{
  g_auto (KtImportRun)
    run = { .local = local, .plan = plan, .dry = dry_run, .change_sets = change_sets };
  g_autoptr (KtImportSource) source = NULL;
  const KtIdentity *identity;

  g_return_val_if_fail (local != NULL && plan != NULL, NULL);

  run.object = plan->object;
  identity = kt_local_identity (local);
  if (!check_access (&run, identity, error) || !kt_import_plan_check (plan, error))
    return NULL;
  run.currency = identity->currency;
  run.result = _kt_import_result_new ();
  run.targets = g_array_new (FALSE, TRUE, sizeof (KtImportTarget));
  run.keyed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, _kt_import_keyed_free);
  run.unique = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  run.later = g_array_new (FALSE, FALSE, sizeof (KtImportLater));
  g_array_set_clear_func (run.later, later_clear);
  run.rows = g_array_new (FALSE, FALSE, sizeof (guint64));
  if (!dry_run)
    {
      KtId batch = kt_id_new (kt_local_env (local));

      run.result->batch = kt_id_to_string (&batch);
    }
  if (!prepare_targets (&run, error))
    return NULL;
  run.names = _kt_import_names_new (&run);
  if (!_kt_import_survey (&run, error))
    return NULL;
  source = open_source (&run, report_path, error);
  if (source == NULL || !read_rows (&run, source, progress, data, cancellable, error)
      || !settle_later (&run, error) || !_kt_import_report_close (&run, error))
    return NULL;
  return g_steal_pointer (&run.result);
}

/* ---- taking it back ---- */

gboolean
kt_import_undo (KtLocal *local,
                const char *batch,
                guint *records,
                GPtrArray *change_sets,
                GError **error)
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
          if (!g_error_matches (local_error, KT_ERROR, KT_ERROR_CONFLICT)
              && !g_error_matches (local_error, KT_ERROR, KT_ERROR_NOT_FOUND))
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
