/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A column of a row as a database holds it, before anybody makes a value of it: what is handed
 * from db to proto where a million rows are looked at and none is kept. */
typedef enum
{
  KT_CELL_NULL,
  KT_CELL_INT,
  KT_CELL_TEXT, /* UTF-8, followed by a NUL */
  KT_CELL_BLOB,
} KtCellType;

typedef struct
{
  KtCellType type;
  guint      len;      /* TEXT, BLOB: bytes */
  union
  {
    gint64        integer;
    const guint8 *bytes;   /* borrowed, never NULL for TEXT and BLOB of more than 0 bytes */
  } v;
} KtCell;

G_END_DECLS
