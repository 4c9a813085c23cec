/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rows are collected into mutations. One that is refused is cut in halves until the record that is to blame stands
 * alone: it is reported, the others go in. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <string.h>

#include "base/kt-error.h"

#define CHUNK_RECORDS 500
#define CHUNK_BYTES (4 * 1024 * 1024) /* well below KT_MUTATION_MAX_BYTES */

static KtMutation *
new_mutation (KtImportRun *run)
{
  const KtEnv *env = kt_local_env (run->local);
  gint64 us = env->now_us (env->data);
  g_autoptr (GDateTime) moment = g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC);
  g_autofree char *seconds = g_date_time_format (moment, "%Y-%m-%dT%H:%M:%S");
  g_autofree char *at = g_strdup_printf ("%s.%03dZ", seconds, (int) (us / 1000 % 1000));
  KtMutation *mutation = kt_mutation_new (at, "import");

  mutation->batch = g_strdup (run->result->batch);
  return mutation;
}

static gsize
weigh (const KtPatch *patch)
{
  gsize bytes = 100;

  for (guint i = 0; i < patch->changes->len; i++)
    {
      const KtChange *change = &g_array_index (patch->changes, KtChange, i);
      const KtValue *const values[] = { &change->before, &change->after };

      bytes += 40;
      for (guint k = 0; k < G_N_ELEMENTS (values); k++)
        if (values[k]->type == KT_VALUE_TEXT || values[k]->type == KT_VALUE_LIST
            || values[k]->type == KT_VALUE_JSON)
          bytes += strlen (values[k]->v.text);
    }
  return bytes;
}

/* NULL: nothing would change. */
KtOp *
_kt_import_add (KtImportRun *run, KtRecord *before, KtRecord *after, guint64 row)
{
  g_autoptr (KtPatch) patch = kt_patch_diff (before, after);

  if (before != NULL && kt_patch_length (patch) == 0)
    return NULL;
  if (run->mutation == NULL)
    run->mutation = new_mutation (run);
  run->bytes += weigh (patch);
  g_array_append_val (run->rows, row);
  return kt_mutation_add (run->mutation, before == NULL ? KT_MUTATE_CREATE : KT_MUTATE_UPDATE,
                          after->object, &after->id, before == NULL ? 0 : before->rev,
                          g_steal_pointer (&patch));
}

static gboolean
blames_a_record (const GError *error)
{
  switch (error->domain == KT_ERROR ? error->code : -1)
    {
    case KT_ERROR_INVALID:
    case KT_ERROR_LIMIT:
    case KT_ERROR_NOT_FOUND:
    case KT_ERROR_EXISTS:
    case KT_ERROR_FORBIDDEN:
    case KT_ERROR_CONFLICT:
      return TRUE;
    default:
      return FALSE;
    }
}

static void
blame (KtImportRun *run, const KtMutation *mutation, guint64 row, const GError *error)
{
  const KtOp *op = g_ptr_array_index (mutation->ops, 0);

  _kt_import_report_begin (run);
  if (row == 0)
    {
      _kt_import_problem (run, 0, NULL, error->message);
      return;
    }
  _kt_import_problem (run, row, NULL, error->message);
  _kt_import_report_row (run, NULL, 0, row);
  if (op->kind == KT_MUTATE_CREATE)
    run->result->created -= MIN (run->result->created, 1);
  else
    run->result->updated -= MIN (run->result->updated, 1);
}

/* Takes @mutation; @rows has a number for each of its ops. */
static gboolean
commit_some (KtImportRun *run, KtMutation *mutation, const guint64 *rows, GError **error)
{
  g_autoptr (KtMutation) whole = mutation;
  g_autoptr (GError) failure = NULL;
  KtChangeSet *changes = NULL;
  guint n = mutation->ops->len;

  if (kt_local_commit (run->local, whole, NULL, &changes, &failure))
    {
      if (changes != NULL && run->change_sets != NULL)
        g_ptr_array_add (run->change_sets, changes);
      else
        g_clear_pointer (&changes, kt_change_set_unref);
      return TRUE;
    }
  if (!blames_a_record (failure))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (n == 1)
    {
      blame (run, whole, rows[0], failure);
      return TRUE;
    }
  for (guint half = 0; half < 2; half++)
    {
      KtMutation *part = new_mutation (run);
      guint from = half == 0 ? 0 : n / 2, to = half == 0 ? n / 2 : n;

      for (guint i = from; i < to; i++)
        {
          KtOp *op = g_ptr_array_index (whole->ops, i);

          kt_mutation_add (part, op->kind, op->object, &op->id, op->base_rev,
                           op->patch != NULL ? kt_patch_copy (op->patch) : NULL);
        }
      if (!commit_some (run, part, rows + from, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kt_import_commit (KtImportRun *run, GError **error)
{
  gboolean ok;

  if (run->mutation == NULL)
    return TRUE;
  ok = commit_some (run, g_steal_pointer (&run->mutation),
                    (const guint64 *) (gpointer) run->rows->data, error);
  g_array_set_size (run->rows, 0);
  run->bytes = 0;
  if (!run->dry)
    {
      /* What is in is found in the profile from now on. */
      g_hash_table_remove_all (run->keyed);
      g_hash_table_remove_all (run->unique);
      _kt_import_forget (run);
    }
  return ok;
}

gboolean
_kt_import_commit_if_full (KtImportRun *run, GError **error)
{
  return run->mutation == NULL
         || (run->mutation->ops->len < CHUNK_RECORDS && run->bytes < CHUNK_BYTES)
         || _kt_import_commit (run, error);
}
