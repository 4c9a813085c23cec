#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the world does to programs: strangers on the port, kill -9 on either side, several programs on one profile,
damaged and newer files, a server restored from a backup. Each ends in a sentence and loses nothing."""

import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kontor import PASSWORD, Tap, same, workplace  # noqa: E402
from stage import Ctl, Host, Stranger, wait_until  # noqa: E402

SEED = int(os.environ.get("KONTOR_SEED", "1"))

STRANGERS = {
    "a web page": (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 48\r\n\r\n"
                   b"<html><title>Welcome to nginx!</title></html>   ", "Welcome to nginx!"),
    "a hotel's sign-in": (b"HTTP/1.1 302 Found\r\nLocation: https://login.hotel.test/\r\nContent-Length: 0\r\n\r\n",
                          "https://login.hotel.test/"),
    "an error": (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "500"),
    "nothing": (b"", "cut"),
    "another service": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n"
                        b'{"couchdb":"Welcome"}', "not a Kontor server"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "not a Kontor server"),
    "garbage": (bytes(random.Random(SEED).randrange(256) for _ in range(300)), "127.0.0.1"),
    "a page that breaks off": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", "cut"),
}


def server_seq(host):
    with contextlib.closing(sqlite3.connect(f"file:{host.folder}/workspace.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT number FROM kt_meta WHERE key = 'seq'").fetchone()[0]


def make_many(device, prefix, n):
    """Each a process of its own, several at once: committing needs no lock."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda i: device.new("competitor", f"name={prefix} {i}"), range(n)))


def assert_all_there(device, prefix, n):
    names = sorted(row["name"] for row in device.list("competitor", "--where", f'name starts "{prefix}"', "--fields", "name"))
    same(names, sorted(f"{prefix} {i}" for i in range(n)))


# ---- strangers ----

def strangers(tap, folder):
    nobody = Ctl(pathlib.Path(folder, "nobody"))
    for name, (answer, words) in STRANGERS.items():
        with tap.check(f"login where {name} answers: 4, said, and no password shown"):
            stranger = Stranger(answer)
            try:
                said = nobody.fails(4, "login", stranger.url, "--user", "anna", text=PASSWORD + "\n")
                assert words in said, said
                assert PASSWORD.encode() not in stranger.heard
            finally:
                stranger.close()
    with tap.check("login where nobody is: 4"):
        stranger = Stranger(b"")
        stranger.close()
        said = nobody.fails(4, "login", stranger.url, "--user", "anna", text=PASSWORD + "\n")
        assert "connection refused" in said, said
        said = nobody.fails(4, "login", "http://no-such-host.invalid", "--user", "anna", text=PASSWORD + "\n")
        assert "no-such-host.invalid" in said, said
        same(nobody.one("status")["state"], "signed_out")


def strangers_later(tap, folder, host):
    """The server's address belongs to somebody else for a while: a hotel's network, a wrong proxy."""
    with tap.check("sync where a stranger answers: 4, nothing lost, and well again with the real one"):
        a = Ctl(pathlib.Path(folder, "traveller"))
        a.sign_in(host)
        a.new("account", "name=On the road")
        session = pathlib.Path(a.folder, "session")
        real = session.read_text(encoding="utf-8")
        for name in ("a web page", "another protocol", "an error"):
            stranger = Stranger(STRANGERS[name][0])
            try:
                session.write_text(real.replace(host.url, stranger.url), encoding="utf-8")
                done = a.run("sync")
                same((done.returncode, name), (4, name))
                same(a.one("status")["pending"], 1)
            finally:
                stranger.close()
        session.write_text(real, encoding="utf-8")
        same(a.one("sync")["pushed"], 1)


# ---- kill -9 ----

def kill_server(tap, folder, host):
    a, b = Ctl(pathlib.Path(folder, "ka")), Ctl(pathlib.Path(folder, "kb"))
    a.sign_in(host), b.sign_in(host)
    n = 30
    with tap.check("kill -9 of the server while it is sent to: everything once"):
        for turn in range(3):
            prefix = f"Killed {turn}"
            make_many(a, prefix, n)
            seq = server_seq(host)
            sync = a.start("sync")
            wait_until(lambda: sync.poll() is not None or server_seq(host) > seq + turn * 10, "the first commits")
            host.kill()
            sync.communicate()
            assert sync.returncode in (0, 4), sync.returncode
            host.start()
            a("sync"), b("sync")
            same(a.lines("outbox"), [])
            assert_all_there(a, prefix, n)
            assert_all_there(b, prefix, n)
        same(a.one("verify")["equal"], True)
        same(b.one("verify")["equal"], True)
    with tap.check("a second server beside a running one is refused, commands are not"):
        second = host.run("run", host.folder, "--listen", "127.0.0.1:0", check=False)
        same(second.returncode, 1)
        same(second.stdout, "")
        assert "Another kontor-server is running" in second.stderr, second.stderr
        assert '"name"' in host.run("user", "list", host.folder, "--json").stdout


