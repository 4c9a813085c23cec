/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bench.h"

G_BEGIN_DECLS

/* The rows of a profile, in memory. */
typedef struct _Alone Alone;
Alone *alone_new     (KtLocal *local);
void   alone_free    (Alone *alone);
guint  alone_records (const Alone *alone);
/* Inserts them into a fresh profile in @dir, which is removed; seconds. */
double alone_run     (const Alone *alone, const KtSchema *schema, const char *dir, gboolean indices_later);

G_END_DECLS
