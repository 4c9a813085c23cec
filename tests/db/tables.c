/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Records go into tables and come back as they were, on every database, while the schema moves. */

#include "schemas.h"

#include "base/kt-patch.h"

#define ALL_TYPES                                                                                                        \
  "{'name':'long','type':'long_text','label':'L'},{'name':'rich','type':'rich_text','label':'L'},"                       \
  "{'name':'mail','type':'email','label':'L','indexed':true},{'name':'phone','type':'phone','label':'L'},"               \
  "{'name':'web','type':'url','label':'L','indexed':true},{'name':'whole','type':'integer','label':'L','indexed':true}," \
  "{'name':'exact','type':'decimal','scale':9,'label':'L'},{'name':'price','type':'money','label':'L','indexed':true},"  \
  "{'name':'share','type':'percent','label':'L'},{'name':'flag','type':'boolean','label':'L'},"                          \
  "{'name':'day','type':'date','label':'L','indexed':true},{'name':'moment','type':'date_time','label':'L'},"            \
  "{'name':'span','type':'duration','label':'L'},"                                                                       \
  "{'name':'pick','type':'choice','label':'L','options':['a','b','c']},"                                                 \
  "{'name':'picks','type':'choices','label':'L','options':['a','b','c']},"                                               \
  "{'name':'tags','type':'tags','label':'L'},{'name':'parent','type':'ref','to':['thing'],'label':'L'},"                 \
  "{'name':'about','type':'ref_any','to':['thing','user'],'label':'L'},"                                                 \
  "{'name':'people','type':'many','to':['user'],'label':'L'},"                                                           \
  "{'name':'number','type':'auto_number','format':'T-{0000}','label':'L'},"                                              \
  "{'name':'place','type':'address','label':'L'},{'name':'doc','type':'json','label':'L'}"

#define U1 "01900000-0000-7000-8000-000000000001"
#define U2 "01900000-0000-7000-8000-0000000000ff"

static const KtObject *
thing_of (const KtSchema *schema)
{
  return kt_schema_object (schema, "thing");
}

static void
test_every_type_comes_back (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *field;
    const char *json;
  } values[] = {
    { "name", "\"O'Reilly \\\"& Sons\\\" 100 % \\\\ \360\237\230\200\"" },
    { "long", "\"  blanks before and after  \\nsecond line\\n\\n\"" },
    { "rich", "\"<p>\346\227\245\346\234\254\350\252\236 \360\240\256\267</p>\"" },
    { "mail", "\"m\303\274ller@example.org\"" },
    { "phone", "\"+49 30 1234567\"" },
    { "web", "\"https://example.org/?q=1&r=%20\"" },
    { "whole", "-9007199254740993" },
    { "whole", "999999999999999999" },
    { "whole", "0" },
    { "exact", "\"999999999.999999999\"" },
    { "exact", "\"-999999999.999999999\"" },
    { "exact", "\"0.000000001\"" },
    { "price", "{\"amount\":\"99999999999999.9999\",\"currency\":\"EUR\"}" },
    { "price", "{\"amount\":\"-0.0001\",\"currency\":\"JPY\"}" },
    { "price", "{\"amount\":\"0\",\"currency\":\"CNY\"}" },
    { "share", "\"12.5\"" },
    { "flag", "true" },
    { "flag", "false" },
    { "day", "\"0001-01-01\"" },
    { "day", "\"9999-12-31\"" },
    { "day", "\"2024-02-29\"" },
    { "moment", "\"0001-01-01T00:00:00.000Z\"" },
    { "moment", "\"9999-12-31T23:59:59.999Z\"" },
    { "span", "-3600" },
    { "pick", "\"b\"" },
    { "picks", "[\"c\",\"a\"]" },
    { "tags", "[\"vip\",\"\303\204rger \\\"x\\\"\",\"\346\227\245\"]" },
    { "parent", "\"" U2 "\"" },
    { "about", "{\"object\":\"user\",\"id\":\"" U1 "\"}" },
    { "about", "{\"object\":\"thing\",\"id\":\"" U2 "\"}" },
    { "people", "[\"" U1 "\",\"" U2 "\"]" },
    { "number", "\"T-0007\"" },
    { "place", "{\"street\":\"Hauptstra\303\237e 1\",\"city\":\"Berlin\"}" },
    { "doc", "{\"b\":[1,2.50,null,true],\"a\":{\"\303\244\":\"\\u0001\"}}" },
  };
  g_autoptr (KtSchema) schema = schema_with (1, ALL_TYPES);
  const KtObject *thing = thing_of (schema);
  g_autoptr (GError) error = NULL;

  ensure_ok (fixture->db, schema);
  begin_ok (fixture->db, KT_TX_WRITE);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      KtId id = id_of (i);
      g_autoptr (KtRecord) record = kt_record_new (thing, &id);
      g_autoptr (KtRecord) back = NULL;

      record->rev = G_GINT64_CONSTANT (1) << 60;
      set_json (record, values[i].field, values[i].json);
      g_assert_false (kt_value_is_null (kt_record_get (record, values[i].field)));
      save_ok (fixture->db, record);
      back = kt_table_load (fixture->db, thing, &id, &error);
      g_assert_no_error (error);
      assert_same_record (record, back);
    }
  commit_ok (fixture->db);
}

