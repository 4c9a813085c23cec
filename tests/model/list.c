/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The list model: what it may emit, what a slot is, and that it shows what the store has. */

#include "config.h"

#include "fixture.h"

#include "model/kt-layout.h"
#include "model/kt-row-private.h"

typedef struct
{
  KtListModel *model;
  guint n; /* as told by items-changed */
  guint n_emitted;
  guint n_refreshed;
  GPtrArray *held; /* KtRow* or NULL by position: who looks at the list */
} Watch;

/* The invariant of this model: nothing but the difference in length, at the tail. */
static void
items_changed_cb (GListModel *model, guint position, guint removed, guint added, gpointer data)
{
  Watch *watch = data;

  g_assert_true (removed == 0 || added == 0);
  g_assert_cmpuint (removed + added, >, 0);
  g_assert_cmpuint (position, ==, MIN (watch->n, watch->n - removed + added));
  g_assert_cmpuint (position + removed, <=, watch->n);
  watch->n = watch->n - removed + added;
  watch->n_emitted++;
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, watch->n);
  /* A view drops what is gone. */
  for (guint i = position; removed > 0 && i < watch->held->len; i++)
    g_clear_object (&watch->held->pdata[i]);
}

static void
refreshed_cb (KtListModel *model, gpointer data)
{
  ((Watch *) data)->n_refreshed++;
}

static void
watch_init (Watch *watch, Mod *mod)
{
  *watch = (Watch){ .model = kt_list_model_new (mod->workspace), .held = g_ptr_array_new () };
  g_signal_connect (watch->model, "items-changed", G_CALLBACK (items_changed_cb), watch);
  g_signal_connect (watch->model, "refreshed", G_CALLBACK (refreshed_cb), watch);
}

static KtRow *
watch_hold (Watch *watch, guint position)
{
  if (position >= watch->held->len)
    g_ptr_array_set_size (watch->held, (int) position + 1);
  if (watch->held->pdata[position] == NULL)
    watch->held->pdata[position] = g_list_model_get_item (G_LIST_MODEL (watch->model), position);
  return watch->held->pdata[position];
}

static void
watch_drop (Watch *watch, guint position)
{
  if (position < watch->held->len)
    g_clear_object (&watch->held->pdata[position]);
}

static void
watch_clear (Watch *watch)
{
  guint slots, cached;

  for (guint i = 0; i < watch->held->len; i++)
    watch_drop (watch, i);
  _kt_list_model_held (watch->model, &slots, &cached);
  g_assert_cmpuint (slots, ==, 0);
  g_ptr_array_unref (watch->held);
  g_assert_finalize_object (watch->model);
}

static gboolean
all_loaded (gpointer data)
{
  Watch *watch = data;

  if (kt_list_model_get_loading (watch->model))
    return FALSE;
  for (guint i = 0; i < watch->held->len; i++)
    if (watch->held->pdata[i] != NULL && kt_row_get_record (watch->held->pdata[i]) == NULL)
      return FALSE;
  return TRUE;
}

static void
watch_wait (Watch *watch)
{
  mod_wait (all_loaded, watch, "rows of a list");
}

static void
pull_accounts (Mod *mod, guint n, const char *format)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("%s %06u", format, i);

      g_ptr_array_add (records, mod_record (mod, "account", NULL, "name", name, NULL));
    }
  mod_pull_many (mod, records, NULL);
}

static void
set_default_query (Watch *watch, Mod *mod, const char *object)
{
  g_autoptr (KtQuery) query = kt_layout_query (mod_object (mod, object), FALSE);

  kt_list_model_set_query (watch->model, query);
}

/* ---- opening ---- */

static void
test_empty (Mod *mod, gconstpointer data)
{
  Watch watch;

  watch_init (&watch, mod);
  g_assert_false (kt_list_model_get_loading (watch.model));
  set_default_query (&watch, mod, "account");
  g_assert_true (kt_list_model_get_loading (watch.model));
  watch_wait (&watch);
  g_assert_cmpuint (watch.n, ==, 0);
  g_assert_cmpuint (watch.n_emitted, ==, 0);
  g_assert_cmpuint (watch.n_refreshed, ==, 1);
  g_assert_null (g_list_model_get_item (G_LIST_MODEL (watch.model), 0));
  g_assert_null (kt_list_model_get_error (watch.model));
  pull_accounts (mod, 3, "New");
  mod_wait_while (watch.n != 3);
  g_assert_cmpuint (watch.n_emitted, ==, 1);
  watch_clear (&watch);
}

