/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The steps follow the job's state; the window decides nothing by itself. A try
 * always comes before the real run, so that nobody imports blind.          */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-import-assistant.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>

#include "model/kt-import-job.h"
#include "ui/kt-window.h"

#define PROBLEMS_SHOWN 200

struct _KtImportAssistant
{
  AdwWindow parent_instance;

  /* owned */
  KtWorkspace *workspace;
  KtImportJob *job;
  char        *report_path;
  GPtrArray   *match_paths;       /* char*: paths behind the entries of match_row after the first */
  GCancellable *cancellable;

  /* borrowed */
  const KtObject *object;

  /* template */
  AdwToastOverlay *toasts;
  AdwWindowTitle  *title;
  GtkStack        *stack;
  GtkButton       *back_button, *next_button;
  GtkLabel        *file_label;
  GtkListBox      *columns;
  AdwComboRow     *match_row;
  GtkSwitch       *create_switch;
  GtkLabel        *hint;
  GtkLabel        *tried_label;
  GtkListBox      *problems;
  GtkWidget       *problems_box;
  GtkProgressBar  *progress;
  GtkLabel        *progress_label;
  AdwStatusPage   *done_page, *failed_page;
  GtkWidget       *show_button, *undo_button, *report_button;

  /* state */
  guint            filling : 1;
};

static void kt_import_assistant_toplevel_init (KtToplevelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KtImportAssistant, kt_import_assistant, ADW_TYPE_WINDOW,
                               G_IMPLEMENT_INTERFACE (KT_TYPE_TOPLEVEL, kt_import_assistant_toplevel_init))

/* ---- mapping ---- */

static void
target_selected_cb (GtkDropDown       *drop_down,
                    GParamSpec        *pspec,
                    KtImportAssistant *self)
{
  guint column = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (drop_down), "kt-column"));
  guint selected = gtk_drop_down_get_selected (drop_down);

  if (self->filling)
    return;
  kt_import_job_set_column_field (self->job, column, selected == 0 ? NULL : kt_import_job_target_path (self->job, selected - 1));
}

static guint
position_of_target (KtImportAssistant *self,
                    const char        *path)
{
  for (guint i = 0; path != NULL && i < kt_import_job_n_targets (self->job); i++)
    if (g_strcmp0 (kt_import_job_target_path (self->job, i), path) == 0)
      return i + 1;
  return 0;
}

static char *
samples_of (KtImportAssistant *self,
            guint              column)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < 3; i++)
    {
      const char *sample = kt_import_job_column_sample (self->job, column, i);

      if (sample[0] != '\0')
        g_string_append_printf (text, "%s%s", text->len > 0 ? " · " : "", sample);
    }
  return g_markup_escape_text (text->str, -1);
}

static void
add_column_row (KtImportAssistant *self,
                GtkStringList     *targets,
                guint              column)
{
  GtkWidget *row = adw_action_row_new ();
  GtkExpression *expression = gtk_property_expression_new (GTK_TYPE_STRING_OBJECT, NULL, "string");
  GtkWidget *drop_down = gtk_drop_down_new (g_object_ref (G_LIST_MODEL (targets)), expression);
  const char *name = kt_import_job_column_name (self->job, column);
  g_autofree char *markup = g_markup_escape_text (name, -1);
  g_autofree char *samples = samples_of (self, column);
  /* Translators: %s is the heading of a column in the file */
  g_autofree char *spoken = g_strdup_printf (_("Field for column %s"), name);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), markup);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), samples);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 1);
  gtk_drop_down_set_enable_search (GTK_DROP_DOWN (drop_down), TRUE);
  gtk_drop_down_set_selected (GTK_DROP_DOWN (drop_down),
                              position_of_target (self, kt_import_job_column_field (self->job, column)));
  gtk_widget_set_valign (drop_down, GTK_ALIGN_CENTER);
  gtk_widget_set_size_request (drop_down, 180, -1);
  g_object_set_data (G_OBJECT (drop_down), "kt-column", GUINT_TO_POINTER (column));
  gtk_accessible_update_property (GTK_ACCESSIBLE (drop_down), GTK_ACCESSIBLE_PROPERTY_LABEL, spoken, -1);
  g_signal_connect_object (drop_down, "notify::selected", G_CALLBACK (target_selected_cb), self, 0);
  g_object_set_data (G_OBJECT (row), "kt-drop-down", drop_down);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), drop_down);
  gtk_list_box_append (self->columns, row);
}

