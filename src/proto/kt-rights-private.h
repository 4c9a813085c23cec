/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-access.h"

G_BEGIN_DECLS

/* Shared by kt-rights.c (what they are, and the document) and kt-rights-build.c (how they come from roles). */
#define UNSET 0xff

typedef struct
{
  guint8 sight; /* KtSight, UNSET */
  guint8 edit;  /* 0, 1, UNSET */
} FieldRights;

typedef struct
{
  guint8 level[KT_N_MAY]; /* KtLevel, UNSET while a role is read */
  gboolean reports;
  GHashTable *fields; /* name → FieldRights; NULL: none is restricted */
} ObjectRights;

struct _KtRights
{
  gatomicrefcount refs;

  /* owned */
  GHashTable *objects; /* name → ObjectRights */
  GHashTable *special; /* name → KtLevel */
  GArray *teams, *unit, *reports;
  char *json;
  char *digest;

  /* state */
  guint64 scope;
  KtId user;
  gboolean admin;
};

KtRights     *_kt_rights_new  (void);
/* Text, digest and scope of what is complete. */
void          _kt_rights_seal (KtRights *rights);
GArray       *_kt_rights_ids  (const GArray *ids);               /* KtId, sorted, once each */
GHashTable   *_kt_rights_objects (void);                         /* name → ObjectRights */
ObjectRights *_kt_rights_object (GHashTable *objects, const char *name, guint8 initial);
FieldRights  *_kt_rights_field  (ObjectRights *object, const char *name);
/* The words of a role and of the document. @with_fields: fields stand inside, as in the document. INVALID, with the place. */
gboolean      _kt_rights_read_object  (const char *name, const KtJson *json, ObjectRights *object, gboolean with_fields, GError **error);
gboolean      _kt_rights_read_fields  (const char *name, const KtJson *json, ObjectRights *object, GError **error);
gboolean      _kt_rights_read_special (const KtJson *json, GHashTable *special, GError **error);

G_END_DECLS
