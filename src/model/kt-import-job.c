/* SPDX-License-Identifier: GPL-3.0-or-later */

/* An import as the assistant sees it.
 *
 * The work has a connection of its own (SQLite's WAL lets it commit chunk by chunk
 * beside the store's writer), because a job on the writer would hold up every edit
 * for as long as a large file takes. The store notices what another connection
 * wrote by itself; at the end it is told at once.
 *
 * `plan` and `local` belong to the main thread in the quiet states and to the one
 * task that runs in the others; never to both.                                    */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "base/kt-error.h"
#include "kt-import-targets.h"
#include "kt-model-private.h"
#include "model/kt-import-job.h"

#define PROGRESS_US (50 * 1000)

struct _KtImportJob
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  KtLocal *local;
  KtImportPlan *plan;
  KtImportResult *result;
  GPtrArray *targets; /* KtImportTarget* */
  GCancellable *cancellable;
  GMainContext *context;
  GError *error;
  char *path;
  char *encoding; /* asked for; NULL: detect */
  char *report_path;
  char *hint;
  char *batch;         /* of what is in; NULL: nothing to undo */
  GPtrArray *problems; /* char* */
  GPtrArray *notes;    /* char* */

  /* borrowed */
  const KtObject *object;

  /* state */
  KtImportState state;
  char separator; /* asked for; 0: detect */
  guint create_missing : 1;
  guint reopen : 1; /* read again when the task under way has ended */
  double fraction;
  guint64 rows;

  /* shared with the task */
  GMutex lock;
  guint64 done_bytes, total_bytes, done_rows;
  gint64 told_us;
  gboolean telling;
};

enum
{
  PROP_0,
  PROP_STATE,
  PROP_FRACTION,
  PROP_ROWS,
  PROP_HINT,
  N_PROPS
};
enum
{
  MAPPING_CHANGED,
  N_SIGNALS
};

static GParamSpec *props[N_PROPS];
static guint signals[N_SIGNALS];

static void read_head (KtImportJob *self);

G_DEFINE_FINAL_TYPE (KtImportJob, kt_import_job, G_TYPE_OBJECT)
G_DEFINE_ENUM_TYPE (KtImportState,
                    kt_import_state,
                    G_DEFINE_ENUM_VALUE (KT_IMPORT_READING, "reading"),
                    G_DEFINE_ENUM_VALUE (KT_IMPORT_MAPPING, "mapping"),
                    G_DEFINE_ENUM_VALUE (KT_IMPORT_TRYING, "trying"),
                    G_DEFINE_ENUM_VALUE (KT_IMPORT_TRIED, "tried"),
                    G_DEFINE_ENUM_VALUE (KT_IMPORT_RUNNING, "running"),
                    G_DEFINE_ENUM_VALUE (KT_IMPORT_DONE, "done"),
                    G_DEFINE_ENUM_VALUE (KT_IMPORT_FAILED, "failed"),
                    G_DEFINE_ENUM_VALUE (KT_IMPORT_UNDONE, "undone"))

/* Whether plan and connection are ours. */
static gboolean
is_quiet (KtImportJob *self)
{
  return self->state != KT_IMPORT_READING && self->state != KT_IMPORT_TRYING
         && self->state != KT_IMPORT_RUNNING;
}

static void
set_state (KtImportJob *self, KtImportState state)
{
  if (self->state == state)
    return;
  self->state = state;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_STATE]);
}

static void
set_progress (KtImportJob *self, double fraction, guint64 rows)
{
  if (self->fraction != fraction)
    {
      self->fraction = fraction;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_FRACTION]);
    }
  if (self->rows != rows)
    {
      self->rows = rows;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_ROWS]);
    }
}

/* ---- mapping ---- */

static void
update_hint (KtImportJob *self)
{
  g_autofree char *hint =
    self->plan != NULL ? _kt_import_hint (self->plan, kt_workspace_get_locale (self->workspace))
                       : NULL;

  if (g_strcmp0 (hint, self->hint) == 0)
    return;
  g_free (self->hint);
  self->hint = g_steal_pointer (&hint);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_HINT]);
}

/* What was tried was tried with another mapping. */
static void
mapping_changed (KtImportJob *self)
{
  update_hint (self);
  if (self->state == KT_IMPORT_TRIED)
    set_state (self, KT_IMPORT_MAPPING);
  g_signal_emit (self, signals[MAPPING_CHANGED], 0);
}

