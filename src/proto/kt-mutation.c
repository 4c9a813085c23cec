/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The mutation as a message. Its words for people are in kt-mutation-describe.c. */

#define G_LOG_DOMAIN "kt-proto"

#include "config.h"

#include "proto/kt-mutation.h"

#include <string.h>

#include "base/kt-error.h"
#include "base/kt-json.h"

#define MAX_ORIGIN 32
#define AT_FORM "dddd-dd-ddTdd:dd:dd.dddZ"

static const char *const kind_words[] = { "create", "update", "delete", "restore" };
static const char *const outcome_words[] = { "applied", "merged", "superseded", "review",
                                             "refused" };
static const char *const resolution_words[] = { "kept_mine", "took_theirs", "merged", "discarded",
                                                "open",      NULL };

/* What may follow what on one record within one mutation; first: the record's first op. */
/* clang-format off */
static const gboolean may_follow[][4] = {
  /*                     create update delete restore */
  [KT_MUTATE_CREATE]  = { FALSE, TRUE,  TRUE,  FALSE },
  [KT_MUTATE_UPDATE]  = { FALSE, TRUE,  TRUE,  FALSE },
  [KT_MUTATE_DELETE]  = { FALSE, FALSE, FALSE, TRUE  },
  [KT_MUTATE_RESTORE] = { FALSE, TRUE,  TRUE,  FALSE },
};
/* clang-format on */

static void
op_free (gpointer data)
{
  KtOp *op = data;

  kt_patch_free (op->patch);
  g_free (op);
}

static gboolean invalid (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
invalid (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_clear_error (error);
  if (error != NULL)
    *error = g_error_new_valist (KT_ERROR, KT_ERROR_INVALID, format, args);
  va_end (args);
  return FALSE;
}

/* ---- checking JSON ---- */

static gboolean
check_members (const KtJson *json, const char *const *known, const char *what, GError **error)
{
  if (kt_json_type (json) != KT_JSON_OBJECT)
    return invalid (error, "%s must be a JSON object", what);
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *key = kt_json_key_at (json, i);

      if (!g_strv_contains (known, key))
        {
          g_autofree char *shown = kt_error_excerpt (key, KT_ERROR_NAME);

          return invalid (error, "%s has an unknown member \"%s\"", what, shown);
        }
    }
  return TRUE;
}

/* Absent leaves *out. */
static gboolean
read_int (const KtJson *json, const char *key, gint64 *out, GError **error)
{
  KtJson *member = kt_json_get (json, key);
  gint64 value = kt_json_int (member, -1);

  if (member == NULL)
    return TRUE;
  if (kt_json_type (member) != KT_JSON_NUMBER || value < 0)
    return invalid (error, "\"%s\" must be a whole number from 0", key);
  *out = value;
  return TRUE;
}

/* Absent and null leave *out NULL. Borrowed. */
static gboolean
read_text (const KtJson *json, const char *key, const char **out, GError **error)
{
  KtJson *member = kt_json_get (json, key);

  if (kt_json_type (member) == KT_JSON_NULL)
    return TRUE;
  *out = kt_json_string (member, NULL);
  if (*out == NULL)
    return invalid (error, "\"%s\" must be a text", key);
  return TRUE;
}

static gboolean
read_id (const KtJson *json, const char *key, KtId *out, GError **error)
{
  const char *text = NULL;

  if (!read_text (json, key, &text, error))
    return FALSE;
  if (text != NULL && (!kt_id_parse (text, -1, out) || kt_id_is_nil (out)))
    return invalid (error, "\"%s\" must be a UUID", key);
  return TRUE;
}

static gboolean
has_form (const char *text, const char *form)
{
  if (strlen (text) != strlen (form))
    return FALSE;
  for (; *form != '\0'; form++, text++)
    if (*form == 'd' ? !g_ascii_isdigit (*text) : *form != *text)
      return FALSE;
  return TRUE;
}

static gboolean
is_word (const char *text)
{
  gsize len = strlen (text);

  return len > 0 && len <= MAX_ORIGIN && strspn (text, "abcdefghijklmnopqrstuvwxyz_") == len;
}

