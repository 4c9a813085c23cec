/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Commands: what one click does, as one mutation (or, beyond the limit of one, as
 * several that succeed or fail together), and how it is taken back.
 *
 * Undo is honest about the network: what has not been sent leaves the outbox as if it
 * had never been; what has been is answered by its inverse, which touches only what
 * nobody changed since. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "base/kt-error.h"
#include "kt-model-private.h"

struct _KtDone
{
  /* owned */
  char *text;
  GArray *nos; /* gint64, in the order of their commits */

  /* borrowed from the workspace's schemas */
  const KtObject *object;

  /* state */
  KtId id;
  gatomicrefcount refs;
};

G_DEFINE_BOXED_TYPE (KtDone, kt_done, kt_done_ref, kt_done_unref)

KtDone *
_kt_done_new (const char *text, const KtObject *object, const KtId *id, const gint64 *nos, guint n)
{
  KtDone *self = g_new0 (KtDone, 1);

  g_atomic_ref_count_init (&self->refs);
  self->text = g_strdup (text != NULL ? text : "");
  self->object = object;
  self->id = id != NULL ? *id : KT_ID_NIL;
  self->nos = g_array_new (FALSE, FALSE, sizeof (gint64));
  /* 0: it changed nothing. */
  for (guint i = 0; i < n; i++)
    if (nos[i] > 0)
      g_array_append_val (self->nos, nos[i]);
  return self;
}

KtDone *
kt_done_ref (KtDone *done)
{
  g_return_val_if_fail (done != NULL, NULL);

  g_atomic_ref_count_inc (&done->refs);
  return done;
}

void
kt_done_unref (KtDone *done)
{
  if (done == NULL || !g_atomic_ref_count_dec (&done->refs))
    return;
  g_array_unref (done->nos);
  g_free (done->text);
  g_free (done);
}

const char *
kt_done_text (const KtDone *done)
{
  g_return_val_if_fail (done != NULL, "");

  return done->text;
}

gboolean
kt_done_can_undo (const KtDone *done)
{
  g_return_val_if_fail (done != NULL, FALSE);

  return done->nos->len > 0;
}

gboolean
kt_done_get_record (const KtDone *done, const KtObject **object, KtId *id)
{
  g_return_val_if_fail (done != NULL, FALSE);

  if (done->object == NULL || kt_id_is_nil (&done->id))
    return FALSE;
  if (object != NULL)
    *object = done->object;
  if (id != NULL)
    *id = done->id;
  return TRUE;
}

/* ---- on the writer ---- */

typedef struct
{
  KtStore *store;       /* borrowed: it ends its threads before it goes */
  GPtrArray *mutations; /* KtMutation*; or: */
  KtMakeMutation make;
  KtMakeMutations make_many;
  char *sentence; /* instead of one made of the first */
  gpointer data;
  GDestroyNotify free_data;
  GArray *undo;      /* gint64; or neither */
  KtMutation *whole; /* what the sentence is about; NULL: the first mutation */
  char *locale;
} Command;

typedef struct
{
  GArray *nos;
  char *text;
  guint committed;
} Outcome;

static void
command_free (Command *command)
{
  g_clear_pointer (&command->mutations, g_ptr_array_unref);
  if (command->free_data != NULL)
    command->free_data (command->data);
  g_clear_pointer (&command->undo, g_array_unref);
  kt_mutation_free (command->whole);
  g_free (command->locale);
  g_free (command->sentence);
  g_free (command);
}

static void
outcome_free (Outcome *outcome)
{
  g_array_unref (outcome->nos);
  g_free (outcome->text);
  g_free (outcome);
}

static char *
title_func (const KtObject *object, const KtId *id, gpointer data)
{
  KtRefKey key = { object, *id };
  g_autoptr (GPtrArray) titles = kt_local_titles (data, &key, 1, NULL);

  return titles != NULL && titles->len == 1 ? g_strdup (titles->pdata[0]) : NULL;
}

static void
emit (const Command *command, KtChangeSet *changes)
{
  if (changes != NULL)
    kt_store_emit (command->store, changes);
}

static void
take_back (KtLocal *local, const Command *command, Outcome *outcome)
{
  for (guint i = outcome->nos->len; i > 0; i--)
    {
      g_autoptr (GError) error = NULL;
      KtChangeSet *changes = NULL;

      if (!kt_local_undo (local, g_array_index (outcome->nos, gint64, i - 1), &changes, &error))
        g_debug ("half a command stays: %s", error->message);
      emit (command, changes);
    }
}

