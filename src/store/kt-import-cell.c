/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One cell into one field. */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "store/kt-import-private.h"

#include <string.h>

#include "base/kt-decimal.h"
#include "base/kt-error.h"

/* ---- what counts as a value ---- */

static gboolean
is_blank (KtImportRun *run, const KtCsvCell *cell)
{
  const char *text = cell->text;

  while (g_ascii_isspace (*text))
    text++;
  if (*text == '\0')
    return TRUE;
  if (cell->quoted)
    return FALSE;
  if (run->plan->null_text != NULL)
    return strcmp (cell->text, run->plan->null_text) == 0;
  return strcmp (cell->text, "NULL") == 0 || strcmp (cell->text, "\\N") == 0;
}

const KtCsvCell *
_kt_import_cell (KtImportRun *run, const KtImportTarget *target, const KtCsvCell *cells, guint n)
{
  const KtCsvCell *cell = &target->constant;

  if (cell->text == NULL)
    {
      if (target->cell >= n)
        return NULL;
      cell = &cells[target->cell];
    }
  return is_blank (run, cell) ? NULL : cell;
}

const KtImportTarget *
_kt_import_target (KtImportRun *run, const char *field, const char *part)
{
  for (guint i = 0; i < run->targets->len; i++)
    {
      const KtImportTarget *target = &g_array_index (run->targets, KtImportTarget, i);

      if (target->path.field != NULL && strcmp (target->path.field->name, field) == 0
          && g_strcmp0 (target->path.part, part) == 0)
        return target;
    }
  return NULL;
}

const char *
_kt_import_unguard (const char *text)
{
  gsize n = strspn (text, "'");

  return n > 0 && text[n] != '\0' && strchr ("=+-@\t\r", text[n]) != NULL ? text + 1 : text;
}

/* ---- texts that are taken apart ---- */

static gboolean
set_address_part (KtRecord *record,
                  const KtField *field,
                  const char *part,
                  const char *text,
                  GError **error)
{
  KtValue *slot = &record->values[field->index];
  g_autoptr (KtJson) old =
    slot->type == KT_VALUE_JSON ? kt_json_parse (slot->v.text, -1, NULL) : NULL;
  g_autoptr (GString) out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);
  g_autoptr (KtJson) whole = NULL;
  KtValue value = KT_VALUE_INIT;

  kt_json_begin_object (&writer);
  for (guint i = 0; i < kt_json_length (old); i++)
    if (strcmp (kt_json_key_at (old, i), part) != 0)
      kt_json_put_string (&writer, kt_json_key_at (old, i),
                          kt_json_string (kt_json_at (old, i), ""));
  kt_json_put_string (&writer, part, text);
  kt_json_end_object (&writer);
  whole = kt_json_parse (out->str, (gssize) out->len, error);
  if (whole == NULL || !kt_value_from_json (field, whole, &value, error))
    return FALSE;
  kt_value_clear (slot);
  *slot = value;
  return TRUE;
}

/* "Ann Marie Lee", "Lee, Ann", "张三": into first and last name. */
gboolean
_kt_import_set_full_name (KtImportRun *run, KtRecord *record, const char *text, GError **error)
{
  const KtField *first = kt_object_field (record->object, "first_name");
  const KtField *last = kt_object_field (record->object, "last_name");
  g_autofree char *given = NULL;
  g_autofree char *family = NULL;
  g_autofree char *whole = g_strstrip (g_strdup (text));
  const char *comma = strchr (whole, ',');
  const char *blank = strrchr (whole, ' ');
  gunichar start = g_utf8_get_char (whole);

  if (comma != NULL)
    {
      family = g_strstrip (g_strndup (whole, comma - whole));
      given = g_strstrip (g_strdup (comma + 1));
    }
  else if (blank == NULL && g_unichar_get_script (start) == G_UNICODE_SCRIPT_HAN
           && g_utf8_strlen (whole, -1) <= 4)
    {
      /* The compound surnames in common use are two characters; four characters have one. */
      glong n = g_utf8_strlen (whole, -1);
      const char *cut = g_utf8_offset_to_pointer (
        whole, n == 4 || g_str_has_prefix (whole, "欧阳") || g_str_has_prefix (whole, "司马")
                   || g_str_has_prefix (whole, "上官") || g_str_has_prefix (whole, "诸葛")
                 ? MIN (2, n)
                 : 1);

      family = g_strndup (whole, cut - whole);
      given = g_strdup (cut);
    }
  else if (blank != NULL)
    {
      given = g_strstrip (g_strndup (whole, blank - whole));
      family = g_strdup (blank + 1);
    }
  else
    family = g_strdup (whole);
  kt_value_clear (&record->values[first->index]);
  kt_value_clear (&record->values[last->index]);
  return (given == NULL || given[0] == '\0'
          || kt_value_parse (first, given, run->plan->locale, NULL, &record->values[first->index],
                             error))
         && kt_value_parse (last, family, run->plan->locale, NULL, &record->values[last->index],
                            error);
}

/* ---- references ---- */

static void
put_reference (const KtField *field, KtRecord *record, const KtObject *object, const KtId *id)
{
  KtValue *slot = &record->values[field->index];

  kt_value_clear (slot);
  if (field->storage == KT_VALUE_ANY)
    kt_value_set_any (slot, object->name, id);
  else
    kt_value_set_id (slot, id);
}