static gboolean
check_writable (const KtPatch *patch, GError **error)
{
  for (guint i = 0; i < kt_patch_length (patch); i++)
    {
      const KtField *field = g_array_index (patch->changes, KtChange, i).field;

      if (field->computed || strcmp (field->name, "deleted_at") == 0)
        return invalid (error, "Field \"%s\" is filled in by Kontor and cannot be written",
                        field->name);
    }
  return TRUE;
}

/* CREATE has nothing before it. */
static gboolean
check_create (const KtPatch *patch, GError **error)
{
  for (guint i = 0; i < kt_patch_length (patch); i++)
    {
      const KtChange *change = &g_array_index (patch->changes, KtChange, i);

      if (!kt_value_is_null (&change->before))
        return invalid (error, "Field \"%s\" of a new record cannot have had a value",
                        change->field->name);
    }
  return TRUE;
}

static gboolean
read_op (KtMutation *mutation, const KtSchema *schema, const KtJson *json, GError **error)
{
  static const char *const known[] = { "op", "object", "id", "base_rev", "fields", NULL };
  const char *word = NULL, *name = NULL;
  const KtObject *object;
  g_autoptr (KtPatch) patch = NULL;
  KtJson *fields;
  KtId id = KT_ID_NIL;
  gint64 base_rev = 0;
  KtMutateKind kind = KT_MUTATE_CREATE;

  if (!check_members (json, known, "A change", error) || !read_text (json, "op", &word, error)
      || !read_text (json, "object", &name, error) || !read_id (json, "id", &id, error)
      || !read_int (json, "base_rev", &base_rev, error))
    return FALSE;

  while (kind < G_N_ELEMENTS (kind_words) && g_strcmp0 (word, kind_words[kind]) != 0)
    kind++;
  if (kind == G_N_ELEMENTS (kind_words))
    return invalid (error, "\"op\" must be create, update, delete or restore");
  if (name == NULL)
    return invalid (error, "\"object\" is missing");
  object = kt_schema_object (schema, name);
  if (object == NULL)
    {
      g_autofree char *shown = kt_error_excerpt (name, KT_ERROR_NAME);

      g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no object \"%s\"", shown);
      return FALSE;
    }
  if (kt_id_is_nil (&id))
    return invalid (error, "\"id\" is missing");
  if (kind == KT_MUTATE_CREATE && base_rev != 0)
    return invalid (error, "\"base_rev\" of a new record must be 0");

  fields = kt_json_get (json, "fields");
  if (kind >= KT_MUTATE_DELETE)
    {
      if (fields != NULL)
        return invalid (error, "\"%s\" has no fields", word);
    }
  else
    {
      if (kt_json_type (fields) != KT_JSON_OBJECT)
        return invalid (error, "\"fields\" must be a JSON object");
      patch = kt_patch_from_json (object, fields, error);
      if (patch == NULL || !check_writable (patch, error)
          || (kind == KT_MUTATE_CREATE && !check_create (patch, error)))
        return FALSE;
    }

  kt_mutation_add (mutation, kind, object, &id, base_rev, g_steal_pointer (&patch));
  return TRUE;
}

static gboolean
check_order (const KtMutation *mutation, GError **error)
{
  g_autoptr (GHashTable) last = g_hash_table_new (kt_id_hash, kt_id_equal);

  for (guint i = 0; i < mutation->ops->len; i++)
    {
      KtOp *op = g_ptr_array_index (mutation->ops, i);
      const KtOp *before = g_hash_table_lookup (last, &op->id);

      if (before != NULL && (before->object != op->object || !may_follow[before->kind][op->kind]))
        {
          char id[KT_ID_TEXT_SIZE];

          kt_id_format (&op->id, id);
          return invalid (error, "Change %u: %s of %s %s cannot follow %s of %s", i + 1,
                          kind_words[op->kind], op->object->name, id, kind_words[before->kind],
                          before->object->name);
        }
      g_hash_table_replace (last, &op->id, op);
    }
  return TRUE;
}

