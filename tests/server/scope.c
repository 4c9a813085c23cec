/* SPDX-License-Identifier: GPL-3.0-or-later */

/* P8: a device holds what its user may read, and hears of nothing else. docs/decisions/scope.md, line by line. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"

#define LEVELS(level)                                                                              \
  "{\"read\":\"" level "\",\"create\":\"yes\",\"edit\":\"" level "\",\"delete\":\"" level          \
  "\",\"stream\":\"" level "\",\"share\":\"" level "\"}"
#define READS(level)                                                                               \
  "{\"read\":\"" level "\",\"create\":\"yes\",\"edit\":\"own\",\"delete\":\"no\",\"stream\":\"" level "\"}"

/* A workspace with people: rep (what is tested), boss, mate (of rep's team), unit (of rep's unit), other; ada administers. */
typedef struct
{
  Fixture *fixture;
  Device *ada, *rep, *mate;
  char *mate_id, *unit_id, *junior_id, *other_id;
} Firm;

static void
role (Firm *firm, const char *name, const char *json)
{
  g_autoptr (GError) error = NULL;

  kt_core_role_set (firm->fixture->core, name, json, NULL, &error);
  g_assert_no_error (error);
}

/* The role of rep, by its scope. */
static void
scope (Firm *firm, const char *scope_json)
{
  g_autofree char *json =
    g_strdup_printf ("{\"scope\":%s,\"special\":{\"assignment\":\"team\"},\"fields\":{}}", scope_json);

  role (firm, "Tested", json);
}

static void
set (Firm *firm, const char *name, const char *assignment)
{
  const char *assignments[] = { assignment, NULL };
  g_autoptr (GError) error = NULL;

  kt_core_user_set (firm->fixture->core, name, assignments, NULL, NULL, &error);
  g_assert_no_error (error);
}

static void
team (Firm *firm, const char *name, const char *team_name)
{
  const char *teams[] = { team_name, NULL };
  g_autoptr (GError) error = NULL;

  kt_core_user_set (firm->fixture->core, name, NULL, NULL, teams, &error);
  g_assert_no_error (error);
}

static char *
person (Firm *firm, const char *name, const char *role_name, const char *team_name)
{
  const char *roles[] = { role_name, NULL };
  const char *teams[] = { team_name, NULL };
  g_autoptr (GError) error = NULL;
  KtId id;

  kt_core_user_add (firm->fixture->core, name, "secret", roles, team_name != NULL ? teams : NULL, &id,
                    &error);
  g_assert_no_error (error);
  return kt_id_to_string (&id);
}

static void
firm_begin (Firm *firm, gconstpointer data)
{
  static const char *const people[] = { "rep", "mate", "unit", "junior", "other" };

  firm->fixture = fixture_new ();
  scope (firm, "{\"account\":" LEVELS ("own") ",\"contact\":" LEVELS ("own") "}");
  g_free (person (firm, "rep", "Tested", "West"));
  firm->mate_id = person (firm, "mate", "Everything", "West");
  firm->unit_id = person (firm, "unit", "Everything", "East");
  firm->junior_id = person (firm, "junior", "Everything", "East");
  firm->other_id = person (firm, "other", "Everything", "East");
  /* Otherwise each record is of its owner's team as well. */
  for (guint i = 0; i < G_N_ELEMENTS (people); i++)
    set (firm, people[i], "default_team=");
  firm->ada = device_new (firm->fixture, "ada");
  firm->rep = device_new (firm->fixture, "rep");
  firm->mate = device_new (firm->fixture, "mate");
}

static void
firm_end (Firm *firm, gconstpointer data)
{
  assert_sound (firm->fixture);
  device_free (firm->ada);
  device_free (firm->rep);
  device_free (firm->mate);
  g_free (firm->mate_id);
  g_free (firm->unit_id);
  g_free (firm->junior_id);
  g_free (firm->other_id);
  fixture_free (firm->fixture);
}

/* An account of @owner (id), without a team. */
static char *
account_of (Firm *firm, const char *name, const char *owner)
{
  g_autofree char *fields = g_strdup_printf (
    "\"name\":[null,\"%s\"],\"owner\":[null,\"%s\"],\"teams\":[null,[]]", name, owner);
  char *id = create (firm->ada, "account", fields);

  pull (firm->ada, 0);
  return id;
}

