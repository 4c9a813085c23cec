/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "server/kt-core.h"

#include "db/kt-sums.h"
#include "db/kt-table.h"
#include "proto/kt-audience.h"
#include "proto/kt-expression.h"
#include "proto/kt-merge.h"
#include "proto/kt-push.h"

G_BEGIN_DECLS

#define KT_SERVER_FORMAT 1
#define KT_TIME_SIZE     25      /* "2026-01-31T08:00:00.000Z" and its NUL */

/* A value copied from a referenced record: opportunity.status from stage.type. */
typedef struct
{
  const KtField *field;      /* of the copying object */
  const KtField *via;        /* its ref field */
  const KtField *source;     /* of the referenced object */
} KtCopy;

struct _KtCore
{
  /* owned */
  char               *dir;
  KtDb               *db;
  GPtrArray          *schemas;     /* every schema this connection ever used: statements and records borrow from them */
  KtExpressionEngine *engine;
  GArray             *copies;      /* KtCopy, of the current schema */
  const KtObject    **order;       /* what a pull sends, in its order; NULL-terminated */
  KtSums             *sums;        /* what the transaction under way changes */
  char               *workspace;
  char               *currency;
  char               *locale;
  GHashTable         *rights;      /* KtId of a user → KtRights, as of roles */
  GHashTable         *scopes;      /* hashes that stand in kt_scope */
  GHashTable         *audience_fields; /* KtObject → GPtrArray of KtField, of kt-plan-audience.c */

  /* borrowed */
  const KtEnv        *env;
  const KtSchema     *schema;

  /* state */
  KtId                epoch;
  gboolean            sums_wrong;
  gint64              roles;       /* the last commit that touched who may do what */
};

/* ---- kt-core.c ---- */
KtCore    *_kt_core_open_uri (const char *dir, const char *uri, const KtEnv *env, GError **error);
/* Makes the server's own tables. */
gboolean   _kt_core_make_tables (KtDb *db, GError **error);
/* Opens a transaction, for WRITE under the writer lock (S1), and takes note of what others changed
 * meanwhile (schema, epoch). *seq: the newest commit that it sees. */
gboolean   _kt_core_begin    (KtCore *core, KtTxMode mode, gint64 *seq, GError **error);
gboolean   _kt_core_put_seq  (KtCore *core, gint64 seq, GError **error);
char      *_kt_core_meta     (KtCore *core, const char *key, GError **error);
gboolean   _kt_core_set_meta (KtDb *db, const char *key, const char *text, gint64 number, GError **error);
gboolean   _kt_core_use_schema (KtCore *core, KtSchema *schema, GError **error);   /* takes it */
void       _kt_core_now      (KtCore *core, char out[KT_TIME_SIZE]);
void       _kt_time_format   (gint64 us, char out[KT_TIME_SIZE]);
char      *_kt_core_blob_dir (KtCore *core);
/* The schema of @schema_dir as a workspace that counts in @currency (a code) has it. */
KtSchema  *_kt_core_load_pack (const char *schema_dir, const char *currency, GError **error);
/* The folder's workspace.json. */
gboolean   _kt_workspace_write (const char *dir, const char *name, const char *database, GError **error);
gboolean   _kt_workspace_read  (const char *dir, char **name, char **database, GError **error);

/* An empty folder to make a workspace in; EXISTS. And what a failure leaves is taken away again. */
gboolean   _kt_workspace_make_dir (const char *dir, gboolean *made, GError **error);
void       _kt_workspace_remove   (const char *dir, gboolean made);

KtReply   *_kt_reply_json    (guint status, GString *json);                          /* takes it */
/* The reply to a failure, and what people elsewhere are told of a fault of this machine (NULL: the error's own words). */
KtReply   *_kt_reply_error   (const GError *error);
const char *_kt_machine_words (const GError *error);
gboolean   _kt_query_int     (const KtRequest *request, const char *key, gint64 fallback, gint64 min, gint64 max,
                              gint64 *out, GError **error);
/* A record by id; NULL with no error: none. "o_x" quoted. g_free. */
char      *_kt_table_name    (const KtObject *object);
gboolean   _kt_value_get_id  (const KtValue *value, KtId *id);

/* ---- who acts ---- */
typedef struct
{
  KtAccess  access;          /* user nil: the server itself */
  KtId      device;          /* nil: the server itself */
  char     *locale;
  gboolean  trusted;         /* not from the network: may set computed fields, its time is believed, access is not asked */

  /* private: of kt-scope.c */
  KtSubscriptions *subscriptions;
  const KtSchema  *subscribed;
} KtActor;
void       _kt_actor_clear   (KtActor *actor);
void       _kt_actor_system  (KtCore *core, KtActor *actor);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtActor, _kt_actor_clear)

