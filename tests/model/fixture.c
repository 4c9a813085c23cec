/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include <glib/gstdio.h>

/* ---- clock and chance; any thread ---- */

static gint64
now_cb (gpointer data)
{
  Mod *mod = data;
  gint64 now;

  g_mutex_lock (&mod->lock);
  now = mod->now += 1000;
  g_mutex_unlock (&mod->lock);
  return now;
}

static gint64
monotonic_cb (gpointer data)
{
  return g_get_monotonic_time ();
}

static void
random_cb (gpointer data, guint8 *out, gsize len)
{
  Mod *mod = data;

  g_mutex_lock (&mod->lock);
  for (gsize i = 0; i < len; i++)
    out[i] = (guint8) g_rand_int_range (mod->random, 0, 256);
  g_mutex_unlock (&mod->lock);
}

/* ---- waiting ---- */

void
mod_wait (ModTest test, gpointer data, const char *what)
{
  gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  while (!test (data))
    {
      if (g_get_monotonic_time () > deadline)
        g_error ("waited too long: %s", what);
      g_main_context_iteration (NULL, FALSE);
      g_thread_yield ();
    }
}

static gpointer
nothing_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return g_strdup ("");
}

/* Reads go to whichever reader has less to do: so many that each gets one behind what it has. */
#define N_READS 8

static gboolean
all_answered (GAsyncResult *const *results)
{
  for (guint i = 0; i <= N_READS; i++)
    if (results[i] == NULL)
      return FALSE;
  return TRUE;
}

void
mod_settle (Mod *mod)
{
  /* One round for every question that may follow from the answer to another. */
  for (guint round = 0; round < 8; round++)
    {
      GAsyncResult *results[N_READS + 1] = { NULL };

      for (guint i = 0; i < N_READS; i++)
        kt_store_read_async (mod->store, nothing_job, NULL, NULL, g_free, NULL, mod_result_cb,
                             &results[i]);
      kt_store_write_async (mod->store, nothing_job, NULL, NULL, g_free, NULL, mod_result_cb,
                            &results[N_READS]);
      mod_wait_while (!all_answered (results));
      for (guint i = 0; i <= N_READS; i++)
        {
          g_free (kt_store_job_finish (results[i], NULL));
          g_object_unref (results[i]);
        }
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
}

void
mod_result_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  GAsyncResult **place = data;

  *place = g_object_ref (result);
}

GAsyncResult *
mod_await (GAsyncResult **result)
{
  mod_wait_while (*result == NULL);
  return *result;
}

/* ---- the store ---- */

gpointer
mod_write (Mod *mod, KtStoreJob job, gpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  gpointer answer;

  kt_store_write_async (mod->store, job, data, NULL, NULL, NULL, mod_result_cb, &result);
  answer = kt_store_job_finish (mod_await (&result), &error);
  g_assert_no_error (error);
  return answer;
}

KtSchema *
mod_schema (void)
{
  static KtSchema *schema;
  g_autoptr (GError) error = NULL;

  if (schema == NULL)
    {
      const char *data = g_getenv ("KONTOR_DATADIR");
      g_autofree char *dir =
        g_build_filename (data != NULL ? data : KT_SOURCE_DATADIR, "schema", NULL);

      schema = kt_schema_load_dir (dir, &error);
      g_assert_no_error (error);
    }
  return schema;
}

typedef struct
{
  Mod *mod;
  GPtrArray *records;
  GPtrArray *gone;
  gboolean snapshot;
} Page;

static gpointer
page_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Page *page = data;
  Mod *mod = page->mod;
  const KtSchema *schema = kt_local_schema (local);
  g_autofree char *cursor = g_strdup_printf ("c%" G_GINT64_FORMAT, mod->seq);
  KtPageWriter *writer =
    kt_page_writer_new (&mod->epoch, page->snapshot, kt_schema_digest (schema), -1);
  g_autoptr (KtPage) open = NULL;
  KtChangeSet *changes = NULL;
  gboolean done = FALSE;

  for (guint i = 0; page->records != NULL && i < page->records->len; i++)
    {
      const KtRecord *record = page->records->pdata[i];

      kt_page_writer_block (writer, record->object, (const KtField *const *) record->object->fields,
                            record->object->n_fields);
      kt_page_writer_row (writer, &record->id, mod->seq, record->values);
    }
  for (guint i = 0; page->gone != NULL && i < page->gone->len; i++)
    {
      const KtRecord *record = page->gone->pdata[i];

      kt_page_writer_gone (writer, record->object, &record->id);
    }
  open = kt_page_open (schema, kt_page_writer_finish (writer, cursor, FALSE, mod->seq), error);
  if (open == NULL || !kt_local_apply_page (local, open, &done, &changes, error))
    return NULL;
  g_assert_true (done);
  if (changes != NULL)
    kt_store_emit (mod->store, changes);
  return GINT_TO_POINTER (1);
}

