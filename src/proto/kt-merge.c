/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Three values go in, one comes out, and nothing that anyone wrote is thrown
 * away unseen: the outcome says whether it stands, was combined, or waits.
 *
 *            base
 *           /    \
 *        mine    theirs      the record as the server holds it now
 *           \    /
 *           result + outcome
 */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-merge.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "base/kt-json.h"

static const KtValue null_value = { 0 };

static void
field_result_clear (gpointer data)
{
  KtFieldResult *result = data;

  kt_value_clear (&result->base);
  kt_value_clear (&result->mine);
  kt_value_clear (&result->theirs);
  kt_value_clear (&result->result);
}

/* ---- sum ---- */

static gboolean
is_number (const KtValue *value)
{
  return value->type == KT_VALUE_INT || value->type == KT_VALUE_DECIMAL
         || value->type == KT_VALUE_MONEY;
}

/* NULL counts as 0 of whatever the others are. */
static gboolean
merge_sum (const KtValue *base, const KtValue *mine, const KtValue *theirs, KtValue *result)
{
  const KtValue *all[] = { theirs, mine, base };
  const KtValue *like = NULL;
  gint64 n[G_N_ELEMENTS (all)];
  gint64 step, sum;

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    {
      n[i] = 0;
      if (kt_value_is_null (all[i]))
        continue;
      if (!is_number (all[i]))
        return FALSE;
      if (like == NULL)
        like = all[i];
      else if (like->type != all[i]->type || like->scale != all[i]->scale
               || strncmp (like->currency, all[i]->currency, sizeof like->currency) != 0)
        return FALSE;
      n[i] = all[i]->v.integer;
    }

  if (like == NULL || __builtin_sub_overflow (n[1], n[2], &step)
      || __builtin_add_overflow (n[0], step, &sum))
    return FALSE;
  if (sum > KT_DECIMAL_MAX || sum < -KT_DECIMAL_MAX)
    return FALSE;

  kt_value_copy (like, result);
  result->v.integer = sum;
  return TRUE;
}

/* ---- union ---- */

/* Adds the elements of a LIST value; FALSE when it is none. */
static gboolean
read_set (const KtValue *value, GHashTable *set)
{
  g_autoptr (KtJson) json = NULL;

  if (kt_value_is_null (value))
    return TRUE;
  if (value->type != KT_VALUE_LIST)
    return FALSE;
  json = kt_json_parse (value->v.text, -1, NULL);
  if (kt_json_type (json) != KT_JSON_ARRAY)
    return FALSE;
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *element = kt_json_string (kt_json_at (json, i), NULL);

      if (element == NULL)
        return FALSE;
      g_hash_table_add (set, g_strdup (element));
    }
  return TRUE;
}

static int
compare_text_cb (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
write_set (GHashTable *set, KtValue *value)
{
  g_autofree gpointer *elements = NULL;
  guint n;

  *value = KT_VALUE_INIT;
  elements = g_hash_table_get_keys_as_array (set, &n);
  if (n == 0)
    return;

  GString *text = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  qsort (elements, n, sizeof *elements, compare_text_cb);
  kt_json_begin_array (&writer);
  for (guint i = 0; i < n; i++)
    kt_json_add_string (&writer, elements[i]);
  kt_json_end_array (&writer);
  value->type = KT_VALUE_LIST;
  value->v.text = g_string_free (text, FALSE);
}

static gboolean
merge_set (const KtValue *base,
           const KtValue *mine,
           const KtValue *theirs,
           guint max,
           KtValue *result)
{
  g_autoptr (GHashTable) b = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) m = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) t = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer element;

  if (!read_set (base, b) || !read_set (mine, m) || !read_set (theirs, t))
    return FALSE;

  g_hash_table_iter_init (&iter, m);
  while (g_hash_table_iter_next (&iter, &element, NULL))
    if (!g_hash_table_contains (b, element))
      g_hash_table_add (t, g_strdup (element));
  g_hash_table_iter_init (&iter, b);
  while (g_hash_table_iter_next (&iter, &element, NULL))
    if (!g_hash_table_contains (m, element))
      g_hash_table_remove (t, element);

  if (max > 0 && g_hash_table_size (t) > max)
    return FALSE;
  write_set (t, result);
  return TRUE;
}