static char *
team_id (Firm *firm, const char *name)
{
  g_autofree char *sql = g_strdup_printf ("SELECT id FROM o_team WHERE f_name = '%s'", name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (kt_core_db (firm->fixture->core), sql, NULL);
  KtId id;

  g_assert_cmpint (kt_stmt_step (stmt, NULL), ==, KT_STEP_ROW);
  g_assert_true (kt_stmt_id (stmt, 0, &id));
  return kt_id_to_string (&id);
}

static KtOutcome
change (Device *device, const char *object, const char *id, gint64 base, const char *fields)
{
  g_autofree char *op = op_update (object, id, base, fields);

  return push_outcome (device, op);
}

static gint64
base_of (Firm *firm, const char *object, const char *id)
{
  pull (firm->ada, 0);
  return rev (firm->ada, object, id);
}

/* As ada, who may. */
static void
edit (Firm *firm, const char *object, const char *id, const char *fields)
{
  gint64 base = base_of (firm, object, id);

  g_assert_cmpint (change (firm->ada, object, id, base, fields), ==, KT_OUTCOME_APPLIED);
  pull (firm->ada, 0);
}

static void
give (Firm *firm, const char *object, const char *id, const char *owner)
{
  g_autofree char *old = NULL;
  g_autofree char *fields = NULL;

  pull (firm->ada, 0);
  old = value (firm->ada, object, id, "owner");
  fields = g_strdup_printf ("\"owner\":[%s,\"%s\"]", old, owner);
  edit (firm, object, id, fields);
}

/* How many pairs of "gone" the next pull brings. */
static guint
gone_in_pull (Device *device)
{
  guint gone = 0;
  gboolean more = TRUE;

  while (more)
    {
      g_autofree char *query =
        device->cursor != NULL ? g_strdup_printf ("cursor=%s", device->cursor) : NULL;
      g_autoptr (KtReply) reply =
        ask (device->fixture, KT_ENDPOINT_PULL, device->token, query, NULL);
      g_autoptr (KtPage) page = kt_page_open (kt_core_schema (device->fixture->core),
                                              g_steal_pointer (&reply->body), NULL);
      KtPageEvent event;

      while ((event = kt_page_next (page, NULL)) != KT_PAGE_END)
        gone += event == KT_PAGE_GONE;
      more = pull_page (device, 0, NULL);
    }
  return gone;
}

/* ---- who reads what ---- */

static void
test_levels (Firm *firm, gconstpointer data)
{
  static const struct
  {
    const char *scope;
    const char *sees;    /* o own · t team · u unit · j junior's · c collaborator · x somebody else's */
    const char *changes; /* edit and delete */
  } table[] = {
    { "{\"account\":" LEVELS ("no") "}", "", "" },
    { "{\"account\":" LEVELS ("own") "}", "oc", "o" },
    { "{\"account\":{\"read\":\"own\",\"create\":\"yes\",\"edit\":\"own\",\"delete\":\"own\",\"reports\":true}}", "ojc", "oj" },
    { "{\"account\":" LEVELS ("team") "}", "otc", "ot" },
    { "{\"account\":{\"read\":\"team\",\"create\":\"yes\",\"edit\":\"own\",\"delete\":\"no\"}}", "otc", "o-" },
    { "{\"account\":" LEVELS ("unit") "}", "otuc", "otu" },
    { "{\"account\":" LEVELS ("all") "}", "otujcx", "otujcx" },
  };
  static const char kinds[] = "otujcx";
  char *ids[sizeof kinds] = { NULL };
  g_autofree char *west = team_id (firm, "West");
  g_autofree char *unit = create (firm->ada, "business_unit", "\"name\":[null,\"North\"]");
  g_autofree char *in_unit = g_strdup_printf ("business_unit=%s", unit);
  g_autofree char *below = g_strdup_printf ("manager=%s", firm->rep->user);
  g_autofree char *teams = g_strdup_printf ("\"teams\":[null,[\"%s\"]]", west);
  g_autofree char *collaborators =
    g_strdup_printf ("\"collaborators\":[null,[\"%s\"]]", firm->rep->user);

  set (firm, "rep", in_unit);
  set (firm, "unit", in_unit);
  set (firm, "junior", below);
  ids[0] = account_of (firm, "own", firm->rep->user);
  ids[1] = account_of (firm, "team", firm->other_id);
  edit (firm, "account", ids[1], teams);
  ids[2] = account_of (firm, "unit", firm->unit_id);
  ids[3] = account_of (firm, "junior", firm->junior_id);
  ids[4] = account_of (firm, "shared", firm->other_id);
  edit (firm, "account", ids[4], collaborators);
  ids[5] = account_of (firm, "strange", firm->other_id);

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (Device) fresh = device_new (firm->fixture, "rep");

      g_test_message ("%s", table[i].scope);
      scope (firm, table[i].scope);
      pull (firm->rep, 0);
      pull (fresh, 3);
      for (guint k = 0; kinds[k] != '\0'; k++)
        {
          gboolean sees = strchr (table[i].sees, kinds[k]) != NULL;
          gint64 base = base_of (firm, "account", ids[k]);
          g_autofree char *text = value (firm->ada, "account", ids[k], "website");
          g_autofree char *fields = g_strdup_printf ("\"website\":[%s,\"%u.example\"]", text, i * 10 + k);
          KtOutcome outcome = change (firm->rep, "account", ids[k], base, fields);

          g_assert_true ((have (firm->rep, "account", ids[k]) != NULL) == sees);
          g_assert_true ((have (fresh, "account", ids[k]) != NULL) == sees);
          /* What was never allowed is refused; what was allowed by an earlier role waits. */
          if (strchr (table[i].changes, kinds[k]) != NULL)
            g_assert_cmpint (outcome, ==, KT_OUTCOME_APPLIED);
          else
            g_assert_cmpint (outcome, >=, KT_OUTCOME_REVIEW);
        }
    }
  for (guint k = 0; k < G_N_ELEMENTS (ids); k++)
    g_free (ids[k]);
}

