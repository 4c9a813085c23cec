/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/kt-json.h"

G_BEGIN_DECLS

/* Text of @json for exactly this locale or its language, without falling back to another language. */
const char *_kt_json_localized_exact (const KtJson *json, const char *locale);
/* @text in quotes, escaped. */
void _kt_json_append_escaped (GString *out, const char *text, gsize len);

G_END_DECLS
