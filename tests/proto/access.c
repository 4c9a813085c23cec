/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rights from roles, the access document, tokens and subscriptions (roles.md §§1-7): on the pack's own schema and default roles. */

#include "config.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-id.h"
#include "base/kt-json.h"
#include "proto/kt-audience.h"

#define UUID(n) "\"01000000-0000-0000-0000-0000000000" n "\""

static KtSchema *schema;
static KtJson *seed;

static KtId
id_of (guint n)
{
  KtId id = KT_ID_NIL;

  id.b[0] = 1;
  id.b[15] = (guint8) n;
  return id;
}

static KtRecord *
record_of (const char *object, guint id, const char *json)
{
  g_autoptr (KtJson) tree = kt_json_parse (json, -1, NULL);
  g_autoptr (GError) error = NULL;
  const KtObject *of = kt_schema_object (schema, object);
  KtId key = id_of (id);
  KtRecord *record = kt_record_new (of, &key);

  for (guint i = 0; i < kt_json_length (tree); i++)
    {
      const KtField *field = kt_object_field (of, kt_json_key_at (tree, i));

      g_assert_nonnull (field);
      kt_value_load_json (field, kt_json_at (tree, i), &record->values[field->index], &error);
      g_assert_no_error (error);
    }
  return record;
}

static KtRecord *
role_of (const char *scope, const char *fields, gboolean baseline)
{
  g_autofree char *json = g_strdup_printf (
    "{\"name\":\"R\",\"scope\":%s,\"fields\":%s,\"is_baseline\":%s}", scope, fields,
    baseline ? "true" : "false");

  return record_of ("role", 90, json);
}

/* Of the user 1, of team 21, in a unit with 2, above 3. Takes the roles. */
static KtRights *
rights_of (KtRecord *first, ...)
{
  g_autoptr (GPtrArray) roles = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  g_autoptr (GArray) teams = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_autoptr (GArray) unit = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_autoptr (GArray) reports = g_array_new (FALSE, FALSE, sizeof (KtId));
  g_autoptr (GError) error = NULL;
  KtId me = id_of (1), team = id_of (21), mate = id_of (2), junior = id_of (3);
  KtRights *rights;
  va_list args;

  va_start (args, first);
  for (KtRecord *role = first; role != NULL; role = va_arg (args, KtRecord *))
    g_ptr_array_add (roles, role);
  va_end (args);
  g_array_append_val (teams, team);
  g_array_append_val (unit, me);
  g_array_append_val (unit, mate);
  g_array_append_val (reports, junior);
  rights = kt_rights_build (&me, FALSE, roles, teams, unit, reports, &error);
  g_assert_no_error (error);
  return rights;
}

static KtAccess
access_of (KtRights *rights)
{
  KtAccess access = { .rights = rights };

  kt_rights_user (rights, &access.user);
  return access;
}

/* ---- roles ---- */

