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
 * KtObject and KtField pointers handed out stay valid as long as the workspace: a schema that was replaced is
 * kept. After notify::schema a page looks its object up by name again; the models here do that by themselves,
 * and take pointers of either schema.
 *
 * properties: "state" (KtWorkspaceState), "schema" (pointer; notify when it moved), "locale", "user-name", "title" (workspace name), "server" (address or "")
 * signals:
 *   "changed" (KtChanges*)   at most once per turn of the main loop, commits of anybody together: what is now different (see kt-changes below)
 *   "titles-changed"         titles asked for by kt_workspace_peek_title arrived or became stale: ask again
 *   "counts-changed"         some count of kt_workspace_get_count moved
 *   "states-changed"         the outbox moved: marks of records may differ (kt_workspace_get_row_state)
 *   "news"    (uint)         so many changes of this person were merged, or lost to another value, since the last time: to be told
 *                            as a number, with a way to kt-news-model
 *   "told"    (char*)        something a person should know (a change of yours was refused, a delete was undone by …): toast text */
#define KT_TYPE_WORKSPACE (kt_workspace_get_type ())
G_DECLARE_FINAL_TYPE (KtWorkspace, kt_workspace, KT, WORKSPACE, GObject)

/* Records as property values. */
#define KT_TYPE_RECORD (kt_record_get_type ())
GType kt_record_get_type (void);

typedef enum
{
  KT_WORKSPACE_SIGNED_OUT,   /* no session ever, or the person signed out: first-run page, with server and user name filled in if known */
  KT_WORKSPACE_LOADING,      /* first pull under way: progress (KtSyncStatus "fraction", "headline", "detail"), nothing else */
  KT_WORKSPACE_READY,        /* cache usable, online or not; also when the session has expired (then the mood says so) */
} KtWorkspaceState;
#define KT_TYPE_WORKSPACE_STATE (kt_workspace_state_get_type ())
GType kt_workspace_state_get_type (void);

/* Errors are shown as a page: CORRUPT, NEWER, BUSY, FULL, IO with remedy. @dir NULL: the default profile.
 * A profile that does not exist is no error: state SIGNED_OUT, and signing in makes it. */
