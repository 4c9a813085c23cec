/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-push.h"
#include "sync/kt-engine.h"

G_BEGIN_DECLS

#define KT_SYNC_BLOB_PIECE (1024 * 1024)   /* what goes over the line in one request of a blob */

#define KT_SYNC_LOCK_WAIT_MS 10000

/* Sleeps, or less. FALSE: cancelled. */
gboolean _kt_sync_sleep (gint64 us, GCancellable *cancellable);

/* What it means that kt_schema_from_json refused @text (*error says why): NEWER or SERVER. */
void     _kt_sync_schema_error (const char *text, gsize len, GError **error);

/* One exchange whose answer must be a JSON object (or array, for lists). */
KtJson  *_kt_sync_ask   (KtTransport *transport, const KtRequest *request, GCancellable *cancellable, GError **error);

/* ---- sign in, cut where the network ends and the profile begins, so that a program with
 * a writer thread does not hold it while a server thinks. ---- */
typedef struct
{
  KtIdentity identity;
  char      *token;
  gint64     last_number; /* of the device, at the server */
  KtSchema  *schema;      /* NULL: the profile's is still right */
} KtSession;
void       _kt_session_free  (KtSession *session);
/* @known, @schema_digest: what the profile says now, or NULL. */
KtSession *_kt_session_ask   (KtTransport *transport, const char *base, const char *user, const char *password,
                              const KtIdentity *known, const char *schema_digest, GCancellable *cancellable, GError **error);
gboolean   _kt_session_store (KtLocal *local, const KtSession *session, GError **error);
/* Tells the server; nobody waits for what it says. */
void       _kt_session_end   (KtTransport *transport, const char *token, GCancellable *cancellable);
/* Forgets the token on the disk; *token: what it was (may be NULL). */
gboolean   _kt_session_forget (KtLocal *local, char **token, GError **error);

/* This profile, which is a copy, becomes @device. A crash between its lines leaves one of the two, whole, with its token. */
gboolean   _kt_session_renew (KtLocal *local, const KtNewDevice *device, KtChangeSet **changes, GError **error);

/* History and blobs, cut in the same way. */
char      *_kt_history_ask   (KtTransport *transport, const char *token, const char *object, const KtId *id, GCancellable *cancellable, GError **error);
gboolean   _kt_blob_fetch    (KtTransport *transport, const char *token, const char *path, const char *sha256, gint64 size, GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtSession, _kt_session_free)

G_END_DECLS
