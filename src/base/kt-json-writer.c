/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-json.h"

#include <string.h>

#include "base/kt-json-private.h"

void
_kt_json_append_escaped (GString *out, const char *text, gsize len)
{
  static const char hex[] = "0123456789abcdef";
  gsize run = 0;

  g_string_append_c (out, '"');
  for (gsize i = 0; i < len; i++)
    {
      guint8 c = (guint8) text[i];
      char escape;

      if (c >= 0x20 && c != '"' && c != '\\')
        continue;
      g_string_append_len (out, text + run, (gssize) (i - run));
      run = i + 1;
      switch (c)
        {
        case '"':
        case '\\':
          escape = (char) c;
          break;
        case '\b':
          escape = 'b';
          break;
        case '\f':
          escape = 'f';
          break;
        case '\n':
          escape = 'n';
          break;
        case '\r':
          escape = 'r';
          break;
        case '\t':
          escape = 't';
          break;
        default:
          g_string_append (out, "\\u00");
          g_string_append_c (out, hex[c >> 4]);
          g_string_append_c (out, hex[c & 0xf]);
          continue;
        }
      g_string_append_c (out, '\\');
      g_string_append_c (out, escape);
    }
  g_string_append_len (out, text + run, (gssize) (len - run));
  g_string_append_c (out, '"');
}

static inline void
separate (KtJsonWriter *w)
{
  if (w->comma)
    g_string_append_c (w->out, ',');
  w->comma = TRUE;
}

void
kt_json_begin_object (KtJsonWriter *w)
{
  separate (w);
  g_string_append_c (w->out, '{');
  w->comma = FALSE;
}

void
kt_json_end_object (KtJsonWriter *w)
{
  g_string_append_c (w->out, '}');
  w->comma = TRUE;
}

void
kt_json_begin_array (KtJsonWriter *w)
{
  separate (w);
  g_string_append_c (w->out, '[');
  w->comma = FALSE;
}

void
kt_json_end_array (KtJsonWriter *w)
{
  g_string_append_c (w->out, ']');
  w->comma = TRUE;
}

void
kt_json_key (KtJsonWriter *w, const char *key)
{
  g_return_if_fail (key != NULL);

  separate (w);
  _kt_json_append_escaped (w->out, key, strlen (key));
  g_string_append_c (w->out, ':');
  w->comma = FALSE;
}

void
kt_json_add_string (KtJsonWriter *w, const char *text)
{
  if (text == NULL)
    kt_json_add_null (w);
  else
    kt_json_add_string_len (w, text, strlen (text));
}

void
kt_json_add_string_len (KtJsonWriter *w, const char *text, gsize len)
{
  separate (w);
  _kt_json_append_escaped (w->out, text, len);
}

void
kt_json_add_int (KtJsonWriter *w, gint64 value)
{
  char text[24];
  char *at = text + sizeof text;
  guint64 magnitude = value < 0 ? 0 - (guint64) value : (guint64) value;

  separate (w);
  do
    *--at = (char) ('0' + magnitude % 10);
  while ((magnitude /= 10) > 0);
  if (value < 0)
    *--at = '-';
  g_string_append_len (w->out, at, text + sizeof text - at);
}

void
kt_json_add_bool (KtJsonWriter *w, gboolean value)
{
  kt_json_add_raw (w, value ? "true" : "false");
}

void
kt_json_add_null (KtJsonWriter *w)
{
  kt_json_add_raw (w, "null");
}

void
kt_json_add_raw (KtJsonWriter *w, const char *json)
{
  g_return_if_fail (json != NULL);

  separate (w);
  g_string_append (w->out, json);
}

void
kt_json_put_string (KtJsonWriter *w, const char *key, const char *text)
{
  kt_json_key (w, key);
  kt_json_add_string (w, text);
}

void
kt_json_put_int (KtJsonWriter *w, const char *key, gint64 value)
{
  kt_json_key (w, key);
  kt_json_add_int (w, value);
}

void
kt_json_put_bool (KtJsonWriter *w, const char *key, gboolean value)
{
  kt_json_key (w, key);
  kt_json_add_bool (w, value);
}

void
kt_json_put_raw (KtJsonWriter *w, const char *key, const char *json)
{
  kt_json_key (w, key);
  kt_json_add_raw (w, json);
}
