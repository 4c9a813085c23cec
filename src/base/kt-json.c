/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-base"

#include "config.h"

#include "base/kt-json.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-json-private.h"

/* The tree. One document owns everything: a private copy of the text, which the
 * reader unescapes in place and the strings point into, and an arena of nodes.
 * Every node knows its document, so a reference to any node keeps all of it.
 *
 *   Document ── buffer   {"a␀:"x␀,"b␀:[1,2]}
 *            └─ chunks   │ children of root: [a:STRING→x][b:ARRAY] │ children of b: [NUMBER][NUMBER] │ …
 *
 * Children stand side by side. Behind the members of an object with many of
 * them stands an index of their numbers in the order of the keys.             */

#define MAX_NODES 5000000
#define INDEXED_FROM 12
#define CHUNK_MIN 1024
#define CHUNK_MAX (256 * 1024)

typedef struct _Document Document;
typedef struct _Chunk Chunk;

struct _KtJson
{
  guint8 type;
  guint8 is_integer;
  guint32 line;
  guint32 n;       /* bytes of text, or number of children */
  const char *key; /* of a member of an object */
  union
  {
    const char *text;
    KtJson *children;
  } v;
  Document *document;
};

struct _Chunk
{
  Chunk *next;
  gsize size, used;
  /* the bytes follow */
};

struct _Document
{
  gatomicrefcount refs;
  char *buffer; /* owned; NULL when the strings are someone else's */
  Chunk *chunks;
  KtJson root;
};

/* Containers under construction: their children wait in one array, each container's from its mark on. */
typedef struct
{
  Document *document;
  KtJsonReader *reader;
  GArray *pending;                    /* KtJson */
  guint marks[KT_JSON_MAX_DEPTH + 1]; /* position of the container's own node */
  guint depth;
  guint nodes;
  const char *problem;
  KtError code;
  char *problem_owned;
} Builder;

/* ---- arena ---- */

static gpointer
arena_alloc (Document *document, gsize size)
{
  Chunk *chunk = document->chunks;
  gpointer result;

  size = (size + 7) & ~(gsize) 7;
  if (chunk == NULL || chunk->size - chunk->used < size)
    {
      gsize next = chunk == NULL ? CHUNK_MIN : MIN (chunk->size * 4, CHUNK_MAX);
      Chunk *fresh;

      next = MAX (next, size);
      fresh = g_malloc (sizeof (Chunk) + next);
      fresh->size = next;
      fresh->used = 0;
      fresh->next = chunk;
      document->chunks = chunk = fresh;
    }
  result = (char *) (chunk + 1) + chunk->used;
  chunk->used += size;
  return result;
}

static void
document_free (Document *document)
{
  while (document->chunks != NULL)
    {
      Chunk *next = document->chunks->next;

      g_free (document->chunks);
      document->chunks = next;
    }
  g_free (document->buffer);
  g_free (document);
}

static Document *
document_new (char *buffer)
{
  Document *document = g_new0 (Document, 1);

  g_atomic_ref_count_init (&document->refs);
  document->buffer = buffer;
  return document;
}

/* ---- building ---- */

static int
compare_members (gconstpointer a, gconstpointer b, gpointer data)
{
  const KtJson *members = data;

  return strcmp (members[*(const guint32 *) a].key, members[*(const guint32 *) b].key);
}

static const guint32 *
member_index (const KtJson *object)
{
  return object->n >= INDEXED_FROM ? (const guint32 *) (object->v.children + object->n) : NULL;
}

/* Returns the key that occurs twice, or NULL. */
static const char *
index_members (KtJson *object)
{
  KtJson *members = object->v.children;
  guint32 *order;

  if (object->n < INDEXED_FROM)
    {
      for (guint i = 1; i < object->n; i++)
        for (guint j = 0; j < i; j++)
          if (strcmp (members[i].key, members[j].key) == 0)
            return members[i].key;
      return NULL;
    }

  order = (guint32 *) (members + object->n);
  for (guint i = 0; i < object->n; i++)
    order[i] = i;
  g_qsort_with_data (order, (int) object->n, sizeof *order, compare_members, members);
  for (guint i = 1; i < object->n; i++)
    if (strcmp (members[order[i - 1]].key, members[order[i]].key) == 0)
      return members[order[i]].key;
  return NULL;
}

