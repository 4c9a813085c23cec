/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-local.h"

#include "base/kt-error.h"
#include "base/kt-text.h"
#include "db/kt-sums.h"
#include "db/kt-table.h"
#include "proto/kt-expression.h"

G_BEGIN_DECLS

/* What the files of KtLocal share. Who writes what:
 *
 *   kt-local.c          open, close, meta, identity, transactions
 *   kt-local-schema.c   the schema and what is derived from it: tables, plans, rebuilt indices
 *   kt-local-change.c   change sets; the one place that writes a visible record (I3)
 *   kt-local-overlay.c  shadows and unsettled ops: visible = overlay (shadow) (I1, I2)
 *   kt-local-write.c    commit, undo, inverse
 *   kt-local-depend.c   what builds on what in the outbox
 *   kt-local-outbox.c   take, settle, leave (I4, I6)
 *   kt-local-parked.c   retry, discard, what is kept
 *   kt-local-pull.c     pages, stage, swap (I5, I7)
 *   kt-local-index.c    full-text terms and sort keys of a record
 *   kt-local-read.c     load, query, rows, counts, titles
 *   kt-local-search.c   search, find
 *
 * Tables beside o_*; objects and fields are named by their names, so that a row
 * outlives a change of schema:
 *
 *   kt_outbox     one mutation: state, number, verdict
 *   kt_outbox_op  its records, with the patch as JSON {"field":[before,after]}
 *   kt_shadow     record NULL: the server has none
 *   kt_stage      record NULL: gone                                                 */

/* kt_outbox_op.kind beside KtMutateKind: the local effect of mutation->resolves; never sent. */
#define KT_MUTATE_RESOLVE 100

#define KT_RID_SHIFT      40
#define KT_SEARCH_FORMAT  "2"      /* raise when the terms change */
#define KT_KEY_FORMAT     "1"
#define KT_CHANGES_MAX    5000     /* more: everything */

/* What an object's records need beside their table. */
typedef struct
{
  const KtObject *object;
  GPtrArray      *keys;            /* const KtField*: sorted by a collation key */
  GArray         *terms;           /* KtTermField */
  GPtrArray      *formulas;        /* const KtField* with `from` */
  gboolean        computes;        /* any formula */
  const KtField  *owner;           /* or NULL */
  char           *key_insert;
  char           *key_delete;
} KtPlan;

typedef enum { KT_TERM_TITLE, KT_TERM_BODY, KT_TERM_KEYS } KtTermColumn;
typedef struct { const KtField *field; KtTermColumn column; } KtTermField;

struct _KtLocal
{
  /* owned */
  char        *dir;
  char        *path;
  KtDb        *db;
  KtSchema    *schema;
  GPtrArray   *retired;            /* KtSchema: the ones before it, for whoever still holds an object of theirs */
  char        *schema_digest;
  char        *locale;
  KtIdentity  *identity;
  GPtrArray   *plans;              /* KtPlan by object number; NULL entries */
  KtExpressionEngine *engine;
  GHashTable  *names;              /* object number → its cache of names (kt-local-search.c) */
  GString     *scratch[3];         /* terms being made, by KtTermColumn */
  GError      *failure;            /* of a reading of this transaction that had to give something: it cannot be committed */

  /* borrowed */
  const KtEnv *env;

  /* state, as committed */
  gint64       data_version;
  gint64       seq;                /* visible */
  gint64       settled;            /* what is visible holds the effect of this device's numbers up to here */
  struct { gint64 seq, settled; gboolean ready; } begun;   /* the same, when the transaction began */
  guint64      stamp;              /* moves when schema, identity or ready did */
  guint        read_only : 1;
  guint        ready : 1;
  guint        beside : 1;         /* the log is written back on a thread of its own */
  guint        hides : 1;          /* there are fields that this user does not see in clear */
  guint        relaxed : 1;        /* synchronous=NORMAL is on: first pull only */
};

