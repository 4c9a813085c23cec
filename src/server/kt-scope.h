/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "server/kt-core-private.h"

G_BEGIN_DECLS

/* Which records a user may see, on the server:
 *
 *   kt_meta 'roles'   seq of the last commit that touched a user, role, team or business unit: what rights are memoised by
 *   kt_audience       (object, rid, token, since)     what kt_audience_of says of every record; since: the commit that gave it
 *   kt_lost           (seq, object, id, token, since) what a record lost, and when: it met the token in [since, seq)
 *   kt_scope          (hash, user_id, seq, access)    every access document that was handed out
 *
 * All inside a transaction. A failure is an error of the request, never an empty scope (53). */

/* Rights of the user of record @user; a new reference. */
KtRights *_kt_core_rights (KtCore *core, const KtRecord *user, GError **error);
/* The actor's rights as of this transaction: what was looked up before it may be older. */
gboolean  _kt_actor_follow (KtCore *core, const KtActor *actor, GError **error);
/* The actor's, made once; borrowed. */
const KtSubscriptions *_kt_actor_subscriptions (KtCore *core, const KtActor *actor);
/* Whether a cursor or a log can name the actor's scope: it was written down. And the writing down, in a transaction of its own. */
gboolean  _kt_scope_known    (KtCore *core, const KtActor *actor, gboolean *known, GError **error);
gboolean  _kt_scope_remember (KtCore *core, const KtActor *actor, GError **error);
/* An access document that was handed out to @user, by its hash. NULL without an error: it is not known (any more). New reference. */
KtRights *_kt_scope_recall   (KtCore *core, const KtId *user, guint64 hash, GError **error);
/* Everyone of @user, newest first: KtRights. */
GPtrArray *_kt_scope_recall_all (KtCore *core, const KtId *user, GError **error);

/* Whether every record and every field of @object is the actor's to see. */
gboolean  _kt_scope_whole (KtCore *core, const KtActor *actor, const KtObject *object);
KtAudience *_kt_scope_audience (KtCore *core, const KtObject *object, gint64 rid, GError **error);
gboolean  _kt_scope_sees  (KtCore *core, const KtActor *actor, const KtObject *object, gint64 rid, gboolean *sees, GError **error);
gboolean  _kt_scope_sees_id (KtCore *core, const KtActor *actor, const KtObject *object, const KtId *id, gboolean *sees, GError **error);
/* The next @limit rids above @after of records of @object that have one of @tokens (KtToken), ascending: gint64. NULL: error. */
GArray   *_kt_scope_rids_of (KtCore *core, const KtObject *object, const GArray *tokens, gint64 after, guint limit, GError **error);
/* The same of what @subscriptions see, whether by token or because it is everything (then: of the table). */
GArray   *_kt_scope_rids  (KtCore *core, const KtSubscriptions *subscriptions, const KtObject *object, gint64 after, guint limit, GError **error);
/* Reads records of @object by their rids (gint64, ascending) and hands each to @func, FALSE ends it. Rids that are none are left out. */
typedef gboolean (*KtScopeRow) (KtStmt *stmt, gpointer data);   /* columns as of kt_table_columns */
gboolean  _kt_scope_load  (KtCore *core, const KtObject *object, const GArray *rids, KtScopeRow func, gpointer data, GError **error);

/* kt-check-audience.c: sentences are appended. */
gboolean  _kt_core_check_audience (KtCore *core, GPtrArray *problems, GError **error);

/* GET /v1/access */
KtReply  *_kt_core_access (KtCore *core, const KtActor *actor, const KtRequest *request);

G_END_DECLS