/* ---- text, state ---- */

/* Blank lines only: nothing, as everywhere. */
static gboolean
is_blank (const char *text)
{
  for (; *text != '\0'; text = g_utf8_next_char (text))
    if (!g_unichar_isspace (g_utf8_get_char (text)))
      return FALSE;
  return TRUE;
}

static gboolean
merge_text (const KtField *field,
            const KtValue *base,
            const KtValue *mine,
            const KtValue *theirs,
            KtValue *result)
{
  const KtValue *all[] = { base, mine, theirs };
  g_autofree char *text = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    if (!kt_value_is_null (all[i]) && all[i]->type != KT_VALUE_TEXT)
      return FALSE;
  if (!kt_merge_text (kt_value_is_null (base) ? NULL : base->v.text,
                      kt_value_is_null (mine) ? NULL : mine->v.text,
                      kt_value_is_null (theirs) ? NULL : theirs->v.text, &text))
    return FALSE;
  if (text != NULL && field->max > 0 && g_utf8_strlen (text, -1) > (glong) field->max)
    return FALSE;

  *result = KT_VALUE_INIT;
  if (text != NULL && !is_blank (text))
    kt_value_set_text (result, text);
  return TRUE;
}

static gboolean
transition_allowed (const KtField *field, const KtValue *from, const KtValue *to)
{
  KtJson *targets;

  if (field->transitions == NULL || kt_value_is_null (from))
    return TRUE;
  if (from->type != KT_VALUE_TEXT || to->type != KT_VALUE_TEXT)
    return FALSE;
  targets = kt_json_get (field->transitions, from->v.text);
  for (guint i = 0; i < kt_json_length (targets); i++)
    if (g_strcmp0 (kt_json_string (kt_json_at (targets, i), NULL), to->v.text) == 0)
      return TRUE;
  return FALSE;
}

/* ---- records ---- */

static void
set_deleted (KtRecord *record, const char *now)
{
  const KtField *field = kt_object_field (record->object, "deleted_at");

  if (field == NULL)
    return;
  kt_value_clear (&record->values[field->index]);
  kt_value_set_text (&record->values[field->index], now);
}

/* Merges every change of @op into a copy of @theirs. TRUE: the copy differs. */
static gboolean
merge_fields (const KtOp *op, const KtRecord *theirs, gboolean same_id, KtMerge *out)
{
  gboolean differs = FALSE;

  out->after = kt_record_copy (theirs);
  for (guint i = 0; i < kt_patch_length (op->patch); i++)
    {
      const KtChange *change = &g_array_index (op->patch->changes, KtChange, i);
      const KtField *field = change->field;
      const KtValue *base = same_id ? &null_value : &change->before;
      const KtValue *current = &theirs->values[field->index];
      KtFieldResult result = { .field = field };

      if (same_id && field->policy == KT_POLICY_SUM)
        {
          gboolean equal = kt_value_equal (&change->after, current);

          kt_value_copy (current, &result.result);
          result.outcome = equal ? KT_OUTCOME_APPLIED : KT_OUTCOME_REVIEW;
        }
      else
        kt_merge_value (field, base, &change->after, current, &result.result, &result.outcome);

      result.overrode = result.outcome == KT_OUTCOME_APPLIED && !kt_value_equal (current, base)
                        && !kt_value_equal (current, &result.result);
      kt_value_copy (base, &result.base);
      kt_value_copy (&change->after, &result.mine);
      kt_value_copy (current, &result.theirs);

      if (!kt_value_equal (&result.result, current))
        {
          kt_value_clear (&out->after->values[field->index]);
          kt_value_copy (&result.result, &out->after->values[field->index]);
          differs = TRUE;
        }
      if (result.outcome > out->outcome)
        out->outcome = result.outcome;
      if (result.outcome > KT_OUTCOME_MERGED && out->clash == KT_CLASH_NONE)
        out->clash = KT_CLASH_FIELD;
      g_array_append_val (out->fields, result);
    }
  return differs;
}

static void
finish_update (KtMerge *out, gboolean differs)
{
  if (differs)
    out->effect = KT_EFFECT_UPDATE;
  else
    g_clear_pointer (&out->after, kt_record_unref);
}

