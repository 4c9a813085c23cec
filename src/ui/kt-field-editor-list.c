/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Several values as chips, each with a button that takes it out. More come from a menu of
 * options (choices), from typing (tags), or from candidates (many). */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-field-editor-private.h"

#include <glib/gi18n.h>

#define KT_TYPE_LIST_EDITOR (_kt_list_editor_get_type ())
G_DECLARE_FINAL_TYPE (KtListEditor, _kt_list_editor, KT, LIST_EDITOR, KtFieldEditor)

struct _KtListEditor
{
  KtFieldEditor parent_instance;

  GtkWidget    *chips;        /* GtkFlowBox */
  GtkWidget    *entry;        /* tags, many */
  GtkWidget    *add;          /* choices: menu button */
  GtkWidget    *options;      /* choices: box of check buttons, made when asked for */
  KtCandidates *candidates;   /* many */
  char        **shown;        /* items and labels as the chips have them */
  char        **labels;
  guint         quiet : 1;
};

G_DEFINE_FINAL_TYPE (KtListEditor, _kt_list_editor, KT_TYPE_FIELD_EDITOR)

static G_DEFINE_QUARK (kt-list-editor-item, item)

static char **
get_items (KtListEditor *self)
{
  return kt_editor_get_items (kt_field_editor_get_editor (KT_FIELD_EDITOR (self)), kt_field_editor_get_field (KT_FIELD_EDITOR (self)));
}

static void
set_items (KtListEditor      *self,
           const char *const *items)
{
  kt_editor_set_items (kt_field_editor_get_editor (KT_FIELD_EDITOR (self)), kt_field_editor_get_field (KT_FIELD_EDITOR (self)), items);
}

static void
add_item (KtListEditor *self,
          const char   *item)
{
  g_auto (GStrv) items = get_items (self);
  g_autoptr (GPtrArray) all = g_ptr_array_new ();

  if (item[0] == '\0' || (items != NULL && g_strv_contains ((const char *const *) items, item)))
    return;
  for (guint i = 0; items != NULL && items[i] != NULL; i++)
    g_ptr_array_add (all, items[i]);
  g_ptr_array_add (all, (gpointer) item);
  g_ptr_array_add (all, NULL);
  set_items (self, (const char *const *) all->pdata);
  kt_field_editor_refresh (KT_FIELD_EDITOR (self));
}

static void
remove_item (KtListEditor *self,
             const char   *item)
{
  g_auto (GStrv) items = get_items (self);
  g_autoptr (GPtrArray) all = g_ptr_array_new ();

  for (guint i = 0; items != NULL && items[i] != NULL; i++)
    if (!g_str_equal (items[i], item))
      g_ptr_array_add (all, items[i]);
  g_ptr_array_add (all, NULL);
  set_items (self, (const char *const *) all->pdata);
  kt_field_editor_refresh (KT_FIELD_EDITOR (self));
}

static void
remove_clicked_cb (KtListEditor *self,
                   GtkButton    *button)
{
  g_autofree char *item = g_strdup (g_object_get_qdata (G_OBJECT (button), item_quark ()));

  gtk_widget_grab_focus (kt_field_editor_get_main (KT_FIELD_EDITOR (self)));
  remove_item (self, item);
}

static void
add_chip (KtListEditor *self,
          const char   *item,
          const char   *text)
{
  GtkWidget *chip = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  GtkWidget *label = gtk_label_new (text);
  GtkWidget *button = gtk_button_new_from_icon_name ("window-close-symbolic");
  GtkWidget *child = gtk_flow_box_child_new ();
  g_autofree char *what = g_strdup_printf (C_("chip", "Remove “%s”"), text);

  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 30);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_add_css_class (button, "circular");
  gtk_widget_add_css_class (chip, "kt-chip");
  g_object_set_qdata_full (G_OBJECT (button), item_quark (), g_strdup (item), g_free);
  _kt_field_editor_name_button (KT_FIELD_EDITOR (self), button, what);
  g_signal_connect_object (button, "clicked", G_CALLBACK (remove_clicked_cb), self, G_CONNECT_SWAPPED);
  gtk_box_append (GTK_BOX (chip), label);
  gtk_box_append (GTK_BOX (chip), button);
  gtk_flow_box_child_set_child (GTK_FLOW_BOX_CHILD (child), chip);
  gtk_widget_set_focusable (child, FALSE);
  gtk_widget_set_halign (child, GTK_ALIGN_START);
  gtk_flow_box_insert (GTK_FLOW_BOX (self->chips), child, -1);
}

