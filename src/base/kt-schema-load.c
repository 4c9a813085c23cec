/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-schema.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"
#include "base/kt-schema-private.h"
#include "base/kt-value-private.h"

/* From trees to a schema. Two steps: here each object is read by itself, then
 * kt-schema-check.c looks at everything that points from one to another. A
 * schema that comes out is sound: nobody behind it asks again.
 * Files are held to the letter, an unknown member is an error there (a typing
 * mistake). The document a newer server sends may have members we do not know. */

#define MAX_SCHEMA_FILE   (4 * 1024 * 1024)
#define MAX_OPTION_CHARS  64

typedef struct
{
  KtSchema *schema;
  const KtSchemaSource *source;
  const char *file;           /* object being read, or "system" */
  KtObjectReal *object;
  GHashTable *columns;        /* names of columns that are taken → field */
} Loader;

/* What a type of field is stored as and how large its values may be. */
typedef struct
{
  KtValueType storage;
  guint max;                  /* when the schema does not say */
  guint max_most;             /* 0: takes no max */
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

static const char *const kind_words[] = { "object", "activity", "child", "admin", NULL };
static const char *const conflict_words[] = { "merge", "append", "state", "server", NULL };
static const char *const sync_words[] = { "full", "scope", "demand", NULL };
static const char *const policy_words[]
    = { "latest", "server", "mine", "union", "sum", "text", "state", "review", NULL };

static const char *const object_members[]
    = { "object", "kind",   "group", "visible", "label",        "plural", "icon",   "sync",    "conflict",
        "title",  "subtitle", "translations",    "fields",      "related", "list",  "layout",  "aliases", NULL };
static const char *const field_members[]
    = { "name",    "type",  "label", "required", "audited", "indexed", "personal", "computed",    "unique",
        "default", "max",   "scale", "to",       "options", "open",    "policy",   "transitions", "formula",
        "from",    "format", NULL };
static const char *const option_members[] = { "value", "label", "colour", NULL };
static const char *const system_members[] = { "fields", "business", NULL };

/* Columns the tables have of their own, and names the filter language uses for them. */
static const char *const reserved[] = { "id", "rev", "rid", "rowid", "oid", "deleted", NULL };

gboolean
_kt_schema_fail (const char *object,
                 gboolean files,
                 const char *field,
                 const KtJson *at,
                 GError **error,
                 const char *format,
                 ...)
{
  g_autoptr (GString) message = g_string_new (NULL);
  va_list args;

  if (files)
    g_string_append_printf (message, "%s.json: ", object != NULL ? object : "pack");
  else if (object != NULL)
    g_string_append_printf (message, "object \"%s\": ", object);
  else
    g_string_append (message, "schema: ");
  if (field != NULL)
    g_string_append_printf (message, "field \"%s\": ", field);
  va_start (args, format);
  g_string_append_vprintf (message, format, args);
  va_end (args);
  if (kt_json_line (at) > 1)
    g_string_append_printf (message, " (line %u)", kt_json_line (at));
  g_set_error_literal (error, KT_ERROR, KT_ERROR_SCHEMA, message->str);
  return FALSE;
}

gboolean
_kt_schema_name_ok (const char *name)
{
  gsize n = 0;

  if (name == NULL || !g_ascii_islower (name[0]))
    return FALSE;
  for (; name[n] != '\0'; n++)
    if (!g_ascii_islower (name[n]) && !g_ascii_isdigit (name[n]) && name[n] != '_')
      return FALSE;
  return n <= 63;
}

static int
word_index (const char *const *words,
            const char *word)
{
  for (int i = 0; words[i] != NULL; i++)
    if (word != NULL && strcmp (words[i], word) == 0)
      return i;
  return -1;
}

#define FAIL(loader, field, at, error, ...) \
  _kt_schema_fail ((loader)->file, (loader)->source->files, (field), (at), (error), __VA_ARGS__)

static gboolean
check_members (Loader *loader,
               const char *field,
               const KtJson *json,
               const char *const *known,
               GError **error)
{
  if (kt_json_type (json) != KT_JSON_OBJECT)
    return FAIL (loader, field, json, error, "an object { } was expected");
  for (guint i = 0; loader->source->files && i < kt_json_length (json); i++)
    if (word_index (known, kt_json_key_at (json, i)) < 0)
      return FAIL (loader,
                   field,
                   kt_json_at (json, i),
                   error,
                   "unknown member \"%s\"",
                   kt_json_key_at (json, i));
  return TRUE;
}

/* A member that must be one of @words when present. */
static gboolean
read_word (Loader *loader,
           const char *field,
           const KtJson *json,
           const char *member,
           const char *const *words,
           int *out,
           GError **error)
{
  const KtJson *value = kt_json_get (json, member);
  const char *word = kt_json_string (value, NULL);
  g_autofree char *known = NULL;
  int index = word_index (words, word);

  if (value == NULL)
    return TRUE;
  if (index >= 0)
    {
      *out = index;
      return TRUE;
    }
  known = g_strjoinv (", ", (char **) words);
  return FAIL (loader,
               field,
               value,
               error,
               "\"%s\" is \"%s\", must be one of %s",
               member,
               word != NULL ? word : "not a text",
               known);
}

static gboolean
read_flag (Loader *loader,
           const char *field,
           const KtJson *json,
           const char *member,
           gboolean *out,
           GError **error)
{
  const KtJson *value = kt_json_get (json, member);
  KtJsonType type = kt_json_type (value);

  if (value != NULL && type != KT_JSON_TRUE && type != KT_JSON_FALSE)
    return FAIL (loader, field, value, error, "\"%s\" must be true or false", member);
  *out = kt_json_bool (value, *out);
  return TRUE;
}

static gboolean
read_text (Loader *loader,
           const char *field,
           const KtJson *json,
           const char *member,
           const char **out,
           GError **error)
{
  const KtJson *value = kt_json_get (json, member);
  const char *text = kt_json_string (value, NULL);

  if (value != NULL && kt_json_type (value) != KT_JSON_NULL && (text == NULL || *text == '\0'))
    return FAIL (loader, field, value, error, "\"%s\" must be a text", member);
  *out = text;
  return TRUE;
}

static gboolean
read_label (Loader *loader,
            const char *field,
            const KtJson *json,
            const char *member,
            const KtJson **out,
            GError **error)
{
  const KtJson *value = kt_json_get (json, member);

  switch (kt_json_type (value))
    {
    case KT_JSON_NULL:
      *out = NULL;
      return TRUE;
    case KT_JSON_STRING:
      *out = value;
      return TRUE;
    case KT_JSON_OBJECT:
      for (guint i = 0; i < kt_json_length (value); i++)
        if (kt_json_string (kt_json_at (value, i), NULL) == NULL)
          return FAIL (loader, field, value, error, "\"%s\" must hold texts by language", member);
      *out = value;
      return TRUE;
    default:
      return FAIL (loader, field, value, error, "\"%s\" must be a text or texts by language", member);
    }
}

/* ---- fields ---- */

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
read_to (Loader *loader,
         KtField *field,
         const KtJson *json,
         GError **error)
{
  const KtJson *to = kt_json_get (json, "to");
  gboolean points = field->type == KT_FIELD_REF || field->type == KT_FIELD_REF_ANY
                    || field->type == KT_FIELD_MANY;
  const KtJson *one = kt_json_type (to) == KT_JSON_STRING ? to : NULL;
  guint n = one != NULL ? 1 : kt_json_length (to);

  if (!points)
    return to == NULL || FAIL (loader, field->name, to, error, "only references have \"to\"");
  if (to != NULL && one == NULL && kt_json_type (to) != KT_JSON_ARRAY)
    return FAIL (loader, field->name, to, error, "\"to\" must be a list of objects");
  if (n == 0 && field->type != KT_FIELD_REF_ANY)
    return FAIL (loader, field->name, json, error, "a reference needs \"to\"");
  if (n > 1 && field->type != KT_FIELD_REF_ANY)
    return FAIL (loader, field->name, to, error, "points to several objects: that takes the type ref_any");

  field->to = g_new0 (const char *, MAX (n, 1) + 1);
  if (n == 0)
    field->to[0] = g_intern_static_string ("*");
  for (guint i = 0; i < n; i++)
    {
      const char *name = kt_json_string (one != NULL ? one : kt_json_at (to, i), NULL);

      if (name == NULL)
        return FAIL (loader, field->name, to, error, "\"to\" must hold names of objects");
      if (strcmp (name, "*") == 0 && (field->type != KT_FIELD_REF_ANY || n > 1))
        return FAIL (loader, field->name, to, error, "only a ref_any points to \"*\", and then alone");
      field->to[i] = g_intern_string (name);
    }
  return TRUE;
}

static gboolean
read_option (Loader *loader,
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
      if (!check_members (loader, field->name, json, option_members, error)
          || !read_text (loader, field->name, json, "value", &option->value, error)
          || !read_text (loader, field->name, json, "colour", &option->colour, error)
          || !read_label (loader, field->name, json, "label", &option->label, error))
        return FALSE;
    }

  if (option->value == NULL || option->value[0] == '\0'
      || g_utf8_strlen (option->value, -1) > MAX_OPTION_CHARS)
    return FAIL (loader,
                 field->name,
                 json,
                 error,
                 "an option needs a \"value\" of 1 to %u characters",
                 MAX_OPTION_CHARS);
  normal = g_strstrip (g_utf8_normalize (option->value, -1, G_NORMALIZE_NFC));
  if (strcmp (normal, option->value) != 0 || strpbrk (option->value, "\n\r\t") != NULL)
    return FAIL (loader,
                 field->name,
                 json,
                 error,
                 "the option \"%s\" is not in its normal form (NFC, no blanks around it)",
                 option->value);
  return TRUE;
}

