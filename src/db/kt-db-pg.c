/* SPDX-License-Identifier: GPL-3.0-or-later */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-db-private.h"

#include "base/kt-error.h"

KtDb *
_kt_db_pg_open (const char *uri, KtDbFlags flags, GError **error)
{
  g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID, "PostgreSQL is not built in yet");
  return NULL;
}