static gboolean
check_ops (const KtMutation *mutation, GError **error)
{
  if (mutation->ops->len > KT_MUTATION_MAX_OPS)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT,
                   "One change may touch %d records at most, not %u", KT_MUTATION_MAX_OPS,
                   mutation->ops->len);
      return FALSE;
    }
  if (mutation->ops->len == 0 && kt_id_is_nil (&mutation->resolves))
    return invalid (error, "The mutation changes nothing");
  if (kt_id_is_nil (&mutation->resolves) != (mutation->resolution == NULL))
    return invalid (error, "\"resolves\" and \"resolution\" go together");
  return check_order (mutation, error);
}

/* ---- public ---- */

KtMutation *
kt_mutation_new (const char *at, const char *origin)
{
  KtMutation *mutation = g_new0 (KtMutation, 1);

  mutation->at = g_strdup (at);
  mutation->origin = g_strdup (origin);
  mutation->ops = g_ptr_array_new_with_free_func (op_free);
  return mutation;
}

void
kt_mutation_free (KtMutation *mutation)
{
  if (mutation == NULL)
    return;
  g_free (mutation->at);
  g_free (mutation->origin);
  g_free (mutation->batch);
  g_free (mutation->resolution);
  g_clear_pointer (&mutation->ops, g_ptr_array_unref);
  g_free (mutation);
}

KtOp *
kt_mutation_add (KtMutation *mutation,
                 KtMutateKind kind,
                 const KtObject *object,
                 const KtId *id,
                 gint64 base_rev,
                 KtPatch *patch)
{
  KtOp *op;

  g_return_val_if_fail (mutation != NULL && object != NULL && id != NULL, NULL);
  g_return_val_if_fail (patch == NULL || patch->object == object, NULL);
  g_return_val_if_fail (patch != NULL || kind >= KT_MUTATE_DELETE, NULL);

  op = g_new0 (KtOp, 1);
  op->kind = kind;
  op->object = object;
  op->id = *id;
  op->base_rev = base_rev;
  op->patch = patch;
  g_ptr_array_add (mutation->ops, op);
  return op;
}

gboolean
kt_mutation_check (const KtMutation *mutation, GError **error)
{
  g_autofree char *text = NULL;

  g_return_val_if_fail (mutation != NULL, FALSE);

  if (!check_ops (mutation, error))
    return FALSE;
  text = kt_mutation_to_string (mutation);
  if (strlen (text) > KT_MUTATION_MAX_BYTES)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT,
                   "One change may hold %d MiB at most; change fewer records at once",
                   KT_MUTATION_MAX_BYTES / (1024 * 1024));
      return FALSE;
    }
  return TRUE;
}

void
kt_mutation_to_json (const KtMutation *mutation, KtJsonWriter *writer)
{
  char id[KT_ID_TEXT_SIZE];

  g_return_if_fail (mutation != NULL && writer != NULL);

  kt_json_begin_object (writer);
  kt_id_format (&mutation->id, id);
  kt_json_put_string (writer, "id", id);
  kt_json_put_int (writer, "number", mutation->number);
  kt_json_put_string (writer, "at", mutation->at);
  kt_json_put_string (writer, "origin", mutation->origin);
  if (mutation->batch != NULL)
    kt_json_put_string (writer, "batch", mutation->batch);
  if (!kt_id_is_nil (&mutation->resolves))
    {
      kt_id_format (&mutation->resolves, id);
      kt_json_put_string (writer, "resolves", id);
      kt_json_put_string (writer, "resolution", mutation->resolution);
    }
  if (mutation->escrow)
    kt_json_put_bool (writer, "escrow", TRUE);
  kt_json_key (writer, "ops");
  kt_json_begin_array (writer);
  for (guint i = 0; i < mutation->ops->len; i++)
    {
      const KtOp *op = g_ptr_array_index (mutation->ops, i);

      kt_id_format (&op->id, id);
      kt_json_begin_object (writer);
      kt_json_put_string (writer, "op", kind_words[op->kind]);
      kt_json_put_string (writer, "object", op->object->name);
      kt_json_put_string (writer, "id", id);
      if (op->kind != KT_MUTATE_CREATE)
        kt_json_put_int (writer, "base_rev", op->base_rev);
      if (op->patch != NULL)
        {
          kt_json_key (writer, "fields");
          kt_patch_to_json (op->patch, writer);
        }
      kt_json_end_object (writer);
    }
  kt_json_end_array (writer);
  kt_json_end_object (writer);
}