static gpointer
sign_in_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Mod *mod = data;
  KtIdentity identity = { .access = { mod->me, TRUE, (char *) "Ada" },
                          .epoch = mod->epoch,
                          .server = (char *) "http://127.0.0.1:1",
                          .user_name = (char *) "ada",
                          .currency = (char *) "EUR",
                          .workspace = (char *) "Test" };

  identity.device = kt_id_new (&mod->env);
  if (!kt_local_set_identity (local, &identity, error)
      || !kt_local_set_schema (local, mod_schema (), error))
    return NULL;
  return GINT_TO_POINTER (1);
}

static void
changed_cb (KtWorkspace *workspace, KtChanges *changes, gpointer data)
{
  ((Mod *) data)->n_changed++;
}

static void
titles_cb (KtWorkspace *workspace, gpointer data)
{
  ((Mod *) data)->n_titles++;
}

static void
counts_cb (KtWorkspace *workspace, gpointer data)
{
  ((Mod *) data)->n_counts++;
}

static void
states_cb (KtWorkspace *workspace, gpointer data)
{
  ((Mod *) data)->n_states++;
}

static void
told_cb (KtWorkspace *workspace, const char *text, gpointer data)
{
  g_free (((Mod *) data)->told);
  ((Mod *) data)->told = g_strdup (text);
}

void
mod_reset (Mod *mod)
{
  mod->n_changed = mod->n_titles = mod->n_counts = mod->n_states = 0;
  g_clear_pointer (&mod->told, g_free);
}

void
mod_set_up (Mod *mod, gconstpointer data)
{
  const char *seed = g_getenv ("KONTOR_SEED");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Page page = { .mod = mod, .snapshot = TRUE };

  g_mutex_init (&mod->lock);
  mod->seed = seed != NULL ? (guint32) g_ascii_strtoull (seed, NULL, 10) : g_random_int ();
  g_test_message ("KONTOR_SEED=%u", mod->seed);
  mod->random = g_rand_new_with_seed (mod->seed);
  mod->now = G_GINT64_CONSTANT (1770000000000000);
  mod->env = (KtEnv){ now_cb, monotonic_cb, random_cb, mod };
  mod->epoch = kt_id_new (&mod->env);
  mod->me = kt_id_new (&mod->env);
  mod->dir = g_dir_make_tmp ("kontor-model-XXXXXX", &error);
  g_assert_no_error (error);
  kt_store_open_async (mod->dir, KT_LOCAL_CREATE, &mod->env, "en", NULL, mod_result_cb, &result);
  mod->store = kt_store_open_finish (mod_await (&result), &error);
  g_assert_no_error (error);
  mod->workspace = _kt_workspace_new (g_object_ref (mod->store), NULL, mod->dir, "en");
  g_signal_connect (mod->workspace, "changed", G_CALLBACK (changed_cb), mod);
  g_signal_connect (mod->workspace, "titles-changed", G_CALLBACK (titles_cb), mod);
  g_signal_connect (mod->workspace, "counts-changed", G_CALLBACK (counts_cb), mod);
  g_signal_connect (mod->workspace, "states-changed", G_CALLBACK (states_cb), mod);
  g_signal_connect (mod->workspace, "told", G_CALLBACK (told_cb), mod);
  g_assert_cmpint (kt_workspace_get_state (mod->workspace), ==, KT_WORKSPACE_SIGNED_OUT);
  mod_write (mod, sign_in_job, mod);
  mod->seq = 1;
  mod_write (mod, page_job, &page);
  mod_wait_while (kt_workspace_get_state (mod->workspace) != KT_WORKSPACE_READY);
  {
    g_autoptr (KtRecord) user = mod_record (mod, "user", &mod->me, "name", "Ada Lovelace", NULL);

    mod_pull (mod, user, NULL);
  }
  mod_settle (mod);
  mod_reset (mod);
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      if (g_file_test (child, G_FILE_TEST_IS_DIR))
        remove_tree (child);
      else
        g_unlink (child);
    }
  g_rmdir (path);
}

static gpointer
check_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return kt_local_check (local, TRUE, error);
}

void
mod_tear_down (Mod *mod, gconstpointer data)
{
  g_autoptr (GPtrArray) problems = mod_write (mod, check_job, NULL);

  for (guint i = 0; i < problems->len; i++)
    g_printerr ("# %s\n", (char *) problems->pdata[i]);
  g_assert_cmpuint (problems->len, ==, 0);
  mod_settle (mod);
  kt_workspace_close (mod->workspace);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_finalize_object (mod->workspace);
  g_assert_finalize_object (mod->store);
  remove_tree (mod->dir);
  g_free (mod->dir);
  g_free (mod->told);
  g_rand_free (mod->random);
  g_mutex_clear (&mod->lock);
}

const KtObject *
mod_object (Mod *mod, const char *name)
{
  const KtObject *object = kt_workspace_get_object (mod->workspace, name);

  g_assert_nonnull (object);
  return object;
}

