/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Between a client and a server on this machine: passes on what comes, and counts it. */
typedef struct _BenchRelay BenchRelay;

BenchRelay *bench_relay_new   (const char *address /* of the server */);
void        bench_relay_free  (BenchRelay *relay);
const char *bench_relay_address (BenchRelay *relay);
/* Bytes that went through so far, both ways. */
guint64     bench_relay_bytes (BenchRelay *relay);

G_END_DECLS