/* Several roles: the most permissive; the baseline under them; of the team too. */
static void
test_several_roles (Firm *firm, gconstpointer data)
{
  static const char *const both[] = { "Tested", "Second", NULL };
  g_autofree char *id = account_of (firm, "strange", firm->other_id);
  g_autofree char *task = NULL;
  g_autoptr (GError) error = NULL;

  role (firm, "Second", "{\"scope\":{\"account\":{\"read\":\"all\"}}}");
  pull (firm->rep, 0);
  g_assert_null (have (firm->rep, "account", id));
  kt_core_user_set (firm->fixture->core, "rep", NULL, both, NULL, &error);
  g_assert_no_error (error);
  pull (firm->rep, 0);
  g_assert_nonnull (have (firm->rep, "account", id));
  /* Nothing but the baseline speaks of tasks: one's own. */
  task = create (firm->rep, "task", "\"subject\":[null,\"Call\"]");
  g_assert_cmpint (change (firm->rep, "account", id, base_of (firm, "account", id),
                           "\"website\":[null,\"x.example\"]"),
                   ==, KT_OUTCOME_REFUSED);
  pull (firm->rep, 0);
  g_assert_nonnull (have (firm->rep, "task", task));
  pull (firm->mate, 0);
}

/* ---- records that come and go ---- */

static void
test_owner_changes (Firm *firm, gconstpointer data)
{
  g_autofree char *mine = account_of (firm, "mine", firm->rep->user);
  g_autofree char *theirs = account_of (firm, "theirs", firm->other_id);

  pull (firm->rep, 0);
  g_assert_nonnull (have (firm->rep, "account", mine));
  g_assert_null (have (firm->rep, "account", theirs));

  give (firm, "account", mine, firm->other_id);
  give (firm, "account", theirs, firm->rep->user);
  g_assert_cmpuint (gone_in_pull (firm->rep), ==, 1);
  g_assert_null (have (firm->rep, "account", mine));
  g_assert_nonnull (have (firm->rep, "account", theirs));

  /* Nothing is told of what was never there, nor of what came and went meanwhile. */
  edit (firm, "account", mine, "\"website\":[null,\"a.example\"]");
  give (firm, "account", mine, firm->rep->user);
  give (firm, "account", mine, firm->mate_id);
  g_assert_cmpuint (gone_in_pull (firm->rep), ==, 0);

  /* What went and was changed again in a later page goes too. */
  give (firm, "account", theirs, firm->other_id);
  for (guint i = 0; i < 4; i++)
    {
      g_autofree char *from = value (firm->ada, "account", theirs, "website");
      g_autofree char *fields = g_strdup_printf ("\"website\":[%s,\"%u.example\"]", from, i);

      edit (firm, "account", theirs, fields);
    }
  pull (firm->rep, 1);
  g_assert_null (have (firm->rep, "account", theirs));
}

/* Edits that do not say who sees a record leave its audience alone. */
static void
test_nothing_written (Firm *firm, gconstpointer data)
{
  g_autofree char *id = account_of (firm, "mine", firm->rep->user);
  gint64 before, sum;

  before = count_sql (firm->fixture, "SELECT sum(since) FROM kt_audience");
  edit (firm, "account", id, "\"website\":[null,\"a.example\"]");
  sum = count_sql (firm->fixture, "SELECT sum(since) FROM kt_audience");
  g_assert_cmpint (sum, ==, before);
  g_assert_cmpint (count_sql (firm->fixture, "SELECT count(*) FROM kt_lost"), ==, 0);
}

/* ---- parents ---- */

static void
test_children (Firm *firm, gconstpointer data)
{
  g_autofree char *account = account_of (firm, "mine", firm->other_id);
  g_autofree char *contact = create (firm->ada, "contact", "\"last_name\":[null,\"Li\"]");
  g_autofree char *link = g_strdup_printf ("\"account\":[null,\"%s\"],\"contact\":[null,\"%s\"]",
                                           account, contact);
  g_autofree char *said = g_strdup_printf (
    "\"body\":[null,\"Hello\"],\"parent\":[null,{\"object\":\"account\",\"id\":\"%s\"}]", account);
  g_autofree char *junction = create (firm->ada, "account_contact", link);
  g_autofree char *note = create (firm->ada, "note", said);
  g_autofree char *attached = g_strdup_printf (
    "\"name\":[null,\"a.pdf\"],\"sha256\":[null,\"%064d\"],\"parent\":[null,{\"object\":\"note\",\"id\":\"%s\"}]",
    1, note);
  g_autofree char *file = create (firm->ada, "file", attached);

  scope (firm, "{\"account\":" LEVELS ("own") ",\"account_contact\":" LEVELS ("own") "}");
  pull (firm->rep, 0);
  g_assert_null (have (firm->rep, "note", note));
  give (firm, "account", account, firm->rep->user);
  pull (firm->rep, 0);
  g_assert_nonnull (have (firm->rep, "account", account));
  g_assert_nonnull (have (firm->rep, "account_contact", junction));
  g_assert_nonnull (have (firm->rep, "note", note));
  g_assert_nonnull (have (firm->rep, "file", file));
  /* A part of something is its owner's to change; somebody else's note is not. */
  g_assert_cmpint (change (firm->rep, "account_contact", junction,
                           base_of (firm, "account_contact", junction), "\"role\":[null,\"CEO\"]"),
                   ==, KT_OUTCOME_APPLIED);
  g_assert_cmpint (
    change (firm->rep, "note", note, base_of (firm, "note", note), "\"body\":[\"Hello\",\"Bye\"]"), ==,
    KT_OUTCOME_REFUSED);

  give (firm, "account", account, firm->other_id);
  g_assert_cmpuint (gone_in_pull (firm->rep), ==, 4);
  g_assert_null (have (firm->rep, "file", file));
}

