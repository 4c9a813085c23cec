/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the server last said about a record, and what this device has done to it
 * since:
 *
 *        kt_shadow            kt_outbox_op, by (no, pos)               o_*
 *   ┌───────────────┐   ┌──────┐ ┌──────┐        ┌──────┐      ┌───────────────┐
 *   │ server's      │ + │ op   │ │ op   │   …    │ op   │  =   │ visible       │
 *   │ version, none │   └──────┘ └──────┘        └──────┘      └───────────────┘
 *   └───────────────┘    SETTLED   SENT   QUEUED   PARKED
 *
 * A pull replaces only the left box, a commit only adds a middle one, a verdict
 * whose page is here takes one out; the right box is always made anew from the
 * others (I2). With no middle box left, the left one goes too: the right one is it.
 *
 * Shadows, staged rows and patches are kept as JSON by field name and read
 * leniently: what was stored was checked when it came in, and a schema that has
 * moved on since must not make it unreadable (P13).                               */

#define G_LOG_DOMAIN "kt-store"

#include "config.h"

#include "kt-local-private.h"

#include <string.h>

#include "base/kt-decimal.h"

/* ---- values that were checked before ---- */

static gboolean
trusted_money (const KtJson *json, KtValue *out)
{
  const char *amount = kt_json_get_string (json, "amount", NULL);
  const char *currency = kt_json_get_string (json, "currency", NULL);

  if (amount == NULL || currency == NULL || strlen (currency) != 3
      || !kt_decimal_parse (amount, -1, KT_MONEY_SCALE, &out->v.integer, NULL))
    return FALSE;
  g_strlcpy (out->currency, currency, sizeof out->currency);
  out->scale = KT_MONEY_SCALE;
  return TRUE;
}

/* Text is text, but not every text is a day. */
static gboolean
has_length (const KtField *field, const char *text)
{
  gsize len = strlen (text);

  return field->type == KT_FIELD_DATE        ? len == 10
         : field->type == KT_FIELD_DATE_TIME ? len == 24
                                             : len > 0;
}

/* FALSE: it does not fit this field (any more). */
static gboolean
trusted_value (const KtField *field, const KtJson *json, KtValue *out)
{
  KtJsonType type = kt_json_type (json);
  const char *text = kt_json_string (json, NULL);

  *out = KT_VALUE_INIT;
  if (type == KT_JSON_NULL)
    return TRUE;
  switch (field->storage)
    {
    case KT_VALUE_BOOL:
      out->v.integer = type == KT_JSON_TRUE;
      if (type != KT_JSON_TRUE && type != KT_JSON_FALSE)
        return FALSE;
      break;
    case KT_VALUE_INT:
      if (type != KT_JSON_NUMBER)
        return FALSE;
      out->v.integer = kt_json_int (json, 0);
      break;
    case KT_VALUE_DECIMAL:
      if (text == NULL || !kt_decimal_parse (text, -1, field->scale, &out->v.integer, NULL))
        return FALSE;
      out->scale = (guint8) field->scale;
      break;
    case KT_VALUE_MONEY:
      if (type != KT_JSON_OBJECT || !trusted_money (json, out))
        return FALSE;
      break;
    case KT_VALUE_TEXT:
      if (text == NULL || !has_length (field, text))
        return FALSE;
      out->v.text = g_strdup (text);
      break;
    case KT_VALUE_ID:
      if (text == NULL || !kt_id_parse (text, -1, &out->v.ref.id))
        return FALSE;
      break;
    case KT_VALUE_ANY:
      text = kt_json_get_string (json, "id", NULL);
      if (text == NULL || !kt_id_parse (text, -1, &out->v.ref.id))
        return FALSE;
      out->v.ref.object = g_intern_string (kt_json_get_string (json, "object", ""));
      if (kt_schema_object (field->object->schema, out->v.ref.object) != NULL)
        out->v.ref.object = kt_schema_object (field->object->schema, out->v.ref.object)->name;
      break;
    case KT_VALUE_LIST:
      if (type != KT_JSON_ARRAY)
        return FALSE;
      out->v.text = kt_json_to_string (json, TRUE);
      break;
    case KT_VALUE_JSON:
      out->v.text = kt_json_to_string (json, TRUE);
      break;
    case KT_VALUE_NULL:
    default:
      return FALSE;
    }
  out->type = (guint8) field->storage;
  return TRUE;
}

