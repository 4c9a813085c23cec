/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Layout, timeline, import and export. */

#include "config.h"

#include "fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/kt-error.h"
#include "model/kt-import-job.h"
#include "model/kt-layout.h"
#include "model/kt-timeline.h"

/* ---- layout ---- */

static void
test_layout (void)
{
  KtSchema *schema = mod_schema ();
  g_autoptr (GPtrArray) english = kt_layout_groups (schema, "en");
  guint n_objects = 0, n_visible = 0, n_all = 0;
  const KtObject *const *objects = kt_schema_objects (schema, &n_all);

  for (guint i = 0; i < english->len; i++)
    {
      const KtGroup *group = english->pdata[i];

      g_assert_cmpuint (group->n_objects, >, 0);
      g_assert_cmpstr (group->label, !=, "");
      n_objects += group->n_objects;
    }
  for (guint i = 0; i < n_all; i++)
    n_visible += objects[i]->visible;
  g_assert_cmpuint (n_objects, ==, n_visible);
  g_assert_cmpstr (((KtGroup *) english->pdata[0])->label, ==, "Sales");

  /* Every field of every object is on its page, once, but the one that says it is not there. */
  for (guint i = 0; i < n_all; i++)
    {
      g_autoptr (GPtrArray) sections = kt_layout_sections (objects[i], "zh_CN");
      g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
      g_autoptr (KtQuery) query = kt_layout_query (objects[i], FALSE);
      g_autofree char *icon = kt_layout_icon (objects[i]);
      guint n_key, n_new;
      g_autofree const KtField **key = kt_layout_key_fields (objects[i], &n_key);
      g_autofree const KtField **fresh = kt_layout_new_fields (objects[i], &n_new);

      for (guint j = 0; j < sections->len; j++)
        {
          const KtSection *section = sections->pdata[j];

          g_assert_cmpstr (section->label, !=, "");
          for (guint k = 0; k < section->n_fields; k++)
            g_assert_true (g_hash_table_add (seen, (gpointer) section->fields[k]));
        }
      g_assert_cmpuint (g_hash_table_size (seen), ==, objects[i]->n_fields - 1);
      g_assert_true (query->object == objects[i]);
      g_assert_true (g_str_has_prefix (icon, "kt-"));
      g_assert_cmpuint (n_key, <=, 4);
      g_assert_cmpuint (n_new, >, 0);
      for (guint j = 0; j < n_new; j++)
        g_assert_false (fresh[j]->computed);
      for (guint j = 0; j < objects[i]->n_fields; j++)
        if (objects[i]->fields[j]->required && !objects[i]->fields[j]->computed)
          {
            gboolean asked = FALSE;

            for (guint k = 0; k < n_new; k++)
              asked |= fresh[k] == objects[i]->fields[j];
            g_assert_true (asked);
          }
    }
  g_assert_cmpstr (kt_layout_address_parts ("zh_CN")[0], ==, "country");
  g_assert_cmpstr (kt_layout_address_parts ("de_DE")[1], ==, "postcode");
  g_assert_cmpstr (kt_layout_address_part_label ("city"), ==, "City");
}

/* ---- timeline ---- */

static gpointer
keep_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  gpointer *args = data;

  return GINT_TO_POINTER (kt_local_keep_history (local, args[0], args[1], error));
}

static KtTimelineItem *
entry (KtTimeline *timeline, guint position)
{
  g_autoptr (KtTimelineItem) one = g_list_model_get_item (G_LIST_MODEL (timeline), position);

  g_assert_nonnull (one);
  return one;
}

