/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-schema.h"

G_BEGIN_DECLS

/* One record: immutable once shared, atomic ref-counted, crosses threads.
 * Holds a reference on its schema. values[field->index]. A record with a
 * non-NULL deleted_at is in the bin. */
struct _KtRecord
{
  const KtObject *object;
  KtId            id;
  gint64          rev;     /* seq of the server's last commit that touched it; 0: never on the server */
  gint64          rid;     /* local row number in this database, 0 if not from one; never leaves the process */
  KtValue         values[];
};

KtRecord *kt_record_new   (const KtObject *object, const KtId *id);   /* all NULL; fill before sharing */
KtRecord *kt_record_copy  (const KtRecord *record);                   /* deep, writable */
KtRecord *kt_record_ref   (KtRecord *record);
void      kt_record_unref (KtRecord *record);

const KtValue *kt_record_get     (const KtRecord *record, const char *field);   /* NULL if no such field */
const char    *kt_record_text    (const KtRecord *record, const char *field);   /* TEXT-like; NULL if null or other */
gboolean       kt_record_deleted (const KtRecord *record);
/* Title as people see it: title field, its translation, else "number", else the id's first 8 characters. Never NULL, g_free. */
char          *kt_record_title   (const KtRecord *record, const char *locale);
/* {"id":"…","rev":n?,field:value,…}; null fields are left out unless @all. */
void           kt_record_to_json (const KtRecord *record, gboolean all, KtJsonWriter *writer);
/* The reverse, members checked against the schema; unknown members are an error INVALID. */
KtRecord      *kt_record_from_json (const KtObject *object, const KtJson *json, GError **error);
/* The object's defaults ("default" of fields) into NULL slots. */
void           kt_record_apply_defaults (KtRecord *record);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtRecord, kt_record_unref)

G_END_DECLS