/* What was stored for an earlier form of @field is carried over. FALSE: it cannot be. */
static gboolean
stored_value (const KtField *field, const KtJson *json, KtValue *out)
{
  if (trusted_value (field, json, out))
    return TRUE;
  *out = KT_VALUE_INIT;
  return kt_value_carry_json (field, json, TRUE, out, NULL);
}

/* {field: value…}; the id is not in it. */
static char *
record_to_text (const KtRecord *record)
{
  GString *out = g_string_new (NULL);
  KtJsonWriter writer = KT_JSON_WRITER (out);

  kt_json_begin_object (&writer);
  for (guint i = 0; i < record->object->n_fields; i++)
    {
      if (record->values[i].type == KT_VALUE_NULL)
        continue;
      kt_json_key (&writer, record->object->fields[i]->name);
      kt_value_to_json (&record->values[i], &writer);
    }
  kt_json_end_object (&writer);
  return g_string_free (out, FALSE);
}

KtRecord *
_kt_local_record_parse (const KtObject *object,
                        const KtId *id,
                        gint64 rev,
                        const char *text,
                        GError **error)
{
  g_autoptr (KtJson) json = kt_json_parse (text, -1, error);
  KtRecord *record;

  if (json == NULL)
    return NULL;
  record = kt_record_new (object, id);
  record->rev = rev;
  for (guint i = 0; i < kt_json_length (json); i++)
    {
      const KtField *field = kt_object_field (object, kt_json_key_at (json, i));
      KtValue value;

      if (field != NULL && stored_value (field, kt_json_at (json, i), &value))
        kt_value_move (&value, &record->values[field->index]);
    }
  return record;
}

char *
_kt_local_record_text (const KtRecord *record)
{
  return record_to_text (record);
}

static gboolean
is_word_in (const char *word, const char *words)
{
  gsize len = strlen (word);

  for (const char *p = words; p != NULL && (p = strstr (p, word)) != NULL; p += len)
    if ((p == words || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
      return TRUE;
  return FALSE;
}

KtPatch *
_kt_local_patch_parse (const KtObject *object, const char *json, const char *muted, char **unknown)
{
  g_autoptr (KtJson) tree = kt_json_parse (json, -1, NULL);
  g_autoptr (GString) strangers = g_string_new (NULL);
  KtPatch *patch = kt_patch_new (object);

  for (guint i = 0; i < kt_json_length (tree); i++)
    {
      const char *name = kt_json_key_at (tree, i);
      const KtJson *pair = kt_json_at (tree, i);
      const KtField *field = kt_object_field (object, name);
      g_auto (KtValue) before = KT_VALUE_INIT;
      g_auto (KtValue) after = KT_VALUE_INIT;

      if (field == NULL || !stored_value (field, kt_json_at (pair, 1), &after))
        {
          g_string_append_printf (strangers, "%s%s", strangers->len > 0 ? ", " : "", name);
          continue;
        }
      /* A base that no longer fits is a base that can match nothing: NULL. */
      if (!stored_value (field, kt_json_at (pair, 0), &before))
        before = KT_VALUE_INIT;
      if (muted == NULL || !is_word_in (name, muted))
        kt_patch_set (patch, field, &before, &after);
    }
  if (unknown != NULL)
    *unknown = strangers->len > 0 ? g_strdup (strangers->str) : NULL;
  return patch;
}

char *
_kt_local_patch_trouble (const KtObject *object, const char *json)
{
  g_autoptr (KtJson) tree = kt_json_parse (json, -1, NULL);
  g_autoptr (GString) strangers = g_string_new (NULL);

  for (guint i = 0; i < kt_json_length (tree); i++)
    {
      const char *name = kt_json_key_at (tree, i);
      const KtField *field = kt_object_field (object, name);
      g_auto (KtValue) after = KT_VALUE_INIT;
      g_autoptr (GError) error = NULL;

      if (field == NULL)
        g_string_append_printf (strangers, "%s%s", strangers->len > 0 ? ", " : "", name);
      else if (field->computed)
        return g_strdup_printf ("%s of %s is filled in by Kontor now", field->name, object->name);
      else if (!kt_value_carry_json (field, kt_json_at (kt_json_at (tree, i), 1), FALSE, &after,
                                     &error))
        return g_strdup_printf ("The server takes %s of %s in another form now: %s", field->name,
                                object->name, error->message);
    }
  return strangers->len > 0 ? g_strdup_printf ("The server no longer takes %s of %s",
                                               strangers->str, object->name)
                            : NULL;
}

/* ---- shadows ---- */

KtShadowState
_kt_local_shadow (KtLocal *local,
                  const KtObject *object,
                  const KtId *id,
                  KtRecord **record,
                  gint64 *rev,
                  GError **error)
{
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db, "SELECT rev, record FROM kt_shadow WHERE id=?1", error);

  if (stmt == NULL)
    return KT_SHADOW_ERROR;
  kt_stmt_bind_id (stmt, 1, id);
  switch (kt_stmt_step (stmt, error))
    {
    case KT_STEP_ROW:
      break;
    case KT_STEP_DONE:
      return KT_SHADOW_ABSENT;
    case KT_STEP_ERROR:
    default:
      return KT_SHADOW_ERROR;
    }
  if (rev != NULL)
    *rev = kt_stmt_int (stmt, 0);
  if (kt_stmt_is_null (stmt, 1))
    return kt_stmt_int (stmt, 0) == KT_REV_LEFT ? KT_SHADOW_LEFT : KT_SHADOW_NONE;
  if (record != NULL)
    {
      *record =
        _kt_local_record_parse (object, id, kt_stmt_int (stmt, 0), kt_stmt_text (stmt, 1), error);
      if (*record == NULL)
        return KT_SHADOW_ERROR;
    }
  return KT_SHADOW_RECORD;
}

gboolean
_kt_local_put_shadow (KtLocal *local,
                      const KtObject *object,
                      const KtId *id,
                      const KtRecord *record,
                      GError **error)
{
  g_autofree char *text = record != NULL ? record_to_text (record) : NULL;
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db,
                "INSERT INTO kt_shadow (id, object, rev, record) VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (id) DO UPDATE SET rev=excluded.rev, record=excluded.record",
                error);

  if (stmt == NULL)
    return FALSE;
  kt_stmt_bind_id (stmt, 1, id);
  kt_stmt_bind_text (stmt, 2, object->name);
  kt_stmt_bind_int (stmt, 3, record != NULL ? record->rev : 0);
  kt_stmt_bind_text (stmt, 4, text);
  return kt_stmt_step (stmt, error) == KT_STEP_DONE;
}