static void
test_timeline (Mod *mod, gconstpointer data)
{
  KtId bob = kt_id_new (&mod->env);
  g_autofree char *bob_text = kt_id_to_string (&bob);
  g_autoptr (KtRecord) user = mod_record (mod, "user", &bob, "name", "Bob", NULL);
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "phone", "2", NULL);
  g_autofree char *link = kt_id_to_string (&account->id);
  g_autofree char *parent = g_strconcat ("account:", link, NULL);
  g_autoptr (KtRecord) call = mod_record (
    mod, "call", NULL, "subject", "First call", "parent", parent, "start", "2026-01-20 10:00",
    "notes", "They like it", "direction", "outbound", "status", "held", "owner", bob_text, NULL);
  g_autofree char *ledger = g_strdup_printf (
    "[{\"seq\":9,\"at\":\"2026-02-02T02:00:00.000Z\",\"user\":\"%s\",\"kind\":\"update\","
    "\"field\":\"phone\",\"old\":\"1\",\"new\":\"2\",\"outcome\":\"applied\"},"
    "{\"seq\":8,\"at\":\"2026-02-01T11:00:00.000Z\",\"user\":\"%s\",\"kind\":\"update\","
    "\"field\":\"phone\",\"old\":null,\"new\":\"1\",\"outcome\":\"superseded\"},"
    "{\"seq\":8,\"at\":\"2026-02-01T11:00:00.000Z\",\"user\":\"%s\",\"kind\":\"update\","
    "\"field\":\"fax\",\"old\":null,\"new\":\"7\",\"outcome\":\"applied\"},"
    "{\"seq\":7,\"at\":\"2026-01-02T11:00:00.000Z\",\"user\":\"%s\",\"kind\":\"derive\","
    "\"field\":\"open_amount\",\"old\":null,\"new\":null,\"outcome\":\"applied\"},"
    "{\"seq\":5,\"at\":\"2026-01-01T11:00:00.000Z\",\"user\":\"%s\",\"user_name\":\"Bob\","
    "\"kind\":\"create\",\"field\":\"name\",\"old\":null,\"new\":\"Acme\",\"outcome\":\"applied\"}]",
    bob_text, bob_text, bob_text, bob_text, bob_text);
  gpointer keep[] = { &account->id, ledger };
  g_autoptr (KtTimeline) timeline = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) empty = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  KtTimelineItem *held;

  mod_pull (mod, user, account, call, NULL);
  mod_write (mod, keep_job, keep);
  timeline = kt_timeline_new (mod->workspace, mod_object (mod, "account"), &account->id);
  mod_wait_while (g_list_model_get_n_items (G_LIST_MODEL (timeline)) == 0);
  mod_settle (mod);
  /* Newest first; what followed by itself is left out. */
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (timeline)), ==, 4);
  g_assert_cmpstr (kt_timeline_item_get_title (entry (timeline, 0)), ==, "Phone: 1 → 2");
  mod_wait_while (strcmp (kt_timeline_item_get_who (entry (timeline, 0)), "Bob") != 0);
  g_assert_cmpstr (kt_timeline_item_get_when (entry (timeline, 0)), ==, "40 minutes ago");
  g_assert_cmpint (kt_timeline_item_get_kind (entry (timeline, 0)), ==, KT_TIMELINE_CHANGE);
  g_assert_null (kt_timeline_item_get_record (entry (timeline, 0)));
  g_assert_nonnull (
    strstr (kt_timeline_item_get_body (entry (timeline, 1)), "Another value stands"));
  g_assert_cmpint (kt_timeline_item_get_kind (entry (timeline, 2)), ==, KT_TIMELINE_CALL);
  g_assert_cmpstr (kt_timeline_item_get_title (entry (timeline, 2)), ==, "First call");
  g_assert_cmpstr (kt_timeline_item_get_body (entry (timeline, 2)), ==, "They like it");
  g_assert_cmpstr (kt_timeline_item_get_title (entry (timeline, 3)), ==, "Created");
  g_assert_false (kt_timeline_get_complete (timeline));
  held = entry (timeline, 2);

  /* A note is one commit; it comes on top, marked as not sent. */
  kt_timeline_add_note_async (timeline, " if a < b & <b>c ", mod_result_cb, &result);
  done = kt_timeline_add_note_finish (timeline, mod_await (&result), &error);
  g_assert_no_error (error);
  mod_wait_while (g_list_model_get_n_items (G_LIST_MODEL (timeline)) != 5);
  g_assert_cmpint (kt_timeline_item_get_kind (entry (timeline, 0)), ==, KT_TIMELINE_NOTE);
  g_assert_cmpstr (kt_timeline_item_get_body (entry (timeline, 0)), ==, "if a < b & <b>c");
  mod_wait_while (!kt_timeline_item_get_pending (entry (timeline, 0)));
  g_assert_true (entry (timeline, 3) == held);
  g_assert_cmpint (mod_outbox (mod).queued, ==, 1);
  kt_timeline_add_note_async (timeline, "  ", mod_result_cb, &empty);
  g_assert_null (kt_timeline_add_note_finish (timeline, mod_await (&empty), &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_object (&result);
  g_clear_object (&empty);
  mod_settle (mod);
  g_assert_finalize_object (g_steal_pointer (&timeline));
}

/* What is not sent yet stands in it, too. */
static void
test_timeline_own (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtTimeline) timeline = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (KtDone) done = NULL;

  mod_pull (mod, account, NULL);
  timeline = kt_timeline_new (mod->workspace, mod_object (mod, "account"), &account->id);
  mod_settle (mod);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (timeline)), ==, 0);
  kt_workspace_set_async (mod->workspace, mod_object (mod, "account"), &account->id, "phone", "77",
                          mod_result_cb, &result);
  done = kt_workspace_done_finish (mod->workspace, mod_await (&result), NULL);
  mod_wait_while (g_list_model_get_n_items (G_LIST_MODEL (timeline)) != 1);
  g_assert_cmpstr (kt_timeline_item_get_title (entry (timeline, 0)), ==, "Phone: 77");
  g_assert_cmpstr (kt_timeline_item_get_body (entry (timeline, 0)), ==, "Not sent yet");
  g_assert_true (kt_timeline_item_get_pending (entry (timeline, 0)));
}

