/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "kt-model-private.h"
#include "model/kt-review.h"

G_BEGIN_DECLS

/* What kt-review.c and kt-review-rules.c share. */

#define KT_REVIEW_META_RULES "model:review_rules"
#define KT_REVIEW_N_TEXTS    13

struct _KtReviewItem
{
  GObject parent_instance;

  /* owned */
  KtRecord *record; /* the sync_conflict */
  char *texts[KT_REVIEW_N_TEXTS];
  char *edit_text;

  /* borrowed */
  const KtObject *object; /* of what it is about */
  const KtField *field;

  /* state */
  KtId id;
};

struct _KtReviewModel
{
  GObject parent_instance;

  /* owned */
  KtWorkspace *workspace;
  GPtrArray *items;
  GPtrArray *rules; /* KtReviewRule */
  GCancellable *cancellable;
  GError *error;

  /* state */
  guint asking : 1;
  guint again : 1;
  guint loading : 1;
  guint decided : 1; /* those that are not open any more */
  guint rules_known : 1;
};

/* Never NULL; what cannot be read is left out. */
GPtrArray *_kt_review_rules_parse (const char *json);

G_END_DECLS
