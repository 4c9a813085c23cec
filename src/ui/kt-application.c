/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-application.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <stdlib.h>

#include "model/kt-editor.h"
#include "ui/kt-demo.h"
#include "ui/kt-preferences.h"
#include "ui/kt-record-page.h"
#include "ui/kt-window.h"

struct _KtApplication
{
  AdwApplication parent_instance;

  /* owned */
  KtWorkspace  *workspace;
  GSettings    *settings;
  GCancellable *cancellable;
  GError       *open_error;
  char         *profile;
  char         *demo_server, *demo_user, *demo_password_file;

  /* state */
  guint         opening : 1;
};

G_DEFINE_FINAL_TYPE (KtApplication, kt_application, ADW_TYPE_APPLICATION)

static const GOptionEntry options[] = {
  { "profile", 'p', 0, G_OPTION_ARG_FILENAME, NULL, N_("Folder of the profile"), N_("DIR") },
  { "demo-server", 0, 0, G_OPTION_ARG_STRING, NULL, N_("Sign in to this server when the profile is new"), N_("URL") },
  { "demo-user", 0, 0, G_OPTION_ARG_STRING, NULL, N_("User name for --demo-server"), N_("NAME") },
  { "demo-password-file", 0, 0, G_OPTION_ARG_FILENAME, NULL, N_("File that holds the password for --demo-server"), N_("FILE") },
  { "version", 'v', 0, G_OPTION_ARG_NONE, NULL, N_("Print the version and exit"), NULL },
  { NULL }
};

static KtWindow *
main_window (KtApplication *self)
{
  for (GList *l = gtk_application_get_windows (GTK_APPLICATION (self)); l != NULL; l = l->next)
    if (KT_IS_WINDOW (l->data))
      return l->data;
  return NULL;
}

/* ---- the workspace ---- */

static void
demo_signed_in_cb (GObject      *object,
                   GAsyncResult *result,
                   gpointer      user_data)
{
  g_autoptr (KtApplication) self = KT_APPLICATION (user_data);
  g_autoptr (GError) error = NULL;
  KtWindow *window = main_window (self);

  if (!kt_workspace_sign_in_finish (KT_WORKSPACE (object), result, &error) && window != NULL)
    kt_toast_error (GTK_WIDGET (window), error);
}

static void
sign_in_to_demo (KtApplication *self)
{
  g_autofree char *password = NULL;
  g_autoptr (GError) error = NULL;
  gsize len = 0;

  if (self->demo_server == NULL || self->demo_user == NULL || self->demo_password_file == NULL)
    return;
  if (kt_workspace_get_state (self->workspace) != KT_WORKSPACE_SIGNED_OUT &&
      g_strcmp0 (kt_workspace_get_server (self->workspace), self->demo_server) == 0)
    return;
  if (!g_file_get_contents (self->demo_password_file, &password, &len, &error))
    {
      g_printerr ("kontor: %s\n", error->message);
      return;
    }
  g_strchomp (password);
  kt_workspace_sign_in_async (self->workspace, self->demo_server, self->demo_user, password, self->cancellable,
                              demo_signed_in_cb, g_object_ref (self));
  memset (password, 0, len);
}

static void
workspace_opened_cb (GObject      *object,
                     GAsyncResult *result,
                     gpointer      user_data)
{
  g_autoptr (KtApplication) self = KT_APPLICATION (user_data);
  g_autoptr (GError) error = NULL;
  KtWindow *window;

  self->workspace = kt_workspace_open_finish (result, &error);
  self->opening = FALSE;
  g_application_release (G_APPLICATION (self));
  window = main_window (self);
  if (self->workspace == NULL)
    {
      if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
      if (window != NULL)
        kt_window_show_problem (window, error);
      g_clear_error (&self->open_error);
      self->open_error = g_steal_pointer (&error);
      return;
    }
  sign_in_to_demo (self);
  if (window != NULL)
    kt_window_set_workspace (window, self->workspace);
}

static char *
interface_locale (KtApplication *self)
{
  g_autofree char *chosen = g_settings_get_string (self->settings, "language");
  const char *const *names = g_get_language_names ();

  if (chosen[0] != '\0')
    return g_steal_pointer (&chosen);
  for (guint i = 0; names[i] != NULL; i++)
    if (strchr (names[i], '.') == NULL && strchr (names[i], '@') == NULL && g_strcmp0 (names[i], "C") != 0)
      return g_strdup (names[i]);
  return g_strdup ("en");
}

static void
open_workspace (KtApplication *self)
{
  g_autofree char *locale = interface_locale (self);

  if (self->workspace != NULL || self->opening)
    return;
  self->opening = TRUE;
  g_application_hold (G_APPLICATION (self));
  kt_workspace_open_async (self->profile, locale, self->cancellable, workspace_opened_cb, g_object_ref (self));
}

/* ---- actions ---- */

