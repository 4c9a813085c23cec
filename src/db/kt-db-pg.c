/* SPDX-License-Identifier: GPL-3.0-or-later */

/* PostgreSQL.
 *
 * A statement is prepared on the server at its first step, when the types of
 * its parameters are known from what was bound: int8, text or bytea, and left
 * to the server for NULL. Should other types be bound later it is prepared anew.
 * Integers and blobs go as binary, results come as text. A result is held whole
 * in memory, so that other statements can run meanwhile: ask for pages.
 *
 * A database that restarts takes its connections with it. What was in a transaction fails; whatever
 * begins next, a transaction or a statement alone, makes the connection anew. Statements
 * remember in which life of the connection they were prepared. */

#define G_LOG_DOMAIN "kt-db"

#include "config.h"

#include "kt-db-private.h"

#include <libpq-fe.h>
#include <string.h>

#include "base/kt-error.h"

#define OID_BYTEA 17
#define OID_INT8 20
#define OID_TEXT 25
#define OID_BOOL 16

#define OLDEST_SERVER 130000 /* normalize () */

#define SESSION                                                                         \
  "SET standard_conforming_strings = on; SET bytea_output = hex; SET timezone = 'UTC';" \
  "SET client_min_messages = warning; SET lock_timeout = 5000; SET jit = off;"          \
  "SELECT set_config('synchronous_commit', 'on', false)"                                \
  " WHERE current_setting('synchronous_commit') = 'off'"

typedef struct
{
  KtDb base;

  /* owned */
  PGconn *handle;
  GMutex lock;        /* for cancel: other threads interrupt */
  PGcancel *cancel;
  char *collation;    /* with lower case for all of Unicode */
  GString *forgotten; /* DEALLOCATE … that could not be said yet */

  KtDbFlags flags;
  guint n_statements;
  guint life;       /* of the connection */
  guint ready : 1;  /* the session is set up */
} PgDb;

typedef struct
{
  const char *data; /* borrowed; or binary; NULL: NULL */
  gsize len;
  Oid type;      /* 0: NULL */
  gint64 binary; /* big-endian */
} Parameter;

typedef struct
{
  KtStmt base;

  /* owned */
  char *text; /* translated */
  char name[16];
  int n_parameters;
  Parameter *parameters;
  Oid *types; /* as prepared */
  const char **values;
  int *lengths;
  int *formats;
  PGresult *result;
  GPtrArray *blobs; /* GByteArray per column, for this row; NULL where none was asked for */

  /* state */
  int row;
  guint life; /* in which it was prepared */
  guint prepared : 1;
  guint refused : 1; /* text that no database should get */
} PgStmt;

static const KtDbDriver driver;

/* ---- errors ---- */

static gboolean
is_one_of (const char *state, const char *const *states)
{
  for (; *states != NULL; states++)
    if (g_str_has_prefix (state, *states))
      return TRUE;
  return FALSE;
}

