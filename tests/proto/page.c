/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <zlib.h>

#include "proto/kt-wire.h"
#include "tests/proto/fixture.h"

/* Sanitizers and valgrind make everything slow; then only the result counts. */
#if defined(__SANITIZE_ADDRESS__)
#define RUNNING_SLOWLY TRUE
#else
#define RUNNING_SLOWLY (g_getenv ("KONTOR_SLOW") != NULL)
#endif

#define N_HOT 100000
#define PER_PAGE 5000

static const char *const all_fields[] = { "name",    "phone",   "stage",  "score",    "points",
                                          "balance", "amount",  "chance", "hot",      "close_date",
                                          "met_at",  "length",  "tags",   "channels", "members",
                                          "note",    "account", "about",  "extra",    "object",
                                          "place" };

static const char rich[] =
  "{\"name\":\"Acme \\\"renewal\\\" \\\\ 客户 😀\",\"phone\":\"+49 30 1\",\"stage\":\"sent\","
  "\"score\":-7,\"points\":\"1.25\",\"balance\":{\"amount\":\"-12.5\",\"currency\":\"EUR\"},"
  "\"amount\":{\"amount\":\"1000000\",\"currency\":\"CNY\"},\"chance\":\"12.5\",\"hot\":false,"
  "\"close_date\":\"2026-01-31\",\"met_at\":\"2026-01-31T08:00:00.000Z\",\"length\":3600,"
  "\"tags\":[\"a \\\"b\\\"\",\"甲\"],\"channels\":[\"call\",\"mail\"],"
  "\"members\":[\"01900000-0000-7000-8000-000000000007\"],\"note\":\"one\\ntwo\\tthree\\n\","
  "\"account\":\"01900000-0000-7000-8000-000000000009\","
  "\"about\":{\"object\":\"user\",\"id\":\"01900000-0000-7000-8000-00000000000a\"},"
  "\"extra\":{\"a\":[1,2.50,null,true,{\"b\":\"x\\ny\"}],\"z\":\"\\u0001\"},\"object\":\"deal\","
  "\"place\":{\"city\":\"Berlin\",\"street\":\"Hof 1\"}}";

static const KtField *fields[G_N_ELEMENTS (all_fields)];

static void
find_fields (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (all_fields); i++)
    fields[i] = fixture_field (all_fields[i]);
}

static void
write_record (KtPageWriter *writer, const KtRecord *record)
{
  KtValue values[G_N_ELEMENTS (all_fields)];

  for (guint i = 0; i < G_N_ELEMENTS (all_fields); i++)
    values[i] = record->values[fields[i]->index];
  kt_page_writer_block (writer, record->object, fields, G_N_ELEMENTS (all_fields));
  kt_page_writer_row (writer, &record->id, record->rev, values);
}

static GBytes *
sample_page (void)
{
  KtId epoch = fixture_id (0xe0), gone = fixture_id (0x90);
  KtPageWriter *writer =
    kt_page_writer_new (&epoch, TRUE, kt_schema_digest (fixture_schema ()), 1000);
  g_autoptr (KtRecord) first = fixture_record (1, rich);
  g_autoptr (KtRecord) second = fixture_record (2, "{\"name\":\"Plain\"}");

  find_fields ();
  first->rev = 12;
  second->rev = 13;
  write_record (writer, first);
  write_record (writer, second);
  kt_page_writer_gone (writer, fixture_object ("deal"), &gone);
  gone = fixture_id (0x91);
  kt_page_writer_gone (writer, fixture_object ("account"), &gone);
  write_record (writer, second);
  g_assert_cmpuint (kt_page_writer_rows (writer), ==, 3);
  g_assert_cmpuint (kt_page_writer_size (writer), >, 1000);
  gone = fixture_id (0x92);
  kt_page_writer_settled (writer, 41, &gone);
  return kt_page_writer_finish (writer, "the-cursor", TRUE, 77);
}

