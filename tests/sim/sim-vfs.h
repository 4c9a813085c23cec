/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Disks in memory, and what can happen to one: a SQLite VFS that is the default of the process, so that the
 * product's own code runs on it unchanged. Every file belongs to the disk whose folder it is under; SQLite's
 * temporary files belong to none and nothing happens to them.
 *
 *   cur   what the running process sees          a write changes cur
 *   dur   what is safe                           xSync makes dur = cur
 *
 * A kill leaves cur. A power cut leaves dur, and of every sector that was written since the last sync either
 * what was there or what was written, by chance: lost, torn and reordered writes. Pages are shared between
 * images and copied when written, so that starting from a template, a snapshot or a clone costs nothing. */
typedef struct _SimDisk SimDisk;
typedef struct _SimImage SimImage;     /* the database file of a disk at some moment; immutable */

typedef enum
{
  SIM_KILL,         /* the process ends; what was written stays */
  SIM_POWER_CUT,    /* of what was not synced, any part is gone */
} SimEnd;

void      sim_vfs_register   (void);
void      sim_vfs_reseed     (guint64 seed);                  /* SQLite's own random numbers */

SimDisk  *sim_disk_new       (const char *dir);
void      sim_disk_free      (SimDisk *disk);
/* Nothing on it but this image as file @name; healthy. Connections may stay open: what they see is as if another process
 * had written it, once sim_vfs_forget has been called for them. */
void      sim_disk_load      (SimDisk *disk, const char *name, SimImage *image);
void      sim_vfs_forget     (gpointer sqlite);               /* sqlite3*: pages that it has in memory */
gboolean  sim_vfs_is_idle    (gpointer sqlite);               /* no statement is under way: then it can forget */
/* Database and write-ahead log as the process sees them. */
SimImage *sim_disk_snapshot  (SimDisk *disk, const char *name);
SimImage *sim_image_read     (const char *path);              /* of a real file */
SimImage *sim_image_ref      (SimImage *image);
void      sim_image_unref    (SimImage *image);

/* The process dies at the @nth change from now (1: the next): that one is half done, all after it fail. 0: never. */
void      sim_disk_doom      (SimDisk *disk, guint nth);
void      sim_disk_kill      (SimDisk *disk);                 /* now, between two changes */
gboolean  sim_disk_dead      (SimDisk *disk);
/* The machine comes back. All files must be closed. @chance decides what a power cut leaves. */
void      sim_disk_restart   (SimDisk *disk, SimEnd end, GRand *chance);
void      sim_disk_set_full  (SimDisk *disk, gboolean full);  /* no file grows */
void      sim_disk_fail      (SimDisk *disk, guint nth);      /* the nth access from now is an I/O error; 0: none */
void      sim_disk_heal      (SimDisk *disk);
guint64   sim_disk_changes   (SimDisk *disk);                 /* so far */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SimImage, sim_image_unref)

G_END_DECLS
