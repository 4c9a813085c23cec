/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

gboolean
kt_core_backup (KtCore *core, const char *file, GError **error)
{
  return FALSE;
}

gboolean
kt_core_restore (const char *file, const char *dir, const KtEnv *env, GError **error)
{
  return FALSE;
}