static gboolean
commit_one (KtLocal *local,
            const Command *command,
            KtMutation *mutation,
            Outcome *outcome,
            GError **error)
{
  KtChangeSet *changes = NULL;
  gint64 no = 0;

  if (!kt_local_commit (local, mutation, &no, &changes, error))
    return FALSE;
  emit (command, changes);
  if (no > 0)
    g_array_append_val (outcome->nos, no);
  outcome->committed++;
  return TRUE;
}

static gboolean
run_commits (KtLocal *local, Command *command, Outcome *outcome, GError **error)
{
  const KtMutation *about;

  if (command->make != NULL)
    {
      KtMutation *mutation = command->make (local, command->data, error);

      if (mutation == NULL)
        return FALSE;
      command->mutations = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_mutation_free);
      g_ptr_array_add (command->mutations, mutation);
      if (mutation->ops->len == 0 && kt_id_is_nil (&mutation->resolves))
        return TRUE;
    }

  if (command->make_many != NULL)
    {
      command->mutations = command->make_many (local, command->data, error);
      if (command->mutations == NULL)
        return FALSE;
      if (command->mutations->len == 0)
        return TRUE;
    }

  about = command->whole != NULL ? command->whole : command->mutations->pdata[0];
  /* Something restored or deleted has its title before and after; something new only after. */
  for (guint i = 0; i < command->mutations->len; i++)
    if (!commit_one (local, command, command->mutations->pdata[i], outcome, error))
      {
        take_back (local, command, outcome);
        return FALSE;
      }
  outcome->text = command->sentence != NULL
                    ? g_strdup (command->sentence)
                    : kt_mutation_describe (about, command->locale, title_func, local);
  return TRUE;
}

static gboolean
undo_one (KtLocal *local, const Command *command, gint64 no, Outcome *outcome, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (KtMutation) inverse = NULL;
  KtChangeSet *changes = NULL;

  if (kt_local_undo (local, no, &changes, &failure))
    {
      emit (command, changes);
      outcome->committed++;
      return TRUE;
    }
  if (!g_error_matches (failure, KT_ERROR, KT_ERROR_CONFLICT)
      && !g_error_matches (failure, KT_ERROR, KT_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  inverse = kt_local_inverse (local, no, error);
  if (inverse == NULL)
    return FALSE;
  if (inverse->ops->len == 0 && kt_id_is_nil (&inverse->resolves))
    return TRUE;
  if (!kt_local_commit (local, inverse, NULL, &changes, error))
    return FALSE;
  emit (command, changes);
  outcome->committed++;
  return TRUE;
}

static gpointer
command_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Command *command = data;
  Outcome *outcome = g_new0 (Outcome, 1);
  gboolean ok = TRUE;

  outcome->nos = g_array_new (FALSE, FALSE, sizeof (gint64));
  if (command->undo != NULL)
    for (guint i = command->undo->len; i > 0 && ok; i--)
      ok = undo_one (local, command, g_array_index (command->undo, gint64, i - 1), outcome, error);
  else
    ok = run_commits (local, command, outcome, error);
  if (!ok)
    g_clear_pointer (&outcome, outcome_free);
  return outcome;
}

/* ---- on the main thread ---- */

typedef struct
{
  KtWorkspace *workspace;
  const KtObject *object;
  KtId id;
  gboolean undo;
} Pending;

static void
pending_free (Pending *pending)
{
  g_object_unref (pending->workspace);
  g_free (pending);
}

static void
command_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  Pending *pending = g_task_get_task_data (task);
  Outcome *outcome = kt_store_job_finish (result, &error);
  const char *text;

  if (outcome == NULL)
    {
      if (g_error_matches (error, KT_ERROR, KT_ERROR_FULL))
        _kt_workspace_set_failure (pending->workspace, error);
      g_task_return_error (task, _kt_error_localise (g_steal_pointer (&error)));
      return;
    }
  _kt_workspace_set_failure (pending->workspace, NULL);
  if (!pending->undo)
    text = outcome->text != NULL ? outcome->text : _ ("Nothing was changed");
  else if (outcome->committed > 0)
    text = _ ("Taken back");
  else
    text = _ ("Nothing is left to take back: it was changed again since");
  g_task_return_pointer (task,
                         _kt_done_new (text, pending->object, &pending->id,
                                       (const gint64 *) outcome->nos->data, outcome->nos->len),
                         (GDestroyNotify) kt_done_unref);
  outcome_free (outcome);
}

