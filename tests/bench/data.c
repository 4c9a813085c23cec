/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Contacts and companies as a sales team of some size has them: 10 % with Chinese
 * names, everyone with a company, an e-mail address, one or two phones and a note.
 * They get into the workspace the way a device's edits do, in pushes of many records;
 * only HTTP is left out. The same number always gives the same record.               */

#include "config.h"

#include "bench.h"

#include <string.h>

#include <glib/gstdio.h>

#include "db/kt-system-env.h"
#include "proto/kt-mutation.h"
#include "server/kt-core.h"
#include "sync/kt-transport.h"

#define CONTACTS_AN_ACCOUNT 50
#define OPS 1000 /* of one mutation */

enum
{
  KIND_ACCOUNT = 1,
  KIND_CONTACT
};

static const char *const given[] = {
  "Anna",    "Jürgen",  "Mary",    "Pedro",  "Olga",     "John",   "Sofía",  "Liam",   "Noah",
  "Emma",    "Mia",     "Chloé",   "Łukasz", "Andreas",  "Birgit", "Carlos", "Daniel", "Eva",
  "Felix",   "Greta",   "Hannah",  "Isabel", "James",    "Karin",  "Lena",   "Marco",  "Nina",
  "Oliver",  "Paula",   "Quentin", "Robert", "Sandra",   "Thomas", "Ursula", "Viktor", "Wendy",
  "Xavier",  "Yusuf",   "Zoë",     "Björn",  "Françoise", "Günther", "Søren", "Aylin",  "Priya",
  "Michael", "Linda",   "William", "Susan",  "Richard",  "Joseph", "Karen",  "Charles", "Nancy",
};
static const char *const family[] = {
  "Schmidt",  "Müller",   "Smith",    "García",  "Ivanova", "Brown",    "Dubois",  "Rossi",   "Nowak",
  "Kim",      "Lopez",    "Hansen",   "Öztürk",  "Fischer", "Weber",    "Meyer",   "Wagner",  "Becker",
  "Johnson",  "Williams", "Jones",    "Davis",   "Miller",  "Wilson",   "Moore",   "Taylor",  "Anderson",
  "Jackson",  "White",    "Harris",   "Martin",  "Thompson", "Robinson", "Clark",   "Lewis",   "Walker",
  "Hall",     "Young",    "King",     "Wright",  "Hill",    "Scott",    "Green",   "Adams",   "Baker",
  "Bernard",  "Moreau",   "Laurent",  "Lefèvre", "Bianchi", "Romano",   "Kowalski", "Svensson", "Lindqvist",
  "O’Connor", "MacLeod",  "van Dijk", "de Vries", "Horváth", "Popescu",  "Sato",    "Tanaka",  "Nguyen",
};
static const char *const han_family[] = { "王", "李", "张", "刘", "陈", "杨", "赵", "黄",   "周",   "吴",
                                          "徐", "孙", "胡", "朱", "高", "林", "何", "欧阳", "司马", "郭" };
static const char *const han_given[] = { "伟",   "秀英", "娜",   "敏",   "静",   "建国", "晓明", "丽华",
                                         "志强", "海燕", "思远", "雨桐", "子轩", "国庆", "文博", "小红" };
static const char *const firms[] = { "Northwind", "Acme",   "Globex", "Initech", "Umbrella", "Stark",
                                     "Wayne",     "Hooli",  "Vandelay", "Soylent", "Tyrell",  "Cyberdyne",
                                     "Oscorp",    "Massive", "Gekko",  "Duff",    "Sirius",   "Zorin" };
static const char *const trades[] = { "Hardware", "Logistics", "Systems", "Medical", "Foods", "Energy",
                                      "Textiles", "Robotics",  "Optics",  "Paper",   "Steel", "Travel" };
static const char *const forms[] = { "GmbH", "Ltd", "Inc", "SARL", "BV", "AG", "S.A.", "Oy" };
static const char *const han_places[] = { "上海", "北京", "深圳", "广州", "杭州", "成都", "重庆", "武汉" };
static const char *const han_trades[] = { "华信科技", "远大机械", "新希望食品", "中联物流", "东方电子" };
static const char *const jobs[] = { "Head of Purchasing", "Engineer",  "Chief Executive", "Sales Manager",
                                    "Analyst",            "Buyer",     "Plant Manager",   "Consultant",
                                    "IT Administrator",   "Accountant" };
