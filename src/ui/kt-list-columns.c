/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-list-columns.h"

#include <glib/gi18n.h>

#include "model/kt-layout.h"

#define MAX_COLUMNS 8
#define CELL_ITEM "kt-row"

static G_DEFINE_QUARK (kt-column-field, column_field)

/* ---- cells ---- */

typedef struct
{
  GtkInscription *text;
  GtkImage       *mark;       /* first column only */
  const KtField  *field;
  gulong          handler;
} Cell;

static void
show_mark (Cell  *cell,
           KtRow *row)
{
  const char *icon = NULL;
  const char *tooltip = NULL;

  switch (kt_row_get_state (row))
    {
    case KT_ROW_WAITING:
      icon = "kt-outbox-symbolic";
      tooltip = _("Waiting to be sent");
      break;
    case KT_ROW_PARKED:
      icon = "kt-sync-problem-symbolic";
      tooltip = _("Not accepted by the server");
      break;
    case KT_ROW_REVIEW:
      icon = "kt-review-symbolic";
      tooltip = _("A decision is needed");
      break;
    case KT_ROW_SETTLED:
    default:
      break;
    }
  gtk_widget_set_visible (GTK_WIDGET (cell->mark), icon != NULL);
  if (icon != NULL)
    {
      gtk_image_set_from_icon_name (cell->mark, icon);
      gtk_widget_set_tooltip_text (GTK_WIDGET (cell->mark), tooltip);
    }
}

static void
show_row (KtRow      *row,
          GParamSpec *pspec,
          Cell       *cell)
{
  gtk_inscription_set_text (cell->text, kt_row_get_text (row, cell->field));
  if (cell->mark != NULL)
    show_mark (cell, row);
}

/* In the width of a Latin letter; a Chinese character takes two. */
static guint
text_width (const char *text)
{
  guint width = 0;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    width += g_unichar_iswide (g_utf8_get_char (p)) ? 2 : 1;
  return width;
}

/* What a column would like to have: enough for what usually stands in it, so that a short column leaves its room to a
 * long one. */
static guint
column_chars (const KtField *field,
              const char    *locale)
{
  guint chars = 20;

  switch (field->type)
    {
    case KT_FIELD_CHOICE:
      chars = 6;
      for (guint i = 0; i < field->n_options; i++)
        chars = MAX (chars, text_width (kt_option_label (&field->options[i], locale)));
      chars = MIN (chars, 20);
      break;
    case KT_FIELD_BOOLEAN: case KT_FIELD_INTEGER: case KT_FIELD_PERCENT:
      chars = 8;
      break;
    case KT_FIELD_DATE: case KT_FIELD_DECIMAL: case KT_FIELD_AUTO_NUMBER: case KT_FIELD_DURATION:
      chars = 12;
      break;
    case KT_FIELD_MONEY:
      chars = 14;
      break;
    case KT_FIELD_PHONE: case KT_FIELD_DATE_TIME: case KT_FIELD_REF: case KT_FIELD_REF_ANY:
      chars = 17;
      break;
    case KT_FIELD_EMAIL: case KT_FIELD_URL: case KT_FIELD_ADDRESS:
      chars = 24;
      break;
    default:
      break;
    }
  /* The heading and its arrow. */
  return MAX (chars, text_width (kt_field_label (field, locale)) + 2);
}

/* Half a sentence still says something, half a number does not (of a time the day comes first). */
static guint
least_chars (const KtField *field,
             guint          chars,
             gboolean       first)
{
  switch (field->type)
    {
    case KT_FIELD_TEXT: case KT_FIELD_LONG_TEXT: case KT_FIELD_RICH_TEXT: case KT_FIELD_EMAIL: case KT_FIELD_URL:
    case KT_FIELD_CHOICE: case KT_FIELD_CHOICES: case KT_FIELD_TAGS: case KT_FIELD_REF: case KT_FIELD_REF_ANY:
    case KT_FIELD_MANY: case KT_FIELD_ADDRESS: case KT_FIELD_DATE_TIME:
      return MIN (chars, first ? 16 : 8);
    default:
      return chars;
    }
}

