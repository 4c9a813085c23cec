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
 *  - mine == theirs → that value, APPLIED;  theirs == base → mine, APPLIED;  mine == base → theirs;
 *  - merging the same op again on its own result changes nothing (idempotent);
 *  - fields do not influence one another.                                     */
typedef struct
{
  const KtField *field;
  KtOutcome      outcome;
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
/* @theirs: the record as it stands now (NULL: there is none). @foreign: somebody else (another device)
 * changed or deleted it after op->base_rev; the caller knows from the ledger. @now: deleted_at to set for
 * a delete. INVALID when an UPDATE, DELETE or RESTORE names a record that never existed. */
gboolean  kt_merge_op    (const KtOp *op, const KtRecord *theirs, gboolean foreign, const char *now, KtMerge *out, GError **error);
void      kt_merge_clear (KtMerge *merge);
/* Lays @patch over @server (a fresh copy): what the device shows while the patch is unsettled. */
KtRecord *kt_merge_overlay (const KtRecord *server, const KtPatch *patch);
/* Line-wise three-way merge (diff3 on lines, Khanna-Kunal-Pierce 2007). FALSE: overlapping edits. */
gboolean  kt_merge_text  (const char *base, const char *mine, const char *theirs, char **result);
/* Three-way set merge of canonical LIST values. */
void      kt_merge_set   (const KtValue *base, const KtValue *mine, const KtValue *theirs, KtValue *result);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtMerge, kt_merge_clear)

G_END_DECLS