static gboolean
close_node (Builder *builder)
{
  guint mark = builder->marks[--builder->depth];
  KtJson *node = &g_array_index (builder->pending, KtJson, mark);
  guint n = builder->pending->len - mark - 1;
  gsize bytes = n * sizeof (KtJson);

  node->n = n;
  node->v.children = NULL;
  if (n > 0)
    {
      gsize index = node->type == KT_JSON_OBJECT && n >= INDEXED_FROM ? n * sizeof (guint32) : 0;

      node->v.children = arena_alloc (builder->document, bytes + index);
      memcpy (node->v.children, node + 1, bytes);
      g_array_set_size (builder->pending, mark + 1);
      if (node->type == KT_JSON_OBJECT)
        {
          const char *twice = index_members (node);

          if (twice != NULL)
            {
              g_autofree char *shown =
                g_utf8_substring (twice, 0, MIN (g_utf8_strlen (twice, -1), 60));

              builder->problem_owned =
                g_strdup_printf ("the key \"%s\" occurs twice in one object", shown);
              builder->problem = builder->problem_owned;
              return FALSE;
            }
        }
    }
  return TRUE;
}

static KtJson *
add_node (Builder *builder, KtJsonType type, const char *key)
{
  KtJson *node;

  g_array_set_size (builder->pending, builder->pending->len + 1);
  node = &g_array_index (builder->pending, KtJson, builder->pending->len - 1);
  memset (node, 0, sizeof *node);
  node->type = (guint8) type;
  node->key = key;
  node->line = builder->reader->line;
  node->document = builder->document;
  return node;
}

/* Reads one whole value that starts with @token. */
static gboolean
build (Builder *builder, KtJsonType token)
{
  KtJsonReader *reader = builder->reader;
  const char *key = NULL;

  for (;; token = kt_json_reader_next (reader))
    {
      KtJson *node;

      switch (token)
        {
        case KT_JSON_KEY:
          key = reader->text;
          continue;

        case KT_JSON_ARRAY_END:
        case KT_JSON_OBJECT_END:
          if (!close_node (builder))
            return FALSE;
          break;

        case KT_JSON_ERROR:
        case KT_JSON_END:
          builder->problem = reader->problem != NULL ? reader->problem : "a value was expected";
          return FALSE;

        default:
          if (++builder->nodes > MAX_NODES)
            {
              builder->problem = "more than 5,000,000 values in one document";
              builder->code = KT_ERROR_LIMIT;
              return FALSE;
            }
          node = add_node (builder, token, key);
          key = NULL;
          if (token == KT_JSON_STRING)
            {
              node->v.text = reader->text;
              node->n = (guint32) reader->len;
            }
          else if (token == KT_JSON_NUMBER)
            {
              char *copy = arena_alloc (builder->document, reader->len + 1);

              memcpy (copy, reader->text, reader->len + 1);
              node->v.text = copy;
              node->n = (guint32) reader->len;
              node->is_integer = reader->is_integer;
            }
          else if (token == KT_JSON_ARRAY || token == KT_JSON_OBJECT)
            builder->marks[builder->depth++] = builder->pending->len - 1;
        }

      if (builder->depth == 0)
        return TRUE;
    }
}

static KtJson *
finish (Builder *builder)
{
  Document *document = builder->document;

  document->root = g_array_index (builder->pending, KtJson, 0);
  document->root.key = NULL;
  return &document->root;
}

/* Line and column, in characters, of a byte of the text as it was given. */
static void
place_of (const char *text, gsize offset, guint *line, guint *column)
{
  *line = 1;
  *column = 1;
  for (gsize i = 0; i < offset; i++)
    {
      if (text[i] == '\n')
        {
          (*line)++;
          *column = 1;
        }
      else if (((guint8) text[i] & 0xc0) != 0x80)
        (*column)++;
    }
}

KtJson *
kt_json_parse (const char *text, gssize len, GError **error)
{
  g_autoptr (GArray) pending = NULL;
  KtJsonReader reader;
  Builder builder = { 0 };
  char *buffer;
  gsize n;
  gboolean ok;

  g_return_val_if_fail (text != NULL, NULL);

  n = len < 0 ? strlen (text) : (gsize) len;
  if (n >= G_MAXUINT32)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_LIMIT, "the document is larger than 4 GiB");
      return NULL;
    }
  buffer = g_malloc (n + 1);
  memcpy (buffer, text, n);
  buffer[n] = '\0';

  pending = g_array_new (FALSE, FALSE, sizeof (KtJson));
  kt_json_reader_init (&reader, buffer, n);
  builder.document = document_new (buffer);
  builder.reader = &reader;
  builder.pending = pending;
  builder.code = KT_ERROR_INVALID;

  ok = build (&builder, kt_json_reader_next (&reader));
  if (ok && kt_json_reader_next (&reader) != KT_JSON_END)
    {
      builder.problem = reader.problem;
      ok = FALSE;
    }
  if (!ok)
    {
      guint line, column;

      place_of (text, MIN (reader.raw_start, n), &line, &column);
      g_set_error (error, KT_ERROR, (int) builder.code, "line %u, column %u: %s", line, column,
                   builder.problem);
      g_free (builder.problem_owned);
      document_free (builder.document);
      return NULL;
    }
  return finish (&builder);
}

