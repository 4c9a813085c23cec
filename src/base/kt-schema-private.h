/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-schema.h"

G_BEGIN_DECLS

#define KT_SCHEMA_MAX_OBJECTS  300
#define KT_SCHEMA_MAX_FIELDS   500
#define KT_SCHEMA_MAX_OPTIONS  1000
#define KT_SCHEMA_MAX_BYTES    (16 * 1024 * 1024)

struct _KtSchema
{
  gatomicrefcount refs;
  guint           version;
  GPtrArray      *documents;   /* KtJson*: own every label, option, default */
  GPtrArray      *objects;     /* KtObject*, in pack order */
  GHashTable     *by_name;     /* interned name → KtObject */
  GHashTable     *by_number;   /* number → KtObject */
  char           *json;
  char           *digest;
};

/* KtObject with what its struct does not show. */
typedef struct
{
  KtObject    object;
  GHashTable *by_name;         /* interned name → KtField */
} KtObjectReal;

/* What a schema is made of, wherever it came from. */
typedef struct
{
  const char *name;
  gint64      version;
  KtJson     *numbers;         /* or NULL */
  KtJson     *system;          /* {"fields":[…],"business":[…]} or NULL */
  GPtrArray  *objects;         /* KtJson*, in pack order */
  gboolean    files;           /* each from its own file OBJECT.json: strict, and named so in messages */
} KtSchemaSource;

typedef struct
{
  KtSchema *schema;
  const KtSchemaSource *source;
  const char *file;           /* object being read, or "system" */
  KtObjectReal *object;
  GHashTable *columns;        /* names of columns that are taken → field */
} KtSchemaLoader;

/* Place of @word in the NULL-terminated @words, -1 if none. */
int _kt_schema_word_index (const char *const *words, const char *word);
/* Readers of one member; absent leaves *out (label, text: NULL). @field may be NULL. */
gboolean _kt_schema_check_members (KtSchemaLoader *loader, const char *field, const KtJson *json,
                                   const char *const *known, GError **error);
gboolean _kt_schema_read_word     (KtSchemaLoader *loader, const char *field, const KtJson *json, const char *member,
                                   const char *const *words, int *out, GError **error);
gboolean _kt_schema_read_flag     (KtSchemaLoader *loader, const char *field, const KtJson *json, const char *member,
                                   gboolean *out, GError **error);
gboolean _kt_schema_read_text     (KtSchemaLoader *loader, const char *field, const KtJson *json, const char *member,
                                   const char **out, GError **error);
gboolean _kt_schema_read_label    (KtSchemaLoader *loader, const char *field, const KtJson *json, const char *member,
                                   const KtJson **out, GError **error);
/* "renamed_from": a name or a list of them. */
gboolean _kt_schema_read_was      (KtSchemaLoader *loader, const char *field, const KtJson *json, const char ***out,
                                   GError **error);
gboolean _kt_schema_read_field    (KtSchemaLoader *loader, KtField *field, const KtJson *json, GError **error);

/* Takes references of all trees in @source. */
KtSchema *_kt_schema_build (const KtSchemaSource *source, GError **error);
/* Everything that needs all objects to be there: references, titles, lists, layouts. */
gboolean  _kt_schema_check (KtSchema *schema, gboolean files, GError **error);

/* Error SCHEMA: "account.json: field "x": … (line 7)". @field, @at may be NULL. Always FALSE. */
gboolean _kt_schema_fail (const char *object, gboolean files, const char *field, const KtJson *at,
                          GError **error, const char *format, ...) G_GNUC_PRINTF (6, 7);

#define KT_SCHEMA_FAIL(loader, field, at, error, ...) \
  _kt_schema_fail ((loader)->file, (loader)->source->files, (field), (at), (error), __VA_ARGS__)

gboolean _kt_schema_name_ok (const char *name);

G_END_DECLS
