/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A fuzz target without libFuzzer: every file of a folder, one test each, and each of them cut short.
 *
 *   fuzz-NAME FOLDER */

#include "config.h"

#include "fuzz.h"

static void
run_cut (const char *bytes, gsize len)
{
  /* In a block of its own: what is read behind the cut is seen by the sanitizers. */
  g_autofree uint8_t *copy = g_memdup2 (len > 0 ? bytes : "", MAX (len, 1));

  g_assert_cmpint (LLVMFuzzerTestOneInput (copy, len), ==, 0);
}

static void
test_file (gconstpointer data)
{
  g_autofree char *bytes = NULL;
  g_autoptr (GError) error = NULL;
  gsize len;

  g_file_get_contents (data, &bytes, &len, &error);
  g_assert_no_error (error);
  run_cut (bytes, len);
  for (guint i = 1; i < 8; i++)
    run_cut (bytes, len * i / 8);
}

int
main (int argc, char **argv)
{
  g_autoptr (GDir) folder = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  const char *name;

  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);
  folder = g_dir_open (argv[1], 0, &error);
  g_assert_no_error (error);
  while ((name = g_dir_read_name (folder)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_assert_cmpuint (names->len, >, 0);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *test = g_strconcat ("/fuzz/", names->pdata[i], NULL);

      g_ptr_array_add (paths, g_build_filename (argv[1], names->pdata[i], NULL));
      g_test_add_data_func (test, paths->pdata[i], test_file);
    }
  return g_test_run ();
}