static gboolean
same_strv (char **a,
           char **b)
{
  return a == b || (a != NULL && b != NULL && g_strv_equal ((const char *const *) a, (const char *const *) b));
}

static void
show_options (KtListEditor *self)
{
  if (self->options == NULL)
    return;
  self->quiet = TRUE;
  for (GtkWidget *check = gtk_widget_get_first_child (self->options); check != NULL; check = gtk_widget_get_next_sibling (check))
    gtk_check_button_set_active (GTK_CHECK_BUTTON (check),
                                 self->shown != NULL
                                   && g_strv_contains ((const char *const *) self->shown, g_object_get_qdata (G_OBJECT (check), item_quark ())));
  self->quiet = FALSE;
}

static void
_kt_list_editor_refresh (KtFieldEditor *base)
{
  KtListEditor *self = KT_LIST_EDITOR (base);
  g_auto (GStrv) items = get_items (self);
  g_auto (GStrv) labels = kt_editor_get_item_labels (kt_field_editor_get_editor (base), kt_field_editor_get_field (base));
  GtkWidget *child;

  if (same_strv (items, self->shown) && same_strv (labels, self->labels))
    return;
  while ((child = gtk_widget_get_first_child (self->chips)) != NULL)
    gtk_flow_box_remove (GTK_FLOW_BOX (self->chips), child);
  for (guint i = 0, n = labels != NULL ? g_strv_length (labels) : 0; items != NULL && items[i] != NULL; i++)
    add_chip (self, items[i], i < n ? labels[i] : items[i]);
  gtk_widget_set_visible (self->chips, items != NULL && items[0] != NULL);
  g_strfreev (self->shown);
  g_strfreev (self->labels);
  self->shown = g_steal_pointer (&items);
  self->labels = g_steal_pointer (&labels);
  show_options (self);
}

/* ---- choices ---- */

static void
option_toggled_cb (KtListEditor   *self,
                   GtkCheckButton *check)
{
  const char *item = g_object_get_qdata (G_OBJECT (check), item_quark ());

  if (self->quiet)
    return;
  if (gtk_check_button_get_active (check))
    add_item (self, item);
  else
    remove_item (self, item);
}

static void
make_options_cb (GtkMenuButton *button,
                 gpointer       user_data)
{
  KtListEditor *self = KT_LIST_EDITOR (user_data);
  const KtField *field = kt_field_editor_get_field (KT_FIELD_EDITOR (self));
  GtkWidget *popover, *scroller;

  if (self->options != NULL)
    return;
  popover = gtk_popover_new ();
  scroller = gtk_scrolled_window_new ();
  self->options = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  for (guint i = 0; i < field->n_options; i++)
    {
      GtkWidget *check = gtk_check_button_new_with_label (kt_option_label (&field->options[i], _kt_field_editor_locale (KT_FIELD_EDITOR (self))));

      g_object_set_qdata_full (G_OBJECT (check), item_quark (), g_strdup (field->options[i].value), g_free);
      g_signal_connect_object (check, "toggled", G_CALLBACK (option_toggled_cb), self, G_CONNECT_SWAPPED);
      gtk_box_append (GTK_BOX (self->options), check);
    }
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scroller), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scroller), 320);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), self->options);
  gtk_popover_set_child (GTK_POPOVER (popover), scroller);
  gtk_menu_button_set_popover (button, popover);
  show_options (self);
}

/* ---- typing ---- */

/* At commas and semicolons, Chinese ones too. */
static char **
split_words (const char *text)
{
  g_autoptr (GString) plain = g_string_new (text);

  g_string_replace (plain, "，", ",", 0);
  g_string_replace (plain, "；", ",", 0);
  g_string_replace (plain, "、", ",", 0);
  g_string_replace (plain, ";", ",", 0);
  return g_strsplit (plain->str, ",", -1);
}

static void
entry_activate_cb (KtListEditor *self)
{
  g_auto (GStrv) words = NULL;

  if (kt_field_editor_get_field (KT_FIELD_EDITOR (self))->type == KT_FIELD_MANY)
    return;
  words = split_words (gtk_editable_get_text (GTK_EDITABLE (self->entry)));
  if (gtk_editable_get_text (GTK_EDITABLE (self->entry))[0] == '\0')
    {
      gtk_widget_activate_action (GTK_WIDGET (self), "record.save", NULL);
      return;
    }
  gtk_editable_set_text (GTK_EDITABLE (self->entry), "");
  for (guint i = 0; words[i] != NULL; i++)
    add_item (self, g_strstrip (words[i]));
}

