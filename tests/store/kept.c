/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"

/* What a person makes of a parked change, and where it stays. */

static KtRecord *
given_parked (Fix *fix, gint64 *no)
{
  KtRecord *record = fix_record (fix, "account", NULL, 2, "name", "Acme", "phone", "111", NULL);
  g_autofree char *sent = NULL;

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c", NULL }, record, NULL));
  *no = fix_set (fix, "account", &record->id, "phone", "bad");
  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_REFUSED, 0);
  g_assert_cmpint (fix_state (fix, *no), ==, KT_OUTBOX_PARKED);
  return record;
}

static KtPatch *
wanted (Fix *fix, const char *name, const char *text)
{
  KtPatch *patch = kt_patch_new (fix_object (fix, "account"));
  const KtField *field = kt_object_field (patch->object, name);
  g_auto (KtValue) value = KT_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  kt_value_parse (field, text, "en", "EUR", &value, &error);
  g_assert_no_error (error);
  kt_patch_set (patch, field, &KT_VALUE_INIT, &value);
  return patch;
}

/* P12: "edit" is one step: the value that was meant goes out, under a number of its own, over the base of the first. */
static void
test_amend (Fix *fix, gconstpointer data)
{
  gint64 no;
  g_autoptr (KtRecord) record = given_parked (fix, &no);
  g_autoptr (KtPatch) good = wanted (fix, "phone", "222");
  g_autoptr (KtPatch) other = wanted (fix, "website", "https://a.example");
  g_autoptr (GError) error = NULL;
  g_autofree char *sent = NULL;

  g_assert_false (kt_local_amend (fix->local, no, &record->id, other, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_cmpint (fix_state (fix, no), ==, KT_OUTBOX_PARKED);

  kt_local_amend (fix->local, no, &record->id, good, NULL, &error);
  g_assert_no_error (error);
  assert_text (fix, "account", &record->id, "phone", "222");
  sent = fix_take (fix);
  g_assert_nonnull (strstr (sent, "\"phone\":[\"111\",\"222\"]"));
  g_assert_nonnull (strstr (sent, "\"number\":2"));
  g_assert_false (kt_local_amend (fix->local, no, &record->id, good, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
}

/* What the rules would refuse again does not leave. */
static void
test_amend_rules (Fix *fix, gconstpointer data)
{
  gint64 no;
  g_autoptr (KtRecord) record = given_parked (fix, &no);
  g_autoptr (KtPatch) patch = kt_patch_new (fix_object (fix, "account"));
  g_autofree char *sent = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (KtValue) value = KT_VALUE_INIT;
  g_autofree char *long_text = g_strnfill (5000, '1');

  kt_value_set_text (&value, long_text);
  kt_patch_set (patch, kt_object_field (patch->object, "phone"), &KT_VALUE_INIT, &value);
  g_assert_false (kt_local_amend (fix->local, no, &record->id, patch, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_assert_cmpint (fix_state (fix, no), ==, KT_OUTBOX_PARKED);
  assert_text (fix, "account", &record->id, "phone", "bad");
  sent = fix_take (fix);
  g_assert_null (sent);
}

/* P2: what was given up is found with its record. */
static void
test_given_up (Fix *fix, gconstpointer data)
{
  gint64 no;
  g_autoptr (KtRecord) record = given_parked (fix, &no);
  g_autoptr (GError) error = NULL;
  g_autofree char *history = NULL;

  kt_local_discard (fix->local, no, NULL, &error);
  g_assert_no_error (error);
  history = kt_local_get_history (fix->local, &record->id, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (history, "\"new\":\"bad\",\"outcome\":\"discarded\""));
}

/* The whole outbox as a file that says whose it is; a second one replaces it whole. */
static void
test_export (Fix *fix, gconstpointer data)
{
  gint64 no, n = 0;
  g_autoptr (KtRecord) record = given_parked (fix, &no);
  g_autofree char *path = g_build_filename (kt_local_dir (fix->local), "outbox.jsonl", NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  g_autoptr (GError) error = NULL;

  fix_create (fix, "account", NULL, "name", "Beta", NULL);
  kt_local_export_outbox (fix->local, path, &n, &error);
  g_assert_no_error (error);
  g_assert_cmpint (n, ==, 2);
  g_assert_true (g_file_get_contents (path, &text, NULL, &error));
  lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 4);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (KtJson) json = kt_json_parse (lines[i], -1, &error);

      g_assert_no_error (error);
      if (i == 0)
        g_assert_cmpint (kt_json_get_int (json, "kontor_outbox", 0), ==, 1);
      else
        {
          g_autoptr (KtMutation) mutation = kt_mutation_from_json (
            fix_schema (), kt_json_get (json, "mutation"), &error);

          g_assert_nonnull (kt_json_get_string (json, "says", NULL));
          g_assert_cmpstr (kt_json_get_string (json, "state", NULL), ==, i == 1 ? "parked" : "queued");
          if (i == 1)
            g_assert_no_error (error);
          g_clear_error (&error);
        }
    }
  g_assert_false (kt_local_export_outbox (fix->local, "/nowhere/at/all", NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fix, NULL, fix_set_up_ready, func, fix_tear_down)
  ADD ("/kept/P12/amend", test_amend);
  ADD ("/kept/P12/amend-rules", test_amend_rules);
  ADD ("/kept/P2/given-up", test_given_up);
  ADD ("/kept/P2/export", test_export);
  return g_test_run ();
}
