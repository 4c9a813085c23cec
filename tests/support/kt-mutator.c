/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "kt-mutator.h"

#include <string.h>

#include "base/kt-error.h"

#define LONG_TEXT 70000
#define DEEP 40
#define WIDE 3000

typedef enum
{
  REPLACE,
  DROP,
  DOUBLE,
  RENAME
} Action;

typedef struct
{
  /* what is asked for */
  Action action;
  guint target;
  const char *raw; /* REPLACE */

  /* where it stands */
  guint next;
  gboolean done;
  GString *out;
  GPtrArray *path; /* char* */

  /* of the target */
  char *place;
  char *member;
  gboolean applies;
} Walk;

typedef struct
{
  const char *name;
  char *raw;
  gsize len;
} Bad;

/* ---- what a value may be instead ---- */

static char *
long_text (gsize len)
{
  g_autofree char *inside = g_strnfill (len, 'x');

  return g_strconcat ("\"", inside, "\"", NULL);
}

static char *
deep (char open, char close, const char *between)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < DEEP; i++)
    {
      g_string_append_c (text, open);
      if (i + 1 < DEEP)
        g_string_append (text, between);
    }
  for (guint i = 0; i < DEEP; i++)
    g_string_append_c (text, close);
  return g_string_free (text, FALSE);
}

static char *
wide (void)
{
  GString *text = g_string_new ("[0");

  for (guint i = 1; i < WIDE; i++)
    g_string_append (text, ",0");
  g_string_append_c (text, ']');
  return g_string_free (text, FALSE);
}

static GArray *
bad_values (void)
{
  static const char *const plain[][2] = {
    { "null", "null" },
    { "true", "true" },
    { "zero", "0" },
    { "minus one", "-1" },
    { "largest", "9223372036854775807" },
    { "smallest", "-9223372036854775808" },
    { "too large", "9223372036854775808" },
    { "far too large", "123456789012345678901234567890" },
    { "fraction", "1.5" },
    { "exponent", "1e400" },
    { "blank text", "\"\"" },
    { "text", "\"nonsense\"" },
    { "number as text", "\"1\"" },
    { "nil id", "\"00000000-0000-0000-0000-000000000000\"" },
    { "unknown id", "\"01900000-dead-7000-8000-00000000beef\"" },
    { "empty array", "[]" },
    { "empty object", "{}" },
    { "array", "[1,\"a\",null]" },
    { "object", "{\"a\":1}" },
    { "not UTF-8", "\"\xff\xfe\"" },
    { "overlong UTF-8", "\"\xc0\xaf\"" },
    { "half a pair", "\"\\ud800\"" },
    { "U+0000", "\"a\\u0000b\"" },
    { "control character", "\"a\x01\"" },
    { "not JSON", "nonsense" },
    { "nothing", "" },
  };
  GArray *list = g_array_new (FALSE, TRUE, sizeof (Bad));
  Bad grown[] = { { "long text", long_text (5000), 0 },
                  { "very long text", long_text (LONG_TEXT), 0 },
                  { "deep array", deep ('[', ']', ""), 0 },
                  { "deep object", deep ('{', '}', "\"a\":"), 0 },
                  { "wide array", wide (), 0 } };

  for (guint i = 0; i < G_N_ELEMENTS (plain); i++)
    {
      Bad bad = { plain[i][0], g_strdup (plain[i][1]), 0 };

      g_array_append_val (list, bad);
    }
  g_array_append_vals (list, grown, G_N_ELEMENTS (grown));
  for (guint i = 0; i < list->len; i++)
    g_array_index (list, Bad, i).len = strlen (g_array_index (list, Bad, i).raw);
  return list;
}

static void
free_values (GArray *list)
{
  for (guint i = 0; i < list->len; i++)
    g_free (g_array_index (list, Bad, i).raw);
  g_array_unref (list);
}

/* ---- the message again, with one place changed ---- */

