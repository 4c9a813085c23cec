#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs test programs against a PostgreSQL of their own.

    pg-cluster.py PROGRAM [PROGRAM…]

Makes a cluster in a temporary folder that is reached by a Unix socket only, so
that many can run at once, and gives its address as KONTOR_TEST_PG. Nothing in
it is promised durable. The programs write TAP; what they write is put together
into one. Where PostgreSQL is not installed, everything is skipped.
"""

import ctypes
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

START_SECONDS = 60
RESULT = re.compile(r"^(ok|not ok) +(\d+)? *-? *(.*)$")


def find_tools():
    """The folder with initdb and postgres, the newest; None: not installed."""
    folders = glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")
    folders.sort(key=lambda folder: [int(n) for n in re.findall(r"\d+", folder)], reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(os.path.dirname(on_path))
    for folder in folders:
        if all(os.access(os.path.join(folder, tool), os.X_OK) for tool in ("initdb", "postgres", "pg_isready")):
            return folder
    return None


def find_user():
    """Whom PostgreSQL runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def as_user(user):
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def end_with_parent():
    """In the child: a killed test run leaves no server behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def start(tools, folder, user):
    data = os.path.join(folder, "data")
    environment = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC")
    subprocess.run(
        [os.path.join(tools, "initdb"), "-D", data, "-U", "kontor", "-A", "trust", "-E", "UTF8",
         "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, env=environment, **as_user(user))
    server = subprocess.Popen(
        [os.path.join(tools, "postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=",
         "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=50",
         "-c", "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "log_min_messages=fatal"],
        stdout=subprocess.DEVNULL, cwd=folder, env=environment, preexec_fn=end_with_parent, **as_user(user))
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run([os.path.join(tools, "pg_isready"), "-q", "-h", folder, "-U", "kontor", "-d", "postgres"],
                         check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            stop(server)
            raise RuntimeError("PostgreSQL did not start")
        time.sleep(0.02)
    return server


def stop(server):
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)
        server.wait()


def run(program, number, environment):
    """One program; prints its results numbered from number on. Returns (next number, fine)."""
    name = os.path.basename(program)
    process = subprocess.Popen([program, "--tap"], stdout=subprocess.PIPE, text=True, errors="replace", env=environment)
    planned = None
    seen = 0
    for line in process.stdout:
        line = line.rstrip("\n")
        plan = re.match(r"^1\.\.(\d+)", line)
        result = RESULT.match(line)
        if plan:
            planned = int(plan[1])
        elif result:
            print(f"{result[1]} {number} - {name}: {result[3]}", flush=True)
            number += 1
            seen += 1
        elif line.startswith("Bail out!"):
            print("# " + line, flush=True)
        elif not line.startswith("TAP version"):
            print(line if line.startswith("#") else "# " + line, flush=True)
    code = process.wait()
    if code != 0 or planned != seen:
        print(f"not ok {number} - {name}: ended with {code} after {seen} of {planned} tests", flush=True)
        number += 1
        return number, False
    return number, True


def main(programs):
    tools = find_tools()
    if tools is None:
        print("1..0 # SKIP PostgreSQL is not installed")
        return 0
    user = find_user()
    if os.geteuid() == 0 and user is None:
        print("1..0 # SKIP PostgreSQL refuses root, and there is nobody else to run it as")
        return 0

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix="kontor-pg-", dir="/tmp")
    server = None
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        os.chmod(folder, 0o755)
        server = start(tools, folder, user)
        environment = dict(os.environ, KONTOR_TEST_PG=f"postgresql://kontor@/postgres?host={folder}")
        number = 1
        fine = True
        for program in programs:
            number, good = run(program, number, environment)
            fine = fine and good
        print(f"1..{number - 1}")
        return 0 if fine else 1
    finally:
        if server is not None:
            stop(server)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