static void
empty_list (GtkListBox *list)
{
  GtkWidget *child;

  while ((child = gtk_widget_get_first_child (GTK_WIDGET (list))) != NULL)
    gtk_list_box_remove (list, child);
}

static void
fill_match (KtImportAssistant *self)
{
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);
  guint selected = 0;

  g_ptr_array_set_size (self->match_paths, 0);
  gtk_string_list_append (names, _("Always make new records"));
  for (guint i = 0; i < kt_import_job_n_targets (self->job); i++)
    {
      const char *path = kt_import_job_target_path (self->job, i);

      if (!kt_import_job_target_may_match (self->job, i))
        continue;
      g_ptr_array_add (self->match_paths, g_strdup (path));
      gtk_string_list_append (names, kt_import_job_target_label (self->job, i));
      if (g_strcmp0 (path, kt_import_job_get_match (self->job)) == 0)
        selected = self->match_paths->len;
    }
  adw_combo_row_set_model (self->match_row, G_LIST_MODEL (names));
  adw_combo_row_set_selected (self->match_row, selected);
}

static void
fill_mapping (KtImportAssistant *self)
{
  g_autoptr (GtkStringList) targets = gtk_string_list_new (NULL);
  g_autofree char *described = kt_import_job_describe_file (self->job);

  self->filling = TRUE;
  gtk_label_set_text (self->file_label, described);
  gtk_string_list_append (targets, _("Leave out"));
  for (guint i = 0; i < kt_import_job_n_targets (self->job); i++)
    gtk_string_list_append (targets, kt_import_job_target_label (self->job, i));
  empty_list (self->columns);
  for (guint i = 0; i < kt_import_job_n_columns (self->job); i++)
    add_column_row (self, targets, i);
  fill_match (self);
  gtk_switch_set_active (self->create_switch, kt_import_job_get_create_missing (self->job));
  self->filling = FALSE;
}

/* Only what may have followed from a choice; the drop-downs stay where the person is. */
static void
mapping_changed_cb (KtImportAssistant *self)
{
  if (self->filling)
    return;
  self->filling = TRUE;
  for (guint i = 0; i < kt_import_job_n_columns (self->job); i++)
    {
      GtkListBoxRow *row = gtk_list_box_get_row_at_index (self->columns, (int) i);
      GtkWidget *drop_down = row != NULL ? g_object_get_data (G_OBJECT (row), "kt-drop-down") : NULL;

      if (drop_down != NULL)
        gtk_drop_down_set_selected (GTK_DROP_DOWN (drop_down),
                                    position_of_target (self, kt_import_job_column_field (self->job, i)));
    }
  fill_match (self);
  self->filling = FALSE;
}

static void
match_changed_cb (KtImportAssistant *self)
{
  guint selected = adw_combo_row_get_selected (self->match_row);

  if (self->filling || self->job == NULL)
    return;
  kt_import_job_set_match (self->job, selected == 0 || selected > self->match_paths->len
                                        ? NULL : g_ptr_array_index (self->match_paths, selected - 1));
}

static gboolean
create_missing_cb (KtImportAssistant *self,
                   gboolean           active)
{
  if (!self->filling && self->job != NULL)
    kt_import_job_set_create_missing (self->job, active);
  return FALSE;
}

/* ---- results ---- */

static char *
counts_text (KtImportAssistant *self)
{
  KtImportCounts counts;
  g_autoptr (GString) text = g_string_new (NULL);

  kt_import_job_get_counts (self->job, &counts);
  g_string_append_printf (text, ngettext ("%d new", "%d new", (gulong) counts.created), (int) counts.created);
  g_string_append (text, " · ");
  g_string_append_printf (text, ngettext ("%d changed", "%d changed", (gulong) counts.updated), (int) counts.updated);
  g_string_append (text, " · ");
  g_string_append_printf (text, ngettext ("%d unchanged", "%d unchanged", (gulong) counts.unchanged), (int) counts.unchanged);
  g_string_append (text, " · ");
  g_string_append_printf (text, ngettext ("%d rejected", "%d rejected", (gulong) counts.failed), (int) counts.failed);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
fill_problems (KtImportAssistant *self)
{
  guint n = kt_import_job_n_problems (self->job);

  empty_list (self->problems);
  for (guint i = 0; i < MIN (n, PROBLEMS_SHOWN); i++)
    {
      GtkWidget *label = gtk_label_new (kt_import_job_problem (self->job, i));

      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_label_set_wrap (GTK_LABEL (label), TRUE);
      gtk_label_set_selectable (GTK_LABEL (label), TRUE);
      gtk_widget_set_margin_top (label, 6);
      gtk_widget_set_margin_bottom (label, 6);
      gtk_widget_set_margin_start (label, 12);
      gtk_widget_set_margin_end (label, 12);
      gtk_list_box_append (self->problems, label);
    }
  gtk_widget_set_visible (self->problems_box, n > 0);
}

static void
show_next (KtImportAssistant *self,
           const char        *label,
           gboolean           suggested)
{
  gtk_widget_set_visible (GTK_WIDGET (self->next_button), label != NULL);
  if (label == NULL)
    return;
  gtk_button_set_label (self->next_button, label);
  if (suggested)
    gtk_widget_add_css_class (GTK_WIDGET (self->next_button), "suggested-action");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->next_button), "suggested-action");
}

