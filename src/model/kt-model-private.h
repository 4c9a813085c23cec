/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-sync-status.h"
#include "model/kt-workspace.h"
#include "store/kt-store.h"
#include "sync/kt-syncer.h"

G_BEGIN_DECLS

/* What the files of this layer share; nothing of it reaches the interface. */

/* ---- what a callback holds on a struct that is no GObject: nothing once it is freed (it cancels first) ---- */
typedef struct { gpointer owner; GCancellable *cancellable; } KtGuard;

static inline gpointer
_kt_guard_new (gpointer owner, GCancellable *cancellable)
{
  KtGuard *guard = g_new0 (KtGuard, 1);

  guard->owner = owner;
  guard->cancellable = g_object_ref (cancellable);
  return guard;
}

/* The owner, or NULL when it is gone. Frees @data. */
static inline gpointer
_kt_guard_end (gpointer data)
{
  g_autofree KtGuard *guard = data;
  g_autoptr (GCancellable) cancellable = guard->cancellable;

  return g_cancellable_is_cancelled (cancellable) ? NULL : guard->owner;
}

/* ---- kt-workspace.c ---- */
/* For tests: on an open store (taken); @syncer (taken) may be NULL: no network at all. */
KtWorkspace   *_kt_workspace_new        (KtStore *store, KtSyncer *syncer, const char *dir, const char *locale);
/* How a workspace gets its syncer: kt_syncer_new, unless a test says otherwise (NULL: that again). */
typedef KtSyncer *(*KtMakeSyncer) (KtStore *store, gpointer data);
void           _kt_workspace_use_syncer (KtMakeSyncer make, gpointer data);
KtSyncer      *_kt_workspace_make_syncer (KtStore *store);
void           _kt_workspace_take_store (KtWorkspace *self, KtStore *store, KtSyncer *syncer);    /* both taken */
/* The person has signed in, or out by intention: remembered, and state, schema and identity looked at anew. */
void           _kt_workspace_set_signed_out (KtWorkspace *self, gboolean signed_out);
gboolean       _kt_workspace_is_closed  (KtWorkspace *self);
KtStore       *_kt_workspace_store      (KtWorkspace *self);     /* NULL: never signed in, or closed */
KtSyncer      *_kt_workspace_syncer     (KtWorkspace *self);     /* may be NULL */
const KtEnv   *_kt_workspace_env        (KtWorkspace *self);     /* never NULL once there was a store */
gint64         _kt_workspace_now_us     (KtWorkspace *self);
const KtOutboxCounts *_kt_workspace_outbox (KtWorkspace *self);
/* In the profile: time of the newest notice that the person has dismissed. */
#define KT_META_NOTICE_SEEN "model:notice_seen"
const char    *_kt_workspace_notice     (KtWorkspace *self);     /* newest notice in words; NULL */
guint          _kt_workspace_news       (KtWorkspace *self);     /* not yet looked at */
const KtAccess *_kt_workspace_access    (KtWorkspace *self);     /* NULL: nobody */
/* The same object in the schema as it is now; NULL when it is gone. */
const KtObject *_kt_workspace_adopt     (KtWorkspace *self, const KtObject *object);
void           _kt_workspace_told       (KtWorkspace *self, const char *text);
/* G_IO_ERROR_CLOSED for @task when there is no store. */
gboolean       _kt_workspace_check_open (KtWorkspace *self, GTask *task);
/* "Acme Ltd · Buyer" and the like. */
char          *_kt_workspace_join_facts (KtWorkspace *self, const KtRecord *record, const KtField *const *fields, guint n);
/* Counts and marks are asked for anew: something moved that no change set tells of. */
void           _kt_workspace_look_again (KtWorkspace *self);
/* Anything that went wrong in the background: shown by the sync row until a later success. NULL: well again. */
void           _kt_workspace_set_failure (KtWorkspace *self, const GError *error);
const GError  *_kt_workspace_get_failure (KtWorkspace *self);

