/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "server/kt-core-private.h"

G_BEGIN_DECLS

/* A device's clock is believed when it says that something was done up to so long before it came. */
#define KT_BELIEVED_US (G_GINT64_CONSTANT (90) * 24 * 3600 * 1000000)

/* What one mutation will do, worked out before anything is written:
 *
 *   ops ─ kt-plan-access.c                        may the author? if not any more: review, whole
 *       ─ kt-plan.c ──► works: stored → now      merged, references and rules checked
 *         kt-derive.c ─► more works               formulas, copies, totals, stage history: what follows from them
 *         kt-review.c ─► more works               sync_conflict records: what a person has to decide
 *         _kt_plan_write ─► records, log, ledger  kt-plan-audience.c: who sees them now
 *
 * A refusal anywhere before the last step leaves the database as it was, without a savepoint. */
typedef struct
{
  /* owned */
  KtRecord  *stored;       /* as the database holds it; NULL: not there */
  KtRecord  *now;          /* as it will be; NULL: not there */
  GPtrArray *results;      /* GArray of KtFieldResult, one for every op that was merged */

  /* borrowed */
  const KtObject *object;
  const KtOp     *op;      /* the last one of this record; NULL: the server's own doing */

  /* state */
  KtId      id;
  KtOutcome outcome;
  KtClash   clash;
  guint     foreign : 1;   /* another device changed it after the op's base */
  guint     queued : 1;    /* waits in plan->queue */
  guint     prepared : 1;  /* defaults and creation fields are in */
  guint     history : 1;   /* its stage_history is written */
} KtWork;

typedef struct
{
  /* owned */
  GPtrArray  *works;       /* KtWork, in the order they came up */
  GHashTable *by_id;       /* KtId → KtWork */
  GQueue      queue;       /* KtWork to derive */
  GHashTable *sequences;   /* name → gint64*: numbers given so far */
  GString    *message;     /* for the verdict; may stay empty */

  /* borrowed */
  KtCore           *core;
  const KtActor    *actor;
  const KtMutation *mutation;

  /* state */
  gint64    seq;                    /* the commit this will be */
  KtOutcome outcome;
  gboolean  held;                   /* nothing of it is applied: it waits for somebody who may decide */
  guint     derived;                /* how many records followed from it */
  char      at[KT_TIME_SIZE];       /* the server's clock */
  char      when[KT_TIME_SIZE];     /* when the person did it, as far as the device's clock can be believed */
} KtPlan;

KtPlan  *_kt_plan_new  (KtCore *core, const KtActor *actor, const KtMutation *mutation, gint64 seq);
void     _kt_plan_free (KtPlan *plan);
/* Everything but the writing. */
gboolean _kt_plan_make (KtPlan *plan, GError **error);
gboolean _kt_plan_write (KtPlan *plan, GError **error);
/* A refused mutation, whole, for the ledger (P2). */
gboolean _kt_plan_write_refused (KtPlan *plan, GError **error);

/* The work of a record, loaded when it comes up first. NULL: error. */
KtWork  *_kt_plan_work   (KtPlan *plan, const KtObject *object, const KtId *id, GError **error);
/* A record of the server's own making, with defaults; its fields are to be filled in. @what names it among what this mutation
 * causes: its id follows from both, so that a mutation that is decided again, after a restore, causes the same record (P10). */
KtWork  *_kt_plan_create (KtPlan *plan, const KtObject *object, const char *what, GError **error);
void     _kt_plan_queue  (KtPlan *plan, KtWork *work);
/* 0 none, 1 live, 2 in the bin, -1 error. */
int      _kt_plan_state  (KtPlan *plan, const KtObject *object, const KtId *id, GError **error);
gint64   _kt_plan_next   (KtPlan *plan, const char *sequence, GError **error);   /* -1: error */
/* Whether the person wrote this field in this mutation. */
gboolean _kt_work_wrote  (const KtWork *work, const KtField *field);
gboolean _kt_work_changed (const KtWork *work);
/* Whether a field differs between stored and now. */
gboolean _kt_work_field_changed (const KtWork *work, const KtField *field);

/* Setters by name on a record under construction; a field the schema lacks is no error. */
void     _kt_set         (KtRecord *record, const KtField *field, const KtValue *value);
void     _kt_set_text    (KtRecord *record, const char *field, const char *text);
void     _kt_set_int     (KtRecord *record, const char *field, gint64 value);
void     _kt_set_id      (KtRecord *record, const char *field, const KtId *id);      /* nil: NULL */
void     _kt_set_any     (KtRecord *record, const char *field, const char *object, const KtId *id);
void     _kt_set_json    (KtRecord *record, const char *field, const char *json);

/* kt-plan-access.c */
gboolean _kt_plan_check_access (KtPlan *plan, GError **error);                      /* plan->held: it waits */
gboolean _kt_plan_check_giving (KtPlan *plan, const KtWork *work, GError **error);  /* who gets it */
void     _kt_plan_moved_out    (KtPlan *plan, const KtWork *work);                  /* tells the author */
/* kt-plan-audience.c */
gboolean _kt_plan_keep_audience (KtPlan *plan, GError **error);                     /* after the records are written */
gboolean _kt_plan_check_ring    (KtPlan *plan, const KtWork *work, GError **error); /* a record above itself */
/* kt-plan-write.c */
gboolean _kt_plan_log           (KtPlan *plan, const KtObject *object, const KtId *id, gboolean gone, GError **error);

/* kt-derive.c: works off plan->queue. */
gboolean _kt_plan_derive (KtPlan *plan, GError **error);
/* kt-review.c */
gboolean _kt_plan_settle (KtPlan *plan, GError **error);    /* mutation->resolves */
gboolean _kt_plan_review (KtPlan *plan, GError **error);    /* what a person has to look at */
/* Clash of an op: noted while merging, turned into a review item at the end. */
void     _kt_plan_clash  (KtPlan *plan, KtWork *work, KtClash clash);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtPlan, _kt_plan_free)

G_END_DECLS
