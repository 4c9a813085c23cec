/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* File → preview and mapping → dry run → progress → result with report and undo. @path NULL: starts with the file chooser. */
#define KT_TYPE_IMPORT_ASSISTANT (kt_import_assistant_get_type ())
G_DECLARE_FINAL_TYPE (KtImportAssistant, kt_import_assistant, KT, IMPORT_ASSISTANT, AdwWindow)
GtkWindow *kt_import_assistant_new (GtkWindow *parent, KtWorkspace *workspace, const KtObject *object, const char *path);

G_END_DECLS
