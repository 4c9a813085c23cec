/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-json.h"
#include "base/kt-value.h"

G_BEGIN_DECLS

/* Objects, fields, relations, layouts as data. A KtSchema is immutable, atomic
 * ref-counted and shared between threads; KtObject and KtField live exactly as
 * long as it does and may be compared by pointer within one schema.
 *
 * The text form (one JSON document, kt_schema_to_json) is what the server keeps
 * and sends; data/schema/ holds the same cut into one file per object:
 * pack.json, system.json, OBJECT.json (seed.json is records, not schema). */

typedef enum
{
  KT_FIELD_TEXT, KT_FIELD_LONG_TEXT, KT_FIELD_RICH_TEXT, KT_FIELD_EMAIL, KT_FIELD_PHONE, KT_FIELD_URL,
  KT_FIELD_INTEGER, KT_FIELD_DECIMAL, KT_FIELD_MONEY, KT_FIELD_PERCENT, KT_FIELD_BOOLEAN,
  KT_FIELD_DATE, KT_FIELD_DATE_TIME, KT_FIELD_DURATION,
  KT_FIELD_CHOICE, KT_FIELD_CHOICES, KT_FIELD_TAGS,
  KT_FIELD_REF, KT_FIELD_REF_ANY, KT_FIELD_MANY,
  KT_FIELD_AUTO_NUMBER, KT_FIELD_ADDRESS, KT_FIELD_FILE, KT_FIELD_IMAGE, KT_FIELD_JSON,
  KT_N_FIELD_TYPES
} KtFieldType;

typedef enum   /* what happens when mine and theirs both differ from base (P6) */
{
  KT_POLICY_LATEST,   /* the later to arrive at the server wins; the other is kept as superseded */
  KT_POLICY_SERVER,   /* the server's value stays */
  KT_POLICY_MINE,     /* the arriving value wins */
  KT_POLICY_UNION,    /* sets: additions and removals of both sides */
  KT_POLICY_SUM,      /* counters: theirs + (mine − base) */
  KT_POLICY_TEXT,     /* three-way by line; overlapping lines go to review */
  KT_POLICY_STATE,    /* transition theirs → mine must be allowed, else review */
  KT_POLICY_REVIEW,   /* a person decides; the server's value stands meanwhile */
} KtPolicy;

typedef enum { KT_KIND_OBJECT, KT_KIND_ACTIVITY, KT_KIND_CHILD, KT_KIND_ADMIN } KtObjectKind;
typedef enum { KT_CONFLICT_MERGE, KT_CONFLICT_APPEND, KT_CONFLICT_STATE, KT_CONFLICT_SERVER } KtObjectConflict;
typedef enum { KT_SYNC_FULL, KT_SYNC_SCOPE, KT_SYNC_DEMAND } KtObjectSync;

typedef struct
{
  const char *value;       /* code */
  const KtJson *label;
  const char *colour;      /* may be NULL */
} KtOption;

struct _KtField
{
  const KtObject *object;
  guint           index;        /* position in object->fields: the record's value slot */
  const char     *name;         /* interned */
  KtFieldType     type;
  KtValueType     storage;
  KtPolicy        policy;
  const KtJson   *label;
  guint           required : 1, audited : 1, indexed : 1, personal : 1, computed : 1, unique : 1, open : 1, system : 1;
  guint           scale;        /* DECIMAL, MONEY, PERCENT */
  guint           max;          /* characters of text; elements of lists */
  const char    **to;           /* REF, REF_ANY, MANY: interned object names, NULL-terminated; {"*"} = any; else NULL */
  const KtOption *options;
  guint           n_options;
  const KtJson   *transitions;  /* {"draft":["sent"],…} or NULL */
  const KtJson   *default_value;/* wire form or NULL */
  const char     *formula;      /* SQL expression over fields of the same record, or NULL */
  const char     *from;         /* "ref_field.field" copied from a referenced record, or NULL */
  const char     *format;       /* AUTO_NUMBER: "C-{000000}"; INTEGER: "plain" (digits are not grouped) or NULL */
  const char    **was;          /* `renamed_from`: former names, interned, NULL-terminated; or NULL */
};

