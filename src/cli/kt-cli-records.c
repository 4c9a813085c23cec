/* SPDX-License-Identifier: GPL-3.0-or-later */
#define G_LOG_DOMAIN "kt-cli"

#include "config.h"

#include "cli/kt-cli-private.h"

#include <string.h>

/* One record: made, changed, binned, taken back, shown. Each command is one mutation. */

static void
print_id (KtCli *cli, const KtId *id)
{
  char text[KT_ID_TEXT_SIZE];

  kt_id_format (id, text);
  if (cli->json)
    {
      GString *json = g_string_new (NULL);

      g_string_append_printf (json, "{\"id\":\"%s\"}", text);
      kt_cli_put_json (cli, json);
    }
  else
    {
      kt_cli_print (cli, "%s", text);
    }
}

/* All that a rule has against it, when that was the reason. */
static gboolean
commit (KtCli *cli,
        KtMutation *mutation,
        const KtRecord *before,
        const KtRecord *after,
        GError **error)
{
  g_autoptr (GError) failure = NULL;

  if (kt_cli_commit (cli, mutation, &failure))
    return TRUE;
  if (g_error_matches (failure, KT_ERROR, KT_ERROR_INVALID) && after != NULL)
    {
      guint n = kt_cli_say_problems (cli, before, after);

      if (n > 0)
        {
          g_set_error (
            error, KT_ERROR, KT_ERROR_INVALID,
            n == 1 ? "Nothing was changed: %u mistake" : "Nothing was changed: %u mistakes", n);
          return FALSE;
        }
    }
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
kt_cli_new (KtCli *cli, GError **error)
{
  g_autoptr (KtMutation) mutation = NULL;
  g_autoptr (KtRecord) record = NULL;
  g_autoptr (KtPatch) patch = NULL;
  g_autofree char *now = NULL;
  const KtObject *object;
  KtId id;

  if (!kt_cli_open (cli, KT_CLI_SIGNED, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  if (object == NULL)
    return FALSE;

  id = kt_id_new (kt_local_env (cli->local));
  record = kt_record_new (object, &id);
  if (!kt_cli_assign (cli, record, (const char *const *) cli->args->pdata + 1, cli->args->len - 1,
                      error))
    return FALSE;
  now = kt_cli_now (cli);
  mutation = kt_mutation_new (now, "client");
  patch = kt_patch_diff (NULL, record);
  kt_mutation_add (mutation, KT_MUTATE_CREATE, object, &id, 0, g_steal_pointer (&patch));
  kt_record_apply_defaults (record);
  if (!commit (cli, mutation, NULL, record, error))
    return FALSE;
  print_id (cli, &id);
  return TRUE;
}

gboolean
kt_cli_set (KtCli *cli, GError **error)
{
  g_autoptr (KtMutation) mutation = NULL;
  g_autoptr (KtRecord) before = NULL;
  g_autoptr (KtRecord) after = NULL;
  g_autoptr (KtPatch) patch = NULL;
  g_autofree char *now = NULL;
  const KtObject *object;

  if (!kt_cli_open (cli, KT_CLI_SIGNED, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  if (object == NULL)
    return FALSE;
  before = kt_cli_record (cli, object, kt_cli_arg (cli, 1), error);
  if (before == NULL)
    return FALSE;

  after = kt_record_copy (before);
  if (!kt_cli_assign (cli, after, (const char *const *) cli->args->pdata + 2, cli->args->len - 2,
                      error))
    return FALSE;
  patch = kt_patch_diff (before, after);
  if (kt_patch_length (patch) > 0)
    {
      now = kt_cli_now (cli);
      mutation = kt_mutation_new (now, "client");
      kt_mutation_add (mutation, KT_MUTATE_UPDATE, object, &before->id, before->rev,
                       g_steal_pointer (&patch));
      if (!commit (cli, mutation, before, after, error))
        return FALSE;
    }
  if (cli->json)
    print_id (cli, &before->id);
  else if (mutation != NULL)
    kt_cli_say_done (cli, mutation);
  else
    kt_cli_print (cli, "Nothing to change");
  return TRUE;
}

/* What is in the bin has left its name to others, so kt_cli_record finds it only by its id. */
static KtRecord *
record_in_bin (KtCli *cli, const KtObject *object, const char *name, GError **error)
{
  KtId id;

  g_clear_error (error);
  return kt_local_find_binned (cli->local, object, name, &id, error)
           ? kt_local_load (cli->local, object, &id, error)
           : NULL;
}

/* DELETE or RESTORE of all that are named, or of none. */
static gboolean
move (KtCli *cli, KtMutateKind kind, GError **error)
{
  g_autoptr (KtMutation) mutation = NULL;
  g_autofree char *now = NULL;
  const KtObject *object;

  if (!kt_cli_open (cli, KT_CLI_SIGNED, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  if (object == NULL)
    return FALSE;

  now = kt_cli_now (cli);
  mutation = kt_mutation_new (now, "client");
  for (guint i = 1; i < cli->args->len; i++)
    {
      g_autoptr (KtRecord) record = NULL;
      g_autoptr (GError) failure = NULL;

      record = kt_cli_record (cli, object, kt_cli_arg (cli, i), &failure);
      if (record == NULL && kind == KT_MUTATE_RESTORE
          && g_error_matches (failure, KT_ERROR, KT_ERROR_NOT_FOUND))
        record = record_in_bin (cli, object, kt_cli_arg (cli, i), &failure);
      if (record == NULL)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      if (kt_record_deleted (record) != (kind == KT_MUTATE_DELETE))
        kt_mutation_add (mutation, kind, object, &record->id, record->rev, NULL);
    }
  if (mutation->ops->len > 0 && !kt_cli_commit (cli, mutation, error))
    return FALSE;

  for (guint i = 0; cli->json && i < mutation->ops->len; i++)
    print_id (cli, &((KtOp *) g_ptr_array_index (mutation->ops, i))->id);
  if (!cli->json && mutation->ops->len > 0)
    kt_cli_say_done (cli, mutation);
  if (mutation->ops->len == 0)
    kt_cli_say (cli,
                kind == KT_MUTATE_DELETE ? "It is in the bin already" : "It is not in the bin");
  return TRUE;
}

gboolean
kt_cli_delete (KtCli *cli, GError **error)
{
  return move (cli, KT_MUTATE_DELETE, error);
}

gboolean
kt_cli_restore (KtCli *cli, GError **error)
{
  return move (cli, KT_MUTATE_RESTORE, error);
}

static void
print_record (KtCli *cli, const KtRecord *record)
{
  const KtObject *object = record->object;
  char id[KT_ID_TEXT_SIZE];
  guint width = 4;

  kt_id_format (&record->id, id);
  for (guint i = 0; i < object->n_fields; i++)
    {
      if (!kt_value_is_null (&record->values[i]))
        width = MAX (width, kt_cli_width (kt_field_label (object->fields[i], cli->locale)));
    }
  kt_cli_print_pair (cli, "id", width, id);
  for (guint i = 0; i < object->n_fields; i++)
    {
      g_autofree char *text = NULL;

      if (kt_value_is_null (&record->values[i]))
        continue;
      text = kt_cli_display (cli, object->fields[i], &record->values[i]);
      kt_cli_print_pair (cli, kt_field_label (object->fields[i], cli->locale), width, text);
    }
}

gboolean
kt_cli_get (KtCli *cli, GError **error)
{
  g_autoptr (KtRecord) record = NULL;
  const KtObject *object;

  if (!kt_cli_open (cli, KT_CLI_READY | KT_CLI_READS, error))
    return FALSE;
  object = kt_cli_object (cli, kt_cli_arg (cli, 0), error);
  if (object == NULL)
    return FALSE;
  record = kt_cli_record (cli, object, kt_cli_arg (cli, 1), error);
  if (record == NULL)
    return FALSE;
  if (cli->json)
    {
      GString *text = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (text);

      kt_record_to_json (record, TRUE, &writer);
      kt_cli_put_json (cli, text);
    }
  else
    {
      print_record (cli, record);
    }
  return TRUE;
}
