/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-mutation.h"

G_BEGIN_DECLS

/* The one place that knows what happens when two people changed one thing (P6, P7).
 * Pure: no clock, no database. Used by the server at push, by the client to say
 * beforehand what the server will decide and to lay local edits over newer
 * server values, and by the simulation.
 *
 * Invariants (property-tested):
 *  - result is base's, mine's or theirs' value, or a combination by union, sum, text: never an invented value;
 *  - theirs == base → mine, APPLIED;  mine == base → theirs, APPLIED;  mine == theirs → that value, APPLIED,
 *    except for `sum`: two people who both count 10 → 11 make 12, not 11;
 *  - merging the same op again on its own result changes nothing (idempotent), except for `sum`, whose
 *    safety against repeats is the mutation's number (P3), never this function;
 *  - union, sum and text do not care which of the two came first;
 *  - what a combination would make larger than the field allows goes to review: nobody wrote it, so nobody is refused for it;
 *  - fields do not influence one another.
 *
 *   policy        both changed, differently                          outcome
 *   latest, mine  mine stands                                        APPLIED, overrode
 *   server        theirs stands                                      SUPERSEDED
 *   union         theirs + my additions − my removals                MERGED   (beyond field->max: REVIEW)
 *   sum           theirs + (mine − base), NULL is 0                  MERGED   (overflow, other currency: REVIEW)
 *   text          three-way by line                                  MERGED   (overlap: REVIEW)
 *   state         mine when transitions[theirs] lists it, or no map  APPLIED, overrode   (else REVIEW)
 *   review        theirs stands until a person decides               REVIEW                 */
typedef struct
{
  const KtField *field;
  KtOutcome      outcome;
  gboolean       overrode;   /* mine stands where theirs, which I had not seen, stood: the ledger keeps theirs, its author is told */
  KtValue        base, mine, theirs, result;
} KtFieldResult;

typedef enum { KT_EFFECT_NONE, KT_EFFECT_CREATE, KT_EFFECT_UPDATE, KT_EFFECT_DELETE, KT_EFFECT_RESTORE } KtEffect;
typedef enum { KT_CLASH_NONE, KT_CLASH_FIELD, KT_CLASH_DELETE_EDIT, KT_CLASH_EDIT_DELETE, KT_CLASH_SAME_ID } KtClash;

typedef struct
{
  KtEffect  effect;
  KtClash   clash;        /* DELETE_EDIT: my delete met their edit, the record stays; EDIT_DELETE: my edit met their delete, the record returns */
  KtOutcome outcome;
  KtRecord *after;        /* state to store, rev not yet set; NULL when effect is NONE */
  GArray   *fields;       /* KtFieldResult of the op's fields */
} KtMerge;

/* One value. @outcome and @result are always set. */
void      kt_merge_value (const KtField *field, const KtValue *base, const KtValue *mine, const KtValue *theirs,
                          KtValue *result, KtOutcome *outcome);
/* @theirs: the record as it stands now (NULL: there is none). @foreign: another device changed (more than
 * computed fields), deleted or erased it after op->base_rev; the caller knows from the ledger: field
 * values cannot tell (docs/decisions/merge.md). @now: deleted_at to set for a delete.
 *  - DELETE of a record in the bin, or of one that somebody erased for good: APPLIED, no effect;
 *  - UPDATE of a record in the bin: if @foreign it returns (EDIT_DELETE), else it is changed where it lies (scenario 36);
 *  - CREATE of an id that exists: equal values are no news; else SAME_ID, merged as an update with base NULL, where
 *    `sum` goes to review too (two counters that were never one must not be added).
 * Errors: INVALID when an UPDATE, DELETE or RESTORE names a record that never existed, NOT_FOUND when an UPDATE
 * or RESTORE names one that was erased (@theirs NULL, @foreign TRUE). */
gboolean  kt_merge_op    (const KtOp *op, const KtRecord *theirs, gboolean foreign, const char *now, KtMerge *out, GError **error);
void      kt_merge_clear (KtMerge *merge);
/* Lays @patch over @server (a fresh copy): what the device shows while the patch is unsettled: the merged
 * value, or mine where a person will have to decide. */
KtRecord *kt_merge_overlay (const KtRecord *server, const KtPatch *patch);
/* Whether a record is nothing without what this field points to (P7): a reference to anything (the parent of a note), or a
 * child's required one. */
gboolean  kt_merge_is_parent (const KtField *field);
/* Line-wise three-way merge (diff3 on lines, Khanna-Kunal-Pierce 2007). NULL is the empty text, on both
 * sides of the call. FALSE: overlapping or touching edits, or texts too different to compare in bounded time. */
gboolean  kt_merge_text  (const char *base, const char *mine, const char *theirs, char **result);
/* Three-way set merge of canonical LIST values: (theirs ∪ (mine − base)) − (base − mine). */
void      kt_merge_set   (const KtValue *base, const KtValue *mine, const KtValue *theirs, KtValue *result);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtMerge, kt_merge_clear)

G_END_DECLS