/* ---- fields across schemas ---- */
/* @field as @object has it (another instance of the schema, perhaps an older one); NULL: it has not. */
const KtField *_kt_field_of    (const KtObject *object, const KtField *field);
const KtValue *_kt_value_of    (const KtRecord *record, const KtField *field);     /* never NULL */
/* Copy of @query with every pointer of the schema of @object; NULL when that cannot be. */
KtQuery       *_kt_query_adopt (const KtQuery *query, const KtObject *object);
/* Target of a reference (ref, ref_any, file, image) in @schema; NULL when @value is none. */
const KtObject *_kt_value_target (const KtSchema *schema, const KtField *field, const KtValue *value, KtId *id);
/* Members of a list value. Never NULL; g_strfreev. */
char          **_kt_value_items  (const KtValue *value);
gboolean        _kt_value_set_items (const KtField *field, const char *const *items, KtValue *out, GError **error);

/* ---- kt-changes.c ---- */
KtChanges *_kt_model_changes_new    (void);
void       _kt_model_changes_fold   (KtChanges *changes, const KtChangeSet *set);
gboolean   _kt_model_changes_outbox (const KtChanges *changes);
gboolean   _kt_model_changes_schema (const KtChanges *changes);
/* Calls @func for each record that is named, unless everything changed. */
void       _kt_model_changes_foreach (const KtChanges *changes, void (*func) (const KtId *id, gpointer data), gpointer data);
/* Whether any row of @object, or of an object the query looks at through a reference, changed. */
gboolean   _kt_model_changes_query  (const KtChanges *changes, const KtQuery *query);

/* ---- kt-done.c: commands ---- */
/* One mutation or several as one command, on the writer. @mutations (transfer full, KtMutation*) by the schema of the workspace. The
 * sentence is made of the first one. When one fails those before it are taken back. Result: kt_workspace_done_finish. */
void       _kt_workspace_commit_async (KtWorkspace *self, GPtrArray *mutations, const KtObject *object, const KtId *id,
                                       gpointer source_object, GAsyncReadyCallback callback, gpointer user_data);
/* The same where the mutation needs the database to be made: @make runs on the writer; a mutation without ops is not committed. */
typedef KtMutation *(*KtMakeMutation) (KtLocal *local, gpointer data, GError **error);
void       _kt_workspace_make_async   (KtWorkspace *self, KtMakeMutation make, gpointer data, GDestroyNotify free_data,
                                       const KtObject *object, const KtId *id,
                                       gpointer source_object, GAsyncReadyCallback callback, gpointer user_data);
/* The same where one command is several mutations (GPtrArray of KtMutation, transfer full): they succeed or fail together. */
typedef GPtrArray *(*KtMakeMutations) (KtLocal *local, gpointer data, GError **error);
void       _kt_workspace_make_many_async (KtWorkspace *self, KtMakeMutations make, gpointer data, GDestroyNotify free_data, const char *sentence,
                                          gpointer source_object, GAsyncReadyCallback callback, gpointer user_data);
KtDone    *_kt_command_finish         (gpointer source_object, GAsyncResult *result, GError **error);
KtMutation *_kt_workspace_mutation    (KtWorkspace *self);       /* empty, of now */
KtDone    *_kt_done_new               (const char *text, const KtObject *object, const KtId *id, const gint64 *nos, guint n);

/* ---- kt-titles.c ---- */
typedef struct _KtTitles KtTitles;
KtTitles   *_kt_titles_new    (KtWorkspace *workspace /* borrowed */);
void        _kt_titles_free   (KtTitles *titles);
const char *_kt_titles_peek   (KtTitles *titles, const KtObject *object, const KtId *id);
/* What came along with records that were read: saves a question. @stamp: of before they were read. */
guint64     _kt_titles_stamp  (KtTitles *titles);
void        _kt_titles_learn  (KtTitles *titles, const char *object, const KtId *id, const char *title, guint64 stamp);
void        _kt_titles_changed (KtTitles *titles, const KtChanges *changes);
guint       _kt_titles_length (KtTitles *titles);
KtTitles   *_kt_workspace_titles (KtWorkspace *self);

