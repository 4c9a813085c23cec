/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-error.h"
#include "base/kt-record.h"

/* A schema with one field of every type, for the tests of this folder. */
static const char sample_schema[]
    = "{\"name\":\"sample\",\"version\":3,"
      "\"system\":{\"fields\":["
      "  {\"name\":\"modified_at\",\"type\":\"date_time\",\"computed\":true},"
      "  {\"name\":\"deleted_at\",\"type\":\"date_time\",\"computed\":true}],"
      " \"business\":[{\"name\":\"owner\",\"type\":\"ref\",\"to\":[\"user\"]}]},"
      "\"objects\":["
      "{\"object\":\"user\",\"kind\":\"admin\",\"title\":\"name\",\"fields\":["
      "  {\"name\":\"name\",\"type\":\"text\",\"label\":\"Name\"}]},"
      "{\"object\":\"thing\",\"kind\":\"object\",\"title\":\"text\",\"translations\":\"json\","
      " \"label\":{\"en\":\"Thing\",\"zh_CN\":\"东西\"},\"fields\":["
      "  {\"name\":\"text\",\"type\":\"text\",\"label\":{\"en\":\"Text\",\"zh_CN\":\"文本\"},\"max\":20},"
      "  {\"name\":\"long_text\",\"type\":\"long_text\"},"
      "  {\"name\":\"rich_text\",\"type\":\"rich_text\"},"
      "  {\"name\":\"email\",\"type\":\"email\",\"label\":\"E-mail\"},"
      "  {\"name\":\"phone\",\"type\":\"phone\"},"
      "  {\"name\":\"url\",\"type\":\"url\"},"
      "  {\"name\":\"integer\",\"type\":\"integer\",\"default\":7},"
      "  {\"name\":\"decimal\",\"type\":\"decimal\",\"scale\":2},"
      "  {\"name\":\"money\",\"type\":\"money\",\"label\":\"Amount\"},"
      "  {\"name\":\"percent\",\"type\":\"percent\"},"
      "  {\"name\":\"boolean\",\"type\":\"boolean\"},"
      "  {\"name\":\"date\",\"type\":\"date\"},"
      "  {\"name\":\"date_time\",\"type\":\"date_time\"},"
      "  {\"name\":\"duration\",\"type\":\"duration\"},"
      "  {\"name\":\"choice\",\"type\":\"choice\",\"label\":{\"en\":\"Stage\"},\"options\":["
      "    {\"value\":\"new\",\"label\":{\"en\":\"New\",\"zh_CN\":\"新建\"}},"
      "    {\"value\":\"best_case\",\"label\":{\"en\":\"Best case, really\",\"zh_CN\":\"乐观\"}},"
      "    {\"value\":\"done\",\"label\":{\"en\":\"Done\",\"zh_CN\":\"完成\"}}],"
      "    \"transitions\":{\"new\":[\"done\"]},\"policy\":\"state\",\"default\":\"new\"},"
      "  {\"name\":\"open_choice\",\"type\":\"choice\",\"open\":true,\"options\":[\"a\",\"b\"]},"
      "  {\"name\":\"choices\",\"type\":\"choices\",\"options\":["
      "    {\"value\":\"red\",\"label\":{\"en\":\"Red\",\"zh_CN\":\"红\"}},"
      "    {\"value\":\"green\",\"label\":{\"en\":\"Green, or so\",\"zh_CN\":\"绿\"}}]},"
      "  {\"name\":\"tags\",\"type\":\"tags\",\"max\":3},"
      "  {\"name\":\"ref\",\"type\":\"ref\",\"to\":[\"user\"]},"
      "  {\"name\":\"ref_any\",\"type\":\"ref_any\",\"to\":[\"*\"]},"
      "  {\"name\":\"ref_some\",\"type\":\"ref_any\",\"to\":[\"user\"]},"
      "  {\"name\":\"many\",\"type\":\"many\",\"to\":[\"user\"]},"
      "  {\"name\":\"number\",\"type\":\"auto_number\",\"format\":\"T-{0000}\"},"
      "  {\"name\":\"address\",\"type\":\"address\"},"
      "  {\"name\":\"file\",\"type\":\"file\"},"
      "  {\"name\":\"image\",\"type\":\"image\"},"
      "  {\"name\":\"json\",\"type\":\"json\"},"
      "  {\"name\":\"total\",\"type\":\"decimal\",\"computed\":true,\"formula\":\"integer * 2\"},"
      "  {\"name\":\"owner_name\",\"type\":\"text\",\"from\":\"owner.name\"}]}"
      "]}";

#define SAMPLE_ID   "01900000-0000-7000-8000-0000000000aa"
#define SAMPLE_ID_2 "01900000-0000-7000-8000-0000000000bb"

static inline KtSchema *
sample_schema_new (void)
{
  g_autoptr (GError) error = NULL;
  KtSchema *schema = kt_schema_from_json (sample_schema, -1, &error);

  g_assert_no_error (error);
  g_assert_nonnull (schema);
  return schema;
}

static inline const KtField *
sample_field (KtSchema *schema,
              const char *name)
{
  const KtField *field = kt_object_field (kt_schema_object (schema, "thing"), name);

  g_assert_nonnull (field);
  return field;
}

/* The seed of a random test: KT_TEST_SEED, else one from the clock; printed, so that it can be given again. */
static inline GRand *
sample_rand_new (void)
{
  const char *given = g_getenv ("KT_TEST_SEED");
  guint32 seed = given != NULL ? (guint32) g_ascii_strtoull (given, NULL, 10)
                               : (guint32) g_get_real_time ();

  g_test_message ("KT_TEST_SEED=%u", seed);
  return g_rand_new_with_seed (seed);
}
