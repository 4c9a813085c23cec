/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One of several: a drop-down that offers only what may be chosen now (transitions of state
 * fields); and the switch for yes or no. */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-field-editor-private.h"

#include <glib/gi18n.h>

#define SEARCH_FROM 12

#define KT_TYPE_CHOICE_EDITOR (_kt_choice_editor_get_type ())
G_DECLARE_FINAL_TYPE (KtChoiceEditor, _kt_choice_editor, KT, CHOICE_EDITOR, KtFieldEditor)
#define KT_TYPE_SWITCH_EDITOR (_kt_switch_editor_get_type ())
G_DECLARE_FINAL_TYPE (KtSwitchEditor, _kt_switch_editor, KT, SWITCH_EDITOR, KtFieldEditor)

struct _KtChoiceEditor
{
  KtFieldEditor parent_instance;

  GtkWidget    *drop_down;
  GPtrArray    *codes;        /* const char*, by position; NULL: none */
  guint         quiet : 1;
};

struct _KtSwitchEditor
{
  KtFieldEditor parent_instance;

  GtkWidget    *toggle;
  guint         quiet : 1;
};

G_DEFINE_FINAL_TYPE (KtChoiceEditor, _kt_choice_editor, KT_TYPE_FIELD_EDITOR)
G_DEFINE_FINAL_TYPE (KtSwitchEditor, _kt_switch_editor, KT_TYPE_FIELD_EDITOR)

/* ---- drop-down ---- */

static gboolean
same_codes (GPtrArray *a,
            GPtrArray *b)
{
  if (a->len != b->len)
    return FALSE;
  for (guint i = 0; i < a->len; i++)
    if (g_strcmp0 (a->pdata[i], b->pdata[i]) != 0)
      return FALSE;
  return TRUE;
}

static void
_kt_choice_editor_refresh (KtFieldEditor *base)
{
  KtChoiceEditor *self = KT_CHOICE_EDITOR (base);
  KtEditor *editor = kt_field_editor_get_editor (base);
  const KtField *field = kt_field_editor_get_field (base);
  const KtValue *value = kt_editor_get_value (editor, field);
  const char *code = value->type == KT_VALUE_TEXT ? value->v.text : NULL;
  g_autoptr (GPtrArray) codes = g_ptr_array_new ();
  gboolean known = FALSE;

  if (!field->required || code == NULL)
    g_ptr_array_add (codes, NULL);
  for (guint i = 0; i < field->n_options; i++)
    {
      const char *option = field->options[i].value;
      gboolean current = g_strcmp0 (option, code) == 0;

      known |= current;
      if (current || kt_editor_may_choose (editor, field, option))
        g_ptr_array_add (codes, (gpointer) option);
    }
  /* An option that is no more keeps its place as long as the record has it. */
  if (code != NULL && !known)
    g_ptr_array_add (codes, (gpointer) g_intern_string (code));
  self->quiet = TRUE;
  if (self->codes == NULL || !same_codes (codes, self->codes))
    {
      g_autoptr (GtkStringList) labels = gtk_string_list_new (NULL);

      for (guint i = 0; i < codes->len; i++)
        {
          const KtOption *option = codes->pdata[i] != NULL ? kt_field_option (field, codes->pdata[i]) : NULL;

          gtk_string_list_append (labels, codes->pdata[i] == NULL ? C_("choice", "None")
                                          : option != NULL        ? kt_option_label (option, _kt_field_editor_locale (base))
                                                                  : (const char *) codes->pdata[i]);
        }
      g_clear_pointer (&self->codes, g_ptr_array_unref);
      self->codes = g_ptr_array_ref (codes);
      gtk_drop_down_set_model (GTK_DROP_DOWN (self->drop_down), G_LIST_MODEL (labels));
      gtk_drop_down_set_enable_search (GTK_DROP_DOWN (self->drop_down), codes->len >= SEARCH_FROM);
    }
  for (guint i = 0; i < codes->len; i++)
    if (g_strcmp0 (codes->pdata[i], code) == 0)
      gtk_drop_down_set_selected (GTK_DROP_DOWN (self->drop_down), i);
  self->quiet = FALSE;
}

