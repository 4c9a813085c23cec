/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-local.h"

G_BEGIN_DECLS

/* A KtLocal behind threads, for programs with a main loop: one writer thread
 * (its own KtLocal), two readers (read-only ones). The main thread never
 * touches SQLite. All signals in the main context that made the store.
 *
 * signal "changed" (KtChangeSet*): after every commit, local or pulled, in
 * order, one per transaction; also when another process wrote (everything).
 * signal "failed" (GError*): a background thing went wrong (disk full, …). */
#define KT_TYPE_STORE (kt_store_get_type ())
G_DECLARE_FINAL_TYPE (KtStore, kt_store, KT, STORE, GObject)

/* @env NULL: the system's clock and random numbers. @locale NULL: as it is. */
void      kt_store_open_async  (const char *dir, KtLocalFlags flags, const KtEnv *env, const char *locale, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
KtStore  *kt_store_open_finish (GAsyncResult *result, GError **error);
/* Finishes what is queued; blocks until the threads ended. The object may then only be unreffed. */
void      kt_store_close       (KtStore *store);

const KtEnv    *kt_store_env      (KtStore *store);       /* never NULL; for a KtLocal beside it */
const KtSchema *kt_store_schema   (KtStore *store);       /* as of the last "changed" */
const KtIdentity *kt_store_identity (KtStore *store);
gboolean        kt_store_ready    (KtStore *store);

/* Any work on a KtLocal, on the writer or a reader; the result (freed by @free_result if dropped) comes in the caller's main context.
 * A job may emit change sets by kt_store_emit from the writer thread. */
typedef gpointer (*KtStoreJob) (KtLocal *local, gpointer data, GCancellable *cancellable, GError **error);
void      kt_store_read_async  (KtStore *store, KtStoreJob job, gpointer data, GDestroyNotify free_data, GDestroyNotify free_result, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
void      kt_store_write_async (KtStore *store, KtStoreJob job, gpointer data, GDestroyNotify free_data, GDestroyNotify free_result, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gpointer  kt_store_job_finish  (GAsyncResult *result, GError **error);
/* For the sync thread: blocks it, never the main thread. Behind urgent interface writes in the queue. */
gpointer  kt_store_write_sync  (KtStore *store, KtStoreJob job, gpointer data, GError **error);
void      kt_store_emit        (KtStore *store, KtChangeSet *changes /* taken */);

/* The common calls, ready made. */
void      kt_store_commit_async  (KtStore *store, KtMutation *mutation /* taken */, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
gboolean  kt_store_commit_finish (KtStore *store, GAsyncResult *result, gint64 *outbox_no, GError **error);
void      kt_store_load_async    (KtStore *store, const KtObject *object, const KtId *id, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
KtRecord *kt_store_load_finish   (KtStore *store, GAsyncResult *result, GError **error);
void      kt_store_query_async   (KtStore *store, const KtQuery *query, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
GArray   *kt_store_query_finish  (KtStore *store, GAsyncResult *result, GError **error);
void      kt_store_rows_async    (KtStore *store, const KtObject *object, const gint64 *rids, guint n, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *kt_store_rows_finish  (KtStore *store, GAsyncResult *result, GError **error);

G_END_DECLS
