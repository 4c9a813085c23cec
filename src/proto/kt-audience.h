/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-access.h"

G_BEGIN_DECLS

/* A record has tokens, a user has subscriptions; the user may read the record if the two meet (docs/decisions/scope.md).
 *
 *   X/all      level all on X. Stored only where it is not said by the object alone: on children of X, and on records of
 *              objects that know private ones
 *   X/o:USER   owner; creator when X has no owner or it is blank
 *   X/t:TEAM   each team
 *   X/c:USER   each collaborator; owner of a private record; assignee of a review item
 *   P/…        of the parent, with its parent's, unless the record is private or shared with a team only
 *
 * Private (mail): is_private, or shared_with "participants": owner and collaborators, no team, no superior, no level but the
 * administrator's.
 *
 * Objects of sync "full" have none: whoever may read the object at all holds all of it. A review item has its assignee only. */
#define KT_TOKEN_BYTES 19
typedef struct { guint8 b[KT_TOKEN_BYTES]; } KtToken;      /* object's number (2, big-endian) · kind · id (nil for all) */
typedef enum { KT_TOKEN_ALL = '*', KT_TOKEN_OWNER = 'o', KT_TOKEN_TEAM = 't', KT_TOKEN_PERSON = 'c' } KtTokenKind;
void        kt_token_make (KtToken *token, const KtObject *object, KtTokenKind kind, const KtId *id /* NULL for ALL */);
int         kt_token_compare (const void *a, const void *b);   /* KtToken* */
char       *kt_token_string (const KtToken *token, const KtSchema *schema);   /* "contact/o:uuid", for logs and tests; g_free */

/* Sorted, without repeats. */
struct _KtAudience
{
  GArray *tokens;      /* KtToken */
};
KtAudience *kt_audience_new  (void);
void        kt_audience_free (KtAudience *audience);
void        kt_audience_add  (KtAudience *audience, const KtToken *token);
gboolean    kt_audience_has  (const KtAudience *audience, const KtToken *token);
gboolean    kt_audience_equal (const KtAudience *a, const KtAudience *b);
/* Tokens of @record. @parent: the tokens of the record that its parent field points to (NULL: it has none, or is not there);
 * @parent_object: that record's object. A new one; empty for objects of sync "full". */
KtAudience *kt_audience_of (const KtRecord *record, const KtObject *parent_object, const KtAudience *parent);

/* The field whose target is the record's parent, or NULL. Children: their first required reference; activities: `parent`;
 * records of the system: their first reference to anything (never sync_conflict). */
const KtField *kt_audience_parent_field (const KtObject *object);
/* Whether a change of @field can change the audience of its record. */
gboolean       kt_audience_field (const KtField *field);
/* Whether the object knows private records, so that even level all needs a token (X/all is stored). */
gboolean       kt_audience_private (const KtObject *object);
gboolean       kt_audience_is_private (const KtRecord *record);

/* ---- the other side ---- */
typedef struct _KtSubscriptions KtSubscriptions;      /* immutable; borrows the schema */
KtSubscriptions *kt_subscriptions_new  (const KtRights *rights, const KtSchema *schema);
void             kt_subscriptions_free (KtSubscriptions *subscriptions);
/* Every record of @object, without asking its tokens. */
gboolean         kt_subscriptions_all  (const KtSubscriptions *subscriptions, const KtObject *object);
/* Records of @object at all. */
gboolean         kt_subscriptions_any  (const KtSubscriptions *subscriptions, const KtObject *object);
gboolean         kt_subscriptions_meet (const KtSubscriptions *subscriptions, const KtObject *object, const KtAudience *audience);
gboolean         kt_subscriptions_has  (const KtSubscriptions *subscriptions, const KtToken *token);
/* The tokens by which a record of @object can be met, sorted; empty when all or none are. Free with g_array_unref. */
GArray          *kt_subscriptions_tokens (const KtSubscriptions *subscriptions, const KtObject *object);

/* Whether @rights allow @action on a record of which nothing is known but @audience. */
gboolean         kt_rights_reach (const KtRights *rights, KtMay action, const KtObject *object, const KtAudience *audience);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtAudience, kt_audience_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtSubscriptions, kt_subscriptions_free)

G_END_DECLS