const KtField *
mod_field (Mod *mod, const char *object, const char *name)
{
  const KtField *field = kt_object_field (mod_object (mod, object), name);

  g_assert_nonnull (field);
  return field;
}

/* ---- records ---- */

static void
fill (KtRecord *record, va_list args)
{
  const char *name;

  while ((name = va_arg (args, const char *)) != NULL)
    {
      const char *text = va_arg (args, const char *);
      const KtField *field = kt_object_field (record->object, name);
      g_autoptr (GError) error = NULL;
      KtValue value = KT_VALUE_INIT;

      if (field == NULL)
        g_error ("%s has no field %s", record->object->name, name);
      kt_value_clear (&record->values[field->index]);
      if (text == NULL)
        continue;
      kt_value_parse (field, text, "en", "EUR", &value, &error);
      g_assert_no_error (error);
      kt_value_move (&value, &record->values[field->index]);
    }
}

KtRecord *
mod_record (Mod *mod, const char *object, const KtId *id, ...)
{
  KtId fresh = kt_id_new (&mod->env);
  KtRecord *record = kt_record_new (mod_object (mod, object), id != NULL ? id : &fresh);
  va_list args;

  va_start (args, id);
  fill (record, args);
  va_end (args);
  return record;
}

KtRecord *
mod_with (Mod *mod, const KtRecord *record, ...)
{
  KtRecord *copy = kt_record_copy (record);
  va_list args;

  va_start (args, record);
  fill (copy, args);
  va_end (args);
  return copy;
}

void
mod_pull_many (Mod *mod, GPtrArray *records, GPtrArray *gone)
{
  Page page = { .mod = mod, .records = records, .gone = gone };

  mod->seq++;
  mod_write (mod, page_job, &page);
}

void
mod_pull (Mod *mod, ...)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new ();
  KtRecord *record;
  va_list args;

  va_start (args, mod);
  while ((record = va_arg (args, KtRecord *)) != NULL)
    g_ptr_array_add (records, record);
  va_end (args);
  mod_pull_many (mod, records, NULL);
}

static gpointer
send_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) bytes = kt_local_outbox_take (local, 1000, 1 << 24, error);

  g_assert_nonnull (bytes);
  return GINT_TO_POINTER (1);
}

void
mod_send (Mod *mod)
{
  mod_write (mod, send_job, NULL);
}

typedef struct
{
  Mod *mod;
  KtVerdict verdict;
} Settle;

static gpointer
settle_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  Settle *settle = data;
  KtChangeSet *changes = NULL;

  if (!kt_local_settle (local, &settle->verdict, 1, &changes, error))
    return NULL;
  if (changes != NULL)
    kt_store_emit (settle->mod->store, changes);
  return GINT_TO_POINTER (1);
}

void
mod_verdict (Mod *mod, gint64 number, KtOutcome outcome, const char *message)
{
  Settle settle = { mod,
                    { number, outcome, mod->seq + 1,
                      (char *) (outcome == KT_OUTCOME_REFUSED ? "invalid" : NULL),
                      (char *) message } };

  mod_write (mod, settle_job, &settle);
}

static gpointer
counts_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return kt_local_outbox_counts (local, data, error) ? data : NULL;
}

KtOutboxCounts
mod_outbox (Mod *mod)
{
  KtOutboxCounts counts;

  mod_write (mod, counts_job, &counts);
  return counts;
}

typedef struct
{
  const char *object;
  const KtId *id;
  const char *field;
} Look;

static gpointer
look_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const Look *look = data;
  const KtObject *object = kt_schema_object (kt_local_schema (local), look->object);
  g_autoptr (KtRecord) record = kt_local_load (local, object, look->id, error);
  const KtValue *value;

  if (record == NULL)
    return NULL;
  value = kt_record_get (record, look->field);
  g_assert_nonnull (value);
  if (kt_value_is_null (value))
    return NULL;
  return value->type == KT_VALUE_TEXT ? g_strdup (value->v.text) : kt_value_to_string (value);
}

char *
mod_stored (Mod *mod, const char *object, const KtId *id, const char *field)
{
  Look look = { object, id, field };

  return mod_write (mod, look_job, &look);
}

/* ---- commands ---- */

KtDone *
mod_undo (Mod *mod, KtDone *done, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  kt_workspace_undo_async (mod->workspace, done, mod_result_cb, &result);
  return kt_workspace_done_finish (mod->workspace, mod_await (&result), error);
}

KtDone *
mod_delete (Mod *mod, const char *object, const KtId *id)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  KtDone *done;

  kt_workspace_delete_async (mod->workspace, mod_object (mod, object), id, 1, mod_result_cb,
                             &result);
  done = kt_workspace_done_finish (mod->workspace, mod_await (&result), &error);
  g_assert_no_error (error);
  return done;
}
