#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same seed gives the same trace, byte for byte: in another process, and alone or after others.

    replay.py SIM-RUN
"""

import subprocess
import sys

FIRST, COUNT = 4001, 24


def play(seed, count):
    """Trace of each history by its seed."""
    out = subprocess.run(
        [sys.argv[1], "--seed", str(seed), "--count", str(count), "--trace"],
        stdout=subprocess.PIPE, check=True, timeout=100).stdout
    histories = {}
    for line in out.splitlines(keepends=True):
        if line.startswith(b"# history "):
            lines = histories.setdefault(int(line.split()[2]), [])
        elif line[:1] != b"#" and line[:4] not in (b"1..1", b"ok 1"):
            lines.append(line)
    return {seed: b"".join(lines) for seed, lines in histories.items()}


def main():
    one = play(FIRST, COUNT)
    two = play(FIRST, COUNT)
    failed = 0
    print("1..%d" % (COUNT + 3))
    for n, seed in enumerate(one, 1):
        same = len(one[seed]) > 1000 and one[seed] == two.get(seed)
        failed += not same
        print("%s %d seed %d in two processes" % ("ok" if same else "not ok", n, seed))
    for n, seed in enumerate((FIRST + 3, FIRST + 11, FIRST + 23), COUNT + 1):
        same = play(seed, 1).get(seed) == one[seed]
        failed += not same
        print("%s %d seed %d alone" % ("ok" if same else "not ok", n, seed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