static const char *const han_jobs[] = { "采购经理", "财务总监", "工程师", "销售主管" };
static const char *const stages[] = { "lead", "qualified", "opportunity", "customer", "evangelist" };
static const char *const sources[] = { "website", "trade_show", "referral", "cold_call", "import" };
static const char *const words[] = { "hardware", "rollout",  "contract",  "renewal",  "budget", "meeting",
                                     "Berlin",   "server",   "licence",   "support",  "quarter", "migration",
                                     "training", "delivery", "signature", "warehouse" };

/* What is typed in the search entries: Western and Chinese names, pinyin and its initials, companies,
 * numbers of phones, addresses, notes, two words. Every beginning of each is asked for, as somebody types it. */
static const char *const typed[] = {
  "anna schmidt", "müller",   "Françoise L", "o'connor", "nguyen",     "王秀英",   "欧阳建国", "zhangxiaoming",
  "liuwei",       "ouyang",   "northwind",   "上海华信", "+49 30 123", "13800104", "person4711", "head of pur",
  "renewal berl", "qzx",      NULL,
};

const char *const *
bench_typed (void)
{
  return typed;
}

/* ---- records ---- */

/* Far apart for neighbours, and always the same. */
static guint
pick (guint n, guint salt, guint count)
{
  guint64 x = ((guint64) n + 1) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) + salt * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);

  x ^= x >> 30;
  x *= G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  x ^= x >> 27;
  x *= G_GUINT64_CONSTANT (0x94d049bb133111eb);
  x ^= x >> 31;
  return (guint) (x % count);
}

#define PICK(n, salt, list) ((list)[pick (n, salt, G_N_ELEMENTS (list))])

KtId
bench_id (guint kind, guint n)
{
  guint64 ms = G_GUINT64_CONSTANT (1735689600000) + (guint64) n * 250 + kind;
  KtId id;

  for (guint i = 0; i < 6; i++)
    id.b[i] = (guint8) (ms >> (40 - 8 * i));
  for (guint i = 6; i < 16; i++)
    id.b[i] = (guint8) pick (n, kind * 100 + i, 256);
  id.b[6] = 0x70 | (id.b[6] & 0x0f);
  id.b[8] = 0x80 | (id.b[8] & 0x3f);
  return id;
}

static void
put (KtRecord *record, const char *name, const char *text)
{
  const KtField *field = kt_object_field (record->object, name);

  g_assert (field != NULL && field->storage == KT_VALUE_TEXT);
  kt_value_set_text (&record->values[field->index], text);
}

static void G_GNUC_PRINTF (3, 4)
putf (KtRecord *record, const char *name, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  put (record, name, text);
}

KtRecord *
bench_account (const KtSchema *schema, guint n)
{
  KtId id = bench_id (KIND_ACCOUNT, n);
  KtRecord *record = kt_record_new (kt_schema_object (schema, "account"), &id);

  if (n % 10 == 7)
    putf (record, "name", "%s%s有限公司 %u", PICK (n, 1, han_places), PICK (n, 2, han_trades), n);
  else
    putf (record, "name", "%s %s %u %s", PICK (n, 1, firms), PICK (n, 2, trades), n, PICK (n, 3, forms));
  putf (record, "phone", "+49 %u %07u", 30 + pick (n, 4, 60), pick (n, 5, 10000000));
  return record;
}

