/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-record.h"
#include "proto/kt-digest.h"
#include "proto/kt-mutation.h"

G_BEGIN_DECLS

/* Messages between client and server, without HTTP: the server's front and the
 * client's transport turn these into HTTP and back; tests hand them over directly. docs/protocol.md is normative. */
#define KT_PROTOCOL            1
#define KT_WIRE_MAX_BODY       (16 * 1024 * 1024)    /* request, except blobs */
#define KT_WIRE_MAX_PAGE       (8 * 1024 * 1024)     /* a pull page aims below this */
#define KT_WIRE_MAX_LINE       (4 * 1024 * 1024)
#define KT_WIRE_MAX_MUTATIONS  1000                   /* of one push */
#define KT_WIRE_SCHEMA_DIGITS  8                      /* of the schema's digest, in a pull that wants no empty page */
#define KT_WIRE_CONTENT_JSON   "application/json"
#define KT_WIRE_CONTENT_PAGE   "application/x-ndjson"
#define KT_WIRE_CONTENT_BLOB   "application/octet-stream"

typedef enum
{
  KT_ENDPOINT_HELLO,      /* GET  /v1/hello                      no token */
  KT_ENDPOINT_LOGIN,      /* POST /v1/login                      no token */
  KT_ENDPOINT_LOGOUT,     /* POST /v1/logout */
  KT_ENDPOINT_DEVICE,     /* POST /v1/device                     a device of its own for a copied profile */
  KT_ENDPOINT_SCHEMA,     /* GET  /v1/schema                     ETag */
  KT_ENDPOINT_ACCESS,     /* GET  /v1/access                     ETag: what this user may do, kt_rights_from_json */
  KT_ENDPOINT_PULL,       /* GET  /v1/pull?cursor=&limit=&schema= */
  KT_ENDPOINT_PUSH,       /* POST /v1/push */
  KT_ENDPOINT_HISTORY,    /* GET  /v1/history?object=&id=&before=&limit= */
  KT_ENDPOINT_DIGEST,     /* GET  /v1/digest?object=&under=&fresh= */
  KT_ENDPOINT_ROWS,       /* POST /v1/rows                       {"object":…,"ids":[…]}: a page of mode "repair" */
  KT_ENDPOINT_BLOB_GET,   /* GET  /v1/blob/SHA256                Range */
  KT_ENDPOINT_BLOB_PUT,   /* PUT  /v1/blob/SHA256?offset= */
  KT_ENDPOINT_BLOB_STAT,  /* GET  /v1/blob-state/SHA256          {"have":bytes,"whole":bool} */
  KT_ENDPOINT_LIVE,       /* GET  /v1/live                       WebSocket */
  KT_N_ENDPOINTS
} KtEndpoint;
typedef struct { KtEndpoint endpoint; const char *method; const char *path; gboolean needs_token; gsize max_body; } KtEndpointInfo;
const KtEndpointInfo *kt_endpoint_info (KtEndpoint endpoint);
/* By method and path; *rest: what follows a path that ends in '/' (never empty, no '/' in it), so that
 * info->path followed by rest is the path again. NULL: none (404), or *wrong_method set (405). */
const KtEndpointInfo *kt_endpoint_find (const char *method, const char *path, const char **rest, gboolean *wrong_method);

typedef struct
{
  KtEndpoint  endpoint;
  char       *rest;            /* path tail: blob hash */
  char       *query;           /* raw "a=b&c=d" or NULL */
  char       *token;           /* or NULL */
  char       *etag;            /* If-None-Match or NULL */
  char       *peer;            /* address, for the log and lock-out; NULL in process */
  gint64      range_start;     /* -1: none */
  gint64      range_length;    /* bytes from there; 0: to the end */
  GBytes     *body;            /* or NULL */
} KtRequest;

typedef struct
{
  guint   status;              /* HTTP status; 0: no answer (network), see error of the transport */
  char   *content_type;
  char   *etag;
  GBytes *body;                /* or NULL */
  gint64  range_start, range_total;  /* 206 */
  gint64  retry_after_ms;      /* 429, 503; 0 */
} KtReply;

KtRequest *kt_request_new  (KtEndpoint endpoint);
void       kt_request_free (KtRequest *request);
void       kt_request_set_query (KtRequest *request, const char *key, const char *value);   /* appends, escaped */
char      *kt_request_get_query (const KtRequest *request, const char *key);                /* unescaped; NULL */
/* Whether every key and value is UTF-8 and no key stands twice: otherwise a damaged parameter would be none, and a request
 * for a part a request for everything. INVALID names it. */
gboolean   kt_request_check_query (const KtRequest *request, GError **error);
KtReply   *kt_reply_new    (guint status);
void       kt_reply_free   (KtReply *reply);
/* Error body: {"error":{"code":"forbidden","message":"…"}} with its status (invalid, limit 400/413, auth 401, forbidden 403,
 * not_found 404, exists, conflict 409, epoch 410, newer 426, busy, full 503, internal 500). */
KtReply   *kt_reply_from_error (const GError *error);
/* The GError of a reply that is not 2xx/304, or whose body is not what Kontor would say (NOT_KONTOR). NULL: reply is fine.
 * What is wrong with the server's own machine (internal, full, corrupt, io, network, schema) arrives as SERVER: on this
 * side FULL would mean our disk. A live channel's 101 is fine too. */
GError    *kt_reply_to_error   (const KtReply *reply);

/* ---- cursor: opaque to clients. Its check is against accidents, not against people: the server compares user and
 * scope with those of the token (P8), and epoch before anything else (P10). ---- */