static gboolean
read_options (Loader *loader,
              KtField *field,
              const KtJson *json,
              GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  const KtJson *options = kt_json_get (json, "options");
  gboolean chooses = field->type == KT_FIELD_CHOICE || field->type == KT_FIELD_CHOICES;
  guint n = kt_json_length (options);
  KtOption *list;

  if (!chooses)
    {
      if (options != NULL)
        return FAIL (loader, field->name, options, error, "only choices have \"options\"");
      if (field->open && field->type != KT_FIELD_TAGS)
        return FAIL (loader, field->name, json, error, "only choices are \"open\"");
      return TRUE;
    }
  if (options != NULL && kt_json_type (options) != KT_JSON_ARRAY)
    return FAIL (loader, field->name, options, error, "\"options\" must be a list");
  if (n == 0 && !field->open)
    return FAIL (loader, field->name, json, error, "a choice needs \"options\"");
  if (n > KT_SCHEMA_MAX_OPTIONS)
    return FAIL (loader, field->name, options, error, "more than %u options", KT_SCHEMA_MAX_OPTIONS);

  list = g_new0 (KtOption, MAX (n, 1));
  field->options = list;
  for (guint i = 0; i < n; i++)
    {
      if (!read_option (loader, field, kt_json_at (options, i), &list[i], error))
        return FALSE;
      if (!g_hash_table_add (seen, (char *) list[i].value))
        return FAIL (loader,
                     field->name,
                     kt_json_at (options, i),
                     error,
                     "the option \"%s\" occurs twice",
                     list[i].value);
      field->n_options = i + 1;
    }
  return TRUE;
}