static gboolean
set_reference (KtImportRun *run,
               const KtImportTarget *target,
               KtRecord *record,
               const char *text,
               guint64 row,
               char **message)
{
  const KtField *field = target->path.field;
  const KtObject *object = NULL;
  const KtObject *only = target->path.target;
  g_autofree char *name = g_strstrip (g_strdup (text));
  const char *colon = strchr (name, ':');
  KtId id;

  if (colon != NULL && only == NULL && field->type == KT_FIELD_REF_ANY)
    {
      g_autofree char *prefix = g_strndup (name, (gsize) (colon - name));

      only = kt_schema_object (run->object->schema, prefix);
      if (only != NULL && !kt_field_accepts (field, prefix))
        only = NULL;
      if (only != NULL)
        memmove (name, colon + 1, strlen (colon + 1) + 1);
    }
  if (kt_id_parse (name, -1, &id) && !kt_id_is_nil (&id)
      && (field->type == KT_FIELD_REF || only != NULL))
    {
      put_reference (field, record, only, &id);
      return TRUE;
    }
  if (target->is_stage && _kt_import_find_stage (run, target, record, name, &id))
    {
      put_reference (field, record, NULL, &id);
      return TRUE;
    }
  switch (_kt_import_look_up (run, field, only, target->path.source, name, !field->required,
                              &object, &id, message))
    {
    case KT_IMPORT_FOUND:
      put_reference (field, record, object, &id);
      return TRUE;
    case KT_IMPORT_NOT_YET:
      {
        KtImportLater later = {
          record->id, field, only, g_steal_pointer (&name), target->name, row
        };

        g_array_append_val (run->later, later);
      }
      return TRUE;
    case KT_IMPORT_FAILED:
    default:
      return FALSE;
    }
}

static gboolean
set_many (KtImportRun *run,
          const KtImportTarget *target,
          KtRecord *record,
          const char *text,
          char **message)
{
  const KtField *field = target->path.field;
  g_auto (GStrv) names = g_strsplit_set (text, strchr (text, ';') != NULL ? ";" : ",", -1);
  g_autoptr (GString) out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);
  g_autoptr (KtJson) list = NULL;
  g_autoptr (GError) error = NULL;
  KtValue value = KT_VALUE_INIT;

  kt_json_begin_array (&writer);
  for (guint i = 0; names[i] != NULL; i++)
    {
      const KtObject *object;
      KtId id;
      char id_text[KT_ID_TEXT_SIZE];

      g_strstrip (names[i]);
      if (names[i][0] == '\0')
        continue;
      if (!kt_id_parse (names[i], -1, &id)
          && _kt_import_look_up (run, field, target->path.target, target->path.source, names[i],
                                 FALSE, &object, &id, message)
               != KT_IMPORT_FOUND)
        return FALSE;
      kt_id_format (&id, id_text);
      kt_json_add_string (&writer, id_text);
    }
  kt_json_end_array (&writer);
  list = kt_json_parse (out->str, (gssize) out->len, &error);
  if (list == NULL || !kt_value_from_json (field, list, &value, &error))
    {
      *message = g_strdup (error->message);
      return FALSE;
    }
  kt_value_clear (&record->values[field->index]);
  record->values[field->index] = value;
  return TRUE;
}

/* ---- one cell ---- */

static gboolean
set_percent_fraction (const KtImportTarget *target,
                      KtRecord *record,
                      const char *text,
                      GError **error)
{
  KtValue *slot = &record->values[target->path.field->index];
  guint scale = target->path.field->scale;
  char currency[4];
  gint64 mantissa;

  if (!kt_decimal_parse_loose (text, MIN (scale + 2, KT_DECIMAL_MAX_SCALE),
                               strchr (text, ',') != NULL ? ',' : '.', &mantissa, currency, error))
    return FALSE;
  kt_value_clear (slot);
  slot->type = KT_VALUE_DECIMAL;
  slot->scale = (guint8) scale;
  slot->v.integer = mantissa; /* two digits of scale more is the factor 100 */
  return TRUE;
}

static gboolean
set_plain (KtImportRun *run,
           const KtImportTarget *target,
           KtRecord *record,
           const char *text,
           const char *currency,
           GError **error)
{
  const KtField *field = target->path.field;
  g_autofree char *sourced = NULL;
  KtValue value = KT_VALUE_INIT;

  if (target->path.source != NULL)
    {
      g_autofree char *clean = g_strstrip (g_strdup (text));

      /* What an export wrote has its source before it already. */
      if (!g_str_has_prefix (clean, target->path.source)
          || clean[strlen (target->path.source)] != ':')
        text = sourced = g_strdup_printf ("%s:%s", target->path.source, clean);
    }
  if (!kt_value_parse (field, text, target->locale, currency, &value, error))
    return FALSE;
  kt_value_clear (&record->values[field->index]);
  record->values[field->index] = value;
  return TRUE;
}

gboolean
_kt_import_set_cell (KtImportRun *run,
                     const KtImportTarget *target,
                     KtRecord *record,
                     const KtCsvCell *cell,
                     const char *currency,
                     guint64 row)
{
  const KtField *field = target->path.field;
  const char *text = _kt_import_unguard (cell->text);
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;
  gboolean ok;

  if (target->path.is_id || (target->path.part != NULL && field->type != KT_FIELD_ADDRESS))
    return TRUE; /* taken before, or together with another */
  if (target->path.part != NULL)
    ok = set_address_part (record, field, target->path.part, text, &error);
  else if (_kt_import_splits_name (field))
    ok = _kt_import_set_full_name (run, record, text, &error);
  else if (field->type == KT_FIELD_REF || field->type == KT_FIELD_REF_ANY)
    ok = set_reference (run, target, record, text, row, &message);
  else if (field->type == KT_FIELD_MANY)
    ok = set_many (run, target, record, text, &message);
  else if (target->fraction)
    ok = set_percent_fraction (target, record, text, &error);
  else
    ok = set_plain (run, target, record, text, currency, &error);
  if (!ok)
    _kt_import_problem (run, row, target->name, message != NULL ? message : error->message);
  return ok;
}
