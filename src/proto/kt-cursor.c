/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A cursor is a few numbers that only the server reads:
 *
 *   version 1 · flags 1 · epoch 16 · user 16 · seq 8 · scope 8 [· object 4 · rid 8] [· n 1 · held 8 × n] · check 4
 *
 * big-endian, as base64url without padding; the parts in brackets only while a
 * first pull, or the way from one scope to another, is under way. The check tells a cursor that was cut short, typed in,
 * or another program's from one of ours.                                        */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-wire.h"

#include <string.h>
#include <zlib.h>

#include "base/kt-error.h"

#define VERSION 1
#define FLAG_SNAPSHOT 1
#define FLAG_LEAVE 2
#define FLAG_ENTER 4
#define FLAG_HELD 8
#define SIZE_PLAIN 54
#define SIZE_PLACE 12
#define SIZE_MOST (SIZE_PLAIN + SIZE_PLACE + 1 + 8 * KT_CURSOR_MAX_HELD)
#define MAX_TEXT 256
#define CHECK_SEED "kontor cursor"

static guint8 *
put (guint8 *at, guint64 value, guint bytes)
{
  for (guint i = 0; i < bytes; i++)
    at[i] = (guint8) (value >> (8 * (bytes - 1 - i)));
  return at + bytes;
}

static guint64
get (const guint8 **at, guint bytes)
{
  guint64 value = 0;

  for (guint i = 0; i < bytes; i++)
    value = value << 8 | (*at)[i];
  *at += bytes;
  return value;
}

static guint32
check (const guint8 *bytes, gsize len)
{
  uLong crc = crc32 (0, (const Bytef *) CHECK_SEED, sizeof CHECK_SEED - 1);

  return (guint32) crc32 (crc, bytes, (uInt) len);
}

static char *
to_base64url (const guint8 *bytes, gsize len)
{
  char *text = g_base64_encode (bytes, len);

  g_strdelimit (text, "+", '-');
  g_strdelimit (text, "/", '_');
  text[strcspn (text, "=")] = '\0';
  return text;
}

static guint8 *
from_base64url (const char *text, gsize *len)
{
  g_autoptr (GString) padded = g_string_new (text);
  g_autofree guint8 *bytes = NULL;
  g_autofree char *again = NULL;

  g_strdelimit (padded->str, "-", '+');
  g_strdelimit (padded->str, "_", '/');
  while (padded->len % 4 != 0)
    g_string_append_c (padded, '=');
  bytes = g_base64_decode (padded->str, len);
  /* Foreign characters and stray bits are skipped by the decoder; a cursor has one spelling. */
  again = bytes != NULL ? to_base64url (bytes, *len) : NULL;
  return g_strcmp0 (again, text) == 0 ? g_steal_pointer (&bytes) : NULL;
}

static guint8
flags_of (const KtCursor *cursor)
{
  return (guint8) ((cursor->snapshot ? FLAG_SNAPSHOT : 0)
                   | (cursor->move == KT_CURSOR_LEAVE   ? FLAG_LEAVE
                      : cursor->move == KT_CURSOR_ENTER ? FLAG_ENTER
                                                        : 0)
                   | (cursor->n_held > 0 ? FLAG_HELD : 0));
}

char *
kt_cursor_encode (const KtCursor *cursor)
{
  guint8 bytes[SIZE_MOST];
  guint8 *at = bytes;

  g_return_val_if_fail (cursor != NULL && cursor->n_held <= KT_CURSOR_MAX_HELD, NULL);

  at = put (at, VERSION, 1);
  at = put (at, flags_of (cursor), 1);
  memcpy (at, cursor->epoch.b, 16);
  memcpy (at + 16, cursor->user.b, 16);
  at = put (at + 32, (guint64) cursor->seq, 8);
  at = put (at, cursor->scope, 8);
  if (cursor->snapshot || cursor->move != KT_CURSOR_STAY)
    {
      at = put (at, cursor->object, 4);
      at = put (at, (guint64) cursor->rid, 8);
    }
  if (cursor->n_held > 0)
    {
      at = put (at, cursor->n_held, 1);
      for (guint i = 0; i < cursor->n_held; i++)
        at = put (at, cursor->held[i], 8);
    }
  at = put (at, check (bytes, (gsize) (at - bytes)), 4);
  return to_base64url (bytes, (gsize) (at - bytes));
}

/* What the flags promise, and whether the length is that of it. */
static gboolean
read_flags (KtCursor *cursor, guint flags, const guint8 *bytes, gsize len)
{
  gsize place, at;

  cursor->snapshot = (flags & FLAG_SNAPSHOT) != 0;
  cursor->move = (flags & FLAG_LEAVE) != 0   ? KT_CURSOR_LEAVE
                 : (flags & FLAG_ENTER) != 0 ? KT_CURSOR_ENTER
                                             : KT_CURSOR_STAY;
  place = cursor->snapshot || cursor->move != KT_CURSOR_STAY ? SIZE_PLACE : 0;
  at = SIZE_PLAIN - 4 + place;
  if (flags >= 2 * FLAG_HELD || flags_of (cursor) != (flags & ~FLAG_HELD)
      || (cursor->snapshot && cursor->move != KT_CURSOR_STAY)
      || (cursor->move != KT_CURSOR_STAY && (flags & FLAG_HELD) == 0))
    return FALSE;
  if ((flags & FLAG_HELD) == 0)
    return len == SIZE_PLAIN + place;
  if (len < SIZE_PLAIN + place + 1 || bytes[at] == 0 || bytes[at] > KT_CURSOR_MAX_HELD)
    return FALSE;
  cursor->n_held = bytes[at];
  return len == SIZE_PLAIN + place + 1 + 8 * (gsize) cursor->n_held;
}

gboolean
kt_cursor_decode (const char *text, KtCursor *out, GError **error)
{
  g_autofree guint8 *bytes = NULL;
  const guint8 *at;
  KtCursor cursor = { 0 };
  gsize len = 0;

  g_return_val_if_fail (out != NULL, FALSE);

  if (text != NULL && strnlen (text, MAX_TEXT + 1) <= MAX_TEXT)
    bytes = from_base64url (text, &len);
  if (bytes == NULL || len < 6)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "This is not a cursor of a Kontor server; pull without one");
      return FALSE;
    }
  at = bytes + len - 4;
  if (get (&at, 4) != check (bytes, len - 4))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "The cursor is damaged or not from a Kontor server; pull without one");
      return FALSE;
    }
  at = bytes;
  if (get (&at, 1) != VERSION)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "The cursor was made by another version of Kontor; pull without one");
      return FALSE;
    }
  if (!read_flags (&cursor, (guint) get (&at, 1), bytes, len))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "The cursor has a wrong length; pull without one");
      return FALSE;
    }

  memcpy (cursor.epoch.b, at, 16);
  memcpy (cursor.user.b, at + 16, 16);
  at += 32;
  cursor.seq = (gint64) get (&at, 8);
  cursor.scope = get (&at, 8);
  if (cursor.snapshot || cursor.move != KT_CURSOR_STAY)
    {
      cursor.object = (guint) get (&at, 4);
      cursor.rid = (gint64) get (&at, 8);
    }
  if (cursor.n_held > 0)
    at++;
  for (guint i = 0; i < cursor.n_held; i++)
    cursor.held[i] = get (&at, 8);
  if (cursor.seq < 0 || cursor.rid < 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "The cursor holds an impossible number; pull without one");
      return FALSE;
    }
  *out = cursor;
  return TRUE;
}
