/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One line. Numbers, money and dates are shown as people read them and become what
 * people type while the cursor is in the entry. */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-field-editor-private.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#define KT_TYPE_TEXT_EDITOR (_kt_text_editor_get_type ())
G_DECLARE_FINAL_TYPE (KtTextEditor, _kt_text_editor, KT, TEXT_EDITOR, KtFieldEditor)

struct _KtTextEditor
{
  KtFieldEditor parent_instance;

  /* children */
  GtkWidget   *entry;
  GtkWidget   *open;          /* e-mail, phone, url */
  GtkWidget   *pick;          /* menu button: calendar, options */
  GtkCalendar *calendar;
  GtkSpinButton *hour, *minute;

  /* state */
  int          shown_year, shown_month;
  guint        formatted : 1; /* reads differently from what is typed */
  guint        focused : 1;
  guint        quiet : 1;     /* the change is ours */
  guint        typing : 1;
};

G_DEFINE_FINAL_TYPE (KtTextEditor, _kt_text_editor, KT_TYPE_FIELD_EDITOR)

static void
_kt_text_editor_refresh (KtFieldEditor *base)
{
  KtTextEditor *self = KT_TEXT_EDITOR (base);
  KtEditor *editor = kt_field_editor_get_editor (base);
  const KtField *field = kt_field_editor_get_field (base);
  g_autofree char *text = NULL;

  if (!self->typing)
    {
      if (self->formatted && !self->focused && kt_editor_get_problem (editor, field) == NULL)
        text = kt_editor_get_display (editor, field);
      else
        text = kt_editor_get_text (editor, field);
      if (g_strcmp0 (text, gtk_editable_get_text (GTK_EDITABLE (self->entry))) != 0)
        {
          int position = gtk_editable_get_position (GTK_EDITABLE (self->entry));

          self->quiet = TRUE;
          gtk_editable_set_text (GTK_EDITABLE (self->entry), text != NULL ? text : "");
          gtk_editable_set_position (GTK_EDITABLE (self->entry), position);
          self->quiet = FALSE;
        }
    }
  if (self->open != NULL)
    gtk_widget_set_visible (self->open, gtk_editable_get_text (GTK_EDITABLE (self->entry))[0] != '\0');
}

static void
changed_cb (KtTextEditor *self)
{
  KtFieldEditor *base = KT_FIELD_EDITOR (self);

  if (self->quiet)
    return;
  self->typing = TRUE;
  kt_editor_set_text (kt_field_editor_get_editor (base), kt_field_editor_get_field (base),
                      gtk_editable_get_text (GTK_EDITABLE (self->entry)));
  self->typing = FALSE;
  if (self->open != NULL)
    gtk_widget_set_visible (self->open, gtk_editable_get_text (GTK_EDITABLE (self->entry))[0] != '\0');
}

static void
enter_cb (KtTextEditor *self)
{
  self->focused = TRUE;
  if (self->formatted)
    _kt_text_editor_refresh (KT_FIELD_EDITOR (self));
}

static void
leave_cb (KtTextEditor *self)
{
  self->focused = FALSE;
  _kt_text_editor_refresh (KT_FIELD_EDITOR (self));
}

static void
activate_cb (KtTextEditor *self)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "record.save", NULL);
}

/* ---- open ---- */

static void
open_clicked_cb (KtTextEditor *self)
{
  const KtField *field = kt_field_editor_get_field (KT_FIELD_EDITOR (self));
  g_autofree char *text = g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->entry))));
  g_autofree char *uri = NULL;
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));

  if (text[0] == '\0')
    return;
  if (field->type == KT_FIELD_EMAIL)
    {
      g_autofree char *escaped = g_uri_escape_string (text, "@", FALSE);

      uri = g_strconcat ("mailto:", escaped, NULL);
    }
  else if (field->type == KT_FIELD_PHONE)
    {
      g_autofree char *escaped = g_uri_escape_string (text, "+", FALSE);

      uri = g_strconcat ("tel:", escaped, NULL);
    }
  /* Nothing but the web: a value may come from anywhere. */
  else if (g_ascii_strncasecmp (text, "http://", 7) == 0 || g_ascii_strncasecmp (text, "https://", 8) == 0)
    uri = g_strdup (text);
  else if (strstr (text, "://") == NULL)
    uri = g_strconcat ("https://", text, NULL);
  if (uri != NULL)
    gtk_show_uri (GTK_IS_WINDOW (root) ? GTK_WINDOW (root) : NULL, uri, GDK_CURRENT_TIME);
}

