/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-field-editor.h"

#include "ui/kt-field-editor-private.h"

typedef struct
{
  /* owned */
  KtEditor      *editor;

  /* borrowed */
  const KtField *field;
  GtkWidget     *child;
  GtkWidget     *main;
} KtFieldEditorPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (KtFieldEditor, kt_field_editor, GTK_TYPE_WIDGET)

static GType
type_for (const KtField *field)
{
  switch (field->type)
    {
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
    case KT_FIELD_JSON:
      return _kt_area_editor_get_type ();
    case KT_FIELD_BOOLEAN:
      return _kt_switch_editor_get_type ();
    case KT_FIELD_CHOICE:
      return field->open ? _kt_text_editor_get_type () : _kt_choice_editor_get_type ();
    case KT_FIELD_CHOICES:
    case KT_FIELD_TAGS:
    case KT_FIELD_MANY:
      return _kt_list_editor_get_type ();
    case KT_FIELD_REF:
    case KT_FIELD_REF_ANY:
    case KT_FIELD_FILE:
    case KT_FIELD_IMAGE:
      return _kt_link_editor_get_type ();
    case KT_FIELD_ADDRESS:
      return _kt_address_editor_get_type ();
    case KT_FIELD_TEXT:
    case KT_FIELD_EMAIL:
    case KT_FIELD_PHONE:
    case KT_FIELD_URL:
    case KT_FIELD_INTEGER:
    case KT_FIELD_DECIMAL:
    case KT_FIELD_MONEY:
    case KT_FIELD_PERCENT:
    case KT_FIELD_DATE:
    case KT_FIELD_DATE_TIME:
    case KT_FIELD_DURATION:
    case KT_FIELD_AUTO_NUMBER:
    case KT_N_FIELD_TYPES:
    default:
      return _kt_text_editor_get_type ();
    }
}

static gboolean
kt_field_editor_grab_focus (GtkWidget *widget)
{
  KtFieldEditorPrivate *priv = kt_field_editor_get_instance_private (KT_FIELD_EDITOR (widget));

  return priv->main != NULL && gtk_widget_grab_focus (priv->main);
}

static void
kt_field_editor_dispose (GObject *object)
{
  KtFieldEditorPrivate *priv = kt_field_editor_get_instance_private (KT_FIELD_EDITOR (object));

  g_clear_pointer (&priv->child, gtk_widget_unparent);
  g_clear_object (&priv->editor);
  priv->main = NULL;

  G_OBJECT_CLASS (kt_field_editor_parent_class)->dispose (object);
}

static void
kt_field_editor_class_init (KtFieldEditorClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_field_editor_dispose;
  widget_class->grab_focus = kt_field_editor_grab_focus;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "fieldeditor");
}

static void
kt_field_editor_init (KtFieldEditor *self)
{
}

void
_kt_field_editor_set_child (KtFieldEditor *self,
                            GtkWidget     *child,
                            GtkWidget     *main)
{
  KtFieldEditorPrivate *priv = kt_field_editor_get_instance_private (self);

  priv->child = child;
  priv->main = main;
  gtk_widget_set_parent (child, GTK_WIDGET (self));
  gtk_accessible_update_property (GTK_ACCESSIBLE (main), GTK_ACCESSIBLE_PROPERTY_LABEL, _kt_field_editor_label (self), -1);
}

const char *
_kt_field_editor_locale (KtFieldEditor *self)
{
  KtFieldEditorPrivate *priv = kt_field_editor_get_instance_private (self);

  return kt_workspace_get_locale (kt_editor_get_workspace (priv->editor));
}

const char *
_kt_field_editor_label (KtFieldEditor *self)
{
  KtFieldEditorPrivate *priv = kt_field_editor_get_instance_private (self);

  return kt_field_label (priv->field, _kt_field_editor_locale (self));
}

void
_kt_field_editor_name_button (KtFieldEditor *self,
                              GtkWidget     *button,
                              const char    *what)
{
  g_autofree char *name = g_strdup_printf ("%s: %s", _kt_field_editor_label (self), what);

  gtk_widget_set_tooltip_text (button, what);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

GtkWidget *
kt_field_editor_new (KtEditor      *editor,
                     const KtField *field)
{
  KtFieldEditor *self = g_object_new (type_for (field), NULL);
  KtFieldEditorPrivate *priv = kt_field_editor_get_instance_private (self);

  priv->editor = g_object_ref (editor);
  priv->field = field;
  KT_FIELD_EDITOR_GET_CLASS (self)->build (self);
  kt_field_editor_refresh (self);
  return GTK_WIDGET (self);
}

KtEditor *
kt_field_editor_get_editor (KtFieldEditor *self)
{
  KtFieldEditorPrivate *priv = kt_field_editor_get_instance_private (self);

  return priv->editor;
}

const KtField *
kt_field_editor_get_field (KtFieldEditor *self)
{
  KtFieldEditorPrivate *priv = kt_field_editor_get_instance_private (self);

  return priv->field;
}

void
kt_field_editor_refresh (KtFieldEditor *self)
{
  KT_FIELD_EDITOR_GET_CLASS (self)->refresh (self);
}

GtkWidget *
kt_field_editor_get_main (KtFieldEditor *self)
{
  KtFieldEditorPrivate *priv = kt_field_editor_get_instance_private (self);

  return priv->main;
}

gboolean
kt_field_editor_is_wide (const KtField *field)
{
  switch ((int) field->type)
    {
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
    case KT_FIELD_JSON:
    case KT_FIELD_ADDRESS:
    case KT_FIELD_MANY:
      return TRUE;
    default:
      return FALSE;
    }
}
