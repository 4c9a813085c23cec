/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "server/kt-core.h"
#include "store/kt-local.h"
#include "sync/kt-engine.h"
#include "sim-vfs.h"

G_BEGIN_DECLS

/* Deterministic simulation: the real server core and real devices (KtLocal, KtEngine) in one process, stepped
 * from one seed. Time, chance, network and disks are the simulation's; nothing in the product knows of it.
 *
 *   seed ──► plan: a list of actions, each with a salt of its own ──► world: does them one by one
 *                        │ any of them can be left out: shrinking         │ oracle: after every action, and
 *                        └────────────────────────────────────────────────┘ when everything has settled
 *
 * An action never depends on the world for its choices' randomness: what it does is worked out from its salt and from
 * what it finds. So a list with some actions left out is a history again, and a failure shrinks by leaving out. */

#define SIM_MAX_DEVICES 6
#define SIM_PASSWORD    "correct horse"

typedef enum
{
  /* what people do */
  SIM_CREATE, SIM_UPDATE, SIM_PAIR, SIM_ATTACH, SIM_POISON, SIM_DELETE, SIM_BIN_RESTORE, SIM_UNDO, SIM_RETRY, SIM_DISCARD, SIM_RESOLVE,
  /* the engine and its line */
  SIM_POKE, SIM_STEP, SIM_ROUND, SIM_ASK, SIM_SERVE, SIM_ANSWER,
  SIM_LOSE, SIM_TWICE, SIM_LATE, SIM_GARBLE, SIM_CUT, SIM_STRANGER, SIM_REFUSE,
  /* machines */
  SIM_DIE, SIM_POWER, SIM_DOOM, SIM_SERVER_DIE, SIM_SERVER_POWER, SIM_SERVER_DOOM,
  SIM_FULL, SIM_ROOM, SIM_IO_ERROR, SIM_SERVER_FULL, SIM_SERVER_ROOM, SIM_SERVER_IO_ERROR,
  SIM_CLOCK, SIM_SERVER_CLOCK, SIM_WAIT,
  SIM_LOGOUT, SIM_LOGIN,
  /* copies of machines */
  SIM_BACKUP, SIM_RESTORE, SIM_CLONE, SIM_SERVER_BACKUP, SIM_SERVER_RESTORE,
  /* the workspace */
  SIM_SCHEMA, SIM_ROLE, SIM_GIVE,
  SIM_N_ACTIONS,

  /* what comes of them, later; counted like them */
  SIM_DIED = SIM_N_ACTIONS, SIM_SERVER_DIED, SIM_LOCAL_FAILURE,
  SIM_N_EVENTS
} SimActionKind;

typedef struct
{
  guint         index;    /* in the plan as it was made: its name */
  SimActionKind kind;
  guint         node;
  guint32       salt;
} SimAction;

typedef struct
{
  KtEnv   env;
  gint64  wall_us, monotonic_us;
  guint64 state;
} SimClock;

/* ---- what the oracle remembers ---- */
typedef struct
{
  char *field, *before, *after;   /* JSON */
} SimWrite;

typedef struct
{
  KtMutateKind kind;
  const char  *object;
  KtId         id;
  gint64       base_rev;
  GArray      *writes;            /* SimWrite */
} SimOp;

typedef enum
{
  SIM_KEPT,        /* acknowledged: must end in exactly one state */
  SIM_DOUBTFUL,    /* the machine failed meanwhile: there or not, but not twice */
  SIM_TAKEN_BACK,  /* undone before it was sent: must not have any effect, unless a copy of the profile had sent it */
  SIM_GIVEN_UP,    /* discarded when it was parked: kept, without effect */
} SimFate;

typedef struct
{
  guint    n;
  char     at[32];                /* unique: its name in ledger and outbox */
  guint    device;
  gint64   no;
  SimFate  fate;
  guint    holders;               /* bits: the profiles that it was made on or copied to, and that were not put back since */
  gboolean elsewhere;             /* the profile was put back to a time when it waited: it may have been sent before */
  gboolean left;                  /* it is not in the outbox any more, and that was right */
  GArray  *ops;                   /* SimOp */
} SimDeed;

typedef struct _Sim Sim;

typedef struct
{
  Sim       *sim;
  guint      index;
  char      *name, *dir, *user;
  SimDisk   *disk;
  SimClock   clock;
  KtLocal   *local;               /* NULL: the machine is off */
  KtEngine  *engine;
  char      *token;
  gboolean   want_token;          /* read it again */
  KtRequest *request;             /* on its way to the server, or answered there */
  KtReply   *reply;               /* on its way back */
  GPtrArray *late;                /* KtRequest: copies that are still under way */
  gint64     seq;                 /* last seen visible, */
  KtId       epoch;               /* in this life of the server */
  SimImage  *backup;              /* NULL: none */
  char      *backup_session;
  guint      backup_deeds;        /* as many there were then */
  guint8    *backup_holds;        /* which of them it held */
  gboolean   full;
  gboolean   fresh, copied;       /* what its database began as: nothing pulled yet, another one's, its backup */
} SimDevice;