/* ---- tasks ---- */

typedef enum
{
  TASK_READ,
  TASK_TRY,
  TASK_RUN,
  TASK_UNDO
} TaskKind;

typedef struct
{
  KtImportJob *self; /* the task holds it */
  TaskKind kind;
  const KtEnv *env;
  char *dir;
  char *object;
  char *locale;
  char *encoding;
  char *batch;
  char separator;
  KtImportResult *result;
  KtChangeSet *changes; /* one, for the store to be told */
} Work;

static void
work_free (Work *work)
{
  g_free (work->dir);
  g_free (work->object);
  g_free (work->locale);
  g_free (work->encoding);
  g_free (work->batch);
  kt_import_result_free (work->result);
  g_clear_pointer (&work->changes, kt_change_set_unref);
  g_free (work);
}

static gboolean
progress_cb (gpointer data)
{
  KtImportJob *self = data;
  double fraction;
  guint64 rows;

  g_mutex_lock (&self->lock);
  self->telling = FALSE;
  fraction = self->total_bytes > 0 ? (double) self->done_bytes / (double) self->total_bytes : 0;
  rows = self->done_rows;
  g_mutex_unlock (&self->lock);
  if (!is_quiet (self))
    set_progress (self, MIN (fraction, 1.0), rows);
  return G_SOURCE_REMOVE;
}

/* On the task's thread, often. */
static void
progress (guint64 bytes, guint64 total, guint64 rows, gpointer data)
{
  Work *work = data;
  KtImportJob *self = work->self;
  gint64 now = work->env->monotonic_us (work->env->data);
  gboolean tell;

  g_mutex_lock (&self->lock);
  self->done_bytes = bytes;
  self->total_bytes = total;
  self->done_rows = rows;
  tell = !self->telling && now - self->told_us >= PROGRESS_US;
  if (tell)
    {
      self->telling = TRUE;
      self->told_us = now;
    }
  g_mutex_unlock (&self->lock);
  if (tell)
    {
      g_autoptr (GSource) source = g_idle_source_new ();

      g_source_set_priority (source, G_PRIORITY_DEFAULT);
      g_source_set_callback (source, progress_cb, g_object_ref (self), g_object_unref);
      g_source_attach (source, self->context);
    }
}

static gboolean
open_local (Work *work, GError **error)
{
  KtImportJob *self = work->self;

  if (self->local == NULL)
    self->local = kt_local_open (work->dir, 0, work->env, error);
  return self->local != NULL;
}

static gboolean
do_read (Work *work, GError **error)
{
  KtImportJob *self = work->self;
  const KtSchema *schema = kt_local_schema (self->local);
  const KtObject *object = schema != NULL ? kt_schema_object (schema, work->object) : NULL;

  if (object == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no object “%s” any more",
                   work->object);
      return FALSE;
    }
  g_clear_pointer (&self->plan, kt_import_plan_free);
  self->plan = kt_import_plan_new_form (self->local, object, self->path, work->encoding,
                                        work->separator, error);
  return self->plan != NULL;
}

static gboolean
do_work (Work *work, GCancellable *cancellable, GError **error)
{
  KtImportJob *self = work->self;
  g_autoptr (GPtrArray) sets =
    g_ptr_array_new_with_free_func ((GDestroyNotify) kt_change_set_unref);
  gboolean ok;

  switch (work->kind)
    {
    case TASK_READ:
      return do_read (work, error);
    case TASK_UNDO:
      ok = kt_import_undo (self->local, work->batch, NULL, sets, error);
      break;
    case TASK_TRY:
    case TASK_RUN:
    default:
      work->result = kt_import_run (self->local, self->plan, work->kind == TASK_TRY,
                                    work->kind == TASK_RUN ? self->report_path : NULL, progress,
                                    work, cancellable, sets, error);
      ok = work->result != NULL;
      break;
    }
  if (sets->len > 0)
    {
      work->changes = kt_change_set_ref (sets->pdata[0]);
      work->changes->everything = TRUE;
      work->changes->outbox = TRUE;
    }
  return ok;
}

