/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The editor: what was typed is never lost, and what is saved says what the person saw. */

#include "config.h"

#include "fixture.h"

#include <string.h>

#include "base/kt-error.h"
#include "model/kt-editor.h"
#include "model/kt-layout.h"

static guint n_fields_changed;
static const KtField *last_field;

static void
field_changed_cb (KtEditor *editor, const KtField *field, gpointer data)
{
  n_fields_changed++;
  last_field = field;
}

static KtEditor *
open_editor (Mod *mod, const char *object, const KtId *id)
{
  KtEditor *editor = kt_editor_open (mod->workspace, mod_object (mod, object), id);

  mod_wait_while (kt_editor_get_record (editor) == NULL && !kt_editor_get_gone (editor));
  n_fields_changed = 0;
  g_signal_connect (editor, "field-changed", G_CALLBACK (field_changed_cb), NULL);
  return editor;
}

static KtDone *
save (KtEditor *editor, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  kt_editor_save_async (editor, mod_result_cb, &result);
  return kt_editor_save_finish (editor, mod_await (&result), error);
}

static void
save_ok (KtEditor *editor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = save (editor, &error);

  g_assert_no_error (error);
  g_assert_nonnull (done);
}

#define assert_shown(editor, field, expected)                     \
  G_STMT_START                                                    \
  {                                                               \
    g_autofree char *shown_ = kt_editor_get_text (editor, field); \
    g_assert_cmpstr (shown_, ==, expected);                       \
  }                                                               \
  G_STMT_END
#define assert_stored(mod, object, id, field, expected)             \
  G_STMT_START                                                      \
  {                                                                 \
    g_autofree char *stored_ = mod_stored (mod, object, id, field); \
    g_assert_cmpstr (stored_, ==, expected);                        \
  }                                                                 \
  G_STMT_END

/* ---- edit and save ---- */

