/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What stands beside a record so that it is found and sorted: full-text terms in
 * kt_search and collation keys in kt_key_N.
 *
 * kt_search keeps no text (content=''): to take a record out, exactly the terms
 * that went in are given again. They are made from the record that is being
 * replaced, by the same code; when that code or ICU changes, the whole index is
 * made anew (_kt_local_ensure_indices).
 *
 * A sort key is  0x00 id            for no value
 *                0x01 collation id  else: so ORDER BY key alone is a total order, and one index serves it.  */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

#define MAX_FIELD_BYTES 16384 /* of one field in the index */
#define MAX_BODY_BYTES 65536  /* of one record */
#define MAX_KEY_CHARS 64
#define MAX_KEY_BYTES 160

/* ---- text of a field ---- */

static void
append_clipped (GString *out, const char *text, gsize max)
{
  gsize len = strlen (text);

  if (len > max)
    {
      const char *end = g_utf8_find_prev_char (text, text + max + 1);

      len = end != NULL ? (gsize) (end - text) : 0;
    }
  if (out->len > 0)
    g_string_append_c (out, ' ');
  g_string_append_len (out, text, (gssize) len);
}

/* Tags out, the common entities in; good enough to be found. */
static void
append_plain (GString *out, const char *rich)
{
  static const struct
  {
    const char *name;
    const char *text;
  } entities[] = {
    { "&amp;", "&" },   { "&lt;", "<" },  { "&gt;", ">" },
    { "&quot;", "\"" }, { "&#39;", "'" }, { "&nbsp;", " " },
  };
  g_autoptr (GString) plain = g_string_new (NULL);
  gboolean tag = FALSE;

  for (const char *p = rich; *p != '\0' && plain->len < MAX_FIELD_BYTES; p++)
    {
      guint i;

      if (*p == '<')
        tag = TRUE;
      if (tag)
        {
          if (*p == '>')
            {
              tag = FALSE;
              g_string_append_c (plain, ' ');
            }
          continue;
        }
      for (i = 0; *p == '&' && i < G_N_ELEMENTS (entities); i++)
        if (g_str_has_prefix (p, entities[i].name))
          break;
      if (*p == '&' && i < G_N_ELEMENTS (entities))
        {
          g_string_append (plain, entities[i].text);
          p += strlen (entities[i].name) - 1;
          continue;
        }
      g_string_append_c (plain, *p);
    }
  if (g_utf8_validate (plain->str, (gssize) plain->len, NULL))
    append_clipped (out, plain->str, MAX_FIELD_BYTES);
  else
    {
      g_autofree char *valid = g_utf8_make_valid (plain->str, (gssize) plain->len);

      append_clipped (out, valid, MAX_FIELD_BYTES);
    }
}

static void
append_strings (GString *out, const char *text)
{
  g_autoptr (KtJson) json = kt_json_parse (text, -1, NULL);

  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const char *part = kt_json_string (kt_json_at (json, i), NULL);

      if (part != NULL)
        append_clipped (out, part, MAX_FIELD_BYTES);
    }
}

void
_kt_local_field_text (const KtField *field, const KtValue *value, GString *out)
{
  switch ((KtValueType) value->type)
    {
    case KT_VALUE_TEXT:
      if (field->type == KT_FIELD_RICH_TEXT)
        append_plain (out, value->v.text);
      else
        append_clipped (out, value->v.text, MAX_FIELD_BYTES);
      break;
    case KT_VALUE_LIST:
    case KT_VALUE_JSON:
      append_strings (out, value->v.text);
      break;
    default:
      break;
    }
}

/* ---- terms ---- */

static gboolean
has_han (const char *text)
{
  for (const guchar *p = (const guchar *) text; *p != '\0'; p++)
    if (*p >= 0xe3)
      return TRUE;
  return FALSE;
}

