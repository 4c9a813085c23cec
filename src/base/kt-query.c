/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "base/kt-query.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-filter-private.h"
#include "base/kt-text.h"

#define MAX_SORT 8

/* ---- filters --------------------------------------------------------- */

static void
operand_clear (gpointer data)
{
  KtOperand *operand = data;

  kt_value_clear (&operand->value);
}

KtFilter *
_kt_filter_new (KtFilterKind kind)
{
  KtFilter *filter = g_new0 (KtFilter, 1);

  filter->kind = kind;
  if (kind == KT_FILTER_AND || kind == KT_FILTER_OR || kind == KT_FILTER_NOT)
    filter->children = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_filter_free);
  if (kind == KT_FILTER_COMPARE)
    {
      filter->operands = g_array_new (FALSE, TRUE, sizeof (KtOperand));
      g_array_set_clear_func (filter->operands, operand_clear);
    }
  return filter;
}

KtFilter *
kt_filter_copy (const KtFilter *filter)
{
  KtFilter *copy;

  if (filter == NULL)
    return NULL;
  copy = _kt_filter_new (filter->kind);
  copy->term = filter->term;
  copy->via = filter->via;
  copy->field = filter->field;
  copy->op = filter->op;
  for (guint i = 0; filter->children != NULL && i < filter->children->len; i++)
    g_ptr_array_add (copy->children, kt_filter_copy (g_ptr_array_index (filter->children, i)));
  for (guint i = 0; filter->operands != NULL && i < filter->operands->len; i++)
    {
      const KtOperand *from = &g_array_index (filter->operands, KtOperand, i);
      KtOperand to = *from;

      kt_value_copy (&from->value, &to.value);
      g_array_append_val (copy->operands, to);
    }
  return copy;
}

void
kt_filter_free (KtFilter *filter)
{
  if (filter == NULL)
    return;
  g_clear_pointer (&filter->children, g_ptr_array_unref);
  g_clear_pointer (&filter->operands, g_array_unref);
  g_free (filter);
}

KtFilter *
kt_filter_compare (const KtField *field, KtCompare op, const KtValue *value)
{
  KtFilter *filter;

  g_return_val_if_fail (field != NULL, NULL);

  filter = _kt_filter_new (KT_FILTER_COMPARE);
  filter->field = field;
  filter->op = op;
  if (value != NULL && op != KT_OP_EMPTY && op != KT_OP_NOT_EMPTY)
    {
      KtOperand operand = { KT_OPERAND_VALUE };

      kt_value_copy (value, &operand.value);
      g_array_append_val (filter->operands, operand);
    }
  return filter;
}

KtFilter *
kt_filter_and (KtFilter *a, KtFilter *b)
{
  KtFilter *both;

  if (a == NULL || a->kind == KT_FILTER_TRUE)
    {
      if (b != NULL)
        {
          kt_filter_free (a);
          return b;
        }
      return a;
    }
  if (b == NULL || b->kind == KT_FILTER_TRUE)
    {
      kt_filter_free (b);
      return a;
    }
  if (a->kind == KT_FILTER_AND)
    both = a;
  else
    {
      both = _kt_filter_new (KT_FILTER_AND);
      g_ptr_array_add (both->children, a);
    }
  if (b->kind == KT_FILTER_AND)
    {
      g_ptr_array_extend_and_steal (both->children, g_ptr_array_ref (b->children));
      kt_filter_free (b);
    }
  else
    g_ptr_array_add (both->children, b);
  return both;
}

/* ---- "did you mean" -------------------------------------------------- */

/* Whether @typed is one of the labels of @label ({"en":…,"zh_CN":…} or a string). */
gboolean
_kt_label_is (const KtJson *label, const char *typed)
{
  g_autofree char *folded = kt_text_fold (typed);
  guint n = kt_json_type (label) == KT_JSON_OBJECT ? kt_json_length (label) : 1;

  for (guint i = 0; i < n; i++)
    {
      const char *text = kt_json_string (
        kt_json_type (label) == KT_JSON_OBJECT ? kt_json_at (label, i) : (KtJson *) label, NULL);
      g_autofree char *folded_text = text != NULL ? kt_text_fold (text) : NULL;

      if (folded_text != NULL && strcmp (folded_text, folded) == 0)
        return TRUE;
    }
  return FALSE;
}

