/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whether kt_audience is what the records say. A parent's part is taken as it is stored: that it is right is the parent's own line. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-scope.h"

#include "db/kt-table.h"

static KtAudience *
expected (KtCore *core, const KtRecord *record, GError **error)
{
  const KtField *field = kt_audience_parent_field (record->object);
  const KtValue *value = field != NULL ? &record->values[field->index] : NULL;
  g_autoptr (KtAudience) parent = NULL;
  const KtObject *object = NULL;
  g_autofree char *sql = NULL;
  gint64 rid;
  KtId id;

  if (_kt_value_get_id (value, &id) && !kt_id_equal (&id, &record->id))
    object = kt_schema_object (core->schema,
                               value->type == KT_VALUE_ANY ? value->v.ref.object : field->to[0]);
  if (object == NULL)
    return kt_audience_of (record, NULL, NULL);
  sql = g_strdup_printf ("SELECT rid FROM \"o_%s\" WHERE id = ?1", object->name);
  if (!kt_db_get_int (core->db, -1, &rid, error, sql, KT_BIND_ID, &id, KT_BIND_END))
    return NULL;
  if (rid < 0)
    return kt_audience_of (record, NULL, NULL);
  parent = _kt_scope_audience (core, object, rid, error);
  return parent != NULL ? kt_audience_of (record, object, parent) : NULL;
}

typedef struct
{
  KtCore *core;
  const KtObject *object;
  GPtrArray *records; /* KtRecord */
} Batch;

static gboolean
take (KtStmt *stmt, gpointer data)
{
  Batch *batch = data;

  g_ptr_array_add (batch->records, kt_table_read (stmt, 0, batch->object));
  return TRUE;
}

static gboolean
check_object (KtCore *core, const KtObject *object, guint *wrong, GError **error)
{
  g_autofree char *sql =
    g_strdup_printf ("SELECT rid FROM \"o_%s\" WHERE rid > ?1 ORDER BY rid LIMIT 1000", object->name);
  gint64 after = 0;

  for (;;)
    {
      g_autoptr (GArray) rids = g_array_new (FALSE, FALSE, sizeof (gint64));
      g_autoptr (GPtrArray) records =
        g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
      Batch batch = { core, object, records };
      KtStep step;
      {
        KT_STMT_SCOPE *stmt = kt_db_stmt (core->db, sql, error);

        if (stmt == NULL)
          return FALSE;
        kt_stmt_bind_int (stmt, 1, after);
        while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
          {
            gint64 rid = kt_stmt_int (stmt, 0);

            g_array_append_val (rids, rid);
          }
        if (step == KT_STEP_ERROR)
          return FALSE;
      }
      if (rids->len == 0)
        return TRUE;
      after = g_array_index (rids, gint64, rids->len - 1);
      if (!_kt_scope_load (core, object, rids, take, &batch, error))
        return FALSE;
      for (guint i = 0; i < records->len; i++)
        {
          const KtRecord *record = records->pdata[i];
          g_autoptr (KtAudience) want = expected (core, record, error);
          g_autoptr (KtAudience) have =
            want != NULL ? _kt_scope_audience (core, object, record->rid, error) : NULL;

          if (have == NULL)
            return FALSE;
          *wrong += !kt_audience_equal (want, have);
        }
    }
}

gboolean
_kt_core_check_audience (KtCore *core, GPtrArray *problems, GError **error)
{
  guint n;
  const KtObject *const *objects = kt_schema_objects (core->schema, &n);

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *stray = g_strdup_printf (
        "SELECT count(*) FROM kt_audience a WHERE a.object = %u AND NOT EXISTS"
        " (SELECT 1 FROM \"o_%s\" o WHERE o.rid = a.rid)",
        objects[i]->number, objects[i]->name);
      gint64 strays;
      guint wrong = 0;

      if (!check_object (core, objects[i], &wrong, error)
          || !kt_db_get_int (core->db, 0, &strays, error, stray, KT_BIND_END))
        return FALSE;
      if (wrong > 0)
        g_ptr_array_add (problems,
                         g_strdup_printf ("%u records of %s are shown to others than their owner, teams and "
                                          "parents say",
                                          wrong, objects[i]->name));
      if (strays > 0)
        g_ptr_array_add (problems, g_strdup_printf ("%" G_GINT64_FORMAT
                                                    " entries say who sees records of %s that are not there",
                                                    strays, objects[i]->name));
    }
  return TRUE;
}
