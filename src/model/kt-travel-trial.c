/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The rehearsal of a journey: every kind of record is listed, some of each are opened
 * and found again by their words, attachments are read to the end.                  */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kt-travel-private.h"

#define MAX_RECORDS 20 /* of each kind */
#define MAX_FILES   50
#define MAX_PROBLEMS 5

static void
problem (KtTrial *trial, char *text)
{
  if (trial->problems->len < MAX_PROBLEMS)
    g_ptr_array_add (trial->problems, text);
  else
    g_free (text);
}

static void
try_search (KtLocal *local, KtTrial *trial, const KtObject *object, const KtRecord *record, const char *locale)
{
  g_autofree char *title = kt_record_title (record, locale);
  g_autoptr (GPtrArray) hits = NULL;

  if (title == NULL || *title == '\0')
    return;
  hits = kt_local_search (local, title, object, 200, NULL, NULL);
  if (hits == NULL)
    /* Translators: %s is the title of a record. */
    problem (trial, g_strdup_printf (_ ("“%s” cannot be searched for"), title));
  else
    trial->searches++;
}

static void
try_object (KtLocal *local, KtTrial *trial, const KtObject *object, const char *locale)
{
  g_autoptr (KtQuery) query = kt_query_new (object);
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) rows = NULL;
  g_autoptr (GError) error = NULL;

  query->limit = MAX_RECORDS;
  rids = kt_local_query (local, query, NULL, &error);
  rows = rids != NULL ? kt_local_rows (local, object, (const gint64 *) rids->data, rids->len, &error)
                      : NULL;
  if (rows == NULL)
    {
      /* Translators: a kind of record, and what went wrong. */
      problem (trial, g_strdup_printf (_ ("%s: %s"), kt_object_plural (object, locale), error->message));
      return;
    }
  trial->lists++;
  for (guint i = 0; i < rows->len; i++)
    {
      const KtRecord *row = rows->pdata[i];
      g_autoptr (KtRecord) record =
        row != NULL ? kt_local_load (local, object, &row->id, &error) : NULL;

      if (error != NULL)
        {
          problem (trial,
                   g_strdup_printf (_ ("%s: %s"), kt_object_plural (object, locale), error->message));
          return;
        }
      if (record == NULL)
        continue;
      trial->records++;
      if (i == 0)
        try_search (local, trial, object, record, locale);
    }
}

static gboolean
read_through (const char *path, gint64 size)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GFileInputStream) stream = g_file_read (file, NULL, NULL);
  g_autofree char *buffer = g_malloc (64 * 1024);
  gint64 all = 0;
  gssize n;

  if (stream == NULL)
    return FALSE;
  while ((n = g_input_stream_read (G_INPUT_STREAM (stream), buffer, 64 * 1024, NULL, NULL)) > 0)
    all += n;
  return n == 0 && (size < 0 || all == size);
}

/* Those that are said to be here. */
static void
try_files (KtLocal *local, KtTrial *trial, const char *locale)
{
  const KtObject *object = kt_schema_object (kt_local_schema (local), "file");
  g_autoptr (KtQuery) query = NULL;
  g_autoptr (GArray) rids = NULL;
  g_autoptr (GPtrArray) rows = NULL;

  if (object == NULL)
    return;
  query = kt_query_new (object);
  query->limit = 10 * MAX_FILES;
  rids = kt_local_query (local, query, NULL, NULL);
  rows = rids != NULL ? kt_local_rows (local, object, (const gint64 *) rids->data, rids->len, NULL)
                      : NULL;
  for (guint i = 0; rows != NULL && i < rows->len && trial->files < MAX_FILES; i++)
    {
      const KtRecord *row = rows->pdata[i];
      const char *sha256 = row != NULL ? kt_record_text (row, "sha256") : NULL;
      g_autofree char *path = NULL;
      g_autofree char *title = NULL;
      gint64 size = -1;

      if (sha256 == NULL || strlen (sha256) != 64 || !kt_local_blob_have (local, sha256, &size))
        continue;
      path = kt_local_blob_path (local, sha256);
      trial->files++;
      if (read_through (path, size))
        continue;
      title = kt_record_title (row, locale);
      /* Translators: %s is the name of a file. */
      problem (trial, g_strdup_printf (_ ("The attachment “%s” cannot be read"), title));
    }
}

gpointer
_kt_trial_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const char *locale = data;
  KtTrial *trial = g_new0 (KtTrial, 1);
  const KtObject *const *objects;
  guint n = 0;

  trial->problems = g_ptr_array_new_with_free_func (g_free);
  objects = kt_schema_objects (kt_local_schema (local), &n);
  for (guint i = 0; i < n && !g_cancellable_is_cancelled (cancellable); i++)
    if (objects[i]->visible)
      try_object (local, trial, objects[i], locale);
  try_files (local, trial, locale);
  return trial;
}

void
_kt_trial_free (KtTrial *trial)
{
  g_ptr_array_unref (trial->problems);
  g_free (trial);
}

char *
_kt_trial_words (const KtTrial *trial)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *lists = g_strdup_printf (ngettext ("%u list", "%u lists", trial->lists), trial->lists);
  g_autofree char *records =
    g_strdup_printf (ngettext ("%u record", "%u records", trial->records), trial->records);
  g_autofree char *files =
    g_strdup_printf (ngettext ("%u attachment", "%u attachments", trial->files), trial->files);

  if (trial->problems->len == 0)
    /* Translators: what was opened without a network: lists, records, attachments. */
    return g_strdup_printf (_ ("It works without a network: %s, %s and %s opened."), lists, records,
                            files);
  g_string_append (text, _ ("Not everything works without a network:"));
  for (guint i = 0; i < trial->problems->len; i++)
    g_string_append_printf (text, "\n%s", (const char *) trial->problems->pdata[i]);
  return g_string_free (g_steal_pointer (&text), FALSE);
}
