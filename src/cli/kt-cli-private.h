/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "base/kt-error.h"
#include "cli/kt-cli.h"
#include "sync/kt-engine.h"

G_BEGIN_DECLS

/* A command is a row in the table of kt-cli.c: its words, its options, and a function
 * that gets them parsed. What it prints goes through kt-cli-output.c. */
typedef struct _KtCli KtCli;

typedef struct
{
  const char *name;        /* without the dashes */
  const char *value;       /* what follows it, for the help; NULL: a switch */
  gboolean    many;
  const char *help;
} KtCliOption;

typedef struct
{
  const char        *name;
  const char        *usage;      /* positional arguments, for the help */
  guint              min, max;   /* how many of them */
  const char        *summary;
  const char        *details;    /* paragraphs for --help, or NULL */
  const KtCliOption *options;    /* ends with name NULL; may be NULL */
  gboolean         (*run) (KtCli *cli, GError **error);
} KtCliCommand;

typedef struct { const KtCliOption *option; const char *value; } KtCliGiven;

struct _KtCli
{
  /* borrowed */
  FILE               *in, *out, *err;
  const KtCliCommand *command;

  /* owned */
  char         *profile;
  char         *locale;
  GPtrArray    *args;            /* char*, borrowed from argv: what is not an option */
  GArray       *given;           /* KtCliGiven */
  KtLocal      *local;
  GCancellable *cancellable;

  /* state */
  int      exit_code;            /* of a command that succeeded */
  gboolean json;
  gboolean help;
  gboolean progress_shown;
};

/* ---- kt-cli.c ---- */
const char *kt_cli_arg     (KtCli *cli, guint n);                    /* NULL: not given */
const char *kt_cli_option  (KtCli *cli, const char *name);           /* the last one given; "" for a switch; NULL: not given */
GPtrArray  *kt_cli_options (KtCli *cli, const char *name);           /* all of them, borrowed texts */
gboolean    kt_cli_number  (KtCli *cli, const char *name, guint fallback, guint *out, GError **error);
/* "did you mean" among @names (NULL-terminated); NULL. */
const char *kt_cli_nearest (const char *word, const char *const *names);
const KtCliCommand *kt_cli_commands (void);                          /* ends with name NULL */

/* ---- the profile (kt-cli-profile.c) ---- */
typedef enum { KT_CLI_ANY, KT_CLI_SIGNED, KT_CLI_READY, KT_CLI_READS = 1 << 4 } KtCliNeed;
/* Opens it. READS (beside one of the others): nothing will be written, so it needs to wait for nobody who writes. ANY: cli->local stays NULL when there is none. SIGNED: somebody signed in here once. READY: there is a whole copy of
 * the data. Errors AUTH, UNSETTLED, and what kt_local_open says. */
gboolean        kt_cli_open     (KtCli *cli, KtCliNeed need, GError **error);
KtTransport    *kt_cli_connect  (KtCli *cli, GError **error);
const KtObject *kt_cli_object   (KtCli *cli, const char *name, GError **error);
const KtField  *kt_cli_field    (KtCli *cli, const KtObject *object, const char *name, GError **error);
/* "a,b,c" → NULL-terminated array, g_free. */
const KtField **kt_cli_fields   (KtCli *cli, const KtObject *object, const char *list, guint *n, GError **error);
/* By id, or whatever people call it; also one in the bin. */
KtRecord       *kt_cli_record   (KtCli *cli, const KtObject *object, const char *name, GError **error);
char           *kt_cli_title    (const KtObject *object, const KtId *id, gpointer cli);     /* a KtTitleFunc; NULL: unknown */
/* As people read it: references by title. g_free. */
char           *kt_cli_display  (KtCli *cli, const KtField *field, const KtValue *value);
char           *kt_cli_now      (KtCli *cli);                        /* date_time form */
gboolean        kt_cli_commit   (KtCli *cli, KtMutation *mutation, GError **error);
/* The sentence for what was done, on a terminal. */
void            kt_cli_say_done (KtCli *cli, const KtMutation *mutation);