static void
work_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  GError *error = NULL;

  if (open_local (work, &error) && do_work (work, cancellable, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static gpointer
tell_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  gpointer *args = data;

  kt_store_emit (args[0], g_steal_pointer (&args[1]));
  return GINT_TO_POINTER (1);
}

static void
tell_store (KtImportJob *self, KtChangeSet *changes)
{
  KtStore *store = _kt_workspace_store (self->workspace);
  gpointer *args;

  if (store == NULL)
    {
      kt_change_set_unref (changes);
      return;
    }
  args = g_new0 (gpointer, 2);
  args[0] = store;
  args[1] = changes;
  kt_store_write_async (store, tell_job, args, g_free, NULL, NULL, NULL, NULL);
}

static void
take_result (KtImportJob *self, Work *work)
{
  GPtrArray *errors;

  g_clear_pointer (&self->result, kt_import_result_free);
  self->result = g_steal_pointer (&work->result);
  g_ptr_array_set_size (self->problems, 0);
  g_ptr_array_set_size (self->notes, 0);
  errors = self->result->errors;
  for (guint i = 0; errors != NULL && i < errors->len; i++)
    {
      const KtImportError *one = errors->pdata[i];
      char row[24];
      char *text;

      g_snprintf (row, sizeof row, "%" G_GUINT64_FORMAT, one->row);
      if (one->column != NULL && *one->column != '\0')
        text = g_strdup_printf (
          /* Translators: a row that could not be imported: its number, name of the column, reason. */
          _ ("Row %s, column %s: %s"), row, one->column, one->message);
      else
        text = g_strdup_printf (
          /* Translators: a row that could not be imported: its number, reason. */
          _ ("Row %s: %s"), row, one->message);
      g_ptr_array_add (self->problems, text);
    }
  for (guint i = 0; self->result->notes != NULL && i < self->result->notes->len; i++)
    g_ptr_array_add (self->notes, g_strdup (self->result->notes->pdata[i]));
  set_progress (self, 1, self->result->read);
}

static void
fail (KtImportJob *self, GError *error)
{
  g_clear_error (&self->error);
  self->error = _kt_error_localise (error);
  set_state (self, KT_IMPORT_FAILED);
}

static void
work_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  KtImportJob *self = KT_IMPORT_JOB (object);
  Work *work = g_task_get_task_data (G_TASK (result));
  GError *error = NULL;
  gboolean ok = g_task_propagate_boolean (G_TASK (result), &error);
  gboolean cancelled = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  g_clear_object (&self->cancellable);
  if (work->changes != NULL)
    tell_store (self, g_steal_pointer (&work->changes));
  if (self->reopen)
    {
      self->reopen = FALSE;
      g_clear_error (&error);
      read_head (self);
      return;
    }
  switch (work->kind)
    {
    case TASK_READ:
      if (!ok)
        {
          fail (self, error);
          return;
        }
      self->plan->create_missing = self->create_missing;
      g_free (self->plan->locale);
      self->plan->locale = g_strdup (work->locale);
      g_ptr_array_unref (self->targets);
      self->targets = _kt_import_targets_new (self->plan, work->locale);
      update_hint (self);
      set_state (self, KT_IMPORT_MAPPING);
      g_signal_emit (self, signals[MAPPING_CHANGED], 0);
      return;
    case TASK_TRY:
      if (ok)
        take_result (self, work);
      if (cancelled || ok)
        set_state (self, ok && !cancelled ? KT_IMPORT_TRIED : KT_IMPORT_MAPPING);
      else
        fail (self, g_steal_pointer (&error));
      break;
    case TASK_RUN:
      if (ok)
        {
          take_result (self, work);
          g_free (self->batch);
          self->batch = self->result->created + self->result->updated > 0
                          ? g_strdup (self->result->batch)
                          : NULL;
          set_state (self, KT_IMPORT_DONE);
        }
      else
        fail (self, g_steal_pointer (&error));
      break;
    case TASK_UNDO:
    default:
      if (ok)
        {
          g_clear_pointer (&self->batch, g_free);
          set_state (self, KT_IMPORT_UNDONE);
        }
      else
        fail (self, g_steal_pointer (&error));
      break;
    }
  g_clear_error (&error);
}

