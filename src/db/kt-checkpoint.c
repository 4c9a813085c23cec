/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The write-ahead log goes back into the file. SQLite does that inside the commit that makes the log too long, and
 * that one commit then waits for hundreds of pages and two more fsyncs: it is the 99th percentile. Here another
 * connection does it on a thread of its own, passively: it waits for nobody and nobody waits for it.
 *
 * Under a load without a pause the log never has a moment to begin anew; then, at LONGEST pages, a commit does it
 * after all. */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-db-private.h"

#include <sqlite3.h>

#define LONG 1000     /* pages, as SQLite's own default */
#define LONGEST 20000

struct _KtCheckpointer
{
  char *path;
  GThread *thread;
  GMutex lock;
  GCond cond;

  /* under the lock */
  gboolean wanted;
  gboolean stop;
};

static gpointer
work (gpointer data)
{
  KtCheckpointer *self = data;
  sqlite3 *handle = NULL;

  g_mutex_lock (&self->lock);
  while (!self->stop)
    {
      if (!self->wanted)
        {
          g_cond_wait (&self->cond, &self->lock);
          continue;
        }
      self->wanted = FALSE;
      g_mutex_unlock (&self->lock);
      if (handle == NULL
          && (sqlite3_open_v2 (self->path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL)
                != SQLITE_OK
              || sqlite3_exec (handle, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0", NULL, NULL,
                               NULL)
                   != SQLITE_OK))
        {
          sqlite3_close (handle);
          handle = NULL;
        }
      /* That it cannot be done now is no harm: the next commit asks again. */
      if (handle != NULL)
        sqlite3_wal_checkpoint_v2 (handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
      g_mutex_lock (&self->lock);
    }
  g_mutex_unlock (&self->lock);
  sqlite3_close (handle);
  return NULL;
}

static int
wal_cb (void *data, sqlite3 *handle, const char *name, int pages)
{
  KtCheckpointer *self = data;

  if (pages < LONG)
    return SQLITE_OK;
  if (pages >= LONGEST)
    {
      sqlite3_wal_checkpoint_v2 (handle, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
      return SQLITE_OK;
    }
  g_mutex_lock (&self->lock);
  self->wanted = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
  return SQLITE_OK;
}

KtCheckpointer *
_kt_checkpointer_new (gpointer handle, const char *path)
{
  KtCheckpointer *self = g_new0 (KtCheckpointer, 1);

  self->path = g_strdup (path);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->thread = g_thread_new ("kt-checkpoint", work, self);
  sqlite3_wal_hook (handle, wal_cb, self);
  return self;
}

void
_kt_checkpointer_free (KtCheckpointer *self, gpointer handle)
{
  if (self == NULL)
    return;
  sqlite3_wal_hook (handle, NULL, NULL);
  g_mutex_lock (&self->lock);
  self->stop = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
  g_thread_join (self->thread);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_free (self->path);
  g_free (self);
}
