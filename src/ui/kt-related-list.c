/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A heading with the count, and a list over a model of the first few. An object may have thirty relations:
 * the list and its model are made only when there is something in it. */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-related-list.h"

#include <glib/gi18n.h>

#include "model/kt-layout.h"
#include "model/kt-list-model.h"
#include "ui/kt-record-page.h"
#include "ui/kt-window.h"

#define FEW 5
#define MAX_FACTS 3

struct _KtRelatedList
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace      *workspace;
  KtEditor         *editor;
  KtListModel      *model;
  const KtField   **facts;         /* the second line of a row */

  /* borrowed */
  const KtRelation *relation;

  /* template */
  GtkWidget        *box;
  GtkLabel         *title, *count;
  GtkWidget        *new_button;
  GtkWidget        *scroller;
  GtkListView      *list;
  GtkWidget        *all_button;

  /* state */
  guint             n_facts;
  guint             all : 1;
};

G_DEFINE_FINAL_TYPE (KtRelatedList, kt_related_list, GTK_TYPE_WIDGET)

/* ---- rows ---- */

typedef struct
{
  KtRelatedList  *self;
  GtkInscription *title, *below;
  gulong          handler;
} Row;

static GtkInscription *
add_inscription (GtkWidget *box)
{
  GtkWidget *text = gtk_inscription_new (NULL);

  gtk_inscription_set_text_overflow (GTK_INSCRIPTION (text), GTK_INSCRIPTION_OVERFLOW_ELLIPSIZE_END);
  gtk_inscription_set_min_chars (GTK_INSCRIPTION (text), 8);
  gtk_widget_set_hexpand (text, TRUE);
  gtk_box_append (GTK_BOX (box), text);
  return GTK_INSCRIPTION (text);
}

static void
setup_cb (GtkListItemFactory *factory,
          GtkListItem        *item,
          KtRelatedList      *self)
{
  Row *row = g_new0 (Row, 1);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);

  row->self = self;
  row->title = add_inscription (box);
  row->below = add_inscription (box);
  gtk_widget_add_css_class (GTK_WIDGET (row->below), "caption");
  gtk_widget_add_css_class (GTK_WIDGET (row->below), "dim-label");
  gtk_widget_set_visible (GTK_WIDGET (row->below), self->n_facts > 0);
  gtk_widget_add_css_class (box, "kt-related");
  gtk_list_item_set_child (item, box);
  g_object_set_data_full (G_OBJECT (item), "kt-row", row, g_free);
}

static void
show_row (KtRow      *slot,
          GParamSpec *pspec,
          Row        *row)
{
  g_autoptr (GString) below = g_string_new (NULL);

  for (guint i = 0; i < row->self->n_facts; i++)
    {
      const char *text = kt_row_get_text (slot, row->self->facts[i]);

      if (text[0] == '\0')
        continue;
      if (below->len > 0)
        g_string_append (below, " · ");
      g_string_append (below, text);
    }
  gtk_inscription_set_text (row->title, kt_row_get_title (slot));
  gtk_inscription_set_text (row->below, below->str);
}

static void
bind_cb (GtkListItemFactory *factory,
         GtkListItem        *item,
         KtRelatedList      *self)
{
  Row *row = g_object_get_data (G_OBJECT (item), "kt-row");
  KtRow *slot = gtk_list_item_get_item (item);

  row->handler = g_signal_connect (slot, "notify::record", G_CALLBACK (show_row), row);
  show_row (slot, NULL, row);
}

static void
unbind_cb (GtkListItemFactory *factory,
           GtkListItem        *item,
           KtRelatedList      *self)
{
  Row *row = g_object_get_data (G_OBJECT (item), "kt-row");

  g_clear_signal_handler (&row->handler, gtk_list_item_get_item (item));
}

static void
activate_cb (KtRelatedList *self,
             guint          position)
{
  g_autoptr (KtRow) slot = g_list_model_get_item (G_LIST_MODEL (self->model), position);
  KtRecord *record = slot != NULL ? kt_row_get_record (slot) : NULL;

  if (record != NULL)
    kt_navigate_record (GTK_WIDGET (self), record->object, &record->id);
}

/* ---- list ---- */

static void
update_visible (KtRelatedList *self)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));

  gtk_widget_set_visible (self->scroller, n > 0);
}

static void
set_query (KtRelatedList *self)
{
  g_autoptr (KtQuery) query = kt_editor_relation_query (self->editor, self->relation);

  if (!self->all)
    query->limit = FEW;
  kt_list_model_set_query (self->model, query);
}

static void
make_list (KtRelatedList *self)
{
  GtkNoSelection *selection;
  GtkListItemFactory *factory;

  self->model = kt_list_model_new (self->workspace);
  g_signal_connect_object (self->model, "items-changed", G_CALLBACK (update_visible), self, G_CONNECT_SWAPPED);
  set_query (self);
  factory = gtk_signal_list_item_factory_new ();
  g_signal_connect_object (factory, "setup", G_CALLBACK (setup_cb), self, 0);
  g_signal_connect_object (factory, "bind", G_CALLBACK (bind_cb), self, 0);
  g_signal_connect_object (factory, "unbind", G_CALLBACK (unbind_cb), self, 0);
  gtk_list_view_set_factory (self->list, factory);
  g_object_unref (factory);
  selection = gtk_no_selection_new (g_object_ref (G_LIST_MODEL (self->model)));
  gtk_list_view_set_model (self->list, GTK_SELECTION_MODEL (selection));
  g_object_unref (selection);
  update_visible (self);
}