/* ---- kt-local.c ---- */
/* BEGIN, and the cached state brought up to what other connections committed. */
gboolean  _kt_local_begin        (KtLocal *local, KtTxMode mode, GError **error);
gboolean  _kt_local_begin_relaxed (KtLocal *local, GError **error);
gboolean  _kt_local_commit       (KtLocal *local, GError **error);
/* No commit waits for the log being written back into the file any more (kt_db_checkpoint_beside). */
void      _kt_local_checkpoint_beside (KtLocal *local);
void      _kt_local_rollback     (KtLocal *local);      /* cached state is read anew as well */
/* Reading: begins unless the caller has. */
gboolean  _kt_local_read_begin   (KtLocal *local, gboolean *mine, GError **error);
void      _kt_local_read_end     (KtLocal *local, gboolean mine);
gboolean  _kt_local_put_meta     (KtLocal *local, const char *key, const char *value, GError **error);
gboolean  _kt_local_put_meta_int (KtLocal *local, const char *key, gint64 value, GError **error);
char     *_kt_local_meta         (KtLocal *local, const char *key, GError **error);
gint64    _kt_local_meta_int     (KtLocal *local, const char *key, gint64 fallback);
char     *_kt_local_now          (KtLocal *local);      /* date_time form */
gboolean  _kt_local_require      (KtLocal *local, GError **error);   /* schema and identity are there */
/* Read the cached state again: seq, ready, identity, locale, schema. */
gboolean  _kt_local_refresh      (KtLocal *local, GError **error);
guint64   _kt_local_stamp        (KtLocal *local);

/* ---- kt-local-schema.c ---- */
gboolean  _kt_local_load_schema  (KtLocal *local, GError **error);
void      _kt_local_use_schema   (KtLocal *local, KtSchema *schema);   /* NULL ok */
KtPlan   *_kt_local_plan         (KtLocal *local, const KtObject *object);   /* NULL: not of this schema any more */
/* The same object in the current schema, NULL if it is gone. */
const KtObject *_kt_local_object (KtLocal *local, const KtObject *object);
/* Indices follow code, ICU and locale: rebuilt when any of them moved. In a write transaction. */
gboolean  _kt_local_ensure_indices (KtLocal *local, GError **error);
gboolean  _kt_local_wipe_records (KtLocal *local, gboolean keep_shadowed, GError **error);

/* ---- kt-local-index.c ---- */
gboolean  _kt_local_index        (KtLocal *local, const KtRecord *before, const KtRecord *after, GError **error);
/* Only one of the two indices, for rebuilding. */
gboolean  _kt_local_index_terms  (KtLocal *local, const KtPlan *plan, const KtRecord *before, const KtRecord *after, GError **error);
gboolean  _kt_local_index_keys   (KtLocal *local, const KtPlan *plan, const KtRecord *record, GError **error);
/* @out: 200 bytes. Returns how many. */
gsize     _kt_local_make_key     (const KtRecord *record, const KtField *field, const char *locale, guint8 *out);
void      _kt_local_terms        (const KtPlan *plan, const KtRecord *record, GString *columns[3]);
/* Text of one field as searched and shown in snippets; appends. */
void      _kt_local_field_text   (const KtField *field, const KtValue *value, GString *out);
char     *_kt_local_probe        (const char *locale);    /* a hash of what ICU makes of known text */

/* ---- kt-local-change.c ---- */
KtChangeSet *kt_change_set_new   (const KtSchema *schema);
typedef struct
{
  KtChangeSet *set;
  GHashTable  *places;             /* KtId → index + 1 */
} KtChanges;
void      _kt_changes_init       (KtChanges *changes, KtLocal *local);
void      _kt_changes_add        (KtChanges *changes, const KtRecord *before, const KtRecord *after, gboolean by_me);
void      _kt_changes_clear      (KtChanges *changes);
/* Takes what was collected; NULL when nothing changed. */
KtChangeSet *_kt_changes_steal   (KtChanges *changes);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtChanges, _kt_changes_clear)
/* Makes @after (NULL: nothing) what is seen instead of @before (NULL: nothing). */
gboolean  _kt_local_show         (KtLocal *local, const KtRecord *before, KtRecord *after, gboolean by_me, KtChanges *changes, GError **error);

/* ---- kt-local-overlay.c ---- */
typedef enum { KT_SHADOW_ABSENT, KT_SHADOW_NONE, KT_SHADOW_LEFT, KT_SHADOW_RECORD, KT_SHADOW_ERROR } KtShadowState;
KtShadowState _kt_local_shadow   (KtLocal *local, const KtObject *object, const KtId *id, KtRecord **record, gint64 *rev, GError **error);
gboolean  _kt_local_put_shadow   (KtLocal *local, const KtObject *object, const KtId *id, const KtRecord *record, GError **error);
gboolean  _kt_local_drop_shadow  (KtLocal *local, const KtId *id, GError **error);
KtRecord *_kt_local_record_parse (const KtObject *object, const KtId *id, gint64 rev, const char *text, GError **error);
char     *_kt_local_record_text  (const KtRecord *record);
/* A patch as far as this schema knows its fields; *unknown: names of the others, or NULL. */
KtPatch  *_kt_local_patch_parse  (const KtObject *object, const char *json, const char *muted, char **unknown);
/* Why the server would not take a patch under the schema of @object; NULL: it would. g_free. */
char     *_kt_local_patch_trouble (const KtObject *object, const char *json);
/* What one op makes of @state (taken, may be NULL). */
KtRecord *_kt_local_apply        (KtLocal *local, KtRecord *state, int kind, const KtObject *object, const KtId *id, gint64 base_rev,
                                  const KtPatch *patch, const char *at, const char *origin);
