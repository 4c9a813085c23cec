/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-id.h"
#include "base/kt-sum.h"
#include "db/kt-db.h"

G_BEGIN_DECLS

/* The sums of digests that are kept up to date (docs/decisions/repair.md), on both ends in the same table:
 *
 *   kt_digest (child, object, records, sum)      child 0…255: records of the object whose id ends with that byte
 *                                                child -1: all of the object
 *
 * Changes are gathered here and go into the table once, in the transaction that made them. */
typedef struct _KtSums KtSums;

/* Makes the table; inside a transaction. */
gboolean kt_sums_make_table (KtDb *db, GError **error);

KtSums  *kt_sums_new   (void);
void     kt_sums_free  (KtSums *sums);
/* Forgets what was gathered: the transaction is over, one way or the other. */
void     kt_sums_clear (KtSums *sums);
void     kt_sums_join  (KtSums *sums, guint object, const KtId *id, const KtDigest *one);
void     kt_sums_leave (KtSums *sums, guint object, const KtId *id, const KtDigest *one);
/* Writes what was gathered and forgets it. */
gboolean kt_sums_flush (KtSums *sums, KtDb *db, GError **error);

/* Of all of one object; nothing kept: zero. */
gboolean kt_sums_read     (KtDb *db, guint object, KtDigest *out, GError **error);
gboolean kt_sums_children (KtDb *db, guint object, KtDigest out[KT_DIGEST_CHILDREN], GError **error);
/* Puts @children in the place of what is kept of an object. */
gboolean kt_sums_replace  (KtDb *db, guint object, const KtDigest children[KT_DIGEST_CHILDREN], GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtSums, kt_sums_free)

G_END_DECLS