KtJson *
kt_json_from_reader (KtJsonReader *reader, KtJsonType token, GError **error)
{
  g_autoptr (GArray) pending = NULL;
  Builder builder = { 0 };

  g_return_val_if_fail (reader != NULL, NULL);

  pending = g_array_new (FALSE, FALSE, sizeof (KtJson));
  builder.document = document_new (NULL);
  builder.reader = reader;
  builder.pending = pending;
  builder.code = KT_ERROR_INVALID;

  if (!build (&builder, token))
    {
      guint line, column;

      kt_json_reader_place (reader, &line, &column);
      g_set_error (error, KT_ERROR, (int) builder.code, "line %u, column %u: %s", line, column,
                   builder.problem);
      g_free (builder.problem_owned);
      document_free (builder.document);
      return NULL;
    }
  return finish (&builder);
}

KtJson *
kt_json_ref (KtJson *json)
{
  g_return_val_if_fail (json != NULL, NULL);

  g_atomic_ref_count_inc (&json->document->refs);
  return json;
}

void
kt_json_unref (KtJson *json)
{
  if (json != NULL && g_atomic_ref_count_dec (&json->document->refs))
    document_free (json->document);
}

/* ---- reading ---- */

KtJsonType
kt_json_type (const KtJson *json)
{
  return json != NULL ? json->type : KT_JSON_NULL;
}

guint
kt_json_line (const KtJson *json)
{
  return json != NULL ? json->line : 0;
}

KtJson *
kt_json_get (const KtJson *object, const char *key)
{
  const guint32 *order;

  g_return_val_if_fail (key != NULL, NULL);

  if (object == NULL || object->type != KT_JSON_OBJECT)
    return NULL;

  order = member_index (object);
  if (order == NULL)
    {
      for (guint i = 0; i < object->n; i++)
        if (strcmp (object->v.children[i].key, key) == 0)
          return &object->v.children[i];
      return NULL;
    }

  for (guint low = 0, high = object->n; low < high;)
    {
      guint middle = low + (high - low) / 2;
      KtJson *member = &object->v.children[order[middle]];
      int difference = strcmp (member->key, key);

      if (difference == 0)
        return member;
      if (difference < 0)
        low = middle + 1;
      else
        high = middle;
    }
  return NULL;
}

guint
kt_json_length (const KtJson *json)
{
  if (json == NULL || (json->type != KT_JSON_OBJECT && json->type != KT_JSON_ARRAY))
    return 0;
  return json->n;
}

KtJson *
kt_json_at (const KtJson *json, guint index)
{
  return index < kt_json_length (json) ? &json->v.children[index] : NULL;
}

const char *
kt_json_key_at (const KtJson *object, guint index)
{
  if (object == NULL || object->type != KT_JSON_OBJECT || index >= object->n)
    return NULL;
  return object->v.children[index].key;
}

const char *
kt_json_string (const KtJson *json, const char *fallback)
{
  return json != NULL && json->type == KT_JSON_STRING ? json->v.text : fallback;
}

const char *
kt_json_number (const KtJson *json)
{
  return json != NULL && json->type == KT_JSON_NUMBER ? json->v.text : NULL;
}

gint64
kt_json_int (const KtJson *json, gint64 fallback)
{
  if (json == NULL || json->type != KT_JSON_NUMBER || !json->is_integer)
    return fallback;
  return g_ascii_strtoll (json->v.text, NULL, 10);
}

gboolean
kt_json_bool (const KtJson *json, gboolean fallback)
{
  if (json != NULL && json->type == KT_JSON_TRUE)
    return TRUE;
  if (json != NULL && json->type == KT_JSON_FALSE)
    return FALSE;
  return fallback;
}

const char *
kt_json_get_string (const KtJson *object, const char *key, const char *fallback)
{
  return kt_json_string (kt_json_get (object, key), fallback);
}

