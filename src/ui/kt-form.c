/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-form.h"

#include <glib/gi18n.h>

#include "model/kt-layout.h"
#include "ui/kt-field-editor.h"
#include "ui/kt-field-row.h"
#include "ui/kt-form-grid.h"

#define COLUMN_WIDTH 260
#define MAX_COLUMNS 3

typedef struct
{
  const KtField *field;
  GtkWidget     *row;          /* NULL: not shown yet */
} Slot;

typedef struct
{
  GtkWidget *box;              /* heading and grid */
  GtkWidget *grid;
  GArray    *slots;
  gboolean   open;             /* rows may be made */
} Section;

struct _KtForm
{
  GtkWidget parent_instance;

  /* owned */
  KtEditor   *editor;
  GPtrArray  *sections;
  GHashTable *asked;           /* KtField: shown though empty */

  /* template */
  GtkWidget  *box;
  GtkWidget  *sections_box;
  GtkWidget  *more;            /* "Show all fields" */

  /* state */
  guint       all : 1;
};

G_DEFINE_FINAL_TYPE (KtForm, kt_form, GTK_TYPE_WIDGET)

static void
section_free (Section *section)
{
  g_array_unref (section->slots);
  g_free (section);
}

static gboolean
is_empty (KtForm        *self,
          const KtField *field)
{
  const KtValue *value = kt_editor_get_value (self->editor, field);

  return value->type == KT_VALUE_NULL || (value->type == KT_VALUE_BOOL && value->v.integer == 0);
}

static gboolean
wanted (KtForm        *self,
        const KtField *field)
{
  if (self->all || g_hash_table_contains (self->asked, field) || kt_editor_get_problem (self->editor, field) != NULL)
    return TRUE;
  if (kt_editor_get_is_new (self->editor))
    return kt_editor_is_touched (self->editor, field)
           || (!is_empty (self, field) && !field->system && !field->computed);
  return field->required || !is_empty (self, field) || kt_editor_is_touched (self->editor, field);
}

/* What stands there is text to read; what is made anew is a form to fill in. */
static void
show_mode (KtForm *self)
{
  gboolean is_new = kt_editor_get_is_new (self->editor);

  gtk_widget_remove_css_class (GTK_WIDGET (self), is_new ? "kt-reading" : "kt-writing");
  gtk_widget_add_css_class (GTK_WIDGET (self), is_new ? "kt-writing" : "kt-reading");
}

/* Makes the rows that are wanted now. What is shown once stays: nothing jumps while one types. */
static void
fill (KtForm *self)
{
  gboolean folded = FALSE;

  for (guint i = 0; i < self->sections->len; i++)
    {
      Section *section = self->sections->pdata[i];
      GtkWidget *previous = NULL;

      for (guint j = 0; j < section->slots->len; j++)
        {
          Slot *slot = &g_array_index (section->slots, Slot, j);

          if (slot->row == NULL && section->open && wanted (self, slot->field))
            {
              slot->row = kt_field_row_new (self->editor, slot->field);
              kt_form_grid_insert (KT_FORM_GRID (section->grid), slot->row, previous, kt_field_editor_is_wide (slot->field));
            }
          if (slot->row != NULL)
            previous = slot->row;
          else if (section->open)
            folded = TRUE;
        }
      gtk_widget_set_visible (section->box, previous != NULL || !section->open);
    }
  gtk_widget_set_visible (self->more, folded);
}

static void
field_changed_cb (KtForm        *self,
                  const KtField *field)
{
  for (guint i = 0; i < self->sections->len; i++)
    {
      Section *section = self->sections->pdata[i];

      for (guint j = 0; j < section->slots->len; j++)
        {
          Slot *slot = &g_array_index (section->slots, Slot, j);

          /* The field may be of a newer schema. */
          if (slot->row != NULL && (field == NULL || slot->field == field || slot->field->name == field->name))
            kt_field_row_refresh (KT_FIELD_ROW (slot->row));
        }
    }
  fill (self);
}

static void
expanded_cb (GtkExpander *expander,
             GParamSpec  *pspec,
             KtForm      *self)
{
  for (guint i = 0; i < self->sections->len; i++)
    {
      Section *section = self->sections->pdata[i];

      if (section->box == GTK_WIDGET (expander))
        section->open = TRUE;
    }
  fill (self);
}

static void
more_clicked_cb (KtForm *self)
{
  self->all = TRUE;
  fill (self);
}

