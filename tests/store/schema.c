/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"

/* P13: the schema moves while there is work in the outbox. */

#define SYSTEM                                                                                       \
  "\"system\":{\"fields\":["                                                                         \
  "{\"name\":\"external_id\",\"type\":\"text\",\"label\":\"External\",\"indexed\":true},"            \
  "{\"name\":\"created_at\",\"type\":\"date_time\",\"label\":\"Created\",\"computed\":true},"        \
  "{\"name\":\"created_by\",\"type\":\"ref\",\"to\":[\"user\"],\"label\":\"By\",\"computed\":true}," \
  "{\"name\":\"modified_at\",\"type\":\"date_time\",\"label\":\"Modified\",\"computed\":true},"      \
  "{\"name\":\"deleted_at\",\"type\":\"date_time\",\"label\":\"Deleted\",\"computed\":true}],\"business\":[]}"

#define OBJECT(name, fields)                                                                                            \
  "{\"object\":\"" name "\",\"kind\":\"object\",\"visible\":true,\"label\":\"" name                                     \
  "\",\"title\":\"name\",\"sync\":\"full\","                                                                            \
  "\"conflict\":\"merge\",\"fields\":[{\"name\":\"name\",\"type\":\"text\",\"label\":\"Name\",\"indexed\":true}" fields \
  "]}"

#define FIELD(name, type) ",{\"name\":\"" name "\",\"type\":\"" type "\",\"label\":\"" name "\"}"

#define SCHEMA(version, objects) \
  "{\"name\":\"t\",\"version\":" version "," SYSTEM ",\"objects\":[" objects "]}"

static const char first[] =
  SCHEMA ("1",
          OBJECT ("user", "") "," OBJECT ("thing",
                                          FIELD ("colour", "text")
                                            FIELD ("size", "integer")) "," OBJECT ("relic", ""));

static KtSchema *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  KtSchema *schema = kt_schema_from_json (text, -1, &error);

  g_assert_no_error (error);
  return schema;
}

static void
set_up (Fix *fix, gconstpointer data)
{
  PageForm form = { TRUE, FALSE, 1, "c1", NULL };

  fix_set_up (fix, data);
  fix->schema = parse (first);
  fix_sign_in (fix);
  kt_change_set_unref (fix_apply (fix, &form, NULL));
}

static void
tear_down (Fix *fix, gconstpointer data)
{
  fix_tear_down (fix, data);
  kt_schema_unref (fix->schema);
}

static void
move_to (Fix *fix, const char *text)
{
  g_autoptr (KtSchema) schema = parse (text);
  g_autoptr (GError) error = NULL;

  kt_local_set_schema (fix->local, schema, &error);
  g_assert_no_error (error);
  fix_check (fix);
}

/* 66, 67: a field is added: the outbox goes on, the new field works, what was indexed stays found. */
static void
test_field_added (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server =
    fix_record (fix, "thing", NULL, 2, "name", "Chair", "colour", "red", NULL);
  g_autofree char *sent = NULL;
  g_autofree char *found = NULL;
  KtId id;

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c2", NULL }, server, NULL));
  fix_create (fix, "thing", &id, "name", "Table", "colour", "blue", NULL);
  fix_set (fix, "thing", &server->id, "colour", "green");
  move_to (fix, SCHEMA ("2", OBJECT ("user", "") "," OBJECT (
                               "thing", FIELD ("colour", "text") FIELD ("size", "integer")
                                          FIELD ("weight", "decimal") FIELD (
                                            "notes", "long_text")) "," OBJECT ("relic", "")));
  assert_text (fix, "thing", &server->id, "colour", "green");
  assert_text (fix, "thing", &id, "colour", "blue");
  fix_set (fix, "thing", &id, "notes", "oak wood");
  found = fix_list (fix, "thing", "name", "oak");
  g_assert_cmpstr (found, ==, "Table");
  sent = fix_take (fix);
  g_assert_nonnull (strstr (sent, "\"colour\":[\"red\",\"green\"]"));
  g_assert_nonnull (strstr (sent, "oak wood"));
  fix_reopen (fix);
  assert_text (fix, "thing", &id, "notes", "oak wood");
}

