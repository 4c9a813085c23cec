/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

GPtrArray *
kt_core_check (KtCore *core, GError **error)
{
  return g_ptr_array_new_with_free_func (g_free);
}
