/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A schema as one document, as a server sends it. */

#include "config.h"

#include "base/kt-error.h"
#include "base/kt-schema.h"
#include "fuzz.h"
#include "proto/kt-expression.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = NULL;
  g_autoptr (KtSchema) schema = NULL;
  g_autoptr (KtSchema) back = NULL;
  g_autoptr (KtSchemaDiff) diff = NULL;
  g_autoptr (KtExpressionEngine) engine = NULL;
  g_autoptr (GError) error = NULL;
  const KtObject *const *objects;
  guint n_objects;

  if (size > FUZZ_MAX)
    return 0;
  text = fuzz_text (data, size);
  schema = kt_schema_from_json (text, (gssize) size, &error);
  g_assert_true ((schema != NULL) == (error == NULL));
  if (schema == NULL)
    {
      g_assert_true (error->domain == KT_ERROR);
      fuzz_check_message (error->message);
      return 0;
    }
  back = kt_schema_from_json (kt_schema_to_json (schema), -1, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (kt_schema_digest (back), ==, kt_schema_digest (schema));
  diff = kt_schema_diff (schema, back);
  g_assert_cmpuint (diff->new_objects->len + diff->new_fields->len + diff->retyped_fields->len, ==,
                    0);
  objects = kt_schema_objects (schema, &n_objects);
  for (guint i = 0; i < n_objects; i++)
    {
      const KtObject *object = objects[i];
      g_autofree const KtField **list = NULL;
      KtId id = KT_ID_NIL;
      g_autoptr (KtRecord) record = kt_record_new (object, &id);
      g_autofree char *title = NULL;
      guint n;

      g_assert_true (kt_schema_object (schema, object->name) == object);
      g_assert_true (kt_schema_object_by_number (schema, object->number) == object);
      g_assert_nonnull (object->title);
      list = kt_object_list_fields (object, &n);
      g_assert_cmpuint (n, <=, 8);
      kt_object_label (object, "zh_CN");
      kt_object_plural (object, "en");
      for (guint f = 0; f < object->n_fields; f++)
        {
          g_assert_cmpuint (object->fields[f]->index, ==, f);
          kt_field_label (object->fields[f], "de_DE");
        }
      kt_record_apply_defaults (record);
      title = kt_record_title (record, "zh_CN");
      g_assert_nonnull (title);
    }
  engine = kt_expression_engine_new (schema, &error);
  g_assert_true ((engine != NULL) == (error == NULL));
  return 0;
}
