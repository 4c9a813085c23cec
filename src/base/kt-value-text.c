/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-value-private.h"

/* Text in its canonical form: NFC, LF, trimmed where it is one line. Nearly all
 * text is so already; that is seen without copying, by a short list of ranges
 * (a test compares it with the long way for every character).               */

/* Characters that are themselves in NFC whatever stands around them, and neither
 * blank nor control. Not all of them, but nearly all that are written. */
static inline gboolean
is_plain_char (gunichar c)
{
  if (c < 0x300)
    return c > 0xa0;
  return (c >= 0x388 && c <= 0x482) || (c >= 0x48a && c <= 0x52f) || (c >= 0x1e00 && c <= 0x1eff)
         || (c >= 0x2010 && c <= 0x2027) || (c >= 0x20a0 && c <= 0x20bf)
         || (c >= 0x3001 && c <= 0x3029) || (c >= 0x3041 && c <= 0x3096)
         || (c >= 0x309b && c <= 0x318f) || (c >= 0x3190 && c <= 0xa48c)
         || (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xff01 && c <= 0xff9d)
         || (c >= 0x1f300 && c <= 0x1faff);
}

gboolean
_kt_text_is_clean (const char *text, gsize len, gboolean multiline)
{
  const char *p = text, *end = text + len;
  gboolean visible = FALSE;

  if (len == 0)
    return FALSE;
  if (!multiline && (text[0] == ' ' || text[len - 1] == ' '))
    return FALSE;

  while (p < end)
    {
      guint8 c = (guint8) *p;

      if (c > 0x20 && c < 0x7f)
        {
          visible = TRUE;
          p++;
        }
      else if (c == 0x20 || (multiline && (c == '\n' || c == '\t')))
        p++;
      else if (c < 0x80)
        return FALSE;
      else
        {
          if (!is_plain_char (g_utf8_get_char (p)))
            return FALSE;
          visible = TRUE;
          p = g_utf8_next_char (p);
        }
    }
  return visible;
}

static void
unify_newlines (char *text)
{
  char *out = text;

  for (const char *p = text; *p != '\0'; p++)
    {
      if (*p == '\r')
        {
          if (p[1] == '\n')
            continue;
          *out++ = '\n';
        }
      else
        *out++ = *p;
    }
  *out = '\0';
}

gboolean
_kt_value_check_length (const KtField *field,
                        const char *text,
                        gsize len,
                        guint max,
                        GError **error)
{
  if (max == 0 || len <= max || g_utf8_strlen (text, (gssize) len) <= (glong) max)
    return TRUE;
  _kt_value_fail (field, KT_ERROR_LIMIT, error, "longer than %u characters", max);
  return FALSE;
}

gboolean
_kt_value_clean (const KtField *field,
                 const char *text,
                 gsize len,
                 gboolean multiline,
                 guint max,
                 char **out,
                 GError **error)
{
  g_autofree char *normal = NULL;
  gboolean visible = FALSE;
  char *first, *last;

  if (_kt_text_is_clean (text, len, multiline))
    {
      if (!_kt_value_check_length (field, text, len, max, error))
        return FALSE;
      *out = g_strndup (text, len);
      return TRUE;
    }

  normal = g_utf8_normalize (text, (gssize) len, G_NORMALIZE_NFC);
  if (normal == NULL)
    {
      _kt_value_fail (field, KT_ERROR_INVALID, error, "is not valid UTF-8");
      return FALSE;
    }
  if (multiline)
    unify_newlines (normal);

  first = NULL;
  last = normal;
  for (char *p = normal; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (!g_unichar_isspace (c))
        {
          visible = TRUE;
          if (first == NULL)
            first = p;
          last = g_utf8_next_char (p);
        }
    }
  if (!visible)
    {
      *out = NULL;
      return TRUE;
    }
  if (!multiline)
    {
      *last = '\0';
      for (const char *p = first; *p != '\0'; p = g_utf8_next_char (p))
        {
          gunichar c = g_utf8_get_char (p);

          if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            {
              if (c == '\n' || c == '\r')
                _kt_value_fail (field, KT_ERROR_INVALID, error, "must be a single line");
              else
                _kt_value_fail (field, KT_ERROR_INVALID, error, "holds a control character");
              return FALSE;
            }
        }
      if (!_kt_value_check_length (field, first, strlen (first), max, error))
        return FALSE;
      *out = g_strdup (first);
      return TRUE;
    }

  if (!_kt_value_check_length (field, normal, strlen (normal), max, error))
    return FALSE;
  *out = g_steal_pointer (&normal);
  return TRUE;
}