#define KT_CURSOR_MAX_HELD 4
typedef enum { KT_CURSOR_STAY, KT_CURSOR_LEAVE, KT_CURSOR_ENTER } KtCursorMove;
typedef struct
{
  KtId    epoch;
  gint64  seq;               /* all commits up to here are held */
  guint64 scope;             /* kt_rights_scope of what this user may see */
  KtId    user;
  /* while what is held came by other scopes as well: which, and how far the way to this one has come */
  guint   n_held;
  guint64 held[KT_CURSOR_MAX_HELD];
  KtCursorMove move;         /* with object and rid below */
  /* while a first pull is under way: seq above is where it started */
  gboolean snapshot;
  guint   object;            /* number of the object being sent; 0: none yet */
  gint64  rid;               /* last row sent of it */
} KtCursor;
char    *kt_cursor_encode (const KtCursor *cursor);                          /* base64url with a check; g_free */
gboolean kt_cursor_decode (const char *text, KtCursor *out, GError **error); /* INVALID */

/* ---- pull page: NDJSON, written row by row, read row by row ----
 *   {"page":1,"epoch":"…","mode":"snapshot"|"changes"|"repair","schema":"digest","access":"digest"?,"rows_total":n?}
 *   {"object":"contact","fields":["first_name",…]}         a block: the rows after it are of this object
 *   ["id",rev,value,…]                                      a row, values in wire form by position; whole record: fields not listed are null
 *   {"gone":["contact","id",…]}                             pairs: records that leave this device (erased or out of scope)
 *   {"end":1,"cursor":"…","more":true|false,"seq":n,"rows":n,"settled":n?,"settled_id":"uuid"?,"crc":"8 hex"}
 * settled: number of the device's last mutation that was decided by the commit this page ends at; settled_id: its id, if that was
 * after the page's beginning. Only whoever made that one may go by it (another copy of the profile may have). What is laid over the
 * rows are the mutations after it: otherwise a lost reply shows a `sum` counted twice until the verdict comes (scenario 2).
 * crc is the last member: CRC-32 of every byte of the page before its eight digits, the cursor and seq of
 * the last line included; after them only "} and a newline. Lower-case hex. */
typedef struct _KtPageWriter KtPageWriter;
/* The page that answers POST /v1/rows: mode "repair", no cursor. */
KtPageWriter *kt_page_writer_new_repair (const KtId *epoch, const char *schema_digest);
KtPageWriter *kt_page_writer_new   (const KtId *epoch, gboolean snapshot, const char *schema_digest, gint64 rows_total);
/* The same that names the access document it was made by. */
KtPageWriter *kt_page_writer_new_for (const KtId *epoch, gboolean snapshot, const char *schema_digest, const char *access_digest, gint64 rows_total);
/* Starts a block unless the last one was of the same object and fields. */
void          kt_page_writer_block (KtPageWriter *writer, const KtObject *object, const KtField *const *fields, guint n_fields);
void          kt_page_writer_row   (KtPageWriter *writer, const KtId *id, gint64 rev, const KtValue *values /* n_fields of the block, in order */);
void          kt_page_writer_gone  (KtPageWriter *writer, const KtObject *object, const KtId *id);
void          kt_page_writer_settled (KtPageWriter *writer, gint64 number, const KtId *id /* NULL: not told */);
gsize         kt_page_writer_size  (KtPageWriter *writer);
guint         kt_page_writer_rows  (KtPageWriter *writer);
GBytes       *kt_page_writer_finish (KtPageWriter *writer, const char *cursor, gboolean more, gint64 seq);   /* frees the writer */

typedef enum { KT_PAGE_ROW, KT_PAGE_GONE, KT_PAGE_END, KT_PAGE_ERROR } KtPageEvent;
typedef struct
{
  KtId            epoch;
  gboolean        snapshot;
  gboolean        repair;            /* single rows that were asked for: no cursor, not to be taken for a pull */
  char           *schema_digest;
  char           *access_digest;     /* kt_rights_digest of what the page was made by; NULL: not told */
  gint64          rows_total;
  char           *cursor;            /* after END */
  gboolean        more;
  gint64          seq;               /* of a repair from the beginning: a "gone" is judged by it */
  gint64          settled;           /* -1: the server did not say */
  KtId            settled_id;        /* nil: it did not say */
  /* What this client's schema has no place for, so far. A page with skipped ones must not move the cursor: they
   * would never be sent again (P13). Fetch the schema, migrate, apply the page again. */
  guint           skipped_rows;
  guint           skipped_values;    /* non-null values of unknown fields */
  /* current row */
  const KtObject *object;            /* NULL: an object this client's schema does not have: rows are skipped by the reader */
  const KtField **fields;            /* of the block; entries NULL for unknown fields */
  guint           n_fields;
  KtId            id;
  gint64          rev;
  KtValue        *values;            /* n_fields, borrowed text; valid until the next event */
} KtPage;
/* The whole page is verified (CRC, framing, END present, number of rows) before the first event, so a half page never
 * acts. Values are taken as the server holds them, checked for form but not for options and limits: both sides must
 * hold the same (P4), and one odd value must not stop every other (P12). Takes over @body.
 * SERVER: cut short or damaged on the way, retry. NOT_KONTOR: something else. NEWER, LIMIT; INVALID: whole, but wrong. */
KtPage     *kt_page_open  (const KtSchema *schema, GBytes *body, GError **error);
KtPageEvent kt_page_next  (KtPage *page, GError **error);
void        kt_page_free  (KtPage *page);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtRequest, kt_request_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtReply, kt_reply_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KtPage, kt_page_free)

G_END_DECLS