/* ---- kt-rows.c: records with the titles they refer to, in one question ---- */
/* By row number; a vanished one is NULL. Titles of references in list columns and title are put into the cache before the callback. */
void        _kt_rows_load_async  (KtWorkspace *workspace, const KtObject *object, const gint64 *rids, guint n,
                                  GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray  *_kt_rows_load_finish (GAsyncResult *result, GError **error);
/* Row numbers of a query, and the records at some positions of the answer, from the same moment (as near as two reads can be).
 * @keys: gint64; @records: parallel to @positions, NULL beyond the end. Both transferred. */
void        _kt_list_ask_async  (KtWorkspace *workspace, const KtQuery *query, const guint *positions, guint n,
                                 GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean    _kt_list_ask_finish (GAsyncResult *result, GArray **keys, GPtrArray **records, GError **error);
/* One by id, with all its references. NULL without error: there is none. */
void        _kt_record_load_async  (KtWorkspace *workspace, const KtObject *object, const KtId *id,
                                    GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
KtRecord   *_kt_record_load_finish (GAsyncResult *result, GError **error);

/* ---- kt-glance.c: counts of the sidebar, of the outbox, and marks of records ---- */
typedef struct _KtGlance KtGlance;
KtGlance   *_kt_glance_new     (KtWorkspace *workspace /* borrowed */);
void        _kt_glance_free    (KtGlance *glance);
void        _kt_glance_changed (KtGlance *glance, const KtChanges *changes);     /* NULL: everything */
gint64      _kt_glance_count   (KtGlance *glance, const KtObject *object);
KtRowState  _kt_glance_state   (KtGlance *glance, const KtId *id);
const KtOutboxCounts *_kt_glance_outbox (KtGlance *glance);
guint       _kt_glance_news    (KtGlance *glance);
const char *_kt_glance_notice  (KtGlance *glance);

/* ---- kt-sync-status.c ---- */
typedef struct
{
  gboolean    signed_in, paused, loading;    /* loading: the first pull */
  KtSyncState state;
  gboolean    online;
  gint64      last_sync_us, now_us;          /* 0: never */
  const char *problem;                       /* of the last exchange, in words; NULL */
  const char *failure;                       /* of this machine (disk full, …); NULL */
  const char *notice;                        /* what happened to the profile lately, in words; NULL */
  gint64      rows_done, rows_total;
  KtOutboxCounts outbox;
} KtSyncFacts;
typedef struct { KtSyncMood mood; char *headline; char *detail; double fraction; } KtSyncWords;
void          _kt_sync_words_make  (const KtSyncFacts *facts, KtSyncWords *words);
void          _kt_sync_words_clear (KtSyncWords *words);
KtSyncStatus *_kt_sync_status_new  (KtWorkspace *workspace /* borrowed */);
void          _kt_sync_status_attach (KtSyncStatus *self);         /* there is a syncer now */
void          _kt_sync_status_detach (KtSyncStatus *self);         /* the workspace is closing */
void          _kt_sync_status_keep   (KtSyncStatus *self);         /* writes down the data used, if it moved */
void          _kt_sync_status_update (KtSyncStatus *self);         /* facts moved; coalesced */

/* ---- kt-words.c: texts of time and the like ---- */
/* "just now", "5 minutes ago", "yesterday 14:05", "12 March"; @us µs since 1970. g_free. */
char   *_kt_words_when      (gint64 us, gint64 now_us);
/* "Synced 5 minutes ago"; @offline: "Last synced 5 minutes ago". g_free. */
char   *_kt_words_synced    (gint64 us, gint64 now_us, gboolean offline);
gint64  _kt_words_parse_time (const char *text);                   /* a date_time value → µs; 0 when it is none */
/* How long until such a text may read differently: seconds. */
guint   _kt_words_stale_after (gint64 us, gint64 now_us);
/* Rich text (a small HTML) and long text as plain words. g_free. */
char   *_kt_words_plain     (const KtField *field, const char *text);

/* ---- kt-errors.c ---- */
/* What went wrong, in the language of the interface where there is a sentence for it (with what the library said behind it, in brackets,
 * when that names a place); else as it was said. @message may be NULL. g_free. */
char   *_kt_error_words     (int code, const char *message);
/* The same error with such a message. Takes and returns; NULL is fine; cancelled and errors of other domains stay as they are. */
GError *_kt_error_localise  (GError *error);

/* ---- kt-splice.c: small lists ---- */
/* Makes @items (GObject*, owned array) be @fresh with one items_changed from the first to the last difference; items are compared by pointer. */
void    _kt_splice (GListModel *model, GPtrArray *items, GPtrArray *fresh);
/* "record"-less item classes with read-only text properties. */
typedef const char *(*KtItemText) (gpointer item);
typedef struct { const char *name; KtItemText get; } KtItemProperty;
void    _kt_item_install (GObjectClass *klass, const KtItemProperty *properties, guint n);

G_END_DECLS
