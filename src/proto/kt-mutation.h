/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-patch.h"

G_BEGIN_DECLS

/* What one user action changed: one record or several, atomic. Named by an id when it is done, which says whether it
 * is the same action, whoever brings it; numbered per device without gaps when it is first sent (0 before), and from
 * then on its content never changes. At most KT_MUTATION_MAX_OPS records.
 * A mutation that could never be sent would stop the outbox for ever: whoever
 * commits one locally asks kt_mutation_check first.                             */
#define KT_MUTATION_MAX_OPS   1000
#define KT_MUTATION_MAX_BYTES (15 * 1024 * 1024)   /* as JSON; leaves room for the envelope in KT_WIRE_MAX_BODY */

typedef enum { KT_MUTATE_CREATE, KT_MUTATE_UPDATE, KT_MUTATE_DELETE, KT_MUTATE_RESTORE } KtMutateKind;

struct _KtOp
{
  KtMutateKind    kind;
  const KtObject *object;
  KtId            id;
  gint64          base_rev;    /* rev of the synced version it was made against; 0 for CREATE */
  KtPatch        *patch;       /* CREATE, UPDATE; NULL otherwise. CREATE: before values are NULL */
};

struct _KtMutation
{
  KtId       id;               /* of the action: given by kt_local_commit, or by the server to what it does itself */
  gint64     number;           /* per device, from 1; 0 not yet sent */
  char      *at;               /* device wall time, date_time form; shown, never compared */
  char      *origin;           /* "client", "import", "rule" */
  char      *batch;            /* uuid text joining the mutations of one import, or NULL */
  KtId       resolves;         /* id of the sync_conflict this settles (or opens again), or nil: refused when it is so already */
  char      *resolution;       /* "kept_mine", "took_theirs", "merged", "discarded" when resolves is set; "open": it is asked again */
  gboolean   escrow;           /* to be put into review without trying: its author may not see the record any more */
  GPtrArray *ops;              /* KtOp* */
};

KtMutation *kt_mutation_new  (const char *at, const char *origin);
void        kt_mutation_free (KtMutation *mutation);
/* Takes @patch (may be NULL for DELETE, RESTORE). Returns the op (owned by the mutation). */
KtOp       *kt_mutation_add  (KtMutation *mutation, KtMutateKind kind, const KtObject *object, const KtId *id, gint64 base_rev, KtPatch *patch);
/* Whether it will ever be accepted as a message: number and order of ops, size. LIMIT, INVALID. */
gboolean    kt_mutation_check (const KtMutation *mutation, GError **error);
void        kt_mutation_to_json   (const KtMutation *mutation, KtJsonWriter *writer);
char       *kt_mutation_to_string (const KtMutation *mutation);
/* Every member checked, unknown objects and fields named; computed fields (deleted_at among them) cannot be written;
 * one record's ops must make sense in their order (no create after an update, …). INVALID, NOT_FOUND, LIMIT. */
KtMutation *kt_mutation_from_json (const KtSchema *schema, const KtJson *json, GError **error);
/* SHA-256 of what it says, over the canonical JSON without "number" and the ops' "base_rev": these change when it is sent again
 * by a copy, under another device or after a restore. @json may be anything. */
#define KT_MUTATION_DIGEST_BYTES 32
void        kt_mutation_digest   (const KtJson *json, guint8 out[KT_MUTATION_DIGEST_BYTES]);
/* A sentence for people: "Changed Stage of Acme Renewal: Proposal → Negotiation". @titles gives titles of
 * records by id (may be NULL). One sentence whatever the number of records. g_free. */
typedef char *(*KtTitleFunc) (const KtObject *object, const KtId *id, gpointer data);
char       *kt_mutation_describe  (const KtMutation *mutation, const char *locale, KtTitleFunc title, gpointer data);

/* How a mutation, or one field of it, ended. Ordered: the outcome of a mutation is the gravest of its fields'. */
typedef enum
{
  KT_OUTCOME_APPLIED,      /* as written */
  KT_OUTCOME_MERGED,       /* combined with what others wrote, nothing lost */
  KT_OUTCOME_SUPERSEDED,   /* another value stands by policy; this one is kept in the ledger */
  KT_OUTCOME_REVIEW,       /* a person decides; kept in the review queue */
  KT_OUTCOME_REFUSED,      /* not accepted; kept in the ledger and parked on the device */
} KtOutcome;
const char *kt_outcome_word (KtOutcome outcome);
gboolean    kt_outcome_from_word (const char *word, KtOutcome *out);

typedef struct
{
  gint64    number;
  KtOutcome outcome;
  gint64    seq;           /* commit that holds its effect (and its ledger entry) */
  char     *code;          /* REFUSED: error word ("forbidden", "invalid", …) */
  char     *message;       /* for people: REFUSED always; others may be NULL */
} KtVerdict;
void        kt_verdict_clear (KtVerdict *verdict);
void        kt_verdict_to_json (const KtVerdict *verdict, KtJsonWriter *writer);
gboolean    kt_verdict_from_json (const KtJson *json, KtVerdict *out, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtMutation, kt_mutation_free)

G_END_DECLS