static void
test_save (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  const KtField *phone = mod_field (mod, "account", "phone");
  g_autoptr (KtEditor) editor = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autoptr (KtDone) nothing = NULL;
  g_autofree char *title = NULL;

  mod_pull (mod, account, NULL);
  editor = open_editor (mod, "account", &account->id);
  g_assert_false (kt_editor_get_dirty (editor));
  assert_shown (editor, phone, "");
  nothing = save (editor, &error);
  g_assert_no_error (error);
  g_assert_false (kt_done_can_undo (nothing));

  g_assert_true (kt_editor_set_text (editor, phone, "12345"));
  g_assert_true (kt_editor_get_dirty (editor));
  g_assert_true (kt_editor_is_touched (editor, phone));
  g_assert_cmpuint (n_fields_changed, ==, 1);
  g_assert_true (last_field == phone);
  assert_stored (mod, "account", &account->id, "phone", NULL);
  done = save (editor, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (kt_done_text (done), ==, "Set Phone of “Acme” to 12345");
  g_assert_false (kt_editor_get_dirty (editor));
  assert_shown (editor, phone, "12345");
  assert_stored (mod, "account", &account->id, "phone", "12345");
  mod_settle (mod);
  assert_shown (editor, phone, "12345");

  kt_editor_set_text (editor, mod_field (mod, "account", "name"), "Acme Ltd");
  g_object_get (editor, "title", &title, NULL);
  g_assert_cmpstr (title, ==, "Acme Ltd");
  /* Back to what it was is no edit. */
  kt_editor_set_text (editor, mod_field (mod, "account", "name"), "Acme");
  g_assert_false (kt_editor_get_dirty (editor));
}

static void
test_problem (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  const KtField *email = mod_field (mod, "account", "email");
  const KtField *name = mod_field (mod, "account", "name");
  g_autoptr (KtEditor) editor = NULL;
  g_autoptr (GError) error = NULL;

  mod_pull (mod, account, NULL);
  editor = open_editor (mod, "account", &account->id);
  g_assert_false (kt_editor_set_text (editor, email, "nobody at home"));
  assert_shown (editor, email, "nobody at home");
  g_assert_cmpstr (kt_editor_get_problem (editor, email), ==,
                   "This is not an e-mail address; write it as name@example.com");
  g_assert_null (save (editor, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  assert_shown (editor, email, "nobody at home");
  g_assert_true (kt_editor_set_text (editor, email, "ann@example.com"));
  g_assert_null (kt_editor_get_problem (editor, email));

  g_assert_null (kt_editor_get_problem (editor, name));
  g_assert_false (kt_editor_set_text (editor, name, ""));
  g_assert_cmpstr (kt_editor_get_problem (editor, name), ==, "This is needed");
  g_assert_null (save (editor, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  kt_editor_revert (editor, name);
  g_assert_null (kt_editor_get_problem (editor, name));
  assert_shown (editor, name, "Acme");
  save_ok (editor);
  assert_stored (mod, "account", &account->id, "email", "ann@example.com");
}

/* Text of an entry and back, for every type. */
static void
test_texts (Mod *mod, gconstpointer data)
{
  static const struct
  {
    const char *object, *field, *typed, *text;
  } cases[] = {
    { "opportunity", "amount", "twelve", NULL },
    { "opportunity", "amount", "1,200.50", "€1,200.50" },
    { "opportunity", "amount", "1200.5 USD", "$1,200.50" },
    { "opportunity", "probability", "12.5", "12.5%" },
    { "opportunity", "close_date", "2026/1/31", "2026-01-31" },
    { "task", "due", "2026-01-31 08:30", "2026-01-31 08:30" },
    { "task", "status", "Done", "Done" },
    { "account", "tags", "vip; old, grey", "old, grey; vip" },
    { "contact", "interests", "Sport; Travel", "Sport; Travel" },
    { "contact", "do_not_call", "yes", "Yes" },
    { "call", "duration_sec", "90 min", "1 h 30 min" },
    { "account", "website", "https://example.com/", "https://example.com/" },
    { "account", "description", "one\ntwo", "one\ntwo" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const KtField *field = mod_field (mod, cases[i].object, cases[i].field);
      g_autoptr (KtEditor) editor =
        kt_editor_new (mod->workspace, mod_object (mod, cases[i].object));
      g_autofree char *text = NULL;
      gboolean ok = kt_editor_set_text (editor, field, cases[i].typed);

      if (cases[i].text == NULL)
        {
          g_assert_false (ok);
          continue;
        }
      if (!ok)
        g_error ("%s: %s: %s", cases[i].field, cases[i].typed,
                 kt_editor_get_problem (editor, field));
      text = kt_editor_get_text (editor, field);
      if (strcmp (field->name, "website") != 0)
        g_assert_cmpstr (text, ==, cases[i].text);
      /* What it gives it takes, unchanged. */
      {
        g_auto (KtValue) before = KT_VALUE_INIT;

        kt_value_copy (kt_editor_get_value (editor, field), &before);
        g_assert_true (kt_editor_set_text (editor, field, text));
        g_assert_true (kt_value_equal (&before, kt_editor_get_value (editor, field)));
      }
    }
}

/* Dollars stay dollars when only the digits are typed anew. */
static void
test_currency (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) deal =
    mod_record (mod, "opportunity", NULL, "name", "Deal", "amount", "5 CHF", NULL);
  const KtField *amount = mod_field (mod, "opportunity", "amount");
  g_autoptr (KtEditor) editor = NULL;

  mod_pull (mod, deal, NULL);
  editor = open_editor (mod, "opportunity", &deal->id);
  kt_editor_set_text (editor, amount, "7");
  g_assert_cmpstr (kt_editor_get_value (editor, amount)->currency, ==, "CHF");
  kt_editor_set_text (editor, amount, "");
  kt_editor_set_text (editor, amount, "8");
  g_assert_cmpstr (kt_editor_get_value (editor, amount)->currency, ==, "EUR");
}

/* ---- others ---- */

static void
test_merge (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "phone", "1", NULL);
  g_autoptr (KtRecord) theirs =
    mod_with (mod, account, "phone", "2", "website", "https://acme.example", NULL);
  g_autoptr (KtRecord) again = mod_with (mod, theirs, "phone", "3", NULL);
  const KtField *phone = mod_field (mod, "account", "phone");
  const KtField *website = mod_field (mod, "account", "website");
  g_autoptr (KtEditor) editor = NULL;
  g_autofree char *shown = NULL;

  mod_pull (mod, account, NULL);
  editor = open_editor (mod, "account", &account->id);
  kt_editor_set_text (editor, phone, "9");
  g_assert_null (kt_editor_get_theirs (editor, phone));

  mod_pull (mod, theirs, NULL);
  mod_wait_while (kt_editor_get_theirs (editor, phone) == NULL);
  assert_shown (editor, phone, "9");
  assert_shown (editor, website, "https://acme.example");
  shown = kt_editor_get_theirs_display (editor, phone);
  g_assert_cmpstr (shown, ==, "2");

  mod_pull (mod, again, NULL);
  mod_wait_while (g_strcmp0 (kt_editor_get_theirs (editor, phone)->v.text, "3") != 0);
  assert_shown (editor, phone, "9");

  /* Theirs, after all. */
  kt_editor_revert (editor, phone);
  assert_shown (editor, phone, "3");
  g_assert_null (kt_editor_get_theirs (editor, phone));
  g_assert_false (kt_editor_get_dirty (editor));
}

/* Both typed the same: that is no edit any more. */
static void
test_merge_same (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "phone", "1", NULL);
  g_autoptr (KtRecord) theirs = mod_with (mod, account, "phone", "2", NULL);
  const KtField *phone = mod_field (mod, "account", "phone");
  g_autoptr (KtEditor) editor = NULL;

  mod_pull (mod, account, NULL);
  editor = open_editor (mod, "account", &account->id);
  kt_editor_set_text (editor, phone, "2");
  g_assert_true (kt_editor_get_dirty (editor));
  mod_pull (mod, theirs, NULL);
  mod_wait_while (kt_editor_get_dirty (editor));
  assert_shown (editor, phone, "2");
  g_assert_null (kt_editor_get_theirs (editor, phone));
}

/* Text that is no value survives somebody else's change as well. */
static void
test_merge_raw (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) theirs = mod_with (mod, account, "email", "x@example.com", NULL);
  const KtField *email = mod_field (mod, "account", "email");
  g_autoptr (KtEditor) editor = NULL;

  mod_pull (mod, account, NULL);
  editor = open_editor (mod, "account", &account->id);
  kt_editor_set_text (editor, email, "half a");
  mod_pull (mod, theirs, NULL);
  mod_wait_while (kt_editor_get_theirs (editor, email) == NULL);
  assert_shown (editor, email, "half a");
  g_assert_nonnull (kt_editor_get_problem (editor, email));
}

static gpointer
outbox_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) entries = kt_local_outbox (local, 10, error);
  KtOutboxEntry *last = entries->pdata[entries->len - 1];

  return kt_mutation_to_string (last->mutation);
}

