/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "ui/kt-demo.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/kt-error.h"

#define DEMO_USER "demo"
#define LISTENING "listening "

/* The one server this program runs; whoever starts the demo again gets the same. */
static struct
{
  GSubprocess *process;
  char        *address;
} running;

typedef struct
{
  char *program;
  char *workspace;
  char *password_file;
  char *password;
} Start;

static void
start_free (gpointer data)
{
  Start *start = data;

  g_free (start->program);
  g_free (start->workspace);
  g_free (start->password_file);
  if (start->password != NULL)
    memset (start->password, 0, strlen (start->password));
  g_free (start->password);
  g_free (start);
}

void
kt_demo_free (KtDemo *demo)
{
  if (demo == NULL)
    return;
  g_free (demo->address);
  g_free (demo->user);
  g_free (demo->password);
  g_free (demo);
}

/* Beside this program (uninstalled: ../server), else on the PATH. */
static char *
find_server (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);

  if (self != NULL)
    {
      g_autofree char *dir = g_path_get_dirname (self);
      g_autofree char *beside = g_build_filename (dir, "kontor-server", NULL);
      g_autofree char *built = g_build_filename (dir, "..", "server", "kontor-server", NULL);

      if (g_file_test (beside, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer (&beside);
      if (g_file_test (built, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer (&built);
    }
  return g_find_program_in_path ("kontor-server");
}

static gboolean
write_private (const char *path,
               const char *text,
               GError    **error)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  gsize len = strlen (text), done = 0;

  while (fd >= 0 && done < len)
    {
      gssize n = write (fd, text + done, len - done);

      if (n < 0 && errno != EINTR)
        break;
      done += n > 0 ? (gsize) n : 0;
    }
  if (fd < 0 || done < len || close (fd) < 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_IO, _("%s cannot be written: %s."), path, g_strerror (errno));
      return FALSE;
    }
  return TRUE;
}

/* The workspace exists, with a password that is known here. */
static gboolean
prepare (Start   *start,
         GError **error)
{
  g_autofree char *dir = g_build_filename (g_get_user_data_dir (), "kontor-demo", NULL);
  g_autofree char *ready = g_build_filename (dir, "ready", NULL);
  g_autoptr (GSubprocess) init = NULL;
  g_autofree char *input = NULL;
  g_autofree char *said = NULL;

  start->workspace = g_build_filename (dir, "server", NULL);
  start->password_file = g_build_filename (dir, "password", NULL);
  if (g_file_test (ready, G_FILE_TEST_EXISTS) && g_file_get_contents (start->password_file, &start->password, NULL, NULL))
    {
      g_strchomp (start->password);
      return TRUE;
    }
  if (g_mkdir_with_parents (dir, 0700) < 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_IO, _("%s cannot be made: %s."), dir, g_strerror (errno));
      return FALSE;
    }
  /* A demo that was interrupted while it was made is made anew. */
  if (g_file_test (start->workspace, G_FILE_TEST_EXISTS))
    {
      g_autofree char *stamp = g_strdup_printf ("%s.unfinished-%" G_GINT64_FORMAT, start->workspace, g_get_real_time ());

      g_rename (start->workspace, stamp);
    }
  g_unlink (start->password_file);
  start->password = g_uuid_string_random ();
  if (!write_private (start->password_file, start->password, error))
    return FALSE;
  init = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE, error,
                           start->program, "init", start->workspace, "--admin", DEMO_USER, "--demo", NULL);
  if (init == NULL)
    return FALSE;
  input = g_strconcat (start->password, "\n", NULL);
  if (!g_subprocess_communicate_utf8 (init, input, NULL, NULL, &said, error))
    return FALSE;
  if (!g_subprocess_get_if_exited (init) || g_subprocess_get_exit_status (init) != 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SERVER, _("The demo could not be made: %s"), said != NULL ? g_strstrip (said) : "?");
      return FALSE;
    }
  return write_private (ready, "", error);
}

static void
start_thread (GTask        *task,
              gpointer      source,
              gpointer      task_data,
              GCancellable *cancellable)
{
  Start *start = task_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDataInputStream) lines = NULL;
  g_autofree char *line = NULL;
  g_autoptr (GSubprocess) process = NULL;

  if (!prepare (start, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, start->program, "run", start->workspace, "--listen",
                              "127.0.0.1:0", NULL);
  if (process == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  lines = g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
  line = g_data_input_stream_read_line (lines, NULL, cancellable, &error);
  if (line == NULL || !g_str_has_prefix (line, LISTENING))
    {
      g_subprocess_send_signal (process, SIGTERM);
      if (error != NULL)
        g_task_return_error (task, g_steal_pointer (&error));
      else
        g_task_return_new_error (task, KT_ERROR, KT_ERROR_SERVER, "%s", _("The demo server did not start."));
      return;
    }
  g_object_set_data_full (G_OBJECT (task), "kt-process", g_steal_pointer (&process), g_object_unref);
  g_task_return_pointer (task, g_strdup (line + strlen (LISTENING)), g_free);
}

void
kt_demo_start_async (GCancellable        *cancellable,
                     GAsyncReadyCallback  callback,
                     gpointer             user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  Start *start = g_new0 (Start, 1);

  g_task_set_task_data (task, start, start_free);
  start->program = find_server ();
  if (start->program == NULL)
    {
      g_task_return_new_error (task, KT_ERROR, KT_ERROR_NOT_FOUND, "%s",
                               _("The demo needs the program kontor-server, which is not installed here."));
      return;
    }
  g_task_run_in_thread (task, start_thread);
}

KtDemo *
kt_demo_start_finish (GAsyncResult *result,
                      GError      **error)
{
  GTask *task = G_TASK (result);
  Start *start = g_task_get_task_data (task);
  g_autofree char *address = g_task_propagate_pointer (task, error);
  KtDemo *demo;

  if (address == NULL)
    return NULL;
  kt_demo_stop ();
  running.process = g_object_steal_data (G_OBJECT (task), "kt-process");
  running.address = g_strdup (address);
  demo = g_new0 (KtDemo, 1);
  demo->address = g_steal_pointer (&address);
  demo->user = g_strdup (DEMO_USER);
  demo->password = g_strdup (start->password);
  return demo;
}

void
kt_demo_stop (void)
{
  if (running.process == NULL)
    return;
  g_subprocess_send_signal (running.process, SIGTERM);
  g_subprocess_wait (running.process, NULL, NULL);
  g_clear_object (&running.process);
  g_clear_pointer (&running.address, g_free);
}