static gboolean
read_transitions (Loader *loader,
                  KtField *field,
                  const KtJson *json,
                  GError **error)
{
  const KtJson *transitions = kt_json_get (json, "transitions");

  if (transitions == NULL)
    return TRUE;
  if (field->type != KT_FIELD_CHOICE)
    return FAIL (loader, field->name, transitions, error, "only a choice has \"transitions\"");
  if (kt_json_type (transitions) != KT_JSON_OBJECT)
    return FAIL (loader, field->name, transitions, error, "\"transitions\" must be {\"from\":[\"to\"]}");

  for (guint i = 0; i < kt_json_length (transitions); i++)
    {
      const char *from = kt_json_key_at (transitions, i);
      const KtJson *list = kt_json_at (transitions, i);

      if (kt_field_option (field, from) == NULL)
        return FAIL (loader, field->name, list, error, "transition from unknown option \"%s\"", from);
      if (kt_json_type (list) != KT_JSON_ARRAY)
        return FAIL (loader, field->name, list, error, "the transitions from \"%s\" must be a list", from);
      for (guint j = 0; j < kt_json_length (list); j++)
        {
          const char *to = kt_json_string (kt_json_at (list, j), NULL);

          if (kt_field_option (field, to) == NULL)
            return FAIL (loader,
                         field->name,
                         list,
                         error,
                         "transition from \"%s\" to unknown option \"%s\"",
                         from,
                         to != NULL ? to : "");
        }
    }
  field->transitions = transitions;
  return TRUE;
}

