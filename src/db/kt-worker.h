/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "base/kt-types.h"

G_BEGIN_DECLS

/* A named thread with a queue. Whoever needs a database off the main thread
 * gives it closures; they run one after the other, urgent ones first. */
typedef struct _KtWorker KtWorker;

/* @state: given to every job (a connection, say); made on the thread by @open, ended by @close there. */
typedef gpointer (*KtWorkerOpen)  (gpointer data, GError **error);
typedef gpointer (*KtWorkerJob)   (gpointer state, gpointer data, GCancellable *cancellable, GError **error);   /* result for the task */

typedef enum { KT_WORKER_URGENT, KT_WORKER_NORMAL, KT_WORKER_IDLE, KT_WORKER_N_CLASSES } KtWorkerClass;

KtWorker *kt_worker_new   (const char *name, KtWorkerOpen open, GDestroyNotify close, gpointer data);
/* Ends after the queue is empty; joins. Accepts NULL. */
void      kt_worker_free  (KtWorker *worker);
/* Runs @job on the thread; @callback in the caller's thread-default main context. @data is freed by
 * @free_data on the worker after the job. A job cancelled before it started does not run. */
void      kt_worker_push_async  (KtWorker *worker, KtWorkerClass class_, KtWorkerJob job, gpointer data, GDestroyNotify free_data,
                                 GDestroyNotify free_result, GCancellable *cancellable, gpointer source_tag, gpointer source_object,
                                 GAsyncReadyCallback callback, gpointer user_data);
gpointer  kt_worker_push_finish (GAsyncResult *result, GError **error);
/* Blocks the calling thread until the job ran; not from the worker itself, not from a main thread that paints. */
gpointer  kt_worker_run   (KtWorker *worker, KtWorkerClass class_, KtWorkerJob job, gpointer data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtWorker, kt_worker_free)

G_END_DECLS
