/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Saving what was edited: one commit, from what the person saw to what they want.
 * Typing goes on meanwhile. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "base/kt-error.h"
#include "kt-editor-private.h"

typedef struct
{
  KtRecord *record; /* as it is being saved */
  GPtrArray *names; /* interned: of the fields in the patch */
} Saving;

static void
saving_free (Saving *saving)
{
  kt_record_unref (saving->record);
  g_ptr_array_unref (saving->names);
  g_free (saving);
}

/* What was typed meanwhile is an edit of what was saved. */
static void
rebase (KtEditor *self, const Saving *saving)
{
  for (guint i = 0; i < saving->names->len; i++)
    {
      Edit *edit = g_hash_table_lookup (self->edits, saving->names->pdata[i]);
      const KtValue *saved;

      if (edit == NULL)
        continue;
      saved = _kt_value_of (saving->record, edit->field);
      if (edit->raw == NULL && kt_value_equal (&edit->value, saved))
        {
          g_hash_table_remove (self->edits, saving->names->pdata[i]);
          continue;
        }
      kt_value_clear (&edit->before);
      kt_value_copy (saved, &edit->before);
      edit->before_rev = saving->record->rev;
    }
}

/* The base as it is now (others may have changed it meanwhile) with what was saved. */
static KtRecord *
with_saved (KtEditor *self, const Saving *saving)
{
  KtRecord *record = kt_record_copy (self->base);

  for (guint i = 0; i < saving->names->len; i++)
    {
      const KtField *field = kt_object_field (record->object, saving->names->pdata[i]);

      if (field == NULL)
        continue;
      kt_value_clear (&record->values[field->index]);
      kt_value_copy (_kt_value_of (saving->record, field), &record->values[field->index]);
    }
  return record;
}

static void
saved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtEditor *self = KT_EDITOR (source);
  const Saving *saving = g_task_get_task_data (task);
  g_autoptr (KtRecord) record = NULL;
  KtDone *done = _kt_command_finish (self, result, &error);

  _kt_editor_set_saving (self, FALSE);
  if (done == NULL)
    {
      /* Rules only the database can check (the store's own sentence, in the language of the profile). */
      if (g_error_matches (error, KT_ERROR, KT_ERROR_INVALID)
          || g_error_matches (error, KT_ERROR, KT_ERROR_FORBIDDEN))
        {
          g_hash_table_insert (self->problems, (gpointer) _kt_editor_name (NULL),
                               g_strdup (error->message));
          _kt_editor_field_changed (self, NULL);
        }
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  rebase (self, saving);
  record = with_saved (self, saving);
  _kt_editor_saved (self, record, done);
  g_task_return_pointer (task, done, (GDestroyNotify) kt_done_unref);
}

/* Problems of single fields. TRUE: none. */
static gboolean
check (KtEditor *self)
{
  g_autoptr (GPtrArray) problems = NULL;
  GHashTableIter iter;
  gpointer value;
  gboolean ok = TRUE;
  gboolean had = g_hash_table_size (self->problems) > 0;

  g_hash_table_remove_all (self->problems);
  g_hash_table_iter_init (&iter, self->edits);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Edit *) value)->problem != NULL)
      ok = FALSE;
  problems = kt_rules_check (self->is_new ? NULL : self->base, _kt_editor_shown (self),
                             kt_workspace_get_locale (self->workspace));
  for (guint i = 0; problems != NULL && i < problems->len; i++)
    {
      const KtProblem *problem = problems->pdata[i];

      if (!g_hash_table_contains (self->problems, _kt_editor_name (problem->field)))
        g_hash_table_insert (self->problems, (gpointer) _kt_editor_name (problem->field),
                             g_strdup (problem->message));
      ok = FALSE;
    }
  if (!ok || had)
    _kt_editor_field_changed (self, NULL);
  return ok;
}

static char *
first_problem (KtEditor *self)
{
  const char *text = kt_editor_get_problem (self, NULL);

  for (guint i = 0; i < self->object->n_fields && text == NULL; i++)
    text = kt_editor_get_problem (self, self->object->fields[i]);
  return g_strdup (text != NULL ? text : _ ("Something in this record is not right yet"));
}

static KtPatch *
make_patch (KtEditor *self, GPtrArray *names, gint64 *base_rev)
{
  KtPatch *patch;
  GHashTableIter iter;
  gpointer name, value;

  if (self->is_new)
    patch = kt_patch_diff (NULL, _kt_editor_shown (self));
  else
    patch = kt_patch_new (self->object);
  *base_rev = self->base->rev;
  g_hash_table_iter_init (&iter, self->edits);
  while (g_hash_table_iter_next (&iter, &name, &value))
    {
      const Edit *edit = value;

      if (edit->field->object != self->object)
        continue; /* retired meanwhile */
      g_ptr_array_add (names, name);
      if (self->is_new)
        continue;
      kt_patch_set (patch, edit->field, &edit->before, &edit->value);
      *base_rev = MIN (*base_rev, edit->before_rev);
    }
  return patch;
}

void
kt_editor_save_async (KtEditor *self, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  g_autoptr (KtPatch) patch = NULL;
  GPtrArray *mutations;
  KtMutation *mutation;
  Saving *saving;
  gint64 base_rev = 0;

  g_return_if_fail (KT_IS_EDITOR (self));

  task = g_task_new (self, NULL, callback, user_data);
  g_task_set_source_tag (task, kt_editor_save_async);
  if (self->saving)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_PENDING, "%s",
                               _ ("This is being saved already"));
      return;
    }
  if (self->base == NULL || self->gone)
    {
      g_task_return_new_error (task, KT_ERROR, KT_ERROR_NOT_FOUND, "%s",
                               _ ("This record is no longer there"));
      return;
    }
  if (!check (self))
    {
      g_autofree char *text = first_problem (self);

      g_task_return_new_error (task, KT_ERROR, KT_ERROR_INVALID, "%s", text);
      return;
    }

  saving = g_new0 (Saving, 1);
  saving->names = g_ptr_array_new ();
  saving->record = kt_record_ref (_kt_editor_shown (self));
  g_task_set_task_data (task, saving, (GDestroyNotify) saving_free);
  patch = make_patch (self, saving->names, &base_rev);
  if (!self->is_new && kt_patch_length (patch) == 0)
    {
      g_task_return_pointer (
        task, _kt_done_new (_ ("Nothing was changed"), self->object, &self->id, NULL, 0),
        (GDestroyNotify) kt_done_unref);
      return;
    }
  mutation = _kt_workspace_mutation (self->workspace);
  kt_mutation_add (mutation, self->is_new ? KT_MUTATE_CREATE : KT_MUTATE_UPDATE, self->object,
                   &self->id, self->is_new ? 0 : base_rev, g_steal_pointer (&patch));
  mutations = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_mutation_free);
  g_ptr_array_add (mutations, mutation);
  _kt_editor_set_saving (self, TRUE);
  _kt_workspace_commit_async (self->workspace, mutations, self->object, &self->id, self, saved_cb,
                              g_steal_pointer (&task));
}

KtDone *
kt_editor_save_finish (KtEditor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
