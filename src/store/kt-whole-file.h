/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A file that appears whole, under its name, or not at all: written beside it, renamed at the end. Mode 0600. Errors
 * FULL, IO, CANCELLED of GIO as it is. Blocking. */
typedef struct _KtWholeFile KtWholeFile;

KtWholeFile *_kt_whole_file_open  (const char *path, GError **error);
gboolean     _kt_whole_file_write (KtWholeFile *file, GString *text /* emptied */, GCancellable *cancellable, GError **error);
gboolean     _kt_whole_file_keep  (KtWholeFile *file, GError **error);
void         _kt_whole_file_free  (KtWholeFile *file);          /* what was not kept is gone */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtWholeFile, _kt_whole_file_free)

G_END_DECLS
