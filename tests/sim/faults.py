# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults that tests/sim/planted plants: name, file, what stands there, what is put in its place.

Each is a mistake that somebody has made in an engine like this one. What stands there must be there exactly once, so that a
change of the code that moves it is noticed.
"""

FAULTS = [
    # ---- pushing: numbers and verdicts
    ("the server forgets the device's number", "src/server/kt-core-push.c",
     "UPDATE kt_device SET last_number = ?1,",
     "UPDATE kt_device SET last_number = last_number + 0 * ?1,"),
    ("a repeat is done again", "src/server/kt-core-push.c",
     "  if (item->number <= *last)\n    return load_verdict",
     "  if (item->number < *last)\n    return load_verdict"),
    ("effect and number in two transactions", "src/server/kt-core-push.c",
     "  if (last == first_last)\n",
     "  if (_kt_core_put_seq (push->core, seq, NULL) && kt_db_commit (push->core->db, NULL))\n"
     "    kt_db_begin (push->core->db, KT_TX_WRITE, NULL);\n"
     "  if (last == first_last)\n"),
    ("everything sent counts as settled after an upload", "src/store/kt-local-outbox.c",
     "               \" WHERE number=?1 AND state=?7\",",
     "               \" WHERE ?1=?1 AND state=?7\","),
    ("an entry is gone once it is sent", "src/store/kt-local-outbox.c",
     "  g_string_append_c (out, ']');\n  return g_string_free_to_bytes (g_steal_pointer (&out));",
     "  g_string_append_c (out, ']');\n  kt_db_exec (local->db, \"DELETE FROM kt_outbox WHERE state=1\", NULL);\n"
     "  return g_string_free_to_bytes (g_steal_pointer (&out));"),
    ("an entry leaves with its verdict, not with its page", "src/store/kt-local-outbox.c",
     "_kt_local_leave_settled (local, local->seq, touched, &left, error)",
     "_kt_local_leave_settled (local, G_MAXINT64, touched, &left, error)"),
    ("an entry never leaves with its page", "src/store/kt-local-pull.c",
     "_kt_local_leave_settled (local, pull->page->seq, pull->touched, &left, error)",
     "_kt_local_leave_settled (local, 0, pull->touched, &left, error)"),
    ("what was sent is not sent again after a crash", "src/store/kt-local-outbox.c",
     "  for (guint i = 0; i < sent->len && !full; i++)",
     "  for (guint i = 0; i < sent->len && !full && max == 1; i++)"),
    ("numbers are given before they are durable", "src/store/kt-local-outbox.c",
     "  return next == first || _kt_local_put_meta_int (local, \"kt:next_number\", next, error);",
     "  return next == first || (next - first) % 2 == 1\n"
     "         || _kt_local_put_meta_int (local, \"kt:next_number\", next, error);"),
    ("a refused mutation is dropped", "src/store/kt-local-outbox.c",
     "               (gint64) (refused ? KT_OUTBOX_PARKED : KT_OUTBOX_SETTLED), KT_BIND_INT,",
     "               (gint64) (refused ? KT_OUTBOX_SETTLED : KT_OUTBOX_SETTLED), KT_BIND_INT,"),
    ("a parked mutation holds up everything else", "src/store/kt-local-outbox.c",
     "  if (held == NULL)\n    return FALSE;\n",
     "  gint64 parked = 0;\n\n  if (held == NULL)\n    return FALSE;\n"
     "  kt_db_get_int (local->db, 0, &parked, NULL, \"SELECT count(*) FROM kt_outbox WHERE state=3\", KT_BIND_END);\n"
     "  if (parked > 0)\n    return TRUE;\n"),

    # ---- the device's own transaction
    ("the edit is committed before its outbox entry", "src/store/kt-local-write.c",
     "  changes->set->outbox = TRUE;\n  *no = _kt_local_add_entry (local, mutation, error);",
     "  changes->set->outbox = TRUE;\n"
     "  if (!kt_db_commit (local->db, error) || !kt_db_begin (local->db, KT_TX_WRITE, error))\n    return FALSE;\n"
     "  *no = _kt_local_add_entry (local, mutation, error);"),
    ("no shadow is kept under an edit", "src/store/kt-local-write.c",
     "  return state != KT_SHADOW_ABSENT || _kt_local_put_shadow (local, object, id, before, error);",
     "  return TRUE;"),
    ("a page writes over an unsettled edit", "src/store/kt-local-pull.c",
     "  pull->shadows = n != 0;",
     "  pull->shadows = FALSE;"),
    ("commits are not synced", "src/db/kt-db-sqlite.c",
     "\"PRAGMA cache_size=%d; PRAGMA synchronous=FULL;",
     "\"PRAGMA cache_size=%d; PRAGMA synchronous=NORMAL;"),
    ("what a killed process left is believed", "src/db/kt-db-sqlite.c",
     "|| make_durable (self, error);",
     "|| TRUE || make_durable (self, error);"),

    # ---- pulling
    ("the cursor moves before the rows", "src/store/kt-local-pull.c",
     "  if (!(local->ready ? swap (pull, error) : _kt_local_put_on_indices (local, error))",
     "  if (!_kt_local_put_meta (local, \"kt:cursor\", pull->page->cursor, error)\n"
     "      || !kt_db_commit (local->db, error) || !kt_db_begin (local->db, KT_TX_WRITE, error)\n"
     "      || !(local->ready ? swap (pull, error) : _kt_local_put_on_indices (local, error))"),
    ("pages are shown one by one", "src/store/kt-local-pull.c",
     "  return (pull->page->more ? end_between (pull, error) : end_last (pull, error))",
     "  return (pull->page->more && FALSE ? end_between (pull, error) : end_last (pull, error))"),
    ("a page's checksum is not looked at", "src/proto/kt-page.c",
     "  if (memcmp (digits, bytes + covered, CRC_DIGITS) != 0)",
     "  if (memcmp (digits, digits, CRC_DIGITS) != 0)"),
    ("a short page carries the newest cursor", "src/server/kt-core-pull.c",
     "  cursor->seq = end;\n  if (end == pull->now_seq)",
     "  cursor->seq = pull->now_seq;\n  if (end == pull->now_seq)"),
    ("a deleted record is no change", "src/server/kt-core-pull.c",
     "  kt_sql_append (sql, \" ORDER BY o.rev, o.rid\");",
     "  kt_sql_append (sql, \" AND (o.f_deleted_at IS NULL OR o.rev % 2 = 0) ORDER BY o.rev, o.rid\");"),
    ("the last commit of the log is left out", "src/server/kt-core-pull.c",
     "  kt_sql_append (sql, \" AND o.rev <= \");",
     "  kt_sql_append (sql, \" AND o.rev < \");"),
    ("the server's settled number is not listened to", "src/store/kt-local-life.c",
     "  if (settled <= local->settled)\n    return TRUE;",
     "  if (settled <= local->settled || settled > 0)\n    return TRUE;"),

    # ---- merging
    ("the merge swaps mine and theirs", "src/proto/kt-merge.c",
     "  const KtValue *stands = theirs;",
     "  const KtValue *stands = mine;"),
    ("base is what stands, not what the person saw", "src/proto/kt-merge.c",
     "  if (kt_value_equal (theirs, base))\n    {\n      kt_value_copy (mine, result);",
     "  if (kt_value_equal (theirs, base) || field->policy == KT_POLICY_REVIEW)\n    {\n      kt_value_copy (mine, result);"),
    ("two equal steps count once", "src/proto/kt-merge.c",
     "  if (field->policy == KT_POLICY_SUM && merge_sum (base, mine, theirs, result))",
     "  if (field->policy == KT_POLICY_SUM && !kt_value_equal (mine, theirs)\n      && merge_sum (base, mine, theirs, result))"),
    ("a set forgets what was taken out", "src/proto/kt-merge.c",
     "    if (!g_hash_table_contains (m, element))\n      g_hash_table_remove (t, element);",
     "    if (!g_hash_table_contains (m, element))\n      continue;"),
    ("no step of a state is allowed", "src/proto/kt-merge.c",
     "      if (transition_allowed (field, theirs, mine))",
     "      if (transition_allowed (field, theirs, mine) && FALSE)"),
    ("base_rev is not looked at", "src/server/kt-plan.c",
     "  *foreign = found != 0;",
     "  *foreign = FALSE;"),
    ("what the device's other edits did counts as somebody else's", "src/server/kt-plan.c",
     "        \" AND (device IS NULL OR device <> ?3) LIMIT 1\",",
     "        \" AND (device IS NULL OR device <> ?3 OR ?3 IS NOT NULL) LIMIT 1\","),
    ("nobody is asked about what is in review", "src/server/kt-review.c",
     "  if (kt_id_is_nil (&id))\n    {\n      gint64 number = _kt_plan_next",
     "  if (item->field != NULL && strcmp (item->kind, \"field\") == 0)\n    return TRUE;\n"
     "  if (kt_id_is_nil (&id))\n    {\n      gint64 number = _kt_plan_next"),

    # ---- the ledger
    ("the ledger forgets the value that did not stand", "src/server/kt-plan-write.c",
     "                  more ? &result->mine : NULL, more ? &result->base : NULL);",
     "                  more ? after : NULL, more ? &result->base : NULL);"),
    ("a refused mutation is not in the ledger", "src/server/kt-plan-write.c",
     "      put_values (&writer, change->field, &change->before, &change->before, outcome,\n"
     "                  &change->after, &change->before);",
     "      put_values (&writer, change->field, &change->before, &change->before, outcome,\n"
     "                  &change->before, &change->before);"),

    # ---- copies and other lives
    ("a restored server keeps its epoch", "src/server/kt-core-epoch.c",
     "         && _kt_core_set_meta (db, \"epoch\", text, 0, error);",
     "         && (parent != NULL || _kt_core_set_meta (db, \"epoch\", text, 0, error));"),
    ("the epoch of a cursor is not looked at", "src/server/kt-core-pull.c",
     "  if (!kt_id_equal (&cursor->epoch, &core->epoch) || cursor->seq > now_seq || cursor->seq < 0)",
     "  if (cursor->seq > now_seq || cursor->seq < 0)"),
    ("a number that is used again is answered as before", "src/server/kt-core-push.c",
     "  if (before.found && before.same && kt_id_equal (&before.id, &item->id))",
     "  if (before.found)"),
    ("the mutation's id is not looked at", "src/server/kt-core-push.c",
     "  if (kt_id_is_nil (&item->id))\n    return TRUE;\n  stmt = kt_db_stmt (push->core->db,",
     "  if (kt_id_is_nil (&item->id) || item->number > 0)\n    return TRUE;\n  stmt = kt_db_stmt (push->core->db,"),
    ("what was settled is not kept for another life", "src/store/kt-local-life.c",
     "  return lay_all_back (local, last, life->common, &notice.again, error)\n         && queue_again",
     "  return queue_again"),
    ("only numbers say what a restored server has lost", "src/store/kt-local-life.c",
     "\" WHERE no>?1 AND (device<>?2 OR number>?3 OR seq>?5)\"",
     "\" WHERE no>?1 AND (device<>?2 OR number>?3 OR seq>?5+1000000)\""),
    ("a copy keeps the device it was copied from", "src/sync/kt-engine-reply.c",
     "  if (!_kt_session_renew (local, &device, &changes, local_failure))\n    return FALSE;",
     "  if (device.last_number > 0\n      && !_kt_session_renew (local, &device, &changes, local_failure))\n    return FALSE;"),

    # ---- scope
    ("what leaves a scope is not told", "src/server/kt-core-pull.c",
     "      if (!sees && g_hash_table_add (gone, kt_id_copy (&one->id)))",
     "      if (!sees && FALSE && g_hash_table_add (gone, kt_id_copy (&one->id)))"),
    ("a change of rights brings nothing in", "src/server/kt-core-move.c",
     "  Whom whom = leave ? leavers (pull, object, tokens) : enterers (pull, object, tokens);",
     "  Whom whom = leave ? leavers (pull, object, tokens) : NOBODY;"),
    ("a change of rights takes nothing away", "src/server/kt-core-move.c",
     "  Whom whom = leave ? leavers (pull, object, tokens) : enterers (pull, object, tokens);",
     "  Whom whom = leave ? NOBODY : enterers (pull, object, tokens);"),

    # ---- clocks
    ("the later clock wins", "src/server/kt-plan.c",
     "  *foreign = found != 0;\n  return TRUE;",
     "  *foreign = found != 0 && strcmp (plan->mutation->at, plan->at) < 0;\n  return TRUE;"),
]
