/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-id.h"
#include "base/kt-json.h"
#include "base/kt-record.h"
#include "proto/kt-mutation.h"

/* A small schema with every storage and every policy. */
static const char fixture_json[] =
  "{\"name\":\"fixture\",\"version\":1,"
  "\"system\":{\"fields\":["
  "{\"name\":\"created_at\",\"type\":\"date_time\",\"label\":\"Created\",\"computed\":true},"
  "{\"name\":\"deleted_at\",\"type\":\"date_time\",\"label\":\"Deleted\",\"computed\":true}],"
  "\"business\":[{\"name\":\"owner\",\"type\":\"ref\",\"label\":\"Owner\",\"to\":[\"user\"]}]},"
  "\"objects\":["
  "{\"object\":\"user\",\"kind\":\"admin\",\"label\":{\"en\":\"User\",\"zh_CN\":\"用户\"},"
  "\"plural\":{\"en\":\"Users\",\"zh_CN\":\"用户\"},\"conflict\":\"server\",\"title\":\"name\","
  "\"fields\":[{\"name\":\"name\",\"type\":\"text\",\"label\":\"Name\",\"required\":true}]},"
  "{\"object\":\"account\",\"kind\":\"object\",\"label\":{\"en\":\"Account\",\"zh_CN\":\"客户\"},"
  "\"plural\":{\"en\":\"Accounts\",\"zh_CN\":\"客户\"},\"title\":\"name\","
  "\"fields\":[{\"name\":\"name\",\"type\":\"text\",\"label\":\"Name\",\"required\":true}]},"
  "{\"object\":\"deal\",\"kind\":\"object\",\"label\":{\"en\":\"Deal\",\"zh_CN\":\"商机\"},"
  "\"plural\":{\"en\":\"Deals\",\"zh_CN\":\"商机\"},\"title\":\"name\",\"fields\":["
  "{\"name\":\"name\",\"type\":\"text\",\"label\":{\"en\":\"Name\",\"zh_CN\":\"名称\"},"
  "\"required\":true,\"max\":200},"
  "{\"name\":\"phone\",\"type\":\"phone\",\"label\":{\"en\":\"Phone\",\"zh_CN\":\"电话\"}},"
  "{\"name\":\"rank\",\"type\":\"text\",\"label\":\"Rank\",\"policy\":\"latest\"},"
  "{\"name\":\"nick\",\"type\":\"text\",\"label\":\"Nick\",\"policy\":\"mine\"},"
  "{\"name\":\"grade\",\"type\":\"text\",\"label\":\"Grade\",\"policy\":\"server\"},"
  "{\"name\":\"stage\",\"type\":\"choice\",\"label\":{\"en\":\"Stage\",\"zh_CN\":\"阶段\"},"
  "\"policy\":\"state\",\"options\":["
  "{\"value\":\"draft\",\"label\":{\"en\":\"Proposal\",\"zh_CN\":\"提案\"}},"
  "{\"value\":\"sent\",\"label\":{\"en\":\"Negotiation\",\"zh_CN\":\"谈判\"}},"
  "{\"value\":\"won\",\"label\":{\"en\":\"Won\",\"zh_CN\":\"赢单\"}},"
  "{\"value\":\"lost\",\"label\":{\"en\":\"Lost\",\"zh_CN\":\"输单\"}}],"
  "\"transitions\":{\"draft\":[\"sent\",\"lost\"],\"sent\":[\"won\",\"lost\"],\"won\":[],"
  "\"lost\":[\"draft\"]}},"
  "{\"name\":\"score\",\"type\":\"integer\",\"label\":\"Score\",\"policy\":\"sum\"},"
  "{\"name\":\"points\",\"type\":\"decimal\",\"label\":\"Points\",\"scale\":2,\"policy\":\"sum\"},"
  "{\"name\":\"balance\",\"type\":\"money\",\"label\":\"Balance\",\"policy\":\"sum\"},"
  "{\"name\":\"amount\",\"type\":\"money\",\"label\":{\"en\":\"Amount\",\"zh_CN\":\"金额\"}},"
  "{\"name\":\"chance\",\"type\":\"percent\",\"label\":\"Chance\"},"
  "{\"name\":\"hot\",\"type\":\"boolean\",\"label\":\"Hot\"},"
  "{\"name\":\"close_date\",\"type\":\"date\",\"label\":{\"en\":\"Close date\",\"zh_CN\":\"结单日期\"}},"
  "{\"name\":\"met_at\",\"type\":\"date_time\",\"label\":\"Met\"},"
  "{\"name\":\"length\",\"type\":\"duration\",\"label\":\"Length\"},"
  "{\"name\":\"tags\",\"type\":\"tags\",\"label\":\"Tags\",\"max\":7},"
  "{\"name\":\"channels\",\"type\":\"choices\",\"label\":\"Channels\",\"options\":["
  "{\"value\":\"mail\",\"label\":\"Mail\"},{\"value\":\"call\",\"label\":\"Call\"}]},"
  "{\"name\":\"members\",\"type\":\"many\",\"label\":\"Members\",\"to\":[\"user\"]},"
  "{\"name\":\"note\",\"type\":\"long_text\",\"label\":{\"en\":\"Note\",\"zh_CN\":\"备注\"}},"
  "{\"name\":\"account\",\"type\":\"ref\",\"label\":{\"en\":\"Account\",\"zh_CN\":\"客户\"},"
  "\"to\":[\"account\"]},"
  "{\"name\":\"about\",\"type\":\"ref_any\",\"label\":\"About\",\"to\":[\"account\",\"user\"]},"
  "{\"name\":\"extra\",\"type\":\"json\",\"label\":\"Extra\"},"
  "{\"name\":\"object\",\"type\":\"text\",\"label\":\"Object\"},"
  "{\"name\":\"place\",\"type\":\"address\",\"label\":\"Place\"}]},"
  "{\"object\":\"sync_conflict\",\"kind\":\"admin\",\"label\":\"Review item\",\"conflict\":\"server\","
  "\"title\":\"message\",\"fields\":["
  "{\"name\":\"message\",\"type\":\"text\",\"label\":\"Message\"},"
  "{\"name\":\"mine_by\",\"type\":\"ref\",\"label\":\"Mine by\",\"to\":[\"user\"]},"
  "{\"name\":\"assigned_to\",\"type\":\"ref\",\"label\":\"Assigned to\",\"to\":[\"user\"]}]}]}";

