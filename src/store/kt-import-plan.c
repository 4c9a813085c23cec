/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What goes where: reads the head of a table and guesses, for every column, the
 * field it belongs to. A guess is only ever made from what the schema says
 * (names, labels in every language, aliases); the pairs are taken best first,
 * so that two columns never want one field. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-text.h"

#define SAMPLE_BYTES (64 * 1024)
#define MAX_COLUMNS 2000
#define GUESS_LEAST 0.6

static const struct
{
  const char *part, *en, *zh;
} address_parts[] = {
  { "street", "street", "街道" },   { "city", "city", "城市" },
  { "region", "region", "省份" },   { "postcode", "postcode", "邮编" },
  { "country", "country", "国家" },
};

typedef struct
{
  char *key;    /* squashed spelling */
  char *path;   /* as kt_import_plan_map takes it */
  double worth; /* how sure this spelling makes us */
} Spelling;

typedef struct
{
  guint column;
  guint spelling;
  double confidence;
} Pair;

static void
spelling_clear (gpointer data)
{
  Spelling *spelling = data;

  g_free (spelling->key);
  g_free (spelling->path);
}

static void
column_free (gpointer data)
{
  KtImportColumn *column = data;

  g_free (column->column);
  g_free (column->field);
  for (guint i = 0; i < G_N_ELEMENTS (column->sample); i++)
    g_free (column->sample[i]);
  g_free (column);
}

/* Letters and digits of the folded header; "Unit_Price (EUR)" and "unitprice eur" are one. */
static char *
header_key (const char *text)
{
  g_autofree char *squashed = kt_text_squash (text);

  return g_steal_pointer (&squashed);
}

static void
add_spelling (GArray *spellings, const char *text, const char *path, double worth)
{
  Spelling spelling = { header_key (text), g_strdup (path), worth };

  if (spelling.key[0] == '\0')
    {
      spelling_clear (&spelling);
      return;
    }
  g_array_append_val (spellings, spelling);
}

static void
add_labels (GArray *spellings,
            const KtJson *label,
            const char *suffix_en,
            const char *suffix_zh,
            const char *path,
            double worth)
{
  for (guint i = 0; i < kt_json_length (label); i++)
    {
      const char *locale = kt_json_key_at (label, i);
      const char *text = kt_json_string (kt_json_at (label, i), NULL);
      const char *suffix =
        locale != NULL && g_str_has_prefix (locale, "zh") ? suffix_zh : suffix_en;
      g_autofree char *whole = NULL;

      if (text == NULL)
        continue;
      whole = suffix != NULL ? g_strdup_printf ("%s %s", text, suffix) : g_strdup (text);
      add_spelling (spellings, whole, path, worth);
    }
}

static GArray *
collect_spellings (const KtObject *object)
{
  g_autoptr (GArray) spellings = g_array_new (FALSE, FALSE, sizeof (Spelling));
  const KtJson *aliases = kt_json_get (object->json, "aliases");

  g_array_set_clear_func (spellings, spelling_clear);
  add_spelling (spellings, "kontor id", "id", 1.0);
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      if (!_kt_import_takes (field) || field->type == KT_FIELD_FILE
          || field->type == KT_FIELD_IMAGE)
        continue;
      add_spelling (spellings, field->name, field->name, 1.0);
      add_labels (spellings, field->label, NULL, NULL, field->name, 0.98);
      if (field->type == KT_FIELD_ADDRESS)
        for (guint p = 0; p < G_N_ELEMENTS (address_parts); p++)
          {
            g_autofree char *path = g_strdup_printf ("%s.%s", field->name, address_parts[p].part);

            add_spelling (spellings, path, path, 1.0);
            add_labels (spellings, field->label, address_parts[p].en, address_parts[p].zh, path,
                        0.98);
          }
      if (field->type == KT_FIELD_MONEY)
        {
          g_autofree char *path = g_strdup_printf ("%s.currency", field->name);

          add_spelling (spellings, path, path, 0.99);
          add_labels (spellings, field->label, "currency", "币种", path, 0.97);
        }
    }
  for (guint i = 0; i < kt_json_length (aliases); i++)
    {
      const char *path = kt_json_key_at (aliases, i);
      const KtJson *list = kt_json_at (aliases, i);
      g_autofree char *name = g_strndup (path, strcspn (path, ".:@"));
      const KtField *field = kt_object_field (object, name);

      if (field == NULL || !_kt_import_takes (field) || field->type == KT_FIELD_FILE
          || field->type == KT_FIELD_IMAGE)
        continue;
      /* The first spellings of a list are the telling ones. */
      for (guint k = 0; k < kt_json_length (list); k++)
        add_spelling (spellings, kt_json_string (kt_json_at (list, k), ""), path,
                      0.95 - 0.001 * MIN (k, 50));
    }
  return g_steal_pointer (&spellings);
}

