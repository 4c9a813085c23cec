/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Attachments by content.
 *
 *   blobs/ab/abcd…        whole, verified, never changed again
 *   blobs/part/abcd…      what has come so far; an upload continues at its end
 *
 * A part that nobody has added to for a week goes, and the oldest of them as soon as they take 16 GiB together, but
 * none that was added to within the last hour.
 *
 * A part becomes whole by rename, after its SHA-256 was found to be its name. Then the `file` records that
 * name it are told, in a commit of their own. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-scope.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/kt-error.h"
#include "db/kt-table.h"

#define MAX_BLOB (G_GINT64_CONSTANT (64) * 1024 * 1024 * 1024)

gboolean
_kt_sha256_valid (const char *text)
{
  return text != NULL && strlen (text) == 64 && strspn (text, "0123456789abcdef") == 64;
}

char *
_kt_core_blob_path (KtCore *core, const char *sha256)
{
  char folder[3] = { sha256[0], sha256[1], '\0' };

  return g_build_filename (core->dir, "blobs", folder, sha256, NULL);
}

static char *
part_path (KtCore *core, const char *sha256)
{
  return g_build_filename (core->dir, "blobs", "part", sha256, NULL);
}

gboolean
_kt_core_blob_have (KtCore *core, const char *sha256, gint64 *size)
{
  g_autofree char *path = NULL;
  struct stat st;

  if (!_kt_sha256_valid (sha256))
    return FALSE;
  path = _kt_core_blob_path (core, sha256);
  if (stat (path, &st) != 0 || !S_ISREG (st.st_mode))
    return FALSE;
  if (size != NULL)
    *size = st.st_size;
  return TRUE;
}

static void
set_system_error (GError **error, int code, const char *what)
{
  g_set_error (error, KT_ERROR, code == ENOSPC || code == EDQUOT ? KT_ERROR_FULL : KT_ERROR_IO,
               "%s: %s", what, g_strerror (code));
}

static gboolean
check_name (const KtRequest *request, GError **error)
{
  if (_kt_sha256_valid (request->rest))
    return TRUE;
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
               "An attachment is named by its SHA-256, 64 lower-case hex digits");
  return FALSE;
}

/* ---- reading ---- */

/* Whether a `file` record that the user may read names it. */
static gboolean
may_read (KtCore *core, const KtActor *actor, const char *sha256, GError **error)
{
  const KtObject *object = kt_schema_object (core->schema, "file");
  g_autoptr (GArray) rids = g_array_new (FALSE, FALSE, sizeof (gint64));
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step = KT_STEP_DONE;

  if (object != NULL)
    {
      stmt = kt_db_stmt (core->db, "SELECT rid FROM \"o_file\" WHERE \"f_sha256\" = ?1", error);
      if (stmt == NULL)
        return FALSE;
      kt_stmt_bind_text (stmt, 1, sha256);
      while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
        {
          gint64 rid = kt_stmt_int (stmt, 0);

          g_array_append_val (rids, rid);
        }
    }
  if (step == KT_STEP_ERROR)
    return FALSE;
  for (guint i = 0; i < rids->len; i++)
    {
      gboolean sees;

      if (!_kt_scope_sees (core, actor, object, g_array_index (rids, gint64, i), &sees, error))
        return FALSE;
      if (sees)
        return TRUE;
    }
  g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no such attachment");
  return FALSE;
}

static KtReply *
beyond_reply (gint64 size)
{
  g_autoptr (GError) error =
    g_error_new (KT_ERROR, KT_ERROR_INVALID, "The attachment has only %" G_GINT64_FORMAT " bytes", size);
  KtReply *reply = _kt_reply_error (error);

  reply->status = 416;
  return reply;
}