gboolean
_kt_local_drop_shadow (KtLocal *local, const KtId *id, GError **error)
{
  return kt_db_run (local->db, error, "DELETE FROM kt_shadow WHERE id=?1", KT_BIND_ID, id,
                    KT_BIND_END)
         >= 0;
}

KtRecord *
kt_local_load_shadow (KtLocal *local, const KtObject *object, const KtId *id, GError **error)
{
  g_autoptr (KtRecord) record = NULL;
  const KtObject *own = _kt_local_object (local, object);
  gboolean mine;

  g_return_val_if_fail (object != NULL && id != NULL, NULL);

  if (own == NULL)
    return NULL;
  if (!_kt_local_read_begin (local, &mine, error))
    return NULL;
  if (_kt_local_shadow (local, own, id, &record, NULL, error) == KT_SHADOW_ABSENT)
    record = kt_table_load (local->db, own, id, error);
  _kt_local_read_end (local, mine);
  return g_steal_pointer (&record);
}

/* ---- one op ---- */

static void
set_text (KtRecord *record, const char *name, const char *text)
{
  const KtField *field = kt_object_field (record->object, name);

  if (field == NULL || field->storage != KT_VALUE_TEXT)
    return;
  kt_value_clear (&record->values[field->index]);
  kt_value_set_text (&record->values[field->index], text);
}

static void
set_me (KtLocal *local, KtRecord *record, const char *name)
{
  const KtField *field = kt_object_field (record->object, name);

  if (field == NULL || field->storage != KT_VALUE_ID || local->identity == NULL)
    return;
  kt_value_clear (&record->values[field->index]);
  kt_value_set_id (&record->values[field->index], &local->identity->access.user);
}

static KtRecord *
overlay (KtRecord *state, const KtPatch *patch)
{
  KtRecord *over;

  if (patch == NULL || kt_patch_length (patch) == 0)
    return state;
  over = kt_merge_overlay (state, patch);
  over->rev = state->rev;
  over->rid = state->rid;
  kt_record_unref (state);
  return over;
}

