/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Errors in the language of the interface. The libraries below speak English (and,
 * of rules and access, the language of the profile); what a person is to do about it
 * depends on the code alone, so a sentence for each code can be translated. Without a
 * translation the library's own words are better: they name the place. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>

#include "base/kt-error.h"
#include "kt-model-private.h"

static const struct
{
  KtError code;
  gboolean place; /* the original names a file, an address, a process */
  const char *sentence;
} sentences[] = {
  { KT_ERROR_NEWER, TRUE, N_ ("This was made by a newer version of Kontor: install that") },
  { KT_ERROR_UNSETTLED, FALSE,
    N_ ("Changes of another person wait here to be sent: they have to sign in first") },
  { KT_ERROR_NETWORK, TRUE,
    N_ ("The server cannot be reached: check the address and the network") },
  { KT_ERROR_NOT_KONTOR, TRUE, N_ ("There is no Kontor server at this address") },
  { KT_ERROR_SERVER, TRUE, N_ ("The server has a problem; it is tried again later") },
  { KT_ERROR_AUTH, FALSE, N_ ("User name or password is wrong, or the session has ended") },
  { KT_ERROR_BUSY, TRUE, N_ ("Another program is using this: close it and try again") },
  { KT_ERROR_CORRUPT, TRUE, N_ ("The data on this computer is damaged") },
  { KT_ERROR_FULL, FALSE, N_ ("The disk is full: free some space and try again") },
  { KT_ERROR_IO, TRUE, N_ ("A file cannot be read or written") },
  { KT_ERROR_CONFLICT, TRUE, N_ ("Somebody was faster: this has changed meanwhile") },
};

char *
_kt_error_words (int code, const char *message)
{
  for (gsize i = 0; i < G_N_ELEMENTS (sentences); i++)
    {
      const char *sentence;

      if ((int) sentences[i].code != code)
        continue;
      sentence = _ (sentences[i].sentence);
      /* Not translated: what was said says more. */
      if (message != NULL && g_str_equal (sentence, sentences[i].sentence))
        break;
      if (message == NULL || !sentences[i].place)
        return g_strdup (sentence);
      /* Translators: what went wrong, and in brackets the technical words for it. */
      return g_strdup_printf (C_ ("error", "%s (%s)"), sentence, message);
    }
  return g_strdup (message != NULL ? message : "");
}

GError *
_kt_error_localise (GError *error)
{
  char *words;

  if (error == NULL || error->domain != KT_ERROR)
    return error;
  words = _kt_error_words (error->code, error->message);
  g_free (error->message);
  error->message = words;
  return error;
}
