/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-schema-private.h"
#include "base/kt-value-private.h"

/* One field of an object, from its tree. */

#define MAX_OPTION_CHARS 64
#define MAX_FORMER 16 /* names */

/* What a type of field is stored as and how large its values may be. */
typedef struct
{
  KtValueType storage;
  guint max;      /* when the schema does not say */
  guint max_most; /* 0: takes no max */
} TypeTraits;

static const TypeTraits traits[KT_N_FIELD_TYPES] = {
  [KT_FIELD_TEXT] = { KT_VALUE_TEXT, 255, 10000 },
  [KT_FIELD_LONG_TEXT] = { KT_VALUE_TEXT, 100000, 1000000 },
  [KT_FIELD_RICH_TEXT] = { KT_VALUE_TEXT, 200000, 1000000 },
  [KT_FIELD_EMAIL] = { KT_VALUE_TEXT, 254, 1000 },
  [KT_FIELD_PHONE] = { KT_VALUE_TEXT, 64, 1000 },
  [KT_FIELD_URL] = { KT_VALUE_TEXT, 2000, 10000 },
  [KT_FIELD_INTEGER] = { KT_VALUE_INT, 0, 0 },
  [KT_FIELD_DECIMAL] = { KT_VALUE_DECIMAL, 0, 0 },
  [KT_FIELD_MONEY] = { KT_VALUE_MONEY, 0, 0 },
  [KT_FIELD_PERCENT] = { KT_VALUE_DECIMAL, 0, 0 },
  [KT_FIELD_BOOLEAN] = { KT_VALUE_BOOL, 0, 0 },
  [KT_FIELD_DATE] = { KT_VALUE_TEXT, 0, 0 },
  [KT_FIELD_DATE_TIME] = { KT_VALUE_TEXT, 0, 0 },
  [KT_FIELD_DURATION] = { KT_VALUE_INT, 0, 0 },
  [KT_FIELD_CHOICE] = { KT_VALUE_TEXT, 0, 0 },
  [KT_FIELD_CHOICES] = { KT_VALUE_LIST, 1000, 10000 },
  [KT_FIELD_TAGS] = { KT_VALUE_LIST, 1000, 10000 },
  [KT_FIELD_REF] = { KT_VALUE_ID, 0, 0 },
  [KT_FIELD_REF_ANY] = { KT_VALUE_ANY, 0, 0 },
  [KT_FIELD_MANY] = { KT_VALUE_LIST, 1000, 10000 },
  [KT_FIELD_AUTO_NUMBER] = { KT_VALUE_TEXT, 64, 255 },
  [KT_FIELD_ADDRESS] = { KT_VALUE_JSON, 0, 0 },
  [KT_FIELD_FILE] = { KT_VALUE_TEXT, 0, 0 },
  [KT_FIELD_IMAGE] = { KT_VALUE_TEXT, 0, 0 },
  [KT_FIELD_JSON] = { KT_VALUE_JSON, KT_JSON_VALUE_MAX, 1024 * 1024 },
};

static const char *const policy_words[] = { "latest", "server", "mine",   "union", "sum",
                                            "text",   "state",  "review", NULL };
static const char *const field_members[] = {
  "name",     "type",   "label",       "required", "audited", "indexed", "personal",
  "computed", "unique", "default",     "max",      "scale",   "to",      "options",
  "open",     "policy", "transitions", "formula",  "from",    "format",  "renamed_from",
  NULL
};
static const char *const option_members[] = { "value", "label", "colour", NULL };

/* Columns the tables have of their own, and names the filter language uses for them. */
static const char *const reserved[] = { "id", "rev", "rid", "rowid", "oid", "deleted", NULL };

static KtFieldType
type_of (const char *word)
{
  guint type;

  for (type = 0; type < KT_N_FIELD_TYPES; type++)
    if (word != NULL && strcmp (kt_field_type_word (type), word) == 0)
      break;
  return type;
}

