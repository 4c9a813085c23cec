# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that can be stopped, killed and started again, devices whose failures are looked at, and strangers
that answer on a port as no Kontor server would."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time

from kontor import PASSWORD, Device

DEADLINE = 30


def wait_until(condition, what, deadline=DEADLINE):
    """Polls; what it waits for is a condition, never a time."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s for {what}")
        time.sleep(0.01)

EVERYTHING = {"scope": {"*": {"read": "all", "create": "yes", "edit": "all", "delete": "all", "stream": "all", "export": "all",
                                "mass_edit": "all", "share": "all"}}, "special": {"assignment": "all", "import": "yes"}}


class Host:
    """A workspace, and the process that serves it, if any."""

    def __init__(self, folder, admin="anna", arguments=()):
        self.folder = pathlib.Path(folder)
        self.admin = admin
        self.process = None
        self.url = None
        self.port = 0
        self.run("init", self.folder, "--admin", admin, *arguments, text=PASSWORD + "\n")

    def run(self, *words, text=None, check=True):
        done = subprocess.run([os.environ["KONTOR_SERVER"], *map(str, words)], input=text,
                              stdin=None if text is not None else subprocess.DEVNULL,
                              capture_output=True, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"kontor-server {words[0]}: {done.returncode}\n{done.stderr}")
        return done

    def start(self):
        """On the port it had before, so that devices find it again."""
        with open(self.folder.with_suffix(".log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [os.environ["KONTOR_SERVER"], "run", str(self.folder), "--listen", f"127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening http://127.0.0.1:"), line
        self.url = line.split()[1]
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self):
        self.process.kill()
        return self._ended()

    def _ended(self):
        code = self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.process = None
        return code

    def close(self):
        if self.process is not None:
            self.kill()

    def add_role(self, name, role):
        """Everything but administering, for those who are not about roles."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(role, file)
            file.flush()
            self.run("role", "set", self.folder, name, file.name)

    def add_user(self, name, *arguments):
        self.run("user", "add", self.folder, name, *arguments, text=PASSWORD + "\n")


class Ctl(Device):
    """A profile. fails() expects an exit code and gives what was said."""

    def fails(self, code, *words, text=None):
        done = self.run(*words, text=text)
        assert done.returncode == code, f"{words}: code {done.returncode} instead of {code}\n{done.stdout}{done.stderr}"
        assert done.stderr.startswith("kontorctl: "), f"{words}: {done.stderr!r}"
        assert "CRITICAL" not in done.stderr and "WARNING" not in done.stderr, done.stderr
        return done.stderr

    def lines(self, *words):
        return [json.loads(line) for line in self(*words).splitlines()]

    def plain(self, *words):
        """As a person would see it in a pipe."""
        done = subprocess.run([os.environ["KONTORCTL"], "--profile", self.folder, *map(str, words)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stderr}"
        return done.stdout

    def sign_in(self, host, user="anna"):
        self("login", host.url, "--user", user, text=PASSWORD + "\n")
        return self.one("sync")

    def new(self, *words):
        return self.one("new", *words)["id"]

    def get(self, *words):
        return self.one("get", *words)

    def start(self, *words):
        """Left running."""
        return subprocess.Popen([os.environ["KONTORCTL"], "--profile", self.folder, "--json", *map(str, words)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Stranger:
    """Says the same bytes to whoever connects. answer None: takes the connection and says nothing."""

    def __init__(self, answer):
        self.answer = answer
        self.heard = b""
        self.open = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = self.listener.accept()
                self.heard += connection.recv(65536)
                if self.answer is None:
                    self.open.append(connection)
                    continue
                with contextlib.suppress(OSError):
                    connection.sendall(self.answer)
                    connection.shutdown(socket.SHUT_WR)
                connection.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            connection.close()
