/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <string.h>

#include <zlib.h>

#include "../support/kt-mutator.h"
#include "../support/kt-rig.h"
#include "base/kt-error.h"
#include "proto/kt-wire.h"
#include "store/kt-local-private.h"
#include "sync/kt-sync-private.h"

/* A server that lies: each of its answers is damaged in every way that a message can be, one at a time, sum and frame put
 * right again where there are such. Whatever it says, the device keeps what the person wrote, asks a bounded number of
 * times, says in words what happened, and with the next honest answers both hold the same. */

#define MOST_REQUESTS 60 /* of one round: no answer keeps a device asking for ever */
#define ROW_LINE 2
#define CRC_TAIL 11 /* 12345678"}\n */

typedef struct
{
  Rig *rig;
  Device *a, *b;
  KtId id;      /* of the account that is written again and again */
  guint serial; /* its phone number, another one each time */
  guint faults;

  /* the lie */
  KtEndpoint endpoint;
  guint nth;          /* which variation of the answer; all of them one after the other */
  guint at;           /* counting */
  guint line;         /* of a page: which line is damaged */
  gboolean plausible; /* what is said of a record may be so */
  gboolean told;      /* it was told in this round */
  gboolean over;      /* there is no such variation */
  GBytes *body;       /* the variation */
  char *what;
} Liar;

static void
liar_init (Liar *liar)
{
  liar->rig = rig_new ();
  liar->a = device_new (liar->rig, "A", "anna");
  liar->b = device_new (liar->rig, "B", "ben");
  /* Thousands of commits that nobody needs after this. */
  kt_db_exec (kt_core_db (liar->rig->core), "PRAGMA synchronous=OFF", NULL);
  kt_db_exec (liar->a->local->db, "PRAGMA synchronous=OFF", NULL);
  kt_db_exec (liar->b->local->db, "PRAGMA synchronous=OFF", NULL);
  liar->id = device_create (liar->a, "account", "name=Acme", NULL);
  device_sync (liar->a);
}

static void
liar_clear (Liar *liar)
{
  g_clear_pointer (&liar->body, g_bytes_unref);
  g_free (liar->what);
  rig_free (liar->rig);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Liar, liar_clear)

static void fault (Liar *liar, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
fault (Liar *liar, const char *format, ...)
{
  va_list args;
  g_autofree char *why = NULL;

  va_start (args, format);
  why = g_strdup_vprintf (format, args);
  va_end (args);
  if (liar->faults++ < 40)
    g_test_message ("FAULT: %s: %s", liar->what, why);
}

/* ---- lying ---- */

static void
pick_cb (const KtVariation *variation, gpointer data)
{
  Liar *liar = data;

  if (liar->at++ != liar->nth)
    return;
  liar->body = g_bytes_ref (variation->body);
  g_free (liar->what);
  liar->what = g_strdup (variation->what);
}

/* The nth variation of @message, NULL behind the last. */
static GBytes *
pick (Liar *liar, const char *message)
{
  liar->at = 0;
  g_clear_pointer (&liar->body, g_bytes_unref);
  kt_mutator_run (message, pick_cb, liar);
  return g_steal_pointer (&liar->body);
}

static char *
text_of (const KtReply *reply)
{
  gsize len;
  const char *bytes = g_bytes_get_data (reply->body, &len);

  return g_strndup (bytes, len);
}

static void
lie_cb (KtReply *reply, gpointer data)
{
  Liar *liar = data;
  g_autofree char *text = NULL;
  GBytes *body;

  if (liar->told || reply->status != 200)
    return;
  text = text_of (reply);
  body = pick (liar, text);
  liar->told = TRUE;
  liar->over = body == NULL;
  if (body == NULL)
    return;
  g_bytes_unref (reply->body);
  reply->body = body;
}

static void
put_sum (GString *page)
{
  if (page->len > CRC_TAIL && g_str_has_suffix (page->str, "\"}\n")
      && page->str[page->len - CRC_TAIL - 1] == '"')
    {
      char sum[9];

      g_snprintf (sum, sizeof sum, "%08x",
                  (guint) crc32 (0, (const Bytef *) page->str, (uInt) (page->len - CRC_TAIL)));
      memcpy (page->str + page->len - CRC_TAIL, sum, 8);
    }
}

/* One line of a page; its sum fits again, unless it is the sum that is damaged. */
static void
lie_in_page_cb (KtReply *reply, gpointer data)
{
  Liar *liar = data;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  g_autoptr (GString) page = NULL;
  g_autoptr (GBytes) line = NULL;

  if (liar->told || reply->status != 200)
    return;
  text = text_of (reply);
  lines = g_strsplit (text, "\n", -1);
  liar->told = TRUE;
  liar->over = TRUE;
  if (liar->line >= g_strv_length (lines) || *lines[liar->line] == '\0')
    return;
  line = pick (liar, lines[liar->line]);
  if (line == NULL)
    return;
  liar->over = FALSE;
  page = g_string_new (NULL);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      if (i == liar->line)
        g_string_append_len (page, g_bytes_get_data (line, NULL), (gssize) g_bytes_get_size (line));
      else
        g_string_append (page, lines[i]);
      if (lines[i + 1] != NULL)
        g_string_append_c (page, '\n');
    }
  put_sum (page);
  g_bytes_unref (reply->body);
  reply->body = g_bytes_new (page->str, page->len);
}