static void
add_open (KtTextEditor *self,
          GtkBox       *box,
          const char   *icon,
          const char   *what)
{
  self->open = gtk_button_new_from_icon_name (icon);
  gtk_widget_add_css_class (self->open, "flat");
  gtk_widget_set_valign (self->open, GTK_ALIGN_CENTER);
  _kt_field_editor_name_button (KT_FIELD_EDITOR (self), self->open, what);
  g_signal_connect_object (self->open, "clicked", G_CALLBACK (open_clicked_cb), self, G_CONNECT_SWAPPED);
  gtk_box_append (box, self->open);
}

/* ---- calendar ---- */

static void
set_typed (KtTextEditor *self,
           const char   *text)
{
  KtFieldEditor *base = KT_FIELD_EDITOR (self);

  kt_editor_set_text (kt_field_editor_get_editor (base), kt_field_editor_get_field (base), text);
  _kt_text_editor_refresh (base);
}

static void
take_date (KtTextEditor *self)
{
  g_autoptr (GDateTime) date = gtk_calendar_get_date (self->calendar);
  g_autofree char *text = NULL;

  if (self->hour != NULL)
    text = g_strdup_printf ("%04d-%02d-%02d %02d:%02d", g_date_time_get_year (date), g_date_time_get_month (date),
                            g_date_time_get_day_of_month (date), gtk_spin_button_get_value_as_int (self->hour),
                            gtk_spin_button_get_value_as_int (self->minute));
  else
    text = g_strdup_printf ("%04d-%02d-%02d", g_date_time_get_year (date), g_date_time_get_month (date),
                            g_date_time_get_day_of_month (date));
  set_typed (self, text);
}

static void
day_selected_cb (KtTextEditor *self)
{
  g_autoptr (GDateTime) date = NULL;
  gboolean turned;

  if (self->quiet)
    return;
  /* Turning to another month also selects a day: then the person is still looking for one. */
  date = gtk_calendar_get_date (self->calendar);
  turned = g_date_time_get_year (date) != self->shown_year || g_date_time_get_month (date) != self->shown_month;
  self->shown_year = g_date_time_get_year (date);
  self->shown_month = g_date_time_get_month (date);
  if (turned)
    return;
  take_date (self);
  if (self->hour == NULL)
    gtk_menu_button_popdown (GTK_MENU_BUTTON (self->pick));
}

static void
time_changed_cb (KtTextEditor *self)
{
  if (!self->quiet)
    take_date (self);
}

static gboolean
show_two_digits_cb (GtkSpinButton *spin)
{
  g_autofree char *text = g_strdup_printf ("%02d", gtk_spin_button_get_value_as_int (spin));

  gtk_editable_set_text (GTK_EDITABLE (spin), text);
  return TRUE;
}

/* The calendar opens at the value, or at today. */
static void
calendar_shown_cb (KtTextEditor *self)
{
  KtFieldEditor *base = KT_FIELD_EDITOR (self);
  const KtValue *value = kt_editor_get_value (kt_field_editor_get_editor (base), kt_field_editor_get_field (base));
  g_autoptr (GDateTime) date = NULL;

  if (value->type == KT_VALUE_TEXT)
    {
      int year, month, day;

      if (strchr (value->v.text, 'T') != NULL)
        {
          g_autoptr (GDateTime) utc = g_date_time_new_from_iso8601 (value->v.text, NULL);

          date = utc != NULL ? g_date_time_to_local (utc) : NULL;
        }
      else if (sscanf (value->v.text, "%4d-%2d-%2d", &year, &month, &day) == 3)
        date = g_date_time_new_local (year, month, day, 0, 0, 0);
    }
  if (date == NULL)
    date = g_date_time_new_now_local ();
  self->quiet = TRUE;
  gtk_calendar_select_day (self->calendar, date);
  if (self->hour != NULL)
    {
      gtk_spin_button_set_value (self->hour, g_date_time_get_hour (date));
      gtk_spin_button_set_value (self->minute, g_date_time_get_minute (date));
    }
  self->quiet = FALSE;
  self->shown_year = g_date_time_get_year (date);
  self->shown_month = g_date_time_get_month (date);
}

