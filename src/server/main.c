/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "server/kt-server-main.h"

int
main (int argc, char **argv)
{
  return kt_server_main (argc, argv);
}