struct _Sim
{
  guint64    seed;
  SimDisk   *disk;                /* the server's */
  SimClock  *clock;
  KtCore    *core;                /* NULL: down */
  gboolean   server_full;
  guint      page_rows;
  SimDevice *devices[SIM_MAX_DEVICES];
  guint      n_devices;
  GPtrArray *deeds;               /* SimDeed */
  GHashTable *deeds_by_at;
  GArray    *ids;                 /* SimKnown: records that people may touch */
  SimImage  *backup;              /* of the server; NULL: none */
  guint      schema;              /* how far the schema has moved, */
  gboolean   moved;               /* or was tried to */
  gboolean   scoped;              /* roles, teams or owners have changed */
  gboolean   put_back;            /* a profile was */
  gboolean   attached;            /* there are attachments */
  guint      lives;               /* restores of the server */
  gboolean   spoiled;             /* this server is not to be used for another history */
  GRand     *rand;                /* of the action under way */
  GString   *trace;               /* NULL: not wanted */
  GString   *failure;             /* "P3: …"; first one only. Empty: none */
  guint64    steps;
  guint      deaths;              /* of devices, at a write */
  guint64   (*coverage)[KT_ENGINE_N_STATES];   /* [SIM_N_EVENTS]; NULL: not counted */
  SimDevice *serving;             /* whose request was the last at the server */
};

typedef struct { const char *object; KtId id; } SimKnown;

/* ---- sim-world.c ---- */
void     sim_set_up       (void);                 /* template, disks; once per process */
/* @skewed: the same history under clocks that are decades apart (P9). */
Sim     *sim_new          (guint64 seed, gboolean skewed, gboolean trace);
/* KNOWN: three devices that have pulled, pages as the server likes; FRESH: the third has nothing yet. */
typedef enum { SIM_KNOWN = 0, SIM_FRESH = 1 << 0, SIM_TRACED = 1 << 1, SIM_SKEWED = 1 << 2, SIM_ANY = 1 << 3 } SimStart;
Sim     *sim_new_from     (guint64 seed, SimStart start);
void     sim_count        (SimDevice *device, SimActionKind event);
void     sim_free         (Sim *sim);
void     sim_say          (Sim *sim, const char *format, ...) G_GNUC_PRINTF (2, 3);
void     sim_fail         (Sim *sim, const char *promise, const char *format, ...) G_GNUC_PRINTF (3, 4);
gboolean sim_failed       (Sim *sim);
void     sim_open_server  (Sim *sim);
void     sim_close_server (Sim *sim, SimEnd end);
void     sim_open_device  (SimDevice *device);
void     sim_close_device (SimDevice *device, SimEnd end);
/* Whoever died while it worked is started again. */
void     sim_bury         (Sim *sim);
gboolean sim_ask          (SimDevice *device);    /* FALSE: nothing to send */
void     sim_serve        (SimDevice *device);
void     sim_answer       (SimDevice *device, const GError *failure);
gboolean sim_step         (SimDevice *device);    /* all three */
void     sim_round        (SimDevice *device, guint most);
gboolean sim_login        (SimDevice *device);
void     sim_logout       (SimDevice *device);
void     sim_backup_device  (SimDevice *device);
void     sim_restore_device (SimDevice *device);
void     sim_clone_device   (SimDevice *device);
void     sim_backup_server  (Sim *sim);
void     sim_restore_server (Sim *sim);          /* a new life of it begins */
void     sim_move_schema  (Sim *sim);
void     sim_change_role  (SimDevice *device);
KtReply *sim_handle       (Sim *sim, const KtRequest *request);
KtRequest *sim_copy_request (const KtRequest *request);

/* ---- sim-plan.c ---- */
GArray  *sim_plan         (guint64 seed, guint steps);             /* SimAction */
const char *sim_action_name (SimActionKind kind);
void     sim_act          (Sim *sim, const SimAction *action);
/* Everything healed, settled and checked. */
gboolean sim_finish       (Sim *sim);
/* The whole history: actions, settling, checking. TRUE: nothing found. */
gboolean sim_run          (Sim *sim, const GArray *plan);

/* ---- sim-people.c ---- */
void     sim_people_act   (SimDevice *device, SimActionKind kind);
void     sim_deed_free    (gpointer deed);
void     sim_people_settle_doubts (SimDevice *device);             /* after a machine came back */
void     sim_people_copied   (SimDevice *from, SimDevice *to);
void     sim_people_put_back (SimDevice *device);                  /* to its backup */

/* ---- sim-oracle.c ---- */
void     sim_check_device (SimDevice *device);                     /* at every step */
void     sim_check_all    (Sim *sim);                              /* when all has settled */
char    *sim_server_file    (const char *sha256);                   /* where the server keeps that attachment; g_free */
char    *sim_final_state  (Sim *sim);                              /* of what people wrote; no clock in it */

G_END_DECLS
