/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-field-editor-private.h"

#define MAX_HEIGHT 320

#define KT_TYPE_AREA_EDITOR (_kt_area_editor_get_type ())
G_DECLARE_FINAL_TYPE (KtAreaEditor, _kt_area_editor, KT, AREA_EDITOR, KtFieldEditor)

struct _KtAreaEditor
{
  KtFieldEditor parent_instance;

  GtkWidget    *view;
  guint         quiet : 1;
  guint         typing : 1;
};

G_DEFINE_FINAL_TYPE (KtAreaEditor, _kt_area_editor, KT_TYPE_FIELD_EDITOR)

static char *
get_text (KtAreaEditor *self)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (self->view));
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (buffer, &start, &end);
  return gtk_text_buffer_get_text (buffer, &start, &end, TRUE);
}

static void
_kt_area_editor_refresh (KtFieldEditor *base)
{
  KtAreaEditor *self = KT_AREA_EDITOR (base);
  g_autofree char *text = NULL;
  g_autofree char *shown = NULL;

  if (self->typing)
    return;
  text = kt_editor_get_text (kt_field_editor_get_editor (base), kt_field_editor_get_field (base));
  shown = get_text (self);
  if (g_strcmp0 (text, shown) == 0)
    return;
  self->quiet = TRUE;
  gtk_text_buffer_set_text (gtk_text_view_get_buffer (GTK_TEXT_VIEW (self->view)), text != NULL ? text : "", -1);
  self->quiet = FALSE;
}

static void
changed_cb (KtAreaEditor *self)
{
  g_autofree char *text = NULL;

  if (self->quiet)
    return;
  text = get_text (self);
  self->typing = TRUE;
  kt_editor_set_text (kt_field_editor_get_editor (KT_FIELD_EDITOR (self)), kt_field_editor_get_field (KT_FIELD_EDITOR (self)), text);
  self->typing = FALSE;
}

static void
_kt_area_editor_build (KtFieldEditor *base)
{
  KtAreaEditor *self = KT_AREA_EDITOR (base);
  GtkWidget *scroller = gtk_scrolled_window_new ();

  self->view = gtk_text_view_new ();
  gtk_text_view_set_wrap_mode (GTK_TEXT_VIEW (self->view), GTK_WRAP_WORD_CHAR);
  gtk_text_view_set_accepts_tab (GTK_TEXT_VIEW (self->view), FALSE);
  gtk_text_view_set_left_margin (GTK_TEXT_VIEW (self->view), 9);
  gtk_text_view_set_right_margin (GTK_TEXT_VIEW (self->view), 9);
  gtk_text_view_set_top_margin (GTK_TEXT_VIEW (self->view), 7);
  gtk_text_view_set_bottom_margin (GTK_TEXT_VIEW (self->view), 7);
  if (kt_field_editor_get_field (base)->type == KT_FIELD_JSON)
    gtk_text_view_set_monospace (GTK_TEXT_VIEW (self->view), TRUE);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scroller), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scroller), MAX_HEIGHT);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), self->view);
  gtk_widget_add_css_class (scroller, "kt-area");
  g_signal_connect_object (gtk_text_view_get_buffer (GTK_TEXT_VIEW (self->view)), "changed", G_CALLBACK (changed_cb), self,
                           G_CONNECT_SWAPPED);
  _kt_field_editor_set_child (base, scroller, self->view);
}

static void
_kt_area_editor_class_init (KtAreaEditorClass *klass)
{
  KT_FIELD_EDITOR_CLASS (klass)->build = _kt_area_editor_build;
  KT_FIELD_EDITOR_CLASS (klass)->refresh = _kt_area_editor_refresh;
}

static void
_kt_area_editor_init (KtAreaEditor *self)
{
}