static KtError
error_code (const char *state)
{
  static const struct
  {
    KtError code;
    const char *states[8];
  } table[] = {
    { KT_ERROR_NETWORK, { "08", "57P01", "57P02", "57P03", "57P05", "25P03", NULL } },
    { KT_ERROR_CONFLICT, { "23505", "23503", "23001", "23P01", NULL } },
    { KT_ERROR_BUSY, { "40001", "40P01", "55P03", "55006", "53300", NULL } },
    { KT_ERROR_FULL, { "53100", NULL } },
    { KT_ERROR_LIMIT, { "54", "53400", NULL } },
    { KT_ERROR_CORRUPT, { "XX001", "XX002", NULL } },
    { KT_ERROR_IO, { "58", "53", "25006", "42501", NULL } },
    { KT_ERROR_AUTH, { "28", NULL } },
    { KT_ERROR_NOT_FOUND, { "3D000", NULL } },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    if (is_one_of (state, table[i].states))
      return table[i].code;
  return KT_ERROR_INTERNAL;
}

/* The first line of what the library says, without its line end. g_free. */
static char *
first_line (const char *message)
{
  return g_strndup (message, strcspn (message, "\n"));
}

static void
set_lost (PgDb *self, GError **error)
{
  g_autofree char *line = first_line (PQerrorMessage (self->handle));

  g_set_error (error, KT_ERROR, KT_ERROR_NETWORK, "The connection to %s is lost: %s",
               self->base.name, line);
}

static void
set_error (PgDb *self, const PGresult *result, const char *sql, GError **error)
{
  const char *state = result != NULL ? PQresultErrorField (result, PG_DIAG_SQLSTATE) : NULL;
  const char *message =
    result != NULL ? PQresultErrorField (result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
  const char *constraint;
  g_autofree char *excerpt = NULL;
  KtError code;

  if (PQstatus (self->handle) != CONNECTION_OK || state == NULL)
    {
      set_lost (self, error);
      return;
    }
  if (strcmp (state, "57014") == 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The work on %s was cancelled",
                   self->base.name);
      return;
    }

  code = error_code (state);
  switch ((int) code)
    {
    case KT_ERROR_CONFLICT:
      constraint = PQresultErrorField (result, PG_DIAG_CONSTRAINT_NAME);
      g_set_error (error, KT_ERROR, code, "%s: a record breaks the constraint %s", self->base.name,
                   constraint != NULL ? constraint : "of a table");
      return;
    case KT_ERROR_BUSY:
      g_set_error (error, KT_ERROR, code, "%s is busy (%s): try again", self->base.name, message);
      return;
    case KT_ERROR_FULL:
      g_set_error (error, KT_ERROR, code,
                   "There is no room left on the disk for %s: free some space and try again",
                   self->base.name);
      return;
    case KT_ERROR_CORRUPT:
      g_set_error (error, KT_ERROR, code, "%s is damaged (%s): restore it from a backup",
                   self->base.name, message);
      return;
    case KT_ERROR_INTERNAL:
      break;
    default:
      g_set_error (error, KT_ERROR, code, "%s: %s", self->base.name, message);
      return;
    }

  /* "Data exceptions" and broken checks cite the data. */
  excerpt = _kt_db_excerpt (sql);
  if (g_str_has_prefix (state, "22") || g_str_has_prefix (state, "23"))
    message = "a value does not fit";
  g_set_error (error, KT_ERROR, KT_ERROR_INTERNAL, "%s: %s (%s) in: %s", self->base.name, message,
               state, excerpt);
}

static gboolean
is_fine (const PGresult *result)
{
  ExecStatusType status = PQresultStatus (result);

  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

static void
clear_bytes (gpointer bytes)
{
  if (bytes != NULL)
    g_byte_array_unref (bytes);
}

/* ---- the connection ---- */

static void
notice_cb (void *data, const PGresult *result)
{
  const char *state = PQresultErrorField (result, PG_DIAG_SQLSTATE);

  g_debug ("a notice of PostgreSQL: %s", state != NULL ? state : "?");
}

static char *
ask (PgDb *self, const char *sql)
{
  PGresult *result = PQexec (self->handle, sql);
  char *answer = NULL;

  if (PQresultStatus (result) == PGRES_TUPLES_OK && PQntuples (result) > 0)
    answer = g_strdup (PQgetvalue (result, 0, 0));
  PQclear (result);
  return answer;
}

static gboolean
set_up (PgDb *self, GError **error)
{
  g_autofree char *encoding = NULL;
  const char *session =
    (self->flags & KT_DB_READ_ONLY) != 0 ? "SET default_transaction_read_only = on; " SESSION : SESSION;
  PGresult *result;
  gboolean fine;

  if (PQserverVersion (self->handle) < OLDEST_SERVER)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "%s is PostgreSQL %d: Kontor needs %d or newer", self->base.name,
                   PQserverVersion (self->handle) / 10000, OLDEST_SERVER / 10000);
      return FALSE;
    }
  encoding = ask (self, "SHOW server_encoding");
  if (encoding != NULL && strcmp (encoding, "UTF8") != 0)
    {
      g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
                   "%s has the encoding %s: make it anew with ENCODING 'UTF8'", self->base.name,
                   encoding);
      return FALSE;
    }
  result = PQexec (self->handle, session);
  fine = is_fine (result);
  if (!fine)
    set_error (self, result, "SET", error);
  PQclear (result);
  if (!fine)
    return FALSE;

  g_free (self->collation);
  self->collation = ask (self, "SELECT collname FROM pg_collation WHERE collname IN"
                               " ('und-x-icu', 'C.UTF-8', 'C.utf8', 'en_US.utf8')"
                               " AND collencoding IN (-1, 6) ORDER BY collname DESC LIMIT 1");
  if (self->collation == NULL)
    self->collation = g_strdup ("default");
  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->cancel, PQfreeCancel);
  self->cancel = PQgetCancel (self->handle);
  g_mutex_unlock (&self->lock);
  self->ready = TRUE;
  return TRUE;
}