/* Opening a long list reads what is looked at, and no more. */
static void
test_lazy (Mod *mod, gconstpointer data)
{
  const guint chunk = 10000;
  Watch watch;
  gint64 start, first;
  guint slots, cached;

  for (guint i = 0; i < 10; i++)
    {
      g_autofree char *format = g_strdup_printf ("Row %u", i);

      pull_accounts (mod, chunk, format);
    }
  mod_settle (mod);
  watch_init (&watch, mod);
  start = g_get_monotonic_time ();
  set_default_query (&watch, mod, "account");
  mod_wait_while (watch.n == 0);
  /* The first rows come with the head. */
  for (guint i = 0; i < 30; i++)
    g_assert_cmpstr (kt_row_get_text (watch_hold (&watch, i), mod_field (mod, "account", "name")),
                     !=, "");
  first = g_get_monotonic_time () - start;
  g_assert_cmpuint (watch.n, ==, 48);
  mod_wait_while (kt_list_model_get_total (watch.model) != 10 * chunk); /* the counts of the sidebar, which follow */
  mod_wait_while (watch.n != 10 * chunk);
  g_test_message ("first rows after %.1f ms, all of them after %.1f ms", (double) first / 1000,
                  (double) (g_get_monotonic_time () - start) / 1000);
  for (guint i = 0; i < 205; i++)
    watch_hold (&watch, i);
  watch_wait (&watch);
  g_assert_cmpuint (_kt_list_model_rows_read (watch.model), <, 500);

  /* A jump, and one far away while another is not answered yet. */
  for (guint i = 0; i < 205; i++)
    watch_drop (&watch, i);
  for (guint i = 50000; i < 50205; i++)
    watch_hold (&watch, i);
  for (guint i = 50000; i < 50205; i++)
    watch_drop (&watch, i);
  for (guint i = 99000; i < 99205; i++)
    watch_hold (&watch, i);
  watch_wait (&watch);
  g_assert_cmpuint (_kt_list_model_rows_read (watch.model), <, 1200);
  _kt_list_model_held (watch.model, &slots, &cached);
  g_assert_cmpuint (slots, ==, 205);
  g_assert_cmpuint (cached, <=, 800);

  /* Scrolling through all of it holds no more than before. */
  for (guint from = 0; from < 20000; from += 200)
    {
      for (guint i = from; i < from + 200; i++)
        watch_hold (&watch, i);
      watch_wait (&watch);
      for (guint i = from; i < from + 200; i++)
        watch_drop (&watch, i);
    }
  _kt_list_model_held (watch.model, &slots, &cached);
  g_assert_cmpuint (cached, <=, 800);

  /* Another order: no emission, the slots are the same, their records others. */
  {
    KtRow *row = watch_hold (&watch, 99000);
    guint emitted = watch.n_emitted;
    g_autoptr (KtRecord) before = NULL;

    watch_wait (&watch);
    before = kt_record_ref (kt_row_get_record (row));
    kt_list_model_set_sort (watch.model, mod_field (mod, "account", "name"), TRUE);
    watch_wait (&watch);
    g_assert_cmpuint (watch.n_emitted, ==, emitted);
    g_assert_true (watch_hold (&watch, 99000) == row);
    g_assert_false (kt_id_equal (&kt_row_get_record (row)->id, &before->id));
  }
  watch_clear (&watch);
}

/* ---- content ---- */

static void
count_cb (GObject *row, GParamSpec *pspec, gpointer data)
{
  (*(guint *) data)++;
}

static void
test_content (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) one = mod_record (mod, "account", NULL, "name", "A", "phone", "1", NULL);
  g_autoptr (KtRecord) two = mod_record (mod, "account", NULL, "name", "B", NULL);
  g_autoptr (KtRecord) edited = mod_with (mod, one, "phone", "2", NULL);
  const KtField *phone = mod_field (mod, "account", "phone");
  guint n_one = 0, n_two = 0;
  Watch watch;

  mod_pull (mod, one, two, NULL);
  mod_settle (mod);
  watch_init (&watch, mod);
  set_default_query (&watch, mod, "account");
  watch_wait (&watch);
  g_assert_cmpstr (kt_row_get_text (watch_hold (&watch, 0), phone), ==, "1");
  g_assert_cmpstr (kt_row_get_title (watch_hold (&watch, 1)), ==, "B");
  mod_settle (mod);
  g_signal_connect (watch_hold (&watch, 0), "notify::record", G_CALLBACK (count_cb), &n_one);
  g_signal_connect (watch_hold (&watch, 1), "notify::record", G_CALLBACK (count_cb), &n_two);
  mod_pull (mod, edited, NULL);
  mod_wait_while (n_one == 0);
  g_assert_cmpstr (kt_row_get_text (watch_hold (&watch, 0), phone), ==, "2");
  mod_settle (mod);
  g_assert_cmpuint (n_one, ==, 1);
  g_assert_cmpuint (n_two, ==, 0);
  g_assert_cmpuint (watch.n_emitted, ==, 1);
  watch_clear (&watch);
}

