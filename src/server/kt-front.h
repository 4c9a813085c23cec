/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "server/kt-core.h"

G_BEGIN_DECLS

/* The core behind HTTP: one thread for the lines, several for the work.
 *
 *   listening socket → libsoup (main context of kt_front_new) ─ queue ─► workers, each with its own KtCore
 *                          ▲                                                    │
 *                          └──────────────── replies ───────────────────────────┘
 *
 * The context's thread never touches the database. */
typedef struct _KtFront KtFront;

typedef struct
{
  const char  *dir;
  const char  *listen;      /* "127.0.0.1:8400", "[::1]:0", "host:port"; NULL: the default; port 0 picks a free one */
  guint        workers;     /* 0: as many as there are processors, at least 2 */
  const char  *tls_cert;    /* PEM, both or none */
  const char  *tls_key;
  gboolean     verbose;     /* a line on stderr for every request */
  const KtEnv *env;
} KtFrontOptions;

#define KT_FRONT_LISTEN "127.0.0.1:8400"

/* Opens the workspace and the socket. Errors of kt_core_open; INVALID, EXISTS (address in use), FORBIDDEN, NETWORK, IO. */
KtFront    *kt_front_new  (const KtFrontOptions *options, GError **error);
/* "http://127.0.0.1:41234" */
const char *kt_front_uri  (KtFront *front);
/* Takes no new requests; @done is called once those under way are answered, at the latest after ten seconds. */
void        kt_front_stop (KtFront *front, GSourceFunc done, gpointer data);
/* Accepts NULL. Joins the workers. */
void        kt_front_free (KtFront *front);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtFront, kt_front_free)

G_END_DECLS