char *
kt_mutation_to_string (const KtMutation *mutation)
{
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_mutation_to_json (mutation, &writer);
  return g_string_free (out, FALSE);
}

KtMutation *
kt_mutation_from_json (const KtSchema *schema, const KtJson *json, GError **error)
{
  static const char *const known[] = { "id",       "number",     "at",  "origin", "batch",
                                       "resolves", "resolution", "escrow", "ops", NULL };
  g_autoptr (KtMutation) mutation = NULL;
  const char *at = NULL, *origin = NULL, *batch = NULL, *resolution = NULL;
  KtId batch_id = KT_ID_NIL;
  KtJson *ops;

  g_return_val_if_fail (schema != NULL, NULL);

  if (!check_members (json, known, "The mutation", error) || !read_text (json, "at", &at, error)
      || !read_text (json, "origin", &origin, error) || !read_text (json, "batch", &batch, error)
      || !read_id (json, "batch", &batch_id, error)
      || !read_text (json, "resolution", &resolution, error))
    return NULL;
  if (at == NULL || !has_form (at, AT_FORM))
    {
      invalid (error, "\"at\" must be a time like 2026-01-31T08:00:00.000Z");
      return NULL;
    }
  if (origin == NULL || !is_word (origin))
    {
      invalid (error, "\"origin\" must be a word like client or import");
      return NULL;
    }
  if (resolution != NULL && !g_strv_contains (resolution_words, resolution))
    {
      invalid (error, "\"resolution\" must be kept_mine, took_theirs, merged, discarded or open");
      return NULL;
    }

  mutation = kt_mutation_new (at, origin);
  mutation->batch = g_strdup (batch);
  mutation->resolution = g_strdup (resolution);
  if (!read_id (json, "id", &mutation->id, error)
      || !read_int (json, "number", &mutation->number, error)
      || !read_id (json, "resolves", &mutation->resolves, error))
    return NULL;
  if (kt_id_is_nil (&mutation->id))
    {
      invalid (error, "\"id\" is missing: a mutation needs a UUID of its own");
      return NULL;
    }

  if (kt_json_get (json, "escrow") != NULL)
    {
      KtJsonType type = kt_json_type (kt_json_get (json, "escrow"));

      if (type != KT_JSON_TRUE && type != KT_JSON_FALSE)
        {
          invalid (error, "\"escrow\" must be true or false");
          return NULL;
        }
      mutation->escrow = type == KT_JSON_TRUE;
    }

  ops = kt_json_get (json, "ops");
  if (kt_json_type (ops) != KT_JSON_ARRAY)
    {
      invalid (error, "\"ops\" must be an array");
      return NULL;
    }
  /* Before the work, not after it. */
  if (kt_json_length (ops) > KT_MUTATION_MAX_OPS)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_LIMIT,
                   "One change may touch %d records at most, not %u", KT_MUTATION_MAX_OPS,
                   kt_json_length (ops));
      return NULL;
    }
  for (guint i = 0; i < kt_json_length (ops); i++)
    if (!read_op (mutation, schema, kt_json_at (ops, i), error))
      {
        g_prefix_error (error, "Change %u: ", i + 1);
        return NULL;
      }
  if (!check_ops (mutation, error))
    return NULL;
  return g_steal_pointer (&mutation);
}

