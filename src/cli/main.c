/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/kt-cli.h"

int
main (int argc, char **argv)
{
  return kt_cli_main (argc, argv);
}
