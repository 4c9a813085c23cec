/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/kt-workspace.h"

G_BEGIN_DECLS

/* Every value that anybody wrote into a record, newest first: a GListModel of KtVersion. Those that lost are there too: another
 * value stood by policy, the server did not accept it, it waits for a decision, it was given up on this device (P2). Any of them can be put
 * back, which is an edit like any other.
 *
 * From the ledger as far as it is known here; when online it is fetched. properties: "loading", "complete" (the server's answer is
 * in), "n-items". Of a version, all strings: "field-label", "value", "who", "when", "fate" ("" when it simply counted), and "current". */
#define KT_TYPE_VERSION (kt_version_get_type ())
G_DECLARE_FINAL_TYPE (KtVersion, kt_version, KT, VERSION, GObject)
const KtField *kt_version_get_field (KtVersion *version);
const char    *kt_version_get_field_label (KtVersion *version);
const char    *kt_version_get_value   (KtVersion *version);       /* display text; "—" empty */
const char    *kt_version_get_who     (KtVersion *version);
const char    *kt_version_get_when    (KtVersion *version);
const char    *kt_version_get_fate    (KtVersion *version);
gboolean       kt_version_get_current (KtVersion *version);       /* the record holds this value now */

#define KT_TYPE_VERSIONS (kt_versions_get_type ())
G_DECLARE_FINAL_TYPE (KtVersions, kt_versions, KT, VERSIONS, GObject)
/* @field NULL: of all fields. */
KtVersions    *kt_versions_new       (KtWorkspace *workspace, const KtObject *object, const KtId *id, const KtField *field);
void           kt_versions_set_field (KtVersions *self, const KtField *field);
const KtField *kt_versions_get_field (KtVersions *self);
/* Fields that have more than one version, in the order of the object: const KtField*; free the array. */
GPtrArray     *kt_versions_get_fields (KtVersions *self);
gboolean       kt_versions_get_complete (KtVersions *self);
/* Puts a value back: one commit over what stands now. What stands already: nothing is done. */
void           kt_versions_restore_async  (KtVersions *self, KtVersion *version, GAsyncReadyCallback callback, gpointer user_data);
KtDone        *kt_versions_restore_finish (KtVersions *self, GAsyncResult *result, GError **error);

G_END_DECLS