/* ---- assignments (kt-cli-assign.c) ---- */
/* "FIELD=VALUE" into @after (writable copy of @before; NULL: new). Every problem is said on stderr; then INVALID. */
gboolean        kt_cli_assign   (KtCli *cli, KtRecord *after, const char *const *assignments, guint n, GError **error);
/* Says everything that is wrong with the record, not only the first thing. Returns how many. */
guint           kt_cli_say_problems (KtCli *cli, const KtRecord *before, const KtRecord *after);

/* ---- kt-cli-output.c ---- */
void  kt_cli_say      (KtCli *cli, const char *format, ...) G_GNUC_PRINTF (2, 3);   /* a line on stderr */
void  kt_cli_print    (KtCli *cli, const char *format, ...) G_GNUC_PRINTF (2, 3);   /* a line on stdout */
/* One JSON text as a line on stdout. Takes it. */
void  kt_cli_put_json (KtCli *cli, GString *json);
void  kt_cli_progress (KtCli *cli, const char *format, ...) G_GNUC_PRINTF (2, 3);   /* on a terminal, over the last one */
void  kt_cli_progress_end (KtCli *cli);

/* Aligned columns for people. */
typedef struct _KtCliTable KtCliTable;
#define KT_CLI_HEADERS(...) ((const char *const[]) { __VA_ARGS__, NULL })
KtCliTable *kt_cli_table_new  (const char *const *headers);                            /* NULL: none yet */
void        kt_cli_table_column (KtCliTable *table, const char *header, gboolean right);   /* before the first row */
void        kt_cli_table_cell (KtCliTable *table, const char *text);                   /* NULL: blank; fills rows from the left */
void        kt_cli_table_cell_take (KtCliTable *table, char *text);
void        kt_cli_table_print (KtCli *cli, KtCliTable *table);                        /* and frees it */

/* A line per column for one record. */
void  kt_cli_print_pair (KtCli *cli, const char *label, guint width, const char *text);
guint kt_cli_width      (const char *text);                                            /* columns on a terminal */

/* ---- commands ---- */
gboolean kt_cli_login (KtCli *cli, GError **error);
gboolean kt_cli_logout (KtCli *cli, GError **error);
gboolean kt_cli_sync (KtCli *cli, GError **error);
gboolean kt_cli_status (KtCli *cli, GError **error);
gboolean kt_cli_verify (KtCli *cli, GError **error);
gboolean kt_cli_new (KtCli *cli, GError **error);
gboolean kt_cli_set (KtCli *cli, GError **error);
gboolean kt_cli_delete (KtCli *cli, GError **error);
gboolean kt_cli_restore (KtCli *cli, GError **error);
gboolean kt_cli_get (KtCli *cli, GError **error);
gboolean kt_cli_list (KtCli *cli, GError **error);
gboolean kt_cli_count (KtCli *cli, GError **error);
gboolean kt_cli_search (KtCli *cli, GError **error);
gboolean kt_cli_schema (KtCli *cli, GError **error);
gboolean kt_cli_history (KtCli *cli, GError **error);
gboolean kt_cli_import (KtCli *cli, GError **error);
gboolean kt_cli_export (KtCli *cli, GError **error);
gboolean kt_cli_attach (KtCli *cli, GError **error);
gboolean kt_cli_attachments (KtCli *cli, GError **error);
gboolean kt_cli_fetch (KtCli *cli, GError **error);
gboolean kt_cli_travel (KtCli *cli, GError **error);
gboolean kt_cli_pin (KtCli *cli, GError **error);
gboolean kt_cli_unpin (KtCli *cli, GError **error);
gboolean kt_cli_outbox (KtCli *cli, GError **error);
gboolean kt_cli_review (KtCli *cli, GError **error);

G_END_DECLS
