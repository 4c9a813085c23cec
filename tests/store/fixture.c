/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include <glib/gstdio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/kt-error.h"

/* ---- clock and chance ---- */

/* pthread's, because the thread sanitizer can see through that one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static gint64
now_cb (gpointer data)
{
  Fix *fix = data;
  gint64 now;

  pthread_mutex_lock (&lock);
  now = fix->now += 1000;
  pthread_mutex_unlock (&lock);
  return now;
}

static void
random_cb (gpointer data, guint8 *out, gsize len)
{
  Fix *fix = data;

  pthread_mutex_lock (&lock);
  for (gsize i = 0; i < len; i++)
    out[i] = (guint8) g_rand_int_range (fix->random, 0, 256);
  pthread_mutex_unlock (&lock);
}

/* ---- schema ---- */

KtSchema *
fix_schema (void)
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

char *
fix_schema_text (void)
{
  return g_strdup (kt_schema_to_json (fix_schema ()));
}

const KtObject *
fix_object (Fix *fix, const char *name)
{
  const KtSchema *schema = kt_local_schema (fix->local);
  const KtObject *object = kt_schema_object (schema != NULL ? schema : fix->schema, name);

  g_assert_nonnull (object);
  return object;
}

/* ---- set up, tear down ---- */

static void
open_local (Fix *fix)
{
  g_autoptr (GError) error = NULL;

  fix->local = kt_local_open (fix->dir, KT_LOCAL_CREATE, &fix->env, &error);
  g_assert_no_error (error);
  g_assert_nonnull (fix->local);
}

void
fix_reopen (Fix *fix)
{
  kt_local_close (fix->local);
  open_local (fix);
}

void
fix_set_up (Fix *fix, gconstpointer data)
{
  const char *seed = g_getenv ("KONTOR_SEED");

  fix->seed = seed != NULL ? (guint32) g_ascii_strtoull (seed, NULL, 10) : g_random_int ();
  g_test_message ("KONTOR_SEED=%u", fix->seed);
  fix->random = g_rand_new_with_seed (fix->seed);
  fix->now = G_GINT64_CONSTANT (1770000000000000);
  fix->env = (KtEnv){ now_cb, now_cb, random_cb, fix };
  fix->dir = g_dir_make_tmp ("kontor-store-XXXXXX", NULL);
  fix->schema = fix_schema ();
  fix->epoch = kt_id_new (&fix->env);
  fix->me = kt_id_new (&fix->env);
  open_local (fix);
}

void
fix_sign_in (Fix *fix)
{
  KtIdentity identity = { .access = { fix->me, TRUE, (char *) "Ada" },
                          .epoch = fix->epoch,
                          .server = (char *) "http://127.0.0.1:1",
                          .user_name = (char *) "ada",
                          .currency = (char *) "EUR",
                          .workspace = (char *) "Test" };
  g_autoptr (GError) error = NULL;

  identity.device = kt_id_new (&fix->env);
  kt_local_set_identity (fix->local, &identity, &error);
  g_assert_no_error (error);
  kt_local_set_schema (fix->local, fix->schema, &error);
  g_assert_no_error (error);
}

void
fix_set_up_ready (Fix *fix, gconstpointer data)
{
  PageForm form = { TRUE, FALSE, 1, "c1", NULL };

  fix_set_up (fix, data);
  fix_sign_in (fix);
  kt_change_set_unref (fix_apply (fix, &form, NULL));
  g_assert_true (kt_local_ready (fix->local));
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

void
fix_tear_down (Fix *fix, gconstpointer data)
{
  if (fix->local != NULL && kt_local_ready (fix->local))
    fix_check (fix);
  kt_local_close (fix->local);
  remove_tree (fix->dir);
  g_free (fix->dir);
  g_rand_free (fix->random);
}

/* ---- records and pages ---- */

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

      g_assert_nonnull (field);
      kt_value_clear (&record->values[field->index]);
      if (text == NULL)
        continue;
      kt_value_parse (field, text, "en", "EUR", &value, &error);
      g_assert_no_error (error);
      kt_value_move (&value, &record->values[field->index]);
    }
}

KtRecord *
fix_record (Fix *fix, const char *object, const KtId *id, gint64 rev, ...)
{
  KtId fresh = kt_id_new (&fix->env);
  KtRecord *record = kt_record_new (fix_object (fix, object), id != NULL ? id : &fresh);
  va_list args;

  record->rev = rev;
  va_start (args, rev);
  fill (record, args);
  va_end (args);
  return record;
}