/* Formulas, and copies through references that differ from @base. */
gboolean  _kt_local_compute      (KtLocal *local, const KtRecord *base, KtRecord *record, GError **error);
/* The overlay of everything unsettled on @shadow. *n_ops: how many there are. Transfers. */
KtRecord *_kt_local_overlay      (KtLocal *local, const KtObject *object, const KtId *id, const KtRecord *shadow, guint *n_ops, GError **error);
/* Brings the visible record up to shadow and ops; drops the shadow when no op is left. */
gboolean  _kt_local_recompute    (KtLocal *local, const KtObject *object, const KtId *id, gboolean by_me, KtChanges *changes, GError **error);

/* ---- kt-local-write.c ---- */
char     *_kt_local_describe_entry (KtLocal *local, gint64 no);
gboolean  _kt_local_transact     (KtLocal *local, gboolean (*work) (KtLocal *local, gint64 no, KtChanges *changes, GError **error),
                                  gint64 no, KtChangeSet **changes, GError **error);

/* ---- kt-local-digest.c ---- */
/* In a write transaction. Of a new schema: what its records now give other digests for. */
gboolean  _kt_local_resum        (KtLocal *local, const KtObject *object, GError **error);
gboolean  _kt_local_resum_changed (KtLocal *local, const KtSchema *before, const KtSchema *after, GError **error);

/* ---- kt-local-pull.c ---- */
/* Makes the indices again that an unfinished first pull has taken off. */
gboolean  _kt_local_put_on_indices (KtLocal *local, GError **error);

/* ---- kt-local-outbox.c ---- */
/* A set of records by id. */
typedef struct { KtId id; const KtObject *object; } KtTouched;
GHashTable *_kt_touched_new      (void);                  /* KtTouched in itself */
void      _kt_touched_add        (GHashTable *touched, const KtObject *object, const KtId *id);
/* As far as this schema knows it. NULL without error: no such entry. */
KtMutation *_kt_local_read_mutation (KtLocal *local, gint64 no, char **unknown, GError **error);
/* The wire form, from what is stored. */
gboolean  _kt_local_append_entry (KtLocal *local, gint64 no, GString *out, GError **error);
/* One op of an entry; @patch: its fields as JSON or NULL. The base is lowered to what is common with a server's new life. */
gboolean  _kt_local_add_op       (KtLocal *local, gint64 no, gint64 pos, int kind, const char *object, const KtId *id, gint64 base_rev,
                                  const char *patch, GError **error);
gint64    _kt_local_add_entry    (KtLocal *local, const KtMutation *mutation, GError **error);      /* -1: error */
/* Removes a settled, undone or discarded entry and notes the records it named. */
gboolean  _kt_local_leave        (KtLocal *local, gint64 no, gboolean remember, GHashTable *touched, GError **error);
gboolean  _kt_local_leave_settled (KtLocal *local, gint64 seq, GHashTable *touched, gboolean *any, GError **error);
gboolean  _kt_local_recompute_all (KtLocal *local, GHashTable *touched, gboolean by_me, KtChanges *changes, GError **error);
gboolean  _kt_local_keep         (KtLocal *local, const char *why, const char *json, GError **error);
KtMutation *_kt_mutation_inverse (const KtMutation *mutation, const char *at);

/* ---- kt-local-life.c ---- */
/* What kt_outbox.again says of an entry. */
enum
{
  KT_AGAIN_NO,           /* never sent */
  KT_AGAIN_SENT,         /* sent before, under another number: cannot be undone, waits for nobody */
  KT_AGAIN_OLD_SHADOW,   /* as well, and the shadows hold it until the next whole pull: they are of the life that had it */
  KT_AGAIN_SHADOW,       /* as well, and the shadows hold it */
};
/* Keeps a settled entry for the case that the server loses it; *bytes: how much that is. Before it leaves. */
gboolean  _kt_local_keep_settled (KtLocal *local, gint64 no, gint64 *bytes, GError **error);
/* After @n entries of @bytes were kept: the oldest go. */
gboolean  _kt_local_trim_settled (KtLocal *local, gint64 n, gint64 bytes, GError **error);
/* Whatever has a number and is not settled loses it; the next one is @last + 1. Inside a transaction. */
gboolean  _kt_local_forget_numbers (KtLocal *local, gint64 last, GError **error);
/* A whole pull is here: shadows are of this life. Notes the records of what is laid over them from now on. */
gboolean  _kt_local_end_old_life (KtLocal *local, GHashTable *touched, GError **error);
/* Takes note that a page holds the effect of everything sent up to the mutation @last (nil: nothing new); notes the records whose
 * overlay changes. */
