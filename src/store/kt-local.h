/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "base/kt-env.h"
#include "base/kt-query.h"
#include "db/kt-db.h"
#include "proto/kt-merge.h"
#include "proto/kt-rules.h"
#include "proto/kt-wire.h"

G_BEGIN_DECLS

/* The local cache of one profile: one SQLite connection, blocking, used by one
 * thread at a time. KtStore puts it behind threads for the window; the command
 * line, the engine's tests and the simulation use it directly.
 *
 *   DIR/            0700
 *     profile.db    0600   o_* tables (db/kt-table) · kt_shadow · kt_outbox, kt_outbox_op · kt_settled · kt_done · kt_kept · kt_stage ·
 *                          kt_search (FTS5) · kt_key_N (sort keys) · kt_history · kt_blob · kt_meta
 *     session       0600   token and server address (written by sync/)
 *     blobs/ab/…    0600   attachments by SHA-256
 *     sync.lock            held by whoever syncs; reading and committing need no lock
 *
 * Invariants:
 *  I1  A record with unsettled local changes has a row in kt_shadow: the server's last known version (or "none").
 *  I2  visible record = overlay of its unsettled patches, in outbox order, on the shadow; without shadow it is the server's version.
 *      A patch that the shadow is known to hold already (a page that covers its number) is not laid over twice.
 *  I3  record, shadow, outbox entry, full text and sort keys change in one transaction.
 *  I4  an outbox entry leaves only when both its verdict and the page which holds its commit (visible seq >= verdict.seq) are here,
 *      in the transaction that stores the later of the two (the page usually; the verdict when its reply was lost and pulled past),
 *      or by an explicit choice of the person (undo before it was sent; discard of a parked one, kept in kt_kept).
 *      How to take it back stays in kt_done for a while (kt_local_inverse).
 *  I5  the cursor moves in the transaction that makes its rows visible. A pull of several pages is staged and swapped in whole;
 *      only the very first pull writes pages directly, and then nothing is shown before it is complete (kt_local_ready).
 *  I6  content of an outbox entry never changes once it has a number. Its number and base_rev may, in the steps of
 *      kt-local-life.c only: another device, or another life of the server.
 *  I7  a page of another epoch, of another schema, or older than what is visible changes nothing: it is an error.                */
typedef struct _KtLocal KtLocal;

typedef enum { KT_LOCAL_CREATE = 1 << 0, KT_LOCAL_READ_ONLY = 1 << 1 } KtLocalFlags;

/* @env NULL: the system's clock and random numbers.
 * Errors: CORRUPT (with what to do: the outbox is exported if readable), NEWER, BUSY, FULL, IO, NOT_FOUND (no CREATE). */
KtLocal        *kt_local_open   (const char *dir, KtLocalFlags flags, const KtEnv *env, GError **error);
void            kt_local_close  (KtLocal *local);
KtDb           *kt_local_db     (KtLocal *local);
const char     *kt_local_dir    (KtLocal *local);
const KtEnv    *kt_local_env    (KtLocal *local);
/* NULL before the first login. Reference it when kept: a pull may bring a newer one. */
const KtSchema *kt_local_schema (KtLocal *local);
/* Carries tables, outbox and shadows over to @schema, in one transaction: renamed fields and objects keep what they hold,
 * retyped ones as far as they convert (kt_value_carry; what does not and is the server's comes again with the pull). An unsent
 * entry that the server would not take any more keeps its words and parks with the reason, code "schema"; one that it takes
 * again is queued again. A staged pull is forgotten: its pages lack what is new. */
gboolean        kt_local_set_schema (KtLocal *local, const KtSchema *schema, GError **error);
/* Whether a first pull is complete, i.e. there is something honest to show. */
gboolean        kt_local_ready  (KtLocal *local);
const char     *kt_local_locale (KtLocal *local);                  /* collation of the sort keys */
gboolean        kt_local_set_locale (KtLocal *local, const char *locale, GError **error);   /* rebuilds keys when it changed */

/* Small settings and sync state. Keys that start with "kt:" are the store's own: INVALID. */
char    *kt_local_get_meta (KtLocal *local, const char *key, GError **error);      /* NULL: not set */
gboolean kt_local_set_meta (KtLocal *local, const char *key, const char *value, GError **error);

