/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Attachments by content.
 *
 *   blobs/ab/abcd…        whole, verified, never changed again
 *   blobs/part/abcd…      what has come so far; an upload continues at its end
 *
 * A part becomes whole by rename, after its SHA-256 was found to be its name. Then the `file` records that
 * name it are told, in a commit of their own. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

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
  g_autofree char *sql = NULL;
  KT_STMT_SCOPE *stmt = NULL;
  KtStep step;

  if (object != NULL)
    {
      sql = g_strdup_printf ("SELECT %s FROM \"o_file\" WHERE \"f_sha256\" = ?1",
                             kt_table_columns (core->db, object, NULL));
      stmt = kt_db_stmt (core->db, sql, error);
      if (stmt == NULL)
        return FALSE;
      kt_stmt_bind_text (stmt, 1, sha256);
      while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
        {
          g_autoptr (KtRecord) record = kt_table_read (stmt, 0, object);
          char *reason = NULL;

          if (kt_access_may (&actor->access, KT_MAY_READ, object, record, actor->locale, &reason))
            return TRUE;
          g_free (reason);
        }
      if (step == KT_STEP_ERROR)
        return FALSE;
    }
  g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no such attachment");
  return FALSE;
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
  file = g_mapped_file_new (path, FALSE, NULL);
  if (file == NULL)
    {
      g_set_error (&error, KT_ERROR, KT_ERROR_NOT_FOUND, "The attachment has not arrived here yet");
      return _kt_reply_error (error);
    }
  size = (gint64) g_mapped_file_get_length (file);
  if (start > size || (start == size && size > 0))
    {
      g_set_error (&error, KT_ERROR, KT_ERROR_INVALID,
                   "The attachment has only %" G_GINT64_FORMAT " bytes", size);
      reply = _kt_reply_error (error);
      reply->status = 416;
      return reply;
    }
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

static gboolean
hash_matches (int fd, const char *sha256, GError **error)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *buffer = g_malloc (256 * 1024);
  gssize n;

  if (lseek (fd, 0, SEEK_SET) < 0)
    {
      set_system_error (error, errno, "The attachment cannot be read");
      return FALSE;
    }
  while ((n = read (fd, buffer, 256 * 1024)) != 0)
    {
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          set_system_error (error, errno, "The attachment cannot be read");
          return FALSE;
        }
      g_checksum_update (checksum, buffer, n);
    }
  return strcmp (g_checksum_get_string (checksum), sha256) == 0;
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
      done = TRUE;
      /* Without a size, being whole is only to be found out by trying. */
      if (size < 0 ? !is_part : *have == size)
        {
          gboolean fits = hash_matches (fd, sha256, error);

          if (error != NULL && *error != NULL)
            done = FALSE;
          else if (fits)
            *whole = done = move_whole (core, fd, path, sha256, error);
          else if (size >= 0)
            {
              done = FALSE;
              unlink (path);
              g_set_error (
                error, KT_ERROR, KT_ERROR_INVALID,
                "The attachment's content is not what its name says: send it again from the beginning");
            }
        }
    }
  else if (error != NULL && *error == NULL)
    set_system_error (error, errno, "The attachment cannot be stored");
  close (fd);
  return done;
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
  if (!append (core, request->rest, offset, size, hint, request->body, &have, &whole, &error)
      || (whole && !tell_records (core, request->rest, &error)))
    return _kt_reply_error (error);
  return state_reply (have, whole);
}