static int
compare_pairs (gconstpointer a, gconstpointer b)
{
  const Pair *x = a, *y = b;

  if (x->confidence != y->confidence)
    return x->confidence < y->confidence ? 1 : -1;
  if (x->column != y->column)
    return x->column < y->column ? -1 : 1;
  return x->spelling < y->spelling ? -1 : 1;
}

/* Of two ways to say the same place the one that says more: "ship_via@shipper" before "ship_via". */
static const char *
most_telling (GArray *spellings, const Spelling *chosen)
{
  const char *path = chosen->path;

  for (guint i = 0; i < spellings->len; i++)
    {
      const Spelling *other = &g_array_index (spellings, Spelling, i);

      if (strcmp (other->key, chosen->key) == 0 && _kt_import_path_same (other->path, path)
          && strlen (other->path) > strlen (path))
        path = other->path;
    }
  return path;
}

static void
guess_columns (KtImportPlan *plan)
{
  g_autoptr (GArray) spellings = collect_spellings (plan->object);
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (Pair));
  g_autoptr (GHashTable) taken = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint c = 0; c < plan->columns->len; c++)
    {
      KtImportColumn *column = g_ptr_array_index (plan->columns, c);
      g_autofree char *key = header_key (column->column);
      gsize len = strlen (key);

      if (len == 0)
        continue;
      for (guint s = 0; s < spellings->len; s++)
        {
          const Spelling *spelling = &g_array_index (spellings, Spelling, s);
          Pair pair = { c, s, 0 };

          if (strcmp (spelling->key, key) == 0)
            pair.confidence = spelling->worth;
          else if (len >= 6 && strlen (spelling->key) >= 6
                   && kt_text_distance (spelling->key, key, 1) <= 1)
            pair.confidence = spelling->worth - 0.3;
          if (pair.confidence >= GUESS_LEAST)
            g_array_append_val (pairs, pair);
        }
    }
  g_array_sort (pairs, compare_pairs);
  for (guint i = 0; i < pairs->len; i++)
    {
      const Pair *pair = &g_array_index (pairs, Pair, i);
      KtImportColumn *column = g_ptr_array_index (plan->columns, pair->column);
      const Spelling *spelling = &g_array_index (spellings, Spelling, pair->spelling);

      g_autofree char *place = g_strndup (spelling->path, strcspn (spelling->path, ":@"));

      if (column->field != NULL || g_hash_table_contains (taken, place))
        continue;
      column->field = g_strdup (most_telling (spellings, spelling));
      column->confidence = pair->confidence;
      g_hash_table_add (taken, g_steal_pointer (&place));
    }
}

/* ---- the file's head ---- */

static gboolean
read_head (KtImportPlan *plan, GError **error)
{
  g_autoptr (KtImportSource) source =
    _kt_import_source_open (plan->path, plan->encoding, plan->separator, error);
  const KtCsvCell *cells;
  guint n = 0;
  guint64 row, rows = 0;

  if (source == NULL)
    return FALSE;
  g_free (plan->encoding);
  plan->encoding = g_strdup (kt_csv_encoding (source->csv));
  plan->separator = kt_csv_separator (source->csv);
  cells = _kt_import_source_next (source, &n, &row, error);
  if (cells == NULL)
    {
      if (error != NULL && *error == NULL)
        g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                     "%s is empty: the first line has to name the columns.", plan->path);
      return FALSE;
    }
  if (n > MAX_COLUMNS)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT,
                   "%s has %u columns; at most %d can be imported.", plan->path, n, MAX_COLUMNS);
      return FALSE;
    }
  for (guint i = 0; i < n; i++)
    {
      KtImportColumn *column = g_new0 (KtImportColumn, 1);
      g_autofree char *name = g_strstrip (g_strdup (cells[i].text));

      column->column =
        name[0] != '\0' ? g_steal_pointer (&name) : g_strdup_printf ("Column %u", i + 1);
      g_ptr_array_add (plan->columns, column);
    }
  plan->n_file_columns = n;
  while (rows < 20 && (cells = _kt_import_source_next (source, &n, &row, NULL)) != NULL)
    {
      for (guint i = 0; i < MIN (n, plan->n_file_columns); i++)
        {
          KtImportColumn *column = g_ptr_array_index (plan->columns, i);

          for (guint s = 0; s < G_N_ELEMENTS (column->sample); s++)
            if (column->sample[s] == NULL && cells[i].text[0] != '\0')
              {
                g_autofree char *copy =
                  g_utf8_make_valid (cells[i].text, MIN (strlen (cells[i].text), 120));

                column->sample[s] = g_steal_pointer (&copy);
                break;
              }
        }
      rows++;
    }
  if (rows > 0 && source->fed > 0)
    plan->rows_guess = source->total <= source->fed ? rows : source->total * rows / source->fed;
  return TRUE;
}