/* ---- who is signed in (set at login; kept over restarts) ---- */
typedef struct { KtAccess access; KtId device; KtId epoch; char *server; char *user_name; char *currency; char *workspace; } KtIdentity;
const KtIdentity *kt_local_identity (KtLocal *local);               /* NULL: never signed in */
/* Another user or server on a profile with unsettled work is refused (UNSETTLED, scenario 55); without, the cache is emptied first. */
gboolean kt_local_set_identity (KtLocal *local, const KtIdentity *identity, GError **error);
/* The same after a sign-in: if the device is another one, everything unsettled is numbered anew from @last + 1, which is what the server has of
 * it. The epoch stays that of the data: what is in @identity is only taken when there was none. */
gboolean kt_local_sign_in (KtLocal *local, const KtIdentity *identity, gint64 last, GError **error);
void     kt_identity_clear (KtIdentity *identity);

/* ---- change sets ---- */
typedef enum { KT_CHANGE_CREATED, KT_CHANGE_UPDATED, KT_CHANGE_BINNED, KT_CHANGE_RESTORED, KT_CHANGE_GONE } KtChangeKind;
typedef struct { const KtObject *object; KtId id; gint64 rid; KtChangeKind kind; gboolean by_me; } KtRecordChange;
typedef struct
{
  GArray  *records;        /* KtRecordChange, each record once */
  gboolean everything;     /* too much to list (first pull, another process, schema): read again */
  gboolean outbox;         /* outbox or parked entries changed */
  gboolean schema;
  KtSchema *schema_ref;    /* keeps the object pointers alive */
} KtChangeSet;
KtChangeSet *kt_change_set_ref   (KtChangeSet *set);
void         kt_change_set_unref (KtChangeSet *set);
gboolean     kt_change_set_touches (const KtChangeSet *set, const KtObject *object);

/* ---- scope ---- */
/* What this user may do and see, as the server said last (kt_rights_*): it is in kt_local_identity()->access, so that writing and every
 * check ask it; without one everything may be tried. Fields that are not to be seen any more leave rows, shadows, full text, sort keys,
 * history and what is remembered, in the same transaction. SERVER: of another user; nothing is changed. */
gboolean kt_local_set_access    (KtLocal *local, KtRights *rights, KtChangeSet **changes, GError **error);
char    *kt_local_access_digest (KtLocal *local);                   /* NULL: none yet. g_free */
/* The server wants this device empty. One step of it: what is parked goes into escrow, what even that was refused for is the server's (kept in its
 * ledger). *ready: nothing is left that the server does not have (attachments apart). */
gboolean kt_local_wipe_prepare  (KtLocal *local, gboolean *ready, GError **error);
/* Everything goes, identity included; the file is written anew. UNSETTLED: something is not sent. */
gboolean kt_local_wipe          (KtLocal *local, GError **error);
/* What left is also to leave the file: one step, a fraction of a second but for the last, which writes a file of up to 512 MiB anew. *more:
 * call it again. Outside a transaction. */
gboolean kt_local_sweep_due     (KtLocal *local);
gboolean kt_local_sweep         (KtLocal *local, gboolean *more, GError **error);

/* Takes note of what other connections did (schema, identity, readiness); every reading function does so by itself. */
gboolean   kt_local_refresh (KtLocal *local, GError **error);

/* ---- reading (one read transaction each; all return NULL + error on failure) ---- */
KtRecord  *kt_local_load   (KtLocal *local, const KtObject *object, const KtId *id, GError **error);   /* NULL, no error: none */
KtRecord  *kt_local_load_shadow (KtLocal *local, const KtObject *object, const KtId *id, GError **error); /* base for a new patch: the visible record is; this is what the server has */
/* Row numbers in order (gint64). Search text, filter, sort keys, bin honoured. With a limit, a search looks at its newest 2,000 hits. */
GArray    *kt_local_query  (KtLocal *local, const KtQuery *query, GCancellable *cancellable, GError **error);
/* Records by row number, in the order asked; a vanished one is NULL in the array. */
GPtrArray *kt_local_rows   (KtLocal *local, const KtObject *object, const gint64 *rids, guint n, GError **error);
gint64     kt_local_count  (KtLocal *local, const KtQuery *query, GError **error);     /* -1 on error */
/* Live counts of all visible objects: gint64 by object number. */
GArray    *kt_local_counts (KtLocal *local, GError **error);
/* Titles for references: same order, NULL where unknown. any: object may be NULL to search by id over all objects. */
typedef struct { const KtObject *object; KtId id; } KtRefKey;
GPtrArray *kt_local_titles (KtLocal *local, const KtRefKey *keys, guint n, GError **error);
/* Full text over everything, or one object; newest and title hits first. Never ranks by bm25: takes the first 2,000 hits and orders them. */
typedef struct { const KtObject *object; KtId id; gint64 rid; char *title; char *subtitle; char *snippet; } KtHit;
GPtrArray *kt_local_search (KtLocal *local, const char *text, const KtObject *object, guint limit, GCancellable *cancellable, GError **error);   /* KtHit*, kt_hit_free */
void       kt_hit_free     (KtHit *hit);
/* A record by what people call it: id, external_id, number, exact title, folded title, squashed title (unique match).
 * NULL + NOT_FOUND, or INVALID "matches 3 accounts" naming them. */