/* ---- import, export ---- */

static char *
write_file (Mod *mod, const char *name, const char *text)
{
  char *path = g_build_filename (mod->dir, name, NULL);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
  return path;
}

static void
wait_state (KtImportJob *job, KtImportState state)
{
  mod_wait_while (kt_import_job_get_state (job) != state
                  && kt_import_job_get_state (job) != KT_IMPORT_FAILED);
  if (kt_import_job_get_state (job) != state)
    g_error ("import: %s", kt_import_job_get_error (job)->message);
}

static guint
column (KtImportJob *job, const char *name)
{
  for (guint i = 0; i < kt_import_job_n_columns (job); i++)
    if (strcmp (kt_import_job_column_name (job, i), name) == 0)
      return i;
  g_error ("no column %s", name);
}

static void
test_import (Mod *mod, gconstpointer data)
{
  g_autofree char *path =
    write_file (mod, "customers.csv",
                "Name;Telephone;Town;Mail\r\nAcme;555;Berlin;a@example.com\r\n"
                "Beta;556;Paris;not a mail\r\nGamma;557;Rome;c@example.com\r\n");
  g_autofree char *report = g_build_filename (mod->dir, "rejected.csv", NULL);
  const KtObject *accounts = mod_object (mod, "account");
  KtImportJob *job = kt_import_job_new (mod->workspace, accounts, path);
  KtImportCounts counts;
  g_autofree char *about = NULL;
  gboolean city = FALSE;

  g_assert_cmpint (kt_import_job_get_state (job), ==, KT_IMPORT_READING);
  wait_state (job, KT_IMPORT_MAPPING);
  about = kt_import_job_describe_file (job);
  g_assert_cmpstr (about, ==, "customers.csv · about 3 rows · UTF-8 · semicolon");
  g_assert_cmpuint (kt_import_job_n_columns (job), ==, 4);
  g_assert_cmpstr (kt_import_job_column_field (job, column (job, "Name")), ==, "name");
  g_assert_cmpstr (kt_import_job_column_sample (job, 0, 1), ==, "Beta");
  for (guint i = 0; i < kt_import_job_n_targets (job); i++)
    {
      city |= strcmp (kt_import_job_target_path (job, i), "billing_address.city") == 0;
      g_assert_cmpstr (kt_import_job_target_label (job, i), !=, "");
    }
  g_assert_true (city);
  kt_import_job_set_column_field (job, column (job, "Town"), "billing_address.city");
  kt_import_job_set_column_field (job, column (job, "Telephone"), "phone");
  kt_import_job_set_column_field (job, column (job, "Mail"), "email");
  g_assert_null (kt_import_job_get_hint (job));

  /* One column for one place; what is needed is said. */
  kt_import_job_set_column_field (job, column (job, "Mail"), "name");
  g_assert_null (kt_import_job_column_field (job, column (job, "Name")));
  kt_import_job_set_column_field (job, column (job, "Mail"), "email");
  kt_import_job_set_column_field (job, column (job, "Name"), "name");
  kt_import_job_set_match (job, "website");
  g_assert_nonnull (kt_import_job_get_hint (job));
  kt_import_job_set_match (job, "name");
  g_assert_null (kt_import_job_get_hint (job));

  kt_import_job_try (job);
  wait_state (job, KT_IMPORT_TRIED);
  kt_import_job_get_counts (job, &counts);
  g_assert_cmpuint (counts.read, ==, 3);
  g_assert_cmpuint (counts.created, ==, 2);
  g_assert_cmpuint (counts.failed, ==, 1);
  g_assert_cmpuint (kt_import_job_n_problems (job), ==, 1);
  g_assert_true (g_str_has_prefix (kt_import_job_problem (job, 0), "Row 3, column Mail: "));
  g_assert_cmpint (kt_workspace_get_count (mod->workspace, accounts), ==, 0);
  g_assert_false (kt_import_job_can_undo (job));

  kt_import_job_run (job, report);
  wait_state (job, KT_IMPORT_DONE);
  kt_import_job_get_counts (job, &counts);
  g_assert_cmpuint (counts.created, ==, 2);
  g_assert_cmpstr (kt_import_job_get_report (job), ==, report);
  mod_wait_while (kt_workspace_get_count (mod->workspace, accounts) != 2);
  g_assert_cmpint (mod_outbox (mod).queued, ==, 1);

  g_assert_true (kt_import_job_can_undo (job));
  kt_import_job_undo (job);
  wait_state (job, KT_IMPORT_UNDONE);
  g_assert_false (kt_import_job_can_undo (job));
  mod_wait_while (kt_workspace_get_count (mod->workspace, accounts) != 0);
  g_assert_finalize_object (job);
}