static void
test_private (Firm *firm, gconstpointer data)
{
  g_autofree char *account = account_of (firm, "ours", firm->rep->user);
  g_autofree char *fields = g_strdup_printf (
    "\"subject\":[null,\"Salary\"],\"owner\":[null,\"%s\"],\"is_private\":[null,true],"
    "\"shared_with\":[null,\"record_readers\"],"
    "\"parent\":[null,{\"object\":\"account\",\"id\":\"%s\"}]",
    firm->other_id, account);
  g_autofree char *mail = create (firm->ada, "email", fields);
  g_autofree char *shared = g_strdup_printf ("\"collaborators\":[null,[\"%s\"]]", firm->rep->user);

  scope (firm, "{\"account\":" LEVELS ("own") ",\"email\":" LEVELS ("all") "}");
  pull (firm->rep, 0);
  g_assert_null (have (firm->rep, "email", mail));
  edit (firm, "email", mail, shared);
  pull (firm->rep, 0);
  g_assert_nonnull (have (firm->rep, "email", mail));
  edit (firm, "email", mail, "\"is_private\":[true,false]");
  pull (firm->rep, 0);
  g_assert_nonnull (have (firm->rep, "email", mail));
  edit (firm, "email", mail, "\"is_private\":[false,true]");
  g_clear_pointer (&fields, g_free);
  fields = g_strdup_printf ("\"collaborators\":[[\"%s\"],null]", firm->rep->user);
  edit (firm, "email", mail, fields);
  pull (firm->rep, 0);
  g_assert_null (have (firm->rep, "email", mail));
}

/* ---- roles that change ---- */

static void
test_roles_change (Firm *firm, gconstpointer data)
{
  g_autoptr (GPtrArray) ids = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *own = account_of (firm, "own", firm->rep->user);

  for (guint i = 0; i < 30; i++)
    g_ptr_array_add (ids, account_of (firm, "strange", firm->other_id));
  pull (firm->rep, 0);
  g_assert_null (have (firm->rep, "account", ids->pdata[0]));

  /* 30 records enter, 7 a page. */
  scope (firm, "{\"account\":" LEVELS ("all") "}");
  g_assert_cmpuint (pull (firm->rep, 7), ==, 31); /* and the role */
  for (guint i = 0; i < ids->len; i++)
    g_assert_nonnull (have (firm->rep, "account", ids->pdata[i]));
  assert_equal (firm->rep);

  /* Two changes in a row come to nothing. */
  scope (firm, "{\"account\":" LEVELS ("own") "}");
  scope (firm, "{\"account\":" LEVELS ("all") "}");
  g_assert_cmpuint (pull (firm->rep, 7), ==, 1); /* the role */
  assert_equal (firm->rep);

  /* They leave, and on the way roles change back: what has left comes again. */
  scope (firm, "{\"account\":" LEVELS ("own") "}");
  g_assert_true (pull_page (firm->rep, 7, NULL));
  g_assert_true (pull_page (firm->rep, 7, NULL));
  g_assert_null (have (firm->rep, "account", ids->pdata[0]));
  g_assert_nonnull (have (firm->rep, "account", ids->pdata[29]));
  scope (firm, "{\"account\":" LEVELS ("all") "}");
  give (firm, "account", ids->pdata[20], firm->mate_id);
  pull (firm->rep, 7);
  for (guint i = 0; i < ids->len; i++)
    g_assert_nonnull (have (firm->rep, "account", ids->pdata[i]));
  assert_equal (firm->rep);

  /* They leave, while one becomes the user's own and another is changed. */
  scope (firm, "{\"account\":" LEVELS ("own") "}");
  g_assert_true (pull_page (firm->rep, 7, NULL));
  give (firm, "account", ids->pdata[1], firm->rep->user);
  give (firm, "account", ids->pdata[25], firm->rep->user);
  edit (firm, "account", ids->pdata[26], "\"website\":[null,\"x.example\"]");
  pull (firm->rep, 7);
  g_assert_nonnull (have (firm->rep, "account", own));
  g_assert_nonnull (have (firm->rep, "account", ids->pdata[1]));
  g_assert_nonnull (have (firm->rep, "account", ids->pdata[25]));
  g_assert_null (have (firm->rep, "account", ids->pdata[26]));
  g_assert_null (have (firm->rep, "account", ids->pdata[29]));
  assert_equal (firm->rep);

  /* A whole object goes with its level, and nothing else does. */
  scope (firm, "{}");
  pull (firm->rep, 0);
  g_assert_null (have (firm->rep, "account", own));
  assert_equal (firm->rep);
}

