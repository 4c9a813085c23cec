/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* Appearance, language, and what this profile is. @workspace may be NULL. */
GtkWindow *kt_preferences_new (GSettings *settings, KtWorkspace *workspace);

G_END_DECLS
