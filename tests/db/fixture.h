/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib/gstdio.h>
#include <string.h>

#include "base/kt-error.h"
#include "base/kt-schema.h"
#include "db/kt-db.h"

/* One empty database for each test: a file of its own, or the one in KONTOR_TEST_PG emptied. */
typedef struct
{
  char *folder;
  char *path;
  char *uri;
  KtDb *db;
} Fixture;

static inline gboolean
on_postgresql (void)
{
  return g_getenv ("KONTOR_TEST_PG") != NULL;
}

static inline void
remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_unlink (path);
    }
  g_rmdir (folder);
}

static inline void
fixture_set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->folder = g_dir_make_tmp ("kontor-db-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->path = g_build_filename (fixture->folder, "test.db", NULL);
  fixture->uri = g_strdup (on_postgresql () ? g_getenv ("KONTOR_TEST_PG") : fixture->path);
  fixture->db = kt_db_open (fixture->uri, KT_DB_CREATE, &error);
  g_assert_no_error (error);
  if (on_postgresql ())
    {
      kt_db_exec (fixture->db, "DROP SCHEMA public CASCADE; CREATE SCHEMA public", &error);
      g_assert_no_error (error);
    }
}

static inline void
fixture_tear_down (Fixture *fixture, gconstpointer data)
{
  kt_db_close (fixture->db);
  remove_folder (fixture->folder);
  g_free (fixture->folder);
  g_free (fixture->path);
  g_free (fixture->uri);
}

static inline KtDb *
fixture_open_another (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  KtDb *db = kt_db_open (fixture->uri, 0, &error);

  g_assert_no_error (error);
  return db;
}

static inline void
exec_ok (KtDb *db, const char *sql)
{
  g_autoptr (GError) error = NULL;

  kt_db_exec (db, sql, &error);
  g_assert_no_error (error);
}

static inline gint64
int_of (KtDb *db, const char *sql)
{
  g_autoptr (GError) error = NULL;
  gint64 value = -1;

  kt_db_get_int (db, -1, &value, &error, sql, KT_BIND_END);
  g_assert_no_error (error);
  return value;
}

static inline void
begin_ok (KtDb *db, KtTxMode mode)
{
  g_autoptr (GError) error = NULL;

  kt_db_begin (db, mode, &error);
  g_assert_no_error (error);
}

static inline void
commit_ok (KtDb *db)
{
  g_autoptr (GError) error = NULL;

  kt_db_commit (db, &error);
  g_assert_no_error (error);
}
