/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "sim-vfs.h"

#include <sqlite3.h>
#include <string.h>

#define PAGE 4096
#define SECTOR 512
#define SHM_BLOCK 32768 /* what SQLite maps at a time */

typedef struct
{
  guint ref;
  guint8 data[PAGE];
} Page;

/* Holes are NULL and read as zeros. */
typedef struct
{
  GPtrArray *pages;
  gint64 size;
} Content;

typedef struct
{
  char *path;
  SimDisk *disk; /* NULL: a temporary file */
  Content cur, dur;
  GPtrArray *shm; /* blocks */
  guint handles;
  gboolean dirty;
} File;

struct _SimImage
{
  guint ref;
  Content db, wal;
  gboolean has_wal;
};

struct _SimDisk
{
  char *dir;
  gsize dir_len;
  guint64 changes;
  guint doom, fail;
  gboolean dead, full;
};

typedef struct
{
  sqlite3_file base;
  File *file;
} Handle;

static GHashTable *files;  /* path → File */
static GPtrArray *disks;
static guint64 random_state = 1;
static Page *spare; /* freed pages, linked through their data */

/* ---- pages ---- */

static Page *
page_new (void)
{
  Page *page = spare;

  if (page != NULL)
    memcpy (&spare, page->data, sizeof spare);
  else
    page = g_new (Page, 1);
  page->ref = 1;
  return page;
}

static void
page_unref (gpointer data)
{
  Page *page = data;

  if (page == NULL || --page->ref > 0)
    return;
  memcpy (page->data, &spare, sizeof spare);
  spare = page;
}

static void
content_init (Content *content)
{
  content->pages = g_ptr_array_new_with_free_func (page_unref);
  content->size = 0;
}

static void
content_clear (Content *content)
{
  g_clear_pointer (&content->pages, g_ptr_array_unref);
}

static void
content_resize (Content *content, gint64 size)
{
  guint n = (guint) ((size + PAGE - 1) / PAGE);
  guint tail = (guint) (size % PAGE);

  content->size = size;
  g_ptr_array_set_size (content->pages, (gint) n);
  /* What lies behind the end reads as zeros when the file grows again. */
  if (tail != 0 && content->pages->pdata[n - 1] != NULL)
    {
      Page *old = content->pages->pdata[n - 1];
      Page *page = page_new ();

      memcpy (page->data, old->data, tail);
      memset (page->data + tail, 0, PAGE - tail);
      content->pages->pdata[n - 1] = page;
      page_unref (old);
    }
}

static void
content_set (Content *to, const Content *from)
{
  for (guint i = 0; i < from->pages->len; i++)
    {
      Page *page = from->pages->pdata[i];

      if (i < to->pages->len && to->pages->pdata[i] == page)
        continue;
      if (page != NULL)
        page->ref++;
      if (i < to->pages->len)
        {
          page_unref (to->pages->pdata[i]);
          to->pages->pdata[i] = page;
        }
      else
        g_ptr_array_add (to->pages, page);
    }
  g_ptr_array_set_size (to->pages, (gint) from->pages->len);
  to->size = from->size;
}

static guint8 *
content_writable (Content *content, guint n)
{
  Page *page = content->pages->pdata[n];

  if (page != NULL && page->ref == 1)
    return page->data;
  {
    Page *copy = page_new ();

    if (page != NULL)
      memcpy (copy->data, page->data, PAGE);
    else
      memset (copy->data, 0, PAGE);
    page_unref (page);
    content->pages->pdata[n] = copy;
    return copy->data;
  }
}

static void
content_write (Content *content, const guint8 *data, gint64 len, gint64 offset)
{
  if (offset + len > content->size)
    {
      content->size = offset + len;
      g_ptr_array_set_size (content->pages, (gint) ((content->size + PAGE - 1) / PAGE));
    }
  while (len > 0)
    {
      guint at = (guint) (offset % PAGE);
      gint64 part = MIN (len, (gint64) (PAGE - at));

      memcpy (content_writable (content, (guint) (offset / PAGE)) + at, data, (gsize) part);
      data += part;
      offset += part;
      len -= part;
    }
}

