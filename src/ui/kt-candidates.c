/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What may be meant by what is typed, below the entry. The entry keeps the focus:
 * Up and Down move, Enter takes, Escape closes. */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-field-editor-private.h"

#include <glib/gi18n.h>

struct _KtCandidates
{
  GtkPopover         parent_instance;

  /* owned */
  KtEditor          *editor;
  GCancellable      *cancellable;
  GPtrArray         *candidates;

  /* borrowed */
  const KtField     *field;
  GtkWidget         *entry;
  KtCandidateChosen  chosen;
  gpointer           data;
  GtkListBox        *list;

};

G_DEFINE_FINAL_TYPE (KtCandidates, kt_candidates, GTK_TYPE_POPOVER)

static void
take (KtCandidates  *self,
      GtkListBoxRow *row)
{
  int index = row != NULL ? gtk_list_box_row_get_index (row) : -1;

  if (self->candidates != NULL && index >= 0 && (guint) index < self->candidates->len)
    {
      g_autoptr (GPtrArray) candidates = g_ptr_array_ref (self->candidates);

      kt_candidates_stop (self);
      self->chosen (candidates->pdata[index], self->data);
    }
}

static GtkWidget *
make_row (KtCandidates      *self,
          const KtCandidate *candidate)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkWidget *title = gtk_label_new (candidate->title);
  g_autofree char *below = NULL;

  gtk_label_set_xalign (GTK_LABEL (title), 0);
  gtk_label_set_ellipsize (GTK_LABEL (title), PANGO_ELLIPSIZE_END);
  gtk_label_set_max_width_chars (GTK_LABEL (title), 40);
  gtk_box_append (GTK_BOX (box), title);
  /* Where anything may be meant, it is said what each is. */
  if (self->field->to != NULL && (self->field->to[0] == NULL || self->field->to[1] != NULL || g_str_equal (self->field->to[0], "*")))
    {
      const char *kind = kt_object_label (candidate->object, kt_workspace_get_locale (kt_editor_get_workspace (self->editor)));

      if (candidate->subtitle != NULL && candidate->subtitle[0] != '\0')
        below = g_strdup_printf ("%s · %s", kind, candidate->subtitle);
      else
        below = g_strdup (kind);
    }
  else if (candidate->subtitle != NULL && candidate->subtitle[0] != '\0')
    below = g_strdup (candidate->subtitle);
  if (below != NULL)
    {
      GtkWidget *subtitle = gtk_label_new (below);

      gtk_label_set_xalign (GTK_LABEL (subtitle), 0);
      gtk_label_set_ellipsize (GTK_LABEL (subtitle), PANGO_ELLIPSIZE_END);
      gtk_label_set_max_width_chars (GTK_LABEL (subtitle), 40);
      gtk_widget_add_css_class (subtitle, "caption");
      gtk_widget_add_css_class (subtitle, "dim-label");
      gtk_box_append (GTK_BOX (box), subtitle);
    }
  return box;
}

static void
clear_list (KtCandidates *self)
{
  GtkListBoxRow *row;

  while ((row = gtk_list_box_get_row_at_index (self->list, 0)) != NULL)
    gtk_list_box_remove (self->list, GTK_WIDGET (row));
}

static void
answered_cb (GObject      *object,
             GAsyncResult *result,
             gpointer      user_data)
{
  g_autoptr (KtCandidates) self = KT_CANDIDATES (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) candidates = kt_editor_candidates_finish (KT_EDITOR (object), result, &error);

  if (candidates == NULL || self->list == NULL || !gtk_widget_get_mapped (self->entry))
    return;
  clear_list (self);
  g_clear_pointer (&self->candidates, g_ptr_array_unref);
  self->candidates = g_steal_pointer (&candidates);
  for (guint i = 0; i < self->candidates->len; i++)
    gtk_list_box_append (self->list, make_row (self, self->candidates->pdata[i]));
  if (self->candidates->len == 0)
    {
      GtkWidget *row = gtk_list_box_row_new ();
      GtkWidget *label = gtk_label_new (_("Nothing matches"));

      gtk_widget_add_css_class (label, "dim-label");
      gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), label);
      gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), FALSE);
      gtk_list_box_row_set_selectable (GTK_LIST_BOX_ROW (row), FALSE);
      gtk_list_box_append (self->list, row);
    }
  else
    gtk_list_box_select_row (self->list, gtk_list_box_get_row_at_index (self->list, 0));
  gtk_widget_set_size_request (GTK_WIDGET (self), MAX (gtk_widget_get_width (self->entry), 200), -1);
  gtk_popover_popup (GTK_POPOVER (self));
}

