/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "ui/kt-application.h"

int
main (int    argc,
      char **argv)
{
  return kt_application_main (argc, argv);
}
