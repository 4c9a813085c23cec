/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proto/kt-wire.h"

G_BEGIN_DECLS

/* The bodies of POST /v1/push and POST /v1/device and of their answers: one codec for both ends. */

/* ---- the push: {"device":"uuid","epoch":"uuid","mutations":[…]} ---- */
typedef struct
{
  KtId          device;
  KtId          epoch;
  const KtJson *mutations;     /* an array, in @json */
  KtJson       *json;
} KtPush;
/* @mutations: a JSON array as text. */
GBytes  *kt_push_wrap  (const KtId *device, const KtId *epoch, GBytes *mutations);
/* Form and limits of the envelope, not of the mutations. @text may be NULL (no body). INVALID, LIMIT. */
gboolean kt_push_read  (const char *text, gsize len, KtPush *out, GError **error);
void     kt_push_clear (KtPush *push);

/* ---- its answer: {"verdicts":[…],"seq":n,"last_number":n,"schema":"digest"} ---- */
typedef struct
{
  GArray *verdicts;            /* KtVerdict */
  gint64  seq;
  gint64  last_number;         /* of this device, decided */
  char   *schema;              /* digest; may be NULL on the reading side */
} KtPushAnswer;
/* @verdicts: KtVerdict. */
GString *kt_push_answer_write (const GArray *verdicts, gint64 seq, gint64 last_number, const char *schema);
/* SERVER: it cannot be understood. No verdict at all is not an answer to a push. */
gboolean kt_push_answer_read  (const KtReply *reply, KtPushAnswer *out, GError **error);
void     kt_push_answer_clear (KtPushAnswer *answer);

/* ---- where a device stands: in the error body of 409 and 410 ---- */
typedef struct
{
  KtId     epoch;              /* the life that the server lives now; nil: not told */
  gint64   last_number;        /* of this device; -1: not told */
  gint64   common;             /* 410: the last seq that the device's epoch and this life share; -1: not told */
  char    *backup_at;          /* 410: when the last commit was made that the restored backup held; date_time or NULL */
  gboolean copied;             /* 409: a number was used for another mutation: the profile is a copy */
} KtStanding;
/* The reply of kt_reply_from_error, with @standing inside "error". */
KtReply *kt_standing_reply (const GError *error, const KtStanding *standing);
/* What is missing is as said above. */
void     kt_standing_read  (const KtReply *reply, KtStanding *out);
void     kt_standing_clear (KtStanding *standing);

/* ---- a new device: {"name":"…"} → {"device":"uuid","token":"…","epoch":"uuid","last_number":0} ---- */
typedef struct { KtId device, epoch; char *token; gint64 last_number; } KtNewDevice;
GBytes  *kt_new_device_ask   (const char *name);
/* *name: at most 100 characters, "?" when there is none. INVALID. */
gboolean kt_new_device_asked (const char *text, gsize len, char **name, GError **error);
GString *kt_new_device_write (const KtNewDevice *device);
gboolean kt_new_device_read  (const KtReply *reply, KtNewDevice *out, GError **error);   /* SERVER */
void     kt_new_device_clear (KtNewDevice *device);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtPush, kt_push_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtPushAnswer, kt_push_answer_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtStanding, kt_standing_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (KtNewDevice, kt_new_device_clear)

G_END_DECLS