static GtkSpinButton *
add_spin (KtTextEditor *self,
          GtkBox       *box,
          int           maximum,
          const char   *label)
{
  GtkWidget *spin = gtk_spin_button_new_with_range (0, maximum, 1);

  gtk_spin_button_set_wrap (GTK_SPIN_BUTTON (spin), TRUE);
  gtk_editable_set_width_chars (GTK_EDITABLE (spin), 2);
  gtk_accessible_update_property (GTK_ACCESSIBLE (spin), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  g_signal_connect (spin, "output", G_CALLBACK (show_two_digits_cb), NULL);
  g_signal_connect_object (spin, "value-changed", G_CALLBACK (time_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_box_append (box, spin);
  return GTK_SPIN_BUTTON (spin);
}

/* A calendar costs 60 widgets: made when first asked for. */
static void
make_calendar_cb (GtkMenuButton *button,
                  gpointer       user_data)
{
  KtTextEditor *self = KT_TEXT_EDITOR (user_data);
  GtkWidget *popover, *box;

  if (self->calendar != NULL)
    return;
  popover = gtk_popover_new ();
  box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  self->calendar = GTK_CALENDAR (gtk_calendar_new ());
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->calendar));
  if (kt_field_editor_get_field (KT_FIELD_EDITOR (self))->type == KT_FIELD_DATE_TIME)
    {
      GtkWidget *time = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);

      gtk_widget_set_halign (time, GTK_ALIGN_CENTER);
      self->hour = add_spin (self, GTK_BOX (time), 23, _("Hour"));
      gtk_box_append (GTK_BOX (time), gtk_label_new (":"));
      self->minute = add_spin (self, GTK_BOX (time), 59, _("Minute"));
      gtk_box_append (GTK_BOX (box), time);
    }
  gtk_popover_set_child (GTK_POPOVER (popover), box);
  g_signal_connect_object (self->calendar, "day-selected", G_CALLBACK (day_selected_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (popover, "show", G_CALLBACK (calendar_shown_cb), self, G_CONNECT_SWAPPED);
  gtk_menu_button_set_popover (button, popover);
}

/* ---- options to type (open choices) ---- */

static void
option_activated_cb (KtTextEditor  *self,
                     GtkListBoxRow *row)
{
  const KtField *field = kt_field_editor_get_field (KT_FIELD_EDITOR (self));
  int index = gtk_list_box_row_get_index (row);

  gtk_menu_button_popdown (GTK_MENU_BUTTON (self->pick));
  if (index >= 0 && (guint) index < field->n_options)
    set_typed (self, kt_option_label (&field->options[index], _kt_field_editor_locale (KT_FIELD_EDITOR (self))));
}

static void
make_options_cb (GtkMenuButton *button,
                 gpointer       user_data)
{
  KtTextEditor *self = KT_TEXT_EDITOR (user_data);
  const KtField *field = kt_field_editor_get_field (KT_FIELD_EDITOR (self));
  GtkWidget *popover, *scroller, *list;

  if (gtk_menu_button_get_popover (button) != NULL)
    return;
  popover = gtk_popover_new ();
  scroller = gtk_scrolled_window_new ();
  list = gtk_list_box_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scroller), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scroller), 320);
  gtk_list_box_set_selection_mode (GTK_LIST_BOX (list), GTK_SELECTION_NONE);
  for (guint i = 0; i < field->n_options; i++)
    {
      GtkWidget *label = gtk_label_new (kt_option_label (&field->options[i], _kt_field_editor_locale (KT_FIELD_EDITOR (self))));

      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_list_box_append (GTK_LIST_BOX (list), label);
    }
  g_signal_connect_object (list, "row-activated", G_CALLBACK (option_activated_cb), self, G_CONNECT_SWAPPED);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), list);
  gtk_popover_set_child (GTK_POPOVER (popover), scroller);
  gtk_widget_add_css_class (popover, "menu");
  gtk_menu_button_set_popover (button, popover);
}

