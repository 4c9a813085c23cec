/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-query.h"

G_BEGIN_DECLS

#define KT_FILTER_MAX_NODES 64
#define KT_FILTER_MAX_DEPTH 16
#define KT_FILTER_MAX_TEXT  8192

KtFilter      *_kt_filter_new        (KtFilterKind kind);
/* Errors INVALID with the nearest name. */
const KtField *_kt_object_find_field (const KtObject *object, const char *name, GError **error);
gboolean       _kt_label_is          (const KtJson *label, const char *typed);

G_END_DECLS
