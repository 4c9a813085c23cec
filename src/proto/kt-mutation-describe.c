/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A mutation in one sentence. Both halves say it (history, review, outbox,
 * server log), so it stands here with its two languages instead of gettext.
 * Whole sentences only: the order of words differs.                        */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-mutation.h"

#include <string.h>

#define MAX_SHOWN 60 /* characters of a title or value */

typedef struct
{
  const KtMutation *mutation;
  const char *locale;
  gboolean chinese;
  gboolean import;
  KtTitleFunc title;
  gpointer data;
} Words;

/* One line, not too long. Takes @text. */
static char *
shorten (char *text)
{
  glong length = g_utf8_strlen (text, -1);

  g_strdelimit (text, "\n\t", ' ');
  if (length > MAX_SHOWN)
    {
      g_autofree char *whole = text;
      g_autofree char *head = g_utf8_substring (whole, 0, MAX_SHOWN - 1);

      return g_strconcat (head, "…", NULL);
    }
  return text;
}

static char *
lookup_title (const Words *words, const KtObject *object, const KtId *id)
{
  char *title =
    words->title != NULL && object != NULL ? words->title (object, id, words->data) : NULL;

  return title != NULL ? shorten (title) : NULL;
}

/* Without a database: what the op itself tells. */
static char *
title_from_patch (const KtOp *op, const char *locale)
{
  g_autoptr (KtRecord) record = kt_record_new (op->object, &op->id);
  const char *first, *last;

  if (op->patch != NULL)
    kt_patch_apply (op->patch, record);
  first = kt_record_text (record, "first_name");
  last = kt_record_text (record, "last_name");
  /* A person's full name is computed, so a patch never has it. */
  if (kt_value_is_null (&record->values[op->object->title->index])
      && (first != NULL || last != NULL))
    return g_strjoin (first != NULL && last != NULL ? " " : "", first != NULL ? first : "",
                      last != NULL ? last : "", NULL);
  return kt_record_title (record, locale);
}

static char *
title_of (const Words *words, const KtOp *op)
{
  char *title = lookup_title (words, op->object, &op->id);

  return title != NULL ? title : shorten (title_from_patch (op, words->locale));
}

/* "Contact" → "contact", but "SLA policy" stays. */
static char *
noun (const Words *words, const KtObject *object, gboolean plural)
{
  const char *label =
    plural ? kt_object_plural (object, words->locale) : kt_object_label (object, words->locale);

  if (words->chinese || g_ascii_isupper (label[0]) == 0 || g_ascii_isupper (label[1]) != 0)
    return g_strdup (label);

  char *lower = g_strdup (label);

  lower[0] = g_ascii_tolower (lower[0]);
  return lower;
}

static gboolean
is_short (const KtField *field)
{
  switch (field->type)
    {
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
    case KT_FIELD_ADDRESS:
    case KT_FIELD_JSON:
    case KT_FIELD_FILE:
    case KT_FIELD_IMAGE:
    case KT_FIELD_MANY:
      return FALSE;
    default:
      return TRUE;
    }
}

static char *
show_value (const Words *words, const KtField *field, const KtValue *value)
{
  const KtObject *target = NULL;
  char *title;

  if (value->type == KT_VALUE_ANY)
    target = kt_schema_object (field->object->schema, value->v.ref.object);
  else if (value->type == KT_VALUE_ID && field->to != NULL && field->to[0] != NULL)
    target = kt_schema_object (field->object->schema, field->to[0]);
  title = target != NULL ? lookup_title (words, target, &value->v.ref.id) : NULL;
  return title != NULL ? title : shorten (kt_value_display (field, value, words->locale));
}

static char *
describe_field (const Words *words, const KtChange *change, const char *title)
{
  const char *label = kt_field_label (change->field, words->locale);
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  if (!is_short (change->field))
    return words->chinese ? g_strdup_printf ("修改了“%s”的%s", title, label)
                          : g_strdup_printf ("Changed %s of “%s”", label, title);

  before = show_value (words, change->field, &change->before);
  after = show_value (words, change->field, &change->after);
  if (kt_value_is_null (&change->before))
    return words->chinese ? g_strdup_printf ("将“%s”的%s设为 %s", title, label, after)
                          : g_strdup_printf ("Set %s of “%s” to %s", label, title, after);
  if (kt_value_is_null (&change->after))
    return words->chinese ? g_strdup_printf ("清除了“%s”的%s（原为 %s）", title, label, before)
                          : g_strdup_printf ("Cleared %s of “%s” (was %s)", label, title, before);
  return words->chinese
           ? g_strdup_printf ("将“%s”的%s由 %s 改为 %s", title, label, before, after)
           : g_strdup_printf ("Changed %s of “%s”: %s → %s", label, title, before, after);
}