KtImportPlan *
kt_import_plan_new (KtLocal *local, const KtObject *object, const char *path, GError **error)
{
  return kt_import_plan_new_form (local, object, path, NULL, 0, error);
}

KtImportPlan *
kt_import_plan_new_form (KtLocal *local,
                         const KtObject *object,
                         const char *path,
                         const char *encoding,
                         char separator,
                         GError **error)
{
  g_autoptr (KtImportPlan) plan = NULL;

  g_return_val_if_fail (local != NULL && object != NULL && path != NULL, NULL);

  plan = g_new0 (KtImportPlan, 1);
  plan->schema = kt_schema_ref (object->schema);
  plan->object = object;
  plan->path = g_strdup (path);
  plan->encoding = g_strdup (encoding);
  plan->separator = separator;
  plan->columns = g_ptr_array_new_with_free_func (column_free);
  plan->locale = g_strdup (kt_local_locale (local));
  if (!read_head (plan, error))
    return NULL;
  guess_columns (plan);
  return g_steal_pointer (&plan);
}

void
kt_import_plan_free (KtImportPlan *plan)
{
  if (plan == NULL)
    return;
  g_clear_pointer (&plan->columns, g_ptr_array_unref);
  g_free (plan->path);
  g_free (plan->encoding);
  g_free (plan->match);
  g_free (plan->locale);
  g_free (plan->null_text);
  g_clear_pointer (&plan->constants, g_ptr_array_unref);
  g_clear_pointer (&plan->schema, kt_schema_unref);
  g_free (plan);
}

/* ---- changing it ---- */

static KtImportColumn *
find_column (KtImportPlan *plan, const char *name, guint *index)
{
  g_autofree char *key = header_key (name);

  for (int exact = 1; exact >= 0; exact--)
    for (guint i = 0; i < plan->n_file_columns; i++)
      {
        KtImportColumn *column = g_ptr_array_index (plan->columns, i);
        g_autofree char *own = exact ? NULL : header_key (column->column);

        if (exact ? strcmp (column->column, name) == 0 : strcmp (own, key) == 0)
          {
            *index = i;
            return column;
          }
      }
  return NULL;
}

static void
unmap_path (KtImportPlan *plan, const char *path)
{
  for (guint i = 0; i < plan->columns->len; i++)
    {
      KtImportColumn *column = g_ptr_array_index (plan->columns, i);

      if (_kt_import_path_same (column->field, path))
        g_clear_pointer (&column->field, g_free);
    }
}

gboolean
kt_import_plan_map (KtImportPlan *plan, const char *name, const char *path, GError **error)
{
  KtImportColumn *column;
  KtImportPath parsed;
  guint index = 0;

  g_return_val_if_fail (plan != NULL && name != NULL && path != NULL, FALSE);

  column = find_column (plan, name, &index);
  if (column == NULL)
    {
      g_autoptr (GString) names = g_string_new (NULL);

      for (guint i = 0; i < MIN (plan->n_file_columns, 30); i++)
        {
          const KtImportColumn *known = g_ptr_array_index (plan->columns, i);

          g_string_append_printf (names, "%s%s", i > 0 ? ", " : "", known->column);
        }
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "%s has no column “%s”. It has: %s.",
                   plan->path, name, names->str);
      return FALSE;
    }
  if (path[0] == '\0')
    {
      g_clear_pointer (&column->field, g_free);
      return TRUE;
    }
  if (!_kt_import_path_parse (plan->object, path, &parsed, error))
    return FALSE;
  unmap_path (plan, path);
  /* A guess is replaced; a second choice for the same column stands beside the first. */
  if (column->field == NULL || column->confidence < 2)
    {
      g_free (column->field);
      column->field = g_strdup (path);
      column->confidence = 2;
      return TRUE;
    }
  {
    KtImportColumn *again = g_new0 (KtImportColumn, 1);

    again->column = g_strdup (column->column);
    again->field = g_strdup (path);
    again->confidence = 2;
    again->again_of = index + 1;
    g_ptr_array_add (plan->columns, again);
  }
  return TRUE;
}