def kill_client(tap, folder, host):
    a, b = Ctl(pathlib.Path(folder, "ca")), Ctl(pathlib.Path(folder, "cb"))
    a.sign_in(host), b.sign_in(host)
    n = 30
    with tap.check("kill -9 of the client while it sends: everything once"):
        for turn in range(3):
            prefix = f"Client {turn}"
            make_many(a, prefix, n)
            seq = server_seq(host)
            sync = a.start("sync")
            wait_until(lambda: sync.poll() is not None or server_seq(host) > seq + turn * 10, "the first commits")
            sync.kill()
            sync.communicate()
            assert_all_there(a, prefix, n)
            a("sync"), b("sync")
            same(a.lines("outbox"), [])
            assert_all_there(b, prefix, n)
        same(a.one("verify")["equal"], True)
    with tap.check("kill -9 of the client in its first pull: it goes on, and shows nothing half"):
        c = Ctl(pathlib.Path(folder, "cc"))
        c("login", host.url, "--user", "anna", text=PASSWORD + "\n")
        database = pathlib.Path(c.folder, "profile.db-wal")
        for turn in range(3):
            size = database.stat().st_size if database.exists() else 0
            sync = c.start("sync")
            wait_until(lambda: sync.poll() is not None or (database.exists() and database.stat().st_size > size), "a page")
            sync.kill()
            sync.communicate()
            done = c.run("count", "competitor")
            assert done.returncode == 3 or done.stdout == a("count", "competitor"), done
        c("sync")
        same(c.one("count", "competitor"), a.one("count", "competitor"))
        same(c.one("verify")["equal"], True)
    with tap.check("P1: what a command said is done, is done, whatever is killed next"):
        said = []
        for i in range(12):
            new = a.start("new", "competitor", f"name=Said {i}")
            line = new.stdout.readline()
            new.kill()
            new.communicate()
            if line:
                said.append(i)
        assert said
        names = {row["name"] for row in a.list("competitor", "--where", 'name starts "Said"', "--fields", "name")}
        missing = [i for i in said if f"Said {i}" not in names]
        same(missing, [])


# ---- several programs on one profile ----

def together(tap, folder, host):
    a = Ctl(pathlib.Path(folder, "ta"))
    a.sign_in(host)
    with tap.check("two syncs at once take turns (9)"):
        make_many(a, "Together", 20)
        both = [a.start("sync"), a.start("sync"), a.start("sync")]
        pushed = 0
        for sync in both:
            out, err = sync.communicate(timeout=60)
            same((sync.returncode, err), (0, ""))
            pushed += int(out.split('"pushed":')[1].split(",")[0])
        same(pushed, 20)
        assert_all_there(a, "Together", 20)
    with tap.check("commits while another process watches; the server dies and comes back under it"):
        watch = a.start("sync", "--watch")
        try:
            make_many(a, "Watched", 10)
            wait_until(lambda: a.one("status")["pending"] == 0, "the watch to send")
            host.kill()
            a.new("competitor", "name=Watched 10")
            same(a.one("status")["pending"], 1)
            host.start()
            wait_until(lambda: a.one("status")["pending"] == 0, "the watch to find the server again")
        finally:
            watch.send_signal(signal.SIGINT)
            watch.communicate(timeout=30)
        same(watch.returncode, 0)
        assert_all_there(a, "Watched", 11)