/* ---- what must hold ---- */

static guint
requests (Liar *liar)
{
  guint n = 0;

  for (int i = 0; i < KT_N_ENDPOINTS; i++)
    n += kt_test_transport_count (liar->a->transport, (KtEndpoint) i);
  return n;
}

static void
check_words (Liar *liar, const GError *error)
{
  if (error->message == NULL || *error->message == '\0'
      || !g_utf8_validate (error->message, -1, NULL) || strlen (error->message) > 800)
    fault (liar, "says nothing that can be read");
  if (error->domain != KT_ERROR || error->code == KT_ERROR_INTERNAL)
    fault (liar, "takes it for its own fault: %s", error->message);
}

static void
check_value (Liar *liar, const char *when)
{
  g_autofree char *wanted = g_strdup_printf ("\"%u\"", liar->serial);
  g_autofree char *value = device_value (liar->a, "account", &liar->id, "phone");

  if (g_strcmp0 (value, wanted) != 0)
    fault (liar, "%s the person's %s is %s", when, wanted, value);
}

static gboolean
sync_once (Liar *liar, GError **error)
{
  return kt_sync_run (liar->a->local, liar->a->transport, 0, NULL, NULL, NULL, NULL, error);
}

/* The next honest answers. */
static void
recover (Liar *liar)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) again = NULL;
  g_autofree char *elsewhere = g_strdup_printf ("website=%u.example.org", liar->serial);
  g_autofree char *verdict = NULL;
  KtOutboxCounts counts;
  gboolean equal = FALSE;

  kt_test_transport_alter (liar->a->transport, liar->endpoint, NULL, NULL);
  /* Something that is news: “nothing new” would be believed. */
  device_set (liar->b, "account", &liar->id, elsewhere);
  device_sync (liar->b);
  if (!sync_once (liar, &error) && !sync_once (liar, &again))
    fault (liar, "does not recover: %s", again->message);
  counts = device_counts (liar->a);
  if (counts.queued + counts.sent + counts.parked > 0)
    fault (liar, "%d queued, %d sent, %d parked after an honest round", (int) counts.queued,
           (int) counts.sent, (int) counts.parked);
  g_clear_error (&error);
  verdict = kt_sync_verify (liar->a->local, liar->a->transport, NULL, &equal, &error);
  /* A row that lies within what is possible shows in the digest, and is fetched again. */
  if (liar->plausible && verdict != NULL && !equal)
    {
      g_free (verdict);
      verdict = kt_sync_verify (liar->a->local, liar->a->transport, NULL, &equal, &error);
    }
  if (verdict == NULL)
    fault (liar, "cannot be compared: %s", error->message);
  else if (!equal)
    fault (liar, "differs after an honest round: %s", verdict);
  check_value (liar, "after an honest round");
}

/* A round in which @endpoint lies once. FALSE: there was nothing left to lie. */
static gboolean
round_of (Liar *liar, KtTestAlter lie)
{
  g_autofree char *assignment = g_strdup_printf ("phone=%u", ++liar->serial);
  g_autofree char *elsewhere = g_strdup_printf ("website=%u.example", liar->serial);
  g_autoptr (GError) error = NULL;
  guint before;

  /* Something to send, and something to get. */
  device_set (liar->b, "account", &liar->id, elsewhere);
  device_sync (liar->b);
  device_set (liar->a, "account", &liar->id, assignment);
  liar->told = liar->over = FALSE;
  kt_test_transport_alter (liar->a->transport, liar->endpoint, lie, liar);
  before = requests (liar);
  if (!sync_once (liar, &error))
    check_words (liar, error);
  if (requests (liar) - before > MOST_REQUESTS)
    fault (liar, "%u requests", requests (liar) - before);
  g_assert_true (liar->told);
  if (!liar->plausible)
    check_value (liar, "with a liar");
  recover (liar);
  return !liar->over;
}

