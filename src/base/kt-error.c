/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-error.h"

#include <string.h>

/* Foreign domains are recognised by the names of their quarks and by the
 * numbers of gioenums.h (stable ABI): base does not link GIO. */
#define IO_ERROR_NOT_FOUND 1
#define IO_ERROR_IS_DIRECTORY 3
#define IO_ERROR_FILENAME_TOO_LONG 9
#define IO_ERROR_INVALID_FILENAME 10
#define IO_ERROR_INVALID_ARGUMENT 13
#define IO_ERROR_PERMISSION_DENIED 14
#define IO_ERROR_TIMED_OUT 24
#define IO_ERROR_BUSY 26
#define IO_ERROR_WOULD_BLOCK 27
#define IO_ERROR_HOST_NOT_FOUND 28
#define IO_ERROR_INVALID_DATA 35
#define IO_ERROR_HOST_UNREACHABLE 37
#define IO_ERROR_NETWORK_UNREACHABLE 38
#define IO_ERROR_CONNECTION_REFUSED 39
#define IO_ERROR_PROXY_FAILED 40
#define IO_ERROR_PROXY_NOT_ALLOWED 43
#define IO_ERROR_CONNECTION_CLOSED 44
#define IO_ERROR_NOT_CONNECTED 45

typedef struct
{
  const char *word;
  int exit_code;
  gboolean transient;
} ErrorKind;

static const ErrorKind kinds[] = {
  [KT_ERROR_INTERNAL] = { "internal", 1, FALSE },
  [KT_ERROR_INVALID] = { "invalid", 2, FALSE },
  [KT_ERROR_LIMIT] = { "limit", 2, FALSE },
  [KT_ERROR_NOT_FOUND] = { "not_found", 2, FALSE },
  [KT_ERROR_EXISTS] = { "exists", 2, FALSE },
  [KT_ERROR_SCHEMA] = { "schema", 2, FALSE },
  [KT_ERROR_NEWER] = { "newer", 2, FALSE },
  [KT_ERROR_UNSETTLED] = { "unsettled", 3, FALSE },
  [KT_ERROR_NETWORK] = { "network", 4, TRUE },
  [KT_ERROR_NOT_KONTOR] = { "not_kontor", 4, FALSE },
  [KT_ERROR_SERVER] = { "server", 4, TRUE },
  [KT_ERROR_AUTH] = { "auth", 5, FALSE },
  [KT_ERROR_FORBIDDEN] = { "forbidden", 5, FALSE },
  [KT_ERROR_BUSY] = { "busy", 1, TRUE },
  [KT_ERROR_CORRUPT] = { "corrupt", 1, FALSE },
  [KT_ERROR_FULL] = { "full", 1, FALSE },
  [KT_ERROR_IO] = { "io", 1, FALSE },
  [KT_ERROR_CONFLICT] = { "conflict", 3, FALSE },
  [KT_ERROR_EPOCH] = { "epoch", 3, FALSE },
};

G_DEFINE_QUARK (kt - error - quark, kt_error)

static gboolean
is_domain (const GError *error, const char *name)
{
  return strcmp (g_quark_to_string (error->domain), name) == 0;
}

static gboolean
is_network_like (const GError *error)
{
  if (is_domain (error, "g-resolver-error-quark") || is_domain (error, "g-tls-error-quark")
      || is_domain (error, "soup-session-error-quark")
      || is_domain (error, "soup-websocket-error-quark"))
    return TRUE;

  if (!is_domain (error, "g-io-error-quark"))
    return FALSE;

  switch (error->code)
    {
    case IO_ERROR_TIMED_OUT:
    case IO_ERROR_HOST_NOT_FOUND:
    case IO_ERROR_HOST_UNREACHABLE:
    case IO_ERROR_NETWORK_UNREACHABLE:
    case IO_ERROR_CONNECTION_REFUSED:
    case IO_ERROR_PROXY_FAILED:
    case IO_ERROR_PROXY_FAILED + 1:
    case IO_ERROR_PROXY_FAILED + 2:
    case IO_ERROR_PROXY_NOT_ALLOWED:
    case IO_ERROR_CONNECTION_CLOSED:
    case IO_ERROR_NOT_CONNECTED:
      return TRUE;
    default:
      return FALSE;
    }
}