void         kt_workspace_open_async  (const char *dir, const char *locale, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
KtWorkspace *kt_workspace_open_finish (GAsyncResult *result, GError **error);
/* Stops syncing, finishes what is queued (blocks for as long as one local transaction may take), emits nothing any more. Idempotent. */
void         kt_workspace_close       (KtWorkspace *self);

/* Also signs in again after the session has expired, and with the demo. Returns as soon as the server said yes:
 * then state is LOADING or READY. Errors are for people: NETWORK, NOT_KONTOR, SERVER, AUTH, NEWER, UNSETTLED, INVALID (address). */
void      kt_workspace_sign_in_async  (KtWorkspace *self, const char *address, const char *user, const char *password, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_workspace_sign_in_finish (KtWorkspace *self, GAsyncResult *result, GError **error);
void      kt_workspace_sign_out_async  (KtWorkspace *self, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_workspace_sign_out_finish (KtWorkspace *self, GAsyncResult *result, gint64 *unsettled, GError **error);

KtWorkspaceState kt_workspace_get_state  (KtWorkspace *self);
const KtSchema  *kt_workspace_get_schema (KtWorkspace *self);       /* NULL while signed out and never loaded */
const KtObject  *kt_workspace_get_object (KtWorkspace *self, const char *name);      /* of the schema as it is now; NULL if none */
const char      *kt_workspace_get_locale (KtWorkspace *self);
const char      *kt_workspace_get_title  (KtWorkspace *self);       /* "" when not known; so the next three */
const char      *kt_workspace_get_user_name (KtWorkspace *self);
const char      *kt_workspace_get_server (KtWorkspace *self);
const char      *kt_workspace_get_currency (KtWorkspace *self);
const char      *kt_workspace_get_dir    (KtWorkspace *self);
const KtId      *kt_workspace_get_user   (KtWorkspace *self);       /* nil: nobody */
gboolean         kt_workspace_is_admin   (KtWorkspace *self);
/* Whether the person may create or edit here; *reason for the tooltip (g_free; may be NULL). */
gboolean         kt_workspace_may_create (KtWorkspace *self, const KtObject *object, char **reason);
gboolean         kt_workspace_may_edit   (KtWorkspace *self, const KtRecord *record, char **reason);
gboolean         kt_workspace_may_delete (KtWorkspace *self, const KtRecord *record, char **reason);

/* Live counts for the sidebar: -1 unknown yet; "counts-changed" signal. */
gint64    kt_workspace_get_count (KtWorkspace *self, const KtObject *object);

/* What unsettled state a record is in: for the small mark in lists and on its page. */
typedef enum { KT_ROW_SETTLED, KT_ROW_WAITING, KT_ROW_PARKED, KT_ROW_REVIEW } KtRowState;
#define KT_TYPE_ROW_STATE (kt_row_state_get_type ())
GType       kt_row_state_get_type      (void);
KtRowState  kt_workspace_get_row_state (KtWorkspace *self, const KtId *id);

/* What change sets say, in words of the model. Boxed. */
#define KT_TYPE_CHANGES (kt_changes_get_type ())
typedef struct _KtChanges KtChanges;
GType     kt_changes_get_type (void);
gboolean  kt_changes_touch  (const KtChanges *changes, const KtObject *object);
gboolean  kt_changes_record (const KtChanges *changes, const KtId *id);
gboolean  kt_changes_everything (const KtChanges *changes);
KtChanges *kt_changes_ref   (KtChanges *changes);
void      kt_changes_unref  (KtChanges *changes);

/* ---- one-shot commands: each is one mutation; the result names it for undo ---- */
#define KT_TYPE_DONE (kt_done_get_type ())
typedef struct _KtDone KtDone;     /* boxed: what was done, in a sentence, and how to take it back */
GType       kt_done_get_type (void);
const char *kt_done_text (const KtDone *done);          /* "Deleted contact “Ann Lee”" localised */
gboolean    kt_done_can_undo (const KtDone *done);      /* FALSE: nothing was changed, or it was an undo already */
/* The (first) record it was about: to open it. FALSE: none. */
gboolean    kt_done_get_record (const KtDone *done, const KtObject **object, KtId *id);
KtDone     *kt_done_ref (KtDone *done);
void        kt_done_unref (KtDone *done);
/* Deletes go to the bin. More than 1,000 ids become several mutations, taken back together. */
void      kt_workspace_delete_async  (KtWorkspace *self, const KtObject *object, const KtId *ids, guint n, GAsyncReadyCallback callback, gpointer user_data);
void      kt_workspace_restore_async (KtWorkspace *self, const KtObject *object, const KtId *ids, guint n, GAsyncReadyCallback callback, gpointer user_data);
/* Sets one field from typed text (quick edits, "mark done"). */
void      kt_workspace_set_async     (KtWorkspace *self, const KtObject *object, const KtId *id, const char *field, const char *text, GAsyncReadyCallback callback, gpointer user_data);
/* Takes back what has not been sent; what has been is answered by a change the other way. */
void      kt_workspace_undo_async    (KtWorkspace *self, KtDone *done, GAsyncReadyCallback callback, gpointer user_data);
KtDone   *kt_workspace_done_finish   (KtWorkspace *self, GAsyncResult *result, GError **error);      /* of any of these */

/* A record as it is shown now, with titles for its references resolved. */
void      kt_workspace_load_async  (KtWorkspace *self, const KtObject *object, const KtId *id, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
KtRecord *kt_workspace_load_finish (KtWorkspace *self, GAsyncResult *result, GError **error);    /* NULL without error: gone */

/* A record's value whichever schema @field is of; never NULL. */
const KtValue *kt_workspace_value (KtWorkspace *self, const KtRecord *record, const KtField *field);
/* Title of a referenced record if known now; else NULL and it is fetched: "titles-changed" is emitted (coalesced) when it arrives. Borrowed until then. */
const char *kt_workspace_peek_title (KtWorkspace *self, const KtObject *object, const KtId *id);
/* Display text of any value, references by title (peek; "" until known). g_free, never NULL. */
char       *kt_workspace_display    (KtWorkspace *self, const KtField *field, const KtValue *value);
/* Title of a record, also when its title field is a reference; and the line below it ("Buyer · Acme Ltd"). g_free, never NULL. */
char       *kt_workspace_record_title    (KtWorkspace *self, const KtRecord *record);
char       *kt_workspace_record_subtitle (KtWorkspace *self, const KtRecord *record);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtChanges, kt_changes_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtDone, kt_done_unref)

G_END_DECLS
