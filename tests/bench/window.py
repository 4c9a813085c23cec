#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees: from starting the program to a window, and from a click or a key to rows. And what it costs.

    window.py [--quick] [--rows N] [--runs N]

The screen is Xvfb's, which keeps it in a file (-fbdir); that file is looked at again and again. GTK draws with cairo.
Times start before the process is made, or before the event is sent, and end with the look that first found the
pixels, so they are up to a few milliseconds too long. Programs and profile are in the page cache ("warm").
"""

import argparse
import ctypes
import mmap
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "ui"))

import desktop as ui  # noqa: E402
from figures import Table, percentile  # noqa: E402

LOOK = 0.002        # between two looks
QUIET = 0.6         # nothing changes for so long: it has come to rest
PATIENCE = 30
WINDOW = (1200, 800)
TYPED = ["anna schmidt", "zhangxiao", "northwind", "+49 30 12", "renewal be"]


class Screen:
    """Xvfb's frame buffer: an XWD file that is always up to date."""

    def __init__(self, folder):
        path = pathlib.Path(folder) / "Xvfb_screen0"
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        head = struct.unpack(">25I", self.bytes[:100])
        self.start = head[0] + 12 * head[19]
        self.line = head[12]

    def rows(self, x, y, width, height, step=1):
        for row in range(y, y + height, step):
            at = self.start + row * self.line
            yield self.bytes[at + 4 * x:at + 4 * (x + width)]

    def sum(self, x, y, width, height):
        value = 0
        for row in self.rows(x, y, width, height, 2):
            value = zlib.crc32(row, value)
        return value

    def written(self, x, y, width, height):
        """How many lines of writing there are: bands with many colours, apart from each other."""
        lines, inside = 0, False
        for row in self.rows(x, y, width, height, 2):
            ink = len(set(memoryview(row).cast("I"))) > 8
            lines += ink and not inside
            inside = ink
        return lines


class Pointer:
    """Events without the time it takes to start xdotool."""

    def __init__(self, display):
        self.x11, self.test = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
        self.x11.XOpenDisplay.restype = ctypes.c_void_p
        self.display = ctypes.c_void_p(self.x11.XOpenDisplay(display.encode()))
        self.x11.XStringToKeysym.restype = ctypes.c_ulong
        self.x11.XKeysymToKeycode.argtypes = [ctypes.c_void_p, ctypes.c_ulong]

    def move(self, x, y):
        self.test.XTestFakeMotionEvent(self.display, -1, x, y, 0)
        self.x11.XSync(self.display, 0)

    def click(self):
        for down in (1, 0):
            self.test.XTestFakeButtonEvent(self.display, 1, down, 0)
        self.x11.XFlush(self.display)

    def key(self, letter):
        names = {" ": "space", "+": "plus"}
        symbol = self.x11.XStringToKeysym(names.get(letter, letter).encode())
        code = self.x11.XKeysymToKeycode(self.display, symbol)
        shift = self.x11.XKeysymToKeycode(self.display, self.x11.XStringToKeysym(b"Shift_L"))
        keys = [(code, 1), (code, 0)]
        if letter == "+":
            keys = [(shift, 1), *keys, (shift, 0)]
        for which, down in keys:
            self.test.XTestFakeKeyEvent(self.display, which, down, 0)
        self.x11.XFlush(self.display)


class Stage(ui.Desktop):
    """The desktop of the window suite with its screen in a file, and without what is only for tests."""

    def __init__(self):
        self.buffer = None
        super().__init__("bench", size=(1440, 900))
        for name in ("G_DEBUG", "G_ENABLE_DIAGNOSTIC"):
            self.env.pop(name, None)
        self.screen = Screen(self.buffer)
        self.devices = Pointer(self.env["DISPLAY"])

    def start(self, command, env=None, **more):
        if command[0] == "Xvfb":
            self.buffer = self.home / "screen"
            self.buffer.mkdir()
            command = [*command, "-fbdir", str(self.buffer)]
        return super().start(command, env, **more)


def rest(screen, area, since):
    """Waits until an area has come to rest. When it changed first and last, in seconds since; None: not at all."""
    before = screen.sum(*area)
    first = last = None
    quiet_from = time.perf_counter()
    while time.perf_counter() - quiet_from < QUIET and time.perf_counter() - since < PATIENCE:
        now = screen.sum(*area)
        if now != before:
            before = now
            last = quiet_from = time.perf_counter()
            first = first or last
        time.sleep(LOOK)
    return first and first - since, last and last - since


# The rows of the list in a window of this size: without sidebar, header bar and column titles.
ROWS_AREA = (300, 160, 880, 600)
WINDOW_AREA = (0, 0, *WINDOW)


def start_once(stage, profile):
    """Starts the program; when the window, the first rows and all of the list were to be seen."""
    screen = stage.screen
    empty = screen.sum(*WINDOW_AREA)
    mapped = rows = None
    begin = time.perf_counter()
    app = ui.App(stage, [stage.program("ui/kontor"), "--profile", str(profile)], stage.env, stage.home / "kontor.log")
    while rows is None:
        app.alive()
        if time.perf_counter() - begin > PATIENCE:
            stage.screenshot(stage.artifact("no-rows.png"))
            raise ui.Failure(f"no list after {PATIENCE} s (see {stage.artifact('no-rows.png')})")
        if mapped is None and screen.sum(*WINDOW_AREA) != empty:
            mapped = time.perf_counter() - begin
        if mapped is not None and screen.written(*ROWS_AREA) >= 8:
            rows = time.perf_counter() - begin
        time.sleep(LOOK)
    _, last = rest(screen, ROWS_AREA, begin)
    return app, mapped * 1e3, rows * 1e3, (last or rows) * 1e3


