/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-error.h"
#include "base/kt-query.h"
#include "server/kt-core.h"
#include "store/kt-local.h"
#include "sync/kt-engine.h"
#include "kt-test-transport.h"

G_BEGIN_DECLS

/* A workspace and some devices in one process: the real server core and real
 * profiles in temporary folders, with clocks and random numbers that a test sets.
 * The world is checked when it is freed: both sides sound, nothing lost.           */

typedef struct
{
  KtEnv   env;
  gint64  wall_us, monotonic_us;
  guint64 state;
} RigClock;

typedef struct
{
  char      *dir;
  RigClock   clock;            /* the server's */
  KtCore    *core;             /* NULL: the server is down */
  GPtrArray *devices;          /* Device* */
  guint      page_rows;        /* rows of a page, so that little data makes many; 0: the server's own choice */
  gboolean   unsound;          /* the test breaks something on purpose: no check at the end */
} Rig;

typedef struct
{
  Rig         *rig;
  char        *name, *user, *dir;
  RigClock     clock;
  KtLocal     *local;
  KtTransport *transport;
} Device;

#define RIG_PASSWORD "correct horse"

void     rig_test_init     (int *argc, char ***argv);
/* Users anna (Admin), ben and carl. */
Rig     *rig_new           (void);
void     rig_free          (Rig *rig);
/* A folder with the schema that rigs are made of: g_free, rig_remove. */
char    *rig_pack          (void);
void     rig_stop_server   (Rig *rig);
void     rig_start_server  (Rig *rig);
char    *rig_temp_dir      (void);
void     rig_remove        (const char *path);     /* a whole folder */
void     rig_copy          (const char *from, const char *to);

/* Signed in and pulled. */
Device  *device_new        (Rig *rig, const char *name, const char *user);
/* A folder, nothing in it. */
Device  *device_bare       (Rig *rig, const char *name);
gboolean device_login      (Device *device, const char *user, GError **error);
/* The process dies between two lines and is started again. */
void     device_crash      (Device *device);
/* One round; must work. The numbers of the round are kept in @out (may be NULL). */
void     device_sync_full  (Device *device, KtEngineStatus *out);
void     device_sync       (Device *device);
/* One round that fails; the error's code is compared. */
void     device_sync_fails (Device *device, KtError code);
/* One request and its answer. FALSE: nothing more to send. */
gboolean device_step       (Device *device, KtEngine *engine);

KtId     device_create     (Device *device, const char *object, ...) G_GNUC_NULL_TERMINATED;   /* "name=Acme", … */
KtId     device_create_id  (Device *device, const char *object, const KtId *id, ...) G_GNUC_NULL_TERMINATED;
void     device_set        (Device *device, const char *object, const KtId *id, const char *assignment);
void     device_delete     (Device *device, const char *object, const KtId *id);
void     device_restore    (Device *device, const char *object, const KtId *id);
gboolean device_has        (Device *device, const char *object, const KtId *id);
gboolean device_binned     (Device *device, const char *object, const KtId *id);
/* Wire form of a field, "null" when blank, "gone" when there is no record. g_free. */
char    *device_value      (Device *device, const char *object, const KtId *id, const char *field);
/* A reference as assignments want it: field=object:id. g_free. */
char    *rig_reference     (const char *field, const char *object, const KtId *id);

KtOutboxCounts device_counts (Device *device);
/* Open review items of this device's user, oldest first. */
GPtrArray *device_reviews  (Device *device);
const char *review_text    (GPtrArray *reviews, guint n, const char *field);
void     device_resolve    (Device *device, guint n, const char *take);
/* The server's ledger of a record as text. g_free */
char    *device_history    (Device *device, const char *object, const KtId *id);

#define assert_value(device, object, id, field, expected)                                          \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autofree char *_value = device_value (device, object, id, field);                            \
    if (g_strcmp0 (_value, expected) != 0)                                                         \
      g_error ("%s:%d: %s: %s.%s is %s, not %s", __FILE__, __LINE__, (device)->name, object, field, \
               _value, expected);                                                                  \
  }                                                                                                \
  G_STMT_END
#define assert_counts(device, want_queued, want_sent, want_parked, want_review)                    \
  G_STMT_START                                                                                     \
  {                                                                                                \
    KtOutboxCounts _counts = device_counts (device);                                               \
    g_assert_cmpint (_counts.queued, ==, want_queued);                                             \
    g_assert_cmpint (_counts.sent, ==, want_sent);                                                 \
    g_assert_cmpint (_counts.parked, ==, want_parked);                                             \
    g_assert_cmpint (_counts.review, ==, want_review);                                             \
  }                                                                                                \
  G_STMT_END

/* P4: both hold the same. */
void     assert_equal      (Device *device);
void     assert_all_equal  (Rig *rig);
/* The sums that the device keeps are those of its records. */
void     assert_sums       (Device *device);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rig, rig_free)

G_END_DECLS