gboolean   kt_local_find   (KtLocal *local, const KtObject *object, const char *name, KtId *out, GError **error);
/* The same among what is in the bin, by title or number: nobody else uses its name any more. */
gboolean   kt_local_find_binned (KtLocal *local, const KtObject *object, const char *name, KtId *out, GError **error);
/* "EXPR" parsed, list queried: helper for --where. */

/* ---- writing ---- */
/* Checks rules and access, puts defaults and the owner into CREATE patches (in @mutation itself: the server shall
 * see them), computes formulas, `from` copies, defaults, modified/created; writes record, shadow, outbox,
 * full text, keys; all or nothing. @mutation's CREATE ops need an id; base_rev and before values are taken from what is visible now
 * when the op's patch was built by kt_patch_diff on it; P6 wants the values the *person* saw, so they are kept as given
 * (a base_rev of 0 on a record the server knows is filled in). A mutation of an older KtSchema is translated by name. What changes
 * nothing makes no entry: *outbox_no 0. What rules and access say comes in the store's locale.
 * Errors INVALID (rules; first message), FORBIDDEN, NOT_FOUND, EXISTS, LIMIT, AUTH (never signed in), FULL, BUSY. */
gboolean   kt_local_commit (KtLocal *local, KtMutation *mutation, gint64 *outbox_no, KtChangeSet **changes, GError **error);
/* Reverses an outbox entry that has not been sent: it leaves the outbox and the records show what they showed before. CONFLICT when
 * sent already (then the caller commits a counter-mutation made by kt_local_inverse). */
gboolean   kt_local_undo   (KtLocal *local, gint64 outbox_no, KtChangeSet **changes, GError **error);
/* Works while the entry waits and for a while after it left (the last 1,000, and the last 20 imports). Fields that somebody changed
 * since are left alone; a decision of the review queue is asked again (resolution "open"). NOT_FOUND: too long ago. A mutation
 * without ops and `resolves`: nothing is left to take back. */
KtMutation *kt_local_inverse (KtLocal *local, gint64 outbox_no, GError **error);
/* Outbox numbers (gint64) of one import, newest first, waiting or gone. */
GArray     *kt_local_batch   (KtLocal *local, const char *batch, GError **error);

/* ---- outbox ---- */
typedef enum { KT_OUTBOX_QUEUED, KT_OUTBOX_SENT, KT_OUTBOX_SETTLED, KT_OUTBOX_PARKED } KtOutboxState;
typedef struct { gint64 no; KtOutboxState state; KtMutation *mutation; char *reason; char *reason_code; KtVerdict verdict; gint64 made_at_us; } KtOutboxEntry;
GPtrArray *kt_local_outbox  (KtLocal *local, guint limit, GError **error);        /* not SETTLED; oldest first; kt_outbox_entry_free.
                                                                                      A QUEUED one that waits for a parked one says so in reason, code "waiting". */
void       kt_outbox_entry_free (KtOutboxEntry *entry);
typedef struct { gint64 queued, sent, settled, parked, review; } KtOutboxCounts;  /* review: open sync_conflict for this user */
gboolean   kt_local_outbox_counts (KtLocal *local, KtOutboxCounts *out, GError **error);
/* JSON array of up to @max mutations / @bytes (but at least one) to send next, oldest first: those SENT without verdict, then QUEUED ones which get their
 * numbers and become SENT in this transaction. Entries that depend on a parked one (same record, or refer to a record it creates) stay. NULL, no error: nothing. */