/* A part of it, read and not mapped: offsets are 64 bits wide whatever the machine. */
static KtReply *
piece_reply (const char *path, const KtRequest *request)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *data = NULL;
  gsize got = 0, want;
  struct stat st;
  KtReply *reply;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

  if (fd < 0 || fstat (fd, &st) != 0)
    {
      if (fd >= 0)
        close (fd);
      g_set_error (&error, KT_ERROR, KT_ERROR_NOT_FOUND, "The attachment has not arrived here yet");
      return _kt_reply_error (error);
    }
  if (request->range_start > st.st_size || (request->range_start == st.st_size && st.st_size > 0))
    {
      close (fd);
      return beyond_reply (st.st_size);
    }
  want = (gsize) MIN (request->range_length, (gint64) st.st_size - request->range_start);
  data = g_malloc (want + 1);
  while (got < want)
    {
      gssize n = pread (fd, data + got, want - got, (off_t) request->range_start + (off_t) got);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          set_system_error (&error, n < 0 ? errno : EIO, "The attachment cannot be read");
          close (fd);
          return _kt_reply_error (error);
        }
      got += (gsize) n;
    }
  close (fd);
  reply = kt_reply_new (206);
  reply->content_type = g_strdup (KT_WIRE_CONTENT_BLOB);
  reply->body = g_bytes_new_take (g_steal_pointer (&data), want);
  reply->range_start = request->range_start;
  reply->range_total = st.st_size;
  return reply;
}

KtReply *
_kt_core_blob_get (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  g_autoptr (GMappedFile) file = NULL;
  g_autoptr (GBytes) all = NULL;
  KtReply *reply;
  gint64 size, start = MAX (request->range_start, 0);

  if (!check_name (request, &error) || !may_read (core, actor, request->rest, &error))
    return _kt_reply_error (error);
  path = _kt_core_blob_path (core, request->rest);
  if (request->range_start >= 0 && request->range_length > 0
      && request->range_length <= KT_WIRE_MAX_BODY)
    return piece_reply (path, request);
  file = g_mapped_file_new (path, FALSE, NULL);
  if (file == NULL)
    {
      g_set_error (&error, KT_ERROR, KT_ERROR_NOT_FOUND, "The attachment has not arrived here yet");
      return _kt_reply_error (error);
    }
  size = (gint64) g_mapped_file_get_length (file);
  if (start > size || (start == size && size > 0))
    return beyond_reply (size);
  reply = kt_reply_new (request->range_start >= 0 ? 206 : 200);
  reply->content_type = g_strdup (KT_WIRE_CONTENT_BLOB);
  all = g_mapped_file_get_bytes (file);
  reply->body = g_bytes_new_from_bytes (all, (gsize) start, (gsize) (size - start));
  reply->range_start = start;
  reply->range_total = size;
  return reply;
}

static KtReply *
state_reply (gint64 have, gboolean whole)
{
  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  kt_json_begin_object (&writer);
  kt_json_put_int (&writer, "have", have);
  kt_json_put_bool (&writer, "whole", whole);
  kt_json_end_object (&writer);
  return _kt_reply_json (200, text);
}

static gint64
part_size (KtCore *core, const char *sha256)
{
  g_autofree char *path = part_path (core, sha256);
  struct stat st;

  return stat (path, &st) == 0 ? st.st_size : 0;
}

KtReply *
_kt_core_blob_stat (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_autoptr (GError) error = NULL;
  gint64 size;

  if (!check_name (request, &error))
    return _kt_reply_error (error);
  if (_kt_core_blob_have (core, request->rest, &size))
    return state_reply (size, TRUE);
  return state_reply (part_size (core, request->rest), FALSE);
}

/* ---- writing ---- */