/* Outside a transaction: connected, again if need be. */
static gboolean
revive (PgDb *self, GError **error)
{
  if (self->ready && PQstatus (self->handle) == CONNECTION_OK)
    return TRUE;
  self->ready = FALSE;
  self->life++;
  g_string_truncate (self->forgotten, 0);
  PQreset (self->handle);
  if (PQstatus (self->handle) != CONNECTION_OK)
    {
      set_lost (self, error);
      return FALSE;
    }
  return set_up (self, error);
}

static void
set_connect_error (PgDb *self, GError **error)
{
  g_autofree char *line = first_line (PQerrorMessage (self->handle));
  KtError code = KT_ERROR_NETWORK;

  /* There is no SQLSTATE for what fails before a session begins. */
  if (PQconnectionNeedsPassword (self->handle) || strstr (line, "authentication failed") != NULL)
    code = KT_ERROR_AUTH;
  else if (g_str_has_suffix (line, "does not exist") && strstr (line, "database \"") != NULL)
    code = KT_ERROR_NOT_FOUND;
  g_set_error (error, KT_ERROR, code, "%s cannot be opened: %s", self->base.name, line);
}

KtDb *
_kt_db_pg_open (const char *uri, KtDbFlags flags, GError **error)
{
  /* What stands before dbname may be overruled by the address, what stands behind it may not. */
  const char *const keys[] = { "connect_timeout",
                               "keepalives_idle",
                               "tcp_user_timeout",
                               "fallback_application_name",
                               "dbname",
                               "client_encoding",
                               NULL };
  const char *const values[] = { "10", "30", "60000", "kontor", uri, "UTF8", NULL };
  g_autofree char *name = NULL;
  PgDb *self = g_new0 (PgDb, 1);

  self->handle = PQconnectdbParams (keys, values, 1);
  name = g_strdup_printf ("PostgreSQL database %s%s%s",
                          PQdb (self->handle) != NULL ? PQdb (self->handle) : "",
                          PQhost (self->handle) != NULL ? " on " : "",
                          PQhost (self->handle) != NULL ? PQhost (self->handle) : "");
  _kt_db_init (&self->base, &driver, name);
  self->forgotten = g_string_new (NULL);
  self->flags = flags;
  g_mutex_init (&self->lock);
  PQsetNoticeReceiver (self->handle, notice_cb, NULL);
  if (PQstatus (self->handle) != CONNECTION_OK)
    {
      set_connect_error (self, error);
      kt_db_close (&self->base);
      return NULL;
    }
  if (!set_up (self, error))
    {
      kt_db_close (&self->base);
      return NULL;
    }
  return &self->base;
}

static void
pg_close (KtDb *db)
{
  PgDb *self = (PgDb *) db;

  PQfreeCancel (self->cancel);
  PQfinish (self->handle);
  g_mutex_clear (&self->lock);
  g_string_free (self->forgotten, TRUE);
  g_free (self->collation);
}

static void
pg_interrupt (KtDb *db)
{
  PgDb *self = (PgDb *) db;
  char message[256];

  g_mutex_lock (&self->lock);
  if (self->cancel != NULL && !PQcancel (self->cancel, message, sizeof message))
    g_debug ("PQcancel: %s", message);
  g_mutex_unlock (&self->lock);
}

