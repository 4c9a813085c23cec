/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "server/kt-scope.h"

G_BEGIN_DECLS

/* Rows of one object on their way into a page, as the actor may see them: hidden fields left out, masked ones masked. Held back
 * until it is known which fields are in use. */
typedef struct
{
  const KtObject *object;
  const KtAccess *access;  /* borrowed */
  GArray         *rows, *cells;
  GStringChunk   *text;
  guint8         *used;    /* by field */
  guint8         *sight;   /* KtSight by field */
  gboolean        cut;     /* what a review item quotes */
  gsize           bytes;   /* estimate of what is held back */
} KtRows;

void      _kt_rows_init  (KtRows *rows, const KtActor *actor, const KtObject *object);
void      _kt_rows_clear (KtRows *rows);
void      _kt_rows_add   (KtRows *rows, KtStmt *stmt);       /* columns as of kt_table_columns */
void      _kt_rows_write (KtRows *rows, KtPageWriter *writer);
/* Whether a page has room for no more. */
gboolean  _kt_rows_full  (const KtRows *rows, KtPageWriter *writer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtRows, _kt_rows_clear)

/* ---- a pull under way ---- */
typedef struct
{
  KtCore                *core;
  const KtActor         *actor;
  const KtSubscriptions *now;        /* borrowed: what the user may see */
  GPtrArray             *rights;     /* KtRights: what the device's rows came by, besides */
  GPtrArray             *held;       /* KtSubscriptions, one for each of them */
  gint64                 now_seq;
  guint                  limit;      /* rows of a page */
  gboolean               at_rest;    /* the device says that no page of this pull came before this one */
} KtPull;

/* kt-core-move.c: from one scope to another. What a device holds of commits up to cursor->seq came by any of pull->held, and what it
 * is to hold are the records that meet pull->now:
 *   leave   for those that met one of held, and not now
 *   enter   for those that meet now, and not every one of held
 * Records that changed after cursor->seq are left to the pages of changes. *done: nothing is left of it. */
gboolean  _kt_pull_move  (KtPull *pull, KtCursor *cursor, KtPageWriter *writer, gboolean *done, GError **error);
/* Whether the record could be on the device by one of held. */
gboolean  _kt_pull_held  (const KtPull *pull, const KtObject *object, const KtToken *token);

G_END_DECLS