static void
setup_cell_cb (GtkSignalListItemFactory *factory,
               GtkListItem              *item,
               gpointer                  user_data)
{
  const KtField *field = user_data;
  Cell *cell = g_new0 (Cell, 1);
  GtkWidget *text = gtk_inscription_new (NULL);
  gboolean first = GPOINTER_TO_INT (g_object_get_data (G_OBJECT (factory), "kt-first"));
  guint chars = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (factory), "kt-chars"));

  cell->text = GTK_INSCRIPTION (text);
  cell->field = field;
  gtk_inscription_set_text_overflow (cell->text, GTK_INSCRIPTION_OVERFLOW_ELLIPSIZE_END);
  gtk_inscription_set_min_chars (cell->text, least_chars (field, chars, first));
  gtk_inscription_set_nat_chars (cell->text, first ? MAX (chars, 28) : chars);
  gtk_inscription_set_xalign (cell->text, kt_layout_numeric (field) ? 1.0f : 0.0f);
  gtk_widget_set_hexpand (text, TRUE);
  if (kt_layout_numeric (field))
    gtk_widget_add_css_class (text, "numeric");
  g_object_set_data_full (G_OBJECT (item), "kt-cell", cell, g_free);
  if (first)
    {
      GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);

      cell->mark = GTK_IMAGE (gtk_image_new ());
      gtk_widget_set_visible (GTK_WIDGET (cell->mark), FALSE);
      gtk_widget_add_css_class (GTK_WIDGET (cell->mark), "accent");
      gtk_box_append (GTK_BOX (box), text);
      gtk_box_append (GTK_BOX (box), GTK_WIDGET (cell->mark));
      gtk_list_item_set_child (item, box);
    }
  else
    gtk_list_item_set_child (item, text);
}

static void
bind_cell_cb (GtkSignalListItemFactory *factory,
              GtkListItem              *item,
              gpointer                  user_data)
{
  Cell *cell = g_object_get_data (G_OBJECT (item), "kt-cell");
  KtRow *row = KT_ROW (gtk_list_item_get_item (item));

  g_object_set_data (G_OBJECT (gtk_list_item_get_child (item)), CELL_ITEM, row);
  cell->handler = g_signal_connect (row, "notify::record", G_CALLBACK (show_row), cell);
  show_row (row, NULL, cell);
}

static void
unbind_cell_cb (GtkSignalListItemFactory *factory,
                GtkListItem              *item,
                gpointer                  user_data)
{
  Cell *cell = g_object_get_data (G_OBJECT (item), "kt-cell");

  g_object_set_data (G_OBJECT (gtk_list_item_get_child (item)), CELL_ITEM, NULL);
  g_clear_signal_handler (&cell->handler, gtk_list_item_get_item (item));
}

KtRow *
kt_list_columns_row_of (GtkWidget *widget)
{
  for (; widget != NULL && !GTK_IS_COLUMN_VIEW (widget); widget = gtk_widget_get_parent (widget))
    {
      GtkWidget *cell;
      KtRow *row = g_object_get_data (G_OBJECT (widget), CELL_ITEM);

      if (row != NULL)
        return row;
      /* A click beside the text hits the cell, or the row around the cells. */
      for (cell = gtk_widget_get_first_child (widget); cell != NULL && !GTK_IS_SCROLLABLE (widget); cell = gtk_widget_get_first_child (cell))
        {
          row = g_object_get_data (G_OBJECT (cell), CELL_ITEM);
          if (row != NULL)
            return row;
        }
    }
  return NULL;
}

/* ---- sorting ---- */

/* The view's own sorter is asked with two probes: the sorter of the primary column is the first to run, and whether
 * its answer comes back turned round is the direction. (GTK 4.8 cannot be asked.) */
static const KtField *probed;

static int
probe_cb (gconstpointer a,
          gconstpointer b,
          gpointer      user_data)
{
  probed = user_data;
  return 1;
}