static gboolean
pg_exec (KtDb *db, const char *sql, GError **error)
{
  PgDb *self = (PgDb *) db;
  g_autofree char *text = NULL;
  PGresult *result;
  gboolean fine;

  if (!db->in_transaction && !revive (self, error))
    return FALSE;
  text = _kt_db_pg_text (sql, self->collation, NULL);
  result = PQexec (self->handle, text);
  fine = is_fine (result);
  /* That it is lost is often noticed here, where nothing is lost with it. */
  if (!fine && !db->in_transaction && g_str_has_prefix (sql, "BEGIN")
      && PQstatus (self->handle) != CONNECTION_OK)
    {
      PQclear (result);
      if (!revive (self, error))
        return FALSE;
      result = PQexec (self->handle, text);
      fine = is_fine (result);
    }
  if (!fine && strcmp (sql, "COMMIT") == 0 && PQstatus (self->handle) != CONNECTION_OK)
    g_set_error (error, KT_ERROR, KT_ERROR_NETWORK,
                 "The connection to %s was lost during a commit: it may or may not have been done",
                 db->name);
  else if (!fine)
    set_error (self, result, sql, error);
  else if (strcmp (sql, "COMMIT") == 0 && strcmp (PQcmdStatus (result), "COMMIT") != 0)
    {
      fine = FALSE;
      g_set_error (error, KT_ERROR, KT_ERROR_INTERNAL,
                   "%s undid a transaction instead of committing it", db->name);
    }
  PQclear (result);
  return fine;
}

/* ---- statements ---- */

static KtStmt *
pg_prepare (KtDb *db, const char *sql, GError **error)
{
  PgDb *self = (PgDb *) db;
  PgStmt *stmt = g_new0 (PgStmt, 1);

  stmt->text = _kt_db_pg_text (sql, self->collation, &stmt->n_parameters);
  g_snprintf (stmt->name, sizeof stmt->name, "s%u", ++self->n_statements);
  stmt->parameters = g_new0 (Parameter, stmt->n_parameters);
  stmt->types = g_new0 (Oid, stmt->n_parameters);
  stmt->values = g_new0 (const char *, stmt->n_parameters);
  stmt->lengths = g_new0 (int, stmt->n_parameters);
  stmt->formats = g_new0 (int, stmt->n_parameters);
  return &stmt->base;
}

/* Now, or when the server listens again. */
static void
deallocate (PgDb *self, PgStmt *stmt)
{
  PGTransactionStatusType status = PQtransactionStatus (self->handle);

  stmt->prepared = FALSE;
  if (stmt->life != self->life)
    return;
  g_string_append_printf (self->forgotten, "DEALLOCATE %s;", stmt->name);
  if (status != PQTRANS_IDLE && status != PQTRANS_INTRANS)
    return;
  PQclear (PQexec (self->handle, self->forgotten->str));
  g_string_truncate (self->forgotten, 0);
}

/* A plan whose columns have changed would be refused. */
static void
pg_stale (KtStmt *base)
{
  PgDb *self = (PgDb *) base->db;
  PgStmt *stmt = (PgStmt *) base;

  if (!stmt->prepared)
    return;
  deallocate (self, stmt);
  g_snprintf (stmt->name, sizeof stmt->name, "s%u", ++self->n_statements);
}

static void
clear_result (PgStmt *stmt)
{
  g_clear_pointer (&stmt->result, PQclear);
  g_clear_pointer (&stmt->blobs, g_ptr_array_unref);
}

static void
pg_finalize (KtStmt *base)
{
  PgStmt *stmt = (PgStmt *) base;

  if (stmt->prepared)
    deallocate ((PgDb *) base->db, stmt);
  clear_result (stmt);
  g_free (stmt->parameters);
  g_free (stmt->types);
  g_free (stmt->values);
  g_free (stmt->lengths);
  g_free (stmt->formats);
  g_free (stmt->text);
  g_free (base->sql);
  g_free (stmt);
}

static Parameter *
parameter (KtStmt *base, int i)
{
  PgStmt *stmt = (PgStmt *) base;

  if (i < 1 || i > stmt->n_parameters)
    g_error ("there is no parameter %d in: %s", i, base->sql);
  return &stmt->parameters[i - 1];
}

static void
pg_bind_int (KtStmt *stmt, int i, gint64 value)
{
  Parameter *p = parameter (stmt, i);

  p->type = OID_INT8;
  p->binary = GINT64_TO_BE (value);
  p->data = (const char *) &p->binary;
  p->len = sizeof p->binary;
}

