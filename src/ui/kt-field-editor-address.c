/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-field-editor-private.h"

#include "model/kt-layout.h"
#include "ui/kt-form-grid.h"

#define MAX_PARTS 8

#define KT_TYPE_ADDRESS_EDITOR (_kt_address_editor_get_type ())
G_DECLARE_FINAL_TYPE (KtAddressEditor, _kt_address_editor, KT, ADDRESS_EDITOR, KtFieldEditor)

struct _KtAddressEditor
{
  KtFieldEditor parent_instance;

  GtkWidget    *entries[MAX_PARTS];
  const char   *parts[MAX_PARTS];
  guint         n;
  guint         quiet : 1;
  guint         typing : 1;
};

G_DEFINE_FINAL_TYPE (KtAddressEditor, _kt_address_editor, KT_TYPE_FIELD_EDITOR)

static void
_kt_address_editor_refresh (KtFieldEditor *base)
{
  KtAddressEditor *self = KT_ADDRESS_EDITOR (base);

  if (self->typing)
    return;
  self->quiet = TRUE;
  for (guint i = 0; i < self->n; i++)
    {
      g_autofree char *text = kt_editor_get_part (kt_field_editor_get_editor (base), kt_field_editor_get_field (base), self->parts[i]);

      if (g_strcmp0 (text, gtk_editable_get_text (GTK_EDITABLE (self->entries[i]))) != 0)
        gtk_editable_set_text (GTK_EDITABLE (self->entries[i]), text != NULL ? text : "");
    }
  self->quiet = FALSE;
}

static void
changed_cb (KtAddressEditor *self,
            GtkEditable     *entry)
{
  KtFieldEditor *base = KT_FIELD_EDITOR (self);

  if (self->quiet)
    return;
  self->typing = TRUE;
  for (guint i = 0; i < self->n; i++)
    if (self->entries[i] == GTK_WIDGET (entry))
      kt_editor_set_part (kt_field_editor_get_editor (base), kt_field_editor_get_field (base), self->parts[i], gtk_editable_get_text (entry));
  self->typing = FALSE;
}

static void
activate_cb (KtAddressEditor *self)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "record.save", NULL);
}

static void
_kt_address_editor_build (KtFieldEditor *base)
{
  KtAddressEditor *self = KT_ADDRESS_EDITOR (base);
  const char *const *parts = kt_layout_address_parts (_kt_field_editor_locale (base));
  GtkWidget *grid = kt_form_grid_new (150, 4);
  GtkWidget *previous = NULL;

  for (self->n = 0; parts[self->n] != NULL && self->n < MAX_PARTS; self->n++)
    {
      GtkWidget *entry = gtk_entry_new ();
      const char *label = kt_layout_address_part_label (parts[self->n]);
      g_autofree char *name = g_strdup_printf ("%s: %s", _kt_field_editor_label (base), label);

      self->parts[self->n] = parts[self->n];
      self->entries[self->n] = entry;
      gtk_entry_set_placeholder_text (GTK_ENTRY (entry), label);
      gtk_widget_set_tooltip_text (entry, label);
      gtk_editable_set_width_chars (GTK_EDITABLE (entry), 4);
      gtk_accessible_update_property (GTK_ACCESSIBLE (entry), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
      g_signal_connect_object (entry, "changed", G_CALLBACK (changed_cb), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (entry, "activate", G_CALLBACK (activate_cb), self, G_CONNECT_SWAPPED);
      kt_form_grid_insert (KT_FORM_GRID (grid), entry, previous, g_str_equal (parts[self->n], "street"));
      previous = entry;
    }
  _kt_field_editor_set_child (base, grid, grid);
}

static gboolean
_kt_address_editor_grab_focus (GtkWidget *widget)
{
  return gtk_widget_grab_focus (KT_ADDRESS_EDITOR (widget)->entries[0]);
}

static void
_kt_address_editor_class_init (KtAddressEditorClass *klass)
{
  GTK_WIDGET_CLASS (klass)->grab_focus = _kt_address_editor_grab_focus;
  KT_FIELD_EDITOR_CLASS (klass)->build = _kt_address_editor_build;
  KT_FIELD_EDITOR_CLASS (klass)->refresh = _kt_address_editor_refresh;
}

static void
_kt_address_editor_init (KtAddressEditor *self)
{
}