static void
update (KtRelatedList *self)
{
  gint64 n = kt_editor_relation_count (self->editor, self->relation);
  g_autofree char *count = n >= 0 ? g_strdup_printf ("%'d", (int) n) : g_strdup ("");
  g_autofree char *all = g_strdup_printf (ngettext ("Show All %'d", "Show All %'d", (gulong) MAX (n, 0)), (int) MAX (n, 0));
  g_autofree char *reason = NULL;
  gboolean may_create = kt_workspace_may_create (self->workspace, self->relation->object, &reason)
                        && !kt_editor_get_is_new (self->editor);

  gtk_label_set_text (self->count, count);
  gtk_button_set_label (GTK_BUTTON (self->all_button), all);
  gtk_widget_set_visible (self->all_button, n > FEW && !self->all);
  gtk_widget_set_sensitive (self->new_button, may_create);
  if (n > 0 && self->model == NULL)
    make_list (self);
  gtk_widget_set_visible (GTK_WIDGET (self), n > 0);
}

static void
all_clicked_cb (KtRelatedList *self)
{
  self->all = TRUE;
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  set_query (self);
  update (self);
}

void
kt_related_list_make_new (KtRelatedList *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  g_autoptr (KtEditor) child = NULL;

  if (!GTK_IS_WINDOW (root) || !kt_workspace_may_create (self->workspace, self->relation->object, NULL))
    return;
  child = kt_editor_new_related (self->editor, self->relation);
  gtk_window_present (kt_record_window_new (gtk_window_get_application (GTK_WINDOW (root)), self->workspace, child));
}

static void
kt_related_list_dispose (GObject *object)
{
  KtRelatedList *self = KT_RELATED_LIST (object);

  if (self->list != NULL)
    gtk_list_view_set_model (self->list, NULL);
  self->list = NULL;
  g_clear_object (&self->model);
  g_clear_object (&self->editor);
  g_clear_object (&self->workspace);
  g_clear_pointer (&self->facts, g_free);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_RELATED_LIST);

  G_OBJECT_CLASS (kt_related_list_parent_class)->dispose (object);
}

static void
kt_related_list_class_init (KtRelatedListClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_related_list_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-related-list.ui");
  gtk_widget_class_bind_template_child (widget_class, KtRelatedList, box);
  gtk_widget_class_bind_template_child (widget_class, KtRelatedList, title);
  gtk_widget_class_bind_template_child (widget_class, KtRelatedList, count);
  gtk_widget_class_bind_template_child (widget_class, KtRelatedList, new_button);
  gtk_widget_class_bind_template_child (widget_class, KtRelatedList, scroller);
  gtk_widget_class_bind_template_child (widget_class, KtRelatedList, list);
  gtk_widget_class_bind_template_child (widget_class, KtRelatedList, all_button);
  gtk_widget_class_bind_template_callback (widget_class, activate_cb);
  gtk_widget_class_bind_template_callback (widget_class, all_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, kt_related_list_make_new);
}

static void
kt_related_list_init (KtRelatedList *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

static const KtField **
choose_facts (const KtRelation *relation,
              guint            *n)
{
  guint m = 0;
  g_autofree const KtField **key = kt_layout_key_fields (relation->object, &m);
  const KtField **facts = g_new0 (const KtField *, MAX_FACTS + 1);

  *n = 0;
  /* The field by which they are related says the same in each row. */
  for (guint i = 0; i < m && *n < MAX_FACTS; i++)
    if (key[i] != relation->field && key[i] != relation->object->title)
      facts[(*n)++] = key[i];
  return facts;
}

GtkWidget *
kt_related_list_new (KtWorkspace      *workspace,
                     KtEditor         *editor,
                     const KtRelation *relation)
{
  KtRelatedList *self = g_object_new (KT_TYPE_RELATED_LIST, NULL);
  /* Translators: %s is a kind of record: "New Contact" */
  g_autofree char *new_text = g_strdup_printf (_("New %s"), kt_object_label (relation->object, kt_workspace_get_locale (workspace)));

  self->workspace = g_object_ref (workspace);
  self->editor = g_object_ref (editor);
  self->relation = relation;
  self->facts = choose_facts (relation, &self->n_facts);
  gtk_label_set_text (self->title, relation->label);
  gtk_widget_set_tooltip_text (self->new_button, new_text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->new_button), GTK_ACCESSIBLE_PROPERTY_LABEL, new_text, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->list), GTK_ACCESSIBLE_PROPERTY_LABEL, relation->label, -1);
  g_signal_connect_object (editor, "relations-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (editor, "notify::is-new", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}

const KtRelation *
kt_related_list_get_relation (KtRelatedList *self)
{
  return self->relation;
}