def private_memory(pid):
    fields = {}
    for name in ("smaps_rollup", "status"):
        for line in pathlib.Path(f"/proc/{pid}/{name}").read_text(encoding="ascii", errors="replace").splitlines():
            parts = line.split()
            if len(parts) == 3 and parts[2] == "kB":
                fields[parts[0].rstrip(":")] = int(parts[1]) / 1024 * 1.048576
    return fields["Private_Dirty"], fields["RssAnon"]


def other_rows(screen, before, since):
    """When there were rows again, and others; None: never."""
    while time.perf_counter() - since < 5:
        if screen.sum(*ROWS_AREA) != before and screen.written(*ROWS_AREA) >= 8:
            return time.perf_counter() - since
        time.sleep(LOOK)
    return None


def open_lists(stage, app, figures):
    """From a click in the sidebar to rows."""
    screen = stage.screen
    window = app.connect().window()
    app.wait_for(lambda: subprocess.run(["xdotool", "getactivewindow"], env=stage.env, check=False, timeout=20,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL).returncode == 0, "the window to be active")
    spots = {name: window.find("list", "Objects").find("list item", name).spot() for name in ("Accounts", "Contacts")}
    # On a busy machine a list may take longer than what passes for rest: then once more.
    for _ in range(3):
        for name in ("Accounts", "Contacts"):
            stage.devices.move(*spots[name])
            rest(screen, WINDOW_AREA, time.perf_counter())
            before = screen.sum(*ROWS_AREA)
            begin = time.perf_counter()
            stage.devices.click()
            first = other_rows(screen, before, begin)
            _, last = rest(screen, ROWS_AREA, begin)
        if first is not None:
            break
    if first is None:
        raise ui.Failure("a click on Contacts did not change the list")
    figures[0].append(first * 1e3)
    figures[1].append((last or first) * 1e3)


def type_filter(stage, figures):
    """From a key to the first change of the list, letter by letter."""
    screen = stage.screen
    times = []
    for text in TYPED:
        stage.keys("ctrl+f")
        stage.keys("ctrl+a", "BackSpace")
        rest(screen, WINDOW_AREA, time.perf_counter())
        for letter in text:
            begin = time.perf_counter()
            stage.devices.key(letter)
            first, _ = rest(screen, ROWS_AREA, begin)
            if first is not None:
                times.append(first * 1e3)
    stage.keys("ctrl+a", "BackSpace")
    rest(screen, WINDOW_AREA, time.perf_counter())
    if times:
        figures[0].append(percentile(times, 0.5))
        figures[1].append(percentile(times, 0.99))


def many_profile(stage, rows, target):
    """A copy of the profile that the other benchmarks use."""
    done = subprocess.run([os.environ["KONTOR_BENCH_LIST"], "--prepare", "--rows", str(rows)], stdout=subprocess.PIPE,
                          text=True, check=True, stdin=subprocess.DEVNULL)
    shutil.copytree(done.stdout.strip(), target)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--runs", type=int)
    options = parser.parse_args()
    rows = options.rows or (10000 if options.quick else 100000)
    runs = options.runs or (1 if options.quick else 5)
    table = Table("The window, under Xvfb with cairo", f"{rows} contacts, {runs} run{'s' * (runs > 1)}", options.quick)
    demo = [table.figure("demo profile: window on the screen", "ms"),
            table.figure("demo profile: first list painted", "ms", 400),
            table.figure("demo profile: list at rest", "ms")]
    many = [table.figure(f"{rows:,} contacts: window on the screen", "ms"),
            table.figure(f"{rows:,} contacts: first list painted", "ms", 600),
            table.figure(f"{rows:,} contacts: list at rest", "ms")]
    opening = [table.figure("click on Contacts to first rows", "ms", 100),
               table.figure("click on Contacts to list at rest", "ms")]
    typing = [table.figure("quick filter, key to changed rows, median", "ms"),
              table.figure("quick filter, key to changed rows, p99", "ms")]
    memory = [table.figure("at rest with the list: Private_Dirty", "MB", 80),
              table.figure("at rest with the list: RssAnon", "MB")]
    with Stage() as stage:
        server = stage.server()
        stage.sign_in(server, "demo")
        many_profile(stage, rows, stage.home / "many")
        stage.settings(last_page="'contact'", window_width=str(WINDOW[0]), window_height=str(WINDOW[1]))
        # Once without looking: page cache, font cache, settings.
        for turn in range(-1, runs):
            for profile, figures in (("demo", demo), ("many", many)):
                app, *times = start_once(stage, stage.home / profile)
                if turn >= 0:
                    for figure, value in zip(figures, times):
                        figure.append(value)
                    if profile == "many":
                        time.sleep(1)
                        for figure, value in zip(memory, private_memory(app.process.pid)):
                            figure.append(value)
                        open_lists(stage, app, opening)
                        type_filter(stage, typing)
                app.stop()
                rest(stage.screen, WINDOW_AREA, time.perf_counter())
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