/* 68: a field is gone: an entry that names it parks and keeps its words; the rest of it still shows. */
static void
test_field_gone (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server =
    fix_record (fix, "thing", NULL, 2, "name", "Chair", "colour", "red", NULL);
  g_autoptr (KtRecord) other = fix_record (fix, "thing", NULL, 2, "name", "Lamp", NULL);
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *sent = NULL;
  gint64 colour, name;

  kt_change_set_unref (
    fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c2", NULL }, server, other, NULL));
  colour = fix_set (fix, "thing", &server->id, "colour", "green");
  name = fix_set (fix, "thing", &other->id, "name", "Lamp 2");
  move_to (fix, SCHEMA ("2", OBJECT ("user", "") "," OBJECT (
                               "thing", FIELD ("size", "integer")) "," OBJECT ("relic", "")));
  g_assert_cmpint (fix_state (fix, colour), ==, KT_OUTBOX_PARKED);
  g_assert_cmpint (fix_state (fix, name), ==, KT_OUTBOX_QUEUED);
  entries = kt_local_outbox (fix->local, 0, &error);
  g_assert_nonnull (strstr (((KtOutboxEntry *) entries->pdata[0])->reason, "colour"));
  sent = fix_take (fix);
  g_assert_null (strstr (sent, "green"));
  g_assert_false (kt_local_retry (fix->local, colour, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
  g_clear_error (&error);
  kt_local_discard (fix->local, colour, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_kept WHERE json LIKE '%green%'"), ==,
                   1);
}

/* I6: what was sent before is repeated with the same bytes whatever the schema has become. */
static void
test_sent_stays (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server =
    fix_record (fix, "thing", NULL, 2, "name", "Chair", "colour", "red", NULL);
  g_autofree char *sent = NULL;
  g_autofree char *again = NULL;

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c2", NULL }, server, NULL));
  fix_set (fix, "thing", &server->id, "colour", "green");
  sent = fix_take (fix);
  move_to (fix, SCHEMA ("2", OBJECT ("user", "") "," OBJECT (
                               "thing", FIELD ("size", "integer")) "," OBJECT ("relic", "")));
  again = fix_take (fix);
  g_assert_cmpstr (again, ==, sent);
}

static void
test_object_gone (Fix *fix, gconstpointer data)
{
  KtId id;
  gint64 no = fix_create (fix, "relic", &id, "name", "Old", NULL);

  move_to (fix, SCHEMA ("2", OBJECT ("user", "") "," OBJECT (
                               "thing", FIELD ("colour", "text") FIELD ("size", "integer"))));
  g_assert_cmpint (fix_state (fix, no), ==, KT_OUTBOX_PARKED);
  g_assert_null (fix_take (fix));
}

/* A form that was opened before the move is saved after it. */
static void
test_old_mutation (Fix *fix, gconstpointer data)
{
  g_autoptr (KtMutation) mutation = kt_mutation_new ("2026-02-03T04:05:06.000Z", "client");
  g_autoptr (KtMutation) late = kt_mutation_new ("2026-02-03T04:05:06.000Z", "client");
  g_autoptr (KtRecord) record = fix_record (fix, "thing", NULL, 0, "name", "Chair", NULL);
  g_autoptr (KtRecord) red =
    fix_record (fix, "thing", NULL, 0, "name", "Chair", "colour", "red", NULL);
  g_autoptr (GError) error = NULL;

  kt_mutation_add (mutation, KT_MUTATE_CREATE, record->object, &record->id, 0,
                   kt_patch_diff (NULL, record));
  kt_mutation_add (late, KT_MUTATE_CREATE, red->object, &red->id, 0, kt_patch_diff (NULL, red));
  move_to (fix, SCHEMA ("2", OBJECT ("user", "") "," OBJECT (
                               "thing", FIELD ("size", "integer")) "," OBJECT ("relic", "")));
  kt_local_commit (fix->local, mutation, NULL, NULL, &error);
  g_assert_no_error (error);
  assert_text (fix, "thing", &record->id, "name", "Chair");
  g_assert_false (kt_local_commit (fix->local, late, NULL, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "colour"));
}

/* Pages that were staged under the old schema lack what is new: they are asked for again. */
static void
test_stage_forgotten (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = fix_record (fix, "thing", NULL, 2, "name", "Chair", NULL);
  g_autofree char *at = NULL;

  g_assert_null (fix_apply (fix, &(PageForm){ FALSE, TRUE, 2, "c2", NULL }, server, NULL));
  move_to (fix, SCHEMA ("2", OBJECT ("user", "") "," OBJECT (
                               "thing", FIELD ("colour", "text") FIELD ("size", "integer")
                                          FIELD ("weight", "decimal")) "," OBJECT ("relic", "")));
  at = kt_local_cursor (fix->local, NULL);
  g_assert_cmpstr (at, ==, "c1");
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_stage"), ==, 0);
}

/* A text field stops being one: the index is made anew and nothing stale is found. */
static void
test_retyped (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server =
    fix_record (fix, "thing", NULL, 2, "name", "Chair", "colour", "12", NULL);
  g_autofree char *found = NULL;

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c2", NULL }, server, NULL));
  move_to (fix, SCHEMA ("2", OBJECT ("user", "") "," OBJECT (
                               "thing", FIELD ("colour", "integer")
                                          FIELD ("size", "integer")) "," OBJECT ("relic", "")));
  found = fix_list (fix, "thing", "name", "12");
  g_assert_cmpstr (found, ==, "");
  fix_set (fix, "thing", &server->id, "colour", "13");
  assert_text (fix, "thing", &server->id, "colour", "13");
}

#define THING(version, fields) SCHEMA (version, OBJECT ("user", "") "," OBJECT ("thing", fields) "," OBJECT ("relic", ""))
#define RENAMED(name, type, was) \
  ",{\"name\":\"" name "\",\"type\":\"" type "\",\"label\":\"" name "\",\"renamed_from\":" was "}"

static char *
reason_of (Fix *fix, gint64 no)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (fix->local, 0, NULL);

  for (guint i = 0; i < entries->len; i++)
    {
      KtOutboxEntry *entry = g_ptr_array_index (entries, i);

      if (entry->no == no)
        return g_strdup (entry->reason);
    }
  return NULL;
}

static KtRecord *
server_thing (Fix *fix, const char *name, const char *colour, const char *cursor)
{
  KtRecord *server = fix_record (fix, "thing", NULL, 2, "name", name, "colour", colour, NULL);

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, cursor, NULL }, server, NULL));
  return server;
}