/* A reference reads as the title of what it points to, from the first moment on, and follows it. */
static void
test_reference (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) account = mod_record (mod, "account", NULL, "name", "Acme", NULL);
  g_autoptr (KtRecord) renamed = mod_with (mod, account, "name", "Acme Ltd", NULL);
  g_autofree char *link = kt_id_to_string (&account->id);
  g_autoptr (KtRecord) deal = mod_record (mod, "opportunity", NULL, "name", "Deal", "account", link,
                                          "amount", "1200.50 EUR", NULL);
  const KtField *field = mod_field (mod, "opportunity", "account");
  guint n = 0;
  Watch watch;

  mod_pull (mod, account, deal, NULL);
  mod_settle (mod);
  watch_init (&watch, mod);
  set_default_query (&watch, mod, "opportunity");
  watch_wait (&watch);
  g_assert_cmpstr (kt_row_get_text (watch_hold (&watch, 0), field), ==, "Acme");
  g_assert_cmpstr (
    kt_row_get_text (watch_hold (&watch, 0), mod_field (mod, "opportunity", "amount")), ==,
    "€1,200.50");
  mod_settle (mod);
  g_signal_connect (watch_hold (&watch, 0), "notify::record", G_CALLBACK (count_cb), &n);
  mod_pull (mod, renamed, NULL);
  mod_wait_while (g_strcmp0 (kt_row_get_text (watch_hold (&watch, 0), field), "Acme Ltd") != 0);
  g_assert_cmpuint (n, >, 0);
  watch_clear (&watch);
}

static void
test_state (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) one =
    mod_record (mod, "task", NULL, "subject", "A", "status", "not_started", NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (KtDone) done = NULL;
  guint n = 0;
  Watch watch;

  mod_pull (mod, one, NULL);
  mod_settle (mod);
  watch_init (&watch, mod);
  set_default_query (&watch, mod, "task");
  watch_wait (&watch);
  g_signal_connect (watch_hold (&watch, 0), "notify::record", G_CALLBACK (count_cb), &n);
  g_assert_cmpint (kt_row_get_state (watch_hold (&watch, 0)), ==, KT_ROW_SETTLED);
  kt_workspace_set_async (mod->workspace, mod_object (mod, "task"), &one->id, "status", "done",
                          mod_result_cb, &result);
  done = kt_workspace_done_finish (mod->workspace, mod_await (&result), NULL);
  mod_wait_while (kt_row_get_state (watch_hold (&watch, 0)) != KT_ROW_WAITING);
  g_assert_cmpuint (n, >, 0);
  watch_clear (&watch);
}

/* ---- questions ---- */

static void
test_late (Mod *mod, gconstpointer data)
{
  Watch watch;

  pull_accounts (mod, 40, "Acme");
  {
    g_autoptr (KtRecord) task = mod_record (mod, "task", NULL, "subject", "A", NULL);

    mod_pull (mod, task, NULL);
  }
  mod_settle (mod);
  watch_init (&watch, mod);
  set_default_query (&watch, mod, "account");
  set_default_query (&watch, mod, "task");
  set_default_query (&watch, mod, "account");
  kt_list_model_set_search (watch.model, "acme 000003");
  kt_list_model_set_search (watch.model, "acme 000007");
  watch_wait (&watch);
  g_assert_cmpuint (watch.n_refreshed, ==, 1);
  g_assert_cmpuint (watch.n, ==, 1);
  watch_hold (&watch, 0);
  watch_wait (&watch);
  g_assert_cmpstr (kt_row_get_title (watch_hold (&watch, 0)), ==, "Acme 000007");
  kt_list_model_set_search (watch.model, "  ");
  watch_wait (&watch);
  g_assert_cmpuint (watch.n, ==, 40);

  /* Another object: emptied at once, no account under the head of tasks. */
  set_default_query (&watch, mod, "task");
  g_assert_cmpuint (watch.n, ==, 0);
  watch_wait (&watch);
  g_assert_cmpuint (watch.n, ==, 1);
  watch_clear (&watch);
}