KtRecord *
fix_with (Fix *fix, KtRecord *record, gint64 rev, ...)
{
  KtRecord *copy = kt_record_copy (record);
  va_list args;

  copy->rev = rev;
  va_start (args, rev);
  fill (copy, args);
  va_end (args);
  return copy;
}

GBytes *
fix_page_bytes (Fix *fix, const PageForm *form, GPtrArray *records, GPtrArray *gone)
{
  const KtSchema *schema = kt_local_schema (fix->local);
  KtPageWriter *writer = kt_page_writer_new (form->epoch != NULL ? form->epoch : &fix->epoch,
                                             form->snapshot, kt_schema_digest (schema), -1);

  for (guint i = 0; records != NULL && i < records->len; i++)
    {
      const KtRecord *record = g_ptr_array_index (records, i);

      kt_page_writer_block (writer, record->object, (const KtField *const *) record->object->fields,
                            record->object->n_fields);
      kt_page_writer_row (writer, &record->id, record->rev, record->values);
    }
  for (guint i = 0; gone != NULL && i < gone->len; i++)
    {
      const KtRecord *record = g_ptr_array_index (gone, i);

      kt_page_writer_gone (writer, record->object, &record->id);
    }
  return kt_page_writer_finish (writer, form->cursor != NULL ? form->cursor : "c", form->more,
                                form->seq);
}

gboolean
fix_try_apply (Fix *fix,
               const PageForm *form,
               GPtrArray *records,
               GPtrArray *gone,
               gboolean *done,
               KtChangeSet **changes,
               GError **error)
{
  GBytes *bytes = fix_page_bytes (fix, form, records, gone);
  g_autoptr (KtPage) page = kt_page_open (kt_local_schema (fix->local), bytes, error);

  return page != NULL && kt_local_apply_page (fix->local, page, done, changes, error);
}

KtChangeSet *
fix_apply (Fix *fix, const PageForm *form, ...)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  KtChangeSet *changes = NULL;
  gboolean done = FALSE;
  KtRecord *record;
  va_list args;

  va_start (args, form);
  while ((record = va_arg (args, KtRecord *)) != NULL)
    g_ptr_array_add (records, record);
  va_end (args);
  fix_try_apply (fix, form, records, NULL, &done, &changes, &error);
  g_assert_no_error (error);
  g_assert_cmpint (done, ==, !form->more);
  return changes;
}

void
fix_apply_gone (Fix *fix, gint64 seq, const KtRecord *record)
{
  PageForm form = { FALSE, FALSE, seq, "c", NULL };
  g_autoptr (GPtrArray) gone = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (gone, (gpointer) record);
  fix_try_apply (fix, &form, NULL, gone, NULL, NULL, &error);
  g_assert_no_error (error);
}

/* ---- commits ---- */

static gint64
commit (Fix *fix, KtMutation *mutation)
{
  g_autoptr (KtMutation) own = mutation;
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;
  gint64 no = 0;

  kt_local_commit (fix->local, own, &no, &changes, &error);
  g_assert_no_error (error);
  return no;
}

gint64
fix_create (Fix *fix, const char *object, KtId *id, ...)
{
  KtMutation *mutation = kt_mutation_new ("2026-02-03T04:05:06.000Z", "client");
  KtId fresh = kt_id_new (&fix->env);
  g_autoptr (KtRecord) record = kt_record_new (fix_object (fix, object), &fresh);
  va_list args;

  va_start (args, id);
  fill (record, args);
  va_end (args);
  if (id != NULL)
    *id = fresh;
  kt_mutation_add (mutation, KT_MUTATE_CREATE, record->object, &fresh, 0,
                   kt_patch_diff (NULL, record));
  return commit (fix, mutation);
}

gint64
fix_set (Fix *fix, const char *object, const KtId *id, const char *name, const char *text)
{
  KtMutation *mutation = kt_mutation_new ("2026-02-03T04:05:07.000Z", "client");
  g_autoptr (GError) error = NULL;
  g_autoptr (KtRecord) before = kt_local_load (fix->local, fix_object (fix, object), id, &error);
  g_auto (KtValue) value = KT_VALUE_INIT;
  const KtField *field;
  KtPatch *patch;

  g_assert_nonnull (before);
  field = kt_object_field (before->object, name);
  g_assert_nonnull (field);
  if (text != NULL)
    kt_value_parse (field, text, "en", "EUR", &value, &error);
  g_assert_no_error (error);
  patch = kt_patch_new (before->object);
  kt_patch_set (patch, field, &before->values[field->index], &value);
  kt_mutation_add (mutation, KT_MUTATE_UPDATE, before->object, id, before->rev, patch);
  return commit (fix, mutation);
}

