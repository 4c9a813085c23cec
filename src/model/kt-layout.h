/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-query.h"

G_BEGIN_DECLS

/* How the schema wants things shown, without its JSON: pure functions over a KtSchema.
 * Object and field pointers live as long as the schema they are from. */

/* Sidebar: visible objects by group, in pack order. Labels localised. */
typedef struct
{
  const char      *name;          /* "sales" */
  char            *label;         /* "Sales" */
  const KtObject **objects;       /* n_objects */
  guint            n_objects;
} KtGroup;
GPtrArray *kt_layout_groups (const KtSchema *schema, const char *locale);     /* KtGroup*; free the array */
/* "kt-contact-symbolic". g_free. */
char      *kt_layout_icon   (const KtObject *object);

/* Record page: sections with the fields that exist. @closed: system information, folded at first. */
typedef struct
{
  char           *label;
  const KtField **fields;         /* n_fields */
  guint           n_fields;
  gboolean        closed;
} KtSection;
GPtrArray      *kt_layout_sections   (const KtObject *object, const char *locale);   /* KtSection*; free the array */
/* The three to five facts below the title. g_free. */
const KtField **kt_layout_key_fields (const KtObject *object, guint *n);
/* What a small "new" dialog asks for: title, required and list fields that can be typed. g_free. */
const KtField **kt_layout_new_fields (const KtObject *object, guint *n);

/* List page: everything, in the object's own order. (Columns: kt_object_list_fields.) */
KtQuery        *kt_layout_query      (const KtObject *object, gboolean bin);
gboolean        kt_layout_sortable   (const KtField *field);
/* Numbers, money, percent, durations: set flush right. */
gboolean        kt_layout_numeric    (const KtField *field);

/* Parts of an address in the order people of @locale write them: "street", … NULL-terminated, static. */
const char *const *kt_layout_address_parts (const char *locale);
const char        *kt_layout_address_part_label (const char *part);

G_END_DECLS
