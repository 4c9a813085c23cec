/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A reference: the title of the record it means, to be typed anew with candidates
 * below. Only a candidate that was taken changes the field; an emptied entry empties it. */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-field-editor-private.h"

#include <glib/gi18n.h>

#include "ui/kt-window.h"

#define KT_TYPE_LINK_EDITOR (_kt_link_editor_get_type ())
G_DECLARE_FINAL_TYPE (KtLinkEditor, _kt_link_editor, KT, LINK_EDITOR, KtFieldEditor)

struct _KtLinkEditor
{
  KtFieldEditor parent_instance;

  GtkWidget    *entry;
  GtkWidget    *open;
  KtCandidates *candidates;

  guint         quiet : 1;
  guint         typed : 1;    /* what stands there is not the link's title */
};

G_DEFINE_FINAL_TYPE (KtLinkEditor, _kt_link_editor, KT_TYPE_FIELD_EDITOR)

static void
_kt_link_editor_refresh (KtFieldEditor *base)
{
  KtLinkEditor *self = KT_LINK_EDITOR (base);
  KtEditor *editor = kt_field_editor_get_editor (base);
  const KtField *field = kt_field_editor_get_field (base);
  g_autofree char *text = NULL;

  gtk_widget_set_visible (self->open, kt_editor_get_link (editor, field, NULL, NULL));
  if (self->typed)
    return;
  text = kt_editor_get_display (editor, field);
  if (g_strcmp0 (text, gtk_editable_get_text (GTK_EDITABLE (self->entry))) == 0)
    return;
  self->quiet = TRUE;
  gtk_editable_set_text (GTK_EDITABLE (self->entry), text != NULL ? text : "");
  self->quiet = FALSE;
}

static void
chosen_cb (const KtCandidate *candidate,
           gpointer           data)
{
  KtLinkEditor *self = KT_LINK_EDITOR (data);
  KtFieldEditor *base = KT_FIELD_EDITOR (self);

  self->typed = FALSE;
  self->quiet = TRUE;
  gtk_editable_set_text (GTK_EDITABLE (self->entry), candidate->title);
  gtk_editable_set_position (GTK_EDITABLE (self->entry), -1);
  self->quiet = FALSE;
  kt_editor_set_link (kt_field_editor_get_editor (base), kt_field_editor_get_field (base), candidate->object, &candidate->id);
}

static void
changed_cb (KtLinkEditor *self)
{
  KtFieldEditor *base = KT_FIELD_EDITOR (self);
  const char *text = gtk_editable_get_text (GTK_EDITABLE (self->entry));

  if (self->quiet)
    return;
  self->typed = TRUE;
  if (text[0] == '\0')
    kt_editor_set_link (kt_field_editor_get_editor (base), kt_field_editor_get_field (base), NULL, NULL);
  kt_candidates_ask (self->candidates, text);
}

static void
leave_cb (KtLinkEditor *self)
{
  kt_candidates_stop (self->candidates);
  self->typed = FALSE;
  _kt_link_editor_refresh (KT_FIELD_EDITOR (self));
}

static void
activate_cb (KtLinkEditor *self)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "record.save", NULL);
}

static void
open_clicked_cb (KtLinkEditor *self)
{
  KtFieldEditor *base = KT_FIELD_EDITOR (self);
  const KtObject *object = NULL;
  KtId id;

  if (kt_editor_get_link (kt_field_editor_get_editor (base), kt_field_editor_get_field (base), &object, &id) && object != NULL)
    kt_navigate_record (GTK_WIDGET (self), object, &id);
}

static void
_kt_link_editor_build (KtFieldEditor *base)
{
  KtLinkEditor *self = KT_LINK_EDITOR (base);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 3);
  GtkEventController *focus = gtk_event_controller_focus_new ();

  self->entry = gtk_entry_new ();
  gtk_widget_set_hexpand (self->entry, TRUE);
  gtk_editable_set_width_chars (GTK_EDITABLE (self->entry), 4);
  gtk_box_append (GTK_BOX (box), self->entry);
  self->open = gtk_button_new_from_icon_name ("go-next-symbolic");
  gtk_widget_add_css_class (self->open, "flat");
  gtk_widget_set_valign (self->open, GTK_ALIGN_CENTER);
  _kt_field_editor_name_button (base, self->open, _("Open"));
  gtk_box_append (GTK_BOX (box), self->open);
  self->candidates = kt_candidates_new (kt_field_editor_get_editor (base), kt_field_editor_get_field (base), self->entry,
                                        chosen_cb, self);
  g_signal_connect_object (self->entry, "changed", G_CALLBACK (changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->entry, "activate", G_CALLBACK (activate_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->open, "clicked", G_CALLBACK (open_clicked_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (focus, "leave", G_CALLBACK (leave_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (self->entry, focus);
  _kt_field_editor_set_child (base, box, self->entry);
}

static void
_kt_link_editor_class_init (KtLinkEditorClass *klass)
{
  KT_FIELD_EDITOR_CLASS (klass)->build = _kt_link_editor_build;
  KT_FIELD_EDITOR_CLASS (klass)->refresh = _kt_link_editor_refresh;
}

static void
_kt_link_editor_init (KtLinkEditor *self)
{
}