static void
about_activated_cb (GSimpleAction *action,
                    GVariant      *parameter,
                    gpointer       user_data)
{
  KtApplication *self = KT_APPLICATION (user_data);
  const char *developers[] = { "The Kontor developers", NULL };
  GtkWidget *about;

  about = g_object_new (ADW_TYPE_ABOUT_WINDOW,
                        "transient-for", gtk_application_get_active_window (GTK_APPLICATION (self)),
                        "modal", TRUE,
                        "application-name", _("Kontor"),
                        "application-icon", KT_APP_ID,
                        "version", PACKAGE_VERSION,
                        "developer-name", _("The Kontor developers"),
                        "developers", developers,
                        "copyright", "© 2026 The Kontor developers",
                        "license-type", GTK_LICENSE_GPL_3_0,
                        "comments", _("Customers, deals, orders and cases that stay with you without a network."),
                        /* Translators: your names, one a line */
                        "translator-credits", _("translator-credits"),
                        NULL);
  gtk_window_present (GTK_WINDOW (about));
}

static void
preferences_activated_cb (GSimpleAction *action,
                          GVariant      *parameter,
                          gpointer       user_data)
{
  KtApplication *self = KT_APPLICATION (user_data);
  GtkWindow *preferences = kt_preferences_new (self->settings, self->workspace);

  gtk_window_set_transient_for (preferences, gtk_application_get_active_window (GTK_APPLICATION (self)));
  gtk_window_present (preferences);
}

static void
quit_activated_cb (GSimpleAction *action,
                   GVariant      *parameter,
                   gpointer       user_data)
{
  GList *windows = g_list_copy (gtk_application_get_windows (GTK_APPLICATION (user_data)));

  /* Each window may ask about unsaved edits. */
  for (GList *l = windows; l != NULL; l = l->next)
    gtk_window_close (l->data);
  g_list_free (windows);
}

static void
new_window_activated_cb (GSimpleAction *action,
                         GVariant      *parameter,
                         gpointer       user_data)
{
  KtApplication *self = KT_APPLICATION (user_data);
  KtWindow *window = kt_window_new (ADW_APPLICATION (self));

  if (self->workspace != NULL)
    kt_window_set_workspace (window, self->workspace);
  gtk_window_present (GTK_WINDOW (window));
}

static const GActionEntry app_actions[] = {
  { "about", about_activated_cb, NULL, NULL, NULL, { 0 } },
  { "preferences", preferences_activated_cb, NULL, NULL, NULL, { 0 } },
  { "new-window", new_window_activated_cb, NULL, NULL, NULL, { 0 } },
  { "quit", quit_activated_cb, NULL, NULL, NULL, { 0 } },
};

static const struct
{
  const char *action;
  const char *accels[3];
} accels[] = {
  { "app.quit", { "<Control>q" } },
  { "app.preferences", { "<Control>comma" } },
  { "app.new-window", { "<Control><Shift>n" } },
  { "window.close", { "<Control>w" } },
  { "win.search", { "<Control>k" } },
  { "win.new", { "<Control>n" } },
  { "win.undo", { "<Control>z" } },
  { "win.sync-now", { "F5", "<Control>r" } },
  { "win.back", { "<Alt>Left" } },
  { "win.review", { "<Control><Shift>r" } },
  { "win.outbox", { "<Control><Shift>o" } },
  { "win.show-help-overlay", { "<Control>question", "<Control>slash" } },
};

static void
apply_color_scheme (KtApplication *self)
{
  g_autofree char *scheme = g_settings_get_string (self->settings, "color-scheme");
  AdwColorScheme value = ADW_COLOR_SCHEME_DEFAULT;

  if (g_strcmp0 (scheme, "light") == 0)
    value = ADW_COLOR_SCHEME_FORCE_LIGHT;
  else if (g_strcmp0 (scheme, "dark") == 0)
    value = ADW_COLOR_SCHEME_FORCE_DARK;
  adw_style_manager_set_color_scheme (adw_style_manager_get_default (), value);
}

/* ---- overrides ---- */

static void
kt_application_startup (GApplication *application)
{
  KtApplication *self = KT_APPLICATION (application);

  G_APPLICATION_CLASS (kt_application_parent_class)->startup (application);

  gtk_window_set_default_icon_name (KT_APP_ID);
  g_action_map_add_action_entries (G_ACTION_MAP (self), app_actions, G_N_ELEMENTS (app_actions), self);
  for (guint i = 0; i < G_N_ELEMENTS (accels); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (self), accels[i].action, (const char *const *) accels[i].accels);
  g_signal_connect_object (self->settings, "changed::color-scheme", G_CALLBACK (apply_color_scheme), self, G_CONNECT_SWAPPED);
  apply_color_scheme (self);
  open_workspace (self);
}