static void
test_a_whole_record_comes_back (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtSchema) schema = schema_with (1, ALL_TYPES);
  const KtObject *thing = thing_of (schema);
  KtId id = id_of (7);
  g_autoptr (KtRecord) record = kt_record_new (thing, &id);
  g_autoptr (KtRecord) back = NULL;
  g_autoptr (KtRecord) none = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) sql = g_string_new ("SELECT 'x', ");
  g_autofree char *large = g_strnfill (90000, 'x');
  g_autofree char *large_json = g_strdup_printf ("\"%s\"", large);
  KT_STMT_SCOPE *stmt = NULL;

  ensure_ok (fixture->db, schema);
  set_json (record, "name", "\"n\"");
  set_json (record, "long", large_json);
  set_json (record, "price", "{\"amount\":\"1.5\",\"currency\":\"EUR\"}");
  set_json (record, "about", "{\"object\":\"user\",\"id\":\"" U1 "\"}");
  set_json (record, "flag", "true");
  set_json (record, "doc", "[1]");
  save_ok (fixture->db, record);
  back = kt_table_load (fixture->db, thing, &id, &error);
  g_assert_no_error (error);
  assert_same_record (record, back);
  g_clear_pointer (&back, kt_record_unref);

  g_string_append_printf (sql, "%s FROM \"o_thing\" a", kt_table_columns (fixture->db, thing, "a"));
  stmt = kt_db_stmt (fixture->db, sql->str, &error);
  g_assert_no_error (error);
  g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_ROW);
  g_assert_cmpint (kt_stmt_columns (stmt), ==, kt_table_n_columns (thing) + 1);
  back = kt_table_read (stmt, 1, thing);
  assert_same_record (record, back);

  id = id_of (8);
  none = kt_table_load (fixture->db, thing, &id, &error);
  g_assert_no_error (error);
  g_assert_null (none);
}

static void
test_saving_again_keeps_the_row (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtSchema) schema = schema_with (1, "{'name':'price','type':'money','label':'L'}");
  const KtObject *thing = thing_of (schema);
  g_autoptr (GError) error = NULL;
  gint64 rids[3];
  gboolean was_new;

  ensure_ok (fixture->db, schema);
  for (guint i = 0; i < 3; i++)
    {
      KtId id = id_of (i);
      g_autoptr (KtRecord) record = kt_record_new (thing, &id);

      set_json (record, "price", "{\"amount\":\"1\",\"currency\":\"EUR\"}");
      g_assert_true (kt_table_save (fixture->db, record, &was_new, &error));
      g_assert_true (was_new);
      rids[i] = record->rid;
      if (!on_postgresql ())
        g_assert_cmpint (rids[i], ==, ((gint64) thing->number << 40) + i + 1);
    }
  g_assert_cmpint (rids[0], !=, rids[1]);

  for (guint i = 0; i < 3; i++)
    {
      KtId id = id_of (i);
      g_autoptr (KtRecord) record = kt_record_new (thing, &id);
      g_autoptr (KtRecord) back = NULL;

      record->rev = 5;
      set_json (record, "name", "\"second\"");
      g_assert_true (kt_table_save (fixture->db, record, &was_new, &error));
      g_assert_false (was_new);
      g_assert_cmpint (record->rid, ==, rids[i]);
      back = kt_table_load (fixture->db, thing, &id, &error);
      assert_same_record (record, back);
      g_assert_true (kt_value_is_null (kt_record_get (back, "price")));
    }
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM o_thing"), ==, 3);
}

