#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every file owes: a licence line, a place among the translations, names for what is only drawn.

    sources.py [SOURCE-ROOT]

Prints TAP.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ET

LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
# Assembled, so that this file does not find itself.
REMINDER = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME)\\b")
TRANSLATED = re.compile(r"(?<![\w])(_|N_|C_|NC_|Q_|n?gettext|g_dn?gettext|g_dpgettext2?)\s*\(")
BUTTONS = {"GtkButton", "GtkMenuButton", "GtkToggleButton", "AdwSplitButton"}
USER_TEXT = {
    "label", "title", "subtitle", "tooltip-text", "placeholder-text", "description", "heading", "body",
    "menu-label", "dropdown-tooltip",
}
CODE_FOLDERS = ("src", "tests")


def code_files(root):
    for folder in CODE_FOLDERS:
        if (root / folder).is_dir():
            yield from sorted(p for p in (root / folder).rglob("*") if p.suffix in (".c", ".h"))


def templates(root):
    folder = root / "data" / "ui"
    return sorted(folder.rglob("*.ui")) if folder.is_dir() else []


def code_of(path):
    text = path.read_text(encoding="utf-8")
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', '""', text, flags=re.S)


def check_licence(root):
    for path in code_files(root):
        with open(path, encoding="utf-8") as handle:
            first = handle.readline()
        if LICENCE not in first:
            yield f"{path.relative_to(root)}:1: the first line names the licence: {LICENCE}"


def check_potfiles(root):
    listed_file = root / "po" / "POTFILES.in"
    listed = [line.strip() for line in listed_file.read_text(encoding="utf-8").splitlines()]
    listed = [line for line in listed if line and not line.startswith("#")]
    wanted = {str(p.relative_to(root)) for p in templates(root)}
    wanted |= {
        str(p.relative_to(root))
        for p in code_files(root)
        if p.relative_to(root).parts[0] == "src"
        # The macro's own definition is not a text.
        and TRANSLATED.search(re.sub(r"^\s*#.*$", "", code_of(p), flags=re.M))
    }
    data = root / "data"
    if data.is_dir():
        wanted |= {str(p.relative_to(root)) for p in data.glob("*.desktop.in")}
        wanted |= {str(p.relative_to(root)) for p in data.glob("*.metainfo.xml.in")}
    for name in sorted(wanted - set(listed)):
        yield f"po/POTFILES.in: {name} has text and is missing (tools/update-po adds it)"
    for name in listed:
        if not (root / name).is_file():
            yield f"po/POTFILES.in: {name} does not exist"
        elif name not in wanted and name.startswith("src/"):
            yield f"po/POTFILES.in: {name} has no text"
    if listed != sorted(set(listed)):
        yield "po/POTFILES.in: not sorted, or a line twice"


def check_reminders(root):
    paths = list(code_files(root)) + templates(root)
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if REMINDER.search(line):
                yield f"{path.relative_to(root)}:{number}: write NEEDSWORK: and the decision to be made"


def properties(element):
    return {p.get("name", "").replace("_", "-"): p for p in element.findall("property")}


def parsed(root):
    for path in templates(root):
        try:
            yield path.relative_to(root), ET.parse(path).getroot()
        except ET.ParseError as error:
            yield path.relative_to(root), error


def check_templates(root):
    for where, tree in parsed(root):
        if isinstance(tree, ET.ParseError):
            yield f"{where}: {tree}"


def check_icon_buttons(root):
    for where, tree in parsed(root):
        if isinstance(tree, ET.ParseError):
            continue
        for element in tree.iter():
            kind = element.get("parent") if element.tag == "template" else element.get("class")
            if element.tag not in ("object", "template") or kind not in BUTTONS:
                continue
            has = properties(element)
            child = has.get("child")
            picture = "icon-name" in has or (child is not None and child.find("object[@class='GtkImage']") is not None)
            if not picture or "label" in has:
                continue
            name = f"{kind} {element.get('id') or (has['icon-name'].text if 'icon-name' in has else '')}".strip()
            if "tooltip-text" not in has and "tooltip-markup" not in has:
                yield f"{where}: {name} shows only an icon and has no tooltip-text"
            spoken = element.findall("accessibility/property[@name='label']")
            spoken += element.findall("accessibility/relation[@name='labelled-by']")
            if not spoken:
                yield f"{where}: {name} shows only an icon and has no accessible label"


def check_translatable(root):
    for where, tree in parsed(root):
        if isinstance(tree, ET.ParseError):
            continue
        for element in tree.iter("property"):
            name = element.get("name", "").replace("_", "-")
            text = (element.text or "").strip()
            if (name in USER_TEXT and re.search(r"[^\W\d_]{2}", text) and not element.get("translatable")
                    and not element.get("bind-source") and len(element) == 0):
                yield f"{where}: property {name} “{text[:40]}” is not translatable"


def check_icons(root):
    """Every icon drawn is in the resource, and every icon in the resource is drawn."""
    listing = root / "data" / "icons" / "kontor-icons.gresource.xml"
    if not listing.is_file():
        return
    listed = [element.text.strip() for element in ET.parse(listing).getroot().iter("file")]
    drawn = {str(p.relative_to(listing.parent)) for p in (listing.parent / "hicolor").rglob("*.svg")}
    for name in sorted(drawn - set(listed)):
        yield f"data/icons/kontor-icons.gresource.xml: {name} is missing"
    for name in sorted(set(listed) - drawn):
        yield f"data/icons/kontor-icons.gresource.xml: {name} does not exist"
    if listed != sorted(set(listed)):
        yield "data/icons/kontor-icons.gresource.xml: not sorted, or a line twice"


CHECKS = (
    ("every source file starts with its licence", check_licence),
    ("POTFILES.in is sorted and complete", check_potfiles),
    ("no reminders without a decision", check_reminders),
    ("every template is well-formed", check_templates),
    ("every icon-only button has a tooltip and an accessible label", check_icon_buttons),
    ("every text in a template is translatable", check_translatable),
    ("the icon resource lists what is drawn", check_icons),
)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    failed = 0
    print(f"1..{len(CHECKS)}")
    for number, (title, check) in enumerate(CHECKS, 1):
        try:
            faults = list(check(root))
        except (OSError, ET.ParseError) as error:
            faults = [str(error)]
        failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {number} - {title}")
        for fault in faults:
            print(f"# {fault}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
