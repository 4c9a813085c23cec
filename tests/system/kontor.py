# SPDX-License-Identifier: GPL-3.0-or-later
"""A server and devices as processes of their own, used the way anybody would: kontor-server and kontorctl.

KONTOR_SERVER and KONTORCTL name the programs. Also a little TAP.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PASSWORD = "correct horse battery"


class Server:
    def __init__(self, folder, admin="ada", currency="USD"):
        self.folder = pathlib.Path(folder)
        self.admin = admin
        self.program = os.environ["KONTOR_SERVER"]
        subprocess.run([self.program, "init", str(self.folder), "--admin", admin, "--currency", currency],
                       input=PASSWORD + "\n", text=True, check=True, stdout=subprocess.DEVNULL)
        self.log = open(self.folder.with_suffix(".log"), "w", encoding="utf-8")
        self.process = subprocess.Popen([self.program, "run", str(self.folder), "--listen", "127.0.0.1:0"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise RuntimeError(f"the server says “{line.strip()}”")
        self.url = line.split()[1]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = None
        self.process.stdout.close()
        self.log.close()
        return code


class Device:
    """One profile. A call is a command of kontorctl: device("count", "account")."""

    def __init__(self, folder):
        self.folder = str(folder)

    def run(self, *words, text=None):
        return subprocess.run([os.environ["KONTORCTL"], "--profile", self.folder, "--json", *map(str, words)],
                              input=text, stdin=None if text is not None else subprocess.DEVNULL,
                              capture_output=True, text=True)

    def __call__(self, *words, text=None):
        done = self.run(*words, text=text)
        if done.returncode != 0:
            raise RuntimeError(f"kontorctl {' '.join(map(str, words))}: {done.returncode}\n{done.stderr}{done.stdout}")
        return done.stdout

    def one(self, *words, text=None):
        return json.loads(self(*words, text=text))

    def list(self, *words):
        return [json.loads(line) for line in self("list", *words).splitlines()]

    def login(self, server, user="ada", password=PASSWORD):
        self("login", server.url, "--user", user, text=password + "\n")
        return self.one("sync")


class Tap:
    """with tap.check("what holds"): assert …"""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def check(self, name):
        return Check(self, name)

    def say(self, text):
        for line in str(text).splitlines():
            print("# " + line)
        sys.stdout.flush()

    def end(self):
        print(f"1..{self.number}")
        return 1 if self.failed else 0


class Check:
    def __init__(self, tap, name):
        self.tap = tap
        self.name = name

    def __enter__(self):
        self.started = time.monotonic()

    def __exit__(self, kind, value, trace):
        self.tap.number += 1
        seconds = time.monotonic() - self.started
        good = kind is None
        print(f"{'ok' if good else 'not ok'} {self.tap.number} {self.name} ({seconds:.1f} s)")
        if not good:
            self.tap.failed += 1
            self.tap.say("".join(traceback.format_exception(kind, value, trace)))
        sys.stdout.flush()
        return good or issubclass(kind, Exception)


def same(got, wanted, what=""):
    """Equal, or an error that shows the first differences."""
    if got == wanted:
        return
    if isinstance(got, dict) and isinstance(wanted, dict):
        keys = [k for k in sorted(set(got) | set(wanted), key=str) if got.get(k) != wanted.get(k)]
        shown = "\n".join(f"  {k}: {got.get(k)} instead of {wanted.get(k)}" for k in keys[:10])
        raise AssertionError(f"{what}: {len(keys)} differ\n{shown}")
    raise AssertionError(f"{what}: {got!r} instead of {wanted!r}")


def workplace():
    """A folder that is gone afterwards; KONTOR_KEEP leaves it for a look."""
    if os.environ.get("KONTOR_KEEP"):
        folder = tempfile.mkdtemp(prefix="kontor-system-")
        print(f"# kept in {folder}")
        return type("Kept", (), {"name": folder, "cleanup": lambda self: None})()
    return tempfile.TemporaryDirectory(prefix="kontor-system-")