static gboolean
read_to (KtSchemaLoader *loader, KtField *field, const KtJson *json, GError **error)
{
  const KtJson *to = kt_json_get (json, "to");
  gboolean points =
    field->type == KT_FIELD_REF || field->type == KT_FIELD_REF_ANY || field->type == KT_FIELD_MANY;
  const KtJson *one = kt_json_type (to) == KT_JSON_STRING ? to : NULL;
  guint n = one != NULL ? 1 : kt_json_length (to);

  if (!points)
    return to == NULL
           || KT_SCHEMA_FAIL (loader, field->name, to, error, "only references have \"to\"");
  if (to != NULL && one == NULL && kt_json_type (to) != KT_JSON_ARRAY)
    return KT_SCHEMA_FAIL (loader, field->name, to, error, "\"to\" must be a list of objects");
  if (n == 0 && field->type != KT_FIELD_REF_ANY)
    return KT_SCHEMA_FAIL (loader, field->name, json, error, "a reference needs \"to\"");
  if (n > 1 && field->type != KT_FIELD_REF_ANY)
    return KT_SCHEMA_FAIL (loader, field->name, to, error,
                           "points to several objects: that takes the type ref_any");

  field->to = g_new0 (const char *, MAX (n, 1) + 1);
  if (n == 0)
    field->to[0] = g_intern_static_string ("*");
  for (guint i = 0; i < n; i++)
    {
      const char *name = kt_json_string (one != NULL ? one : kt_json_at (to, i), NULL);

      if (name == NULL)
        return KT_SCHEMA_FAIL (loader, field->name, to, error, "\"to\" must hold names of objects");
      if (strcmp (name, "*") == 0 && (field->type != KT_FIELD_REF_ANY || n > 1))
        return KT_SCHEMA_FAIL (loader, field->name, to, error,
                               "only a ref_any points to \"*\", and then alone");
      field->to[i] = g_intern_string (name);
    }
  return TRUE;
}

static gboolean
read_option (KtSchemaLoader *loader,
             KtField *field,
             const KtJson *json,
             KtOption *option,
             GError **error)
{
  g_autofree char *normal = NULL;

  if (kt_json_type (json) == KT_JSON_STRING)
    option->value = kt_json_string (json, NULL);
  else
    {
      if (!_kt_schema_check_members (loader, field->name, json, option_members, error)
          || !_kt_schema_read_text (loader, field->name, json, "value", &option->value, error)
          || !_kt_schema_read_text (loader, field->name, json, "colour", &option->colour, error)
          || !_kt_schema_read_label (loader, field->name, json, "label", &option->label, error))
        return FALSE;
    }

  if (option->value == NULL || option->value[0] == '\0'
      || g_utf8_strlen (option->value, -1) > MAX_OPTION_CHARS)
    return KT_SCHEMA_FAIL (loader, field->name, json, error,
                           "an option needs a \"value\" of 1 to %u characters", MAX_OPTION_CHARS);
  normal = g_strstrip (g_utf8_normalize (option->value, -1, G_NORMALIZE_NFC));
  if (strcmp (normal, option->value) != 0 || strpbrk (option->value, "\n\r\t") != NULL)
    return KT_SCHEMA_FAIL (loader, field->name, json, error,
                           "the option \"%s\" is not in its normal form (NFC, no blanks around it)",
                           option->value);
  return TRUE;
}

static gboolean
read_options (KtSchemaLoader *loader, KtField *field, const KtJson *json, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  const KtJson *options = kt_json_get (json, "options");
  gboolean chooses = field->type == KT_FIELD_CHOICE || field->type == KT_FIELD_CHOICES;
  guint n = kt_json_length (options);
  KtOption *list;

  if (!chooses)
    {
      if (options != NULL)
        return KT_SCHEMA_FAIL (loader, field->name, options, error,
                               "only choices have \"options\"");
      if (field->open && field->type != KT_FIELD_TAGS)
        return KT_SCHEMA_FAIL (loader, field->name, json, error, "only choices are \"open\"");
      return TRUE;
    }
  if (options != NULL && kt_json_type (options) != KT_JSON_ARRAY)
    return KT_SCHEMA_FAIL (loader, field->name, options, error, "\"options\" must be a list");
  if (n == 0 && !field->open)
    return KT_SCHEMA_FAIL (loader, field->name, json, error, "a choice needs \"options\"");
  if (n > KT_SCHEMA_MAX_OPTIONS)
    return KT_SCHEMA_FAIL (loader, field->name, options, error, "more than %u options",
                           KT_SCHEMA_MAX_OPTIONS);

  list = g_new0 (KtOption, MAX (n, 1));
  field->options = list;
  for (guint i = 0; i < n; i++)
    {
      if (!read_option (loader, field, kt_json_at (options, i), &list[i], error))
        return FALSE;
      if (!g_hash_table_add (seen, (char *) list[i].value))
        return KT_SCHEMA_FAIL (loader, field->name, kt_json_at (options, i), error,
                               "the option \"%s\" occurs twice", list[i].value);
      field->n_options = i + 1;
    }
  return TRUE;
}