static void
pg_bind_text (KtStmt *stmt, int i, const char *text, gsize len)
{
  Parameter *p = parameter (stmt, i);

  /* The server would refuse it and end the transaction. */
  if (!g_utf8_validate_len (text, len, NULL))
    ((PgStmt *) stmt)->refused = TRUE;
  p->type = OID_TEXT;
  p->data = text;
  p->len = len;
}

static void
pg_bind_blob (KtStmt *stmt, int i, const void *data, gsize len)
{
  Parameter *p = parameter (stmt, i);

  p->type = OID_BYTEA;
  p->data = data;
  p->len = len;
}

static void
pg_bind_null (KtStmt *stmt, int i)
{
  Parameter *p = parameter (stmt, i);

  p->type = 0;
  p->data = NULL;
  p->len = 0;
}

/* Prepared with the types that are bound now. A NULL goes with any. */
static gboolean
make_ready (PgDb *self, PgStmt *stmt, GError **error)
{
  gboolean fits = stmt->prepared && stmt->life == self->life;
  gboolean fine;
  PGresult *result;

  for (int i = 0; i < stmt->n_parameters; i++)
    if (stmt->parameters[i].type != 0 && stmt->parameters[i].type != stmt->types[i])
      {
        stmt->types[i] = stmt->parameters[i].type;
        fits = FALSE;
      }
  if (fits)
    return TRUE;

  pg_stale (&stmt->base);
  result = PQprepare (self->handle, stmt->name, stmt->text, stmt->n_parameters, stmt->types);
  fine = is_fine (result);
  if (!fine)
    set_error (self, result, stmt->base.sql, error);
  PQclear (result);
  stmt->prepared = fine;
  stmt->life = self->life;
  return fine;
}

static gboolean
run (PgDb *self, PgStmt *stmt, GError **error)
{
  if (stmt->refused)
    {
      g_set_error_literal (error, KT_ERROR, KT_ERROR_INVALID,
                           "A text is not valid UTF-8 and cannot be stored");
      return FALSE;
    }
  if (!self->base.in_transaction && !revive (self, error))
    return FALSE;
  if (!make_ready (self, stmt, error))
    return FALSE;
  for (int i = 0; i < stmt->n_parameters; i++)
    {
      const Parameter *p = &stmt->parameters[i];

      if (p->len > G_MAXINT)
        {
          g_set_error (error, KT_ERROR, KT_ERROR_LIMIT, "A value is too large for %s",
                       self->base.name);
          return FALSE;
        }
      stmt->values[i] = p->data;
      stmt->lengths[i] = p->len;
      /* Binary, because text would need a NUL at its end; the two are the same for text. */
      stmt->formats[i] = 1;
    }
  stmt->result = PQexecPrepared (self->handle, stmt->name, stmt->n_parameters, stmt->values,
                                 stmt->lengths, stmt->formats, 0);
  if (is_fine (stmt->result))
    return TRUE;
  set_error (self, stmt->result, stmt->base.sql, error);
  /* Whatever it was, the next use may find other tables. */
  pg_stale (&stmt->base);
  return FALSE;
}

static KtStep
pg_step (KtStmt *base, GError **error)
{
  PgStmt *stmt = (PgStmt *) base;

  if (base->state == KT_STMT_READY)
    {
      clear_result (stmt);
      stmt->row = -1;
      if (!run ((PgDb *) base->db, stmt, error))
        return KT_STEP_ERROR;
    }
  g_clear_pointer (&stmt->blobs, g_ptr_array_unref);
  if (++stmt->row < PQntuples (stmt->result))
    return KT_STEP_ROW;
  base->changes = 0;
  if (!g_str_has_prefix (PQcmdStatus (stmt->result), "SELECT"))
    base->changes = g_ascii_strtoll (PQcmdTuples (stmt->result), NULL, 10);
  return KT_STEP_DONE;
}

static void
pg_reset (KtStmt *base)
{
  PgStmt *stmt = (PgStmt *) base;

  clear_result (stmt);
  for (int i = 0; i < stmt->n_parameters; i++)
    pg_bind_null (base, i + 1);
  stmt->refused = FALSE;
}