static void
lie_in_every_way (Liar *liar, KtEndpoint endpoint, KtTestAlter lie)
{
  liar->endpoint = endpoint;
  for (liar->nth = 0; round_of (liar, lie); liar->nth++)
    if (liar->faults > 200)
      break;
  g_test_message ("%s: %u lies", kt_endpoint_info (endpoint)->path, liar->nth);
  g_assert_cmpuint (liar->nth, >, 50);
}

/* ---- tests ---- */

static void
test_push (void)
{
  g_auto (Liar) liar = { 0 };

  liar_init (&liar);
  device_sync (liar.b);
  lie_in_every_way (&liar, KT_ENDPOINT_PUSH, lie_cb);
  g_assert_cmpuint (liar.faults, ==, 0);
}

static void
test_page (gconstpointer data)
{
  g_auto (Liar) liar = { .line = GPOINTER_TO_UINT (data) };

  liar_init (&liar);
  liar.plausible = liar.line == ROW_LINE;
  device_sync (liar.b);
  lie_in_every_way (&liar, KT_ENDPOINT_PULL, lie_in_page_cb);
  g_assert_cmpuint (liar.faults, ==, 0);
}

/* A seq that there is not yet: later pages end before it, and all is fetched anew. */
static void
ahead_cb (KtReply *reply, gpointer data)
{
  Liar *liar = data;
  g_autofree char *text = text_of (reply);
  g_autoptr (GString) page = g_string_new (text);
  char *seq = strstr (page->str, "\"seq\":");

  if (liar->told || reply->status != 200)
    return;
  g_assert_nonnull (seq);
  g_string_insert (page, seq - page->str + 6, "9");
  put_sum (page);
  liar->told = TRUE;
  g_bytes_unref (reply->body);
  reply->body = g_bytes_new (page->str, page->len);
}

static void
test_page_ahead (void)
{
  g_auto (Liar) liar = { .endpoint = KT_ENDPOINT_PULL };
  gint64 seq;

  liar_init (&liar);
  liar.what = g_strdup ("a seq that is far ahead");
  device_sync (liar.b);
  round_of (&liar, ahead_cb);
  seq = kt_core_seq (liar.rig->core);
  g_assert_cmpint (kt_local_seq (liar.a->local), ==, seq);
  g_assert_cmpuint (liar.faults, ==, 0);
}

/* Without the sum put right: damage on the way. */
static void
test_page_raw (void)
{
  static const KtFault faults[] = { KT_FAULT_GARBLED, KT_FAULT_CUT, KT_FAULT_HTML, KT_FAULT_500,
                                    KT_FAULT_503 };
  static const KtEndpoint endpoints[] = { KT_ENDPOINT_PULL, KT_ENDPOINT_PUSH, KT_ENDPOINT_SCHEMA };
  g_auto (Liar) liar = { 0 };

  liar_init (&liar);
  device_sync (liar.b);
  for (guint e = 0; e < G_N_ELEMENTS (endpoints); e++)
    for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
      {
        g_autofree char *assignment = g_strdup_printf ("phone=%u", ++liar.serial);
        g_autoptr (GError) error = NULL;

        liar.endpoint = endpoints[e];
        g_free (liar.what);
        liar.what = g_strdup_printf ("%s, fault %u", kt_endpoint_info (endpoints[e])->path, i);
        device_set (liar.a, "account", &liar.id, assignment);
        kt_test_transport_fail (liar.a->transport, endpoints[e], faults[i], 0, 1);
        if (!sync_once (&liar, &error))
          check_words (&liar, error);
        check_value (&liar, "with a liar");
        kt_test_transport_heal (liar.a->transport);
        recover (&liar);
      }
  g_assert_cmpuint (liar.faults, ==, 0);
}

int
main (int argc, char **argv)
{
  static const char *const lines[] = { "head", "block", "row", "end" };

  rig_test_init (&argc, &argv);
  g_test_add_func ("/sync/bad-server/push", test_push);
  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autofree char *path = g_strconcat ("/sync/bad-server/page/", lines[i], NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_page);
    }
  g_test_add_func ("/sync/bad-server/page/ahead", test_page_ahead);
  g_test_add_func ("/sync/bad-server/raw", test_page_raw);
  return g_test_run ();
}
