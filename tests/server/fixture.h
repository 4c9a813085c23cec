/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "server/kt-core-private.h"

/* A workspace in a temporary folder, and devices that speak to it with real messages. */
typedef struct
{
  char   *dir;
  KtCore *core;
  KtEnv   env;
  gint64  now_us;      /* the server's clock; moves only by hand */
} Fixture;

typedef struct
{
  Fixture    *fixture;
  char       *token, *id, *user;
  gint64      number;       /* last one used */
  char       *cursor;
  gint64      seq;          /* of the last page */
  GHashTable *records;      /* "object:id" → KtRecord */
  void      (*on_row) (const KtRecord *record, gpointer data);   /* every row of every page; may be NULL */
  gpointer    on_row_data;
} Device;

extern const char *fixture_schema_dir;

void    fixture_init    (int *argc, char ***argv);
Fixture *fixture_new    (void);                       /* admin "ada", rep "ben", rep "cho"; all with password "secret" */
Fixture *fixture_new_on (const char *database);       /* NULL: SQLite */
gboolean fixture_on_postgresql (void);
void    fixture_free    (Fixture *fixture);
/* As after a restart of the program. */
void    fixture_reopen  (Fixture *fixture);
void    fixture_wait    (Fixture *fixture, gint64 seconds);
void    fixture_remove  (const char *path);           /* a whole folder */

/* Any request; @body NULL: none. */
KtReply *ask            (Fixture *fixture, KtEndpoint endpoint, const char *token, const char *query, const char *body);
KtJson  *reply_json     (const KtReply *reply);
char    *error_code     (const KtReply *reply);       /* word of the error body or NULL */

Device *device_new      (Fixture *fixture, const char *user);
void    device_free     (Device *device);
/* Pushes one mutation made of @ops ("{…},{…}"), expects a verdict. Free with kt_verdict_clear. */
KtVerdict push          (Device *device, const char *ops);
KtVerdict push_full     (Device *device, const char *members);     /* all members but the number */
KtOutcome push_outcome  (Device *device, const char *ops);
/* What a test left out of a push: epoch, and ids of mutations (the same for the same number and content). g_free. */
char   *push_complete   (const Device *device, const char *body);
/* The body of a push, as sent. */
char   *push_body       (const Device *device, gint64 number, const char *ops);
/* Pulls to the end; pages of @limit rows, 0: the default. Returns how many rows came. */
guint   pull            (Device *device, guint limit);
/* One page; TRUE: there is more. */
gboolean pull_page      (Device *device, guint limit, guint *rows);
const KtRecord *have    (Device *device, const char *object, const char *id);
/* A field as wire JSON, "null" when absent. */
char   *value           (Device *device, const char *object, const char *id, const char *field);
void    assert_value    (Device *device, const char *object, const char *id, const char *field, const char *json);
gint64  rev             (Device *device, const char *object, const char *id);
char   *new_id          (Fixture *fixture);
/* Ops. */
char   *op_create       (const char *object, const char *id, const char *fields);
char   *op_update       (const char *object, const char *id, gint64 base_rev, const char *fields);
char   *op_delete       (const char *object, const char *id, gint64 base_rev);
char   *op_restore      (const char *object, const char *id, gint64 base_rev);
char   *create          (Device *device, const char *object, const char *fields);   /* pushes; returns the id */
/* Open sync_conflict records, newest last: KtRecord, borrowed. */
GPtrArray *reviews      (Device *device);
gint64  count_sql       (Fixture *fixture, const char *sql);
void    assert_sound    (Fixture *fixture);           /* kt_core_check finds nothing */
/* The digest the server has, and the one of what the device holds, are equal. */
void    assert_equal    (Device *device);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Device, device_free)
