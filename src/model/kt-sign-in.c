/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Signing in, for the first time (which makes the profile) or again, and out. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "base/kt-error.h"
#include "kt-model-private.h"

typedef struct
{
  char *address;
  char *user;
  char *password;
} SignIn;

static void
sign_in_free (SignIn *data)
{
  g_free (data->address);
  g_free (data->user);
  explicit_bzero (data->password, strlen (data->password));
  g_free (data->password);
  g_free (data);
}

static void
signed_in_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtWorkspace *self = g_task_get_source_object (task);

  if (!kt_syncer_login_finish (KT_SYNCER (source), result, &error))
    {
      g_task_return_error (task, _kt_error_localise (g_steal_pointer (&error)));
      return;
    }
  _kt_workspace_set_signed_out (self, FALSE);
  g_task_return_boolean (task, TRUE);
}

static void
sign_in_now (KtWorkspace *self, GTask *task)
{
  const SignIn *data = g_task_get_task_data (task);
  KtSyncer *syncer = _kt_workspace_syncer (self);

  if (syncer == NULL)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                               "There is no network here");
      g_object_unref (task);
      return;
    }
  kt_syncer_login_async (syncer, data->address, data->user, data->password,
                         g_task_get_cancellable (task), signed_in_cb, task);
}

static void
created_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  KtWorkspace *self = g_task_get_source_object (task);
  g_autoptr (GError) error = NULL;
  KtStore *store = kt_store_open_finish (result, &error);

  if (store == NULL)
    {
      g_task_return_error (task, _kt_error_localise (g_steal_pointer (&error)));
      g_object_unref (task);
      return;
    }
  if (_kt_workspace_is_closed (self) || _kt_workspace_store (self) != NULL)
    {
      /* Closed, or another attempt was faster. */
      kt_store_close (store);
      g_object_unref (store);
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CLOSED, "Closed meanwhile");
      g_object_unref (task);
      return;
    }
  _kt_workspace_take_store (self, store, _kt_workspace_make_syncer (store));
  sign_in_now (self, task);
}

void
kt_workspace_sign_in_async (KtWorkspace *self,
                            const char *address,
                            const char *user,
                            const char *password,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GTask *task;
  SignIn *data;

  g_return_if_fail (KT_IS_WORKSPACE (self) && address != NULL && user != NULL && password != NULL);

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, kt_workspace_sign_in_async);
  data = g_new0 (SignIn, 1);
  data->address = g_strdup (address);
  data->user = g_strdup (user);
  data->password = g_strdup (password);
  g_task_set_task_data (task, data, (GDestroyNotify) sign_in_free);
  if (_kt_workspace_is_closed (self))
    {
      _kt_workspace_check_open (self, task);
      g_object_unref (task);
    }
  else if (_kt_workspace_store (self) != NULL)
    sign_in_now (self, task);
  else
    kt_store_open_async (kt_workspace_get_dir (self), KT_LOCAL_CREATE, NULL,
                         kt_workspace_get_locale (self), cancellable, created_cb, task);
}

gboolean
kt_workspace_sign_in_finish (KtWorkspace *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
signed_out_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  KtWorkspace *self = g_task_get_source_object (task);
  gint64 unsettled = 0;

  if (!kt_syncer_logout_finish (KT_SYNCER (source), result, &unsettled, &error))
    {
      g_task_return_error (task, _kt_error_localise (g_steal_pointer (&error)));
      return;
    }
  _kt_workspace_set_signed_out (self, TRUE);
  g_task_return_pointer (task, g_memdup2 (&unsettled, sizeof unsettled), g_free);
}

void
kt_workspace_sign_out_async (KtWorkspace *self, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task;
  KtSyncer *syncer;

  g_return_if_fail (KT_IS_WORKSPACE (self));

  syncer = _kt_workspace_syncer (self);
  task = g_task_new (self, NULL, callback, user_data);
  g_task_set_source_tag (task, kt_workspace_sign_out_async);
  if (syncer == NULL)
    {
      g_task_return_new_error (task, KT_ERROR, KT_ERROR_AUTH, "%s", _ ("Nobody is signed in"));
      g_object_unref (task);
      return;
    }
  kt_syncer_logout_async (syncer, signed_out_cb, task);
}

gboolean
kt_workspace_sign_out_finish (KtWorkspace *self,
                              GAsyncResult *result,
                              gint64 *unsettled,
                              GError **error)
{
  g_autofree gint64 *n = NULL;

  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  n = g_task_propagate_pointer (G_TASK (result), error);
  if (n == NULL)
    return FALSE;
  if (unsettled != NULL)
    *unsettled = *n;
  return TRUE;
}