static void
note_target (Walk *walk)
{
  g_autoptr (GString) place = g_string_new (NULL);

  walk->done = walk->applies = TRUE;
  for (guint i = 0; i < walk->path->len; i++)
    {
      const char *step = walk->path->pdata[i];

      if (*step != '[')
        {
          g_free (walk->member);
          walk->member = g_strdup (step);
          if (place->len > 0)
            g_string_append_c (place, '.');
        }
      g_string_append (place, step);
    }
  walk->place = g_string_free (g_steal_pointer (&place), FALSE);
}

static void append (Walk *walk, const KtJson *node);

static void
append_key (Walk *walk, const char *key)
{
  KtJsonWriter writer = KT_JSON_WRITER (walk->out);

  kt_json_add_string (&writer, key);
  g_string_append_c (walk->out, ':');
}

static void
append_children (Walk *walk, const KtJson *node)
{
  gboolean object = kt_json_type (node) == KT_JSON_OBJECT;
  gboolean first = TRUE;

  g_string_append_c (walk->out, object ? '{' : '[');
  for (guint i = 0; i < kt_json_length (node); i++)
    {
      const char *key = object ? kt_json_key_at (node, i) : NULL;
      gboolean target = !walk->done && walk->next == walk->target;
      guint times = 1;

      g_ptr_array_add (walk->path, object ? g_strdup (key) : g_strdup_printf ("[%u]", i));
      if (target && walk->action != REPLACE && (object || walk->action != RENAME))
        {
          note_target (walk);
          times = walk->action == DROP ? 0 : walk->action == DOUBLE ? 2 : 1;
        }
      else
        target = FALSE;
      for (guint n = 0; n < times; n++)
        {
          if (!first)
            g_string_append_c (walk->out, ',');
          first = FALSE;
          if (object)
            append_key (walk, target && walk->action == RENAME ? "unheard_of" : key);
          append (walk, kt_json_at (node, i));
        }
      g_ptr_array_set_size (walk->path, (int) walk->path->len - 1);
    }
  g_string_append_c (walk->out, object ? '}' : ']');
}

static void
append (Walk *walk, const KtJson *node)
{
  guint index = walk->next++;

  if (!walk->done && index == walk->target && walk->action == REPLACE)
    {
      note_target (walk);
      g_string_append (walk->out, walk->raw);
      return;
    }
  if (kt_json_type (node) == KT_JSON_ARRAY || kt_json_type (node) == KT_JSON_OBJECT)
    append_children (walk, node);
  else
    kt_json_append (node, walk->out, FALSE);
}

static guint
count_nodes (const KtJson *node)
{
  guint n = 1;

  if (kt_json_type (node) == KT_JSON_ARRAY || kt_json_type (node) == KT_JSON_OBJECT)
    for (guint i = 0; i < kt_json_length (node); i++)
      n += count_nodes (kt_json_at (node, i));
  return n;
}

/* FALSE: this action means nothing at that place. */
static gboolean
vary (const KtJson *json,
      Action action,
      guint target,
      const Bad *bad,
      KtVariationFunc func,
      gpointer data)
{
  static const char *const words[] = { "=", "is missing", "twice", "under another name" };
  Walk walk = { .action = action, .target = target, .raw = bad != NULL ? bad->raw : NULL };
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (GPtrArray) path = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GBytes) body = NULL;
  g_autofree char *place = NULL;
  g_autofree char *member = NULL;
  g_autofree char *what = NULL;
  KtVariation variation;

  walk.out = out;
  walk.path = path;
  append (&walk, json);
  place = g_steal_pointer (&walk.place);
  member = g_steal_pointer (&walk.member);
  if (!walk.applies)
    return FALSE;
  body = g_bytes_new (out->str, out->len);
  what = g_strdup_printf ("%s %s %s", *place != '\0' ? place : "the body", words[action],
                          bad != NULL ? bad->name : "");
  variation = (KtVariation){ g_strchomp (what), member, action == DROP || action == RENAME, body };
  func (&variation, data);
  return TRUE;
}

/* ---- the whole of it ---- */

static void
give (const char *what, const char *bytes, gsize len, KtVariationFunc func, gpointer data)
{
  g_autoptr (GBytes) body = g_bytes_new (bytes, len);
  KtVariation variation = { what, NULL, FALSE, body };

  func (&variation, data);
}

