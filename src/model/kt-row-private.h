/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "kt-model-private.h"
#include "model/kt-list-model.h"

G_BEGIN_DECLS

/* A slot as its list model sees it. */
KtRow   *_kt_row_new          (KtListModel *model, KtWorkspace *workspace, guint position, gint64 key);
/* The model is going; the slot keeps what it shows. */
void     _kt_row_detach       (KtRow *row);
gint64   _kt_row_key          (KtRow *row);          /* 0: beyond the end */
/* Another record stands here now: shows @record, or what it showed until that is loaded. TRUE: what it shows changed. */
gboolean _kt_row_set          (KtRow *row, gint64 key, KtRecord *record);
/* Titles or states arrived. TRUE: some text that was given out is different now. */
gboolean _kt_row_refresh_texts (KtRow *row);
gboolean _kt_row_refresh_state (KtRow *row);
void     _kt_row_notify       (KtRow *row);

/* kt-record-cache.c */
typedef struct _KtRecordCache KtRecordCache;
KtRecordCache *_kt_record_cache_new     (void);
void           _kt_record_cache_free    (KtRecordCache *cache);
KtRecord      *_kt_record_cache_get     (KtRecordCache *cache, gint64 key);                     /* borrowed; NULL */
void           _kt_record_cache_put     (KtRecordCache *cache, gint64 key, KtRecord *record);   /* NULL: forget it */
void           _kt_record_cache_clear   (KtRecordCache *cache);
void           _kt_record_cache_changed (KtRecordCache *cache, const KtChanges *changes);
guint          _kt_record_cache_length  (KtRecordCache *cache);

KtWorkspace    *_kt_list_model_workspace (KtListModel *self);
const KtObject *_kt_list_model_object    (KtListModel *self);      /* as the schema is now; NULL: no query yet */
/* In kt-list-model.c: a slot died, or is looked at without being loaded. */
void     _kt_list_model_forget (KtListModel *self, guint position);
/* For tests: records read from the database so far, and slots and records held. */
guint64  _kt_list_model_rows_read (KtListModel *self);
void     _kt_list_model_held   (KtListModel *self, guint *slots, guint *cached);

G_END_DECLS
