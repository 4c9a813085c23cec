/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-json.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/kt-error.h"

/* The one door of this layer to the file system: schema files are read here.
 * Everything else is given its bytes. */

static KtError
code_of_errno (int code)
{
  switch (code)
    {
    case ENOENT:
    case ENOTDIR:
      return KT_ERROR_NOT_FOUND;
    case EISDIR:
    case ENAMETOOLONG:
      return KT_ERROR_INVALID;
    default:
      return KT_ERROR_IO;
    }
}

static gboolean
read_whole (const char *path, gsize max_bytes, char **text, gsize *len, GError **error)
{
  g_autofree char *content = NULL;
  g_autoptr (GError) local = NULL;
  GStatBuf status;

  if (g_stat (path, &status) != 0)
    {
      int code = errno;

      g_set_error (error, KT_ERROR, (int) code_of_errno (code), "%s: %s", path, g_strerror (code));
      return FALSE;
    }
  if (S_ISDIR (status.st_mode))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s is a folder, not a file", path);
      return FALSE;
    }
  if (status.st_size > 0 && (guint64) status.st_size > max_bytes)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "%s is larger than %" G_GSIZE_FORMAT " bytes",
                   path, max_bytes);
      return FALSE;
    }
  if (!g_file_get_contents (path, &content, len, &local))
    {
      g_set_error (error, KT_ERROR,
                   local->code == G_FILE_ERROR_NOENT ? KT_ERROR_NOT_FOUND : KT_ERROR_IO, "%s: %s",
                   path, local->message);
      return FALSE;
    }
  *text = g_steal_pointer (&content);
  return TRUE;
}

KtJson *
kt_json_parse_file (const char *path, gsize max_bytes, GError **error)
{
  g_autofree char *text = NULL;
  g_autofree char *name = NULL;
  const char *start;
  KtJson *json;
  gsize len = 0;

  g_return_val_if_fail (path != NULL, NULL);

  if (!read_whole (path, max_bytes, &text, &len, error))
    return NULL;

  /* Editors of some systems put a mark in front. */
  start = text;
  if (len >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0)
    {
      start += 3;
      len -= 3;
    }
  json = kt_json_parse (start, (gssize) len, error);
  if (json == NULL)
    {
      name = g_path_get_basename (path);
      g_prefix_error (error, "%s: ", name);
    }
  return json;
}