static gboolean
write_all (int fd, const guint8 *data, gsize len, GError **error)
{
  while (len > 0)
    {
      gssize n = write (fd, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          set_system_error (error, errno, "The attachment cannot be stored");
          return FALSE;
        }
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

/* Sums under way, by path: an upload is summed as it comes, so that its last piece is answered at once. After a
 * restart what is there already is read again, a slice with every question: no request takes long, however large
 * the attachment is. */
typedef struct
{
  GChecksum *sum;
  gint64 at; /* bytes summed */
  gint64 used; /* order of use */
} Running;

#define MAX_RUNNING 64
#define SLICE (64 * 1024 * 1024)

static GMutex running_lock;
static GHashTable *running;
static gint64 running_clock;

static void
running_free (gpointer data)
{
  Running *one = data;

  g_checksum_free (one->sum);
  g_free (one);
}

/* Takes it out, or begins: -1 always. */
static Running *
take_running (const char *path, gint64 size)
{
  Running *one = NULL;
  g_autofree char *key = NULL;

  g_mutex_lock (&running_lock);
  if (running != NULL)
    g_hash_table_steal_extended (running, path, (gpointer *) &key, (gpointer *) &one);
  g_mutex_unlock (&running_lock);
  if (one != NULL && one->at <= size)
    return one;
  if (one != NULL)
    running_free (one);
  one = g_new0 (Running, 1);
  one->sum = g_checksum_new (G_CHECKSUM_SHA256);
  return one;
}

static void
put_running (const char *path, Running *one)
{
  g_mutex_lock (&running_lock);
  if (running == NULL)
    running = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, running_free);
  if (g_hash_table_size (running) >= MAX_RUNNING)
    {
      GHashTableIter iter;
      gpointer key, value, oldest = NULL;
      gint64 least = G_MAXINT64;

      g_hash_table_iter_init (&iter, running);
      while (g_hash_table_iter_next (&iter, &key, &value))
        if (((Running *) value)->used < least)
          {
            least = ((Running *) value)->used;
            oldest = key;
          }
      g_hash_table_remove (running, oldest);
    }
  one->used = ++running_clock;
  g_hash_table_replace (running, g_strdup (path), one);
  g_mutex_unlock (&running_lock);
}

static gboolean
sum_up (int fd, Running *one, gint64 most, GError **error)
{
  g_autofree guint8 *buffer = g_malloc (256 * 1024);
  gint64 end = one->at + most;

  while (one->at < end)
    {
      gssize n = pread (fd, buffer, (gsize) MIN (end - one->at, 256 * 1024), one->at);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          set_system_error (error, errno, "The attachment cannot be read");
          return FALSE;
        }
      if (n == 0)
        break;
      g_checksum_update (one->sum, buffer, n);
      one->at += n;
    }
  return TRUE;
}

static int
open_part (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  int fd;

  if (g_mkdir_with_parents (folder, 0700) != 0
      || (fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
    {
      set_system_error (error, errno, "The attachment cannot be stored");
      return -1;
    }
  if (flock (fd, LOCK_EX) != 0)
    {
      set_system_error (error, errno, "The attachment cannot be stored");
      close (fd);
      return -1;
    }
  return fd;
}

static gboolean
move_whole (KtCore *core, int fd, const char *from, const char *sha256, GError **error)
{
  g_autofree char *to = _kt_core_blob_path (core, sha256);
  g_autofree char *folder = g_path_get_dirname (to);
  int folder_fd;

  if (fsync (fd) != 0 || g_mkdir_with_parents (folder, 0700) != 0 || g_rename (from, to) != 0)
    {
      set_system_error (error, errno, "The attachment cannot be stored");
      return FALSE;
    }
  folder_fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0)
    {
      fsync (folder_fd);
      close (folder_fd);
    }
  return TRUE;
}

/* `file` records that wait for it become "stored". */
static gboolean
tell_records (KtCore *core, const char *sha256, GError **error)
{
  const KtObject *object = kt_schema_object (core->schema, "file");
  const KtField *state = object != NULL ? kt_object_field (object, "state") : NULL;
  char now[KT_TIME_SIZE];
  g_autoptr (KtMutation) mutation = NULL;
  g_auto (KtActor) system = { 0 };
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (state == NULL)
    return TRUE;
  _kt_core_now (core, now);
  mutation = kt_mutation_new (now, "rule");
  mutation->id = kt_id_new (core->env);
  stmt = kt_db_stmt (core->db,
                     "SELECT id, rev, \"f_state\" FROM \"o_file\" WHERE \"f_sha256\" = ?1"
                     " AND COALESCE(\"f_state\", '') <> 'stored' LIMIT 1000",
                     error);
  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_text (stmt, 1, sha256);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      KtPatch *patch = kt_patch_new (object);
      g_auto (KtValue) before = KT_VALUE_INIT;
      g_auto (KtValue) after = KT_VALUE_INIT;
      KtId id;

      kt_stmt_id (stmt, 0, &id);
      kt_value_set_text (&before, kt_stmt_text (stmt, 2));
      kt_value_set_text (&after, "stored");
      kt_patch_set (patch, state, &before, &after);
      kt_mutation_add (mutation, KT_MUTATE_UPDATE, object, &id, kt_stmt_int (stmt, 1), patch);
    }
  kt_stmt_reset (g_steal_pointer (&stmt));
  if (step == KT_STEP_ERROR)
    return FALSE;
  if (mutation->ops->len == 0)
    return TRUE;
  _kt_actor_system (core, &system);
  return _kt_core_commit (core, &system, mutation, NULL, error);
}