static void
start (KtWorkspace *self,
       Command *command,
       const KtObject *object,
       const KtId *id,
       gpointer source_object,
       GAsyncReadyCallback callback,
       gpointer user_data)
{
  GTask *task = g_task_new (source_object, NULL, callback, user_data);
  Pending *pending = g_new0 (Pending, 1);

  g_task_set_source_tag (task, start);
  pending->workspace = g_object_ref (self);
  pending->object = object;
  pending->id = id != NULL ? *id : KT_ID_NIL;
  pending->undo = command->undo != NULL;
  g_task_set_task_data (task, pending, (GDestroyNotify) pending_free);
  if (!_kt_workspace_check_open (self, task))
    {
      command_free (command);
      g_object_unref (task);
      return;
    }
  command->store = _kt_workspace_store (self);
  command->locale = g_strdup (kt_workspace_get_locale (self));
  /* Not cancellable: what a person was shown as done is done. */
  kt_store_write_async (command->store, command_job, command, (GDestroyNotify) command_free,
                        (GDestroyNotify) outcome_free, NULL, command_cb, task);
}

void
_kt_workspace_commit_async (KtWorkspace *self,
                            GPtrArray *mutations,
                            const KtObject *object,
                            const KtId *id,
                            gpointer source_object,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  Command *command = g_new0 (Command, 1);

  command->mutations = mutations;
  start (self, command, object, id, source_object, callback, user_data);
}

void
_kt_workspace_make_async (KtWorkspace *self,
                          KtMakeMutation make,
                          gpointer data,
                          GDestroyNotify free_data,
                          const KtObject *object,
                          const KtId *id,
                          gpointer source_object,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  Command *command = g_new0 (Command, 1);

  command->make = make;
  command->data = data;
  command->free_data = free_data;
  start (self, command, object, id, source_object, callback, user_data);
}

void
_kt_workspace_make_many_async (KtWorkspace *self,
                               KtMakeMutations make,
                               gpointer data,
                               GDestroyNotify free_data,
                               const char *sentence,
                               gpointer source_object,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  Command *command = g_new0 (Command, 1);

  command->make_many = make;
  command->data = data;
  command->free_data = free_data;
  command->sentence = g_strdup (sentence);
  start (self, command, NULL, NULL, source_object, callback, user_data);
}

KtDone *
_kt_command_finish (gpointer source_object, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, source_object), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

KtMutation *
_kt_workspace_mutation (KtWorkspace *self)
{
  gint64 now = _kt_workspace_now_us (self);
  g_autoptr (GDateTime) seconds = g_date_time_new_from_unix_utc (now / G_USEC_PER_SEC);
  g_autofree char *text = NULL;
  g_autofree char *at = NULL;

  /* A clock beyond the year 9999 is shown as its end; it is never compared (P9). */
  if (seconds == NULL || g_date_time_get_year (seconds) > 9999)
    return kt_mutation_new ("9999-12-31T23:59:59.000Z", "client");
  text = g_date_time_format (seconds, "%Y-%m-%dT%H:%M:%S");
  at = g_strdup_printf ("%s.%03dZ", text, (int) (now % G_USEC_PER_SEC / 1000));
  return kt_mutation_new (at, "client");
}

/* ---- delete, restore ---- */

static void
many_async (KtWorkspace *self,
            KtMutateKind kind,
            const KtObject *object,
            const KtId *ids,
            guint n,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  const KtObject *now = _kt_workspace_adopt (self, object);
  Command *command;

  g_return_if_fail (ids != NULL && n > 0);

  if (now == NULL)
    now = object;
  command = g_new0 (Command, 1);
  command->mutations = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_mutation_free);
  for (guint i = 0; i < n; i++)
    {
      if (i % KT_MUTATION_MAX_OPS == 0)
        g_ptr_array_add (command->mutations, _kt_workspace_mutation (self));
      kt_mutation_add (g_ptr_array_index (command->mutations, command->mutations->len - 1), kind,
                       now, &ids[i], 0, NULL);
    }
  if (n > KT_MUTATION_MAX_OPS)
    {
      command->whole = _kt_workspace_mutation (self);
      for (guint i = 0; i < n; i++)
        kt_mutation_add (command->whole, kind, now, &ids[i], 0, NULL);
    }
  start (self, command, now, &ids[0], self, callback, user_data);
}

