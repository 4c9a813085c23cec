/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What would be on this device if the network went away now. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SAMPLE 200

void
kt_travel_report_free (KtTravelReport *report)
{
  if (report == NULL)
    return;
  g_clear_pointer (&report->objects, g_array_unref);
  g_clear_pointer (&report->schema, kt_schema_unref);
  g_free (report);
}

/* Bytes of a row by those of some, since adding up a million takes as long as reading them. */
static gboolean
measure (KtLocal *local, const KtObject *object, KtTravelObject *out, GError **error)
{
  g_autoptr (GString) lengths = g_string_new ("24");
  g_autofree char *count = g_strdup_printf (
    "SELECT count(*) FROM \"o_%s\" WHERE \"f_deleted_at\" IS NULL", object->name);
  g_autofree char *bin = g_strdup_printf ("SELECT count(*) FROM \"o_%s\"", object->name);
  g_autofree char *sample = NULL;
  gint64 all = 0, bytes = 0;

  for (guint i = 0; i < object->n_fields; i++)
    g_string_append_printf (lengths, "+ifnull(length(CAST(\"f_%s\" AS BLOB)),0)",
                            object->fields[i]->name);
  sample = g_strdup_printf ("SELECT ifnull(CAST(avg(%s) AS INTEGER),0) FROM"
                            " (SELECT * FROM \"o_%s\" ORDER BY rid DESC LIMIT %d)",
                            lengths->str, object->name, SAMPLE);
  if (kt_object_field (object, "deleted_at") == NULL)
    {
      g_free (count);
      count = g_strdup (bin);
    }
  if (!kt_db_get_int (local->db, 0, &out->records, error, count, KT_BIND_END)
      || !kt_db_get_int (local->db, 0, &all, error, bin, KT_BIND_END)
      || (all > 0 && !kt_db_get_int (local->db, 0, &bytes, error, sample, KT_BIND_END)))
    return FALSE;
  out->bytes = bytes * all;
  return TRUE;
}

static gboolean
count_objects (KtLocal *local, KtTravelReport *report, GError **error)
{
  const KtObject *const *objects;
  guint n = 0;

  if (local->schema == NULL)
    return TRUE;
  report->schema = kt_schema_ref (local->schema);
  objects = kt_schema_objects (local->schema, &n);
  for (guint i = 0; i < n; i++)
    {
      KtTravelObject row = { objects[i], 0, 0 };

      if (!measure (local, objects[i], &row, error))
        return FALSE;
      report->records += row.records;
      if (row.records > 0 || objects[i]->visible)
        g_array_append_val (report->objects, row);
    }
  return TRUE;
}

static void
add (KtTravelFiles *files, gint64 size)
{
  files->n++;
  files->bytes += MAX (size, 0);
}

static gboolean
count_files (KtLocal *local, KtTravelReport *report, GError **error)
{
  g_autoptr (GPtrArray) places = _kt_local_blob_places (local, error);

  for (guint i = 0; places != NULL && i < places->len; i++)
    {
      const KtBlobPlace *place = g_ptr_array_index (places, i);

      if (place->here)
        add (&report->here, place->size);
      else if (!place->stored)
        add (&report->elsewhere, place->size);
      else if (place->wanted)
        {
          add (&report->missing, place->size);
          report->partly += place->part;
        }
      else
        add (&report->left_out, place->size);
      if (place->unsent)
        add (&report->unsent, place->size);
    }
  return places != NULL && kt_local_blob_policy (local, &report->policy, error);
}

static gint64
size_on_disk (KtLocal *local)
{
  static const char *const ends[] = { "", "-wal" };
  gint64 sum = 0;

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_autofree char *path = g_strconcat (local->path, ends[i], NULL);
      GStatBuf st;

      if (g_stat (path, &st) == 0)
        sum += (gint64) st.st_size;
    }
  return sum;
}

KtTravelReport *
kt_local_travel_report (KtLocal *local, GError **error)
{
  g_autoptr (KtTravelReport) report = g_new0 (KtTravelReport, 1);
  struct statvfs fs;
  gint64 staged = 0;
  gboolean mine, done;

  report->objects = g_array_new (FALSE, TRUE, sizeof (KtTravelObject));
  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  done = count_objects (local, report, error) && count_files (local, report, error)
         && kt_local_outbox_counts (local, &report->outbox, error)
         && kt_db_get_int (local->db, 0, &staged, error, "SELECT EXISTS (SELECT 1 FROM kt_stage)",
                           KT_BIND_END);
  report->ready = local->ready;
  report->pulling = !local->ready || staged != 0;
  report->seq = local->seq;
  _kt_local_read_end (local, mine);
  if (!done)
    return NULL;
  report->bytes = size_on_disk (local);
  report->free = statvfs (local->dir, &fs) == 0 ? (gint64) fs.f_bavail * (gint64) fs.f_frsize : -1;
  report->complete = report->ready && !report->pulling && report->missing.n == 0;
  return g_steal_pointer (&report);
}
