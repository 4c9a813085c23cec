/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "db/kt-table.h"

G_BEGIN_DECLS

/* Two columns for money (f_x, f_x_currency) and ref_any (f_x, f_x_object). */
static inline guint
_kt_table_width (KtValueType storage)
{
  return storage == KT_VALUE_MONEY || storage == KT_VALUE_ANY ? 2 : 1;
}

static inline const char *
_kt_table_second (KtValueType storage)
{
  return storage == KT_VALUE_MONEY ? "_currency" : "_object";
}

G_END_DECLS