class Held:
    """Two that wait ten seconds for nothing; meanwhile others are tested."""

    def __init__(self, folder, host):
        self.a = Ctl(pathlib.Path(folder, "held"))
        self.a.sign_in(host)
        self.silent = Stranger(None)
        self.lock = open(pathlib.Path(self.a.folder, "sync.lock"), "r+", encoding="utf-8")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.lock.write("4711 0\n")
        self.lock.flush()
        self.sync = self.a.start("sync")
        self.login = subprocess.Popen(
            [os.environ["KONTORCTL"], "--profile", str(pathlib.Path(folder, "silent")), "login", self.silent.url, "--user", "x"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.login.stdin.write(PASSWORD + "\n")
        self.login.stdin.close()
        self.login.stdin = None

    def end(self, tap):
        with tap.check("a profile that somebody else syncs: edits go on, sync gives up after 10 s and names the process"):
            same(self.a.one("status")["state"], "syncing")
            self.a.new("competitor", "name=Held")
            out, err = self.sync.communicate(timeout=60)
            same((self.sync.returncode, out), (1, ""))
            assert "Process 4711" in err, err
        with tap.check("login where somebody answers never: 4 after 10 s"):
            out, err = self.login.communicate(timeout=60)
            same((self.login.returncode, out), (4, ""))
            assert "fell silent" in err, err
            assert PASSWORD.encode() not in self.silent.heard
        self.silent.close()
        self.lock.close()
        with tap.check("and when it is free again, it is synced"):
            same(self.a.one("sync")["pushed"], 1)


# ---- files ----

def damaged(tap, folder, host):
    a = Ctl(pathlib.Path(folder, "da"))
    a.sign_in(host)
    a.new("account", "name=Precious")
    database = pathlib.Path(a.folder, "profile.db")
    with contextlib.closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = database.read_bytes()
    for name, content in {"empty": b"", "truncated": whole[:5000], "something else": b"GIF89a" + whole[6:],
                          "cut in its middle": whole[:len(whole) // 2]}.items():
        with tap.check(f"a profile that is {name}: said with a remedy, and left as it is"):
            database.write_bytes(content)
            for words in (("status",), ("list", "account"), ("sync",)):
                done = a.run(*words)
                if done.returncode != 0:
                    break
            same(done.returncode, 1)
            assert "CRITICAL" not in done.stderr, done.stderr
            assert str(database) in done.stderr or a.folder in done.stderr, done.stderr
            same(database.read_bytes()[:len(content)], content)
    with tap.check("a profile from a newer program: upgrade, and left as it is"):
        database.write_bytes(whole)
        with contextlib.closing(sqlite3.connect(database)) as db:
            db.execute("UPDATE kt_version SET version = version + 1000")
            db.commit()
        said = a.fails(2, "list", "account")
        assert "newer" in said.lower() and "upgrade" in said.lower(), said
        database.write_bytes(whole)
    with tap.check("a profile that another program has locked: said after a while, nothing lost"):
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            a("list", "account")
            said = a.fails(1, "new", "account", "name=Locked out")
            assert "another" in said.lower() or "busy" in said.lower() or "locked" in said.lower(), said
            db.execute("ROLLBACK")
        same(a.one("sync")["pushed"], 1)
    with tap.check("a folder that cannot be written"):
        blocked = pathlib.Path(folder, "blocked")
        blocked.write_text("a file", encoding="utf-8")
        other = Ctl(blocked)
        done = other.run("login", host.url, "--user", "anna", text=PASSWORD + "\n")
        assert done.returncode in (1, 2) and done.stderr.startswith("kontorctl: "), done
        assert "CRITICAL" not in done.stderr, done.stderr


# ---- restored ----

def restored(tap, folder, host):
    a, b = Ctl(pathlib.Path(folder, "ra")), Ctl(pathlib.Path(folder, "rb"))
    a.sign_in(host), b.sign_in(host)
    backup = pathlib.Path(folder, "backup")
    with tap.check("backup while it runs, restore: devices notice, nothing unsettled is lost (58)"):
        before = a.new("account", "name=Before the backup")
        a("sync"), b("sync")
        host.run("backup", host.folder, backup)
        after = a.new("account", "name=After the backup")
        a("sync"), b("sync")
        unsent = b.new("account", "name=Unsent")
        host.stop()
        moved = host.folder.with_name("restored")
        host.run("restore", backup, moved)
        host.folder = moved
        host.start()
        b("sync")
        same(b.lines("outbox"), [])
        same(b.get("account", unsent)["name"], "Unsent")
        same(b.get("account", before)["name"], "Before the backup")
        same(b.one("verify")["equal"], True)
        a.new("account", "name=Behind")
        done = a.run("sync")
        same(done.returncode, 0)
        assert "restored from a backup" in done.stdout + done.stderr, done
        same(a.one("status")["pending"], 0)
        same(a.one("verify")["equal"], True)
        b("sync")
        same(b.get("account", after)["name"], "After the backup")
    with tap.check("the restored server is sound"):
        same(host.stop(), 0)
        host.run("check", host.folder)


def main():
    tap = Tap()
    tap.say(f"KONTOR_SEED={SEED}")
    place = workplace()
    folder = place.name
    host = Host(pathlib.Path(folder, "server")).start()
    try:
        strangers(tap, folder)
        strangers_later(tap, folder, host)
        kill_server(tap, folder, host)
        kill_client(tap, folder, host)
        together(tap, folder, host)
        held = Held(folder, host)
        damaged(tap, folder, host)
        held.end(tap)
        with tap.check("after all of it the server is sound"):
            host.run("check", host.folder)
        restored(tap, folder, host)
    finally:
        host.close()
        place.cleanup()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
