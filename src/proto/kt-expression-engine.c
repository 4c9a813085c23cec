/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kontor"

#include "config.h"

#include "proto/kt-expression.h"

#include <string.h>

#include "base/kt-error.h"

typedef struct
{
  const KtField *target;
  KtExpression *expression;
} Formula;

struct _KtExpressionEngine
{
  gatomicrefcount ref_count;
  const KtSchema *schema; /* owned */
  GHashTable *
    formulas; /* const KtObject* → GArray of Formula, in order of need; only objects that have some */
};

static void
formula_clear (gpointer data)
{
  Formula *formula = data;

  g_clear_pointer (&formula->expression, kt_expression_free);
}

static gboolean
compile_formula (const KtField *field, KtExpression **out, GError **error)
{
  g_autoptr (KtExpression) expression = NULL;
  g_autoptr (GError) local = NULL;

  expression = kt_expression_compile (field->object, field->formula, &local);
  if (expression != NULL && kt_expression_uses_today (expression))
    g_set_error (&local, KT_ERROR, KT_ERROR_INVALID,
                 "A formula is stored, so it cannot depend on “today”");
  if (expression == NULL || local != NULL
      || !kt_expression_check_target (expression, field, &local))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA, "%s.json: field “%s”: formula: %s",
                   field->object->name, field->name, local->message);
      return FALSE;
    }
  *out = g_steal_pointer (&expression);
  return TRUE;
}

/* Moves formulas from @open to @ordered, each behind those it reads. */
static gboolean
order_formulas (GArray *open, GArray *ordered, GError **error)
{
  while (open->len > 0)
    {
      guint ready = open->len;

      for (guint i = 0; ready == open->len && i < open->len; i++)
        {
          gboolean waits = FALSE;

          for (guint j = 0; !waits && j < open->len; j++)
            waits = kt_expression_uses (g_array_index (open, Formula, i).expression,
                                        g_array_index (open, Formula, j).target);
          if (!waits)
            ready = i;
        }
      if (ready == open->len)
        {
          g_autoptr (GString) names = g_string_new (NULL);
          const KtObject *object = g_array_index (open, Formula, 0).target->object;

          for (guint i = 0; i < open->len; i++)
            g_string_append_printf (names, "%s%s", i > 0 ? ", " : "",
                                    g_array_index (open, Formula, i).target->name);
          g_set_error (error, KT_ERROR, KT_ERROR_SCHEMA,
                       "%s.json: these formulas need one another in a circle: %s", object->name,
                       names->str);
          return FALSE;
        }
      g_array_append_val (ordered, g_array_index (open, Formula, ready));
      g_array_index (open, Formula, ready).expression = NULL; /* moved */
      g_array_remove_index (open, ready);
    }
  return TRUE;
}

static gboolean
add_object (KtExpressionEngine *engine, const KtObject *object, GError **error)
{
  g_autoptr (GArray) open = g_array_new (FALSE, TRUE, sizeof (Formula));
  g_autoptr (GArray) ordered = g_array_new (FALSE, TRUE, sizeof (Formula));

  g_array_set_clear_func (open, formula_clear);
  g_array_set_clear_func (ordered, formula_clear);
  for (guint i = 0; i < object->n_fields; i++)
    {
      Formula formula = { object->fields[i], NULL };

      if (formula.target->formula == NULL)
        continue;
      if (!compile_formula (formula.target, &formula.expression, error))
        return FALSE;
      g_array_append_val (open, formula);
    }
  if (!order_formulas (open, ordered, error))
    return FALSE;
  if (ordered->len > 0)
    g_hash_table_insert (engine->formulas, (gpointer) object, g_steal_pointer (&ordered));
  return TRUE;
}

KtExpressionEngine *
kt_expression_engine_new (const KtSchema *schema, GError **error)
{
  g_autoptr (KtExpressionEngine) engine = NULL;
  const KtObject *const *objects;
  guint n;

  g_return_val_if_fail (schema != NULL, NULL);

  engine = g_new0 (KtExpressionEngine, 1);
  g_atomic_ref_count_init (&engine->ref_count);
  engine->schema = kt_schema_ref (schema);
  engine->formulas = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_array_unref);
  objects = kt_schema_objects (schema, &n);
  for (guint i = 0; i < n; i++)
    if (!add_object (engine, objects[i], error))
      return NULL;
  return g_steal_pointer (&engine);
}

KtExpressionEngine *
kt_expression_engine_ref (KtExpressionEngine *engine)
{
  g_return_val_if_fail (engine != NULL, NULL);

  g_atomic_ref_count_inc (&engine->ref_count);
  return engine;
}

void
kt_expression_engine_unref (KtExpressionEngine *engine)
{
  if (engine == NULL || !g_atomic_ref_count_dec (&engine->ref_count))
    return;
  g_hash_table_unref (engine->formulas);
  kt_schema_unref ((KtSchema *) engine->schema);
  g_free (engine);
}

gboolean
kt_expression_engine_compute (const KtExpressionEngine *engine, KtRecord *record)
{
  const GArray *formulas;
  gboolean changed = FALSE;

  g_return_val_if_fail (engine != NULL, FALSE);
  g_return_val_if_fail (record != NULL, FALSE);
  g_return_val_if_fail (record->object->schema == engine->schema, FALSE);

  formulas = g_hash_table_lookup (engine->formulas, record->object);
  for (guint i = 0; formulas != NULL && i < formulas->len; i++)
    {
      const Formula *formula = &g_array_index (formulas, Formula, i);
      KtValue *slot = &record->values[formula->target->index];
      g_auto (KtValue) value = KT_VALUE_INIT;

      /* What cannot be computed or stored is NULL. */
      kt_expression_evaluate (formula->expression, record, NULL, formula->target, &value, NULL);
      if (!kt_value_equal (slot, &value))
        {
          kt_value_clear (slot);
          kt_value_move (&value, slot);
          changed = TRUE;
        }
    }
  return changed;
}
