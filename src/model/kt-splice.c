/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the small lists have in common: one emission for a refresh, and items whose
 * texts are properties, so that templates can bind to them. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-model-private.h"

static GQuark
getter_quark (void)
{
  return g_quark_from_static_string ("kt-item-text");
}

void
_kt_splice (GListModel *model, GPtrArray *items, GPtrArray *fresh)
{
  guint head = 0;
  guint tail = 0;
  guint least = MIN (items->len, fresh->len);
  guint removed;
  guint added;

  while (head < least && items->pdata[head] == fresh->pdata[head])
    head++;
  while (tail < least - head
         && items->pdata[items->len - 1 - tail] == fresh->pdata[fresh->len - 1 - tail])
    tail++;
  removed = items->len - head - tail;
  added = fresh->len - head - tail;
  if (removed == 0 && added == 0)
    return;

  if (removed > 0)
    g_ptr_array_remove_range (items, head, removed);
  for (guint i = 0; i < added; i++)
    g_ptr_array_insert (items, head + i, g_object_ref (fresh->pdata[head + i]));
  g_list_model_items_changed (model, head, removed, added);
}

static void
item_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  KtItemText get = g_param_spec_get_qdata (pspec, getter_quark ());

  g_value_set_string (value, get (object));
}

void
_kt_item_install (GObjectClass *klass, const KtItemProperty *properties, guint n)
{
  klass->get_property = item_get_property;
  for (guint i = 0; i < n; i++)
    {
      GParamSpec *pspec = g_param_spec_string (properties[i].name, NULL, NULL, NULL,
                                               G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

      g_param_spec_set_qdata (pspec, getter_quark (), (gpointer) properties[i].get);
      g_object_class_install_property (klass, i + 1, pspec);
    }
}