static gboolean
read_sizes (Loader *loader,
            KtField *field,
            const KtJson *json,
            GError **error)
{
  const KtJson *max = kt_json_get (json, "max"), *scale = kt_json_get (json, "scale");
  gint64 value;

  field->max = traits[field->type].max;
  if (max != NULL)
    {
      value = kt_json_int (max, 0);
      if (traits[field->type].max_most == 0)
        return FAIL (loader,
                     field->name,
                     max,
                     error,
                     "the type %s takes no \"max\"",
                     kt_field_type_word (field->type));
      if (value < 1 || value > traits[field->type].max_most)
        return FAIL (loader,
                     field->name,
                     max,
                     error,
                     "\"max\" must be 1 to %u",
                     traits[field->type].max_most);
      field->max = (guint) value;
    }

  field->scale = field->storage == KT_VALUE_DECIMAL || field->storage == KT_VALUE_MONEY ? KT_MONEY_SCALE : 0;
  if (scale != NULL)
    {
      value = kt_json_int (scale, -1);
      if (field->storage == KT_VALUE_MONEY && value != KT_MONEY_SCALE)
        return FAIL (loader, field->name, scale, error, "money always has the scale %u", KT_MONEY_SCALE);
      if (field->storage != KT_VALUE_DECIMAL && field->storage != KT_VALUE_MONEY)
        return FAIL (loader,
                     field->name,
                     scale,
                     error,
                     "the type %s takes no \"scale\"",
                     kt_field_type_word (field->type));
      if (value < 0 || value > KT_DECIMAL_MAX_SCALE)
        return FAIL (loader, field->name, scale, error, "\"scale\" must be 0 to %u", KT_DECIMAL_MAX_SCALE);
      field->scale = (guint) value;
    }
  return TRUE;
}

static gboolean
read_policy (Loader *loader,
             KtField *field,
             const KtJson *json,
             GError **error)
{
  gboolean fits = TRUE;
  int policy = -1;

  if (!read_word (loader, field->name, json, "policy", policy_words, &policy, error))
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
    return FAIL (loader,
                 field->name,
                 json,
                 error,
                 "the policy \"%s\" does not go with %s",
                 policy_words[policy],
                 field->policy == KT_POLICY_STATE ? "a field without transitions" : kt_field_type_word (field->type));
  return TRUE;
}

static gboolean
take_column (Loader *loader,
             KtField *field,
             const char *column,
             const KtJson *at,
             GError **error)
{
  const KtField *other = g_hash_table_lookup (loader->columns, column);

  if (word_index (reserved, column) >= 0)
    return FAIL (loader, field->name, at, error, "the name \"%s\" is reserved", column);
  if (other == NULL)
    {
      g_hash_table_insert (loader->columns, g_strdup (column), field);
      return TRUE;
    }
  if (other->name == field->name)
    return FAIL (loader,
                 field->name,
                 at,
                 error,
                 "defined twice%s",
                 other->system != field->system ? ": every record has a field of this name" : "");
  return FAIL (loader,
               field->name,
               at,
               error,
               "its column \"%s\" clashes with the field \"%s\"",
               column,
               other->name);
}

static gboolean
read_auto_number (Loader *loader,
                  KtField *field,
                  const KtJson *json,
                  GError **error)
{
  const char *open;

  if (!read_text (loader, field->name, json, "format", &field->format, error))
    return FALSE;
  if (field->type != KT_FIELD_AUTO_NUMBER)
    return field->format == NULL || FAIL (loader, field->name, json, error, "only an auto_number has a \"format\"");
  if (field->format == NULL)
    field->format = "{000000}";
  open = strchr (field->format, '{');
  if (open == NULL || strspn (open + 1, "0") == 0 || open[1 + strspn (open + 1, "0")] != '}')
    return FAIL (loader, field->name, json, error, "\"format\" must hold its digits as {0000}");
  return TRUE;
}