static void
kt_application_activate (GApplication *application)
{
  KtApplication *self = KT_APPLICATION (application);
  KtWindow *window = main_window (self);

  if (window == NULL)
    {
      window = kt_window_new (ADW_APPLICATION (self));
      if (self->workspace != NULL)
        kt_window_set_workspace (window, self->workspace);
      else if (self->open_error != NULL)
        kt_window_show_problem (window, self->open_error);
    }
  gtk_window_present (GTK_WINDOW (window));
}

static int
kt_application_handle_local_options (GApplication *application,
                                     GVariantDict *dict)
{
  KtApplication *self = KT_APPLICATION (application);
  gboolean version = FALSE;

  if (g_variant_dict_lookup (dict, "version", "b", &version) && version)
    {
      g_print ("kontor %s\n", PACKAGE_VERSION);
      return 0;
    }
  g_variant_dict_lookup (dict, "profile", "^ay", &self->profile);
  g_variant_dict_lookup (dict, "demo-server", "s", &self->demo_server);
  g_variant_dict_lookup (dict, "demo-user", "s", &self->demo_user);
  g_variant_dict_lookup (dict, "demo-password-file", "^ay", &self->demo_password_file);
  /* One program per profile: another one beside the default is an instance of its own. */
  if (self->profile != NULL)
    {
      g_autofree char *canonical = g_canonicalize_filename (self->profile, NULL);
      g_autofree char *id = g_strdup_printf ("%s.p%08x", KT_APP_ID, g_str_hash (canonical));

      g_free (self->profile);
      self->profile = g_steal_pointer (&canonical);
      g_application_set_application_id (application, id);
    }
  return -1;
}

static void
kt_application_shutdown (GApplication *application)
{
  KtApplication *self = KT_APPLICATION (application);

  g_cancellable_cancel (self->cancellable);
  if (self->workspace != NULL)
    kt_workspace_close (self->workspace);
  kt_demo_stop ();
  G_APPLICATION_CLASS (kt_application_parent_class)->shutdown (application);
}

static void
kt_application_dispose (GObject *object)
{
  KtApplication *self = KT_APPLICATION (object);

  g_clear_object (&self->workspace);
  g_clear_object (&self->settings);
  g_clear_object (&self->cancellable);
  g_clear_error (&self->open_error);

  G_OBJECT_CLASS (kt_application_parent_class)->dispose (object);
}

static void
kt_application_finalize (GObject *object)
{
  KtApplication *self = KT_APPLICATION (object);

  g_free (self->profile);
  g_free (self->demo_server);
  g_free (self->demo_user);
  g_free (self->demo_password_file);

  G_OBJECT_CLASS (kt_application_parent_class)->finalize (object);
}

static void
kt_application_class_init (KtApplicationClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GApplicationClass *application_class = G_APPLICATION_CLASS (klass);

  object_class->dispose = kt_application_dispose;
  object_class->finalize = kt_application_finalize;
  application_class->startup = kt_application_startup;
  application_class->activate = kt_application_activate;
  application_class->handle_local_options = kt_application_handle_local_options;
  application_class->shutdown = kt_application_shutdown;
}

static void
kt_application_init (KtApplication *self)
{
  self->cancellable = g_cancellable_new ();
  self->settings = g_settings_new (KT_APP_ID);
  g_application_add_main_option_entries (G_APPLICATION (self), options);
}

KtWorkspace *
kt_application_get_workspace (KtApplication *self)
{
  return self->workspace;
}

GSettings *
kt_application_get_settings (KtApplication *self)
{
  return self->settings;
}

/* The language chosen in the preferences has to be known before anything is translated. */
static void
choose_language (void)
{
  GSettingsSchemaSource *source = g_settings_schema_source_get_default ();
  g_autoptr (GSettingsSchema) schema = source != NULL ? g_settings_schema_source_lookup (source, KT_APP_ID, TRUE) : NULL;
  g_autoptr (GSettings) settings = NULL;
  g_autofree char *language = NULL;

  if (schema == NULL)
    {
      g_printerr ("kontor: the settings of Kontor are not installed; start it with “make run” or install it with “make install”.\n");
      exit (1);
    }
  settings = g_settings_new (KT_APP_ID);
  language = g_settings_get_string (settings, "language");
  if (language[0] != '\0')
    g_setenv ("LANGUAGE", language, TRUE);
}

int
kt_application_main (int    argc,
                     char **argv)
{
  const char *locale_dir = g_getenv ("KONTOR_LOCALEDIR");
  g_autoptr (KtApplication) application = NULL;

  choose_language ();
  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, locale_dir != NULL ? locale_dir : KT_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_application_name (_("Kontor"));

  application = g_object_new (KT_TYPE_APPLICATION,
                              "application-id", KT_APP_ID,
                              "resource-base-path", "/org/kontor/Kontor",
                              NULL);
  return g_application_run (G_APPLICATION (application), argc, argv);
}
