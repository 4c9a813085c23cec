/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-field-row.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "ui/kt-field-editor.h"
#include "ui/kt-window.h"

struct _KtFieldRow
{
  GtkWidget parent_instance;

  /* owned */
  KtEditor      *editor;

  /* borrowed */
  const KtField *field;
  GtkWidget     *control;      /* KtFieldEditor, made when it may be edited */
  GtkWidget     *text;         /* label or link button, made when it may not */

  /* template */
  GtkWidget     *box;
  GtkLabel      *label;
  AdwBin        *control_bin, *text_bin;
  GtkLabel      *problem;
  GtkWidget     *theirs_box;
  GtkLabel      *theirs;
};

G_DEFINE_FINAL_TYPE (KtFieldRow, kt_field_row, GTK_TYPE_WIDGET)

static const char *
field_label (KtFieldRow *self)
{
  return kt_field_label (self->field, kt_workspace_get_locale (kt_editor_get_workspace (self->editor)));
}

static void
open_clicked_cb (KtFieldRow *self)
{
  const KtObject *object = NULL;
  KtId id;

  if (kt_editor_get_link (self->editor, self->field, &object, &id) && object != NULL)
    kt_navigate_record (GTK_WIDGET (self), object, &id);
}

static void
show_text (KtFieldRow *self,
           const char *reason)
{
  g_autofree char *text = kt_editor_get_display (self->editor, self->field);
  g_autofree char *spoken = NULL;
  gboolean link = self->field->storage == KT_VALUE_ID || self->field->storage == KT_VALUE_ANY;

  if (self->text == NULL)
    {
      self->text = gtk_label_new (NULL);
      gtk_label_set_xalign (GTK_LABEL (self->text), 0);
      gtk_label_set_wrap (GTK_LABEL (self->text), TRUE);
      gtk_label_set_wrap_mode (GTK_LABEL (self->text), PANGO_WRAP_WORD_CHAR);
      gtk_label_set_selectable (GTK_LABEL (self->text), !link);
      gtk_widget_add_css_class (self->text, "kt-fact");
      if (link)
        {
          GtkWidget *button = gtk_button_new ();

          gtk_button_set_child (GTK_BUTTON (button), self->text);
          gtk_widget_add_css_class (button, "flat");
          gtk_widget_set_halign (button, GTK_ALIGN_START);
          g_signal_connect_object (button, "clicked", G_CALLBACK (open_clicked_cb), self, G_CONNECT_SWAPPED);
          adw_bin_set_child (self->text_bin, button);
        }
      else
        adw_bin_set_child (self->text_bin, self->text);
    }
  gtk_label_set_text (GTK_LABEL (self->text), text[0] != '\0' ? text : "–");
  spoken = g_strdup_printf ("%s: %s", field_label (self), text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (link ? adw_bin_get_child (self->text_bin) : self->text),
                                  GTK_ACCESSIBLE_PROPERTY_LABEL, spoken, -1);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->text_bin), self->field->system ? NULL : reason);
}

static void
show_control (KtFieldRow *self)
{
  GtkWidget *main;

  if (self->control != NULL)
    {
      kt_field_editor_refresh (KT_FIELD_EDITOR (self->control));
      return;
    }
  self->control = kt_field_editor_new (self->editor, self->field);
  adw_bin_set_child (self->control_bin, self->control);
  main = kt_field_editor_get_main (KT_FIELD_EDITOR (self->control));
  gtk_label_set_mnemonic_widget (self->label, main);
  if (GTK_IS_ENTRY (main) || GTK_IS_TEXT_VIEW (main))
    gtk_accessible_update_property (GTK_ACCESSIBLE (main), GTK_ACCESSIBLE_PROPERTY_REQUIRED, (gboolean) self->field->required, -1);
}