void
kt_candidates_ask (KtCandidates *self,
                   const char   *typed)
{
  g_cancellable_cancel (self->cancellable);
  g_object_unref (self->cancellable);
  self->cancellable = g_cancellable_new ();
  kt_editor_candidates_async (self->editor, self->field, typed, self->cancellable, answered_cb, g_object_ref (self));
}

void
kt_candidates_stop (KtCandidates *self)
{
  g_cancellable_cancel (self->cancellable);
  gtk_popover_popdown (GTK_POPOVER (self));
}

static void
move (KtCandidates *self,
      int           step)
{
  GtkListBoxRow *row = gtk_list_box_get_selected_row (self->list);
  int index = row != NULL ? gtk_list_box_row_get_index (row) + step : 0;

  row = gtk_list_box_get_row_at_index (self->list, MAX (index, 0));
  if (row != NULL)
    gtk_list_box_select_row (self->list, row);
}

static gboolean
key_cb (KtCandidates    *self,
        guint            keyval,
        guint            keycode,
        GdkModifierType  state)
{
  gboolean open = gtk_widget_get_visible (GTK_WIDGET (self));

  switch (keyval)
    {
    case GDK_KEY_Down:
      if (open)
        move (self, 1);
      else
        kt_candidates_ask (self, "");
      return TRUE;
    case GDK_KEY_Up:
      if (open)
        move (self, -1);
      return open;
    case GDK_KEY_Return:
    case GDK_KEY_KP_Enter:
      if (!open || (state & GDK_CONTROL_MASK) != 0 || gtk_list_box_get_selected_row (self->list) == NULL)
        return FALSE;
      take (self, gtk_list_box_get_selected_row (self->list));
      return TRUE;
    case GDK_KEY_Escape:
      if (open)
        kt_candidates_stop (self);
      return open;
    default:
      return FALSE;
    }
}

static void
kt_candidates_dispose (GObject *object)
{
  KtCandidates *self = KT_CANDIDATES (object);

  g_cancellable_cancel (self->cancellable);
  self->list = NULL;
  g_clear_object (&self->cancellable);
  g_clear_object (&self->editor);
  g_clear_pointer (&self->candidates, g_ptr_array_unref);

  G_OBJECT_CLASS (kt_candidates_parent_class)->dispose (object);
}

static void
kt_candidates_class_init (KtCandidatesClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = kt_candidates_dispose;
}

static void
kt_candidates_init (KtCandidates *self)
{
  GtkWidget *scroller = gtk_scrolled_window_new ();

  self->cancellable = g_cancellable_new ();
  self->list = GTK_LIST_BOX (gtk_list_box_new ());
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scroller), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scroller), 320);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), GTK_WIDGET (self->list));
  gtk_popover_set_child (GTK_POPOVER (self), scroller);
  gtk_popover_set_autohide (GTK_POPOVER (self), FALSE);
  gtk_popover_set_has_arrow (GTK_POPOVER (self), FALSE);
  gtk_popover_set_position (GTK_POPOVER (self), GTK_POS_BOTTOM);
  gtk_widget_set_can_focus (GTK_WIDGET (self), FALSE);
  gtk_widget_add_css_class (GTK_WIDGET (self), "menu");
  g_signal_connect_object (self->list, "row-activated", G_CALLBACK (take), self, G_CONNECT_SWAPPED);
}

KtCandidates *
kt_candidates_new (KtEditor          *editor,
                   const KtField     *field,
                   GtkWidget         *entry,
                   KtCandidateChosen  chosen,
                   gpointer           data)
{
  KtCandidates *self = g_object_new (KT_TYPE_CANDIDATES, NULL);
  GtkEventController *keys = gtk_event_controller_key_new ();

  self->editor = g_object_ref (editor);
  self->field = field;
  self->entry = entry;
  self->chosen = chosen;
  self->data = data;
  gtk_widget_set_parent (GTK_WIDGET (self), gtk_widget_get_parent (entry));
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  g_signal_connect_object (keys, "key-pressed", G_CALLBACK (key_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (entry, keys);
  return self;
}
