/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-preferences.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#define KT_TYPE_PREFERENCES (kt_preferences_get_type ())
G_DECLARE_FINAL_TYPE (KtPreferences, kt_preferences, KT, PREFERENCES, AdwPreferencesWindow)

struct _KtPreferences
{
  AdwPreferencesWindow parent_instance;

  /* owned */
  GSettings   *settings;

  /* template */
  AdwComboRow  *scheme, *language;
  GtkWidget    *restart_hint;
  AdwActionRow *server, *user, *folder;

  /* state */
  guint         filling : 1;
};

G_DEFINE_FINAL_TYPE (KtPreferences, kt_preferences, ADW_TYPE_PREFERENCES_WINDOW)

/* In the order of the drop-downs in kt-preferences.ui. */
static const char *const schemes[] = { "default", "light", "dark" };
static const char *const languages[] = { "", "en", "zh_CN" };

static guint
position_of (GSettings         *settings,
             const char        *key,
             const char *const *values,
             guint              n)
{
  g_autofree char *value = g_settings_get_string (settings, key);

  for (guint i = 0; i < n; i++)
    if (g_str_equal (values[i], value))
      return i;
  return 0;
}

static void
scheme_changed_cb (KtPreferences *self)
{
  if (!self->filling)
    g_settings_set_string (self->settings, "color-scheme", schemes[adw_combo_row_get_selected (self->scheme)]);
}

static void
language_changed_cb (KtPreferences *self)
{
  if (self->filling)
    return;
  g_settings_set_string (self->settings, "language", languages[adw_combo_row_get_selected (self->language)]);
  gtk_widget_set_visible (self->restart_hint, TRUE);
}

static void
kt_preferences_dispose (GObject *object)
{
  g_clear_object (&KT_PREFERENCES (object)->settings);

  G_OBJECT_CLASS (kt_preferences_parent_class)->dispose (object);
}

static void
kt_preferences_class_init (KtPreferencesClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_preferences_dispose;

  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-preferences.ui");
  gtk_widget_class_bind_template_child (widget_class, KtPreferences, scheme);
  gtk_widget_class_bind_template_child (widget_class, KtPreferences, language);
  gtk_widget_class_bind_template_child (widget_class, KtPreferences, restart_hint);
  gtk_widget_class_bind_template_child (widget_class, KtPreferences, server);
  gtk_widget_class_bind_template_child (widget_class, KtPreferences, user);
  gtk_widget_class_bind_template_child (widget_class, KtPreferences, folder);
  gtk_widget_class_bind_template_callback (widget_class, scheme_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, language_changed_cb);
}

static void
kt_preferences_init (KtPreferences *self)
{
  self->filling = TRUE;
  gtk_widget_init_template (GTK_WIDGET (self));
}

static void
fill (AdwActionRow *row,
      const char   *text)
{
  g_autofree char *markup = g_markup_escape_text (text != NULL && text[0] != '\0' ? text : "—", -1);

  adw_action_row_set_subtitle (row, markup);
}

GtkWindow *
kt_preferences_new (GSettings   *settings,
                    KtWorkspace *workspace)
{
  KtPreferences *self = g_object_new (KT_TYPE_PREFERENCES, "modal", TRUE, NULL);

  self->settings = g_object_ref (settings);
  adw_combo_row_set_selected (self->scheme, position_of (settings, "color-scheme", schemes, G_N_ELEMENTS (schemes)));
  adw_combo_row_set_selected (self->language, position_of (settings, "language", languages, G_N_ELEMENTS (languages)));
  fill (self->server, workspace != NULL ? kt_workspace_get_server (workspace) : NULL);
  fill (self->user, workspace != NULL ? kt_workspace_get_user_name (workspace) : NULL);
  fill (self->folder, workspace != NULL ? kt_workspace_get_dir (workspace) : NULL);
  self->filling = FALSE;
  return GTK_WINDOW (self);
}