static void
start (KtImportJob *self, TaskKind kind, KtImportState state)
{
  g_autoptr (GTask) task = NULL;
  Work *work;

  self->cancellable = g_cancellable_new ();
  task = g_task_new (self, self->cancellable, work_cb, NULL);
  g_task_set_source_tag (task, start);
  /* A run that is cancelled has an answer all the same: what is in. */
  g_task_set_check_cancellable (task, FALSE);
  work = g_new0 (Work, 1);
  work->self = self;
  work->kind = kind;
  work->env = _kt_workspace_env (self->workspace);
  work->dir = g_strdup (kt_workspace_get_dir (self->workspace));
  work->object = g_strdup (self->object->name);
  work->locale = g_strdup (kt_workspace_get_locale (self->workspace));
  work->encoding = g_strdup (self->encoding);
  work->separator = self->separator;
  work->batch = g_strdup (self->batch);
  g_task_set_task_data (task, work, (GDestroyNotify) work_free);
  self->done_bytes = self->done_rows = 0;
  self->told_us = 0;
  g_clear_error (&self->error);
  set_progress (self, 0, 0);
  set_state (self, state);
  g_task_run_in_thread (task, work_thread);
}

static void
read_head (KtImportJob *self)
{
  start (self, TASK_READ, KT_IMPORT_READING);
}

/* ---- GObject ---- */

static void
kt_import_job_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtImportJob *self = KT_IMPORT_JOB (object);

  switch (id)
    {
    case PROP_STATE:
      g_value_set_enum (value, self->state);
      break;
    case PROP_FRACTION:
      g_value_set_double (value, self->fraction);
      break;
    case PROP_ROWS:
      g_value_set_uint64 (value, self->rows);
      break;
    case PROP_HINT:
      g_value_set_string (value, self->hint);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
close_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  kt_local_close (data);
  g_task_return_boolean (task, TRUE);
}

static void
kt_import_job_finalize (GObject *object)
{
  KtImportJob *self = KT_IMPORT_JOB (object);

  /* A task under way holds a reference: here none is. The database is closed off the main thread. */
  g_clear_pointer (&self->plan, kt_import_plan_free);
  if (self->local != NULL)
    {
      g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);

      g_task_set_task_data (task, g_steal_pointer (&self->local), NULL);
      g_task_run_in_thread (task, close_thread);
    }
  g_clear_pointer (&self->result, kt_import_result_free);
  g_clear_object (&self->cancellable);
  g_clear_error (&self->error);
  g_ptr_array_unref (self->targets);
  g_ptr_array_unref (self->problems);
  g_ptr_array_unref (self->notes);
  g_main_context_unref (self->context);
  g_free (self->path);
  g_free (self->encoding);
  g_free (self->report_path);
  g_free (self->hint);
  g_free (self->batch);
  g_mutex_clear (&self->lock);
  g_clear_object (&self->workspace);
  G_OBJECT_CLASS (kt_import_job_parent_class)->finalize (object);
}

static void
kt_import_job_class_init (KtImportJobClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = kt_import_job_get_property;
  object_class->finalize = kt_import_job_finalize;
  props[PROP_STATE] =
    g_param_spec_enum ("state", NULL, NULL, KT_TYPE_IMPORT_STATE, KT_IMPORT_READING, flags);
  props[PROP_FRACTION] = g_param_spec_double ("fraction", NULL, NULL, 0, 1, 0, flags);
  props[PROP_ROWS] = g_param_spec_uint64 ("rows", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  props[PROP_HINT] = g_param_spec_string ("hint", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[MAPPING_CHANGED] = g_signal_new ("mapping-changed", KT_TYPE_IMPORT_JOB, G_SIGNAL_RUN_LAST,
                                           0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
kt_import_job_init (KtImportJob *self)
{
  g_mutex_init (&self->lock);
  self->context = g_main_context_ref_thread_default ();
  self->targets = g_ptr_array_new ();
  self->problems = g_ptr_array_new_with_free_func (g_free);
  self->notes = g_ptr_array_new_with_free_func (g_free);
}

/* ---- public API ---- */

KtImportJob *
kt_import_job_new (KtWorkspace *workspace, const KtObject *object, const char *path)
{
  KtImportJob *self;

  g_return_val_if_fail (KT_IS_WORKSPACE (workspace) && object != NULL && path != NULL, NULL);

  self = g_object_new (KT_TYPE_IMPORT_JOB, NULL);
  self->workspace = g_object_ref (workspace);
  self->object = object;
  self->path = g_strdup (path);
  if (_kt_workspace_store (workspace) == NULL)
    fail (self, g_error_new_literal (KT_ERROR, KT_ERROR_AUTH, _ ("Sign in first")));
  else
    read_head (self);
  return self;
}

const KtObject *
kt_import_job_get_object (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), NULL);

  return self->object;
}

const char *
kt_import_job_get_path (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), NULL);

  return self->path;
}

