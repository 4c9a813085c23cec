/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* First run: server address, user, password; or "Try the demo", which starts a
 * server of its own on this machine (kt-demo.h). */
#define KT_TYPE_WELCOME_PAGE (kt_welcome_page_get_type ())
G_DECLARE_FINAL_TYPE (KtWelcomePage, kt_welcome_page, KT, WELCOME_PAGE, GtkWidget)
void kt_welcome_page_set_workspace (KtWelcomePage *self, KtWorkspace *workspace);

G_END_DECLS