/* Text becomes a number: what is one goes on, what is none parks with its words, and what the server holds in the
 * way of neither is converted. Were the field text again, the words would go by themselves. */
static void
test_retyped_outbox (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = server_thing (fix, "Chair", "12", "c2");
  g_autoptr (KtRecord) b = server_thing (fix, "Lamp", "reddish", "c3");
  g_autoptr (KtRecord) c = server_thing (fix, "Desk", "7", "c4");
  gint64 number = fix_set (fix, "thing", &a->id, "colour", "13");
  gint64 word = fix_set (fix, "thing", &c->id, "colour", "green");
  g_autofree char *reason = NULL;
  g_autofree char *sent = NULL;
  g_autofree char *again = NULL;
  KtId fresh;

  move_to (fix, THING ("2", FIELD ("colour", "integer") FIELD ("size", "integer")));
  assert_text (fix, "thing", &a->id, "colour", "13");
  assert_text (fix, "thing", &c->id, "colour", "7");
  /* Nobody here wrote it and the server cannot hold it any more: a later page brings what it is. */
  assert_text (fix, "thing", &b->id, "colour", NULL);
  g_assert_cmpint (fix_state (fix, number), ==, KT_OUTBOX_QUEUED);
  g_assert_cmpint (fix_state (fix, word), ==, KT_OUTBOX_PARKED);
  reason = reason_of (fix, word);
  g_assert_nonnull (strstr (reason, "colour"));
  g_assert_nonnull (strstr (reason, "another form"));
  g_assert_false (kt_local_retry (fix->local, word, NULL, NULL));
  fix_create (fix, "thing", &fresh, "name", "Bed", "colour", "40", NULL);
  fix_reopen (fix);
  assert_text (fix, "thing", &a->id, "colour", "13");

  move_to (fix, THING ("3", FIELD ("colour", "text") FIELD ("size", "integer")));
  g_assert_cmpint (fix_state (fix, word), ==, KT_OUTBOX_QUEUED);
  assert_text (fix, "thing", &c->id, "colour", "green");
  assert_text (fix, "thing", &fresh, "colour", "40");
  sent = fix_take (fix);
  g_assert_nonnull (strstr (sent, "[\"12\",\"13\"]"));
  g_assert_nonnull (strstr (sent, "[\"7\",\"green\"]"));
  again = fix_take (fix);
  g_assert_cmpstr (again, ==, sent);
}

