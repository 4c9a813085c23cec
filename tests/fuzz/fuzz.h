/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

/* A target is one function over bytes that anybody may have sent. It asserts what must hold for
 * every input, so that more than a crash is found: what was read and is written again reads the
 * same. Two programs are made of it: with libFuzzer (-Dfuzz=enabled), and with replay.c, which
 * hands it each file of corpus/NAME and is an ordinary test. Whatever libFuzzer finds becomes a
 * file there. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Inputs beyond this say nothing new, and make everything slow. */
#define FUZZ_MAX (64 * 1024)
#define FUZZ_MAX_MESSAGE 1000

/* A copy of exactly the bytes and a NUL, so that reading behind them is seen. g_free. */
static inline char *
fuzz_text (const uint8_t *data, size_t size)
{
  char *text = g_malloc (size + 1);

  if (size > 0)
    memcpy (text, data, size);
  text[size] = '\0';
  return text;
}

/* The text as C strings are handed around: valid UTF-8 up to the first NUL; NULL when it is none. g_free. */
static inline char *
fuzz_utf8 (const uint8_t *data, size_t size)
{
  g_autofree char *text = fuzz_text (data, size);

  return g_utf8_validate (text, -1, NULL) ? g_steal_pointer (&text) : NULL;
}

/* Cuts [*data, *size) at the first @mark (which goes): what was before it. */
static inline size_t
fuzz_cut (const uint8_t **data, size_t *size, uint8_t mark, const uint8_t **before)
{
  const uint8_t *at = *size > 0 ? memchr (*data, mark, *size) : NULL;
  size_t len = at != NULL ? (size_t) (at - *data) : *size;

  *before = *data;
  *data += at != NULL ? len + 1 : len;
  *size -= at != NULL ? len + 1 : len;
  return len;
}

/* What people read, and what goes over the wire as JSON: text, and a sentence rather than the input again. */
static inline void
fuzz_check_message (const char *message)
{
  g_assert_nonnull (message);
  g_assert_true (g_utf8_validate (message, -1, NULL));
  g_assert_cmpuint (strlen (message), >, 0);
  g_assert_cmpuint (strlen (message), <=, FUZZ_MAX_MESSAGE);
}