static void
test_find (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) one = mod_record (mod, "account", NULL, "name", "Bbb", NULL);
  g_autoptr (KtRecord) other = mod_record (mod, "account", NULL, "name", "Hidden", NULL);
  g_autoptr (GAsyncResult) found = NULL;
  g_autoptr (GAsyncResult) missing = NULL;
  g_autoptr (GAsyncResult) listed = NULL;
  g_autoptr (GArray) ids = NULL;
  g_autoptr (GError) error = NULL;
  const guint positions[] = { 20, 0, 99 };
  const gint64 *keys;
  guint position, n;
  Watch watch;

  pull_accounts (mod, 20, "Aaa");
  mod_pull (mod, one, other, NULL);
  watch_init (&watch, mod);
  {
    g_autoptr (KtQuery) query = kt_layout_query (mod_object (mod, "account"), FALSE);

    query->filter = kt_filter_parse (query->object, "name != 'Hidden'", NULL);
    kt_list_model_set_query (watch.model, query);
  }
  watch_wait (&watch);
  g_assert_cmpuint (watch.n, ==, 21);
  kt_list_model_find_async (watch.model, &one->id, NULL, mod_result_cb, &found);
  position = kt_list_model_find_finish (watch.model, mod_await (&found), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (position, ==, 20);
  kt_list_model_find_async (watch.model, &other->id, NULL, mod_result_cb, &missing);
  g_assert_cmpuint (kt_list_model_find_finish (watch.model, mod_await (&missing), &error), ==,
                    G_MAXUINT);
  g_assert_no_error (error);
  keys = kt_list_model_get_keys (watch.model, &n);
  g_assert_cmpuint (n, ==, 21);
  g_assert_cmpuint (kt_list_model_find_key (watch.model, keys[7]), ==, 7);
  kt_list_model_ids_async (watch.model, positions, G_N_ELEMENTS (positions), NULL, mod_result_cb,
                           &listed);
  ids = kt_list_model_ids_finish (watch.model, mod_await (&listed), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (ids->len, ==, 2);
  g_assert_true (kt_id_equal (&g_array_index (ids, KtId, 0), &one->id));
  g_clear_object (&found);
  g_clear_object (&missing);
  g_clear_object (&listed);
  watch_clear (&watch);
}

/* ---- against a plain array ---- */

static gpointer
titles_job (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error)
{
  const KtQuery *query = data;
  g_autoptr (GArray) rids = kt_local_query (local, query, NULL, error);
  g_autoptr (GPtrArray) rows =
    kt_local_rows (local, query->object, (const gint64 *) rids->data, rids->len, error);
  GPtrArray *records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);

  for (guint i = 0; i < rows->len; i++)
    g_ptr_array_add (records, kt_record_ref (rows->pdata[i]));
  return records;
}

typedef struct
{
  Watch *watch;
  KtQuery *query;
  Mod *mod;
} Compare;

static gboolean
equals_store (gpointer data)
{
  Compare *compare = data;
  g_autoptr (GPtrArray) records = NULL;

  mod_settle (compare->mod);
  records = mod_write (compare->mod, titles_job, compare->query);
  if (g_list_model_get_n_items (G_LIST_MODEL (compare->watch->model)) != records->len)
    return FALSE;
  for (guint i = 0; i < compare->watch->held->len; i++)
    {
      KtRow *row = compare->watch->held->pdata[i];
      const KtRecord *expected;
      KtRecord *shown;

      if (row == NULL)
        continue;
      g_assert_cmpuint (i, <, records->len);
      g_assert_cmpuint (kt_row_get_position (row), ==, i);
      expected = records->pdata[i];
      shown = kt_row_get_record (row);
      if (shown == NULL || !kt_id_equal (&shown->id, &expected->id)
          || g_strcmp0 (kt_record_text (shown, "phone"), kt_record_text (expected, "phone")) != 0)
        return FALSE;
    }
  return TRUE;
}