/* A field gets another name: values, shadow, outbox, what can be taken back and the index follow it. */
static void
test_renamed_field (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = server_thing (fix, "Chair", "red", "c2");
  g_autoptr (KtRecord) b = server_thing (fix, "Lamp", "blue", "c3");
  g_autoptr (KtRecord) shadow = NULL;
  g_autoptr (KtMutation) back = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL;
  g_autofree char *sent = NULL;
  gint64 no = fix_set (fix, "thing", &a->id, "colour", "green");
  KtValue *value;

  move_to (fix, THING ("2", RENAMED ("shade", "text", "\"colour\"") FIELD ("size", "integer")));
  assert_text (fix, "thing", &a->id, "shade", "green");
  assert_text (fix, "thing", &b->id, "shade", "blue");
  found = fix_list (fix, "thing", "name", "blue");
  g_assert_cmpstr (found, ==, "Lamp");
  shadow = kt_local_load_shadow (fix->local, kt_schema_object (kt_local_schema (fix->local), "thing"),
                                 &a->id, &error);
  g_assert_no_error (error);
  value = (KtValue *) kt_record_get (shadow, "shade");
  g_assert_cmpstr (value->v.text, ==, "red");
  back = kt_local_inverse (fix->local, no, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (back->ops->len, ==, 1);
  fix_set (fix, "thing", &a->id, "shade", "olive");
  assert_text (fix, "thing", &a->id, "shade", "olive");
  sent = fix_take (fix);
  g_assert_nonnull (strstr (sent, "green"));
  g_assert_nonnull (strstr (sent, "olive"));
}

/* An object gets another name while new records of it wait. */
static void
test_renamed_object (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) a = server_thing (fix, "Chair", "red", "c2");
  g_autofree char *found = NULL;
  KtId id;
  gint64 made = fix_create (fix, "thing", &id, "name", "Table", NULL);

  fix_set (fix, "thing", &a->id, "colour", "green");
  move_to (fix, SCHEMA ("2", OBJECT ("user", "") ",{\"object\":\"item\",\"renamed_from\":[\"thing\"],"
                              "\"kind\":\"object\",\"visible\":true,\"label\":\"Item\",\"title\":\"name\","
                              "\"sync\":\"full\",\"conflict\":\"merge\",\"fields\":[{\"name\":\"name\","
                              "\"type\":\"text\",\"label\":\"Name\",\"indexed\":true}" FIELD ("colour", "text")
                                FIELD ("size", "integer") "]}," OBJECT ("relic", "")));
  g_assert_cmpint (fix_state (fix, made), ==, KT_OUTBOX_QUEUED);
  assert_text (fix, "item", &a->id, "colour", "green");
  assert_text (fix, "item", &id, "name", "Table");
  found = fix_list (fix, "item", "name", "green");
  g_assert_cmpstr (found, ==, "Chair");
  fix_reopen (fix);
  assert_text (fix, "item", &id, "name", "Table");
}

