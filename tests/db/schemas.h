/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fixture.h"

#include "base/kt-record.h"
#include "db/kt-table.h"

#define SYSTEM_FIELDS                                                                           \
  "{'fields':[{'name':'created_at','type':'date_time','label':'Created','computed':true},"      \
  "{'name':'deleted_at','type':'date_time','label':'Deleted','indexed':true,'computed':true}]," \
  "'business':[{'name':'owner','type':'ref','label':'Owner','to':['user']}]}"

#define USER_OBJECT                                                                                 \
  "{'object':'user','kind':'admin','group':'system','label':'User','plural':'Users','icon':'user'," \
  "'sync':'full','conflict':'merge','title':'name',"                                                \
  "'fields':[{'name':'name','type':'text','label':'Name','required':true}]}"

/* @objects: a JSON list, written with ' for ". */
static inline KtSchema *
schema_of (int version, const char *objects)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_strdup_printf ("{'name':'test','version':%d,'system':" SYSTEM_FIELDS
                                           ",'objects':[" USER_OBJECT ",%s]}",
                                           version, objects);
  KtSchema *schema;

  g_strdelimit (text, "'", '"');
  schema = kt_schema_from_json (text, -1, &error);
  g_assert_no_error (error);
  return schema;
}

/* An object "thing" with these fields besides its name. */
static inline KtSchema *
schema_with (int version, const char *fields)
{
  g_autofree char *objects = g_strdup_printf (
    "{'object':'thing','kind':'object','group':'test','label':'Thing','plural':'Things','icon':'thing',"
    "'sync':'scope','conflict':'merge','title':'name',"
    "'fields':[{'name':'name','type':'text','label':'Name'}%s%s]}",
    *fields != '\0' ? "," : "", fields);

  return schema_of (version, objects);
}

static inline void
ensure_ok (KtDb *db, const KtSchema *schema)
{
  g_autoptr (GError) error = NULL;

  begin_ok (db, KT_TX_WRITE);
  kt_table_ensure (db, schema, KT_TABLE_SERVER, &error);
  g_assert_no_error (error);
  commit_ok (db);
}

static inline KtId
id_of (guint n)
{
  KtId id = { { 0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, n >> 8, n & 0xff } };

  return id;
}

/* Sets a field from its wire form. */
static inline void
set_json (KtRecord *record, const char *name, const char *json)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtJson) tree = kt_json_parse (json, -1, &error);
  const KtField *field = kt_object_field (record->object, name);

  g_assert_no_error (error);
  g_assert_nonnull (field);
  kt_value_clear (&record->values[field->index]);
  kt_value_from_json (field, tree, &record->values[field->index], &error);
  g_assert_no_error (error);
}

static inline void
save_ok (KtDb *db, KtRecord *record)
{
  g_autoptr (GError) error = NULL;

  kt_table_save (db, record, NULL, &error);
  g_assert_no_error (error);
}

static inline void
assert_same_record (const KtRecord *a, const KtRecord *b)
{
  g_assert_nonnull (a);
  g_assert_nonnull (b);
  g_assert_true (kt_id_equal (&a->id, &b->id));
  g_assert_cmpint (a->rev, ==, b->rev);
  g_assert_cmpint (a->rid, ==, b->rid);
  for (guint i = 0; i < a->object->n_fields; i++)
    if (!kt_value_equal (&a->values[i], &b->values[i]))
      {
        g_autofree char *one = kt_value_to_string (&a->values[i]);
        g_autofree char *two = kt_value_to_string (&b->values[i]);

        g_error ("%s: %s != %s", a->object->fields[i]->name, one, two);
      }
}
