/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where a column of a file can go, and what a mapping still lacks. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "kt-import-targets.h"
#include "kt-layout.h"

static void
target_free (KtImportTarget *target)
{
  g_free (target->path);
  g_free (target->label);
  g_free (target);
}

static const KtField *
base_field (const KtImportPlan *plan, const char *path)
{
  g_autofree char *name = g_strndup (path, strcspn (path, ".:@"));

  return kt_object_field (plan->object, name);
}

static void
add_target (GPtrArray *targets, const char *path, char *label, gboolean may_match)
{
  KtImportTarget *target = g_new0 (KtImportTarget, 1);

  target->path = g_strdup (path);
  target->label = label;
  target->may_match = may_match;
  g_ptr_array_add (targets, target);
}

static gboolean
can_match (const KtField *field)
{
  switch (field->type)
    {
    case KT_FIELD_TEXT:
    case KT_FIELD_EMAIL:
    case KT_FIELD_PHONE:
    case KT_FIELD_URL:
    case KT_FIELD_INTEGER:
    case KT_FIELD_AUTO_NUMBER:
      return field->unique || field->indexed || field == field->object->title;
    default:
      return FALSE;
    }
}

gboolean
_kt_import_target_known (const GPtrArray *targets, const char *path)
{
  for (guint i = 0; i < targets->len; i++)
    if (g_str_equal (((KtImportTarget *) targets->pdata[i])->path, path))
      return TRUE;
  return FALSE;
}

/* A place inside a field. */
static char *
inner_label (const char *label, const char *inner)
{
  /* Translators: a part of a field, such as “Address › City”. */
  return g_strdup_printf (_ ("%s › %s"), label, inner);
}

GPtrArray *
_kt_import_targets_new (const KtImportPlan *plan, const char *locale)
{
  GPtrArray *targets = g_ptr_array_new_with_free_func ((GDestroyNotify) target_free);
  const KtObject *object = plan->object;

  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];
      const char *label = kt_field_label (field, locale);

      /* A computed title can be given (a full name is taken apart); numbers of one's own are kept as external ones. */
      if ((field->computed && field != object->title) || field->type == KT_FIELD_FILE
          || field->type == KT_FIELD_IMAGE)
        continue;
      add_target (targets, field->name, g_strdup (label), can_match (field));
      if (field->type == KT_FIELD_ADDRESS)
        {
          const char *const *parts = kt_layout_address_parts (locale);

          for (guint j = 0; parts[j] != NULL; j++)
            {
              g_autofree char *path = g_strconcat (field->name, ".", parts[j], NULL);

              add_target (targets, path,
                          inner_label (label, kt_layout_address_part_label (parts[j])), FALSE);
            }
        }
      if (field->type == KT_FIELD_MONEY)
        {
          g_autofree char *path = g_strconcat (field->name, ".currency", NULL);

          add_target (targets, path, inner_label (label, _ ("Currency")), FALSE);
        }
    }
  /* Finer ones that were guessed: records of one kind only, ids of another system. */
  for (guint i = 0; i < plan->columns->len; i++)
    {
      const KtImportColumn *column = plan->columns->pdata[i];
      const KtField *field = column->field != NULL ? base_field (plan, column->field) : NULL;

      if (field != NULL && !_kt_import_target_known (targets, column->field))
        add_target (
          targets, column->field,
          inner_label (kt_field_label (field, locale), strpbrk (column->field, ".:@") + 1), FALSE);
    }
  return targets;
}

static gboolean
is_mapped (const KtImportPlan *plan, const char *name)
{
  for (guint i = 0; i < plan->columns->len; i++)
    {
      const KtImportColumn *column = plan->columns->pdata[i];

      if (column->field != NULL && strncmp (column->field, name, strlen (name)) == 0
          && strchr (".:@", column->field[strlen (name)]) != NULL)
        return TRUE;
    }
  return FALSE;
}

/* The same checks as kt_import_plan_check, in words for a window. */
char *
_kt_import_hint (KtImportPlan *plan, const char *locale)
{
  const KtObject *object = plan->object;
  g_autoptr (GError) error = NULL;
  const KtField *match = plan->match != NULL ? kt_object_field (object, plan->match) : NULL;
  gboolean any = FALSE;

  if (kt_import_plan_check (plan, &error))
    return NULL;
  for (guint i = 0; i < plan->columns->len; i++)
    any |= ((KtImportColumn *) plan->columns->pdata[i])->field != NULL;
  if (!any)
    return g_strdup (_ ("Choose at least one column to import"));
  if (match != NULL && !is_mapped (plan, match->name))
    return g_strdup_printf (
      /* Translators: %s is the name of a field. */
      _ ("Records are to be found by %s, but no column goes there"),
      kt_field_label (match, locale));
  for (guint i = 0; match == NULL && i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      if (field->required && !field->computed && field->default_value == NULL
          && !is_mapped (plan, field->name) && strstr (error->message, field->name) != NULL)
        return g_strdup_printf (
          /* Translators: %s is the name of a field. */
          _ ("%s is needed, but no column goes there"), kt_field_label (field, locale));
    }
  return g_strdup (error->message);
}