KtRecord *
_kt_local_apply (KtLocal *local,
                 KtRecord *state,
                 int kind,
                 const KtObject *object,
                 const KtId *id,
                 gint64 base_rev,
                 const KtPatch *patch,
                 const char *at,
                 const char *origin)
{
  switch (kind)
    {
    case KT_MUTATE_CREATE:
    case KT_MUTATE_UPDATE:
      if (state == NULL)
        {
          state = kt_record_new (object, id);
          kt_patch_apply (patch, state);
          set_text (state, "origin", origin);
          set_text (state, "created_at", at);
          set_me (local, state, "created_by");
        }
      else
        {
          /* My edit met a delete I had not seen: it will bring the record back (P7). */
          if (kind == KT_MUTATE_UPDATE && base_rev < state->rev && base_rev > 0
              && kt_record_deleted (state))
            {
              KtRecord *live = kt_record_copy (state);

              kt_record_unref (state);
              state = live;
              set_text (state, "deleted_at", NULL);
            }
          state = overlay (state, patch);
        }
      break;
    case KT_MUTATE_DELETE:
      if (state == NULL || kt_record_deleted (state))
        return state;
      set_text (state, "deleted_at", at);
      break;
    case KT_MUTATE_RESTORE:
      if (state == NULL || !kt_record_deleted (state))
        return state;
      set_text (state, "deleted_at", NULL);
      break;
    case KT_MUTATE_RESOLVE:
      if (state == NULL)
        return NULL;
      set_text (state, "state", origin);
      if (g_strcmp0 (origin, "open") == 0)
        {
          const KtField *by = kt_object_field (state->object, "resolved_by");

          set_text (state, "resolved_at", NULL);
          if (by != NULL)
            kt_value_clear (&state->values[by->index]);
          return state;
        }
      set_text (state, "resolved_at", at);
      set_me (local, state, "resolved_by");
      return state;
    default:
      return state;
    }
  set_text (state, "modified_at", at);
  set_me (local, state, "modified_by");
  return state;
}

/* ---- what follows from other fields ---- */