static void
content_read (const Content *content, guint8 *data, gint64 len, gint64 offset)
{
  while (len > 0)
    {
      guint at = (guint) (offset % PAGE);
      gint64 part = MIN (len, (gint64) (PAGE - at));
      Page *page = content->pages->pdata[offset / PAGE];

      if (page != NULL)
        memcpy (data, page->data + at, (gsize) part);
      else
        memset (data, 0, (gsize) part);
      data += part;
      offset += part;
      len -= part;
    }
}

/* ---- files ---- */

static void
drop_shm (File *file)
{
  g_ptr_array_set_size (file->shm, 0);
}

static void
file_free (gpointer data)
{
  File *file = data;

  content_clear (&file->cur);
  content_clear (&file->dur);
  g_ptr_array_unref (file->shm);
  g_free (file->path);
  g_free (file);
}

static SimDisk *
disk_of (const char *path)
{
  for (guint i = 0; i < disks->len; i++)
    {
      SimDisk *disk = disks->pdata[i];

      if (strncmp (path, disk->dir, disk->dir_len) == 0 && path[disk->dir_len] == '/')
        return disk;
    }
  return NULL;
}

static File *
file_new (const char *path)
{
  File *file = g_new0 (File, 1);

  file->path = g_strdup (path);
  file->disk = path != NULL ? disk_of (path) : NULL;
  file->shm = g_ptr_array_new_with_free_func (g_free);
  content_init (&file->cur);
  content_init (&file->dur);
  if (path != NULL)
    g_hash_table_insert (files, file->path, file);
  return file;
}

/* Whether the access happens at all. */
static int
check_access (SimDisk *disk, int error)
{
  if (disk == NULL)
    return SQLITE_OK;
  if (disk->dead)
    return error;
  if (disk->fail > 0 && --disk->fail == 0)
    return error;
  return SQLITE_OK;
}

/* A change: the moment the process may die in. */
static int
check_change (SimDisk *disk, int error, gboolean *last)
{
  int code = check_access (disk, error);

  *last = FALSE;
  if (code != SQLITE_OK || disk == NULL)
    return code;
  disk->changes++;
  if (disk->doom > 0 && --disk->doom == 0)
    {
      disk->dead = TRUE;
      *last = TRUE;
    }
  return SQLITE_OK;
}

static int
sim_close (sqlite3_file *base)
{
  File *file = ((Handle *) base)->file;

  file->handles--;
  if (file->path == NULL)
    file_free (file);
  return SQLITE_OK;
}

static int
sim_read (sqlite3_file *base, void *data, int len, sqlite3_int64 offset)
{
  File *file = ((Handle *) base)->file;
  int code = check_access (file->disk, SQLITE_IOERR_READ);
  gint64 there = CLAMP (file->cur.size - offset, 0, len);

  if (code != SQLITE_OK)
    return code;
  content_read (&file->cur, data, there, offset);
  if (there == len)
    return SQLITE_OK;
  memset ((guint8 *) data + there, 0, (gsize) (len - there));
  return SQLITE_IOERR_SHORT_READ;
}

