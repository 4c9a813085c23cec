/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"
#include "store/kt-pending.h"

/* The outbox: order, numbers, refusals, undo. */

/* Pulls one account in. */
static KtRecord *
given_account (Fix *fix, gint64 rev, const char *name)
{
  KtRecord *record = fix_record (fix, "account", NULL, rev, "name", name, NULL);

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, rev, "c", NULL }, record, NULL));
  return record;
}

static guint
count_of (const char *text, const char *what)
{
  guint n = 0;

  for (const char *p = text; p != NULL && (p = strstr (p, what)) != NULL; p += strlen (what))
    n++;
  return n;
}

/* Numbers run without gaps in the order of sending, over restarts, and are never given twice. */
static void
test_numbers (Fix *fix, gconstpointer data)
{
  for (gint64 i = 1; i <= 5; i++)
    {
      g_autofree char *sent = NULL;
      g_autofree char *expected = g_strdup_printf ("\"number\":%" G_GINT64_FORMAT ",", i);

      fix_create (fix, "account", NULL, "name", "A", NULL);
      sent = fix_take (fix);
      g_assert_nonnull (strstr (sent, expected));
      g_assert_cmpuint (count_of (sent, "\"number\":"), ==, 1);
      fix_settle (fix, i, KT_OUTCOME_APPLIED, 1);
      fix_reopen (fix);
    }
  g_assert_null (fix_take (fix));
}

/* Small bites: what does not fit stays unnumbered. */
static void
test_take_bounds (Fix *fix, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) one = NULL;
  g_autoptr (GBytes) again = NULL;
  g_autoptr (GBytes) two = NULL;

  for (guint i = 0; i < 5; i++)
    fix_create (fix, "account", NULL, "name", "A", NULL);
  one = kt_local_outbox_take (fix->local, 10, 1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox WHERE number IS NOT NULL"), ==,
                   1);
  again = kt_local_outbox_take (fix->local, 1, 1 << 20, &error);
  g_assert_true (g_bytes_equal (one, again));
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 1);
  two = kt_local_outbox_take (fix->local, 2, 1 << 20, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox WHERE state=1"), ==, 2);
  g_assert_cmpint (fix_count (fix, "SELECT max(number) FROM kt_outbox"), ==, 3);
}

/* 5: killed after numbering and before sending: the same is sent again, nothing blocks. */
static void
test_sent_again_after_restart (Fix *fix, gconstpointer data)
{
  g_autofree char *sent = NULL;
  g_autofree char *again = NULL;

  fix_create (fix, "account", NULL, "name", "A", NULL);
  sent = fix_take (fix);
  fix_reopen (fix);
  again = fix_take (fix);
  g_assert_cmpstr (sent, ==, again);
}

/* P12, 14: one refused; its dependents wait, everything else goes on. */
static void
test_refused_parks (Fix *fix, gconstpointer data)
{
  g_autofree char *sent = NULL;
  g_autofree char *then = NULL;
  g_autofree char *rest = NULL;
  g_autoptr (GPtrArray) entries = NULL;
  g_autofree char *link = NULL;
  g_autofree char *id_text = NULL;
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;
  KtId account, other;
  gint64 parked = fix_create (fix, "account", &account, "name", "Bad", NULL);
  gint64 edit, child, free_one;

  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_REFUSED, 0);
  g_assert_cmpint (fix_state (fix, parked), ==, KT_OUTBOX_PARKED);

  edit = fix_set (fix, "account", &account, "phone", "123456");
  id_text = kt_id_to_string (&account);
  child = fix_create (fix, "contact", NULL, "last_name", "Kid", "account", id_text, NULL);
  free_one = fix_create (fix, "account", &other, "name", "Good", NULL);
  then = fix_take (fix);
  g_assert_cmpuint (count_of (then, "\"number\":"), ==, 1);
  g_assert_nonnull (strstr (then, "Good"));
  g_assert_cmpint (fix_state (fix, edit), ==, KT_OUTBOX_QUEUED);
  g_assert_cmpint (fix_state (fix, child), ==, KT_OUTBOX_QUEUED);
  g_assert_cmpint (fix_number (fix, free_one), ==, 2);
  entries = kt_local_outbox (fix->local, 0, &error);
  g_assert_cmpstr (((KtOutboxEntry *) entries->pdata[0])->reason, ==, "Not like this");
  g_assert_cmpstr (((KtOutboxEntry *) entries->pdata[1])->reason_code, ==, "waiting");
  assert_text (fix, "account", &account, "name", "Bad");
  fix_check (fix);

  /* 15: it is not sent again by itself. */
  fix_settle (fix, 2, KT_OUTCOME_APPLIED, 1);
  g_assert_null (fix_take (fix));

  /* Edited and tried again: under a new number, and what waited follows in order. */
  kt_local_retry (fix->local, parked, &changes, &error);
  g_assert_no_error (error);
  rest = fix_take (fix);
  g_assert_cmpuint (count_of (rest, "\"number\":"), ==, 3);
  g_assert_true (strstr (rest, "Bad") < strstr (rest, "123456"));
  g_assert_cmpint (fix_number (fix, parked), ==, 3);
}