static guint
vary_whole (const char *message, KtVariationFunc func, gpointer data)
{
  gsize len = strlen (message);
  guint n = 0;
  static const struct
  {
    const char *what, *before, *after;
  } around[] = { { "a mark in front", "\xef\xbb\xbf", "" },
                 { "something behind", "", "{}" },
                 { "a comma behind", "", "," },
                 { "wrapped in an array", "[", "]" },
                 { "a bracket in front", "[", "" } };

  give ("no body", "", 0, func, data);
  give ("only blanks", " \n\t ", 4, func, data);
  give ("a NUL", "\0", 1, func, data);
  n += 3;
  for (guint i = 1; i < 24; i++, n++)
    {
      g_autofree char *what = g_strdup_printf ("cut after %u/24", i);

      give (what, message, len * i / 24, func, data);
    }
  for (guint i = 1; i <= 3 && i < len; i++, n++)
    give ("cut before its end", message, len - i, func, data);
  for (guint i = 0; i < G_N_ELEMENTS (around); i++, n++)
    {
      g_autofree char *text = g_strconcat (around[i].before, message, around[i].after, NULL);

      give (around[i].what, text, strlen (text), func, data);
    }
  {
    gsize written;
    g_autofree char *utf16 = g_convert (message, -1, "UTF-16", "UTF-8", NULL, &written, NULL);

    if (utf16 != NULL)
      give ("in UTF-16", utf16, written, func, data);
    n += utf16 != NULL;
  }
  return n;
}

guint
kt_mutator_run (const char *message, KtVariationFunc func, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtJson) json = kt_json_parse (message, -1, &error);
  GArray *values = bad_values ();
  guint nodes, n = 0;

  g_assert_no_error (error);
  nodes = count_nodes (json);
  for (guint target = 0; target < nodes; target++)
    {
      for (guint i = 0; i < values->len; i++)
        n += vary (json, REPLACE, target, &g_array_index (values, Bad, i), func, data);
      for (Action action = DROP; action <= RENAME; action++)
        n += vary (json, action, target, NULL, func, data);
    }
  free_values (values);
  return n + vary_whole (message, func, data);
}

guint
kt_mutator_run_text (const char *name, const char *value, KtVariationFunc func, gpointer data)
{
  static const char *const plain[] = { "",
                                       "0",
                                       "-1",
                                       "1",
                                       "9223372036854775807",
                                       "9223372036854775808",
                                       "-9223372036854775808",
                                       "1.5",
                                       "1e3",
                                       "0x10",
                                       " 1",
                                       "1 ",
                                       "+1",
                                       "١",
                                       "nonsense",
                                       "null",
                                       "../../etc/passwd",
                                       "a/b",
                                       "a b",
                                       "'; DROP TABLE kt_meta; --",
                                       "\"",
                                       "%",
                                       "\n",
                                       "\xff\xfe",
                                       "客户",
                                       "00000000-0000-0000-0000-000000000000",
                                       "01900000-dead-7000-8000-00000000beef" };
  g_autofree char *huge = g_strnfill (LONG_TEXT, '7');
  guint n = 0;

  for (guint i = 0; i <= G_N_ELEMENTS (plain) + 2; i++)
    {
      g_autofree char *what = NULL;
      g_autofree char *made = NULL;
      g_autoptr (GBytes) body = NULL;
      KtVariation variation;

      if (i < G_N_ELEMENTS (plain))
        made = g_strdup (plain[i]);
      else if (i == G_N_ELEMENTS (plain))
        made = g_strdup (huge);
      else if (i == G_N_ELEMENTS (plain) + 1)
        made = g_strconcat (value, value, NULL);
      else
        made = g_strndup (value, strlen (value) / 2);
      if (strcmp (made, value) == 0)
        continue;
      what = g_strdup_printf ("%s = %.40s", name, made);
      body = g_bytes_new (made, strlen (made));
      variation = (KtVariation){ what, name, FALSE, body };
      func (&variation, data);
      n++;
    }
  return n;
}
