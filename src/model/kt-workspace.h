/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "base/kt-record.h"
#include "base/kt-query.h"

G_BEGIN_DECLS

/* One profile, open: the context object that is passed down to every page. No
 * singletons. Owns the store and the syncer; the interface sees neither. Main
 * thread only; nothing here blocks.
 *
 * properties: "state" (KtWorkspaceState), "schema" (notify when it moved), "locale", "user-name", "title" (workspace name)
 * signals:
 *   "changed" (KtChanges*)   one per commit anywhere: what is now different (see kt-changes below)
 *   "told"    (char*)        something a person should know (an edit of yours was merged, a delete was undone by …): toast text */
#define KT_TYPE_WORKSPACE (kt_workspace_get_type ())
G_DECLARE_FINAL_TYPE (KtWorkspace, kt_workspace, KT, WORKSPACE, GObject)

typedef enum
{
  KT_WORKSPACE_SIGNED_OUT,   /* no session ever: first-run page */
  KT_WORKSPACE_LOADING,      /* first pull under way: progress, nothing else */
  KT_WORKSPACE_READY,        /* cache usable, online or not */
} KtWorkspaceState;

/* Errors are shown as a page: CORRUPT, NEWER, BUSY, FULL, IO with remedy. @dir NULL: the default profile. */
void         kt_workspace_open_async  (const char *dir, const char *locale, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
KtWorkspace *kt_workspace_open_finish (GAsyncResult *result, GError **error);
void         kt_workspace_close       (KtWorkspace *self);

void      kt_workspace_sign_in_async  (KtWorkspace *self, const char *address, const char *user, const char *password, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_workspace_sign_in_finish (KtWorkspace *self, GAsyncResult *result, GError **error);
void      kt_workspace_sign_out_async  (KtWorkspace *self, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_workspace_sign_out_finish (KtWorkspace *self, GAsyncResult *result, gint64 *unsettled, GError **error);

KtWorkspaceState kt_workspace_get_state  (KtWorkspace *self);
const KtSchema  *kt_workspace_get_schema (KtWorkspace *self);       /* NULL while signed out and never loaded */
const char      *kt_workspace_get_locale (KtWorkspace *self);
const char      *kt_workspace_get_user_name (KtWorkspace *self);
const KtId      *kt_workspace_get_user   (KtWorkspace *self);
gboolean         kt_workspace_is_admin   (KtWorkspace *self);
/* Whether the person may create or edit here; *reason for the tooltip (g_free). */
gboolean         kt_workspace_may_create (KtWorkspace *self, const KtObject *object, char **reason);
gboolean         kt_workspace_may_edit   (KtWorkspace *self, const KtRecord *record, char **reason);

/* Live counts for the sidebar: -1 unknown yet; "counts-changed" signal. */
gint64    kt_workspace_get_count (KtWorkspace *self, const KtObject *object);

/* What a change set says, in words of the model. */
typedef struct _KtChanges KtChanges;
gboolean  kt_changes_touch  (const KtChanges *changes, const KtObject *object);
gboolean  kt_changes_record (const KtChanges *changes, const KtId *id);
gboolean  kt_changes_everything (const KtChanges *changes);

/* ---- one-shot commands: each is one mutation; the result names it for undo ---- */
typedef struct _KtDone KtDone;     /* boxed: what was done, in a sentence, and how to take it back */
const char *kt_done_text (const KtDone *done);          /* "Deleted contact “Ann Lee”" localised */
KtDone     *kt_done_ref (KtDone *done);
void        kt_done_unref (KtDone *done);
void      kt_workspace_delete_async  (KtWorkspace *self, const KtObject *object, const KtId *ids, guint n, GAsyncReadyCallback callback, gpointer user_data);
void      kt_workspace_restore_async (KtWorkspace *self, const KtObject *object, const KtId *ids, guint n, GAsyncReadyCallback callback, gpointer user_data);
/* Sets one field from typed text (quick edits, "mark done"). */
void      kt_workspace_set_async     (KtWorkspace *self, const KtObject *object, const KtId *id, const char *field, const char *text, GAsyncReadyCallback callback, gpointer user_data);
void      kt_workspace_undo_async    (KtWorkspace *self, KtDone *done, GAsyncReadyCallback callback, gpointer user_data);
KtDone   *kt_workspace_done_finish   (KtWorkspace *self, GAsyncResult *result, GError **error);

/* A record as it is shown now, with titles for its references resolved. */
void      kt_workspace_load_async  (KtWorkspace *self, const KtObject *object, const KtId *id, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
KtRecord *kt_workspace_load_finish (KtWorkspace *self, GAsyncResult *result, GError **error);    /* NULL without error: gone */

/* Title of a referenced record if known now; else NULL and it is fetched: "titles-changed" is emitted (coalesced) when it arrives. Borrowed until then. */
const char *kt_workspace_peek_title (KtWorkspace *self, const KtObject *object, const KtId *id);
/* Display text of any value, references by title (peek). g_free, never NULL. */
char       *kt_workspace_display    (KtWorkspace *self, const KtField *field, const KtValue *value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtDone, kt_done_unref)

G_END_DECLS