static gboolean
read_transitions (KtSchemaLoader *loader, KtField *field, const KtJson *json, GError **error)
{
  const KtJson *transitions = kt_json_get (json, "transitions");

  if (transitions == NULL)
    return TRUE;
  if (field->type != KT_FIELD_CHOICE)
    return KT_SCHEMA_FAIL (loader, field->name, transitions, error,
                           "only a choice has \"transitions\"");
  if (kt_json_type (transitions) != KT_JSON_OBJECT)
    return KT_SCHEMA_FAIL (loader, field->name, transitions, error,
                           "\"transitions\" must be {\"from\":[\"to\"]}");

  for (guint i = 0; i < kt_json_length (transitions); i++)
    {
      const char *from = kt_json_key_at (transitions, i);
      const KtJson *list = kt_json_at (transitions, i);

      if (kt_field_option (field, from) == NULL)
        return KT_SCHEMA_FAIL (loader, field->name, list, error,
                               "transition from unknown option \"%s\"", from);
      if (kt_json_type (list) != KT_JSON_ARRAY)
        return KT_SCHEMA_FAIL (loader, field->name, list, error,
                               "the transitions from \"%s\" must be a list", from);
      for (guint j = 0; j < kt_json_length (list); j++)
        {
          const char *to = kt_json_string (kt_json_at (list, j), NULL);

          if (kt_field_option (field, to) == NULL)
            return KT_SCHEMA_FAIL (loader, field->name, list, error,
                                   "transition from \"%s\" to unknown option \"%s\"", from,
                                   to != NULL ? to : "");
        }
    }
  field->transitions = transitions;
  return TRUE;
}

static gboolean
read_sizes (KtSchemaLoader *loader, KtField *field, const KtJson *json, GError **error)
{
  const KtJson *max = kt_json_get (json, "max"), *scale = kt_json_get (json, "scale");
  gint64 value;

  field->max = traits[field->type].max;
  if (max != NULL)
    {
      value = kt_json_int (max, 0);
      if (traits[field->type].max_most == 0)
        return KT_SCHEMA_FAIL (loader, field->name, max, error, "the type %s takes no \"max\"",
                               kt_field_type_word (field->type));
      if (value < 1 || value > traits[field->type].max_most)
        return KT_SCHEMA_FAIL (loader, field->name, max, error, "\"max\" must be 1 to %u",
                               traits[field->type].max_most);
      field->max = (guint) value;
    }

  field->scale =
    field->storage == KT_VALUE_DECIMAL || field->storage == KT_VALUE_MONEY ? KT_MONEY_SCALE : 0;
  if (scale != NULL)
    {
      value = kt_json_int (scale, -1);
      if (field->storage == KT_VALUE_MONEY && value != KT_MONEY_SCALE)
        return KT_SCHEMA_FAIL (loader, field->name, scale, error, "money always has the scale %u",
                               KT_MONEY_SCALE);
      if (field->storage != KT_VALUE_DECIMAL && field->storage != KT_VALUE_MONEY)
        return KT_SCHEMA_FAIL (loader, field->name, scale, error, "the type %s takes no \"scale\"",
                               kt_field_type_word (field->type));
      if (value < 0 || value > KT_DECIMAL_MAX_SCALE)
        return KT_SCHEMA_FAIL (loader, field->name, scale, error, "\"scale\" must be 0 to %u",
                               KT_DECIMAL_MAX_SCALE);
      field->scale = (guint) value;
    }
  return TRUE;
}