/* How large it is to be, as the `file` record says; -1: nobody has said yet. */
static gboolean
expected_size (KtCore *core, const char *sha256, gint64 *size, GError **error)
{
  *size = -1;
  if (kt_schema_object (core->schema, "file") == NULL)
    return TRUE;
  return kt_db_get_int (
    core->db, -1, size, error,
    "SELECT \"f_size\" FROM \"o_file\" WHERE \"f_sha256\" = ?1 AND \"f_size\" IS NOT NULL"
    " ORDER BY rid LIMIT 1",
    KT_BIND_TEXT, sha256, KT_BIND_END);
}

/* @have bytes are there. Without a size, being whole is only to be found out by trying. */
static gboolean
take_in (KtCore *core,
         int fd,
         const char *path,
         const char *sha256,
         gboolean anew,
         gint64 have,
         gint64 size,
         gboolean is_part,
         gboolean *whole,
         GError **error)
{
  Running *one = take_running (path, anew ? -1 : have);
  gboolean all = size < 0 ? !is_part : have == size;
  gboolean fits;

  if (!sum_up (fd, one, SLICE, error))
    {
      running_free (one);
      return FALSE;
    }
  if (!all || one->at < have)
    {
      put_running (path, one);
      return TRUE;
    }
  {
    g_autoptr (GChecksum) copy = g_checksum_copy (one->sum);

    fits = strcmp (g_checksum_get_string (copy), sha256) == 0;
  }
  if (!fits && size < 0)
    {
      put_running (path, one);
      return TRUE;
    }
  running_free (one);
  if (fits)
    return *whole = move_whole (core, fd, path, sha256, error);
  unlink (path);
  g_set_error (
    error, KT_ERROR, KT_ERROR_INVALID,
    "The attachment's content is not what its name says: send it again from the beginning");
  return FALSE;
}

/* Appends at @offset. @is_part: there is more to come, for all that is known. *whole: it is complete and in its place. */
static gboolean
append (KtCore *core,
        const char *sha256,
        gint64 offset,
        gint64 size,
        gboolean is_part,
        GBytes *body,
        gint64 *have,
        gboolean *whole,
        GError **error)
{
  g_autofree char *path = part_path (core, sha256);
  int fd = open_part (path, error);
  gboolean done = FALSE;
  struct stat st;
  gsize len = 0;
  const guint8 *data = body != NULL ? g_bytes_get_data (body, &len) : NULL;

  *whole = FALSE;
  if (fd < 0)
    return FALSE;
  /* Somebody else sent its end while we waited for the lock. */
  if (_kt_core_blob_have (core, sha256, have))
    {
      unlink (path);
      close (fd);
      return *whole = TRUE;
    }
  if (fstat (fd, &st) != 0 || offset != st.st_size)
    {
      *have = st.st_size;
      g_set_error (error, KT_ERROR, KT_ERROR_CONFLICT,
                   "“offset” is wrong: %" G_GINT64_FORMAT
                   " bytes of the attachment are here, go on from there",
                   (gint64) st.st_size);
    }
  else if (offset + (gint64) len > MAX_BLOB || (size >= 0 && offset + (gint64) len > size))
    g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "The attachment is larger than it may be");
  else if (lseek (fd, offset, SEEK_SET) == offset && write_all (fd, data, len, error))
    {
      *have = offset + (gint64) len;
      done = take_in (core, fd, path, sha256, offset == 0, *have, size, is_part, whole, error);
    }
  else if (error != NULL && *error == NULL)
    set_system_error (error, errno, "The attachment cannot be stored");
  close (fd);
  return done;
}