static void
add_section (KtForm          *self,
             const KtSection *from)
{
  Section *section = g_new0 (Section, 1);

  section->slots = g_array_sized_new (FALSE, TRUE, sizeof (Slot), from->n_fields);
  for (guint i = 0; i < from->n_fields; i++)
    {
      Slot slot = { from->fields[i], NULL };

      g_array_append_val (section->slots, slot);
    }
  section->open = !from->closed;
  section->grid = kt_form_grid_new (COLUMN_WIDTH, MAX_COLUMNS);
  gtk_accessible_update_property (GTK_ACCESSIBLE (section->grid), GTK_ACCESSIBLE_PROPERTY_LABEL, from->label, -1);
  if (from->closed)
    {
      GtkWidget *expander = gtk_expander_new (from->label);

      gtk_expander_set_child (GTK_EXPANDER (expander), section->grid);
      gtk_accessible_update_property (GTK_ACCESSIBLE (expander), GTK_ACCESSIBLE_PROPERTY_LABEL, from->label, -1);
      g_signal_connect_object (expander, "notify::expanded", G_CALLBACK (expanded_cb), self, 0);
      gtk_widget_set_margin_start (expander, 9);
      section->box = expander;
    }
  else
    {
      GtkWidget *heading = gtk_label_new (from->label);

      section->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
      gtk_label_set_xalign (GTK_LABEL (heading), 0);
      gtk_widget_add_css_class (heading, "heading");
      gtk_widget_add_css_class (heading, "kt-field-label");
      gtk_box_append (GTK_BOX (section->box), heading);
      gtk_box_append (GTK_BOX (section->box), section->grid);
    }
  gtk_box_append (GTK_BOX (self->sections_box), section->box);
  g_ptr_array_add (self->sections, section);
}

static void
kt_form_dispose (GObject *object)
{
  KtForm *self = KT_FORM (object);

  g_clear_object (&self->editor);
  g_clear_pointer (&self->asked, g_hash_table_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_FORM);

  G_OBJECT_CLASS (kt_form_parent_class)->dispose (object);
}

static void
kt_form_finalize (GObject *object)
{
  g_clear_pointer (&KT_FORM (object)->sections, g_ptr_array_unref);

  G_OBJECT_CLASS (kt_form_parent_class)->finalize (object);
}

static void
kt_form_class_init (KtFormClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_form_dispose;
  G_OBJECT_CLASS (klass)->finalize = kt_form_finalize;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-form.ui");
  gtk_widget_class_bind_template_child (widget_class, KtForm, box);
  gtk_widget_class_bind_template_child (widget_class, KtForm, sections_box);
  gtk_widget_class_bind_template_child (widget_class, KtForm, more);
  gtk_widget_class_bind_template_callback (widget_class, more_clicked_cb);
}

static void
kt_form_init (KtForm *self)
{
  self->sections = g_ptr_array_new_with_free_func ((GDestroyNotify) section_free);
  self->asked = g_hash_table_new (NULL, NULL);
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
kt_form_new (KtEditor *editor)
{
  KtForm *self = g_object_new (KT_TYPE_FORM, NULL);
  const KtObject *object = kt_editor_get_object (editor);
  g_autoptr (GPtrArray) sections = kt_layout_sections (object, kt_workspace_get_locale (kt_editor_get_workspace (editor)));
  g_autofree const KtField **asked = NULL;
  guint n = 0;

  self->editor = g_object_ref (editor);
  asked = kt_layout_new_fields (object, &n);
  for (guint i = 0; i < n; i++)
    g_hash_table_add (self->asked, (gpointer) asked[i]);
  for (guint i = 0; i < sections->len; i++)
    add_section (self, sections->pdata[i]);
  fill (self);
  show_mode (self);
  g_signal_connect_object (editor, "field-changed", G_CALLBACK (field_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::is-new", G_CALLBACK (show_mode), self, G_CONNECT_SWAPPED);
  return GTK_WIDGET (self);
}

gboolean
kt_form_focus_first (KtForm *self)
{
  GtkWidget *first = NULL;

  for (guint i = 0; i < self->sections->len; i++)
    {
      Section *section = self->sections->pdata[i];

      for (guint j = 0; j < section->slots->len; j++)
        {
          Slot *slot = &g_array_index (section->slots, Slot, j);

          if (slot->row == NULL)
            continue;
          if (kt_editor_get_problem (self->editor, slot->field) != NULL)
            return gtk_widget_grab_focus (slot->row);
          if (first == NULL && kt_editor_may_edit (self->editor, slot->field, NULL))
            first = slot->row;
        }
    }
  return first != NULL && kt_editor_get_is_new (self->editor) && gtk_widget_grab_focus (first);
}