/* P2: what is given up is kept, and the server's version shows again. */
static void
test_discard (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = given_account (fix, 2, "Acme");
  g_autofree char *sent = NULL;
  g_autofree char *then = NULL;
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;
  gint64 no = fix_set (fix, "account", &server->id, "name", "Acme 1");
  gint64 later;

  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_REFUSED, 0);
  later = fix_set (fix, "account", &server->id, "name", "Acme 2");
  g_assert_null (fix_take (fix));
  kt_local_discard (fix->local, no, &changes, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_kept WHERE json LIKE '%Acme 1%'"), ==,
                   1);
  assert_text (fix, "account", &server->id, "name", "Acme 2");
  /* The later edit was never made against what the server has refused. */
  then = fix_take (fix);
  g_assert_nonnull (strstr (then, "\"name\":[\"Acme\",\"Acme 2\"]"));
  g_assert_cmpint (fix_number (fix, later), ==, 2);

  g_assert_false (kt_local_discard (fix->local, later, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
}

/* A refused edit and the one that took it back: with the first given up, the second is no change and is not sent. */
static void
test_discard_taken_back (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = given_account (fix, 2, "Acme");
  g_autoptr (KtRecord) theirs = fix_with (fix, server, 3, "name", "Theirs", NULL);
  g_autofree char *sent = NULL;
  g_autofree char *then = NULL;
  g_autoptr (GError) error = NULL;
  gint64 no = fix_set (fix, "account", &server->id, "name", "Acme 1");
  gint64 third;

  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_REFUSED, 0);
  fix_set (fix, "account", &server->id, "name", "Acme");
  third = fix_set (fix, "account", &server->id, "name", "Acme 3");
  kt_local_discard (fix->local, no, NULL, &error);
  g_assert_no_error (error);
  then = fix_take (fix);
  g_assert_cmpuint (count_of (then, "\"number\":"), ==, 1);
  g_assert_nonnull (strstr (then, "\"name\":[\"Acme\",\"Acme 3\"]"));
  g_assert_cmpint (fix_number (fix, third), ==, 2);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 3, "c3", NULL }, theirs, NULL));
  assert_text (fix, "account", &server->id, "name", "Acme 3");
}

