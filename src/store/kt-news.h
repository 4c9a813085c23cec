/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-local.h"

G_BEGIN_DECLS

/* What became of this person's changes, when it was neither just applied nor a question: something to be told once, calmly
 * (P6: the loser is in the ledger, its author is told). Written in the transaction that learns of it; the newest 500 are kept.
 *
 *   MERGED      put together with what others wrote; nothing is lost
 *   SUPERSEDED  another value stands by the field's policy; mine is in the record's history
 *   REPLACED    mine stood, and somebody who had not seen it wrote over it (policy `latest`, `state`)     */
typedef enum { KT_NEWS_MERGED, KT_NEWS_SUPERSEDED, KT_NEWS_REPLACED } KtNewsKind;
typedef struct
{
  gint64     n;                /* order of arrival, from 1 */
  KtNewsKind kind;
  gint64     at_us;            /* when it was learned, by this device's clock */
  char      *object;           /* name; NULL with nil id: about no record */
  KtId       id;
  KtId       conflict;         /* REPLACED: the closed sync_conflict that holds both values; else nil */
  char      *text;             /* the change in a sentence, in the locale of the profile */
  gboolean   seen;
} KtNews;
void       kt_news_free (KtNews *news);

/* Newest first; KtNews*. NULL on error. */
GPtrArray *kt_local_news        (KtLocal *local, guint limit, GError **error);
/* How many the person has not seen. -1 on error. */
gint64     kt_local_news_unseen (KtLocal *local, GError **error);
/* Everything up to @n has been seen. */
gboolean   kt_local_news_see    (KtLocal *local, gint64 n, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtNews, kt_news_free)

G_END_DECLS
