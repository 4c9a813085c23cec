/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdio.h>

#include <glib.h>

G_BEGIN_DECLS

/* kontorctl. Returns the exit code: 0 done, 1 internal error, 2 bad input or usage,
 * 3 not settled or differs, 4 network or server, 5 not allowed. */
int kt_cli_main (int argc, char **argv);
/* The same over given streams, without touching the process: for tests. */
int kt_cli_run  (int argc, char **argv, const char *locale, FILE *in, FILE *out, FILE *err);

G_END_DECLS
