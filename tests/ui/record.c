/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The record page and its controls, over a real workspace, in this process. */

#include "config.h"

#include "../model/fixture.h"

#include <adwaita.h>

#include "model/kt-list-model.h"
#include "ui/kt-field-editor.h"
#include "ui/kt-field-row.h"
#include "ui/kt-form-grid.h"
#include "ui/kt-form.h"
#include "ui/kt-list-page.h"
#include "ui/kt-record-page.h"
#include "ui/kt-related-list.h"

typedef struct
{
  Mod        mod;
  KtRecord  *account;
  KtEditor  *editor;
  GtkWidget *window;
} Ui;

static void
set_up (Ui *ui, gconstpointer data)
{
  mod_set_up (&ui->mod, NULL);
  ui->account = mod_record (&ui->mod, "account", NULL, "name", "Acme", "employee_count", "1200", "phone", "+49 30 1", NULL);
  mod_pull (&ui->mod, ui->account, NULL);
  ui->editor = kt_editor_open (ui->mod.workspace, mod_object (&ui->mod, "account"), &ui->account->id);
  mod_wait_while (kt_editor_get_record (ui->editor) == NULL);
  ui->window = gtk_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (ui->window), 1200, 800);
}

static void
tear_down (Ui *ui, gconstpointer data)
{
  gtk_window_destroy (GTK_WINDOW (ui->window));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_clear_object (&ui->editor);
  kt_record_unref (ui->account);
  mod_tear_down (&ui->mod, NULL);
}

static void
show (Ui *ui, GtkWidget *widget)
{
  gtk_window_set_child (GTK_WINDOW (ui->window), widget);
  gtk_window_present (GTK_WINDOW (ui->window));
  mod_wait_while (!gtk_widget_get_mapped (widget) || gtk_widget_get_width (widget) == 0);
}

typedef gboolean (*Wanted) (GtkWidget *widget, gconstpointer data);

static GtkWidget *
find (GtkWidget *from, Wanted wanted, gconstpointer data)
{
  if (wanted (from, data))
    return from;
  for (GtkWidget *child = gtk_widget_get_first_child (from); child != NULL; child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find (child, wanted, data);

      if (found != NULL)
        return found;
    }
  return NULL;
}

static gboolean
is_row_of (GtkWidget *widget, gconstpointer data)
{
  return KT_IS_FIELD_ROW (widget) && g_str_equal (kt_field_row_get_field (KT_FIELD_ROW (widget))->name, data);
}

static gboolean
is_control (GtkWidget *widget, gconstpointer data)
{
  return KT_IS_FIELD_EDITOR (widget);
}

static gboolean
is_type (GtkWidget *widget, gconstpointer data)
{
  return G_TYPE_CHECK_INSTANCE_TYPE (widget, *(const GType *) data);
}

static gboolean
has_text (GtkWidget *widget, gconstpointer data)
{
  return GTK_IS_LABEL (widget) && gtk_widget_get_mapped (widget) && strstr (gtk_label_get_text (GTK_LABEL (widget)), data) != NULL;
}

static gboolean
is_button (GtkWidget *widget, gconstpointer data)
{
  return GTK_IS_BUTTON (widget) && g_strcmp0 (gtk_button_get_label (GTK_BUTTON (widget)), data) == 0;
}

static guint
count (GtkWidget *from, GType type)
{
  guint n = G_TYPE_CHECK_INSTANCE_TYPE (from, type);

  for (GtkWidget *child = gtk_widget_get_first_child (from); child != NULL; child = gtk_widget_get_next_sibling (child))
    n += count (child, type);
  return n;
}

/* ---- controls ---- */

/* What is typed into a one-line control reaches the editor, and what the editor has is shown. */
static void
test_controls (Ui *ui, gconstpointer data)
{
  static const struct { const char *field, *typed, *wire; } cases[] = {
    { "name", "Acme Ltd", "\"Acme Ltd\"" },
    { "email", "a@b.example", "\"a@b.example\"" },
    { "phone", "+49 30 2", "\"+49 30 2\"" },
    { "website", "https://a.example", "\"https://a.example\"" },
    { "employee_count", "17", "17" },
    { "annual_revenue", "12.5 EUR", "{\"amount\":\"12.5\",\"currency\":\"EUR\"}" },
    { "protected_until", "2026-12-31", "\"2026-12-31\"" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const KtField *field = mod_field (&ui->mod, "account", cases[i].field);
      GtkWidget *control = g_object_ref_sink (kt_field_editor_new (ui->editor, field));
      GtkWidget *entry = kt_field_editor_get_main (KT_FIELD_EDITOR (control));
      g_autofree char *wire = NULL;
      g_autofree char *base = kt_editor_get_display (ui->editor, field);

      g_assert_true (GTK_IS_ENTRY (entry));
      gtk_test_accessible_assert_property (entry, GTK_ACCESSIBLE_PROPERTY_LABEL, kt_field_label (field, kt_workspace_get_locale (ui->mod.workspace)));
      g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, base);
      gtk_editable_set_text (GTK_EDITABLE (entry), cases[i].typed);
      wire = kt_value_to_string (kt_editor_get_value (ui->editor, field));
      g_assert_cmpstr (wire, ==, cases[i].wire);
      kt_editor_revert (ui->editor, field);
      kt_field_editor_refresh (KT_FIELD_EDITOR (control));
      g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, base);
      g_object_unref (control);
    }
}