/* ---- what nobody goes on sending ---- */

typedef struct
{
  char *path;
  gint64 age_s, size;
} Part;

static void
part_clear (gpointer data)
{
  g_free (((Part *) data)->path);
}

static int
older_first (gconstpointer a, gconstpointer b)
{
  gint64 x = ((const Part *) a)->age_s, y = ((const Part *) b)->age_s;

  return x > y ? -1 : x < y;
}

/* Not one that is being written to: its lock says so. */
static gboolean
drop_part (const char *path)
{
  int fd = open (path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  gboolean dropped = FALSE;

  if (fd < 0)
    return FALSE;
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    dropped = unlink (path) == 0;
  close (fd);
  return dropped;
}

guint
kt_core_drop_old_parts (KtCore *core, gint64 age_s, gint64 most, gint64 grace_s)
{
  g_autofree char *folder = NULL;
  g_autoptr (GDir) dir = NULL;
  g_autoptr (GArray) parts = g_array_new (FALSE, TRUE, sizeof (Part));
  gint64 now, sum = 0;
  const char *name;
  guint dropped = 0;

  g_return_val_if_fail (core != NULL, 0);

  g_array_set_clear_func (parts, part_clear);
  folder = g_build_filename (core->dir, "blobs", "part", NULL);
  dir = g_dir_open (folder, 0, NULL);
  now = core->env->now_us (core->env->data) / G_USEC_PER_SEC;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      Part part = { g_build_filename (folder, name, NULL), 0, 0 };
      struct stat st;

      if (stat (part.path, &st) != 0)
        {
          g_free (part.path);
          continue;
        }
      part.age_s = MAX (now - (gint64) st.st_mtime, 0);
      part.size = (gint64) st.st_blocks * 512;
      sum += part.size;
      g_array_append_val (parts, part);
    }
  g_array_sort (parts, older_first);
  for (guint i = 0; i < parts->len; i++)
    {
      const Part *part = &g_array_index (parts, Part, i);

      if (part->age_s < grace_s || (part->age_s < age_s && sum <= most))
        break;
      if (drop_part (part->path))
        {
          sum -= part->size;
          dropped++;
        }
    }
  return dropped;
}

KtReply *
_kt_core_blob_put (KtCore *core, const KtActor *actor, const KtRequest *request)
{
  g_autoptr (GError) error = NULL;
  gint64 offset, size, have = 0;
  gint64 length = request->body != NULL ? (gint64) g_bytes_get_size (request->body) : 0;
  gboolean whole, hint = FALSE;

  if (!check_name (request, &error)
      || !_kt_query_int (request, "offset", 0, 0, MAX_BLOB, &offset, &error)
      || !_kt_query_int (request, "size", -1, 0, MAX_BLOB, &size, &error))
    return _kt_reply_error (error);
  if (_kt_core_blob_have (core, request->rest, &have))
    return state_reply (have, TRUE);
  if (size < 0)
    {
      gint64 expected;

      if (!expected_size (core, request->rest, &expected, &error))
        return _kt_reply_error (error);
      hint = expected >= 0 && offset + length < expected;
    }
  /* A new one may need the room of what nobody goes on with. */
  if (offset == 0)
    kt_core_drop_old_parts (core, KT_PART_AGE_S, KT_PART_BYTES, KT_PART_GRACE_S);
  if (!append (core, request->rest, offset, size, hint, request->body, &have, &whole, &error)
      || (whole && !tell_records (core, request->rest, &error)))
    return _kt_reply_error (error);
  return state_reply (have, whole);
}