/* Roles change while a first pull is under way. */
static void
test_first_pull (Firm *firm, gconstpointer data)
{
  g_autoptr (Device) fresh = device_new (firm->fixture, "rep");
  g_autoptr (GPtrArray) ids = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *own = account_of (firm, "own", firm->rep->user);
  guint pages = 0;

  for (guint i = 0; i < 30; i++)
    g_ptr_array_add (ids, account_of (firm, "strange", firm->other_id));
  scope (firm, "{\"account\":" LEVELS ("all") "}");
  while (have (fresh, "account", ids->pdata[9]) == NULL && pages++ < 1000)
    g_assert_true (pull_page (fresh, 5, NULL));
  scope (firm, "{\"account\":" LEVELS ("own") ",\"contact\":" LEVELS ("own") "}");
  pull (fresh, 5);
  g_assert_nonnull (have (fresh, "account", own));
  for (guint i = 0; i < ids->len; i++)
    g_assert_null (have (fresh, "account", ids->pdata[i]));
  assert_equal (fresh);
}

/* A team that somebody joins or leaves; a person who moves. */
static void
test_teams_change (Firm *firm, gconstpointer data)
{
  g_autofree char *id = account_of (firm, "team", firm->other_id);
  g_autofree char *east = team_id (firm, "East");
  g_autofree char *teams = g_strdup_printf ("\"teams\":[null,[\"%s\"]]", east);

  scope (firm, "{\"account\":" LEVELS ("team") "}");
  edit (firm, "account", id, teams);
  pull (firm->rep, 0);
  g_assert_null (have (firm->rep, "account", id));
  team (firm, "rep", "East");
  pull (firm->rep, 0);
  g_assert_nonnull (have (firm->rep, "account", id));
  team (firm, "rep", "West");
  g_assert_cmpuint (gone_in_pull (firm->rep), ==, 1);
  g_assert_null (have (firm->rep, "account", id));
}

static void
damage (KtDb *db, const char *scope_json, gint64 roles)
{
  kt_db_run (db, NULL, "UPDATE o_role SET f_scope = ?1 WHERE f_name = 'Tested'", KT_BIND_TEXT,
             scope_json, KT_BIND_END);
  kt_db_run (db, NULL, "UPDATE kt_meta SET number = ?1 WHERE key = 'roles'", KT_BIND_INT, roles,
             KT_BIND_END);
}