static void
test_choice (Ui *ui, gconstpointer data)
{
  const KtField *field = mod_field (&ui->mod, "account", "tier");
  GtkWidget *control = g_object_ref_sink (kt_field_editor_new (ui->editor, field));
  GtkDropDown *drop_down = GTK_DROP_DOWN (kt_field_editor_get_main (KT_FIELD_EDITOR (control)));

  g_assert_cmpuint (g_list_model_get_n_items (gtk_drop_down_get_model (drop_down)), ==, field->n_options + 1);
  g_assert_cmpuint (gtk_drop_down_get_selected (drop_down), ==, 0);
  gtk_drop_down_set_selected (drop_down, 3);
  g_assert_cmpstr (kt_editor_get_value (ui->editor, field)->v.text, ==, field->options[2].value);
  gtk_drop_down_set_selected (drop_down, 0);
  g_assert_true (kt_value_is_null (kt_editor_get_value (ui->editor, field)));
  g_object_unref (control);
}

static void
test_switch (Ui *ui, gconstpointer data)
{
  const KtField *field = mod_field (&ui->mod, "account", "is_person");
  GtkWidget *control = g_object_ref_sink (kt_field_editor_new (ui->editor, field));

  gtk_switch_set_active (GTK_SWITCH (kt_field_editor_get_main (KT_FIELD_EDITOR (control))), TRUE);
  g_assert_cmpint (kt_editor_get_value (ui->editor, field)->type, ==, KT_VALUE_BOOL);
  g_assert_cmpint (kt_editor_get_value (ui->editor, field)->v.integer, ==, 1);
  g_object_unref (control);
}

static void
test_area (Ui *ui, gconstpointer data)
{
  const KtField *field = mod_field (&ui->mod, "account", "description");
  GtkWidget *control = g_object_ref_sink (kt_field_editor_new (ui->editor, field));
  GtkTextView *view = GTK_TEXT_VIEW (kt_field_editor_get_main (KT_FIELD_EDITOR (control)));

  gtk_text_buffer_set_text (gtk_text_view_get_buffer (view), "one\ntwo", -1);
  g_assert_cmpstr (kt_editor_get_value (ui->editor, field)->v.text, ==, "one\ntwo");
  g_object_unref (control);
}

static void
test_tags (Ui *ui, gconstpointer data)
{
  const KtField *field = mod_field (&ui->mod, "account", "tags");
  GtkWidget *control = g_object_ref_sink (kt_field_editor_new (ui->editor, field));
  GtkWidget *entry = kt_field_editor_get_main (KT_FIELD_EDITOR (control));
  g_autofree char *wire = NULL;

  gtk_editable_set_text (GTK_EDITABLE (entry), "vip，north; old");
  g_signal_emit_by_name (entry, "activate");
  wire = kt_value_to_string (kt_editor_get_value (ui->editor, field));
  g_assert_cmpstr (wire, ==, "[\"north\",\"old\",\"vip\"]");
  g_assert_cmpuint (count (control, GTK_TYPE_FLOW_BOX_CHILD), ==, 3);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "");
  g_object_unref (control);
}

static void
test_address (Ui *ui, gconstpointer data)
{
  const KtField *field = mod_field (&ui->mod, "account", "billing_address");
  GtkWidget *control = g_object_ref_sink (kt_field_editor_new (ui->editor, field));
  GType entry_type = GTK_TYPE_ENTRY;
  g_autofree char *wire = NULL;

  gtk_editable_set_text (GTK_EDITABLE (find (control, is_type, &entry_type)), "Quay 1");
  wire = kt_value_to_string (kt_editor_get_value (ui->editor, field));
  g_assert_cmpstr (wire, ==, "{\"street\":\"Quay 1\"}");
  g_object_unref (control);
}

