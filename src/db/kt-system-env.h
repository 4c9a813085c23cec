/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-env.h"

G_BEGIN_DECLS

/* The real clock and the kernel's random numbers. Static. */
const KtEnv *kt_system_env (void);

G_END_DECLS