static void
merge_create (const KtOp *op, const KtRecord *theirs, gboolean foreign, KtMerge *out)
{
  gboolean differs;

  if (theirs == NULL)
    {
      out->after = kt_record_new (op->object, &op->id);
      kt_patch_apply (op->patch, out->after);
      out->effect = KT_EFFECT_CREATE;
      return;
    }

  differs = merge_fields (op, theirs, TRUE, out);
  for (guint i = 0; i < out->fields->len && out->clash != KT_CLASH_SAME_ID; i++)
    {
      const KtFieldResult *result = &g_array_index (out->fields, KtFieldResult, i);

      if (!kt_value_equal (&result->mine, &result->theirs))
        out->clash = KT_CLASH_SAME_ID;
    }
  if (out->clash == KT_CLASH_SAME_ID)
    out->outcome = MAX (out->outcome, KT_OUTCOME_MERGED);
  if (out->clash == KT_CLASH_SAME_ID && foreign && kt_record_deleted (theirs))
    {
      set_deleted (out->after, NULL);
      differs = TRUE;
    }
  finish_update (out, differs);
}

static void
merge_update (const KtOp *op, const KtRecord *theirs, gboolean foreign, KtMerge *out)
{
  gboolean differs = merge_fields (op, theirs, FALSE, out);

  if (foreign && kt_record_deleted (theirs) && kt_patch_length (op->patch) > 0)
    {
      set_deleted (out->after, NULL);
      out->clash = KT_CLASH_EDIT_DELETE;
      out->outcome = MAX (out->outcome, KT_OUTCOME_MERGED);
      differs = TRUE;
    }
  finish_update (out, differs);
}

static void
merge_delete (const KtRecord *theirs, gboolean foreign, const char *now, KtMerge *out)
{
  if (theirs == NULL || kt_record_deleted (theirs))
    return;
  if (foreign)
    {
      out->clash = KT_CLASH_DELETE_EDIT;
      out->outcome = KT_OUTCOME_REVIEW;
      return;
    }
  out->after = kt_record_copy (theirs);
  set_deleted (out->after, now);
  out->effect = KT_EFFECT_DELETE;
}

static void
merge_restore (const KtRecord *theirs, KtMerge *out)
{
  if (!kt_record_deleted (theirs))
    return;
  out->after = kt_record_copy (theirs);
  set_deleted (out->after, NULL);
  out->effect = KT_EFFECT_RESTORE;
}

/* ---- public ---- */

void
kt_merge_set (const KtValue *base, const KtValue *mine, const KtValue *theirs, KtValue *result)
{
  g_return_if_fail (base != NULL && mine != NULL && theirs != NULL && result != NULL);

  if (!merge_set (base, mine, theirs, 0, result))
    kt_value_copy (theirs, result);
}

void
kt_merge_value (const KtField *field,
                const KtValue *base,
                const KtValue *mine,
                const KtValue *theirs,
                KtValue *result,
                KtOutcome *outcome)
{
  const KtValue *stands = theirs;

  g_return_if_fail (field != NULL && result != NULL && outcome != NULL);
  g_return_if_fail (base != NULL && mine != NULL && theirs != NULL);

  *outcome = KT_OUTCOME_APPLIED;
  if (kt_value_equal (mine, base))
    {
      kt_value_copy (theirs, result);
      return;
    }
  if (kt_value_equal (theirs, base))
    {
      kt_value_copy (mine, result);
      return;
    }
  /* Two equal steps are still two steps. */
  if (field->policy == KT_POLICY_SUM && merge_sum (base, mine, theirs, result))
    {
      *outcome = KT_OUTCOME_MERGED;
      return;
    }
  if (kt_value_equal (mine, theirs))
    {
      *outcome = field->policy == KT_POLICY_SUM ? KT_OUTCOME_REVIEW : KT_OUTCOME_APPLIED;
      kt_value_copy (theirs, result);
      return;
    }

  *outcome = KT_OUTCOME_REVIEW;
  switch (field->policy)
    {
    case KT_POLICY_LATEST:
    case KT_POLICY_MINE:
      *outcome = KT_OUTCOME_APPLIED;
      stands = mine;
      break;
    case KT_POLICY_SERVER:
      *outcome = KT_OUTCOME_SUPERSEDED;
      break;
    case KT_POLICY_UNION:
      if (merge_set (base, mine, theirs, field->max, result))
        {
          *outcome = KT_OUTCOME_MERGED;
          return;
        }
      break;
    case KT_POLICY_TEXT:
      if (merge_text (field, base, mine, theirs, result))
        {
          *outcome = KT_OUTCOME_MERGED;
          return;
        }
      break;
    case KT_POLICY_STATE:
      if (transition_allowed (field, theirs, mine))
        {
          *outcome = KT_OUTCOME_APPLIED;
          stands = mine;
        }
      break;
    case KT_POLICY_SUM:
    case KT_POLICY_REVIEW:
      break;
    }
  kt_value_copy (stands, result);
}