/* 53: who may see what cannot be worked out: an error, and nothing leaves. */
static void
test_broken_role (Firm *firm, gconstpointer data)
{
  g_autofree char *id = account_of (firm, "own", firm->rep->user);
  KtDb *db = kt_core_db (firm->fixture->core);
  g_autofree char *query = NULL;
  g_autofree char *whole = NULL;
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) error = NULL;

  pull (firm->rep, 0);
  query = g_strdup_printf ("cursor=%s", firm->rep->cursor);
  /* Such a role is not accepted, so the damage is done behind the server's back. */
  g_assert_false (kt_core_role_set (firm->fixture->core, "Tested",
                                    "{\"scope\":{\"account\":{\"read\":\"some\"}}}", NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  kt_db_get_text (db, &whole, NULL, "SELECT f_scope FROM o_role WHERE f_name = 'Tested'", KT_BIND_END);
  damage (db, "{\"account\":{\"read\":\"some\"}}", 999998);
  g_test_expect_message ("kt-server", G_LOG_LEVEL_WARNING, "*roles cannot be worked out*“Tested”*");
  reply = ask (firm->fixture, KT_ENDPOINT_PULL, firm->rep->token, query, NULL);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (reply->status, ==, 500);
  /* Somebody else has other roles, and an administrator can mend it. */
  pull (firm->mate, 0);
  pull (firm->ada, 0);
  damage (db, whole, 999999);
  g_assert_cmpuint (gone_in_pull (firm->rep), ==, 0);
  g_assert_nonnull (have (firm->rep, "account", id));
}

/* ---- fields ---- */

static void
fields (Firm *firm, const char *object, const char *level, const char *fields_json)
{
  g_autofree char *json = g_strdup_printf (
    "{\"scope\":{\"%s\":{\"read\":\"%s\",\"create\":\"yes\",\"edit\":\"own\",\"stream\":\"all\"}},\"fields\":%s}",
    object, level, fields_json);

  role (firm, "Tested", json);
}

/* What a device does with the access document: what is hidden goes. */
static void
obey_access (Device *device)
{
  g_autoptr (KtReply) reply =
    ask (device->fixture, KT_ENDPOINT_ACCESS, device->token, NULL, NULL);
  gsize len;
  const char *text = g_bytes_get_data (reply->body, &len);
  g_autoptr (KtRights) rights = kt_rights_from_json (text, (gssize) len, NULL);
  GHashTableIter iter;
  gpointer record;

  g_assert_cmpuint (reply->status, ==, 200);
  g_assert_cmpstr (reply->etag, ==, kt_rights_digest (rights));
  g_hash_table_iter_init (&iter, device->records);
  while (g_hash_table_iter_next (&iter, NULL, &record))
    {
      KtRecord *one = record;

      for (guint i = 0; i < one->object->n_fields; i++)
        if (kt_rights_sight (rights, one->object->name, one->object->fields[i]->name)
            == KT_SIGHT_HIDDEN)
          kt_value_clear (&one->values[i]);
    }
}

static void
test_fields (Firm *firm, gconstpointer data)
{
  g_autofree char *id =
    create (firm->ada, "contact",
            "\"last_name\":[null,\"Li\"],\"phone\":[null,\"13800001234\"],\"job_title\":[null,\"Chair\"],"
            "\"email\":[null,\"jane.li@acme.example\"]");
  g_autofree char *query = g_strdup_printf ("object=contact&id=%s", id);
  g_autoptr (KtReply) history = NULL;
  g_autofree char *said = NULL;

  fields (firm, "contact", "all", "{}");
  pull (firm->rep, 0);
  assert_value (firm->rep, "contact", id, "phone", "\"13800001234\"");

  fields (firm, "contact", "all",
          "{\"contact\":{\"phone\":{\"read\":\"mask\"},\"email\":{\"read\":\"mask\"},\"job_title\":{\"read\":\"no\"}}}");
  pull (firm->rep, 0);
  obey_access (firm->rep);
  assert_value (firm->rep, "contact", id, "phone", "\"138****1234\"");
  assert_value (firm->rep, "contact", id, "email", "\"j****@acme.example\"");
  assert_value (firm->rep, "contact", id, "job_title", "null");
  assert_equal (firm->rep);
  history = ask (firm->fixture, KT_ENDPOINT_HISTORY, firm->rep->token, query, NULL);
  g_assert_cmpuint (history->status, ==, 200);
  said = g_strndup (g_bytes_get_data (history->body, NULL), g_bytes_get_size (history->body));
  g_assert_null (strstr (said, "job_title"));
  g_assert_null (strstr (said, "13800001234"));
  g_assert_nonnull (strstr (said, "138****1234"));

  /* It comes back with its rows, and nothing else does. */
  fields (firm, "contact", "all", "{\"contact\":{\"phone\":{\"edit\":\"no\"}}}");
  g_assert_cmpuint (pull (firm->rep, 0), ==, 2); /* and the role */
  assert_value (firm->rep, "contact", id, "job_title", "\"Chair\"");
  assert_value (firm->rep, "contact", id, "phone", "\"13800001234\"");
  assert_equal (firm->rep);
}

/* What may not be edited is refused; 57: what a form fills in by itself, and what it could not ask for, is nobody's fault. */
static void
test_field_edits (Firm *firm, gconstpointer data)
{
  g_autofree char *id = NULL;
  g_autofree char *op = NULL;
  g_autofree char *other = new_id (firm->fixture);

  fields (firm, "contact", "own",
          "{\"contact\":{\"phone\":{\"edit\":\"no\"},\"job_title\":{\"read\":\"no\"},\"last_name\":{\"read\":\"no\"}}}");
  pull (firm->rep, 0);
  id = create (firm->rep, "contact", "\"first_name\":[null,\"Wei\"]");
  pull (firm->rep, 0);
  assert_value (firm->rep, "contact", id, "first_name", "\"Wei\"");
  g_assert_cmpint (change (firm->rep, "contact", id, rev (firm->rep, "contact", id),
                           "\"phone\":[null,\"1\"]"),
                   ==, KT_OUTCOME_REFUSED);
  g_assert_cmpint (change (firm->rep, "contact", id, rev (firm->rep, "contact", id),
                           "\"job_title\":[null,\"Chair\"]"),
                   ==, KT_OUTCOME_REFUSED);
  op = op_create ("contact", other, "\"first_name\":[null,\"An\"],\"job_title\":[null,\"Chair\"]");
  g_assert_cmpint (push_outcome (firm->rep, op), ==, KT_OUTCOME_REFUSED);
  pull (firm->ada, 0);
  g_assert_null (have (firm->ada, "contact", other));
}

/* ---- writing ---- */

/* 49: my own edit moves it out of my sight: it is done, it leaves, and I am told. */
static void
test_moves_out (Firm *firm, gconstpointer data)
{
  g_autofree char *id = account_of (firm, "mine", firm->rep->user);
  g_autofree char *fields_json =
    g_strdup_printf ("\"owner\":[\"%s\",\"%s\"]", firm->rep->user, firm->mate_id);
  g_autofree char *op = NULL;
  KtVerdict verdict;

  pull (firm->rep, 0);
  op = op_update ("account", id, rev (firm->rep, "account", id), fields_json);
  verdict = push (firm->rep, op);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_APPLIED);
  g_assert_nonnull (verdict.message);
  g_assert_nonnull (strstr (verdict.message, "mine"));
  kt_verdict_clear (&verdict);
  pull (firm->rep, 0);
  g_assert_null (have (firm->rep, "account", id));
}