gboolean
kt_list_columns_get_sort (GtkColumnView  *view,
                          const KtField **field,
                          gboolean       *descending)
{
  GtkSorter *sorter = gtk_column_view_get_sorter (view);
  g_autoptr (GObject) one = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (GObject) other = g_object_new (G_TYPE_OBJECT, NULL);
  GtkOrdering ordering;

  probed = NULL;
  ordering = gtk_sorter_compare (sorter, one, other);
  if (probed == NULL)
    return FALSE;
  *field = probed;
  *descending = ordering == GTK_ORDERING_SMALLER;
  return TRUE;
}

/* ---- columns ---- */

static const KtField **
chosen_fields (const KtObject *object,
               GSettings      *settings,
               guint          *n)
{
  g_autoptr (GVariant) all = g_settings_get_value (settings, "columns");
  g_autofree const char **names = NULL;
  const KtField **fields;

  if (!g_variant_lookup (all, object->name, "^a&s", &names))
    return kt_object_list_fields (object, n);
  fields = g_new0 (const KtField *, MAX_COLUMNS + 1);
  *n = 0;
  for (guint i = 0; names[i] != NULL && *n < MAX_COLUMNS; i++)
    {
      const KtField *field = kt_object_field (object, names[i]);

      if (field != NULL)
        fields[(*n)++] = field;
    }
  if (*n > 0)
    return fields;
  g_free (fields);
  return kt_object_list_fields (object, n);
}

/* Numbers stand at the right, and so do their headings. GTK 4.8 has no word for it: the heading's box is found by its place. */
static void
align_headings (GtkColumnView        *view,
                const KtField *const *fields,
                guint                 n)
{
  GtkWidget *header = gtk_widget_get_first_child (GTK_WIDGET (view));
  GtkWidget *heading = header != NULL ? gtk_widget_get_first_child (header) : NULL;

  for (guint i = 0; i < n && heading != NULL; i++, heading = gtk_widget_get_next_sibling (heading))
    {
      GtkWidget *box = gtk_widget_get_first_child (heading);

      if (GTK_IS_BOX (box) && kt_layout_numeric (fields[i]))
        gtk_widget_set_halign (box, GTK_ALIGN_END);
    }
}

void
kt_list_columns_build (GtkColumnView  *view,
                       KtWorkspace    *workspace,
                       const KtObject *object,
                       GSettings      *settings,
                       const KtField  *sort,
                       gboolean        descending)
{
  GListModel *columns = gtk_column_view_get_columns (view);
  g_autofree const KtField **fields = NULL;
  guint n = 0;

  while (g_list_model_get_n_items (columns) > 0)
    {
      g_autoptr (GtkColumnViewColumn) column = g_list_model_get_item (columns, 0);

      gtk_column_view_remove_column (view, column);
    }
  fields = chosen_fields (object, settings, &n);
  for (guint i = 0; i < n; i++)
    {
      const KtField *field = fields[i];
      GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
      g_autoptr (GtkColumnViewColumn) column = NULL;

      g_object_set_data (G_OBJECT (factory), "kt-first", GINT_TO_POINTER (i == 0));
      g_object_set_data (G_OBJECT (factory), "kt-chars",
                         GUINT_TO_POINTER (column_chars (field, kt_workspace_get_locale (workspace))));
      g_signal_connect (factory, "setup", G_CALLBACK (setup_cell_cb), (gpointer) field);
      g_signal_connect (factory, "bind", G_CALLBACK (bind_cell_cb), NULL);
      g_signal_connect (factory, "unbind", G_CALLBACK (unbind_cell_cb), NULL);
      column = gtk_column_view_column_new (kt_field_label (field, kt_workspace_get_locale (workspace)), factory);
      gtk_column_view_column_set_resizable (column, TRUE);
      gtk_column_view_column_set_expand (column, i == 0);
      g_object_set_qdata (G_OBJECT (column), column_field_quark (), (gpointer) field);
      if (kt_layout_sortable (field))
        {
          g_autoptr (GtkSorter) sorter = GTK_SORTER (gtk_custom_sorter_new (probe_cb, (gpointer) field, NULL));

          gtk_column_view_column_set_sorter (column, sorter);
        }
      gtk_column_view_append_column (view, column);
      if (field == sort)
        gtk_column_view_sort_by_column (view, column, descending ? GTK_SORT_DESCENDING : GTK_SORT_ASCENDING);
    }
  align_headings (view, fields, n);
}