KtImportState
kt_import_job_get_state (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), KT_IMPORT_FAILED);

  return self->state;
}

const GError *
kt_import_job_get_error (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), NULL);

  return self->error;
}

void
kt_import_job_set_form (KtImportJob *self, const char *encoding, char separator)
{
  g_return_if_fail (KT_IS_IMPORT_JOB (self));

  if (self->state == KT_IMPORT_RUNNING || _kt_workspace_store (self->workspace) == NULL)
    return;
  g_free (self->encoding);
  self->encoding = g_strdup (encoding);
  self->separator = separator;
  if (is_quiet (self))
    {
      read_head (self);
      return;
    }
  self->reopen = TRUE;
  g_cancellable_cancel (self->cancellable);
}

const char *
kt_import_job_get_encoding (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), NULL);

  return is_quiet (self) && self->plan != NULL ? self->plan->encoding : NULL;
}

char
kt_import_job_get_separator (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), 0);

  return is_quiet (self) && self->plan != NULL ? self->plan->separator : 0;
}

static const char *
separator_name (char separator)
{
  switch (separator)
    {
    case ',':
      return C_ ("separator", "comma");
    case ';':
      return C_ ("separator", "semicolon");
    case '\t':
      return C_ ("separator", "tab");
    case '|':
      return C_ ("separator", "vertical bar");
    default:
      return "";
    }
}

char *
kt_import_job_describe_file (KtImportJob *self)
{
  g_autofree char *name = NULL;
  guint rows;

  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), g_strdup (""));

  name = g_path_get_basename (self->path);
  if (!is_quiet (self) || self->plan == NULL)
    return g_steal_pointer (&name);
  rows = (guint) MIN (self->plan->rows_guess, G_MAXINT);
  return g_strdup_printf (
    /* Translators: a file, how many rows it has, its encoding (UTF-8), what separates its columns. */
    ngettext ("%s · about %u row · %s · %s", "%s · about %u rows · %s · %s", rows), name, rows,
    self->plan->encoding, separator_name (self->plan->separator));
}

static KtImportColumn *
column_at (KtImportJob *self, guint column)
{
  return is_quiet (self) && self->plan != NULL && column < self->plan->columns->len
           ? self->plan->columns->pdata[column]
           : NULL;
}

guint
kt_import_job_n_columns (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), 0);

  return is_quiet (self) && self->plan != NULL ? self->plan->columns->len : 0;
}

const char *
kt_import_job_column_name (KtImportJob *self, guint column)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), "");

  return column_at (self, column) != NULL ? column_at (self, column)->column : "";
}

const char *
kt_import_job_column_sample (KtImportJob *self, guint column, guint i)
{
  const KtImportColumn *at;

  g_return_val_if_fail (KT_IS_IMPORT_JOB (self) && i < 3, "");

  at = column_at (self, column);
  /* A column that stands a second time shows the samples of the first. */
  if (at != NULL && at->again_of > 0)
    at = column_at (self, at->again_of - 1);
  return at != NULL && at->sample[i] != NULL ? at->sample[i] : "";
}

const char *
kt_import_job_column_field (KtImportJob *self, guint column)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), NULL);

  return column_at (self, column) != NULL ? column_at (self, column)->field : NULL;
}

void
kt_import_job_set_column_field (KtImportJob *self, guint column, const char *field)
{
  KtImportColumn *at;
  g_autofree char *path = NULL;

  g_return_if_fail (KT_IS_IMPORT_JOB (self));

  at = column_at (self, column);
  if (at == NULL || g_strcmp0 (at->field, field) == 0
      || (field != NULL && !_kt_import_target_known (self->targets, field)))
    return;
  path = g_strdup (field);
  /* One column for one place. */
  for (guint i = 0; path != NULL && i < self->plan->columns->len; i++)
    {
      KtImportColumn *other = self->plan->columns->pdata[i];

      if (g_strcmp0 (other->field, path) == 0)
        g_clear_pointer (&other->field, g_free);
    }
  g_free (at->field);
  at->field = g_steal_pointer (&path);
  at->confidence = 2;
  mapping_changed (self);
}

guint
kt_import_job_n_targets (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), 0);

  return self->targets->len;
}