static void
test_giving (Firm *firm, gconstpointer data)
{
  static const struct
  {
    const char *assignment;
    gboolean mate, other;
  } table[] = { { "no", FALSE, FALSE }, { "team", TRUE, FALSE }, { "all", TRUE, TRUE } };
  g_autofree char *east = team_id (firm, "East");

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *json = g_strdup_printf (
        "{\"scope\":{\"account\":" LEVELS ("own") "},\"special\":{\"assignment\":\"%s\"}}",
        table[i].assignment);
      const char *people[] = { firm->mate_id, firm->other_id };
      gboolean may[] = { table[i].mate, table[i].other };
      g_autofree char *teams = NULL;
      g_autofree char *mine = NULL;

      role (firm, "Tested", json);
      for (guint k = 0; k < 2; k++)
        {
          g_autofree char *id = account_of (firm, "mine", firm->rep->user);
          g_autofree char *fresh = new_id (firm->fixture);
          g_autofree char *owner =
            g_strdup_printf ("\"owner\":[\"%s\",\"%s\"]", firm->rep->user, people[k]);
          g_autofree char *of_another =
            g_strdup_printf ("\"name\":[null,\"New\"],\"owner\":[null,\"%s\"]", people[k]);
          g_autofree char *made = op_create ("account", fresh, of_another);

          g_assert_true ((change (firm->rep, "account", id, base_of (firm, "account", id), owner)
                          == KT_OUTCOME_APPLIED)
                         == may[k]);
          g_assert_true ((push_outcome (firm->rep, made) == KT_OUTCOME_APPLIED) == may[k]);
        }
      mine = account_of (firm, "mine", firm->rep->user);
      teams = g_strdup_printf ("\"teams\":[null,[\"%s\"]]", east);
      g_assert_true ((change (firm->rep, "account", mine, base_of (firm, "account", mine), teams)
                      == KT_OUTCOME_APPLIED)
                     == table[i].other);
    }
}

/* 48: rights are gone and an edit comes late: it waits, whole, for the owner. */
static void
test_escrow (Firm *firm, gconstpointer data)
{
  g_autofree char *id = account_of (firm, "Acme", firm->rep->user);
  g_autofree char *fresh = new_id (firm->fixture);
  g_autofree char *op = NULL;
  g_autofree char *made = op_create ("contact", fresh, "\"last_name\":[null,\"Li\"]");
  g_autofree char *both = NULL;
  g_autofree char *said = NULL;
  g_autofree char *held = NULL;
  g_autoptr (GPtrArray) open = NULL;
  const KtRecord *item;
  KtVerdict verdict;

  pull (firm->rep, 0);
  op = op_update ("account", id, rev (firm->rep, "account", id), "\"website\":[null,\"late.example\"]");
  both = g_strdup_printf ("%s,%s", op, made);
  give (firm, "account", id, firm->mate_id);
  verdict = push (firm->rep, both);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_REVIEW);
  g_assert_nonnull (verdict.message);
  kt_verdict_clear (&verdict);

  /* Nothing of it is applied. */
  pull (firm->ada, 0);
  assert_value (firm->ada, "account", id, "website", "null");
  g_assert_null (have (firm->ada, "contact", fresh));
  pull (firm->mate, 0);
  open = reviews (firm->mate);
  g_assert_cmpuint (open->len, ==, 1);
  item = open->pdata[0];
  g_assert_cmpstr (kt_record_text (item, "kind"), ==, "scope");
  held = kt_value_to_string (kt_record_get (item, "mutation"));
  g_assert_nonnull (strstr (held, "late.example"));
  g_assert_nonnull (strstr (held, fresh));
  said = kt_value_to_string (kt_record_get (item, "mine_by"));
  g_assert_nonnull (strstr (said, firm->rep->user));
  /* It is nobody's but the owner's and the administrator's to look at. */
  pull (firm->rep, 0);
  {
    g_autoptr (GPtrArray) mine = reviews (firm->rep);

    g_assert_cmpuint (mine->len, ==, 0);
  }

  /* Asked for: without trying. Nobody owns it: an administrator. */
  {
    g_autofree char *members = g_strdup_printf (
      "\"at\":\"2026-05-28T08:00:00.000Z\",\"origin\":\"client\",\"escrow\":true,\"ops\":[%s]", made);
    g_autoptr (GPtrArray) asked = NULL;

    verdict = push_full (firm->rep, members);
    g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_REVIEW);
    kt_verdict_clear (&verdict);
    pull (firm->ada, 0);
    asked = reviews (firm->ada);
    g_assert_cmpuint (asked->len, ==, 2);
  }
}

