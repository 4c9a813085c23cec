/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fixture.h"
#include "store/kt-import.h"

G_BEGIN_DECLS

/* A file in the folder of the fixture; the path is borrowed until the next call. */
const char *kit_bytes (Fix *fix, const char *name, const void *bytes, gsize len);
const char *kit_file (Fix *fix, const char *text);
/* @text as a file into @object. The maps: "COLUMN=FIELD", "set:FIELD=VALUE", "match:FIELD", "locale:de", "create". */
KtImportPlan *kit_plan (Fix *fix, const char *object, const char *path, ...) G_GNUC_NULL_TERMINATED;
/* A trial, which must foretell the rest, then the run. */
KtImportResult *kit_run (Fix *fix, KtImportPlan *plan);
KtImportResult *
kit_import (Fix *fix, const char *object, const char *text, ...) G_GNUC_NULL_TERMINATED;
/* "c2 u1 =0 f1" and the problems, one a line: "3 Phone: …". */
char *kit_says (const KtImportResult *result);
/* One field of the record that is called @name. "-": no value. */
char *kit_get (Fix *fix, const char *object, const char *name, const char *field);

#define assert_says(result, expected)           \
  G_STMT_START                                  \
  {                                             \
    g_autofree char *_says = kit_says (result); \
    g_assert_cmpstr (_says, ==, expected);      \
  }                                             \
  G_STMT_END
#define assert_get(fix, object, name, field, expected)          \
  G_STMT_START                                                  \
  {                                                             \
    g_autofree char *_got = kit_get (fix, object, name, field); \
    g_assert_cmpstr (_got, ==, expected);                       \
  }                                                             \
  G_STMT_END
/* Imports and checks in one. */
#define assert_import(fix, object, text, expected, ...)                               \
  G_STMT_START                                                                        \
  {                                                                                   \
    g_autoptr (KtImportResult) _result = kit_import (fix, object, text, __VA_ARGS__); \
    assert_says (_result, expected);                                                  \
  }                                                                                   \
  G_STMT_END

G_END_DECLS