static void
test_import_bad (Mod *mod, gconstpointer data)
{
  g_autofree char *missing = g_build_filename (mod->dir, "none.csv", NULL);
  g_autofree char *image = g_build_filename (mod->dir, "logo.csv", NULL);
  g_autoptr (KtImportJob) none =
    kt_import_job_new (mod->workspace, mod_object (mod, "account"), missing);
  g_autoptr (KtImportJob) picture = NULL;

  mod_wait_while (kt_import_job_get_state (none) == KT_IMPORT_READING);
  g_assert_cmpint (kt_import_job_get_state (none), ==, KT_IMPORT_FAILED);
  g_assert_nonnull (kt_import_job_get_error (none));
  g_assert_cmpuint (kt_import_job_n_columns (none), ==, 0);

  g_assert_true (g_file_set_contents (image, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16, NULL));
  picture = kt_import_job_new (mod->workspace, mod_object (mod, "account"), image);
  mod_wait_while (kt_import_job_get_state (picture) == KT_IMPORT_READING);
  g_assert_cmpint (kt_import_job_get_state (picture), ==, KT_IMPORT_FAILED);
  g_assert_error (kt_import_job_get_error (picture), KT_ERROR, KT_ERROR_INVALID);
}

/* A large file: edits go on meanwhile, and it can be stopped. */
static void
test_import_beside (Mod *mod, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new ("Name,Phone\n");
  g_autoptr (KtRecord) task =
    mod_record (mod, "task", NULL, "subject", "A", "status", "not_started", NULL);
  g_autofree char *path = NULL;
  g_autoptr (KtImportJob) job = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  KtImportCounts counts;

  mod_pull (mod, task, NULL);
  for (guint i = 0; i < 20000; i++)
    g_string_append_printf (text, "Company %u,%u\n", i, i + 1000);
  path = write_file (mod, "large.csv", text->str);
  job = kt_import_job_new (mod->workspace, mod_object (mod, "account"), path);
  wait_state (job, KT_IMPORT_MAPPING);
  kt_import_job_run (job, NULL);
  mod_wait_while (mod_outbox (mod).queued == 0);
  kt_workspace_set_async (mod->workspace, mod_object (mod, "task"), &task->id, "status", "done",
                          mod_result_cb, &result);
  done = kt_workspace_done_finish (mod->workspace, mod_await (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpint (kt_import_job_get_state (job), ==, KT_IMPORT_RUNNING);
  kt_import_job_cancel (job);
  wait_state (job, KT_IMPORT_DONE);
  kt_import_job_get_counts (job, &counts);
  g_assert_cmpuint (counts.created, >, 0);
  g_assert_cmpuint (counts.created, <, 20000);
  mod_wait_while (kt_workspace_get_count (mod->workspace, mod_object (mod, "account"))
                  != (gint64) counts.created);
  g_assert_true (kt_import_job_can_undo (job));
}

static void
test_import_form (Mod *mod, gconstpointer data)
{
  g_autofree char *path = write_file (mod, "odd.csv", "Name|Phone\nAcme, Inc|5\nBeta; Co|6\n");
  g_autoptr (KtImportJob) job =
    kt_import_job_new (mod->workspace, mod_object (mod, "account"), path);

  wait_state (job, KT_IMPORT_MAPPING);
  kt_import_job_set_form (job, "UTF-8", '|');
  g_assert_cmpint (kt_import_job_get_state (job), ==, KT_IMPORT_READING);
  wait_state (job, KT_IMPORT_MAPPING);
  g_assert_cmpuint (kt_import_job_n_columns (job), ==, 2);
  g_assert_cmpstr (kt_import_job_column_sample (job, 0, 0), ==, "Acme, Inc");
}

static void
test_export (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autofree char *link = kt_id_to_string (&account->id);
  g_autoptr (KtRecord) contact =
    mod_record (mod, "contact", NULL, "last_name", "Lee", "account", link, NULL);
  g_autofree char *path = g_build_filename (mod->dir, "out.csv", NULL);
  g_autofree char *bad = g_build_filename (mod->dir, "none", "out.csv", NULL);
  g_autoptr (KtQuery) query = kt_layout_query (mod_object (mod, "contact"), FALSE);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) failed = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  guint64 rows = 0;

  mod_pull (mod, account, contact, NULL);
  kt_export_async (mod->workspace, query, path, NULL, mod_result_cb, &result);
  g_assert_true (kt_export_finish (mod_await (&result), &rows, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (rows, ==, 1);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "Lee"));
  g_assert_nonnull (strstr (text, "Acme"));
  kt_export_async (mod->workspace, query, bad, NULL, mod_result_cb, &failed);
  g_assert_false (kt_export_finish (mod_await (&failed), &rows, &error));
  g_assert_nonnull (error);
}

#define ADD(name, func) g_test_add ("/pages/" name, Mod, NULL, mod_set_up, func, mod_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pages/layout", test_layout);
  ADD ("timeline", test_timeline);
  ADD ("timeline-own", test_timeline_own);
  ADD ("import", test_import);
  ADD ("import-bad", test_import_bad);
  ADD ("import-beside", test_import_beside);
  ADD ("import-form", test_import_form);
  ADD ("export", test_export);
  return g_test_run ();
}