static void
test_only_the_changed_fields_are_written (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtSchema) schema = schema_with (
    1, "{'name':'price','type':'money','label':'L'},{'name':'flag','type':'boolean','label':'L'}");
  const KtObject *thing = thing_of (schema);
  KtId id = id_of (1);
  g_autoptr (KtRecord) record = kt_record_new (thing, &id);
  g_autoptr (KtRecord) changed = NULL;
  g_autoptr (KtRecord) back = NULL;
  g_autoptr (KtPatch) patch = NULL;
  g_autoptr (GError) error = NULL;

  ensure_ok (fixture->db, schema);
  set_json (record, "name", "\"n\"");
  set_json (record, "price", "{\"amount\":\"1\",\"currency\":\"EUR\"}");
  save_ok (fixture->db, record);

  changed = kt_record_copy (record);
  set_json (changed, "price", "{\"amount\":\"2\",\"currency\":\"USD\"}");
  set_json (changed, "name", "null");
  patch = kt_patch_diff (record, changed);
  exec_ok (fixture->db, "UPDATE o_thing SET f_flag = 1");
  g_assert_true (kt_table_update (fixture->db, patch, &id, 9, &error));
  g_assert_no_error (error);
  back = kt_table_load (fixture->db, thing, &id, &error);
  set_json (changed, "flag", "true");
  changed->rev = 9;
  assert_same_record (changed, back);

  id = id_of (2);
  g_assert_false (kt_table_update (fixture->db, patch, &id, 9, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_clear_error (&error);

  id = id_of (1);
  g_assert_true (kt_table_erase (fixture->db, thing, &id, &error));
  g_assert_true (kt_table_erase (fixture->db, thing, &id, &error));
  g_assert_no_error (error);
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM o_thing"), ==, 0);
}

static void
test_rows_are_inserted_in_bulk (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtSchema) schema = schema_with (
    1, "{'name':'price','type':'money','label':'L'},{'name':'day','type':'date','label':'L'}");
  const KtObject *thing = thing_of (schema);
  const KtField *price = kt_object_field (thing, "price");
  const KtField *day = kt_object_field (thing, "day");
  KtValue money = { .type = KT_VALUE_MONEY, .scale = 4, .currency = "EUR" };
  KtValue date = KT_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  KT_STMT_SCOPE *stmt = NULL;

  ensure_ok (fixture->db, schema);
  kt_value_set_text (&date, "2026-01-31");
  begin_ok (fixture->db, KT_TX_WRITE);
  stmt = kt_table_insert_stmt (fixture->db, thing, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 500; i++)
    {
      KtId id = id_of (i);

      if (i % 2 == 0)
        kt_stmt_bind_int (stmt, 1, ((gint64) thing->number << 40) + 10 + i);
      kt_stmt_bind_id (stmt, 2, &id);
      kt_stmt_bind_int (stmt, 3, i);
      money.v.integer = i;
      kt_table_bind (stmt, kt_table_param (price), price, &money);
      kt_table_bind (stmt, kt_table_param (day), day, &date);
      g_assert_cmpint (kt_stmt_step (stmt, &error), ==, KT_STEP_DONE);
      kt_stmt_reset (stmt);
    }
  commit_ok (fixture->db);
  g_assert_no_error (error);
  g_assert_cmpint (
    int_of (fixture->db,
            "SELECT count(*) FROM o_thing WHERE f_day = '2026-01-31' AND f_price_currency = 'EUR'"),
    ==, 500);
  g_assert_cmpint (int_of (fixture->db, "SELECT sum(f_price) FROM o_thing"), ==, 499 * 250);
  kt_value_clear (&date);
}

/* ---- the schema moves ---- */

static void
test_ensuring_twice_writes_nothing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtSchema) schema = schema_with (1, ALL_TYPES);
  g_autoptr (KtSchema) again = schema_with (2, ALL_TYPES);
  g_autoptr (KtDb) other = NULL;
  gint64 before;

  ensure_ok (fixture->db, schema);
  other = fixture_open_another (fixture);
  before =
    int_of (other, on_postgresql () ? "SELECT count(*) FROM pg_class" : "PRAGMA schema_version");
  ensure_ok (fixture->db, schema);
  ensure_ok (fixture->db, again);
  g_assert_cmpint (
    int_of (other, on_postgresql () ? "SELECT count(*) FROM pg_class" : "PRAGMA schema_version"),
    ==, before);
}