/* The patch goes from what the person saw, not from what came since. */
static void
test_before (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "phone", "1", NULL);
  g_autoptr (KtRecord) theirs = mod_with (mod, account, "phone", "2", NULL);
  const KtField *phone = mod_field (mod, "account", "phone");
  g_autoptr (KtEditor) editor = NULL;
  g_autofree char *sent = NULL;
  gint64 rev;

  mod_pull (mod, account, NULL);
  editor = open_editor (mod, "account", &account->id);
  rev = kt_editor_get_record (editor)->rev;
  kt_editor_set_text (editor, phone, "9");
  mod_pull (mod, theirs, NULL);
  mod_wait_while (kt_editor_get_theirs (editor, phone) == NULL);
  save_ok (editor);
  sent = mod_write (mod, outbox_job, NULL);
  {
    g_autofree char *base = g_strdup_printf ("\"base_rev\":%" G_GINT64_FORMAT, rev);

    g_assert_nonnull (strstr (sent, base));
  }
  g_assert_nonnull (strstr (sent, "\"phone\":[\"1\",\"9\"]"));
}

/* What is typed while it is being saved stays, on top of what was saved. */
static void
test_typing (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "phone", "1", NULL);
  const KtField *phone = mod_field (mod, "account", "phone");
  g_autoptr (KtEditor) editor = NULL;
  g_autoptr (GAsyncResult) first = NULL;
  g_autoptr (GAsyncResult) second = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *sent = NULL;

  mod_pull (mod, account, NULL);
  editor = open_editor (mod, "account", &account->id);
  kt_editor_set_text (editor, phone, "12");
  kt_editor_save_async (editor, mod_result_cb, &first);
  kt_editor_save_async (editor, mod_result_cb, &second);
  kt_editor_set_text (editor, phone, "123");
  g_assert_null (kt_editor_save_finish (editor, mod_await (&second), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  done = kt_editor_save_finish (editor, mod_await (&first), NULL);
  g_assert_nonnull (done);
  assert_shown (editor, phone, "123");
  g_assert_true (kt_editor_get_dirty (editor));
  mod_settle (mod);
  assert_shown (editor, phone, "123");
  g_assert_null (kt_editor_get_theirs (editor, phone));
  assert_stored (mod, "account", &account->id, "phone", "12");
  save_ok (editor);
  sent = mod_write (mod, outbox_job, NULL);
  g_assert_nonnull (strstr (sent, "\"phone\":[\"12\",\"123\"]"));
}

/* ---- new, binned, gone ---- */

static void
test_new (Mod *mod, gconstpointer data)
{
  g_autoptr (KtEditor) editor = kt_editor_new (mod->workspace, mod_object (mod, "contact"));
  const KtField *last_name = mod_field (mod, "contact", "last_name");
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autoptr (KtDone) undone = NULL;
  g_autofree char *title = NULL;
  g_autofree char *owner = NULL;
  const KtObject *object;
  KtId id;

  g_object_get (editor, "title", &title, NULL);
  g_assert_cmpstr (title, ==, "New Contact");
  g_assert_true (kt_editor_get_is_new (editor));
  g_assert_false (kt_editor_get_dirty (editor));
  g_assert_null (kt_editor_get_problem (editor, last_name));
  mod_settle (mod);
  owner = kt_editor_get_display (editor, mod_field (mod, "contact", "owner"));
  mod_settle (mod);
  g_free (owner);
  owner = kt_editor_get_display (editor, mod_field (mod, "contact", "owner"));
  g_assert_cmpstr (owner, ==, "Ada Lovelace");

  g_assert_null (save (editor, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_nonnull (kt_editor_get_problem (editor, last_name));
  kt_editor_set_text (editor, last_name, "Lee");
  kt_editor_set_text (editor, mod_field (mod, "contact", "first_name"), "Ann");
  g_assert_null (kt_editor_get_problem (editor, last_name));
  done = save (editor, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (kt_done_text (done), ==, "Created contact “Ann Lee”");
  g_assert_true (kt_done_get_record (done, &object, &id));
  g_assert_true (kt_id_equal (&id, kt_editor_get_id (editor)));
  g_assert_false (kt_editor_get_is_new (editor));
  g_assert_false (kt_editor_get_dirty (editor));
  mod_wait_while (kt_editor_get_record (editor)->rid == 0);
  {
    g_autofree char *full = kt_editor_get_text (editor, mod_field (mod, "contact", "full_name"));

    g_assert_cmpstr (full, ==, "Ann Lee");
  }
  undone = mod_undo (mod, done, &error);
  g_assert_no_error (error);
  mod_wait_while (!kt_editor_get_gone (editor));
}

static void
test_bin (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  const KtField *phone = mod_field (mod, "account", "phone");
  g_autoptr (KtEditor) editor = NULL;
  g_autoptr (KtDone) done = NULL;
  g_autoptr (GPtrArray) gone = g_ptr_array_new ();
  g_autofree char *reason = NULL;
  gboolean in_bin = FALSE;

  mod_pull (mod, account, NULL);
  editor = open_editor (mod, "account", &account->id);
  g_assert_true (kt_editor_may_edit (editor, phone, &reason));
  g_assert_null (reason);
  g_assert_false (kt_editor_may_edit (editor, mod_field (mod, "account", "created_at"), &reason));
  g_assert_cmpstr (reason, ==, "This is filled in automatically");
  g_clear_pointer (&reason, g_free);
  kt_editor_set_text (editor, phone, "7");
  done = mod_delete (mod, "account", &account->id);
  while (!in_bin)
    {
      g_main_context_iteration (NULL, TRUE);
      g_object_get (editor, "in-bin", &in_bin, NULL);
    }
  g_assert_false (kt_editor_may_edit (editor, phone, &reason));
  g_assert_cmpstr (reason, ==, "This record is in the bin; restore it to change it");
  assert_shown (editor, phone, "7");

  g_ptr_array_add (gone, account);
  mod_send (mod);
  mod_verdict (mod, 1, KT_OUTCOME_APPLIED, NULL);
  mod_pull_many (mod, NULL, gone);
  mod_wait_while (!kt_editor_get_gone (editor));
  /* It can still be read and copied. */
  assert_shown (editor, phone, "7");
}

static void
test_none (Mod *mod, gconstpointer data)
{
  KtId id = kt_id_new (&mod->env);
  g_autoptr (KtEditor) editor = open_editor (mod, "account", &id);
  g_autoptr (GError) error = NULL;

  g_assert_true (kt_editor_get_gone (editor));
  g_assert_null (save (editor, &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NOT_FOUND);
}

/* ---- values with parts ---- */

static void
test_parts (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtEditor) editor = kt_editor_new (mod->workspace, mod_object (mod, "contact"));
  const KtField *address = mod_field (mod, "contact", "address");
  const KtField *interests = mod_field (mod, "contact", "interests");
  const KtField *link = mod_field (mod, "contact", "account");
  const char *const items[] = { "travel", "sport", NULL };
  g_auto (GStrv) labels = NULL;
  const KtObject *object = NULL;
  KtId id;
  g_autofree char *city = NULL;
  g_autofree char *shown = NULL;

  mod_pull (mod, account, NULL);
  kt_editor_set_part (editor, address, "city", "Berlin");
  kt_editor_set_part (editor, address, "street", "Torstr. 1");
  city = kt_editor_get_part (editor, address, "city");
  g_assert_cmpstr (city, ==, "Berlin");
  shown = kt_editor_get_display (editor, address);
  g_assert_cmpstr (shown, ==, "Torstr. 1, Berlin");
  kt_editor_set_part (editor, address, "city", "");
  kt_editor_set_part (editor, address, "street", "");
  g_assert_true (kt_value_is_null (kt_editor_get_value (editor, address)));

  kt_editor_set_items (editor, interests, items);
  labels = kt_editor_get_item_labels (editor, interests);
  g_assert_cmpuint (g_strv_length (labels), ==, 2);
  g_assert_cmpstr (labels[0], ==, "Sport");
  kt_editor_set_items (editor, interests, NULL);
  g_assert_true (kt_value_is_null (kt_editor_get_value (editor, interests)));

  g_assert_false (kt_editor_get_link (editor, link, &object, &id));
  kt_editor_set_link (editor, link, mod_object (mod, "account"), &account->id);
  g_assert_true (kt_editor_get_link (editor, link, &object, &id));
  g_assert_true (object == mod_object (mod, "account"));
  g_assert_true (kt_id_equal (&id, &account->id));
  /* Its title arrives, and the field says so. */
  g_signal_connect (editor, "field-changed", G_CALLBACK (field_changed_cb), NULL);
  g_free (kt_editor_get_display (editor, link));
  n_fields_changed = 0;
  mod_wait_while (n_fields_changed == 0);
  g_assert_true (last_field == link);
  g_free (shown);
  shown = kt_editor_get_display (editor, link);
  g_assert_cmpstr (shown, ==, "Acme");
  kt_editor_set_link (editor, link, NULL, NULL);
  g_assert_true (kt_value_is_null (kt_editor_get_value (editor, link)));
}

static void
test_transitions (Mod *mod, gconstpointer data)
{
  const KtField *status = mod_field (mod, "quote", "status");
  g_autoptr (KtRecord) quote =
    mod_record (mod, "quote", NULL, "name", "Q", "status", "draft", NULL);
  g_autoptr (KtEditor) editor = NULL;
  guint allowed = 0;

  g_assert_nonnull (status->transitions);
  mod_pull (mod, quote, NULL);
  editor = open_editor (mod, "quote", &quote->id);
  for (guint i = 0; i < status->n_options; i++)
    allowed += kt_editor_may_choose (editor, status, status->options[i].value);
  g_assert_true (kt_editor_may_choose (editor, status, "draft"));
  g_assert_cmpuint (allowed, <, status->n_options);
  g_assert_cmpuint (allowed, >, 1);
}

/* ---- what hangs on it ---- */

static void
test_candidates (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) acme = mod_record (mod, "account", NULL, "name", "Acme Ltd", NULL);
  g_autoptr (KtRecord) other = mod_record (mod, "account", NULL, "name", "Beta", NULL);
  g_autoptr (KtRecord) contact = mod_record (mod, "contact", NULL, "last_name", "Acmeson", NULL);
  g_autoptr (KtEditor) editor = kt_editor_new (mod->workspace, mod_object (mod, "contact"));
  const KtField *link = mod_field (mod, "contact", "account");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GAsyncResult) latest = NULL;
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (GPtrArray) all = NULL;
  g_autoptr (GError) error = NULL;
  const KtCandidate *first;

  mod_pull (mod, acme, other, contact, NULL);
  kt_editor_candidates_async (editor, link, "acm", NULL, mod_result_cb, &result);
  found = kt_editor_candidates_finish (editor, mod_await (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (found->len, ==, 1);
  first = found->pdata[0];
  g_assert_cmpstr (first->title, ==, "Acme Ltd");
  g_assert_true (first->object == mod_object (mod, "account"));
  kt_editor_candidates_async (editor, link, "", NULL, mod_result_cb, &latest);
  all = kt_editor_candidates_finish (editor, mod_await (&latest), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (all->len, ==, 2);
}

static const KtRelation *
relation (KtEditor *editor, const char *object, const char *field)
{
  GPtrArray *relations = kt_editor_relations (editor);

  for (guint i = 0; i < relations->len; i++)
    {
      const KtRelation *one = relations->pdata[i];

      if (strcmp (one->object->name, object) == 0 && strcmp (one->field->name, field) == 0)
        return one;
    }
  g_error ("no related list of %s by %s", object, field);
}

static void
test_related (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autofree char *link = kt_id_to_string (&account->id);
  g_autofree char *parent = g_strconcat ("account:", link, NULL);
  g_autoptr (KtRecord) contact =
    mod_record (mod, "contact", NULL, "last_name", "Lee", "account", link, NULL);
  g_autoptr (KtRecord) task =
    mod_record (mod, "task", NULL, "subject", "Call", "parent", parent, NULL);
  g_autoptr (KtEditor) editor = NULL;
  g_autoptr (KtEditor) child = NULL;
  const KtRelation *contacts;
  const KtRelation *tasks;

  mod_pull (mod, account, contact, task, NULL);
  editor = open_editor (mod, "account", &account->id);
  contacts = relation (editor, "contact", "account");
  tasks = relation (editor, "task", "parent");
  g_assert_cmpstr (contacts->label, ==, "Contacts");
  g_assert_cmpint (kt_editor_relation_count (editor, contacts), ==, -1);
  mod_wait_while (kt_editor_relation_count (editor, contacts) != 1);
  g_assert_cmpint (kt_editor_relation_count (editor, tasks), ==, 1);

  child = kt_editor_new_related (editor, contacts);
  g_assert_false (kt_editor_get_dirty (child));
  kt_editor_set_text (child, mod_field (mod, "contact", "last_name"), "Miller");
  save_ok (child);
  mod_wait_while (kt_editor_relation_count (editor, contacts) != 2);
  {
    g_autoptr (KtQuery) query = kt_editor_relation_query (editor, contacts);

    g_assert_cmpstr (query->object->name, ==, "contact");
    g_assert_nonnull (query->filter);
  }
  {
    g_autoptr (KtEditor) todo = kt_editor_new_related (editor, tasks);
    const KtObject *object;
    KtId id;

    g_assert_true (kt_editor_get_link (todo, mod_field (mod, "task", "parent"), &object, &id));
    g_assert_true (kt_id_equal (&id, &account->id));
  }
}

/* ---- the schema moves under an open editor ---- */

static gpointer
schema_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  return GINT_TO_POINTER (kt_local_set_schema (local, data, error));
}

static void
test_schema (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account =
    mod_record (mod, "account", NULL, "name", "Acme", "phone", "1", NULL);
  g_autoptr (KtEditor) editor = NULL;
  g_autoptr (KtEditor) fresh = kt_editor_new (mod->workspace, mod_object (mod, "account"));
  const KtField *old_phone = mod_field (mod, "account", "phone");
  const KtObject *before = mod_object (mod, "account");
  g_autoptr (GString) text =
    g_string_new (kt_schema_to_json (kt_workspace_get_schema (mod->workspace)));
  g_autoptr (KtSchema) schema = NULL;
  g_autoptr (GError) error = NULL;
  const KtField *added;

  mod_pull (mod, account, NULL);
  editor = open_editor (mod, "account", &account->id);
  kt_editor_set_text (editor, old_phone, "22");
  kt_editor_set_text (fresh, mod_field (mod, "account", "name"), "Young");

  /* Before the first field, so that every index moves. */
  {
    char *object = strstr (text->str, "\"object\":\"account\"");
    char *fields = NULL;

    for (char *p = text->str; (p = strstr (p, "\"fields\":[{")) != NULL && p < object; p++)
      fields = p;
    g_assert_nonnull (fields);
    g_string_insert (text, fields + strlen ("\"fields\":[") - text->str,
                     "{\"label\":\"Shoe size\",\"name\":\"shoe_size\",\"type\":\"text\"},");
  }
  schema = kt_schema_from_json (text->str, (gssize) text->len, &error);
  g_assert_no_error (error);
  mod_write (mod, schema_job, schema);
  mod_pull (mod, NULL);
  mod_wait_while (mod_object (mod, "account") == before);
  added = mod_field (mod, "account", "shoe_size");
  g_assert_true (added != NULL);
  mod_settle (mod);

  /* Pointers of either schema name the same field. */
  assert_shown (editor, old_phone, "22");
  assert_shown (editor, mod_field (mod, "account", "phone"), "22");
  g_assert_true (kt_editor_is_touched (editor, old_phone));
  kt_editor_set_text (editor, added, "43");
  save_ok (editor);
  assert_stored (mod, "account", &account->id, "phone", "22");
  assert_stored (mod, "account", &account->id, "shoe_size", "43");
  kt_editor_set_text (fresh, added, "39");
  save_ok (fresh);
  assert_stored (mod, "account", kt_editor_get_id (fresh), "name", "Young");
  assert_stored (mod, "account", kt_editor_get_id (fresh), "shoe_size", "39");
}

#define ADD(name, func) g_test_add ("/editor/" name, Mod, NULL, mod_set_up, func, mod_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("save", test_save);
  ADD ("problem", test_problem);
  ADD ("texts", test_texts);
  ADD ("currency", test_currency);
  ADD ("merge", test_merge);
  ADD ("merge-same", test_merge_same);
  ADD ("merge-raw", test_merge_raw);
  ADD ("before", test_before);
  ADD ("typing", test_typing);
  ADD ("new", test_new);
  ADD ("bin", test_bin);
  ADD ("none", test_none);
  ADD ("parts", test_parts);
  ADD ("transitions", test_transitions);
  ADD ("candidates", test_candidates);
  ADD ("related", test_related);
  ADD ("schema", test_schema);
  return g_test_run ();
}