/* ---- kt-core-epoch.c ---- */
/* Writes down a life that begins where the database stands now, inside a transaction. */
gboolean   _kt_core_begin_life (KtDb *db, const KtEnv *env, GError **error);
/* Where the device stands; @theirs NULL: what is common is not asked. Inside a transaction. */
gboolean   _kt_core_standing (KtCore *core, const KtActor *actor, const KtId *theirs, KtStanding *out, GError **error);
/* The 410 to a device that knows the life @theirs. Inside a transaction. */
KtReply   *_kt_core_gone     (KtCore *core, const KtActor *actor, const KtId *theirs);
/* The parameter “epoch”, if it is told. */
gboolean   _kt_core_query_epoch (const KtRequest *request, KtId *out, gboolean *told, GError **error);

/* ---- kt-core-auth.c ---- */
gboolean   _kt_core_actor    (KtCore *core, const char *token, KtActor *actor, GError **error);
KtReply   *_kt_core_login    (KtCore *core, const KtRequest *request);
KtReply   *_kt_core_logout   (KtCore *core, const KtRequest *request);
/* ---- kt-core-wipe.c ---- */
/* Whether this device is to be emptied, so that it gets no more answers of that kind. With *error: it could not be told. */
gboolean   _kt_core_wipes     (KtCore *core, const KtActor *actor, KtEndpoint endpoint, GError **error);
KtReply   *_kt_core_wipe_reply (const KtActor *actor);
/* The device says that it is empty. */
gboolean   _kt_core_wiped     (KtCore *core, const KtActor *actor, const KtRequest *request, GError **error);
/* A device of its own for a copied profile. */
KtReply   *_kt_core_device   (KtCore *core, const KtActor *actor, const KtRequest *request);
/* Memory-hard; never inside a transaction. Free with g_free. */
char      *_kt_password_hash (const char *password, GError **error);
/* For tests that are not about passwords: the cheapest hash there is. */
void       _kt_password_weak_for_tests (void);
/* Whether that user may act, and as an administrator. Inside a transaction. */
gboolean   _kt_core_is_admin (KtCore *core, const KtId *user);
gboolean   _kt_core_end_sessions (KtCore *core, const KtId *user, GError **error);   /* inside a transaction */

/* ---- kt-core-pull.c, kt-core-digest.c, kt-core-history.c, kt-core-blob.c ---- */
KtReply   *_kt_core_pull     (KtCore *core, const KtActor *actor, const KtRequest *request);
/* Rows by id, and "gone" for those that the user may not have. *all: FALSE when the page had no room for the rest. */
gboolean   _kt_core_put_rows (KtCore *core, const KtActor *actor, const KtObject *object, const KtId *ids, guint n,
                              KtPageWriter *writer, gboolean *all, GError **error);
KtReply   *_kt_core_digest   (KtCore *core, const KtActor *actor, const KtRequest *request);
KtReply   *_kt_core_rows     (KtCore *core, const KtActor *actor, const KtRequest *request);
/* Sums up an object anew and keeps that; of a new schema: what its records now give other digests for. In a WRITE transaction. */
gboolean   _kt_core_resum    (KtCore *core, const KtObject *object, GError **error);
gboolean   _kt_core_resum_changed (KtCore *core, const KtSchema *before, const KtSchema *after, GError **error);
gboolean   _kt_core_check_sums (KtCore *core, const KtObject *object, gboolean *right, GError **error);
void       _kt_core_mend_sums (KtCore *core);       /* if they turned out to be wrong; outside a transaction */
KtReply   *_kt_core_history  (KtCore *core, const KtActor *actor, const KtRequest *request);
KtReply   *_kt_core_blob_get  (KtCore *core, const KtActor *actor, const KtRequest *request);
KtReply   *_kt_core_blob_put  (KtCore *core, const KtActor *actor, const KtRequest *request);
KtReply   *_kt_core_blob_stat (KtCore *core, const KtActor *actor, const KtRequest *request);
gboolean   _kt_core_blob_have (KtCore *core, const char *sha256, gint64 *size);
char      *_kt_core_blob_path (KtCore *core, const char *sha256);
gboolean   _kt_sha256_valid  (const char *text);

/* ---- kt-core-push.c ---- */
KtReply   *_kt_core_push     (KtCore *core, const KtActor *actor, const KtRequest *request);
/* Decides one mutation as commit *seq + 1 inside the caller's WRITE transaction and writes it; *seq moves on.
 * FALSE: nothing was written, and the transaction can go on if _kt_is_refusal (error), else only be rolled back. */
gboolean   _kt_core_apply    (KtCore *core, const KtActor *actor, const KtMutation *mutation, gint64 *seq,
                              KtVerdict *verdict, GError **error);
/* The same in a transaction of its own. */
gboolean   _kt_core_commit   (KtCore *core, const KtActor *actor, const KtMutation *mutation, KtVerdict *verdict, GError **error);
/* Whether @error says no to the content, rather than that the machine failed. */
gboolean   _kt_is_refusal    (const GError *error);

/* ---- kt-admin.c ---- */
/* The user's record id by login name; NOT_FOUND. Inside or outside a transaction. */
gboolean   _kt_core_find_user (KtCore *core, const char *name, KtId *id, GError **error);

/* ---- kt-demo.c ---- */
gboolean   _kt_core_demo     (KtCore *core, const KtId *admin, const KtJson *company, GError **error);

G_END_DECLS
