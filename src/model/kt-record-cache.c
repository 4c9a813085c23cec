/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The records a list read last, by key: scrolling back asks nobody. */

#define G_LOG_DOMAIN "kt-model"

#include "config.h"

#include "kt-row-private.h"

#define MAX_RECORDS 800

typedef struct
{
  gint64 key;
  KtRecord *record;
  GList link; /* in `recent` */
} Cached;

struct _KtRecordCache
{
  GHashTable *by_key; /* gint64* → Cached */
  GQueue recent;      /* newest first */
};

static void
cached_free (Cached *cached)
{
  kt_record_unref (cached->record);
  g_free (cached);
}

KtRecordCache *
_kt_record_cache_new (void)
{
  KtRecordCache *self = g_new0 (KtRecordCache, 1);

  self->by_key =
    g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) cached_free);
  return self;
}

void
_kt_record_cache_free (KtRecordCache *cache)
{
  if (cache == NULL)
    return;
  g_hash_table_unref (cache->by_key);
  g_free (cache);
}

static void
drop (KtRecordCache *self, Cached *cached)
{
  g_queue_unlink (&self->recent, &cached->link);
  g_hash_table_remove (self->by_key, &cached->key);
}

KtRecord *
_kt_record_cache_get (KtRecordCache *cache, gint64 key)
{
  Cached *cached = g_hash_table_lookup (cache->by_key, &key);

  if (cached == NULL)
    return NULL;
  g_queue_unlink (&cache->recent, &cached->link);
  g_queue_push_head_link (&cache->recent, &cached->link);
  return cached->record;
}

void
_kt_record_cache_put (KtRecordCache *cache, gint64 key, KtRecord *record)
{
  Cached *cached = g_hash_table_lookup (cache->by_key, &key);

  if (cached != NULL)
    drop (cache, cached);
  if (record == NULL)
    return;
  cached = g_new0 (Cached, 1);
  cached->key = key;
  cached->record = kt_record_ref (record);
  cached->link.data = cached;
  g_hash_table_insert (cache->by_key, &cached->key, cached);
  g_queue_push_head_link (&cache->recent, &cached->link);
  while (cache->recent.length > MAX_RECORDS)
    drop (cache, cache->recent.tail->data);
}

void
_kt_record_cache_clear (KtRecordCache *cache)
{
  while (cache->recent.head != NULL)
    drop (cache, cache->recent.head->data);
}

void
_kt_record_cache_changed (KtRecordCache *cache, const KtChanges *changes)
{
  GList *link = cache->recent.head;

  while (link != NULL)
    {
      Cached *cached = link->data;

      link = link->next;
      if (kt_changes_record (changes, &cached->record->id))
        drop (cache, cached);
    }
}

guint
_kt_record_cache_length (KtRecordCache *cache)
{
  return cache->recent.length;
}