/* ---- form ---- */

static void
test_form_folds (Ui *ui, gconstpointer data)
{
  GtkWidget *form = kt_form_new (ui->editor);
  guint before, after;

  show (ui, form);
  g_assert_nonnull (find (form, is_row_of, "name"));
  g_assert_nonnull (find (form, is_row_of, "employee_count"));
  g_assert_null (find (form, is_row_of, "fax"));
  before = count (form, KT_TYPE_FIELD_ROW);
  g_signal_emit_by_name (find (form, is_button, "Show _All Fields"), "clicked");
  after = count (form, KT_TYPE_FIELD_ROW);
  g_assert_nonnull (find (form, is_row_of, "fax"));
  g_assert_cmpuint (after, >, before + 10);
}

static void
test_problem_in_words (Ui *ui, gconstpointer data)
{
  GtkWidget *form = kt_form_new (ui->editor);
  GtkWidget *row;
  GtkWidget *entry;

  show (ui, form);
  row = find (form, is_row_of, "employee_count");
  entry = kt_field_editor_get_main (KT_FIELD_EDITOR (find (row, is_control, NULL)));
  gtk_editable_set_text (GTK_EDITABLE (entry), "many");
  g_assert_nonnull (kt_editor_get_problem (ui->editor, mod_field (&ui->mod, "account", "employee_count")));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_nonnull (find (row, has_text, kt_editor_get_problem (ui->editor, mod_field (&ui->mod, "account", "employee_count"))));
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "many");
}

/* Somebody else's edit of a field that is being typed in is offered, not imposed. */
static void
test_theirs (Ui *ui, gconstpointer data)
{
  GtkWidget *form = kt_form_new (ui->editor);
  const KtField *field = mod_field (&ui->mod, "account", "phone");
  g_autoptr (KtRecord) other = NULL;
  GtkWidget *row, *entry;

  show (ui, form);
  row = find (form, is_row_of, "phone");
  entry = kt_field_editor_get_main (KT_FIELD_EDITOR (find (row, is_control, NULL)));
  gtk_editable_set_text (GTK_EDITABLE (entry), "+49 30 22");
  other = mod_with (&ui->mod, ui->account, "phone", "+49 30 33", NULL);
  mod_pull (&ui->mod, other, NULL);
  mod_wait_while (kt_editor_get_theirs (ui->editor, field) == NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "+49 30 22");
  g_assert_nonnull (find (row, has_text, "+49 30 33"));
  g_signal_emit_by_name (find (row, is_button, "Take Theirs"), "clicked");
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "+49 30 33");
}

/* ---- page ---- */

static void
test_page (Ui *ui, gconstpointer data)
{
  GtkWidget *page = kt_record_page_new (ui->mod.workspace, ui->editor);
  GtkWidget *entry;

  show (ui, page);
  entry = kt_field_editor_get_main (KT_FIELD_EDITOR (find (find (page, is_row_of, "name"), is_control, NULL)));
  gtk_editable_set_text (GTK_EDITABLE (entry), "Acme Ltd");
  g_assert_true (kt_editor_get_dirty (ui->editor));
  mod_wait_while (find (page, has_text, "Unsaved changes") == NULL);
  g_assert_true (gtk_widget_activate_action (page, "record.save", NULL));
  mod_wait_while (kt_editor_get_dirty (ui->editor));
  {
    g_autofree char *stored = mod_stored (&ui->mod, "account", &ui->account->id, "name");

    g_assert_cmpstr (stored, ==, "Acme Ltd");
  }
  gtk_widget_activate_action (page, "record.delete", NULL);
  mod_wait_while (find (page, has_text, "This record is in the bin.") == NULL);
  gtk_widget_activate_action (page, "record.restore", NULL);
  mod_wait_while (find (page, has_text, "This record is in the bin.") != NULL);
}

/* A wide page has both sides; a narrow one has everything in one, and can be that narrow. */
static void
test_widths (Ui *ui, gconstpointer data)
{
  GtkWidget *page = kt_record_page_new (ui->mod.workspace, ui->editor);
  int minimum;

  show (ui, page);
  mod_wait_while (find (page, has_text, "Account name") == NULL);
  g_assert_null (find (page, has_text, "Details") == NULL ? page : NULL);
  gtk_widget_measure (page, GTK_ORIENTATION_HORIZONTAL, -1, &minimum, NULL, NULL, NULL);
  g_assert_cmpint (minimum, <=, 360);
  gtk_window_set_default_size (GTK_WINDOW (ui->window), 380, 700);
  mod_wait_while (gtk_widget_get_width (page) > 600);
  mod_wait_while (find (page, has_text, "Account name") == NULL);
  mod_settle (&ui->mod);
}