static void
test_several (void)
{
  g_autoptr (KtRights) rights = rights_of (
    role_of ("{\"contact\":{\"read\":\"own\",\"edit\":\"own\",\"reports\":true},\"lead\":{\"read\":\"no\"}}",
             "{\"contact\":{\"phone\":{\"read\":\"mask\"},\"fax\":{\"edit\":\"no\"}}}", FALSE),
    role_of ("{\"contact\":{\"read\":\"team\",\"create\":\"yes\"}}",
             "{\"contact\":{\"phone\":{\"read\":\"no\"}}}", FALSE),
    role_of ("{\"contact\":{\"delete\":\"own\"},\"lead\":{\"read\":\"own\"},\"task\":{\"read\":\"own\"}}",
             "{\"contact\":{\"fax\":{\"read\":\"mask\"}},\"task\":{\"subject\":{\"read\":\"no\"}}}", TRUE),
    NULL);

  g_assert_cmpint (kt_rights_level (rights, "contact", KT_MAY_READ), ==, KT_LEVEL_TEAM);
  g_assert_cmpint (kt_rights_level (rights, "contact", KT_MAY_EDIT), ==, KT_LEVEL_OWN);
  g_assert_cmpint (kt_rights_level (rights, "contact", KT_MAY_CREATE), ==, KT_LEVEL_ALL);
  g_assert_cmpint (kt_rights_level (rights, "contact", KT_MAY_DELETE), ==, KT_LEVEL_OWN);
  g_assert_cmpint (kt_rights_level (rights, "lead", KT_MAY_READ), ==, KT_LEVEL_OWN);
  g_assert_cmpint (kt_rights_level (rights, "account", KT_MAY_READ), ==, KT_LEVEL_NO);
  g_assert_true (kt_rights_reports (rights, "contact"));
  /* mask beats no; where both say nothing of reading the baseline does; where nobody else grants the object it does alone. */
  g_assert_cmpint (kt_rights_sight (rights, "contact", "phone"), ==, KT_SIGHT_MASKED);
  g_assert_cmpint (kt_rights_sight (rights, "contact", "fax"), ==, KT_SIGHT_MASKED);
  g_assert_false (kt_rights_field_edit (rights, "contact", "fax"));
  g_assert_cmpint (kt_rights_sight (rights, "task", "subject"), ==, KT_SIGHT_HIDDEN);
  g_assert_cmpint (kt_rights_sight (rights, "contact", "last_name"), ==, KT_SIGHT_CLEAR);
  g_assert_true (kt_rights_field_edit (rights, "contact", "last_name"));
}