static gboolean
pg_is_null (KtStmt *base, int column)
{
  PgStmt *stmt = (PgStmt *) base;

  return PQgetisnull (stmt->result, stmt->row, column);
}

static gint64
pg_get_int (KtStmt *base, int column)
{
  PgStmt *stmt = (PgStmt *) base;
  const char *text = PQgetvalue (stmt->result, stmt->row, column);

  if (PQftype (stmt->result, column) == OID_BOOL)
    return *text == 't';
  return g_ascii_strtoll (text, NULL, 10);
}

static const void *
pg_get_blob (KtStmt *base, int column, gsize *len)
{
  PgStmt *stmt = (PgStmt *) base;
  const char *text = PQgetvalue (stmt->result, stmt->row, column);
  GByteArray *bytes;

  *len = 0;
  if (PQgetisnull (stmt->result, stmt->row, column))
    return NULL;
  if (PQftype (stmt->result, column) != OID_BYTEA)
    {
      *len = PQgetlength (stmt->result, stmt->row, column);
      return text;
    }

  if (stmt->blobs == NULL)
    {
      stmt->blobs = g_ptr_array_new_with_free_func (clear_bytes);
      g_ptr_array_set_size (stmt->blobs, PQnfields (stmt->result));
    }
  bytes = g_ptr_array_index (stmt->blobs, column);
  if (bytes == NULL)
    {
      guint n = PQgetlength (stmt->result, stmt->row, column) / 2 - 1; /* \x… */

      bytes = g_byte_array_sized_new (n + 1);
      g_byte_array_set_size (bytes, n + 1);
      for (guint i = 0; i < n; i++)
        bytes->data[i] =
          g_ascii_xdigit_value (text[2 + 2 * i]) << 4 | g_ascii_xdigit_value (text[3 + 2 * i]);
      bytes->data[n] = '\0';
      g_ptr_array_index (stmt->blobs, column) = bytes;
    }
  *len = bytes->len - 1;
  return bytes->data;
}

static const char *
pg_get_text (KtStmt *base, int column, gsize *len)
{
  PgStmt *stmt = (PgStmt *) base;
  const char *text = NULL;
  gsize n = 0;

  if (!PQgetisnull (stmt->result, stmt->row, column))
    {
      if (PQftype (stmt->result, column) == OID_BYTEA)
        text = pg_get_blob (base, column, &n);
      else
        {
          text = PQgetvalue (stmt->result, stmt->row, column);
          n = PQgetlength (stmt->result, stmt->row, column);
          if (PQftype (stmt->result, column) == OID_BOOL)
            text = *text == 't' ? "1" : "0";
        }
    }
  if (len != NULL)
    *len = n;
  return text;
}

static int
pg_columns (KtStmt *base)
{
  return PQnfields (((PgStmt *) base)->result);
}

/* ---- housekeeping ---- */

static gboolean
pg_backup (KtDb *db, const char *path, GError **error)
{
  g_set_error (error, KT_ERROR, KT_ERROR_INVALID,
               "%s cannot be copied to a file from here: use pg_dump", db->name);
  return FALSE;
}

static gboolean
pg_check (KtDb *db, gboolean thorough, GPtrArray *problems, GError **error)
{
  gint64 one;

  /* PostgreSQL looks after its files itself; it is asked whether it answers. */
  return kt_db_get_int (db, 0, &one, error, "SELECT 1", KT_BIND_END);
}

static const KtDbDriver driver = {
  .dialect = KT_DIALECT_POSTGRESQL,
  .close = pg_close,
  .interrupt = pg_interrupt,
  .exec = pg_exec,
  .prepare = pg_prepare,
  .bind_int = pg_bind_int,
  .bind_text = pg_bind_text,
  .bind_blob = pg_bind_blob,
  .bind_null = pg_bind_null,
  .step = pg_step,
  .reset = pg_reset,
  .finalize = pg_finalize,
  .stale = pg_stale,
  .is_null = pg_is_null,
  .get_int = pg_get_int,
  .get_text = pg_get_text,
  .get_blob = pg_get_blob,
  .columns = pg_columns,
  .backup = pg_backup,
  .check = pg_check,
};