static void
add_pick (KtTextEditor              *self,
          GtkBox                    *box,
          const char                *icon,
          const char                *what,
          GtkMenuButtonCreatePopupFunc make)
{
  self->pick = gtk_menu_button_new ();
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (self->pick), icon);
  gtk_menu_button_set_create_popup_func (GTK_MENU_BUTTON (self->pick), make, self, NULL);
  gtk_widget_add_css_class (self->pick, "flat");
  gtk_widget_set_valign (self->pick, GTK_ALIGN_CENTER);
  _kt_field_editor_name_button (KT_FIELD_EDITOR (self), self->pick, what);
  gtk_box_append (box, self->pick);
}

/* ---- all together ---- */

static void
_kt_text_editor_build (KtFieldEditor *base)
{
  KtTextEditor *self = KT_TEXT_EDITOR (base);
  const KtField *field = kt_field_editor_get_field (base);
  KtWorkspace *workspace = kt_editor_get_workspace (kt_field_editor_get_editor (base));
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 3);
  GtkEventController *focus = gtk_event_controller_focus_new ();
  GtkEntry *entry;

  self->entry = gtk_entry_new ();
  entry = GTK_ENTRY (self->entry);
  gtk_widget_set_hexpand (self->entry, TRUE);
  gtk_editable_set_width_chars (GTK_EDITABLE (entry), 4);
  gtk_box_append (GTK_BOX (box), self->entry);
  switch ((int) field->type)
    {
    case KT_FIELD_EMAIL:
      gtk_entry_set_input_purpose (entry, GTK_INPUT_PURPOSE_EMAIL);
      add_open (self, GTK_BOX (box), "kt-email-symbolic", _("Write an E-Mail"));
      break;
    case KT_FIELD_PHONE:
      gtk_entry_set_input_purpose (entry, GTK_INPUT_PURPOSE_PHONE);
      add_open (self, GTK_BOX (box), "kt-call-symbolic", _("Call"));
      break;
    case KT_FIELD_URL:
      gtk_entry_set_input_purpose (entry, GTK_INPUT_PURPOSE_URL);
      add_open (self, GTK_BOX (box), "web-browser-symbolic", _("Open in the Browser"));
      break;
    case KT_FIELD_DATE:
    case KT_FIELD_DATE_TIME:
      self->formatted = TRUE;
      add_pick (self, GTK_BOX (box), "x-office-calendar-symbolic", _("Pick a Day"), make_calendar_cb);
      break;
    case KT_FIELD_CHOICE:
      self->formatted = TRUE;
      if (field->n_options > 0)
        add_pick (self, GTK_BOX (box), "pan-down-symbolic", _("Choose"), make_options_cb);
      break;
    case KT_FIELD_MONEY:
      {
        const char *currency = kt_workspace_get_currency (workspace);
        g_autofree char *hint = g_strconcat ("0.00 ", currency, NULL);

        self->formatted = TRUE;
        gtk_entry_set_placeholder_text (entry, g_strchomp (hint));
      }
      break;
    case KT_FIELD_PERCENT:
      self->formatted = TRUE;
      gtk_entry_set_placeholder_text (entry, "%");
      break;
    case KT_FIELD_DURATION:
      self->formatted = TRUE;
      /* Translators: an example of a duration as one may type it: one hour and a half. */
      gtk_entry_set_placeholder_text (entry, _("1:30"));
      break;
    case KT_FIELD_INTEGER:
    case KT_FIELD_DECIMAL:
      self->formatted = TRUE;
      break;
    default:
      break;
    }
  g_signal_connect_object (self->entry, "changed", G_CALLBACK (changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->entry, "activate", G_CALLBACK (activate_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (focus, "enter", G_CALLBACK (enter_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (focus, "leave", G_CALLBACK (leave_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (self->entry, focus);
  _kt_field_editor_set_child (base, box, self->entry);
}

static void
_kt_text_editor_class_init (KtTextEditorClass *klass)
{
  KT_FIELD_EDITOR_CLASS (klass)->build = _kt_text_editor_build;
  KT_FIELD_EDITOR_CLASS (klass)->refresh = _kt_text_editor_refresh;
}

static void
_kt_text_editor_init (KtTextEditor *self)
{
}
