/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-editor.h"

G_BEGIN_DECLS

/* The control for one field of a KtEditor, of the kind its type asks for. It writes what is typed
 * into the editor at once and shows what the editor says when told so by whoever owns it
 * (kt_field_editor_refresh): it listens to nothing itself. */
#define KT_TYPE_FIELD_EDITOR (kt_field_editor_get_type ())
G_DECLARE_DERIVABLE_TYPE (KtFieldEditor, kt_field_editor, KT, FIELD_EDITOR, GtkWidget)

struct _KtFieldEditorClass
{
  GtkWidgetClass parent_class;

  void (*build)   (KtFieldEditor *self);      /* editor and field are known */
  void (*refresh) (KtFieldEditor *self);
};

GtkWidget     *kt_field_editor_new        (KtEditor *editor, const KtField *field);
KtEditor      *kt_field_editor_get_editor (KtFieldEditor *self);
const KtField *kt_field_editor_get_field  (KtFieldEditor *self);
void           kt_field_editor_refresh    (KtFieldEditor *self);
/* The widget that takes the focus and has the field's name for assistive technologies. */
GtkWidget     *kt_field_editor_get_main   (KtFieldEditor *self);
/* Whether the control wants the whole width of a form. */
gboolean       kt_field_editor_is_wide    (const KtField *field);

G_END_DECLS
