/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-mutation.h"

G_BEGIN_DECLS

/* Who may do what (roles.md §§1-7, 12, 13). One place: server, device, command line ask these functions.
 *
 *   user record ┐                     KtAccess.rights ──► kt-audience.h: which records (tokens)
 *   role records├─ kt_rights_build ─►       │         ──► here: which actions, which fields
 *   team, unit  ┘   (server)                └─ kt_rights_to_json: the access document, GET /v1/access
 *
 * ---- a role's JSON ----
 *  scope    {"contact": {"read": LEVEL, "create": "yes"|"no", "edit": LEVEL, "delete": LEVEL, "stream": LEVEL,
 *                        "export": LEVEL, "mass_edit": LEVEL, "share": LEVEL, "reports": true|false}, …}
 *           LEVEL: "all" > "unit" > "team" > "own" > "no"; "account" and "contact" are the portal's and count as "own" here.
 *           reports: own and team reach to what people have who report to me. What is left out is not set: another role or the
 *           baseline decides, and when nobody does, "no".
 *  fields   {"contact": {"phone": {"read": "yes"|"mask"|"no", "edit": "yes"|"no"}}, …}. Left out: the baseline decides, else "yes".
 *           What cannot be read in clear cannot be edited.
 *  special  {"assignment": "all"|"team"|"no", …}: the names in kt_special_names, each "yes", "all", "team" or "no"; left out: no.
 *
 * Several roles (of the user and of each of their teams): levels: the most permissive, the baseline's included. Fields: of the roles
 * that grant the object the most permissive; the baseline only speaks where a role does not. */

typedef enum { KT_LEVEL_NO, KT_LEVEL_OWN, KT_LEVEL_TEAM, KT_LEVEL_UNIT, KT_LEVEL_ALL } KtLevel;
typedef enum { KT_SIGHT_HIDDEN, KT_SIGHT_MASKED, KT_SIGHT_CLEAR } KtSight;
typedef enum
{
  KT_MAY_READ, KT_MAY_CREATE /* ALL or NO */, KT_MAY_EDIT, KT_MAY_DELETE, KT_MAY_STREAM, KT_MAY_EXPORT, KT_MAY_MASS_EDIT,
  KT_MAY_SHARE, KT_N_MAY
} KtMay;

/* Immutable, atomic ref-counted, without a schema: objects and fields by name. */
typedef struct _KtRights KtRights;
KtRights   *kt_rights_ref   (KtRights *rights);      /* accepts NULL */
void        kt_rights_unref (KtRights *rights);      /* accepts NULL */

/* The server makes them: people are records of `user`. All borrowed. @roles: records of role that hold for this user (of the
 * user and of their teams), the baseline among them; those in the bin are left out by the caller. @teams: KtId, ids of teams.
 * @unit: KtId, everybody in the user's business unit and the units below it. @reports: KtId, everybody below the user.
 * INVALID: a role that cannot be understood; then nothing may be concluded (53). */
KtRights   *kt_rights_build (const KtId *user, gboolean admin, const GPtrArray *roles /* KtRecord */, const GArray *teams,
                             const GArray *unit, const GArray *reports, GError **error);
/* The access document, canonical:
 *   {"admin":false,"objects":{"contact":{"create":"yes","read":"team",…,"reports":true,"fields":{"phone":{"edit":"no","read":"mask"}}}},
 *    "reports":[id…],"special":{"assignment":"team"},"teams":[id…],"unit":[id…],"user":id}
 * Objects without any right are left out, fields in clear and editable too. An administrator's has no objects: all of it. */
const char *kt_rights_json   (const KtRights *rights);           /* borrowed */
const char *kt_rights_digest (const KtRights *rights);           /* SHA-256 of that text, 64 hex: ETag, page header, login. Borrowed */
guint64     kt_rights_scope  (const KtRights *rights);           /* its first 8 bytes: what a cursor names */
KtRights   *kt_rights_from_json (const char *text, gssize len, GError **error);      /* INVALID, LIMIT */

