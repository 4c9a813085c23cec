/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

gboolean
_kt_core_demo (KtCore *core, const KtId *admin, GError **error)
{
  return TRUE;
}
