/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <string.h>

/* The profile: opening it, and finding objects, fields and records in it by what people type. */

gboolean
kt_cli_open (KtCli *cli, KtCliNeed need, GError **error)
{
  g_autoptr (GError) failure = NULL;

  /* What must be carried over to a new form first cannot be done by a reader. */
  if ((need & KT_CLI_READS) != 0)
    cli->local = kt_local_open (cli->profile, KT_LOCAL_READ_ONLY, NULL, NULL);
  need &= ~KT_CLI_READS;
  if (cli->local == NULL)
    cli->local = kt_local_open (cli->profile, 0, NULL, &failure);
  if (cli->local == NULL && !g_error_matches (failure, KT_ERROR, KT_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (need == KT_CLI_ANY)
    return TRUE;
  if (cli->local == NULL || kt_local_identity (cli->local) == NULL
      || kt_local_schema (cli->local) == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_AUTH,
                   "Nobody is signed in to the profile %s. Run: kontorctl login URL --user NAME",
                   cli->profile);
      return FALSE;
    }
  if (need == KT_CLI_READY && !kt_local_ready (cli->local))
    {
      g_set_error (error, KT_ERROR, KT_ERROR_UNSETTLED,
                   "The first copy of the data is not complete yet. Run: kontorctl sync");
      return FALSE;
    }
  return TRUE;
}

KtTransport *
kt_cli_connect (KtCli *cli, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *base = kt_session_base (cli->local, &failure);

  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  if (base == NULL)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_AUTH,
                   "This profile does not know a server. Run: kontorctl login URL --user NAME");
      return NULL;
    }
  return kt_http_transport_new (base, error);
}

const KtObject *
kt_cli_object (KtCli *cli, const char *name, GError **error)
{
  const KtSchema *schema = kt_local_schema (cli->local);
  const KtObject *object = kt_schema_object (schema, name);
  g_autoptr (GPtrArray) names = NULL;
  const KtObject *const *objects;
  const char *nearest;
  guint n;

  if (object != NULL)
    return object;

  names = g_ptr_array_new ();
  objects = kt_schema_objects (schema, &n);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (names, (gpointer) objects[i]->name);
  g_ptr_array_add (names, NULL);
  nearest = kt_cli_nearest (name, (const char *const *) names->pdata);
  g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no object “%s”%s%s%s", name,
               nearest != NULL ? "; did you mean “" : "", nearest != NULL ? nearest : "",
               nearest != NULL ? "”?" : " (kontorctl schema lists them)");
  return NULL;
}

const KtField *
kt_cli_field (KtCli *cli, const KtObject *object, const char *name, GError **error)
{
  const KtField *field = kt_object_field (object, name);
  g_autoptr (GPtrArray) names = NULL;
  const char *nearest;

  if (field != NULL)
    return field;

  names = g_ptr_array_new ();
  for (guint i = 0; i < object->n_fields; i++)
    g_ptr_array_add (names, (gpointer) object->fields[i]->name);
  g_ptr_array_add (names, NULL);
  nearest = kt_cli_nearest (name, (const char *const *) names->pdata);
  g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no field “%s” in %s%s%s%s", name,
               object->name, nearest != NULL ? "; did you mean “" : "",
               nearest != NULL ? nearest : "", nearest != NULL ? "”?" : "");
  return NULL;
}

const KtField **
kt_cli_fields (KtCli *cli, const KtObject *object, const char *list, guint *n, GError **error)
{
  g_auto (GStrv) names = g_strsplit (list, ",", -1);
  g_autoptr (GPtrArray) fields = g_ptr_array_new ();

  for (guint i = 0; names[i] != NULL; i++)
    {
      const char *name = g_strstrip (names[i]);
      const KtField *field;

      /* It is always there. */
      if (*name == '\0' || g_str_equal (name, "id"))
        continue;
      field = kt_cli_field (cli, object, name, error);
      if (field == NULL)
        return NULL;
      if (!g_ptr_array_find (fields, field, NULL))
        g_ptr_array_add (fields, (gpointer) field);
    }
  *n = fields->len;
  g_ptr_array_add (fields, NULL);
  return (const KtField **) g_ptr_array_free (g_steal_pointer (&fields), FALSE);
}

