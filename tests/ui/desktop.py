# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop of one's own to drive the real program in.

    with Desktop("name") as desktop:
        server = desktop.server()
        app = desktop.kontor()
        app.window().find("button", "Sign In").click()

Everything it starts is private (display, buses, HOME and XDG folders), is ended by its process id, and dies with
the script that started it. Nothing sleeps: wait_for() asks a condition again until it holds or the time is up, and
then says what the window showed.

The program is read through AT-SPI, spoken directly: GTK's answers are always the present ones, where libatspi keeps
old ones (a label that changes emits no event in GTK 4.8). Keys and the pointer are real X events.
"""

import atexit
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get("KONTOR_UI_SECONDS", "20"))
PASSWORD = "correct horse battery"
USER = "demo"

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"""

# Every window at the top left corner: positions that AT-SPI gives are relative to the window.
OPENBOX_CONFIG = """<?xml version="1.0"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
<focus><focusNew>yes</focusNew><focusLast>yes</focusLast></focus>
<applications><application class="*"><decor>no</decor><focus>yes</focus>
<position force="yes"><x>0</x><y>0</y></position></application></applications>
<desktops><number>1</number></desktops><keyboard/><mouse/>
</openbox_config>"""

STATES = {
    "active": 1, "checked": 4, "collapsed": 5, "editable": 7, "enabled": 8, "expandable": 9, "expanded": 10,
    "focusable": 11, "focused": 12, "pressed": 20, "selected": 23, "sensitive": 24, "showing": 25, "visible": 30,
}
ACCESSIBLE = "org.a11y.atspi.Accessible"
# What GTK answers when a widget has no name: the name of its class.
SYNC_OK = re.compile("^Up to date")
NO_NAME = re.compile(r"^((Gtk|Adw|Kt)[A-Z]\w*|\s*)$")


class Failure(Exception):
    """What a test expected did not come true."""


class Gone(Exception):
    """The node is no longer there."""


def end_with_parent():
    """In the child: a killed test leaves nothing behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def wait_for(condition, what, seconds=SECONDS, alive=None, tell=None):
    """The first true answer of condition. Nodes may vanish while they are looked at."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = condition()
            if answer:
                return answer
        except Gone:
            pass
        if alive is not None:
            alive()
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds:g} s for {what}" + (tell() if tell is not None else ""))
        time.sleep(0.03)


