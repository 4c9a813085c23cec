/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <libsoup/soup.h>

#include "base/kt-error.h"
#include "server/kt-front.h"

G_BEGIN_DECLS

typedef enum
{
  KT_JOB_REQUEST,
  KT_JOB_LIVE,       /* may this token open the live channel? */
  KT_JOB_SEQ,        /* newest seq, and which tokens of open channels still hold */
  KT_JOB_QUIT,
} KtJobKind;

typedef struct
{
  KtFront           *front;
  KtJobKind          kind;
  SoupServerMessage *message;    /* REQUEST, LIVE */
  KtRequest         *request;
  KtReply           *reply;
  GPtrArray         *tokens;     /* SEQ: char* in; those that do not hold are left */
  gint64             seq;        /* after the job; -1 not known */
  gint64             started_us;
  gint64             range_end;  /* last byte asked for, -1: none */
  gboolean           may_pack;   /* the peer takes gzip, and it is worth it */
  gboolean           packed;
  gboolean           gone;       /* the message is over */
} KtJob;

/* Requests that are not answered yet, and what they hold. Outlives the front as long as a message does. */
typedef struct
{
  KtFront *front;
  guint    active;
  goffset  held;      /* bytes of request bodies */
} KtCount;

struct _KtFront
{
  /* owned */
  SoupServer     *server;
  GSocketService *service;
  GTlsCertificate *certificate;
  GMainContext   *context;
  GAsyncQueue    *jobs;
  GAsyncQueue    *login_jobs;   /* of the first thread */
  GPtrArray      *threads;
  GHashTable     *lines;        /* KtLine, the open connections */
  KtCount        *count;
  GPtrArray      *channels;     /* KtChannel */
  char           *dir;
  char           *uri;
  GSource        *sweep;
  GSource        *poll;
  GSource        *deadline;

  /* borrowed */
  const KtEnv    *env;
  GSourceFunc     stopped;
  gpointer        stopped_data;

  /* state */
  gint64          seq;          /* newest that was announced */
  guint           queued;
  guint           logins;       /* of them */
  guint           poll_count;
  gboolean        polling;
  gboolean        stopping;
  gboolean        verbose;
};

/* kt-front-work.c */
gboolean _kt_front_start_workers (KtFront *front, guint n, GError **error);
void     _kt_front_join_workers  (KtFront *front);
void     _kt_front_push_job      (KtJob *job);
void     _kt_job_free            (KtJob *job);

/* kt-front-reply.c */
void     _kt_front_put_reply     (SoupServerMessage *message, KtJob *job);
void     _kt_front_put_error     (KtFront *front, SoupServerMessage *message, guint status, KtError code, const char *text);

/* kt-front.c: on the context's thread. */
void     _kt_front_finish_job    (KtJob *job);
/* Answered, or handed over to a WebSocket. */
void     _kt_front_message_over  (KtFront *front, SoupServerMessage *message, gboolean live);

/* kt-front-live.c */
void _kt_live_init      (KtFront *front);
void _kt_live_clear     (KtFront *front);
/* A commit was made: say so to whoever listens. */
void _kt_live_announce  (KtFront *front, gint64 seq);
void _kt_live_polled    (KtJob *job);
void _kt_live_close_all (KtFront *front);

G_END_DECLS