/* Read once per program. */
static inline KtSchema *
fixture_schema (void)
{
  static KtSchema *schema;

  if (schema == NULL)
    {
      g_autoptr (GError) error = NULL;

      schema = kt_schema_from_json (fixture_json, -1, &error);
      g_assert_no_error (error);
    }
  return schema;
}

static inline const KtObject *
fixture_object (const char *name)
{
  const KtObject *object = kt_schema_object (fixture_schema (), name);

  g_assert_nonnull (object);
  return object;
}

static inline const KtField *
fixture_field (const char *name)
{
  const KtField *field = kt_object_field (fixture_object ("deal"), name);

  g_assert_nonnull (field);
  return field;
}

static inline KtId
fixture_id (guint n)
{
  KtId id = { { 0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80 } };

  id.b[12] = (guint8) (n >> 24);
  id.b[13] = (guint8) (n >> 16);
  id.b[14] = (guint8) (n >> 8);
  id.b[15] = (guint8) n;
  return id;
}

/* @json: wire form; NULL: null. */
static inline void
fixture_value (const KtField *field, const char *json, KtValue *out)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtJson) tree = json != NULL ? kt_json_parse (json, -1, &error) : NULL;

  g_assert_no_error (error);
  *out = KT_VALUE_INIT;
  if (tree != NULL)
    kt_value_from_json (field, tree, out, &error);
  g_assert_no_error (error);
}

/* {"name":"x",…} → a record of a deal. */
static inline KtRecord *
fixture_record (guint n, const char *fields)
{
  KtId id = fixture_id (n);
  KtRecord *record = kt_record_new (fixture_object ("deal"), &id);
  g_autoptr (GError) error = NULL;
  g_autoptr (KtJson) json = kt_json_parse (fields, -1, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const KtField *field = fixture_field (kt_json_key_at (json, i));

      kt_value_from_json (field, kt_json_at (json, i), &record->values[field->index], &error);
      g_assert_no_error (error);
    }
  return record;
}

static inline char *
fixture_text (const KtRecord *record)
{
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_record_to_json (record, FALSE, &writer);
  return g_string_free (out, FALSE);
}

/* A seed that is printed and can be given: KONTOR_SEED=… */
static inline GRand *
fixture_rand (void)
{
  const char *given = g_getenv ("KONTOR_SEED");
  guint32 seed =
    given != NULL ? (guint32) g_ascii_strtoull (given, NULL, 10) : (guint32) g_test_rand_int ();

  g_test_message ("seed: KONTOR_SEED=%u", seed);
  return g_rand_new_with_seed (seed);
}
