/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-types.h"

G_BEGIN_DECLS

/* A UUID (RFC 9562). Records are named by version 7, made by the creating
 * device. Text form: 36 characters, lower case; parsing accepts upper case. */
struct _KtId
{
  guint8 b[16];
};

#define KT_ID_TEXT_SIZE 37
#define KT_ID_NIL ((KtId) { { 0 } })

KtId     kt_id_new      (const KtEnv *env);              /* UUIDv7 */
/* What follows from @from under the name @what: the same wherever it is made (version 8, with the time of @from). */
KtId     kt_id_derive   (const KtId *from, const char *what);
gboolean kt_id_parse    (const char *text, gssize len, KtId *out);   /* any version; FALSE leaves *out */
void     kt_id_format   (const KtId *id, char out[KT_ID_TEXT_SIZE]);
char    *kt_id_to_string (const KtId *id);
gboolean kt_id_is_nil   (const KtId *id);
int      kt_id_compare  (const KtId *a, const KtId *b);  /* memcmp order */
guint    kt_id_hash     (gconstpointer id);              /* for GHashTable over KtId* */
gboolean kt_id_equal    (gconstpointer a, gconstpointer b);
KtId    *kt_id_copy     (const KtId *id);                /* g_free */

G_END_DECLS