static void
test_random (Mod *mod, gconstpointer data)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (mod->seed);
  g_autoptr (GPtrArray) alive = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);
  const KtObject *accounts = mod_object (mod, "account");
  Compare compare;
  Watch watch;

  watch_init (&watch, mod);
  set_default_query (&watch, mod, "account");
  for (guint step = 0; step < 300; step++)
    {
      guint act = (guint) g_rand_int_range (rand, 0, 100);

      if (act < 30 || alive->len == 0)
        {
          guint n = act < 4 ? 300 : (guint) g_rand_int_range (rand, 1, 4);
          g_autoptr (GPtrArray) fresh = g_ptr_array_new ();

          for (guint i = 0; i < n; i++)
            {
              g_autofree char *name =
                g_strdup_printf ("%c%u", 'a' + g_rand_int_range (rand, 0, 26), step);
              KtRecord *record = mod_record (mod, "account", NULL, "name", name, NULL);

              g_ptr_array_add (alive, record);
              g_ptr_array_add (fresh, record);
            }
          mod_pull_many (mod, fresh, NULL);
        }
      else if (act < 50)
        {
          guint at = (guint) g_rand_int_range (rand, 0, (int) alive->len);
          g_autofree char *phone = g_strdup_printf ("%u", step);
          KtRecord *edited = mod_with (mod, alive->pdata[at], "phone", phone, NULL);

          kt_record_unref (alive->pdata[at]);
          alive->pdata[at] = edited;
          mod_pull (mod, edited, NULL);
        }
      else if (act < 60)
        {
          guint at = (guint) g_rand_int_range (rand, 0, (int) alive->len);
          g_autoptr (GPtrArray) gone = g_ptr_array_new ();

          g_ptr_array_add (gone, alive->pdata[at]);
          mod_pull_many (mod, NULL, gone);
          g_ptr_array_remove_index_fast (alive, at);
        }
      else if (act < 66)
        kt_list_model_set_sort (watch.model,
                                kt_object_field (accounts, act % 2 == 0 ? "name" : "phone"),
                                g_rand_boolean (rand));
      else if (act < 70)
        kt_list_model_set_search (watch.model, g_rand_boolean (rand) ? "" : "a");
      else if (act < 85 && watch.n > 0)
        {
          guint from = (guint) g_rand_int_range (rand, 0, (int) watch.n);

          for (guint i = from; i < MIN (from + 20, watch.n); i++)
            watch_hold (&watch, i);
        }
      else if (watch.held->len > 0)
        watch_drop (&watch, (guint) g_rand_int_range (rand, 0, (int) watch.held->len));

      for (int i = g_rand_int_range (rand, 0, 20); i > 0; i--)
        g_main_context_iteration (NULL, FALSE);
      if (step % 20 == 19)
        {
          g_autoptr (KtQuery) query = kt_query_copy (kt_list_model_get_query (watch.model));
          g_autofree char *search = NULL;

          g_object_get (watch.model, "search", &search, NULL);
          query->search = *search != '\0' ? g_strdup (search) : NULL;
          compare = (Compare){ &watch, query, mod };
          mod_wait (equals_store, &compare, "the list to be what the store has");
        }
    }
  watch_clear (&watch);
}

/* Rows outlive their list. */
static void
test_outlive (Mod *mod, gconstpointer data)
{
  g_autoptr (KtRecord) one = mod_record (mod, "account", NULL, "name", "A", NULL);
  g_autoptr (KtRow) row = NULL;
  KtListModel *model = kt_list_model_new (mod->workspace);
  g_autoptr (KtQuery) query = kt_layout_query (mod_object (mod, "account"), FALSE);

  mod_pull (mod, one, NULL);
  mod_settle (mod);
  kt_list_model_set_query (model, query);
  mod_wait_while (g_list_model_get_n_items (G_LIST_MODEL (model)) == 0);
  row = g_list_model_get_item (G_LIST_MODEL (model), 0);
  g_assert_cmpstr (kt_row_get_title (row), ==, "A");
  mod_settle (mod);
  g_assert_finalize_object (model);
  g_assert_cmpstr (kt_row_get_title (row), ==, "A");
  g_assert_nonnull (kt_row_get_record (row));

  /* A question under way does not hold anybody up. */
  model = kt_list_model_new (mod->workspace);
  kt_list_model_set_query (model, query);
  g_object_unref (model);
  mod_settle (mod);
}

#define ADD(name, func) g_test_add ("/list/" name, Mod, NULL, mod_set_up, func, mod_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("empty", test_empty);
  ADD ("content", test_content);
  ADD ("reference", test_reference);
  ADD ("state", test_state);
  ADD ("late", test_late);
  ADD ("find", test_find);
  ADD ("outlive", test_outlive);
  ADD ("random", test_random);
  ADD ("lazy", test_lazy);
  return g_test_run ();
}