static gboolean
read_policy (KtSchemaLoader *loader, KtField *field, const KtJson *json, GError **error)
{
  gboolean fits = TRUE;
  int policy = -1;

  if (!_kt_schema_read_word (loader, field->name, json, "policy", policy_words, &policy, error))
    return FALSE;

  if (policy < 0)
    {
      if (field->computed || field->object->conflict == KT_CONFLICT_SERVER)
        policy = KT_POLICY_SERVER;
      else if (field->storage == KT_VALUE_LIST)
        policy = KT_POLICY_UNION;
      else if (field->type == KT_FIELD_LONG_TEXT || field->type == KT_FIELD_RICH_TEXT)
        policy = KT_POLICY_TEXT;
      else
        policy = KT_POLICY_REVIEW;
    }
  field->policy = (KtPolicy) policy;

  switch (field->policy)
    {
    case KT_POLICY_UNION:
      fits = field->storage == KT_VALUE_LIST;
      break;
    case KT_POLICY_SUM:
      fits = field->storage == KT_VALUE_INT || field->storage == KT_VALUE_DECIMAL
             || field->storage == KT_VALUE_MONEY;
      break;
    case KT_POLICY_TEXT:
      fits = field->type == KT_FIELD_LONG_TEXT || field->type == KT_FIELD_RICH_TEXT;
      break;
    case KT_POLICY_STATE:
      fits = field->transitions != NULL;
      break;
    case KT_POLICY_LATEST:
    case KT_POLICY_SERVER:
    case KT_POLICY_MINE:
    case KT_POLICY_REVIEW:
    default:
      break;
    }
  if (!fits)
    return KT_SCHEMA_FAIL (loader, field->name, json, error,
                           "the policy \"%s\" does not go with %s", policy_words[policy],
                           field->policy == KT_POLICY_STATE ? "a field without transitions"
                                                            : kt_field_type_word (field->type));
  return TRUE;
}

static gboolean
take_column (KtSchemaLoader *loader,
             KtField *field,
             const char *column,
             const KtJson *at,
             GError **error)
{
  const KtField *other = g_hash_table_lookup (loader->columns, column);

  if (_kt_schema_word_index (reserved, column) >= 0)
    return KT_SCHEMA_FAIL (loader, field->name, at, error, "the name \"%s\" is reserved", column);
  if (other == NULL)
    {
      g_hash_table_insert (loader->columns, g_strdup (column), field);
      return TRUE;
    }
  if (other->name == field->name)
    return KT_SCHEMA_FAIL (
      loader, field->name, at, error, "defined twice%s",
      other->system != field->system ? ": every record has a field of this name" : "");
  return KT_SCHEMA_FAIL (loader, field->name, at, error,
                         "its column \"%s\" clashes with the field \"%s\"", column, other->name);
}

static gboolean
read_auto_number (KtSchemaLoader *loader, KtField *field, const KtJson *json, GError **error)
{
  const char *open;

  if (!_kt_schema_read_text (loader, field->name, json, "format", &field->format, error))
    return FALSE;
  /* A year is a number, too, but nobody groups its digits. */
  if (field->type == KT_FIELD_INTEGER && g_strcmp0 (field->format, "plain") == 0)
    return TRUE;
  if (field->type != KT_FIELD_AUTO_NUMBER)
    return field->format == NULL
           || KT_SCHEMA_FAIL (loader, field->name, json, error,
                              "only an auto_number has a \"format\", or an integer, which can be \"plain\"");
  if (field->format == NULL)
    field->format = "{000000}";
  open = strchr (field->format, '{');
  if (open == NULL || strspn (open + 1, "0") == 0 || open[1 + strspn (open + 1, "0")] != '}')
    return KT_SCHEMA_FAIL (loader, field->name, json, error,
                           "\"format\" must hold its digits as {0000}");
  return TRUE;
}

gboolean
_kt_schema_read_was (KtSchemaLoader *loader,
                     const char *field,
                     const KtJson *json,
                     const char ***out,
                     GError **error)
{
  const KtJson *member = kt_json_get (json, "renamed_from");
  const KtJson *one = kt_json_type (member) == KT_JSON_STRING ? member : NULL;
  guint n = one != NULL ? 1 : kt_json_length (member);

  if (member == NULL)
    return TRUE;
  if ((one == NULL && kt_json_type (member) != KT_JSON_ARRAY) || n == 0 || n > MAX_FORMER)
    return KT_SCHEMA_FAIL (loader, field, member, error,
                           "\"renamed_from\" must hold 1 to %d former names", MAX_FORMER);
  *out = g_new0 (const char *, n + 1);
  for (guint i = 0; i < n; i++)
    {
      const char *name = kt_json_string (one != NULL ? one : kt_json_at (member, i), NULL);

      if (!_kt_schema_name_ok (name))
        return KT_SCHEMA_FAIL (loader, field, member, error,
                               "\"renamed_from\" must hold 1 to %d former names", MAX_FORMER);
      (*out)[i] = g_intern_string (name);
    }
  return TRUE;
}