static gboolean
read_field (Loader *loader,
            KtField *field,
            const KtJson *json,
            GError **error)
{
  gboolean required = FALSE, audited = FALSE, indexed = FALSE, personal = FALSE;
  gboolean computed = FALSE, unique = FALSE, open = FALSE;
  const char *word;

  if (!check_members (loader, kt_json_get_string (json, "name", NULL), json, field_members, error))
    return FALSE;
  word = kt_json_get_string (json, "name", NULL);
  if (!_kt_schema_name_ok (word))
    return FAIL (loader,
                 word,
                 json,
                 error,
                 "a field needs a name of small letters, digits and _, at most 63");
  field->name = g_intern_string (word);

  word = kt_json_get_string (json, "type", NULL);
  field->type = type_of (word);
  if (field->type == KT_N_FIELD_TYPES)
    return FAIL (loader, field->name, json, error, "unknown type \"%s\"", word != NULL ? word : "");
  field->storage = traits[field->type].storage;

  if (!read_label (loader, field->name, json, "label", &field->label, error)
      || !read_flag (loader, field->name, json, "required", &required, error)
      || !read_flag (loader, field->name, json, "audited", &audited, error)
      || !read_flag (loader, field->name, json, "indexed", &indexed, error)
      || !read_flag (loader, field->name, json, "personal", &personal, error)
      || !read_flag (loader, field->name, json, "computed", &computed, error)
      || !read_flag (loader, field->name, json, "unique", &unique, error)
      || !read_flag (loader, field->name, json, "open", &open, error)
      || !read_text (loader, field->name, json, "formula", &field->formula, error)
      || !read_text (loader, field->name, json, "from", &field->from, error))
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
    return FAIL (loader, field->name, json, error, "has a formula, so it must be computed");

  if (!read_to (loader, field, json, error) || !read_options (loader, field, json, error)
      || !read_transitions (loader, field, json, error) || !read_sizes (loader, field, json, error)
      || !read_policy (loader, field, json, error) || !read_auto_number (loader, field, json, error)
      || !take_column (loader, field, field->name, json, error))
    return FALSE;

  if (field->storage == KT_VALUE_MONEY || field->storage == KT_VALUE_ANY)
    {
      g_autofree char *second
          = g_strconcat (field->name, field->storage == KT_VALUE_MONEY ? "_currency" : "_object", NULL);

      if (!take_column (loader, field, second, json, error))
        return FALSE;
    }
  g_hash_table_insert (loader->object->by_name, (char *) field->name, field);
  return TRUE;
}

/* ---- objects ---- */

static void
object_free (gpointer data)
{
  KtObjectReal *real = data;
  KtObject *object = &real->object;

  if (object->fields != NULL)
    {
      for (guint i = 0; i < object->n_fields; i++)
        {
          g_free ((gpointer) object->fields[i]->options);
          g_free ((gpointer) object->fields[i]->to);
        }
      /* All of them are one block, the first field its start. */
      if (object->n_fields > 0)
        g_free ((gpointer) object->fields[0]);
      g_free ((gpointer) object->fields);
    }
  g_clear_pointer (&real->by_name, g_hash_table_unref);
  g_free (real);
}

static gboolean
read_fields (Loader *loader,
             GError **error)
{
  KtObject *object = &loader->object->object;
  const KtJson *lists[3];
  const char *file = loader->file;
  guint total = 0, index = 0;
  KtField *block;

  lists[0] = kt_json_get (object->json, "fields");
  lists[1] = object->kind == KT_KIND_OBJECT || object->kind == KT_KIND_ACTIVITY
                 ? kt_json_get (loader->source->system, "business")
                 : NULL;
  lists[2] = kt_json_get (loader->source->system, "fields");

  if (kt_json_type (lists[0]) != KT_JSON_ARRAY || kt_json_length (lists[0]) == 0)
    return FAIL (loader, NULL, object->json, error, "\"fields\" must be a list of fields");
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    total += kt_json_length (lists[i]);
  if (total > KT_SCHEMA_MAX_FIELDS)
    return FAIL (loader, NULL, object->json, error, "more than %u fields", KT_SCHEMA_MAX_FIELDS);

  block = g_new0 (KtField, total);
  object->fields = g_new0 (const KtField *, total + 1);
  for (guint i = 0; i < total; i++)
    object->fields[i] = &block[i];
  object->n_fields = total;

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    for (guint j = 0; j < kt_json_length (lists[i]); j++)
      {
        KtField *field = &block[index];
        gboolean ok;

        field->object = object;
        field->index = index++;
        field->system = i > 0;
        loader->file = i > 0 ? "system" : file;
        ok = read_field (loader, field, kt_json_at (lists[i], j), error);
        loader->file = file;
        if (!ok)
          {
            if (i > 0)
              g_prefix_error (error, "in object \"%s\": ", object->name);
            return FALSE;
          }
      }
  return TRUE;
}