static void
test_discard_creation (Fix *fix, gconstpointer data)
{
  g_autofree char *sent = NULL;
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;
  KtId id;
  gint64 no = fix_create (fix, "account", &id, "name", "Bad", NULL);
  gint64 later;

  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_REFUSED, 0);
  later = fix_set (fix, "account", &id, "name", "Worse");
  g_assert_false (kt_local_discard (fix->local, no, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
  g_assert_nonnull (strstr (error->message, "Worse"));
  g_clear_error (&error);
  kt_local_undo (fix->local, later, NULL, &error);
  g_assert_no_error (error);
  kt_local_discard (fix->local, no, &changes, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (changes->records->len, ==, 1);
  g_assert_cmpint (g_array_index (changes->records, KtRecordChange, 0).kind, ==, KT_CHANGE_GONE);
  g_assert_false (fix_has (fix, "account", &id));
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_shadow"), ==, 0);
}

/* A later edit of the same field reached the server: the refused one must not come to light again. */
static void
test_refused_does_not_resurface (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = given_account (fix, 2, "Acme");
  g_autoptr (KtRecord) after = NULL;
  g_autofree char *sent = NULL;

  fix_set (fix, "account", &server->id, "name", "Refused");
  fix_set (fix, "account", &server->id, "name", "Accepted");
  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_REFUSED, 0);
  fix_settle (fix, 2, KT_OUTCOME_APPLIED, 3);
  assert_text (fix, "account", &server->id, "name", "Accepted");
  after = fix_with (fix, server, 3, "name", "Accepted", NULL);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 3, "c3", NULL }, after, NULL));
  assert_text (fix, "account", &server->id, "name", "Accepted");
}