static gint64
simple (Fix *fix, KtMutateKind kind, const char *object, const KtId *id)
{
  KtMutation *mutation = kt_mutation_new ("2026-02-03T04:05:08.000Z", "client");
  g_autoptr (KtRecord) before = kt_local_load (fix->local, fix_object (fix, object), id, NULL);

  g_assert_nonnull (before);
  kt_mutation_add (mutation, kind, before->object, id, before->rev, NULL);
  return commit (fix, mutation);
}

gint64
fix_delete (Fix *fix, const char *object, const KtId *id)
{
  return simple (fix, KT_MUTATE_DELETE, object, id);
}

gint64
fix_restore (Fix *fix, const char *object, const KtId *id)
{
  return simple (fix, KT_MUTATE_RESTORE, object, id);
}

/* ---- looking ---- */

char *
fix_text (Fix *fix, const char *object, const KtId *id, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtRecord) record = kt_local_load (fix->local, fix_object (fix, object), id, &error);
  const KtField *field = kt_object_field (fix_object (fix, object), name);

  g_assert_no_error (error);
  g_assert_nonnull (field);
  if (record == NULL || kt_value_is_null (&record->values[field->index]))
    return NULL;
  if (record->values[field->index].type == KT_VALUE_TEXT)
    return g_strdup (record->values[field->index].v.text);
  return kt_value_to_string (&record->values[field->index]);
}

gboolean
fix_has (Fix *fix, const char *object, const KtId *id)
{
  g_autoptr (KtRecord) record = kt_local_load (fix->local, fix_object (fix, object), id, NULL);

  return record != NULL && !kt_record_deleted (record);
}

char *
fix_take (Fix *fix)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = kt_local_outbox_take (fix->local, 1000, 1 << 20, &error);

  g_assert_no_error (error);
  return bytes != NULL ? g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes))
                       : NULL;
}

void
fix_settle (Fix *fix, gint64 number, KtOutcome outcome, gint64 seq)
{
  KtVerdict verdict = { number, outcome, seq,
                        (char *) (outcome == KT_OUTCOME_REFUSED ? "invalid" : NULL),
                        (char *) (outcome == KT_OUTCOME_REFUSED ? "Not like this" : NULL) };
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;

  kt_local_settle (fix->local, &verdict, 1, &changes, &error);
  g_assert_no_error (error);
}

guint
fix_waiting (Fix *fix)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) entries = kt_local_outbox (fix->local, 0, &error);

  g_assert_no_error (error);
  return entries->len;
}

static KtOutboxEntry *
find_entry (GPtrArray *entries, gint64 no)
{
  for (guint i = 0; i < entries->len; i++)
    if (((KtOutboxEntry *) g_ptr_array_index (entries, i))->no == no)
      return g_ptr_array_index (entries, i);
  g_error ("no entry %" G_GINT64_FORMAT " in the outbox", no);
}

KtOutboxState
fix_state (Fix *fix, gint64 no)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (fix->local, 0, NULL);

  return find_entry (entries, no)->state;
}

gint64
fix_number (Fix *fix, gint64 no)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (fix->local, 0, NULL);

  return find_entry (entries, no)->mutation->number;
}

gint64
fix_count (Fix *fix, const char *sql)
{
  g_autoptr (GError) error = NULL;
  gint64 n = -1;

  kt_db_get_int (kt_local_db (fix->local), -1, &n, &error, sql, KT_BIND_END);
  g_assert_no_error (error);
  return n;
}

void
fix_check (Fix *fix)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) problems = kt_local_check (fix->local, TRUE, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < problems->len; i++)
    g_printerr ("# %s\n", (char *) g_ptr_array_index (problems, i));
  g_assert_cmpuint (problems->len, ==, 0);
}

char *
fix_list (Fix *fix, const char *object, const char *sort, const char *search)
{
  g_autoptr (KtQuery) query = kt_query_new (fix_object (fix, object));
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) rows = NULL;
  GString *out = g_string_new (NULL);

  if (sort != NULL)
    kt_query_parse_sort (query, sort, &error);
  g_assert_no_error (error);
  query->search = g_strdup (search);
  rids = kt_local_query (fix->local, query, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (kt_local_count (fix->local, query, NULL), ==, rids->len);
  rows = kt_local_rows (fix->local, query->object, (const gint64 *) rids->data, rids->len, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < rows->len; i++)
    {
      g_autofree char *title = kt_record_title (g_ptr_array_index (rows, i), "en");

      g_string_append_printf (out, "%s%s", i > 0 ? "|" : "", title);
    }
  return g_string_free (out, FALSE);
}