static gboolean
read_object (Loader *loader,
             const KtJson *json,
             GError **error)
{
  KtObject *object = &loader->object->object;
  gboolean visible = FALSE;
  int kind = KT_KIND_OBJECT, conflict = KT_CONFLICT_MERGE, sync = KT_SYNC_SCOPE;

  object->schema = loader->schema;
  object->json = json;
  object->name = g_intern_string (loader->file);

  if (!check_members (loader, NULL, json, object_members, error)
      || !read_word (loader, NULL, json, "kind", kind_words, &kind, error)
      || !read_word (loader, NULL, json, "conflict", conflict_words, &conflict, error)
      || !read_word (loader, NULL, json, "sync", sync_words, &sync, error)
      || !read_flag (loader, NULL, json, "visible", &visible, error)
      || !read_text (loader, NULL, json, "group", &object->group, error)
      || !read_text (loader, NULL, json, "icon", &object->icon, error)
      || !read_label (loader, NULL, json, "label", &object->label, error)
      || !read_label (loader, NULL, json, "plural", &object->plural, error))
    return FALSE;
  object->kind = (KtObjectKind) kind;
  object->conflict = (KtObjectConflict) conflict;
  object->sync = (KtObjectSync) sync;
  object->visible = visible;
  return read_fields (loader, error);
}

/* ---- the whole ---- */

static gboolean
assign_numbers (KtSchema *schema,
                const KtSchemaSource *source,
                GError **error)
{
  g_autoptr (GHashTable) taken = g_hash_table_new (NULL, NULL);
  guint next = 1;

  if (source->numbers != NULL && kt_json_type (source->numbers) != KT_JSON_OBJECT)
    return _kt_schema_fail (NULL, source->files, NULL, source->numbers, error, "\"numbers\" must be an object");

  for (guint i = 0; i < kt_json_length (source->numbers); i++)
    {
      gint64 number = kt_json_int (kt_json_at (source->numbers, i), 0);

      if (number < 1 || number > 100000)
        return _kt_schema_fail (NULL,
                                source->files,
                                NULL,
                                source->numbers,
                                error,
                                "the number of \"%s\" must be 1 to 100000",
                                kt_json_key_at (source->numbers, i));
      if (!g_hash_table_add (taken, GUINT_TO_POINTER ((guint) number)))
        return _kt_schema_fail (NULL,
                                source->files,
                                NULL,
                                source->numbers,
                                error,
                                "the number %u is given twice",
                                (guint) number);
      /* Behind the highest: the number of an object that is gone is not used again. */
      next = MAX (next, (guint) number + 1);
    }

  for (guint i = 0; i < schema->objects->len; i++)
    {
      KtObject *object = g_ptr_array_index (schema->objects, i);

      object->number = (guint) kt_json_get_int (source->numbers, object->name, 0);
      if (object->number == 0)
        object->number = next++;
      g_hash_table_insert (schema->by_number, GUINT_TO_POINTER (object->number), object);
    }
  return TRUE;
}