gboolean  _kt_local_cover      (KtLocal *local, const KtId *last, gint64 seq, GHashTable *touched, GError **error);
/* Another name for this device, another life of the server; NULL: as before. (kt-local.c) */
gboolean  _kt_local_rename_self (KtLocal *local, const KtId *device, const KtId *epoch, GError **error);

/* ---- kt-local-depend.c ---- */
/* Which QUEUED entries wait, and for which parked one: gint64 → gint64. */
GHashTable *_kt_local_held       (KtLocal *local, GError **error);
/* The first later entry that cannot stand without entry @no; 0: none. @fields: also one that changes the same field. */
gboolean  _kt_local_dependent    (KtLocal *local, gint64 no, gboolean fields, gint64 *dependent, GError **error);

/* ---- kt-local-read.c ---- */
/* @object NULL: whatever has this id. *title NULL: nothing has. */
gboolean  _kt_local_title        (KtLocal *local, const KtObject *object, const KtId *id, char **title, GError **error);

/* ---- kt-local-search.c ---- */
/* Keeps the cache of names true; does nothing when there is none for the object. */
void      _kt_local_names_change (KtLocal *local, const KtRecord *before, const KtRecord *after);

/* ---- kt-local-parked.c ---- */
gboolean  _kt_local_retry_in     (KtLocal *local, gint64 no, KtChanges *changes, GError **error);

/* ---- kt-local-news.c: before the entry of @verdict leaves; after a record came ---- */
gboolean  _kt_local_news_verdict (KtLocal *local, const KtVerdict *verdict, GError **error);
gboolean  _kt_local_news_record  (KtLocal *local, const KtRecord *before, const KtRecord *after, GError **error);

/* Everything that belonged to whoever was signed in; in a write transaction. (kt-local.c) */
gboolean  _kt_local_forget_everything (KtLocal *local, GError **error);

/* ---- kt-local-access.c ---- */
#define KT_REV_LEFT (-1)           /* kt_shadow.rev: the record has left this user's scope; its unsettled ops are out of sight */
/* The access document into the identity. */
gboolean  _kt_local_use_access   (KtLocal *local, GError **error);
/* The server took a record away: nothing of it stays but what is unsettled. @ids: KtId. */
gboolean  _kt_local_left         (KtLocal *local, const KtObject *object, const KtId *id, GError **error);
gboolean  _kt_local_forget       (KtLocal *local, GHashTable *ids, GError **error);
gboolean  _kt_local_forget_one   (KtLocal *local, const KtId *id, GError **error);
/* Parked changes of a record that has left are sent again, for somebody else to decide. */
gboolean  _kt_local_escrow       (KtLocal *local, const KtId *id /* NULL: all parked */, KtChanges *changes, GError **error);
gboolean  _kt_local_escrow_entry (KtLocal *local, gint64 no, GError **error);
gboolean  _kt_local_escrow_refused (KtLocal *local, GError **error);
/* What the user may not see, of a record that is about to be shown. */
void      _kt_local_cut          (KtLocal *local, KtRecord *record);
/* Whether an entry of the outbox writes what its author may not see any more: then nobody remembers it here. */
gboolean  _kt_local_hides_entry  (KtLocal *local, gint64 no);
gboolean  _kt_local_sweep_later  (KtLocal *local, GError **error);

/* ---- kt-local-blob.c, kt-local-blob-rule.c, kt-local-blob-part.c ---- */
gboolean  _kt_local_is_sha256    (const char *text);
gboolean  _kt_local_is_stale     (const char *path, gint64 age_us);   /* not written to for that long */
/* Attachments are looked at again. In a write transaction. */
gboolean  _kt_local_blobs_stir   (KtLocal *local, GError **error);
/* Only what no live `file` record names any more. */
gboolean  _kt_local_blobs_drop_unnamed (KtLocal *local, GError **error);
GPtrArray *_kt_local_blob_places (KtLocal *local, GError **error);    /* KtBlobPlace* of all, best first; in a transaction */

/* ---- kt-local-check.c ---- */
void      _kt_local_export_unsent (KtDb *db, const char *path, gboolean *exported);

G_END_DECLS