gboolean
kt_merge_op (const KtOp *op,
             const KtRecord *theirs,
             gboolean foreign,
             const char *now,
             KtMerge *out,
             GError **error)
{
  g_return_val_if_fail (op != NULL && op->object != NULL && out != NULL, FALSE);
  g_return_val_if_fail (theirs == NULL || theirs->object == op->object, FALSE);
  g_return_val_if_fail (op->patch != NULL || op->kind >= KT_MUTATE_DELETE, FALSE);
  g_return_val_if_fail (op->kind != KT_MUTATE_DELETE || now != NULL, FALSE);

  if (theirs == NULL && op->kind != KT_MUTATE_CREATE && !(op->kind == KT_MUTATE_DELETE && foreign))
    {
      char id[KT_ID_TEXT_SIZE];

      kt_id_format (&op->id, id);
      if (foreign)
        g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND,
                     "%s %s was erased for good; it can be created anew", op->object->name, id);
      else
        g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "There is no %s %s", op->object->name, id);
      return FALSE;
    }

  *out = (KtMerge){ .fields = g_array_new (FALSE, TRUE, sizeof (KtFieldResult)) };
  g_array_set_clear_func (out->fields, field_result_clear);
  switch (op->kind)
    {
    case KT_MUTATE_CREATE:
      merge_create (op, theirs, foreign, out);
      break;
    case KT_MUTATE_UPDATE:
      merge_update (op, theirs, foreign, out);
      break;
    case KT_MUTATE_DELETE:
      merge_delete (theirs, foreign, now, out);
      break;
    case KT_MUTATE_RESTORE:
      merge_restore (theirs, out);
      break;
    }
  return TRUE;
}

void
kt_merge_clear (KtMerge *merge)
{
  if (merge == NULL)
    return;
  g_clear_pointer (&merge->after, kt_record_unref);
  g_clear_pointer (&merge->fields, g_array_unref);
  *merge = (KtMerge){ 0 };
}

gboolean
kt_merge_is_parent (const KtField *field)
{
  g_return_val_if_fail (field != NULL, FALSE);

  if (field->type == KT_FIELD_REF_ANY)
    return TRUE;
  return field->type == KT_FIELD_REF && field->object->kind == KT_KIND_CHILD && field->required;
}

KtRecord *
kt_merge_overlay (const KtRecord *server, const KtPatch *patch)
{
  KtRecord *shown;

  g_return_val_if_fail (server != NULL, NULL);
  g_return_val_if_fail (patch == NULL || patch->object == server->object, NULL);

  shown = kt_record_copy (server);
  for (guint i = 0; patch != NULL && i < kt_patch_length (patch); i++)
    {
      const KtChange *change = &g_array_index (patch->changes, KtChange, i);
      KtValue *slot = &shown->values[change->field->index];
      g_auto (KtValue) result = KT_VALUE_INIT;
      KtOutcome outcome;

      kt_merge_value (change->field, &change->before, &change->after,
                      &server->values[change->field->index], &result, &outcome);
      if (outcome == KT_OUTCOME_REVIEW)
        {
          kt_value_clear (&result);
          kt_value_copy (&change->after, &result);
        }
      kt_value_clear (slot);
      kt_value_move (&result, slot);
    }
  return shown;
}