void
kt_workspace_delete_async (KtWorkspace *self,
                           const KtObject *object,
                           const KtId *ids,
                           guint n,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  g_return_if_fail (KT_IS_WORKSPACE (self) && object != NULL);

  many_async (self, KT_MUTATE_DELETE, object, ids, n, callback, user_data);
}

void
kt_workspace_restore_async (KtWorkspace *self,
                            const KtObject *object,
                            const KtId *ids,
                            guint n,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_return_if_fail (KT_IS_WORKSPACE (self) && object != NULL);

  many_async (self, KT_MUTATE_RESTORE, object, ids, n, callback, user_data);
}

/* ---- one field ---- */

typedef struct
{
  KtMutation *mutation;
  const KtObject *object;
  const KtField *field;
  KtId id;
  char *text;
  char *locale;
  char *currency;
} SetField;

static void
set_field_free (SetField *set)
{
  kt_mutation_free (set->mutation);
  g_free (set->text);
  g_free (set->locale);
  g_free (set->currency);
  g_free (set);
}

/* References may be given by what people call them. */
static gboolean
parse_here (KtLocal *local, const SetField *set, KtValue *value, GError **error)
{
  const KtObject *target;
  KtId id;

  if (set->field->type != KT_FIELD_REF || *set->text == '\0' || kt_id_parse (set->text, -1, &id))
    return kt_value_parse (set->field, set->text, set->locale, set->currency, value, error);
  target = kt_schema_object (kt_local_schema (local), set->field->to[0]);
  if (target == NULL || !kt_local_find (local, target, set->text, &id, error))
    return FALSE;
  kt_value_set_id (value, &id);
  return TRUE;
}

static KtMutation *
set_field_make (KtLocal *local, gpointer data, GError **error)
{
  SetField *set = data;
  g_autoptr (KtRecord) record = kt_local_load (local, set->object, &set->id, error);
  g_auto (KtValue) value = KT_VALUE_INIT;
  g_autoptr (KtPatch) patch = NULL;

  if (record == NULL)
    {
      if (error != NULL && *error == NULL)
        g_set_error_literal (error, KT_ERROR, KT_ERROR_NOT_FOUND,
                             _ ("This record is no longer there"));
      return NULL;
    }
  if (!parse_here (local, set, &value, error))
    return NULL;
  patch = kt_patch_new (set->object);
  kt_patch_set (patch, set->field, _kt_value_of (record, set->field), &value);
  if (kt_patch_length (patch) > 0)
    kt_mutation_add (set->mutation, KT_MUTATE_UPDATE, set->object, &set->id, record->rev,
                     g_steal_pointer (&patch));
  return g_steal_pointer (&set->mutation);
}

void
kt_workspace_set_async (KtWorkspace *self,
                        const KtObject *object,
                        const KtId *id,
                        const char *field,
                        const char *text,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  const KtObject *now;
  SetField *set;

  g_return_if_fail (KT_IS_WORKSPACE (self) && object != NULL && id != NULL && field != NULL
                    && text != NULL);

  now = _kt_workspace_adopt (self, object);
  if (now == NULL || kt_object_field (now, field) == NULL)
    {
      g_task_report_new_error (self, callback, user_data, kt_workspace_set_async, KT_ERROR,
                               KT_ERROR_NOT_FOUND, "%s has no field %s", object->name, field);
      return;
    }
  set = g_new0 (SetField, 1);
  set->mutation = _kt_workspace_mutation (self);
  set->object = now;
  set->field = kt_object_field (now, field);
  set->id = *id;
  set->text = g_strdup (text);
  set->locale = g_strdup (kt_workspace_get_locale (self));
  set->currency = g_strdup (kt_workspace_get_currency (self));
  _kt_workspace_make_async (self, set_field_make, set, (GDestroyNotify) set_field_free, now, id,
                            self, callback, user_data);
}

void
kt_workspace_undo_async (KtWorkspace *self,
                         KtDone *done,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  Command *command;

  g_return_if_fail (KT_IS_WORKSPACE (self) && done != NULL);

  command = g_new0 (Command, 1);
  command->undo = g_array_copy (done->nos);
  start (self, command, done->object, &done->id, self, callback, user_data);
}

KtDone *
kt_workspace_done_finish (KtWorkspace *self, GAsyncResult *result, GError **error)
{
  return _kt_command_finish (self, result, error);
}