static int
sim_write (sqlite3_file *base, const void *data, int len, sqlite3_int64 offset)
{
  File *file = ((Handle *) base)->file;
  SimDisk *disk = file->disk;
  gboolean last;
  int code;

  if (disk != NULL && !disk->dead && disk->full && offset + len > file->cur.size)
    return SQLITE_FULL;
  code = check_change (disk, SQLITE_IOERR_WRITE, &last);
  if (code != SQLITE_OK)
    return code;
  file->dirty = TRUE;
  if (last)
    len = len / SECTOR / 2 * SECTOR;
  content_write (&file->cur, data, len, offset);
  return last ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int
sim_truncate (sqlite3_file *base, sqlite3_int64 size)
{
  File *file = ((Handle *) base)->file;
  gboolean last;
  int code = check_change (file->disk, SQLITE_IOERR_TRUNCATE, &last);

  if (code != SQLITE_OK)
    return code;
  file->dirty = TRUE;
  if (!last)
    content_resize (&file->cur, size);
  return last ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int
sim_sync (sqlite3_file *base, int flags)
{
  File *file = ((Handle *) base)->file;
  gboolean last;
  int code = check_change (file->disk, SQLITE_IOERR_FSYNC, &last);

  if (code != SQLITE_OK)
    return code;
  if (last)
    return SQLITE_IOERR_FSYNC;
  if (file->dirty && file->disk != NULL)
    content_set (&file->dur, &file->cur);
  file->dirty = FALSE;
  return SQLITE_OK;
}

static int
sim_file_size (sqlite3_file *base, sqlite3_int64 *size)
{
  File *file = ((Handle *) base)->file;
  int code = check_access (file->disk, SQLITE_IOERR_FSTAT);

  *size = file->cur.size;
  return code;
}

/* One process has a file: there is nobody to lock out. */
static int
sim_lock (sqlite3_file *base, int level)
{
  return SQLITE_OK;
}

static int
sim_check_lock (sqlite3_file *base, int *reserved)
{
  *reserved = 0;
  return SQLITE_OK;
}

static int
sim_control (sqlite3_file *base, int op, void *data)
{
  return SQLITE_NOTFOUND;
}

static int
sim_sector_size (sqlite3_file *base)
{
  return SECTOR;
}

static int
sim_characteristics (sqlite3_file *base)
{
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int
sim_shm_map (sqlite3_file *base, int n, int size, int extend, void volatile **out)
{
  File *file = ((Handle *) base)->file;

  if (!extend && n >= (int) file->shm->len)
    {
      *out = NULL;
      return SQLITE_OK;
    }
  while (n >= (int) file->shm->len)
    g_ptr_array_add (file->shm, g_malloc0 (SHM_BLOCK));
  g_assert (size == SHM_BLOCK);
  *out = file->shm->pdata[n];
  return SQLITE_OK;
}

static int
sim_shm_lock (sqlite3_file *base, int offset, int n, int flags)
{
  return SQLITE_OK;
}

static void
sim_shm_barrier (sqlite3_file *base)
{
}

static int
sim_shm_unmap (sqlite3_file *base, int remove)
{
  File *file = ((Handle *) base)->file;

  if (file->handles <= 1)
    drop_shm (file);
  return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
  .iVersion = 2,
  .xClose = sim_close,
  .xRead = sim_read,
  .xWrite = sim_write,
  .xTruncate = sim_truncate,
  .xSync = sim_sync,
  .xFileSize = sim_file_size,
  .xLock = sim_lock,
  .xUnlock = sim_lock,
  .xCheckReservedLock = sim_check_lock,
  .xFileControl = sim_control,
  .xSectorSize = sim_sector_size,
  .xDeviceCharacteristics = sim_characteristics,
  .xShmMap = sim_shm_map,
  .xShmLock = sim_shm_lock,
  .xShmBarrier = sim_shm_barrier,
  .xShmUnmap = sim_shm_unmap,
};

/* ---- the VFS ---- */

static int
vfs_open (sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out)
{
  Handle *handle = (Handle *) base;
  File *file = path != NULL ? g_hash_table_lookup (files, path) : NULL;
  SimDisk *disk = path != NULL ? disk_of (path) : NULL;
  int code = check_access (disk, SQLITE_CANTOPEN);

  handle->base.pMethods = NULL;
  if (code != SQLITE_OK)
    return code;
  if (file == NULL && path != NULL && (flags & SQLITE_OPEN_CREATE) == 0)
    return SQLITE_CANTOPEN;
  if (file == NULL)
    file = file_new (path);
  file->handles++;
  handle->file = file;
  handle->base.pMethods = &methods;
  if (out != NULL)
    *out = flags;
  return SQLITE_OK;
}

static int
vfs_delete (sqlite3_vfs *vfs, const char *path, int sync_dir)
{
  gboolean last;
  int code = check_change (disk_of (path), SQLITE_IOERR_DELETE, &last);

  if (code != SQLITE_OK)
    return code;
  if (last)
    return SQLITE_IOERR_DELETE;
  return g_hash_table_remove (files, path) ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
}

static int
vfs_access (sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
  File *file = g_hash_table_lookup (files, path);

  *out = file != NULL && (flags != SQLITE_ACCESS_EXISTS || file->cur.size > 0);
  return SQLITE_OK;
}

static int
vfs_full_pathname (sqlite3_vfs *vfs, const char *path, int size, char *out)
{
  g_strlcpy (out, path, (gsize) size);
  return SQLITE_OK;
}

static int
vfs_randomness (sqlite3_vfs *vfs, int len, char *out)
{
  for (int i = 0; i < len; i++)
    {
      random_state = random_state * G_GUINT64_CONSTANT (6364136223846793005) + 1442695040888963407;
      out[i] = (char) (random_state >> 56);
    }
  return len;
}

static int
vfs_sleep (sqlite3_vfs *vfs, int us)
{
  return us;
}

static int
vfs_time (sqlite3_vfs *vfs, double *out)
{
  *out = 2460000.5;
  return SQLITE_OK;
}

static int
vfs_last_error (sqlite3_vfs *vfs, int len, char *out)
{
  return 0;
}

void
sim_vfs_register (void)
{
  static sqlite3_vfs vfs = {
    .iVersion = 1,
    .szOsFile = sizeof (Handle),
    .mxPathname = 512,
    .zName = "kontor-sim",
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_pathname,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_time,
    .xGetLastError = vfs_last_error,
  };

  files = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, file_free);
  disks = g_ptr_array_new ();
  if (sqlite3_vfs_register (&vfs, 1) != SQLITE_OK)
    g_error ("SQLite does not take the disks of the simulation");
}

void
sim_vfs_reseed (guint64 seed)
{
  random_state = seed;
  sqlite3_randomness (0, NULL);
}

/* ---- disks ---- */

SimDisk *
sim_disk_new (const char *dir)
{
  SimDisk *disk = g_new0 (SimDisk, 1);

  disk->dir = g_strdup (dir);
  disk->dir_len = strlen (dir);
  g_ptr_array_add (disks, disk);
  return disk;
}

static gboolean
is_on (gpointer path, gpointer data, gpointer disk)
{
  File *file = data;

  if (file->disk == disk && file->handles > 0)
    g_error ("%s is still open", file->path);
  return file->disk == disk;
}

void
sim_disk_free (SimDisk *disk)
{
  g_hash_table_foreach_remove (files, is_on, disk);
  g_ptr_array_remove (disks, disk);
  g_free (disk->dir);
  g_free (disk);
}

/* What is open stays, empty; SQLite keeps pointers into the shared memory. */
static gboolean
empty_or_remove (gpointer path, gpointer data, gpointer disk)
{
  File *file = data;

  if (file->disk != disk)
    return FALSE;
  if (file->handles == 0)
    return TRUE;
  content_resize (&file->cur, 0);
  content_resize (&file->dur, 0);
  file->dirty = FALSE;
  for (guint i = 0; i < file->shm->len; i++)
    memset (file->shm->pdata[i], 0, SHM_BLOCK);
  return FALSE;
}

static void
load_content (SimDisk *disk, const char *name, const char *suffix, const Content *content)
{
  g_autofree char *path = g_strconcat (disk->dir, "/", name, suffix, NULL);
  File *file = g_hash_table_lookup (files, path);

  if (file == NULL)
    file = file_new (path);
  content_set (&file->cur, content);
  content_set (&file->dur, content);
}

void
sim_disk_load (SimDisk *disk, const char *name, SimImage *image)
{
  g_hash_table_foreach_remove (files, empty_or_remove, disk);
  load_content (disk, name, "", &image->db);
  if (image->has_wal)
    load_content (disk, name, "-wal", &image->wal);
  disk->doom = disk->fail = 0;
  disk->dead = disk->full = FALSE;
  disk->changes = 0;
}

gboolean
sim_vfs_is_idle (gpointer sqlite)
{
  for (sqlite3_stmt *stmt = sqlite3_next_stmt (sqlite, NULL); stmt != NULL;
       stmt = sqlite3_next_stmt (sqlite, stmt))
    if (sqlite3_stmt_busy (stmt))
      return FALSE;
  return TRUE;
}

void
sim_vfs_forget (gpointer sqlite)
{
  sqlite3_file_control (sqlite, "main", SQLITE_FCNTL_RESET_CACHE, NULL);
}

static gboolean
copy_content (SimDisk *disk, const char *name, const char *suffix, Content *out)
{
  g_autofree char *path = g_strconcat (disk->dir, "/", name, suffix, NULL);
  File *file = g_hash_table_lookup (files, path);

  content_init (out);
  if (file != NULL)
    content_set (out, &file->cur);
  return file != NULL;
}

SimImage *
sim_disk_snapshot (SimDisk *disk, const char *name)
{
  SimImage *image = g_new0 (SimImage, 1);

  image->ref = 1;
  if (!copy_content (disk, name, "", &image->db))
    g_error ("%s has no %s", disk->dir, name);
  image->has_wal = copy_content (disk, name, "-wal", &image->wal);
  return image;
}

SimImage *
sim_image_read (const char *path)
{
  SimImage *image = g_new0 (SimImage, 1);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  gsize len;

  if (!g_file_get_contents (path, &text, &len, &error))
    g_error ("%s", error->message);
  image->ref = 1;
  content_init (&image->db);
  content_init (&image->wal);
  content_write (&image->db, (const guint8 *) text, (gint64) len, 0);
  return image;
}

SimImage *
sim_image_ref (SimImage *image)
{
  image->ref++;
  return image;
}

void
sim_image_unref (SimImage *image)
{
  if (image == NULL || --image->ref > 0)
    return;
  content_clear (&image->db);
  content_clear (&image->wal);
  g_free (image);
}

void
sim_disk_doom (SimDisk *disk, guint nth)
{
  disk->doom = nth;
}

void
sim_disk_kill (SimDisk *disk)
{
  disk->dead = TRUE;
}

gboolean
sim_disk_dead (SimDisk *disk)
{
  return disk->dead;
}

/* Of every sector that is not the same, one of the two. */
static void
cut_power (File *file, GRand *chance)
{
  guint mode = (guint) g_rand_int_range (chance, 0, 3); /* all lost, all kept but the size, any */
  gint64 size = file->cur.size;
  Content left;

  content_init (&left);
  content_set (&left, &file->dur);
  if (mode > 0)
    {
      guint n = MIN (file->cur.pages->len, (guint) ((MAX (size, left.size) + PAGE - 1) / PAGE));

      if (size > left.size && g_rand_boolean (chance))
        size = left.size + (size - left.size) / SECTOR * g_rand_int_range (chance, 0, SECTOR + 1);
      content_resize (&left, size);
      n = MIN (n, left.pages->len);
      for (guint i = 0; i < n; i++)
        {
          Page *page = file->cur.pages->pdata[i];

          if (page == left.pages->pdata[i] || page == NULL)
            continue;
          for (guint k = 0; k < PAGE; k += SECTOR)
            if (mode == 1 || g_rand_boolean (chance))
              memcpy (content_writable (&left, i) + k, page->data + k, SECTOR);
        }
      content_resize (&left, size);
    }
  content_set (&file->cur, &left);
  content_set (&file->dur, &left);
  content_clear (&left);
}

static int
compare_files (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(File *const *) a)->path, (*(File *const *) b)->path);
}

void
sim_disk_restart (SimDisk *disk, SimEnd end, GRand *chance)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  /* In an order that does not depend on where things lie in memory. */
  g_hash_table_iter_init (&iter, files);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (list, value);
  g_ptr_array_sort (list, compare_files);
  for (guint i = 0; i < list->len; i++)
    {
      File *file = list->pdata[i];

      if (file->disk != disk)
        continue;
      if (file->handles > 0)
        g_error ("%s is still open", file->path);
      drop_shm (file);
      if (end == SIM_POWER_CUT && file->dirty)
        cut_power (file, chance);
      else if (end == SIM_POWER_CUT)
        content_set (&file->cur, &file->dur);
      file->dirty = end != SIM_POWER_CUT && file->dirty;
    }
  disk->dead = FALSE;
  disk->doom = disk->fail = 0;
}

void
sim_disk_set_full (SimDisk *disk, gboolean full)
{
  disk->full = full;
}

void
sim_disk_fail (SimDisk *disk, guint nth)
{
  disk->fail = nth;
}

void
sim_disk_heal (SimDisk *disk)
{
  disk->full = FALSE;
  disk->doom = disk->fail = 0;
}

guint64
sim_disk_changes (SimDisk *disk)
{
  return disk->changes;
}
