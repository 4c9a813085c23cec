/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A newer program brings a newer schema (P13). Versions decide, not contents: a program that was put back must not take
 * fields away from people, and a workspace never learns the same version twice. */

#define G_LOG_DOMAIN "kt-server"

#include "config.h"

#include "kt-core-private.h"

#include <string.h>

#include "base/kt-error.h"

/* Machine failures end the start; what a schema says does not: people go on with what they had. */
static gboolean
is_about_schema (const GError *error)
{
  return g_error_matches (error, KT_ERROR, KT_ERROR_SCHEMA)
         || g_error_matches (error, KT_ERROR, KT_ERROR_INVALID)
         || g_error_matches (error, KT_ERROR, KT_ERROR_LIMIT)
         || g_error_matches (error, KT_ERROR, KT_ERROR_NOT_FOUND);
}

static char *
pack_name (const KtSchema *schema)
{
  g_autoptr (KtJson) json = kt_json_parse (kt_schema_to_json (schema), -1, NULL);

  return g_strdup (kt_json_get_string (json, "name", ""));
}

/* NULL: @pack is to be taken up; "": there is nothing to do or to say. */
static char *
reason_not_to (const KtSchema *mine, const KtSchema *pack, const KtSchema *numbered)
{
  g_autofree char *my_name = pack_name (mine);
  g_autofree char *its_name = pack_name (pack);
  guint my_version = kt_schema_version (mine), its_version = kt_schema_version (pack);

  /* A workspace with a schema of its own. */
  if (strcmp (my_name, its_name) != 0)
    return g_strdup ("");
  if (its_version > my_version)
    return NULL;
  if (its_version < my_version)
    return g_strdup_printf ("The schema of this program (version %u) is older than that of the workspace (version %u): "
                            "the workspace keeps its own. Use the newer program again",
                            its_version, my_version);
  if (strcmp (kt_schema_digest (mine), kt_schema_digest (numbered)) == 0)
    return g_strdup ("");
  return g_strdup_printf ("The schema of this program differs from that of the workspace and both say version %u: the "
                          "workspace keeps its own. Raise \"version\" in pack.json for it to be taken up",
                          its_version);
}

gboolean
kt_core_take_up_pack (KtCore *core, const char *schema_dir, char **said, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autoptr (KtSchema) pack = NULL;
  g_autoptr (KtSchema) numbered = NULL;
  g_autofree char *reason = NULL;
  guint before;

  g_return_val_if_fail (core != NULL && schema_dir != NULL && said != NULL, FALSE);

  *said = NULL;
  before = kt_schema_version (core->schema);
  pack = _kt_core_load_pack (schema_dir, core->currency, &why);
  if (pack != NULL)
    numbered = kt_schema_with_numbers (pack, core->schema, &why);
  if (numbered != NULL)
    {
      reason = reason_not_to (core->schema, pack, numbered);
      if (reason != NULL)
        {
          *said = *reason != '\0' ? g_steal_pointer (&reason) : NULL;
          return TRUE;
        }
      if (kt_core_set_schema (core, numbered, &why))
        {
          *said = g_strdup_printf ("The workspace has moved from version %u to version %u of the schema",
                                   before, kt_schema_version (numbered));
          return TRUE;
        }
    }
  if (!is_about_schema (why))
    {
      g_propagate_error (error, g_steal_pointer (&why));
      return FALSE;
    }
  *said = g_strdup_printf ("The schema of this program cannot be taken up, the workspace keeps its own (version %u): %s",
                           before, why->message);
  return TRUE;
}