static void
entry_changed_cb (KtListEditor *self)
{
  if (self->candidates != NULL && !self->quiet)
    kt_candidates_ask (self->candidates, gtk_editable_get_text (GTK_EDITABLE (self->entry)));
}

static void
leave_cb (KtListEditor *self)
{
  if (self->candidates != NULL)
    {
      kt_candidates_stop (self->candidates);
      self->quiet = TRUE;
      gtk_editable_set_text (GTK_EDITABLE (self->entry), "");
      self->quiet = FALSE;
    }
  /* A word half typed was meant. */
  else if (gtk_editable_get_text (GTK_EDITABLE (self->entry))[0] != '\0')
    entry_activate_cb (self);
}

static void
chosen_cb (const KtCandidate *candidate,
           gpointer           data)
{
  KtListEditor *self = KT_LIST_EDITOR (data);
  char id[KT_ID_TEXT_SIZE];

  self->quiet = TRUE;
  gtk_editable_set_text (GTK_EDITABLE (self->entry), "");
  self->quiet = FALSE;
  kt_id_format (&candidate->id, id);
  add_item (self, id);
}

static void
_kt_list_editor_build (KtFieldEditor *base)
{
  KtListEditor *self = KT_LIST_EDITOR (base);
  const KtField *field = kt_field_editor_get_field (base);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3);
  GtkWidget *line = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 3);

  self->chips = gtk_flow_box_new ();
  gtk_flow_box_set_selection_mode (GTK_FLOW_BOX (self->chips), GTK_SELECTION_NONE);
  gtk_flow_box_set_max_children_per_line (GTK_FLOW_BOX (self->chips), 20);
  gtk_flow_box_set_column_spacing (GTK_FLOW_BOX (self->chips), 3);
  gtk_flow_box_set_row_spacing (GTK_FLOW_BOX (self->chips), 3);
  gtk_widget_set_visible (self->chips, FALSE);
  gtk_widget_set_margin_start (self->chips, 6);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->chips), GTK_ACCESSIBLE_PROPERTY_LABEL, _kt_field_editor_label (base), -1);
  gtk_box_append (GTK_BOX (box), self->chips);
  gtk_box_append (GTK_BOX (box), line);
  if (field->type == KT_FIELD_CHOICES)
    {
      self->add = gtk_menu_button_new ();
      gtk_menu_button_set_label (GTK_MENU_BUTTON (self->add), C_("several options", "Choose…"));
      gtk_menu_button_set_create_popup_func (GTK_MENU_BUTTON (self->add), make_options_cb, self, NULL);
      gtk_widget_add_css_class (self->add, "flat");
      gtk_widget_set_halign (self->add, GTK_ALIGN_START);
      gtk_box_append (GTK_BOX (line), self->add);
      _kt_field_editor_set_child (base, box, self->add);
    }
  else
    {
      GtkEventController *focus = gtk_event_controller_focus_new ();

      self->entry = gtk_entry_new ();
      gtk_widget_set_hexpand (self->entry, TRUE);
      gtk_entry_set_placeholder_text (GTK_ENTRY (self->entry), _("Add…"));
      gtk_box_append (GTK_BOX (line), self->entry);
      if (field->type == KT_FIELD_MANY)
        self->candidates = kt_candidates_new (kt_field_editor_get_editor (base), field, self->entry, chosen_cb, self);
      g_signal_connect_object (self->entry, "changed", G_CALLBACK (entry_changed_cb), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (self->entry, "activate", G_CALLBACK (entry_activate_cb), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (focus, "leave", G_CALLBACK (leave_cb), self, G_CONNECT_SWAPPED);
      gtk_widget_add_controller (self->entry, focus);
      _kt_field_editor_set_child (base, box, self->entry);
    }
}

static void
_kt_list_editor_finalize (GObject *object)
{
  KtListEditor *self = KT_LIST_EDITOR (object);

  g_strfreev (self->shown);
  g_strfreev (self->labels);

  G_OBJECT_CLASS (_kt_list_editor_parent_class)->finalize (object);
}

static void
_kt_list_editor_class_init (KtListEditorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = _kt_list_editor_finalize;
  KT_FIELD_EDITOR_CLASS (klass)->build = _kt_list_editor_build;
  KT_FIELD_EDITOR_CLASS (klass)->refresh = _kt_list_editor_refresh;
}

static void
_kt_list_editor_init (KtListEditor *self)
{
}