static void
selected_cb (KtChoiceEditor *self)
{
  KtFieldEditor *base = KT_FIELD_EDITOR (self);
  guint position = gtk_drop_down_get_selected (GTK_DROP_DOWN (self->drop_down));
  KtValue value = KT_VALUE_INIT;

  if (self->quiet || self->codes == NULL || position >= self->codes->len)
    return;
  kt_value_set_text (&value, self->codes->pdata[position]);
  kt_editor_set_value (kt_field_editor_get_editor (base), kt_field_editor_get_field (base), &value);
  kt_value_clear (&value);
}

static void
_kt_choice_editor_build (KtFieldEditor *base)
{
  KtChoiceEditor *self = KT_CHOICE_EDITOR (base);

  self->drop_down = gtk_drop_down_new (NULL, gtk_property_expression_new (GTK_TYPE_STRING_OBJECT, NULL, "string"));
  g_signal_connect_object (self->drop_down, "notify::selected", G_CALLBACK (selected_cb), self, G_CONNECT_SWAPPED);
  _kt_field_editor_set_child (base, self->drop_down, self->drop_down);
}

static void
_kt_choice_editor_finalize (GObject *object)
{
  g_clear_pointer (&KT_CHOICE_EDITOR (object)->codes, g_ptr_array_unref);

  G_OBJECT_CLASS (_kt_choice_editor_parent_class)->finalize (object);
}

static void
_kt_choice_editor_class_init (KtChoiceEditorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = _kt_choice_editor_finalize;
  KT_FIELD_EDITOR_CLASS (klass)->build = _kt_choice_editor_build;
  KT_FIELD_EDITOR_CLASS (klass)->refresh = _kt_choice_editor_refresh;
}

static void
_kt_choice_editor_init (KtChoiceEditor *self)
{
}

/* ---- switch ---- */

static void
_kt_switch_editor_refresh (KtFieldEditor *base)
{
  KtSwitchEditor *self = KT_SWITCH_EDITOR (base);
  const KtValue *value = kt_editor_get_value (kt_field_editor_get_editor (base), kt_field_editor_get_field (base));

  self->quiet = TRUE;
  gtk_switch_set_active (GTK_SWITCH (self->toggle), value->type == KT_VALUE_BOOL && value->v.integer != 0);
  self->quiet = FALSE;
}

static void
toggled_cb (KtSwitchEditor *self)
{
  KtFieldEditor *base = KT_FIELD_EDITOR (self);
  KtValue value = KT_VALUE_INIT;

  if (self->quiet)
    return;
  kt_value_set_bool (&value, gtk_switch_get_active (GTK_SWITCH (self->toggle)));
  kt_editor_set_value (kt_field_editor_get_editor (base), kt_field_editor_get_field (base), &value);
}

static void
_kt_switch_editor_build (KtFieldEditor *base)
{
  KtSwitchEditor *self = KT_SWITCH_EDITOR (base);

  self->toggle = gtk_switch_new ();
  gtk_widget_set_halign (self->toggle, GTK_ALIGN_START);
  gtk_widget_set_valign (self->toggle, GTK_ALIGN_CENTER);
  gtk_widget_set_margin_start (self->toggle, 9);
  gtk_widget_set_margin_top (self->toggle, 3);
  gtk_widget_set_margin_bottom (self->toggle, 3);
  g_signal_connect_object (self->toggle, "notify::active", G_CALLBACK (toggled_cb), self, G_CONNECT_SWAPPED);
  _kt_field_editor_set_child (base, self->toggle, self->toggle);
}

static void
_kt_switch_editor_class_init (KtSwitchEditorClass *klass)
{
  KT_FIELD_EDITOR_CLASS (klass)->build = _kt_switch_editor_build;
  KT_FIELD_EDITOR_CLASS (klass)->refresh = _kt_switch_editor_refresh;
}

static void
_kt_switch_editor_init (KtSwitchEditor *self)
{
}