class Node:
    """One thing in the accessible tree."""

    def __init__(self, app, path):
        self.app = app
        self.path = path

    def __eq__(self, other):
        return isinstance(other, Node) and self.path == other.path

    def __hash__(self):
        return hash(self.path)

    def __repr__(self):
        try:
            return f"{self.role} {self.name!r}"
        except Gone:
            return "gone"

    def call(self, method, args=None, interface=ACCESSIBLE):
        return self.app.call(self.path, interface, method, args)

    def get(self, name, interface=ACCESSIBLE):
        return self.call("Get", GLib.Variant("(ss)", (interface, name)), "org.freedesktop.DBus.Properties")[0]

    @property
    def role(self):
        return self.call("GetRoleName")[0]

    @property
    def full_name(self):
        return self.get("Name")

    @property
    def name(self):
        name = self.full_name
        if NO_NAME.match(name):
            return ""
        # GTK 4.8 says the label of a button twice, once with its mnemonic.
        if "_" in name:
            half = (len(name) - 1) // 2
            for cut in (half, half + 1):
                if name[:cut].replace("_", "", 1) == name[cut + 1:] and name[cut:cut + 1] == " ":
                    return name[cut + 1:]
        return name

    @property
    def description(self):
        return self.get("Description")

    @property
    def children(self):
        return [Node(self.app, path) for _, path in self.call("GetChildren")[0]]

    @property
    def parent(self):
        return Node(self.app, self.get("Parent")[1])

    @property
    def states(self):
        low, high = self.call("GetState")[0]
        bits = low | high << 32
        return {name for name, bit in STATES.items() if bits >> bit & 1}

    def has(self, state):
        return state in self.states

    @property
    def text(self):
        """What an entry or label holds."""
        count = self.get("CharacterCount", "org.a11y.atspi.Text")
        return self.call("GetText", GLib.Variant("(ii)", (0, count)), "org.a11y.atspi.Text")[0]

    @property
    def extents(self):
        """x, y, width, height in the window; all 0 or less when it is not drawn."""
        return self.call("GetExtents", GLib.Variant("(u)", (1,)), "org.a11y.atspi.Component")[0]

    @property
    def shown(self):
        """On a page that stands (it may be scrolled out of sight). GTK 4.8 sets no such state, and a page that was left
        keeps its place; but only what is drawn contains a point."""
        x, y, width, height = self.extents
        return width > 0 and height > 0 and self.call("Contains", GLib.Variant("(iiu)", (x + width // 2, y + height // 2, 1)),
                                                      "org.a11y.atspi.Component")[0]

    def walk(self, rows=40):
        """This and everything below it, top down; of long lists only the first rows."""
        yield self
        try:
            children = self.children
            if len(children) > rows:
                children = children[:rows]
        except Gone:
            return
        for child in children:
            yield from child.walk(rows)

    def look(self, role=None, name=None, rows=40):
        """All below with this role and name (a text, or a compiled pattern)."""
        for node in self.walk(rows):
            try:
                if role is not None and node.role != role:
                    continue
                if name is not None:
                    full = node.name
                    if not (name.search(full) if isinstance(name, re.Pattern) else full == name):
                        continue
            except Gone:
                continue
            yield node

    def find(self, role=None, name=None, seconds=SECONDS, rows=40, only=None):
        """The first such thing that is shown, waited for. A button in a menu button has its name; the inner one is meant."""
        def there():
            for node in self.look(role, name, rows):
                if node.shown and (only is None or node.role in only):
                    inner = node.children if node.role == "button" else []
                    return inner[0] if inner and inner[0].role == "button" else node
            return None
        return self.app.wait_for(there,
                                 f"{role or 'something'} {getattr(name, 'pattern', name)!r} in {self!r}", seconds)

    def here(self, role=None, name=None, rows=40):
        """Whether such a thing is shown now."""
        return any(node.shown for node in self.look(role, name, rows))

    def says(self, text, seconds=SECONDS):
        """Waits for a text that is somewhere in here; text may be a compiled pattern."""
        pattern = text if isinstance(text, re.Pattern) else re.compile(re.escape(text))
        return self.app.wait_for(lambda: next((n for n in self.walk() if pattern.search(n.name) and n.shown), None),
                                 f"the text {pattern.pattern!r} in {self!r}", seconds)

    def texts(self):
        """Everything that is written here, for looking at."""
        return [node.name for node in self.walk() if node.role == "label" and node.name and node.shown]

    def dump(self, rows=8, depth=0):
        """What is drawn and has a name, one a line."""
        lines = []
        try:
            role, name, children = self.role, self.name, self.children
            if depth > 0 and not self.shown:
                return lines
            if name and not (role == "label" and len(children) == 0 and self.parent.name == name):
                states = sorted(self.states & {"focused", "selected", "checked", "expanded"})
                lines.append(" ".join(["  " * depth + role, repr(name), *states]))
                depth += 1
            elif depth == 0:
                depth = 1
            for child in children[:rows] if len(children) > 3 * rows else children:
                lines += child.dump(rows, depth)
        except Gone:
            pass
        return lines

    # ---- doing things ----

    def do(self):
        """What pressing it does, without a pointer: in popovers, whose place on the screen is not known."""
        self.call("DoAction", GLib.Variant("(i)", (0,)), "org.a11y.atspi.Action")
        return self

    def type_text(self, text):
        """Puts text into an entry as an input method would."""
        self.call("SetTextContents", GLib.Variant("(s)", (text,)), "org.a11y.atspi.EditableText")
        return self

    @property
    def toplevel(self):
        node = self
        while node.parent.role != "application":
            node = node.parent
        return node

    def spot(self):
        """Its middle on the screen, once it stays in its place. Positions leave out the border (or shadow) that a window
        draws around itself."""
        seen = []
        self.app.wait_for(lambda: seen.append(self.extents) or len(seen) > 1 and seen[-1] == seen[-2], f"{self!r} to stay in place")
        x, y, width, height = seen[-1]
        if width <= 0 or height <= 0:
            raise Failure(f"{self!r} is not drawn")
        border = self.app.desktop.border(self.toplevel.extents[2])
        return x + width // 2 + border, y + height // 2 + border

    def click(self, count=1, button=1):
        """With the pointer."""
        x, y = self.spot()
        self.app.desktop.pointer(x, y, count, button)
        return self


class App:
    """The running program."""

    def __init__(self, desktop, command, env, log):
        self.desktop = desktop
        self.log = log
        with open(log, "ab") as stderr:
            self.process = desktop.start(command, env=env, stderr=stderr)
        self.bus = None
        self.name = None

    def alive(self):
        if self.process.poll() is not None:
            raise Failure(f"the program ended with {self.process.returncode}: {self.log.read_text(errors='replace')[-2000:]}")

    def wait_for(self, condition, what, seconds=SECONDS):
        return wait_for(condition, what, seconds, self.alive, self.tell)

    def tell(self):
        lines = []
        for window in self.windows():
            lines += window.dump()
        name = self.desktop.artifact("failure.png")
        self.desktop.screenshot(name)
        return f" (see {name})\n" + "\n".join("# " + line for line in lines[:120])

    def call(self, path, interface, method, args):
        try:
            return self.bus.call_sync(self.name, path, interface, method, args, None, Gio.DBusCallFlags.NONE, 10000, None).unpack()
        except GLib.Error as error:
            self.alive()
            raise Gone(error.message) from error

    def connect(self):
        """The registry knows every program by its process; GTK registers when its first window is made."""
        self.bus = self.desktop.a11y

        def registered():
            try:
                children = self.bus.call_sync("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root", ACCESSIBLE,
                                              "GetChildren", None, None, Gio.DBusCallFlags.NONE, 10000, None).unpack()[0]
                for name, _ in children:
                    pid = self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                             "GetConnectionUnixProcessID", GLib.Variant("(s)", (name,)), None,
                                             Gio.DBusCallFlags.NONE, 10000, None).unpack()[0]
                    if pid == self.process.pid:
                        self.name = name
                        return True
            except GLib.Error:
                pass
            return False

        wait_for(registered, "the program in the accessible tree", alive=self.alive)
        return self

    @property
    def root(self):
        return Node(self, "/org/a11y/atspi/accessible/root")

    def windows(self):
        try:
            return [node for node in self.root.children if node.extents[2] > 0]
        except Gone:
            return []

    def window(self, name=None, seconds=SECONDS):
        """The window that gets the keys, when it has this title (a text or pattern)."""
        def there():
            for node in self.windows():
                # A file chooser is a plain dialog, of which GTK does not say that it is active.
                if not node.has("active") and node.role != "widget":
                    continue
                title = node.name
                if name is None or (name.search(title) if isinstance(name, re.Pattern) else title == name):
                    return node
            return None
        return self.wait_for(there, f"the window {getattr(name, 'pattern', name)!r}", seconds)

    def settle(self):
        """One round trip through the main loop: what was sent before has been handled."""
        self.root.get("ChildCount")

    def stop(self):
        """As a window manager ends a program that does not answer; the test for closing closes the window."""
        self.desktop.stop(self.process)

    def wait_end(self):
        wait_for(lambda: self.process.poll() is not None, "the end of the program")
        return self.process.returncode

    def complaints(self):
        """What GLib or GTK complained of."""
        return [line for line in self.log.read_text(errors="replace").splitlines()
                if re.search(r"WARNING|CRITICAL|ERROR \*\*|Sanitizer", line)]


class Server:
    """kontor-server with a workspace of its own. Comes back on the same address after stop()."""

    def __init__(self, desktop, demo):
        self.desktop = desktop
        self.dir = desktop.home / f"server-{len(desktop.servers)}"
        self.address = None
        self.process = None
        command = [desktop.program("server/kontor-server"), "init", str(self.dir), "--admin", USER]
        subprocess.run(command + (["--demo"] if demo else []), input=PASSWORD + "\n", text=True, check=True,
                       env=desktop.env, stdout=subprocess.DEVNULL, timeout=120)
        self.start()

    def start(self):
        if self.process is not None and self.process.poll() is None:
            return self
        port = urllib.parse.urlsplit(self.address).port if self.address else 0
        log = open(self.desktop.home / "server.log", "ab")
        self.process = self.desktop.start(
            [self.desktop.program("server/kontor-server"), "run", str(self.dir), "--listen", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE, stderr=log)
        log.close()
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening "):
            raise Failure(f"the server said {line!r}")
        self.address = line.split()[1]
        return self

    def stop(self):
        self.desktop.stop(self.process)

    def add_user(self, name, role):
        subprocess.run([self.desktop.program("server/kontor-server"), "user", "add", str(self.dir), name, "--role", role],
                       input=PASSWORD + "\n", text=True, check=True, env=self.desktop.env, stdout=subprocess.DEVNULL, timeout=60)


class Desktop:
    """Display, buses and folders."""

    def __init__(self, name, build=None, size=(1440, 900), language="en"):
        self.label = name
        self.build = pathlib.Path(build or os.environ.get("KONTOR_BUILD") or SOURCE / "build").resolve()
        self.size = size
        self.language = language
        self.processes = []
        self.servers = []
        self.apps = []
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"kontor-{name}-"))
        self.logs = self.build / "meson-logs"
        atexit.register(self.close)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _begin(self):
        for folder in ("run", "config/openbox", "data", "cache", "state"):
            (self.home / folder).mkdir(parents=True)
        (self.home / "run").chmod(0o700)
        (self.home / "config/openbox/rc.xml").write_text(OPENBOX_CONFIG, encoding="utf-8")
        read, write = os.pipe()
        width, height = self.size
        self.start(["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-noreset"],
                   env=dict(os.environ), pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as answer:
            display = answer.readline().strip()
        if not display:
            raise Failure("Xvfb did not start")
        path = self.home / "run/bus"
        self.env = {
            "PATH": "/usr/bin:/bin", "HOME": str(self.home), "DISPLAY": f":{display}", "TZ": "Europe/Berlin",
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={path}",
            "XDG_RUNTIME_DIR": str(self.home / "run"), "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_DATA_HOME": str(self.home / "data"), "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_STATE_HOME": str(self.home / "state"), "XDG_DATA_DIRS": "/usr/local/share:/usr/share",
            "GSK_RENDERER": "cairo", "GDK_BACKEND": "x11", "GSETTINGS_BACKEND": "keyfile",
            "GSETTINGS_SCHEMA_DIR": str(self.build / "data"),
            "KONTOR_DATADIR": str(SOURCE / "data"), "KONTOR_LOCALEDIR": str(self.build / "po"),
            "G_DEBUG": "fatal-warnings", "GIO_USE_VFS": "local", "NO_AT_BRIDGE": "0",
        }
        for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "MALLOC_CHECK_"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self._choose_locale()
        # No blinking: what has come to rest looks the same in every picture.
        (self.home / "config/gtk-4.0").mkdir()
        (self.home / "config/gtk-4.0/settings.ini").write_text(
            "[Settings]\ngtk-cursor-blink=false\ngtk-enable-animations=false\ngtk-font-name=Cantarell 11\n", encoding="utf-8")
        config = self.home / "bus.conf"
        config.write_text(BUS_CONFIG.format(path=path), encoding="utf-8")
        bus = self.start(["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"], stdout=subprocess.PIPE)
        bus.stdout.readline()
        manager = self.start(["openbox", "--config-file", str(self.home / "config/openbox/rc.xml")])
        self.start(["/usr/libexec/at-spi-bus-launcher", "--launch-immediately"])
        wait_for(lambda: manager.poll() is not None or self._managed(), "the window manager")
        expect(manager.poll() is None, "the window manager ended")
        self.session = self._connect(self.env["DBUS_SESSION_BUS_ADDRESS"])
        self.a11y = self._connect(wait_for(self._a11y_address, "the accessibility bus"))

    @staticmethod
    def _connect(address):
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        connection.set_exit_on_close(False)
        return connection

    def _managed(self):
        return "window id" in subprocess.run(["xprop", "-root", "_NET_SUPPORTING_WM_CHECK"], env=self.env, check=False, timeout=20,
                                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def _a11y_address(self):
        try:
            return self.session.call_sync("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress", None, None,
                                          Gio.DBusCallFlags.NONE, 2000, None).unpack()[0]
        except GLib.Error:
            return None

    def _choose_locale(self):
        """Locales are made beside the build: a bare system has none, and a test must not change the machine."""
        name = {"en": "en_US", "zh_CN": "zh_CN"}[self.language]
        folder = self.build / "locales"
        target = folder / f"{name}.UTF-8"
        if not target.is_dir() and pathlib.Path(f"/usr/share/i18n/locales/{name}").exists() and shutil.which("localedef"):
            folder.mkdir(exist_ok=True)
            # Made aside: several scripts may want it at once.
            aside = pathlib.Path(tempfile.mkdtemp(dir=folder)) / target.name
            subprocess.run(["localedef", "--no-archive", "-i", name, "-f", "UTF-8", str(aside)], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                aside.rename(target)
            except OSError:
                pass
            shutil.rmtree(aside.parent, ignore_errors=True)
        if target.is_dir():
            self.env["LOCPATH"] = f"{folder}:/usr/lib/locale"
            self.env["LC_ALL"] = target.name
        else:
            self.env["LC_ALL"] = "C.UTF-8"
            self.env["LANGUAGE"] = self.language

    # ---- processes ----

    def start(self, command, env=None, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.DEVNULL)
        more.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(command, env=env or self.env, preexec_fn=end_with_parent, **more)
        self.processes.append(process)
        return process

    def stop(self, process, seconds=10):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if process in self.processes:
            self.processes.remove(process)

    def close(self):
        while self.processes:
            self.stop(self.processes[-1])
        shutil.rmtree(self.home, ignore_errors=True)

    def program(self, name):
        return str(self.build / "src" / name)

    def server(self, demo=True):
        server = Server(self, demo)
        self.servers.append(server)
        return server

    def sign_in(self, server, profile="data/kontor"):
        """Makes a profile that is signed in and has everything, without the window."""
        self.ctl(profile, "login", server.address, "--user", USER, stdin=PASSWORD + "\n")
        self.ctl(profile, "sync")

    def ctl(self, profile, *args, stdin=None, check=True):
        """kontorctl --json, for the other device."""
        done = subprocess.run([self.program("cli/kontorctl"), "--profile", str(self.home / profile), "--json", *args],
                              input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, text=True, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if check and done.returncode != 0:
            raise Failure(f"kontorctl {' '.join(args)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def kontor(self, *args, settings=None, **env):
        if settings:
            self.settings(**settings)
        app = App(self, [self.program("ui/kontor"), *args], dict(self.env, **env), self.home / f"kontor-{len(self.apps)}.log")
        self.apps.append(app)
        return app.connect()

    def settings(self, **values):
        """Writes settings before the program starts; values as GVariant text."""
        file = self.home / "config/glib-2.0/settings/keyfile"
        file.parent.mkdir(parents=True, exist_ok=True)
        keys = GLib.KeyFile()
        if file.exists():
            keys.load_from_file(str(file), GLib.KeyFileFlags.NONE)
        for name, value in values.items():
            keys.set_value("org/kontor/Kontor", name.replace("_", "-"), value)
        keys.save_to_file(str(file))

    # ---- screen and devices ----

    def border(self, width):
        """How much wider than its content the active window is, on each side."""
        said = subprocess.run(["xdotool", "getactivewindow", "getwindowgeometry", "--shell"], env=self.env, check=True,
                              timeout=20, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
        outer = int(re.search(r"^WIDTH=(\d+)$", said, re.M)[1])
        return max(0, (outer - width) // 2)

    def artifact(self, name):
        self.logs.mkdir(exist_ok=True)
        return self.logs / f"{self.label}-{name}"

    def screenshot(self, path, width=None, height=None):
        """The screen, or its upper left corner."""
        crop = ["-crop", f"{width}x{height}+0+0", "+repage"] if width else []
        subprocess.run(["import", "-silent", "-window", "root", *crop, str(path)], env=self.env, check=False, timeout=30,
                       stdin=subprocess.DEVNULL)

    def xdotool(self, *args):
        subprocess.run(["xdotool", *[str(a) for a in args]], env=self.env, check=True, timeout=20, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)

    def keys(self, *names):
        """Key names as xdotool knows them: ctrl+n, Return, Delete."""
        self.xdotool("key", "--clearmodifiers", *names)

    def write(self, text):
        """Types into what has the focus."""
        self.xdotool("type", "--clearmodifiers", "--delay", "4", text)

    def pointer(self, x, y, count=1, button=1):
        self.xdotool("mousemove", x, y, "click", "--repeat", count, "--delay", 40, button)


class Suite:
    """Steps that print TAP; a step that fails leaves a picture, and `again` gets everything ready for the next one."""

    def __init__(self, again=None):
        self.steps = []
        self.again = again

    def step(self, function):
        self.steps.append(function)
        return function

    def run(self, desktop):
        only = os.environ.get("KONTOR_UI_ONLY")
        failed = 0
        print(f"1..{len(self.steps)}", flush=True)
        for number, function in enumerate(self.steps, 1):
            title = (function.__doc__ or function.__name__).strip().splitlines()[0].rstrip(".")
            if only and not re.search(only, function.__name__):
                print(f"ok {number} - {title} # SKIP not asked for", flush=True)
                continue
            began = time.monotonic()
            try:
                function()
                print(f"ok {number} - {title}\n# {time.monotonic() - began:.1f} s", flush=True)
            except (Failure, Gone, AssertionError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"not ok {number} - {title}\n# {type(error).__name__}: " + "\n# ".join(str(error).splitlines()), flush=True)
                desktop.screenshot(desktop.artifact(f"{number}.png"))
                if self.again is not None and number < len(self.steps):
                    try:
                        self.again()
                    except (Failure, Gone) as later:
                        print(f"Bail out! {later}", flush=True)
                        return 1
        return 1 if failed else 0


def expect(condition, message):
    if not condition:
        raise Failure(message)


# ---- what Kontor's pages have in common ----

def grid(window):
    """The list that is shown."""
    return window.find("tree grid")


def rows(window, limit=12):
    """The rows of the list that is shown: (node, texts of its cells)."""
    found = []
    view = next((node for node in window.look("tree grid") if node.shown), None)
    for node in view.look("row", rows=limit) if view is not None else ():
        if node.parent.role == "tree grid":
            continue        # the headings
        cells = [cell for cell in node.children if cell.role == "grid cell"]
        found.append((node, [next((n.name for n in cell.look("label")), "") for cell in cells]))
    return found


def first_column(window, limit=12):
    return [cells[0] for _, cells in rows(window, limit) if cells]


def row(window, text):
    """The row whose first cell says so."""
    return window.app.wait_for(lambda: next((node for node, cells in rows(window) if cells and cells[0] == text), None),
                               f"a row {text!r}")


def click_row(window, text, count=1, button=1):
    """With the pointer, on the first cell."""
    node = row(window, text)
    x, y, _, height = node.extents
    border = window.app.desktop.border(window.extents[2])
    window.app.desktop.pointer(x + 60 + border, y + height // 2 + border, count, button)
    return node


def field(page, label):
    """The control of a form that is named by this label."""
    return page.find(None, re.compile(rf"^{re.escape(label)}( {re.escape(label)}| \*|$)"), only=("text box", "combo box", "switch", "check box"))


def go(window, name):
    """To a list, by the sidebar; the wheel brings its row into sight."""
    app = window.app
    sidebar = window.find("list", re.compile("^(Objects|对象)$"))
    item = sidebar.find("list item", name)
    view = sidebar.parent
    for _ in range(40):
        _, top, _, height = view.extents
        _, y, _, own = item.extents
        if top <= y and y + own <= top + height:
            break
        border = app.desktop.border(window.extents[2])
        app.desktop.pointer(60 + border, top + height // 2 + border, 2, 4 if y < top else 5)
        app.settle()
    item.click()
    return app.window(name)


def choose(button, item):
    """An item of the menu behind a button."""
    button.do()
    button.parent.find("menu item", item).do()


def unnamed(window):
    """Controls that a screen reader would have no word for. Inside libadwaita's own rows a description (a tooltip) counts."""
    wanted = {"button", "toggle button", "text box", "search box", "combo box", "switch", "check box", "checkbox", "slider",
              "spin button", "list", "tree grid", "grid", "link", "menu item", "radio", "progress bar", "tab", "dialog", "alert"}
    missing = []

    def walk(node, path):
        try:
            if not node.shown and node.role not in ("application", "window", "dialog"):
                return
            role, name = node.role, node.name
            here = path + [f"{role} {node.full_name}"]
            if role in wanted and not name and not node.description and not inside(node, here):
                missing.append(" > ".join(here[-4:]))
            for child in node.children[:40]:
                walk(child, here)
        except Gone:
            return

    def inside(node, path):
        # A list box that libadwaita draws around its rows, the rows of a list, the button in a menu button.
        return (node.role == "list" and (node.full_name in ("GtkListBox", "GtkColumnListView", "GtkListView"))
                and any("AdwPreferencesGroup" in part or "tree grid" in part or "GtkPopover" in part or "combo box" in part
                        for part in path)) or node.parent.name

    walk(window, [])
    return missing


def find_window(app, name):
    """A window that may lie under another one."""
    return app.wait_for(lambda: next((node for node in app.windows() if node.name == name), None), f"the window {name!r}")


def no_complaints(desktop):
    lines = [line for app in desktop.apps for line in app.complaints()]
    expect(not lines, "\n".join(lines[:20]))


if __name__ == "__main__":
    sys.exit("desktop.py is imported by the tests")
