#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every text of the program is translated into every language of po/LINGUAS.

    translations.py [SOURCE-ROOT]

Prints TAP.
"""

import pathlib
import re
import shutil
import subprocess
import sys


def run(root, *command):
    done = subprocess.run(command, cwd=root, check=False, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def entries(path):
    """(msgid, msgstr, flags) of a file without line breaks inside of texts."""
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        ident = re.search(r'^msgid "(.*)"$', block, re.M)
        if ident and ident[1]:
            yield ident[1], re.findall(r'^msgstr(?:\[\d\])? "(.*)"$', block, re.M), re.findall(r"^#,(.*)$", block, re.M)


def complete(root, language):
    """Against the texts as they are in the sources now, not as they were when the file was made."""
    code, said = run(root, "tools/update-po", "--check")
    return [] if code == 0 else said.splitlines()


def well_formed(root, language):
    code, said = run(root, "msgfmt", "--check", "--output-file=/dev/null", f"po/{language}.po")
    return [] if code == 0 else said.splitlines()


def nothing_guessed(root, language):
    return [f"fuzzy: {ident}" for ident, _, flags in entries(root / f"po/{language}.po") if any("fuzzy" in f for f in flags)]


def mnemonics(root, language):
    """A button that has a key in English has one in every language."""
    return [f"without a key: {ident} → {text}" for ident, texts, _ in entries(root / f"po/{language}.po")
            if re.search(r"(^|[ \w])_[A-Za-z]", ident) for text in texts if not re.search(r"_[A-Za-z]", text)]


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
    missing = [tool for tool in ("xgettext", "msgmerge", "msgfmt", "msgattrib") if shutil.which(tool) is None]
    if missing:
        print(f"1..0 # SKIP {', '.join(missing)} not installed")
        return 0
    number, failed = 0, 0
    for language in (root / "po/LINGUAS").read_text(encoding="utf-8").split():
        for check in (complete, well_formed, nothing_guessed, mnemonics):
            number += 1
            problems = check(root, language)
            print(f"{'not ok' if problems else 'ok'} {number} - {language}: {check.__name__.replace('_', ' ')}")
            for problem in problems[:40]:
                print(f"# {problem}")
            failed += bool(problems)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