KtRecord *
kt_cli_record (KtCli *cli, const KtObject *object, const char *name, GError **error)
{
  g_autoptr (GError) failure = NULL;
  KtRecord *record = NULL;
  KtId id;

  if (!kt_id_parse (name, -1, &id) && !kt_local_find (cli->local, object, name, &id, error))
    return NULL;
  record = kt_local_load (cli->local, object, &id, &failure);
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else if (record == NULL)
    g_set_error (error, KT_ERROR, KT_ERROR_NOT_FOUND, "There is no %s with the id %s", object->name,
                 name);
  return record;
}

/* ---- for people ---- */

char *
kt_cli_title (const KtObject *object, const KtId *id, gpointer data)
{
  KtCli *cli = data;
  KtRefKey key = { object, *id };
  g_autoptr (GPtrArray) titles = kt_local_titles (cli->local, &key, 1, NULL);

  return titles != NULL ? g_strdup (g_ptr_array_index (titles, 0)) : NULL;
}

static char *
display_list (KtCli *cli, const KtField *field, const KtValue *value)
{
  const KtSchema *schema = kt_local_schema (cli->local);
  g_autoptr (KtJson) list = kt_json_parse (value->v.text, -1, NULL);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < kt_json_length (list); i++)
    {
      const char *item = kt_json_string (kt_json_at (list, i), "");
      g_autofree char *title = NULL;
      KtId id;

      for (guint j = 0; field->to != NULL && field->to[j] != NULL && title == NULL; j++)
        {
          const KtObject *object = kt_schema_object (schema, field->to[j]);

          if (object != NULL && kt_id_parse (item, -1, &id))
            title = kt_cli_title (object, &id, cli);
        }
      g_string_append_printf (text, "%s%s", i > 0 ? "; " : "", title != NULL ? title : item);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
kt_cli_display (KtCli *cli, const KtField *field, const KtValue *value)
{
  const KtSchema *schema = kt_local_schema (cli->local);
  char *title = NULL;

  if (value->type == KT_VALUE_ANY)
    {
      const KtObject *object = kt_schema_object (schema, value->v.ref.object);

      title = object != NULL ? kt_cli_title (object, &value->v.ref.id, cli) : NULL;
    }
  else if (value->type == KT_VALUE_ID)
    {
      for (guint i = 0; field->to != NULL && field->to[i] != NULL && title == NULL; i++)
        {
          const KtObject *object = kt_schema_object (schema, field->to[i]);

          title = object != NULL ? kt_cli_title (object, &value->v.ref.id, cli) : NULL;
        }
    }
  else if (field->type == KT_FIELD_MANY && value->type == KT_VALUE_LIST)
    {
      title = display_list (cli, field, value);
    }
  return title != NULL ? title : kt_value_display (field, value, cli->locale);
}

char *
kt_cli_now (KtCli *cli)
{
  const KtEnv *env = kt_local_env (cli->local);
  gint64 now_us = env->now_us (env->data);
  g_autoptr (GDateTime) now = g_date_time_new_from_unix_utc (now_us / G_USEC_PER_SEC);
  g_autofree char *text = now != NULL ? g_date_time_format (now, "%Y-%m-%dT%H:%M:%S") : NULL;

  if (text == NULL)
    return g_strdup ("1970-01-01T00:00:00.000Z");
  return g_strdup_printf ("%s.%03dZ", text, (int) (now_us / 1000 % 1000));
}

gboolean
kt_cli_commit (KtCli *cli, KtMutation *mutation, GError **error)
{
  g_autoptr (KtChangeSet) changes = NULL;

  return kt_local_commit (cli->local, mutation, NULL, &changes, error);
}

void
kt_cli_say_done (KtCli *cli, const KtMutation *mutation)
{
  g_autofree char *text = kt_mutation_describe (mutation, cli->locale, kt_cli_title, cli);

  kt_cli_print (cli, "%s", text);
}