/* Undo before sending leaves no trace; afterwards it is refused and an opposite is made instead. */
static void
test_undo (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = given_account (fix, 2, "Acme");
  g_autofree char *sent = NULL;
  g_autoptr (KtChangeSet) changes = NULL;
  g_autoptr (GError) error = NULL;
  KtId id;
  gint64 no = fix_set (fix, "account", &server->id, "name", "Oops");
  gint64 created;

  kt_local_undo (fix->local, no, &changes, &error);
  g_assert_no_error (error);
  assert_text (fix, "account", &server->id, "name", "Acme");
  assert_text (fix, "account", &server->id, "modified_at", NULL);
  g_assert_cmpuint (fix_waiting (fix), ==, 0);
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_shadow"), ==, 0);

  created = fix_create (fix, "account", &id, "name", "New", NULL);
  kt_local_undo (fix->local, created, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (fix_has (fix, "account", &id));

  no = fix_delete (fix, "account", &server->id);
  sent = fix_take (fix);
  g_assert_false (kt_local_undo (fix->local, no, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
}

static void
test_undo_dependents (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = given_account (fix, 2, "Acme");
  g_autofree char *id_text = NULL;
  g_autoptr (GError) error = NULL;
  KtId id;
  gint64 first = fix_set (fix, "account", &server->id, "name", "One");
  gint64 other = fix_set (fix, "account", &server->id, "phone", "123456");
  gint64 second = fix_set (fix, "account", &server->id, "name", "Two");
  gint64 parent, child;

  g_assert_false (kt_local_undo (fix->local, first, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
  g_assert_nonnull (strstr (error->message, "Two"));
  g_clear_error (&error);
  kt_local_undo (fix->local, other, NULL, &error);
  g_assert_no_error (error);
  assert_text (fix, "account", &server->id, "phone", NULL);
  assert_text (fix, "account", &server->id, "name", "Two");
  kt_local_undo (fix->local, second, NULL, &error);
  g_assert_no_error (error);
  kt_local_undo (fix->local, first, NULL, &error);
  g_assert_no_error (error);
  assert_text (fix, "account", &server->id, "name", "Acme");

  parent = fix_create (fix, "account", &id, "name", "Parent", NULL);
  id_text = kt_id_to_string (&id);
  child = fix_create (fix, "contact", NULL, "last_name", "Kid", "account", id_text, NULL);
  g_assert_false (kt_local_undo (fix->local, parent, NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
  g_clear_error (&error);
  kt_local_undo (fix->local, child, NULL, &error);
  kt_local_undo (fix->local, parent, NULL, &error);
  g_assert_no_error (error);
}

static void
commit_ok (Fix *fix, KtMutation *mutation)
{
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (mutation);
  kt_local_commit (fix->local, mutation, NULL, NULL, &error);
  g_assert_no_error (error);
  kt_mutation_free (mutation);
}

/* The toast says "Undo" a second after everything has been settled. */
static void
test_inverse_after_settled (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = given_account (fix, 2, "Acme");
  g_autoptr (KtRecord) after = fix_with (fix, server, 3, "name", "Oops", "phone", "77777", NULL);
  g_autofree char *sent = NULL;
  g_autoptr (GError) error = NULL;
  gint64 no = fix_set (fix, "account", &server->id, "name", "Oops");
  KtMutation *inverse;

  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_APPLIED, 3);
  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 3, "c3", NULL }, after, NULL));
  g_assert_cmpint (fix_count (fix, "SELECT count(*) FROM kt_outbox"), ==, 0);
  inverse = kt_local_inverse (fix->local, no, &error);
  g_assert_no_error (error);
  commit_ok (fix, inverse);
  assert_text (fix, "account", &server->id, "name", "Acme");
  assert_text (fix, "account", &server->id, "phone", "77777");

  /* Somebody changed it since: left alone. */
  fix_set (fix, "account", &server->id, "name", "Third");
  inverse = kt_local_inverse (fix->local, no, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (inverse->ops->len, ==, 0);
  kt_mutation_free (inverse);
  g_assert_null (kt_local_inverse (fix->local, 999, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
}

/* A whole import is found again, waiting or gone. */
static void
test_batch (Fix *fix, gconstpointer data)
{
  const char *batch = "0190aaaa-0000-7000-8000-000000000001";
  g_autofree char *sent = NULL;
  g_autoptr (GArray) numbers = NULL;
  g_autoptr (GError) error = NULL;
  KtId ids[6];

  for (guint i = 0; i < 3; i++)
    {
      KtMutation *mutation = kt_mutation_new ("2026-02-03T04:05:06.000Z", "import");

      mutation->batch = g_strdup (batch);
      for (guint j = 0; j < 2; j++)
        {
          KtId *id = &ids[2 * i + j];
          g_autoptr (KtRecord) record = NULL;

          *id = kt_id_new (&fix->env);
          record = fix_record (fix, "account", id, 0, "name", "Imported", NULL);
          kt_mutation_add (mutation, KT_MUTATE_CREATE, record->object, id, 0,
                           kt_patch_diff (NULL, record));
        }
      commit_ok (fix, mutation);
    }
  sent = fix_take (fix);
  for (gint64 i = 1; i <= 2; i++)
    fix_settle (fix, i, KT_OUTCOME_APPLIED, 2);
  {
    g_autoptr (KtRecord) a = fix_record (fix, "account", &ids[0], 2, "name", "Imported", NULL);
    g_autoptr (KtRecord) b = fix_record (fix, "account", &ids[1], 2, "name", "Imported", NULL);
    g_autoptr (KtRecord) c = fix_record (fix, "account", &ids[2], 2, "name", "Imported", NULL);
    g_autoptr (KtRecord) d = fix_record (fix, "account", &ids[3], 2, "name", "Imported", NULL);

    kt_change_set_unref (
      fix_apply (fix, &(PageForm){ FALSE, FALSE, 2, "c", NULL }, a, b, c, d, NULL));
  }
  numbers = kt_local_batch (fix->local, batch, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (numbers->len, ==, 3);
  for (guint i = 0; i < numbers->len; i++)
    {
      KtMutation *inverse =
        kt_local_inverse (fix->local, g_array_index (numbers, gint64, i), &error);

      g_assert_no_error (error);
      g_assert_cmpuint (inverse->ops->len, ==, 2);
      commit_ok (fix, inverse);
    }
  for (guint i = 0; i < 6; i++)
    g_assert_false (fix_has (fix, "account", &ids[i]));
}

/* P6: base values are what the person saw, also when a pull has changed the record under the open form. */
static void
test_before_is_kept (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = given_account (fix, 2, "Acme");
  g_autoptr (KtRecord) theirs = fix_with (fix, server, 3, "name", "Theirs", "phone", "99999", NULL);
  g_autoptr (KtMutation) mutation = kt_mutation_new ("2026-02-03T04:05:07.000Z", "client");
  g_autoptr (GError) error = NULL;
  g_autofree char *sent = NULL;
  const KtField *field = server->object->title;
  g_auto (KtValue) mine = KT_VALUE_INIT;
  KtPatch *patch = kt_patch_new (server->object);

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 3, "c3", NULL }, theirs, NULL));
  kt_value_set_text (&mine, "Mine");
  kt_patch_set (patch, field, &server->values[field->index], &mine);
  kt_mutation_add (mutation, KT_MUTATE_UPDATE, server->object, &server->id, 2, patch);
  kt_local_commit (fix->local, mutation, NULL, NULL, &error);
  g_assert_no_error (error);
  assert_text (fix, "account", &server->id, "name", "Mine");
  assert_text (fix, "account", &server->id, "phone", "99999");
  sent = fix_take (fix);
  g_assert_nonnull (strstr (sent, "\"name\":[\"Acme\",\"Mine\"]"));
  g_assert_nonnull (strstr (sent, "\"base_rev\":2"));
}

static gboolean
try_commit (Fix *fix, KtMutation *mutation, GError **error)
{
  g_autoptr (KtMutation) own = mutation;

  return kt_local_commit (fix->local, own, NULL, NULL, error);
}

/* All or nothing, and in words. */
static void
test_rules (Fix *fix, gconstpointer data)
{
  KtMutation *mutation = kt_mutation_new ("2026-02-03T04:05:07.000Z", "client");
  g_autoptr (KtRecord) good = fix_record (fix, "account", NULL, 0, "name", "Good", NULL);
  g_autoptr (KtRecord) bad = fix_record (fix, "account", NULL, 0, "phone", "12345", NULL);
  g_autoptr (GError) error = NULL;
  KtId nobody = kt_id_new (&fix->env);

  kt_mutation_add (mutation, KT_MUTATE_CREATE, good->object, &good->id, 0,
                   kt_patch_diff (NULL, good));
  kt_mutation_add (mutation, KT_MUTATE_CREATE, bad->object, &bad->id, 0, kt_patch_diff (NULL, bad));
  g_assert_false (try_commit (fix, mutation, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (fix_has (fix, "account", &good->id));
  g_assert_cmpuint (fix_waiting (fix), ==, 0);

  mutation = kt_mutation_new ("2026-02-03T04:05:07.000Z", "client");
  kt_mutation_add (mutation, KT_MUTATE_DELETE, good->object, &nobody, 0, NULL);
  g_assert_false (try_commit (fix, mutation, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
  g_clear_error (&error);

  fix_create (fix, "account", &nobody, "name", "There", NULL);
  mutation = kt_mutation_new ("2026-02-03T04:05:07.000Z", "client");
  kt_mutation_add (mutation, KT_MUTATE_CREATE, good->object, &nobody, 0,
                   kt_patch_diff (NULL, good));
  g_assert_false (try_commit (fix, mutation, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_EXISTS);
}

/* What changes nothing is not sent. */
static void
test_nothing (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = given_account (fix, 2, "Acme");

  g_assert_cmpint (fix_set (fix, "account", &server->id, "name", "Acme"), ==, 0);
  g_assert_cmpuint (fix_waiting (fix), ==, 0);
}

static void
test_computed (Fix *fix, gconstpointer data)
{
  KtId id;

  fix_create (fix, "contact", &id, "first_name", "Ada", "last_name", "Lovelace", NULL);
  assert_text (fix, "contact", &id, "full_name", "Ada Lovelace");
  assert_text (fix, "contact", &id, "created_at", "2026-02-03T04:05:06.000Z");
  assert_text (fix, "contact", &id, "origin", "client");
  fix_set (fix, "contact", &id, "last_name", "Byron");
  assert_text (fix, "contact", &id, "full_name", "Ada Byron");
  assert_text (fix, "contact", &id, "modified_at", "2026-02-03T04:05:07.000Z");
}

static void
test_pending (Fix *fix, gconstpointer data)
{
  g_autofree char *sent = NULL;
  g_autoptr (GArray) pending = NULL;
  g_autoptr (GArray) one = NULL;
  g_autoptr (GError) error = NULL;
  gboolean more = TRUE;
  KtId parked, waiting;

  fix_create (fix, "account", &parked, "name", "A", NULL);
  sent = fix_take (fix);
  fix_settle (fix, 1, KT_OUTCOME_REFUSED, 0);
  fix_create (fix, "account", &waiting, "name", "B", NULL);
  fix_set (fix, "account", &waiting, "name", "C");
  pending = kt_local_pending (fix->local, 10, &more, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (pending->len, ==, 2);
  g_assert_false (more);
  g_assert_true (g_array_index (pending, KtPending, 0).parked);
  g_assert_true (kt_id_equal (&g_array_index (pending, KtPending, 1).id, &waiting));
  one = kt_local_pending (fix->local, 1, &more, &error);
  g_assert_cmpuint (one->len, ==, 1);
  g_assert_true (more);
}

/* 47, P6: the choice in the review queue takes effect at once and goes with the item's id. */
static void
test_resolve (Fix *fix, gconstpointer data)
{
  g_autoptr (KtRecord) server = given_account (fix, 2, "Theirs");
  g_autofree char *me = kt_id_to_string (&fix->me);
  g_autofree char *record = kt_id_to_string (&server->id);
  g_autofree char *link = g_strdup_printf ("account:%s", record);
  g_autoptr (KtRecord) item = fix_record (
    fix, "sync_conflict", NULL, 3, "kind", "field", "record", link, "object", "account", "field",
    "name", "mine", "\"Mine\"", "theirs", "\"Theirs\"", "assigned_to", me, "state", "open", NULL);
  KtOutboxCounts counts;
  g_autoptr (GError) error = NULL;
  g_autofree char *sent = NULL;
  KtMutation *mutation;

  kt_change_set_unref (fix_apply (fix, &(PageForm){ FALSE, FALSE, 3, "c3", NULL }, item, NULL));
  kt_local_outbox_counts (fix->local, &counts, &error);
  g_assert_no_error (error);
  g_assert_cmpint (counts.review, ==, 1);
  mutation = kt_local_resolve (fix->local, &item->id, "mine", NULL, &error);
  g_assert_no_error (error);
  commit_ok (fix, mutation);
  assert_text (fix, "account", &server->id, "name", "Mine");
  assert_text (fix, "sync_conflict", &item->id, "state", "kept_mine");
  kt_local_outbox_counts (fix->local, &counts, &error);
  g_assert_cmpint (counts.review, ==, 0);
  sent = fix_take (fix);
  g_assert_nonnull (strstr (sent, "\"resolution\":\"kept_mine\""));
  g_assert_null (strstr (sent, "sync_conflict"));
  g_assert_null (kt_local_resolve (fix->local, &item->id, "theirs", NULL, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_CONFLICT);
  fix_check (fix);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add (path, Fix, NULL, fix_set_up_ready, func, fix_tear_down)
  ADD ("/outbox/P3/numbers", test_numbers);
  ADD ("/outbox/take-bounds", test_take_bounds);
  ADD ("/outbox/5/sent-again-after-restart", test_sent_again_after_restart);
  ADD ("/outbox/P12/14/refused-parks", test_refused_parks);
  ADD ("/outbox/P2/discard", test_discard);
  ADD ("/outbox/P2/discard-taken-back", test_discard_taken_back);
  ADD ("/outbox/P2/discard-creation", test_discard_creation);
  ADD ("/outbox/refused-does-not-resurface", test_refused_does_not_resurface);
  ADD ("/outbox/undo", test_undo);
  ADD ("/outbox/undo-dependents", test_undo_dependents);
  ADD ("/outbox/inverse-after-settled", test_inverse_after_settled);
  ADD ("/outbox/batch", test_batch);
  ADD ("/outbox/P6/before-is-kept", test_before_is_kept);
  ADD ("/outbox/rules", test_rules);
  ADD ("/outbox/nothing", test_nothing);
  ADD ("/outbox/computed", test_computed);
  ADD ("/outbox/pending", test_pending);
  ADD ("/outbox/47/resolve", test_resolve);
  return g_test_run ();
}