/* What was never the author's to change does not come to its owner as a question. */
static void
test_never_allowed (Firm *firm, gconstpointer data)
{
  g_autofree char *id = account_of (firm, "Acme", firm->other_id);
  g_autofree char *op = NULL;
  KtVerdict verdict;

  pull (firm->rep, 0);
  op = op_update ("account", id, base_of (firm, "account", id), "\"website\":[null,\"x.example\"]");
  verdict = push (firm->rep, op);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_REFUSED);
  g_assert_cmpstr (verdict.code, ==, "forbidden");
  g_assert_nonnull (strstr (verdict.message, "of your own"));
  kt_verdict_clear (&verdict);
  op = (g_free (op), op_create ("lead", id, "\"last_name\":[null,\"x\"]"));
  verdict = push (firm->rep, op);
  g_assert_cmpint (verdict.outcome, ==, KT_OUTCOME_REFUSED);
  kt_verdict_clear (&verdict);
}

/* An account that is not to be seen is not to be found by its history or its attachments either. */
static void
test_other_ways (Firm *firm, gconstpointer data)
{
  g_autofree char *id = account_of (firm, "Acme", firm->other_id);
  g_autofree char *sha = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "secret", -1);
  g_autofree char *fields_json = g_strdup_printf (
    "\"name\":[null,\"a\"],\"sha256\":[null,\"%s\"],\"parent\":[null,{\"object\":\"account\",\"id\":\"%s\"}]",
    sha, id);
  g_autofree char *file = create (firm->ada, "file", fields_json);
  g_autofree char *query = g_strdup_printf ("object=account&id=%s", id);
  g_autoptr (KtReply) history = NULL;

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (KtRequest) get = kt_request_new (KT_ENDPOINT_BLOB_GET);
      g_autoptr (KtReply) reply = NULL;
      g_autofree char *code = NULL;

      get->token = g_strdup (firm->rep->token);
      get->rest = g_strdup (sha);
      get->range_start = -1;
      reply = kt_core_handle (firm->fixture->core, get);
      g_assert_cmpuint (reply->status, ==, 404);
      code = g_strndup (g_bytes_get_data (reply->body, NULL), g_bytes_get_size (reply->body));
      /* The content was never sent: the words tell whether it was looked for. */
      g_assert_true ((strstr (code, "not arrived") != NULL) == (i == 1));
      g_clear_pointer (&history, kt_reply_free);
      history = ask (firm->fixture, KT_ENDPOINT_HISTORY, firm->rep->token, query, NULL);
      g_assert_cmpuint (history->status, ==, i == 0 ? 404 : 200);
      if (i == 0)
        give (firm, "account", id, firm->rep->user);
    }
  pull (firm->rep, 0);
  g_assert_nonnull (have (firm->rep, "file", file));
}

/* The document: its digest in the answer to login and in every page. */
static void
test_document (Firm *firm, gconstpointer data)
{
  g_autoptr (KtReply) reply = ask (firm->fixture, KT_ENDPOINT_ACCESS, firm->rep->token, NULL, NULL);
  g_autoptr (KtRequest) again = kt_request_new (KT_ENDPOINT_ACCESS);
  g_autoptr (KtReply) page = ask (firm->fixture, KT_ENDPOINT_PULL, firm->rep->token, NULL, NULL);
  g_autoptr (KtReply) unchanged = NULL;
  g_autofree char *head = NULL;
  g_autofree char *named = g_strdup_printf ("\"access\":\"%s\"", reply->etag);

  g_assert_cmpuint (reply->status, ==, 200);
  head = g_strndup (g_bytes_get_data (page->body, NULL), 400);
  g_assert_nonnull (strstr (head, named));
  again->token = g_strdup (firm->rep->token);
  again->etag = g_strdup (reply->etag);
  again->range_start = -1;
  unchanged = kt_core_handle (firm->fixture->core, again);
  g_assert_cmpuint (unchanged->status, ==, 304);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
#define ADD(path, func) g_test_add ("/server/scope/" path, Firm, NULL, firm_begin, func, firm_end)
  ADD ("P8-levels", test_levels);
  ADD ("P8-several-roles", test_several_roles);
  ADD ("P8-50-owner-changes", test_owner_changes);
  ADD ("nothing-written", test_nothing_written);
  ADD ("P8-children", test_children);
  ADD ("P8-private", test_private);
  ADD ("P8-roles-change", test_roles_change);
  ADD ("P8-first-pull", test_first_pull);
  ADD ("P8-teams-change", test_teams_change);
  ADD ("53-broken-role", test_broken_role);
  ADD ("P8-fields", test_fields);
  ADD ("57-field-edits", test_field_edits);
  ADD ("49-moves-out", test_moves_out);
  ADD ("giving", test_giving);
  ADD ("48-escrow", test_escrow);
  ADD ("never-allowed", test_never_allowed);
  ADD ("P8-other-ways", test_other_ways);
  ADD ("document", test_document);
#undef ADD
  return g_test_run ();
}