static char *
describe_update (const Words *words, const KtOp *op, const char *title)
{
  const KtChange *changes = (const KtChange *) op->patch->changes->data;
  guint n = kt_patch_length (op->patch);
  const char *label[3] = { NULL };

  for (guint i = 0; i < MIN (n, G_N_ELEMENTS (label)); i++)
    label[i] = kt_field_label (changes[i].field, words->locale);

  switch (n)
    {
    case 0:
      return words->chinese ? g_strdup_printf ("修改了“%s”", title)
                            : g_strdup_printf ("Changed “%s”", title);
    case 1:
      return describe_field (words, &changes[0], title);
    case 2:
      return words->chinese
               ? g_strdup_printf ("修改了“%s”的%s和%s", title, label[0], label[1])
               : g_strdup_printf ("Changed %s and %s of “%s”", label[0], label[1], title);
    case 3:
      return words->chinese
               ? g_strdup_printf ("修改了“%s”的%s、%s和%s", title, label[0], label[1], label[2])
               : g_strdup_printf ("Changed %s, %s and %s of “%s”", label[0], label[1], label[2],
                                  title);
    default:
      return words->chinese ? g_strdup_printf ("修改了“%s”的 %u 个字段", title, n)
                            : g_strdup_printf ("Changed %u fields of “%s”", n, title);
    }
}

static char *
describe_op (const Words *words, const KtOp *op)
{
  g_autofree char *title = title_of (words, op);
  g_autofree char *object = noun (words, op->object, FALSE);

  switch (op->kind)
    {
    case KT_MUTATE_CREATE:
      if (words->import)
        return words->chinese ? g_strdup_printf ("导入了%s“%s”", object, title)
                              : g_strdup_printf ("Imported %s “%s”", object, title);
      return words->chinese ? g_strdup_printf ("新建了%s“%s”", object, title)
                            : g_strdup_printf ("Created %s “%s”", object, title);
    case KT_MUTATE_UPDATE:
      return describe_update (words, op, title);
    case KT_MUTATE_DELETE:
      return words->chinese ? g_strdup_printf ("删除了%s“%s”", object, title)
                            : g_strdup_printf ("Deleted %s “%s”", object, title);
    case KT_MUTATE_RESTORE:
    default:
      return words->chinese ? g_strdup_printf ("恢复了%s“%s”", object, title)
                            : g_strdup_printf ("Restored %s “%s”", object, title);
    }
}

/* The one field that all ops change, or NULL; *after: the value they all give it, or NULL. */
static const KtField *
common_field (const GPtrArray *ops, const KtValue **after)
{
  const KtField *field = NULL;

  *after = NULL;
  for (guint i = 0; i < ops->len; i++)
    {
      const KtOp *op = g_ptr_array_index (ops, i);
      const KtChange *change;

      if (kt_patch_length (op->patch) != 1)
        return NULL;
      change = &g_array_index (op->patch->changes, KtChange, 0);
      if (i == 0)
        {
          field = change->field;
          *after = &change->after;
        }
      if (change->field != field)
        return NULL;
      if (*after != NULL && !kt_value_equal (*after, &change->after))
        *after = NULL;
    }
  return field;
}

static char *
describe_updates (const Words *words, const GPtrArray *ops, const char *objects)
{
  const KtValue *after;
  const KtField *field = common_field (ops, &after);
  const char *label;

  if (field == NULL)
    return words->chinese ? g_strdup_printf ("修改了 %u 个%s", ops->len, objects)
                          : g_strdup_printf ("Changed %u %s", ops->len, objects);
  label = kt_field_label (field, words->locale);
  if (after != NULL && is_short (field) && !kt_value_is_null (after))
    {
      g_autofree char *value = show_value (words, field, after);

      return words->chinese
               ? g_strdup_printf ("将 %u 个%s的%s改为 %s", ops->len, objects, label, value)
               : g_strdup_printf ("Changed %s of %u %s to %s", label, ops->len, objects, value);
    }
  return words->chinese ? g_strdup_printf ("修改了 %u 个%s的%s", ops->len, objects, label)
                        : g_strdup_printf ("Changed %s of %u %s", label, ops->len, objects);
}

