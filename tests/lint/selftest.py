#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do the lints bite? Each gets a clean tree that it must pass, and then one planted fault after
the other, each of which it must find and name. The counting of test results is proved here too.
Prints TAP."""

import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SPDX = "/* SPDX-License-Identifier: GPL-3.0-or-later */\n"

TABLE = """\
| layer | may use | external libraries | must not |
|---|---|---|---|
| `base` | – | glib, gobject | main loop, I/O, clock, random |
| `store` | base | glib, gio, sqlite3 | network |
| `sync` | base, store | glib, gio, libsoup | SQL text |
| `ui` | base | glib, gtk4, libadwaita | SQL text, JSON, network |
"""

BUTTON = """<interface><object class="GtkButton" id="add"><property name="icon-name">list-add-symbolic</property>
{tooltip}{label}</object></interface>
"""
TOOLTIP = '<property name="tooltip-text" translatable="yes">Add</property>'
LABEL = '<accessibility><property name="label" translatable="yes">Add</property></accessibility>'

CLEAN = {
    "ARCHITECTURE.md": TABLE,
    "src/base/kt-value.h": SPDX + "#pragma once\n#include <glib.h>\n",
    "src/base/kt-value.c": SPDX + '#include "config.h"\n#include "base/kt-value.h"\n#include <string.h>\n'
                                  "/* time () is only mentioned here */\n"
                                  "static void f (KtEnv *env) { env->random (env->data, NULL, 0); }\n",
    "src/base/meson.build": "base_lib = static_library('b', dependencies: [glib_dep, gobject_dep])\n",
    "src/store/kt-store.c": SPDX + '#include <sqlite3.h>\n#include "base/kt-value.h"\nstatic const char *q = "SELECT 1";\n',
    "src/store/kt-store.h": SPDX + "#pragma once\n",
    "src/sync/kt-engine.c": SPDX + '#include <libsoup/soup.h>\n#include "store/kt-store.h"\n',
    "src/ui/kt-window.c": SPDX + '#include <adwaita.h>\n#include "base/kt-value.h"\n'
                                 'static const char *t (void) { return _("Select a file"); }\n',
    "src/ui/main.c": SPDX + "int\nmain (int argc,\n      char **argv)\n{\n  return 0;\n}\n",
    "po/POTFILES.in": "data/ui/kt-window.ui\nsrc/ui/kt-window.c\n",
    "data/ui/kt-window.ui": BUTTON.format(tooltip=TOOLTIP, label=LABEL),
}

# lint, what is planted, {file: new content or None}, what the report must say
FAULTS = [
    ("layers", "a layer above", {"src/base/kt-value.c": SPDX + '#include "store/kt-store.h"\n'}, "base must not use store"),
    ("layers", "a layer above, by bare name", {"src/base/kt-value.c": SPDX + '#include "kt-store.h"\n'}, "stands in store"),
    ("layers", "a layer beside", {"src/ui/kt-window.c": SPDX + '#include "sync/kt-engine.h"\n'}, "ui must not use sync"),
    ("layers", "an unknown layer", {"src/ui/kt-window.c": SPDX + '#include "misc/kt-x.h"\n'}, "no layer of the table"),
    ("layers", "a library that is not its own", {"src/base/kt-value.c": SPDX + "#include <gtk/gtk.h>\n"}, "base must not use gtk4"),
    ("layers", "a library nobody knows", {"src/base/kt-value.c": SPDX + "#include <curl/curl.h>\n"}, "no library the lint knows"),
    ("layers", "a linked library", {"src/base/meson.build": "x(dependencies: [soup_dep])\n"}, "base must not link libsoup"),
    ("layers", "a linked layer", {"src/base/meson.build": "x(dependencies: [store_lib_dep])\n"}, "base must not link store"),
    ("layers", "SQL in ui", {"src/ui/kt-window.c": SPDX + 'const char *q = "SELECT id "\n  "FROM account";\n'}, "ui must not have SQL text"),
    ("layers", "SQL in sync", {"src/sync/kt-engine.c": SPDX + 'const char *q = "INSERT INTO outbox";\n'}, "sync must not have SQL text"),
    ("layers", "JSON in ui", {"src/ui/kt-window.c": SPDX + "void f (void) { kt_json_parse (); }\n"}, "ui must not have JSON"),
    ("layers", "the clock in base", {"src/base/kt-value.c": SPDX + "void f (void) { g_get_real_time (); }\n"}, "base must not have clock"),
    ("layers", "chance in base", {"src/base/kt-value.c": SPDX + "void f (void) { g_random_int (); }\n"}, "base must not have random"),
    ("layers", "a file in base", {"src/base/kt-value.c": SPDX + 'void f (void) { fopen ("x", "r"); }\n'}, "base must not have I/O"),
    ("layers", "a main loop in base", {"src/base/kt-value.c": SPDX + "void f (void) { g_idle_add (NULL, NULL); }\n"}, "base must not have main loop"),
    ("layers", "the network in store", {"src/store/kt-store.c": SPDX + "void f (void) { soup_session_new (); }\n"}, "store must not have network"),
    ("layers", "a second function in main.c",
     {"src/ui/main.c": CLEAN["src/ui/main.c"] + "static void\nhelp (void)\n{\n}\n"}, "holds help () beside main ()"),
    ("layers", "a file of 1300 lines", {"src/ui/kt-window.c": SPDX + "int x;\n" * 1300}, "1301 lines"),
    ("layers", "a folder without a row", {"src/misc/kt-x.c": SPDX}, "src/misc has no row"),
    ("layers", "no table", {"ARCHITECTURE.md": "# Nothing\n"}, "no layer table"),
    ("layers", "a circle in the table", {"ARCHITECTURE.md": TABLE.replace("| `base` | – |", "| `base` | ui |")}, "use each other"),
    ("layers", "a misspelt rule", {"ARCHITECTURE.md": TABLE.replace("main loop", "mainloop")}, "unknown rule"),
    ("sources", "no licence", {"src/base/kt-value.c": "int x;\n"}, "names the licence"),
    ("sources", "the licence in line 2", {"src/base/kt-value.c": "\n" + SPDX}, "names the licence"),
    ("sources", "a source missing in POTFILES", {"po/POTFILES.in": "data/ui/kt-window.ui\n"}, "src/ui/kt-window.c has text"),
    ("sources", "a template missing in POTFILES", {"po/POTFILES.in": "src/ui/kt-window.c\n"}, "data/ui/kt-window.ui has text"),
    ("sources", "POTFILES unsorted", {"po/POTFILES.in": "src/ui/kt-window.c\ndata/ui/kt-window.ui\n"}, "not sorted"),
    ("sources", "POTFILES with a ghost", {"po/POTFILES.in": CLEAN["po/POTFILES.in"] + "src/ui/kt-z.c\n"}, "does not exist"),
    ("sources", "an icon without a tooltip", {"data/ui/kt-window.ui": BUTTON.format(tooltip="", label=LABEL)}, "no tooltip-text"),
    ("sources", "an icon without a name", {"data/ui/kt-window.ui": BUTTON.format(tooltip=TOOLTIP, label="")}, "no accessible label"),
    ("sources", "text that is not translatable",
     {"data/ui/kt-window.ui": BUTTON.format(tooltip=TOOLTIP.replace(' translatable="yes"', ""), label=LABEL)}, "is not translatable"),
    ("sources", "a broken template", {"data/ui/kt-window.ui": "<interface>"}, "kt-window.ui: "),
    ("sources", "a reminder", {"src/base/kt-value.c": SPDX + "/* " + "TO" + "DO: later */\n"}, "NEEDSWORK"),
    ("sources", "an icon missing in the resource",
     {"data/icons/kontor-icons.gresource.xml": "<gresources><gresource/></gresources>", "data/icons/hicolor/a.svg": "<svg/>"}, "hicolor/a.svg is missing"),
]

# title, meson's log entries, meson's exit status, the last line, the exit status
COUNTS = [
    ("TAP points are counted", [{"result": "OK", "stdout": "TAP version 13\nok 1 /a\nok 2 /b # SKIP none\n1..2\n"}], 0, "1 passed, 0 failed, 1 skipped", 0),
    ("nested points are counted once",
     [{"result": "OK", "stdout": "# Subtest: a\n    ok 1 /a/x\n    ok 2 /a/y\n    1..2\nok 1 a\nok 2 /b\n1..2\n"}], 0, "3 passed, 0 failed", 0),
    ("a point known to fail has not passed", [{"result": "OK", "stdout": "ok 1 /a\nnot ok 2 /b # " + "TO" + "DO later\n"}], 0, "1 passed, 0 failed, 1 skipped", 0),
    ("a failing point fails", [{"result": "FAIL", "stdout": "ok 1 /a\nnot ok 2 /b\n1..2\n"}], 1, "1 passed, 1 failed", 1),
    ("a crash after good points fails", [{"result": "FAIL", "returncode": -11, "stdout": "ok 1 /a\n"}], 1, "1 passed, 1 failed", 1),
    ("a timeout fails", [{"result": "TIMEOUT", "stdout": ""}], 1, "0 passed, 1 failed", 1),
    ("a program without TAP is one", [{"result": "OK", "stdout": "hello"}, {"result": "SKIP"}], 0, "1 passed, 0 failed, 1 skipped", 0),
    ("meson's own failure is not lost", [{"result": "OK", "stdout": "ok 1 a"}], 1, "1 passed, 1 failed", 1),
    ("no tests at all is a failure", [], 0, "0 passed, 1 failed", 1),
]


def run(command):
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def lint(name, changes):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, content in {**CLEAN, **changes}.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        return run([HERE / f"{name}.py", root])


def count(entries, code):
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "testlog.json"
        log.write_text("".join(json.dumps({"name": "t", **entry}) + "\n" for entry in entries), encoding="utf-8")
        status, output = run([HERE.parents[1] / "tools" / "count-tests", log, code])
        return status, output.splitlines()[-1]


def results():
    for name in ("layers", "sources"):
        status, output = lint(name, {})
        yield f"{name}: a clean tree passes", status == 0, output
    for name, title, changes, expected in FAULTS:
        status, output = lint(name, changes)
        yield f"{name} finds {title}", status == 1 and expected in output, output
    for title, entries, code, line, expected in COUNTS:
        found = count(entries, code)
        yield f"count: {title}", found == (expected, line), str(found)


def main():
    failed = 0
    total = 0
    for total, (title, good, output) in enumerate(results(), 1):
        print(f"{'ok' if good else 'not ok'} {total} - {title}")
        if not good:
            failed += 1
            for line in output.splitlines():
                print(f"#   {line}")
    print(f"1..{total}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