const KtField *
_kt_object_find_field (const KtObject *object, const char *name, GError **error)
{
  const KtField *field = kt_object_field (object, name);
  const char *best = NULL;
  g_autofree char *lower = NULL;
  guint best_distance = 4;
  g_autofree char *shown = NULL;

  if (field != NULL)
    return field;

  lower = g_utf8_strdown (name, -1);
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *f = object->fields[i];
      guint distance = _kt_label_is (f->label, name) ? 0 : kt_text_distance (lower, f->name, 3);

      if (distance < best_distance && distance * 2 < strlen (f->name) + 1)
        {
          best = f->name;
          best_distance = distance;
        }
    }
  shown = kt_error_excerpt (name, KT_ERROR_NAME);
  if (best != NULL)
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "no field “%s” in %s; did you mean “%s”?",
                 shown, object->name, best);
  else
    g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "no field “%s” in %s", shown, object->name);
  return NULL;
}

/* ---- queries --------------------------------------------------------- */

KtQuery *
kt_query_new (const KtObject *object)
{
  KtQuery *query;

  g_return_val_if_fail (object != NULL, NULL);

  query = g_new0 (KtQuery, 1);
  query->object = object;
  query->sort = g_array_new (FALSE, FALSE, sizeof (KtSort));
  return query;
}

KtQuery *
kt_query_copy (const KtQuery *query)
{
  KtQuery *copy;

  g_return_val_if_fail (query != NULL, NULL);

  copy = kt_query_new (query->object);
  copy->filter = kt_filter_copy (query->filter);
  g_array_append_vals (copy->sort, query->sort->data, query->sort->len);
  copy->search = g_strdup (query->search);
  copy->bin = query->bin;
  copy->limit = query->limit;
  return copy;
}

void
kt_query_free (KtQuery *query)
{
  if (query == NULL)
    return;
  kt_filter_free (query->filter);
  g_array_unref (query->sort);
  g_free (query->search);
  g_free (query);
}

void
kt_query_add_sort (KtQuery *query, const KtField *field, gboolean descending)
{
  KtSort sort = { field, descending };

  g_return_if_fail (query != NULL);

  g_array_append_val (query->sort, sort);
}

gboolean
kt_query_parse_sort (KtQuery *query, const char *text, GError **error)
{
  g_auto (GStrv) names = NULL;
  g_autoptr (GArray) sort = NULL;

  g_return_val_if_fail (query != NULL, FALSE);
  g_return_val_if_fail (text != NULL, FALSE);

  sort = g_array_new (FALSE, FALSE, sizeof (KtSort));
  names = g_strsplit (text, ",", MAX_SORT + 1);
  for (guint i = 0; names[i] != NULL; i++)
    {
      char *name = g_strstrip (names[i]);
      KtSort one = { NULL, FALSE };

      if (i == MAX_SORT)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "More than %d fields to sort by", MAX_SORT);
          return FALSE;
        }
      if (*name == '-' || *name == '+')
        {
          one.descending = *name == '-';
          name = g_strchug (name + 1);
        }
      if (*name == '\0')
        {
          if (names[1] == NULL && !one.descending)
            break; /* "": the usual order */
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                       "The order “%s” has an empty place; write it like “name,-created_at”", text);
          return FALSE;
        }
      if (strcmp (name, "rev") != 0)
        {
          one.field = _kt_object_find_field (query->object, name, error);
          if (one.field == NULL)
            {
              g_prefix_error (error, "Cannot sort: ");
              return FALSE;
            }
          if (one.field->storage == KT_VALUE_LIST || one.field->storage == KT_VALUE_JSON)
            {
              g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                           "Cannot sort by “%s”: a field of type %s has no order", name,
                           kt_field_type_word (one.field->type));
              return FALSE;
            }
        }
      g_array_append_val (sort, one);
    }
  g_array_set_size (query->sort, 0);
  g_array_append_vals (query->sort, sort->data, sort->len);
  return TRUE;
}