static char *
describe_many (const Words *words, const GPtrArray *ops)
{
  const KtOp *first = g_ptr_array_index (ops, 0);
  g_autofree char *objects = noun (words, first->object, TRUE);
  g_autofree char *sentence = NULL;
  gboolean alike = TRUE;
  guint more = ops->len - 1;

  for (guint i = 1; i < ops->len; i++)
    {
      const KtOp *op = g_ptr_array_index (ops, i);

      alike = alike && op->kind == first->kind && op->object == first->object;
    }
  if (!alike)
    {
      sentence = describe_op (words, first);
      if (words->chinese)
        return g_strdup_printf ("%s，另有 %u 项更改", sentence, more);
      return more == 1 ? g_strdup_printf ("%s, and 1 more change", sentence)
                       : g_strdup_printf ("%s, and %u more changes", sentence, more);
    }

  switch (first->kind)
    {
    case KT_MUTATE_CREATE:
      if (words->import)
        return words->chinese ? g_strdup_printf ("导入了 %u 个%s", ops->len, objects)
                              : g_strdup_printf ("Imported %u %s", ops->len, objects);
      return words->chinese ? g_strdup_printf ("新建了 %u 个%s", ops->len, objects)
                            : g_strdup_printf ("Created %u %s", ops->len, objects);
    case KT_MUTATE_UPDATE:
      return describe_updates (words, ops, objects);
    case KT_MUTATE_DELETE:
      return words->chinese ? g_strdup_printf ("删除了 %u 个%s", ops->len, objects)
                            : g_strdup_printf ("Deleted %u %s", ops->len, objects);
    case KT_MUTATE_RESTORE:
    default:
      return words->chinese ? g_strdup_printf ("恢复了 %u 个%s", ops->len, objects)
                            : g_strdup_printf ("Restored %u %s", ops->len, objects);
    }
}

static char *
describe_resolution (const Words *words)
{
  /* clang-format off */
  static const struct
  {
    const char *word, *en, *zh;
  } table[] = {
    { "kept_mine",   "Settled a conflict: kept mine",      "解决了一个冲突：保留我的" },
    { "took_theirs", "Settled a conflict: took theirs",    "解决了一个冲突：采用对方的" },
    { "merged",      "Settled a conflict: merged both",    "解决了一个冲突：合并双方" },
    { "discarded",   "Settled a conflict: discarded mine", "解决了一个冲突：放弃我的" },
    { "open",        "Asked about a conflict again",       "重新处理一个冲突" },
  };
  /* clang-format on */

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    if (g_strcmp0 (words->mutation->resolution, table[i].word) == 0)
      return g_strdup (words->chinese ? table[i].zh : table[i].en);
  return g_strdup (words->chinese ? "解决了一个冲突" : "Settled a conflict");
}

char *
kt_mutation_describe (const KtMutation *mutation,
                      const char *locale,
                      KtTitleFunc title,
                      gpointer data)
{
  Words words = { mutation, locale, FALSE, FALSE, title, data };
  g_autofree char *sentence = NULL;

  g_return_val_if_fail (mutation != NULL, NULL);

  if (locale == NULL)
    words.locale = "en";
  words.chinese = g_str_has_prefix (words.locale, "zh");
  words.import = g_strcmp0 (mutation->origin, "import") == 0;

  if (mutation->ops->len == 0)
    return describe_resolution (&words);
  sentence = mutation->ops->len == 1 ? describe_op (&words, g_ptr_array_index (mutation->ops, 0))
                                     : describe_many (&words, mutation->ops);
  if (kt_id_is_nil (&mutation->resolves))
    return g_steal_pointer (&sentence);
  if (g_strcmp0 (mutation->resolution, "open") == 0)
    return words.chinese ? g_strdup_printf ("%s（重新处理冲突）", sentence)
                         : g_strdup_printf ("%s (asking about a conflict again)", sentence);
  return words.chinese ? g_strdup_printf ("%s（解决冲突）", sentence)
                       : g_strdup_printf ("%s (settling a conflict)", sentence);
}
