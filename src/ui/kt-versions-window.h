/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* Every value a record's fields ever held or should have held, each with a button that puts it back. @field NULL: of all fields. */
#define KT_TYPE_VERSIONS_WINDOW (kt_versions_window_get_type ())
G_DECLARE_FINAL_TYPE (KtVersionsWindow, kt_versions_window, KT, VERSIONS_WINDOW, AdwWindow)
GtkWindow *kt_versions_window_new (GtkWindow *parent, KtWorkspace *workspace, const KtObject *object, const KtId *id, const char *field);

G_END_DECLS