static void
test_document (void)
{
  g_autoptr (KtRights) rights = rights_of (
    role_of ("{\"contact\":{\"read\":\"unit\",\"create\":\"yes\",\"reports\":true}}",
             "{\"contact\":{\"phone\":{\"read\":\"mask\"}}}", FALSE),
    NULL);
  g_autoptr (KtRights) same = NULL;
  g_autoptr (KtRights) plain =
    rights_of (role_of ("{\"contact\":{\"read\":\"team\"}}", "{}", FALSE), NULL);
  g_autoptr (GError) error = NULL;
  static const char *const wrong[] = { "", "[]", "{\"user\":\"x\"}",
                                       "{\"user\":\"01000000-0000-0000-0000-000000000001\",\"teams\":[1]}",
                                       "{\"user\":\"01000000-0000-0000-0000-000000000001\",\"objects\":{\"a\":{\"read\":\"some\"}}}" };

  g_assert_cmpstr (
    kt_rights_json (rights), ==,
    "{\"admin\":false,\"objects\":{\"contact\":{\"create\":\"yes\",\"fields\":{\"phone\":{\"edit\":\"no\",\"read\":\"mask\"}},"
    "\"read\":\"unit\",\"reports\":true}},\"reports\":[\"01000000-0000-0000-0000-000000000003\"],\"special\":{},"
    "\"teams\":[\"01000000-0000-0000-0000-000000000015\"],"
    "\"unit\":[\"01000000-0000-0000-0000-000000000001\",\"01000000-0000-0000-0000-000000000002\"],"
    "\"user\":\"01000000-0000-0000-0000-000000000001\"}");
  same = kt_rights_from_json (kt_rights_json (rights), -1, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (kt_rights_json (same), ==, kt_rights_json (rights));
  g_assert_cmpstr (kt_rights_digest (same), ==, kt_rights_digest (rights));
  g_assert_true (kt_rights_scope (same) == kt_rights_scope (rights));
  g_assert_cmpint (kt_rights_sight (same, "contact", "phone"), ==, KT_SIGHT_MASKED);
  /* Who comes to the unit does not change the scope of people whose roles do not look at units. */
  g_assert_null (strstr (kt_rights_json (plain), "000000000002"));
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_assert_null (kt_rights_from_json (wrong[i], -1, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      g_clear_error (&error);
    }
}

static void
test_malformed (void)
{
  static const struct
  {
    const char *scope, *fields, *says;
  } table[] = {
    { "{\"contact\":{\"read\":\"some\"}}", "{}", "“read” must be" },
    { "{\"contact\":{\"create\":\"own\"}}", "{}", "“create” must be" },
    { "{\"contact\":{\"steal\":\"own\"}}", "{}", "“steal” must be" },
    { "{\"contact\":{\"reports\":\"yes\"}}", "{}", "“reports” must be" },
    { "{\"contact\":\"all\"}", "{}", "“scope” must be" },
    { "{}", "{\"contact\":{\"phone\":{\"read\":\"half\"}}}", "“phone” must be" },
    { "{}", "{\"contact\":{\"phone\":\"no\"}}", "“phone” must be" },
    { "{}", "{\"contact\":{\"nose\":{\"read\":\"no\"}}}", "no field “nose”" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (KtRecord) role = role_of (table[i].scope, table[i].fields, FALSE);
      g_autoptr (GError) error = NULL;

      g_assert_false (kt_role_check (role, &error));
      g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, "Role “R”"));
      if (strstr (error->message, table[i].says) == NULL)
        g_error ("%s", error->message);
    }
}

/* ---- the default roles, as design/roles.md has them ---- */

static KtRecord *
seed_role (const char *name)
{
  const KtJson *records = kt_json_get (seed, "records");

  for (guint i = 0; i < kt_json_length (records); i++)
    {
      const KtJson *fields = kt_json_get (kt_json_at (records, i), "fields");
      g_autofree char *json = NULL;

      if (strcmp (kt_json_get_string (kt_json_at (records, i), "object", ""), "role") != 0
          || strcmp (kt_json_get_string (fields, "name", ""), name) != 0)
        continue;
      json = kt_json_to_string (fields, TRUE);
      return record_of ("role", 91, json);
    }
  g_error ("there is no role %s", name);
}

static void
test_defaults (void)
{
  static const struct
  {
    const char *role, *object;
    KtLevel read, create, edit, delete, export;
  } table[] = {
    { NULL, "knowledge_article", KT_LEVEL_ALL, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO },
    { NULL, "product", KT_LEVEL_ALL, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO },
    { NULL, "task", KT_LEVEL_OWN, KT_LEVEL_ALL, KT_LEVEL_OWN, KT_LEVEL_OWN, KT_LEVEL_NO },
    { NULL, "account", KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO },
    { NULL, "sync_conflict", KT_LEVEL_OWN, KT_LEVEL_NO, KT_LEVEL_OWN, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Sales rep", "account", KT_LEVEL_TEAM, KT_LEVEL_ALL, KT_LEVEL_OWN, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Sales rep", "contact", KT_LEVEL_TEAM, KT_LEVEL_ALL, KT_LEVEL_OWN, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Sales rep", "opportunity", KT_LEVEL_TEAM, KT_LEVEL_ALL, KT_LEVEL_OWN, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Sales rep", "line_item", KT_LEVEL_TEAM, KT_LEVEL_ALL, KT_LEVEL_OWN, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Sales manager", "opportunity", KT_LEVEL_TEAM, KT_LEVEL_ALL, KT_LEVEL_TEAM, KT_LEVEL_TEAM, KT_LEVEL_TEAM },
    { "Support agent", "case", KT_LEVEL_TEAM, KT_LEVEL_ALL, KT_LEVEL_TEAM, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Support agent", "account", KT_LEVEL_ALL, KT_LEVEL_ALL, KT_LEVEL_TEAM, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Support agent", "knowledge_article", KT_LEVEL_ALL, KT_LEVEL_ALL, KT_LEVEL_OWN, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Marketing", "campaign", KT_LEVEL_ALL, KT_LEVEL_ALL, KT_LEVEL_ALL, KT_LEVEL_ALL, KT_LEVEL_ALL },
    { "Marketing", "contact", KT_LEVEL_ALL, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Finance", "order", KT_LEVEL_ALL, KT_LEVEL_ALL, KT_LEVEL_ALL, KT_LEVEL_ALL, KT_LEVEL_ALL },
    { "Finance", "contact", KT_LEVEL_ALL, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO },
    { "Analyst", "opportunity", KT_LEVEL_ALL, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO, KT_LEVEL_NO },
  };
  g_autoptr (KtRights) manager = rights_of (seed_role ("Baseline"), seed_role ("Sales manager"), NULL);
  g_autoptr (KtRights) marketing = rights_of (seed_role ("Baseline"), seed_role ("Marketing"), NULL);
  g_autoptr (KtRights) analyst = rights_of (seed_role ("Baseline"), seed_role ("Analyst"), NULL);
  const KtJson *records = kt_json_get (seed, "records");

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (KtRights) rights =
        rights_of (seed_role ("Baseline"),
                   table[i].role != NULL ? seed_role (table[i].role) : NULL, NULL);
      const struct
      {
        KtMay action;
        KtLevel level;
      } levels[] = { { KT_MAY_READ, table[i].read },
                     { KT_MAY_CREATE, table[i].create },
                     { KT_MAY_EDIT, table[i].edit },
                     { KT_MAY_DELETE, table[i].delete },
                     { KT_MAY_EXPORT, table[i].export } };

      for (guint k = 0; k < G_N_ELEMENTS (levels); k++)
        if (kt_rights_level (rights, table[i].object, levels[k].action) != levels[k].level)
          g_error ("%s, %s: action %d is %d", table[i].role, table[i].object, levels[k].action,
                   kt_rights_level (rights, table[i].object, levels[k].action));
    }
  g_assert_true (kt_rights_reports (manager, "opportunity"));
  g_assert_cmpint (kt_rights_special (manager, "approve"), ==, KT_LEVEL_ALL);
  g_assert_cmpint (kt_rights_special (manager, "assignment"), ==, KT_LEVEL_TEAM);
  g_assert_cmpint (kt_rights_sight (marketing, "contact", "phone"), ==, KT_SIGHT_MASKED);
  g_assert_cmpint (kt_rights_sight (marketing, "contact", "email"), ==, KT_SIGHT_CLEAR);
  g_assert_cmpint (kt_rights_sight (analyst, "contact", "email"), ==, KT_SIGHT_MASKED);
  /* Every one of them has the form that is asked of others. */
  for (guint i = 0; i < kt_json_length (records); i++)
    {
      const KtJson *fields = kt_json_get (kt_json_at (records, i), "fields");
      g_autoptr (KtRecord) role = NULL;
      g_autoptr (GError) error = NULL;

      if (strcmp (kt_json_get_string (kt_json_at (records, i), "object", ""), "role") != 0)
        continue;
      role = seed_role (kt_json_get_string (fields, "name", ""));
      kt_role_check (role, &error);
      g_assert_no_error (error);
    }
}

/* ---- records ---- */

static char *
tokens_of (const KtRecord *record, const KtObject *parent_object, const KtAudience *parent)
{
  g_autoptr (KtAudience) audience = kt_audience_of (record, parent_object, parent);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < audience->tokens->len; i++)
    {
      g_autofree char *token =
        kt_token_string (&g_array_index (audience->tokens, KtToken, i), schema);
      g_auto (GStrv) halves = g_strsplit (token, ":", 2);

      /* The last two digits say who. */
      g_string_append_printf (text, "%s%s%s", i > 0 ? " " : "", halves[0],
                              halves[1] != NULL ? halves[1] + strlen (halves[1]) - 2 : "");
    }
  return g_string_free (text, FALSE);
}

static void
test_tokens (void)
{
  const KtObject *account = kt_schema_object (schema, "account");
  g_autoptr (KtRecord) owned = record_of (
    "account", 40,
    "{\"owner\":" UUID ("02") ",\"created_by\":" UUID ("03") ",\"teams\":[" UUID ("21") "," UUID (
      "22") "],\"collaborators\":[" UUID ("04") "],\"followers\":[" UUID ("05") "]}");
  g_autoptr (KtRecord) nobodys = record_of ("account", 41, "{\"created_by\":" UUID ("03") "}");
  g_autoptr (KtRecord) user = record_of ("user", 42, "{\"created_by\":" UUID ("03") "}");
  g_autoptr (KtRecord) note = record_of ("note", 43, "{\"owner\":" UUID ("06") "}");
  g_autoptr (KtRecord) mail = record_of ("email", 44, "{\"owner\":" UUID ("06") "}");
  g_autoptr (KtRecord) private_mail = record_of (
    "email", 45, "{\"owner\":" UUID ("06") ",\"is_private\":true,\"teams\":[" UUID ("21") "]}");
  g_autoptr (KtRecord) team_mail =
    record_of ("email", 46, "{\"owner\":" UUID ("06") ",\"shared_with\":\"team\"}");
  g_autoptr (KtRecord) item = record_of (
    "sync_conflict", 47, "{\"assigned_to\":" UUID ("07") ",\"created_by\":" UUID ("03") "}");
  g_autoptr (KtAudience) parent = kt_audience_of (owned, NULL, NULL);
  struct
  {
    const KtRecord *record;
    gboolean with_parent;
    const char *tokens;
  } table[] = {
    { owned, FALSE, "account/c04 account/o02 account/t21 account/t22" },
    { nobodys, FALSE, "account/o03" },
    { user, FALSE, "" },
    { note, FALSE, "note/o06" },
    { note, TRUE, "account/all account/c04 account/o02 account/t21 account/t22 note/o06" },
    { mail, FALSE, "email/all email/o06" },
    { private_mail, TRUE, "email/c06" },
    { team_mail, TRUE, "email/all email/o06" },
    { item, FALSE, "sync_conflict/c07" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *tokens =
        tokens_of (table[i].record, table[i].with_parent ? account : NULL,
                   table[i].with_parent ? parent : NULL);
      g_auto (GStrv) want = g_strsplit (table[i].tokens, " ", 0);
      g_auto (GStrv) have = g_strsplit (tokens, " ", 0);

      g_assert_cmpuint (g_strv_length (want), ==, g_strv_length (have));
      for (guint k = 0; want[k] != NULL; k++)
        if (!g_strv_contains ((const char *const *) have, want[k]))
          g_error ("%u: %s", i, tokens);
    }
  g_assert_cmpstr (kt_audience_parent_field (kt_schema_object (schema, "attendee"))->name, ==, "meeting");
  g_assert_cmpstr (kt_audience_parent_field (kt_schema_object (schema, "line_item"))->name, ==, "parent");
  g_assert_cmpstr (kt_audience_parent_field (kt_schema_object (schema, "file"))->name, ==, "parent");
  g_assert_null (kt_audience_parent_field (account));
  g_assert_null (kt_audience_parent_field (kt_schema_object (schema, "sync_conflict")));
}

/* Each level × action × whose it is, asked of the record and, the same, of its tokens. */
static void
test_may (void)
{
  static const char *const levels[] = { "no", "own", "team", "unit", "all" };
  static const struct
  {
    const char *record;
    const char *reading, *writing; /* levels, by their first letter */
  } table[] = {
    { "{\"owner\":" UUID ("01") "}", "otua", "otua" },
    { "{\"created_by\":" UUID ("01") "}", "otua", "otua" },
    { "{\"owner\":" UUID ("09") ",\"created_by\":" UUID ("01") "}", "a", "a" },
    { "{\"owner\":" UUID ("09") ",\"teams\":[" UUID ("15") "]}", "tua", "tua" },
    { "{\"owner\":" UUID ("02") "}", "ua", "ua" },
    { "{\"owner\":" UUID ("09") ",\"collaborators\":[" UUID ("01") "]}", "otua", "a" },
    { "{\"owner\":" UUID ("09") "}", "a", "a" },
  };
  static const KtMay actions[] = { KT_MAY_READ,   KT_MAY_STREAM, KT_MAY_EDIT,
                                   KT_MAY_DELETE, KT_MAY_EXPORT, KT_MAY_MASS_EDIT, KT_MAY_SHARE };
  const KtObject *account = kt_schema_object (schema, "account");

  for (guint l = 0; l < G_N_ELEMENTS (levels); l++)
    {
      g_autofree char *scope = g_strdup_printf (
        "{\"account\":{\"read\":\"%1$s\",\"stream\":\"%1$s\",\"edit\":\"%1$s\",\"delete\":\"%1$s\","
        "\"export\":\"%1$s\",\"mass_edit\":\"%1$s\",\"share\":\"%1$s\"}}",
        levels[l]);
      g_autoptr (KtRights) rights = rights_of (role_of (scope, "{}", FALSE), NULL);
      g_autoptr (KtSubscriptions) subscriptions = kt_subscriptions_new (rights, schema);
      KtAccess access = access_of (rights);

      for (guint r = 0; r < G_N_ELEMENTS (table); r++)
        {
          g_autoptr (KtRecord) record = record_of ("account", 50, table[r].record);
          g_autoptr (KtAudience) audience = kt_audience_of (record, NULL, NULL);

          for (guint a = 0; a < G_N_ELEMENTS (actions); a++)
            {
              gboolean reading = actions[a] == KT_MAY_READ || actions[a] == KT_MAY_STREAM;
              gboolean want =
                levels[l][0] != 'n'
                && strchr (reading ? table[r].reading : table[r].writing, levels[l][0]) != NULL;
              g_autofree char *reason = NULL;

              if (kt_access_may_in (&access, actions[a], account, record, audience, "en", &reason)
                  != want)
                g_error ("%s: record %u, action %u", levels[l], r, a);
              g_assert_true ((reason == NULL) == want);
            }
          g_assert_true (kt_subscriptions_meet (subscriptions, account, audience)
                         == (levels[l][0] != 'n' && strchr (table[r].reading, levels[l][0]) != NULL));
        }
    }
}

static void
test_words (void)
{
  g_autoptr (KtRights) rights = rights_of (
    role_of ("{\"account\":{\"read\":\"team\",\"edit\":\"own\"}}",
             "{\"account\":{\"phone\":{\"edit\":\"no\"}}}", FALSE),
    NULL);
  KtAccess access = access_of (rights);
  const KtObject *account = kt_schema_object (schema, "account");
  g_autoptr (KtRecord) theirs = record_of ("account", 60, "{\"owner\":" UUID ("09") "}");
  g_autoptr (KtRecord) stranger = record_of ("user", 9, "{\"name\":\"Eve\"}");
  g_autofree char *level = NULL;
  g_autofree char *chinese = NULL;
  g_autofree char *never = NULL;
  g_autofree char *config = NULL;
  g_autofree char *assign = NULL;

  g_assert_false (kt_access_may (&access, KT_MAY_EDIT, account, theirs, "en", &level));
  g_assert_cmpstr (level, ==, "Your roles let you change only Accounts of your own");
  g_assert_false (kt_access_may (&access, KT_MAY_EDIT, account, theirs, "zh_CN", &chinese));
  g_assert_cmpstr (chinese, ==, "您的角色只能更改自己负责的客户");
  g_assert_false (kt_access_may (&access, KT_MAY_CREATE, account, NULL, "en", &never));
  g_assert_cmpstr (never, ==, "Your roles do not let you create Accounts");
  g_assert_false (kt_access_may (&access, KT_MAY_EDIT, kt_schema_object (schema, "role"), NULL, "en", &config));
  g_assert_cmpstr (config, ==, "Only an administrator may change Roles");
  g_assert_false (kt_access_may_assign (&access, stranger, "en", &assign));
  g_assert_cmpstr (assign, ==, "Your roles do not let you give records to Eve");
  g_assert_false (kt_access_field_edit (&access, kt_object_field (account, "phone")));
}

static void
test_masks (void)
{
  static const struct
  {
    const char *object, *field, *json, *masked;
  } table[] = {
    { "contact", "phone", "\"13800001234\"", "\"138****1234\"" },
    { "contact", "phone", "\"12345678\"", "\"12****678\"" },
    { "contact", "phone", "\"123\"", "\"1****\"" },
    { "contact", "phone", "\"1\"", "\"****\"" },
    { "contact", "last_name", "\"诸葛孔明先生\"", "\"诸葛****先生\"" },
    { "contact", "email", "\"jane@acme.example\"", "\"j****@acme.example\"" },
    { "contact", "address", "{\"street\":\"Main 1\",\"city\":\"Kiel\",\"country\":\"DE\"}",
      "{\"city\":\"Kiel\",\"country\":\"DE\"}" },
    { "contact", "address", "{\"street\":\"Main 1\"}", "null" },
    { "opportunity", "amount", "{\"amount\":\"5\",\"currency\":\"EUR\"}", "null" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      const KtField *field =
        kt_object_field (kt_schema_object (schema, table[i].object), table[i].field);
      g_autoptr (KtJson) json = kt_json_parse (table[i].json, -1, NULL);
      g_auto (KtValue) value = KT_VALUE_INIT;
      g_auto (KtValue) masked = KT_VALUE_INIT;
      g_autofree char *text = NULL;

      g_assert_nonnull (field);
      g_assert_true (kt_value_load_json (field, json, &value, NULL));
      kt_access_mask (field, &value, &masked);
      text = kt_value_to_string (&masked);
      g_assert_cmpstr (text, ==, table[i].masked);
    }
}

/* A review item quotes other records: what of them is hidden is not quoted. */
static void
test_quotes (void)
{
  g_autoptr (KtRights) rights = rights_of (
    role_of ("{\"sync_conflict\":{\"read\":\"own\"},\"contact\":{\"read\":\"all\"}}",
             "{\"contact\":{\"phone\":{\"read\":\"mask\"}}}", FALSE),
    NULL);
  KtAccess access = access_of (rights);
  g_autoptr (KtRecord) field = record_of (
    "sync_conflict", 70, "{\"object\":\"contact\",\"field\":\"phone\",\"mine\":\"1\",\"theirs\":\"2\"}");
  g_autoptr (KtRecord) other = record_of (
    "sync_conflict", 71,
    "{\"object\":\"contact\",\"theirs\":{\"phone\":\"2\",\"last_name\":\"Li\"},\"mutation\":{\"number\":1,\"ops\":[{\"op\":\"update\","
    "\"object\":\"contact\",\"fields\":{\"phone\":[null,\"1\"],\"last_name\":[null,\"Li\"]}}]}}");
  g_autofree char *theirs = NULL;
  g_autofree char *mutation = NULL;

  kt_access_cut (&access, field);
  g_assert_true (kt_value_is_null (kt_record_get (field, "mine")));
  g_assert_true (kt_value_is_null (kt_record_get (field, "theirs")));
  kt_access_cut (&access, other);
  theirs = kt_value_to_string (kt_record_get (other, "theirs"));
  mutation = kt_value_to_string (kt_record_get (other, "mutation"));
  g_assert_cmpstr (theirs, ==, "{\"last_name\":\"Li\"}");
  g_assert_null (strstr (mutation, "phone"));
  g_assert_nonnull (strstr (mutation, "\"last_name\":[null,\"Li\"]"));
  g_assert_nonnull (strstr (mutation, "\"op\":\"update\""));
}

int
main (int argc, char **argv)
{
  g_autofree char *dir = NULL;
  g_autofree char *file = NULL;
  g_autoptr (GError) error = NULL;
  int code;

  g_test_init (&argc, &argv, NULL);
  dir = g_build_filename (g_getenv ("KONTOR_DATADIR"), "schema", NULL);
  file = g_build_filename (dir, "seed.json", NULL);
  schema = kt_schema_load_dir (dir, &error);
  g_assert_no_error (error);
  seed = kt_json_parse_file (file, 16 * 1024 * 1024, &error);
  g_assert_no_error (error);

  g_test_add_func ("/access/P8-several-roles", test_several);
  g_test_add_func ("/access/document", test_document);
  g_test_add_func ("/access/malformed", test_malformed);
  g_test_add_func ("/access/default-roles", test_defaults);
  g_test_add_func ("/access/tokens", test_tokens);
  g_test_add_func ("/access/P8-levels", test_may);
  g_test_add_func ("/access/words", test_words);
  g_test_add_func ("/access/masks", test_masks);
  g_test_add_func ("/access/quotes", test_quotes);
  code = g_test_run ();
  kt_json_unref (seed);
  kt_schema_unref (schema);
  return code;
}
