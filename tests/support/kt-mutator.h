/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-json.h"

G_BEGIN_DECLS

/* One valid JSON message, wrong in every way that a message can be wrong:
 * each value of another type, negative, huge, fractional, blank, long, deep, wide, not UTF-8; each member missing, twice, under
 * another name; each element missing, twice; the whole cut short anywhere, with something in front or behind, in
 * another encoding. What comes out is not always invalid: who judges it must know. */
typedef struct
{
  const char *what;     /* "mutations[0].ops[1].object = -1", for messages */
  const char *member;   /* the name nearest to the damage ("object"), NULL when it is the whole body */
  gboolean    missing;  /* that member is not there */
  GBytes     *body;
} KtVariation;

typedef void (*KtVariationFunc) (const KtVariation *variation, gpointer data);

/* Calls @func for each, in an order that is always the same. Returns how many. @message is JSON. */
guint kt_mutator_run (const char *message, KtVariationFunc func, gpointer data);
/* The same for one value of a query or a header: texts instead of JSON. */
guint kt_mutator_run_text (const char *name, const char *value, KtVariationFunc func, gpointer data);

G_END_DECLS
