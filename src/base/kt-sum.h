/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A number of records and the sum of their digests modulo 2^128 (what a digest is: proto/kt-digest.h). Parts add
 * up, in any order, and what was added can be taken away again. A zeroed struct is the sum of nothing. */
typedef struct
{
  guint64 records;
  guint64 high, low;
} KtDigest;

#define KT_DIGEST_BYTES    16
#define KT_DIGEST_CHILDREN 256   /* records are told apart by the last byte of their id */

void     kt_digest_join  (KtDigest *digest, const KtDigest *other);
void     kt_digest_leave (KtDigest *digest, const KtDigest *other);
gboolean kt_digest_equal (const KtDigest *a, const KtDigest *b);
/* The sum alone, big-endian, as a database keeps it. */
void     kt_digest_put   (const KtDigest *digest, guint8 out[KT_DIGEST_BYTES]);
void     kt_digest_get   (const guint8 *bytes, guint64 records, KtDigest *out);

G_END_DECLS