struct _KtObject
{
  const KtSchema  *schema;
  guint            number;      /* 1…; stable for the life of the database (assigned in pack order, kept over versions) */
  const char      *name;        /* interned */
  KtObjectKind     kind;
  KtObjectConflict conflict;
  KtObjectSync     sync;
  const char      *group;
  const char      *icon;
  gboolean         visible;
  const KtJson    *label, *plural;
  const KtField   *title;       /* never NULL */
  const KtField   *translations;/* JSON field with titles by locale, or NULL */
  const KtField  **fields;      /* own fields, then business, then system fields; NULL-terminated */
  guint            n_fields;
  const KtField  **by_name;     /* the same, in the bytewise order of their names */
  const KtJson    *json;        /* the whole definition, for layout, list, related, aliases, subtitle */
  const char     **was;         /* former names, as of a field */
};

/* dir: data/schema. Errors SCHEMA: "opportunity.json: field "stage": refers to unknown object "stages"". */
KtSchema *kt_schema_load_dir   (const char *dir, GError **error);
/* The one-document form {"name","version","numbers":{…},"system":{…},"objects":[…]}.  */
KtSchema *kt_schema_from_json  (const char *text, gssize len, GError **error);
const char *kt_schema_to_json  (const KtSchema *schema);         /* borrowed, canonical, computed once */
const char *kt_schema_digest   (const KtSchema *schema);         /* hex SHA-256 of that text: its identity on the wire (ETag) */
guint     kt_schema_version    (const KtSchema *schema);
/* @schema with the object numbers of @older kept (retired ones stay taken) and
 * new objects numbered behind them: what an upgrade of the pack goes through. */
KtSchema *kt_schema_with_numbers (const KtSchema *schema, const KtSchema *older, GError **error);
KtSchema *kt_schema_ref        (const KtSchema *schema);
void      kt_schema_unref      (KtSchema *schema);

/* Both find by former names, too (`renamed_from`): what was written under one, in an outbox, a ledger or a saved
 * list, still means the same. For this a name that was given up cannot be given to something else. */
const KtObject *const *kt_schema_objects (const KtSchema *schema, guint *n);   /* in pack order */
const KtObject *kt_schema_object  (const KtSchema *schema, const char *name);  /* NULL if none, or no schema */
const KtObject *kt_schema_object_by_number (const KtSchema *schema, guint number);
const KtField  *kt_object_field   (const KtObject *object, const char *name);  /* NULL if none */
/* Own list columns / sort / layout read from object->json, with sane defaults when absent. */
const KtField **kt_object_list_fields (const KtObject *object, guint *n);      /* g_free; at most 8 */
const char *kt_object_label  (const KtObject *object, const char *locale);
const char *kt_object_plural (const KtObject *object, const char *locale);
const char *kt_field_label   (const KtField *field, const char *locale);
const KtOption *kt_field_option (const KtField *field, const char *value);     /* by code; NULL if none */
const char *kt_option_label  (const KtOption *option, const char *locale);
const char *kt_field_type_word (KtFieldType type);
gboolean    kt_field_accepts (const KtField *field, const char *object);       /* may a ref point there? */

/* What changed between two schemas, for migration: lists of added objects,
 * added fields, removed ones (columns are kept, only hidden), changed types.
 * Both borrowed; result freed by kt_schema_diff_free. */
typedef struct
{
  GPtrArray *new_objects;      /* const KtObject* of @to */
  GPtrArray *new_fields;       /* const KtField* of @to, in objects that both have */
  GPtrArray *new_indices;      /* const KtField* of @to that became indexed, new fields included */
  GPtrArray *retired_fields;   /* const KtField* of @from */
  GPtrArray *retired_objects;
  GPtrArray *retyped_fields;   /* const KtField* of @to whose storage or scale changed */
} KtSchemaDiff;
KtSchemaDiff *kt_schema_diff      (const KtSchema *from, const KtSchema *to);
void          kt_schema_diff_free (KtSchemaDiff *diff);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtSchema, kt_schema_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtSchemaDiff, kt_schema_diff_free)

G_END_DECLS
