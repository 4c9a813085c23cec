/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A demo company on this machine: makes the workspace once under the user's data
 * folder and runs kontor-server on 127.0.0.1 with a free port for as long as this
 * program lives. The password is random, kept 0600 and handed over on stdin. */
typedef struct
{
  char *address;
  char *user;
  char *password;
} KtDemo;

void    kt_demo_start_async  (GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/* Errors: NOT_FOUND (kontor-server is not installed), or what the server said. */
KtDemo *kt_demo_start_finish (GAsyncResult *result, GError **error);
void    kt_demo_free         (KtDemo *demo);
/* Ends the server this program started, if any. Blocks until it ended. */
void    kt_demo_stop         (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtDemo, kt_demo_free)

G_END_DECLS