void
kt_field_row_refresh (KtFieldRow *self)
{
  g_autofree char *reason = NULL;
  gboolean editable = kt_editor_may_edit (self->editor, self->field, &reason);
  const char *problem = kt_editor_get_problem (self->editor, self->field);
  g_autofree char *theirs = kt_editor_get_theirs_display (self->editor, self->field);

  if (editable)
    show_control (self);
  else
    show_text (self, reason);
  gtk_widget_set_visible (GTK_WIDGET (self->control_bin), editable);
  gtk_widget_set_visible (GTK_WIDGET (self->text_bin), !editable);

  gtk_widget_set_visible (GTK_WIDGET (self->problem), problem != NULL);
  gtk_label_set_text (self->problem, problem != NULL ? problem : "");
  if (self->control != NULL)
    gtk_accessible_update_state (GTK_ACCESSIBLE (kt_field_editor_get_main (KT_FIELD_EDITOR (self->control))), GTK_ACCESSIBLE_STATE_INVALID,
                                 problem != NULL ? GTK_ACCESSIBLE_INVALID_TRUE : GTK_ACCESSIBLE_INVALID_FALSE, -1);
  if (problem != NULL)
    gtk_widget_add_css_class (GTK_WIDGET (self), "error");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "error");

  gtk_widget_set_visible (self->theirs_box, theirs != NULL);
  if (theirs != NULL)
    {
      /* Translators: below a field that is being edited: somebody else has set it to %s in the meantime. */
      g_autofree char *text = g_strdup_printf (_("Changed by others meanwhile: %s"), theirs[0] != '\0' ? theirs : C_("value", "empty"));

      gtk_label_set_text (self->theirs, text);
    }
}

static void
take_theirs_cb (KtFieldRow *self)
{
  kt_editor_revert (self->editor, self->field);
}

static gboolean
key_cb (KtFieldRow      *self,
        guint            keyval,
        guint            keycode,
        GdkModifierType  state)
{
  if (keyval != GDK_KEY_Escape || !kt_editor_is_touched (self->editor, self->field))
    return FALSE;
  kt_editor_revert (self->editor, self->field);
  return TRUE;
}

static gboolean
kt_field_row_grab_focus (GtkWidget *widget)
{
  KtFieldRow *self = KT_FIELD_ROW (widget);

  return self->control != NULL && gtk_widget_get_visible (GTK_WIDGET (self->control_bin)) && gtk_widget_grab_focus (self->control);
}

static void
kt_field_row_dispose (GObject *object)
{
  KtFieldRow *self = KT_FIELD_ROW (object);

  g_clear_object (&self->editor);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_FIELD_ROW);

  G_OBJECT_CLASS (kt_field_row_parent_class)->dispose (object);
}

static void
kt_field_row_class_init (KtFieldRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_field_row_dispose;
  widget_class->grab_focus = kt_field_row_grab_focus;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-field-row.ui");
  gtk_widget_class_bind_template_child (widget_class, KtFieldRow, box);
  gtk_widget_class_bind_template_child (widget_class, KtFieldRow, label);
  gtk_widget_class_bind_template_child (widget_class, KtFieldRow, control_bin);
  gtk_widget_class_bind_template_child (widget_class, KtFieldRow, text_bin);
  gtk_widget_class_bind_template_child (widget_class, KtFieldRow, problem);
  gtk_widget_class_bind_template_child (widget_class, KtFieldRow, theirs_box);
  gtk_widget_class_bind_template_child (widget_class, KtFieldRow, theirs);
  gtk_widget_class_bind_template_callback (widget_class, take_theirs_cb);
  gtk_widget_class_bind_template_callback (widget_class, key_cb);
}

static void
kt_field_row_init (KtFieldRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
kt_field_row_new (KtEditor      *editor,
                  const KtField *field)
{
  KtFieldRow *self = g_object_new (KT_TYPE_FIELD_ROW, NULL);

  self->editor = g_object_ref (editor);
  self->field = field;
  if (field->required && !field->computed)
    {
      g_autofree char *text = g_strconcat (field_label (self), " *", NULL);

      gtk_label_set_text (self->label, text);
    }
  else
    gtk_label_set_text (self->label, field_label (self));
  kt_field_row_refresh (self);
  return GTK_WIDGET (self);
}

const KtField *
kt_field_row_get_field (KtFieldRow *self)
{
  return self->field;
}