/* A former name goes on to mean this field, so it must not mean another as well. */
static gboolean
take_former_names (KtSchemaLoader *loader, KtField *field, const KtJson *json, GError **error)
{
  GHashTable *names = loader->object->by_name;

  if (!_kt_schema_read_was (loader, field->name, json, &field->was, error))
    return FALSE;
  for (guint i = 0; field->was != NULL && field->was[i] != NULL; i++)
    {
      const KtField *other = g_hash_table_lookup (names, field->was[i]);

      if (other != NULL)
        return KT_SCHEMA_FAIL (loader, field->name, json, error,
                               "its former name \"%s\" belongs to the field \"%s\"", field->was[i],
                               other->name);
      g_hash_table_insert (names, (char *) field->was[i], field);
    }
  return TRUE;
}

gboolean
_kt_schema_read_field (KtSchemaLoader *loader, KtField *field, const KtJson *json, GError **error)
{
  gboolean required = FALSE, audited = FALSE, indexed = FALSE, personal = FALSE;
  gboolean computed = FALSE, unique = FALSE, open = FALSE;
  const char *word;

  if (!_kt_schema_check_members (loader, kt_json_get_string (json, "name", NULL), json,
                                 field_members, error))
    return FALSE;
  word = kt_json_get_string (json, "name", NULL);
  if (!_kt_schema_name_ok (word))
    return KT_SCHEMA_FAIL (loader, word, json, error,
                           "a field needs a name of small letters, digits and _, at most 63");
  field->name = g_intern_string (word);

  word = kt_json_get_string (json, "type", NULL);
  field->type = type_of (word);
  if (field->type == KT_N_FIELD_TYPES)
    return KT_SCHEMA_FAIL (loader, field->name, json, error, "unknown type \"%s\"",
                           word != NULL ? word : "");
  field->storage = traits[field->type].storage;

  if (!_kt_schema_read_label (loader, field->name, json, "label", &field->label, error)
      || !_kt_schema_read_flag (loader, field->name, json, "required", &required, error)
      || !_kt_schema_read_flag (loader, field->name, json, "audited", &audited, error)
      || !_kt_schema_read_flag (loader, field->name, json, "indexed", &indexed, error)
      || !_kt_schema_read_flag (loader, field->name, json, "personal", &personal, error)
      || !_kt_schema_read_flag (loader, field->name, json, "computed", &computed, error)
      || !_kt_schema_read_flag (loader, field->name, json, "unique", &unique, error)
      || !_kt_schema_read_flag (loader, field->name, json, "open", &open, error)
      || !_kt_schema_read_text (loader, field->name, json, "formula", &field->formula, error)
      || !_kt_schema_read_text (loader, field->name, json, "from", &field->from, error))
    return FALSE;
  field->required = required != FALSE;
  field->audited = audited != FALSE;
  field->indexed = indexed != FALSE;
  field->personal = personal != FALSE;
  field->computed = computed != FALSE;
  field->unique = unique != FALSE;
  field->open = open != FALSE;
  field->default_value = kt_json_get (json, "default");
  if (kt_json_type (field->default_value) == KT_JSON_NULL)
    field->default_value = NULL;

  if (field->formula != NULL && !field->computed)
    return KT_SCHEMA_FAIL (loader, field->name, json, error,
                           "has a formula, so it must be computed");

  if (!read_to (loader, field, json, error) || !read_options (loader, field, json, error)
      || !read_transitions (loader, field, json, error) || !read_sizes (loader, field, json, error)
      || !read_policy (loader, field, json, error) || !read_auto_number (loader, field, json, error)
      || !take_column (loader, field, field->name, json, error))
    return FALSE;

  if (field->storage == KT_VALUE_MONEY || field->storage == KT_VALUE_ANY)
    {
      g_autofree char *second =
        g_strconcat (field->name, field->storage == KT_VALUE_MONEY ? "_currency" : "_object", NULL);

      if (!take_column (loader, field, second, json, error))
        return FALSE;
    }
  if (g_hash_table_lookup (loader->object->by_name, field->name) != NULL)
    return KT_SCHEMA_FAIL (loader, field->name, json, error,
                           "was the name of the field \"%s\" once and cannot be given to another",
                           kt_object_field (&loader->object->object, field->name)->name);
  g_hash_table_insert (loader->object->by_name, (char *) field->name, field);
  return take_former_names (loader, field, json, error);
}
