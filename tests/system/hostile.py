#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kontor-server and several kontorctl on a hostile network (proxy.py), with kill -9 of everybody.

    hostile.py SOURCE [sqlite|postgresql]

KONTOR_SEED picks the chances, HOSTILE_ONLY="19 69" some of the stories. With HOSTILE_SECONDS they are told again and again
with other chances until the time is over, the long way.
Every story ends the same way: the network heals, everybody settles, and then nothing is lost, nothing is there twice,
every device equals the server and the server is sound.
"""

import collections
import concurrent.futures
import contextlib
import importlib.util
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kontor import PASSWORD, Tap, same, workplace  # noqa: E402
from proxy import Fate, Proxy, Weather  # noqa: E402
from stage import Ctl, Host, wait_until  # noqa: E402

SEED = int(os.environ.get("KONTOR_SEED") or random.randrange(1, 1000000))
SECONDS = float(os.environ.get("HOSTILE_SECONDS") or "0")
ONLY = os.environ.get("HOSTILE_ONLY", "").split()
LONG = SECONDS > 0
SCALE = 0.02        # how long a second of the story takes
COUNTER = "visits"  # a field with the policy sum that the test adds to accounts


# ---- the stage ----

class Cluster:
    """PostgreSQL of our own, reached by a socket in a folder."""

    def __init__(self):
        path = pathlib.Path(__file__).parent.parent / "support" / "pg-cluster.py"
        spec = importlib.util.spec_from_file_location("pg_cluster", path)
        self.kit = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.kit)
        self.tools = self.kit.find_tools()
        self.user = self.kit.find_user()
        self.server = None

    def missing(self):
        if self.tools is None:
            return "PostgreSQL is not installed"
        if os.geteuid() == 0 and self.user is None:
            return "PostgreSQL refuses root, and there is nobody else to run it as"
        return None

    def start(self):
        self.folder = self.kit.tempfile.mkdtemp(prefix="kontor-pg-", dir="/tmp")
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.folder, 0o755)
        self.server = self.kit.start(self.tools, self.folder, self.user)
        return self

    def uri(self, database="postgres"):
        return f"postgresql://kontor@/{database}?host={self.folder}"

    def psql(self, *words, database="postgres", **more):
        return subprocess.run([os.path.join(self.tools, "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "kontor",
                               "-d", database, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)

    def database(self, name):
        done = self.psql("-c", f'CREATE DATABASE "{name}"')
        assert done.returncode == 0, done.stderr
        return self.uri(name)

    def backends(self, name):
        done = self.psql("-c", f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'")
        return [int(line) for line in done.stdout.split()]

    def close(self):
        if self.server is not None:
            self.kit.stop(self.server)
            shutil.rmtree(self.folder, ignore_errors=True)


class Stage:
    """One workspace behind one proxy; devices with a line each."""

    count = 0

    def __init__(self, tap, folder, cluster, name, seed):
        Stage.count += 1
        self.tap = tap
        self.seed = seed
        self.name = f"{name}n{Stage.count}"
        self.folder = pathlib.Path(folder, self.name)
        self.folder.mkdir()
        self.cluster = cluster
        self.database = None
        arguments = []
        if cluster is not None:
            self.database = self.name
            arguments = ["--database", cluster.database(self.name)]
        self.host = Host(self.folder / "server", arguments=arguments).start()
        self.proxy = Proxy(self.host.port, f"{seed} {name}")
        self.chance = random.Random(f"{seed} {name}")
        self.devices = {}
        self.lines = {}
        self.said = ""

    def device(self, name, user="anna", sync=True):
        line = self.proxy.line(name)
        device = Ctl(self.folder / name)
        device("login", line.url, "--user", user, text=PASSWORD + "\n")
        if sync:
            device.one("sync")
        device.user = user
        self.devices[name] = device
        self.lines[name] = line
        return device, line

    def kill_server(self):
        self.host.kill()
        self.host.start()

    def kill_backend(self):
        """kill -9 of a process of PostgreSQL: it throws everybody out and recovers."""
        pids = self.cluster.backends(self.database)
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(pids), signal.SIGKILL)
        for _ in range(100):
            if self.cluster.psql("-c", "SELECT 1").returncode == 0:
                return
            threading.Event().wait(0.1)
        raise AssertionError("PostgreSQL did not recover")

    def sync(self, device):
        """One try. True: settled."""
        done = device.run("sync")
        assert done.returncode in (0, 3, 4, 5), f"sync: {done.returncode}\n{done.stderr}"
        assert "CRITICAL" not in done.stderr, done.stderr
        self.said = f"{done.returncode} {done.stdout}{done.stderr}"
        if done.returncode == 5:
            # A garbled token is no token: somebody signs in again, and nothing is lost.
            line = self.lines[pathlib.Path(device.folder).name]
            for _try in range(50):
                if line.down or device.run("login", line.url, "--user", device.user, text=PASSWORD + "\n").returncode == 0:
                    break
        return done.returncode == 0

    def settle(self, parked=0):
        """Heals, and brings everybody home. parked: how many may stay behind, with a reason."""
        self.proxy.heal()
        self.proxy.quiet()
        for _round in range(2):
            for name, device in self.devices.items():
                try:
                    wait_until(lambda d=device: self.sync(d) or parked > 0 and self.left(d) <= parked, f"{name} to settle", 60)
                except AssertionError as error:
                    log = self.host.folder.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
                    raise AssertionError(f"{error}: {self.said}\n{log[-3000:]}") from None
        for device in self.devices.values():
            for line in device.lines("outbox"):
                assert parked > 0 and line["state"] == "parked" and line["reason"], line

    def left(self, device):
        lines = device.lines("outbox")
        return len(lines) if all(line["state"] == "parked" for line in lines) else 1 << 20

    def sound(self):
        """Equal everywhere, and the server is well. Ends the server."""
        for name, device in self.devices.items():
            done = device.run("verify")
            assert done.returncode == 0, f"{name} differs: {done.returncode} {done.stdout}{done.stderr}"
        first, *others = self.devices.values()
        for other in others:
            for thing in ("account", "competitor", "file"):
                same(other.one("count", thing), first.one("count", thing), thing)
        self.proxy.quiet()
        same(self.host.stop(), 0)
        self.host.run("check", self.host.folder)

    def names(self, device, prefix, thing="competitor"):
        rows = device.list(thing, "--where", f'name starts "{prefix}"', "--fields", "name")
        return sorted(row["name"] for row in rows)

    def all_there(self, wanted, prefix, thing="competitor"):
        for name, device in self.devices.items():
            there, left = self.names(device, prefix, thing), collections.Counter(wanted)
            left.subtract(there)
            wrong = {label: -n for label, n in left.items() if n != 0}
            assert not wrong, f"{name}: {len(wrong)} of {len(wanted)} missing (-1) or too many (1): {dict(list(wrong.items())[:5])}"

    # Made twice under one id, a record is still one; a counter tells.

    def counter(self, device):
        self.counted = device.new("account", "name=Counted", f"{COUNTER}=0")
        assert self.sync(device)

    def value(self, device):
        return device.get("account", self.counted)[COUNTER] or 0

    def count_up(self, device, by=1):
        """By how much: nothing while nobody is signed in."""
        if device.one("status")["state"] == "signed_out":
            return 0
        device("set", "account", self.counted, f"{COUNTER}={self.value(device) + by}")
        return by

    def all_count(self, wanted):
        for device in self.devices.values():
            same(self.value(device), wanted, COUNTER)

    def close(self):
        self.host.close()
        self.proxy.close()


def bring_data(folder, source):
    """The schema, with a counter among the fields of an account."""
    data = pathlib.Path(folder, "data")
    shutil.copytree(pathlib.Path(source, "data", "schema"), data / "schema")
    path = data / "schema" / "account.json"
    account = json.loads(path.read_text(encoding="utf-8"))
    account["fields"].append({"name": COUNTER, "type": "integer", "label": {"en": "Visits", "zh_CN": "拜访次数"}, "policy": "sum"})
    path.write_text(json.dumps(account, ensure_ascii=False), encoding="utf-8")
    os.environ["KONTOR_DATADIR"] = str(data)


def table(path, prefix, n):
    path.write_text("Name\n" + "".join(f"{prefix} {i}\n" for i in range(n)), encoding="utf-8")
    return [f"{prefix} {i}" for i in range(n)]


def bring(device, folder, prefix, n, thing="competitor"):
    """n records at once, committed here only."""
    path = pathlib.Path(folder, prefix + ".csv")
    wanted = table(path, prefix, n)
    same(device.one("import", thing, path)["created"], n)
    return wanted


def kill_soon(process, seconds):
    """kill -9 after that long, unless it ended. True: it was killed."""
    try:
        process.communicate(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True


# ---- stories ----

def lost_replies(stage):
    """1, 3: every way to lose a reply or a request, one after the other, at every depth."""
    a, line = stage.device("a")
    stage.device("b")
    stage.counter(a)
    wanted = []
    fates = [Fate("lose"), Fate("repeat"), Fate("repeat_late", seconds=0.05), Fate("gateway_after"), Fate("gateway"), Fate("portal"),
             Fate("redirect"), Fate("refuse")]
    for side in ("request", "reply"):
        for at in (0, 1, 15, stage.chance.randrange(16, 200), stage.chance.randrange(200, 900)):
            fates.append(Fate("cut", side, at))
        fates += [Fate("finish", side, stage.chance.randrange(400)), Fate("stall", side, stage.chance.randrange(400), 0.1),
                  Fate("half_open", side, stage.chance.randrange(400), 0.2), Fate("garbage", side, stage.chance.randrange(1, 700)),
                  Fate("drip", side, 400)]
    always, others = fates[:3], fates[3:]
    fates = always + (others if LONG else stage.chance.sample(others, 9))
    stage.chance.shuffle(fates)
    for i, fate in enumerate(fates):
        wanted.append(f"Fate {i}")
        a.new("competitor", f"name=Fate {i}")
        stage.count_up(a)
        line.expect("/v1/push", fate)
        stage.sync(a)
        assert line.count("/v1/push", fate.kind) >= 1, fate
    stage.settle()
    stage.all_there(wanted, "Fate")
    stage.all_count(len(fates))


def killed_after_reply(stage):
    """4: the client dies when it has the reply, or nearly, and before its own commit, or just after."""
    a, line = stage.device("a")
    stage.device("b")
    stage.counter(a)
    wanted = []
    for i in range(10):
        wanted.append(f"Reply {i}")
        a.new("competitor", f"name=Reply {i}")
        stage.count_up(a)
        told = threading.Event()
        line.expect("/v1/push", Fate(), told.set)
        sync = a.start("sync")
        wait_until(lambda t=told, s=sync: t.is_set() or s.poll() is not None, "the reply")
        kill_soon(sync, stage.chance.choice((0, 0, 0.001, 0.003, 0.008)))
        assert f"Reply {i}" in stage.names(a, "Reply")
    stage.settle()
    stage.all_there(wanted, "Reply")
    stage.all_count(len(wanted))


def killed_server(stage):
    """3: the server, and PostgreSQL under it, die between effect and answer."""
    a, line = stage.device("a")
    stage.device("b")
    stage.counter(a)
    wanted, total = [], 0
    for turn in range(3):
        for _i in range(5):
            total += stage.count_up(a)
        wanted += bring(a, stage.folder, f"Dead {turn}", 300)
        heard = threading.Event()
        pushes = line.count("/v1/push")
        sync = a.start("sync")
        wait_until(lambda s=sync, p=pushes: line.count("/v1/push") > p or line.open or s.poll() is not None, "the push")
        heard.wait(stage.chance.uniform(0.02, 0.25))
        if stage.cluster is not None and turn % 2 == 0:
            stage.kill_backend()
        else:
            stage.kill_server()
        sync.communicate(timeout=60)
        assert sync.returncode in (0, 3, 4), sync.returncode
    stage.settle()
    stage.all_there(wanted, "Dead")
    stage.all_count(total)


def at_once(stage):
    """9: a watching program, three manual syncs and edits on one profile, over a bad line."""
    a, line = stage.device("a")
    stage.device("b")
    line.weather = Weather(bad=0.15, kinds=("cut", "lose", "stall", "repeat", "gateway"), latency=0.01, hold=0.2)
    watch = a.start("sync", "--watch")
    wanted = [f"At once {i}" for i in range(12)]
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(a.new, "competitor", "name=" + name) for name in wanted]
            jobs += [pool.submit(a.run, "sync") for _ in range(3)]
            codes = [job.result() for job in jobs][-3:]
        for done in codes:
            assert done.returncode in (0, 3, 4), done
        line.heal()
        wait_until(lambda: a.one("status")["pending"] == 0, "the watch to send")
    finally:
        watch.send_signal(signal.SIGINT)
        kill_soon(watch, 30)
    stage.settle()
    stage.all_there(wanted, "At once")


def one_refused(stage):
    """14: one refused mutation among many with a thousand records, while the line breaks."""
    stage.host.add_user("ben", "--role", "Admin")
    a, line = stage.device("a", "ben")
    b, _line = stage.device("b")
    stage.host.run("user", "set", stage.host.folder, "ben", "--role", "Sales rep")
    wanted = []
    for turn in range(20):
        wanted += bring(a, stage.folder, f"Thousand {turn} of", 50, "account")
        if turn == 9:
            a.new("loss_reason", "name=Not his to make")
    b.new("competitor", "name=From elsewhere"), b("sync")
    for fate in (Fate("cut", "request", 30000), Fate("lose"), Fate("cut", "reply", 3000), Fate("repeat")):
        line.expect("/v1/push", fate)
        stage.sync(a)
    stage.settle(parked=1)
    stage.all_there(wanted, "Thousand", "account")
    same(stage.names(a, "From"), ["From elsewhere"])
    left = a.lines("outbox")
    same([(x["object"], x["state"]) for x in left], [("loss_reason", "parked")])
    a("outbox", "discard", left[0]["no"])
    stage.settle()


def flaky(stage):
    """17: 30 % loss, 2 s latency, 10 kB/s. The outbox never claims to be empty while it is not."""
    a, line = stage.device("a")
    b, _direct = stage.device("b")
    wanted = []
    line.weather = Weather(bad=0.3, kinds=("cut", "lose", "refuse", "half_open"), rate=10000 / SCALE, latency=2 * SCALE, hold=10 * SCALE)
    for turn in range(5 if LONG else 3):
        wanted += bring(a, stage.folder, f"Flaky {turn}", 20)
        for _try in range(3):
            settled = stage.sync(a)
            pending = a.one("status")["pending"]
            if settled or pending == 0:
                # It says so: then the others have it.
                b("sync")
                same(stage.names(b, "Flaky"), sorted(wanted))
                same(a.lines("outbox"), [])
            else:
                same(len(a.lines("outbox")), pending)
    stage.settle()
    stage.all_there(wanted, "Flaky")


def paged(stage):
    """19: a long first pull over a slow and breaking line, while others write, and the puller is killed."""
    a, _line = stage.device("a")
    wanted = bring(a, stage.folder, "Paged", 6000)
    a("sync")
    c, line = stage.device("c", sync=False)
    going = threading.Event()

    def write():
        n = 0
        while not going.is_set() and n < 60:
            rows = a.list("competitor", "--where", 'name starts "Paged"', "--fields", "name", "--limit", "1")
            a("set", "competitor", rows[0]["id"], f"website=turn-{n}.example")
            wanted.append(f"Paged later {n}")
            a.new("competitor", f"name=Paged later {n}")
            a("sync")
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        line.weather = Weather(rate=4e6)
        for turn in range(4):
            kind = "cut" if turn < 2 else "garbage"
            if turn % 2 == 0:
                line.expect("/v1/pull", Fate())
            line.expect("/v1/pull", Fate(kind, "reply", stage.chance.randrange(1000, 90000)))
            sync = c.start("sync")
            kill_soon(sync, stage.chance.uniform(0.05, 0.4) if turn % 2 else 60)
            done = c.run("count", "competitor")
            # Nothing half: nothing yet, or everything the server had at some commit.
            assert done.returncode == 3 or json.loads(done.stdout)["count"] >= 6000, done
        assert line.count("/v1/pull", "cut") + line.count("/v1/pull", "garbage") > 0
        line.heal()
        c.run("sync")
    finally:
        going.set()
        writer.join()
    stage.settle()
    stage.all_there(wanted, "Paged")


def attachments(stage, size=12 << 20):
    """69: a large file, cut at random places on its way up and down, with the server and the client killed."""
    a, line = stage.device("a")
    b, down = stage.device("b")
    ident = a.new("account", "name=With a file")
    path = stage.folder / "large.bin"
    content = stage.chance.randbytes(size)
    path.write_bytes(content)
    document = a.one("attach", "account", ident, path)
    a.new("competitor", "name=Not held up")

    cuts = [Fate("cut", "request", stage.chance.randrange(size // 2)), Fate("lose"), Fate("repeat"),
            Fate("garbage", "request", stage.chance.randrange(1000, size // 2)), Fate("repeat_late", seconds=0.1), Fate("gateway_after")]
    for fate in cuts:
        line.expect("/v1/blob/", fate)
    for _try in cuts:
        stage.sync(a)
    met = {kind for _method, path, kind, _status in line.seen if path.startswith("/v1/blob/")}
    assert len(met & {fate.kind for fate in cuts}) >= 3, met
    sync = a.start("sync")
    kill_soon(sync, stage.chance.uniform(0.02, 0.2))
    stage.kill_server()
    # The records did not wait for the file. It comes with a sync if the rules of the profile say so, else when it is asked for.
    for i in range(6 if LONG else 3):
        down.expect("/v1/blob/", Fate("cut" if i % 2 == 0 else "garbage", "reply", stage.chance.randrange(1000, 1 << 20)))
    settled, there = stage.sync(b), stage.names(b, "Not held up")
    same(there, ["Not held up"], f"{settled} {stage.said} {down.seen} after {line.seen}")
    wait_until(lambda: stage.sync(a), "the file to be there")
    out = stage.folder / "out.bin"
    for _try in range(6 if LONG else 3):
        stage.sync(b)
        done = b.run("fetch", document["id"], out)
        assert done.returncode in (0, 1, 3, 4), done
        # No half file counts as whole.
        assert not out.exists() or out.read_bytes() == content
    assert down.count("/v1/blob/", "cut") > 0, [x for x in down.seen if "blob" in x[1]]
    fetch = b.start("fetch", document["id"], out)
    kill_soon(fetch, 0.03)
    wait_until(lambda: b.run("fetch", document["id"], out).returncode == 0, "the file")
    assert out.read_bytes() == content
    stage.settle()
    if not any(not r.startswith("bytes=0-") for r in down.ranges):
        raise AssertionError(f"no fetch continued inside the file: {down.ranges}")


def killed_anywhere(stage):
    """70: kill -9 of whoever is running, again and again, and disks that take no more."""
    a, line = stage.device("a")
    stage.device("b")
    stage.counter(a)
    wanted, full, dead = set(), 0, 0

    def ends_small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = pathlib.Path(a.folder, "profile.db-wal")
        limit = (size.stat().st_size if size.exists() else 0) + stage.chance.randrange(0, 60000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    for i in range(30):
        name = f"Killed {i}"
        turn = i % 3
        words = [os.environ["KONTORCTL"], "--profile", a.folder, "--json", "new", "competitor", f"name={name}"]
        if turn == 0:
            # The disk is full at some write: said, and it is not there; or it is there.
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, preexec_fn=ends_small,
                                  restore_signals=False)
            assert "CRITICAL" not in done.stderr, done.stderr
            if done.returncode == 0:
                wanted.add(name)
            else:
                full += 1
                assert done.stderr.startswith("kontorctl: "), done
        else:
            new = a.start("new", "competitor", f"name={name}")
            killed = kill_soon(new, stage.chance.uniform(0, 0.05))
            dead += killed
            if not killed:
                same(new.returncode, 0)
                wanted.add(name)
        if turn == 2:
            stage.count_up(a)
            line.weather = Weather(bad=0.2, kinds=("cut", "lose", "repeat"))
            kill_soon(a.start("sync"), stage.chance.uniform(0, 0.12))
    assert full > 0 and dead > 0, (full, dead)
    there = set(stage.names(a, "Killed"))
    assert wanted <= there, f"lost: {sorted(wanted - there)}"
    stage.settle()
    stage.all_there(there, "Killed")
    stage.all_count(10)


def many_writers(stage):
    """Eight push at the same time; one counter, names of their own, and one text that everybody wants."""
    a, _line = stage.device("a")
    stage.counter(a)
    shared = a.new("competitor", "name=Shared", "website=none.example")
    a("sync")
    writers = []
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        writers = list(pool.map(lambda i: stage.device(f"w{i}")[0], range(8)))
        rounds = 5 if LONG else 2

        def work(i):
            device, total = writers[i], 0
            for n in range(rounds):
                total += stage.count_up(device, i + 1)
                device("set", "competitor", shared, f"weaknesses=by {i} in {n}")
                device.new("competitor", f"name=Writer {i} {n}")
                stage.sync(device)
            return total

        totals = list(pool.map(work, range(8)))
    wanted = [f"Writer {i} {n}" for i in range(8) for n in range(rounds)]
    stage.settle()
    stage.all_there(wanted, "Writer")
    stage.all_count(sum(totals))
    # Whatever anybody wrote can be found.
    history = json.dumps(a.lines("history", "competitor", shared))
    missing = [f"by {i} in {n}" for i in range(8) for n in range(rounds) if f"by {i} in {n}\"" not in history]
    same(missing, [], "written and not in the history")


def storm(stage):
    """Everything at once, by chance: four devices, one of them watching, over lines of all weathers."""
    seconds = 40 if LONG else 5
    a, _line = stage.device("a")
    stage.counter(a)
    actors = {name: stage.device(name)[0] for name in ("p", "q", "r", "s")}
    for name in actors:
        stage.lines[name].weather = Weather(bad=0.25, rate=200000 / SCALE, latency=0.2 * SCALE, hold=0.3)
    watcher, line = stage.device("w")
    line.weather = Weather(bad=0.2, hold=0.3)
    end = time.monotonic() + seconds
    wanted, maybe, failures = set(), set(), []

    def act(name):
        device, line = actors[name], stage.lines[name]
        chance = random.Random(f"{stage.seed} {stage.name} {name}")
        total, n, gone = 0, 0, False
        while time.monotonic() < end:
            step = chance.random()
            n += 1
            if step < 0.35:
                label = f"Storm {name} {n}"
                new = device.start("new", "competitor", "name=" + label)
                if chance.random() < 0.2 and kill_soon(new, chance.uniform(0, 0.04)):
                    maybe.add(label)
                else:
                    new.communicate(timeout=60)
                    assert new.returncode == 0
                    wanted.add(label)
            elif step < 0.6:
                total += stage.count_up(device, chance.randrange(1, 10))
            elif step < 0.7:
                kill_soon(device.start("sync"), chance.uniform(0, 0.2))
            elif step < 0.75:
                gone = not gone
                if gone:
                    line.cut()
                else:
                    line.down = False
            elif step < 0.8:
                line.drop()
            else:
                stage.sync(device)
        return total

    def watch():
        """The fifth, long-running; it is killed and started again."""
        chance = random.Random(f"{stage.seed} {stage.name} w")
        n = 0
        while time.monotonic() < end:
            process = watcher.start("sync", "--watch")
            for _ in range(chance.randrange(1, 6)):
                n += 1
                watcher.new("competitor", f"name=Storm w {n}")
                wanted.add(f"Storm w {n}")
            kill_soon(process, chance.uniform(0.2, 1))

    def break_server():
        chance = random.Random(f"{stage.seed} {stage.name} server")
        while time.monotonic() < end - 1:
            threading.Event().wait(chance.uniform(0.5, 2))
            if stage.cluster is not None and chance.random() < 0.5:
                stage.kill_backend()
            else:
                stage.kill_server()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = {name: pool.submit(act, name) for name in actors}
        others = [pool.submit(watch), pool.submit(break_server)]
        totals = {}
        for name, job in jobs.items():
            try:
                totals[name] = job.result()
            except Exception as error:  # noqa: BLE001 - all are looked at, then the first is raised
                failures.append(error)
        for job in others:
            try:
                job.result()
            except Exception as error:  # noqa: BLE001
                failures.append(error)
    if failures:
        raise failures[0]
    # What a killed command had committed is there as well; nobody else may say so but the device itself.
    there = set()
    for name in actors:
        there |= {label for label in stage.names(actors[name], f"Storm {name} ")}
    wanted |= there & maybe
    stage.settle()
    stage.all_there(wanted, "Storm")
    stage.all_count(sum(totals.values()))
    stage.tap.say(f"{len(wanted)} made, counter {sum(totals.values())}, met {dict(sorted(stage.proxy.met().items()))}")


def out_of_order(stage):
    """18: two programs commit to one PostgreSQL, and one of them hangs inside its commit. No reader passes it by."""
    a, _line = stage.device("a")
    b, _other = stage.device("b")
    wanted = []
    # A trigger lets the commits of one program hang: the other's come later and are visible first, if they can.
    slow = ("CREATE SEQUENCE hung; CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF current_setting('application_name') LIKE 'slow%' THEN PERFORM nextval('hung'); PERFORM pg_sleep(0.15); END IF; RETURN NULL; END $$;"
            "CREATE CONSTRAINT TRIGGER hang AFTER INSERT ON kt_ledger DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hang()")
    done = stage.cluster.psql("-c", slow, database=stage.database)
    assert done.returncode == 0, done.stderr
    names = [f"Second {i}" for i in range(4)]

    def second():
        """kontor-server user add: a second program with commits of its own."""
        for name in names:
            subprocess.run([os.environ["KONTOR_SERVER"], "user", "add", str(stage.host.folder), name, "--role", "Sales rep"],
                           input=PASSWORD + "\n", text=True, check=True, capture_output=True, env=dict(os.environ, PGAPPNAME="slow"))

    thread = threading.Thread(target=second)
    thread.start()
    n = 0
    while thread.is_alive():
        wanted.append(f"Order {n}")
        a.new("competitor", f"name=Order {n}")
        assert stage.sync(a) and stage.sync(b)
        n += 1
    thread.join()
    stage.settle()
    stage.all_there(wanted, "Order")
    for device in stage.devices.values():
        users = {row["name"] for row in device.list("user", "--fields", "name")}
        assert set(names) <= users, f"passed by: {set(names) - users}"
    hung = int(stage.cluster.psql("-c", "SELECT last_value FROM hung", database=stage.database).stdout)
    assert hung >= len(names) and n > 2, f"{hung} commits hung, {n} beside them"
    numbers = stage.cluster.psql("-c", "SELECT count(DISTINCT seq), max(seq) - min(seq) + 1 FROM kt_ledger", database=stage.database)
    count, span = numbers.stdout.strip().split("|")
    same(count, span, "seqs without a gap")


def copied_and_restored(stage):
    """58, 59, 60: profiles are copied with work in them, then the server is put back from a backup, over bad lines."""
    names = ("a", "b", "c")
    devices = {name: stage.device(name)[0] for name in names}
    stage.counter(devices["a"])
    for device in devices.values():
        assert stage.sync(device)
    wanted, total = [], 0

    def edit(device, label):
        wanted.append(f"Life {label}")
        device.new("competitor", f"name=Life {label}")
        return stage.count_up(device, stage.chance.randrange(1, 9))

    def weather():
        for line in stage.lines.values():
            line.weather = Weather(bad=0.3, kinds=("cut", "lose", "repeat", "repeat_late", "gateway_after", "refuse"), hold=0.1)

    for name, device in devices.items():
        total += edit(device, f"waits in {name}")
    # Two copies of one profile, both with what waits in it, and each goes on by itself.
    for name in ("a", "b"):
        copy = Ctl(stage.folder / (name + "copy"))
        shutil.copytree(devices[name].folder, copy.folder)
        copy.user = devices[name].user
        devices[name + "copy"] = stage.devices[name + "copy"] = copy
        stage.lines[name + "copy"] = stage.lines[name]
    weather()
    for turn in range(2 if LONG else 1):
        for name, device in devices.items():
            total += edit(device, f"{turn} in {name}")
            stage.sync(device)
    stage.settle()
    stage.all_count(total)
    backup = stage.folder / "backup"
    stage.host.run("backup", stage.host.folder, backup)
    weather()
    for turn in range(2, 4 if LONG else 3):
        for name, device in devices.items():
            total += edit(device, f"{turn} in {name}")
            stage.sync(device)
    for name, device in devices.items():
        total += edit(device, f"unsent in {name}")
    stage.host.kill()
    moved = stage.host.folder.with_name("restored")
    stage.host.run("restore", backup, moved)
    stage.host.folder = moved
    stage.host.start()
    weather()
    for device in devices.values():
        stage.sync(device)
    stage.settle()
    stage.all_there(wanted, "Life")
    stage.all_count(total)


STORIES = {
    "1": ("1, 3 lost replies, lost requests, repeats, stalls, garbage: everything once", lost_replies),
    "3": ("3 the server dies between effect and answer", killed_server),
    "4": ("4 the client dies between the reply and its own commit", killed_after_reply),
    "9": ("9 background and manual sync at once", at_once),
    "14": ("14 one refused mutation among a thousand records", one_refused),
    "17": ("17 flaky 3G: the outbox never claims to be empty while it is not", flaky),
    "18": ("18 two writers on PostgreSQL, commits visible out of order", out_of_order),
    "19": ("19 a paged pull while writes go on", paged),
    "58": ("P10, P11 58, 59, 60 copied profiles and a restored server", copied_and_restored),
    "69": ("69 an attachment interrupted", attachments),
    "70": ("70 kill -9 and full disks at every step", killed_anywhere),
    "writers": ("P3, P4 eight writers at the same time", many_writers),
    "storm": ("P1-P4 a storm of everything", storm),
}
# Those that mean something else on another database; the others only once.
ON_PG = ("3", "18", "19", "writers", "storm")


def tell(tap, folder, cluster, key, seed):
    title, story = STORIES[key]
    with tap.check(f"{title} (seed {seed})"):
        stage = Stage(tap, folder, cluster, f"s{key}", seed)
        try:
            story(stage)
            stage.sound()
        finally:
            stage.close()
            if not os.environ.get("KONTOR_KEEP"):
                shutil.rmtree(stage.folder, ignore_errors=True)


def chosen(cluster):
    if ONLY:
        return [key for key in STORIES if key in ONLY]
    return [key for key in STORIES if (key in ON_PG if cluster is not None else key != "18")]


def main(source, database="sqlite"):
    tap = Tap()
    tap.say(f"KONTOR_SEED={SEED} HOSTILE_SECONDS={SECONDS:g} {sys.argv[0]} {source} {database}")
    cluster = None
    if database == "postgresql":
        cluster = Cluster()
        if cluster.missing():
            print("1..0 # SKIP " + cluster.missing())
            return 0
    # A database that goes away is worth a warning of the server's.
    os.environ["G_DEBUG"] = "fatal-criticals"
    place = workplace()
    end = time.monotonic() + SECONDS
    seed = SEED
    try:
        bring_data(place.name, source)
        if cluster is not None:
            cluster.start()
        while True:
            for key in chosen(cluster):
                tell(tap, place.name, cluster, key, seed)
            seed += 1
            if time.monotonic() >= end or tap.failed:
                break
    finally:
        if cluster is not None:
            cluster.close()
        place.cleanup()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