static void
show_hint (KtImportAssistant *self)
{
  const char *hint = kt_import_job_get_hint (self->job);
  KtImportState state = kt_import_job_get_state (self->job);

  gtk_label_set_text (self->hint, hint != NULL ? hint : "");
  gtk_widget_set_visible (GTK_WIDGET (self->hint), hint != NULL);
  gtk_widget_set_sensitive (GTK_WIDGET (self->next_button), state != KT_IMPORT_MAPPING || hint == NULL);
}

static void
show_done (KtImportAssistant *self,
           gboolean           undone)
{
  g_autofree char *counts = undone ? NULL : counts_text (self);

  adw_status_page_set_icon_name (self->done_page, undone ? "edit-undo-symbolic" : "kt-sync-ok-symbolic");
  adw_status_page_set_title (self->done_page, undone ? _("The Import Was Taken Back") : _("Import Finished"));
  adw_status_page_set_description (self->done_page, counts);
  gtk_widget_set_visible (self->undo_button, !undone && kt_import_job_can_undo (self->job));
  gtk_widget_set_visible (self->report_button, !undone && kt_import_job_get_report (self->job) != NULL);
}

static void
progress_cb (KtImportAssistant *self)
{
  double fraction = 0;
  guint64 rows = 0;
  g_autofree char *text = NULL;

  g_object_get (self->job, "fraction", &fraction, "rows", &rows, NULL);
  gtk_progress_bar_set_fraction (self->progress, CLAMP (fraction, 0, 1));
  text = g_strdup_printf (ngettext ("%d row", "%d rows", (gulong) rows), (int) rows);
  gtk_label_set_text (self->progress_label, text);
}

static void
state_changed_cb (KtImportAssistant *self)
{
  const char *page = "running";
  gboolean may_go_back = FALSE;

  switch (kt_import_job_get_state (self->job))
    {
    case KT_IMPORT_READING:
    case KT_IMPORT_TRYING:
    case KT_IMPORT_RUNNING:
      show_next (self, NULL, FALSE);
      progress_cb (self);
      break;
    case KT_IMPORT_MAPPING:
      page = "mapping";
      if (gtk_list_box_get_row_at_index (self->columns, 0) == NULL)
        fill_mapping (self);
      show_next (self, _("_Try It"), TRUE);
      break;
    case KT_IMPORT_TRIED:
      {
        KtImportCounts counts;
        g_autofree char *text = counts_text (self);

        page = "tried";
        may_go_back = TRUE;
        kt_import_job_get_counts (self->job, &counts);
        gtk_label_set_text (self->tried_label, text);
        fill_problems (self);
        show_next (self, counts.created + counts.updated > 0 ? _("_Import") : NULL, TRUE);
        break;
      }
    case KT_IMPORT_DONE:
    case KT_IMPORT_UNDONE:
      page = "done";
      show_done (self, kt_import_job_get_state (self->job) == KT_IMPORT_UNDONE);
      show_next (self, _("_Close"), FALSE);
      break;
    case KT_IMPORT_FAILED:
    default:
      {
        const GError *error = kt_import_job_get_error (self->job);
        g_autofree char *text = g_markup_escape_text (error != NULL ? error->message : "", -1);

        page = "failed";
        adw_status_page_set_description (self->failed_page, text);
        show_next (self, _("_Close"), FALSE);
        break;
      }
    }
  gtk_widget_set_visible (GTK_WIDGET (self->back_button), may_go_back);
  gtk_stack_set_visible_child_name (self->stack, page);
  show_hint (self);
}

/* ---- commands ---- */

static void
next_clicked_cb (KtImportAssistant *self)
{
  switch (kt_import_job_get_state (self->job))
    {
    case KT_IMPORT_MAPPING:
      kt_import_job_try (self->job);
      break;
    case KT_IMPORT_TRIED:
      kt_import_job_run (self->job, self->report_path);
      break;
    default:
      gtk_window_close (GTK_WINDOW (self));
      break;
    }
}