GBytes    *kt_local_outbox_take (KtLocal *local, guint max, gsize bytes, GError **error);
/* Stores verdicts (SENT → SETTLED or PARKED, or gone at once when their page is here already). Unknown or repeated numbers are ignored. */
gboolean   kt_local_settle  (KtLocal *local, const KtVerdict *verdicts, guint n, KtChangeSet **changes, GError **error);
/* A parked entry: again under a new number; or given up (kept in kt_kept), the record shows the server's version again.
 * Entries that wait for a discarded one are based on what was before it; those that need a record it creates: CONFLICT, names the first.
 * CONFLICT as well when it is not parked. */
gboolean   kt_local_retry   (KtLocal *local, gint64 outbox_no, KtChangeSet **changes, GError **error);
gboolean   kt_local_discard (KtLocal *local, gint64 outbox_no, KtChangeSet **changes, GError **error);
/* The same as retry with other values: those of @values replace what the parked entry wanted for record @id, and it is tried again, in
 * one transaction. Only fields that the entry changes. INVALID: another object, or a field it does not touch; what rules say: INVALID too. */
gboolean   kt_local_amend   (KtLocal *local, gint64 outbox_no, const KtId *id, const KtPatch *values, KtChangeSet **changes, GError **error);
/* Everything that is not settled as a file for people and programs, whole or not at all, mode 0600: lines of JSON, the first says whose,
 * from where and when, then one mutation a line with its state and reason. *n: how many (may be NULL). FULL, IO. */
gboolean   kt_local_export_outbox (KtLocal *local, const char *path, gint64 *n, GError **error);

/* ---- copies and restored servers (P10, P11): docs/decisions/identity.md ---- */
/* This profile turned out to be a copy: from now on it is @device, of whose mutations the server has @last. Everything sent
 * and not settled is queued again, under the same ids. A notice is kept. One transaction. */
gboolean   kt_local_new_device (KtLocal *local, const KtId *device, gint64 last, KtChangeSet **changes, GError **error);
/* The server lives the life @epoch: it has this device's mutations up to @last, and the commits up to @common are the same as
 * here. What was settled and is lost there is laid back into the outbox; cursor and stage are forgotten, the next pull replaces
 * all. @backup_at: date_time or NULL, for the notice that is kept. One transaction. */
gboolean   kt_local_new_epoch  (KtLocal *local, const KtId *epoch, gint64 last, gint64 common, const char *backup_at, KtChangeSet **changes, GError **error);
/* What happened to this profile that its owner should know; the last five, oldest first. KtNotice, kt_notice_free. */
typedef enum { KT_NOTICE_RESTORED, KT_NOTICE_COPY } KtNoticeKind;
typedef struct
{
  KtNoticeKind kind;
  gint64       at_us;          /* this device's clock */
  char        *backup_at;      /* RESTORED: date_time or NULL */
  gint64       again;          /* changes that go out again: those the server lost, those that waited with them */
  gint64       lost;           /* RESTORED: changes that it lost and that are too old to be here still */
} KtNotice;
GPtrArray *kt_local_notices    (KtLocal *local, GError **error);
/* One or two sentences in the language of @locale ("zh…" or English), the date in UTC. g_free. */
char      *kt_notice_words     (const KtNotice *notice, const char *locale);
void       kt_notice_free      (KtNotice *notice);

/* ---- pull ---- */
char      *kt_local_cursor  (KtLocal *local, GError **error);        /* where to pull from next (staged pages included); NULL: from the beginning */
gint64     kt_local_seq     (KtLocal *local);                        /* seq of what is visible; 0 */
/* Everything that was pulled is visible: a pull that brings nothing changes nothing. */
gboolean   kt_local_at_rest (KtLocal *local);
/* Takes one verified page in (I4, I5). *done: the page was the last and everything is visible now. @page was opened with
 * kt_local_schema. Errors: SCHEMA (the page speaks of another schema: fetch it, kt_local_set_schema, pull again), EPOCH (another life of
 * the server: kt_local_new_epoch first), CONFLICT (older than what is visible: drop it), FULL, …; then nothing has changed. */
