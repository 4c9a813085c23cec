/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a device pushes, and what a server answers: mutations and verdicts. */

#include "config.h"

#include "fuzz.h"
#include "proto/kt-merge.h"
#include "proto/kt-push.h"
#include "proto/kt-rules.h"
#include "proto/kt-wire.h"
#include "tests/proto/fixture.h"

/* Over nothing, over a record, and over its own result. */
static void
merge (const KtOp *op, const KtRecord *theirs, gboolean foreign)
{
  g_autoptr (GError) error = NULL;
  g_auto (KtMerge) result = { 0 };

  if (!kt_merge_op (op, theirs, foreign, "2026-01-31T08:00:00.000Z", &result, &error))
    {
      g_assert_nonnull (error);
      return;
    }
  g_assert_no_error (error);
  g_assert_true ((result.after != NULL) == (result.effect != KT_EFFECT_NONE));
  if (result.after != NULL)
    {
      GPtrArray *problems = kt_rules_check (theirs, result.after, "zh_CN");

      if (problems != NULL)
        g_ptr_array_unref (problems);
    }
}

static void
try_mutation (const KtJson *json)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KtMutation) mutation = kt_mutation_from_json (fixture_schema (), json, &error);
  g_autoptr (KtMutation) back = NULL;
  g_autoptr (KtJson) written = NULL;
  g_autofree char *text = NULL;
  g_autofree char *twice = NULL;
  g_autofree char *english = NULL;
  g_autofree char *chinese = NULL;

  g_assert_true ((mutation != NULL) == (error == NULL));
  if (mutation == NULL)
    {
      fuzz_check_message (error->message);
      return;
    }
  text = kt_mutation_to_string (mutation);
  written = kt_json_parse (text, -1, &error);
  g_assert_no_error (error);
  back = kt_mutation_from_json (fixture_schema (), written, &error);
  g_assert_no_error (error);
  twice = kt_mutation_to_string (back);
  g_assert_cmpstr (text, ==, twice);
  english = kt_mutation_describe (mutation, "en", NULL, NULL);
  chinese = kt_mutation_describe (mutation, "zh_CN", NULL, NULL);
  g_assert_true (g_utf8_validate (english, -1, NULL));
  g_assert_true (g_utf8_validate (chinese, -1, NULL));
  for (guint i = 0; i < mutation->ops->len; i++)
    {
      const KtOp *op = mutation->ops->pdata[i];
      g_autoptr (KtRecord) theirs = kt_record_new (op->object, &op->id);

      theirs->rev = 1;
      merge (op, NULL, FALSE);
      merge (op, NULL, TRUE);
      merge (op, theirs, TRUE);
      kt_record_apply_defaults (theirs);
      if (op->patch != NULL)
        kt_patch_apply (op->patch, theirs);
      merge (op, theirs, FALSE);
    }
}

/* The envelopes of either direction. */
static void
try_envelopes (const char *text, size_t size)
{
  g_autoptr (KtReply) reply = kt_reply_new (200);
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  g_auto (KtPush) push = { 0 };
  g_auto (KtPushAnswer) answer = { 0 };
  g_auto (KtStanding) standing = { 0 };
  g_auto (KtNewDevice) device = { 0 };

  if (!kt_push_read (text, size, &push, &error))
    fuzz_check_message (error->message);
  g_clear_error (&error);
  if (!kt_new_device_asked (text, size, &name, &error))
    fuzz_check_message (error->message);
  g_clear_error (&error);
  reply->content_type = g_strdup (KT_WIRE_CONTENT_JSON);
  reply->body = g_bytes_new (text, size);
  if (!kt_push_answer_read (reply, &answer, &error))
    fuzz_check_message (error->message);
  g_clear_error (&error);
  if (!kt_new_device_read (reply, &device, &error))
    fuzz_check_message (error->message);
  kt_standing_read (reply, &standing);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = NULL;
  g_autoptr (KtJson) json = NULL;
  g_autoptr (GError) error = NULL;
  KtVerdict verdict = { 0 };

  if (size > FUZZ_MAX)
    return 0;
  text = fuzz_text (data, size);
  try_envelopes (text, size);
  json = kt_json_parse (text, (gssize) size, NULL);
  if (json == NULL)
    return 0;
  try_mutation (json);
  if (kt_verdict_from_json (json, &verdict, &error))
    {
      g_autoptr (GString) out = g_string_new (NULL);
      KtJsonWriter writer = KT_JSON_WRITER (out);
      g_autoptr (KtJson) back = NULL;
      KtVerdict twice = { 0 };

      kt_verdict_to_json (&verdict, &writer);
      back = kt_json_parse (out->str, (gssize) out->len, &error);
      g_assert_no_error (error);
      g_assert_true (kt_verdict_from_json (back, &twice, &error));
      g_assert_cmpint (verdict.number, ==, twice.number);
      g_assert_cmpint (verdict.seq, ==, twice.seq);
      g_assert_cmpint (verdict.outcome, ==, twice.outcome);
      kt_verdict_clear (&twice);
      kt_verdict_clear (&verdict);
    }
  return 0;
}
