/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-form-grid.h"

#define ROW_SPACING 6
#define COLUMN_SPACING 12

struct _KtFormGrid
{
  GtkWidget parent_instance;

  int       column_width;
  guint     max_columns;
};

G_DEFINE_FINAL_TYPE (KtFormGrid, kt_form_grid, GTK_TYPE_WIDGET)

static G_DEFINE_QUARK (kt-form-grid-wide, wide)

static gboolean
is_wide (GtkWidget *child)
{
  return g_object_get_qdata (G_OBJECT (child), wide_quark ()) != NULL;
}

static guint
count_columns (KtFormGrid *self,
               int         width)
{
  int n = (width + COLUMN_SPACING) / (self->column_width + COLUMN_SPACING);

  return (guint) CLAMP (n, 1, (int) self->max_columns);
}

/* One walk for measuring and for placing. Returns the height. */
static int
lay_out (KtFormGrid *self,
         int         width,
         gboolean    place)
{
  guint n_columns = count_columns (self, width);
  int column_width = (width - (int) (n_columns - 1) * COLUMN_SPACING) / (int) n_columns;
  gboolean rtl = gtk_widget_get_direction (GTK_WIDGET (self)) == GTK_TEXT_DIR_RTL;
  GtkWidget *child = gtk_widget_get_first_child (GTK_WIDGET (self));
  int y = 0;

  while (child != NULL)
    {
      GtkWidget *row[8];
      guint n = 0;
      int height = 0;

      for (; child != NULL && n < n_columns; child = gtk_widget_get_next_sibling (child))
        {
          int natural;

          if (!gtk_widget_should_layout (child))
            continue;
          if (is_wide (child) && n > 0)
            break;
          gtk_widget_measure (child, GTK_ORIENTATION_VERTICAL, is_wide (child) ? width : column_width, NULL, &natural, NULL, NULL);
          height = MAX (height, natural);
          row[n++] = child;
          if (is_wide (child))
            {
              child = gtk_widget_get_next_sibling (child);
              break;
            }
        }
      if (n == 0)
        break;
      if (y > 0)
        y += ROW_SPACING;
      for (guint i = 0; place && i < n; i++)
        {
          gboolean wide = is_wide (row[i]);
          int child_width = wide ? width : column_width;
          int x = (int) i * (column_width + COLUMN_SPACING);

          gtk_widget_size_allocate (row[i], &(GtkAllocation) { rtl ? width - x - child_width : x, y, child_width, height }, -1);
        }
      y += height;
    }
  return y;
}

static GtkSizeRequestMode
kt_form_grid_get_request_mode (GtkWidget *widget)
{
  return GTK_SIZE_REQUEST_HEIGHT_FOR_WIDTH;
}

static void
kt_form_grid_measure (GtkWidget      *widget,
                      GtkOrientation  orientation,
                      int             for_size,
                      int            *minimum,
                      int            *natural,
                      int            *minimum_baseline,
                      int            *natural_baseline)
{
  KtFormGrid *self = KT_FORM_GRID (widget);

  if (orientation == GTK_ORIENTATION_VERTICAL)
    {
      if (for_size < 0)
        gtk_widget_measure (widget, GTK_ORIENTATION_HORIZONTAL, -1, NULL, &for_size, NULL, NULL);
      *minimum = *natural = lay_out (self, for_size, FALSE);
      return;
    }
  *minimum = 0;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL; child = gtk_widget_get_next_sibling (child))
    if (gtk_widget_should_layout (child))
      {
        int child_minimum;

        gtk_widget_measure (child, GTK_ORIENTATION_HORIZONTAL, -1, &child_minimum, NULL, NULL, NULL);
        *minimum = MAX (*minimum, child_minimum);
      }
  *natural = MAX (*minimum, (int) MIN (self->max_columns, 2) * (self->column_width + COLUMN_SPACING));
}

static void
kt_form_grid_size_allocate (GtkWidget *widget,
                            int        width,
                            int        height,
                            int        baseline)
{
  lay_out (KT_FORM_GRID (widget), width, TRUE);
}

static void
kt_form_grid_dispose (GObject *object)
{
  GtkWidget *child;

  while ((child = gtk_widget_get_first_child (GTK_WIDGET (object))) != NULL)
    gtk_widget_unparent (child);

  G_OBJECT_CLASS (kt_form_grid_parent_class)->dispose (object);
}

static void
kt_form_grid_class_init (KtFormGridClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_form_grid_dispose;
  widget_class->get_request_mode = kt_form_grid_get_request_mode;
  widget_class->measure = kt_form_grid_measure;
  widget_class->size_allocate = kt_form_grid_size_allocate;
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
}

static void
kt_form_grid_init (KtFormGrid *self)
{
}

GtkWidget *
kt_form_grid_new (int   column_width,
                  guint max_columns)
{
  KtFormGrid *self = g_object_new (KT_TYPE_FORM_GRID, NULL);

  self->column_width = column_width;
  self->max_columns = MIN (max_columns, 8);
  return GTK_WIDGET (self);
}

void
kt_form_grid_insert (KtFormGrid *self,
                     GtkWidget  *child,
                     GtkWidget  *sibling,
                     gboolean    wide)
{
  g_object_set_qdata (G_OBJECT (child), wide_quark (), GINT_TO_POINTER (wide));
  gtk_widget_insert_after (child, GTK_WIDGET (self), sibling);
}
