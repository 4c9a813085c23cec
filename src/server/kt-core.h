/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "base/kt-env.h"
#include "db/kt-db.h"
#include "proto/kt-rules.h"
#include "proto/kt-wire.h"

G_BEGIN_DECLS

/* The server without HTTP: one connection to the workspace's database, used by
 * one thread at a time, blocking. The HTTP front keeps several; tests and the
 * simulation hand it KtRequests directly.
 *
 *   DIR/              0700
 *     workspace.json  database URI (what init was told), name, format
 *     workspace.db    SQLite by default: o_* tables · kt_meta · kt_log · kt_ledger · kt_device · kt_token · kt_login · kt_verdict
 *                     · kt_sequence · kt_throttle · kt_audience · kt_lost · kt_scope
 *     blobs/ab/…
 *
 * Invariants:
 *  S1  Every commit takes the next seq under the writer lock (SQLite: BEGIN IMMEDIATE; PostgreSQL: the row kt_meta 'seq' FOR UPDATE),
 *      so seq order is commit order and no reader passes a lower number that is not yet visible.
 *  S2  effect, ledger entries, log rows, device.last_number and verdict of a mutation are one transaction; several mutations may share it,
 *      each with a seq of its own, and then stand or fall together.
 *  S3  number == last+1: decided; <= last: the stored verdict again (409 when it is another mutation than the one decided: a copied
 *      device); > last+1: refused as a gap (409), nothing changes.
 *  S4  kt_ledger is only ever inserted into; every value anyone wrote stands there with its outcome, what the server itself
 *      derived as kind "derive": that never makes a clash (46).
 *  S5  kt_log names every record touched by a commit; o_x.rev is the seq of the last one. A pull of changes reads the log, in seq order,
 *      pages end at commit boundaries.
 *  S6  kt_audience holds exactly what kt_audience_of says of every record, in the commit that writes it; what a record lost stands in
 *      kt_lost. No reply holds a record or field that its user may not see when it is made (kt-scope.h). */
typedef struct _KtCore KtCore;

typedef struct { const char *name; const char *admin; const char *password; const char *database /* NULL: SQLite in DIR */; const char *schema_dir; const char *locale; const char *currency; gboolean demo; } KtInitOptions;
/* Refuses a DIR in use (EXISTS). Nothing is left behind on failure. */
gboolean  kt_core_init (const char *dir, const KtInitOptions *options, const KtEnv *env, GError **error);

KtCore   *kt_core_open  (const char *dir, const KtEnv *env, GError **error);
void      kt_core_close (KtCore *core);
/* Never fails: errors are replies. Checks token, limits, access. LIVE is the front's business. */
KtReply  *kt_core_handle (KtCore *core, const KtRequest *request);
/* Half uploads that nobody added to for @age_s seconds go; then the oldest until all take at most @most bytes of disk; none that was
 * added to within @grace_s or is being written to. Returns how many. kontor-server does it by itself. */
#define KT_PART_AGE_S   (7 * 24 * 3600)
#define KT_PART_GRACE_S 3600
#define KT_PART_BYTES   (G_GINT64_CONSTANT (16) * 1024 * 1024 * 1024)
guint     kt_core_drop_old_parts (KtCore *core, gint64 age_s, gint64 most, gint64 grace_s);
/* Newest committed seq, cheaply (for hints). */
gint64    kt_core_seq    (KtCore *core);
KtDb     *kt_core_db     (KtCore *core);
const KtSchema *kt_core_schema (KtCore *core);
/* A new schema version (fields added, …): migrates online, tells devices by the digest in pages. */
gboolean  kt_core_set_schema (KtCore *core, const KtSchema *schema, GError **error);
/* Takes up the pack in @schema_dir (data/schema) if it is a newer version of the one this workspace was made from; object numbers
 * stay. *said: what an administrator should know, or NULL: that it was taken up; or why not, and then nothing has changed and the
 * workspace goes on with its own: the pack is older, has other content under the same version, or values do not
 * convert. g_free. Errors: only of the machine. Blocks as long as tables are converted. */
gboolean  kt_core_take_up_pack (KtCore *core, const char *schema_dir, char **said, GError **error);
/* Signed-in user and device of a token; AUTH when it is none. For the live channel. */
gboolean  kt_core_authenticate (KtCore *core, const char *token, KtAccess *access, KtId *device, GError **error);

/* ---- administration (kt-admin.c); all work while the server runs ---- */
gboolean  kt_core_user_add      (KtCore *core, const char *name, const char *password, const char *const *roles, const char *const *teams, KtId *id, GError **error);
gboolean  kt_core_user_set      (KtCore *core, const char *name, const char *const *assignments, const char *const *roles, const char *const *teams, GError **error);
gboolean  kt_core_user_enable   (KtCore *core, const char *name, gboolean enabled, GError **error);    /* disabling ends its sessions */
gboolean  kt_core_user_password (KtCore *core, const char *name, const char *password, GError **error); /* ends its sessions */
/* A device as its id or its name; NOT_FOUND, CONFLICT (several of that name). The next time it asks, it sends what it has not sent (for others to
 * decide where its user may not) and empties itself; nothing but that is answered until it says that it is done. */
gboolean  kt_core_device_wipe   (KtCore *core, const char *device, GError **error);
GPtrArray *kt_core_device_list  (KtCore *core, GError **error);                                        /* JSON texts */
GPtrArray *kt_core_user_list    (KtCore *core, GError **error);                                        /* KtJson-like lines: JSON texts */
/* Makes the role @name or changes it. @json: {"scope":…,"fields":…,"special":…,"is_baseline":true}, what is left out stays; in scope
 * "*" stands for every object that is not named (of what only the server changes: no more than sight). INVALID, with the place. */
gboolean  kt_core_role_set      (KtCore *core, const char *name, const char *json, KtId *id, GError **error);
GPtrArray *kt_core_role_list    (KtCore *core, GError **error);                                        /* JSON texts */
gboolean  kt_core_backup  (KtCore *core, const char *file, GError **error);                            /* database and blobs in one file */
gboolean  kt_core_restore (const char *file, const char *dir, const KtEnv *env, GError **error);       /* into a new DIR; starts a new epoch */
/* The database was put back from a backup by other means than kt_core_restore (PostgreSQL's own tools, a snapshot of the disk): a new
 * epoch begins at what it holds, so that devices send again what it lacks (P10). Works while the server runs. */
gboolean  kt_core_begin_life (KtCore *core, GError **error);
/* SQLite check, ledger vs. records, log vs. rev, references, blobs. Sentences. */
GPtrArray *kt_core_check  (KtCore *core, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtCore, kt_core_close)

G_END_DECLS