gboolean    kt_rights_admin   (const KtRights *rights);
void        kt_rights_user    (const KtRights *rights, KtId *user);
KtLevel     kt_rights_level   (const KtRights *rights, const char *object, KtMay action);
gboolean    kt_rights_reports (const KtRights *rights, const char *object);
KtSight     kt_rights_sight   (const KtRights *rights, const char *object, const char *field);
/* Whether the field itself may be written; never what is not seen in clear. */
gboolean    kt_rights_field_edit (const KtRights *rights, const char *object, const char *field);
/* "assignment": NO, TEAM or ALL ("yes" is ALL). */
KtLevel     kt_rights_special (const KtRights *rights, const char *name);
/* Sorted, borrowed: KtId. */
const GArray *kt_rights_teams      (const KtRights *rights);
const GArray *kt_rights_unit       (const KtRights *rights);
const GArray *kt_rights_report_ids (const KtRights *rights);
extern const char *const kt_special_names[];                     /* NULL-terminated */

/* Whether a role record's JSON has the form above, for @schema. INVALID: "Role Sales rep: contact: “read” must be …". */
gboolean    kt_role_check (const KtRecord *role, GError **error);

/* Who acts. By value, so that it can stand in other structs; rights NULL and not admin: a device that has no access document yet:
 * it may try what the server will decide (everything but configuration). The server never acts on such a one. */
typedef struct
{
  KtId      user;
  gboolean  admin;
  char     *name;       /* owned */
  KtRights *rights;     /* owned, or NULL */
} KtAccess;
void        kt_access_clear (KtAccess *access);
void        kt_access_copy  (const KtAccess *from, KtAccess *to);   /* @to uninitialised */

typedef struct _KtAudience KtAudience;   /* kt-audience.h */

/* @audience: the record's tokens, its parent's among them; NULL: made from @record alone, and where only the parent could say yes
 * the answer is yes (a device; the server asks again). @record NULL: whether any record at all (CREATE: a new one).
 * @reason: set when FALSE, for people in @locale, g_free; may be NULL. */
gboolean    kt_access_may    (const KtAccess *access, KtMay action, const KtObject *object, const KtRecord *record,
                              const char *locale, char **reason);
gboolean    kt_access_may_in (const KtAccess *access, KtMay action, const KtObject *object, const KtRecord *record,
                              const KtAudience *audience, const char *locale, char **reason);
/* The same for one op of @mutation, with its fields: computed ones, hidden ones, those that may not be edited, and those of a
 * sync_conflict, which only mutation->resolves changes. @record: as it stands, NULL for CREATE. Who gets the record (owner, teams,
 * collaborators) is asked with kt_access_may_give beside it. */
gboolean    kt_access_may_op (const KtAccess *access, const KtMutation *mutation, const KtOp *op, const KtRecord *record,
                              const char *locale, char **reason);
gboolean    kt_access_may_op_in (const KtAccess *access, const KtMutation *mutation, const KtOp *op, const KtRecord *record,
                                 const KtAudience *audience, const char *locale, char **reason);
/* Whether a record may be given to @user (a record of `user`, its teams count) by special permission "assignment"; to oneself always. */
gboolean    kt_access_may_assign (const KtAccess *access, const KtRecord *user, const char *locale, char **reason);
/* To a team: one's own, or with assignment "all". */
gboolean    kt_access_may_assign_team (const KtAccess *access, const KtId *team, const char *locale, char **reason);

/* ---- fields ---- */
KtSight     kt_access_sight (const KtAccess *access, const KtField *field);
gboolean    kt_access_field_edit (const KtAccess *access, const KtField *field);
/* What stands for a masked value: "138****1234", "j****@acme.com", city and country of an address; NULL for what has no
 * text. Always the same for the same value, so that a digest holds. @out uninitialised or cleared. */
void        kt_access_mask (const KtField *field, const KtValue *value, KtValue *out);
/* Hidden fields nulled, masked ones masked, and of a sync_conflict what tells them. @record: writable. */
void        kt_access_cut (const KtAccess *access, KtRecord *record);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtRights, kt_rights_unref)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtAccess, kt_access_clear)

G_END_DECLS
