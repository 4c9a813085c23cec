/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "store/kt-local.h"

G_BEGIN_DECLS

/* A profile in a folder of its own, a clock and random numbers that repeat
 * (KONTOR_SEED), and a server that consists of the pages a test writes.         */
typedef struct
{
  char     *dir;
  KtLocal  *local;
  KtEnv     env;
  GRand    *random;
  gint64    now;
  KtSchema *schema;
  KtId      epoch;
  KtId      me;
  guint32   seed;
} Fix;

void      fix_set_up    (Fix *fix, gconstpointer data);
/* The same, signed in, with the schema, after an empty first pull (seq 1). */
void      fix_set_up_ready (Fix *fix, gconstpointer data);
void      fix_tear_down (Fix *fix, gconstpointer data);
void      fix_sign_in   (Fix *fix);
void      fix_reopen    (Fix *fix);
KtSchema *fix_schema    (void);            /* data/schema, parsed once; borrowed */
/* data/schema as one JSON text that a test may change. */
char     *fix_schema_text (void);
const KtObject *fix_object (Fix *fix, const char *name);

/* "name", "Acme", "phone", "123", NULL: text forms as kt_value_parse takes them. */
KtRecord *fix_record    (Fix *fix, const char *object, const KtId *id, gint64 rev, ...) G_GNUC_NULL_TERMINATED;
KtRecord *fix_with      (Fix *fix, KtRecord *record, gint64 rev, ...) G_GNUC_NULL_TERMINATED;   /* a changed copy */

/* A page of records (KtRecord*) and gone ones (as records too). */
typedef struct { gboolean snapshot; gboolean more; gint64 seq; const char *cursor; const KtId *epoch; } PageForm;
GBytes   *fix_page_bytes (Fix *fix, const PageForm *form, GPtrArray *records, GPtrArray *gone);
KtChangeSet *fix_apply  (Fix *fix, const PageForm *form, ...) G_GNUC_NULL_TERMINATED;            /* KtRecord*…; must succeed */
gboolean  fix_try_apply (Fix *fix, const PageForm *form, GPtrArray *records, GPtrArray *gone, gboolean *done, KtChangeSet **changes, GError **error);
void      fix_apply_gone (Fix *fix, gint64 seq, const KtRecord *record);

/* Commits; each returns the outbox number. */
gint64    fix_create    (Fix *fix, const char *object, KtId *id, ...) G_GNUC_NULL_TERMINATED;
gint64    fix_set       (Fix *fix, const char *object, const KtId *id, const char *field, const char *value);
gint64    fix_delete    (Fix *fix, const char *object, const KtId *id);
gint64    fix_restore   (Fix *fix, const char *object, const KtId *id);
char     *fix_text      (Fix *fix, const char *object, const KtId *id, const char *field);   /* visible text; NULL */
gboolean  fix_has       (Fix *fix, const char *object, const KtId *id);

char     *fix_take      (Fix *fix);                    /* what would be sent, as text; NULL: nothing */
void      fix_settle    (Fix *fix, gint64 number, KtOutcome outcome, gint64 seq);
guint     fix_waiting   (Fix *fix);                    /* entries not settled */
KtOutboxState fix_state (Fix *fix, gint64 no);         /* asserts that it is there */
gint64    fix_number    (Fix *fix, gint64 no);
gint64    fix_count     (Fix *fix, const char *sql);   /* behind the store's back */
void      fix_check     (Fix *fix);                    /* kt_local_check finds nothing */
/* Titles of a list, joined by "|". */
char     *fix_list      (Fix *fix, const char *object, const char *sort, const char *search);

#define assert_text(fix, object, id, field, expected) \
  G_STMT_START { g_autofree char *_text = fix_text (fix, object, id, field); g_assert_cmpstr (_text, ==, expected); } G_STMT_END

G_END_DECLS