static int
compare_names (gconstpointer a,
               gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Members in bytewise order, so that the text is the canonical form of itself. */
static void
write_document (KtSchema *schema,
                const KtSchemaSource *source)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  GString *text = g_string_sized_new (64 * 1024);
  KtJsonWriter writer = KT_JSON_WRITER (text);

  for (guint i = 0; i < kt_json_length (source->numbers); i++)
    g_ptr_array_add (names, (char *) kt_json_key_at (source->numbers, i));
  for (guint i = 0; i < schema->objects->len; i++)
    {
      const KtObject *object = g_ptr_array_index (schema->objects, i);

      if (kt_json_get (source->numbers, object->name) == NULL)
        g_ptr_array_add (names, (char *) object->name);
    }
  g_ptr_array_sort (names, compare_names);

  kt_json_begin_object (&writer);
  kt_json_put_string (&writer, "name", source->name);

  kt_json_key (&writer, "numbers");
  kt_json_begin_object (&writer);
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      const KtObject *object = kt_schema_object (schema, name);

      kt_json_put_int (&writer,
                       name,
                       object != NULL ? (gint64) object->number : kt_json_get_int (source->numbers, name, 0));
    }
  kt_json_end_object (&writer);

  kt_json_key (&writer, "objects");
  kt_json_begin_array (&writer);
  for (guint i = 0; i < source->objects->len; i++)
    {
      g_autofree char *object = kt_json_to_string (g_ptr_array_index (source->objects, i), TRUE);

      kt_json_add_raw (&writer, object);
    }
  kt_json_end_array (&writer);

  if (source->system != NULL)
    {
      g_autofree char *system_fields = kt_json_to_string (source->system, TRUE);

      kt_json_put_raw (&writer, "system", system_fields);
    }
  kt_json_put_int (&writer, "version", source->version);
  kt_json_end_object (&writer);

  schema->digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) text->str, text->len);
  schema->json = g_string_free (text, FALSE);
}

static gboolean
read_objects (KtSchema *schema,
              const KtSchemaSource *source,
              GError **error)
{
  Loader loader = { .schema = schema, .source = source };

  if (source->objects->len == 0 || source->objects->len > KT_SCHEMA_MAX_OBJECTS)
    return _kt_schema_fail (NULL,
                            source->files,
                            NULL,
                            NULL,
                            error,
                            "\"objects\" must list 1 to %u objects",
                            KT_SCHEMA_MAX_OBJECTS);
  if (source->system != NULL)
    {
      loader.file = "system";
      if (!check_members (&loader, NULL, source->system, system_members, error))
        return FALSE;
    }

  for (guint i = 0; i < source->objects->len; i++)
    {
      const KtJson *json = g_ptr_array_index (source->objects, i);
      const char *name = kt_json_get_string (json, "object", NULL);
      g_autoptr (GHashTable) columns = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      KtObjectReal *real;

      if (!_kt_schema_name_ok (name))
        return _kt_schema_fail (NULL,
                                source->files,
                                NULL,
                                json,
                                error,
                                "the object at place %u has no proper name in \"object\"",
                                i + 1);
      if (kt_schema_object (schema, name) != NULL)
        return _kt_schema_fail (name, source->files, NULL, json, error, "is listed twice");

      real = g_new0 (KtObjectReal, 1);
      real->by_name = g_hash_table_new (g_str_hash, g_str_equal);
      g_ptr_array_add (schema->objects, real);
      loader.object = real;
      loader.file = name;
      loader.columns = columns;
      if (!read_object (&loader, json, error))
        return FALSE;
      g_hash_table_insert (schema->by_name, (char *) real->object.name, real);
    }
  return TRUE;
}

KtSchema *
_kt_schema_build (const KtSchemaSource *source,
                  GError **error)
{
  g_autoptr (KtSchema) schema = g_new0 (KtSchema, 1);

  g_atomic_ref_count_init (&schema->refs);
  schema->documents = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_json_unref);
  schema->objects = g_ptr_array_new_with_free_func (object_free);
  schema->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  schema->by_number = g_hash_table_new (NULL, NULL);

  if (source->name == NULL || *source->name == '\0' || source->version < 1
      || source->version > G_MAXINT32)
    {
      _kt_schema_fail (NULL, source->files, NULL, NULL, error, "needs a \"name\" and a \"version\" from 1");
      return NULL;
    }
  schema->version = (guint) source->version;

  if (source->system != NULL)
    g_ptr_array_add (schema->documents, kt_json_ref (source->system));
  if (source->numbers != NULL)
    g_ptr_array_add (schema->documents, kt_json_ref (source->numbers));
  for (guint i = 0; i < source->objects->len; i++)
    g_ptr_array_add (schema->documents, kt_json_ref (g_ptr_array_index (source->objects, i)));

  if (!read_objects (schema, source, error) || !assign_numbers (schema, source, error)
      || !_kt_schema_check (schema, source->files, error))
    return NULL;

  write_document (schema, source);
  return g_steal_pointer (&schema);
}