KtRecord *
bench_contact (const KtSchema *schema, guint n, const KtId *account)
{
  KtId id = bench_id (KIND_CONTACT, n);
  KtRecord *record = kt_record_new (kt_schema_object (schema, "contact"), &id);
  const KtField *field = kt_object_field (record->object, "account");
  gboolean han = n % 10 == 3;
  GString *note = g_string_new (NULL);

  put (record, "first_name", han ? PICK (n, 1, han_given) : PICK (n, 1, given));
  put (record, "last_name", han ? PICK (n, 2, han_family) : PICK (n, 2, family));
  put (record, "job_title", han ? PICK (n, 3, han_jobs) : PICK (n, 3, jobs));
  putf (record, "email", "person%u@company%u.example", n, n / CONTACTS_AN_ACCOUNT);
  if (han)
    putf (record, "mobile", "138%08u", n * 104729u % 100000000u);
  else
    {
      putf (record, "phone", "+49 %u %07u", 30 + pick (n, 4, 60), pick (n, 5, 10000000));
      if (n % 3 == 0)
        putf (record, "mobile", "+49 170 %08u", n);
    }
  put (record, "lifecycle_stage", PICK (n, 6, stages));
  put (record, "source", PICK (n, 7, sources));
  if (account != NULL)
    kt_value_set_id (&record->values[field->index], account);
  for (guint i = 0; i < 2 + pick (n, 8, 8); i++)
    g_string_append_printf (note, "%s%s", i > 0 ? " " : "", PICK (n, 10 + i, words));
  put (record, "description", note->str);
  g_string_free (note, TRUE);
  return record;
}

KtSchema *
bench_schema (void)
{
  static KtSchema *schema;
  const char *data = g_getenv ("KONTOR_DATADIR");
  g_autofree char *dir = g_build_filename (data != NULL ? data : KT_SOURCE_DATADIR, "schema", NULL);
  g_autoptr (GError) error = NULL;

  if (schema == NULL)
    schema = kt_schema_load_dir (dir, &error);
  g_assert_no_error (error);
  return schema;
}

/* ---- into a workspace ---- */

typedef struct
{
  KtCore *core;
  char *token;
  char *device, *epoch;
  gint64 number;
  KtMutation *mutation; /* being filled */
} Loader;

static KtJson *
tell (Loader *loader, KtEndpoint endpoint, GString *body)
{
  g_autoptr (KtRequest) request = kt_request_new (endpoint);
  g_autoptr (KtReply) reply = NULL;
  g_autoptr (GError) error = NULL;
  KtJson *json;
  gsize len;
  const char *text;

  request->token = g_strdup (loader->token);
  request->range_start = -1;
  request->body = g_string_free_to_bytes (body);
  reply = kt_core_handle (loader->core, request);
  text = g_bytes_get_data (reply->body, &len);
  if (reply->status != 200)
    g_error ("the server says %u: %.*s", reply->status, (int) len, text);
  json = kt_json_parse (text, (gssize) len, &error);
  g_assert_no_error (error);
  return json;
}

static void
sign_in (Loader *loader)
{
  GString *body = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (body);
  g_autoptr (KtJson) json = NULL;

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "user", BENCH_USER);
  kt_json_put_string (&writer, "password", BENCH_PASSWORD);
  kt_json_put_raw (&writer, "device", "{\"name\":\"loader\"}");
  kt_json_end_object (&writer);
  json = tell (loader, KT_ENDPOINT_LOGIN, body);
  loader->token = g_strdup (kt_json_get_string (json, "token", NULL));
  loader->device = g_strdup (kt_json_get_string (json, "device", NULL));
  loader->epoch = g_strdup (kt_json_get_string (json, "epoch", NULL));
}

static void
flush (Loader *loader)
{
  GString *body;
  KtJsonWriter writer;
  g_autoptr (KtJson) json = NULL;
  const KtJson *verdict;

  if (loader->mutation == NULL)
    return;
  body = g_string_new (NULL);
  writer = (KtJsonWriter) KT_JSON_WRITER (body);
  loader->mutation->id = kt_id_new (kt_system_env ());
  loader->mutation->number = ++loader->number;
  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "device", loader->device);
  kt_json_put_string (&writer, "epoch", loader->epoch);
  kt_json_key (&writer, "mutations");
  kt_json_begin_array (&writer);
  kt_mutation_to_json (loader->mutation, &writer);
  kt_json_end_array (&writer);
  kt_json_end_object (&writer);
  json = tell (loader, KT_ENDPOINT_PUSH, body);
  verdict = kt_json_at (kt_json_get (json, "verdicts"), 0);
  if (strcmp (kt_json_get_string (verdict, "outcome", ""), "applied") != 0)
    g_error ("the server did not take it: %s", kt_json_get_string (verdict, "message", "?"));
  g_clear_pointer (&loader->mutation, kt_mutation_free);
}