/* Everything a page says, as text; NULL and @error when it says nothing. */
static char *
read_page (const KtSchema *schema, GBytes *body, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (KtPage) page = kt_page_open (schema, body, error);
  KtPageEvent event;
  char id[KT_ID_TEXT_SIZE];

  if (page == NULL)
    return NULL;
  kt_id_format (&page->epoch, id);
  g_string_append_printf (out, "%s %d %s %" G_GINT64_FORMAT "\n", id, page->snapshot,
                          page->schema_digest, page->rows_total);
  while ((event = kt_page_next (page, error)) != KT_PAGE_END)
    {
      KtJsonWriter writer = KT_JSON_WRITER (out);

      if (event == KT_PAGE_ERROR)
        {
          /* Given up for good. */
          g_assert_cmpint (kt_page_next (page, NULL), ==, KT_PAGE_ERROR);
          return NULL;
        }
      kt_id_format (&page->id, id);
      g_string_append_printf (out, "%s %s %s %" G_GINT64_FORMAT,
                              event == KT_PAGE_ROW ? "row" : "gone", page->object->name, id,
                              event == KT_PAGE_ROW ? page->rev : 0);
      for (guint i = 0; event == KT_PAGE_ROW && i < page->n_fields; i++)
        if (page->fields[i] != NULL && !kt_value_is_null (&page->values[i]))
          {
            g_string_append_printf (out, " %s=", page->fields[i]->name);
            writer.comma = FALSE;
            kt_value_to_json (&page->values[i], &writer);
          }
      g_string_append_c (out, '\n');
    }
  g_assert_cmpint (kt_page_next (page, NULL), ==, KT_PAGE_END);
  g_string_append_printf (
    out, "end %s %d %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " skipped %u %u\n", page->cursor,
    page->more, page->seq, page->settled, page->skipped_rows, page->skipped_values);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
test_round_trip (void)
{
  GBytes *body = sample_page ();
  g_autoptr (GError) error = NULL;
  g_autoptr (KtPage) page = kt_page_open (fixture_schema (), body, &error);
  g_autoptr (KtRecord) first = fixture_record (1, rich);
  KtId settled;

  g_assert_no_error (error);
  g_assert_true (page->snapshot);
  g_assert_cmpint (page->rows_total, ==, 1000);
  g_assert_cmpstr (page->schema_digest, ==, kt_schema_digest (fixture_schema ()));
  g_assert_cmpint (kt_page_next (page, &error), ==, KT_PAGE_ROW);
  g_assert_true (kt_id_equal (&page->id, &first->id));
  g_assert_cmpint (page->rev, ==, 12);
  g_assert_true (page->object == fixture_object ("deal"));
  g_assert_cmpuint (page->n_fields, ==, G_N_ELEMENTS (all_fields));
  for (guint i = 0; i < page->n_fields; i++)
    {
      const KtValue *wanted = &first->values[page->fields[i]->index];

      g_test_message ("%s", page->fields[i]->name);
      g_assert_false (kt_value_is_null (wanted));
      g_assert_true (kt_value_equal (&page->values[i], wanted));
    }
  g_assert_cmpint (kt_page_next (page, &error), ==, KT_PAGE_ROW);
  g_assert_cmpstr (page->values[0].v.text, ==, "Plain");
  for (guint i = 1; i < page->n_fields; i++)
    g_assert_true (kt_value_is_null (&page->values[i]));
  g_assert_cmpint (kt_page_next (page, &error), ==, KT_PAGE_GONE);
  g_assert_true (page->object == fixture_object ("deal"));
  g_assert_cmpint (kt_page_next (page, &error), ==, KT_PAGE_GONE);
  g_assert_true (page->object == fixture_object ("account"));
  /* A gone line does not end the block. */
  g_assert_cmpint (kt_page_next (page, &error), ==, KT_PAGE_ROW);
  g_assert_true (page->object == fixture_object ("deal"));
  g_assert_null (page->cursor);
  g_assert_cmpint (page->settled, ==, -1);
  g_assert_cmpint (kt_page_next (page, &error), ==, KT_PAGE_END);
  g_assert_cmpstr (page->cursor, ==, "the-cursor");
  g_assert_true (page->more);
  g_assert_cmpint (page->seq, ==, 77);
  g_assert_cmpint (page->settled, ==, 41);
  settled = fixture_id (0x92);
  g_assert_true (kt_id_equal (&page->settled_id, &settled));
}

static void
test_empty (void)
{
  KtId epoch = fixture_id (0xe0);
  KtPageWriter *writer = kt_page_writer_new (&epoch, FALSE, "d", -1);
  g_autoptr (GError) error = NULL;
  GBytes *body = kt_page_writer_finish (writer, "c", FALSE, 0);
  g_autofree char *said = NULL;

  /* Scenario 32: a few hundred bytes. */
  g_assert_cmpuint (g_bytes_get_size (body), <, 256);
  said = read_page (fixture_schema (), body, &error);
  g_assert_no_error (error);
  g_assert_true (g_str_has_suffix (said, "end c 0 0 -1 skipped 0 0\n"));
}

/* Any damage is noticed before the first row acts (P4, P5). */
static void
test_flipped (void)
{
  GBytes *body = sample_page ();
  gsize len;
  const char *bytes = g_bytes_get_data (body, &len);

  for (gsize i = 0; i < len * 8; i++)
    {
      char *copy = g_memdup2 (bytes, len);
      g_autoptr (GError) error = NULL;

      copy[i / 8] ^= (char) (1 << (i % 8));
      g_assert_null (kt_page_open (fixture_schema (), g_bytes_new_take (copy, len), &error));
      g_assert_nonnull (error);
    }
  for (gsize i = 0; i < len; i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (
        kt_page_open (fixture_schema (), g_bytes_new_take (g_memdup2 (bytes, i), i), &error));
      g_assert_nonnull (error);
      if (i > 7)
        g_assert_error (error, KT_ERROR, KT_ERROR_SERVER);
    }
  g_bytes_unref (body);
}

/* A hostile server gets its checksum right: an error or content, never a crash. */
static char *
seal (const char *bytes, gsize len, gsize *sealed_len)
{
  char *copy = g_memdup2 (bytes, len);
  const gsize covered = len - strlen ("12345678\"}\n");
  g_autofree char *digits =
    g_strdup_printf ("%08x", (guint32) crc32_z (0, (const Bytef *) copy, covered));

  memcpy (copy + covered, digits, 8);
  *sealed_len = len;
  return copy;
}

static void
test_flipped_and_sealed (void)
{
  GBytes *body = sample_page ();
  gsize len;
  const char *bytes = g_bytes_get_data (body, &len);
  guint refused = 0, accepted = 0;

  for (gsize i = 0; i < (len - 11) * 8; i++)
    {
      g_autofree char *damaged = g_memdup2 (bytes, len);
      gsize sealed_len;
      char *sealed;
      g_autoptr (GError) error = NULL;
      g_autofree char *said = NULL;

      damaged[i / 8] ^= (char) (1 << (i % 8));
      sealed = seal (damaged, len, &sealed_len);
      said = read_page (fixture_schema (), g_bytes_new_take (sealed, sealed_len), &error);
      g_assert_true ((said == NULL) == (error != NULL));
      if (said != NULL)
        accepted++;
      else
        refused++;
    }
  g_test_message ("%u refused, %u read as something else", refused, accepted);
  g_bytes_unref (body);
}

/* Random mutilation: pieces cut out, doubled, swapped. */
static void
test_mutilated (void)
{
  g_autoptr (GRand) rand = fixture_rand ();
  GBytes *body = sample_page ();
  gsize len;
  const char *bytes = g_bytes_get_data (body, &len);
  const gsize tail = strlen (",\"crc\":\"12345678\"}\n");

  for (guint i = 0; i < 20000; i++)
    {
      g_autoptr (GString) text = g_string_new_len (bytes, (gssize) (len - tail));
      gsize at = (gsize) g_rand_int_range (rand, 0, (gint32) text->len);
      gsize n = (gsize) g_rand_int_range (rand, 0, 40);
      gsize sealed_len;
      g_autoptr (GError) error = NULL;
      g_autofree char *said = NULL;

      n = MIN (n, text->len - at);
      if (g_rand_boolean (rand))
        g_string_erase (text, (gssize) at, (gssize) n);
      else
        {
          g_autofree char *piece = g_strndup (bytes + g_rand_int_range (rand, 0, 200), n);

          g_string_insert (text, (gssize) at, piece);
        }
      g_string_append_len (text, bytes + len - tail, (gssize) tail);
      said =
        read_page (fixture_schema (),
                   g_bytes_new_take (seal (text->str, text->len, &sealed_len), text->len), &error);
      g_assert_true ((said == NULL) == (error != NULL));
    }
  g_bytes_unref (body);
}

static char *
page_of (const char *lines, guint rows, const char *more_end, gsize *len)
{
  g_autofree char *text =
    g_strdup_printf ("{\"page\":1,\"epoch\":\"01900000-0000-7000-8000-0000000000e0\","
                     "\"mode\":\"changes\",\"schema\":\"d\"}\n%s{\"end\":1,\"cursor\":\"c\","
                     "\"more\":false,\"seq\":1,\"rows\":%u%s,\"crc\":\"12345678\"}\n",
                     lines, rows, more_end);

  return seal (text, strlen (text), len);
}

#define ID "\"01900000-0000-7000-8000-000000000001\""
#define BLOCK "{\"object\":\"deal\",\"fields\":[\"name\",\"score\"]}\n"
#define ONE(f) "{\"object\":\"deal\",\"fields\":[\"" f "\"]}\n[" ID ",1,"

static void
test_hostile (void)
{
  static const struct
  {
    const char *lines;
    guint rows;
    const char *end;
    gboolean fine;
  } table[] = {
    { BLOCK "[" ID ",1,\"x\",2]\n", 1, "", TRUE },
    { BLOCK "[" ID ",1,\"x\",2]\n", 2, "", FALSE },
    { "[" ID ",1,\"x\",2]\n", 1, "", FALSE },
    { BLOCK "[" ID ",1,\"x\"]\n", 1, "", FALSE },
    { BLOCK "[" ID ",1,\"x\",2,3]\n", 1, "", FALSE },
    { BLOCK "[" ID ",-1,\"x\",2]\n", 1, "", FALSE },
    { BLOCK "[" ID ",1.5,\"x\",2]\n", 1, "", FALSE },
    { BLOCK "[1,1,\"x\",2]\n", 1, "", FALSE },
    { BLOCK "[\"x\",1,\"x\",2]\n", 1, "", FALSE },
    { BLOCK "[" ID ",1,\"x\",2]]\n", 1, "", FALSE },
    { BLOCK "[" ID ",1,\"x\",2] 1\n", 1, "", FALSE },
    { BLOCK "[" ID ",1,\"\",2]\n", 1, "", FALSE },
    { BLOCK "[" ID ",1,\"x\",\"2\"]\n", 1, "", FALSE },
    { BLOCK "[" ID ",1,\"x\",2.0]\n", 1, "", FALSE },
    { BLOCK "[" ID ",1,\"x\",9223372036854775808]\n", 1, "", FALSE },
    { BLOCK "\n", 0, "", FALSE },
    { BLOCK "x\n", 0, "", FALSE },
    { "{\"object\":\"deal\",\"fields\":[\"name\",\"name\"]}\n", 0, "", FALSE },
    { "{\"object\":\"deal\",\"fields\":[1]}\n", 0, "", FALSE },
    { "{\"object\":\"deal\"}\n", 0, "", FALSE },
    { "{\"fields\":[]}\n", 0, "", FALSE },
    { "{}\n", 0, "", FALSE },
    { "{\"gone\":[]}\n", 0, "", TRUE },
    { "{\"gone\":[\"deal\"," ID "]}\n", 0, "", TRUE },
    { "{\"gone\":[\"unknown\"," ID "]}\n", 0, "", TRUE },
    { "{\"gone\":[\"deal\"]}\n", 0, "", FALSE },
    { "{\"gone\":[\"deal\",1]}\n", 0, "", FALSE },
    { "{\"gone\":[\"deal\"," ID "],\"x\":1}\n", 0, "", FALSE },
    { "{\"gone\":\"deal\"}\n", 0, "", FALSE },
    { "{\"gone\"\n", 0, "", FALSE },
    { "", 0, ",\"end\":2", FALSE },
    { ONE ("close_date") "\"2026-01-31\"]\n", 1, "", TRUE },
    { ONE ("close_date") "\"2026-01-3\"]\n", 1, "", FALSE },
    { ONE ("met_at") "\"2026-01-31T08:00:00Z\"]\n", 1, "", FALSE },
    { ONE ("hot") "1]\n", 1, "", FALSE },
    { ONE ("hot") "true]\n", 1, "", TRUE },
    { ONE ("points") "\"1.255\"]\n", 1, "", FALSE },
    { ONE ("points") "1]\n", 1, "", FALSE },
    { ONE ("account") "\"acme\"]\n", 1, "", FALSE },
    { ONE ("balance") "{\"currency\":\"EUR\",\"amount\":\"1\"}]\n", 1, "", TRUE },
    { ONE ("balance") "{\"amount\":\"1\"}]\n", 1, "", FALSE },
    { ONE ("balance") "{\"amount\":\"1\",\"currency\":\"EURO\"}]\n", 1, "", FALSE },
    { ONE ("balance") "{\"amount\":1,\"currency\":\"EUR\"}]\n", 1, "", FALSE },
    { ONE ("balance") "{\"amount\":\"1\",\"currency\":\"EUR\",\"x\":\"y\"}]\n", 1, "", FALSE },
    { ONE ("balance") "\"1\"]\n", 1, "", FALSE },
    { ONE ("about") "{\"object\":\"planet\",\"id\":" ID "}]\n", 1, "", TRUE },
    { ONE ("about") "{\"object\":\"\",\"id\":" ID "}]\n", 1, "", FALSE },
    { ONE ("about") "{\"id\":" ID "}]\n", 1, "", FALSE },
    { ONE ("about") "{\"object\":\"user\",\"id\":\"1\"}]\n", 1, "", FALSE },
    { ONE ("tags") "[\"a\",1]]\n", 1, "", FALSE },
    { ONE ("tags") "[[\"a\"]]]\n", 1, "", FALSE },
    { ONE ("tags") "[]]\n", 1, "", TRUE },
    { ONE ("tags") "{}]\n", 1, "", FALSE },
    { ONE (
        "extra") "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
      1, "", FALSE },
    { ONE ("extra") "{\"a\":}]\n", 1, "", FALSE },
    { ONE ("extra") "\"\\ud800\"]\n", 1, "", FALSE },
    { ONE ("name") "\"a\\u0000b\"]\n", 1, "", FALSE },
    { ONE ("name") "\"\xff\"]\n", 1, "", FALSE },
    { ONE ("nothing") "[1,{\"a\":2}]]\n", 1, "", TRUE },
    { "{\"object\":\"planet\",\"fields\":[\"name\"]}\n[" ID ",1,{\"moons\":2}]\n", 1, "", TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      gsize len;
      char *text = page_of (table[i].lines, table[i].rows, table[i].end, &len);
      g_autoptr (GError) error = NULL;
      g_autofree char *said = read_page (fixture_schema (), g_bytes_new_take (text, len), &error);

      g_test_message ("%u %s", i, error != NULL ? error->message : "fine");
      g_assert_cmpint (said != NULL, ==, table[i].fine);
      g_assert_cmpint (error == NULL, ==, table[i].fine);
    }
}

/* P13: what this client has no place for is counted, so that the cursor stays. */
static void
test_unknown (void)
{
  gsize len;
  char *text = page_of ("{\"object\":\"planet\",\"fields\":[\"name\"]}\n[" ID ",1,\"Mars\"]\n"
                        "{\"object\":\"deal\",\"fields\":[\"name\",\"colour\",\"score\"]}\n"
                        "[" ID ",1,\"x\",\"red\",3]\n[" ID ",2,\"y\",null,4]\n",
                        3, "", &len);
  g_autoptr (GError) error = NULL;
  g_autofree char *said = read_page (fixture_schema (), g_bytes_new_take (text, len), &error);

  g_assert_no_error (error);
  g_assert_nonnull (strstr (said, "skipped 1 1\n"));
  g_assert_nonnull (strstr (said, "name=\"x\" score=3\n"));
  g_assert_null (strstr (said, "planet"));
}

/* P12: a value that rules would refuse today still arrives. */
static void
test_odd_value (void)
{
  gsize len;
  char *text = page_of ("{\"object\":\"deal\",\"fields\":[\"stage\",\"tags\"]}\n[" ID
                        ",1,\"abandoned\",[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]]\n",
                        1, "", &len);
  g_autoptr (GError) error = NULL;
  g_autofree char *said = read_page (fixture_schema (), g_bytes_new_take (text, len), &error);

  g_assert_no_error (error);
  g_assert_nonnull (strstr (said, "stage=\"abandoned\""));
  g_assert_nonnull (strstr (said, "\"8\"]"));
}

static void
test_not_a_page (void)
{
  static const struct
  {
    const char *text;
    int code;
  } table[] = {
    { "", KT_ERROR_SERVER },
    { "<html><body>Sign in</body></html>\n", KT_ERROR_NOT_KONTOR },
    { "{\"ok\":true}\n", KT_ERROR_NOT_KONTOR },
    { "{\"page\":1,\"epoch\"", KT_ERROR_SERVER },
    { "{\"pa", KT_ERROR_SERVER },
  };
  gsize len;
  char *newer, *sealed;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) refused = NULL;

      g_assert_null (kt_page_open (fixture_schema (),
                                   g_bytes_new (table[i].text, strlen (table[i].text)), &refused));
      g_assert_error (refused, KT_ERROR, table[i].code);
    }

  newer = page_of ("", 0, "", &len);
  newer[8] = '2';
  sealed = seal (newer, len, &len);
  g_free (newer);
  g_assert_null (kt_page_open (fixture_schema (), g_bytes_new_take (sealed, len), &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_NEWER);
}

static void
test_limits (void)
{
  g_autofree char *filler = g_strnfill (KT_WIRE_MAX_LINE, 'x');
  g_autofree char *line = g_strdup_printf (ONE ("name") "\"%s\"]\n", filler);
  gsize len;
  char *text = page_of (line, 1, "", &len);
  g_autoptr (GError) error = NULL;
  char *huge = g_strnfill (KT_WIRE_MAX_BODY + 1, '{');

  g_assert_null (kt_page_open (fixture_schema (), g_bytes_new_take (text, len), &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_LIMIT);
  g_clear_error (&error);
  g_assert_null (
    kt_page_open (fixture_schema (), g_bytes_new_take (huge, KT_WIRE_MAX_BODY + 1), &error));
  g_assert_error (error, KT_ERROR, KT_ERROR_LIMIT);
}

static void
test_many_gone (void)
{
  KtId epoch = fixture_id (1);
  KtPageWriter *writer = kt_page_writer_new (&epoch, FALSE, "d", -1);
  g_autoptr (KtPage) page = NULL;
  g_autoptr (GError) error = NULL;
  guint n = 0;

  for (guint i = 1; i <= 2500; i++)
    {
      KtId id = fixture_id (i);

      kt_page_writer_gone (writer, fixture_object ("deal"), &id);
    }
  page = kt_page_open (fixture_schema (), kt_page_writer_finish (writer, "c", FALSE, 1), &error);
  g_assert_no_error (error);
  while (kt_page_next (page, &error) == KT_PAGE_GONE)
    {
      KtId wanted = fixture_id (++n);

      g_assert_true (kt_id_equal (&page->id, &wanted));
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 2500);
}

/* Bytes that others hold too are not touched. */
static void
test_shared_bytes (void)
{
  GBytes *body = sample_page ();
  g_autoptr (GBytes) mine = g_bytes_ref (body);
  g_autoptr (GBytes) before = g_bytes_new (g_bytes_get_data (body, NULL), g_bytes_get_size (body));
  g_autofree char *said = read_page (fixture_schema (), body, NULL);

  g_assert_nonnull (said);
  g_assert_true (g_bytes_equal (mine, before));
}

/* ---- speed ---- */

static KtSchema *
real_schema (const char **object, const char *const **names, guint *n_names)
{
  static const char *const contact[] = { "salutation",
                                         "first_name",
                                         "last_name",
                                         "full_name",
                                         "account",
                                         "job_title",
                                         "department",
                                         "email",
                                         "phone",
                                         "mobile",
                                         "preferred_channel",
                                         "best_time",
                                         "do_not_call",
                                         "do_not_email",
                                         "birthday",
                                         "gender",
                                         "language",
                                         "lifecycle_stage",
                                         "source",
                                         "score",
                                         "description",
                                         "tags",
                                         "owner",
                                         "created_at",
                                         "modified_at",
                                         "created_by" };
  const char *data = g_getenv ("KONTOR_DATADIR");
  g_autofree char *dir = data != NULL ? g_build_filename (data, "schema", NULL) : NULL;
  KtSchema *schema = dir != NULL ? kt_schema_load_dir (dir, NULL) : NULL;

  *object = "contact";
  *names = contact;
  *n_names = G_N_ELEMENTS (contact);
  return schema;
}

static void
fill_value (const KtField *field, guint i, KtValue *out)
{
  static const char *const words[] = { "Wang", "Müller", "北京字节跳动", "Smith & Sons", "Ann" };
  g_autofree char *json = NULL;

  switch (field->storage)
    {
    case KT_VALUE_BOOL:
      json = g_strdup (i % 2 ? "true" : "false");
      break;
    case KT_VALUE_INT:
      json = g_strdup_printf ("%u", i);
      break;
    case KT_VALUE_DECIMAL:
      json = g_strdup_printf ("\"%u.5\"", i % 1000);
      break;
    case KT_VALUE_MONEY:
      json = g_strdup_printf ("{\"amount\":\"%u.25\",\"currency\":\"EUR\"}", i);
      break;
    case KT_VALUE_ID:
      json = g_strdup_printf ("\"01900000-0000-7000-8000-%012x\"", i);
      break;
    case KT_VALUE_LIST:
      json = g_strdup_printf ("[\"tag %u\",\"vip\"]", i % 10);
      break;
    case KT_VALUE_TEXT:
      if (field->type == KT_FIELD_DATE)
        json = g_strdup ("\"1980-02-29\"");
      else if (field->type == KT_FIELD_DATE_TIME)
        json = g_strdup ("\"2026-01-31T08:00:00.000Z\"");
      else if (field->n_options > 0)
        json = g_strdup_printf ("\"%s\"", field->options[i % field->n_options].value);
      else if (field->type == KT_FIELD_EMAIL)
        json = g_strdup_printf ("\"person%u@example.com\"", i);
      else if (field->type == KT_FIELD_PHONE)
        json = g_strdup_printf ("\"+49 30 %u\"", i);
      else
        json = g_strdup_printf ("\"%s %u\"", words[i % G_N_ELEMENTS (words)], i);
      break;
    default:
      return;
    }

  g_autoptr (KtJson) tree = kt_json_parse (json, -1, NULL);
  g_autoptr (GError) error = NULL;

  kt_value_from_json (field, tree, out, &error);
  g_assert_no_error (error);
}

static void
test_speed (void)
{
  const char *object_name;
  const char *const *names;
  guint n;
  g_autoptr (KtSchema) schema = real_schema (&object_name, &names, &n);
  const KtObject *object = schema != NULL ? kt_schema_object (schema, object_name) : NULL;
  g_autoptr (GPtrArray) hot = g_ptr_array_new ();
  g_autoptr (GPtrArray) pages = g_ptr_array_new ();
  KtValue *values;
  double write_seconds = 0, read_seconds;
  guint rows = 0, nonnull = 0;
  gsize bytes = 0;
  KtId epoch = fixture_id (1);

  if (object == NULL)
    {
      g_test_skip ("no schema of the product here");
      return;
    }
  for (guint i = 0; i < n; i++)
    if (kt_object_field (object, names[i]) != NULL)
      g_ptr_array_add (hot, (gpointer) kt_object_field (object, names[i]));
  values = g_new0 (KtValue, (gsize) hot->len * PER_PAGE);
  for (guint r = 0; r < PER_PAGE; r++)
    for (guint i = 0; i < hot->len; i++)
      fill_value (hot->pdata[i], r, &values[r * hot->len + i]);

  g_test_timer_start ();
  for (guint p = 0; p < N_HOT / PER_PAGE; p++)
    {
      KtPageWriter *writer = kt_page_writer_new (&epoch, TRUE, "d", N_HOT);
      GBytes *body;

      kt_page_writer_block (writer, object, (const KtField *const *) hot->pdata, hot->len);
      for (guint r = 0; r < PER_PAGE; r++)
        {
          KtId id = fixture_id (p * PER_PAGE + r);

          kt_page_writer_row (writer, &id, r, &values[r * hot->len]);
        }
      body = kt_page_writer_finish (writer, "c", TRUE, 1);
      bytes += g_bytes_get_size (body);
      g_ptr_array_add (pages, body);
    }
  write_seconds = g_test_timer_elapsed ();

  g_test_timer_start ();
  for (guint p = 0; p < pages->len; p++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (KtPage) page = kt_page_open (schema, pages->pdata[p], &error);

      g_assert_no_error (error);
      while (kt_page_next (page, &error) == KT_PAGE_ROW)
        {
          rows++;
          for (guint i = 0; i < page->n_fields; i++)
            nonnull += !kt_value_is_null (&page->values[i]);
        }
      g_assert_no_error (error);
    }
  read_seconds = g_test_timer_elapsed ();
  g_assert_cmpuint (rows, ==, N_HOT);
  g_test_minimized_result (write_seconds, "%u contacts of %u values (%.1f MB) written: %.3f s",
                           rows, nonnull / rows, (double) bytes / 1e6, write_seconds);
  g_test_minimized_result (read_seconds, "… and read: %.3f s", read_seconds);
  if (!RUNNING_SLOWLY)
    {
      g_assert_cmpfloat (write_seconds, <, 2.0);
      g_assert_cmpfloat (read_seconds, <, 2.0);
    }

  for (gsize i = 0; i < (gsize) hot->len * PER_PAGE; i++)
    kt_value_clear (&values[i]);
  g_free (values);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/page/round-trip", test_round_trip);
  g_test_add_func ("/page/empty", test_empty);
  g_test_add_func ("/page/P4/flipped", test_flipped);
  g_test_add_func ("/page/flipped-and-sealed", test_flipped_and_sealed);
  g_test_add_func ("/page/mutilated", test_mutilated);
  g_test_add_func ("/page/hostile", test_hostile);
  g_test_add_func ("/page/P13/unknown", test_unknown);
  g_test_add_func ("/page/P12/odd-value", test_odd_value);
  g_test_add_func ("/page/not-a-page", test_not_a_page);
  g_test_add_func ("/page/limits", test_limits);
  g_test_add_func ("/page/many-gone", test_many_gone);
  g_test_add_func ("/page/shared-bytes", test_shared_bytes);
  g_test_add_func ("/page/speed", test_speed);
  return g_test_run ();
}