static void
test_a_field_is_added_online (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtSchema) one = schema_with (1, "");
  g_autoptr (KtSchema) two =
    schema_with (2, "{'name':'price','type':'money','label':'L','indexed':true}");
  KtId id = id_of (1);
  g_autoptr (KtRecord) record = kt_record_new (thing_of (one), &id);
  g_autoptr (KtRecord) newer = kt_record_new (thing_of (two), &id);
  g_autoptr (KtRecord) back = NULL;
  g_autoptr (KtDb) other = NULL;
  g_autoptr (GError) error = NULL;

  ensure_ok (fixture->db, one);
  set_json (record, "name", "\"n\"");
  save_ok (fixture->db, record);

  /* One connection learns of the new schema, another goes on with the old. */
  other = fixture_open_another (fixture);
  back = kt_table_load (other, thing_of (one), &id, &error);
  assert_same_record (record, back);
  g_clear_pointer (&back, kt_record_unref);
  ensure_ok (fixture->db, two);

  set_json (newer, "name", "\"n\"");
  set_json (newer, "price", "{\"amount\":\"1\",\"currency\":\"EUR\"}");
  save_ok (fixture->db, newer);
  back = kt_table_load (fixture->db, thing_of (two), &id, &error);
  assert_same_record (newer, back);
  g_clear_pointer (&back, kt_record_unref);

  back = kt_table_load (other, thing_of (one), &id, &error);
  g_assert_no_error (error);
  assert_same_record (record, back);
  g_clear_pointer (&back, kt_record_unref);
  save_ok (other, record);
  back = kt_table_load (fixture->db, thing_of (two), &id, &error);
  assert_same_record (newer, back);
}

static void
test_many_schemas_pass_by (Fixture *fixture, gconstpointer data)
{
  KtId id = id_of (1);

  for (int i = 0; i < 12; i++)
    {
      g_autoptr (GString) fields = g_string_new (NULL);
      g_autoptr (KtSchema) schema = NULL;
      g_autoptr (KtRecord) record = NULL;

      for (int k = 0; k < i; k++)
        g_string_append_printf (fields, "%s{'name':'n%d','type':'integer','label':'L'}",
                                k > 0 ? "," : "", k);
      schema = schema_with (i + 1, fields->str);
      ensure_ok (fixture->db, schema);
      record = kt_record_new (thing_of (schema), &id);
      if (i > 0)
        set_json (record, "n0", "1");
      save_ok (fixture->db, record);
    }
  g_assert_cmpint (int_of (fixture->db, "SELECT f_n0 FROM o_thing WHERE f_n10 IS NULL"), ==, 1);
}

static void
test_a_retired_field_keeps_its_values (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtSchema) one = schema_with (1, "{'name':'extra','type':'text','label':'L'}");
  g_autoptr (KtSchema) two = schema_with (2, "");
  KtId id = id_of (1);
  g_autoptr (KtRecord) record = kt_record_new (thing_of (one), &id);
  g_autoptr (KtRecord) without = kt_record_new (thing_of (two), &id);

  ensure_ok (fixture->db, one);
  set_json (record, "extra", "\"kept\"");
  save_ok (fixture->db, record);
  ensure_ok (fixture->db, two);
  set_json (without, "name", "\"n\"");
  save_ok (fixture->db, without);
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM o_thing WHERE f_extra = 'kept'"), ==,
                   1);
}