static void
back_clicked_cb (KtImportAssistant *self)
{
  gtk_stack_set_visible_child_name (self->stack, "mapping");
  gtk_widget_set_visible (GTK_WIDGET (self->back_button), FALSE);
  /* Choosing anything brings the job back to mapping; the try can also be repeated as it is. */
  kt_import_job_set_match (self->job, kt_import_job_get_match (self->job));
}

static void
cancel_clicked_cb (KtImportAssistant *self)
{
  kt_import_job_cancel (self->job);
}

static void
undo_clicked_cb (KtImportAssistant *self)
{
  kt_import_job_undo (self->job);
}

static void
show_clicked_cb (KtImportAssistant *self)
{
  GtkWindow *parent = gtk_window_get_transient_for (GTK_WINDOW (self));

  if (parent != NULL)
    kt_navigate_list (GTK_WIDGET (parent), self->object);
  gtk_window_close (GTK_WINDOW (self));
}

static void
report_saved_cb (GObject      *object,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  g_autoptr (KtImportAssistant) self = KT_IMPORT_ASSISTANT (user_data);
  g_autoptr (GError) error = NULL;

  if (g_file_copy_finish (G_FILE (object), result, &error))
    kt_toast_text (GTK_WIDGET (self), _("The report was saved."));
  else
    kt_toast_error (GTK_WIDGET (self), error);
}

static void
report_chosen_cb (GtkNativeDialog   *dialog,
                  int                response,
                  KtImportAssistant *self)
{
  if (response == GTK_RESPONSE_ACCEPT && kt_import_job_get_report (self->job) != NULL)
    {
      g_autoptr (GFile) target = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));
      g_autoptr (GFile) report = g_file_new_for_path (kt_import_job_get_report (self->job));

      g_file_copy_async (report, target, G_FILE_COPY_OVERWRITE, G_PRIORITY_DEFAULT, self->cancellable, NULL, NULL, report_saved_cb,
                         g_object_ref (self));
    }
  gtk_native_dialog_destroy (dialog);
  g_object_unref (dialog);
}