int
kt_error_exit_code (const GError *error)
{
  if (error == NULL)
    return 0;

  if (error->domain == KT_ERROR)
    {
      if (error->code < 0 || error->code >= (int) G_N_ELEMENTS (kinds))
        return 1;
      return kinds[error->code].exit_code;
    }

  if (is_network_like (error))
    return 4;

  if (is_domain (error, "g-io-error-quark"))
    {
      switch (error->code)
        {
        case IO_ERROR_NOT_FOUND:
        case IO_ERROR_IS_DIRECTORY:
        case IO_ERROR_FILENAME_TOO_LONG:
        case IO_ERROR_INVALID_FILENAME:
        case IO_ERROR_INVALID_ARGUMENT:
        case IO_ERROR_INVALID_DATA:
          return 2;
        case IO_ERROR_PERMISSION_DENIED:
        default:
          return 1;
        }
    }

  if (error->domain == G_OPTION_ERROR)
    return 2;

  if (error->domain == G_FILE_ERROR)
    return error->code == G_FILE_ERROR_NOENT || error->code == G_FILE_ERROR_ISDIR
               || error->code == G_FILE_ERROR_NOTDIR || error->code == G_FILE_ERROR_NAMETOOLONG
               || error->code == G_FILE_ERROR_INVAL
             ? 2
             : 1;

  return 1;
}

const char *
kt_error_word (KtError code)
{
  if ((guint) code >= G_N_ELEMENTS (kinds))
    return kinds[KT_ERROR_INTERNAL].word;
  return kinds[code].word;
}

KtError
kt_error_from_word (const char *word)
{
  for (guint i = 0; word != NULL && i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].word, word) == 0)
      return i;
  return KT_ERROR_INTERNAL;
}

gboolean
kt_error_is_transient (const GError *error)
{
  if (error == NULL)
    return FALSE;
  if (error->domain == KT_ERROR)
    return error->code >= 0 && error->code < (int) G_N_ELEMENTS (kinds)
           && kinds[error->code].transient;
  if (is_domain (error, "g-io-error-quark")
      && (error->code == IO_ERROR_BUSY || error->code == IO_ERROR_WOULD_BLOCK))
    return TRUE;
  /* A certificate that is refused today is refused in a minute. */
  if (is_domain (error, "g-tls-error-quark"))
    return FALSE;
  return is_network_like (error);
}

char *
kt_error_excerpt (const char *text, guint max)
{
  /* Bytes enough for the characters; more would be read for nothing, and it may be megabytes. */
  g_autofree char *head = g_strndup (text != NULL ? text : "", max * 6 + 1);
  g_autofree char *valid = NULL;
  gboolean cut = text != NULL && strlen (head) < strlen (text);
  const char *bad;
  char *end;

  /* A character that was cut in two is not a bad one. */
  if (cut && !g_utf8_validate (head, -1, &bad) && strlen (bad) < 6)
    head[bad - head] = '\0';
  valid = g_utf8_make_valid (head, -1);
  for (char *at = valid; *at != '\0'; at++)
    if (g_ascii_iscntrl (*at))
      *at = ' ';
  if (g_utf8_strlen (valid, -1) <= (glong) max && !cut)
    return g_steal_pointer (&valid);
  end = g_utf8_strlen (valid, -1) > (glong) max ? g_utf8_offset_to_pointer (valid, (glong) max)
                                                : valid + strlen (valid);
  *end = '\0';
  return g_strconcat (valid, "…", NULL);
}