gboolean   kt_local_apply_page (KtLocal *local, KtPage *page, gboolean *done, KtChangeSet **changes, GError **error);
/* Pull everything anew, from the same life of the server: forget cursor and stage, keep records, outbox and shadows; the next
 * pull replaces all. Verdicts whose page had not come are forgotten too: they are sent again under their numbers. What the next
 * pull no longer holds goes to kt_kept as JSON (P10). An unfinished first pull begins anew. */
gboolean   kt_local_reset_cursor (KtLocal *local, GError **error);
/* The next pull is one of everything, in this life: what is here stays in sight until it is complete. */
gboolean   kt_local_pull_anew (KtLocal *local, GError **error);

/* ---- proving (P4): what the server has sent, live and binned; unsettled edits are not in it ---- */
/* Summed up from the records: about a second for a million. */
gboolean   kt_local_digest  (KtLocal *local, const KtObject *object, KtDigest *out, GError **error);
/* The sum that is kept up to date. */
gboolean   kt_local_digest_kept (KtLocal *local, const KtObject *object, KtDigest *out, GError **error);
/* One branch of the tree, summed up. @children: KT_DIGEST_CHILDREN zeroed ones, or NULL; @leaves: KtDigestLeaf appended, or NULL. */
typedef struct { KtId id; KtDigest digest; } KtDigestLeaf;
gboolean   kt_local_digest_branch (KtLocal *local, const KtObject *object, const KtDigestBranch *branch, KtDigest *all,
                                   KtDigest *children, GArray *leaves, GError **error);
/* Sums up everything and keeps that instead. Blocks for about a second for a million records. */
gboolean   kt_local_resum   (KtLocal *local, GError **error);
/* Takes in single rows (a page of mode "repair") the way a pull would: under what is laid over them. Rows newer than what is visible are
 * left for the next pull; one that is gone is only taken away if the page stands at the visible seq. What is replaced or
 * taken away goes to kt_kept. @left: ids (KtId) that were asked for, answered ones are removed. *mended: records that
 * became others. Errors as of kt_local_apply_page. */
gboolean   kt_local_apply_rows (KtLocal *local, KtPage *page, GHashTable *left, guint *mended, KtChangeSet **changes, GError **error);

/* ---- review (open sync_conflict records of this user) ---- */
/* Builds the mutation for a choice; "mine", "theirs", or values by field. Commit it like any other. */
KtMutation *kt_local_resolve (KtLocal *local, const KtId *conflict, const char *take, const KtPatch *values, GError **error);
/* The other way: asks a decided one again. What the decision wrote is taken back where it still stands. CONFLICT: it is open. */
KtMutation *kt_local_reopen  (KtLocal *local, const KtId *conflict, GError **error);

/* ---- history (the server's ledger, as far as fetched; plus own unsettled, and what was given up here: outcome "discarded") ---- */
gboolean   kt_local_keep_history (KtLocal *local, const KtId *record, const char *json, GError **error);
char      *kt_local_get_history  (KtLocal *local, const KtId *record, GError **error);                   /* JSON array text or NULL */

/* ---- blobs: attachments by content ---- */
/* Copies @path in (verified, deduplicated, atomic rename). Limit 64 GiB. */
gboolean   kt_local_blob_add  (KtLocal *local, const char *path, char **sha256, gint64 *size, GCancellable *cancellable, GError **error);
char      *kt_local_blob_path (KtLocal *local, const char *sha256);          /* where it is or would be */
gboolean   kt_local_blob_have (KtLocal *local, const char *sha256, gint64 *size);
GPtrArray *kt_local_blobs_to_send (KtLocal *local, GError **error);          /* sha256 texts of own `file` records not yet stored on the server */
gboolean   kt_local_blob_sent (KtLocal *local, const char *sha256, GError **error);

/* Which attachments shall be here without being asked for: none; those that the user made or that hang on a record the user owns; all. One
 * by one up to @each bytes, together up to @total; pinned ones whatever their size. At first: mine, 25 MiB, 1 GiB. */