static void
test_fields_are_retyped (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *from;
    const char *before;
    const char *to;
    const char *after; /* NULL: refused */
  } cases[] = {
    { "'type':'integer'", "12", "'type':'text'", "\"12\"" },
    { "'type':'text'", "\"12\"", "'type':'integer'", "12" },
    { "'type':'text'", "\"dozen\"", "'type':'integer'", NULL },
    { "'type':'text'", "\"12.5 EUR\"", "'type':'money'",
      "{\"amount\":\"12.5\",\"currency\":\"EUR\"}" },
    { "'type':'text'", "\"12.5\"", "'type':'money'", NULL },
    { "'type':'money'", "{\"amount\":\"12.5\",\"currency\":\"EUR\"}", "'type':'text'",
      "\"12.5 EUR\"" },
    { "'type':'money'", "{\"amount\":\"12.5\",\"currency\":\"EUR\"}", "'type':'decimal','scale':2",
      NULL },
    { "'type':'integer'", "12", "'type':'decimal','scale':2", "\"12\"" },
    { "'type':'decimal','scale':2", "\"12.25\"", "'type':'decimal','scale':4", "\"12.25\"" },
    { "'type':'decimal','scale':2", "\"12.5\"", "'type':'decimal','scale':1", "\"12.5\"" },
    { "'type':'decimal','scale':2", "\"12.25\"", "'type':'decimal','scale':1", NULL },
    { "'type':'boolean'", "true", "'type':'integer'", "1" },
    { "'type':'integer'", "2", "'type':'boolean'", NULL },
    { "'type':'date'", "\"2026-01-31\"", "'type':'date_time'", "\"2026-01-31T00:00:00.000Z\"" },
    { "'type':'date_time'", "\"2026-01-31T00:00:00.000Z\"", "'type':'date'", "\"2026-01-31\"" },
    { "'type':'date_time'", "\"2026-01-31T08:00:00.000Z\"", "'type':'date'", NULL },
    { "'type':'text'", "\"2026-01-31\"", "'type':'date'", "\"2026-01-31\"" },
    { "'type':'text'", "\"soon\"", "'type':'date'", NULL },
    { "'type':'text'", "\"2026-01-31 08:00\"", "'type':'date_time'", NULL },
    { "'type':'text'", "\"a\"", "'type':'long_text'", "\"a\"" },
    { "'type':'ref','to':['user']", "\"" U1 "\"", "'type':'ref_any','to':['user']",
      "{\"object\":\"user\",\"id\":\"" U1 "\"}" },
    { "'type':'ref_any','to':['user','thing']", "{\"object\":\"user\",\"id\":\"" U1 "\"}",
      "'type':'ref','to':['user']", "\"" U1 "\"" },
    { "'type':'ref_any','to':['user','thing']", "{\"object\":\"thing\",\"id\":\"" U1 "\"}",
      "'type':'ref','to':['user']", NULL },
    { "'type':'text'", "\"vip\"", "'type':'tags'", "[\"vip\"]" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *from =
        g_strdup_printf ("{'name':'x','label':'L','indexed':true,%s}", cases[i].from);
      g_autofree char *to =
        g_strdup_printf ("{'name':'x','label':'L','indexed':true,%s}", cases[i].to);
      g_autoptr (KtSchema) one = schema_with (1, from);
      g_autoptr (KtSchema) two = schema_with (2, to);
      KtId id = id_of (1);
      KtId blank = id_of (2);
      g_autoptr (KtRecord) record = kt_record_new (thing_of (one), &id);
      g_autoptr (KtRecord) empty = kt_record_new (thing_of (one), &blank);
      g_autoptr (KtRecord) expected = kt_record_new (thing_of (two), &id);
      g_autoptr (KtRecord) back = NULL;
      g_autoptr (GError) error = NULL;
      Fixture own = { 0 };

      g_test_message ("%s from %s to %s", cases[i].before, cases[i].from, cases[i].to);
      fixture_set_up (&own, NULL);
      ensure_ok (own.db, one);
      set_json (record, "x", cases[i].before);
      save_ok (own.db, record);
      save_ok (own.db, empty);

      begin_ok (own.db, KT_TX_WRITE);
      if (cases[i].after != NULL)
        {
          kt_table_ensure (own.db, two, 0, &error);
          g_assert_no_error (error);
          commit_ok (own.db);
          set_json (expected, "x", cases[i].after);
          expected->rid = record->rid;
          back = kt_table_load (own.db, thing_of (two), &id, &error);
          g_assert_no_error (error);
          assert_same_record (expected, back);
          save_ok (own.db, expected);
        }
      else
        {
          g_assert_false (kt_table_ensure (own.db, two, 0, &error));
          g_assert_error (error, KT_ERROR, KT_ERROR_SCHEMA);
          g_assert_nonnull (strstr (error->message, U1));
          g_clear_error (&error);
          /* Nothing has changed, and the transaction is still good. */
          commit_ok (own.db);
          back = kt_table_load (own.db, thing_of (one), &id, &error);
          g_assert_no_error (error);
          assert_same_record (record, back);
        }
      fixture_tear_down (&own, NULL);
    }
}