static void
add (Loader *loader, KtRecord *record)
{
  if (loader->mutation == NULL)
    loader->mutation = kt_mutation_new ("2026-01-31T08:00:00.000Z", "import");
  kt_mutation_add (loader->mutation, KT_MUTATE_CREATE, record->object, &record->id, 0, kt_patch_diff (NULL, record));
  kt_record_unref (record);
  if (loader->mutation->ops->len == OPS)
    flush (loader);
}

static void
fill (const char *dir, guint rows)
{
  g_autoptr (GError) error = NULL;
  Loader loader = { .core = kt_core_open (dir, kt_system_env (), &error) };
  const KtSchema *schema;
  guint accounts = MAX (rows / CONTACTS_AN_ACCOUNT, 1);

  g_assert_no_error (error);
  schema = kt_core_schema (loader.core);
  sign_in (&loader);
  for (guint i = 0; i < accounts; i++)
    add (&loader, bench_account (schema, i));
  flush (&loader);
  for (guint i = 0; i < rows; i++)
    {
      KtId account = bench_id (KIND_ACCOUNT, i / CONTACTS_AN_ACCOUNT % accounts);

      add (&loader, bench_contact (schema, i, &account));
    }
  flush (&loader);
  kt_core_close (loader.core);
  g_free (loader.token);
  g_free (loader.device);
  g_free (loader.epoch);
}

char *
bench_workspace (Bench *bench)
{
  char *dir = g_build_filename (bench->dir, "server", NULL);
  g_autofree char *fresh = g_build_filename (bench->scratch, "server", NULL);
  g_autofree char *schema_dir = NULL;
  g_autoptr (GError) error = NULL;
  const char *data = g_getenv ("KONTOR_DATADIR");
  double start = bench_now ();
  KtInitOptions init = { .name = "Bench", .admin = BENCH_USER, .password = BENCH_PASSWORD };

  if (g_file_test (dir, G_FILE_TEST_IS_DIR))
    return dir;
  schema_dir = g_build_filename (data != NULL ? data : KT_SOURCE_DATADIR, "schema", NULL);
  init.schema_dir = schema_dir;
  kt_core_init (fresh, &init, kt_system_env (), &error);
  g_assert_no_error (error);
  fill (fresh, bench->rows);
  /* Whole or not at all; another benchmark may have been faster. */
  if (g_rename (fresh, dir) != 0)
    bench_remove (fresh);
  g_printerr ("(made a workspace with %u contacts in %.1f s)\n", bench->rows, bench_now () - start);
  return dir;
}

/* ---- a profile ---- */

static void
pull_profile (Bench *bench, const char *dir)
{
  g_autofree char *workspace = bench_workspace (bench);
  g_autofree char *fresh = g_build_filename (bench->scratch, "profile", NULL);
  g_autoptr (KtTransport) transport = NULL;
  g_autoptr (GError) error = NULL;
  BenchServer server = { NULL, NULL };
  KtLocal *local;

  bench_server_start (&server, workspace);
  local = bench_sign_in (&server, fresh);
  transport = kt_http_transport_new (server.address, &error);
  g_assert_no_error (error);
  kt_sync_run (local, transport, 0, NULL, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  kt_local_close (local);
  bench_server_stop (&server);
  if (g_rename (fresh, dir) != 0)
    bench_remove (fresh);
}

char *
bench_profile (Bench *bench, gboolean copy)
{
  char *dir = g_build_filename (bench->dir, "profile", NULL);
  char *other;
  static guint n;

  if (!g_file_test (dir, G_FILE_TEST_IS_DIR))
    pull_profile (bench, dir);
  if (!copy)
    return dir;
  other = g_strdup_printf ("%s/copy-%u", bench->scratch, ++n);
  bench_copy (dir, other);
  g_free (dir);
  return other;
}
