#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the layer table in ARCHITECTURE.md true?

    layers.py [SOURCE-ROOT]

Reads the table and checks each src/<layer>/*.[ch] against it: which layers it
includes, which libraries, and the words in the column "must not". Also: main.c
holds nothing but main, and no file has grown too large. Prints TAP.
"""

import pathlib
import re
import sys

WARN_LINES = 900
FAIL_LINES = 1200

# The names used in the column "external libraries" → the headers that belong to them.
LIBRARIES = {
    "glib": r"glib\.h|glib/.*|gmodule\.h",
    "gobject": r"glib-object\.h|gobject/.*",
    "gio": r"gio/.*",
    "icu": r"unicode/.*",
    "sqlite3": r"sqlite3\.h",
    "libpq": r"libpq-fe\.h|libpq/.*|postgres_ext\.h",
    "libsoup": r"libsoup/.*",
    "libsecret": r"libsecret/.*",
    "nettle": r"nettle/.*",
    "libsodium": r"sodium\.h|sodium/.*",
    "gtk4": r"gtk/.*|gdk/.*|gsk/.*|graphene.*|pango/.*|cairo.*|gdk-pixbuf/.*",
    "libadwaita": r"adwaita\.h",
    "zlib": r"zlib\.h",
    "json-glib": r"json-glib/.*",
}

# The names of dependencies in meson.build → the names in the table. A layer's own is <layer>_lib_dep.
DEPENDENCIES = {
    "glib": "glib", "gobject": "gobject", "gio": "gio", "gio_unix": "gio", "icu": "icu", "sqlite": "sqlite3",
    "pq": "libpq", "soup": "libsoup", "secret": "libsecret", "sodium": "libsodium", "nettle": "nettle", "gtk": "gtk4",
    "adw": "libadwaita", "zlib": "zlib",
}

# The C library and the system below it are free for all; the words below catch what they must not be used for.
SYSTEM = re.compile(
    r"(assert|complex|ctype|errno|fcntl|fenv|float|grp|inttypes|limits|locale|math|poll|pthread|pwd|setjmp|signal"
    r"|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|termios|time|uchar"
    r"|unistd|wchar|wctype|libintl|langinfo|malloc|glob|sysexits"
    r"|sys/[a-z_]+|netinet/[a-z_]+|arpa/[a-z_]+|linux/[a-z_]+|glib-unix|glib/gstdio|glib/gi18n(-lib)?)\.h"
)

# The names used in the column "must not" → (what to look for in code, what to look for in strings, files exempt).
# A call through a member, env->random (), is what has been handed in, and is welcome.
# Exempt are the doors: the one place that hands in what the rest of the layer may not fetch.
FORBIDDEN = {
    "main loop": (
        r"\b(g_main_(context|loop)_\w+|g_timeout_add\w*|g_idle_add\w*|g_(timeout|idle)_source_new\w*)\s*\(",
        None, None),
    "I/O": (
        r"(?<!->)(?<!\.)\b(fopen|freopen|popen|open|openat|creat|socket|connect|unlink|g_fopen|g_open|g_unlink|g_mkdir\w*"
        r"|g_file_(get_contents|set_contents\w*|new_\w+|test|open_tmp)|g_dir_open|g_spawn_\w+)\s*\(",
        None, r"kt-file\.c"),
    "clock": (
        r"(?<!->)(?<!\.)\b(g_get_(real|monotonic)_time|g_get_current_time|g_date_time_new_now\w*|time|clock_gettime|gettimeofday)\s*\(",
        None, r"kt-(clock|env)\.c"),
    "random": (
        r"(?<!->)(?<!\.)\b(g_random_\w+|g_rand_new|g_uuid_string_random|getrandom|getentropy|arc4random\w*|s?rand|random)\s*\(",
        None, r"kt-(random|env)\.c"),
    "SQL text": (
        None,
        r"^\s*(SELECT\s.*|INSERT\s+(OR\s+\w+\s+)?INTO\b|UPDATE\s+\S+\s+SET\b|DELETE\s+FROM\b|CREATE\s+(TABLE|INDEX|UNIQUE|VIRTUAL|TRIGGER|VIEW)\b"
        r"|ALTER\s+TABLE\b|DROP\s+(TABLE|INDEX)\b|PRAGMA\s|BEGIN(\s+IMMEDIATE|\s*;|\s+TRANSACTION)|WITH\s+RECURSIVE\b|REPLACE\s+INTO\b)",
        None),
    "JSON": (r"\b(kt_json_\w+|KtJson\w*|json_\w+)\b", None, None),
    "network": (
        r"\b(soup_\w+|Soup[A-Z]\w+|g_socket_\w+|g_resolver_\w+|g_network_\w+|g_tcp_\w+|getaddrinfo)\b(?!\.h)", None, r".*network-monitor.*"),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DASH = {"", "–", "-", "—"}


class Fault(Exception):
    """The table itself cannot be read."""


def read_table(root):
    """name → (layers, libraries, rules), from the one table that starts with "| layer |"."""
    text = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = []
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| layer |"):
            inside = True
            if cells != ["layer", "may use", "external libraries", "must not"]:
                raise Fault(f"unexpected columns: {cells}")
        elif inside and not line.startswith("|"):
            break
        elif inside and not set(line) <= set("|-: "):
            if len(cells) != 4:
                raise Fault(f"a row of {len(cells)} cells: {line}")
            rows.append(cells)
    if not rows:
        raise Fault("no layer table in ARCHITECTURE.md")

    def names(cell):
        return [] if cell in DASH else [part.strip().strip("`") for part in cell.split(",")]

    table = {names(row[0])[0]: tuple(names(cell) for cell in row[1:]) for row in rows}
    for layer, (below, libraries, rules) in table.items():
        for what, given, known in (("layer", below, table), ("library", libraries, LIBRARIES), ("rule", rules, FORBIDDEN)):
            for name in given:
                if name not in known:
                    raise Fault(f"row {layer}: unknown {what} “{name}”")
        for other in below:
            if layer in table[other][0]:
                raise Fault(f"{layer} and {other} use each other")
    return table


def split(text):
    """(code without comments and strings, [(offset, string)]); adjacent literals become one string."""
    strings = []
    last_end = None

    def replace(match):
        nonlocal last_end
        token = match[0]
        blank = re.sub(r"[^\n]", " ", token)
        if token.startswith('"'):
            line_start = text.rfind("\n", 0, match.start()) + 1
            if text[line_start:match.start()].lstrip().startswith("#"):
                return blank
            between = text[last_end:match.start()] if last_end is not None else None
            if strings and between is not None and not between.strip():
                strings[-1] = (strings[-1][0], strings[-1][1] + token[1:-1])
            else:
                strings.append((match.start(), token[1:-1]))
            last_end = match.end()
        return blank

    return TOKEN.sub(replace, text), strings


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".c", ".h"))


def check_includes(root, layer, table):
    below, libraries, _rules = table[layer]
    allowed = re.compile("|".join(LIBRARIES[name] for name in libraries) or r"(?!)")
    known = {name: re.compile(pattern) for name, pattern in LIBRARIES.items()}
    folder = root / "src" / layer
    for path in files_of(folder):
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(root)
        for match in INCLUDE.finditer(text):
            quote, name = match[1], match[2]
            at = f"{where}:{line_of(text, match.start(2))}"
            head = name.split("/")[0]
            if quote == '"':
                if name == "config.h" or (folder / name).exists() or (path.parent / name).exists():
                    continue
                if "/" not in name:
                    # Generated headers (resources, enum types) have no source file of their own.
                    elsewhere = [other for other in table if (root / "src" / other / name).exists()]
                    if elsewhere:
                        yield f'{at}: "{name}" stands in {elsewhere[0]}; write "{elsewhere[0]}/{name}"'
                elif head not in table:
                    yield f'{at}: "{name}" is in no layer of the table'
                elif head != layer and head not in below:
                    yield f'{at}: {layer} must not use {head}: "{name}"'
            elif SYSTEM.fullmatch(name) or allowed.fullmatch(name):
                continue
            else:
                owner = [library for library, pattern in known.items() if pattern.fullmatch(name)]
                if owner:
                    yield f"{at}: {layer} must not use {owner[0]}: <{name}>"
                else:
                    yield f"{at}: <{name}> belongs to no library the lint knows"


def check_rules(root, layer, table):
    for path in files_of(root / "src" / layer):
        text = path.read_text(encoding="utf-8")
        code, strings = split(text)
        where = path.relative_to(root)
        for rule in table[layer][2]:
            in_code, in_string, exempt = FORBIDDEN[rule]
            if exempt and re.fullmatch(exempt, path.name):
                continue
            if in_code:
                for match in re.finditer(in_code, code):
                    yield f"{where}:{line_of(text, match.start())}: {layer} must not have {rule}: {match[0].strip()}"
            if in_string:
                for offset, string in strings:
                    if re.search(in_string, string):
                        yield f"{where}:{line_of(text, offset)}: {layer} must not have {rule}: “{string[:40]}”"


def check_target(root, layer, table):
    """The build gives a layer only what its row allows."""
    path = root / "src" / layer / "meson.build"
    if not path.is_file():
        return
    below, libraries, _rules = table[layer]
    text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
    for name in sorted(set(re.findall(r"\b(\w+)_dep\b", text))):
        if name.endswith("_lib"):
            if name[:-4] != layer and name[:-4] not in below:
                yield f"{path.relative_to(root)}: {layer} must not link {name[:-4]}"
        elif name not in DEPENDENCIES:
            yield f"{path.relative_to(root)}: {name}_dep is no library the lint knows"
        elif DEPENDENCIES[name] not in libraries:
            yield f"{path.relative_to(root)}: {layer} must not link {DEPENDENCIES[name]}"


def check_mains(root):
    """In the project's form a function definition starts a line with its name."""
    for path in sorted((root / "src").rglob("main.c")):
        code, _strings = split(path.read_text(encoding="utf-8"))
        names = re.findall(r"^(?:[a-z][\w \t*]*[ *])?(\w+) ?\([^;{}]*\)\s*\{", code, re.M)
        for name in names:
            if name != "main":
                yield f"{path.relative_to(root)}: holds {name} () beside main ()"
        if "main" not in names:
            yield f"{path.relative_to(root)}: holds no main ()"


def check_lengths(root, notes):
    for path in files_of(root / "src"):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > FAIL_LINES:
            yield f"{path.relative_to(root)}: {lines} lines; over {FAIL_LINES} it is two files"
        elif lines > WARN_LINES:
            notes.append(f"{path.relative_to(root)}: {lines} lines; is it still one thing?")


def check_folders(root, table):
    """Every folder that holds C has a row; a row without a folder is a layer still to come."""
    for folder in sorted((root / "src").iterdir()):
        if folder.is_dir() and folder.name not in table and files_of(folder):
            yield f"src/{folder.name} has no row in ARCHITECTURE.md"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    try:
        table = read_table(root)
    except (Fault, OSError) as fault:
        print(f"1..1\nnot ok 1 - the layer table can be read\n# {fault}")
        return 1
    notes = []
    checks = [("the layer table can be read", []), ("every folder has a row", check_folders(root, table))]
    for layer in table:
        checks.append((f"{layer}: includes only what is below it", check_includes(root, layer, table)))
        checks.append((f"{layer}: links only what is below it", check_target(root, layer, table)))
        checks.append((f"{layer}: keeps its rules", check_rules(root, layer, table)))
    checks.append(("main.c holds nothing but main", check_mains(root)))
    checks.append((f"no file over {FAIL_LINES} lines", check_lengths(root, notes)))

    failed = 0
    print(f"1..{len(checks)}")
    for number, (title, faults) in enumerate(checks, 1):
        faults = list(faults)
        failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {number} - {title}")
        for fault in faults:
            print(f"# {fault}")
    for note in notes:
        print(f"# {note}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