void
_kt_local_terms (const KtPlan *plan, const KtRecord *record, GString *columns[3])
{
  g_autoptr (GString) plain = NULL;

  for (guint i = 0; i < 3; i++)
    g_string_truncate (columns[i], 0);
  for (guint i = 0; i < plan->terms->len; i++)
    {
      const KtTermField *term = &g_array_index (plan->terms, KtTermField, i);
      const KtValue *value = &record->values[term->field->index];
      GString *out = columns[term->column];
      const char *text;

      if (value->type == KT_VALUE_NULL || out->len > MAX_BODY_BYTES)
        continue;
      if (value->type == KT_VALUE_TEXT && term->field->type != KT_FIELD_RICH_TEXT
          && strlen (value->v.text) <= MAX_FIELD_BYTES)
        text = value->v.text;
      else
        {
          if (plain == NULL)
            plain = g_string_new (NULL);
          g_string_truncate (plain, 0);
          _kt_local_field_text (term->field, value, plain);
          text = plain->str;
        }
      if (out->len > 0)
        g_string_append_c (out, ' ');
      kt_text_index_terms (text, out);
      if (term->column == KT_TERM_TITLE && has_han (text))
        {
          g_string_append_c (out, ' ');
          kt_text_pinyin_terms (text, out);
        }
    }
}

static gboolean
put_terms (KtLocal *local, const char *sql, gint64 rid, GString *columns[3], GError **error)
{
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, rid);
  for (int i = 0; i < 3; i++)
    kt_stmt_bind_text_len (stmt, i + 2, columns[i]->str, columns[i]->len);
  return kt_stmt_step (stmt, error) == KT_STEP_DONE;
}

