/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-welcome-page.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "ui/kt-demo.h"

struct _KtWelcomePage
{
  GtkWidget parent_instance;

  /* owned */
  KtWorkspace  *workspace;
  GCancellable *cancellable;

  /* template */
  GtkWidget           *box;
  AdwEntryRow         *server, *user;
  AdwPasswordEntryRow *password;
  GtkWidget           *sign_in_button, *demo_button;
  GtkSpinner          *spinner;
  GtkLabel            *problem;

  /* state */
  guint                busy : 1;
};

G_DEFINE_FINAL_TYPE (KtWelcomePage, kt_welcome_page, GTK_TYPE_WIDGET)

static void
update_actions (KtWelcomePage *self)
{
  gboolean filled = gtk_editable_get_text (GTK_EDITABLE (self->server))[0] != '\0' &&
                    gtk_editable_get_text (GTK_EDITABLE (self->user))[0] != '\0' &&
                    gtk_editable_get_text (GTK_EDITABLE (self->password))[0] != '\0';

  gtk_widget_action_set_enabled (GTK_WIDGET (self), "welcome.sign-in", self->workspace != NULL && filled && !self->busy);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "welcome.demo", self->workspace != NULL && !self->busy);
  gtk_spinner_set_spinning (self->spinner, self->busy);
  gtk_widget_set_visible (GTK_WIDGET (self->spinner), self->busy);
}

static void
set_busy (KtWelcomePage *self,
          gboolean       busy)
{
  self->busy = busy;
  if (busy)
    gtk_widget_set_visible (GTK_WIDGET (self->problem), FALSE);
  update_actions (self);
}

static void
show_problem (KtWelcomePage *self,
              const GError  *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  gtk_label_set_text (self->problem, error->message);
  gtk_widget_set_visible (GTK_WIDGET (self->problem), TRUE);
}

static void
signed_in_cb (GObject      *object,
              GAsyncResult *result,
              gpointer      user_data)
{
  g_autoptr (KtWelcomePage) self = KT_WELCOME_PAGE (user_data);
  g_autoptr (GError) error = NULL;
  gboolean ok = kt_workspace_sign_in_finish (KT_WORKSPACE (object), result, &error);

  if (self->workspace == NULL)
    return;
  set_busy (self, FALSE);
  if (!ok)
    {
      show_problem (self, error);
      gtk_widget_grab_focus (GTK_WIDGET (self->password));
      return;
    }
  gtk_editable_set_text (GTK_EDITABLE (self->password), "");
}

static void
sign_in_action (GtkWidget  *widget,
                const char *name,
                GVariant   *parameter)
{
  KtWelcomePage *self = KT_WELCOME_PAGE (widget);

  set_busy (self, TRUE);
  kt_workspace_sign_in_async (self->workspace, gtk_editable_get_text (GTK_EDITABLE (self->server)),
                              gtk_editable_get_text (GTK_EDITABLE (self->user)),
                              gtk_editable_get_text (GTK_EDITABLE (self->password)), self->cancellable, signed_in_cb,
                              g_object_ref (self));
}

static void
demo_started_cb (GObject      *object,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  g_autoptr (KtWelcomePage) self = KT_WELCOME_PAGE (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtDemo) demo = kt_demo_start_finish (result, &error);

  if (self->workspace == NULL)
    return;
  if (demo == NULL)
    {
      set_busy (self, FALSE);
      show_problem (self, error);
      return;
    }
  kt_workspace_sign_in_async (self->workspace, demo->address, demo->user, demo->password, self->cancellable, signed_in_cb,
                              g_object_ref (self));
}

static void
demo_action (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  KtWelcomePage *self = KT_WELCOME_PAGE (widget);

  set_busy (self, TRUE);
  kt_demo_start_async (self->cancellable, demo_started_cb, g_object_ref (self));
}

static void
apply_cb (KtWelcomePage *self)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "welcome.sign-in", NULL);
}

static void
kt_welcome_page_dispose (GObject *object)
{
  KtWelcomePage *self = KT_WELCOME_PAGE (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->workspace);
  gtk_widget_dispose_template (GTK_WIDGET (self), KT_TYPE_WELCOME_PAGE);

  G_OBJECT_CLASS (kt_welcome_page_parent_class)->dispose (object);
}

static void
kt_welcome_page_class_init (KtWelcomePageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = kt_welcome_page_dispose;

  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/kontor/Kontor/ui/kt-welcome-page.ui");
  gtk_widget_class_bind_template_child (widget_class, KtWelcomePage, box);
  gtk_widget_class_bind_template_child (widget_class, KtWelcomePage, server);
  gtk_widget_class_bind_template_child (widget_class, KtWelcomePage, user);
  gtk_widget_class_bind_template_child (widget_class, KtWelcomePage, password);
  gtk_widget_class_bind_template_child (widget_class, KtWelcomePage, sign_in_button);
  gtk_widget_class_bind_template_child (widget_class, KtWelcomePage, demo_button);
  gtk_widget_class_bind_template_child (widget_class, KtWelcomePage, spinner);
  gtk_widget_class_bind_template_child (widget_class, KtWelcomePage, problem);
  gtk_widget_class_bind_template_callback (widget_class, update_actions);
  gtk_widget_class_bind_template_callback (widget_class, apply_cb);
  gtk_widget_class_install_action (widget_class, "welcome.sign-in", NULL, sign_in_action);
  gtk_widget_class_install_action (widget_class, "welcome.demo", NULL, demo_action);
}

static void
kt_welcome_page_init (KtWelcomePage *self)
{
  self->cancellable = g_cancellable_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
  update_actions (self);
}

void
kt_welcome_page_set_workspace (KtWelcomePage *self,
                               KtWorkspace   *workspace)
{
  if (!g_set_object (&self->workspace, workspace))
    return;
  if (workspace != NULL)
    {
      gtk_editable_set_text (GTK_EDITABLE (self->server), kt_workspace_get_server (workspace));
      gtk_editable_set_text (GTK_EDITABLE (self->user), kt_workspace_get_user_name (workspace));
    }
  update_actions (self);
}