/* ---- what it says ---- */

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* A JSON object with sorted keys, without member @but; the elements of its array "ops" without @inner_but. */
static void
append_without (const KtJson *json, const char *but, const char *inner_but, GString *out)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();

  if (kt_json_type (json) != KT_JSON_OBJECT)
    {
      kt_json_append (json, out, TRUE);
      return;
    }
  for (guint i = 0; i < kt_json_length (json); i++)
    if (strcmp (kt_json_key_at (json, i), but) != 0)
      g_ptr_array_add (keys, (gpointer) kt_json_key_at (json, i));
  g_ptr_array_sort (keys, compare_keys);
  g_string_append_c (out, '{');
  for (guint i = 0; i < keys->len; i++)
    {
      const char *key = g_ptr_array_index (keys, i);
      const KtJson *member = kt_json_get (json, key);

      g_string_append_printf (out, "%s%" G_GSIZE_FORMAT " %s:", i > 0 ? "," : "", strlen (key),
                              key);
      if (inner_but != NULL && strcmp (key, "ops") == 0
          && kt_json_type (member) == KT_JSON_ARRAY)
        {
          g_string_append_c (out, '[');
          for (guint k = 0; k < kt_json_length (member); k++)
            {
              append_without (kt_json_at (member, k), inner_but, NULL, out);
              g_string_append_c (out, ';');
            }
          g_string_append_c (out, ']');
        }
      else
        kt_json_append (member, out, TRUE);
    }
  g_string_append_c (out, '}');
}

void
kt_mutation_digest (const KtJson *json, guint8 out[KT_MUTATION_DIGEST_BYTES])
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize len = KT_MUTATION_DIGEST_BYTES;

  append_without (json, "number", "base_rev", text);
  g_checksum_update (checksum, (const guchar *) text->str, (gssize) text->len);
  g_checksum_get_digest (checksum, out, &len);
}

const char *
kt_outcome_word (KtOutcome outcome)
{
  g_return_val_if_fail (outcome < G_N_ELEMENTS (outcome_words), "refused");

  return outcome_words[outcome];
}

gboolean
kt_outcome_from_word (const char *word, KtOutcome *out)
{
  for (guint i = 0; i < G_N_ELEMENTS (outcome_words); i++)
    if (g_strcmp0 (word, outcome_words[i]) == 0)
      {
        *out = i;
        return TRUE;
      }
  return FALSE;
}

void
kt_verdict_clear (KtVerdict *verdict)
{
  if (verdict == NULL)
    return;
  g_clear_pointer (&verdict->code, g_free);
  g_clear_pointer (&verdict->message, g_free);
}

void
kt_verdict_to_json (const KtVerdict *verdict, KtJsonWriter *writer)
{
  g_return_if_fail (verdict != NULL && writer != NULL);

  kt_json_begin_object (writer);
  kt_json_put_int (writer, "number", verdict->number);
  kt_json_put_string (writer, "outcome", kt_outcome_word (verdict->outcome));
  kt_json_put_int (writer, "seq", verdict->seq);
  if (verdict->code != NULL)
    kt_json_put_string (writer, "code", verdict->code);
  if (verdict->message != NULL)
    kt_json_put_string (writer, "message", verdict->message);
  kt_json_end_object (writer);
}

gboolean
kt_verdict_from_json (const KtJson *json, KtVerdict *out, GError **error)
{
  /* Members that a newer server adds are left alone: a verdict must never be lost to them (P13). */
  KtVerdict verdict = { .number = -1 };
  const char *word = NULL, *code = NULL, *message = NULL;

  g_return_val_if_fail (out != NULL, FALSE);

  if (kt_json_type (json) != KT_JSON_OBJECT)
    return invalid (error, "A verdict must be a JSON object");
  if (!read_int (json, "number", &verdict.number, error)
      || !read_int (json, "seq", &verdict.seq, error) || !read_text (json, "outcome", &word, error)
      || !read_text (json, "code", &code, error) || !read_text (json, "message", &message, error))
    return FALSE;
  if (verdict.number < 1)
    return invalid (error, "A verdict needs the number of its mutation");
  if (!kt_outcome_from_word (word, &verdict.outcome))
    {
      g_autofree char *shown = kt_error_excerpt (word, KT_ERROR_NAME);

      return invalid (error, "A verdict has an unknown outcome \"%s\"", shown);
    }
  if (verdict.outcome == KT_OUTCOME_REFUSED && (code == NULL || message == NULL))
    return invalid (error, "A refusal needs a code and a message");

  verdict.code = g_strdup (code);
  verdict.message = g_strdup (message);
  *out = verdict;
  return TRUE;
}