static gboolean
same_terms (const KtPlan *plan, const KtRecord *before, const KtRecord *after)
{
  if (before == NULL || after == NULL || before->object != after->object
      || before->rid != after->rid)
    return FALSE;
  for (guint i = 0; i < plan->terms->len; i++)
    {
      guint index = g_array_index (plan->terms, KtTermField, i).field->index;

      if (!kt_value_equal (&before->values[index], &after->values[index]))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kt_local_index_terms (KtLocal *local,
                       const KtPlan *plan,
                       const KtRecord *before,
                       const KtRecord *after,
                       GError **error)
{
  if (same_terms (plan, before, after))
    return TRUE;
  if (before != NULL)
    {
      _kt_local_terms (plan, before, local->scratch);
      if (
        !put_terms (
          local,
          "INSERT INTO kt_search (kt_search, rowid, title, body, keys) VALUES ('delete', ?1, ?2, ?3, ?4)",
          before->rid, local->scratch, error))
        return FALSE;
    }
  if (after == NULL)
    return TRUE;
  _kt_local_terms (plan, after, local->scratch);
  return put_terms (local,
                    "INSERT INTO kt_search (rowid, title, body, keys) VALUES (?1, ?2, ?3, ?4)",
                    after->rid, local->scratch, error);
}

/* ---- sort keys ---- */

gsize
_kt_local_make_key (const KtRecord *record, const KtField *field, const char *locale, guint8 *out)
{
  const KtValue *value = &record->values[field->index];
  gsize n = 0;

  if (value->type != KT_VALUE_TEXT)
    out[n++] = 0;
  else
    {
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *clipped = NULL;
      const char *text = value->v.text;
      gconstpointer data;
      gsize len = 0;

      if (strlen (text) > MAX_KEY_CHARS)
        {
          clipped = g_utf8_substring (text, 0, MIN (g_utf8_strlen (text, -1), MAX_KEY_CHARS));
          text = clipped;
        }
      bytes = kt_text_sort_key (text, locale);
      data = g_bytes_get_data (bytes, &len);
      out[n++] = 1;
      len = MIN (len, MAX_KEY_BYTES);
      if (len > 0)
        memcpy (out + n, data, len);
      n += len;
    }
  memcpy (out + n, record->id.b, sizeof record->id.b);
  return n + sizeof record->id.b;
}

gboolean
_kt_local_index_keys (KtLocal *local, const KtPlan *plan, const KtRecord *record, GError **error)
{
  guint8 keys[10][MAX_KEY_BYTES + 1 + sizeof (KtId)];
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, plan->key_insert, error);

  if (stmt == NULL)
    return FALSE;
  g_assert (plan->keys->len <= G_N_ELEMENTS (keys));
  kt_stmt_bind_int (stmt, 1, record->rid);
  kt_stmt_bind_int (stmt, 2, kt_record_deleted (record));
  for (guint i = 0; i < plan->keys->len; i++)
    {
      gsize len = _kt_local_make_key (record, plan->keys->pdata[i], local->locale, keys[i]);

      kt_stmt_bind_blob (stmt, (int) i + 3, keys[i], len);
    }
  return kt_stmt_step (stmt, error) == KT_STEP_DONE;
}

/* One key at a time: a row that is replaced is taken out of all its indices. *done FALSE: there was no row. */
static gboolean
update_key (KtLocal *local,
            const KtPlan *plan,
            const KtField *field,
            const KtRecord *record,
            gboolean *done,
            GError **error)
{
  guint8 key[MAX_KEY_BYTES + 1 + sizeof (KtId)];
  g_autofree char *sql = g_strdup_printf ("UPDATE kt_key_%u SET \"k_%s\"=?2 WHERE rid=?1",
                                          plan->object->number, field->name);
  KT_STMT_SCOPE *stmt = kt_db_stmt (local->db, sql, error);

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_int (stmt, 1, record->rid);
  kt_stmt_bind_blob (stmt, 2, key, _kt_local_make_key (record, field, local->locale, key));
  if (kt_stmt_step (stmt, error) != KT_STEP_DONE)
    return FALSE;
  *done = kt_stmt_changes (stmt) > 0;
  return TRUE;
}

static gboolean
update_keys (KtLocal *local,
             const KtPlan *plan,
             const KtRecord *before,
             const KtRecord *after,
             GError **error)
{
  gboolean done = before != NULL && before->rid == after->rid
                  && kt_record_deleted (before) == kt_record_deleted (after);

  for (guint i = 0; done && i < plan->keys->len; i++)
    {
      const KtField *field = plan->keys->pdata[i];

      if (!kt_value_equal (&before->values[field->index], &after->values[field->index])
          && !update_key (local, plan, field, after, &done, error))
        return FALSE;
    }
  return done || _kt_local_index_keys (local, plan, after, error);
}

gboolean
_kt_local_index (KtLocal *local, const KtRecord *before, const KtRecord *after, GError **error)
{
  const KtPlan *plan = _kt_local_plan (local, (after != NULL ? after : before)->object);

  if (!_kt_local_index_terms (local, plan, before, after, error))
    return FALSE;
  if (after != NULL)
    return update_keys (local, plan, before, after, error);
  return kt_db_run (local->db, error, plan->key_delete, KT_BIND_INT, before->rid, KT_BIND_END) >= 0;
}

/* ---- probe ---- */

/* Stands for "the code and tables that make terms and keys": ICU comes with the
 * system and may change what it makes of a text from one day to the next. */
char *
_kt_local_probe (const char *locale)
{
  static const char *const texts[] = {
    "Ångström ǅ ß ﬁ ½ Ⅷ ｶﾞ ガ",
    "张三丰 長樂 重庆 银行 北京市海淀区",
    "+49 (30) 123-456 ext. 7",
    "a.b_c@example.com it's O’Neil",
    "Ђорђе ΣΊΣΥΦΟΣ İstanbul",
    "한국어 조선",
    "مُحَمَّد",
    "Ａｃｍｅ　株式会社",
    "résumé naïve cœur",
    "x\xcc\x81y 🙂 №5",
  };
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autoptr (GString) out = g_string_new (NULL);

  /* Trying the pinyin as well would cost every start a tenth of a second: ICU makes its tables anew. */
  g_checksum_update (sum, (const guchar *) kt_text_tables (), -1);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      if (locale != NULL)
        {
          g_autoptr (GBytes) key = kt_text_sort_key (texts[i], locale);

          g_checksum_update (sum, g_bytes_get_data (key, NULL), (gssize) g_bytes_get_size (key));
          continue;
        }
      g_string_truncate (out, 0);
      kt_text_index_terms (texts[i], out);
      g_checksum_update (sum, (const guchar *) out->str, (gssize) out->len);
    }
  return g_strndup (g_checksum_get_string (sum), 16);
}