gboolean
kt_import_plan_set (KtImportPlan *plan, const char *path, const char *text, GError **error)
{
  KtImportPath parsed;

  g_return_val_if_fail (plan != NULL && path != NULL && text != NULL, FALSE);

  if (!_kt_import_path_parse (plan->object, path, &parsed, error))
    return FALSE;
  if (parsed.is_id)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID, "Rows cannot all have one id");
      return FALSE;
    }
  unmap_path (plan, path);
  if (plan->constants == NULL)
    plan->constants = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < plan->constants->len; i += 2)
    if (_kt_import_path_same (g_ptr_array_index (plan->constants, i), path))
      {
        g_ptr_array_remove_range (plan->constants, i, 2);
        break;
      }
  g_ptr_array_add (plan->constants, g_strdup (path));
  g_ptr_array_add (plan->constants, g_strdup (text));
  return TRUE;
}

gboolean
kt_import_plan_check (KtImportPlan *plan, GError **error)
{
  const KtObject *object = plan->object;
  gboolean any = FALSE;

  for (guint i = 0; i < plan->columns->len; i++)
    {
      const KtImportColumn *column = g_ptr_array_index (plan->columns, i);
      KtImportPath parsed;

      if (column->field == NULL)
        continue;
      if (!_kt_import_path_parse (object, column->field, &parsed, error))
        return FALSE;
      any = TRUE;
    }
  if (!any)
    {
      g_set_error (
        error, KT_ERROR, KT_ERROR_INVALID,
        "No column of %s was recognised as a field of %s. Map them by hand (--map COLUMN=FIELD).",
        plan->path, object->name);
      return FALSE;
    }
  if (plan->match != NULL)
    {
      const KtField *field = kt_object_field (object, plan->match);

      if (strcmp (plan->match, "id") == 0)
        return TRUE;
      if (field == NULL || !_kt_import_plan_maps (plan, plan->match))
        {
          g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                       "Records are to be found by “%s”, but %s.", plan->match,
                       field == NULL ? "there is no such field" : "no column goes into it");
          return FALSE;
        }
      switch (field->type)
        {
        case KT_FIELD_ADDRESS:
        case KT_FIELD_JSON:
        case KT_FIELD_LONG_TEXT:
        case KT_FIELD_RICH_TEXT:
        case KT_FIELD_FILE:
        case KT_FIELD_IMAGE:
        case KT_FIELD_BOOLEAN:
          g_set_error (
            error, KT_ERROR, KT_ERROR_INVALID,
            "Records cannot be found by %s: choose a name, number, e-mail or external ID.",
            kt_field_label (field, "en"));
          return FALSE;
        default:
          break;
        }
    }
  for (guint i = 0; i < object->n_fields; i++)
    {
      const KtField *field = object->fields[i];

      if (!field->required || field->computed || field->default_value != NULL
          || plan->match != NULL)
        continue;
      if (_kt_import_plan_maps (plan, field->name))
        continue;
      if (strcmp (field->name, "user_name") == 0
          && _kt_import_plan_maps (plan, object->title->name))
        continue; /* taken from the name */
      if (field == object->title && field->storage == KT_VALUE_TEXT)
        continue; /* composed from what the row refers to: see compose_title */
      if (field->type == KT_FIELD_TEXT && strcmp (field->name, "last_name") == 0
          && _kt_import_plan_maps (plan, object->title->name))
        continue;
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "%s is required, but no column goes into it. Map one (--map COLUMN=%s).",
                   kt_field_label (field, "en"), field->name);
      return FALSE;
    }
  return TRUE;
}