/* 68: one of two fields of a change is gone: trying again sends the rest and keeps those words. */
static void
test_rest_goes (Fix *fix, gconstpointer data)
{
  g_autofree char *sent = NULL;
  g_autoptr (GError) error = NULL;
  KtId id;
  gint64 no = fix_create (fix, "thing", &id, "name", "Table", "colour", "teal", NULL);

  move_to (fix, THING ("2", FIELD ("size", "integer")));
  g_assert_cmpint (fix_state (fix, no), ==, KT_OUTBOX_PARKED);
  assert_text (fix, "thing", &id, "name", "Table");
  kt_local_retry (fix->local, no, NULL, &error);
  g_assert_no_error (error);
  sent = fix_take (fix);
  g_assert_nonnull (strstr (sent, "Table"));
  g_assert_null (strstr (sent, "teal"));
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_kept WHERE json LIKE '%teal%'"), ==, 1);
}

/* Options go, one becomes many, an amount loses its currency: each says what is the matter, or goes on. */
static void
test_other_forms (Fix *fix, gconstpointer data)
{
#define CHOICE(type, options) \
  ",{\"name\":\"kind\",\"type\":\"" type "\",\"label\":\"Kind\",\"options\":[" options "]}"
  g_autofree char *option = NULL;
  g_autofree char *money = NULL;
  gint64 gone, stays, amount;
  KtId a, b, c;

  move_to (fix, THING ("2", CHOICE ("choice", "\"new\",\"used\",\"lost\"") FIELD ("price", "money")));
  gone = fix_create (fix, "thing", &a, "name", "A", "kind", "lost", NULL);
  stays = fix_create (fix, "thing", &b, "name", "B", "kind", "used", NULL);
  amount = fix_create (fix, "thing", &c, "name", "C", "price", "12.50 EUR", NULL);
  move_to (fix, THING ("3", CHOICE ("choices", "\"new\",\"used\"") FIELD ("price", "decimal")));
  g_assert_cmpint (fix_state (fix, gone), ==, KT_OUTBOX_PARKED);
  g_assert_cmpint (fix_state (fix, stays), ==, KT_OUTBOX_QUEUED);
  g_assert_cmpint (fix_state (fix, amount), ==, KT_OUTBOX_PARKED);
  option = reason_of (fix, gone);
  money = reason_of (fix, amount);
  g_assert_nonnull (strstr (option, "kind of thing"));
  g_assert_nonnull (strstr (money, "price of thing"));
  assert_text (fix, "thing", &b, "kind", "[\"used\"]");
  assert_text (fix, "thing", &a, "name", "A");
  fix_reopen (fix);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox_op WHERE patch LIKE '%12.5%EUR%'"), ==, 1);
}

/* A name that was given up is not given to something else: old words would mean two things. */
static void
test_names_stay (Fix *fix, gconstpointer data)
{
  static const char *const bad[] = {
    THING ("2", RENAMED ("shade", "text", "\"colour\"") FIELD ("colour", "text")),
    THING ("2", FIELD ("colour", "text") RENAMED ("shade", "text", "\"colour\"")),
    THING ("2", RENAMED ("shade", "text", "[]")),
    THING ("2", RENAMED ("shade", "text", "7")),
    THING ("2", RENAMED ("shade", "text", "\"Not A Name\"")),
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (kt_schema_from_json (bad[i], -1, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_SCHEMA);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fix, NULL, set_up, func, tear_down)
  ADD ("/schema/P13/66/field-added", test_field_added);
  ADD ("/schema/P13/68/field-gone", test_field_gone);
  ADD ("/schema/I6/sent-stays", test_sent_stays);
  ADD ("/schema/P13/object-gone", test_object_gone);
  ADD ("/schema/old-mutation", test_old_mutation);
  ADD ("/schema/stage-forgotten", test_stage_forgotten);
  ADD ("/schema/retyped", test_retyped);
  ADD ("/schema/P13/66/retyped-outbox", test_retyped_outbox);
  ADD ("/schema/P13/66/renamed-field", test_renamed_field);
  ADD ("/schema/P13/66/renamed-object", test_renamed_object);
  ADD ("/schema/P13/68/the-rest-goes", test_rest_goes);
  ADD ("/schema/P13/66/other-forms", test_other_forms);
  ADD ("/schema/P13/names-stay", test_names_stay);
  return g_test_run ();
}