static void
test_related (Ui *ui, gconstpointer data)
{
  g_autofree char *account = kt_id_to_string (&ui->account->id);
  g_autoptr (KtRecord) ann = mod_record (&ui->mod, "contact", NULL, "last_name", "Lee", "account", account, NULL);
  GPtrArray *relations = kt_editor_relations (ui->editor);
  const KtRelation *contacts = NULL;
  GtkWidget *list;

  mod_pull (&ui->mod, ann, NULL);
  for (guint i = 0; i < relations->len && contacts == NULL; i++)
    if (g_str_equal (((KtRelation *) relations->pdata[i])->object->name, "contact"))
      contacts = relations->pdata[i];
  g_assert_nonnull (contacts);
  list = kt_related_list_new (ui->mod.workspace, ui->editor, contacts);
  gtk_window_set_child (GTK_WINDOW (ui->window), list);
  gtk_window_present (GTK_WINDOW (ui->window));
  mod_wait_while (kt_editor_relation_count (ui->editor, contacts) != 1);
  mod_wait_while (count (list, GTK_TYPE_INSCRIPTION) != 2);
}

/* ---- lists ---- */

#define MANY 100000
#define PART 20000        /* what a page may carry */

static void
test_many_rows (Ui *ui, gconstpointer data)
{
  GtkWidget *page;

  for (guint from = 0; from < MANY; from += PART)
    {
      g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_record_unref);

      for (guint i = from; i < from + PART; i++)
        {
          g_autofree char *name = g_strdup_printf ("Account %06u", i);

          g_ptr_array_add (records, mod_record (&ui->mod, "account", NULL, "name", name, NULL));
        }
      mod_pull_many (&ui->mod, records, NULL);
    }
  page = kt_list_page_new (ui->mod.workspace, mod_object (&ui->mod, "account"), FALSE);
  show (ui, page);
  mod_wait_while (count (page, GTK_TYPE_INSCRIPTION) == 0);
  mod_settle (&ui->mod);
  g_assert_cmpuint (count (page, GTK_TYPE_INSCRIPTION), <, 260 * 8);
}

/* A header only says the order: it is remembered, and the rows come in it. */
static void
test_sort (Ui *ui, gconstpointer data)
{
  g_autoptr (KtRecord) zeta = mod_record (&ui->mod, "account", NULL, "name", "Zeta", NULL);
  g_autoptr (GSettings) settings = g_settings_new (KT_APP_ID);
  g_autoptr (GVariant) sorts = NULL;
  const char *sort = NULL;
  GType view_type = GTK_TYPE_COLUMN_VIEW;
  GtkColumnView *view;
  g_autoptr (GtkColumnViewColumn) name = NULL;
  GListModel *rows;
  GtkWidget *page;

  mod_pull (&ui->mod, zeta, NULL);
  page = kt_list_page_new (ui->mod.workspace, mod_object (&ui->mod, "account"), FALSE);
  show (ui, page);
  view = GTK_COLUMN_VIEW (find (page, is_type, &view_type));
  rows = G_LIST_MODEL (gtk_column_view_get_model (view));
  name = g_list_model_get_item (gtk_column_view_get_columns (view), 0);
  gtk_column_view_sort_by_column (view, name, GTK_SORT_DESCENDING);
  sorts = g_settings_get_value (settings, "sort");
  g_assert_true (g_variant_lookup (sorts, "account", "&s", &sort));
  g_assert_cmpstr (sort, ==, "-name");
  mod_wait_while (g_list_model_get_n_items (rows) != 2);
  {
    g_autoptr (KtRow) first = g_list_model_get_item (rows, 0);

    mod_wait_while (g_strcmp0 (kt_row_get_title (first), "Zeta") != 0);
  }
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  adw_init ();

#define add(name, function) g_test_add ("/ui/record/" name, Ui, NULL, set_up, function, tear_down)
  add ("controls", test_controls);
  add ("choice", test_choice);
  add ("switch", test_switch);
  add ("area", test_area);
  add ("tags", test_tags);
  add ("address", test_address);
  add ("form-folds", test_form_folds);
  add ("problem-in-words", test_problem_in_words);
  add ("theirs", test_theirs);
  add ("page", test_page);
  add ("widths", test_widths);
  add ("related", test_related);
  add ("many-rows", test_many_rows);
  add ("sort", test_sort);
#undef add
  return g_test_run ();
}
