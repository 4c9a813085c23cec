/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* The review queue: GListModel of KtReviewItem (open ones assigned to this person), those of one record
 * next to one another, oldest first. The items' texts are properties of the same names too. */
#define KT_TYPE_REVIEW_ITEM (kt_review_item_get_type ())
G_DECLARE_FINAL_TYPE (KtReviewItem, kt_review_item, KT, REVIEW_ITEM, GObject)
const char     *kt_review_item_get_kind    (KtReviewItem *item);     /* "field", "delete_edit", "orphan", … */
const char     *kt_review_item_get_title   (KtReviewItem *item);     /* "Phone of Acme Ltd" */
const char     *kt_review_item_get_record_title (KtReviewItem *item);/* "Acme Ltd" */
const char     *kt_review_item_get_field_label (KtReviewItem *item); /* "Phone"; "" whole record */
const char     *kt_review_item_get_explanation (KtReviewItem *item); /* a sentence: what happened, who, when */
const char     *kt_review_item_get_base    (KtReviewItem *item);     /* display text; "—" for empty */
const char     *kt_review_item_get_mine    (KtReviewItem *item);
const char     *kt_review_item_get_theirs  (KtReviewItem *item);
const char     *kt_review_item_get_mine_by (KtReviewItem *item);     /* "You, 12:04 on this device" */
const char     *kt_review_item_get_theirs_by (KtReviewItem *item);
/* What the two buttons say: "Keep mine", "Take theirs"; for a delete that met an edit "Delete it", "Keep it". */
const char     *kt_review_item_get_mine_action   (KtReviewItem *item);
const char     *kt_review_item_get_theirs_action (KtReviewItem *item);
/* Text to start from when a third value is typed; NULL when there can be none. */
const char     *kt_review_item_get_edit_text (KtReviewItem *item);
const KtObject *kt_review_item_get_object  (KtReviewItem *item);     /* the record concerned, to open */
const KtId     *kt_review_item_get_id      (KtReviewItem *item);
const KtField  *kt_review_item_get_field   (KtReviewItem *item);     /* NULL: whole record */

/* How it ended, of a decided one: "You kept yours", "A newer value stands"; "" of an open one. */
const char     *kt_review_item_get_decision (KtReviewItem *item);

/* properties: "loading", "n-items", "error" (GError boxed or NULL) */
#define KT_TYPE_REVIEW_MODEL (kt_review_model_get_type ())
G_DECLARE_FINAL_TYPE (KtReviewModel, kt_review_model, KT, REVIEW_MODEL, GObject)
KtReviewModel *kt_review_model_new (KtWorkspace *workspace);
/* What was decided lately about this person's changes, by whomever, newest first (at most 50): each can be asked again. */
KtReviewModel *kt_review_model_new_decided (KtWorkspace *workspace);
KtWorkspace   *kt_review_model_get_workspace (KtReviewModel *self);
/* take: "mine" or "theirs", or NULL with @text: a value typed instead (INVALID when it does not parse). One commit; takes effect everywhere.
 * CONFLICT: somebody settled it meanwhile. */
void      kt_review_model_resolve_async  (KtReviewModel *self, KtReviewItem *item, const char *take, const char *text, GAsyncReadyCallback callback, gpointer user_data);
/* A decided one is asked again: what the decision wrote is taken back where it still stands, and the question is open. */
void      kt_review_model_reopen_async   (KtReviewModel *self, KtReviewItem *item, GAsyncReadyCallback callback, gpointer user_data);
KtDone   *kt_review_model_resolve_finish (KtReviewModel *self, GAsyncResult *result, GError **error);     /* of any of these */

/* ---- kt-review-rules.c: many questions at once ----
 *
 * A rule says which questions about values it is for, and what it takes. Nothing is decided unseen: a rule shows what it would
 * do, and then does all of it as one step that can be taken back. It never answers a question about a delete, a duplicate, an
 * orphan or a refusal. NEWEST goes by the times that stand beside the values (what a device's clock said, as far as the server
 * believed it); where they are the same, or one is not known, the question stays open. */
typedef enum { KT_REVIEW_NEWEST, KT_REVIEW_MINE, KT_REVIEW_THEIRS } KtReviewTake;
typedef struct { KtReviewTake take; char *object, *field, *batch; } KtReviewRule;     /* names; NULL: any */
KtReviewRule *kt_review_rule_new  (KtReviewTake take, const char *object, const char *field, const char *batch);
void          kt_review_rule_free (KtReviewRule *rule);
char         *kt_review_rule_text (KtWorkspace *workspace, const KtReviewRule *rule);     /* "Phone of Accounts: take the newest"; g_free */

/* For what among the open questions a rule could be made, most first: KtReviewScope*. */
typedef struct { char *label; guint n; char *object, *field, *batch; } KtReviewScope;
void       kt_review_scope_free   (KtReviewScope *scope);
GPtrArray *kt_review_model_scopes (KtReviewModel *self);
/* What @rule would do: KtReviewPreview*, in the order of the model; take NULL: the question stays open, and why. */
typedef struct { KtReviewItem *item; const char *take; char *value; char *why; } KtReviewPreview;
void       kt_review_preview_free  (KtReviewPreview *preview);
GPtrArray *kt_review_model_preview (KtReviewModel *self, const KtReviewRule *rule);
/* Does it: one KtDone. Items settled by others meanwhile are left out. kt_review_model_resolve_finish. */
void       kt_review_model_apply_async (KtReviewModel *self, const KtReviewRule *rule, GAsyncReadyCallback callback, gpointer user_data);
/* Rules that were kept in the profile: KtReviewRule*, borrowed; "rules-changed" tells. */
GPtrArray *kt_review_model_get_rules (KtReviewModel *self);
void       kt_review_model_remember  (KtReviewModel *self, const KtReviewRule *rule);
void       kt_review_model_forget    (KtReviewModel *self, const KtReviewRule *rule);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtReviewRule, kt_review_rule_free)

G_END_DECLS