static const KtImportTarget *
target_at (KtImportJob *self, guint i)
{
  return i < self->targets->len ? self->targets->pdata[i] : NULL;
}

const char *
kt_import_job_target_path (KtImportJob *self, guint i)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), NULL);

  return target_at (self, i) != NULL ? target_at (self, i)->path : NULL;
}

const char *
kt_import_job_target_label (KtImportJob *self, guint i)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), "");

  return target_at (self, i) != NULL ? target_at (self, i)->label : "";
}

gboolean
kt_import_job_target_may_match (KtImportJob *self, guint i)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), FALSE);

  return target_at (self, i) != NULL && target_at (self, i)->may_match;
}

void
kt_import_job_set_match (KtImportJob *self, const char *field)
{
  char *match;

  g_return_if_fail (KT_IS_IMPORT_JOB (self));

  if (!is_quiet (self) || self->plan == NULL)
    return;
  match = g_strdup (field);
  g_free (self->plan->match);
  self->plan->match = match;
  mapping_changed (self);
}

const char *
kt_import_job_get_match (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), NULL);

  return is_quiet (self) && self->plan != NULL ? self->plan->match : NULL;
}

void
kt_import_job_set_create_missing (KtImportJob *self, gboolean create_missing)
{
  g_return_if_fail (KT_IS_IMPORT_JOB (self));

  if (self->create_missing == !!create_missing || self->state == KT_IMPORT_TRYING
      || self->state == KT_IMPORT_RUNNING)
    return;
  self->create_missing = !!create_missing;
  if (!is_quiet (self) || self->plan == NULL)
    return;
  self->plan->create_missing = self->create_missing;
  mapping_changed (self);
}

gboolean
kt_import_job_get_create_missing (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), FALSE);

  return self->create_missing;
}

const char *
kt_import_job_get_hint (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), NULL);

  return self->hint;
}

void
kt_import_job_try (KtImportJob *self)
{
  g_return_if_fail (KT_IS_IMPORT_JOB (self));

  if ((self->state == KT_IMPORT_MAPPING || self->state == KT_IMPORT_TRIED) && self->hint == NULL)
    start (self, TASK_TRY, KT_IMPORT_TRYING);
}

void
kt_import_job_run (KtImportJob *self, const char *report_path)
{
  g_return_if_fail (KT_IS_IMPORT_JOB (self));

  if ((self->state != KT_IMPORT_MAPPING && self->state != KT_IMPORT_TRIED) || self->hint != NULL)
    return;
  g_free (self->report_path);
  self->report_path = g_strdup (report_path);
  start (self, TASK_RUN, KT_IMPORT_RUNNING);
}

void
kt_import_job_cancel (KtImportJob *self)
{
  g_return_if_fail (KT_IS_IMPORT_JOB (self));

  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
}

gboolean
kt_import_job_can_undo (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), FALSE);

  return is_quiet (self) && self->batch != NULL;
}

void
kt_import_job_undo (KtImportJob *self)
{
  g_return_if_fail (KT_IS_IMPORT_JOB (self));

  if (kt_import_job_can_undo (self))
    start (self, TASK_UNDO, KT_IMPORT_RUNNING);
}

void
kt_import_job_get_counts (KtImportJob *self, KtImportCounts *out)
{
  g_return_if_fail (KT_IS_IMPORT_JOB (self) && out != NULL);

  *out = (KtImportCounts){ 0 };
  if (self->result != NULL)
    *out = (KtImportCounts){ .read = self->result->read,
                             .created = self->result->created,
                             .updated = self->result->updated,
                             .unchanged = self->result->unchanged,
                             .failed = self->result->failed };
}

guint
kt_import_job_n_problems (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), 0);

  return self->problems->len;
}

const char *
kt_import_job_problem (KtImportJob *self, guint i)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), "");

  return i < self->problems->len ? self->problems->pdata[i] : "";
}

guint
kt_import_job_n_notes (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), 0);

  return self->notes->len;
}

const char *
kt_import_job_note (KtImportJob *self, guint i)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), "");

  return i < self->notes->len ? self->notes->pdata[i] : "";
}

const char *
kt_import_job_get_report (KtImportJob *self)
{
  g_return_val_if_fail (KT_IS_IMPORT_JOB (self), NULL);

  return self->result != NULL ? self->result->report : NULL;
}
