/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the schema's JSON says about showing things, turned into plain lists. What
 * it does not say has a default, so that an object added by an administrator
 * without a layout can be used at once. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-layout.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#define MAX_KEY_FIELDS 4
#define MAX_NEW_FIELDS 8

/* ---- groups ---- */

static const struct
{
  const char *name;
  const char *label;
} groups[] = {
  /* Translators: headings of the sidebar, each above a few kinds of records. */
  { "sales", N_ ("Sales") },
  { "marketing", N_ ("Marketing") },
  { "service", N_ ("Service") },
  { "products", N_ ("Products") },
  { "activities", N_ ("Activities") },
  { "collaboration", N_ ("Collaboration") },
  { "analytics", N_ ("Analysis") },
  { "organisation", N_ ("Organisation") },
  { "configuration", N_ ("Configuration") },
};

static void
group_free (KtGroup *group)
{
  g_free (group->label);
  g_free (group->objects);
  g_free (group);
}

static char *
group_label (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (groups); i++)
    if (g_str_equal (groups[i].name, name))
      return g_strdup (_ (groups[i].label));
  /* An administrator's own group has no translation. */
  if (*name == '\0')
    return g_strdup (_ ("Other"));
  {
    char *label = g_strdup (name);

    label[0] = g_ascii_toupper (label[0]);
    return label;
  }
}

GPtrArray *
kt_layout_groups (const KtSchema *schema, const char *locale)
{
  GPtrArray *result = g_ptr_array_new_with_free_func ((GDestroyNotify) group_free);
  const KtObject *const *objects;
  guint n = 0;

  g_return_val_if_fail (schema != NULL, result);

  objects = kt_schema_objects (schema, &n);
  for (guint i = 0; i < n; i++)
    {
      const char *name = objects[i]->group != NULL ? objects[i]->group : "";
      KtGroup *group = NULL;

      if (!objects[i]->visible)
        continue;
      for (guint j = 0; j < result->len && group == NULL; j++)
        if (g_str_equal (((KtGroup *) result->pdata[j])->name, name))
          group = result->pdata[j];
      if (group == NULL)
        {
          group = g_new0 (KtGroup, 1);
          group->name = name;
          group->label = group_label (name);
          group->objects = g_new0 (const KtObject *, n + 1);
          g_ptr_array_add (result, group);
        }
      group->objects[group->n_objects++] = objects[i];
    }
  return result;
}

char *
kt_layout_icon (const KtObject *object)
{
  g_return_val_if_fail (object != NULL, NULL);

  return g_strdup_printf ("kt-%s-symbolic", object->icon != NULL ? object->icon : object->name);
}

/* ---- the record page ---- */

static void
section_free (KtSection *section)
{
  g_free (section->label);
  g_free (section->fields);
  g_free (section);
}

static KtSection *
section_new (const char *label, guint room)
{
  KtSection *section = g_new0 (KtSection, 1);

  section->label = g_strdup (label);
  section->fields = g_new0 (const KtField *, room + 1);
  return section;
}

static void
section_take (GPtrArray *sections, KtSection *section)
{
  if (section->n_fields > 0)
    g_ptr_array_add (sections, section);
  else
    section_free (section);
}

/* Every field is on the page: what no section names stands in one of its own. */
static void
add_rest (GPtrArray *sections, const KtObject *object, GHashTable *placed)
{
  KtSection *details = section_new (_ ("Details"), object->n_fields);
  KtSection *other = section_new (_ ("Other"), object->n_fields);
  KtSection *system = section_new (_ ("System information"), object->n_fields);

  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];
      KtSection *into = field->system ? system : sections->len == 0 ? details : other;

      if (!g_hash_table_contains (placed, field) && !g_str_equal (field->name, "deleted_at"))
        into->fields[into->n_fields++] = field;
    }
  system->closed = TRUE;
  other->closed = TRUE;
  section_take (sections, details);
  section_take (sections, other);
  section_take (sections, system);
}

static gboolean
is_system (const KtSection *section)
{
  guint n = 0;

  for (guint i = 0; i < section->n_fields; i++)
    n += section->fields[i]->system;
  return n * 2 > section->n_fields
         || kt_object_field (section->fields[0]->object, "created_at") == section->fields[0];
}

GPtrArray *
kt_layout_sections (const KtObject *object, const char *locale)
{
  GPtrArray *result = g_ptr_array_new_with_free_func ((GDestroyNotify) section_free);
  g_autoptr (GHashTable) placed = g_hash_table_new (NULL, NULL);
  const KtJson *sections;

  g_return_val_if_fail (object != NULL, result);

  sections = kt_json_get (kt_json_get (object->json, "layout"), "sections");
  for (guint i = 0; i < kt_json_length (sections); i++)
    {
      const KtJson *from = kt_json_at (sections, i);
      const KtJson *names = kt_json_get (from, "fields");
      KtSection *section =
        section_new (kt_json_localized (kt_json_get (from, "label"), locale, _ ("Details")),
                     kt_json_length (names));

      for (guint j = 0; j < kt_json_length (names); j++)
        {
          const char *name = kt_json_string (kt_json_at (names, j), NULL);
          const KtField *field = name != NULL ? kt_object_field (object, name) : NULL;

          if (field != NULL && g_hash_table_add (placed, (gpointer) field))
            section->fields[section->n_fields++] = field;
        }
      section->closed = section->n_fields > 0 && is_system (section);
      section_take (result, section);
    }
  add_rest (result, object, placed);
  return result;
}

static void
add_once (const KtField **fields, guint *n, guint max, const KtField *field)
{
  if (field == NULL || *n >= max)
    return;
  for (guint i = 0; i < *n; i++)
    if (fields[i] == field)
      return;
  fields[(*n)++] = field;
}

