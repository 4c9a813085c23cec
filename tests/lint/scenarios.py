#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every promise and every numbered story of the engine has a test whose name begins with its number.

    scenarios.py ROOT [--list]

A name begins with numbers: "/server/push/P12-14-one-refused-among-many" holds promise 12 and story 14, "P1, 70: the power
goes" promise 1 and story 70. --list shows which tests each has.
"""

import os
import re
import sys

PROMISES = {
    1: "durable", 2: "nothing lost", 3: "exactly once", 4: "convergence, proved", 5: "atomic to the eye",
    6: "three-way per field", 7: "deletes are honest", 8: "scope is law", 9: "no clock is trusted",
    10: "server restored", 11: "device cloned or restored", 12: "poison is isolated", 13: "schema moves",
    14: "resumable and bounded",
}

STORIES = {
    1: "reply lost, push resent: no duplicate",
    2: "reply lost, pull before the resend: one local copy, not two",
    3: "server crash between effect and device number",
    4: "client crash after the reply, before its local commit",
    5: "a crash leaves a busy gate set with an empty outbox",
    6: "a failed upload is retried by itself, not at the next edit",
    7: "an outbox entry is removed only after a durable verdict",
    8: "a flush fires before the outbox is loaded",
    9: "background and manual sync at once",
    10: "an edit made while the same record is being pushed",
    11: "a second edit on the same base over a slow link",
    14: "one refused mutation among a thousand",
    15: "a permanent conflict is not retried for ever",
    16: "a checkpoint that arrives during an upload",
    17: "flaky 3G: the outbox never claims to be empty while it is not",
    18: "commits whose numbers become visible out of order",
    19: "a paged pull while writes go on",
    20: "a short page must not carry the newest cursor",
    21: "a cursor stored ahead of its rows, then a crash",
    23: "a tombstone is not lost by the cursor's filter",
    25: "an up-to-date client is never handed a reset",
    26: "an interrupted first download is not mixed with the next one",
    27: "an upstream position acknowledged before one's own flush",
    28: "compaction of the log during a download",
    29: "a resume token that goes backwards",
    30: "floats, blanks, NUL, emoji, time zones, decimals survive both databases",
    32: "a no-op sync at a million rows",
    34: "delete against edit, in both orders",
    36: "create, sync, delete, sync quickly must not resurrect",
    37: "the same id created on two devices",
    38: "a unique value created twice offline",
    39: "parent deleted, child created offline",
    40: "cascades are visible to sync",
    41: "a child arrives before its parent",
    42: "one orphan must not abort a first sync",
    44: "a device offline past the retention of tombstones",
    45: "a revoked device must not pin log clean-up",
    46: "the engine itself must not create conflicts",
    47: "mine and theirs are never swapped on the screen",
    48: "access revoked with unsynced edits",
    49: "my own edit moves the record out of my scope",
    50: "a record out of scope does not stay on the device",
    53: "a failure to evaluate rules never purges",
    55: "one user's outbox under another user's login",
    56: "logout during a token refresh stays logged out",
    57: "a hidden field must not hide the user's own new record",
    58: "server restored from a backup: clients do not delete newer data",
    59: "client restored or cloned: later writes do not vanish",
    60: "a restore that rewinds cursors does not resurrect deletes",
    63: "a clock years ahead does not win for ever",
    64: "a clock an hour off: no refusal, no wrong order",
    65: "a fast clock does not loop token refresh",
    66: "an upgrade keeps the outbox readable",
    67: "version skew between client and server",
    68: "a dropped table or column",
    69: "an attachment interrupted",
    70: "kill -9, lost fsync and disk full at every step",
}

# A string that may be the name of a test: the last part of a path, or the words of a step in a script.
NAMES = re.compile(r'"((?:/[^"/]+)*/)?((?:P\d+|\d+)(?:(?:-|, ?)(?:P\d+|\d+))*(?:-|: | )[a-z][^"/]*)"')
FOLDERS = ("db", "interop", "proto", "server", "sim", "store", "sync", "system")
NUMBERS = re.compile(r"(P?)(\d+)(?=[-,: ]|$)")


def numbers_of(name):
    """{("P", 12), ("", 14)} of "P12-14-one-refused"."""
    found, at = set(), 0
    while True:
        match = NUMBERS.match(name, at)
        if not match:
            return found
        found.add((match.group(1), int(match.group(2))))
        at = match.end()
        while at < len(name) and name[at] in "-, ":
            at += 1


def names_in(root):
    for folder in FOLDERS:
        path = os.path.join(root, "tests", folder)
        for file in sorted(os.listdir(path)):
            if not file.endswith((".c", ".py")):
                continue
            with open(os.path.join(path, file), encoding="utf-8") as source:
                for match in NAMES.finditer(source.read()):
                    yield "%s/%s" % (folder, file), match.group(2)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    tests = {}
    for file, name in names_in(root):
        for number in numbers_of(name):
            tests.setdefault(number, []).append("%s: %s" % (file, name))
    wanted = [("P", n, words) for n, words in PROMISES.items()] + [("", n, words) for n, words in STORIES.items()]
    missing = 0
    print("1..%d" % len(wanted))
    for n, (kind, number, words) in enumerate(wanted, 1):
        found = tests.get((kind, number), [])
        missing += not found
        print("%s %d - %s%d: %s" % ("ok" if found else "not ok", n, kind, number, words))
        if "--list" in sys.argv:
            print("".join("#   %s\n" % test for test in found), end="")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
