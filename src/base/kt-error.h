/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-types.h"

G_BEGIN_DECLS

#define KT_ERROR (kt_error_quark ())
GQuark kt_error_quark (void);

/* One domain for all layers: what matters to whoever stops an error is what the
 * person can do about it, not which library noticed it. The message is a
 * sentence that names the place and the remedy; it may hold record data but
 * never a password or token.  "retry": whether the same call may succeed later. */
typedef enum
{
  KT_ERROR_INTERNAL,    /* a bug or an impossible state; no retry                        exit 1 */
  KT_ERROR_INVALID,     /* input is malformed, of the wrong type, breaks a rule           exit 2 */
  KT_ERROR_LIMIT,       /* input is larger, deeper or longer than allowed                 exit 2 */
  KT_ERROR_NOT_FOUND,   /* no such object, field, record, user, file                      exit 2 */
  KT_ERROR_EXISTS,      /* already there (directory in use, user name taken)              exit 2 */
  KT_ERROR_SCHEMA,      /* a schema file is wrong: message names file, object, field      exit 2 */
  KT_ERROR_NEWER,       /* file or peer is from a newer version: upgrade                  exit 2 */
  KT_ERROR_UNSETTLED,   /* something waits: parked mutations, reviews, a difference       exit 3 */
  KT_ERROR_NETWORK,     /* unreachable, timed out, cut; retry                             exit 4 */
  KT_ERROR_NOT_KONTOR,  /* something answers there, but it is not a Kontor server         exit 4 */
  KT_ERROR_SERVER,      /* server answered 5xx or nonsense; retry                         exit 4 */
  KT_ERROR_AUTH,        /* not signed in, wrong password, token no longer valid           exit 5 */
  KT_ERROR_FORBIDDEN,   /* signed in, but not allowed                                     exit 5 */
  KT_ERROR_BUSY,        /* locked by another process or connection; retry                 exit 1 */
  KT_ERROR_CORRUPT,     /* file is damaged or not what it should be                       exit 1 */
  KT_ERROR_FULL,        /* disk full or quota reached; retry after freeing space          exit 1 */
  KT_ERROR_IO,          /* any other failure of the file system or database               exit 1 */
  KT_ERROR_CONFLICT,    /* a precondition no longer holds (e.g. review already resolved)  exit 3 */
  KT_ERROR_EPOCH,       /* the server's database lives another life than our cursor's     exit 3 */
} KtError;

/* The exit code of cli.md for @error (which may be NULL: 0). Errors of foreign
 * domains: G_IO_ERROR network-like → 4, not-found/invalid → 2, else 1. */
int  kt_error_exit_code (const GError *error);

/* Stable lower-case word for the wire: "invalid", "not_found", … and back
 * (unknown words give KT_ERROR_INTERNAL). */
const char *kt_error_word      (KtError code);
KtError     kt_error_from_word (const char *word);

/* @text as part of a message: valid UTF-8 on one line, at most @max characters and then "…". NULL: "". g_free.
 * Whatever came from outside goes through this: a message is a sentence, and never the input again. */
#define KT_ERROR_NAME     60     /* a name or value that is quoted */
#define KT_ERROR_SENTENCE 400    /* a message that has such in it */
char *kt_error_excerpt (const char *text, guint max);

/* Whether the same call may succeed later without the person changing anything. */
gboolean kt_error_is_transient (const GError *error);

G_END_DECLS
