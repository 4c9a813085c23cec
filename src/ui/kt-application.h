/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* The desktop program: options, the one workspace, its windows, application-wide actions.
 *
 *   kontor [--profile DIR] [--demo-server URL --demo-user NAME --demo-password-file FILE]
 *
 * The demo options sign in by themselves when the profile has no session, and give the server's
 * new address when it has one. */
#define KT_TYPE_APPLICATION (kt_application_get_type ())
G_DECLARE_FINAL_TYPE (KtApplication, kt_application, KT, APPLICATION, AdwApplication)

int          kt_application_main (int argc, char **argv);
KtWorkspace *kt_application_get_workspace (KtApplication *self);    /* NULL until open */
GSettings   *kt_application_get_settings  (KtApplication *self);

G_END_DECLS