const KtField **
kt_layout_key_fields (const KtObject *object, guint *n)
{
  const KtField **fields = g_new0 (const KtField *, MAX_KEY_FIELDS + 1);
  const KtJson *names;

  *n = 0;
  g_return_val_if_fail (object != NULL, fields);

  names = kt_json_get (object->json, "subtitle");
  for (guint i = 0; i < kt_json_length (names); i++)
    {
      const char *name = kt_json_string (kt_json_at (names, i), NULL);

      if (name != NULL)
        add_once (fields, n, MAX_KEY_FIELDS, kt_object_field (object, name));
    }
  if (*n < MAX_KEY_FIELDS - 1)
    {
      guint m = 0;
      g_autofree const KtField **list = kt_object_list_fields (object, &m);

      for (guint i = 0; i < m && *n < MAX_KEY_FIELDS - 1; i++)
        if (list[i] != object->title)
          add_once (fields, n, MAX_KEY_FIELDS, list[i]);
    }
  return fields;
}

const KtField **
kt_layout_new_fields (const KtObject *object, guint *n)
{
  const KtField **fields = g_new0 (const KtField *, object->n_fields + 1);
  guint m = 0;
  g_autofree const KtField **list = NULL;

  *n = 0;
  /* A computed title (a person's full name) is made of what is typed: first the parts. */
  if (object->title->computed)
    {
      if (object->title->formula != NULL)
        for (guint i = 0; i < object->n_fields && *n < 3; i++)
          if (!object->fields[i]->computed && !object->fields[i]->system
              && object->fields[i]->storage == KT_VALUE_TEXT && object->fields[i]->n_options == 0
              && strstr (object->title->formula, object->fields[i]->name) != NULL)
            add_once (fields, n, 3, object->fields[i]);
    }
  else
    add_once (fields, n, MAX_NEW_FIELDS, object->title);
  /* However many are required, all are asked for. */
  for (guint i = 0; i < object->n_fields; i++)
    if (object->fields[i]->required && !object->fields[i]->computed)
      add_once (fields, n, object->n_fields, object->fields[i]);
  list = kt_object_list_fields (object, &m);
  for (guint i = 0; i < m; i++)
    if (!list[i]->computed)
      add_once (fields, n, MAX_NEW_FIELDS, list[i]);
  return fields;
}

/* ---- lists ---- */

KtQuery *
kt_layout_query (const KtObject *object, gboolean bin)
{
  KtQuery *query;
  const KtJson *sort;

  g_return_val_if_fail (object != NULL, NULL);

  query = kt_query_new (object);
  query->bin = bin;
  if (bin)
    {
      kt_query_add_sort (query, kt_object_field (object, "deleted_at"), TRUE);
      return query;
    }
  sort = kt_json_get (kt_json_get (object->json, "list"), "sort");
  for (guint i = 0; i < kt_json_length (sort); i++)
    {
      const char *text = kt_json_string (kt_json_at (sort, i), "");
      gboolean descending = *text == '-';
      const KtField *field = kt_object_field (object, descending ? text + 1 : text);

      if (field != NULL)
        kt_query_add_sort (query, field, descending);
    }
  return query;
}

gboolean
kt_layout_sortable (const KtField *field)
{
  g_return_val_if_fail (field != NULL, FALSE);

  switch (field->type)
    {
    case KT_FIELD_CHOICES:
    case KT_FIELD_TAGS:
    case KT_FIELD_MANY:
    case KT_FIELD_ADDRESS:
    case KT_FIELD_FILE:
    case KT_FIELD_IMAGE:
    case KT_FIELD_JSON:
    case KT_FIELD_REF_ANY:
    case KT_FIELD_LONG_TEXT:
    case KT_FIELD_RICH_TEXT:
      return FALSE;
    default:
      return TRUE;
    }
}

gboolean
kt_layout_numeric (const KtField *field)
{
  g_return_val_if_fail (field != NULL, FALSE);

  switch (field->type)
    {
    case KT_FIELD_INTEGER:
    case KT_FIELD_DECIMAL:
    case KT_FIELD_MONEY:
    case KT_FIELD_PERCENT:
    case KT_FIELD_DURATION:
      return TRUE;
    default:
      return FALSE;
    }
}

/* ---- addresses ---- */

static const struct
{
  const char *part;
  const char *label;
} parts[] = {
  /* Translators: parts of a postal address, labels of entries. */
  { "street", N_ ("Street") },
  { "city", N_ ("City") },
  /* Translators: state, province or county. */
  { "region", N_ ("Region") },
  { "postcode", N_ ("Postcode") },
  { "country", N_ ("Country") },
};

const char *const *
kt_layout_address_parts (const char *locale)
{
  static const char *const small_first[] = {
    "street", "city", "region", "postcode", "country", NULL
  };
  static const char *const continental[] = {
    "street", "postcode", "city", "region", "country", NULL
  };
  static const char *const large_first[] = {
    "country", "region", "city", "street", "postcode", NULL
  };

  if (locale == NULL)
    return small_first;
  if (g_str_has_prefix (locale, "zh") || g_str_has_prefix (locale, "ja")
      || g_str_has_prefix (locale, "ko"))
    return large_first;
  return g_str_has_prefix (locale, "en") || g_str_has_prefix (locale, "C") ? small_first
                                                                           : continental;
}

const char *
kt_layout_address_part_label (const char *part)
{
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    if (g_strcmp0 (parts[i].part, part) == 0)
      return _ (parts[i].label);
  return "";
}