static void
report_clicked_cb (KtImportAssistant *self)
{
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (_("Rejected Rows"), GTK_WINDOW (self), GTK_FILE_CHOOSER_ACTION_SAVE,
                                                              _("_Save"), _("_Cancel"));

  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), _("rejected.csv"));
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect_object (dialog, "response", G_CALLBACK (report_chosen_cb), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

/* ---- the file ---- */

static void
start_job (KtImportAssistant *self,
           const char        *path)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *dir = g_build_filename (g_get_user_cache_dir (), "kontor", NULL);
  g_autofree char *report = g_strdup_printf ("rejected-%" G_GINT64_FORMAT ".csv", g_get_real_time ());

  g_mkdir_with_parents (dir, 0700);
  self->report_path = g_build_filename (dir, report, NULL);
  adw_window_title_set_subtitle (self->title, name);
  self->job = kt_import_job_new (self->workspace, self->object, path);
  g_signal_connect_object (self->job, "notify::state", G_CALLBACK (state_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->job, "notify::hint", G_CALLBACK (show_hint), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->job, "notify::fraction", G_CALLBACK (progress_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->job, "notify::rows", G_CALLBACK (progress_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->job, "mapping-changed", G_CALLBACK (mapping_changed_cb), self, G_CONNECT_SWAPPED);
  state_changed_cb (self);
}

static void
file_chosen_cb (GtkNativeDialog   *dialog,
                int                response,
                KtImportAssistant *self)
{
  g_autoptr (GFile) file = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog)) : NULL;
  g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;

  gtk_native_dialog_destroy (dialog);
  g_object_unref (dialog);
  if (path != NULL)
    start_job (self, path);
}

static void
choose_clicked_cb (KtImportAssistant *self)
{
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (_("Choose a Table"), GTK_WINDOW (self), GTK_FILE_CHOOSER_ACTION_OPEN,
                                                              _("_Open"), _("_Cancel"));
  g_autoptr (GtkFileFilter) tables = gtk_file_filter_new ();
  g_autoptr (GtkFileFilter) all = gtk_file_filter_new ();

  gtk_file_filter_set_name (tables, _("Tables (CSV, TSV)"));
  gtk_file_filter_add_suffix (tables, "csv");
  gtk_file_filter_add_suffix (tables, "tsv");
  gtk_file_filter_add_suffix (tables, "txt");
  gtk_file_filter_set_name (all, _("All files"));
  gtk_file_filter_add_pattern (all, "*");
  gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog), tables);
  gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog), all);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect_object (dialog, "response", G_CALLBACK (file_chosen_cb), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static gboolean
drop_cb (KtImportAssistant *self,
         const GValue      *value)
{
  GSList *files = g_value_get_boxed (value);
  g_autofree char *path = files != NULL ? g_file_get_path (files->data) : NULL;

  if (path == NULL || self->job != NULL)
    return FALSE;
  start_job (self, path);
  return TRUE;
}

/* ---- overrides ---- */

static AdwToastOverlay *
kt_import_assistant_get_toasts (KtToplevel *toplevel)
{
  return KT_IMPORT_ASSISTANT (toplevel)->toasts;
}

static void
kt_import_assistant_toplevel_init (KtToplevelInterface *iface)
{
  iface->get_toasts = kt_import_assistant_get_toasts;
}

/* Work is stopped first, and what came of it is shown; the next time the window closes. */
static gboolean
kt_import_assistant_close_request (GtkWindow *window)
{
  KtImportAssistant *self = KT_IMPORT_ASSISTANT (window);
  KtImportState state = self->job != NULL ? kt_import_job_get_state (self->job) : KT_IMPORT_DONE;

  if (state == KT_IMPORT_TRYING || state == KT_IMPORT_RUNNING)
    {
      kt_import_job_cancel (self->job);
      return TRUE;
    }
  return GTK_WINDOW_CLASS (kt_import_assistant_parent_class)->close_request (window);
}

static void
kt_import_assistant_dispose (GObject *object)
{
  KtImportAssistant *self = KT_IMPORT_ASSISTANT (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  if (self->job != NULL)
    kt_import_job_cancel (self->job);
  g_clear_object (&self->job);
  if (self->report_path != NULL)
    g_unlink (self->report_path);
  g_clear_pointer (&self->report_path, g_free);
  g_clear_pointer (&self->match_paths, g_ptr_array_unref);
  g_clear_object (&self->workspace);

  G_OBJECT_CLASS (kt_import_assistant_parent_class)->dispose (object);
}

static void
kt_import_assistant_class_init (KtImportAssistantClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_import_assistant_dispose;
  GTK_WINDOW_CLASS (klass)->close_request = kt_import_assistant_close_request;

  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_w, GDK_CONTROL_MASK, "window.close", NULL);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-import-assistant.ui");
#define BIND(name) gtk_widget_class_bind_template_child (widget_class, KtImportAssistant, name)
  BIND (toasts);
  BIND (title);
  BIND (stack);
  BIND (back_button);
  BIND (next_button);
  BIND (file_label);
  BIND (columns);
  BIND (match_row);
  BIND (create_switch);
  BIND (hint);
  BIND (tried_label);
  BIND (problems);
  BIND (problems_box);
  BIND (progress);
  BIND (progress_label);
  BIND (done_page);
  BIND (failed_page);
  BIND (show_button);
  BIND (undo_button);
  BIND (report_button);
#undef BIND
  gtk_widget_class_bind_template_callback (widget_class, next_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, back_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, cancel_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, undo_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, show_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, report_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, choose_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, match_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, create_missing_cb);
}

static void
kt_import_assistant_init (KtImportAssistant *self)
{
  GtkDropTarget *drop = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);

  self->cancellable = g_cancellable_new ();
  self->match_paths = g_ptr_array_new_with_free_func (g_free);
  gtk_widget_init_template (GTK_WIDGET (self));
  g_signal_connect_object (drop, "drop", G_CALLBACK (drop_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drop));
}

GtkWindow *
kt_import_assistant_new (GtkWindow      *parent,
                         KtWorkspace    *workspace,
                         const KtObject *object,
                         const char     *path)
{
  KtImportAssistant *self = g_object_new (KT_TYPE_IMPORT_ASSISTANT, "transient-for", parent, NULL);
  /* Translators: %s is a kind of record in the plural: "Import Accounts" */
  g_autofree char *title = g_strdup_printf (_("Import %s"), kt_object_plural (object, kt_workspace_get_locale (workspace)));

  self->workspace = g_object_ref (workspace);
  self->object = object;
  adw_window_title_set_title (self->title, title);
  gtk_window_set_title (GTK_WINDOW (self), title);
  if (path != NULL)
    start_job (self, path);
  return GTK_WINDOW (self);
}
