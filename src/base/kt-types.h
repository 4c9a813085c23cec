/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

/* Every opaque or shared typedef of the layers base and proto, so that headers
 * need not include one another just for a pointer. */
typedef struct _KtId       KtId;
typedef struct _KtValue    KtValue;
typedef struct _KtJson     KtJson;
typedef struct _KtSchema   KtSchema;
typedef struct _KtObject   KtObject;
typedef struct _KtField    KtField;
typedef struct _KtRecord   KtRecord;
typedef struct _KtPatch    KtPatch;
typedef struct _KtFilter   KtFilter;
typedef struct _KtQuery    KtQuery;
typedef struct _KtEnv      KtEnv;
typedef struct _KtMutation KtMutation;
typedef struct _KtOp       KtOp;

G_END_DECLS