KtSchema *
kt_schema_from_json (const char *text,
                     gssize len,
                     GError **error)
{
  g_autoptr (KtJson) document = NULL;
  g_autoptr (GPtrArray) objects = NULL;
  KtSchemaSource source = { 0 };
  const KtJson *list;

  g_return_val_if_fail (text != NULL, NULL);

  if ((len < 0 ? strlen (text) : (gsize) len) > KT_SCHEMA_MAX_BYTES)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_LIMIT, "the schema is larger than 16 MiB");
      return NULL;
    }
  document = kt_json_parse (text, len, error);
  if (document == NULL)
    {
      g_prefix_error (error, "schema: ");
      if (error != NULL && (*error)->code == KT_ERROR_INVALID)
        (*error)->code = KT_ERROR_SCHEMA;
      return NULL;
    }

  list = kt_json_get (document, "objects");
  if (kt_json_type (list) != KT_JSON_ARRAY)
    {
      _kt_schema_fail (NULL, FALSE, NULL, document, error, "\"objects\" must be a list");
      return NULL;
    }
  objects = g_ptr_array_new ();
  for (guint i = 0; i < kt_json_length (list); i++)
    g_ptr_array_add (objects, kt_json_at (list, i));

  source.name = kt_json_get_string (document, "name", NULL);
  source.version = kt_json_get_int (document, "version", 0);
  source.numbers = kt_json_get (document, "numbers");
  source.system = kt_json_get (document, "system");
  source.objects = objects;
  return _kt_schema_build (&source, error);
}

static KtJson *
read_file (const char *dir,
           const char *name,
           GError **error)
{
  g_autofree char *file = g_strconcat (name, ".json", NULL);
  g_autofree char *path = g_build_filename (dir, file, NULL);
  g_autoptr (GError) local = NULL;
  KtJson *json = kt_json_parse_file (path, MAX_SCHEMA_FILE, &local);

  if (json == NULL)
    {
      if (local->code == KT_ERROR_INVALID)
        local->code = KT_ERROR_SCHEMA;
      g_propagate_error (error, g_steal_pointer (&local));
    }
  return json;
}

KtSchema *
kt_schema_load_dir (const char *dir,
                    GError **error)
{
  g_autoptr (KtJson) pack = NULL;
  g_autoptr (KtJson) system_fields = NULL;
  g_autoptr (GPtrArray) objects = NULL;
  KtSchemaSource source = { .files = TRUE };
  const KtJson *list;

  g_return_val_if_fail (dir != NULL, NULL);

  pack = read_file (dir, "pack", error);
  if (pack == NULL)
    return NULL;
  system_fields = read_file (dir, "system", error);
  if (system_fields == NULL)
    return NULL;

  list = kt_json_get (pack, "objects");
  objects = g_ptr_array_new_with_free_func ((GDestroyNotify) kt_json_unref);
  for (guint i = 0; i < MIN (kt_json_length (list), KT_SCHEMA_MAX_OBJECTS + 1); i++)
    {
      const char *name = kt_json_string (kt_json_at (list, i), NULL);
      const char *inside;
      KtJson *object;

      if (!_kt_schema_name_ok (name))
        {
          _kt_schema_fail (NULL, TRUE, NULL, list, error, "\"objects\" must hold names of objects");
          return NULL;
        }
      object = read_file (dir, name, error);
      if (object == NULL)
        return NULL;
      g_ptr_array_add (objects, object);
      inside = kt_json_get_string (object, "object", "");
      if (strcmp (inside, name) != 0)
        {
          _kt_schema_fail (name, TRUE, NULL, NULL, error, "calls itself \"%s\"", inside);
          return NULL;
        }
    }

  source.name = kt_json_get_string (pack, "name", NULL);
  source.version = kt_json_get_int (pack, "version", 0);
  source.system = system_fields;
  source.objects = objects;
  return _kt_schema_build (&source, error);
}
