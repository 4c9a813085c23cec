#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the desktop reads: do its own tools accept it?

    metadata.py BUILD-ROOT [SOURCE-ROOT]

A tool that is not installed is a skipped point, said by name. Prints TAP.
"""

import pathlib
import shutil
import subprocess
import sys

APP = "org.kontor.Kontor"


def main():
    build = pathlib.Path(sys.argv[1])
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parents[2])
    data = root / "data"
    points = [
        ("the desktop entry is valid", ["desktop-file-validate", build / "data" / f"{APP}.desktop"]),
        ("the metainfo is valid", ["appstreamcli", "validate", "--no-net", build / "data" / f"{APP}.metainfo.xml"]),
        ("the settings schema compiles", ["glib-compile-schemas", "--strict", "--dry-run", data]),
    ]
    for name in (root / "po" / "LINGUAS").read_text(encoding="utf-8").split():
        points.append((f"the catalogue {name} is sound",
                       ["msgfmt", "--check", "--check-accelerators=_", "--output-file=/dev/null", root / "po" / f"{name}.po"]))
    for script in sorted([*(root / "tools").iterdir(), root / ".ci" / "run"]):
        first = script.open(encoding="utf-8").readline() if script.is_file() else ""
        if first.startswith("#!") and first.rstrip().endswith("sh"):
            shell = "bash" if "bash" in first else "sh"
            points.append((f"{script.relative_to(root)} is sound shell", [shell, "-n", script]))
    for page in sorted((root / "docs" / "man").glob("*.1")):
        points.append((f"{page.name} formats", ["groff", "-man", "-Tutf8", "-ww", "-z", page]))

    failed = 0
    print(f"1..{len(points)}")
    for number, (title, command) in enumerate(points, 1):
        if shutil.which(command[0]) is None:
            print(f"ok {number} - {title} # SKIP {command[0]} is not installed")
            continue
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        # groff warns and returns 0.
        good = done.returncode == 0 and not (command[0] == "groff" and done.stderr)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {title}")
        if not good:
            for line in (done.stdout + done.stderr).splitlines():
                print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