typedef enum { KT_BLOB_NONE, KT_BLOB_MINE, KT_BLOB_ALL } KtBlobRule;
typedef struct { KtBlobRule rule; gint64 each, total; } KtBlobPolicy;
const char *kt_blob_rule_word (KtBlobRule rule);                             /* "none", "mine", "all" */
gboolean   kt_blob_rule_from_word (const char *word, KtBlobRule *out);
gboolean   kt_local_blob_policy (KtLocal *local, KtBlobPolicy *out, GError **error);
/* What the new rule does not keep leaves the disk. INVALID. */
gboolean   kt_local_set_blob_policy (KtLocal *local, const KtBlobPolicy *policy, GError **error);
/* Keeps the attachments of a record, or one `file`, on this device. */
gboolean   kt_local_pin    (KtLocal *local, const KtId *id, gboolean pinned, GError **error);
gboolean   kt_local_pinned (KtLocal *local, const KtId *id);
typedef enum { KT_BLOB_PINNED, KT_BLOB_OWN, KT_BLOB_OTHER } KtBlobRank;
typedef struct
{
  char      *sha256;
  gint64     size;       /* bytes; -1: the record does not say */
  gint64     part;       /* bytes of it that are here, while it is not whole */
  KtBlobRank rank;
  guint      order;      /* among all, newest of a rank first */
  gboolean   here, wanted, stored /* the server has it */, unsent;
} KtBlobPlace;
void       kt_blob_place_free (KtBlobPlace *place);
/* What is to be fetched, in that order: KtBlobPlace*, at most @limit (0: all). Reads a list of all attachments. */
GPtrArray *kt_local_blobs_wanted (KtLocal *local, guint limit, GError **error);
/* Whether it is worth asking: something has changed since kt_local_blobs_settled. Cheap. */
gboolean   kt_local_blobs_due    (KtLocal *local);
gboolean   kt_local_blobs_settled (KtLocal *local, GError **error);
/* Takes off the disk what no rule keeps any more and no live `file` record names, never what the server does not have. *freed: bytes; may be NULL. */
gboolean   kt_local_blobs_tidy   (KtLocal *local, gint64 *freed, GError **error);

/* An attachment on its way here. The part grows at its end, whoever began it; a piece that begins earlier cuts it there. Errors: BUSY (another process fetches it), FULL, IO, CONFLICT (a gap). */
gint64     kt_local_blob_part       (KtLocal *local, const char *sha256);    /* bytes that are here; 0 */
gboolean   kt_local_blob_part_write (KtLocal *local, const char *sha256, gint64 offset, GBytes *piece, GError **error);
/* Reads at most @max bytes from *at on into @sum; moves *at. */
gboolean   kt_local_blob_part_hash  (KtLocal *local, const char *sha256, GChecksum *sum, gint64 *at, gsize max, GError **error);
/* Gives it its name when @found, the SHA-256 of the part, is what it should be; else it is thrown away (SERVER). */
gboolean   kt_local_blob_part_finish (KtLocal *local, const char *sha256, const char *found, GError **error);
/* Notes that a whole one is in its place. */
gboolean   kt_local_blob_arrived    (KtLocal *local, const char *sha256, GError **error);

/* ---- prepared for travel: what is here if the network goes away now ---- */
typedef struct { const KtObject *object; gint64 records /* live ones */, bytes /* about, the bin included */; } KtTravelObject;
typedef struct { gint64 n, bytes; } KtTravelFiles;
typedef struct
{
  GArray       *objects;      /* KtTravelObject, in pack order: visible ones, and others that have records */
  gint64        records;
  gint64        bytes;        /* of the local copy on the disk, without attachments */
  gint64        free;         /* bytes on that disk; -1: unknown */
  KtTravelFiles here, missing /* the rule wants them */, left_out /* it does not */, elsewhere /* nobody has sent them yet */, unsent /* only here */;
  gint64        partly;       /* bytes of the missing that are here */
  KtBlobPolicy  policy;
  KtOutboxCounts outbox;
  gint64        seq;          /* of what is visible. When the last sync was: kt_sync_lock_peek */
  gboolean      ready;        /* there is a whole copy */
  gboolean      pulling;      /* a pull is half done */
  gboolean      complete;     /* nothing is missing */
  KtSchema     *schema;       /* keeps the object pointers alive */
} KtTravelReport;
/* One read transaction; 100,000 attachments take a quarter of a second. */
KtTravelReport *kt_local_travel_report (KtLocal *local, GError **error);
void       kt_travel_report_free (KtTravelReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtTravelReport, kt_travel_report_free)

/* Integrity: SQLite check, I1–I4, every record in the full-text index. Problems as sentences; empty: well. */
GPtrArray *kt_local_check (KtLocal *local, gboolean thorough, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtLocal, kt_local_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtChangeSet, kt_change_set_unref)

G_END_DECLS
