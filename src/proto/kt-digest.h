/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-cell.h"
#include "base/kt-record.h"
#include "base/kt-sum.h"

G_BEGIN_DECLS

/* Whether two databases hold the same (P4). A record's digest is the first half of the SHA-256 of
 *
 *   object NUL id NUL (name NUL value NUL)…      only fields that are not null, by name, bytewise
 *
 * value: a string as it is, anything else as canonical JSON (keys sorted, no blanks). Read as a big-endian number it is
 * added modulo 2^128 over the records: a sum does not care for order, its parts add up, and what was added can be
 * taken away again. rev and rid are not content. Only comparable between ends with the same schema digest.
 *
 * Fast, because it is made of all records of a scope: a record costs less than a microsecond (docs/benchmarks.md). */
#define KT_DIGEST_HEX_SIZE  33     /* 32 digits and NUL */
#define KT_DIGEST_MAX_UNDER 5      /* bytes of the id that name a branch; all in the last group of its text */
#define KT_DIGEST_LEAVES    2000   /* a branch of so many records or fewer is answered record by record */

/* Of one record. */
void     kt_digest_of     (const KtRecord *record, KtDigest *out);
/* The same from a row: its id, then the fields in the order of object->by_name, two columns for money and ref_any. */
typedef struct _KtDigestForm KtDigestForm;
KtDigestForm *kt_digest_form_new (const KtObject *object);
void     kt_digest_form_free (KtDigestForm *form);
void     kt_digest_cells  (const KtDigestForm *form, const KtCell *cells, KtDigest *out);
guint    kt_digest_n_cells (const KtObject *object);
/* Whether the same rows give the same digests after @before became @after. */
gboolean kt_digest_same_form (const KtObject *before, const KtObject *after);

void     kt_digest_add    (KtDigest *digest, const KtRecord *record);
char    *kt_digest_string (const KtDigest *digest);                            /* "RECORDS:32 hex", g_free */
void     kt_digest_hex    (const KtDigest *digest, char out[KT_DIGEST_HEX_SIZE]);  /* the 32 hex alone */
gboolean kt_digest_parse  (const char *text, KtDigest *out);                   /* of kt_digest_string; FALSE leaves *out */

/* ---- the tree: records by the last bytes of their id, which are random whatever made the first ones ----
 * A branch is named by the hex of the last bytes of the ids in it, as they stand at the end of the id's text:
 * "" everything, "ab" all whose id ends so, "cdab" those of it. */
typedef struct
{
  guint  n;                             /* bytes */
  guint8 bytes[KT_DIGEST_MAX_UNDER];    /* the last n of the id, in its order */
} KtDigestBranch;

gboolean kt_digest_branch_parse  (const char *text, KtDigestBranch *out);     /* lower-case hex, at most KT_DIGEST_MAX_UNDER bytes */
void     kt_digest_branch_format (const KtDigestBranch *branch, char out[2 * KT_DIGEST_MAX_UNDER + 1]);
gboolean kt_digest_branch_has    (const KtDigestBranch *branch, const KtId *id);
/* Which of its children an id of the branch belongs to: the byte before the branch's own. */
guint    kt_digest_branch_child  (const KtDigestBranch *branch, const KtId *id);
/* FALSE: it has no children, its records must be told one by one. */
gboolean kt_digest_branch_down   (const KtDigestBranch *branch, guint child, KtDigestBranch *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtDigestForm, kt_digest_form_free)

G_END_DECLS