gint64
kt_json_get_int (const KtJson *object, const char *key, gint64 fallback)
{
  return kt_json_int (kt_json_get (object, key), fallback);
}

gboolean
kt_json_get_bool (const KtJson *object, const char *key, gboolean fallback)
{
  return kt_json_bool (kt_json_get (object, key), fallback);
}

const char *
_kt_json_localized_exact (const KtJson *json, const char *locale)
{
  char name[32];
  const char *text;
  char *cut;
  gsize n;

  if (locale == NULL || kt_json_type (json) != KT_JSON_OBJECT)
    return NULL;

  g_strlcpy (name, locale, sizeof name);
  name[strcspn (name, ".@")] = '\0';
  for (char *p = name; *p != '\0'; p++)
    if (*p == '-')
      *p = '_';
  text = kt_json_get_string (json, name, NULL);
  if (text != NULL)
    return text;

  cut = strchr (name, '_');
  if (cut != NULL)
    {
      *cut = '\0';
      text = kt_json_get_string (json, name, NULL);
      if (text != NULL)
        return text;
    }

  /* "zh" and "zh_SG" are served by zh_CN. */
  n = strlen (name);
  for (guint i = 0; n > 0 && i < json->n; i++)
    {
      const KtJson *member = &json->v.children[i];

      if (member->type == KT_JSON_STRING && strncmp (member->key, name, n) == 0
          && member->key[n] == '_')
        return member->v.text;
    }
  return NULL;
}

const char *
kt_json_localized (const KtJson *json, const char *locale, const char *fallback)
{
  const char *text;

  if (kt_json_type (json) == KT_JSON_STRING)
    return json->v.text;

  text = _kt_json_localized_exact (json, locale);
  if (text == NULL)
    text = _kt_json_localized_exact (json, "en");
  for (guint i = 0; text == NULL && i < kt_json_length (json); i++)
    text = kt_json_string (kt_json_at (json, i), NULL);
  return text != NULL ? text : fallback;
}

/* ---- writing ---- */

static void
append_object (const KtJson *json, GString *out, gboolean canonical)
{
  g_autofree guint32 *sorted = NULL;
  const guint32 *order = NULL;

  if (canonical)
    {
      order = member_index (json);
      if (order == NULL)
        {
          sorted = g_new (guint32, json->n);
          for (guint i = 0; i < json->n; i++)
            sorted[i] = i;
          g_qsort_with_data (sorted, (int) json->n, sizeof *sorted, compare_members,
                             json->v.children);
          order = sorted;
        }
    }

  g_string_append_c (out, '{');
  for (guint i = 0; i < json->n; i++)
    {
      const KtJson *member = &json->v.children[order != NULL ? order[i] : i];

      if (i > 0)
        g_string_append_c (out, ',');
      _kt_json_append_escaped (out, member->key, strlen (member->key));
      g_string_append_c (out, ':');
      kt_json_append (member, out, canonical);
    }
  g_string_append_c (out, '}');
}

void
kt_json_append (const KtJson *json, GString *out, gboolean canonical)
{
  g_return_if_fail (out != NULL);

  switch (kt_json_type (json))
    {
    case KT_JSON_FALSE:
      g_string_append (out, "false");
      break;
    case KT_JSON_TRUE:
      g_string_append (out, "true");
      break;
    case KT_JSON_NUMBER:
      g_string_append_len (out, json->v.text, json->n);
      break;
    case KT_JSON_STRING:
      _kt_json_append_escaped (out, json->v.text, json->n);
      break;
    case KT_JSON_ARRAY:
      g_string_append_c (out, '[');
      for (guint i = 0; i < json->n; i++)
        {
          if (i > 0)
            g_string_append_c (out, ',');
          kt_json_append (&json->v.children[i], out, canonical);
        }
      g_string_append_c (out, ']');
      break;
    case KT_JSON_OBJECT:
      append_object (json, out, canonical);
      break;
    default:
      g_string_append (out, "null");
    }
}

char *
kt_json_to_string (const KtJson *json, gboolean canonical)
{
  GString *out = g_string_new (NULL);

  kt_json_append (json, out, canonical);
  return g_string_free (out, FALSE);
}

char *
kt_json_canonical (const char *text, gssize len, GError **error)
{
  g_autoptr (KtJson) json = kt_json_parse (text, len, error);

  return json != NULL ? kt_json_to_string (json, TRUE) : NULL;
}