static gboolean
copy_from (KtLocal *local,
           const KtRecord *base,
           const KtField *field,
           KtRecord *record,
           GError **error)
{
  const char *dot = strchr (field->from, '.');
  g_autofree char *ref_name = dot != NULL ? g_strndup (field->from, dot - field->from) : NULL;
  const KtField *ref = ref_name != NULL ? kt_object_field (record->object, ref_name) : NULL;
  const KtValue *link;
  const KtValue *value;
  const KtObject *target;
  g_autoptr (KtRecord) other = NULL;
  g_autoptr (GError) failure = NULL;

  if (ref == NULL || ref->storage != KT_VALUE_ID || ref->to == NULL || ref->to[0] == NULL)
    return TRUE;
  link = &record->values[ref->index];
  if (base != NULL && kt_value_equal (link, &base->values[ref->index]))
    return TRUE;
  kt_value_clear (&record->values[field->index]);
  target = kt_schema_object (record->object->schema, ref->to[0]);
  if (link->type != KT_VALUE_ID || target == NULL)
    return TRUE;
  other = kt_table_load (local->db, target, &link->v.ref.id, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  value = other != NULL ? kt_record_get (other, dot + 1) : NULL;
  if (value != NULL && value->type == field->storage)
    kt_value_copy (value, &record->values[field->index]);
  return TRUE;
}

gboolean
_kt_local_compute (KtLocal *local, const KtRecord *base, KtRecord *record, GError **error)
{
  const KtPlan *plan = _kt_local_plan (local, record->object);

  for (guint i = 0; i < plan->formulas->len; i++)
    if (!copy_from (local, base, g_ptr_array_index (plan->formulas, i), record, error))
      return FALSE;
  if (plan->computes)
    {
      if (local->engine == NULL
          && (local->engine = kt_expression_engine_new (local->schema, error)) == NULL)
        return FALSE;
      kt_expression_engine_compute (local->engine, record);
    }
  return TRUE;
}

/* ---- all ops ---- */

typedef struct
{
  int kind;
  gboolean held; /* by the shadow, already */
  gint64 base_rev;
  char *patch;
  char *muted;
  char *at;
  char *origin;
} StoredOp;

static void
stored_op_clear (gpointer data)
{
  StoredOp *op = data;

  g_free (op->patch);
  g_free (op->muted);
  g_free (op->at);
  g_free (op->origin);
}

static GArray *
load_ops (KtLocal *local, const KtId *id, GError **error)
{
  g_autoptr (GArray) ops = NULL;
  KT_STMT_SCOPE *stmt =
    kt_db_stmt (local->db,
                "SELECT p.kind, p.base_rev, p.patch, p.muted, o.at, o.origin, o.resolution,"
                " o.again>=?2 OR (o.state=?3 AND o.number<=?4)"
                " FROM kt_outbox_op p JOIN kt_outbox o ON o.no=p.no"
                " WHERE p.id=?1 ORDER BY p.no, p.pos",
                error);
  KtStep step;

  if (stmt == NULL)
    return NULL;
  ops = g_array_new (FALSE, TRUE, sizeof (StoredOp));
  g_array_set_clear_func (ops, stored_op_clear);
  kt_stmt_bind_id (stmt, 1, id);
  kt_stmt_bind_int (stmt, 2, KT_AGAIN_OLD_SHADOW);
  kt_stmt_bind_int (stmt, 3, KT_OUTBOX_SENT);
  kt_stmt_bind_int (stmt, 4, local->settled);
  while ((step = kt_stmt_step (stmt, error)) == KT_STEP_ROW)
    {
      StoredOp op;

      op.kind = (int) kt_stmt_int (stmt, 0);
      op.base_rev = kt_stmt_int (stmt, 1);
      op.patch = g_strdup (kt_stmt_text (stmt, 2));
      op.muted = g_strdup (kt_stmt_text (stmt, 3));
      op.at = g_strdup (kt_stmt_text (stmt, 4));
      op.origin = g_strdup (kt_stmt_text (stmt, op.kind == KT_MUTATE_RESOLVE ? 6 : 5));
      op.held = kt_stmt_int (stmt, 7) != 0;
      g_array_append_val (ops, op);
    }
  return step == KT_STEP_DONE ? g_steal_pointer (&ops) : NULL;
}

KtRecord *
_kt_local_overlay (KtLocal *local,
                   const KtObject *object,
                   const KtId *id,
                   const KtRecord *shadow,
                   guint *n_ops,
                   GError **error)
{
  g_autoptr (GArray) ops = load_ops (local, id, error);
  g_autoptr (KtRecord) state = NULL;
  gboolean any = FALSE;

  if (ops == NULL)
    return NULL;
  if (n_ops != NULL)
    *n_ops = ops->len;
  state = shadow != NULL ? kt_record_copy (shadow) : NULL;
  for (guint i = 0; i < ops->len; i++)
    {
      const StoredOp *op = &g_array_index (ops, StoredOp, i);
      g_autoptr (KtPatch) patch = NULL;

      if (op->held)
        continue;
      any = TRUE;
      if (op->kind == KT_MUTATE_CREATE || op->kind == KT_MUTATE_UPDATE)
        patch =
          _kt_local_patch_parse (object, op->patch != NULL ? op->patch : "{}", op->muted, NULL);
      state = _kt_local_apply (local, g_steal_pointer (&state), op->kind, object, id, op->base_rev,
                               patch, op->at, op->origin);
    }
  if (state != NULL && any && !_kt_local_compute (local, shadow, state, error))
    return NULL;
  if (state != NULL && any)
    _kt_local_cut (local, state);
  return g_steal_pointer (&state);
}

gboolean
_kt_local_recompute (KtLocal *local,
                     const KtObject *object,
                     const KtId *id,
                     gboolean by_me,
                     KtChanges *changes,
                     GError **error)
{
  g_autoptr (KtRecord) shadow = NULL;
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) after = NULL;
  g_autoptr (GError) failure = NULL;
  KtShadowState state = _kt_local_shadow (local, object, id, &shadow, NULL, error);
  guint n_ops = 0;

  if (state == KT_SHADOW_ERROR)
    return FALSE;
  if (state == KT_SHADOW_ABSENT)
    return TRUE;
  before = kt_table_load (local->db, object, id, &failure);
  if (failure == NULL)
    after = _kt_local_overlay (local, object, id, shadow, &n_ops, &failure);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (n_ops == 0 && !_kt_local_drop_shadow (local, id, error))
    return FALSE;
  if (state == KT_SHADOW_LEFT)
    {
      g_clear_pointer (&after, kt_record_unref);
      if (n_ops == 0 && !_kt_local_forget_one (local, id, error))
        return FALSE;
    }
  return _kt_local_show (local, before, after, by_me, changes, error);
}
