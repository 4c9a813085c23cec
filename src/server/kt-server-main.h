/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The program: returns its exit status. */
int kt_server_main (int argc, char **argv);

/* Takes the lock of a workspace for the life of this process. -1: BUSY (another server runs there; waits 5 s for one
 * that is stopping), IO, FULL. 0: DIR is no folder, which opening it will say. */
int kt_server_lock_take (const char *dir, GError **error);

G_END_DECLS