static void
test_retyping_takes_many_rows (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtSchema) one = schema_with (1, "{'name':'x','label':'L','type':'integer'}");
  g_autoptr (KtSchema) two = schema_with (2, "{'name':'x','label':'L','type':'text'}");

  ensure_ok (fixture->db, one);
  begin_ok (fixture->db, KT_TX_WRITE);
  for (guint i = 0; i < 1700; i++)
    {
      KtId id = id_of (i);
      g_autoptr (KtRecord) record = kt_record_new (thing_of (one), &id);
      const KtField *x = kt_object_field (thing_of (one), "x");

      kt_value_set_int (&record->values[x->index], i);
      save_ok (fixture->db, record);
    }
  commit_ok (fixture->db);
  ensure_ok (fixture->db, two);
  g_assert_cmpint (
    int_of (fixture->db, "SELECT count(*) FROM o_thing WHERE f_x = CAST(x1_f_x AS TEXT)"), ==,
    1700);
  /* There and back again. */
  ensure_ok (fixture->db, one);
  g_assert_cmpint (int_of (fixture->db, "SELECT count(*) FROM o_thing WHERE f_x = x1_f_x"), ==,
                   1700);
}

static void
test_long_text_is_indexed (Fixture *fixture, gconstpointer data)
{
  g_autoptr (KtSchema) one =
    schema_with (1, "{'name':'x','label':'L','type':'text','indexed':true}");
  g_autoptr (KtSchema) two =
    schema_with (2, "{'name':'x','label':'L','type':'text','indexed':true,'max':10000}");
  g_autoptr (GString) text = g_string_new ("\"");
  guint32 seed = 1;
  KtId id = id_of (1);
  g_autoptr (KtRecord) record = kt_record_new (thing_of (two), &id);
  g_autoptr (KtRecord) back = NULL;

  /* Nothing that compression makes small. */
  for (guint i = 0; i < 10000; i++)
    {
      seed = seed * 1664525 + 1013904223;
      g_string_append_unichar (text, 0x4e00 + (seed >> 16) % 0x5000);
    }
  g_string_append_c (text, '"');
  ensure_ok (fixture->db, one);
  ensure_ok (fixture->db, two);
  set_json (record, "x", text->str);
  save_ok (fixture->db, record);
  back = kt_table_load (fixture->db, thing_of (two), &id, NULL);
  assert_same_record (record, back);
}

static void
test_the_default_schema_has_its_tables (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_build_filename (g_getenv ("KONTOR_DATADIR"), "schema", NULL);
  g_autoptr (KtSchema) schema = kt_schema_load_dir (folder, &error);
  const KtObject *const *objects;
  guint n;

  g_assert_no_error (error);
  ensure_ok (fixture->db, schema);
  objects = kt_schema_objects (schema, &n);
  for (guint i = 0; i < n; i++)
    {
      KtId id = id_of (i);
      g_autoptr (KtRecord) record = kt_record_new (objects[i], &id);
      g_autoptr (KtRecord) back = NULL;

      save_ok (fixture->db, record);
      back = kt_table_load (fixture->db, objects[i], &id, &error);
      g_assert_no_error (error);
      assert_same_record (record, back);
    }
}

#define ADD(name, function) \
  g_test_add ("/tables/" name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("every-type-comes-back", test_every_type_comes_back);
  ADD ("a-whole-record-comes-back", test_a_whole_record_comes_back);
  ADD ("saving-again-keeps-the-row", test_saving_again_keeps_the_row);
  ADD ("only-the-changed-fields-are-written", test_only_the_changed_fields_are_written);
  ADD ("rows-are-inserted-in-bulk", test_rows_are_inserted_in_bulk);
  ADD ("ensuring-twice-writes-nothing", test_ensuring_twice_writes_nothing);
  ADD ("a-field-is-added-online", test_a_field_is_added_online);
  ADD ("many-schemas-pass-by", test_many_schemas_pass_by);
  ADD ("a-retired-field-keeps-its-values", test_a_retired_field_keeps_its_values);
  ADD ("fields-are-retyped", test_fields_are_retyped);
  ADD ("retyping-takes-many-rows", test_retyping_takes_many_rows);
  ADD ("long-text-is-indexed", test_long_text_is_indexed);
  ADD ("the-default-schema-has-its-tables", test_the_default_schema_has_its_tables);

  return g_test_run ();
}
